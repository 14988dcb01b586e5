"""`jwt-middleware demo` without a browser: what it prints is true, and it leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import jwt_middleware.demo
from tests.served_demo import END, ROOT, running_demo

PAGE = Path(jwt_middleware.demo.__file__).parent / "page"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start it in a shell with settings of another app, wrong ones even."""
    hostile = {"JWT_SECRET_KEY": "short", "JWT_ISSUER": "", "JWT_ALLOW_EVERYTHING": "1", "JWT_APP": "nowhere:app"}
    with running_demo(tmp_path_factory.mktemp("demo"), **hostile) as (_, printed):
        yield printed


@pytest.fixture
def url(printed: str) -> str:
    """Return where it says that it is, by number: not every resolver knows localhost first as 127.0.0.1."""
    return re.search(r"http://localhost:\d+", printed)[0].replace("localhost", "127.0.0.1")


def ask(url: str, data: dict[str, str] | None = None, **headers: str) -> tuple[int, Any, bytes]:
    """Send one request; return status, headers and body."""
    request = urllib.request.Request(url, urlencode(data).encode() if data else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers, refusal.read()


def test_what_it_prints_signs_in(printed: str, url: str) -> None:
    """It says that it is a demo, and its user and password get a token that opens the API."""
    assert "A demo" in printed
    user, password = (re.search(rf"{name} +(\w.*)", printed)[1] for name in ("sign in as", "password"))
    assert ask(f"{url}/api/hello")[0] == 401
    status, _, body = ask(f"{url}/auth/token", {"username": user, "password": password})
    got = json.loads(body)
    assert (status, got["expires_in"]) == (200, 60)
    status, _, body = ask(f"{url}/api/hello", Authorization=f"Bearer {got['access_token']}")
    assert (status, body) == (200, b'{"hello": "Ada Lovelace"}')
    assert ask(f"{url}/auth/token", {"username": user, "password": "x"})[0] == 400


def test_the_page_names_the_same_user(printed: str, url: str) -> None:
    """And it is the only thing besides its files that needs no token."""
    page = ask(url)[2].decode()
    for name in ("sign in as", "password"):
        assert re.search(rf"{name} +(\w.*)", printed)[1] in page
    assert "$" not in page
    assert {ask(url + path)[0] for path in re.findall(r'(?:src|href)="(/page/[^"]+)"', page)} == {200}
    for path in ("/page/index.html", "/page/../demo/service.py", "/page/rules.toml", "/page/"):
        assert ask(url + path)[0] in (401, 404)
    assert ask(f"{url}/favicon.ico")[0] == 401


def test_the_page_is_held_to_itself(url: str) -> None:
    """No script but its own, no frame around it, nothing kept; and no file of it names another place."""
    headers = ask(url)[1]
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert not {"unsafe-inline", "unsafe-eval", "*", "http:", "https:", "data:"} & set(re.findall(r"[\w*:-]+", policy))
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    for file in PAGE.iterdir():
        assert set(re.findall(r"https?://[^\s\"'`]+", file.read_text("utf-8"))) <= {"http://www.w3.org/2000/svg"}


def test_it_serves_this_machine_alone(printed: str) -> None:
    """It listens on 127.0.0.1, whatever address the machine has besides."""
    port = int(re.search(r"localhost:(\d+)", printed)[1])
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.2:{port}/", timeout=30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_it_stops_cleanly(tmp_path: Path, number: int) -> None:
    """It ends at once, says nothing, and leaves neither key nor store behind."""
    with running_demo(tmp_path) as (process, printed):
        assert END in printed
        assert len(list(tmp_path.glob("jwt-middleware-*"))) == 1
        process.send_signal(number)
        rest, _ = process.communicate(timeout=30)
        assert (process.returncode, rest.strip()) == (0, "")
        assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken(printed: str) -> None:
    """One line, and exit code 1."""
    port = re.search(r"localhost:(\d+)", printed)[1]
    command = [sys.executable, "-m", "jwt_middleware", "demo", "--port", port]
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (again.returncode, again.stdout) == (1, "")
    expected = f"Error: Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another port: --port 8001\n"
    assert again.stderr == expected
