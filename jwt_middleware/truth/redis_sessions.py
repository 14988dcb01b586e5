"""Redis as the keeper of sessions: a hash each, an index by subject, a script for each verb.

The hash tag of the prefix keeps all of them in one slot of a cluster, beside the marks that end them.
Sessions carry a TTL, unlike marks: one that is evicted too early only makes its owner sign in again. Rights that
they need besides those of `truth/redis.py`:

    ACL SETUSER jwt +hset +hgetall +expire +del +zscore +zrange +zrevrange +zremrangebyscore
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any

from jwt_middleware.errors import Unavailable
from jwt_middleware.truth.io import IO
from jwt_middleware.truth.sessions import Outcome, Session, Terms, is_over

_KINDS = {field.name: {"str": str, "float": float, "int": int}[str(field.type)] for field in fields(Session)}


class RedisSessions:
    """A `SessionStore` on a Redis or Valkey server.

    Params:
        io: the port, made with the server's URL.
        prefix: what every key begins with, as a hash tag.
        service: whose sessions they are: those of two services on one server are apart.
    """

    def __init__(self, io: IO, prefix: str, service: str) -> None:
        self._io = io
        self._marks = f"{{{prefix}}}:revoked"
        self._sessions = f"{{{prefix}}}:session:{_digest(service)}:"
        self._subjects = f"{{{prefix}}}:sessions:{_digest(service)}:"

    async def open(self, session: Session, idle: float) -> float | None:
        """See `SessionStore.open`."""
        seconds = math.ceil(min(session.ends - session.created, idle))
        parts = [part for pair in asdict(session).items() for part in pair]
        keys = (self._sessions + session.sid, self._index(session.subject), self._marks)
        times = (session.created, session.ends, seconds)
        latest = await self._run("open", keys, *times, session.sid, session.revoked_by, *parts)
        return None if latest is None else float(latest)

    async def find(self, sid: str) -> Session | None:
        """See `SessionStore.find`."""
        fields = await self._io.redis("HGETALL", self._sessions + sid)
        return _session(fields) if fields else None

    async def rotate(self, sid: str, generation: int, terms: Terms) -> tuple[Outcome, Session | None]:
        """See `SessionStore.rotate`."""
        keys = (self._sessions + sid, self._marks)
        numbers = (generation, terms.now, terms.grace, terms.idle, terms.outlives)
        outcome, *rest = await self._run("rotate", keys, *numbers, *terms.scopes)
        return Outcome(outcome.decode()), _session(rest[0]) if rest else None

    async def end(self, sid: str, item: str, mark: float) -> None:
        """See `SessionStore.end`."""
        await self._run("end", (self._marks, self._sessions + sid), item, mark)

    async def end_all(self, subject: str, item: str, mark: float) -> None:
        """See `SessionStore.end_all`."""
        await self._run("end", (self._marks, self._index(subject)), item, mark, self._sessions)

    async def of(self, subject: str, now: float, idle: float) -> list[Session]:
        """See `SessionStore.of`."""
        found = [
            _session(each) for each in await self._run("list", (self._index(subject), self._marks), self._sessions)
        ]
        return sorted((s for s in found if not is_over(s, now, idle)), key=lambda s: -s.created)

    def _index(self, subject: str) -> str:
        return self._subjects + _digest(subject)

    async def _run(self, name: str, keys: Sequence[str], *arguments: str | float) -> Any:
        return await self._io.redis("EVAL", _script(name), len(keys), *keys, *arguments)


@cache
def _script(name: str) -> str:
    return Path(__file__).with_name(f"{name}.lua").read_text("ascii")


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _session(parts: Sequence[bytes]) -> Session:
    found = {name.decode(): value.decode() for name, value in zip(parts[::2], parts[1::2], strict=True)}
    try:
        return Session(**{name: kind(found[name]) for name, kind in _KINDS.items()})
    except (KeyError, ValueError):
        raise Unavailable("a session in Redis is not as we wrote it") from None
