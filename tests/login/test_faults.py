"""The store fails while people sign in and out: 503 at every endpoint, cookies kept, and nothing half done."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.login.service import Service
from tests.login.test_cookies import OURS, Browser, set_cookies
from tests.servers import Server, binary, eventually


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Server]:
    """A server that a test may hurt."""
    server = Server(binary("valkey-9"), tmp_path).start()
    yield server
    server.kill()


@contextmanager
def down(server: Server) -> Iterator[None]:
    """Nobody listens."""
    server.kill()
    yield
    server.start()


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """It accepts connections and answers nothing."""
    server.signal(signal.SIGSTOP)
    yield
    server.signal(signal.SIGCONT)


@contextmanager
def demoted(server: Server) -> Iterator[None]:
    """It became a replica of another that is away."""
    server.admin("REPLICAOF", "127.0.0.1", "1")
    yield
    server.admin("REPLICAOF", "NO", "ONE")


@contextmanager
def full(server: Server) -> Iterator[None]:
    """Its memory is used up; reads answer, writes do not."""
    server.admin("CONFIG", "SET", "maxmemory", "1")
    yield
    server.admin("CONFIG", "SET", "maxmemory", "0")


FAULTS = [down, frozen, demoted, full]
CALLS: dict[str, Callable[[Service, dict[str, Any]], Any]] = {
    "sign-in": lambda service, got: service.post("/auth/token", username="ada", password="correct horse"),
    "refresh": lambda service, got: service.refresh(got["refresh_token"]),
    "logout": lambda service, got: service.post("/auth/logout", refresh_token=got["refresh_token"]),
    "logout-by-access": lambda service, got: service.send("POST", "/auth/logout", token=got["access_token"]),
    "everywhere": lambda service, got: service.send("POST", "/auth/logout-everywhere", token=got["access_token"]),
    "revoke": lambda service, got: service.form("/auth/revoke", token=got["refresh_token"]),
    "revoke-access": lambda service, got: service.form("/auth/revoke", token=got["access_token"]),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_endpoint_says_503_and_nothing_is_half_done(
    serve_at: Callable[..., Service], fragile: Server, fault: Any
) -> None:
    """Afterwards the same refresh token works, its session is the only one, and its access token opens the app."""
    service = serve_at(fragile.url(), store_prefix="faults", store_timeout=0.4, token_location="headers")
    got = service.sign_in()
    with fault(fragile):
        for name, call in CALLS.items():
            answer = call(service, got)
            assert (name, answer.status, answer.error) == (name, 503, "temporarily_unavailable")
            assert answer.header("Retry-After") == "1"
    assert eventually(lambda: service.get(got["access_token"]).passed)
    sessions = json.loads(service.send("GET", "/auth/sessions", token=got["access_token"]).body)["sessions"]
    # A frozen server may still do what it was sent; of such a session nobody ever got a token.
    assert len(sessions) == 1 or fault is frozen
    assert service.refresh(got["refresh_token"]).status == 200


@pytest.mark.parametrize("fault", [down, full], ids=lambda fault: fault.__name__)
def test_the_browser_keeps_its_cookies(serve_at: Callable[..., Service], fragile: Server, fault: Any) -> None:
    """A logout that did not happen must not look like one."""
    browser = Browser(serve_at(fragile.url(), store_prefix="faults", store_timeout=0.4, token_location="cookies"))
    browser.sign_in("ada", OURS)
    with fault(fragile):
        for path in ("/auth/refresh", "/auth/logout"):
            answer = browser.send("POST", path, OURS)
            assert (answer.status, set_cookies(answer)) == (503, [])
    assert eventually(lambda: browser.send("POST", "/auth/logout", OURS).status == 204)


@pytest.mark.parametrize("name", CALLS)
def test_a_locked_sqlite_file_is_503_and_changes_nothing(
    serve_at: Callable[..., Service], tmp_path: Path, name: str
) -> None:
    """Another program holds the write lock for longer than JWT_STORE_TIMEOUT."""
    file = tmp_path / "locked.db"
    service = serve_at(f"sqlite:///{file}", store_timeout=0.1)
    got = service.sign_in()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert CALLS[name](service, got).status == 503
    other.execute("ROLLBACK")
    other.close()
    assert service.refresh(got["refresh_token"]).status == 200


@pytest.mark.parametrize("name", CALLS)
def test_a_removed_sqlite_file_is_503(serve_at: Callable[..., Service], tmp_path: Path, name: str) -> None:
    """A new, empty file would know of no session that was ended."""
    file = tmp_path / "gone.db"
    service = serve_at(f"sqlite:///{file}")
    got = service.sign_in()
    for each in tmp_path.glob("gone.db*"):
        each.unlink()
    assert CALLS[name](service, got).status == 503


def test_nothing_in_the_store_can_be_used_as_a_token(
    service: Service, store_settings: dict[str, Any], request: Any
) -> None:
    """Who reads the whole store can neither refresh nor call."""
    service.refresh(service.sign_in()["refresh_token"])
    if store_settings["store_url"].startswith("sqlite"):
        with sqlite3.connect(store_settings["store_url"].removeprefix("sqlite:///")) as connection:
            dump = [str(value) for row in connection.execute("SELECT * FROM sessions") for value in row]
    else:
        server: Server = request.getfixturevalue("redis_server")
        keys = server.admin("KEYS", f"{{{store_settings['store_prefix']}}}:session:*")
        dump = [value.decode() for key in keys for value in server.admin("HGETALL", key)] + [k.decode() for k in keys]
    assert len(dump) > 10
    for text in dump:
        assert service.refresh(text).status in (400, 401)
        assert service.refresh(f"rt1.{text}").status == 401
        assert not service.get(text).passed
