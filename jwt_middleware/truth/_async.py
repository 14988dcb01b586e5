"""The port under ASGI: every verb suspends instead of blocking the event loop.

Connections belong to the loop that made them. Test clients make many loops, one after the other or one
in each thread, so there is a pool for each loop that lives; it is emptied when its loop shuts down.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import nullcontext
from contextvars import Context
from typing import Any, TypeVar

from jwt_middleware.errors import ConfigurationError
from jwt_middleware.truth.line import PATIENCE, Command, Endpoint, Line, vet
from jwt_middleware.truth.pool import Pool
from jwt_middleware.truth.redis import problem_with

T = TypeVar("T")


class AsyncIO:
    """The `IO` of a process that serves with asyncio. Making it opens nothing and needs no loop.

    Params:
        url: of Redis (`redis://`, `rediss://`, `unix://`); `None` when there is none, `redis` is not for use then.
        timeout: seconds for a whole operation on Redis, however many packets it takes.

    Raises:
        ConfigurationError: the URL cannot be used.
    """

    suspends = True

    def __init__(self, url: str | None, timeout: float) -> None:
        if url and (problem := problem_with(url)):
            raise ConfigurationError([problem])
        self._endpoint = Endpoint(url) if url else None
        self._timeout = timeout
        self._pools: dict[asyncio.AbstractEventLoop, _LoopPool] = {}

    async def redis(self, *command: str | bytes | float) -> Any:
        """Send one command, which must bear being sent twice, and return the reply.

        Raises:
            Unavailable: no answer within the time-out, or an answer that is an error.
        """
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop) or await self._renewed(loop)
        try:
            async with asyncio.timeout(self._timeout):
                return await pool.ask(command, math.inf)
        except TimeoutError as error:
            raise pool.failure(error) from None

    async def sleep(self, seconds: float) -> None:
        """Let time pass, for others too."""
        await asyncio.sleep(seconds)

    async def offload(self, function: Callable[[], T]) -> T:
        """Call the function in a thread of the loop's executor."""
        return await asyncio.get_running_loop().run_in_executor(None, function)

    async def _renewed(self, loop: asyncio.AbstractEventLoop) -> Pool:
        if self._endpoint is None:
            raise RuntimeError("redis() was called on a port that was made without a Redis URL")
        pool = _LoopPool(self._endpoint, self._timeout)
        # Assigned whole, never changed in place: other threads' loops read it.
        self._pools = {known: its for known, its in self._pools.items() if not known.is_closed()} | {loop: pool}
        await anext(pool.keeper)
        return pool


class _LoopPool(Pool):
    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        super().__init__(endpoint, timeout, nullcontext())
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.keeper = self._until_shutdown()

    def line(self) -> Line:
        return _AsyncLine(self._endpoint)

    def promise(self) -> asyncio.Future[Line]:
        return self._loop.create_future()

    async def wait(self, promise: asyncio.Future[Line], until: float) -> Line:
        return await promise

    def start(self, dial: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(dial, context=Context())
        self._tasks.add(task)  # a loop holds its tasks weakly
        task.add_done_callback(self._tasks.discard)

    async def _until_shutdown(self) -> AsyncGenerator[None, None]:
        # A loop closes the asynchronous generators begun on it when it shuts down: the only hook it offers.
        try:
            yield
        finally:
            await self.close()


class _AsyncLine:
    def __init__(self, endpoint: Endpoint) -> None:
        self.used, self.proved = False, -1.0
        self._refused = endpoint.refused
        self._connection = endpoint.connection("redis.asyncio.connection")

    async def open(self) -> None:
        await self._prepare()
        async with asyncio.timeout(PATIENCE):
            await self._connection.connect()
            await vet(self, math.inf)

    async def _prepare(self) -> None:
        """Do in the executor's threads what would block the loop, and what a time-out would leave behind in them."""
        loop, connection = asyncio.get_running_loop(), self._connection
        if hasattr(connection, "host"):
            await loop.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
        if hasattr(connection, "ssl_context"):
            await loop.run_in_executor(None, connection.ssl_context.get)

    async def talk(self, commands: Sequence[Command], until: float) -> list[Any]:
        await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
        return [await self._reply() for _ in commands]

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)

    async def _reply(self) -> Any:
        try:
            return await self._connection.read_response()
        except self._refused as error:
            return error
