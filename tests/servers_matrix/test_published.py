"""`/.well-known/jwks.json` as every server sends it: whole, and without a body where there is none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from jwt_middleware.login.keyring import Keyring
from tests.servers_matrix.processes import APPS, KINDS, Process, environment
from tests.servers_matrix.wire import Answer, Wire

PATH = "/.well-known/jwks.json"
SHORT = ("uvicorn-h11", "uvicorn-httptools", "gunicorn-sync", "waitress")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in SHORT else pytest.mark.long) for kind in KINDS]
)
def test_the_public_keys_over_the_wire(launch: Callable[..., Process], kind: str, tmp_path: Path) -> None:
    """GET, HEAD, 304 and 405 on one connection: each answer ends where it should, so the next one is not garbled."""
    ring = Keyring(tmp_path / "keys")
    ring.new()
    process = launch(kind)
    env = environment(
        JWT_SECRET_KEY=None, JWT_KEYS_DIR=str(ring.folder), JWT_AUDIENCE="https://api.example",
        JWT_APP=f"{APPS}:raw_{process.kind.world}_app",
    )  # fmt: skip
    process.serve(f"jwt_middleware.{process.kind.world}:app", env)
    whole = process.ask("GET", PATH)
    assert whole.status == 200
    assert [key["kid"] for key in whole.json()["keys"]] == [entry.file.kid for entry in ring.entries()]
    asked = [("HEAD", ()), ("GET", [("If-None-Match", whole.header("ETag"))]), ("DELETE", ()), ("GET", ())]
    answers: list[Answer] = []
    with ExitStack() as connections:
        for method, headers in asked:
            if not answers or answers[-1].header("Connection").lower() == "close":  # after each, or after a 304
                wire = connections.enter_context(Wire(process.port))
            answers.append(wire.ask(method, PATH, headers))
    assert [answer.status for answer in answers] == [200, 304, 405, 200]
    assert [answer.body for answer in answers[:2]] == [b"", b""]
    assert answers[3].body == whole.body
    for answer in (whole, *answers[:2], answers[3]):
        assert answer.header("ETag") == whole.header("ETag")
        assert answer.header("Cache-Control") == "public, max-age=900"
    assert answers[2].header("Allow") == "GET, HEAD"
