"""What only ASGI has: WebSockets, lifespan, scopes, and a loop that is already running."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any, ClassVar

import pytest

from jwt_middleware import ConfigurationError, asgi, current_user
from jwt_middleware.user import ANONYMOUS
from tests.worlds import SECRET, ASGIWorld, Clock


@pytest.fixture
def gate() -> ASGIWorld:
    """A gate with a secret."""
    return ASGIWorld(secret_key=SECRET, clock=Clock())


def handshake(token: str | None, **extra: Any) -> dict[str, Any]:
    """The scope of a WebSocket handshake."""
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    return {"type": "websocket", "path": "/ws", "scheme": "ws", "headers": headers, "subprotocols": [], **extra}


def converse(app: Any, scope: dict[str, Any], *incoming: dict[str, Any]) -> list[dict[str, Any]]:
    """Drive an app through one connection; return what it sent."""
    sent: list[dict[str, Any]] = []
    events = iter(incoming)

    async def receive() -> dict[str, Any]:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Accept a WebSocket, and name its user."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": scope["user"].identity})


CONNECT = {"type": "websocket.connect"}


class TestWebSocket:
    """A handshake is a request like any other; what follows it belongs to the app."""

    def test_a_good_token_opens_it(self, gate):
        """The app accepts, and knows who it talks to."""
        app = asgi.JWTMiddleware(echo, auth=gate.auth)
        sent = converse(app, handshake(gate.auth.issue("42")), CONNECT)
        assert [m["type"] for m in sent] == ["websocket.accept", "websocket.send"]
        assert sent[1]["text"] == "42"

    @pytest.mark.parametrize("token", [None, "junk"])
    def test_without_one_it_is_closed_before_it_opened(self, gate, token):
        """Close 1008 before accept: the server answers 403, the app is never called."""
        assert converse(gate.middleware, handshake(token), CONNECT) == [{"type": "websocket.close", "code": 1008}]
        assert gate.seen == []

    def test_where_the_server_can_it_gets_the_whole_answer(self, gate):
        """`websocket.http.response`: the client sees 401 and the challenge."""
        start, body = converse(gate.middleware, handshake(None, extensions={"websocket.http.response": {}}), CONNECT)
        assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
        assert (b"www-authenticate", b'Bearer realm="api"') in start["headers"]
        assert body["type"] == "websocket.http.response.body"

    def test_an_exempt_path_opens_as_anonymous(self):
        """Paths are matched for handshakes too."""
        auth = asgi.JWTAuth(secret_key=SECRET, exempt_paths="/ws")
        sent = converse(asgi.JWTMiddleware(echo, auth=auth), handshake(None), CONNECT)
        assert sent[1]["text"] == ""

    @pytest.mark.parametrize(
        "scope",
        [{"subprotocols": ["bearer", "TOKEN"]}, {"query_string": b"access_token=TOKEN"}],
        ids=["subprotocol", "query"],
    )
    def test_a_token_in_the_query_or_a_subprotocol_is_no_token(self, gate, scope):
        """CVE-2026-44883: addresses end up in logs."""
        assert converse(gate.middleware, handshake(None, **scope), CONNECT)[0]["type"] == "websocket.close"


class TestScope:
    """The server's scope is the server's: the app gets a copy."""

    def test_the_scope_is_copied(self, gate):
        """What we add is not seen by an outer layer."""
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "user": "preset"}
        gate.send(scope)
        assert scope["user"] == "preset"

    @pytest.mark.parametrize("missing", ["client", "scheme", "root_path", "raw_path", "extensions", "server"])
    def test_a_server_may_leave_keys_out(self, missing):
        """Daphne and test clients omit optional keys; granian's port is a string."""
        gate = ASGIWorld(secret_key=SECRET, exempt_paths="/health", require_https=True)
        scope = {
            "type": "http", "method": "GET", "path": "/", "headers": [], "client": ("127.0.0.1", "80"),
            "scheme": "http", "root_path": "", "raw_path": None, "extensions": None, "server": None,
        }  # fmt: skip
        del scope[missing]
        assert gate.send(scope).status == 401

    def test_an_unknown_kind_of_scope_is_not_passed_on(self, gate):
        """What cannot be authenticated must not reach the app."""
        with pytest.raises(ValueError, match="telepathy"):
            converse(gate.middleware, {"type": "telepathy"})
        assert gate.seen == []

    def test_messages_pass_untouched_in_both_directions(self, gate):
        """The app gets the server's own receive and send: streaming costs nothing."""
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append((receive, send))

        async def receive() -> Any: ...

        async def send(_: Any) -> None: ...

        scope = handshake(gate.auth.issue("42"), type="http", method="GET")
        asyncio.run(asgi.JWTMiddleware(app, auth=gate.auth)(scope, receive, send))
        assert seen == [(receive, send)]

    def test_concurrent_requests_each_have_their_own_user(self, gate):
        """The context variable belongs to the request, whatever runs beside it."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            for _ in range(5):
                await asyncio.sleep(0)
                assert current_user() is scope["user"]

        middleware = asgi.JWTMiddleware(app, auth=gate.auth)

        async def many() -> None:
            scopes = [handshake(gate.auth.issue(str(n)), type="http", method="GET") for n in range(50)]
            await asyncio.gather(*(middleware(scope, None, None) for scope in scopes))

        asyncio.run(many())


class TestMounts:
    """A mount point in the path: what stands below it is the app's path, if every app would say so."""

    # Three ways to read a path, as Starlette and FastAPI, Django and Quart, and Litestar do.
    READERS = (
        lambda path, mount: path[len(mount) :] if path == mount or path.startswith(f"{mount}/") else path,
        lambda path, mount: path.removeprefix(mount),
        lambda path, mount: path.split(mount, maxsplit=1)[-1],
    )

    @pytest.fixture
    def mounted(self, tmp_path):
        """A gate with an exempt folder, an open rule and a role for everything below /admin."""
        file = tmp_path / "rules.toml"
        file.write_text('[[rule]]\npath = "/open/**"\nexempt = true\n[[rule]]\npath = "/admin/**"\nroles = "admin"\n')
        return ASGIWorld(secret_key=SECRET, clock=Clock(), exempt_paths="/static/**,/mnt", rules_file=file)

    @pytest.mark.parametrize("mount", ["/mnt", "/mnt/", "/a/mnt"])
    @pytest.mark.parametrize(
        "path",
        [
            "/static{0}/admin/x", "/open{0}/admin/x", "/x{0}/admin/x", "{0}admin/x", "{0}", "/static{0}",
            "/mn{0}/admin/x", "{0}{0}/admin/x", "/static{0}admin/x", "/static/x{0}//admin/x",
            "{0}/static{0}/admin/x", "{0}x{0}/admin/x",
        ],
    )  # fmt: skip
    def test_no_reading_gets_around_a_role(self, mounted, path, mount):
        """Whichever way an app cuts the mount point off, what it takes for /admin needs the role."""
        path = path.format(mount.rstrip("/"))
        readings = {read(path, mount.rstrip("/")) for read in self.READERS} | {path.partition(mount)[2]}
        for token in (None, mounted.auth.issue("42")):
            answer = mounted.request(path, token=token, extra={"root_path": mount, "raw_path": path.encode()})
            if answer.passed:
                assert not [reading for reading in readings if reading.lstrip("/").startswith("admin")]

    def test_what_is_plainly_below_is_open(self, mounted):
        """And what a proxy has stripped is as it is."""
        assert mounted.request("/static/x", mount="/mnt").passed
        assert mounted.request("/static/mnt/x", mount="/mnt").passed
        assert mounted.request("/static/x", extra={"root_path": "/mnt"}).passed
        assert mounted.request("/admin/x", mount="/mnt", token=mounted.auth.issue("42")).status == 403

    @pytest.mark.parametrize("path", ["/mnt", "/mntstatic/x", "/static/mnt/x", "/static/mnt"])
    def test_what_could_be_cut_elsewhere_is_not_open(self, mounted, path):
        """Litestar would take /static/mnt/x, which an exempt folder opens, for /x."""
        assert mounted.request(path, extra={"root_path": "/mnt"}).status == 401


class TestLifespan:
    """Start-up belongs to the app, unless the settings do not fit."""

    STARTUP: ClassVar = {"type": "lifespan.startup"}

    def test_it_goes_to_the_app_untouched(self, gate):
        """The app may start its pools, and may also refuse to (Django raises)."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert "user" not in scope
            await receive()
            raise RuntimeError("Django does not do lifespan")

        with pytest.raises(RuntimeError, match="Django"):
            converse(asgi.JWTMiddleware(app, auth=gate.auth), {"type": "lifespan"}, self.STARTUP)

    def test_bad_settings_fail_at_once_where_no_loop_runs(self):
        """At import the process stops, with the list."""
        with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
            asgi.JWTMiddleware(echo)

    def test_inside_a_loop_start_up_fails_instead(self, caplog):
        """Servers swallow exceptions there and then serve 500s: so we answer, and never call the app."""
        called = []

        async def app(*_: Any) -> None:
            called.append(True)

        async def build() -> Any:
            return asgi.JWTMiddleware(app, leeway=999)

        middleware = asyncio.run(build())
        assert "JWT_LEEWAY" in caplog.text  # even where the server never asks for the lifespan
        (failed,) = converse(middleware, {"type": "lifespan"}, self.STARTUP)
        assert failed["type"] == "lifespan.startup.failed"
        assert "JWT_LEEWAY" in failed["message"]
        start, _ = converse(middleware, {"type": "http", "method": "GET", "path": "/", "headers": []})
        assert start["status"] == 503
        start = converse(middleware, handshake(SECRET), CONNECT)
        assert start == [{"type": "websocket.close", "code": 1008}]
        assert called == []


def test_the_user_of_a_request_stays_in_its_context(gate):
    """A task that the app leaves behind keeps the user it was started for."""
    gate.request(token=gate.auth.issue("42"))
    assert contextvars.Context().run(current_user) is ANONYMOUS
