"""The hook that may reject a verified user: disabled, deleted, moved to another tenant (RFC 8725 section 3.8).

Asked once for each token, then remembered as long as the token itself: `JWT_CACHE_SECONDS` bounds how long a
user who was disabled meanwhile still passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jwt_middleware.errors import InvalidToken, Reason
from jwt_middleware.gate.appfunction import AppFunction
from jwt_middleware.truth.io import IO
from jwt_middleware.user import User

Check = Callable[[User], bool | Awaitable[bool]]


class UserCheck:
    """Asks the app whether a verified user may pass.

    Params:
        given: the app's function, or `package.module:function`.
        io: the port; a function that blocks is offloaded.
    """

    def __init__(self, given: Check | str, io: IO) -> None:
        self._ask = AppFunction("JWT_CHECK_USER", given, io, Reason.USER_CHECK_FAILED)

    async def __call__(self, user: User) -> None:
        """Let the user pass, or raise.

        Raises:
            InvalidToken: the function did not say `True`.
            Unavailable: it raised, or cannot be found: nothing can be decided.
        """
        if await self._ask(user) is not True:
            raise InvalidToken(Reason.USER_REJECTED, "JWT_CHECK_USER did not say True")
