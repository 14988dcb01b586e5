"""`jwt-middleware demo` as a process of its own, for the tests that speak to it and those that look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import free_port

ROOT = Path(__file__).parent.parent
END = "Ctrl-C stops."


@contextmanager
def running_demo(temporary: Path, *options: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start it on a free port; give the process, and what it has printed when it is ready."""
    temporary.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "jwt_middleware", "demo", "--port", str(free_port()), *options]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), **environ}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        lines = [""]
        while END not in lines[-1] and (line := process.stdout.readline()):
            lines.append(line)
        yield process, "".join(lines)
    finally:
        process.terminate()
        process.communicate()
