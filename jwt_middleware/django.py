"""Django's way to the user: `request.user`, for WSGI and ASGI alike.

Wrap the application with `JWTMiddleware` (in `wsgi.py` or `asgi.py`), and put this into settings:

    MIDDLEWARE = [..., "jwt_middleware.django.UserMiddleware"]

It takes the place of Django's `AuthenticationMiddleware`, or stands after it: then a token's user wins,
and where no token was looked at (an exempt path, such as the admin's) Django's own user stays. Django under
ASGI passes neither `REMOTE_USER` nor `scope["user"]` on, which is why this lifts the user out of
the current context. `RemoteUserMiddleware` is not needed, and has dangers of its own: it trusts
whatever sets `REMOTE_USER`, keeps a session cookie that outlives the token, and creates a user in
the database for every `sub` it sees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from jwt_middleware.user import ANONYMOUS, User, current_user

GetResponse = Callable[[Any], Any]


class UserMiddleware:
    """Sets `request.user` to the verified `User` of this request, to the anonymous one where nobody else is set.

    Args:
        get_response: the next middleware or the view, sync or async.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        _check_order(settings.MIDDLEWARE if settings.configured else ())
        self.get_response = get_response
        self._async = iscoroutinefunction(get_response)
        if self._async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any | Awaitable[Any]:
        """Set the user and pass the request on."""
        user = _user(request)
        if user.is_authenticated or not hasattr(request, "user"):
            request.user = user
        return self.get_response(request)


def _check_order(middleware: Sequence[str]) -> None:
    """Refuse an order in which Django's session user would silently replace the token's."""
    names = [name.rpartition(".")[2] for name in middleware]
    if "AuthenticationMiddleware" in names[names.index("UserMiddleware") :] if "UserMiddleware" in names else ():
        raise ImproperlyConfigured("MIDDLEWARE: put jwt_middleware's UserMiddleware after AuthenticationMiddleware")


def _user(request: Any) -> User:
    """The user as the adapter left it in this very request; the context only where Django dropped that."""
    scope = getattr(request, "scope", None)
    holder = request.META if scope is None else scope
    found = holder.get("jwt_middleware.user" if scope is None else "user", ANONYMOUS)
    return found if isinstance(found, User) else current_user()
