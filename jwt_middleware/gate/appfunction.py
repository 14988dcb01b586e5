"""A function of the app's that a setting names: found at first use, and never trusted to end well."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from jwt_middleware import target
from jwt_middleware.errors import Reason, Unavailable
from jwt_middleware.truth.io import IO


class AppFunction:
    """Asks a function of the app's, plain or (under ASGI) async.

    Params:
        setting: the variable that names it, for messages.
        given: the function, or `package.module:function`; looked up at first use, since the app's module may still
            be loading before.
        io: the port; a function that blocks is offloaded.
        reason: why nothing can be decided when it fails.
    """

    def __init__(self, setting: str, given: Callable[..., Any] | str, io: IO, reason: Reason) -> None:
        self._setting = setting
        self._given = given
        self._io = io
        self._reason = reason
        self._function: Callable[..., Any] | None = None

    async def __call__(self, *arguments: Any) -> Any:
        """Return what the function returns.

        Raises:
            Unavailable: it raised, or cannot be found. Its own words stay out of the detail.
        """
        try:
            return await self._ask(arguments)
        except Unavailable:
            raise
        except Exception as error:
            raise self.failure(f"raised {type(error).__name__}") from error

    def failure(self, what: str) -> Unavailable:
        """Return the exception that says what this function did, such as `raised KeyError`."""
        return Unavailable(f"{self._setting} {what}", self._reason)

    async def _ask(self, arguments: tuple[Any, ...]) -> Any:
        function = self._function = self._function or target.function(self._given)
        if inspect.iscoroutinefunction(function):
            if not self._io.suspends:
                raise self.failure("is async: under WSGI it must be a plain function")
            return await function(*arguments)
        return await self._io.offload(lambda: function(*arguments))
