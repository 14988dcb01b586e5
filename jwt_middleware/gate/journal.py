"""One line in the log for each refusal, that tells the operator which setting it met, and no token.

Ten lines per reason and minute, then a count: an attacker must not fill the disk, nor hide in noise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from jwt_middleware.errors import Reason, Refused, Unavailable, escaped

_logger = logging.getLogger("jwt_middleware")
_LINES = 10
_WINDOW_SECONDS = 60.0


class Journal:
    """Writes refusals to the logger `jwt_middleware`: WARNING for a refusal, ERROR for a 503."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._windows: dict[Reason, list[float]] = {}  # reason → [window's start, refusals in it]

    def note(self, refusal: Refused | Unavailable, method: str, path: str) -> None:
        """Log one refusal of a request, unless this minute has had enough of its kind."""
        count = self._count(refusal.reason)
        if count > _LINES:
            return
        more = " (more of these are only counted for a minute)" if count == _LINES else ""
        level = logging.ERROR if isinstance(refusal, Unavailable) else logging.WARNING
        where = f"{escaped(method)} {escaped(path)}"
        _logger.log(level, "%d %s %s: %s%s", refusal.status, where, refusal.reason, refusal.detail, more)

    def _count(self, reason: Reason) -> int:
        now = self._now()
        window = self._windows.get(reason)
        if window is None or now - window[0] >= _WINDOW_SECONDS:
            self._windows[reason] = [now, 1]
            if window is not None and window[1] > _LINES:
                _logger.warning("%s: %d more such refusals were not logged one by one", reason, window[1] - _LINES)
            return 1
        window[1] += 1
        return int(window[1])
