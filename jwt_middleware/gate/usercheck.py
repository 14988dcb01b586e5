"""The hook that may reject a verified user: disabled, deleted, moved to another tenant (RFC 8725 section 3.8).

Asked once for each token, then remembered as long as the token itself: `JWT_CACHE_SECONDS` bounds how long a
user who was disabled meanwhile still passes.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from jwt_middleware.errors import InvalidToken, Reason, Unavailable
from jwt_middleware.truth.io import IO
from jwt_middleware.user import User

Check = Callable[[User], bool | Awaitable[bool]]


class UserCheck:
    """Asks the app whether a verified user may pass.

    Args:
        find: returns the app's function; called at first use, since the app's module may still be loading before.
        io: the port; a function that blocks is offloaded.
    """

    def __init__(self, find: Callable[[], Check], io: IO) -> None:
        self._find = find
        self._io = io
        self._check: Check | None = None

    async def __call__(self, user: User) -> None:
        """Let the user pass, or raise.

        Raises:
            InvalidToken: the function did not say `True`.
            Unavailable: it raised, or cannot be found: nothing can be decided.
        """
        try:
            verdict = await self._ask(user)
        except Unavailable:
            raise
        except Exception as error:
            detail = f"JWT_CHECK_USER raised {type(error).__name__}"
            raise Unavailable(detail, Reason.USER_CHECK_FAILED) from error
        if verdict is not True:
            raise InvalidToken(Reason.USER_REJECTED, "JWT_CHECK_USER did not say True")

    async def _ask(self, user: User) -> Any:
        check = self._check = self._check or self._find()
        if inspect.iscoroutinefunction(check):
            if not self._io.suspends:
                detail = "JWT_CHECK_USER is async: under WSGI it must be a plain function"
                raise Unavailable(detail, Reason.USER_CHECK_FAILED)
            return await check(user)
        return await self._io.offload(lambda: check(user))
