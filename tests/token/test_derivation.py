"""The secrets behind refresh tokens: of their own, or derived from what signs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from jwt_middleware.wsgi import JWTAuth
from tests.token.forge import AUDIENCE, OLD_SECRET, OTHER_SECRET, jwk, jwks_file, private, private_pem, public_pem
from tests.worlds import SECRET


def secrets(**settings: Any) -> tuple[bytes, ...]:
    """Return the secrets that these settings make."""
    return JWTAuth(**settings).core.keys.refresh_secrets


def derived(material: bytes) -> bytes:
    """Derive as the documentation says (RFC 5869)."""
    return HKDF(SHA256(), 32, salt=None, info=b"jwt_middleware refresh").derive(material)


def of_private(kind: str) -> bytes:
    return derived(private(kind).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def test_without_a_key_of_their_own_they_are_derived_from_the_secret() -> None:
    """The present secret makes them, the previous ones verify; none is the secret itself."""
    found = secrets(secret_key=SECRET, previous_secret_keys=[OLD_SECRET, OTHER_SECRET])
    assert found == tuple(derived(text.encode()) for text in (SECRET, OLD_SECRET, OTHER_SECRET))
    assert secrets(secret_key=SECRET)[0] == found[0], "the same in every process"


def test_without_a_key_of_their_own_they_are_derived_from_the_private_keys(tmp_path: Path) -> None:
    """The key that signs first, then those that signed or will: so workers that differ for a moment understand."""
    assert secrets(private_key=private_pem("ES256"), audience=AUDIENCE) == (of_private("ES256"),)
    for name, kind in (("a.old", "EdDSA"), ("b", "ES256"), ("c.next", "ES384")):
        (tmp_path / f"{name}.pem").write_text(private_pem(kind))
    assert secrets(keys_dir=tmp_path, audience=AUDIENCE) == tuple(map(of_private, ("ES256", "EdDSA", "ES384")))


def test_a_folder_may_hold_keys_of_their_own(tmp_path: Path) -> None:
    """`refresh.key` makes them, `refresh.old.key` verifies: what signs access tokens may change without them."""
    (tmp_path / "a.pem").write_text(private_pem("ES256"))
    (tmp_path / "refresh.old.key").write_text(OLD_SECRET)
    assert secrets(keys_dir=tmp_path, audience=AUDIENCE) == (OLD_SECRET.encode(),)
    (tmp_path / "refresh.key").write_text("base64:" + base64.b64encode(SECRET.encode()).decode() + "\n")
    assert secrets(keys_dir=tmp_path, audience=AUDIENCE) == (SECRET.encode(), OLD_SECRET.encode())


def test_who_only_verifies_has_none(tmp_path: Path) -> None:
    """Without a key that signs there is no sign-in, and no refresh token, whatever lies in the folder."""
    assert secrets(jwks_file=jwks_file(tmp_path, jwk("ES256")), audience=AUDIENCE) == ()
    (tmp_path / "a.pem").write_text(public_pem("ES256"))
    (tmp_path / "refresh.key").write_text(SECRET)
    assert secrets(keys_dir=tmp_path, audience=AUDIENCE) == ()


def test_they_are_never_shown(tmp_path: Path) -> None:
    """A key ring in a traceback or a log line shows neither these nor any key."""
    (tmp_path / "a.secret").write_text(SECRET)
    (tmp_path / "refresh.key").write_text(OLD_SECRET)
    shown = repr(JWTAuth(keys_dir=tmp_path).core.keys)
    assert SECRET not in shown
    assert OLD_SECRET not in shown
