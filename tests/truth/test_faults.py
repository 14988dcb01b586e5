"""What goes wrong with a real Redis, told through both ports: never "not revoked", never longer than the time-out."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from jwt_middleware.errors import Unavailable
from jwt_middleware.truth import pool
from jwt_middleware.truth._async import AsyncIO
from jwt_middleware.truth.io import IO, run
from jwt_middleware.truth.pool import DIALS, PAUSE
from jwt_middleware.truth.redis import RedisStore
from jwt_middleware.truth.store import Store, Window
from tests.servers import BINARIES, HERE, Proxy, Server, eventually
from tests.truth.conftest import LATEST, TIMEOUT, Loop, Threads, World
from tests.truth.test_redis import documented_rules

INF = float("inf")
FAR = time.time() + 1e6


USER = ("--user", "jwt", *documented_rules())


class Place:
    """A server that a test may hurt, and a store on it with one mark, `known`."""

    def __init__(self, server: Server, world: World) -> None:
        self.server, self.world = server, world
        self.io: IO = world.make_io(server.url("jwt:jwtpw"), TIMEOUT)
        self.store: Store = RedisStore(self.io, "jwt", 3600)
        eventually(lambda: self.write("known"))

    def read(self, *items: str) -> list[float | None]:
        return list(self.world.run(self.store.read(items or ["known"])))

    def reads_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.read()
            time.sleep(0.02)

    def write(self, item: str) -> bool:
        self.world.run(self.store.write({item: FAR}))
        return True

    def count(self, name: str) -> Window:
        return self.world.run(self.store.count(name, 3600, 5))

    def refuses(self, ask: Callable[[], object], detail: str | None = None) -> float:
        """Demand that this is refused as unavailable in time; return the seconds it took."""
        began = time.monotonic()
        with pytest.raises(Unavailable, match=detail):
            ask()
        took = time.monotonic() - began
        assert took < LATEST
        return took

    def recovers(self) -> None:
        """Demand that both reading and writing work again by themselves."""
        assert eventually(self.read) == [FAR]
        assert eventually(lambda: self.write("later"))

    def total_connections(self) -> int:
        return int(self.server.admin("INFO", "stats")["total_connections_received"])


SERVERS = ["valkey-9", "redis-8", pytest.param("redis-7", marks=pytest.mark.long)]


@pytest.fixture(params=SERVERS)
def place(request: pytest.FixtureRequest, own_server: Callable[..., Server], world: World) -> Place:
    return Place(own_server(request.param, *USER), world)


def test_a_server_killed_and_started_again(place: Place):
    """After kill -9 everything is refused at once; after the restart the store works by itself, marks and all."""
    place.server.kill()
    place.refuses(place.read)
    place.refuses(lambda: place.write("x"))
    place.refuses(lambda: place.count("x"))
    place.server.start()
    place.recovers()
    assert place.count("x").current == 1


def test_a_restart_nobody_asked_during(place: Place):
    """Connections that died while they idled cost no request an error."""
    place.server.kill()
    place.server.start()
    assert place.read() == [FAR]


def test_idle_connections_killed_by_the_server(place: Place):
    """An administrator's CLIENT KILL, or a firewall that resets, is not seen by requests."""
    place.world.together([lambda: place.store.read(["known"])] * 4)
    place.server.admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert place.read() == [FAR]
    place.server.admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert place.write("x")


def test_a_server_that_is_stopped_and_goes_on(place: Place):
    """A server that accepts and is silent costs a request the time-out and no more, also on a new connection."""
    place.server.pause()
    try:
        place.refuses(place.read, "TimeoutError")
        time.sleep(PAUSE)
        place.refuses(place.read, "TimeoutError")
        time.sleep(PAUSE)
        place.refuses(lambda: place.write("x"))
    finally:
        place.server.resume()
    place.recovers()


def test_while_a_server_is_silent_one_asks_and_the_rest_fail_at_once(place: Place):
    """An outage does not hold every thread of the server for the time-out."""
    place.server.pause()
    try:
        place.refuses(place.read)
        took = [place.refuses(place.read, "not asked again so soon") for _ in range(20)]
        assert sum(took) < TIMEOUT
    finally:
        place.server.resume()
    place.recovers()


def test_a_server_that_trickles(place: Place):
    """A byte now and then does not extend the time-out, which is for the whole operation."""
    proxy = Proxy(place.server.port)
    place.store = RedisStore(place.world.make_io(f"redis://jwt:jwtpw@{HERE}:{proxy.port}", TIMEOUT), "jwt", None)
    assert place.read() == [FAR]
    proxy.pause = 0.1
    place.refuses(place.read, "TimeoutError")  # on a connection that was there
    time.sleep(PAUSE)
    place.refuses(place.read)  # and on one that must come up
    proxy.pause = 0.0
    place.recovers()
    proxy.close()


def test_a_connection_that_comes_up_too_late_serves_the_next(place: Place):
    """Connecting goes on apart from the request that could not wait for it."""
    proxy = Proxy(place.server.port)
    io = place.world.make_io(f"redis://jwt:jwtpw@{HERE}:{proxy.port}", 0.1)
    store = RedisStore(io, "jwt", None)
    place.server.pause()
    try:
        place.refuses(lambda: place.world.run(store.read(["known"])))
    finally:
        place.server.resume()
    assert eventually(lambda: list(place.world.run(store.read(["known"])))) == [FAR]
    proxy.close()


def test_an_old_attempt_that_fails_does_not_speak_for_new_requests(place: Place):
    """A connection that began to come up before the restart fails after it; who asks then is owed a new attempt."""
    place.server.pause()
    store = RedisStore(place.world.make_io(place.server.url("jwt:jwtpw"), TIMEOUT), "jwt", None)
    place.refuses(lambda: place.world.run(store.read(["known"])))
    place.server.kill()
    place.server.start()
    time.sleep(PAUSE)
    assert list(place.world.run(store.read(["known"]))) == [FAR]


@pytest.fixture(params=BINARIES)
def narrow(request: pytest.FixtureRequest, running: Callable[[str], Server], world: World) -> Callable[[str], Place]:
    """Make a place whose user lacks a right, on a server shared with other tests: nothing is hurt here."""
    server = running(request.param)
    server.admin("ACL", "SETUSER", *USER[1:])

    def without(right: str) -> Place:
        place = Place(server, world)
        server.admin("ACL", "SETUSER", "narrow", *documented_rules(), right)
        place.store = RedisStore(world.make_io(server.url("narrow:jwtpw"), TIMEOUT), "jwt", None)
        return place

    return without


@pytest.mark.parametrize("missing", ["-zmscore", "-info", "-role", "resetkeys", "off"])
def test_rights_that_do_not_suffice_for_reading(narrow, missing):
    """A user that may not ask is an outage with a clear detail, not an empty answer."""
    place = narrow(missing)
    place.refuses(place.read, "(?i)permission|Authentication")


@pytest.mark.parametrize("missing", ["-eval", "-zadd", "-time"])
def test_rights_that_do_not_suffice_for_writing(narrow, missing):
    """A user that may only ask still answers requests; what cannot be stored is refused."""
    place = narrow(missing)
    place.refuses(lambda: place.write("x"), "(?i)permission|ACL|can.t run this command")
    assert place.read("known") == [FAR]


@pytest.mark.parametrize("missing", ["-eval", "-get", "-set", "-time"])
def test_rights_that_do_not_suffice_for_counting(narrow, missing):
    """A user of before there were counts still answers requests; what cannot be counted is not said to have room."""
    place = narrow(missing)
    place.refuses(lambda: place.count("x"), "(?i)permission|ACL|can.t run this command")
    assert place.read("known") == [FAR]


def test_a_wrong_password(narrow, world: World):
    """The detail says that the password is wrong, and not what it was."""
    place = narrow("+info")
    place.store = RedisStore(world.make_io(place.server.url("jwt:sesame"), TIMEOUT), "jwt", None)
    with pytest.raises(Unavailable, match="AuthenticationError") as caught:
        place.read()
    assert "sesame" not in f"{caught.value} {caught.value.__cause__} {caught.value.detail}"
    place.refuses(lambda: place.write("x"))


def test_a_user_that_loses_its_rights_and_gets_them_back(place: Place):
    """Switching the user off is noticed at once, switching it on again as well."""
    place.server.admin("ACL", "SETUSER", "jwt", "off")
    place.server.admin("CLIENT", "KILL", "USER", "jwt")
    place.refuses(place.read, "Authentication")
    place.server.admin("ACL", "SETUSER", "jwt", "on")
    place.recovers()


def test_a_key_of_another_type_is_an_error_reply_that_stops_nobody(place: Place):
    """An error reply is refused, without closing the connection or making others wait."""
    place.server.admin("SET", "{jwt}:revoked", "a string")
    before = place.total_connections()
    for _ in range(5):
        place.refuses(place.read, "wrong kind of value")
        place.refuses(lambda: place.write("x"), "wrong kind of value")
    assert place.total_connections() - before <= 1  # that of the one who counts
    place.server.admin("DEL", "{jwt}:revoked")
    assert place.read() == [None]


def test_out_of_memory(place: Place):
    """A full server still tells what is revoked, and refuses what it cannot keep."""
    place.server.admin("CONFIG", "SET", "maxmemory", "1")
    for _ in range(3):
        place.refuses(lambda: place.write("x"), "(?i)OutOfMemory|OOM")
        place.refuses(lambda: place.count("x"), "(?i)OutOfMemory|OOM")
        assert place.read("known", "x") == [FAR, None]
    place.server.admin("CONFIG", "SET", "maxmemory", "0")
    assert place.write("x")


def test_a_demoted_server_is_noticed_by_readers_within_a_second(place: Place):
    """A replica may be behind, so it is not asked for long; as master again it is."""
    place.server.admin("REPLICAOF", HERE, "1")
    with pytest.raises(Unavailable, match="not master"):
        place.reads_for(1.0)
    place.refuses(place.read)
    place.server.admin("REPLICAOF", "NO", "ONE")
    place.recovers()


def test_a_demoted_server_is_noticed_by_writers_at_once(place: Place):
    """A revocation is never confirmed by a replica."""
    place.server.admin("REPLICAOF", HERE, "1")
    place.refuses(lambda: place.write("x"), "(?i)read.?only|not master")
    place.refuses(lambda: place.count("x"))
    place.refuses(place.read)
    place.server.admin("REPLICAOF", "NO", "ONE")
    place.recovers()
    assert place.read("x") == [None]


def test_a_replica_is_not_asked_at_all(place: Place):
    """A new connection to a replica is refused before it serves."""
    place.server.admin("REPLICAOF", HERE, "1")
    place.store = RedisStore(place.world.make_io(place.server.url("jwt:jwtpw"), TIMEOUT), "jwt", None)
    place.refuses(place.read, "not master")


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
def test_a_server_that_evicts_everything_is_unfit(place: Place, policy):
    """A cache that drops revocations to make room must not keep them."""
    place.server.admin("CONFIG", "SET", "maxmemory-policy", policy)
    place.store = RedisStore(place.world.make_io(place.server.url("jwt:jwtpw"), TIMEOUT), "jwt", None)
    place.refuses(place.read, policy)
    place.server.admin("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    place.recovers()


def test_a_server_still_loading_is_not_asked(own_server, world: World):
    """A server that reads its data back knows only a part of what is revoked."""
    server = own_server("valkey-9", *USER, "--enable-debug-command", "yes")
    place = Place(server, world)
    server.admin("DEBUG", "POPULATE", 2000, "filler", 10)
    server.admin("CONFIG", "SET", "key-load-delay", 1000)
    server.admin("CONFIG", "SET", "loading-process-events-interval-bytes", 1024)
    with ThreadPoolExecutor(1) as threads:
        reloading = threads.submit(server.admin, "DEBUG", "RELOAD")
        eventually(lambda: server.admin("INFO", "persistence")["loading"] == 1)
        with pytest.raises(Unavailable):
            place.read()
        reloading.result()
    assert eventually(place.read) == [FAR]


def test_marks_survive_a_crash(place: Place):
    """What was confirmed is there after kill -9 and a restart."""
    items = [f"item {number}" for number in range(50)]
    for item in items:
        place.write(item)
    place.server.kill()
    place.server.start()
    assert eventually(lambda: place.read(*items)) == [FAR] * 50


def test_more_clients_than_the_server_takes(place: Place):
    """A server that refuses new connections is unavailable to who has none, and works when there is room again."""
    with redis.Redis(host=HERE, port=place.server.port, single_connection_client=True) as other:
        other.config_set("maxclients", 1)
        other.client_kill_filter(_type="normal", skipme=True)
        place.refuses(place.read, "max number of clients")
        other.config_set("maxclients", 1000)
    place.recovers()


@pytest.mark.parametrize("address", ["redis://no-such-host.invalid:6379", f"redis://{HERE}:1", "unix:///no/such.sock"])
def test_an_address_where_nobody_is(world: World, address):
    """Names that do not resolve and ports where nobody listens are refused in time, again and again."""
    store = RedisStore(world.make_io(address, TIMEOUT), "jwt", None)
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            world.run(store.read(["x"]))
        assert time.monotonic() - began < LATEST
        time.sleep(PAUSE)


def test_a_name_server_that_does_not_answer(world: World, monkeypatch):
    """A look-up that hangs holds up nobody beyond the time-out, and few threads in all."""
    import socket
    import threading

    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20) and [])
    store = RedisStore(world.make_io("redis://slow-dns.example:6379", 0.1), "jwt", None)
    before = threading.active_count()
    for _ in range(8):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            world.run(store.read(["x"]))
        assert time.monotonic() - began < LATEST
        time.sleep(PAUSE)
    assert threading.active_count() - before <= DIALS
    over.set()


def test_an_address_that_swallows_packets(world: World):
    """A listener whose queue is full answers nothing, not even the handshake."""
    import socket

    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind((HERE, 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        store = RedisStore(world.make_io(f"redis://{HERE}:{listener.getsockname()[1]}", TIMEOUT), "jwt", None)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            world.run(store.read(["x"]))
        assert time.monotonic() - began < LATEST


def test_something_that_is_not_redis(world: World):
    """Another protocol on the port is unavailable, not an exception of the client library."""
    import socket
    import threading

    listener = socket.create_server((HERE, 0))

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    store = RedisStore(world.make_io(f"redis://{HERE}:{listener.getsockname()[1]}", TIMEOUT), "jwt", None)
    with pytest.raises(Unavailable):
        world.run(store.read(["x"]))
    listener.close()


def test_a_request_that_goes_away_does_not_stop_the_others(own_server):
    """A client that disconnects while the server is slow says nothing about the server."""
    loop = Loop()
    place = Place(own_server("valkey-9", *USER), loop)

    async def story() -> None:
        await place.store.read(["known"])
        place.server.pause()
        asking = asyncio.ensure_future(place.store.read(["known"]))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        place.server.resume()
        assert list(await place.store.read(["known"])) == [FAR]

    loop.run(story())
    loop.close()


def test_a_request_that_goes_away_while_it_waits_for_a_connection(own_server):
    """The connection it waited for comes up all the same and serves the next."""
    loop = Loop()
    server = own_server("redis-8")

    async def story() -> None:
        io = AsyncIO(server.url(), 5.0)
        asking = [asyncio.ensure_future(io.redis("PING")) for _ in range(20)]
        await asyncio.sleep(0)
        for task in asking[::2]:
            task.cancel()
        replies = await asyncio.gather(*asking, return_exceptions=True)
        assert replies[1::2] == [b"PONG"] * 10
        assert await asyncio.gather(*[io.redis("PING") for _ in range(40)]) == [b"PONG"] * 40

    loop.run(story())
    loop.close()


def test_a_request_that_goes_away_in_the_moment_it_gets_a_connection(own_server, monkeypatch):
    """The only connection there may be is handed to a request that is cancelled before it runs: it is not lost."""
    monkeypatch.setattr(pool, "LINES", 1)
    loop = Loop()
    io = loop.make_io(own_server("redis-8").url(), TIMEOUT)

    async def story() -> None:
        async def first() -> None:
            await io.redis("BLPOP", "nothing", 0.1)
            second.cancel()

        holding = asyncio.ensure_future(first())
        await asyncio.sleep(0.05)
        second = asyncio.ensure_future(io.redis("PING"))
        await holding
        with pytest.raises(asyncio.CancelledError):
            await second
        assert await io.redis("PING") == b"PONG"

    loop.run(story())
    loop.close()


def test_connections_killed_while_more_of_them_come_up(own_server):
    """What dies in the background, before or just after it was ready, fails no request that has not begun yet."""
    server, world = own_server("valkey-9", *USER), Threads()
    for _ in range(60):
        store = RedisStore(world.make_io(server.url("jwt:jwtpw"), 5.0), "jwt", None)
        world.together([lambda store=store: store.read(["x"])] * 4)
        server.admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert world.run(store.read(["x"])) == [None]
        server.admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        world.run(store.write({"x": -1.0}))
        server.admin("DEL", "{jwt}:revoked")


def test_threads_that_ask_through_a_crash_are_told_the_truth(own_server):
    """Thirty-two threads ask while the server dies and comes back: each answer is right or refused, and in the end
    all are right."""
    place = Place(own_server("redis-8", *USER), Threads())
    stop = time.monotonic() + 1.5
    slowest: list[float] = []

    def ask(_: int) -> set[str]:
        seen = set()
        while time.monotonic() < stop:
            began = time.monotonic()
            try:
                seen.add(str(list(run(place.store.read(["known", "unknown"])))))
            except Unavailable:
                seen.add("refused")
                time.sleep(0.01)
            slowest.append(time.monotonic() - began)
        return seen

    with ThreadPoolExecutor(32) as threads:
        answers = threads.map(ask, range(32))
        time.sleep(0.3)
        place.server.kill()
        time.sleep(0.3)
        place.server.start()
        seen = set().union(*answers)
    assert seen <= {f"[{FAR}, None]", "refused"}
    assert max(slowest) < LATEST
    place.recovers()


def test_a_write_that_was_refused_for_time_is_harmless_to_repeat(own_server, world: World):
    """Nobody knows whether a write without an answer was stored; repeating it gives the same mark."""
    place = Place(own_server("valkey-9", *USER), world)
    place.server.pause()
    try:
        place.refuses(lambda: place.write("x"))
    finally:
        place.server.resume()
    assert eventually(lambda: place.write("x"))
    assert place.read("x") == [FAR]


def test_two_servers_one_after_the_other_on_one_name(own_server, world: World):
    """After a fail-over that moves the name, the next connection finds the new master at once."""
    old, new = own_server("valkey-9", *USER), own_server("redis-8", *USER)
    proxy = Proxy(old.port)
    store = RedisStore(world.make_io(f"redis://jwt:jwtpw@{HERE}:{proxy.port}", TIMEOUT), "jwt", None)
    world.run(store.write({"on": FAR}))
    new.admin("ZADD", "{jwt}:revoked", 5e9, "on")
    old.admin("REPLICAOF", HERE, "1")
    proxy._target = new.port
    with pytest.raises(Unavailable):
        world.run(store.write({"other": FAR}))
    assert list(world.run(store.read(["on"]))) == [5e9]
    proxy.close()
