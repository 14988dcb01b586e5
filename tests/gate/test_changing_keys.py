"""Requests while the keys change: nobody is refused for a key that is there, nor let in by one that is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import InvalidToken, Reason, User
from tests.token.forge import private, private_pem, public_pem, token
from tests.worlds import Clock, World

Protect = Callable[..., World]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two keys: one has signed, one signs."""
    made = tmp_path / "keys"
    made.mkdir()
    (made / "a.old.pem").write_text(public_pem("ES256"))
    (made / "b.pem").write_text(private_pem("EdDSA"))
    return made


@pytest.fixture
def world(protect: Protect, folder: Path, ticks: Clock) -> World:
    return protect(keys_dir=folder, allow_any_audience=True)


def of(kid: str, kind: str) -> str:
    return token(key=private(kind), alg=kind, header={"kid": kid})


def test_a_key_that_is_gone_takes_its_remembered_tokens_with_it(world: World, folder: Path, ticks: Clock) -> None:
    """As soon as anything but memory is asked; a worker that needs only memory has the next test's bound."""
    old = of("a", "ES256")
    assert world.request(token=old).status == 200
    (folder / "a.old.pem").unlink()
    ticks.now += 2
    assert world.request(token=old).status == 200, "memory alone answered"
    assert world.request(token=of("b", "EdDSA")).status == 200, "a new token: the files are looked at"
    assert world.request(token=old).error == "invalid_token"


def test_remembered_tokens_end_on_their_own(world: World, folder: Path, ticks: Clock, clock: Any) -> None:
    """The bound: JWT_CACHE_SECONDS, and a second in which nobody looks."""
    old = of("a", "ES256")
    assert world.request(token=old).status == 200
    (folder / "a.old.pem").unlink()
    ticks.now += 31
    clock.now += 31
    assert world.request(token=old).error == "invalid_token"


def test_with_a_store_the_next_request_notices(protect: Protect, folder: Path, ticks: Clock, tmp_path: Path) -> None:
    """Where each request asks the store, each looks at the keys on the way, once a second."""
    url = f"sqlite:///{tmp_path}/store.db"
    world = protect(keys_dir=folder, allow_any_audience=True, store_url=url)
    old = token({"sub": "42", "iat": 3_999_996_000, "exp": 3_999_996_600, "jti": "1"}, private("ES256"), "ES256",
                {"kid": "a"})  # fmt: skip
    assert world.request(token=old).status == 200
    (folder / "a.old.pem").unlink()
    ticks.now += 2
    assert world.request(token=old).error == "invalid_token"


def test_a_key_that_goes_during_a_verification_is_not_remembered(
    world: World, folder: Path, ticks: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signature was checked by a key that another thread then saw go: the token passes once, and is not kept."""
    core = world.auth.core
    verify = core.verifier.verify

    def overtaken(text: bytes) -> User:
        user = verify(text)
        (folder / "a.old.pem").unlink(missing_ok=True)
        ticks.now += 2
        core.keychain.refresh()
        return user

    monkeypatch.setattr(core.verifier, "verify", overtaken)
    assert world.request(token=of("a", "ES256")).status == 200
    assert len(core.authenticator.cache) == 0
    assert world.request(token=of("a", "ES256")).error == "invalid_token"


def test_a_key_that_has_just_come_is_known(world: World, folder: Path) -> None:
    """Another worker made the key and the token a moment ago: the token passes, here and by `auth.verify`."""
    (folder / "c.next.pem").write_text(private_pem("ES384"))
    assert world.request(token=of("c", "ES384")).status == 200
    (folder / "d.next.pem").write_text(private_pem("ES512"))
    assert world.verify(of("d", "ES512")).identity == "42"


def test_an_unknown_key_stays_unknown(world: World) -> None:
    """Looking does not help a stranger."""
    assert world.request(token=of("x", "EdDSA")).error == "invalid_token"
    with pytest.raises(InvalidToken) as caught:
        world.verify(of("x", "EdDSA"))
    assert caught.value.reason is Reason.UNKNOWN_KEY


def test_a_new_key_evicts_nobody(world: World, folder: Path, ticks: Clock) -> None:
    """What was verified by a key that is still there is still remembered."""
    known = of("b", "EdDSA")
    assert world.request(token=known).status == 200
    (folder / "c.next.pem").write_text(private_pem("ES384"))
    ticks.now += 2
    assert world.request(token=of("c", "ES384")).status == 200
    assert len(world.auth.core.authenticator.cache) == 2


def test_a_key_that_another_thread_has_just_found_is_enough(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the new ring between our verdict by the old one and our look, which then finds nothing new."""
    core = world.auth.core
    judge = core.verifier.verify

    def overtaken(text: bytes) -> User:
        try:
            return judge(text)
        except InvalidToken:
            core.keychain.refresh(at_once=True)  # the other thread
            raise

    monkeypatch.setattr(core.verifier, "verify", overtaken)
    (folder / "c.pem").write_text(private_pem("ES384"))
    assert world.request(token=of("c", "ES384")).status == 200
