"""The port between the core and the world, and the loop-less way to drive the core.

The core is written once, as coroutines against `IO`. An ASGI server awaits them; a WSGI server
drives the very same coroutines with `run`, because no verb of the blocking IO ever suspends.
What may not enter here: policy. A port carries a question out and an answer back.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
MakeIO = Callable[[str | None, float], "IO"]  # from the URL of a Redis, if any, and the time-out in seconds


class IO(Protocol):
    """What the core may ask of the world. Failures of any client library arrive as `Unavailable`.

    Attributes:
        suspends: whether coroutines may suspend here, so that an app's own may be awaited.
    """

    suspends: bool

    async def redis(self, *command: str | bytes | int | float) -> Any:
        """Send one command and return the reply, within the store's time-out for the whole operation.

        Raises:
            Unavailable: no answer in time, or an answer that is an error.
        """

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""

    async def offload(self, function: Callable[[], T]) -> T:
        """Call a function that may block for milliseconds without stalling other requests."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine to its end in the calling thread, without an event loop.

    Raises:
        RuntimeError: the coroutine suspended, so it awaited something that is not the blocking IO.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("the core awaited something other than its IO port")
