"""C: what a verified token must say, and how it is compared (RFC 7519, RFC 8725, RFC 9068).

Every test here is named by the row of `docs/conformance.md` that it shows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import ConfigurationError, Reason
from tests.conformance.evidence import FULL, STRICT, public, refused
from tests.token.forge import AUDIENCE, IAT, ISSUER, claims, dumps, private, token
from tests.worlds import NOW, World

Protect = Callable[..., World]
AT = {"typ": "at+jwt"}


def with_literal(name: str, literal: str) -> str:
    """A good payload but for one member, written as it stands."""
    return f'{dumps(claims(**{name: ...}))[:-1]},"{name}":{literal}}}'


@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_c1_strict_requires_each_claim(protect: Protect, name: str) -> None:
    """RFC 9068 section 2.2: each of the seven is required, and each alone is named when it is missing."""
    world = protect(**STRICT)
    assert world.request(token=token(claims(**FULL), header=AT)).user.identity == "42"
    error = refused(world, Reason.MISSING_CLAIM, token=token(claims(**FULL | {name: ...}), header=AT))
    assert error.detail == f"token has no {name}"


@pytest.mark.parametrize(
    "sent",
    [
        ISSUER[:-1],
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER + "\0",
        " " + ISSUER,
        ISSUER[:9],
        "h",
        "",
        "http" + ISSUER[5:],
        ISSUER + "?x",
        ISSUER + "#",
        ISSUER.replace("idp", "IDP"),
        ISSUER.replace("//", "//evil@"),
        ISSUER + ".evil.example",
        None,
        ...,
    ],
)
def test_c2_the_issuer_is_exactly_the_configured_one(protect: Protect, sent: Any) -> None:
    """Byte for byte, trailing slash included: no prefix, no part, no other case, never absent."""
    world = protect(issuer=ISSUER)
    assert world.request(token=token(claims(iss=ISSUER))).user.issuer == ISSUER
    reason = Reason.BAD_CLAIM if sent is None else Reason.WRONG_ISSUER
    refused(world, reason, token=token(claims(iss=sent)))


@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
def test_c3_a_key_is_looked_for_among_its_issuer_s(protect: Protect, kind: str) -> None:
    """A token of issuer A, signed by the key of B under A's name, does not pass at A; nor does B's own."""
    ours, theirs = private(kind), private("other " + kind)
    world = protect(**public(kind, issuer=ISSUER))
    assert world.request(token=token(claims(iss=ISSUER), key=ours, alg=kind)).user.issuer == ISSUER
    refused(world, Reason.BAD_SIGNATURE, token=token(claims(iss=ISSUER), key=theirs, alg=kind))
    refused(world, Reason.BAD_SIGNATURE, token=token(claims(iss="https://b.example/"), key=theirs, alg=kind))
    refused(world, Reason.WRONG_ISSUER, token=token(claims(iss="https://b.example/"), key=ours, alg=kind))


def test_c4_a_subject_can_be_refused(protect: Protect, tmp_path: Path, clock: Any) -> None:
    """A subject that is cut off is refused from that moment on, and only under its own issuer."""
    store = f"sqlite:///{tmp_path}/store.db"
    world, other = protect(issuer=ISSUER, store_url=store), protect(issuer="https://b.example/", store_url=store)
    mine, theirs = world.auth.issue("42"), other.auth.issue("42")
    user = world.request(token=mine).user
    assert (user.issuer, user.identity) == (ISSUER, "42")  # the pair that an app decides by
    world.revoke_subject("42")
    refused(world, Reason.REVOKED, token=mine)
    assert other.request(token=theirs).user.issuer == "https://b.example/"
    clock.now += 1
    assert world.request(token=world.auth.issue("42")).user.identity == "42"


@pytest.mark.parametrize(
    ("audience", "reason"),
    [
        (..., Reason.WRONG_AUDIENCE),
        ([], Reason.WRONG_AUDIENCE),
        ("", Reason.WRONG_AUDIENCE),
        ("https://other.example", Reason.WRONG_AUDIENCE),
        (["https://other.example"], Reason.WRONG_AUDIENCE),
        (AUDIENCE + "/", Reason.WRONG_AUDIENCE),
        (AUDIENCE.upper(), Reason.WRONG_AUDIENCE),
        (AUDIENCE[:-1], Reason.WRONG_AUDIENCE),
        (f"{AUDIENCE} x", Reason.WRONG_AUDIENCE),
        (["*"], Reason.WRONG_AUDIENCE),
        (None, Reason.BAD_CLAIM),
        (5, Reason.BAD_CLAIM),
        (True, Reason.BAD_CLAIM),
        ({}, Reason.BAD_CLAIM),
        ({AUDIENCE: True}, Reason.BAD_CLAIM),
        ([[AUDIENCE]], Reason.BAD_CLAIM),
        ([AUDIENCE, 5], Reason.BAD_CLAIM),
        ([None], Reason.BAD_CLAIM),
    ],
    ids=repr,
)
def test_c5_the_audience_names_us(protect: Protect, audience: Any, reason: Reason) -> None:
    """RFC 7519 section 4.1.3: missing, empty, of another type, nested or for others is refused."""
    refused(protect(audience=AUDIENCE), reason, token=token(claims(aud=audience)))


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["https://other.example", AUDIENCE]], ids=repr)
def test_c5_a_text_or_a_list_that_names_us_passes(protect: Protect, audience: Any) -> None:
    """Alone or among others; and with no audience of our own, a token that has one is not for us."""
    text = token(claims(aud=audience))
    assert protect(audience=AUDIENCE).request(token=text).user.identity == "42"
    refused(protect(), Reason.WRONG_AUDIENCE, token=text)
    with pytest.raises(ConfigurationError, match="JWT_AUDIENCE is required with public keys"):
        protect(**public("RS256", allow_any_audience=False))


def test_c6_the_audience_is_checked_at_every_gate(protect: Protect) -> None:
    """What one gate remembers lets nobody in at another: each has its own audience and its own memory."""
    orders, billing = protect(audience="orders"), protect(audience="billing")
    text = token(claims(aud="orders"))
    for _ in range(3):
        assert orders.request(token=text).user.identity == "42"
        refused(billing, Reason.WRONG_AUDIENCE, token=text)


@pytest.mark.parametrize("leeway", [0, 5, 30, 300])
def test_c7_now_is_before_exp(protect: Protect, clock: Any, leeway: int) -> None:
    """At the very second of exp (plus leeway) it is too late, remembered or not."""
    world = protect(leeway=leeway, cache_seconds=3600)
    text = token(claims(exp=IAT + 60))
    clock.now = NOW + 60 + leeway - 0.001
    assert world.request(token=text).user.identity == "42"
    clock.now = NOW + 60 + leeway
    refused(world, Reason.EXPIRED, token=text)
    refused(protect(leeway=leeway), Reason.EXPIRED, token=text)


@pytest.mark.parametrize("leeway", [0, 5, 30])
def test_c8_at_nbf_a_token_begins(protect: Protect, clock: Any, leeway: int) -> None:
    """At the very second of nbf (less leeway) it is good, a moment before it is not."""
    world = protect(leeway=leeway)
    text = token(claims(nbf=IAT + 60))
    clock.now = NOW + 60 - leeway - 0.001
    refused(world, Reason.NOT_YET_VALID, token=text)
    clock.now = NOW + 60 - leeway
    assert world.request(token=text).user.identity == "42"


NO_DATES = {
    "text": '"4102444800"', "underscores": '"4_102_444_800"', "arabic-digits": '"\u0664\u0661\u0660\u0662"',
    "true": "true", "false": "false", "null": "null", "list": "[4102444800]", "object": "{}", "negative": "-1",
    "2^53+1": str(2**53 + 1), "2^63": str(2**63), "1e308": "1e308", "10^400": "1" + "0" * 400,
}  # fmt: skip


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("literal", NO_DATES.values(), ids=NO_DATES)
def test_c9_a_date_is_a_json_number(protect: Protect, name: str, literal: str) -> None:
    """A text, a boolean, null, a list, or a number that is no time: a bad claim, never an absent one."""
    error = refused(protect(), Reason.BAD_CLAIM, token=token(with_literal(name, literal)))
    assert error.detail.startswith(f"token has {name}=")


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "literal", ["NaN", "Infinity", "-Infinity", "1e400", "0x10", "1_000", "1" + "0" * 5000, "+5", ".5"]
)
def test_c9_what_is_no_json_number_is_no_json(protect: Protect, name: str, literal: str) -> None:
    """NaN, infinity in any spelling and numbers without end are refused before they are claims."""
    refused(protect(), Reason.MALFORMED, token=token(with_literal(name, literal)))


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("exp", f"{IAT + 60}.75"),
        ("exp", "4.1024448e9"),
        ("nbf", "1e-400"),
        ("nbf", "-0"),
        ("iat", f"{IAT}.25"),
        ("iat", "0"),
        ("exp", str(2**53)),
    ],
)
def test_c9_a_date_may_have_a_fraction(protect: Protect, name: str, literal: str) -> None:
    """RFC 7519 section 2: a NumericDate may be no integer."""
    assert protect().request(token=token(with_literal(name, literal))).user.identity == "42"


def test_c10_leeway_is_small(protect: Protect) -> None:
    """Thirty seconds unless set, never more than five minutes."""
    assert protect().auth.core.settings.leeway == 30
    assert protect().request(token=token(claims(exp=IAT - 29))).user.identity == "42"
    refused(protect(), Reason.EXPIRED, token=token(claims(exp=IAT - 30)))
    refused(protect(leeway=0), Reason.EXPIRED, token=token(claims(exp=IAT)))
    with pytest.raises(ConfigurationError, match="JWT_LEEWAY must be from 0 to 300 seconds"):
        protect(leeway=301)


def test_c11_iat_lies_not_in_the_future(protect: Protect) -> None:
    """Beyond the leeway a token from the future is refused; it may be absent, unless an age is asked for."""
    world = protect(leeway=5)
    assert world.request(token=token(claims(iat=IAT + 5))).user.identity == "42"
    refused(world, Reason.NOT_YET_VALID, token=token(claims(iat=IAT + 6)))
    assert world.request(token=token(claims(iat=...))).user.identity == "42"
    refused(protect(max_age=60), Reason.MISSING_CLAIM, token=token(claims(iat=...)))
    refused(protect(max_age=60, leeway=0), Reason.TOO_OLD, token=token(claims(iat=IAT - 60)))


def test_c12_unknown_claims_are_ignored(protect: Protect) -> None:
    """They reach the app as they are, whatever their shape, and decide nothing."""
    odd = {"https://x.example/a": [1, {"b": None}], "": "", "admin": True, "exp ": 1, "\u00e9": 1.5, "__proto__": {}}
    user = protect().request(token=token(claims(**odd))).user
    assert user.claims.keys() == {"sub", "iat", "exp"} | odd.keys()
    assert (user.claims["admin"], user.scopes, user.roles) == (True, (), ())


def test_c13_revocation_goes_by_issuer_and_jti(protect: Protect, tmp_path: Path) -> None:
    """Two issuers may use the same `jti`: what one of them revoked does not touch the other's token."""
    store = f"sqlite:///{tmp_path}/store.db"
    worlds = {issuer: protect(issuer=issuer, store_url=store) for issuer in (ISSUER, "https://b.example/")}
    texts = {issuer: token(claims(iss=issuer, jti="same")) for issuer in worlds}
    worlds[ISSUER].revoke(worlds[ISSUER].request(token=texts[ISSUER]).user)
    refused(worlds[ISSUER], Reason.REVOKED, token=texts[ISSUER])
    assert worlds["https://b.example/"].request(token=texts["https://b.example/"]).user.token_id == "same"


BAD_PAYLOADS = {
    "array": b"[]", "text": b'"42"', "number": b"42", "null": b"null", "empty": b" ", "nothing-json": b"foo",
    "bom": b"\xef\xbb\xbf" + dumps(claims()).encode(), "utf-16": dumps(claims()).encode("utf-16"),
    "latin-1": dumps(claims()).encode()[:-1] + b',"name":"J\xf6rg"}', "trailing-data": dumps(claims()).encode() + b"x",
    "deep": dumps(claims()).encode()[:-1] + b',"x":' + b"[" * 70 + b"]" * 70 + b"}",
    "very-deep": dumps(claims()).encode()[:-1] + b',"x":' + b"[" * 3000, "unfinished": dumps(claims()).encode()[:-1],
    "lone-surrogate": dumps(claims()).encode()[:-1] + b',"x":"\\udfff"}',
    "huge-integer": dumps(claims()).encode()[:-1] + b',"x":' + b"9" * 5000 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS)
def test_c14_the_claims_are_one_json_object_in_utf_8(protect: Protect, payload: bytes) -> None:
    """Signed by us, and refused all the same: 401, no exception."""
    refused(protect(), Reason.MALFORMED, token=token(payload))


@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        ("read", ("read",)), ("read write", ("read", "write")), ("read  write", ("read", "write")),
        ("", ()), ("read\twrite", ("read\twrite",)), ("read,write", ("read,write",)),
        (["read", "write"], ("read", "write")), ([], ()),
    ],
)  # fmt: skip
def test_c15_scopes_are_separated_by_spaces(protect: Protect, value: Any, scopes: tuple[str, ...]) -> None:
    """RFC 6749 section 3.3: by the space alone; a list, as some issuers send it, is taken as it is."""
    user = protect().request(token=token(claims(scope=value))).user
    assert user.scopes == scopes
    assert user.granted.scopes == ("authenticated", *scopes)


@pytest.mark.parametrize("value", [5, True, None, {}, [5], [["read"]], {"read": True}], ids=repr)
def test_c15_scopes_of_another_shape_are_refused(protect: Protect, value: Any) -> None:
    """What is neither a text nor a list of texts grants nothing, it is a bad claim."""
    error = refused(protect(), Reason.BAD_CLAIM, token=token(claims(scope=value)))
    assert "JWT_SCOPE_CLAIMS" in error.detail


def test_c16_a_client_is_not_a_user(protect: Protect, tmp_path: Path, clock: Any) -> None:
    """The app finds `client_id` beside `sub`; cutting off one name does not cut off the same name of the other kind."""
    world = protect(store_url=f"sqlite:///{tmp_path}/store.db")
    as_client = token(claims(sub="job", client_id="job", jti="1"))
    as_user = token(claims(sub="job", client_id="web", jti="2"))
    user = world.request(token=as_client).user
    assert (user.identity, user.claims["client_id"]) == ("job", "job")
    world.drive(world.auth.core.revoker.revoke_client("job"))
    refused(world, Reason.REVOKED, token=as_client)
    assert world.request(token=as_user).user.claims["client_id"] == "web"
    world.revoke_subject("web")
    assert world.request(token=as_user).user.identity == "job"


def test_c17_claims_are_not_logged(protect: Protect, caplog: pytest.LogCaptureFixture) -> None:
    """A good request logs nothing, a refused one only the claim that it was refused for."""
    caplog.set_level(logging.DEBUG, logger="jwt_middleware")
    world = protect(audience="orders")
    private_claims = {"sub": "user-4711", "email": "ada@example.org", "name": "Ada", "phone_number": "555-1234"}
    caplog.clear()
    assert world.request(token=token(claims(aud="orders", **private_claims))).status == 200
    assert caplog.messages == []
    refused(world, Reason.WRONG_AUDIENCE, token=token(claims(aud="billing", **private_claims)))
    refused(world, Reason.EXPIRED, token=token(claims(aud="orders", exp=1, **private_claims)))
    assert len(caplog.messages) == 2
    assert not [value for value in private_claims.values() if value in caplog.text]


@pytest.mark.parametrize("name", ["iss", "sub"])
@pytest.mark.parametrize("value", [5, 1.5, True, False, None, [ISSUER], ["x", ISSUER], [], {}, {ISSUER: 1}], ids=repr)
def test_c18_issuer_and_subject_are_texts(protect: Protect, name: str, value: Any) -> None:
    """A number, a list that holds the right one, null: a bad claim, with and without an issuer of our own."""
    for world in (protect(), protect(issuer=ISSUER)):
        error = refused(world, Reason.BAD_CLAIM, token=token(claims(iss=ISSUER) | {name: value}))
        assert error.detail.startswith(f"token has {name}=")


def test_c18_an_empty_subject_names_nobody(protect: Protect) -> None:
    """An empty text would be the anonymous user."""
    refused(protect(), Reason.BAD_CLAIM, token=token(claims(sub="")))
    refused(protect(), Reason.MISSING_CLAIM, token=token(claims(sub=...)))
