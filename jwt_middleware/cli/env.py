"""What the commands act on: the core that this environment makes. No adapter is imported, so no `JWT_APP` either."""

from __future__ import annotations

import os
from pathlib import Path

import click

from jwt_middleware.core import Core
from jwt_middleware.errors import ConfigurationError
from jwt_middleware.settings import load
from jwt_middleware.token import sources
from jwt_middleware.token.sources import KeyRing
from jwt_middleware.truth._blocking import BlockingIO
from jwt_middleware.truth.revocation import Revocation


def core() -> Core:
    """Make the core.

    Raises:
        ConfigurationError: the settings do not fit.
    """
    return Core(BlockingIO, {})


def keys(folder: Path | None = None) -> KeyRing:
    """Read the configured keys alone: to list or publish them needs no audience and no store.

    Raises:
        ConfigurationError: they do not fit.
    """
    loaded = load(os.environ, {} if folder is None else {"keys_dir": folder})
    ring = sources.load(loaded.settings, loaded.problems)
    if loaded.problems:
        raise ConfigurationError(loaded.problems)
    return ring


def revoker() -> Revocation:
    """Return what revokes, if its store is there: a command must not make an empty one and call that a success.

    Raises:
        ConfigurationError: the settings do not fit, or there is no store.
        ClickException: the file of the embedded store does not exist.
    """
    made = core()
    revoker = made.revoker
    url = made.settings.store_url or ""
    if url.startswith("sqlite:"):
        from jwt_middleware.truth.sqlite import path_of

        path = Path(path_of(url)).absolute()
        if not path.exists():
            raise click.ClickException(f"no store at {path}: JWT_STORE_URL counts from the current folder")
    return revoker
