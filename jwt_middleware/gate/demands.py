"""What a rule asks of a verified user: scopes, roles, claims, and how long ago they signed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jwt_middleware.errors import InsufficientScope, Reason, StaleAuthentication, shown
from jwt_middleware.token.claims import first, is_date, lookups
from jwt_middleware.user import User

ClaimValue = str | int | bool


@dataclass(frozen=True, slots=True)
class Demand:
    """What must be true of a token, all of it.

    Attributes:
        source: the rule or setting that wants it, for the log.
        scopes: the token must have all of these.
        any_scopes: and one of these.
        roles: its user must have all of these.
        any_roles: and one of these.
        claims: names and values; a claim that is a list must hold the value.
        max_auth_age: seconds since its user signed in (`auth_time`).
        leeway: tolerated clock difference for that.
        asked: the scopes that would do, for the challenge.
    """

    source: str
    scopes: tuple[str, ...] = ()
    any_scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    any_roles: tuple[str, ...] = ()
    claims: tuple[tuple[str, ClaimValue], ...] = ()
    max_auth_age: float | None = None
    leeway: float = 0.0
    asked: tuple[str, ...] = ()

    def check(self, user: User, now: float) -> None:
        """Return if the user has all that is asked.

        Raises:
            InsufficientScope: a scope, role or claim is missing.
            StaleAuthentication: the user must sign in again.
        """
        if not _has(user.scopes, self.scopes, self.any_scopes):
            wanted = _wanted(self.scopes, self.any_scopes)
            self._refuse(Reason.MISSING_SCOPE, f"token has scope={_listed(user.scopes)}, {self.source} wants {wanted}")
        if not _has(user.roles, self.roles, self.any_roles):
            wanted = _wanted(self.roles, self.any_roles)
            self._refuse(Reason.MISSING_ROLE, f"token has roles={_listed(user.roles)}, {self.source} wants {wanted}")
        for name, value in self.claims:
            found = first(user.claims, lookups((name,)))
            if not _is_or_holds(found, value):
                has = f"{shown(name)[1:-1]}={'none' if found == () else shown(found)}"
                self._refuse(Reason.WRONG_CLAIM, f"token has {has}, {self.source} wants {shown(value)}")
        if self.max_auth_age is not None:
            self._check_age(user.claims.get("auth_time"), self.max_auth_age, now)

    def _refuse(self, reason: Reason, detail: str) -> None:
        raise InsufficientScope(reason, detail, scope=self.asked)

    def _check_age(self, signed_in: Any, most: float, now: float) -> None:
        fresh = is_date(signed_in) and now - self.leeway - most < signed_in <= now + self.leeway
        if not fresh:
            detail = f"token has auth_time={shown(signed_in)}, {self.source} wants max_auth_age={most:g}"
            raise StaleAuthentication(detail, max_age=int(most))

    def __str__(self) -> str:
        parts = [
            f"scope {_wanted(self.scopes, self.any_scopes)}" if self.scopes or self.any_scopes else "",
            f"role {_wanted(self.roles, self.any_roles)}" if self.roles or self.any_roles else "",
            *(f"{name} = {shown(value)}" for name, value in self.claims),
            f"a sign-in at most {self.max_auth_age:g} s ago" if self.max_auth_age is not None else "",
        ]
        return ", ".join(filter(None, parts))


def _has(found: Sequence[str], every: Iterable[str], some: Sequence[str]) -> bool:
    return all(name in found for name in every) and (not some or any(name in found for name in some))


def _is_or_holds(found: Any, value: ClaimValue) -> bool:
    """Compare with the type: `true` is not 1, and "1" is neither."""
    candidates = found if type(found) is tuple else (found,)
    return any(type(each) is type(value) and each == value for each in candidates)


def _wanted(every: Sequence[str], some: Sequence[str]) -> str:
    return " and ".join(filter(None, (" ".join(every), f"any of {' '.join(some)}" if some else "")))


def _listed(found: Sequence[str]) -> str:
    return shown(" ".join(found))
