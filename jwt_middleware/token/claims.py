"""What the claims must be (RFC 7519 section 4, RFC 9068): first their types, then their values.

Wrong types come first, because a value of the wrong type has fooled many a comparison: a string
date, a list of issuers, `true` as a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from jwt_middleware.errors import InvalidToken, Reason, shown
from jwt_middleware.settings import Settings
from jwt_middleware.user import Claims, Granted, User

_LATEST = 2**53  # beyond it a double cannot tell one second from the next
_MARKERS = ("type", "token_type", "token_use", "typ")
_OTHER_USES = frozenset({"refresh", "refresh_token", "offline", "logout", "id", "id_token"})
_ID_TOKEN_USES = frozenset({"id", "id_token"})
_ID_TOKEN_CLAIMS = ("at_hash", "c_hash")
STRICT_CLAIMS = frozenset({"iss", "exp", "aud", "sub", "client_id", "iat", "jti"})  # RFC 9068 section 2.2


class ClaimsPolicy:
    """The rules for claims, compiled from settings at start."""

    def __init__(self, settings: Settings, *, revocable: bool) -> None:
        self._issuer = settings.issuer
        self._audience = frozenset(settings.audience)
        self._any_audience = settings.allow_any_audience
        self._leeway = settings.leeway
        self._max_age = settings.max_age
        self._max_lifetime = settings.max_lifetime
        self._required = required_claims(settings, revocable=revocable)
        self._named = settings.required_claims
        self._identity_claim = settings.identity_claim
        self._scope_claims = lookups(settings.scope_claims)
        self._roles_claims = lookups(settings.roles_claims)
        lifted = "id_token" in settings.token_types
        self._other_uses = _OTHER_USES - _ID_TOKEN_USES if lifted else _OTHER_USES
        self._foreign_claims = ("events", "cnf") if lifted else ("events", "cnf", *_ID_TOKEN_CLAIMS)
        self._suspicious = frozenset((*_MARKERS, *self._foreign_claims))
        self._roles_heads = frozenset(name for lookup in self._roles_claims for name in (lookup[0], *lookup[1][:1]))

    def user(self, claims: Claims, now: float) -> User:
        """Check verified claims at `now` (seconds since the epoch) and return who they speak of.

        Raises:
            InvalidToken: with the claim and the setting it met in its detail.
        """
        if not self._required <= claims.keys():
            self._explain_presence(claims)
        for name in self._named:
            if claims[name] is None:
                raise InvalidToken(Reason.MISSING_CLAIM, f"token has {name}=null, JWT_REQUIRED_CLAIMS")
        if not _types_fit(claims):
            _explain_types(claims)
        if not self._suspicious.isdisjoint(claims):
            self._check_use(claims)
        self._check_origin(claims)
        self._check_times(claims, now)
        scopes = _scopes(first(claims, self._scope_claims))
        roles = () if self._roles_heads.isdisjoint(claims) else first(claims, self._roles_claims)
        return User(
            self._identity(claims),
            claims,
            scopes,
            _names(roles, "JWT_ROLES_CLAIMS"),
            Granted(("authenticated", *scopes)),
        )

    def _explain_presence(self, claims: Claims) -> NoReturn:
        missing = sorted(self._required - claims.keys())
        raise InvalidToken(Reason.MISSING_CLAIM, f"token has no {', no '.join(missing)}")

    def _check_use(self, claims: Claims) -> None:
        """Refuse refresh, ID and logout tokens whatever their `typ` says (RFC 8725 section 3.11)."""
        for name in _MARKERS:
            value = claims.get(name)
            if type(value) is str and value.lower() in self._other_uses:
                raise InvalidToken(Reason.NOT_AN_ACCESS_TOKEN, f"token has {name}={shown(value)}")
        if "cnf" in claims:
            raise InvalidToken(Reason.SENDER_CONSTRAINED, "token has cnf: it is bound to a key that we cannot check")
        for name in self._foreign_claims:
            if name in claims:
                raise InvalidToken(Reason.NOT_AN_ACCESS_TOKEN, f"token has {name}")

    def _check_origin(self, claims: Claims) -> None:
        if self._issuer is not None and claims.get("iss") != self._issuer:
            found = shown(claims.get("iss"))
            raise InvalidToken(Reason.WRONG_ISSUER, f"token has iss={found}, JWT_ISSUER={self._issuer}")
        audience = claims.get("aud")
        if type(audience) is str:
            audience = (audience,)
        elif "aud" in claims and not _is_texts(audience):
            raise InvalidToken(Reason.BAD_CLAIM, f"token has aud={shown(audience)}, neither a text nor a list of texts")
        if not self._any_audience and not self._is_ours(audience):
            raise InvalidToken(Reason.WRONG_AUDIENCE, f"token has aud={_listed(audience)}, {self._wanted()}")

    def _is_ours(self, audience: Sequence[str] | None) -> bool:
        if not self._audience:
            return audience is None  # RFC 7519 section 4.1.3: an audience that does not name us must be refused
        return audience is not None and not self._audience.isdisjoint(audience)

    def _wanted(self) -> str:
        return f"JWT_AUDIENCE={','.join(sorted(self._audience))}" if self._audience else "JWT_AUDIENCE is not set"

    def _check_times(self, claims: Claims, now: float) -> None:
        expires, issued = claims["exp"], claims.get("iat")
        if expires <= now - self._leeway:
            raise InvalidToken(Reason.EXPIRED, f"token has exp={expires}, {now - expires:.0f} s ago")
        if claims.get("nbf", 0) > now + self._leeway:
            raise InvalidToken(Reason.NOT_YET_VALID, f"token has nbf={claims['nbf']}, JWT_LEEWAY={self._leeway:g}")
        if issued is None:
            return
        if issued > now + self._leeway:
            raise InvalidToken(Reason.NOT_YET_VALID, f"token has iat={issued}, JWT_LEEWAY={self._leeway:g}")
        if self._max_age is not None and issued + self._max_age <= now - self._leeway:
            raise InvalidToken(Reason.TOO_OLD, f"token has iat={issued}, JWT_MAX_AGE={self._max_age:g}")
        if self._max_lifetime is not None and expires - issued > self._max_lifetime:
            detail = f"token lives {expires - issued:g} s, JWT_MAX_LIFETIME={self._max_lifetime:g}"
            raise InvalidToken(Reason.LIFETIME_TOO_LONG, detail)

    def _identity(self, claims: Claims) -> str:
        value = claims[self._identity_claim]
        if type(value) is str and value:
            return value
        if type(value) is int and self._identity_claim != "sub":
            return str(value)
        raise InvalidToken(Reason.BAD_CLAIM, f"token has {self._identity_claim}={shown(value)}, which names nobody")


def required_claims(settings: Settings, *, revocable: bool) -> frozenset[str]:
    """Return the claims that a token must have: `exp`, the identity, and what other settings need."""
    names = {"exp", settings.identity_claim, *settings.required_claims}
    if revocable:
        names |= {"jti", "iat"}
    if settings.max_age is not None or settings.max_lifetime is not None:
        names.add("iat")
    if "strict" in settings.token_types:
        names |= STRICT_CLAIMS
    return frozenset(names)


def _types_fit(claims: Claims) -> bool:
    get = claims.get
    return (
        type(get("iss", "")) is str
        and type(get("sub", "")) is str
        and type(jti := get("jti", "-")) is str
        and jti != ""  # or one revocation would revoke all that have none
        and type(get("sid", "")) is str
        and type(get("client_id", "")) is str
        and is_date(get("exp", 0))
        and is_date(get("iat", 0))
        and is_date(get("nbf", 0))
    )


def is_date(value: object) -> bool:
    """A NumericDate is a JSON number (RFC 7519 section 2); infinity, NaN and booleans are none."""
    return (type(value) is int or type(value) is float) and 0 <= value <= _LATEST


def _explain_types(claims: Claims) -> NoReturn:
    for name in ("iss", "sub", "jti", "sid", "client_id"):
        if type(claims.get(name, "")) is not str:
            raise InvalidToken(Reason.BAD_CLAIM, f"token has {name}={shown(claims[name])}, not a text")
    if claims.get("jti") == "":
        raise InvalidToken(Reason.BAD_CLAIM, "token has an empty jti")
    name = next(name for name in ("exp", "iat", "nbf") if not is_date(claims.get(name, 0)))
    raise InvalidToken(Reason.BAD_CLAIM, f"token has {name}={shown(claims[name])}, not a date")


def _is_texts(value: object) -> bool:
    return type(value) is tuple and all(type(part) is str for part in value)


def _listed(audience: Sequence[str] | None) -> str:
    return "none" if audience is None else shown(list(audience))


Lookup = tuple[str, tuple[str, ...]]


def lookups(names: Sequence[str]) -> tuple[Lookup, ...]:
    """Prepare names of claims for `first`."""
    return tuple((name, tuple(name.split(".")) if "." in name else ()) for name in names)


def first(claims: Claims, lookups: Sequence[Lookup]) -> Any:
    """Return the first claim that is present: its name whole first (`https://x/roles`), by dots only then."""
    for name, path in lookups:
        if name in claims:
            return claims[name]
        if path:
            value: Any = claims
            for step in path:
                if not isinstance(value, dict) or step not in value:
                    break
                value = value[step]
            else:
                return value
    return ()


def _scopes(value: Any) -> tuple[str, ...]:
    if type(value) is str:
        scopes = tuple(value.split(" "))
        return tuple(filter(None, scopes)) if "" in scopes else scopes
    return _names(value, "JWT_SCOPE_CLAIMS")


def _names(value: Any, setting: str) -> tuple[str, ...]:
    if type(value) is str:
        return (value,)
    if not _is_texts(value):
        raise InvalidToken(Reason.BAD_CLAIM, f"the claim that {setting} finds is {shown(value)}, not a list of texts")
    return value  # type: ignore[no-any-return]


def problems(settings: Settings, *, has_public_keys: bool) -> list[str]:
    """List what is wrong with the token policy, given the kind of the keys."""
    found = []
    if settings.audience and settings.allow_any_audience:
        found.append("JWT_AUDIENCE and JWT_ALLOW_ANY_AUDIENCE contradict each other: keep one")
    if has_public_keys and not settings.audience and not settings.allow_any_audience:
        found.append(
            "JWT_AUDIENCE is required with public keys: without it a token for any other service of this issuer "
            "would pass (JWT_ALLOW_ANY_AUDIENCE=true accepts that)"
        )
    if not set(settings.token_types) - {"id_token"}:
        found.append("JWT_TOKEN_TYPES names no type: no token would pass")
    if "strict" in settings.token_types and not (settings.issuer and settings.audience):
        found.append("JWT_TOKEN_TYPES=strict needs JWT_ISSUER and JWT_AUDIENCE (RFC 9068 section 4)")
    if settings.max_lifetime is not None and settings.access_token_expires > settings.max_lifetime:
        found.append("JWT_ACCESS_TOKEN_EXPIRES exceeds JWT_MAX_LIFETIME: we would refuse what we issue")
    return found
