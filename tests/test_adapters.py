"""What a client gets and what an app sees, through both adapters alike."""

from __future__ import annotations

import json
import logging
from typing import Any, ClassVar

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jwt_middleware import ConfigurationError, InvalidToken, Unavailable, User, asgi, current_user, wsgi
from jwt_middleware.user import ANONYMOUS
from tests.worlds import NOW, SECRET, ASGIWorld

ORIGIN = "https://app.example"


def signed(**claims: Any) -> str:
    """A token of the test's own making, good unless told otherwise."""
    return pyjwt.encode({"sub": "42", "exp": NOW + 900, **claims}, SECRET)


def test_a_good_token_reaches_the_app_as_a_user(protect):
    """The app sees who it is, what it may do, and every claim."""
    gate = protect()
    token = gate.auth.issue("42", scope="read write", claims={"name": "Ada", "roles": ["admin"], "sid": "s1"})
    answer = gate.request(token=token)
    user = answer.user
    assert (answer.status, answer.body) == (200, b"the app")
    assert (user.identity, user.display_name, user.is_authenticated) == ("42", "Ada", True)
    assert (user.scopes, user.roles, user.session_id) == (("read", "write"), ("admin",), "s1")
    assert user.token_id == user.claims["jti"]
    assert user.claims["client_id"] == "first-party"
    assert answer.seen[0].current is user


def test_the_second_request_comes_from_memory(protect):
    """A known credential gives the very same user object: nothing was verified again."""
    gate = protect()
    token = gate.auth.issue("42")
    assert gate.request(token=token).user is gate.request(token=token).user


def test_an_exception_tells_as_much_of_the_sender_as_is_certain(protect, tmp_path):
    """The issuer once its key has signed, the user once the whole token is good, and of a forged one nothing."""
    gate = protect(issuer="us", store_url=f"sqlite:///{tmp_path}/store.db")
    revoked = gate.auth.issue("42")
    gate.revoke_subject("42")
    now = {"iat": NOW, "jti": "1", "iss": "us"}
    for token, issuer, identity in (
        (revoked, None, "42"), (signed(**now | {"exp": 1}), "us", None), (signed(**now | {"iss": "x"}), "us", None),
        (signed(**now)[:-3] + "AAA", None, None), ("junk", None, None),
    ):  # fmt: skip
        with pytest.raises(InvalidToken) as caught:
            gate.verify(token)
        assert caught.value.issuer == issuer
        assert (caught.value.user and caught.value.user.identity) == identity


def test_memory_is_not_used_longer_than_it_may_be(protect, clock):
    """After JWT_CACHE_SECONDS a token is verified anew."""
    gate = protect(cache_seconds=30)
    token = gate.auth.issue("42")
    first = gate.request(token=token).user
    clock.now += 30
    assert gate.request(token=token).user is not first


def test_a_remembered_token_expires_on_time(protect, clock):
    """Memory never outlives the token: at exp plus leeway it is refused, hit or not."""
    gate = protect(leeway=5, cache_seconds=3600)
    token = gate.auth.issue("42", expires_in=60)
    clock.now += 64.9
    assert gate.request(token=token).status == 200
    clock.now += 0.1
    assert gate.request(token=token).error == "invalid_token"


def test_no_token_is_challenged_without_an_error(protect):
    """RFC 6750 section 3.1: who brought nothing is told the realm and no error (A7, A11)."""
    answer = protect(realm="orders").request()
    assert (answer.status, answer.error, answer.passed) == (401, "unauthorized", False)
    assert answer.header("WWW-Authenticate") == 'Bearer realm="orders"'
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Content-Length") == str(len(answer.body))


@pytest.mark.parametrize(
    ("value", "status", "error"),
    [
        pytest.param("Basic dXNlcjpwYXNz", 401, "unauthorized", id="A11-other-scheme"),
        pytest.param("DPoP abc", 401, "unauthorized", id="A11-dpop"),
        pytest.param("", 400, "invalid_request", id="A12-empty"),
        pytest.param("Bearer", 400, "invalid_request", id="A12-scheme-alone"),
        pytest.param("Bearer ", 400, "invalid_request", id="A12-no-token"),
        pytest.param("Bearer  a.b.c", 400, "invalid_request", id="A2-two-spaces"),
        pytest.param("Bearer\ta.b.c", 400, "invalid_request", id="A2-tab"),
        pytest.param("Bearer a.b.c d", 400, "invalid_request", id="A2-two-words"),
        pytest.param('Bearer "a.b.c"', 400, "invalid_request", id="A2-quoted"),
        pytest.param("Bearer: a.b.c", 400, "invalid_request", id="A2-colon"),
        pytest.param("Bearer a.b.c,", 400, "invalid_request", id="A3-trailing-comma"),
        pytest.param("Bearer a.b.c, Bearer a.b.c", 400, "invalid_request", id="A3-joined"),
        pytest.param("Basic x, Bearer a.b.c", 400, "invalid_request", id="A3-hidden-behind-basic"),
        pytest.param(b"Bearer \xff\xfe", 400, "invalid_request", id="high-bytes"),
        pytest.param(b"Bearer a.b.c\x1b[31m", 400, "invalid_request", id="escape"),
        pytest.param("Bearer a.b.c\n", 400, "invalid_request", id="line-end"),
        pytest.param("Bearer abc", 401, "invalid_token", id="A13-opaque"),
        pytest.param("Bearer a.b.c", 401, "invalid_token", id="A13-junk"),
        pytest.param("Bearer " + "a" * 9000, 401, "invalid_token", id="CVE-2025-61920-too-long"),
        pytest.param("Bearer " + "." * 8000, 401, "invalid_token", id="CVE-2025-30204-dots"),
    ],
)
def test_what_is_not_one_bearer_token_is_refused(protect, value, status, error):
    """Nothing is guessed at: other schemes are no credential, ours badly written is a bad request."""
    answer = protect().request(headers=[("Authorization", value)])
    assert (answer.status, answer.error, answer.passed) == (status, error, False)
    assert answer.header("WWW-Authenticate").startswith('Bearer realm="api"')


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_compared_in_any_case(protect, scheme):
    """RFC 9110 section 11.1: `bearer` is `Bearer` (A2)."""
    gate = protect()
    assert gate.request(headers=[("Authorization", f"{scheme} {gate.auth.issue('42')}")]).user.identity == "42"


def test_two_credentials_are_refused_even_when_equal(protect):
    """CVE-2025-64527: never the first, never the last, never any that is valid (A3)."""
    gate = protect()
    good = f"Bearer {gate.auth.issue('42')}"
    assert gate.request(headers=[("Authorization", good), ("Authorization", good)]).error == "invalid_request"


@pytest.mark.parametrize(
    "name", ["Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization", "Cookie", "Authorization-X"]
)
def test_a_token_elsewhere_is_no_token(protect, name):
    """Only the configured header is read."""
    gate = protect()
    assert gate.request(headers=[(name, f"Bearer {gate.auth.issue('42')}")]).error == "unauthorized"


def test_every_cause_of_an_invalid_token_has_the_same_answer(protect):
    """An answer tells nothing of keys, issuers and audiences (RFC 8725; design rule 9)."""
    gate = protect(issuer="https://idp.example", audience="api")
    good = {"iss": "https://idp.example", "aud": "api"}
    bad = [
        signed(**good | {"iss": "https://evil.example"}),
        signed(**good | {"aud": "other"}),
        signed(**good)[:-2] + "AA",
        pyjwt.encode(good | {"sub": "42", "exp": NOW + 9}, "x" * 40, headers={"kid": "nobody"}),
        "junk",
    ]
    answers = [gate.request(token=token) for token in bad]
    assert len({(a.status, tuple(a.headers), a.body) for a in answers}) == 1
    assert answers[0].header("WWW-Authenticate").startswith('Bearer realm="api", error="invalid_token"')


def test_expiry_is_told_only_once_the_signature_verified(protect):
    """CVE-2024-51744: a forged and expired token looks like any forged one."""
    gate = protect()
    expired = signed(exp=NOW - 100)
    assert b"expired" in gate.request(token=expired).body
    assert b"expired" not in gate.request(token=expired[:-3] + "AAA").body


def test_a_head_request_is_refused_without_a_body(protect):
    """RFC 9110 section 9.3.2: the same head as for GET, and nothing after it."""
    answer = protect().request(method="HEAD")
    assert (answer.status, answer.body) == (401, b"")
    assert int(answer.header("Content-Length")) > 0


@pytest.mark.parametrize("method", ["GET", "POST", "get", "TRACE", "QUERY", "OPTIONS"])
def test_every_method_needs_a_token(protect, method):
    """No method is safe by its name, plain OPTIONS included."""
    assert protect().request(method=method).status == 401


class TestIdentityFromOutside:
    """What servers, outer layers and clients put there is gone before the app looks."""

    PRESET: ClassVar = {
        "REMOTE_USER": "root", "AUTH_TYPE": "Basic", "jwt_middleware.user": User("root"), "jwt_middleware.x": "root",
        "user": User("root"), "auth": User("root"),
    }  # fmt: skip

    @pytest.mark.parametrize("path", ["/health", "/optional"])
    def test_it_is_removed_on_open_paths_too(self, protect, path):
        """CVE-2015-0219 and Envoy #46586: sanitise first, then decide."""
        gate = protect(exempt_paths="/health", optional_paths="/optional")
        answer = gate.request(path, extra=dict(self.PRESET))
        seen = answer.seen[0].surroundings
        assert answer.user is ANONYMOUS
        assert answer.seen[0].current is ANONYMOUS
        if gate.name == "wsgi":
            assert not {"REMOTE_USER", "AUTH_TYPE", "jwt_middleware.x"} & seen.keys()
        else:
            assert seen["user"] is ANONYMOUS
            assert seen["auth"].scopes == ()

    def test_it_is_replaced_by_the_token_s(self, protect):
        """With a good token the app sees the token's user, not the preset one."""
        gate = protect()
        answer = gate.request(token=gate.auth.issue("42", scope="read"), extra=dict(self.PRESET))
        seen = answer.seen[0].surroundings
        if gate.name == "wsgi":
            assert (seen["REMOTE_USER"], seen["AUTH_TYPE"]) == ("42", "Bearer")
            assert "jwt_middleware.x" not in seen
        else:
            assert seen["auth"].scopes == ("authenticated", "read")
        assert answer.user.identity == "42"

    def test_headers_never_become_the_user(self, protect):
        """CVE-2026-3902: `Remote_User`, `X-User` and their like are headers, not identities."""
        headers = [(name, "root") for name in ("Remote-User", "REMOTE_USER", "X-User", "X-Remote-User", "Auth-Type")]
        gate = protect(optional_paths="/")
        answer = gate.request(headers=headers)
        assert answer.user is ANONYMOUS
        assert "REMOTE_USER" not in answer.seen[0].surroundings


def test_an_anonymous_user_is_never_missing(protect):
    """An app may read the user anywhere: identity is empty, claims are `{}`."""
    user = protect(exempt_paths="/health").request("/health").user
    assert (user.identity, dict(user.claims), user.scopes, user.is_authenticated) == ("", {}, (), False)
    assert (user.token_id, user.session_id, user.issuer, user.display_name) == (None, None, None, "")


def test_outside_a_request_the_user_is_anonymous():
    """`current_user()` works before any request."""
    import contextvars

    assert contextvars.Context().run(current_user) is ANONYMOUS


def test_the_user_cannot_be_changed(protect):
    """One request cannot alter what the next one sees from memory."""
    gate = protect()
    user = gate.request(token=gate.auth.issue("42", claims={"roles": ["a"], "deep": {"list": [{"x": 1}]}})).user
    with pytest.raises(AttributeError):
        user.identity = "root"
    with pytest.raises(TypeError):
        user.claims["roles"] = ["root"]
    with pytest.raises(TypeError):
        user.claims["deep"]["list"][0]["x"] = 2
    assert json.loads(json.dumps(user.claims))["deep"] == {"list": [{"x": 1}]}


def test_a_refused_request_has_no_user(protect):
    """Whoever logs the refusal must not see the last user of this thread."""
    gate = protect()
    seen = []
    gate.request(token=gate.auth.issue("42"))
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(current_user())
    logging.getLogger("jwt_middleware").addHandler(handler)
    try:
        gate.request(token="junk")
    finally:
        logging.getLogger("jwt_middleware").removeHandler(handler)
    assert seen == [ANONYMOUS]


class TestPaths:
    """Exempt and optional paths: exact, or all below; anything that can be read twice needs a token."""

    def test_an_exempt_path_is_not_looked_at(self, protect):
        """Not even a good token makes a user there, and a bad one does not hurt."""
        gate = protect(exempt_paths="/health")
        assert gate.request("/health").user is ANONYMOUS
        assert gate.request("/health", token="junk").user is ANONYMOUS
        assert gate.request("/health", token=gate.auth.issue("42")).user is ANONYMOUS

    def test_optional_means_absent_never_invalid(self, protect):
        """CVE-2021-21378: a bad token on an optional path is refused."""
        gate = protect(optional_paths="/feed")
        assert gate.request("/feed").user is ANONYMOUS
        assert gate.request("/feed", headers=[("Authorization", "Basic eDp5")]).user is ANONYMOUS
        assert gate.request("/feed", token=gate.auth.issue("42")).user.identity == "42"
        assert gate.request("/feed", token="junk").status == 401
        assert gate.request("/feed", headers=[("Authorization", "")]).status == 400

    @pytest.mark.parametrize("path", ["/static/", "/static/a.css", "/static/a/b", "/static/für.css"])
    def test_below_means_below(self, protect, path):
        """`/static/**` opens `/static/` and everything under it."""
        assert protect(exempt_paths="/static/**").request(path).passed

    @pytest.mark.parametrize(
        "path",
        [
            "/health/", "/healthz", "/HEALTH", "health", "", "*", "/static", "/staticx", "/static/../private",
            "/static/./x", "/static/..", "/static//x", "//static/x", "/static/x;y", "/static/a\\b", "/static/%2e%2e/x",
            "/static/a\x00b", "/health\n", "/health\x00", "/static/..\u002fx", "/static/\uff0e\uff0e/x",
            "/static/x\uff0f..\uff0fy", "http://evil/static/x", "/x/static/y", "/health?", "/static/\ufffd",
        ],
    )  # fmt: skip
    def test_what_only_looks_open_is_closed(self, protect, path):
        """CVE-2026-22031 and its many kin: suffixes, cases, dots, slashes, encodings."""
        assert protect(exempt_paths="/health,/static/**").request(path).status == 401

    @pytest.mark.parametrize(
        "raw",
        [b"/static%2fx", b"/static/%2e%2E/x", b"/static/x%5cy", b"/static/x%00", b"/static/x%3by", b"/static/%25x"],
    )
    def test_an_encoded_separator_is_closed(self, protect, raw):
        """The raw path tells what decoding hid, where the server hands it over."""
        assert protect(exempt_paths="/static/**").request("/static/x", raw_path=raw).status == 401

    def test_a_mounted_app_is_matched_by_its_own_paths(self, protect):
        """root_path and SCRIPT_NAME do not count: the path is the one that the app sees."""
        gate = protect(exempt_paths="/health")
        assert gate.request("/health", mount="/v1").passed
        assert gate.request("/v1/health", mount="").status == 401
        assert gate.request("/health", mount="/health").passed
        assert gate.request("/x", mount="/health").status == 401

    def test_a_proxy_may_strip_the_prefix(self):
        """Then root_path is not in the path, and the app reads the path as it is: so do we."""
        gate = ASGIWorld(secret_key=SECRET, exempt_paths="/health")
        assert gate.request("/health", extra={"root_path": "/api"}).passed
        assert gate.request("/healthx", extra={"root_path": "/health"}).status == 401

    @pytest.mark.parametrize(
        "name",
        ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-HTTP-Method-Override", "X-Middleware-Subrequest"],
    )
    def test_no_header_moves_a_request(self, protect, name):
        """CVE-2025-29927: the path is the request's own."""
        assert protect(exempt_paths="/health").request("/private", headers=[(name, "/health")]).status == 401


class TestCORS:
    """True preflights reach the app; our own answers can be read by pages that we know."""

    PREFLIGHT = (("Origin", ORIGIN), ("Access-Control-Request-Method", "POST"))

    def test_a_true_preflight_passes_as_anonymous(self, protect):
        """A browser sends no credential with it, and the app's CORS layer answers (A19)."""
        assert protect().request(method="OPTIONS", headers=self.PREFLIGHT).user is ANONYMOUS
        headers = [*self.PREFLIGHT, ("Content-Length", "0"), ("Access-Control-Request-Headers", "authorization")]
        assert protect().request(method="OPTIONS", headers=headers).user is ANONYMOUS

    @pytest.mark.parametrize(
        ("method", "headers"),
        [
            pytest.param("GET", PREFLIGHT, id="not-options"),
            pytest.param("options", PREFLIGHT, id="lower-case"),
            pytest.param("OPTIONS", PREFLIGHT[:1], id="no-asked-method"),
            pytest.param("OPTIONS", PREFLIGHT[1:], id="no-origin"),
            pytest.param("OPTIONS", (*PREFLIGHT, PREFLIGHT[0]), id="two-origins"),
            pytest.param("OPTIONS", (("Origin", f"{ORIGIN}, {ORIGIN}"), PREFLIGHT[1]), id="two-origins-joined"),
            pytest.param("OPTIONS", (*PREFLIGHT, PREFLIGHT[1]), id="two-asked-methods"),
            pytest.param("OPTIONS", (("Origin", ""), PREFLIGHT[1]), id="empty-origin"),
            pytest.param("OPTIONS", (PREFLIGHT[0], ("Access-Control-Request-Method", "")), id="empty-method"),
            pytest.param("OPTIONS", (*PREFLIGHT, ("Cookie", "a=b")), id="with-a-cookie"),
            pytest.param("OPTIONS", (*PREFLIGHT, ("Content-Length", "3")), id="with-a-body"),
            pytest.param("OPTIONS", (*PREFLIGHT, ("Transfer-Encoding", "chunked")), id="with-a-stream"),
            pytest.param("OPTIONS", (*PREFLIGHT, ("X-HTTP-Method-Override", "DELETE")), id="overridden"),
            pytest.param("OPTIONS", (*PREFLIGHT, ("Authorization", "Bearer junk")), id="with-a-credential"),
            pytest.param("OPTIONS", (*PREFLIGHT, ("Authorization", "Basic junk")), id="with-another-credential"),
        ],
    )
    def test_what_is_not_quite_a_preflight_needs_a_token(self, protect, method, headers):
        """The way past is exactly as wide as a preflight."""
        assert protect().request(method=method, headers=headers).status == 401

    def test_a_known_page_may_read_our_refusal(self, protect):
        """Without these headers a browser hides the 401, and its developer sees a CORS error instead."""
        answer = protect(allowed_origins=ORIGIN).request(headers=[("Origin", ORIGIN)])
        assert answer.header("Access-Control-Allow-Origin") == ORIGIN
        assert "WWW-Authenticate" in answer.header("Access-Control-Expose-Headers")
        assert answer.header("Vary") == "Origin"

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil", ORIGIN.upper()])
    def test_an_unknown_page_may_not(self, protect, origin):
        """An origin is compared whole, and never reflected."""
        answer = protect(allowed_origins=ORIGIN).request(headers=[("Origin", origin)])
        assert answer.header("Access-Control-Allow-Origin") is None
        assert answer.header("Vary") == "Origin"


class TestHTTPS:
    """JWT_REQUIRE_HTTPS: a token that came in clear has been seen by others."""

    @pytest.mark.parametrize(
        ("scheme", "peer", "forwarded", "status"),
        [
            pytest.param("https", "203.0.113.9", None, 200, id="direct"),
            pytest.param("http", "203.0.113.9", None, 400, id="clear"),
            pytest.param("http", "203.0.113.9", "https", 400, id="untrusted-peer-claims"),
            pytest.param("http", "10.1.2.3", "https", 200, id="trusted-proxy"),
            pytest.param("http", "::ffff:10.1.2.3", "https", 200, id="trusted-proxy-mapped"),
            pytest.param("http", "10.1.2.3", "http", 400, id="proxy-says-clear"),
            pytest.param("http", "10.1.2.3", "https,http", 400, id="one-hop-clear"),
            pytest.param("http", "10.1.2.3", None, 400, id="proxy-silent"),
            pytest.param("https", "10.1.2.3", "http", 400, id="clear-before-the-proxy"),
            pytest.param("http", "", "https", 200, id="unix-socket"),
            pytest.param("http", "not-an-address", "https", 400, id="odd-peer"),
        ],
    )
    def test_the_transport_is_judged(self, protect, scheme, peer, forwarded, status):
        """Only a trusted proxy's word counts beside the server's own."""
        gate = protect(require_https=True, trusted_proxies="10.0.0.0/8,unix")
        headers = [] if forwarded is None else [("X-Forwarded-Proto", forwarded)]
        answer = gate.request(token=gate.auth.issue("42"), scheme=scheme, peer=peer, headers=headers)
        assert answer.status == status

    def test_a_remembered_token_is_judged_too(self, protect):
        """The transport is looked at on every request, not once per token."""
        gate = protect(require_https=True)
        token = gate.auth.issue("42")
        assert gate.request(token=token, scheme="https").status == 200
        assert gate.request(token=token, scheme="http").status == 400

    def test_a_health_probe_may_come_in_clear(self, protect):
        """An exempt path is not looked at, so probes inside a cluster keep working."""
        assert protect(require_https=True, exempt_paths="/health").request("/health").status == 200


class TestRevocation:
    """What has been revoked is refused at once, by this process and every other."""

    @pytest.fixture
    def gate(self, protect, tmp_path):
        """A gate with the embedded store."""
        return protect(store_url=f"sqlite:///{tmp_path}/store.db")

    def test_a_revoked_token_is_refused_although_remembered(self, gate):
        """Sign-out holds from the moment it was answered."""
        token = gate.auth.issue("42")
        gate.revoke(gate.request(token=token).user)
        assert gate.request(token=token).error == "invalid_token"
        assert gate.request(token=gate.auth.issue("42")).status == 200

    def test_a_subject_s_tokens_up_to_now_are_refused(self, gate, clock):
        """`iat <= T`: the same second falls too, the next one is free."""
        token, other = gate.auth.issue("42"), gate.auth.issue("43")
        gate.revoke_subject("42")
        assert gate.request(token=token).status == 401
        assert gate.request(token=gate.auth.issue("42")).status == 401
        assert gate.request(token=other).status == 200
        clock.now += 1
        assert gate.request(token=gate.auth.issue("42")).status == 200

    def test_a_session_s_tokens_are_refused(self, gate):
        """Whatever carries the `sid` has ended."""
        token = gate.auth.issue("42", claims={"sid": "s1"})
        gate.revoke_session("s1")
        assert gate.request(token=token).status == 401
        assert gate.request(token=gate.auth.issue("42", claims={"sid": "s2"})).status == 200

    def test_a_cut_off_holds_for_parts_of_its_second(self, gate, clock):
        """RFC 7519 section 2: dates may have fractions; half a second after the whole one is still that second (C9)."""
        token = signed(jti="1", iat=NOW + 0.7)
        clock.now += 0.9
        gate.revoke_subject("42")
        assert gate.request(token=token).status == 401

    def test_another_issuer_s_clock_may_be_ahead(self, protect, tmp_path, clock):
        """Its tokens of the next seconds exist already: where we only verify, a cut-off reaches over the leeway."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        gate = protect(public_key=pem, allow_any_audience=True, store_url=f"sqlite:///{tmp_path}/s.db", leeway=30)
        claims = {"sub": "42", "jti": "1", "iat": NOW + 20, "exp": NOW + 900}
        token = pyjwt.encode(claims, key, "ES256")
        assert gate.request(token=token).status == 200
        gate.revoke_subject("42")
        assert gate.request(token=token).status == 401

    @pytest.mark.parametrize("claim", ["client_id", "azp", "cid", "appid"])
    def test_a_client_is_known_by_any_of_its_names(self, gate, claim):
        """RFC 9068, OpenID Connect, Okta and Entra ID each have a name for it."""
        token = signed(jti="1", iat=NOW, **{"client_id": "front", claim: "leaked"})
        gate.drive(gate.auth.core.revoker.revoke_client("leaked"))
        assert gate.request(token=token).status == 401

    @pytest.mark.parametrize("name", ["", None, 42])
    def test_what_names_nobody_cannot_be_revoked(self, gate, name):
        """`revoke_subject(current_user().identity)` on an exempt path must not succeed and end nothing."""
        with pytest.raises(ValueError, match="not empty"):
            gate.revoke_subject(name)

    def test_clients_and_issuers_can_be_cut_off(self, gate, clock):
        """A leaked client or a compromised issuer is one write."""
        revoker = gate.auth.core.revoker
        theirs = gate.auth.issue("42")
        gate.drive(revoker.revoke_client("first-party"))
        assert gate.request(token=theirs).status == 401
        clock.now += 1
        token = gate.auth.issue("42")
        assert gate.request(token=token).status == 200
        gate.drive(revoker.revoke_issuer())
        assert gate.request(token=token).status == 401

    def test_another_spelling_of_the_token_is_revoked_too(self, gate):
        """CVE-2026-102269: revocation goes by `jti`, so the text of the token does not matter."""
        token = gate.auth.issue("42")
        claims = dict(gate.verify(token).claims)
        gate.revoke(gate.verify(token))
        assert gate.request(token=pyjwt.encode(claims, SECRET, headers={"x": "y"})).status == 401

    @pytest.mark.parametrize("missing", ["jti", "iat"])
    def test_a_token_that_could_not_be_revoked_is_refused(self, gate, missing):
        """With a store every token must say which it is and when it was made."""
        claims = {"jti": "1", "iat": NOW}
        del claims[missing]
        assert gate.request(token=signed(**claims)).error == "invalid_token"

    def test_revoking_an_anonymous_user_is_an_error(self, gate):
        """A sign-out view on an exempt path must not succeed while the token lives on."""
        with pytest.raises(ValueError, match="without a token"):
            gate.revoke(ANONYMOUS)

    def test_verify_asks_the_store_as_well(self, gate):
        """`auth.verify` is as strict as a request."""
        token = gate.auth.issue("42")
        gate.revoke(gate.verify(token))
        with pytest.raises(Exception, match="revoked"):
            gate.verify(token)

    def test_without_a_store_revoking_says_what_to_set(self, protect):
        """It must not pretend."""
        gate = protect()
        with pytest.raises(ConfigurationError, match="JWT_STORE_URL"):
            gate.revoke(gate.verify(gate.auth.issue("42")))

    def test_a_store_that_cannot_answer_is_503(self, protect, tmp_path, caplog):
        """Cannot decide is 503 with Retry-After: never 401, never 200 (A20)."""
        gate = protect(store_url=f"sqlite:///{tmp_path}/missing/store.db")
        token = gate.auth.issue("42")
        answer = gate.request(token=token)
        assert (answer.status, answer.error) == (503, "temporarily_unavailable")
        assert answer.header("Retry-After") == "1"
        assert answer.header("WWW-Authenticate") is None
        assert caplog.records[-1].levelno == logging.ERROR
        assert gate.request(token="junk").status == 401  # what needs no store is still decided


class TestStoreFile:
    """The file of the embedded store is the truth; another file knows of no revocation."""

    @pytest.mark.parametrize("again", [False, True], ids=["deleted", "replaced"])
    def test_a_file_that_is_gone_is_503(self, protect, tmp_path, again):
        """Cannot decide: not 200 from an old descriptor, and not 200 from a new empty file."""
        gate = protect(store_url=f"sqlite:///{tmp_path}/store.db")
        token = gate.auth.issue("42")
        assert gate.request(token=token).status == 200
        for file in tmp_path.glob("store.db*"):
            file.unlink()
        if again:
            (tmp_path / "store.db").touch()
        assert gate.request(token=token).status == 503
        with pytest.raises(Unavailable):
            gate.revoke_subject("42")

    def test_a_new_file_is_said_aloud(self, protect, tmp_path, caplog):
        """An operator who mistyped the path sees an empty store being made."""
        gate = protect(store_url=f"sqlite:///{tmp_path}/store.db")
        gate.request(token=gate.auth.issue("42"))
        assert f"made a new, empty store: {tmp_path}/store.db" in caplog.messages


class TestLog:
    """One line per refusal, that says which setting it met and holds no token."""

    def test_the_line_names_the_setting(self, protect, caplog):
        """An operator reads what the token had and what was wanted."""
        gate = protect(audience="orders")
        gate.request("/orders", token=signed(aud=["a"]))
        assert caplog.messages == ["401 GET /orders wrong_audience: token has aud=['a'], JWT_AUDIENCE=orders"]
        assert caplog.records[0].levelno == logging.WARNING

    def test_it_is_escaped_and_cut(self, protect, caplog):
        """CVE-2020-7694: nothing from outside forges or floods a line."""
        protect(issuer="i").request("/a\nb\x1b[31m" + "x" * 500, token=signed(iss="\n401 forged" * 500))
        assert len(caplog.messages[0]) < 400
        assert "\n" not in caplog.messages[0]
        assert "\x1b" not in caplog.messages[0]

    def test_ten_lines_a_minute_and_a_count(self, protect, caplog, monkeypatch):
        """A flood is counted, not written; another reason still gets its line."""
        gate = protect()
        for _ in range(25):
            gate.request()
        gate.request(token="junk")
        assert len(caplog.messages) == 11
        now = gate.auth.core.gate.refusals._journal._now() + 60
        monkeypatch.setattr(gate.auth.core.gate.refusals._journal, "_now", lambda: now)
        gate.request()
        assert "15 more" in caplog.messages[11]

    def test_it_is_seen_without_any_logging_set_up(self, protect, capsys, monkeypatch):
        """Python's last resort writes warnings to stderr."""
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        protect().request("/orders")
        assert "401 GET /orders missing" in capsys.readouterr().err


class TestConfiguration:
    """Bad settings refuse to start, all at once, and never show a value."""

    def test_all_problems_at_once(self, protect):
        """One start, one list."""
        with pytest.raises(ConfigurationError) as caught:
            protect(secret_key="tooshort", leeway=500, store_url="mysql://u:hunter2@h/", nonsense=1)
        text = str(caught.value)
        assert len(caught.value.problems) == 4
        assert all(name in text for name in ("JWT_SECRET_KEY", "JWT_LEEWAY", "JWT_STORE_URL", "nonsense"))
        assert "tooshort" not in text
        assert "hunter2" not in text

    def test_auth_and_settings_together_contradict(self, protect):
        """Either the object or the keywords."""
        gate = protect()
        for more in ({"leeway": 3}, {"clock": lambda: 0}):
            with pytest.raises(ConfigurationError, match="not both"):
                type(gate.middleware)(lambda *_: None, auth=gate.auth, **more)

    def test_the_other_world_s_object_is_refused(self, protect):
        """Its store could not be asked from here."""
        gate = protect()
        other = wsgi.JWTAuth if gate.name == "asgi" else asgi.JWTAuth
        with pytest.raises(ConfigurationError, match="must be a JWTAuth of"):
            type(gate.middleware)(lambda *_: None, auth=other(secret_key=SECRET))

    @pytest.mark.parametrize("token", [None, b"a.b.c", 42])
    def test_verify_takes_texts(self, protect, token):
        """Whatever an app found or did not find, the answer is ours."""
        with pytest.raises(InvalidToken, match="a token is a text"):
            protect().verify(token)
