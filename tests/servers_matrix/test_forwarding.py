"""JWT_FORWARD_CLAIMS on real servers: each has its own way with names, and none of them lets a client name the user."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers_matrix.processes import APPS, KINDS, Process, environment
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import Headers, Wire, bearer

FORWARD = "X-User-Id=sub,X-Roles=roles,X-Name=name"
EVE = "eve-was-here"
SPELLINGS = [
    [("X-User-Id", EVE)],
    [("x-user-id", EVE)],
    [("X_User_Id", EVE)],
    [("X_USER_ID", EVE), ("X-Roles", EVE)],
    [("x-user_id", EVE)],
    [("X.User.Id", EVE)],
    [("X!User~Id", EVE)],
    [("x-user-id", EVE), ("x-user-id", EVE)],
    [("X-User-Id", EVE), ("X_User_Id", EVE), ("x.user.id", EVE), ("X-USER-ID", EVE)],
    [("X-User-Id", ""), ("X-User-Id", EVE)],
    [("X-User-Id", f"a\r\n {EVE}")],
    [("X-User-Id", f"a\nX-User-Id: {EVE}")],
    [("X-User-Id ", EVE)],
    [("X-User\xdfId", EVE)],
    [("X-User-Id", EVE), ("Connection", "X-User-Id, keep-alive")],
]
PREFLIGHT = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")]
ADA = {"x-user-id": "ada", "x-roles": "dev,ops", "x-name": "Ада"}


LONG = ("gunicorn-sync", "gunicorn-preload")  # with these names they do as gunicorn-gthread does


def servers(*, world: str | None = None, without: str | None = None) -> pytest.MarkDecorator:
    """Tell a story of every server, of one world or of both."""
    wanted = [
        pytest.param(name, id=name, marks=pytest.mark.long if name in LONG else ())
        for name, kind in KINDS.items()
        if world in (None, kind.world) and name != without
    ]
    return pytest.mark.parametrize("process", wanted, indirect=True, scope="module")


@pytest.fixture(scope="module")
def process(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Serve a raw app that tells its surroundings, with claims forwarded."""
    kind: str = request.param
    folder: Path = tmp_path_factory.mktemp(kind)
    process, world = Process(kind, folder), KINDS[kind].world
    paths = {"JWT_OPTIONAL_PATHS": "/maybe/**", "JWT_FORWARD_CLAIMS": FORWARD}
    try:
        process.serve(f"jwt_middleware.{world}:app", environment(JWT_APP=f"{APPS}:raw_{world}_app", **paths))
        yield process
    finally:
        process.stop()


def ours(told: Any) -> dict[str, str]:
    """Return the forwarded headers of what an app told; Eve is nowhere around it, and no name stands twice."""
    assert EVE not in told["all"]
    fields = [(name.removeprefix("HTTP_").lower().replace("_", "-"), value) for name, value in told["fields"]]
    found = [(name, value.encode("latin-1").decode()) for name, value in fields if name in ADA]
    assert len(dict(found)) == len(found)
    return dict(found)


def ada() -> str:
    """Return a token with every claim that is forwarded."""
    return token("ada", roles=["dev", "ops"], name="Ада")


@servers()
@pytest.mark.parametrize("sent", SPELLINGS, ids=lambda sent: ascii("+".join(name for name, _ in sent)))
def test_no_spelling_reaches_the_app(process: Process, sent: Headers) -> None:
    """The app sees the token's word, the first time and from memory; and nothing where no token was looked at."""
    good = bearer(ada())
    expected = [("/surroundings", good, ADA), ("/surroundings", good, ADA), ("/maybe/surroundings", [], {})]
    expected += [("/maybe/surroundings", good, ADA), ("/open/surroundings", [], {}), ("/open/surroundings", good, {})]
    for path, credential, seen in expected:
        for headers in ([*sent, *credential], [*credential, *sent]):
            answer = process.ask("GET", path, headers)
            assert answer.status in (200, 400), answer  # some servers refuse some of these names
            if answer.status == 200:
                assert ours(answer.json()) == seen, (path, headers)
    plain = process.ask("GET", "/surroundings", good)
    assert ours(plain.json()) == ADA


@servers()
def test_a_preflight_names_nobody(process: Process) -> None:
    """It passes as anonymous, whoever it says it is."""
    answer = process.ask("OPTIONS", "/surroundings", [*PREFLIGHT, ("X-User-Id", EVE), ("X_Roles", EVE)])
    assert answer.status == 200
    assert ours(answer.json()) == {}


@servers(without="gunicorn-sync")  # it closes the connection after each answer
def test_nobody_is_left_over_on_a_connection(process: Process) -> None:
    """Requests one after the other on one connection each have their own headers, or none."""
    with Wire(process.port) as wire:
        for name in ("ada", "", "bob", "", "ada", "ada"):
            path = "/surroundings" if name else "/maybe/surroundings"
            credential = bearer(token(name)) if name else []
            answer = wire.ask("GET", path, [("X-User-Id", EVE), *credential])
            assert ours(answer.json()) == ({"x-user-id": name} if name else {})


def trailing(path: str, credential: Headers, name: str) -> tuple[bytes, bytes]:
    """Return a request's head, and its body with Eve in the trailer."""
    fields = [*credential, ("Transfer-Encoding", "chunked"), ("Trailer", name)]
    head = [f"POST {path} HTTP/1.1", "Host: localhost", *(f"{key}: {value}" for key, value in fields), "", ""]
    return "\r\n".join(head).encode(), f"3\r\nabc\r\n0\r\n{name}: {EVE}\r\n\r\n".encode()


@servers()
@pytest.mark.parametrize("name", ["X-User-Id", "x_user_id"])
def test_a_trailer_names_nobody(process: Process, name: str) -> None:
    """Whatever a server makes of trailers, the app does not find them under our names."""
    for path, credential, seen in (("/surroundings", bearer(ada()), ADA), ("/maybe/surroundings", [], {})):
        with Wire(process.port) as wire:
            wire.write(b"".join(trailing(path, credential, name)))
            answer = wire.answer()
        assert answer.status in (200, 400)
        if answer.status == 200:
            assert ours(answer.json()) == seen


@pytest.mark.parametrize("process", ["uvicorn-httptools"], indirect=True, scope="module")
def test_a_trailer_that_comes_while_the_app_runs_names_nobody(process: Process) -> None:
    """This server adds trailers to the list of headers that it gave away: the app has a list of its own."""
    for path, credential, seen in (("/surroundings", bearer(ada()), ADA), ("/maybe/surroundings", [], {})):
        head, body = trailing(path, [*credential, ("Expect", "100-continue")], "X-User-Id")
        with Wire(process.port) as wire:
            wire.write(head)
            wire.wait_for_continue()  # the app asks for the body
            wire.write(body)
            assert ours(wire.answer().json()) == seen


@servers(world="asgi")
@pytest.mark.parametrize("sent", SPELLINGS[:9], ids=lambda sent: "+".join(name for name, _ in sent))
def test_a_handshake_names_nobody(process: Process, sent: Headers) -> None:
    """WebSockets: with a token, from memory, and anonymous."""
    websockets = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")
    good = bearer(ada())

    def told(path: str, headers: Headers) -> Any:
        url = f"ws://127.0.0.1:{process.port}{path}"
        with websockets.connect(url, additional_headers=list(headers), open_timeout=30) as socket:
            return json.loads(socket.recv(timeout=30))

    assert [ours(told("/surroundings", [*sent, *good])) for _ in range(2)] == [ADA, ADA]
    assert ours(told("/maybe/surroundings", sent)) == {}
    assert ours(told("/open/surroundings", [*sent, *good])) == {}


def test_bad_names_stop_it(launch: Callable[..., Process]) -> None:
    """A server with such a setting does not serve anybody, and says why."""
    process = launch("waitress")
    process.launch(
        "jwt_middleware.wsgi:app", environment(JWT_APP=f"{APPS}:raw_wsgi_app", JWT_FORWARD_CLAIMS="Host=sub")
    )
    assert process.ended() not in (0, None)
    assert "JWT_FORWARD_CLAIMS: header 1 is Host, which means something else already" in process.stderr()
