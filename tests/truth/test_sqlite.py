"""The stories every store must tell alike, SQLite being the first of them; then those of SQLite alone."""

from __future__ import annotations

import gc
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jwt_middleware.errors import Unavailable
from jwt_middleware.truth import sqlite
from jwt_middleware.truth._blocking import BlockingIO
from jwt_middleware.truth.io import run
from jwt_middleware.truth.sqlite import SQLiteStore, path_of
from jwt_middleware.truth.store import Store, cut_off, ended
from tests.servers import in_child
from tests.truth.conftest import LATEST, TIMEOUT, Loop, SQLiteShelf, Threads, World

INF = float("inf")
NOW = float(int(time.time()))
AHEAD = NOW + 86_400  # the whole suite takes less, and nothing here may be forgotten meanwhile


# --- every store ---------------------------------------------------------------------------------------------


def test_an_unknown_item_has_no_mark(store: Store, world: World):
    """Nothing is known of most items, and asking does not change that."""
    assert world.run(store.read(["j|-|1"])) == [None]
    assert world.run(store.read(["j|-|1", "u|-|1"])) == [None, None]


def test_asking_for_nothing_and_keeping_nothing_is_no_mistake(store: Store, world: World):
    """The empty request has the empty answer."""
    assert list(world.run(store.read([]))) == []
    assert world.run(store.write({})) is None


@pytest.mark.parametrize(
    "mark",
    [ended(AHEAD + 500), ended(AHEAD + 500.123456), INF, cut_off(1), cut_off(int(NOW))],
    ids=["whole", "fraction", "for-ever", "first-second", "now"],  # without the time: xdist's workers must agree
)
def test_a_mark_comes_back_exactly_as_it_was_written(store: Store, world: World, mark):
    """Marks survive to the last digit, infinity too."""
    world.run(store.write({"item": mark}))
    assert world.run(store.read(["item"])) == [mark]


def test_answers_come_in_the_order_of_the_questions(store: Store, world: World):
    """Each item gets its own mark, also when it is asked for twice."""
    world.run(store.write({"b": AHEAD + 502, "a": AHEAD + 501}))
    assert list(world.run(store.read(["a", "x", "b", "a"]))) == [
        AHEAD + 501,
        None,
        AHEAD + 502,
        AHEAD + 501,
    ]


@pytest.mark.parametrize(
    "item", ["", "é ünï \U0001f512", "with space\r\n$3\r\nfoo", "'; DROP TABLE marks; --", "%s{}*", "x" * 5000]
)
def test_any_text_may_be_an_item(store: Store, world: World, item):
    """Names from tokens are data: they are neither cut nor understood."""
    world.run(store.write({item: INF}))
    assert world.run(store.read([item, item + "."])) == [INF, None]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (AHEAD + 510, AHEAD + 520, AHEAD + 520),
        (AHEAD + 520, AHEAD + 510, AHEAD + 520),
        (INF, AHEAD + 510, INF),
        (AHEAD + 510, INF, INF),
        (-100.0, -200.0, -200.0),
        (-200.0, -100.0, -200.0),
        (-200.0, -200.0, -200.0),
    ],
    ids=["later", "earlier", "for-ever-first", "for-ever-then", "cut-later", "cut-earlier", "cut-again"],
)
def test_of_two_marks_the_one_farther_from_zero_holds(store: Store, world: World, first, second, kept):
    """An ending is never shortened, a cut-off never falls, in whichever order they arrive."""
    world.run(store.write({"item": first}))
    world.run(store.write({"item": second}))
    assert world.run(store.read(["item"])) == [kept]


def test_what_one_process_wrote_another_reads(shelf, world: World):
    """The store is the one truth of all processes, and it outlives the object that wrote."""
    world.run(shelf.store(world).write({"j|-|1": INF}))
    assert world.run(shelf.store(world).read(["j|-|1"])) == [INF]


def test_many_marks_at_once(store: Store, world: World):
    """One write may hold thousands of marks of both kinds."""
    marks = {f"item {number}": (AHEAD + 500 + number if number % 2 else -float(number + 1)) for number in range(6000)}
    world.run(store.write(marks))
    assert list(world.run(store.read(list(marks)[:500]))) == list(marks.values())[:500]


def test_what_can_be_forgotten_is_forgotten_a_bounded_number_at_a_time(shelf, world: World):
    """A write clears away some hundred old marks of each kind, not a million while others wait."""
    store = shelf.store(world, max_lifetime=3600)
    world.run(store.write({"live": INF}))
    shelf.plant({f"ended {number}": NOW - 1 - number for number in range(250)})
    shelf.plant({f"cut-off {number}": -(NOW - 3600 - 605 - number) for number in range(250)})
    world.run(store.write({"live": INF}))
    assert 1 + 500 - 200 <= shelf.count() < 1 + 500
    for _ in range(5):
        world.run(store.write({"live": INF}))
    assert shelf.count() == 1


def test_what_is_alive_is_never_forgotten(shelf, world: World):
    """Clearing away stops short of every mark somebody may still need."""
    store = shelf.store(world, max_lifetime=3600)
    now = float(int(time.time()))  # not NOW: a long run may begin minutes before this test
    live = {"ends soon": now + 300, "for ever": INF, "fresh": -now, "just needed": -(now - 3600 - 540)}
    world.run(store.write(live))
    shelf.plant({f"old {number}": NOW - 1 - number for number in range(150)})
    for _ in range(4):
        world.run(store.write({"another": INF}))
    assert list(world.run(store.read(list(live)))) == list(live.values())
    assert shelf.count() == 5


def test_without_a_longest_lifetime_cut_offs_are_kept_for_ever(shelf, world: World):
    """When tokens may live for ever, so must what revokes them."""
    store = shelf.store(world, max_lifetime=None)
    world.run(store.write({"ancient": -1.0}))
    world.run(store.write({"other": INF}))
    assert world.run(store.read(["ancient"])) == [-1.0]


def test_thirty_two_at_once(shelf, world: World):
    """Readers and writers in parallel lose nothing and mix nothing up."""
    store = shelf.store(world)

    async def work(name: int) -> None:
        for turn in range(1, 6):
            await store.write({f"own {name}": AHEAD + 500 + turn, "shared": -float(name * 10 + turn)})
            assert list(await store.read([f"own {name}"])) == [AHEAD + 500 + turn]

    world.together([lambda name=name: work(name) for name in range(32)])
    assert world.run(store.read(["shared"])) == [-315.0]
    assert shelf.count() == 33


def test_a_child_writes_and_the_parent_reads(shelf, world: World):
    """A store used before a fork serves parent and child, as under a server that loads the app first."""
    store = shelf.store(world)
    world.run(store.write({"parent's": INF}))
    assert in_child(lambda: type(world)().run(store.read(["parent's"]))) == "[inf]"
    in_child(lambda: type(world)().run(store.write({"child's": INF})))
    assert world.run(store.read(["parent's", "child's"])) == [INF, INF]


def test_one_store_in_many_event_loops(shelf):
    """Test clients make a loop for each test; the store does not notice."""
    store = shelf.store(Loop())
    for number in range(10):
        loop = Loop()
        loop.run(store.write({f"item {number}": INF}))
        assert loop.run(store.read(["item 0", f"item {number}"])) == [INF, INF]
        loop.close()


# --- SQLite --------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "marks.db"


def made(file: Path, timeout: float = TIMEOUT) -> SQLiteStore:
    return SQLiteStore(BlockingIO(None, timeout), file, timeout, None, time.time)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///marks.db", "marks.db"),
        ("sqlite:///var/marks.db", "var/marks.db"),
        ("sqlite:////var/lib/marks.db", "/var/lib/marks.db"),
    ],
)
def test_the_path_of_a_url(url, path):
    """Three slashes begin a relative path, four an absolute one."""
    assert path_of(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite://host/file",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=ro",
        "file.db",
        "redis:///x",
    ],
)
def test_a_url_that_names_no_file(url):
    """A store in memory would be another one in each process, so it is refused like any other mistake."""
    with pytest.raises(ValueError, match=r"^JWT_STORE_URL must be like sqlite:///"):
        path_of(url)


def test_construction_makes_no_file(file):
    """The file appears with the first use."""
    store = made(file)
    assert not file.exists()
    run(store.read(["x"]))
    assert file.exists()


def test_a_relative_path_stays_where_it_was(file, monkeypatch):
    """A server that changes its directory after loading the app keeps its store."""
    monkeypatch.chdir(file.parent)
    store = made(Path(file.name))
    monkeypatch.chdir("/")
    run(store.write({"x": INF}))
    assert file.exists()


def test_the_file_is_for_its_owner_alone(file):
    """Who signed out when is nobody else's business, in the files SQLite puts beside it neither."""
    old = os.umask(0)
    try:
        store = made(file)
        run(store.write({"x": INF}))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.glob("marks.db*")}
    finally:
        os.umask(old)
    assert modes == {"marks.db": 0o600, "marks.db-wal": 0o600, "marks.db-shm": 0o600}


def test_a_write_is_on_the_disk_when_it_returns(file):
    """The file is in WAL mode and every commit waits for the disk."""
    store = made(file)
    run(store.write({"x": INF}))
    with store._seat() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_write_that_fails_halfway_leaves_nothing(file):
    """All marks of a write are kept, or none."""
    store = made(file)
    with pytest.raises(Unavailable):
        run(store.write({"good": INF, "bad": float("nan")}))
    assert run(store.read(["good"])) == [None]
    run(store.write({"good": INF}))
    assert run(store.read(["good"])) == [INF]


@pytest.mark.parametrize("damage", ["directory missing", "not a database", "is a directory"])
def test_a_file_that_cannot_be_used_is_unavailable(file, damage, world: World):
    """Whatever is wrong with the file, nobody is told that nothing is revoked."""
    if damage == "directory missing":
        file = file.parent / "missing" / "marks.db"
    elif damage == "not a database":
        file.write_bytes(b"this is not a database" * 100)
    else:
        file.mkdir()
    store = SQLiteShelf(file).store(world)
    with pytest.raises(Unavailable):
        world.run(store.read(["x"]))
    with pytest.raises(Unavailable):
        world.run(store.write({"x": INF}))


def test_a_file_repaired_is_used_again(file):
    """A failure is not remembered."""
    store = made(file.parent / "later" / "marks.db")
    with pytest.raises(Unavailable):
        run(store.read(["x"]))
    (file.parent / "later").mkdir()
    assert run(store.read(["x"])) == [None]


def test_a_locked_file_lets_readers_read_and_writers_wait_no_longer_than_the_time_out(file, world: World):
    """While another process holds the write lock, requests are answered and a revocation is refused in time."""
    store = SQLiteShelf(file).store(world, timeout=TIMEOUT)
    world.run(store.write({"x": INF}))
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert world.run(store.read(["x"])) == [INF]
    with pytest.raises(Unavailable, match="locked"):
        world.run(store.write({"y": INF}))
    assert time.monotonic() - began < LATEST
    other.execute("ROLLBACK")
    other.close()
    world.run(store.write({"y": INF}))


def test_each_thread_has_its_own_connection_and_leaves_none_behind(file):
    """Connections are not shared between threads, and end with them."""
    store, seats = made(file), []

    def use() -> None:
        run(store.read(["x"]))
        seats.append(id(store._seat()._connection))

    with ThreadPoolExecutor(4) as threads:
        barrier = threading.Barrier(4)
        list(threads.map(lambda _: (barrier.wait(), use()), range(4)))
    assert len(set(seats)) == 4
    gc.collect()
    open_files = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
    assert file not in open_files


def test_workers_that_start_together_make_one_file(file):
    """The first use by many processes at once is no race."""
    code = (
        "import sys, time; from jwt_middleware.truth._blocking import BlockingIO;"
        "from jwt_middleware.truth.io import run; from jwt_middleware.truth.sqlite import SQLiteStore\n"
        "store = SQLiteStore(BlockingIO(None, 10), sys.argv[1], 10, None, time.time)\n"
        "sys.stdin.read(); run(store.write({sys.argv[2]: float('inf')}))"
    )
    names = [str(number) for number in range(8)]
    workers = [subprocess.Popen([sys.executable, "-c", code, file, name], stdin=subprocess.PIPE) for name in names]
    for worker in workers:
        worker.stdin.close()
    assert [worker.wait() for worker in workers] == [0] * 8
    assert list(run(made(file).read(names))) == [INF] * 8


def test_what_a_child_wrote_is_not_lost_when_the_parent_closes(file):
    """A child that found the parent's connection in memory would take no lock of its own, and the WAL it writes
    to would be deleted under it by the next process that closes last."""
    store = made(file)
    run(store.write({"parent's": INF}))
    go_child, go = os.pipe()
    done, done_child = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            run(store.read(["parent's"]))
            os.write(done_child, b"1")
            os.read(go_child, 1)
            run(store.write({"child's": INF}))
            os.write(done_child, b"2")
            os.read(go_child, 1)
        finally:
            os._exit(0)
    os.read(done, 1)
    store._seat().close()
    subprocess.run(
        [sys.executable, "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('ANALYZE')", file], check=True
    )
    os.write(go, b"1")
    os.read(done, 1)
    seen = run(made(file).read(["parent's", "child's"]))
    os.write(go, b"2")
    os.waitpid(child, 0)
    assert list(seen) == [INF, INF]


def test_no_connection_is_open_while_the_process_forks(file):
    """Every thread's connection is closed before a fork, and opened again when it is needed."""
    store = made(file)
    run(store.read(["x"]))
    with ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: run(store.read(["x"]))).result()
        before = [seat for seat in sqlite._seats if seat._file.path == str(file)]
        assert len(before) == 2
        assert in_child(lambda: [seat._connection for seat in before]) == "[None, None]"
        assert run(store.read(["x"])) == [None]
        assert threads.submit(lambda: run(store.read(["x"]))).result() == [None]


def test_forks_while_other_threads_write(file):
    """A fork waits for the write that is under way, and nothing is lost in parent or child."""
    store, stop = made(file, 10.0), threading.Event()

    def write_on() -> int:
        count = 0
        while not stop.is_set():
            run(store.write({f"{threading.get_ident()} {count}": INF}))
            count += 1
        return count

    with ThreadPoolExecutor(3) as threads:
        counts = [threads.submit(write_on) for _ in range(3)]
        try:
            for number in range(10):
                in_child(lambda number=number: run(store.write({f"child {number}": INF})))
        finally:
            stop.set()
        total = sum(count.result() for count in counts)
    assert SQLiteShelf(file).count() == total + 10


def test_a_fork_that_python_did_not_see(file, monkeypatch):
    """uWSGI forks in C: the child then neither uses nor closes the parent's connection."""
    store = made(file)
    run(store.write({"x": INF}))
    inherited = store._seat()._connection
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    assert run(store.read(["x"])) == [INF]
    assert store._seat()._connection is not inherited
    assert inherited.execute("SELECT 1").fetchone() == (1,)


def test_reads_happen_in_place_and_writes_are_offloaded(file):
    """A look-up costs less than a change of threads, a write waits for the disk."""
    offloaded = []

    class Spy(BlockingIO):
        async def offload(self, function):
            offloaded.append(function)
            return await super().offload(function)

    store = SQLiteStore(Spy(None, 1), file, 1, None, time.time)
    run(store.read(["x"]))
    assert len(offloaded) == 0
    run(store.write({"x": INF}))
    assert len(offloaded) == 1


def test_the_given_clock_decides_what_is_forgotten(file):
    """Time is asked of the clock the store was given."""
    store = SQLiteStore(Threads().make_io(None, 1), file, 1, 100, lambda: 1000.0)
    run(store.write({"ended": 999.0, "alive": 1001.0, "old": -299.0, "needed": -301.0}))
    assert list(run(store.read(["ended", "alive", "old", "needed"]))) == [None, 1001.0, None, -301.0]
