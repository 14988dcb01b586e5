"""Refresh tokens and CSRF tokens: names and numbers under a MAC (RFC 2104), so that nothing secret need be stored.

A refresh token is `rt1.` and base64url(sid, generation, HMAC-SHA256). The MAC is checked before anybody is asked:
who merely saw a `sid`, which is in every access token, can do nothing to its session.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence

from jwt_middleware.errors import InvalidToken, Reason, Unavailable
from jwt_middleware.token import jws

_PREFIX = "rt1."
_SID_BYTES, _GENERATION_BYTES, _MAC_BYTES = 16, 8, 32
_LENGTH = len(_PREFIX) + len(jws.encode(bytes(_SID_BYTES + _GENERATION_BYTES + _MAC_BYTES)))
_CSRF_LENGTH = len(jws.encode(bytes(_MAC_BYTES)))


def new_sid() -> str:
    """Make the name of a new session: 128 random bits."""
    return jws.encode(secrets.token_bytes(_SID_BYTES)).decode()


def is_refresh_token(text: str) -> bool:
    """Tell whether a text has the form of a refresh token; it may still be forged."""
    return text.startswith(_PREFIX) and len(text) == _LENGTH


class RefreshTokens:
    """Makes and reads refresh tokens and CSRF tokens.

    Args:
        keys: returns HMAC keys; the first makes, all verify, so that they can be rotated.
        renewed: looks whether there are other keys now, since another process may have rotated them.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]], renewed: Callable[[], bool] = lambda: False) -> None:
        self._keys = keys
        self._renewed = renewed

    def make(self, sid: str, generation: int) -> str:
        """Return the refresh token of a session's generation."""
        named = jws.decode(sid.encode()) + generation.to_bytes(_GENERATION_BYTES)
        return _PREFIX + jws.encode(named + _mac(self._keys()[0], b"rt1", named)).decode()

    def read(self, token: str) -> tuple[str, int] | None:
        """Return the session and the generation of a refresh token of ours; `None` for any other text."""
        if not is_refresh_token(token) or not token.isascii():
            return None
        try:
            raw = jws.decode(token.removeprefix(_PREFIX).encode())
        except InvalidToken:
            return None
        named, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not self._is_any(b"rt1", named, mac):
            return None
        return jws.encode(named[:_SID_BYTES]).decode(), int.from_bytes(named[_SID_BYTES:])

    def csrf(self, session: str) -> str:
        """Return the CSRF token of a session: only its own pages can know it, and it is good for no other."""
        return jws.encode(_mac(self._keys()[0], b"csrf1", session.encode())).decode()

    def is_csrf(self, session: str, token: str) -> bool:
        """Tell whether this is the CSRF token of a session."""
        if len(token) != _CSRF_LENGTH:
            return False
        try:
            return self._is_any(b"csrf1", session.encode(), jws.decode(token.encode("ascii", "replace")))
        except InvalidToken:
            return False

    def _is_any(self, purpose: bytes, named: bytes, mac: bytes) -> bool:
        self._renewed()  # first: a key that was taken away must not be of use once more
        keys = self._keys()
        if not keys:
            raise Unavailable("no key for refresh tokens is there any more", Reason.MISCONFIGURED)
        return any(hmac.compare_digest(_mac(key, purpose, named), mac) for key in keys)


def _mac(key: bytes, purpose: bytes, named: bytes) -> bytes:
    return hmac.digest(key, purpose + b"\0" + named, hashlib.sha256)
