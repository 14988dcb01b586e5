"""Claims in request headers, for apps that know their user no other way (`JWT_FORWARD_CLAIMS`).

Such an app believes these headers, so nobody but us may be able to set them. On every request each header that could be
read as one of them is removed first, whoever sent it; then what the token says is put in. An anonymous user gets none.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jwt_middleware.gate.request import METHOD_OVERRIDES
from jwt_middleware.settings import Settings
from jwt_middleware.token.claims import Lookup, first, lookups
from jwt_middleware.user import User

_logger = logging.getLogger("jwt_middleware")
_warned: set[str] = set()

Field = tuple[bytes, bytes]

_NAME = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
_PUNCTUATION = re.compile(r"[^a-z0-9]")
_MOST, _LONGEST = 1000, 100  # names that are remembered, and the characters of one: a stranger chooses both

# What arrives as it was sent (RFC 9110 section 5.5): no space at the ends, no controls, line ends or half characters,
# where some reader would cut, split or drop it; and in a list no comma.
_UNFIT = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_TEXT = re.compile(rf"(?!\s)[^{_UNFIT}]+(?<!\s)")
_ELEMENT = re.compile(rf"(?!\s)[^,{_UNFIT}]+(?<!\s)")

# Names that mean something already: the app, or what is around it, would take a claim for that.
_RESERVED = (
    # how a message is framed, routed, negotiated and cached (RFC 9110, 9111, 9112; WebDAV)
    "Host", "Connection", "Keep-Alive", "Upgrade", "Upgrade-*", "HTTP2-*", "TE", "Trailer", "Transfer-*", "Content-*",
    "Expect", "Accept", "Accept-*", "Range", "If", "If-*", "Cache-Control", "Pragma", "Max-Forwards", "Via", "Date",
    "User-Agent", "Prefer", "Priority", "Depth", "Destination", "Overwrite", "Lock-Token", "Last-Event-ID",
    # who sends it, and what browsers and apps guard themselves by; HTTP_PROXY would be an outgoing proxy (httpoxy)
    "Authorization", "Proxy", "Proxy-*", "Cookie", "Cookie2", "Set-Cookie", "DPoP", "Signature", "Signature-*",
    "Client-Cert", "Client-Cert-*", "Early-Data", "Origin", "Referer", "Access-Control-*", "Sec-*", "X-Requested-With",
    "CSRF*", "XSRF*", "X-CSRF*", "X-XSRF*",
    # what proxies tell of the client and the request, and what frameworks obey
    "Forwarded", "X-Forwarded*", "X-Real-IP", "X-Client-IP", "X-Client-Cert*", "X-Cluster-Client-IP", "True-Client-IP",
    "CF-Connecting-*", "Fastly-*", "X-Original-*", "X-Rewrite-*", "X-Host", "X-Scheme", "X-URL-Scheme", "X-Script-Name",
    "X-SSL-*", "Front-End-Https", "X-ARR-*", "X-Envoy-*", "X-HTTP-*", "X-Middleware-*", "X-Accel-*", "X-Sendfile*",
    *METHOD_OVERRIDES,
)  # fmt: skip
# Of those, what proxies that sign people in call their user; apps behind oauth2-proxy read these.
_FREE = frozenset({"x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "x-forwarded-preferred-username"})


@dataclass(frozen=True, slots=True)
class _Claim:
    """One claim to forward, its header by every name that is needed.

    Attributes:
        header: as the setting has it.
        field: as ASGI has it.
        key: as WSGI has it.
        lookup: where the claim is; `None` for the one that names the user, whose identity is forwarded.
    """

    header: str
    field: bytes
    key: str
    lookup: Sequence[Lookup] | None


class Forwarding:
    """Puts claims into an app's request headers, by `JWT_FORWARD_CLAIMS`."""

    def __init__(self, settings: Settings) -> None:
        self._claims = tuple(
            _Claim(
                header,
                header.lower().encode(),
                _key(header),
                None if claim == settings.identity_claim else lookups((claim,)),
            )
            for header, claim in settings.forward_claims
        )
        self._ours = frozenset(_spelling(claim.key) for claim in self._claims)
        self._harmless: set[bytes | str] = set()  # names found to be none of ours: then one look-up tells

    def asgi(self, headers: Iterable[Field], user: User) -> list[Field]:
        """Return a request's headers as the app may see them: a new list, so that the server's stays as it is.

        Args:
            headers: names and values as the server gave them.
            user: whom the gate let in; the texts of the claims are sent in UTF-8.
        """
        harmless = self._harmless
        kept = [field for field in headers if field[0] in harmless or self._is_harmless(field[0])]
        return kept + [(claim.field, text.encode()) for claim, text in self._carried_by(user)]

    def wsgi(self, environ: dict[str, Any], user: User) -> None:
        """Change an environ into what the app may see.

        Args:
            environ: the server's, in whose texts UTF-8 stands as latin-1 (PEP 3333).
            user: whom the gate let in.
        """
        harmless = self._harmless
        if not harmless.issuperset(environ):  # one pass in C
            for key in [key for key in environ if key not in harmless and not self._is_harmless(key)]:
                del environ[key]
        for claim, text in self._carried_by(user):
            environ[claim.key] = text.encode().decode("latin-1")

    def _is_harmless(self, name: bytes | str) -> bool:
        """Tell whether nobody could take this name of a header, or this key of an environ, for one of ours."""
        spelling = _spelling(name if isinstance(name, str) else _key(name.decode("latin-1")))
        # HTTP knows ASCII names alone (RFC 9110 section 5.1). Of others a reader may make anything: ß becomes SS.
        if spelling in self._ours or (spelling.startswith("http-") and not name.isascii()):
            return False
        if len(name) <= _LONGEST:
            if len(self._harmless) >= _MOST:
                self._harmless.clear()
            self._harmless.add(name)
        return True

    def _carried_by(self, user: User) -> list[tuple[_Claim, str]]:
        found: list[tuple[_Claim, str]] = []
        if user.is_authenticated:
            for claim in self._claims:
                value = user.identity if claim.lookup is None else first(user.claims, claim.lookup)
                if value != ():  # absent, or a list of nothing
                    try:
                        found.append((claim, _text(value)))
                    except ValueError as error:
                        _warn_once(claim.header, error)
        return found


def _key(header: str) -> str:
    """Return the key of a header in an environ (RFC 3875 section 4.1.18)."""
    return "HTTP_" + header.upper().replace("-", "_")


def _spelling(key: str) -> str:
    """Return what all keys have in common that somebody could take for the same: neither case nor punctuation."""
    return _PUNCTUATION.sub("-", key.lower())


def _text(value: object) -> str:
    """Return a claim as a header's value.

    Raises:
        ValueError: it could be read as another claim, or not at all; the message does not hold it.
    """
    return ",".join([_one(each, _ELEMENT) for each in value]) if type(value) is tuple else _one(value, _TEXT)


def _one(value: object, fit: re.Pattern[str]) -> str:
    if type(value) is str:
        if fit.fullmatch(value):
            return value
        raise ValueError("empty, or a text with control characters, space at its ends, or in a list a comma")
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    raise ValueError("neither text, whole number, true nor false, nor a list of these")


def _warn_once(header: str, why: ValueError) -> None:
    if header not in _warned:
        _warned.add(header)
        _logger.warning("JWT_FORWARD_CLAIMS: %s is left out, since the token's claim is %s (said once)", header, why)


def problems(settings: Settings) -> list[str]:
    """List what is wrong with the names of the headers; each is told by its place, never by its text."""
    found: list[str] = []
    places: dict[str, int] = {}
    for place, (header, _) in enumerate(settings.forward_claims, 1):
        objection = _objection(header, settings.header_name)
        twin = places.setdefault(_spelling(header), place)
        if objection is None and twin != place:
            objection = f"has the name of header {twin}, for case does not count"
        if objection is not None:
            found.append(f"JWT_FORWARD_CLAIMS: header {place} {objection}")
    return found


def _objection(header: str, token_header: str) -> str | None:
    if not _NAME.fullmatch(header):
        return "must be named by letters and digits, with single hyphens between them"
    name = _spelling(header)
    if name == _spelling(token_header):
        return "is the one that carries the token (JWT_HEADER_NAME)"
    family = next((family for family in _RESERVED if name not in _FREE and _belongs(name, family.lower())), None)
    return family and f"is {family}, which means something else already"


def _belongs(name: str, family: str) -> bool:
    return name.startswith(family[:-1]) if family.endswith("*") else name == family
