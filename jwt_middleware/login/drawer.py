"""A folder with secrets in it, changed by one operator at a time, one file at a time, and never by half.

What is written appears under its name as a whole, for its owner alone, and is on the disk before the next step begins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jwt_middleware.login.files import sync_folder

if sys.platform != "win32":
    import fcntl

_UNFINISHED = ".unfinished"


class Drawer:
    """A folder for files that only their owner may read.

    Args:
        folder: the folder.

    Raises:
        OSError: any verb, where the system refuses it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> None:
        """Make the folder, for its owner alone, unless it is there."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other operators out until the end of the block or of the process; Windows has no such lock."""
        if sys.platform == "win32":  # pragma: no cover
            yield
            return
        held = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            for unfinished in self.folder.glob(f".*{_UNFINISHED}"):
                unfinished.unlink()  # half of a secret, left behind by a crash
            yield
        finally:
            os.close(held)

    def write(self, name: str, data: bytes) -> None:
        """Write a file, or put another in its place, at one stroke."""
        unfinished = self.folder / f".{name}{_UNFINISHED}"
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            self._hand_over(file.fileno())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.folder / name)
        sync_folder(self.folder)

    def rename(self, name: str, other: str) -> None:
        """Give a file another name, at one stroke."""
        (self.folder / name).replace(self.folder / other)
        sync_folder(self.folder)

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.folder / name).unlink()
        sync_folder(self.folder)

    def touch(self, name: str) -> None:
        """Write down that something happened to a file now."""
        os.utime(self.folder / name)

    def _hand_over(self, descriptor: int) -> None:
        """Let what root writes (by cron) belong to whom the folder belongs, so that workers can read it."""
        if sys.platform != "win32" and os.geteuid() == 0:
            owner = self.folder.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
