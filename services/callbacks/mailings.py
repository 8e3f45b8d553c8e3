"""Mailings (资讯邮件) to many clients at once, by class and product rules [B15]: one orders, another releases.

Who gets one is decided when it is released; everybody left out is counted by reason, and each can be asked about.
"""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.clock import business_date
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Text
from chassis.timeline import Timeline, timeline, today
from chassis.uow import UnitOfWork
from contracts.classification import TIERS
from services.callbacks.messages import planning
from services.callbacks.messages.sending import NothingGoesOut
from services.callbacks.notices import LEVELS
from services.callbacks.policy import MailingColumn, Policies
from services.callbacks.rules import MailReader, mailing_channel, mailing_reasons

AT_ONCE = 2_000

# $1 the day, $2 the column, $3 the branch. Whoever is open that day; tiers, groups and levels as they are that day.
_READERS = """
    SELECT c.client_id, c.branch_id, c.language, c.no_marketing, c.email IS NOT NULL AS by_email,
           c.phone IS NOT NULL AS by_phone, s.channel AS subscribed,
           coalesce((SELECT rank FROM tier_stretches t WHERE t.client_id = c.client_id AND t.since <= $1
                     ORDER BY since DESC LIMIT 1), 0) AS rank,
           array(SELECT tag FROM tag_stretches g WHERE g.client_id = c.client_id AND g.since <= $1
                   AND (g.until IS NULL OR g.until > $1)) AS tags,
           (SELECT level FROM assessments a WHERE a.client_id = c.client_id AND a.valid_from <= $1
              AND a.valid_until >= $1 ORDER BY a.valid_from DESC, a.assessment_id DESC LIMIT 1) AS level
    FROM clients c LEFT JOIN subscriptions s ON s.client_id = c.client_id AND s.column_code = $2
    WHERE c.opened_on <= $1 AND (c.closed_on IS NULL OR c.closed_on > $1) AND ($3::text IS NULL OR c.branch_id = $3)"""


class NotADraft(Conflict):
    """The mailing was released or withdrawn before; `state` says which."""

    title = Text("The mailing is no draft any more", "该资讯已不是草稿")


class OwnMailing(Forbidden):
    """Somebody else releases what you ordered."""

    title = Text("Another person releases it", "须由他人审核发送")


async def order(
    uow: UnitOfWork,
    mailing_id: UUID,
    column_code: str,
    branch_id: str | None,
    product_level: str | None,
    words: dict[str, dict[str, str]],
    send_from: datetime,
    send_until: datetime,
) -> None:
    """Draft a mailing.

    Raises: Invalid: no such column, a product's column without its level, an end before the beginning.
    """
    version = (await uow.policies(Policies)).mailings.on(await today(uow.sql))
    column = version.body.get(column_code)
    errors = []
    if column is None:
        errors.append(FieldError("body#/column", f"one of {', '.join(sorted(version.body))}"))
    elif column.product != (product_level is not None):
        errors.append(FieldError("body#/product_level", "belongs to columns about products, and is theirs to give"))
    if product_level is not None and product_level not in LEVELS:
        errors.append(FieldError("body#/product_level", f"one of {', '.join(LEVELS)}"))
    if send_until <= max(send_from, uow.now):
        errors.append(FieldError("body#/send_until", "lies before the beginning, or has passed"))
    if errors:
        raise Invalid(errors=tuple(errors))
    await uow.sql.execute(
        """INSERT INTO mailings (mailing_id, column_code, branch_id, product_level, words, send_from, send_until, state,
                                 ordered_by, ordered_at, policy) VALUES ($1, $2, $3, $4, $5, $6, $7, 'draft', $8, $9, $10)""",
        mailing_id,
        column_code,
        branch_id,
        product_level,
        words,
        send_from,
        send_until,
        uow.actor.person,
        uow.now,
        version.name,
    )
    uow.audit("mailing_ordered", f"mailing/{mailing_id}", policy=version.name, column=column_code, branch=branch_id)


async def release(uow: UnitOfWork, mailing_id: UUID) -> None:
    """Plan the messages of another person's draft; everybody left out is counted by the first reason.

    Raises: NotFound, NotADraft, OwnMailing, NothingGoesOut in a replayed home.
    """
    row = await _locked(uow, mailing_id, "draft")
    if row["ordered_by"] == uow.actor.person:
        raise OwnMailing
    if await timeline(uow.sql) is Timeline.SIMULATED:
        raise NothingGoesOut
    column = await _column(uow.sql, row)
    left_out: Counter[str] = Counter()
    planned, waiting = 0, list[tuple[Any, str, dict[str, str]]]()
    kind = "news" if column.marketing else "notice"

    async def plan() -> int:
        count = await planning.plan_many(
            uow, kind, waiting, str(mailing_id), max(row["send_from"], uow.now), row["send_until"]
        )
        waiting.clear()
        return count

    async for client, reader in _readers(uow.sql, await today(uow.sql), row["column_code"], row["branch_id"]):
        if reasons := mailing_reasons(column, reader, row["product_level"], TIERS, LEVELS):
            left_out[reasons[0]] += 1
            continue
        channel = mailing_channel(column, reader)
        assert channel is not None
        waiting.append((client, channel, row["words"][client["language"]]))
        if len(waiting) == AT_ONCE:
            planned += await plan()
    if waiting:
        planned += await plan()
    await uow.sql.execute(
        """UPDATE mailings SET state = 'released', released_by = $2, released_at = $3, planned = $4, left_out = $5
           WHERE mailing_id = $1""",
        mailing_id,
        uow.actor.person,
        uow.now,
        planned,
        dict(left_out),
    )
    uow.audit(
        "mailing_released", f"mailing/{mailing_id}", policy=row["policy"], planned=planned, left_out=dict(left_out)
    )


async def withdraw(uow: UnitOfWork, mailing_id: UUID, reason: str) -> int:
    """Stop a mailing: what has not gone out yet is skipped. How many messages that is.

    Raises: NotFound, NotADraft when it was withdrawn before.
    """
    await _locked(uow, mailing_id, "draft", "released")
    await uow.sql.execute("UPDATE mailings SET state = 'withdrawn' WHERE mailing_id = $1", mailing_id)
    stopped = await uow.sql.fetch(
        """UPDATE messages m SET state = 'skipped', reason = 'mailing_withdrawn'
           FROM (SELECT message_id FROM messages WHERE kind IN ('news', 'notice') AND state = 'planned'
                   AND inputs->>'mailing' = $1 ORDER BY message_id FOR UPDATE) o
           WHERE m.message_id = o.message_id RETURNING 1""",
        str(mailing_id),
    )
    uow.audit("mailing_withdrawn", f"mailing/{mailing_id}", why=reason, stopped=len(stopped))
    return len(stopped)


async def why(sql: asyncpg.Connection, mailing_id: UUID, client_id: str, on: date) -> dict[str, Any]:
    """Whether a client gets (or would get, today) a mailing, and every reason against it.

    Raises: NotFound.
    """
    row = await sql.fetchrow("SELECT * FROM mailings WHERE mailing_id = $1", mailing_id)
    client = row and await sql.fetchrow(f"{_READERS} AND c.client_id = $4", on, row["column_code"], None, client_id)
    if row is None or client is None:
        raise NotFound
    column = await _column(sql, row)
    reasons = mailing_reasons(column, _reader(client), row["product_level"], TIERS, LEVELS)
    if row["branch_id"] not in (None, client["branch_id"]):
        reasons.insert(0, "other_branch")
    message = await sql.fetchrow(
        "SELECT message_id, state, reason FROM messages WHERE client_id = $1 AND inputs->>'mailing' = $2",
        client_id,
        str(mailing_id),
    )
    return {"client_id": client_id, "reasons": reasons, "message": dict(message) if message else None}


async def demand(sql: asyncpg.Connection, branch_id: str | None) -> list[dict[str, Any]]:
    """How many clients of each class asked for each column: what the demand is counted and classified by [B15]."""
    rows = await sql.fetch(
        """SELECT s.column_code AS column, coalesce(t.rank, 0) AS rank, s.channel, count(*) AS clients
           FROM subscriptions s JOIN clients c USING (client_id)
           LEFT JOIN LATERAL (SELECT rank FROM tier_stretches t WHERE t.client_id = s.client_id AND t.since <= $2
                              ORDER BY since DESC LIMIT 1) t ON true
           WHERE c.closed_on IS NULL AND ($1::text IS NULL OR c.branch_id = $1)
           GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        branch_id,
        await today(sql),
    )
    return [
        {"column": r["column"], "tier": TIERS[r["rank"]], "channel": r["channel"], "clients": r["clients"]}
        for r in rows
    ]


async def _locked(uow: UnitOfWork, mailing_id: UUID, *states: str) -> asyncpg.Record:
    row = await uow.sql.fetchrow("SELECT * FROM mailings WHERE mailing_id = $1 FOR UPDATE", mailing_id)
    if row is None:
        raise NotFound
    if row["state"] not in states:
        raise NotADraft(state=row["state"], possible=["withdrawn"] if row["state"] == "released" else [])
    return row


async def _column(sql: asyncpg.Connection, row: asyncpg.Record) -> MailingColumn:
    policies = await Policies.read(sql)
    return policies.mailings.on(business_date(row["ordered_at"])).body[row["column_code"]]


async def _readers(
    sql: asyncpg.Connection, on: date, column_code: str, branch_id: str | None
) -> AsyncIterator[tuple[asyncpg.Record, MailReader]]:
    async for row in sql.cursor(f"{_READERS} ORDER BY c.client_id", on, column_code, branch_id, prefetch=AT_ONCE):
        yield row, _reader(row)


def _reader(row: asyncpg.Record) -> MailReader:
    return MailReader(
        row["rank"],
        row["tags"],
        row["level"],
        row["subscribed"],
        row["by_email"],
        row["by_phone"],
        row["no_marketing"],
    )
