"""In place of your user table: who may sign in, with what scope."""

import hashlib
import hmac
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """One row; only a salted hash of the password is kept."""

    name: str
    scope: str
    salt: bytes
    digest: bytes


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


def _account(name: str, scope: str, password: str) -> Account:
    salt = os.urandom(16)
    return Account(name, scope, salt, _digest(password, salt))


# The passwords stand here only because this is an example.
ACCOUNTS = {
    "ada": _account("Ada Lovelace", "read reports", "analytical engine"),
    "bob": _account("Bob", "read", "builds things"),
}
# Compared when there is no such user, so that the answer takes as long and does not tell who exists.
NOBODY = _account("", "", os.urandom(16).hex())


def check(username: object, password: object) -> Account | None:
    """Return the account if the password is right. It takes some 50 ms on purpose: call it in a thread."""
    if not isinstance(username, str) or not isinstance(password, str):
        return None
    account = ACCOUNTS.get(username, NOBODY)
    good = hmac.compare_digest(_digest(password, account.salt), account.digest)
    return account if good and account is not NOBODY else None
