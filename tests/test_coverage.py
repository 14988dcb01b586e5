"""Each room is covered by its own tests, every branch of it: what other tests happen to run does not count."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORWARDING = "tests/test_forwarding.py"
BODIES, COOKIES = "tests/login/test_endpoints.py", "tests/login/test_cookies.py"
ROOMS = {
    "token": ("jwt_middleware/token/*", ["tests/token"]),
    "gate": (
        "jwt_middleware/gate/*",
        [
            "tests/gate",
            "tests/test_adapters.py",
            "tests/test_asgi.py",
            "tests/test_check_user.py",
            "tests/test_metrics.py",
            "tests/test_events.py",
            "tests/test_failed_attempts.py",
            "tests/test_jwks.py",
            "tests/login/test_cookies.py",
            "tests/login/test_endpoints.py",
            "tests/login/test_accounts.py",
            FORWARDING,
        ],
    ),
    "asgi": ("jwt_middleware/asgi.py", ["tests/test_asgi.py", "tests/test_adapters.py", FORWARDING, BODIES, COOKIES]),
    "wsgi": ("jwt_middleware/wsgi.py", ["tests/test_wsgi.py", "tests/test_adapters.py", FORWARDING, BODIES, COOKIES]),
}


@pytest.mark.long
@pytest.mark.parametrize("room", ROOMS)
def test_every_branch_of_a_room_is_reached(room: str, tmp_path: Path) -> None:
    """Its own test files and the corners reach 100 % of its lines and branches."""
    source, files = ROOMS[room]
    environment = os.environ | {"COVERAGE_FILE": str(tmp_path / "coverage"), "PYTHONPATH": str(ROOT)}
    measure = [sys.executable, "-m", "coverage", "run", "--branch", f"--include={source}"]
    tests = ["-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *files, "tests/test_corners.py"]
    report = [sys.executable, "-m", "coverage", "report", "--show-missing", "--fail-under=100", "--precision=2"]
    for command in (measure + tests, report):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
