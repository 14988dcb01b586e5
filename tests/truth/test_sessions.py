"""The stories of sessions, which every store tells alike: opened, refreshed by generation, ended."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware.errors import Unavailable
from jwt_middleware.truth import redis_sessions
from jwt_middleware.truth.redis_sessions import RedisSessions
from jwt_middleware.truth.sessions import Outcome, Session, SessionStore, Terms
from jwt_middleware.truth.store import Store, cut_off, ended
from tests.servers import Server
from tests.truth.conftest import RedisShelf, SQLiteShelf, World
from tests.truth.test_redis import documented_rules

T0 = 1_700_000_000.25
IDLE = 1000.0
ITEMS = ("s|-|1:A", "u|-|3:ada", "c|-|3:web", "i|-")


def a_session(**changed: Any) -> Session:
    fields = {
        "sid": "A", "subject": "ada", "client_id": "web", "scope": "read write", "claims": '{"name":"Ada ☃"}',
        "label": "Firefox", "address": "192.0.2.7", "revoked_by": json.dumps(ITEMS),
        "created": T0, "used": T0, "ends": T0 + 5000,
    }  # fmt: skip
    return Session(**(fields | changed))


def terms(at: float = 10, **changed: Any) -> Terms:
    fields = {"now": T0 + at, "grace": 10.0, "idle": IDLE, "outlives": 1500.0}
    return Terms(**(fields | changed))


@pytest.fixture
def opened(sessions: SessionStore, world: World) -> SessionStore:
    assert world.run(sessions.open(a_session(), IDLE)) is None
    return sessions


@pytest.fixture
def marks(shelf: SQLiteShelf | RedisShelf, world: World) -> Store:
    return shelf.store(world)


def test_a_session_comes_back_as_it_was_opened(opened: SessionStore, world: World):
    """Every field survives, to the last digit and beyond ASCII."""
    assert world.run(opened.of("ada", T0, IDLE)) == [a_session()]


def test_opening_twice_changes_nothing(opened: SessionStore, world: World):
    """A command whose answer was lost is sent again."""
    assert world.run(opened.open(a_session(), IDLE)) is None
    assert world.run(opened.of("ada", T0, IDLE)) == [a_session()]


def test_each_refresh_raises_the_generation_by_one(opened: SessionStore, world: World):
    """The session remembers when, and nothing else changes."""
    first = world.run(opened.rotate("A", 0, terms(10)))
    assert first == (Outcome.ROTATED, a_session(generation=1, rotated=T0 + 10, used=T0 + 10))
    second = world.run(opened.rotate("A", 1, terms(20)))
    assert second == (Outcome.ROTATED, a_session(generation=2, rotated=T0 + 20, used=T0 + 20))
    assert world.run(opened.of("ada", T0 + 20, IDLE)) == [second[1]]


def test_fifty_at_once_raise_it_by_exactly_one(opened: SessionStore, world: World):
    """All but one of the parallel uses meet the generation before, within the grace, and learn the same."""
    answers = world.together([lambda: opened.rotate("A", 0, terms(10))] * 50)
    assert Counter(outcome for outcome, _ in answers) == {Outcome.ROTATED: 1, Outcome.REPEATED: 49}
    assert {session for _, session in answers} == {a_session(generation=1, rotated=T0 + 10, used=T0 + 10)}


def test_the_generation_before_is_good_for_the_grace(opened: SessionStore, world: World):
    """To the last moment of it; using it changes nothing."""
    world.run(opened.rotate("A", 0, terms(10)))
    repeated = world.run(opened.rotate("A", 0, terms(20)))
    assert repeated == (Outcome.REPEATED, a_session(generation=1, rotated=T0 + 10, used=T0 + 10))


@pytest.mark.parametrize(
    ("uses", "generation", "at"),
    [((0,), 0, 20.5), ((0, 1), 0, 12), ((0, 1, 2), 0, 12)],
    ids=["after-the-grace", "two-before-within-the-grace", "three-before"],
)
def test_rfc9700_4_14_2_reuse_ends_the_session_and_its_access_tokens(
    opened: SessionStore, world: World, marks: Store, uses, generation, at
):
    """A stolen refresh token, used by the thief or after him, ends the family; the end is remembered long enough."""
    for used in uses:
        world.run(opened.rotate("A", used, terms(10)))
    outcome, session = world.run(opened.rotate("A", generation, terms(at)))
    assert outcome is Outcome.REUSED
    assert world.run(opened.find("A")) is None
    assert session is not None
    assert session.subject == "ada"
    assert world.run(opened.of("ada", T0 + at, IDLE)) == []
    assert world.run(opened.rotate("A", len(uses), terms(at))) == (Outcome.UNKNOWN, None)
    (mark,) = world.run(marks.read([ITEMS[0]]))
    assert mark == pytest.approx(T0 + at + 1500, abs=1)


@pytest.mark.parametrize("generation", [1, 10**9])
def test_a_store_that_lost_a_rotation_goes_on_from_the_token(opened: SessionStore, world: World, generation):
    """A failover or a crash set it back; the token is ours by its MAC, and its owner is no thief."""
    outcome, session = world.run(opened.rotate("A", generation, terms()))
    assert outcome is Outcome.ROTATED
    assert session is not None
    assert session.generation == generation + 1
    assert world.run(opened.find("A")) == session


def test_revoked_sessions_are_not_listed(opened: SessionStore, world: World, marks: Store):
    """Who looks after an alarm sees what lives, not what is waiting to be found dead."""
    for item, mark in ((ITEMS[1], cut_off(int(T0))), (ITEMS[0], ended(4e9))):
        world.run(marks.write({item: mark}))
        assert world.run(opened.of("ada", T0, IDLE)) == []


def test_an_unknown_session_cannot_be_refreshed(opened: SessionStore, world: World, marks: Store):
    """A name that nobody opened changes nothing."""
    assert world.run(opened.rotate("B", 0, terms())) == (Outcome.UNKNOWN, None)
    assert world.run(marks.read(ITEMS)) == [None] * 4


def test_an_unused_session_expires(opened: SessionStore, world: World):
    """Inactivity ends it to the second, and it is not listed any more."""
    assert len(world.run(opened.of("ada", T0 + IDLE - 0.5, IDLE))) == 1
    assert world.run(opened.of("ada", T0 + IDLE, IDLE)) == []
    assert world.run(opened.rotate("A", 0, terms(IDLE)))[0] is Outcome.EXPIRED
    assert world.run(opened.rotate("A", 0, terms(10)))[0] is Outcome.UNKNOWN


def test_the_absolute_end_holds_however_often_it_is_used(opened: SessionStore, world: World):
    """Each use puts off inactivity, none the end."""
    for generation in range(5):
        at = 900.0 * (generation + 1)
        assert world.run(opened.rotate("A", generation, terms(at)))[0] is Outcome.ROTATED
    assert world.run(opened.rotate("A", 5, terms(5000)))[0] is Outcome.EXPIRED


@pytest.mark.parametrize(
    ("scopes", "outcome"),
    [
        ((), Outcome.ROTATED), (("read",), Outcome.ROTATED), (("write", "read"), Outcome.ROTATED),
        (("admin",), Outcome.TOO_MUCH), (("read", "admin"), Outcome.TOO_MUCH), (("rea",), Outcome.TOO_MUCH),
        ((".*",), Outcome.TOO_MUCH),
    ],
)  # fmt: skip
def test_rfc6749_6_a_scope_can_only_shrink(opened: SessionStore, world: World, scopes, outcome):
    """More than was granted is refused, and costs the generation nothing."""
    assert world.run(opened.rotate("A", 0, terms(scopes=scopes)))[0] is outcome
    generation = 1 if outcome is Outcome.ROTATED else 0
    assert world.run(opened.of("ada", T0 + 10, IDLE))[0].generation == generation


@pytest.mark.parametrize("position", range(4), ids=["session", "subject", "client", "issuer"])
def test_whatever_revokes_its_tokens_ends_the_session(opened: SessionStore, world: World, marks: Store, position):
    """`jwt-middleware revoke` needs to know nothing of sessions."""
    mark = ended(4e9) if position == 0 else cut_off(int(T0))
    world.run(marks.write({ITEMS[position]: mark}))
    assert world.run(opened.rotate("A", 0, terms()))[0] is Outcome.REVOKED
    assert world.run(opened.rotate("A", 0, terms()))[0] is Outcome.UNKNOWN


def test_a_cut_off_before_a_session_does_not_end_it(opened: SessionStore, world: World, marks: Store):
    """Who signed in again after an alarm stays signed in."""
    world.run(marks.write({ITEMS[1]: cut_off(int(T0) - 1)}))
    assert world.run(opened.rotate("A", 0, terms()))[0] is Outcome.ROTATED


@pytest.mark.parametrize("position", [1, 2, 3], ids=["subject", "client", "issuer"])
def test_no_session_begins_in_a_second_that_was_cut_off(sessions: SessionStore, world: World, marks: Store, position):
    """Its tokens would be revoked at birth: the store says after which second to try."""
    world.run(marks.write({ITEMS[position]: cut_off(int(T0))}))
    assert world.run(sessions.open(a_session(), IDLE)) == int(T0)
    assert world.run(sessions.of("ada", T0, IDLE)) == []
    assert world.run(sessions.open(a_session(created=T0 + 1), IDLE)) is None


def test_logging_out_forgets_and_revokes(opened: SessionStore, world: World, marks: Store):
    """Both or none; twice is no mistake."""
    for _ in range(2):
        world.run(opened.end("A", ITEMS[0], ended(T0 + 2000)))
    assert world.run(opened.of("ada", T0, IDLE)) == []
    assert world.run(marks.read([ITEMS[0]])) == [T0 + 2000]


def test_logging_out_everywhere_ends_all_of_one_subject(opened: SessionStore, world: World, marks: Store):
    """Other people stay signed in."""
    world.run(opened.open(a_session(sid="B"), IDLE))
    world.run(opened.open(a_session(sid="C", subject="bob", revoked_by="[]"), IDLE))
    world.run(opened.end_all("ada", ITEMS[1], cut_off(int(T0))))
    assert world.run(opened.of("ada", T0, IDLE)) == []
    assert [session.sid for session in world.run(opened.of("bob", T0, IDLE))] == ["C"]
    assert world.run(opened.rotate("B", 0, terms()))[0] is Outcome.UNKNOWN
    assert world.run(marks.read([ITEMS[1]])) == [cut_off(int(T0))]


def test_sessions_are_listed_the_youngest_first(opened: SessionStore, world: World):
    """And those that have ended are left out."""
    world.run(opened.open(a_session(sid="B", created=T0 + 5, used=T0 + 5), IDLE))
    world.run(opened.open(a_session(sid="C", ends=T0 + 6), IDLE))
    assert [session.sid for session in world.run(opened.of("ada", T0 + 7, IDLE))] == ["B", "A"]


def test_two_issuers_in_one_store_share_nothing(opened: SessionStore, shelf: SQLiteShelf | RedisShelf, world: World):
    """The same names there are other sessions."""
    others = shelf.sessions(world, "https://other.example")
    assert world.run(others.of("ada", T0, IDLE)) == []
    assert world.run(others.rotate("A", 0, terms()))[0] is Outcome.UNKNOWN
    world.run(others.end_all("ada", "u|other", cut_off(1)))
    assert len(world.run(opened.of("ada", T0, IDLE))) == 1


@pytest.mark.parametrize("hostile", ["a:b", "{x}", "*", "'; DROP TABLE sessions; --", "é☃", "x" * 5000, "\r\nFLUSHALL"])
def test_no_name_reaches_beyond_itself(opened: SessionStore, world: World, hostile):
    """Subjects and labels are data, whatever they look like."""
    session = a_session(sid="H", subject=hostile, label=hostile, scope="", claims="{}", revoked_by="[]")
    world.run(opened.open(session, IDLE))
    assert world.run(opened.of(hostile, T0, IDLE)) == [session]
    world.run(opened.end_all(hostile, "u|x", cut_off(1)))
    assert world.run(opened.of(hostile, T0, IDLE)) == []
    assert len(world.run(opened.of("ada", T0, IDLE))) == 1


def test_a_race_of_logout_and_refresh_leaves_no_session(opened: SessionStore, world: World):
    """Whichever comes first, nothing can be refreshed afterwards."""
    world.together([lambda: opened.rotate("A", 0, terms()), lambda: opened.end("A", ITEMS[0], ended(T0 + 2000))] * 4)
    assert world.run(opened.rotate("A", 1, terms(11)))[0] is Outcome.UNKNOWN


def test_a_session_in_redis_carries_a_time_to_live(opened: SessionStore, shelf, world: World):
    """What nobody refreshes goes away by itself."""
    if isinstance(shelf, SQLiteShelf):
        pytest.skip("SQLite purges when the next session opens")
    server = shelf._server
    keys = server.admin("KEYS", f"{{{shelf.prefix}}}:session*")
    assert len(keys) == 2
    lives = sorted(int(server.admin("TTL", key)) for key in keys)
    assert 900 < lives[0] <= 1000
    assert 4900 < lives[1] <= 5000
    world.run(opened.rotate("A", 0, terms(500)))
    assert 900 < max(int(server.admin("TTL", key)) for key in keys if b":session:" in key) <= 1000


def test_what_another_program_put_there_is_no_session(opened: SessionStore, shelf, world: World):
    """A hash without our fields is answered by 503, never by a guess."""
    if isinstance(shelf, SQLiteShelf):
        pytest.skip("a table has its columns")
    (key,) = shelf._server.admin("KEYS", f"{{{shelf.prefix}}}:session:*")
    shelf._server.admin("HDEL", key, "subject")
    with pytest.raises(Unavailable):
        world.run(opened.of("ada", T0, IDLE))


def test_the_documented_rights_are_enough(shelf, world: World):
    """The whole life of a session, by a user who may do what the page says and no more."""
    if isinstance(shelf, SQLiteShelf):
        pytest.skip("a file has an owner")
    server = shelf._server
    more = re.search(r"ACL SETUSER jwt (\+hset .+)$", redis_sessions.__doc__, re.MULTILINE)
    page = (Path(__file__).parents[2] / "docs/operations.md").read_text("utf-8")
    assert more is not None
    assert more[1] in page
    rules = [rule.replace("{jwt}", f"{{{shelf.prefix}}}") for rule in (*documented_rules(), *more[1].split())]
    server.admin("ACL", "SETUSER", "jwt", *rules)
    made = RedisSessions(world.make_io(server.url("jwt:jwtpw"), 5.0), shelf.prefix, "-")
    assert world.run(made.open(a_session(), IDLE)) is None
    assert world.run(made.rotate("A", 0, terms()))[0] is Outcome.ROTATED
    assert len(world.run(made.of("ada", T0 + 11, IDLE))) == 1
    world.run(made.rotate("A", 1, terms()))
    assert world.run(made.rotate("A", 0, terms()))[0] is Outcome.REUSED
    world.run(made.open(a_session(sid="B"), IDLE))
    world.run(made.end("B", "s|B", ended(4e9)))
    world.run(made.open(a_session(sid="C"), IDLE))
    world.run(made.end_all("ada", ITEMS[1], cut_off(int(T0))))
    assert world.run(made.of("ada", T0 + 11, IDLE)) == []


def test_one_refresh_is_one_round_trip(opened: SessionStore, shelf, world: World):
    """One command, whatever the outcome."""
    if isinstance(shelf, SQLiteShelf):
        pytest.skip("SQLite is not across a network")
    server = shelf._server
    world.run(opened.of("ada", T0, IDLE))
    before = commands(server)
    for generation in (0, 0, 1, 0):
        world.run(opened.rotate("A", generation, terms()))
    assert commands(server) - before == 4


def commands(server: Server) -> int:
    """Count the scripts that clients have sent."""
    found = server.admin("INFO", "commandstats")
    return int(found["cmdstat_eval"]["calls"])
