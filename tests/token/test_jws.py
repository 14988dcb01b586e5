"""Reading a token's text: three canonical parts, and JSON that has one meaning only (RFC 7515 sections 2, 4, 7.1)."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwt_middleware import Claims, InvalidToken, Reason
from jwt_middleware.token import jws

# --- the three parts -------------------------------------------------------------------------------------------------


def test_three_parts_are_split() -> None:
    """A compact JWS has a header, a payload and a signature."""
    assert jws.split(b"aa.bb.cc") == (b"aa", b"bb", b"cc")


@pytest.mark.parametrize(
    ("token", "said"),
    [
        pytest.param(b"", "1", id="B1-empty"),
        pytest.param(b"aaaa", "1", id="B1-no-dot"),
        pytest.param(b"aa.bb", "2", id="B1-two-parts"),
        pytest.param(b"aa.bb.", "3, some of them empty", id="B1-no-signature"),
        pytest.param(b".bb.cc", "3, some of them empty", id="B1-no-header"),
        pytest.param(b"aa..cc", "some of them empty", id="B1-empty-payload"),
        pytest.param(b"..", "some of them empty", id="B1-only-dots"),
        pytest.param(b"aa.bb.cc.dd", "4", id="B1-four-parts"),
        pytest.param(b"aa.bb.cc.", "4", id="B1-trailing-dot"),
        pytest.param(b"a.b.c.d.e", "5", id="B25-jwe-has-five-parts"),
        pytest.param(b"." * 20_000, "20001", id="CVE-2025-30204-twenty-thousand-dots"),
        pytest.param(b"a.b.c" + b".x" * 20_000, "20003", id="CVE-2025-27144-many-parts"),
    ],
)
def test_any_other_number_of_parts_is_refused(token: bytes, said: str) -> None:
    """Anything but exactly three parts, none of them empty, is no JWS; the detail counts them and quotes none."""
    with pytest.raises(InvalidToken) as caught:
        jws.split(token)
    assert caught.value.reason is Reason.MALFORMED
    assert said in caught.value.detail
    assert len(caught.value.detail) < 100


# --- canonical base64url ---------------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=200))
def test_what_is_encoded_decodes_to_itself(data: bytes) -> None:
    """Encoding and decoding are inverse, and the encoded text has no padding."""
    encoded = jws.encode(data)
    assert b"=" not in encoded
    assert jws.decode(encoded) == data


@settings(max_examples=400)
@given(st.binary(min_size=1, max_size=40) | st.text("ABab01-_+/=.\n ", min_size=1, max_size=12).map(str.encode))
def test_a_text_decodes_only_if_it_is_the_one_spelling(text: bytes) -> None:
    """Whatever decodes is the only spelling of its bytes: re-encoding gives the same text."""
    try:
        decoded = jws.decode(text)
    except InvalidToken:
        return
    assert base64.urlsafe_b64encode(decoded).rstrip(b"=") == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"eyJ9=", id="B2-padding-one"),
        pytest.param(b"eyJhIjoxfQ==", id="B2-padding-two"),
        pytest.param(b"eyJhIjoxfQ=", id="B2-padding-too-short"),
        pytest.param(b"=", id="B2-only-padding"),
        pytest.param(b"eyJh=joxfQ", id="B2-padding-inside"),
        pytest.param(b"eyJhIjoxfQ\n", id="B2-line-end"),
        pytest.param(b"eyJh\r\nIjoxfQ", id="B2-line-break-inside"),
        pytest.param(b" eyJhIjoxfQ", id="B2-space-before"),
        pytest.param(b"eyJhIjoxf\tQ", id="B2-tab"),
        pytest.param(b"++++", id="B2-plus-is-base64-not-base64url"),
        pytest.param(b"////", id="B2-slash-is-base64-not-base64url"),
        pytest.param(b"AA\x00A", id="B2-nul"),
        pytest.param(b"AAA\xff", id="B2-high-byte"),
        pytest.param(b"!!!!", id="B2-junk"),
        pytest.param(b"A", id="B2-one-character-is-no-byte"),
        pytest.param(b"AAAAA", id="B2-length-4n-plus-1"),
        pytest.param(b"AB", id="CVE-2026-102269-four-stray-bits"),
        pytest.param(b"AAB", id="CVE-2026-102269-two-stray-bits"),
        pytest.param(b"eyJhIjoxfR", id="CVE-2026-102269-other-spelling-of-the-same-bytes"),
    ],
)
def test_anything_but_canonical_base64url_is_refused(text: bytes) -> None:
    """Padding, white space, other alphabets and stray bits would be second spellings of one token."""
    with pytest.raises(InvalidToken, match="canonical base64url") as caught:
        jws.decode(text)
    assert caught.value.reason is Reason.MALFORMED


# --- strict JSON -----------------------------------------------------------------------------------------------------

_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=20,
)
_objects = st.dictionaries(_names, _values, max_size=6)


def frozen(value: Any) -> Any:
    """Return a JSON value as we hand it out: lists are tuples."""
    if isinstance(value, dict):
        return {name: frozen(inner) for name, inner in value.items()}
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def assert_read_only(value: Any) -> None:
    """Nothing in it is a plain dict or a list."""
    assert type(value) not in (dict, list)
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    for part in inside:
        assert_read_only(part)


@settings(max_examples=100)
@given(_objects)
def test_any_object_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    """With escapes or without, compact or pretty, an object means what it says, and is read-only all the way down."""
    spellings = [
        json.dumps(value),
        json.dumps(value, ensure_ascii=False),
        json.dumps(value, separators=(",", ":")),
        " \t\r\n" + json.dumps(value, indent=2) + "\n",
    ]
    for text in spellings:
        found = jws.parse(text.encode())
        assert found == frozen(value)
        assert type(found) is Claims
        assert_read_only(found)


def _spelled(draw: Any, text: str) -> str:
    """Write a JSON string in one of its many spellings."""
    escape = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    out = []
    for char, escaped in zip(text, escape, strict=True):
        plain = json.dumps(char, ensure_ascii=False)[1:-1]
        units = char.encode("utf-16-be")
        coded = "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
        out.append(coded if escaped else plain)
    return f'"{"".join(out)}"'


@st.composite
def _with_a_duplicate(draw: Any) -> str:
    """An object in which, at some depth, one member stands twice."""
    members = draw(st.dictionaries(_names, _values, min_size=1, max_size=4))
    pairs = [(name, json.dumps(value)) for name, value in members.items()]
    twice = draw(st.sampled_from(sorted(members)))
    pairs.insert(draw(st.integers(0, len(pairs))), (twice, json.dumps(draw(_values))))
    text = "{" + ",".join(f"{_spelled(draw, name)}:{value}" for name, value in pairs) + "}"
    for _ in range(draw(st.integers(0, 4))):
        text = draw(st.sampled_from(['{"a":%s}', '{"a":[%s]}', '{"b":1,"a":[0,%s,"x"]}', '{"a":[[],[%s]]}'])).replace(
            "%s", text
        )
    return text


@settings(max_examples=150)
@given(_with_a_duplicate())
def test_a_member_that_stands_twice_anywhere_is_refused(text: str) -> None:
    """RFC 7515 section 4: two readers could take different ones, however they are spelled and however deep."""
    with pytest.raises(InvalidToken) as caught:
        jws.parse(text.encode("utf-8"))
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="B3-nothing"),
        pytest.param(b"   ", id="B3-only-white-space"),
        pytest.param(b"null", id="B3-null"),
        pytest.param(b"true", id="B3-true"),
        pytest.param(b"1", id="B3-number"),
        pytest.param(b'"text"', id="B3-text"),
        pytest.param(b"[]", id="B3-array"),
        pytest.param(b'[{"sub":"42"}]', id="C14-array-of-an-object"),
        pytest.param(b'{"a":1}ABCD', id="B3-trailing-data"),
        pytest.param(b'{"a":1}{"a":1}', id="B3-two-objects"),
        pytest.param(b'{"a":1}\x00', id="B3-trailing-nul"),
        pytest.param(b'{"a":1}\x0b', id="B3-vertical-tab-is-not-white-space"),
        pytest.param(b'{"a":1}\xc2\xa0', id="B3-no-break-space-is-not-white-space"),
        pytest.param(b'\x0c{"a":1}', id="B3-form-feed-is-not-white-space"),
        pytest.param(b'{"a":1', id="B3-cut-off"),
        pytest.param(b'{"a":1,}', id="B3-trailing-comma"),
        pytest.param(b"{a:1}", id="B3-bare-name"),
        pytest.param(b"{'a':1}", id="B3-single-quotes"),
        pytest.param(b'{1:"a"}', id="B3-number-as-name"),
        pytest.param(b'{"a":1/**/}', id="B3-comment"),
        pytest.param(b'{"a":01}', id="B3-leading-zero"),
        pytest.param(b'{"a":+1}', id="B3-plus-sign"),
        pytest.param(b'{"a":.5}', id="B3-no-integer-part"),
        pytest.param(b'{"a":1.}', id="B3-no-fraction"),
        pytest.param(b'{"a":0x10}', id="B3-hex"),
        pytest.param(b'{"a":1_000}', id="B3-underscore"),
        pytest.param('{"a":٣}'.encode(), id="B3-arabic-digit"),
        pytest.param(b'{"a":True}', id="B3-python-true"),
        pytest.param(b'{"a":"\n"}', id="B3-raw-control-character"),
        pytest.param(b'{"a":"\x00"}', id="B3-raw-nul"),
        pytest.param(b'{"a":"\\x41"}', id="B3-unknown-escape"),
        pytest.param(b'{"a":"\\u12"}', id="B3-short-escape"),
        pytest.param(b'{"a":"\\u 12a"}', id="B3-space-in-escape"),
        pytest.param(b'{"a":"\\u+123"}', id="B3-sign-in-escape"),
        pytest.param(b"\xef\xbb\xbf" + b'{"a":1}', id="B3-byte-order-mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="B3-utf-16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), id="B3-utf-16-without-mark"),
        pytest.param('{"a":1}'.encode("utf-32"), id="B3-utf-32"),
        pytest.param(b'{"a":"\xff"}', id="B3-not-utf-8"),
        pytest.param(b'{"a":"\xc0\xaf"}', id="B3-overlong-utf-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="B3-surrogate-in-utf-8"),
        pytest.param(b'{"a":"\\ud800"}', id="lone-high-surrogate"),
        pytest.param(b'{"a":"\\uDC00"}', id="lone-low-surrogate"),
        pytest.param(b'{"a":"\\udc00\\ud800"}', id="surrogates-in-the-wrong-order"),
        pytest.param(b'{"\\ud800":1}', id="lone-surrogate-in-a-name"),
        pytest.param(b'{"a":{"b":["\\udfff"]}}', id="lone-surrogate-nested"),
        pytest.param(b'{"a":"\\ud83d\\ude00\\ud83d"}', id="lone-surrogate-after-a-pair"),
        pytest.param(b'{"a":NaN}', id="C9-nan"),
        pytest.param(b'{"a":Infinity}', id="C9-infinity"),
        pytest.param(b'{"a":-Infinity}', id="C9-minus-infinity"),
        pytest.param(b'{"a":[{"b":NaN}]}', id="C9-nan-nested"),
        pytest.param(b'{"\\u0061":NaN}', id="C9-nan-beside-an-escape"),
        pytest.param(b'{"a":1e400}', id="C9-1e400-is-infinity"),
        pytest.param(b'{"a":-1e400}', id="C9-minus-1e400"),
        pytest.param(b'{"\\u0061":[1e999999]}', id="C9-1e999999-beside-an-escape"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="CVE-2026-85473-5000-digits"),
        pytest.param(b'{"a":1,"a":1}', id="B4-twice"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="B4-twice-by-an-escape"),
        pytest.param(b'{"x":{"a":1,"a":2}}', id="B4-twice-nested"),
        pytest.param(b'{"x":[{"a":1,"b":"\\n","a":2}]}', id="B4-twice-in-a-list-beside-an-escape"),
        pytest.param(b'{"":1,"":2}', id="B4-twice-the-empty-name"),
        pytest.param(b'{"a":"","a":"","b":"x"}', id="B4-twice-among-empty-strings"),
    ],
)
def test_ambiguous_or_odd_json_is_refused(text: bytes) -> None:
    """JSON that two parsers could read differently, or that is no object in UTF-8, is refused without detail of it."""
    with pytest.raises(InvalidToken, match="not one JSON object") as caught:
        jws.parse(text)
    assert caught.value.reason is Reason.MALFORMED
    assert caught.value.__context__ is None, "the parser's own exception quotes the text"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b"{}", {}, id="empty-object"),
        pytest.param(b" \t\r\n{ } \n", {}, id="white-space-around"),
        pytest.param(b'{"a":"\\"a\\":1"}', {"a": '"a":1'}, id="quotes-inside-a-string"),
        pytest.param(b'{"a":"{[{["}', {"a": "{[{["}, id="brackets-inside-a-string"),
        pytest.param(b'{"a":"' + b"[" * 5000 + b'"}', {"a": "[" * 5000}, id="many-brackets-inside-a-string"),
        pytest.param(b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}, id="surrogate-pair"),
        pytest.param(b'{"a":"\\\\ud800"}', {"a": "\\ud800"}, id="escaped-backslash-before-ud800"),
        pytest.param('{"a":"\U0001f600é"}'.encode(), {"a": "\U0001f600é"}, id="raw-utf-8"),
        pytest.param(b'{"a":1,"A":2}', {"a": 1, "A": 2}, id="B27-names-differ-by-case"),
        pytest.param('{"\u00e9":1,"e\u0301":2}'.encode(), {"\u00e9": 1, "e\u0301": 2}, id="B27-no-normalisation"),
        pytest.param(b'{"a":{"a":{"a":1}}}', {"a": {"a": {"a": 1}}}, id="same-name-at-other-depths"),
        pytest.param(b'{"a":1e308,"b":-0.0,"c":1E+2}', {"a": 1e308, "b": -0.0, "c": 100.0}, id="large-but-finite"),
        pytest.param(b'{"a":1e-400}', {"a": 0.0}, id="underflow-is-zero"),
        pytest.param(b'{"a":' + b"9" * 400 + b"}", {"a": 10**400 - 1}, id="400-digits-are-an-integer"),
        pytest.param(b'{"a":null,"b":[null,true]}', {"a": None, "b": (None, True)}, id="null-and-true"),
    ],
)
def test_unusual_but_plain_json_is_read(text: bytes, value: dict[str, Any]) -> None:
    """What is legal and means one thing is not refused."""
    assert jws.parse(text) == value


def nested(depth: int, kind: str) -> bytes:
    """Return an object whose innermost container stands at `depth`, the object itself being at 1."""
    inside = depth - 1
    if kind == "arrays":
        return b'{"a":' + b"[" * inside + b"]" * inside + b"}"
    if kind == "objects":
        return b'{"a":' * inside + b"{}" + b"}" * inside
    assert kind == "beside an escape"
    return b'{"\\u0062":1,"a":' + b"[" * inside + b"]" * inside + b"}"


KINDS = ("arrays", "objects", "beside an escape")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [2, 63, 64])
def test_nesting_up_to_the_bound_is_read(depth: int, kind: str) -> None:
    """Sixty-four levels are more than any claim needs, and are read."""
    assert jws.parse(nested(depth, kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [65, 66, 200, 900, 1100, 3_000, 11_000])
def test_nesting_past_the_bound_is_refused(depth: int, kind: str) -> None:
    """CVE-2026-102265: nesting is refused like any other odd text, it never becomes a RecursionError."""
    with pytest.raises(InvalidToken) as caught:
        jws.parse(nested(depth, kind))
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("depth", [65, 3_000, 11_000])
def test_brackets_that_never_close_are_refused(opening: bytes, depth: int) -> None:
    """A flood of opening brackets is refused, not followed."""
    with pytest.raises(InvalidToken):
        jws.parse(b'{"a":' + opening * depth)


def test_breadth_is_not_depth() -> None:
    """A thousand short lists side by side are wide, not deep."""
    value = {"a": [[] for _ in range(1000)], "b": [{"c": {}} for _ in range(100)]}
    assert jws.parse(json.dumps(value).encode()) == frozen(value)


# --- claims are read-only --------------------------------------------------------------------------------------------


@pytest.fixture
def parsed() -> Claims:
    """Claims with something at every level."""
    return jws.parse(b'{"a":{"b":{"c":[1,{"d":[2]}]}},"l":[[1],{"x":1}]}')


CHANGES = {
    "set": lambda c: c.__setitem__("x", 1),
    "delete": lambda c: c.__delitem__(next(iter(c))),
    "update": lambda c: c.update(x=1),
    "or-equals": lambda c: c.__ior__({"x": 1}),
    "pop": lambda c: c.pop("x", None),
    "popitem": lambda c: c.popitem(),
    "clear": lambda c: c.clear(),
    "setdefault": lambda c: c.setdefault("x", 1),
    "attribute": lambda c: setattr(c, "x", 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("path", [(), ("a",), ("a", "b"), ("a", "b", "c", 1), ("l", 1)], ids=str)
def test_claims_cannot_be_changed_at_any_depth(parsed: Claims, path: tuple[Any, ...], change: Any) -> None:
    """What one request reads, the next one finds unchanged: every way to write to a dict is closed, at every level."""
    target: Any = parsed
    for step in path:
        target = target[step]
    before = json.dumps(parsed)
    with pytest.raises((TypeError, AttributeError)):
        change(target)
    assert json.dumps(parsed) == before


def test_claims_are_json(parsed: Claims) -> None:
    """`json.dumps` takes claims as they are, with and without its C encoder."""
    expected = '{"a": {"b": {"c": [1, {"d": [2]}]}}, "l": [[1], {"x": 1}]}'
    assert json.dumps(parsed) == expected
    assert json.loads(json.dumps(parsed, indent=1)) == json.loads(expected)


def test_claims_can_be_pickled_and_copied(parsed: Claims) -> None:
    """Copies by pickle and copy are equal and as read-only as the original; `dict()` makes one to change."""
    for copied in (pickle.loads(pickle.dumps(parsed)), copy.copy(parsed), copy.deepcopy(parsed)):
        assert copied == parsed
        assert_read_only(copied)
    mine = dict(parsed)
    mine["x"] = 1
    assert "x" not in parsed


@settings(max_examples=50)
@given(_objects)
def test_any_claims_survive_json_and_pickle(value: dict[str, Any]) -> None:
    """Whatever was accepted can be written again: as JSON (no NaN, no surrogate in it) and by pickle."""
    found = jws.parse(json.dumps(value).encode())
    assert json.loads(json.dumps(found, allow_nan=False).encode("utf-8")) == value
    assert pickle.loads(pickle.dumps(found)) == found
