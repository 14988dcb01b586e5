"""A forge: keys of every kind, and tokens with any header, payload and signature, signed for real."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from jwt_middleware import InvalidToken, User
from jwt_middleware.token import formats
from jwt_middleware.wsgi import JWTAuth
from tests.worlds import NOW, SECRET, Clock

ISSUER = "https://idp.example/"
AUDIENCE = "https://api.example"
LONG_SECRET = SECRET + "kD5xJtC0aZpY7rLwE3uHbG6mFsnV8vQ2"  # 64 bytes: enough for HS512
OLD_SECRET = "tR4wXz8LqB1nVfJ6yHcM0sKdP9gU3eAo"
OTHER_SECRET = "Wb7eYh2GkS5dNjQ9xFuC4vTzM1rLpI8a"
IAT = int(NOW)

HMAC = ("HS256", "HS384", "HS512")
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
ASYMMETRIC = (*RSA, *CURVES, "EdDSA", "Ed25519")
ALGORITHMS = (*HMAC, *ASYMMETRIC)

_PYJWT = get_default_algorithms()
_PYJWT["Ed25519"] = _PYJWT["EdDSA"]


def b64(data: bytes | str) -> str:
    """Encode as base64url without padding."""
    return urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).rstrip(b"=").decode()


def dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


@cache
def private(kind: str) -> Any:
    """Make one private key per kind and process: an `alg`, `RSA-1024`, or `other …` for a second one."""
    name = kind.removeprefix("other ")
    if name in CURVES:
        return ec.generate_private_key(CURVES[name])
    if name == "secp256k1":
        return ec.generate_private_key(ec.SECP256K1())
    if name in ("EdDSA", "Ed25519"):
        return ed25519.Ed25519PrivateKey.generate()
    if name == "RSA-1024":
        return rsa.generate_private_key(65537, 1024)
    return _rsa() if name == kind else rsa.generate_private_key(65537, 2048)


@cache
def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def private_pem(kind: str) -> str:
    return (
        private(kind)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def public_bytes(
    kind: str,
    encoding: serialization.Encoding = serialization.Encoding.PEM,
    format_: serialization.PublicFormat = serialization.PublicFormat.SubjectPublicKeyInfo,
) -> bytes:
    made: bytes = private(kind).public_key().public_bytes(encoding, format_)
    return made


def public_pem(kind: str) -> str:
    return public_bytes(kind).decode()


def jwk(kind: str, **members: Any) -> dict[str, Any]:
    """Return the public JWK of a kind, with members added."""
    return formats.public_members(private(kind).public_key()) | members


def jwks_file(folder: Path, *entries: Any) -> Path:
    """Write a JWK Set."""
    path = folder / "jwks.json"
    path.write_text(json.dumps({"keys": list(entries)}))
    return path


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good token; `name=...` (the ellipsis) leaves one out."""
    found = {"sub": "42", "iat": IAT, "exp": IAT + 600} | changes
    return {name: value for name, value in found.items() if value is not ...}


def sign(message: str, alg: str, key: Any) -> bytes:
    """Sign with PyJWT's own algorithms, HMAC with any bytes at all."""
    if alg in HMAC:
        import hashlib
        import hmac

        raw = key.encode() if isinstance(key, str) else key
        return hmac.new(raw, message.encode(), getattr(hashlib, f"sha{alg[2:]}")).digest()
    return _PYJWT[alg].sign(message.encode(), key)


def compact(header: str | bytes, payload: str | bytes, alg: str = "HS256", key: Any = SECRET) -> str:
    """Sign a header and a payload given as text, whatever they hold."""
    message = f"{b64(header)}.{b64(payload)}"
    return f"{message}.{b64(sign(message, alg, key))}"


def token(
    payload: Mapping[str, Any] | str | bytes | None = None,
    key: Any = SECRET,
    alg: str = "HS256",
    header: Mapping[str, Any] | str | bytes | None = None,
) -> str:
    """Make a token that is good but for what the caller changes; `header` is merged into `alg` and `typ`."""
    fields = {"alg": alg, "typ": "JWT"}
    if not isinstance(header, (str, bytes)):
        merged = fields | dict(header or {})
        header = dumps({name: value for name, value in merged.items() if value is not ...})
    body = payload if isinstance(payload, (str, bytes)) else dumps(claims() if payload is None else payload)
    return compact(header, body, alg, key)


Verify = Callable[[str], User]


def verifying(clock: Callable[[], float] | None = None, **settings: Any) -> Verify:
    """Return `verify(token)` of a verifier with these settings, `SECRET` its key unless they bring one."""
    if not {"secret_key", "private_key", "public_key", "keys_dir", "jwks_file"} & settings.keys():
        settings["secret_key"] = SECRET
    verifier = JWTAuth(clock=clock or Clock(), **settings).core.verifier
    return lambda text: verifier.verify(text.encode("utf-8", "surrogatepass"))


def refusal(verify: Verify, text: str) -> InvalidToken:
    """Verify what must be refused, and return the evidence; the token may not stand in it."""
    with pytest.raises(InvalidToken) as caught:
        verify(text)
    error = caught.value
    assert len(error.detail) < 400
    assert text not in error.detail or len(text) < 8
    return error
