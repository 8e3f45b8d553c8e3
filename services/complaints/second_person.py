"""What takes two persons about a case: redress (补偿), deviations in special cases (特殊情况特殊处理), the end of a legal hold,
erasure [C10, C19, C21]. Whom the case is about neither sees nor decides any of it [C28]."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from chassis import approvals
from chassis.actor import Role
from chassis.acts.errors import AlreadyAsked
from chassis.approvals import Approval, ApprovalKind, Deciders, by
from chassis.errors import Text
from chassis.uow import UnitOfWork
from contracts.base import Quantity
from contracts.complaints import RedressApproved
from services.complaints import accountability, cases, retention
from services.complaints.tables import CaseRow

APPROVERS = by(Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
Decided = Callable[[UnitOfWork, CaseRow, Approval], Awaitable[None]]


async def _concerned(sql: asyncpg.Connection, approval: Approval) -> Collection[str]:
    found = await sql.fetchval("SELECT concerned FROM cases WHERE case_id = $1", UUID(approval.body["case_id"]))
    return found or ()


def _kind(name: str, title: Text, decides: Deciders, apply: Decided, ended: Decided | None = None) -> ApprovalKind:
    """A kind of approval about a case, which is locked before what was asked."""

    async def case_of(uow: UnitOfWork, approval: Approval) -> CaseRow:
        case_id = UUID(approval.body["case_id"])
        return (await cases.of(uow, [case_id]))[case_id]

    async def do(uow: UnitOfWork, approval: Approval) -> None:
        await apply(uow, await case_of(uow, approval), approval)

    async def end(uow: UnitOfWork, approval: Approval) -> None:
        if ended is not None:
            await ended(uow, await case_of(uow, approval), approval)

    return ApprovalKind(name, title, decides, do, ended=end if ended else None, concerned=_concerned)


async def _approve_redress(uow: UnitOfWork, case: CaseRow, approval: Approval) -> None:
    at, redress_id = uow.happened_at, UUID(approval.body["id"])
    amount = await uow.sql.fetchval(
        """UPDATE redress SET state = 'approved', checked_by = $2, checked_at = $3 WHERE redress_id = $1
           RETURNING amount""",
        redress_id,
        uow.actor.person,
        at,
    )
    await cases.change(uow, case, "redress approved", at, detail={"redress": str(redress_id)}, audited=False)
    currency = uow.database.settings.currency
    event = RedressApproved(
        **cases.naming(case), redress_id=redress_id, amount=Quantity(amount), currency=currency, approved_at=at
    )
    uow.emit(event, at=at)


async def _end_redress(uow: UnitOfWork, case: CaseRow, approval: Approval) -> None:
    await uow.sql.execute(
        "UPDATE redress SET state = $2 WHERE redress_id = $1", UUID(approval.body["id"]), approval.state
    )
    what, detail = f"redress {approval.state}", {"redress": approval.body["id"]}
    await cases.change(uow, case, what, uow.happened_at, detail=detail, audited=False)


async def _approve_deviation(uow: UnitOfWork, case: CaseRow, approval: Approval) -> None:
    at, number = uow.happened_at, int(approval.body["id"])
    await uow.sql.execute(
        "UPDATE deviations SET approved_by = $2, approved_at = $3 WHERE id = $1", number, uow.actor.person, at
    )
    await cases.change(uow, case, "deviation approved", at, detail={"deviation": number}, audited=False)


async def _release(uow: UnitOfWork, case: CaseRow, approval: Approval) -> None:
    await retention.release(uow, case, UUID(approval.body["id"]), asked_by=approval.asked_by)


async def _keep_hold(uow: UnitOfWork, case: CaseRow, approval: Approval) -> None:
    await retention.keep_hold(uow, case, UUID(approval.body["id"]), asked_by=approval.asked_by)


async def _erase(uow: UnitOfWork, case: CaseRow, approval: Approval) -> None:
    await retention.end_erasure(uow, case, UUID(approval.body["id"]), asked_by=approval.asked_by, erase=True)


async def _refuse_erasure(uow: UnitOfWork, case: CaseRow, approval: Approval) -> None:
    await retention.end_erasure(uow, case, UUID(approval.body["id"]), asked_by=approval.asked_by, erase=False)


async def _conclude(uow: UnitOfWork, case: CaseRow, approval: Approval) -> None:
    at, number, outcome = uow.happened_at, UUID(approval.body["id"]), approval.body["outcome"]
    due_on = date.fromisoformat(outcome["due_on"])
    await uow.sql.execute(
        """UPDATE accountability SET summary = $2, root_cause = $3, plan = $4, plan_owner = $5, due_on = $6,
                  circular = $7, measure = $8, done_at = $9, done_by = $10 WHERE accountability_id = $1""",
        number, outcome["summary"], outcome["root_cause"], outcome["plan"], outcome["plan_owner"], due_on,
        outcome["circular"], outcome["measure"], at, approval.asked_by,
    )  # fmt: skip
    await accountability.watch_plan(uow, number, case, due_on)
    await cases.change(uow, case, "held to account", at, detail={"accountability": str(number)}, audited=False)


REDRESS = _kind("redress", Text("Redress", "补偿"), APPROVERS, _approve_redress, _end_redress)
DEVIATION = _kind("deviation", Text("Deviation in a special case", "特殊情况特殊处理"), APPROVERS, _approve_deviation)
HOLD_RELEASE = _kind(
    "hold-release", Text("End of a legal hold", "解除法律保全"), by(Role.COMPLIANCE), _release, _keep_hold
)
ERASURE = _kind("erasure", Text("Erasure of a case", "销毁案件"), by(Role.COMPLIANCE, Role.HQ), _erase, _refuse_erasure)
OUTCOME = _kind("accountability", Text("Outcome of accountability", "责任追究结论"), by(Role.COMPLIANCE), _conclude)
KINDS = (OUTCOME, REDRESS, DEVIATION, HOLD_RELEASE, ERASURE)


async def ask(uow: UnitOfWork, kind: ApprovalKind, case: CaseRow, id: object, why: str, **after: Any) -> None:
    """Ask for the second person of something about a case."""
    await approvals.ask(
        uow,
        kind,
        object_of(kind, case.case_id, id),
        body={"case_id": str(case.case_id), "id": str(id)},
        why=why,
        after=after or None,
        client_id=case.client_id,
        branch_id=case.branch_id,
        concerned=case.concerned,
        restricted=case.restricted,
    )


async def ask_outcome(
    uow: UnitOfWork, case: CaseRow, accountability_id: UUID, outcome: Mapping[str, Any], against: Collection[str]
) -> None:
    """Ask compliance to agree to what accountability comes to; none of those it is against decides it [C14].

    Raises: AlreadyAsked.
    """
    object = object_of(OUTCOME, case.case_id, accountability_id)
    waiting = await uow.sql.fetchval(
        "SELECT approval_id FROM approvals WHERE object = $1 AND state = 'waiting'", object
    )
    if waiting is not None:
        raise AlreadyAsked(approval_id=str(waiting))
    await approvals.ask(
        uow,
        OUTCOME,
        object,
        body={"case_id": str(case.case_id), "id": str(accountability_id), "outcome": dict(outcome)},
        why=outcome["summary"],
        client_id=case.client_id,
        branch_id=case.branch_id,
        concerned={*case.concerned, *against},
        restricted=case.restricted,
    )


async def decide(uow: UnitOfWork, kind: ApprovalKind, case_id: UUID, id: object, *, agree: bool) -> None:
    """Decide what another person asked for about a case, by its own id.

    Raises: NotFound, SecondPersonNeeded, AlreadyDecided.
    """
    await approvals.decide(uow, kind, object_of(kind, case_id, id), agree=agree)


def object_of(kind: ApprovalKind, case_id: UUID, id: object) -> str:
    """How an approval names what it is about: everything of a case begins alike."""
    return f"case/{case_id}/{kind.name}/{id}"
