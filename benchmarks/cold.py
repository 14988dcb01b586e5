"""Verification of tokens never seen before, every check on, against `jwt.decode` with the same checks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.material import Keys, decode, entra, issued, keycloak
from benchmarks.measure import Row, compare, in_turn, per_call

TARGETS = {"HS256": 0.16, "RS256": 0.38, "PS256": 0.42, "ES256": 0.65, "EdDSA": 0.76}


def rows() -> Iterator[Row]:
    for algorithm in TARGETS:
        keys = Keys(algorithm)
        yield from _rows(keys, "Keycloak-like, 800 B", keycloak(keys, 100))
        yield from _rows(keys, "Entra-like, 800 B", entra(keys, 100))
        yield from _rows(keys, "auth.issue, 210 B", issued(keys, 100))


def _rows(keys: Keys, name: str, tokens: list[str]) -> Iterator[Row]:
    calls = [partial(decode, key=key, algorithm=keys.algorithm) for key in (keys.text, keys.prepared)]
    ours, text, prepared = in_turn([per_call(call, lambda: tokens) for call in (keys.auth().verify, *calls)])
    what = f"{keys.algorithm} {name}"
    yield compare(what, "µs", ours, "jwt.decode, key as text", text, ("<=", TARGETS[keys.algorithm]))
    yield compare(what, "µs", ours, "jwt.decode, key prepared", prepared)
