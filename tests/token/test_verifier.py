"""From the text of a token to a user, and every known way to get there without the key."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from jwt_middleware import Reason
from jwt_middleware.token import verifier as module
from jwt_middleware.wsgi import JWTAuth
from tests.token.forge import (
    ALGORITHMS,
    ASYMMETRIC,
    AUDIENCE,
    CURVES,
    HMAC,
    IAT,
    ISSUER,
    LONG_SECRET,
    OLD_SECRET,
    OTHER_SECRET,
    RSA,
    Verify,
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
    refusal,
    sign,
    token,
    verifying,
)
from tests.worlds import SECRET, Clock


def keys_for(alg: str) -> tuple[dict[str, Any], Any]:
    """Return the settings that verify an algorithm, and the key that signs with it."""
    if alg in HMAC:
        return {"secret_key": LONG_SECRET, "algorithms": alg}, LONG_SECRET
    return {"public_key": public_pem(alg), "algorithms": alg, "allow_any_audience": True}, private(alg)


def reason(verify: Verify, text: str) -> Reason:
    return refusal(verify, text).reason


@pytest.fixture
def verify() -> Verify:
    """A verifier with one HMAC secret."""
    return verifying()


@pytest.fixture(params=["RS256", "ES256", "EdDSA"])
def asymmetric(request: pytest.FixtureRequest) -> tuple[str, Verify]:
    """A verifier with one public key, and the algorithm of that key."""
    return request.param, verifying(public_key=public_pem(request.param), allow_any_audience=True)


# --- every algorithm -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm_verifies_its_own_signature(alg: str) -> None:
    """B18: HS, RS, PS and ES with 256, 384 and 512 bits, EdDSA and Ed25519, signed by PyJWT and verified by us."""
    settings, key = keys_for(alg)
    assert verifying(**settings)(token(key=key, alg=alg)).identity == "42"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_no_algorithm_verifies_anothers_signature(alg: str) -> None:
    """Another key's signature, a cut one, an empty one, zeros: none is this key's."""
    settings, key = keys_for(alg)
    verify = verifying(**settings)
    good = token(key=key, alg=alg)
    message, _, signature = good.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    other = OTHER_SECRET if alg in HMAC else private("other " + alg)
    wrong = [
        sign(message, alg, other),
        sign(message + "x", alg, key),
        raw[:-1],
        raw[1:],
        raw + b"\0",
        b"\0" + raw,
        raw[::-1],
        b"\0" * len(raw),
        b"\xff" * len(raw),
        b"\0",
        raw * 2,
    ]
    for signature in wrong:
        error = refusal(verify, f"{message}.{b64(signature)}")
        assert (error.reason, error.detail) == (Reason.BAD_SIGNATURE, "no key of ours made this signature")
    assert reason(verify, f"{message}.") is Reason.MALFORMED


@pytest.mark.parametrize("configured", ALGORITHMS)
def test_a_token_cannot_choose_its_algorithm(configured: str) -> None:
    """B7, B9, CVE-2026-5430: a signature that is right under any other algorithm of the same key is refused."""
    settings, key = keys_for(configured)
    verify = verifying(**settings)
    same_key = HMAC if configured in HMAC else RSA if configured in RSA else ()
    for alg in ALGORITHMS:
        if alg == configured or {alg, configured} == {"EdDSA", "Ed25519"}:
            continue
        signing = key if alg in same_key else LONG_SECRET if alg in HMAC else private(alg)
        assert reason(verify, token(key=signing, alg=alg)) is Reason.WRONG_ALGORITHM


@pytest.mark.parametrize("claimed", ["none", "HS256", "PS256", "ES384", "RS256", "EdDSA"])
@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
def test_a_right_signature_under_a_wrong_name_is_refused(kind: str, claimed: str, tmp_path: Path) -> None:
    """B8: `alg` in the header must be the one the key is bound to, even if the key made the signature."""
    file = jwks_file(tmp_path, *(jwk(k, kid=k) for k in ("RS256", "ES256", "ES384", "EdDSA")))
    verify = verifying(jwks_file=file, allow_any_audience=True)
    message = f"{b64(dumps({'alg': claimed, 'kid': kind}))}.{b64(dumps(claims()))}"
    text = f"{message}.{b64(sign(message, kind, private(kind)))}"
    if claimed == kind:
        assert verify(text)
    else:
        assert reason(verify, text) is Reason.WRONG_ALGORITHM


# --- none ------------------------------------------------------------------------------------------------------------

NONE = ["none", "None", "NONE", "nOnE", "NoNe", "none ", " none", "none\0", "n\u043ene", "\uff4e\uff4f\uff4e\uff45", ""]


@pytest.mark.parametrize("signature", ["empty", "junk", "zeros", "old"])
@pytest.mark.parametrize("alg", NONE)
def test_alg_none_is_refused_in_every_spelling(alg: str, signature: str, verify: Verify) -> None:
    """CVE-2015-9235, CVE-2026-28802, B6: with no signature, a made-up one, or one taken from a good token."""
    old = token().rpartition(".")[2]
    part = {"empty": "", "junk": "AAAA", "zeros": b64(b"\0" * 32), "old": old}[signature]
    text = f"{b64(dumps({'alg': alg, 'typ': 'JWT'}))}.{b64(dumps(claims()))}.{part}"
    assert reason(verify, text) is (Reason.MALFORMED if signature == "empty" else Reason.WRONG_ALGORITHM)


@pytest.mark.parametrize(
    "alg",
    [None, True, 0, 5, ["HS256"], {"alg": "HS256"}, [], {}, "hs256", "Hs256", "HS-256", "HS256 ", "HS256\0", "HS1"],
)
def test_alg_is_one_exact_text(alg: Any, verify: Verify) -> None:
    """B5: a missing type, another case, a list that holds the right one: refused, and shown in the log escaped."""
    error = refusal(verify, token(header={"alg": alg}))
    assert error.reason is (Reason.WRONG_ALGORITHM if isinstance(alg, str) else Reason.MALFORMED)
    assert "alg=" in error.detail


def test_a_header_without_alg_is_refused(verify: Verify) -> None:
    """B5: `alg` must be present."""
    assert reason(verify, token(header={"alg": ...})) is Reason.MALFORMED
    assert reason(verify, compact("{}", dumps(claims()))) is Reason.MALFORMED


# --- confusion -------------------------------------------------------------------------------------------------------


def spellings(kind: str) -> dict[str, bytes]:
    """Return a public key as the bytes in which twelve CVEs used it for an HMAC secret."""
    pem = public_pem(kind)
    der = public_bytes(kind, serialization.Encoding.DER)
    members = jwk(kind)
    found = {
        "CVE-2015-9235-pem": pem.encode(),
        "CVE-2015-9235-pem-stripped": pem.strip().encode(),
        "CVE-2026-102268-pem-crlf": pem.replace("\n", "\r\n").encode(),
        "CVE-2026-102268-pem-one-line": pem.replace("\n", "").encode(),
        "CVE-2026-102271-der": der,
        "CVE-2026-102271-base64-der": base64.b64encode(der),
        "CVE-2026-48526-jwk": dumps(members).encode(),
        "CVE-2026-48526-jwk-pretty": json.dumps(members, indent=2).encode(),
        "CVE-2026-102273-jwks": dumps({"keys": [members]}).encode(),
        "CVE-2026-102273-array": dumps([members]).encode(),
        "CVE-2026-102272-bom": b"\xef\xbb\xbf" + dumps(members).encode(),
        "CVE-2026-44699-empty": b"",
        "x-coordinate-or-modulus": members.get("n", members.get("x", "")).encode(),
    }
    if kind == "RS256":
        found["CVE-2017-11424-pkcs1"] = public_bytes(kind, format_=serialization.PublicFormat.PKCS1)
    if kind == "EdDSA":
        form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        found["CVE-2022-29217-ssh"] = public_bytes(kind, *form)
    return found


def test_a_public_key_is_never_an_hmac_secret(asymmetric: tuple[str, Verify]) -> None:
    """B8, CVE-2026-102268 and kin: HS256, HS384 and HS512 over the public key in each of its spellings."""
    kind, verify = asymmetric
    for name, secret in spellings(kind).items():
        for alg in HMAC:
            error = refusal(verify, token(key=secret, alg=alg))
            assert error.reason is Reason.WRONG_ALGORITHM, name
            assert error.detail.startswith(f"token has alg='{alg}', accepted: ")


EMBEDDED: dict[str, Any] = {
    "jwk": jwk("other RS256"),
    "jku": "https://evil.example/jwks.json",
    "x5u": "https://evil.example/cert.pem",
    "x5c": ["AAAA"],
    "x5t": "AAAA",
    "x5t#S256": "AAAA",
}


@pytest.mark.parametrize("name", EMBEDDED)
def test_keys_that_a_token_brings_are_not_looked_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """B22, CVE-2018-0114: signed by the attacker with the key it brings; no key is read, no socket opened."""
    import socket

    def tripwire(*_: Any, **__: Any) -> None:
        raise AssertionError("a token made us open a socket")

    monkeypatch.setattr(socket, "socket", tripwire)
    monkeypatch.setattr(socket, "getaddrinfo", tripwire)
    verify = verifying(public_key=public_pem("RS256"), allow_any_audience=True)
    header = {name: EMBEDDED[name], "kid": "https://evil.example/jwks.json"}
    assert reason(verify, token(key=private("other RS256"), alg="RS256", header=header)) is Reason.BAD_SIGNATURE
    assert verify(token(key=private("RS256"), alg="RS256", header=header)).identity == "42"


# --- headers ---------------------------------------------------------------------------------------------------------

CRIT: list[Any] = [
    ["exp"], ["b64"], ["x"], ["alg"], ["kid"], ["typ", "typ"], [], ["http://example.invalid/UNDEFINED"], [""], [None],
    [5], "exp", 5, None, True, {"exp": 1}, [["exp"]],
]  # fmt: skip


@pytest.mark.parametrize("value", CRIT, ids=repr)
def test_crit_in_any_shape_is_refused(value: Any, verify: Verify) -> None:
    """B11, CVE-2026-32597: we implement no extension, so any that is called critical ends the matter."""
    error = refusal(verify, token(header={"crit": value, "exp": 1}))
    assert (error.reason, error.detail) == (Reason.UNSUPPORTED_HEADER, "token header has crit")


@pytest.mark.parametrize("value", [False, True, None, "false"], ids=repr)
def test_b64_is_refused(value: Any, verify: Verify) -> None:
    """B12, CVE-2026-48525: an unencoded payload, named critical or not."""
    assert reason(verify, token(header={"b64": value})) is Reason.UNSUPPORTED_HEADER
    message = f"{b64(dumps({'alg': 'HS256', 'b64': False}))}.{dumps(claims())}"
    assert reason(verify, f"{message}.{b64(sign(message, 'HS256', SECRET))}") is Reason.UNSUPPORTED_HEADER


@pytest.mark.parametrize(
    "header",
    [{"zip": "DEF"}, {"zip": None}, {"enc": "A256GCM"}, {"alg": "PBES2-HS512+A256KW", "enc": "A128GCM", "p2c": 2**31}],
    ids=str,
)
def test_compression_and_encryption_are_refused_unread(header: dict[str, Any], verify: Verify) -> None:
    """B26, CVE-2024-33664, CVE-2023-6681: nothing is inflated, no password is stretched."""
    assert reason(verify, token(header=header)) is Reason.UNSUPPORTED_HEADER


def test_encrypted_tokens_are_refused(verify: Verify) -> None:
    """B25, CVE-2026-29000, CVE-2023-51774: five parts are no signed token, whatever was wrapped in them."""
    header = b64(dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}))
    plain = b64(f"{b64(dumps({'alg': 'none'}))}.{b64(dumps(claims()))}.")
    assert reason(verify, f"{header}.AAAA.AAAA.{plain}.AAAA") is Reason.MALFORMED
    assert reason(verify, f"{header}..AAAA.{plain}.AAAA") is Reason.MALFORMED


def test_a_nested_token_is_no_claims_set(verify: Verify) -> None:
    """Threat 30: `cty: JWT` around an unsigned token: a payload that is a token is no JSON object."""
    inner = f"{b64(dumps({'alg': 'none'}))}.{b64(dumps(claims()))}."
    for payload in (inner, token(), dumps(inner)):
        assert reason(verify, token(payload, header={"cty": "JWT"})) is Reason.MALFORMED


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(
            lambda h, p, s: dumps({"payload": p, "protected": h, "signature": s}), id="CVE-2016-9122-flattened"
        ),
        pytest.param(
            lambda h, p, s: dumps({"payload": p, "signatures": [{"protected": h, "signature": s}]}), id="B2-general"
        ),
        pytest.param(lambda h, p, s: dumps({"payload": p, "signatures": []}), id="CVE-2026-102946-no-signatures"),
        pytest.param(
            lambda h, p, s: dumps({f"{h}.": 1, "payload": p, "protected": h, f".{p}.{s}": 1}),
            id="CVE-2022-39227-polyglot",
        ),
        pytest.param(lambda h, p, s: dumps({f"{h}.{p}.{s}": 1}), id="CVE-2022-39227-token-as-a-name"),
        pytest.param(lambda h, p, s: f'{{"a":"{h}.{p}.{s}"}}', id="CVE-2022-39227-token-as-a-value"),
    ],
)
def test_the_json_serialization_is_refused(form: Any, verify: Verify) -> None:
    """CVE-2022-39227, CVE-2016-9122: a JWS written as JSON is no token of ours, nor is a polyglot of both."""
    assert reason(verify, form(*token().split("."))) is Reason.MALFORMED


TYPES: list[tuple[Any, str | None, bool]] = [
    # typ of the token, JWT_TOKEN_TYPES or its default, whether it passes
    ("JWT", None, True), ("jwt", None, True), ("at+jwt", None, True), ("AT+JWT", None, True), (..., None, True),
    ("application/jwt", None, True), ("Application/AT+JWT", None, True),
    ("application/application/jwt", None, False), ("application/", None, False), ("text/jwt", None, False),
    ("", None, False), (" JWT", None, False), ("JWT\0", None, False), ("JOSE", None, False), ("absent", None, False),
    ("ABSENT", None, False), ("application/absent", None, False),
    ("logout+jwt", None, False), ("secevent+jwt", None, False), ("dpop+jwt", None, False), ("kb+jwt", None, False),
    ("sd-jwt", None, False), ("vc+sd-jwt", None, False), ("token-introspection+jwt", None, False),
    ("oauth-authz-req+jwt", None, False), ("rt+jwt", None, False), ("refresh+jwt", None, False),
    ("id_token", None, False), ("JWE", None, False), ("jwt;a=b", None, False), ("strict", None, False),
    (None, None, False), (5, None, False), (True, None, False), (["JWT"], None, False), ({"typ": "JWT"}, None, False),
    ("JWT", "at+jwt", False), (..., "at+jwt", False), ("at+jwt", "application/AT+JWT", True),
    ("JWT", "absent", False), (..., "absent", True), (..., "JWT", False), ("at+jwt", "JWT", False),
    ("vnd.acme+jwt", "vnd.acme+jwt", True), ("JWT", "vnd.acme+jwt", False),
    ("id_token", "JWT,id_token", False), ("JWT", "JWT,id_token", True),
]  # fmt: skip


@pytest.mark.parametrize(("typ", "types", "passes"), TYPES, ids=[f"{t!r}-{s}" for t, s, _ in TYPES])
def test_typ_is_compared_as_a_media_type(typ: Any, types: str | None, passes: bool) -> None:
    """B28-B30, CVE-2026-41164: only the accepted types pass, in any case, with or without `application/`."""
    verify = verifying(**({} if types is None else {"token_types": types}))
    text = token(header={"typ": typ})
    if passes:
        assert verify(text).identity == "42"
    else:
        error = refusal(verify, text)
        assert error.reason is Reason.WRONG_TYPE
        assert "JWT_TOKEN_TYPES=" in error.detail


KIDS = {
    "traversal": "../../../../dev/null",
    "absolute-path": "/dev/null",
    "encoded-traversal": "..%2f..%2fdev%2fnull",
    "windows": "..\\..\\boot.ini",
    "sql": "x' UNION SELECT 'key';--",
    "sql-or": "' OR '1'='1",
    "ldap": "*)(uid=*))(|(uid=*",
    "shell": "$(touch /tmp/x); `id` | id",
    "template": "{{7*7}}${7*7}<%=7%>",
    "url": "http://169.254.169.254/latest/meta-data",
    "file-url": "file:///etc/passwd",
    "log": "x\r\nERROR forged line",
    "escape-sequence": "\x1b[2J\x1b]0;owned\x07",
    "bidi": "\u202e\u2066",
    "nul": "a\0.pem",
    "redis": "*1\r\n$8\r\nFLUSHALL\r\n",
    "json": '{"a":1}',
    "format": "%s%n{0}{0.__class__}",
    "256-characters": "k" * 256,
    "empty": "",
}


@pytest.mark.parametrize("kid", KIDS.values(), ids=KIDS)
def test_a_kid_is_only_ever_looked_up(kid: str, tmp_path: Path) -> None:
    """B21: paths, queries and commands in `kid` name no key of ours, and come escaped and cut in the detail."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "a.pem").write_text(public_pem("ES256"))
    verify = verifying(keys_dir=folder, allow_any_audience=True)
    error = refusal(verify, token(key=private("ES256"), alg="ES256", header={"kid": kid}))
    assert error.reason is Reason.UNKNOWN_KEY
    assert error.detail.isascii()
    assert error.detail.isprintable()
    assert len(error.detail) < 250


@pytest.mark.parametrize(
    "kid", [None, True, 5, 1.5, [], ["a"], {}, {"kid": "a"}, "k" * 257], ids=lambda k: repr(k)[:12]
)
def test_a_kid_is_a_short_text(kid: Any, verify: Verify) -> None:
    """B21, RFC 7515 section 4.1.4: any other type is malformed, and so is one longer than any name."""
    assert reason(verify, token(header={"kid": kid})) is Reason.MALFORMED


def test_a_kid_of_a_megabyte_is_refused_unread(verify: Verify) -> None:
    """B21, CVE-2025-61920: the length of the token ends it, before anything is decoded."""
    error = refusal(verify, token(header={"kid": "k" * 2**20}))
    assert error.reason is Reason.TOO_LONG
    assert error.detail.endswith("JWT_MAX_TOKEN_BYTES=8192")


def test_headers_and_payloads_are_read_strictly(verify: Verify) -> None:
    """B3, B4: a good signature over ambiguous JSON makes it no clearer."""
    good = dumps(claims())
    headers = [
        '{"alg":"HS256","alg":"HS256"}', '{"alg":"none","\\u0061lg":"HS256"}', '["alg","HS256"]', '"HS256"', "5",
        '{"alg":"HS256"}x', '\ufeff{"alg":"HS256"}', '{"alg":"HS256","x":NaN}', '{"alg":"HS256","x":' + "[" * 3000,
        '{"alg":"HS256","x":"\\ud800"}',
    ]  # fmt: skip
    payloads = [
        good[:-1] + ',"sub":"root"}', good[:-1] + ',"x":{"a":1,"a":1}}', f"[{good}]", good + good, "\ufeff" + good,
        good[:-1] + ',"x":' + "[" * 3000 + "}", good[:-1] + ',"x":1e400}', good[:-1] + ',"x":"\\udfff"}',
    ]  # fmt: skip
    for header in headers:
        assert reason(verify, compact(header, good)) is Reason.MALFORMED, header[:40]
    for payload in payloads:
        assert reason(verify, token(payload)) is Reason.MALFORMED, payload[:40]
    assert reason(verify, compact('{"alg":"HS256"}'.encode("utf-16"), good)) is Reason.MALFORMED
    assert reason(verify, token(good.encode("utf-16"))) is Reason.MALFORMED


@pytest.mark.parametrize("depth", [64, 65, 900, 3000])
def test_nesting_in_a_signed_token_never_becomes_another_exception(depth: int) -> None:
    """CVE-2026-102265, CVE-2026-101918: in header and payload alike, with a token that is long enough to hold it."""
    verify = verifying(max_token_bytes=65536)
    inside = "[" * (depth - 1) + "]" * (depth - 1)
    in_payload = token(f'{dumps(claims())[:-1]},"x":{inside}}}')
    in_header = compact(f'{{"alg":"HS256","typ":"JWT","x":{inside}}}', dumps(claims()))
    assert reason(verify, in_header) is Reason.MALFORMED
    if depth == 64:
        assert verify(in_payload).identity == "42"
    else:
        assert reason(verify, in_payload) is Reason.MALFORMED


def test_a_certificate_chain_in_the_header_is_no_obstacle() -> None:
    """RFC 7515 section 4.1.6: some issuers send one; it is not read. PHP escapes its slashes."""
    chain = [base64.b64encode(hashlib.shake_256(bytes([number])).digest(1400)).decode() for number in range(2)]
    header = dumps({"alg": "HS256", "typ": "JWT", "x5c": chain})
    for text in (header, header.replace("/", "\\/")):
        assert len(text) > 3700
        assert verifying()(compact(text, dumps(claims()))).identity == "42"


@pytest.mark.parametrize(
    "filling",
    [
        '"a":[' + "[]," * 300 + "[]]",
        '"a":"' + "x" * 4100 + '"',
        '"a":' + "9" * 900,
        '"a":[' + ",".join(["9" * 63] * 20) + "]",
        '"a":' + "[" * 9 + "]" * 9,
        '"a":[' + "1," * 32 + "1]",
        '"a":"' + "\\u0061" * 101 + '"',
    ],
    ids=["arrays", "text", "digits", "numbers", "depth", "members", "escapes"],
)
def test_a_header_is_read_only_if_it_is_as_small_as_headers_are(filling: str) -> None:
    """Anybody can write one without a key: what costs us time must cost a signature first."""
    verify = verifying()
    assert reason(verify, compact(f'{{"alg":"HS256","typ":"JWT",{filling}}}', dumps(claims()))) is Reason.MALFORMED


# --- one token, one text ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["HS256", "RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
def test_other_spellings_of_a_token_are_refused(alg: str, part: int) -> None:
    """B2, CVE-2026-102269, CVE-2026-62995: padding, junk, line breaks and stray bits in any part of a good token."""
    settings, key = keys_for(alg)
    verify = verifying(**settings)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # a kid of fitting length gives each part stray bits to play with
    for kid in ("a", "aa", "aaa"):
        parts = token(claims(x=kid), key=key, alg=alg, header={"kid": kid}).split(".")
        assert verify(".".join(parts))
        plain = parts[part]
        stray = [plain[:-1] + alphabet[alphabet.index(plain[-1]) ^ bit] for bit in (1, 2, 3)] if len(plain) % 4 else []
        changed = [
            plain + "=", plain + "==", plain + "A", plain + "\n", " " + plain, plain[:4] + "\n" + plain[4:],
            plain[:4] + "=" + plain[4:], plain + "!", plain + "\0", "+" + plain, "/" + plain, *stray,
        ]  # fmt: skip
        for text in changed:
            assert reason(verify, ".".join([*parts[:part], text, *parts[part + 1 :]])) in (
                Reason.MALFORMED,
                Reason.BAD_SIGNATURE,
            ), text


@pytest.mark.parametrize("alg", CURVES)
def test_psychic_signatures_are_refused(alg: str) -> None:
    """CVE-2022-21449, B16: zero, one, the order and its neighbours as r and s, in the raw form and as DER."""
    verify = verifying(**keys_for(alg)[0])
    order = {
        "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        "ES384": int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
        "ES512": int("1ff" + "f" * 62 + "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409", 16),
    }[alg]
    octets = {"ES256": 32, "ES384": 48, "ES512": 66}[alg]
    message = token(key=private(alg), alg=alg).rpartition(".")[0]
    values = (0, 1, 2, order - 1, order, order + 1, order // 2)
    for r in values:
        for s in values:
            raw = r.to_bytes(octets, "big") + s.to_bytes(octets, "big")
            for signature in (raw, encode_dss_signature(r, s)):
                assert reason(verify, f"{message}.{b64(signature)}") is Reason.BAD_SIGNATURE
    for length in (1, 2, octets, 2 * octets - 1, 2 * octets + 1, 4 * octets, 1024):
        assert reason(verify, f"{message}.{b64(bytes(length))}") is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("alg", CURVES)
def test_ecdsa_signatures_have_one_form(alg: str) -> None:
    """B16, CVE-2019-14859, RFC 7518 section 3.4: DER, short and long numbers are refused though r and s are right."""
    settings, key = keys_for(alg)
    verify = verifying(**settings)
    good = token(key=key, alg=alg)
    assert verify(good)
    message, _, signature = good.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    half = len(raw) // 2
    r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    der = encode_dss_signature(r, s)
    assert decode_dss_signature(der) == (r, s)
    wide = r.to_bytes(half + 1, "big") + s.to_bytes(half + 1, "big")
    for other in (der, wide, raw[half:] + raw[:half], raw + b"\0\0"):
        assert reason(verify, f"{message}.{b64(other)}") is Reason.BAD_SIGNATURE


def test_small_order_and_malleable_ed25519_signatures_are_refused() -> None:
    """Threat 37, RFC 8032 section 5.1.7: identity points, and S + L, which is the same signature to a lax verifier."""
    settings, key = keys_for("EdDSA")
    verify = verifying(**settings)
    good = token(key=key, alg="EdDSA")
    message, _, signature = good.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 2**252 + 27742317777372353535851937790883648493
    malleable = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    for other in (b"\1" + bytes(63), bytes(64), malleable, raw[:32] + bytes(32)):
        assert reason(verify, f"{message}.{b64(other)}") is Reason.BAD_SIGNATURE


def test_bytes_that_are_no_token_are_refused(verify: Verify) -> None:
    """Whatever text comes, the answer is `InvalidToken` and nothing else."""
    for text in ("", ".", "..", "...", "a", "a.b", "\0", "\ud800.\ud800.\ud800", "é.é.é", "eyJ.eyJ.eyJ", "=.=.="):
        assert reason(verify, text) is Reason.MALFORMED


@pytest.mark.parametrize("size", [8193, 9_000, 60_000, 10**6])
def test_long_tokens_are_refused_by_their_length(size: int, verify: Verify) -> None:
    """CVE-2025-61920, CVE-2025-65015: nothing of them is decoded, and nothing of them is in the message."""
    error = refusal(verify, "a" * size)
    assert (error.reason, error.detail) == (Reason.TOO_LONG, f"token has {size} bytes, JWT_MAX_TOKEN_BYTES=8192")


def test_a_token_may_be_exactly_as_long_as_allowed() -> None:
    """The bound is inclusive."""
    text = token(claims(x="x" * 300))
    assert verifying(max_token_bytes=len(text))(text)
    assert reason(verifying(max_token_bytes=len(text) - 1), text) is Reason.TOO_LONG


# --- several keys ----------------------------------------------------------------------------------------------------


def test_previous_secrets_verify_in_any_order() -> None:
    """A rotation in full swing: tokens of the new and the old secret come mixed, with the very same header."""
    verify = verifying(secret_key=SECRET, previous_secret_keys=[OLD_SECRET, LONG_SECRET])
    made = [jwt.encode(claims(sub=str(i)), key) for i, key in enumerate((SECRET, OLD_SECRET, LONG_SECRET))]
    assert len({text.split(".")[0] for text in made}) == 1
    for _ in range(2):
        assert [verify(text).identity for text in made] == ["0", "1", "2"]
        assert [verify(text).identity for text in reversed(made)] == ["2", "1", "0"]
    assert reason(verify, jwt.encode(claims(), OTHER_SECRET)) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("text", "issuer"),
    [
        (token(claims(iss=ISSUER, exp=1)), ISSUER),
        (token(claims(iss="another", exp=1)), ISSUER),
        (token("[]"), ISSUER),
        (token(claims(iss=ISSUER), key=OTHER_SECRET), None),
        (token(claims(iss=ISSUER), header={"typ": "x"}), None),
        ("a.b.c", None),
    ],
    ids=["expired", "another-issuer", "not-an-object", "forged", "type", "junk"],
)
def test_a_refusal_names_the_issuer_whose_key_signed(text: str, issuer: str | None) -> None:
    """As soon as the signature is good, and whatever the claims say; never before."""
    assert refusal(verifying(issuer=ISSUER), text).issuer == issuer


def test_previous_secrets_do_not_sign() -> None:
    """What we issue is signed with the present secret."""
    auth = JWTAuth(secret_key=SECRET, previous_secret_keys=[OLD_SECRET])
    assert jwt.decode(auth.issue("42"), SECRET, ["HS256"])["sub"] == "42"


def test_tokens_without_a_kid_are_tried_with_each_fitting_key(tmp_path: Path) -> None:
    """Two RSA keys with names, one of them in use by an issuer who names none: both verify, again and again."""
    file = jwks_file(tmp_path, jwk("RS256", kid="a"), jwk("other RS256", kid="b"), jwk("ES256", kid="c"))
    verify = verifying(jwks_file=file, allow_any_audience=True)
    for _ in range(2):
        for kind in ("RS256", "other RS256"):
            assert verify(token(key=private(kind), alg="RS256")).identity == "42"
    assert verify(token(key=private("ES256"), alg="ES256")).identity == "42"
    assert reason(verify, token(key=private("other ES256"), alg="ES256")) is Reason.BAD_SIGNATURE


def test_a_kid_picks_its_key_and_no_other(tmp_path: Path) -> None:
    """C3: a token signed by key a that calls itself b's is refused, even though we have both."""
    file = jwks_file(tmp_path, jwk("RS256", kid="a"), jwk("other RS256", kid="b"))
    verify = verifying(jwks_file=file, allow_any_audience=True)
    for kind, kid, other in (("RS256", "a", "b"), ("other RS256", "b", "a")):
        assert verify(token(key=private(kind), alg="RS256", header={"kid": kid}))
        assert reason(verify, token(key=private(kind), alg="RS256", header={"kid": other})) is Reason.BAD_SIGNATURE
        assert reason(verify, token(key=private(kind), alg="RS256", header={"kid": kid.upper()})) is Reason.UNKNOWN_KEY


# --- the memory of good headers --------------------------------------------------------------------------------------


@pytest.fixture
def ring(tmp_path: Path) -> Any:
    """A verifier with two named RSA keys."""
    file = jwks_file(tmp_path, jwk("RS256", kid="a"), jwk("other RS256", kid="b"))
    return JWTAuth(jwks_file=file, allow_any_audience=True, clock=Clock()).core.verifier


def test_only_a_good_signature_is_remembered(ring: Any) -> None:
    """An attacker cannot fill the memory: a header enters it with a signature of ours, never before."""
    for kid in ("a", "b", "c", None):
        text = token(key=private("other ES256"), alg="ES256", header={"kid": kid})
        forged = token(key=private("RS256"), alg="RS256", header={"kid": "b"})
        for bad in (text, forged, forged[:-8] + "AAAAAAAA"):
            with pytest.raises(module.InvalidToken):
                ring.verify(bad.encode())
    assert ring._memory.good_headers == {}
    ring.verify(token(key=private("RS256"), alg="RS256", header={"kid": "a"}).encode())
    assert len(ring._memory.good_headers) == 1


def test_a_remembered_header_accepts_no_other_key_and_no_other_signature(ring: Any) -> None:
    """What is remembered is the choice of keys, never a verdict."""
    good = token(key=private("RS256"), alg="RS256", header={"kid": "a"})
    assert ring.verify(good.encode()).identity == "42"
    message = good.rpartition(".")[0]
    for signature in (
        sign(message, "RS256", private("other RS256")),
        sign(message, "PS256", private("RS256")),
        sign(message, "HS256", public_bytes("RS256")),
        bytes(256),
        sign(message + "x", "RS256", private("RS256")),
    ):
        with pytest.raises(module.InvalidToken) as caught:
            ring.verify(f"{message}.{b64(signature)}".encode())
        assert caught.value.reason is Reason.BAD_SIGNATURE
    other = token(claims(sub="root"), key=private("other RS256"), alg="RS256", header={"kid": "a"})
    assert other.split(".")[0] == good.split(".")[0]
    with pytest.raises(module.InvalidToken):
        ring.verify(other.encode())


def test_the_memory_of_headers_is_bounded_and_keeps_working_when_full() -> None:
    """An issuer with a new header for each token fills it once; tokens verify all the same."""
    verifier = JWTAuth(secret_key=SECRET, clock=Clock()).core.verifier
    for i in range(module._MAX_HEADERS + 40):
        assert verifier.verify(token(header={"kid": f"k{i}"}).encode()).identity == "42"
    assert len(verifier._memory.good_headers) == module._MAX_HEADERS
    assert verifier.verify(token(header={"kid": "new"}).encode()).identity == "42"


def test_claims_are_checked_again_with_a_remembered_header(verify: Verify) -> None:
    """A known header saves the choice of a key and nothing else."""
    assert verify(token())
    assert reason(verify, token(claims(exp=1))) is Reason.EXPIRED
    assert reason(verify, token("[]")) is Reason.MALFORMED


# --- precedence ------------------------------------------------------------------------------------------------------


def test_a_bad_signature_comes_before_every_claim(verify: Verify) -> None:
    """CVE-2024-51744: expired, for others, or not even JSON: without our signature nothing of it is told."""
    payloads: list[Any] = [
        claims(exp=1),
        claims(aud="x"),
        claims(type="refresh"),
        claims(cnf={}),
        "not json",
        "[" * 3000,
    ]
    for payload in payloads:
        assert reason(verify, token(payload, key=OTHER_SECRET)) is Reason.BAD_SIGNATURE


# --- tokens of other libraries ---------------------------------------------------------------------------------------


def test_what_pyjwt_makes_we_accept() -> None:
    """Tokens of the library that most issuers in Python use, in every algorithm, claims as they come."""
    for alg in (*HMAC, *ASYMMETRIC):
        settings, key = keys_for(alg)
        if alg == "Ed25519":
            continue  # PyJWT signs it under its older name
        made = jwt.encode(claims(scope="read"), key, alg, headers={"kid": "x"})
        assert verifying(**settings)(made).scopes == ("read",)


def test_flask_jwt_extended_access_passes_and_refresh_does_not() -> None:
    """Design section 2, Claims: the refresh token of flask-jwt-extended, made by itself, is no access token."""
    from flask import Flask
    from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token

    app = Flask(__name__)
    app.config["JWT_SECRET_KEY"] = SECRET
    JWTManager(app)
    with app.app_context():
        access, refresh = create_access_token("42"), create_refresh_token("42")
    now = jwt.decode(access, options={"verify_signature": False})["iat"]
    verify = verifying(Clock(now))
    assert verify(access).identity == "42"
    error = refusal(verify, refresh)
    assert (error.reason, error.detail) == (Reason.NOT_AN_ACCESS_TOKEN, "token has type='refresh'")


_SIMPLEJWT = """
import django
from django.conf import settings
apps = ["django.contrib.contenttypes", "django.contrib.auth"]
settings.configure(INSTALLED_APPS=apps, SECRET_KEY={secret!r}, USE_TZ=True)
django.setup()
from rest_framework_simplejwt.tokens import RefreshToken
refresh = RefreshToken()
refresh["user_id"] = "42"
print(refresh.access_token, refresh)
"""


def test_simplejwt_access_passes_and_refresh_does_not() -> None:
    """Design section 2, Claims: the refresh token of djangorestframework-simplejwt, made by itself, is none either."""
    made = subprocess.run(
        [sys.executable, "-c", _SIMPLEJWT.format(secret=SECRET)], capture_output=True, text=True, check=True, timeout=60
    )
    access, refresh = made.stdout.split()
    now = jwt.decode(access, options={"verify_signature": False})["iat"]
    verify = verifying(Clock(now), identity_claim="user_id")
    assert verify(access).identity == "42"
    error = refusal(verify, refresh)
    assert (error.reason, error.detail) == (Reason.NOT_AN_ACCESS_TOKEN, "token has token_type='refresh'")


def test_a_private_key_verifies_what_it_signs() -> None:
    """`JWT_PRIVATE_KEY` alone is a whole issuer: its public half verifies."""
    verify = verifying(private_key=private_pem("ES256"), audience=AUDIENCE)
    text = token(claims(aud=AUDIENCE), key=private("ES256"), alg="ES256")
    assert verify(text).claims == {"sub": "42", "iat": IAT, "exp": IAT + 600, "aud": AUDIENCE}
