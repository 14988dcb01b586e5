"""A server must not serve with settings that do not fit: it ends, or answers nothing but 503; and it says why."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest

from tests.servers import eventually
from tests.servers_matrix.processes import APPS, KINDS, START_SECONDS, Process, environment
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import bearer

TOO_SHORT = "Sh0rt-and-never-shown"
SERVED = "tests.servers_matrix.served:app"
TWO = ("--workers", "2")
long = pytest.mark.long


def watch_end(process: Process, app: str, env: Mapping[str, str]) -> int:
    """Start a server that should not serve, ask it all the time, and return its exit code."""
    process.launch(app, env)
    until = time.monotonic() + START_SECONDS
    while (code := process.code()) is None:
        with suppress(OSError, ConnectionError):
            assert process.ask("GET", "/public", may_fail=True).status == 503
        assert time.monotonic() < until, f"it goes on:\n{process.output()}"
        time.sleep(0.02)
    return code


def ends_well(kind: str, options: tuple[str, ...] = ()) -> bool:
    """Tell whether the exit code is 0 all the same: hypercorn's always, uvicorn's when its workers failed."""
    return kind == "hypercorn" or (kind.startswith("uvicorn") and options == TWO)


def assert_said(process: Process, name: str = "JWT_SECRET_KEY") -> None:
    """Check that the variable is named where an operator looks, and its value nowhere."""
    # granian writes its own log, in which a failed start-up stands, to stdout.
    text = process.output() if process.kind.module == "granian" else process.stderr()
    assert f"{name} is 21 bytes long" in text
    assert TOO_SHORT not in process.output()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *(pytest.param(kind, (), id=kind) for kind in KINDS),
        *(
            pytest.param(kind, TWO, id=f"{kind}-2", marks=long)
            for kind in ("uvicorn-h11", "hypercorn", "granian-asgi", "granian-wsgi")
        ),
    ],
)
def test_bad_settings_stop_it(launch: Callable[..., Process], kind: str, options: tuple[str, ...]) -> None:
    """Wrapped by `JWT_APP` with a secret that is too short, the server ends before it has served anybody."""
    process = launch(kind, *options)
    world = KINDS[kind].world
    env = environment(JWT_APP=f"{APPS}:raw_{world}_app", JWT_SECRET_KEY=TOO_SHORT)
    code = watch_end(process, f"jwt_middleware.{world}:app", env)
    assert (code == 0) == ends_well(kind, options)
    assert_said(process)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("uvicorn-h11", (), id="uvicorn-h11"),
        pytest.param("uvicorn-httptools", ("--lifespan", "on"), id="uvicorn-httptools-on"),
        pytest.param("hypercorn", (), id="hypercorn"),
        pytest.param("granian-asgi", (), id="granian-asgi"),
        pytest.param("uvicorn-h11", TWO, id="uvicorn-h11-2", marks=long),
        pytest.param("hypercorn", TWO, id="hypercorn-2", marks=long),
        pytest.param("granian-asgi", TWO, id="granian-asgi-2", marks=long),
    ],
)
def test_bad_settings_inside_the_lifespan(launch: Callable[..., Process], kind: str, options: tuple[str, ...]) -> None:
    """Starlette builds added middleware while the server starts up: the start-up fails, and the server ends."""
    process = launch(kind, *options)
    code = watch_end(process, SERVED, environment(MATRIX_APP="wrapped_starlette_app", JWT_SECRET_KEY=TOO_SHORT))
    assert (code == 0) == ends_well(kind, options)
    assert_said(process)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("daphne", (), id="daphne"),
        pytest.param("uvicorn-h11", ("--lifespan", "off"), id="uvicorn-h11-off"),
    ],
)
def test_bad_settings_without_lifespan(launch: Callable[..., Process], kind: str, options: tuple[str, ...]) -> None:
    """Where a server asks nobody at start-up, everything is answered 503, exempt paths and WebSockets too."""
    process = launch(kind, *options)
    process.launch(SERVED, environment(MATRIX_APP="wrapped_starlette_app", JWT_SECRET_KEY=TOO_SHORT))
    answer = eventually(lambda: process.ask("GET", "/public", may_fail=True), START_SECONDS)
    assert answer.verdict == (503, "temporarily_unavailable")
    assert answer.header("Retry-After")
    for key in ("x" * 40, "\0" * 32):
        for method, path in (("GET", "/me"), ("POST", "/logout"), ("HEAD", "/public"), ("OPTIONS", "/nowhere")):
            assert process.ask(method, path, bearer(token(key=key)), may_fail=True).status == 503
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
    upgrade += [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
    assert process.ask("GET", "/ws", upgrade, may_fail=True).status == (403 if kind == "daphne" else 503)
    assert process.code() is None
    assert_said(process)


@pytest.mark.parametrize("kind", KINDS)
def test_no_app(launch: Callable[..., Process], kind: str) -> None:
    """Asked for `jwt_middleware.asgi:app` without `JWT_APP`, the server ends, and the error says what to set."""
    process = launch(kind)
    world = KINDS[kind].world
    assert (watch_end(process, f"jwt_middleware.{world}:app", environment()) == 0) == ends_well(kind)
    if kind == "hypercorn":  # it looks into the module's namespace and never asks the module for the name
        assert "Cannot load application from 'jwt_middleware.asgi:app'" in process.stderr()
    else:
        assert f"jwt_middleware.{world}:app needs JWT_APP=package.module:app" in process.stderr()


@pytest.mark.parametrize("world", ["asgi", "wsgi"])
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (None, "needs JWT_APP=package.module:app, the app to protect"),
        ("nonsense", "JWT_APP must look like package.module:app"),
        ("json:app", "JWT_APP: module json has no app"),
    ],
    ids=["unset", "no-colon", "no-such-app"],
)
def test_import_says_what_to_set(world: str, value: str | None, complaint: str) -> None:
    """Importing `app` where `JWT_APP` names none says what to set."""
    command = [sys.executable, "-c", f"from jwt_middleware.{world} import app"]
    done = subprocess.run(
        command, env=environment(JWT_APP=value), capture_output=True, text=True, timeout=START_SECONDS
    )
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "ConfigurationError" in done.stderr
