"""JWT_FORWARD_CLAIMS: what a header of ours says is what the token says, whoever sends what by its name."""

from __future__ import annotations

import asyncio
import io
import logging
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jwt_middleware import ConfigurationError, asgi, wsgi
from jwt_middleware.gate import forwarding
from jwt_middleware.gate.forwarding import Forwarding
from jwt_middleware.gate.request import METHOD_OVERRIDES
from jwt_middleware.settings import Settings
from jwt_middleware.user import ANONYMOUS, Claims, User
from tests.token.forge import claims, token
from tests.worlds import SECRET, Answer, ASGIWorld, Clock, World, WSGIWorld

Protect = Callable[..., World]

FORWARD = "X-User-Id=sub, X-Email=email, X-Roles=realm_access.roles"
ADA = claims(sub="ada", email="ada@example.com", realm_access={"roles": ["dev", "ops"]})
SPELLINGS = [
    "X-User-Id", "x-user-id", "X-USER-ID", "X_User_Id", "x_user-id", "X-User_ID", "X.User.Id", "x!user~id", "X+USER|id",
    "X User Id", "x\tuser\0id", "X\x85User\xa0Id", "x\xdfuser\xffid", "x-user-\u0131d", "x-u\u017fer-id",
]  # fmt: skip
PREFLIGHT = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")]


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a process that has not warned of anything yet."""
    monkeypatch.setattr(forwarding, "_warned", set())


def fields(answer: Answer) -> list[tuple[str, str]]:
    """Return the header fields that the app saw, by their lower-case names, whatever the world."""
    seen = answer.seen[0].surroundings
    if "wsgi.url_scheme" in seen:
        keys = [key for key in seen if key.startswith("HTTP_")]
        return [(key[5:].lower().replace("_", "-"), seen[key].encode("latin-1").decode()) for key in keys]
    return [(name.decode("latin-1"), value.decode()) for name, value in seen["headers"]]


def ours(answer: Answer) -> dict[str, str]:
    """Return the forwarded headers that the app saw; none may stand twice, and nothing that Eve sent may be there."""
    assert "eve" not in repr(answer.seen[0].surroundings)
    found = [field for field in fields(answer) if field[0] in ("x-user-id", "x-email", "x-roles")]
    assert len(dict(found)) == len(found)
    return dict(found)


def spelt(gate: World, name: str, value: str, bearer: str | None = None, **extra: Any) -> dict[str, Any]:
    """Return what a server that keeps a name just as it was sent would put into the scope or the environ."""
    if gate.name == "wsgi":
        keys = {f"HTTP_{name}", f"HTTP_{name.upper()}", "HTTP_" + name.upper().replace("-", "_")}
        return dict.fromkeys(keys, value) | extra
    own = [(b"authorization", f"Bearer {bearer}".encode())] if bearer else []
    raw = name.encode("utf-8") if max(name) > "\xff" else name.encode("latin-1")
    field = (raw, value.encode())
    return {"headers": [field, (b"host", b"api.example"), *own, field, (raw.lower(), value.encode())], **extra}


def test_an_app_finds_the_claims_in_its_headers(protect: Protect) -> None:
    """An app that knows nothing of tokens reads who it is, as it would behind a proxy that signs in."""
    answer = protect(forward_claims=FORWARD).request(token=token(ADA))
    assert ours(answer) == {"x-user-id": "ada", "x-email": "ada@example.com", "x-roles": "dev,ops"}
    seen = answer.seen[0].surroundings
    if "headers" in seen:
        assert (b"x-user-id", b"ada") in seen["headers"]
    else:
        assert seen["HTTP_X_USER_ID"] == "ada"


def test_without_the_setting_headers_are_nobody_s_business(protect: Protect) -> None:
    """Off by default: what a client sends reaches the app as it was sent, and nothing is added."""
    answer = protect().request(token=token(ADA), headers=[("X-User-Id", "eve")])
    assert [value for name, value in fields(answer) if name.startswith("x-")] == ["eve"]


class TestRemoval:
    """On every kind of request, in every spelling, before anything is put in."""

    @pytest.mark.parametrize("name", SPELLINGS, ids=ascii)
    @pytest.mark.parametrize("path", ["/open", "/optional"])
    def test_an_anonymous_request_has_none(
        self, protect: Protect, path: str, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """CVE-2026-3902 and kin: on exempt and optional paths nobody is anybody, which is no news."""
        gate = protect(forward_claims=FORWARD, exempt_paths="/open", optional_paths="/optional")
        for _ in range(2):
            answer = gate.request(path, extra=spelt(gate, name, "eve"))
            assert answer.user is ANONYMOUS
            assert ours(answer) == {}
        assert caplog.messages == []

    @pytest.mark.parametrize("name", SPELLINGS, ids=ascii)
    def test_a_preflight_has_none(self, protect: Protect, name: str) -> None:
        """It passes as anonymous, so it carries nobody."""
        gate = protect(forward_claims=FORWARD)
        extra = spelt(gate, name, "eve")
        if gate.name == "asgi":
            extra["headers"] += [(key.lower().encode(), value.encode()) for key, value in PREFLIGHT]
        answer = gate.request(method="OPTIONS", headers=PREFLIGHT, extra=extra)
        assert answer.user is ANONYMOUS
        assert ours(answer) == {}

    @pytest.mark.parametrize("name", SPELLINGS, ids=ascii)
    @pytest.mark.parametrize("path", ["/", "/optional", "/open"])
    def test_beside_a_token_only_the_token_counts(self, protect: Protect, path: str, name: str) -> None:
        """The first time, when the token is verified, and the second, when it comes from memory."""
        gate = protect(forward_claims=FORWARD, exempt_paths="/open", optional_paths="/optional")
        text = token(ADA)
        for _ in range(2):
            answer = gate.request(path, token=text, extra=spelt(gate, name, "eve", text))
            assert ours(answer).get("x-user-id") == (None if path == "/open" else "ada")

    @pytest.mark.parametrize("name", SPELLINGS, ids=ascii)
    def test_a_handshake_is_no_exception(self, name: str) -> None:
        """WebSockets: anonymous on an exempt path, and twice with a token."""
        gate = ASGIWorld(secret_key=SECRET, clock=Clock(), forward_claims=FORWARD, exempt_paths="/open")
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append([field for field in scope["headers"] if field[0] not in (b"host", b"authorization")])

        middleware = asgi.JWTMiddleware(app, auth=gate.auth)
        for path, bearer in (("/open", None), ("/ws", token(ADA)), ("/ws", token(ADA))):
            scope = {"type": "websocket", "path": path, "scheme": "ws", **spelt(gate, name, "eve", bearer)}
            asyncio.run(middleware(scope, None, None))
        told = [(b"x-user-id", b"ada"), (b"x-email", b"ada@example.com"), (b"x-roles", b"dev,ops")]
        assert seen == [[], told, told]
        gate.runner.close()

    def test_with_rules_and_https_it_is_the_same(self, protect: Protect) -> None:
        """Where every request goes the long way, a remembered token included."""
        gate = protect(forward_claims=FORWARD, required_scopes="read", require_https=True)
        text = token(ADA | {"scope": "read"})
        for _ in range(2):
            extra = spelt(gate, "X_User-Id", "eve", text)
            assert ours(gate.request(token=text, scheme="https", extra=extra))["x-user-id"] == "ada"

    def test_fields_that_are_repeated_all_go(self, protect: Protect) -> None:
        """Neither the first nor the last stays, nor what a WSGI server joined of them."""
        gate = protect(forward_claims=FORWARD, optional_paths="/optional")
        sent = [("X-User-Id", "eve"), ("x-user-id", "eve"), ("X-Email", "eve@evil.example"), ("X-ROLES", "eve")] * 2
        assert ours(gate.request("/optional", headers=sent)) == {}
        assert ours(gate.request(token=token(ADA), headers=sent))["x-email"] == "ada@example.com"

    def test_users_in_turn_do_not_mix(self, protect: Protect) -> None:
        """A header never outlives its request."""
        gate = protect(forward_claims=FORWARD, optional_paths="/optional")
        people = {name: token(ADA | {"sub": name}) for name in ("ada", "bob")}
        turns = ["ada", "bob", None, "ada", None, "bob", "bob"]
        seen = [ours(gate.request("/optional", token=people.get(name))).get("x-user-id") for name in turns]
        assert seen == turns

    def test_a_claim_that_the_token_has_not_leaves_its_header_away(self, protect: Protect) -> None:
        """What is not in the token is nowhere, whatever the client says instead; and that is no news."""
        gate = protect(forward_claims=FORWARD)
        sent = [("X-Email", "eve"), ("X-Roles", "eve")]
        assert ours(gate.request(token=token(claims(sub="bob")), headers=sent)) == {"x-user-id": "bob"}

    def test_other_headers_stay_as_they_are(self, protect: Protect) -> None:
        """Similar names too, in their order, repeated as they came."""
        gate = protect(forward_claims=FORWARD)
        similar = [
            "x-user",
            "x-user-id-",
            "x-user-ident",
            "x-userid",
            "xx-user-id",
            "x--user-id",
            "cookie",
            "x-user-id2",
        ]
        sent = [(name, f"of {name}") for name in similar]
        answer = gate.request(token=token(ADA), headers=sent)
        assert [field for field in fields(answer) if field in sent] == sent
        if gate.name == "asgi":
            twice = gate.request(token=token(ADA), headers=sent * 2)
            assert [field for field in fields(twice) if field in sent] == sent * 2

    def test_only_headers_are_removed(self) -> None:
        """An environ holds much besides: what does not begin with HTTP_ is not a client's."""
        gate = WSGIWorld(secret_key=SECRET, clock=Clock(), forward_claims="User=sub")
        extra = {"USER": "www-data", "X_USER": "1", "\xe9": "1", "wsgi.user": "1"}
        environ = gate.request(token=token(ADA), extra=extra).seen[0].surroundings
        assert {name: environ[name] for name in extra} == extra
        assert environ["HTTP_USER"] == "ada"

    @pytest.mark.parametrize("sent", [[], [(b"x-user-id", b"eve")]], ids=["nothing-to-remove", "something"])
    def test_the_server_s_list_is_the_server_s(self, sent: list[Any]) -> None:
        """The app gets a new one each time: uvicorn with httptools adds trailers to its own while the app runs."""
        gate = ASGIWorld(secret_key=SECRET, clock=Clock(), forward_claims=FORWARD)
        headers = [*sent, (b"authorization", f"Bearer {token(ADA)}".encode())]
        before = list(headers)
        seen = gate.request(extra={"headers": headers}).seen[0].surroundings["headers"]
        assert headers == before
        assert seen is not headers
        headers.append((b"x-user-id", b"eve"))
        assert [value for name, value in seen if name == b"x-user-id"] == [b"ada"]
        gate.runner.close()

    @pytest.mark.parametrize("name", ["x-cla\xdf", "X-CLA\xdf"])
    def test_what_a_framework_would_make_of_a_name_is_not_waited_for(self, protect: Protect, name: str) -> None:
        """Django under ASGI writes names in capitals: of `x-claß`, in latin-1, it would make `HTTP_X_CLASS`."""
        gate = protect(forward_claims="X-Class=sub", optional_paths="/optional")
        answer = gate.request("/optional", extra=spelt(gate, name, "eve"))
        assert "eve" not in repr(answer.seen[0].surroundings)


class TestMemory:
    """Names are judged once, and a stranger who invents them fills nothing."""

    @staticmethod
    def _size(gate: World) -> int:
        return len(gate.auth.core.gate.forwarding._harmless)

    def test_it_is_bounded(self, protect: Protect) -> None:
        """Thousands of names, and long ones: only so many are remembered, and none is ever let in for that."""
        gate = protect(forward_claims=FORWARD, optional_paths="/")
        for start in range(0, 3000, 100):
            sent = [(f"X-{number}", "1") for number in range(start, start + 100)]
            answer = gate.request(headers=[*sent, ("X_User_Id" if gate.name == "asgi" else "X-User-Id", "eve")])
            assert ours(answer) == {}
            assert [field for field in fields(answer) if field[0] != "host"] == [(n.lower(), v) for n, v in sent]
            assert self._size(gate) <= 1000
        gate.request()
        before = self._size(gate)
        long = ("x-" + "a" * 5000, "1")
        assert long in fields(gate.request(headers=[long]))
        assert self._size(gate) == before


class TestValues:
    """A value says one thing only, or it is not there."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            pytest.param("Ada", "Ada", id="text"),
            pytest.param("Doe, Ada", "Doe, Ada", id="text-with-a-comma"),
            pytest.param("read write", "read write", id="text-with-a-space"),
            pytest.param('"; x=\\ %0a', '"; x=\\ %0a', id="text-with-punctuation"),
            pytest.param("Zoë Ødegård", "Zoë Ødegård", id="latin-1"),
            pytest.param("Ада 愛 👩‍💻", "Ада 愛 👩‍💻", id="beyond-latin-1"),
            pytest.param("ÅåÀ", "ÅåÀ", id="bytes-that-look-like-controls"),
            pytest.param(42, "42", id="integer"),
            pytest.param(-7, "-7", id="negative"),
            pytest.param(0, "0", id="zero"),
            pytest.param(10**30, "1" + "0" * 30, id="big"),
            pytest.param(True, "true", id="true"),
            pytest.param(False, "false", id="false"),
            pytest.param(["a"], "a", id="list-of-one"),
            pytest.param(["a", "b c", 3, True, False], "a,b c,3,true,false", id="list"),
            pytest.param([0], "0", id="list-of-zero"),
        ],
    )
    def test_it_is_carried(self, protect: Protect, value: Any, text: str, caplog: pytest.LogCaptureFixture) -> None:
        """Texts as they are, in UTF-8; numbers in decimal; true and false; lists of these, joined by commas."""
        answer = protect(forward_claims="X-Claim=claim").request(token=token(claims(claim=value)))
        assert dict(fields(answer))["x-claim"] == text
        assert caplog.messages == []

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            pytest.param({"a": 1}, "neither text", id="object"),
            pytest.param({}, "neither text", id="empty-object"),
            pytest.param(None, "neither text", id="null"),
            pytest.param(1.5, "neither text", id="fraction"),
            pytest.param(1e30, "neither text", id="exponent"),
            pytest.param([["a"]], "neither text", id="nested"),
            pytest.param(["a", []], "neither text", id="nested-empty"),
            pytest.param(["a", {"b": 1}], "neither text", id="list-with-an-object"),
            pytest.param(["a", None], "neither text", id="list-with-null"),
            pytest.param(["a", 1.5], "neither text", id="list-with-a-fraction"),
            pytest.param("", "empty", id="empty"),
            pytest.param(["a", ""], "empty", id="list-with-nothing"),
            pytest.param("secret\r\nX-Roles: admin", "control characters", id="line-end"),
            pytest.param("secret\n", "control characters", id="line-end-last"),
            pytest.param("se\0cret", "control characters", id="nul"),
            pytest.param("se\tcret", "control characters", id="tab"),
            pytest.param("se\x7fcret", "control characters", id="delete"),
            pytest.param("se\x85cret", "control characters", id="next-line"),
            pytest.param("se\u2028cret", "control characters", id="line-separator"),
            pytest.param("se\u2029cret", "control characters", id="paragraph-separator"),
            pytest.param(" secret", "space at its ends", id="space-before"),
            pytest.param("secret ", "space at its ends", id="space-after"),
            pytest.param(" ", "space at its ends", id="space-alone"),
            pytest.param("secret\xa0", "space at its ends", id="no-break-space-after"),
            pytest.param(["secret", "b,admin"], "in a list a comma", id="list-with-a-comma"),
            pytest.param(["b,admin"], "in a list a comma", id="list-of-one-with-a-comma"),
            pytest.param(["secret", " b"], "space at its ends", id="list-with-space-before"),
            pytest.param(["secret ", "b"], "space at its ends", id="list-with-space-after"),
            pytest.param(["secret", "b\n"], "control characters", id="list-with-a-line-end"),
        ],
    )
    def test_it_is_left_out(self, protect: Protect, value: Any, why: str, caplog: pytest.LogCaptureFixture) -> None:
        """As a whole, the client's own with it; the log says so once for each header, and not the value."""
        gate = protect(forward_claims="X-Claim=claim,X-Other=claim,X-User-Id=sub")
        for _ in range(2):
            answer = gate.request(token=token(claims(claim=value)), headers=[("X-Claim", "eve"), ("X-Other", "eve")])
            assert [value for name, value in fields(answer) if name.startswith("x-")] == ["42"]
        said = [message for message in caplog.messages if message.startswith("JWT_FORWARD_CLAIMS")]
        assert len(said) == 2
        for header, record in zip(("X-Claim", "X-Other"), caplog.records[-2:], strict=True):
            assert record.levelno == logging.WARNING
            assert record.getMessage().startswith(
                f"JWT_FORWARD_CLAIMS: {header} is left out, since the token's claim is "
            )
            assert why in record.getMessage()
            assert "secret" not in record.getMessage()
            assert "admin" not in record.getMessage()

    def test_an_empty_list_is_no_news(self, protect: Protect, caplog: pytest.LogCaptureFixture) -> None:
        """A user without roles is as usual as one with: the header is not there, and nobody is warned."""
        gate = protect(forward_claims=FORWARD)
        assert "x-roles" not in ours(gate.request(token=token(ADA | {"realm_access": {"roles": []}})))
        assert caplog.messages == []

    def test_a_name_is_looked_up_whole_first(self, protect: Protect) -> None:
        """`https://x.example/roles` has dots and is one name; by dots only where there is no such claim."""
        gate = protect(forward_claims={"X-One": "a.b", "X-Two": "https://x.example/roles", "X-Three": "c.d.e"})
        payload = claims(**{"a.b": "whole", "a": {"b": "part"}, "https://x.example/roles": ["r"], "c": {"d": {"e": 1}}})
        seen = dict(fields(gate.request(token=token(payload))))
        assert (seen["x-one"], seen["x-two"], seen["x-three"]) == ("whole", "r", "1")
        assert dict(fields(gate.request(token=token(claims(a={"b": "part"})))))["x-one"] == "part"

    def test_the_identity_claim_is_the_user_s_identity(self, protect: Protect) -> None:
        """The header names whom `current_user()` names, of whatever type the claim is."""
        gate = protect(forward_claims="X-User-Id=user_id,X-Sub=sub", identity_claim="user_id")
        answer = gate.request(token=token(claims(user_id=7)))
        assert dict(fields(answer))["x-user-id"] == answer.user.identity == "7"
        assert dict(fields(answer))["x-sub"] == "42"

    def test_an_identity_with_a_prefix_is_forwarded_with_it(self) -> None:
        """Not the bare claim, by which two issuers' users could be taken for each other."""
        forward = Forwarding(Settings(forward_claims=(("X-User-Id", "sub"),)))
        user = User("idp|ada", Claims(sub="ada"))
        assert forward.asgi([], user) == [(b"x-user-id", b"idp|ada")]

    def test_half_a_character_is_left_out(self) -> None:
        """No token can hold one, and none would break a request."""
        forward = Forwarding(Settings(forward_claims=(("X-User-Id", "sub"),)))
        assert forward.asgi([], User("\ud800")) == []

    def test_an_identity_that_no_header_can_carry_is_left_out(self, protect: Protect) -> None:
        """The app has no name for that user then, rather than half of one."""
        gate = protect(forward_claims=FORWARD)
        assert "x-user-id" not in ours(gate.request(token=token(ADA | {"sub": "ada\nroot"})))


class TestStart:
    """Names that cannot be trusted, or that mean something already, refuse to start."""

    @staticmethod
    def _problems(protect: Protect, **given: Any) -> tuple[str, ...]:
        with pytest.raises(ConfigurationError) as caught:
            protect(**given)
        return caught.value.problems

    @pytest.mark.parametrize(
        "name",
        [
            "X_User_Id",
            "X.User",
            "X User",
            "-X",
            "X-",
            "X--User",
            "X:",
            "Ünï",
            "X-User\n-Id",
            "X\u0131d",
            "x*",
            "HTTP_X",
        ],
        ids=ascii,
    )
    def test_a_name_has_letters_digits_and_hyphens(self, protect: Protect, name: str) -> None:
        """What a server could fold or drop would be found by the app under another name, or never."""
        (problem,) = self._problems(protect, forward_claims={name: "sub"})
        said = "must be named by letters and digits, with single hyphens between them"
        assert problem == f"JWT_FORWARD_CLAIMS: header 1 {said}"

    @pytest.mark.parametrize(
        "name",
        [
            "Host", "Cookie", "Authorization", "authorization", "Proxy-Authorization", "Proxy", "Content-Length",
            "Content-Type", "content-anything", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer",
            "Upgrade", "Expect", "Origin", "Referer", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto",
            "X-Forwarded-Users", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "X-Script-Name", "Sec-WebSocket-Key",
            "Sec-Fetch-Site", "X-Requested-With", "X-CSRFToken", "X-CSRF-Token", "X-XSRF-TOKEN", "Client-Cert",
            "X-SSL-Client-DN", "Accept", "Accept-Language", "Access-Control-Request-Method", "Range", "If-Match",
            "User-Agent", "X-Sendfile-Type", "X-Accel-Mapping", "X-Middleware-Subrequest", "DPoP", "Signature", "Date",
            *METHOD_OVERRIDES,
        ],
    )  # fmt: skip
    def test_a_name_that_means_something_is_taken(self, protect: Protect, name: str) -> None:
        """A claim must not become a host, a length, a method, an address, or a proof that a browser gave."""
        (problem,) = self._problems(protect, forward_claims=f"{name}=sub")
        assert problem.startswith("JWT_FORWARD_CLAIMS: header 1 is ")
        assert "authorization" in name.lower() or problem.endswith(", which means something else already")

    @pytest.mark.parametrize(
        "name",
        [
            "X-User-Id", "Remote-User", "X-Remote-User", "X-WEBAUTH-USER", "X-Amzn-Oidc-Identity", "Tenant", "7",
            "X-Client-Id", "Preferred-Username", "Contents", "Hostname", "X-Auth-Request-Email", "OIDC-CLAIM-sub",
            "X-Forwarded-User", "x-forwarded-email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
        ],
    )  # fmt: skip
    def test_other_names_are_free(self, protect: Protect, name: str) -> None:
        """What legacy apps and the proxies before them have agreed on."""
        answer = protect(forward_claims=f"{name}=sub").request(token=token())
        assert dict(fields(answer))[name.lower()] == "42"

    @pytest.mark.parametrize("header_name", ["X-Api-Token", "x-api-token", "X.Api.Token"])
    def test_the_token_s_own_header_is_taken(self, protect: Protect, header_name: str) -> None:
        """Else a claim would be the next layer's token."""
        (problem,) = self._problems(protect, header_name=header_name, forward_claims="X-API-Token=sub")
        assert problem == "JWT_FORWARD_CLAIMS: header 1 is the one that carries the token (JWT_HEADER_NAME)"

    def test_the_page_says_what_is_refused(self, protect: Protect) -> None:
        """Each name and family that docs/forwarding.md lists."""
        page = (Path(__file__).parent.parent / "docs/forwarding.md").read_text("utf-8")
        listed = page.partition("taken for that: ")[2].partition(" and more")[0].replace("\n", " ").split(", ")
        names = [name.strip("`").replace("*", "Anything") for name in listed]
        assert len(names) == 14
        assert len(self._problems(protect, forward_claims=dict.fromkeys(names, "sub"))) == len(names)

    def test_one_name_stands_for_one_claim(self, protect: Protect) -> None:
        """Two claims in one header would be neither."""
        (problem,) = self._problems(protect, forward_claims="X-Id=sub,X-Email=email,x-ID=email")
        assert problem == "JWT_FORWARD_CLAIMS: header 3 has the name of header 1, for case does not count"

    def test_all_problems_come_at_once(self, protect: Protect) -> None:
        """With those of other settings, and without a word of what was set."""
        given = "Content-Zebra=sub,X_Zebra=sub,X-Ok=zebra,x-ok=zebra,Cookie=zebra,X-Zebra-=sub,x-zebra-=sub"
        found = self._problems(protect, forward_claims=given, leeway=999)
        assert len(found) == 7
        mine = [problem for problem in found if problem.startswith("JWT_FORWARD_CLAIMS: header ")]
        assert [problem.removeprefix("JWT_FORWARD_CLAIMS: header ")[:6] for problem in mine] == [
            "1 is C", "2 must", "4 has ", "5 is C", "6 must", "7 must"
        ]  # fmt: skip
        assert "zebra" not in "".join(found).lower()

    @pytest.mark.parametrize(
        "given",
        ["X-User-Id", "X-User-Id=", "=sub", "X-User-Id=sub,X-Email", ["X-User-Id"], {"X-User-Id": ""}, {"": "sub"},
         {"X-User-Id": 5}, {"X-User-Id": None}, {5: "sub"}, {}, "", ",", 5, b"X-User-Id=sub", ["X-User-Id=sub", 5]],
        ids=ascii,
    )  # fmt: skip
    def test_every_header_names_its_claim(self, protect: Protect, given: Any) -> None:
        """Half an entry is a mistake, not a header without a claim."""
        (problem,) = self._problems(protect, forward_claims=given)
        assert problem.startswith("JWT_FORWARD_CLAIMS ")

    @pytest.mark.parametrize(
        "given",
        [" X-User-Id = sub ,, X-Roles=a=b,", {"X-User-Id": "sub", "X-Roles": "a=b"}, ["X-User-Id=sub", "X-Roles=a=b"]],
        ids=["text", "mapping", "list"],
    )
    def test_texts_and_mappings_mean_the_same(self, protect: Protect, given: Any) -> None:
        """A claim may have any name, an equals sign in it included."""
        seen = dict(fields(protect(forward_claims=given).request(token=token(claims(**{"a=b": "c"})))))
        assert (seen["x-user-id"], seen["x-roles"]) == ("42", "c")


class TestFrameworks:
    """Each framework's own way of asking for a header finds the token's word, UTF-8 read as latin-1."""

    ZOE: ClassVar = claims(sub="Zoë", realm_access={"roles": ["dev", "ops"]})
    SENT: ClassVar = {
        "X-User-Id": "eve",
        "X_User_Id": "eve",
        "x.user.id": "eve",
        "Authorization": f"Bearer {token(ZOE)}",
    }
    READ = "Zo\xc3\xab"

    def test_flask(self) -> None:
        """By `request.headers`."""
        from flask import Flask, request

        app = Flask("legacy")
        app.add_url_rule("/", view_func=lambda: dict(request.headers))
        app.wsgi_app = wsgi.JWTMiddleware(app.wsgi_app, secret_key=SECRET, clock=Clock(), forward_claims=FORWARD)
        seen = app.test_client().get("/", headers=self.SENT).json
        assert (seen["X-User-Id"], seen["X-Roles"], "eve" in repr(seen)) == (self.READ, "dev,ops", False)
        assert self.READ.encode("latin-1").decode() == "Zoë"

    def test_starlette(self) -> None:
        """By `request.headers`."""
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse
        from starlette.routing import Route
        from starlette.testclient import TestClient

        app = Starlette(routes=[Route("/", lambda request: JSONResponse(request.headers.items()))])
        app.add_middleware(asgi.JWTMiddleware, secret_key=SECRET, clock=Clock(), forward_claims=FORWARD)
        seen = TestClient(app).get("/", headers=self.SENT).json()
        assert ["x-user-id", self.READ] in seen
        assert ["x-roles", "dev,ops"] in seen
        assert "eve" not in repr(seen)

    @pytest.mark.parametrize("name", ["x-user-id", "x.user.id", "x!user-id"])
    def test_django(self, protect: Protect, name: str) -> None:
        """By `request.META` and `request.headers`; its ASGI handler makes environ keys of names itself."""
        from django.conf import settings
        from django.core.handlers.asgi import ASGIRequest
        from django.core.handlers.wsgi import WSGIRequest

        if not settings.configured:
            settings.configure()
        gate = protect(forward_claims=FORWARD)
        answer = gate.request(token=token(self.ZOE), headers=[(name, "eve")], extra={"wsgi.input": io.BytesIO()})
        seen = answer.seen[0].surroundings
        request: Any = WSGIRequest(seen) if gate.name == "wsgi" else ASGIRequest(seen, None)
        assert (request.META["HTTP_X_USER_ID"], request.headers["X-Roles"]) == (self.READ, "dev,ops")
        assert "eve" not in repr(request.META)


# --- Hypothesis looks for the spelling --------------------------------------------------------------------------------

ALNUM = string.ascii_letters + string.digits


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[ASGIWorld, WSGIWorld]]:
    """Both worlds, where anybody may come."""
    given = {"secret_key": SECRET, "clock": Clock(), "optional_paths": "/", "forward_claims": FORWARD}
    worlds = ASGIWorld(**given), WSGIWorld(**given)
    yield worlds
    worlds[0].runner.close()


def normal(name: str) -> str:
    """Say which names are the same, in other words than the code does."""
    return "".join(char.lower() if char in ALNUM else "-" for char in name)


def respelt(name: str) -> st.SearchStrategy[str]:
    """All ways to write a name: letters in any case, and any character that is neither letter nor digit."""
    other = st.characters(max_codepoint=255, exclude_characters=ALNUM)
    return st.tuples(*(st.sampled_from([c.lower(), c.upper()]) if c in ALNUM else other for c in name)).map("".join)


_reserved = st.sampled_from(["x-user-id", "x-email", "x-roles"]).flatmap(respelt)
_free = st.text(st.characters(max_codepoint=255), max_size=12) | st.text(st.sampled_from("xX-_userid."), max_size=12)
_GOOD = token(ADA)


@settings(max_examples=400, deadline=None)
@given(st.lists(_reserved | _free, max_size=6), st.booleans())
@example(["X-User-Id", "x_user.id"], False)
@example(["x-user-id\xdf", "X\xdfUser-Id"], True)
def test_no_spelling_survives_and_nothing_else_is_lost(
    pair: tuple[ASGIWorld, WSGIWorld], names: list[str], signed_in: bool
) -> None:
    """Whatever names a server hands over: what may be read as one of ours is gone, all else is as it came."""
    mine = normal("x-user-id"), normal("x-email"), normal("x-roles")
    names = [name for name in names if normal(name) not in ("authorization", "host")]
    kept = [name for name in names if normal(name) not in mine and name.isascii()]
    for world in pair:
        told = {"x-user-id": "ada", "x-email": "ada@example.com", "x-roles": "dev,ops"} if signed_in else {}
        if world.name == "asgi":
            own = [(b"authorization", f"Bearer {_GOOD}".encode())] if signed_in else []
            sent = [*own, *((name.encode("latin-1"), b"eve") for name in names)]
            seen = world.request(extra={"headers": sent}).seen[0].surroundings["headers"]
            expected = [*own, *((name.encode("latin-1"), b"eve") for name in kept)]
            assert seen == expected + [(name.encode(), value.encode()) for name, value in told.items()]
        else:
            extra = {f"HTTP_{name}": "eve" for name in names}
            answer = world.request(token=_GOOD if signed_in else None, extra=extra)
            environ = answer.seen[0].surroundings
            held = {key: value for key, value in environ.items() if key.startswith("HTTP_")}
            del held["HTTP_HOST"]
            held.pop("HTTP_AUTHORIZATION", None)
            assert held == {f"HTTP_{name}": "eve" for name in kept} | {
                "HTTP_" + name.upper().replace("-", "_"): value for name, value in told.items()
            }


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(_json)
def test_a_value_comes_back_as_it_was_signed(pair: tuple[ASGIWorld, WSGIWorld], value: Any) -> None:
    """Of any claim: both adapters carry the same text, from which the claim can be read again, or none."""
    seen = [dict(fields(world.request(token=token(claims(email=value))))).get("x-email") for world in pair]
    assert seen[0] == seen[1]
    if seen[0] is not None:
        assert seen[0] == seen[0].strip() != ""
        assert len(seen[0].splitlines()) == 1
        parts = seen[0].split(",") if isinstance(value, list) else [seen[0]]
        for part, original in zip(parts, value if isinstance(value, list) else [value], strict=True):
            assert part == (str(original).lower() if isinstance(original, bool) else str(original))
            assert type(original) in (str, int, bool)
