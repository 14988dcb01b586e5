r"""What a request needs: a token, unless its path is exempt or optional, and what the token must carry.

A path is matched as the app will see it. Dot segments, `//`, `\`, `;`, control characters and encoded
separators have opened more doors than any cipher: a path with any of them can be read in several
ways, so it is never exempt or optional, and gets the checks of every rule that any reading could
meet. The same holds for a path in another Unicode form than
NFKC, and for a method that some apps would read as another. Deny by default.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from jwt_middleware.gate.demands import Demand
from jwt_middleware.gate.patterns import Pattern

_AMBIGUOUS = re.compile(r"//|[\\;%#?\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]|/\.{1,2}(/|$)")
_ENCODED = re.compile(rb"%(?:[01][0-9a-f]|2[ef5]|3b|5c|7f)", re.IGNORECASE)
HANDSHAKE = "WEBSOCKET"


class Need(Enum):
    """What a path asks of a request."""

    TOKEN = "token"  # noqa: S105 - a need
    OPTIONAL = "optional"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a request needs, and why.

    Attributes:
        need: whether a token must, may or need not be there.
        demands: what a token must carry, if there is one.
        source: the rule or setting that decided.
    """

    need: Need
    demands: tuple[Demand, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the file, compiled.

    Attributes:
        patterns: the paths that it is about: any of them.
        methods: the methods that it is about; `None` for all.
        need: whether a token must, may or need not be there.
        demand: what a token must carry.
    """

    patterns: tuple[Pattern, ...]
    methods: frozenset[str] | None
    need: Need
    demand: Demand

    @property
    def name(self) -> str:
        """How the log calls it."""
        return self.demand.source

    def takes(self, method: str) -> bool:
        """Tell whether it is about this method."""
        return self.methods is None or method in self.methods

    def matches(self, segments: Sequence[str]) -> bool:
        """Tell whether it is about this path, split at its slashes."""
        return any(pattern.matches(segments) for pattern in self.patterns)


class Rules:
    """All that says who may pass: exempt paths, optional paths, the file's rules in their order, then a token.

    Attributes:
        any: whether anything is configured at all; if not, a request needs a token and no more.
        binding: whether even a known token must be looked at twice.
    """

    def __init__(
        self,
        exempt: Iterable[str] = (),
        optional: Iterable[str] = (),
        rules: Sequence[Rule] = (),
        required_scopes: Sequence[str] = (),
    ) -> None:
        self._exempt = Paths(exempt)
        self._optional = Paths(optional)
        self.rules = tuple(rules)
        scopes = tuple(required_scopes)
        self._always = (Demand("JWT_REQUIRED_SCOPES", scopes=scopes, asked=scopes),) if scopes else ()
        self.any = bool(self._exempt or self._optional or rules or scopes)
        self.binding = bool(self._exempt or rules or scopes)
        self._verdicts = {rule.name: self._verdict(rule) for rule in rules}
        self._exempted = Verdict(Need.NOTHING, (), "JWT_EXEMPT_PATHS")
        self._optioned = Verdict(Need.OPTIONAL, self._always, "JWT_OPTIONAL_PATHS")
        self._default = Verdict(Need.TOKEN, self._always, "no rule")

    def _verdict(self, rule: Rule) -> Verdict:
        always = (replace(demand, asked=rule.demand.asked) for demand in self._always)
        demands = () if rule.need is Need.NOTHING else (*always, rule.demand)
        return Verdict(rule.need, demands, rule.name)

    def verdict(self, method: str, path: str | None, raw_path: bytes = b"", *, handshake: bool = False) -> Verdict:
        """Return what a request needs.

        Args:
            method: as it was sent.
            path: decoded and relative to the app; `None` where that cannot be told.
            raw_path: as it was sent, where the server tells; without the query.
            handshake: whether it opens a WebSocket, and no method was sent.
        """
        if path is None or is_ambiguous(path, raw_path):
            return self._strictest(method, None, handshake)
        if self._exempt.match(path):
            return self._exempted
        if self._optional.match(path):
            return self._optioned
        if not self.rules:
            return self._default
        if not path.isascii() and unicodedata.normalize("NFKC", path) != path:
            return self._strictest(method, None, handshake)
        segments = path.split("/")[1:]
        asked = _asked(method, handshake)
        if asked is None:
            return self._strictest(method, segments, handshake)
        winner = next((rule for rule in self.rules if rule.takes(asked) and rule.matches(segments)), None)
        return self._default if winner is None else self._verdicts[winner.name]

    def _strictest(self, method: str, segments: Sequence[str] | None, handshake: bool) -> Verdict:
        """Ask for everything that any reading of the request would be asked for, so that none is asked for more."""
        if not self.rules:
            return self._default
        demands = (rule.demand for rule in self._met(method, segments, handshake))
        return Verdict(Need.TOKEN, (*self._always, *demands), "every rule that a reading of it could meet")

    def _met(self, method: str, segments: Sequence[str] | None, handshake: bool) -> Iterator[Rule]:
        asked = _asked(method, handshake)
        for rule in self.rules:
            everywhere = any(pattern.is_everything for pattern in rule.patterns)
            if rule.takes(asked or _upper(method)) and (everywhere or segments is None or rule.matches(segments)):
                yield rule
                if (everywhere or segments is not None) and (rule.methods is None or asked is not None):
                    return  # every reading meets this rule, if none before


def _asked(method: str, handshake: bool) -> str | None:
    """Return the method by which rules are found; `None` for one that can be read in several ways."""
    if handshake:
        return HANDSHAKE
    return _upper(method) if method == method.upper() != HANDSHAKE else None


def _upper(method: str) -> str:
    """Return the method as most apps take it: what answers GET answers HEAD."""
    upper = method.upper()
    return "GET" if upper == "HEAD" else upper


class Paths:
    """Exact paths, and `/folder/**` for all below, in the form of `JWT_EXEMPT_PATHS`."""

    def __init__(self, patterns: Iterable[str]) -> None:
        given = tuple(patterns)
        self._exact = frozenset(p for p in given if not p.endswith("/**"))
        self._below = tuple(p.removesuffix("**") for p in given if p.endswith("/**"))

    def match(self, path: str) -> bool:
        """Tell whether it is one of them; ask only of a path that is not ambiguous."""
        return path in self._exact or path.startswith(self._below)

    def __bool__(self) -> bool:
        return bool(self._exact or self._below)


def is_ambiguous(path: str, raw_path: bytes) -> bool:
    """Tell whether a request's path can be read in several ways."""
    return not is_plain(path) or _ENCODED.search(raw_path) is not None


def is_plain(path: str) -> bool:
    """Tell whether a decoded path can be read in only one way."""
    if not path.startswith("/") or _AMBIGUOUS.search(path):
        return False
    return path.isascii() or not _AMBIGUOUS.search(unicodedata.normalize("NFKC", path))


def below_mount(path: str, mount: str) -> str:
    """Return the path that the app will see: below its mount point, or as it is where the mount point is not in it.

    The latter is a proxy that strips the prefix while the server adds it to `root_path` alone; Starlette and Django
    read it so, too. Where the mount point stands anywhere else, or ends inside a segment, apps disagree (Litestar and
    Quart cut there, Starlette does not): then what is returned has no slash at its beginning, so it is ambiguous.
    """
    mount = mount.rstrip("/")
    if not mount or mount not in path:
        return path
    before, _, below = path.partition(mount)
    return "" if before else below
