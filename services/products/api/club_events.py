"""HTTP in: events of the club, registrations and their waiting lists [H2.3]."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
import msgspec
from fastapi import Query, Response
from pydantic import BaseModel, Field
from uuid_utils import uuid7

from chassis import rows
from chassis.actor import Actor, Role
from chassis.acts import ActView, HistoryStep, history, load, perform, possible
from chassis.errors import NotFound
from chassis.http import IfMatch, Listing, Located, Once, Page, Reading, Work, etag, object_scope, permits, router
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.fields import Code, Count, Id, Identifier, Instant, Positive, Text200
from services.products import clients, club_events
from services.products.api.shapes import Both, Reader
from services.products.club_events import ACTS, REGISTRATIONS, Capacity, Why, event_sight
from services.products.club_rules import Waiting, in_order
from services.products.tables import EventRow, RegistrationRow

routes = router("/v1/products", "products")
STAFF = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
Member = Annotated[Actor, permits("products:club", Role.CLIENT, *STAFF)]
Host = Annotated[Actor, permits("products:club:members", *STAFF)]
Planner = Annotated[Actor, permits("products:club:events", Role.BRANCH_MANAGER, Role.HQ)]
EventState = Literal["draft", "open", "held", "cancelled"]


class PlannedEvent(BaseModel, extra="forbid"):
    """An event as it is planned: of one branch, or of the whole firm; for some social roles, or for every member."""

    kind: Code = Field(description="of the policy", examples=["SEMINAR"])
    title_en: Text200
    title_zh: Text200
    place: Text200
    starts_at: Instant
    ends_at: Instant
    capacity: Positive
    branch_id: Identifier | None = None
    audience: Annotated[list[Code], Field(max_length=100)] = []
    public: bool = False
    filing: Code | None = None


class EventView(BaseModel):
    """An event, and how full it is."""

    event_id: UUID
    branch_id: str | None
    kind: str = Field(description="of the policy", examples=["SEMINAR"])
    title: Both
    place: str
    starts_at: datetime
    ends_at: datetime
    capacity: int
    taken: int = Field(description="seats taken", examples=[12])
    audience: list[str] = Field(description="the social roles it is for; none: every member", examples=[["OWNER"]])
    public: bool
    filing: str | None
    state: str
    revision: int


class EventPage(EventView):
    """One, with what the caller can do to it, and how it came about."""

    acts: list[ActView]
    history: list[HistoryStep]
    approval_id: UUID | None = None


class Wish(BaseModel, extra="forbid"):
    """A member who wants to come, and with how many guests."""

    client_id: Identifier
    guests: Count = 0


class RegistrationView(BaseModel):
    """A registration: for seats, or on the waiting list."""

    registration_id: UUID
    event_id: UUID
    client_id: str
    branch_id: str | None
    guests: int
    state: str
    registered_at: datetime
    held_on: date
    revision: int


class RegistrationPage(RegistrationView):
    """One, with what the caller can do to it, and how it came about."""

    acts: list[ActView]
    history: list[HistoryStep]


class Place(RegistrationView):
    """A registration of an event: of those waiting, the place and what it follows from."""

    place: int | None = Field(description="on the waiting list, from 1", examples=[1])
    tier: str | None
    worth: str | None = Field(description="V of the last month closed", examples=["40.00"])
    behind: bool = Field(description="stands behind the others for not having come", examples=[False])


def _event(row: EventRow, taken: int) -> EventView:
    fields = msgspec.structs.asdict(row) | {"title": Both(en=row.title_en, zh=row.title_zh), "taken": taken}
    return EventView.model_validate(fields)


async def _event_page(
    sql: asyncpg.Connection, actor: Actor, event_id: UUID, response: Response, approval_id: UUID | None = None
) -> EventPage:
    row = await load(sql, ACTS, actor, event_id)
    taken = (await club_events.seats_taken(sql, [event_id])).get(event_id, 0)
    response.headers["etag"] = etag(row.revision)
    return EventPage(
        **_event(row, taken).model_dump(), acts=await possible(sql, ACTS, actor, row),
        history=await history(sql, ACTS, actor, row), approval_id=approval_id,
    )  # fmt: skip


def _registration(row: RegistrationRow) -> RegistrationView:
    return RegistrationView.model_validate(msgspec.structs.asdict(row))


async def _registration_page(
    sql: asyncpg.Connection, actor: Actor, registration_id: UUID, response: Response
) -> RegistrationPage:
    row = await load(sql, REGISTRATIONS, actor, registration_id)
    response.headers["etag"] = etag(row.revision)
    return RegistrationPage(
        **_registration(row).model_dump(), acts=await possible(sql, REGISTRATIONS, actor, row),
        history=await history(sql, REGISTRATIONS, actor, row),
    )  # fmt: skip


@routes.post("/club/events", status_code=201)
async def plan_event(actor: Planner, uow: Work, _once: Once, wanted: PlannedEvent, response: Located) -> EventPage:
    """Plan an event. It opens when another person agrees; a branch plans its own, headquarters anybody's and the firm's."""
    branch = wanted.branch_id if actor.sees_all_branches else actor.branch_id
    if branch is None and not actor.sees_all_branches:
        raise NotFound
    row = EventRow(
        UUID(bytes=uuid7().bytes), branch, wanted.kind, wanted.title_en, wanted.title_zh, wanted.place, wanted.starts_at,
        wanted.ends_at, wanted.capacity, wanted.audience, wanted.public, wanted.filing, "draft", actor.person, uow.now, 0,
    )  # fmt: skip
    await club_events.plan(uow, row)
    response.headers["location"] = f"/v1/products/club/events/{row.event_id}"
    return await _event_page(uow.sql, actor, row.event_id, response)


@routes.get("/club/events")
async def list_events(
    actor: Member,
    sql: Reading,
    page: Page,
    state: Annotated[EventState | None, Query(description="in this state")] = None,
) -> Listing[EventView]:
    """Events the caller may see, by when they begin."""
    after = page.after or ["1900-01-01T00:00:00+00:00", "00000000-0000-0000-0000-000000000000"]
    condition, arguments = event_sight(actor, 5)
    found = await rows.fetch(
        sql,
        EventRow,
        f"""SELECT {rows.columns(EventRow)} FROM club_events WHERE (starts_at, event_id) > ($1, $2)
              AND ($3::text IS NULL OR state = $3) AND {condition} ORDER BY starts_at, event_id LIMIT $4""",
        datetime.fromisoformat(after[0]),
        UUID(after[1]),
        state,
        page.limit + 1,
        *arguments,
    )
    taken = await club_events.seats_taken(sql, [one.event_id for one in found])
    result = page.result(found, lambda row: (row.starts_at.isoformat(), str(row.event_id)))
    return Listing[EventView](
        items=[_event(one, taken.get(one.event_id, 0)) for one in result["items"]], next=result["next"]
    )


@routes.get("/club/events/{event_id}")
async def read_event(actor: Member, sql: Reading, event_id: Id, response: Response) -> EventPage:
    """One event."""
    return await _event_page(sql, actor, event_id, response)


@routes.post("/club/events/{event_id}/publish", status_code=202)
async def publish_event(actor: Planner, uow: Work, event_id: Id, body: Why, response: Response) -> EventPage:
    """Ask to open it for registration: it opens when another person agrees."""
    return await _move_event(actor, uow, "publish", event_id, body, response)


@routes.post("/club/events/{event_id}/resize")
async def resize_event(
    actor: Planner, uow: Work, event_id: Id, body: Capacity, _match: IfMatch, response: Response
) -> EventPage:
    """Change its seats: more of them go to the waiting list at once."""
    return await _move_event(actor, uow, "resize", event_id, body, response)


@routes.post("/club/events/{event_id}/cancel")
async def cancel_event(actor: Planner, uow: Work, event_id: Id, body: Why, response: Response) -> EventPage:
    """Cancel it, and all registrations."""
    return await _move_event(actor, uow, "cancel", event_id, body, response)


@routes.post("/club/events/{event_id}/close_out")
async def close_out_event(actor: Planner, uow: Work, event_id: Id, response: Response) -> EventPage:
    """It has been held: who was registered and is not noted as there did not come."""
    return await _move_event(actor, uow, "close_out", event_id, None, response)


async def _move_event(
    actor: Actor, uow: UnitOfWork, act: str, event_id: UUID, body: BaseModel | None, response: Response
) -> EventPage:
    uow.happened_at = await effective_now(uow.sql, uow.now)
    done = await perform(uow, getattr(ACTS, act), event_id, body)
    if done.approval is not None:
        response.headers["location"] = f"/v1/products/approvals/{done.approval.approval_id}"
    asked = done.approval.approval_id if done.approval else None
    return await _event_page(uow.sql, actor, event_id, response, asked)


@routes.get("/club/events/{event_id}/registrations")
async def list_registrations(actor: Host, sql: Reading, event_id: Id, page: Page) -> Listing[Place]:
    """Who has a seat by time, then the waiting list in its order with what it follows from; a branch sees its own clients."""
    event = await load(sql, ACTS, actor, event_id)
    condition, arguments = object_scope(actor, 2)
    found = await rows.fetch(
        sql,
        RegistrationRow,
        f"""SELECT {rows.columns(RegistrationRow)} FROM club_registrations WHERE event_id = $1 AND {condition}
            ORDER BY registered_at, registration_id""",
        event_id,
        *arguments,
    )
    waiting = {
        one.registration_id: (n, one)
        for n, one in enumerate(in_order(await club_events.waiting_of(sql, event, await today(sql))), 1)
    }
    after = tuple(page.after) if page.after else (-1, "", "")
    ordered = sorted(
        ((waiting.get(row.registration_id, (0, None)), row) for row in found), key=lambda pair: _order(*pair)
    )
    shown = [pair for pair in ordered if _order(*pair) > after][: page.limit + 1]
    result = page.result(shown, lambda pair: _order(*pair))
    items = [
        Place(
            **_registration(row).model_dump(), place=place or None, tier=one.tier if one else None,
            worth=str(one.worth) if one else None, behind=one.behind if one else False,
        )
        for (place, one), row in result["items"]
    ]  # fmt: skip
    return Listing[Place](items=items, next=result["next"])


def _order(waiting: tuple[int, Waiting | None], row: RegistrationRow) -> tuple[int, str, str]:
    """Seats first, by time; then the waiting list by place."""
    return waiting[0], row.registered_at.isoformat(), str(row.registration_id)


@routes.post("/club/events/{event_id}/registrations", status_code=201)
async def register_for_event(
    actor: Member, uow: Work, _once: Once, event_id: Id, wanted: Wish, response: Located
) -> RegistrationPage:
    """Register a member with guests: for seats while there are enough, otherwise on the waiting list [H2.3]."""
    await load(uow.sql, ACTS, actor, event_id)
    client = await clients.seen(actor, uow.sql, wanted.client_id)
    row = await club_events.register(uow, event_id, client.client_id, client.branch_id, wanted.guests)
    response.headers["location"] = f"/v1/products/club/registrations/{row.registration_id}"
    return await _registration_page(uow.sql, actor, row.registration_id, response)


@routes.get("/clients/{client_id}/club/registrations")
async def list_registrations_of_client(
    actor: Reader, sql: Reading, client_id: Identifier, page: Page
) -> Listing[RegistrationView]:
    """The client's registrations, the latest event first."""
    await clients.seen(actor, sql, client_id)
    after = page.after or ["9999-12-31", "ffffffff-ffff-ffff-ffff-ffffffffffff"]
    found = await rows.fetch(
        sql,
        RegistrationRow,
        f"""SELECT {rows.columns(RegistrationRow)} FROM club_registrations WHERE client_id = $1
              AND (held_on, registration_id) < ($2, $3) ORDER BY held_on DESC, registration_id DESC LIMIT $4""",
        client_id,
        date.fromisoformat(after[0]),
        UUID(after[1]),
        page.limit + 1,
    )
    result = page.result(found, lambda row: (row.held_on.isoformat(), str(row.registration_id)))
    return Listing[RegistrationView](items=[_registration(one) for one in result["items"]], next=result["next"])


@routes.get("/club/registrations/{registration_id}")
async def read_registration(actor: Member, sql: Reading, registration_id: Id, response: Response) -> RegistrationPage:
    """One registration."""
    return await _registration_page(sql, actor, registration_id, response)


@routes.post("/club/registrations/{registration_id}/cancel")
async def cancel_registration(
    actor: Member, uow: Work, registration_id: Id, body: Why, response: Response
) -> RegistrationPage:
    """Cancel it before the event begins: the seats go to the waiting list."""
    return await _move(actor, uow, "cancel", registration_id, body, response)


@routes.post("/club/registrations/{registration_id}/admit")
async def admit_registration(
    actor: Host, uow: Work, registration_id: Id, body: Why, response: Response
) -> RegistrationPage:
    """Give a free seat by hand, when the list does not move by itself any more."""
    return await _move(actor, uow, "admit", registration_id, body, response)


@routes.post("/club/registrations/{registration_id}/attend")
async def note_attendance(actor: Host, uow: Work, registration_id: Id, response: Response) -> RegistrationPage:
    """The member came [S17]."""
    return await _move(actor, uow, "attend", registration_id, None, response)


async def _move(
    actor: Actor, uow: UnitOfWork, act: str, registration_id: UUID, body: BaseModel | None, response: Response
) -> RegistrationPage:
    known = await load(uow.sql, REGISTRATIONS, actor, registration_id)
    await club_events.lock(uow, known.event_id)
    uow.happened_at = await effective_now(uow.sql, uow.now)
    await perform(uow, getattr(REGISTRATIONS, act), registration_id, body)
    return await _registration_page(uow.sql, actor, registration_id, response)
