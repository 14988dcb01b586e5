"""The key ring follows its files: what is added, promoted or removed counts without a restart, and nothing by half."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import ConfigurationError, InvalidToken, Reason, Unavailable
from jwt_middleware.token import sources
from jwt_middleware.wsgi import JWTAuth
from tests.token.forge import AUDIENCE, jwk, jwks_file, private, private_pem, public_pem, token
from tests.worlds import SECRET, Clock

Later = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one key that signs."""
    made = tmp_path / "keys"
    made.mkdir()
    (made / "a.pem").write_text(private_pem("ES256"))
    return made


@pytest.fixture
def auth(folder: Path, ticks: Clock) -> JWTAuth:
    """The folder's settings as an object."""
    return JWTAuth(keys_dir=folder, allow_any_audience=True, clock=Clock())


def kid_of(issued: str) -> str:
    from base64 import urlsafe_b64decode

    kid: str = json.loads(urlsafe_b64decode(issued.split(".")[0] + "=="))["kid"]
    return kid


def kids(auth: JWTAuth) -> list[str | None]:
    return [key.kid for key in auth.core.keys.verifying.keys]


def signed(kid: str, kind: str) -> str:
    return token(key=private(kind), alg=kind.removeprefix("other "), header={"kid": kid})


# --- following -------------------------------------------------------------------------------------------------------


def test_the_files_are_looked_at_once_a_second(auth: JWTAuth, folder: Path, ticks: Clock) -> None:
    """Within a second nothing is looked at, whoever asks; then the next one who asks takes the new ring."""
    (folder / "b.next.pem").write_text(private_pem("EdDSA"))
    ticks.now += 0.9
    assert not auth.core.keychain.refresh()
    assert kids(auth) == ["a"]
    ticks.now += 0.2
    assert auth.core.keychain.refresh()
    assert kids(auth) == ["a", "b"]
    ticks.now += 2
    assert not auth.core.keychain.refresh(), "nothing has changed since"


def test_a_rotation_from_beginning_to_end(auth: JWTAuth, folder: Path, ticks: Clock) -> None:
    """Published, signing, retired: tokens follow the key that signs, and end with it."""
    first = auth.issue("42")
    (folder / "b.next.pem").write_text(private_pem("EdDSA"))
    ticks.now += 2
    assert kid_of(auth.issue("42")) == "a"
    assert auth.verify(signed("b", "EdDSA")).identity == "42"
    (folder / "b.next.pem").rename(folder / "b.pem")
    ticks.now += 2
    second = auth.issue("42")
    assert kid_of(second) == "b"
    (folder / "a.pem").rename(folder / "a.old.pem")
    (folder / "a.old.pem").write_text(public_pem("ES256"))
    ticks.now += 2
    assert [auth.verify(text).identity for text in (first, second)] == ["42", "42"]
    (folder / "a.old.pem").unlink()
    ticks.now += 2
    assert auth.verify(second).identity == "42"
    with pytest.raises(InvalidToken) as caught:
        auth.verify(first)
    assert caught.value.reason in (Reason.UNKNOWN_KEY, Reason.WRONG_ALGORITHM)


def test_an_unknown_key_is_looked_for_at_once(auth: JWTAuth, folder: Path) -> None:
    """Another process may have made the key and the token since the last look: nobody is refused for that."""
    (folder / "b.next.pem").write_text(private_pem("ES384"))
    assert auth.verify(signed("b", "ES384")).identity == "42", "its algorithm was unknown, too"
    (folder / "c.next.pem").write_text(private_pem("other ES256"))
    assert auth.verify(signed("c", "other ES256")).identity == "42"
    with pytest.raises(InvalidToken) as caught:
        auth.verify(signed("d", "ES256"))
    assert caught.value.reason is Reason.UNKNOWN_KEY


def test_strangers_cannot_make_us_read_the_folder(
    auth: JWTAuth, folder: Path, ticks: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown keys can be named by anybody: while the folder is at rest, two system calls answer; a new key is seen."""
    later = time.time_ns() + 10**10
    monkeypatch.setattr(sources, "time_ns", lambda: later)  # so that the last change is old enough to be told apart
    ticks.now += 2
    auth.core.keychain.refresh()
    looks: list[int] = []
    look = sources.look
    monkeypatch.setattr(sources, "look", lambda settings: looks.append(1) or look(settings))
    for _ in range(10):
        with pytest.raises(InvalidToken):
            auth.verify(signed("b", "EdDSA"))
    assert looks == []
    (folder / "b.next.pem").write_text(private_pem("EdDSA"))
    assert auth.verify(signed("b", "EdDSA")).identity == "42"
    assert looks


def test_a_change_too_young_to_be_told_from_the_next_is_looked_at(
    auth: JWTAuth, folder: Path, ticks: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File systems count in milliseconds or seconds: two changes may bear one time, and the second is not missed."""
    moment = time.time_ns()
    monkeypatch.setattr(sources.folder, "traits", lambda _: (1, 1, moment, moment))
    ticks.now += 2
    auth.core.keychain.refresh()
    (folder / "b.next.pem").write_text(private_pem("EdDSA"))
    assert auth.verify(signed("b", "EdDSA")).identity == "42"


def test_other_refusals_look_at_nothing(auth: JWTAuth, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad signature of a known key, or a text that is no token, is no reason to touch the disk."""
    monkeypatch.setattr(sources, "look", None)
    for text in (signed("a", "other ES256"), "x.y.z", token(key=SECRET, header={"alg": "ES256", "typ": "X"})):
        with pytest.raises(InvalidToken):
            auth.verify(text)


def test_keys_of_settings_are_never_looked_for(ticks: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret or a PEM in a variable cannot change, so nothing is looked at."""
    monkeypatch.setattr(sources, "look", lambda _: frozenset())
    auth = JWTAuth(secret_key=SECRET, clock=Clock())
    monkeypatch.setattr(sources, "look", None)
    ticks.now += 1000
    assert not auth.core.keychain.refresh()
    assert not auth.core.keychain.refresh(at_once=True)
    assert auth.verify(auth.issue("42")).identity == "42"


def test_a_jwk_set_file_is_followed_too(tmp_path: Path, ticks: Clock) -> None:
    """A set that was fetched again counts at once; keys that left it are gone."""
    auth = JWTAuth(jwks_file=jwks_file(tmp_path, jwk("ES256", kid="a")), allow_any_audience=True, clock=Clock())
    jwks_file(tmp_path, jwk("ES256", kid="a"), jwk("EdDSA", kid="b"))
    assert auth.verify(signed("b", "EdDSA")).identity == "42"
    jwks_file(tmp_path, jwk("EdDSA", kid="b"))
    ticks.now += 2
    with pytest.raises(InvalidToken):
        auth.verify(signed("a", "ES256"))


def test_a_relative_path_stays_where_it_was(
    folder: Path, ticks: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server may change its directory after the start."""
    monkeypatch.chdir(tmp_path)
    auth = JWTAuth(keys_dir="keys", allow_any_audience=True, clock=Clock())
    monkeypatch.chdir("/")
    (folder / "b.next.pem").write_text(private_pem("EdDSA"))
    ticks.now += 2
    assert auth.core.keychain.refresh()
    assert kids(auth) == ["a", "b"]
    assert caplog.records == []


def test_what_was_learnt_of_headers_goes_with_the_ring(auth: JWTAuth, folder: Path, ticks: Clock) -> None:
    """The same header text with another key of that name means that key, and no more the one before."""
    before = signed("a", "ES256")
    assert auth.verify(before).identity == "42"
    (folder / "a.pem").write_text(private_pem("other ES256"))
    ticks.now += 2
    assert auth.verify(signed("a", "other ES256")).identity == "42"
    with pytest.raises(InvalidToken) as caught:
        auth.verify(before)
    assert caught.value.reason is Reason.BAD_SIGNATURE


def test_listeners_hear_of_a_loss_and_of_nothing_else(auth: JWTAuth, folder: Path, ticks: Clock) -> None:
    """What is remembered goes only if a key has gone, or is another one; the new ring is in force before they hear."""
    heard: list[list[str | None]] = []
    auth.core.keychain.listen(lambda: heard.append(kids(auth)))

    def after(change: Callable[[], object]) -> int:
        change()
        ticks.now += 2
        assert auth.core.keychain.refresh()
        return len(heard)

    assert after(lambda: (folder / "b.next.pem").write_text(private_pem("EdDSA"))) == 0
    assert after(lambda: (folder / "b.next.pem").rename(folder / "b.pem")) == 0
    assert after(lambda: (folder / "a.pem").rename(folder / "a.old.pem")) == 0
    assert after(lambda: (folder / "a.old.pem").write_text(public_pem("ES256"))) == 0
    assert after(lambda: (folder / "a.old.pem").unlink()) == 1
    assert after(lambda: (folder / "b.pem").write_text(private_pem("ES256"))) == 2
    assert heard == [["b"], ["b"]]


# --- failing ---------------------------------------------------------------------------------------------------------


def _empty(folder: Path) -> None:
    (folder / "a.pem").unlink()


def _vanish(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "half-written": (
        lambda folder: (folder / "b.pem").write_text(private_pem("EdDSA")[:60]),
        "file b.pem, is not a PEM",
    ),
    "weak": (lambda folder: (folder / "b.pem").write_text(private_pem("RSA-1024")), "file b.pem, has 1024 bits"),
    "emptied": (_empty, "JWT_KEYS_DIR holds no key"),
    "vanished": (_vanish, "JWT_KEYS_DIR is not a folder"),
    "mixed": (lambda folder: (folder / "b.secret").write_text(SECRET), "one verifier has one kind"),
    "another-kind": (
        lambda folder: ((folder / "a.pem").unlink(), (folder / "a.secret").write_text(SECRET)),
        "secrets and public keys took each other's place, which needs a restart",
    ),
}


@pytest.mark.parametrize(("spoil", "complaint"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_changes_nothing(
    spoil: Callable[[Path], object], complaint: str, auth: JWTAuth, folder: Path, ticks: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The old keys stay in force, and one line of the log says why, however long it lasts."""
    issued = auth.issue("42")
    spoil(folder)
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            ticks.now += 2
            assert not auth.core.keychain.refresh()
            assert auth.verify(issued).identity == "42"
            assert auth.verify(auth.issue("42"))
    (line,) = (record for record in caplog.records if record.levelno >= logging.WARNING)
    assert line.levelno == logging.ERROR
    assert line.getMessage().startswith("the keys changed and cannot be used, so the old ones stay in force: ")
    assert complaint in line.getMessage()
    assert "PRIVATE" not in caplog.text


def test_it_goes_on_when_the_files_are_good_again(
    auth: JWTAuth, folder: Path, ticks: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Another try as soon as a file changes, and each trouble is told once, as is its end."""
    half = folder / "b.pem"
    with caplog.at_level(logging.INFO):
        for text in (private_pem("EdDSA")[:60], private_pem("EdDSA")[:61], private_pem("EdDSA")):
            half.write_text(text)
            ticks.now += 2
            auth.core.keychain.refresh()
    assert kids(auth) == ["a", "b"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "INFO"]
    assert caplog.records[-1].getMessage() == "the keys were read again: 2 verify, b signs"


def test_a_folder_that_is_as_it_was_needs_no_reading(
    auth: JWTAuth, folder: Path, ticks: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """What was spoilt and put back (a folder moved away and back) is the ring that was in force all the time."""
    ring = auth.core.keys
    _vanish(folder)
    ticks.now += 2
    auth.core.keychain.refresh()
    folder.with_name("elsewhere").rename(folder)
    ticks.now += 2
    auth.core.keychain.refresh()
    assert auth.core.keys is ring
    assert caplog.records[-1].getMessage() == "the keys can be used again"


def test_a_failure_that_nobody_can_see_is_tried_again(
    auth: JWTAuth, folder: Path, ticks: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file handle left, say: the files look as before, so they are read again in half a minute, not each second."""
    (folder / "b.pem").write_text(private_pem("EdDSA"))
    tries: list[int] = []
    load = sources.load

    def out_of_handles(_: Any, problems: list[str], __: Any) -> Any:
        tries.append(1)
        problems.append("JWT_KEYS_DIR, file b.pem, cannot be read")
        return auth.core.keys

    monkeypatch.setattr(sources, "load", out_of_handles)
    for _ in range(29):
        ticks.now += 1
        assert not auth.core.keychain.refresh()
        assert not auth.core.keychain.refresh(at_once=True), "nor does an unknown key make us read in vain"
    assert len(tries) == 1
    monkeypatch.setattr(sources, "load", load)
    ticks.now += 2
    assert auth.core.keychain.refresh()
    assert kids(auth) == ["a", "b"]


def test_files_that_change_while_they_are_read_are_read_again(
    auth: JWTAuth, folder: Path, ticks: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key on its way from one name to another would be missing from a list that was begun before."""
    names, seen = iter(["b.next.pem", "b.pem"]), []
    read = sources._read

    def while_it_changes(*arguments: Any) -> Any:
        ring = read(*arguments)
        seen.append([key.kid for key in ring.verifying.keys])
        if name := next(names, None):
            (folder / name).write_text(private_pem("EdDSA"))
        return ring

    monkeypatch.setattr(sources, "_read", while_it_changes)
    (folder / "c.next.pem").write_text(private_pem("ES384"))
    ticks.now += 2
    assert auth.core.keychain.refresh()
    assert seen == [["a", "c"], ["a", "b", "c"], ["a", "b", "c"]]
    assert kids(auth) == seen[-1]


def test_files_that_never_stand_still_are_a_problem(
    auth: JWTAuth, folder: Path, ticks: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for ever: the old keys stay."""
    count = iter(range(1000))
    monkeypatch.setattr(sources, "look", lambda _: frozenset({(next(count),)}))
    ticks.now += 2
    assert not auth.core.keychain.refresh()
    assert "JWT_KEYS_DIR or JWT_JWKS_FILE changes faster than it can be read" in caplog.text


# --- losing the key that signs ---------------------------------------------------------------------------------------


def test_when_the_signing_key_was_taken_away_nothing_is_signed(auth: JWTAuth, folder: Path, ticks: Clock) -> None:
    """Somebody removed it by hand, since it was stolen: it is gone, and issuing says so until another one signs."""
    (folder / "b.next.pem").write_text(private_pem("EdDSA"))
    signer = auth.core.signer
    (folder / "a.pem").unlink()
    ticks.now += 2
    with pytest.raises(Unavailable) as caught:
        signer.issue("42")
    assert caught.value.reason is Reason.MISCONFIGURED
    with pytest.raises(ConfigurationError, match="issuing needs"):
        auth.issue("42")
    (folder / "b.next.pem").rename(folder / "b.pem")
    ticks.now += 2
    assert auth.verify(signer.issue("42")).identity == "42"


def test_the_log_says_who_signs(folder: Path, ticks: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody, or a key by its name."""
    auth = JWTAuth(keys_dir=folder, audience=AUDIENCE)
    with caplog.at_level(logging.INFO):
        (folder / "a.pem").write_text(public_pem("ES256"))
        ticks.now += 2
        auth.core.keychain.refresh()
    assert caplog.records[-1].getMessage() == "the keys were read again: 1 verify, none signs"
