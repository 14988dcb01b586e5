"""Each request by itself, p50 and p99: no kind of bad token may cost more than a good one that was never seen.

Good and bad ones in turn, one request after the other, in one process, through both adapters whole; every token is
another one. Then the same over a connection to real servers, by the clock on the wall. The good ones are of the usual
size; what is refused may be as large as it likes.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import jwt

from benchmarks.adapters import asgi_app, asgi_call, wsgi_app, wsgi_call
from benchmarks.apps import SETTINGS
from benchmarks.material import KID, POLICY, SECRET, Keys, bearer, environ, keycloak, scope
from benchmarks.measure import Row, compare
from benchmarks.refusals import OTHERS, as_jwk, wrong_signature
from benchmarks.servers import FAMILIES, Served
from jwt_middleware import asgi, wsgi
from jwt_middleware.errors import Refused
from jwt_middleware.token.jws import encode
from jwt_middleware.truth.io import run

ALGORITHMS = ("HS256", "RS256", "ES256")
ROUNDS, REQUESTS = 5, 1000  # of each kind in a round: the p99 is the tenth from the end
SERVER_ROUNDS, SERVER_REQUESTS = 5, 500
GOOD, KNOWN, LONG = "good, new", "good, seen before", "good, new, 4 KB header"
GOOD_ONES = (GOOD, KNOWN, LONG)
Batch = list[bytes]
_number = count()


def rows() -> Iterator[Row]:
    log = logging.getLogger("jwt_middleware")
    log.addHandler(logging.FileHandler(os.devnull))  # lines are made, and go nowhere
    log.propagate = False
    for algorithm in ALGORITHMS:
        keys = Keys(algorithm)
        with tempfile.TemporaryDirectory() as folder:
            settings = {**_settings(keys, Path(folder)), **POLICY, "cache_seconds": 3600, "revocation": "off"}
            check(kinds(keys), settings)
            asgi_world = partial(asgi_call, asgi.JWTMiddleware(asgi_app, **settings)), scope
            wsgi_world = partial(wsgi_call, wsgi.JWTMiddleware(wsgi_app, **settings)), environ
            yield from _rows(f"{algorithm} ASGI", *asgi_world, kinds(keys))
            yield from _rows(f"{algorithm} WSGI", *wsgi_world, kinds(keys))
            if algorithm == "HS256":
                yield from _logged_rows(settings, kinds(keys))
    yield from _server_rows()


def _settings(keys: Keys, folder: Path) -> dict[str, Any]:
    """A secret, or a JWK Set of ten keys."""
    if keys.algorithm == "HS256":
        return keys.settings
    others = [as_jwk(Keys("ES256"), kid) for kid in OTHERS]
    (folder / "jwks.json").write_text(json.dumps({"keys": [as_jwk(keys, KID), *others]}))
    return {"jwks_file": folder / "jwks.json"}


# --- what is sent ----------------------------------------------------------------------------------------------------


def kinds(keys: Keys) -> dict[str, Callable[[int], Batch]]:
    """Return what makes so many credentials of each kind, all different but those seen before."""
    seen = keycloak(keys, 1)
    signed = partial(_signed, keys)
    strange = SECRET[::-1] if keys.algorithm == "HS256" else Keys(keys.algorithm).signing
    forged = partial(_made, strange, keys.algorithm)
    return {
        GOOD: lambda n: list(map(bearer, keycloak(keys, n))),
        KNOWN: lambda n: [bytes(bytearray(bearer(seen[0]))) for _ in range(n)],
        LONG: lambda n: _made(keys.signing, keys.algorithm, n, _long_header),
        "bad signature": lambda n: list(map(wrong_signature, map(bearer, keycloak(keys, n)))),
        "bad signature, new header": lambda n: forged(n, lambda: {"typ": "JWT", "kid": KID, "x": next(_number)}),
        "bad signature, 8 KB": lambda n: [wrong_signature(one) for one in signed(n, filler="x" * 4500)],
        "expired": lambda n: signed(n, exp=1_700_000_000),
        "wrong issuer": lambda n: signed(n, iss="https://evil.example.com/realms/acme"),
        "wrong audience": lambda n: signed(n, aud=["https://other.example.com", "account"]),
        "no subject": lambda n: signed(n, sub=None),
        "refresh token": lambda n: signed(n, typ="Refresh"),
        "unknown kid": lambda n: forged(n, lambda: {"kid": f"{next(_number):0{len(KID)}}"}),
        "alg none": lambda n: [_with_header({"alg": "none", "typ": "JWT"}, b"AA") for _ in range(n)],
        "alg of another family": lambda n: [_with_header({"alg": "PS512", "kid": KID}, b"A" * 342) for _ in range(n)],
        "malformed": lambda n: [b"Bearer eyJ%06d.%s.%s" % (next(_number), b"e" * 1000, b"=" * 9) for _ in range(n)],
        "garbage, 8 KB": lambda n: [b"Bearer %08d" % next(_number) + b"A" * 8000 for _ in range(n)],
        "garbage, 8 KB of dots": lambda n: [b"Bearer %08d" % next(_number) + b"." * 8000 for _ in range(n)],
        "garbage, 60 KB": lambda n: [b"Bearer %08d" % next(_number) + b"A" * 60_000 for _ in range(n)],
        **{f"header: {name}": partial(_headers, keys.algorithm, rest) for name, rest in HOSTILE.items()},
        "two credentials": lambda n: [one + b", " + one for one in map(bearer, keycloak(keys, n))],
        "another scheme": lambda n: [b"Basic %08d" % next(_number) + b"A" * 1000 for _ in range(n)],
    }


SIGNATURES = {"HS256": 43, "RS256": 342, "ES256": 86}  # characters
# The rest of headers that are dear to read, each within the bounds of what is read at all or just beyond them.
HOSTILE = {
    "nested": '"x":' + "[" * 2000 + "]" * 2000 + "}",
    "a member twice": ",".join(f'"m{n}":1' for n in range(60)) + ',"m0":2}',
    "all numbers that are read": '"x":[' + ",".join(["0." + "7" * 27] * 27) + "]}",
    "one number that is read": '"x":' + "9" * 800 + "}",
    "all escapes that are read": '"x":"' + "\\u0061" * 99 + "x" * 3000 + '"}',
    "huge numbers": '"x":' + "9" * 3900 + "}",
    "numbers": '"x":[' + ",".join(["9" * 63] * 60) + "]}",
    "4 KB of escapes": '"x":"' + "\\u0061" * 560 + '"}',
    "lone surrogates": '"x":"' + "\\ud800" * 560 + '"}',
    "text": '"x":"' + "x" * 4000 + '"}',
    "beyond what is read": '"x":"' + "x" * 5300 + '"}',
    "certificates": '"x5c":["' + "A" * 3900 + '"]}',
}


def _signed(keys: Keys, how_many: int, **claims: Any) -> Batch:
    """Well signed tokens of the usual shape with other claims; a claim that is None is left out."""
    made = []
    for token in keycloak(keys, how_many):
        payload = jwt.decode(token, options={"verify_signature": False}) | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        made.append(bearer(jwt.encode(payload, keys.signing, keys.algorithm, {"kid": KID})))
    return made


def _made(key: Any, algorithm: str, how_many: int, header: Callable[[], dict[str, Any]]) -> Batch:
    """Tokens of the usual shape, with a header and a key of one's choice."""
    payload = jwt.decode(keycloak(Keys("HS256"), 1)[0], options={"verify_signature": False})
    return [bearer(jwt.encode(payload, key, algorithm, header())) for _ in range(how_many)]


def _long_header() -> dict[str, Any]:
    return {"kid": KID, "n": next(_number), "x5c": ["A" * 3900]}


def _with_header(header: dict[str, Any], signature: bytes) -> bytes:
    payload = encode(json.dumps({"sub": "42", "exp": 4_000_000_000, "n": next(_number), "x": "x" * 700}).encode())
    return b"Bearer %s.%s.%s" % (encode(json.dumps(header).encode()), payload, signature)


def _headers(algorithm: str, rest: str, how_many: int) -> Batch:
    """Tokens whose header fits a key of ours, but for what follows; the signature has its length and is none."""
    payload, signature = encode(b'{"sub":"42","exp":4000000000}'), b"A" * SIGNATURES[algorithm]
    starts = (f'{{"alg":"{algorithm}","kid":"{KID}","n":{next(_number)},' for _ in range(how_many))
    return [b"Bearer %s.%s.%s" % (encode((start + rest).encode()), payload, signature) for start in starts]


# --- how it is measured ----------------------------------------------------------------------------------------------


def _rows(
    name: str, call: Callable[[Any], object], request: Any, made: dict[str, Callable[[int], Batch]]
) -> Iterator[Row]:
    for one in made[KNOWN](1):
        call(request(one))

    def batches() -> dict[str, list[Any]]:
        return {kind: list(map(request, make(REQUESTS))) for kind, make in made.items()}

    yield from _compared(name, "µs", _sampled(batches, call, ROUNDS, time.thread_time), ("<=", 1))
    yield Row(
        f"{name}: objects that refusals leave to the collector", _left_behind(batches(), call), "", target=("<=", 0)
    )


def _left_behind(given: dict[str, list[Any]], call: Callable[[Any], object]) -> int:
    gc.collect()
    gc.disable()
    for kind, requests in given.items():
        if kind not in GOOD_ONES:
            for one in requests:
                call(one)
    gc.enable()
    return gc.collect()


def _logged_rows(settings: dict[str, Any], made: dict[str, Callable[[int], Batch]]) -> Iterator[Row]:
    """The first ten refusals of a kind in a minute are written to the log; here every one is."""
    quiet, loud = (asgi.JWTMiddleware(asgi_app, **settings) for _ in range(2))
    loud._gate.refusals._journal._now = (61.0 * minute for minute in count()).__next__
    apps = {GOOD: quiet, "bad signature": loud, "expired": loud, "malformed": loud}

    def batches() -> dict[str, list[Any]]:
        return {kind: [(app, scope(one)) for one in made[kind](REQUESTS)] for kind, app in apps.items()}

    found = _sampled(batches, lambda given: asgi_call(*given), ROUNDS, time.thread_time)
    yield from _compared("HS256 ASGI, each logged,", "µs", found, None)


def check(made: dict[str, Callable[[int], Batch]], settings: dict[str, Any]) -> None:
    """Make sure that the good ones pass and no other does, or the figures would mean nothing."""
    auth = wsgi.JWTAuth(**settings)
    for kind, make in made.items():
        try:
            run(auth.core.authenticator.authenticate(make(1)[0]))
        except Refused:
            assert kind not in GOOD_ONES, kind
        else:
            assert kind in GOOD_ONES, kind


def _sampled(
    batches: Callable[[], dict[str, list[Any]]], call: Callable[[Any], object], rounds: int, clock: Callable[[], float]
) -> dict[str, list[tuple[float, float]]]:
    """Return the p50 and the p99 of each kind in each round, after one round that only warms up."""
    found: dict[str, list[tuple[float, float]]] = {}
    chance = random.Random(7)
    for _ in range(rounds + 1):
        given = batches()
        gc.collect()
        gc.disable()  # a pause pays for what good ones left behind, and comes in whoever's turn it is
        taken: dict[str, list[float]] = {kind: [] for kind in given}
        for requests in zip(*given.values(), strict=True):
            turn = list(zip(given, requests, strict=True))
            chance.shuffle(turn)  # or a cold cache would always meet the same kind
            for kind, one in turn:
                start = clock()
                call(one)
                taken[kind].append(clock() - start)
        gc.enable()
        for kind, times in taken.items():
            times.sort()
            found.setdefault(kind, []).append((times[len(times) // 2] * 1e6, times[len(times) * 99 // 100] * 1e6))
    return {kind: percentiles[1:] for kind, percentiles in found.items()}


def _compared(name: str, unit: str, found: dict[str, list[tuple[float, float]]], target: Any) -> Iterator[Row]:
    for at, percentile in enumerate(("p50", "p99")):
        good = [both[at] for both in found[GOOD]]
        yield Row(f"{name} {percentile}: {GOOD}", min(good), unit)
        for kind, both in found.items():
            if kind != GOOD:
                figures = [one[at] for one in both]
                wanted = target if at and kind not in GOOD_ONES else None
                yield compare(f"{name} {percentile}: {kind}", unit, figures, GOOD, good, wanted)


# --- over a connection -----------------------------------------------------------------------------------------------

SERVED = (
    GOOD, KNOWN, "bad signature", "bad signature, new header", "expired", "wrong issuer", "wrong audience", "alg none",
    "malformed", "header: nested", "header: numbers",
)  # fmt: skip


def _server_rows() -> Iterator[Row]:
    keys = Keys("HS256")
    assert keys.private == SETTINGS["secret_key"]  # the apps' own
    made = {kind: make for kind, make in kinds(keys).items() if kind in SERVED}
    for family in FAMILIES:
        if family.name in ("raw uvicorn", "raw gunicorn gthread"):
            with Served(family, "wrapped", quiet=True) as served:
                connection = HTTPConnection("127.0.0.1", served.port)
                call = partial(_get, connection)
                for one in made[KNOWN](1):
                    call(one)
                found = _sampled(lambda: {k: make(SERVER_REQUESTS) for k, make in made.items()}, call,
                                 SERVER_ROUNDS, time.perf_counter)  # fmt: skip
                connection.close()
            yield from _compared(family.name, "µs wall", found, None)


def _get(connection: HTTPConnection, credential: bytes) -> None:
    connection.request("GET", "/", headers={"Authorization": credential})
    connection.getresponse().read()
