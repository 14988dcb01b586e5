"""What `user` and `client` share: the file of records, and the end of the tokens of whoever it no longer lets in."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import click

from jwt_middleware import parsing
from jwt_middleware.cli import env
from jwt_middleware.errors import ConfigurationError, Unavailable, escaped
from jwt_middleware.login import passwords
from jwt_middleware.login.records import Kind, Raw, RecordsFile
from jwt_middleware.settings import load
from jwt_middleware.truth.io import run
from jwt_middleware.truth.revocation import Revocation

_STORE = {"JWT_STORE_URL", "JWT_STORE_URL_FILE"}


@dataclass(frozen=True, slots=True)
class Roster:
    """The records of one kind, for commands.

    Attributes:
        noun: of one record.
        setting: the variable that names the file.
        kind: returns what the records are.
        describe: says about a record in one line what may be known.
        revoke: revokes the tokens of a record, given its name and its raw members.
    """

    noun: str
    setting: str
    kind: Callable[[], Kind[Any]]
    describe: Callable[[Any], str]
    revoke: Callable[[Revocation, str, Raw], Coroutine[Any, Any, None]]

    def option(self, command: Callable[..., Any]) -> Callable[..., Any]:
        """Give a command the option `--file`, and the argument `file` that comes of it."""

        def opened(_: click.Context, __: click.Parameter, given: str | None) -> RecordsFile[Any]:
            if given is None:
                raise click.UsageError(f"which file? --file {self.noun}s.json, or set {self.setting}")
            try:
                return RecordsFile(parsing.path(given), self.kind())
            except ValueError as error:
                raise click.BadParameter(str(error)) from None

        text = f"The JSON file; {self.setting} by default."
        return click.option("--file", "file", metavar="FILE", envvar=self.setting, callback=opened, help=text)(command)

    def hashed(self, secret: str) -> str:
        """Return the hash of a secret.

        Raises:
            ConfigurationError: argon2-cffi is not installed.
        """
        problems: list[str] = []
        hasher = passwords.load(self.setting, problems)
        if hasher is None:
            raise ConfigurationError(problems)
        return hasher.hash(secret)

    def add(self, file: RecordsFile[Any], name: str, record: Raw) -> None:
        """Add a record to the file, which is made if need be, and say so."""

        def change(raw: Raw) -> None:
            if name in raw:
                raise click.ClickException(f"there is a {self.noun} {escaped(name)} already")
            raw[name] = {member: value for member, value in record.items() if value not in (None, [], {})}

        edit(file, change, create=True)
        click.echo(f"added {self.noun} {escaped(name)} to {file.path}", err=True)

    def alter(self, file: RecordsFile[Any], name: str, change: Callable[[Raw], None]) -> Raw:
        """Change all records, of which one must be there; return that one as it was."""
        found: list[Raw] = []

        def changed(raw: Raw) -> None:
            if name not in raw:
                raise click.ClickException(f"there is no {self.noun} {escaped(name)}")
            found.append(dict(raw[name]))
            change(raw)

        edit(file, changed)
        return found[0]

    def shut_out(self, file: RecordsFile[Any], name: str, change: Callable[[Raw], None], done: str) -> int:
        """Change a record so that it no longer lets in as it did, then revoke its tokens; return the exit code."""
        before = self.alter(file, name, change)
        click.echo(f"{done} {self.noun} {escaped(name)}")
        if load(os.environ, {}).settings.revocation == "off" or _STORE.isdisjoint(os.environ):
            click.echo("its tokens live on until they expire: there is no store to revoke them in", err=True)
            return 0
        try:
            run(self.revoke(env.revoker(), name, before))
        except (ConfigurationError, Unavailable, click.ClickException) as error:
            click.echo(
                f"its tokens are NOT revoked, as far as is known, and live on until they expire: {error}", err=True
            )
            return 1
        click.echo("revoked its tokens issued up to now")
        return 0

    def add_commands(self, group: click.Group) -> None:
        """Make the commands that are the same for both kinds."""
        noun = self.noun

        @group.command(name="list", help=f"List the {noun}s, without their hashes.")
        @self.option
        def list_(file: RecordsFile[Any]) -> None:
            for name, record in file.load().items():
                disabled = "  (disabled)" if record.disabled else ""
                click.echo(f"{escaped(name):<24} {escaped(self.describe(record), 2000)}{disabled}")

        @group.command(help=f"Remove a {noun} and revoke its tokens.")
        @name_argument
        @self.option
        def remove(name: str, file: RecordsFile[Any]) -> int:
            return self.shut_out(file, name, lambda raw: raw.__delitem__(name), "removed")

        @group.command(help=f"Let a {noun} sign in no longer, and revoke its tokens.")
        @name_argument
        @self.option
        def disable(name: str, file: RecordsFile[Any]) -> int:
            return self.shut_out(file, name, lambda raw: raw[name].update(disabled=True), "disabled")

        @group.command(help=f"Let a disabled {noun} sign in again. What was revoked stays so.")
        @name_argument
        @self.option
        def enable(name: str, file: RecordsFile[Any]) -> None:
            self.alter(file, name, lambda raw: raw[name].pop("disabled", None))
            click.echo(f"enabled {noun} {escaped(name)}")


def edit(file: RecordsFile[Any], change: Callable[[Raw], None], *, create: bool = False) -> None:
    """Change the raw records of a file.

    Raises:
        UsageError: the file is bad, or would become so.
        ClickException: it cannot be written.
    """

    def changed(raw: Raw) -> bool:
        change(raw)
        return True

    try:
        file.edit(changed, create=create)
    except ConfigurationError as error:
        raise click.UsageError("\n".join(error.problems)) from None
    except OSError as error:
        raise click.ClickException(f"cannot change {file.path}: {error.strerror}") from None


def _spelt(_: click.Context, __: click.Parameter, name: str) -> str:
    return unicodedata.normalize("NFC", name)


name_argument = click.argument("name", callback=_spelt)
