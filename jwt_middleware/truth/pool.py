"""The connections to Redis: written once, as coroutines, for both worlds.

`_blocking` and `_async` add a connection, a lock and a way to wait. What may not enter: asyncio, threads, redis-py.
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any

from jwt_middleware.errors import Unavailable
from jwt_middleware.truth.line import Command, Endpoint, Line, disowned, exchange

_logger = logging.getLogger("jwt_middleware")

PAUSE = 0.25  # seconds of failing at once after a failure
DIALS, LINES = 4, 32  # connections coming up at a time, connections in all; per process or event loop


class Breaker:
    """After a failure nobody asks for a moment; then one asks, and the others wait for what becomes of it."""

    def __init__(self, timeout: float) -> None:
        self._until, self._probe = 0.0, timeout + PAUSE
        self._since: float | None = None
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
        if self._since is None:
            self._since = now

    def reset(self, now: float) -> float:
        """Note an answer; return for how many seconds there had been none."""
        since, self._since = self._since, None
        self._until = 0.0
        return 0.0 if since is None else now - since


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
        away = self._breaker.reset(monotonic())
        if away:
            _logger.warning("the store answers again after %.1f s", away)
        if not isinstance(reply, Exception):
            self._give(line)
            return reply
        if disowned(reply):
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
