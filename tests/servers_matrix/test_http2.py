"""HTTP/2 without TLS, on the servers that speak it: the same gate, for each stream, pushed ones included.

Every test here is named by the row of `rows.py` that it shows.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any

import pytest

from tests.servers_matrix.sites import Site, parsers
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import CLOSED, TIMEOUT, Answer

h2_connection = pytest.importorskip("h2.connection", reason="h2 is not installed")
h2_config = pytest.importorskip("h2.config")
h2_events = pytest.importorskip("h2.events")

SPEAKERS = ("hypercorn", "granian-asgi", "granian-wsgi")
speakers = parsers(servers=SPEAKERS)
Fields = list[tuple[str, str]]


def ask(site: Site, path: str, *fields: tuple[str, str], method: str = "GET", together: int = 1) -> list[Answer]:
    """Send the same request on as many streams of one connection, as an old client would not; return the answers."""
    # What a good client must not send is what we want to send.
    loose = h2_config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
    connection = h2_connection.H2Connection(loose)
    connection.initiate_connection()
    head = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path), *fields]
    streams = [connection.get_next_available_stream_id() + 2 * number for number in range(together)]
    for stream in streams:
        connection.send_headers(stream, head, end_stream=True)
    heads: dict[int, Fields] = {}
    bodies: dict[int, bytes] = dict.fromkeys(streams, b"")
    with socket.create_connection(("127.0.0.1", site.port), TIMEOUT) as wire, suppress(ConnectionError):
        _converse(wire, connection, heads, bodies)
    answers = {at: Answer(int(dict(head)[":status"]), tuple(head[1:]), bodies[at]) for at, head in heads.items()}
    return [answers.get(stream, CLOSED) for stream in streams]


def _converse(wire: socket.socket, connection: Any, heads: dict[int, Fields], bodies: dict[int, bytes]) -> None:
    wire.sendall(connection.data_to_send())
    open_streams = set(bodies)
    while open_streams and (data := wire.recv(65536)):
        for event in connection.receive_data(data):
            stream = getattr(event, "stream_id", None)
            if isinstance(event, h2_events.ResponseReceived):
                heads[stream] = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
            elif isinstance(event, h2_events.DataReceived):
                bodies[stream] += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, h2_events.StreamEnded | h2_events.StreamReset):
                open_streams.discard(stream)
            elif isinstance(event, h2_events.ConnectionTerminated):
                open_streams.clear()
        wire.sendall(connection.data_to_send())


def outcome(site: Site, path: str, *fields: tuple[str, str], method: str = "GET") -> str:
    """Send one request; return what became of it."""
    answer = ask(site, path, *fields, method=method)[0]
    assert answer.status < 500, answer
    return answer.outcome


def bearer(who: str = "ada", **claims: Any) -> tuple[str, str]:
    """Return the field with a good token."""
    return "authorization", f"Bearer {token(who, **claims)}"


REFUSED = {"401 unauthorized", "400 invalid_request", "server: 400", "server: closed"}


@speakers
def test_r17_credentials(site: Site) -> None:
    """One good token is its user; none, two in two fields and a bad one are refused as ever."""
    good = bearer()
    assert outcome(site, "/me", good) == "app: ada GET /me"
    assert outcome(site, "/me") == "401 unauthorized"
    assert outcome(site, "/me", good, good) == "400 invalid_request"
    assert outcome(site, "/me", good, bearer("eve")) == "400 invalid_request"
    assert outcome(site, "/me", bearer(key="x" * 40)) == "401 invalid_token"
    assert outcome(site, "/maybe", ("authorization", "Bearer")) == "400 invalid_request"
    assert outcome(site, "/public", bearer("eve")) == "app: nobody GET /public"
    assert outcome(site, "/admin/users", good) == "403 insufficient_scope"
    assert outcome(site, "/me", ("Authorization", good[1])) in REFUSED  # RFC 9113 section 8.2.1: lower case alone
    assert outcome(site, "/me", ("x_authorization", good[1])) == "401 unauthorized"


@speakers
def test_r17_targets(site: Site) -> None:
    """A `:path` can be anything: what is not plainly open is not open."""
    for path in (
        "public", "//public", "/public/../me", "/public/", "/%2e/public", "/public%00", "/public%2f", "/public;x", "*",
        "http://localhost/public", "/public#/me", "/PUBLIC", "\\public", "/me?/public", "", "/public\t", "/public x",
    ):  # fmt: skip
        assert outcome(site, path) in REFUSED | {"app: nobody GET /public"}, path
        if path.startswith(("//", "/public/", "/%2e", "/public%", "/public;", "*", "/PUBLIC", "/me")):
            assert outcome(site, path) in REFUSED, path


@speakers
def test_r17_methods_and_pseudo_headers(site: Site) -> None:
    """A method in another case, a `:authority` with a path in it, a pseudo-header twice or after the others."""
    for method in ("get", "POST", "DELETE", "BREW"):
        opened = {"app: nobody GET /items/1"} if (site.server, method) == ("hypercorn", "get") else set()
        assert outcome(site, "/items/1", method=method) in REFUSED | opened, method
    for field in ((":authority", "localhost/public"), (":path", "/public"), (":protocol", "websocket"), (":x", "y")):
        assert outcome(site, "/me", field) in REFUSED, field
    assert outcome(site, "/me", ("host", "x/public")) in REFUSED
    assert outcome(site, "/me", ("content-length", "5")) in REFUSED
    assert outcome(site, "/me", ("transfer-encoding", "chunked")) in REFUSED
    assert outcome(site, "/me", ("connection", "authorization")) in REFUSED


@speakers
def test_r17_streams_do_not_mix(site: Site) -> None:
    """Many streams of one connection, each for itself."""
    found = ask(site, "/me", bearer(), together=20)
    assert {answer.outcome for answer in found} == {"app: ada GET /me"}
    assert {json.loads(answer.body)["current"] for answer in found} == {"ada"}
    assert {answer.outcome for answer in ask(site, "/me", together=20)} == {"401 unauthorized"}
