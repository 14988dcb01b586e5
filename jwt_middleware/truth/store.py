"""What every store promises: to keep marks and to answer for many items in one round trip; and to count.

A mark is one number. Above zero it says that the item (a token, a session) has ended, and until
when this must be remembered: seconds since the epoch, infinity for ever. Below zero it is minus a
cut-off: everything of this item (a subject, a client, an issuer) issued at or before that second
is revoked. The kind of an item fixes the sign, so of two marks for one item **the one farther from
zero holds**: endings are never shortened, cut-offs never fall, and writing twice changes nothing.

A count is of something that happened, for a limit. It is no truth: it passes with its time, and a crash may lose it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from jwt_middleware.truth.sessions import SessionStore

SLACK = 600  # seconds that a mark outlives what it revokes: no clock may forget before another stops accepting


class Window(NamedTuple):
    """What is counted under one name, now.

    Attributes:
        room: whether what was asked for had room, and so was counted.
        previous: the count of the window before this.
        current: the count of this window, with what was just counted.
        left: seconds to the end of this window.
    """

    room: bool
    previous: int
    current: int
    left: float


class Store(Protocol):
    """The keeper of marks, and what counts. Every process of a deployment shares one."""

    async def read(self, items: Sequence[str]) -> Sequence[float | None]:
        """Return the mark of each item, in order, `None` where there is none.

        Raises:
            Unavailable: the store cannot answer within its time-out.
        """

    async def write(self, marks: Mapping[str, float]) -> None:
        """Keep these marks; return when they are durable. All of them or none.

        Raises:
            Unavailable: the store did not confirm. Writing again is harmless.
        """

    async def count(self, name: str, seconds: int, limit: int, amount: int = 1) -> Window:
        """Count `amount` more under a name, unless that makes more than `limit`; all at once for all processes.

        Windows follow one another. Of the one before, as much weighs in as still lies within the last `seconds`:
        so twice the limit cannot pass at the seam of two windows. What finds no room is not counted.

        Args:
            name: short and of our own making, since it becomes part of a key.
            seconds: the length of a window.
            limit: the most that may happen in that time.
            amount: how many; 0 only looks.

        Raises:
            Unavailable: the store cannot answer within its time-out. It may have counted.
        """

    async def forget(self, name: str) -> None:
        """Begin to count anew under a name.

        Raises:
            Unavailable: the store did not confirm. Forgetting again is harmless.
        """

    def sessions(self, service: str) -> SessionStore:
        """Return the keeper of a service's sessions, in the same place."""


def ended(until: float) -> float:
    """Return the mark of an item that has ended, remembered until `until` (seconds since the epoch)."""
    return max(until, 1.0)


def cut_off(second: int) -> float:
    """Return the mark that revokes everything issued at or before `second` (seconds since the epoch)."""
    return -float(max(second, 1))


def revokes(mark: float | None, issued_at: float) -> bool:
    """Tell whether this mark revokes a token issued at `issued_at` (seconds since the epoch)."""
    return mark is not None and (mark > 0 or int(issued_at) <= -mark)
