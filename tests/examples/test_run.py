"""`examples/run.py`, as `make run` starts it: what it prints is true, and can be pasted."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES
from tests.servers import free_port

END = "Ctrl-C stops."
RUN = [sys.executable, str(EXAMPLES / "run.py")]


@contextmanager
def running(temporary: Path, **environ: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start it, and give the process and what it has printed when it is ready."""
    environ = {**os.environ, "TMPDIR": str(temporary), "PORT": str(free_port()), **environ}
    process = subprocess.Popen(RUN, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        lines = [""]
        while END not in lines[-1] and (line := process.stdout.readline()):
            lines.append(line)
        yield process, "".join(lines)
    finally:
        process.kill()
        process.communicate()


def pasted(line: str) -> str:
    """Run one printed line in a shell and return the status of the answer."""
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    return done.stdout.split(" ")[1]


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs bash and curl")
def test_the_printed_lines_can_be_pasted(tmp_path: Path) -> None:
    """Each line gives what the output promises before it: 401, 200, 204, 401, and 200 for a new sign-in."""
    with running(tmp_path) as (_, printed):
        lines = re.findall(r"^\d\. .*: (\d{3})\n +(curl .*)$", printed, re.MULTILINE)
        assert [status for status, _ in lines] == ["401", "200", "204", "401", "200"]
        for promised, line in lines:
            assert pasted(line) == promised, line


def test_what_a_newcomer_looks_for_comes_first(tmp_path: Path) -> None:
    """The first path is the protected one, and there is only one token, whole wherever it stands."""
    with running(tmp_path) as (_, printed):
        assert re.findall(r"127\.0\.0\.1:\d+(/\w+)", printed)[0] == "/hello"
        assert len(set(re.findall(r"eyJ[\w.-]*", printed))) == 1


def test_it_points_to_the_demo(tmp_path: Path) -> None:
    """The line can be pasted where it was printed."""
    with running(tmp_path) as (_, printed):
        line = re.search(r"^ +(\S*jwt-middleware demo) --port 0$", printed, re.MULTILINE)[1]
    done = subprocess.run(["bash", "-c", f"{line} --help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "in a browser" in done.stdout) == (0, True)


def test_the_settings_of_the_shell_do_not_matter(tmp_path: Path) -> None:
    """A shell with settings of another app, wrong ones even, starts the same demonstration."""
    with running(tmp_path, JWT_SECRET_KEY="short", JWT_ISSUER="", JWT_ALLOW_EVERYTHING="1") as (_, printed):
        assert END in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_it_stops_cleanly(tmp_path: Path, number: int) -> None:
    """It ends at once, says nothing, and leaves neither key nor store behind."""
    with running(tmp_path) as (process, _):
        assert len(list(tmp_path.glob("jwt-middleware-*"))) == 1
        process.send_signal(number)
        rest, _ = process.communicate(timeout=30)
        assert (process.returncode, rest.strip()) == (0, "")
        assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The second one on a port says so in one line and exits with 1."""
    with running(tmp_path) as (_, printed):
        port = re.search(r"127\.0\.0\.1:(\d+)", printed)[1]
        again = subprocess.run(RUN, env={**os.environ, "PORT": port}, capture_output=True, text=True, timeout=60)
    assert (again.returncode, again.stdout) == (1, "")
    expected = f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another port: make run PORT=8001\n"
    assert again.stderr == expected


@pytest.mark.parametrize("port", ["99999", "-1", "http", ""])
def test_a_port_that_is_none(port: str) -> None:
    """What is not a port is said to be none."""
    done = subprocess.run(RUN, env={**os.environ, "PORT": port}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "not a port" in done.stderr
