"""Revocation: the names of what can be revoked, the question asked on a request, and the answer kept.

Items are named by verified claims, never by token text: a signature has more than one spelling.
Parts of a name carry their length and are hashed when long, so that no claim can imitate another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from math import inf

from jwt_middleware.errors import InvalidToken, Reason
from jwt_middleware.truth.store import SLACK, Store, cut_off, ended, revokes
from jwt_middleware.user import User

TOKEN, SESSION, SUBJECT, CLIENT, ISSUER = "j", "s", "u", "c", "i"
_MAX_PART = 64
_CLIENT_CLAIMS = ("client_id", "azp", "cid", "appid")  # RFC 9068, OpenID Connect, and what Okta and Entra ID call it

Listener = Callable[[Sequence[str]], None]


def item(kind: str, issuer: str, *names: str) -> str:
    """Name something that can be revoked, such as `item(TOKEN, "https://idp.example", "42-7")`.

    Raises:
        ValueError: a name is not a text, or empty: nothing would be revoked, and nobody would notice.
    """
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError("what is to be revoked must be named by a text that is not empty")
    return "|".join((kind, *map(_part, (issuer, *names))))


def _part(name: str) -> str:
    raw = name.encode()
    return f"{len(raw)}:{name}" if len(raw) <= _MAX_PART else f"#{hashlib.sha256(raw).hexdigest()}"


class Revocation:
    """Asks the store about tokens and tells it what has ended.

    Attributes:
        good_until: the monotonic time up to which memory alone may decide: never, since
            this way of asking keeps no copy of the truth.
    """

    good_until = 0.0

    def __init__(
        self,
        store: Store,
        issuer: str | None,
        max_lifetime: float | None,
        clock: Callable[[], float],
        issuer_ahead: float = 0,
    ) -> None:
        self._store = store
        self._issuer = issuer or "-"
        self._kept = inf if max_lifetime is None else max_lifetime + SLACK
        self._clock = clock
        self._ahead = issuer_ahead  # seconds that another issuer's clock may be before ours
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener(items)` after each revocation that this process makes."""
        self._listeners.append(listener)

    def items(self, user: User) -> tuple[str, ...]:
        """Return every name under which this user's token can have been revoked."""
        claims = user.claims
        names = [item(TOKEN, self._issuer, claims["jti"]), item(SUBJECT, self._issuer, user.identity)]
        if user.session_id:
            names.append(item(SESSION, self._issuer, user.session_id))
        clients = dict.fromkeys(claims[name] for name in _CLIENT_CLAIMS if isinstance(claims.get(name), str))
        names += [item(CLIENT, self._issuer, client) for client in clients if client]
        return (*names, item(ISSUER, self._issuer))

    async def check(self, items: Sequence[str], issued_at: float) -> None:
        """Ask about all names of a token in one round trip.

        Raises:
            InvalidToken: one of them has been revoked.
            Unavailable: the store cannot answer.
        """
        for name, mark in zip(items, await self._store.read(items), strict=True):
            if revokes(mark, issued_at):
                raise InvalidToken(Reason.REVOKED, f"revoked by {_KINDS[name[0]]}")

    def of_session(self, sid: str, subject: str = "", client_id: str = "") -> tuple[str, ...]:
        """Return the names by which a session can be revoked, its own first."""
        names = [item(SESSION, self._issuer, sid)]
        names += [item(SUBJECT, self._issuer, subject)] if subject else []
        names += [item(CLIENT, self._issuer, client_id)] if client_id else []
        return (*names, item(ISSUER, self._issuer))

    async def revoke_token(self, jti: str, expires: float | None = None) -> None:
        """Revoke one token; without its `exp` (seconds since the epoch) for as long as any token lives."""
        until = self._clock() + self._kept if expires is None else expires + SLACK
        await self._write(item(TOKEN, self._issuer, jti), ended(until))

    async def revoke_session(self, sid: str) -> None:
        """End a session: every token that carries its `sid`."""
        await self._write(item(SESSION, self._issuer, sid), ended(self._clock() + self._kept))

    async def revoke_subject(self, subject: str) -> None:
        """Revoke every token of a subject issued up to this second (identity claim, `iat <=`)."""
        await self._cut(item(SUBJECT, self._issuer, subject))

    async def revoke_client(self, client_id: str) -> None:
        """Revoke every token that a client obtained up to this second."""
        await self._cut(item(CLIENT, self._issuer, client_id))

    async def revoke_issuer(self) -> None:
        """Revoke every token of our issuer up to this second."""
        await self._cut(item(ISSUER, self._issuer))

    def cut_off_of(self, subject: str) -> tuple[str, float]:
        """Return the item and the mark by which everything of a subject up to this second is revoked."""
        return item(SUBJECT, self._issuer, subject), self._now()

    async def _cut(self, name: str) -> None:
        await self._write(name, self._now())

    def _now(self) -> float:
        return cut_off(int(self._clock() + self._ahead))

    def told(self, *names: str) -> None:
        """Let this process know of what the store has revoked by itself."""
        for listener in self._listeners:
            listener(names)

    async def _write(self, name: str, mark: float) -> None:
        await self._store.write({name: mark})
        self.told(name)


_KINDS = {TOKEN: "token", SESSION: "session", SUBJECT: "subject", CLIENT: "client", ISSUER: "issuer"}
