"""HMAC secrets that are none: public keys, placeholders, file names (CVE-2022-29217, CVE-2026-48526 and kin)."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from jwt_middleware.token.keys import Key, KeyProblem, from_secret

# What an OpenSSH public key begins with, after its length; long enough that chance does not write it.
_SSH = (b"ssh-rsa", b"ssh-dss", b"ssh-ed", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")
_PATHS = (b"file:", b"/run/", b"/etc/", b"/var/", b"/opt/", b"/home/", b"/srv/", b"/mnt/", b"./", b"../", b"~/")
ADVICE = "make a good one with: jwt-middleware keys new"

_PLACEHOLDERS = (
    "changeme", "changethis", "replaceme", "replacethis", "placeholder", "yoursecret", "yoursupersecret",
    "your256bit", "your384bit", "your512bit", "atleast256bits", "atleast384bits", "atleast512bits",
    "mysecret", "supersecret", "topsecret",
    "verysecret", "secretkeyhere", "insertsecret", "insertyour", "thisisasecret", "thisisnotasecret", "keepitsecret",
    "secretsecret", "donotuse", "dontuse", "examplesecret", "examplekey", "jwtsecretkey", "djangoinsecure",
    "notasecret", "password", "secretkey", "testsecret", "insecure", "ultrasecure",
    "randomstring", "replacewith", "generatea", "openssl", "yourjwt", "yourvery", "yourlong", "putyour", "longrandom",
    "goeshere", "quickbrownfox", "32byte", "longenough",
    "1234567890", "abcdefghij", "qwertyuiop",
)  # fmt: skip


# Good secrets that tutorials have published: FastAPI's, Flask's, a Spring guide's, RFC 7515's.
_PUBLISHED = (
    b"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    b"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    b"404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
)
_QUOTED = re.compile(rb"\".*\"|'.*'", re.DOTALL)
_FRAMED = re.compile(rb"\{.*\}|\[.*\]|<.*>|\$\(.*\)|\$\{.*\}", re.DOTALL)
_LAYERS = 3  # how often a key may be wrapped in another encoding and still be found


def checked(secret: bytes, allowed: Sequence[str]) -> Key:
    """Bind an HMAC secret that is one.

    Raises:
        KeyProblem: too short, of no fitting algorithm, or no secret at all.
    """
    try:
        key = from_secret(secret, allowed)
    except KeyProblem as problem:
        raise KeyProblem(f"{problem}; {ADVICE}") from None
    if (found := objection(secret)) is not None:
        raise KeyProblem(found)
    return key


def objection(secret: bytes) -> str | None:
    """Say why a secret may not be used, or return `None`. Length is judged with the algorithm."""
    if secret.isascii() and _QUOTED.fullmatch(secret):  # random bytes may look like anything
        return "stands in quotes, which would be part of it: remove them"
    if any(_is_a_key(layer) for layer in _unwrapped(secret, _LAYERS)):
        return "is a public or private key, not a secret: use JWT_PUBLIC_KEY, JWT_PRIVATE_KEY or JWT_JWKS_FILE"
    if secret.isascii() and _FRAMED.fullmatch(secret):
        return "is a document or an unexpanded variable, not a secret"
    if _is_a_path(secret):
        return "is the path of a file, not a secret: use JWT_SECRET_KEY_FILE"
    if _is_predictable(secret):
        return f"is a placeholder or a pattern that anybody can guess; {ADVICE}"
    return None


def _unwrapped(secret: bytes, layers: int) -> Iterator[bytes]:
    """Yield a secret and what it would be, were it base64, hexadecimal, percent-encoded or UTF-16."""
    yield secret
    if layers:
        for inner in (_from_base64(secret), _from_hex(secret), unquote_to_bytes(secret), secret.replace(b"\0", b"")):
            if inner and inner != secret:
                yield from _unwrapped(inner, layers - 1)


def _is_a_key(secret: bytes) -> bool:
    squeezed = re.sub(rb"[\s-]+", b"", secret).upper()
    if b"BEGINPUBLIC" in squeezed or (b"BEGIN" in squeezed and b"KEYM" in squeezed):
        return True
    return secret.startswith(_SSH) or secret[4:].startswith(_SSH) or _pyjwt_objects(secret) or _is_private_der(secret)


def _pyjwt_objects(candidate: bytes) -> bool:
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(candidate or b"-")
    except InvalidKeyError:
        return True
    return False


def _is_private_der(candidate: bytes) -> bool:
    try:
        load_der_private_key(candidate, password=None)
    except (ValueError, UnsupportedAlgorithm):
        return False
    except TypeError:  # encrypted, but a key
        return True
    return True


def _from_base64(secret: bytes) -> bytes:
    plain = re.sub(rb"\s+|=+$", b"", secret).translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return b""


def _from_hex(secret: bytes) -> bytes:
    try:
        return binascii.unhexlify(re.sub(rb"[\s:]+", b"", secret))
    except binascii.Error:
        return b""


def _is_a_path(secret: bytes) -> bool:
    if not secret.isascii() or b"\0" in secret:  # random bytes may begin like anything
        return False
    return secret.startswith(_PATHS) or os.path.exists(secret)  # noqa: PTH110 - Path.exists raises on long names


def _is_predictable(secret: bytes) -> bool:
    if secret in _PUBLISHED:
        return True
    letters = re.sub(r"[^a-z0-9]", "", secret.decode("latin-1").lower())
    repeats = secret in (secret + secret)[1:-1]
    return len(set(secret)) < 8 or repeats or any(word in letters for word in _PLACEHOLDERS)
