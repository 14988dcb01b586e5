"""A file that several processes read and change: it is read whole or not at all, and no change is lost.

A change is a new file that takes the old one's place (`os.replace`), so a reader meets the one or the other, never
a half. Who changes holds a lock (`flock`) on the file that is in place: the lock goes away with it, needs no file
of its own, and can be had by those alone who may change the file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

Stamp = tuple[int, ...]


def stamp(status: os.stat_result) -> Stamp:
    """Return what differs once a file was changed or replaced."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def read(path: Path) -> tuple[os.stat_result, bytes]:
    """Return the status and the content of one and the same file, however often it is replaced.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return os.fstat(file.fileno()), file.read()  # in this order: what is changed meanwhile is read again


def change(path: Path, edit: Callable[[bytes], bytes | None], *, wait: bool = True, create: bool = False) -> None:
    """Replace a file by what `edit` makes of it, while nobody else changes it. Mode and owner stay.

    Args:
        path: the file; of a symbolic link, what it points to is replaced.
        edit: takes the content (nothing, if the file is new), returns the new one; `None` leaves it as it is.
        wait: whether to wait for another who changes it.
        create: whether to make it, for its owner alone, if it is not there.

    Raises:
        BlockingIOError: another changes it, and `wait` is false.
        OSError: it cannot be written. It is as it was.
    """
    real = Path(os.path.realpath(path))
    with _held(real, wait=wait, create=create) as file:
        status = os.fstat(file.fileno())
        if not status.st_mode & 0o222:
            raise PermissionError(0, "it is read-only", str(real))  # which would not stop root, nor a replacement
        content, fresh = file.read(), None
        try:
            fresh = edit(content)
        finally:
            if create and not content and fresh is None:
                real.unlink()  # it was made to be locked, and there is nothing to put into it
        if fresh is not None:
            _replace(real, fresh, status)


@contextmanager
def _held(path: Path, *, wait: bool, create: bool) -> Iterator[BinaryIO]:
    """Open the file and lock it; again, if it was replaced while we waited for the lock."""
    try:
        import fcntl
    except ImportError:
        raise OSError(0, "this system has no flock: files can be read, not changed") from None
    while True:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
        with os.fdopen(descriptor, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            try:
                if _is_in_place(descriptor, path):
                    yield file
                    return
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)  # a child that was forked meanwhile may hold the file open


def _is_in_place(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _replace(path: Path, content: bytes, like: os.stat_result) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)  # of one that was killed: we hold the lock
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            _dress(file.fileno(), like)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            fresh.replace(path)
        except BaseException:
            with suppress(OSError):
                fresh.unlink()
            raise
    sync_folder(path.parent)


def _dress(descriptor: int, like: os.stat_result) -> None:
    """Give a new file the owner and the mode of another, in this order: the mode must not serve another group."""
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(descriptor, like.st_uid, like.st_gid)
    os.fchmod(descriptor, like.st_mode & 0o777)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, too; Windows cannot be asked to."""
    if sys.platform == "win32":  # pragma: no cover
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
