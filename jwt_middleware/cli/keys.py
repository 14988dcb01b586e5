"""`jwt-middleware keys`: make, list, publish, rotate and retire keys."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from jwt_middleware import parsing
from jwt_middleware.cli import env
from jwt_middleware.errors import ConfigurationError
from jwt_middleware.login import keyring
from jwt_middleware.login.keyring import Entry, Keyring, NotNow, moment
from jwt_middleware.settings import Settings, load
from jwt_middleware.token.folder import OLD_REFRESH, REFRESH, State
from jwt_middleware.token.keys import HMAC, Key

_BY_NAME_ONLY = ("HS384", "HS512", "PS256")  # what a key does only if JWT_ALGORITHMS says so


def _duration(_: click.Context, __: click.Parameter, given: str | None) -> float | None:
    try:
        return None if given is None else parsing.seconds(0)(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _folder(*, required: bool) -> Callable[[Any], Any]:
    return click.option(
        "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), envvar="JWT_KEYS_DIR", required=required,
        help="Folder of keys; JWT_KEYS_DIR by default.",
    )  # fmt: skip


_alg = click.option(
    "--alg", type=click.Choice(keyring.MAKEABLE),
    help="By default that of the key that signs; for the first one ES256, without a folder HS256.",
)  # fmt: skip


@click.group()
def keys() -> None:
    """Make, list, publish, rotate and retire keys."""


@keys.command()
@_alg
@_folder(required=False)
def new(alg: str | None, folder: Path | None) -> None:
    r"""Make a key.

    \b
    Without a folder, a secret is printed as a variable:  export "$(jwt-middleware keys new)"
    With one, the first key is made in it, and signs:     jwt-middleware keys new --dir keys/
    A further one waits for `keys rotate`.
    """
    if folder is None:
        if alg not in (None, *HMAC):
            raise click.UsageError(f"an {alg} key needs a folder: --dir keys/")
        click.echo(f"JWT_SECRET_KEY={keyring.new_secret(alg or 'HS256')}")
        return
    with _spoken(folder):
        file, made = _ring(folder).new(alg)
    click.echo(f"made {file.path}" if made else f"{file.path} is waiting already", err=True)
    if file.state is State.NEXT:
        click.echo("it verifies and is published; `jwt-middleware keys rotate` lets it sign", err=True)
    if made and alg in _BY_NAME_ONLY and alg not in _settings().algorithms:
        click.echo(f"it does {alg} only with JWT_ALGORITHMS={alg}", err=True)
    click.echo(f"JWT_KEYS_DIR={folder.absolute()}")


@keys.command()
@_alg
@click.option(
    "--after", callback=_duration, metavar="DURATION",
    help="How long a key must have been published before it signs: longer than others keep our JWK Set. By default 1h.",
)  # fmt: skip
@click.option("--now", is_flag=True, help="EMERGENCY: sign with a key that services elsewhere have not seen yet.")
@click.option("--refresh", is_flag=True, help="Change the key behind refresh tokens, and no other.")
@_folder(required=True)
def rotate(alg: str | None, after: float | None, now: bool, refresh: bool, folder: Path) -> None:
    r"""Change the key that signs, in two steps: run it, and run it again after an hour.

    The first makes the next key, which is published and verifies. The second lets it sign; the one before verifies on,
    until `keys retire` removes it. Too early, it changes nothing and ends with 1.
    """
    ring, wait = _ring(folder), keyring.PUBLISH_SECONDS if after is None else after
    with _spoken(folder):
        if refresh:
            ring.rotate_refresh(now=now)
            click.echo("another key makes refresh tokens" + ("; those of the one before are dead" if now else ""))
            return
        file, signs = ring.rotate(alg, wait, now=now)
        if signs:
            click.echo(f"{file.kid} signs; the keys before it verify, until `jwt-middleware keys retire` removes them")
        else:
            click.echo(f"made {file.path}: it verifies and is published, and does not sign yet")
            click.echo(f"from {moment(file.since + wait)} on, `jwt-middleware keys rotate` lets it sign")


@keys.command()
@click.argument("kid", required=False)
@click.option("--now", is_flag=True, help="EMERGENCY: remove KID, although its tokens may be good.")
@click.option(
    "--after", callback=_duration, metavar="DURATION",
    help="The longest that a token lives; by default JWT_ACCESS_TOKEN_EXPIRES or JWT_MAX_LIFETIME.",
)  # fmt: skip
@_folder(required=True)
def retire(kid: str | None, now: bool, after: float | None, folder: Path) -> None:
    """Remove keys that have signed, once all their tokens have expired; or one key at once."""
    ring, settings = _ring(folder), _settings()
    if now != (kid is not None):
        raise click.UsageError("KID and --now go together; without both, what is over is removed")
    with _spoken(folder):
        if kid is not None:
            _removed(ring.remove(kid))
            click.echo(
                "Its tokens are refused: by our workers within a second of their next new token, after "
                f"JWT_CACHE_SECONDS ({settings.cache_seconds:g} s) at the latest; elsewhere once the JWK Set has been "
                "fetched again. Whoever has one must sign in or refresh."
            )
            return
        lifetime = _lifetime(settings, after)
        gone = ring.retire(lifetime) + ring.retire_refresh(settings.refresh_token_expires)
        _removed(gone)
        for entry in ring.entries():
            if entry.file.state is State.OLD:
                click.echo(f"{entry.file.kid} stays until {moment(ring.over_at(entry.file, lifetime))}")


def _removed(names: list[str]) -> None:
    for name in names:
        click.echo(f"removed {name}")


@keys.command(name="list")
@_folder(required=False)
def list_(folder: Path | None) -> None:
    """List the keys: kid, algorithm, what they do since when, and what comes next."""
    ring = env.keys(folder)
    found = {entry.file.kid: entry for entry in _ring(folder).entries()} if folder else {}
    for key in ring.verifying.keys:
        entry = None if key.any_kid else found.get(str(key.kid))
        _row(key.kid, key.names[0], _state(entry) if entry else _duty(key, ring.signing))
    for path in (folder / REFRESH, folder / OLD_REFRESH) if folder else ():
        if path.exists():
            _row(path.name, None, f"for refresh tokens, since {moment(path.stat().st_mtime)}")


def _row(name: str | None, algorithm: str | None, duty: str) -> None:
    click.echo(f"{name or '-':<44} {algorithm or '-':<6} {duty}")


def _duty(key: Key, signing: Key | None) -> str:
    return "signs and verifies" if key is signing else "verifies"


def _state(entry: Entry) -> str:
    since = f"since {moment(entry.file.since)}"
    if entry.signs:
        return f"signs and verifies, {since}"
    if entry.file.state is State.NEXT:
        return f"verifies, {since}: next, by `keys rotate` from {moment(entry.file.since + keyring.PUBLISH_SECONDS)}"
    if entry.file.state is State.OLD:
        over = entry.file.since + _lifetime(_settings(), None) + keyring.SLACK_SECONDS
        return f"verifies, {since}: old, `keys retire` removes it from {moment(over)}"
    return f"verifies, {since}"


@keys.command()
@_folder(required=False)
def jwks(folder: Path | None) -> int:
    """Print our public keys as a JWK Set (RFC 7517), as /.well-known/jwks.json does."""
    ring = env.keys(folder)
    if ring.verifying.symmetric:
        click.echo("HMAC secrets are never published; make a key pair: jwt-middleware keys new --dir keys/", err=True)
        return 1
    if not ring.published:
        click.echo("none of these keys is our own: there is no private key", err=True)
        return 1
    click.echo(json.dumps(keyring.jwks(ring.published), indent=2))
    return 0


def _settings() -> Settings:
    loaded = load(os.environ, {})
    if loaded.problems:
        raise ConfigurationError(loaded.problems)
    return loaded.settings


def _ring(folder: Path) -> Keyring:
    return Keyring(folder, _settings().algorithms)


def _lifetime(settings: Settings, given: float | None) -> float:
    longest = max(settings.access_token_expires, settings.max_lifetime or 0)
    return (longest if given is None else given) + settings.leeway


@contextmanager
def _spoken(folder: Path) -> Iterator[None]:
    try:
        yield
    except NotNow as reason:
        raise click.ClickException(str(reason)) from None
    except OSError as error:
        raise click.ClickException(f"cannot write to {folder}: {error.strerror}") from None
