"""Every behaviour is checked through both adapters: `protect` makes the same gate in either world."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jwt_middleware.token import keychain
from tests.worlds import SECRET, WORLDS, Clock, World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse ids that hold the time: workers that collect in different seconds would not agree on them."""
    now = time.time()
    for item in items:
        if any(abs(float(number) - now) < 86_400 for number in re.findall(r"\d{10}", item.nodeid)):
            raise pytest.UsageError(f"the id of {item.nodeid} holds the time: give its parameters ids")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees settings of the machine it runs on."""
    for name in [name for name in os.environ if name.startswith("JWT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The monotonic clock by which the key ring looks at its files: the test decides when a second has passed."""
    made = Clock(1000.0)
    monkeypatch.setattr(keychain, "monotonic", made)
    return made


@pytest.fixture(params=WORLDS, ids=lambda world: world.name)
def protect(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Callable[..., World]]:
    """Make a protected app: `protect(issuer=…)`, with a secret and the test's clock unless told otherwise."""
    made: list[World] = []

    def make(**settings: Any) -> World:
        keys = {"secret_key", "private_key", "public_key", "keys_dir", "jwks_file", "auth"}
        if not keys & settings.keys():
            settings["secret_key"] = SECRET
        if "auth" not in settings:
            settings.setdefault("clock", clock)
        world = request.param(**settings)
        made.append(world)
        return world

    yield make
    for world in made:
        if world.name == "asgi":
            world.runner.close()
