"""JWT_ON_EVENT: the app is told of every refusal, and nothing that it does with it changes an answer."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import Event, EventName, InsufficientScope, Reason
from jwt_middleware.gate import hook
from tests.token.forge import ISSUER, OTHER_SECRET, claims, token
from tests.worlds import NOW, SECRET, ASGIWorld, World

Protect = Callable[..., World]
NOBODY = {"issuer": None, "subject": None, "token_id": None, "session_id": None}


def who(event: Event) -> dict[str, str | None]:
    """What an event says of the sender."""
    return {name: getattr(event, name) for name in NOBODY}


def test_a_refusal_is_told_in_full(protect: Protect) -> None:
    """Everything that the log has, as fields, at the time of the gate's clock."""
    told: list[Event] = []
    answer = protect(on_event=told.append).request("/orders", method="POST", peer="10.1.2.3", mount="/v1")
    assert (answer.status, answer.error) == (401, "unauthorized")
    assert told == [
        Event(
            name=EventName.REQUEST_REFUSED, time=NOW, status=401, error="unauthorized", reason=Reason.MISSING,
            detail="no Authorization header", method="POST", path="/v1/orders", address="10.1.2.3", **NOBODY,
        )
    ]  # fmt: skip


def test_an_event_is_frozen_and_takes_keywords_alone() -> None:
    """New kinds of events will have more fields, in any order."""
    event = Event(name=EventName.REQUEST_REFUSED, time=NOW)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.time = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        Event(EventName.REQUEST_REFUSED, NOW)  # type: ignore[misc]
    assert not hasattr(event, "__dict__")
    assert [str(name) for name in EventName] == ["request.refused", "request.unavailable"]


def test_who_is_let_in_is_not_told(protect: Protect) -> None:
    """Neither users nor the anonymous: a hook on the hot path would cost every request."""
    told: list[Event] = []
    world = protect(on_event=told.append, exempt_paths="/health")
    assert world.request(token=world.auth.issue("ada")).passed
    assert world.request("/health").passed
    assert told == []


def test_each_refusal_is_told_once_and_none_is_left_out(protect: Protect) -> None:
    """The log has ten lines a minute; whoever counts or audits needs them all."""
    told: list[Event] = []
    world = protect(on_event=told.append)
    for n in range(25):
        world.request(f"/{n}")
    assert [event.path for event in told] == [f"/{n}" for n in range(25)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("junk", Reason.MALFORMED),
        (token(claims(iss=ISSUER, sub="eve", jti="j", sid="s"), key=OTHER_SECRET), Reason.BAD_SIGNATURE),
        (token(claims(iss=ISSUER, sub="eve", jti="j", sid="s", exp=1)), Reason.EXPIRED),
        (token(claims(iss="evil", sub="eve", jti="j", sid="s")), Reason.WRONG_ISSUER),
    ],
    ids=["junk", "forged", "expired", "another-issuer"],
)
def test_of_a_token_that_did_not_verify_nothing_is_told(protect: Protect, text: str, reason: Reason) -> None:
    """What it says of itself is nobody's word."""
    told: list[Event] = []
    assert protect(on_event=told.append, issuer=ISSUER).request(token=text).status == 401
    (event,) = told
    assert (event.reason, who(event)) == (reason, NOBODY)
    assert "eve" not in repr(event)


def test_a_verified_user_who_is_refused_is_named(protect: Protect, tmp_path: Path) -> None:
    """Revoked, rejected by the app, short of a scope: known from a new token, and from a remembered one."""
    told: list[Event] = []
    world = protect(
        on_event=told.append, issuer=ISSUER, store_url=f"sqlite:///{tmp_path}/store.db",
        check_user=lambda user: user.identity != "eve", rules_file=_rules(tmp_path),
    )  # fmt: skip
    ada, eve = (world.auth.issue(name, claims={"sid": f"s-{name}"}) for name in ("ada", "eve"))
    jti = {name: world.auth.core.verifier.verify(text.encode()).token_id for name, text in (("ada", ada), ("eve", eve))}
    assert world.request("/admin", token=ada).status == 403  # verified anew
    assert world.request("/admin", token=ada).status == 403  # remembered
    assert world.request(token=eve).status == 401
    world.revoke_session("s-ada")
    assert world.request(token=ada).status == 401
    assert [(event.reason, event.status, event.error) for event in told] == [
        (Reason.MISSING_SCOPE, 403, "insufficient_scope"),
        (Reason.MISSING_SCOPE, 403, "insufficient_scope"),
        (Reason.USER_REJECTED, 401, "invalid_token"),
        (Reason.REVOKED, 401, "invalid_token"),
    ]
    for event, name in zip(told, ("ada", "ada", "eve", "ada")):
        expected = {"issuer": ISSUER, "subject": name, "token_id": jti[name], "session_id": f"s-{name}"}
        assert who(event) == expected


def _rules(folder: Path) -> Path:
    file = folder / "rules.toml"
    file.write_text('[[rule]]\npath = "/admin"\nscopes = "admin"\n')
    return file


def test_a_503_has_a_name_of_its_own(protect: Protect, tmp_path: Path) -> None:
    """Cannot decide is no refusal; the token was good, so its user is known."""
    told: list[Event] = []
    world = protect(on_event=told.append, store_url=f"sqlite:///{tmp_path}/no/such/folder/store.db")
    assert world.request(token=world.auth.issue("ada")).status == 503
    (event,) = told
    assert event.name is EventName.REQUEST_UNAVAILABLE
    assert (event.status, event.error, event.reason) == (503, "temporarily_unavailable", Reason.STORE_UNAVAILABLE)
    assert event.subject == "ada"


def test_a_refusal_that_is_raised_again_and_again_tells_nobody_of_another(protect: Protect) -> None:
    """Whoever keeps one exception for many requests must not thereby hand one user's name to the next."""
    told: list[Event] = []
    world = protect(on_event=told.append, metrics_path="/metrics")
    kept = InsufficientScope(Reason.MISSING_SCOPE, "always the same")

    async def answer(request: Any, gate: Any) -> Any:
        if request.credential is not None:
            await gate.identify(request)
        raise kept

    (_, service), *_ = world.auth.core.gate._services
    service.answer = answer
    for text in (world.auth.issue("ada"), None, world.auth.issue("bob")):
        world.request("/metrics", token=text)
    assert [event.subject for event in told] == ["ada", None, "bob"]


def test_a_service_s_refusal_is_told_like_any(protect: Protect) -> None:
    """JWT_METRICS_PATH refuses by the same way."""
    told: list[Event] = []
    world = protect(on_event=told.append, metrics_path="/metrics")
    assert world.request("/metrics", token=world.auth.issue("ada")).status == 403
    assert world.request("/metrics", peer="").status == 401
    assert [(event.reason, event.subject, event.address) for event in told] == [
        (Reason.MISSING_SCOPE, "ada", "127.0.0.1"),
        (Reason.MISSING, None, None),
    ]


def test_no_event_holds_a_token(protect: Protect) -> None:
    """Neither a good one nor a bad one, whole or in part."""
    told: list[Event] = []
    world = protect(on_event=told.append, required_scopes="admin")
    good = world.auth.issue("ada")
    for text in (good, good[:-3] + "AAA", "eyJhbGciOiJub25lIn0.e30."):
        assert not world.request(token=text).passed
    for part in (good.split(".")[1], good.split(".")[2], "eyJhbGciOiJub25lIn0"):
        assert part not in repr(told)


class TestAHookThatFails:
    """Its exceptions are its own: the client's answer is the one it would have been."""

    def test_the_answer_stands(self, protect: Protect, caplog: pytest.LogCaptureFixture) -> None:
        """Status, headers and body; the log names the exception, not its words."""

        def broken(event: Event) -> None:
            raise KeyError("the password of the database")

        without, answer = protect().request(), protect(on_event=broken).request()
        assert (answer.status, answer.headers, answer.body) == (without.status, without.headers, without.body)
        assert "JWT_ON_EVENT raised KeyError" in caplog.text
        assert "password" not in caplog.text

    def test_it_is_logged_once_per_minute_and_kind(
        self, protect: Protect, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A hook that always fails must not fill the disk, nor one failure hide another."""
        now, errors = [1000.0], [KeyError, KeyError, OSError, KeyError]
        monkeypatch.setattr(hook, "monotonic", lambda: now[0])

        def broken(event: Event) -> None:
            raise errors[int(event.path.strip("/"))]  # type: ignore[union-attr]

        world = protect(on_event=broken)

        def said() -> list[str]:
            return [r.message.split(" (")[0] for r in caplog.records if r.levelno == logging.ERROR]

        for n in range(4):
            world.request(f"/{n}")
        assert said() == ["JWT_ON_EVENT raised KeyError", "JWT_ON_EVENT raised OSError"]
        now[0] += 59.9
        world.request("/0")
        assert len(said()) == 2
        now[0] += 0.1
        world.request("/0")
        assert said()[2:] == ["JWT_ON_EVENT raised KeyError"]

    @pytest.mark.parametrize("verdict", [True, None, "pass", 200], ids=repr)
    def test_what_it_returns_does_not_matter(self, protect: Protect, verdict: object) -> None:
        """It is told, not asked."""
        assert protect(on_event=lambda event: verdict).request().status == 401

    def test_one_that_is_nowhere_is_an_error_in_the_log(
        self, protect: Protect, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Found at first use, so it may live in the module that makes the middleware; looked for until it is there."""
        monkeypatch.setenv("JWT_ON_EVENT", "an_app_of_ours:note")
        world = protect()
        assert world.request().status == 401
        assert "JWT_ON_EVENT cannot be found: ModuleNotFoundError" in caplog.text
        module = types.ModuleType("an_app_of_ours")
        monkeypatch.setitem(sys.modules, "an_app_of_ours", module)
        assert world.request().status == 401
        assert "JWT_ON_EVENT cannot be found: ConfigurationError" in caplog.text
        told: list[Event] = []
        module.note = told.append  # type: ignore[attr-defined]
        assert world.request("/here").status == 401
        assert [event.path for event in told] == ["/here"]

    def test_an_async_one_is_an_error_in_the_log(self, protect: Protect, caplog: pytest.LogCaptureFixture) -> None:
        """In both worlds: a coroutine that nobody awaits would be silence, so it is said, and never run."""
        told: list[Event] = []

        async def later(event: Event) -> None:
            told.append(event)

        class Object:
            async def __call__(self, event: Event) -> None:
                told.append(event)

        for made in (later, Object(), lambda event: later(event)):
            caplog.clear()
            world = protect(on_event=made)
            assert world.request().status == 401
            assert world.request().status == 401
            said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
            assert len(said) == 1
            assert said[0].startswith("JWT_ON_EVENT is async and was not run: it must be a plain function")
        assert told == []


def test_under_asgi_it_may_start_a_task() -> None:
    """A plain function that hands the event on to the loop blocks nobody."""
    told: list[Event] = []

    async def write(event: Event) -> None:
        told.append(event)

    tasks: list[asyncio.Task[None]] = []
    world = ASGIWorld(secret_key=SECRET, on_event=lambda event: tasks.append(asyncio.create_task(write(event))))
    assert world.request("/orders").status == 401
    world.drive(asyncio.wait_for(_all(tasks), 5))
    assert [event.path for event in told] == ["/orders"]
    world.runner.close()


async def _all(tasks: list[Any]) -> None:
    await asyncio.gather(*tasks)


def test_a_refused_handshake_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Its method is called WEBSOCKET, as in the log."""
    told: list[Event] = []
    world = ASGIWorld(secret_key=SECRET, on_event=told.append)
    scope = {"type": "websocket", "path": "/live", "headers": [], "client": ("127.0.0.1", 1), "extensions": {}}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    world.drive(world.middleware(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert [(event.method, event.path, event.status) for event in told] == [("WEBSOCKET", "/live", 401)]
    world.runner.close()
