"""Our own answers: status, headers and body of every refusal, ready before the first request.

The same bytes for every cause of one code, so that an answer tells an attacker nothing; expiry
alone may be told, since it is known only once the signature verified.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from jwt_middleware.errors import Reason, Refused, TooManyRequests, Unavailable

Headers = tuple[tuple[str, str], ...]
RETRY_AFTER_SECONDS = 1

_DESCRIPTIONS = {
    "unauthorized": "Authentication is required.",
    "invalid_request": "The request must carry exactly one access token, as one scheme, one space, one token.",
    "invalid_token": "The access token is not valid.",
    "insufficient_scope": "The access token does not grant what this request needs.",
    "insufficient_user_authentication": "A more recent authentication is required.",
    "too_many_requests": "Too many attempts have failed. Try again later.",
    "temporarily_unavailable": "The access token cannot be checked right now.",
}
_EXPIRED = "The access token has expired."
_INSECURE = "Access tokens are accepted over HTTPS only."


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, for either protocol."""

    status: int
    headers: Headers
    body: bytes

    @property
    def status_line(self) -> str:
        """The status as WSGI wants it, such as `401 Unauthorized`."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"


class Replies:
    """Makes the answer to a refusal, with CORS headers for the origins that may read it."""

    def __init__(self, realm: str, scheme: str, allowed_origins: Sequence[str] = ()) -> None:
        self._challenge = f'{scheme or "Bearer"} realm="{realm}"'
        self._origins = frozenset(allowed_origins)
        self._made: dict[tuple[object, ...], Reply] = {}

    def to(self, refusal: Refused | Unavailable, origin: str | None) -> Reply:
        """Return the answer to a refusal, readable by the page of `origin` if that is allowed."""
        description = _description(refusal)
        key = (refusal.code, description, *_more(refusal))  # bounded: the last come from the settings
        reply = self._made.get(key)
        if reply is None:
            reply = self._made[key] = self._make(refusal, description)
        more = _momentary(refusal) + self._cors(origin)
        return Reply(reply.status, reply.headers + more, reply.body) if more else reply

    def _make(self, refusal: Refused | Unavailable, description: str) -> Reply:
        body = json.dumps({"error": refusal.code, "error_description": description}).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        if refusal.status == 503:
            headers.append(("Retry-After", str(RETRY_AFTER_SECONDS)))
        elif refusal.status != 429:
            headers.append(("WWW-Authenticate", self._challenge + _parameters(refusal, description)))
        return Reply(refusal.status, tuple(headers), body)

    def _cors(self, origin: str | None) -> Headers:
        if not self._origins:
            return ()
        vary = (("Vary", "Origin"),)
        if origin not in self._origins:
            return vary
        return (
            *vary,
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After"),
        )


def _description(refusal: Refused | Unavailable) -> str:
    if refusal.reason is Reason.EXPIRED:
        return _EXPIRED
    if refusal.reason is Reason.INSECURE_TRANSPORT:
        return _INSECURE
    return _DESCRIPTIONS[refusal.code]


def _momentary(refusal: Refused | Unavailable) -> Headers:
    """What is another with each answer, and so is not kept."""
    return (("Retry-After", str(refusal.retry_after)),) if isinstance(refusal, TooManyRequests) else ()


def _more(refusal: Refused | Unavailable) -> tuple[tuple[str, str], ...]:
    return refusal.parameters if isinstance(refusal, Refused) else ()


def _parameters(refusal: Refused | Unavailable, description: str) -> str:
    """RFC 6750 section 3.1: no error where there was no credential of ours."""
    if refusal.code == "unauthorized":
        return ""
    pairs = (("error", refusal.code), ("error_description", description), *_more(refusal))
    return "".join(f', {name}="{value}"' for name, value in pairs)
