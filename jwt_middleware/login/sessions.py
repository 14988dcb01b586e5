"""Signing in and out, without a word of HTTP: sessions begun, renewed, listed and ended, and the tokens they give.

Everything that decides whether a session lives is one step in the store; everything here can be repeated. The
store answers before the client does: a session that was ended has ended in every process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jwt_middleware.errors import GrantRefused, InvalidToken, Reason, Unavailable, escaped, shown
from jwt_middleware.gate.authenticator import Authenticator
from jwt_middleware.gate.usercheck import UserCheck
from jwt_middleware.login.clients import Client
from jwt_middleware.login.users import Account, Authority
from jwt_middleware.settings import Settings
from jwt_middleware.token.claims import is_date
from jwt_middleware.token.refresh import RefreshTokens, new_sid
from jwt_middleware.token.signer import Signer
from jwt_middleware.truth.io import IO
from jwt_middleware.truth.revocation import Revocation
from jwt_middleware.truth.sessions import Outcome, Session, SessionStore, Terms
from jwt_middleware.truth.store import SLACK, ended
from jwt_middleware.user import Claims, User

MACHINE = "client:"  # before a machine's id in `sub`: no user can have that name, nor a machine a user's
_LONGEST_WAIT = 1.0  # seconds for a sign-in that comes in the second of a cut-off
_REFUSALS = {
    Outcome.UNKNOWN: (Reason.SESSION_OVER, "no such session"),
    Outcome.EXPIRED: (Reason.SESSION_OVER, "the session has expired"),
    Outcome.REVOKED: (Reason.SESSION_OVER, "the session was revoked"),
    Outcome.REUSED: (Reason.REFRESH_TOKEN_REUSED, "an old refresh token came back: the session has been ended"),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client gets (RFC 6749 section 5.1).

    Attributes:
        access_token: the token for requests.
        expires_in: its life in seconds.
        scope: what it grants, separated by spaces.
        refresh_token: the token that gets the next ones; empty for machines.
        refresh_expires_in: its life in seconds, if it is not used.
        sid: the session; empty for machines.
    """

    access_token: str
    expires_in: int
    scope: str
    refresh_token: str = ""
    refresh_expires_in: int = 0
    sid: str = ""


class Sessions:
    """The sessions of our own issuer."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: SessionStore,
        revocation: Revocation,
        signer: Signer,
        authenticator: Authenticator,
        tokens: RefreshTokens,
        authority: Authority | None,
        check_user: UserCheck | None,
        io: IO,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._store = store
        self._revocation = revocation
        self._signer = signer
        self._authenticator = authenticator
        self.tokens = tokens
        self._authority = authority
        self._check_user = check_user
        self._io = io
        self._clock = clock
        self._changes = settings.users_file is not None  # a file of users is asked anew, a function cannot be
        self._idle = settings.refresh_token_expires
        self._outlives = settings.session_expires + settings.access_token_expires + SLACK

    def now(self) -> float:
        """Return the time, seconds since the epoch."""
        return self._clock()

    async def begin(self, account: Account, scopes: Sequence[str], *, asked: float, label: str, address: str) -> Grant:
        """Begin a session (RFC 6749 section 4.3).

        Args:
            account: who signed in.
            scopes: what was asked for; nothing means all that the account may have.
            asked: when the password came, seconds since the epoch: what was revoked since is not brought back.
            label: what its owner may know the session by.
            address: where they are.

        Raises:
            GrantRefused: a scope that the account may not have, or `JWT_CHECK_USER` objects.
            Unavailable: the store did not confirm.
        """
        if account.subject.startswith(MACHINE):
            raise Unavailable(f"a user's subject must not begin with {MACHINE}", Reason.AUTHENTICATE_FAILED)
        sid, client_id = new_sid(), self._settings.client_id
        items = self._revocation.of_session(sid, account.subject, client_id)
        claims = json.dumps(dict(account.claims))
        session = Session(
            sid=sid, subject=account.subject, client_id=client_id, scope="", claims=claims,
            label=escaped(label), address=address, revoked_by=json.dumps(items),
            created=asked, used=asked, ends=asked + self._settings.session_expires,
        )  # fmt: skip
        if objection := await self._objection(session):
            raise _rejected(session, objection)
        granted = _granted(scopes, account.scopes)  # only now: it would tell that the password was right
        opened = await self._opened(replace(session, scope=granted))
        return self._grant(opened, granted)

    async def _opened(self, session: Session) -> Session:
        latest = await self._store.open(session, self._idle)
        if latest is None:
            return session
        if latest > int(session.created):
            raise Unavailable("tokens of this subject were revoked while it signed in")
        await self._io.sleep(min(max(latest + 1 - self._clock(), 0.0), _LONGEST_WAIT))
        now = self._clock()
        later = replace(session, created=now, used=now)
        if await self._store.open(later, self._idle) is None:
            return later
        raise Unavailable("all tokens of this subject up to now were revoked a moment ago")

    async def renew(self, token: str, scopes: Sequence[str]) -> Grant:
        """Renew a session: a new access token, and the refresh token of the next generation (RFC 6749 section 6).

        Args:
            token: the refresh token.
            scopes: what the access token is to grant, if less than the session was granted.

        Raises:
            GrantRefused: not a refresh token of a live session, or too much asked for.
            Unavailable: the store did not confirm.
        """
        sid, generation = self._read(token)
        known = await self._asked(sid)  # before anything changes: who cannot answer must not cost the token
        now = self._clock()
        terms = Terms(
            now=now, grace=self._settings.refresh_grace, idle=self._idle, outlives=self._outlives, scopes=scopes
        )
        outcome, session = await self._store.rotate(sid, generation, terms)
        if outcome is Outcome.TOO_MUCH:
            raise GrantRefused("invalid_scope", Reason.SCOPE_NOT_GRANTED, f"asked for {shown(' '.join(scopes))}")
        if session is None or outcome in _REFUSALS:
            raise self._over(outcome, sid, session)
        account = known or _account(session)
        allowed = [scope for scope in session.scope.split() if scope in account.scopes]
        granted = " ".join(scope for scope in allowed if not scopes or scope in scopes)
        return self._grant(replace(session, claims=json.dumps(dict(account.claims))), granted)

    async def _asked(self, sid: str) -> Account | None:
        """Ask everybody who may object to a session going on; end it if somebody does."""
        if self._check_user is None and not self._changes:
            return None
        session = await self._store.find(sid)
        if session is None:
            return None
        account = _account(session)
        known = await self._authority.current(account) if self._authority else account
        objection = "the account is disabled or deleted"
        if known is not None:
            objection = await self._objection(replace(session, claims=json.dumps(dict(known.claims))))
        if objection:
            await self.end(sid)
            raise _rejected(session, objection)
        return known

    def _read(self, token: str) -> tuple[str, int]:
        named = self.tokens.read(token)
        if named is None:
            raise GrantRefused("invalid_grant", Reason.WRONG_REFRESH_TOKEN, "not a refresh token of ours", 401)
        return named

    def _over(self, outcome: Outcome, sid: str, session: Session | None) -> GrantRefused:
        reason, detail = _REFUSALS[outcome]
        if outcome is Outcome.REUSED:
            self._revocation.told(*self._revocation.of_session(sid)[:1])
        if session is None:
            return GrantRefused("invalid_grant", reason, detail, 401)
        return _refusal(session, reason, detail)

    async def _objection(self, session: Session) -> str:
        """Ask the app about the user whom a session's tokens would speak of."""
        if self._check_user is not None:
            try:
                token = self._grant(session, session.scope).access_token
                await self._check_user(self._authenticator.user_of(token.encode()))
            except InvalidToken as refusal:
                return refusal.detail
        return ""

    def _grant(self, session: Session, granted: str) -> Grant:
        claims = json.loads(session.claims) | {"sid": session.sid, "auth_time": int(session.created)}
        left = max(session.ends - self._clock(), 1.0)
        expires = min(self._settings.access_token_expires, left)
        try:
            token = self._signer.issue(session.subject, scope=granted, claims=claims, expires_in=expires)
        except ValueError as error:  # its claims make no token that we would accept ourselves
            detail = f"subject {shown(session.subject)}: {error}"
            raise Unavailable(detail, Reason.AUTHENTICATE_FAILED) from None
        refresh = self.tokens.make(session.sid, session.generation)
        return Grant(token, int(expires), granted, refresh, int(min(self._idle, left)), session.sid)

    def for_machine(self, client: Client, scopes: Sequence[str], audience: str | None) -> Grant:
        """Grant a machine an access token by itself, without a session (RFC 6749 section 4.4).

        Raises:
            GrantRefused: a scope or an audience that it may not have.
        """
        if audience is not None and audience not in client.audiences:
            detail = f"client {shown(client.client_id)} asked for {shown(audience)}"
            raise GrantRefused("invalid_target", Reason.WRONG_AUDIENCE, detail)
        granted = _granted(scopes, client.scopes)
        meant_for = audience or next(iter(client.audiences), None)
        subject = MACHINE + client.client_id
        try:
            token = self._signer.issue(subject, scope=granted, client_id=client.client_id, audience=meant_for)
        except ValueError as error:  # JWT_REQUIRED_CLAIMS, for one, may want what a machine has not
            raise Unavailable(f"client {shown(client.client_id)}: {error}", Reason.AUTHENTICATE_FAILED) from None
        return Grant(token, int(self._settings.access_token_expires), granted)

    async def end(self, sid: str) -> None:
        """End a session and revoke its access tokens; return when every process will refuse them.

        Raises:
            Unavailable: the store did not confirm.
        """
        (name, *_) = self._revocation.of_session(sid)
        await self._store.end(sid, name, ended(self._clock() + self._outlives))
        self._revocation.told(name)

    async def end_of(self, token: str) -> None:
        """End the session of a refresh token.

        Raises:
            GrantRefused: it is none of ours.
            Unavailable: the store did not confirm.
        """
        await self.end(self._read(token)[0])

    async def revoke(self, token: str) -> None:
        """Revoke an access token, or end the session of a refresh token (RFC 7009 section 2.1).

        What is no token of ours, or not any more, is as good as revoked already (section 2.2).

        Raises:
            Unavailable: the store did not confirm.
        """
        named = self.tokens.read(token)
        if named is not None:
            return await self.end(named[0])
        try:
            claims = self._authenticator.signed_by_us(token.encode("ascii", "replace"))
        except InvalidToken:
            return None
        ours = claims.get("iss") == self._settings.issuer and is_date(claims.get("exp"))
        if ours and isinstance(claims.get("jti"), str) and claims["jti"]:
            return await self._revocation.revoke_token(claims["jti"], claims["exp"])
        return None

    async def end_all(self, subject: str) -> None:
        """End all sessions of a subject and revoke every token issued up to this second.

        Raises:
            Unavailable: the store did not confirm.
        """
        name, mark = self._revocation.cut_off_of(subject)
        await self._store.end_all(subject, name, mark)
        self._revocation.told(name)

    async def of(self, subject: str) -> list[Session]:
        """Return the live sessions of a subject, the youngest first.

        Raises:
            Unavailable: the store cannot answer.
        """
        return await self._store.of(subject, self._clock(), self._idle)


def _granted(asked: Sequence[str], allowed: Sequence[str]) -> str:
    if not set(asked) <= set(allowed):
        detail = f"asked for {shown(' '.join(asked))}, may have {shown(' '.join(allowed))}"
        raise GrantRefused("invalid_scope", Reason.SCOPE_NOT_GRANTED, detail)
    return " ".join(dict.fromkeys(asked or allowed))


def _account(session: Session) -> Account:
    return Account(session.subject, tuple(session.scope.split()), json.loads(session.claims))


def _rejected(session: Session, objection: str) -> GrantRefused:
    return _refusal(session, Reason.USER_REJECTED, objection)


def _refusal(session: Session, reason: Reason, detail: str) -> GrantRefused:
    """Return a refusal that tells the log and the hook whose session it was."""
    where = f"subject {shown(session.subject)}, session {session.sid}"
    refusal = GrantRefused("invalid_grant", reason, f"{detail} ({where})", 401)
    refusal.user = User(session.subject, Claims({"sid": session.sid}))
    return refusal
