"""Contacts that a client need not have are asked for [MS10, RE4]: relationships decides for all services together; until it
has ever answered, or where it does not in time, we count for ourselves. Once it answers nothing goes before it has, so that what
went is what was granted."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID, uuid5

import asyncpg

from chassis.clock import business_date
from chassis.uow import UnitOfWork
from contracts.messaging import ContactRequested
from contracts.relationships import ContactDecided
from services.messaging.tables import MessageRow

LOOPS = "loops:messaging"


def month_of(now: datetime) -> date:
    """The month an instant lies in: its first day. A contact is granted for one."""
    return business_date(now).replace(day=1)


async def ask_for(uow: UnitOfWork, rows: Sequence[MessageRow], now: datetime) -> None:
    """Ask for a contact for each of these messages, once a month."""
    month = month_of(now)
    wanted = {uuid5(row.message_id, month.isoformat()): row for row in rows if row.client_id is not None}
    if not wanted:
        return
    fresh = await uow.sql.fetch(
        """INSERT INTO contacts_asked (request_id, message_id, month, asked_at)
           SELECT r, m, $3, $4 FROM unnest($1::uuid[], $2::uuid[]) AS n(r, m) ON CONFLICT DO NOTHING RETURNING request_id""",
        list(wanted),
        [row.message_id for row in wanted.values()],
        month,
        now,
    )
    uow.emit_all(
        [
            ContactRequested(
                request_id=key, client_id=wanted[key].client_id or "", not_after=wanted[key].not_after, asked_at=now
            )
            for (key,) in fresh
        ],
        at=now,
    )


async def take_decisions(events: Sequence[ContactDecided], uow: UnitOfWork) -> None:
    """What was decided of contacts we asked for; what waits for our own count may go now."""
    first: dict[UUID, ContactDecided] = {}
    for event in events:
        first.setdefault(event.request_id, event)
    known = await uow.sql.fetch(
        """UPDATE contacts_asked c SET granted = n.granted
           FROM unnest($1::uuid[], $2::bool[], $3::timestamptz[]) AS n(request_id, granted, at)
           WHERE c.request_id = n.request_id AND c.granted IS NULL RETURNING c.message_id, n.at""",
        list(first),
        [event.granted for event in first.values()],
        [event.at for event in first.values()],
    )
    woken = await uow.sql.fetch(
        """UPDATE messages m SET due_at = least(m.due_at, n.at) FROM unnest($1::uuid[], $2::timestamptz[]) AS n(message_id, at)
           WHERE m.message_id = n.message_id AND m.state = 'planned' AND m.reason IN ('cap', 'contact_asked')
           RETURNING true""",
        [key for key, _ in known],
        [at for _, at in known],
    )
    if woken:
        uow.notify(LOOPS)


async def waited_for(
    sql: asyncpg.Connection, keys: Sequence[UUID], now: datetime, minutes: int
) -> dict[UUID, datetime]:
    """Of messages whose contact is not decided until when an answer is waited for; none where nobody has ever answered."""
    if not await sql.fetchval("SELECT EXISTS (SELECT FROM contacts_asked WHERE granted IS NOT NULL)"):
        return {}
    found = await sql.fetch(
        """SELECT m, coalesce(a.asked_at, $3) FROM unnest($1::uuid[]) AS n(m)
           LEFT JOIN contacts_asked a ON a.message_id = n.m AND a.month = $2 WHERE a.granted IS NULL""",
        list(keys),
        month_of(now),
        now,
    )
    return {key: asked_at + timedelta(minutes=minutes) for key, asked_at in found}


async def decided(sql: asyncpg.Connection, keys: Sequence[UUID], now: datetime) -> dict[UUID, bool]:
    """Of messages whether their contact is granted in this month, where that is decided."""
    found = await sql.fetch(
        """SELECT message_id, granted FROM contacts_asked
           WHERE message_id = ANY($1::uuid[]) AND month = $2 AND granted IS NOT NULL""",
        list(keys),
        month_of(now),
    )
    return dict(map(tuple, found))
