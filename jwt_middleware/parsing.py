"""How the text of a setting becomes a value. Every parser also takes the value itself, from a keyword.

A `ValueError` says what is wrong after the name of the variable, and never repeats the value.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from math import inf
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jwt_middleware.errors import shown

_DURATION = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([smhdw]?)", re.ASCII)
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"(\d{1,15})\s*(|B|KiB|MiB|GiB)", re.ASCII)
_UNIT_BYTES = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_HUGE = 10**15  # seconds or bytes that nobody means, and whose digits Python may refuse to read
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SCOPE = re.compile(r"[!#-\[\]-~]+")
_MOST, _LONGEST = 10**6, 366 * 86400  # of a rate: events, and seconds
_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def text(value: object) -> str:
    """Take a non-empty text, without white space around it."""
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if not value.strip():
        raise ValueError("is set but empty: unset it or give it a value")
    return value.strip()


def names(value: object) -> tuple[str, ...]:
    """Take a comma-separated list, or an iterable of texts."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return tuple(text(part) for part in value)
    raise ValueError("must be a list of texts")


def some_names(value: object) -> tuple[str, ...]:
    """Take a list that is not empty."""
    found = names(value)
    if not found:
        raise ValueError("is set but empty: unset it or give it a value")
    return found


def scopes(value: object) -> tuple[str, ...]:
    """Take scopes (RFC 6749 section 3.3): their characters may stand in a challenge."""
    found = some_names(value)
    if not all(map(_SCOPE.fullmatch, found)):
        raise ValueError("takes scopes of printable ASCII, without spaces, quotes and backslashes")
    return found


def flag(value: object) -> bool:
    """Take true/false, yes/no, on/off or 1/0."""
    if isinstance(value, bool):
        return value
    known = _FLAGS.get(text(value).lower())
    if known is None:
        raise ValueError("must be true or false")
    return known


def seconds(minimum: float, maximum: float = inf) -> Callable[[object], float]:
    """Make a parser of durations: seconds, or `15m`, `12h`, `30d`."""

    def parser(value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = float(value) if abs(value) < _HUGE else inf
        else:
            match = _DURATION.fullmatch(text(value))
            if match is None:
                raise ValueError("must be a duration: seconds, or a number with s, m, h, d or w")
            number = float(match[1]) * _UNIT_SECONDS[match[2]]
        if not minimum <= number <= maximum or number == inf:
            raise ValueError(f"must be {_range(minimum, maximum)} seconds")
        return number

    return parser


def size(minimum: int, maximum: float) -> Callable[[object], int]:
    """Make a parser of sizes: bytes, or `64KiB`, `32MiB`."""

    def parser(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        else:
            match = _SIZE.fullmatch(text(value))
            if match is None:
                raise ValueError("must be a size: bytes, or a number with KiB, MiB or GiB")
            number = int(match[1]) * _UNIT_BYTES[match[2]]
        if not minimum <= number <= maximum:
            raise ValueError(f"must be {_range(minimum, maximum)} bytes")
        return number

    return parser


def _range(minimum: float, maximum: float) -> str:
    return f"at least {minimum:g}" if maximum == inf else f"from {minimum:g} to {maximum:g}"


def rate(value: object) -> Any:
    """Take one rate as the library `limits` writes them, such as `100/minute` or `10 per 5 minutes`."""
    try:
        from limits import RateLimitItem, parse_many
    except ImportError:
        raise ValueError('needs the login extra: pip install "pyjwt-middleware[login]"') from None
    given = value if isinstance(value, RateLimitItem) else text(value)
    try:
        found = parse_many(given) if isinstance(given, str) else [given]
    except ValueError:  # whose text repeats the value
        found = []
    if len(found) != 1:
        raise ValueError("must be one rate, such as 100/minute or 10 per 5 minutes")
    if not (1 <= found[0].amount <= _MOST and found[0].get_expiry() <= _LONGEST):
        raise ValueError(f"must be from 1 to {_MOST} in at most a year")
    return found[0]


def choice(*known: str) -> Callable[[object], str]:
    """Make a parser that takes one of some words."""

    def parser(value: object) -> str:
        word = text(value)
        if word not in known:
            raise ValueError(f"must be one of: {', '.join(known)}")
        return word

    return parser


def choices(*known: str) -> Callable[[object], tuple[str, ...]]:
    """Make a parser that takes a list of some words."""

    def parser(value: object) -> tuple[str, ...]:
        words = some_names(value)
        if not set(words) <= set(known):
            raise ValueError(f"takes a list of: {', '.join(known)}")
        return words

    return parser


def secret(value: object) -> bytes:
    """Take an HMAC secret: bytes, a text, or `base64:` and the bytes in base64."""
    if isinstance(value, bytes):
        if not value:
            raise ValueError("is set but empty: make one with `jwt-middleware keys new`")
        return value
    given = text(value)
    if not given.startswith("base64:"):
        return given.encode()
    try:
        return base64.b64decode(given.removeprefix("base64:"), validate=True)
    except binascii.Error:
        raise ValueError("begins with base64: but what follows is not base64") from None


def secrets(value: object) -> tuple[bytes, ...]:
    """Take several HMAC secrets, separated by commas."""
    parts = names(value) if isinstance(value, str) else value
    if not isinstance(parts, Iterable) or isinstance(parts, bytes):
        raise ValueError("must be a list of secrets")
    return tuple(secret(part) for part in parts)


def pem(value: object) -> str:
    r"""Take a PEM text, in which `\n` may stand for a line end."""
    given = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return text(given).replace("\\n", "\n")


def path(value: object) -> Path:
    """Take a path in the file system."""
    try:
        return value if isinstance(value, Path) else Path(text(value)).expanduser()
    except RuntimeError:
        raise ValueError("begins with the home folder of a user that there is not") from None


def header_name(value: object) -> str:
    """Take the name of a request header (RFC 9110 section 5.1)."""
    name = text(value)
    if not _TOKEN.fullmatch(name) or "_" in name:
        raise ValueError("must be a header name, with hyphens rather than underscores")
    return name


def header_type(value: object) -> str:
    """Take an authentication scheme (RFC 9110 section 11.1), or nothing for a bare token."""
    if not isinstance(value, str) or (value.strip() and not _TOKEN.fullmatch(value.strip())):
        raise ValueError("must be one word, such as Bearer")
    return value.strip()


class ForwardedClaim(NamedTuple):
    """A claim that an app finds in a request header."""

    header: str
    claim: str

    def __str__(self) -> str:
        return f"{self.header}={self.claim}"


def forwarded_claims(value: object) -> tuple[ForwardedClaim, ...]:
    """Take `Header-Name=claim`, several separated by commas, or a mapping of names to claims."""
    if isinstance(value, Mapping):
        pairs = [(text(header), text(claim)) for header, claim in value.items()]
    else:
        pairs = [(header.strip(), claim.strip()) for header, _, claim in (p.partition("=") for p in names(value))]
    if not pairs:
        raise ValueError("is set but empty: unset it or give it a value")
    if not all(header and claim for header, claim in pairs):
        raise ValueError("takes headers and claims such as X-User-Id=sub,X-Email=email")
    return tuple(ForwardedClaim(*pair) for pair in pairs)


def realm(value: object) -> str:
    """Take a text that may stand inside a quoted string of a challenge (RFC 6750 section 3)."""
    name = text(value)
    if not all(" " <= char <= "~" and char not in '"\\' for char in name):
        raise ValueError('must be printable ASCII without " and \\')
    return name


def exempt_paths(value: object) -> tuple[str, ...]:
    """Take path patterns that do not open everything."""
    found = paths(value)
    if "/**" in found:
        raise ValueError("would open every path with /**: leave the middleware out, or use JWT_OPTIONAL_PATHS")
    return found


def paths(value: object) -> tuple[str, ...]:
    """Take path patterns: `/health` is that path alone, `/static/**` is `/static/` and all below it."""
    found = names(value)
    for pattern in found:
        plain = pattern.removesuffix("/**") or "/"
        if not plain.startswith("/") or re.search(r"[*?{}\[\]<>;%\\\x00-\x20]|//|/\.{1,2}(/|$)", plain):
            raise ValueError("takes plain paths such as /health, and /static/** for all below; nothing else")
    return found


def plain_path(value: object) -> str:
    """Take one path, such as `/metrics`, and nothing below it."""
    (found,) = paths([text(value)])
    if found == "/" or found.endswith("/**"):
        raise ValueError("takes one plain path such as /metrics, and not /")
    return found


def folder(value: object) -> str:
    """Take the path of a folder: `/auth`, without a slash at its end."""
    found = text(value)
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", found) or re.search(r"/\.{1,2}(/|$)", found):
        raise ValueError("must be a path such as /auth, of letters, digits and . _ ~ -")
    return found


def own_path(value: object) -> str:
    """Take the one path of something that we answer ourselves; nothing switches it off."""
    if isinstance(value, str) and not value.strip():
        return ""
    given = text(value)
    if paths(given) != (given,) or given.endswith("/**"):
        raise ValueError("takes one plain path such as /.well-known/jwks.json, or nothing")
    return given


def origins(value: object) -> tuple[str, ...]:
    """Take web origins (RFC 6454): scheme, host and port, each written out."""
    found = names(value)
    if not all(map(_is_origin, found)):
        raise ValueError("takes origins such as https://app.example, each written out, without a path")
    return found


def _is_origin(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    written_out = origin == f"{parts.scheme}://{parts.netloc}"
    return parts.scheme in ("http", "https") and written_out and bool(parts.netloc) and not set("*@") & set(origin)


def networks(value: object) -> tuple[Any, ...]:
    """Take IP addresses, networks and the word `unix`."""
    try:
        return tuple(part if part == "unix" else ipaddress.ip_network(part) for part in names(value))
    except ValueError:
        raise ValueError("takes addresses, networks such as 10.0.0.0/8, and the word unix") from None


def prefix(value: object) -> str:
    """Take the beginning of our keys in a store; braces would break Redis Cluster's hash tags."""
    found = text(value)
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", found):
        raise ValueError("takes up to 64 letters, digits and _ . : -")
    return found


def target(value: object) -> str:
    """Take `package.module:attribute`."""
    found = text(value)
    if not re.fullmatch(r"[\w.]+:[\w.]+", found):
        raise ValueError("must look like package.module:name")
    return found


def hook(value: object) -> Any:
    """Take a function, or `package.module:function`."""
    return value if callable(value) else target(value)


def members(given: Mapping[str, object], parsers: Mapping[str, Callable[[object], Any]]) -> dict[str, Any]:
    """Take a table whose every key has its parser; a key that has none is refused, never skipped."""
    values = {}
    for key, value in given.items():
        parser = parsers.get(key)
        if parser is None:
            near = [name for name in parsers if edits(key[:40], name) <= 2]
            raise ValueError(f"has the unknown key {shown(key)}" + (f": did you mean {near[0]}?" if near else ""))
        try:
            values[key] = parser(value)
        except ValueError as error:
            raise ValueError(f"({key}) {error}") from None
    return values


def edits(one: str, other: str) -> int:
    """Count the insertions, deletions, replacements and swaps of neighbours between two names."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(other, 1):
            best = min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, last[j - 2] + 1)
            row.append(best)
    return row[-1]
