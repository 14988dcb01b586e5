"""One request at the gate: what it must bring, and the answer if it does not.

An adapter asks `recall` first, unless the gate is `guarded` or the path may be `own`; everything else is here, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from jwt_middleware.errors import (
    ConfigurationError,
    InvalidRequest,
    InvalidToken,
    NoCredential,
    Reason,
    Refused,
    Unavailable,
)
from jwt_middleware.gate.attempts import FailedAttempts
from jwt_middleware.gate.authenticator import Authenticator
from jwt_middleware.gate.cache import Credential
from jwt_middleware.gate.cookies import Cookies
from jwt_middleware.gate.forwarding import Forwarding
from jwt_middleware.gate.hook import EventHook
from jwt_middleware.gate.metrics import Metrics
from jwt_middleware.gate.refusals import Refusals
from jwt_middleware.gate.replies import Replies, Reply
from jwt_middleware.gate.request import Request
from jwt_middleware.gate.rules import Need, Paths, Rules, Verdict, is_ambiguous
from jwt_middleware.gate.transport import Transport
from jwt_middleware.settings import Settings
from jwt_middleware.user import ANONYMOUS, User, set_current

if TYPE_CHECKING:
    from jwt_middleware.truth.rates import RateLimit

_A_TOKEN = Verdict(Need.TOKEN, (), "no rule")


class Service(Protocol):
    """Something that we answer ourselves, beside the app."""

    @property
    def paths(self) -> Sequence[str]:
        """Where, relative to the app, in the form of `JWT_EXEMPT_PATHS`."""

    async def answer(self, request: Request, gate: Gate) -> Reply:
        """Return the answer to a request for one of the paths.

        Raises:
            Refused: the request may not have it.
            Unavailable: that cannot be decided.
        """


class Gate:
    """Lets a request in as somebody or as anonymous, answers it itself, or says why not.

    Attributes:
        guarded: whether even a known token must be looked at twice (exempt paths, rules, HTTPS).
        own: tells whether a path may be one that we answer ourselves; `None` where there is none.
        recall: the hot path: a known credential's user, from memory alone.
        header_name: the header that carries the token.
        forwarding: what puts claims into the app's request headers; `None` where none are.
        refusals: what makes a refusal into an answer.
        metrics: what has been counted, for a registry of Prometheus.
        problem: why this gate is closed to everyone, if it is.
    """

    problem: ConfigurationError | None = None

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        rules: Rules,
        clock: Callable[[], float],
        services: Sequence[Service] = (),
        hook: EventHook | None = None,
        failures: RateLimit | None = None,
        cookies: Cookies | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._rules = rules
        self._clock = clock
        self._transport = Transport(settings.trusted_proxies)
        self._require_https = settings.require_https
        self._preflight = settings.cors_preflight
        self._attempts = FailedAttempts(failures, self._transport) if failures else None
        self._cookies = cookies
        self._by_header = "headers" in settings.token_location
        self._scheme = f"{settings.header_type} " if settings.header_type else ""
        self._services = [(Paths(service.paths), service) for service in services]
        self._tallies = authenticator.tallies
        replies = Replies(settings.realm, settings.header_type, settings.allowed_origins)
        self.refusals = Refusals(replies, self._tallies, hook)
        self.guarded = self._require_https or rules.binding or cookies is not None
        self.metrics = Metrics(self._tallies, authenticator.cache, guarded=self.guarded)
        self.own = _any_of([path.removesuffix("**") for service in services for path in service.paths])
        self.header_name = settings.header_name
        self.forwarding = Forwarding(settings) if settings.forward_claims else None
        self.recall = authenticator.cache.recall

    async def handle(self, request: Request) -> User | Reply:
        """Return whom to let in, or what to answer instead."""
        set_current(ANONYMOUS)  # or this thread's last user would be seen by who logs a refusal
        try:
            if self.own is not None and (service := self._service(request)) is not None:
                return await service.answer(request, self)
            user = await self._admit(request)
        except (Refused, Unavailable) as refusal:
            return self.refusals.answer(await self._weighed(refusal, request), request)
        self._tallies.admit(user)
        return user

    async def _weighed(self, refusal: Refused | Unavailable, request: Request) -> Refused | Unavailable:
        if self._attempts is None or isinstance(refusal, Unavailable):
            return refusal
        return await self._attempts.weigh(refusal, request)

    def _service(self, request: Request) -> Service | None:
        path = request.path_in_app
        if path is None or request.is_handshake or is_ambiguous(path, request.raw_path):
            return None
        return next((service for paths, service in self._services if paths.match(path)), None)

    async def _admit(self, request: Request) -> User:
        verdict = self._verdict(request) if self._rules.any else _A_TOKEN
        if verdict.need is Need.NOTHING or (self._preflight and request.is_preflight):
            return ANONYMOUS
        try:
            user = await self.identify(request)
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

    async def identify(self, request: Request) -> User:
        """Return who sends a request, whatever the path.

        Raises:
            NoCredential, InvalidRequest, InvalidToken: nobody that we know.
            Unavailable: that cannot be decided.
        """
        if request.credential is not None and self._by_header:
            return await self._holder(request, request.credential)
        token = self._cookies.find(request, self._cookies.access) if self._cookies else None
        if self._cookies is None:
            return await self._authenticator.authenticate(None)
        if not token:
            where = f"no {self.header_name} header and " if self._by_header else "JWT_TOKEN_LOCATION=cookies, "
            raise NoCredential(Reason.MISSING, f"{where}no cookie {self._cookies.access}")
        try:
            user = await self._holder(request, self._scheme + token)
        except InvalidToken as refusal:
            refusal.headers = self._cookies.access_cleared()
            raise
        self._cookies.check(request, user)
        return user

    async def _holder(self, request: Request, credential: Credential) -> User:
        self.check_transport(request)
        known = self.recall(credential) if self.guarded else None
        request.user = known or await self._authenticator.authenticate(credential)
        return request.user

    def check_transport(self, request: Request) -> None:
        """Let a request pass that came over HTTPS, or need not.

        Raises:
            InvalidRequest: it did not, and JWT_REQUIRE_HTTPS is on.
        """
        if self._require_https and not self._transport.is_secure(
            request.scheme, request.peer, request.values("x-forwarded-proto")
        ):
            seen = f"scheme {request.scheme} from {request.peer or 'a Unix socket'}"
            raise InvalidRequest(Reason.INSECURE_TRANSPORT, f"{seen}, JWT_REQUIRE_HTTPS=true (JWT_TRUSTED_PROXIES?)")


def _any_of(parts: Sequence[str]) -> Callable[[str], object] | None:
    """Return what finds any of these in a path: wherever the app is mounted, and in a microsecond's tenth."""
    return re.compile("|".join(map(re.escape, parts))).search if parts else None


class AnyGate(Protocol):
    """What an adapter needs of a gate, open or closed."""

    guarded: bool
    own: Callable[[str], object] | None
    header_name: str
    forwarding: Forwarding | None
    problem: ConfigurationError | None

    def recall(self, credential: Credential) -> User | None:
        """Return a known credential's user."""

    async def handle(self, request: Request) -> User | Reply:
        """Return whom to let in, or what to answer instead."""


class ClosedGate:
    """The gate of a middleware whose settings do not fit: nobody passes, and the log says why."""

    guarded = True
    own: Callable[[str], object] | None = None
    header_name = "Authorization"
    forwarding: Forwarding | None = None

    def __init__(self, problem: ConfigurationError) -> None:
        self.problem: ConfigurationError | None = problem
        self._detail = "; ".join(problem.problems)
        self._refusals = Refusals(Replies("api", "Bearer"))

    def recall(self, credential: Credential) -> User | None:
        """Know nobody."""
        return None

    async def handle(self, request: Request) -> Reply:
        """Answer 503, always."""
        set_current(ANONYMOUS)
        return self._refusals.answer(Unavailable(self._detail, Reason.MISCONFIGURED), request)
