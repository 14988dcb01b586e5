"""Tokens in cookies, for browsers: names, attributes, and the checks that only a cookie needs.

A browser sends cookies with requests that a foreign page caused. So a request that comes by cookie must prove
that a page of ours made it: by its `Origin`, by `Sec-Fetch-Site`, and unless it only reads, by a header with the
CSRF token of its session, which only our pages can read (RFC 9700 section 4.7; OWASP, signed double submit).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jwt_middleware.errors import Forgery, InvalidRequest, Reason, shown
from jwt_middleware.gate.replies import Headers
from jwt_middleware.gate.request import Request
from jwt_middleware.gate.transport import is_loopback_host
from jwt_middleware.settings import Settings
from jwt_middleware.token.refresh import RefreshTokens
from jwt_middleware.user import User

CSRF_HEADER = "x-csrf-token"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_BETWEEN = re.compile("[;,]")


class Cookies:
    """The three cookies: access token, refresh token, CSRF token.

    Args:
        settings: their attributes, and the origins whose pages count as ours.
        tokens: what makes and checks CSRF tokens.
    """

    def __init__(self, settings: Settings, tokens: RefreshTokens) -> None:
        host, secure = ("__Host-", "__Secure-") if settings.cookie_secure else ("", "")
        self.access, self.refresh, self._csrf = f"{host}access_token", f"{secure}refresh_token", f"{host}csrf_token"
        self._secure = settings.cookie_secure
        self._same_site = settings.cookie_samesite
        self._prefix = settings.auth_prefix
        self._origins = frozenset(settings.allowed_origins)
        self._tokens = tokens

    def find(self, request: Request, name: str) -> str | None:
        """Return the value of a cookie (RFC 6265 section 5.4).

        Raises:
            InvalidRequest: it stands twice; a neighbouring subdomain may have tossed one of them.
        """
        # Some servers join fields by a comma, which none of our values has; and only these are white space (RFC 6265).
        pairs = (pair.partition("=") for field in request.fields("cookie") for pair in _BETWEEN.split(field))
        values = [value.strip(" \t") for key, _, value in pairs if key.strip(" \t") == name]
        if len(values) > 1:
            raise InvalidRequest(Reason.MALFORMED_CREDENTIAL, f"the cookie {name} stands {len(values)} times")
        return values[0] if values else None

    def check_page(self, request: Request) -> None:
        """Let requests of our own pages pass, whoever is signed in.

        Raises:
            Forgery: another site's page made it, or may have.
        """
        origins, site = request.values("origin"), request.values("sec-fetch-site")
        if origins:
            if len(origins) != 1 or not (origins[0] in self._origins or self._is_own(origins[0], request)):
                found = shown(",".join(origins))
                raise Forgery(f"Origin is {found}, neither this host nor one of JWT_ALLOWED_ORIGINS")
        elif request.is_handshake:
            raise Forgery("a WebSocket handshake by cookie needs an Origin")
        elif any(value not in ("same-origin", "none") for value in site):
            raise Forgery(f"Sec-Fetch-Site is {shown(','.join(site))}")

    def check(self, request: Request, user: User) -> None:
        """Let a request by cookie pass if it only reads, or if a page of this very session made it.

        Raises:
            Forgery: it may not have.
        """
        if not request.is_handshake and request.method in _READING:
            return
        self.check_page(request)
        if not request.is_handshake:
            self.check_csrf(request, user.session_id or user.token_id)

    def check_csrf(self, request: Request, session: str | None) -> None:
        """Check the header with the session's CSRF token.

        Raises:
            Forgery: it is not there, or not this session's.
        """
        given = request.fields(CSRF_HEADER)
        if session is None or len(given) != 1 or not self._tokens.is_csrf(session, given[0]):
            what = "no X-CSRF-Token" if not given else "an X-CSRF-Token that is not this session's"
            raise Forgery(f"{what} beside the cookie")

    def check_place(self, request: Request) -> None:
        """Let cookies without `Secure` be set on this machine alone.

        Raises:
            InvalidRequest: JWT_COOKIE_SECURE is off, and this is another.
        """
        hosts = request.fields("host")
        if not self._secure and not (len(hosts) == 1 and is_loopback_host(hosts[0])):
            detail = "JWT_COOKIE_SECURE=false is for localhost alone: tokens would cross the network in the clear"
            raise InvalidRequest(Reason.INSECURE_TRANSPORT, detail)

    def given(self, request: Request, tokens: tuple[str, float], refresh: tuple[str, float], sid: str) -> Headers:
        """Return the headers that set all three.

        Args:
            request: whose mount the refresh token's path is below.
            tokens: the access token and its life in seconds.
            refresh: the refresh token and its life in seconds.
            sid: the session that the CSRF token is bound to.
        """
        return (
            self._set(self.access, tokens[0], "/", tokens[1], self._same_site),
            self._set(self.refresh, refresh[0], self._folder(request), refresh[1], "Strict"),
            self._set(self._csrf, self._tokens.csrf(sid), "/", refresh[1], self._same_site, readable=True),
        )

    def cleared(self, request: Request) -> Headers:
        """Return the headers that clear all three, with the attributes they were set with."""
        return (
            *self.access_cleared(),
            self._set(self.refresh, "", self._folder(request), 0, "Strict"),
            self._set(self._csrf, "", "/", 0, self._same_site, readable=True),
        )

    def access_cleared(self) -> Headers:
        """Return the header that clears a dead access token; the page may still refresh."""
        return (self._set(self.access, "", "/", 0, self._same_site),)

    def _folder(self, request: Request) -> str:
        mount = request.mount.rstrip("/")
        return mount + self._prefix if _PLAIN_PATH.fullmatch(mount) else "/"

    def _set(
        self, name: str, value: str, path: str, seconds: float, same_site: str, *, readable: bool = False
    ) -> tuple[str, str]:
        attributes = [f"{name}={value}", f"Path={path}", f"Max-Age={int(seconds)}", f"SameSite={same_site}"]
        attributes += ["Secure"] * self._secure + ["HttpOnly"] * (not readable)
        return "Set-Cookie", "; ".join(attributes)

    def _is_own(self, origin: str, request: Request) -> bool:
        """Tell whether an origin is this very host; by its page over plain HTTP anybody on the way could speak."""
        hosts: Sequence[str] = request.fields("host")
        scheme, separator, host = origin.partition("://")
        if len(hosts) != 1 or not separator or host.lower() != hosts[0].lower():
            return False
        return scheme == "https" or (scheme == "http" and is_loopback_host(host))
