"""What takes two persons: redress (补偿) and deviations in special cases (特殊情况特殊处理) [C10, C19]."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Once, Work, permits, router
from contracts.base import Quantity
from contracts.complaints import RedressApproved
from services.complaints import cases
from services.complaints.api.findings import DecidedAlready, Made, TwoPersons
from services.complaints.api.shapes import CENTRE, STAFF, Act, Noted, Words

routes = router("/v1/complaints", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Approver = Annotated[Actor, permits("complaints.redress:approve", Role.BRANCH_MANAGER, *CENTRE)]


class Redress(Act):
    """Money to make good; a second person approves it [C10]."""

    amount: Annotated[Decimal, Field(gt=0, lt=10**15)]
    reason: Words


@routes.post("/cases/{case_id}/redress", status_code=201)
async def propose_redress(_: Handler, uow: Work, _once: Once, case_id: UUID, body: Redress) -> Made:
    """Propose redress; nothing is owed until another person approves."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    redress_id = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        "INSERT INTO redress (redress_id, case_id, amount, reason, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6)",
        redress_id, case_id, body.amount, body.reason, uow.actor.person, at,
    )  # fmt: skip
    await cases.change(uow, case, "redress proposed", at, detail={"redress": str(redress_id), "amount": body.amount})
    return Made(id=str(redress_id))


@routes.post("/cases/{case_id}/redress/{redress_id}/approval")
async def approve_redress(_: Approver, uow: Work, _once: Once, case_id: UUID, redress_id: UUID, body: Act) -> Made:
    """Approve redress that somebody else proposed."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    row = await uow.sql.fetchrow(
        "SELECT * FROM redress WHERE redress_id = $1 AND case_id = $2 FOR UPDATE", redress_id, case_id
    )
    if row is None:
        raise NotFound
    if row["state"] != "proposed":
        raise DecidedAlready(state=row["state"])
    if row["made_by"] == uow.actor.person:
        raise TwoPersons
    await uow.sql.execute(
        "UPDATE redress SET state = 'approved', checked_by = $2, checked_at = $3 WHERE redress_id = $1",
        redress_id, uow.actor.person, at,
    )  # fmt: skip
    await cases.change(uow, case, "redress approved", at, detail={"redress": str(redress_id)})
    uow.emit(
        RedressApproved(
            **cases.naming(case), redress_id=redress_id, amount=Quantity(row["amount"]),
            currency=uow.database.settings.currency, approved_at=at,
        ),
        at=at,
    )  # fmt: skip
    return Made(id=str(redress_id))


@routes.post("/cases/{case_id}/deviations", status_code=201)
async def ask_deviation(_: Handler, uow: Work, case_id: UUID, body: Noted) -> Made:
    """Ask to deviate in a special case (特殊情况特殊处理), with the reason [C19]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    number = await uow.sql.fetchval(
        "INSERT INTO deviations (case_id, what, reason, asked_by, asked_at) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        case_id, case["state"], body.reason, uow.actor.person, at,
    )  # fmt: skip
    await cases.change(uow, case, "deviation asked for", at, detail={"deviation": number})
    return Made(id=str(number))


@routes.post("/cases/{case_id}/deviations/{deviation_id}/approval")
async def approve_deviation(_: Approver, uow: Work, case_id: UUID, deviation_id: int, body: Act) -> Made:
    """Approve somebody else's deviation [C19]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    row = await uow.sql.fetchrow(
        "SELECT * FROM deviations WHERE id = $1 AND case_id = $2 FOR UPDATE", deviation_id, case_id
    )
    if row is None:
        raise NotFound
    if row["approved_by"]:
        raise DecidedAlready
    if row["asked_by"] == uow.actor.person:
        raise TwoPersons
    await uow.sql.execute(
        "UPDATE deviations SET approved_by = $2, approved_at = $3 WHERE id = $1", deviation_id, uow.actor.person, at
    )
    await cases.change(uow, case, "deviation approved", at, detail={"deviation": deviation_id})
    return Made(id=str(deviation_id))
