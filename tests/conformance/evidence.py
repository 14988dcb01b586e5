"""What the conformance tests look at: a refusal with its status, its code and its precise reason."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

from jwt_middleware import Reason
from jwt_middleware.errors import Refused, Unavailable
from tests.token.forge import AUDIENCE, ISSUER, public_pem
from tests.worlds import Answer, World

STRICT = {"token_types": "strict", "issuer": ISSUER, "audience": AUDIENCE}
FULL = {"iss": ISSUER, "aud": AUDIENCE, "client_id": "web", "jti": "1"}  # what RFC 9068 asks for besides sub, exp, iat

_PARAMETER = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)="([^"\\]*)"(?:, |$)')


def public(kind: str, **settings: Any) -> dict[str, Any]:
    """Return the settings that verify by one public key."""
    return {"public_key": public_pem(kind), "allow_any_audience": True} | settings


def send(world: World, **request: Any) -> tuple[Answer, Refused | Unavailable | None]:
    """Send one request; return the answer, and the refusal behind it as the log would have it."""
    refusals = world.middleware._gate.refusals
    noted: list[Any] = []
    original = type(refusals).answer

    def note(refusal: Any, request: Any) -> Any:
        noted.append(refusal)
        return original(refusals, refusal, request)

    refusals.answer = note
    try:
        answer = world.request(**request)
    finally:
        del refusals.answer
    return answer, noted[0] if noted else None


def refused(
    world: World, reason: Reason, *, status: int = 401, error: str = "invalid_token", **request: Any
) -> Refused | Unavailable:
    """Send a request that must be refused for exactly this reason; return the refusal for a look at its detail."""
    answer, refusal = send(world, **request)
    assert (answer.status, answer.passed) == (status, False), (answer.status, refusal)
    assert answer.error == error
    assert refusal is not None
    assert refusal.reason is reason, (refusal.reason, refusal.detail)
    assert (answer.header("WWW-Authenticate") is None) is (status == 503)
    return refusal


def challenge(answer: Answer) -> tuple[str, list[tuple[str, str]]]:
    """Parse a challenge by the grammar of RFC 9110 section 11.6.1: its scheme, and its parameters in order."""
    scheme, _, rest = (answer.header("WWW-Authenticate") or "").partition(" ")
    parameters = _PARAMETER.findall(rest)
    assert ", ".join(f'{name}="{value}"' for name, value in parameters) == rest, rest
    return scheme, parameters


@pytest.fixture
def tripwire(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fail whatever looks up a name or opens a connection, and note it."""
    touched: list[str] = []

    def trip(name: str) -> Any:
        def tripped(*args: Any, **_: Any) -> Any:
            touched.append(f"{name} {args[1:]}")
            raise AssertionError(f"something called socket.{name}")

        return tripped

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, trip(name), raising=False)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, trip(name))
    return touched
