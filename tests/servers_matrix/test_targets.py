"""Request targets, hosts and methods as no browser sends them, against everything that is open.

Every test here is named by the row of `rows.py` that it shows.
"""

from __future__ import annotations

import pytest

from tests.servers_matrix.outcomes import ADA, REFUSED, others, outcomes
from tests.servers_matrix.sites import Site, parsers
from tests.servers_matrix.spellings import nearly, resolved_by_servers, twisted
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import Headers, bearer, request

long = pytest.mark.long

# Each kind of opening: by a setting or by a rule, exact or all below, exempt, optional or by method.
OPEN = ["/public", "/open/file", "/maybe", "/perhaps/x", "/health", "/static/x", "/feed", "/items/1"]
EXACT = ["/public", "/maybe", "/health", "/feed"]
SHORT = ("/public", "/static/x")


def paths(of: list[str]) -> pytest.MarkDecorator:
    """Tell a story of each of these paths; of most in the long suite alone."""
    return pytest.mark.parametrize("path", [pytest.param(p, marks=() if p in SHORT else long) for p in of])


def anonymous(site: Site, targets: list[str]) -> dict[str, str]:
    """Ask for each of these targets without a token; return what became of it."""
    return {target: site.knock(request(f"GET {target} HTTP/1.1")).outcome for target in targets}


# --- R9: what is open, and for whom ----------------------------------------------------------------------------------


@parsers()
@pytest.mark.parametrize("path", ["/public", "/health", "/open/file"])
def test_r9_exempt_paths(site: Site, path: str) -> None:
    """By setting or by rule: no credential is looked at, so each of them passes, and none of them is anybody."""
    for name, headers in credentials().items():
        assert site.ask("GET", path, headers).outcome == f"app: nobody GET {path}", name


@parsers()
def test_r9_optional_paths(site: Site) -> None:
    """By setting or by rule: without a token nobody, with a good one that user, with a bad one nothing."""
    given = credentials()
    wanted = {
        "none": "app: nobody GET {}", "another scheme": "app: nobody GET {}", "good": "app: ada GET {}",
        "forged": "401 invalid_token", "expired": "401 invalid_token", "opaque": "401 invalid_token",
        "malformed": "400 invalid_request", "two": "400 invalid_request", "empty": "400 invalid_request",
    }  # fmt: skip
    found = {name: site.ask("GET", "/maybe", headers).outcome for name, headers in given.items()}
    assert found == {name: outcome.format("/maybe") for name, outcome in wanted.items()}
    found = {name: site.ask("GET", "/feed", headers).outcome for name, headers in given.items()}
    assert found == {name: outcome.format("/feed") for name, outcome in wanted.items()} | {
        "good": "403 insufficient_scope"
    }
    assert site.ask("GET", "/feed", bearer(token("ada", scope="feed"))).outcome == "app: ada GET /feed"


def credentials() -> dict[str, list[tuple[str, str]]]:
    """Return one credential of each kind."""
    good = bearer(token("ada"))
    return {
        "none": [],
        "good": good,
        "another scheme": [("Authorization", "Basic YWRhOnB3")],
        "forged": bearer(token(key="x" * 40)),
        "expired": bearer(token(iat=1_000_000_000, exp=1_000_000_900)),
        "opaque": bearer("opaque"),
        "malformed": [("Authorization", "Bearer")],
        "two": good * 2,
        "empty": [("Authorization", "")],
    }


# --- R10: other spellings of an open path ----------------------------------------------------------------------------


@parsers()
@paths(OPEN)
def test_r10_twisted_spellings(site: Site, path: str) -> None:
    """What can be read in several ways is not open: dots, slashes, encodings, other letters, other forms."""
    found = others(anonymous(site, list(twisted(path))), REFUSED)
    # Two servers change a path without telling: then the app is handed the open path and nothing else.
    told = {
        "waitress": {target for target in found if target.startswith("//")},
        "granian-wsgi": {target for target in found if "%2f" in target.lower() and "%2e" not in target.lower()},
    }.get(site.server, set())
    assert {target: outcome for target, outcome in found.items() if target not in told} == {}
    for target in told:
        assert site.knock(request(f"GET {target} HTTP/1.1")).seen["path"] == plain_reading(target), target


def plain_reading(target: str) -> str:
    """Return the path that a server makes of slashes at the beginning, or of encoded ones."""
    return "/" + target.replace("%2f", "/").replace("%2F", "/").lstrip("/")


@parsers()
@paths(EXACT)
def test_r10_nearly_the_same(site: Site, path: str) -> None:
    """A trailing slash, another case, a suffix, a prefix, a query: another path, so a token is needed."""
    assert others(anonymous(site, list(nearly(path))), REFUSED) == {}


@parsers()
@paths(OPEN)
def test_r10_what_a_server_resolves(site: Site, path: str) -> None:
    """An absolute target and a fragment are refused, or the app is handed the plain path that it may see."""
    found = anonymous(site, list(resolved_by_servers(path)))
    assert others(found, {*REFUSED, f"app: nobody GET {path}"}) == {}


@parsers()
def test_r10_encoded_letters(site: Site) -> None:
    """RFC 3986 section 6.2.2.2: an encoded letter is that letter, and the path is open."""
    found = anonymous(site, ["/%70ublic", "/%70%75%62%6c%69%63", "/%68ealth", "/st%61tic/x"])
    assert set(found.values()) == {f"app: nobody GET {path}" for path in ("/public", "/health", "/static/x")}


@parsers()
def test_r10_climbing_out(site: Site) -> None:
    """Out of a folder that is open, by every kind of dots and slashes."""
    dots = (
        "..",
        "%2e%2e",
        ".%2e",
        "%2E.",
        "..;",
        "..%00",
        "%c0%ae%c0%ae",
        "%ef%bc%8e%ef%bc%8e",
        "%u002e%u002e",
        "..%09",
    )
    slashes = ("/", "//", "%2f", "%5c", "\\", "%c0%af", "%ef%bc%8f", "/./", ";/")
    targets = [f"/open/{dot}{slash}me" for dot in dots for slash in slashes]
    targets += [f"/static/a/{dot}/{dot}/me" for dot in dots]
    assert others(anonymous(site, targets), REFUSED) == {}


# --- R11: query, host, headers that rewrite --------------------------------------------------------------------------

REWRITE = [
    "X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Original-Path", "X-Forwarded-Uri", "X-Forwarded-Path",
    "X-Forwarded-Prefix", "X-Script-Name", "X-Forwarded-Host", "X-Host", "Script-Name", "Path-Info", "PATH_INFO",
    "REQUEST_URI", "Request-URI", "RAW_URI", "X-Envoy-Original-Path", "X-Accel-Redirect", "X-Sendfile", "Destination",
    "X-Middleware-Subrequest", "X-HTTP-DestinationURL", "Forwarded", "Referer", "X-Forwarded-For", "X-Real-IP",
    "X-Custom-IP-Authorization", "X-Forwarded-Proto", "X-Forwarded-Server", "Base-URL", "Http-Url", "Proxy-Host",
]  # fmt: skip


@parsers()
def test_r11_query(site: Site) -> None:
    """A query never opens a path, and never closes one."""
    targets = ["/me?/public", "/me?path=/public", "/me?x=/../public", "/me?;/public", "/me?#/public", "/me?%00/public"]
    assert others(anonymous(site, targets), {"401 unauthorized"}) == {}
    targets = ["/public?/me", "/public?/../me", "/public?a=//me;x%2f", "/public?", "/public??/me"]
    assert others(anonymous(site, targets), {"app: nobody GET /public"}) == {}


@parsers()
def test_r11_host(site: Site) -> None:
    """CVE-2026-48710: no Host makes a protected path an open one."""
    hosts = [
        b"localhost/public", b"localhost/public/?x=", b"localhost?/public", b"localhost#/public", b"x/open/",
        b"a@localhost/public", b"/public", b"public", b"", b"localhost:80/public", b"localhost\\public",
        b"[::1]/public", b"localhost, public", b"a b", b"%2fpublic", b"\xff/public", b"localhost/open/..", b"x" * 3000,
        None,
    ]  # fmt: skip
    good = f"Authorization: Bearer {token('ada')}"
    for host in hosts:
        assert site.knock(request("GET /me HTTP/1.1", host=host)).outcome in REFUSED, host
        assert site.knock(request("GET /admin/users HTTP/1.1", good, host=host)).outcome in {
            "403 insufficient_scope", "server: 400"}, host  # fmt: skip
    assert site.knock(request("GET /me HTTP/1.1", "Host: x/public")).outcome in REFUSED


@parsers()
def test_r11_rewrite_headers(site: Site) -> None:
    """CVE-2025-29927: the path is the request's own, to open it, to ask for a role and to be seen by the app."""
    good = bearer(token("ada"))

    def found(path: str, value: str, headers: Headers = ()) -> dict[str, str]:
        return outcomes(site, {name: [(name, value), *headers] for name in REWRITE}, path)

    for value in ("/public", "http://localhost/public"):
        assert others(found("/me", value), {"401 unauthorized"}) == {}
        assert others(found("/admin/users", value, good), {"403 insufficient_scope"}) == {}
    assert others(found("/public", "/me"), {"app: nobody GET /public"}) == {}
    assert others(found("/me", "/admin/users", good), {ADA}) == {}


@parsers("wsgi")
def test_r11_script_name(site: Site) -> None:
    """gunicorn takes it from 127.0.0.1 for a mount: the path below is what counts, and what the app sees."""
    moved = site.server.startswith("gunicorn")
    good, mount = bearer(token("ada")), [("SCRIPT_NAME", "/admin")]
    outside = site.ask("GET", "/public", mount, may_fail=True).outcome
    assert outside == ("server: 500" if moved else "app: nobody GET /public")
    assert site.ask("GET", "/admin/me", mount).outcome == "401 unauthorized"
    assert site.ask("GET", "/admin/public", mount).outcome == (
        "app: nobody GET /public" if moved else "401 unauthorized"
    )
    assert site.ask("GET", "/admin/me", [*mount, *good]).outcome == (ADA if moved else "403 insufficient_scope")
    assert site.ask("GET", "/admin/admin/users", [*mount, *good]).outcome == "403 insufficient_scope"


# --- R13: HEAD, OPTIONS, preflights ----------------------------------------------------------------------------------

PREFLIGHT = ("Origin: https://app.example", "Access-Control-Request-Method: GET")


@parsers()
@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/me", "401 unauthorized"), ("/public", "app: nobody HEAD /public"), ("/maybe", "app: nobody HEAD /maybe"),
        ("/health", "app: nobody HEAD /health"), ("/items/1", "app: nobody HEAD /items/1"),
        ("//public", "401 unauthorized"), ("/admin/users", "401 unauthorized"),
    ],
)  # fmt: skip
def test_r13_head(site: Site, path: str, outcome: str) -> None:
    """The decision is that of GET, a rule for GET included; and no refusal has a body."""
    with site.wire() as wire:
        wire.write(request(f"HEAD {path} HTTP/1.1", "Connection: close"))
        answer = wire.answer("HEAD")
        if site.server == "waitress" and path == "//public":  # it makes /public of it
            outcome = "app: nobody HEAD /public"
        assert answer.outcome == outcome
        if not outcome.startswith("app"):  # waitress sends what an app gives it, also for HEAD
            assert wire.rest() == b""
            assert int(answer.header("Content-Length")) > 0


@parsers()
def test_r13_options(site: Site) -> None:
    """OPTIONS is a method like any other: a token, the role, and no word about what is there."""
    targets = ("/me", "*", "/", "/items/1", "/admin/users")
    found = {target: site.knock(request(f"OPTIONS {target} HTTP/1.1")).outcome for target in targets}
    assert others(found, {"401 unauthorized"}) == {}
    assert site.ask("OPTIONS", "/admin/users", bearer(token("ada"))).outcome == "403 insufficient_scope"
    assert site.ask("OPTIONS", "/public").outcome == "app: nobody OPTIONS /public"


@parsers()
def test_r13_true_preflight(site: Site) -> None:
    """Exactly what a browser sends goes to the app as nobody, on every path; with a credential it is a request."""
    for path in ("/me", "/admin/users", "/public", "/nowhere"):
        for more in ([], ["Content-Length: 0"], ["Access-Control-Request-Headers: authorization"]):
            answer = site.knock(request(f"OPTIONS {path} HTTP/1.1", *PREFLIGHT, *more))
            assert answer.outcome == f"app: nobody OPTIONS {path}", more
    good = f"Authorization: Bearer {token('ada')}"
    assert site.knock(request("OPTIONS /me HTTP/1.1", *PREFLIGHT, good)).outcome == "app: ada OPTIONS /me"
    assert site.knock(request("OPTIONS /admin/users HTTP/1.1", *PREFLIGHT, good)).outcome == "403 insufficient_scope"


@parsers()
def test_r13_not_quite_a_preflight(site: Site) -> None:
    """One thing missing, twice or too many, and a token is needed."""
    origin, asked = PREFLIGHT
    cases = {
        "no origin": [asked], "no method asked": [origin], "two origins": [origin, origin, asked],
        "origins in one": ["Origin: https://a.example, https://b.example", asked],
        "two methods": [origin, asked, asked],
        "empty origin": ["Origin:", asked], "empty method": [origin, "Access-Control-Request-Method:"],
        "a cookie": [*PREFLIGHT, "Cookie: a=b"], "an empty cookie": [*PREFLIGHT, "Cookie:"],
        "an override": [*PREFLIGHT, "X-HTTP-Method-Override: GET"], "another": [*PREFLIGHT, "X-Method-Override: POST"],
        "basic": [*PREFLIGHT, "Authorization: Basic YWRhOnB3"],
    }  # fmt: skip
    found = {name: site.knock(request("OPTIONS /me HTTP/1.1", *fields)).outcome for name, fields in cases.items()}
    assert others(found, {"401 unauthorized"}) == {}
    body = request("OPTIONS /me HTTP/1.1", *PREFLIGHT, "Content-Length: 2", body=b"ab")
    assert site.knock(body).outcome == "401 unauthorized"
    stream = request("OPTIONS /me HTTP/1.1", *PREFLIGHT, "Transfer-Encoding: chunked", body=b"2\r\nab\r\n0\r\n\r\n")
    assert site.knock(stream).outcome == "401 unauthorized"
    for fields, wanted in (
        (["Authorization: Bearer x"], "401 invalid_token"),
        (["Authorization:"], "400 invalid_request"),
    ):
        assert site.knock(request("OPTIONS /me HTTP/1.1", *PREFLIGHT, *fields)).outcome == wanted
    for method in ("GET", "POST", "HEAD"):
        assert site.knock(request(f"{method} /me HTTP/1.1", *PREFLIGHT)).outcome == "401 unauthorized"
    # hypercorn makes OPTIONS of it, for us and for the app alike.
    lower = site.knock(request("options /me HTTP/1.1", *PREFLIGHT)).outcome
    assert lower in REFUSED | ({"app: nobody OPTIONS /me"} if site.server == "hypercorn" else set())


@parsers()
def test_r13_underscores_make_no_preflight(site: Site) -> None:
    """`Access_Control_Request_Method` is no such field, but where granian's WSGI makes one of it."""
    odd = request("OPTIONS /me HTTP/1.1", PREFLIGHT[0], "Access_Control_Request_Method: GET")
    assert site.knock(odd).outcome == (
        "app: nobody OPTIONS /me" if site.server == "granian-wsgi" else "401 unauthorized"
    )


# --- R14: methods ----------------------------------------------------------------------------------------------------

METHODS = [
    "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "QUERY", "M-SEARCH", "BREW", "PRI",
    "WEBSOCKET", "websocket", "get", "Get", "gET", "head", "hEAD", "post", "delete", "DeLeTe", "options", "*", "-", "1",
    "GET,POST", "GET;POST", "GET/", "X_Y", "MKCOL!", "GET\x00", "G\xc9T", '"GET"', "A" * 100, "GETGET",
]  # fmt: skip


@parsers()
def test_r14_only_get_is_get(site: Site) -> None:
    """A rule that opens GET opens HEAD too, and nothing else, whatever its case; hypercorn alone changes the case."""
    found = {m: site.knock(request(f"{m} /items/1 HTTP/1.1")).outcome for m in METHODS}
    changed = {f"app: nobody {m} /items/1" for m in ("GET", "HEAD")} if site.server == "hypercorn" else set()
    assert others(found, REFUSED | changed) == {}
    assert [m for m, outcome in found.items() if outcome in changed and m.upper() not in ("GET", "HEAD")] == []


@parsers()
@pytest.mark.parametrize("path", ["/me", "/admin/users"])
def test_r14_every_method_needs_a_token(site: Site, path: str) -> None:
    """No method is safe by its name."""
    assert others({m: site.knock(request(f"{m} {path} HTTP/1.1")).outcome for m in METHODS}, REFUSED) == {}


@parsers()
def test_r14_another_case_of_a_method(site: Site) -> None:
    """`delete` gets the checks of DELETE: a plain token does not pass for it in any case."""
    good = f"Authorization: Bearer {token('ada')}"
    methods = ("DELETE", "delete", "Delete", "dELETE", "POST", "post", "pOST")
    found = {m: site.knock(request(f"{m} /items/1 HTTP/1.1", good)).outcome for m in methods}
    assert others(found, {"403 insufficient_scope", "server: 400"}) == {}
    editor = f"Authorization: Bearer {token('ada', roles=['editor'])}"
    assert site.knock(request("DELETE /items/1 HTTP/1.1", editor)).outcome == "app: ada DELETE /items/1"


@parsers()
def test_r14_method_override(site: Site) -> None:
    """The method is the one on the wire: no header, query or form makes a GET of a POST, for us or for the app."""
    names = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_Method_Override", "_method")
    for name in names:
        for method in ("GET", "HEAD", "OPTIONS", "PUT"):
            assert site.ask("POST", "/items/1", [(name, method)], b"a=b").outcome == "401 unauthorized", (name, method)
        assert site.ask("GET", "/items/1", [(name, "DELETE")]).outcome == "app: nobody GET /items/1"
    form = [("Content-Type", "application/x-www-form-urlencoded"), *bearer(token("ada"))]
    assert site.ask("POST", "/items/1?_method=GET", form, b"_method=GET").outcome == "403 insufficient_scope"
