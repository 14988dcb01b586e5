"""Keys change under the feet of several workers, which sign and verify all the while: nobody is refused."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware.login.keyring import Keyring
from tests.servers_matrix.processes import APPS, Process, environment
from tests.servers_matrix.wire import Answer, bearer

AUDIENCE = "https://api.example"
PATIENCE = 60.0  # seconds, on a busy machine
ENOUGH = 60  # requests between two changes
SERVERS = {
    "gunicorn-2": ("gunicorn-gthread", ("-w", "2"), "raw_wsgi"),
    "gunicorn-preload-2": ("gunicorn-preload", ("-w", "2"), "raw_wsgi"),
    "uvicorn-2": ("uvicorn-h11", ("--workers", "2"), "raw_asgi"),
    "granian-asgi-2": ("granian-asgi", ("--workers", "2"), "raw_asgi"),
}
CASES = [
    pytest.param(name, algorithm, id=f"{name}-{algorithm}", marks=() if name in fast else pytest.mark.long)
    for algorithm, fast in (("ES256", ("gunicorn-2", "uvicorn-2")), ("HS256", ()))
    for name in SERVERS
]


def kid(token: str) -> str:
    found: str = json.loads(urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]
    return found


class Traffic:
    """Clients that ask any worker for a token, and use it at any worker at once."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._stop = threading.Event()
        self.asked = 0
        self.refused: list[Answer] = []
        self.signers: dict[str, set[int]] = {}
        self.held: dict[int, str] = {}
        self.faults: list[BaseException] = []

    def issued(self) -> tuple[str, int]:
        """Return a token, and the worker that signed it."""
        answer = self._process.ask("GET", "/token").json()
        return answer["token"], answer["pid"]

    def run(self) -> None:
        try:
            while not self._stop.is_set():
                token, worker = self.issued()
                self.held[threading.get_ident()] = kid(token)
                self.signers.setdefault(kid(token), set()).add(worker)
                for _ in range(3):
                    answer = self._process.ask("GET", "/me", bearer(token))
                    self.asked += 1
                    if answer.status != 200:
                        self.refused.append(answer)
        except BaseException as fault:
            self.faults.append(fault)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.run) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(PATIENCE)

    def wait(self, until: Callable[[], object]) -> None:
        """Let some requests pass, and go on until something holds."""
        end, enough = time.monotonic() + PATIENCE, self.asked + ENOUGH
        while self.asked < enough or not until():
            assert time.monotonic() < end, (self.asked, self.signers, self.faults)
            time.sleep(0.01)


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


def serve(launch: Callable[..., Process], name: str, ring: Keyring, **settings: str) -> Process:
    server, options, app = SERVERS[name]
    process = launch(server, *options)
    env = environment(
        JWT_SECRET_KEY=None, JWT_KEYS_DIR=str(ring.folder), JWT_AUDIENCE=AUDIENCE,
        JWT_EXEMPT_PATHS="/public,/token", JWT_APP=f"{APPS}:{app}_app", **settings,
    )  # fmt: skip
    return process.serve(f"jwt_middleware.{process.kind.world}:app", env)


@pytest.mark.parametrize(("name", "algorithm"), CASES)
def test_nobody_is_refused_while_the_keys_change(
    launch: Callable[..., Process], ring: Keyring, name: str, algorithm: str
) -> None:
    """Five rotations, two of them emergencies, then the retirement of all old keys: each token passes everywhere."""
    ring.new(algorithm)
    process = serve(launch, name, ring)
    traffic = Traffic(process)
    with traffic.flowing():
        traffic.wait(lambda: len(set().union(*traffic.signers.values())) == 2)
        for emergency in (False, True, False, True, False):
            if not emergency:
                waiting, signs = ring.rotate()
                assert not signs
                traffic.wait(lambda: True)
                assert waiting.kid not in traffic.signers
            file, signs = ring.rotate(publish_seconds=0, now=emergency)
            assert signs
            traffic.wait(lambda kid=file.kid: len(traffic.signers.get(kid, ())) == 2)  # type: ignore[misc]
        traffic.wait(lambda: set(traffic.held.values()) == {file.kid})
        assert len(ring.retire(-10_000)) == 5  # as if that time had passed
        traffic.wait(lambda: True)
    assert traffic.faults == []
    assert [answer.body for answer in traffic.refused] == []
    assert traffic.asked >= 9 * ENOUGH
    assert len(traffic.signers) == 6
    assert len(set().union(*traffic.signers.values())) == 2, "the workers are the ones that were there at the start"
    assert process.stderr().count("ERROR") == 0


@pytest.mark.parametrize("name", ["gunicorn-2", "uvicorn-2"])
def test_a_stolen_key_is_refused_everywhere(launch: Callable[..., Process], ring: Keyring, name: str) -> None:
    """Once it is removed, no worker takes its tokens, though both had them in memory."""
    ring.new()
    (stolen,) = ring.entries()
    process = serve(launch, name, ring, JWT_CACHE_SECONDS="2")
    traffic = Traffic(process)
    token, _ = traffic.issued()

    def ask() -> Any:
        answer = process.ask("GET", "/me", bearer(token))
        return answer.json()["pid"] if answer.status == 200 else answer.verdict

    seen: set[Any] = set()
    end = time.monotonic() + PATIENCE
    while len(seen) < 2:
        seen.add(ask())
        assert time.monotonic() < end, seen
    ring.rotate(now=True)
    assert ask() in seen
    ring.remove(stolen.file.kid)
    refused = 0
    while refused < 30:
        refused = refused + 1 if ask() == (401, "invalid_token") else 0
        assert time.monotonic() < end
    good, _ = traffic.issued()
    assert process.ask("GET", "/me", bearer(good)).status == 200
    assert kid(good) != stolen.file.kid
    assert f"kid='{stolen.file.kid}'" in process.stderr()
    assert token not in process.output()


def test_an_unusable_key_stops_no_worker(launch: Callable[..., Process], ring: Keyring) -> None:
    """A file half copied: the old keys stay, the log says so once in each worker, and the whole file is taken."""
    ring.new()
    process = serve(launch, "gunicorn-2", ring)
    traffic = Traffic(process)
    whole = Keyring(ring.folder.with_name("elsewhere")).new()[0].path.read_bytes()
    with traffic.flowing():
        traffic.wait(lambda: len(set().union(*traffic.signers.values())) == 2)
        (ring.folder / "z.pem").write_bytes(whole[:50])
        traffic.wait(lambda: process.stderr().count("the old ones stay in force") >= 2)
        (ring.folder / "z.pem").write_bytes(whole)
        traffic.wait(lambda: len(traffic.signers.get("z", ())) == 2)
    assert traffic.faults == []
    assert traffic.refused == []
    assert "PRIVATE" not in process.output()
