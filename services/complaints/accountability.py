"""Accountability (责任追究) after it is concluded: its plan has an owner and a date, and who misses it is named [C14]."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from chassis.clock import end_of
from chassis.deadlines import Deadline, Due, arm, cancel
from chassis.uow import UnitOfWork
from services.complaints import cases, history
from services.complaints.tables import CaseRow

PLAN = "plan"


async def watch_plan(uow: UnitOfWork, accountability_id: UUID, case: CaseRow, due_on: date) -> None:
    """The plan is to be carried out by a day."""
    await arm(uow, [Deadline(PLAN, f"accountability/{accountability_id}", case.key, end_of(due_on))])


async def carry_out(uow: UnitOfWork, accountability_id: UUID, at: Any) -> None:
    """The plan was carried out."""
    await cancel(uow, [(PLAN, f"accountability/{accountability_id}")])
    await uow.sql.execute(
        "UPDATE accountability SET carried_out_at = $2, carried_out_by = $3 WHERE accountability_id = $1",
        accountability_id,
        at,
        uow.actor.person,
    )


async def miss_plans(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Plans that were not carried out by their day: a breach of the case they belong to."""
    at = {UUID(one.object.removeprefix("accountability/")): one.due for one in due}
    rows = await uow.sql.fetch(
        """UPDATE accountability a SET overdue_at = w.at
           FROM unnest($1::uuid[], $2::timestamptz[]) AS w(accountability_id, at)
           WHERE a.accountability_id = w.accountability_id AND a.carried_out_at IS NULL
           RETURNING a.case_id, a.overdue_at, a.plan_owner""",
        list(at),
        list(at.values()),
    )
    found = await cases.of(uow, [row["case_id"] for row in rows])
    for row in rows:  # one case may be held to account for two causes: one step at a time
        case, overdue = found[row["case_id"]], row["overdue_at"]
        step = history.CaseStep(case.case_id, "plan breached", case.state, overdue, {"owner": row["plan_owner"]})
        await history.add(uow, [step])
        uow.emit(cases.breach(case, "accountability_plan", overdue), at=overdue)
