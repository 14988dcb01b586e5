"""`jwt-middleware config`: what is in force, where it comes from, and whether it fits together."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from jwt_middleware.cli.env import core
from jwt_middleware.errors import ConfigurationError
from jwt_middleware.settings import DECLARATIONS, Settings, load, variable

FAILS_OPEN = tuple(name for name in DECLARATIONS if name.startswith("allow_") and name != "allowed_origins")


@click.group()
def config() -> None:
    """Show the settings in force, or check them."""


@config.command()
def show() -> int:
    """Print every setting: its value (secrets masked) and where it comes from."""
    loaded = load(os.environ, {})
    width = max(map(len, map(variable, DECLARATIONS)))
    for name in DECLARATIONS:
        value = _shown(loaded.settings, name, loaded.origins)
        click.echo(f"{variable(name):<{width}}  {value:<28} {loaded.origins.get(name, 'default')}".rstrip())
    for problem in loaded.problems:
        click.echo(f"problem: {problem}", err=True)
    return 1 if loaded.problems else 0


def _shown(settings: Settings, name: str, origins: Mapping[str, str]) -> str:
    declaration = DECLARATIONS[name]
    if name not in origins:
        return declaration.shown_default or "-"
    if declaration.secret or declaration.from_file:  # the latter, since a private key may stand in the wrong place
        return "********"
    value = getattr(settings, name)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@config.command()
def check() -> int:
    """Check that the settings fit together; name those that fail open."""
    try:
        settings = core().settings
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        return 1
    for name in FAILS_OPEN:
        if getattr(settings, name):
            click.echo(f"fails open: {variable(name)} is set")
    click.echo("the settings fit together (the store was not asked)")
    return 0
