"""Hashing: argon2id, nothing cut off, and the same work for what can be no password."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware.errors import Reason, Unavailable
from jwt_middleware.login import passwords as module
from jwt_middleware.login.clients import clients
from jwt_middleware.login.passwords import MAX_BYTES, Passwords, objection, stored_hash
from jwt_middleware.login.users import authority
from jwt_middleware.settings import Settings
from jwt_middleware.truth._blocking import BlockingIO
from tests.login.conftest import CHEAP, HASH, PASSWORD
from tests.servers import in_child

CHEAPLY = Passwords(**CHEAP)


class Spy:
    """Stands before argon2-cffi's hasher and counts what it is asked to verify."""

    def __init__(self, hasher: Any) -> None:
        self.hasher, self.verified = hasher, 0

    def verify(self, stored: str, secret: bytes) -> bool:
        self.verified += 1
        return self.hasher.verify(stored, secret)


def test_new_hashes_are_argon2id_with_the_low_memory_choice_of_rfc_9106() -> None:
    """The library's defaults: 64 MiB, three passes, four lanes, a salt of its own for each."""
    made = Passwords().hash(PASSWORD)
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert CHEAPLY.matches(made, PASSWORD)
    assert not CHEAPLY.matches(made, PASSWORD + "!")
    assert CHEAPLY.hash(PASSWORD).split("$")[4] != CHEAPLY.hash(PASSWORD).split("$")[4]


def test_argon2_is_not_imported_before_it_is_needed() -> None:
    """An app whose function checks passwords starts without argon2-cffi, whether it is installed or not."""
    code = (
        "import sys; from jwt_middleware.login import users, clients, passwords;"
        "assert 'argon2' not in sys.modules; passwords.Passwords(); assert 'argon2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_argon2_the_problem_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing extra is a problem among others, not a traceback."""
    monkeypatch.setitem(sys.modules, "argon2", None)
    problems: list[str] = []
    settings, io = Settings(users_file=Path("users.json"), clients_file=Path("clients.json")), BlockingIO(None, 1)
    assert authority(settings, io, problems) is None
    assert clients(settings, io, problems) is None
    advice = 'needs the login extra: pip install "pyjwt-middleware[login]"'
    assert problems == [f"JWT_USERS_FILE {advice}", f"JWT_CLIENTS_FILE {advice}"]


@pytest.mark.parametrize(
    ("chosen", "typed", "same"),
    [
        pytest.param("caf\u00e9 noir", "cafe\u0301 noir", True, id="composed-and-decomposed"),
        pytest.param("\u212bngstrom", "\u00c5ngstrom", True, id="angstrom-sign"),
        pytest.param("a\u00a0b c", "a b\u3000c", True, id="kinds-of-space"),
        pytest.param("\uff12hours", "2hours", False, id="full-width-digit"),
        pytest.param("\u017ftrasse", "strasse", False, id="long-s"),
        pytest.param("Password", "password", False, id="case"),
        pytest.param("trailing ", "trailing", False, id="outer-space"),
        pytest.param("nul\0one", "nul\0two", False, id="after-a-nul"),
        pytest.param("nul\0", "nul", False, id="nul-at-the-end"),
        pytest.param("x" * 72 + "a", "x" * 72 + "b", False, id="after-72-bytes"),
        pytest.param("x" * 1023 + "a", "x" * 1023 + "b", False, id="the-last-byte"),
        pytest.param("line\nend", "line\nend", True, id="control-characters"),
        pytest.param("", "", True, id="empty"),
    ],
)
def test_the_same_text_matches_however_it_was_typed(chosen: str, typed: str, same: bool) -> None:
    """RFC 8265 section 4.2: spaces and composition do not matter, everything else does, to the last byte."""
    stored = CHEAPLY.hash(chosen)
    assert CHEAPLY.matches(stored, chosen)
    assert CHEAPLY.matches(stored, typed) is same


@pytest.mark.parametrize(
    "password",
    ["x" * (MAX_BYTES + 1), "é" * (MAX_BYTES // 2 + 1), "\u0344" * 400, "\ud800"],
    ids=["long", "long-in-bytes", "long-in-nfc", "half-a-surrogate-pair"],
)
@pytest.mark.parametrize("stored", [HASH, CHEAPLY.hash("")], ids=["a-password", "of-nothing"])
def test_what_can_be_no_password_takes_the_same_work(password: str, stored: str) -> None:
    """It is refused unread, but one hash is computed, as for any other; even an empty one does not match then."""
    passwords = Passwords(**CHEAP)
    spy = passwords._hasher = Spy(passwords._hasher)
    assert passwords.matches(stored, password) is False
    assert spy.verified == 1
    with pytest.raises(ValueError, match=r"bytes|Unicode"):
        CHEAPLY.hash(password)


def test_the_longest_password_is_one() -> None:
    """1024 bytes of UTF-8 are allowed, in whatever characters."""
    for password in ("x" * MAX_BYTES, "é" * (MAX_BYTES // 2), "\U0001f511" * (MAX_BYTES // 4)):
        assert CHEAPLY.matches(CHEAPLY.hash(password), password)


@pytest.mark.parametrize(
    ("stored", "now", "outdated"),
    [
        pytest.param({}, {}, False, id="as-now"),
        pytest.param({}, {"time_cost": 2}, True, id="more-passes-now"),
        pytest.param({}, {"memory_cost": 16}, True, id="more-memory-now"),
        pytest.param({"time_cost": 2}, {}, False, id="dearer-stays"),
        pytest.param({"memory_cost": 64}, {"time_cost": 3}, False, id="more-memory-fewer-passes"),
    ],
)
def test_only_cheaper_hashes_are_outdated(stored: dict[str, int], now: dict[str, int], outdated: bool) -> None:
    """Costs are raised by a sign-in, never lowered: who hashed with more had a reason."""
    assert Passwords(**CHEAP | now).is_outdated(Passwords(**CHEAP | stored).hash("x")) is outdated


def test_a_decoy_costs_what_it_imitates_and_matches_nothing() -> None:
    """A hash of nobody's, by the look of it like any other."""
    for like in (HASH, None):
        decoy = CHEAPLY.decoy(like)
        assert stored_hash(decoy) == decoy
        assert [len(part) for part in decoy.split("$")] == [len(part) for part in HASH.split("$")]
        assert decoy.split("$")[:4] == HASH.split("$")[:4]
        assert not CHEAPLY.matches(decoy, PASSWORD)
        assert CHEAPLY.decoy(like) != decoy


GOOD = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzYWx0$" + "A" * 43


def test_a_hash_of_another_tool_is_taken() -> None:
    """What argon2's own command writes has the same form."""
    assert stored_hash(GOOD) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        PASSWORD, "", None, 5, GOOD.encode(), GOOD + "\n", " " + GOOD, GOOD[:60], GOOD + "$",
        GOOD.replace("argon2id", "argon2i"), GOOD.replace("argon2id", "argon2d"), GOOD.replace("v=19", "v=16"),
        GOOD.replace("$v=19", ""), GOOD.replace("m=65536", "m=065536"), GOOD.replace("m=65536", "m=0"),
        GOOD.replace("m=65536", "m=31"), GOOD.replace("m=65536", "m=1048577"), GOOD.replace("m=65536", "m=6553６"),
        GOOD.replace("t=3", "t=0"), GOOD.replace("t=3", "t=100"), GOOD.replace("p=4", "p=0"),
        GOOD.replace("p=4", "p=4,data=x"), GOOD.replace("c29t", "c2-t"), GOOD.replace("c29t", "c29="), GOOD + "AA",
        GOOD[:-1] + "B", "$2b$12$" + "x" * 53, "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$x",
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_argon2id_hash_is_refused_unrepeated(text: object) -> None:
    """Another algorithm, a plain password, a cost that would end the worker: said, and not shown."""
    with pytest.raises(ValueError, match=r"argon2id hash|is a hash with m=") as caught:
        stored_hash(text)
    assert PASSWORD not in str(caught.value)
    assert "c29tZXNhbHQ" not in str(caught.value)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("seven77", "has fewer than 8 characters"),
        ("cafe\u0301123", "has fewer than 8 characters"),
        ("é" * 8, None),
        ("correct horse", None),
        ("        ", None),
        ("x" * 1024, None),
        ("x" * 1025, "has more than 1024 bytes"),
        ("é" * 513, "has more than 1024 bytes"),
        ("correct\nhorse", "holds a line end, a tab or another control character, which a sign-in form cannot send"),
        ("correct\0horse", "holds a line end, a tab or another control character, which a sign-in form cannot send"),
        ("correct\ud800horse", "is not Unicode text"),
    ],
    ids=ascii,
)
def test_which_passwords_may_be_chosen(password: str, said: str | None) -> None:
    """NIST SP 800-63B: length is asked for, no mixture of kinds of characters."""
    assert objection(password) == said


def test_want_of_memory_is_cannot_decide() -> None:
    """A worker that cannot compute the hash knows neither yes nor no: 503, not a wrong password."""

    def starved() -> list[str]:
        big = Passwords(time_cost=1, memory_cost=2**19, parallelism=1)
        stored = big.decoy()
        resource.setrlimit(resource.RLIMIT_AS, (2**29, resource.RLIM_INFINITY))
        said = []
        for attempt in (lambda: big.matches(stored, PASSWORD), lambda: big.hash(PASSWORD)):
            with pytest.raises(Unavailable) as caught:
                attempt()
            assert caught.value.reason is Reason.ACCOUNTS_UNAVAILABLE
            said.append(caught.value.detail)
        return said

    assert in_child(starved).count("argon2 cannot compute a hash: Memory allocation error") == 2


def test_nothing_of_a_password_is_kept() -> None:
    """The module remembers none."""
    Passwords(**CHEAP).matches(HASH, PASSWORD)
    assert PASSWORD not in repr(vars(module))
