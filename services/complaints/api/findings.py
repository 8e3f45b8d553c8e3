"""What belongs to a case: demands, suggestions, redress, accountability, links, deviations, contacts, notices."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from uuid_utils import uuid7

from chassis import staff
from chassis.actor import Actor, Role
from chassis.errors import Conflict, Forbidden, NotFound, Text
from chassis.http import Once, Reading, Work, permits, router
from chassis.personal import mask_text
from contracts.base import Quantity
from contracts.complaints import RedressApproved, SuggestionAdopted
from services.complaints import cases, prompts, relations, severity
from services.complaints.api.shapes import CENTRE, READERS, STAFF, Act, Body, Day, Label, Name, Noted, Words
from services.complaints.rules import OVER
from services.complaints.seats import staff_ids

routes = router("/v1/complaints", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Complainant = Annotated[Actor, permits("complaints.cases:withdraw", Role.CLIENT, *STAFF)]
Approver = Annotated[Actor, permits("complaints.redress:approve", Role.BRANCH_MANAGER, *CENTRE)]
Centre = Annotated[Actor, permits("complaints.tickets:issue", *CENTRE)]
Reader = Annotated[Actor, permits("complaints.cases:read", Role.CLIENT, *READERS)]
Told = Annotated[Actor, permits("complaints.escalations:read", *STAFF, Role.OPERATIONS)]


class TwoPersons(Forbidden):
    """Whoever proposed it cannot approve it."""

    title = Text("A second person has to approve", "须由另一人复核")


class DecidedAlready(Conflict):
    """It was decided before."""

    title = Text("Decided already", "已处理")


class Made(BaseModel):
    """The id of what was made."""

    id: str


class Demand(Act):
    """What the complainant wants [C13]."""

    what: Label
    amount: Annotated[Decimal, Field(ge=0, lt=10**15)] | None = None


class Redress(Act):
    """Money to make good; a second person approves it [C10]."""

    amount: Annotated[Decimal, Field(gt=0, lt=10**15)]
    reason: Words


class Outcome(Act):
    """What an accountability case comes to [C14]."""

    summary: Words
    root_cause: Words
    plan: Words
    plan_owner: Name
    due_on: Day
    circular: Words
    measure: Label


class Link(Body):
    """Another case and how they belong together; nothing is merged."""

    other_id: UUID
    relation: Literal["same_matter", "member_of"]


class Contact(Act):
    """A contact with the complainant [C25]."""

    channel: Name
    about: Words
    recording: Label | None = None


class Details(BaseModel):
    """Everything that hangs on a case."""

    demands: list[dict[str, Any]]
    suggestions: list[dict[str, Any]]
    redress: list[dict[str, Any]]
    accountability: list[dict[str, Any]]
    links: list[dict[str, Any]]
    contacts: list[dict[str, Any]]
    tickets: list[dict[str, Any]]
    notices: list[dict[str, Any]]


_DETAILS = {
    "demands": "SELECT * FROM demands WHERE case_id = $1 ORDER BY demand_id",
    "suggestions": "SELECT * FROM suggestions WHERE case_id = $1 ORDER BY suggestion_id",
    "redress": "SELECT * FROM redress WHERE case_id = $1 ORDER BY redress_id",
    "accountability": "SELECT * FROM accountability WHERE case_id = $1 ORDER BY accountability_id",
    # Of a group case the first members; all of them are listed with its alarm.
    "links": "SELECT * FROM links WHERE case_id = $1 OR other_id = $1 ORDER BY at, case_id, other_id LIMIT 200",
    "contacts": "SELECT * FROM contacts WHERE case_id = $1 ORDER BY id",
    "tickets": "SELECT * FROM tickets WHERE case_id = $1 ORDER BY generation",
    "notices": "SELECT * FROM notices WHERE case_id = $1 ORDER BY id",
}
_FOR_CLIENTS = ("demands", "suggestions", "contacts")


def _id() -> UUID:
    return UUID(bytes=uuid7().bytes)


@routes.get("/cases/{case_id}/details")
async def read_details(actor: Reader, sql: Reading, case_id: UUID) -> Details:
    """Everything that hangs on a case; its client sees demands, suggestions and contacts."""
    await cases.seen(sql, actor, case_id)
    names = _FOR_CLIENTS if actor.role is Role.CLIENT else tuple(_DETAILS)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in _DETAILS}
    for name in names:
        found[name] = [dict(row) for row in await sql.fetch(_DETAILS[name], case_id)]
    return Details.model_validate(found)


@routes.post("/cases/{case_id}/demands", status_code=201)
async def add_demand(_: Complainant, uow: Work, case_id: UUID, body: Demand) -> Made:
    """Note what the complainant demands."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    demand_id = _id()
    await uow.sql.execute(
        "INSERT INTO demands (demand_id, case_id, what, amount, made_at) VALUES ($1, $2, $3, $4, $5)",
        demand_id, case_id, mask_text(body.what), body.amount, at,
    )  # fmt: skip
    case = await cases.change(uow, case, "demanded", at, detail={"demand": str(demand_id)})
    if body.amount is not None and case["state"] not in OVER:
        await severity.consider(uow, case, at, "demand", claim=body.amount)
    return Made(id=str(demand_id))


@routes.post("/cases/{case_id}/demands/{demand_id}/withdrawal")
async def withdraw_demand(_: Complainant, uow: Work, case_id: UUID, demand_id: UUID, body: Noted) -> Made:
    """The complainant drops a demand; the record stays [C13]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    done = await uow.sql.fetchval(
        """UPDATE demands SET withdrawn_at = $3, withdrawn_by = $4, reason = $5
           WHERE demand_id = $2 AND case_id = $1 AND withdrawn_at IS NULL RETURNING true""",
        case_id, demand_id, at, uow.actor.subject, mask_text(body.reason),
    )  # fmt: skip
    if not done:
        raise NotFound
    await cases.change(uow, case, "demand withdrawn", at, detail={"demand": str(demand_id)})
    return Made(id=str(demand_id))


@routes.post("/cases/{case_id}/suggestions", status_code=201)
async def add_suggestion(_: Complainant, uow: Work, case_id: UUID, body: Noted) -> Made:
    """Pass back an opinion or suggestion (意见及建议), a record of its own [C12]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    suggestion_id = _id()
    await uow.sql.execute(
        """INSERT INTO suggestions (suggestion_id, case_id, words, recorded_at, recorded_by)
           VALUES ($1, $2, $3, $4, $5)""",
        suggestion_id, case_id, mask_text(body.reason), at, uow.actor.subject,
    )  # fmt: skip
    await cases.change(uow, case, "suggested", at, detail={"suggestion": str(suggestion_id)})
    return Made(id=str(suggestion_id))


@routes.post("/cases/{case_id}/suggestions/{suggestion_id}/adoption")
async def adopt(_: Centre, uow: Work, case_id: UUID, suggestion_id: UUID, body: Act) -> Made:
    """Adopt a suggestion (合理化建议): told to who rewards it [C12]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    done = await uow.sql.fetchval(
        """UPDATE suggestions SET adopted_at = $3, adopted_by = $4
           WHERE suggestion_id = $2 AND case_id = $1 AND adopted_at IS NULL RETURNING true""",
        case_id, suggestion_id, at, uow.actor.subject,
    )  # fmt: skip
    if not done:
        raise NotFound
    await cases.change(uow, case, "suggestion adopted", at, detail={"suggestion": str(suggestion_id)})
    uow.emit(SuggestionAdopted(**cases.naming(case), suggestion_id=suggestion_id, adopted_at=at), at=at)
    return Made(id=str(suggestion_id))


@routes.post("/cases/{case_id}/redress", status_code=201)
async def propose_redress(_: Handler, uow: Work, _once: Once, case_id: UUID, body: Redress) -> Made:
    """Propose redress; nothing is owed until another person approves."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    redress_id = _id()
    await uow.sql.execute(
        "INSERT INTO redress (redress_id, case_id, amount, reason, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6)",
        redress_id, case_id, body.amount, body.reason, uow.actor.subject, at,
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
    if row["made_by"] == uow.actor.subject:
        raise TwoPersons
    await uow.sql.execute(
        "UPDATE redress SET state = 'approved', checked_by = $2, checked_at = $3 WHERE redress_id = $1",
        redress_id, uow.actor.subject, at,
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


@routes.post("/cases/{case_id}/accountability/{accountability_id}/outcome")
async def account(_: Centre, uow: Work, case_id: UUID, accountability_id: UUID, body: Outcome) -> Made:
    """Conclude accountability (责任追究): summary, root cause, plan with owner and date, circular, measure [C14]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    mine = staff_ids(await staff.roster(uow.sql), uow.actor, at)
    row = await uow.sql.fetchrow(
        "SELECT against, done_at FROM accountability WHERE accountability_id = $1 AND case_id = $2 FOR UPDATE",
        accountability_id, case_id,
    )  # fmt: skip
    if row is None:
        raise NotFound
    if row["done_at"]:
        raise DecidedAlready
    if mine & set(row["against"]):
        raise TwoPersons
    await uow.sql.execute(
        """UPDATE accountability SET summary = $2, root_cause = $3, plan = $4, plan_owner = $5, due_on = $6,
                  circular = $7, measure = $8, done_at = $9, done_by = $10 WHERE accountability_id = $1""",
        accountability_id, body.summary, body.root_cause, body.plan, body.plan_owner, body.due_on, body.circular,
        body.measure, at, uow.actor.subject,
    )  # fmt: skip
    await cases.change(uow, case, "held to account", at, detail={"accountability": str(accountability_id)})
    return Made(id=str(accountability_id))


@routes.post("/cases/{case_id}/links", status_code=201)
async def add_link(actor: Handler, uow: Work, case_id: UUID, body: Link) -> Made:
    """Link a case to another; group members keep their own case [C17]."""
    at, case = cases.moment(uow, None), await cases.locked(uow, case_id)
    await cases.seen(uow.sql, actor, body.other_id)
    await relations.link(uow, case_id, body.other_id, body.relation)
    await cases.change(uow, case, "linked", at, detail={"other": str(body.other_id), "relation": body.relation})
    return Made(id=str(body.other_id))


@routes.delete("/cases/{case_id}/links/{other_id}", status_code=204)
async def end_link(_: Handler, uow: Work, case_id: UUID, other_id: UUID) -> None:
    """End a link; that it was stays known."""
    at, case = cases.moment(uow, None), await cases.locked(uow, case_id)
    ended = await uow.sql.fetch(
        "UPDATE links SET ended_at = $3 WHERE case_id = $1 AND other_id = $2 AND ended_at IS NULL RETURNING relation",
        case_id, other_id, at,
    )  # fmt: skip
    if not ended:
        raise NotFound
    await cases.change(uow, case, "unlinked", at, detail={"other": str(other_id)})


@routes.post("/cases/{case_id}/contacts", status_code=201)
async def add_contact(_: Handler, uow: Work, case_id: UUID, body: Contact) -> Made:
    """Log a contact with the complainant [C25]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    number = await uow.sql.fetchval(
        """INSERT INTO contacts (case_id, at, by, channel, about, recording) VALUES ($1, $2, $3, $4, $5, $6)
           RETURNING id""",
        case_id, at, uow.actor.subject, body.channel, mask_text(body.about), body.recording,
    )  # fmt: skip
    await cases.change(uow, case, "complainant contacted", at, detail={"channel": body.channel})
    await prompts.note_contact(uow, case_id, at)
    return Made(id=str(number))


@routes.post("/cases/{case_id}/deviations", status_code=201)
async def ask_deviation(_: Handler, uow: Work, case_id: UUID, body: Noted) -> Made:
    """Ask to deviate in a special case (特殊情况特殊处理), with the reason [C19]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    number = await uow.sql.fetchval(
        "INSERT INTO deviations (case_id, what, reason, asked_by, asked_at) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        case_id, case["state"], body.reason, uow.actor.subject, at,
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
    if row["asked_by"] == uow.actor.subject:
        raise TwoPersons
    await uow.sql.execute(
        "UPDATE deviations SET approved_by = $2, approved_at = $3 WHERE id = $1", deviation_id, uow.actor.subject, at
    )
    await cases.change(uow, case, "deviation approved", at, detail={"deviation": deviation_id})
    return Made(id=str(deviation_id))


class Notice(BaseModel):
    """Something one was told and has not answered yet."""

    case_id: UUID
    clock: str
    step: str
    to: str
    seat: str
    path: list[str]
    for_conflict: bool
    at: datetime


@routes.get("/escalations")
async def read_escalations(actor: Told, sql: Reading) -> list[Notice]:
    """What the caller was told and has to acknowledge, oldest first."""
    mine = staff_ids(await staff.roster(sql), actor, await sql.fetchval("SELECT clock_timestamp()"))
    rows = await sql.fetch(
        """SELECT * FROM notices WHERE "to" = ANY($1::text[]) AND acknowledged_at IS NULL ORDER BY at, id LIMIT 200""",
        sorted(mine),
    )
    return [Notice.model_validate(dict(row)) for row in rows]
