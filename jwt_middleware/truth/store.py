"""What every store promises: to keep marks, and to answer for many items in one round trip.

A mark is one number. Above zero it says that the item (a token, a session) has ended, and until
when this must be remembered: seconds since the epoch, infinity for ever. Below zero it is minus a
cut-off: everything of this item (a subject, a client, an issuer) issued at or before that second
is revoked. The kind of an item fixes the sign, so of two marks for one item **the one farther from
zero holds**: endings are never shortened, cut-offs never fall, and writing twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

SLACK = 600  # seconds that a mark outlives what it revokes: no clock may forget before another stops accepting


class Store(Protocol):
    """The keeper of marks. Every process of a deployment shares one."""

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


def ended(until: float) -> float:
    """Return the mark of an item that has ended, remembered until `until` (seconds since the epoch)."""
    return max(until, 1.0)


def cut_off(second: int) -> float:
    """Return the mark that revokes everything issued at or before `second` (seconds since the epoch)."""
    return -float(max(second, 1))


def revokes(mark: float | None, issued_at: float) -> bool:
    """Tell whether this mark revokes a token issued at `issued_at` (seconds since the epoch)."""
    return mark is not None and (mark > 0 or int(issued_at) <= -mark)
