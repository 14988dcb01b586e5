"""From the text of a token to a user, in the order that leaves nothing to chance.

Three canonical parts, a header that picks a key of ours, the signature, and only then the claims.
Pure: text and keys in, a user out; no I/O, and no state but the memory of good headers, which lasts as long as the
key ring does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jwt_middleware.errors import InvalidToken, Reason, shown
from jwt_middleware.settings import Settings
from jwt_middleware.token import jws
from jwt_middleware.token.claims import ClaimsPolicy
from jwt_middleware.token.keychain import Keychain
from jwt_middleware.token.keys import Key, KeySet
from jwt_middleware.user import Claims, User

_MAX_KID = 256
_MAX_HEADERS = 64
_MAX_HEADER = 5462  # 4 KiB in base64: room for a certificate chain in `x5c`, though we do not read it
_DEAR = b"{[,\\0123456789"  # what makes reading a header dear: structure, escapes, long numbers
_CHEAP = bytes(set(range(256)) - set(_DEAR))
_REFUSED_HEADERS = ("crit", "b64", "zip", "enc")  # extensions and encryption, none of which we implement


class Memory:
    """What was learnt of the headers of good tokens, and the key set of which it is true.

    Attributes:
        keys: the key set.
        good_headers: header texts that came with a good signature, and the keys they can mean: without a `kid` all of
            them, since the next token with the same header may be another key's. An attacker cannot add to it.
    """

    __slots__ = ("good_headers", "keys")

    def __init__(self, keys: KeySet) -> None:
        self.keys = keys
        self.good_headers: dict[bytes, Sequence[Key]] = {}

    def note(self, header: bytes, keys: Sequence[Key]) -> None:
        """Remember a header whose signature was good."""
        if len(self.good_headers) < _MAX_HEADERS:
            self.good_headers[header] = keys


class Verifier:
    """Verifies access tokens against the keys in force and one policy."""

    def __init__(
        self, keychain: Keychain, policy: ClaimsPolicy, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self._keychain = keychain
        self._policy = policy
        self._clock = clock
        self._issuer = settings.issuer
        self._max_bytes = settings.max_token_bytes
        self._types = _accepted_types(settings.token_types)
        self._memory = Memory(keychain.current.verifying)

    def verify(self, token: bytes) -> User:
        """Verify a compact JWS (RFC 7515 section 5.2) and its claims (RFC 7519 section 7.2).

        Args:
            token: the token as ASCII bytes.

        Returns:
            The user it speaks of.

        Raises:
            InvalidToken: for any fault; `reason` and `detail` say which, `issuer` who signed it all the same.
        """
        claims = self.signed(token)
        try:
            return self._policy.user(claims, self._clock())
        except InvalidToken as refusal:
            refusal.issuer = self._issuer  # whose key it was; what the claims say of it need not be true
            raise

    def signed(self, token: bytes) -> Claims:
        """Return the claims of a token that a key of ours has signed, whatever they say (RFC 7515 section 5.2).

        Raises:
            InvalidToken: it is malformed, or no key of ours has.
        """
        if len(token) > self._max_bytes:
            raise InvalidToken(Reason.TOO_LONG, f"token has {len(token)} bytes, JWT_MAX_TOKEN_BYTES={self._max_bytes}")
        header, payload, signature = jws.split(token)
        memory = self._memory
        if memory.keys is not self._keychain.current.verifying:
            memory = self._memory = Memory(self._keychain.current.verifying)
        keys = memory.good_headers.get(header) or self._candidates(header, memory.keys)
        _check_signature(keys, token[: -len(signature) - 1], signature)
        memory.note(header, keys)
        return self._parsed(payload)

    def _parsed(self, payload: bytes) -> Claims:
        try:
            return jws.parse(jws.decode(payload))
        except InvalidToken as refusal:
            refusal.issuer = self._issuer
            raise

    def _candidates(self, header: bytes, keys: KeySet) -> Sequence[Key]:
        """Read a header and return the keys it can mean (RFC 7515 section 4.1)."""
        if len(header) > _MAX_HEADER or not _is_modest(text := jws.decode(header)):
            raise InvalidToken(Reason.MALFORMED, "token header has more bytes or more structure than any needs")
        fields = jws.parse(text, shallow=True)
        for name in _REFUSED_HEADERS:
            if name in fields:
                raise InvalidToken(Reason.UNSUPPORTED_HEADER, f"token header has {name}")
        self._check_type(fields)
        alg, kid = fields.get("alg"), fields.get("kid")
        if type(alg) is not str or ("kid" in fields and (type(kid) is not str or len(kid) > _MAX_KID)):
            raise InvalidToken(Reason.MALFORMED, f"token header has alg={shown(alg)}, kid={shown(kid)}")
        return keys.candidates(alg, kid)

    def _check_type(self, fields: Claims) -> None:
        """Compare `typ` as a media type: in any case, `application/` left out (RFC 7515 section 4.1.9)."""
        found = fields.get("typ", "absent")
        plain = found.lower().removeprefix("application/") if type(found) is str else None
        if plain not in self._types or ("typ" in fields) is (plain == "absent"):
            accepted = ",".join(sorted(self._types))
            raise InvalidToken(Reason.WRONG_TYPE, f"token has typ={shown(found)}, JWT_TOKEN_TYPES={accepted}")


def _check_signature(keys: Sequence[Key], message: bytes, signature: bytes) -> None:
    decoded = jws.decode(signature)
    for key in keys:
        if key.verifies(message, decoded):
            return
    raise InvalidToken(Reason.BAD_SIGNATURE, "no key of ours made this signature")


def _is_modest(header: bytes) -> bool:
    """Anybody can write a header, and reading JSON costs: what needs no key to be sent must cost us little."""
    dear = header.translate(None, _CHEAP)
    return (
        len(dear) <= 900  # one character in six of a certificate is a digit
        and dear.count(b"{") + dear.count(b"[") <= 8
        and dear.count(b",") <= 32
        and dear.count(b"\\") <= 100  # some issuers escape every slash of a certificate
    )


def _accepted_types(token_types: Sequence[str]) -> frozenset[str]:
    if "strict" in token_types:
        return frozenset({"at+jwt"})  # RFC 9068 section 4
    types = {name.lower().removeprefix("application/") for name in token_types} - {"id_token"}
    return frozenset(types)
