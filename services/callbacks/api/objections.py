"""Who is not to be called, over HTTP: the officer's list, entries with scope, reason and end [B20]."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from chassis.errors import FieldError, Invalid, NotFound
from chassis.http import Listing, Once, Page, Reading, Work, router
from chassis.timeline import today
from contracts.fields import Id, Identifier, text_of
from services.callbacks import objections
from services.callbacks.api.access import Day, Leader, Server

routes = router("/v1/callbacks", "callbacks")
Why = Annotated[str, text_of(1000, 2)]


class Objection(BaseModel):
    """A client who is not to be called: `all` calls, or `care`: all but those of compliance and about complaints."""

    objection_id: UUID
    client_id: str
    branch_id: str | None
    scope: str
    reason: str
    until: date | None
    since: datetime
    recorded_by: str
    in_force: bool = Field(description="it holds today", examples=[True])
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None = Field(description="why it was ended", examples=["the client asks to be called again"])


class Objects(BaseModel):
    """What the client asked for."""

    scope: Literal["all", "care"]
    reason: Why
    until: Day | None = Field(None, description="the last day it holds; without it until it is ended")


class Ended(BaseModel):
    """Why it holds no more."""

    reason: Why


class Placed(BaseModel):
    """The id of what was entered."""

    objection_id: UUID


@routes.get("/objections")
async def list_objections(
    actor: Leader,
    sql: Reading,
    page: Page,
    ended: Annotated[bool, Query(description="those that hold no more as well")] = False,
) -> Listing[Objection]:
    """Clients of the own branch, or of all, who are not to be called: how far, why, until when, and on whose word."""
    branch = None if actor.sees_all_branches else actor.branch_id or "-"
    rows = await objections.listed(sql, branch, ended, await today(sql), page.after, page.limit + 1)
    found = page.result([dict(row) for row in rows], lambda row: (row["since"], row["objection_id"]))
    return Listing[Objection].model_validate(found)


@routes.post("/clients/{client_id}/objections", status_code=201)
async def place_objection(_: Server, uow: Work, _once: Once, client_id: Identifier, body: Objects) -> Placed:
    """Note that a client is not to be called: what is owed to them is owed by another channel from now on."""
    await objections.require_client(uow, client_id)
    if body.until is not None and body.until < await today(uow.sql):
        raise Invalid(errors=(FieldError("body#/until", "lies behind"),))
    made = await objections.place(uow, client_id, body.scope, body.reason, body.until)
    assert made is not None
    return Placed(objection_id=made)


@routes.post("/clients/{client_id}/objections/{objection_id}/end")
async def end_objection(
    _: Leader, uow: Work, _once: Once, client_id: Identifier, objection_id: Id, body: Ended
) -> Placed:
    """End an objection with the reason; that it was stays known."""
    await objections.require_client(uow, client_id)
    if not await objections.end(uow, client_id, body.reason, objection_id):
        raise NotFound
    return Placed(objection_id=objection_id)
