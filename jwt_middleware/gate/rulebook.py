"""`JWT_RULES_FILE`: from TOML to rules, or every problem by the rule's number.

What is not understood is refused: a rule that is skipped, or does less than its author thinks, is a
door left open.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jwt_middleware import parsing
from jwt_middleware.errors import shown
from jwt_middleware.gate.demands import ClaimValue, Demand
from jwt_middleware.gate.patterns import Pattern, is_covered
from jwt_middleware.gate.rules import HANDSHAKE, Need, Rule, Rules
from jwt_middleware.settings import Settings

_METHOD = re.compile(r"[A-Z][A-Z-]*")
_SOURCE = "JWT_RULES_FILE"
_EVERYTHING = Pattern.parse("/**", exact=True)
_OTHER = ""  # a method that no rule names
_LARGEST = 2**63


def load(settings: Settings, problems: list[str]) -> Rules:
    """Return the rules of these settings; add to the problems what is wrong with the file."""
    rules: list[Rule] = []
    if settings.rules_file is not None:
        found: list[str] = []
        for number, table in enumerate(_tables(settings.rules_file, found), 1):
            try:
                rules.append(_rule(number, table, settings))
            except ValueError as error:
                found.append(f"rule {number} {error}")
        found += [] if found else _unreachable(rules, settings)
        problems += [f"{_SOURCE}: {problem}" for problem in found]
    return Rules(settings.exempt_paths, settings.optional_paths, rules, settings.required_scopes)


def _tables(file: Path, problems: list[str]) -> list[object]:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        problems.append(f"cannot be read: {error.strerror}")
        return []
    except UnicodeError:
        problems.append("is not UTF-8 text")
        return []
    except (ValueError, RecursionError) as error:
        problems.append(f"is not TOML: {shown(str(error), 160)[1:-1]}")
        return []
    tables = document.pop("rule", None)
    problems += [f"holds {shown(name)}, where only [[rule]] may stand" for name in document]
    if not isinstance(tables, list) or not tables:
        problems.append("holds no [[rule]]")
        return []
    return tables


def _rule(number: int, table: object, settings: Settings) -> Rule:
    values = _values(table)
    patterns, methods = values.pop("path", None), _methods(values)
    if not values:
        raise ValueError("says nothing: add `authenticated = true` if any good token will do")
    if patterns is None:
        raise ValueError("has no path")
    need = _need(values)
    parsed = tuple(Pattern.parse(text, exact=need is not Need.TOKEN) for text in patterns)
    if need is Need.NOTHING and methods is None and is_covered(_EVERYTHING, parsed):
        raise ValueError("would open every path: leave the middleware out, or use optional")
    scopes = (*settings.required_scopes, *values.get("scopes", ()), *values.get("any_scopes", ())[:1])
    name = f"rule {number} ({', '.join(patterns)})"
    demand = Demand(source=name, leeway=settings.leeway, asked=tuple(dict.fromkeys(scopes)), **values)
    return Rule(parsed, methods, need, demand)


def _values(table: object) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise ValueError("is not a table")
    if not table:
        raise ValueError("is empty")
    return parsing.members(table, KEYS)


def _methods(values: dict[str, Any]) -> frozenset[str] | None:
    methods: tuple[str, ...] = values.pop("methods", ())
    return frozenset((*methods, *((HANDSHAKE,) if values.pop("websocket", False) else ()))) or None


def _need(values: dict[str, Any]) -> Need:
    """Take the three flags out; what is left is what a token must carry."""
    flags = {name for name in ("exempt", "optional", "authenticated") if values.pop(name, False)}
    if len(flags) > 1 or ("exempt" in flags and values):
        raise ValueError("contradicts itself: exempt, optional and authenticated exclude each other, exempt all else")
    if "exempt" in flags:
        return Need.NOTHING
    return Need.OPTIONAL if "optional" in flags else Need.TOKEN


def _true(value: object) -> bool:
    if value is not True:
        raise ValueError("can only be true: else leave it out")
    return True


def _texts(value: object) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(each, str) and each for each in found):
        raise ValueError("must be a text or a list of texts, not empty")
    return tuple(found)


def _method_names(value: object) -> tuple[str, ...]:
    methods = _texts(value)
    if not all(map(_METHOD.fullmatch, methods)):
        raise ValueError("must be methods in upper case, such as GET")
    if "HEAD" in methods:
        raise ValueError("must not name HEAD: it is decided as GET")
    return methods


def _scopes(value: object) -> tuple[str, ...]:
    return parsing.scopes(list(_texts(value)))


def _claims(value: object) -> tuple[tuple[str, ClaimValue], ...]:
    if not isinstance(value, dict) or not value:
        raise ValueError("must be a table such as { tenant = 'acme' }")
    if not all(type(each) in (str, int, bool) for each in value.values()):
        raise ValueError("takes texts, whole numbers, true and false")
    if not all(isinstance(each, str) or -_LARGEST <= each < _LARGEST for each in value.values()):
        raise ValueError("takes whole numbers of 64 bits, as TOML does")  # the log could not even write 0xff… out
    return tuple(value.items())


KEYS: Mapping[str, Callable[[object], Any]] = {
    "path": _texts, "methods": _method_names, "websocket": _true,
    "exempt": _true, "optional": _true, "authenticated": _true,
    "scopes": _scopes, "any_scopes": _scopes, "roles": _texts, "any_roles": _texts, "claims": _claims,
    "max_auth_age": parsing.seconds(1),
}  # fmt: skip


def _unreachable(rules: Sequence[Rule], settings: Settings) -> list[str]:
    """Name the rules that no request can meet, since what comes before them takes all."""
    first = _listed((*settings.exempt_paths, *settings.optional_paths))
    named = {method for rule in rules for method in rule.methods or ()} | {_OTHER}
    return [
        f"rule {place + 1} is wholly shadowed by those before it, or by JWT_EXEMPT_PATHS or JWT_OPTIONAL_PATHS"
        for place, rule in enumerate(rules)
        if all(_is_taken(rule, method, first, rules[:place]) for method in rule.methods or named)
    ]


def _is_taken(rule: Rule, method: str, first: Sequence[Pattern], earlier: Iterable[Rule]) -> bool:
    before = (*first, *(pattern for each in earlier if each.takes(method) for pattern in each.patterns))
    return all(is_covered(pattern, before) for pattern in rule.patterns)


def _listed(paths: Iterable[str]) -> tuple[Pattern, ...]:
    """Write the paths of the two lists as patterns: there `/static/**` is `/static/` and all below, not `/static`."""
    found: list[Pattern] = []
    for path in paths:
        below = path.removesuffix("/**")
        texts = [path] if below == path else [f"{below}/", f"{below}/*/**"]
        with suppress(ValueError):  # no rule can be about a path that is not plain, not in NFKC or as long as that
            found += [Pattern.parse(text, exact=True) for text in texts]
    return tuple(found)
