"""Protect any WSGI app, from outside.

    from jwt_middleware.wsgi import JWTMiddleware
    app.wsgi_app = JWTMiddleware(app.wsgi_app)  # Flask; everything from JWT_* environment variables

The app finds the user in `environ["jwt_middleware.user"]`, in `REMOTE_USER` and, anywhere, by
`jwt_middleware.current_user()`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jwt_middleware import target
from jwt_middleware.core import Clock, Issuer, chosen
from jwt_middleware.gate.replies import Reply
from jwt_middleware.gate.request import Request
from jwt_middleware.notices import announce, revocable
from jwt_middleware.truth._blocking import BlockingIO
from jwt_middleware.truth.io import run
from jwt_middleware.user import User, set_current

__all__ = ["JWTAuth", "JWTMiddleware"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]

USER_KEY = "jwt_middleware.user"
_OWN_KEYS = "jwt_middleware."
_UNPREFIXED = frozenset({"CONTENT_LENGTH", "CONTENT_TYPE"})


class JWTAuth(Issuer):
    """The settings as an object, for apps that sign in and out by views of their own.

    Args:
        clock: seconds since the epoch; replace it in tests.
        **settings: any setting without `JWT_`, in lower case; wins over the environment.

    Raises:
        ConfigurationError: with every problem at once.
    """

    def __init__(self, *, clock: Clock = time.time, **settings: Any) -> None:
        super().__init__(BlockingIO, clock, settings)

    def verify(self, token: str) -> User:
        """Verify a token as a request's would be, revocation included (RFC 7519 section 7.2).

        Raises:
            InvalidToken: with the `reason`.
            Unavailable: the store cannot answer.
        """
        return run(self.core.authenticator.verify(token))

    def revoke(self, user: User) -> None:
        """Revoke the token that this user came with; return when every process will refuse it.

        Raises:
            ValueError: the user is anonymous, so no token would be revoked.
            Unavailable: the store did not confirm; the token may still be good.
        """
        run(self.core.revoker.revoke_token(*revocable(user)))

    def revoke_subject(self, subject: str) -> None:
        """Revoke every token of a subject issued up to this second; return when stored.

        Raises:
            Unavailable: the store did not confirm.
        """
        run(self.core.revoker.revoke_subject(subject))

    def revoke_session(self, session_id: str) -> None:
        """Revoke every token with this `sid`; return when stored.

        Raises:
            Unavailable: the store did not confirm.
        """
        run(self.core.revoker.revoke_session(session_id))


class JWTMiddleware:
    """Wraps a WSGI app: verifies the token of every request and hands the user to the app.

    Args:
        app: the app to protect.
        auth: settings as an object; without it they come from the environment and the keywords.
        clock: seconds since the epoch; replace it in tests.
        **settings: any setting without `JWT_`, in lower case; wins over the environment.

    Raises:
        ConfigurationError: with every problem at once.
    """

    def __init__(
        self, app: WSGIApp, *, auth: JWTAuth | None = None, clock: Clock | None = None, **settings: Any
    ) -> None:
        core = chosen(JWTAuth, auth, clock, settings).core
        announce(core.settings)
        self.app = app
        self._gate = core.gate
        # Looked up once: on the hot path each attribute costs as much as the work itself.
        self._recall = core.gate.recall
        self._guarded = core.gate.guarded
        self._own = core.gate.own
        self._forwarding = core.gate.forwarding
        self._header = "HTTP_" + core.settings.header_name.upper().replace("-", "_")

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request (PEP 3333)."""
        credential = environ.get(self._header)
        if credential is None or self._guarded or (self._own is not None and self._own(environ.get("PATH_INFO", ""))):
            user = None
        else:
            user = self._recall(credential)
        if user is None:
            outcome = run(self._gate.handle(_WSGIRequest(environ, credential)))
            if isinstance(outcome, Reply):
                return _send_reply(outcome, environ, start_response)
            user = outcome
        if _OWN_KEYS in "\n".join(environ):  # one pass in C; a loop over the keys would cost more than the rest
            _remove_own_keys(environ)
        identity = user.identity
        environ[USER_KEY] = user
        environ["REMOTE_USER"] = identity
        environ["AUTH_TYPE"] = "Bearer"
        if not (identity and identity.isascii() and identity.isprintable()):
            _correct_remote_user(environ, identity)
        if self._forwarding is not None:
            self._forwarding.wsgi(environ, user)
        set_current(user)
        return self.app(environ, start_response)


def _remove_own_keys(environ: Environ) -> None:
    for key in [key for key in environ if key.startswith(_OWN_KEYS)]:
        del environ[key]


def _correct_remote_user(environ: Environ, identity: str) -> None:
    """Leave out what an anonymous request must not have, and names that an environ cannot carry (PEP 3333)."""
    if not identity:
        del environ["AUTH_TYPE"]
    try:
        identity.encode("latin-1")
    except UnicodeEncodeError:
        identity = ""
    if not identity or not identity.isprintable():
        del environ["REMOTE_USER"]


class _WSGIRequest(Request):
    __slots__ = ("_environ",)

    def __init__(self, environ: Environ, credential: str | None) -> None:
        super().__init__(credential)
        self._environ = environ

    @property
    def method(self) -> str:
        return str(self._environ["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        path = self.path_in_app
        below = self._environ.get("PATH_INFO", "") if path is None else path
        return f"{self._environ.get('SCRIPT_NAME', '')}{below}"

    @property
    def path_in_app(self) -> str | None:
        # PEP 3333 hands bytes over as latin-1; a path that is not UTF-8 has no meaning that we could match.
        path: str = self._environ.get("PATH_INFO", "")
        try:
            return path.encode("latin-1").decode()
        except UnicodeError:
            return None

    @property
    def raw_path(self) -> bytes:
        raw: str = self._environ.get("RAW_URI") or self._environ.get("REQUEST_URI") or ""
        return raw.partition("?")[0].encode("latin-1", "replace")

    @property
    def scheme(self) -> str:
        return str(self._environ["wsgi.url_scheme"])

    @property
    def peer(self) -> str:
        return str(self._environ.get("REMOTE_ADDR", ""))

    @property
    def mount(self) -> str:
        return str(self._environ.get("SCRIPT_NAME", ""))

    def fields(self, name: str) -> Sequence[str]:
        key = name.upper().replace("-", "_")
        found = self._environ.get(key if key in _UNPREFIXED else f"HTTP_{key}")
        return [] if found is None else [found]

    async def body(self, limit: int) -> bytes | None:
        length = self._environ.get("CONTENT_LENGTH") or ""
        if length.isdecimal():
            size = int(length[:20])
        else:
            size = limit + 1 if self._environ.get("wsgi.input_terminated") else 0  # else a read might never end
        body: bytes = self._environ["wsgi.input"].read(min(size, limit + 1)) if size else b""
        is_whole = len(body) == size or not length.isdecimal()
        return body if is_whole and len(body) <= limit else None


def _send_reply(reply: Reply, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response(reply.status_line, list(reply.headers))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]


if os.environ.get("JWT_APP") and not target.is_being_imported(os.environ["JWT_APP"]):
    app = JWTMiddleware(target.load(os.environ["JWT_APP"], "wsgi"))
else:

    def __getattr__(name: str) -> Any:
        target.missing(__name__, name)
