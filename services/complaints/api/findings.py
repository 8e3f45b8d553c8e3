"""What belongs to a case: demands, suggestions, links, contacts; and everything that does, at a glance."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.acts import Act, Acts, perform
from chassis.http import Once, Reading, Work, permits, router
from contracts.fields import Id
from services.complaints import cases
from services.complaints.acts import ACTS
from services.complaints.api.shapes import CENTRE, READERS, STAFF
from services.complaints.forms import About, Contact, Demand, Entered, Link, Noted
from services.complaints.tables import CaseRow

routes = router("/v1/complaints", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Complainant = Annotated[Actor, permits("complaints.cases:withdraw", Role.CLIENT, *STAFF)]
Centre = Annotated[Actor, permits("complaints.tickets:issue", *CENTRE, centre=True)]
Reader = Annotated[Actor, permits("complaints.cases:read", Role.CLIENT, *READERS)]


class Made(BaseModel):
    """The id of what was made."""

    id: str


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
async def add_demand(_: Complainant, uow: Work, _once: Once, case_id: Id, body: Demand) -> Made:
    """Note what the complainant demands."""
    return await _made(uow, ACTS.demand, case_id, body, "demand")


@routes.post("/cases/{case_id}/demands/{demand_id}/withdrawal")
async def withdraw_demand(_: Complainant, uow: Work, _once: Once, case_id: Id, demand_id: Id, body: Noted) -> Made:
    """The complainant drops a demand; the record stays [C13]."""
    about = About(id=str(demand_id), reason=body.reason, at=body.at)
    return await _made(uow, ACTS.drop_demand, case_id, about, "demand")


@routes.post("/cases/{case_id}/suggestions", status_code=201)
async def add_suggestion(_: Complainant, uow: Work, _once: Once, case_id: Id, body: Noted) -> Made:
    """Pass back an opinion or suggestion (意见及建议), a record of its own [C12]."""
    return await _made(uow, ACTS.suggest, case_id, body, "suggestion")


@routes.post("/cases/{case_id}/suggestions/{suggestion_id}/adoption")
async def adopt(_: Centre, uow: Work, _once: Once, case_id: Id, suggestion_id: Id, body: Entered) -> Made:
    """Adopt a suggestion (合理化建议): told to who rewards it [C12]."""
    return await _made(uow, ACTS.adopt, case_id, About(id=str(suggestion_id), at=body.at), "suggestion")


@routes.post("/cases/{case_id}/links", status_code=201)
async def add_link(actor: Handler, uow: Work, _once: Once, case_id: Id, body: Link) -> Made:
    """Link a case to another; group members keep their own case [C17]."""
    await cases.seen(uow.sql, actor, body.other_id)
    return await _made(uow, ACTS.link, case_id, body, "other")


@routes.delete("/cases/{case_id}/links/{other_id}", status_code=204)
async def end_link(_: Handler, uow: Work, _once: Once, case_id: Id, other_id: Id) -> None:
    """End a link; that it was stays known."""
    await _made(uow, ACTS.unlink, case_id, About(id=str(other_id)), "other")


@routes.post("/cases/{case_id}/contacts", status_code=201)
async def add_contact(_: Handler, uow: Work, _once: Once, case_id: Id, body: Contact) -> Made:
    """Log a contact with the complainant [C25]."""
    return await _made(uow, ACTS.contact, case_id, body, "contact")


async def _made(uow: Work, act: tuple[Acts[CaseRow], Act[CaseRow]], case_id: UUID, body: Any, name: str) -> Made:
    """Do an act about something that belongs to the case; its id."""
    return Made(id=str((await perform(uow, act, case_id, body)).detail[name]))
