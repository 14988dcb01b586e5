"""What two strangers found when they attacked signing in; each of them once worked."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware.login.keyring import Keyring
from tests.login.conftest import Counting, write
from tests.login.service import Service
from tests.login.test_accounts import CLIENT, FORM

HOUR = 3600


def of(answer: Any) -> Any:
    return json.loads(answer.body)


@pytest.mark.parametrize("what", ["subject", "session", "client", "issuer"])
def test_what_was_revoked_stays_so_as_long_as_a_session_could_live(serve: Callable[..., Service], what: str) -> None:
    """JWT_MAX_LIFETIME bounds tokens, not sessions: a thief who waited for it to pass had the account again."""
    service = serve(max_lifetime=HOUR, session_expires="10d")
    got = service.sign_in()
    revoker = service.world.auth.core.revoker
    sid = str(service.get(got["access_token"]).user.session_id)
    revoke = {
        "subject": lambda: revoker.revoke_subject("7"), "session": lambda: revoker.revoke_session(sid),
        "client": lambda: revoker.revoke_client("first-party"), "issuer": lambda: revoker.revoke_issuer(),
    }  # fmt: skip
    service.world.drive(revoke[what]())
    service.clock.now += 2 * HOUR
    service.world.revoke_subject("somebody else")  # any write forgets what nobody needs any more
    assert service.refresh(got["refresh_token"]).error == "invalid_grant"


def test_an_outage_of_the_app_s_check_costs_nobody_the_session(serve: Callable[..., Service]) -> None:
    """503 while it lasts, for longer than the grace; then the same refresh token works."""
    broken: list[bool] = []

    def check(user: object) -> bool:
        if broken:
            raise RuntimeError("the database is away")
        return True

    service = serve(check_user=check)
    got = service.sign_in()
    broken.append(True)
    assert service.refresh(got["refresh_token"]).status == 503
    service.clock.now += 60
    assert service.refresh(got["refresh_token"]).status == 503
    broken.clear()
    assert service.refresh(got["refresh_token"]).status == 200


def test_parallel_guesses_of_many_names_are_few(serve: Callable[..., Service]) -> None:
    """From one address: those that waited for their turn are told to wait longer, without being looked at."""
    looked: list[str] = []
    service = serve(login_attempts="1/hour", authenticate=lambda name, password: looked.append(name))
    if service.world.name == "asgi":
        pytest.skip("this world drives one request at a time")

    def guess(number: int) -> int:
        return service.post("/auth/token", username=f"user{number}", password="x").status

    with ThreadPoolExecutor(60) as threads:
        statuses = list(threads.map(guess, range(60)))
    assert set(statuses) <= {401, 429, 503}
    assert len(looked) <= 10 + 16


def test_a_broken_basic_header_is_a_bad_request(serve: Callable[..., Service], tmp_path: Path) -> None:
    """Bytes beyond ASCII once were a 500."""
    file = tmp_path / "clients.json"
    file.write_text(json.dumps({"clients": {"reporting": CLIENT}}))
    service = serve(clients_file=file)
    answer = service.form("/auth/token", headers=[("Authorization", b"Basic \xff")], grant_type="client_credentials")
    assert (answer.status, answer.error) == (400, "invalid_request")


class TestScopes:
    """A scope that is asked for twice is granted once."""

    def test_of_a_user(self, serve: Callable[..., Service]) -> None:
        """Two thousand times was a 503."""
        assert serve().sign_in(scope="read " * 2000)["scope"] == "read"

    def test_of_a_machine(self, serve: Callable[..., Service], tmp_path: Path) -> None:
        """And a 500; what no machine can fulfil is a 503."""
        file = tmp_path / "clients.json"
        file.write_text(json.dumps({"clients": {"reporting": CLIENT}}))
        assert of(serve(clients_file=file).form("/auth/token", scope="read " * 2000, **FORM))["scope"] == "read"
        assert serve(clients_file=file, required_claims="sid").form("/auth/token", **FORM).status == 503

    def test_tells_nobody_that_a_password_was_right(self, serve: Callable[..., Service]) -> None:
        """A user whom the app rejects gets the same bytes for a bogus scope."""
        service = serve(check_user=lambda user: False)
        answers = [
            service.post("/auth/token", username="ada", password=password, scope="root")
            for password in ("correct horse", "wrong")
        ]
        assert answers[0].body == answers[1].body


class TestRevoking:
    """RFC 7009: 200 means that it is revoked."""

    def test_a_token_for_another_audience(self, serve: Callable[..., Service]) -> None:
        """We issued it, so we revoke it, though we would not accept it."""
        there = serve(audience="https://other.example")
        token = there.sign_in()["access_token"]
        assert serve().form("/auth/revoke", token=token).status == 200
        assert there.get(token).error == "invalid_token"

    def test_a_token_by_a_key_that_this_worker_has_not_seen(
        self, serve: Callable[..., Service], tmp_path: Path
    ) -> None:
        """Another worker rotated, and signed it."""
        ring = Keyring(tmp_path / "keys")
        ring.new("ES256")
        one, other = serve(keys_dir=tmp_path / "keys"), serve(keys_dir=tmp_path / "keys")
        ring.rotate(now=True)
        one.world.auth.core.keychain.refresh(at_once=True)
        token = one.sign_in()["access_token"]
        assert other.form("/auth/revoke", token=token).status == 200
        assert one.get(token).error == "invalid_token"

    def test_a_logout_outlives_tokens_of_longer_life(self, serve: Callable[..., Service]) -> None:
        """JWT_ACCESS_TOKEN_EXPIRES was an hour when it was issued, and is five minutes when it is ended."""
        before, after = serve(access_token_expires=HOUR), serve(access_token_expires=300)
        got = before.sign_in()
        assert after.post("/auth/logout", refresh_token=got["refresh_token"]).status == 204
        after.clock.now += 1500
        after.world.revoke_subject("somebody else")
        assert after.get(got["access_token"]).error == "invalid_token"


def test_a_sign_in_does_not_outlive_the_alarm_that_came_meanwhile(serve: Callable[..., Service]) -> None:
    """The password was looked at, then everything of the user was revoked: the answer must not bring it back."""
    made: list[Service] = []

    def slow(username: str, password: str) -> str:
        made[0].clock.now += 5
        made[0].world.auth.revoke_subject("7")
        return "7"

    service = serve(authenticate=slow)
    if service.world.name == "asgi":
        pytest.skip("a plain function cannot await the revocation")
    made.append(service)
    assert service.post("/auth/token", username="ada", password="x").status == 503


def test_a_password_that_changed_while_it_was_looked_at_is_the_old_one(
    staff: Callable[..., Any], passwords: Counting
) -> None:
    """The hash that was compared is not the one that is there now."""
    there = staff(ada={})
    document = {"users": {"ada": {"password": passwords.hash("the new password")}}}

    def change() -> None:
        passwords.before = lambda: None
        fresh = write(there.path.with_suffix(".new"), document)
        fresh.replace(there.path)

    passwords.before = change
    assert there.sign_in("ada") is None


def test_a_refresh_token_is_of_use_to_its_own_service_alone(serve: Callable[..., Service]) -> None:
    """Two services with one key and one store: it would have bought a token for the other."""
    got = serve().sign_in()
    other = serve(audience="https://other.example")
    assert other.refresh(got["refresh_token"]).error == "invalid_grant"


def test_a_machine_cannot_have_a_user_s_identity(serve: Callable[..., Service]) -> None:
    """JWT_IDENTITY_CLAIM=client_id would give it one."""
    from jwt_middleware import ConfigurationError

    with pytest.raises(ConfigurationError, match="JWT_IDENTITY_CLAIM"):
        serve(identity_claim="client_id")


def test_answers_of_two_kinds_do_not_mix(serve: Callable[..., Service]) -> None:
    """One without a challenge was kept for all with the same code."""
    service = serve()
    service.send("POST", "/auth/logout", token=service.world.auth.issue("7"))
    answer = service.world.request("/orders", headers=[("Authorization", "Bearer a b")])
    assert (answer.status, answer.header("WWW-Authenticate") is not None) == (400, True)


def test_a_body_that_ends_early_is_not_used(serve: Callable[..., Service]) -> None:
    """The client hung up in the middle."""
    service = serve()
    if service.world.name == "asgi":
        pytest.skip("servers say so by http.disconnect")
    headers = [("Content-Type", "application/json")]
    body = b'{"username":"ada","password":"correct horse"}'
    answer = service.world.request(
        "/auth/token", method="POST", body=body, headers=headers, extra={"CONTENT_LENGTH": "100"}
    )
    assert answer.status == 413


def test_two_issuers_do_not_share_the_counts(serve: Callable[..., Service]) -> None:
    """Who is guessed at one service can sign in at another."""
    one, other = serve(login_attempts="1/hour"), serve(login_attempts="1/hour", issuer="https://other.example")
    assert one.post("/auth/token", username="ada", password="wrong").status == 401
    assert one.post("/auth/token", username="ada", password="wrong").status == 429
    assert other.post("/auth/token", username="ada", password="correct horse").status == 200


def test_the_hook_is_told_whose_token_was_stolen(serve: Callable[..., Service]) -> None:
    """Alerts are made of fields, not of words."""
    events: list[Any] = []
    service = serve(on_event=events.append, refresh_grace=0)
    got = service.sign_in()
    service.refresh(got["refresh_token"])
    service.clock.now += 1
    service.refresh(got["refresh_token"])
    sid = service.get(got["access_token"])
    assert sid.error == "invalid_token"
    stolen = next(event for event in events if event.reason == "refresh_token_reused")
    assert (stolen.subject, bool(stolen.session_id)) == ("7", True)
