"""`jwt-middleware keys`: make, list and publish keys."""

from __future__ import annotations

import json
from pathlib import Path

import click
from click.core import ParameterSource

from jwt_middleware.cli import env
from jwt_middleware.login import keyring
from jwt_middleware.token.keys import HMAC, Key

_folder = click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), envvar="JWT_KEYS_DIR",
    help="Folder of private keys; JWT_KEYS_DIR by default.",
)  # fmt: skip


@click.group()
def keys() -> None:
    """Make, list and publish keys."""


@keys.command()
@click.option("--alg", type=click.Choice(keyring.MAKEABLE), help="HS256 by default, ES256 with a folder.")
@_folder
def new(alg: str | None, folder: Path | None) -> None:
    r"""Make a key.

    \b
    An HMAC secret is printed as a variable:  export "$(jwt-middleware keys new)"
    A private key is written to a folder:     jwt-middleware keys new --dir keys/
    """
    algorithm = alg or ("ES256" if folder else "HS256")
    if algorithm in HMAC:
        if click.get_current_context().get_parameter_source("folder") is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"an {algorithm} secret is no file: leave --dir out")
        click.echo(f"JWT_SECRET_KEY={keyring.new_secret(algorithm)}")
        return
    if folder is None:
        raise click.UsageError(f"an {algorithm} key needs a folder: --dir keys/")
    try:
        made = keyring.new_key_file(folder, algorithm)
    except OSError as error:
        raise click.ClickException(f"cannot write to {folder}: {error.strerror}") from None
    click.echo(f"made {made}", err=True)
    click.echo(f"JWT_KEYS_DIR={folder.absolute()}")


@keys.command(name="list")
@_folder
def list_(folder: Path | None) -> None:
    """List the configured keys: kid, algorithm, duty."""
    ring = env.keys(folder)
    for key in ring.verifying.keys:
        click.echo(f"{key.kid or '-':<44} {key.names[0]:<6} {_duty(key, ring.signing)}")


def _duty(key: Key, signing: Key | None) -> str:
    return "signs and verifies" if key is signing else "verifies"


@keys.command()
@_folder
def jwks(folder: Path | None) -> int:
    """Print our public keys as a JWK Set (RFC 7517)."""
    ring = env.keys(folder)
    if ring.verifying.symmetric:
        click.echo("HMAC secrets are never published; make a key pair: jwt-middleware keys new --dir keys/", err=True)
        return 1
    click.echo(json.dumps(keyring.jwks(ring.verifying.keys), indent=2))
    return 0
