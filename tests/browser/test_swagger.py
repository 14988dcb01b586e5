"""Swagger UI's own "Authorize" button, in a FastAPI app behind the middleware."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.servers_matrix.processes import Process, environment

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the app; give the address of its documentation."""
    folder = tmp_path_factory.mktemp("docs")
    process = Process("uvicorn-httptools", folder)
    env = environment(
        JWT_APP="tests.browser.docs_app:app", JWT_AUTHENTICATE="tests.browser.apps:authenticate",
        JWT_STORE_URL=f"sqlite:///{folder}/store.db", JWT_ISSUER="https://shop.example",
        JWT_AUDIENCE="https://api.shop.example", JWT_EXEMPT_PATHS="/docs,/openapi.json,/static-offline-docs/**",
    )  # fmt: skip
    process.serve("jwt_middleware.asgi:app", env, "/docs")
    yield f"http://localhost:{process.port}/docs"
    process.stop()


@pytest.fixture
def page(profile: BrowserContext, docs: str) -> Iterator[Page]:
    """The documentation, without a byte from elsewhere."""
    page = profile.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(docs)
    yield page
    assert {urlsplit(url).hostname for url in asked} == {"localhost"}


def authorize(page: Page, password: str) -> None:
    """Fill in Swagger UI's dialog and press its button."""
    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".modal-ux")
    dialog.get_by_label("username").fill("ada")
    dialog.get_by_label("password:").fill(password)
    dialog.get_by_role("button", name="Apply given OAuth2 credentials").click()


def try_out(page: Page) -> str:
    """Try the protected path out; return the status that Swagger UI shows."""
    page.locator(".opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    return page.locator(".live-responses-table .response .response-col_status").inner_text().split()[0]


def test_authorize_and_try_it_out(page: Page) -> None:
    """User and password in its dialog, and the protected path answers, although Swagger sends an empty Basic too."""
    with page.expect_request("**/auth/token") as sent:
        authorize(page, "correct horse")
    assert sent.value.header_value("authorization") == "Basic Og=="
    expect(page.locator(".modal-ux")).to_contain_text("Authorized")
    page.locator(".modal-ux").get_by_role("button", name="Close").last.click()
    assert try_out(page) == "200"
    expect(page.locator(".live-responses-table")).to_contain_text('"user": "ada"')


def test_without_authorizing(page: Page) -> None:
    """401, with our challenge."""
    assert try_out(page) == "401"
    expect(page.locator(".live-responses-table")).to_contain_text('www-authenticate: Bearer realm="api"')


def test_a_wrong_password(page: Page) -> None:
    """Swagger UI understands the refusal and says so."""
    authorize(page, "wrong")
    expect(page.locator(".modal-ux .errors")).to_contain_text("The credentials are not valid.")
