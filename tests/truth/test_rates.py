"""Rates that all workers count together, on every store; then what is SQLite's alone and Redis' alone."""

from __future__ import annotations

import inspect
import re
import sqlite3
import subprocess
import sys
import time
from math import floor

import pytest
from limits.aio.storage import Storage

from jwt_middleware import parsing
from jwt_middleware.errors import Unavailable
from jwt_middleware.truth import sqlite
from jwt_middleware.truth._blocking import BlockingIO
from jwt_middleware.truth.io import run
from jwt_middleware.truth.rates import RateLimit, _Counts
from jwt_middleware.truth.sqlite import SQLiteStore
from jwt_middleware.truth.store import Store, Window
from tests.servers import BINARIES, eventually, in_child
from tests.truth.conftest import LATEST, TIMEOUT, RedisShelf, SQLiteShelf, Threads, World
from tests.worlds import SECRET, Clock

YEAR = 360 * 86400  # of `limits`: no test sees one end


def limit(store: Store, rate: str = "3/year", kind: str = "failed") -> RateLimit:
    return RateLimit(parsing.rate(rate), kind, store)


def hits(world: World, rate: RateLimit, times: int, *names: str) -> int:
    """Hit some times; return how many found room."""
    return sum(world.run(rate.hit(*names)) == 0 for _ in range(times))


# --- every store ---------------------------------------------------------------------------------------------


def test_as_many_as_the_rate_and_no_more(store: Store, world: World):
    """Three of three find room; the fourth learns when there is some again."""
    rate = limit(store)
    assert [world.run(rate.hit("ada")) for _ in range(3)] == [0, 0, 0]
    assert all(0 < world.run(rate.hit("ada")) <= YEAR for _ in range(3))


def test_each_name_kind_and_rate_has_a_count_of_its_own(store: Store, world: World):
    """One client's failures are nobody else's, and a login is no token."""
    rate = limit(store, "1/year")
    others = [rate, limit(store, "1/year", "login"), limit(store, "2/year"), limit(store, "1 per 2 months")]
    assert world.run(rate.hit("ada")) == 0
    assert world.run(rate.hit("ada")) > 0
    assert world.run(rate.hit("bob")) == 0
    assert [world.run(other.hit("ada")) == 0 for other in others] == [False, True, True, True]


@pytest.mark.parametrize(
    "names", [("a", "b/c"), ("a/b", "c"), ("a", "b", "c"), ("a/1:b", "c"), ("", "a/b/c"), ("a/b/c",)]
)
def test_names_do_not_run_into_one_another(store: Store, world: World, names):
    """`limits` joins names by a slash; nobody may choose a name that counts for another's."""
    rate = limit(store, "1/year")
    for other in [("a", "b/c"), ("a/b", "c"), ("a", "b", "c"), ("a/1:b", "c"), ("", "a/b/c"), ("a/b/c",)]:
        assert other == names or world.run(rate.hit(*other)) == 0
    assert world.run(rate.hit(*names)) == 0


@pytest.mark.parametrize(
    "name", ["", "é\U0001f512", "\ud800", "\x00\r\n$3\r\nfoo", "'; DROP TABLE counts; --", "{jwt}:revoked", "x" * 10**6]
)
def test_hostile_names_count_like_others_and_become_no_key(shelf, world: World, name):
    """Whatever a client calls itself, what stands in the store is a hash."""
    rate = limit(shelf.store(world), "1/year")
    assert world.run(rate.hit(name)) == 0
    assert world.run(rate.hit(name)) > 0
    assert all(re.fullmatch("[0-9a-f]{64}", kept) for kept in shelf.names())
    assert len(shelf.names()) == 1
    assert shelf.count() == 0


def test_many_at_once_add_up_exactly(shelf, world: World):
    """Of eighty hits in parallel exactly as many find room as there is."""
    rate = limit(shelf.store(world), "25/year")
    outcomes = world.together([lambda: rate.hit("ada")] * 80)
    assert outcomes.count(0) == 25
    window = world.run(shelf.store(world).count(shelf.names()[0], YEAR, 25, amount=0))
    assert (window.room, window.previous, window.current) == (True, 0, 25)


def test_many_processes_add_up_exactly(shelf):
    """Three workers, each with a gate of its own, let pass together what one would."""
    code = (
        "import sys, json; from jwt_middleware.core import Core; from jwt_middleware.truth._blocking import BlockingIO;"
        "from jwt_middleware.truth.io import run\n"
        "limit = Core(BlockingIO, json.loads(sys.argv[1])).gate._attempts._limit\n"
        "sys.stdin.read(); print([run(limit.hit('ada')) for _ in range(20)].count(0))"
    )
    settings = shelf.settings | {"secret_key": SECRET, "failed_attempts": "40/year", "store_timeout": 10}
    command = [sys.executable, "-c", code, repr(settings).replace("'", '"')]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    workers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for worker in workers:
        worker.stdin.close()
    assert sum(int(worker.stdout.read()) for worker in workers) == 40
    assert [worker.wait() for worker in workers] == [0] * 3


def test_a_fork_counts_on(shelf, world: World):
    """Parent and child are two workers like any other."""
    rate = limit(shelf.store(world), "5/year")
    assert hits(world, rate, 2, "ada") == 2
    assert in_child(lambda: hits(type(world)(), rate, 2, "ada")) == "2"
    assert hits(world, rate, 2, "ada") == 1


def test_waiting_counts_nothing(store: Store, world: World):
    """Who asks whether there is room takes none."""
    rate = limit(store, "1/year")
    assert [world.run(rate.wait("ada")) for _ in range(3)] == [0, 0, 0]
    assert world.run(rate.hit("ada")) == 0
    assert 0 < world.run(rate.wait("ada")) <= YEAR


def test_what_is_forgotten_begins_anew(store: Store, world: World):
    """A login that succeeds may clear what failed before; of this name alone, and again and again."""
    rate = limit(store, "1/year")
    assert [world.run(rate.hit(name)) for name in ("ada", "bob")] == [0, 0]
    world.run(rate.forget("ada"))
    world.run(rate.forget("ada"))
    eventually(lambda: world.run(rate.wait("ada")) == 0)  # Redis forgets within a millisecond
    assert world.run(rate.hit("ada")) == 0
    assert world.run(rate.hit("bob")) > 0


def test_the_window_before_weighs_in_as_far_as_it_still_matters(shelf, world: World):
    """Twice the rate cannot pass at the seam of two windows."""
    store = shelf.store(world)
    now = world.run(store.count("ask", YEAR, 1000, amount=0))
    number = int(time.time() // YEAR)
    shelf.plant_count("a", number - 1, 7, 1000)
    taken = floor(1000 * now.left / YEAR)
    first = world.run(store.count("a", YEAR, 1000, amount=1000 - taken + 1))
    assert (first.room, first.previous, first.current) == (False, 1000, 0)
    second = world.run(store.count("a", YEAR, 1000, amount=1000 - taken))
    assert (second.room, second.previous, second.current) == (True, 1000, 1000 - taken)
    assert world.run(store.count("a", YEAR, 1000)).room is False
    assert second.left == pytest.approx(YEAR - time.time() % YEAR, abs=60)


@pytest.mark.parametrize("windows_ago", [2, 3, 1000, -1, -1000])
def test_older_windows_and_those_to_come_count_nothing(shelf, world: World, windows_ago):
    """What lies two windows back is over; what a wrong clock wrote into the future must not lock anybody out."""
    store = shelf.store(world)
    world.run(store.count("x", YEAR, 1))
    shelf.plant_count("a", int(time.time() // YEAR) - windows_ago, 9, 9)
    window = world.run(store.count("a", YEAR, 9))
    assert (window.room, window.previous, window.current) == (True, 0, 1)


def test_time_makes_room(shelf, world: World):
    """After a while there is room again, by itself; and it was told when."""
    rate = limit(shelf.store(world), "2/second")
    eventually(lambda: world.run(rate.hit("ada")) > 0)  # a burst that no seam divides
    assert world.run(rate.wait("ada")) <= 1
    assert eventually(lambda: world.run(rate.hit("ada")) == 0)


def test_counts_do_not_touch_marks(shelf, world: World):
    """What is revoked stays so, whatever is counted and forgotten beside it."""
    store = shelf.store(world)
    world.run(store.write({"j|-|1": float("inf")}))
    rate = limit(store)
    hits(world, rate, 5, "j|-|1")
    world.run(rate.forget("j|-|1"))
    world.run(store.forget("j|-|1"))
    assert world.run(store.read(["j|-|1"])) == [float("inf")]


def test_only_sliding_windows_are_kept(world: World):
    """What `limits` asks of other strategies is refused aloud, not counted wrongly."""
    counts = _Counts(None)
    for verb in Storage.__abstractmethods__ - {"base_exceptions"}:
        with pytest.raises(NotImplementedError):
            world.run(getattr(counts, verb)("x"))
    assert not inspect.isabstract(_Counts)


# --- Redis ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=list(BINARIES))
def redis_shelf(request, running) -> RedisShelf:
    return RedisShelf(running(request.param))


def test_one_hit_is_one_command(redis_shelf, world: World):
    """Counting costs one round trip; a hit that finds no room one more, to say how long."""
    rate = limit(redis_shelf.store(world), "2/year")
    world.run(rate.hit("ada"))
    server = redis_shelf._server
    for calls in (1, 2):
        server.admin("CONFIG", "RESETSTAT")
        world.run(rate.hit("ada"))
        statistics = server.admin("INFO", "commandstats")
        assert statistics["cmdstat_eval"]["calls"] == calls


def test_a_key_expires_by_itself(redis_shelf, world: World):
    """A count lives to the end of the next window, and then Redis drops it."""
    world.run(redis_shelf.store(world).count("a", 100, 5))
    kept = redis_shelf._server.admin("PTTL", redis_shelf._counts + "a")
    assert 100_000 < kept <= 200_000


@pytest.mark.parametrize("value", ["", "junk", "1 2", "-1 -2 -3", "nan nan nan", "1e9 1 1", "1 2 3 4"])
def test_a_value_that_is_none_of_ours_counts_nothing(redis_shelf, world: World, value):
    """Somebody else's key cannot make the script fail."""
    redis_shelf._server.admin("SET", redis_shelf._counts + "a", value)
    window = world.run(redis_shelf.store(world).count("a", YEAR, 5))
    assert (window.room, window.previous, window.current) == (True, 0, 1)


def test_a_key_of_another_type_is_unavailable(redis_shelf, world: World):
    """What cannot be counted is not said to have room."""
    redis_shelf._server.admin("ZADD", redis_shelf._counts + "a", 1, "x")
    with pytest.raises(Unavailable, match="wrong kind of value"):
        world.run(redis_shelf.store(world).count("a", YEAR, 5))


@pytest.mark.parametrize("reply", [None, b"OK", [], [1, 2, 3], [1, 2, 3, b"x"], [1, 2, 3, None]])
def test_an_odd_reply_is_unavailable(reply):
    """A proxy that answers something else does not make room."""
    from jwt_middleware.truth.redis import RedisStore

    class Odd(BlockingIO):
        async def redis(self, *command):
            return reply

    with pytest.raises(Unavailable, match="four numbers"):
        run(RedisStore(Odd(None, 1), "jwt", None).count("a", 60, 5))


# --- SQLite --------------------------------------------------------------------------------------------------


@pytest.fixture
def file_shelf(tmp_path) -> SQLiteShelf:
    return SQLiteShelf(tmp_path / "store.db")


def test_the_given_clock_counts(file_shelf, tmp_path):
    """Half into the next window half of the last one weighs in."""
    clock = Clock(600.0)
    store = SQLiteStore(BlockingIO(None, 1), tmp_path / "store.db", 1, None, clock)
    assert run(store.count("a", 60, 100, amount=100)) == Window(True, 0, 100, 60.0)
    clock.now = 690.0
    assert run(store.count("a", 60, 100, amount=51)) == Window(False, 100, 0, 30.0)
    assert run(store.count("a", 60, 100, amount=50)) == Window(True, 100, 50, 30.0)
    clock.now = 720.0
    assert run(store.count("a", 60, 100, amount=0)) == Window(True, 50, 0, 60.0)
    clock.now = 780.0
    assert run(store.count("a", 60, 100, amount=0)) == Window(True, 0, 0, 60.0)


def test_the_wait_is_to_the_moment_when_there_is_room(tmp_path):
    """A full window lasts to its end; after it, what it counted fades one by one."""
    clock = Clock(600.0)
    store = SQLiteStore(BlockingIO(None, 1), tmp_path / "store.db", 1, None, clock)
    rate = limit(store, "4/minute")
    assert [run(rate.hit("ada")) for _ in range(5)] == [0, 0, 0, 0, 60]
    for clock.now, wait in ((601.5, 59), (659.0, 1), (659.9995, 1), (660.0, 1), (660.5, 0), (600.0, 60)):
        assert run(rate.wait("ada")) == wait
    clock.now = 662.0
    assert [run(rate.hit("ada")) for _ in range(2)] == [0, 13]
    clock.now = 675.0
    assert run(rate.wait("ada")) == 1
    clock.now = 675.5
    assert run(rate.wait("ada")) == 0


def test_counts_that_are_over_are_cleared_away_a_bounded_number_at_a_time(file_shelf, tmp_path):
    """Each one that counts pays for some of those that are gone, never for a million."""
    clock = Clock(600.0)
    store = SQLiteStore(BlockingIO(None, 1), tmp_path / "store.db", 1, None, clock)
    for number in range(250):
        run(store.count(f"old {number}", 60, 100))
    clock.now = 720.0
    run(store.count("on the edge", 60, 100))
    assert len(file_shelf.names()) == 251
    clock.now = 721.0
    for left in (152, 53, 4):
        run(store.count(f"new {left}", 60, 100))
        assert len(file_shelf.names()) == left
    assert "on the edge" in file_shelf.names()


def test_counting_does_not_wait_for_the_disk_and_revoking_does(file_shelf):
    """Strangers make us count, so it must be cheap; what is revoked is on the disk, whatever came before."""
    store = file_shelf.store(Threads())
    asked = [store.count("a", 60, 5), store.write({"x": 1e12}), store.forget("a"), store.write({"y": 1e12})]
    seen = []
    for ask in asked:
        run(ask)
        with store._seat() as connection:
            seen += connection.execute("PRAGMA synchronous").fetchone()
    assert seen == [1, 2, 1, 2]  # NORMAL, FULL


def test_a_locked_file_holds_nobody_beyond_the_time_out(file_shelf, tmp_path, world: World):
    """While another process writes for long, counting is refused in time."""
    store = file_shelf.store(world, timeout=TIMEOUT)
    rate = limit(store)
    assert world.run(rate.hit("ada")) == 0
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for ask in (rate.hit, rate.forget):
        began = time.monotonic()
        with pytest.raises(Unavailable, match="locked"):
            world.run(ask("ada"))
        assert time.monotonic() - began < LATEST
    other.execute("ROLLBACK")
    other.close()
    assert hits(world, rate, 3, "ada") == 2


def test_a_file_that_may_only_be_read_is_unavailable(file_shelf, world: World, monkeypatch):
    """Nobody is told that there was room when it was not counted."""
    world.run(file_shelf.store(world).read(["x"]))
    monkeypatch.setattr(sqlite, "SCHEMA", (*sqlite.SCHEMA, "PRAGMA query_only=ON"))
    rate = limit(file_shelf.store(world))
    for ask in (rate.hit, rate.forget):
        with pytest.raises(Unavailable, match="readonly"):
            world.run(ask("ada"))


def test_a_folder_that_is_missing_is_unavailable(tmp_path, world: World):
    """Whatever is wrong with the file."""
    with pytest.raises(Unavailable):
        world.run(limit(SQLiteShelf(tmp_path / "missing" / "store.db").store(world)).hit("ada"))


def test_a_file_of_an_older_version_gets_the_table(file_shelf, tmp_path, world: World):
    """What was revoked before is still there."""
    world.run(file_shelf.store(world).write({"x": 1e12}))
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("DROP TABLE counts")
    store = file_shelf.store(world)
    assert world.run(limit(store).hit("ada")) == 0
    assert world.run(store.read(["x"])) == [1e12]
