"""A page of another site, in the browser of somebody who is signed in to ours: it changes nothing.

`http://127.0.0.1` and `http://localhost` are two sites. Another port of localhost is the same site, so `SameSite`
does not help, and it even sees our cookies' names and the CSRF token: only the Origin tells it apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import WORLDS, Service, ask, csrf_token

pytestmark = pytest.mark.long

FORM = """([url, fields]) => {
    const form = Object.assign(document.createElement("form"), {method: "POST", action: url});
    for (const [name, value] of Object.entries(fields))
        form.append(Object.assign(document.createElement("input"), {name, value}));
    document.body.append(form);
    form.submit();
}"""
FETCH = """([url, options]) => fetch(url, {credentials: "include", ...options}).then(
    answer => answer.type, () => "refused by the browser")"""
IMAGE = "url => new Promise(done => Object.assign(new Image(), {src: url, onload: done, onerror: done}))"
EVE = {"grant_type": "password", "username": "eve", "password": "mine"}

# Each: what the attacker's page does, and the statuses by which our service may refuse. Where SameSite holds the
# cookies back, nobody is signed in: 401. No status means that the browser shows none.
ATTACKS: dict[str, tuple[str, str, dict[str, Any], set[int]]] = {
    "form-orders": ("form", "/orders", {"item": "1"}, {401, 403}),
    "form-logout": ("form", "/auth/logout", {}, {403}),
    "form-logout-everywhere": ("form", "/auth/logout-everywhere", {}, {401, 403}),
    "form-refresh": ("form", "/auth/refresh", {}, {400, 403}),
    "form-login": ("form", "/auth/token", EVE, {403}),
    "fetch-orders": ("fetch", "/orders", {"method": "POST", "mode": "no-cors", "body": "x"}, {401, 403}),
    "fetch-logout": ("fetch", "/auth/logout", {"method": "POST", "mode": "no-cors"}, {401, 403}),
    "fetch-with-the-csrf-token": ("fetch", "/orders", {"method": "POST", "headers": {"X-CSRF-Token": "stolen"}}, set()),
    "fetch-delete": ("fetch", "/auth/sessions/x", {"method": "DELETE"}, set()),
    "fetch-json": ("fetch", "/orders", {"method": "POST", "headers": {"Content-Type": "application/json"}}, set()),
    "image-logout": ("image", "/auth/logout", {}, set()),
    "image-logout-everywhere": ("image", "/auth/logout-everywhere", {}, set()),
}  # fmt: skip


@pytest.fixture(params=["None", "Lax"], ids=["samesite-none", "samesite-lax"])
def same_site(request: pytest.FixtureRequest) -> str:
    """With `None` the browser helps nobody: our own checks stand alone."""
    return str(request.param)


@pytest.fixture(params=WORLDS)
def victim(
    request: pytest.FixtureRequest, services: Callable[[str, str], Service], same_site: str, profile: BrowserContext
) -> tuple[Service, Page]:
    """A service, and a page of it where ada is signed in."""
    service = services(request.param, same_site)
    page = profile.new_page()
    service.sign_in(page)
    return service, page


@pytest.fixture(params=["127.0.0.1", "localhost"], ids=["other-site", "same-site"])
def foreign(request: pytest.FixtureRequest, attacker: int, profile: BrowserContext) -> Page:
    """An attacker's page in the same browser."""
    page = profile.new_page()
    page.goto(f"http://{request.param}:{attacker}/")
    return page


def strike(page: Page, kind: str, url: str, details: dict[str, Any]) -> int | None:
    """Attack, and wait for the end of it; return the status of the answer, `None` if the browser shows none."""
    if kind == "fetch" and "headers" in details and "X-CSRF-Token" in details["headers"]:
        details = details | {"headers": {"X-CSRF-Token": csrf_token(page) or "guessed"}}
    if kind == "fetch" and details.get("mode") != "no-cors":
        assert page.evaluate(FETCH, [url, details]) == "refused by the browser"  # its preflight
        return None
    if kind == "image":
        with page.expect_request(url):
            page.evaluate(IMAGE, url)
        return None
    if kind == "form":
        return submit(page, url, details)
    with page.expect_response(url) as answer:
        page.evaluate(FETCH, [url, details])
    return answer.value.status


def submit(page: Page, url: str, fields: dict[str, str]) -> int:
    """Submit a form from this page, which takes the tab there; return the status of the answer."""
    with page.expect_navigation() as answer:
        page.evaluate(FORM, [url, fields])
    return answer.value.status


def test_csrf_a_foreign_page_changes_nothing(
    victim: tuple[Service, Page], foreign: Page, profile: BrowserContext
) -> None:
    """No order, no session ended or begun, no cookie gone or replaced."""
    service, page = victim
    before = (ask(page, "GET", "/orders"), ask(page, "GET", "/auth/sessions"), cookies_of(profile))
    home = foreign.url
    for attack, (kind, path, details, refusals) in ATTACKS.items():
        status = strike(foreign, kind, service.url + path, details)
        assert status in (refusals or {None}), attack
        after = (ask(page, "GET", "/orders"), ask(page, "GET", "/auth/sessions"), cookies_of(profile))
        assert after == before, attack
        foreign.goto(home)


def cookies_of(profile: BrowserContext) -> list[tuple[str, str]]:
    """Return what the browser keeps for everybody."""
    return sorted((cookie["name"], cookie["value"]) for cookie in profile.cookies())


def test_the_same_requests_from_our_own_page_pass(victim: tuple[Service, Page]) -> None:
    """So it was the foreign page that was refused above, not a mistake in the request."""
    service, page = victim
    count = ask(page, "GET", "/orders")[1]["orders"]
    assert ask(page, "POST", "/orders") == (200, {"user": "ada", "orders": count + 1})
    assert submit(page, f"{service.url}/auth/token", EVE) == 200
    page.goto(f"{service.url}/")
    assert ask(page, "GET", "/orders")[1]["user"] == "eve"
    assert ask(page, "POST", "/auth/logout")[0] == 204


def test_csrf_a_foreign_page_signs_nobody_in(
    services: Callable[[str, str], Service], profile: BrowserContext, foreign: Page, same_site: str
) -> None:
    """Or a visitor who is signed out would work in the attacker's account."""
    service = services("asgi", same_site)
    assert strike(foreign, "form", f"{service.url}/auth/token", EVE) == 403
    assert profile.cookies() == []


SOCKET = """url => new Promise(resolve => {
    const socket = new WebSocket(url);
    socket.onmessage = event => resolve(event.data);
    socket.onclose = () => resolve("refused");
})"""


def test_a_websocket_of_our_own_page_opens(
    services: Callable[[str, str], Service], profile: BrowserContext, same_site: str
) -> None:
    """By the cookie that the browser sends with the handshake."""
    service = services("asgi", same_site)
    page = profile.new_page()
    service.sign_in(page)
    assert page.evaluate(SOCKET, f"ws://localhost:{service.process.port}/live") == "ada"


def test_csrf_a_websocket_of_a_foreign_page_is_refused(
    services: Callable[[str, str], Service], profile: BrowserContext, foreign: Page, same_site: str
) -> None:
    """Cross-site WebSocket hijacking: the same-origin policy does not hold it back, the Origin does."""
    service = services("asgi", same_site)
    service.sign_in(profile.new_page())
    assert foreign.evaluate(SOCKET, f"ws://localhost:{service.process.port}/live") == "refused"
