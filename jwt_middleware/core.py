"""The composition root: settings in, a working gate out, or every problem at once.

Everything below is built here and nowhere else; both adapters and the commands start from it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from jwt_middleware.errors import ConfigurationError
from jwt_middleware.gate import forwarding, rulebook
from jwt_middleware.gate.admission import Gate, Service
from jwt_middleware.gate.authenticator import Authenticator
from jwt_middleware.gate.cookies import Cookies
from jwt_middleware.gate.hook import EventHook
from jwt_middleware.gate.metrics import Metrics
from jwt_middleware.gate.usercheck import UserCheck
from jwt_middleware.login import assembly, clients, users
from jwt_middleware.login.assembly import Parts
from jwt_middleware.login.published import PublishedKeys
from jwt_middleware.login.sessions import Sessions
from jwt_middleware.settings import Settings, load
from jwt_middleware.token import claims as policy
from jwt_middleware.token import sources
from jwt_middleware.token.claims import ClaimsPolicy
from jwt_middleware.token.keychain import Keychain
from jwt_middleware.token.refresh import RefreshTokens
from jwt_middleware.token.signer import Signer
from jwt_middleware.token.sources import KeyRing
from jwt_middleware.token.verifier import Verifier
from jwt_middleware.truth import stores
from jwt_middleware.truth.io import MakeIO
from jwt_middleware.truth.revocation import Revocation
from jwt_middleware.truth.store import Store

if TYPE_CHECKING:
    from jwt_middleware.truth.rates import RateLimit

PUBLIC_SOURCES = frozenset({"public_key", "private_key", "keys_dir", "jwks_file"})
Clock = Callable[[], float]


class Core:
    """Everything that settings make, without any I/O so far.

    Raises:
        ConfigurationError: with every problem of the settings and the keys.
    """

    def __init__(
        self,
        make_io: MakeIO,
        keywords: Mapping[str, object],
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Clock = time.time,
    ) -> None:
        loaded = load(environ, keywords)
        problems = loaded.problems
        self.settings = settings = loaded.settings
        self.origins = loaded.origins
        keys = sources.load(settings, problems)
        public = not PUBLIC_SOURCES.isdisjoint(loaded.origins) and not keys.verifying.symmetric
        problems += policy.problems(settings, has_public_keys=public)
        problems += stores.problems(settings)
        problems += forwarding.problems(settings)
        rules = rulebook.load(settings, problems)
        services = _scrape(settings, problems)
        self.authority = users.authority(settings, make_io(None, settings.store_timeout), problems)
        self.clients = clients.clients(settings, make_io(None, settings.store_timeout), problems)
        problems += assembly.problems(settings, keys)
        if problems:
            raise ConfigurationError(problems)
        self.keychain = Keychain(settings, keys)
        store = stores.named(settings, make_io, clock)
        self.revocation = _revocation(settings, store, clock, signs=keys.signing is not None)
        claims = ClaimsPolicy(settings, revocable=self.revocation is not None)
        self.verifier = Verifier(self.keychain, claims, settings, clock)
        check = _user_check(settings, make_io)
        self.authenticator = Authenticator(settings, self.keychain, self.verifier, self.revocation, clock, check)
        self.event_hook = _event_hook(settings, clock)
        self._signer = Signer(self.keychain, claims, settings, clock)
        self.sessions: Sessions | None = None
        tokens = RefreshTokens(
            lambda: self.keychain.current.refresh_secrets, lambda: self.keychain.refresh(at_once=True)
        )
        cookies = Cookies(settings, tokens) if "cookies" in settings.token_location else None
        if store is not None and (self.authority or self.clients):
            parts = Parts(
                settings=settings, store=store.sessions(_service(settings)), revocation=self.revoker,
                signer=self.signer, authenticator=self.authenticator, tokens=tokens, check_user=check, cookies=cookies,
                io=make_io(None, settings.store_timeout), clock=clock, authority=self.authority, clients=self.clients,
                marks=store,
            )  # fmt: skip
            self.sessions = assembly.sessions(parts)
            services.append(assembly.endpoints(parts, self.sessions))
        services += _published(settings, self.keychain)
        failures = _limit(settings.failed_attempts, "failed", store)
        self.gate = Gate(
            settings, self.authenticator, rules, clock,
            services=services, hook=self.event_hook, failures=failures, cookies=cookies,
        )  # fmt: skip

    @property
    def keys(self) -> KeyRing:
        """The keys in force."""
        return self.keychain.current

    @property
    def signer(self) -> Signer:
        """What issues tokens.

        Raises:
            ConfigurationError: no configured key can sign.
        """
        if self.keys.signing is None:
            raise ConfigurationError(
                ["issuing needs JWT_SECRET_KEY, JWT_PRIVATE_KEY or a key that signs in JWT_KEYS_DIR"]
            )
        return self._signer

    @property
    def revoker(self) -> Revocation:
        """What revokes tokens.

        Raises:
            ConfigurationError: there is no store to keep revocations in.
        """
        if self.revocation is None:
            raise ConfigurationError(["revoking needs JWT_STORE_URL, and JWT_REVOCATION not off"])
        return self.revocation


def _published(settings: Settings, keychain: Keychain) -> list[Service]:
    """What publishes our public keys, where there are any."""
    ours = keychain.current.published and settings.jwks_path
    return [PublishedKeys(settings.jwks_path, keychain)] if ours else []


def _revocation(settings: Settings, store: Store | None, clock: Clock, *, signs: bool) -> Revocation | None:
    if store is None or settings.revocation == "off":
        return None
    ahead = 0 if signs else settings.leeway
    return Revocation(store, settings.issuer, stores.horizon(settings), clock, ahead)


def _limit(rate: Any, kind: str, store: Store | None) -> RateLimit | None:
    if rate is None or store is None:
        return None
    from jwt_middleware.truth.rates import RateLimit

    return RateLimit(rate, kind, store)


def _service(settings: Settings) -> str:
    """Name whose sessions these are: a refresh token is good for the service that gave it, and no other."""
    return "\n".join((settings.issuer or "-", *settings.audience[:1]))


def _user_check(settings: Settings, make_io: MakeIO) -> UserCheck | None:
    given = settings.check_user
    if given is None:
        return None
    return UserCheck(given, make_io(None, settings.store_timeout))


def _event_hook(settings: Settings, clock: Clock) -> EventHook | None:
    given = settings.on_event
    return None if given is None else EventHook(given, clock)


def _scrape(settings: Settings, problems: list[str]) -> list[Service]:
    """Return what Prometheus asks, if it may."""
    if settings.metrics_path is None:
        return []
    from jwt_middleware.gate.scrape import Scrape

    try:
        return [Scrape(settings.metrics_path, settings.trusted_proxies)]
    except ImportError:
        problems.append('JWT_METRICS_PATH needs the metrics extra: pip install "pyjwt-middleware[metrics]"')
        return []


class Issuer:
    """What both `JWTAuth` classes share: issuing is pure, so it is the same function in both worlds."""

    def __init__(self, make_io: MakeIO, clock: Clock, settings: Mapping[str, Any]) -> None:
        self.core = Core(make_io, settings, clock=clock)

    @property
    def metrics(self) -> Metrics:
        """The counts of this process, for `prometheus_client`'s `REGISTRY.register`; needs the extra `metrics`."""
        return self.core.gate.metrics

    def issue(
        self,
        subject: str,
        *,
        scope: str | Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        expires_in: float | None = None,
    ) -> str:
        """Make a signed access token (RFC 9068 section 2). Nothing is stored, no store is asked.

        A token issued in the same second as `revoke_subject` is revoked with the others: the
        cut-off is whole seconds.

        Args:
            subject: who it speaks of (`sub`, and the identity claim if that is another).
            scope: what it grants, separated by spaces or as an iterable.
            claims: further claims, such as `name`, `roles` or `sid`.
            expires_in: its life in seconds; default `JWT_ACCESS_TOKEN_EXPIRES`.

        Returns:
            The token as text.

        Raises:
            ConfigurationError: no configured key can sign.
            ValueError: an empty subject, a claim that is ours to set, or too long a token.
            Unavailable: the key that signed was taken from JWT_KEYS_DIR while we ran, and no other came.
        """
        return self.core.signer.issue(subject, scope=scope, claims=claims, expires_in=expires_in)


Auth = TypeVar("Auth", bound=Issuer)


def chosen(kind: type[Auth], auth: object, clock: Clock | None, settings: Mapping[str, Any]) -> Auth:
    """Return the settings object that a middleware was given, or make one of `kind` from its settings.

    Raises:
        ConfigurationError: both were given, or the object is of the other world; or the settings do not fit.
    """
    if auth is None:
        arguments: dict[str, Any] = dict(settings) | ({} if clock is None else {"clock": clock})
        return kind(**arguments)
    if settings or clock is not None:
        raise ConfigurationError(["give either auth= or settings, not both"])
    if not isinstance(auth, kind):
        raise ConfigurationError([f"auth= must be a JWTAuth of {kind.__module__}"])
    return auth
