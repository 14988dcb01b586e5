"""HMAC secrets that are none, in the disguises that mistakes give them."""

from __future__ import annotations

import base64
import secrets as random
import urllib.parse

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from jwt_middleware.login.keyring import new_secret
from jwt_middleware.parsing import secret as parsed
from jwt_middleware.token.secrets import objection

PRIVATE = rsa.generate_private_key(65537, 2048)
PUBLIC = PRIVATE.public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PRIVATE_DER = PRIVATE.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
SSH = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(DER.hex().encode(), id="hex-of-der"),
        pytest.param(PEM.hex().encode(), id="hex-of-pem"),
        pytest.param(urllib.parse.quote(PEM).encode(), id="percent-encoded-pem"),
        pytest.param(PEM.decode().encode("utf-16"), id="utf-16-pem"),
        pytest.param(PEM.lower(), id="lower-case-pem"),
        pytest.param(base64.b64encode(base64.b64encode(PEM)), id="base64-twice"),
        pytest.param(base64.b64encode(PRIVATE_DER), id="base64-of-private-der"),
        pytest.param(PRIVATE_DER, id="private-der"),
        pytest.param(base64.b64decode(SSH.split()[1]), id="ssh-blob"),
    ],
)
def test_a_key_in_disguise_is_no_secret(secret):
    """CVE-2026-48526 and kin: everybody has a public key, so everybody could sign."""
    assert "is a public or private key" in objection(secret)


@pytest.mark.parametrize(
    "secret",
    [
        b'"' + base64.b64encode(DER) + b'"',
        b'{"public_key":"' + base64.b64encode(DER) + b'"}',
        b"$(openssl rand -base64 48 | tr -d x)",
        b"${JWT_SECRET_FROM_THE_VAULT_OF_US}",
        b"<put a 32 byte random value in here please>",
        b"your-very-long-random-string-goes-here-please",
        b"your_jwt_key_that_is_long_enough_32chars",
        b"replace-with-a-long-random-string-of-32-chars",
        b"please-generate-a-strong-key-with-openssl-rand",
        b"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        b"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ],
    ids=lambda secret: secret[:24].decode(),
)
def test_what_was_copied_from_somewhere_is_no_secret(secret):
    """CVE-2023-22463 and kin: tutorials, templates, variables that nobody expanded."""
    assert objection(secret)


def test_a_password_with_the_beginning_of_a_key_s_name_is_a_secret():
    """One in a hundred thousand made by chance was refused, and its owner could not have known why."""
    assert objection(b"i-9*sk-(6ag@-r(5$huk2pb0r*%4$pt2d1)#$@(p!5r(wm&ip+") is None


def test_random_secrets_are_never_refused():
    """Whatever chance makes of them: bytes, hex, base64, passwords with every character."""
    characters = "abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*(-_=+)"
    for _ in range(300):
        for secret in (
            parsed(new_secret("HS256")),
            random.token_bytes(64),
            random.token_hex(32).encode(),
            random.token_urlsafe(32).encode(),
            "".join(random.choice(characters) for _ in range(50)).encode(),
        ):
            assert objection(secret) is None, secret
