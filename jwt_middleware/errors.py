"""Everything that can go wrong, on one screen.

    JWTMiddlewareError
    ├── ConfigurationError      the settings do not fit: refuse to start
    ├── Unavailable             the truth cannot be asked: 503, never 401 and never 200
    └── Refused                 the request may not pass
        ├── NoCredential        401, the body says `unauthorized`, the challenge names no error
        ├── InvalidRequest      400 `invalid_request`
        ├── InvalidToken        401 `invalid_token`
        ├── InsufficientScope   403 `insufficient_scope`
        ├── StaleAuthentication 401 `insufficient_user_authentication`
        ├── TooManyRequests     429 `too_many_requests`
        ├── Forgery             403 `csrf_failed`
        └── GrantRefused        400, 401… what signing in and refreshing answer (RFC 6749 section 5.2)

A refusal carries a `reason` from a closed list, for logs, metrics and hooks, and a `detail` that
tells an operator which setting it met. Neither ever holds a token; neither is sent to the client.
What is known of the sender goes along: the `issuer` once the signature is good, the `user` once the whole
token is.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from jwt_middleware.user import User


class Reason(StrEnum):
    """Why a request did not pass: the closed list of codes found in logs and on exceptions."""

    MISSING = "missing"
    MALFORMED_CREDENTIAL = "malformed_credential"
    INSECURE_TRANSPORT = "insecure_transport"

    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    WRONG_ALGORITHM = "wrong_algorithm"
    UNSUPPORTED_HEADER = "unsupported_header"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    MISSING_CLAIM = "missing_claim"
    BAD_CLAIM = "bad_claim"
    NOT_AN_ACCESS_TOKEN = "not_an_access_token"  # noqa: S105 - a reason
    SENDER_CONSTRAINED = "sender_constrained"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    TOO_OLD = "too_old"
    LIFETIME_TOO_LONG = "lifetime_too_long"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    REVOKED = "revoked"
    USER_REJECTED = "user_rejected"

    MISSING_SCOPE = "missing_scope"
    MISSING_ROLE = "missing_role"
    WRONG_CLAIM = "wrong_claim"
    STALE_AUTHENTICATION = "stale_authentication"
    TOO_MANY_FAILURES = "too_many_failures"

    FORGED_REQUEST = "forged_request"

    MALFORMED_REQUEST = "malformed_request"
    UNSUPPORTED_GRANT = "unsupported_grant"
    WRONG_CREDENTIALS = "wrong_credentials"
    WRONG_CLIENT = "wrong_client"
    SCOPE_NOT_GRANTED = "scope_not_granted"
    WRONG_REFRESH_TOKEN = "wrong_refresh_token"  # noqa: S105 - a reason
    SESSION_OVER = "session_over"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 - a reason

    STORE_UNAVAILABLE = "store_unavailable"
    USER_CHECK_FAILED = "user_check_failed"
    AUTHENTICATE_FAILED = "authenticate_failed"
    ACCOUNTS_UNAVAILABLE = "accounts_unavailable"
    MISCONFIGURED = "misconfigured"


def shown(value: object, limit: int = 80) -> str:
    """Make a value from outside fit for a log line: escaped to ASCII and cut to `limit` characters."""
    text = ascii(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def escaped(text: str, limit: int = 130) -> str:
    """Make a text from outside fit to stand in a line by itself: as `shown`, without quotes."""
    return shown(text, limit)[1:-1]


class JWTMiddlewareError(Exception):
    """The root of every exception this library raises on purpose."""


class ConfigurationError(JWTMiddlewareError):
    """The settings do not fit together; nothing was started.

    Attributes:
        problems: every problem found, one line each, naming variables and never values.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        super().__init__(f"jwt_middleware cannot start ({count}):\n" + "\n".join(f"  - {p}" for p in self.problems))


class Unavailable(JWTMiddlewareError):
    """The store, a file or a hook cannot answer, so nothing can be decided or promised: 503 with `Retry-After`.

    Attributes:
        reason: one of the last five of `Reason`.
        detail: what failed, for the operator; never a secret.
        user: whom the token speaks of, where it verified and only the store or the hook could not answer.
        issuer: the configured issuer whose key signed the token, where that is all that is known.
    """

    status: ClassVar[int] = 503
    code: ClassVar[str] = "temporarily_unavailable"
    user: User | None = None
    issuer: str | None = None

    def __init__(self, detail: str, reason: Reason = Reason.STORE_UNAVAILABLE) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class Refused(JWTMiddlewareError):
    """The request may not pass.

    Attributes:
        status: the HTTP status of the answer.
        code: the `error` in the body (RFC 6750 section 3.1).
        reason: the precise cause, one of `Reason`.
        detail: what was found and which setting it met, escaped and cut; for logs, never for clients.
        parameters: what the challenge says besides, from the settings alone.
        user: whom the token speaks of, where it verified and was refused all the same: revoked, or rejected by the
            app. Never from a token that did not verify.
        issuer: the configured issuer whose key signed the token, where that is all that was good.
        headers: what the answer carries besides, such as cookies to clear.
    """

    status: int
    code: str
    parameters: tuple[tuple[str, str], ...] = ()
    user: User | None = None
    issuer: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class NoCredential(Refused):
    """No credential was sent, or one of a scheme that is not ours (RFC 6750 section 3.1)."""

    status = 401
    code = "unauthorized"


class InvalidRequest(Refused):
    """The credential is not exactly scheme, space and token, or there are several (RFC 6750 section 3.1)."""

    status = 400
    code = "invalid_request"


class InvalidToken(Refused):
    """The token is malformed, not signed by us, expired, revoked, or not meant for us (RFC 6750 section 3.1)."""

    status = 401
    code = "invalid_token"


class InsufficientScope(Refused):
    """The token is good, but grants less than this request needs (RFC 6750 section 3.1).

    Args:
        reason: the precise cause.
        detail: for the log.
        scope: the scopes that would do, for the challenge; each must be a scope-token of RFC 6749 section 3.3.
    """

    status = 403
    code = "insufficient_scope"

    def __init__(self, reason: Reason, detail: str, scope: Sequence[str] = ()) -> None:
        super().__init__(reason, detail)
        self.parameters = (("scope", " ".join(scope)),) if scope else ()


class StaleAuthentication(Refused):
    """The token is good, but its user signed in too long ago for this request (RFC 9470 section 3).

    Args:
        detail: for the log.
        max_age: the most seconds since then.
    """

    status = 401
    code = "insufficient_user_authentication"

    def __init__(self, detail: str, max_age: int) -> None:
        super().__init__(Reason.STALE_AUTHENTICATION, detail)
        self.parameters = (("max_age", str(max_age)),)


class TooManyRequests(Refused):
    """Too many attempts have failed before this one, which failed too (RFC 6585 section 4).

    Args:
        detail: for the log.
        retry_after: whole seconds until there is room for another attempt.
    """

    status = 429
    code = "too_many_requests"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(Reason.TOO_MANY_FAILURES, detail)
        self.headers = (("Retry-After", str(retry_after)),)


class Forgery(Refused):
    """A cookie came with a request that our own pages may not have made (RFC 9700 section 4.7)."""

    status = 403
    code = "csrf_failed"

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.FORGED_REQUEST, detail)


class GrantRefused(Refused):
    """An endpoint of ours will not do what it was asked (RFC 6749 section 5.2).

    Args:
        code: the `error` in the body.
        reason: the precise cause.
        detail: for the log.
        status: of the answer.
    """

    def __init__(self, code: str, reason: Reason, detail: str, status: int = 400) -> None:
        super().__init__(reason, detail)
        self.code = code
        self.status = status
