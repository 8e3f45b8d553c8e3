"""The group case (群体事项) of an alarm: its members stay cases of their own, linked and never merged [C17].

It asks for a root cause and a corrective action with owner and date, tells the on-call list, ends when the action has
been carried out, and is named again when the same cluster comes back.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from chassis import staff
from chassis.clock import end_of
from chassis.deadlines import Deadline, Due, arm
from chassis.staff import HQ, OPERATIONS_CENTRE
from chassis.uow import UnitOfWork
from services.complaints import cases, history
from services.complaints.intake import open_cases
from services.complaints.policy import Policies
from services.complaints.relations import MEMBER, RECURS, link
from services.complaints.report import Report
from services.complaints.reporting import Notice, notify, told

KIND = "cluster"
ALARM_CLOCK, ALARM_STEP = "alarm", "cluster"
ACTION = "corrective"
_GROUPS = UUID("5b0e7c52-1a0f-5c65-9d0b-3f9a4f6f9d11")


def group_of_alarm(alarm_id: UUID) -> UUID:
    """The group case an alarm leads to: the same in every home that has seen the same cases."""
    return uuid5(_GROUPS, str(alarm_id))


async def open_groups(uow: UnitOfWork, alarms: Sequence[Any], day: date) -> None:
    """Open the group case of each fresh alarm (alarm_id, dimension, value, recurs_after) and tell the on-call list."""
    if not alarms:
        return
    at = end_of(day) - timedelta(seconds=1)
    roster = await staff.roster(uow.sql)
    reports = []
    for alarm in alarms:
        concerned = (alarm["value"],) if alarm["dimension"] == "employee" else ()
        centre = roster.holder(HQ, OPERATIONS_CENTRE, at, avoid=concerned)
        reports.append(
            Report(
                case_id=group_of_alarm(alarm["alarm_id"]),
                system="radar",
                external_ref=None,
                branch_id=alarm["value"] if alarm["dimension"] == "branch" else HQ,
                kind=KIND,
                source="radar",
                channel="radar",
                severity="ordinary",
                owner=centre.staff_id if centre else f"seat:{HQ}/{OPERATIONS_CENTRE}",
                category=f"{alarm['dimension']}:{alarm['value']}",
                product=alarm["value"] if alarm["dimension"] == "product" else None,
                employee=alarm["value"] if alarm["dimension"] == "employee" else None,
                script=alarm["value"] if alarm["dimension"] == "script" else None,
                concerned=concerned,
                received_at=at,
            )
        )
    await open_cases(uow, reports)
    for alarm in alarms:
        if alarm["recurs_after"]:
            await link(uow, group_of_alarm(alarm["alarm_id"]), group_of_alarm(alarm["recurs_after"]), RECURS)
    on_call = (await uow.policies(Policies)).limits.on(day).body.on_call
    notices = []
    for r in reports:
        notices += [
            Notice(r.case_id, 1, ALARM_CLOCK, ALARM_STEP, p.staff_id, p.seat, list(p.path), p.for_conflict, at)
            for p in told(r, on_call, roster, at)
        ]
    await notify(uow, notices)


async def link_members(uow: UnitOfWork, first: date, last: date, alarms: Sequence[UUID]) -> None:
    """Link the cases of some days to the alarms they belong to, and keep the alarms' counts.

    Of two alarms about the same a late case belongs to the earlier. A link that was ended by hand stays ended.
    """
    if not alarms:
        return
    await uow.sql.execute(
        """WITH belonging AS (
               SELECT DISTINCT ON (c.case_id, d.dimension) c.case_id, a.alarm_id, a.group_case_id
               FROM cases c
               CROSS JOIN LATERAL (VALUES ('branch', c.branch_id), ('product', c.product), ('employee', c.employee),
                                          ('script', c.script)) AS d(dimension, value)
               JOIN alarms a ON (a.dimension, a.value) = (d.dimension, d.value)
                 AND a.alarm_id = ANY($3::uuid[]) AND a.group_case_id IS NOT NULL
               WHERE c.received_on BETWEEN $1 AND $2 AND c.kind = 'complaint'
               ORDER BY c.case_id, d.dimension, a.opened_on),
           linked AS (
               INSERT INTO links (case_id, other_id, relation, at, by)
               SELECT case_id, group_case_id, $4, $5, $6 FROM belonging ORDER BY case_id, group_case_id
               ON CONFLICT DO NOTHING RETURNING other_id)
           UPDATE alarms a SET cases = a.cases + n.fresh
           FROM (SELECT other_id, count(*) AS fresh FROM linked GROUP BY other_id) n
           WHERE a.group_case_id = n.other_id""",
        first,
        last,
        list(alarms),
        MEMBER,
        uow.now,
        uow.actor.person,
    )


async def watch_action(uow: UnitOfWork, alarm_id: UUID, due_on: date) -> None:
    """The corrective action has a date; who misses it is named."""
    case_id = group_of_alarm(alarm_id)
    await arm(uow, [Deadline(ACTION, f"alarm/{alarm_id}", f"case:{case_id}", end_of(due_on))])


async def miss_actions(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Corrective actions that were not carried out by their date: a breach of the group case."""
    at: dict[UUID, datetime] = {UUID(one.object.removeprefix("alarm/")): one.due for one in due}
    rows = await uow.sql.fetch(
        """UPDATE alarms a SET overdue_at = w.at FROM unnest($1::uuid[], $2::timestamptz[]) AS w(alarm_id, at)
           WHERE a.alarm_id = w.alarm_id AND a.done_at IS NULL RETURNING a.group_case_id, a.overdue_at, a.owner""",
        list(at),
        list(at.values()),
    )
    found = await cases.of(uow, [row["group_case_id"] for row in rows])
    await history.add(
        uow,
        [
            history.CaseStep(
                row["group_case_id"], "corrective action breached", found[row["group_case_id"]].state,
                row["overdue_at"], {"owner": row["owner"]},
            )
            for row in rows
        ],
    )  # fmt: skip
    for row in rows:
        uow.emit(
            cases.breach(found[row["group_case_id"]], "corrective_action", row["overdue_at"]), at=row["overdue_at"]
        )
