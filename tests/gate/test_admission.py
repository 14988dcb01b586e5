"""The gate: what we answer ourselves, how the log names a transport, and a gate that is closed to everyone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from jwt_middleware import current_user
from jwt_middleware.asgi import JWTMiddleware
from jwt_middleware.errors import ConfigurationError
from jwt_middleware.gate.admission import ClosedGate, Gate
from jwt_middleware.gate.replies import Reply
from jwt_middleware.gate.request import Request
from jwt_middleware.gate.rules import Rules
from jwt_middleware.user import User, set_current
from tests.worlds import SECRET, ASGIWorld, Clock, World

Protect = Callable[..., World]


class Greeting:
    """A service that greets whom it knows."""

    def __init__(self, word: str, *paths: str) -> None:
        self.paths: Sequence[str] = paths
        self._word = word

    async def answer(self, request: Request, gate: Gate) -> Reply:
        user = await gate.identify(request)
        return Reply(200, (), f"{self._word} {user.identity}".encode())


@pytest.fixture
def world(protect: Protect) -> World:
    """Two services beside an app of which everything is exempt."""
    auth = protect().auth
    services = (Greeting("hello", "/hello", "/greet/**"), Greeting("bye", "/bye"))
    rules = Rules(("/hello", "/greet/x", "/open/**"))
    auth.core.gate = Gate(auth.core.settings, auth.core.authenticator, rules, Clock(), services)
    return protect(auth=auth)


class TestServices:
    """Paths that we answer ourselves, before any rule of the app's."""

    @pytest.mark.parametrize(
        ("path", "word"),
        [("/hello", b"hello"), ("/greet/", b"hello"), ("/greet/x/y", b"hello"), ("/bye", b"bye")],
    )
    def test_a_service_answers_on_its_paths(self, world: World, path: str, word: bytes) -> None:
        """The app is not called, and an unknown caller is refused although the path is exempt."""
        answer = world.request(path, token=world.auth.issue("42"))
        assert (answer.status, answer.body, answer.passed) == (200, word + b" 42", False)
        assert world.request(path).error == "unauthorized"
        assert world.request(path, token="junk").error == "invalid_token"

    def test_below_a_mount_too(self, world: World) -> None:
        """The path is the one that the app would see."""
        assert world.request("/bye", mount="/v1", token=world.auth.issue("42")).body == b"bye 42"
        assert world.request("/bye/bye", token=world.auth.issue("42")).passed

    def test_all_other_paths_are_the_app_s(self, world: World) -> None:
        """What only resembles one of the paths is no service's."""
        for path in ("/hello/", "/hell", "/greet", "/", "/x/hello"):
            assert world.request(path, token=world.auth.issue("42")).user.identity == "42"
        assert world.request("/open/hello").user.identity == ""

    @pytest.mark.parametrize(
        ("path", "raw"), [("//hello", None), ("/hello;x", None), ("/greet/../x", None), ("/hello", b"/hell%6f%2f")],
        ids=["slashes", "parameter", "dots", "encoded"],
    )  # fmt: skip
    def test_a_path_that_can_be_read_in_several_ways_is_no_service_s(
        self, world: World, path: str, raw: bytes | None
    ) -> None:
        """It goes the way of every other such path: a token is needed, and then the app sees it."""
        assert world.request(path, raw_path=raw).status == 401
        assert world.request(path, raw_path=raw, token=world.auth.issue("42")).passed

    def test_a_handshake_is_no_service_s(self, world: World) -> None:
        """Services answer HTTP; a WebSocket goes to the app or is refused."""
        if isinstance(world, ASGIWorld):
            assert _handshake(world.middleware, "/bye") == [{"type": "websocket.close", "code": 1008}]


def _handshake(middleware: JWTMiddleware, path: str) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(middleware({"type": "websocket", "path": path, "headers": []}, receive, send))
    return sent


@pytest.mark.parametrize(
    ("peer", "seen"),
    [("203.0.113.9", "scheme http from 203.0.113.9"), ("", "scheme http from a Unix socket")],
    ids=["address", "unix-socket"],
)
def test_the_log_says_how_a_request_came(
    protect: Protect, peer: str, seen: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And which settings it met."""
    world = protect(require_https=True)
    answer = world.request("/x", token=world.auth.issue("42"), peer=peer)
    assert (answer.status, answer.error) == (400, "invalid_request")
    why = f"{seen}, JWT_REQUIRE_HTTPS=true (JWT_TRUSTED_PROXIES?)"
    assert caplog.messages == [f"400 GET /x insecure_transport: {why}"]


def test_a_refused_request_is_nobody_s(protect: Protect, caplog: pytest.LogCaptureFixture) -> None:
    """Who logs a refusal does not see the user that this thread or task had last."""
    seen: list[str] = []

    class Watching(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(current_user().identity)

    world, handler = protect(), Watching()
    logging.getLogger("jwt_middleware").addHandler(handler)
    try:
        set_current(User("ada"))
        world.request()
    finally:
        logging.getLogger("jwt_middleware").removeHandler(handler)
        set_current(User(""))
    assert seen == [""]


def test_a_closed_gate_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    """Settings that do not fit, found inside a running loop: 503 to everyone, with every problem in the log."""
    problem = ConfigurationError(["JWT_A is wrong", "JWT_B is worse"])
    gate = ClosedGate(problem)
    world = ASGIWorld(secret_key=SECRET)
    world.auth.core.gate = gate
    world = ASGIWorld(auth=world.auth)
    set_current(User("ada"))
    answer = world.request("/x", token=world.auth.issue("42"))
    assert (answer.status, answer.error) == (503, "temporarily_unavailable")
    assert (answer.header("Retry-After"), answer.header("WWW-Authenticate")) == ("1", None)
    assert caplog.messages == ["503 GET /x misconfigured: JWT_A is wrong; JWT_B is worse"]
    assert gate.problem is problem
