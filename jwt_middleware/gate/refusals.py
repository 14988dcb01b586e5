"""What becomes of a refusal: everyone concerned is told, and the client gets its answer."""

from __future__ import annotations

from jwt_middleware.errors import Refused, Unavailable
from jwt_middleware.gate.journal import Journal
from jwt_middleware.gate.replies import Replies, Reply
from jwt_middleware.gate.request import Request


class Refusals:
    """Tells the log of each refusal and returns the answer to it."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._journal = Journal()

    def answer(self, refusal: Refused | Unavailable, request: Request) -> Reply:
        """Return the answer to a refusal, once it has been told."""
        self._journal.note(refusal, request.method, request.path)
        return self._replies.to(refusal, request.origin)
