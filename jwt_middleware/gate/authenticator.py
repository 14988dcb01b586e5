"""From a raw credential to a user, when memory alone could not answer.

Extract, verify, ask about revocation, remember. Verified claims are reused while they hold; the
store is asked each time its word is not good any more. So direct mode, a fork, a dead feed and a
frozen process are one path. So is a change of the keys: whoever comes this way looks for it first.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TypeVar

from jwt_middleware.errors import InvalidToken, Reason, Unavailable, shown
from jwt_middleware.gate.cache import Cache, Credential, Entry
from jwt_middleware.gate.credentials import Extractor
from jwt_middleware.gate.tally import Tallies
from jwt_middleware.gate.usercheck import UserCheck
from jwt_middleware.settings import Settings
from jwt_middleware.token.keychain import Keychain
from jwt_middleware.token.verifier import Verifier
from jwt_middleware.truth.revocation import Revocation
from jwt_middleware.user import Claims, User

T = TypeVar("T")
_OF_ANOTHER_KEY = (Reason.UNKNOWN_KEY, Reason.WRONG_ALGORITHM)


class Authenticator:
    """The cold path, written once for both worlds.

    Attributes:
        tallies: what is counted of its requests.
    """

    def __init__(
        self,
        settings: Settings,
        keychain: Keychain,
        verifier: Verifier,
        revocation: Revocation | None,
        clock: Callable[[], float],
        check_user: UserCheck | None = None,
    ) -> None:
        self.extractor = Extractor(settings.header_name, settings.header_type, settings.max_token_bytes)
        self.keychain = keychain
        self.verifier = verifier
        self.revocation = revocation
        self.cache = Cache(settings.cache_bytes, clock, inf if revocation is None else revocation.good_until)
        self._clock = clock
        self.tallies = Tallies(() if settings.issuer is None else (settings.issuer,))
        self._check_user = check_user
        self._leeway = settings.leeway
        self._max_age = settings.max_age
        self._cache_seconds = settings.cache_seconds
        keychain.listen(self.cache.clear)
        if revocation is not None:
            revocation.listen(self.cache.evict)

    async def authenticate(self, credential: Credential | None) -> User:
        """Return the user of a raw credential.

        Raises:
            NoCredential, InvalidRequest, InvalidToken: it may not pass.
            Unavailable: the store cannot answer.
        """
        self.keychain.refresh()
        epoch = self.cache.epoch  # before the question, so that a revocation in between is not overlooked
        known = self.cache.peek(credential) if credential is not None else None
        if known is None:
            entry = self._verified(self.extractor.token(credential))
            entry.tally.verified += 1
        else:
            entry = known
            entry.tally.reused += 1
        await self._check(entry, new=known is None)
        if known is None and credential is not None and self._cache_seconds:
            self.cache.remember(credential, entry, epoch)
        return entry.user

    async def verify(self, token: str) -> User:
        """Return the user of a token that came some other way than in a request; nothing is remembered.

        Raises:
            InvalidToken, Unavailable: as for a request.
        """
        if not isinstance(token, str):
            raise InvalidToken(Reason.MALFORMED, f"a token is a text, this is {shown(type(token).__name__)}")
        self.keychain.refresh()
        entry = self._verified(token.encode("ascii", "replace"))
        await self._check(entry, new=True)
        return entry.user

    async def _check(self, entry: Entry, *, new: bool) -> None:
        try:
            if self.revocation is not None:
                await self.revocation.check(entry.items, entry.user.claims["iat"])
            if new and self._check_user is not None:
                await self._check_user(entry.user)
        except (InvalidToken, Unavailable) as refusal:
            refusal.user = entry.user  # the token itself is good
            raise

    def _verified(self, token: bytes) -> Entry:
        user = self.user_of(token)
        items = () if self.revocation is None else self.revocation.items(user)
        return Entry(user, self._until(user), items, self.tallies.of(user))

    def user_of(self, token: bytes) -> User:
        """Return the user of a token by itself: the store and the app are not asked.

        Raises:
            InvalidToken: it may not pass.
        """
        return self._by_present_keys(self.verifier.verify, token)

    def signed_by_us(self, token: bytes) -> Claims:
        """Return the claims of a token that a key of ours has signed, whatever they say.

        Raises:
            InvalidToken: none has.
        """
        return self._by_present_keys(self.verifier.signed, token)

    def _by_present_keys(self, judge: Callable[[bytes], T], token: bytes) -> T:
        ring = self.keychain.current
        try:
            return judge(token)
        except InvalidToken as refusal:
            if refusal.reason not in _OF_ANOTHER_KEY:
                raise
            # Another process may have made the key and the token since we last looked; another thread may have
            # looked since we judged, and then there is nothing new for us to find.
            self.keychain.refresh(at_once=True)
            if self.keychain.current is ring:
                raise
        return judge(token)

    def _until(self, user: User) -> float:
        """Expiry, age and cache time as one number."""
        until: float = min(user.claims["exp"] + self._leeway, self._clock() + self._cache_seconds)
        return until if self._max_age is None else min(until, user.claims["iat"] + self._max_age + self._leeway)
