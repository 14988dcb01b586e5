"""Guessing passwords, slowed: so many tries of one account, so many failures of one client address.

A try of an account is counted before the password is looked at, so that parallel tries do not slip through. A success
counts towards the account alone: an office behind one address signs in as often as it likes. Only a few are looked at
at a time, whoever they are from, since hashing is dear on purpose: the others wait a little, and then get a 503. So
what fails of one address is known before its next tries begin. All workers count together; what they cannot count,
they cannot let in: 503.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from jwt_middleware import parsing
from jwt_middleware.errors import Reason, TooManyRequests, Unavailable, escaped, shown
from jwt_middleware.gate.attempts import Over
from jwt_middleware.gate.request import Request
from jwt_middleware.gate.transport import Transport, group
from jwt_middleware.settings import Settings
from jwt_middleware.truth.io import IO
from jwt_middleware.truth.rates import RateLimit
from jwt_middleware.truth.store import Store

_ADDRESS_FACTOR = 10  # people behind one address
_PATIENCE = 40  # turns of waiting for a place
_TURN = 0.05  # seconds
_MOST_WAITING = 100


class Throttle:
    """Slows guesses, by `JWT_LOGIN_ATTEMPTS`.

    Args:
        settings: name the rate, and whose accounts these are.
        store: where all workers count.
        transport: knows the client of a request.
        io: the port.
        at_once: how many this process looks at at a time.
    """

    def __init__(self, settings: Settings, store: Store, transport: Transport, io: IO, *, at_once: int) -> None:
        rate: Any = parsing.rate(settings.login_attempts)
        self._accounts = RateLimit(rate, "login", store)
        self._addresses = RateLimit(type(rate)(rate.amount * _ADDRESS_FACTOR, rate.multiples), "login-address", store)
        self._issuer = settings.issuer or "-"
        self._transport = transport
        self._io = io
        self._over = Over()
        self._places = deque(range(at_once))  # whose `pop` and `append` need no lock
        self._waiting = 0

    @asynccontextmanager
    async def attempt(self, request: Request, name: str) -> AsyncIterator[None]:
        """Let a try of this account pass, when it is its turn.

        Args:
            request: whose address has not failed too often.
            name: the user or client, spelt in whatever way.

        Raises:
            TooManyRequests: it must wait.
            Unavailable: the store cannot count, or there are too many at a time.
        """
        self._check_address(request)
        place = await self._place()
        try:
            self._check_address(request)  # again: those before it have failed meanwhile
            # One account, however it is spelt: not a full count for each of its spellings.
            if wait := await self._accounts.hit(self._issuer, unicodedata.normalize("NFKC", name).casefold()):
                raise TooManyRequests(f"user {shown(name)}, JWT_LOGIN_ATTEMPTS={self._accounts.rate}", wait)
            yield
        finally:
            self._places.append(place)

    def _check_address(self, request: Request) -> None:
        address = group(self.address(request))
        if wait := self._over.left(address):
            detail = f"from {escaped(address)}, ten times JWT_LOGIN_ATTEMPTS={self._accounts.rate}"
            raise TooManyRequests(detail, wait)

    async def _place(self) -> int:
        for turn in range(_PATIENCE):
            try:
                return self._places.pop()
            except IndexError:
                if turn == 0 and self._waiting >= _MOST_WAITING:
                    break
            self._waiting += 1
            try:
                await self._io.sleep(_TURN)
            finally:
                self._waiting -= 1
        raise Unavailable("too many passwords to look at at once", Reason.AUTHENTICATE_FAILED)

    async def failed(self, request: Request) -> None:
        """Count a try that failed towards its address.

        Raises:
            Unavailable: the store cannot count.
        """
        address = group(self.address(request))
        if wait := await self._addresses.hit(self._issuer, address):
            self._over.remember(address, wait)

    def address(self, request: Request) -> str:
        """Return where a request comes from, as a trusted proxy tells."""
        return self._transport.client(request.peer, request.values("x-forwarded-for"))
