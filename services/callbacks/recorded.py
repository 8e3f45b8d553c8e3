"""Contacts that other systems saw, or that a supervisor enters with evidence: a firm that starts in mid-year proves what it
did before, and how long callers waited [B3, B4].

They are no attempts of ours: coverage counts them and shows them apart, the pace of the year leaves them out.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import asyncpg
import msgspec

from chassis import approvals, conflicts, rows
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.clock import business_date
from chassis.errors import Conflict, Text
from chassis.uow import UnitOfWork
from contracts.broker import ContactRecorded
from services.callbacks.policy import Policies
from services.callbacks.tables import RecordedContactRow

COLUMNS = rows.columns(RecordedContactRow)
_SAID = ("client_id", "staff_id", "channel", "direction", "at", "valid", "topics", "evidence", "wait_s")


class AlreadyRecorded(Conflict):
    """A contact has this id already."""

    title = Text("The contact is recorded already", "该联系记录已存在")


async def hear(contacts: Sequence[ContactRecorded], uow: UnitOfWork) -> None:
    """Keep contacts, each once; the same id with other content is a conflict."""
    await keep(uow, contacts, "broker")


async def accept(contacts: Sequence[ContactRecorded], uow: UnitOfWork) -> None:
    """An operator accepted the other content of contacts."""
    await uow.sql.execute(
        "DELETE FROM recorded_contacts WHERE contact_id = ANY($1::text[])", [one.contact_id for one in contacts]
    )
    await keep(uow, contacts, uow.actor.person)


async def keep(uow: UnitOfWork, contacts: Sequence[ContactRecorded], recorded_by: str) -> None:
    """Keep contacts that are not known, and note as conflicts those known with other content."""
    policies = await uow.policies(Policies)
    offered = [(one, _row(one, policies, uow.now, recorded_by)) for one in contacts]
    first: dict[str, RecordedContactRow] = {}
    for _, row in offered:
        first.setdefault(row.contact_id, row)
    # Topics as one text each: an array of lists would have two dimensions.
    texts = [
        msgspec.structs.astuple(msgspec.structs.replace(row, topics="\n".join(row.topics))) for row in first.values()
    ]
    await uow.sql.execute(
        f"""INSERT INTO recorded_contacts ({COLUMNS})
            SELECT contact_id, client_id, staff_id, channel, direction, at, on_day, valid, string_to_array(topics, E'\\n'),
                   evidence, wait_s, covers, recorded_at, recorded_by
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::date[], $8::bool[],
                        $9::text[], $10::text[], $11::int[], $12::bool[], $13::timestamptz[], $14::text[])
                 AS n({COLUMNS}) ON CONFLICT DO NOTHING""",
        *zip(*texts, strict=True),
    )
    rows_known = await rows.fetch(
        uow.sql,
        RecordedContactRow,
        f"SELECT {COLUMNS} FROM recorded_contacts WHERE contact_id = ANY($1::text[])",
        list(first),
    )
    known = {row.contact_id: row for row in rows_known}
    await conflicts.note(
        uow,
        [
            conflicts.Conflict.of(event, event.client_id or "", msgspec.to_builtins(_said(known[row.contact_id])))
            for event, row in offered
            if _said(known[row.contact_id]) != _said(row)
        ],
    )


def _row(one: ContactRecorded, policies: Policies, now: datetime, recorded_by: str) -> RecordedContactRow:
    day = business_date(one.at)
    triggers = policies.triggers.on(day).body.values()
    not_covering = {trigger.topic for trigger in triggers} - {trigger.topic for trigger in triggers if trigger.covers}
    covers = (
        one.valid and one.client_id is not None and one.evidence is not None and one.direction == "out"
        and not not_covering.issuperset(one.topics)
    )  # fmt: skip
    return RecordedContactRow(
        one.contact_id, one.client_id, one.staff_id, one.channel, one.direction, one.at, day, one.valid, list(one.topics),
        one.evidence, one.wait_s, covers, now, recorded_by,
    )  # fmt: skip


def _said(row: RecordedContactRow) -> Mapping[str, Any]:
    return {name: getattr(row, name) for name in _SAID}


async def enter(uow: UnitOfWork, contact: ContactRecorded, working_days: int, today: date) -> Approval | None:
    """Keep what a supervisor enters; of long ago ask for a second person instead, and answer with what was asked.

    Raises: AlreadyRecorded.
    """
    if await uow.sql.fetchval(
        "SELECT EXISTS (SELECT FROM recorded_contacts WHERE contact_id = $1)", contact.contact_id
    ):
        raise AlreadyRecorded
    terms = (await uow.policies(Policies)).coverage.on(today).body
    if working_days <= terms.entered_alone_working_days:
        await keep(uow, [contact], uow.actor.person)
        uow.audit("contact_recorded", f"contact/{contact.contact_id}", key=contact.client_id, **_told(contact))
        return None
    branch = await uow.sql.fetchval("SELECT branch_id FROM clients WHERE client_id = $1", contact.client_id)
    return await approvals.ask(
        uow, EARLIER, f"contact/{contact.contact_id}", body=_told(contact), after=_told(contact),
        client_id=contact.client_id, branch_id=branch, concerned=[contact.staff_id],
    )  # fmt: skip


def _told(contact: ContactRecorded) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(contact)
    return {name: value for name, value in told.items() if value is not None}


async def _apply(uow: UnitOfWork, approval: Approval) -> None:
    await keep(uow, [msgspec.convert(approval.body, ContactRecorded, strict=False)], approval.asked_by)


EARLIER = ApprovalKind(
    "recorded-contact",
    Text("A contact of more than five working days ago", "五个工作日以前的联系记录"),
    decides=by(Role.HQ, Role.COMPLIANCE),
    apply=_apply,
)


async def listed(
    sql: asyncpg.Connection, client_id: str, after: Sequence[Any] | None, limit: int
) -> list[RecordedContactRow]:
    """A client's contacts that others recorded, newest first."""
    return await rows.fetch(
        sql,
        RecordedContactRow,
        f"""SELECT {COLUMNS} FROM recorded_contacts WHERE client_id = $1
              AND ($2::text IS NULL OR (at, contact_id) < ($2::text::timestamptz, $3::text))
            ORDER BY at DESC, contact_id DESC LIMIT $4""",
        client_id,
        *(after or (None, None)),
        limit,
    )


async def answered_calls(sql: asyncpg.Connection, first: date, last: date) -> list[asyncpg.Record]:
    """Of each day the calls that were answered, and how long callers waited, in seconds."""
    return list(
        await sql.fetch(
            """SELECT on_day, count(*) AS answered, round(avg(wait_s), 1)::text AS average_wait_s, max(wait_s) AS longest_wait_s
               FROM recorded_contacts WHERE direction = 'in' AND wait_s IS NOT NULL AND on_day BETWEEN $1 AND $2
               GROUP BY on_day ORDER BY on_day""",
            first,
            last,
        )
    )
