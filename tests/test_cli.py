"""The command line: each command as a function, and once as a real process. 0 is yes, 1 is no, 2 is usage."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jwt_middleware import cli
from jwt_middleware.settings import DECLARATIONS, variable
from jwt_middleware.wsgi import JWTAuth
from tests.login.conftest import CHEAP
from tests.token.forge import ASYMMETRIC, AUDIENCE, OLD_SECRET, OTHER_SECRET, jwk, private_pem, public_pem, token
from tests.worlds import SECRET


class Result(NamedTuple):
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in this process."""

    def invoke(*argv: str) -> Result:
        code = cli.main(argv)
        return Result(code, *capsys.readouterr())

    return invoke


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    """Configure a secret by the environment."""
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    return SECRET


def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what signing in needs besides a key and a store."""
    monkeypatch.setenv("JWT_ISSUER", "https://shop.example")
    monkeypatch.setenv("JWT_AUDIENCE", "shop")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str) -> Path:
    """Configure a store too."""
    path = tmp_path / "store.db"
    monkeypatch.setenv("JWT_STORE_URL", f"sqlite:///{path}")
    return path


def claims(**changes: Any) -> dict[str, Any]:
    """Return claims that are good now: the commands have no clock but the real one."""
    now = int(time.time())
    found = {"sub": "42", "iat": now, "exp": now + 600, "jti": "t1"} | changes
    return {name: value for name, value in found.items() if value is not ...}


# --- usage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ["nonsense"], ["token"], ["token", "issue"], ["token", "verify"], ["keys", "new", "--alg", "none"],
        ["keys", "new", "--alg", "hs256"], ["revoke", "token"], ["config", "nonsense"], ["--nonsense"],
        ["token", "issue", "42", "--expires", "never"], ["token", "issue", "42", "--expires", "0"],
        ["token", "issue", "42", "--claim", "novalue"], ["token", "issue", "42", "--claim", "=x"],
        ["token", "issue", "42", "--claim", "exp=1"], ["token", "issue", "42", "--claim", "sub=root"],
        ["token", "issue", ""], ["token", "issue", "42", "--claim", "x=NaN"],
        ["token", "issue", "42", "--claim", "x=\"\\ud800\""],
        ["user"], ["user", "add"], ["user", "remove"], ["user", "list", "x"], ["client", "add"], ["client", "list"],
        ["user", "list", "--file", "~nobody-of-this-name/users.json"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_ends_with_2(argv: list[str], run: Run, secret: str) -> None:
    """A misspelt command, a bad option, a claim that is ours: exit code 2, a sentence on stderr, nothing on stdout."""
    result = run(*argv)
    assert result.code == 2
    assert result.out == ""
    assert result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("argv", [["-h"], ["--help"], ["keys", "--help"], ["token", "issue", "-h"], ["--version"]])
def test_help_and_version_end_with_0(argv: list[str], run: Run) -> None:
    """Asking is no mistake, and needs no settings."""
    result = run(*argv)
    assert (result.code, result.err) == (0, "")
    assert result.out


NEEDING = [
    ["keys", "list"], ["keys", "jwks"], ["token", "issue", "42"], ["token", "verify", "a.b.c"],
    ["revoke", "token", "x"], ["revoke", "session", "x"], ["revoke", "subject", "x"], ["revoke", "client", "x"],
    ["revoke", "issuer"], ["revoke", "all"],
]  # fmt: skip


@pytest.mark.parametrize("argv", NEEDING, ids=" ".join)
def test_settings_that_do_not_fit_end_with_2(argv: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that needs settings says which are wrong, all at once, and shows no value."""
    monkeypatch.setenv("JWT_SECRET_KEY", OTHER_SECRET[:20])
    monkeypatch.setenv("JWT_LEEWAY", "never")
    result = run(*argv)
    assert (result.code, result.out) == (2, "")
    assert "JWT_SECRET_KEY is 20 bytes long" in result.err
    assert "JWT_LEEWAY must be a duration" in result.err
    assert OTHER_SECRET[:20] not in result.err


@pytest.mark.parametrize("argv", [argv for argv in NEEDING if argv[0] == "revoke"], ids=" ".join)
def test_revoking_without_a_store_ends_with_2(argv: list[str], run: Run, secret: str) -> None:
    """There is nowhere to keep it: said, and nothing pretended."""
    result = run(*argv)
    assert (result.code, result.out) == (2, "")
    assert "revoking needs JWT_STORE_URL" in result.err


def test_issuing_without_a_signing_key_ends_with_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public key alone cannot sign."""
    monkeypatch.setenv("JWT_PUBLIC_KEY", public_pem("ES256"))
    monkeypatch.setenv("JWT_AUDIENCE", AUDIENCE)
    result = run("token", "issue", "42")
    assert result.code == 2
    assert "issuing needs JWT_SECRET_KEY, JWT_PRIVATE_KEY" in result.err


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alg", "size"), [(None, 32), ("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_keys_new_prints_a_secret_that_works(
    alg: str | None, size: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed line can be pasted into an environment file, and the secret is as long as its hash."""
    import base64

    result = run("keys", "new", *(["--alg", alg] if alg else []))
    assert (result.code, result.err) == (0, "")
    name, _, value = result.out.strip().partition("=")
    assert name == "JWT_SECRET_KEY"
    assert len(base64.b64decode(value.removeprefix("base64:"))) == size
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("JWT_ALGORITHMS", alg or "HS256")
    assert run("config", "check").code == 0
    assert run("keys", "new").out != result.out


@pytest.mark.parametrize("alg", [None, "ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256"])
def test_keys_new_makes_a_folder_that_works(
    alg: str | None, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private key in a folder, both for their owner alone; with it tokens are issued and verified."""
    folder = tmp_path / "a" / "keys"
    result = run("keys", "new", "--dir", str(folder), *(["--alg", alg] if alg else []))
    assert (result.code, result.out) == (0, f"JWT_KEYS_DIR={folder}\n")
    (file,) = folder.glob("*.pem")
    assert result.err.splitlines()[0] == f"made {file}"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("JWT_KEYS_DIR", str(folder))
    monkeypatch.setenv("JWT_AUDIENCE", AUDIENCE)
    if alg:
        monkeypatch.setenv("JWT_ALGORITHMS", alg)
    issued = run("token", "issue", "42")
    assert issued.code == 0
    assert run("token", "verify", issued.out.strip()).code == 0


def test_a_key_is_readable_by_its_owner_alone_whatever_the_umask(tmp_path: Path, run: Run) -> None:
    """There is no moment in which others could read it: it is made so, not changed later."""
    before = os.umask(0)
    try:
        assert run("keys", "new", "--dir", str(tmp_path)).code == 0
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


@pytest.fixture
def ring(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a first key, configured by the environment."""
    folder = tmp_path / "keys"
    monkeypatch.setenv("JWT_KEYS_DIR", str(folder))
    monkeypatch.setenv("JWT_AUDIENCE", AUDIENCE)
    assert run("keys", "new").code == 0
    return folder


def grow_old(folder: Path, seconds: float) -> None:
    """Let every file have been there for so long."""
    for path in folder.iterdir():
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))


def duties(run: Run) -> list[str]:
    """Return what `keys list` says of each key, without its name and the times."""
    lines = [line.split(maxsplit=2)[2] for line in run("keys", "list").out.splitlines()]
    return [re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", "T", line) for line in lines]


def test_a_rotation_by_three_commands(ring: Path, run: Run) -> None:
    """Twice `rotate`, an hour apart, and `retire` after the last token: each says what it did and what comes next."""
    issued = run("token", "issue", "42").out.strip()
    made = run("keys", "rotate")
    assert (made.code, made.err) == (0, "")
    assert re.fullmatch(
        r"made .*\.next\.pem: it verifies and is published, and does not sign yet\n"
        r"from .* UTC on, `jwt-middleware keys rotate` lets it sign\n",
        made.out,
    )
    assert duties(run) == [
        "signs and verifies, since T", "verifies, since T: next, by `keys rotate` from T",
        "for refresh tokens, since T",
    ]  # fmt: skip
    early = run("keys", "rotate")
    assert (early.code, early.out) == (1, "")
    assert re.search(r"may sign from .* UTC on, when all others know it", early.err)
    grow_old(ring, 3601)
    promoted = run("keys", "rotate")
    assert promoted.code == 0
    assert "signs; the keys before it verify, until `jwt-middleware keys retire` removes them" in promoted.out
    assert duties(run) == [
        "verifies, since T: old, `keys retire` removes it from T", "signs and verifies, since T",
        "for refresh tokens, since T",
    ]  # fmt: skip
    assert run("token", "verify", issued).code == 0
    assert re.fullmatch(r".* stays until .* UTC\n", run("keys", "retire").out)
    grow_old(ring, 900 + 30 + 600 + 1)
    assert re.fullmatch(r"removed .*\.old\.pem\n", run("keys", "retire").out)
    assert run("keys", "retire") == (0, "", "")
    assert run("token", "verify", issued).code == 1


def test_a_second_key_waits(ring: Path, run: Run) -> None:
    """`keys new` in a start-up script, run each time: one key signs, one waits, and the line to export is the same."""
    for said in ("made ", f"{ring}/"):
        result = run("keys", "new")
        assert (result.code, result.out) == (0, f"JWT_KEYS_DIR={ring}\n")
        assert result.err.startswith(said)
        assert "`jwt-middleware keys rotate` lets it sign" in result.err
    assert len(list(ring.glob("*.pem"))) == 2


def test_a_stolen_key(ring: Path, run: Run) -> None:
    """Another one signs at once, then the stolen one goes, and it is said what follows from that."""
    (stolen,) = ring.glob("*.pem")
    issued = run("token", "issue", "42").out.strip()
    refused = run("keys", "retire", stolen.stem, "--now")
    assert (refused.code, refused.out) == (1, "")
    assert "first let another one sign, `jwt-middleware keys rotate --now`" in refused.err
    assert run("keys", "rotate", "--now").code == 0
    result = run("keys", "retire", stolen.stem, "--now")
    assert result.code == 0
    assert f"removed {stolen.stem}.old.pem" in result.out
    assert "JWT_CACHE_SECONDS (30 s) at the latest" in result.out
    assert run("token", "verify", issued).code == 1
    assert run("keys", "retire", stolen.stem, "--now").code == 1


def test_how_long_is_a_matter_of_settings(ring: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest life of a token, from the settings or given; and how long a key is published."""
    assert run("keys", "rotate").code == 0
    assert run("keys", "rotate", "--after", "1d").code == 1
    assert run("keys", "rotate", "--after", "0").code == 0
    grow_old(ring, 7200)
    monkeypatch.setenv("JWT_MAX_LIFETIME", "1d")
    assert "stays until" in run("keys", "retire").out
    monkeypatch.delenv("JWT_MAX_LIFETIME")
    assert "stays until" in run("keys", "retire", "--after", "7d").out
    assert "removed" in run("keys", "retire").out


def test_refresh_keys_rotate(ring: Path, run: Run) -> None:
    """One at a time, and at once in an emergency; they are listed, and retired after a month."""
    assert run("keys", "rotate", "--refresh").out == "another key makes refresh tokens\n"
    assert run("keys", "rotate", "--refresh").code == 1
    assert duties(run)[1:] == ["for refresh tokens, since T"] * 2
    grow_old(ring, 31 * 86400)
    assert run("keys", "retire").out == "removed refresh.old.key\n"
    assert "are dead" in run("keys", "rotate", "--refresh", "--now").out


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_secrets_in_a_folder(alg: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """HMAC rotates by the same commands; nothing of a secret is printed, and its hash must be named."""
    folder = tmp_path / "keys"
    made = run("keys", "new", "--dir", str(folder), "--alg", alg)
    assert (made.code, made.out) == (0, f"JWT_KEYS_DIR={folder}\n")
    assert (f"it does {alg} only with JWT_ALGORITHMS={alg}" in made.err) is (alg != "HS256")
    monkeypatch.setenv("JWT_KEYS_DIR", str(folder))
    monkeypatch.setenv("JWT_ALGORITHMS", alg)
    issued = run("token", "issue", "42").out.strip()
    (file,) = folder.glob("*.secret")
    secret = file.read_text().removeprefix("base64:")
    said = "".join("".join(map(str, run("keys", *argv))) for argv in (["rotate"], ["rotate", "--now"], ["list"]))
    assert secret not in said + made.err
    assert [path.name.count(".old.") for path in sorted(folder.glob("*.secret"))] == [1, 0]
    assert run("token", "verify", issued).code == 0
    assert run("keys", "jwks").code == 1


@pytest.mark.parametrize(
    "argv", [["rotate"], ["retire"], ["rotate", "--refresh"], ["retire", "x", "--now"]], ids=" ".join
)
def test_steps_need_a_folder_that_is_a_ring(argv: list[str], run: Run, tmp_path: Path) -> None:
    """Without one it is wrong usage; with one that cannot be used, settings that do not fit. Nothing is done."""
    assert run("keys", *argv).code == 2
    missing = run("keys", *argv, "--dir", str(tmp_path / "missing"))
    assert (missing.code, missing.out) == (2, "")
    assert "JWT_KEYS_DIR is not there" in missing.err
    (tmp_path / "a.pem").write_text("junk")
    bad = run("keys", *argv, "--dir", str(tmp_path))
    assert (bad.code, bad.out) == (2, "")
    assert "JWT_KEYS_DIR, file a.pem, is not a PEM" in bad.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.pem"]


@pytest.mark.parametrize(
    "argv",
    [["retire", "x"], ["retire", "--now"], ["rotate", "--after", "never"], ["retire", "--after", "-1"],
     ["rotate", "--alg", "none"]],
    ids=" ".join,
)  # fmt: skip
def test_steps_that_make_no_sense(argv: list[str], ring: Path, run: Run) -> None:
    """A key by name goes at once or not at all; durations are durations."""
    before = sorted(path.name for path in ring.iterdir())
    result = run("keys", *argv)
    assert (result.code, result.out) == (2, "")
    assert sorted(path.name for path in ring.iterdir()) == before


def test_bad_settings_stop_every_step(ring: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long tokens live is among the settings: no key goes while they do not fit."""
    monkeypatch.setenv("JWT_ACCESS_TOKEN_EXPIRES", "never")
    for argv in (["rotate", "--now"], ["retire"], ["list"]):
        result = run("keys", *argv)
        assert (result.code, result.out) == (2, "")
        assert "JWT_ACCESS_TOKEN_EXPIRES must be a duration" in result.err


def test_keys_of_others_are_listed_and_not_published(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public key in the folder verifies, for as long as it is there."""
    (tmp_path / "idp.pem").write_text(public_pem("ES256"))
    monkeypatch.setenv("JWT_KEYS_DIR", str(tmp_path))
    monkeypatch.setenv("JWT_AUDIENCE", AUDIENCE)
    assert duties(run) == ["verifies, since T"]
    result = run("keys", "jwks")
    assert (result.code, result.out) == (1, "")
    assert "none of these keys is our own" in result.err


def test_keys_jwks_is_what_the_app_publishes(ring: Path, run: Run) -> None:
    """The command and the path say the same: what signs and what will."""
    from tests.worlds import WSGIWorld

    assert run("keys", "rotate").code == 0
    printed = json.loads(run("keys", "jwks").out)
    assert len(printed["keys"]) == 2
    assert json.loads(WSGIWorld().request("/.well-known/jwks.json").body) == printed


def test_keys_new_says_what_it_cannot_do(tmp_path: Path, run: Run) -> None:
    """A key pair needs a folder, and a folder that can be written."""
    result = run("keys", "new", "--alg", "ES256")
    assert result.code == 2
    assert "needs a folder: --dir keys/" in result.err
    (tmp_path / "file").write_text("")
    result = run("keys", "new", "--dir", str(tmp_path / "file" / "keys"))
    assert result.code == 1
    assert "cannot write to" in result.err


def test_keys_list_shows_duties_and_no_key(run: Run, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The present secret signs, the previous one verifies; neither is printed."""
    monkeypatch.setenv("JWT_PREVIOUS_SECRET_KEYS", OLD_SECRET)
    result = run("keys", "list")
    assert [line.split(maxsplit=2) for line in result.out.splitlines()] == [
        ["-", "HS256", "signs and verifies"],
        ["-", "HS256", "verifies"],
    ]
    assert SECRET not in result.out + result.err
    assert OLD_SECRET not in result.out + result.err


@pytest.mark.parametrize("kind", ["RS256", "ES256", "ES512", "EdDSA"])
def test_keys_jwks_publishes_the_public_half_alone(kind: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed holds no private member, and is a set that verifies our tokens."""
    monkeypatch.setenv("JWT_PRIVATE_KEY", private_pem(kind).replace("\n", "\\n"))
    monkeypatch.setenv("JWT_AUDIENCE", AUDIENCE)
    result = run("keys", "jwks")
    assert (result.code, result.err) == (0, "")
    (published,) = json.loads(result.out)["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & published.keys()
    assert published == jwk(kind, kid=published["kid"], use="sig", alg=published["alg"])


def test_keys_jwks_never_publishes_a_secret(run: Run, secret: str) -> None:
    """An HMAC secret is no public key: exit code 1, and nothing on stdout."""
    result = run("keys", "jwks")
    assert (result.code, result.out) == (1, "")
    assert "never published" in result.err
    assert SECRET not in result.err


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_token_issue_prints_a_token_with_what_was_asked_for(run: Run, secret: str) -> None:
    """Scopes, claims in JSON or as text, and a life of its own."""
    result = run(
        "token", "issue", "42", "--scope", "read write", "--expires", "1h", "--claim", 'roles=["admin"]',
        "--claim", "name=Ada L", "--claim", "n=5", "--claim", "url=a=b",
    )  # fmt: skip
    assert (result.code, result.err) == (0, "")
    user = JWTAuth().verify(result.out.strip())
    assert (user.identity, user.scopes, user.roles) == ("42", ("read", "write"), ("admin",))
    assert (user.claims["name"], user.claims["n"], user.claims["url"]) == ("Ada L", 5, "a=b")
    assert user.claims["exp"] - user.claims["iat"] == 3600


def test_token_verify_prints_the_claims(run: Run, secret: str) -> None:
    """A good token: its claims as JSON, exit code 0."""
    result = run("token", "verify", token(claims(name="Ada")))
    assert result.code == 0
    assert json.loads(result.out)["name"] == "Ada"


def test_a_token_may_come_by_standard_input(run: Run, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` keeps it out of the shell's history; the line end does not matter."""
    for command in ("verify", "inspect"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(token(claims()).encode() + b"\r\n")))
        result = run("token", command, "-")
        assert result.code == 0
        assert '"sub": "42"' in result.out


BAD: list[tuple[str, Any, str]] = [
    ("no-exp", lambda: token(claims(exp=...)), "missing_claim: token has no exp"),
    ("expired", lambda: token(claims(exp=1)), "expired: token has exp=1"),
    ("refresh", lambda: token(claims(type="refresh")), "not_an_access_token: token has type='refresh'"),
    ("other-key", lambda: token(claims(), key=OLD_SECRET), "bad_signature: no key of ours made this signature"),
    ("none", lambda: token(claims(), header={"alg": "none"}), "wrong_algorithm: token has alg='none', accepted: HS256"),
    ("audience", lambda: token(claims(aud="x")), "wrong_audience: token has aud=['x'], JWT_AUDIENCE is not set"),
]


@pytest.mark.parametrize("command", ["verify", "inspect"])
@pytest.mark.parametrize(("make", "why"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_refused_token_ends_with_1_and_says_why(make: Any, why: str, command: str, run: Run, secret: str) -> None:
    """By name in the design: a token without `exp` is refused, and `token inspect` says why."""
    text = make()
    result = run("token", command, text)
    assert result.code == 1
    assert why in (result.err if command == "verify" else result.out)
    assert text not in result.out + result.err


def test_token_inspect_shows_what_is_in_a_token_of_anybody(run: Run) -> None:
    """Header, claims and times are shown even where no key is configured; then it cannot judge: exit code 2."""
    result = run("token", "inspect", token(claims(exp=1, nbf=0)))
    assert result.code == 2
    assert '"alg": "HS256"' in result.out
    assert "exp     1970-01-01 00:00:01 UTC" in result.out
    assert "cannot judge" in result.err


@pytest.mark.parametrize(
    "payload",
    [
        {"exp": "x"}, {"exp": True}, {"exp": 1e300}, {"exp": -5}, {"exp": 253402300800}, {"exp": 2**53},
        {"exp": 10**400}, {"iat": None}, {"sub": "\x1b[31m\u202e"}, "[]", "x", "", "[" * 3000,
    ],
    ids=lambda payload: ascii(payload)[:30],
)  # fmt: skip
def test_token_inspect_survives_any_payload(payload: Any, run: Run, secret: str) -> None:
    """Whatever a stranger's token holds, it is shown escaped or refused, never a traceback."""
    text = token(claims(**payload) if isinstance(payload, dict) else payload) if payload != "" else "a..b"
    result = run("token", "inspect", text)
    assert result.code in (0, 1)
    assert "refused" in result.out or "accepted" in result.out
    assert "\x1b" not in result.out


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "a.b.c.d.e", "é.é.é", "\ud800", "." * 5000])
@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_what_is_no_token_ends_with_1(text: str, command: str, run: Run, secret: str) -> None:
    """No token at all: malformed, said in one line."""
    result = run("token", command, text)
    assert result.code == 1
    assert "malformed" in result.out + result.err


# --- revocation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["token", "t1"], "revoked token t1"),
        (["token", "TOKEN"], "revoked token t1"),
        (["session", "s1"], "revoked session s1"),
        (["subject", "42"], "revoked all tokens of subject 42 issued up to now"),
        (["client", "web"], "revoked all tokens of client web issued up to now"),
        (["issuer"], "revoked all tokens of the issuer issued up to now"),
        (["all"], "revoked all tokens issued up to now"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_revoked_is_refused(argv: list[str], said: str, run: Run, store: Path) -> None:
    """After the command has ended, `token verify` says revoked and ends with 1, for this token and no other."""
    text = token(claims(sid="s1", client_id="web"))
    other = token(claims(sub="7", jti="t2", sid="s2", client_id="app"))
    assert run("token", "verify", text).code == 0
    result = run("revoke", *[text if arg == "TOKEN" else arg for arg in argv])
    assert (result.code, result.out, result.err) == (0, said + "\n", "")
    result = run("token", "verify", text)
    assert result.code == 1
    assert "revoked: revoked by " in result.err
    assert run("token", "verify", other).code == (1 if argv[0] in ("issuer", "all") else 0)


def test_a_bad_token_is_not_revoked(run: Run, store: Path) -> None:
    """A token of somebody else's names nothing of ours: refused, exit code 1."""
    store.touch()
    result = run("revoke", "token", token(claims(), key=OTHER_SECRET))
    assert (result.code, result.out) == (1, "")
    assert "bad_signature" in result.err


@pytest.mark.parametrize("environ", [{}, {"JWT_REVOCATION": "off"}], ids=str)
def test_a_token_without_a_name_cannot_be_revoked_and_says_so(
    environ: dict[str, str], run: Run, secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without revocation in force a token may have no `jti`: a usage problem, not a traceback."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv("JWT_STORE_URL", f"sqlite:///{tmp_path}/s.db")
    result = run("revoke", "token", token(claims(jti=...)))
    assert result.code == 2
    assert "revoking needs JWT_STORE_URL" in result.err


def test_a_store_that_cannot_be_reached_ends_with_1(
    run: Run, secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command promises nothing that the store did not confirm."""
    monkeypatch.setenv("JWT_STORE_URL", f"sqlite:///{tmp_path}/missing/folder/s.db")
    verified = run("token", "verify", token(claims()))
    assert (verified.code, verified.out) == (1, "")
    assert verified.err.startswith("store_unavailable: ")
    revoked = run("revoke", "subject", "42")
    assert (revoked.code, revoked.out) == (1, "")
    assert "no store at" in revoked.err


def test_revoking_makes_no_store_of_its_own(
    run: Run, secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A relative JWT_STORE_URL seen from another folder names another file: success would be a lie."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JWT_STORE_URL", "sqlite:///revoked.db")
    result = run("revoke", "all")
    assert (result.code, result.out) == (1, "")
    assert str(tmp_path / "revoked.db") in result.err
    assert not (tmp_path / "revoked.db").exists()


@pytest.mark.parametrize(
    "argv",
    [["subject", ""], ["token", ""], ["session", ""], ["token", "eyJhbGciOiJIUzI1NiJ9.e30"], ["token", "x" * 300]],
    ids=["no-subject", "no-token", "no-session", "piece-of-a-token", "too-long"],
)
def test_what_names_nothing_is_not_revoked(argv: list[str], run: Run, store: Path) -> None:
    """An empty name or a piece of a token would be a success that ends nothing."""
    store.touch()
    result = run("revoke", *argv)
    assert (result.code, result.out) == (2, "")


def test_commands_do_not_import_the_app(run: Run, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """JWT_APP is for servers: `token issue` must not run somebody's start-up code."""
    monkeypatch.setenv("JWT_APP", "no_such_module:app")
    code = "import sys; from jwt_middleware.cli import main; sys.exit(main(['token', 'issue', '42']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("eyJ")


# --- users and clients -----------------------------------------------------------------------------------------------

GOOD_PASSWORD = "correct horse battery staple"


def by_stdin(monkeypatch: pytest.MonkeyPatch, text: str | bytes = GOOD_PASSWORD + "\n") -> None:
    """Put a password where `--password-stdin` reads it."""
    raw = text if isinstance(text, bytes) else text.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), "utf-8"))


@pytest.fixture
def users_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Name a file of users that is not there yet, and give the password of whoever is added; hash cheaply."""
    from jwt_middleware.login import passwords

    monkeypatch.setattr(passwords, "Passwords", partial(passwords.Passwords, **CHEAP))
    path = tmp_path / "users.json"
    monkeypatch.setenv("JWT_USERS_FILE", str(path))
    by_stdin(monkeypatch)
    return path


def sign_in(path: Path, name: str, password: str = GOOD_PASSWORD) -> Any:
    """Sign in as the app would."""
    from jwt_middleware.login import users
    from jwt_middleware.settings import Settings
    from jwt_middleware.truth._blocking import BlockingIO
    from jwt_middleware.truth.io import run

    problems: list[str] = []
    authority = users.authority(Settings(users_file=path), BlockingIO(None, 1), problems)
    assert authority is not None
    assert problems == []
    return run(authority.authenticate(name, password))


def test_a_user_who_was_added_can_sign_in(run: Run, users_file: Path) -> None:
    """With all that was said; the file is its owner's alone, and the password is nowhere in the clear."""
    before = os.umask(0)
    try:
        result = run(
            "user", "add", "ada", "--scope", "read", "--scope", "write", "--role", "admin", "--claim", "name=Ada L",
            "--claim", "n=5", "--subject", "42", "--password-stdin",
        )  # fmt: skip
    finally:
        os.umask(before)
    assert result == (0, "", f"added user ada to {users_file}\n")
    assert users_file.stat().st_mode & 0o777 == 0o600
    assert GOOD_PASSWORD not in users_file.read_text()
    account = sign_in(users_file, "ada")
    assert (account.subject, account.scopes) == ("42", ("read", "write"))
    assert account.claims == {"name": "Ada L", "n": 5, "roles": ("admin",)}
    assert sign_in(users_file, "ada", "wrong") is None


def test_user_list_shows_all_but_hashes(run: Run, users_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, subjects, scopes, roles, and who is disabled."""
    run("user", "add", "ada", "--scope", "read", "--role", "admin", "--password-stdin")
    by_stdin(monkeypatch)
    run("user", "add", "cafe\u0301", "--subject", "42", "--password-stdin")
    run("user", "disable", "caf\u00e9")
    result = run("user", "list")
    assert (result.code, result.err) == (0, "")
    assert [line.split(maxsplit=1) for line in result.out.splitlines()] == [
        ["ada", "subject ada, scopes read, roles admin"],
        ["caf\\xe9", "subject 42, scopes -, roles -  (disabled)"],
    ]


@pytest.mark.parametrize(
    ("password", "arguments", "said"),
    [
        pytest.param("seven77\n", [], "the password has fewer than 8 characters", id="short"),
        pytest.param("", [], "the password has fewer than 8 characters", id="empty"),
        pytest.param("x" * 1025, [], "the password has more than 1024 bytes", id="long"),
        pytest.param("two lines\nof it\n", [], "the password holds a line end", id="two-lines"),
        pytest.param(b"\xff" * 9, [], "the password is not UTF-8 text", id="no-text"),
        pytest.param(GOOD_PASSWORD, ["--claim", "sub=root"], "has claims that are ours to set: sub", id="our-claim"),
        pytest.param(GOOD_PASSWORD, ["--claim", "novalue"], "must be NAME=VALUE", id="no-value"),
        pytest.param(GOOD_PASSWORD, ["--scope", "a b"], "(scopes) takes scopes of printable ASCII", id="bad-scope"),
        pytest.param(GOOD_PASSWORD, ["--subject", ""], "(subject) must be a text of 1 to 255", id="no-subject"),
        pytest.param(GOOD_PASSWORD, ["--subject", "\udcff"], "is not UTF-8 text", id="no-text-subject"),
        pytest.param(GOOD_PASSWORD, ["--file", ""], "is set but empty", id="no-file"),
        pytest.param(GOOD_PASSWORD, ["correct horse"], "unexpected extra argument", id="password-as-argument"),
    ],
)
def test_what_makes_no_user_ends_with_2(
    password: str | bytes, arguments: list[str], said: str, run: Run, users_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence on stderr, and nobody in the file."""
    by_stdin(monkeypatch, password)
    result = run("user", "add", "ada", "--password-stdin", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert not users_file.exists()
    by_stdin(monkeypatch)
    assert run("user", "add", "ada", "--password-stdin").code == 0


@pytest.mark.parametrize("command", ["list", "add", "remove", "disable", "enable", "password"])
def test_a_command_without_a_file_or_with_a_bad_one_ends_with_2(
    command: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that is not understood is not changed: what is in it might be lost."""
    arguments = [command, *(["ada"] if command != "list" else [])]
    arguments += ["--password-stdin"] if command in ("add", "password") else []
    by_stdin(monkeypatch)
    result = run("user", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "which file? --file users.json, or set JWT_USERS_FILE" in result.err
    (tmp_path / "u.json").write_text('{"users": {"ada": "x"}}')
    by_stdin(monkeypatch)
    result = run("user", *arguments, "--file", str(tmp_path / "u.json"))
    assert (result.code, result.out) == (2, "")
    assert "user 'ada' is not an object" in result.err
    assert (tmp_path / "u.json").read_text() == '{"users": {"ada": "x"}}'


@pytest.mark.parametrize("command", ["remove", "disable", "enable", "password"])
def test_who_is_not_there_ends_with_1(
    command: str, run: Run, users_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And adding who is there: nothing is changed, least of all the password."""
    assert run("user", "add", "ada", "--password-stdin").code == 0
    before = users_file.read_text()
    by_stdin(monkeypatch)
    result = run("user", command, "bob", *(["--password-stdin"] if command == "password" else []))
    assert (result.code, result.out) == (1, "")
    assert "there is no user bob" in result.err
    by_stdin(monkeypatch, "another good password")
    result = run("user", "add", "ada", "--password-stdin")
    assert (result.code, result.out) == (1, "")
    assert "there is a user ada already" in result.err
    assert users_file.read_text() == before


def test_a_file_that_cannot_be_written_ends_with_1(run: Run, users_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read-only, or in no folder."""
    assert run("user", "add", "ada", "--password-stdin").code == 0
    users_file.chmod(0o400)
    result = run("user", "remove", "ada")
    assert (result.code, result.out) == (1, "")
    assert f"cannot change {users_file}: " in result.err
    by_stdin(monkeypatch)
    result = run("user", "add", "ada", "--password-stdin", "--file", str(users_file.parent / "no" / "users.json"))
    assert result.code == 1
    assert "No such file or directory" in result.err


@pytest.mark.parametrize("command", ["remove", "disable", "password"])
def test_whoever_is_shut_out_loses_their_tokens(
    command: str, run: Run, store: Path, users_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the subject, whatever the name; nobody else's. The old password is of no use, enabling brings none back."""
    assert run("user", "add", "ada", "--subject", "42", "--password-stdin").code == 0
    complete(monkeypatch)
    text, other = (token(claims(sub=subject, iss="https://shop.example", aud="shop")) for subject in ("42", "ada"))
    assert run("token", "verify", text).code == 0
    by_stdin(monkeypatch, "another good password")
    result = run("user", command, "ada", *(["--password-stdin"] if command == "password" else []))
    done = {"remove": "removed", "disable": "disabled", "password": "changed the password of"}[command]
    assert result == (0, f"{done} user ada\nrevoked its tokens issued up to now\n", "")
    assert run("token", "verify", text).code == 1
    assert run("token", "verify", other).code == 0
    assert sign_in(users_file, "ada") is None
    if command == "password":
        assert sign_in(users_file, "ada", "another good password")
    if command == "disable":
        assert run("user", "enable", "ada") == (0, "enabled user ada\n", "")
        assert sign_in(users_file, "ada")
        assert run("token", "verify", text).code == 1


@pytest.mark.parametrize("environ", [{}, {"JWT_STORE_URL": "STORE", "JWT_REVOCATION": "off"}], ids=["none", "off"])
def test_without_a_store_the_tokens_live_on_and_that_is_said(
    environ: dict[str, str], run: Run, users_file: Path, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing failed, but nothing was revoked either."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value.replace("STORE", f"sqlite:///{users_file.parent}/s.db"))
    assert run("user", "add", "ada", "--password-stdin").code == 0
    result = run("user", "remove", "ada")
    assert (result.code, result.out) == (0, "removed user ada\n")
    assert "its tokens live on until they expire" in result.err


@pytest.mark.parametrize("broken", ["no-store", "unreachable", "settings", "url-file"])
def test_if_revoking_fails_it_is_said_and_ends_with_1(
    broken: str, run: Run, users_file: Path, secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The user is out, the tokens are not: the operator must know."""
    assert run("user", "add", "ada", "--password-stdin").code == 0
    monkeypatch.setenv("JWT_STORE_URL", f"sqlite:///{tmp_path}/s.db")
    if broken == "unreachable":
        monkeypatch.setenv("JWT_STORE_URL", "redis://127.0.0.1:1/0")
    if broken == "settings":
        monkeypatch.setenv("JWT_SECRET_KEY", "short")
    if broken == "url-file":
        monkeypatch.delenv("JWT_STORE_URL")
        monkeypatch.setenv("JWT_STORE_URL_FILE", str(tmp_path / "missing"))
    result = run("user", "disable", "ada")
    assert (result.code, result.out) == (1, "disabled user ada\n")
    assert "its tokens are NOT revoked, as far as is known, and live on until they expire: " in result.err
    assert sign_in(users_file, "ada") is None


def test_a_client_s_secret_is_shown_once_and_works(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Alone on stdout, so that a script can take it; afterwards nobody can read it."""
    from jwt_middleware.login.clients import Client, clients
    from jwt_middleware.settings import Settings
    from jwt_middleware.truth._blocking import BlockingIO
    from jwt_middleware.truth.io import run as drive

    path = tmp_path / "clients.json"
    monkeypatch.setenv("JWT_CLIENTS_FILE", str(path))
    made = run("client", "add", "reporting", "--scope", "read", "--audience", "https://api.example")
    secret = made.out.strip()
    assert made == (0, f"{secret}\n", f"added client reporting to {path}\n")
    assert len(secret) == 43
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    listed = run("client", "list")
    assert listed.out.split(maxsplit=1) == ["reporting", "scopes read, audiences https://api.example\n"]
    known = clients(Settings(clients_file=path), BlockingIO(None, 1), [])
    found = Client("reporting", ("read",), ("https://api.example",))
    assert drive(known.authenticate("reporting", secret)) == found
    assert run("client", "add", "reporting").code == 1
    complete(monkeypatch)
    text = token(claims(client_id="reporting", iss="https://shop.example", aud="shop"))
    assert run("token", "verify", text).code == 0
    assert run("client", "disable", "reporting").out == (
        "disabled client reporting\nrevoked its tokens issued up to now\n"
    )
    assert run("token", "verify", text).code == 1
    assert drive(known.authenticate("reporting", secret)) is None
    assert run("client", "enable", "reporting").code == 0
    assert drive(known.authenticate("reporting", secret)) == found
    assert run("client", "remove", "reporting").code == 0
    assert json.loads(path.read_text()) == {"clients": {}}
    assert run("client", "add", "caf\u00e9").code == 2


def test_hashing_without_argon2_says_what_to_install(
    run: Run, users_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is missing: exit code 2."""
    monkeypatch.setitem(sys.modules, "argon2", None)
    result = run("user", "add", "ada", "--password-stdin")
    assert (result.code, result.out) == (2, "")
    assert "needs the login extra" in result.err


# --- settings --------------------------------------------------------------------------------------------------------


def test_config_show_lists_every_setting_with_its_origin(
    run: Run, secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every name, its value and where it came from."""
    (tmp_path / "f").write_text(private_pem("ES256"))
    monkeypatch.setenv("JWT_PRIVATE_KEY_FILE", str(tmp_path / "f"))
    monkeypatch.setenv("JWT_LEEWAY", "10")
    monkeypatch.setenv("JWT_FORWARD_CLAIMS", "X-Id=sub, X-Email=email")
    result = run("config", "show")
    lines = {line.split()[0]: line for line in result.out.splitlines()}
    assert list(lines) == [variable(name) for name in DECLARATIONS]
    assert lines["JWT_LEEWAY"].split()[1:] == ["10.0", "environment"]
    assert lines["JWT_REALM"].split()[1:] == ["api", "default"]
    assert lines["JWT_FORWARD_CLAIMS"].split()[1:] == ["X-Id=sub,X-Email=email", "environment"]
    assert lines["JWT_PRIVATE_KEY"].split()[1:] == ["********", "JWT_PRIVATE_KEY_FILE"]
    assert result.code == 0


@pytest.mark.parametrize("command", ["show", "check"])
@pytest.mark.parametrize("broken", [False, True])
def test_config_never_shows_a_secret(command: str, broken: bool, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are masked, whether or not the settings fit."""
    secrets = {
        "JWT_SECRET_KEY": SECRET,
        "JWT_PREVIOUS_SECRET_KEYS": OLD_SECRET,
        "JWT_STORE_URL": "redis://user:hunter2hunter2@localhost:6379/0",
    }
    if broken:
        secrets |= {"JWT_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nhunter2hunter2", "JWT_LEEWAY": "hunter2hunter2"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    result = run("config", command)
    for value in (SECRET, OLD_SECRET, "hunter2"):
        assert value not in result.out + result.err


def test_config_check_says_yes_and_names_what_fails_open(
    run: Run, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever begins with `JWT_ALLOW_` and is in force is listed."""
    result = run("config", "check")
    assert (result.code, result.out) == (0, "the settings fit together (the store was not asked)\n")
    monkeypatch.setenv("JWT_ALLOW_ANY_AUDIENCE", "true")
    result = run("config", "check")
    assert result.out.splitlines() == [
        "fails open: JWT_ALLOW_ANY_AUDIENCE is set",
        "the settings fit together (the store was not asked)",
    ]


def test_config_check_says_no_with_every_problem(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that do not fit: exit code 1, since the question was answered."""
    monkeypatch.setenv("JWT_PUBLIC_KEY", "junk")
    monkeypatch.setenv("JWT_ISUER", "x")
    result = run("config", "check")
    assert (result.code, result.out) == (1, "")
    assert "JWT_PUBLIC_KEY is not a PEM key" in result.err
    assert "JWT_ISUER is not a setting: did you mean JWT_ISSUER?" in result.err
    assert run("config", "show").code == 1


# --- explain ---------------------------------------------------------------------------------------------------------

RULES = """
[[rule]]
path = "/health"
exempt = true
[[rule]]
path = "/admin/**"
methods = "GET"
roles = "admin"
scopes = ["a", "b"]
any_scopes = ["c", "d"]
claims = { tenant = "x" }
max_auth_age = "5m"
[[rule]]
path = "/feed"
optional = true
[[rule]]
path = "/ws"
websocket = true
authenticated = true
"""


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Configure rules and the two lists, but no key: none is needed to explain."""
    (tmp_path / "rules.toml").write_text(RULES)
    monkeypatch.setenv("JWT_RULES_FILE", str(tmp_path / "rules.toml"))
    monkeypatch.setenv("JWT_EXEMPT_PATHS", "/ping")
    monkeypatch.setenv("JWT_OPTIONAL_PATHS", "/news")
    monkeypatch.setenv("JWT_REQUIRED_SCOPES", "base")


TOKEN, ANYBODY, NOBODY = (
    "  a good token is needed", "  anonymous requests pass, and a token must be good", "  no token is looked at",
)  # fmt: skip
BASE = "  JWT_REQUIRED_SCOPES wants scope base"
ADMIN = "  rule 2 (/admin/**) wants scope a b and any of c d, role admin, tenant = 'x', a sign-in at most 300 s ago"
MANY = "every rule that a reading of it could meet"
TWICE = "  the path can be read in several ways, so it is never exempt or optional"
PREFLIGHT = "  but a true CORS preflight passes as anonymous (JWT_CORS_PREFLIGHT)"


def _no(number: int, pattern: str, what: str = "paths") -> str:
    return f"  rule {number} ({pattern}) is for other {what}"


NO_RULE = (_no(1, "/health"), _no(2, "/admin/**"), _no(3, "/feed"), _no(4, "/ws"))


@pytest.mark.parametrize(
    ("method", "path", "source", "lines"),
    [
        pytest.param("GET", "/ping", "JWT_EXEMPT_PATHS", [NOBODY], id="exempt-list"),
        pytest.param("GET", "/news?x=1", "JWT_OPTIONAL_PATHS", [ANYBODY, BASE], id="optional-list"),
        pytest.param("OPTIONS", "/health", "rule 1 (/health)", [NOBODY], id="exempt"),
        pytest.param("GET", "/admin/x", "rule 2 (/admin/**)", [_no(1, "/health"), TOKEN, BASE, ADMIN], id="demands"),
        pytest.param("HEAD", "/%61dmin", "rule 2 (/admin/**)", [_no(1, "/health"), TOKEN, BASE, ADMIN], id="head"),
        pytest.param("GET", "/feed", "rule 3 (/feed)", [*NO_RULE[:2], ANYBODY, BASE], id="optional"),
        pytest.param("WEBSOCKET", "/ws", "rule 4 (/ws)", [*NO_RULE[:3], TOKEN, BASE], id="websocket"),
        pytest.param("GET", "/ws", "no rule", [*NO_RULE[:3], _no(4, "/ws", "methods"), TOKEN, BASE], id="no-handshake"),
        pytest.param("OPTIONS", "/x", "no rule", [*NO_RULE, TOKEN, BASE, PREFLIGHT], id="preflight"),
        pytest.param("GET", "/x%2f..%2fhealth", MANY, [TWICE, TOKEN, BASE, ADMIN], id="encoded"),
        pytest.param("POST", "//health", MANY, [TWICE, TOKEN, BASE], id="two-slashes"),
        pytest.param("GET", "/%ff", MANY, [TWICE, TOKEN, BASE, ADMIN], id="no-utf8"),
        pytest.param("GET", "health", MANY, [TWICE, TOKEN, BASE, ADMIN], id="no-slash"),
        pytest.param("get", "/admin", MANY, [TOKEN, BASE, ADMIN], id="lower-case"),
    ],
)
def test_explain_says_which_rule_wins_and_why(
    run: Run, rules: None, method: str, path: str, source: str, lines: list[str]
) -> None:
    """What a request needs, what decided it, and why the rules before did not; exit code 0."""
    result = run("explain", method, path)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [f"{method} {path}: decided by {source}", *lines]


def test_explain_without_any_rule(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deny by default; a preflight that is not let through is not mentioned."""
    monkeypatch.setenv("JWT_CORS_PREFLIGHT", "false")
    assert run("explain", "OPTIONS", "//x").out == f"OPTIONS //x: decided by no rule\n{TWICE}\n{TOKEN}\n"


def test_explain_knows_where_our_keys_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No rule decides what we answer ourselves."""
    said = "but where we have public keys of our own, we answer it ourselves (JWT_JWKS_PATH)"
    assert said in run("explain", "GET", "/.well-known/jwks.json").out
    monkeypatch.setenv("JWT_JWKS_PATH", "")
    assert said not in run("explain", "GET", "/.well-known/jwks.json").out


def test_explain_refuses_settings_that_do_not_fit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the app would: exit code 2, with every problem."""
    monkeypatch.setenv("JWT_RULES_FILE", "/nowhere.toml")
    monkeypatch.setenv("JWT_LEEWAY", "x")
    result = run("explain", "GET", "/")
    assert (result.code, result.out) == (2, "")
    assert "JWT_RULES_FILE: cannot be read" in result.err
    assert "JWT_LEEWAY" in result.err
    assert run("explain", "GET").code == 2


# --- a real process --------------------------------------------------------------------------------------------------


def process(*argv: str, stdin: str = "", **environ: str) -> Result:
    """Run `python -m jwt_middleware` as a shell would."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JWT_")}
    done = subprocess.run(
        [sys.executable, "-m", "jwt_middleware", *argv],
        input=stdin, capture_output=True, text=True, env=clean | environ, timeout=60, check=False,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def test_the_commands_work_as_a_process(tmp_path: Path) -> None:
    """From nothing to a revoked token: make a secret, issue, verify by stdin, revoke, verify again."""
    made = process("keys", "new")
    assert made.code == 0
    name, _, value = made.out.strip().partition("=")
    environ = {name: value, "JWT_STORE_URL": f"sqlite:///{tmp_path}/s.db"}
    issued = process("token", "issue", "42", **environ)
    assert issued.code == 0
    good = process("token", "verify", "-", stdin=issued.out, **environ)
    assert (good.code, json.loads(good.out)["sub"]) == (0, "42")
    assert process("revoke", "subject", "42", **environ).code == 0
    gone = process("token", "verify", "-", stdin=issued.out, **environ)
    assert (gone.code, gone.out) == (1, "")
    assert gone.err.startswith("revoked: ")
    assert process("token", "verify").code == 2


def test_users_who_are_added_at_once_are_all_there(tmp_path: Path) -> None:
    """Six processes and one file, which is not there at first."""
    arguments = [sys.executable, "-m", "jwt_middleware", "user", "add", "--file", str(tmp_path / "u.json")]
    running = [
        subprocess.Popen([*arguments, f"user{n}", "--password-stdin"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for n in range(6)
    ]
    for each in running:
        each.stdin.write(GOOD_PASSWORD.encode())
        each.stdin.close()
    assert [each.wait(120) for each in running] == [0] * 6
    assert json.loads((tmp_path / "u.json").read_text())["users"].keys() == {f"user{n}" for n in range(6)}
    assert sign_in(tmp_path / "u.json", "user5")


@pytest.mark.parametrize(("repeated", "code"), [(GOOD_PASSWORD, 0), ("something else", 1)], ids=["same", "other"])
def test_a_password_is_asked_for_twice_and_not_shown(repeated: str, code: int, tmp_path: Path) -> None:
    """On a real terminal, which hides it."""
    import pty

    path = tmp_path / "users.json"
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "jwt_middleware", "user", "add", "ada", "--file", str(path)])
    said = b""
    answers = {b"Password: ": GOOD_PASSWORD, b"Repeat for confirmation: ": repeated, b"do not match": None}
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        said += piece
        for question in [question for question in answers if question in said]:
            answer = answers.pop(question)
            os.write(terminal, b"\x03" if answer is None else answer.encode() + b"\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code, said
    os.close(terminal)
    assert GOOD_PASSWORD.encode() not in said
    assert path.exists() == (code == 0)
    if code == 0:
        assert sign_in(path, "ada")


def test_ed25519_is_among_the_algorithms() -> None:
    """The forge of these tests knows every algorithm that settings take."""
    from jwt_middleware.token import keys

    assert set(keys.ALGORITHMS) == {*keys.HMAC, *ASYMMETRIC}


def test_sessions_lists_who_is_signed_in(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what `revoke session` needs to end one; afterwards it cannot be refreshed."""
    from tests.login.service import authenticate
    from tests.worlds import WSGIWorld

    complete(monkeypatch)
    monkeypatch.setenv("JWT_AUTHENTICATE", f"{authenticate.__module__}:authenticate")
    world = WSGIWorld()
    body = b'{"username":"ada","password":"correct horse"}'
    headers = [("Content-Type", "application/json"), ("User-Agent", "Firefox")]
    got = json.loads(world.request("/auth/token", method="POST", body=body, headers=headers).body)
    sid = world.request(token=got["access_token"]).user.session_id
    listed = run("sessions", "7")
    assert (listed.code, listed.out.split()[0]) == (0, sid)
    assert "127.0.0.1" in listed.out
    assert "Firefox" in listed.out
    assert run("revoke", "session", str(sid)).code == 0
    body = json.dumps({"refresh_token": got["refresh_token"]}).encode()
    assert world.request("/auth/refresh", method="POST", body=body, headers=headers).error == "invalid_grant"
    nobody = run("sessions", "nobody")
    assert (nobody.code, nobody.out) == (1, "")


def test_a_refresh_token_ends_its_session(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no jti, and it is not echoed."""
    from tests.login.service import authenticate
    from tests.worlds import WSGIWorld

    complete(monkeypatch)
    monkeypatch.setenv("JWT_AUTHENTICATE", f"{authenticate.__module__}:authenticate")
    world = WSGIWorld()
    body = b'{"username":"ada","password":"correct horse"}'
    headers = [("Content-Type", "application/json")]
    got = json.loads(world.request("/auth/token", method="POST", body=body, headers=headers).body)
    inspected = run("token", "inspect", got["refresh_token"])
    assert (inspected.code, "refresh token" in inspected.out) == (1, True)
    result = run("revoke", "token", got["refresh_token"])
    assert result == (0, "revoked the session of this refresh token\n", "")
    assert world.request(token=got["access_token"]).error == "invalid_token"
    forged = "rt1." + "A" * (len(got["refresh_token"]) - 4)
    assert run("revoke", "token", forged).code == 1


def test_sessions_needs_somebody_who_can_sign_in(run: Run, store: Path) -> None:
    """2, as for every other usage that cannot be."""
    store.touch()
    asked = run("sessions", "7")
    assert asked.code == 2
    assert "JWT_USERS_FILE" in asked.err
