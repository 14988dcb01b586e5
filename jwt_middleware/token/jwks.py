"""A JWK Set of somebody else's, in a file (RFC 7517 section 5)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jwt_middleware.errors import shown
from jwt_middleware.token import formats
from jwt_middleware.token.keys import Key, KeyProblem

MAX_BYTES = 512 * 1024
MAX_KEYS = 100
_logger = logging.getLogger("jwt_middleware")


def read(file: Path, allowed: Sequence[str]) -> list[Key]:
    """Return the keys of a set that can be used; the others are skipped, each with a warning.

    Raises:
        KeyProblem: it cannot be read, is no set, or has no key that can be used.
    """
    try:
        entries = _entries(file)
    except OSError as error:
        raise KeyProblem(f"cannot be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise KeyProblem('is not a JWK Set, {"keys": [...]} (RFC 7517 section 5)') from None
    usable = list(_usable(entries, allowed))
    if not usable:
        raise KeyProblem("holds no key that we can use; the log says why for each")
    return usable


def _entries(file: Path) -> list[Any]:
    data = file.read_bytes()
    entries = json.loads(data.decode())["keys"] if len(data) <= MAX_BYTES else None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise ValueError("not a JWK Set of a sane size")
    return entries


def _usable(entries: list[Any], allowed: Sequence[str]) -> Iterator[Key]:
    """One odd JWK never spoils the set (RFC 7517 section 5): it is skipped with a warning."""
    for position, jwk in enumerate(entries):
        try:
            if not isinstance(jwk, dict):
                raise KeyProblem("is not an object")
            yield formats.from_jwk(jwk, allowed)
        except KeyProblem as problem:
            kid = jwk.get("kid") if isinstance(jwk, dict) else None
            _logger.warning("JWK %d (kid %s) is skipped: it %s", position, shown(kid), problem)
