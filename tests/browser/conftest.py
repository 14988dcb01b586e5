"""A real Chromium, real servers, and a second site for the attacker."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.browser.apps import PASSWORDS
from tests.served_demo import running_demo
from tests.servers import HERE
from tests.servers_matrix.processes import Process, environment

pytest.importorskip("playwright", reason="playwright is not installed: the tests in a browser need it")
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 20_000.0  # milliseconds
WORLDS = {"asgi": ("uvicorn-httptools", "starlette_app"), "wsgi": ("gunicorn-gthread", "flask_app")}
FETCH = """async ([method, path, headers, body]) => {
    const answer = await fetch(path, {method, headers, body});
    const text = await answer.text();
    return [answer.status, text ? JSON.parse(text) : null];
}"""


# Of this package alone: while Playwright runs, its event loop does, and other tests need their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start the Chromium of this machine."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        chromium = playwright.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture
def new_profile(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Make a browser profile with cookies of its own, in which no page may fail in silence."""
    made: list[BrowserContext] = []
    failures: list[str] = []

    def make(**options: Any) -> BrowserContext:
        profile = browser.new_context(**options)
        profile.set_default_timeout(PATIENCE)
        profile.on("weberror", lambda failure: failures.append(str(failure.error)))
        profile.on("console", lambda said: failures.extend([said.text] * ("Content Security Policy" in said.text)))
        made.append(profile)
        return profile

    yield make
    for profile in made:
        profile.close()
    assert failures == []


@pytest.fixture
def profile(new_profile: Callable[..., BrowserContext]) -> BrowserContext:
    """One browser profile."""
    return new_profile()


class Service:
    """Our service, as the browser sees it.

    Attributes:
        world: `asgi` or `wsgi`.
        url: where it is; the same server is at 127.0.0.1, which is another site.
    """

    def __init__(self, world: str, folder: Path, same_site: str) -> None:
        server, app = WORLDS[world]
        self.world = world
        self.process = Process(server, folder)
        env = environment(
            JWT_APP=f"tests.browser.apps:{app}", JWT_AUTHENTICATE="tests.browser.apps:authenticate",
            JWT_TOKEN_LOCATION="cookies", JWT_COOKIE_SAMESITE=same_site, JWT_STORE_URL=f"sqlite:///{folder}/store.db",
            JWT_ISSUER="https://shop.example", JWT_AUDIENCE="https://api.shop.example", JWT_EXEMPT_PATHS="/",
            JWT_STORE_TIMEOUT="5", JWT_LOGIN_ATTEMPTS="10000/minute",
        )  # fmt: skip
        self.process.serve(f"jwt_middleware.{world}:app", env, "/")
        self.url = f"http://localhost:{self.process.port}"

    def sign_in(self, page: Page, username: str = "ada", *, url: str | None = None) -> None:
        """Sign in from a page of the service."""
        page.goto(f"{url or self.url}/")
        status, body = ask(page, "POST", "/auth/token", json={"username": username, "password": PASSWORDS[username]})
        assert status == 200, body


def ask(page: Page, method: str, path: str, *, json: Any = None, csrf: bool = True) -> tuple[int, Any]:
    """Send a request as a script of this page would; return the status and what came."""
    headers = {"X-CSRF-Token": csrf_token(page)} if csrf and method != "GET" else {}
    if json is not None:
        headers["Content-Type"] = "application/json"
    body = page.evaluate("JSON.stringify", json) if json is not None else None
    status, answer = page.evaluate(FETCH, [method, path, headers, body])
    return status, answer


def csrf_token(page: Page) -> str:
    """Return the CSRF token that a script of this page can read."""
    found = re.search(r"__Host-csrf_token=([^;]*)", page.evaluate("document.cookie"))
    return found[1] if found else ""


@pytest.fixture(scope="package")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Service]]:
    """Keep one server process per world and `SameSite`."""
    running: dict[tuple[str, str], Service] = {}

    def get(world: str, same_site: str = "Lax") -> Service:
        if (world, same_site) not in running:
            folder = tmp_path_factory.mktemp(f"{world}-{same_site}")
            running[world, same_site] = Service(world, folder, same_site)
        return running[world, same_site]

    yield get
    for service in running.values():
        service.process.stop()


@pytest.fixture(params=WORLDS)
def service(request: pytest.FixtureRequest, services: Callable[[str], Service]) -> Service:
    """Our service, in either world."""
    return services(request.param)


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>theirs</title>")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="package")
def attacker() -> Iterator[int]:
    """Serve empty pages for an attacker's scripts; give the port."""
    server = ThreadingHTTPServer((HERE, 0), _Blank)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo as anybody starts it; its address."""
    with demo_at(tmp_path_factory.mktemp("demo")) as url:
        yield url


@contextmanager
def demo_at(folder: Path, *options: str) -> Iterator[str]:
    """Start a demo with options, and give its address."""
    with running_demo(folder, *options) as (_, printed):
        yield re.search(r"http://localhost:\d+", printed)[0]
