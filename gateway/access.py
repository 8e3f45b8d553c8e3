"""Who may still come in: sessions, bearer tokens and API keys of people, against the roster and what was revoked.

Whoever left, or whose session was ended, is refused at every door within 15 seconds: what is known here is at most
`REFRESH_SECONDS` old, and the word a service gets of a caller holds `INTERNAL_SECONDS` (see `gateway.auth_middleware`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from uuid_utils import uuid7

from chassis.actor import OF_A_BRANCH, PLATFORM, Actor, Role
from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import FieldError, Invalid, NotFound, Text, Unauthenticated, Unavailable
from chassis.http.identity import Signed
from chassis.outages import OUTAGES
from chassis.staff import Roster, roster
from chassis.uow import UnitOfWork
from contracts.platform import AccessRevoked

log = structlog.get_logger()
REFRESH_SECONDS = 4.0
STALE_SECONDS = 12.0
"""Without its database the gateway goes on with what it knew for so long, and no longer."""
KEPT = timedelta(days=30)
SESSION, TOKEN = "session", "token"


class Revoked(Unauthenticated):
    """The session or token was ended: by signing out, by an operator, or because the sign-in changed."""

    title = Text("The session was ended", "会话已结束")


class Left(Unauthenticated):
    """The roster says that this person no longer works here."""

    title = Text("You no longer work here", "您已离职")


def names_of(actor: Actor) -> set[str]:
    """Every name under which all of somebody's sessions can be revoked: the person's, and the sign-in's."""
    return {actor.person, actor.subject, actor.subject.removeprefix("user:")}


@dataclass(slots=True)
class Known:
    """What was known at one moment: the roster, the sessions that ended early, the people revoked and when."""

    at: datetime
    read: float
    people: Roster
    ended: frozenset[str]
    revoked: Mapping[str, float]
    callers: dict[Actor, Actor] = field(default_factory=dict)

    def resolve(self, actor: Actor) -> Actor:
        """The caller as the person they are.

        Raises: Left.
        """
        found = self.callers.get(actor)
        if found is None:
            found = self.people.resolve(actor, self.at)
            if len(self.callers) > 50_000:
                self.callers.clear()
            self.callers[actor] = found
        if actor.role is not Role.CLIENT and self.people.has_left(found.person, self.at):
            raise Left
        return found

    def revoked_at(self, actor: Actor) -> float:
        """The instant before which everything issued to somebody is worth nothing; 0 for never."""
        return max((self.revoked.get(name, 0.0) for name in names_of(actor)), default=0.0) if self.revoked else 0.0


class Access:
    """What every door of this process asks."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: Known | None = None
        self._reading = asyncio.Lock()
        self._met: set[str] = set()

    def forget(self) -> None:
        """Look again at the next request: something changed here."""
        self._known = None

    async def known(self) -> Known:
        """What is known, at most a few seconds old.

        Raises: Unavailable when the database has been away for longer than who left may still be let in.
        """
        known = self._known
        if known is not None and monotonic() - known.read < REFRESH_SECONDS:
            return known
        async with self._reading:
            if self._known is not None and self._known is not known:
                return self._known
            try:
                self._known = await self._look()
            except OUTAGES as error:
                if known is None or monotonic() - known.read > STALE_SECONDS:
                    raise Unavailable(Text("it cannot be checked who you are", "暂时无法核验身份")) from error
                return known
            return self._known

    async def _look(self) -> Known:
        started = monotonic()
        async with self.database.reading() as sql:
            people = await roster(sql)
            rows = await sql.fetch(
                """SELECT id AS name, NULL::timestamptz AS at FROM sessions
                   WHERE ended_at IS NOT NULL AND expires_at > clock_timestamp()
                   UNION ALL SELECT name, at FROM revocations"""
            )
        return Known(
            utc_now(), started, people,
            frozenset(row["name"] for row in rows if row["at"] is None),
            {row["name"]: row["at"].timestamp() for row in rows if row["at"] is not None},
        )  # fmt: skip

    async def of_key(self, actor: Actor) -> Actor:
        """The caller behind an API key.

        Raises: Left, Unavailable.
        """
        return (await self.known()).resolve(actor)

    async def of_token(self, signed: Signed, kind: str) -> Actor:
        """The caller behind a session or bearer token; one met for the first time is listed from now on.

        Raises: Left, Revoked, Unavailable.
        """
        known = await self.known()
        if signed.id in known.ended:
            raise Revoked
        actor = known.resolve(signed.actor)
        if signed.issued < known.revoked_at(actor):
            raise Revoked
        if kind == TOKEN and signed.id not in self._met:
            await self._meet(signed, actor)
        return actor

    async def _meet(self, signed: Signed, actor: Actor) -> None:
        try:
            async with self.database.unit_of_work(PLATFORM) as uow:
                await _list(uow, signed, actor, TOKEN)
        except OUTAGES as error:
            log.warning("a token could not be listed", error=error)
            return
        if len(self._met) > 100_000:
            self._met.clear()
        self._met.add(signed.id)


async def _list(uow: UnitOfWork, signed: Signed, actor: Actor, kind: str) -> None:
    await uow.sql.execute(
        """INSERT INTO sessions (id, kind, subject, person, role, branch_id, issued_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING""",
        signed.id, kind, actor.subject, actor.person, actor.role, actor.branch_id,
        datetime.fromtimestamp(signed.issued, UTC), datetime.fromtimestamp(signed.expires, UTC),
    )  # fmt: skip


async def begin_session(database: Database, signed: Signed, actor: Actor, how: str) -> None:
    """Somebody signed in: their session is listed, and the sign-in is on the record."""
    async with database.unit_of_work(actor) as uow:
        await uow.sql.execute("DELETE FROM sessions WHERE expires_at < $1", uow.now - KEPT)
        await _list(uow, signed, actor, SESSION)
        uow.audit("sign_in", f"person/{actor.person}", session=signed.id, how=how)


def new_id() -> str:
    """A session's or token's id."""
    return str(UUID(bytes=uuid7().bytes))


async def list_sessions(
    sql: asyncpg.Connection,
    *,
    person: str | None = None,
    session: str | None = None,
    after: str = "",
    limit: int = 200,
    everything: bool = False,
) -> list[dict[str, Any]]:
    """Sessions and tokens by id, those that still hold unless `everything` is asked; of one person by any of their names,
    or one alone."""
    rows = await sql.fetch(
        """SELECT s.*, s.ended_at IS NULL AND s.expires_at > clock_timestamp() AND s.issued_at >= coalesce((
                      SELECT max(r.at) FROM revocations r
                      WHERE r.name IN (s.person, s.subject, regexp_replace(s.subject, '^user:', ''))
                  ), '-infinity') AS active
           FROM sessions s
           WHERE ($1::text IS NULL OR $1 IN (s.person, s.subject, regexp_replace(s.subject, '^user:', '')))
             AND s.id > $2 AND s.id = coalesce($3, s.id) ORDER BY s.id""",
        person,
        after,
        session,
    )
    return [dict(row) for row in rows if everything or row["active"]][:limit]


async def show_session(sql: asyncpg.Connection, session: str) -> dict[str, Any]:
    """One session or token, over or not.

    Raises: NotFound.
    """
    for row in await list_sessions(sql, session=session, everything=True):
        return row
    raise NotFound(Text("no such session", "没有该会话"))


async def end_session(uow: UnitOfWork, session: str, reason: str) -> None:
    """End one session or token.

    Raises: NotFound for one that is not listed or over already.
    """
    row = await uow.sql.fetchrow(
        """UPDATE sessions SET ended_at = $2, ended_by = $3 WHERE id = $1 AND ended_at IS NULL AND expires_at > $2
           RETURNING person, kind""",
        session,
        uow.now,
        uow.actor.person,
    )
    if row is None:
        raise NotFound(Text("no such session is open", "没有该有效会话"))
    uow.audit("end_session", f"person/{row['person']}", session=session, kind=row["kind"], reason=reason)
    uow.emit(AccessRevoked(person=row["person"], session=session, at=uow.now))


async def revoke_all(uow: UnitOfWork, name: str, reason: str) -> None:
    """End every session and token issued so far to a person (staff id, client id) or a sign-in name."""
    await uow.sql.execute(
        """INSERT INTO revocations (name, at) VALUES ($1, $2)
           ON CONFLICT (name) DO UPDATE SET at = greatest(revocations.at, excluded.at)""",
        name,
        uow.now,
    )
    uow.audit("revoke_sessions", f"person/{name}", reason=reason)
    uow.emit(AccessRevoked(person=name, at=uow.now))


def require_branch(role: Role, branch_id: str | None) -> None:
    """Refuse a role of a branch without one.

    Raises: Invalid.
    """
    if role in OF_A_BRANCH and not branch_id:
        raise Invalid(
            Text(
                f"role {role} belongs to a branch: name it (HQ for the call centre)",
                f"角色 {role} 须指明营业部（客服中心为 HQ）",
            ),
            errors=(FieldError("/branch_id", "needed for this role"),),
        )
