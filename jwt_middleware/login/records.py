"""Named records in a JSON file, `{"users": {"ada": {…}}}`: read strictly, and again whenever the file has changed.

What is not understood is a problem, never skipped: a member that is misspelt might be `disabled`. Problems name the
file and the record, and never hold a hash.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from jwt_middleware.errors import ConfigurationError, Reason, Unavailable, shown
from jwt_middleware.login import files, members

R = TypeVar("R")
Raw = dict[str, Any]
_HASH = re.compile(r"\$argon2\S*")
_OTHERS = 0o006
_logger = logging.getLogger("jwt_middleware")


@dataclass(frozen=True, slots=True)
class Kind(Generic[R]):
    """What the records of a file are.

    Attributes:
        noun: of one record, such as `user`; the file's one member is its plural.
        setting: the variable that names the file.
        secret: the member of each that holds the hash.
        make: makes a record of its name and its raw members, or raises `ValueError` with what is wrong.
        together: yields what is wrong with all the records together.
    """

    noun: str
    setting: str
    secret: str
    make: Callable[[str, Raw], R]
    together: Callable[[Mapping[str, R]], Iterable[str]] = lambda _: ()

    @property
    def plural(self) -> str:
        """The file's one member."""
        return f"{self.noun}s"


class RecordsFile(Generic[R]):
    """The records of one kind, as their file has them at this moment. Making it opens nothing.

    Params:
        path: the JSON file.
        kind: what is in it.
    """

    def __init__(self, path: Path, kind: Kind[R]) -> None:
        self.path = path.absolute()  # a server may change its directory later
        self.kind = kind
        self._known: tuple[files.Stamp | None, Mapping[str, R] | ConfigurationError] | None = None
        self._said: set[str] = set()

    def load(self) -> Mapping[str, R]:
        """Read the file anew. It blocks for a moment.

        Raises:
            ConfigurationError: with every problem, one line each.
        """
        self._known = _, found = self._look(None)
        if isinstance(found, ConfigurationError):
            raise found
        return found

    def read(self) -> Mapping[str, R]:
        """Return the records as they are now: from memory while the file is unchanged, else it is read anew.

        Raises:
            Unavailable: the file is gone or has become bad. Nobody knows then who is in it.
        """
        now, known = self._stamp(), self._known
        if known is None or known[0] != now:
            known = self._known = self._look(now)
            self._log(known[1])
        if isinstance(known[1], ConfigurationError):
            raise Unavailable(known[1].problems[0], Reason.ACCOUNTS_UNAVAILABLE)
        return known[1]

    def problems(self) -> list[str]:
        """Read the file as `load`, and return what is wrong with it."""
        try:
            self.load()
        except ConfigurationError as error:
            return list(error.problems)
        return []

    def edit(self, change: Callable[[Raw], bool], *, wait: bool = True, create: bool = False) -> None:
        """Change the raw records by name, while nobody else does.

        Args:
            change: changes what it is given, and tells whether it did.
            wait: whether to wait for another process that changes the file.
            create: whether to make the file, for its owner alone, if it is not there.

        Raises:
            ConfigurationError: the file is bad, or would be after the change; nothing is written.
            BlockingIOError: another process changes it, and `wait` is false.
            OSError: it cannot be written.
        """

        def edited(content: bytes) -> bytes | None:
            content = content or b'{"%s": {}}' % self.kind.plural.encode()
            self._parsed(content)
            raw = self._raw(content)
            if not change(raw):
                return None
            fresh = (json.dumps({self.kind.plural: raw}, indent=2, ensure_ascii=False) + "\n").encode(
                "utf-8", "surrogatepass"
            )
            self._parsed(fresh)
            return fresh

        files.change(self.path, edited, wait=wait, create=create)

    def cannot_change(self, why: str) -> None:
        """Warn, once in a process, that the file cannot be kept up to date."""
        self._warn_once(f"cannot be changed, so its hashes stay as they are: {why}")

    def _stamp(self) -> files.Stamp | None:
        try:
            return files.stamp(self.path.stat())
        except OSError:
            return None

    def _look(self, now: files.Stamp | None) -> tuple[files.Stamp | None, Mapping[str, R] | ConfigurationError]:
        try:
            status, content = files.read(self.path)
        except OSError as error:
            makes = f" (`jwt-middleware {self.kind.noun} add` makes it)" if isinstance(error, FileNotFoundError) else ""
            return now, self._problem(f"cannot be read: {error.strerror}{makes}")
        if status.st_mode & _OTHERS:
            self._warn_once("can be read or changed by others than its owner and group: chmod o= it")
        try:
            return files.stamp(status), self._parsed(content)
        except ConfigurationError as error:
            return files.stamp(status), error

    def _log(self, found: Mapping[str, R] | ConfigurationError) -> None:
        for problem in found.problems if isinstance(found, ConfigurationError) else ():
            _logger.error("%s", problem)

    def _warn_once(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            _logger.warning("%s: %s %s", self.kind.setting, self.path, what)

    def _parsed(self, content: bytes) -> Mapping[str, R]:
        found: dict[str, R] = {}
        problems: list[str] = []
        for name, raw in self._raw(content).items():
            try:
                found[name] = self.kind.make(_name(name), members.whole(raw))
            except ValueError as error:
                problems.append(f"{self.kind.noun} {shown(name)} {error}")
        problems += self.kind.together(found)
        if problems:
            raise self._problem(*problems)
        return found

    def _raw(self, content: bytes) -> Raw:
        """Return the raw records by name."""
        try:
            document = members.parse(content)
        except ValueError as error:
            raise self._problem(str(error)) from None
        plural = self.kind.plural
        found = members.only(document, plural)
        if found is None:
            raise self._problem(f'must be an object whose one member is "{plural}", an object of {plural} by name')
        if found.repeated:
            raise self._problem(*(f"{self.kind.noun} {shown(name)} stands twice" for name in found.repeated))
        return found

    def _problem(self, *problems: str) -> ConfigurationError:
        return ConfigurationError([f"{self.kind.setting}: {_HASH.sub('(a hash)', problem)}" for problem in problems])


def _name(name: str) -> str:
    try:
        return members.label(name)
    except ValueError as error:
        raise ValueError(f"(the name) {error}") from None
