"""Contacts that others recorded, over HTTP: a supervisor enters one with evidence; how long callers waited [B3, B4]."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import Query, Response
from pydantic import BaseModel, Field

from chassis.calendars import current
from chassis.clock import business_date
from chassis.errors import FieldError, Invalid
from chassis.http import Listing, Once, Page, Reading, Work, router
from chassis.timeline import effective_now
from contracts.broker import ContactRecorded
from contracts.fields import Code, Identifier, Instant
from services.callbacks import recorded
from services.callbacks.api.access import Day, Leader, Reader, require_client, require_view

routes = router("/v1/callbacks", "callbacks quality")


class Entered(BaseModel, extra="forbid"):
    """A contact of a client that another system or a paper shows; `evidence` names the recording or paper."""

    contact_id: Identifier
    staff_id: Identifier
    channel: Code
    direction: Literal["in", "out"] = "out"
    at: Instant
    valid: bool = True
    topics: list[Code] = Field(min_length=1, max_length=20)
    evidence: Code


class Kept(BaseModel):
    """Whether the contact is kept, or waits for a second person because it is long ago."""

    contact_id: Identifier
    state: Literal["kept", "waiting"]
    approval_id: UUID | None = None


class RecordedContact(BaseModel):
    """A contact that somebody else recorded; `covers`: it counts for the year's coverage."""

    contact_id: Identifier
    staff_id: str
    channel: str
    direction: Literal["in", "out"]
    at: datetime
    valid: bool
    topics: list[Code]
    evidence: str | None
    wait_s: int | None
    covers: bool
    recorded_at: datetime
    recorded_by: str


class Answered(BaseModel):
    """The calls of a day that were answered."""

    on_day: date
    answered: int
    average_wait_s: str
    longest_wait_s: int


@routes.post("/clients/{client_id}/contacts", status_code=201, responses={202: {"model": Kept}})
async def enter_contact(
    actor: Leader, uow: Work, _once: Once, client_id: Identifier, given: Entered, response: Response
) -> Kept:
    """Enter a contact with its evidence; one of more than five working days ago waits for a second person (202)."""
    await require_client(uow.sql, actor, client_id)
    now, calendar = await effective_now(uow.sql, uow.now), await current(uow.sql)
    day, today = business_date(given.at), business_date(now)
    if given.at > now or day < calendar.first:
        detail = "lies ahead" if given.at > now else f"lies before {calendar.first}, where the calendar begins"
        raise Invalid(errors=(FieldError("body#/at", detail),))
    body: dict[str, Any] = given.model_dump() | {"client_id": client_id}
    asked = await recorded.enter(uow, ContactRecorded(**body), calendar.count_days(day, today), today)
    if asked is None:
        return Kept(contact_id=given.contact_id, state="kept")
    response.status_code = 202
    return Kept(contact_id=given.contact_id, state="waiting", approval_id=asked.approval_id)


@routes.get("/clients/{client_id}/contacts")
async def list_contacts(actor: Reader, sql: Reading, page: Page, client_id: Identifier) -> Listing[RecordedContact]:
    """A client's contacts that others recorded, newest first."""
    await require_view(sql, actor, client_id)
    rows = await recorded.listed(sql, client_id, page.after, page.limit + 1)
    found = page.result([msgspec.structs.asdict(row) for row in rows], lambda row: (row["at"], row["contact_id"]))
    return Listing[RecordedContact].model_validate(found)


@routes.get("/statistics/answered-calls")
async def count_answered_calls(
    _: Leader, sql: Reading, start: Annotated[Day, Query(alias="from")], end: Annotated[Day, Query(alias="to")]
) -> list[Answered]:
    """Answered calls of the firm by day, with how long callers waited."""
    return [Answered.model_validate(dict(row)) for row in await recorded.answered_calls(sql, start, end)]
