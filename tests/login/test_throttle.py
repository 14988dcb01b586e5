"""Guessing passwords is slowed: by account and by client address, by all workers together, and never by success."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.login.service import Service


@pytest.fixture
def slow(serve: Callable[..., Service]) -> Callable[..., Service]:
    """Make a service that lets an account be tried three times an hour, and an address fail thirty times."""
    return lambda **settings: serve(login_attempts="3/hour", trusted_proxies="127.0.0.1", **settings)


def guess(service: Service, username: str = "ada", password: str = "wrong", address: str = "192.0.2.1") -> int:
    body = json.dumps({"username": username, "password": password}).encode()
    headers = [("Content-Type", "application/json"), ("X-Forwarded-For", address)]
    return service.send("POST", "/auth/token", body, headers).status


def test_the_fourth_guess_has_to_wait(slow: Callable[..., Service]) -> None:
    """429 with Retry-After, even for the right password: nobody learns that it was right."""
    service = slow()
    assert [guess(service, address=f"192.0.2.{n}") for n in range(4)] == [401, 401, 401, 429]
    answer = service.post("/auth/token", username="ada", password="correct horse")
    assert (answer.status, answer.error) == (429, "too_many_requests")
    assert 0 < int(answer.header("Retry-After") or 0) <= 7200
    assert answer.header("WWW-Authenticate") is None
    assert guess(service, "bob", "battery staple") == 200


def test_all_workers_count_together(slow: Callable[..., Service]) -> None:
    """Two processes do not double the guesses."""
    one, two = slow(), slow()
    assert [guess(one), guess(two), guess(one), guess(two), guess(one)] == [401, 401, 401, 429, 429]


@pytest.mark.parametrize("spelling", ["ADA", "Ada", "ａｄａ", "aDa"])
def test_another_spelling_is_the_same_account(slow: Callable[..., Service], spelling: str) -> None:
    """Or each would have guesses of its own."""
    service = slow()
    assert [guess(service) for _ in range(3)] == [401] * 3
    assert guess(service, spelling) == 429


def test_an_address_that_fails_for_many_accounts_has_to_wait(slow: Callable[..., Service]) -> None:
    """Password spraying: thirty accounts, one guess each; then the address waits, and another does not."""
    service = slow()
    assert {guess(service, f"user{n}") for n in range(31)} == {401}
    assert guess(service, "bob", "battery staple") == 429
    assert guess(service, "bob", "battery staple", address="198.51.100.7") == 200


def test_an_office_signs_in_as_often_as_it_likes(serve: Callable[..., Service]) -> None:
    """Successes do not count towards the address."""
    people = {f"user{n}": str(n) for n in range(40)}
    service = serve(
        login_attempts="3/hour", authenticate=lambda name, password: people.get(name) if password == "x" else None
    )
    assert {guess(service, name, "x") for name in people} == {200}


def test_an_address_cannot_be_made_up(serve: Callable[..., Service]) -> None:
    """X-Forwarded-For counts only from a trusted proxy."""
    service = serve(login_attempts="1/hour")
    assert {guess(service, f"user{n}", address=f"192.0.2.{n}") for n in range(11)} == {401}
    assert guess(service, "bob", "battery staple", address="203.0.113.9") == 429


def test_machines_are_slowed_too(slow: Callable[..., Service], tmp_path: Any) -> None:
    """By their id, apart from a user of that name."""
    from jwt_middleware.login.passwords import Passwords

    file = tmp_path / "clients.json"
    made = Passwords(time_cost=1, memory_cost=8, parallelism=1).hash("s" * 32)
    file.write_text(json.dumps({"clients": {"ada": {"secret": made, "scopes": ["read"]}}}))
    service = slow(clients_file=file)
    form = {"grant_type": "client_credentials", "client_id": "ada"}
    assert [service.form("/auth/token", client_secret="x", **form).status for _ in range(4)] == [401, 401, 401, 429]
    assert guess(service, "ada", "correct horse") == 200


def test_refreshing_is_not_slowed(slow: Callable[..., Service]) -> None:
    """A page that refreshes often has proved who it is."""
    service = slow()
    token = service.sign_in()["refresh_token"]
    for _ in range(20):
        answer = service.refresh(token)
        assert answer.status == 200
        token = json.loads(answer.body)["refresh_token"]
