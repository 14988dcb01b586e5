"""Redis as the keeper of marks: one sorted set, one command to ask, one script to tell; and one script to count.

One sorted set, `{<prefix>}:revoked`, holds every mark: the member is the item, the score its mark.
A read is one ZMSCORE, a write one EVAL of `write.lua`. A count is a key `{<prefix>}:n:<name>` that expires, and
one EVAL of `count.lua`. Redis 6.2 or newer, or Valkey, with an append-only
file (`appendfsync always` if a crash may lose nothing confirmed: `everysec` was seen to lose some even to
kill -9) and without `allkeys-` eviction. The least rights for the user in `JWT_STORE_URL`, here with
`JWT_STORE_PREFIX=jwt` (add `+select` when the URL names a database other than 0):

    ACL SETUSER jwt on >password resetkeys resetchannels ~{jwt}:* -@all
        +info +role +zmscore +eval +zadd +zrangebyscore +zrem +time +get +set
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from jwt_middleware.errors import Unavailable
from jwt_middleware.truth.io import IO
from jwt_middleware.truth.line import Endpoint
from jwt_middleware.truth.sessions import SessionStore
from jwt_middleware.truth.store import SLACK, Window


class RedisStore:
    """A `Store` in one sorted set of a Redis or Valkey server, with a key for each count.

    Params:
        io: the port, made with the server's URL.
        prefix: what the keys begin with; as a hash tag, so a cluster keeps them in one slot.
        max_lifetime: the longest a token lives, in seconds; older cut-offs are forgotten. `None` keeps them.
    """

    def __init__(self, io: IO, prefix: str, max_lifetime: float | None) -> None:
        self._io = io
        self._prefix = prefix
        self._key = f"{{{prefix}}}:revoked"
        self._counts = f"{{{prefix}}}:n:"
        self._horizon = "" if max_lifetime is None else str(max_lifetime + SLACK)
        self._script = Path(__file__).with_name("write.lua").read_text("ascii")
        self._counting = Path(__file__).with_name("count.lua").read_text("ascii")

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

    async def count(self, name: str, seconds: int, limit: int, amount: int = 1) -> Window:
        """Count `amount` more under a name, unless that makes more than `limit`: one round trip, by Redis' clock.

        Raises:
            Unavailable: Redis cannot answer in time. It may have counted, and twice if a connection died.
        """
        reply = await self._io.redis("EVAL", self._counting, 1, self._counts + name, seconds, limit, amount)
        try:
            room, previous, current, left = map(int, reply)
        except (TypeError, ValueError):
            raise Unavailable("Redis answered the counting script with something else than four numbers") from None
        return Window(bool(room), previous, current, left / 1000)

    async def forget(self, name: str) -> None:
        """Begin to count anew under a name.

        Raises:
            Unavailable: Redis did not confirm. Forgetting again is harmless.
        """
        await self._io.redis("SET", self._counts + name, "", "PX", 1)  # DEL would be one more right to give

    def sessions(self, service: str) -> SessionStore:
        """Return the keeper of a service's sessions, in the same place."""
        from jwt_middleware.truth.redis_sessions import RedisSessions

        return RedisSessions(self._io, self._prefix, service)


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
            " (in a password write %2F %3F %23 %40 for / ? # @), or it turns the check of certificates off"
        )
    return None
