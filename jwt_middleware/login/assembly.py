"""From settings to signing in: what must be configured together, and the endpoints that this makes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from jwt_middleware import parsing
from jwt_middleware.gate.authenticator import Authenticator
from jwt_middleware.gate.cookies import Cookies
from jwt_middleware.gate.transport import Transport
from jwt_middleware.gate.usercheck import UserCheck
from jwt_middleware.login.clients import ClientsFile
from jwt_middleware.login.endpoints import Endpoints
from jwt_middleware.login.sessions import Sessions
from jwt_middleware.login.users import Authority
from jwt_middleware.settings import Settings
from jwt_middleware.token.refresh import RefreshTokens
from jwt_middleware.token.signer import OURS, Signer
from jwt_middleware.token.sources import KeyRing
from jwt_middleware.truth.io import IO
from jwt_middleware.truth.revocation import Revocation
from jwt_middleware.truth.sessions import SessionStore
from jwt_middleware.truth.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What signing in is made of.

    Attributes:
        marks: the store itself, where tries are counted.
        store: the keeper of sessions in it.
    """

    settings: Settings
    store: SessionStore
    revocation: Revocation
    signer: Signer
    authenticator: Authenticator
    tokens: RefreshTokens
    check_user: UserCheck | None
    cookies: Cookies | None
    authority: Authority | None
    clients: ClientsFile | None
    marks: Store
    io: IO
    clock: Callable[[], float]


def problems(settings: Settings, keys: KeyRing) -> list[str]:
    """Return what signing in and cookies lack."""
    found = []
    if "cookies" in settings.token_location and keys.signing is None:
        found.append("JWT_TOKEN_LOCATION=cookies needs a key that signs: CSRF tokens are made with it")
    if not (settings.authenticate or settings.users_file or settings.clients_file):
        return found
    if keys.signing is None:
        found.append("signing in needs a key that signs: JWT_PRIVATE_KEY, JWT_KEYS_DIR or JWT_SECRET_KEY")
    if settings.store_url is None or settings.revocation == "off":
        found.append("signing in needs JWT_STORE_URL, and JWT_REVOCATION not off: a session must be able to end")
    if settings.identity_claim in OURS - {"sub"}:
        found.append("JWT_IDENTITY_CLAIM names a claim that says something else: a machine could pass for a user")
    if settings.issuer is None or not settings.audience:
        found.append("signing in issues tokens of RFC 9068: set JWT_ISSUER and JWT_AUDIENCE")
    try:
        parsing.rate(settings.login_attempts)
    except ValueError as problem:
        needs = "JWT_LOGIN_ATTEMPTS" if "extra" not in str(problem) else "signing in"
        found.append(f"{needs} {problem}")
    return found


def sessions(parts: Parts) -> Sessions:
    """Make what begins, renews, lists and ends sessions."""
    return Sessions(
        parts.settings, store=parts.store, revocation=parts.revocation, signer=parts.signer,
        authenticator=parts.authenticator, tokens=parts.tokens, authority=parts.authority,
        check_user=parts.check_user, io=parts.io, clock=parts.clock,
    )  # fmt: skip


def endpoints(parts: Parts, sessions: Sessions) -> Endpoints:
    """Make the endpoints."""
    from jwt_middleware.login.throttle import Throttle  # it loads the library `limits`

    settings = parts.settings
    transport = Transport(settings.trusted_proxies)
    return Endpoints(
        settings.auth_prefix, sessions, authority=parts.authority, clients=parts.clients, cookies=parts.cookies,
        throttle=Throttle(settings, parts.marks, transport, parts.io, at_once=_at_once(settings)),
        headers="headers" in settings.token_location,
    )  # fmt: skip


def _at_once(settings: Settings) -> int:
    """How many may be authenticated at a time: hashing takes a core and 64 MiB, a function of the app's waits."""
    return 16 if settings.authenticate else max(2, os.cpu_count() or 1)
