"""A name and a secret against the records: one hash is computed, whoever it is.

An unknown name, a wrong secret and a disabled record take the same work and have the same outcome, so that nobody
learns who is in the file. For an unknown name the work is that of a decoy, which costs what some record's hash does.
Which one depends on the name alone: after the cost of new hashes was raised there are cheap ones beside dear ones,
and a decoy of one fixed cost would tell the unknown from the known.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Generic, Protocol, TypeVar
from zlib import crc32

from jwt_middleware.errors import ConfigurationError, Unavailable
from jwt_middleware.login.passwords import Passwords
from jwt_middleware.login.records import Raw, RecordsFile
from jwt_middleware.truth.io import IO


class Record(Protocol):
    """Somebody who has a secret."""

    @property
    def hash(self) -> str:
        """The hash of the secret."""

    @property
    def disabled(self) -> bool:
        """Whether no secret is good."""


R = TypeVar("R", bound=Record)


class Matcher(Generic[R]):
    """Finds a record by its name and its secret.

    Params:
        file: the records.
        passwords: makes and compares hashes.
        io: the port, since hashing takes long.
    """

    def __init__(self, file: RecordsFile[R], passwords: Passwords, io: IO) -> None:
        self._file = file
        self._passwords = passwords
        self._io = io

    async def find(self, name: str, secret: str) -> R | None:
        """Return the record of this name, if the secret is its and it is not disabled.

        Raises:
            Unavailable: the file is gone or bad, or the hash cannot be computed.
        """
        return await self._io.offload(lambda: self._find(name, secret))

    def _find(self, name: str, secret: str) -> R | None:
        records = self._file.read()
        decoy = self._decoy(name, records)  # made for everybody, so that this takes the same time, too
        stored = records[name].hash if name in records else decoy
        if not self._passwords.matches(stored, secret):
            return None
        record = self._file.read().get(name)  # as it is now: hashing took its time
        if record is None or record.disabled:
            return None
        if record.hash != stored and not self._passwords.matches(record.hash, secret):
            return None  # it was changed meanwhile; or only hashed anew, by another worker
        if self._passwords.is_outdated(stored):
            self._rehash(name, stored, secret)
        return record

    def _decoy(self, name: str, records: Mapping[str, R]) -> str:
        if not records:
            return self._passwords.decoy()
        place = crc32(name.encode("utf-8", "surrogatepass")) % len(records)
        return self._passwords.decoy(next(islice(records.values(), place, None)).hash)

    def _rehash(self, name: str, stored: str, secret: str) -> None:
        """Write a dearer hash of the same secret. The sign-in is good without it, so nothing here may spoil it."""
        member = self._file.kind.secret

        def change(raw: Raw) -> bool:
            if name not in raw or raw[name][member] != stored:
                return False  # it was removed, has a new secret, or another worker was faster
            raw[name][member] = fresh
            return True

        try:
            fresh = self._passwords.hash(secret)
            self._file.edit(change, wait=False)
        except (BlockingIOError, ConfigurationError, Unavailable):
            pass  # the next sign-in tries again
        except OSError as error:
            self._file.cannot_change(error.strerror or type(error).__name__)
