"""JSON written by people, read strictly: what stands twice is noticed, and every member has its parser.

A `ValueError` says what is wrong after the name of what is wrong, and repeats no value.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

from jwt_middleware import parsing
from jwt_middleware.errors import escaped, shown


class Members(dict[str, Any]):
    """A JSON object that knows which of its members stood twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated: list[str] = []
        if len(pairs) > len(self):
            self.repeated = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]


def parse(content: bytes) -> object:
    """Read JSON, whose objects become `Members`.

    Raises:
        ValueError: it is none, or not in UTF-8. The message repeats nothing of it.
    """
    try:
        document: object = json.loads(content.decode(), object_pairs_hook=Members)
        json.dumps(document, ensure_ascii=False).encode()  # raises on half a surrogate pair
    except UnicodeError:
        raise ValueError("is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {escaped(str(error))}") from None
    return document


def only(document: object, name: str) -> Members | None:
    """Return the one member of an object, if it has that name and is an object itself."""
    if not isinstance(document, Members) or document.keys() != {name} or document.repeated:
        return None
    found = document[name]
    return found if isinstance(found, Members) else None


def whole(raw: object) -> Members:
    """Return a record's members, if it has any and none of them, at any depth, stands twice."""
    if not isinstance(raw, Members):
        raise ValueError("is not an object")
    for name in _repeated(raw):
        raise ValueError(f"has {shown(name)} twice")
    return raw


def _repeated(value: object) -> Iterator[str]:
    if isinstance(value, Members):
        yield from value.repeated
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from _repeated(each)


def label(value: object) -> str:
    """Take the name of somebody: up to 255 characters in NFC, without control characters and outer spaces."""
    if not isinstance(value, str) or not 0 < len(value) <= 255 or value != value.strip():
        raise ValueError("must be a text of 1 to 255 characters, without spaces around it")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise ValueError("must not hold control characters")
    if not unicodedata.is_normalized("NFC", value):
        raise ValueError("must be written in Unicode's NFC")
    return value


def texts(value: object) -> tuple[str, ...]:
    """Take a list of texts, which may be empty."""
    if not isinstance(value, list) or not all(
        isinstance(each, str) and each and each == each.strip() for each in value
    ):
        raise ValueError("must be a list of texts, none empty or with spaces around it")
    return tuple(dict.fromkeys(value))


def scopes(value: object) -> tuple[str, ...]:
    """Take a list of scopes (RFC 6749 section 3.3), which may be empty."""
    found = texts(value)
    return parsing.scopes(found) if found else ()


def switch(value: object) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value
