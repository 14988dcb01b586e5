"""The claims: their types before their values, and each refusal with its evidence (RFC 7519 section 4, RFC 9068)."""

from __future__ import annotations

from typing import Any

import pytest

from jwt_middleware import ConfigurationError, Reason
from jwt_middleware.wsgi import JWTAuth
from tests.token.forge import AUDIENCE, IAT, ISSUER, claims, dumps, refusal, token, verifying
from tests.worlds import NOW, SECRET, Clock


def accepted(payload: Any, **settings: Any) -> Any:
    """Verify a token with these claims and return its user."""
    return verifying(**settings)(token(payload))


def evidence(payload: Any, **settings: Any) -> tuple[Reason, str]:
    """Verify a token with these claims, which must be refused, and return why."""
    error = refusal(verifying(**settings), token(payload))
    return error.reason, error.detail


def with_literal(name: str, literal: str) -> str:
    """Return good claims in which one has a value written as this JSON literal."""
    rest = dumps(claims(**{name: ...}))
    return f'{rest[:-1]},"{name}":{literal}}}'


# --- dates -----------------------------------------------------------------------------------------------------------

DATES = ("exp", "nbf", "iat")
# What no NumericDate is: a type that fooled somebody (CVE-2026-25537), or a number that no time can have.
NO_DATES = {
    "null": "null",
    "true": "true",
    "false": "false",
    "empty-text": '""',
    "digits-as-text": '"4102444800"',
    "digits-with-underscores": '"4_102_444_800"',
    "arabic-digits": '"٤١٠٢٤٤٤٨٠٠"',
    "digits-with-space": '" 4102444800 "',
    "float-as-text": '"4102444800.5"',
    "exponent-as-text": '"1e10"',
    "nan-as-text": '"NaN"',
    "infinity-as-text": '"inf"',
    "iso-8601": '"2100-01-01T00:00:00Z"',
    "empty-list": "[]",
    "list-of-a-date": "[4102444800]",
    "empty-object": "{}",
    "object-of-a-date": '{"value":4102444800}',
    "minus-1": "-1",
    "minus-large": "-4102444800",
    "minus-half": "-0.5",
    "minus-2^63": "-9223372036854775808",
    "2^53-and-2": "9007199254740994",
    "2^63": "9223372036854775808",
    "2^64": "18446744073709551616",
    "1e16": "1e16",
    "1e308": "1e308",
    "10^400": "1" + "0" * 400,
}
# What is not even JSON to us.
NO_JSON = {"NaN": "NaN", "Infinity": "Infinity", "1e400": "1e400", "CVE-2026-85473-10^5000": "1" + "0" * 5000}


@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize("literal", NO_DATES.values(), ids=NO_DATES)
def test_what_is_no_date_is_refused(name: str, literal: str) -> None:
    """C9, CVE-2026-25537: a date of the wrong type is a bad claim, never an absent one and never a coerced one."""
    reason, detail = evidence(with_literal(name, literal))
    assert reason is Reason.BAD_CLAIM
    assert detail.startswith(f"token has {name}=")
    assert detail.endswith(", not a date")


@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize("literal", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_number_is_no_json(name: str, literal: str) -> None:
    """C9, CVE-2026-85473: infinity in any spelling and numbers without end are refused before they are claims."""
    assert evidence(with_literal(name, literal))[0] is Reason.MALFORMED


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("exp", "4102444800"),
        ("exp", "4102444800.75"),
        ("exp", "4.1024448e9"),
        ("exp", "9007199254740992"),
        ("nbf", "0"),
        ("nbf", "-0"),
        ("nbf", "-0.0"),
        ("nbf", "1.5"),
        ("nbf", "1e-400"),
        ("iat", "0"),
        ("iat", f"{IAT}.25"),
    ],
)
def test_any_json_number_in_range_is_a_date(name: str, literal: str) -> None:
    """C9: a NumericDate may have a fraction or an exponent, up to where a double can tell seconds apart."""
    assert accepted(with_literal(name, literal)).identity == "42"


@pytest.mark.parametrize(
    ("leeway", "offset", "passes"),
    [
        (0, 1, True),
        (0, 0.001, True),
        (0, 0, False),
        (0, -1, False),
        (30, -29, True),
        (30, -29.999, True),
        (30, -30, False),
        (30, -31, False),
        (300, -299, True),
        (300, -300, False),
    ],
)
def test_a_token_expires_at_exp_plus_leeway_exactly(leeway: float, offset: float, passes: bool) -> None:
    """C7, RFC 7519 section 4.1.4: now must be before exp; at the very second it is too late."""
    payload = claims(exp=NOW + offset, iat=...)
    if passes:
        assert accepted(payload, leeway=leeway)
    else:
        reason, detail = evidence(payload, leeway=leeway)
        assert (reason, detail) == (Reason.EXPIRED, f"token has exp={NOW + offset}, {-offset:.0f} s ago")


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("leeway", "offset", "passes"),
    [
        (0, -1, True),
        (0, 0, True),
        (0, 0.001, False),
        (0, 1, False),
        (30, 29, True),
        (30, 30, True),
        (30, 30.001, False),
        (30, 31, False),
        (300, 300, True),
        (300, 301, False),
    ],
)
def test_a_token_begins_at_nbf_minus_leeway_exactly(name: str, leeway: float, offset: float, passes: bool) -> None:
    """C8, C11: at the very second of nbf it is valid; the same rule refuses an iat from the future."""
    payload = claims(**{name: NOW + offset})
    if passes:
        assert accepted(payload, leeway=leeway)
    else:
        reason, detail = evidence(payload, leeway=leeway)
        assert (reason, detail) == (Reason.NOT_YET_VALID, f"token has {name}={NOW + offset}, JWT_LEEWAY={leeway}")


def test_the_clock_decides_on_each_verification() -> None:
    """The same verifier and the same token: good, then not, as time passes."""
    clock = Clock()
    verify = verifying(clock)
    made = token(claims(exp=IAT + 10, nbf=IAT - 100))
    assert verify(made)
    clock.now = NOW + 39.9
    assert verify(made)
    clock.now = NOW + 40
    assert refusal(verify, made).reason is Reason.EXPIRED
    clock.now = NOW - 131
    assert refusal(verify, made).reason is Reason.NOT_YET_VALID


@pytest.mark.parametrize(
    ("age", "passes"), [(0, True), (99, True), (129, True), (129.999, True), (130, False), (131, False), (10**6, False)]
)
def test_max_age_ends_a_token_by_its_iat(age: float, passes: bool) -> None:
    """`JWT_MAX_AGE=100`: at iat + 100 s + leeway it is too old, whatever its exp says."""
    payload = claims(iat=NOW - age, exp=IAT + 10**6)
    if passes:
        assert accepted(payload, max_age=100)
    else:
        assert evidence(payload, max_age=100) == (Reason.TOO_OLD, f"token has iat={NOW - age}, JWT_MAX_AGE=100")


@pytest.mark.parametrize(("lifetime", "passes"), [(1, True), (100, True), (100.5, False), (101, False), (10**9, False)])
def test_max_lifetime_refuses_tokens_that_live_too_long(lifetime: float, passes: bool) -> None:
    """`JWT_MAX_LIFETIME=100`: from iat to exp, with no leeway, since both are the issuer's clock."""
    payload = claims(exp=IAT + lifetime)
    settings = {"max_lifetime": 100, "access_token_expires": 60}
    if passes:
        assert accepted(payload, **settings)
    else:
        reason, detail = evidence(payload, **settings)
        assert (reason, detail) == (Reason.LIFETIME_TOO_LONG, f"token lives {lifetime:g} s, JWT_MAX_LIFETIME=100")


@pytest.mark.parametrize("setting", [{"max_age": 100}, {"max_lifetime": 900}])
def test_an_age_setting_makes_iat_required(setting: dict[str, int]) -> None:
    """Without iat there is no age: such a token is refused, not passed unchecked."""
    assert evidence(claims(iat=...), **setting) == (Reason.MISSING_CLAIM, "token has no iat")


# --- presence --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "missing"),
    [
        pytest.param(claims(exp=...), "exp", id="CVE-2020-26892-no-exp"),
        pytest.param(claims(exp=..., Exp=IAT + 600), "exp", id="exp-in-another-case"),
        pytest.param(claims(exp=..., expires=IAT + 600), "exp", id="exp-misspelt"),
        pytest.param(claims(sub=...), "sub", id="no-sub"),
        pytest.param({}, "exp, no sub", id="nothing-at-all"),
    ],
)
def test_exp_and_the_identity_are_always_required(payload: dict[str, Any], missing: str) -> None:
    """CVE-2020-26892: no setting removes exp, and a token without a subject speaks of nobody."""
    assert evidence(payload) == (Reason.MISSING_CLAIM, f"token has no {missing}")


def test_required_claims_add_to_what_is_required() -> None:
    """`JWT_REQUIRED_CLAIMS=tenant,jti`: each must be there, exp and sub all the same."""
    settings = {"required_claims": "tenant, jti"}
    assert accepted(claims(tenant="a", jti="1"), **settings)
    assert evidence(claims(tenant="a"), **settings) == (Reason.MISSING_CLAIM, "token has no jti")
    assert evidence(claims(exp=...), **settings) == (Reason.MISSING_CLAIM, "token has no exp, no jti, no tenant")


def test_a_store_makes_jti_and_iat_required(tmp_path: Any) -> None:
    """With revocation on, a token that could not be named could not be revoked."""
    settings = {"store_url": f"sqlite:///{tmp_path}/s.db"}
    assert evidence(claims(iat=...), **settings) == (Reason.MISSING_CLAIM, "token has no iat, no jti")
    assert accepted(claims(jti="1"), **settings)
    assert accepted(claims(iat=...), **settings, revocation="off")


def test_unknown_claims_are_ignored() -> None:
    """C12: what we do not know, the app may."""
    user = accepted(claims(**{"https://x/y": {"a": [1]}, "": None, "\u0000": "x"}))
    assert user.claims["https://x/y"] == {"a": (1,)}


# --- text claims -----------------------------------------------------------------------------------------------------

NO_TEXTS = {
    "null": None,
    "true": True,
    "number": 5,
    "float": 1.5,
    "list": ["x"],
    "empty-list": [],
    "object": {"x": "y"},
}


@pytest.mark.parametrize("name", ["iss", "sub", "jti", "sid", "client_id"])
@pytest.mark.parametrize("value", NO_TEXTS.values(), ids=NO_TEXTS)
def test_a_text_claim_of_another_type_is_refused(name: str, value: Any) -> None:
    """C18, CVE-2026-75509: StringOrURI is a string, also where no setting looks at its value."""
    reason, detail = evidence(claims(**{name: value}))
    assert reason is Reason.BAD_CLAIM
    assert detail.startswith(f"token has {name}=")
    assert "not a text" in detail


# --- issuer ----------------------------------------------------------------------------------------------------------

WRONG_ISSUERS = {
    "missing": ...,
    "empty": "",
    "C2-without-the-slash": "https://idp.example",
    "C2-two-slashes": "https://idp.example//",
    "CVE-2024-53861-prefix": "https://idp.exampl",
    "CVE-2024-53861-one-character": "h",
    "CVE-2024-53861-substring": "idp.example",
    "CVE-2024-53861-superstring": "https://idp.example/x",
    "other-scheme": "http://idp.example/",
    "B27-host-in-capitals": "https://IDP.example/",
    "B27-scheme-in-capitals": "HTTPS://idp.example/",
    "default-port": "https://idp.example:443/",
    "space-before": " https://idp.example/",
    "space-after": "https://idp.example/ ",
    "line-end": "https://idp.example/\n",
    "nul": "https://idp.example/\0",
    "look-alike": "https://idp.examp\u217ce/",
    "full-width": "\uff48ttps://idp.example/",
    "comma-joined": "https://idp.example/,https://evil.example/",
}


@pytest.mark.parametrize("value", WRONG_ISSUERS.values(), ids=WRONG_ISSUERS)
def test_another_issuer_is_refused(value: Any) -> None:
    """C2, CVE-2018-15801: the issuer is equal byte for byte, or it is another one."""
    reason, detail = evidence(claims(iss=value), issuer=ISSUER)
    assert reason is Reason.WRONG_ISSUER
    assert detail.endswith(f", JWT_ISSUER={ISSUER}")


@pytest.mark.parametrize("value", [[ISSUER], ["x", ISSUER], {"iss": ISSUER}, [[ISSUER]]], ids=str)
def test_a_list_that_contains_the_issuer_is_no_issuer(value: Any) -> None:
    """CVE-2026-75509, CVE-2025-30144: an array is never searched for the right issuer."""
    reason, detail = evidence(claims(iss=value), issuer=ISSUER)
    assert reason is Reason.BAD_CLAIM
    assert detail.startswith("token has iss=")


def test_the_issuer_is_checked_only_if_set() -> None:
    """Without `JWT_ISSUER` any issuer, or none, will do; with it, exactly that one does."""
    for value in (..., ISSUER, "x"):
        assert accepted(claims(iss=value))
    assert accepted(claims(iss=ISSUER), issuer=ISSUER).issuer == ISSUER


# --- audience --------------------------------------------------------------------------------------------------------

OTHER_AUDIENCES = {
    "missing": ...,
    "C5-empty-list": [],
    "empty-text": "",
    "list-of-empty": [""],
    "CVE-2024-5798-other": "https://other.example",
    "CVE-2020-26160-list-without-us": ["a", "b"],
    "C2-slash": AUDIENCE + "/",
    "CVE-2025-69196-sibling-path": AUDIENCE + "/v2",
    "prefix": "https://api.exampl",
    "substring": "api.example",
    "one-character": "h",
    "capitals": "HTTPS://API.EXAMPLE",
    "space-joined": f"{AUDIENCE} other",
    "comma-joined": f"{AUDIENCE},other",
    "line-end": AUDIENCE + "\n",
    "look-alike": "https://\u0430pi.example",
    "any": "*",
}
NO_AUDIENCES = {
    "null": None,
    "true": True,
    "number": 5,
    "object": {AUDIENCE: True},
    "nested-list": [[AUDIENCE]],
    "list-with-null": [AUDIENCE, None],
    "list-with-number": [AUDIENCE, 5],
    "list-with-object": [AUDIENCE, {}],
}


@pytest.mark.parametrize("value", OTHER_AUDIENCES.values(), ids=OTHER_AUDIENCES)
def test_a_token_for_others_is_refused(value: Any) -> None:
    """C5, C6, CVE-2024-5798: our name must be in `aud`, whole and unchanged."""
    reason, detail = evidence(claims(aud=value), audience=AUDIENCE)
    assert reason is Reason.WRONG_AUDIENCE
    assert detail.endswith(f"JWT_AUDIENCE={AUDIENCE}")


@pytest.mark.parametrize("settings", [{"audience": AUDIENCE}, {}, {"allow_any_audience": True}], ids=str)
@pytest.mark.parametrize("value", NO_AUDIENCES.values(), ids=NO_AUDIENCES)
def test_what_is_no_audience_is_refused_whatever_is_set(value: Any, settings: dict[str, Any]) -> None:
    """C5: `aud` is a text or a list of texts; a list that also holds us does not excuse its other members."""
    reason, detail = evidence(claims(aud=value), **settings)
    assert reason is Reason.BAD_CLAIM
    assert detail.endswith("neither a text nor a list of texts")


@pytest.mark.parametrize("value", [AUDIENCE, [AUDIENCE], ["x", AUDIENCE], [AUDIENCE, AUDIENCE]], ids=str)
def test_a_token_for_us_passes(value: Any) -> None:
    """C5: a text or a list, ours alone or among others."""
    assert accepted(claims(aud=value), audience=AUDIENCE)
    assert accepted(claims(aud=value), audience=["https://old.example", AUDIENCE])


@pytest.mark.parametrize("value", ["x", ["x"], [], ""], ids=repr)
def test_without_an_audience_a_token_that_has_one_is_refused(value: Any) -> None:
    """RFC 7519 section 4.1.3: a principal that does not find itself in `aud` must refuse, configured or not."""
    assert evidence(claims(aud=value))[0] is Reason.WRONG_AUDIENCE
    assert evidence(claims(aud=value))[1].endswith("JWT_AUDIENCE is not set")
    assert accepted(claims(aud=value), allow_any_audience=True)


# --- identity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["42", " ", "a\nb", "\u00e9", "\U0001f600", "x" * 2000, "null", "0"])
def test_any_text_but_the_empty_one_is_an_identity(value: str) -> None:
    """The identity is the claim, unchanged: no trimming, no normalisation."""
    assert accepted(claims(sub=value)).identity == value


def test_an_empty_subject_names_nobody() -> None:
    """An empty `sub` would be the anonymous user with claims: refused."""
    assert evidence(claims(sub="")) == (Reason.BAD_CLAIM, "token has sub='', which names nobody")


@pytest.mark.parametrize(
    ("value", "identity"), [(7, "7"), (0, "0"), (-7, "-7"), (2**70, str(2**70)), ("7", "7"), ("ada", "ada")]
)
def test_another_identity_claim_may_be_an_integer(value: Any, identity: str) -> None:
    """`JWT_IDENTITY_CLAIM=user_id`: a database id is shown in decimal; `sub` is not needed then."""
    assert accepted(claims(sub=..., user_id=value), identity_claim="user_id").identity == identity


@pytest.mark.parametrize("value", [None, True, False, 1.0, 7.5, "", [], [7], {}, {"id": 7}], ids=repr)
def test_nothing_else_is_an_identity(value: Any) -> None:
    """A boolean is an integer to Python and 1.0 equals 1: neither names a user."""
    reason, detail = evidence(claims(sub=..., user_id=value), identity_claim="user_id")
    assert reason is Reason.BAD_CLAIM
    assert detail.endswith("which names nobody")


def test_the_identity_claim_must_be_there_even_if_sub_is() -> None:
    """The setting replaces `sub`; it does not fall back to it."""
    assert evidence(claims(), identity_claim="user_id") == (Reason.MISSING_CLAIM, "token has no user_id")
    assert accepted(claims(sub="mallory", user_id="ada"), identity_claim="user_id").identity == "ada"


@pytest.mark.parametrize(
    ("payload", "settings", "identity"),
    [
        pytest.param(
            {"user_id": 7, "exp": IAT + 1800}, {"identity_claim": "user_id"}, "7", id="starlette-tutorial-user-id-exp"
        ),
        pytest.param(
            {"userId": 3, "username": "ada", "role": "admin", "iat": IAT, "exp": IAT + 3600},
            {"identity_claim": "userId"},
            "3",
            id="flask-tutorial-userId-username-role",
        ),
        pytest.param(
            {"userId": "3", "username": "ada", "role": "admin", "iat": IAT, "exp": IAT + 3600},
            {"identity_claim": "username"},
            "ada",
            id="flask-tutorial-by-username",
        ),
    ],
)
def test_the_tokens_of_both_tutorials_pass(payload: dict[str, Any], settings: dict[str, str], identity: str) -> None:
    """Design section 2, Claims: whoever comes from the tutorials sets the secret and the identity claim, no more."""
    import jwt

    user = verifying(**settings)(jwt.encode(payload, SECRET))
    assert user.identity == identity
    assert user.roles == ((payload["role"],) if "role" in payload else ())


# --- not an access token ---------------------------------------------------------------------------------------------

USES = ["refresh", "refresh_token", "offline", "logout", "id", "id_token"]


@pytest.mark.parametrize("name", ["type", "token_type", "token_use", "typ"])
@pytest.mark.parametrize("value", [*USES, "Refresh", "REFRESH_TOKEN", "Offline", "ID", "Id_Token"])
def test_a_token_that_says_it_is_for_something_else_is_refused(name: str, value: str) -> None:
    """B30, RFC 8725 section 3.11: Keycloak, Cognito, simplejwt and others each use another claim."""
    reason, detail = evidence(claims(**{name: value}))
    assert (reason, detail) == (Reason.NOT_AN_ACCESS_TOKEN, f"token has {name}={value!r}")


@pytest.mark.parametrize("name", ["at_hash", "c_hash", "events"])
@pytest.mark.parametrize("value", ["x", None, {}], ids=repr)
def test_the_marks_of_id_tokens_and_events_are_refused(name: str, value: Any) -> None:
    """B30: `at_hash` and `c_hash` stand in ID tokens, `events` in logout and security event tokens, of any value."""
    assert evidence(claims(**{name: value})) == (Reason.NOT_AN_ACCESS_TOKEN, f"token has {name}")


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "access"},
        {"token_type": "access"},
        {"token_use": "access"},
        {"typ": "Bearer"},
        {"type": "JWT"},
        {"type": 5},
        {"type": None},
        {"type": ["refresh-me-not"]},
        {"type": "customer"},
        {"kind": "refresh"},
        {"nonce": "n"},
    ],
    ids=str,
)
def test_other_values_and_claims_mark_nothing(payload: dict[str, Any]) -> None:
    """A claim called `type` may mean anything to the app; only the known marks count."""
    assert accepted(claims(**payload))


@pytest.mark.parametrize("value", [{"jkt": "x"}, {"x5t#S256": "x"}, {}, None, "x"], ids=repr)
def test_a_sender_constrained_token_is_no_bearer_token(value: Any) -> None:
    """D16, E4: a token bound to a key (RFC 7800 `cnf`) was stolen if it comes as a bearer token: fail closed."""
    reason, detail = evidence(claims(cnf=value))
    assert reason is Reason.SENDER_CONSTRAINED
    assert "cnf" in detail


ID_TOKENS = [{"at_hash": "x"}, {"c_hash": "x"}, {"token_use": "id"}, {"typ": "ID"}, {"type": "id_token"}]


@pytest.mark.parametrize("payload", ID_TOKENS, ids=str)
def test_id_tokens_pass_by_opt_in(payload: dict[str, Any]) -> None:
    """`JWT_TOKEN_TYPES=JWT,id_token` lifts the rule for ID tokens, which providers without access tokens need."""
    assert accepted(claims(**payload), token_types="JWT,id_token")


@pytest.mark.parametrize(
    "payload", [{"type": "refresh"}, {"typ": "Offline"}, {"events": {}}, {"token_use": "logout"}, {"cnf": {}}], ids=str
)
def test_the_opt_in_is_for_id_tokens_alone(payload: dict[str, Any]) -> None:
    """Refresh tokens, logout tokens and bound tokens stay out."""
    assert evidence(claims(**payload), token_types="JWT,id_token")[0] in (
        Reason.NOT_AN_ACCESS_TOKEN,
        Reason.SENDER_CONSTRAINED,
    )


# --- scopes and roles ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "scopes"),
    [
        ({}, ()),
        ({"scope": ""}, ()),
        ({"scope": "read"}, ("read",)),
        ({"scope": "read write"}, ("read", "write")),
        ({"scope": " read  write "}, ("read", "write")),
        ({"scope": "read,write"}, ("read,write",)),
        ({"scope": "read\twrite"}, ("read\twrite",)),
        ({"scope": "read\u00a0write"}, ("read\u00a0write",)),
        ({"scope": ["read", "write"]}, ("read", "write")),
        ({"scope": []}, ()),
        ({"scp": ["read"]}, ("read",)),
        ({"scp": "read write"}, ("read", "write")),
        ({"scope": "read", "scp": ["admin"]}, ("read",)),
        ({"scope": "", "scp": ["admin"]}, ()),
    ],
    ids=str,
)
def test_scopes_are_a_text_or_a_list_and_the_first_claim_wins(payload: dict[str, Any], scopes: tuple[str, ...]) -> None:
    """C15: split at spaces and nothing else; an empty first claim is present, so the second one adds nothing."""
    user = accepted(claims(**payload))
    assert user.scopes == scopes
    assert user.granted.scopes == ("authenticated", *scopes)


@pytest.mark.parametrize(
    ("payload", "roles"),
    [
        ({}, ()),
        ({"roles": ["a", "b"]}, ("a", "b")),
        ({"roles": "a b"}, ("a b",)),
        ({"role": "admin"}, ("admin",)),
        ({"roles": [], "role": "admin"}, ()),
        ({"realm_access": {"roles": ["k"]}}, ("k",)),
        ({"realm_access": {}}, ()),
        ({"realm_access": "roles"}, ()),
        ({"realm_access": ["roles"]}, ()),
        ({"realm_access.roles": ["whole"], "realm_access": {"roles": ["dotted"]}}, ("whole",)),
    ],
    ids=str,
)
def test_roles_are_found_by_whole_name_then_by_dots(payload: dict[str, Any], roles: tuple[str, ...]) -> None:
    """A claim whose name holds dots is that claim; only if there is none do dots mean a path."""
    assert accepted(claims(**payload)).roles == roles


def test_names_with_dots_and_slashes_are_found_whole() -> None:
    """`https://x.example/roles` is one name, as Auth0 makes them."""
    settings = {"roles_claims": "https://x.example/roles", "scope_claims": "https://x.example/scope"}
    user = accepted(claims(**{"https://x.example/roles": ["a"], "https://x.example/scope": "read"}), **settings)
    assert (user.roles, user.scopes) == (("a",), ("read",))


def test_paths_may_be_long_and_lookups_ordered() -> None:
    """The order of the setting decides, not that of the token; a path ends where an object does."""
    settings = {"roles_claims": "a.b.c, x"}
    assert accepted(claims(x=["x"], a={"b": {"c": ["deep"]}}), **settings).roles == ("deep",)
    assert accepted(claims(x=["x"], a={"b": "c"}), **settings).roles == ("x",)
    assert accepted(claims(x=["x"], a=[{"b": {"c": ["deep"]}}]), **settings).roles == ("x",)
    assert accepted(claims(roles=["default"]), **settings).roles == ()


WRONG_LISTS = {
    "null": None,
    "true": True,
    "number": 5,
    "object": {"admin": True},
    "list-of-numbers": [1],
    "list-with-null": ["a", None],
    "nested": [["admin"]],
    "list-of-objects": [{"name": "admin"}],
}


@pytest.mark.parametrize("name", ["scope", "scp", "roles", "role"])
@pytest.mark.parametrize("value", WRONG_LISTS.values(), ids=WRONG_LISTS)
def test_scopes_and_roles_of_other_shapes_are_refused(name: str, value: Any) -> None:
    """What we would have to guess at grants nothing: 401."""
    reason, detail = evidence(claims(**{name: value}))
    assert reason is Reason.BAD_CLAIM
    assert ("JWT_SCOPE_CLAIMS" if name[0] == "s" else "JWT_ROLES_CLAIMS") in detail


@pytest.mark.parametrize("value", WRONG_LISTS.values(), ids=WRONG_LISTS)
def test_a_path_leads_to_the_same_rule(value: Any) -> None:
    """A null at the end of a dotted path is as wrong as one in a claim of its own."""
    reason, detail = evidence(claims(realm_access={"roles": value}))
    assert reason is Reason.BAD_CLAIM
    assert "JWT_ROLES_CLAIMS" in detail


# --- RFC 9068, strict ------------------------------------------------------------------------------------------------

STRICT = {"token_types": "strict", "issuer": ISSUER, "audience": AUDIENCE}
FULL = {"iss": ISSUER, "aud": AUDIENCE, "client_id": "web", "jti": "1"}


def strict(payload: dict[str, Any], typ: Any = "at+jwt") -> Any:
    return verifying(**STRICT), token(payload, header={"typ": typ})


def test_strict_takes_the_full_profile() -> None:
    """C1: all seven claims and the right `typ`, in any case and with `application/`."""
    for typ in ("at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"):
        verify, made = strict(claims(**FULL), typ)
        assert verify(made).identity == "42"


@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_strict_requires_each_claim_of_rfc_9068(name: str) -> None:
    """C1, RFC 9068 section 2.2: each is required."""
    verify, made = strict(claims(**FULL | {name: ...}))
    error = refusal(verify, made)
    assert (error.reason, error.detail) == (Reason.MISSING_CLAIM, f"token has no {name}")


@pytest.mark.parametrize("typ", ["JWT", ..., "jwt", "at+jwt ", "application/jwt", "at", "+jwt", "strict", "id_token"])
def test_strict_takes_no_other_type(typ: Any) -> None:
    """B28, RFC 9068 section 4: any other `typ` is refused, none at all too."""
    verify, made = strict(claims(**FULL), typ)
    error = refusal(verify, made)
    assert error.reason is Reason.WRONG_TYPE
    assert error.detail.endswith("JWT_TOKEN_TYPES=at+jwt")


@pytest.mark.parametrize("settings", [{}, {"issuer": ISSUER}, {"audience": AUDIENCE}], ids=str)
def test_strict_needs_an_issuer_and_an_audience(settings: dict[str, str]) -> None:
    """RFC 9068 section 4 compares both, so both must be known at start."""
    with pytest.raises(ConfigurationError, match="JWT_TOKEN_TYPES=strict needs JWT_ISSUER and JWT_AUDIENCE"):
        JWTAuth(secret_key=SECRET, token_types="strict", **settings)


def test_no_type_at_all_refuses_to_start() -> None:
    """An empty list of types would let nothing pass: a mistake, told at start."""
    for given in ("", "id_token"):
        with pytest.raises(ConfigurationError, match="JWT_TOKEN_TYPES names no type"):
            JWTAuth(secret_key=SECRET, token_types=given)


def test_the_policy_is_checked_at_start() -> None:
    """An audience that is both asked for and waived, and tokens of ours that we would refuse: told at start."""
    with pytest.raises(ConfigurationError, match="contradict each other"):
        JWTAuth(secret_key=SECRET, audience=AUDIENCE, allow_any_audience=True)
    with pytest.raises(ConfigurationError, match="JWT_ACCESS_TOKEN_EXPIRES exceeds JWT_MAX_LIFETIME"):
        JWTAuth(secret_key=SECRET, max_lifetime=60)


def test_types_come_before_values() -> None:
    """An expired token with a wrong type is malformed first: no value is compared before every type is right."""
    assert evidence(claims(exp=1, nbf="x"))[0] is Reason.BAD_CLAIM
    assert evidence(claims(exp=1, iss=5), issuer=ISSUER)[0] is Reason.BAD_CLAIM


def test_details_are_escaped_and_cut() -> None:
    """A claim cannot forge a log line, nor fill it."""
    reason, detail = evidence(claims(iss="\r\nERROR forged \x1b[31m\u202e" + "x" * 5000), issuer=ISSUER)
    assert reason is Reason.WRONG_ISSUER
    assert detail.isascii()
    assert detail.isprintable()
    assert len(detail) < 200
