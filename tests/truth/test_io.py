"""What the two ports promise, whatever is behind them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from jwt_middleware.errors import ConfigurationError, Unavailable
from jwt_middleware.truth._async import AsyncIO
from jwt_middleware.truth._blocking import BlockingIO
from jwt_middleware.truth.io import run
from jwt_middleware.truth.pool import DIALS, LINES
from tests.servers import HERE, eventually, in_child
from tests.truth.conftest import TIMEOUT, Loop, RedisShelf, Threads, World


@pytest.fixture
def shelf(running):
    """Tell these stories on one server only: they are about the ports."""
    return RedisShelf(running("valkey-9"))


def test_redis_py_is_not_imported_before_there_is_a_redis_url():
    """An app on SQLite, or without a store, starts without redis-py, whether it is installed or not."""
    code = (
        "import sys; from jwt_middleware.truth import _async, _blocking, sqlite, redis;"
        "_async.AsyncIO(None, 1), _blocking.BlockingIO(None, 1); assert 'redis' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("make_io", [BlockingIO, AsyncIO])
def test_a_url_that_cannot_be_used_is_refused_at_construction(make_io):
    """A mistake in the URL stops the start of the server, not its first request."""
    with pytest.raises(ConfigurationError) as caught:
        make_io("http://user:sesame@localhost", 1)
    assert "sesame" not in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("make_io", [BlockingIO, AsyncIO])
def test_construction_opens_nothing(make_io):
    """Making the port does no I/O, so a server that is down does not stop the start."""
    before = threading.active_count()
    make_io(f"redis://{HERE}:1/0", 1)
    assert threading.active_count() == before


def test_the_blocking_port_never_suspends(shelf):
    """WSGI drives the core without an event loop; an await that suspends would be a loud error."""
    assert run(shelf.io(Threads()).redis("ECHO", "hello")) == b"hello"


def test_replies_are_plain_bytes_whatever_the_url_asks_for(shelf, world: World):
    """Parameters of the URL that change how replies look do not reach the core."""
    io = world.make_io(shelf._server.url() + "?protocol=3&decode_responses=true&health_check_interval=1", TIMEOUT)
    assert world.run(io.redis("ECHO", "hello")) == b"hello"


def test_redis_does_not_hear_of_the_client_library(shelf, world: World):
    """No CLIENT SETINFO and no HELLO is sent: each would need a right more."""
    io = shelf.io(world)
    me = world.run(io.redis("CLIENT", "INFO")).decode()
    assert "lib-name= " in me or "lib-name=" not in me
    assert "resp=2" in me or "resp=" not in me


def test_offload_returns_the_result(world: World):
    """Work that may block comes back with its result."""
    assert world.run(world.make_io(None, 1).offload(lambda: 42)) == 42


def test_offload_does_not_block_the_event_loop():
    """Under asyncio a blocking function runs in another thread than the loop's."""
    loop = Loop()
    assert loop.run(AsyncIO(None, 1).offload(threading.get_ident)) != threading.get_ident()
    loop.close()


def test_an_error_reply_is_unavailable_and_keeps_the_connection(shelf, world: World):
    """A refused command says nothing against the connection, nor against the server."""
    io = shelf.io(world)
    first = world.run(io.redis("CLIENT", "ID"))
    with pytest.raises(Unavailable):
        world.run(io.redis("NOSUCHCOMMAND", "secret-argument"))
    assert world.run(io.redis("CLIENT", "ID")) == first


def test_an_error_reply_does_not_repeat_the_arguments(shelf, world: World):
    """Redis echoes what it did not understand; logs do not."""
    with pytest.raises(Unavailable) as caught:
        world.run(shelf.io(world).redis("NOSUCHCOMMAND", "secret-argument"))
    assert "secret-argument" not in str(caught.value)


def test_thirty_two_askers_at_once_each_get_their_own_answer(shelf, world: World):
    """Connections are shared by many, one at a time, and their number is bounded."""
    io = shelf.io(world)

    async def ask(name: int) -> bool:
        return all([await io.redis("ECHO", f"{name}.{turn}") == f"{name}.{turn}".encode() for turn in range(25)])

    assert all(world.together([lambda name=name: ask(name) for name in range(32)]))


def test_hundreds_of_requests_share_a_bounded_number_of_connections(own_server, world: World):
    """A burst of slow commands queues for connections instead of opening one each, and everybody is served."""
    server = own_server("redis-8")
    io = world.make_io(server.url(), 10.0)
    assert world.together([lambda: io.redis("BLPOP", "nothing", 0.1)] * 150) == [None] * 150
    assert DIALS < server.clients() <= LINES


def test_a_child_shares_no_connection_with_its_parent(shelf, world: World):
    """After a fork the parent's connections are the parent's, so answers never get mixed up."""
    io = shelf.io(world)
    parents = world.run(io.redis("CLIENT", "ID"))
    childs = in_child(lambda: type(world)().run(io.redis("CLIENT", "ID")))
    assert int(childs) != parents
    assert world.run(io.redis("CLIENT", "ID")) == parents


def test_a_fork_while_another_thread_holds_the_lock_does_not_hang_the_child(shelf):
    """The child's lock is new, because the thread that would release the parent's does not exist there."""
    io = shelf.io(Threads())
    run(io.redis("PING"))
    with io._pool()._lock:
        assert in_child(lambda: run(io.redis("PING"))) == "b'PONG'"


def test_many_event_loops_one_after_the_other(shelf):
    """Test clients make a loop for each test: every one gets an answer, and none leaves a connection behind."""
    io, before = shelf.io(Loop()), shelf._server.clients()
    for _ in range(20):
        assert asyncio.run(io.redis("PING")) == b"PONG"
    assert eventually(lambda: shelf._server.clients() <= before)
    assert len(io._pools) == 1


def test_event_loops_in_several_threads_share_one_port(shelf):
    """Loops that live at the same time have their own connections each."""
    io = shelf.io(Loop())
    results: list[bytes] = []

    async def some() -> None:
        results.extend([await io.redis("PING") for _ in range(50)])

    threads = [threading.Thread(target=asyncio.run, args=(some(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [b"PONG"] * 400


def test_a_request_that_goes_away_takes_its_unread_answer_along(running):
    """A client that disconnects cancels its request; the next one must not read that one's answer."""
    server, loop = running("redis-8"), Loop()
    io = AsyncIO(server.url(), 5.0)

    async def story() -> None:
        await io.redis("PING")
        slow = asyncio.ensure_future(io.redis("EVAL", "local i = 0; while i < 2e7 do i = i + 1 end; return 'slow'", 0))
        await asyncio.sleep(0.02)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert await io.redis("ECHO", "mine") == b"mine"

    loop.run(story())
    loop.close()


def test_background_connecting_does_not_inherit_the_request_s_context(running):
    """A connection outlives the request that asked for it, so it must not keep its context variables alive."""
    from contextvars import ContextVar

    variable: ContextVar[str] = ContextVar("variable", default="")
    loop, seen = Loop(), []
    io = AsyncIO(running("redis-8").url(), 5.0)

    async def story() -> None:
        variable.set("a user")
        pool = await io._renewed(asyncio.get_running_loop())
        make = pool.line
        pool.line = lambda: (seen.append(variable.get()), make())[1]  # called where the connection comes up
        await io.redis("PING")

    loop.run(story())
    loop.close()
    assert seen == [""]
