"""Verification of a known token: from memory alone, and in direct mode with a store behind it."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.material import Keys, bearer, decode, fresh, issued, keycloak
from benchmarks.measure import Row, compare, in_turn, per_call
from jwt_middleware.truth.io import run
from tests.servers import BINARIES, Server

THREADS, HITS = 8, 40_000


def rows() -> Iterator[Row]:
    keys = Keys("HS256")
    for name, token in ("Keycloak-like", keycloak(keys, 1)[0]), ("auth.issue", issued(keys, 1)[0]):
        authenticator = keys.auth(cache_seconds=3600).core.authenticator
        run(authenticator.authenticate(bearer(token)))
        recall = authenticator.cache.recall
        yield _row(f"recall, hit, {name}", recall, keys, token, ("<=", 0.02))
    yield _threads(recall, bearer(token))
    with tempfile.TemporaryDirectory() as folder:
        yield _direct(keys, token, "SQLite", f"sqlite:///{folder}/marks.db")
        server = Server(str(BINARIES["valkey-9"]()), Path(folder)).start()
        try:
            yield _direct(keys, token, "Redis (Valkey 9)", server.url())
        finally:
            server.kill()


def _row(
    what: str, ours: Callable[[bytes], Any], keys: Keys, token: str, target: Any = None, clock: Any = time.thread_time
) -> Row:
    theirs = partial(decode, key=keys.text, algorithm=keys.algorithm)
    hits = per_call(ours, lambda: fresh(bearer(token)), clock)
    mine, pyjwt = in_turn([hits, per_call(theirs, lambda: [token] * 100, clock)])
    return compare(what, "µs", mine, "jwt.decode HS256", pyjwt, target)


def _direct(keys: Keys, token: str, store: str, url: str) -> Row:
    authenticator = keys.auth(store_url=url, cache_seconds=3600, store_timeout=5).core.authenticator
    ask = lambda credential: run(authenticator.authenticate(credential))  # noqa: E731
    return _row(f"direct mode, {store}, known token, wall", ask, keys, token, None, time.perf_counter)


def _threads(recall: Callable[[bytes], Any], credential: bytes) -> Row:
    alone, together = in_turn([partial(_shared_out, count, recall, credential) for count in (1, THREADS)])
    return compare(f"recall, hit, {THREADS} threads", "µs/hit", together, "1 thread", alone, (">=", 0.85), speed=True)


def _shared_out(threads: int, recall: Callable[[bytes], Any], credential: bytes) -> float:
    """Microseconds of wall time per hit, the same number of hits shared out among the threads."""
    start, end = threading.Barrier(threads + 1), threading.Barrier(threads + 1)

    def work(credentials: list[bytes]) -> None:
        start.wait()
        for one in credentials:
            recall(one)
        end.wait()

    for _ in range(threads):
        threading.Thread(target=work, args=(fresh(credential, HITS // threads),), daemon=True).start()
    start.wait()
    began = time.perf_counter()
    end.wait()
    return (time.perf_counter() - began) / HITS * 1e6
