"""The memory of verified tokens: what it may keep, and the races it must lose."""

from __future__ import annotations

import gc
import json
import os
import threading
import tracemalloc
from time import monotonic
from typing import Any

import pytest

from jwt_middleware.gate.cache import Cache, Entry
from jwt_middleware.gate.tally import Tally
from jwt_middleware.token import jws
from jwt_middleware.user import User
from tests.worlds import NOW, Clock

MIB = 2**20
SHAPES: dict[str, Any] = {
    "realistic": "",
    "empty-objects": [{}] * 1500,
    "small-objects": [{"a": n} for n in range(600)],
    "empty-arrays": [[]] * 1500,
    "numbers": [n + 0.5 for n in range(900)],
    "short-texts": [f"{n:x}x" for n in range(900)],
    "many-members": {f"{n:x}": n for n in range(700)},
    "deep": json.loads("[" * 60 + "]" * 60),
}


def entry(name: str = "42", until: float = NOW + 30) -> Entry:
    """An entry that can be revoked by its subject."""
    return Entry(User(name), until, (f"u|{name}", f"j|{name}"))


@pytest.fixture
def cache(clock: Clock) -> Cache:
    """A cache of a megabyte."""
    return Cache(MIB, clock)


def test_what_was_remembered_is_recalled(cache):
    """By the raw credential, str or bytes, each for itself."""
    known = entry()
    assert cache.remember(b"Bearer a", known, cache.epoch)
    assert cache.recall(b"Bearer a") is known.user
    assert cache.recall("Bearer a") is None
    assert cache.recall(b"Bearer b") is None


def test_an_entry_ends_on_the_second(cache, clock):
    """`until` is the first moment at which it does not hold."""
    cache.remember("a", entry(until=NOW + 30), cache.epoch)
    clock.now = NOW + 29.999
    assert cache.recall("a") is not None
    clock.now = NOW + 30
    assert cache.recall("a") is None
    assert cache.peek("a") is None


def test_each_hit_is_counted_once(cache, clock):
    """In the tally of its issuer; looking without an answer counts nothing."""
    tallies = Tally("one"), Tally("two")
    for name, tally in zip("ab", tallies):
        cache.remember(name, Entry(User(name), NOW + 30, (), tally), cache.epoch)
    for name in "aabx":
        cache.recall(name)
    cache.peek("a")
    clock.now = NOW + 30
    cache.recall("a")
    assert [tally.recalled for tally in tallies] == [2, 1]


def test_memory_alone_decides_only_while_the_truth_is_fresh(cache):
    """Past `good_until` an entry may be reused, but not without a question."""
    cache.remember("a", entry(), cache.epoch)
    cache.good_until = monotonic() - 1
    assert cache.recall("a") is None
    assert cache.peek("a") is not None
    cache.good_until = monotonic() + 60
    assert cache.recall("a") is not None


class TestRaces:
    """Revocation is eviction, and no order of events lets a revoked token back in."""

    def test_revoked_after_it_was_remembered(self, cache):
        """The plain case: evicted by any of its names."""
        for name in ("1", "2"):
            cache.remember(name, entry(name), cache.epoch)
        cache.evict(["u|1"])
        assert cache.recall("1") is None
        assert cache.recall("2") is not None

    def test_revoked_between_the_question_and_remembering(self, cache):
        """The store said no revocation, one arrived, and only then came the insert: it is not kept."""
        epoch = cache.epoch
        cache.evict(["u|42"])
        assert not cache.remember("a", entry(), epoch)
        assert cache.recall("a") is None

    def test_revoked_in_the_old_generation(self, cache):
        """An entry that has aged is evicted as well."""
        cache.remember("first", entry("first"), cache.epoch)
        number = 0
        while "first" in cache._young:
            number += 1
            cache.remember(str(number), entry(), cache.epoch)
        assert cache.recall("first") is not None
        cache.evict(["j|first"])
        assert cache.recall("first") is None

    def test_cleared_in_both_generations(self, cache):
        """A key has gone: nothing that was remembered is recalled, however old it is, and there is room again."""
        cache.remember("first", entry("first"), cache.epoch)
        number = 0
        while "first" in cache._young:
            number += 1
            cache.remember(str(number), entry(), cache.epoch)
        cache.clear()
        assert len(cache) == 0
        assert [name for name in ("first", str(number)) if cache.recall(name) or cache.peek(name)] == []
        for again in range(number):
            cache.remember(str(again), entry(), cache.epoch)
        assert len(cache) == number

    def test_cleared_between_the_signature_and_remembering(self, cache):
        """The key verified, then went, and only then came the insert: it is not kept."""
        epoch = cache.epoch
        cache.clear()
        assert not cache.remember("a", entry(), epoch)
        assert cache.remember("a", entry(), cache.epoch)

    def test_revoked_while_others_verify_and_read(self, cache):
        """Threads verify, remember and read while one revokes: what is revoked is never recalled again."""
        truth: set[str] = set()
        evicted: set[str] = set()
        recalled: list[str] = []
        stop = threading.Event()

        def verify() -> None:
            number = 0
            while not stop.is_set():
                name = str(number % 200)
                epoch = cache.epoch
                if name not in truth:
                    cache.remember(name, entry(name), epoch)
                number += 1

        def read() -> None:
            while not stop.is_set():
                recalled.extend(name for name in tuple(evicted) if cache.recall(name) is not None)

        threads = [threading.Thread(target=target) for target in (verify, verify, read)]
        for thread in threads:
            thread.start()
        for number in range(200):
            name = str(number)
            truth.add(name)
            cache.evict([f"u|{name}"])
            evicted.add(name)
        stop.set()
        for thread in threads:
            thread.join()
        assert recalled == []
        assert [name for name in evicted if cache.recall(name)] == []


class TestBounds:
    """Bounded in bytes, whatever comes."""

    @pytest.mark.parametrize("shape", SHAPES)
    def test_memory_stays_within_the_bound(self, clock, shape):
        """Real memory, measured from outside, whatever a user managed to get into the claims."""
        cache = Cache(4 * MIB, clock)
        number = 0
        gc.collect()
        tracemalloc.start()
        try:
            while len(cache) >= number * 0.6:  # until the old generation has been dropped
                for _ in range(10):
                    cache.remember(*realistic(number, SHAPES[shape]), cache.epoch)
                    number += 1
            gc.collect()
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(cache) >= 5
        assert used <= 4 * MIB

    def test_what_came_first_goes_first(self, cache):
        """Two generations: when the young one is full, the old one is dropped."""
        cache.remember("first", entry(), cache.epoch)
        number = 0
        while cache.recall("first"):
            number += 1
            cache.remember(str(number), entry(), cache.epoch)
        assert cache.recall(str(number)) is not None
        assert len(cache) < number

    def test_its_size_is_that_of_both_generations(self, clock):
        """What is held against the bound: nothing, one entry, two, and again two once the old ones were dropped."""
        cache = Cache(6000, clock)
        sizes = [cache.size]
        for name in "abcde":
            assert cache.remember(name, entry(name), cache.epoch)
            sizes.append(cache.size)
        one = 1200 + 10 + 250
        assert sizes == [0, one, 2 * one, 3 * one, 4 * one, 3 * one]
        assert len(cache) == 3

    def test_an_entry_larger_than_half_the_bound_is_not_kept(self, clock):
        """One giant cannot empty the cache."""
        cache = Cache(10_000, clock)
        assert not cache.remember("x" * 10_000, entry(), cache.epoch)

    def test_no_bytes_means_no_memory(self, clock):
        """JWT_CACHE_BYTES=0 verifies each time."""
        cache = Cache(0, clock)
        assert not cache.remember("a", entry(), cache.epoch)
        assert cache.recall("a") is None


def realistic(number: int, more: Any) -> tuple[bytes, Entry]:
    """A credential and its entry as the verifier makes them of an identity provider's token."""
    text = json.dumps(
        {"iss": "https://idp.example/", "sub": f"user-{number}", "aud": ["api", "account"], "exp": NOW + number,
         "iat": NOW, "jti": f"{number:036d}", "scope": "openid profile email", "name": f"Ada {number}",
         "realm_access": {"roles": [f"role-{number}-{n}" for n in range(5)]}, "email": f"{number}@example.com",
         "more": more},
        separators=(",", ":"),
    ).encode()  # fmt: skip
    claims = jws.parse(text)
    token = b"Bearer " + jws.encode(text) + b"." * 80
    return token, Entry(User(claims["sub"], claims), NOW + 30, (f"u|{number}", f"j|{number}", "i|idp"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_lock_held_at_a_fork_does_not_hang_the_child(cache):
    """A worker forked while another thread writes gets a lock of its own."""
    with cache._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if cache.remember("a", entry(), cache.epoch) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
