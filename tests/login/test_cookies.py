"""Cookie mode: what a browser gets, what it may do with it, and what another site's page may not."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.login.service import PEOPLE, Service
from tests.worlds import Answer

OURS = ("Origin", "https://api.example")  # the Host of every request in these worlds
FOREIGN = ("Origin", "https://evil.example")


class Browser:
    """Keeps cookies, by path, and sends them as a browser does."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.cookies: dict[str, tuple[str, str]] = {}

    def keep(self, answer: Answer) -> Answer:
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                pair, _, attributes = value.partition("; ")
                key, _, content = pair.partition("=")
                path = re.search(r"Path=([^;]*)", attributes)
                assert path is not None
                if "Max-Age=0" in attributes:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = (content, path[1])
        return answer

    def send(self, method: str, path: str, *headers: tuple[str, str], body: bytes = b"", csrf: bool = True) -> Answer:
        sent = [f"{name}={value}" for name, (value, folder) in self.cookies.items() if path.startswith(folder)]
        own = [("Cookie", "; ".join(sent))] if sent else []
        own += [("X-CSRF-Token", self.csrf)] if csrf and self.csrf else []
        return self.keep(self.service.send(method, path, body, [*own, *headers]))

    @property
    def csrf(self) -> str:
        return next((value for name, (value, _) in self.cookies.items() if name.endswith("csrf_token")), "")

    def sign_in(self, username: str = "ada", *headers: tuple[str, str]) -> Answer:
        body = json.dumps({"username": username, "password": PEOPLE[username][0]}).encode()
        return self.send("POST", "/auth/token", ("Content-Type", "application/json"), *headers, body=body)


@pytest.fixture
def browser(serve: Callable[..., Service]) -> Browser:
    """A browser that has signed in."""
    made = Browser(serve(token_location="cookies"))
    assert made.sign_in("ada", OURS).status == 200
    return made


def set_cookies(answer: Answer) -> list[str]:
    return [value for name, value in answer.headers if name.lower() == "set-cookie"]


def test_signing_in_sets_three_cookies_and_shows_no_token(serve: Callable[..., Service]) -> None:
    """HttpOnly, Secure, SameSite, with the prefixes by which browsers hold us to it."""
    answer = Browser(serve(token_location="cookies")).sign_in()
    access, refresh, csrf = set_cookies(answer)
    end = "; SameSite=Lax; Secure; HttpOnly"
    assert re.fullmatch(rf"__Host-access_token=[\w.-]+; Path=/; Max-Age=900{end}", access)
    assert re.fullmatch(
        r"__Secure-refresh_token=rt1\.[\w-]+; Path=/auth; Max-Age=2592000; SameSite=Strict; Secure; HttpOnly", refresh
    )
    assert re.fullmatch(r"__Host-csrf_token=[\w-]+; Path=/; Max-Age=2592000; SameSite=Lax; Secure", csrf)
    body = json.loads(answer.body)
    assert set(body) == {"token_type", "expires_in", "scope", "csrf_token"}
    assert body["csrf_token"] in csrf
    assert answer.header("Cache-Control") == "no-store"


def test_below_a_mount_the_refresh_token_stays_there(serve: Callable[..., Service]) -> None:
    """Its path is what the browser sees."""
    service = serve(token_location="cookies")
    body, kind = b'{"username":"ada","password":"correct horse"}', [("Content-Type", "application/json")]
    answer = service.send("POST", "/auth/token", body, kind, mount="/shop")
    assert "; Path=/shop/auth;" in set_cookies(answer)[1]
    hostile = service.send("POST", "/auth/token", body, kind, mount="/x; Domain=evil.example")
    assert "; Path=/;" in set_cookies(hostile)[1]


def test_the_cookie_lets_in(browser: Browser) -> None:
    """As the same user as a header would."""
    assert browser.send("GET", "/orders").user.identity == "7"
    assert browser.send("POST", "/orders", OURS).user.identity == "7"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "get", "PROPFIND", "X"])
@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ([], False), ([OURS], False), ([FOREIGN], True), ([("Origin", "null")], True),
        ([("Sec-Fetch-Site", "cross-site")], True), ([("Sec-Fetch-Site", "same-site")], True),
        ([OURS, ("X-CSRF-Token", "")], False), ([OURS, ("X-CSRF-Token", "x")], False),
        ([OURS, ("X-CSRF-Token", "x")], True), ([("Origin", "api.example")], True),
        ([("Origin", "http://api.example")], True),
        ([OURS, FOREIGN], True), ([("Origin", "https://api.example.evil.example")], True),
        ([("Content-Type", "text/plain")], False), ([OURS, ("X-HTTP-Method-Override", "GET")], False),
    ],
    ids=[
        "nothing", "no-token", "foreign-origin", "null-origin", "cross-site", "same-site", "empty-token", "wrong-token",
        "two-tokens", "no-scheme", "plain-http", "two-origins", "look-alike", "text-plain", "method-override",
    ],
)  # fmt: skip
def test_csrf_a_foreign_page_changes_nothing(browser: Browser, method: str, headers: Any, csrf: bool) -> None:
    """403, whatever is missing or wrong; the app is not called, and the cookies stay."""
    answer = browser.send(method, "/orders", *headers, csrf=csrf)
    assert (answer.status, answer.error, answer.passed) == (403, "csrf_failed", False)
    assert set_cookies(answer) == []


def test_csrf_the_token_of_another_session_is_worth_nothing(browser: Browser) -> None:
    """Not the attacker's own pair, which plain double submit would take (cookie tossing)."""
    attacker = Browser(browser.service)
    attacker.sign_in("bob")
    name = next(name for name in browser.cookies if name.endswith("csrf_token"))
    browser.cookies[name] = attacker.cookies[name]
    assert browser.send("POST", "/orders", OURS).error == "csrf_failed"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_needs_no_csrf_token(browser: Browser, method: str) -> None:
    """Links from elsewhere work; what such a page could read, CORS decides."""
    assert browser.send(method, "/orders", csrf=False).passed


@pytest.mark.parametrize(
    "headers", [[], [OURS], [("Sec-Fetch-Site", "same-origin")], [("Origin", "https://app.example")]]
)
def test_our_own_pages_pass(serve: Callable[..., Service], headers: Any) -> None:
    """By the CSRF token, from this host or a listed one; old browsers send neither header."""
    browser = Browser(serve(token_location="cookies", allowed_origins="https://app.example"))
    browser.sign_in()
    assert browser.send("POST", "/orders", *headers).passed


@pytest.mark.parametrize("header", [FOREIGN, ("Sec-Fetch-Site", "cross-site")])
def test_csrf_login_a_foreign_page_signs_nobody_in(serve: Callable[..., Service], header: Any) -> None:
    """Or the victim would work in the attacker's account."""
    answer = Browser(serve(token_location="cookies")).sign_in("ada", header)
    assert (answer.status, answer.error) == (403, "csrf_failed")


def test_a_bad_bearer_never_falls_back_to_the_cookie(serve: Callable[..., Service]) -> None:
    """Nor does another scheme, nor an empty header."""
    browser = Browser(serve(token_location="headers,cookies"))
    body = b'{"username":"ada","password":"correct horse","delivery":"cookies"}'
    assert browser.send("POST", "/auth/token", ("Content-Type", "application/json"), body=body).status == 200
    assert browser.send("GET", "/orders").passed
    for value, error in (("Bearer x.y.z", "invalid_token"), ("Basic eDp5", "unauthorized"), ("", "unauthorized")):
        answer = browser.send("GET", "/orders", ("Authorization", value))
        assert (answer.passed, answer.error in (error, "invalid_request")) == (False, True)


def test_a_bearer_request_needs_no_csrf_token(serve: Callable[..., Service]) -> None:
    """No browser sends that header by itself."""
    service = serve(token_location="headers,cookies")
    got = service.sign_in()
    assert service.send("POST", "/orders", headers=[FOREIGN], token=got["access_token"]).passed


def test_cookies_alone_means_that_no_header_is_read(browser: Browser) -> None:
    """A token that leaked from a log cannot be used as a Bearer."""
    token = browser.cookies["__Host-access_token"][0]
    assert browser.service.get(token).error == "unauthorized"


@pytest.mark.parametrize(
    ("location", "detail"),
    [
        ("cookies", "JWT_TOKEN_LOCATION=cookies, no cookie __Host-access_token"),
        ("headers,cookies", "no Authorization header and no cookie __Host-access_token"),
    ],
)
def test_the_log_names_every_place_that_was_looked_at(
    serve: Callable[..., Service], caplog: pytest.LogCaptureFixture, location: str, detail: str
) -> None:
    """Who sends a header to a service of cookies reads why it was not looked at."""
    serve(token_location=location).get()
    assert detail in caplog.messages[-1]


def test_the_page_refreshes_and_logs_out(browser: Browser) -> None:
    """By cookie and CSRF header; afterwards the cookies are gone, with the attributes they were set with."""
    first = browser.cookies["__Secure-refresh_token"][0]
    assert browser.send("POST", "/auth/refresh", OURS).status == 200
    assert browser.cookies["__Secure-refresh_token"][0] != first
    assert browser.send("POST", "/orders", OURS).passed
    answer = browser.send("POST", "/auth/logout", OURS)
    assert answer.status == 204
    assert set_cookies(answer) == [
        "__Host-access_token=; Path=/; Max-Age=0; SameSite=Lax; Secure; HttpOnly",
        "__Secure-refresh_token=; Path=/auth; Max-Age=0; SameSite=Strict; Secure; HttpOnly",
        "__Host-csrf_token=; Path=/; Max-Age=0; SameSite=Lax; Secure",
    ]
    assert browser.cookies == {}
    assert browser.send("GET", "/orders").error == "unauthorized"


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout", "/auth/logout-everywhere"])
@pytest.mark.parametrize("kind", ["foreign", "no-token"])
def test_csrf_a_foreign_page_neither_refreshes_nor_logs_out(browser: Browser, path: str, kind: str) -> None:
    """Logout by a foreign page is a nuisance, a forced refresh a race."""
    before = dict(browser.cookies)
    answer = browser.send("POST", path, FOREIGN if kind == "foreign" else OURS, csrf=kind == "foreign")
    assert answer.error == "csrf_failed"
    assert browser.cookies == before
    assert browser.send("POST", "/orders", OURS).passed


@pytest.mark.parametrize("with_own_token", [False, True], ids=["nothing", "the-attackers-token"])
def test_csrf_a_foreign_page_does_not_make_the_browser_forget(browser: Browser, with_own_token: bool) -> None:
    """SameSite holds the cookies back from its form, yet a browser would obey the answer's Set-Cookie."""
    attacker = Browser(browser.service)
    attacker.sign_in("bob")
    token = attacker.cookies["__Secure-refresh_token"][0] if with_own_token else ""
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    answer = browser.service.send("POST", "/auth/logout", f"refresh_token={token}".encode(), [FOREIGN, kind])
    assert (answer.error, set_cookies(answer)) == ("csrf_failed", [])


def test_dead_cookies_are_cleared(browser: Browser) -> None:
    """A session that was ended elsewhere leaves nothing behind in this browser."""
    browser.service.world.revoke_subject("7")
    answer = browser.send("GET", "/orders")
    assert answer.error == "invalid_token"
    assert set_cookies(answer) == ["__Host-access_token=; Path=/; Max-Age=0; SameSite=Lax; Secure; HttpOnly"]
    answer = browser.send("POST", "/auth/refresh", OURS)
    assert answer.error == "invalid_grant"
    assert browser.cookies == {}


def test_two_cookies_of_one_name_are_refused(browser: Browser) -> None:
    """One of them may have been tossed by a neighbouring subdomain."""
    token = browser.cookies["__Host-access_token"][0]
    for cookie in (
        f"__Host-access_token={token}; __Host-access_token=x",
        f"__Host-access_token={token};__Host-access_token={token}",
    ):
        answer = browser.service.send("GET", "/orders", headers=[("Cookie", cookie)])
        assert answer.error == "invalid_request"


@pytest.mark.parametrize("blank", ["\xa0", "\x85", "\x1f", "\x0b"])
def test_a_neighbour_cannot_imitate_the_prefix(browser: Browser, blank: str) -> None:
    """Browsers let a neighbouring subdomain set a name that begins with such a byte, which is no white space here."""
    token = browser.cookies["__Host-access_token"][0]
    for cookie in (f"{blank}__Host-access_token={token}", f"__Host-access_token{blank}={token}"):
        answer = browser.service.send("GET", "/orders", headers=[("Cookie", cookie.encode("latin-1"))])
        assert answer.error == "unauthorized"


def test_two_cookie_fields_are_one_list(browser: Browser) -> None:
    """However the server hands them over: found in the second, and refused where both have one."""
    token = browser.cookies["__Host-access_token"][0]
    ours, other = ("Cookie", f"__Host-access_token={token}"), ("Cookie", "theme=dark")
    assert browser.service.send("GET", "/orders", headers=[other, ours]).passed
    tossed = [("Cookie", f"__Host-access_token={token}; theme=dark"), ("Cookie", "__Host-access_token=x")]
    assert browser.service.send("GET", "/orders", headers=tossed).error == "invalid_request"


def test_csrf_a_foreign_form_logs_nobody_out_though_it_brings_no_cookie(browser: Browser) -> None:
    """SameSite holds the cookies back, but the browser would obey an answer that clears them."""
    stranger = Browser(browser.service)
    for body in (b"", b'{"refresh_token":"rt1.x"}'):
        answer = stranger.send("POST", "/auth/logout", FOREIGN, ("Content-Type", "application/json"), body=body)
        assert (answer.error, set_cookies(answer)) == ("csrf_failed", [])


@pytest.mark.parametrize(
    "name", ["access_token", "__host-access_token", "__Host-access_token ", "\u2000__Host-access_token"]
)
def test_only_the_prefixed_name_counts(browser: Browser, name: str) -> None:
    """Browsers guard the prefix; any other name could be set by a neighbour or over plain HTTP."""
    token = browser.cookies["__Host-access_token"][0]
    answer = browser.service.send("GET", "/orders", headers=[("Cookie", f"{name}={token}".encode())])
    if name.endswith(" "):
        assert answer.passed
    else:
        assert answer.error == "unauthorized"


def test_optional_and_exempt_paths(serve: Callable[..., Service]) -> None:
    """Exempt is not looked at; optional checks the cookie, CSRF included."""
    browser = Browser(serve(token_location="cookies", exempt_paths="/health", optional_paths="/shop"))
    browser.sign_in()
    assert not browser.send("POST", "/health", csrf=False).user.is_authenticated
    assert browser.send("GET", "/shop").user.identity == "7"
    assert browser.send("POST", "/shop", FOREIGN).error == "csrf_failed"


def test_plain_http_is_for_this_machine_alone(serve: Callable[..., Service]) -> None:
    """JWT_COOKIE_SECURE=false drops the prefixes, and sets nothing elsewhere."""
    service = serve(token_location="cookies", cookie_secure=False)
    answer = Browser(service).sign_in()
    assert (answer.status, set_cookies(answer)) == (400, [])
    body, kind = b'{"username":"ada","password":"correct horse"}', ("Content-Type", "application/json")
    for host in ("localhost:8000", "127.0.0.1", "[::1]:80"):
        world = service.world
        answer = world.request("/auth/token", method="POST", body=body, headers=[kind], host=host)
        assert [cookie.partition("=")[0] for cookie in set_cookies(answer)] == [
            "access_token",
            "refresh_token",
            "csrf_token",
        ]
        assert not [cookie for cookie in set_cookies(answer) if "Secure" in cookie]


def test_a_websocket_handshake_by_cookie_is_checked_by_its_origin(browser: Browser) -> None:
    """Cross-site WebSocket hijacking: SameSite alone does not stop a neighbouring site."""
    if browser.service.world.name == "wsgi":
        pytest.skip("WSGI has no WebSockets")
    token = browser.cookies["__Host-access_token"][0]
    for origin, passes in ((OURS, True), (FOREIGN, False), (None, False), (("Origin", "null"), False)):
        headers = [("Cookie", f"__Host-access_token={token}"), *([origin] if origin else [])]
        assert browser.service.world.handshake("/ws", headers=headers) is passes


def test_cookies_need_a_key_that_signs() -> None:
    """Refused at start: CSRF tokens are made with it."""
    from jwt_middleware import ConfigurationError
    from jwt_middleware.wsgi import JWTAuth
    from tests.token.forge import public_pem

    with pytest.raises(ConfigurationError, match="JWT_TOKEN_LOCATION=cookies needs a key that signs"):
        JWTAuth(public_key=public_pem("ES256"), allow_any_audience=True, token_location="cookies")


def test_the_csrf_token_is_no_piece_of_the_access_token(browser: Browser) -> None:
    """It is a MAC of the session's name: who reads it learns nothing else."""
    payload = browser.cookies["__Host-access_token"][0].split(".")[1]
    sid = json.loads(base64.urlsafe_b64decode(payload + "=="))["sid"]
    assert sid not in browser.csrf
    assert len(base64.urlsafe_b64decode(browser.csrf + "=")) == 32
