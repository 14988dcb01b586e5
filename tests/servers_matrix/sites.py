"""The pairs of server and app, and the one running process that the stories of a pair share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers_matrix.processes import APPS, FRAMEWORKS, KINDS, Process, environment
from tests.servers_matrix.wire import Wire

# Every server with one app, every app with some server; the other pairs belong to the long suite.
CORE = frozenset({
    ("uvicorn-h11", "raw_asgi"),
    ("uvicorn-httptools", "starlette"),
    ("hypercorn", "fastapi"),
    ("granian-asgi", "starlette"),
    ("daphne", "django_asgi"),
    ("gunicorn-sync", "flask"),
    ("gunicorn-gthread", "django_wsgi"),
    ("gunicorn-preload", "flask"),
    ("waitress", "flask"),
    ("granian-wsgi", "raw_wsgi"),
})  # fmt: skip
# In force on every site, beside `/public` and `/open/**`, which JWT_EXEMPT_PATHS names, and JWT_OPTIONAL_PATHS.
OPTIONAL = "/maybe,/perhaps/**"
RULES = """
[[rule]]
path = ["/health", "/static/**"]
exempt = true

[[rule]]
path = "/feed"
optional = true
scopes = "feed"

[[rule]]
path = "/scoped/**"
scopes = "write"

[[rule]]
path = "/admin/help"
authenticated = true

[[rule]]
path = "/admin/**"
roles = "admin"

[[rule]]
path = "/items/*"
methods = "GET"
exempt = true

[[rule]]
path = "/items/**"
methods = ["POST", "DELETE"]
roles = "editor"

[[rule]]
path = "/lobby"
websocket = true
exempt = true

[[rule]]
path = "/live/**"
websocket = true
scopes = "live"
"""


class Site:
    """A running server with a wrapped app.

    Attributes:
        server: the server's name in `KINDS`.
        app: the app's name in `apps.py`.
        world: `asgi` or `wsgi`.
        gates: the folder where the apps look for the files that let their second chunk go.
    """

    def __init__(self, server: str, app: str, folder: Path) -> None:
        self.server, self.app, self.world, self.gates = server, app, KINDS[server].world, folder
        self.process = Process(server, folder)
        self.ask, self.knock = self.process.ask, self.process.knock

    def start(self) -> Site:
        """Serve the app, wrapped by `JWT_APP`."""
        rules = self.gates / "rules.toml"
        rules.write_text(RULES)
        env = environment(
            JWT_APP=f"{APPS}:{self.app}_app",
            JWT_OPTIONAL_PATHS=OPTIONAL,
            JWT_RULES_FILE=str(rules),
            MATRIX_GATES=str(self.gates),
        )
        self.process.serve(f"jwt_middleware.{self.world}:app", env)
        return self

    @property
    def port(self) -> int:
        """The loopback port it listens on."""
        return self.process.port

    def wire(self, *, may_fail: bool = False) -> Wire:
        """Open a connection to it."""
        return Wire(self.port, may_fail=may_fail)


def pairs(
    world: str | None = None,
    *,
    without: tuple[str, ...] = (),
    servers: tuple[str, ...] = tuple(KINDS),
    short: frozenset[tuple[str, str]] = CORE,
) -> pytest.MarkDecorator:
    """Tell a story of every (server, app), of one world or of both, without the apps named; of `short` in every run."""
    wanted = [
        pytest.param((server, app), id=f"{server}-{app}", marks=() if (server, app) in short else pytest.mark.long)
        for server, kind in KINDS.items()
        if server in servers and world in (None, kind.world)
        for app in FRAMEWORKS[kind.world]
        if app not in without
    ]
    return pytest.mark.parametrize("site", wanted, indirect=True)


def parsers(world: str | None = None, **options: Any) -> pytest.MarkDecorator:
    """Tell a story that depends on how a server reads requests: in every run once for each way to read them."""
    return pairs(world, short=CORE - {("gunicorn-preload", "flask")}, **options)


class Keeper:
    """Keeps one site running until another one is asked for."""

    def __init__(self, make_folder: Callable[[str], Path]) -> None:
        self._make_folder = make_folder
        self._site: Site | None = None
        self._broken: set[tuple[str, str]] = set()

    def site(self, server: str, app: str) -> Site:
        """Return the running site, started if need be."""
        if self._site is None or (self._site.server, self._site.app) != (server, app):
            self.close()
            self._site = self._started(server, app)
        return self._site

    def _started(self, server: str, app: str) -> Site:
        if (server, app) in self._broken:
            pytest.fail(f"{server} did not serve {app} before either")
        self._broken.add((server, app))
        site = Site(server, app, self._make_folder(f"{server}-{app}"))
        try:
            site.start()
        except BaseException:
            site.process.stop()
            raise
        self._broken.remove((server, app))
        return site

    def close(self) -> None:
        """End what runs."""
        if self._site is not None:
            self._site.process.stop()
            self._site = None
