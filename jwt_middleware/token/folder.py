"""The folder of keys that `JWT_KEYS_DIR` names; the names of its files say what each key may do.

    KID.next.pem    verifies and is published, does not sign yet
    KID.pem         signs, if it is a private key: of several the last by name. A public key verifies
    KID.old.pem     has signed: verifies and is published
    KID.next.secret · KID.secret · KID.old.secret     the same for HMAC; never published
    refresh.key · refresh.old.key                     behind refresh tokens: the first makes them, both verify

Hidden files and all other names are left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from jwt_middleware import parsing
from jwt_middleware.token import formats, secrets
from jwt_middleware.token.keys import Key, KeyProblem

REFRESH, OLD_REFRESH = "refresh.key", "refresh.old.key"
REFRESH_BYTES = 32
_NAME = re.compile(r"(?P<kid>[^.].*?)(?:\.(?P<state>next|old))?\.(?P<kind>pem|secret)", re.DOTALL)


class State(StrEnum):
    """How far a key is on its way."""

    NEXT = "next"
    CURRENT = "current"
    OLD = "old"


_ORDER = tuple(State)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file that holds a key.

    Attributes:
        folder: where it is.
        kid: the name of the key.
        state: what the key may do.
        kind: `pem` or `secret`.
    """

    folder: Path
    kid: str
    state: State
    kind: str

    @property
    def name(self) -> str:
        """The name of the file."""
        return f"{self.kid}{'' if self.state is State.CURRENT else f'.{self.state}'}.{self.kind}"

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self.folder / self.name

    @property
    def since(self) -> float:
        """When the key came into its state, in seconds since the epoch: each step touches its file."""
        return self.path.stat().st_mtime

    def being(self, state: State) -> KeyFile:
        """Return the file of this key in another state."""
        return replace(self, state=state)


def files(folder: Path) -> list[KeyFile]:
    """Return the files of keys, by name of the key and the order of its states.

    Raises:
        OSError: it is no folder, or not ours to read.
    """
    found = []
    for path in folder.iterdir():
        if match := _NAME.fullmatch(path.name):
            found.append(KeyFile(folder, match["kid"], State(match["state"] or State.CURRENT), match["kind"]))
    return sorted(found, key=lambda file: (file.kid, _ORDER.index(file.state)))


def is_ours(name: str) -> bool:
    """Tell whether a file of this name means something here."""
    return _NAME.fullmatch(name) is not None or name in (REFRESH, OLD_REFRESH)


def look(folder: Path) -> Iterator[tuple[object, ...]]:
    """Yield what changes whenever a file in the folder does: name, inode, size and times; nothing without a folder."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_ours(entry.name):
                    yield entry.name, *traits(entry)
    except OSError:
        pass


def traits(file: os.PathLike[str]) -> tuple[int, ...]:
    """Return what tells a file from what stood in its place before; nothing for one that is not there."""
    try:
        found = os.stat(file)  # noqa: PTH116 - of a directory entry, too; links are followed
    except OSError:
        return ()
    return found.st_ino, found.st_size, max(found.st_mtime_ns, found.st_ctime_ns), found.st_mtime_ns


class Reader:
    """Reads files of keys. What was read before costs nothing under any name: an RSA key takes a tenth of a second.

    Args:
        allowed: the accepted algorithms (`JWT_ALGORITHMS`).
        known: what another reader of the same algorithms has `read`.

    Attributes:
        read: the keys by the hash of their files, to be forgotten with them.
    """

    def __init__(self, allowed: Sequence[str], known: Mapping[bytes, Key]) -> None:
        self._allowed = allowed
        self._known = known
        self.read: dict[bytes, Key] = {}

    def key(self, file: KeyFile) -> Key:
        """Read one key, with its private half if that is there.

        Raises:
            KeyProblem: it cannot be read, or not be used.
        """
        data = _bytes(file.path)
        name = hashlib.sha256(file.kind.encode() + data).digest()
        key = self.read[name] = self._known.get(name) or self.parsed(file.kind, data)
        return replace(key, kid=file.kid, any_kid=False)

    def parsed(self, kind: str, data: bytes) -> Key:
        """Read the content of a file of this kind, whatever its name.

        Raises:
            KeyProblem: it cannot be used.
        """
        if kind == "pem":
            return formats.from_pem(_text(data), self._allowed)
        return secrets.checked(_secret(data), self._allowed)


def refresh_keys(folder: Path) -> tuple[bytes, ...]:
    """Return the folder's own keys for refresh tokens, the one that makes them first; often there are none.

    Raises:
        KeyProblem: one cannot be read, or is too short; the message begins with its name.
    """
    return tuple(_refresh_key(folder / name) for name in (REFRESH, OLD_REFRESH) if (folder / name).exists())


def _refresh_key(path: Path) -> bytes:
    try:
        secret = _secret(_bytes(path))
    except KeyProblem as problem:
        raise KeyProblem(f"{path.name}, {problem}") from None
    if len(secret) < REFRESH_BYTES:
        raise KeyProblem(f"{path.name}, is {len(secret)} bytes long, it needs {REFRESH_BYTES}")
    return secret


def _secret(data: bytes) -> bytes:
    try:
        return parsing.secret(_text(data))
    except KeyProblem:
        raise
    except ValueError as error:
        raise KeyProblem(str(error)) from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise KeyProblem("cannot be read") from None


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeError:
        raise KeyProblem("cannot be read") from None
