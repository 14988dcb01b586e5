"""The secret behind refresh tokens where there is no key of their own: derived from a key that signs."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jwt_middleware.token.formats import private_der
from jwt_middleware.token.keys import Key

_INFO = b"jwt_middleware refresh"


def derived(key: Key) -> bytes:
    """Derive 32 bytes from a secret or a private key (HKDF, RFC 5869): they tell nothing of it, nor it of others."""
    material = key.private if key.symmetric else private_der(key)
    return HKDF(SHA256(), 32, salt=None, info=_INFO).derive(material)
