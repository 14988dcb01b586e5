"""Verified tokens, remembered: a pure result kept for the raw credential exactly as the server gave it.

Two generations. A hit reads two dictionaries, adds one to a count, takes no lock, and is the only
code between a known credential and the app. Writers share one leaf lock, which is never held across
I/O, logging or a callback. When the young generation reaches half the bound, it becomes the old one
and the old one is dropped: the bound holds, and what is dropped is what came first.

Revocation is eviction: `until = 0`. The race between a verification under way and a revocation is
closed by `epoch`: what was verified before an eviction is not remembered after it. When a key has gone, everything is
forgotten in the same way.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from math import inf
from time import monotonic

from jwt_middleware.gate.tally import UNREAD, Tally
from jwt_middleware.user import User

Credential = str | bytes

# Bytes that an entry takes, rounded up from measurement: by itself, per byte of token (texts and numbers in its
# claims), per object and array in its claims, and per member of an object.
_ENTRY, _PER_BYTE, _PER_CONTAINER, _PER_MEMBER = 1200, 10, 250, 110


class Entry:
    """A verified credential.

    Attributes:
        user: whom it speaks of.
        until: the moment (seconds since the epoch) from which it must be verified again; 0 once evicted.
        items: the names under which it can be revoked.
        tally: where its hits are counted; shared by all entries of one issuer.
    """

    __slots__ = ("items", "tally", "until", "user")

    def __init__(self, user: User, until: float, items: tuple[str, ...] = (), tally: Tally = UNREAD) -> None:
        self.user = user
        self.until = until
        self.items = items
        self.tally = tally


class Cache:
    """The verified credentials of one middleware instance, bounded in bytes.

    Attributes:
        good_until: the monotonic time up to which remote truth is known well enough to answer from
            memory alone: infinite when there is no remote truth.
        epoch: how many times something was forgotten on purpose.
    """

    def __init__(self, max_bytes: int, clock: Callable[[], float], good_until: float = inf) -> None:
        self.good_until = good_until
        self.epoch = 0
        self._clock = clock
        self._half = max_bytes // 2
        self._young: dict[Credential, Entry] = {}
        self._old: dict[Credential, Entry] = {}
        self._young_bytes = self._old_bytes = 0
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            renew = weakref.WeakMethod(self._renew_lock)
            os.register_at_fork(after_in_child=lambda: (method := renew()) and method())

    def recall(self, credential: Credential) -> User | None:
        """Return the user of a credential if memory alone may answer, else `None`."""
        entry = self._young.get(credential) or self._old.get(credential)
        if entry is not None and self._clock() < entry.until and monotonic() < self.good_until:
            entry.tally.recalled += 1
            return entry.user
        return None

    def peek(self, credential: Credential) -> Entry | None:
        """Return the entry of a credential whose claims still hold, whether or not memory may answer alone."""
        entry = self._young.get(credential) or self._old.get(credential)
        return entry if entry is not None and self._clock() < entry.until else None

    def remember(self, credential: Credential, entry: Entry, epoch: int) -> bool:
        """Keep an entry, unless something was evicted since `epoch` was read; tell whether it was kept."""
        cost = _ENTRY + _PER_BYTE * len(credential) + _weight(entry.user.claims)
        with self._lock:
            if epoch != self.epoch or cost > self._half:
                return False
            if self._young_bytes + cost > self._half:
                # The old first: a reader between the two lines finds the entry twice rather than never.
                self._old, self._old_bytes = self._young, self._young_bytes
                self._young, self._young_bytes = {}, 0
            self._young[credential] = entry
            self._young_bytes += cost
            return True

    def evict(self, items: Iterable[str]) -> None:
        """Forget every entry that goes by one of these names."""
        gone = frozenset(items)
        with self._lock:
            self.epoch += 1
            for generation in (self._young, self._old):
                for entry in generation.values():
                    if not gone.isdisjoint(entry.items):
                        entry.until = 0.0

    @property
    def size(self) -> int:
        """The bytes that the entries take, about: what is held against the bound."""
        return self._young_bytes + self._old_bytes

    def clear(self) -> None:
        """Forget every entry."""
        with self._lock:
            self.epoch += 1
            self._young, self._old, self._young_bytes, self._old_bytes = {}, {}, 0, 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()


def _weight(value: object) -> int:
    """Return the bytes of the containers in a claim, which can far outweigh their text: `[{},{},{}]`."""
    if isinstance(value, dict):
        return _PER_CONTAINER + _PER_MEMBER * len(value) + sum(map(_weight, value.values()))
    return _PER_CONTAINER + sum(map(_weight, value)) if isinstance(value, tuple) else 0
