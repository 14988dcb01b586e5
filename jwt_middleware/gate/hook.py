"""The app's function that is told of events: `JWT_ON_EVENT`.

It is told after everything has been decided, so nothing that it does changes an answer. It is a plain function in both
worlds and is called inline, so it must not block: it may write to a log or put the event into a queue.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from time import monotonic

from jwt_middleware import target
from jwt_middleware.events import Event

_logger = logging.getLogger("jwt_middleware")
_QUIET_SECONDS = 60.0
_ASYNC = "JWT_ON_EVENT is async and was not run: it must be a plain function, which may start a task of its own"

Hook = Callable[[Event], object]


class EventHook:
    """Tells the app's function of events.

    Args:
        given: the function, or `package.module:function`; looked up at first use, since the app's module may still
            be loading before.
        clock: seconds since the epoch, for whoever makes an event.
    """

    def __init__(self, given: Hook | str, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._given = given
        self._hook: Hook | None = None
        self._said: dict[str, float] = {}

    def tell(self, event: Event) -> None:
        """Call the function. What it raises is logged, by its type alone, once per minute and type."""
        try:
            self._hook = self._hook or target.function(self._given)
            result = self._hook(event)
        except Exception as error:  # noqa: BLE001 - of whatever kind: the answer stands
            what = "raised" if self._hook is not None else "cannot be found:"
            self._complain(f"JWT_ON_EVENT {what} {type(error).__name__}")
            return
        if inspect.iscoroutine(result):
            result.close()
            self._complain(_ASYNC)

    def _complain(self, problem: str) -> None:
        now = monotonic()
        last = self._said.get(problem)
        if last is None or now - last >= _QUIET_SECONDS:
            self._said[problem] = now
            _logger.error("%s (more of these are not logged for a minute)", problem)
