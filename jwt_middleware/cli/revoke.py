"""`jwt-middleware revoke`: end a token, a session, or everything up to now of a subject, client or issuer."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import click

from jwt_middleware.cli.env import core, revoker
from jwt_middleware.cli.token import from_argument
from jwt_middleware.errors import Unavailable, escaped
from jwt_middleware.notices import revocable
from jwt_middleware.token.refresh import is_refresh_token
from jwt_middleware.truth.io import run


@click.group()
def revoke() -> None:
    """End tokens before they expire.

    One token, a session, or all up to now of a subject, a client or the issuer. Needs JWT_STORE_URL. Returns once the
    store has it: from then on every process refuses.
    """


def _do(revocation: Coroutine[Any, Any, None], what: str) -> None:
    try:
        run(revocation)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except Unavailable as error:
        raise click.ClickException(f"NOT revoked, as far as is known; repeating is harmless. {error.detail}") from None
    click.echo(f"revoked {what}")


@revoke.command()
@click.argument("token", metavar="TOKEN|JTI|-", callback=from_argument)
def token(token: str) -> None:
    """Revoke one access token, given as the token itself or as its jti; or end the session of a refresh token."""
    revoke = revoker()
    if is_refresh_token(token):
        _do(_ended(token), "the session of this refresh token")
    elif token.count(".") == 2:
        jti, expires = revocable(core().verifier.verify(token.encode("ascii", "replace")))
        _do(revoke.revoke_token(jti, expires), f"token {escaped(jti)}")
    elif token.startswith("eyJ") or len(token) > 256:
        raise click.UsageError("this is a piece of a token: give all of it, or its jti")
    else:
        _do(revoke.revoke_token(token), f"token {escaped(token)}")


async def _ended(token: str) -> None:
    sessions = core().sessions
    if sessions is None:
        raise ValueError("nobody can sign in by these settings: is JWT_USERS_FILE or JWT_AUTHENTICATE missing?")
    await sessions.end_of(token)


@revoke.command()
@click.argument("sid")
def session(sid: str) -> None:
    """Revoke every token of a session (its sid)."""
    _do(revoker().revoke_session(sid), f"session {escaped(sid)}")


@revoke.command()
@click.argument("subject")
def subject(subject: str) -> None:
    """Revoke every token of a subject issued up to now (the identity claim)."""
    _do(revoker().revoke_subject(subject), f"all tokens of subject {escaped(subject)} issued up to now")


@revoke.command()
@click.argument("client_id")
def client(client_id: str) -> None:
    """Revoke every token that a client obtained up to now."""
    _do(revoker().revoke_client(client_id), f"all tokens of client {escaped(client_id)} issued up to now")


@revoke.command()
def issuer() -> None:
    """Revoke every token of our issuer (JWT_ISSUER) up to now."""
    _do(revoker().revoke_issuer(), "all tokens of the issuer issued up to now")


@revoke.command(name="all")
def all_() -> None:
    """Revoke every token issued up to now, of every configured issuer."""
    _do(revoker().revoke_issuer(), "all tokens issued up to now")
