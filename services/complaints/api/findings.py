"""What belongs to a case: demands, suggestions, links, contacts; and everything that does, at a glance."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Reading, Work, permits, router
from chassis.personal import mask_text
from contracts.complaints import SuggestionAdopted
from contracts.fields import Id, Label, Money
from services.complaints import cases, contact_duties, relations, severity
from services.complaints.api.shapes import CENTRE, READERS, STAFF
from services.complaints.forms import Body, Entered, Name, Noted, Words
from services.complaints.rules import OVER

routes = router("/v1/complaints", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Complainant = Annotated[Actor, permits("complaints.cases:withdraw", Role.CLIENT, *STAFF)]
Centre = Annotated[Actor, permits("complaints.tickets:issue", *CENTRE, centre=True)]
Reader = Annotated[Actor, permits("complaints.cases:read", Role.CLIENT, *READERS)]


class Made(BaseModel):
    """The id of what was made."""

    id: str


class Demand(Entered):
    """What the complainant wants [C13]."""

    what: Label
    amount: Money | None = None


class Link(Body):
    """Another case and how they belong together; nothing is merged."""

    other_id: Id
    relation: Literal["same_matter", "member_of"]


class Contact(Entered):
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
async def read_details(actor: Reader, sql: Reading, case_id: Id) -> Details:
    """Everything that hangs on a case; its client sees demands, suggestions and contacts."""
    await cases.seen(sql, actor, case_id)
    names = _FOR_CLIENTS if actor.role is Role.CLIENT else tuple(_DETAILS)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in _DETAILS}
    for name in names:
        found[name] = [dict(row) for row in await sql.fetch(_DETAILS[name], case_id)]
    return Details.model_validate(found)


@routes.post("/cases/{case_id}/demands", status_code=201)
async def add_demand(_: Complainant, uow: Work, case_id: Id, body: Demand) -> Made:
    """Note what the complainant demands."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    demand_id = _id()
    await uow.sql.execute(
        "INSERT INTO demands (demand_id, case_id, what, amount, made_at) VALUES ($1, $2, $3, $4, $5)",
        demand_id, case_id, mask_text(body.what), body.amount, at,
    )  # fmt: skip
    case = await cases.change(uow, case, "demanded", at, detail={"demand": str(demand_id)})
    if body.amount is not None and case.state not in OVER:
        await severity.consider(uow, case, at, "demand", claim=body.amount)
    return Made(id=str(demand_id))


@routes.post("/cases/{case_id}/demands/{demand_id}/withdrawal")
async def withdraw_demand(_: Complainant, uow: Work, case_id: Id, demand_id: Id, body: Noted) -> Made:
    """The complainant drops a demand; the record stays [C13]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    done = await uow.sql.fetchval(
        """UPDATE demands SET withdrawn_at = $3, withdrawn_by = $4, reason = $5
           WHERE demand_id = $2 AND case_id = $1 AND withdrawn_at IS NULL RETURNING true""",
        case_id, demand_id, at, uow.actor.person, mask_text(body.reason),
    )  # fmt: skip
    if not done:
        raise NotFound
    await cases.change(uow, case, "demand withdrawn", at, detail={"demand": str(demand_id)})
    return Made(id=str(demand_id))


@routes.post("/cases/{case_id}/suggestions", status_code=201)
async def add_suggestion(_: Complainant, uow: Work, case_id: Id, body: Noted) -> Made:
    """Pass back an opinion or suggestion (意见及建议), a record of its own [C12]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    suggestion_id = _id()
    await uow.sql.execute(
        """INSERT INTO suggestions (suggestion_id, case_id, words, recorded_at, recorded_by)
           VALUES ($1, $2, $3, $4, $5)""",
        suggestion_id, case_id, mask_text(body.reason), at, uow.actor.person,
    )  # fmt: skip
    await cases.change(uow, case, "suggested", at, detail={"suggestion": str(suggestion_id)})
    return Made(id=str(suggestion_id))


@routes.post("/cases/{case_id}/suggestions/{suggestion_id}/adoption")
async def adopt(_: Centre, uow: Work, case_id: Id, suggestion_id: Id, body: Entered) -> Made:
    """Adopt a suggestion (合理化建议): told to who rewards it [C12]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    done = await uow.sql.fetchval(
        """UPDATE suggestions SET adopted_at = $3, adopted_by = $4
           WHERE suggestion_id = $2 AND case_id = $1 AND adopted_at IS NULL RETURNING true""",
        case_id, suggestion_id, at, uow.actor.person,
    )  # fmt: skip
    if not done:
        raise NotFound
    await cases.change(uow, case, "suggestion adopted", at, detail={"suggestion": str(suggestion_id)})
    uow.emit(SuggestionAdopted(**cases.naming(case), suggestion_id=suggestion_id, adopted_at=at), at=at)
    return Made(id=str(suggestion_id))


@routes.post("/cases/{case_id}/links", status_code=201)
async def add_link(actor: Handler, uow: Work, case_id: Id, body: Link) -> Made:
    """Link a case to another; group members keep their own case [C17]."""
    at, case = cases.moment(uow, None), await cases.locked(uow, case_id)
    await cases.seen(uow.sql, actor, body.other_id)
    await relations.link(uow, case_id, body.other_id, body.relation)
    await cases.change(uow, case, "linked", at, detail={"other": str(body.other_id), "relation": body.relation})
    return Made(id=str(body.other_id))


@routes.delete("/cases/{case_id}/links/{other_id}", status_code=204)
async def end_link(_: Handler, uow: Work, case_id: Id, other_id: Id) -> None:
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
async def add_contact(_: Handler, uow: Work, case_id: Id, body: Contact) -> Made:
    """Log a contact with the complainant [C25]."""
    at, case = cases.moment(uow, body.at), await cases.locked(uow, case_id)
    number = await uow.sql.fetchval(
        """INSERT INTO contacts (case_id, at, by, channel, about, recording) VALUES ($1, $2, $3, $4, $5, $6)
           RETURNING id""",
        case_id, at, uow.actor.person, body.channel, mask_text(body.about), body.recording,
    )  # fmt: skip
    await cases.change(uow, case, "complainant contacted", at, detail={"channel": body.channel})
    await contact_duties.note_contact(uow, case_id, at)
    return Made(id=str(number))
