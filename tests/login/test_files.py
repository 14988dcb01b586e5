"""Changing a file that others read: whole or not at all, nothing lost, mode and owner kept."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jwt_middleware.login import files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file that holds the number 0."""
    path = tmp_path / "count"
    path.write_bytes(b"0")
    path.chmod(0o600)
    return path


def more(content: bytes) -> bytes:
    """Count one up."""
    return str(int(content or b"0") + 1).encode()


def names(folder: Path) -> list[str]:
    """List a folder, hidden files included."""
    return [file.name for file in folder.iterdir()]


def test_a_change_leaves_mode_and_folder_as_they_were(path: Path) -> None:
    """The file is another one then, with the same face; nothing is left beside it."""
    for mode in (0o600, 0o640, 0o660):
        path.chmod(mode)
        before = path.stat()
        files.change(path, more)
        assert path.stat().st_mode == before.st_mode
        assert path.stat().st_ino != before.st_ino
    assert path.read_bytes() == b"3"
    assert names(path.parent) == ["count"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_change_by_root_leaves_the_owner(path: Path) -> None:
    """The command run by root must not shut the service out of its own file."""
    os.chown(path, 12345, 23456)
    files.change(path, more)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_a_new_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    """There is no moment in which others could read it."""
    before = os.umask(0)
    try:
        files.change(tmp_path / "new", more, create=True)
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").read_bytes() == b"1"


def test_a_new_file_that_nothing_comes_into_goes_away_again(tmp_path: Path) -> None:
    """A service that finds an empty file would not start."""
    with pytest.raises(ZeroDivisionError):
        files.change(tmp_path / "new", lambda _: bytes(1 // 0), create=True)
    files.change(tmp_path / "new", lambda _: None, create=True)
    assert names(tmp_path) == []


def test_no_file_is_made_unasked(tmp_path: Path) -> None:
    """A misspelt name is an error."""
    with pytest.raises(FileNotFoundError):
        files.change(tmp_path / "new", more)
    assert names(tmp_path) == []


def test_what_a_link_points_to_is_changed_and_the_link_stays(path: Path, tmp_path: Path) -> None:
    """A file that is mounted or deployed by link goes on being so."""
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link"
    link.symlink_to(path)
    files.change(link, more)
    assert link.is_symlink()
    assert path.read_bytes() == b"1"


def test_an_edit_that_fails_or_wants_nothing_changes_nothing(path: Path) -> None:
    """The same file is there, and the lock is free."""
    before = path.stat()
    with pytest.raises(ZeroDivisionError):
        files.change(path, lambda _: bytes(1 // 0))
    files.change(path, lambda _: None)
    assert os.path.samestat(path.stat(), before)
    files.change(path, more, wait=False)


def test_a_write_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is noticed before the new file takes the old one's place."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.change(path, more)
    assert path.read_bytes() == b"0"
    assert names(path.parent) == ["count"]


def test_what_a_killed_process_left_behind_does_no_harm(path: Path) -> None:
    """Its half of a file is thrown away by the next."""
    (path.parent / ".count.new").write_bytes(b"half")
    files.change(path, more)
    assert path.read_bytes() == b"1"
    assert names(path.parent) == ["count"]


def test_a_read_only_file_is_not_replaced(path: Path) -> None:
    """Replacing needs only the folder's permission, and root needs none: the mode is asked all the same."""
    path.chmod(0o400)
    with pytest.raises(PermissionError, match=r"read-only|denied"):
        files.change(path, more)
    assert path.read_bytes() == b"0"


def test_who_does_not_wait_goes_away(path: Path) -> None:
    """While another holds the lock a sign-in does not stand in the queue."""
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            files.change(path, more, wait=False)
    files.change(path, more, wait=False)


def test_who_waited_for_a_file_that_was_replaced_changes_the_new_one(path: Path) -> None:
    """The lock was on the old file: it is taken anew, else the change of the first would be lost."""
    inside, go_on = threading.Event(), threading.Event()

    def slowly(content: bytes) -> bytes:
        inside.set()
        assert go_on.wait(30)
        return more(content)

    first = threading.Thread(target=files.change, args=(path, slowly))
    second = threading.Thread(target=files.change, args=(path, more))
    first.start()
    assert inside.wait(30)
    second.start()
    second.join(0.05)  # until it most probably waits
    go_on.set()
    first.join()
    second.join()
    assert path.read_bytes() == b"2"


def test_a_file_that_is_gone_once_the_lock_is_had(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removed in between: it is not there, and nothing is written to what no name leads to."""
    flock = fcntl.flock

    def late(file: object, operation: int) -> None:
        flock(file, operation)
        path.unlink(missing_ok=True)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(FileNotFoundError):
        files.change(path, more)
    assert not path.exists()


def test_without_flock_nothing_is_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system that cannot lock, a change might be lost: it is refused, in words."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(OSError, match="flock"):
        files.change(path, more)


def test_processes_that_change_at_once_lose_nothing(path: Path) -> None:
    """Four processes count to fifty each, beginning with a file that is not there."""
    path.unlink()
    code = (
        "import sys, pathlib; from jwt_middleware.login import files;"
        "[files.change(pathlib.Path(sys.argv[1]), lambda c: str(int(c or b'0') + 1).encode(), create=True)"
        " for _ in range(50)]"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert path.read_bytes() == b"200"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_reader_meets_the_old_file_or_the_new_one(path: Path) -> None:
    """Never a half, and never none, while it is being replaced."""
    path.write_bytes(b"0" * 100_000)
    done = threading.Event()

    def swap() -> None:
        for digit in b"1234567890" * 5:
            files.change(path, lambda _, digit=digit: bytes([digit]) * 100_000)
        done.set()

    writer = threading.Thread(target=swap)
    writer.start()
    seen = 0
    while not done.is_set():
        status, content = files.read(path)
        assert len(content) == status.st_size == 100_000
        assert len(set(content)) == 1
        seen += 1
    writer.join()
    assert seen
