"""`jwt-middleware client`: the machines that may sign in by JWT_CLIENTS_FILE."""

from __future__ import annotations

from typing import Any

import click

from jwt_middleware.cli.roster import Roster, name_argument
from jwt_middleware.login import clients
from jwt_middleware.login.records import RecordsFile


def _described(entry: clients.Entry) -> str:
    scopes, audiences = (" ".join(each) or "-" for each in (entry.client.scopes, entry.client.audiences))
    return f"scopes {scopes}, audiences {audiences}"


_roster = Roster(
    "client",
    "JWT_CLIENTS_FILE",
    lambda: clients.KIND,
    _described,
    lambda revocation, name, _: revocation.revoke_client(name),
)


@click.group()
def client() -> None:
    """Add, list, change and remove the machines of JWT_CLIENTS_FILE."""


@client.command()
@name_argument
@click.option("--scope", "scopes", multiple=True, help="One that the client may be granted; may be repeated.")
@click.option("--audience", "audiences", multiple=True, help="One that its tokens may be for; may be repeated.")
@_roster.option
def add(name: str, scopes: tuple[str, ...], audiences: tuple[str, ...], file: RecordsFile[Any]) -> None:
    """Add a client and print its secret, which nobody can read again."""
    secret = clients.new_secret()
    record = {"secret": _roster.hashed(secret), "scopes": list(scopes), "audiences": list(audiences)}
    _roster.add(file, name, record)
    click.echo(secret)


_roster.add_commands(client)
