"""Refreshing and signing in: what one core does in a second, beside signing a token and nothing else."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.material import Keys
from benchmarks.measure import Row, in_turn
from jwt_middleware import wsgi
from jwt_middleware.login.passwords import Passwords
from tests.servers import BINARIES, Server

COUNT = 100


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(str(BINARIES["valkey-9"]()), Path(folder)).start()
        try:
            for algorithm in ("HS256", "ES256"):
                for store, url in (("SQLite", f"sqlite:///{folder}/{algorithm}.db"), ("Valkey", server.url())):
                    yield from _rows(algorithm, store, url)
        finally:
            server.kill()
    yield _hashing()


def _rows(algorithm: str, store: str, url: str) -> Iterator[Row]:
    keys = Keys(algorithm)
    settings = {"store_url": url, "store_timeout": 5}
    auth = keys.auth(authenticate=lambda name, _: name, login_attempts="1000000/minute", **settings)
    app = wsgi.JWTMiddleware(lambda environ, start: [], auth=auth)
    sign_in = partial(_post, app, "/auth/token", username="ada", password="x")
    tokens = {"refresh_token": sign_in()["refresh_token"]}

    def refresh() -> None:
        tokens["refresh_token"] = _post(app, "/auth/refresh", **tokens)["refresh_token"]

    issue = partial(auth.issue, "ada", claims={"sid": "x" * 22, "auth_time": 1})
    calls: dict[str, Callable[[], Any]] = {"refresh": refresh, "sign in, hashing apart": sign_in}
    for what, call in calls.items():
        ours, alone = in_turn([partial(_each, call), partial(_each, issue)], rounds=10)
        figure = 1e6 / min(ours)
        yield Row(f"{what}, {algorithm}, {store}", figure, "a second", f"auth.issue alone {1e6 / min(alone):.0f}")


def _each(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    for _ in range(COUNT):
        call()
    return (time.perf_counter() - began) / COUNT * 1e6


def _hashing() -> Row:
    passwords = Passwords()
    stored = passwords.hash("correct horse")
    took = min(in_turn([lambda: _timed(lambda: passwords.matches(stored, "correct horse"))], rounds=10)[0])
    return Row("argon2id, one comparison", took / 1000, "ms", "")


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e6


def _post(app: Any, path: str, **parameters: str) -> Any:
    body = json.dumps(parameters).encode()
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", "HTTP_HOST": "localhost",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1",
    }  # fmt: skip
    return json.loads(b"".join(app(environ, lambda status, headers: None)))
