"""Refusing, against accepting a good token of the same size that was never seen: the whole way through ASGI."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.adapters import asgi_app, asgi_call
from benchmarks.material import KID, POLICY, Keys, bearer, keycloak, scope
from benchmarks.measure import Row, compare, in_turn, per_call
from jwt_middleware.asgi import JWTMiddleware
from jwt_middleware.token.formats import from_pem, to_jwk

Spoil = Callable[[bytes], bytes]
OTHERS = [f"key-2026-{number:02}" for number in range(9)]


def wrong_signature(credential: bytes) -> bytes:
    head, _, signature = credential.rpartition(b".")
    return head + (b".B" if signature.startswith(b"A") else b".A") + signature[1:]


SAME_SIZE: dict[str, Spoil] = {
    "wrong signature": wrong_signature,
    "garbage without dots": lambda good: b"Bearer " + b"A" * (len(good) - 7),
    "garbage with dots": lambda good: b"Bearer " + bytes(46 if byte == 46 else 65 for byte in good[7:]),
    "no b64token": lambda good: b"Bearer " + b"=" * (len(good) - 7),
}
HUGE: dict[str, Spoil] = {
    "60 KB token": lambda good: b"Bearer " + b"A" * 60_000,
    "60 KB of commas": lambda good: b"," * 60_000,
    "60 KB of another scheme": lambda good: b"Basic " + b"A" * 60_000,
}


def rows() -> Iterator[Row]:
    logging.getLogger("jwt_middleware").addHandler(logging.NullHandler())
    keys = Keys("HS256")
    yield from _rows("HS256", keys, keys.settings, SAME_SIZE, ("<=", 1.1))
    yield from _rows("HS256", keys, keys.settings, HUGE, ("<", 1))
    keys = Keys("ES256")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "jwks.json")
        file.write_text(json.dumps({"keys": [as_jwk(keys, KID), *(as_jwk(Keys("ES256"), kid) for kid in OTHERS)]}))
        unknown = bearer(keycloak(keys, 1, "X" * len(KID))[0])
        bad = {"unknown kid": lambda good: unknown, "wrong signature": wrong_signature}
        yield from _rows("ES256, 10 JWKs", keys, {"jwks_file": file}, bad, ("<=", 1.1))


def _rows(name: str, keys: Keys, settings: dict[str, Any], bad: dict[str, Spoil], target: Any) -> Iterator[Row]:
    app = JWTMiddleware(asgi_app, **settings, **POLICY, cache_seconds=0.001, revocation="off")
    good = list(map(bearer, keycloak(keys, 50)))
    sets = [good, *(list(map(spoil, good)) for spoil in bad.values())]
    call = partial(asgi_call, app)
    accepted, *refused = in_turn([per_call(call, partial(map, scope, credentials)) for credentials in sets], 20)
    for what, figures in zip(bad, refused, strict=True):
        yield compare(f"{name}, {what}", "µs", figures, "good token, cold", accepted, target)


def as_jwk(keys: Keys, kid: str) -> dict[str, Any]:
    return to_jwk(from_pem(keys.text, [keys.algorithm], kid))
