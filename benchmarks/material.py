"""Keys, tokens and requests of the size and shape that are met in the wild."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from jwt_middleware.wsgi import JWTAuth

ISSUER = "https://idp.example.com/realms/acme"
AUDIENCE = "https://api.example.com"
SECRET = "Zk3v0pXr9QbT6yHc1NwLs8Ge2JuMdA5f-benchmarks-only"
REQUIRED = ["exp", "sub", "jti", "iat"]
POLICY: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "required_claims": REQUIRED}
KID = "Cb1oVzMrrQ0Dnv1Cn2fmkx6rYGvN3yXkGV3vYQmZt4s"


class Keys:
    """One algorithm's key in the forms that people hand over."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        if algorithm == "HS256":
            self.private = self.text = self.signing = SECRET
            self.prepared: Any = SECRET.encode()
            self.settings: dict[str, Any] = {"secret_key": SECRET}
            return
        self.signing = key = _generate(algorithm)  # reading the PEM for each token would take longer than signing it
        self.private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self.prepared = key.public_key()
        self.text = self.prepared.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.settings = {"private_key": self.private, "algorithms": [algorithm]}

    def auth(self, **more: Any) -> JWTAuth:
        return JWTAuth(**self.settings, **POLICY, **more)


def _generate(algorithm: str) -> Any:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)


def issued(keys: Keys, count: int) -> list[str]:
    """Distinct tokens as `auth.issue` makes them: some 210 bytes of claims."""
    auth = keys.auth()
    return [auth.issue(str(number), scope="read write") for number in range(count)]


def keycloak(keys: Keys, count: int, kid: str = KID) -> list[str]:
    """Distinct tokens by the pattern of Keycloak's: some 800 bytes of claims, nested."""
    return [jwt.encode(_common() | _KEYCLOAK, keys.signing, keys.algorithm, {"kid": kid}) for _ in range(count)]


def entra(keys: Keys, count: int) -> list[str]:
    """Distinct tokens by the pattern of Microsoft Entra's: some 800 bytes of claims, nearly flat."""
    return [jwt.encode(_common() | _ENTRA, keys.signing, keys.algorithm, {"kid": KID}) for _ in range(count)]


def _common() -> dict[str, Any]:
    now = int(time.time())
    return {"exp": now + 3600, "iat": now, "jti": str(uuid.uuid4()), "iss": ISSUER, "aud": AUDIENCE}


_KEYCLOAK = {
    "aud": [AUDIENCE, "account"], "sub": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "typ": "Bearer", "azp": "web",
    "sid": "6f1cbb55-2d3f-4c6e-9d0a-0b5b9c4b7a11", "acr": "1", "allowed-origins": ["https://app.example.com"],
    "realm_access": {"roles": ["default-roles-acme", "offline_access", "uma_authorization", "editor"]},
    "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}}, "auth_time": 1790000000,
    "scope": "openid profile email", "email_verified": True, "name": "Ada Lovelace", "preferred_username": "ada",
    "given_name": "Ada", "family_name": "Lovelace", "email": "ada@example.com", "locale": "en",
    "groups": ["/engineering/payments", "/engineering/on-call", "/staff"], "zoneinfo": "Europe/London",
}  # fmt: skip
_ENTRA = {
    "nbf": 1790000000, "aio": "AWQAm/8WAAAA" + "kL0pQ7xYzT3v" * 7, "azp": "2f9f4c1e-57f0-4f0e-9f6e-3d1a6a2b7c10",
    "azpacr": "1", "name": "Ada Lovelace", "oid": "6f1cbb55-2d3f-4c6e-9d0a-0b5b9c4b7a11", "roles": ["Orders.Read"],
    "preferred_username": "ada@example.com", "rh": "1.AXQAq0mZb" + "S8fR2dWc" * 8 + ".", "scp": "Orders.Read User.Read",
    "sid": "00a2c5d1-8b7e-4c33-9a51-6d1f0e5b2c44", "sub": "pQ3vK9mX" * 5 + "abc", "uti": "Xk2LJ0sZ9kC1mT4vB7nQAA",
    "tid": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "ver": "2.0",
}  # fmt: skip


def decode(token: str, key: Any, algorithm: str) -> dict[str, Any]:
    """PyJWT with the checks that we make."""
    return jwt.decode(token, key, [algorithm], {"require": REQUIRED}, issuer=ISSUER, audience=AUDIENCE, leeway=30)


def bearer(token: str) -> bytes:
    return b"Bearer " + token.encode()


def fresh(credential: bytes, count: int = 500) -> list[bytes]:
    """Equal credentials, each an object of its own whose hash is not yet known: as a server hands them over."""
    return [bytes(bytearray(credential)) for _ in range(count)]


def scope(credential: bytes) -> dict[str, Any]:
    """A browser's request as uvicorn describes it."""
    headers = [
        (b"host", b"api.example.com"), (b"connection", b"keep-alive"), (b"accept", b"application/json"),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        (b"accept-language", b"en-US,en;q=0.5"), (b"accept-encoding", b"gzip, deflate, br, zstd"),
        (b"authorization", credential), (b"origin", b"https://app.example.com"), (b"sec-fetch-mode", b"cors"),
    ]  # fmt: skip
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/orders/42", "raw_path": b"/orders/42", "query_string": b"", "root_path": "",
        "headers": headers, "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 8000), "state": {},
    }  # fmt: skip


def environ(credential: bytes) -> dict[str, Any]:
    """The same request as gunicorn describes it."""
    fields = {f"HTTP_{n.decode().upper().replace('-', '_')}": v.decode() for n, v in scope(credential)["headers"]}
    return {
        "wsgi.errors": None, "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False, "wsgi.file_wrapper": None, "wsgi.input_terminated": True, "wsgi.input": None,
        "SERVER_SOFTWARE": "gunicorn", "gunicorn.socket": None, "REQUEST_METHOD": "GET", "QUERY_STRING": "",
        "RAW_URI": "/orders/42", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", "PATH_INFO": "/orders/42",
        "SCRIPT_NAME": "", **fields,
    }  # fmt: skip
