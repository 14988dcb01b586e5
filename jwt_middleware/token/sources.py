"""From settings to keys: every place a key can come from, and what each key is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from time import time_ns
from typing import NamedTuple

from jwt_middleware.settings import Settings
from jwt_middleware.token import derivation, folder, formats, jwks, keys, secrets
from jwt_middleware.token.folder import Reader, State
from jwt_middleware.token.keys import Key, KeyProblem, KeySet

_VARIABLES = tuple(
    f"JWT_{name}"
    for name in ("SECRET_KEY", "PREVIOUS_SECRET_KEYS", "PUBLIC_KEY", "PRIVATE_KEY", "KEYS_DIR", "JWKS_FILE")
)
_ATTEMPTS = 5  # at reading files that change meanwhile

_COARSEST = 2_000_000_000  # nanoseconds between two times of a file that differ, on the coarsest file systems

Stamp = frozenset[tuple[object, ...]]
Glance = tuple[tuple[int, ...], ...]


class Found(NamedTuple):
    """A key as it was found, with its private half if that was there, and how far it is on its way."""

    key: Key
    state: State = State.CURRENT


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys, as they were at one moment.

    Attributes:
        verifying: the keys that verify.
        signing: the one that signs, if any; it is one of those.
        published: the public keys that are our own, for a JWK Set: never another issuer's, never a secret.
        refresh_secrets: for refresh tokens: the first makes them, all verify. Empty where nothing signs.
        stamp: what the files looked like.
        read: the keys of the folder by the hash of their files, so that they need not be read again.
    """

    verifying: KeySet
    signing: Key | None = None
    published: tuple[Key, ...] = ()
    refresh_secrets: tuple[bytes, ...] = field(default=(), repr=False)
    stamp: Stamp = frozenset()
    read: Mapping[bytes, Key] = field(default_factory=dict, repr=False)


def load(settings: Settings, problems: list[str], known: Mapping[bytes, Key] | None = None) -> KeyRing:
    """Read all configured keys, as they were at one moment, though the files may change meanwhile.

    Args:
        settings: say where they are.
        problems: every problem is appended, naming its variable.
        known: keys by the hash of their files, which need not be read again.

    Returns:
        The ring; with problems it may lack keys, and is not for use.
    """
    for _ in range(_ATTEMPTS):
        noted = list(problems)
        ring = _read(settings, noted, look(settings), known or {})
        if look(settings) == ring.stamp:  # else a key may have been on its way from one name to the next
            break
    else:
        noted.append("JWT_KEYS_DIR or JWT_JWKS_FILE changes faster than it can be read")
    problems[:] = noted
    return ring


def look(settings: Settings) -> Stamp:
    """Return what changes whenever a file that keys come from does: some 5 µs for each file."""
    seen = set(folder.look(settings.keys_dir)) if settings.keys_dir else set()
    return frozenset(seen | ({("", *folder.traits(settings.jwks_file))} if settings.jwks_file else set()))


def glance(settings: Settings) -> Glance | None:
    """Return what changes when a file of keys comes, goes or is renamed: two system calls, however many there are.

    Returns:
        Nothing while the last change is so young that the next one might bear the same time.
    """
    seen = tuple(folder.traits(path) for path in (settings.keys_dir, settings.jwks_file) if path)
    youngest = max((times[2] for times in seen if times), default=0)
    return seen if youngest < time_ns() - _COARSEST else None


def _read(settings: Settings, problems: list[str], stamp: Stamp, known: Mapping[bytes, Key]) -> KeyRing:
    reader = Reader(settings.algorithms, known)
    found = [*_secrets(settings, problems), *_public(settings, problems), *_private(settings, problems)]
    found += [*_directory(settings, problems, reader), *_jwks(settings, problems)]
    any_failed = any(problem.startswith(_VARIABLES) for problem in problems)  # or were no text, which settings noted
    _check_together(settings, found, problems, any_failed=any_failed)
    whole = [key for key, state in found if state is State.CURRENT and key.private is not None]
    signing = whole[-1] if whole else None
    return KeyRing(
        KeySet(key if state is State.CURRENT else replace(key, private=None) for key, state in found),
        signing,
        tuple(key for key, state in found if _is_our_own(key, state) and not key.symmetric),
        _refresh_secrets(settings, found, signing, problems) if signing else (),
        stamp,
        reader.read,
    )


def _is_our_own(key: Key, state: State) -> bool:
    return key.private is not None or state is not State.CURRENT


def _refresh_secrets(
    settings: Settings, found: Iterable[Found], signing: Key, problems: list[str]
) -> tuple[bytes, ...]:
    """Return the folder's own, else one for each key that signs, has signed or will: the present one's first."""
    try:
        own = folder.refresh_keys(settings.keys_dir) if settings.keys_dir else ()
    except KeyProblem as problem:
        problems.append(f"JWT_KEYS_DIR, file {problem}")
        return ()
    others = (key for key, _ in found if key.private is not None and key is not signing)
    return own or tuple(map(derivation.derived, (signing, *others)))


def _check_together(settings: Settings, found: list[Found], problems: list[str], *, any_failed: bool) -> None:
    if not found and not any_failed:
        problems.append(
            "no key is configured: set JWT_SECRET_KEY (make one with `jwt-middleware keys new`), "
            "JWT_PUBLIC_KEY, JWT_PRIVATE_KEY, JWT_KEYS_DIR or JWT_JWKS_FILE"
        )
    _check_kinds(settings, found, problems)
    _check_algorithms(settings, found, problems, any_failed)
    _check_kids(found, problems)
    _check_loose(found, problems)


def _check_kinds(settings: Settings, found: list[Found], problems: list[str]) -> None:
    symmetric = [key for key, _ in found if key.symmetric]
    if symmetric and len(symmetric) != len(found):
        which = "an HMAC secret" if settings.secret_key is None else "JWT_SECRET_KEY"
        problems.append(f"{which} stands beside public keys: one verifier has one kind (RFC 8725 section 3.1)")
    in_folder = any(key.private is not None and not key.any_kid for key, state in found if state is not State.OLD)
    for name, given in (("JWT_SECRET_KEY", settings.secret_key), ("JWT_PRIVATE_KEY", settings.private_key)):
        if given and settings.keys_dir and in_folder:
            problems.append(f"{name} and JWT_KEYS_DIR both hold a signing key: keep one")


def _check_algorithms(settings: Settings, found: list[Found], problems: list[str], any_failed: bool) -> None:
    unknown = [name for name in settings.algorithms if name not in keys.ALGORITHMS]
    if unknown:
        problems.append(f"JWT_ALGORITHMS takes only: {', '.join(keys.ALGORITHMS)}")
    used = {name for key, _ in found for name in key.names}
    unused = [name for name in settings.algorithms if name in keys.ALGORITHMS and name not in used]
    if unused and not any_failed:
        problems.append(f"JWT_ALGORITHMS names {', '.join(unused)}, but no key fits")


def _check_kids(found: list[Found], problems: list[str]) -> None:
    named = [key.kid for key, _ in found if not key.any_kid]
    if len(named) != len(set(named)):
        problems.append("two keys have the same kid: verification could not tell them apart (RFC 7517 section 4.5)")


def _check_loose(found: list[Found], problems: list[str]) -> None:
    loose = Counter(key.names for key, _ in found if key.any_kid)
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


def _secrets(settings: Settings, problems: list[str]) -> Iterator[Found]:
    if settings.previous_secret_keys and settings.secret_key is None and settings.keys_dir is None:
        problems.append("JWT_PREVIOUS_SECRET_KEYS needs JWT_SECRET_KEY, or secrets in JWT_KEYS_DIR")
    given = [("JWT_SECRET_KEY", settings.secret_key, State.CURRENT)] if settings.secret_key is not None else []
    given += [("JWT_PREVIOUS_SECRET_KEYS", secret, State.OLD) for secret in settings.previous_secret_keys]
    for name, secret, state in given:
        for key in _attempt(name, problems, lambda secret=secret: secrets.checked(secret, settings.algorithms)):  # type: ignore[misc]
            yield Found(key, state)


def _public(settings: Settings, problems: list[str]) -> Iterator[Found]:
    pem = settings.public_key
    if pem is not None and settings.private_key is None:
        if "PRIVATE KEY-----" in pem:
            problems.append("JWT_PUBLIC_KEY holds a private key: set JWT_PRIVATE_KEY instead")
        else:
            for key in _attempt("JWT_PUBLIC_KEY", problems, lambda: formats.from_pem(pem, settings.algorithms)):
                yield Found(key)


def _private(settings: Settings, problems: list[str]) -> Iterator[Found]:
    pem = settings.private_key
    if pem is None:
        return
    for key in _attempt("JWT_PRIVATE_KEY", problems, lambda: formats.from_pem(pem, settings.algorithms)):
        if key.private is None:
            problems.append("JWT_PRIVATE_KEY holds a public key: set JWT_PUBLIC_KEY instead")
        elif settings.public_key and not _is_its_public_half(settings.public_key, key):
            problems.append("JWT_PUBLIC_KEY is not the public half of JWT_PRIVATE_KEY")
        else:
            yield Found(key)


def _is_its_public_half(public_pem: str, private: Key) -> bool:
    try:
        return formats.from_pem(public_pem, private.names[:1]).kid == private.kid
    except KeyProblem:
        return False


def _directory(settings: Settings, problems: list[str], reader: Reader) -> Iterator[Found]:
    if settings.keys_dir is None:
        return
    try:
        files = folder.files(settings.keys_dir)
    except OSError:
        problems.append("JWT_KEYS_DIR is not a folder that we can read")
        return
    if not files:
        problems.append("JWT_KEYS_DIR holds no key: make one with `jwt-middleware keys new --dir DIR`")
    for _, its in groupby(files, lambda file: file.kid):
        same = [
            Found(key, file.state)
            for file in its
            for key in _attempt(f"JWT_KEYS_DIR, file {file.name},", problems, lambda file=file: reader.key(file))  # type: ignore[misc]
        ]
        yield from _last(same)


def _last(same: list[Found]) -> list[Found]:
    """Where one key stands in several states (a folder that is being copied), the last of them holds."""
    return same[-1:] if all(found.key.public == same[-1].key.public for found in same) else same


def _jwks(settings: Settings, problems: list[str]) -> list[Found]:
    if settings.jwks_file is None:
        return []
    try:
        return [Found(key) for key in jwks.read(settings.jwks_file, settings.algorithms)]
    except KeyProblem as problem:
        problems.append(f"JWT_JWKS_FILE {problem}")
        return []
