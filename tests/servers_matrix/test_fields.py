"""Header fields that only a socket can send: doubled, folded, misspelled, full of control characters.

Every test here is named by the row of `rows.py` that it shows.
"""

from __future__ import annotations

import pytest

from tests.servers import eventually
from tests.servers_matrix.outcomes import ADA, BAD_REQUEST, NOBODY, REFUSED, others, outcomes, raw_outcomes
from tests.servers_matrix.sites import Site, parsers
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import Headers, bearer, request

long = pytest.mark.long


# --- R1: duplicate Authorization -------------------------------------------------------------------------------------


@parsers()
@pytest.mark.parametrize("path", ["/me", "/maybe", "/feed", "/nowhere"])
def test_r1_duplicate_authorization(site: Site, path: str) -> None:
    """Equal, different, empty, in another case, of another scheme, three: 400, also where a token is optional."""
    good, eve = f"Bearer {token('ada')}", f"Bearer {token('eve')}"
    values = {
        "identical": [good, good],
        "two users": [good, eve],
        "three": [good, good, good],
        "empty first": ["", good],
        "empty last": [good, ""],
        "basic first": ["Basic YWRhOnB3", good],
        "basic last": [good, "Basic YWRhOnB3"],
        "malformed last": [good, "Bearer"],
        "comma": [good, ","],
    }
    cases: dict[str, Headers] = {name: [("Authorization", one) for one in two] for name, two in values.items()}
    cases["another case"] = [("authorization", good), ("AUTHORIZATION", good)]
    cases["far apart"] = [("Authorization", good), *((f"X-{n}", "x") for n in range(20)), ("Authorization", good)]
    found = outcomes(site, cases, path)
    assert found == dict.fromkeys(cases, "400 invalid_request")


@parsers()
def test_r1_duplicates_of_another_scheme(site: Site) -> None:
    """Two credentials that are none of ours are no credential."""
    two = [("Authorization", "Basic YWRhOnB3"), ("Authorization", "Basic ZXZlOnB3")]
    assert site.ask("GET", "/me", two).outcome == "401 unauthorized"
    assert site.ask("GET", "/maybe", two).outcome == "app: nobody GET /maybe"


@parsers()
def test_r1_duplicates_on_an_exempt_path(site: Site) -> None:
    """Nothing is looked at there, so nothing is refused, and nobody is anybody."""
    assert site.ask("GET", "/public", bearer(token("ada")) * 2).outcome == NOBODY


# --- R2: not exactly one scheme, one space, one token ----------------------------------------------------------------


@parsers()
def test_r2_malformed_with_a_good_token(site: Site) -> None:
    """The token in it would be good: what stands around it is not, so it is 400."""
    good, eve = token("ada"), token("eve")
    forms = [
        "Bearer\t{0}", "Bearer  {0}", "Bearer \t{0}", 'Bearer "{0}"', "Bearer '{0}'", "Bearer <{0}>", "Bearer: {0}",
        "Bearer={0}", 'Bearer token="{0}"', "Bearer {0},", "Bearer ,{0}", ",Bearer {0}", "Bearer {0},{1}",
        "Bearer {0}, Bearer {1}", "Bearer {0} {1}", "Bearer {0} Bearer {1}", "Bearer Bearer {0}", "Bearer {0}; x=y",
        "Basic YWRhOnB3, Bearer {0}", "Bearer {0}, Basic YWRhOnB3", "Bearer {0} x", "Bearer ={0}", "Bearer {0}%20",
        "Bearer\\t{0}", "Bearer/{0}", "bearer\t{0}", "Bearer ({0})",
    ]  # fmt: skip
    found = outcomes(site, {form: [("Authorization", form.format(good, eve))] for form in forms})
    assert others(found, {"400 invalid_request"}) == {}


@parsers()
def test_r2_white_space_around_the_value(site: Site) -> None:
    """RFC 9110 section 5.5: it is not part of the value. What a server leaves on is 400, not somebody else."""
    good = token("ada")
    cases = {repr(form): "Authorization:" + form.format(f"Bearer {good}") for form in ("{}", " \t {}", "{} ", "{}\t ")}
    assert others(raw_outcomes(site, cases), {ADA, "400 invalid_request"}) == {}
    assert raw_outcomes(site, {"none": f"Authorization:Bearer {good}"}) == {"none": ADA}


# --- R3: other schemes -----------------------------------------------------------------------------------------------


@parsers()
def test_r3_other_schemes(site: Site) -> None:
    """A good token under another scheme, or under none, is no credential: 401 without an error."""
    good = token("ada")
    forms = [
        "Basic {}", "Token {}", "JWT {}", "DPoP {}", "Digest {}", "Negotiate {}", "MAC {}", "Bearer2 {}", "XBearer {}",
        "Bearer-{}", "Bearer%20{}", "Bearer+{}", "Bearer.{}", "Beare r {}", "Bear {}", "{}", "token {}", "OAuth {}",
    ]  # fmt: skip
    cases: dict[str, Headers] = {form: [("Authorization", form.format(good))] for form in forms}
    assert others(outcomes(site, cases), {"401 unauthorized"}) == {}
    assert others(outcomes(site, cases, "/maybe"), {"app: nobody GET /maybe"}) == {}


@parsers()
def test_r3_look_alikes(site: Site) -> None:
    """Letters that look like `Bearer`, or that some tables fold into it, are another scheme."""
    good = token("ada").encode()
    looks = ["Веаrеr ", "Ｂearer ", "Bеarer ", "ʙearer ", "BEAREŘ ", "Bearer\u2003", "Bearer\u00a0", "\ufeffBearer "]
    cases = {look: b"Authorization: " + look.encode() + good for look in looks}
    cases |= {
        f"{look} in latin-1": f"Authorization: {look}".encode("latin-1") + good for look in ("Bëarer ", "ßearer ")
    }
    # granian's WSGI hands over an empty value for what is not ASCII: then it is 400.
    assert others(raw_outcomes(site, cases), REFUSED) == {}


# --- R4: a token elsewhere -------------------------------------------------------------------------------------------

NAMES = [
    "Proxy-Authorization", "X-Authorization", "X_Authorization", "Authorization_", "_Authorization", "Authorization-",
    "-Authorization", "X-Forwarded-Authorization", "HTTP_AUTHORIZATION", "HTTP-Authorization", "Http_Authorization",
    "Redirect-HTTP-Authorization", "REDIRECT_HTTP_AUTHORIZATION", "Authori_zation", "Authori-zation", "Authorisation",
    "X-Access-Token", "X-Auth-Token", "Access-Token", "X-JWT-Assertion", "Token", "Bearer", "WWW-Authenticate",
    "Authentication", "X-Original-Authorization", "Sec-WebSocket-Protocol",
]  # fmt: skip


@parsers()
def test_r4_other_fields(site: Site) -> None:
    """By no other name, underscores included: neither alone nor beside a token of somebody else."""
    good, eve = bearer(token("ada")), f"Bearer {token('eve')}"
    assert others(outcomes(site, {name: [(name, eve)] for name in NAMES}), {"401 unauthorized"}) == {}
    assert others(outcomes(site, {name: [(name, eve), *good] for name in NAMES}), {ADA}) == {}


@parsers()
def test_r4_names_that_are_no_names(site: Site) -> None:
    """White space, control characters and high bytes in a field's name: refused, or another field."""
    value = f"Bearer {token('eve')}".encode()
    names = [
        b"Authorization ", b"Authorization\t", b" Authorization", b"\tAuthorization", b"Authorization\x00",
        b"\x00Authorization", b"Authorization\xa0", b"\xc4uthorization", "authorızation".encode(), b"(Authorization)",
        "Ａuthorization".encode(), b'"Authorization"', b"Authorization\x0b", b"", b"Authorization::",
    ]  # fmt: skip
    assert others(raw_outcomes(site, {repr(name): name + b": " + value for name in names}), REFUSED) == {}


@parsers()
def test_r4_query_body_and_cookie(site: Site) -> None:
    """Not in the query under any name, not in a cookie, not in a form, not in JSON."""
    good = token("ada")
    for name in ("access_token", "token", "jwt", "authorization", "Authorization", "bearer", "id_token"):
        assert site.ask("GET", f"/me?{name}={good}").outcome == "401 unauthorized", name
        assert site.ask("GET", f"/me?{name}=Bearer%20{good}").outcome == "401 unauthorized", name
        assert (
            site.ask("GET", "/me", [("Cookie", f"{name}={good}; __Host-{name}={good}")]).outcome == "401 unauthorized"
        )
        body = f"{name}={good}".encode()
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json"):
            assert site.ask("POST", "/upload", [("Content-Type", kind)], body).outcome in REFUSED, kind
    assert site.ask("GET", f"/maybe?access_token={good}").outcome == "app: nobody GET /maybe"


@parsers()
def test_r4_trailer(site: Site) -> None:
    """A token after the body comes too late, but for uvicorn with httptools: it takes trailers for headers."""
    body = b"2\r\nab\r\n0\r\nAuthorization: Bearer %s\r\n\r\n"
    late, early = body % token("eve").encode(), f"Authorization: Bearer {token('ada')}"
    alone = site.knock(request("POST /upload HTTP/1.1", "Transfer-Encoding: chunked", body=late)).outcome
    # What the app makes of it is its own matter: under gunicorn, reading such a body fails.
    both = request("POST /upload HTTP/1.1", early, "Transfer-Encoding: chunked", body=late)
    beside = site.knock(both, may_fail=True).outcome
    if site.server == "uvicorn-httptools":
        assert (alone, beside) == ("app: eve POST /upload", "400 invalid_request")
    else:
        assert alone in REFUSED
        assert beside in {"app: ada POST /upload", *BAD_REQUEST}


# --- R5: high bytes and control characters ---------------------------------------------------------------------------

ODD = sorted({*range(256)} - {*b"\t\n\r "} - {*range(0x21, 0x7F)})
SAMPLE = [0x00, 0x01, 0x0B, 0x0C, 0x1B, 0x1C, 0x1F, 0x7F, 0x80, 0x85, 0xA0, 0xAD, 0xC3, 0xE9, 0xFE, 0xFF]


@parsers()
@pytest.mark.parametrize("odd", [pytest.param(SAMPLE, id="sample"), pytest.param(ODD, id="all", marks=long)])
def test_r5_odd_bytes(site: Site, odd: list[int]) -> None:
    """Before the scheme, between it and the token, in the token and after it: refused, and nothing breaks."""
    good = token("ada").encode()
    forms = (b"\xffBearer \xff%s", b"\xffBearer %s", b"Bearer\xff%s", b"Bearer \xff%s", b"Bearer %s\xff")
    for form in forms:
        cases = {f"{byte:02x}": b"Authorization: " + form.replace(b"\xff", bytes([byte])) % good for byte in odd}
        assert others(raw_outcomes(site, cases), REFUSED) == {}, form
    assert site.ask("GET", "/me", bearer(good.decode())).outcome == ADA


@parsers()
def test_r5_odd_bytes_where_a_token_is_optional(site: Site) -> None:
    """Our scheme with rubbish behind it is a mistake there too, and not the absence of a token."""
    good = token("ada").encode()
    cases = {
        repr(tail): b"Authorization: Bearer " + tail
        for tail in (b"\xff", good + b"\xff", good + b"\xa0", b"\xe2\x82\xac")
    }
    assert others(raw_outcomes(site, cases, "/maybe"), BAD_REQUEST) == {}


# --- R6: line folding and other ends of lines ------------------------------------------------------------------------


@parsers()
def test_r6_folded_credential(site: Site) -> None:
    """Whatever a server makes of a fold is held against the one form; nobody but the token's user comes of it."""
    good = token("ada")
    cases = {
        "after the scheme": f"Authorization: Bearer\r\n {good}",
        "by a tab": f"Authorization: Bearer\r\n\t{good}",
        "before the scheme": f"Authorization:\r\n Bearer {good}",
        "twice": f"Authorization:\r\n \r\n Bearer {good}",
    }
    assert others(raw_outcomes(site, cases), {ADA, *BAD_REQUEST}) == {}


@parsers()
def test_r6_folds_that_hide_something(site: Site) -> None:
    """In the middle of a token, two credentials in one, one field inside another: refused."""
    good, eve = token("ada"), token("eve")
    cases = {
        "inside the token": f"Authorization: Bearer {good[:60]}\r\n {good[60:]}",
        "two credentials": f"Authorization: Bearer {good}\r\n Bearer {eve}",
        "two fields": f"Authorization: Bearer {good}\r\n Authorization: Bearer {eve}",
        "in another field": f"X-A: b\r\n Authorization: Bearer {eve}",
        "in another field by a tab": f"X-A: b\r\n\tAuthorization: Bearer {eve}",
    }
    assert others(raw_outcomes(site, cases), REFUSED) == {}
    first = request("GET /me HTTP/1.1\r\n Authorization: Bearer " + eve)
    assert site.knock(first).outcome in REFUSED


@parsers()
def test_r6_bare_line_ends(site: Site) -> None:
    """A lone CR or LF ends a line, or the request; it never lets a second credential slip in."""
    good, eve = token("ada"), token("eve")
    cases = {
        "cr in the token": f"Authorization: Bearer {good}\rX: y",
        "lf and a second": f"Authorization: Bearer {good}\nAuthorization: Bearer {eve}",
        "cr and a second": f"Authorization: Bearer {good}\rAuthorization: Bearer {eve}",
        "cr in another field": f"X-A: b\rAuthorization: Bearer {eve}",
    }
    assert others(raw_outcomes(site, cases), REFUSED) == {}
    lone = raw_outcomes(site, {"lf": f"X-A: b\nAuthorization: Bearer {good}"})
    assert others(lone, {ADA, *REFUSED}) == {}


# --- R8: headers that look like an identity --------------------------------------------------------------------------

IDENTITIES = [
    "Remote-User", "Remote_User", "REMOTE_USER", "REMOTE-USER", "remote_user", "HTTP_REMOTE_USER", "Http-Remote-User",
    "X-Remote-User", "X_Remote_User", "X-User", "X_User", "User", "X-Auth-User", "X_Auth_User", "X-Forwarded-User",
    "X-Forwarded-Email", "X-Authenticated-User", "X-WEBAUTH-USER", "X-Amzn-Oidc-Identity", "Cf-Access-User", "From",
    "Auth-Type", "AUTH_TYPE", "Auth_Type", "jwt_middleware.user", "jwt-middleware.user", "HTTP_JWT_MIDDLEWARE.USER",
    "jwt_middleware_user", "wsgi.user", "X-JWT-Sub", "X-Token-Subject", "X-SSL-Client-S-DN", "Ssl-Client-S-Dn",
]  # fmt: skip


@parsers()
def test_r8_identity_headers(site: Site) -> None:
    """None of them makes anybody the user: not on an exempt or optional path, not beside a token, not alone."""
    every = [(name, "eve") for name in IDENTITIES]
    cases: dict[str, Headers] = {name: [(name, "eve")] for name in IDENTITIES}
    assert others(outcomes(site, cases), {"401 unauthorized"}) == {}
    for path, extra, name in (("/public", [], ""), ("/maybe", [], ""), ("/me", bearer(token("ada")), "ada")):
        for headers in [*cases.values(), every]:
            seen = site.ask("GET", path, [*headers, *extra, *headers]).seen
            assert seen is not None, headers
            assert seen["user"] == name, headers
            assert_own_keys(site, seen)


def assert_own_keys(site: Site, seen: dict[str, object]) -> None:
    """Check that an environ, or a scope, holds our word on the user, and nobody else's."""
    name = seen["user"]
    if site.world == "asgi":
        assert seen["scopes"] == (["authenticated", "read"] if name else [])
        return
    assert (seen.get("REMOTE_USER"), seen.get("AUTH_TYPE")) == ((name, "Bearer") if name else (None, None))
    assert seen["keys"] == ["jwt_middleware.user"]


# --- R18: log injection ----------------------------------------------------------------------------------------------


@parsers()
def test_r18_forged_log_lines(site: Site) -> None:
    """Line ends and escapes in the path and in a claim are written out, so that no line is the client's own."""
    forged = "401 GET /forged-line wrong_audience: all is well"
    bad = token(aud=f"forged\n{forged}\x1b[2J\u2028{forged}" + "x" * 1000)
    for ends in ("%0d%0a", "%0a", "%e2%80%a8", "%1b%5b2J%0b"):
        site.knock(request(f"GET /forged{ends}{forged.replace(' ', '%20')} HTTP/1.1", f"Authorization: Bearer {bad}"))
    eventually(lambda: site.process.stderr().count("wrong_audience: token has aud=['forged") == 4, 10)
    written = site.process.output()
    assert not [line for line in written.splitlines() if line.strip().startswith("401 GET /forged-line")]
    assert "\x1b[2J" not in written
    assert max(len(line) for line in site.process.stderr().splitlines() if "aud=['forged" in line) < 1000
    assert bad.rpartition(".")[2] not in written
