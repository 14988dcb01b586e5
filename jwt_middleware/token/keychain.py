"""The key ring in force, which follows its files: a key that is added, promoted or removed needs no restart.

Nobody waits for this and no thread runs: whoever verifies a token that memory does not know, or signs one, looks at the
files on the way, at most once a second, and takes the new ring if there is one. A ring is never changed, only replaced
as a whole, so that nobody sees half of one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from jwt_middleware.settings import Settings
from jwt_middleware.token import sources
from jwt_middleware.token.sources import Glance, KeyRing, Stamp

LOOK_SECONDS = 1.0
RETRY_SECONDS = 30.0  # until files that could not be used are read again though they look the same
_logger = logging.getLogger("jwt_middleware")


class Keychain:
    """The one place where verifier, signer and publisher find the keys.

    Args:
        settings: say where the keys come from.
        ring: the keys that were found there at start.

    Attributes:
        current: the ring in force.
    """

    def __init__(self, settings: Settings, ring: KeyRing) -> None:
        self.current = ring
        self._settings = _anchored(settings)
        self._follows = settings.keys_dir is not None or settings.jwks_file is not None
        self._look_at = monotonic() + LOOK_SECONDS
        self._at_rest: Glance | None = None
        self._failed: Stamp | None = None
        self._retry_at = 0.0
        self._complaint = ""
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener()` after a key that verified has gone."""
        self._listeners.append(listener)

    def refresh(self, *, at_once: bool = False) -> bool:
        """Look whether the files have changed, and take the keys that are there now.

        Args:
            at_once: look even if somebody did within the last second: a token names a key that we do not know, and
                another process may have made both since.

        Returns:
            Whether the ring is another one now.
        """
        if not self._follows:
            return False
        now = monotonic()
        if now < self._look_at and not (at_once and self._may_have_moved()):
            return False
        self._look_at, self._at_rest = now + LOOK_SECONDS, sources.glance(self._settings)
        stamp = sources.look(self._settings)
        if stamp == self.current.stamp:
            self._settle()
            return False
        if stamp == self._failed and now < self._retry_at:
            return False
        return self._reload(stamp, now)

    def _may_have_moved(self) -> bool:
        """Whether it is worth a look: anybody can name keys that we do not know."""
        return self._at_rest is None or sources.glance(self._settings) != self._at_rest

    def _reload(self, stamp: Stamp, now: float) -> bool:
        """Read and check as at the start. What cannot be used changes nothing, and the log says so once."""
        problems: list[str] = []
        old, new = self.current, sources.load(self._settings, problems, self.current.read)
        if old.verifying.symmetric is not new.verifying.symmetric:
            problems.append("secrets and public keys took each other's place, which needs a restart")
        if problems:
            self._failed, self._retry_at = stamp, now + RETRY_SECONDS
            self._complain("; ".join(problems))
            return False
        self._settle()
        self.current = new  # before the listeners: what is verified after they were called is verified by these keys
        _logger.info("the keys were read again: %s", _described(new))
        if _has_lost(old, new):
            for listener in self._listeners:
                listener()
        return True

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            _logger.error("the keys changed and cannot be used, so the old ones stay in force: %s", complaint)

    def _settle(self) -> None:
        if self._complaint:
            self._complaint, self._failed = "", None
            _logger.warning("the keys can be used again")


def _anchored(settings: Settings) -> Settings:
    """Let paths mean what they mean now: a server may change its directory later."""
    folder, file = settings.keys_dir, settings.jwks_file
    return replace(settings, keys_dir=folder and folder.absolute(), jwks_file=file and file.absolute())


def _has_lost(old: KeyRing, new: KeyRing) -> bool:
    remaining = [(key.kid, key.names, key.public) for key in new.verifying.keys]
    return any((key.kid, key.names, key.public) not in remaining for key in old.verifying.keys)


def _described(ring: KeyRing) -> str:
    signs = f"{ring.signing.kid or 'a secret'} signs" if ring.signing else "none signs"
    return f"{len(ring.verifying.keys)} verify, {signs}"
