"""The command `jwt-middleware`: keys, tokens, sessions, users, settings, rules, from the app's own environment.

The demo alone takes no setting.

Exit codes: 0 yes, 1 no, 2 usage or settings that do not fit.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import click

import jwt_middleware
from jwt_middleware.cli.client import client
from jwt_middleware.cli.config import config
from jwt_middleware.cli.demo import demo
from jwt_middleware.cli.explain import explain
from jwt_middleware.cli.keys import keys
from jwt_middleware.cli.revoke import revoke
from jwt_middleware.cli.sessions import sessions
from jwt_middleware.cli.token import token
from jwt_middleware.cli.user import user
from jwt_middleware.errors import ConfigurationError, Refused, Unavailable


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(jwt_middleware.__version__, prog_name="jwt-middleware")
def cli() -> None:
    """JWT authentication in front of any WSGI or ASGI app.

    Settings come from JWT_* environment variables, the same as the app's.
    """


for command in (keys, token, revoke, sessions, user, client, config, explain, demo):
    cli.add_command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        result = cli.main(argv, prog_name="jwt-middleware", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 1
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        return 2
    except (Refused, Unavailable) as error:
        click.echo(f"{error.reason}: {error.detail}", err=True)
        return 1
    return result if isinstance(result, int) else 0


def entry() -> None:
    """Run as a program."""
    sys.exit(main())
