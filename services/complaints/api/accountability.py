"""Accountability (责任追究): concluded with a plan that has an owner and a date, carried out or overdue [C14]."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from chassis.actor import Actor
from chassis.acts import ConflictOfInterest
from chassis.errors import AlreadyDecided, Conflict, NotFound, Text
from chassis.http import Listing, Page, Reading, Work, permits, router
from chassis.http.persons import PersonId
from contracts.fields import Id, Label
from services.complaints import accountability, cases, people, second_person
from services.complaints.api.findings import Made
from services.complaints.api.shapes import CENTRE
from services.complaints.forms import CarriedOut, Day, Entered, Words

routes = router("/v1/complaints", "complaints")
Centre = Annotated[Actor, permits("complaints.tickets:issue", *CENTRE, centre=True)]


class NotConcluded(Conflict):
    """No plan has been made yet: there is nothing to carry out [C14]."""

    title = Text("Accountability is not concluded yet", "责任追究尚未办结")


class AccountabilityOutcome(Entered):
    """What an accountability case comes to [C14]."""

    summary: Words
    root_cause: Words
    plan: Words
    plan_owner: PersonId
    due_on: Day
    circular: Words
    measure: Label


@routes.post("/cases/{case_id}/accountability/{accountability_id}/outcome", status_code=202)
async def account(_: Centre, uow: Work, case_id: Id, accountability_id: Id, body: AccountabilityOutcome) -> Made:
    """Propose what accountability (责任追究) comes to: summary, root cause, plan with owner and date, circular, measure;
    it counts once compliance agrees [C14]."""
    _at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    row = await uow.sql.fetchrow(
        "SELECT against, done_at FROM accountability WHERE accountability_id = $1 AND case_id = $2 FOR UPDATE",
        accountability_id, case_id,
    )  # fmt: skip
    if row is None:
        raise NotFound
    if row["done_at"]:
        raise AlreadyDecided
    if uow.actor.person in row["against"]:
        raise ConflictOfInterest
    await people.require_plan(uow, "/plan_owner", body.plan_owner, body.due_on)
    outcome = body.model_dump(mode="json", exclude={"at"})
    await second_person.ask_outcome(uow, case, accountability_id, outcome, row["against"])
    return Made(id=str(accountability_id))


@routes.post("/cases/{case_id}/accountability/{accountability_id}/completion")
async def carry_out(_: Centre, uow: Work, case_id: Id, accountability_id: Id, body: CarriedOut) -> Made:
    """The improvement plan was carried out; its date is no longer watched."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    row = await uow.sql.fetchrow(
        "SELECT done_at, carried_out_at FROM accountability WHERE accountability_id = $1 AND case_id = $2 FOR UPDATE",
        accountability_id, case_id,
    )  # fmt: skip
    if row is None:
        raise NotFound
    if row["done_at"] is None:
        raise NotConcluded
    if row["carried_out_at"] is not None:
        raise AlreadyDecided
    await accountability.carry_out(uow, accountability_id, at)
    detail = {"accountability": str(accountability_id), "evidence": body.evidence}
    await cases.change(uow, case, "plan carried out", at, detail=detail)
    return Made(id=str(accountability_id))


class Account(BaseModel):
    """An accountability case as it stands: to be concluded, then its plan to be carried out by `due_on`."""

    accountability_id: UUID
    case_id: UUID
    branch_id: str
    cause: str
    against: list[str]
    opened_at: datetime
    concluded: bool
    plan_owner: str | None
    due_on: date | None
    overdue: bool
    carried_out: bool


@routes.get("/accountability")
async def read_open(
    actor: Centre,
    sql: Reading,
    page: Page,
    everything: Annotated[bool, Query(description="those carried out as well")] = False,
) -> Listing[Account]:
    """Accountability cases that are not carried out, oldest first."""
    condition, arguments = cases.sight(actor, 5)
    rows = await sql.fetch(
        f"""SELECT a.*, c.branch_id, a.done_at IS NOT NULL AS concluded,
                   a.overdue_at IS NOT NULL AS overdue, a.carried_out_at IS NOT NULL AS carried_out
            FROM accountability a JOIN cases c USING (case_id) WHERE ($1 OR a.carried_out_at IS NULL) AND {condition}
              AND ($2::text IS NULL OR (a.opened_at, a.accountability_id) > ($2::text::timestamptz, $3::text::uuid))
            ORDER BY a.opened_at, a.accountability_id LIMIT $4""",
        everything,
        *(page.after or (None, None)),
        page.limit + 1,
        *arguments,
    )
    found = page.result([dict(row) for row in rows], lambda row: (row["opened_at"], row["accountability_id"]))
    return Listing[Account].model_validate(found)
