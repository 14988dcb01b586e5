"""SQLite as the keeper of marks and counts: one durable file, shared by the workers of one machine; nothing to install.

A read is an indexed look-up of some microseconds, done where it is asked for; a write waits for the disk and is
offloaded. Each thread has its connection. None may cross a fork: SQLite's locks belong to the process, yet a child
takes those it finds in memory for its own, opens the file unlocked, and what it writes is lost when others close
(seen). So all connections are closed before a fork and opened again on demand.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep, time
from typing import TypeVar
from weakref import WeakSet

from jwt_middleware.errors import Unavailable
from jwt_middleware.truth.io import IO
from jwt_middleware.truth.sessions import SessionStore
from jwt_middleware.truth.store import SLACK, Window

T = TypeVar("T")
_logger = logging.getLogger("jwt_middleware")

TURN = 0.002  # seconds: SQLite's own, ever longer waits let a writer beside two busy ones starve for 5 s
DURABLE, QUICK = "PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"  # a commit waits for the disk, or does not
SCHEMA = (
    DURABLE,
    "PRAGMA journal_mode=WAL",
    "CREATE TABLE IF NOT EXISTS marks (item TEXT PRIMARY KEY, mark REAL NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS marks_by_mark ON marks (mark)",
    """CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, span INTEGER NOT NULL, previous INTEGER NOT NULL,
    current INTEGER NOT NULL, expires REAL NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS counts_by_expiry ON counts (expires)",
    """CREATE TABLE IF NOT EXISTS sessions (
        service TEXT, sid TEXT, subject TEXT NOT NULL, client_id TEXT NOT NULL, scope TEXT NOT NULL,
        claims TEXT NOT NULL, label TEXT NOT NULL, address TEXT NOT NULL, revoked_by TEXT NOT NULL,
        created REAL NOT NULL, used REAL NOT NULL, ends REAL NOT NULL,
        generation INTEGER NOT NULL, rotated REAL NOT NULL, PRIMARY KEY (service, sid)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS sessions_by_subject ON sessions (service, subject)",
    "CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (ends)",
)
WRITE = """INSERT INTO marks VALUES (?, ?)
    ON CONFLICT (item) DO UPDATE SET mark = excluded.mark WHERE abs(excluded.mark) > abs(mark)"""
FORGET = "DELETE FROM marks WHERE item IN (SELECT item FROM marks WHERE mark > ? AND mark < ? LIMIT 100)"
COUNTED = "SELECT span, previous, current FROM counts WHERE name = ?"
COUNT = "INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?)"
EXPIRE = "DELETE FROM counts WHERE name IN (SELECT name FROM counts WHERE expires < ? LIMIT 100)"


def path_of(url: str) -> Path:
    """Return the file a URL names: `sqlite:///relative/to/here.db` or `sqlite:////absolute.db`.

    Raises:
        ValueError: it names none; the text does not repeat the URL.
    """
    scheme, _, name = url.partition(":///")
    if scheme != "sqlite" or not name or name.startswith(":memory:") or set(name) & set("?#"):
        raise ValueError("JWT_STORE_URL must be like sqlite:///file.db or sqlite:////absolute/file.db")
    return Path(name)


class SQLiteStore:
    """A `Store` in a file of this machine. Making it opens nothing.

    Params:
        io: the port; only its `offload` is used.
        path: the file, made at first use for the owner alone; its directory must exist.
        timeout: seconds to wait for another process that writes.
        max_lifetime: the longest a token lives, in seconds; older cut-offs are forgotten. `None` keeps them.
        clock: returns seconds since the epoch.
    """

    def __init__(
        self,
        io: IO,
        path: str | os.PathLike[str],
        timeout: float,
        max_lifetime: float | None,
        clock: Callable[[], float] = time,
    ) -> None:
        self._io = io
        self._file = _File(str(Path(path).absolute()))  # a server may change its directory later
        self._timeout = timeout
        self._max_lifetime = max_lifetime
        self._clock = clock
        self._local = threading.local()

    async def read(self, items: Sequence[str]) -> Sequence[float | None]:
        """Return the mark of each item, in order, `None` where there is none.

        Raises:
            Unavailable: the file cannot be read.
        """
        try:
            marks = self._attempt(lambda connection: marks_of(connection, items))
        except _BusyError:  # somebody holds the whole file: no waiting where an event loop may be running
            marks = await self._io.offload(lambda: self._patiently(lambda connection: marks_of(connection, items)))
        return [marks.get(item) for item in items]

    async def write(self, marks: Mapping[str, float]) -> None:
        """Keep these marks, all or none; return when the disk has them.

        Raises:
            Unavailable: the file cannot be written. Writing again is harmless.
        """
        await self.transact(lambda connection: self._write(connection, marks))

    async def transact(self, change: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Make a change in one transaction and return what it returns, when the disk has it if it must be `durable`.

        Raises:
            Unavailable: the file cannot be written.
        """

        def whole(connection: sqlite3.Connection) -> T:
            connection.execute(DURABLE if durable else QUICK)
            with connection:  # commits, or rolls back
                connection.execute("BEGIN IMMEDIATE")
                return change(connection)

        return await self._io.offload(lambda: self._patiently(whole))

    def sessions(self, service: str) -> SessionStore:
        """Return the keeper of a service's sessions, in the same place."""
        from jwt_middleware.truth.sqlite_sessions import SQLiteSessions

        return SQLiteSessions(self, service)

    async def count(self, name: str, seconds: int, limit: int, amount: int = 1) -> Window:
        """Count `amount` more under a name, unless that makes more than `limit`; by this machine's clock.

        Raises:
            Unavailable: the file cannot be written.
        """
        # Strangers make us count: not a disk's turn for each, and a crash may lose it.
        return await self.transact(
            lambda connection: self._count(connection, name, seconds, limit, amount), durable=False
        )

    async def forget(self, name: str) -> None:
        """Begin to count anew under a name.

        Raises:
            Unavailable: the file cannot be written. Forgetting again is harmless.
        """
        await self.transact(
            lambda connection: connection.execute("DELETE FROM counts WHERE name = ?", (name,)), durable=False
        )

    def _count(self, connection: sqlite3.Connection, name: str, seconds: int, limit: int, amount: int) -> Window:
        now = self._clock()
        span = int(now // seconds)
        left = (span + 1) * seconds - now
        previous, current = _known(connection.execute(COUNTED, (name,)).fetchone(), span)
        room = int(previous * left / seconds) + current + amount <= limit
        if room and amount:
            current += amount
            connection.execute(COUNT, (name, span, previous, current, (span + 2) * seconds))
            connection.execute(EXPIRE, (now,))
        return Window(room, previous, current, left)

    def _write(self, connection: sqlite3.Connection, marks: Mapping[str, float]) -> None:
        now = self._clock()
        keep(connection, marks)
        connection.execute(FORGET, (0, now))
        if self._max_lifetime is not None:
            connection.execute(FORGET, (self._max_lifetime + SLACK - now, 0))

    def _patiently(self, use: Callable[[sqlite3.Connection], T]) -> T:
        until = monotonic() + self._timeout
        while True:
            try:
                return self._attempt(use)
            except _BusyError as error:
                if monotonic() > until:
                    raise Unavailable(f"the store {self._file.path}: {error}") from error
            sleep(TURN)

    def _attempt(self, use: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._seat() as connection:
                self._file.check()
                return use(connection)
        except (sqlite3.Error, OSError, TypeError, ValueError) as error:
            if _is_busy(error):
                raise _BusyError(str(error)) from error
            raise Unavailable(f"the store {self._file.path}: {type(error).__name__} {error}") from error

    def _seat(self) -> _Seat:
        seat: _Seat | None = getattr(self._local, "seat", None)
        if seat is None:
            seat = self._local.seat = _Seat(self._file)
        return seat


def _known(row: tuple[int, int, int] | None, span: int) -> tuple[int, int]:
    """Return the counts of the window before `span` and of `span` itself, as a row tells them."""
    if row is None or not 0 <= span - row[0] <= 1:
        return 0, 0
    return (row[1], row[2]) if row[0] == span else (row[2], 0)


def marks_of(connection: sqlite3.Connection, items: Sequence[str]) -> dict[str, float]:
    """Return the marks that there are of these items."""
    query = f"SELECT item, mark FROM marks WHERE item IN ({','.join('?' * len(items))})"  # noqa: S608 - only `?` are put in
    return {item: float(mark) for item, mark in connection.execute(query, items)}


def keep(connection: sqlite3.Connection, marks: Mapping[str, float]) -> None:
    """Write marks, away from zero only."""
    connection.executemany(WRITE, marks.items())


class _BusyError(Exception):
    """Another connection holds the file."""


class _File:
    """The one file of a store. Another that took its place, or none at all, would know of no revocation."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Make the file, if this process has never seen it, and remember which it is."""
        if self._seen is None:
            with suppress(FileExistsError):
                # Only a file that is new: closing any descriptor of an open database would drop this process's locks.
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
                _logger.warning("made a new, empty store: %s", self.path)
            self._seen = self._identity()

    def check(self) -> None:
        """Raise `OSError` if the file was removed or replaced since."""
        if self._identity() != self._seen:
            raise OSError("the file was replaced while in use: restart the workers")

    def _identity(self) -> tuple[int, int]:
        status = os.stat(self.path)  # noqa: PTH116 - half the cost of Path.stat, on each request
        return status.st_dev, status.st_ino


class _Seat:
    """One thread's connection, with a lock by which a fork in another thread can close it."""

    def __init__(self, file: _File) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self.lock = threading.Lock()
        with _forking:
            _seats.add(self)

    def __enter__(self) -> sqlite3.Connection:
        self.lock.acquire()
        try:
            return self._opened()
        except BaseException:
            self.lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def __del__(self) -> None:
        self.close()

    def close(self, getpid: Callable[[], int] = os.getpid) -> None:  # a default outlives the module's globals
        if self._connection is not None and self._process == getpid():
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        if self._connection is not None:
            _inherited.append(self._connection)  # a fork no hook of ours saw: not even closing it is safe
        self._file.prepare()
        self._connection, self._process = _open(self._file.path), os.getpid()
        return self._connection


def _open(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=TURN, isolation_level=None, check_same_thread=False)
    try:
        for statement in SCHEMA:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


_forking = threading.Lock()
_seats: WeakSet[_Seat] = WeakSet()
_inherited: list[sqlite3.Connection] = []
_held: list[_Seat] = []


def _before_fork() -> None:
    _forking.acquire()
    _held.extend(_seats)
    for seat in _held:
        seat.lock.acquire()
        seat.close()


def _after_fork() -> None:
    while _held:
        _held.pop().lock.release()
    if _forking.locked():  # not when C code forked, as uWSGI does
        _forking.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
