"""Keys as they are written down: PEM and JWK, read strictly, and written without more than is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from jwt_middleware.errors import shown
from jwt_middleware.token import jws
from jwt_middleware.token.keys import Key, KeyProblem, from_public

GENERATED = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA")
_CURVES: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
_PUBLIC_MEMBERS = ("kty", "n", "e", "crv", "x", "y")
_READERS: dict[object, Any] = {
    "RSA": RSAAlgorithm.from_jwk, "EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk,
}  # fmt: skip


def from_pem(pem: str, allowed: Sequence[str], kid: str | None = None) -> Key:
    """Read a PEM public key, private key or certificate, and bind it. Without a `kid` it gets its thumbprint.

    Raises:
        KeyProblem: not such a PEM, encrypted, too weak, or no fitting algorithm.
    """
    private, public = _load_pem(pem.strip().encode("utf-8", "replace"))
    return _named(from_public(public, allowed, private), kid)


def _named(key: Key, kid: str | None) -> Key:
    return replace(key, kid=kid or thumbprint(key.public), any_kid=kid is None)


def _load_pem(pem: bytes) -> tuple[Any, Any]:
    try:
        if b"PRIVATE KEY-----" in pem:
            private: Any = serialization.load_pem_private_key(pem, password=None)
            return private, private.public_key()
        if b"-----BEGIN CERTIFICATE" in pem:
            from cryptography import x509

            return None, x509.load_pem_x509_certificate(pem).public_key()
        return None, serialization.load_pem_public_key(pem)
    except TypeError:
        raise KeyProblem("is an encrypted private key: give it without a passphrase") from None
    except Exception:  # noqa: BLE001 - cryptography raises ValueError, UnsupportedAlgorithm and its own, by version
        raise KeyProblem("is not a PEM key that we understand") from None


def from_jwk(jwk: Mapping[str, Any], allowed: Sequence[str]) -> Key:
    """Read the public half of a JWK (RFC 7517 section 4) and bind it. Its `alg` wins over the default.

    Raises:
        KeyProblem: symmetric, not for signatures, malformed, too weak, or not for an accepted algorithm.
    """
    _check_purpose(jwk)
    if jwk.get("kty") not in ("RSA", "EC", "OKP"):
        raise KeyProblem(f"has kty={shown(jwk.get('kty'))}, which is not a public key")
    public = _load_jwk({name: jwk[name] for name in _PUBLIC_MEMBERS if name in jwk})
    key = from_public(public, allowed, declared=jwk.get("alg"))
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise KeyProblem("has a kid that is not a text")
    return _named(key, kid)


def _check_purpose(jwk: Mapping[str, Any]) -> None:
    if jwk.get("use", "sig") != "sig":
        raise KeyProblem(f"is for use={shown(jwk['use'])}")
    if "key_ops" in jwk and (not isinstance(jwk["key_ops"], (list, tuple)) or "verify" not in jwk["key_ops"]):
        raise KeyProblem("does not list verify in its key_ops")


def _load_jwk(members: dict[str, Any]) -> Any:
    try:
        return _READERS[members["kty"]](members)
    except (PyJWTError, ValueError, TypeError, KeyError):
        raise KeyProblem("is malformed, or its point is not on its curve") from None


def generate(algorithm: str) -> bytes:
    """Make a new private key for one of `GENERATED`, as PEM (PKCS #8)."""
    if algorithm == "EdDSA":
        made: Any = ed25519.Ed25519PrivateKey.generate()
    elif algorithm in _CURVES:
        made = ec.generate_private_key(_CURVES[algorithm])
    else:
        made = rsa.generate_private_key(65537, 3072)
    return _private_bytes(made, serialization.Encoding.PEM)


def _private_bytes(private: Any, encoding: serialization.Encoding) -> bytes:
    no_passphrase = serialization.NoEncryption()
    written: bytes = private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_passphrase)
    return written


def private_der(key: Key) -> bytes:
    """Return the private half of an asymmetric key as DER (PKCS #8)."""
    return _private_bytes(key.private, serialization.Encoding.DER)


def public_pem(key: Key) -> bytes:
    """Return the public half of an asymmetric key as PEM (SubjectPublicKeyInfo)."""
    written: bytes = key.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return written


def to_jwk(key: Key) -> dict[str, Any]:
    """Return the public JWK of an asymmetric key, as a JWK Set publishes it (RFC 7517 section 4)."""
    members = public_members(key.public)
    return {**members, "kid": key.kid, "use": "sig", "alg": key.names[0]}


def public_members(public: Any) -> dict[str, Any]:
    """Return the required members of a public key's JWK, and no others (RFC 7638 section 3.2)."""
    jwk = from_public(public, ()).algorithm.to_jwk(public, as_dict=True)
    return {name: jwk[name] for name in sorted(_PUBLIC_MEMBERS) if name in jwk}


def thumbprint(public: Any) -> str:
    """Return the SHA-256 thumbprint of a public key (RFC 7638)."""
    members = json.dumps(public_members(public), separators=(",", ":"), sort_keys=True)
    return jws.encode(hashlib.sha256(members.encode()).digest()).decode()
