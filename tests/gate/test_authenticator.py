"""The cold path: what is remembered of a verified token, for how long, and what a revocation in between does to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import InvalidToken, Reason, User
from jwt_middleware.gate.cache import Credential
from tests.token.forge import claims, token
from tests.worlds import NOW, Clock, World

Protect = Callable[..., World]


def until(world: World, text: str) -> float | None:
    """The moment up to which a token is remembered, if it is."""
    cache, value = world.auth.core.authenticator.cache, f"Bearer {text}"
    credential: Credential = value.encode() if world.name == "asgi" else value
    entry = cache.peek(credential)
    return None if entry is None else entry.until


@pytest.mark.parametrize(
    ("settings", "changes", "end"),
    [
        pytest.param({}, {}, NOW + 30, id="cache-time"),
        pytest.param({"cache_seconds": 7}, {}, NOW + 7, id="another-cache-time"),
        pytest.param({"cache_seconds": 600, "leeway": 5}, {"exp": NOW + 60}, NOW + 65, id="expiry-and-leeway"),
        pytest.param({"max_age": 60, "leeway": 5}, {"iat": NOW - 50}, NOW + 15, id="age-and-leeway"),
        pytest.param({"max_age": 600, "cache_seconds": 7}, {"iat": NOW - 50}, NOW + 7, id="age-far-off"),
    ],
)
def test_what_comes_first_ends_an_entry(
    protect: Protect, settings: dict[str, Any], changes: dict[str, Any], end: float
) -> None:
    """Expiry, age and cache time are one number, the least of the three."""
    world, text = protect(**settings), token(claims(**changes))
    assert world.request(token=text).passed
    assert until(world, text) == end


@pytest.mark.parametrize("revoked", [False, True])
def test_a_revocation_while_a_token_is_verified_is_not_overlooked(
    protect: Protect, tmp_path: Path, revoked: bool
) -> None:
    """The store said yes, then somebody revoked, and only then came the time to remember: it is not remembered."""
    world: World

    def meanwhile(user: User) -> bool:
        if revoked:
            world.auth.core.authenticator.cache.evict([f"of {user.identity}"])  # as any revocation of this process does
        return True

    world = protect(check_user=meanwhile, store_url=f"sqlite:///{tmp_path}/store.db")
    text = world.auth.issue("42")
    assert world.request(token=text).passed
    assert (until(world, text) is None) is revoked


def test_a_token_from_elsewhere_is_not_remembered(protect: Protect) -> None:
    """`verify` answers for one that came in no header, and leaves memory as it was."""
    world = protect()
    text = world.auth.issue("42")
    assert world.verify(text).identity == "42"
    assert len(world.auth.core.authenticator.cache) == 0


@pytest.mark.parametrize(("given", "kind"), [(b"a.b.c", "bytes"), (None, "NoneType")], ids=["bytes", "none"])
def test_what_is_no_text_is_no_token(protect: Protect, given: Any, kind: str) -> None:
    """`verify` says so, rather than to raise what no caller expects."""
    with pytest.raises(InvalidToken) as caught:
        protect().verify(given)
    assert (caught.value.reason, caught.value.detail) == (Reason.MALFORMED, f"a token is a text, this is '{kind}'")


def test_a_text_that_no_token_can_be_is_refused(protect: Protect) -> None:
    """Letters beyond ASCII stand in no token, and raise nothing else."""
    world = protect()
    with pytest.raises(InvalidToken) as caught:
        world.verify(world.auth.issue("42")[:-1] + "\u0436")
    assert (caught.value.reason, caught.value.detail) == (Reason.MALFORMED, "a part is not canonical base64url")


def test_memory_answers_alone_only_where_there_is_no_store(protect: Protect, tmp_path: Path, clock: Clock) -> None:
    """With a store each request asks it, and the claims verified before are reused."""
    world = protect(store_url=f"sqlite:///{tmp_path}/store.db")
    text = world.auth.issue("42")
    user = world.request(token=text).user
    authenticator = world.auth.core.authenticator
    assert authenticator.cache.good_until == 0
    assert world.request(token=text).user is user
    world.revoke_subject("42")
    assert world.request(token=text).status == 401
