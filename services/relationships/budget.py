"""The contacts a client allows in a month, for all services together [RE4]: who depends little on us is not called at will.

Required contacts need nothing. Every other one is asked for; a contact granted and not made comes back at its `not_after`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from chassis.clock import business_date, end_of, month_end, start_of
from chassis.rows import Column, Row, columns, table
from chassis.uow import UnitOfWork
from contracts.relationships import ContactDecided, ContactRequested
from services.relationships.policy import Policies
from services.relationships.system import SUPPLEMENTARY
from services.relationships.tables import metadata


class Reservation(Row, frozen=True):
    """A contact asked for, and what was decided."""

    request_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    client_id: str
    source: Annotated[str, Column(comment="the service that asks")]
    asked_at: datetime
    not_after: datetime
    granted: bool
    reason: str


reservations = table("contact_reservations", metadata, Reservation, Index(None, "client_id", "asked_at"))

IN_USE = """
    WITH granted AS (SELECT source, asked_at, not_after FROM contact_reservations
                     WHERE client_id = $1 AND granted AND asked_at >= $2 AND asked_at < $3)
    SELECT (SELECT count(*) FROM granted WHERE not_after > $4) + coalesce(sum(least(g.over, g.made)), 0)::int
    FROM (SELECT g.source, count(*) AS over,
                 (SELECT count(*) FROM contacts c
                  WHERE c.client_id = $1 AND c.source = g.source AND c.direction = 'out'
                    AND EXISTS (SELECT FROM granted w WHERE w.source = g.source AND w.not_after <= $4
                                AND c.at BETWEEN w.asked_at AND w.not_after)) AS made
          FROM granted g WHERE g.not_after <= $4 GROUP BY g.source) g"""
"""Contacts granted in a month that may still be made, and of those whose time is over as many as the asker made in it."""


async def decide(events: Sequence[ContactRequested], uow: UnitOfWork) -> None:
    """Decide on contacts asked for, in their order; each once."""
    for one in events:
        source = one.type.partition(".")[0]
        # Two services that ask at once see each other's.
        await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('contacts ' || $1, 0))", one.client_id)
        if await uow.sql.fetchval(
            "SELECT EXISTS (SELECT FROM contact_reservations WHERE request_id = $1)", one.request_id
        ):
            continue
        granted, reason = await _judge(uow, one.client_id, one.asked_at)
        row = Reservation(one.request_id, one.client_id, source, one.asked_at, one.not_after, granted, reason)
        await uow.sql.execute(
            f"INSERT INTO contact_reservations ({columns(Reservation)}) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            *(getattr(row, name) for name in Reservation.__struct_fields__),
        )
        uow.emit(
            ContactDecided(
                request_id=one.request_id, client_id=one.client_id, granted=granted, reason=reason, at=one.asked_at
            ),
            at=one.asked_at,
        )  # fmt: skip


async def _judge(uow: UnitOfWork, client_id: str, at: datetime) -> tuple[bool, str]:
    most = await _most(uow.sql, client_id, at, await uow.policies(Policies))
    used = await used_of(uow.sql, client_id, at) if most is not None else 0
    if most is None or used < most:
        return True, ""
    return False, f"{used} of {most} contacts of the month are taken"


async def most_of(sql: asyncpg.Connection, client_id: str, at: datetime) -> int | None:
    """How many contacts a client allows in the month an instant lies in; None: no limit."""
    return await _most(sql, client_id, at, await Policies.read(sql))


async def _most(sql: asyncpg.Connection, client_id: str, at: datetime, policies: Policies) -> int | None:
    day = business_date(at)
    terms = policies.cadence.on(day).body
    style: str | None = await sql.fetchval(
        """SELECT value FROM information_values WHERE client_id = $1 AND code = $2 AND day <= $3
           ORDER BY day DESC, own DESC, at DESC, fact_id DESC LIMIT 1""",
        client_id,
        SUPPLEMENTARY["STYLE"],
        day,
    )
    return terms.contacts_a_month if terms.capped_style in (style or "").split() else None


async def used_of(sql: asyncpg.Connection, client_id: str, at: datetime) -> int:
    """How many contacts of the month an instant lies in are taken."""
    day = business_date(at)
    used: int = await sql.fetchval(IN_USE, client_id, start_of(day.replace(day=1)), end_of(month_end(day)), at)
    return used
