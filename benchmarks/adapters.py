"""What the middleware adds to a request with a known token, around an app that does nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.material import POLICY, Keys, bearer, environ, fresh, keycloak, scope
from benchmarks.measure import Row, drive, in_turn, per_call
from jwt_middleware import asgi, wsgi


async def asgi_app(scope: Any, receive: Any, send: Any) -> None: ...


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    return []


async def _send(message: Any) -> None: ...


def asgi_call(app: Any, request: dict[str, Any]) -> None:
    drive(app(request, None, _send))


def wsgi_call(app: Any, request: dict[str, Any]) -> None:
    app(request, lambda status, headers: None)


def rows() -> Iterator[Row]:
    keys = Keys("HS256")
    settings = {**keys.settings, **POLICY, "cache_seconds": 3600, "revocation": "off"}
    credential = bearer(keycloak(keys, 1)[0])
    yield from _rows("ASGI", asgi_call, asgi_app, asgi.JWTMiddleware(asgi_app, **settings), scope, credential)
    yield from _rows("WSGI", wsgi_call, wsgi_app, wsgi.JWTMiddleware(wsgi_app, **settings), environ, credential)
    settings["forward_claims"] = "X-User-Id=sub,X-Email=email,X-Roles=realm_access.roles"
    to = "it with three claims forwarded"
    yield _adds("ASGI", to, asgi_call, asgi_app, asgi.JWTMiddleware(asgi_app, **settings), scope, credential)
    yield _adds("WSGI", to, wsgi_call, wsgi_app, wsgi.JWTMiddleware(wsgi_app, **settings), environ, credential)


def _rows(world: str, call: Any, bare: Any, wrapped: Any, request: Any, credential: bytes) -> Iterator[Row]:
    yield _adds(world, "a request with a known token", call, bare, wrapped, request, credential)
    frames = _frames(lambda: call(wrapped, request(credential)))
    yield Row(f"{world}, frames of ours on a hit", frames, "", target=("<=", 2))


def _adds(world: str, to: str, call: Any, bare: Any, wrapped: Any, request: Any, credential: bytes) -> Row:
    requests = lambda: map(request, fresh(credential, 300))  # noqa: E731
    alone, around = in_turn([per_call(partial(call, app), requests) for app in (bare, wrapped)])
    return Row(f"{world} adapter adds to {to}", min(around) - min(alone), "µs", "no-op app")


def _frames(call: Callable[[], object]) -> int:
    seen: list[str] = []
    sys.setprofile(lambda frame, event, _: seen.append(frame.f_code.co_filename) if event == "call" else None)
    call()
    sys.setprofile(None)
    return sum("/jwt_middleware/" in name for name in seen)
