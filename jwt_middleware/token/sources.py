"""From settings to keys: every place a key can come from, and which one signs."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jwt_middleware.errors import shown
from jwt_middleware.settings import Settings
from jwt_middleware.token import formats, keys, secrets
from jwt_middleware.token.keys import Key, KeyProblem, KeySet

MAX_JWKS_BYTES = 512 * 1024
MAX_JWKS_KEYS = 100
_VARIABLES = tuple(
    f"JWT_{name}"
    for name in ("SECRET_KEY", "PREVIOUS_SECRET_KEYS", "PUBLIC_KEY", "PRIVATE_KEY", "KEYS_DIR", "JWKS_FILE")
)
_logger = logging.getLogger("jwt_middleware")


class KeyRing:
    """The keys that verify, and the one that signs, if any."""

    def __init__(self, verifying: KeySet, signing: Key | None) -> None:
        self.verifying = verifying
        self.signing = signing
        self.refresh_secrets = (b"temporary" * 4,) if signing else ()


def load(settings: Settings, problems: list[str]) -> KeyRing:
    """Read all configured keys; every problem is appended to `problems`, naming its variable."""
    found: list[Key] = []
    for read in (_secrets, _public, _private, _directory, _jwks):
        found += read(settings, problems)
    any_failed = any(problem.startswith(_VARIABLES) for problem in problems)  # or were no text, which settings noted
    _check_together(settings, found, problems, any_failed=any_failed)
    return KeyRing(KeySet(found), _signing_key(found))


def _signing_key(found: list[Key]) -> Key | None:
    """The secret before its predecessors; of a folder, the private key whose name sorts last."""
    signing = [key for key in found if key.private is not None]
    if not signing:
        return None
    return signing[-1] if signing[-1].kid and not signing[-1].any_kid else signing[0]


def _check_together(settings: Settings, found: list[Key], problems: list[str], *, any_failed: bool) -> None:
    if not found and not any_failed:
        problems.append(
            "no key is configured: set JWT_SECRET_KEY (make one with `jwt-middleware keys new`), "
            "JWT_PUBLIC_KEY, JWT_PRIVATE_KEY, JWT_KEYS_DIR or JWT_JWKS_FILE"
        )
    symmetric = [key for key in found if key.names[0] in keys.HMAC]
    if symmetric and len(symmetric) != len(found):
        problems.append("JWT_SECRET_KEY stands beside public keys: one verifier has one kind (RFC 8725 section 3.1)")
    if settings.private_key and settings.keys_dir and any(k.private is not None and not k.any_kid for k in found):
        problems.append("JWT_PRIVATE_KEY and JWT_KEYS_DIR both hold a signing key: keep one")
    _check_algorithms(settings, found, problems, any_failed)
    _check_kids(found, problems)
    _check_loose(found, problems)


def _check_algorithms(settings: Settings, found: list[Key], problems: list[str], any_failed: bool) -> None:
    unknown = [name for name in settings.algorithms if name not in keys.ALGORITHMS]
    if unknown:
        problems.append(f"JWT_ALGORITHMS takes only: {', '.join(keys.ALGORITHMS)}")
    used = {name for key in found for name in key.names}
    unused = [name for name in settings.algorithms if name in keys.ALGORITHMS and name not in used]
    if unused and not any_failed:
        problems.append(f"JWT_ALGORITHMS names {', '.join(unused)}, but no key fits")


def _check_kids(found: list[Key], problems: list[str]) -> None:
    named = [key.kid for key in found if not key.any_kid]
    if len(named) != len(set(named)):
        problems.append("two keys have the same kid: verification could not tell them apart (RFC 7517 section 4.5)")


def _check_loose(found: list[Key], problems: list[str]) -> None:
    loose = Counter(key.names for key in found if key.any_kid)
    if loose and max(loose.values()) > keys.MAX_CANDIDATES:
        problems.append(
            f"more than {keys.MAX_CANDIDATES} keys without a kid do one algorithm (JWT_PREVIOUS_SECRET_KEYS, "
            "JWT_JWKS_FILE): a token could mean any of them, so none would pass"
        )


def _attempt(name: str, problems: list[str], read: Callable[[], Key]) -> Iterator[Key]:
    try:
        yield read()
    except KeyProblem as problem:
        problems.append(f"{name} {problem}")


def _secrets(settings: Settings, problems: list[str]) -> Iterator[Key]:
    given = [("JWT_SECRET_KEY", settings.secret_key)] if settings.secret_key is not None else []
    given += [("JWT_PREVIOUS_SECRET_KEYS", secret) for secret in settings.previous_secret_keys]
    if given and settings.secret_key is None:
        problems.append("JWT_PREVIOUS_SECRET_KEYS needs JWT_SECRET_KEY")
    for name, secret in given:
        yield from _attempt(name, problems, lambda secret=secret: _secret(secret, settings))  # type: ignore[misc]


def _secret(secret: bytes, settings: Settings) -> Key:
    try:
        key = keys.from_secret(secret, settings.algorithms)
    except KeyProblem as problem:
        raise KeyProblem(f"{problem}; {secrets.ADVICE}") from None
    objection = secrets.objection(secret)
    if objection:
        raise KeyProblem(objection)
    return key


def _public(settings: Settings, problems: list[str]) -> Iterator[Key]:
    pem = settings.public_key
    if pem is not None and settings.private_key is None:
        if "PRIVATE KEY-----" in pem:
            problems.append("JWT_PUBLIC_KEY holds a private key: set JWT_PRIVATE_KEY instead")
        else:
            yield from _attempt("JWT_PUBLIC_KEY", problems, lambda: formats.from_pem(pem, settings.algorithms))


def _private(settings: Settings, problems: list[str]) -> Iterator[Key]:
    pem = settings.private_key
    if pem is None:
        return
    for key in _attempt("JWT_PRIVATE_KEY", problems, lambda: formats.from_pem(pem, settings.algorithms)):
        if key.private is None:
            problems.append("JWT_PRIVATE_KEY holds a public key: set JWT_PUBLIC_KEY instead")
        elif settings.public_key and not _is_its_public_half(settings.public_key, key):
            problems.append("JWT_PUBLIC_KEY is not the public half of JWT_PRIVATE_KEY")
        else:
            yield key


def _is_its_public_half(public_pem: str, private: Key) -> bool:
    try:
        return formats.from_pem(public_pem, private.names[:1]).kid == private.kid
    except KeyProblem:
        return False


def _directory(settings: Settings, problems: list[str]) -> Iterator[Key]:
    folder = settings.keys_dir
    if folder is None:
        return
    files = sorted(folder.glob("*.pem"))
    if not folder.is_dir():
        problems.append("JWT_KEYS_DIR is not a folder")
    elif not files:
        problems.append("JWT_KEYS_DIR holds no .pem file: make a key with `jwt-middleware keys new --dir DIR`")
    for file in files:
        yield from _attempt(f"JWT_KEYS_DIR, file {file.name},", problems, lambda file=file: _file(file, settings))  # type: ignore[misc]


def _file(file: Path, settings: Settings) -> Key:
    try:
        return formats.from_pem(file.read_text("ascii"), settings.algorithms, kid=file.stem)
    except (OSError, UnicodeError):
        raise KeyProblem("cannot be read") from None


def _jwks(settings: Settings, problems: list[str]) -> Iterator[Key]:
    if settings.jwks_file is None:
        return
    try:
        entries = _entries(settings.jwks_file)
    except OSError as error:
        problems.append(f"JWT_JWKS_FILE cannot be read: {error.strerror}")
        return
    except (ValueError, LookupError, TypeError, RecursionError):
        problems.append('JWT_JWKS_FILE is not a JWK Set, {"keys": [...]} (RFC 7517 section 5)')
        return
    usable = list(_usable(entries, settings))
    if not usable:
        problems.append("JWT_JWKS_FILE holds no key that we can use; the log says why for each")
    yield from usable


def _entries(file: Path) -> list[Any]:
    data = file.read_bytes()
    entries = json.loads(data.decode())["keys"] if len(data) <= MAX_JWKS_BYTES else None
    if not isinstance(entries, list) or len(entries) > MAX_JWKS_KEYS:
        raise ValueError("not a JWK Set of a sane size")
    return entries


def _usable(entries: list[Any], settings: Settings) -> Iterator[Key]:
    """One odd JWK never spoils the set (RFC 7517 section 5): it is skipped with a warning."""
    for position, jwk in enumerate(entries):
        try:
            if not isinstance(jwk, dict):
                raise KeyProblem("is not an object")
            yield formats.from_jwk(jwk, settings.algorithms)
        except KeyProblem as problem:
            kid = jwk.get("kid") if isinstance(jwk, dict) else None
            _logger.warning("JWK %d (kid %s) is skipped: it %s", position, shown(kid), problem)
