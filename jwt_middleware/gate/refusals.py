"""What becomes of a refusal: everyone concerned is told, and the client gets its answer."""

from __future__ import annotations

from jwt_middleware.errors import Refused, Unavailable
from jwt_middleware.events import Event, EventName
from jwt_middleware.gate.hook import EventHook
from jwt_middleware.gate.journal import Journal
from jwt_middleware.gate.replies import Replies, Reply
from jwt_middleware.gate.request import Request
from jwt_middleware.gate.tally import Tallies
from jwt_middleware.user import ANONYMOUS, User


class Refusals:
    """Counts each refusal, tells the log and the app's hook of it, and returns the answer to it."""

    def __init__(self, replies: Replies, tallies: Tallies | None = None, hook: EventHook | None = None) -> None:
        self._replies = replies
        self._tallies = tallies or Tallies()
        self._journal = Journal()
        self._hook = hook

    def answer(self, refusal: Refused | Unavailable, request: Request) -> Reply:
        """Return the answer to a refusal, once it has been told."""
        user = request.user or refusal.user  # the latter where a good token was refused before anybody was identified
        self._tallies.refuse(refusal, user)
        self._journal.note(refusal, request.method, request.path)
        if self._hook is not None:
            self._hook.tell(_event(refusal, request, user or ANONYMOUS, self._hook.clock()))
        return self._replies.to(refusal, request.origin)

    def readable(self, reply: Reply, request: Request) -> Reply:
        """Return an answer of ours that the page which asked may read, if its origin is allowed."""
        return self._replies.readable(reply, request.origin)


def _event(refusal: Refused | Unavailable, request: Request, user: User, now: float) -> Event:
    unavailable = isinstance(refusal, Unavailable)
    return Event(
        name=EventName.REQUEST_UNAVAILABLE if unavailable else EventName.REQUEST_REFUSED,
        time=now,
        status=refusal.status,
        error=refusal.code,
        reason=refusal.reason,
        detail=refusal.detail,
        method=request.method,
        path=request.path,
        address=request.peer or None,
        issuer=user.issuer,
        subject=user.identity or None,
        token_id=user.token_id,
        session_id=user.session_id,
    )
