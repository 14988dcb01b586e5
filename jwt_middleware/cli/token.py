"""`jwt-middleware token`: issue, inspect and verify tokens."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

import click

from jwt_middleware import parsing
from jwt_middleware.cli.env import core
from jwt_middleware.errors import ConfigurationError, InvalidToken, escaped
from jwt_middleware.token import jws
from jwt_middleware.token.refresh import is_refresh_token
from jwt_middleware.truth.io import run


@click.group()
def token() -> None:
    """Issue, inspect and verify tokens."""


def named_values(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """`NAME=VALUE`, in which the value is JSON or else a text."""
    claims: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise click.BadParameter("must be NAME=VALUE")
        try:
            claims[name] = json.loads(value)
        except ValueError:
            claims[name] = value
    return claims


def _lifetime(_: click.Context, __: click.Parameter, given: str | None) -> float | None:
    try:
        return None if given is None else parsing.seconds(1)(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def from_argument(_: click.Context, __: click.Parameter, given: str) -> str:
    """`-` reads standard input, so that a token need not stand in the shell's history."""
    text: str = sys.stdin.read() if given == "-" else given
    return text.strip()


token_argument = click.argument("token", metavar="TOKEN|-", callback=from_argument)


@token.command()
@click.argument("subject")
@click.option("--scope", default="", help="Scopes, separated by spaces.")
@click.option(
    "--claim", "claims", multiple=True, callback=named_values, metavar="NAME=VALUE", help="One more, JSON or text."
)
@click.option("--expires", callback=_lifetime, metavar="DURATION", help="Its life, such as 1h.")
def issue(subject: str, scope: str, claims: dict[str, Any], expires: float | None) -> None:
    """Print an access token for SUBJECT."""
    try:
        click.echo(core().signer.issue(subject, scope=scope, claims=claims, expires_in=expires))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@token.command()
@token_argument
def verify(token: str) -> None:
    """Verify TOKEN as a request's would be, revocation included, and print its claims."""
    click.echo(json.dumps(run(core().authenticator.verify(token)).claims, indent=2))


@token.command()
@token_argument
def inspect(token: str) -> int:
    """Show what is in TOKEN, and why it would be refused.

    Whoever signed it: what is shown is not verified. The last line is our settings' verdict; the store is not asked.
    """
    if is_refresh_token(token):
        click.echo("this is a refresh token: its session and generation, and nothing else (see `revoke token`)")
        return 1
    try:
        header, payload, _ = jws.split(token.encode("ascii", "replace"))
        click.echo(f"header  {_shown(header)}")
        click.echo(f"claims  {_shown(payload)}")
        _show_times(jws.parse(jws.decode(payload)))
    except InvalidToken as error:
        click.echo(f"refused {error.reason}: {error.detail}")
        return 1
    return _judge(token)


def _shown(part: bytes) -> str:
    return json.dumps(jws.parse(jws.decode(part)), indent=2).replace("\n", "\n        ")


def _show_times(claims: dict[str, Any]) -> None:
    for name in ("iat", "nbf", "exp"):
        value = claims.get(name)
        if isinstance(value, (int, float)) and 0 <= value < 253402300800:
            moment = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            distance = value - time.time()
            click.echo(f"{name:<7} {moment}, {abs(distance):.0f} s {'from now' if distance > 0 else 'ago'}")


def _judge(token: str) -> int:
    try:
        user = core().verifier.verify(token.encode("ascii", "replace"))
    except InvalidToken as error:
        click.echo(f"refused {error.reason}: {error.detail}")
        return 1
    except ConfigurationError as error:
        click.echo(f"cannot judge: {error}", err=True)
        return 2
    click.echo(f"accepted as {escaped(user.identity)}")
    return 0
