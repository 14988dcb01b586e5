"""Path patterns by whole segments: `*` is one segment, `**` any number of them, none included.

A pattern has at most one `**`, so matching looks at each of its segments once, however long the path.
Whether earlier patterns leave a later one anything at all is decided exactly, by walking them all
as automata over segments; that is for the start, where an unreachable rule is an error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ONE, MANY, _SLASH = "*", "**", "/"  # the last stands in automata alone: a trailing slash, or none
_UNFIT = re.compile(r"[?{}\[\]<>;%#\\\x00-\x1f\x7f-\x9f]|//|/\.{1,2}(/|$)")
_ELSE = "\0"  # a segment that no pattern names
_Places = frozenset[int]


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

    @property
    def tokens(self) -> tuple[str, ...]:
        """The pattern as an automaton's tokens."""
        many = () if self.tail is None else (MANY, *self.tail)
        return (*self.head, *many, *(() if self.exact else (_SLASH,)))


def _fits(wanted: Sequence[str], segments: Sequence[str]) -> bool:
    return all(w == s or (w == ONE and s != "") for w, s in zip(wanted, segments))


def is_covered(pattern: Pattern, others: Iterable[Pattern]) -> bool:
    """Tell whether every path that the pattern matches is matched by one of the others, too."""
    tokens = pattern.tokens
    covering = [other.tokens for other in others]
    names = {t for each in (tokens, *covering) for t in each} - {ONE, MANY, _SLASH, ""} | {_ELSE}
    begin = _closure(tokens, {0}), tuple((each, _closure(each, {0})) for each in covering)
    seen, waiting = {begin}, [begin]
    while waiting:
        places, rivals = waiting.pop()
        for segment in ("", *names):
            after = _step(tokens, places, segment)
            if not after:
                continue
            alive = tuple((each, next_) for each, where in rivals if (next_ := _step(each, where, segment)))
            if len(tokens) in after and not any(len(each) in where for each, where in alive):
                return False
            state = after, alive
            if segment and state not in seen:  # nothing comes after a trailing slash
                seen.add(state)
                waiting.append(state)
    return True


def _step(tokens: tuple[str, ...], places: _Places, segment: str) -> _Places:
    after = set()
    for place in places:
        token = tokens[place] if place < len(tokens) else None
        if token == MANY:
            after.add(place)
        elif token == segment or (token == ONE and segment) or (token == _SLASH and not segment):
            after.add(place + 1)
    return _closure(tokens, after)


def _closure(tokens: tuple[str, ...], places: set[int]) -> _Places:
    """Add the places that are reached without a segment: behind `**`, and behind an optional slash."""
    found = set(places)
    for place in range(len(tokens)):
        if place in found and tokens[place] in (MANY, _SLASH):
            found.add(place + 1)
    return frozenset(found)
