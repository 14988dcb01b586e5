"""Passwords and client secrets: hashed by argon2id (RFC 9106), some 50 ms and 64 MiB each, so call it by `IO.offload`.

A password is prepared as RFC 8265 section 4.2 says (OpaqueString), so that it matches whichever keyboard it
was typed on: every kind of space is the plain one, then Unicode's NFC. NFC rather than NFKC, which would take
`２` for `2`. Nothing is cut off, and nothing is forbidden where it is compared, NUL included.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import unicodedata
from typing import Any

from jwt_middleware.errors import Reason, Unavailable

MAX_BYTES = 1024  # of UTF-8: longer ones are refused unread
MIN_CHARACTERS = 8  # the least of NIST SP 800-63B (revision 3), asked only where a password is chosen
_MOST_MEMORY = 2**20  # KiB: more is a slip of the pen, and would end the worker
_HASH = re.compile(
    r"(\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=[1-9]\d?,p=([1-9]\d?))\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})",
    re.ASCII,
)


class Passwords:
    """Makes and compares hashes. Needs argon2-cffi, and imports it here rather than with the module.

    Params:
        cost: `time_cost`, `memory_cost` (KiB) and `parallelism` of new hashes; argon2-cffi's defaults, which are
            RFC 9106's low-memory choice, unless tests need it cheap.

    Raises:
        ImportError: argon2-cffi is not installed.
    """

    def __init__(self, **cost: Any) -> None:
        from argon2 import PasswordHasher, exceptions, extract_parameters

        self._hasher = PasswordHasher(**cost)
        self._mismatch = exceptions.VerifyMismatchError
        self._failed = exceptions.Argon2Error
        self._parameters = extract_parameters

    def hash(self, password: str) -> str:
        """Make a hash with a fresh salt.

        Raises:
            ValueError: it has more than `MAX_BYTES`, or is no text that UTF-8 could write.
            Unavailable: it could not be computed, for want of memory.
        """
        prepared = _prepared(password)
        try:
            return self._hasher.hash(prepared)
        except self._failed as error:
            raise _failure(error) from None

    def matches(self, stored: str, password: str) -> bool:
        """Tell whether a password is the one of a stored hash. What can be no password costs the same time.

        Raises:
            Unavailable: it could not be computed, for want of memory.
        """
        try:
            prepared, readable = _prepared(password), True
        except ValueError:
            prepared, readable = b"", False
        try:
            return self._hasher.verify(stored, prepared) and readable
        except self._mismatch:
            return False
        except self._failed as error:
            raise _failure(error) from None

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a stored hash is cheaper to try out than those made now. A dearer one may stay."""
        cost = self._parameters(stored)
        return cost.memory_cost * cost.time_cost < self._hasher.memory_cost * self._hasher.time_cost

    def decoy(self, like: str | None = None) -> str:
        """Make what looks like a hash, as dear as another (or as those made now), and matches no password."""
        hasher = self._hasher
        cost = f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        prefix = cost if like is None else like.rsplit("$", 2)[0]
        return "$".join(
            (prefix, *(_unpadded(secrets.token_bytes(size)) for size in (hasher.salt_len, hasher.hash_len)))
        )


def load(setting: str, problems: list[str]) -> Passwords | None:
    """Return what hashes for the file that a setting names; without argon2-cffi add that to the problems."""
    try:
        return Passwords()
    except ImportError:
        problems.append(f'{setting} needs the login extra: pip install "pyjwt-middleware[login]"')
        return None


def objection(password: str) -> str | None:
    """Say why a password may not be chosen, or return `None`. Of one that was chosen elsewhere nothing is asked."""
    try:
        prepared = _prepared(password).decode()
    except ValueError as error:
        return str(error)
    if len(prepared) < MIN_CHARACTERS:
        return f"has fewer than {MIN_CHARACTERS} characters"
    if any(unicodedata.category(character) == "Cc" for character in prepared):
        return "holds a line end, a tab or another control character, which a sign-in form cannot send"
    return None


def stored_hash(value: object) -> str:
    """Take the text of a hash as argon2-cffi writes it: argon2id, version 19.

    Raises:
        ValueError: it is none, or one that this machine should not compute. The message does not repeat it.
    """
    match = _HASH.fullmatch(value) if isinstance(value, str) else None
    if match is None or not all(map(_is_canonical, match.groups()[3:])):
        raise ValueError("is not an argon2id hash: make one with `jwt-middleware user add` or `client add`")
    memory, lanes = int(match[2]), int(match[3])
    if not 8 * lanes <= memory <= _MOST_MEMORY:
        raise ValueError(f"is a hash with m={memory}: from 8 times p to {_MOST_MEMORY} (KiB) can be computed here")
    return match[0]


def _prepared(password: str) -> bytes:
    if len(password) > MAX_BYTES:  # a character has at least one byte
        raise ValueError(f"has more than {MAX_BYTES} bytes")
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    try:
        prepared = unicodedata.normalize("NFC", spaced).encode()
    except UnicodeError:
        raise ValueError("is not Unicode text") from None
    if len(prepared) > MAX_BYTES:
        raise ValueError(f"has more than {MAX_BYTES} bytes")
    return prepared


def _failure(error: Exception) -> Unavailable:
    return Unavailable(f"argon2 cannot compute a hash: {error}", Reason.ACCOUNTS_UNAVAILABLE)


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _is_canonical(part: str) -> bool:
    try:
        return _unpadded(base64.b64decode(part + "=" * (-len(part) % 4), validate=True)) == part
    except binascii.Error:
        return False
