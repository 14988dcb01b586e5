"""What happens at the gate, as the app is told of it: see `JWT_ON_EVENT`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jwt_middleware.errors import Reason


class EventName(StrEnum):
    """What happened: the closed list of names."""

    REQUEST_REFUSED = "request.refused"
    REQUEST_UNAVAILABLE = "request.unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. What does not apply to an event, or is not known, is `None`.

    Who sent a request is told only where the token had verified; of other tokens nothing is believed, nor repeated.
    `method` and `path` are as the client sent them: escape them before they go into a line (`json.dumps` does).

    Attributes:
        name: what happened.
        time: when, in seconds since the epoch.
        status: the HTTP status of the answer.
        error: the `error` in the answer's body, such as `invalid_token`.
        reason: the precise cause.
        detail: what was found and which setting it met, escaped and cut; never for clients.
        method: the request's method; `WEBSOCKET` for a handshake.
        path: the request's decoded path, without the query.
        address: the address at the other end of the connection: a proxy's, if there is one.
        issuer: the `iss` of the verified token.
        subject: the identity of its user.
        token_id: its `jti`.
        session_id: its `sid`.
    """

    name: EventName
    time: float
    status: int | None = None
    error: str | None = None
    reason: Reason | None = None
    detail: str | None = None
    method: str | None = None
    path: str | None = None
    address: str | None = None
    issuer: str | None = None
    subject: str | None = None
    token_id: str | None = None
    session_id: str | None = None
