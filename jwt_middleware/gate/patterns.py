"""Path patterns by whole segments: `*` is one segment, `**` any number of them, none included.

A pattern has at most one `**`, so matching looks at each of its segments once, however long the path.
Whether earlier patterns leave a later one anything at all is decided exactly, and for any file in
polynomial time; that is for the start, where an unreachable rule is an error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

ONE, MANY = "*", "**"
MAX_SEGMENTS = 64  # far more than any app's routes have; what is longer costs time, and says nothing
_UNFIT = re.compile(r"[?{}\[\]<>;%#\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]|//|/\.{1,2}(/|$)")
_ELSE = "\0"  # a segment that no pattern names


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern.

    Attributes:
        text: as it was written.
        exact: whether a trailing slash counts. It does where a pattern opens a path; where it demands something
            it does not, since many apps serve `/admin/` as `/admin`.
        head: the segments before `**`, or all of them.
        tail: the segments after `**`; `None` without one.
    """

    text: str
    exact: bool
    head: tuple[str, ...]
    tail: tuple[str, ...] | None

    @classmethod
    def parse(cls, text: str, *, exact: bool) -> Pattern:
        """Read a pattern.

        Raises:
            ValueError: it is none.
        """
        segments = text.split("/")[1:]
        starred = any("*" in segment and segment not in (ONE, MANY) for segment in segments)
        if starred or not text.startswith("/") or _UNFIT.search(text):
            raise ValueError("must be a path such as /users/*/orders or /admin/**, with * and ** as whole segments")
        if unicodedata.normalize("NFKC", text) != text:
            raise ValueError("must be in Unicode's form NFKC")
        if segments.count(MANY) > 1:
            raise ValueError("may have one ** only")
        if not exact and segments[-1] == "":
            del segments[-1]
        if len(segments) > MAX_SEGMENTS:
            raise ValueError(f"may have {MAX_SEGMENTS} segments at most")
        if MANY not in segments:
            return cls(text, exact, tuple(segments), None)
        cut = segments.index(MANY)
        return cls(text, exact, tuple(segments[:cut]), tuple(segments[cut + 1 :]))

    @property
    def is_everything(self) -> bool:
        """Whether it is `/**`."""
        return not self.head and self.tail == ()

    def matches(self, segments: Sequence[str]) -> bool:
        """Tell whether a path, split at its slashes, is one of those that are meant."""
        end = len(segments)
        if not self.exact and not segments[-1]:
            end -= 1
        if self.tail is None:
            return end == len(self.head) and _fits(self.head, segments)
        rest = end - len(self.tail)
        return rest >= len(self.head) and _fits(self.head, segments) and _fits(self.tail, segments[rest:end])


def _fits(wanted: Sequence[str], segments: Sequence[str]) -> bool:
    return all(w == s or (w == ONE and s != "") for w, s in zip(wanted, segments))


def is_covered(pattern: Pattern, others: Iterable[Pattern]) -> bool:
    """Tell whether every path that the pattern matches is matched by one of the others, too.

    One path of each shape is enough: where the pattern is free, it has a segment that nobody names. What matches
    this path does so by a star there, and a star takes any segment: so it matches every path of that shape.
    """
    others = tuple(others)
    longest = max((len(other.head) + len(other.tail or ()) for other in others), default=0)
    return all(any(other.matches(path) for other in others) for path in _shapes(pattern, longest + 1))


def _shapes(pattern: Pattern, most: int) -> Iterator[list[str]]:
    """Yield one path of each shape, with up to `most` segments for `**`: what has room for more has room for any."""
    may_end_in_slash = not pattern.exact or pattern.tail == ()
    for count in range(1 if pattern.tail is None else most + 1):
        free = (ONE,) * count
        path = [_ELSE if each == ONE else each for each in (*pattern.head, *free, *(pattern.tail or ()))]
        if path:
            yield path
        if may_end_in_slash:
            yield [*path, ""]
