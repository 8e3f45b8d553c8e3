"""What somebody was told and has to acknowledge: nobody can refuse it [C7, C22]."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.clocks.store import acknowledge
from chassis.errors import NotFound
from chassis.http import Listing, Page, Reading, Work, permits, router
from contracts.complaints import EscalationAcknowledged
from contracts.fields import Code, Id, number_of
from services.complaints import cases, clocks, history
from services.complaints.api.shapes import STAFF
from services.complaints.forms import Entered

routes = router("/v1/complaints", "complaints")
Told = Annotated[Actor, permits("complaints.escalations:read", *STAFF, Role.OPERATIONS)]
Answerable = Annotated[Actor, permits("complaints.escalations:acknowledge", *STAFF, Role.OPERATIONS)]


class Acknowledged(BaseModel):
    """How many notices of the step were answered now."""

    acknowledged: int


@routes.post("/cases/{case_id}/escalations/{clock}/{step}/acknowledgement")
async def acknowledge_step(
    _: Answerable,
    uow: Work,
    case_id: Id,
    clock: Code,
    step: Code,
    body: Entered,
    generation: Annotated[
        Annotated[int, number_of(1, 10_000)] | None,
        Query(description="of the case the notice belongs to; without it the newest that is not answered"),
    ] = None,
) -> Acknowledged:
    """Answer a notice: only who was told can, and nobody can refuse it; for the generation of the case it belongs to, whatever
    became of the case since. The last department told stops the report clock of a major case [C7, C22]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    rows = await uow.sql.fetch(
        """UPDATE notices SET acknowledged_at = $6, acknowledged_by = $5
           WHERE case_id = $1 AND clock = $3 AND step = $4 AND "to" = $5 AND acknowledged_at IS NULL
             AND generation = coalesce($2, (SELECT max(generation) FROM notices WHERE case_id = $1 AND clock = $3
                                              AND step = $4 AND "to" = $5 AND acknowledged_at IS NULL))
           RETURNING seat, round, generation""",
        case_id,
        generation,
        clock,
        step,
        uow.actor.person,
        at,
    )
    if not rows:
        raise NotFound
    of = rows[0]["generation"]
    object_ = clocks.object_of(case_id, of)
    if clock == clocks.REPORT:
        done = await uow.sql.fetchval(
            """SELECT bool_and(acknowledged_at IS NOT NULL) FROM notices
               WHERE case_id = $1 AND generation = $2 AND clock = $3""",
            case_id,
            of,
            clock,
        )
        if done:
            await cases.stop_report(uow, object_, at)
    else:
        await acknowledge(uow, [(object_, clock, step)], at)
    detail: dict[str, Any] = {"clock": clock, "step": step}
    if of != case.generation:
        detail["generation"] = of
    await history.add(uow, [history.CaseStep(case_id, f"acknowledged: {step}", case.state, at, detail)])
    uow.audit("acknowledge", f"case/{case_id}", key=case.key, at=at, **detail)
    uow.emit(
        EscalationAcknowledged(
            **cases.naming(case) | {"generation": of},
            clock=clock,
            step=step,
            by=uow.actor.person,
            acknowledged_at=at,
            round=max(row["round"] for row in rows),
        ),
        at=at,
    )
    return Acknowledged(acknowledged=len(rows))


class Notice(BaseModel):
    """Something one was told and has not answered yet."""

    case_id: UUID
    generation: int
    clock: str
    step: str
    to: str
    seat: str
    path: list[str]
    for_conflict: bool
    at: datetime


@routes.get("/escalations")
async def read_escalations(actor: Told, sql: Reading, page: Page) -> Listing[Notice]:
    """What the caller was told and has to acknowledge, oldest first."""
    rows = await sql.fetch(
        """SELECT * FROM notices WHERE "to" = $1 AND acknowledged_at IS NULL
             AND ($2::text IS NULL OR (at, id) > ($2::text::timestamptz, $3::bigint)) ORDER BY at, id LIMIT $4""",
        actor.person,
        *(page.after or (None, None)),
        page.limit + 1,
    )
    return Listing[Notice].model_validate(page.result([dict(row) for row in rows], lambda row: (row["at"], row["id"])))
