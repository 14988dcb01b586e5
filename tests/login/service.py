"""A service that people sign in to, in both worlds and on both stores."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.servers import Server, binary
from tests.worlds import Answer, Clock, World

ISSUER, AUDIENCE = "https://shop.example", "https://api.shop.example"
PEOPLE = {
    "ada": ("correct horse", ("7", {"name": "Ada", "roles": ["admin"], "scope": "read write"})),
    "bob": ("battery staple", ("8", {"scope": "read"})),
}
_names = itertools.count()
UNHURRIED = {"login_attempts": "100000/minute"}  # but for the tests of slowing


def authenticate(username: str, password: str) -> Any:
    """Check a password as an app of its own would."""
    known = PEOPLE.get(username)
    return known[1] if known and known[0] == password else None


class Service:
    """A protected app with sign-in, as its clients use it."""

    def __init__(self, world: World, clock: Clock, settings: dict[str, Any]) -> None:
        self.world = world
        self.clock = clock
        self.settings = settings

    def post(self, path: str, *, headers: Any = (), **parameters: Any) -> Answer:
        """Send JSON."""
        body = json.dumps(parameters).encode() if parameters else b""
        return self.send("POST", path, body, [("Content-Type", "application/json"), *headers])

    def form(self, path: str, *, headers: Any = (), **parameters: str) -> Answer:
        """Send a form."""
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        return self.send("POST", path, urlencode(parameters).encode(), [kind, *headers])

    def send(self, method: str, path: str, body: bytes = b"", headers: Any = (), **request: Any) -> Answer:
        return self.world.request(path, method=method, body=body, headers=list(headers), **request)

    def sign_in(self, username: str = "ada", **more: Any) -> dict[str, Any]:
        """Sign in and return what the client got."""
        answer = self.post("/auth/token", username=username, password=PEOPLE[username][0], **more)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def refresh(self, token: str, **more: str) -> Answer:
        return self.post("/auth/refresh", refresh_token=token, **more)

    def get(self, token: str | None = None) -> Answer:
        """Ask the app."""
        return self.world.request("/orders", token=token)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server for all of them."""
    server = Server(binary("valkey-9"), tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.kill()


@pytest.fixture(params=["sqlite", "redis"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Settings of a fresh store of either kind."""
    if request.param == "sqlite":
        return {"store_url": f"sqlite:///{tmp_path}/store.db"}
    server: Server = request.getfixturevalue("redis_server")
    return {"store_url": server.url(), "store_prefix": f"login{next(_names)}", "store_timeout": 5}


@pytest.fixture
def serve_at(protect: Callable[..., World], clock: Clock) -> Callable[..., Service]:
    """Make a service on a store of the test's own: `serve_at("redis://…", refresh_grace=0)`."""

    def make(store_url: str, **settings: Any) -> Service:
        chosen = {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "authenticate": authenticate,
            "store_url": store_url,
        } | settings
        return Service(protect(**chosen), clock, chosen)

    return make


@pytest.fixture
def serve(serve_at: Callable[..., Service], store_settings: dict[str, Any]) -> Callable[..., Service]:
    """Make a service on either store: `serve(refresh_grace=0)`."""
    return lambda **settings: serve_at(**(store_settings | settings))


@pytest.fixture
def service(serve: Callable[..., Service]) -> Service:
    return serve()
