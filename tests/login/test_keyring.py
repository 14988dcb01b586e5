"""Keys of our own, step by step: published, signing, retired; whatever is cut short, and whoever else is at it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import ConfigurationError
from jwt_middleware.login.keyring import PUBLISH_SECONDS, SLACK_SECONDS, Keyring, NotNow
from jwt_middleware.token.derivation import derived
from jwt_middleware.token.folder import State
from jwt_middleware.wsgi import JWTAuth
from tests.token.forge import private_pem, public_pem

ROOT = Path(__file__).parents[2]
LIFETIME = 930.0  # seconds: 15 minutes and the leeway
DAY = 86400.0


class Later:
    """The real time, which files carry, and what the test adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def ring(folder: Path, later: Later) -> Keyring:
    """A ring with its first key."""
    made = Keyring(folder, clock=later)
    made.new()
    return made


def states(ring: Keyring) -> list[str]:
    """Return the states of the keys, oldest first; the one that signs as `signs`."""
    return ["signs" if entry.signs else str(entry.file.state) for entry in ring.entries()]


def app(folder: Path) -> JWTAuth:
    """Start an app on the folder, as it is."""
    return JWTAuth(keys_dir=folder, allow_any_audience=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def grow_old(folder: Path, seconds: float) -> None:
    """Let every file have been there for so long."""
    for path in folder.iterdir():
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))


# --- the steps -------------------------------------------------------------------------------------------------------


def test_the_first_key_signs_at_once(folder: Path) -> None:
    """Nobody can have seen another: with it comes a key for refresh tokens, all for their owner alone."""
    file, made = Keyring(folder).new()
    assert made
    assert file.state is State.CURRENT
    assert names(folder) == [file.name, "refresh.key"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    auth = app(folder)
    assert auth.verify(auth.issue("42")).identity == "42"
    assert len(auth.core.keys.refresh_secrets) == 1


def test_a_further_key_waits(ring: Keyring) -> None:
    """`new` makes one next key and no second one, however often it is called."""
    file, made = ring.new()
    assert (file.state, made) == (State.NEXT, True)
    assert ring.new() == (file, False)
    assert states(ring) == ["signs", "next"]


def test_a_rotation(ring: Keyring, folder: Path, later: Later) -> None:
    """Three steps, an hour and a token's life apart; tokens of either key are good as long as they live."""
    first = app(folder).issue("42")
    waiting, signs = ring.rotate()
    assert not signs
    assert states(ring) == ["signs", "next"]
    with pytest.raises(NotNow, match=f"{waiting.kid} may sign from 20"):
        ring.rotate()
    later.ahead = PUBLISH_SECONDS + 1
    file, signs = ring.rotate()
    assert (file.kid, signs) == (waiting.kid, True)
    assert states(ring) == ["old", "signs"]
    auth = app(folder)
    assert auth.core.keys.signing is not None
    assert auth.core.keys.signing.kid == waiting.kid
    assert auth.verify(first).identity == "42"
    later.ahead = 0
    assert ring.retire(LIFETIME) == []
    later.ahead = LIFETIME + SLACK_SECONDS - 5
    assert ring.retire(LIFETIME) == []
    later.ahead = LIFETIME + SLACK_SECONDS + 5
    assert len(ring.retire(LIFETIME)) == 1
    assert states(ring) == ["signs"]
    assert ring.retire(LIFETIME) == []


def test_an_old_key_keeps_no_private_half(ring: Keyring, folder: Path) -> None:
    """What does not sign any more cannot be stolen any more."""
    ring.rotate(now=True)
    old = next(entry for entry in ring.entries() if entry.file.state is State.OLD)
    assert old.key.private is None
    assert b"PRIVATE" not in old.file.path.read_bytes()
    assert sum(b"PRIVATE" in path.read_bytes() for path in folder.iterdir()) == 1


def test_how_long_a_key_is_published_can_be_set(ring: Keyring) -> None:
    """For verifiers that keep the set for a day; or for nobody but ourselves."""
    ring.rotate()
    with pytest.raises(NotNow):
        ring.rotate(publish_seconds=DAY)
    assert ring.rotate(publish_seconds=0)[1]


def test_an_emergency_needs_no_waiting(ring: Keyring, folder: Path) -> None:
    """`--now` makes a key that signs; the stolen one can then be removed, and its tokens are refused."""
    stolen = app(folder).issue("42")
    (before,) = ring.entries()
    file, signs = ring.rotate(now=True)
    assert signs
    assert states(ring) == ["old", "signs"]
    auth = app(folder)
    assert auth.verify(stolen).identity == "42"
    assert ring.remove(before.file.kid) == [f"{before.file.kid}.old.pem"]
    with pytest.raises(Exception, match="unknown_key"):
        app(folder).verify(stolen)
    assert [entry.file.kid for entry in ring.entries()] == [file.kid]


def test_the_next_key_is_promoted_in_an_emergency(ring: Keyring) -> None:
    """One that others may have seen is better than one that nobody has."""
    waiting, _ = ring.rotate()
    assert ring.rotate(now=True)[0].kid == waiting.kid


def test_what_cannot_be_removed(ring: Keyring) -> None:
    """The key that signs, the only one, one that is not there: each is refused, and nothing is done."""
    (signer,) = ring.entries()
    for kid, why in ((signer.file.kid, "signs: first let another one sign"), ("x", "there is no key x")):
        with pytest.raises(NotNow, match=why):
            ring.remove(kid)
    assert states(ring) == ["signs"]


def test_the_only_key_is_not_removed(folder: Path) -> None:
    """Without any key the app would not start: another's public key, say."""
    folder.mkdir()
    (folder / "idp.pem").write_text(public_pem("ES256"))
    with pytest.raises(NotNow, match="is the only key"):
        Keyring(folder).remove("idp")
    (folder / "idp2.pem").write_text(public_pem("EdDSA"))
    assert Keyring(folder).remove("idp") == ["idp.pem"]


def test_a_next_key_may_be_given_up(ring: Keyring) -> None:
    """Made by mistake, or not wanted any more."""
    waiting, _ = ring.rotate()
    assert ring.remove(waiting.kid) == [waiting.name]
    assert states(ring) == ["signs"]


def test_anothers_public_key_is_never_retired(ring: Keyring, folder: Path, later: Later) -> None:
    """It has never signed for us, so its age says nothing."""
    (folder / "a-partner.pem").write_text(public_pem("EdDSA"))
    later.ahead = 1000 * DAY
    assert ring.retire(LIFETIME) == []
    ring.rotate(now=True)
    assert (folder / "a-partner.pem").exists()


# --- algorithms and kinds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"])
def test_a_ring_of_any_kind_rotates(algorithm: str, folder: Path) -> None:
    """Asymmetric or HMAC: the next key is of the same algorithm, and the same names say the same."""
    ring = Keyring(folder, [algorithm])
    ring.new(algorithm)
    auth = JWTAuth(keys_dir=folder, allow_any_audience=True, algorithms=algorithm)
    before = auth.issue("42")
    ring.rotate()
    ring.rotate(publish_seconds=0)
    assert states(ring) == ["old", "signs"]
    after = JWTAuth(keys_dir=folder, allow_any_audience=True, algorithms=algorithm)
    assert {entry.key.names[0] for entry in ring.entries()} == {algorithm}
    assert after.verify(before).identity == "42"
    assert after.verify(after.issue("42")).identity == "42"
    assert auth.verify(after.issue("42")).identity == "42", "the app that ran all the time"


def test_a_secret_is_as_long_as_the_one_before(folder: Path) -> None:
    """JWT_ALGORITHMS=HS512 may be set for the app and not in this shell: a shorter secret would stop it."""
    Keyring(folder, ["HS512"]).new("HS512")
    Keyring(folder).rotate(now=True)
    assert {len(entry.key.public) for entry in Keyring(folder).entries()} == {64}


def test_secrets_keep_their_content(folder: Path) -> None:
    """An old secret needs all of it to verify; the moment at which it became old is written down."""
    ring = Keyring(folder)
    ring.new("HS256")
    grow_old(folder, 10 * DAY)
    (before,) = ring.entries()
    ring.rotate(now=True)
    old = next(entry for entry in ring.entries() if entry.file.state is State.OLD)
    assert old.key.public == before.key.public
    assert old.file.since > time.time() - 60
    assert ring.retire(LIFETIME) == []


def test_the_algorithm_may_change(ring: Keyring, folder: Path) -> None:
    """ES256 today, EdDSA from the next key on."""
    ring.rotate("EdDSA")
    ring.rotate(publish_seconds=0)
    assert [entry.key.names[0] for entry in ring.entries()] == ["ES256", "EdDSA"]
    assert app(folder).issue("42")


@pytest.mark.parametrize(
    ("algorithms", "asked", "why"),
    [
        ((), "HS256", "this folder holds key pairs: HS256 needs one of its own"),
        (("ES256",), "EdDSA", "the new key does not fit JWT_ALGORITHMS"),
    ],
)
def test_a_key_that_would_not_fit_is_not_made(algorithms: Any, asked: str, why: str, ring: Keyring) -> None:
    """The app could not read the folder any more."""
    with pytest.raises(NotNow, match=why):
        Keyring(ring.folder, algorithms).rotate(asked)
    assert states(ring) == ["signs"]


def test_secrets_take_no_key_pair(folder: Path) -> None:
    """One ring, one kind."""
    ring = Keyring(folder)
    ring.new("HS256")
    with pytest.raises(NotNow, match="this folder holds secrets"):
        ring.new("ES256")


# --- names given by hand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kid", ["prod-key-1", "zebra", "zzz9", "2099", "a.b", "A"])
def test_a_new_key_comes_after_every_other(kid: str, folder: Path) -> None:
    """The last by name signs: a new one must come last, whatever the others were called."""
    folder.mkdir()
    (folder / f"{kid}.pem").write_text(private_pem("ES256"))
    ring = Keyring(folder)
    for _ in range(3):
        file, _ = ring.rotate(now=True)
        assert app(folder).core.keys.signing.kid == file.kid  # type: ignore[union-attr]


def test_a_name_after_which_none_comes_is_told(folder: Path) -> None:
    """Better no key than one that never signs."""
    folder.mkdir()
    (folder / "~last.pem").write_text(private_pem("ES256"))
    with pytest.raises(NotNow, match="~last comes after any name that we give"):
        Keyring(folder).rotate()
    assert names(folder) == ["~last.pem"]


@pytest.mark.parametrize(
    ("content", "why"),
    [(private_pem("EdDSA"), "0-mine would not sign: its name comes before"), (public_pem("EdDSA"), "holds no private")],
)
def test_a_next_key_that_would_not_sign_is_not_promoted(content: str, why: str, ring: Keyring, folder: Path) -> None:
    """Made by hand, under a name that comes before the signer's, or without its private half."""
    (folder / "0-mine.next.pem").write_text(content)
    with pytest.raises(NotNow, match=why):
        ring.rotate(now=True)
    assert states(ring) == ["next", "signs"]


def test_a_folder_from_before_is_put_in_order(folder: Path) -> None:
    """Several private keys of which the last signs: the others become old ones, without their private halves."""
    folder.mkdir()
    (folder / "2023.pem").write_text(private_pem("ES256"))
    (folder / "2024.pem").write_text(private_pem("ES384"))
    (folder / "2025.pem").write_text(private_pem("EdDSA"))
    grow_old(folder, 100 * DAY)
    before = app(folder)
    ring = Keyring(folder)
    assert ring.retire(LIFETIME) == [], "they signed until now, as far as anybody knows"
    assert [entry.file.name for entry in ring.entries()] == ["2023.old.pem", "2024.old.pem", "2025.pem"]
    assert app(folder).verify(before.issue("42")).identity == "42"
    assert sum(b"PRIVATE" in path.read_bytes() for path in folder.iterdir()) == 1


def test_second_copies_are_put_in_order(ring: Keyring, folder: Path) -> None:
    """A folder that was copied without removing what was gone."""
    waiting, _ = ring.rotate()
    copy = waiting.path.read_bytes()
    ring.rotate(publish_seconds=0)
    waiting.path.write_bytes(copy)
    (folder / "0.old.pem").write_text(public_pem("ES384"))
    (folder / "0.pem").write_text(private_pem("ES384"))
    ring.retire(LIFETIME)
    assert states(ring) == ["old", "old", "signs"]
    assert sum(b"PRIVATE" in path.read_bytes() for path in folder.iterdir()) == 1


@pytest.mark.parametrize("step", ["rotate", "retire", "rotate_refresh"])
def test_a_folder_that_is_not_there(step: str, folder: Path) -> None:
    """Only `new` makes one."""
    arguments = [LIFETIME] if step == "retire" else []
    with pytest.raises(ConfigurationError, match="JWT_KEYS_DIR is not there"):
        getattr(Keyring(folder), step)(*arguments)
    folder.mkdir()
    with pytest.raises(ConfigurationError, match="JWT_KEYS_DIR holds no key"):
        getattr(Keyring(folder), step)(*arguments)


def test_a_bad_file_stops_every_step(ring: Keyring, folder: Path) -> None:
    """What the app could not read is not touched."""
    (folder / "b.pem").write_text("junk")
    before = names(folder)
    for step in (ring.new, ring.rotate, lambda: ring.retire(LIFETIME), ring.rotate_refresh):
        with pytest.raises(ConfigurationError, match=r"file b\.pem, is not a PEM"):
            step()
    assert names(folder) == before


# --- refresh tokens --------------------------------------------------------------------------------------------------


def secrets(folder: Path) -> tuple[bytes, ...]:
    return app(folder).core.keys.refresh_secrets


def test_refresh_tokens_outlive_a_rotation(ring: Keyring, folder: Path) -> None:
    """They live for weeks and have a key of their own, which stays."""
    before = secrets(folder)
    ring.rotate(now=True)
    ring.rotate(now=True)
    assert secrets(folder) == before


def test_refresh_tokens_outlive_the_key_they_were_derived_from(folder: Path) -> None:
    """A folder without `refresh.key`: what was derived is written down before the private half goes."""
    folder.mkdir()
    (folder / "2024.pem").write_text(private_pem("ES256"))
    (before,) = secrets(folder)
    assert before == derived(app(folder).core.keys.signing)  # type: ignore[arg-type]
    Keyring(folder).rotate(now=True)
    assert secrets(folder) == (before,)


def test_the_refresh_key_rotates(ring: Keyring, folder: Path, later: Later) -> None:
    """The new one makes, the old one verifies until its last token has been renewed or has expired; one at a time."""
    (first,) = secrets(folder)
    ring.rotate_refresh()
    second = secrets(folder)
    assert second[1] == first
    assert len(set(second)) == 2
    with pytest.raises(NotNow, match="still verifies"):
        ring.rotate_refresh()
    assert ring.retire_refresh(30 * DAY) == []
    later.ahead = 30 * DAY + SLACK_SECONDS + 5
    assert ring.retire_refresh(30 * DAY) == ["refresh.old.key"]
    assert ring.retire_refresh(30 * DAY) == []
    assert secrets(folder) == second[:1]
    assert len(ring.entries()) == 1, "no other key has changed"


def test_a_stolen_refresh_key_ends_at_once(ring: Keyring, folder: Path) -> None:
    """Both the present one and the one before: everybody signs in again."""
    ring.rotate_refresh()
    stolen = secrets(folder)
    ring.rotate_refresh(now=True)
    assert len(secrets(folder)) == 1
    assert not set(secrets(folder)) & set(stolen)
    ring.rotate_refresh(now=True)


# --- cut short, and at the same time ---------------------------------------------------------------------------------


def killed(folder: Path, step: str, moment: int) -> bool:
    """Make a step in a process that is killed before its n-th change of the disk; tell whether that came to pass."""
    child = os.fork()
    if child == 0:
        left = [moment]

        def die(event: str, arguments: tuple[Any, ...]) -> None:
            writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if writes or event in ("os.rename", "os.remove", "os.utime", "os.chown", "os.chmod"):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

        try:
            ring = Keyring(folder)
            sys.addaudithook(die)
            eval(step, {"ring": ring})
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


CASES: dict[str, tuple[str, Callable[[Keyring], object]]] = {
    "the-first-key": ("ring.new()", lambda ring: None),
    "promotion": ("ring.rotate(publish_seconds=0)", lambda ring: (ring.new(), ring.rotate())),
    "promotion-of-a-secret": ("ring.rotate(publish_seconds=0)", lambda ring: (ring.new("HS256"), ring.rotate())),
    "emergency": ("ring.rotate(now=True)", lambda ring: ring.new()),
    "removal": ("ring.retire(-10000)", lambda ring: (ring.new(), ring.rotate(now=True))),
    "refresh": ("ring.rotate_refresh()", lambda ring: ring.new()),
    "refresh-emergency": ("ring.rotate_refresh(now=True)", lambda ring: (ring.new(), ring.rotate_refresh())),
}


@pytest.mark.parametrize(("step", "before"), CASES.values(), ids=CASES)
def test_a_crash_at_any_moment_leaves_a_ring_that_works(
    step: str, before: Callable[[Keyring], object], tmp_path: Path
) -> None:
    """Killed before each single change of the disk: the app starts, old tokens pass, and the step can be repeated."""
    dead, moment = True, 0
    while dead:
        folder = tmp_path / str(moment)
        ring = Keyring(folder)
        before(ring)
        was = app(folder) if folder.exists() else None
        dead = killed(folder, step, moment)
        if was is not None:
            auth = app(folder)
            assert auth.verify(auth.issue("42")).identity == "42", names(folder)
            assert auth.verify(was.issue("42")).identity == "42", names(folder)
            assert "now=True" in step or set(was.core.keys.refresh_secrets) <= set(secrets(folder)), names(folder)
        with suppress(NotNow):  # it was made already
            eval(step, {"ring": ring})
        assert app(folder).issue("42"), names(folder)
        assert [name for name in names(folder) if name.startswith(".")] == []
        assert [path for path in folder.glob("*.old.pem") if b"PRIVATE" in path.read_bytes()] == []
        moment += 1
    assert 2 <= moment < 50, "the last one was not killed, the first one was"


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_a_crash_never_shortens_a_key_s_life(algorithm: str, tmp_path: Path) -> None:
    """Killed while a key is put aside: `retire` still counts from that moment, and not from when it was made."""
    for moment in range(20):
        folder = tmp_path / str(moment)
        ring = Keyring(folder)
        ring.new(algorithm)
        ring.rotate()
        token = app(folder).issue("42")
        grow_old(folder, 100 * DAY)
        dead = killed(folder, CASES["promotion"][0], moment)
        assert ring.retire(LIFETIME) == []
        assert app(folder).verify(token).identity == "42"
        if not dead:
            return
    pytest.fail("it never came to its end")


def test_two_operators_at_once(ring: Keyring, folder: Path) -> None:
    """Each waits for the other: together they make one next key, and promote one."""
    code = (
        "import sys; from pathlib import Path; from jwt_middleware.login.keyring import Keyring;"
        "Keyring(Path(sys.argv[1])).new()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen([sys.executable, "-c", code, str(folder)], env=environment) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert states(ring) == ["signs", "next"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_the_owner_of_the_folder(folder: Path) -> None:
    """A cron job of root must not lock the workers out of the keys."""
    folder.mkdir()
    os.chown(folder, 12345, 23456)
    ring = Keyring(folder)
    ring.new()
    ring.rotate(now=True)
    ring.rotate_refresh()
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()} == {(12345, 23456)}


def test_files_are_private_whatever_the_umask(folder: Path) -> None:
    """There is no moment in which others could read them: they are made so."""
    before = os.umask(0)
    try:
        ring = Keyring(folder)
        ring.new()
        ring.rotate(now=True)
        ring.rotate_refresh()
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_half_a_secret_is_swept_away(ring: Keyring, folder: Path) -> None:
    """What a crash left unfinished is no key, and does not lie around."""
    (folder / ".x.pem.unfinished").write_text(private_pem("ES256")[:50])
    (folder / ".mine").write_text("not ours")
    assert app(folder).issue("42")
    ring.rotate()
    assert [name for name in names(folder) if name.startswith(".")] == [".mine"]


def test_a_token_of_this_moment_verifies_everywhere(ring: Keyring, folder: Path) -> None:
    """Whatever step has just been made, apps that read the folder before it and after it understand each other."""
    steps: list[Callable[[], object]] = [
        ring.rotate,
        lambda: ring.rotate(publish_seconds=0),
        ring.rotate_refresh,
        lambda: ring.rotate(now=True),
    ]
    for step in steps:
        early = app(folder)
        before = early.issue("42")
        step()
        late = app(folder)
        assert late.verify(before).identity == "42"
        assert early.verify(late.issue("42")).identity == "42"
