"""WebSocket handshakes spelled out by hand: rules for them, targets, methods and versions that no client sends.

Every test here is named by the row of `rows.py` that it shows.
"""

from __future__ import annotations

import pytest

from tests.servers_matrix.sites import Site, parsers
from tests.servers_matrix.spellings import nearly, resolved_by_servers, twisted
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import CLOSED, request

UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")
KEY = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
OPENED = "opened"
# daphne cannot give our answer, and says 403 to each close before accept.
DAPHNE = {"server: 403"}
OWN = {f"server: {status}" for status in (400, 405, 426)} | {"server: closed"}

sockets = parsers("asgi", without=("django_asgi",))


def handshake(site: Site, target: str, *fields: str, line: str = "GET {} HTTP/1.1", may_fail: bool = False) -> str:
    """Ask for a WebSocket; return `opened`, or what else became of it."""
    with site.wire(may_fail=may_fail) as wire:
        wire.write(request(line.format(target), *UPGRADE, *KEY, *fields))
        try:
            status, headers = wire.start(final=False)
            return OPENED if status == 101 else wire.finish(status, headers).outcome
        except ConnectionError:
            return CLOSED.outcome


def spellings(site: Site, path: str) -> list[str]:
    """Return the twisted spellings; daphne takes a handshake's for a URL and keeps `//host` and `;x` to itself."""
    cut = site.server == "daphne"
    return [target for target in twisted(path) if not (cut and (target.startswith("//") or ";" in target))]


def bearer(who: str = "ada", **claims: object) -> str:
    """Return the field with a good token."""
    return f"Authorization: Bearer {token(who, **claims)}"


def told(site: Site, outcome: str) -> set[str]:
    """Return our answer, or what stands for it on a server that cannot give it."""
    return DAPHNE if site.server == "daphne" else {outcome}


@sockets
def test_r15_credentials(site: Site) -> None:
    """One good token opens; none, two, a bad one, a folded one with something in it and another scheme do not."""
    good = bearer()
    assert handshake(site, "/ws", good) == OPENED
    assert handshake(site, "/ws") in told(site, "401 unauthorized")
    assert handshake(site, "/ws", good, good) in told(site, "400 invalid_request")
    assert handshake(site, "/ws", good, bearer("eve")) in told(site, "400 invalid_request")
    assert handshake(site, "/ws", f"{good},") in told(site, "400 invalid_request")
    assert handshake(site, "/ws", good.replace("Bearer ", "Bearer\t")) in told(site, "400 invalid_request")
    assert handshake(site, "/ws", good.replace("Bearer", "Token")) in told(site, "401 unauthorized")
    assert handshake(site, "/ws", bearer(iat=1, exp=2)) in told(site, "401 invalid_token")


@sockets
def test_r15_high_bytes(site: Site) -> None:
    """They are refused; uvicorn with `websockets` fails at any of them by itself, before anybody is asked."""
    own = site.server == "uvicorn-httptools"
    refused = {"server: 500"} if own else told(site, "400 invalid_request")
    assert handshake(site, "/ws", "Authorization: Bearer \xff", may_fail=own) in refused
    assert handshake(site, "/ws", f"{bearer()}\xff", may_fail=own) in refused


@sockets
def test_r15_token_elsewhere(site: Site) -> None:
    """Not in the query, a cookie, a subprotocol in any form, the key, the origin or another header."""
    text = token("eve")
    for query in ("access_token", "token", "jwt", "authorization", "ticket"):
        assert handshake(site, f"/ws?{query}={text}") in told(site, "401 unauthorized"), query
    for field in (
        f"Sec-WebSocket-Protocol: {text}", f"Sec-WebSocket-Protocol: bearer, {text}", f"Cookie: token={text}",
        f"Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.{text}",
        f"Sec-WebSocket-Extensions: x; t={text}",
        f"Proxy-Authorization: Bearer {text}", f"X_Authorization: Bearer {text}", f"Origin: https://{text}",
        f"Sec-WebSocket-Protocol: Authorization, Bearer, {text}", "Remote-User: eve", "X_Remote_User: eve",
    ):  # fmt: skip
        assert handshake(site, "/ws", field) in told(site, "401 unauthorized") | OWN, field


@sockets
def test_r15_rules(site: Site) -> None:
    """A rule for handshakes opens them, or asks for a scope; a rule for all asks for a role; no rule, a token."""
    assert handshake(site, "/lobby") == OPENED
    assert handshake(site, "/lobby", "Authorization: Bearer x") == OPENED
    assert handshake(site, "/public") == OPENED  # JWT_EXEMPT_PATHS is for every method
    assert handshake(site, "/maybe") == OPENED
    assert handshake(site, "/maybe", "Authorization: Bearer x") in told(site, "401 invalid_token")
    assert handshake(site, "/live/news") in told(site, "401 unauthorized")
    assert handshake(site, "/live/news", bearer()) in told(site, "403 insufficient_scope")
    assert handshake(site, "/live/news", bearer(scope="read live")) == OPENED
    assert handshake(site, "/live", bearer()) in told(site, "403 insufficient_scope")
    assert handshake(site, "/admin/users", bearer()) in told(site, "403 insufficient_scope")
    assert handshake(site, "/admin/users", bearer(roles=["admin"])) == OPENED
    assert handshake(site, "/items/1") in told(site, "401 unauthorized")  # a rule for GET
    assert handshake(site, "/items/1", bearer()) == OPENED


@sockets
@pytest.mark.parametrize("path", ["/lobby", "/public"])
def test_r15_other_spellings_of_an_open_path(site: Site, path: str) -> None:
    """No other spelling of an open path opens a handshake without a token."""
    refused = told(site, "401 unauthorized") | OWN
    for target in (*spellings(site, path), *nearly(path)):
        assert handshake(site, target) in refused, target
    for target in resolved_by_servers(path):
        assert handshake(site, target) in {*refused, OPENED}, target


@sockets
def test_r15_other_spellings_of_a_guarded_path(site: Site) -> None:
    """No spelling of a path that asks for a scope or a role opens a handshake without it."""
    plain = bearer()
    for target in (*spellings(site, "/live/news"), *spellings(site, "/admin/users")):
        assert handshake(site, target, plain) in told(site, "403 insufficient_scope") | OWN, target


@sockets
def test_r15_half_a_handshake(site: Site) -> None:
    """Another method, an old version of HTTP, no key, another version of the protocol: nothing of it opens anything."""
    refused = told(site, "401 unauthorized") | OWN | {"401 unauthorized"}
    for line in (
        "POST {} HTTP/1.1",
        "OPTIONS {} HTTP/1.1",
        "get {} HTTP/1.1",
        "WEBSOCKET {} HTTP/1.1",
        "GET {} HTTP/1.0",
    ):
        assert handshake(site, "/ws", line=line) in refused, line
    for fields in (
        [*UPGRADE], [*UPGRADE, KEY[0]], [*UPGRADE, KEY[1]], [*UPGRADE, "Sec-WebSocket-Version: 99", KEY[1]],
        [UPGRADE[0], "Upgrade: WebSocket", *KEY], ["Connection: keep-alive, upgrade", UPGRADE[1], *KEY],
        ["Connection: close", UPGRADE[1], *KEY], [UPGRADE[0], "Upgrade: h2c, websocket", *KEY], [*UPGRADE, *KEY, *KEY],
        [*UPGRADE, *KEY, "Content-Length: 5"], [*UPGRADE, *KEY, "Transfer-Encoding: chunked"],
    ):  # fmt: skip
        with site.wire() as wire:
            wire.write(request("GET /ws HTTP/1.1", *fields, body=b"0\r\n\r\n"))
            assert wire.outcome() in refused, fields


@sockets
def test_r15_preflight_is_no_handshake(site: Site) -> None:
    """A browser's handshake has an Origin; together with what a preflight has it is still none."""
    fields = ("Origin: https://app.example", "Access-Control-Request-Method: GET")
    assert handshake(site, "/ws", *fields) in told(site, "401 unauthorized")
    assert handshake(site, "/ws", *fields, line="OPTIONS {} HTTP/1.1") not in {OPENED}


@parsers("wsgi")
def test_r15_under_wsgi(site: Site) -> None:
    """There a handshake is a GET, with its rules."""
    assert handshake(site, "/lobby") == "401 unauthorized"
    assert handshake(site, "/ws") == "401 unauthorized"
    assert handshake(site, "/live/news", bearer()) == "app: ada GET /live/news"
    assert handshake(site, "/admin/users", bearer()) == "403 insufficient_scope"
