"""`jwt-middleware sessions`: who is signed in, and where."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jwt_middleware.cli.env import core, revoker
from jwt_middleware.errors import escaped
from jwt_middleware.truth.io import run


@click.command()
@click.argument("subject")
def sessions(subject: str) -> int:
    """List the live sessions of a subject, the youngest first. End one by `revoke session ID`."""
    revoker()  # there must be a store, and it must exist
    opened = core().sessions
    if opened is None:
        raise click.UsageError("nobody can sign in: set JWT_USERS_FILE, JWT_AUTHENTICATE or JWT_CLIENTS_FILE")
    found = run(opened.of(subject))
    for each in found:
        device = f"{each.address:<15} {escaped(each.label)}"
        click.echo(f"{each.sid} since {_date(each.created)} used {_date(each.used)} {device}")
    if not found:
        click.echo(f"no session of {escaped(subject)}", err=True)
    return 0 if found else 1


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")
