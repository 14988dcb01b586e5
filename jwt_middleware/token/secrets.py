"""HMAC secrets that are none: public keys, placeholders, file names (CVE-2022-29217, CVE-2026-48526 and kin)."""

from __future__ import annotations

import base64
import binascii
import os
import re

from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

_SSH = (b"ssh-", b"ecdsa-", b"sk-")  # what an OpenSSH public key begins with, after its length
_PATHS = (b"file:", b"/run/", b"/etc/", b"/var/", b"/opt/", b"/home/", b"/root/", b"/mnt/", b"./", b"../", b"~/")
ADVICE = "make a good one with: jwt-middleware keys new"

_PLACEHOLDERS = (
    "changeme", "changethis", "replaceme", "replacethis", "placeholder", "yoursecret", "yoursupersecret",
    "your256bit", "your384bit", "your512bit", "atleast256bits", "atleast384bits", "atleast512bits",
    "mysecret", "supersecret", "topsecret",
    "verysecret", "secretkeyhere", "insertsecret", "insertyour", "thisisasecret", "thisisnotasecret", "keepitsecret",
    "secretsecret", "donotuse", "dontuse", "examplesecret", "examplekey", "jwtsecretkey", "djangoinsecure",
    "notasecret", "password", "secretkey", "testsecret", "insecure", "ultrasecure",
    "1234567890", "abcdefghij", "qwertyuiop",
)  # fmt: skip


def objection(secret: bytes) -> str | None:
    """Say why a secret may not be used, or return `None`. Length is judged with the algorithm."""
    if _is_a_key(secret):
        return "is a public or private key, not a secret: use JWT_PUBLIC_KEY, JWT_PRIVATE_KEY or JWT_JWKS_FILE"
    if _is_a_path(secret):
        return "is the path of a file, not a secret: use JWT_SECRET_KEY_FILE"
    if _is_predictable(secret):
        return f"is a placeholder or a pattern that anybody can guess; {ADVICE}"
    return None


def _is_a_key(secret: bytes) -> bool:
    squeezed = re.sub(rb"[\s-]+", b"", secret)
    if b"BEGINPUBLIC" in squeezed or (b"BEGIN" in squeezed and b"KEYM" in squeezed):
        return True
    decoded = _from_base64(secret)
    return decoded[4:].startswith(_SSH) or any(_pyjwt_objects(candidate) for candidate in (secret, decoded))


def _pyjwt_objects(candidate: bytes) -> bool:
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(candidate or b"-")
    except InvalidKeyError:
        return True
    return False


def _from_base64(secret: bytes) -> bytes:
    plain = re.sub(rb"\s+|=+$", b"", secret).translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return b""


def _is_a_path(secret: bytes) -> bool:
    return secret.startswith(_PATHS) or (b"\0" not in secret and os.path.exists(secret))  # noqa: PTH110 - Path.exists raises on long names


def _is_predictable(secret: bytes) -> bool:
    letters = re.sub(r"[^a-z0-9]", "", secret.decode("latin-1").lower())
    repeats = secret in (secret + secret)[1:-1]
    return len(set(secret)) < 8 or repeats or any(word in letters for word in _PLACEHOLDERS)
