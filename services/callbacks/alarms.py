"""Alarms: what should have been done by now and was not, told once, to those who lead.

The same-day target of an e-mail enquiry [B14], mandatory moments [A21] and new clients without a manager [B12] have one.
Optional moments never do.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid5

import asyncpg

from chassis import staff
from chassis.deadlines import Due
from chassis.uow import UnitOfWork
from contracts.callbacks import AlarmRaised
from services.callbacks import policy
from services.callbacks.rules import CALLBACKS, OPEN

TARGET = "enquiry_target"
MOMENT = "moment_overdue"
NO_MANAGER = "no_manager"


async def miss_targets(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Enquiries still open when their day ended; the limit of two working days goes on [B14]."""
    rows = await uow.sql.fetch(
        "SELECT task_id, client_id, branch_id FROM tasks WHERE task_id = ANY($1::uuid[]) AND state = ANY($2::text[])",
        [_id(one) for one in due],
        list(OPEN),
    )
    await _raise(uow, due, {row["task_id"]: row for row in rows})


async def miss_moments(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Mandatory moments whose time ran out without a word on them: the ladder, step by step [A21]."""
    from services.callbacks import moments

    await policy.LADDER.refresh(uow.sql)
    await policy.MOMENTS.refresh(uow.sql)
    rows = await uow.sql.fetch(
        """SELECT m.*, c.manager_id FROM moments m LEFT JOIN clients c USING (client_id)
           WHERE moment_id = ANY($1::uuid[]) AND mandatory AND done_on IS NULL AND c.closed_on IS NULL""",
        [_id(one) for one in due],
    )
    missed = {row["moment_id"]: row for row in rows}
    people = await staff.roster(uow.sql)
    told = {_id(one): _told(people, missed[_id(one)], one) for one in due if _id(one) in missed}
    await _raise(uow, due, missed, told)
    await moments.climb(uow, [(missed[_id(one)], one.step) for one in due if _id(one) in missed])


def _told(people: staff.Roster, row: asyncpg.Record, one: Due) -> list[str]:
    steps = policy.LADDER.on(row["on_day"]).body
    step = next((step for step in steps if step.name == one.step), steps[0])
    if step.seat == "manager":
        return [row["manager_id"]] if row["manager_id"] else []
    unit = staff.HQ if step.unit == "HQ" else row["branch_id"]
    return people.present(unit, step.seat, one.at) if unit else []


async def miss_managers(due: Sequence[Due], uow: UnitOfWork) -> None:
    """New clients whose first message still waits for a manager to name, by day 10 [B12]."""
    rows = await uow.sql.fetch(
        """SELECT m.message_id, m.client_id, c.branch_id FROM messages m JOIN clients c USING (client_id)
           WHERE m.message_id = ANY($1::uuid[]) AND m.state = 'planned' AND c.manager_id IS NULL
             AND c.closed_on IS NULL""",
        [_id(one) for one in due],
    )
    await _raise(uow, due, {row["message_id"]: row for row in rows})


def _id(one: Due) -> UUID:
    return UUID(one.object.partition("/")[2])


async def _raise(
    uow: UnitOfWork,
    due: Sequence[Due],
    missed: dict[UUID, asyncpg.Record],
    told_to: Mapping[UUID, list[str]] | None = None,
) -> None:
    told = told_to or {}
    alarms = [
        (uuid5(CALLBACKS, f"alarm/{one.kind}/{one.object}/{one.step}"), row["client_id"], row["branch_id"], one)
        for one in due
        if (row := missed.get(_id(one)))
    ]
    new = await uow.sql.fetch(
        """INSERT INTO alarms (alarm_id, client_id, branch_id, kind, subject, due_at, raised_at, step, told_to)
           SELECT alarm_id, client_id, branch_id, kind, subject, due_at, raised_at, step,
                  array(SELECT jsonb_array_elements_text(told_to->'to'))
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                       $8::text[], $9::jsonb[])
                AS n(alarm_id, client_id, branch_id, kind, subject, due_at, raised_at, step, told_to)
           ON CONFLICT DO NOTHING RETURNING alarm_id""",
        [key for key, *_ in alarms],
        [client for _, client, _, _ in alarms],
        [branch for _, _, branch, _ in alarms],
        [one.kind for *_, one in alarms],
        [one.object for *_, one in alarms],
        [one.due for *_, one in alarms],
        [one.at for *_, one in alarms],
        [one.step for *_, one in alarms],
        [
            {"to": told.get(_id(one), [])} for *_, one in alarms
        ],  # an array of lists would be one array of two dimensions
    )
    fresh = {row["alarm_id"] for row in new}
    for key, client, branch, one in alarms:
        if key in fresh:
            alarm = AlarmRaised(
                alarm_id=key,
                client_id=client,
                branch_id=branch,
                kind=one.kind,
                subject=one.object,
                step=one.step or None,
                told_to=told.get(_id(one), []),
                due_at=one.due,
                raised_at=one.at,
            )
            uow.emit(alarm, at=one.at)


async def listed(
    sql: asyncpg.Connection, branch_id: str | None, after: datetime | None, limit: int
) -> list[asyncpg.Record]:
    """Alarms, newest first, of one branch or of all."""
    return list(
        await sql.fetch(
            """SELECT * FROM alarms WHERE ($1::text IS NULL OR branch_id = $1)
                 AND ($2::timestamptz IS NULL OR raised_at < $2) ORDER BY raised_at DESC, alarm_id LIMIT $3""",
            branch_id,
            after,
            limit,
        )
    )
