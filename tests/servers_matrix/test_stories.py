"""The stories of one request, told of every server with every kind of app, wrapped by `JWT_APP`."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from tests.servers import eventually
from tests.servers_matrix.apps import FIRST, SECOND, digest
from tests.servers_matrix.sites import Site, pairs
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import Answer, Wire, bearer, chunked

SMUGGLED = [
    ("REMOTE_USER", "eve"),
    ("Remote-User", "eve"),
    ("Remote_User", "eve"),
    ("X-Remote-User", "eve"),
    ("X_Remote_User", "eve"),
    ("AUTH_TYPE", "Bearer"),
    ("jwt_middleware.user", "eve"),
    ("X-Forwarded-User", "eve"),
    ("Proxy-Authorization", f"Bearer {token('eve')}"),
    ("X-Authorization", f"Bearer {token('eve')}"),
]
MALFORMED = [
    "Bearer",
    "Bearer a b",
    "Bearer  a",
    'Bearer "a"',
    "Bearer a,b",
    "Bearer a, Bearer b",
    "Bearer: a",
    "bearer=a",
]
SHOULD_NOT_BE = ("Bearer ey", "Traceback")
PIECES = [bytes([number]) * 20_000 for number in range(15)]
TRICKS = [
    "/public/../me", "/me/../public", "/%2e%2e/public", "/public%2f", "/public%00", "/public%0a", "/public;x",
    "/public/", "/PUBLIC", "/publicx", "/me?/public", "/me%3f/public", "/x%5cpublic", "//public", "/./public",
    "/public%20",
]  # fmt: skip


def challenge(answer: Answer) -> str:
    """Return the challenge of a refusal, after a look at what every refusal has."""
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Content-Length") == str(len(answer.body))
    return answer.header("WWW-Authenticate")


@pairs()
def test_no_token(site: Site) -> None:
    """Nobody passes without a token, and the challenge says where to come from but names no error."""
    answer = site.ask("GET", "/me")
    assert answer.verdict == (401, "unauthorized")
    assert challenge(answer) == 'Bearer realm="api"'


@pairs()
def test_good_token(site: Site) -> None:
    """Who comes with a good token is known to the app in its own idiom and by `current_user()`, hit or miss."""
    good = token("ada", name="Ada")
    for _ in range(3):
        answer = site.ask("GET", "/me", bearer(good))
        assert answer.status == 200
        said = answer.json()
        assert (said["user"], said["current"]) == ("ada", "ada")
    word = {
        "raw_wsgi": ("key", "ada"),
        "raw_asgi": ("scopes", ["authenticated", "read"]),
        "django_wsgi": ("authenticated", True),
        "django_asgi": ("authenticated", True),
        "starlette": ("name", "Ada"),
        "fastapi": ("request", "ada"),
    }.get(site.app)
    if word:
        assert said[word[0]] == word[1]
    else:
        assert said["claims"]["name"] == "Ada"


@pairs()
def test_users_do_not_mix(site: Site) -> None:
    """Requests of different users on one connection are each their own, the anonymous one too."""
    names = ["ada", "grace", "ada", "", "grace"]
    if site.server == "gunicorn-sync":
        seen = [site.ask("GET", *_as(name)).json()["user"] for name in names]
    else:
        with Wire(site.port) as wire:
            seen = [wire.ask("GET", *_as(name)).json()["user"] for name in names]
    assert seen == names


def _as(name: str) -> tuple[str, list[tuple[str, str]]]:
    return ("/me", bearer(token(name))) if name else ("/public", [])


@pairs("asgi")
def test_worker_thread(site: Site) -> None:
    """A sync view, which the framework calls in a worker thread, knows the user too."""
    said = site.ask("GET", "/thread", bearer(token("ada"))).json()
    assert (said["user"], said["current"]) == ("ada", "ada")


@pairs()
def test_bad_token(site: Site) -> None:
    """Every bad token gets the same 401 `invalid_token`; only an expired one, well signed, is told so."""
    now = int(time.time())
    forged, elsewhere = token(key="x" * 40), token(aud="elsewhere")
    answers = [site.ask("GET", "/me", bearer(bad)) for bad in (forged, elsewhere, "eyJ.e30.x", "nonsense")]
    assert {answer.verdict for answer in answers} == {(401, "invalid_token")}
    assert len({answer.body for answer in answers}) == 1
    assert challenge(answers[0]).startswith('Bearer realm="api", error="invalid_token", error_description="')
    expired = site.ask("GET", "/me", bearer(token(iat=now - 900, exp=now - 600)))
    assert expired.verdict == (401, "invalid_token")
    assert b"expired" in expired.body


@pairs()
@pytest.mark.parametrize("value", MALFORMED)
def test_malformed(site: Site, value: str) -> None:
    """A header that is not exactly the scheme, one space and one token is a mistake of the client: 400."""
    answer = site.ask("GET", "/me", [("Authorization", value)])
    assert answer.verdict == (400, "invalid_request")
    assert 'error="invalid_request"' in challenge(answer)


@pairs()
def test_other_scheme(site: Site) -> None:
    """A credential of another scheme is none of ours: as if there were no token."""
    answer = site.ask("GET", "/me", [("Authorization", "Basic YWRhOnB3")])
    assert answer.verdict == (401, "unauthorized")
    assert "error=" not in challenge(answer)


@pairs()
@pytest.mark.parametrize("second", ["the same", "another", "Basic YWRhOnB3", "forged"])
def test_two_authorization_fields(site: Site, second: str) -> None:
    """Two Authorization fields are a mistake, in any order, whatever they hold: neither first nor last wins."""
    good = f"Bearer {token('ada')}"
    other = {"the same": good, "another": f"Bearer {token('eve')}", "forged": f"Bearer {token(key='x' * 40)}"}
    fields = [("Authorization", good), ("Authorization", other.get(second, second))]
    assert site.ask("GET", "/me", fields).verdict == (400, "invalid_request")
    assert site.ask("GET", "/me", fields[::-1]).verdict == (400, "invalid_request")


@pairs()
@pytest.mark.parametrize("value", ["Bearer \xff\xfe", "Bearer a\tb", "Bearer " + "a" * 7000, "Bearer " + "a" * 9000])
def test_hostile_value(site: Site, value: str) -> None:
    """High bytes, tabs and very long values are refused, by the server or by us, and nothing breaks."""
    assert site.ask("GET", "/me", [("Authorization", value)]).status in (400, 401, 431)
    assert site.ask("GET", "/me", bearer(token())).status == 200


@pairs()
@pytest.mark.parametrize("credential", ["none", "good", "forged", "malformed"])
def test_exempt_path(site: Site, credential: str) -> None:
    """On an exempt path no token is looked at: everybody passes, and is anonymous."""
    headers = {
        "none": [],
        "good": bearer(token("ada")),
        "forged": bearer(token(key="x" * 40)),
        "malformed": [("Authorization", "Bearer")],
    }[credential]
    answer = site.ask("GET", "/public?a=/me", headers)
    assert answer.status == 200
    assert (answer.json()["user"], answer.json()["current"]) == ("", "")


@pairs()
@pytest.mark.parametrize("target", TRICKS)
def test_path_tricks(site: Site, target: str) -> None:
    """No other spelling of a path reaches the exemption, whatever the server makes of it."""
    answer = site.ask("GET", target)
    if (site.server, target) == ("waitress", "//public"):  # it makes /public of it, and nobody sees anything else
        assert answer.json()["user"] == ""
    else:
        assert answer.status in (400, 401)


@pairs()
def test_exempt_below(site: Site) -> None:
    """Everything below an exempt folder is for the app alone to answer, and nothing that climbs out of it."""
    assert site.ask("GET", "/open/nothing-here").status == 404  # the app's own
    for target in ("/open", "/openly", "/open/../me", "/open/%2e%2e/me", "/open/..%2fme", "/open/..%5cme", "/open/x;y"):
        assert site.ask("GET", target).status in (400, 401), target


@pairs()
def test_encoded_slash_below(site: Site) -> None:
    """An encoded slash makes two readings of a path, so it is not exempt, if the server tells how it was sent."""
    told = site.server != "granian-wsgi"  # which hands over /open/a/b alone: then the app sees nothing else either
    assert site.ask("GET", "/open/a%2fb").status == (401 if told else 404)


@pairs()
def test_head_refusal(site: Site) -> None:
    """The refusal of a HEAD has the headers of the GET's and no body, so that the connection stays in step."""
    if site.server == "gunicorn-sync":  # which closes after every answer: then nothing but headers came
        with Wire(site.port) as wire:
            wire.send("HEAD", "/me")
            assert wire.start()[0] == 401
            assert wire.rest() == b""
        return
    with Wire(site.port) as wire:
        for _ in range(2):
            answer = wire.ask("HEAD", "/me")
            assert answer.status == 401
            assert answer.header("WWW-Authenticate") == 'Bearer realm="api"'
        assert wire.ask("GET", "/me").verdict == (401, "unauthorized")
        assert wire.ask("GET", "/me", bearer(token("ada"))).json()["user"] == "ada"


@pairs()
def test_refused_body(site: Site) -> None:
    """The body of a refused request is never taken for the next request on that connection."""
    inner = f"GET /me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token('eve')}\r\n\r\n".encode()
    with Wire(site.port) as wire:
        assert wire.ask("POST", "/upload", body=inner * 8).verdict == (401, "unauthorized")
        try:
            answer = wire.ask("GET", "/me", bearer(token("ada")))
        except ConnectionError:
            return  # the server closed, which is safe as well
        assert answer.json()["user"] == "ada"


@pairs()
@pytest.mark.parametrize("field", SMUGGLED, ids=[name for name, _ in SMUGGLED])
def test_identity_from_outside(site: Site, field: tuple[str, str]) -> None:
    """No request header makes anybody the user: not on an exempt path, not beside a token, not instead of one."""
    for name in ("", "ada"):
        path, headers = _as(name)
        said = site.ask("GET", path, [field, *headers]).json()
        assert (said["user"], said["current"]) == (name, name)
    assert site.ask("GET", "/me", [field]).verdict == (401, "unauthorized")


@pairs()
def test_all_smuggled_at_once(site: Site) -> None:
    """The same headers all together, before and after the token, change nothing either."""
    said = site.ask("GET", "/me", [*SMUGGLED, *bearer(token("ada")), *SMUGGLED]).json()
    assert (said["user"], said["current"]) == ("ada", "ada")


@pairs()
def test_token_elsewhere(site: Site) -> None:
    """A token in the query, in a cookie or in a form is no credential."""
    good = token()
    assert site.ask("GET", f"/me?access_token={good}").verdict == (401, "unauthorized")
    assert site.ask("GET", "/me", [("Cookie", f"access_token={good}")]).verdict == (401, "unauthorized")
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    assert site.ask("POST", "/upload", form, f"access_token={good}".encode()).verdict == (401, "unauthorized")


@pairs()
def test_streaming_response(site: Site) -> None:
    """A response streams through: the first chunk is here before the app makes the second."""
    gate = f"gate-{time.time_ns()}"
    with Wire(site.port) as wire:
        wire.send("GET", f"/stream?{gate}", bearer(token()))
        status, headers = wire.start()
        assert status == 200
        chunks = wire.chunks(headers)
        assert next(chunks) == FIRST
        (site.gates / gate).touch()
        assert b"".join(chunks) == SECOND


@pairs()
def test_streamed_request_body(site: Site) -> None:
    """A request body of announced length that comes in pieces arrives whole."""
    assert_arrives(site, f"Content-Length: {sum(map(len, PIECES))}", PIECES)


@pairs(without=("django_wsgi",))  # Django reads no more of a WSGI body than Content-Length says
def test_chunked_request_body(site: Site) -> None:
    """A request body of unknown length arrives whole."""
    assert_arrives(site, "Transfer-Encoding: chunked", chunked(PIECES))


def assert_arrives(site: Site, framing: str, pieces: Iterable[bytes]) -> None:
    """Upload a body piece by piece and check what the app had of it."""
    head = f"POST /upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token()}\r\n{framing}\r\n\r\n"
    with Wire(site.port) as wire:
        wire.write(head.encode())
        for piece in pieces:
            wire.write(piece)
        answer = wire.answer()
    assert answer.status == 200
    assert answer.json() == digest(b"".join(PIECES))


@pairs("asgi", without=("raw_asgi", "django_asgi"))
def test_lifespan_passes(site: Site) -> None:
    """The app's own start-up ran, and what it left in the state reaches every request; daphne has no lifespan."""
    greeting = site.ask("GET", "/me", bearer(token())).json()["greeting"]
    assert greeting == (None if site.server == "daphne" else "hello")


@pairs()
def test_log(site: Site) -> None:
    """A refusal leaves one line that names the setting it met, without any logging set up, and no token anywhere."""
    bad = token(aud="elsewhere-in-the-log")
    earlier = site.process.output()  # with failures of servers, and tokens in it, at what other stories sent them
    site.ask("GET", "/in-the-log", bearer(bad))
    line = "401 GET /in-the-log wrong_audience: token has aud="
    eventually(lambda: line in site.process.stderr(), 10)
    written = site.process.output()
    assert written.count(line) == 1
    assert "JWT_AUDIENCE" in written.partition(line)[2].splitlines()[0]
    assert bad not in written
    assert bad.rpartition(".")[2] not in written
    assert [written.count(word) for word in SHOULD_NOT_BE] == [earlier.count(word) for word in SHOULD_NOT_BE]
