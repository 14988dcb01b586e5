"""Guessing passwords, slowed: so many tries of one account, so many failures of one client address.

A try is counted before the password is looked at, so that parallel tries do not slip through, and hashing, which is
dear on purpose, is not done for nothing. A success counts towards the account alone: an office behind one address
signs in as often as it likes. All workers count together; what they cannot count, they cannot let in: 503.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from jwt_middleware.errors import TooManyRequests, escaped, shown
from jwt_middleware.gate.attempts import Over
from jwt_middleware.gate.request import Request
from jwt_middleware.gate.transport import Transport, group
from jwt_middleware.truth.rates import RateLimit
from jwt_middleware.truth.store import Store

_ADDRESS_FACTOR = 10  # people behind one address


class Throttle:
    """Slows guesses, by `JWT_LOGIN_ATTEMPTS`.

    Args:
        rate: how often one account may be tried, from `parsing.rate`.
        store: where all workers count.
        transport: knows the client of a request.
    """

    def __init__(self, rate: Any, store: Store, transport: Transport) -> None:
        self._accounts = RateLimit(rate, "login", store)
        wider = type(rate)(rate.amount * _ADDRESS_FACTOR, rate.multiples)
        self._addresses = RateLimit(wider, "login-address", store)
        self._transport = transport
        self._over = Over()

    async def admit(self, request: Request, name: str) -> None:
        """Let a try of this account pass.

        Args:
            request: whose address has not failed too often.
            name: the user or client, spelt in whatever way.

        Raises:
            TooManyRequests: it must wait.
            Unavailable: the store cannot count.
        """
        address = group(self.address(request))
        if wait := self._over.left(address):
            detail = f"from {escaped(address)}, ten times JWT_LOGIN_ATTEMPTS={self._accounts.rate}"
            raise TooManyRequests(detail, wait)
        # One account, however it is spelt: not a full count for each of its spellings.
        if wait := await self._accounts.hit(unicodedata.normalize("NFKC", name).casefold()):
            raise TooManyRequests(f"user {shown(name)}, JWT_LOGIN_ATTEMPTS={self._accounts.rate}", wait)

    async def failed(self, request: Request) -> None:
        """Count a try that failed towards its address.

        Raises:
            Unavailable: the store cannot count.
        """
        address = group(self.address(request))
        if wait := await self._addresses.hit(address):
            self._over.remember(address, wait)

    def address(self, request: Request) -> str:
        """Return where a request comes from, as a trusted proxy tells."""
        return self._transport.client(request.peer, request.values("x-forwarded-for"))
