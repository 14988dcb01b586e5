"""Refresh tokens and CSRF tokens: made, read, and read as nothing when anybody else made them."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware.errors import Unavailable
from jwt_middleware.token.refresh import RefreshTokens, is_refresh_token, new_sid

KEY, OLDER = b"k" * 32, b"o" * 32
tokens = RefreshTokens(lambda: (KEY, OLDER))


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**64 - 1))
def test_what_was_made_is_read(raw: bytes, generation: int) -> None:
    """Every session and every generation."""
    sid = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    token = tokens.make(sid, generation)
    assert is_refresh_token(token)
    assert tokens.read(token) == (sid, generation)


def test_its_form_is_the_documented_one() -> None:
    """`rt1.` and base64url(sid, generation, HMAC-SHA256 of both): an auditor can check it by hand."""
    sid = new_sid()
    raw = base64.urlsafe_b64decode(tokens.make(sid, 5).removeprefix("rt1.") + "=")
    named = base64.urlsafe_b64decode(sid + "==") + (5).to_bytes(8, "big")
    assert raw == named + hmac.digest(KEY, b"rt1\0" + named, hashlib.sha256)


def test_older_keys_verify_and_never_make() -> None:
    """So the key can be rotated without signing anybody out."""
    sid = new_sid()
    before = RefreshTokens(lambda: (OLDER,)).make(sid, 1)
    assert tokens.read(before) == (sid, 1)
    assert tokens.make(sid, 1) != before
    assert RefreshTokens(lambda: (KEY,)).read(before) is None
    assert RefreshTokens(lambda: (OLDER,)).is_csrf("s", RefreshTokens(lambda: (OLDER,)).csrf("s"))
    assert tokens.is_csrf("s", RefreshTokens(lambda: (OLDER,)).csrf("s"))


def test_a_key_that_another_process_has_rotated_is_looked_for() -> None:
    """Before any key is tried: one that was taken away in an emergency must not be of use once more."""
    keys: list[bytes] = [KEY]

    def look() -> bool:
        keys[:] = [OLDER]
        return True

    worker = RefreshTokens(lambda: keys, look)
    assert worker.read(RefreshTokens(lambda: (KEY,)).make(new_sid(), 1)) is None
    assert worker.read(RefreshTokens(lambda: (OLDER,)).make(new_sid(), 1))
    assert not worker.is_csrf("s", RefreshTokens(lambda: (KEY,)).csrf("s"))


def test_without_any_key_nothing_can_be_decided() -> None:
    """The file was taken away while we run: that is no fault of who comes with a token."""
    worker = RefreshTokens(lambda: ())
    with pytest.raises(Unavailable):
        worker.read(tokens.make(new_sid(), 1))


def test_one_changed_character_is_another_text() -> None:
    """At every place, whatever it becomes: the encoding has one spelling for each token."""
    token = tokens.make(new_sid(), 7)
    for position in range(len(token)):
        for char in "AZaz09-_.=+/ é\0":
            if token[position] != char:
                assert tokens.read(token[:position] + char + token[position + 1 :]) is None


@given(st.text())
def test_no_other_text_is_a_token(text: str) -> None:
    """And none raises."""
    assert tokens.read(text) is None
    assert tokens.read("rt1." + text) is None
    assert not tokens.is_csrf("session", text)


def test_the_two_kinds_are_apart() -> None:
    """A CSRF token, which pages can read, is of no use as the MAC of a refresh token."""
    sid = new_sid()
    raw = base64.urlsafe_b64decode(sid + "==")
    stolen = base64.urlsafe_b64decode(tokens.csrf(sid) + "=")
    forged = base64.urlsafe_b64encode(raw + bytes(8) + stolen).rstrip(b"=").decode()
    assert tokens.read("rt1." + forged) is None


@pytest.mark.parametrize("session", ["", "x", "é☃", "y" * 300])
def test_a_csrf_token_is_for_one_session(session: str) -> None:
    """Whatever a session is called."""
    assert tokens.is_csrf(session, tokens.csrf(session))
    assert not tokens.is_csrf(session + "z", tokens.csrf(session))
    assert not tokens.is_csrf(session, tokens.csrf(session)[:-1])
    assert not tokens.is_csrf(session, "!" * len(tokens.csrf(session)))


def test_names_of_sessions_are_random() -> None:
    """128 bits, so that nobody meets another's."""
    names = {new_sid() for _ in range(1000)}
    assert len(names) == 1000
    assert {len(name) for name in names} == {22}
