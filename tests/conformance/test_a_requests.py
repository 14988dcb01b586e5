"""A: what a request must look like, and what the answer to one that does not (RFC 6750, RFC 9110).

Every test here is named by the row of `docs/conformance.md` that it shows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import ConfigurationError, Reason
from jwt_middleware.settings import DECLARATIONS
from jwt_middleware.user import ANONYMOUS, User
from tests.conformance.evidence import FULL, STRICT, challenge, refused, send
from tests.token.forge import OTHER_SECRET, claims, token
from tests.worlds import NOW, World

Protect = Callable[..., World]
ORIGIN = "https://app.example"
PREFLIGHT = (("Origin", ORIGIN), ("Access-Control-Request-Method", "POST"))


def bearer(text: str) -> list[tuple[str, str | bytes]]:
    return [("Authorization", f"Bearer {text}")]


def in_query(query: str) -> dict[str, Any]:
    """Both spellings of a query string; each world reads its own."""
    return {"query_string": query.encode(), "QUERY_STRING": query}


def refusals(protect: Protect, tmp_path: Path, **settings: Any) -> dict[str, Any]:
    """Provoke each kind of answer of ours; return them by their code."""
    world = protect(store_url=f"sqlite:///{tmp_path}/missing/store.db", **settings)
    good = world.auth.issue("42")
    scheme = settings.get("header_type", "Bearer")
    values = [f"{scheme} {text}".strip() for text in ("a b", "junk", token(claims(exp=1, jti="1")), good, "x" * 9000)]
    answers = [world.request(headers=[("Authorization", value)]) for value in values]
    answers += [world.request(), world.request(headers=[("Authorization", "Basic eDp5")])]
    (tmp_path / "rules.toml").write_text('[[rule]]\npath = "/**"\nmax_auth_age = 1\n')
    for demand in ({"required_scopes": "orders:write,!#[]~"}, {"rules_file": tmp_path / "rules.toml"}):
        answers.append(protect(**demand, **settings).request(headers=[("Authorization", f"{scheme} {good}".strip())]))
    assert {answer.status for answer in answers} == {400, 401, 403, 503}
    return {f"{number}-{answer.error}": answer for number, answer in enumerate(answers)}


def test_a1_the_authorization_header_is_read(protect: Protect) -> None:
    """A good token after `Bearer` lets the request in as the token's subject."""
    answer, refusal = send(protect(), headers=bearer(token()))
    assert (answer.status, answer.user.identity, refusal) == (200, "42", None)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_a2_the_scheme_is_read_in_any_case(protect: Protect, scheme: str) -> None:
    """RFC 9110 section 11.1: the name of a scheme is compared without regard to case."""
    assert protect().request(headers=[("Authorization", f"{scheme} {token()}")]).user.identity == "42"


@pytest.mark.parametrize("text", ["abc", "a.b.c", "a-._~+/b", "a==", "A0-._~+/=="])
def test_a2_a_b64token_is_a_token_if_not_a_good_one(protect: Protect, text: str) -> None:
    """Every character of RFC 6750's b64token makes a well-formed request: 401, not 400."""
    refused(protect(), Reason.MALFORMED, headers=bearer(text))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Bearer a b", id="two-words"),
        pytest.param("Bearer  a.b.c", id="two-spaces"),
        pytest.param("Bearer\ta.b.c", id="tab"),
        pytest.param("Bearer a.b.c ", id="trailing-space"),
        pytest.param('Bearer "a.b.c"', id="quoted"),
        pytest.param("Bearer =a.b.c", id="padding-first"),
        pytest.param("Bearer a.b=.c", id="padding-inside"),
        pytest.param("Bearer a.b.c;x=y", id="parameter"),
        pytest.param("Bearer: a.b.c", id="colon"),
        pytest.param(b"Bearer \xe2\x82\xac", id="utf-8"),
        pytest.param(b"Bearer a.b.\xff", id="latin-1"),
        pytest.param("Bearer a.b.c\x00", id="nul"),
    ],
)
def test_a2_any_other_character_is_a_bad_request(protect: Protect, value: str | bytes) -> None:
    """What is not exactly the scheme, one space and one b64token is `invalid_request`."""
    headers = [("Authorization", value)]
    refused(protect(), Reason.MALFORMED_CREDENTIAL, status=400, error="invalid_request", headers=headers)


@pytest.mark.parametrize("second", ["equal", "another", "basic", "empty"])
@pytest.mark.parametrize("first", [True, False], ids=["good-first", "good-last"])
def test_a3_two_credentials_are_a_bad_request(protect: Protect, second: str, first: bool) -> None:
    """Two Authorization headers are 400, also equal ones: neither the first nor the last nor the valid one wins."""
    world = protect()
    good = f"Bearer {token()}"
    other = {"equal": good, "another": f"Bearer {token(claims(sub='7'))}", "basic": "Basic eDp5", "empty": ""}[second]
    both = [("Authorization", good), ("Authorization", other)]
    headers = both if first else both[::-1]
    refused(world, Reason.MALFORMED_CREDENTIAL, status=400, error="invalid_request", headers=headers)
    assert world.request(headers=bearer(token())).status == 200


@pytest.mark.parametrize("joined", ["{0}, {0}", "{0},{0}", "Basic eDp5, {0}", "{0},", ",{0}", "{0} , Basic eDp5"])
def test_a3_credentials_that_a_server_joined_are_a_bad_request(protect: Protect, joined: str) -> None:
    """WSGI servers join repeated fields by a comma, which no token has: 400 just the same."""
    headers = [("Authorization", joined.format(f"Bearer {token()}"))]
    refused(protect(), Reason.MALFORMED_CREDENTIAL, status=400, error="invalid_request", headers=headers)


@pytest.mark.parametrize("query", ["access_token={0}", "access_token={0}&access_token={0}", "token={0}", "jwt={0}"])
def test_a4_a_token_in_the_query_is_not_read(protect: Protect, query: str) -> None:
    """OAuth 2.1 section 5: the query is ignored, alone and beside a header."""
    world = protect(optional_paths="/optional")
    extra = in_query(query.format(token()))
    refused(world, Reason.MISSING, error="unauthorized", extra=extra)
    assert world.request("/optional", extra=extra).user is ANONYMOUS
    assert world.request(extra=extra, token=token(claims(sub="7"))).user.identity == "7"
    refused(world, Reason.MALFORMED, extra=extra, token="junk")


def test_a4_no_setting_turns_the_query_on() -> None:
    """There is nothing to switch on by mistake: the one place of a token is a header."""
    assert not [name for name in DECLARATIONS if "query" in name or "form" in name or "param" in name]


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a5_a_form_is_not_read_and_not_consumed(protect: Protect, method: str, kind: str) -> None:
    """A token in the body is no token, and the app finds its body untouched when another token let it in."""
    world = protect()
    body = f"access_token={token()}".encode()
    headers = [("content-type", kind), ("content-length", str(len(body)))]
    reads: list[bytes] = []

    class Input:
        def read(self, size: int = -1) -> bytes:
            reads.append(body)
            return body

    if world.name == "wsgi":
        extra: dict[str, Any] = {"wsgi.input": Input(), "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
        refused(world, Reason.MISSING, error="unauthorized", method=method, extra=extra)
        assert reads == []
        world.middleware.app = lambda environ, start: (start("200 OK", []), [environ["wsgi.input"].read()])[1]
        assert world.request(method=method, extra=extra, token=token()).body == body
    else:
        scope = {
            "type": "http", "method": method, "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers], "scheme": "http",
        }  # fmt: skip
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            reads.append(body)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send_(message: Any) -> None:
            sent.append(message)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            sent.append((await receive())["body"])

        world.runner.run(world.middleware(scope, receive, send_))
        assert (sent[0]["status"], reads) == (401, [])
        world.middleware.app = app
        scope["headers"].append((b"authorization", f"Bearer {token()}".encode()))
        world.runner.run(world.middleware(scope, receive, send_))
        assert sent[-1] == body
    assert reads == [body]


def test_a6_our_answers_are_not_cached_and_the_app_s_are_its_own(protect: Protect) -> None:
    """There is no query method, so no answer needs `private`; ours are `no-store`, and the app's are its own."""
    world = protect()
    assert world.request().header("Cache-Control") == "no-store"
    assert world.request(extra=in_query(f"access_token={token()}"), token=token()).headers == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "get", "X-UNKNOWN"])
def test_a7_every_401_has_a_challenge(protect: Protect, method: str) -> None:
    """RFC 9110 section 15.5.2: without a token and with a bad one, for every method."""
    world = protect()
    for request in (
        {},
        {"token": "junk"},
        {"token": token(claims(exp=1))},
        {"headers": [("Authorization", "Basic x")]},
    ):
        answer = world.request(method=method, **request)
        assert (answer.status, answer.passed, challenge(answer)[0]) == (401, False, "Bearer")


@pytest.mark.parametrize("settings", [{}, {"realm": "orders"}, {"header_type": ""}, {"header_type": "JWT"}], ids=str)
def test_a8_the_scheme_is_followed_by_a_parameter(protect: Protect, tmp_path: Path, settings: dict[str, str]) -> None:
    """A bare `Bearer` is no challenge: a realm is always there, and it cannot be set to nothing."""
    for answer in refusals(protect, tmp_path, **settings).values():
        if answer.status != 503:
            scheme, parameters = challenge(answer)
            assert (scheme, parameters[0]) == (
                settings.get("header_type") or "Bearer",
                ("realm", settings.get("realm", "api")),
            )
    with pytest.raises(ConfigurationError, match="JWT_REALM"):
        protect(realm="")


def test_a9_no_parameter_stands_twice(protect: Protect, tmp_path: Path) -> None:
    """RFC 6750 section 3: realm, scope, error and its description at most once, in one challenge field."""
    for answer in refusals(protect, tmp_path).values():
        if answer.status != 503:
            names = [name for name, _ in challenge(answer)[1]]
            assert len(names) == len(set(names))
            assert set(names) <= {"realm", "scope", "error", "error_description", "max_age"}


@pytest.mark.parametrize("odd", ['"', "\\", "\r\nSet-Cookie: a=b", "\u20ac", "\x00", "\x7f", "\u202e"])
def test_a10_no_odd_character_reaches_the_challenge(protect: Protect, tmp_path: Path, odd: str) -> None:
    """Quotes, backslashes, line ends and non-ASCII in claims, headers or paths change nothing in our answers."""
    world = protect(issuer="https://idp.example", audience="api")
    plain = world.request(token=token(claims(iss="https://idp.example", aud="x")))
    for payload in ({"iss": odd}, {"sub": odd, "aud": odd}, {"exp": odd}, {odd: odd, "type": odd}, {"scope": [odd, 1]}):
        answer = world.request(token=token(claims(**payload)), path=f"/{odd}")
        assert (answer.headers, answer.body) == (plain.headers, plain.body)
    for answer in refusals(protect, tmp_path).values():
        for _, value in challenge(answer)[1] if answer.status != 503 else ():
            assert all(char in " !" or "#" <= char <= "[" or "]" <= char <= "~" for char in value)
        assert all("\r" not in value and "\n" not in value for _, value in answer.headers)
    with pytest.raises(ConfigurationError, match="JWT_REALM"):
        protect(realm=f"a{odd}b")


@pytest.mark.parametrize(
    "value", ["Basic dXNlcjpwYXNz", "DPoP abc", "Digest username=x", "Bearers a.b.c", "Token x", None]
)
def test_a11_no_credential_of_ours_gets_no_error_code(protect: Protect, value: str | None) -> None:
    """No header, or one of another scheme: the challenge is bare of `error`."""
    answer, refusal = send(protect(), headers=[] if value is None else [("Authorization", value)])
    assert (answer.status, answer.error, refusal.reason) == (401, "unauthorized", Reason.MISSING)
    assert challenge(answer) == ("Bearer", [("realm", "api")])


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "", " ", "Bearer\t", "bearer"])
def test_a12_a_malformed_credential_is_a_bad_request(protect: Protect, value: str) -> None:
    """An empty `Bearer` or an empty header is `invalid_request`, 400."""
    answer, refusal = send(protect(), headers=[("Authorization", value)])
    assert (answer.status, answer.error, refusal.reason) == (400, "invalid_request", Reason.MALFORMED_CREDENTIAL)
    assert ("error", "invalid_request") in challenge(answer)[1]


def test_a13_a_bad_token_is_invalid_token(protect: Protect, tmp_path: Path, clock: Any) -> None:
    """Expired, revoked, malformed, forged, too early, too long: all are 401 `invalid_token`."""
    world = protect(store_url=f"sqlite:///{tmp_path}/store.db")
    revoked = world.auth.issue("42")
    world.revoke(world.request(token=revoked).user)
    good = claims(jti="1")
    for text, reason in (
        (token(good | {"exp": int(NOW) - 31}), Reason.EXPIRED),
        (revoked, Reason.REVOKED),
        ("a.b.c", Reason.MALFORMED),
        ("opaque", Reason.MALFORMED),
        ("x" * 8193, Reason.TOO_LONG),
        (token(good, key=OTHER_SECRET), Reason.BAD_SIGNATURE),
        (token(good | {"nbf": int(NOW) + 31}), Reason.NOT_YET_VALID),
    ):
        refused(world, reason, token=text)
        assert ("error", "invalid_token") in challenge(world.request(token=text))[1]


def test_a14_a_missing_scope_is_403(protect: Protect) -> None:
    """The answer is 403 `insufficient_scope` with the scopes; with them, the app finds those that were granted."""
    world = protect(required_scopes="write,read")
    assert world.request(token=token(claims(scope="read write"))).user.scopes == ("read", "write")
    answer = world.request(token=token(claims(scope="read", n=1)))
    assert (answer.status, answer.error, answer.passed) == (403, "insufficient_scope", False)
    assert ("error", "insufficient_scope") in challenge(answer)[1]
    assert ("scope", "write read") in challenge(answer)[1]


@pytest.mark.parametrize(
    ("changes", "header", "reason"),
    [
        pytest.param({"aud": "https://other.example"}, {}, Reason.WRONG_AUDIENCE, id="aud"),
        pytest.param({"iss": "https://evil.example"}, {}, Reason.WRONG_ISSUER, id="iss"),
        pytest.param({"client_id": ...}, {}, Reason.MISSING_CLAIM, id="client_id"),
        pytest.param({"jti": ...}, {}, Reason.MISSING_CLAIM, id="jti"),
        pytest.param({"exp": 1}, {}, Reason.EXPIRED, id="exp"),
        pytest.param({"sub": 5}, {}, Reason.BAD_CLAIM, id="sub"),
        pytest.param({}, {"typ": "JWT"}, Reason.WRONG_TYPE, id="typ"),
        pytest.param({}, {"alg": "none"}, Reason.WRONG_ALGORITHM, id="alg"),
    ],
)
def test_a15_any_failure_of_rfc_9068_is_invalid_token(
    protect: Protect, changes: dict[str, Any], header: dict[str, str], reason: Reason
) -> None:
    """RFC 9068 section 4: never 403, never a code of its own, whatever failed."""
    world = protect(**STRICT)
    assert world.request(token=token(claims(**FULL), header={"typ": "at+jwt"})).user.identity == "42"
    refused(world, reason, token=token(claims(**FULL | changes), header={"typ": "at+jwt"} | header))


@pytest.mark.parametrize(
    "cookie", ["access_token={0}", "jwt={0}", "session={0}; access_token={0}", "={0}", "Bearer {0}"]
)
def test_a16_a_token_in_a_cookie_is_not_read(protect: Protect, cookie: str) -> None:
    """Unless cookies are asked for by JWT_TOKEN_LOCATION, there is nothing another site could make a browser send."""
    world = protect(optional_paths="/optional")
    headers = [("Cookie", cookie.format(token()))]
    refused(world, Reason.MISSING, error="unauthorized", headers=headers)
    assert world.request("/optional", headers=headers).user is ANONYMOUS
    refused(world, Reason.MALFORMED, headers=[*headers, *bearer("junk")])


def test_a17_no_token_is_logged_shown_or_stored(
    protect: Protect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither log nor `repr`, exception, answer or store holds a token, its parts, or its `jti` in a refusal."""
    caplog.set_level(logging.DEBUG)
    world = protect(store_url=f"sqlite:///{tmp_path}/store.db")
    good = world.auth.issue("42")
    user = world.request(token=good).user
    world.revoke(user)
    texts = [good, token(claims(jti="1"), key=OTHER_SECRET), token(claims(jti="2", exp=1)), "eyJx.eyJ5.eyJ6"]
    shown = [repr(user), str(user), repr(world.auth), repr(world.auth.core.keys.verifying.keys), str(world.auth.core)]
    for text in texts:
        answer, refusal = send(world, token=text)
        shown += [answer.body.decode(), str(answer.headers), str(refusal), repr(refusal), refusal.detail]
        assert refusal.__cause__ is None or text not in str(refusal.__cause__)
    shown += caplog.messages + [str(record.exc_info) for record in caplog.records]
    assert len(caplog.messages) >= len(texts)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file()).decode("latin-1")
    assert stored, "there was something to look at"
    for part in {part for text in texts for part in text.split(".") if len(part) > 3}:
        assert part not in stored
        assert not [text for text in shown if part in text]


def test_a18_the_challenge_is_exposed_to_known_pages(protect: Protect) -> None:
    """With JWT_ALLOWED_ORIGINS a page of that origin may read the challenge; any other page may not."""
    world = protect(allowed_origins=ORIGIN)
    known = world.request(headers=[("Origin", ORIGIN)])
    exposed = known.header("Access-Control-Expose-Headers")
    assert (known.header("Access-Control-Allow-Origin"), exposed) == (ORIGIN, "WWW-Authenticate, Retry-After")
    other = world.request(headers=[("Origin", "https://evil.example")])
    assert other.header("Access-Control-Allow-Origin") is other.header("Access-Control-Expose-Headers") is None


def test_a19_a_preflight_is_not_challenged_and_brings_no_identity(protect: Protect) -> None:
    """A true preflight passes as anonymous, cleaned of preset identities; with the bypass off it needs a token."""
    preset = {"REMOTE_USER": "root", "jwt_middleware.user": User("root"), "user": User("root"), "auth": User("root")}
    answer = protect().request(method="OPTIONS", headers=PREFLIGHT, extra=dict(preset))
    seen = answer.seen[0]
    assert (answer.status, answer.user, seen.current) == (200, ANONYMOUS, ANONYMOUS)
    if seen.surroundings.get("type") == "http":
        assert (seen.surroundings["user"], seen.surroundings["auth"].scopes) == (ANONYMOUS, ())
    else:
        assert "REMOTE_USER" not in seen.surroundings
    refused(protect(cors_preflight=False), Reason.MISSING, error="unauthorized", method="OPTIONS", headers=PREFLIGHT)
    refused(protect(), Reason.MISSING, error="unauthorized", method="OPTIONS")


def test_a20_what_cannot_be_decided_is_503(protect: Protect, tmp_path: Path) -> None:
    """A store that cannot answer is 503 with Retry-After: never `invalid_token`, which would end a session."""
    world = protect(store_url=f"sqlite:///{tmp_path}/missing/store.db")
    good = world.auth.issue("42")
    refused(world, Reason.STORE_UNAVAILABLE, status=503, error="temporarily_unavailable", token=good)
    answer = world.request(token=good)
    assert (answer.header("Retry-After"), answer.header("WWW-Authenticate")) == ("1", None)
    assert b"invalid_token" not in answer.body
    refused(world, Reason.MALFORMED, token="junk")  # what needs no store is decided as ever
