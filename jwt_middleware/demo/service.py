"""The demo's service: a page, a small API that the page calls, and the middleware that protects it.

One middleware takes tokens from both places, a header or cookies; the page asks for one of them when it signs in.
"""

from __future__ import annotations

import hmac
import itertools
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from string import Template
from typing import Any

from jwt_middleware.login.keyring import Keyring
from jwt_middleware.user import current_user
from jwt_middleware.wsgi import Environ, JWTMiddleware, StartResponse

USER, PASSWORD = "ada", "analytical engine"
_SESSION = "1h"

_HERE = Path(__file__).parent
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    # Not `no-referrer`: with it a form's Origin is `null`, and no CSRF check can tell it from a foreign one.
    ("Referrer-Policy", "same-origin"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    ),
]

Answer = tuple[str, str, bytes]


def protected(folder: Path, url: str, *, lifetime: int, secure: bool = True) -> JWTMiddleware:
    """Make the service.

    Args:
        folder: where the key pair and the store go; the caller's to throw away.
        url: where it is served: its issuer and its audience.
        lifetime: seconds that an access token lives.
        secure: whether cookies are `Secure` and named so; not every browser takes those from http://localhost.
    """
    Keyring(folder / "keys").new("ES256")
    return JWTMiddleware(
        _App(lifetime),
        keys_dir=folder / "keys",
        store_url=f"sqlite:///{folder}/store.db",
        issuer=url,
        audience=url,
        authenticate=authenticate,
        login_attempts="120/minute",  # everybody who looks at a demo is the same user
        token_location="headers,cookies",  # noqa: S106 - a place, not a token
        cookie_secure=secure,
        access_token_expires=lifetime,
        refresh_token_expires=_SESSION,
        session_expires=_SESSION,
        leeway=0,  # one clock issues and verifies, and the page counts to zero
        exempt_paths="/,/page/**",
        rules_file=_HERE / "rules.toml",
    )


def authenticate(username: str, password: str) -> tuple[str, dict[str, Any]] | None:
    """Check the one user that there is, as `JWT_AUTHENTICATE` wants it."""
    if hmac.compare_digest(f"{username}\n{password}".encode(), f"{USER}\n{PASSWORD}".encode()):
        return USER, {"name": "Ada Lovelace", "scope": "read write"}
    return None


class _App:
    """The page and the API behind the middleware. Not a word about tokens: whoever comes here was let in."""

    def __init__(self, lifetime: int) -> None:
        self._visits = itertools.count(1)
        facts = {"user": USER, "password": PASSWORD, "lifetime": str(lifetime)}
        self._routes: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", "/api/hello"): lambda: _json({"hello": current_user().display_name}),
            ("GET", "/api/me"): lambda: _json({"claims": current_user().claims, "now": time.time()}),
            ("POST", "/api/visits"): lambda: _json({"visits": next(self._visits)}),
            ("GET", "/api/vault"): lambda: _json({"gold": True}),
        }
        for path, answer in _pages(facts).items():
            self._routes["GET", path] = lambda answer=answer: answer  # type: ignore[misc]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        route = self._routes.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]), _nothing)
        status, kind, body = route()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *_HEADERS])
        return [body]


def _pages(facts: dict[str, str]) -> dict[str, Answer]:
    """Return what is served without a token, by path; the facts stand in the HTML alone."""
    found = {}
    for file in (file for file in (_HERE / "page").iterdir() if file.suffix in _KINDS):
        text = file.read_text("utf-8")
        is_page = file.suffix == ".html"
        body = (Template(text).substitute(facts) if is_page else text).encode()
        found["/" if is_page else f"/page/{file.name}"] = ("200 OK", f"{_KINDS[file.suffix]}; charset=utf-8", body)
    return found


def _json(value: object) -> Answer:
    return "200 OK", "application/json", json.dumps(value).encode()


def _nothing() -> Answer:
    return "404 Not Found", "application/json", b'{"error": "not_found"}'
