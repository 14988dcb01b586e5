"""JWT_FAILED_ATTEMPTS: who fails too often gets 429, whoever counts; who has a good token gets in."""

from __future__ import annotations

import builtins
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import ConfigurationError, Reason, asgi
from jwt_middleware.gate import attempts
from tests.servers import Server, binary, free_port
from tests.test_asgi import CONNECT, converse, echo, handshake
from tests.token.forge import IAT, claims, token
from tests.worlds import NOW, SECRET, ASGIWorld, World

Gate = Callable[..., World]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the Redis protocol."""
    server = Server(binary("valkey-9"), tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.kill()


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The settings of a store that is empty."""
    if request.param == "sqlite":
        return {"store_url": f"sqlite:///{tmp_path}/store.db", "store_timeout": 10}
    server: Server = request.getfixturevalue("valkey")
    server.admin("FLUSHALL")
    return {"store_url": server.url(), "store_timeout": 10}


@pytest.fixture
def limited(protect: Gate, store: dict[str, Any]) -> Gate:
    """Make a gate that takes three failures a year from an address."""

    def make(**settings: Any) -> World:
        return protect(**{"failed_attempts": "3/year"} | store | settings)

    return make


def bad(gate: World, times: int = 1, **request: Any) -> list[int]:
    """Send bad tokens; return the statuses of the answers."""
    return [gate.request(token="junk", **request).status for _ in range(times)]


def through(client: str, *, proxy: str = "10.0.0.1") -> dict[str, Any]:
    """A request that came through a proxy."""
    return {"peer": proxy, "headers": [("X-Forwarded-For", client)]}


def test_the_hundred_and_first_bad_token_is_429(limited):
    """As many as the rate says are refused as ever, then the client is told to wait."""
    gate = limited(failed_attempts="100/year")
    assert bad(gate, 100) == [401] * 100
    answer = gate.request(token="junk")
    assert (answer.status, answer.error) == (429, "too_many_requests")
    assert 0 < int(answer.header("Retry-After")) <= 360 * 86400
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("WWW-Authenticate") is None
    assert json.loads(answer.body).keys() == {"error", "error_description"}
    assert not answer.passed


def test_a_good_token_always_passes(limited):
    """Who shares an address with an attacker is not locked out: known or new, the token decides."""
    gate = limited()
    known = gate.auth.issue("42")
    assert gate.request(token=known).passed
    assert bad(gate, 5) == [401, 401, 401, 429, 429]
    assert gate.request(token=known).passed
    assert gate.request(token=gate.auth.issue("43")).user.identity == "43"
    assert bad(gate) == [429]


def test_another_address_counts_by_itself(limited):
    """The limit is each client's own."""
    gate = limited()
    assert bad(gate, 4, peer="198.51.100.7") == [401, 401, 401, 429]
    assert bad(gate, 1, peer="198.51.100.8") == [401]


def test_all_workers_count_together(limited):
    """Two middlewares on one store see what the other saw."""
    one, two = limited(), limited()
    assert bad(one, 2) + bad(two, 2) + bad(one) == [401, 401, 401, 429, 429]


def test_what_counts_as_a_failure(limited):
    """Every token that is refused, and what is no token at all; in whichever order."""
    gate = limited(failed_attempts="4/year", max_age=60)
    forged = token() + "A"
    answers = [
        gate.request(token=forged),
        gate.request(headers=[("Authorization", "Bearer a b")]),
        gate.request(headers=[("Authorization", "Bearer a"), ("Authorization", "Bearer a")]),
        gate.request(token="x" * 9000),
        gate.request(headers=[("Authorization", "Bearer a b")]),
        gate.request(token=forged),
    ]
    assert [answer.status for answer in answers] == [401, 400, 400, 401, 429, 429]


def test_what_does_not_count(limited):
    """No token, one of another scheme, one that has expired, and a good one that does not suffice."""
    gate = limited(failed_attempts="1/year", required_scopes="read", require_https=True)
    good = gate.auth.issue("42")
    for _ in range(3):
        assert gate.request().status == 401
        assert gate.request(token=token(claims(exp=IAT - 100, jti="1")), scheme="https").status == 401
        assert gate.request(headers=[("Authorization", "Basic eDp5")], scheme="https").status == 401
        assert gate.request(token=good, scheme="https").status == 403
        assert gate.request(token=good, scheme="http").status == 400
    assert bad(gate, 2, scheme="https") == [401, 429]
    assert gate.request().status == 401
    assert gate.request(token=good, scheme="https").status == 403


def test_an_exempt_path_is_not_looked_at(limited):
    """Nothing is counted there, and nothing refused."""
    gate = limited(exempt_paths="/health", failed_attempts="1/year")
    assert all(gate.request("/health", token="junk").passed for _ in range(3))
    assert bad(gate, 2) == [401, 429]
    assert gate.request("/health", token="junk").passed


def test_without_the_setting_nothing_is_counted(protect, store):
    """Off by default."""
    assert bad(protect(**store), 20) == [401] * 20


def test_a_client_behind_a_trusted_proxy_is_told_by_it(limited):
    """Not the proxy is counted but whom it names: the right-most who is no proxy himself."""
    gate = limited(trusted_proxies="10.0.0.0/8")
    assert bad(gate, 4, **through("1.2.3.4, 198.51.100.7")) == [401, 401, 401, 429]
    assert bad(gate, 1, **through("9.9.9.9, 198.51.100.7, 10.0.0.2")) == [429]
    assert bad(gate, 1, **through("198.51.100.7, 198.51.100.8")) == [401]
    assert bad(gate, 1, peer="198.51.100.7") == [429]


def test_a_stranger_s_header_does_not_help(limited):
    """Without a trusted proxy nobody is believed: not to get away, and not to have another blamed."""
    gate = limited(trusted_proxies="10.0.0.0/8")
    statuses = [bad(gate, **through(f"192.0.2.{n}", proxy="203.0.113.5"))[0] for n in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert bad(gate, 1, **through("192.0.2.1")) == [401]


def test_an_ipv6_host_is_its_64(limited):
    """A host has 2^64 addresses; and its neighbour has others."""
    gate = limited()
    assert [bad(gate, peer=f"2001:db8::{n}")[0] for n in (1, 2, 3, 4)] == [401, 401, 401, 429]
    assert bad(gate, 1, peer="2001:db8:0:1::1") == [401]


def test_a_mapped_address_is_the_same_client(limited):
    """A dual-stack socket is no second chance."""
    gate = limited()
    assert bad(gate, 3, peer="198.51.100.7") + bad(gate, 1, peer="::ffff:198.51.100.7") == [401, 401, 401, 429]


def test_who_is_over_is_remembered_without_asking(limited, monkeypatch):
    """While there is no room, a flood costs the store nothing; then it is asked again."""
    gate = limited(failed_attempts="1/hour")
    limit = gate.auth.core.gate._attempts
    bad(gate, 2)
    asked, hit = [], limit._limit.hit
    monkeypatch.setattr(limit._limit, "hit", lambda *names: (asked.append(names), hit(*names))[1])
    wait = int(gate.request(token="junk").header("Retry-After"))
    assert bad(gate, 20) == [429] * 20
    assert asked == []
    now = limit._now() + wait
    monkeypatch.setattr(limit, "_now", lambda: now)
    bad(gate)
    assert asked == [("127.0.0.1",)]


def test_what_is_remembered_is_bounded(limited, monkeypatch):
    """An attacker with many addresses fills no memory; who is forgotten is asked about anew."""
    monkeypatch.setattr(attempts, "KNOWN", 3)
    gate = limited(failed_attempts="1/year")
    for number in range(5):
        assert bad(gate, 2, peer=f"198.51.100.{number}") == [401, 429]
        assert len(gate.auth.core.gate._attempts._over) <= 3
    assert bad(gate, 1, peer="198.51.100.0") == [429]


def test_time_makes_room(protect, clock, tmp_path, monkeypatch):
    """In the next window some may fail again, in the one after that all."""
    gate = protect(failed_attempts="2/minute", store_url=f"sqlite:///{tmp_path}/store.db")
    began, limit = NOW, gate.auth.core.gate._attempts
    monkeypatch.setattr(limit, "_now", lambda: clock.now - began)
    assert bad(gate, 3) == [401, 401, 429]
    assert gate.request(token="junk").header("Retry-After") == "60"
    clock.now += 59
    assert gate.request(token="junk").header("Retry-After") == "1"
    clock.now += 1.5
    assert bad(gate, 2) == [401, 429]
    clock.now += 120
    assert bad(gate, 3) == [401, 401, 429]


def test_it_is_told_in_one_line(limited, caplog):
    """The operator reads why, from whom, and which setting it met; the token is nowhere."""
    gate = limited(failed_attempts="1/year")
    bad(gate, 2, path="/orders", peer="198.51.100.7")
    assert len([m for m in caplog.messages if m.startswith("4")]) == 2
    assert caplog.messages[-1] == (
        "429 GET /orders too_many_failures: malformed from 198.51.100.7, JWT_FAILED_ATTEMPTS=1 per 1 year"
    )
    assert caplog.records[-1].levelno == logging.WARNING
    assert "junk" not in caplog.text


def test_behind_a_unix_socket_all_are_one_unless_it_is_trusted(limited, caplog):
    """The log says why everybody is over."""
    gate = limited(failed_attempts="1/year")
    assert bad(gate, 1, **through("198.51.100.7", proxy="")) == [401]
    assert bad(gate, 1, **through("198.51.100.8", proxy="")) == [429]
    assert "malformed from a Unix socket, JWT_FAILED" in caplog.text
    gate = limited(failed_attempts="1/year", trusted_proxies="unix")
    assert bad(gate, 2, **through("198.51.100.7", proxy="")) == [401, 429]
    assert bad(gate, 1, **through("198.51.100.8", proxy="")) == [401]


def test_a_peer_that_forges_lines_is_escaped(limited, caplog):
    """What the server calls its peer is text from outside like any other."""
    bad(limited(failed_attempts="1/year"), 2, peer="x\n401 forged")
    assert all("\n" not in message for message in caplog.messages)


def test_a_page_that_may_read_it_may(limited):
    """CORS headers stand on this answer too, and each gets its own time."""
    gate = limited(failed_attempts="1/year", allowed_origins="https://app.example")
    headers = [("Origin", "https://app.example")]
    answers = [gate.request(token="junk", headers=headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [401, 429]
    assert answers[1].header("Access-Control-Allow-Origin") == "https://app.example"
    assert "Retry-After" in answers[1].header("Access-Control-Expose-Headers")
    assert gate.request(token="junk").header("Access-Control-Allow-Origin") is None


def test_answers_are_not_kept_for_each_time(limited, monkeypatch):
    """A flood that lasts makes no new answer to keep for every second."""
    gate = limited(failed_attempts="1/hour")
    limit, replies = gate.auth.core.gate._attempts, gate.auth.core.gate.refusals._replies
    bad(gate, 2)
    kept, now, waits = len(replies._made), limit._now(), set()
    for second in range(20):
        monkeypatch.setattr(limit, "_now", lambda second=second: now + second)
        waits.add(gate.request(token="junk").header("Retry-After"))
    assert len(waits) == 20
    assert len(replies._made) == kept


def test_a_store_that_is_down_leaves_the_refusal_as_it_was(protect, tmp_path, caplog, monkeypatch):
    """The decision was made without it: never 200, never 503. It is said once; when the store is back, it counts."""
    folder = tmp_path / "later"
    gate = protect(failed_attempts="1/year", store_url=f"sqlite:///{folder}/store.db", revocation="off")
    limit = gate.auth.core.gate._attempts
    now = limit._now()
    monkeypatch.setattr(limit, "_now", lambda: now)
    for _ in range(3):
        assert bad(gate, 3) == [401] * 3
        now += attempts.PAUSE
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].message.startswith("failed attempts are not counted: the store ")
    assert gate.request(token=gate.auth.issue("42")).passed
    now += attempts.QUIET
    bad(gate)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2
    folder.mkdir()
    assert bad(gate, 2) == [401, 401]  # for a moment the store is left alone
    now += attempts.PAUSE
    assert bad(gate, 2) == [401, 429]


def test_a_redis_that_is_down_leaves_the_refusal_as_it_was(protect, caplog):
    """A bad token is 401 and a good one 503, as without the setting."""
    gate = protect(failed_attempts="1/year", store_url=f"redis://127.0.0.1:{free_port()}/0")
    assert bad(gate, 5) == [401] * 5
    assert gate.request(headers=[("Authorization", "Bearer a b")]).status == 400
    assert gate.request(token=gate.auth.issue("42")).status == 503
    assert "failed attempts are not counted: Redis at 127.0.0.1" in caplog.text


class TestWebSocket:
    """A handshake is refused like a request."""

    @pytest.fixture
    def gate(self, store: dict[str, Any]) -> Iterator[ASGIWorld]:
        """A gate that takes one failure."""
        gate = ASGIWorld(secret_key=SECRET, failed_attempts="1/year", **store)
        yield gate
        gate.runner.close()

    def statuses(self, gate: ASGIWorld, **scope: Any) -> list[Any]:
        """Knock three times with a bad token; return what each was told."""
        app = asgi.JWTMiddleware(echo, auth=gate.auth)
        return [converse(app, handshake("junk", **scope), CONNECT)[0] for _ in range(3)]

    def test_with_the_answer_where_the_server_can_send_it(self, gate):
        """401, then 429 with Retry-After."""
        sent = self.statuses(gate, extensions={"websocket.http.response": {}})
        assert [message["status"] for message in sent] == [401, 429, 429]
        assert int(dict(sent[2]["headers"])[b"retry-after"]) > 0

    def test_by_close_where_it_cannot(self, gate):
        """1008 before the handshake is accepted, whatever the reason."""
        assert self.statuses(gate) == [{"type": "websocket.close", "code": 1008}] * 3


class TestConfiguration:
    """What does not fit is said at start."""

    def test_it_needs_a_store(self, protect):
        """A count of one worker would be no limit."""
        with pytest.raises(ConfigurationError, match="JWT_FAILED_ATTEMPTS needs JWT_STORE_URL"):
            protect(failed_attempts="100/minute")

    def test_it_needs_no_revocation(self, limited):
        """The store may be there for this alone."""
        assert bad(limited(revocation="off"), 4) == [401, 401, 401, 429]

    def test_it_needs_the_extra(self, limited, monkeypatch):
        """Who lacks the library is told what to install."""
        true_import = builtins.__import__

        def without_limits(name: str, *rest: Any) -> Any:
            if name.startswith("limits"):
                raise ImportError(name)
            return true_import(name, *rest)

        monkeypatch.setattr(builtins, "__import__", without_limits)
        with pytest.raises(ConfigurationError) as caught:
            limited()
        needs = 'JWT_FAILED_ATTEMPTS needs the login extra: pip install "pyjwt-middleware[login]"'
        assert caught.value.problems == (needs,)

    def test_who_does_not_use_it_does_not_load_it(self, tmp_path):
        """Without the setting the library is not imported, with it, it is."""
        code = (
            "import sys, json, jwt_middleware.asgi as a, jwt_middleware.wsgi as w\n"
            "settings = json.loads(sys.argv[1])\n"
            "a.JWTAuth(**settings), w.JWTAuth(**settings)\n"
            "print('limits' in sys.modules)"
        )
        settings = {"secret_key": SECRET, "store_url": f"sqlite:///{tmp_path}/store.db"}
        for more, loaded in (({}, "False"), ({"failed_attempts": "1/minute"}, "True")):
            command = [sys.executable, "-c", code, json.dumps(settings | more)]
            assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == loaded


def test_the_reason_is_in_the_closed_list():
    """Dashboards count it."""
    assert Reason.TOO_MANY_FAILURES == "too_many_failures"
