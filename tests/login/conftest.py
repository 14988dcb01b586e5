"""Users and clients in real files, with hashes so cheap that a test can afford many."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware.login import clients, users
from jwt_middleware.login.passwords import Passwords
from jwt_middleware.login.records import RecordsFile
from jwt_middleware.settings import Settings
from tests.login.service import redis_server, serve, serve_at, service, store_settings
from tests.truth.conftest import Loop, Threads, World

__all__ = ["redis_server", "serve", "serve_at", "service", "store_settings"]  # fixtures

CHEAP = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}
PASSWORD = "correct horse battery staple"
HASH = Passwords(**CHEAP).hash(PASSWORD)


class Counting(Passwords):
    """Real hashing that counts, and may be told to wait."""

    def __init__(self, **cost: int) -> None:
        super().__init__(**(cost or CHEAP))
        self.compared: list[str] = []
        self.made = 0
        self.before: Callable[[], Any] = lambda: None

    def matches(self, stored: str, password: str) -> bool:
        self.compared.append(stored)
        self.before()
        return super().matches(stored, password)

    def hash(self, password: str) -> str:
        self.made += 1
        return super().hash(password)


@pytest.fixture(params=[Threads, Loop], ids=["blocking", "async"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Give either world."""
    world = request.param()
    yield world
    world.close()


@pytest.fixture
def passwords() -> Counting:
    """Give cheap hashing."""
    return Counting()


def write(path: Path, document: object) -> Path:
    """Write a file as its owner would, in place."""
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(0o600)
    return path


class Staff:
    """A users file and what asks it, in one world."""

    def __init__(self, path: Path, world: World, passwords: Passwords, settings: Settings) -> None:
        self.path = path
        self.world = world
        self.file = RecordsFile(path, users.kind(settings))
        self.users = users.UsersFile(self.file, passwords, world.make_io(None, 1))

    def sign_in(self, name: str, password: str = PASSWORD) -> users.Account | None:
        return self.world.run(self.users.authenticate(name, password))

    def current(self, subject: str) -> users.Account | None:
        return self.world.run(self.users.current(users.Account(subject)))

    def stored(self) -> dict[str, Any]:
        return json.loads(self.path.read_text())["users"]


@pytest.fixture
def staff(tmp_path: Path, world: World, passwords: Counting) -> Callable[..., Staff]:
    """Make a users file: `staff(ada={"scopes": ["read"]})`; the password is added."""

    def make(settings: Settings | None = None, **members: dict[str, Any]) -> Staff:
        document = {"users": {name: {"password": HASH} | record for name, record in members.items()}}
        return Staff(write(tmp_path / "users.json", document), world, passwords, settings or Settings())

    return make


@pytest.fixture
def machines(tmp_path: Path, world: World, passwords: Counting) -> Callable[..., clients.ClientsFile]:
    """Make a clients file; the secret is added."""

    def make(**members: dict[str, Any]) -> clients.ClientsFile:
        document = {"clients": {name: {"secret": HASH} | record for name, record in members.items()}}
        file = RecordsFile(write(tmp_path / "clients.json", document), clients.KIND)
        return clients.ClientsFile(file, passwords, world.make_io(None, 1))

    return make
