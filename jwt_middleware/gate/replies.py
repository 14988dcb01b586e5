"""Our own answers: status, headers and body of every refusal, ready before the first request.

The same bytes for every cause of one code, so that an answer tells an attacker nothing; expiry
alone may be told, since it is known only once the signature verified.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from jwt_middleware.errors import GrantRefused, Reason, Refused, Unavailable

Headers = tuple[tuple[str, str], ...]
RETRY_AFTER_SECONDS = 1

_DESCRIPTIONS = {
    "unauthorized": "Authentication is required.",
    "invalid_request": "The request must carry exactly one access token, as one scheme, one space, one token.",
    "invalid_token": "The access token is not valid.",
    "insufficient_scope": "The access token does not grant what this request needs.",
    "insufficient_user_authentication": "A more recent authentication is required.",
    "too_many_requests": "Too many attempts have failed. Try again later.",
    "csrf_failed": "The request may not have come from a page of ours.",
    "invalid_grant": "The credentials are not valid.",
    "invalid_client": "The client could not be authenticated.",
    "invalid_target": "The audience is not one that may be asked for.",
    "invalid_scope": "The scope is more than may be granted.",
    "unsupported_grant_type": "The grant type is not password, refresh_token or client_credentials.",
    "temporarily_unavailable": "This cannot be decided right now. Try again later.",
}
_EXPIRED = "The access token has expired."
_INSECURE = "Access tokens are accepted over HTTPS only."
_MALFORMED = "The request lacks a parameter, repeats one, or is not of a form that we read."
NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, for either protocol."""

    status: int
    headers: Headers
    body: bytes

    def with_headers(self, more: Headers) -> Reply:
        """Return the same answer with more headers."""
        return Reply(self.status, self.headers + more, self.body) if more else self

    @property
    def status_line(self) -> str:
        """The status as WSGI wants it, such as `401 Unauthorized`."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"


class Replies:
    """Makes the answer to a refusal, with CORS headers for the origins that may read it."""

    def __init__(self, realm: str, scheme: str, allowed_origins: Sequence[str] = ()) -> None:
        self._realm = realm
        self._challenge = f'{scheme or "Bearer"} realm="{realm}"'
        self._origins = frozenset(allowed_origins)
        self._made: dict[tuple[object, ...], Reply] = {}

    def to(self, refusal: Refused | Unavailable, origin: str | None) -> Reply:
        """Return the answer to a refusal, readable by the page of `origin` if that is allowed."""
        description = _description(refusal)
        key = (
            type(refusal),
            refusal.status,
            refusal.code,
            description,
            *_more(refusal),
        )  # bounded: the last come from the settings
        reply = self._made.get(key)
        if reply is None:
            reply = self._made[key] = self._make(refusal, description)
        more = refusal.headers if isinstance(refusal, Refused) else ()
        return self.readable(reply.with_headers(more), origin)

    def readable(self, reply: Reply, origin: str | None) -> Reply:
        """Return an answer that the page of `origin` may read, if that is allowed (Fetch standard, CORS protocol)."""
        return reply.with_headers(self._cors(origin)) if self._origins else reply

    def _make(self, refusal: Refused | Unavailable, description: str) -> Reply:
        body = json.dumps({"error": refusal.code, "error_description": description}).encode()
        fixed = (
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        )
        return Reply(refusal.status, fixed + self._next_step(refusal, description), body)

    def _next_step(self, refusal: Refused | Unavailable, description: str) -> Headers:
        """Tell the client how to go on: later, or with which credential (RFC 9110 section 11.6.1)."""
        if refusal.status == 503:
            return (("Retry-After", str(RETRY_AFTER_SECONDS)),)
        if not isinstance(refusal, GrantRefused):
            challenge = self._challenge + _parameters(refusal, description)
            return () if refusal.status == 429 else (("WWW-Authenticate", challenge),)
        if refusal.code == "invalid_client":
            return (("WWW-Authenticate", f'Basic realm="{self._realm}"'),)  # RFC 6749 section 5.2
        return (("WWW-Authenticate", self._challenge),) if refusal.status == 401 else ()

    def _cors(self, origin: str | None) -> Headers:
        vary = (("Vary", "Origin"),)
        if origin not in self._origins:
            return vary
        return (
            *vary,
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After"),
        )


def in_json(status: int, value: object, more: Headers = NO_STORE) -> Reply:
    """Return an answer of our own endpoints, which no cache keeps unless `more` says so."""
    body = json.dumps(value).encode()
    return Reply(status, (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more), body)


def _description(refusal: Refused | Unavailable) -> str:
    if refusal.reason is Reason.MALFORMED_REQUEST:
        return _MALFORMED
    if refusal.reason is Reason.EXPIRED:
        return _EXPIRED
    if refusal.reason is Reason.INSECURE_TRANSPORT:
        return _INSECURE
    return _DESCRIPTIONS[refusal.code]


def _more(refusal: Refused | Unavailable) -> tuple[tuple[str, str], ...]:
    return refusal.parameters if isinstance(refusal, Refused) else ()


def _parameters(refusal: Refused | Unavailable, description: str) -> str:
    """RFC 6750 section 3.1: no error where there was no credential of ours."""
    if refusal.code == "unauthorized":
        return ""
    pairs = (("error", refusal.code), ("error_description", description), *_more(refusal))
    return "".join(f', {name}="{value}"' for name, value in pairs)
