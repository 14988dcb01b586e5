"""`jwt-middleware keys`: make, list and publish keys."""

from __future__ import annotations

import json
from pathlib import Path

import click

from jwt_middleware.login import keyring
from jwt_middleware.token.keys import HMAC, Key
from jwt_middleware.wsgi import JWTAuth


@click.group()
def keys() -> None:
    """Make, list and publish keys."""


@keys.command()
@click.option("--alg", type=click.Choice(keyring.MAKEABLE), help="HS256 by default, ES256 with a folder.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), envvar="JWT_KEYS_DIR",
              help="Folder for a private key; JWT_KEYS_DIR by default.")  # fmt: skip
def new(alg: str | None, folder: Path | None) -> None:
    """Make a key.

    An HMAC secret is printed as a variable:  export "$(jwt-middleware keys new)"
    A private key is written to a folder:     jwt-middleware keys new --dir keys/
    """
    algorithm = alg or ("ES256" if folder else "HS256")
    if algorithm in HMAC:
        click.echo(f"JWT_SECRET_KEY={keyring.new_secret(algorithm)}")
        return
    if folder is None:
        raise click.UsageError(f"an {algorithm} key needs a folder: --dir keys/")
    try:
        made = keyring.new_key_file(folder, algorithm)
    except OSError as error:
        raise click.ClickException(f"cannot write to {folder}: {error.strerror}") from None
    click.echo(f"made {made}", err=True)
    click.echo(f"JWT_KEYS_DIR={folder}")


@keys.command(name="list")
def list_() -> None:
    """List the keys that are configured: kid, algorithm, and what each does."""
    ring = JWTAuth().core.keys
    for key in ring.verifying.keys:
        click.echo(f"{key.kid or '-':<44} {key.names[0]:<6} {_duty(key, ring.signing)}")


def _duty(key: Key, signing: Key | None) -> str:
    return "signs and verifies" if key is signing else "verifies"


@keys.command()
def jwks() -> int:
    """Print our public keys as a JWK Set (RFC 7517), for those who verify our tokens."""
    ring = JWTAuth().core.keys
    if ring.verifying.symmetric:
        click.echo("HMAC secrets are never published; make a key pair: jwt-middleware keys new --dir keys/", err=True)
        return 1
    click.echo(json.dumps(keyring.jwks(ring.verifying.keys), indent=2))
    return 0
