"""Machines that sign in for themselves (RFC 6749 section 4.4): `JWT_CLIENTS_FILE`, with hashed secrets."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jwt_middleware import parsing
from jwt_middleware.login.matching import Matcher
from jwt_middleware.login.members import scopes, switch, texts
from jwt_middleware.login.passwords import Passwords, load, stored_hash
from jwt_middleware.login.records import Kind, Raw, RecordsFile
from jwt_middleware.settings import Settings
from jwt_middleware.truth.io import IO

_ID = re.compile(r"[\x20-\x7e]+")  # RFC 6749 appendix A.1


@dataclass(frozen=True, slots=True)
class Client:
    """A machine.

    Attributes:
        client_id: its name.
        scopes: what it may be granted.
        audiences: which audiences its tokens may be for; none named means that it has no choice.
    """

    client_id: str
    scopes: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A client in the file.

    Attributes:
        hash: of the secret.
        disabled: whether it may not sign in.
        client: as whom.
    """

    hash: str
    disabled: bool
    client: Client


class ClientsFile:
    """The clients of `JWT_CLIENTS_FILE`.

    Params:
        file: the clients.
        passwords: makes and compares hashes.
        io: the port, since hashing takes long.
    """

    def __init__(self, file: RecordsFile[Entry], passwords: Passwords, io: IO) -> None:
        self._matcher = Matcher(file, passwords, io)

    async def authenticate(self, client_id: str, secret: str) -> Client | None:
        """Return whose id and secret these are, unless that client is disabled; `None` for nobody's.

        Raises:
            Unavailable: the file is gone or has become bad.
        """
        entry = await self._matcher.find(client_id, secret)
        return entry.client if entry else None


def clients(settings: Settings, io: IO, problems: list[str]) -> ClientsFile | None:
    """Return the clients that these settings name, if any; add to the problems what is wrong with their file."""
    if settings.clients_file is None:
        return None
    passwords = load("JWT_CLIENTS_FILE", problems)
    if passwords is None:
        return None
    file = RecordsFile(settings.clients_file, KIND)
    problems += file.problems()
    return ClientsFile(file, passwords, io)


def new_secret() -> str:
    """Make a secret of 256 bits that needs no quoting in a shell, a form or a URL."""
    return secrets.token_urlsafe(32)


def _entry(name: str, raw: Raw) -> Entry:
    if not _ID.fullmatch(name):
        raise ValueError("(the name) must be printable ASCII (RFC 6749 appendix A.1)")
    values = parsing.members(raw, _MEMBERS)
    if "secret" not in values:
        raise ValueError("has no secret")
    client = Client(name, values.get("scopes", ()), values.get("audiences", ()))
    return Entry(values["secret"], values.get("disabled", False), client)


_MEMBERS: Mapping[str, Callable[[object], Any]] = {
    "secret": stored_hash, "scopes": scopes, "audiences": texts, "disabled": switch,
}  # fmt: skip
KIND = Kind("client", "JWT_CLIENTS_FILE", "secret", _entry)
