"""Our public keys, for every service that trusts our tokens: `/.well-known/jwks.json` (RFC 7517 section 5).

Public data: no token is asked for, no rule applies, any page may read it. The content type is `application/json`, as
with the large providers, since clients have been met that refuse section 8.5's `application/jwk-set+json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from jwt_middleware.gate.admission import Gate
from jwt_middleware.gate.replies import Reply, in_json
from jwt_middleware.gate.request import Request
from jwt_middleware.login.keyring import jwks
from jwt_middleware.token.keychain import Keychain
from jwt_middleware.token.sources import KeyRing

MAX_AGE = 900  # seconds that others may keep it: what a key is published for before it signs must be longer
_ANYBODY = ("Access-Control-Allow-Origin", "*")


class PublishedKeys:
    """The service that publishes what the key ring holds now.

    Args:
        path: where, relative to the app.
        keychain: the keys in force.
    """

    def __init__(self, path: str, keychain: Keychain) -> None:
        self.paths: Sequence[str] = (path,)
        self._keychain = keychain
        self._edition = Edition(keychain.current)

    async def answer(self, request: Request, gate: Gate) -> Reply:
        """Return the set, or 304 to whoever has it already (RFC 9110 section 13.1.2)."""
        if request.method not in ("GET", "HEAD"):
            return _NOT_ALLOWED
        self._keychain.refresh()
        edition = self._edition
        if edition.ring is not self._keychain.current:
            edition = self._edition = Edition(self._keychain.current)
        tags = {tag.removeprefix("W/") for tag in request.values("if-none-match")}
        return edition.unchanged if tags & {edition.tag, "*"} else edition.whole


class Edition:
    """The answers that one key ring makes.

    Attributes:
        ring: the key ring.
        tag: the strong `ETag`.
        whole: the answer with the set.
        unchanged: the answer to who has it.
    """

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        body = json.dumps(jwks(ring.published)).encode()
        self.tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        common = (("ETag", self.tag), ("Cache-Control", f"public, max-age={MAX_AGE}"), _ANYBODY)
        content = (("Content-Type", "application/json"), ("Content-Length", str(len(body))))
        self.whole = Reply(200, (*content, *common), body)
        self.unchanged = Reply(304, common, b"")


_NOT_ALLOWED = in_json(
    405,
    {"error": "invalid_request", "error_description": "The public keys can only be read."},
    (("Allow", "GET, HEAD"), ("Cache-Control", "no-store"), _ANYBODY),
)
