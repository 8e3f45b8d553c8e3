"""Alarms: what should have been done by now and was not, told once, to those who lead.

The same-day target of an e-mail enquiry [B14], mandatory moments [A21] and new clients without a manager [B12] have one.
Optional moments never do.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import asyncpg
from uuid_utils.compat import uuid5

from chassis import calendars, staff
from chassis.calendar import Calendar
from chassis.deadlines import Due, arm, fired_along
from chassis.replans import Moved, replan_limits
from chassis.uow import UnitOfWork
from contracts.callbacks import AlarmRaised
from services.callbacks import moment_ladder
from services.callbacks.policy import Policies
from services.callbacks.rules import CALLBACKS, OPEN

TARGET = "enquiry_target"
NO_MANAGER = "no_manager"


async def miss_targets(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Enquiries still open when their day ended; the limit of two working days goes on [B14]."""
    rows = await uow.sql.fetch(
        """SELECT 'task/' || task_id AS object, client_id, branch_id FROM tasks
           WHERE task_id = ANY($1::uuid[]) AND state = ANY($2::text[])""",
        _ids(due),
        list(OPEN),
    )
    await _raise(uow, [(one, row, []) for one, row in _paired(due, rows)])


async def replan_targets(uow: UnitOfWork, calendar: Calendar) -> Sequence[Moved]:
    """The days of enquiries still to be answered; the enquiry's task says them as well."""
    moved = await replan_limits(TARGET)(uow, calendar)
    await uow.sql.execute(
        """UPDATE tasks t SET cause = jsonb_set(t.cause, '{target}', to_jsonb(n.after)), revision = t.revision + 1
           FROM unnest($1::uuid[], $2::text[]) AS n(task_id, after) WHERE t.task_id = n.task_id""",
        [one.object.removeprefix("task/") for one in moved],
        [one.after.isoformat() for one in moved],
    )
    return moved


async def miss_moments(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Mandatory moments whose time ran out without a word on them: the ladder, step by step [A21]."""
    calendar = await uow.cached(calendars.current)
    policies = await uow.policies(Policies)
    rows = await uow.sql.fetch(  # by key, one by one: of all open moments the planner would take the index instead
        """SELECT 'moment/' || d.moment_id AS object, m.*, c.manager_id FROM unnest($1::uuid[]) AS d(moment_id)
           JOIN LATERAL (SELECT client_id, branch_id, code, on_day, due_at FROM moments m WHERE m.moment_id = d.moment_id
                         AND mandatory AND done_on IS NULL OFFSET 0) m ON true
           LEFT JOIN clients c USING (client_id) WHERE c.closed_on IS NULL""",
        _ids(due),
    )
    people = await staff.roster(uow.sql)
    at = moment_ladder.steps_at(policies, calendar)
    climbed = [(row, moment_ladder.climb(policies, row, one, at)) for one, row in _paired(due, rows)]
    present = cache(people.present)
    missed = [(step, row, _told(policies, present, row, step)) for row, (steps, _) in climbed for step in steps]
    await _raise(uow, sorted(missed, key=lambda one: one[0].at))
    await fired_along(uow, [step for _, (steps, _) in climbed for step in steps[1:]])
    await arm(uow, [following for _, (_, following) in climbed if following])


def _told(
    policies: Policies, present: Callable[[str, str, datetime], list[str]], row: asyncpg.Record, one: Due
) -> list[str]:
    steps = policies.moment_ladder.on(row["on_day"]).body
    step = next((step for step in steps if step.name == one.step), steps[0])
    if step.seat == "manager":
        return [row["manager_id"]] if row["manager_id"] else []
    unit = staff.HQ if step.unit == "HQ" else row["branch_id"]
    return present(unit, step.seat, one.at) if unit else []


async def miss_managers(due: Sequence[Due], uow: UnitOfWork) -> None:
    """New clients whose first message still waits for a manager to name, by day 10 [B12]."""
    rows = await uow.sql.fetch(
        """SELECT 'message/' || r.request_id AS object, r.client_id, c.branch_id FROM requests r JOIN clients c USING (client_id)
           WHERE r.request_id = ANY($1::uuid[]) AND r.state IN ('asked', 'planned', 'queued') AND c.manager_id IS NULL
             AND c.closed_on IS NULL""",
        _ids(due),
    )
    await _raise(uow, [(one, row, []) for one, row in _paired(due, rows)])


def _ids(due: Sequence[Due]) -> list[str]:
    return [one.object.partition("/")[2] for one in due]


def _paired(due: Sequence[Due], rows: Sequence[asyncpg.Record]) -> list[tuple[Due, asyncpg.Record]]:
    """Each deadline with the row of its object, of those that have one."""
    found = {row["object"]: row for row in rows}
    return [(one, found[one.object]) for one in due if one.object in found]


async def _raise(uow: UnitOfWork, missed: Sequence[tuple[Due, asyncpg.Record, list[str]]]) -> None:
    """One alarm for each deadline with the client it is about and the people told."""
    if not missed:
        return
    alarms = [
        AlarmRaised(
            alarm_id=uuid5(CALLBACKS, f"alarm/{one.kind}/{one.object}/{one.step}"),
            client_id=row["client_id"],
            branch_id=row["branch_id"],
            kind=one.kind,
            subject=one.object,
            step=one.step or None,
            told_to=told,
            due_at=one.due,
            raised_at=one.at,
        )
        for one, row, told in missed
    ]
    new = await uow.sql.fetch(
        """INSERT INTO alarms (alarm_id, client_id, branch_id, kind, subject, due_at, raised_at, step, told_to)
           SELECT alarm_id, client_id, branch_id, kind, subject, due_at, raised_at, step, string_to_array(told_to, E'\\n')
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                       $8::text[], $9::text[])
                AS n(alarm_id, client_id, branch_id, kind, subject, due_at, raised_at, step, told_to)
           ON CONFLICT DO NOTHING RETURNING alarm_id""",
        [alarm.alarm_id for alarm in alarms],
        [alarm.client_id for alarm in alarms],
        [alarm.branch_id for alarm in alarms],
        [alarm.kind for alarm in alarms],
        [alarm.subject for alarm in alarms],
        [alarm.due_at for alarm in alarms],
        [alarm.raised_at for alarm in alarms],
        [alarm.step or "" for alarm in alarms],
        ["\n".join(alarm.told_to) for alarm in alarms],  # an array of lists would be one array of two dimensions
    )
    fresh = {row["alarm_id"] for row in new}
    for alarm in alarms:
        if alarm.alarm_id in fresh:
            uow.emit(alarm, at=alarm.raised_at)


async def listed(
    sql: asyncpg.Connection, branch_id: str | None, before: datetime | None, after: Sequence[Any] | None, limit: int
) -> list[asyncpg.Record]:
    """Alarms raised before an instant (any, without one), newest first, of one branch or of all; those behind `after`."""
    return list(
        await sql.fetch(
            """SELECT * FROM alarms WHERE ($1::text IS NULL OR branch_id = $1)
                 AND ($2::timestamptz IS NULL OR raised_at < $2)
                 AND ($3::text IS NULL OR (raised_at, alarm_id) < ($3::text::timestamptz, $4::text::uuid))
               ORDER BY raised_at DESC, alarm_id DESC LIMIT $5""",
            branch_id,
            before,
            *(after or (None, None)),
            limit,
        )
    )
