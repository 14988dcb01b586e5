"""Issuing access tokens (RFC 9068 section 2): a key and claims in, a text out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jwt_middleware.errors import InvalidToken, Reason, Unavailable
from jwt_middleware.settings import Settings
from jwt_middleware.token import jws
from jwt_middleware.token.claims import ClaimsPolicy
from jwt_middleware.token.keychain import Keychain
from jwt_middleware.token.keys import Key

_LONGEST = 100 * 365 * 86400
OURS = frozenset({"iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope", "cnf"})


class Signer:
    """Signs the access tokens that a verifier with the same settings accepts."""

    def __init__(
        self, keychain: Keychain, policy: ClaimsPolicy, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self._keychain = keychain
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._headed: tuple[Key, bytes] | None = None
        self._fixed = _fixed(settings)

    def issue(
        self,
        subject: str,
        *,
        scope: str | Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        expires_in: float | None = None,
        client_id: str | None = None,
        audience: str | None = None,
    ) -> str:
        """Make a signed access token, by the key that signs now. Nothing is stored.

        Args:
            subject: who it speaks of, the `sub` and the identity claim; not empty.
            scope: what it grants, separated by spaces or as an iterable.
            claims: further claims, such as `name` or `roles`; the registered ones are ours.
            expires_in: its life in seconds; default `JWT_ACCESS_TOKEN_EXPIRES`.
            client_id: through whom it was obtained; default `JWT_CLIENT_ID`.
            audience: whom it is meant for; default the first of `JWT_AUDIENCE`.

        Returns:
            The compact JWS.

        Raises:
            ValueError: an empty subject, a claim that is ours to set, or a token that we would refuse ourselves.
            Unavailable: the key that signed was taken away while we ran, and no other came.
        """
        own = dict(claims or {})
        _check(subject, own, self._settings.identity_claim)
        now = int(self._clock())
        lifetime = self._lifetime(expires_in)
        payload = own | self._fixed | {"sub": subject, self._settings.identity_claim: subject}
        payload |= {"iat": now, "exp": int(now + lifetime), "jti": uuid.uuid4().hex}
        payload |= {"client_id": client_id} if client_id else {}
        granted = scope if isinstance(scope, str) else " ".join(scope)
        payload |= {"scope": granted} if granted else {}
        self._check_acceptable(_json(payload))
        return self._signed(payload | ({"aud": audience} if audience else {}))

    def _lifetime(self, expires_in: float | None) -> float:
        if expires_in is None:
            return self._settings.access_token_expires
        longest = self._settings.max_lifetime or _LONGEST
        if type(expires_in) not in (int, float) or not 1 <= expires_in <= longest:
            raise ValueError(f"expires_in must be a number of seconds from 1 to {longest:g} (see JWT_MAX_LIFETIME)")
        return expires_in

    def _check_acceptable(self, payload: bytes) -> None:
        """What we issue we accept: a claim of the caller's must not make a token that we would refuse."""
        try:
            self._policy.user(jws.parse(payload), self._clock())
        except InvalidToken as error:
            raise ValueError(f"we would refuse this token: {error.detail}") from None

    def _signed(self, payload: dict[str, Any]) -> str:
        key, header = self._key_and_header()
        message = header + b"." + jws.encode(_json(payload))
        token = message + b"." + jws.encode(key.sign(message))
        if len(token) > self._settings.max_token_bytes:
            raise ValueError(f"the token would have {len(token)} bytes, more than JWT_MAX_TOKEN_BYTES")
        return token.decode()

    def _key_and_header(self) -> tuple[Key, bytes]:
        self._keychain.refresh()
        key = self._keychain.current.signing
        if key is None:
            raise Unavailable("no key signs any more: look into JWT_KEYS_DIR", Reason.MISCONFIGURED)
        if self._headed is None or self._headed[0] is not key:
            self._headed = key, jws.encode(_json(_header(key, self._settings.token_types)))
        return self._headed


def _header(key: Key, accepted: tuple[str, ...]) -> dict[str, Any]:
    typ = _type(accepted)
    header = {"alg": key.names[0]} | ({} if typ == "absent" else {"typ": typ})
    return header | ({"kid": key.kid} if key.kid else {})


def _type(accepted: tuple[str, ...]) -> str:
    """Choose among the types that we accept ourselves: RFC 9068's where it is one of them."""
    names = {name.lower().removeprefix("application/"): name for name in accepted if name != "id_token"}
    if "at+jwt" in names or "strict" in names:
        return "at+jwt"
    return "JWT" if "jwt" in names else "absent" if "absent" in names else next(iter(names.values()))


def _fixed(settings: Settings) -> dict[str, Any]:
    fixed: dict[str, Any] = {"client_id": settings.client_id}
    if settings.issuer:
        fixed["iss"] = settings.issuer
    if settings.audience:
        fixed["aud"] = settings.audience[0]
    return fixed


def _check(subject: str, claims: Mapping[str, Any], identity_claim: str) -> None:
    if not isinstance(subject, str) or not subject:
        raise ValueError("subject must be a non-empty text")
    taken = claims.keys() & (OURS | {identity_claim})
    if taken:
        raise ValueError(f"these claims are ours to set: {', '.join(sorted(taken))}")


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
