"""Cookie mode in Chromium: what it stores, what a script sees, and two tabs."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.conftest import Service, ask

pytestmark = pytest.mark.long


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_cookies_as_chromium_keeps_them(service: Service, profile: BrowserContext, host: str) -> None:
    """With the prefixes and flags that we ask for, on plain HTTP too since this is the same machine."""
    page = profile.new_page()
    service.sign_in(page, url=f"http://{host}:{service.process.port}")
    kept = {cookie["name"]: cookie for cookie in profile.cookies()}
    flags = {
        name: (cookie["domain"], cookie["path"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"])
        for name, cookie in kept.items()
    }
    assert flags == {
        "__Host-access_token": (host, "/", True, True, "Lax"),
        "__Secure-refresh_token": (host, "/auth", True, True, "Strict"),
        "__Host-csrf_token": (host, "/", False, True, "Lax"),
    }


def test_a_script_sees_the_csrf_token_alone(service: Service, profile: BrowserContext) -> None:
    """An injected one could use the session while the page is open, but takes no token away."""
    page = profile.new_page()
    service.sign_in(page)
    assert [pair.partition("=")[0] for pair in page.evaluate("document.cookie").split("; ")] == ["__Host-csrf_token"]


def test_a_script_uses_the_session_as_it_should(service: Service, profile: BrowserContext) -> None:
    """Reading by the cookie, changing with the CSRF token, refused without; afterwards the browser holds nothing."""
    page = profile.new_page()
    service.sign_in(page)
    status, before = ask(page, "GET", "/orders")
    assert (status, before["user"]) == (200, "ada")
    assert ask(page, "POST", "/orders", csrf=False)[1]["error"] == "csrf_failed"
    assert ask(page, "POST", "/orders") == (200, {"user": "ada", "orders": before["orders"] + 1})
    old = {cookie["name"]: cookie["value"] for cookie in profile.cookies()}
    assert ask(page, "POST", "/auth/refresh")[0] == 200
    new = {cookie["name"]: cookie["value"] for cookie in profile.cookies()}
    assert {name for name in old if old[name] != new[name]} == {"__Host-access_token", "__Secure-refresh_token"}
    assert ask(page, "POST", "/auth/logout")[0] == 204
    assert profile.cookies() == []


@pytest.mark.parametrize("how", ["logout", "logout-everywhere"])
def test_logging_out_in_one_tab_is_logging_out_in_the_other(
    service: Service, profile: BrowserContext, how: str
) -> None:
    """They share the cookies, so the other is nobody at its next request; what it kept of the session is worthless."""
    one, other = profile.new_page(), profile.new_page()
    service.sign_in(one)
    other.goto(f"{service.url}/")
    assert ask(other, "GET", "/orders")[0] == 200
    kept = profile.cookies()
    assert ask(one, "POST", f"/auth/{how}")[0] == 204
    assert ask(other, "GET", "/orders")[1]["error"] == "unauthorized"
    profile.add_cookies(kept)
    assert ask(other, "GET", "/orders")[1]["error"] == "invalid_token"
    assert ask(other, "POST", "/auth/refresh")[1]["error"] == "invalid_grant"
    assert profile.cookies() == []
