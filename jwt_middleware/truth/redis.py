"""Redis as the keeper of marks: the store, and all that the blocking and the asyncio client must agree on.

One sorted set, `{<prefix>}:revoked`, holds every mark: the member is the item, the score its mark.
A read is one ZMSCORE, a write one EVAL of `write.lua`. Redis 6.2 or newer, or Valkey, with an append-only
file (`appendfsync always` if a crash may lose nothing confirmed: `everysec` was seen to lose some even to
kill -9) and without `allkeys-` eviction. The least rights for the user in `JWT_STORE_URL`, here with
`JWT_STORE_PREFIX=jwt` (add `+select` when the URL names a database other than 0):

    ACL SETUSER jwt on >password resetkeys resetchannels ~{jwt}:revoked -@all
        +info +role +zmscore +eval +zadd +zrangebyscore +zrem +time

The policy of connections, `Pool`, is written once, as coroutines; `_blocking` and `_async` add a connection,
a lock and a way to wait. What may not enter: asyncio, threads, and redis-py before there is a Redis URL.
"""

from __future__ import annotations

import logging
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from jwt_middleware.errors import Unavailable, shown
from jwt_middleware.truth.io import IO

SLACK = 600  # seconds a mark outlives what it revokes: no clock may forget before another stops accepting
PATIENCE = 2.0  # seconds for a connection to come up, off the request path
PROOF = 0.5  # seconds for which a connection's last ROLE is believed
PAUSE = 0.25  # seconds of failing at once after a failure
DIALS, LINES = 4, 32  # connections coming up at a time, connections in all; per process or event loop

Command = Sequence[str | bytes | float]


class RedisStore:
    """A `Store` in one sorted set of a Redis or Valkey server.

    Params:
        io: the port, made with the server's URL.
        prefix: what the key begins with; as a hash tag, so a cluster keeps it in one slot.
        max_lifetime: the longest a token lives, in seconds; older cut-offs are forgotten. `None` keeps them.
    """

    def __init__(self, io: IO, prefix: str, max_lifetime: float | None) -> None:
        self._io = io
        self._key = f"{{{prefix}}}:revoked"
        self._horizon = "" if max_lifetime is None else str(max_lifetime + SLACK)
        self._script = Path(__file__).with_name("write.lua").read_text("ascii")

    async def read(self, items: Sequence[str]) -> Sequence[float | None]:
        """Return the mark of each item, in order, `None` where there is none.

        Raises:
            Unavailable: Redis cannot answer in time.
        """
        if not items:
            return []
        scores = await self._io.redis("ZMSCORE", self._key, *items)
        try:
            return [None if score is None else float(score) for _, score in zip(items, scores, strict=True)]
        except (TypeError, ValueError):
            raise Unavailable("Redis answered ZMSCORE with something else than a score for each item") from None

    async def write(self, marks: Mapping[str, float]) -> None:
        """Keep these marks, all or none.

        Raises:
            Unavailable: Redis did not confirm. Writing again is harmless.
        """
        if marks:
            pairs = [part for item, mark in marks.items() for part in (_score(mark), item)]
            await self._io.redis("EVAL", self._script, 1, self._key, self._horizon, *pairs)


def _score(mark: float) -> str:
    return "+inf" if mark == math.inf else repr(float(mark))


def problem_with(url: str) -> str | None:
    """Return in one line, which holds nothing of the URL, why it cannot be used; `None` when it can."""
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return "JWT_STORE_URL must begin with redis://, rediss:// or unix://"
    try:
        Endpoint(url).connection("redis.connection")
    except ImportError:
        return 'JWT_STORE_URL needs the redis extra: pip install "pyjwt-middleware[redis]"'
    except Exception:  # noqa: BLE001 - of whatever kind; its text may be a piece of the password
        return (
            "JWT_STORE_URL is not like redis://user:password@host:6379/0, with parameters redis-py knows"
            " (in a password write %2F %3F %23 %40 for / ? # @)"
        )
    return None


class Endpoint:
    """Where Redis is and how redis-py is to talk to it. Nothing is opened here.

    Params:
        url: as redis-py understands it, less its leniency: what a raw `/`, `?` or `#` in a password cuts off
            would change the host and pass.

    Raises:
        ImportError: redis-py is not installed.
        ValueError: this is not such a URL.
    """

    def __init__(self, url: str) -> None:
        exceptions, connection = import_module("redis.exceptions"), import_module("redis.connection")

        parts = urlsplit(url)
        parse_qsl(parts.query, strict_parsing=bool(parts.query))
        if parts.fragment or not (parts.scheme == "unix" or (parts.path.strip("/") or "0").isdecimal()):
            raise ValueError("something of the password ended the address early")
        options: dict[str, Any] = dict(connection.parse_url(url))
        self.closed: type[Exception] = exceptions.ConnectionError
        self.refused: type[Exception] = exceptions.ResponseError
        self._kind = options.pop("connection_class", connection.Connection).__name__
        self._where = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        self._secrets = [str(value) for name, value in options.items() if "password" in name]
        pooled = {"max_connections", "timeout"}
        ours = {"protocol": 2, "decode_responses": False, "health_check_interval": 0}
        never = {"retry_on_timeout": False, "retry_on_error": []}
        self._options = {name: value for name, value in options.items() if name not in pooled} | ours | never

    def connection(self, module: str, seconds: float | None = None) -> Any:
        """Return an unopened connection of this module of redis-py, with this time-out for each of its waits."""
        times = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        made = getattr(import_module(module), self._kind)(**self._options | times)
        made.driver_info = made.lib_name = made.lib_version = None  # CLIENT SETINFO would need one more right
        return made

    def describe(self, error: Exception) -> str:
        """Return what failed, without secrets: of a command it does not know, AUTH too, Redis echoes the arguments."""
        text = str(error).partition(", with args")[0] or "no answer in time"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return f"Redis at {self._where}: {type(error).__name__} {shown(text, 200)}"


class Line(Protocol):
    """One connection, as the twins make it.

    Attributes:
        used: it was there before it was asked for, so the server may have closed it since.
        proved: when (monotonic) the last ROLE was sent that a master answered.
    """

    used: bool
    proved: float

    async def open(self) -> None:
        """Connect, sign in and `vet`, all within `PATIENCE`."""

    async def talk(self, commands: Sequence[Command], until: float) -> list[Any]:
        """Send the commands in one packet and return their replies, error replies as values."""

    async def close(self) -> None:
        """Drop the connection, with whatever is still to be read."""


async def vet(line: Line, until: float) -> None:
    """Prove on a new connection that this server can be trusted with marks.

    Raises:
        Unavailable: it cannot; the detail says why.
    """
    sent = monotonic()
    info, role = await line.talk([("INFO",), ("ROLE",)], until)
    if problem := unfitness(info) or _not_master(role):
        raise Unavailable(f"this Redis must not keep revocations: {problem}")
    line.proved = sent


def unfitness(info: Any) -> str | None:
    """Return why a server with this reply to INFO must not keep marks, `None` when it may; warn of a forgetful one."""
    if isinstance(info, Exception):
        return f"INFO says {shown(str(info))}"
    facts = dict(line.split(":", 1) for line in info.decode(errors="replace").splitlines() if ":" in line)
    version = facts.get("redis_version", "0")
    policy = facts.get("maxmemory_policy", "")
    if facts.get("loading") == "1":
        return "it is still loading its data"
    if [int(part) for part in version.split(".")[:2]] < [6, 2]:
        return f"version {shown(version)} is older than 6.2"
    if policy.startswith("allkeys-"):
        return f"maxmemory-policy {policy} evicts them; noeviction and volatile-* do not"
    if facts.get("aof_enabled") == "0":
        _warn_of_forgetting(os.getpid())
    return None


@cache
def _warn_of_forgetting(_process: int) -> None:
    text = "Redis has no append-only file: revocations may be lost when it restarts (set appendonly yes)"
    logging.getLogger("jwt_middleware").warning(text)


def _not_master(role: Any) -> str | None:
    if isinstance(role, Exception):
        return f"ROLE says {shown(str(role))}"
    return None if role[0] == b"master" else f"its role is {shown(role[0])}, not master"


def _disowned(error: Exception) -> bool:
    """Tell whether this error reply speaks of the server, not of the command. Redis 6.2 wraps those of scripts."""
    return "READONLY" in str(error) or type(error).__name__ in ("ReadOnlyError", "MasterDownError")


async def exchange(line: Line, command: Command, until: float) -> Any:
    """Return the reply to one command; when the last proof of mastery is old, get a new one in the same packet.

    Raises:
        Unavailable: the server is not a master any more.
    """
    sent = monotonic()
    if sent - line.proved < PROOF:
        return (await line.talk([command], until))[0]
    role, reply = await line.talk([("ROLE",), command], until)
    if problem := _not_master(role):
        raise Unavailable(f"this Redis must not be asked: {problem}")
    line.proved = sent
    return reply


class Breaker:
    """After a failure nobody asks for a moment; then one asks, and the others wait for what becomes of it."""

    def __init__(self, timeout: float) -> None:
        self._until, self._probe = 0.0, timeout + PAUSE
        self.detail = ""

    def admits(self, now: float) -> bool:
        """Tell whether to ask now (monotonic). The first admitted after a failure is the prober."""
        if self._until > now:
            return False
        if self._until:
            self._until = now + self._probe  # runs out by itself, should the prober never come back
        return True

    def trip(self, now: float, detail: str) -> None:
        """Note a failure and what it was."""
        self._until, self.detail = now + PAUSE, detail

    def reset(self) -> None:
        """Note an answer."""
        self._until = 0.0


class Pool(ABC):
    """The connections of one process or event loop: who holds one, who waits for one, how many come up.

    Connections come up apart from the requests; who cannot wait leaves, and the connection serves the next one.
    The last one back is the first to serve again: if that turns out dead, so are those that idled longer.
    """

    def __init__(self, endpoint: Endpoint, timeout: float, lock: AbstractContextManager[Any]) -> None:
        self._endpoint = endpoint
        self._lock = lock  # a leaf: nothing is awaited and no other lock taken under it
        self._breaker = Breaker(timeout)
        self._idle: list[Line] = []
        self._waiting: dict[Any, float] = {}  # promise: since when (monotonic), the longest first
        self._dials = self._lines = 0

    @abstractmethod
    def line(self) -> Line:
        """Return a connection that is still to be opened."""

    @abstractmethod
    def promise(self) -> Any:
        """Return a future of the twin's kind."""

    @abstractmethod
    async def wait(self, promise: Any, until: float) -> Line:
        """Return what the future brings; `TimeoutError` when it brings nothing in time."""

    @abstractmethod
    def start(self, dial: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine apart from all requests; `RuntimeError` when nothing can be started any more."""

    async def ask(self, command: Command, until: float) -> Any:
        """Return the reply to one command, which must bear being sent twice.

        Raises:
            Unavailable: there is none in time (`until`, monotonic), or it is an error.
        """
        self._admit()
        while True:
            line = await self._borrow(until)
            try:
                reply = await exchange(line, command, until)
            except BaseException as error:  # noqa: BLE001 - cancelled, too: an unread reply would answer the next question
                await self._discard(line, error)
                if not (line.used and isinstance(error, self._endpoint.closed)):
                    raise self.failure(error) from None
            else:
                return await self._settle(line, reply)

    def failure(self, error: BaseException) -> BaseException:
        """Return what the asker is to see; what the client library threw trips the breaker."""
        if isinstance(error, Unavailable) or not isinstance(error, Exception):
            return error
        return self._trip(self._endpoint.describe(error))

    async def close(self) -> None:
        """Drop the connections that idle."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._lines -= len(idle)
        for line in idle:
            await line.close()

    def _admit(self) -> None:
        with self._lock:
            admitted = self._breaker.admits(monotonic())
        if not admitted:
            raise Unavailable(f"not asked again so soon after a failure: {self._breaker.detail}")

    def _trip(self, detail: str) -> Unavailable:
        with self._lock:
            self._breaker.trip(monotonic(), detail)
        return Unavailable(detail)

    async def _settle(self, line: Line, reply: Any) -> Any:
        self._breaker.reset()
        if not isinstance(reply, Exception):
            self._give(line)
            return reply
        if _disowned(reply):
            await self._discard(line, reply)
        else:
            self._give(line)
        raise Unavailable(self._endpoint.describe(reply))

    async def _borrow(self, until: float) -> Line:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            promise = self.promise()
            self._waiting[promise] = monotonic()
        self._grow()
        try:
            return await self.wait(promise, until)
        except BaseException as error:  # noqa: BLE001 - cancelled, too
            self._withdraw(promise)
            raise self.failure(error) from None

    def _withdraw(self, promise: Any) -> None:
        """Stop waiting; a connection that came in the same moment is for another."""
        with self._lock:
            promise.cancel()
            self._waiting.pop(promise, None)
        if not promise.cancelled() and promise.exception() is None:
            self._give(promise.result())

    def _give(self, line: Line, began: float = -math.inf) -> None:
        """Hand a connection on. To who waited when it began to come up it is new; to others it may have died since."""
        with self._lock:
            while self._waiting:
                promise = next(iter(self._waiting))
                line.used = self._waiting.pop(promise) > began
                if not promise.done():
                    promise.set_result(line)
                    return
            line.used = True
            self._idle.append(line)

    async def _discard(self, line: Line, error: BaseException) -> None:
        """Drop a connection, after a failure those that idle too; a cancelled request says nothing of them."""
        with self._lock:
            self._lines -= 1
        await line.close()
        if isinstance(error, Exception):
            await self.close()
        self._grow()

    def _grow(self) -> None:
        """Let one more connection come up when more requests wait than connections are on their way."""
        with self._lock:
            if not (len(self._waiting) > self._dials < DIALS and self._lines < LINES):
                return
            self._dials += 1
            self._lines += 1
        began = monotonic()
        dial = self._dial(began)
        try:
            self.start(dial)
        except RuntimeError as error:
            dial.close()
            self._dialled(began, None, error)

    async def _dial(self, began: float) -> None:
        line = self.line()
        try:
            await line.open()
        except BaseException as error:
            await line.close()
            self._dialled(began, None, error)
            if not isinstance(error, Exception):
                raise
        else:
            self._dialled(began, line, None)

    def _dialled(self, began: float, line: Line | None, error: BaseException | None) -> None:
        with self._lock:
            self._dials -= 1
            self._lines -= line is None
        if line is not None:
            self._give(line, began)
        elif isinstance(error, Exception):
            self._fail(error.detail if isinstance(error, Unavailable) else self._endpoint.describe(error), began)
        self._grow()

    def _fail(self, detail: str, began: float) -> None:
        """Tell those who waited when the attempt began that it failed. Who came later is owed a new one."""
        with self._lock:
            told = [promise for promise, since in self._waiting.items() if since <= began]
            if told:
                self._breaker.trip(monotonic(), detail)
            for promise in told:
                del self._waiting[promise]
                if not promise.done():
                    promise.set_exception(Unavailable(detail))
