"""The same odd tokens before our verifier, PyJWT and joserfc: every difference has its reason in a reviewed table.

All three get the same keys, the same issuer, audience and clock, and no leeway. What one accepts and another refuses
must fit a row of `TABLE`; what fits none fails, and so does a row that no token needs any more. Most rows are of one
kind: we refuse what a peer lets pass. The few of the other kind, where we accept what a peer refuses, are first.
"""

from __future__ import annotations

import base64
import json
import random
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import jwt
import jwt.api_jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwk
from joserfc import jwt as joserfc_jwt

from jwt_middleware import InvalidToken, Reason
from jwt_middleware.wsgi import JWTAuth
from tests.token import odd
from tests.token.forge import AUDIENCE, ISSUER, claims, compact, dumps, private, public_pem, token
from tests.worlds import NOW, SECRET, Clock

ALGORITHMS = ("HS256", "ES256", "EdDSA", "RS256")
WEIGHTS = (12, 2, 2, 1)
SHORT, LONG = 4_000, 120_000


class _Frozen(datetime):
    """PyJWT asks `datetime.now`, and cannot be told the time."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.fromtimestamp(NOW, tz or UTC)


@pytest.fixture(autouse=True)
def same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clock for all three."""
    monkeypatch.setattr(jwt.api_jwt, "datetime", _Frozen)


@dataclass(frozen=True)
class Verdict:
    """What one of the three said: the claims it read, or why it refused."""

    claims: str | None
    reason: str = ""


class Judges:
    """The three verifiers of one algorithm."""

    def __init__(self, alg: str) -> None:
        self.alg = alg
        key: dict[str, Any] = {"secret_key": SECRET} if alg == "HS256" else {"public_key": public_pem(alg)}
        self._ours = JWTAuth(clock=Clock(), issuer=ISSUER, audience=AUDIENCE, leeway=0, algorithms=[alg], **key)
        self._pyjwt_key = SECRET if alg == "HS256" else private(alg).public_key()
        kind = {"HS256": jwk.OctKey, "ES256": jwk.ECKey, "EdDSA": jwk.OKPKey, "RS256": jwk.RSAKey}[alg]
        self._joserfc_key: Any = kind.import_key(next(iter(key.values())))
        self._registry = joserfc_jwt.JWTClaimsRegistry(
            now=int(NOW),
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
        )

    def judge(self, text: str) -> dict[str, Verdict]:
        """Ask all three. Ours may raise `InvalidToken` alone; a peer may raise anything, and that is a refusal."""
        try:
            user = self._ours.core.verifier.verify(text.encode())
            found = {"ours": Verdict(_canonical(user.claims))}
        except InvalidToken as error:
            found = {"ours": Verdict(None, error.reason)}
        for name, ask in (("PyJWT", self._pyjwt), ("joserfc", self._joserfc)):
            try:
                found[name] = Verdict(_canonical(ask(text)))
            except Exception as error:
                found[name] = Verdict(None, f"{type(error).__name__}: {error}")
        return found

    def _pyjwt(self, text: str) -> dict[str, Any]:
        options: Any = {"require": ["exp", "sub"]}
        return jwt.decode(
            text, self._pyjwt_key, algorithms=[self.alg], audience=AUDIENCE, issuer=ISSUER, options=options
        )

    def _joserfc(self, text: str) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joserfc calls EdDSA deprecated
            found = joserfc_jwt.decode(text, self._joserfc_key, algorithms=[self.alg])
        self._registry.validate(found.claims)
        return found.claims


def _canonical(found: Any) -> str:
    return json.dumps(found, sort_keys=True)


class View:
    """A token as the most lenient of readers would see it: this never raises, and shares no code with the library."""

    def __init__(self, text: str) -> None:
        self.token = text
        self.parts = text.split(".")

    @cached_property
    def header_text(self) -> str:
        return self._text(0)

    @cached_property
    def payload_text(self) -> str:
        return self._text(1)

    @cached_property
    def header(self) -> dict[str, Any]:
        return _lenient(self.header_text)

    @cached_property
    def claims(self) -> dict[str, Any]:
        return _lenient(self.payload_text)

    def bytes_of(self, index: int) -> bytes:
        part = self.parts[index] if index < len(self.parts) else ""
        plain = re.sub(r"[^A-Za-z0-9+/]", "", part.replace("-", "+").replace("_", "/"))
        plain = plain[:-1] if len(plain) % 4 == 1 else plain
        return base64.b64decode(plain + "=" * (-len(plain) % 4))

    def _text(self, index: int) -> str:
        return self.bytes_of(index).decode("utf-8", "surrogateescape")

    @property
    def texts(self) -> tuple[str, str]:
        return self.header_text, self.payload_text


def _lenient(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = json.loads(text.encode("utf-8", "surrogateescape"))  # finds UTF-16 and UTF-32 out by itself
        except (ValueError, RecursionError):
            return {}
    return found if isinstance(found, dict) else {}


def _members_twice(text: str) -> bool:
    twice = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.append(len(dict(found)) != len(found))
        return dict(found)

    try:
        json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return False
    return any(twice)


def _is_date(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 2**53


_Fits = Callable[[View], bool]


@dataclass(frozen=True)
class Row:
    """One reviewed class of difference.

    Attributes:
        name: what is odd about the token.
        we: `refuse` or `accept`; the peers do the other. `read` where all accept, but read other claims.
        peers: who does the other.
        why: why ours is right, or at least meant.
        fits: whether a token is of this class, told from its text alone.
        codes: the reasons that we give.
    """

    name: str
    we: str
    peers: tuple[str, ...]
    why: str
    fits: _Fits
    codes: tuple[Reason, ...] = ()


PYJWT, JOSERFC, BOTH = ("PyJWT",), ("joserfc",), ("PyJWT", "joserfc")
_KNOWN_TO_JOSERFC = {"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "b64"}
_NOT_READ = {"jku": str, "jwk": dict, "x5u": str, "x5c": list, "x5t": str, "cty": str}
_TYPES = {"jwt", "at+jwt"}
_FOREIGN = {"refresh", "refresh_token", "offline", "logout", "id", "id_token"}
_SPACE = " \t\r\n"


def _half_a_second(view: View, *names: str) -> bool:
    return any(type(view.claims.get(name)) is float and view.claims[name] % 1 for name in names)


def _fit_for_joserfc(name: str, value: Any) -> bool:
    if name in ("jku", "x5u"):
        return isinstance(value, str) and value.startswith(("http://", "https://"))
    if name == "x5c":
        return isinstance(value, list) and all(isinstance(part, str) for part in value)
    return type(value) is _NOT_READ[name]


def _are_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(part, str) for part in value))


def _odd_roles(found: dict[str, Any]) -> bool:
    realm = found.get("realm_access")
    nested = realm.get("roles", []) if isinstance(realm, dict) else []
    return not all(_are_texts(value) for value in (found.get("roles", []), found.get("role", []), nested))


def _plain_type(value: Any) -> str | None:
    return value.lower().removeprefix("application/") if isinstance(value, str) else None


def _not_utf8(text: str) -> bool:
    """UTF-16 and UTF-32 are full of zeros; what is no UTF-8 at all came out of the reader as surrogates."""
    return "\0" in text or any("\udc80" <= char <= "\udcff" for char in text)


def _not_canonical(part: str) -> bool:
    plain = (
        base64.urlsafe_b64encode(base64.urlsafe_b64decode(part + "==")).rstrip(b"=").decode()
        if _in_alphabet(part)
        else ""
    )
    return plain != part


def _in_alphabet(part: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]+", part) is not None and len(part) % 4 != 1


def _lone_surrogate(text: str) -> bool:
    try:
        dumps_back = json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return False
    return any("\ud800" <= char <= "\udfff" for char in dumps_back)


def _depth(text: str) -> int:
    return max((run.end() - run.start() for run in re.finditer(r"[\[{]+", text)), default=0)


TABLE: tuple[Row, ...] = (
    # What we accept and a peer refuses.
    Row("fraction of a second in exp", "accept", PYJWT,
        "RFC 7519 section 2 lets a NumericDate have a fraction; PyJWT cuts it off and so ends the token early.",
        lambda v: _half_a_second(v, "exp")),
    Row("header member of no standard", "accept", JOSERFC,
        "RFC 7515 section 4: what is not understood must be ignored, unless `crit` names it.",
        lambda v: not v.header.keys() <= _KNOWN_TO_JOSERFC),
    Row("header member that we do not read", "accept", JOSERFC,
        "Keys that a token brings are read nowhere, so their types are not looked at either; joserfc looks.",
        lambda v: any(name in v.header and not _fit_for_joserfc(name, v.header[name]) for name in _NOT_READ)),
    Row("header above 512 bytes", "accept", JOSERFC,
        "Certificate chains make long headers; ours is bounded by 4096 bytes, joserfc's by 512.",
        lambda v: len(v.parts[0]) > 512),
    # What all accept, and read otherwise: nothing. (A row here would need a very good reason.)
    # What we refuse and a peer lets pass: the header.
    Row("crit", "refuse", BOTH,
        "RFC 7515 section 4.1.11: an empty or repeated list and names of the standard itself are forbidden.",
        lambda v: "crit" in v.header, (Reason.UNSUPPORTED_HEADER,)),
    Row("b64", "refuse", BOTH, "RFC 7797 is not for JWTs (section 7), so its member has no business in one.",
        lambda v: "b64" in v.header, (Reason.UNSUPPORTED_HEADER,)),
    Row("zip or enc", "refuse", BOTH, "They belong to JWE: a token that has them was not meant as a JWS.",
        lambda v: "zip" in v.header or "enc" in v.header, (Reason.UNSUPPORTED_HEADER,)),
    Row("typ of another kind", "refuse", BOTH,
        "RFC 8725 section 3.11: explicit typing tells access tokens from logout, DPoP and other tokens.",
        lambda v: "typ" in v.header and _plain_type(v.header["typ"]) not in _TYPES, (Reason.WRONG_TYPE,)),
    Row("long kid", "refuse", BOTH,
        "No key of ours has a name above 256 characters, and a log should not have to hold one.",
        lambda v: len(str(v.header.get("kid", ""))) > 256, (Reason.MALFORMED,)),
    Row("header of too much structure", "refuse", BOTH, "Anybody can write a header: it is bounded before it is read.",
        lambda v: len(re.findall(r"[\[{]", v.header_text)) > 8 or bool(re.search(r"\d{64}", v.header_text)),
        (Reason.MALFORMED,)),
    # The JSON.
    Row("byte order mark or not UTF-8", "refuse", BOTH,
        "RFC 8259 section 8.1: UTF-8 without a mark; `json.loads` guesses.",
        lambda v: any(text.startswith("\ufeff") or _not_utf8(text) for text in v.texts), (Reason.MALFORMED,)),
    Row("a member twice", "refuse", BOTH,
        "RFC 7515 section 4 and RFC 7519 section 4 allow refusing; who takes the first would see another user.",
        lambda v: any(map(_members_twice, v.texts)), (Reason.MALFORMED,)),
    Row("NaN, Infinity or a number too large", "refuse", BOTH,
        "RFC 8259 section 6 knows none; 1e400 is read as infinity.",
        lambda v: any(re.search(r":-?(NaN|Infinity|1e400)", text) for text in v.texts), (Reason.MALFORMED,)),
    Row("lone surrogate", "refuse", BOTH, "RFC 8259 section 8.2: it is no text, and breaks whoever writes it out.",
        lambda v: any(map(_lone_surrogate, v.texts)), (Reason.MALFORMED,)),
    Row("deeper than 64", "refuse", BOTH, "No honest token is; recursion has taken down many a reader.",
        lambda v: _depth(v.payload_text) > 60, (Reason.MALFORMED,)),
    # The encoding.
    Row("base64url that is not canonical", "refuse", BOTH,
        "Padding, stray bits and other characters give one token many texts, which has undone text denylists.",
        lambda v: any(map(_not_canonical, v.parts)), (Reason.MALFORMED,)),
    Row("longer than 8 KiB", "refuse", BOTH, "JWT_MAX_TOKEN_BYTES.", lambda v: len(v.token) > 8192, (Reason.TOO_LONG,)),
    # The claims.
    Row("date that is no number", "refuse", PYJWT,
        "RFC 7519 section 2: PyJWT takes whatever `int()` takes: texts, booleans, Arabic digits.",
        lambda v: any(name in v.claims and type(v.claims[name]) not in (int, float) for name in ("exp", "iat", "nbf")),
        (Reason.BAD_CLAIM,)),
    Row("date beyond reason", "refuse", BOTH, "Negative, or beyond 2^53 where a double cannot count seconds any more.",
        lambda v: any(type(v.claims.get(name)) in (int, float) and not _is_date(v.claims[name])
                      for name in ("exp", "iat", "nbf")), (Reason.BAD_CLAIM,)),
    Row("fraction of a second in iat or nbf", "refuse", PYJWT,
        "Not before 10.5 is not yet valid at 10; PyJWT cuts the fraction off and is early.",
        lambda v: _half_a_second(v, "iat", "nbf"), (Reason.NOT_YET_VALID,)),
    Row("empty sub", "refuse", PYJWT, "It names nobody.", lambda v: v.claims.get("sub") == "", (Reason.BAD_CLAIM,)),
    Row("empty jti", "refuse", BOTH, "One revocation would revoke all tokens that have it.",
        lambda v: v.claims.get("jti") == "", (Reason.BAD_CLAIM,)),
    Row("sid or client_id that is no text", "refuse", BOTH,
        "OpenID Connect and RFC 9068 make them texts; a session is revoked by it.",
        lambda v: any(type(v.claims.get(name, "")) is not str for name in ("sid", "client_id")), (Reason.BAD_CLAIM,)),
    Row("scopes that are no texts", "refuse", BOTH, "RFC 8693 section 4.2; the peers know no scopes.",
        lambda v: not (_are_texts(v.claims.get("scope", "")) and _are_texts(v.claims.get("scp", ""))),
        (Reason.BAD_CLAIM,)),
    Row("roles that are no texts", "refuse", BOTH, "An app would compare them with texts; the peers know no roles.",
        lambda v: _odd_roles(v.claims), (Reason.BAD_CLAIM,)),
    Row("token for another use", "refuse", BOTH,
        "RFC 8725 section 3.11: refresh, ID and logout tokens are no access tokens.",
        lambda v: any(str(v.claims.get(name)).lower() in _FOREIGN for name in ("type", "token_type", "token_use",
        "typ"))
        or not {"at_hash", "c_hash", "events"}.isdisjoint(v.claims), (Reason.NOT_AN_ACCESS_TOKEN,)),
    Row("cnf", "refuse", BOTH, "Bound to a key that we cannot check (RFC 7800, RFC 9449): not a bearer token.",
        lambda v: "cnf" in v.claims, (Reason.SENDER_CONSTRAINED,)),
)  # fmt: skip


def differences(verdicts: dict[str, Verdict]) -> Iterator[tuple[str, str, str]]:
    """Yield `(what we do, which peer does otherwise, our reason)`."""
    ours = verdicts["ours"]
    for peer in BOTH:
        theirs = verdicts[peer]
        if ours.claims is None and theirs.claims is not None:
            yield "refuse", peer, ours.reason
        elif ours.claims is not None and theirs.claims is None:
            yield "accept", peer, ""
        elif ours.claims != theirs.claims:
            yield "read", peer, ""


def reasons(difference: tuple[str, str, str], view: View) -> list[str]:
    """Name the rows that explain a difference."""
    we, peer, code = difference
    return [
        row.name
        for row in TABLE
        if row.we == we and peer in row.peers and (not row.codes or code in row.codes) and row.fits(view)
    ]


def explained(text: str, judges: Judges) -> tuple[bool, set[str]]:
    """Judge a token thrice; fail on a difference without a row. Tell whether we accepted it, and the rows it needed."""
    verdicts, view = judges.judge(text), View(text)
    used: set[str] = set()
    for difference in differences(verdicts):
        found = reasons(difference, view)
        assert found, (
            f"no row explains {difference}: {verdicts}\n"
            f"header {view.header_text!r}\npayload {view.payload_text!r}\n{text!r}"
        )
        used.update(found)
    return verdicts["ours"].claims is not None, used


@pytest.fixture(scope="module")
def judges() -> dict[str, Judges]:
    """The three verifiers, for each algorithm."""
    return {alg: Judges(alg) for alg in ALGORITHMS}


def _sample(judges: dict[str, Judges], seeds: range) -> tuple[int, Counter[str]]:
    accepted, used = 0, Counter[str]()
    for seed in seeds:
        chance = random.Random(seed)
        alg = chance.choices(ALGORITHMS, WEIGHTS)[0]
        passed, rows = explained(odd.token(chance, alg), judges[alg])
        accepted += passed
        used.update(rows)
    return accepted, used


def test_every_difference_of_a_sample_is_explained(judges: dict[str, Judges]) -> None:
    """Four thousand odd tokens: nothing differs without a reason, and the sample is neither all good nor all bad."""
    accepted, used = _sample(judges, range(SHORT))
    assert SHORT / 8 < accepted < SHORT / 2
    assert len(used) > len(TABLE) * 3 / 4


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_every_difference_is_explained_and_every_row_needed(judges: dict[str, Judges], part: int) -> None:
    """A hundred and twenty thousand of them, and no row of the table that nothing needs any more."""
    size = LONG // 4
    accepted, used = _sample(judges, range(SHORT + part * size, SHORT + (part + 1) * size))
    assert size / 8 < accepted < size / 2
    assert {row.name for row in TABLE} == used.keys()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_near = st.integers(int(NOW) - 2, int(NOW) + 2) | st.floats(NOW - 2, NOW + 2) | _json
_header = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("typ", "kid", "crit", "b64", "jwk", "x5c", "cty", "enc", "", "x"), _json)
)
_claims = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("exp", "iat", "nbf"), _near)
    | dict.fromkeys(("sub", "iss", "aud", "jti", "sid", "scope", "roles", "cnf", "typ", "x"), _json),
)


def _found_by_hypothesis(judges: dict[str, Judges], header: dict[str, Any], changes: dict[str, Any]) -> None:
    explained(token(claims(iss=ISSUER, aud=AUDIENCE) | changes, header=header), judges["HS256"])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(_header, _claims)
def test_hypothesis_finds_no_other_difference(
    judges: dict[str, Judges], header: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Headers and claims that Hypothesis makes up, signed for real."""
    _found_by_hypothesis(judges, header, changes)


@pytest.mark.long
@settings(max_examples=4_000, deadline=None, derandomize=True)
@given(_header, _claims)
def test_hypothesis_finds_no_other_difference_in_four_thousand(
    judges: dict[str, Judges], header: dict[str, Any], changes: dict[str, Any]
) -> None:
    """The same, for longer."""
    _found_by_hypothesis(judges, header, changes)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(["header", "payload"]), st.integers(0, 200), st.binary(min_size=1, max_size=2), st.booleans())
def test_signed_bytes_of_any_kind_differ_in_known_ways(
    judges: dict[str, Judges], part: str, where: int, piece: bytes, replace: bool
) -> None:
    """A byte or two put into the JSON of header or payload before it is signed."""
    texts = {"header": dumps({"alg": "HS256", "typ": "JWT"}), "payload": dumps(claims(iss=ISSUER, aud=AUDIENCE))}
    raw = {name: text.encode() for name, text in texts.items()}
    where %= len(raw[part])
    raw[part] = raw[part][:where] + piece + raw[part][where + (len(piece) if replace else 0) :]
    explained(compact(raw["header"], raw["payload"]), judges["HS256"])


def test_a_difference_without_a_row_fails(judges: dict[str, Judges], monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine itself: take a row away, and the token that needed it is reported."""
    text = token(claims(iss=ISSUER, aud=AUDIENCE, cnf={"jkt": "x"}))
    assert explained(text, judges["HS256"]) == (False, {"cnf"})
    monkeypatch.setattr("tests.test_differential.TABLE", tuple(row for row in TABLE if row.name != "cnf"))
    with pytest.raises(AssertionError, match="no row explains"):
        explained(text, judges["HS256"])
