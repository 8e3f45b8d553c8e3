"""The plan of a manager's day (每日标准化工作流程): headquarters', or a branch's own that headquarters approved [A29, A32]."""

from datetime import date, datetime
from typing import Annotated, Any

import asyncpg
from sqlalchemy.dialects.postgresql import JSONB

from chassis import approvals
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.errors import FieldError, Text
from chassis.rows import Column, Row, columns, fetch, table
from chassis.timeline import today
from chassis.uow import UnitOfWork
from services.relationships.errors import WrongValue
from services.relationships.policy import DayPlan, PlanLine, Policies
from services.relationships.tables import metadata


class BranchPlanRow(Row, frozen=True):
    """A branch's own plan of the day from a day on, as headquarters approved it."""

    branch_id: Annotated[str, Column(primary_key=True)]
    effective_on: Annotated[date, Column(primary_key=True)]
    lines: Annotated[list[dict[str, Any]], Column(JSONB, comment="none: headquarters' again")]
    reason: str
    asked_by: str
    approved_by: str
    approved_at: datetime


branch_day_plans = table("branch_day_plans", metadata, BranchPlanRow)


async def in_force(sql: asyncpg.Connection, branch_id: str, day: date) -> BranchPlanRow | None:
    """A branch's own plan on a day; None: headquarters' holds."""
    found = await fetch(
        sql,
        BranchPlanRow,
        f"""SELECT {columns(BranchPlanRow)} FROM branch_day_plans WHERE branch_id = $1 AND effective_on <= $2
            ORDER BY effective_on DESC LIMIT 1""",
        branch_id,
        day,
    )
    return found[0] if found and found[0].lines else None


def lines_of(own: BranchPlanRow | None, shipped: DayPlan) -> list[PlanLine]:
    """The lines of the plan that holds."""
    return [PlanLine(**line) for line in own.lines] if own else list(shipped.lines)


async def ask(
    uow: UnitOfWork, branch_id: str, effective_on: date, lines: list[dict[str, str]], reason: str
) -> Approval:
    """Ask headquarters for a plan of the branch's own from a day on; without lines, for headquarters' again.

    Raises: WrongValue for a day that has begun, or times that do not follow each other.
    """
    if effective_on <= await today(uow.sql):
        raise WrongValue(errors=(FieldError("/effective_on", "has begun"),))
    times = [time for line in lines for time in (line["begins"], line["ends"])]
    if times != sorted(times) or any(line["begins"] == line["ends"] for line in lines):
        raise WrongValue(errors=(FieldError("/lines", "one begins before the one before it ends"),))
    policies = await uow.policies(Policies)
    present = lines_of(await in_force(uow.sql, branch_id, effective_on), policies.day_plan.on(effective_on).body)
    return await approvals.ask(
        uow, PLANNED, f"day-plan/{branch_id}/{effective_on}",
        body={"branch_id": branch_id, "effective_on": effective_on.isoformat(), "lines": lines, "reason": reason}, why=reason,
        before=[{"begins": one.begins, "ends": one.ends, "zh": one.zh, "en": one.en} for one in present], after=lines,
    )  # fmt: skip


async def _apply(uow: UnitOfWork, approval: Approval) -> None:
    body = approval.body
    await uow.sql.execute(
        f"""INSERT INTO branch_day_plans ({columns(BranchPlanRow)}) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (branch_id, effective_on) DO UPDATE SET lines = excluded.lines, reason = excluded.reason,
                asked_by = excluded.asked_by, approved_by = excluded.approved_by, approved_at = excluded.approved_at""",
        body["branch_id"],
        date.fromisoformat(body["effective_on"]),
        body["lines"],
        body["reason"],
        approval.asked_by,
        uow.actor.person,
        uow.now,
    )


PLANNED = ApprovalKind("day-plan", Text("Plan of the day changed", "营业部日常工作流程调整"), by(Role.HQ), _apply)
