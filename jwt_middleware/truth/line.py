"""One connection to Redis: where it leads, whether its server can be trusted with marks, what is said on it.

Shared by both twins. redis-py is imported only once there is a Redis URL; asyncio and threads never.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from time import monotonic
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from jwt_middleware.errors import Unavailable, shown

PATIENCE = 2.0  # seconds for a connection to come up, off the request path
PROOF = 0.5  # seconds for which a connection's last ROLE is believed

Command = Sequence[str | bytes | float]


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
        if options.get("ssl_cert_reqs", "required") != "required" or options.get("ssl_check_hostname") is False:
            raise ValueError("whoever sits between could answer that nothing is revoked")
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


def disowned(error: Exception) -> bool:
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
