"""Keys of our own: a folder of keys, led step by step from published to signing to retired.

What a key may do is the name of its file (`token/folder.py`), so a step is a few renames. Every moment between them is
a ring that works, and what was cut short is finished by the next step. A key verifies everywhere before it signs
anywhere, and goes on verifying until its last token has expired.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jwt_middleware.errors import ConfigurationError, JWTMiddlewareError
from jwt_middleware.login.drawer import Drawer
from jwt_middleware.settings import Settings
from jwt_middleware.token import derivation, formats, keys, sources
from jwt_middleware.token import folder as files
from jwt_middleware.token.folder import OLD_REFRESH, REFRESH, REFRESH_BYTES, KeyFile, Reader, State
from jwt_middleware.token.keys import Key, KeyProblem

MAKEABLE = (*keys.HMAC, *formats.GENERATED)
PUBLISH_SECONDS = 3600.0  # longer than others may keep our JWK Set (`published.MAX_AGE`), for those who keep it longer
SLACK_SECONDS = 600.0  # what a token may be found good beyond its expiry and the leeway: clocks, caches, late workers
_PREFIXES = tuple("z" * count for count in range(9))


class NotNow(JWTMiddlewareError):
    """A step that would break something, or would be too early; the text says what. Nothing was done."""


def new_secret(algorithm: str) -> str:
    """Make an HMAC secret as long as its hash, as `JWT_SECRET_KEY` takes it."""
    return _random(keys.HMAC[algorithm]).decode()


def _random(size: int) -> bytes:
    return _written(secrets.token_bytes(size))


def _written(secret: bytes) -> bytes:
    return b"base64:" + base64.b64encode(secret)


def jwks(published: Iterable[Key]) -> dict[str, Any]:
    """Return the JWK Set of these keys (RFC 7517 section 5): public members only, no HMAC secret ever."""
    return {"keys": [formats.to_jwk(key) for key in published if not key.symmetric]}


def moment(seconds: float) -> str:
    """Write a time down for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of the folder.

    Attributes:
        file: where it is, and in which state.
        key: what it is, with its private half if that is there.
        signs: whether it is the one that signs.
    """

    file: KeyFile
    key: Key
    signs: bool


class Keyring:
    """The folder that `JWT_KEYS_DIR` names, as its operator sees it.

    Args:
        folder: the folder.
        algorithms: the accepted ones (`JWT_ALGORITHMS`); empty: each key's own.
        clock: returns seconds since the epoch.

    Raises:
        ConfigurationError: any step, where the folder or a key in it cannot be used.
        OSError: any step, where the system refuses it.
    """

    def __init__(self, folder: Path, algorithms: Sequence[str] = (), clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._drawer = Drawer(folder)
        self._algorithms = tuple(algorithms)
        self._clock = clock
        self._read: Mapping[bytes, Key] = {}

    def entries(self) -> list[Entry]:
        """Return the keys in the folder by name, having checked them as the app does at start."""
        problems: list[str] = []
        ring = sources.load(Settings(keys_dir=self.folder, algorithms=self._algorithms), problems, self._read)
        if problems:
            raise ConfigurationError(problems)
        self._read = ring.read
        reader, signer = Reader(self._algorithms, ring.read), ring.signing and ring.signing.kid
        found = files.files(self.folder)
        return [Entry(f, reader.key(f), f.state is State.CURRENT and f.kid == signer) for f in found]

    def new(self, algorithm: str | None = None) -> tuple[KeyFile, bool]:
        """Make the first key, which signs at once; where one signs already, the next key, unless there is one.

        Args:
            algorithm: one of `MAKEABLE`; by default that of the key that signs, else ES256.

        Returns:
            The file of the first key, or of the next, and whether it was made.

        Raises:
            NotNow: the folder is for another kind of key.
        """
        self._drawer.make()
        with self._drawer.alone():
            entries = self._tidied() if files.files(self.folder) else []
            if waiting := _waiting(entries):
                return waiting.file, False
            return self._made(entries, algorithm, State.NEXT if _signer(entries) else State.CURRENT).file, True

    def rotate(
        self, algorithm: str | None = None, publish_seconds: float = PUBLISH_SECONDS, *, now: bool = False
    ) -> tuple[KeyFile, bool]:
        """Make the next key; or, once it has been published for long enough, let it sign.

        Args:
            algorithm: of a key that is made, as in `new`.
            publish_seconds: how long a key must have been published before it signs.
            now: make one if need be and let it sign at once: services elsewhere have not seen it yet.

        Returns:
            The file of the key, and whether it signs.

        Raises:
            NotNow: it has not been published for long enough, or could not sign.
        """
        with self._opened() as entries:
            waiting = _waiting(entries)
            if waiting is None:
                waiting = self._made(entries, algorithm, State.NEXT)
                if not now:
                    return waiting.file, False
            ready = waiting.file.since + publish_seconds
            if not now and self._clock() < ready:
                raise NotNow(f"{waiting.file.kid} may sign from {moment(ready)} on, when all others know it")
            return self._promoted(waiting, entries), True

    def retire(self, lifetime: float) -> list[str]:
        """Remove the keys of whose tokens the last has expired; return the names of their files.

        Args:
            lifetime: the longest that a token may live, leeway included, in seconds.
        """
        with self._opened() as entries:
            over = [e.file for e in entries if e.file.state is State.OLD and self._is_over(e.file, lifetime)]
            return [self._removed(file.name) for file in over]

    def remove(self, kid: str) -> list[str]:
        """Remove one key, though its tokens may be good: it was stolen. Return the names of its files.

        Raises:
            NotNow: there is none of this name, or it signs, or is the only one.
        """
        with self._opened() as entries:
            its = [entry for entry in entries if entry.file.kid == kid]
            if not its:
                raise NotNow(f"there is no key {kid}: see `jwt-middleware keys list`")
            if _signer(its):
                raise NotNow(f"{kid} signs: first let another one sign, `jwt-middleware keys rotate --now`")
            if len(its) == len(entries):
                raise NotNow(f"{kid} is the only key: without any the app would not start")
            return [self._removed(entry.file.name) for entry in its]

    def over_at(self, file: KeyFile, lifetime: float) -> float:
        """Return from when on no token of a key that has signed can be good, in seconds since the epoch."""
        return file.since + lifetime + SLACK_SECONDS

    def _is_over(self, file: KeyFile, lifetime: float) -> bool:
        return self.over_at(file, lifetime) <= self._clock()

    def rotate_refresh(self, *, now: bool = False) -> None:
        """Make another key for refresh tokens; the one before verifies on, until its tokens have been renewed by use.

        Args:
            now: end the one before at once: every refresh token is dead, and everybody signs in again.

        Raises:
            NotNow: the one before that still verifies.
        """
        with self._opened() as entries:
            self._keep_refresh_tokens(entries)
            present, old = self.folder / REFRESH, self.folder / OLD_REFRESH
            if not now:
                if old.exists() and old.read_bytes() != present.read_bytes():  # equal: this was cut short
                    raise NotNow("the refresh key before this one still verifies: `keys retire` removes it in time")
                self._drawer.write(OLD_REFRESH, present.read_bytes())
            self._drawer.write(REFRESH, _random(REFRESH_BYTES))
            if now and old.exists():
                self._drawer.remove(OLD_REFRESH)

    def retire_refresh(self, lifetime: float) -> list[str]:
        """Remove the old key for refresh tokens once its last has expired; return the names of removed files.

        Args:
            lifetime: the longest that a refresh token may lie unused, in seconds.
        """
        old = self.folder / OLD_REFRESH
        with self._opened():
            over = old.exists() and old.stat().st_mtime + lifetime + SLACK_SECONDS <= self._clock()
            return [self._removed(OLD_REFRESH)] if over else []

    @contextmanager
    def _opened(self) -> Iterator[list[Entry]]:
        if not self.folder.is_dir():
            raise ConfigurationError(["JWT_KEYS_DIR is not there: make it with `jwt-middleware keys new`"])
        with self._drawer.alone():
            yield self._tidied()

    def _tidied(self) -> list[Entry]:
        """Finish what was cut short: signers that have a successor, private halves of old keys, second copies."""
        entries = self.entries()
        for entry in entries:
            if entry.file.state is State.NEXT and sum(e.file.kid == entry.file.kid for e in entries) > 1:
                self._drawer.remove(entry.file.name)
        left = [entry for entry in entries if _has_had_its_time(entry)]
        if left:
            self._keep_refresh_tokens(entries)
        for entry in left:
            self._demote(entry)
        return self.entries()

    def _keep_refresh_tokens(self, entries: list[Entry]) -> None:
        """Give refresh tokens a key of their own, before the one that they were derived from goes."""
        if not (self.folder / REFRESH).exists():
            signer = _signer(entries)
            self._drawer.write(REFRESH, _written(derivation.derived(signer.key)) if signer else _random(REFRESH_BYTES))

    def _made(self, entries: list[Entry], algorithm: str | None, state: State) -> Entry:
        signer = _signer(entries)
        algorithm = algorithm or (signer.key.names[0] if signer else "ES256")
        hmac = algorithm in keys.HMAC
        if any(entry.key.symmetric is not hmac for entry in entries):
            raise NotNow(f"this folder holds {'key pairs' if hmac else 'secrets'}: {algorithm} needs one of its own")
        kind, data = ("secret", _random(_size(algorithm, signer))) if hmac else ("pem", formats.generate(algorithm))
        try:
            key = Reader(self._algorithms, {}).parsed(kind, data)
        except KeyProblem as problem:
            raise NotNow(f"the new key {problem}") from None
        file = KeyFile(self.folder, self._name(key, entries), state, kind)
        self._keep_refresh_tokens(entries)
        self._drawer.write(file.name, data)
        return Entry(file, key, signs=False)

    def _name(self, key: Key, entries: list[Entry]) -> str:
        """Name a key by the time, after all others: the last signs. Names given by hand may need a prefix to be so."""
        mark = secrets.token_hex(6) if key.symmetric else str(key.kid)[:12]
        stamp = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        last = max((entry.file.kid for entry in entries), default="")
        for prefix in _PREFIXES:
            if (name := f"{prefix}{stamp}-{mark}") > last:
                return name
        raise NotNow(f"{last} comes after any name that we give, and the last by name signs: rename it")

    def _promoted(self, entry: Entry, entries: list[Entry]) -> KeyFile:
        signer = _signer(entries)
        if entry.key.private is None:
            raise NotNow(f"{entry.file.name} holds no private key, so it cannot sign")
        if signer and entry.file.kid < signer.file.kid:
            raise NotNow(
                f"{entry.file.kid} would not sign: its name comes before {signer.file.kid}, and the last signs"
            )
        self._keep_refresh_tokens(entries)
        file = self._renamed(entry.file, State.CURRENT)
        self._drawer.touch(file.name)
        self._tidied()
        return file

    def _demote(self, entry: Entry) -> None:
        """From now on it only verifies, and its private half goes. The time counts from here, so it comes first."""
        self._drawer.touch(entry.file.name)
        file = self._renamed(entry.file, State.OLD)
        if not entry.key.symmetric:
            self._drawer.write(file.name, formats.public_pem(entry.key))

    def _renamed(self, file: KeyFile, state: State) -> KeyFile:
        other = file.being(state)
        self._drawer.rename(file.name, other.name)
        return other

    def _removed(self, name: str) -> str:
        self._drawer.remove(name)
        return name


def _signer(entries: Iterable[Entry]) -> Entry | None:
    return next((entry for entry in entries if entry.signs), None)


def _waiting(entries: Iterable[Entry]) -> Entry | None:
    return next((entry for entry in entries if entry.file.state is State.NEXT), None)


def _has_had_its_time(entry: Entry) -> bool:
    """Whether it holds a private half, or the right to use it, that nothing needs any more."""
    if entry.file.state is State.CURRENT:
        return entry.key.private is not None and not entry.signs
    return entry.file.state is State.OLD and entry.key.private is not None and not entry.key.symmetric


def _size(algorithm: str, signer: Entry | None) -> int:
    """As long as the hash, or as the secret before: `JWT_ALGORITHMS` may be set for the app alone."""
    return max(keys.HMAC[algorithm], len(signer.key.public) if signer else 0)
