"""B: the signed token itself, from its two periods to its type (RFC 7515 to 7519, RFC 8725 and its successor).

Every test here is named by the row of `docs/conformance.md` that it shows.
"""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from jwt_middleware import ConfigurationError, Reason
from jwt_middleware.settings import DECLARATIONS
from jwt_middleware.token import formats
from jwt_middleware.token.keys import KeyProblem
from tests.conformance.evidence import FULL, STRICT, public, refused
from tests.token.forge import (
    AUDIENCE,
    CURVES,
    HMAC,
    ISSUER,
    LONG_SECRET,
    OTHER_SECRET,
    RSA,
    b64,
    claims,
    compact,
    dumps,
    jwk,
    jwks_file,
    private,
    private_pem,
    public_pem,
    sign,
    token,
)
from tests.worlds import SECRET, World

Protect = Callable[..., World]

HEADER = b64(dumps({"alg": "HS256", "typ": "JWT"}))
GOOD = dumps(claims())


def raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def by_set(folder: Path, *entries: Any, **settings: Any) -> dict[str, Any]:
    """Return the settings that verify by a JWK Set."""
    return {"jwks_file": jwks_file(folder, *entries), "allow_any_audience": True} | settings


@pytest.mark.parametrize("form", ["{h}", "{h}.{p}", "{h}..{s}", ".{p}.{s}", "{h}.{p}.", "..", "{h}.{p}.{s}.",
                                  "{h}.{p}.{s}.{s}", ".{h}.{p}.{s}", "{h}..{p}.{s}", "{h}.{p}.{s}.{s}.{s}",
                                  "....", "."])  # fmt: skip
def test_b1_a_token_has_exactly_three_parts(protect: Protect, form: str) -> None:
    """Two periods, and something between and around them."""
    h, p, s = token().split(".")
    error = refused(protect(), Reason.MALFORMED, token=form.format(h=h, p=p, s=s))
    assert error.detail.startswith("a signed token has three parts")


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize("change", ["{}=", "{}==", "+{}", "{}/", "{}~"])
def test_b2_a_part_is_canonical_base64url(protect: Protect, part: int, change: str) -> None:
    """No padding, no character of another alphabet, though the signature is right for that very text."""
    parts = token().split(".")
    parts[part] = change.format(parts[part])
    if part < 2:
        parts[2] = b64(sign(f"{parts[0]}.{parts[1]}", "HS256", SECRET))
    if "=" in change and part < 2:
        where = {"status": 400, "error": "invalid_request"}  # such a text is not even a b64token
        refused(protect(), Reason.MALFORMED_CREDENTIAL, token=".".join(parts), **where)
    else:
        refused(protect(), Reason.MALFORMED, token=".".join(parts))


def test_b2_stray_bits_are_refused(protect: Protect) -> None:
    """The last character of a part may not carry bits that no byte holds: a token has one spelling."""
    head, _, good = token().rpartition(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = good[:-1] + alphabet[alphabet.index(good[-1]) + 1]
    assert raw(other) == raw(good)
    error = refused(protect(), Reason.MALFORMED, token=f"{head}.{other}")
    assert error.detail == "a part is not canonical base64url"


@pytest.mark.parametrize("space", [" ", "\t", "\r\n", "\n", "\x0b", "\u00a0"])
def test_b2_white_space_makes_no_token(protect: Protect, space: str) -> None:
    """White space and line breaks inside are not skipped: the header is not one token."""
    h, p, s = token().split(".")
    for text in (f"{h}{space}.{p}.{s}", f"{h}.{p[:9]}{space}{p[9:]}.{s}", f"{h}.{p}.{space}{s}"):
        refused(protect(), Reason.MALFORMED_CREDENTIAL, status=400, error="invalid_request", token=text)


@pytest.mark.parametrize("form", ["flattened", "general", "no-signatures"])
def test_b2_the_json_serialization_is_no_token(protect: Protect, form: str) -> None:
    """A JWS written as JSON is no bearer token, and encoded as one it is no compact one."""
    h, p, s = token().split(".")
    one = {"protected": h, "signature": s}
    text = dumps(
        {"payload": p} | {"flattened": one, "general": {"signatures": [one]}, "no-signatures": {"signatures": []}}[form]
    )
    refused(protect(), Reason.MALFORMED_CREDENTIAL, status=400, error="invalid_request", token=text)
    refused(protect(), Reason.MALFORMED, token=b64(text))


BAD_HEADERS = {
    "array": b'["alg","HS256"]', "text": b'"HS256"', "number": b"5", "null": b"null", "empty": b" ",
    "trailing-data": b'{"alg":"HS256"}ABCD', "two-objects": b'{"alg":"HS256"}{}', "bom": b'\xef\xbb\xbf{"alg":"HS256"}',
    "utf-16": '{"alg":"HS256"}'.encode("utf-16"), "utf-32": '{"alg":"HS256"}'.encode("utf-32-le"),
    "latin-1": b'{"alg":"HS256","x":"\xe9"}', "overlong-utf-8": b'{"alg":"HS256","x":"\xc0\xae"}',
    "comment": b'{"alg":"HS256"/**/}', "single-quotes": b"{'alg':'HS256'}", "trailing-comma": b'{"alg":"HS256",}',
    "unfinished": b'{"alg":"HS256"', "nan": b'{"alg":"HS256","x":NaN}', "control": b'{"alg":"HS256","x":"\n"}',
    "lone-surrogate": b'{"alg":"HS256","x":"\\ud800"}', "nul": b'{"alg":"HS256"}\0',
    "leading-zero": b'{"alg":"HS256","x":01}',
    "deep": b'{"alg":"HS256","x":' + b"[" * 3000, "vertical-tab": b'\x0b{"alg":"HS256"}',
}  # fmt: skip


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_b3_the_header_is_one_json_object_in_utf_8(protect: Protect, header: bytes) -> None:
    """Signed as it stands, and refused all the same."""
    refused(protect(), Reason.MALFORMED, token=compact(header, GOOD))


@pytest.mark.parametrize("space", [" {0} ", "\r\n{0}\t"])
def test_b3_white_space_that_json_allows_is_fine(protect: Protect, space: str) -> None:
    """RFC 8259 section 2: spaces around the object change nothing."""
    assert protect().request(token=compact(space.format('{ "alg" : "HS256" }'), GOOD)).user.identity == "42"


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ('{"alg":"HS256","alg":"HS256"}', GOOD),
        ('{"alg":"none","\\u0061lg":"HS256"}', GOOD),
        ('{"alg":"HS256","x":{"a":1,"a":1}}', GOOD),
        ('{"alg":"HS256"}', GOOD[:-1] + ',"sub":"42"}'),
        ('{"alg":"HS256"}', GOOD[:-1] + ',"\\u0073ub":"root"}'),
        ('{"alg":"HS256"}', GOOD[:-1] + ',"x":[{"a":1,"a":2}]}'),
    ],
)
def test_b4_a_member_twice_is_refused(protect: Protect, header: str, payload: str) -> None:
    """In header and payload alike, at any depth, in any spelling, also where both values are equal."""
    refused(protect(), Reason.MALFORMED, token=compact(header, payload))


@pytest.mark.parametrize(
    "alg",
    [..., None, True, 256, ["HS256"], {"alg": "HS256"}, "", "hs256", "Hs256", "HS256 ", "HS-256", "HS256\0", "RS256"],
)
def test_b5_alg_is_present_known_and_in_its_case(protect: Protect, alg: Any) -> None:
    """`alg` is one exact text; a missing one and one of another type are no header."""
    reason = Reason.WRONG_ALGORITHM if isinstance(alg, str) else Reason.MALFORMED
    refused(protect(), reason, token=token(header={"alg": alg}))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "none ", "\u043done", "\uff4eone", "null"])
@pytest.mark.parametrize("settings", [{}, public("RS256"), public("EdDSA")], ids=["secret", "rsa", "ed25519"])
def test_b6_none_is_refused(protect: Protect, alg: str, settings: dict[str, Any]) -> None:
    """In every spelling, without a signature, with junk and with one that was good elsewhere."""
    world = protect(**settings)
    head = f"{b64(dumps({'alg': alg}))}.{b64(GOOD)}"
    refused(world, Reason.MALFORMED, token=f"{head}.")
    for signature in (b64(b"\0" * 32), token().split(".")[2], "AAAA"):
        refused(world, Reason.WRONG_ALGORITHM, token=f"{head}.{signature}")


@pytest.mark.parametrize("name", ["none", "None", "HS1", "RS1", "ES256K", "Ed448", "dir"])
def test_b6_no_setting_enables_none(protect: Protect, name: str) -> None:
    """An algorithm that we do not do refuses to start."""
    with pytest.raises(ConfigurationError, match="JWT_ALGORITHMS"):
        protect(algorithms=name)


@pytest.mark.parametrize("allowed", ["HS256", "HS384", "HS512"])
def test_b7_only_the_configured_algorithm_is_used(protect: Protect, allowed: str) -> None:
    """A signature right under another algorithm of the same secret is refused before it is looked at."""
    world = protect(secret_key=LONG_SECRET, algorithms=allowed)
    for alg in HMAC:
        text = token(key=LONG_SECRET, alg=alg)
        if alg == allowed:
            assert world.request(token=text).user.identity == "42"
        else:
            error = refused(world, Reason.WRONG_ALGORITHM, token=text)
            assert error.detail == f"token has alg='{alg}', accepted: {allowed}"


@pytest.mark.parametrize("secret", ["pem", "pem-stripped", "jwk", "modulus"])
@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
def test_b8_a_public_key_is_no_hmac_secret(protect: Protect, kind: str, secret: str) -> None:
    """HS256 over the public key, in any of its spellings, is refused by its algorithm."""
    pem = public_pem(kind)
    spelling = {"pem": pem, "pem-stripped": pem.strip(), "jwk": dumps(jwk(kind)), "modulus": jwk(kind).get("n", "x")}[
        secret
    ]
    refused(protect(**public(kind)), Reason.WRONG_ALGORITHM, token=token(key=spelling, alg="HS256"))


@pytest.mark.parametrize("claimed", ["RS256", "PS256", "ES256", "ES384", "EdDSA", "HS256"])
@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
def test_b8_alg_fits_the_key_that_kid_finds(protect: Protect, tmp_path: Path, kind: str, claimed: str) -> None:
    """A signature that the named key made passes under that key's algorithm alone (kty, crv and JWK `alg`)."""
    world = protect(**by_set(tmp_path, *(jwk(k, kid=k) for k in ("RS256", "ES256", "ES384", "EdDSA"))))
    message = f"{b64(dumps({'alg': claimed, 'kid': kind}))}.{b64(GOOD)}"
    text = f"{message}.{b64(sign(message, kind, private(kind)))}"
    if claimed == kind:
        assert world.request(token=text).user.identity == "42"
    else:
        refused(world, Reason.WRONG_ALGORITHM, token=text)


@pytest.mark.parametrize("bound", RSA)
def test_b9_a_key_does_one_algorithm(protect: Protect, tmp_path: Path, bound: str) -> None:
    """One RSA key could make six kinds of signature; its JWK allows one, and the other five are refused at use."""
    world = protect(**by_set(tmp_path, jwk("RS256", kid="k", alg=bound)))
    for alg in RSA:
        text = token(key=private("RS256"), alg=alg, header={"kid": "k"})
        if alg == bound:
            assert world.request(token=text).user.identity == "42"
        else:
            refused(world, Reason.WRONG_ALGORITHM, token=text)


def test_b9_an_allow_list_does_not_make_a_key_do_two(protect: Protect) -> None:
    """Two algorithms that fit one key refuse to start: somebody must say which."""
    with pytest.raises(ConfigurationError, match="a key has one"):
        protect(**public("RS256", algorithms="RS256,PS256"))


def test_b10_algorithms_belong_to_their_issuer(protect: Protect) -> None:
    """One gate is for one issuer, with its own keys and algorithms: crossed tokens are refused in both directions."""
    made = {"https://a.example": "RS256", "https://b.example": "ES256"}
    worlds = {issuer: protect(**public(alg, issuer=issuer, algorithms=alg)) for issuer, alg in made.items()}
    for issuer, alg in made.items():
        for other, world in worlds.items():
            text = token(claims(iss=issuer), key=private(alg), alg=alg)
            if other == issuer:
                assert world.request(token=text).user.issuer == issuer
            else:
                refused(world, Reason.WRONG_ALGORITHM, token=text)
                same_alg = token(claims(iss=issuer), key=private(made[other]), alg=made[other])
                refused(world, Reason.WRONG_ISSUER, token=same_alg)


@pytest.mark.parametrize(
    "crit",
    [
        ["x"],
        ["exp"],
        ["b64"],
        ["alg"],
        ["typ", "typ"],
        [],
        [""],
        [None],
        [5],
        "exp",
        5,
        None,
        True,
        {"exp": 1},
        [["exp"]],
    ],
    ids=repr,
)
def test_b11_crit_is_refused(protect: Protect, crit: Any) -> None:
    """We know no extension, so any `crit` ends the matter: unknown, registered, empty, twice, absent or no list."""
    error = refused(protect(), Reason.UNSUPPORTED_HEADER, token=token(header={"crit": crit, "exp": 1}))
    assert error.detail == "token header has crit"


@pytest.mark.parametrize("value", [False, True, None, "false", 0], ids=repr)
def test_b12_b64_is_refused(protect: Protect, value: Any) -> None:
    """RFC 7797: an unencoded payload, named critical or not, is not read."""
    refused(protect(), Reason.UNSUPPORTED_HEADER, token=token(header={"b64": value}))
    refused(protect(), Reason.UNSUPPORTED_HEADER, token=token(header={"b64": value, "crit": ["b64"]}))


@pytest.mark.parametrize(("alg", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_b13_a_secret_is_as_long_as_its_hash(protect: Protect, alg: str, least: int) -> None:
    """RFC 7518 section 3.2: one byte less refuses to start, and names the length that is needed."""
    with pytest.raises(ConfigurationError, match=f"{least - 1} bytes long, {alg} needs {least}"):
        protect(secret_key=LONG_SECRET[: least - 1], algorithms=alg)
    world = protect(secret_key=LONG_SECRET[:least], algorithms=alg)
    assert world.request(token=token(key=LONG_SECRET[:least], alg=alg)).user.identity == "42"


@pytest.mark.parametrize(
    "secret", ["changeme" * 4, "P4ssword-Password-P4ssw0rd-Passw0rd!", "a" * 40, "qwertyuiopasdfghjklzxcvbnmqwertyuiop"]
)
def test_b14_a_password_is_no_secret(protect: Protect, secret: str) -> None:
    """Placeholders, passwords and patterns refuse to start, without being shown; how good a text is cannot be told."""
    with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY is a placeholder or a pattern") as caught:
        protect(secret_key=secret)
    assert secret not in str(caught.value)


def _weak() -> dict[str, Any]:
    numbers = private("RSA-1024").public_key().public_numbers()
    return {"kty": "RSA", "n": b64(numbers.n.to_bytes(128, "big")), "e": "AQAB", "kid": "weak"}


def test_b15_rsa_below_2048_bits_neither_verifies_nor_signs(protect: Protect, tmp_path: Path) -> None:
    """RFC 7518 section 3.3: such a JWK is skipped, and its tokens are refused; such a PEM refuses to start."""
    world = protect(**by_set(tmp_path, _weak(), jwk("RS256", kid="good")))
    refused(world, Reason.UNKNOWN_KEY, token=token(key=private("RSA-1024"), alg="RS256", header={"kid": "weak"}))
    assert world.request(token=token(key=private("RS256"), alg="RS256", header={"kid": "good"})).user.identity == "42"
    for settings in ({"public_key": public_pem("RSA-1024")}, {"private_key": private_pem("RSA-1024")}):
        with pytest.raises(ConfigurationError, match="1024 bits, RSA needs 2048"):
            protect(allow_any_audience=True, **settings)


@pytest.mark.parametrize("alg", CURVES)
def test_b16_an_ecdsa_signature_has_the_length_of_its_curve(protect: Protect, alg: str) -> None:
    """64, 96 or 132 octets: DER, a shorter r or s, more or fewer octets are refused."""
    world = protect(**public(alg))
    good = token(key=private(alg), alg=alg)
    head, _, last = good.rpartition(".")
    signature = raw(last)
    half = len(signature) // 2
    assert len(signature) == {"ES256": 64, "ES384": 96, "ES512": 132}[alg]
    assert world.request(token=good).user.identity == "42"
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    der = encode_dss_signature(r, s)
    assert decode_dss_signature(der) == (r, s)
    zero = b"\0" + signature[:half] + b"\0" + signature[half:]
    for wrong in (
        der,
        signature[1:],
        signature[:-1],
        signature + b"\0",
        zero,
        signature[:half],
        b"\0" * len(signature),
    ):
        refused(world, Reason.BAD_SIGNATURE, token=f"{head}.{b64(wrong)}")


@pytest.mark.parametrize("kind", CURVES)
def test_b17_a_point_off_its_curve_is_no_key(
    protect: Protect, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An invalid-curve JWK is skipped with a warning; the set's other keys work."""
    good = jwk(kind, kid="good")
    y = bytearray(raw(good["y"]))
    y[-1] ^= 1
    with caplog.at_level(logging.WARNING):
        world = protect(**by_set(tmp_path, good | {"y": b64(bytes(y)), "kid": "bad"}, good))
    assert "JWK 0 (kid 'bad') is skipped: it is malformed, or its point is not on its curve" in caplog.messages
    refused(world, Reason.UNKNOWN_KEY, token=token(key=private(kind), alg=kind, header={"kid": "bad"}))
    assert world.request(token=token(key=private(kind), alg=kind, header={"kid": "good"})).user.identity == "42"


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("configured", ["", "EdDSA", "Ed25519"])
def test_b18_ed25519_has_two_names(protect: Protect, alg: str, configured: str) -> None:
    """RFC 9864: the fully-specified name is taken beside the old one, whichever is configured."""
    settings = {"algorithms": configured} if configured else {}
    world = protect(**public("Ed25519", **settings))
    assert world.request(token=token(key=private("Ed25519"), alg=alg)).user.identity == "42"


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"use": "SIG"},
        {"use": 5},
        {"key_ops": ["encrypt"]},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"use": "sig", "key_ops": ["wrapKey"]},
    ],
    ids=str,
)
def test_b19_a_key_for_another_purpose_never_verifies(
    protect: Protect, tmp_path: Path, members: dict[str, Any]
) -> None:
    """`use` and `key_ops` are respected: the JWK is skipped, and what it signed is refused."""
    world = protect(**by_set(tmp_path, jwk("RS256", kid="k", **members), jwk("ES256", kid="other")))
    refused(world, Reason.WRONG_ALGORITHM, token=token(key=private("RS256"), alg="RS256", header={"kid": "k"}))
    with pytest.raises(KeyProblem, match=r"is for use=|does not list verify"):
        formats.from_jwk(jwk("RS256", **members), ())


@pytest.mark.parametrize(
    "bad",
    [
        None,
        5,
        "RSA",
        [],
        {},
        {"kty": "AKP", "alg": "ML-DSA-44"},
        {"kty": "RSA", "n": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": b64(b"\1" * 32)},
        {"kty": "oct", "k": b64(SECRET)},
        {"kty": ["RSA"]},
        {"kty": "RSA", "n": 5, "e": "AQAB"},
        {"kty": "EC", "crv": {}, "x": [], "y": None},
    ],
    ids=str,
)
def test_b20_a_bad_jwk_does_not_spoil_the_set(protect: Protect, tmp_path: Path, bad: Any) -> None:
    """RFC 7517 section 5: what is not understood is skipped, and unknown members of good keys are ignored."""
    extra = {"x5c": ["AAAA"], "made_up": {"deep": [1]}, "nbf": 5}
    world = protect(**by_set(tmp_path, jwk("RS256", kid="one", **extra), bad, jwk("ES256", kid="two")))
    for kid, alg in (("one", "RS256"), ("two", "ES256")):
        assert world.request(token=token(key=private(alg), alg=alg, header={"kid": kid})).user.identity == "42"


KIDS = {
    "traversal": "../../../../etc/passwd", "absolute": "/dev/null", "windows": "..\\..\\boot.ini", "nul": "a\0.pem",
    "sql": "x' UNION SELECT 'key';--", "ldap": "*)(uid=*))(|(uid=*", "redis": "*1\r\n$8\r\nFLUSHALL\r\n",
    "url": "http://169.254.169.254/latest", "file-url": "file:///etc/passwd", "shell": "$(touch /tmp/x)|`id`",
    "format": "%s%n{0.__class__}", "log": "x\r\n401 forged", "escape": "\x1b[2J", "bidi": "\u202e", "empty": "",
}  # fmt: skip


@pytest.mark.parametrize("kid", KIDS.values(), ids=KIDS)
def test_b21_kid_is_only_looked_up(protect: Protect, tmp_path: Path, kid: str, tripwire: list[str]) -> None:
    """Paths, queries, commands and addresses in `kid` name no key; they come into the log escaped and cut."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a.pem").write_text(public_pem("ES256"))
    world = protect(keys_dir=tmp_path / "keys", allow_any_audience=True)
    error = refused(world, Reason.UNKNOWN_KEY, token=token(key=private("ES256"), alg="ES256", header={"kid": kid}))
    assert error.detail.isascii()
    assert error.detail.isprintable()
    assert tripwire == []


@pytest.mark.parametrize("kid", [None, 5, True, ["a"], {"kid": "a"}, "k" * 257], ids=lambda kid: repr(kid)[:12])
def test_b21_kid_is_a_short_text(protect: Protect, kid: Any) -> None:
    """Anything else is no header; a megabyte of it is refused by its length, unread."""
    refused(protect(), Reason.MALFORMED, token=token(header={"kid": kid}))
    refused(protect(), Reason.TOO_LONG, token=token(header={"kid": "k" * 2**20}))


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
def test_b22_a_key_in_the_header_is_not_looked_at(protect: Protect, name: str, tripwire: list[str]) -> None:
    """Signed by the attacker with the key it brings: our key decides, and no socket is opened."""
    value = {"jwk": jwk("other RS256"), "x5c": ["AAAA"]}.get(name, "http://127.0.0.1:1/keys.json")
    world = protect(**public("RS256"))
    header = {name: value}
    refused(world, Reason.BAD_SIGNATURE, token=token(key=private("other RS256"), alg="RS256", header=header))
    assert world.request(token=token(key=private("RS256"), alg="RS256", header=header)).user.identity == "42"
    assert tripwire == []


@pytest.mark.parametrize(
    "issuer", ["http://127.0.0.1:1", "https://localhost/", "http://169.254.169.254/", "http://[::1]/", "file:///etc"]
)
def test_b23_no_address_from_a_token_or_an_issuer_is_fetched(
    protect: Protect, issuer: str, tripwire: list[str]
) -> None:
    """There is no discovery: neither a token's `iss` nor the configured one makes us open a socket."""
    header = {"kid": f"{issuer}/keys", "jku": f"{issuer}/keys.json"}
    text = token(claims(iss=issuer), key=private("other RS256"), alg="RS256", header=header)
    refused(protect(**public("RS256")), Reason.BAD_SIGNATURE, token=text)
    refused(protect(**public("RS256", issuer=issuer)), Reason.BAD_SIGNATURE, token=text)
    refused(protect(issuer="https://idp.example"), Reason.WRONG_ISSUER, token=token(claims(iss=issuer)))
    assert tripwire == []


@pytest.mark.parametrize(
    "place", ["http://idp.example/jwks.json", "https://idp.example/jwks.json", "file:///etc/passwd", "ftp://x/y"]
)
def test_b24_keys_come_from_files_alone(protect: Protect, place: str, tripwire: list[str]) -> None:
    """No setting takes the address of keys or metadata, so none is fetched in clear: such a value refuses to start."""
    with pytest.raises(ConfigurationError, match="JWT_JWKS_FILE"):
        protect(jwks_file=place, allow_any_audience=True)
    with pytest.raises(ConfigurationError, match="JWT_PUBLIC_KEY"):
        protect(public_key=place, allow_any_audience=True)
    assert not [name for name in DECLARATIONS if name.endswith(("_url", "_uri")) and name != "store_url"]
    assert tripwire == []


@pytest.mark.parametrize("parts", [5, 4, 6])
@pytest.mark.parametrize("settings", [{}, public("RS256")], ids=["secret", "rsa"])
def test_b25_an_encrypted_token_is_refused(protect: Protect, parts: int, settings: dict[str, Any]) -> None:
    """Five parts are a JWE, which we do not read; an `enc` or `zip` header in three parts is none either."""
    world = protect(**settings)
    header = b64(dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}))
    error = refused(world, Reason.MALFORMED, token=".".join([header, *["AAAA"] * (parts - 1)]))
    assert error.detail == f"a signed token has three parts, this one {parts}"
    for name in ("enc", "zip"):
        refused(protect(), Reason.UNSUPPORTED_HEADER, token=token(header={name: "DEF"}))


@pytest.mark.parametrize(("configured", "sent"), [
    ("https://idp.example/caf\u00e9", "https://idp.example/cafe\u0301"),
    ("https://idp.example/\u212b", "https://idp.example/\u00c5"),
    ("https://idp.example", "HTTPS://IDP.EXAMPLE"),
    ("https://idp.example", "https://idp.example\u200b"),
    ("https://idp.example", "https://idp.ex\u0430mple"),
])  # fmt: skip
def test_b27_texts_are_compared_code_point_by_code_point(protect: Protect, configured: str, sent: str) -> None:
    """No normalisation, no folding of case, in issuer and audience."""
    world = protect(issuer=configured, audience=configured)
    assert world.request(token=token(claims(iss=configured, aud=configured))).user.issuer == configured
    refused(world, Reason.WRONG_ISSUER, token=token(claims(iss=sent, aud=configured)))
    refused(world, Reason.WRONG_AUDIENCE, token=token(claims(iss=configured, aud=sent)))


@pytest.mark.parametrize("name", ["ISS", "Iss", "iss ", "i\u017fs", "\uff49ss"])
def test_b27_names_are_compared_code_point_by_code_point(protect: Protect, name: str) -> None:
    """`ISS` is not `iss`: the token has no issuer. Nor is `ALG` an `alg`."""
    error = refused(protect(issuer=ISSUER), Reason.WRONG_ISSUER, token=token(claims(**{name: ISSUER})))
    assert "iss=None" in error.detail
    refused(protect(), Reason.MALFORMED, token=token(header={"alg": ..., "ALG": "HS256"}))


@pytest.mark.parametrize(("typ", "passes"), [
    ("at+jwt", True), ("AT+JWT", True), ("at+JWT", True), ("application/at+jwt", True), ("Application/At+Jwt", True),
    ("JWT", False), (..., False), ("at+jwt ", False), ("application/jwt", False), ("at", False), ("+jwt", False),
    ("at+jwt;q=1", False), ("text/at+jwt", False), (["at+jwt"], False), (None, False), (5, False), ("", False),
])  # fmt: skip
def test_b28_strict_takes_at_jwt_alone(protect: Protect, typ: Any, passes: bool) -> None:
    """RFC 9068 section 4: `at+jwt` with or without `application/`, in any case, and nothing else."""
    world = protect(**STRICT)
    text = token(claims(**FULL), header={"typ": typ})
    if passes:
        assert world.request(token=text).user.identity == "42"
    else:
        refused(world, Reason.WRONG_TYPE, token=text)


@pytest.mark.parametrize("configured", ["vnd.acme+jwt", "application/vnd.acme+jwt"])
def test_b29_typ_is_read_with_and_without_application(protect: Protect, configured: str) -> None:
    """RFC 7515 section 4.1.9: a name without a slash stands for `application/` and it; no other type does."""
    world = protect(token_types=configured)
    for typ in ("vnd.acme+jwt", "application/vnd.acme+jwt"):
        assert world.request(token=token(header={"typ": typ})).user.identity == "42"
    for typ in ("application/application/vnd.acme+jwt", "text/vnd.acme+jwt", "application/", "JWT", ...):
        refused(world, Reason.WRONG_TYPE, token=token(header={"typ": typ}))


@pytest.mark.parametrize(
    ("header", "payload", "reason"),
    [
        pytest.param({"typ": "JWT"}, {"at_hash": "x"}, Reason.NOT_AN_ACCESS_TOKEN, id="id-token-at_hash"),
        pytest.param({"typ": "JWT"}, {"c_hash": "x"}, Reason.NOT_AN_ACCESS_TOKEN, id="id-token-c_hash"),
        pytest.param({"typ": "JWT"}, {"typ": "ID"}, Reason.NOT_AN_ACCESS_TOKEN, id="id-token-of-keycloak"),
        pytest.param({"typ": "JWT"}, {"token_use": "id"}, Reason.NOT_AN_ACCESS_TOKEN, id="id-token-of-cognito"),
        pytest.param({"typ": "JWT"}, {"type": "refresh"}, Reason.NOT_AN_ACCESS_TOKEN, id="refresh-of-flask"),
        pytest.param({"typ": "JWT"}, {"token_type": "refresh"}, Reason.NOT_AN_ACCESS_TOKEN, id="refresh-of-django"),
        pytest.param({"typ": "JWT"}, {"typ": "Refresh"}, Reason.NOT_AN_ACCESS_TOKEN, id="refresh-of-keycloak"),
        pytest.param({"typ": "JWT"}, {"typ": "Offline"}, Reason.NOT_AN_ACCESS_TOKEN, id="offline-of-keycloak"),
        pytest.param({"typ": "JWT"}, {"typ": "Logout"}, Reason.NOT_AN_ACCESS_TOKEN, id="logout-of-keycloak"),
        pytest.param({"typ": "JWT"}, {"events": {}}, Reason.NOT_AN_ACCESS_TOKEN, id="security-event"),
        pytest.param({"typ": "logout+jwt"}, {}, Reason.WRONG_TYPE, id="logout"),
        pytest.param({"typ": "secevent+jwt"}, {}, Reason.WRONG_TYPE, id="set"),
        pytest.param({"typ": "rt+jwt"}, {}, Reason.WRONG_TYPE, id="refresh"),
        pytest.param({"typ": "dpop+jwt"}, {}, Reason.WRONG_TYPE, id="dpop"),
        pytest.param({"typ": "id_token"}, {}, Reason.WRONG_TYPE, id="id-token"),
    ],
)  # fmt: skip
def test_b30_other_tokens_are_no_access_tokens(
    protect: Protect, header: dict[str, str], payload: dict[str, Any], reason: Reason
) -> None:
    """With our issuer, our audience and a good signature: ID, refresh and logout tokens and events are refused."""
    world = protect(issuer=ISSUER, audience=AUDIENCE)
    good = claims(iss=ISSUER, aud=AUDIENCE)
    assert world.request(token=token(good)).user.identity == "42"
    refused(world, reason, token=token(good | payload, header=header))


def test_b30_what_we_issue_is_an_access_token(protect: Protect) -> None:
    """RFC 9068: our own tokens say `at+jwt`, so that nobody takes them for another kind; a forged one is told apart."""
    world = protect(**STRICT)
    text = world.auth.issue("42")
    assert json.loads(raw(text.split(".")[0]))["typ"] == "at+jwt"
    assert world.request(token=text).user.identity == "42"
    refused(world, Reason.BAD_SIGNATURE, token=token(claims(**FULL), key=OTHER_SECRET, header={"typ": "at+jwt"}))
