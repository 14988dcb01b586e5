"""Servers as processes of their own: how each is started, awaited, listened to and ended."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.servers_matrix.wire import CLOSED, Answer, Headers, Wire

ROOT = Path(__file__).parents[2]
APPS = "tests.servers_matrix.apps"
SECRET = "kX9w2Qm7-matrix-ZtR4vB8nLc6HsJ1dF3gPyEa5"
START_SECONDS = 60.0


@dataclass(frozen=True)
class Kind:
    """A server in one configuration.

    Attributes:
        module: what `python -m` runs, and the package that must be installed.
        world: `asgi` or `wsgi`.
        options: what makes this configuration; `PORT` and `APP` are filled in.
    """

    module: str
    world: str
    options: str

    def command(self, port: int, app: str, extra: Sequence[str] = ()) -> list[str]:
        """Return the command that serves an app on a loopback port."""
        words = (word.replace("PORT", str(port)) for word in self.options.split())
        return [sys.executable, "-m", self.module, *words, *extra, app]

    def require(self) -> None:
        """Skip the test on a machine without this server."""
        if importlib.util.find_spec(self.module) is None:
            pytest.skip(f"{self.module} is not installed")


_UVICORN = "--host 127.0.0.1 --port PORT"
_GUNICORN = "--bind 127.0.0.1:PORT --no-control-socket --graceful-timeout 5"
_GRANIAN = "--host 127.0.0.1 --port PORT --interface"

KINDS: dict[str, Kind] = {
    "uvicorn-h11": Kind("uvicorn", "asgi", f"{_UVICORN} --http h11 --ws wsproto --loop asyncio"),
    "uvicorn-httptools": Kind("uvicorn", "asgi", f"{_UVICORN} --http httptools --ws websockets"),
    "hypercorn": Kind("hypercorn", "asgi", "--bind 127.0.0.1:PORT"),
    "granian-asgi": Kind("granian", "asgi", f"{_GRANIAN} asgi"),
    "daphne": Kind("daphne", "asgi", "-b 127.0.0.1 -p PORT"),
    "gunicorn-sync": Kind("gunicorn", "wsgi", _GUNICORN),
    "gunicorn-gthread": Kind("gunicorn", "wsgi", f"{_GUNICORN} -k gthread --threads 4"),
    "gunicorn-preload": Kind("gunicorn", "wsgi", f"{_GUNICORN} -k gthread --threads 4 --preload -w 2"),
    "waitress": Kind("waitress", "wsgi", "--host 127.0.0.1 --port PORT"),
    "granian-wsgi": Kind("granian", "wsgi", f"{_GRANIAN} wsgi"),
}
FRAMEWORKS = {"asgi": ("raw_asgi", "starlette", "fastapi", "django_asgi"), "wsgi": ("raw_wsgi", "flask", "django_wsgi")}


def environment(**settings: str | None) -> dict[str, str]:
    """Return a server's environment: the machine's, without what would speak to it, ours, and `settings` but `None`."""
    meant = ("JWT_", "UVICORN_", "GRANIAN_", "GUNICORN_", "DJANGO_", "FLASK_", "SCRIPT_NAME", "WEB_CONCURRENCY")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(meant)}
    ours = {
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "JWT_SECRET_KEY": SECRET,
        "JWT_EXEMPT_PATHS": "/public,/open/**",
    }
    merged: Mapping[str, str | None] = {**clean, **ours, **settings}
    return {name: value for name, value in merged.items() if value is not None}


class Process:
    """One server process, in a session of its own, with what it writes in files."""

    def __init__(self, kind: str, folder: Path, extra: Sequence[str] = ()) -> None:
        self.kind = KINDS[kind]
        self.kind.require()
        self.extra = tuple(extra)
        self.port = 0
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, app: str, env: Mapping[str, str]) -> None:
        """Start the process and wait for nothing."""
        self.port = free_port()
        with (self._folder / "stdout").open("wb") as out, (self._folder / "stderr").open("wb") as err:
            self._process = subprocess.Popen(
                self.kind.command(self.port, app, self.extra),
                cwd=self._folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip

    def serve(self, app: str, env: Mapping[str, str], path: str = "/public") -> Process:
        """Start the process and wait until it answers at `path`, which needs no token."""
        for _ in range(3):
            self.launch(app, env)
            if self._answers(path):
                return self
            self.stop()  # somebody may have taken the port in between
        pytest.fail(f"{self.kind.command(self.port, app, self.extra)} does not serve:\n{self.stderr()}")

    def _answers(self, path: str) -> bool:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.code() is None:
            with suppress(OSError, ConnectionError), Wire(self.port) as wire:
                answer = wire.ask("GET", path)
                assert answer.status == 200, answer
                return True
            time.sleep(0.02)
        return False

    def ask(
        self, method: str, target: str, headers: Headers = (), body: bytes = b"", *, may_fail: bool = False
    ) -> Answer:
        """Send one request over a connection of its own."""
        with Wire(self.port, may_fail=may_fail) as wire:
            return wire.ask(method, target, headers, body)

    def knock(self, data: bytes, *, may_fail: bool = False) -> Answer:
        """Send bytes over a connection of their own and read one answer; an empty one if the server hangs up."""
        with Wire(self.port, may_fail=may_fail) as wire:
            try:
                wire.write(data)
                return wire.answer(data.partition(b" ")[0].decode("latin-1"))
            except ConnectionError:
                return CLOSED

    def code(self) -> int | None:
        """Return the exit code, `None` while the process lives."""
        return self._process.poll() if self._process else 0

    def ended(self, seconds: float = START_SECONDS) -> int | None:
        """Wait for the process to end of its own accord; return its exit code, `None` if it goes on."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def stderr(self) -> str:
        """Return what it has written to stderr."""
        return (self._folder / "stderr").read_text("utf-8", "replace")

    def output(self) -> str:
        """Return everything it has written."""
        return self.stderr() + (self._folder / "stdout").read_text("utf-8", "replace")

    def stop(self) -> None:
        """End the process and all its workers."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
