"""Whose word counts for HTTPS: each hop that a trusted proxy names, and nobody else's."""

from __future__ import annotations

import pytest

from jwt_middleware.gate.transport import Transport
from jwt_middleware.parsing import networks


@pytest.mark.parametrize(
    ("values", "secure"),
    [
        (["https"], True),
        (["https, WSS"], True),
        (["https,https", "https"], True),
        (["https,http"], False),
        (["https", "http"], False),
        (["https http"], False),
        ([""], False),
    ],
)
def test_every_hop_must_have_been_encrypted(values: list[str], secure: bool) -> None:
    """Several values, and several hops in one of them."""
    assert Transport(networks("10.0.0.0/8")).is_secure("http", "10.1.2.3", values) is secure


@pytest.mark.parametrize(
    ("trusted", "peer", "secure"),
    [
        ("", "10.1.2.3", False),
        ("unix", "10.1.2.3", False),
        ("unix", "", True),
        ("10.0.0.0/8", "", False),
        ("192.0.2.1,10.0.0.0/8", "10.1.2.3", True),
        ("::1", "::1", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "::10.1.2.3", False),
        ("10.0.0.0/8", "unix", False),
    ],
)
def test_only_a_trusted_proxy_s_word_counts(trusted: str, peer: str, secure: bool) -> None:
    """By its address, or by the Unix socket it came through."""
    assert Transport(networks(trusted)).is_secure("http", peer, ["https"]) is secure


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("wss", True), ("http", False), ("HTTPS", False)])
def test_without_a_proxy_s_word_the_server_s_counts(scheme: str, secure: bool) -> None:
    """The server itself knows how the connection came."""
    assert Transport(()).is_secure(scheme, "203.0.113.9", []) is secure
