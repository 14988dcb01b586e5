"""`jwt-middleware revoke`: end a token, a session, or everything up to now of a subject, client or issuer."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import click

from jwt_middleware.cli.token import from_argument
from jwt_middleware.notices import revocable
from jwt_middleware.truth.io import run
from jwt_middleware.truth.revocation import Revocation
from jwt_middleware.wsgi import JWTAuth


@click.group()
def revoke() -> None:
    """End a token, a session, or all tokens of a subject, client or issuer. Needs JWT_STORE_URL.

    Returns once the store has it: from then on every process refuses.
    """


def _do(revocation: Coroutine[Any, Any, None], what: str) -> None:
    run(revocation)
    click.echo(f"revoked {what}")


def _revoker() -> Revocation:
    return JWTAuth().core.revoker


@revoke.command()
@click.argument("token", metavar="TOKEN|JTI|-", callback=from_argument)
def token(token: str) -> None:
    """Revoke one token, given as the token itself or as its jti."""
    core = JWTAuth().core
    revoker = core.revoker  # first: with it in force every good token has a jti
    if token.count(".") == 2:
        jti, expires = revocable(core.verifier.verify(token.encode("ascii", "replace")))
        _do(revoker.revoke_token(jti, expires), f"token {jti}")
    else:
        _do(revoker.revoke_token(token), f"token {token}")


@revoke.command()
@click.argument("sid")
def session(sid: str) -> None:
    """Revoke every token of a session (its sid)."""
    _do(_revoker().revoke_session(sid), f"session {sid}")


@revoke.command()
@click.argument("subject")
def subject(subject: str) -> None:
    """Revoke every token of a subject issued up to now (the identity claim)."""
    _do(_revoker().revoke_subject(subject), f"all tokens of subject {subject} issued up to now")


@revoke.command()
@click.argument("client_id")
def client(client_id: str) -> None:
    """Revoke every token that a client obtained up to now."""
    _do(_revoker().revoke_client(client_id), f"all tokens of client {client_id} issued up to now")


@revoke.command()
def issuer() -> None:
    """Revoke every token of our issuer (JWT_ISSUER) up to now."""
    _do(_revoker().revoke_issuer(), "all tokens of the issuer issued up to now")


@revoke.command(name="all")
def all_() -> None:
    """Revoke every token issued up to now, of every configured issuer."""
    _do(_revoker().revoke_issuer(), "all tokens issued up to now")
