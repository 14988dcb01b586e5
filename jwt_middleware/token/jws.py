"""The compact serialization (RFC 7515 section 7.1), read strictly, and the JSON inside it.

The standard library is lenient where a verifier may not be: `base64` skips what it does not know,
`json` takes the last of two equal members, NaN and lone surrogates. Each is refused here, because
two readers who see two meanings in one text are how forgeries begin.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, NoReturn

from jwt_middleware.errors import InvalidToken, Reason
from jwt_middleware.user import Claims

MAX_DEPTH = 64

# To the alphabet that binascii knows; + and / are not base64url and become what it refuses.
_ALPHABET = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"===", b"==", b"=")
# The last character of a canonical text holds no stray bits; no text is 4n + 1 long.
_ANY = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LAST = (_ANY, b"", b"AQgw", b"AEIMQUYcgkosw048")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def split(token: bytes) -> tuple[bytes, bytes, bytes]:
    """Split a token into header, payload and signature, still encoded.

    Raises:
        InvalidToken: it has not exactly three parts, none empty (a JWE has five).
    """
    parts = token.split(b".", 3)
    if len(parts) != 3 or not (parts[0] and parts[1] and parts[2]):
        raise InvalidToken(Reason.MALFORMED, f"a signed token has three parts, this one {_count(token)}")
    return parts[0], parts[1], parts[2]


def _count(token: bytes) -> str:
    count = str(token.count(b".") + 1)
    return f"{count}, some of them empty" if b".." in b".%b." % token else count


def decode(part: bytes) -> bytes:
    """Decode canonical base64url without padding (RFC 7515 section 2).

    Raises:
        InvalidToken: any other character, padding, or bits left over.
    """
    rest = len(part) & 3
    if part[-1] in _LAST[rest]:
        try:
            return binascii.a2b_base64(part.translate(_ALPHABET) + _PADDING[rest], strict_mode=True)
        except binascii.Error:
            pass
    raise InvalidToken(Reason.MALFORMED, "a part is not canonical base64url")


def encode(data: bytes) -> bytes:
    """Encode as base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=")


def parse(data: bytes, *, shallow: bool = False) -> Claims:
    """Read a JSON object in UTF-8, frozen as it is built: objects are `Claims`, arrays are tuples.

    Args:
        data: the text.
        shallow: whether its brackets are known to be few, so that they need not be counted again.

    Raises:
        InvalidToken: not UTF-8, not an object, a member twice, NaN or Infinity, a lone surrogate,
            a number of absurd length, or nested deeper than `MAX_DEPTH`.
    """
    try:
        text = data.decode().strip(" \t\r\n")
        found, end = _scan(text, 0)
        if end == len(text) and type(found) is Claims and _is_sound(text, found, shallow):
            return found
    except (ValueError, RecursionError, StopIteration):
        pass
    raise InvalidToken(Reason.MALFORMED, "a part is not one JSON object, or not an unambiguous one")


def _is_sound(text: str, found: Claims, shallow: bool) -> bool:
    if "\\" in text and _SURROGATE.search(text):
        json.dumps(found, ensure_ascii=False).encode()  # raises on a surrogate without its other half
    return shallow or text.count("{") + text.count("[") <= MAX_DEPTH or _depth_is_bounded(found)


def _members(pairs: list[tuple[str, Any]]) -> Claims:
    """Build one object, frozen. The decoder calls this from the inside out, so its objects are frozen already."""
    members = Claims(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    if list in map(type, members.values()):
        for name, value in pairs:
            if type(value) is list:
                dict.__setitem__(members, name, _frozen(value))
    return members


def _frozen(values: list[Any]) -> tuple[Any, ...]:
    if list in map(type, values):
        return tuple(_frozen(value) if type(value) is list else value for value in values)
    return tuple(values)


def _depth_is_bounded(found: Claims) -> bool:
    level: list[Any] = [found]
    for _ in range(MAX_DEPTH):
        values = (value for node in level for value in (node.values() if isinstance(node, dict) else node))
        level = [value for value in values if isinstance(value, (dict, tuple))]
    return not level


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _number(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError("a number too large to be one")  # 1e400 is read as infinity, which json.dumps cannot write
    return number


# The decoder's own `decode` spends two regular expressions on the white space around the value.
_decoder = json.JSONDecoder(object_pairs_hook=_members, parse_float=_number, parse_constant=_constant)
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]
