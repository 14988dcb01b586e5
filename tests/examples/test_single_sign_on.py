"""`examples/single_sign_on`: two services in two frameworks and two processes, and a rotation that nobody notices."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwt_middleware.cli import main
from jwt_middleware.login.keyring import Keyring
from tests.examples.conftest import EXAMPLES
from tests.servers import eventually
from tests.servers_matrix.processes import ROOT, Process, environment
from tests.servers_matrix.wire import Answer, bearer

FOLDER = EXAMPLES / "single_sign_on"
README = (FOLDER / "README.md").read_text("utf-8")
NAMES = {"JWT_ISSUER": "https://accounts.example", "JWT_AUDIENCE": "https://orders.example", "JWT_SECRET_KEY": None}
ADA = {"username": "ada", "password": "analytical engine"}
BOB = {"username": "bob", "password": "builds things"}


class Services:
    """Both services, as the README starts them."""

    def __init__(self, folder: Path) -> None:
        self.keys, self.jwks = folder / "keys", folder / "jwks.json"
        self._path = {"PYTHONPATH": f"{FOLDER}:{ROOT}"}
        assert main(["keys", "new", "--dir", str(self.keys)]) == 0
        (folder / "accounts").mkdir()
        (folder / "orders").mkdir()
        self.accounts = Process("waitress", folder / "accounts")
        self.orders = Process("uvicorn-h11", folder / "orders")

    def start(self) -> None:
        """Start the one, fetch its keys, start the other."""
        settings = {"JWT_KEYS_DIR": str(self.keys), "JWT_EXEMPT_PATHS": "/sign-in,/health"}
        self.accounts.serve("accounts:app", environment(**NAMES, **self._path, **settings), "/health")
        self.fetch()
        settings = {"JWT_JWKS_FILE": str(self.jwks), "JWT_EXEMPT_PATHS": "/health"}
        self.orders.serve("orders:app", environment(**NAMES, **self._path, **settings), "/health")

    def fetch(self) -> None:
        """Fetch the keys of the one for the other, as the README's line does."""
        answer = self.accounts.ask("GET", "/.well-known/jwks.json")
        assert answer.status == 200
        new = self.jwks.with_suffix(".new")
        new.write_bytes(answer.body)
        new.rename(self.jwks)

    def published(self) -> list[str]:
        return [key["kid"] for key in self.accounts.ask("GET", "/.well-known/jwks.json").json()["keys"]]

    def sign_in(self, who: dict[str, str] = ADA) -> str:
        body = json.dumps(who).encode()
        answer = self.accounts.ask("POST", "/sign-in", [("Content-Type", "application/json")], body)
        assert answer.status == 200, answer
        token: str = answer.json()["access_token"]
        return token

    def order(self, token: str) -> Answer:
        return self.orders.ask("GET", "/orders", bearer(token))

    def keys_command(self, line: str) -> int:
        """Run `jwt-middleware keys …` on the folder of keys."""
        return main(["keys", *shlex.split(line), "--dir", str(self.keys)])


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = Services(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.accounts.stop()
        made.orders.stop()


def test_one_signs_in_and_the_other_trusts_it(services: Services) -> None:
    """A token of the one opens the other, as far as its scope goes; nothing but a token does."""
    answer = services.order(services.sign_in())
    assert (answer.status, answer.json()) == (200, {"orders": [], "of": "ada", "name": "Ada Lovelace"})
    assert services.order(services.sign_in(BOB)).status == 403
    assert services.orders.ask("GET", "/orders").status == 401
    assert services.orders.ask("GET", "/.well-known/jwks.json").status == 401, "it has no keys of its own"
    wrong = json.dumps(ADA | {"password": "x"}).encode()
    for body in (wrong, b"[]", b"", b"\xff"):
        answer = services.accounts.ask("POST", "/sign-in", [("Content-Type", "application/json")], body)
        assert answer.status == 401


def test_nobody_is_refused_at_any_moment_of_a_rotation(services: Services) -> None:
    """Publish, fetch, sign, retire, fetch: somebody signs in and orders all the while, with new tokens and with old."""
    held, answers, stop = [services.sign_in()], [], threading.Event()

    def shop() -> None:
        while not stop.is_set():
            held.append(services.sign_in())
            answers.extend(services.order(token).status for token in held[-3:])

    shopper = threading.Thread(target=shop)
    shopper.start()

    def some_pass(count: int = 9) -> None:
        enough = len(answers) + count
        eventually(lambda: len(answers) >= enough or not shopper.is_alive(), 60)

    try:
        for _ in range(2):
            some_pass()
            before = services.published()
            assert services.keys_command("rotate") == 0
            (new,) = eventually(lambda before=before: set(services.published()) - set(before))
            services.fetch()
            some_pass()
            assert services.keys_command("rotate --after 0") == 0
            eventually(lambda new=new: _kid(held[-1]) == new, 60)
            some_pass()
    finally:
        stop.set()
        shopper.join(60)
    assert set(answers) == {200}
    assert len({_kid(token) for token in held}) == 3
    assert [services.order(token).status for token in held] == [200] * len(held)
    assert len(Keyring(services.keys).retire(-10_000)) == 2  # as if that time had passed
    eventually(lambda: len(services.published()) == 1)
    services.fetch()
    eventually(lambda: services.order(services.sign_in()).status == 200 and services.order(held[0]).status == 401, 60)
    assert services.order(held[-1]).status == 200


def _kid(token: str) -> str:
    found: str = json.loads(urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]
    return found


def test_a_failed_fetch_changes_nothing(services: Services) -> None:
    """An error page or half a file in place of the keys: the other keeps those it had, and its log says so."""
    token = services.sign_in()
    spoilt = (b"", b"<html>502</html>", b'{"keys": [{"kty"', b'{"keys": []}')
    for content in spoilt:
        services.jwks.write_bytes(content)
        eventually(lambda: services.order(services.sign_in()).status == 200 and _complaints(services.orders) == 1, 60)
        assert services.order(token).status == 200
        services.fetch()
        eventually(lambda: services.order(services.sign_in()).status == 200 and _complaints(services.orders) == 0, 60)


def _complaints(process: Process) -> int:
    """Count what the log complains of and has not yet taken back."""
    return process.stderr().count("the old ones stay in force") - process.stderr().count("can be used again")


def test_the_readmes_commands_exist() -> None:
    """Each `jwt-middleware keys` line of the README is one that the command knows."""
    lines = re.findall(r"^ +jwt-middleware (keys \w+)", README, re.MULTILINE)
    assert lines == ["keys rotate", "keys rotate", "keys retire"]
    assert [main([*line.split(), "--help"]) for line in lines] == [0, 0, 0]


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs bash and curl")
def test_the_readmes_line_fetches(services: Services, tmp_path: Path) -> None:
    """It puts the keys in their place at one stroke, and leaves what is there alone when the other is down."""
    (line,) = re.findall(r"^ +(fetch\(\) .*)$", README, re.MULTILINE)
    line = line.replace("127.0.0.1:8001", f"127.0.0.1:{services.accounts.port}")
    fetched = services.jwks.read_bytes()
    services.jwks.unlink()
    for stopped in (False, True):
        if stopped:
            services.accounts.stop()
        done = subprocess.run(
            ["bash", "-c", f"{line}\nfetch"], cwd=tmp_path, capture_output=True, timeout=60, check=False
        )
        assert (done.returncode == 0) is not stopped
        assert services.jwks.read_bytes() == fetched
