"""Who a request comes from: what the app sees in its scope, its environ and `current_user()`."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NoReturn


def _read_only(self: Claims, *_: object, **__: object) -> NoReturn:
    raise TypeError("claims are read-only: they were signed by the issuer")


class Claims(dict[str, Any]):
    """The verified claims of a token (RFC 7519 section 4): a `dict` that cannot be changed.

    Nested objects are `Claims` too and arrays are tuples, so nothing in it can be changed by one
    request and seen by the next. `json.dumps`, Flask's `jsonify` and Starlette's `JSONResponse`
    take it as it is; `dict(claims)` makes a copy to change.
    """

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = _read_only
    clear = pop = popitem = setdefault = update = _read_only

    def __copy__(self) -> Claims:
        return self

    def __deepcopy__(self, memo: object) -> Claims:
        return self

    def __reduce__(self) -> tuple[Callable[..., Claims], tuple[dict[str, Any]]]:
        return Claims, (dict(self),)


@dataclass(frozen=True, slots=True)
class Granted:
    """What a request may do, by the shape of Starlette's `AuthCredentials`, so that `@requires` works.

    Attributes:
        scopes: the token's scopes, and `authenticated` before them for a verified user.
    """

    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class User:
    """The verified subject of an access token, by shape a Starlette `BaseUser`. Frozen.

    Attributes:
        identity: the identity claim (`sub` by default); `""` for the anonymous user alone.
        claims: every verified claim, read-only; `{}` for the anonymous user.
        scopes: what the token grants (RFC 6749 section 3.3).
        roles: the roles that the issuer gave the subject.
        granted: the scopes as Starlette's `@requires` wants them.
    """

    identity: str
    claims: Claims = field(default_factory=Claims)
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    granted: Granted = Granted()

    @property
    def is_authenticated(self) -> bool:
        """`False` only for the anonymous user."""
        return self.identity != ""

    @property
    def display_name(self) -> str:
        """A name for people: `name` or `preferred_username` where the token has it, else the identity."""
        name = self.claims.get("name") or self.claims.get("preferred_username")
        return name if isinstance(name, str) else self.identity

    @property
    def token_id(self) -> str | None:
        """The token's `jti` (RFC 7519 section 4.1.7), if it has one."""
        return self.claims.get("jti")

    @property
    def session_id(self) -> str | None:
        """The token's `sid`, the session it belongs to, if it has one."""
        return self.claims.get("sid")

    @property
    def issuer(self) -> str | None:
        """The token's `iss` (RFC 7519 section 4.1.1), if it has one."""
        return self.claims.get("iss")

    def __repr__(self) -> str:
        return f"User({self.identity!r})" if self.is_authenticated else "User(anonymous)"


ANONYMOUS = User("")

_current: ContextVar[User] = ContextVar("jwt_middleware.user", default=ANONYMOUS)
set_current = _current.set


def current_user() -> User:
    """Return the user of the request being handled; before any request, the anonymous user.

    It is set on every request, anonymous and refused ones included, so no request sees another's user. It is not
    reset when a request ends, since a body may still be streaming. Threads and tasks see it as far as their
    framework copies the context (Starlette's and asyncio's do).
    """
    return _current.get()
