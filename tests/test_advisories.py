"""What others fell to: one test for each public advisory that could be ours, named by its first id.

The docstring of a test says what happened. Advisories that cannot be ours stand in `DO_NOT_APPLY` with the reason.
`docs/conformance.md` is made from both. The number of an advisory is its place in our catalogue.
"""

from __future__ import annotations

import ast
import base64
import inspect
import json
import logging
import time
import tomllib
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from jwt.algorithms import HMACAlgorithm

from jwt_middleware import ConfigurationError, InvalidToken, Reason
from jwt_middleware.settings import DECLARATIONS
from jwt_middleware.token import formats, keys
from jwt_middleware.token.keys import KeyProblem
from jwt_middleware.user import ANONYMOUS
from tests.conformance.evidence import FULL, STRICT, public, refused, send, tripwire
from tests.token.forge import (
    AUDIENCE,
    HMAC,
    IAT,
    ISSUER,
    LONG_SECRET,
    OLD_SECRET,
    OTHER_SECRET,
    b64,
    claims,
    compact,
    dumps,
    jwk,
    jwks_file,
    private,
    private_pem,
    public_bytes,
    public_pem,
    sign,
    token,
)
from tests.worlds import NOW, SECRET, World

__all__ = ["tripwire"]

Protect = Callable[..., World]
Test = TypeVar("Test", bound=Callable[..., None])
PACKAGE = Path(__file__).parent.parent / "jwt_middleware"
KINDS = ("RS256", "ES256", "EdDSA")


def advisory(number: int, ids: str, where: str) -> Callable[[Test], Test]:
    """Say which advisory a test is for: its number in our catalogue, its public ids, and where it was."""

    def mark(test: Test) -> Test:
        test.advisory = (number, ids, where)  # type: ignore[attr-defined]
        return test

    return mark


# number: (ids, where, what happened, why it cannot be ours)
DO_NOT_APPLY: dict[int, tuple[str, str, str, str]] = {
    38: (
        "CVE-2017-15361 (ROCA)", "Infineon key generators", "RSA keys that can be factored",
        "Out of scope: the fingerprint is the maker's to look for. Wycheproof's two ROCA vectors are held as accepted.",
    ),
    51: (
        "CVE-2026-9097, CVE-2026-9094, CVE-2026-53471", "casdoor, migration-planner",
        "token exchange without a check of state or tenant",
        "There is no token exchange; tenants are the app's, by claims.",
    ),
    62: (
        "CVE-2026-101917, CVE-2026-48524", "PyJWKClient",
        "unknown `kid`s made it fetch; a failed fetch wiped the cache",
        "Keys are not fetched yet: they come from files, read at start.",
    ),
    64: (
        "CVE-2020-10594", "drf-jwt", "a revoked token could be refreshed to a live one",
        "There are no refresh tokens yet.",
    ),
    68: (
        "CVE-2020-15222, CVE-2020-5300", "fosite, hydra", "the `jti` of a client assertion could be used twice",
        "Client assertions and DPoP proofs are not accepted.",
    ),
    69: (
        "CVE-2026-41707", "Spring Security, DPoP", "a full cache of `jti`s forgot live ones",
        "DPoP proofs are not accepted: a bound token is refused (row E4).",
    ),
    77: (
        "CVE-2021-21424", "lexik jwt bundle", "answers told which users exist", "There is no sign-in of ours yet.",
    ),
}  # fmt: skip


def raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def never_a_secret(protect: Protect, spelling: bytes, kind: str) -> None:
    """A public key, spelled like this, signs nothing under HS256 and starts nothing as JWT_SECRET_KEY."""
    world = protect(**public(kind))
    for alg in HMAC:
        refused(world, Reason.WRONG_ALGORITHM, token=token(key=spelling, alg=alg))
    with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY") as caught:
        protect(secret_key=spelling)
    assert "not a secret" in str(caught.value) or "bytes long" in str(caught.value)


# --- 1: key and algorithm confusion ----------------------------------------------------------------------------------


@advisory(1, "CVE-2015-9235, CVE-2016-10555", "jsonwebtoken, jwt-simple, namshi/jose, php-jwt, jsjws")
@pytest.mark.parametrize("settings", [{}, public("RS256"), public("ES256")], ids=["secret", "rsa", "ec"])
def test_cve_2015_9235_alg_none(protect: Protect, settings: dict[str, Any]) -> None:
    """`none` was an algorithm like any other, so an unsigned token passed."""
    world = protect(**settings)
    for alg in ("none", "None", "NONE", "nOnE", "NonE", "none ", "none\0"):
        head = f"{b64(dumps({'alg': alg, 'typ': 'JWT'}))}.{b64(dumps(claims()))}"
        refused(world, Reason.MALFORMED, token=f"{head}.")
        refused(world, Reason.WRONG_ALGORITHM, token=f"{head}.{b64('junk')}")
        refused(world, Reason.WRONG_ALGORITHM, token=f"{head}.{token().split('.')[2]}")


@advisory(2, "CVE-2026-28802", "Authlib 1.6.5 to 1.6.6")
def test_cve_2026_28802_none_with_an_empty_signature(protect: Protect) -> None:
    """A regression let `none` with an empty signature verify again."""
    text = f"{b64(dumps({'alg': 'none'}))}.{b64(dumps(claims()))}."
    for settings in ({}, public("RS256"), public("EdDSA")):
        refused(protect(**settings), Reason.MALFORMED, token=text)
        refused(protect(**settings), Reason.MALFORMED, token=text[:-1])


@advisory(3, "CVE-2021-44878", "pac4j")
def test_cve_2021_44878_none_by_a_setting(protect: Protect) -> None:
    """`none` was accepted by default."""
    for name in ("none", "NONE", "HS256,none"):
        with pytest.raises(ConfigurationError, match="JWT_ALGORITHMS takes only"):
            protect(algorithms=name)
    assert "none" not in {name.lower() for name in keys.ALGORITHMS}


@advisory(4, "CVE-2017-11424", "PyJWT <= 1.5.0")
def test_cve_2017_11424_pkcs1_pem_as_secret(protect: Protect) -> None:
    """A PKCS #1 public key was not known for a key and became an HMAC secret."""
    never_a_secret(protect, public_bytes("RS256", format_=serialization.PublicFormat.PKCS1), "RS256")


@advisory(5, "CVE-2022-29217", "PyJWT < 2.4")
@pytest.mark.parametrize("kind", ["EdDSA", "ES256", "RS256"])
def test_cve_2022_29217_ssh_key_as_secret(protect: Protect, kind: str) -> None:
    """OpenSSH public keys of newer kinds were taken for HMAC secrets."""
    form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    never_a_secret(protect, public_bytes(kind, *form), kind)


@advisory(6, "CVE-2026-48526", "PyJWT < 2.13")
@pytest.mark.parametrize("kind", KINDS)
def test_cve_2026_48526_jwk_text_as_secret(protect: Protect, kind: str) -> None:
    """The JSON of a public JWK, compact or pretty, was taken for an HMAC secret."""
    for text in (dumps(jwk(kind)), json.dumps(jwk(kind), indent=4), json.dumps(jwk(kind))):
        never_a_secret(protect, text.encode(), kind)


@advisory(7, "CVE-2026-102273", "PyJWT 2.13")
@pytest.mark.parametrize("kind", KINDS)
def test_cve_2026_102273_jwk_set_as_secret(protect: Protect, kind: str) -> None:
    """JWK Sets, arrays and nested forms of it were missed."""
    for value in ({"keys": [jwk(kind)]}, [jwk(kind)], {"a": {"b": [jwk(kind)]}}):
        never_a_secret(protect, dumps(value).encode(), kind)


@advisory(8, "CVE-2026-102272", "PyJWT 2.13")
@pytest.mark.parametrize("kind", KINDS)
def test_cve_2026_102272_jwk_behind_a_bom_as_secret(protect: Protect, kind: str) -> None:
    """A byte order mark before the JWK hid it."""
    never_a_secret(protect, b"\xef\xbb\xbf" + dumps(jwk(kind)).encode(), kind)


@advisory(9, "CVE-2026-102271", "PyJWT 2.4 to 2.13")
@pytest.mark.parametrize("kind", KINDS)
def test_cve_2026_102271_der_as_secret(protect: Protect, kind: str) -> None:
    """DER, and the base64 of it, was taken for an HMAC secret."""
    der = public_bytes(kind, serialization.Encoding.DER)
    for spelling in (der, base64.b64encode(der), base64.urlsafe_b64encode(der), b64(der).encode()):
        never_a_secret(protect, spelling, kind)


@advisory(10, "CVE-2026-102268", "PyJWT < 2.14")
@pytest.mark.parametrize("kind", KINDS)
def test_cve_2026_102268_mutated_pem_as_secret(protect: Protect, kind: str) -> None:
    """A PEM with other line ends or white space was not known for a key."""
    pem = public_pem(kind)
    for text in (pem.strip(), pem.replace("\n", "\r\n"), pem.replace("\n", ""), pem.replace("\n", " "), f"\t {pem}"):
        never_a_secret(protect, text.encode(), kind)


@advisory(11, "CVE-2024-33663", "python-jose <= 3.5.0")
def test_cve_2024_33663_what_we_depend_on() -> None:
    """The same confusion, in a library that is not maintained: we depend on PyJWT from 2.15.1 on, and no other."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    assert "PyJWT[crypto]>=2.15.1" in project["dependencies"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    named = " ".join([*project["dependencies"], *extras]).lower()
    assert not [name for name in ("jose", "authlib", "jwcrypto", "simplejwt") if name in named]


@advisory(12, "CVE-2024-37568", "Authlib < 1.3.1")
def test_cve_2024_37568_algorithms_left_open(protect: Protect) -> None:
    """With no list of algorithms given, HS256 over the public key passed."""
    for kind, alg in zip(KINDS, KINDS):
        world = protect(**public(kind))
        assert world.auth.core.keys.verifying.algorithms <= {alg, "Ed25519"}
        refused(world, Reason.WRONG_ALGORITHM, token=token(key=public_pem(kind), alg="HS256"))


@advisory(13, "CVE-2023-48223, CVE-2026-107724", "fast-jwt")
def test_cve_2023_48223_pem_headers_matched_by_pattern(protect: Protect) -> None:
    """A pattern knew some PEM headers and not `BEGIN RSA PUBLIC KEY`, later not a raw JWK."""
    pkcs1 = public_bytes("RS256", format_=serialization.PublicFormat.PKCS1)
    for spelling in (pkcs1, pkcs1.strip(), b"\n" + pkcs1, dumps(jwk("RS256")).encode()):
        never_a_secret(protect, spelling, "RS256")


@advisory(14, "CVE-2026-22817, CVE-2026-22818", "Hono, JWK middleware")
@pytest.mark.parametrize("kind", KINDS)
def test_cve_2026_22817_jwk_without_alg(protect: Protect, tmp_path: Path, kind: str) -> None:
    """A JWK without `alg` took the algorithm that the token named."""
    world = protect(jwks_file=jwks_file(tmp_path, jwk(kind, kid="k")), allow_any_audience=True)
    assert world.request(token=token(key=private(kind), alg=kind, header={"kid": "k"})).user.identity == "42"
    for secret in (public_pem(kind), public_pem(kind).strip(), dumps(jwk(kind))):
        refused(world, Reason.WRONG_ALGORITHM, token=token(key=secret, header={"kid": "k"}))
    if kind == "RS256":
        refused(world, Reason.WRONG_ALGORITHM, token=token(key=private(kind), alg="PS256", header={"kid": "k"}))


@advisory(15, "CVE-2026-48523", "PyJWT < 2.13")
def test_cve_2026_48523_alg_of_the_jwk_against_the_list(protect: Protect, tmp_path: Path) -> None:
    """The list was compared with the token's `alg`, but the JWK's own algorithm verified."""
    entries = jwk("RS256", kid="rs", alg="RS256"), jwk("other RS256", kid="ps", alg="PS256")
    settings = {"jwks_file": jwks_file(tmp_path, *entries), "algorithms": "RS256,PS256", "allow_any_audience": True}
    world = protect(**settings)
    for kid, kind, right, wrong in (("rs", "RS256", "RS256", "PS256"), ("ps", "other RS256", "PS256", "RS256")):
        good = token(key=private(kind), alg=right, header={"kid": kid})
        assert world.request(token=good).user.identity == "42"
        refused(world, Reason.WRONG_ALGORITHM, token=token(key=private(kind), alg=wrong, header={"kid": kid}))
        renamed = f"{b64(dumps({'alg': wrong, 'kid': kid}))}.{good.partition('.')[2]}"
        refused(world, Reason.WRONG_ALGORITHM, token=renamed)


@advisory(16, "CVE-2026-33322", "MinIO")
def test_cve_2026_33322_a_client_secret_beside_public_keys(protect: Protect) -> None:
    """In an OIDC login the client's secret could become the key that verifies."""
    with pytest.raises(ConfigurationError, match="one verifier has one kind"):
        protect(secret_key=SECRET, **public("RS256"))
    refused(protect(**public("RS256")), Reason.WRONG_ALGORITHM, token=token(key=SECRET))


@advisory(17, "CVE-2022-23539, CVE-2022-23540, CVE-2022-23541", "jsonwebtoken <= 8.5.1")
@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("alg", ["HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_cve_2022_23540_kind_of_key_and_algorithm(protect: Protect, kind: str, alg: str) -> None:
    """A key of one kind verified under another's algorithm, and a missing key meant `none`."""
    world = protect(**public(kind))
    text = token(key=SECRET if alg == "HS256" else private("RS256" if alg == "PS256" else alg), alg=alg)
    if alg == kind:
        assert world.request(token=text).user.identity == "42"
    else:
        refused(world, Reason.WRONG_ALGORITHM, token=text)


@advisory(18, "CVE-2021-46743, GHSA-jc38-x7x8-2xc8", "php-jwt, web-token")
def test_cve_2021_46743_a_ring_of_keys(protect: Protect, tmp_path: Path) -> None:
    """A key was found by `kid` without its algorithm; elsewhere `alg` came from an unprotected header."""
    world = protect(jwks_file=jwks_file(tmp_path, *(jwk(k, kid=k) for k in KINDS)), allow_any_audience=True)
    for kid in KINDS:
        for alg in ("HS256", *KINDS):
            text = token(key=public_pem(kid) if alg == "HS256" else private(alg), alg=alg, header={"kid": kid})
            if alg == kid:
                assert world.request(token=text).user.identity == "42"
            else:
                refused(world, Reason.WRONG_ALGORITHM, token=text)
    h, p, s = token(header={"alg": ...}).split(".")
    unprotected = {"protected": h, "header": {"alg": "HS256"}, "payload": p, "signature": s}
    refused(world, Reason.MALFORMED, token=b64(dumps(unprotected)))


@advisory(19, "CVE-2026-44699", "LibJWT")
def test_cve_2026_44699_rsa_jwk_as_an_empty_secret(protect: Protect, tmp_path: Path) -> None:
    """Under HS256 an RSA JWK became an HMAC key of no bytes."""
    world = protect(jwks_file=jwks_file(tmp_path, jwk("RS256", kid="k")), allow_any_audience=True)
    refused(world, Reason.WRONG_ALGORITHM, token=token(key=b"", header={"kid": "k"}))
    refused(protect(), Reason.BAD_SIGNATURE, token=token(key=b""))


@advisory(20, "CVE-2026-44351, CVE-2026-45363, CVE-2026-102266, CVE-2026-107720", "fast-jwt, ruby-jwt, PyJWT")
def test_cve_2026_44351_an_empty_key(protect: Protect, tmp_path: Path) -> None:
    """An empty or missing key verified what was signed with nothing."""
    for secret in ("", b"", "base64:", " "):
        with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
            protect(secret_key=secret)
    with pytest.raises(ConfigurationError, match="no key is configured"):
        protect(secret_key=None)
    with pytest.raises(ConfigurationError, match="JWT_JWKS_FILE holds no key that we can use"):
        protect(jwks_file=jwks_file(tmp_path, {"kty": "oct", "k": "", "kid": "k"}), allow_any_audience=True)


@advisory(21, "CVE-2023-48238, CVE-2026-5430, CVE-2026-57997, CVE-2026-39999", "json-web-token, WSO2, Strapi, APISIX")
def test_cve_2026_5430_any_algorithm_of_the_family(protect: Protect) -> None:
    """The token chose among all HMAC algorithms, or its `alg` was not compared at all."""
    world = protect(secret_key=LONG_SECRET, algorithms="HS256")
    assert world.request(token=token(key=LONG_SECRET)).user.identity == "42"
    for alg in ("HS384", "HS512"):
        refused(world, Reason.WRONG_ALGORITHM, token=token(key=LONG_SECRET, alg=alg))


@advisory(22, "CVE-2024-54150", "cjwt")
def test_cve_2024_54150_algorithm_from_the_token(protect: Protect) -> None:
    """The token said how it was to be verified."""
    world = protect(**public("RS256"))
    for alg in (*HMAC, "none", "RS384", "PS256", "ES256", "EdDSA", "rs256", "RSA", ""):
        head = f"{b64(dumps({'alg': alg}))}.{b64(dumps(claims()))}"
        refused(world, Reason.WRONG_ALGORITHM, token=f"{head}.{b64(sign(head, 'RS256', private('RS256')))}")


# --- 2: signatures and keys ------------------------------------------------------------------------------------------


@advisory(23, "CVE-2022-21449", "Java 15 to 18")
def test_cve_2022_21449_psychic_signatures(protect: Protect) -> None:
    """r = s = 0 was a valid ECDSA signature of everything."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    world = protect(**public("ES256"))
    head = token(key=private("ES256"), alg="ES256").rpartition(".")[0]
    edges = (0, 1, order - 1, order, order + 1, 2**256 - 1)
    signatures = [r.to_bytes(32, "big") + s.to_bytes(32, "big") for r in edges for s in edges]
    signatures += [b"\0" * size for size in (1, 8, 32, 63, 65, 128)] + [bytes.fromhex("3006020100020100")]
    for signature in signatures:
        refused(world, Reason.BAD_SIGNATURE, token=f"{head}.{b64(signature)}")


@advisory(24, "CVE-2019-14859, CVE-2019-14853", "python-ecdsa")
def test_cve_2019_14859_malformed_ecdsa_signatures(protect: Protect) -> None:
    """Malformed and DER-coded signatures were accepted; `tests/test_vectors.py` runs Wycheproof's 860 of them."""
    world = protect(**public("ES256"))
    good = token(key=private("ES256"), alg="ES256")
    head, _, last = good.rpartition(".")
    signature = raw(last)
    assert world.request(token=good).user.identity == "42"
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    for wrong in (
        der,
        signature + b"\0",
        b"\0" + signature,
        signature[:-1],
        signature[32:] + signature[:32],
        signature * 2,
    ):
        refused(world, Reason.BAD_SIGNATURE, token=f"{head}.{b64(wrong)}")


@advisory(25, "CVE-2016-7036, CVE-2015-10004, CVE-2026-9537", "python-jose, robbert229/jwt, Mojo::JWT")
def test_cve_2016_7036_macs_are_compared_in_constant_time() -> None:
    """A MAC was compared byte by byte, so its bytes could be guessed one after the other."""
    assert "hmac.compare_digest(" in inspect.getsource(HMACAlgorithm.verify)
    assert "==" not in inspect.getsource(keys.Key.verifies)
    assert "==" not in inspect.getsource(__import__("jwt_middleware.token.verifier").token.verifier._check_signature)


@advisory(26, "CVE-2018-0114, CVE-2026-27962, CVE-2025-24976", "node-jose, Authlib, distribution")
@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t"])
def test_cve_2018_0114_a_key_in_the_header(protect: Protect, name: str, tripwire: list[str]) -> None:
    """The key that a token brought with it was the key that verified it."""
    value = {"jwk": jwk("other RS256"), "x5c": [b64(public_bytes("other RS256", serialization.Encoding.DER))]}
    header = {name: value.get(name, "http://127.0.0.1:1/keys"), "kid": "evil"}
    text = token(key=private("other RS256"), alg="RS256", header=header)
    refused(protect(**public("RS256")), Reason.BAD_SIGNATURE, token=text)
    assert tripwire == []


@advisory(27, "CVE-2022-39227", "python-jwt")
def test_cve_2022_39227_json_and_compact_in_one(protect: Protect) -> None:
    """A text that was JSON to one parser and a compact token to the other changed claims under a good signature."""
    h, p, s = token().split(".")
    forged = b64(dumps(claims(sub="root")))
    polyglot = f'{{"  {h}.{forged}.":"","protected":"{h}", "payload":"{p}","signature":"{s}"}}'
    where = {"status": 400, "error": "invalid_request"}
    refused(protect(), Reason.MALFORMED_CREDENTIAL, token=polyglot, **where)
    for text in (b64(polyglot), f"{h}.{b64(polyglot)}.{s}", f"{b64(polyglot)}.{p}.{s}"):
        _, refusal = send(protect(), token=text)
        assert refusal.reason in (Reason.MALFORMED, Reason.BAD_SIGNATURE)


@advisory(28, "CVE-2026-102946", "joserfc")
def test_cve_2026_102946_no_signatures_at_all(protect: Protect) -> None:
    """The general JSON form with an empty list of signatures verified: all of none were good."""
    text = dumps({"payload": b64(dumps(claims())), "signatures": []})
    refused(protect(), Reason.MALFORMED_CREDENTIAL, status=400, error="invalid_request", token=text)
    refused(protect(), Reason.MALFORMED, token=b64(text))
    with pytest.raises(InvalidToken, match="three parts"):
        protect().verify(text)


@advisory(29, "CVE-2016-9122", "go-jose")
def test_cve_2016_9122_several_signatures(protect: Protect) -> None:
    """With several signatures one was verified and another one's header believed."""
    h, p, s = token().split(".")
    bad = {"protected": b64(dumps({"alg": "HS256", "kid": "root"})), "signature": "AAAA"}
    for signatures in ([bad, {"protected": h, "signature": s}], [{"protected": h, "signature": s}, bad]):
        with pytest.raises(InvalidToken, match="three parts"):
            protect().verify(dumps({"payload": p, "signatures": signatures}))


@advisory(30, "CVE-2026-29000", "pac4j-jwt")
def test_cve_2026_29000_an_unsigned_token_inside_an_encrypted_one(protect: Protect) -> None:
    """A JWE around an unsigned token skipped verification."""
    inner = f"{b64(dumps({'alg': 'none'}))}.{b64(dumps(claims()))}."
    for header in ({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}, {"alg": "dir", "enc": "A128GCM"}):
        refused(protect(), Reason.MALFORMED, token=f"{b64(dumps(header))}.AAAA.AAAA.{b64(inner)}.AAAA")
        refused(protect(), Reason.MALFORMED, token=f"{b64(dumps(header))}..AAAA.{b64(inner)}.AAAA")
    refused(protect(), Reason.MALFORMED, token=token(inner, header={"cty": "JWT"}))


@advisory(31, "CVE-2023-51774", "json-jwt, jose-jwt")
def test_cve_2023_51774_encrypted_for_signed(protect: Protect) -> None:
    """Encrypted with the public key, which anybody can do, a token was taken for a signed one."""
    five = ".".join([b64(dumps({"alg": "RSA-OAEP", "enc": "A128CBC-HS256"})), *["AAAA"] * 4])
    error = refused(protect(**public("RS256")), Reason.MALFORMED, token=five)
    assert error.detail == "a signed token has three parts, this one 5"


@advisory(32, "CVE-2026-32597, CVE-2025-59420", "PyJWT < 2.12, Authlib")
@pytest.mark.parametrize(
    "crit",
    [["x"], ["exp"], ["b64"], ["b64", "x"], [], "x", "", None, True, 5, {}, {"x": 1}, [None], [["x"]], [5], ["x", "x"]],
    ids=repr,
)
def test_cve_2026_32597_unknown_crit(protect: Protect, crit: Any) -> None:
    """An extension that was marked critical, and not known, was passed over."""
    refused(protect(), Reason.UNSUPPORTED_HEADER, token=token(header={"crit": crit}))


@advisory(33, "CVE-2026-48525, CVE-2026-48990", "PyJWT, joserfc")
def test_cve_2026_48525_unencoded_payload(protect: Protect) -> None:
    """`b64: false` went around limits of size."""
    for header in ({"b64": False}, {"b64": True}, {"b64": None}, {"b64": False, "crit": ["b64"]}):
        refused(protect(), Reason.UNSUPPORTED_HEADER, token=token(header=header))


@advisory(34, "CVE-2025-45765, CVE-2025-45768", "ruby-jwt, PyJWT (disputed)")
def test_cve_2025_45765_weak_keys(protect: Protect) -> None:
    """Short secrets and short RSA keys were taken as they came."""
    for alg, least in HMAC_BYTES.items():
        with pytest.raises(ConfigurationError, match=f"needs {least}"):
            protect(secret_key=LONG_SECRET[: least - 1], algorithms=alg)
    for settings in ({"public_key": public_pem("RSA-1024")}, {"private_key": private_pem("RSA-1024")}):
        with pytest.raises(ConfigurationError, match="RSA needs 2048"):
            protect(allow_any_audience=True, **settings)


HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}


@advisory(35, "CVE-2026-102275", "PyJWT")
def test_cve_2026_102275_private_key_with_a_foreign_public_part(protect: Protect, tmp_path: Path) -> None:
    """A private OKP JWK was believed when it said what its public part was."""
    stranger = jwk("other EdDSA")["x"]
    mixed = jwk("EdDSA", kid="k") | {"x": stranger, "d": b64(private("EdDSA").private_bytes_raw())}
    world = protect(jwks_file=jwks_file(tmp_path, mixed), allow_any_audience=True)
    assert world.auth.core.keys.signing is None  # what signs comes from a PEM, whose public half is computed
    refused(world, Reason.BAD_SIGNATURE, token=token(key=private("EdDSA"), alg="EdDSA", header={"kid": "k"}))
    with pytest.raises(ConfigurationError, match="not the public half"):
        protect(private_key=private_pem("EdDSA"), public_key=public_pem("other EdDSA"), allow_any_audience=True)


@advisory(36, "CVE-2026-102274, CVE-2026-42576", "PyJWT, apko")
@pytest.mark.parametrize(
    "sibling",
    [None, 5, [], {}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-999", "x": "", "y": ""}, {"kty": "RSA", "n": "!",
     "e": "A"},
     {"kty": "OKP", "crv": "Ed25519", "x": "AA"}],
    ids=str,
)  # fmt: skip
def test_cve_2026_102274_a_malformed_jwk_in_the_set(protect: Protect, tmp_path: Path, sibling: Any) -> None:
    """One malformed JWK made the whole set unusable."""
    world = protect(jwks_file=jwks_file(tmp_path, sibling, jwk("RS256", kid="k"), sibling), allow_any_audience=True)
    assert world.request(token=token(key=private("RS256"), alg="RS256", header={"kid": "k"})).user.identity == "42"


@advisory(37, "no CVE", "PyJWT, joserfc (measured)")
@pytest.mark.parametrize(
    "y", ["01" + "00" * 31, "00" * 32, "ec" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f", "01" + "00" * 30 + "80"]
)
def test_small_order_ed25519_keys(protect: Protect, tmp_path: Path, y: str) -> None:
    """Under a public key of small order one fixed signature is good for any message."""
    weak = {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes.fromhex(y)), "kid": "weak"}
    world = protect(jwks_file=jwks_file(tmp_path, weak, jwk("EdDSA", kid="good")), allow_any_audience=True)
    head = f"{b64(dumps({'alg': 'EdDSA', 'kid': 'weak'}))}.{b64(dumps(claims()))}"
    refused(world, Reason.UNKNOWN_KEY, token=f"{head}.{b64(bytes.fromhex('01' + '00' * 63))}")
    with pytest.raises(KeyProblem, match="small order"):
        formats.from_jwk(weak, ())


@advisory(
    39, "CVE-2018-1000539, CVE-2025-54887, CVE-2016-6298, GHSA-6vvh-pxr4-25r7, GHSA-5739-39v2-5754", "JWE libraries"
)
def test_cve_2018_1000539_nothing_is_decrypted(protect: Protect) -> None:
    """Cut authentication tags and RSA1_5 oracles: we hold no code that decrypts, and read no such token."""
    used = {
        node.id if isinstance(node, ast.Name) else node.attr
        for path in (PACKAGE / "token").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Name, ast.Attribute))
    }
    assert not {
        name for name in used if "decrypt" in name.lower() or name in ("AESGCM", "Cipher", "PBKDF2HMAC", "zlib")
    }
    for alg in ("RSA1_5", "RSA-OAEP", "dir", "A128KW"):
        five = ".".join([b64(dumps({"alg": alg, "enc": "A128GCM"})), *["AAAA"] * 4])
        refused(protect(), Reason.MALFORMED, token=five)


# --- 3: claims and kinds of token ------------------------------------------------------------------------------------


@advisory(40, "CVE-2024-53861", "PyJWT 2.10.0")
def test_cve_2024_53861_part_of_the_issuer(protect: Protect) -> None:
    """`iss` was looked for inside the configured text, so a part of it passed."""
    world = protect(issuer=ISSUER)
    for part in (ISSUER[:-1], ISSUER[1:], ISSUER[8:11], "h", "/", ".", "", ISSUER[:8]):
        refused(world, Reason.WRONG_ISSUER, token=token(claims(iss=part)))


@advisory(41, "CVE-2026-75509, CVE-2025-30144", "joserfc, fast-jwt")
def test_cve_2026_75509_a_list_of_issuers(protect: Protect) -> None:
    """A list that held the issuer was an issuer."""
    world = protect(issuer=ISSUER)
    for value in ([ISSUER], ["x", ISSUER], [[ISSUER]], {ISSUER: 1}):
        refused(world, Reason.BAD_CLAIM, token=token(claims(iss=value)))
        refused(world, Reason.BAD_CLAIM, token=token(claims(iss=ISSUER, sub=value)))


@advisory(42, "CVE-2018-15801, CVE-2024-5037, CVE-2024-8901", "Spring Security, telemeter, AWS ALB adapter")
def test_cve_2018_15801_the_issuer_was_not_checked(protect: Protect) -> None:
    """The issuer was not compared, or compared with itself."""
    world = protect(issuer=ISSUER)
    others = [
        ..., "", "null", "https://idp.example", ISSUER.upper(), ISSUER + " ", "\t" + ISSUER, ISSUER + "x", ISSUER * 2,
        "http://idp.example/", "https://idp.example:443/", "https://idp.example//", "https://evil.example/", "*",
        "https://idp.example.evil/", "https://idp.example%2f", "//idp.example/", "https://idp.example/\u200b",
    ]  # fmt: skip
    assert len(others) == 18
    for other in others:
        refused(world, Reason.WRONG_ISSUER, token=token(claims(iss=other)))
    with pytest.raises(ConfigurationError, match="JWT_ISSUER"):
        protect(issuer="")


@advisory(43, "CVE-2020-26160", "jwt-go")
def test_cve_2020_26160_a_list_skipped_the_audience(protect: Protect) -> None:
    """An audience that was a list was not looked at."""
    world = protect(audience=AUDIENCE)
    for value in ([], ["x"], ["x", "y"], [""], [AUDIENCE + "x"]):
        refused(world, Reason.WRONG_AUDIENCE, token=token(claims(aud=value)))
    assert world.request(token=token(claims(aud=["x", AUDIENCE]))).user.identity == "42"


@advisory(
    44,
    "CVE-2024-5798, CVE-2025-62610, CVE-2023-22482, CVE-2026-30223, CVE-2026-55669, PYSEC-2026-4358",
    "Vault, Hono, Argo CD, OliveTin, ZITADEL, Authlib",
)
def test_cve_2024_5798_audience_wrong_or_not_asked_for(protect: Protect) -> None:
    """The audience was compared loosely, or not at all unless somebody asked for it."""
    world = protect(**public("RS256", audience=AUDIENCE, allow_any_audience=False))
    wrong = [
        ...,
        "",
        "*",
        AUDIENCE[:-1],
        AUDIENCE + "/",
        AUDIENCE.upper(),
        "https",
        [],
        [""],
        ["*"],
        ["x"],
        f"{AUDIENCE},x",
    ]
    shapeless = [None, True, False, 0, 5, 1.5, {}, {AUDIENCE: 1}, [[AUDIENCE]], [None], [AUDIENCE, None]]
    for values, reason in ((wrong, Reason.WRONG_AUDIENCE), (shapeless, Reason.BAD_CLAIM)):
        for value in values:
            refused(world, reason, token=token(claims(aud=value), key=private("RS256"), alg="RS256"))
    with pytest.raises(ConfigurationError, match="JWT_AUDIENCE is required with public keys"):
        protect(public_key=public_pem("RS256"))
    with pytest.raises(ConfigurationError, match="JWT_AUDIENCE"):
        protect(audience="")


@advisory(45, "CVE-2025-69196", "FastMCP")
def test_cve_2025_69196_a_sibling_resource(protect: Protect) -> None:
    """A token for another resource of the same host passed."""
    world = protect(audience="https://api.example/orders")
    for sibling in (
        "https://api.example",
        "https://api.example/",
        "https://api.example/orders/",
        "https://api.example/billing",
    ):
        refused(world, Reason.WRONG_AUDIENCE, token=token(claims(aud=sibling)))


@advisory(46, "CVE-2026-25537", "Rust jsonwebtoken")
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_cve_2026_25537_a_date_of_another_type(protect: Protect, name: str) -> None:
    """A date of the wrong type counted as absent, so it was not checked."""
    world = protect()
    literals = [
        '"4102444800"', '"4_102_444_800"', '"1"', '""', '"now"', '" 4102444800"', '"4102444800.0"', '"0x7fffffff"',
        '"\u0664\u0661\u0660"', '"\uff11\uff12"', "true", "false", "null", "[]", "[4102444800]", "{}",
        '{"v":4102444800}', "-1",
        "-4102444800", "-0.5", "1e308", "1e16", str(2**53 + 1), str(2**63), str(2**64), "1" + "0" * 100,
        "1" + "0" * 400,
    ]  # fmt: skip
    for literal in literals:
        payload = f'{dumps(claims(**{name: ...}))[:-1]},"{name}":{literal}}}'
        error = refused(world, Reason.BAD_CLAIM, token=token(payload))
        assert error.detail.endswith(", not a date")


@advisory(47, "CVE-2026-85473", "auth0/java-jwt")
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_cve_2026_85473_a_date_out_of_range(protect: Protect, name: str) -> None:
    """A date that no calendar holds raised before anything was verified."""
    world = protect()
    for literal in (
        str(2**63),
        "1" + "0" * 400,
        "1" + "0" * 5000,
        "1e308",
        "1e309",
        "-1e309",
        "NaN",
        "Infinity",
        "-Infinity",
    ):
        payload = f'{dumps(claims(**{name: ...}))[:-1]},"{name}":{literal}}}'
        _, refusal = send(world, token=token(payload))
        assert refusal.reason in (Reason.BAD_CLAIM, Reason.MALFORMED)
        refused(world, Reason.BAD_SIGNATURE, token=token(payload, key=OTHER_SECRET))


@advisory(48, "CVE-2026-103001", "PyJWT 2.11 to 2.13")
def test_cve_2026_103001_options_that_change(protect: Protect) -> None:
    """One call without verification changed the options of the next, so its checks were off."""
    world = protect(audience=AUDIENCE, issuer=ISSUER)
    good = claims(iss=ISSUER, aud=AUDIENCE)
    for _ in range(3):
        assert world.request(token=token(good)).user.identity == "42"
        assert world.verify(token(good)).identity == "42"
        refused(world, Reason.EXPIRED, token=token(good | {"exp": 1}))
        refused(world, Reason.WRONG_AUDIENCE, token=token(good | {"aud": "x"}))
        refused(world, Reason.BAD_SIGNATURE, token=token(good, key=OTHER_SECRET))


@advisory(49, "CVE-2020-26892, GO-2026-5732", "nats-io/jwt, ZITADEL")
def test_cve_2020_26892_expiry_was_not_enforced(protect: Protect) -> None:
    """A token without `exp`, or with a misspelt one, lived for ever."""
    world = protect()
    for changes in (
        {"exp": ...},
        {"exp": ..., "Exp": IAT + 60},
        {"exp": ..., "expires": IAT + 60},
        {"exp": ..., "exp ": 1},
    ):
        assert refused(world, Reason.MISSING_CLAIM, token=token(claims(**changes))).detail == "token has no exp"
    refused(world, Reason.BAD_CLAIM, token=token(claims(exp=None)))
    refused(world, Reason.EXPIRED, token=token(claims(exp=0)))


@advisory(50, "CVE-2026-41164, GO-2026-6117", "nuts-node, pocket-id")
def test_cve_2026_41164_another_kind_of_token(protect: Protect) -> None:
    """A presentation, or any token of a login, was taken for an access token."""
    world = protect()
    foreign = [
        "logout+jwt", "secevent+jwt", "dpop+jwt", "kb+jwt", "sd-jwt", "vc+sd-jwt", "dc+sd-jwt", "vp+jwt", "vc+jwt",
        "rt+jwt",
        "refresh+jwt", "id_token", "token-introspection+jwt", "oauth-authz-req+jwt", "client-authentication+jwt", "JWE",
        "JOSE", "passport", "statuslist+jwt",
    ]  # fmt: skip
    assert len(foreign) == 19
    for typ in foreign:
        refused(world, Reason.WRONG_TYPE, token=token(header={"typ": typ}))
    strict = protect(**STRICT)
    for typ in ("JWT", "jwt", "application/jwt", "at", "jwt+at", "", ...):
        refused(strict, Reason.WRONG_TYPE, token=token(claims(**FULL), header={"typ": typ}))


@advisory(52, "CVE-2024-51744", "golang-jwt")
def test_cve_2024_51744_expired_and_forged(protect: Protect) -> None:
    """A forged token that was also expired was reported, and treated, as merely expired."""
    world = protect()
    forged = world.request(token=token(key=OTHER_SECRET))
    both = world.request(token=token(claims(exp=1), key=OTHER_SECRET))
    assert (forged.status, forged.headers, forged.body) == (both.status, both.headers, both.body)
    refused(world, Reason.BAD_SIGNATURE, token=token(claims(exp=1), key=OTHER_SECRET))


@advisory(53, "CVE-2023-22463, CVE-2026-48031, CVE-2025-30206", "KubePi, go-base, dpanel")
@pytest.mark.parametrize(
    "secret",
    ["changeme" * 4, "your-256-bit-secret-your-256-bit-secret", "a-string-secret-at-least-256-bits-long", "secret" * 6,
     "django-insecure-gq+n8v4fj1u%1m2&qh3z!x", "\0" * 32, "0123456789abcdef" * 2],
)  # fmt: skip
def test_cve_2023_22463_a_secret_that_everybody_knows(protect: Protect, secret: str) -> None:
    """The secret was written in the source, or the example's was never changed."""
    with pytest.raises(ConfigurationError, match="placeholder or a pattern"):
        protect(secret_key=secret)
    assert DECLARATIONS["secret_key"].shown_default == ""


@advisory(54, "CVE-2026-23518, CVE-2026-24899, CVE-2026-38651, GO-2026-4703", "Fleet, netmaker, centrifugo")
def test_cve_2026_23518_a_switch_that_skips_verification() -> None:
    """A flag, or a path of code, took tokens without verifying them."""
    assert not [
        n
        for n in DECLARATIONS
        if any(word in n for word in ("skip", "disable", "verify", "insecure", "debug", "unsafe"))
    ]
    for path in PACKAGE.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        named = [node.func.attr for node in calls if isinstance(node.func, ast.Attribute)]
        assert "decode_complete" not in named, path
        assert "verify_signature" not in path.read_text(), path


# --- 4: denial of service --------------------------------------------------------------------------------------------


@advisory(55, "CVE-2025-61920, CVE-2025-65015", "Authlib, joserfc")
@pytest.mark.parametrize("size", [8193, 9000, 60_000, 1_000_000])
def test_cve_2025_61920_segments_without_end(protect: Protect, size: int, caplog: pytest.LogCaptureFixture) -> None:
    """Segments of any size were decoded, and the whole token was put into exceptions and logs."""
    world = protect()
    for text in ("A" * size, token(header={"x": "A" * size}), token(claims(x="A" * size)), f"a.b.{'A' * size}"):
        error = refused(world, Reason.TOO_LONG, token=text)
        assert len(error.detail) < 100
    assert max(map(len, caplog.messages)) < 1000
    assert sum(map(len, caplog.messages)) < 10_000


@advisory(56, "CVE-2025-30204, CVE-2025-27144, CVE-2025-22868", "golang-jwt, go-jose, x/oauth2")
def test_cve_2025_30204_twenty_thousand_dots(protect: Protect) -> None:
    """A token of dots alone was split into as many parts as it had."""
    refused(protect(), Reason.TOO_LONG, token="." * 20_000)
    world = protect(max_token_bytes=65536)
    began = time.perf_counter()
    for _ in range(100):
        refused(world, Reason.MALFORMED, token="." * 60_000)
    assert time.perf_counter() - began < 2


@advisory(57, "CVE-2026-102265, CVE-2026-101918, CVE-2025-53864", "PyJWT, Nimbus")
@pytest.mark.parametrize("depth", [65, 1000, 3000, 11_000])
def test_cve_2026_102265_nested_without_end(protect: Protect, depth: int) -> None:
    """Deep nesting raised a RecursionError, and a server answered 500."""
    world = protect(max_token_bytes=65536)
    for inside in ("[" * depth, "[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        good = dumps(claims())[:-1]
        for text in (
            token(f'{good},"x":{inside}}}'),
            compact(f'{{"alg":"HS256","x":{inside}}}', f"{good}}}"),
            token(inside),
        ):
            _, refusal = send(world, token=text)
            assert refusal.reason in (Reason.MALFORMED, Reason.TOO_LONG)


@advisory(58, "CVE-2026-102270", "PyJWT")
def test_cve_2026_102270_no_token_is_read_as_a_pem(protect: Protect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern for PEM took time without end; ours read keys at start, from settings, and never from a request."""
    world = protect(**public("RS256"))
    for module, name in (
        (formats, "_load_pem"), (formats, "from_pem"), (formats, "from_jwk"), (formats, "_load_jwk"),
        (keys, "from_secret"), (keys, "from_public"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, None)
    pem = "-----BEGIN " + "A " * 1000
    text = token(header={"kid": pem[:200], "jwk": jwk("RS256")}, key=private("RS256"), alg="RS256")
    assert world.request(token=text).user.identity == "42"
    refused(world, Reason.WRONG_ALGORITHM, token=token(key=pem))


@advisory(
    59,
    "CVE-2024-33664, CVE-2024-28102, CVE-2024-28176, CVE-2024-28180, CVE-2024-28122, CVE-2024-21319, CVE-2025-63811",
    "python-jose, jwcrypto, jose, go-jose, jwx, IdentityModel, jose2go",
)
def test_cve_2024_33664_a_compressed_bomb(protect: Protect) -> None:
    """A small compressed token became a large one in memory."""
    import zlib

    bomb = zlib.compress(b"\0" * 1_000_000)[2:-4]
    five = ".".join([b64(dumps({"alg": "dir", "enc": "A128GCM", "zip": "DEF"})), "AAAA", "AAAA", b64(bomb), "AAAA"])
    refused(protect(), Reason.MALFORMED, token=five)
    for value in ("DEF", "def", "GZIP", None, True, ["DEF"]):
        refused(protect(), Reason.UNSUPPORTED_HEADER, token=token(bomb, header={"zip": value}))


@advisory(
    60,
    "CVE-2023-6681, CVE-2023-49290, CVE-2023-50658, CVE-2023-50966, CVE-2023-50967, CVE-2026-27932, "
    "GHSA-3prj-6hqw-cm82",
    "jwcrypto, jwx, jose2go, erlang-jose, latchset/jose, joserfc, web-token",
)
def test_cve_2023_6681_a_password_stretched_without_end(protect: Protect) -> None:
    """PBES2's `p2c` asked for two thousand million rounds."""
    header = {"alg": "PBES2-HS512+A256KW", "enc": "A128GCM", "p2c": 2**31 - 1, "p2s": "AAAA"}
    world = protect()
    began = time.perf_counter()
    for _ in range(100):
        refused(world, Reason.MALFORMED, token=".".join([b64(dumps(header)), *["AAAA"] * 4]))
        refused(world, Reason.UNSUPPORTED_HEADER, token=token(header=header))
    assert time.perf_counter() - began < 2


@advisory(61, "CVE-2026-34986, CVE-2024-21664, CVE-2020-26521, CVE-2026-33204", "go-jose, jwx, nats, SimpleJWT (PHP)")
def test_cve_2026_34986_a_malformed_token_ends_the_process(protect: Protect) -> None:
    """A part that was missing, empty or of another shape was used as if it were there."""
    world = protect()
    good = token().split(".")
    odd = ["", "A", "e30", "bnVsbA", "W10", "IiI", "MA", "____", "-", "AA=="]
    for at in range(3):
        for part in odd:
            parts = [*good[:at], part, *good[at + 1 :]]
            answer, refusal = send(world, token=".".join(parts))
            assert answer.status in (400, 401)
            assert refusal is not None
    # What is not one token but two keeps its own test: 63.


@advisory(63, "CVE-2025-64527, CVE-2024-45809", "Envoy")
def test_cve_2025_64527_two_tokens_while_something_is_down(protect: Protect, tmp_path: Path) -> None:
    """Two Authorization headers, while keys could not be had, crashed the proxy."""
    world = protect(store_url=f"sqlite:///{tmp_path}/missing/store.db")
    good = f"Bearer {world.auth.issue('42')}"
    two = [("Authorization", good), ("Authorization", good)]
    for _ in range(3):
        refused(world, Reason.MALFORMED_CREDENTIAL, status=400, error="invalid_request", headers=two)
        down = {"status": 503, "error": "temporarily_unavailable"}
        refused(world, Reason.STORE_UNAVAILABLE, headers=two[:1], **down)


# --- 5: lifecycle, revocation, caches, leaks -------------------------------------------------------------------------


@pytest.fixture
def revoking(protect: Protect, tmp_path: Path) -> World:
    """A gate with a store."""
    return protect(store_url=f"sqlite:///{tmp_path}/store.db")


@advisory(65, "CVE-2024-22513, CVE-2026-33031", "simplejwt, Nginx-UI")
def test_cve_2024_22513_a_disabled_user_keeps_access(revoking: World) -> None:
    """The token of a user who had been disabled went on working."""
    before = [revoking.auth.issue("42"), revoking.auth.issue("42")]
    for text in before:
        assert revoking.request(token=text).user.identity == "42"
    revoking.revoke_subject("42")
    for text in before:
        refused(revoking, Reason.REVOKED, token=text)
    assert revoking.request(token=revoking.auth.issue("43")).user.identity == "43"


@advisory(66, "CVE-2025-53826, CVE-2026-35594", "File Browser, Vikunja")
def test_cve_2025_53826_signing_out_left_the_token_alive(revoking: World) -> None:
    """After signing out, the token still worked."""
    text, other = revoking.auth.issue("42"), revoking.auth.issue("42")
    revoking.revoke(revoking.request(token=text).user)
    refused(revoking, Reason.REVOKED, token=text)
    assert revoking.request(token=other).user.identity == "42"
    with_session = revoking.auth.issue("42", claims={"sid": "s"})
    revoking.revoke_session("s")
    refused(revoking, Reason.REVOKED, token=with_session)


@advisory(67, "CVE-2026-102269, CVE-2026-62995", "PyJWT, joserfc")
def test_cve_2026_102269_another_spelling_of_a_revoked_token(protect: Protect, tmp_path: Path) -> None:
    """A revoked text was refused, but the same token with another spelling of its signature passed."""
    world = protect(**public("ES256", store_url=f"sqlite:///{tmp_path}/store.db"))
    good = token(claims(jti="1"), key=private("ES256"), alg="ES256")
    head, _, last = good.rpartition(".")
    signature = raw(last)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    assert SECP256R1().key_size == 256
    mirrored = signature[:32] + (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    again = token(claims(jti="1"), key=private("ES256"), alg="ES256")
    assert (
        world.request(token=f"{head}.{b64(mirrored)}").user.token_id == "1"
    )  # a second signature, as good as the first
    world.revoke(world.request(token=good).user)
    for text in (good, f"{head}.{b64(mirrored)}", again):
        refused(world, Reason.REVOKED, token=text)
    for text in (good + "A", good + "=", f"{head}.{b64(signature + bytes(1))}"):
        assert world.request(token=text).status == 401


@advisory(70, "CVE-2026-35039", "fast-jwt")
def test_cve_2026_35039_one_user_s_claims_for_another(protect: Protect) -> None:
    """A memory of verified tokens had keys that two tokens could share."""
    world = protect()
    texts = {sub: token(claims(sub=sub, jti="same"), header={"kid": "same"}) for sub in ("ada", "bob", "eve")}
    assert len({text[:60] for text in texts.values()}) == 1
    for _ in range(3):
        for sub, text in texts.items():
            assert world.request(token=text).user.identity == sub
    h, p, s = texts["ada"].split(".")
    refused(world, Reason.BAD_SIGNATURE, token=f"{h}.{p}.{texts['bob'].split('.')[2]}")
    refused(world, Reason.BAD_SIGNATURE, token=f"{h}.{texts['bob'].split('.')[1]}.{s}")


@advisory(71, "CVE-2026-49998", "centrifugo")
def test_cve_2026_49998_one_kid_of_two_issuers(protect: Protect, tmp_path: Path) -> None:
    """Keys were kept by `kid` alone, so the key of one issuer verified for another."""
    worlds = {}
    for issuer, kind in (("https://a.example", "RS256"), ("https://b.example", "other RS256")):
        (tmp_path / kind).mkdir()
        file = jwks_file(tmp_path / kind, jwk(kind, kid="same"))
        worlds[kind] = issuer, protect(jwks_file=file, issuer=issuer, allow_any_audience=True)
    for kind, (issuer, world) in worlds.items():
        for other in worlds:
            text = token(claims(iss=issuer), key=private(other), alg="RS256", header={"kid": "same"})
            if other == kind:
                assert world.request(token=text).user.issuer == issuer
            else:
                refused(world, Reason.BAD_SIGNATURE, token=text)


@advisory(72, "CVE-2025-22149", "jwkset")
def test_cve_2025_22149_a_key_that_was_removed(protect: Protect, tmp_path: Path) -> None:
    """Keys were added when a set was read again, and never removed."""
    text = token(key=private("RS256"), alg="RS256", header={"kid": "old"})
    entries = [jwk("RS256", kid="old"), jwk("other RS256", kid="new")]
    before = protect(jwks_file=jwks_file(tmp_path, *entries), allow_any_audience=True)
    assert before.request(token=text).user.identity == "42"
    after = protect(jwks_file=jwks_file(tmp_path, *entries[1:]), allow_any_audience=True)
    refused(after, Reason.UNKNOWN_KEY, token=text)
    rotated = protect(previous_secret_keys=OLD_SECRET)
    assert rotated.request(token=token(key=OLD_SECRET)).user.identity == "42"
    refused(protect(), Reason.BAD_SIGNATURE, token=token(key=OLD_SECRET))


@advisory(73, "CVE-2026-48522, CVE-2026-102267, CVE-2026-49478", "PyJWKClient, Fulcio")
@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://h/k", "data:application/json,{}", "http://127.0.0.1/k", "https://h/k"]
)
def test_cve_2026_48522_addresses_of_any_scheme(protect: Protect, place: str, tripwire: list[str]) -> None:
    """The place of the keys could be of any scheme, and redirects were followed."""
    with pytest.raises(ConfigurationError, match="JWT_JWKS_FILE"):
        protect(jwks_file=place, allow_any_audience=True)
    assert tripwire == []


@advisory(74, "CVE-2026-32301", "centrifugo")
def test_cve_2026_32301_claims_in_an_address(protect: Protect, tripwire: list[str]) -> None:
    """The address of the keys was made from claims that nobody had verified."""
    world = protect(**public("RS256"))
    for place in ("http://127.0.0.1:1/", "http://169.254.169.254/", "../../keys", "{tenant}"):
        payload = claims(iss=place, tenant=place, jku=place, tid=place)
        text = token(
            payload, key=private("other RS256"), alg="RS256", header={"kid": place, "jku": place, "iss": place}
        )
        refused(world, Reason.BAD_SIGNATURE, token=text)
    assert tripwire == []


@advisory(75, "CVE-2022-39304, CVE-2026-40945, CVE-2021-34532, GHSA-q7cg-43mg-qp69", "ghinstallation, oxia, ASP.NET")
def test_cve_2022_39304_a_token_in_the_log(protect: Protect, caplog: pytest.LogCaptureFixture) -> None:
    """Errors and logs carried the token."""
    caplog.set_level(logging.DEBUG)
    world = protect(audience=AUDIENCE)
    for text in (
        token(),
        token(key=OTHER_SECRET),
        token(claims(exp=1)),
        token() + "A",
        "eyJ.eyJ.eyJ",
        token(header={"kid": "k"}),
    ):
        answer, refusal = send(world, token=text)
        chain = [refusal, refusal.__cause__, refusal.__context__]
        shown = [answer.body.decode(), str(answer.headers), *map(repr, chain), *map(str, chain), *caplog.messages]
        assert not [line for line in shown if "eyJ" in line or text.split(".")[1] in line]
    assert all(record.exc_info is None for record in caplog.records)


@advisory(76, "CVE-2026-44883, CVE-2026-33620", "Portainer, PinchTab")
def test_cve_2026_44883_a_token_in_the_query(protect: Protect) -> None:
    """A token in the query was taken, and so stood in every log and history."""
    query = f"access_token={token()}&token={token()}"
    extra = {"query_string": query.encode(), "QUERY_STRING": query}
    refused(protect(), Reason.MISSING, error="unauthorized", extra=extra)


@advisory(78, "CVE-2019-7644", "Auth0 WCF Service JWT")
def test_cve_2019_7644_the_right_signature_in_the_answer(protect: Protect) -> None:
    """The error told which signature would have been right."""
    world = protect()
    good = token()
    head, _, last = good.rpartition(".")
    answers = {world.request(token=f"{head}.{b64(bytes([n]) * 32)}").body for n in range(5)}
    assert len(answers) == 1
    assert last.encode() not in answers.pop()
    error = refused(world, Reason.BAD_SIGNATURE, token=f"{head}.{b64(bytes(32))}")
    assert error.detail == "no key of ours made this signature"


@advisory(79, "CVE-2021-41106", "lcobucci/jwt")
@pytest.mark.parametrize(
    "secret", [__file__, "file:///run/secrets/jwt-secret-key-file", "/run/secrets/the-key-that-is-not-there-yet"]
)
def test_cve_2021_41106_the_path_of_a_key_as_the_key(protect: Protect, secret: str) -> None:
    """The name of the key's file was used as the secret."""
    with pytest.raises(ConfigurationError, match="is the path of a file, not a secret"):
        protect(secret_key=secret)


@advisory(80, "CVE-2021-21378", "Envoy")
def test_cve_2021_21378_optional_and_of_an_unknown_issuer(protect: Protect) -> None:
    """Where a token was optional, one of an unknown issuer counted as none, and the request passed."""
    world = protect(optional_paths="/feed", issuer=ISSUER)
    assert world.request("/feed").user is ANONYMOUS
    refused(world, Reason.WRONG_ISSUER, path="/feed", token=token(claims(iss="https://evil.example")))
    refused(world, Reason.BAD_SIGNATURE, path="/feed", token=token(claims(iss=ISSUER), key=OTHER_SECRET))
    refused(world, Reason.MALFORMED, path="/feed", token="junk")


@advisory(81, "CVE-2026-50149, CVE-2022-29165", "Contour, Argo CD")
def test_cve_2026_50149_a_path_that_was_not_covered(protect: Protect) -> None:
    """A fallback host was not covered, and elsewhere an anonymous request's claims were believed."""
    world = protect(optional_paths="/open", exempt_paths="/health")
    for host in ("api.example", "unknown.example", "", "127.0.0.1"):
        for mount in ("", "/v1", "/health", "/open"):
            refused(world, Reason.MISSING, error="unauthorized", path="/private", mount=mount, headers=[("Host", host)])
    forged = token(claims(sub="admin", roles=["admin"], iss="argocd"), key=OTHER_SECRET)
    for path in ("/health", "/open"):
        user = world.request(path, headers=[("Cookie", f"token={forged}"), ("X-Token", forged)]).user
        assert (user.identity, dict(user.claims), user.roles, user.granted.scopes) == ("", {}, (), ())
    assert world.request("/health", token=forged).user is ANONYMOUS


@advisory(82, "CVE-2026-82461, CVE-2026-82462", "pac4j-oidc")
def test_cve_2026_82461_roles_of_another_token(protect: Protect) -> None:
    """Roles were read from a second token that nobody had verified."""
    other = token(claims(sub="root", roles=["admin"], scope="all"), key=OTHER_SECRET)
    headers = [("X-Id-Token", other), ("Cookie", f"id_token={other}"), ("X-Forwarded-Access-Token", other)]
    user = protect().request(token=token(claims(roles=["reader"], id_token=other)), headers=headers).user
    assert (user.identity, user.roles, user.scopes) == ("42", ("reader",), ())


# --- 6: HTTP around the token ----------------------------------------------------------------------------------------

OPEN = {"exempt_paths": "/health,/public/**", "optional_paths": "/feed/**"}


@advisory(83, "CVE-2026-48710, PYSEC-2026-248", "Starlette < 1.0.1, < 1.3.0")
@pytest.mark.parametrize(
    "host",
    ["x/public/?", "x/public/x?", "x/health#", "@x/health", "x\\public\\", "health", "/health", "x:80/public/", "?"],
)
def test_cve_2026_48710_a_path_in_the_host(protect: Protect, host: str) -> None:
    """What stood in `Host` became part of the path that was compared."""
    headers = [("Host", host), ("X-Forwarded-Host", host)]
    for path in ("/private", "/@host", "/@x/public/"):
        refused(protect(**OPEN), Reason.MISSING, error="unauthorized", path=path, headers=headers)


TARGETS = [
    (prefix + middle + "private", None)
    for prefix in ("/public", "/public/", "//public/", "/./public/", "/health", "/public/a/")
    for middle in (
        "/../", "//", "/./", ";/", "/..;/", "\\..\\", "/%2e%2e/", "%2f..%2f", "/\x00/", "/\n", "?/../", "#/", "/..%2f",
        "/%252e%252e/", "/.%2e/", "\x7f/", "/..\x00/", "/%u002e%u002e/", "%5c..%5c", "/.%00./",
    )
] + [
    ("/public/x", raw_path)
    for raw_path in (
        b"/public/%2e%2e/private", b"/public%2f..%2fprivate", b"/public/x%00", b"/public/%5c..", b"/public/x%3b",
        b"/public/%252e",
        b"/public/%0a", b"/public/%7f", b"/%2e/public/x", b"/public/%2E%2E/x",
    )
] + [
    (path, None)
    for path in (
        "http://evil/public/x", "//evil/public/x", "///public/x", "public/x", "", "*", "/PUBLIC/x", "/Public/x",
        "/publicx", "/public",
        "/health/", "/health.json", "/healthz", "/HEALTH", "/health ", " /health", "/health\t", "/health\u3000",
        "/x/public/y",
        "/\uff0e\uff0e/public/x", "/public/\uff0e\uff0e/private", "/public/x\uff0f..\uff0fprivate", "/public/x\ufffd",
        "/public/\u2024\u2024/x", "/public/..", "/public/.", "/private?/public/", "/private;/public/x",
        "/private/..;/public/x",
    )
]  # fmt: skip


@advisory(
    84,
    "CVE-2026-22031, CVE-2026-2880, CVE-2026-33804, CVE-2026-14198, CVE-2026-22037, CVE-2026-33808, "
    "CVE-2026-6556, CVE-2026-112362",
    "@fastify/middie, @fastify/express",
)
def test_cve_2026_22031_targets_that_can_be_read_twice(protect: Protect) -> None:
    """The middleware and the router read a path in two ways, so the middleware was skipped."""
    assert len(TARGETS) >= 142
    world = protect(**OPEN)
    assert world.request("/public/x").user is ANONYMOUS
    opened = []
    for path, raw_path in TARGETS:
        answer = world.request(path, raw_path=raw_path)
        if answer.passed or answer.status != 401:
            opened.append((path, raw_path, answer.status))
    assert opened == []


@advisory(85, "CVE-2025-29927", "Next.js")
@pytest.mark.parametrize(
    "name",
    ["X-Middleware-Subrequest", "X-Middleware-Invoke", "X-Middleware-Next", "X-Original-URL", "X-Original-URI",
     "X-Rewrite-URL",
     "X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Forwarded-Host", "X-Forwarded-For", "X-Real-IP",
     "X-Original-Method", "X-HTTP-Method-Override", "X-Method-Override", "X-Script-Name", "X-Host", "Forwarded",
     "X-Auth-Request",
     "X-Internal-Request", "X-Envoy-Original-Path", "X-Accel-Redirect", "X-Sendfile"],
)  # fmt: skip
def test_cve_2025_29927_a_header_that_skips_the_middleware(protect: Protect, name: str) -> None:
    """A header meant for inside told the middleware to step aside."""
    world = protect(**OPEN)
    for value in ("/health", "middleware:middleware:middleware", "OPTIONS", "127.0.0.1", "1"):
        refused(world, Reason.MISSING, error="unauthorized", path="/private", headers=[(name, value)])
        assert world.request("/private", headers=[(name, value)], token=token()).user.identity == "42"


@advisory(86, "CVE-2016-5007, CVE-2022-22978, CVE-2023-34035", "Spring, Shiro and others")
@pytest.mark.parametrize("path", ["/health\n", "/health\r", "/health%0a", "/health ", "/healthx", "/.well-knownx",
                                  "/private.css", "/private/public/x",
                                  "/anything/public/", "/health.css", "/private\n/health", "/privatehealth",
                                  "/health/x"])  # fmt: skip
def test_cve_2016_5007_patterns_that_match_too_much(protect: Protect, path: str) -> None:
    """White space, line ends, prefixes without a slash, parts and suffixes opened paths."""
    refused(protect(exempt_paths="/health,/public/**,/.well-known/**"), Reason.MISSING, error="unauthorized", path=path)
    with pytest.raises(ConfigurationError, match="JWT_EXEMPT_PATHS"):
        protect(exempt_paths="/**")


@advisory(87, "CVE-2026-3902, CVE-2015-0219", "Django, gunicorn")
@pytest.mark.parametrize(
    "name", ["Remote_User", "REMOTE-USER", "X_Auth_User", "X-User", "Auth_Type", "X_Remote_User", "jwt_middleware.user"]
)
def test_cve_2026_3902_underscores_and_hyphens(protect: Protect, name: str) -> None:
    """`_` and `-` in the name of a header became the same, so one could be put for the other."""
    world = protect(optional_paths="/optional")
    anonymous = world.request("/optional", headers=[(name, "root")])
    assert (anonymous.user, anonymous.seen[0].current) == (ANONYMOUS, ANONYMOUS)
    assert anonymous.seen[0].surroundings.get("REMOTE_USER") is None
    preset = {
        "REMOTE_USER": "root",
        "AUTH_TYPE": "Basic",
        "jwt_middleware.user": "root",
        "user": "root",
        "auth": "root",
    }
    seen = world.request("/optional", headers=[(name, "root")], token=token(), extra=preset).seen[0]
    assert (seen.user.identity, seen.current.identity) == ("42", "42")
    if world.name == "wsgi":
        assert (seen.surroundings["REMOTE_USER"], seen.surroundings["AUTH_TYPE"]) == ("42", "Bearer")
    odd = [("Authorization_", f"Bearer {token()}"), ("_Authorization", f"Bearer {token()}")]
    refused(world, Reason.MISSING, error="unauthorized", headers=odd)


@advisory(88, "CVE-2024-45410, CVE-2024-45806", "Traefik, Envoy")
def test_cve_2024_45410_headers_of_a_proxy(protect: Protect) -> None:
    """Headers that a proxy sets could be dropped, by `Connection`, or sent by anybody."""
    world = protect(require_https=True, trusted_proxies="10.0.0.1")
    spoofed = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "10.0.0.1"), ("Connection", "X-Forwarded-Proto")]
    where = {"status": 400, "error": "invalid_request", "token": token()}
    refused(world, Reason.INSECURE_TRANSPORT, headers=spoofed, peer="203.0.113.9", **where)
    refused(world, Reason.INSECURE_TRANSPORT, headers=spoofed[1:], peer="10.0.0.1", **where)
    headers = [("X-Forwarded-User", "root"), ("X-Forwarded-Groups", "admin"), ("X-Forwarded-Email", "root@x")]
    user = protect().request(token=token(), headers=headers).user
    assert (user.identity, user.roles) == ("42", ())


@advisory(
    89,
    "CVE-2019-16785, CVE-2019-16786, CVE-2019-16789, CVE-2019-16792, CVE-2022-24761, CVE-2024-6827, CVE-2023-47627",
    "waitress, gunicorn, aiohttp",
)
def test_cve_2019_16785_nothing_is_kept_per_connection(protect: Protect) -> None:
    """A request was smuggled behind another: nothing of the first may help the second."""
    world = protect(optional_paths="/optional")
    for _ in range(3):
        assert world.request(token=token()).user.identity == "42"
        refused(world, Reason.MISSING, error="unauthorized")
        after = world.request("/optional")
        assert (after.user, after.seen[0].current) == (ANONYMOUS, ANONYMOUS)
    smuggled = f"Bearer {token()}\r\n\r\nGET /admin HTTP/1.1"
    where = {"status": 400, "error": "invalid_request"}
    refused(world, Reason.MALFORMED_CREDENTIAL, headers=[("Authorization", smuggled)], **where)


@advisory(90, "CVE-2023-23934, CVE-2020-28724", "Werkzeug")
def test_cve_2023_23934_nameless_cookies_and_double_slashes(protect: Protect) -> None:
    """A cookie without a name was read as another one; `//` led to another host."""
    world = protect(**OPEN)
    for cookie in ("=access_token={0}", "=__Host-access_token={0}", "access_token={0}", "==access_token={0}"):
        refused(world, Reason.MISSING, error="unauthorized", headers=[("Cookie", cookie.format(token()))])
    for path in ("//public/x", "//evil.example/public/x", "/public//x", "//health"):
        refused(world, Reason.MISSING, error="unauthorized", path=path)


@advisory(91, "CVE-2020-7694, CVE-2024-45808, CVE-2020-7695, CVE-2018-1000164", "uvicorn, Envoy, gunicorn")
@pytest.mark.parametrize(
    "odd", ["\r\n401 forged", "\x1b[2J\x1b]0;x\x07", "\u202e", "\x00", "\x85next", "\u2028line", "%0d%0a"]
)
def test_cve_2020_7694_lines_that_a_client_writes(protect: Protect, odd: str, caplog: pytest.LogCaptureFixture) -> None:
    """Control characters of a request forged lines of the log, or headers of the answer."""
    world = protect(issuer=ISSUER)
    for text in (
        token(claims(iss=odd)),
        token(header={"kid": odd, "alg": odd}),
        token(header={"typ": odd}),
        token(claims(sub=5, x=odd)),
    ):
        answer = world.request(f"/a{odd}", token=text, method=f"GET{odd}")
        assert not any(char in value for _, value in answer.headers for char in "\r\n\x00\x1b")
    assert len(caplog.messages) == 4
    for line in caplog.messages:
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 600


@advisory(92, "no CVE", "flask-jwt-extended, Kong's jwt plugin")
def test_expiry_is_verified_by_default(protect: Protect) -> None:
    """Kong looks at `exp` and `nbf` only if it is told to: ours are looked at whatever is set."""
    world = protect()
    refused(world, Reason.EXPIRED, token=token(claims(exp=IAT - 60)))
    refused(world, Reason.NOT_YET_VALID, token=token(claims(nbf=IAT + 60)))
    refused(world, Reason.MISSING_CLAIM, token=token(claims(exp=...)))
    assert NOW == IAT
    for name in DECLARATIONS:
        assert name not in ("verify_exp", "verify_claims", "claims_to_verify")


# --- the catalogue itself --------------------------------------------------------------------------------------------

COUNT = 92


def catalogue() -> dict[int, tuple[str, str, str, list[str]]]:
    """Return what is tested here: number → ids, where, what happened, names of the tests."""
    found: dict[int, tuple[str, str, str, list[str]]] = {}
    for name, test in globals().items():
        if name.startswith("test_") and hasattr(test, "advisory"):
            number, ids, where = test.advisory
            assert number not in found, f"{number} stands twice"
            found[number] = (ids, where, (test.__doc__ or "").strip(), [name])
    return found


def test_every_advisory_is_tested_or_explained() -> None:
    """Each of the 92 has a test, or a reason why it cannot be ours; none has both."""
    tested = catalogue()
    assert not tested.keys() & DO_NOT_APPLY.keys()
    assert sorted(tested.keys() | DO_NOT_APPLY.keys()) == list(range(1, COUNT + 1))
    assert all(reason.endswith(".") and what for _, _, what, reason in DO_NOT_APPLY.values())
    for ids, where, what, (name,) in tested.values():
        first = ids.partition(",")[0].lower().replace("-", "_")
        assert where
        assert what.endswith(".")
        assert not first.startswith("cve") or any(
            f"test_{one}_" in name for one in ids.lower().replace("-", "_").split(", ")
        ), name
