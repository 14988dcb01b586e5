"""Corners that no story passes through, each reached on purpose: with them the rooms are covered to the last branch."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

import jwt_middleware
from jwt_middleware import ConfigurationError, InvalidToken, Reason
from jwt_middleware.gate.admission import ClosedGate
from jwt_middleware.gate.cache import Cache, Entry
from jwt_middleware.token.formats import from_pem, generate, public_members, to_jwk
from jwt_middleware.token.keys import KeyProblem, KeySet, from_secret
from jwt_middleware.token.secrets import objection
from jwt_middleware.user import User
from tests.token.forge import claims, private, public_pem, refusal, token, verifying
from tests.worlds import NOW, SECRET, Clock, World

Protect = Callable[..., World]


def test_a_required_claim_of_null_is_missing() -> None:
    """JWT_REQUIRED_CLAIMS asks for a value, and null is none."""
    error = refusal(verifying(required_claims="tenant"), token(claims(tenant=None)))
    assert (error.reason, error.detail) == (Reason.MISSING_CLAIM, "token has tenant=null, JWT_REQUIRED_CLAIMS")


def test_an_empty_jti_is_told_from_one_of_a_wrong_type() -> None:
    """All tokens with an empty name would be revoked by one revocation, and the log says what is wrong."""
    error = refusal(verifying(), token(claims(jti="")))
    assert (error.reason, error.detail) == (Reason.BAD_CLAIM, "token has an empty jti")


def test_a_key_set_knows_its_family() -> None:
    """One verifier has one kind of keys: secrets, or public keys."""
    assert KeySet([from_secret(SECRET.encode(), ())]).symmetric
    assert not KeySet([from_pem(public_pem("ES256"), ())]).symmetric


def test_an_encrypted_private_key_is_no_secret_either() -> None:
    """Whoever holds its passphrase is not the only one to hold its bytes."""
    der = private("ES256").private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
    assert "is a public or private key" in str(objection(der))


def test_wrapping_ends_after_three_layers() -> None:
    """A secret that unwraps for ever is still judged in bounded time, and a random one is none of ours to object to."""
    secret = "nV8vQ2kD5xJtC0aZpY7rLwE3uHbG6mFs"
    for _ in range(5):
        secret = secret.encode().hex()
    assert objection(secret.encode()) is None


def test_without_a_cache_each_request_is_verified(protect: Protect) -> None:
    """JWT_CACHE_SECONDS=0 remembers nothing, and lets the same token in again."""
    world = protect(cache_seconds=0)
    assert [world.request(token=token()).status for _ in range(2)] == [200, 200]
    assert len(world.auth.core.authenticator.cache) == 0


def test_a_forked_child_has_a_lock_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever thread held it when the process forked does not exist in the child."""
    hooks = []
    monkeypatch.setattr(os, "register_at_fork", lambda *, after_in_child: hooks.append(after_in_child))
    cache = Cache(2**20, Clock())
    with cache._lock:  # held by a thread that the child does not have
        hooks[0]()
        thread = threading.Thread(target=cache.remember, args=("a", Entry(User("42"), NOW + 30), 0))
        thread.start()
        thread.join(10)
        assert cache.recall("a") is not None


def test_a_system_without_fork_has_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `os.register_at_fork`."""
    monkeypatch.delattr(os, "register_at_fork")
    assert Cache(2**20, Clock()).remember("a", Entry(User("42"), NOW + 30), 0)


def test_each_eviction_counts() -> None:
    """What was verified between two evictions is as stale after the second as what was verified before the first."""
    cache, known = Cache(2**20, Clock()), Entry(User("42"), NOW + 30, ("u|42",))
    assert cache.remember("a", known, cache.epoch)
    cache.evict(["u|42"])
    between = cache.epoch
    cache.evict(["u|43"])
    assert (between, cache.epoch, known.until) == (1, 2, 0.0)
    assert not cache.remember("b", known, between)


def test_the_old_generation_is_peeked_at_too() -> None:
    """An entry that has aged is reused like a young one."""
    cache, known = Cache(6000, Clock()), Entry(User("42"), NOW + 30)
    for name in "ab":
        assert cache.remember(name, known, cache.epoch)
    assert cache.remember("c", known, cache.epoch)
    assert cache.peek("a") is known


def test_memory_ends_at_the_moment_it_was_good_until(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment itself is already too late."""
    cache = Cache(2**20, Clock(), good_until=5.0)
    cache.remember("a", Entry(User("42"), NOW + 30), 0)
    monkeypatch.setattr("jwt_middleware.gate.cache.monotonic", lambda: 5.0)
    assert cache.recall("a") is None


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"sub": 5}, "token has sub=5, not a text"),
        ({"nbf": "x", "iat": ...}, "token has nbf='x', not a date"),
        ({"cnf": {}}, "token has cnf: it is bound to a key that we cannot check"),
        ({}, "token has aud=none, JWT_AUDIENCE=a,b"),
    ],
)
def test_a_detail_is_exact(changes: dict[str, Any], detail: str) -> None:
    """The operator reads the claim, its value and the setting it met."""
    assert refusal(verifying(audience=("b", "a")), token(claims(**changes))).detail == detail


def test_two_parts_are_counted_as_two() -> None:
    """A token of two parts, none of them empty."""
    assert refusal(verifying(), "a.b").detail == "a signed token has three parts, this one 2"


def test_a_published_key_says_what_it_is_for() -> None:
    """RFC 7517 section 4: use and alg, so that nobody has to guess."""
    key = from_pem(public_pem("EdDSA"), (), "k")
    assert to_jwk(key) == {**public_members(key.public), "kid": "k", "use": "sig", "alg": "EdDSA"}


@pytest.mark.parametrize(
    ("pem", "problem"),
    [
        ("\ud800", "is not a PEM key that we understand"),
        ("encrypted", "is an encrypted private key: give it without a passphrase"),
    ],
)
def test_a_pem_that_cannot_be_read_is_a_problem_of_ours(pem: str, problem: str) -> None:
    """No exception of another's, and the whole sentence."""
    if pem == "encrypted":
        secret = BestAvailableEncryption(b"passphrase")
        pem = private("ES256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret).decode()
    with pytest.raises(KeyProblem) as caught:
        from_pem(pem, ())
    assert str(caught.value) == problem


def test_no_keys_accept_no_algorithm() -> None:
    """An empty set says so."""
    with pytest.raises(InvalidToken) as caught:
        KeySet([]).candidates("HS256", None)
    assert caught.value.detail == "token has alg='HS256', accepted: none"


def test_new_rsa_keys_have_3072_bits() -> None:
    """NIST SP 800-57: good beyond 2030."""
    assert from_pem(generate("RS256").decode(), ()).public.key_size == 3072


def test_a_closed_gate_knows_nobody() -> None:
    """Even an adapter that asked its memory first would find nobody in it."""
    assert ClosedGate(ConfigurationError(["no key"])).recall(f"Bearer {token()}") is None


def _executed(name: str) -> ModuleType:
    """Execute an adapter's file as a module of another name, so that the one in use stays as it is."""
    spec = importlib.util.spec_from_file_location(f"another_{name}", f"{jwt_middleware.__path__[0]}/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_the_module_wraps_what_jwt_app_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`jwt_middleware.asgi:app` with JWT_APP is that app, behind the gate."""
    monkeypatch.setenv("JWT_APP", f"tests.test_corners:{name}_app")
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    assert _executed(name).app.app is globals()[f"{name}_app"]


async def asgi_app(scope, receive, send):
    """Something to wrap."""


def wsgi_app(environ, start_response):
    """Something to wrap."""
