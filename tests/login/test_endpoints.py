"""Signing in, staying signed in, signing out: what clients get, through both adapters and on both stores."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.login.service import AUDIENCE, ISSUER, Service
from tests.worlds import Answer

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def of(answer: Answer) -> Any:
    return json.loads(answer.body)


class TestSigningIn:
    """`POST /auth/token`."""

    def test_a_user_signs_in_and_is_let_in(self, service: Service) -> None:
        """The answer is RFC 6749's, and its access token opens the app."""
        got = service.sign_in()
        assert list(got) == ["access_token", "token_type", "expires_in", "refresh_token", "scope"]
        assert (got["token_type"], got["expires_in"], got["scope"]) == ("Bearer", 900, "read write")
        user = service.get(got["access_token"]).user
        assert (user.identity, user.display_name, user.roles, user.scopes) == (
            "7",
            "Ada",
            ("admin",),
            ("read", "write"),
        )

    def test_rfc9068_2_the_access_token_has_every_claim(self, service: Service) -> None:
        """And it passes a verifier that insists on them."""
        token = service.sign_in()["access_token"]
        header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
        assert header["typ"] == "at+jwt"
        claims = service.get(token).user.claims
        assert {"iss": ISSUER, "aud": AUDIENCE, "sub": "7", "client_id": "first-party"}.items() <= claims.items()
        assert {"iat", "exp", "jti", "sid", "auth_time", "scope", "roles"} <= claims.keys()

    def test_no_cache_keeps_a_token(self, service: Service) -> None:
        """RFC 6749 section 5.1."""
        answer = service.post("/auth/token", username="ada", password="correct horse")
        assert (answer.header("Cache-Control"), answer.header("Pragma")) == ("no-store", "no-cache")
        assert answer.header("Content-Type") == "application/json"

    @pytest.mark.parametrize("grant_type", [{}, {"grant_type": "password"}, {"grant_type": "password", "scope": ""}])
    def test_the_oauth_form_does_the_same(self, service: Service, grant_type: dict[str, str]) -> None:
        """With or without grant_type, as a browser's form, curl and OAuth2PasswordBearer send it."""
        answer = service.form("/auth/token", username="ada", password="correct horse", **grant_type)
        assert service.get(of(answer)["access_token"]).user.identity == "7"

    def test_swagger_sends_an_empty_client(self, service: Service) -> None:
        """`Authorization: Basic Og==`, always; it says nothing about the user."""
        parameters = {"grant_type": "password", "username": "ada", "password": "correct horse", "scope": "read"}
        answer = service.form("/auth/token", headers=[("Authorization", "Basic Og==")], **parameters)
        assert (answer.status, of(answer)["scope"]) == (200, "read")

    @pytest.mark.parametrize(
        ("username", "password"), [("ada", "wrong"), ("nobody", "wrong"), ("bob", "correct horse")]
    )
    def test_unknown_user_and_wrong_password_get_the_same_bytes(
        self, service: Service, username: str, password: str
    ) -> None:
        """An answer tells nobody who has an account."""
        answer = service.post("/auth/token", username=username, password=password)
        assert answer.status == 401
        assert of(answer) == {"error": "invalid_grant", "error_description": "The credentials are not valid."}
        assert answer.header("WWW-Authenticate") == 'Bearer realm="api"'

    def test_rfc6749_5_2_a_form_with_bad_credentials_is_400(self, service: Service) -> None:
        """As OAuth clients expect."""
        answer = service.form("/auth/token", grant_type="password", username="ada", password="wrong")
        assert (answer.status, answer.error) == (400, "invalid_grant")

    @pytest.mark.parametrize(
        ("parameters", "error"),
        [
            ({}, "invalid_request"), ({"username": "ada"}, "invalid_request"), ({"password": "x"}, "invalid_request"),
            ({"username": "ada", "password": ""}, "invalid_request"),
            ({"grant_type": "authorization_code", "code": "x"}, "unsupported_grant_type"),
            ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
            ({"grant_type": "refresh_token"}, "invalid_request"),
            ({"username": "ada", "password": "correct horse", "scope": "root"}, "invalid_scope"),
        ],
    )  # fmt: skip
    def test_rfc6749_5_2_each_mistake_has_its_code(self, service: Service, parameters: Any, error: str) -> None:
        """As JSON and as a form."""
        for answer in (service.form("/auth/token", **parameters), service.post("/auth/token", **parameters)):
            assert (answer.status, answer.error) == (400, error)

    @pytest.mark.parametrize(
        ("body", "kind", "status"),
        [
            (b"{", JSON, 400), (b"[]", JSON, 400), (b'{"username":1}', JSON, 400), (b"\xff", JSON, 400),
            (b'{"username":"a","username":"b"}', JSON, 400), (b'{"username":"ada","password":null}', JSON, 400),
            (b"username=ada&username=bob&password=x", FORM, 400), (b"username=%ff&password=x", FORM, 400),
            (b"\xff\xfe", FORM, 400), (b"&".join([b"a=b"] * 60), FORM, 400), (b"x" * 70_000, JSON, 413),
            (b"username=ada&password=correct+horse", "text/plain", 415), (b"x", "multipart/form-data; boundary=x", 415),
        ],
    )  # fmt: skip
    def test_what_we_cannot_read_is_refused(self, service: Service, body: bytes, kind: str, status: int) -> None:
        """Never guessed at, never a 500."""
        answer = service.send("POST", "/auth/token", body, [("Content-Type", kind)])
        assert (answer.status, answer.error) == (status, "invalid_request")

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "post", "OPTIONS", "TRACE", "X"])
    def test_only_its_method_does_anything(self, service: Service, method: str) -> None:
        """Everything else is told so, and never reaches the app."""
        answer = service.send(method, "/auth/token")
        assert (answer.status, answer.header("Allow"), answer.passed) == (405, "POST", False)

    @pytest.mark.parametrize(
        "path",
        ["/auth/token/", "/auth//token", "/AUTH/token", "/auth/./token", "/auth/token;x", "/x/auth/token", "/auth"],
    )
    def test_another_spelling_is_another_path(self, service: Service, path: str) -> None:
        """Which the gate protects like any other."""
        answer = service.send("POST", path, b"username=ada&password=correct+horse")
        assert (answer.status, answer.error) == (401, "unauthorized")

    def test_below_a_mount(self, service: Service) -> None:
        """Paths are the app's, wherever it is mounted."""
        body = b'{"username":"ada","password":"correct horse"}'
        headers = [("Content-Type", "application/json")]
        assert service.send("POST", "/auth/token", body, headers, mount="/shop").status == 200

    def test_the_prefix_can_be_moved(self, serve: Any) -> None:
        """JWT_AUTH_PREFIX."""
        service = serve(auth_prefix="/api/session")
        assert service.post("/api/session/token", username="ada", password="correct horse").status == 200
        assert service.post("/auth/token", username="ada", password="correct horse").error == "unauthorized"


class TestRefreshing:
    """`POST /auth/refresh`, and the same as a grant."""

    def test_each_refresh_gives_new_tokens(self, service: Service) -> None:
        """The session stays the same."""
        first = service.sign_in()
        second = of(service.refresh(first["refresh_token"]))
        assert second["refresh_token"] != first["refresh_token"]
        users = [service.get(got["access_token"]).user for got in (first, second)]
        assert users[0].session_id == users[1].session_id
        assert users[0].token_id != users[1].token_id

    def test_the_oauth_form_refreshes_too(self, service: Service) -> None:
        """grant_type=refresh_token (RFC 6749 section 6), at either path."""
        token = service.sign_in()["refresh_token"]
        answer = service.form("/auth/token", grant_type="refresh_token", refresh_token=token)
        assert answer.status == 200
        assert service.form("/auth/refresh", refresh_token=of(answer)["refresh_token"]).status == 200

    def test_a_lost_answer_is_asked_for_again(self, service: Service) -> None:
        """Within the grace the same refresh token comes back."""
        token = service.sign_in()["refresh_token"]
        first, again = of(service.refresh(token)), of(service.refresh(token))
        assert first["refresh_token"] == again["refresh_token"]

    def test_rfc9700_4_14_2_a_stolen_token_ends_the_session(self, service: Service, caplog: Any) -> None:
        """After the grace the old one ends the session and its access tokens, and the log says so."""
        first = service.sign_in()
        second = of(service.refresh(first["refresh_token"]))
        service.clock.now += 11
        answer = service.refresh(first["refresh_token"])
        assert (answer.status, answer.error) == (401, "invalid_grant")
        assert "refresh_token_reused" in caplog.text
        assert service.refresh(second["refresh_token"]).status == 401
        assert service.get(second["access_token"]).error == "invalid_token"

    def test_a_forged_token_with_a_real_sid_changes_nothing(self, service: Service) -> None:
        """The MAC is checked before the store is asked."""
        token = service.sign_in()["refresh_token"]
        for position in range(4, len(token)):
            forged = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
            assert service.refresh(forged).status == 401
        assert service.refresh(token).status == 200

    @pytest.mark.parametrize("junk", ["x", "rt1.", "rt1." + "A" * 75, "rt1." + "é" * 75, "a.b.c"])
    def test_junk_is_no_refresh_token(self, service: Service, junk: str) -> None:
        """401 for JSON, 400 for the form."""
        assert service.refresh(junk).error == "invalid_grant"
        assert service.form("/auth/refresh", refresh_token=junk).status == 400

    def test_tokens_are_not_interchangeable(self, service: Service) -> None:
        """A refresh token is no access token, and the other way round."""
        got = service.sign_in()
        assert service.get(got["refresh_token"]).error == "invalid_token"
        assert service.refresh(got["access_token"]).error == "invalid_grant"

    def test_inactivity_and_the_absolute_end(self, serve: Any) -> None:
        """Both end it."""
        service = serve(refresh_token_expires=1000, session_expires=1500)
        token = service.sign_in()["refresh_token"]
        service.clock.now += 900
        token = of(service.refresh(token))["refresh_token"]
        service.clock.now += 500
        got = of(service.refresh(token))
        assert got["expires_in"] == 100
        service.clock.now += 101
        assert service.refresh(got["refresh_token"]).status == 401
        idle = service.sign_in()["refresh_token"]
        service.clock.now += 1001
        assert service.refresh(idle).status == 401

    def test_rfc6749_6_a_scope_can_only_shrink(self, service: Service) -> None:
        """And what was narrowed once may be wide again next time, as far as it was granted."""
        token = service.sign_in(scope="read")["refresh_token"]
        assert service.refresh(token, scope="write").error == "invalid_scope"
        assert of(service.refresh(token, scope="read"))["scope"] == "read"
        wide = service.sign_in()["refresh_token"]
        narrowed = of(service.refresh(wide, scope="read"))
        assert service.get(narrowed["access_token"]).user.scopes == ("read",)
        assert of(service.refresh(narrowed["refresh_token"]))["scope"] == "read write"

    def test_a_user_whom_the_app_rejects_cannot_refresh(self, serve: Any) -> None:
        """JWT_CHECK_USER is asked at sign-in and at each refresh; its no ends the session."""
        banned: set[str] = set()
        service = serve(check_user=lambda user: user.identity not in banned)
        got = service.sign_in()
        banned.add("7")
        assert service.refresh(got["refresh_token"]).error == "invalid_grant"
        assert service.post("/auth/token", username="ada", password="correct horse").error == "invalid_grant"
        banned.clear()
        assert service.refresh(got["refresh_token"]).error == "invalid_grant"

    def test_revoking_a_subject_ends_its_sessions(self, service: Service) -> None:
        """ "Compromised account" is one call; who signs in afterwards is let in."""
        got = service.sign_in()
        service.world.revoke_subject("7")
        assert service.refresh(got["refresh_token"]).status == 401
        service.clock.now += 1
        assert service.get(service.sign_in()["access_token"]).passed

    def test_signing_in_within_the_second_of_a_cut_off_is_never_dead_at_birth(self, service: Service) -> None:
        """The clock of this test stands still, so the cut-off never passes: 503, not a token that is refused."""
        service.world.revoke_subject("7")
        answer = service.post("/auth/token", username="ada", password="correct horse")
        assert (answer.status, answer.error) == (503, "temporarily_unavailable")


class TestSigningOut:
    """Logout, everywhere too, sessions, and RFC 7009."""

    def test_logout_ends_both_tokens(self, service: Service) -> None:
        """By the refresh token or by the access token."""
        for by in ("refresh_token", "access_token"):
            got = service.sign_in()
            if by == "refresh_token":
                answer = service.post("/auth/logout", refresh_token=got["refresh_token"])
            else:
                answer = service.send("POST", "/auth/logout", token=got["access_token"])
            assert (answer.status, answer.body) == (204, b"")
            assert service.get(got["access_token"]).error == "invalid_token"
            assert service.refresh(got["refresh_token"]).error == "invalid_grant"

    def test_another_session_lives_on(self, service: Service) -> None:
        """Signing out here is not signing out there."""
        here, there = service.sign_in(), service.sign_in()
        service.send("POST", "/auth/logout", token=here["access_token"])
        assert service.get(there["access_token"]).passed
        assert service.refresh(there["refresh_token"]).status == 200

    def test_logout_everywhere_ends_all_of_them(self, service: Service) -> None:
        """And nobody else's."""
        here, there, bobs = service.sign_in(), service.sign_in(), service.sign_in("bob")
        assert service.send("POST", "/auth/logout-everywhere", token=here["access_token"]).status == 204
        for got in (here, there):
            assert service.get(got["access_token"]).error == "invalid_token"
            assert service.refresh(got["refresh_token"]).error == "invalid_grant"
        assert service.get(bobs["access_token"]).passed

    def test_logging_out_with_nothing_is_refused(self, service: Service) -> None:
        """There is nothing to end."""
        assert service.post("/auth/logout").error == "unauthorized"
        assert service.post("/auth/logout", refresh_token="rt1.x").error == "unauthorized"

    def test_a_token_without_a_session_has_none_to_end(self, service: Service) -> None:
        """As `auth.issue` makes them: revoke the token instead."""
        token = service.world.auth.issue("7")
        assert service.send("POST", "/auth/logout", token=token).error == "invalid_request"

    def test_sessions_are_listed(self, service: Service) -> None:
        """With what their owner knows them by, and without anything that opens them."""
        body = b'{"username":"ada","password":"correct horse"}'
        headers = [("Content-Type", "application/json"), ("User-Agent", "Firefox é\x7f" + "x" * 500)]
        first = of(service.send("POST", "/auth/token", body, headers, peer="192.0.2.1"))
        service.clock.now += 60
        second = service.sign_in()
        service.sign_in("bob")
        found = of(service.send("GET", "/auth/sessions", token=first["access_token"]))["sessions"]
        assert [each["current"] for each in found] == [False, True]
        assert found[1]["address"] == "192.0.2.1"
        assert found[1]["label"].startswith("Firefox ")
        assert len(found[1]["label"]) < 140
        assert found[1]["created"] == found[1]["last_used"] == service.clock.now - 60
        assert service.get(second["access_token"]).user.session_id == found[0]["id"]
        assert set(found[0]) == {"id", "label", "address", "created", "last_used", "current"}

    def test_one_of_them_is_ended_from_another(self, service: Service) -> None:
        """The lost phone."""
        here, phone = service.sign_in(), service.sign_in()
        sid = service.get(phone["access_token"]).user.session_id
        answer = service.send("DELETE", f"/auth/sessions/{sid}", token=here["access_token"])
        assert answer.status == 204
        assert service.get(phone["access_token"]).error == "invalid_token"
        assert service.get(here["access_token"]).passed

    def test_nobody_ends_the_session_of_another(self, service: Service) -> None:
        """A `sid` is no secret, so knowing it must not be enough."""
        ada, bob = service.sign_in(), service.sign_in("bob")
        sid = service.get(ada["access_token"]).user.session_id
        assert service.send("DELETE", f"/auth/sessions/{sid}", token=bob["access_token"]).status == 404
        assert service.send("DELETE", f"/auth/sessions/{sid}").error == "unauthorized"
        assert service.get(ada["access_token"]).passed

    def test_rfc7009_2_revoking_by_the_token_itself(self, service: Service) -> None:
        """A refresh token takes its session along, an access token only itself."""
        got = service.sign_in()
        assert service.form("/auth/revoke", token=got["access_token"]).status == 200
        assert service.get(got["access_token"]).error == "invalid_token"
        got = of(service.refresh(got["refresh_token"]))
        answer = service.form("/auth/revoke", token=got["refresh_token"], token_type_hint="access_token")
        assert answer.status == 200
        assert service.get(got["access_token"]).error == "invalid_token"
        assert service.refresh(got["refresh_token"]).status == 401

    @pytest.mark.parametrize("token", ["junk", "rt1.junk", "a.b.c"])
    def test_rfc7009_2_2_what_is_no_token_is_as_good_as_revoked(self, service: Service, token: str) -> None:
        """200, so that nobody can ask which tokens there are."""
        assert service.form("/auth/revoke", token=token).status == 200
        assert service.form("/auth/revoke").error == "invalid_request"


def test_pages_of_an_allowed_origin_may_sign_in(serve: Any) -> None:
    """CORS on our own answers, good and bad, and the preflight."""
    service = serve(allowed_origins="https://app.example")
    origin = ("Origin", "https://app.example")
    asked = [origin, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")]
    answer = service.send("OPTIONS", "/auth/token", headers=asked)
    assert (answer.status, answer.header("Access-Control-Allow-Origin")) == (204, "https://app.example")
    assert answer.header("Access-Control-Allow-Methods") == "POST"
    assert "content-type" in (answer.header("Access-Control-Allow-Headers") or "")
    for password in ("correct horse", "wrong"):
        answer = service.post("/auth/token", headers=[origin], username="ada", password=password)
        assert answer.header("Access-Control-Allow-Origin") == "https://app.example"
    other = [("Origin", "https://evil.example"), *asked[1:]]
    assert service.send("OPTIONS", "/auth/token", headers=other).header("Access-Control-Allow-Origin") is None


def test_passwords_travel_over_https_alone_where_it_is_required(serve: Any) -> None:
    """JWT_REQUIRE_HTTPS holds for what we serve ourselves."""
    service = serve(require_https=True)
    assert service.post("/auth/token", username="ada", password="correct horse").error == "invalid_request"
    body, kind = b'{"username":"ada","password":"correct horse"}', [("Content-Type", "application/json")]
    assert service.send("POST", "/auth/token", body, kind, scheme="https").status == 200


def test_the_hot_path_stays_hot(service: Service) -> None:
    """A known token on another path is answered from memory; ours are recognised at any mount."""
    gate = service.world.auth.core.gate
    assert not gate.guarded
    assert gate.own("/shop/auth/token")
    assert not gate.own("/orders")
