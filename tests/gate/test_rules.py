"""Rules by path: who may pass, what a token must carry, and what no reading of a request may get around."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from jwt_middleware import ConfigurationError, Reason
from jwt_middleware.gate import rulebook
from jwt_middleware.gate.demands import Demand
from jwt_middleware.gate.patterns import Pattern, is_covered
from jwt_middleware.gate.rules import Need, Rules, below_mount, is_plain
from jwt_middleware.settings import Settings
from tests.token.forge import claims, token
from tests.worlds import NOW, SECRET, ASGIWorld, Clock, World, WSGIWorld

Protect = Callable[..., World]
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a rules file."""

    def do(text: str) -> Path:
        file = tmp_path / "rules.toml"
        file.write_text(text, "utf-8")
        return file

    return do


def rule(path: str = "/x", more: str = "authenticated = true") -> str:
    return f'[[rule]]\npath = "{path}"\n{more}\n'


def user(**more: Any) -> str:
    return token(claims(**more))


def loaded(file: Path, **more: Any) -> Rules:
    problems: list[str] = []
    rules = rulebook.load(Settings(rules_file=file, **more), problems)
    assert problems == []
    return rules


def challenge(answer: Any) -> str:
    found = answer.header("WWW-Authenticate")
    assert found is not None
    return str(found)


# --- what a token must carry -----------------------------------------------------------------------------------------


class TestRequiredScopes:
    """JWT_REQUIRED_SCOPES: on every path where a token is looked at."""

    def test_a_token_without_them_is_told_which(self, protect: Protect, caplog: pytest.LogCaptureFixture) -> None:
        """RFC 6750 section 3.1: 403, the scopes in the challenge, and the setting in the log."""
        world = protect(required_scopes="read,write:all")
        answer = world.request("/orders", token=user(scope="read"))
        assert (answer.status, answer.error, answer.passed) == (403, "insufficient_scope", False)
        assert challenge(answer).startswith('Bearer realm="api", error="insufficient_scope", error_description="')
        assert challenge(answer).endswith('", scope="read write:all"')
        assert "403 GET /orders missing_scope: token has scope='read', JWT_REQUIRED_SCOPES wants" in caplog.text
        assert world.request(token=user(scope="write:all x read")).status == 200

    def test_it_is_decided_on_every_request(self, protect: Protect) -> None:
        """A remembered token is refused as it was the first time."""
        world = protect(required_scopes="read")
        assert [world.request(token=user()).status for _ in range(3)] == [403] * 3

    def test_open_paths_stay_open(self, protect: Protect) -> None:
        """Exempt: nothing is looked at. Optional: anonymous passes, a token must carry them."""
        world = protect(required_scopes="read", exempt_paths="/health", optional_paths="/feed")
        assert world.request("/health", token=user()).user.identity == ""
        assert world.request("/feed").user.identity == ""
        assert world.request("/feed", token=user()).status == 403
        assert world.request("/feed", token=user(scope="read")).user.identity == "42"

    @pytest.mark.parametrize("value", ["a b", 'a"', "a\\b", "ä", "a,b\n c", "", " , "])
    def test_what_cannot_stand_in_a_challenge_is_no_scope(self, protect: Protect, value: str) -> None:
        """RFC 6749 section 3.3, conformance row A10."""
        with pytest.raises(ConfigurationError, match="JWT_REQUIRED_SCOPES"):
            protect(required_scopes=value)


DEMANDS = [
    pytest.param('scopes = ["a", "b"]', {"scope": "b a c"}, {"scope": "a"}, "missing_scope", id="all-scopes"),
    pytest.param('scopes = "a"', {"scope": "a"}, {"scope": "A aa"}, "missing_scope", id="scope-case"),
    pytest.param('any_scopes = ["a", "b"]', {"scope": "b"}, {"scope": "c"}, "missing_scope", id="any-scope"),
    pytest.param('roles = ["a", "b"]', {"roles": ["b", "a"]}, {"roles": ["a"]}, "missing_role", id="all-roles"),
    pytest.param('any_roles = ["a", "b"]', {"roles": ["b"]}, {"scope": "a"}, "missing_role", id="any-role"),
    pytest.param('claims = { t = "a" }', {"t": "a"}, {"t": "b"}, "wrong_claim", id="claim"),
    pytest.param('claims = { t = "a" }', {"t": ["b", "a"]}, {"t": ["b"]}, "wrong_claim", id="claim-list"),
    pytest.param('claims = { t = "a" }', {"t": "a"}, {}, "wrong_claim", id="claim-absent"),
    pytest.param("claims = { t = true }", {"t": True}, {"t": 1}, "wrong_claim", id="claim-true-is-not-1"),
    pytest.param("claims = { t = 1 }", {"t": 1}, {"t": "1"}, "wrong_claim", id="claim-1-is-not-text"),
    pytest.param("claims = { t = 1 }", {"t": 1}, {"t": True}, "wrong_claim", id="claim-1-is-not-true"),
    pytest.param('claims = { "o.id" = "a" }', {"o": {"id": "a"}}, {"o": "a"}, "wrong_claim", id="claim-dotted"),
    pytest.param('claims = { "o.id" = "a" }', {"o.id": "a"}, {"o": {"id": ["b"]}}, "wrong_claim", id="claim-whole"),
    pytest.param('claims = { a = "1", b = "2" }', {"a": "1", "b": "2"}, {"a": "1"}, "wrong_claim", id="two-claims"),
    pytest.param(
        'scopes = "a"\nroles = "r"', {"scope": "a", "roles": "r"}, {"scope": "a"}, "missing_role", id="scope-and-role"
    ),
]


@pytest.mark.parametrize(("demand", "good", "bad", "reason"), DEMANDS)
def test_a_rule_asks_for_it(
    protect: Protect,
    write: Write,
    demand: str,
    good: dict[str, Any],
    bad: dict[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who has it passes; who lacks it gets 403 and a log line that names the rule; elsewhere nothing is asked."""
    world = protect(rules_file=write(rule("/admin/**", demand)))
    assert world.request("/admin/x", token=user(**good)).user.identity == "42"
    answer = world.request("/admin/x", token=user(**bad))
    assert (answer.status, answer.error) == (403, "insufficient_scope")
    assert f"403 GET /admin/x {Reason(reason)}: token has " in caplog.text
    assert "rule 1 (/admin/**) wants" in caplog.text
    assert world.request("/admin/x").status == 401
    assert world.request("/elsewhere", token=user(**bad)).status == 200


def test_the_challenge_names_scopes_that_would_do(protect: Protect, write: Write) -> None:
    """All that are asked for, the settings' included, and one where one of several is enough; none for a role."""
    text = rule("/a", 'scopes = ["x"]\nany_scopes = ["y", "z"]') + rule("/b", 'roles = "r"')
    world = protect(rules_file=write(text), required_scopes="base")
    for has in ("", "base", "x y"):
        answer = world.request("/a", token=user(scope=has))
        assert challenge(answer).endswith(', scope="base x y"')
    assert world.request("/a", token=user(scope="base x z")).status == 200
    assert challenge(world.request("/b", token=user(scope="base"))).endswith(', scope="base"')
    assert "scope=" not in challenge(protect(rules_file=write(rule("/b", 'roles = "r"'))).request("/b", token=user()))


class TestMaxAuthAge:
    """RFC 9470: the user must have signed in recently."""

    @pytest.fixture
    def world(self, protect: Protect, write: Write) -> World:
        """Five minutes, and five seconds of leeway."""
        return protect(rules_file=write(rule("/pay", 'max_auth_age = "5m"')), leeway=5)

    @pytest.mark.parametrize("age", [0, 304, -5], ids=["now", "just-in-time", "clock-ahead"])
    def test_recent_is_good(self, world: World, age: int) -> None:
        """Within the age and the leeway."""
        assert world.request("/pay", token=user(auth_time=NOW - age)).status == 200

    @pytest.mark.parametrize(
        "auth_time", [NOW - 305, NOW + 6, str(NOW), True, None, [NOW], float(2**60)],
        ids=["old", "future", "text", "true", "null", "list", "huge"],
    )  # fmt: skip
    def test_anything_else_asks_to_sign_in_again(
        self, world: World, auth_time: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """401 with the age, and the rule in the log."""
        answer = world.request("/pay", token=user(auth_time=auth_time))
        assert (answer.status, answer.error) == (401, "insufficient_user_authentication")
        assert 'error="insufficient_user_authentication"' in challenge(answer)
        assert challenge(answer).endswith('", max_age="300"')
        assert "401 GET /pay stale_authentication: " in caplog.text

    def test_absent_is_not_recent(self, world: World) -> None:
        """A token that does not say when is as one from long ago."""
        assert world.request("/pay", token=user()).error == "insufficient_user_authentication"

    def test_a_remembered_token_grows_old(self, world: World, clock: Clock) -> None:
        """The age is looked at each time."""
        text = user(auth_time=NOW)
        assert world.request("/pay", token=text).status == 200
        clock.now += 305
        assert world.request("/pay", token=text).error == "insufficient_user_authentication"


# --- which rule wins -------------------------------------------------------------------------------------------------

OPEN = "exempt = true"
FILE = "".join(
    (
        rule("/health", OPEN), rule("/feed", 'optional = true\nscopes = "feed"'), rule("/open/**", OPEN),
        rule("/admin/help"), rule("/admin/**", 'roles = "admin"'),
        rule("/items/*", 'methods = ["GET", "OPTIONS"]\noptional = true'),
        rule("/items/**", 'methods = "DELETE"\nroles = "admin"'),
        rule("/ws/**", 'websocket = true\nscopes = "ws"'), rule("/a/*/b/**/c", 'roles = "c"'),
    )
)  # fmt: skip

WINNERS = [
    ("GET", "/health", "nothing", 1), ("POST", "/health", "nothing", 1), ("GET", "/health/", "token", None),
    ("GET", "/healthz", "token", None), ("GET", "/feed", "optional", 2), ("GET", "/feed/", "token", None),
    ("GET", "/open", "nothing", 3), ("GET", "/open/", "nothing", 3), ("GET", "/open/a/b", "nothing", 3),
    ("GET", "/opener", "token", None), ("GET", "/admin/help", "token", 4), ("GET", "/admin/help/", "token", 4),
    ("GET", "/admin", "token", 5), ("GET", "/admin/", "token", 5), ("GET", "/admin/help/x", "token", 5),
    ("GET", "/administrator", "token", None), ("GET", "/items/1", "optional", 6), ("HEAD", "/items/1", "optional", 6),
    ("GET", "/items/", "token", None), ("GET", "/items/1/", "token", None), ("POST", "/items/1", "token", None),
    ("DELETE", "/items/1", "token", 7), ("DELETE", "/items", "token", 7), ("WEBSOCKET", "/ws/x", "token", 8),
    ("GET", "/ws/x", "token", None), ("WEBSOCKET", "/admin", "token", 5), ("GET", "/a/1/b/c", "token", 9),
    ("GET", "/a/1/b/2/3/c/", "token", 9), ("GET", "/a/b/c", "token", None), ("GET", "/a//b/c", "token", None),
    ("GET", "/", "token", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "need", "number"), WINNERS, ids=lambda value: str(value))
def test_the_first_that_matches_wins(write: Write, method: str, path: str, need: str, number: int | None) -> None:
    """By whole segments and by method; what opens matches exactly, what demands with or without a last slash."""
    rules = loaded(write(FILE), required_scopes=("read",))
    verdict = rules.verdict(method, path, handshake=method == "WEBSOCKET")
    assert verdict.need is Need(need)
    assert (verdict.demands == ()) is (need == "nothing")
    if method != "WEBSOCKET":
        assert rules.verdict(method, path) == verdict
    if number is not None:
        assert verdict.source == rules.rules[number - 1].name
    elif is_plain(path):
        assert verdict.source == "no rule"


def test_a_path_that_no_rule_matches_needs_a_token(protect: Protect, write: Write) -> None:
    """Deny by default, with JWT_REQUIRED_SCOPES where they are set."""
    world = protect(rules_file=write(FILE), required_scopes="read")
    assert world.request("/else").status == 401
    assert world.request("/else", token=user()).status == 403
    assert world.request("/else", token=user(scope="read")).status == 200


def test_the_lists_come_first(protect: Protect, write: Write) -> None:
    """JWT_EXEMPT_PATHS and JWT_OPTIONAL_PATHS win over the file."""
    world = protect(rules_file=write(rule("/**", 'roles = "r"')), exempt_paths="/health", optional_paths="/feed/**")
    assert world.request("/health").passed
    assert world.request("/feed/x").passed
    assert world.request("/feed/x", token=user()).passed
    assert world.request("/x", token=user()).status == 403


def test_rules_are_matched_below_the_mount(protect: Protect, write: Write) -> None:
    """The path is the one that the app sees."""
    world = protect(rules_file=write(rule("/admin/**", 'roles = "r"') + rule("/health", OPEN)))
    assert world.request("/admin/x", mount="/v1", token=user()).status == 403
    assert world.request("/health", mount="/v1").passed
    assert world.request("/v1/health").status == 401


def test_an_exempt_rule_does_not_look_at_the_token(protect: Protect, write: Write) -> None:
    """As JWT_EXEMPT_PATHS; an optional one does, as JWT_OPTIONAL_PATHS: absent, never invalid."""
    world = protect(rules_file=write(FILE))
    assert world.request("/health", token="junk").user.identity == ""
    assert world.request("/health", token=user()).user.identity == ""
    assert world.request("/feed").user.identity == ""
    assert world.request("/feed", token="junk").status == 401
    assert world.request("/feed", token=user()).status == 403
    assert world.request("/feed", token=user(scope="feed")).user.identity == "42"


def test_a_preflight_comes_before_the_rules(protect: Protect, write: Write) -> None:
    """A true preflight brings no credential, so it passes as anonymous."""
    headers = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")]
    world = protect(rules_file=write(rule("/**", 'roles = "r"')), required_scopes="a")
    assert world.request(method="OPTIONS", headers=headers).user.identity == ""
    assert world.request(method="OPTIONS", headers=headers[:1]).status == 401


def test_a_handshake_has_rules_of_its_own(write: Write) -> None:
    """By `websocket = true` or the method WEBSOCKET; an HTTP request that calls its method so is no handshake."""
    text = rule("/ws/**", 'methods = ["WEBSOCKET"]\nexempt = true') + rule("/feed", "websocket = true\nexempt = true")
    world = ASGIWorld(secret_key=SECRET, rules_file=write(text))
    for path in ("/ws/x", "/feed"):
        assert _handshake(world, path) == []
        assert world.request(path, method="WEBSOCKET").status == 401
        assert WSGIWorld(secret_key=SECRET, rules_file=write(text)).request(path, method="WEBSOCKET").status == 401
    assert _handshake(world, "/other") == [{"type": "websocket.close", "code": 1008}]


def _handshake(world: ASGIWorld, path: str) -> list[Any]:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["user"].identity == ""

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    world.middleware.app = app
    world.runner.run(world.middleware({"type": "websocket", "path": path, "headers": []}, receive, send))
    return sent


# --- what can be read in several ways --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/open/../admin", "//admin/x", "/open/x;y", "/open/%2e", "open", "/open\\x", "\xff"])
def test_an_ambiguous_path_gets_every_check(protect: Protect, write: Write, path: str) -> None:
    """Never open, and what any rule of its method asks for is asked for, so no reading gets around one."""
    world = protect(rules_file=write(FILE))
    everything = {"roles": ["admin", "c"], "scope": "feed ws"}
    assert world.request(path).status == 401
    assert world.request(path, token=user()).status == 403
    assert world.request(path, token=user(**everything | {"roles": ["admin"]})).status == 403
    assert world.request(path, token=user(**everything)).status == 200


def test_an_ambiguous_path_is_asked_for_the_required_scopes_too(protect: Protect, write: Write) -> None:
    """JWT_REQUIRED_SCOPES holds wherever a token is looked at."""
    world = protect(rules_file=write(rule("/health", OPEN)), required_scopes="read")
    assert world.request("//health", token=user()).status == 403
    assert world.request("//health", token=user(scope="read")).status == 200


def test_a_path_without_meaning_gets_every_check(write: Write) -> None:
    """One that is not UTF-8 is not read at all."""
    world = WSGIWorld(secret_key=SECRET, clock=Clock(), rules_file=write(FILE))
    extra = {"PATH_INFO": "/open/\xff"}
    assert world.request(extra=extra).status == 401
    assert world.request(extra=extra, token=user()).status == 403


def test_only_rules_before_a_catch_all_can_be_met(protect: Protect, write: Write) -> None:
    """Whatever the path is, a rule for all paths takes it; what comes after is for other methods."""
    text = rule("/a/**", 'methods = "GET"\nroles = "a"') + rule("/**", 'methods = "GET"\nroles = "b"')
    world = protect(rules_file=write(text + rule("/c", 'roles = "c"')))
    assert world.request("//x", token=user(roles=["a"])).status == 403
    assert world.request("//x", token=user(roles=["a", "b"])).status == 200
    assert world.request("//x", method="POST", token=user(roles=["a", "b"])).status == 403
    assert world.request("//x", method="POST", token=user(roles=["c"])).status == 200


@pytest.mark.parametrize("path", [None, "//x", "/\uff58"], ids=["unreadable", "ambiguous", "another-form"])
def test_a_handshake_meets_a_catch_all_for_handshakes(write: Write, path: str | None) -> None:
    """It is never taken for an HTTP request whose method can be read in two ways."""
    text = rule("/**", 'websocket = true\nroles = "a"') + rule("/x", 'methods = "GET"\nwebsocket = true\nroles = "b"')
    verdict = loaded(write(text)).verdict("WEBSOCKET", path, handshake=True)
    assert [demand.source for demand in verdict.demands] == ["rule 1 (/**)"]
    assert verdict.source == "every rule that a reading of it could meet"


def test_another_form_of_a_letter_gets_every_check(protect: Protect, write: Write) -> None:
    """Full-width letters are `admin` to an app that normalises; what is in the usual form is one path alone."""
    world = protect(rules_file=write(rule("/admin", 'roles = "r"') + rule("/f\u00fcr", OPEN)))
    for method in ("GET", "get"):  # which can be read in several ways, too
        assert world.request("/\uff41dmin", method=method, token=user()).status == 403
    assert world.request("/f\u00fcr").passed
    assert world.request("/fu\u0308r").status == 401


@pytest.mark.parametrize("method", ["get", "Get", "head", "gET"])
def test_a_method_that_apps_read_in_two_ways_gets_every_check(protect: Protect, write: Write, method: str) -> None:
    """Django takes `get` for GET, Starlette does not: both readings' rules hold, and neither opens."""
    text = rule("/a", 'methods = "GET"\nroles = "r"') + rule("/b", 'methods = "GET"\nexempt = true')
    world = protect(rules_file=write(text + rule("/**", 'scopes = "s"')))
    assert world.request("/b", method="GET").passed
    assert world.request("/b", method=method).status == 401
    assert world.request("/b", method=method, token=user(scope="s")).status == 200
    assert world.request("/a", method=method, token=user(scope="s")).status == 403
    assert world.request("/a", method=method, token=user(roles=["r"])).status == 403
    assert world.request("/a", method=method, token=user(scope="s", roles=["r"])).status == 200


def test_without_a_file_ambiguous_paths_are_as_they_were(protect: Protect) -> None:
    """A token and JWT_REQUIRED_SCOPES."""
    world = protect(exempt_paths="/open/**", required_scopes="read")
    assert world.request("/open/../x").status == 401
    assert world.request("/open/../x", token=user()).status == 403
    assert world.request("/open/../x", token=user(scope="read")).status == 200


_segments = st.sampled_from(["open", "admin", "feed", "items", "health", "1", "a", "b", "c", "", ".", "..", "ä", "x y"])
_paths = st.lists(_segments, max_size=5).map(lambda parts: "/" + "/".join(parts))
_STRICTNESS = (Need.NOTHING, Need.OPTIONAL, Need.TOKEN)


def _encoded(path: str, how: list[bool]) -> bytes:
    pieces = (f"%{byte:02x}" if how and how[n % len(how)] else quote(bytes([byte]), safe="/") for n, byte in
              enumerate(path.encode()))  # fmt: skip
    return "".join(pieces).encode()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """The rules of this module's file, and the two lists."""
    file = tmp_path_factory.mktemp("rules") / "rules.toml"
    file.write_text(FILE)
    return loaded(file, exempt_paths=("/static/**",), optional_paths=("/b",))


@settings(max_examples=400, deadline=None)
@given(_paths, st.lists(st.booleans(), max_size=6))
@example("/open/a/b", [True])
@example("/open/a", [False])
def test_encoding_a_path_otherwise_only_closes(compiled: Rules, path: str, how: list[bool]) -> None:
    """However the same path is spelled on the wire, it needs at least what it needs in its plain form."""
    plain = compiled.verdict("GET", path, quote(path, safe="/").encode())
    other = compiled.verdict("GET", path, _encoded(path, how))
    assert _STRICTNESS.index(other.need) >= _STRICTNESS.index(plain.need)
    assert set(plain.demands) <= set(other.demands)


@settings(max_examples=400, deadline=None)
@given(_paths, _paths, st.sampled_from(["GET", "POST", "DELETE", "HEAD"]), st.sampled_from(["//", "/../", ";", "%2f"]))
def test_an_ambiguous_path_is_asked_for_what_any_reading_is(
    compiled: Rules, path: str, reading: str, method: str, trick: str
) -> None:
    """Whatever path an app may make of it, that path's demands are among those that were made."""
    asked = compiled.verdict(method, path + trick + reading)
    assert asked.need is Need.TOKEN
    if is_plain(reading):
        assert set(compiled.verdict(method, reading).demands) <= set(asked.demands)
        assert set(compiled.verdict(method, reading).demands) <= set(compiled.verdict(method, None).demands)


@settings(max_examples=200, deadline=None)
@given(_paths, st.sampled_from(["GET", "DELETE", "WEBSOCKET", "POST"]), st.data())
def test_another_case_of_a_method_only_closes(compiled: Rules, path: str, method: str, data: st.DataObject) -> None:
    """`dElEtE` gets at least the checks of `DELETE`, and of what is none of the methods named."""
    odd = "".join(data.draw(st.sampled_from((letter, letter.lower()))) for letter in method)
    assume(odd != method)
    other = compiled.verdict(odd, path)
    for plain in (method, "OTHER"):
        verdict = compiled.verdict(plain, path)
        assert _STRICTNESS.index(other.need) >= _STRICTNESS.index(verdict.need)
        assert set(verdict.demands) <= set(other.demands)


# --- what refuses to start -------------------------------------------------------------------------------------------

BAD_FILES = [
    ("", "holds no [[rule]]", "empty-file"),
    ("rule = []", "holds no [[rule]]", "no-rules"),
    ('[rule]\npath = "/x"', "holds no [[rule]]", "one-table"),
    ("rule = [1]", "rule 1 is not a table", "no-table"),
    ("x = ", "is not TOML: ", "not-toml"),
    ("x = " + "[" * 9000, "is not TOML: ", "deep"),
    ('version = 1\n[[rule]]\npath="/x"\nexempt=true', "holds 'version', where only [[rule]] may stand", "top-level"),
    ("[[rule]]", "rule 1 is empty", "empty"),
    (rule("/a") + "[[rule]]", "rule 2 is empty", "second-empty"),
    ('[[rule]]\npath = "/x"', "rule 1 says nothing", "path-alone"),
    ('[[rule]]\npath = "/x"\nmethods = "GET"', "rule 1 says nothing", "path-and-method"),
    ('[[rule]]\nroles = "r"', "rule 1 has no path", "no-path"),
    (rule(more='scope = "a"'), "rule 1 has the unknown key 'scope': did you mean scopes?", "near-key"),
    (rule(more="colour = 1"), "rule 1 has the unknown key 'colour'", "unknown-key"),
    (rule(more="exempt = false"), "rule 1 (exempt) can only be true", "false"),
    (rule(more="optional = 1"), "rule 1 (optional) can only be true", "flag-type"),
    (rule(more='exempt = true\nscopes = "a"'), "rule 1 contradicts itself", "exempt-and-scopes"),
    (rule(more="exempt = true\noptional = true"), "rule 1 contradicts itself", "exempt-and-optional"),
    (rule(more="authenticated = true\noptional = true"), "rule 1 contradicts itself", "token-and-optional"),
    (rule(more="scopes = []"), "rule 1 (scopes) must be a text or a list of texts", "no-scopes"),
    (rule(more='scopes = ""'), "rule 1 (scopes) must be a text or a list of texts", "empty-scope"),
    (rule(more="scopes = 1"), "rule 1 (scopes) must be a text or a list of texts", "scope-type"),
    (rule(more='scopes = ["a", 1]'), "rule 1 (scopes) must be a text or a list of texts", "scope-part-type"),
    (rule(more='scopes = "a b"'), "rule 1 (scopes) takes scopes of printable ASCII", "A10-space"),
    (rule(more="any_scopes = 'a\"b'"), "rule 1 (any_scopes) takes scopes of printable ASCII", "A10-quote"),
    (rule(more="roles = {}"), "rule 1 (roles) must be a text or a list of texts", "roles-type"),
    (rule(more="claims = {}"), "rule 1 (claims) must be a table", "no-claims"),
    (rule(more='claims = "a"'), "rule 1 (claims) must be a table", "claims-type"),
    (rule(more="claims = { a = 1.5 }"), "rule 1 (claims) takes texts, whole numbers, true and false", "claim-float"),
    (rule(more="claims = { a = [1] }"), "rule 1 (claims) takes texts, whole numbers, true and false", "claim-list"),
    *((rule(more=f"claims = {{ a = {n} }}"), "rule 1 (claims) takes whole numbers of 64 bits", name) for n, name in (
        (2**63, "claim-2-63"), (-(2**63) - 1, "claim-minus-2-63"), ("0x" + "f" * 4000, "claim-beyond-writing"))),
    (rule(more="max_auth_age = 0"), "rule 1 (max_auth_age) must be at least 1 seconds", "age-0"),
    (rule(more='max_auth_age = "x"'), "rule 1 (max_auth_age) must be a duration", "age-text"),
    (rule(more='methods = "get"\nexempt = true'), "rule 1 (methods) must be methods in upper case", "lower-case"),
    (rule(more='methods = "HEAD"\nexempt = true'), "rule 1 (methods) must not name HEAD", "head"),
    (rule(more='methods = []\nroles = "r"'), "rule 1 (methods) must be a text or a list", "no-methods"),
    (rule("/**", "exempt = true"), "rule 1 would open every path", "exempt-everything"),
    ('[[rule]]\npath = ["/", "/*/**"]\nexempt = true', "rule 1 would open every path", "exempt-everything-by-two"),
    *((rule(path), "rule 1 must be a path such as", f"path-{n}") for n, path in enumerate(
        ("x", "/a*", "/***", "/a**/b", "/a//b", "/a/../b", "/{id}", "/a?b", "/a;b", "/%2e", "/[a]", "/a#b", "/\u2028",
         "/\ufffd"))),
    (rule("/\uff41"), "rule 1 must be in Unicode's form NFKC", "full-width"),
    (rule("/**/a/**"), "rule 1 may have one ** only", "two-stars"),
    (rule("/a" * 65), "rule 1 may have 64 segments at most", "65-segments"),
    (rule("/a") + rule("/a", 'roles = "r"'), "rule 2 is wholly shadowed", "same"),
    (rule("/a/**") + rule("/a/*/b", 'roles = "r"'), "rule 2 is wholly shadowed", "below"),
    (rule("/a/", 'roles = "r"') + rule("/a"), "rule 2 is wholly shadowed", "last-slash"),
    (rule("/a/**", OPEN) + rule("/a/", 'roles = "r"'), "rule 2 is wholly shadowed", "slash-below-open"),
    (rule("/a", 'methods = ["GET"]\nroles = "r"') + rule("/a", 'methods = ["POST"]\nroles = "r"')
     + rule("/a", 'methods = ["GET", "POST"]\nexempt = true'), "rule 3 is wholly shadowed", "by-two-methods"),
    (rule("/a") + rule("/a/*/**") + rule("/a/**", 'roles = "r"'), "rule 3 is wholly shadowed", "by-two-paths"),
    (rule("/**") + rule("/x", "websocket = true\nexempt = true"), "rule 2 is wholly shadowed", "socket-by-all"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), [pytest.param(*case[:2], id=case[2]) for case in BAD_FILES])
def test_a_file_that_does_not_fit_refuses_to_start(protect: Protect, write: Write, text: str, problem: str) -> None:
    """Every problem names the file's variable and the rule's number."""
    with pytest.raises(ConfigurationError) as caught:
        protect(rules_file=write(text))
    assert any(f"JWT_RULES_FILE: {problem}" in found for found in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("pathxx = 1", "rule 1 has the unknown key 'pathxx': did you mean path?"),
        ("pathxxx = 1", "rule 1 has the unknown key 'pathxxx'"),
        ('methods = "get"', "rule 1 (methods) must be methods in upper case, such as GET"),
        (f"claims = {{ a = {2**63} }}", "rule 1 (claims) takes whole numbers of 64 bits, as TOML does"),
        ("exempt = true", "rule 1 would open every path: leave the middleware out, or use optional"),
    ],
    ids=["two-edits", "three-edits", "methods", "claims", "everything"],
)
def test_a_problem_is_told_to_the_letter(protect: Protect, write: Write, more: str, problem: str) -> None:
    """What is wrong, and what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        protect(rules_file=write(rule("/**", more)))
    assert caught.value.problems == (f"JWT_RULES_FILE: {problem}",)


@pytest.mark.parametrize("text", ["x = ", "x = " + "1" * 5000], ids=["short", "long"])
def test_what_is_wrong_with_toml_is_told_as_it_says(protect: Protect, write: Write, text: str) -> None:
    """The reader's own words, with the place."""
    with pytest.raises(ValueError) as wrong:
        tomllib.loads(text)
    with pytest.raises(ConfigurationError) as caught:
        protect(rules_file=write(text))
    assert caught.value.problems == (f"JWT_RULES_FILE: is not TOML: {wrong.value}",)


def test_whole_numbers_of_64_bits_may_be_asked_for(protect: Protect, write: Write) -> None:
    """The least and the greatest; and a rule of several paths is named by all of them."""
    for number in (-(2**63), 2**63 - 1):
        world = protect(rules_file=write(f'[[rule]]\npath = ["/a", "/b"]\nclaims = {{ n = {number} }}'))
        assert world.request("/b", token=user(n=number)).passed
        assert world.request("/b", token=user(n=number + 1)).status == 403
    assert world.auth.core.gate._rules.rules[0].name == "rule 1 (/a, /b)"


def test_every_problem_is_told_at_once(protect: Protect, write: Write) -> None:
    """Two bad rules and a bad setting: three lines."""
    with pytest.raises(ConfigurationError) as caught:
        protect(rules_file=write("[[rule]]\n" + rule() + rule(more="x = 1")), leeway="x")
    assert len(caught.value.problems) == 3


def test_a_file_that_cannot_be_read_refuses_to_start(protect: Protect, tmp_path: Path) -> None:
    """Missing, or not UTF-8."""
    with pytest.raises(ConfigurationError, match="JWT_RULES_FILE: cannot be read: No such file"):
        protect(rules_file=tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xff\n")
    with pytest.raises(ConfigurationError, match="JWT_RULES_FILE: is not UTF-8 text"):
        protect(rules_file=tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("lists", "path"),
    [
        pytest.param({"exempt_paths": "/s/**"}, "/s/x", id="below-exempt"),
        pytest.param({"exempt_paths": "/s,/t"}, "/s", id="itself"),
        pytest.param({"exempt_paths": "/#,/s", "optional_paths": "/t/**"}, "/s", id="after-one-that-no-rule-can-have"),
        pytest.param({"optional_paths": "/**"}, "/s/x", id="below-optional"),
    ],
)
def test_the_lists_shadow_rules_too(protect: Protect, write: Write, lists: dict[str, str], path: str) -> None:
    """A rule that the two lists leave nothing to is as dead as any."""
    with pytest.raises(ConfigurationError, match=r"rule 1 is wholly shadowed .* JWT_EXEMPT_PATHS"):
        protect(rules_file=write(rule(path, "optional = true")), **lists)


def test_a_listed_path_leaves_its_last_slash(protect: Protect, write: Write) -> None:
    """`/s` of a list is `/s` alone: a rule for `/s/` is alive."""
    world = protect(rules_file=write(rule("/s/", OPEN)), exempt_paths="/s")
    assert world.request("/s/").passed


def test_a_rule_that_is_shadowed_in_part_is_none_the_worse(protect: Protect, write: Write) -> None:
    """`/s/**` of the list leaves `/s`; an exact rule leaves the trailing slash; a method leaves the others."""
    text = rule("/s/**", 'roles = "r"') + rule("/a", OPEN) + rule("/a", 'roles = "r"')
    text += rule("/b", 'methods = "GET"\nexempt = true') + rule("/b")
    world = protect(rules_file=write(text), exempt_paths="/s/**,/#")
    assert world.request("/s", token=user()).status == 403
    assert world.request("/a/", token=user()).status == 403


def test_a_listed_path_that_no_rule_can_be_about_shadows_none(protect: Protect, write: Write) -> None:
    """The lists take any Unicode form and any length; a rule does not, and may still be about what is near."""
    text = rule("/a" * 64, 'roles = "r"') + rule("/a", 'roles = "r"')
    world = protect(rules_file=write(text), exempt_paths=["/\uff41", "/a" * 65, "/a" * 65 + "/**"])
    assert world.request("/a", token=user()).status == 403
    assert world.request("/a" * 64, token=user()).status == 403
    assert world.request("/\uff41").passed
    assert world.request("/a" * 66).passed


_values = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5),
    st.lists(st.sampled_from(["GET", "/a", "a", 1, ""]), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers()),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([*rulebook.KEYS, "x"]), _values, max_size=3) | _values, max_size=3))
def test_any_tables_are_rules_or_problems(tables: list[Any]) -> None:
    """Whatever stands in the file, only a ConfigurationError may come of it."""
    problems: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rulebook, "_tables", lambda file, problems: tables)
        rules = rulebook.load(Settings(rules_file=Path()), problems)
    assert bool(problems) or len(rules.rules) == len(tables)


def test_many_rules_are_compiled_and_shadowing_is_still_seen(write: Write) -> None:
    """Some hundreds, with stars among them."""
    text = "".join(rule(f"/area{n}/*/b/**", f'roles = "r{n}"') + rule(f"/area{n}/**") for n in range(150))
    problems: list[str] = []
    rulebook.load(Settings(rules_file=write(text + rule("/**") + rule("/*/b"))), problems)
    assert len(problems) == 1
    assert "rule 302 is wholly shadowed" in problems[0]


# --- patterns --------------------------------------------------------------------------------------------------------

_pieces = st.lists(st.sampled_from(["a", "b", "*"]), max_size=3)


@st.composite
def _pattern(draw: st.DrawFn) -> Pattern:
    head, tail = draw(_pieces), draw(st.none() | _pieces)
    text = "/" + "/".join([*head, *(() if tail is None else ("**", *tail))])
    return Pattern.parse(text + draw(st.sampled_from(["", "/"])) if text != "/" else text, exact=draw(st.booleans()))


def _all_paths(depth: int) -> Iterator[list[str]]:
    paths: list[list[str]] = [[]]
    for _ in range(depth):
        paths = [*paths, *([*path, name] for path in paths if path == [] or len(path) for name in ("a", "b", "z"))]
    for path in {tuple(path) for path in paths}:
        yield [*path, ""]
        if path:
            yield list(path)


ALL_PATHS = list(_all_paths(5))


@settings(max_examples=300, deadline=None)
@given(_pattern(), st.lists(_pattern(), max_size=3))
def test_cover_means_that_no_path_is_left(pattern: Pattern, others: list[Pattern]) -> None:
    """The automata agree with the matcher on every path of up to five segments."""
    left = [p for p in ALL_PATHS if pattern.matches(p) and not any(other.matches(p) for other in others)]
    if left:
        assert not is_covered(pattern, others), left[0]
    elif all(len(each.head) + len(each.tail or ()) <= 3 for each in (pattern, *others)):
        assert is_covered(pattern, others)


def test_whether_a_path_is_left_is_found_out_in_time() -> None:
    """Which of the last sixty segments were `a` is 2**60 cases, and of all of them one path is enough."""
    lengths = ["/", *("/*" * count for count in range(1, 61))]
    covering = ["/**/a" + "/*" * 60, "/**" + "/*" * 61, *lengths]
    patterns = [Pattern.parse(text, exact=False) for text in covering]
    everything = Pattern.parse("/**", exact=True)
    assert is_covered(everything, patterns)
    assert not is_covered(everything, patterns[:-1])


@pytest.mark.parametrize("exact", [True, False])
def test_a_pattern_has_64_segments_at_most(exact: bool) -> None:
    """A `**` is one of them, and a last slash that does not count is none."""
    longest = "/a" * 63 + "/**"
    assert Pattern.parse(longest, exact=exact).matches(["a"] * 64)
    assert Pattern.parse("/a" * (63 if exact else 64) + "/", exact=exact)
    for text in (longest + "/a", "/a" * 65):
        with pytest.raises(ValueError, match="may have 64 segments at most"):
            Pattern.parse(text, exact=exact)


@given(st.text(alphabet=string.printable, max_size=30))
def test_any_text_is_a_pattern_or_a_value_error(text: str) -> None:
    """And what is one matches what it says, if it has no star."""
    try:
        pattern = Pattern.parse(text, exact=True)
    except ValueError:
        return
    if "*" not in text:
        assert pattern.matches(text.split("/")[1:])


def test_nothing_configured_is_nothing_on_the_path(protect: Protect, write: Write) -> None:
    """Without rules the gate is not guarded: a known token goes from memory straight to the app."""
    assert not protect().auth.core.gate.guarded
    assert not protect(optional_paths="/x").auth.core.gate.guarded
    for more in ({"required_scopes": "a"}, {"rules_file": write(rule())}, {"exempt_paths": "/x"}):
        assert protect(**more).auth.core.gate.guarded


@pytest.mark.parametrize(
    ("path", "mount", "below"),
    [
        ("/api/x", "/api", "/x"),
        ("/api/x", "/api/", "/x"),
        ("/api/x/api/y", "/api", "/x/api/y"),
        ("/x", "/api", "/x"),
        ("/fooX/a", "/fooX", "/a"),
        ("/x", "", "/x"),
        ("/x", "/", "/x"),
    ],
)
def test_a_mount_is_taken_off_by_whole_segments(path: str, mount: str, below: str) -> None:
    """As all frameworks read it."""
    assert below_mount(path, mount) == below


@pytest.mark.parametrize(
    ("path", "mount"),
    [("/apix", "/api"), ("/api", "/api"), ("/x/api/y", "/api"), ("/x/api", "/api/"), ("/apix/api/y", "/api")],
)
def test_a_mount_that_frameworks_would_cut_off_otherwise(path: str, mount: str) -> None:
    """In the middle of the path or of a segment: what is left is no plain path, so every check is made."""
    assert not is_plain(below_mount(path, mount))


def test_a_demand_says_what_it_asks_for():
    """`explain` prints it; every kind of demand has its words."""
    demand = Demand("rule 1", scopes=("a",), any_roles=("x", "y"), claims=(("tenant", "acme"),), max_auth_age=60)
    assert str(demand) == "scope a, role any of x y, tenant = 'acme', a sign-in at most 60 s ago"
