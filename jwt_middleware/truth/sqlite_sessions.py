"""SQLite as the keeper of sessions: a table beside the marks, a transaction for each verb."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import astuple, fields, replace

from jwt_middleware.truth.sessions import Outcome, Session, Terms, is_over
from jwt_middleware.truth.sqlite import SQLiteStore, keep, marks_of
from jwt_middleware.truth.store import ended, revokes

_COLUMNS = tuple(field.name for field in fields(Session))
_OF = f"SELECT {', '.join(_COLUMNS)} FROM sessions"  # noqa: S608 - our own names
_KEEP = f"INSERT OR REPLACE INTO sessions (service, {', '.join(_COLUMNS)}) VALUES (?{', ?' * len(_COLUMNS)})"  # noqa: S608


class SQLiteSessions:
    """A `SessionStore` in the file of the marks.

    Params:
        store: what holds the file.
        service: whose sessions they are: those of two services in one file are apart.
    """

    def __init__(self, store: SQLiteStore, service: str) -> None:
        self._store = store
        self._service = service

    async def open(self, session: Session, idle: float) -> float | None:
        """See `SessionStore.open`."""

        def change(connection: sqlite3.Connection) -> float | None:
            latest = max((-mark for mark in marks_of(connection, json.loads(session.revoked_by)).values()), default=0.0)
            if int(session.created) <= latest:
                return latest
            self._keep(connection, session)
            connection.execute(
                "DELETE FROM sessions WHERE sid IN (SELECT sid FROM sessions WHERE ends < ? LIMIT 100)",
                (session.created,),
            )
            return None

        return await self._store.transact(change)

    async def find(self, sid: str) -> Session | None:
        """See `SessionStore.find`."""
        return await self._store.transact(lambda connection: self._find(connection, sid))

    async def rotate(self, sid: str, generation: int, terms: Terms) -> tuple[Outcome, Session | None]:
        """See `SessionStore.rotate`."""
        return await self._store.transact(lambda connection: self._rotate(connection, sid, generation, terms))

    def _rotate(
        self, connection: sqlite3.Connection, sid: str, generation: int, terms: Terms
    ) -> tuple[Outcome, Session | None]:
        session = self._find(connection, sid)
        if session is None:
            return Outcome.UNKNOWN, None
        items = json.loads(session.revoked_by)
        outcome = _judged(session, generation, terms, marks_of(connection, items))
        if outcome is Outcome.ROTATED:
            session = replace(session, generation=generation + 1, rotated=terms.now, used=terms.now)
            self._keep(connection, session)
        elif outcome in (Outcome.REVOKED, Outcome.EXPIRED, Outcome.REUSED):
            self._forget(connection, sid)
        if outcome is Outcome.REUSED:
            keep(connection, {items[0]: ended(terms.now + terms.outlives)})
        return outcome, session

    async def end(self, sid: str, item: str, mark: float) -> None:
        """See `SessionStore.end`."""

        def change(connection: sqlite3.Connection) -> None:
            keep(connection, {item: mark})
            self._forget(connection, sid)

        await self._store.transact(change)

    async def end_all(self, subject: str, item: str, mark: float) -> None:
        """See `SessionStore.end_all`."""

        def change(connection: sqlite3.Connection) -> None:
            keep(connection, {item: mark})
            connection.execute("DELETE FROM sessions WHERE service = ? AND subject = ?", (self._service, subject))

        await self._store.transact(change)

    async def of(self, subject: str, now: float, idle: float) -> list[Session]:
        """See `SessionStore.of`."""

        def look(connection: sqlite3.Connection) -> list[Session]:
            query = f"{_OF} WHERE service = ? AND subject = ? ORDER BY created DESC LIMIT 1000"
            found = _sessions(connection, query, self._service, subject)
            return [session for session in found if not is_over(session, now, idle) and _lives(connection, session)]

        return await self._store.transact(look)

    def _find(self, connection: sqlite3.Connection, sid: str) -> Session | None:
        return next(_sessions(connection, f"{_OF} WHERE service = ? AND sid = ?", self._service, sid), None)

    def _keep(self, connection: sqlite3.Connection, session: Session) -> None:
        connection.execute(_KEEP, (self._service, *astuple(session)))

    def _forget(self, connection: sqlite3.Connection, sid: str) -> None:
        connection.execute("DELETE FROM sessions WHERE service = ? AND sid = ?", (self._service, sid))


def _lives(connection: sqlite3.Connection, session: Session) -> bool:
    marks = marks_of(connection, json.loads(session.revoked_by))
    return not any(revokes(mark, session.created) for mark in marks.values())


def _judged(session: Session, generation: int, terms: Terms, marks: Mapping[str, float]) -> Outcome:
    if any(revokes(mark, session.created) for mark in marks.values()):
        return Outcome.REVOKED
    if is_over(session, terms.now, terms.idle):
        return Outcome.EXPIRED
    behind = session.generation - generation
    if behind > 0 and (behind != 1 or terms.now - session.rotated > terms.grace):
        return Outcome.REUSED
    if not set(terms.scopes) <= set(session.scope.split()):
        return Outcome.TOO_MUCH
    return Outcome.REPEATED if behind > 0 else Outcome.ROTATED


def _sessions(connection: sqlite3.Connection, query: str, *values: str) -> Iterator[Session]:
    with closing(connection.execute(query, values)) as rows:
        for row in rows:
            yield Session(**dict(zip(_COLUMNS, row, strict=True)))
