"""Machines that sign in for themselves: the file of clients, in both worlds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware.errors import Reason, Unavailable
from jwt_middleware.login.clients import Client, ClientsFile, clients, new_secret
from jwt_middleware.settings import Settings
from jwt_middleware.truth._blocking import BlockingIO
from tests.login.conftest import HASH, PASSWORD, Counting, write
from tests.truth.conftest import World

Machines = Callable[..., ClientsFile]


def test_a_client_is_who_its_secret_says(machines: Machines, world: World) -> None:
    """With the scopes and audiences that its tokens may have."""
    made = machines(reporting={"scopes": ["read"], "audiences": ["https://api.example"]}, plain={})
    assert world.run(made.authenticate("reporting", PASSWORD)) == Client(
        "reporting", ("read",), ("https://api.example",)
    )
    assert world.run(made.authenticate("plain", PASSWORD)) == Client("plain")


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [("reporting", "wrong"), ("nobody", PASSWORD), ("off", PASSWORD), ("Reporting", PASSWORD), ("", ""),
     ("reporting", "x" * 5000), ("\ud800", "\ud800"), ("é", PASSWORD)],
    ids=ascii,
)  # fmt: skip
def test_no_is_one_answer_and_costs_one_hash(
    client_id: str, secret: str, machines: Machines, world: World, passwords: Counting
) -> None:
    """Unknown, wrong and disabled look alike, and take as long."""
    made = machines(reporting={}, off={"disabled": True})
    assert world.run(made.authenticate(client_id, secret)) is None
    assert len(passwords.compared) == 1


def test_a_change_of_the_file_counts_at_once_and_a_bad_one_is_cannot_decide(
    machines: Machines, world: World, tmp_path: Path
) -> None:
    """As with users: disabled is out, and a file that cannot be read is 503."""
    made = machines(reporting={})
    assert world.run(made.authenticate("reporting", PASSWORD))
    write(tmp_path / "clients.json", {"clients": {"reporting": {"secret": HASH, "disabled": True}}})
    assert world.run(made.authenticate("reporting", PASSWORD)) is None
    write(tmp_path / "clients.json", "")
    with pytest.raises(Unavailable, match="JWT_CLIENTS_FILE: is not JSON") as caught:
        world.run(made.authenticate("reporting", PASSWORD))
    assert caught.value.reason is Reason.ACCOUNTS_UNAVAILABLE


def record(**members: Any) -> str:
    """Return the text of a file with one client, web."""
    return json.dumps({"clients": {"web": {"secret": HASH} | members}})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param('{"users": {}}', 'whose one member is "clients"', id="users"),
        pytest.param('{"clients": {"web": {}}}', "client 'web' has no secret", id="no-secret"),
        pytest.param(record(secret=new_secret()), "client 'web' (secret) is not an argon2id hash", id="plain-secret"),
        pytest.param(record(password=HASH), "client 'web' has the unknown key 'password'", id="password"),
        pytest.param(record(scopes="read"), "client 'web' (scopes) must be a list", id="scopes-text"),
        pytest.param(record(audiences="x"), "client 'web' (audiences) must be a list", id="audiences-text"),
        pytest.param(record(disabled=0), "client 'web' (disabled) must be true or false", id="disabled-0"),
        pytest.param(
            record().replace('"web"', '"caf\u00e9"'), "(the name) must be printable ASCII", id="not-ascii"
        ),
        pytest.param(record().replace('"web"', '"a", "b"'), "is not JSON", id="no-json"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_a_problem(content: str, said: str, tmp_path: Path) -> None:
    """One line that names the file and the client, and shows neither secret nor hash."""
    path = write(tmp_path / "clients.json", content)
    problems: list[str] = []
    clients(Settings(clients_file=path), BlockingIO(None, 1), problems)
    assert len(problems) == 1
    assert said in problems[0]
    assert HASH[:30] not in problems[0]


def test_without_the_setting_there_are_no_clients() -> None:
    """No file, no problem."""
    assert clients(Settings(), BlockingIO(None, 1), problems := []) is None
    assert problems == []


def test_secrets_are_long_and_each_is_another() -> None:
    """256 bits, in characters that a shell, a form and a URL leave alone."""
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) == 43 and secret.replace("-", "").replace("_", "").isalnum() for secret in made)
