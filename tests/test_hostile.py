"""Ten thousand hostile credentials: no exception, no 5xx, no memory, no token in any log line."""

from __future__ import annotations

import base64
import json
import logging
import random
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from jwt_middleware import Reason
from jwt_middleware.token import verifier
from tests.token.forge import OTHER_SECRET, b64, claims, compact, dumps, token
from tests.worlds import NOW, SECRET, World

COUNT = 10_000
_HEADER = b64(dumps({"alg": "HS256", "typ": "JWT"}))


def _good(chance: random.Random) -> str:
    return token(claims(n=chance.random()))


def _bytes(chance: random.Random) -> bytes:
    return b"Bearer " + chance.randbytes(chance.randrange(200))


def _no_scheme(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(60))


def _changed(chance: random.Random) -> bytes:
    raw = bytearray(token(claims(n=chance.random())).encode())
    for _ in range(chance.randint(1, 4)):
        where = chance.randrange(len(raw))
        raw[where] = chance.choice([b for b in b"ABCabc019-_.=+/ ,\0\xff" if b != raw[where]])
    return b"Bearer " + bytes(raw)


def _cut(chance: random.Random) -> bytes:
    text = _good(chance).encode()
    return b"Bearer " + text[: chance.randrange(len(text))]


def _huge(chance: random.Random) -> bytes:
    return b"Bearer " + chance.choice([b"A", b"eyJ", b".", b"=", b"\xff"]) * chance.choice([8192, 8193, 60_000])


def _nested(chance: random.Random) -> bytes:
    depth = chance.choice([64, 65, 1000, 1500])
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}")])
    inside = opening * depth + chance.choice(["", "1" + closing * depth])
    if chance.random() < 0.5:
        return f"Bearer {compact(inside, dumps(claims(n=chance.random())))}".encode()
    return f"Bearer {token(inside)}".encode()


def _dots(chance: random.Random) -> bytes:
    parts = ["", "a", "eyJ9", _HEADER, "A" * 50]
    return b"Bearer " + ".".join(chance.choices(parts, k=chance.choice([2, 3, 4, 5, 6, 100, 1500]))).encode()


def _unicode(chance: random.Random) -> bytes:
    word = "".join(chance.choices("Ｂeａrеｒ \u00a0\u202e\ufeff\U0001f600é", k=chance.randint(1, 20)))
    return chance.choice([b"", b"Bearer "]) + word.encode()


def _controls(chance: random.Random) -> bytes:
    control = bytes([chance.choice([0, 9, 10, 11, 12, 13, 27, 127])])
    value = bytearray(b"Bearer " + _good(chance).encode())
    value[(where := chance.randrange(len(value))) : where] = control
    return bytes(value)


def _forged(chance: random.Random) -> bytes:
    header = {"alg": chance.choice(["none", "HS256", "HS512", "RS256", "ES256", "x" * 300, "\r\nERROR"])}
    header |= (
        {"kid": chance.choice(["../x", "k" * 300, "\x1b[31m", "{0}", "%s%n", "'--"])} if chance.random() < 0.5 else {}
    )
    key = chance.choice([OTHER_SECRET, b"", SECRET[:31]])
    payload = claims(sub=chance.choice(["root", "\r\nforged", "%s"]), n=chance.random())
    message = f"{b64(dumps(header))}.{b64(dumps(payload))}"
    junk = b64(chance.randbytes(chance.choice([1, 32, 64]))) if not key else compact("{}", "{}", key=key).split(".")[2]
    return f"Bearer {message}.{junk}".encode()


def _wrong_claims(chance: random.Random) -> bytes:
    odd = chance.choice([None, True, -1, "x", [], {}, 1e308, 10**400, "\r\n\x1b", ["x" * 500]])
    name = chance.choice(["exp", "nbf", "iat", "aud", "iss", "sub", "jti", "scope", "roles", "cnf", "type"])
    wrong = claims(**{name: odd}, n=chance.random()) | ({} if chance.random() < 0.5 else {"exp": 1})
    return f"Bearer {token(wrong | {'exp': 1} if name != 'exp' else claims(exp='x'))}".encode()


def _odd_json(chance: random.Random) -> bytes:
    good = dumps(claims(n=chance.random()))
    payload = chance.choice(
        [good[:-1] + ',"sub":"x"}', f"[{good}]", good + "x", "\ufeff" + good, good[:-1] + ',"x":NaN}', '"x"', "null",
         "{", good[:-1] + ',"x":1e999}', good[:-1] + ',"x":"\\ud800"}', good[:-1] + ',"x":' + "9" * 4400 + "}"]
    )  # fmt: skip
    return f"Bearer {token(payload)}".encode()


def _several(chance: random.Random) -> bytes:
    one = f"Bearer {_good(chance)}".encode()
    other = chance.choice([one, b"Basic dTpw", b"", b"Bearer x", b'Digest username="x"'])
    return chance.choice([b",", b", ", b";", b" ", b"\r\n"]).join(
        [one, other] if chance.random() < 0.5 else [other, one, one]
    )


def _other_schemes(chance: random.Random) -> bytes:
    scheme = chance.choice(
        [b"Basic", b"DPoP", b"Token", b"JWT", b"Bearer:", b"Bearer\t", b"Bearer  ", b" Bearer", b"bearer=", b""]
    )
    return scheme + b" " + _good(chance).encode()


MAKERS = (
    _bytes, _no_scheme, _changed, _cut, _huge, _nested, _dots, _unicode, _controls, _forged, _wrong_claims, _odd_json,
    _several, _other_schemes,
)  # fmt: skip


def hostile(count: int, seed: int = 7) -> Iterator[bytes]:
    """Make hostile header values, the same ones each time."""
    chance = random.Random(seed)
    for i in range(count):
        yield MAKERS[i % len(MAKERS)](chance)


@pytest.fixture(scope="module")
def values() -> list[bytes]:
    """All of them, made once."""
    return list(hostile(COUNT))


def test_they_are_many_and_different(values: list[bytes]) -> None:
    """The generator gives what the other tests rely on: ten thousand values of every kind, hardly one twice."""
    assert len(values) == COUNT
    assert len(set(values)) > COUNT * 0.7
    assert max(map(len, values)) > 60_000


def _texts_of(value: bytes) -> list[str]:
    """Return the longer pieces of a token by which it would be recognised in a log."""
    return [part.decode("latin-1") for part in value.removeprefix(b"Bearer ").split(b".") if len(part) >= 20]


def test_ten_thousand_hostile_credentials(
    protect: Callable[..., World],
    values: list[bytes],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No exception, no 5xx, nobody let in, nothing remembered, and not one line in the log that holds a token.

    The journal's limit of lines is lifted, so that every refusal is written and looked at.
    """
    from jwt_middleware.gate import journal

    monkeypatch.setattr(journal, "_LINES", 10**9)
    world = protect(cache_bytes="64KiB")
    caplog.set_level(logging.DEBUG)
    statuses: dict[int, int] = {}
    lines = 0
    for value in values:
        caplog.clear()
        answer = world.request(headers=[("Authorization", value)])
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        assert answer.status in (400, 401), value[:300]
        assert not answer.passed
        assert b"eyJ" not in answer.body
        assert len(answer.body) < 300
        lines += len(caplog.records)
        for record in caplog.records:
            line = record.getMessage()
            assert len(line) < 1000
            assert line.isascii()
            assert line.isprintable()
            assert "eyJ" not in line
            assert not any(text in line for text in _texts_of(value))
            assert record.exc_info is None
    assert set(statuses) == {400, 401}
    assert lines >= COUNT
    assert len(world.auth.core.authenticator.cache) == 0
    assert len(world.auth.core.verifier._memory.good_headers) <= verifier._MAX_HEADERS
    assert world.request(token=token()).user.identity == "42", "the gate still opens for whom it should"


def test_hostile_credentials_leave_no_memory_behind(protect: Callable[..., World], values: list[bytes]) -> None:
    """A second round over values seen before takes no more memory than the first one left."""
    world = protect()
    some = values[:1500]
    for value in some:
        world.request(headers=[("Authorization", value)])
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for value in hostile(1500, seed=11):
            world.request(headers=[("Authorization", value)])
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 300_000, f"{grown} bytes after 1500 refusals"


def test_good_tokens_stay_within_the_bound(protect: Callable[..., World]) -> None:
    """However many different good tokens come, the cache keeps to its bytes."""
    bound = 1_000_000
    world = protect(cache_bytes=bound, cache_seconds=3600)
    world.request(token=token(claims(sub="warm")))
    texts = [token(claims(sub=f"user-{i}", name="n" * 300, roles=[f"r{i}-{j}" for j in range(8)])) for i in range(600)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for text in texts:
            assert world.request(token=text).status == 200
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0 < len(world.auth.core.authenticator.cache) < len(texts)
    assert grown < bound


def test_the_journal_counts_what_it_does_not_write(
    protect: Callable[..., World], values: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """A flood of refusals is ten lines for each reason, so nobody fills the disk or hides in the noise."""
    world = protect()
    with caplog.at_level(logging.WARNING):
        for value in values[:1500]:
            world.request(headers=[("Authorization", value)])
    by_reason = {str(reason): 0 for reason in Reason}
    for record in caplog.records:
        if (words := record.getMessage().split(" ")) and words[0] in ("400", "401"):
            by_reason[words[3].rstrip(":")] += 1
    assert max(by_reason.values()) == 10
    assert by_reason["malformed_credential"] == by_reason["malformed"] == by_reason["bad_signature"] == 10


def test_every_answer_to_a_bad_token_is_the_same(protect: Callable[..., World]) -> None:
    """Threat 52, 78: a wrong signature, key, audience or type: the same bytes, which tell an attacker nothing."""
    world = protect(issuer="https://idp.example/", audience="a")
    good = {"iss": "https://idp.example/", "aud": "a"}
    bad = [
        token(claims(**good), key=OTHER_SECRET),
        token(claims(**good | {"exp": 1}), key=OTHER_SECRET),
        token(claims(**good), header={"alg": "none"}),
        token(claims(**good), header={"typ": "x"}),
        token(claims(**good), header={"crit": ["x"]}),
        token(claims(**good | {"aud": "b"})),
        token(claims(**good | {"iss": "b"})),
        token(claims(**good | {"sub": ""})),
        token(claims(**good | {"type": "refresh"})),
        "a.b.c",
        "a" * 9000,
    ]
    answers = [world.request(token=text) for text in bad]
    assert {(a.status, a.body, tuple(a.headers)) for a in answers} == {
        (answers[0].status, answers[0].body, tuple(answers[0].headers))
    }
    assert json.loads(answers[0].body)["error"] == "invalid_token"
    expired = world.request(token=token(claims(**good | {"exp": NOW - 31})))
    assert json.loads(expired.body)["error_description"] == "The access token has expired."


def test_base64_of_the_standard_library_is_not_what_decides() -> None:
    """The stories above rely on it: the lenient decoder takes what the strict one refuses."""
    assert base64.urlsafe_b64decode("e+30=\n!") == b"{\xed\xf4"
