"""The rules file on real servers: each kind of rule, and the hostile spellings of `spellings.py` against each.

The file is `RULES` of `sites.py`. Every test here is named by the row of `rows.py` that it shows.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers_matrix.outcomes import REFUSED, others
from tests.servers_matrix.sites import Site, parsers
from tests.servers_matrix.spellings import nearly, resolved_by_servers, twisted
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import request

long = pytest.mark.long

FORBIDDEN = "403 insufficient_scope"
UNAUTHORIZED = "401 unauthorized"

# who: what their token has besides `scope: read`
USERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "writer": {"scope": "read write"},
    "admin": {"roles": ["admin"]},
    "editor": {"roles": ["editor", "reader"]},
    "reader": {"scope": "feed"},
    "nearly": {"scope": "Write writes ADMIN", "roles": ["Admin", "admins", "EDITOR"], "role": "editorial"},
}
EVERYTHING = {"scope": "read write feed live", "roles": ["admin", "editor"]}


def credential(who: str) -> list[str]:
    """Return the header of one of them; none for nobody."""
    return [] if who == "nobody" else [f"Authorization: Bearer {token(who, **USERS[who])}"]


DECISIONS = [
    ("GET", "/health", {"nobody", *USERS}),
    ("POST", "/health", {"nobody", *USERS}),
    ("GET", "/feed", {"nobody", "reader"}),
    ("GET", "/scoped/report", {"writer"}),
    ("DELETE", "/scoped/report", {"writer"}),
    ("GET", "/admin/help", {*USERS}),
    ("GET", "/admin/users", {"admin"}),
    ("PUT", "/admin/users", {"admin"}),
    ("HEAD", "/admin/users", {"admin"}),
    ("OPTIONS", "/admin/users", {"admin"}),
    ("GET", "/items/1", {"nobody", *USERS}),
    ("HEAD", "/items/1", {"nobody", *USERS}),
    ("POST", "/items/1", {"editor"}),
    ("DELETE", "/items/1", {"editor"}),
    ("PUT", "/items/1", {*USERS}),
    ("GET", "/me", {*USERS}),
    ("GET", "/live/news", {*USERS}),  # that rule is for handshakes
]
ANONYMOUS = {("/health", "GET"), ("/health", "POST"), ("/items/1", "GET"), ("/items/1", "HEAD")}


@parsers()
@pytest.mark.parametrize(("method", "path", "allowed"), DECISIONS, ids=[f"{d[0]}-{d[1]}" for d in DECISIONS])
def test_r22_decisions(site: Site, method: str, path: str, allowed: set[str]) -> None:
    """Exempt, optional, scope, role, method: who has what a rule asks for passes, everybody else is refused."""
    found = {
        who: site.knock(request(f"{method} {path} HTTP/1.1", *credential(who))).outcome for who in ("nobody", *USERS)
    }
    seen_as = lambda who: "nobody" if (path, method) in ANONYMOUS else who  # noqa: E731 - an exempt path looks at no token
    assert found == {
        who: f"app: {seen_as(who)} {method} {path}"
        if who in allowed
        else UNAUTHORIZED
        if who == "nobody"
        else FORBIDDEN
        for who in found
    }


@parsers()
def test_r22_the_challenge_names_the_scope(site: Site) -> None:
    """RFC 6750 section 3.1, through every server: the scope that would do, none for a role."""
    refused = site.knock(request("GET /scoped/report HTTP/1.1", *credential("plain")))
    assert refused.header("WWW-Authenticate").endswith(', scope="write"')
    refused = site.knock(request("GET /admin/users HTTP/1.1", *credential("plain")))
    assert "scope=" not in refused.header("WWW-Authenticate")


# --- hostile spellings -----------------------------------------------------------------------------------------------

guarded = pytest.mark.parametrize(
    ("method", "path", "who"),
    [
        pytest.param("GET", "/admin/users", "admin", id="role"),
        pytest.param("GET", "/scoped/report", "writer", id="scope", marks=long),
        pytest.param("DELETE", "/items/1", "editor", id="method", marks=long),
    ],
)


def view_ran(site: Site, method: str, target: str, fields: list[str], path: str) -> str | None:
    """Return what happened if the view at this path may have run for this target, `None` if it did not."""
    answer = site.knock(request(f"{method} {target} HTTP/1.1", *fields))
    assert answer.seen is not None or answer.outcome in {*REFUSED, FORBIDDEN}, (target, answer)
    ran = answer.header("Content-Type").startswith("application/json") and answer.json().get("view") == path
    return f"{answer.outcome} {answer.status} {answer.body!r}" if ran else None


@parsers()
@guarded
def test_r22_no_spelling_gets_around_a_rule(site: Site, method: str, path: str, who: str) -> None:
    """Whatever server and framework make of a target: without what the rule asks for, the view behind it never runs."""
    plain = credential("plain")
    for target in (path, *twisted(path), *nearly(path), *resolved_by_servers(path)):
        assert view_ran(site, method, target, plain, path) is None, target
        assert view_ran(site, method, target, [], path) is None, target


@parsers()
@guarded
def test_r22_twisted_paths_get_every_check(site: Site, method: str, path: str, who: str) -> None:
    """What one rule asks for is not enough where another may be meant; who has everything is let through to the app."""
    everything = f"Authorization: Bearer {token('ada', **EVERYTHING)}"
    for target in twisted(path):
        one = site.knock(request(f"{method} {target} HTTP/1.1", *credential(who)))
        every = site.knock(request(f"{method} {target} HTTP/1.1", everything))
        if one.seen is None:
            assert one.outcome in {FORBIDDEN, "server: 400"}, target
        else:  # the server had made a plain path of it before we saw it
            assert one.seen["path"] == path, target
        assert every.outcome.startswith("app: ada ") or every.outcome == "server: 400", target


@parsers()
@pytest.mark.parametrize("path", ["/health", pytest.param("/feed", marks=long), pytest.param("/items/1", marks=long)])
def test_r22_no_spelling_opens_by_a_rule(site: Site, path: str) -> None:
    """Neither with a token that is no good: a path that can be read in several ways is neither exempt nor optional."""
    forged = f"Authorization: Bearer {token(key='x' * 40)}"
    found = {target: site.knock(request(f"GET {target} HTTP/1.1", forged)) for target in twisted(path)}
    plain = {target for target, answer in found.items() if answer.seen is not None}
    assert all(found[target].seen["path"] == path for target in plain)
    assert plain == set() or site.server in ("waitress", "granian-wsgi")
    rest = {target: answer.outcome for target, answer in found.items() if target not in plain}
    assert others(rest, {"401 invalid_token", "server: 400"}) == {}


@parsers()
def test_r22_odd_methods_get_every_check(site: Site) -> None:
    """A method in another case must meet the rules of both readings; one that nobody knows is another method."""
    for method in ("delete", "Delete", "pOST"):
        outcome = site.knock(request(f"{method} /items/1 HTTP/1.1", *credential("plain"))).outcome
        assert outcome in {FORBIDDEN, "server: 400"}, method
    for method in ("get", "head", "Get"):
        outcome = site.knock(request(f"{method} /admin/users HTTP/1.1", *credential("plain"))).outcome
        assert outcome in {FORBIDDEN, "server: 400"}, method
    for method in ("BREW", "PROPFIND", "WEBSOCKET", "websocket"):
        for path, wanted in (("/admin/users", FORBIDDEN), ("/scoped/report", FORBIDDEN)):
            outcome = site.knock(request(f"{method} {path} HTTP/1.1", *credential("plain"))).outcome
            assert outcome in {wanted, "server: 400"}, (method, path)


@parsers()
def test_r22_a_request_is_no_handshake(site: Site) -> None:
    """A method called WEBSOCKET, or half of an upgrade, does not get what a rule opens for handshakes."""
    for method in ("WEBSOCKET", "GET", "POST"):
        assert site.knock(request(f"{method} /lobby HTTP/1.1")).outcome in {UNAUTHORIZED, "server: 400"}, method
    halves = (["Connection: Upgrade"], ["Upgrade: websocket"], ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])
    for fields in halves:
        assert site.knock(request("GET /lobby HTTP/1.1", *fields)).outcome in {UNAUTHORIZED, "server: 400"}, fields
