"""WebSocket handshakes on every ASGI server: refused before they are accepted, or greeted by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.servers import eventually
from tests.servers_matrix.sites import Site, pairs
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import Headers, bearer

websockets = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")

# All but daphne offer `websocket.http.response`; daphne answers 403 to a close before accept.
ANSWERS_ITSELF = {"daphne": 403}
TIMEOUT = 30.0

sockets = pairs("asgi", without=("django_asgi",))


def greeting(site: Site, headers: Headers = (), path: str = "/ws", **options: Any) -> str:
    """Return what the app says to whoever connects."""
    url = f"ws://127.0.0.1:{site.port}{path}"
    with websockets.connect(url, additional_headers=list(headers), open_timeout=TIMEOUT, **options) as socket:
        return str(socket.recv(timeout=TIMEOUT))


def refusal(site: Site, headers: Headers = (), path: str = "/ws", **options: Any) -> Any:
    """Return the server's answer to a handshake that must be refused."""
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as caught:
        greeting(site, headers, path, **options)
    return caught.value.response


def assert_refused(site: Site, answer: Any, status: int, error: str) -> None:
    """Check for our own answer where the server lets us give it, and for the server's 403 where not."""
    own = ANSWERS_ITSELF.get(site.server)
    if own is not None:
        assert answer.status_code == own
        return
    assert answer.status_code == status
    assert json.loads(bytes(answer.body))["error"] == error
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="api"')


@sockets
def test_no_token(site: Site) -> None:
    """A handshake without a token is refused before it is accepted."""
    assert_refused(site, refusal(site), 401, "unauthorized")


@sockets
def test_good_token(site: Site) -> None:
    """A handshake with a good token is accepted, and the app knows who it is, hit or miss."""
    good = token("ada")
    assert [greeting(site, bearer(good)) for _ in range(2)] == ["hello ada"] * 2


@sockets
def test_bad_token(site: Site) -> None:
    """A handshake with a forged token, a malformed header or two tokens is refused as a request would be."""
    good = bearer(token("ada"))
    assert_refused(site, refusal(site, bearer(token(key="x" * 40))), 401, "invalid_token")
    assert_refused(site, refusal(site, [("Authorization", "Bearer a b")]), 400, "invalid_request")
    assert_refused(site, refusal(site, good * 2), 400, "invalid_request")


@sockets
def test_token_elsewhere(site: Site) -> None:
    """A token in the query, in a cookie or among the subprotocols is no credential."""
    good = token("ada")
    assert_refused(site, refusal(site, path=f"/ws?access_token={good}"), 401, "unauthorized")
    assert_refused(site, refusal(site, [("Cookie", f"access_token={good}")]), 401, "unauthorized")
    assert_refused(site, refusal(site, subprotocols=["bearer", good]), 401, "unauthorized")


@sockets
def test_identity_from_outside(site: Site) -> None:
    """Headers that look like an identity change nobody's name."""
    smuggled = [("Remote-User", "eve"), ("X-Remote-User", "eve"), ("REMOTE_USER", "eve")]
    assert greeting(site, [*smuggled, *bearer(token("ada"))]) == "hello ada"
    assert_refused(site, refusal(site, smuggled), 401, "unauthorized")


@sockets
def test_log(site: Site) -> None:
    """A refused handshake leaves one line with its path, no token, and no trace of a failure in the server."""
    bad = token(iss="x", typ="refresh")
    failures = site.process.output().count("Traceback")  # of servers, at what other stories sent them
    refusal(site, bearer(bad))
    eventually(lambda: "401 WEBSOCKET /ws not_an_access_token" in site.process.stderr(), 10)
    written = site.process.output()
    assert bad not in written
    assert bad.rpartition(".")[2] not in written
    assert written.count("Traceback") == failures
