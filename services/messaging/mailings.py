"""Mailings (资讯邮件) to many clients at once, by class and product rules [B15]: one orders, another releases.

Who gets one is decided when it is released; everybody left out is counted by reason, and each can be asked about.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from chassis import rows
from chassis.clock import business_date
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Text
from chassis.timeline import Timeline, effective_now, timeline, today
from chassis.uow import UnitOfWork
from contracts.classification import TIERS
from services.messaging import lines, messages
from services.messaging.mailing_rules import LEVELS, Audience, Reader, channels_for, reasons_against
from services.messaging.messages import Wanted
from services.messaging.policy import Filings, MailingColumn, Policies, Templates, securities, wrong_words
from services.messaging.ports.html import plain_words
from services.messaging.rules import sms_parts
from services.messaging.tables import GROUPS, MailingRow
from services.messaging.tables import TIERS as RANKS
from services.messaging.texts import sms_text

AT_ONCE = 2_000
ZH, EN = LANGUAGES = ("zh-CN", "en")
_ROW = rows.columns(MailingRow)

# $1 the day, $2 the column, $3 the branch, $4 one client, $5 the product whose lines they are, $6 the instruments they are about,
# $7 how long a word on a holding is good. Whoever is open that day; tiers, groups and levels as they are then.
_READERS = f"""
    SELECT c.client_id, c.branch_id, coalesce({RANKS.on("rank", "c.client_id", "$1")}, 0) AS rank,
           array(SELECT g.tag FROM {GROUPS.name} g WHERE g.client_id = c.client_id AND g.since <= $1
                   AND (g.until IS NULL OR g.until > $1)) AS tags,
           (SELECT level FROM levels l WHERE l.client_id = c.client_id AND l.valid_from <= $1
              AND l.valid_until >= $1 ORDER BY l.valid_from DESC, l.assessment_id DESC LIMIT 1) AS level,
           s.channel AS subscribed, {lines.entitled("c.client_id", "$5::text", "$1::date")} AS entitled,
           EXISTS (SELECT FROM unnest($6::text[]) AS i(symbol), LATERAL (
                       SELECT h.quantity FROM holdings h WHERE h.client_id = c.client_id AND h.symbol = i.symbol
                         AND h.as_of <= $1 AND h.as_of >= $1 - $7::int ORDER BY h.as_of DESC LIMIT 1) l
                   WHERE l.quantity > 0) AS holds
    FROM clients c LEFT JOIN subscriptions s ON s.client_id = c.client_id AND s.column_code = $2
    WHERE c.opened_on <= $1 AND (c.closed_on IS NULL OR c.closed_on > $1) AND ($3::text IS NULL OR c.branch_id = $3)
      AND ($4::text IS NULL OR c.client_id = $4)"""


class NotADraft(Conflict):
    """The mailing was released or withdrawn before; `state` says which."""

    title = Text("The mailing is no draft any more", "该资讯已不是草稿")


class OwnMailing(Forbidden):
    """Somebody else releases what you ordered."""

    title = Text("Another person releases it", "须由他人审核发送")


class NothingGoesOut(Conflict):
    """This home replays the past: no message leaves it."""

    title = Text("A replayed home sends no messages", "回放环境不发送消息")


async def order(uow: UnitOfWork, given: MailingRow) -> None:
    """Draft a mailing.

    Raises: Invalid: no such column, a product's column without its level, an end before the beginning, words that no
    message says, an SMS that is too long.
    """
    policies, day = await uow.policies(Policies), await today(uow.sql)
    version = policies.columns.on(day)
    column = version.body.get(given.column_code)
    errors = []
    if column is None:
        errors.append(FieldError("body#/column", f"one of {', '.join(sorted(version.body))}"))
    else:
        if column.product != (given.product_level is not None):
            errors.append(FieldError("body#/product_level", "belongs to columns about products, and is theirs to give"))
        errors += _wrong_line(column, given)
        if given.audience and not column.education:
            errors.append(FieldError("body#/audience", "belongs to investors' education"))
        errors += _wrong_words(column, given, policies.templates.on(day).body, policies.filings.on(day).body)
    if given.product_level is not None and given.product_level not in LEVELS:
        errors.append(FieldError("body#/product_level", f"one of {', '.join(LEVELS)}"))
    if given.send_until <= max(given.send_from, given.ordered_at):
        errors.append(FieldError("body#/send_until", "lies before the beginning, or has passed"))
    if errors:
        raise Invalid(errors=tuple(errors))
    await uow.sql.copy_records_to_table(
        "mailings",
        records=[[version.name if name == "policy" else getattr(given, name) for name in MailingRow.__struct_fields__]],
        columns=MailingRow.__struct_fields__,
    )
    uow.audit(
        "mailing_ordered", f"mailing/{given.mailing_id}", policy=version.name, column=given.column_code,
        branch=given.branch_id,
    )  # fmt: skip


def _wrong_line(column: MailingColumn, given: MailingRow) -> list[FieldError]:
    """What does not hold of a line of an SMS product: headquarters writes it, and it is linked to every instrument it names."""
    if not column.entitlement:
        wrong = (("symbols", given.symbols), ("holders_only", given.holders_only))
        return [FieldError(f"body#/{name}", "belongs to lines of SMS products") for name, said in wrong if said]
    found = []
    if given.branch_id is not None:
        found.append(FieldError("body#/column", "the desk of headquarters writes its lines"))
    for language, words in given.words.items():
        if missing := [one for one in securities(f"{words['title']} {words['text']}") if one not in given.symbols]:
            found.append(FieldError(f"body#/{language}/text", f"names {', '.join(missing)}, to which it is not linked"))
    if given.holders_only and not given.symbols:
        found.append(FieldError("body#/symbols", "whose holders?"))
    return found


def _wrong_words(column: MailingColumn, given: MailingRow, book: Templates, filings: Filings) -> list[FieldError]:
    """Words that no message of the column's class says [MS4, MS16], and an SMS that is too long [MS12]."""
    template = book.kinds[column.kind]
    found = []
    for language, words in given.words.items():
        place = f"body#/{language}/text"
        text = "\n".join((words["title"], words["text"], plain_words(words.get("html", ""))))
        found += [FieldError(place, why) for why in wrong_words(book, template, text)]
        if "sms" in column.channels:
            longest = {name: "国" * size for name, size in book.lengths.items()}
            _, body = template.in_language(language).filled(longest | words)
            marketing = template.message_class == "MARKETING"
            parts = sms_parts(sms_text(filings.signature("own") or "", body, marketing=marketing, language=language))
            if parts > book.max_parts:
                found.append(
                    FieldError(place, f"{parts} parts of an SMS, by which this column also goes: {book.max_parts}")
                )
    return found


async def release(uow: UnitOfWork, mailing_id: UUID) -> None:
    """Ask for the messages of another person's draft; everybody left out is counted by the first reason.

    Raises: NotFound, NotADraft, OwnMailing, NothingGoesOut in a replayed home.
    """
    row = await _locked(uow, mailing_id, "draft")
    if row.ordered_by == uow.actor.person:
        raise OwnMailing
    if await timeline(uow.sql) is Timeline.SIMULATED:
        raise NothingGoesOut
    now = await effective_now(uow.sql, uow.now)
    column, left_out, planned = await _column(uow.sql, row), Counter[str](), 0
    if column.education:  # one after the other: each sees whom the others serve
        await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtext('messaging education'))")
    async for readers in _readers(uow.sql, await today(uow.sql), row, column):
        wanted = []
        served = await _served(uow, column, [client_id for client_id, _ in readers], max(row.send_from, now))
        for client_id, reader in readers:
            if reasons := _reasons(column, row, reader):
                left_out[reasons[0]] += 1
            elif client_id in served:
                left_out["one_a_week"] += 1
            else:
                wanted.append(_message(column, row, client_id, reader, now))
        for verdict in await messages.ask(uow, wanted, now):
            if verdict.outcome in ("go", "wait"):
                planned += 1
            else:
                left_out[verdict.reason] += 1
    await uow.sql.execute(
        """UPDATE mailings SET state = 'released', released_by = $2, released_at = $3, planned = $4, left_out = $5
           WHERE mailing_id = $1""",
        mailing_id,
        uow.actor.person,
        uow.now,
        planned,
        dict(left_out),
    )
    uow.audit("mailing_released", f"mailing/{mailing_id}", policy=row.policy, planned=planned, left_out=dict(left_out))


def _reasons(column: MailingColumn, row: MailingRow, reader: Reader) -> list[str]:
    return reasons_against(column, reader, row.product_level, Audience(**row.audience), holders_only=row.holders_only)


async def _served(uow: UnitOfWork, column: MailingColumn, clients: Sequence[str], goes_at: datetime) -> set[str]:
    """Of some clients those who get an item of education not long before or after an instant [MS18]."""
    if not column.education:
        return set()
    policies, day = await uow.policies(Policies), await today(uow.sql)
    near = timedelta(days=policies.sending.on(day).body.education_days)
    found = await uow.sql.fetch(
        """SELECT DISTINCT client_id FROM messages WHERE client_id = ANY($1::text[]) AND kind = $2
             AND coalesce(handed_at, greatest(not_before, asked_at)) > $3
             AND coalesce(handed_at, greatest(not_before, asked_at)) < $4
             AND state NOT IN ('suppressed', 'expired', 'cancelled')""",
        list(clients),
        column.kind,
        goes_at - near,
        goes_at + near,
    )
    return {client_id for (client_id,) in found}


def _message(column: MailingColumn, row: MailingRow, client_id: str, reader: Reader, now: datetime) -> Wanted:
    """The message of a mailing to a client; its words stay with the mailing."""
    return Wanted(
        client_id=client_id, kind=column.kind, cause=str(row.mailing_id), fields={}, asked_by=row.ordered_by, asked_at=now,
        not_before=row.send_from, not_after=row.send_until, channels=channels_for(column, reader),
        required=column.education,
    )  # fmt: skip


async def withdraw(uow: UnitOfWork, mailing_id: UUID, reason: str) -> int:
    """Stop a mailing: what has not gone out yet is cancelled. How many messages that is.

    Raises: NotFound, NotADraft when it was withdrawn before.
    """
    await _locked(uow, mailing_id, "draft", "released")
    await uow.sql.execute("UPDATE mailings SET state = 'withdrawn' WHERE mailing_id = $1", mailing_id)
    stopped = await messages.cancel_cause(uow, [str(mailing_id)], None, "mailing_withdrawn")
    uow.audit("mailing_withdrawn", f"mailing/{mailing_id}", why=reason, stopped=stopped)
    return stopped


async def why(sql: asyncpg.Connection, mailing_id: UUID, client_id: str, on: date) -> dict[str, Any]:
    """Whether a client gets (or would get, today) a mailing, every reason against it, and the message it became.

    Raises: NotFound.
    """
    row = await find(sql, mailing_id)
    if row is None:
        raise NotFound
    column = await _column(sql, row)
    found = await sql.fetch(_READERS, on, row.column_code, None, client_id, *await _line_of(sql, on, row, column))
    if not found:
        raise NotFound
    [(_, branch_id, *held)] = found
    reasons = _reasons(column, row, Reader(*held))
    if row.branch_id not in (None, branch_id):
        reasons.insert(0, "other_branch")
    message = await sql.fetchrow(
        "SELECT message_id, state, reason FROM messages WHERE client_id = $1 AND cause = $2", client_id, str(mailing_id)
    )
    return {"client_id": client_id, "reasons": reasons, "message": dict(message) if message else None}


async def demand(sql: asyncpg.Connection, branch_id: str | None) -> list[dict[str, Any]]:
    """How many clients of each class asked for each column: what the demand is counted and classified by [B15]."""
    found = await sql.fetch(
        f"""SELECT s.column_code, coalesce({RANKS.on("rank", "s.client_id", "$2")}, 0) AS rank, s.channel, count(*)
            FROM subscriptions s JOIN clients c USING (client_id)
            WHERE c.closed_on IS NULL AND ($1::text IS NULL OR c.branch_id = $1)
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        branch_id,
        await today(sql),
    )
    return [
        {"column": code, "tier": TIERS[rank], "channel": channel, "clients": count}
        for code, rank, channel, count in found
    ]


async def find(sql: asyncpg.Connection, mailing_id: UUID) -> MailingRow | None:
    """One mailing."""
    found = await rows.fetch(sql, MailingRow, f"SELECT {_ROW} FROM mailings WHERE mailing_id = $1", mailing_id)
    return found[0] if found else None


async def of_branch(sql: asyncpg.Connection, branch_id: str | None, limit: int) -> list[MailingRow]:
    """Mailings of a branch, or all; newest first."""
    return await rows.fetch(
        sql,
        MailingRow,
        f"""SELECT {_ROW} FROM mailings WHERE $1::text IS NULL OR branch_id = $1
            ORDER BY ordered_at DESC, mailing_id LIMIT $2""",
        branch_id,
        limit,
    )


async def _locked(uow: UnitOfWork, mailing_id: UUID, *states: str) -> MailingRow:
    await uow.sql.execute("SELECT FROM mailings WHERE mailing_id = $1 FOR UPDATE", mailing_id)
    row = await find(uow.sql, mailing_id)
    if row is None:
        raise NotFound
    if row.state not in states:
        raise NotADraft(state=row.state, possible=["withdrawn"] if row.state == "released" else [])
    return row


async def _column(sql: asyncpg.Connection, row: MailingRow) -> MailingColumn:
    policies = await Policies.read(sql)
    return policies.columns.on(business_date(row.ordered_at)).body[row.column_code]


async def _line_of(
    sql: asyncpg.Connection, on: date, row: MailingRow, column: MailingColumn
) -> tuple[str | None, Sequence[str], int]:
    """Of a line the product, the instruments whose holders get it, and how long a word on a holding is good."""
    days = (await Policies.read(sql)).lines.on(on).body.holding_days
    return column.entitlement, list(row.symbols) if row.holders_only else [], days


async def _readers(
    sql: asyncpg.Connection, on: date, row: MailingRow, column: MailingColumn
) -> AsyncIterator[Sequence[tuple[str, Reader]]]:
    """Clients in portions, each with what decides."""
    line = await _line_of(sql, on, row, column)
    cursor = await sql.cursor(f"{_READERS} ORDER BY c.client_id", on, row.column_code, row.branch_id, None, *line)
    while found := await cursor.fetch(AT_ONCE):
        yield [(client_id, Reader(*held)) for client_id, _, *held in found]
