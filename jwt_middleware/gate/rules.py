r"""Which paths need a token: all, but for those named as exempt or optional.

A path is matched as the app will see it, and only if it can be read in one way. Dot segments, `//`,
`\`, `;`, control characters and encoded separators have opened more doors than any cipher: a
path with any of them is never exempt. Deny by default.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum

_AMBIGUOUS = re.compile(r"//|[\\;%#?\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]|/\.{1,2}(/|$)")
_ENCODED = re.compile(rb"%(?:[01][0-9a-f]|2[ef5]|3b|5c|7f)", re.IGNORECASE)


class Need(Enum):
    """What a path asks of a request."""

    TOKEN = "token"  # noqa: S105 - a need
    OPTIONAL = "optional"
    NOTHING = "nothing"


class Rules:
    """The exempt and optional paths, compiled. Exempt wins where both match."""

    def __init__(self, exempt: Iterable[str], optional: Iterable[str]) -> None:
        self._exempt = _Paths(exempt)
        self._optional = _Paths(optional)
        self.any = bool(self._exempt or self._optional)

    def need(self, path: str | None, raw_path: bytes = b"") -> Need:
        """Return what a path needs.

        Args:
            path: decoded and relative to the app; `None` where that cannot be told.
            raw_path: as it was sent, where the server tells; without the query.
        """
        if path is None or not is_plain(path) or _ENCODED.search(raw_path):
            return Need.TOKEN
        if self._exempt.match(path):
            return Need.NOTHING
        return Need.OPTIONAL if self._optional.match(path) else Need.TOKEN


class _Paths:
    def __init__(self, patterns: Iterable[str]) -> None:
        given = tuple(patterns)
        self._exact = frozenset(p for p in given if not p.endswith("/**"))
        self._below = tuple(p.removesuffix("**") for p in given if p.endswith("/**"))

    def match(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._below)

    def __bool__(self) -> bool:
        return bool(self._exact or self._below)


def is_plain(path: str) -> bool:
    """Tell whether a decoded path can be read in only one way."""
    if not path.startswith("/") or _AMBIGUOUS.search(path):
        return False
    return path.isascii() or not _AMBIGUOUS.search(unicodedata.normalize("NFKC", path))


def below_mount(path: str, mount: str) -> str:
    """Return the path that the app will see: below its mount point if it is below it, else as it is.

    The latter is a proxy that strips the prefix while the server adds it to `root_path` alone; Starlette and Django
    read it so, too.
    """
    mount = mount.rstrip("/")
    below = path.removeprefix(mount)
    return below if below.startswith("/") else path
