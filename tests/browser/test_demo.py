"""`jwt-middleware demo` in Chromium: what its page promises, in cookie mode and in header mode."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import demo_at

pytestmark = pytest.mark.long

MODES = {"cookies": "Cookies", "headers": "This page’s memory"}
both_modes = pytest.mark.parametrize("mode", MODES)
GONE = re.compile("Signed out: ")


@pytest.fixture
def enter(profile: BrowserContext, demo: str) -> Callable[..., Page]:
    """Open a tab and sign in: `enter("cookies")`."""
    return lambda mode, url=demo, among=profile: sign_in(among.new_page(), mode, url)


def sign_in(page: Page, mode: str, url: str) -> Page:
    """Sign in as the page proposes, by the keyboard."""
    page.goto(url)
    page.get_by_role("radio", name=MODES[mode]).check()
    page.get_by_label("Password").press("Enter")
    expect(heading(page)).to_be_focused()
    return page


def heading(page: Page) -> Locator:
    """Where somebody who is signed in is greeted."""
    return page.get_by_role("heading", name="Signed in as Ada Lovelace")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def call(page: Page, name: str, *answer: str) -> None:
    """Send one of the proposed requests, and see all this in the answer."""
    page.get_by_role("button", name=name).click()
    for part in answer:
        expect(page.get_by_role("status", name="The answer")).to_contain_text(part)


def claim(page: Page, name: str) -> str:
    return str(page.locator(f"#claims dt:text-is('{name}') + dd").inner_text())


@both_modes
def test_calling_the_api(enter: Callable[..., Page], mode: str) -> None:
    """Each request shows its status and its body as the API gave them."""
    page = enter(mode)
    call(page, "GET /api/hello reads", "200 OK", '"hello": "Ada Lovelace"')
    call(page, "POST /api/visits changes something", "200 OK", '"visits":')
    call(page, "GET /api/vault", "403 Forbidden", '"insufficient_scope"', 'scope="vault"')
    call(page, "sent without any token", "401 Unauthorized", '"unauthorized"', "with no token")
    without = page.get_by_role("button", name="sent without the CSRF token")
    expect(without).to_have_count(1 if mode == "cookies" else 0)
    if mode == "cookies":
        call(page, "sent without the CSRF token", "403 Forbidden", '"csrf_failed"')


@both_modes
def test_refreshing_by_hand(enter: Callable[..., Page], mode: str) -> None:
    """The next token has another `jti` in the same session, and nearly its whole life before it."""
    page = enter(mode)
    jti, sid = claim(page, "jti"), claim(page, "sid")
    press(page, "Refresh now")
    expect(page.locator("#token-status")).to_have_text("Renewed: 60 seconds more.")
    assert claim(page, "jti") != jti
    assert claim(page, "sid") == sid
    assert int(page.get_by_role("timer").locator("span").inner_text()) > 30


@both_modes
def test_a_token_that_ends(enter: Callable[..., Page], mode: str, tmp_path: Path) -> None:
    """Left alone it runs out, the API refuses it, and the session lives; with the box ticked it renews itself."""
    with demo_at(tmp_path / "demo", "--lifetime", "3") as url:
        page = enter(mode, url)
        automatic = page.get_by_role("checkbox", name="Refresh shortly before the end")
        automatic.uncheck()
        jti = claim(page, "jti")
        expect(page.get_by_role("timer").locator("span")).to_have_text("0")
        page.wait_for_timeout(500)  # the token ends in the second after the one that it was issued in
        call(page, "GET /api/hello reads", "401 Unauthorized")
        expect(heading(page)).to_be_visible()
        automatic.check()
        expect(page.locator("#claims")).not_to_contain_text(jti)
        call(page, "GET /api/hello reads", "200 OK")
        jti = claim(page, "jti")
        expect(page.locator("#claims")).not_to_contain_text(jti)


@pytest.mark.parametrize("how", ["Log out", "Log out everywhere"])
def test_cookies_one_tab_logs_out_and_the_other_falls(
    enter: Callable[..., Page], profile: BrowserContext, how: str
) -> None:
    """Nobody touches the other: it hears that something happened, and the API tells it the rest."""
    one = enter("cookies")
    with profile.expect_page() as opened:
        one.get_by_role("link", name="Open a second tab").click()
    other = opened.value
    expect(heading(other)).to_be_visible()  # signed in too, by the same cookies
    press(one, how)
    expect(one.locator("#notice")).to_have_text(re.compile("^Signed out"))
    expect(other.get_by_role("alert").filter(has_text=GONE)).to_be_visible()
    expect(heading(other)).to_be_hidden()
    expect(other.get_by_role("heading", name="Sign in, and watch")).to_be_focused()
    assert profile.cookies() == []


def test_memory_logging_out_ends_this_tab_alone(enter: Callable[..., Page]) -> None:
    """Each tab has a session of its own, until somebody logs out everywhere."""
    one, other, third = enter("headers"), enter("headers"), enter("cookies")
    press(one, "Log out")
    expect(one.locator("#notice")).to_have_text("Signed out.")
    call(other, "GET /api/hello reads", "200 OK")
    press(third, "Log out everywhere")
    expect(other.get_by_role("alert").filter(has_text=GONE)).to_contain_text("401 invalid_grant")


@both_modes
def test_another_browser_learns_it_from_the_api(
    enter: Callable[..., Page], new_profile: Callable[..., BrowserContext], mode: str
) -> None:
    """No message reaches it: its next request is refused, and it falls with the API's own words."""
    here, there = enter(mode), enter(mode, among=new_profile())
    press(here, "Log out everywhere")
    expect(here.locator("#notice")).to_have_text("Signed out everywhere.")
    there.get_by_role("button", name="GET /api/hello reads").click()
    expect(there.get_by_role("alert").filter(has_text=GONE)).to_contain_text("The credentials are not valid.")


@both_modes
def test_the_list_of_sessions(
    enter: Callable[..., Page], new_profile: Callable[..., BrowserContext], mode: str
) -> None:
    """It shows both browsers, says which is this one, and ends the other."""
    first = enter(mode)
    press(first, "Log out everywhere")
    here, there = enter(mode), enter(mode, among=new_profile())
    press(here, "Refresh now")
    rows = here.locator("#sessions > li")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="this one")).to_have_count(1)
    rows.filter(has_not_text="this one").get_by_role("button", name="End the session of Chrome").click()
    expect(rows).to_have_count(1)
    call(here, "GET /api/hello reads", "200 OK")
    there.get_by_role("button", name="GET /api/hello reads").click()
    expect(there.get_by_role("alert").filter(has_text=GONE)).to_be_visible()
    rows.get_by_role("button").click()
    expect(here.locator("#notice")).to_have_text("Signed out: you have ended this session.")


def test_memory_nothing_is_kept(enter: Callable[..., Page], profile: BrowserContext) -> None:
    """No cookie, no storage: a reloaded tab is signed out."""
    page = enter("headers")
    assert profile.cookies() == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(heading(page)).to_be_hidden()


def test_cookies_a_reloaded_tab_is_signed_in(enter: Callable[..., Page]) -> None:
    """And what a script can read is the CSRF token alone, as the page says."""
    page = enter("cookies")
    page.reload()
    expect(heading(page)).to_be_visible()
    assert page.locator("#exposed dt").all_inner_texts() == ["__Host-csrf_token"]


@both_modes
def test_a_wrong_password(profile: BrowserContext, demo: str, mode: str) -> None:
    """The API's words, read out to who cannot see them."""
    page = profile.new_page()
    page.goto(demo)
    page.get_by_role("radio", name=MODES[mode]).check()
    page.get_by_label("Password").fill("difference engine")
    press(page, "Sign in")
    expect(
        page.get_by_role("alert").filter(has_text="401 invalid_grant: The credentials are not valid.")
    ).to_be_visible()


def test_a_demo_that_has_gone(enter: Callable[..., Page], tmp_path: Path) -> None:
    """Nobody is signed out because nothing answers: who we are is not known, and the page says so."""
    with demo_at(tmp_path / "demo") as url:
        page = enter("cookies", url)
    for attempt in ("Refresh now", "Log out"):
        page.evaluate("document.getElementById('token-status').textContent = ''")
        press(page, attempt)
        expect(page.locator("#token-status")).to_contain_text("Is the demo still running?")
    expect(heading(page)).to_be_visible()


def test_plain_cookies(enter: Callable[..., Page], profile: BrowserContext, tmp_path: Path) -> None:
    """For browsers that take no Secure cookie here: other names, the same page."""
    with demo_at(tmp_path / "demo", "--plain-cookies") as url:
        page = enter("cookies", url)
        assert {cookie["name"] for cookie in profile.cookies()} == {"access_token", "refresh_token", "csrf_token"}
        call(page, "POST /api/visits changes something", "200 OK")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280], ids=["phone", "desk"])
def test_everybody_can_use_it(new_profile: Callable[..., BrowserContext], demo: str, scheme: str, width: int) -> None:
    """axe finds nothing (contrast, names, roles, order), and nothing has to be scrolled sideways."""
    profile = new_profile(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = profile.new_page()
    page.goto(demo)
    for state in ("signed out", "signed in"):
        if state == "signed in":
            sign_in(page, "cookies", demo)
            call(page, "GET /api/vault")
        found = Axe().run(page)
        assert found.violations_count == 0, (state, found.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state
