"""One server process per (server, app), shared by the stories told of it, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers_matrix.processes import Process
from tests.servers_matrix.sites import Keeper, Site

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell all stories of one server and app together, so that it starts once."""
    places = [place for place, item in enumerate(items) if item.path.parent == HERE]
    ours = sorted((items[place] for place in places), key=_pair)
    for place, item in zip(places, ours, strict=True):
        items[place] = item


def _pair(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return "-".join(callspec.params["site"]) if callspec and "site" in callspec.params else "~"


@pytest.fixture(scope="session")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    """Own the process behind `site`."""
    keeper = Keeper(tmp_path_factory.mktemp)
    yield keeper
    keeper.close()


@pytest.fixture
def site(request: pytest.FixtureRequest, keeper: Keeper) -> Site:
    """Give a running server with a wrapped app."""
    return keeper.site(*request.param)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Make server processes of a test's own; they end with it."""
    made: list[Process] = []

    def make(kind: str, *extra: str) -> Process:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Process(kind, folder, extra))
        return made[-1]

    yield make
    for process in made:
        process.stop()
