"""Issuing: what we make, we accept, and what we would refuse, we do not make."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import jwt
import pytest

from jwt_middleware.wsgi import JWTAuth
from tests.token.forge import ALGORITHMS, AUDIENCE, HMAC, ISSUER, LONG_SECRET, private_pem, public_pem
from tests.worlds import NOW, SECRET, Clock


def auth(**settings: Any) -> JWTAuth:
    """Return settings as an object, with a secret unless they bring a key."""
    if not {"secret_key", "private_key", "keys_dir"} & settings.keys():
        settings["secret_key"] = SECRET
    settings.setdefault("clock", Clock(NOW + 0.75))
    return JWTAuth(**settings)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims, unverified."""
    header, payload, _ = token.split(".")
    return tuple(json.loads(urlsafe_b64decode(part + "==")) for part in (header, payload))  # type: ignore[return-value]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_we_issue_we_verify(alg: str) -> None:
    """In every algorithm, with the issuer, audience and claims of the settings, and by PyJWT too."""
    key = {"secret_key": LONG_SECRET} if alg in HMAC else {"private_key": private_pem(alg)}
    own = auth(**key, algorithms=alg, issuer=ISSUER, audience=AUDIENCE)
    token = own.issue("42", scope="read write", claims={"name": "Ada", "roles": ["admin"], "deep": {"a": [1, None]}})
    user = own.verify(token)
    assert (user.identity, user.scopes, user.roles) == ("42", ("read", "write"), ("admin",))
    assert user.display_name == "Ada"
    assert user.claims["deep"] == {"a": (1, None)}
    verifier = LONG_SECRET if alg in HMAC else public_pem(alg)
    options = {"verify_exp": False, "verify_iat": False}
    names = ["EdDSA" if alg == "Ed25519" else alg]
    header = parts(token)[0]
    if header["alg"] in names:
        assert jwt.decode(token, verifier, names, audience=AUDIENCE, issuer=ISSUER, options=options)["sub"] == "42"


def test_a_token_holds_what_rfc_9068_asks_for() -> None:
    """RFC 9068 section 2.2: all seven claims, whole seconds, a `jti` of its own; `scope` only if there is one."""
    own = auth(issuer=ISSUER, audience=[AUDIENCE, "https://other.example"], client_id="web")
    header, claims = parts(own.issue("42"))
    assert header == {"alg": "HS256", "typ": "at+jwt"}
    jti = claims.pop("jti")
    assert claims == {
        "iss": ISSUER, "aud": AUDIENCE, "client_id": "web", "sub": "42", "iat": int(NOW), "exp": int(NOW) + 900,
    }  # fmt: skip
    assert parts(own.issue("42"))[1]["jti"] != jti
    assert len(jti) == 32


def test_without_issuer_and_audience_there_are_none() -> None:
    """Claims that no setting names are left out rather than made up."""
    assert parts(auth().issue("42"))[1].keys() == {"client_id", "sub", "iat", "exp", "jti"}


@pytest.mark.parametrize(
    ("types", "typ"),
    [
        (None, "at+jwt"),
        ("at+jwt,JWT,absent", "at+jwt"),
        ("JWT,at+jwt", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("AT+JWT", "at+jwt"),
        ("JWT", "JWT"),
        ("jwt,absent", "JWT"),
        ("application/JWT", "JWT"),
        ("absent", None),
        ("vnd.acme+jwt", "vnd.acme+jwt"),
        ("vnd.acme+jwt,id_token", "vnd.acme+jwt"),
        ("JWT,id_token", "JWT"),
        ("strict", "at+jwt"),
    ],
)
def test_the_type_is_one_that_we_accept(types: str | None, typ: str | None) -> None:
    """`typ` follows `JWT_TOKEN_TYPES`: RFC 9068's where it is accepted, else what is; what we issue, we verify."""
    own = auth(issuer=ISSUER, audience=AUDIENCE, token_types=types)
    token = own.issue("42")
    assert parts(token)[0].get("typ") == typ
    assert own.verify(token).identity == "42"


def test_the_kid_is_the_name_of_the_signing_key(tmp_path: Path) -> None:
    """A key of a folder is named by its file, a lone private key by its thumbprint, a secret not at all."""
    (tmp_path / "2025-a.pem").write_text(private_pem("ES256"))
    named = auth(keys_dir=tmp_path, audience=AUDIENCE)
    assert parts(named.issue("42"))[0]["kid"] == "2025-a"
    lone = auth(private_key=private_pem("ES256"), audience=AUDIENCE)
    assert len(parts(lone.issue("42"))[0]["kid"]) == 43
    assert "kid" not in parts(auth().issue("42"))[0]


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope", "cnf"])
def test_the_registered_claims_are_ours(name: str) -> None:
    """An app that could set `exp` or `sub` by `claims=` would undo what the settings promise."""
    with pytest.raises(ValueError, match=f"these claims are ours to set: {name}"):
        auth().issue("42", claims={name: "x"})


def test_the_identity_claim_is_ours_too() -> None:
    """With `JWT_IDENTITY_CLAIM=user_id` the subject stands in both claims, and neither can be set from outside."""
    own = auth(identity_claim="user_id")
    token = own.issue("42")
    assert (parts(token)[1]["sub"], parts(token)[1]["user_id"]) == ("42", "42")
    assert own.verify(token).identity == "42"
    with pytest.raises(ValueError, match="user_id"):
        own.issue("42", claims={"user_id": "1"})


@pytest.mark.parametrize("subject", ["", None, 42, b"42", True, ["42"], 4.2], ids=repr)
def test_the_subject_is_a_text(subject: Any) -> None:
    """RFC 7519 section 4.1.2: a StringOrURI; an empty one would be the anonymous user."""
    with pytest.raises(ValueError, match="subject must be a non-empty text"):
        auth().issue(subject)


@pytest.mark.parametrize("seconds", [1, 1.0, 59.9, 900, 10**6])
def test_expires_in_is_its_life(seconds: float) -> None:
    """Whole seconds from `iat`, never more than asked for."""
    claims = parts(auth().issue("42", expires_in=seconds))[1]
    assert claims["exp"] - claims["iat"] == int(seconds)


@pytest.mark.parametrize(
    "seconds",
    [0, 0.5, -1, -900, True, False, "900", "15m", b"1", [], float("nan"), float("inf"), -float("inf"), 10**400],
)
def test_odd_lives_are_refused(seconds: Any) -> None:
    """Nothing, the past, booleans, texts, infinity: a `ValueError` that says what is meant, never another exception."""
    with pytest.raises(ValueError, match="expires_in must be a number of seconds"):
        auth().issue("42", expires_in=seconds)


def test_no_token_lives_longer_than_we_accept() -> None:
    """`JWT_MAX_LIFETIME` holds for our own tokens: a longer life is refused at once, not by each request."""
    own = auth(max_lifetime=1000.5)
    assert own.verify(own.issue("42", expires_in=1000.5)).identity == "42"
    with pytest.raises(ValueError, match=r"expires_in must be a number of seconds from 1 to 1000\.5 "):
        own.issue("42", expires_in=1001)


def test_a_token_is_no_longer_than_we_accept() -> None:
    """`JWT_MAX_TOKEN_BYTES` holds for our own tokens too; the message says by how much, and shows none of it."""
    own = auth(max_token_bytes=600)
    assert own.verify(own.issue("42"))
    with pytest.raises(ValueError, match=r"would have \d+ bytes, more than JWT_MAX_TOKEN_BYTES") as caught:
        own.issue("42", claims={"name": "x" * 600})
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize(
    "claims",
    [
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": "\ud800"},
        {"\udc00": 1},
        {1: "a", "1": "b"},
        {"x": [[[]]] and json.loads("[" * 80 + "]" * 80)},
    ],
    ids=["nan", "infinity", "lone-surrogate", "lone-surrogate-in-a-name", "names-that-become-equal", "too-deep"],
)
def test_claims_that_we_would_refuse_are_not_signed(claims: dict[Any, Any]) -> None:
    """What our own strict reader refuses is no claim: told to the app that made it, not to its users."""
    with pytest.raises(ValueError):
        auth().issue("42", claims=claims)


def test_the_caller_s_claims_are_left_alone() -> None:
    """Issuing changes nothing that it was given, and takes any mapping."""
    from types import MappingProxyType

    given = {"name": "Ada"}
    auth().issue("42", claims=given)
    auth().issue("42", claims=MappingProxyType(given))
    assert given == {"name": "Ada"}


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("", ()),
        ((), ()),
        ("read", ("read",)),
        ("read write", ("read", "write")),
        (["read", "write"], ("read", "write")),
        ({"a": 1, "b": 2}.keys(), ("a", "b")),
        ({"a": 1}, ("a",)),
    ],
    ids=str,
)
def test_scope_is_a_text_or_an_iterable(scope: Any, scopes: tuple[str, ...]) -> None:
    """RFC 6749 section 3.3: separated by spaces in the token, whatever form it came in."""
    own = auth()
    assert own.verify(own.issue("42", scope=scope)).scopes == scopes


@pytest.mark.parametrize("subject", ["é", "\U0001f600", "a\nb", "\0", '"\\', "x" * 1000, "42 "])
def test_any_other_text_is_a_subject(subject: str) -> None:
    """The subject comes back exactly as it was given."""
    own = auth()
    assert own.verify(own.issue(subject)).identity == subject


def test_life_is_that_of_the_setting() -> None:
    """`JWT_ACCESS_TOKEN_EXPIRES=5m`, and the clock that was given."""
    clock = Clock(1_000_000_000.9)
    claims = parts(auth(access_token_expires="5m", clock=clock).issue("42"))[1]
    assert (claims["iat"], claims["exp"]) == (1_000_000_000, 1_000_000_300)


def test_texts_are_json_escaped() -> None:
    """Quotes in a subject stay in the subject."""
    own = auth()
    user = own.verify(own.issue('","sub":"root","x":"'))
    assert user.identity == '","sub":"root","x":"'


def test_objects_of_python_are_not_guessed_at() -> None:
    """A datetime or a set is not JSON: the app decides how to write it."""
    from datetime import datetime

    for value in (datetime(2025, 1, 1), {1, 2}, object()):
        with pytest.raises(TypeError):
            auth().issue("42", claims={"x": value})
