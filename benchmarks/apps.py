"""What the servers serve: each app bare, wrapped by us, and protected as others do. `BENCH_APP=flask:peer` picks."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.material import AUDIENCE, ISSUER, POLICY, SECRET, decode

SETTINGS: dict[str, Any] = {"secret_key": SECRET, **POLICY, "cache_seconds": 3600, "revocation": "off"}
HELLO = {"message": "Hello, world!"}


def claims(authorization: str) -> dict[str, Any]:
    return decode(authorization.removeprefix("Bearer "), SECRET, "HS256")


def asgi(peer: bool) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        if peer:
            scope["user"] = claims(dict(scope["headers"])[b"authorization"].decode())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"13")]})
        await send({"type": "http.response.body", "body": b"Hello, world!"})

    return app


def wsgi(peer: bool) -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        if peer:
            environ["user"] = claims(environ["HTTP_AUTHORIZATION"])
        start_response("200 OK", [("Content-Length", "13")])
        return [b"Hello, world!"]

    return app


def starlette(peer: bool) -> Any:
    from starlette.applications import Starlette
    from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            found = claims(conn.headers["authorization"])
            return AuthCredentials(["authenticated", *found["scope"].split()]), SimpleUser(found["sub"])

    async def hello(request: Any) -> JSONResponse:
        return JSONResponse(HELLO)

    app = Starlette(routes=[Route("/", hello)])
    if peer:
        app.add_middleware(AuthenticationMiddleware, backend=Backend())
    return app


def fastapi(peer: bool) -> Any:
    from fastapi import Depends, FastAPI
    from fastapi.security import HTTPBearer

    async def user(found: Any = Depends(HTTPBearer())) -> dict[str, Any]:  # noqa: B008 - FastAPI's own idiom
        return decode(found.credentials, SECRET, "HS256")

    app = FastAPI(dependencies=[Depends(user)] if peer else [])

    @app.get("/")
    async def hello() -> dict[str, str]:
        return HELLO

    return app


def flask(peer: bool) -> Any:
    from flask import Flask
    from flask_jwt_extended import JWTManager, jwt_required

    app = Flask(__name__)
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_DECODE_AUDIENCE=AUDIENCE, JWT_DECODE_ISSUER=ISSUER)
    JWTManager(app)

    @app.get("/")
    @(jwt_required() if peer else lambda view: view)
    def hello() -> dict[str, str]:
        return HELLO

    return app


def build(name: str, kind: str) -> Any:
    app = {"asgi": asgi, "wsgi": wsgi, "starlette": starlette, "fastapi": fastapi, "flask": flask}[name](kind == "peer")
    if kind != "wrapped":
        return app
    if name in ("wsgi", "flask"):
        from jwt_middleware.wsgi import JWTMiddleware
    else:
        from jwt_middleware.asgi import JWTMiddleware
    return JWTMiddleware(app, **SETTINGS)


if "BENCH_APP" in os.environ:
    app = build(*os.environ["BENCH_APP"].split(":"))
