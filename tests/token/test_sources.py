"""Where keys come from, and each reason to refuse to start that has to do with keys."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from jwt_middleware import ConfigurationError, Reason
from jwt_middleware.token.jwks import MAX_BYTES, MAX_KEYS
from jwt_middleware.wsgi import JWTAuth
from tests.token.forge import (
    AUDIENCE,
    CURVES,
    HMAC,
    LONG_SECRET,
    OLD_SECRET,
    OTHER_SECRET,
    b64,
    jwk,
    jwks_file,
    private,
    private_pem,
    public_bytes,
    public_pem,
    refusal,
    token,
    verifying,
)
from tests.token.test_keys import BAD_JWKS, PLACEHOLDERS, PUBLIC_KEYS, WRONG_PURPOSE
from tests.worlds import SECRET


def problems(**settings: Any) -> tuple[str, ...]:
    """Start with these settings, which must fail, and return every problem."""
    with pytest.raises(ConfigurationError) as caught:
        JWTAuth(**settings)
    return caught.value.problems


def the_problem(**settings: Any) -> str:
    """Return the only problem."""
    found = problems(**settings)
    assert len(found) == 1, found
    return found[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    made.mkdir()
    return made


def write(folder: Path, **pems: str) -> Path:
    for name, pem in pems.items():
        (folder / f"{name}.pem").write_text(pem)
    return folder


# --- refuse to start: secrets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["secret_key", "previous_secret_keys"])
@pytest.mark.parametrize("secret", PUBLIC_KEYS.values(), ids=PUBLIC_KEYS)
def test_a_public_key_as_a_secret_refuses_to_start(secret: bytes, given: str) -> None:
    """Each CVE in which a public key became an HMAC secret ends here: no start, and no quote."""
    keys = {"secret_key": secret} if given == "secret_key" else {"secret_key": SECRET, given: [secret]}
    problem = the_problem(**keys)
    assert problem.startswith(f"JWT_{given.upper()} ")
    assert "JWT_PUBLIC_KEY" in problem
    assert secret[-30:-10].decode("latin-1") not in problem


@pytest.mark.parametrize("secret", PLACEHOLDERS)
def test_a_placeholder_as_a_secret_refuses_to_start(secret: str) -> None:
    """CVE-2023-22463: the message prints the command that makes a good one, and not the bad one."""
    found = problems(secret_key=secret)
    assert found[0].startswith("JWT_SECRET_KEY is ")
    assert "jwt-middleware keys new" in found[0]
    assert secret not in " ".join(found)


@pytest.mark.parametrize(("alg", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_short_secret_refuses_to_start(alg: str, least: int) -> None:
    """CVE-2025-45768, B13: a secret shorter than its hash; the message prints the command that makes a good one."""
    short = LONG_SECRET[: least - 1]
    problem = the_problem(secret_key=short, algorithms=alg)
    assert problem == (
        f"JWT_SECRET_KEY is {least - 1} bytes long, {alg} needs {least} (RFC 7518 section 3.2); "
        "make a good one with: jwt-middleware keys new"
    )
    assert JWTAuth(secret_key=LONG_SECRET[:least], algorithms=alg)


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        pytest.param({"JWT_SECRET_KEY": ""}, "JWT_SECRET_KEY is set but empty", id="CVE-2026-44351-empty"),
        pytest.param({"JWT_SECRET_KEY": "   "}, "JWT_SECRET_KEY is set but empty", id="CVE-2026-44351-blank"),
        pytest.param({"JWT_SECRET_KEY": "base64:"}, "JWT_SECRET_KEY is 0 bytes long", id="CVE-2026-45363-empty-base64"),
        pytest.param({"JWT_SECRET_KEY": "base64:!!!"}, "JWT_SECRET_KEY begins with base64:", id="no-base64"),
        pytest.param(
            {"JWT_SECRET_KEY": "base64:QUJD"}, "JWT_SECRET_KEY is 3 bytes long", id="length-is-that-of-the-bytes"
        ),
        pytest.param({}, "no key is configured", id="CVE-2024-37568-no-key-at-all"),
    ],
)
def test_a_missing_or_empty_secret_refuses_to_start(
    environ: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verifier without a key verifies nothing, and an empty key everything: neither starts."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found = problems()
    assert found[0].startswith(problem)
    assert not any("no key is configured" in other for other in found[1:]), "a bad key is not an absent one"


def test_an_empty_secret_as_bytes_refuses_to_start() -> None:
    """CVE-2026-102266: the keyword takes bytes, but not none."""
    assert problems(secret_key=b"")[0].startswith("JWT_SECRET_KEY is set but empty")


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "hs256", "HS257", "ES256K", "RSA-OAEP", "dir", "*"])
def test_no_setting_enables_none_or_an_unknown_algorithm(alg: str) -> None:
    """CVE-2021-44878, B6: `none` in no spelling is an algorithm that could be allowed, alone or beside others."""
    for given in (alg, f"HS256,{alg}"):
        assert any(
            p.startswith("JWT_ALGORITHMS takes only: HS256") for p in problems(secret_key=SECRET, algorithms=given)
        )


def test_previous_secrets_need_a_present_one() -> None:
    """Old secrets verify, never sign: without a new one there is no point."""
    assert "JWT_PREVIOUS_SECRET_KEYS needs JWT_SECRET_KEY, or secrets in JWT_KEYS_DIR" in problems(
        previous_secret_keys=OLD_SECRET
    )


def test_more_secrets_than_a_token_may_try_refuse_to_start() -> None:
    """HMAC tokens carry no `kid`: with a fifth secret every token would mean too many keys, and none would pass."""
    many = [LONG_SECRET[i : i + 40] for i in range(1, 9, 2)]
    assert JWTAuth(secret_key=SECRET, previous_secret_keys=many[:3])
    assert "JWT_PREVIOUS_SECRET_KEYS" in the_problem(secret_key=SECRET, previous_secret_keys=many)


# --- refuse to start: what does not fit together ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(lambda folder: {"public_key": public_pem("RS256")}, id="public-key"),
        pytest.param(lambda folder: {"private_key": private_pem("ES256")}, id="private-key"),
        pytest.param(lambda folder: {"keys_dir": write(folder, a=public_pem("ES256"))}, id="keys-dir"),
        pytest.param(lambda folder: {"jwks_file": jwks_file(folder, jwk("RS256"))}, id="jwks-file"),
    ],
)
def test_a_secret_beside_public_keys_refuses_to_start(others: Callable[[Path], dict[str, Any]], folder: Path) -> None:
    """CVE-2015-9235 at its root: one verifier has one kind of key, so no token can turn one into the other."""
    found = problems(secret_key=SECRET, audience=AUDIENCE, **others(folder))
    assert found == ("JWT_SECRET_KEY stands beside public keys: one verifier has one kind (RFC 8725 section 3.1)",)


@pytest.mark.parametrize("name", ["public_key", "private_key"])
def test_rsa_1024_refuses_to_start(name: str) -> None:
    """CVE-2025-45765, B15: a key that can be factored starts nothing."""
    pem = public_pem("RSA-1024") if name == "public_key" else private_pem("RSA-1024")
    problem = the_problem(**{name: pem}, audience=AUDIENCE)
    assert problem == f"JWT_{name.upper()} has 1024 bits, RSA needs 2048 to 16384 (RFC 7518 section 3.3)"


def test_an_ed25519_point_of_small_order_refuses_to_start() -> None:
    """Threat 37: the operator learns it, not the first forger."""
    der = bytes.fromhex("302a300506032b6570032100") + b"\x01" + b"\x00" * 31
    import base64

    pem = f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----"
    assert "small order" in the_problem(public_key=pem, audience=AUDIENCE)


@pytest.mark.parametrize(
    ("kind", "alg"),
    [
        ("RS256", "ES256"),
        ("ES256", "ES384"),
        ("ES384", "RS256"),
        ("EdDSA", "ES256"),
        ("RS256", "HS256"),
        ("ES256", "EdDSA"),
    ],
)
def test_an_algorithm_that_does_not_fit_the_key_refuses_to_start(kind: str, alg: str) -> None:
    """B8, CVE-2022-23541: the mismatch is found at start, not by each token."""
    for name, pem in (("public_key", public_pem(kind)), ("private_key", private_pem(kind))):
        problem = the_problem(**{name: pem}, algorithms=alg, audience=AUDIENCE)
        assert problem.startswith(f"JWT_{name.upper()} does not fit JWT_ALGORITHMS")


def test_an_algorithm_that_no_key_can_do_refuses_to_start() -> None:
    """An operator who names ES256 and has RSA keys alone meant something else."""
    found = the_problem(public_key=public_pem("RS256"), algorithms="RS256,ES256", audience=AUDIENCE)
    assert found == "JWT_ALGORITHMS names ES256, but no key fits"


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_either_name_of_ed25519_fits(alg: str) -> None:
    """B18: `EdDSA` and RFC 9864's `Ed25519` are the same algorithm, in settings too; both names verify."""
    verify = verifying(public_key=public_pem("EdDSA"), algorithms=alg, allow_any_audience=True)
    for name in ("EdDSA", "Ed25519"):
        assert verify(token(key=private("EdDSA"), alg=name)).identity == "42"


def test_public_and_private_may_not_be_swapped() -> None:
    """A private key in `JWT_PUBLIC_KEY` would be copied to every verifier; a public one cannot sign."""
    assert the_problem(public_key=private_pem("ES256"), audience=AUDIENCE).startswith(
        "JWT_PUBLIC_KEY holds a private key"
    )
    assert the_problem(private_key=public_pem("ES256"), audience=AUDIENCE).startswith(
        "JWT_PRIVATE_KEY holds a public key"
    )


def test_a_pair_must_belong_together() -> None:
    """CVE-2026-102275: a private key beside another key's public half would sign what we then refuse."""
    good = JWTAuth(private_key=private_pem("ES256"), public_key=public_pem("ES256"), audience=AUDIENCE)
    assert good.verify(good.issue("42")).identity == "42"
    for other in (public_pem("other ES256"), public_pem("RS256"), "junk"):
        problem = the_problem(private_key=private_pem("ES256"), public_key=other, audience=AUDIENCE)
        assert problem.startswith("JWT_PUBLIC_KEY is not the public half of JWT_PRIVATE_KEY")


@pytest.mark.parametrize("name", ["issuer", "audience"])
def test_an_empty_issuer_or_audience_refuses_to_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """CVE-2018-15801: set but empty is a mistake in a deployment file, not a wish for no check."""
    for value in ("", "  ", *([","] if name == "audience" else [])):
        monkeypatch.setenv(f"JWT_{name.upper()}", value)
        assert the_problem(secret_key=SECRET).startswith(f"JWT_{name.upper()} is set but empty")


@pytest.mark.parametrize("kind", ["RS256", *CURVES, "EdDSA"])
def test_public_keys_need_an_audience(kind: str) -> None:
    """CVE-2024-5798: the issuer's key signs for its other services too, so the audience is not optional."""
    assert the_problem(public_key=public_pem(kind)).startswith("JWT_AUDIENCE is required with public keys")
    assert JWTAuth(public_key=public_pem(kind), allow_any_audience=True)
    assert JWTAuth(public_key=public_pem(kind), audience=AUDIENCE)


def test_every_problem_is_told_at_once() -> None:
    """Five mistakes are five lines in one error."""
    found = problems(
        secret_key="short", public_key="junk", private_key="junk", algorithms="none", leeway=900, issuer=""
    )
    for name in ("JWT_SECRET_KEY", "JWT_PRIVATE_KEY", "JWT_ALGORITHMS", "JWT_LEEWAY", "JWT_ISSUER"):
        assert any(name in problem for problem in found), (name, found)


@pytest.mark.parametrize(
    "settings",
    [
        {"secret_key": OTHER_SECRET[:20]},
        {"secret_key": f"password-{OTHER_SECRET}"},
        {"secret_key": SECRET, "previous_secret_keys": f"{OTHER_SECRET[:20]},{SECRET}"},
        {"secret_key": f"base64:{OTHER_SECRET}!"},
        {"secret_key": SECRET, "public_key": OTHER_SECRET},
        {"private_key": OTHER_SECRET, "audience": AUDIENCE},
        {"secret_key": SECRET, "store_url": f"redis-{OTHER_SECRET}://x"},
        {"secret_key": SECRET, "leeway": OTHER_SECRET},
        {"secret_key": SECRET, "algorithms": OTHER_SECRET},
        {"secret_key": SECRET, "keys_dir": OTHER_SECRET},
        {"secret_key": SECRET, "jwks_file": OTHER_SECRET},
    ],
    ids=lambda settings: "+".join(settings),
)
def test_no_problem_repeats_a_value(settings: dict[str, str]) -> None:
    """Configuration errors end in CI logs and chat windows: they name variables, never values."""
    text = "\n".join(problems(**settings))
    for part in (OTHER_SECRET[:12], SECRET[:12]):
        assert part not in text


# --- a folder of keys ------------------------------------------------------------------------------------------------


def test_of_a_folder_all_verify_and_the_last_private_one_signs(folder: Path) -> None:
    """Rotation: a new key sorts last and signs at once, the old ones go on verifying; names are `kid`s."""
    write(folder, **{"2023": public_pem("RS256"), "2024": private_pem("ES256"), "2025": private_pem("EdDSA")})
    (folder / "README.txt").write_text("not a key")
    auth = JWTAuth(keys_dir=str(folder), audience=AUDIENCE)
    assert [key.kid for key in auth.core.keys.verifying.keys] == ["2023", "2024", "2025"]
    assert auth.core.keys.signing is not None
    assert auth.core.keys.signing.kid == "2025"
    verify = verifying(keys_dir=folder, allow_any_audience=True)
    for kid, alg in (("2023", "RS256"), ("2024", "ES256"), ("2025", "EdDSA")):
        assert verify(token(key=private(alg), alg=alg, header={"kid": kid})).identity == "42"
    wrong = refusal(verify, token(key=private("ES256"), alg="ES256", header={"kid": "2023"}))
    assert wrong.reason is Reason.WRONG_ALGORITHM


def test_a_folder_of_public_keys_only_verifies(folder: Path) -> None:
    """Without a private key there is nothing that signs."""
    auth = JWTAuth(keys_dir=write(folder, a=public_pem("ES256")), audience=AUDIENCE)
    with pytest.raises(ConfigurationError, match="issuing needs"):
        auth.issue("42")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(lambda folder: folder, "JWT_KEYS_DIR holds no key", id="empty"),
        pytest.param(lambda folder: folder / "missing", "JWT_KEYS_DIR is not a folder", id="missing"),
        pytest.param(lambda folder: write(folder, a="junk"), "JWT_KEYS_DIR, file a.pem, is not a PEM", id="junk"),
        pytest.param(lambda folder: write(folder, a="é"), "JWT_KEYS_DIR, file a.pem, cannot be read", id="not-ascii"),
        pytest.param(
            lambda folder: write(folder, a=public_pem("RSA-1024")), "JWT_KEYS_DIR, file a.pem, has 1024 bits", id="weak"
        ),
        pytest.param(
            lambda folder: write(folder, a=public_pem("secp256k1")),
            "JWT_KEYS_DIR, file a.pem, is of a kind",
            id="curve",
        ),
        pytest.param(
            lambda folder: (folder / "a.pem").mkdir() or folder, "JWT_KEYS_DIR, file a.pem, cannot be read", id="folder"
        ),
        pytest.param(
            lambda folder: (folder / "a.pem").symlink_to("nowhere") or folder,
            "JWT_KEYS_DIR, file a.pem, cannot be read",
            id="dangling-link",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_refuses_to_start(
    make: Callable[[Path], Path], problem: str, folder: Path
) -> None:
    """One bad file in our own folder is our own mistake: named, and fatal."""
    assert the_problem(keys_dir=make(folder), audience=AUDIENCE).startswith(problem)


def test_all_bad_files_are_named_at_once(folder: Path) -> None:
    """Two bad files are two lines."""
    write(folder, a="junk", b=public_pem("ES256"), c=public_pem("RSA-1024"))
    assert [p.split(",")[1] for p in problems(keys_dir=folder, audience=AUDIENCE)] == [" file a.pem", " file c.pem"]


def test_two_signing_keys_refuse_to_start(folder: Path) -> None:
    """`JWT_PRIVATE_KEY` and a private key in the folder would both sign."""
    write(folder, a=private_pem("ES256"))
    settings = {"keys_dir": folder, "private_key": private_pem("EdDSA"), "audience": AUDIENCE}
    assert the_problem(**settings) == "JWT_PRIVATE_KEY and JWT_KEYS_DIR both hold a signing key: keep one"
    (folder / "a.pem").write_text(public_pem("ES256"))
    auth = JWTAuth(**settings)
    assert auth.verify(auth.issue("42")).identity == "42"


def test_one_kid_for_two_keys_refuses_to_start(folder: Path) -> None:
    """A token that names `a` would mean either of two keys: whose file it came from must not decide."""
    write(folder, a=public_pem("ES256"))
    file = jwks_file(folder, jwk("RS256", kid="a"))
    assert the_problem(keys_dir=folder, jwks_file=file, audience=AUDIENCE).startswith("two keys have the same kid")


# --- a JWK Set file --------------------------------------------------------------------------------------------------


def _weak() -> dict[str, str]:
    numbers = private("RSA-1024").public_key().public_numbers()
    return {"kty": "RSA", "n": b64(numbers.n.to_bytes(128, "big")), "e": "AQAB", "kid": "weak"}


SIBLINGS: dict[str, Any] = {
    "null": None,
    "number": 5,
    "text": "RSA",
    "list": [],
    "empty-object": {},
    "rsa-1024": _weak(),
    "secret": {"kty": "oct", "k": b64(SECRET), "kid": "oct"},
    "small-order": {"kty": "OKP", "crv": "Ed25519", "x": b64(b"\x01" + b"\x00" * 31)},
    **BAD_JWKS,
}


@pytest.mark.parametrize("sibling", SIBLINGS.values(), ids=SIBLINGS)
def test_a_bad_jwk_does_not_spoil_its_siblings(sibling: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """CVE-2026-102274, RFC 7517 section 5: the good keys before and after it verify; one warning tells of it."""
    file = jwks_file(tmp_path, jwk("RS256", kid="one"), sibling, jwk("ES256", kid="two"))
    with caplog.at_level(logging.WARNING):
        verify = verifying(jwks_file=file, allow_any_audience=True)
    for kid, alg in (("one", "RS256"), ("two", "ES256")):
        assert verify(token(key=private(alg), alg=alg, header={"kid": kid})).identity == "42"
    skipped = [record.getMessage() for record in caplog.records if "is skipped" in record.getMessage()]
    assert len(skipped) == 1
    assert skipped[0].startswith("JWK 1 ")
    assert b64(SECRET) not in caplog.text


@pytest.mark.parametrize("members", WRONG_PURPOSE.values(), ids=WRONG_PURPOSE)
def test_a_jwk_for_another_purpose_verifies_nothing(members: dict[str, Any], tmp_path: Path) -> None:
    """B19: a token that was signed with an encryption key is refused, though its signature is right."""
    file = jwks_file(tmp_path, jwk("RS256", kid="enc") | members, jwk("ES256", kid="two"))
    verify = verifying(jwks_file=file, allow_any_audience=True)
    assert refusal(verify, token(key=private("RS256"), alg="RS256", header={"kid": "enc"})).reason in (
        Reason.WRONG_ALGORITHM,
        Reason.UNKNOWN_KEY,
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"junk", id="no-json"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="no-keys"),
        pytest.param(b'{"keys":{}}', id="keys-is-an-object"),
        pytest.param(b'{"keys":null}', id="keys-is-null"),
        pytest.param(b'{"keys":"x"}', id="keys-is-a-text"),
        pytest.param(b"\xef\xbb\xbf" + b'{"keys":[]}', id="byte-order-mark"),
        pytest.param(b"\xff\xfe", id="not-utf-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"keys":[' + b"{}," * MAX_KEYS + b"{}]}", id="too-many-keys"),
        pytest.param(b'{"keys":[]}' + b" " * MAX_BYTES, id="too-large"),
    ],
)
def test_a_file_that_is_no_jwk_set_refuses_to_start(content: bytes, tmp_path: Path) -> None:
    """A file that cannot be read as a set is a problem with a name, never an exception of the parser's."""
    file = tmp_path / "jwks.json"
    file.write_bytes(content)
    assert the_problem(jwks_file=file, audience=AUDIENCE).startswith("JWT_JWKS_FILE ")


def test_a_missing_jwks_file_refuses_to_start(tmp_path: Path) -> None:
    """So does one that is not there."""
    assert "JWT_JWKS_FILE " in the_problem(jwks_file=tmp_path / "none.json", audience=AUDIENCE)


def test_a_set_without_a_usable_key_refuses_to_start(tmp_path: Path) -> None:
    """A set of encryption keys is no set of ours."""
    for entries in ([], [{}], [jwk("RS256", use="enc")], [{"kty": "oct", "k": b64(SECRET)}]):
        file = jwks_file(tmp_path, *entries)
        assert the_problem(jwks_file=file, audience=AUDIENCE).startswith("JWT_JWKS_FILE holds no key that we can use")


def test_a_kid_that_stands_twice_in_a_set_refuses_to_start(tmp_path: Path) -> None:
    """Two keys of one name could not be told apart."""
    file = jwks_file(tmp_path, jwk("RS256", kid="a"), jwk("ES256", kid="a"))
    assert the_problem(jwks_file=file, audience=AUDIENCE).startswith("two keys have the same kid")


def test_too_many_keys_without_a_kid_refuse_to_start(tmp_path: Path) -> None:
    """Keys without a `kid` are all tried: more than a token may try would let none pass."""
    four, five = ([jwk("RS256")] * count for count in (4, 5))
    assert JWTAuth(jwks_file=jwks_file(tmp_path, *four), audience=AUDIENCE)
    assert "without a kid" in the_problem(jwks_file=jwks_file(tmp_path, *five), audience=AUDIENCE)


def test_a_jwk_without_alg_takes_its_types_default_not_the_tokens(tmp_path: Path) -> None:
    """CVE-2026-22817: the token's header never chooses the algorithm of a JWK, least of all HMAC over its text."""
    verify = verifying(jwks_file=jwks_file(tmp_path, jwk("RS256", kid="a")), allow_any_audience=True)
    assert verify(token(key=private("RS256"), alg="RS256", header={"kid": "a"})).identity == "42"
    for alg in ("PS256", "RS512"):
        forged = token(key=private("RS256"), alg=alg, header={"kid": "a"})
        assert refusal(verify, forged).reason is Reason.WRONG_ALGORITHM
    for alg in HMAC:
        for key in (public_bytes("RS256"), json.dumps(jwk("RS256")).encode(), b""):
            forged = token(key=key, alg=alg, header={"kid": "a"})
            assert refusal(verify, forged).reason is Reason.WRONG_ALGORITHM


def test_a_certificate_verifies_like_its_key() -> None:
    """A PEM certificate in `JWT_PUBLIC_KEY` is its public key."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private("ES256").public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(private("ES256"), hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    verify = verifying(public_key=pem, allow_any_audience=True)
    assert verify(token(key=private("ES256"), alg="ES256")).identity == "42"
