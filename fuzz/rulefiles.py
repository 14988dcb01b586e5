"""What must hold for any rules file, and for any request to what it protects.

The oracle reads the same file anew and matches whole paths by regular expressions: it shares no code with the gate.
"""

from __future__ import annotations

import io
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from jwt_middleware.errors import Refused
from jwt_middleware.gate import rulebook
from jwt_middleware.gate.rules import Need, Rules, Verdict
from jwt_middleware.settings import Settings
from jwt_middleware.user import Claims, User
from tests.worlds import NOW

__all__ = ["rulesfile", "verdicts"]

_STRICTNESS = (Need.NOTHING, Need.OPTIONAL, Need.TOKEN)
_ODD = {*"\\;%#?\u2028\u2029\ufffd", *map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))}
_STRANGER = User("42", Claims(sub="42", auth_time=NOW))


class _Bytes(NamedTuple):
    """A file of these bytes, without a disk."""

    data: bytes

    def read_text(self, encoding: str) -> str:
        return io.TextIOWrapper(io.BytesIO(self.data), encoding).read()


def _loaded(data: bytes, **more: Any) -> tuple[Rules, list[str]]:
    problems: list[str] = []
    return rulebook.load(Settings(rules_file=cast(Path, _Bytes(data)), **more), problems), problems


class _Dice:
    """Choices made by bytes; the first of everything when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._left = list(reversed(data))

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self._left.pop() % len(options)] if self._left else options[0]

    def some(self, options: Sequence[Any], most: int) -> list[Any]:
        return [self.pick(options) for _ in range(self.pick(range(most + 1)))]


_FLAG = ("true",)
_TEXTS = ('"a"', '["a", "b"]')
_GOOD = {
    "path": ('"/a"', '"/**"', '["/a/*", "/b/"]', '"/a/**/b"', '"/\u00e4/**"', '"/"', f'"{"/x" * 64}"'),
    "methods": ('"GET"', '["POST", "DELETE"]', '"WEBSOCKET"', '"X-Y"'), "websocket": _FLAG,
    "exempt": _FLAG, "optional": _FLAG, "authenticated": _FLAG,
    "scopes": _TEXTS, "any_scopes": _TEXTS, "roles": _TEXTS, "any_roles": _TEXTS,
    "claims": ('{ t = "a" }', '{ "a.b" = 1, c = true }', "{ a.b = 1 }", f"{{ n = {2**63 - 1} }}"),
    "max_auth_age": ('"15m"', "1", "0.5", "0x1fffffffffffff"),
}  # fmt: skip
_ODD_VALUES = (
    "false", "1", '""', '"\\u0000"', "[]", "{}", "[1]", '[["a"]]', "nan", "inf", "1979-05-27", f"0x{'f' * 4000}",
    '{ a = 0xffffffffffffffffffff }', '{ "" = "" }', '"/a/../b"', '"/\uff41"', '"/**/**"', '"GET"', '"\\u2028"',
)  # fmt: skip


def _made(dice: _Dice) -> str:
    """A file of keys that there are, most of their values good."""
    lines = []
    for _ in range(dice.pick((1, 2, 3, 4))):
        lines.append("[[rule]]")
        for key in dict.fromkeys(("path", *dice.some((*_GOOD, "role"), 3))):
            odd = dice.pick(range(16)) == 15
            lines.append(f"{key} = {dice.pick(_ODD_VALUES if odd else _GOOD.get(key, _ODD_VALUES))}")
    return "\n".join(lines)


def rulesfile(data: bytes) -> None:
    """Read any bytes as a rules file: rules that decide as the oracle does, or problems in printable ASCII.

    Bytes that no text begins with make one of keys and values that there are.
    """
    if data.startswith(b"\xff"):
        data = _made(_Dice(data[1:])).encode()
    rules, problems = _loaded(data)
    for problem in problems:
        assert problem.startswith("JWT_RULES_FILE: "), problem
        assert problem.isascii(), problem
        assert problem.isprintable(), problem
    if problems:
        return
    oracle = _Oracle(data.decode().replace("\r\n", "\n").replace("\r", "\n"))
    assert len(rules.rules) == len(oracle.tables)
    for rule in rules.rules[:8]:
        _check_demand(rule.demand)
        for pattern in rule.patterns[:4]:
            for method in ("GET", *sorted(rule.methods or ())[:2]):
                _check(rules, oracle, _Asked(method, pattern.text.replace("*", "x"), method == "WEBSOCKET"))


def _check_demand(demand: Any) -> None:
    str(demand)
    try:
        demand.check(_STRANGER, NOW)
    except Refused as refused:
        for name, value in refused.parameters:
            assert all(" " <= char <= "~" and char not in '"\\' for char in name + value), "no text for a challenge"


_NAMES = ("a", "b", "x", "\u00e4")
_METHODS = ("GET", "POST", "DELETE", "WEBSOCKET")
_PIECES = (*_NAMES, "", ".", "..", "a;b", "\uff41", "a\u0308", "\\", "x y", "%2e", "\u2025", "\x00")
_KINDS = (
    "authenticated = true", "exempt = true", "optional = true", 'roles = "r"', 'scopes = ["s"]\nclaims = {"a.b" = 1}',
    'optional = true\nany_scopes = ["s", "t"]', 'max_auth_age = "5m"',
)  # fmt: skip
_LISTS = ((), ("/a",), ("/a/**",), ("/x/a", "/b/**"), ("/\u00e4/**",), ("/\uff41",))


def _pattern(dice: _Dice) -> str:
    head = dice.some((*_NAMES, "*"), 3)
    if dice.pick((False, True)):
        head += ["**", *dice.some((*_NAMES, "*"), 2)]
    return "/" + "/".join(head) + (dice.pick(("", "/")) if head else "")


def _table(dice: _Dice) -> str:
    lines = ["[[rule]]", f"path = {json.dumps([_pattern(dice) for _ in range(dice.pick((1, 1, 2)))])}"]
    if methods := dice.some(_METHODS, 2):
        lines.append(f"methods = {json.dumps(methods)}")
    if dice.pick((False, False, True)):
        lines.append("websocket = true")
    return "\n".join([*lines, dice.pick(_KINDS), ""])


def _path(dice: _Dice, pieces: Sequence[str]) -> str:
    parts = dice.some(pieces, 4)
    return dice.pick(("/", "/", "/", "", "//")) + "/".join(parts) + dice.pick(("", "", "/"))


def verdicts(data: bytes) -> None:
    """Make rules and requests of the bytes: the verdict is the oracle's, and no other spelling gets a better one."""
    dice = _Dice(data)
    text = "\n".join(_table(dice) for _ in range(dice.pick((1, 2, 3, 4))))
    lists = {"exempt_paths": dice.pick(_LISTS), "optional_paths": dice.pick(_LISTS)}
    scopes = dice.pick(((), ("base",)))
    rules, problems = _loaded(text.encode(), required_scopes=scopes, **lists)
    oracle = _Oracle(text, required=bool(scopes), **lists)
    if any("would open every path" in problem for problem in problems):
        return
    assert all("is wholly shadowed" in problem for problem in problems), problems
    shadowed = {int(re.findall(r"rule (\d+)", problem)[0]) for problem in problems}
    for pieces in (_NAMES, _PIECES, _PIECES):
        handshake = dice.pick((False, False, True))
        method = "WEBSOCKET" if handshake else dice.pick((*_METHODS, "HEAD", "get", "PATCH", "h\u00e9"))
        asked = _Asked(method, _path(dice, pieces), handshake)
        assert oracle.winner(asked) not in shadowed, f"it is not shadowed: {asked}"
        _check(rules, oracle, asked)
        _check_spellings(rules, oracle, asked, dice)


class _Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    handshake: bool = False

    def verdict(self, rules: Rules, raw: bytes = b"") -> Verdict:
        return rules.verdict(self.method, self.path, raw, handshake=self.handshake)


@cache
def _regex(pattern: str, exact: bool) -> re.Pattern[str]:
    segments = (pattern if exact else pattern.removesuffix("/")).split("/")[1:]
    stars = {"**": "(?:/[^/]*)*", "*": "/[^/]+"}
    return re.compile("".join(stars.get(each, f"/{re.escape(each)}") for each in segments) + ("" if exact else "/?"))


class _Oracle:
    """Decides from the file's tables, as docs/rules.md says."""

    def __init__(
        self, text: str, required: bool = False, exempt_paths: Sequence[str] = (), optional_paths: Sequence[str] = ()
    ) -> None:
        self.tables: list[dict[str, Any]] = tomllib.loads(text)["rule"]
        self.required = required
        self._lists = (("JWT_EXEMPT_PATHS", exempt_paths), ("JWT_OPTIONAL_PATHS", optional_paths))

    def is_clear(self, asked: _Asked) -> bool:
        """Whether path and method can be read in one way only."""
        plain = _is_plain(asked.path) and unicodedata.normalize("NFKC", asked.path) == asked.path
        return plain and (asked.handshake or asked.method == asked.method.upper() != "WEBSOCKET")

    def listed(self, path: str) -> str | None:
        """Which of the two lists has a path."""
        for name, paths in self._lists:
            for one in paths:
                if _is_plain(path) and (path.startswith(one[:-2]) if one.endswith("/**") else path == one):
                    return name
        return None

    def winner(self, asked: _Asked) -> int | None:
        """The number of the rule that decides a clear request, counted from 1."""
        if not self.is_clear(asked) or self.listed(asked.path):
            return None
        method = "WEBSOCKET" if asked.handshake else "GET" if asked.method == "HEAD" else asked.method
        return next((n for n, table in enumerate(self.tables, 1) if _is_about(table, method, asked.path)), None)

    def sources(self, asked: _Asked) -> set[str]:
        """Who demands something of a clear request that brings a token."""
        number, listed = self.winner(asked), self.listed(asked.path)
        if listed == "JWT_EXEMPT_PATHS" or (number is not None and "exempt" in self.tables[number - 1]):
            return set()
        found = {f"rule {number}"} if number is not None else set()
        return found | ({"JWT_REQUIRED_SCOPES"} if self.required else set())

    def need(self, asked: _Asked) -> Need:
        """What a request needs."""
        number, listed = self.winner(asked), self.listed(asked.path)
        if listed is not None:
            return Need.NOTHING if listed == "JWT_EXEMPT_PATHS" else Need.OPTIONAL
        table = {} if number is None else self.tables[number - 1]
        return Need.NOTHING if "exempt" in table else Need.OPTIONAL if "optional" in table else Need.TOKEN


def _is_plain(path: str) -> bool:
    return all(
        form.startswith("/") and not _ODD & set(form) and not re.search(r"//|/\.\.?(/|\Z)", form)
        for form in (path, unicodedata.normalize("NFKC", path))
    )


def _is_about(table: dict[str, Any], method: str, path: str) -> bool:
    methods = [*_texts(table.get("methods", [])), *(["WEBSOCKET"] if "websocket" in table else [])]
    exact = "exempt" in table or "optional" in table
    return (not methods or method in methods) and any(_regex(p, exact).fullmatch(path) for p in _texts(table["path"]))


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def _sources(verdict: Verdict) -> set[str]:
    return {demand.source.partition(" (")[0] for demand in verdict.demands}


def _check(rules: Rules, oracle: _Oracle, asked: _Asked) -> None:
    """The verdict is the oracle's; what can be read in several ways is never open."""
    verdict = asked.verdict(rules)
    assert verdict.need is oracle.need(asked), asked
    if oracle.is_clear(asked) or oracle.listed(asked.path):
        assert _sources(verdict) == oracle.sources(asked), asked


def _readings(asked: _Asked, dice: _Dice) -> Iterator[_Asked]:
    """What an app may take a request for."""
    methods = {asked.method} if asked.handshake else {asked.method, asked.method.upper()}
    unclear = not _is_plain(asked.path) or unicodedata.normalize("NFKC", asked.path) != asked.path
    path = _path(dice, _NAMES) if unclear else asked.path
    yield from (_Asked(method, path, asked.handshake) for method in methods)


def _check_spellings(rules: Rules, oracle: _Oracle, asked: _Asked, dice: _Dice) -> None:
    """Another spelling, on the wire or in the path, is asked for at least as much: it never turns deny into allow."""
    plain = asked.verdict(rules, quote(asked.path, safe="/", errors="replace").encode())
    raw, hides_a_separator = _respelt(asked.path, dice)
    others = [asked.verdict(rules, raw)]
    assert others[0].need is Need.TOKEN or not hides_a_separator, raw
    for spoilt in (f"//{asked.path}", f"{asked.path}//", f"{asked.path}/..", f"{asked.path};x", f"{asked.path}%2f"):
        others.append(asked._replace(path=spoilt).verdict(rules))
        assert others[-1].need is Need.TOKEN, spoilt
    for other in others:
        assert _STRICTNESS.index(other.need) >= _STRICTNESS.index(plain.need), asked
        assert _sources(other) >= _sources(plain), asked
    if not oracle.is_clear(asked) and not oracle.listed(asked.path):
        for reading in _readings(asked, dice):
            assert _sources(asked.verdict(rules)) >= oracle.sources(reading), (asked, reading)


def _respelt(path: str, dice: _Dice) -> tuple[bytes, bool]:
    """The path with some bytes encoded, and whether one of them is what a server and an app may read in two ways."""
    hidden = [dice.pick((False, True)) for _ in path.encode()]
    raw = b"".join(f"%{byte:02x}".encode() if hide else bytes([byte]) for byte, hide in zip(path.encode(), hidden))
    return raw, any(hide and (byte in b"/.%;\\\x7f" or byte < 0x20) for byte, hide in zip(path.encode(), hidden))
