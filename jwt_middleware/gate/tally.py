"""How often what happened: plain integers, counted where it happens and read out by `gate/metrics.py`.

No lock: an entry of the cache holds the tally of its issuer, and a hit is one `+= 1` on it. Reading, adding and
writing one attribute are never torn apart by CPython's GIL, so nothing is lost; without a GIL two threads may lose one
of two counts, which a metric can bear.

Labels are bounded: the closed lists of outcomes and reasons, and the names of configured issuers. What a token says of
itself is looked up among those names, never used as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from jwt_middleware.errors import Reason, Refused, Unavailable
from jwt_middleware.user import User

NONE = "-"


class Outcome(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    ANONYMOUS = "anonymous"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


# Operators put alarms on these, and `rate` does not see a series' first step: so they begin at 0.
_FROM_THE_START = (Reason.STORE_UNAVAILABLE, Reason.USER_CHECK_FAILED)


class Count:
    """One number, an object so that adding to it needs no second look at a dictionary."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class Tally:
    """What is counted for one issuer.

    Attributes:
        issuer: its configured name, or `-`.
        recalled: requests whose token was answered for by memory alone. The only count on the hot path.
        reused: requests whose token was remembered, while the store was asked about it.
        verified: good tokens that were verified in full.
        admitted: requests that the gate let in as a user; the adapters' own hits are in `recalled` alone.
        refusals: by outcome and reason.
    """

    __slots__ = ("admitted", "issuer", "recalled", "refusals", "reused", "verified")

    def __init__(self, issuer: str = NONE) -> None:
        self.issuer = issuer
        self.recalled = self.reused = self.verified = self.admitted = 0
        self.refusals = {(Outcome.UNAVAILABLE, reason): Count() for reason in _FROM_THE_START}


UNREAD = Tally()


class Tallies:
    """All counts of one gate.

    Args:
        issuers: the configured names.
    """

    def __init__(self, issuers: Iterable[str] = ()) -> None:
        self._by_issuer = {name: Tally(name) for name in (NONE, *issuers)}
        self._anonymous = 0

    def of(self, user: User) -> Tally:
        """Return the tally of a verified user's issuer; that of `-` where no issuer is configured."""
        return self._named(user.issuer)

    def admit(self, user: User) -> None:
        """Count a request that was let in, other than by an adapter from memory."""
        if user.is_authenticated:
            self.of(user).admitted += 1
        else:
            self._anonymous += 1

    def refuse(self, refusal: Refused | Unavailable, user: User | None) -> None:
        """Count a request that was refused, of a verified user if it had one."""
        tally = self._named(refusal.issuer) if user is None else self.of(user)
        outcome = Outcome.UNAVAILABLE if isinstance(refusal, Unavailable) else Outcome.REFUSED
        tally.refusals.setdefault((outcome, refusal.reason), Count()).number += 1

    def _named(self, issuer: str | None) -> Tally:
        return self._by_issuer.get(issuer or NONE, self._by_issuer[NONE])

    def requests(self, *, guarded: bool) -> Iterator[tuple[str, str, str, int]]:
        """Yield outcome, reason, issuer and number of all requests so far, `-` for what does not apply.

        Args:
            guarded: whether the gate looks twice at known tokens; then a hit is not yet a request let in, and the gate
                has counted those that were.
        """
        yield Outcome.ANONYMOUS, NONE, NONE, self._anonymous
        for tally in self._by_issuer.values():
            yield Outcome.ACCEPTED, NONE, tally.issuer, tally.admitted + (0 if guarded else tally.recalled)
            for (outcome, reason), count in tally.refusals.copy().items():
                yield outcome, reason, tally.issuer, count.number

    @property
    def hits(self) -> int:
        """Requests whose token was remembered, and so not verified again."""
        return sum(tally.recalled + tally.reused for tally in self._by_issuer.values())

    @property
    def misses(self) -> int:
        """Requests whose token was verified in full, and good. Forged ones do not count: anybody can send them."""
        return sum(tally.verified for tally in self._by_issuer.values())
