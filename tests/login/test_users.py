"""Who may sign in: the file of users and the app's function, in both worlds."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware.errors import Reason, Unavailable
from jwt_middleware.login import users
from jwt_middleware.login.passwords import Passwords
from jwt_middleware.login.records import RecordsFile
from jwt_middleware.login.users import Account, Hook, UsersFile, authority, reserved
from jwt_middleware.settings import Settings
from jwt_middleware.truth._async import AsyncIO
from jwt_middleware.truth._blocking import BlockingIO
from jwt_middleware.truth.io import run
from tests.login.conftest import CHEAP, HASH, PASSWORD, Counting, Staff, write
from tests.servers import in_child
from tests.truth.conftest import World

MakeStaff = Callable[..., Staff]
WRONG = "wrong horse battery staple"


# --- a file of users -------------------------------------------------------------------------------------------------


def test_a_user_signs_in_as_the_file_says(staff: MakeStaff) -> None:
    """Subject, scopes, roles and claims: what the tokens will say."""
    made = staff(
        ada={"scopes": ["read", "write"], "roles": ["admin"], "claims": {"name": "Ada", "a": {"b": [1]}}},
        bob={"subject": "42"},
    )
    ada = made.sign_in("ada")
    assert ada == Account("ada", ("read", "write"), {"name": "Ada", "a": {"b": (1,)}, "roles": ("admin",)})
    assert made.sign_in("bob") == Account("42")
    with pytest.raises(TypeError):
        ada.claims["a"]["b"] = 2


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", WRONG), ("nobody", PASSWORD), ("bob", PASSWORD), ("bob", WRONG), ("", ""), ("Ada", PASSWORD),
     ("ada ", PASSWORD), ("ada", PASSWORD + "\n"), ("ada", "x" * 5000), ("x" * 100_000, PASSWORD), ("\ud800", PASSWORD),
     ("ada", "\ud800"), ("ada", HASH), ("__class__", PASSWORD)],
    ids=lambda text: ascii(text[:20]),
)  # fmt: skip
def test_no_is_one_answer_and_costs_one_hash(name: str, password: str, staff: MakeStaff, passwords: Counting) -> None:
    """CVE-2021-21424: nobody learns who is in the file, neither by what comes back nor by how long it takes."""
    made = staff(ada={}, bob={"disabled": True})
    assert made.sign_in(name, password) is None
    assert len(passwords.compared) == 1
    assert passwords.compared[0].split("$")[:4] == HASH.split("$")[:4]
    assert passwords.made == 0


def test_a_file_without_users_costs_one_hash_too(staff: MakeStaff, passwords: Counting) -> None:
    """The last one was removed: still no."""
    assert staff().sign_in("ada") is None
    assert len(passwords.compared) == 1


def test_the_cost_for_an_unknown_name_is_that_of_some_user_and_stays(staff: MakeStaff, passwords: Counting) -> None:
    """Where hashes of two costs stand in the file, unknown names have the one or the other, too, and keep it."""
    dear = Passwords(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    made = staff(ada={}, bob={"password": dear}, eve={}, joe={"password": dear})
    costs = []
    for _ in range(2):
        passwords.compared.clear()
        for number in range(20):
            assert made.sign_in(f"stranger-{number}") is None
        costs.append([stored.split("$")[3] for stored in passwords.compared])
    assert costs[0] == costs[1]
    assert set(costs[0]) == {"m=8,t=1,p=1", "m=8,t=2,p=1"}


def test_a_name_is_the_same_however_it_was_typed(staff: MakeStaff) -> None:
    """One keyboard composes, another does not; upper and lower case are two names."""
    made = staff(rené={}, Straße={})
    assert made.sign_in("rene\u0301") == Account("rené")
    assert made.sign_in("STRASSE") is None
    assert made.sign_in("René") is None


def test_the_event_loop_goes_on_while_a_password_is_checked(tmp_path: Path) -> None:
    """Hashing takes 50 ms: others are served meanwhile. Here it even waits for them."""
    passwords, ticks, seen = Counting(), threading.Semaphore(0), []
    passwords.before = lambda: [seen.append(ticks.acquire(timeout=30)) for _ in range(10)]
    path = write(tmp_path / "users.json", {"users": {"ada": {"password": HASH}}})
    authority = UsersFile(RecordsFile(path, users.kind(Settings())), passwords, AsyncIO(None, 1))

    async def story() -> Account | None:
        signing_in = asyncio.ensure_future(authority.authenticate("ada", PASSWORD))
        while not signing_in.done():
            ticks.release()
            await asyncio.sleep(0)
        return await signing_in

    assert asyncio.run(story()) == Account("ada")
    assert seen == [True] * 10


# --- the file changes ------------------------------------------------------------------------------------------------


def test_a_change_counts_from_the_next_sign_in_on(staff: MakeStaff) -> None:
    """Disabled, changed, removed, enabled again: without a restart."""
    made = staff(ada={"scopes": ["read"]})
    for record, expected in [
        ({"password": HASH, "scopes": ["read"]}, Account("ada", ("read",))),
        ({"password": HASH, "scopes": ["read"], "disabled": True}, None),
        ({"password": HASH, "scopes": []}, Account("ada")),
        ({"password": Passwords(**CHEAP).hash(WRONG)}, None),
        (None, None),
        ({"password": HASH}, Account("ada")),
    ]:
        write(made.path, {"users": {} if record is None else {"ada": record}})
        assert made.sign_in("ada") == expected


def test_an_unchanged_file_is_not_read_again(staff: MakeStaff, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-in costs a hash, not the parsing of all users."""
    made = staff(ada={})
    assert made.sign_in("ada")
    monkeypatch.setattr(RecordsFile, "_look", None)
    assert made.sign_in("ada")


def test_a_user_who_is_disabled_while_the_password_is_checked_stays_out(staff: MakeStaff, passwords: Counting) -> None:
    """Hashing takes its time: what the file says after it counts."""
    made = staff(ada={}, eve={})
    assert made.sign_in("ada")
    passwords.before = lambda: write(made.path, {"users": {"ada": {"password": HASH, "disabled": True}}})
    assert made.sign_in("ada") is None
    write(made.path, {"users": {"eve": {"password": HASH}}})
    assert made.sign_in("eve") is None


@pytest.mark.parametrize("spoil", [
    lambda path: path.unlink(),
    lambda path: write(path, "{"),
    lambda path: write(path, ""),
    lambda path: write(path, {"users": {"ada": {"password": HASH}, "bob": {"passwort": HASH}}}),
    lambda path: (path.unlink(), path.mkdir()),
], ids=["gone", "half", "empty", "misspelt", "a-folder"])  # fmt: skip
def test_a_file_that_became_bad_is_cannot_decide(
    spoil: Callable[[Path], Any], staff: MakeStaff, passwords: Counting, caplog: pytest.LogCaptureFixture
) -> None:
    """503 for everybody, said once in the log; never "no such user", and good again without a restart."""
    made = staff(ada={})
    assert made.sign_in("ada")
    spoil(made.path)
    passwords.compared.clear()
    for ask in (lambda: made.sign_in("ada"), lambda: made.sign_in("nobody"), lambda: made.current("ada")):
        with pytest.raises(Unavailable, match="JWT_USERS_FILE: ") as caught:
            ask()
        assert caught.value.reason is Reason.ACCOUNTS_UNAVAILABLE
    assert passwords.compared == []
    if not made.path.is_dir() and made.path.exists():
        assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    assert "JWT_USERS_FILE: " in caplog.text
    assert HASH not in caplog.text
    if made.path.is_dir():
        made.path.rmdir()
    write(made.path, {"users": {"ada": {"password": HASH}}})
    assert made.sign_in("ada")


def test_a_relative_path_counts_from_where_the_server_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passwords: Counting
) -> None:
    """A server that changes its folder later still finds the file."""
    write(tmp_path / "users.json", {"users": {"ada": {"password": HASH}}})
    monkeypatch.chdir(tmp_path)
    made = UsersFile(RecordsFile(Path("users.json"), users.kind(Settings())), passwords, BlockingIO(None, 1))
    monkeypatch.chdir("/")
    assert run(made.authenticate("ada", PASSWORD))


def test_a_file_that_others_can_read_is_warned_of_once(staff: MakeStaff, caplog: pytest.LogCaptureFixture) -> None:
    """Hashes can be tried out by whoever reads them; a group that shares the file is the operator's choice."""
    made = staff(ada={})
    made.path.chmod(0o640)
    assert made.sign_in("ada")
    assert caplog.text == ""
    for _ in range(2):
        made.path.chmod(0o644)
        assert made.sign_in("ada")
        made.path.chmod(0o600)
        assert made.sign_in("ada")
    assert caplog.text.count("can be read or changed by others") == 1


def test_sign_ins_go_on_while_the_file_is_being_replaced(staff: MakeStaff) -> None:
    """Another process adds users all the time: not one sign-in fails, and not one user is lost."""
    made = staff(ada={})
    code = (
        "import sys, pathlib; from jwt_middleware.login import users, records;"
        "from jwt_middleware.settings import Settings;"
        "file = records.RecordsFile(pathlib.Path(sys.argv[1]), users.kind(Settings()));"
        "[file.edit(lambda raw, n=n: not raw.update({f'{sys.argv[2]}{n}': {'password': sys.argv[3]}}))"
        " for n in range(20)]"
    )
    command = [sys.executable, "-c", code, str(made.path)]
    running = [subprocess.Popen([*command, letter, HASH]) for letter in "xy"]
    count = 0
    while any(process.poll() is None for process in running):
        assert made.sign_in("ada") == Account("ada")
        count += 1
    assert [process.returncode for process in running] == [0, 0]
    assert count
    assert made.stored().keys() == {"ada", *(f"{letter}{n}" for letter in "xy" for n in range(20))}


# --- rehashing -------------------------------------------------------------------------------------------------------


def test_a_sign_in_renews_a_hash_that_has_become_too_cheap(world: World, staff: MakeStaff) -> None:
    """After the cost was raised, once; nothing else in the file changes, nor its mode."""
    made = staff(ada={"scopes": ["read"], "claims": {"n": 1}}, bob={})
    made.path.chmod(0o640)
    before = made.stored()
    dearer = Counting(**CHEAP | {"time_cost": 2})
    made.users = UsersFile(made.file, dearer, world.make_io(None, 1))
    assert made.sign_in("ada", WRONG) is None
    assert dearer.made == 0
    for _ in range(2):
        assert made.sign_in("ada")
    assert dearer.made == 1
    after = made.stored()
    fresh = after["ada"].pop("password")
    before["ada"].pop("password")
    assert after == before
    assert fresh.startswith("$argon2id$v=19$m=8,t=2,p=1$")
    assert dearer.matches(fresh, PASSWORD)
    assert made.path.stat().st_mode & 0o777 == 0o640


def test_a_dearer_hash_is_left_alone(staff: MakeStaff, passwords: Counting) -> None:
    """Who chose a higher cost keeps it."""
    dear = Passwords(time_cost=3, memory_cost=16, parallelism=1).hash(PASSWORD)
    made = staff(ada={"password": dear})
    assert made.sign_in("ada")
    assert made.stored()["ada"]["password"] == dear


def test_a_disabled_user_s_hash_is_not_renewed(world: World, staff: MakeStaff) -> None:
    """The right password of a disabled user costs what a wrong one does."""
    made = staff(ada={"disabled": True})
    dearer = Counting(**CHEAP | {"time_cost": 2})
    made.users = UsersFile(made.file, dearer, world.make_io(None, 1))
    assert made.sign_in("ada") is None
    assert dearer.made == 0


@pytest.mark.parametrize("state", ["read-only", "locked", "gone-bad", "new-password", "removed", "no-memory"])
def test_a_sign_in_is_good_although_the_hash_cannot_be_renewed(
    state: str, world: World, staff: MakeStaff, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that cannot be written is warned of once; a change by another at this moment wins."""
    made = staff(ada={})
    dearer = Counting(**CHEAP | {"time_cost": 2})
    made.users = UsersFile(made.file, dearer, world.make_io(None, 1))
    content = made.path.read_text()
    newer = Passwords(**CHEAP).hash(WRONG)
    make = dearer.hash

    def meanwhile(password: str) -> str:
        if state == "gone-bad":
            write(made.path, "{")
        if state == "new-password":
            write(made.path, {"users": {"ada": {"password": newer}}})
        if state == "removed":
            write(made.path, {"users": {}})
        if state == "no-memory":
            raise Unavailable("argon2 cannot compute a hash", Reason.ACCOUNTS_UNAVAILABLE)
        return make(password)

    dearer.hash = meanwhile
    if state == "read-only":
        made.path.chmod(0o400)
    with made.path.open("rb") as file:
        if state == "locked":
            fcntl.flock(file, fcntl.LOCK_EX)
        assert made.sign_in("ada") == Account("ada")
        if state in ("read-only", "locked", "no-memory"):
            assert made.sign_in("ada") == Account("ada")
            assert made.path.read_text() == content
    assert caplog.text.count("cannot be changed") == (1 if state == "read-only" else 0)
    if state == "new-password":
        assert made.stored() == {"ada": {"password": newer}}
    if state == "removed":
        assert made.stored() == {}


def test_two_workers_that_renew_at_once_lose_nothing(tmp_path: Path) -> None:
    """Fifty users sign in at both after the cost was raised: nobody is refused, and who was passed over is next."""
    names = [f"user{number}" for number in range(50)]
    path = write(tmp_path / "users.json", {"users": {name: {"password": HASH, "roles": [name]} for name in names}})
    code = (
        "import sys, pathlib; from jwt_middleware.login import users, records, passwords;"
        "from jwt_middleware.settings import Settings; from jwt_middleware.truth._blocking import BlockingIO;"
        "from jwt_middleware.truth.io import run;"
        "file = records.RecordsFile(pathlib.Path(sys.argv[1]), users.kind(Settings()));"
        "made = users.UsersFile(file, passwords.Passwords(time_cost=2, memory_cost=8, parallelism=1),"
        " BlockingIO(None, 1));"
        "assert all(run(made.authenticate(f'user{n}', sys.argv[2])) for _ in range(2) for n in range(50))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), PASSWORD]) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    dearer = Passwords(**CHEAP | {"time_cost": 2})
    made = UsersFile(RecordsFile(path, users.kind(Settings())), dearer, BlockingIO(None, 1))
    assert all(run(made.authenticate(name, PASSWORD)) for name in names)
    stored = json.loads(path.read_text())["users"]
    assert {name: record["roles"] for name, record in stored.items()} == {name: [name] for name in names}
    assert all(record["password"].startswith("$argon2id$v=19$m=8,t=2") for record in stored.values())


# --- at a refresh ----------------------------------------------------------------------------------------------------


def test_at_a_refresh_the_account_is_as_the_file_has_it_now(staff: MakeStaff) -> None:
    """Found by its subject, whatever the name; gone or disabled is `None`."""
    made = staff(ada={"subject": "42", "scopes": ["read"]}, eve={"disabled": True})
    assert made.current("42") == Account("42", ("read",))
    assert made.current("ada") is None
    assert made.current("eve") is None
    write(made.path, {"users": {"lovelace": {"password": HASH, "subject": "42", "roles": ["admin"]}}})
    assert made.current("42") == Account("42", (), {"roles": ("admin",)})
    write(made.path, {"users": {}})
    assert made.current("42") is None


# --- strictness ------------------------------------------------------------------------------------------------------


def record(**members: Any) -> str:
    """Return the text of a file with one user, ada."""
    return json.dumps({"users": {"ada": {"password": HASH} | members}})


IS = "user 'ada' "
SHAPE = 'must be an object whose one member is "users", an object of users by name'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("", "is not JSON: Expecting value: line 1 column 1 (char 0)", id="empty"),
        pytest.param("[" * 100_000, "is not JSON: ", id="deep"),
        pytest.param(b'\xff{"users": {}}', "is not UTF-8 text", id="bytes"),
        pytest.param('\ufeff{"users": {}}', "is not JSON: Unexpected UTF-8 BOM", id="bom"),
        pytest.param('{"users": {"\\ud800": {}}}', "is not UTF-8 text", id="half-a-surrogate-pair"),
        pytest.param("[]", SHAPE, id="list"),
        pytest.param("{}", SHAPE, id="nothing"),
        pytest.param('{"users": []}', SHAPE, id="users-list"),
        pytest.param('{"users": {}, "version": 1}', SHAPE, id="more"),
        pytest.param('{"users": {}, "users": {}}', SHAPE, id="users-twice"),
        pytest.param('{"users": {"ada": {}, "bob": {}, "ada": {}}}', "user 'ada' stands twice", id="user-twice"),
        pytest.param(json.dumps({"users": {"ada": HASH}}), IS + "is not an object", id="text"),
        pytest.param('{"users": {"ada": {}}}', IS + "has no password", id="no-password"),
        pytest.param(json.dumps({"users": {HASH: {}}}), "user '(a hash) has no password", id="hash-as-name"),
        pytest.param(record(**{HASH: 1}), IS + "has the unknown key '(a hash)", id="hash-as-member"),
        pytest.param(
            '{"users": {"ada": {"password": "x", "password": "y"}}}', IS + "has 'password' twice", id="password-twice"
        ),
        pytest.param(
            '{"users": {"ada": {"claims": {"a": [{"b": 1, "b": 2}]}}}}', IS + "has 'b' twice", id="deep-twice"
        ),
        pytest.param(record(password=PASSWORD), IS + "(password) is not an argon2id hash", id="plain-password"),
        pytest.param(record(password=None), IS + "(password) is not an argon2id hash", id="null-password"),
        pytest.param(record(disable=True), IS + "has the unknown key 'disable': did you mean disabled?", id="misspelt"),
        pytest.param(record(disabled=1), IS + "(disabled) must be true or false", id="disabled-1"),
        pytest.param(record(disabled="true"), IS + "(disabled) must be true or false", id="disabled-text"),
        pytest.param(record(subject=""), IS + "(subject) must be a text of 1 to 255", id="empty-subject"),
        pytest.param(record(subject=42), IS + "(subject) must be a text of 1 to 255", id="number-subject"),
        pytest.param(record(subject="a\n"), IS + "(subject) must be a text of 1 to 255", id="subject-line-end"),
        pytest.param(record(subject="a\x1bb"), IS + "(subject) must not hold control", id="subject-control"),
        pytest.param(record(subject="x" * 256), IS + "(subject) must be a text of 1 to 255", id="long-subject"),
        pytest.param(record(subject="e\u0301"), IS + "(subject) must be written in Unicode's NFC", id="subject-nfd"),
        pytest.param(record(scopes="read"), IS + "(scopes) must be a list of texts", id="scopes-text"),
        pytest.param(record(scopes=["a b"]), IS + "(scopes) takes scopes of printable ASCII", id="scope-with-space"),
        pytest.param(record(scopes=[" a"]), IS + "(scopes) must be a list of texts", id="scope-after-space"),
        pytest.param(record(scopes=[""]), IS + "(scopes) must be a list of texts", id="empty-scope"),
        pytest.param(record(scopes=[1]), IS + "(scopes) must be a list of texts", id="number-scope"),
        pytest.param(record(roles={"a": 1}), IS + "(roles) must be a list of texts", id="roles-object"),
        pytest.param(record(claims=[]), IS + "(claims) must be an object", id="claims-list"),
        pytest.param(record(claims={"sub": "root"}), IS + "has claims that are ours to set: sub", id="sub"),
        pytest.param(record(claims={"x": float("nan")}), IS + "has claims that are not JSON", id="nan"),
        pytest.param(record(claims={"x": 1}).replace("1}", "1e999}"), IS + "has claims that are not JSON", id="inf"),
        pytest.param(
            record(roles=["a"], claims={"roles": []}), IS + "has roles and a claim of that name", id="roles-twice"
        ),
        pytest.param(json.dumps({"users": {"": {}}}), "user '' (the name) must be", id="no-name"),
        pytest.param('{"users": {" a": {}}}', "user ' a' (the name) must be", id="name-after-space"),
        pytest.param('{"users": {"e\u0301": {}}}', "(the name) must be written in Unicode's NFC", id="name-nfd"),
        pytest.param('{"users": {"a\\u0000": {}}}', "user 'a\\x00' (the name) must not hold", id="name-nul"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_a_problem(content: str | bytes, said: str, tmp_path: Path) -> None:
    """One line that names the file and the user, and never shows a hash."""
    path = tmp_path / "users.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    problems: list[str] = []
    authority(Settings(users_file=path), BlockingIO(None, 1), problems)
    assert len(problems) == 1, problems
    assert problems[0].startswith("JWT_USERS_FILE: ")
    assert said in problems[0]
    assert HASH[:30] not in problems[0]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Of every user, and beside those of other settings."""
    document = {"users": {"ada": {}, "bob": {"password": HASH, "scopes": 1}, "eve": {"password": HASH}}}
    path = write(tmp_path / "users.json", document)
    problems = ["JWT_LEEWAY must be a duration"]
    authority(Settings(users_file=path), BlockingIO(None, 1), problems)
    assert [problem.partition(" (")[0] for problem in problems[1:]] == [
        "JWT_USERS_FILE: user 'ada' has no password",
        "JWT_USERS_FILE: user 'bob'",
    ]


def test_two_users_with_one_subject_are_a_problem(tmp_path: Path) -> None:
    """Whose tokens would they be? A default subject counts as well."""
    document = {"users": {"ada": {"password": HASH}, "bob": {"password": HASH, "subject": "ada"}}}
    problems: list[str] = []
    authority(Settings(users_file=write(tmp_path / "users.json", document)), BlockingIO(None, 1), problems)
    assert problems == [
        f"JWT_USERS_FILE: user '{name}' has the subject 'ada', and so has another" for name in ("ada", "bob")
    ]


def test_a_file_that_is_not_there_is_a_problem_that_says_how_to_make_it(tmp_path: Path) -> None:
    """At start, not at the first sign-in."""
    problems: list[str] = []
    authority(Settings(users_file=tmp_path / "users.json"), BlockingIO(None, 1), problems)
    assert problems == [
        "JWT_USERS_FILE: cannot be read: No such file or directory (`jwt-middleware user add` makes it)"
    ]


def test_claims_that_are_ours_are_nobodys_to_bring() -> None:
    """Those of RFC 9068, the session's, the identity, and whatever scopes might be read from instead."""
    assert reserved(Settings()) >= {
        "iss", "aud", "sub", "client_id", "iat", "exp", "nbf", "jti", "scope", "scp", "cnf", "sid", "auth_time",
    }  # fmt: skip
    settings = Settings(identity_claim="user_id", scope_claims=("rights.all",))
    assert reserved(settings) >= {"user_id", "rights.all", "rights"}


# --- a function of the app's -----------------------------------------------------------------------------------------


def ask(world: World, function: Any, name: str = "ada", password: str = PASSWORD) -> Account | None:
    """Sign in by an app's function."""
    made = authority(Settings(authenticate=function), world.make_io(None, 1), problems := [])
    assert isinstance(made, Hook)
    assert problems == []
    return world.run(made.authenticate(name, password))


@pytest.mark.parametrize(
    ("answer", "account"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(False, None, id="false"),
        pytest.param("42", Account("42"), id="subject"),
        pytest.param(("42", {}), Account("42"), id="no-claims"),
        pytest.param(("42", {"scope": "read write"}), Account("42", ("read", "write")), id="scope"),
        pytest.param(("42", {"scope": ""}), Account("42"), id="empty-scope"),
        pytest.param(("42", {"scope": None}), Account("42"), id="no-scope"),
        pytest.param(("42", {"scopes": ["read", "write"]}), Account("42", ("read", "write")), id="scopes"),
        pytest.param(("42", {"scopes": ("read",)}), Account("42", ("read",)), id="scopes-tuple"),
        pytest.param(
            ("42", types.MappingProxyType({"roles": ["a"], "n": {"x": 1}})),
            Account("42", (), {"roles": ("a",), "n": {"x": 1}}),
            id="claims",
        ),
    ],
)
def test_the_app_s_function_says_who_it_is(answer: Any, account: Account | None, world: World) -> None:
    """Nothing for no, the subject for yes, with claims if there are any."""
    asked = []
    assert ask(world, lambda *given: asked.append(given) or answer, "Ada ", "e\u0301") == account
    assert asked == [("Ada ", "e\u0301")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(True, "something of the type bool", id="true"),
        pytest.param(0, "something of the type int", id="zero"),
        pytest.param(42, "something of the type int", id="number"),
        pytest.param("", "an empty text", id="empty"),
        pytest.param(b"42", "something of the type bytes", id="bytes"),
        pytest.param({"sub": "42"}, "something of the type dict", id="dict"),
        pytest.param((42, {}), "a tuple of (int, dict)", id="number-and-claims"),
        pytest.param(("42", ["a"]), "a tuple of (str, list)", id="subject-and-list"),
        pytest.param(("42", None), "a tuple of (str, NoneType)", id="subject-and-none"),
        pytest.param((None, {}), "a tuple of (NoneType, dict)", id="none-and-claims"),
        pytest.param(("42", {}, 1), "a tuple of (str, dict, int)", id="three"),
        pytest.param(["42", {}], "something of the type list", id="list"),
        pytest.param(("42", {"sub": "7"}), "has claims that are ours to set: sub", id="sub"),
        pytest.param(("42", {"scp": "admin"}), "has claims that are ours to set: scp", id="scp"),
        pytest.param(("42", {"at": object()}), "has claims that are not JSON", id="object"),
        pytest.param(("42", {"n": float("inf")}), "has claims that are not JSON", id="infinity"),
        pytest.param(("42", {"n": "\ud800"}), "has claims that are not JSON", id="half-a-surrogate-pair"),
        pytest.param(("\ud800", {}), "has a subject that is not Unicode text", id="subject-half-a-pair"),
        pytest.param(("42", {"scope": ["read"]}), "has a scope that is not one text", id="scope-list"),
        pytest.param(("42", {"scope": "a", "scopes": ["b"]}), "or scopes besides", id="scope-and-scopes"),
        pytest.param(("42", {"scopes": "read"}), "must be a list of texts", id="scopes-text"),
        pytest.param(("42", {"scopes": None}), "must be a list of texts", id="scopes-none"),
        pytest.param(("42", {"scope": "a  b"}), "must be a list of texts", id="two-spaces"),
        pytest.param(("42", {"scope": 'a"'}), "takes scopes of printable ASCII", id="bad-scope"),
    ],
)
def test_any_other_answer_is_cannot_decide(answer: Any, said: str, world: World) -> None:
    """`True`, a row, a number: the app meant something, and guessing what might let the wrong one in."""
    with pytest.raises(Unavailable) as caught:
        ask(world, lambda *_: answer)
    assert caught.value.reason is Reason.AUTHENTICATE_FAILED
    assert said in caught.value.detail
    assert caught.value.detail.startswith("JWT_AUTHENTICATE returned ")


def test_a_function_that_fails_is_cannot_decide(world: World) -> None:
    """Its own words, which may hold the password, stay out."""

    def broken(name: str, password: str) -> None:
        raise KeyError(password)

    with pytest.raises(Unavailable) as caught:
        ask(world, broken)
    assert (caught.value.reason, caught.value.detail) == (
        Reason.AUTHENTICATE_FAILED,
        "JWT_AUTHENTICATE raised KeyError",
    )
    assert PASSWORD not in str(caught.value)


def test_what_the_app_itself_calls_unavailable_stays_so(world: World) -> None:
    """A function may say by our own exception that its database is down."""

    def down(name: str, password: str) -> None:
        raise Unavailable("the directory is down")

    with pytest.raises(Unavailable, match="the directory is down"):
        ask(world, down)


def test_the_function_may_be_async_under_asgi_alone() -> None:
    """Awaited on the server's loop; under WSGI there is none, and that is said."""

    async def later(name: str, password: str) -> str | None:
        await asyncio.sleep(0)
        return name if password == PASSWORD else None

    made = Hook(later, AsyncIO(None, 1), frozenset())
    assert asyncio.run(made.authenticate("ada", PASSWORD)) == Account("ada")
    assert asyncio.run(made.authenticate("ada", WRONG)) is None
    with pytest.raises(Unavailable, match="JWT_AUTHENTICATE is async: under WSGI it must be a plain function"):
        run(Hook(later, BlockingIO(None, 1), frozenset()).authenticate("ada", PASSWORD))


def test_a_plain_function_does_not_hold_the_event_loop() -> None:
    """It may ask a database: others are served meanwhile."""
    threads = []
    made = Hook(lambda *_: threads.append(threading.get_ident()), AsyncIO(None, 1), frozenset())
    assert asyncio.run(made.authenticate("ada", PASSWORD)) is None
    assert threads != [threading.get_ident()]


def test_it_is_named_by_module_and_function_and_found_late(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may live in the very module that makes the middleware, which is still loading then."""
    made = authority(Settings(authenticate="an_app_of_ours:check"), world.make_io(None, 1), [])
    with pytest.raises(Unavailable, match="JWT_AUTHENTICATE raised ModuleNotFoundError"):
        world.run(made.authenticate("ada", PASSWORD))
    module = types.ModuleType("an_app_of_ours")
    module.check = lambda name, password: name
    monkeypatch.setitem(sys.modules, "an_app_of_ours", module)
    assert world.run(made.authenticate("ada", PASSWORD)) == Account("ada")


def test_at_a_refresh_the_function_is_not_asked(world: World) -> None:
    """There is no password then; `JWT_CHECK_USER` says whether the user is still welcome."""
    made = Hook(lambda *_: 1 // 0, world.make_io(None, 1), frozenset())
    account = Account("42", ("read",), {"roles": ("a",)})
    assert world.run(made.current(account)) is account


# --- which of the two ------------------------------------------------------------------------------------------------


def test_both_ways_together_are_a_problem(tmp_path: Path) -> None:
    """Who would decide? The file is looked at all the same, so that every problem is told at once."""
    problems: list[str] = []
    settings = Settings(users_file=write(tmp_path / "users.json", "{"), authenticate="a:b")
    authority(settings, BlockingIO(None, 1), problems)
    assert problems[0] == "JWT_AUTHENTICATE and JWT_USERS_FILE are both set: keep one"
    assert problems[1].startswith("JWT_USERS_FILE: is not JSON")


def test_with_neither_nobody_signs_in() -> None:
    """No authority, no problem: the app has its own sign-in, or none."""
    assert authority(Settings(), BlockingIO(None, 1), problems := []) is None
    assert problems == []


def test_the_gate_refuses_to_start_with_a_bad_file(protect: Callable[..., Any], tmp_path: Path) -> None:
    """One error with the others, in both worlds."""
    from jwt_middleware import ConfigurationError

    path = write(tmp_path / "users.json", {"users": {"ada": {"password": PASSWORD}}})
    clients = write(tmp_path / "clients.json", {"clients": {"web": {}}})
    with pytest.raises(ConfigurationError) as caught:
        protect(
            users_file=path, clients_file=clients, store_url="sqlite:///x.db", issuer="https://x.example", audience="x"
        )
    assert len(caught.value.problems) == 2
    assert PASSWORD not in str(caught.value)


def test_a_file_that_may_not_be_read_is_cannot_decide(tmp_path: Path, passwords: Counting) -> None:
    """Its permissions were changed while the server runs."""
    path = write(tmp_path / "users.json", {"users": {"ada": {"password": HASH}}})
    made = UsersFile(RecordsFile(path, users.kind(Settings())), passwords, BlockingIO(None, 1))
    assert run(made.authenticate("ada", PASSWORD))

    def locked_out() -> str:
        path.chmod(0)
        if os.geteuid() == 0:  # whom no mode stops
            os.seteuid(65534)
        with pytest.raises(Unavailable) as caught:
            run(made.authenticate("ada", PASSWORD))
        return caught.value.detail

    assert in_child(locked_out) == "JWT_USERS_FILE: cannot be read: Permission denied"
