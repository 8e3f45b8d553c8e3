"""Naming people for a client: a manager by two persons, a secondary or an adviser by one [RE1, A10]."""

from datetime import datetime

from uuid_utils import uuid7

from chassis import approvals, staff
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.errors import FieldError, Text
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from services.relationships import assignments
from services.relationships.errors import NothingIsStated, WrongValue
from services.relationships.ownership import PRIMARY
from services.relationships.tables import AssignmentFact


async def ask_manager(uow: UnitOfWork, client_id: str, branch_id: str | None, person: str, why: str) -> Approval:
    """Ask for another client manager: it counts from the moment a second person approves.

    Raises: WrongValue for somebody who does not work here.
    """
    at = await effective_now(uow.sql, uow.now)
    await require_here(uow, person, at)
    present = await _owner(uow, client_id, at)
    return await approvals.ask(
        uow, NAMED, f"owner/{client_id}", body={"client_id": client_id, "person": person, "reason": "named"}, why=why,
        before={"person": present}, after={"person": person}, client_id=client_id, branch_id=branch_id,
        concerned=[person],
    )  # fmt: skip


async def _owner(uow: UnitOfWork, client_id: str, at: datetime) -> str | None:
    found = await assignments.in_force(uow.sql, client_id, at)
    return next((one.person for one in found if one.role in (PRIMARY, "pool_lead")), None)


async def require_here(uow: UnitOfWork, person: str, at: datetime, pointer: str = "/person") -> None:
    """Raises: WrongValue for somebody who does not work here."""
    if not assignments.works_here(await staff.roster(uow.sql), person, at):
        raise WrongValue(errors=(FieldError(pointer, "does not work here"),))


async def _name(uow: UnitOfWork, approval: Approval) -> None:
    at = await effective_now(uow.sql, uow.now)
    await require_here(uow, approval.body["person"], at)
    await keep(uow, approval.body["client_id"], PRIMARY, approval.body["person"], True, approval.body["reason"], at)


NAMED = ApprovalKind(
    "client-manager", Text("Client manager named", "指定客户经理"), by(Role.BRANCH_MANAGER, Role.HQ), _name
)


async def change_team(uow: UnitOfWork, client_id: str, role: str, person: str, begins: bool, why: str) -> None:
    """Take somebody into a client's team, or out of it.

    Raises: WrongValue for somebody who does not work here; NothingIsStated to take out who is not in it.
    """
    at = await effective_now(uow.sql, uow.now)
    if begins:
        await require_here(uow, person, at)
    elif (role, person) not in {(one.role, one.person) for one in await assignments.in_force(uow.sql, client_id, at)}:
        raise NothingIsStated(Text("they are not in the team", "该人员不在服务团队中"))
    await keep(uow, client_id, role, person, begins, "named", at)
    uow.audit("change team", f"client/{client_id}", key=client_id, role=role, person=person, begins=begins, reason=why)


async def keep(
    uow: UnitOfWork, client_id: str, role: str, person: str, begins: bool, reason: str, at: datetime
) -> None:
    """Keep a word about who has a role from an instant on, and what follows from it."""
    fact = AssignmentFact(
        client_id=client_id, fact_id=str(uuid7()), role=role, person=person, since=at, said_at=at, begins=begins,
        reason=reason, run=None, said_by=uow.actor.person, recorded_at=uow.now,
    )  # fmt: skip
    await assignments.keep(uow, [fact])
    await assignments.project(uow, [client_id])
