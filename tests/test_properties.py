"""What holds for every token and every header value, whoever made it up: Hypothesis looks for the exception."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.token.forge import b64, claims, dumps, private, public_pem, sign, token
from tests.worlds import SECRET, ASGIWorld, Clock, World, WSGIWorld

ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
Pair = tuple[ASGIWorld, WSGIWorld]


def _pair(**settings: Any) -> Pair:
    keys = settings if "public_key" in settings else settings | {"secret_key": SECRET}
    return ASGIWorld(clock=Clock(), **keys), WSGIWorld(clock=Clock(), **keys)


def _made(alg: str) -> tuple[Pair, str]:
    if alg == "HS256":
        return _pair(), token(header={"kid": "k"})
    worlds = _pair(public_key=public_pem(alg), allow_any_audience=True)
    return worlds, token(key=private(alg), alg=alg, header={"kid": "k"})


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, tuple[Pair, str]]]:
    """For each algorithm both worlds and a good token; the token is in both caches."""
    found = {alg: _made(alg) for alg in ALGORITHMS}
    for worlds, text in found.values():
        assert [world.request(token=text).status for world in worlds] == [200, 200]
    yield found
    for worlds, _ in found.values():
        worlds[0].runner.close()


@pytest.fixture(scope="module")
def pair(made: dict[str, tuple[Pair, str]]) -> Pair:
    """Both worlds with one secret."""
    return made["HS256"][0]


def verdict(world: World, headers: list[tuple[str, bytes]]) -> tuple[int, str | None, str]:
    """Send these headers; an exception of any kind fails the test. Return status, error and user."""
    answer = world.request(headers=headers)
    assert answer.status in (200, 400, 401), answer
    assert answer.passed == (answer.status == 200)
    if not answer.passed:
        assert answer.header("Cache-Control") == "no-store"
        assert answer.header(
            "WWW-Authenticate",
        ).startswith("Bearer realm=")
    return answer.status, answer.error, answer.user.identity if answer.passed else ""


def assert_refused_by_both(worlds: Pair, value: bytes) -> None:
    verdicts = {verdict(world, [("Authorization", value)]) for world in worlds}
    assert len(verdicts) == 1, f"the adapters differ over {value[:200]!r}: {verdicts}"
    assert verdicts.pop()[0] in (400, 401), value


_bytes = st.integers(0, 255).map(lambda code: bytes([code]))
_alphabet = st.sampled_from(string.ascii_letters + string.digits + "-_.=+/~ ").map(str.encode)


@pytest.mark.parametrize("alg", ALGORITHMS)
@settings(max_examples=120, deadline=None)
@given(where=st.integers(0, 10**6), byte=_alphabet | _bytes)
def test_one_changed_byte_is_refused(alg: str, where: int, byte: bytes, made: dict[str, tuple[Pair, str]]) -> None:
    """Any byte of a good token replaced by any other: refused by both adapters, alike, though the token is cached."""
    worlds, text = made[alg]
    raw = text.encode()
    where %= len(raw)
    assume(raw[where : where + 1] != byte)
    assert_refused_by_both(worlds, b"Bearer " + raw[:where] + byte + raw[where + 1 :])


@pytest.mark.parametrize("alg", ALGORITHMS)
@settings(max_examples=80, deadline=None)
@given(where=st.integers(0, 10**6), byte=_alphabet | _bytes)
def test_one_inserted_byte_is_refused(alg: str, where: int, byte: bytes, made: dict[str, tuple[Pair, str]]) -> None:
    """Any byte put in anywhere, before and after included: another text is another token."""
    worlds, text = made[alg]
    raw = text.encode()
    where %= len(raw) + 1
    assert_refused_by_both(worlds, b"Bearer " + raw[:where] + byte + raw[where:])


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_one_removed_byte_is_refused(alg: str, made: dict[str, tuple[Pair, str]]) -> None:
    """Each byte left out, one after the other, without exception."""
    worlds, text = made[alg]
    raw = text.encode()
    for where in range(0, len(raw), 1 if alg == "HS256" else 7):
        assert_refused_by_both(worlds, b"Bearer " + raw[:where] + raw[where + 1 :])


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_parts_of_two_good_tokens_do_not_mix(alg: str, made: dict[str, tuple[Pair, str]]) -> None:
    """Header, payload and signature of different good tokens make no good one."""
    worlds, text = made[alg]
    key = {} if alg == "HS256" else {"key": private(alg)}
    other = token(claims(sub="root"), alg=alg, header={"kid": "x"}, **key)
    for world in worlds:
        assert world.request(token=other).user.identity == "root"
    mine, theirs = text.split("."), other.split(".")
    for mask in range(1, 7):
        mixed = ".".join((mine if mask >> part & 1 else theirs)[part] for part in range(3))
        assert_refused_by_both(worlds, b"Bearer " + mixed.encode())


@settings(max_examples=60, deadline=None)
@given(st.tuples(*map(st.sampled_from, ("bB", "eE", "aA", "rR", "eE", "rR"))).map("".join))
def test_the_scheme_is_compared_without_case(pair: Pair, scheme: str) -> None:
    """A2, RFC 9110 section 11.1: `bEaReR` is the same scheme, in both adapters."""
    for world in pair:
        assert verdict(world, [("Authorization", f"{scheme} {token()}".encode())]) == (200, None, "42")


_good = token()
_pieces = st.sampled_from(
    [
        b"Bearer", b"bearer", b"Basic", b"Token", b"DPoP", b" ", b"  ", b"\t", b",", b", ", b"=", b":", b'"', b"\r\n",
        b"\0", b"\xff", b"\xc2\xa0", b"eyJ", b".", b"..", b"Bearer ", _good.encode(), _good[:-1].encode(), b"null",
        "Ｂｅａｒｅｒ".encode(), b"%20", b"dTpw", b"realm=x", b";", b"Bearer\xa0", b"A" * 8193,
    ]
)  # fmt: skip
_value = st.lists(_pieces, max_size=6).map(b"".join) | st.binary(max_size=40)


@settings(max_examples=500, deadline=None)
@given(st.lists(_value, max_size=3))
@example([])
@example([b""])
@example([b"", b""])
@example([b"", b"Bearer " + _good.encode()])
@example([b"Bearer " + _good.encode(), b""])
@example([b"Bearer " + _good.encode()] * 2)
@example([b"Bearer " + _good.encode(), b"Basic dTpw"])
@example([b"Basic dTpw", b"Basic dTpw"])
@example([b"Bearer"])
@example([b"Bearer "])
@example([b"Bearer " + _good.encode() + b" "])
@example([b" Bearer " + _good.encode()])
@example([b"Bearer\t" + _good.encode()])
@example([b"Bearer " + _good.encode() + b"\n"])
@example([b"Bearer " + _good.encode() + b",Bearer " + _good.encode()])
def test_both_adapters_give_the_same_verdict(pair: Pair, values: list[bytes]) -> None:
    """For any Authorization headers, several of them too: the same status, error and user, and no exception."""
    headers = [("Authorization", value) for value in values]
    ours, theirs = (verdict(world, headers) for world in pair)
    assert ours == theirs
    if len(values) != 1:
        assert ours[0] != 200, "two credentials are never one"
    if ours[0] == 200:
        scheme, _, text = values[0].partition(b" ")
        assert (scheme.lower(), text) == (b"bearer", _good.encode())


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_claim = st.sampled_from(
    ["exp", "nbf", "iat", "iss", "aud", "sub", "jti", "sid", "azp", "client_id", "scope", "scp", "roles", "role", "typ",
     "type", "token_use", "cnf", "events", "at_hash", "realm_access", "name", "preferred_username"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_claim, _json, max_size=4))
def test_no_signed_claims_raise_anything(pair: Pair, odd: dict[str, Any]) -> None:
    """Even an issuer gone mad gets 200 or 401, the same from both, and a user whose claims are what it signed."""
    text = token(claims(**odd))
    answers = [world.request(token=text) for world in pair]
    assert answers[0].status == answers[1].status
    assert answers[0].status in (200, 401)
    for answer in answers:
        if answer.passed:
            assert answer.user.identity
            assert answer.user.identity == answer.user.claims["sub"]
            assert isinstance(answer.user.display_name, str)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "x5c", "cty", "enc"]), _json, max_size=4
    )
)
def test_no_signed_header_raises_anything(pair: Pair, odd: dict[str, Any]) -> None:
    """A header of any shape with a right signature: 200 or 401, the same from both."""
    message = f"{b64(dumps({'alg': 'HS256', 'typ': 'JWT'} | odd))}.{b64(dumps(claims()))}"
    text = f"{message}.{b64(sign(message, 'HS256', SECRET))}"
    statuses = {world.request(token=text).status for world in pair}
    assert statuses in ({200}, {401})
