"""The apps that the servers serve: the same routes, written as each framework's users would write them.

    GET  /public        exempt: who the app thinks it is, which must be nobody
    GET  /me            who the app thinks it is, in its own idiom, and by `current_user()`
    GET  /thread        the same, asked from a worker thread (ASGI apps)
    GET  /stream?NAME   one chunk, and a second one as soon as the file NAME is there
    POST /upload        the length and the hash of the body
    *    /surroundings  the whole scope or environ, after the body was read (raw apps; below /open and /maybe too)
    POST /logout        revokes the token it came with, by a `JWTAuth` of the app's own
    GET  /token         issues a token by it (raw apps)
    PLACES              by any method: which view it is, and who the app thinks it is
    any WebSocket       greets by name (ASGI apps but Django); at /surroundings it tells its scope

No app knows the middleware, except that it asks for the user and for sign-out. Each is made on first
use, so that a server imports one framework and not five. Every answer of an app that `JWT_APP` names has
a header `X-Seen`, put there between the middleware and the framework: without it, the app was not called.
"""

# No `from __future__ import annotations` here: FastAPI must find the types of views made inside a function.
import asyncio
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from jwt_middleware import current_user

GATES = Path(os.environ.get("MATRIX_GATES", "."))
PATIENCE = 15.0  # seconds; the test opens the gate at once, unless somebody holds back its first chunk
FIRST, SECOND, LATE = b"first\n", b"second\n", b"nobody came\n"
# What the rules of `sites.py` are about.
PLACES = ("/health", "/feed", "/maybe", "/scoped/report", "/admin/help", "/admin/users", "/items/1", "/open/file")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def digest(body: bytes) -> dict[str, Any]:
    """Return what tells a client that its body arrived whole."""
    return {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def said(identity: str, **more: Any) -> dict[str, Any]:
    """Return the answer of /me and /public: the framework's word beside ours, and which process spoke."""
    return {"user": identity, "current": current_user().identity, "pid": os.getpid(), **more}


def witnessed_wsgi(app: Any) -> Any:
    """Let every answer of an app tell what the app was given."""

    def witnessed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        ours = {key: environ[key] for key in ("REMOTE_USER", "AUTH_TYPE") if key in environ}
        ours["keys"] = [key for key in environ if key.startswith("jwt_middleware.")]
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        note = _note(environ["jwt_middleware.user"], environ["REQUEST_METHOD"], path, ours)

        def noting(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("X-Seen", note)], *more)

        return app(environ, noting)

    return witnessed


def witnessed_asgi(app: Any) -> Any:
    """Let every answer of an app tell what the app was given."""

    async def witnessed(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        note = _note(scope["user"], scope["method"], scope["path"], {"scopes": scope["auth"].scopes})

        async def noting(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-seen", note.encode())]}
            await send(message)

        await app(scope, receive, noting)

    return witnessed


def _note(user: Any, method: str, path: str, ours: dict[str, Any]) -> str:
    return json.dumps({"user": user.identity, "method": method[:200], "path": path[:200], **ours})


def gate_open(name: str) -> Callable[[], bool]:
    """Return what tells whether the test has let the second chunk go."""
    return (GATES / name).exists


def chunks(name: str) -> Iterator[bytes]:
    """Yield the first chunk, and the second when the gate is open."""
    yield FIRST
    until, is_open = time.monotonic() + PATIENCE, gate_open(name)
    while not is_open() and time.monotonic() < until:
        time.sleep(0.01)
    yield SECOND if is_open() else LATE


async def async_chunks(name: str) -> AsyncIterator[bytes]:
    """Yield the first chunk, and the second when the gate is open."""
    yield FIRST
    until, is_open = time.monotonic() + PATIENCE, gate_open(name)
    while not is_open() and time.monotonic() < until:
        await asyncio.sleep(0.01)
    yield SECOND if is_open() else LATE


@cache
def blocking_auth() -> Any:
    """Return the app's own `JWTAuth`, for sign-out under WSGI."""
    from jwt_middleware.wsgi import JWTAuth

    return JWTAuth()


@cache
def async_auth() -> Any:
    """Return the app's own `JWTAuth`, for sign-out under ASGI."""
    from jwt_middleware.asgi import JWTAuth

    return JWTAuth()


# ---------------------------------------------------------------------------------------------- raw


def raw_wsgi() -> Any:
    """Make a plain PEP 3333 callable."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes] | list[bytes]:
        path = environ["PATH_INFO"]
        if path == "/stream":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return chunks(environ["QUERY_STRING"])
        if path in ("/me", "/public"):
            answer = said(environ.get("REMOTE_USER", ""), key=environ["jwt_middleware.user"].identity)
        elif path in PLACES:
            answer = said(environ.get("REMOTE_USER", ""), view=path)
        elif path == "/upload":
            answer = digest(_body(environ))
        elif path.endswith("/surroundings"):
            _body(environ)
            fields = [[key, value] for key, value in environ.items() if key.startswith("HTTP_")]
            answer = {"fields": fields, "all": repr(environ)}
        elif path == "/logout":
            blocking_auth().revoke(current_user())
            answer = {}
        elif path == "/token":
            answer = said("", token=blocking_auth().issue("ada"))
        else:
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        body = json.dumps(answer).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return app


def _body(environ: Mapping[str, Any]) -> bytes:
    if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
        return bytes(environ["wsgi.input"].read())
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def raw_asgi() -> Any:
    """Make a plain ASGI 3 callable, which knows nothing of lifespan."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            told = surroundings(scope) if scope["path"].endswith("/surroundings") else None
            text = json.dumps(told) if told else f"hello {scope['user'].identity}"
            await send({"type": "websocket.send", "text": text})
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            raise RuntimeError("only HTTP and WebSocket here")
        await _http(scope, receive, send)

    return app


def surroundings(scope: dict[str, Any]) -> dict[str, Any]:
    """Return the header fields of a scope, and all of it as a text."""
    fields = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    return {"fields": fields, "all": repr(scope)}


async def _http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    path, status = scope["path"].removeprefix(scope.get("root_path", "")), 200
    if path == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        async for chunk in async_chunks(scope["query_string"].decode()):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})
        return
    if path in ("/me", "/public"):
        answer = said(scope["user"].identity, scopes=list(scope["auth"].scopes))
    elif path in PLACES:
        answer = said(scope["user"].identity, view=path)
    elif path == "/thread":
        answer = await asyncio.to_thread(lambda: said(current_user().identity))
    elif path == "/upload":
        answer = digest(await _received(receive))
    elif path.endswith("/surroundings"):
        await _received(receive)
        answer = surroundings(scope)
    elif path == "/logout":
        await async_auth().revoke(current_user())
        answer = {}
    elif path == "/token":
        answer = said("", token=async_auth().issue("ada"))
    else:
        status, answer = 404, {}
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _received(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


# -------------------------------------------------------------------------------------------- flask


def flask() -> Any:
    """Make a Flask app; it finds the user in `request.remote_user`."""
    from flask import Flask, Response, jsonify, request

    app = Flask("matrix")

    @app.get("/me")
    @app.get("/public")
    def me() -> Response:
        return jsonify(said(request.remote_user or "", claims=current_user().claims))

    @app.get("/stream")
    def stream() -> Response:
        return Response(chunks(request.query_string.decode()), mimetype="text/plain")

    @app.post("/upload")
    def upload() -> Response:
        return jsonify(digest(request.get_data()))

    @app.post("/logout")
    def logout() -> Response:
        blocking_auth().revoke(current_user())
        return jsonify({})

    def place() -> Response:
        return jsonify(said(request.remote_user or "", view=str(request.url_rule)))

    for path in PLACES:
        app.add_url_rule(path, path, place, methods=METHODS)
    return app


# ------------------------------------------------------------------------------------------- django


def _configure_django(urlpatterns: list[Any]) -> None:
    import django
    from django.conf import settings

    class Urls:
        pass

    Urls.urlpatterns = urlpatterns  # type: ignore[attr-defined]
    settings.configure(
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", "jwt_middleware.django.UserMiddleware"],
        ROOT_URLCONF=Urls,
        SECRET_KEY="for nothing that matters here",
    )
    django.setup(set_prefix=False)


def django_wsgi() -> Any:
    """Make a Django WSGI application; its views find the user in `request.user`."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
    from django.urls import path

    def me(request: HttpRequest) -> JsonResponse:
        return JsonResponse(said(request.user.identity, authenticated=request.user.is_authenticated))

    def stream(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(chunks(request.META["QUERY_STRING"]), content_type="text/plain")

    def upload(request: HttpRequest) -> JsonResponse:
        return JsonResponse(digest(request.body))

    def logout(request: HttpRequest) -> JsonResponse:
        blocking_auth().revoke(request.user)
        return JsonResponse({})

    def place(request: HttpRequest) -> JsonResponse:
        return JsonResponse(said(request.user.identity, view=f"/{request.resolver_match.route}"))

    routes = {"me": me, "public": me, "stream": stream, "upload": upload, "logout": logout}
    _configure_django([path(name, view) for name, view in (*routes.items(), *((at[1:], place) for at in PLACES))])
    return WSGIHandler()


def django_asgi() -> Any:
    """Make a Django ASGI application; async views and the sync one of /thread find the user in `request.user`."""
    from django.core.handlers.asgi import ASGIHandler
    from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
    from django.urls import path

    async def me(request: HttpRequest) -> JsonResponse:
        return JsonResponse(said(request.user.identity, authenticated=request.user.is_authenticated))

    def thread(request: HttpRequest) -> JsonResponse:
        return JsonResponse(said(request.user.identity))

    async def stream(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(async_chunks(request.META["QUERY_STRING"]), content_type="text/plain")

    async def upload(request: HttpRequest) -> JsonResponse:
        return JsonResponse(digest(request.body))

    async def logout(request: HttpRequest) -> JsonResponse:
        await async_auth().revoke(request.user)
        return JsonResponse({})

    async def place(request: HttpRequest) -> JsonResponse:
        return JsonResponse(said(request.user.identity, view=f"/{request.resolver_match.route}"))

    routes = {"me": me, "public": me, "thread": thread, "stream": stream, "upload": upload, "logout": logout}
    _configure_django([path(name, view) for name, view in (*routes.items(), *((at[1:], place) for at in PLACES))])
    return ASGIHandler()


# -------------------------------------------------------------------------------- starlette, fastapi


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    """Give every request something that only start-up could give."""
    yield {"greeting": "hello"}


def starlette(middleware: Any = ()) -> Any:
    """Make a Starlette app; it finds the user in `request.user` and asks for scopes by `@requires`."""
    from starlette.applications import Starlette
    from starlette.authentication import requires
    from starlette.requests import Request
    from starlette.responses import JSONResponse, StreamingResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket

    async def public(request: Request) -> JSONResponse:
        return JSONResponse(said(request.user.identity, authenticated=request.user.is_authenticated))

    @requires("authenticated")
    async def me(request: Request) -> JSONResponse:
        greeting = getattr(request.state, "greeting", None)
        return JSONResponse(said(request.user.identity, name=request.user.display_name, greeting=greeting))

    @requires(["authenticated", "read"])
    def thread(request: Request) -> JSONResponse:
        return JSONResponse(said(request.user.identity))

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(async_chunks(request.url.query), media_type="text/plain")

    async def upload(request: Request) -> JSONResponse:
        return JSONResponse(digest(b"".join([chunk async for chunk in request.stream()])))

    async def logout(request: Request) -> JSONResponse:
        await async_auth().revoke(request.user)
        return JSONResponse({})

    async def place(request: Request) -> JSONResponse:
        return JSONResponse(said(request.user.identity, view=request.scope["route"].path))

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"hello {websocket.user.identity}")
        await websocket.close()

    return Starlette(
        lifespan=lifespan,
        middleware=middleware or None,
        routes=[
            Route("/public", public),
            Route("/me", me),
            Route("/thread", thread),
            Route("/stream", stream),
            Route("/upload", upload, methods=["POST"]),
            Route("/logout", logout, methods=["POST"]),
            *(Route(path, place, methods=METHODS) for path in PLACES),
            WebSocketRoute("/{path:path}", socket),
        ],
    )


def fastapi() -> Any:
    """Make a FastAPI app; its paths ask for the user by a dependency, made of `current_user()`."""
    from fastapi import Depends, FastAPI, Request, WebSocket
    from fastapi.responses import StreamingResponse

    app = FastAPI(lifespan=lifespan)
    user = Depends(current_user)

    @app.get("/public")
    async def public(request: Request) -> dict[str, Any]:
        return said(request.user.identity)

    @app.get("/me")
    async def me(request: Request, user: Any = user) -> dict[str, Any]:
        return said(user.identity, request=request.user.identity, greeting=getattr(request.state, "greeting", None))

    @app.get("/thread")
    def thread(user: Any = user) -> dict[str, Any]:
        return said(user.identity)

    @app.get("/stream")
    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(async_chunks(request.url.query), media_type="text/plain")

    @app.post("/upload")
    async def upload(request: Request) -> dict[str, Any]:
        return digest(await request.body())

    @app.post("/logout")
    async def logout(user: Any = user) -> dict[str, Any]:
        await async_auth().revoke(user)
        return {}

    async def place(request: Request) -> dict[str, Any]:
        return said(request.user.identity, view=request.scope["route"].path)

    for path in PLACES:
        app.add_api_route(path, place, methods=METHODS)

    @app.websocket("/{path:path}")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"hello {websocket.user.identity}")
        await websocket.close()

    return app


# ------------------------------------------------------------------------- wrapped in their own code


def wrapped_starlette() -> Any:
    """Make a Starlette app that adds the middleware itself, so that it is built inside the lifespan."""
    from jwt_middleware.asgi import JWTMiddleware

    app = starlette()
    app.add_middleware(JWTMiddleware)
    return app


def warm_wsgi() -> Any:
    """Make a Flask app that used the store of its middleware while it was imported: before any fork."""
    from jwt_middleware.wsgi import JWTMiddleware

    blocking_auth().revoke_subject("nobody")
    app = flask()
    app.wsgi_app = JWTMiddleware(app.wsgi_app, auth=blocking_auth())
    return app


def mounted_asgi() -> Any:
    """Make a Starlette app in which only what is mounted at /inner is wrapped."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from jwt_middleware.asgi import JWTMiddleware

    return Starlette(routes=[Mount("/inner", app=JWTMiddleware(starlette()))])


def mounted_wsgi() -> Any:
    """Make a WSGI app in which only what is mounted at /inner is wrapped."""
    from werkzeug.exceptions import NotFound
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    from jwt_middleware.wsgi import JWTMiddleware

    return DispatcherMiddleware(NotFound(), {"/inner": JWTMiddleware(flask())})


APPS = {
    f"{make.__name__}_app": make
    for make in (
        raw_wsgi, raw_asgi, flask, django_wsgi, django_asgi, starlette, fastapi,
        wrapped_starlette, warm_wsgi, mounted_asgi, mounted_wsgi,
    )
}  # fmt: skip
WITNESSED = {
    **dict.fromkeys(("raw_wsgi_app", "flask_app", "django_wsgi_app"), witnessed_wsgi),
    **dict.fromkeys(("raw_asgi_app", "django_asgi_app", "starlette_app", "fastapi_app"), witnessed_asgi),
}


def __getattr__(name: str) -> Any:
    """Make the app on first use: `tests.servers_matrix.apps:flask_app`."""
    if name not in WITNESSED:
        raise AttributeError(name)
    app = globals()[name] = WITNESSED[name](APPS[name]())
    return app
