"""What both adapters say and check in the same words."""

from __future__ import annotations

import logging

from jwt_middleware.settings import Settings
from jwt_middleware.user import User

_logger = logging.getLogger("jwt_middleware")
_said: set[str] = set()


def announce(settings: Settings) -> None:
    """Say once per process what an operator would want to know at start."""
    if settings.store_url is None and settings.revocation is None:
        _say("JWT_STORE_URL is not set: tokens cannot be revoked before they expire (JWT_REVOCATION=off hides this)")
    if settings.allow_any_audience:
        _say("JWT_ALLOW_ANY_AUDIENCE is on: tokens meant for other services pass")


def _say(notice: str) -> None:
    if notice not in _said:
        _said.add(notice)
        _logger.warning("%s", notice)


def revocable(user: User) -> tuple[str, float]:
    """Return the `jti` and `exp` of a user's token.

    Raises:
        ValueError: an anonymous user has none. Passing over it would let a sign-out on an exempt
            path succeed while the token lives on.
    """
    if user.token_id is None:
        raise ValueError("this user came without a token that could be revoked")
    return user.token_id, user.claims["exp"]
