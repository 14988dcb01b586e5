"""The Flask example, by its own test client."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.examples.conftest import bearer

ADA = {"username": "ada", "password": "analytical engine"}
BOB = {"username": "bob", "password": "builds things"}


@pytest.fixture(scope="module")
def module(load: Callable[..., ModuleType]) -> ModuleType:
    """Its module, loaded with the settings of its README."""
    return load("flask_app", "app", exempt="/auth/token,/health")


@pytest.fixture
def client(module: ModuleType) -> Any:
    """Flask's test client, which goes through the middleware."""
    return module.app.test_client()


def token(client: Any, who: dict[str, str] = ADA) -> str:
    """Sign in."""
    return client.post("/auth/token", json=who).get_json()["access_token"]


def test_the_tutorials_walk(client: Any) -> None:
    """Sign in by JSON, use the token, sign out, and the token is dead."""
    answer = client.post("/auth/token", json={"username": "ada", "password": "analytical engine"})
    assert (answer.status_code, list(answer.get_json())) == (200, ["access_token"])
    headers = bearer(answer.get_json()["access_token"])
    assert client.get("/hello", headers=headers).get_json() == {"message": "Hello ada"}
    assert client.post("/logout", headers=headers).status_code == 204
    assert client.get("/hello", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"username": "ada", "password": "wrong"},
        {"username": "nobody", "password": "analytical engine"},
        {"username": "nobody", "password": ""},
        {"username": "ada"},
        {"username": ["ada"], "password": {}},
        ["ada"],
        None,
    ],
    ids=str,
)
def test_wrong_credentials(client: Any, body: Any) -> None:
    """Whatever is wrong with the credentials, the answer is the tutorial's."""
    answer = client.post("/auth/token", json=body)
    assert (answer.status_code, answer.get_json()) == (401, {"message": "Invalid credentials"})


def test_credentials_that_are_not_json(client: Any) -> None:
    """A body that is not JSON signs nobody in."""
    assert client.post("/auth/token", data="username=ada").status_code == 401


def test_an_answer_with_a_token_is_not_stored_by_caches(client: Any) -> None:
    """A token is a secret: the answer says no-store (RFC 6749 section 5.1)."""
    assert client.post("/auth/token", json=ADA).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/hello", "/profile", "/admin", "/nothing-here"])
def test_without_a_token(client: Any, path: str) -> None:
    """Every path is closed that is not exempt, unknown ones included."""
    answer = client.get(path)
    assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_health_is_open(client: Any) -> None:
    """A probe needs no token."""
    assert client.get("/health").get_json() == {"status": "ok"}


def test_the_whole_user(client: Any) -> None:
    """The profile shows what the sign-in view put into the token."""
    seen = client.get("/profile", headers=bearer(token(client))).get_json()
    assert seen.pop("expires") > 0
    assert seen == {"identity": "ada", "name": "Ada Lovelace", "roles": ["admin"]}


@pytest.mark.parametrize(("who", "status"), [(ADA, 200), (BOB, 403)], ids=["ada", "bob"])
def test_roles(client: Any, who: dict[str, str], status: int) -> None:
    """Only admins see the admins' page."""
    assert client.get("/admin", headers=bearer(token(client, who))).status_code == status


def test_one_users_sign_out_leaves_the_others_alone(client: Any) -> None:
    """Only the token that signed out is dead, not another one of the same user."""
    first, second = token(client), token(client)
    client.post("/logout", headers=bearer(first))
    assert client.get("/hello", headers=bearer(second)).status_code == 200


def test_sign_out_needs_a_token(client: Any) -> None:
    """Nobody signs out who is not signed in."""
    assert client.post("/logout").status_code == 401


def test_a_sign_out_that_is_not_stored(client: Any, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store does not confirm, the answer is 503 and never 204."""

    def down(_: object) -> None:
        raise module.Unavailable("down")

    headers = bearer(token(client))
    monkeypatch.setattr(module.auth, "revoke", down)
    answer = client.post("/logout", headers=headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
