"""`UserMiddleware`: a token's user wins, Django's own stays where no token was looked at."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from jwt_middleware import User
from jwt_middleware.django import UserMiddleware
from jwt_middleware.user import ANONYMOUS, set_current

DJANGO_S_OWN = object()


def seen(found: User, **already: Any) -> Any:
    """Pass a request on whose gate found this user, in a context of its own; return `request.user`."""
    request = SimpleNamespace(META={"jwt_middleware.user": found}, **already)
    UserMiddleware(lambda request: None)(request)
    return request.user


@pytest.mark.parametrize("already", [{}, {"user": DJANGO_S_OWN}], ids=["alone", "after-django-s"])
def test_a_token_s_user_wins(already):
    """Whoever Django's session found, the token of this request speaks."""
    user = User("42")
    assert seen(user, **already) is user


def test_on_an_open_path_django_s_own_user_stays():
    """The admin on an exempt path keeps its session's user."""
    assert seen(ANONYMOUS, user=DJANGO_S_OWN) is DJANGO_S_OWN


def test_without_anybody_the_user_is_anonymous():
    """`request.user` is never missing."""
    assert seen(ANONYMOUS) is ANONYMOUS


def test_under_asgi_the_scope_is_asked():
    """An ASGI request carries the scope that our adapter left; an async view gets the same user."""
    user = User("42")

    async def view(request: Any) -> Any:
        return request.user

    request = SimpleNamespace(META={}, scope={"user": user})
    assert asyncio.run(UserMiddleware(view)(request)) is user


def test_without_the_adapter_in_front_nobody_is_let_in():
    """Django's test client calls the handler directly: the context says who it is, here nobody."""
    set_current(ANONYMOUS)
    request = SimpleNamespace(META={}, scope={"user": "preset by somebody else"})
    UserMiddleware(lambda request: None)(request)
    assert request.user is ANONYMOUS
