"""Sessions: what is kept of each sign-in, and the verbs that change it, each of them one step in the store.

Nothing here can be used as a token: a refresh token also needs a MAC, and its key is never in a store.
Rotation is by generation: the store holds a number, each refresh raises it by one. The number before
is good for a grace, so that parallel uses and lost answers harm nobody; any older one was stolen, or
its owner's was: the session ends, with all its access tokens (RFC 9700 section 4.14.2). One from the
future is ours, too, by its MAC: the store has lost what it confirmed, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in on one device. Times are seconds since the epoch.

    Attributes:
        sid: its name, the `sid` of its access tokens; no secret.
        subject: who signed in.
        client_id: through which client.
        scope: what it was granted, separated by spaces; its access tokens never get more.
        claims: further claims of its access tokens, as JSON.
        label: what its owner may know it by, such as the browser.
        address: where the sign-in came from.
        revoked_by: the items whose marks end it, as a JSON array; its own is the first.
        created: when it began.
        used: when it was last refreshed, or began.
        ends: when it ends, however often it is used.
        generation: how often its refresh token was renewed.
        rotated: when that was last.
    """

    sid: str
    subject: str
    client_id: str
    scope: str
    claims: str
    label: str
    address: str
    revoked_by: str
    created: float
    used: float
    ends: float
    generation: int = 0
    rotated: float = 0.0


class Outcome(StrEnum):
    """What became of an attempt to refresh."""

    ROTATED = "rotated"
    REPEATED = "repeated"
    TOO_MUCH = "too_much"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REUSED = "reused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a session is refreshed. Durations are seconds.

    Attributes:
        now: the time, seconds since the epoch.
        grace: how long the generation before the current one is still good.
        idle: a session unused for this long has expired.
        outlives: what its access tokens may still live when it ends, with slack: how long its end is remembered.
        scopes: the scopes asked for; each must have been granted.
    """

    now: float
    grace: float
    idle: float
    outlives: float
    scopes: Sequence[str] = ()


class SessionStore(Protocol):
    """The keeper of sessions: the same store that keeps the marks. Every verb may be repeated without harm."""

    async def open(self, session: Session, idle: float) -> float | None:
        """Keep a new session, unless a cut-off would revoke it at once.

        Returns:
            `None` when it is kept, else the second (since the epoch) that it must be created after.

        Raises:
            Unavailable: the store did not confirm.
        """

    async def find(self, sid: str) -> Session | None:
        """Return a session as it is, whether or not it may go on; `None` if there is none.

        Raises:
            Unavailable: the store cannot answer.
        """

    async def rotate(self, sid: str, generation: int, terms: Terms) -> tuple[Outcome, Session | None]:
        """Judge one use of a refresh token and renew it, in one step.

        Returns:
            What became of it, and the session as it is now, or was when it ended.

        Raises:
            Unavailable: the store did not confirm.
        """

    async def end(self, sid: str, item: str, mark: float) -> None:
        """Forget a session and revoke what it issued, in one step.

        Raises:
            Unavailable: the store did not confirm.
        """

    async def end_all(self, subject: str, item: str, mark: float) -> None:
        """Forget all sessions of a subject and revoke what they issued, in one step.

        Raises:
            Unavailable: the store did not confirm.
        """

    async def of(self, subject: str, now: float, idle: float) -> list[Session]:
        """Return the live sessions of a subject, the youngest first.

        Raises:
            Unavailable: the store cannot answer.
        """


def is_over(session: Session, now: float, idle: float) -> bool:
    """Tell whether a session has ended by itself."""
    return now >= session.ends or now - session.used >= idle
