"""Visits over HTTP: appointment, preparation, record [A13, A31]."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Response
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.acts import ActView, HistoryStep, history, load, perform, possible
from chassis.clock import business_date
from chassis.http import Listing, Once, Page, Reading, Work, etag, object_scope, permits, router
from chassis.rows import columns, fetch
from chassis.timeline import today
from contracts.fields import Code, Id, Identifier
from services.relationships import visits
from services.relationships.api.shapes import STAFF, Body, see_client, see_person
from services.relationships.policy import Policies
from services.relationships.visits import ACTS, VisitRow

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.visits:read", *STAFF)]
Visitor = Annotated[Actor, permits("relationships.visits:make", Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)]


class NewVisit(Body):
    """What a client is to be visited for."""

    purpose: Code


class VisitView(BaseModel):
    """A visit, whether it counts, and what the caller can do."""

    visit_id: UUID
    client_id: str
    branch_id: str | None
    person: str
    purpose: str
    state: str
    begun_at: datetime
    asked_by: str | None
    planned_for: datetime | None
    refused: str | None
    prepared: list[str]
    made_at: datetime | None
    emergency: str | None
    record: dict[str, Any] | None
    revision: int
    counts: bool
    acts: list[ActView] = []


async def _shown(sql: asyncpg.Connection, actor: Actor, one: VisitRow, response: Response | None = None) -> VisitView:
    can: list[ActView] = []
    if response is not None:
        response.headers["etag"] = etag(one.revision)
        can = await possible(sql, ACTS, actor, one)
    return _view(one, await Policies.read(sql), await today(sql), can)


def _view(one: VisitRow, policies: Policies, now: date, can: list[ActView]) -> VisitView:
    terms = policies.activity.on(business_date(one.made_at) if one.made_at else now).body
    told = {name: getattr(one, name) for name in VisitRow.__struct_fields__}
    return VisitView(**told, counts=visits.counts(one, terms), acts=can)


@routes.post("/clients/{client_id}/visits", status_code=201)
async def plan_visit(
    actor: Visitor, uow: Work, _: Once, client_id: Identifier, body: NewVisit, response: Response
) -> VisitView:
    """Begin a visit of one's own: the appointment comes first."""
    branch_id = await see_client(uow.sql, actor, client_id)
    return await _shown(uow.sql, actor, await visits.plan(uow, client_id, branch_id, body.purpose), response)


@routes.get("/clients/{client_id}/visits")
async def list_visits(actor: Reader, sql: Reading, client_id: Identifier, page: Page) -> Listing[VisitView]:
    """A client's visits, as they began (客户拜访记录表)."""
    await see_client(sql, actor, client_id)
    scope, arguments = object_scope(actor, 4)
    found = await fetch(
        sql,
        VisitRow,
        f"""SELECT {columns(VisitRow)} FROM visits WHERE client_id = $1 AND ($2::uuid IS NULL OR visit_id > $2) AND {scope}
            ORDER BY visit_id LIMIT $3""",
        client_id,
        page.after[0] if page.after else None,
        page.limit + 1,
        *arguments,
    )
    policies, now = await Policies.read(sql), await today(sql)
    views = [_view(one, policies, now, []) for one in found]
    return Listing[VisitView].model_validate(page.result(views, lambda one: (str(one.visit_id),)))


@routes.get("/managers/{person}/visits")
async def list_visits_of(
    actor: Reader, sql: Reading, person: Identifier, page: Page, state: Code | None = None
) -> Listing[VisitView]:
    """Somebody's visits, the latest begun first; `state=open` are those not recorded or cancelled yet."""
    await see_person(sql, actor, person)
    scope, arguments = object_scope(actor, 5)
    states = list(visits.OPEN) if state == "open" else [state] if state else None
    found = await fetch(
        sql,
        VisitRow,
        f"""SELECT {columns(VisitRow)} FROM visits WHERE person = $1 AND ($2::uuid IS NULL OR visit_id < $2)
              AND ($4::text[] IS NULL OR state = ANY($4)) AND {scope}
            ORDER BY visit_id DESC LIMIT $3""",
        person,
        page.after[0] if page.after else None,
        page.limit + 1,
        states,
        *arguments,
    )
    policies, now = await Policies.read(sql), await today(sql)
    views = [_view(one, policies, now, []) for one in found]
    return Listing[VisitView].model_validate(page.result(views, lambda one: (str(one.visit_id),)))


@routes.get("/visits/{visit_id}")
async def read_visit(actor: Reader, sql: Reading, visit_id: Id, response: Response) -> VisitView:
    """One visit."""
    return await _shown(sql, actor, await load(sql, ACTS, actor, visit_id), response)


@routes.get("/visits/{visit_id}/history")
async def read_visit_history(actor: Reader, sql: Reading, visit_id: Id) -> list[HistoryStep]:
    """Everything that happened to a visit."""
    return await history(sql, ACTS, actor, await load(sql, ACTS, actor, visit_id))


@routes.post("/visits/{visit_id}/appoint")
async def appoint_visit(
    actor: Visitor, uow: Work, visit_id: Id, body: visits.Appointment, response: Response
) -> VisitView:
    """The client agreed to a time."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.appoint, visit_id, body)).row, response)


@routes.post("/visits/{visit_id}/refuse")
async def refuse_visit(actor: Visitor, uow: Work, visit_id: Id, body: visits.Refusal, response: Response) -> VisitView:
    """The client would rather not be visited: with a reason, and it may be asked again."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.refuse, visit_id, body)).row, response)


@routes.post("/visits/{visit_id}/prepare")
async def prepare_visit(
    actor: Visitor, uow: Work, visit_id: Id, body: visits.Preparation, response: Response
) -> VisitView:
    """Every point of the preparation is done."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.prepare, visit_id, body)).row, response)


@routes.post("/visits/{visit_id}/record")
async def record_visit(
    actor: Visitor, uow: Work, visit_id: Id, body: visits.VisitRecord, response: Response
) -> VisitView:
    """Record the visit with the self-assessment: it is a contact of the service log as well."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.record, visit_id, body)).row, response)


@routes.post("/visits/{visit_id}/cancel")
async def cancel_visit(
    actor: Visitor, uow: Work, visit_id: Id, body: visits.Cancelling, response: Response
) -> VisitView:
    """It does not take place."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.cancel, visit_id, body)).row, response)
