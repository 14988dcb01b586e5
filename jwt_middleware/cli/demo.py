"""`jwt-middleware demo`: this library in a browser, on this machine alone, with nothing to set up."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from tempfile import TemporaryDirectory
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import click

_HOST = "127.0.0.1"
_BANNER = """
A demo of jwt_middleware, for this machine alone:  {url}

  sign in as   {user}
  password     {password}

Access tokens live {lifetime} s, so that you see them end and be renewed. When the demo stops, its keys, its store and
its sessions are gone. Below, the log gives the reason of each refusal. Ctrl-C stops.
"""


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@click.option(
    "--lifetime",
    type=click.IntRange(2, 3600),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long an access token lives.",
)
@click.option("--plain-cookies", is_flag=True, help="Cookies without Secure, for browsers such as Safari.")
def demo(port: int, opens: bool, lifetime: int, plain_cookies: bool) -> None:
    """Sign in, call an API, refresh and log out, in a browser.

    Serves a page and a small API on this machine, protected by this library. No setting of this shell counts.
    """
    for name in [name for name in os.environ if name.startswith("JWT_")]:
        del os.environ[name]
    from jwt_middleware.demo import service  # only now: with JWT_APP set, the adapter would load that app

    server = _server(port)
    url = f"http://localhost:{server.server_port}"
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, and leaves nothing behind
    with suppress(KeyboardInterrupt), server, TemporaryDirectory(prefix="jwt-middleware-") as folder:
        server.set_app(service.protected(Path(folder), url, lifetime=lifetime, secure=not plain_cookies))
        click.echo(_BANNER.format(url=url, user=service.USER, password=service.PASSWORD, lifetime=lifetime))
        if opens:
            click.launch(url)
        server.serve_forever()


def _server(port: int) -> _Server:
    try:
        return _Server((_HOST, port), _Handler)
    except OSError as error:
        reason = f"Cannot listen on {_HOST}:{port}: {error.strerror}."
        raise click.ClickException(f"{reason} Choose another port: --port 8001") from None


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64  # a browser opens several connections at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away; wsgiref has told of anything else."""


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Leave the terminal to the middleware's log."""
