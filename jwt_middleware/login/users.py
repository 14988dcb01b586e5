"""Who may sign in: the port that the endpoints ask, and two ways to know, a file of users and a function of the app's.

In both, no is one answer: whoever asks learns neither whether the user exists nor whether the password was right.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from jwt_middleware import parsing
from jwt_middleware.errors import InvalidToken, Reason, shown
from jwt_middleware.gate.appfunction import AppFunction
from jwt_middleware.login.matching import Matcher
from jwt_middleware.login.members import label, scopes, switch, texts
from jwt_middleware.login.passwords import Passwords, load, stored_hash
from jwt_middleware.login.records import Kind, Raw, RecordsFile
from jwt_middleware.settings import Settings
from jwt_middleware.token import jws
from jwt_middleware.token.signer import OURS
from jwt_middleware.truth.io import IO
from jwt_middleware.user import Claims


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in, as their tokens will speak of them.

    Attributes:
        subject: the `sub`.
        scopes: what they may be granted.
        claims: further claims for their access tokens, such as `roles` or `name`; read-only, never one of ours.
    """

    subject: str
    scopes: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=Claims)


class Authority(Protocol):
    """Knows who may sign in."""

    async def authenticate(self, username: str, password: str) -> Account | None:
        """Return whose name and password these are; `None` for nobody's, for whatever reason.

        Raises:
            Unavailable: it cannot be decided.
        """

    async def current(self, account: Account) -> Account | None:
        """Return the account as it is now, at a refresh; `None` if it is disabled or gone.

        Raises:
            Unavailable: it cannot be decided.
        """


def authority(settings: Settings, io: IO, problems: list[str]) -> Authority | None:
    """Return what these settings name, if anything; add to the problems what is wrong with it."""
    if settings.authenticate is not None and settings.users_file is not None:
        problems.append("JWT_AUTHENTICATE and JWT_USERS_FILE are both set: keep one")
    if settings.users_file is None:
        return None if settings.authenticate is None else Hook(settings.authenticate, io, reserved(settings))
    passwords = load("JWT_USERS_FILE", problems)
    if passwords is None:
        return None
    file = RecordsFile(settings.users_file, kind(settings))
    problems += file.problems()
    return UsersFile(file, passwords, io)


# --- a file ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A user in the file.

    Attributes:
        hash: of the password.
        disabled: whether the user may not sign in.
        account: as whom.
    """

    hash: str
    disabled: bool
    account: Account


class UsersFile:
    """The `Authority` of `JWT_USERS_FILE`.

    A name is compared as it is written, upper and lower case apart, after Unicode's NFC (RFC 8265 section 3.4, light:
    full-width letters stay what they are).

    Params:
        file: the users.
        passwords: makes and compares hashes.
        io: the port, since hashing takes long.
    """

    def __init__(self, file: RecordsFile[Entry], passwords: Passwords, io: IO) -> None:
        self._file = file
        self._matcher = Matcher(file, passwords, io)
        self._io = io

    async def authenticate(self, username: str, password: str) -> Account | None:
        """Return whose name and password these are, unless that user is disabled.

        Raises:
            Unavailable: the file is gone or has become bad.
        """
        entry = await self._matcher.find(_spelt(username), password)
        return entry.account if entry else None

    async def current(self, account: Account) -> Account | None:
        """Return the account that has this subject now, unless it is disabled.

        Raises:
            Unavailable: the file is gone or has become bad.
        """
        entries = (await self._io.offload(self._file.read)).values()
        return next((e.account for e in entries if e.account.subject == account.subject and not e.disabled), None)


def kind(settings: Settings) -> Kind[Entry]:
    """Return what the records of a users file are."""
    taken = reserved(settings)
    return Kind("user", "JWT_USERS_FILE", "password", lambda name, raw: _entry(name, raw, taken), _shared_subjects)


def reserved(settings: Settings) -> frozenset[str]:
    """Return the claims that no account brings along: ours, and those that scopes could be read from instead."""
    read = {part for name in settings.scope_claims for part in (name, name.partition(".")[0])}
    return OURS | {"nbf", "sid", "auth_time", settings.identity_claim} | read


def _entry(name: str, raw: Raw, taken: frozenset[str]) -> Entry:
    values = parsing.members(raw, _MEMBERS)
    if "password" not in values:
        raise ValueError("has no password")
    claims = values.get("claims", {})
    if "roles" in values and "roles" in claims:
        raise ValueError("has roles and a claim of that name: keep one")
    claims = _frozen(claims | ({"roles": values["roles"]} if "roles" in values else {}), taken)
    account = Account(values.get("subject", name), values.get("scopes", ()), claims)
    return Entry(values["password"], values.get("disabled", False), account)


def _shared_subjects(entries: Mapping[str, Entry]) -> Iterator[str]:
    times = Counter(entry.account.subject for entry in entries.values())
    for name, entry in entries.items():
        if times[entry.account.subject] > 1:
            yield f"user {shown(name)} has the subject {shown(entry.account.subject)}, and so has another"


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


_MEMBERS: Mapping[str, Callable[[object], Any]] = {
    "password": stored_hash, "subject": label, "scopes": scopes, "roles": texts, "claims": _object, "disabled": switch,
}  # fmt: skip


def _spelt(username: str) -> str:
    return unicodedata.normalize("NFC", username) if len(username) < 256 else username  # nobody's, as it is


def _frozen(claims: Mapping[str, Any], taken: frozenset[str]) -> Claims:
    ours = sorted(taken & claims.keys())
    if ours:
        raise ValueError(f"has claims that are ours to set: {', '.join(ours)}")
    try:
        return jws.parse(json.dumps(dict(claims), allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError, InvalidToken):
        raise ValueError("has claims that are not JSON") from None


# --- a function of the app's -----------------------------------------------------------------------------------------


class Hook:
    """The `Authority` of `JWT_AUTHENTICATE`: a function that is given the name and the password as they were sent.

    It returns nothing (or `False`) for no; for yes the subject, or the subject and claims for its access tokens, among
    which `scope` (separated by spaces) or `scopes` (a list) is what it may be granted. All else is an error.

    Params:
        given: the function, or `package.module:function`.
        io: the port; a function that blocks is offloaded.
        taken: the claims that it may not return.
    """

    def __init__(self, given: Callable[..., Any] | str, io: IO, taken: frozenset[str]) -> None:
        self._ask = AppFunction("JWT_AUTHENTICATE", given, io, Reason.AUTHENTICATE_FAILED)
        self._taken = taken

    async def authenticate(self, username: str, password: str) -> Account | None:
        """Return the account that the app's function names.

        Raises:
            Unavailable: it raised, cannot be found, or returned something else.
        """
        answer = await self._ask(username, password)
        if answer is None or answer is False:
            return None
        subject, claims = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, {})
        if not isinstance(subject, str) or not subject or not isinstance(claims, Mapping):
            raise self._ask.failure(f"returned {_type(answer)}: not a subject, not (subject, claims), and not None")
        try:
            return self._account(subject, dict(claims))
        except ValueError as error:
            raise self._ask.failure(f"returned an account that cannot be used: {error}") from None

    async def current(self, account: Account) -> Account | None:
        """Return the account as it was at sign-in: what has changed since, the app says by `JWT_CHECK_USER`."""
        return account

    def _account(self, subject: str, claims: dict[str, Any]) -> Account:
        granted = _granted(claims)
        if not _is_text(subject):
            raise ValueError("has a subject that is not Unicode text")
        return Account(subject, granted, _frozen(claims, self._taken))


def _granted(claims: dict[str, Any]) -> tuple[str, ...]:
    """Take the scopes out of the claims."""
    text, listed = claims.pop("scope", None), claims.pop("scopes", ())
    if text is None:
        return scopes(list(listed) if isinstance(listed, tuple) else listed)
    if listed or not isinstance(text, str):
        raise ValueError("has a scope that is not one text, or scopes besides")
    return scopes(text.split(" ") if text else [])


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:
        return False
    return True


def _type(answer: object) -> str:
    if isinstance(answer, tuple):
        return f"a tuple of ({', '.join(type(each).__name__ for each in answer)})"
    return "an empty text" if answer == "" else f"something of the type {type(answer).__name__}"
