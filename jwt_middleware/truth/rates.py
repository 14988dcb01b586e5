"""Rates that all workers count together: so many of a thing in a time, whoever counts them.

The library `limits` knows what a rate is and when there is room again; our store keeps the numbers. Storages of its
own would open their own connections, without our time-outs, our care at a fork and our breaker, and it has none for
SQLite. Its coroutines await nothing but the storage, so `io.run` can drive them. It is imported here alone (and by
`parsing.rate`), once a rate is configured.
"""

from __future__ import annotations

import hashlib
from math import ceil
from time import time
from typing import NoReturn

from limits import RateLimitItem
from limits.aio.storage import SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from jwt_middleware.errors import Unavailable
from jwt_middleware.truth.store import Store


class RateLimit:
    """A rate at which something may happen to each of many names, such as failures of a client.

    A sliding window: what the last window counted weighs in as far as it still lies within the time of the rate.

    Args:
        rate: from `parsing.rate`.
        kind: what is counted, such as `failed`; other kinds have other counts.
        store: where all workers count.

    Attributes:
        rate: as given; as text, for people, such as `100 per 1 minute`.
    """

    def __init__(self, rate: RateLimitItem, kind: str, store: Store) -> None:
        self.rate = rate
        self._kind = kind
        self._strategy = SlidingWindowCounterRateLimiter(_Counts(store))

    async def hit(self, *names: str) -> int:
        """Count one more, if there is room for it.

        Args:
            names: of whom or what, of any length and content; together they are one.

        Returns:
            0 when it was counted; else the whole seconds until there is room.

        Raises:
            Unavailable: the store cannot answer.
        """
        if await self._strategy.hit(self.rate, *self._parts(names)):
            return 0
        return await self.wait(*names) or 1

    async def wait(self, *names: str) -> int:
        """Return the whole seconds until there is room for one more, 0 when there is; nothing is counted.

        Raises:
            Unavailable: the store cannot answer.
        """
        seen = await self._strategy.get_window_stats(self.rate, *self._parts(names))
        return 0 if seen.remaining else max(1, ceil(seen.reset_time - time()))

    async def forget(self, *names: str) -> None:
        """Begin to count anew.

        Raises:
            Unavailable: the store did not confirm.
        """
        await self._strategy.clear(self.rate, *self._parts(names))

    def _parts(self, names: tuple[str, ...]) -> list[str]:
        """Give each name its length: `limits` joins them by a slash, which a name may hold."""
        return [f"{len(name)}:{name}" for name in (self._kind, *names)]


class _Counts(Storage, SlidingWindowCounterSupport):
    """What `limits` calls a storage: the numbers of one strategy, in our store."""

    STORAGE_SCHEME = None  # no URL leads here
    base_exceptions = Unavailable

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count, unless that makes more than `limit` in `expiry` seconds; tell whether it was counted."""
        return (await self._store.count(_name(key), expiry, limit, amount)).room

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the previous window's count and the seconds it still matters, and the same of the current one."""
        window = await self._store.count(_name(key), expiry, limit=0, amount=0)
        left = min(window.left, expiry - 0.001)  # `limits` takes it modulo `expiry`: a window that begins would be over
        return window.previous, window.left, window.current, left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget a count."""
        await self._store.forget(_name(key))

    async def _refuse(self, *_: object, **__: object) -> NoReturn:
        """Fixed windows let twice the limit pass at their seam, and the store is not ours alone to reset."""
        raise NotImplementedError

    incr = get = get_expiry = check = reset = clear = _refuse


def _name(key: str) -> str:
    """Return a short name for a key of any length and content; hostile input never becomes a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
