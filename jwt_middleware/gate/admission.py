"""One request at the gate: what it must bring, and the answer if it does not.

An adapter asks `recall` first, unless the gate is `guarded`; everything else is here, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

from jwt_middleware.errors import ConfigurationError, InvalidRequest, NoCredential, Reason, Refused, Unavailable
from jwt_middleware.gate.authenticator import Authenticator
from jwt_middleware.gate.cache import Credential
from jwt_middleware.gate.journal import Journal
from jwt_middleware.gate.replies import Replies, Reply
from jwt_middleware.gate.rules import Need, Rules, Verdict
from jwt_middleware.gate.transport import Transport
from jwt_middleware.settings import Settings
from jwt_middleware.user import ANONYMOUS, User

_A_TOKEN = Verdict(Need.TOKEN, (), "no rule")
_NEVER_IN_A_PREFLIGHT = (
    "cookie", "transfer-encoding", "x-http-method-override", "x-http-method", "x-method-override",
)  # fmt: skip


class Request(ABC):
    """What the gate looks at: a view of a scope or an environ, read only as far as a decision needs it.

    Attributes:
        credential: the header that carries the token, as the server gave it; several joined by a comma.
    """

    __slots__ = ("credential",)

    def __init__(self, credential: Credential | None) -> None:
        self.credential = credential

    @property
    @abstractmethod
    def method(self) -> str:
        """The method as it was sent; `WEBSOCKET` for a handshake."""

    @property
    def is_handshake(self) -> bool:
        """Whether it opens a WebSocket, and is no HTTP request whose method is called so."""
        return False

    @property
    @abstractmethod
    def path(self) -> str:
        """The decoded path, for the log."""

    @property
    @abstractmethod
    def path_in_app(self) -> str | None:
        """The decoded path relative to the app; `None` where that cannot be told."""

    @property
    @abstractmethod
    def raw_path(self) -> bytes:
        """The path as it was sent, without the query, where the server tells."""

    @property
    @abstractmethod
    def scheme(self) -> str:
        """The scheme of the connection that the server accepted."""

    @property
    @abstractmethod
    def peer(self) -> str:
        """The address at the other end of it; empty for a Unix socket."""

    @abstractmethod
    def values(self, name: str) -> Sequence[str]:
        """Return the values of a header, by its lower-case name."""

    @property
    def origin(self) -> str | None:
        """The one origin it names, if it names one."""
        origins = self.values("origin")
        return origins[0] if len(origins) == 1 else None

    @property
    def is_preflight(self) -> bool:
        """Whether it is a CORS preflight as browsers send it (Fetch standard, CORS-preflight fetch).

        Exactly OPTIONS, one origin, one asked method; no credential, no cookie, no body, and no header by which an
        app might take it for another method.
        """
        return (
            self.credential is None
            and self.method == "OPTIONS"
            and bool(self.origin)
            and len(asked := self.values("access-control-request-method")) == 1
            and bool(asked[0])
            and not any(self.values(name) for name in _NEVER_IN_A_PREFLIGHT)
            and "".join(self.values("content-length")) in ("", "0")
        )


class Gate:
    """Lets a request in as somebody or as anonymous, or says why not.

    Attributes:
        guarded: whether even a known token must be looked at twice (exempt paths, rules, HTTPS).
        recall: the hot path: a known credential's user, from memory alone.
        header_name: the header that carries the token.
        problem: why this gate is closed to everyone, if it is.
    """

    problem: ConfigurationError | None = None

    def __init__(
        self, settings: Settings, authenticator: Authenticator, rules: Rules, clock: Callable[[], float]
    ) -> None:
        self._authenticator = authenticator
        self._rules = rules
        self._clock = clock
        self._transport = Transport(settings.trusted_proxies)
        self._require_https = settings.require_https
        self._preflight = settings.cors_preflight
        self._replies = Replies(settings.realm, settings.header_type, settings.allowed_origins)
        self._journal = Journal()
        self.guarded = self._require_https or rules.binding
        self.header_name = settings.header_name
        self.recall = authenticator.cache.recall

    async def admit(self, request: Request) -> User:
        """Return whom to let in.

        Raises:
            Refused: the request may not pass.
            Unavailable: that cannot be decided.
        """
        verdict = self._verdict(request) if self._rules.any else _A_TOKEN
        if verdict.need is Need.NOTHING or (self._preflight and request.is_preflight):
            return ANONYMOUS
        if self._require_https and request.credential is not None:
            self._check_transport(request)
        try:
            user = await self._user(request)
        except NoCredential:
            if verdict.need is Need.OPTIONAL:
                return ANONYMOUS
            raise
        for demand in verdict.demands:
            demand.check(user, self._clock())
        return user

    def _verdict(self, request: Request) -> Verdict:
        return self._rules.verdict(
            request.method, request.path_in_app, request.raw_path, handshake=request.is_handshake
        )

    async def _user(self, request: Request) -> User:
        known = self.recall(request.credential) if self.guarded and request.credential is not None else None
        return known or await self._authenticator.authenticate(request.credential)

    def _check_transport(self, request: Request) -> None:
        if not self._transport.is_secure(request.scheme, request.peer, request.values("x-forwarded-proto")):
            seen = f"scheme {request.scheme} from {request.peer or 'a Unix socket'}"
            raise InvalidRequest(Reason.INSECURE_TRANSPORT, f"{seen}, JWT_REQUIRE_HTTPS=true (JWT_TRUSTED_PROXIES?)")

    def refuse(self, refusal: Refused | Unavailable, request: Request) -> Reply:
        """Log a refusal and return the answer to it."""
        self._journal.note(refusal, request.method, request.path)
        return self._replies.to(refusal, request.origin)


class AnyGate(Protocol):
    """What an adapter needs of a gate, open or closed."""

    guarded: bool
    header_name: str
    problem: ConfigurationError | None

    def recall(self, credential: Credential) -> User | None:
        """Return a known credential's user."""

    async def admit(self, request: Request) -> User:
        """Return whom to let in."""

    def refuse(self, refusal: Refused | Unavailable, request: Request) -> Reply:
        """Return the answer to a refusal."""


class ClosedGate:
    """The gate of a middleware whose settings do not fit: nobody passes, and the log says why."""

    guarded = True
    header_name = "Authorization"

    def __init__(self, problem: ConfigurationError) -> None:
        self.problem: ConfigurationError | None = problem
        self._detail = "; ".join(problem.problems)
        self._replies = Replies("api", "Bearer")
        self._journal = Journal()

    def recall(self, credential: Credential) -> User | None:
        """Know nobody."""
        return None

    async def admit(self, request: Request) -> NoReturn:
        """Raise `Unavailable`, always."""
        raise Unavailable(self._detail, Reason.MISCONFIGURED)

    def refuse(self, refusal: Refused | Unavailable, request: Request) -> Reply:
        """Log a refusal and return the answer to it."""
        self._journal.note(refusal, request.method, request.path)
        return self._replies.to(refusal, request.origin)
