"""What a rule asks of a user, to the letter: who has it, who has not, and what the operator and the client are told."""

from __future__ import annotations

from typing import Any

import pytest

from jwt_middleware.errors import InsufficientScope, Reason, Refused, StaleAuthentication
from jwt_middleware.gate.demands import Demand
from jwt_middleware.user import Claims, User
from tests.worlds import NOW


def user(*, scopes: str = "", roles: str = "", **claims: Any) -> User:
    return User("42", Claims(claims), tuple(scopes.split()), tuple(roles.split()))


@pytest.mark.parametrize(
    ("wanted", "who", "reason", "detail"),
    [
        pytest.param(
            {"scopes": ("a", "b")}, user(scopes="a c"), Reason.MISSING_SCOPE,
            "token has scope='a c', rule 1 wants a b", id="all-scopes",
        ),
        pytest.param(
            {"any_scopes": ("a", "b")}, user(), Reason.MISSING_SCOPE,
            "token has scope='', rule 1 wants any of a b", id="any-scope",
        ),
        pytest.param(
            {"scopes": ("a",), "any_scopes": ("b", "c")}, user(scopes="a"), Reason.MISSING_SCOPE,
            "token has scope='a', rule 1 wants a and any of b c", id="both-kinds-of-scopes",
        ),
        pytest.param(
            {"roles": ("a", "b")}, user(roles="b c"), Reason.MISSING_ROLE,
            "token has roles='b c', rule 1 wants a b", id="all-roles",
        ),
        pytest.param(
            {"any_roles": ("a", "b")}, user(), Reason.MISSING_ROLE,
            "token has roles='', rule 1 wants any of a b", id="any-role",
        ),
        pytest.param(
            {"claims": (("tenant", "acme"),)}, user(), Reason.WRONG_CLAIM,
            "token has tenant=none, rule 1 wants 'acme'", id="claim-absent",
        ),
        pytest.param(
            {"claims": (("t\n", True),)}, user(**{"t\n": "\n"}), Reason.WRONG_CLAIM,
            "token has t\\n='\\n', rule 1 wants True", id="claim-escaped",
        ),
        pytest.param(
            {"claims": (("a", 1), ("b", 2))}, user(a=1, b=(1,)), Reason.WRONG_CLAIM,
            "token has b=(1,), rule 1 wants 2", id="second-claim",
        ),
    ],
)  # fmt: skip
def test_who_lacks_something_is_told_what(wanted: dict[str, Any], who: User, reason: Reason, detail: str) -> None:
    """Reason and detail name what stands in the token and what the rule wants; the challenge names the scopes."""
    with pytest.raises(InsufficientScope) as caught:
        Demand("rule 1", asked=("x", "y"), **wanted).check(who, NOW)
    assert (caught.value.reason, caught.value.detail) == (reason, detail)
    assert caught.value.parameters == (("scope", "x y"),)


@pytest.mark.parametrize(
    ("auth_time", "detail"),
    [
        (NOW - 65, f"token has auth_time={NOW - 65}, rule 1 wants max_auth_age=60"),
        (NOW + 5.5, f"token has auth_time={NOW + 5.5}, rule 1 wants max_auth_age=60"),
        (None, "token has auth_time=None, rule 1 wants max_auth_age=60"),
    ],
    ids=["on-the-last-second", "beyond-the-leeway", "absent"],
)
def test_a_sign_in_too_long_ago_is_told(auth_time: float | None, detail: str) -> None:
    """RFC 9470: the age that would do, and what was found instead."""
    with pytest.raises(StaleAuthentication) as caught:
        Demand("rule 1", max_auth_age=60.0, leeway=5.0).check(user(auth_time=auth_time), NOW)
    assert (caught.value.reason, caught.value.detail) == (Reason.STALE_AUTHENTICATION, detail)
    assert caught.value.parameters == (("max_age", "60"),)


@pytest.mark.parametrize("auth_time", [NOW - 64.9, NOW, NOW + 5], ids=["just-in-time", "now", "clock-ahead"])
def test_a_recent_sign_in_will_do(auth_time: float) -> None:
    """Within the age and the leeway, the last moment of a clock that is ahead included."""
    Demand("rule 1", max_auth_age=60.0, leeway=5.0).check(user(auth_time=auth_time), NOW)


def test_without_leeway_none_is_given() -> None:
    """The default is to tolerate nothing."""
    demand = Demand("rule 1", max_auth_age=60.0)
    demand.check(user(auth_time=NOW), NOW)
    for auth_time in (NOW + 0.1, NOW - 60):
        with pytest.raises(Refused):
            demand.check(user(auth_time=auth_time), NOW)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, ""),
        ({"scopes": ("a", "b")}, "scope a b"),
        ({"any_scopes": ("a", "b")}, "scope any of a b"),
        ({"roles": ("a",), "any_roles": ("b",)}, "role a and any of b"),
        ({"any_roles": ("b",)}, "role any of b"),
        ({"claims": (("t", "x"), ("n", 1))}, "t = 'x', n = 1"),
        ({"max_auth_age": 90.0}, "a sign-in at most 90 s ago"),
    ],
    ids=["nothing", "scopes", "any-scope", "roles", "any-role", "claims", "age"],
)
def test_a_demand_says_what_it_asks_for_and_no_more(wanted: dict[str, Any], words: str) -> None:
    """`explain` prints it."""
    assert str(Demand("rule 1", **wanted)) == words
