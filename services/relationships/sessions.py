"""What else managers do (活动): help at the client's, small events, lectures, meetings; clients who came are contacts [A32]."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from uuid_utils import uuid7

from chassis.clock import business_date
from chassis.errors import FieldError
from chassis.rows import Column, Row, columns, fetch, table
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from services.relationships import contacts, logged
from services.relationships.errors import WrongValue
from services.relationships.policy import Policies
from services.relationships.tables import metadata

SOURCE = "sessions"
Kind = Literal[
    "install_help", "event", "lecture", "morning_meeting", "evening_meeting", "weekly_meeting", "monthly_meeting"
]
MET: tuple[Kind, ...] = ("install_help", "event")
"""Where clients are met one by one: a valid contact. At a lecture they listen; at meetings there are none."""
WITH_CLIENTS: tuple[Kind, ...] = ("install_help", "event", "lecture")


class SessionRow(Row, frozen=True):
    """Something somebody held or took part in."""

    session_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    person: str
    kind: Annotated[Kind, Column(Text)]
    title: str
    at: datetime
    day: date
    minutes: int
    attended: Annotated[int, Column(comment="how many came, clients or not")]
    words: Annotated[str | None, Column(comment="masked")]
    entered_at: datetime


sessions = table(
    "sessions",
    metadata,
    SessionRow,
    CheckConstraint(
        "kind IN ('install_help', 'event', 'lecture', 'morning_meeting', 'evening_meeting', 'weekly_meeting', 'monthly_meeting')",
        name="kind",
    ),
    Index(None, "person", "day"),
)


class Held(Row, frozen=True):
    """What is entered of a session."""

    kind: Kind
    title: str
    at: datetime
    minutes: int
    attended: int
    clients: list[str]
    words: str | None


async def hold(uow: UnitOfWork, held: Held, branch_id: str | None) -> SessionRow:
    """Keep a session of the caller's, and a contact with each client who came.

    Raises: WrongValue for one of the future or too long ago, for clients of a meeting, or of another branch.
    """
    now = await effective_now(uow.sql, uow.now)
    terms = (await uow.policies(Policies)).service_log.on(business_date(now)).body
    known = await _branches(uow.sql, held.clients)
    wrong = [
        FieldError(f"/clients/{n}", "no such client")
        for n, one in enumerate(held.clients)
        if one not in known or (branch_id is not None and known[one] != branch_id)
    ]
    if held.at > now or held.at < now - timedelta(days=terms.entry_days):
        wrong.append(FieldError("/at", f"lies in the future, or more than {terms.entry_days} days back"))
    if held.clients and held.kind not in WITH_CLIENTS:
        wrong.append(FieldError("/clients", "no clients come to a meeting"))
    if wrong:
        raise WrongValue(errors=tuple(wrong))
    one = SessionRow(
        UUID(bytes=uuid7().bytes), uow.actor.person, held.kind, held.title, held.at, business_date(held.at), held.minutes,
        max(held.attended, len(set(held.clients))), held.words, now,
    )  # fmt: skip
    await uow.sql.execute(
        f"INSERT INTO sessions ({columns(SessionRow)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        *msgspec.structs.astuple(one),
    )
    met = held.kind in MET
    entries = [
        logged.made(
            client_id,
            logged.Entry(
                "event", "out", held.at, two_way=met, valid=met, outcome=held.kind, mood=None, grumble=False,
                topics=[held.kind], words=None, ref=f"{one.session_id}/{client_id}", source=SOURCE,
            ),
            contacts.named(SOURCE, f"{one.session_id}/{client_id}"), one.person, one.person, now, terms, None,
        )
        for client_id in sorted(set(held.clients))
    ]  # fmt: skip
    await logged.keep(uow, entries)
    uow.audit("hold session", f"session/{one.session_id}", kind=one.kind, clients=len(entries))
    return one


async def _branches(sql: asyncpg.Connection, clients: Sequence[str]) -> dict[str, str | None]:
    rows = await sql.fetch("SELECT client_id, branch_id FROM clients WHERE client_id = ANY($1::text[])", list(clients))
    return dict(map(tuple, rows))


async def listed(sql: asyncpg.Connection, person: str, first: date, last: date) -> list[SessionRow]:
    """What somebody held or took part in on some days."""
    return await fetch(
        sql,
        SessionRow,
        f"""SELECT {columns(SessionRow)} FROM sessions WHERE person = $1 AND day BETWEEN $2 AND $3
            ORDER BY at, session_id""",
        person,
        first,
        last,
    )
