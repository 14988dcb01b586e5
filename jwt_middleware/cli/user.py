"""`jwt-middleware user`: who may sign in by JWT_USERS_FILE."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from jwt_middleware.cli.roster import Roster, name_argument
from jwt_middleware.cli.token import named_values
from jwt_middleware.login import users
from jwt_middleware.login.passwords import objection
from jwt_middleware.login.records import RecordsFile
from jwt_middleware.settings import load


def _described(entry: users.Entry) -> str:
    roles = " ".join(entry.account.claims.get("roles", ())) or "-"
    return f"subject {entry.account.subject}, scopes {' '.join(entry.account.scopes) or '-'}, roles {roles}"


_roster = Roster(
    "user",
    "JWT_USERS_FILE",
    lambda: users.kind(load(os.environ, {}).settings),
    _described,
    lambda revocation, name, raw: revocation.revoke_subject(raw.get("subject", name)),
)
_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, instead of asking for it twice."
)


@click.group()
def user() -> None:
    """Add, list, change and remove the users of JWT_USERS_FILE.

    A password is asked for, or read from standard input: as an argument, others on this machine could see it.
    """


@user.command()
@name_argument
@click.option("--scope", "scopes", multiple=True, help="One that the user may be granted; may be repeated.")
@click.option("--role", "roles", multiple=True, help="One for the claim `roles`; may be repeated.")
@click.option(
    "--claim", "claims", multiple=True, callback=named_values, metavar="NAME=VALUE", help="One more, JSON or text."
)
@click.option("--subject", help="The `sub` of the user's tokens; the name by default.")
@_password_option
@_roster.option
def add(name: str, password_stdin: bool, file: RecordsFile[Any], **record: Any) -> None:
    """Add a user. The file is made, for its owner alone, if it is not there."""
    hashed = _roster.hashed(_password(password_stdin))
    lists = {member: list(record.pop(member)) for member in ("scopes", "roles")}
    _roster.add(file, name, {"password": hashed, **lists, **record})


@user.command()
@name_argument
@_password_option
@_roster.option
def password(name: str, password_stdin: bool, file: RecordsFile[Any]) -> int:
    """Give a user a new password, and revoke the tokens obtained by the old one."""
    hashed = _roster.hashed(_password(password_stdin))
    return _roster.shut_out(file, name, lambda raw: raw[name].update(password=hashed), "changed the password of")


_roster.add_commands(user)


def _password(from_stdin: bool) -> str:
    try:
        given: str = (
            sys.stdin.read().removesuffix("\n")
            if from_stdin
            else click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        )
    except UnicodeError:
        raise click.UsageError("the password is not UTF-8 text") from None
    reason = objection(given)
    if reason:
        raise click.UsageError(f"the password {reason}")
    return given
