"""Both worlds behind one face: a request goes in as any server would hand it over, an answer comes out."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jwt_middleware import User, asgi, current_user, wsgi
from jwt_middleware.truth.io import run

SECRET = "nV8vQ2kD5xJtC0aZpY7rLwE3uHbG6mFs"  # 32 bytes, for tests alone
NOW = 3_999_996_000.0


class Clock:
    """A clock that tests set by hand."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Answer:
    """What the client got, and what the app saw, if it was called."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    seen: list[Seen] = field(default_factory=list)

    @property
    def user(self) -> User:
        """The user that the app saw; the app must have been called once."""
        assert len(self.seen) == 1, (
            f"the app was called {len(self.seen)} times, the answer is {self.status} {self.body!r}"
        )
        return self.seen[0].user

    @property
    def passed(self) -> bool:
        """Whether the app was called."""
        return bool(self.seen)

    @property
    def error(self) -> str | None:
        """The error code of our own answer."""
        return None if self.passed else json.loads(self.body)["error"]

    def header(self, name: str) -> str | None:
        """The one value of a header."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2, f"{name} stands {len(values)} times"
        return values[0] if values else None


@dataclass
class Seen:
    """What the app found: its user, the context's user, and the scope or environ itself."""

    user: User
    current: User
    surroundings: dict[str, Any]


Headers = Sequence[tuple[str, str | bytes]]


class ASGIWorld:
    """The ASGI adapter, driven by hand on one event loop."""

    name = "asgi"

    def __init__(self, **settings: Any) -> None:
        self.runner = asyncio.Runner()
        self.seen: list[Seen] = []
        self.auth = settings.pop("auth", None) or asgi.JWTAuth(**settings)
        self.middleware = asgi.JWTMiddleware(self._app, auth=self.auth)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(Seen(scope["user"], current_user(), scope))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the app"})

    def request(
        self,
        path: str = "/",
        *,
        token: str | None = None,
        method: str = "GET",
        headers: Headers = (),
        scheme: str = "http",
        peer: str = "127.0.0.1",
        host: str | None = "api.example",
        mount: str = "",
        raw_path: bytes | None = None,
        body: bytes = b"",
        extra: dict[str, Any] | None = None,
    ) -> Answer:
        """Send one HTTP request."""
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": scheme,
            "path": mount + path, "raw_path": (mount + path).encode() if raw_path is None else raw_path,
            "query_string": b"", "root_path": mount, "headers": _asgi_headers(token, headers, host),
            "client": (peer, 1234) if peer else None, "server": ("127.0.0.1", 80), **(extra or {}),
        }  # fmt: skip
        return self.send(scope, body)

    def send(self, scope: dict[str, Any], body: bytes = b"") -> Answer:
        """Hand over one scope of type http."""
        self.seen.clear()
        sent: list[dict[str, Any]] = []
        parts = [body[:7], body[7:]] if len(body) > 7 else [body]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        self.runner.run(self.middleware(scope, receive, send))
        head = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        return Answer(sent[0]["status"], head, b"".join(m.get("body", b"") for m in sent[1:]), list(self.seen))

    def handshake(self, path: str, *, headers: Headers = ()) -> bool:
        """Open a WebSocket; tell whether the app was asked."""
        self.seen.clear()
        scope = {
            "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": _asgi_headers(None, headers, "api.example"),
            "client": ("127.0.0.1", 1234), "server": ("127.0.0.1", 80), "subprotocols": [],
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            pass

        self.runner.run(self.middleware(scope, receive, send))
        return bool(self.seen)

    def verify(self, token: str) -> User:
        return self.runner.run(self.auth.verify(token))

    def revoke(self, user: User) -> None:
        self.runner.run(self.auth.revoke(user))

    def revoke_subject(self, subject: str) -> None:
        self.runner.run(self.auth.revoke_subject(subject))

    def revoke_session(self, session_id: str) -> None:
        self.runner.run(self.auth.revoke_session(session_id))

    def drive(self, coroutine: Any) -> Any:
        """Run a coroutine of the core as this world does."""
        return self.runner.run(coroutine)


def _asgi_headers(token: str | None, headers: Headers, host: str | None) -> list[tuple[bytes, bytes]]:
    own: list[tuple[str, str | bytes]] = [] if host is None else [("host", host)]
    own += [("authorization", f"Bearer {token}")] if token is not None else []
    return [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in [*own, *headers]
    ]


class WSGIWorld:
    """The WSGI adapter, driven by hand."""

    name = "wsgi"

    def __init__(self, **settings: Any) -> None:
        self.seen: list[Seen] = []
        self.auth = settings.pop("auth", None) or wsgi.JWTAuth(**settings)
        self.middleware = wsgi.JWTMiddleware(self._app, auth=self.auth)

    def _app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.seen.append(Seen(environ["jwt_middleware.user"], current_user(), environ))
        start_response("200 OK", [])
        return [b"the app"]

    def request(
        self,
        path: str = "/",
        *,
        token: str | None = None,
        method: str = "GET",
        headers: Headers = (),
        scheme: str = "http",
        peer: str = "127.0.0.1",
        host: str | None = "api.example",
        mount: str = "",
        raw_path: bytes | None = None,
        body: bytes = b"",
        extra: dict[str, Any] | None = None,
    ) -> Answer:
        """Send one request."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": mount, "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": peer, "wsgi.url_scheme": scheme, **({} if host is None else {"HTTP_HOST": host}),
            "wsgi.input": io.BytesIO(body), **({"CONTENT_LENGTH": str(len(body))} if body else {}),
        }  # fmt: skip
        if raw_path is not None:
            environ["RAW_URI"] = raw_path.decode("latin-1")
        own: list[tuple[str, str | bytes]] = [("Authorization", f"Bearer {token}")] if token is not None else []
        for name, value in [*own, *headers]:
            key = "HTTP_" + name.upper().replace("-", "_")
            key = key.removeprefix("HTTP_") if key in ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE") else key
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            environ[key] = f"{environ[key]},{text}" if key in environ else text
        return self.send(environ | (extra or {}))

    def send(self, environ: dict[str, Any]) -> Answer:
        """Hand over one environ."""
        self.seen.clear()
        started: list[Any] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
            started.append((int(status.split(" ")[0]), list(headers)))

        body = b"".join(self.middleware(environ, start_response))
        return Answer(started[0][0], started[0][1], body, list(self.seen))

    def verify(self, token: str) -> User:
        return self.auth.verify(token)

    def revoke(self, user: User) -> None:
        self.auth.revoke(user)

    def revoke_subject(self, subject: str) -> None:
        self.auth.revoke_subject(subject)

    def revoke_session(self, session_id: str) -> None:
        self.auth.revoke_session(session_id)

    def drive(self, coroutine: Any) -> Any:
        """Run a coroutine of the core as this world does."""
        return run(coroutine)


World = ASGIWorld | WSGIWorld
WORLDS = (ASGIWorld, WSGIWorld)
