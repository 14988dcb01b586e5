"""JWT_CHECK_USER: the app may reject a verified user, and what happens when it cannot say."""

from __future__ import annotations

import sys
import types

import pytest

from jwt_middleware import InvalidToken, Unavailable
from tests.worlds import SECRET, ASGIWorld, WSGIWorld


def refuse_ada(user):
    """A hook of an app."""
    return user.identity != "ada"


async def refuse_ada_later(user):
    """The same, async."""
    return user.identity != "ada"


def test_a_rejected_user_is_refused(protect, caplog):
    """CVE-2024-22513: disabled means out, whatever the token says; the client is not told why (C4)."""
    gate = protect(check_user=refuse_ada)
    answer = gate.request(token=gate.auth.issue("ada"))
    assert (answer.status, answer.error) == (401, "invalid_token")
    assert "user_rejected: JWT_CHECK_USER did not say True" in caplog.text
    assert gate.request(token=gate.auth.issue("bob")).user.identity == "bob"
    with pytest.raises(InvalidToken, match="user_rejected"):
        gate.verify(gate.auth.issue("ada"))


def test_it_is_asked_once_for_as_long_as_the_token_is_remembered(protect, clock):
    """A hook may cost a query: not one per request."""
    asked = []
    gate = protect(check_user=lambda user: asked.append(user.identity) or True, cache_seconds=30)
    token = gate.auth.issue("bob")
    for _ in range(5):
        assert gate.request(token=token).passed
    assert asked == ["bob"]
    clock.now += 30
    assert gate.request(token=token).passed
    assert asked == ["bob", "bob"]


def test_a_rejection_is_not_remembered(protect):
    """A user who is enabled again passes at once."""
    disabled = {"ada"}
    gate = protect(check_user=lambda user: user.identity not in disabled)
    token = gate.auth.issue("ada")
    assert gate.request(token=token).status == 401
    disabled.clear()
    assert gate.request(token=token).passed


@pytest.mark.parametrize("verdict", [None, 0, 1, "yes", [True]], ids=repr)
def test_only_true_is_yes(protect, verdict):
    """A forgotten `return` rejects everybody rather than nobody."""
    gate = protect(check_user=lambda user: verdict)
    assert gate.request(token=gate.auth.issue("bob")).status == 401


def test_a_hook_that_fails_is_503(protect, caplog):
    """Cannot decide is neither yes nor no, and its own words stay out of the log."""

    def broken(user):
        raise KeyError("the password of the database")

    gate = protect(check_user=broken)
    answer = gate.request(token=gate.auth.issue("bob"))
    assert (answer.status, answer.error) == (503, "temporarily_unavailable")
    assert caplog.messages == ["503 GET / user_check_failed: JWT_CHECK_USER raised KeyError"]
    with pytest.raises(Unavailable):
        gate.verify(gate.auth.issue("bob"))


def test_it_is_not_asked_about_the_anonymous_nor_the_forged(protect):
    """Strangers must not be able to make the app work."""
    asked = []
    gate = protect(check_user=lambda user: asked.append(user) or True, exempt_paths="/health")
    gate.request("/health")
    gate.request()
    gate.request(token=gate.auth.issue("bob").rpartition(".")[0] + "." + "A" * 43)
    assert asked == []


def test_it_may_be_async_under_asgi():
    """Awaited on the server's own loop."""
    gate = ASGIWorld(secret_key=SECRET, check_user=refuse_ada_later)
    assert gate.request(token=gate.auth.issue("ada")).status == 401
    assert gate.request(token=gate.auth.issue("bob")).passed


def test_under_wsgi_an_async_hook_says_what_is_wrong(caplog):
    """There is no loop to await it on: 503 and a line, not a crash."""
    gate = WSGIWorld(secret_key=SECRET, check_user=refuse_ada_later)
    assert gate.request(token=gate.auth.issue("bob")).status == 503
    why = "JWT_CHECK_USER is async: under WSGI it must be a plain function"
    assert caplog.messages == [f"503 GET / user_check_failed: {why}"]


def test_it_is_named_by_module_and_function(protect, monkeypatch):
    """Found at first use, so it may live in the very module that makes the middleware."""
    monkeypatch.setenv("JWT_CHECK_USER", "an_app_of_ours:refuse_ada")
    gate = protect()
    token = gate.auth.issue("ada")
    assert gate.request(token=token).status == 503  # not there yet: nobody can say
    module = types.ModuleType("an_app_of_ours")
    module.refuse_ada = refuse_ada
    monkeypatch.setitem(sys.modules, "an_app_of_ours", module)
    assert gate.request(token=token).status == 401
    assert gate.request(token=gate.auth.issue("bob")).passed
