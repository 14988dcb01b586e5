"""The Django example on real servers, WSGI and ASGI: in processes of its own, as Django is set up once in each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.examples.conftest import EXAMPLES, bearer, settings
from tests.servers import eventually, free_port

PROJECT = EXAMPLES / "django_project"
SERVERS = {
    "wsgi": ["waitress", "--listen=127.0.0.1:{port}", "project.wsgi:application"],
    "asgi": ["uvicorn", "--port={port}", "--log-level=warning", "project.asgi:application"],
}
ADA = {"username": "ada", "password": "analytical engine"}


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of the README, and a database with one user."""
    folder: Path = tmp_path_factory.mktemp("django")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("JWT_", "DJANGO_"))}
    environ |= settings(folder, "/auth/token,/health") | {"DJANGO_DATABASE": str(folder / "project.db")}
    password = {"DJANGO_SUPERUSER_PASSWORD": ADA["password"]}
    manage("migrate", "--verbosity=0", environ=environ)
    manage("createsuperuser", "--noinput", "--username=ada", "--email=ada@example.org", environ=environ | password)
    return environ


def manage(*command: str, environ: dict[str, str]) -> None:
    """Run a command of manage.py."""
    subprocess.run([sys.executable, "manage.py", *command], cwd=PROJECT, env=environ, check=True, capture_output=True)


@pytest.fixture(scope="module", params=SERVERS)
def client(request: pytest.FixtureRequest, environ: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of either server."""
    port = free_port()
    command = [part.format(port=port) for part in SERVERS[request.param]]
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=PROJECT, env=environ, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            eventually(lambda: client.get("/health").status_code == 200, seconds=60)
            yield client
    finally:
        process.kill()
        process.wait()


def token(client: httpx.Client) -> str:
    """Sign in."""
    return client.post("/auth/token", json=ADA).json()["access_token"]


def test_the_tutorials_walk(client: httpx.Client) -> None:
    """Sign in by JSON without a CSRF cookie, use the token, sign out, and the token is dead."""
    answer = client.post("/auth/token", json={"username": "ada", "password": "analytical engine"})
    assert (answer.status_code, list(answer.json())) == (200, ["access_token"])
    headers = bearer(answer.json()["access_token"])
    assert client.get("/hello", headers=headers).json() == {"message": "Hello ada", "id": "1"}
    assert client.post("/logout", headers=headers).status_code == 204
    assert client.get("/hello", headers=headers).status_code == 401


@pytest.mark.parametrize("path", ["/hello", "/nothing-here"])
def test_without_a_token(client: httpx.Client, path: str) -> None:
    """Every path is closed that is not exempt, unknown ones included."""
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("body", ['{"username": "ada", "password": "wrong"}', '{"username": "bob"}', "[]", "no json"])
def test_wrong_credentials(client: httpx.Client, body: str) -> None:
    """Whatever is wrong with the credentials, the answer is the tutorial's."""
    answer = client.post("/auth/token", content=body)
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid credentials"})


def test_one_sign_out_leaves_other_tokens_alone(client: httpx.Client) -> None:
    """Only the token that signed out is dead, not another one of the same user."""
    first, second = token(client), token(client)
    client.post("/logout", headers=bearer(first))
    assert client.get("/hello", headers=bearer(second)).status_code == 200
