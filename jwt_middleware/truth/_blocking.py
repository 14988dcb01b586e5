"""The port under WSGI: no verb ever suspends, so `io.run` drives the core without an event loop.

Threads meet here: requests share the connections of their process under one leaf lock, and connections
come up in daemon threads, so that neither DNS nor a handshake can hold a request beyond its time-out.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from time import monotonic
from typing import Any, TypeVar

from jwt_middleware.errors import ConfigurationError
from jwt_middleware.truth.io import run
from jwt_middleware.truth.line import PATIENCE, Command, Endpoint, Line, vet
from jwt_middleware.truth.pool import Pool
from jwt_middleware.truth.redis import problem_with

T = TypeVar("T")


class BlockingIO:
    """The `IO` of a process that serves with threads or one request at a time. Making it opens nothing.

    Params:
        url: of Redis (`redis://`, `rediss://`, `unix://`); `None` when there is none, `redis` is not for use then.
        timeout: seconds for a whole operation on Redis, however many packets it takes.

    Raises:
        ConfigurationError: the URL cannot be used.
    """

    suspends = False

    def __init__(self, url: str | None, timeout: float) -> None:
        if url and (problem := problem_with(url)):
            raise ConfigurationError([problem])
        self._endpoint = Endpoint(url) if url else None
        self._timeout = timeout
        self._inherited: list[tuple[int, Pool]] = []
        self._here: tuple[int, Pool] | None = None

    async def redis(self, *command: str | bytes | float) -> Any:
        """Send one command, which must bear being sent twice, and return the reply.

        Raises:
            Unavailable: no answer within the time-out, or an answer that is an error.
        """
        return await self._pool().ask(command, monotonic() + self._timeout)

    async def sleep(self, seconds: float) -> None:
        """Let time pass for this thread."""
        time.sleep(seconds)

    async def offload(self, function: Callable[[], T]) -> T:
        """Call the function: this thread has nobody else to serve."""
        return function()

    def _pool(self) -> Pool:
        here = self._here
        if here is not None and here[0] == os.getpid():
            return here[1]
        return self._renewed(here)

    def _renewed(self, parents: tuple[int, Pool] | None) -> Pool:
        """Begin anew after a fork: the parent's connections, and a lock one of its threads may hold, are not ours."""
        if self._endpoint is None:
            raise RuntimeError("redis() was called on a port that was made without a Redis URL")
        if parents is not None:
            self._inherited.append(parents)
        pool = _ThreadPool(self._endpoint, self._timeout)
        self._here = os.getpid(), pool
        return pool


class _ThreadPool(Pool):
    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        super().__init__(endpoint, timeout, threading.Lock())

    def line(self) -> Line:
        return _BlockingLine(self._endpoint)

    def promise(self) -> Future[Line]:
        return Future()

    async def wait(self, promise: Future[Line], until: float) -> Line:
        return promise.result(until - monotonic())

    def start(self, dial: Coroutine[Any, Any, None]) -> None:
        threading.Thread(target=run, args=(dial,), name="jwt-redis-connect", daemon=True).start()


class _BlockingLine:
    def __init__(self, endpoint: Endpoint) -> None:
        self.used, self.proved = False, -1.0
        self._refused = endpoint.refused
        self._connection = endpoint.connection("redis.connection", PATIENCE)
        self._socket = _TimedSocket()
        self._connection._connect = self._socket.around(self._connection._connect)

    async def open(self) -> None:
        self._socket.until = monotonic() + PATIENCE
        self._connection.connect()
        await vet(self, self._socket.until)

    async def talk(self, commands: Sequence[Command], until: float) -> list[Any]:
        self._socket.until = until
        self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
        return [self._reply() for _ in commands]

    async def close(self) -> None:
        self._connection.disconnect()

    def _reply(self) -> Any:
        try:
            return self._connection.read_response()
        except self._refused as error:
            return error


class _TimedSocket:
    """A socket whose every call gets only what is left of the operation: time-outs of redis-py are per call."""

    def __init__(self) -> None:
        self.until = 0.0
        self._socket: Any = None

    def around(self, connect: Callable[[], Any]) -> Callable[[], _TimedSocket]:
        def connected() -> _TimedSocket:
            self._socket = connect()
            return self

        return connected

    def sendall(self, data: bytes) -> None:
        self._limit()
        self._socket.sendall(data)

    def recv(self, size: int) -> bytes:
        self._limit()
        data: bytes = self._socket.recv(size)
        return data

    def recv_into(self, buffer: Any) -> int:
        self._limit()
        size: int = self._socket.recv_into(buffer)
        return size

    def _limit(self) -> None:
        left = self.until - monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)
