"""Keys: typed once, bound to one algorithm, and refused when they could not keep what a signature promises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from jwt_middleware import InvalidToken, Reason
from jwt_middleware.token import formats, jws, keys, secrets
from jwt_middleware.token.keys import Key, KeyProblem, KeySet
from tests.token.forge import (
    ASYMMETRIC,
    CURVES,
    HMAC,
    LONG_SECRET,
    RSA,
    b64,
    jwk,
    private,
    private_pem,
    public_bytes,
    public_pem,
)

SECRET_BYTES = LONG_SECRET.encode()


def pem_of(key: Any) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


# --- binding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("RS256", ("RS256",)),
        ("ES256", ("ES256",)),
        ("ES384", ("ES384",)),
        ("ES512", ("ES512",)),
        ("EdDSA", ("EdDSA", "Ed25519")),
    ],
)
def test_a_key_is_bound_to_the_default_of_its_type(kind: str, names: tuple[str, ...]) -> None:
    """Without a word about algorithms a key gets the one of its type, in PEM and in JWK alike."""
    assert formats.from_pem(public_pem(kind), ()).names == names
    assert formats.from_pem(private_pem(kind), ()).names == names
    assert formats.from_jwk(jwk(kind), ()).names == names


@pytest.mark.parametrize("alg", HMAC)
def test_a_secret_is_bound_to_the_named_hash(alg: str) -> None:
    """`JWT_ALGORITHMS` chooses the hash of a secret; without it HS256."""
    assert keys.from_secret(SECRET_BYTES, (alg,)).names == (alg,)
    assert keys.from_secret(SECRET_BYTES, ()).names == ("HS256",)


@pytest.mark.parametrize("alg", RSA)
def test_an_rsa_key_takes_the_named_algorithm(alg: str) -> None:
    """B9: an RSA key can do six algorithms and is bound to the one that is named, by setting or by its own `alg`."""
    assert formats.from_pem(public_pem("RS256"), (alg,)).names == (alg,)
    assert formats.from_jwk(jwk("RS256", alg=alg), ()).names == (alg,)
    assert formats.from_jwk(jwk("RS256", alg=alg), (alg, "ES256")).names == (alg,)


def test_the_jwks_own_alg_wins_and_must_be_accepted() -> None:
    """CVE-2026-48523: a JWK for RS256 is never used for PS256, even where both are allowed."""
    assert formats.from_jwk(jwk("RS256", alg="RS256"), ("RS256", "PS256")).names == ("RS256",)
    with pytest.raises(KeyProblem, match="JWT_ALGORITHMS"):
        formats.from_jwk(jwk("RS256", alg="PS256"), ("RS256",))


def test_a_key_that_fits_several_named_algorithms_is_refused() -> None:
    """B9, RFC 8725 section 3.1: one key, one algorithm; we do not choose for the operator."""
    with pytest.raises(KeyProblem, match="fits several of JWT_ALGORITHMS \\(RS256, PS256\\)"):
        formats.from_pem(public_pem("RS256"), ("RS256", "PS256"))
    with pytest.raises(KeyProblem, match="fits several"):
        keys.from_secret(SECRET_BYTES, ("HS256", "HS512"))


@pytest.mark.parametrize("allowed", [("EdDSA",), ("Ed25519",), ("EdDSA", "Ed25519"), ("Ed25519", "EdDSA"), ()])
def test_eddsa_and_ed25519_are_two_names_of_one_algorithm(allowed: tuple[str, ...]) -> None:
    """B18, RFC 9864: an Ed25519 key answers to both names, whichever was configured."""
    for key in (formats.from_pem(public_pem("EdDSA"), allowed), formats.from_jwk(jwk("EdDSA", alg="Ed25519"), allowed)):
        assert set(key.names) == {"EdDSA", "Ed25519"}


@pytest.mark.parametrize(
    ("kind", "alg"),
    [(kind, alg) for kind in ("RS256", *CURVES, "EdDSA") for alg in (*HMAC, *ASYMMETRIC, "none", "ES256K", "Ed448")],
)
def test_a_key_is_never_bound_to_an_algorithm_of_another_type(kind: str, alg: str) -> None:
    """B8, CVE-2022-23541: kty and crv decide what a key can do; neither a setting nor its own `alg` can change that."""
    fits = {"RS256": set(RSA), "EdDSA": {"EdDSA", "Ed25519"}}.get(kind, {kind})
    if alg in fits:
        assert alg in formats.from_pem(public_pem(kind), (alg,)).names
        return
    with pytest.raises(KeyProblem, match="does not fit JWT_ALGORITHMS"):
        formats.from_pem(public_pem(kind), (alg,))
    with pytest.raises(KeyProblem, match="does not fit its type"):
        formats.from_jwk(jwk(kind, alg=alg), ())


@pytest.mark.parametrize("alg", [*ASYMMETRIC, "none", "hs256", ""])
def test_a_secret_is_for_hmac_alone(alg: str) -> None:
    """A secret never becomes a key of another kind."""
    with pytest.raises(KeyProblem, match="does not fit JWT_ALGORITHMS"):
        keys.from_secret(SECRET_BYTES, (alg,))


# --- strength --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alg", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_as_long_as_its_hash(alg: str, least: int) -> None:
    """B13, RFC 7518 section 3.2: one byte less is refused, and the length is told, not the secret."""
    assert keys.from_secret(SECRET_BYTES[:least], (alg,)).public == SECRET_BYTES[:least]
    with pytest.raises(KeyProblem, match=f"is {least - 1} bytes long, {alg} needs {least}") as caught:
        keys.from_secret(SECRET_BYTES[: least - 1], (alg,))
    assert LONG_SECRET[:8] not in str(caught.value)


def test_rsa_below_2048_bits_is_refused() -> None:
    """B15, RFC 7518 section 3.3: 1024 bits verify nothing, from PEM or JWK, public or private."""
    for read in (
        lambda: formats.from_pem(public_pem("RSA-1024"), ()),
        lambda: formats.from_pem(private_pem("RSA-1024"), ()),
        lambda: formats.from_jwk(_rsa_1024_jwk(), ()),
    ):
        with pytest.raises(KeyProblem, match="has 1024 bits"):
            read()


def _rsa_1024_jwk() -> dict[str, str]:
    numbers = private("RSA-1024").public_key().public_numbers()
    return {"kty": "RSA", "n": b64(numbers.n.to_bytes(128, "big")), "e": "AQAB"}


SMALL_ORDER = {
    "order-4-y-is-0": "00" * 32,
    "order-1-y-is-1": "01" + "00" * 31,
    "order-8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order-8-other": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order-2-y-is-minus-1": "ec" + "ff" * 30 + "7f",
    "non-canonical-0": "ed" + "ff" * 30 + "7f",
    "non-canonical-1": "ee" + "ff" * 30 + "7f",
}


@pytest.mark.parametrize("sign_bit", [0, 0x80], ids=["even", "odd"])
@pytest.mark.parametrize("y", SMALL_ORDER.values(), ids=SMALL_ORDER)
def test_ed25519_points_of_small_order_are_refused(y: str, sign_bit: int) -> None:
    """Threat 37: with such a key the signature `R = identity, S = 0` verifies any message."""
    raw = bytearray.fromhex(y)
    raw[31] |= sign_bit
    with pytest.raises(KeyProblem):
        formats.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(raw))}, ())
    try:
        pem = pem_of(Ed25519PublicKey.from_public_bytes(bytes(raw)))
    except ValueError:  # a cryptography that refuses the point itself
        return
    with pytest.raises(KeyProblem):
        formats.from_pem(pem, ())


@pytest.mark.parametrize("octet", range(0, 256, 51))
def test_ordinary_ed25519_points_are_not_refused(octet: int) -> None:
    """Only the points of small order are refused, not the points that look a little like them."""
    key = formats.from_pem(public_pem("EdDSA"), ())
    raw = key.public.public_bytes_raw()
    assert raw[:31].hex() not in {y[:62] for y in SMALL_ORDER.values()}
    message = bytes([octet]) * 10
    assert key.verifies(message, private("EdDSA").sign(message))
    assert not key.verifies(message, b"\x01" + b"\x00" * 63)


FOREIGN: dict[str, Any] = {
    "secp256k1": lambda: private("secp256k1").public_key(),
    "secp224r1": lambda: ec.generate_private_key(ec.SECP224R1()).public_key(),
    "brainpool": lambda: ec.generate_private_key(ec.BrainpoolP256R1()).public_key(),
    "Ed448": lambda: ed448.Ed448PrivateKey.generate().public_key(),
    "X25519": lambda: x25519.X25519PrivateKey.generate().public_key(),
    "DSA": lambda: dsa.generate_private_key(1024).public_key(),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_keys_of_kinds_that_sign_no_tokens_are_refused(make: Any) -> None:
    """secp256k1, Ed448, X25519, DSA and odd curves are read by cryptography, and refused by us."""
    with pytest.raises(KeyProblem, match=r"of a kind that signs no tokens|not a PEM key"):
        formats.from_pem(pem_of(make()), ())


def test_es256k_is_not_es256() -> None:
    """B8: a secp256k1 JWK is refused, under its own name and under P-256's."""
    numbers = private("secp256k1").public_key().public_numbers()
    members = {"kty": "EC", "x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}
    with pytest.raises(KeyProblem, match="of a kind that signs no tokens"):
        formats.from_jwk(members | {"crv": "secp256k1"}, ())
    with pytest.raises(KeyProblem, match="not on its curve"):
        formats.from_jwk(members | {"crv": "P-256"}, ())


# --- PEM -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param("", id="empty"),
        pytest.param("hello", id="no-pem"),
        pytest.param("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", id="junk-inside"),
        pytest.param("-----BEGIN PUBLIC KEY-----", id="cut-off"),
        pytest.param("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", id="junk-certificate"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", id="junk-private-key"),
        pytest.param("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA", id="ssh"),
        pytest.param("é\ud800"[:1] * 50, id="not-ascii"),
        pytest.param("-----BEGIN PGP PUBLIC KEY BLOCK-----\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----", id="pgp"),
    ],
)
def test_what_is_no_pem_key_is_a_problem_not_an_exception(pem: str) -> None:
    """Whatever cryptography raises, we say one sentence that quotes nothing."""
    with pytest.raises(KeyProblem, match="is not a PEM key that we understand") as caught:
        formats.from_pem(pem, ())
    assert caught.value.__cause__ is None


def test_an_encrypted_private_key_says_so() -> None:
    """The most common mistake with private keys has its own sentence."""
    pem = private("ES256").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    with pytest.raises(KeyProblem, match="without a passphrase"):
        formats.from_pem(pem.decode(), ())


@pytest.mark.parametrize("format_", ["PKCS8", "TraditionalOpenSSL"])
@pytest.mark.parametrize("kind", ["RS256", "ES256"])
def test_private_keys_in_either_pem_form_are_read(kind: str, format_: str) -> None:
    """`BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY` and `BEGIN EC PRIVATE KEY` are the same key."""
    pem = private(kind).private_bytes(
        serialization.Encoding.PEM, getattr(serialization.PrivateFormat, format_), serialization.NoEncryption()
    )
    assert formats.from_pem(pem.decode(), ()).kid == formats.from_pem(public_pem(kind), ()).kid


def test_pkcs1_public_keys_are_read() -> None:
    """`BEGIN RSA PUBLIC KEY` is a public key too."""
    pem = public_bytes("RS256", format_=serialization.PublicFormat.PKCS1).decode()
    assert formats.from_pem(pem, ()).kid == formats.from_pem(public_pem("RS256"), ()).kid


def test_white_space_around_a_pem_does_not_matter() -> None:
    """A PEM pasted with blank lines and spaces around it, or with CRLF, is the same key."""
    pem = public_pem("ES256")
    expected = formats.from_pem(pem, ()).kid
    assert formats.from_pem(f"\n  {pem}\n\n", ()).kid == expected
    assert formats.from_pem(pem.replace("\n", "\r\n"), ()).kid == expected


# --- JWK -------------------------------------------------------------------------------------------------------------

BAD_JWKS: dict[str, dict[str, Any]] = {
    "B20-no-kty": {"n": "AQAB", "e": "AQAB"},
    "B20-unknown-kty": {"kty": "LWE"},
    "CVE-2026-102266-oct-empty": {"kty": "oct", "k": ""},
    "CVE-2026-102266-oct": {"kty": "oct", "k": b64(SECRET_BYTES)},
    "B20-rsa-without-n": {"kty": "RSA", "e": "AQAB"},
    "B20-rsa-n-is-a-number": {"kty": "RSA", "n": 5, "e": "AQAB"},
    "B20-rsa-n-is-a-list": {"kty": "RSA", "n": [], "e": "AQAB"},
    "B20-rsa-n-is-empty": {"kty": "RSA", "n": "", "e": "AQAB"},
    "B20-rsa-n-is-no-base64": {"kty": "RSA", "n": "!!!!", "e": "AQAB"},
    "B20-kty-is-a-list": {"kty": ["RSA"]},
    "B20-kty-is-an-object": {"kty": {}},
    "B20-kty-in-another-case": {"kty": "rsa"},
    "B17-point-off-the-curve": {"kty": "EC", "crv": "P-256", "x": b64(b"\1" * 32), "y": b64(b"\1" * 32)},
    "B17-point-at-infinity": {"kty": "EC", "crv": "P-256", "x": b64(b"\0" * 32), "y": b64(b"\0" * 32)},
    "B20-ec-without-curve": {"kty": "EC", "x": "AAAA", "y": "AAAA"},
    "B20-ec-unknown-curve": {"kty": "EC", "crv": "P-999", "x": "AAAA", "y": "AAAA"},
    "B20-ec-short": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
    "B20-okp-short": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
    "B20-okp-unknown-curve": {"kty": "OKP", "crv": "Ed1", "x": b64(b"\2" * 32)},
    "okp-x25519": {"kty": "OKP", "crv": "X25519", "x": b64(b"\2" * 32)},
}


@pytest.mark.parametrize("members", BAD_JWKS.values(), ids=BAD_JWKS)
def test_a_bad_jwk_is_a_problem_of_ours(members: dict[str, Any]) -> None:
    """CVE-2026-102274: whatever is wrong with a JWK, it is a `KeyProblem`, so its siblings can live on."""
    with pytest.raises(KeyProblem):
        formats.from_jwk(members, ())


WRONG_PURPOSE: dict[str, dict[str, Any]] = {
    "B19-use-enc": {"use": "enc"},
    "B19-use-unknown": {"use": "signature"},
    "B19-use-in-another-case": {"use": "SIG"},
    "B19-use-null": {"use": None},
    "B19-use-list": {"use": ["sig"]},
    "B19-key-ops-encrypt": {"key_ops": ["encrypt"]},
    "B19-key-ops-sign-only": {"key_ops": ["sign"]},
    "B19-key-ops-empty": {"key_ops": []},
    "B19-key-ops-text": {"key_ops": "verify"},
    "B19-key-ops-null": {"key_ops": None},
    "B19-key-ops-object": {"key_ops": {"verify": True}},
    "kid-number": {"kid": 5},
    "kid-list": {"kid": ["a"]},
    "kid-object": {"kid": {}},
    "alg-list": {"alg": ["RS256"]},
    "alg-number": {"alg": 5},
    "alg-none": {"alg": "none"},
    "alg-HS256": {"alg": "HS256"},
    "alg-encryption": {"alg": "RSA-OAEP-256"},
}


@pytest.mark.parametrize("members", WRONG_PURPOSE.values(), ids=WRONG_PURPOSE)
def test_a_jwk_for_another_purpose_never_verifies(members: dict[str, Any]) -> None:
    """B19: `use`, `key_ops` and `alg` say what a key is for; a good key with a bad one of them is refused."""
    with pytest.raises(KeyProblem):
        formats.from_jwk(jwk("RS256", **members), ())


@pytest.mark.parametrize(
    "members",
    [
        {"use": "sig"},
        {"key_ops": ["verify"]},
        {"key_ops": ["sign", "verify"]},
        {"x5c": ["AAAA"], "unknown": {"a": [1]}},
        {"kid": "a/../b\u0000", "alg": "RS256"},
    ],
    ids=str,
)
def test_unknown_members_and_the_right_purpose_are_fine(members: dict[str, Any]) -> None:
    """B20, RFC 7517 section 5: what we do not know is ignored."""
    assert formats.from_jwk(jwk("RS256", **members), ()).names == ("RS256",)


def test_the_private_part_of_a_jwk_is_dropped() -> None:
    """A JWK Set verifies: a private key that was put into it by mistake neither signs nor is kept."""
    key = formats.from_jwk(jwk("ES256", d=b64(b"\x01" * 32)), ())
    assert key.private is None
    assert not hasattr(key.public, "private_numbers")


def test_what_we_publish_is_what_others_read() -> None:
    """A key that goes out as a JWK comes back as itself, with no private member."""
    for kind in ("RS256", *CURVES, "EdDSA"):
        key = formats.from_pem(private_pem(kind), (), kid="k1")
        published = formats.to_jwk(key)
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & published.keys()
        again = formats.from_jwk(published, ())
        assert (again.kid, again.names[0]) == ("k1", key.names[0])
        assert formats.thumbprint(again.public) == formats.thumbprint(key.public)


def test_thumbprints_are_those_of_rfc_7638() -> None:
    """The example of RFC 7638 section 3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn"
        "jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6q"
        "MQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awap"
        "JzKnqDKgw"
    )
    key = formats.from_jwk({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"}, ())
    assert key.kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


# --- the choice ------------------------------------------------------------------------------------------------------


def key(alg: str, kid: str | None = None) -> Key:
    return formats.from_jwk(jwk(alg, alg=alg) | ({"kid": kid} if kid else {}), ())


def test_a_kid_names_its_key_and_no_other() -> None:
    """A token that names a key gets that key alone."""
    one, two = key("RS256", "one"), key("RS256", "two")
    assert KeySet([one, two]).candidates("RS256", "two") == [two]


def test_without_a_kid_every_fitting_key_is_tried() -> None:
    """A token that names none may be any key's of its algorithm."""
    keyset = KeySet([key("RS256", "one"), key("RS256", "two"), key("ES256", "three")])
    assert [k.kid for k in keyset.candidates("RS256", None)] == ["one", "two"]


def test_a_loose_key_takes_any_kid() -> None:
    """A key that was configured without a `kid` verifies tokens that name one, whatever they call it."""
    loose = key("RS256")
    assert KeySet([loose, key("ES256", "e")]).candidates("RS256", "whatever") == [loose]


def evidence(keyset: KeySet, alg: str, kid: str | None) -> tuple[Reason, str]:
    with pytest.raises(InvalidToken) as caught:
        keyset.candidates(alg, kid)
    return caught.value.reason, caught.value.detail


def test_the_choice_says_why_it_is_empty() -> None:
    """The reasons tell a wrong algorithm from an unknown key, and name what we have."""
    keyset = KeySet([key("RS256", "one"), key("ES256", "two")])
    assert evidence(keyset, "HS256", None) == (Reason.WRONG_ALGORITHM, "token has alg='HS256', accepted: ES256,RS256")
    assert evidence(keyset, "rs256", "one")[0] is Reason.WRONG_ALGORITHM
    assert evidence(keyset, "ES256", "one") == (Reason.WRONG_ALGORITHM, "token has alg='ES256', its key is for RS256")
    assert evidence(keyset, "RS256", "three") == (
        Reason.UNKNOWN_KEY,
        "token has kid='three', known: ['one', 'two']",
    )


def test_one_token_makes_us_check_few_signatures() -> None:
    """A token without a `kid` against many keys would cost a signature check for each: it must name its key."""
    few = KeySet([key("RS256", str(i)) for i in range(keys.MAX_CANDIDATES)])
    many = KeySet([key("RS256", str(i)) for i in range(keys.MAX_CANDIDATES + 1)])
    assert len(few.candidates("RS256", None)) == keys.MAX_CANDIDATES
    assert evidence(many, "RS256", None)[0] is Reason.UNKNOWN_KEY
    assert len(many.candidates("RS256", "1")) == 1


def test_a_key_does_not_show_itself() -> None:
    """A key in a traceback, a log line or a debugger's list shows neither secret nor key."""
    shown = repr(keys.from_secret(SECRET_BYTES, ()))
    assert "HS256" in shown
    assert LONG_SECRET not in shown
    assert repr(formats.from_pem(private_pem("ES256"), ())).count("object at") == 1


@pytest.mark.parametrize("kind", formats.GENERATED)
def test_generated_keys_are_read_back(kind: str) -> None:
    """A key that `keys new` makes is bound to the algorithm it was made for."""
    assert formats.from_pem(formats.generate(kind).decode(), (kind,)).names[0] == kind


@pytest.mark.parametrize("kind", ["RS256", "ES256", "ES512", "EdDSA"])
def test_the_public_half_is_written_without_the_private_one(kind: str) -> None:
    """A key that signs no more keeps what verifies, and nothing else."""
    key = formats.from_pem(private_pem(kind), ())
    written = formats.public_pem(key).decode()
    again = formats.from_pem(written, ())
    assert "PRIVATE" not in written
    assert (again.private, again.kid, again.names) == (None, key.kid, key.names)


# --- secrets that are none -------------------------------------------------------------------------------------------

_PEM = public_pem("RS256")
_BODY = "\n".join(_PEM.splitlines()[1:-1])
_DER = public_bytes("RS256", serialization.Encoding.DER)
_SSH = public_bytes("EdDSA", serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
_SSH_EC = public_bytes("ES256", serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
_JWK = json.dumps(jwk("RS256"))
PUBLIC_KEYS: dict[str, bytes] = {
    "CVE-2015-9235-pem": _PEM.encode(),
    "CVE-2017-11424-pkcs1-pem": public_bytes("RS256", format_=serialization.PublicFormat.PKCS1),
    "CVE-2022-29217-ssh-ed25519": _SSH,
    "CVE-2022-29217-ecdsa-sha2": _SSH_EC,
    "CVE-2022-29217-ssh-without-its-type": _SSH.split()[1],
    "CVE-2026-48526-jwk": json.dumps(jwk("RS256"), separators=(",", ":")).encode(),
    "CVE-2026-48526-jwk-pretty": json.dumps(jwk("ES256"), indent=4).encode(),
    "CVE-2026-48526-jwk-okp": json.dumps(jwk("EdDSA")).encode(),
    "CVE-2026-102273-jwks": json.dumps({"keys": [jwk("RS256")]}).encode(),
    "CVE-2026-102273-array": json.dumps([jwk("RS256")]).encode(),
    "CVE-2026-102273-nested": json.dumps({"a": {"b": [jwk("RS256")]}}).encode(),
    "CVE-2026-102272-jwk-with-bom": b"\xef\xbb\xbf" + _JWK.encode(),
    "CVE-2026-102271-der": _DER,
    "CVE-2026-102271-der-pkcs1": public_bytes("RS256", serialization.Encoding.DER, serialization.PublicFormat.PKCS1),
    "CVE-2026-102271-der-ec": public_bytes("ES256", serialization.Encoding.DER),
    "CVE-2026-102271-base64-of-der": _BODY.replace("\n", "").encode(),
    "CVE-2026-102271-base64url-of-der": b64(_DER).encode(),
    "CVE-2026-102271-base64-of-pem": b64(_PEM).encode(),
    "CVE-2026-102268-pem-crlf": _PEM.replace("\n", "\r\n").encode(),
    "CVE-2026-102268-pem-on-one-line": _PEM.replace("\n", "").encode(),
    "CVE-2026-102268-pem-with-spaces": _PEM.replace("\n", " ").encode(),
    "CVE-2026-102268-pem-with-literal-line-ends": _PEM.replace("\n", "\\n").encode(),
    "CVE-2026-102268-pem-without-its-frame": _BODY.encode(),
    "CVE-2026-102268-pem-with-bom": b"\xef\xbb\xbf" + _PEM.encode(),
    "private-pem": private_pem("RS256").encode(),
    "certificate": b"-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUYyY\n-----END CERTIFICATE-----",
}


@pytest.mark.parametrize("secret", PUBLIC_KEYS.values(), ids=PUBLIC_KEYS)
def test_a_key_in_any_clothes_is_no_secret(secret: bytes) -> None:
    """What others can read makes no secret: in the spellings of twelve CVEs, a public key is refused as one."""
    assert "not a secret" in str(secrets.objection(secret))


PLACEHOLDERS = [
    "changeme" * 4,
    "Change-Me-Please-1234-5678-9012-abcd",
    "your-256-bit-secret-your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "my-32-character-ultra-secure-and-ultra-long-secret",
    "django-insecure-gq+n8v4fj1u%1m2&qh3z!x",
    "SECRET_KEY_REPLACE_ME_IN_PRODUCTION_X",
    "super-secret-key-please-use-another-one",
    "this is a very secret key, is it not so?",
    "secret-key-for-development-only-98765",
    "jwt-secret-key-jwt-secret-key-98765x",
    "dev-secret-do-not-use-in-production-x",
    "insecure-development-secret-98765-xyz",
    "P4ssword-Password-P4ssw0rd-Passw0rd!",
    "12345678901234567890123456789012",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "qwertyuiopasdfghjklzxcvbnmqwertyuiop",
    "a" * 40,
    "ab" * 20,
    "0123456" * 6,
    "\0" * 32,
    "kJ8s" * 10,
]


@pytest.mark.parametrize("secret", PLACEHOLDERS)
def test_placeholders_and_patterns_are_no_secrets(secret: str) -> None:
    """CVE-2023-22463: what stands in a tutorial, or repeats itself, anybody can guess."""
    objection = secrets.objection(secret.encode())
    assert objection is not None
    assert "jwt-middleware keys new" in objection
    assert secret not in objection


@pytest.mark.parametrize(
    "secret",
    ["/etc/hostname", "/etc/passwd", "file:///run/secrets/jwt", "/run/secrets/jwt-not-mounted-yet", "./secret.key"],
)
def test_the_path_of_a_file_is_no_secret(secret: str) -> None:
    """CVE-2021-41106: a path was meant for `JWT_SECRET_KEY_FILE`; it is refused even when the file is not there yet."""
    assert secrets.objection(secret.encode()) == "is the path of a file, not a secret: use JWT_SECRET_KEY_FILE"


def test_good_secrets_pass() -> None:
    """Random secrets in every usual spelling are not mistaken for something else."""
    import base64
    import random

    chance = random.Random(7)
    for size in (32, 48, 64):
        for _ in range(300):
            raw = chance.randbytes(size)
            spellings = raw.hex().encode(), base64.b64encode(raw), base64.urlsafe_b64encode(raw), jws.encode(raw)
            assert [secrets.objection(spelling) for spelling in (raw, *spellings)] == [None] * 5
