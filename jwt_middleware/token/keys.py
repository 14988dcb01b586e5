"""Keys, each bound at load to exactly one algorithm (RFC 8725 section 3.1), and the choice among them.

A key is typed here, once: a token can pick among keys that are already bound, by `kid` and `alg`,
and can never turn one kind of key into another. Headers that carry keys (`jwk`, `jku`, `x5c`,
`x5u`) are not read anywhere. How keys are written down is the matter of `formats`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, get_default_algorithms

from jwt_middleware.errors import InvalidToken, Reason, shown

_ED25519 = ("EdDSA", "Ed25519")  # one algorithm under two names (RFC 8037 section 3.1, RFC 9864 section 2.2)
HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}  # and the least bytes of a secret (RFC 7518 section 3.2)
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS = (*HMAC, *_RSA, *_CURVES.values(), *_ED25519)

MAX_CANDIDATES = 4  # how many signatures one token without a kid may make us check
_IMPLEMENTATIONS: dict[str, Algorithm] = get_default_algorithms()
_IMPLEMENTATIONS["Ed25519"] = _IMPLEMENTATIONS["EdDSA"]

# y coordinates of the points of small order, and their non-canonical forms: such a key verifies anything.
_SMALL_ORDER = frozenset(
    bytes.fromhex(y)
    for y in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


class KeyProblem(ValueError):
    """A key that may not be used; the message says why and holds nothing of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A verification key, and the signing key behind it if we have that. Its `repr` holds neither.

    Attributes:
        names: the `alg` values it answers to: one algorithm, which may have two names.
        algorithm: PyJWT's implementation.
        public: what verifies: a public key, or the HMAC secret.
        private: what signs, if anything.
        kid: what we sign and publish it under.
        any_kid: whether it also verifies tokens that name another `kid`, or none that we know.
    """

    names: tuple[str, ...]
    algorithm: Algorithm
    public: Any = field(repr=False)
    private: Any = field(default=None, repr=False)
    kid: str | None = None
    any_kid: bool = True

    @property
    def symmetric(self) -> bool:
        """Whether it is an HMAC secret."""
        return self.names[0] in HMAC

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is this key's over the message (RFC 7515 section 5.2)."""
        return self.algorithm.verify(message, self.public, signature)

    def sign(self, message: bytes) -> bytes:
        """Sign the message (RFC 7515 section 5.1)."""
        return self.algorithm.sign(message, self.private)


class KeySet:
    """The keys of one issuer, and which of them a token's header can mean."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(keys)
        self._by_kid = {key.kid: key for key in self.keys if not key.any_kid}
        self._loose = tuple(key for key in self.keys if key.any_kid)
        self.algorithms = frozenset(name for key in self.keys for name in key.names)

    @property
    def symmetric(self) -> bool:
        """Whether the keys are HMAC secrets."""
        return any(key.symmetric for key in self.keys)

    def candidates(self, alg: str, kid: str | None) -> Sequence[Key]:
        """Return the keys that a header can mean, by `kid` where it names one.

        Raises:
            InvalidToken: no key of ours answers to that algorithm, or to that `kid`.
        """
        if alg not in self.algorithms:
            raise InvalidToken(Reason.WRONG_ALGORITHM, f"token has alg={shown(alg)}, accepted: {self._accepted()}")
        named = self._by_kid.get(kid) if kid is not None else None
        if named is not None:
            found: tuple[Key, ...] = (named,)
        else:
            found = self._loose if kid is not None else self.keys
        fitting = [key for key in found if alg in key.names]
        if fitting and len(fitting) <= MAX_CANDIDATES:
            return fitting
        if named is not None:
            raise InvalidToken(Reason.WRONG_ALGORITHM, f"token has alg={shown(alg)}, its key is for {named.names[0]}")
        known = shown(sorted(map(str, self._by_kid)))
        raise InvalidToken(Reason.UNKNOWN_KEY, f"token has kid={shown(kid)}, known: {known}")

    def _accepted(self) -> str:
        return ",".join(sorted(self.algorithms)) or "none"


def from_secret(secret: bytes, allowed: Sequence[str]) -> Key:
    """Bind an HMAC secret to its algorithm.

    Raises:
        KeyProblem: too short for its hash (RFC 7518 section 3.2), or no fitting algorithm.
    """
    name = _one_of(tuple(HMAC), allowed)
    if len(secret) < HMAC[name]:
        raise KeyProblem(f"is {len(secret)} bytes long, {name} needs {HMAC[name]} (RFC 7518 section 3.2)")
    return Key((name,), _IMPLEMENTATIONS[name], secret, secret)


def from_public(public: Any, allowed: Sequence[str], private: Any = None, declared: object = None) -> Key:
    """Bind a public key: its own declared `alg` wins, then the accepted algorithms, then the default of its type.

    Raises:
        KeyProblem: of a kind that signs no tokens, too weak, or not for an accepted algorithm.
    """
    fitting = _fitting(public)
    if declared is not None:
        if declared not in fitting:
            raise KeyProblem(f"has alg={shown(declared)}, which does not fit its type")
        fitting = (str(declared),)
    name = _one_of(fitting, allowed)
    return Key(_ED25519 if name in _ED25519 else (name,), _IMPLEMENTATIONS[name], public, private)


def _fitting(public: Any) -> tuple[str, ...]:
    if isinstance(public, rsa.RSAPublicKey):
        if not 2048 <= public.key_size <= 16384:
            raise KeyProblem(f"has {public.key_size} bits, RSA needs 2048 to 16384 (RFC 7518 section 3.3)")
        return _RSA
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        return (_CURVES[public.curve.name],)
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes_raw()
        if raw[:31] + bytes([raw[31] & 0x7F]) in _SMALL_ORDER:
            raise KeyProblem("is a point of small order, which would verify anything")
        return _ED25519
    raise KeyProblem("is of a kind that signs no tokens (RSA, P-256, P-384, P-521 and Ed25519 do)")


def _one_of(fitting: Sequence[str], allowed: Sequence[str]) -> str:
    if not allowed:
        return fitting[0]
    common = [name for name in allowed if name in fitting or (name in _ED25519 and fitting[0] in _ED25519)]
    if not common:
        raise KeyProblem(f"does not fit JWT_ALGORITHMS: it can do {', '.join(fitting)}")
    if len(common) > 1 and not set(common) <= set(_ED25519):
        raise KeyProblem(f"fits several of JWT_ALGORITHMS ({', '.join(common)}): a key has one (RFC 8725 section 3.1)")
    return common[0]
