"""Where one request ends and the next begins: a refusal must not leave anything on the connection that becomes one.

Every test here is named by the row of `rows.py` that it shows.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers_matrix.outcomes import ADA, REFUSED, others
from tests.servers_matrix.sites import Site, parsers
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import Wire, bearer, request

long = pytest.mark.long

EVE = "app: eve GET /me"
# What a server may say on its own to a request that it does not understand.
OWN = {f"server: {status}" for status in (400, 405, 408, 411, 413, 414, 417, 426, 431, 501, 505)} | {"server: closed"}


def inner() -> bytes:
    """Return a request that must be read as a body, and never as a request."""
    return request("GET /me HTTP/1.1", f"Authorization: Bearer {token('eve')}")


def last() -> bytes:
    """Return a request after which the server closes, so that a test can read to the end."""
    return request("GET /me HTTP/1.1", f"Authorization: Bearer {token('ada')}", "Connection: close")


def conversation(site: Site, *sent: bytes, may_fail: bool = False) -> list[str]:
    """Send everything at once; return what became of each request, until the server closes."""
    with site.wire(may_fail=may_fail) as wire:
        return list(_answers(wire, b"".join(sent)))


def _answers(wire: Wire, data: bytes) -> Iterator[str]:
    try:
        wire.write(data)
        method = data.partition(b" ")[0].decode()
        while True:
            yield wire.answer(method).outcome
            method = "GET"
    except ConnectionError:
        return


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """Frame a body as one chunk."""
    return b"%x%s\r\n%s\r\n0\r\n\r\n" % (len(data), extension, data)


# --- R21: pipelining, unread bodies, bad framing ---------------------------------------------------------------------

FORGED = token(key="x" * 40)
REFUSALS = {
    "no token": ([], "401 unauthorized"),
    "forged": ([f"Authorization: Bearer {FORGED}"], "401 invalid_token"),
    "malformed": (["Authorization: Bearer a b"], "400 invalid_request"),
}


@parsers()
@pytest.mark.parametrize("kind", REFUSALS)
def test_r21_unread_body(site: Site, kind: str) -> None:
    """The body of a refused request is not the next request, however it is framed, sent in one piece with the next."""
    fields, refusal = REFUSALS[kind]
    body = inner()
    framings = {
        "length": request("POST /upload HTTP/1.1", *fields, f"Content-Length: {len(body)}", body=body),
        "chunks": request("POST /upload HTTP/1.1", *fields, "Transfer-Encoding: chunked", body=chunk(body)),
        "many": request("POST /upload HTTP/1.1", *fields, f"Content-Length: {len(body) * 300}", body=body * 300),
        "get": request("GET /me HTTP/1.1", *fields, f"Content-Length: {len(body)}", body=body),
        "head": request("HEAD /me HTTP/1.1", *fields, f"Content-Length: {len(body)}", body=body),
        "extension": request("POST /upload HTTP/1.1", *fields, "Transfer-Encoding: chunked", body=chunk(body, b";a=b")),
    }  # fmt: skip
    for name, first in framings.items():
        found = conversation(site, first, last())
        # Closing is safe as well; with much left unread, TCP may lose our answer on the way.
        assert found in ([refusal, ADA], [refusal]) or (name == "many" and found == []), name


@parsers()
def test_r21_body_of_a_missing_role(site: Site) -> None:
    """The same for 403."""
    body, good = inner(), f"Authorization: Bearer {token('ada')}"
    first = request("POST /admin/users HTTP/1.1", good, f"Content-Length: {len(body)}", body=body)
    assert conversation(site, first, last()) in (["403 insufficient_scope", ADA], ["403 insufficient_scope"])


@parsers()
def test_r21_pipelined_requests(site: Site) -> None:
    """Requests sent at once are each answered for themselves, in order, or not at all."""
    one = {
        "app: eve GET /me": inner(),
        "401 unauthorized": request("GET /me HTTP/1.1"),
        "app: nobody GET /public": request("GET /public HTTP/1.1"),
        "401 invalid_token": request("GET /me HTTP/1.1", f"Authorization: Bearer {FORGED}"),
        "400 invalid_request": request("GET /me HTTP/1.1", "Authorization: Bearer"),
    }
    order = [*one, *reversed(one), *one]
    found = conversation(site, *(one[name] for name in order), last())
    assert found == [*order, ADA][: len(found)]
    assert len(found) == (1 if site.server == "gunicorn-sync" else len(order) + 1)  # it closes after each


@parsers()
def test_r21_bad_framing(site: Site) -> None:
    """Lengths and codings that are none, or contradict each other, end the conversation."""
    body = inner()
    length = len(body)
    fields = {
        "plus": [f"Content-Length: +{length}"], "hex": [f"Content-Length: {length:#x}"],
        "negative": ["Content-Length: -1"], "underscore": ["Content-Length: 1_0"], "empty": ["Content-Length:"],
        "space": [f"Content-Length : {length}"], "two lengths": ["Content-Length: 0", f"Content-Length: {length}"],
        "two lengths turned": [f"Content-Length: {length}", "Content-Length: 0"],
        "coding and a space": ["Transfer-Encoding : chunked"], "unknown coding": ["Transfer-Encoding: xchunked"],
        "coding not last": ["Transfer-Encoding: chunked, identity"], "vertical tab": ["Transfer-Encoding: \x0bchunked"],
        "arabic digits": ["Content-Length: ١٠".encode()],
    }  # fmt: skip
    for name, given in fields.items():
        found = conversation(site, request("POST /upload HTTP/1.1", *given, body=body), last(), may_fail=True)
        assert EVE not in found, name
        assert others(dict(enumerate(found[:1])), OWN | REFUSED) == {}, name


@parsers()
def test_r21_bad_chunks(site: Site) -> None:
    """Chunks that are none end the conversation too, after our refusal or before."""
    body = inner()
    length = len(body)
    bodies = {
        "no size": b"zz\r\n%s\r\n0\r\n\r\n" % body, "prefix": b"0x%x\r\n%s\r\n0\r\n\r\n" % (length, body),
        "underscore": b"1_0\r\n%s\r\n0\r\n\r\n" % body, "bare line ends": b"0\n\n%s" % body,
        "line end in an extension": b"%x;a\nb\r\n%s\r\n0\r\n\r\n" % (length, body),
        "too short": b"%x\r\n%s\r\n0\r\n\r\n" % (length - 1, body), "negative": b"-1\r\n%s\r\n0\r\n\r\n" % body,
    }  # fmt: skip
    for name, given in bodies.items():
        first = request("POST /upload HTTP/1.1", "Transfer-Encoding: chunked", body=given)
        found = conversation(site, first, last())
        assert EVE not in found, name
        assert others(dict(enumerate(found[:1])), OWN | REFUSED) == {}, name


@parsers()
@pytest.mark.parametrize("turned", [False, True], ids=["length-first", "coding-first"])
def test_r21_length_and_coding(site: Site, turned: bool) -> None:
    """RFC 9112 section 6.3: the coding wins, or the request is refused; and whoever speaks next is who it says."""
    body = b"0\r\n\r\n" + inner()
    fields = [f"Content-Length: {len(body)}", "Transfer-Encoding: chunked"]
    found = conversation(site, request("POST /upload HTTP/1.1", *fields[:: -1 if turned else 1], body=body), last())
    assert found in (["server: 400"], ["401 unauthorized"], ["401 unauthorized", EVE, ADA])


@parsers()
def test_r21_early_end(site: Site) -> None:
    """A client that promises a body and leaves does no harm; the next one is served."""
    for fields in (["Content-Length: 1000"], ["Transfer-Encoding: chunked"]):
        with site.wire() as wire:
            wire.write(request("POST /upload HTTP/1.1", *fields, body=b"5\r\nab"))
    assert site.ask("GET", "/me", bearer(token("ada"))).outcome == ADA
    assert site.ask("GET", "/me").outcome == "401 unauthorized"


# --- R21: Expect: 100-continue ---------------------------------------------------------------------------------------


@parsers()
@pytest.mark.parametrize("kind", REFUSALS)
def test_r21_expect_with_a_bad_token(site: Site, kind: str) -> None:
    """Who asks first is refused, before the body or after it, and what comes late is not a request."""
    fields, refusal = REFUSALS[kind]
    body = inner()
    ask = request("POST /upload HTTP/1.1", *fields, "Expect: 100-continue", f"Content-Length: {len(body)}")
    with site.wire() as wire:
        wire.write(ask)
        status, headers = wire.start(final=False)
        if status == 100:
            wire.write(body)
            assert wire.answer().outcome == refusal
        else:
            assert status == int(refusal[:3])
            b"".join(wire.chunks(headers))
            wire.write_if_open(body)
        wire.write_if_open(last())
        assert list(_answers(wire, b"")) in ([ADA], [])


@parsers()
def test_r21_expect_with_a_good_token(site: Site) -> None:
    """Who asks first and may come is told to go on."""
    ask = request(
        "POST /upload HTTP/1.1", f"Authorization: Bearer {token('ada')}", "Expect: 100-continue", "Content-Length: 2"
    )
    with site.wire() as wire:
        wire.write(ask)
        assert wire.start(final=False)[0] == 100
        wire.write(b"ab")
        assert wire.answer().json()["length"] == 2


@parsers()
def test_r21_expect_something_else(site: Site) -> None:
    """An unknown expectation changes nothing for us; a server may refuse it."""
    body = inner()
    for expectation in ("200-ok", "100-continue, x", ""):
        ask = request("POST /upload HTTP/1.1", f"Expect: {expectation}", f"Content-Length: {len(body)}", body=body)
        found = conversation(site, ask, last())
        assert found in (["401 unauthorized", ADA], ["401 unauthorized"], ["server: 417"], ["server: 400"]), expectation


# --- R21: other versions of HTTP -------------------------------------------------------------------------------------


@parsers()
def test_r21_http_1_0(site: Site) -> None:
    """HTTP/1.0 has the same gate, with and without Host and keep-alive."""
    good = f"Authorization: Bearer {token('ada')}"
    for host in (None, b"localhost"):
        assert site.knock(request("GET /me HTTP/1.0", host=host)).outcome == "401 unauthorized"
        assert site.knock(request("GET /me HTTP/1.0", good, host=host)).outcome == ADA
        assert site.knock(request("GET /me HTTP/1.0", good, good, host=host)).outcome == "400 invalid_request"
        assert site.knock(request("GET /public HTTP/1.0", host=host)).outcome == "app: nobody GET /public"
        assert site.knock(request("GET /admin/users HTTP/1.0", good, host=host)).outcome == "403 insufficient_scope"
    body = inner()
    kept = request("POST /upload HTTP/1.0", "Connection: keep-alive", f"Content-Length: {len(body)}", body=body)
    assert conversation(site, kept, last()) in (["401 unauthorized", ADA], ["401 unauthorized"], ["server: 400"])
    odd = request("POST /upload HTTP/1.0", "Transfer-Encoding: chunked", body=chunk(body))
    assert conversation(site, odd, last()) in (["401 unauthorized", ADA], ["401 unauthorized"], ["server: 400"])


@parsers()
def test_r21_other_versions(site: Site) -> None:
    """Whatever version a request claims, it needs a token."""
    versions = (
        "HTTP/0.9",
        "HTTP/1.2",
        "HTTP/2.0",
        "HTTP/9.9",
        "HTTP/1.",
        "HTTP/1.1x",
        "http/1.1",
        "JWT/1.1",
        "HTTP/1.1 x",
    )
    for line in (*(f"GET /me {version}" for version in versions), "GET /me", "GET /me "):
        assert site.knock(request(line), may_fail=True).outcome in OWN | REFUSED, line
    good = f"Authorization: Bearer {token('ada')}"
    for line in ("GET /admin/users HTTP/1.2", "GET /admin/users", "GET /admin/users HTTP/2.0"):
        assert site.knock(request(line, good), may_fail=True).outcome in OWN | {"403 insufficient_scope"}, line


@parsers()
def test_r21_upgrade_to_something_else(site: Site) -> None:
    """An upgrade that nobody asked for is not a way past: h2c is refused as HTTP/1.1 was, or by the server."""
    fields = ["Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"]
    for to in ("foo/2", "TLS/1.0", "h2"):
        assert site.knock(request("GET /me HTTP/1.1", f"Upgrade: {to}", *fields)).outcome in OWN | REFUSED, to
        assert site.knock(request("CONNECT localhost:80 HTTP/1.1", f"Upgrade: {to}", *fields)).outcome in OWN | REFUSED


# --- R20: long ones --------------------------------------------------------------------------------------------------

SIZES = [7_000, 60_000, pytest.param(300_000, marks=long)]


@parsers()
@pytest.mark.parametrize("size", SIZES)
def test_r20_long_credentials(site: Site, size: int) -> None:
    """The server refuses it, or we do; the next request is served, and nothing was let in."""
    good = token("ada")
    values = {
        "token": "Bearer " + "a" * size, "dots": "Bearer " + "." * size, "another scheme": "Basic " + "a" * size,
        "commas": "," * size, "good and more": f"Bearer {good}" + "A" * size, "spaces": "Bearer" + " " * size + good,
        "segments": "Bearer " + "a.b." * (size // 4), "quotes": 'Bearer "' + "a" * size,
        "header": f"Bearer {'e' * size}.e30.x",
    }  # fmt: skip
    found = {
        name: site.knock(request("GET /me HTTP/1.1", f"Authorization: {value}")).outcome
        for name, value in values.items()
    }
    assert others(found, {"401 invalid_token", "server: 431", "server: closed", *REFUSED}) == {}
    assert site.ask("GET", "/me", bearer(good)).outcome == ADA


@parsers()
@pytest.mark.parametrize("size", SIZES)
def test_r20_long_everything_else(site: Site, size: int) -> None:
    """Targets, methods, names and hosts."""
    long_one = "a" * size
    spoken = {
        "path": request(f"GET /{long_one} HTTP/1.1"), "slashes": request(f"GET {'/' * size} HTTP/1.1"),
        "dots": request(f"GET /open{'/..' * (size // 3)} HTTP/1.1"), "query": request(f"GET /me?{long_one} HTTP/1.1"),
        "encoded": request(f"GET /open{'/%2e%2e' * (size // 7)} HTTP/1.1"),
        "method": request(f"{long_one} /me HTTP/1.1"), "version": request(f"GET /me HTTP/1.1{long_one}"),
        "host": request("GET /me HTTP/1.1", host=long_one.encode()),
        "name": request("GET /me HTTP/1.1", f"X-{long_one}: b"),
    }  # fmt: skip
    found = {name: site.knock(data, may_fail=True).outcome for name, data in spoken.items()}
    assert others(found, OWN | REFUSED) == {}


@parsers()
@pytest.mark.parametrize("count", [90, 1000, pytest.param(20_000, marks=long)])
def test_r20_many_fields(site: Site, count: int) -> None:
    """Very many credentials are as wrong as two; very many other fields are the server's matter."""
    many = request("GET /me HTTP/1.1", *["Authorization: Bearer a"] * count)
    assert site.knock(many).outcome in {"400 invalid_request", "401 invalid_token", *OWN}
    many = request("GET /me HTTP/1.1", *(f"X-{number}: x" for number in range(count)))
    assert site.knock(many).outcome in {"401 unauthorized", *OWN}
