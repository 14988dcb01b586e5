"""CPU per request of real servers, user and system: a bare app, the same app wrapped, and what others do instead."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.material import Keys, issued
from benchmarks.measure import Row, compare, in_turn
from tests.servers import free_port

SECONDS, ROUNDS, CONNECTIONS = 2, 7, 16
TICKS = os.sysconf("SC_CLK_TCK")
UVICORN = "uvicorn --lifespan off --log-level warning --no-access-log --port {}"
GUNICORN = "gunicorn -k gthread --threads 4 --keep-alive 60 --log-level warning -b 127.0.0.1:{}"
GRANIAN = "granian --interface wsgi --workers 1 --log-level warning --port {}"


class Family(NamedTuple):
    name: str
    command: str
    app: str
    target: float
    peer: str


FAMILIES = (
    Family("raw uvicorn", UVICORN, "asgi", 0.87, "hand-written jwt.decode"),
    Family("Starlette, uvicorn", UVICORN, "starlette", 0.90, "AuthenticationMiddleware, PyJWT"),
    Family("FastAPI, uvicorn", UVICORN, "fastapi", 0.95, "dependency with PyJWT"),
    Family("raw gunicorn gthread", GUNICORN, "wsgi", 0.95, "hand-written jwt.decode"),
    Family("Flask, gunicorn gthread", GUNICORN, "flask", 0.95, "flask-jwt-extended"),
    Family("raw granian WSGI", GRANIAN, "wsgi", 0.90, "hand-written jwt.decode"),
)


def rows() -> Iterator[Row]:
    for family in FAMILIES:
        with ExitStack() as stack:
            served = [stack.enter_context(Served(family, kind)) for kind in ("bare", "wrapped", "peer")]
            bare, wrapped, peer = in_turn([one.sample for one in served], ROUNDS)
        what, unit, least = f"{family.name}: wrapped", "µs CPU", (">=", family.target)
        yield compare(what, unit, wrapped, "bare app", bare, least, speed=True)
        yield compare(f"{family.name}: {family.peer}", unit, peer, "bare app", bare, speed=True)


class Served:
    """A server process, and those it started, with one app; `quiet` sends what it logs nowhere."""

    def __init__(self, family: Family, kind: str, *, quiet: bool = False) -> None:
        self.port, self._token = free_port(), issued(Keys("HS256"), 1)[0]
        command = [sys.executable, "-m", *family.command.format(self.port).split(), "benchmarks.apps:app"]
        environment = {**os.environ, "BENCH_APP": f"{family.app}:{kind}"}
        log = subprocess.DEVNULL if quiet else None
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=log)

    def __enter__(self) -> Served:
        until = time.monotonic() + 20
        while True:
            try:
                load(self.port, self._token, 1)
                return self
            except (OSError, RuntimeError, subprocess.CalledProcessError):
                if time.monotonic() > until or self._process.poll() is not None:
                    self.__exit__()
                    raise
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def sample(self) -> float:
        """Return microseconds of CPU per request."""
        before = cpu_seconds(self._process.pid)
        count = load(self.port, self._token, SECONDS)
        return (cpu_seconds(self._process.pid) - before) / count * 1e6


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all below it (proc(5), fields 14 and 15 of stat)."""
    process = Path(f"/proc/{pid}")
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    children = [child for task in (process / "task").glob("*/children") for child in task.read_text().split()]
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(cpu_seconds(int(child)) for child in children)


def load(port: int, token: str, seconds: int) -> int:
    """Send requests for some seconds, by wrk where it is installed; return how many were answered, all with 200."""
    headers = {"Authorization": f"Bearer {token}"}
    if not shutil.which("wrk"):
        return _load(port, headers, time.monotonic() + seconds)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Authorization: Bearer {token}"]
    said = subprocess.run([*command, f"http://127.0.0.1:{port}/"], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return int(re.findall(r"(\d+) requests in", said)[0])


def _load(port: int, headers: dict[str, Any], until: float) -> int:
    connections, count = [HTTPConnection("127.0.0.1", port) for _ in range(CONNECTIONS)], 0
    while time.monotonic() < until:
        for one in connections:
            one.request("GET", "/", headers=headers)
        for one in connections:
            answer = one.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {answer.read()!r}")
            answer.read()
        count += CONNECTIONS
    return count
