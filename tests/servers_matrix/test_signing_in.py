"""Signing in and out on real servers with several workers, on either kind of store: one session, whoever answers."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.servers_matrix.processes import APPS, Process, environment
from tests.servers_matrix.test_revocation import new_prefix, store_url, valkey

__all__ = ["store_url", "valkey"]

SERVERS = {
    "gunicorn-gthread-3": ("gunicorn-gthread", ("-w", "3"), "flask"),
    "gunicorn-preload-3": ("gunicorn-preload", ("-w", "3"), "flask"),
    "uvicorn-2": ("uvicorn-httptools", ("--workers", "2"), "fastapi"),
    "granian-asgi-2": ("granian-asgi", ("--workers", "2"), "raw_asgi"),
    "hypercorn-2": ("hypercorn", ("--workers", "2"), "starlette"),
    "granian-wsgi-2": ("granian-wsgi", ("--workers", "2"), "raw_wsgi"),
    "waitress": ("waitress", (), "flask"),
    "uvicorn-h11": ("uvicorn-h11", (), "django_asgi"),
    "gunicorn-sync": ("gunicorn-sync", ("-w", "2"), "django_wsgi"),
    "daphne": ("daphne", (), "starlette"),
}
SHORT = {("gunicorn-preload-3", "sqlite"), ("uvicorn-2", "valkey")}


def authenticate(username: str, password: str) -> Any:
    """Know one user."""
    return ("7", {"scope": "read write"}) if (username, password) == ("ada", "correct horse") else None


class Client:
    """Speaks JSON with a server, a fresh connection each time."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text[:1] == b"{" else text

    def sign_in(self) -> dict[str, Any]:
        status, got = self.ask("POST", "/auth/token", {"username": "ada", "password": "correct horse"})
        assert status == 200, got
        return dict(got)

    def refresh(self, token: str) -> tuple[int, Any]:
        return self.ask("POST", "/auth/refresh", {"refresh_token": token})


@pytest.fixture(
    params=[
        pytest.param((name, store), id=f"{name}-{store}", marks=() if (name, store) in SHORT else pytest.mark.long)
        for name in SERVERS
        for store in ("sqlite", "valkey")
    ]
)
def client(request: pytest.FixtureRequest, tmp_path: Path, store_url: Callable[[str], str]) -> Any:
    """Serve an app with sign-in, and give a client of it."""
    name, store = request.param
    kind, extra, app = SERVERS[name]
    process = Process(kind, tmp_path, extra)
    env = environment(
        JWT_STORE_URL=store_url(store), JWT_STORE_PREFIX=new_prefix(), JWT_STORE_TIMEOUT="10s",
        JWT_AUTHENTICATE="tests.servers_matrix.test_signing_in:authenticate", JWT_LOGIN_ATTEMPTS="1000/minute",
        JWT_ISSUER="https://shop.example", JWT_AUDIENCE="shop", JWT_APP=f"{APPS}:{app}_app",
    )  # fmt: skip
    process.serve(f"jwt_middleware.{process.kind.world}:app", env)
    yield Client(process.port)
    process.stop()


def test_a_session_is_one_in_all_workers(client: Client) -> None:
    """Fifty parallel refreshes in several processes give one refresh token; logging out ends it for all of them."""
    got = client.sign_in()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: client.refresh(got["refresh_token"]), range(50)))
    assert Counter(status for status, _ in answers) == {200: 50}
    (token,) = {body["refresh_token"] for _, body in answers}
    assert token != got["refresh_token"]
    access = [body["access_token"] for _, body in answers]
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda each: client.ask("GET", "/me", token=each)[0], access)) <= {200, 404}
    assert client.ask("POST", "/auth/logout", {"refresh_token": token}) == (204, b"")
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda each: client.ask("GET", "/me", token=each)[0], access)) == {401}
    assert client.refresh(token)[0] == 401


def test_a_race_of_logout_and_refresh_is_won_by_logout(client: Client) -> None:
    """Whatever a refresh got meanwhile is dead afterwards."""
    got = client.sign_in()
    token = got["refresh_token"]

    def either(turn: int) -> tuple[int, Any]:
        return client.ask("POST", "/auth/logout", {"refresh_token": token}) if turn == 8 else client.refresh(token)

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(either, range(16)))
    assert answers[8][0] == 204
    for status, body in answers[:8] + answers[9:]:
        assert status in (200, 401)
        if status == 200:
            assert client.refresh(body["refresh_token"])[0] == 401
            assert client.ask("GET", "/me", token=body["access_token"])[0] == 401
