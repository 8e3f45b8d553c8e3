"""What clients show of their interest: columns they subscribe to and click on, counted as service feedback [B18].

None of it is a two-way contact: the timer of contact frequency [A7a] and coverage [B4] do not move by a click.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils import uuid7

from chassis.clock import business_date
from chassis.errors import FieldError, Invalid, NotFound
from chassis.uow import UnitOfWork
from services.messaging import messages
from services.messaging.policy import MailingColumn, Policies

CLICK, SUBSCRIBED, UNSUBSCRIBED = "click", "subscribed", "unsubscribed"


async def subscribe(uow: UnitOfWork, client_id: str, column_code: str, channel: str, at: datetime) -> None:
    """Note that a client wants a column by a channel; wanting it again, by another one, replaces the first word.

    Raises: NotFound for a column nobody offers, Invalid for a channel it does not come by.
    """
    column = await _column(uow.sql, column_code, at)
    if channel not in column.channels:
        raise Invalid(errors=(FieldError("body#/channel", f"one of {', '.join(column.channels)}"),))
    changed = await uow.sql.fetchval(
        """INSERT INTO subscriptions AS s (client_id, column_code, channel, since, recorded_by) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (client_id, column_code) DO UPDATE SET channel = excluded.channel, since = excluded.since,
               recorded_by = excluded.recorded_by WHERE s.channel <> excluded.channel RETURNING true""",
        client_id,
        column_code,
        channel,
        business_date(at),
        uow.actor.person,
    )
    if changed:
        await _keep(uow, client_id, column_code, SUBSCRIBED, at)
        uow.audit("subscribed", f"client/{client_id}", key=client_id, column=column_code, channel=channel)


async def unsubscribe(uow: UnitOfWork, client_id: str, column_code: str, at: datetime) -> None:
    """A client does not want a column any more; what waits of it does not go.

    Raises: NotFound when they had not subscribed.
    """
    gone = await uow.sql.fetchval(
        "DELETE FROM subscriptions WHERE client_id = $1 AND column_code = $2 RETURNING true", client_id, column_code
    )
    if not gone:
        raise NotFound
    mailings = await uow.sql.fetch(
        "SELECT mailing_id::text FROM mailings WHERE column_code = $1 AND state = 'released' AND send_until > $2",
        column_code,
        at,
    )
    await messages.cancel_cause(uow, [key for (key,) in mailings], client_id, "unsubscribed")
    await _keep(uow, client_id, column_code, UNSUBSCRIBED, at)
    uow.audit("unsubscribed", f"client/{client_id}", key=client_id, column=column_code)


async def click(uow: UnitOfWork, client_id: str, column_code: str, message_id: UUID | None, at: datetime) -> None:
    """A client opened a column, from a message or in the app.

    Raises: NotFound for a column nobody offers.
    """
    await _column(uow.sql, column_code, at)
    await _keep(uow, client_id, column_code, CLICK, at, message_id)


async def _column(sql: asyncpg.Connection, code: str, at: datetime) -> MailingColumn:
    column = (await Policies.read(sql)).columns.on(business_date(at)).body.get(code)
    if column is None:
        raise NotFound
    return column


async def _keep(
    uow: UnitOfWork, client_id: str, column_code: str, kind: str, at: datetime, message_id: UUID | None = None
) -> None:
    await uow.sql.execute(
        """INSERT INTO feedback (feedback_id, client_id, branch_id, column_code, kind, at, on_day, message_id, recorded_by)
           VALUES ($1, $2, (SELECT branch_id FROM clients WHERE client_id = $2), $3, $4, $5, $6, $7, $8)""",
        UUID(bytes=uuid7().bytes),
        client_id,
        column_code,
        kind,
        at,
        business_date(at),
        message_id,
        uow.actor.person,
    )


async def of_client(sql: asyncpg.Connection, client_id: str) -> list[dict[str, Any]]:
    """The columns a client asked for."""
    found = await sql.fetch(
        """SELECT column_code AS column, channel, since, recorded_by FROM subscriptions WHERE client_id = $1
           ORDER BY column_code""",
        client_id,
    )
    return [dict(row) for row in found]


async def shown_by(sql: asyncpg.Connection, client_id: str, limit: int) -> list[dict[str, Any]]:
    """A client's clicks and subscriptions, newest first."""
    found = await sql.fetch(
        """SELECT column_code AS column, kind, at, message_id FROM feedback WHERE client_id = $1
           ORDER BY at DESC, feedback_id LIMIT $2""",
        client_id,
        limit,
    )
    return [dict(row) for row in found]


async def numbers(sql: asyncpg.Connection, first: date, last: date, branch_id: str | None) -> list[dict[str, Any]]:
    """Of each column and branch in a span of days: clicks and by how many clients, subscriptions begun and ended."""
    found = await sql.fetch(
        """SELECT column_code AS column, coalesce(branch_id, '') AS branch_id,
                  count(*) FILTER (WHERE kind = 'click') AS clicks,
                  count(DISTINCT client_id) FILTER (WHERE kind = 'click') AS clients,
                  count(*) FILTER (WHERE kind = 'subscribed') AS subscribed,
                  count(*) FILTER (WHERE kind = 'unsubscribed') AS unsubscribed
           FROM feedback WHERE on_day BETWEEN $1 AND $2 AND ($3::text IS NULL OR branch_id = $3)
           GROUP BY 1, 2 ORDER BY 1, 2""",
        first,
        last,
        branch_id,
    )
    return [dict(row) for row in found]
