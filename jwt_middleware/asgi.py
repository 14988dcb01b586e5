"""Protect any ASGI app: HTTP and WebSocket, from outside.

    from jwt_middleware.asgi import JWTMiddleware
    app = JWTMiddleware(app)                    # everything from JWT_* environment variables

The app finds the user in `scope["user"]` and, anywhere, by `jwt_middleware.current_user()`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from jwt_middleware import target
from jwt_middleware.core import Clock, Issuer, chosen
from jwt_middleware.errors import ConfigurationError
from jwt_middleware.gate.admission import AnyGate, ClosedGate
from jwt_middleware.gate.replies import Reply
from jwt_middleware.gate.request import Request
from jwt_middleware.gate.rules import below_mount
from jwt_middleware.notices import announce, revocable
from jwt_middleware.truth._async import AsyncIO
from jwt_middleware.user import User, set_current

__all__ = ["JWTAuth", "JWTMiddleware"]

_logger = logging.getLogger("jwt_middleware")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class JWTAuth(Issuer):
    """The settings as an object, for apps that sign in and out by views of their own.

    Args:
        clock: seconds since the epoch; replace it in tests.
        **settings: any setting without `JWT_`, in lower case; wins over the environment.

    Raises:
        ConfigurationError: with every problem at once.
    """

    def __init__(self, *, clock: Clock = time.time, **settings: Any) -> None:
        super().__init__(AsyncIO, clock, settings)

    async def verify(self, token: str) -> User:
        """Verify a token as a request's would be, revocation included (RFC 7519 section 7.2).

        Raises:
            InvalidToken: with the `reason`.
            Unavailable: the store cannot answer.
        """
        return await self.core.authenticator.verify(token)

    async def revoke(self, user: User) -> None:
        """Revoke the token that this user came with; return when every process will refuse it.

        Raises:
            ValueError: the user is anonymous, so no token would be revoked.
            Unavailable: the store did not confirm; the token may still be good.
        """
        await self.core.revoker.revoke_token(*revocable(user))

    async def revoke_subject(self, subject: str) -> None:
        """Revoke every token of a subject issued up to this second; return when stored.

        Raises:
            Unavailable: the store did not confirm.
        """
        await self.core.revoker.revoke_subject(subject)

    async def revoke_session(self, session_id: str) -> None:
        """Revoke every token with this `sid`; return when stored.

        Raises:
            Unavailable: the store did not confirm.
        """
        await self.core.revoker.revoke_session(session_id)


class JWTMiddleware:
    """Wraps an ASGI app: verifies the token of every request and hands the user to the app.

    Args:
        app: the app to protect.
        auth: settings as an object; without it they come from the environment and the keywords.
        clock: seconds since the epoch; replace it in tests.
        **settings: any setting without `JWT_`, in lower case; wins over the environment.

    Raises:
        ConfigurationError: with every problem at once. Inside a running event loop the error is
            kept instead: start-up fails where the server asks, every request gets a 503.
    """

    def __init__(
        self, app: ASGIApp, *, auth: JWTAuth | None = None, clock: Clock | None = None, **settings: Any
    ) -> None:
        self.app = app
        self._gate = gate = _gate(auth, clock, settings)
        # Looked up once: on the hot path each attribute costs as much as the work itself.
        self._recall = gate.recall
        self._guarded = gate.guarded
        self._own = gate.own
        self._forwarding = gate.forwarding
        self._header = gate.header_name.lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection (ASGI 3)."""
        if scope["type"] != "http" and scope["type"] != "websocket":
            return await self._other(scope, receive, send)
        credential = None
        for name, value in scope["headers"]:
            if name == self._header:
                # Two credentials come joined by a comma, as WSGI servers join them: no token has one.
                credential = value if credential is None else credential + b"," + value
        if credential is None or self._guarded or (self._own is not None and self._own(scope["path"])):
            user = None
        else:
            user = self._recall(credential)
        if user is None:
            outcome = await self._gate.handle(_ASGIRequest(scope, credential, receive))
            if isinstance(outcome, Reply):
                return await _reply(outcome, scope, receive, send)
            user = outcome
        scope = dict(scope)
        scope["user"] = user
        scope["auth"] = user.granted
        if self._forwarding is not None:
            scope["headers"] = self._forwarding.asgi(scope["headers"], user)
        set_current(user)
        return await self.app(scope, receive, send)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise ValueError(f"an ASGI scope of type {scope['type']!r} cannot be authenticated, so it is not passed on")
        if self._gate.problem is None:
            await self.app(scope, receive, send)
        else:
            await receive()  # lifespan.startup
            await send({"type": "lifespan.startup.failed", "message": str(self._gate.problem)})


def _gate(auth: JWTAuth | None, clock: Clock | None, settings: dict[str, Any]) -> AnyGate:
    try:
        core = chosen(JWTAuth, auth, clock, settings).core
    except ConfigurationError as error:
        if not _inside_event_loop():
            raise
        _logger.error("%s", error)  # a server may never ask for the lifespan, where we would say it again
        return ClosedGate(error)
    announce(core.settings)
    return core.gate


def _inside_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _ASGIRequest(Request):
    __slots__ = ("_receive", "_scope")

    def __init__(self, scope: Scope, credential: bytes | None, receive: Receive) -> None:
        super().__init__(credential)
        self._scope = scope
        self._receive = receive

    @property
    def method(self) -> str:
        return str(self._scope.get("method", "WEBSOCKET"))

    @property
    def is_handshake(self) -> bool:
        return bool(self._scope["type"] == "websocket")

    @property
    def path(self) -> str:
        return str(self._scope["path"])

    @property
    def path_in_app(self) -> str | None:
        return below_mount(self.path, self._scope.get("root_path", ""))

    @property
    def raw_path(self) -> bytes:
        raw: bytes = self._scope.get("raw_path") or b""
        return raw.partition(b"?")[0]

    @property
    def scheme(self) -> str:
        return str(self._scope.get("scheme", "http"))

    @property
    def peer(self) -> str:
        client = self._scope.get("client")
        return str(client[0] or "") if client else ""

    @property
    def mount(self) -> str:
        return str(self._scope.get("root_path", ""))

    def fields(self, name: str) -> Sequence[str]:
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self._scope["headers"] if key == wanted]

    async def body(self, limit: int) -> bytes | None:
        body = bytearray()
        while True:
            message = await self._receive()
            body += message.get("body", b"")
            if message["type"] == "http.disconnect" or len(body) > limit:
                return None
            if not message.get("more_body"):
                return bytes(body)


async def _reply(reply: Reply, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await _refuse_handshake(reply, scope, receive, send)
    else:
        await _send_reply("http.response", reply, send, with_body=scope["method"] != "HEAD")


async def _send_reply(kind: str, reply: Reply, send: Send, *, with_body: bool = True) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers]
    await send({"type": f"{kind}.start", "status": reply.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": reply.body if with_body else b""})


async def _refuse_handshake(reply: Reply, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse before accepting: with the answer itself where the server can send it, else by close 1008."""
    await receive()  # websocket.connect
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _send_reply("websocket.http.response", reply, send)
    else:
        await send({"type": "websocket.close", "code": 1008})


if os.environ.get("JWT_APP") and not target.is_being_imported(os.environ["JWT_APP"]):
    app = JWTMiddleware(target.load(os.environ["JWT_APP"], "asgi"))
else:

    def __getattr__(name: str) -> Any:
        target.missing(__name__, name)
