"""What takes two persons: redress (补偿) and deviations in special cases (特殊情况特殊处理) [C10, C19]."""

from typing import Annotated
from uuid import UUID

from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Once, Work, permits, router
from contracts.fields import Id, Money, Number
from services.complaints import cases, second_person
from services.complaints.api.findings import Made
from services.complaints.api.shapes import CENTRE, STAFF
from services.complaints.forms import Entered, Noted, Words

routes = router("/v1/complaints", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Approver = Annotated[Actor, permits("complaints.redress:approve", Role.BRANCH_MANAGER, *CENTRE)]


class Redress(Entered):
    """Money to make good; a second person approves it [C10]."""

    amount: Money
    reason: Words


@routes.post("/cases/{case_id}/redress", status_code=201)
async def propose_redress(_: Handler, uow: Work, _once: Once, case_id: Id, body: Redress) -> Made:
    """Propose redress; nothing is owed until another person approves."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    redress_id = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        "INSERT INTO redress (redress_id, case_id, amount, reason, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6)",
        redress_id, case_id, body.amount, body.reason, uow.actor.person, at,
    )  # fmt: skip
    detail = {"redress": str(redress_id), "amount": body.amount}
    case = await cases.change(uow, case, "redress proposed", at, detail=detail, audited=False)
    await second_person.ask(uow, second_person.REDRESS, case, redress_id, body.reason, amount=body.amount)
    return Made(id=str(redress_id))


@routes.post("/cases/{case_id}/redress/{redress_id}/approval")
async def approve_redress(_: Approver, uow: Work, _once: Once, case_id: Id, redress_id: Id, body: Entered) -> Made:
    """Approve redress that somebody else proposed."""
    cases.moment(uow, body.at)
    await _require_of(uow, "redress", "redress_id", redress_id, case_id)
    await second_person.decide(uow, second_person.REDRESS, case_id, redress_id, agree=True)
    return Made(id=str(redress_id))


@routes.post("/cases/{case_id}/deviations", status_code=201)
async def ask_deviation(_: Handler, uow: Work, case_id: Id, body: Noted) -> Made:
    """Ask to deviate in a special case (特殊情况特殊处理), with the reason [C19]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    number = await uow.sql.fetchval(
        "INSERT INTO deviations (case_id, what, reason, asked_by, asked_at) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        case_id, case.state, body.reason, uow.actor.person, at,
    )  # fmt: skip
    case = await cases.change(uow, case, "deviation asked for", at, detail={"deviation": number}, audited=False)
    await second_person.ask(uow, second_person.DEVIATION, case, number, body.reason)
    return Made(id=str(number))


@routes.post("/cases/{case_id}/deviations/{deviation_id}/approval")
async def approve_deviation(_: Approver, uow: Work, case_id: Id, deviation_id: Number, body: Entered) -> Made:
    """Approve somebody else's deviation [C19]."""
    cases.moment(uow, body.at)
    await _require_of(uow, "deviations", "id", deviation_id, case_id)
    await second_person.decide(uow, second_person.DEVIATION, case_id, deviation_id, agree=True)
    return Made(id=str(deviation_id))


async def _require_of(uow: Work, table: str, column: str, id: object, case_id: Id) -> None:
    """What is decided belongs to the case, and the case is the caller's to see and not about them."""
    await cases.locked(uow, case_id)
    if not await uow.sql.fetchval(f"SELECT true FROM {table} WHERE {column} = $1 AND case_id = $2", id, case_id):
        raise NotFound
