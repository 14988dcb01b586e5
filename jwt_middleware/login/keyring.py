"""Keys of our own: making them, naming them, publishing their public halves."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jwt_middleware.token import formats, keys
from jwt_middleware.token.keys import Key

MAKEABLE = (*keys.HMAC, *formats.GENERATED)


def new_secret(algorithm: str) -> str:
    """Make an HMAC secret as long as its hash, as `JWT_SECRET_KEY` takes it."""
    return "base64:" + base64.b64encode(secrets.token_bytes(keys.HMAC[algorithm])).decode()


def new_key_file(folder: Path, algorithm: str, now: datetime | None = None) -> Path:
    """Make a private key in `folder`, readable by its owner alone. Its name is its `kid`.

    The name begins with the time, so that the newest sorts last: that is the one that signs.

    Raises:
        OSError: the folder cannot be made or written.
    """
    pem = formats.generate(algorithm)
    made = formats.from_pem(pem.decode(), [algorithm])
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S.%fZ")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{stamp}-{str(made.kid)[:12]}.pem"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return path


def jwks(published: Iterable[Key]) -> dict[str, Any]:
    """Return the JWK Set of these keys (RFC 7517 section 5): public members only, no HMAC secret ever."""
    return {"keys": [formats.to_jwk(key) for key in published if key.names[0] not in keys.HMAC]}
