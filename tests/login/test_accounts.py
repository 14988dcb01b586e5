"""Users and machines of real files sign in through the endpoints, and stop when they are taken out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware.login.passwords import Passwords
from tests.login.service import Service

CHEAP = Passwords(time_cost=1, memory_cost=8, parallelism=1)
USER = {"password": CHEAP.hash("correct horse"), "subject": "7", "scopes": ["read", "write"], "roles": ["admin"]}
CLIENT = {"secret": CHEAP.hash("s" * 32), "scopes": ["read", "report"], "audiences": ["https://reports.example"]}
FORM = {"grant_type": "client_credentials", "client_id": "reporting", "client_secret": "s" * 32}


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str, dict[str, Any]], Path]:
    """Write a file of accounts, in one step as an editor would."""

    def write(kind: str, records: dict[str, Any]) -> Path:
        file = tmp_path / f"{kind}.json"
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps({kind: records}))
        fresh.chmod(0o600)
        fresh.replace(file)
        return file

    return write


@pytest.fixture
def service(serve: Callable[..., Service], files: Callable[..., Path]) -> Service:
    """A service with a user and a machine."""
    return serve(
        authenticate=None,
        users_file=files("users", {"ada": USER}),
        clients_file=files("clients", {"reporting": CLIENT}),
    )


def test_a_user_of_the_file_signs_in(service: Service) -> None:
    """With the scopes and roles that the file has now."""
    got = service.sign_in()
    user = service.get(got["access_token"]).user
    assert (user.identity, user.roles, user.scopes) == ("7", ("admin",), ("read", "write"))


def test_a_change_in_the_file_shows_at_the_next_refresh(service: Service, files: Callable[..., Path]) -> None:
    """Roles as they are now; scopes never more than the session was granted."""
    got = service.sign_in()
    files("users", {"ada": USER | {"roles": [], "scopes": ["write", "root"]}})
    got = json.loads(service.refresh(got["refresh_token"]).body)
    user = service.get(got["access_token"]).user
    assert (user.roles, user.scopes) == ((), ("write",))


@pytest.mark.parametrize("change", ["disabled", "deleted"])
def test_who_is_disabled_or_deleted_neither_signs_in_nor_refreshes(
    service: Service, files: Callable[..., Path], change: str
) -> None:
    """And the session is over for good: its access token too."""
    got = service.sign_in()
    files("users", {"ada": USER | {"disabled": True}} if change == "disabled" else {})
    assert service.post("/auth/token", username="ada", password="correct horse").error == "invalid_grant"
    assert service.refresh(got["refresh_token"]).error == "invalid_grant"
    assert service.get(got["access_token"]).error == "invalid_token"
    files("users", {"ada": USER})
    assert service.refresh(got["refresh_token"]).error == "invalid_grant"


def test_a_file_that_cannot_be_read_is_503(service: Service, files: Callable[..., Path]) -> None:
    """Never "no such user"; and the session lives on."""
    got = service.sign_in()
    files("users", {"ada": {"password": "plain"}})
    assert service.post("/auth/token", username="ada", password="correct horse").status == 503
    files("users", {"ada": USER})
    assert service.refresh(got["refresh_token"]).status == 200


class TestMachines:
    """client_credentials (RFC 6749 section 4.4)."""

    def test_a_machine_gets_an_access_token_by_itself(self, service: Service) -> None:
        """Without a refresh token; its subject is no user's."""
        for audience in ({"audience": "https://reports.example"}, {}):
            got = json.loads(service.form("/auth/token", **FORM, **audience).body)
            assert set(got) == {"access_token", "token_type", "expires_in", "scope"}
            assert got["scope"] == "read report"
            claims = json.loads(base64.urlsafe_b64decode(got["access_token"].split(".")[1] + "=="))
            assert (claims["sub"], claims["client_id"]) == ("client:reporting", "reporting")
            assert claims["aud"] == "https://reports.example"
            assert "sid" not in claims

    def test_it_authenticates_by_basic_too(self, service: Service) -> None:
        """RFC 6749 section 2.3.1; each part form-encoded first."""
        basic = base64.b64encode(b"reporting:" + b"s" * 32).decode()
        answer = service.form(
            "/auth/token", headers=[("Authorization", f"Basic {basic}")], grant_type="client_credentials", scope="read"
        )
        assert json.loads(answer.body)["scope"] == "read"

    @pytest.mark.parametrize("change", [{"client_secret": "x"}, {"client_id": "nobody"}, {"client_id": "ada"}])
    def test_unknown_client_and_wrong_secret_get_the_same_bytes(self, service: Service, change: Any) -> None:
        """401 with the scheme that would do (RFC 6749 section 5.2)."""
        answer = service.form("/auth/token", **(FORM | change))
        assert (answer.status, answer.error) == (401, "invalid_client")
        assert answer.header("WWW-Authenticate") == 'Basic realm="api"'

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"scope": "root"}, "invalid_scope"), ({"audience": "https://other.example"}, "invalid_target"),
            ({"client_secret": ""}, "invalid_request"), ({"client_id": ""}, "invalid_request"),
        ],
    )  # fmt: skip
    def test_it_gets_no_more_than_it_may(self, service: Service, change: Any, error: str) -> None:
        """Scopes and audiences are listed in the file."""
        assert service.form("/auth/token", **(FORM | change)).error == error

    @pytest.mark.parametrize(
        "headers",
        [
            [("Authorization", "Basic x")], [("Authorization", "Basic /w==")], [("Authorization", "Bearer a")],
            [("Authorization", "Basic cmVwb3J0aW5nOnNz")],
        ],
    )  # fmt: skip
    def test_two_ways_at_once_are_refused(self, service: Service, headers: Any) -> None:
        """RFC 6749 section 2.3: a client must not use more than one method."""
        assert service.form("/auth/token", headers=headers, **FORM).error == "invalid_request"


def test_no_user_can_pass_for_a_machine(serve: Callable[..., Service]) -> None:
    """The app's function named a subject that is a machine's: nobody is let in by it."""
    service = serve(authenticate=lambda name, password: "client:reporting")
    assert service.post("/auth/token", username="x", password="y").status == 503


@pytest.mark.parametrize("claims", [{"type": "refresh"}, {"pad": "x" * 20_000}], ids=["of-a-refresh-token", "too-long"])
def test_claims_that_make_no_token_are_503(serve: Callable[..., Service], claims: Any) -> None:
    """The app's function gave something that we would refuse ourselves."""
    service = serve(authenticate=lambda name, password: ("7", claims))
    assert service.post("/auth/token", username="x", password="y").status == 503
