"""Settings: one declaration each, parsed strictly, every problem at once, and no value ever repeated."""

from __future__ import annotations

import logging
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute

from jwt_middleware import parsing
from jwt_middleware import settings as module
from jwt_middleware.settings import DECLARATIONS, Loaded, Settings, load, variable
from tests.worlds import SECRET

OTHER = "tR4wXz8LqB1nVfJ6yHcM0sKdP9gU3eAo"


def read(environ: dict[str, str] | None = None, **keywords: Any) -> Loaded:
    return load(environ or {}, keywords)


def value(name: str, raw: Any) -> Any:
    """Return the value of one setting, the same from the environment (if it is a text) and as a keyword."""
    by_keyword = read(**{name: raw})
    assert by_keyword.problems == []
    if isinstance(raw, str):
        by_variable = read({variable(name): raw})
        assert by_variable.problems == []
        assert getattr(by_variable.settings, name) == getattr(by_keyword.settings, name)
    return getattr(by_keyword.settings, name)


def problem(name: str, raw: Any) -> str:
    """Return the only problem of one setting."""
    found = read(**{name: raw}).problems
    assert len(found) == 1, found
    if isinstance(raw, str):
        assert read({variable(name): raw}).problems == found
    assert found[0].startswith(variable(name) + " ")
    return found[0].removeprefix(variable(name) + " ")


A_RATE = "must be one rate, such as 100/minute or 10 per 5 minutes"
EMPTY = "is set but empty: unset it or give it a value"
PLAIN = "takes plain paths such as /health, and /static/** for all below; nothing else"


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("issuer", " https://idp.example/ ", "https://idp.example/"),
        ("audience", "a, b ,,c", ("a", "b", "c")),
        ("audience", ["a", "b"], ("a", "b")),
        ("audience", ("a",), ("a",)),
        ("audience", {"a": 1}, ("a",)),
        ("allow_any_audience", "TRUE", True),
        ("allow_any_audience", "off", False),
        ("allow_any_audience", " 1 ", True),
        ("allow_any_audience", False, False),
        ("leeway", "0", 0.0),
        ("leeway", "5m", 300.0),
        ("leeway", 1.5, 1.5),
        ("leeway", "1.5", 1.5),
        ("max_age", "12h", 43200.0),
        ("max_age", "30d", 2592000.0),
        ("max_age", "2w", 1209600.0),
        ("max_age", "90 s", 90.0),
        ("max_token_bytes", "64KiB", 65536),
        ("max_token_bytes", 1024, 1024),
        ("cache_bytes", "1 MiB", 1048576),
        ("cache_bytes", "2GiB", 2147483648),
        ("cache_bytes", 0, 0),
        ("secret_key", SECRET, SECRET.encode()),
        ("secret_key", b"\x00\xff", b"\x00\xff"),
        ("secret_key", "base64:AP8=", b"\x00\xff"),
        ("previous_secret_keys", "a,base64:AP8=", (b"a", b"\x00\xff")),
        ("previous_secret_keys", [b"a", "b"], (b"a", b"b")),
        ("public_key", r"-----BEGIN\nX\n-----END", "-----BEGIN\nX\n-----END"),
        ("public_key", b"-----BEGIN", "-----BEGIN"),
        ("keys_dir", "/tmp/keys", Path("/tmp/keys")),
        ("keys_dir", Path("keys"), Path("keys")),
        ("header_name", "X-Token", "X-Token"),
        ("header_type", "", ""),
        ("header_type", " Token ", "Token"),
        ("exempt_paths", "/health, /static/**", ("/health", "/static/**")),
        ("allowed_origins", "https://a.example, http://localhost:3000", ("https://a.example", "http://localhost:3000")),
        ("trusted_proxies", "10.0.0.0/8, ::1, unix", (ip_network("10.0.0.0/8"), ip_network("::1"), "unix")),
        ("failed_attempts", "100/minute", RateLimitItemPerMinute(100)),
        ("failed_attempts", " 10 per 5 Minutes ", RateLimitItemPerMinute(10, 5)),
        ("failed_attempts", RateLimitItemPerMinute(7), RateLimitItemPerMinute(7)),
        ("revocation", "off", "off"),
        ("store_prefix", "a:b.c-d_e", "a:b.c-d_e"),
        ("realm", "My API", "My API"),
        ("forward_claims", "X-Id=sub, X-Roles = a.b", (("X-Id", "sub"), ("X-Roles", "a.b"))),
        ("forward_claims", {"X-Id": "sub"}, (("X-Id", "sub"),)),
        ("forward_claims", ["X-Id=https://x/?a=b"], (("X-Id", "https://x/?a=b"),)),
        ("app", "a.b:c.d", "a.b:c.d"),
        ("access_token_expires", "15m", 900.0),
        ("metrics_path", " /metrics ", "/metrics"),
        ("metrics_path", "/a/b,c", "/a/b,c"),
        ("on_event", "a.b:c", "a.b:c"),
        ("on_event", print, print),
    ],
    ids=str,
)
def test_a_text_or_the_thing_itself_becomes_the_value(name: str, raw: Any, expected: Any) -> None:
    """The environment has texts, keywords may have native types; both mean the same."""
    assert value(name, raw) == expected


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("issuer", "", EMPTY),
        ("issuer", "  ", EMPTY),
        ("issuer", 5, "must be a text"),
        ("audience", "", EMPTY),
        ("audience", ",", EMPTY),
        ("audience", [], EMPTY),
        ("audience", [""], EMPTY),
        ("audience", 5, "must be a list of texts"),
        ("audience", b"a", "must be a list of texts"),
        ("audience", [5], "must be a text"),
        ("allow_any_audience", "maybe", "must be true or false"),
        ("allow_any_audience", "", EMPTY),
        ("allow_any_audience", 1, "must be a text"),
        ("leeway", "301", "must be from 0 to 300 seconds"),
        ("leeway", "-1", "must be a duration: seconds, or a number with s, m, h, d or w"),
        ("leeway", -1, "must be from 0 to 300 seconds"),
        ("leeway", True, "must be a text"),
        ("leeway", float("nan"), "must be from 0 to 300 seconds"),
        ("leeway", float("inf"), "must be from 0 to 300 seconds"),
        ("leeway", 10**400, "must be from 0 to 300 seconds"),
        ("leeway", "1e3", "must be a duration: seconds, or a number with s, m, h, d or w"),
        ("leeway", "5 minutes", "must be a duration: seconds, or a number with s, m, h, d or w"),
        ("leeway", "nan", "must be a duration: seconds, or a number with s, m, h, d or w"),
        ("leeway", "٣", "must be a duration: seconds, or a number with s, m, h, d or w"),
        ("leeway", "9" * 5000, "must be a duration: seconds, or a number with s, m, h, d or w"),
        ("max_age", "0", "must be at least 1 seconds"),
        ("max_age", float("inf"), "must be at least 1 seconds"),
        ("max_token_bytes", "255", "must be from 256 to 65536 bytes"),
        ("max_token_bytes", "1MiB", "must be from 256 to 65536 bytes"),
        ("max_token_bytes", "1KB", "must be a size: bytes, or a number with KiB, MiB or GiB"),
        ("max_token_bytes", 1024.0, "must be a text"),
        ("max_token_bytes", "9" * 5000, "must be a size: bytes, or a number with KiB, MiB or GiB"),
        ("cache_bytes", "-1", "must be a size: bytes, or a number with KiB, MiB or GiB"),
        ("cache_bytes", -1, "must be at least 0 bytes"),
        ("secret_key", "", EMPTY),
        ("secret_key", b"", "is set but empty: make one with `jwt-middleware keys new`"),
        ("secret_key", "base64:!!", "begins with base64: but what follows is not base64"),
        ("secret_key", "base64:AP8", "begins with base64: but what follows is not base64"),
        ("secret_key", "\udcff", "is not UTF-8 text"),
        ("secret_key", 5, "must be a text"),
        ("previous_secret_keys", b"abc", "must be a list of secrets"),
        ("previous_secret_keys", 5, "must be a list of secrets"),
        ("public_key", "", EMPTY),
        ("keys_dir", "", EMPTY),
        ("keys_dir", "~nobody-of-that-name/x", "begins with the home folder of a user that there is not"),
        ("header_name", "X_Token", "must be a header name, with hyphens rather than underscores"),
        ("header_name", "X Token", "must be a header name, with hyphens rather than underscores"),
        ("header_name", "X-Token:", "must be a header name, with hyphens rather than underscores"),
        ("header_name", "X\r\nY", "must be a header name, with hyphens rather than underscores"),
        ("header_type", "Bearer Token", "must be one word, such as Bearer"),
        ("header_type", 5, "must be one word, such as Bearer"),
        ("realm", 'a"b', 'must be printable ASCII without " and \\'),
        ("realm", "a\\b", 'must be printable ASCII without " and \\'),
        ("realm", "a\nb", 'must be printable ASCII without " and \\'),
        ("realm", "é", 'must be printable ASCII without " and \\'),
        ("failed_attempts", "", EMPTY),
        ("failed_attempts", 100, "must be a text"),
        ("failed_attempts", "100", A_RATE),
        ("failed_attempts", "100/fortnight", A_RATE),
        ("failed_attempts", "-1/minute", A_RATE),
        ("failed_attempts", "1.5/minute", A_RATE),
        ("failed_attempts", "10/second; 100/minute", A_RATE),
        ("failed_attempts", "9" * 5000 + "/minute", A_RATE),
        ("failed_attempts", "0/minute", "must be from 1 to 1000000 in at most a year"),
        ("failed_attempts", "1000001/minute", "must be from 1 to 1000000 in at most a year"),
        ("failed_attempts", "1 per 2 years", "must be from 1 to 1000000 in at most a year"),
        ("failed_attempts", RateLimitItemPerMinute(0), "must be from 1 to 1000000 in at most a year"),
        ("forward_claims", "", EMPTY),
        ("forward_claims", {}, EMPTY),
        ("forward_claims", "X-Id", "takes headers and claims such as X-User-Id=sub,X-Email=email"),
        ("forward_claims", "X-Id=,X-Email=email", "takes headers and claims such as X-User-Id=sub,X-Email=email"),
        ("forward_claims", {"X-Id": 5}, "must be a text"),
        ("forward_claims", 5, "must be a list of texts"),
        ("revocation", "mirrored", "must be one of: direct, off"),
        ("store_prefix", "{a}", "takes up to 64 letters, digits and _ . : -"),
        ("store_prefix", "a" * 65, "takes up to 64 letters, digits and _ . : -"),
        ("app", "a.b", "must look like package.module:name"),
        ("app", "a:b:c", "must look like package.module:name"),
        ("access_token_expires", "0", "must be at least 1 seconds"),
        ("metrics_path", "", EMPTY),
        ("metrics_path", "/", "takes one plain path such as /metrics, and not /"),
        ("metrics_path", "/metrics/**", "takes one plain path such as /metrics, and not /"),
        ("metrics_path", ["/metrics"], "must be a text"),
        ("metrics_path", "metrics", PLAIN),
        ("metrics_path", "/metrics;x", PLAIN),
        ("metrics_path", "/a//b", PLAIN),
        ("metrics_path", "/a/../b", PLAIN),
        ("metrics_path", "/%6detrics", PLAIN),
        ("on_event", "a.b", "must look like package.module:name"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_does_not_fit_is_a_problem(name: str, raw: Any, said: str) -> None:
    """A problem names the variable and says what is meant; it is the same from the environment and as a keyword."""
    assert problem(name, raw) == said


@pytest.mark.parametrize(
    "pattern",
    [
        "health", "/a*", "/*/x", "/a/**/b", "/**/x", "/a?b", "/a[b]", "/{id}", "<int:x>", "/a;b", "/a%2fb", "/a\\b",
        "//a", "/a//b", "/a/../b", "/a/./b", "/a/..", "/a b", "/a\nb", "http://x/a", "*", "**", "/a/*",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["exempt_paths", "optional_paths"])
def test_only_plain_paths_are_patterns(name: str, pattern: str) -> None:
    """CVE-2022-22978 and kin: a pattern language for exemptions is where they go wrong; ours has one form."""
    assert problem(name, [pattern]).startswith("takes plain paths")


@pytest.mark.parametrize(
    "origin",
    [
        "*", "null", "https://*.example", "app.example", "https://app.example/", "https://app.example/x", "ftp://a.example",
        "https://", "HTTPS://app.example", "https://app.example?x", "https://app.example#x", "//app.example", "http://[",
        "http://[abc]", "http://a\u2100b", "https://user:password@app.example",
    ],
)  # fmt: skip
def test_origins_are_written_out(origin: str) -> None:
    """A wildcard or half an origin would let more pages read our answers than were meant."""
    assert problem("allowed_origins", [origin]).startswith("takes origins such as")


@pytest.mark.parametrize("network", ["10.0.0.1/8", "example.com", "*", "1.2.3", "10.0.0.0/33", "localhost", "UNIX"])
def test_networks_are_addresses(network: str) -> None:
    """Names are not resolved: who may say `https` is an address, a network, or a Unix socket."""
    assert problem("trusted_proxies", network) == "takes addresses, networks such as 10.0.0.0/8, and the word unix"


# --- where a value comes from ----------------------------------------------------------------------------------------


def test_without_anything_all_is_default() -> None:
    """No variable, no keyword: the defaults, and nothing to complain of here."""
    loaded = read()
    assert (loaded.settings, dict(loaded.origins), loaded.problems) == (Settings(), {}, [])


def test_a_keyword_wins_over_the_environment(tmp_path: Path) -> None:
    """The code that names a setting means it, whatever is around; the origin is told."""
    file = tmp_path / "f"
    file.write_text(OTHER)
    environ = {"JWT_ISSUER": "a", "JWT_REALM": "r", "JWT_SECRET_KEY": OTHER, "JWT_SECRET_KEY_FILE": str(file)}
    loaded = read(environ, issuer="b", secret_key=SECRET)
    assert (loaded.settings.issuer, loaded.settings.realm, loaded.problems) == ("b", "r", [])
    assert loaded.settings.secret_key == SECRET.encode()
    assert loaded.origins == {"issuer": "keyword", "realm": "environment", "secret_key": "keyword"}


def test_the_keyword_none_is_not_given() -> None:
    """`JWTMiddleware(app, issuer=None)` reads the environment, as if the keyword were not there."""
    assert read({"JWT_ISSUER": "a"}, issuer=None).settings.issuer == "a"
    assert read(issuer=None, leeway=None).settings == Settings()


def test_false_and_zero_are_given() -> None:
    """Only `None` is absent."""
    environ = {"JWT_CORS_PREFLIGHT": "true", "JWT_LEEWAY": "30", "JWT_CACHE_BYTES": "1024"}
    loaded = read(environ, cors_preflight=False, leeway=0, cache_bytes=0)
    assert (loaded.settings.cors_preflight, loaded.settings.leeway, loaded.settings.cache_bytes) == (False, 0, 0)


FROM_FILES = {"secret_key", "previous_secret_keys", "public_key", "private_key", "store_url"}


def test_the_secrets_can_be_files() -> None:
    """Design section 2: exactly these have a `_FILE` form."""
    assert {name for name, declaration in DECLARATIONS.items() if declaration.from_file} == FROM_FILES


@pytest.mark.parametrize("name", sorted(FROM_FILES))
def test_a_file_holds_the_value(name: str, tmp_path: Path) -> None:
    """`NAME_FILE` is the value without the line end that editors add; the origin says so."""
    file = tmp_path / "secret"
    for ending in ("", "\n", "\r\n"):
        file.write_text(OTHER + ending)
        loaded = read({f"{variable(name)}_FILE": str(file)})
        assert loaded.problems == []
        assert loaded.origins == {name: f"{variable(name)}_FILE"}
        found = getattr(loaded.settings, name)
        assert found in (OTHER, OTHER.encode(), (OTHER.encode(),))


@pytest.mark.parametrize("name", sorted(FROM_FILES))
def test_both_forms_together_are_a_problem(name: str, tmp_path: Path) -> None:
    """Which of them was meant? Neither is guessed, even if they are equal or empty."""
    for content in (OTHER, ""):
        environ = {variable(name): content, f"{variable(name)}_FILE": str(tmp_path / "f")}
        assert read(environ).problems == [f"{variable(name)} and {variable(name)}_FILE are both set: keep one"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda path: None, "_FILE cannot be read: No such file or directory", id="missing"),
        pytest.param(lambda path: path.mkdir(), "_FILE cannot be read: Is a directory", id="folder"),
        pytest.param(lambda path: path.write_bytes(b""), EMPTY, id="empty"),
        pytest.param(lambda path: path.write_bytes(b"\n"), EMPTY, id="blank"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe"), "is not UTF-8 text", id="not-utf-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem(make: Any, said: str, tmp_path: Path) -> None:
    """The problem names the variable, not the path and not the content."""
    path = tmp_path / "very-private-name"
    make(path)
    assert read({"JWT_SECRET_KEY_FILE": str(path)}).problems == [f"JWT_SECRET_KEY {said}".replace(" _FILE", "_FILE")]


def test_other_settings_have_no_file_form() -> None:
    """`JWT_ISSUER_FILE` is no setting: it is warned about like any other name, not read."""
    assert read({"JWT_ISSUER_FILE": "/etc/hostname"}).settings.issuer is None


# --- unknown names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JWT_ISUER", "JWT_ISSUER"),
        ("JWT_ISSUERS", "JWT_ISSUER"),
        ("JWT_ISSURE", "JWT_ISSUER"),
        ("JWT_AUDIANCE", "JWT_AUDIENCE"),
        ("JWT_AUDIENCES", "JWT_AUDIENCE"),
        ("JWT_SECRETKEY", "JWT_SECRET_KEY"),
        ("JWT_SECRET_KEYS", "JWT_SECRET_KEY"),
        ("JWT_SERCET_KEY", "JWT_SECRET_KEY"),
        ("JWT_SECRET_KEY_FIEL", "JWT_SECRET_KEY_FILE"),
        ("JWT_ALGORITHM", "JWT_ALGORITHMS"),
        ("JWT_EXEMPT_PATH", "JWT_EXEMPT_PATHS"),
        ("JWT_REQUIRE_HTTP", "JWT_REQUIRE_HTTPS"),
        ("JWT_REQUIERD_CLAIMS", "JWT_REQUIRED_CLAIMS"),
        ("JWT_STOREURL", "JWT_STORE_URL"),
        ("JWT_REVOKATION", "JWT_REVOCATION"),
        ("JWT_SECRT_KY", "JWT_SECRET_KEY"),
        ("JWT_ISUERS", "JWT_ISSUER"),
        ("JWT_AUDIENCE_ID", None),
        ("JWT_Issuer", None),
    ],
)
def test_a_name_within_two_edits_is_a_mistake(name: str, meant: str | None) -> None:
    """A misspelt setting protects nothing: it is a problem that says what was meant."""
    found = read({name: "x"}).problems
    assert found == ([f"{name} is not a setting: did you mean {meant}?"] if meant else [])


@pytest.mark.parametrize(
    "name", ["JWT_ALLOW_EVERYTHING", "JWT_ALLOW_ANY", "JWT_REQUIRE_MFA", "JWT_REQUIREMENTS", "JWT_REQUIRED_ROLES"]
)
def test_an_unknown_name_that_sounds_like_protection_is_a_problem(name: str) -> None:
    """Whoever sets `JWT_REQUIRE_…` relies on it: ignoring it would fail open."""
    assert read({name: "true"}).problems == [f"{name} is not a setting"]


@pytest.mark.parametrize(
    "name",
    [
        "JWT_SERVICE_HOST", "JWT_SERVICE_PORT", "JWT_SERVICE_PORT_HTTP", "JWT_PORT", "JWT_PORT_80_TCP",
        "JWT_PORT_80_TCP_ADDR", "JWT_PORT_80_TCP_PORT", "JWT_PORT_80_TCP_PROTO", "JWT_PORT_53_UDP",
        "JWT_API_SERVICE_HOST", "JWT_ALLOW_API_SERVICE_HOST",
    ],
)  # fmt: skip
def test_names_that_kubernetes_makes_are_ignored(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A service called `jwt` puts these into every pod: neither a problem nor a warning."""
    assert read({name: "tcp://10.0.0.1:80"}).problems == []
    assert not caplog.records


def test_other_unknown_names_warn_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of somebody else's is no reason to stop: one line per process, without its value."""
    monkeypatch.setattr(module, "_warned", set())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert read({"JWT_SOMETHING_ELSE_ENTIRELY": OTHER, "UNRELATED": "x", "jwt_issuer": "x"}).problems == []
    assert [record.getMessage() for record in caplog.records] == [
        "JWT_SOMETHING_ELSE_ENTIRELY is set, but it is not a setting of jwt_middleware: ignored"
    ]


def test_an_unknown_keyword_is_always_a_problem() -> None:
    """A keyword was written for us: there is nobody else it could be for."""
    assert read(isuer="x").problems == ["isuer= is not a setting: did you mean JWT_ISSUER?"]
    assert read(something_else="x").problems == ["something_else= is not a setting"]
    assert read(something_else=None).problems == ["something_else= is not a setting"]


@pytest.mark.parametrize("name", list(DECLARATIONS))
def test_every_known_name_is_known(name: str) -> None:
    """No setting is mistaken for another one's misspelling."""
    assert not [found for found in read({variable(name): "x"}).problems if "is not a setting" in found]


# --- problems --------------------------------------------------------------------------------------------------------


def test_all_problems_come_at_once() -> None:
    """Each bad value, each unknown name: one line each, in one go."""
    environ = {"JWT_LEEWAY": "x", "JWT_ISSUER": "", "JWT_ALLOW_X": "1", "JWT_AUDIANCE": "a", "JWT_REALM": '"'}
    found = read(environ, cache_seconds=-1, nonsense=1).problems
    assert len(found) == 7
    for name in (
        "JWT_LEEWAY",
        "JWT_ISSUER",
        "JWT_ALLOW_X",
        "JWT_AUDIANCE",
        "JWT_REALM",
        "JWT_CACHE_SECONDS",
        "nonsense=",
    ):
        assert any(line.startswith(name) for line in found), name


@pytest.mark.parametrize("name", list(DECLARATIONS))
def test_no_problem_repeats_the_value(name: str) -> None:
    """Whatever is put into whatever setting, the problem does not show it: it may have been the secret."""
    for raw in (f"base64:{OTHER}!", f'"{OTHER}"', f"http://[{OTHER}]", f"\udcff{OTHER}", f"{OTHER}\0", [OTHER + '"\0']):
        loaded = read(**{name: raw})
        assert OTHER[:10] not in "\n".join(loaded.problems)


@pytest.mark.parametrize("name", list(DECLARATIONS))
@pytest.mark.parametrize(
    "raw", ["", " ", "\0", "é" * 20, "\udcff", "9" * 5000, 5, -1, 1.5, float("nan"), 10**400, True, b"", b"\xff", [],
            [5], [[]], {}, object(), range(3)],
    ids=lambda value: ascii(value)[:12],
)  # fmt: skip
def test_no_value_raises_anything(name: str, raw: Any) -> None:
    """A value of any type or content is parsed or becomes a problem; nothing else is ever raised."""
    loaded = read(**{name: raw})
    assert len(loaded.problems) <= 1
    assert all(line.startswith(variable(name) + " ") for line in loaded.problems)


@given(st.dictionaries(st.sampled_from([variable(name) for name in DECLARATIONS]), st.text(max_size=30), max_size=5))
def test_no_environment_raises_anything(environ: dict[str, str]) -> None:
    """Any texts in any variables: settings and problems, and no exception."""
    loaded = load(environ, {})
    assert isinstance(loaded.settings, Settings)


def test_settings_do_not_show_their_secrets() -> None:
    """A repr in a traceback or a debugger holds no secret."""
    loaded = read(
        secret_key=SECRET, previous_secret_keys=[OTHER], private_key="-----" + OTHER, store_url="redis://:pw@h"
    )
    shown = repr(loaded.settings)
    assert "issuer=None" in shown
    for secret in (SECRET, OTHER, "pw@h"):
        assert secret not in shown


@pytest.mark.parametrize("name", list(DECLARATIONS))
def test_every_setting_is_explained(name: str) -> None:
    """Each declaration has a sentence of help that ends in a full stop, and an area."""
    declaration = DECLARATIONS[name]
    assert declaration.help.endswith(".")
    assert declaration.area
    assert declaration.secret == (name in {"secret_key", "previous_secret_keys", "private_key", "store_url"})


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("", "", 0),
        ("a", "", 1),
        ("abc", "abc", 0),
        ("abc", "abd", 1),
        ("abc", "acb", 1),
        ("abc", "cab", 2),
        ("ab", "cd", 2),
    ],
)
def test_edits_are_counted(one: str, other: str, distance: int) -> None:
    """Insertions, deletions, replacements and swaps of neighbours."""
    assert parsing.edits(one, other) == parsing.edits(other, one) == distance
