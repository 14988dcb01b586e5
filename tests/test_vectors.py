"""The vectors of others: Wycheproof, RFC 7515, RFC 7520, RFC 7797 and RFC 8037, each as it is labelled.

`tests/vectors` holds them with their licences, and `OVERRIDES.json` our corrections of upstream's labels. Where we
refuse on purpose what a label calls valid, the tables below say so: a vector named there must be refused for exactly
that reason, and a vector not named there must be judged as labelled.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import InvalidToken, Reason
from jwt_middleware.settings import load
from jwt_middleware.token import formats, keys, sources
from jwt_middleware.token.claims import ClaimsPolicy
from jwt_middleware.token.keychain import Keychain
from jwt_middleware.token.keys import Key, KeyProblem, KeySet
from jwt_middleware.token.sources import KeyRing
from jwt_middleware.token.verifier import Verifier
from tests.worlds import NOW, SECRET

VECTORS = Path(__file__).parent / "vectors"
OVERRIDES = json.loads((VECTORS / "OVERRIDES.json").read_text())

NOT_CLAIMS = "malformed: a part is not one JSON object, or not an unambiguous one"
NO_PAYLOAD = r"malformed: a signed token has three parts, this one 3, some of them empty"
NOT_SIGNED = r"malformed: a signed token has three parts, this one 5$"

# Whole tokens that their label calls valid and that we refuse: the reason, and the vectors it is for.
STRICTER: dict[str, dict[str, set[int]]] = {
    "json_web_signature_test": {
        # A claims set is a JSON object (RFC 7519 section 7.2), so a token without a payload is none.
        NO_PAYLOAD: {259, 264, 268, 272, 320, 325},
        # A key does exactly one algorithm, its own `alg` (RFC 8725 section 3.1): PS256 is not PS384.
        r"wrong_algorithm: token has alg='PS384', accepted: PS256": {346, 350},
        # `ES521`, as RFC 7520 first had it, is no algorithm.
        r"key: has alg='ES521', which does not fit its type": {347, 351},
    },
    "json_web_key_test": {
        # A JWK Set never brings HMAC secrets: they are configured, one by one, as such.
        r"configuration: JWT_JWKS_FILE holds no key that we can use": {2},
    },
    "json_web_crypto_test": {
        r"configuration: JWT_JWKS_FILE holds no key that we can use": {48},
        # Encrypted tokens are not read at all.
        NOT_SIGNED: {50, 67},
    },
}

# Vectors labelled invalid that we accept, and why that is no fault of the verifier.
OUT_OF_SCOPE = {
    # A key whose primes a broken generator made (ROCA, CVE-2017-15361). Keys are the operator's choice, and telling
    # such a key is a search for a fingerprint in its modulus: the makers of keys must do it, not each reader.
    ("json_web_key_test", 7),
    ("json_web_crypto_test", 46),
}


@cache
def read(name: str) -> Any:
    """Read a file of vectors."""
    return json.loads((VECTORS / name).read_text())


def groups(name: str) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield the groups of a Wycheproof file, their tests labelled as `OVERRIDES.json` corrects them."""
    corrected = OVERRIDES.get(f"wycheproof/{name}.json", {})
    for group in read(f"wycheproof/{name}.json")["testGroups"]:
        yield (
            group,
            [
                test | ({"result": corrected[str(test["tcId"])]["use"]} if str(test["tcId"]) in corrected else {})
                for test in group["tests"]
            ],
        )


def plain(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def a_verifier(keyset: KeySet) -> Verifier:
    """Make a verifier that asks nothing of the claims but what every token must have."""
    settings = load({}, {"allow_any_audience": True, "max_token_bytes": 65536}).settings
    keychain = Keychain(settings, KeyRing(keyset))
    return Verifier(keychain, ClaimsPolicy(settings, revocable=False), settings, lambda: NOW)


def verdict(keyset: KeySet, token: Any) -> str | None:
    """Judge the signature of a token: `None` if it holds, whatever the payload says; else why not.

    Whether it holds is told by the verifier itself, which remembers headers of good signatures alone. The payload must
    be canonical all the same, since that is checked by the code under test only then.
    """
    text = token if isinstance(token, str) else json.dumps(token)
    verifier = a_verifier(keyset)
    try:
        verifier.verify(text.encode())
    except InvalidToken as error:
        evidence = f"{error.reason}: {error.detail}"
        about_claims = evidence == NOT_CLAIMS or error.reason in (Reason.MISSING_CLAIM, Reason.EXPIRED)
        return None if verifier._memory.good_headers and about_claims else evidence
    return None


def one_key(jwk: dict[str, Any], alg: str | None = None) -> Key:
    """Load a JWK as an operator would: a secret as a secret, anything else as what it says it is."""
    if jwk.get("kty") == "oct":
        return keys.from_secret(plain(jwk["k"]), [alg or jwk["alg"]])
    return formats.from_jwk(jwk, [alg] if alg else [])


def key_set(jwks: dict[str, Any], folder: Path) -> KeySet:
    """Load a JWK or a JWK Set; a set of one secret is a secret, any other set is JWT_JWKS_FILE."""
    entries = jwks.get("keys", [jwks])
    if len(entries) == 1:
        return KeySet([one_key(entries[0])])
    (folder / "jwks.json").write_text(json.dumps(jwks))
    problems: list[str] = []
    settings = load({}, {"jwks_file": folder / "jwks.json"}).settings
    ring = sources.load(settings, problems)
    if problems:
        raise KeyProblem(f"configuration: {problems[0]}")
    return ring.verifying


def judged(group: dict[str, Any], test: dict[str, Any], folder: Path) -> str | None:
    """Load a group's key and judge one token by it; `None` is an accepted signature."""
    if "jwe" in test:  # its key is for encryption; that it is no signed token must be seen without it
        return verdict(KeySet([keys.from_secret(SECRET.encode(), [])]), test["jwe"])
    try:
        keyset = key_set(group.get("public") or group["private"], folder)
    except KeyProblem as problem:
        text = str(problem)
        return text if text.startswith("configuration") else f"key: {text}"
    return verdict(keyset, test["jws"])


WHOLE = ("json_web_signature_test", "json_web_key_test", "json_web_crypto_test")


@pytest.mark.parametrize("name", WHOLE)
def test_every_whole_token_is_judged_as_labelled(name: str, tmp_path: Path) -> None:
    """Wycheproof's JWS, JWK and mixed vectors: accepted and refused as labelled, or refused as our table says."""
    stricter = {number: reason for reason, numbers in STRICTER.get(name, {}).items() for number in numbers}
    wrong, seen = [], set()
    for group, tests in groups(name):
        for test in tests:
            number = test["tcId"]
            found = judged(group, test, tmp_path)
            seen.add(number)
            if number in stricter:
                good = test["result"] == "valid" and found is not None and re.match(stricter[number], found)
            elif (name, number) in OUT_OF_SCOPE:
                good = test["result"] == "invalid" and found is None
            else:
                good = (found is None) == (test["result"] == "valid")
            if not good:
                wrong.append(f"tc{number} {group['comment']} {test['comment']}, {test['result']}: {found}")
    assert not wrong, "\n".join(wrong)
    assert len(seen) == read(f"wycheproof/{name}.json")["numberOfTests"]
    assert stricter.keys() <= seen, "the table names vectors that do not exist"


# --- primitives ------------------------------------------------------------------------------------------------------

# Each file of signatures, and the algorithm that it is for.
PRIMITIVES = {
    "ecdsa_secp256r1_sha256_p1363_test": "ES256",
    "ecdsa_secp384r1_sha384_p1363_test": "ES384",
    "ecdsa_secp521r1_sha512_p1363_test": "ES512",
    "ed25519_test": "EdDSA",
    "rsa_signature_2048_sha256_test": "RS256",
    "rsa_signature_2048_sha384_test": "RS384",
    "rsa_signature_2048_sha512_test": "RS512",
    "rsa_pss_2048_sha256_mgf1_32_test": "PS256",
    "rsa_pss_2048_sha384_mgf1_48_test": "PS384",
}
MACS = {"hmac_sha256_test": "HS256", "hmac_sha384_test": "HS384", "hmac_sha512_test": "HS512"}


def test_every_file_of_vectors_is_used() -> None:
    """No vector lies in the folder unread, and the corrections name files and vectors that exist."""
    read_here = {*WHOLE, *PRIMITIVES, *MACS, *REFUSED_KINDS, "rsa_pss_4096_sha512_mgf1_32_test"}
    assert {path.stem for path in (VECTORS / "wycheproof").iterdir()} == read_here
    for name, corrections in OVERRIDES.items():
        if name != "notes":
            known = {test["tcId"] for group in read(name)["testGroups"] for test in group["tests"]}
            assert {int(number) for number in corrections} <= known


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_signature_is_judged_as_labelled(name: str) -> None:
    """Wycheproof's raw signatures: what is not plainly valid is refused, `acceptable` included."""
    wrong, count = [], 0
    for group, tests in groups(name):
        key = formats.from_pem(group["publicKeyPem"], [PRIMITIVES[name]])
        if "publicKeyJwk" in group:
            by_jwk = formats.from_jwk(group["publicKeyJwk"], [PRIMITIVES[name]])
            assert formats.thumbprint(by_jwk.public) == formats.thumbprint(key.public)
        for test in tests:
            count += 1
            good = key.verifies(bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
            if good is not (test["result"] == "valid"):
                wrong.append(f"tc{test['tcId']} {test['comment']}, {test['result']}: {good}")
    assert not wrong, "\n".join(wrong)
    assert count == read(f"wycheproof/{name}.json")["numberOfTests"]


@pytest.mark.parametrize("name", MACS)
def test_every_mac_is_judged_as_labelled(name: str) -> None:
    """Wycheproof's MACs, but for what RFC 7518 section 3.2 rules out: short secrets, and MACs cut in half."""
    wrong, count = [], 0
    bits = int(MACS[name][2:])
    for group, tests in groups(name):
        for test in tests:
            count += 1
            secret, tag = bytes.fromhex(test["key"]), bytes.fromhex(test["tag"])
            if group["keySize"] < bits:
                with pytest.raises(KeyProblem, match=f"bytes long, {MACS[name]} needs {bits // 8}"):
                    keys.from_secret(secret, [MACS[name]])
                continue
            good = keys.from_secret(secret, [MACS[name]]).verifies(bytes.fromhex(test["msg"]), tag)
            if good is not (test["result"] == "valid" and len(tag) * 8 == bits):
                wrong.append(f"tc{test['tcId']} {test['comment']}, {test['result']}: {good}")
    assert not wrong, "\n".join(wrong)
    assert count == read(f"wycheproof/{name}.json")["numberOfTests"]


REFUSED_KINDS = ("ecdsa_secp256k1_sha256_p1363_test", "ed448_test")


@pytest.mark.parametrize("name", REFUSED_KINDS)
def test_keys_of_kinds_that_we_do_not_take_are_refused(name: str) -> None:
    """ES256K and Ed448: no key of theirs is ever loaded, so no signature of theirs is ever right."""
    for group, _ in groups(name):
        with pytest.raises(KeyProblem, match="of a kind that signs no tokens"):
            formats.from_pem(group["publicKeyPem"], [])
        with pytest.raises(KeyProblem, match=r"of a kind that signs no tokens|is malformed"):
            formats.from_jwk(group.get("publicKeyJwk", {"kty": "EC"}), [])


def test_a_pss_salt_is_as_long_as_its_hash() -> None:
    """RFC 7518 section 3.5: PS512 with a salt of 32 bytes is refused, even where the signature itself is right."""
    for group, tests in groups("rsa_pss_4096_sha512_mgf1_32_test"):
        key = formats.from_pem(group["publicKeyPem"], ["PS512"])
        assert len(tests) == 177
        assert {test["result"] for test in tests} == {"valid", "invalid"}
        assert not any(key.verifies(bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])) for test in tests)


# --- the examples of the RFCs ----------------------------------------------------------------------------------------

RFC7515 = read("rfc/rfc7515_appendix_a.json")
RFC8037 = read("rfc/rfc8037_appendix_a.json")


@pytest.mark.parametrize("example", [e for e in RFC7515 if e.get("jws_valid") is True], ids=lambda e: e["id"])
def test_rfc7515_signatures(example: dict[str, Any]) -> None:
    """RFC 7515 A.1 to A.4 hold, A.6 (JSON) is no compact token; one changed byte and none holds."""
    if "token" not in example:
        assert verdict(KeySet([one_key(k) for k in example["keys"]]), example["json_serialization"])
        return
    keyset = KeySet([one_key(example["key"], example["alg"])])
    token = example["token"]
    assert verdict(keyset, token) is None
    at = token.rindex(".") + 1
    assert verdict(keyset, token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]).startswith("bad_sig")


def test_rfc7515_payloads_and_claims() -> None:
    """RFC 7515 A.1: the claims are read as they stand, and the token expired in 2011."""
    example = RFC7515[0]
    verifier = a_verifier(KeySet([one_key(example["key"], "HS256")]))
    settings = load({}, {"allow_any_audience": True, "identity_claim": "iss"}).settings
    verifier._policy = ClaimsPolicy(settings, revocable=False)
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(example["token"].encode())
    assert caught.value.reason is Reason.EXPIRED
    verifier._clock = lambda: 1300819379.0
    assert verifier.verify(example["token"].encode()).claims == json.loads(example["payload_utf8"])


def test_rfc7515_unsecured() -> None:
    """RFC 7515 A.5: a token under `none` has an empty third part, and is refused with or without one."""
    keyset = KeySet([one_key(RFC7515[0]["key"], "HS256")])
    token = next(e for e in RFC7515 if e["id"] == "rfc7515-A.5")["token"]
    assert re.match(NO_PAYLOAD, str(verdict(keyset, token)))
    assert str(verdict(keyset, token + "AA")).startswith("wrong_algorithm: token has alg='none'")


def test_rfc8037_ed25519() -> None:
    """RFC 8037 appendix A: the signature, the thumbprint, and the public half of the private key."""
    pair, thumbprint, signed = RFC8037
    assert verdict(KeySet([one_key(signed["key"])]), signed["token"]) is None
    assert one_key(pair["private_jwk"]).kid == one_key(pair["public_jwk"]).kid == thumbprint["jwk_thumbprint_sha256"]


COOKBOOK = sorted((VECTORS / "cookbook" / "jws").iterdir())


@pytest.mark.parametrize("path", COOKBOOK, ids=lambda path: path.stem)
def test_rfc7520_signatures(path: Path) -> None:
    """RFC 7520 section 4: compact signatures hold, the JSON forms and detached content are refused as no token."""
    example = json.loads(path.read_text())
    if path.stem.startswith("4_8"):
        assert "compact" not in example["output"]
        keyset = KeySet([one_key(k, a) for k, a in zip(example["input"]["key"], example["input"]["alg"])])
    else:
        keyset = KeySet([one_key(example["input"]["key"], example["input"]["alg"])])
    for form in ("json", "json_flat"):
        if form in example["output"]:
            assert str(verdict(keyset, example["output"][form])).startswith("malformed: a signed token has three parts")
    compact = example["output"].get("compact")
    if path.stem.startswith("4_5"):
        assert re.match(NO_PAYLOAD, str(verdict(keyset, compact)))
        head, _, signature = compact.split(".")
        payload = example["signing"]["sig-input"].split(".")[1]
        assert verdict(keyset, f"{head}.{payload}.{signature}") is None
    elif compact is not None:
        assert verdict(keyset, compact) is None
        assert verdict(keyset, compact + "AA") is not None


def test_rfc7520_keys() -> None:
    """RFC 7520 section 3: public and private JWKs are one key to us, and a private part is not kept."""
    folder = VECTORS / "cookbook" / "jwk"
    found = {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}
    for public, private in (("3_1.ec_public_key", "3_2.ec_private_key"), ("3_3.rsa_public_key", "3_4.rsa_private_key")):
        ours, theirs = one_key(found[public]), one_key(found[private])
        assert formats.thumbprint(ours.public) == formats.thumbprint(theirs.public)
        assert theirs.private is None
        assert not {"d", "p", "q"} & formats.to_jwk(theirs).keys()
    assert one_key(found["3_5.symmetric_key_mac_computation"]).names == ("HS256",)
    for name in ("3_5.symmetric_key_mac_computation", "3_6.symmetric_key_encryption"):
        with pytest.raises(KeyProblem, match=r"kty='oct'|use='enc'"):
            formats.from_jwk(found[name], [])


@pytest.mark.parametrize("path", sorted((VECTORS / "cookbook" / "rfc7797").iterdir()), ids=lambda path: path.stem)
def test_rfc7797_unencoded_payloads(path: Path) -> None:
    """RFC 7797: an unencoded payload is an extension that we do not know, so the token is refused in every form."""
    example = json.loads(path.read_text())
    keyset = KeySet([one_key(example["input"]["key"], "HS256")])
    for form in example["output"].values():
        assert str(verdict(keyset, form)).startswith(("malformed: a signed token has", "unsupported_header: token he"))
    if "compact" in example["output"]:
        assert str(verdict(keyset, example["output"]["compact"])) == "unsupported_header: token header has crit"


@pytest.mark.parametrize("path", sorted((VECTORS / "cookbook" / "jwe").iterdir()), ids=lambda path: path.stem)
def test_rfc7520_encrypted_tokens(path: Path) -> None:
    """RFC 7520 sections 5 and 6: RSA1_5, PBES2, direct, compressed and nested tokens have five parts: none passes."""
    example = json.loads(path.read_text())
    output = example["output"] if "output" in example else example["encrypt"]["output"]
    keyset = KeySet([keys.from_secret(SECRET.encode(), [])])
    assert re.match(NOT_SIGNED.rstrip("$"), str(verdict(keyset, output["compact"])))
    for form in ("json", "json_flat"):
        if form in output:
            assert str(verdict(keyset, output[form])).startswith("malformed: a signed token has three parts")
    if "sign" in example:  # the signed token inside, taken out, is an ordinary one
        signing = example["sign"]["input"]
        assert verdict(KeySet([one_key(signing["key"], signing["alg"])]), example["sign"]["output"]["compact"]) is None


# --- the table itself ------------------------------------------------------------------------------------------------


def test_what_we_refuse_for_the_key_s_alg_is_right_without_it() -> None:
    """The RFC 7520 examples whose JWK names another `alg` hold once the key is told which one it does."""
    stricter = {
        n for reason, numbers in STRICTER["json_web_signature_test"].items() if "alg=" in reason for n in numbers
    }
    checked = set()
    for group, tests in groups("json_web_signature_test"):
        for test in tests:
            if test["tcId"] in stricter:
                jwk = {name: value for name, value in group["public"].items() if name != "alg"}
                alg = json.loads(plain(test["jws"].split(".")[0]))["alg"]
                assert verdict(KeySet([one_key(jwk, alg)]), test["jws"]) is None
                checked.add(test["tcId"])
    assert checked == stricter == {346, 347, 350, 351}


def test_a_set_of_secrets_is_right_as_secrets() -> None:
    """The secrets of a JWK Set hold as JWT_SECRET_KEY and JWT_PREVIOUS_SECRET_KEYS, in either order."""
    group, tests = next((g, t) for g, t in groups("json_web_key_test") if g["comment"] == "jws_keyset")
    two = [one_key(jwk) for jwk in group["private"]["keys"]]
    for order in (two, two[::-1]):
        assert [verdict(KeySet(order), test["jws"]) is None for test in tests] == [True, False]
