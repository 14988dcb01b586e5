"""The endpoints of signing in and out, below `JWT_AUTH_PREFIX`: HTTP in, HTTP out; what they do is in `sessions`.

A first-party sign-in: the password goes to the service that it belongs to. RFC 9700 section 2.4 forbids the
password grant to anybody else's clients, so no other client is told of here.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from jwt_middleware.errors import GrantRefused, InvalidToken, NoCredential, Reason, shown
from jwt_middleware.gate.admission import Gate
from jwt_middleware.gate.cookies import Cookies
from jwt_middleware.gate.replies import NO_STORE, Headers, Reply, in_json
from jwt_middleware.gate.request import Request
from jwt_middleware.login import forms
from jwt_middleware.login.clients import ClientsFile
from jwt_middleware.login.forms import Form
from jwt_middleware.login.sessions import Grant, Sessions
from jwt_middleware.login.users import Authority
from jwt_middleware.truth.sessions import Session
from jwt_middleware.user import User

if TYPE_CHECKING:  # it loads the library `limits`
    from jwt_middleware.login.throttle import Throttle

_NO_CONTENT = Reply(204, (("Cache-Control", "no-store"),), b"")
_OK = Reply(200, (("Content-Length", "0"), *NO_STORE), b"")
_MAX_AGE_OF_PREFLIGHT = "600"

Answer = Callable[[Request, Gate], Awaitable[Reply]]


class Endpoints:
    """Serves signing in and out.

    Attributes:
        paths: the paths that are ours.
    """

    def __init__(
        self,
        prefix: str,
        sessions: Sessions,
        *,
        authority: Authority | None,
        clients: ClientsFile | None,
        throttle: Throttle,
        cookies: Cookies | None,
        headers: bool,
    ) -> None:
        self._sessions = sessions
        self._authority = authority
        self._clients = clients
        self._throttle = throttle
        self._cookies = cookies
        self._headers = headers
        self._listing = f"{prefix}/sessions"
        self._routes: dict[str, dict[str, Answer]] = {
            f"{prefix}/token": {"POST": self._token},
            f"{prefix}/refresh": {"POST": self._refresh},
            f"{prefix}/logout": {"POST": self._logout},
            f"{prefix}/logout-everywhere": {"POST": self._logout_everywhere},
            f"{prefix}/revoke": {"POST": self._revoke},
            self._listing: {"GET": self._list},
        }
        self._one_session: dict[str, Answer] = {"DELETE": self._end_one}
        self.paths = (*self._routes, f"{self._listing}/**")

    async def answer(self, request: Request, gate: Gate) -> Reply:
        """Answer a request for one of `paths`. See `Service.answer`."""
        methods = self._routes.get(request.path_in_app or "", self._one_session)
        if request.is_preflight:
            return gate.refusals.readable(_preflight(methods), request)
        gate.check_transport(request)
        answer = methods.get("GET" if request.method == "HEAD" else request.method)
        if answer is None:
            more = (("Allow", ", ".join(methods)), *NO_STORE)
            reply = in_json(405, {"error": "invalid_request", "error_description": "Not by this method."}, more)
        else:
            reply = await answer(request, gate)
        return gate.refusals.readable(reply, request)

    # --- signing in ----------------------------------------------------------------------------------------

    async def _token(self, request: Request, gate: Gate) -> Reply:
        if self._cookies is not None:
            self._cookies.check_page(request)  # a foreign page must not sign its visitor in as somebody else
        form = await forms.read(request)
        kind = form.get("grant_type") or ("password" if form.get("username") else "")
        if kind == "client_credentials" and self._clients is not None:
            return await self._machine(request, form, self._clients)
        if kind == "refresh_token":
            return await self._by_form(self._renewed(request, form), form)
        if kind == "password" and self._authority is not None:
            return await self._by_form(self._signed_in(request, form, self._authority), form)
        if not kind:
            raise forms.malformed("the parameter grant_type is missing")
        raise GrantRefused("unsupported_grant_type", Reason.UNSUPPORTED_GRANT, f"grant_type is {shown(kind)}")

    async def _by_form(self, reply: Awaitable[Reply], form: Form) -> Reply:
        """A form is OAuth's, and answered as OAuth says: bad credentials are 400 (RFC 6749 section 5.2)."""
        try:
            return await reply
        except GrantRefused as refusal:
            if refusal.code == "invalid_grant" and not form.is_json:
                refusal.status = 400
            raise

    async def _signed_in(self, request: Request, form: Form, authority: Authority) -> Reply:
        username, password = form.need("username"), form.need("password")
        asked = self._sessions.now()
        async with self._throttle.attempt(request, username):
            account = await authority.authenticate(username, password)
            if account is None:
                await self._throttle.failed(request)
        if account is None:
            detail = f"user {shown(username)}, unknown, disabled or with another password"
            raise GrantRefused("invalid_grant", Reason.WRONG_CREDENTIALS, detail, 401)
        agent = " ".join(request.fields("user-agent"))
        address = self._throttle.address(request)
        grant = await self._sessions.begin(
            account, form.get("scope").split(), asked=asked, label=agent, address=address
        )
        return self._given(request, grant, in_cookies=self._wants_cookies(form))

    def _wants_cookies(self, form: Form) -> bool:
        """Where both are possible, the page says what it wants."""
        return self._cookies is not None and (not self._headers or form.get("delivery") == "cookies")

    async def _machine(self, request: Request, form: Form, clients: ClientsFile) -> Reply:
        client_id, secret = _client(request, form)
        async with self._throttle.attempt(request, f"client {client_id}"):
            client = await clients.authenticate(client_id, secret)
            if client is None:
                await self._throttle.failed(request)
        if client is None:
            detail = f"client {shown(client_id)}, unknown, disabled or with another secret"
            raise GrantRefused("invalid_client", Reason.WRONG_CLIENT, detail, 401)
        audience = form.get("audience") or form.get("resource") or None
        return in_json(200, _tokens(self._sessions.for_machine(client, form.get("scope").split(), audience)))

    # --- staying signed in ---------------------------------------------------------------------------------

    async def _refresh(self, request: Request, gate: Gate) -> Reply:
        form = await forms.read(request)
        return await self._by_form(self._renewed(request, form), form)

    async def _renewed(self, request: Request, form: Form) -> Reply:
        token, in_cookies = form.get("refresh_token"), False
        if not token and (token := self._from_cookie(request)):
            in_cookies = True
        if not token:
            raise forms.malformed("the parameter refresh_token is missing")
        try:
            grant = await self._sessions.renew(token, form.get("scope").split())
        except GrantRefused as refusal:
            if in_cookies and refusal.code == "invalid_grant":
                refusal.headers = self._cleared(request)
            raise
        return self._given(request, grant, in_cookies=in_cookies)

    def _from_cookie(self, request: Request) -> str:
        """Return the refresh token of the cookie, when a page of its session sent it; empty if there is none."""
        if self._cookies is None:
            return ""
        token = self._cookies.find(request, self._cookies.refresh) or ""
        if token:
            self._cookies.check_page(request)
            named = self._sessions.tokens.read(token)
            if named is not None:  # a dead cookie has no session; it is refused, and cleared, below
                self._cookies.check_csrf(request, named[0])
        return token

    # --- signing out ---------------------------------------------------------------------------------------

    async def _logout(self, request: Request, gate: Gate) -> Reply:
        if self._cookies is not None:
            self._cookies.check_page(request)  # SameSite may have held the cookies back that our answer clears
        form = await forms.read(request)
        token = form.get("refresh_token") or self._from_cookie(request)
        if token and (named := self._sessions.tokens.read(token)) is not None:
            await self._sessions.end(named[0])
        else:
            await self._end_by_access_token(request, gate)
        return _NO_CONTENT.with_headers(self._cleared(request))

    async def _end_by_access_token(self, request: Request, gate: Gate) -> None:
        try:
            user = await gate.identify(request)
        except (NoCredential, InvalidToken) as refusal:
            refusal.headers = self._cleared(request)  # there is nothing to end, and the browser should know
            raise
        await self._sessions.end(_session_of(user))

    async def _logout_everywhere(self, request: Request, gate: Gate) -> Reply:
        user = await gate.identify(request)
        await self._sessions.end_all(user.identity)
        return _NO_CONTENT.with_headers(self._cleared(request))

    async def _revoke(self, request: Request, gate: Gate) -> Reply:
        """RFC 7009 section 2: who holds a token may end it."""
        await self._sessions.revoke((await forms.read(request)).need("token"))
        return _OK

    async def _list(self, request: Request, gate: Gate) -> Reply:
        user = await gate.identify(request)
        found = await self._sessions.of(user.identity)
        return in_json(200, {"sessions": [_shown(session, user) for session in found]})

    async def _end_one(self, request: Request, gate: Gate) -> Reply:
        user = await gate.identify(request)
        wanted = (request.path_in_app or "").removeprefix(f"{self._listing}/")
        if wanted not in (session.sid for session in await self._sessions.of(user.identity)):
            return in_json(404, {"error": "invalid_request", "error_description": "There is no such session."})
        await self._sessions.end(wanted)
        return _NO_CONTENT.with_headers(self._cleared(request) if wanted == user.session_id else ())

    # --- answers -------------------------------------------------------------------------------------------

    def _given(self, request: Request, grant: Grant, *, in_cookies: bool) -> Reply:
        if not in_cookies or self._cookies is None:
            return in_json(200, _tokens(grant))
        self._cookies.check_place(request)
        access, refresh = (grant.access_token, grant.expires_in), (grant.refresh_token, grant.refresh_expires_in)
        body = {"token_type": "cookie", "expires_in": grant.expires_in, "scope": grant.scope}
        body |= {"csrf_token": self._sessions.tokens.csrf(grant.sid)}
        return in_json(200, body).with_headers(self._cookies.given(request, access, refresh, grant.sid))

    def _cleared(self, request: Request) -> Headers:
        return () if self._cookies is None else self._cookies.cleared(request)


def _tokens(grant: Grant) -> dict[str, Any]:
    """RFC 6749 section 5.1."""
    body = {"access_token": grant.access_token, "token_type": "Bearer", "expires_in": grant.expires_in}
    return body | ({"refresh_token": grant.refresh_token} if grant.refresh_token else {}) | {"scope": grant.scope}


def _session_of(user: User) -> str:
    if not user.session_id:
        detail = "the token belongs to no session: it was issued without a sign-in"
        raise GrantRefused("invalid_request", Reason.SESSION_OVER, detail)
    return user.session_id


def _shown(session: Session, user: User) -> dict[str, Any]:
    return {
        "id": session.sid, "label": session.label, "address": session.address, "created": int(session.created),
        "last_used": int(session.used), "current": session.sid == user.session_id,
    }  # fmt: skip


def _client(request: Request, form: Form) -> tuple[str, str]:
    """Return a client's id and secret, by Basic authentication or in the body, not by both (RFC 6749 section 2.3)."""
    fields = request.fields("authorization")
    if not fields:
        return form.need("client_id"), form.need("client_secret")
    scheme, _, encoded = fields[0].partition(" ")
    try:
        name, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # of base64, of characters beyond ASCII, of UTF-8
        colon = ""
    if len(fields) != 1 or scheme.lower() != "basic" or not colon or form.get("client_secret"):
        raise forms.malformed("a client authenticates by Basic, or in the body, and only once")
    return unquote_plus(name), unquote_plus(secret)


def _preflight(methods: dict[str, Answer]) -> Reply:
    allowed = (
        ("Access-Control-Allow-Methods", ", ".join(methods)),
        ("Access-Control-Allow-Headers", "authorization, content-type, x-csrf-token"),
        ("Access-Control-Max-Age", _MAX_AGE_OF_PREFLIGHT),
    )
    return Reply(204, allowed, b"")
