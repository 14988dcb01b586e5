"""Both worlds and every store, so that each story is told for all of them."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware.truth import line
from jwt_middleware.truth._async import AsyncIO
from jwt_middleware.truth._blocking import BlockingIO
from jwt_middleware.truth.io import IO, run
from jwt_middleware.truth.redis import RedisStore
from jwt_middleware.truth.redis_sessions import RedisSessions
from jwt_middleware.truth.sessions import SessionStore
from jwt_middleware.truth.sqlite import SQLiteStore
from jwt_middleware.truth.sqlite_sessions import SQLiteSessions
from jwt_middleware.truth.store import Store
from tests.servers import BINARIES, Server, binary

TIMEOUT = 0.4
LATEST = 3 * TIMEOUT + 1.0  # a bounded operation ends by then, however busy this machine is
_names = itertools.count()


class Threads:
    """The world of WSGI: coroutines driven without an event loop, concurrency by threads."""

    make_io = BlockingIO

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return run(coroutine)

    def together(self, calls: list[Callable[[], Coroutine[Any, Any, Any]]]) -> list[Any]:
        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(lambda call: run(call()), calls))

    def close(self) -> None:
        pass


class Loop:
    """The world of ASGI: one event loop for the test, concurrency by tasks."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._ports: list[AsyncIO] = []

    def make_io(self, url: str | None, timeout: float) -> AsyncIO:
        """Make a port that lives as long as the loop, as it does in a server."""
        self._ports.append(AsyncIO(url, timeout))
        return self._ports[-1]

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(coroutine)

    def together(self, calls: list[Callable[[], Coroutine[Any, Any, Any]]]) -> list[Any]:
        async def gathered() -> list[Any]:
            return await asyncio.gather(*(call() for call in calls))

        return self.run(gathered())

    def close(self) -> None:
        self._runner.close()


World = Threads | Loop


@pytest.fixture(params=[Threads, Loop], ids=["blocking", "async"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    world = request.param()
    yield world
    world.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Give one healthy server of each kind, shared by the tests that do not hurt it."""
    started: dict[str, Server] = {}

    def get(name: str) -> Server:
        if name not in started:
            started[name] = Server(binary(name), tmp_path_factory.mktemp(name)).start()
        return started[name]

    yield get
    for server in started.values():
        server.kill()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers a test may hurt."""
    started: list[Server] = []

    def start(name: str, *options: str) -> Server:
        directory = tmp_path / f"server-{len(started)}"
        directory.mkdir()
        started.append(Server(binary(name), directory, options).start())
        return started[-1]

    yield start
    for server in started:
        server.kill()


class SQLiteShelf:
    """A SQLite file to make stores on, with a back door for the test."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.settings = {"store_url": f"sqlite:///{path}"}

    def store(self, world: World, max_lifetime: float | None = None, timeout: float = 10.0) -> Store:
        return SQLiteStore(world.make_io(None, timeout), self._path, timeout, max_lifetime, time.time)

    def sessions(self, world: World, service: str = "-") -> SessionStore:
        return SQLiteSessions(SQLiteStore(world.make_io(None, 10.0), self._path, 10.0, None), service)

    def plant(self, marks: Mapping[str, float]) -> None:
        with sqlite3.connect(self._path) as connection:
            connection.executemany("INSERT INTO marks VALUES (?, ?)", marks.items())

    def plant_count(self, name: str, window: int, previous: int, current: int) -> None:
        with sqlite3.connect(self._path) as connection:
            row = (name, window, previous, current, time.time() + 1e6)
            connection.execute("INSERT INTO counts VALUES (?, ?, ?, ?, ?)", row)

    def count(self) -> int:
        with sqlite3.connect(self._path) as connection:
            return int(connection.execute("SELECT count(*) FROM marks").fetchone()[0])

    def names(self) -> list[str]:
        """Return the names of what is counted."""
        with sqlite3.connect(self._path) as connection:
            return [str(name) for (name,) in connection.execute("SELECT name FROM counts")]


class RedisShelf:
    """A key on a Redis-protocol server to make stores on, with a back door for the test."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.prefix = f"test{next(_names)}"
        self._key = f"{{{self.prefix}}}:revoked"
        self._counts = f"{{{self.prefix}}}:n:"
        self.settings = {"store_url": server.url(), "store_prefix": self.prefix}

    def io(self, world: World) -> IO:
        return world.make_io(self._server.url(), 10.0)

    def store(self, world: World, max_lifetime: float | None = None) -> Store:
        return RedisStore(self.io(world), self.prefix, max_lifetime)

    def sessions(self, world: World, service: str = "-") -> SessionStore:
        return RedisSessions(self.io(world), self.prefix, service)

    def plant(self, marks: Mapping[str, float]) -> None:
        self._server.admin("ZADD", self._key, *(part for item, mark in marks.items() for part in (mark, item)))

    def plant_count(self, name: str, window: int, previous: int, current: int) -> None:
        self._server.admin("SET", self._counts + name, f"{window} {previous} {current}")

    def count(self) -> int:
        return int(self._server.admin("ZCARD", self._key))

    def names(self) -> list[str]:
        """Return the names of what is counted."""
        return [key.decode().removeprefix(self._counts) for key in self._server.admin("KEYS", f"{self._counts}*")]


@pytest.fixture(params=["sqlite", *BINARIES])
def shelf(request: pytest.FixtureRequest, running: Callable[[str], Server], tmp_path: Path) -> SQLiteShelf | RedisShelf:
    """Give a place for marks of each kind."""
    if request.param == "sqlite":
        return SQLiteShelf(tmp_path / "marks.db")
    return RedisShelf(running(request.param))


@pytest.fixture
def store(shelf: SQLiteShelf | RedisShelf, world: World) -> Store:
    return shelf.store(world)


@pytest.fixture
def sessions(shelf: SQLiteShelf | RedisShelf, world: World) -> SessionStore:
    return shelf.sessions(world)


@pytest.fixture(autouse=True)
def _each_test_is_a_new_process() -> None:
    """Let the warning that is given once per process be given in every test that waits for it."""
    line._warn_of_forgetting.cache_clear()
