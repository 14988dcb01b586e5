"""What the Authorization header holds: one token of ours, something of others, or a mistake.

RFC 6750 section 2.1: exactly the scheme, one space, one b64token. Nothing else is ever guessed at:
two credentials are a mistake even when they are equal, since another layer may pick the other one.
"""

from __future__ import annotations

import re
from typing import NoReturn

from jwt_middleware.errors import InvalidRequest, InvalidToken, NoCredential, Reason
from jwt_middleware.gate.cache import Credential

_B64TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"  # and `=` at the end
_SCHEME_CHARACTER = rb"[A-Za-z0-9!#$%&'*+.^_`|~-]"
_LOOK = 1024  # bytes of a header of another scheme that are searched for one of ours: a stranger pays for none of it

_MISTAKES = (
    (re.compile(rb"\s*\Z"), "it is empty"),
    (re.compile(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+\Z"), "the token stands alone, without its scheme"),
    (re.compile(rb"\w+:"), "there is a colon after the scheme"),
    (re.compile(rb"\w+ +[\"']"), "there are quotes around the token"),
    (re.compile(rb"(\w+) +\1 "), "the scheme stands twice"),
    (re.compile(rb"[^,]*,"), "there is a comma: two credentials?"),
)


class Extractor:
    """Takes the token out of a raw header value, by the scheme of `JWT_HEADER_TYPE`."""

    def __init__(self, header_name: str, scheme: str, max_bytes: int) -> None:
        self._name = header_name
        self._scheme = scheme
        self._prefix = f"{scheme} ".lower().encode() if scheme else b""
        self._ours_among_others = re.compile(
            rb"(?:^|,)[ \t]*" + re.escape(scheme.encode()) + rb"(?!" + _SCHEME_CHARACTER + rb")", re.IGNORECASE
        )
        self._max_bytes = max_bytes

    def token(self, credential: Credential | None) -> bytes:
        """Return the token of a raw header value; several values come joined by a comma.

        Raises:
            NoCredential: there is none, or one of another scheme.
            InvalidRequest: it is not exactly our scheme, one space and one b64token.
            InvalidToken: the token is longer than any that could be accepted.
        """
        if credential is None:
            raise NoCredential(Reason.MISSING, f"no {self._name} header")
        raw = credential if isinstance(credential, bytes) else credential.encode("latin-1", "replace")
        start = len(self._prefix)
        if raw[:start].lower() != self._prefix:
            self._refuse_scheme(raw)
        if len(raw) - start > self._max_bytes:
            # Before any look at its characters: an attacker pays for each byte, we for none.
            raise InvalidToken(
                Reason.TOO_LONG, f"token has {len(raw) - start} bytes, JWT_MAX_TOKEN_BYTES={self._max_bytes}"
            )
        token = raw[start:]
        characters = token.rstrip(b"=")
        if not characters or characters.translate(None, _B64TOKEN):  # three times as fast as a regular expression
            raise self._malformed(raw)
        return token

    def _refuse_scheme(self, raw: bytes) -> NoReturn:
        if not raw[:_LOOK].strip() or self._ours_among_others.search(raw, 0, _LOOK):
            raise self._malformed(raw)
        detail = f"{self._name} is of another scheme, JWT_HEADER_TYPE={self._scheme}{_mistake(raw[:_LOOK])}"
        raise NoCredential(Reason.MISSING, detail)

    def _malformed(self, raw: bytes) -> InvalidRequest:
        form = f"{self._scheme}, one space, one token" if self._scheme else "one token"
        return InvalidRequest(Reason.MALFORMED_CREDENTIAL, f"{self._name} is not exactly {form}{_mistake(raw[:_LOOK])}")


def _mistake(raw: bytes) -> str:
    """Say which common mistake it looks like, in the log alone."""
    for looks_like, mistake in _MISTAKES:
        if looks_like.match(raw):
            return f": {mistake}"
    return ""
