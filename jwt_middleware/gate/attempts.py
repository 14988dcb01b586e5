"""Failed authentications of each client address, counted by all workers together (`JWT_FAILED_ATTEMPTS`).

It is asked after a refusal alone: a good token passes, whatever its address did before, and costs nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING

from jwt_middleware.errors import InvalidToken, Reason, Refused, TooManyRequests, Unavailable, escaped
from jwt_middleware.gate.request import Request
from jwt_middleware.gate.transport import Transport, group

if TYPE_CHECKING:  # it loads the library `limits`
    from jwt_middleware.truth.rates import RateLimit

KNOWN = 10_000  # addresses over the limit that this process remembers
PAUSE = 0.25  # seconds of not counting after the store failed: a bad token must not hold a thread for its time-out
QUIET = 60.0  # seconds between two lines that say so

_logger = logging.getLogger("jwt_middleware")


class Over:
    """Who is over a limit, and until when: as far as this process knows, so that nobody is asked again."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._until: dict[str, float] = {}

    def remember(self, client: str, seconds: int) -> None:
        """Keep in mind that there is no room for a client for some seconds."""
        if len(self._until) >= KNOWN:
            self._until = {}  # the store is asked once more for each, that is all
        self._until[client] = self._now() + seconds

    def left(self, client: str) -> int:
        """Return the whole seconds until there is room, 0 when there may be."""
        return max(0, ceil(self._until.get(client, 0.0) - self._now()))

    def __len__(self) -> int:
        return len(self._until)


class FailedAttempts:
    """Decides whether a refusal stands, or its client has failed too often.

    Args:
        limit: how often a client may fail.
        transport: knows the client of a request.
        now: returns seconds of a clock that nobody sets.
    """

    def __init__(self, limit: RateLimit, transport: Transport, now: Callable[[], float] = monotonic) -> None:
        self._limit = limit
        self._transport = transport
        self._now = now
        self._over = Over(lambda: self._now())
        self._counts_again = self._speaks_again = 0.0

    async def weigh(self, refusal: Refused, request: Request) -> Refused:
        """Count a refusal; return it, or the one that it becomes."""
        if not _is_failure(refusal):
            return refusal
        client = group(self._transport.client(request.peer, request.values("x-forwarded-for")))
        wait = self._over.left(client) or await self._count(client)
        if not wait:
            return refusal
        whom = escaped(client) or "a Unix socket"
        return TooManyRequests(f"{refusal.reason} from {whom}, JWT_FAILED_ATTEMPTS={self._limit.rate}", wait)

    async def _count(self, client: str) -> int:
        if self._now() < self._counts_again:
            return 0
        try:
            wait = await self._limit.hit(client)
        except Unavailable as error:
            self._pause(error)
            return 0
        if wait:
            self._over.remember(client, wait)
        return wait

    def _pause(self, error: Unavailable) -> None:
        """The refusal was decided without the store, so it stands."""
        now = self._now()
        self._counts_again = now + PAUSE
        if now >= self._speaks_again:
            self._speaks_again = now + QUIET
            _logger.error("failed attempts are not counted: %s", error.detail)


def _is_failure(refusal: Refused) -> bool:
    """An expired token was genuine: its page must see the 401 that makes it fetch a new one, not a neighbour's 429."""
    if refusal.reason is Reason.EXPIRED:
        return False
    return isinstance(refusal, InvalidToken) or refusal.reason is Reason.MALFORMED_CREDENTIAL
