"""The public API as a type checker sees it: checked by `mypy --strict`, never run."""

from __future__ import annotations

from typing import assert_type

from prometheus_client import REGISTRY

from jwt_middleware import Claims, Event, InvalidToken, Reason, User, asgi, current_user, wsgi


def wsgi_world(auth: wsgi.JWTAuth, app: wsgi.WSGIApp) -> wsgi.WSGIApp:
    """Everything is plain."""
    assert_type(auth.issue("42", scope=["read"], claims={"name": "Ada"}, expires_in=60), str)
    assert_type(auth.verify("token"), User)
    auth.revoke(current_user())
    REGISTRY.register(auth.metrics)
    return wsgi.JWTMiddleware(app, auth=auth)


async def asgi_world(auth: asgi.JWTAuth, app: asgi.ASGIApp) -> asgi.ASGIApp:
    """What asks the store is awaited, issuing is not."""
    assert_type(auth.issue("42"), str)
    assert_type(await auth.verify("token"), User)
    await auth.revoke_subject("42")
    return asgi.JWTMiddleware(app, issuer="https://idp.example/", audience="https://api.example")


def user_of(user: User, error: InvalidToken) -> tuple[str | None, ...]:
    """A user's attributes have types that say what may be missing."""
    assert_type(user.claims, Claims)
    assert_type(user.scopes, tuple[str, ...])
    assert_type(error.reason, Reason)
    assert_type(error.user, User | None)
    return user.identity, user.display_name, user.token_id, user.session_id, user.issuer


def note(event: Event) -> None:
    """A hook for `JWT_ON_EVENT`."""
    assert_type(event.time, float)
    assert_type(event.reason, Reason | None)
