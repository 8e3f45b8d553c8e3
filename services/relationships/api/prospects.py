"""Prospects over HTTP: the funnel from the first word to the opened account [CI12, B16]."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

import asyncpg
from fastapi import Response
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.acts import ActView, HistoryStep, history, load, perform, possible
from chassis.clock import business_date, end_of, months_after, start_of
from chassis.errors import FieldError, Text
from chassis.http import (
    IfMatch,
    Listing,
    Once,
    Page,
    Reading,
    Tagged,
    Work,
    etag,
    may_see,
    object_scope,
    permits,
    router,
)
from chassis.http.persons import PersonId
from chassis.personal import normalised
from chassis.rows import fetch
from chassis.timeline import effective_now, today
from contracts.fields import BusinessDate, Code, Identifier, IdNumber, Instant, Phone, text_of
from services.relationships import prospects
from services.relationships.api.shapes import DESK, STAFF, Body
from services.relationships.entry import sources_of
from services.relationships.errors import Doubtful, WrongValue
from services.relationships.policy import Policies
from services.relationships.prospects import (
    ACTS,
    FUNNEL,
    ID_NUMBER,
    LISTED,
    NAME,
    NUMBER,
    Listed,
    Prospect,
    Source,
    Stage,
)
from services.relationships.rules import doubts, unpassed

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.prospects:read", *STAFF, centre=True)]
Adder = Annotated[Actor, permits("relationships.prospects:add", *DESK, centre=True)]
Mover = Annotated[Actor, permits("relationships.prospects:move", *DESK)]
Leader = Annotated[Actor, permits("relationships.prospects:hand", Role.BRANCH_MANAGER)]
AnyState = Literal["new", "contacted", "interested", "booked", "dropped", "converted", "erased"]
ProspectId = Annotated[Identifier, Field(examples=["booking:b-1"])]


class NewProspect(Body):
    """Somebody who may open an account: who they are as far as they said, where they were heard of first, and who looks after them
    (the caller, where a person of a branch adds them and names nobody). `passed` says, by check, why a doubt is none."""

    source: Source
    name: Annotated[str, text_of(200, 1, "a name", "王小明")] | None = None
    phone: Phone | None = None
    id_number: IdNumber | None = None
    branch_id: Identifier | None = None
    owner: PersonId | None = None
    heard_at: Instant | None = None
    interests: Annotated[list[Code], Field(max_length=20, default_factory=list)]
    passed: Annotated[dict[Code, Annotated[str, text_of(200, 2)]], Field(default_factory=dict)]


class ProspectView(BaseModel):
    """A prospect: how far they are, and the day on which what is known of them is erased if nobody talks to them before. Who they
    are is read with their information (`/clients/ID/information/personal`)."""

    prospect_id: str
    branch_id: str
    owner: str | None
    source: Source
    interests: list[str]
    state: AnyState
    heard_at: datetime
    opening_on: date | None
    reason: str | None
    converted_to: Annotated[str | None, Field(description="the client, where the caller may see them")]
    ended_at: datetime | None
    last_on: date
    erased_on: Annotated[date | None, Field(description="when what is known is erased, or was")]
    revision: int
    acts: list[ActView] = []


class FunnelStage(BaseModel):
    """Prospects of a branch and source first heard of in a time: how many came at least so far, and the median days to the account."""

    branch_id: str
    source: Source
    prospects: int
    contacted: int
    interested: int
    booked: int
    converted: int
    dropped: int
    erased: int
    days: int | None


def _view(actor: Actor, one: Listed, months: int, can: list[ActView]) -> ProspectView:
    told = {name: getattr(one, name) for name in Listed.__struct_fields__ if name != "converted_branch"}
    if one.converted_to and not may_see(actor, one.converted_to, one.converted_branch, centre=True):
        told["converted_to"] = None
    ends = None if one.state == "converted" else months_after(one.last_on, months)
    if one.state == "erased" and one.ended_at is not None:
        ends = business_date(one.ended_at - timedelta(microseconds=1))
    return ProspectView(**told, erased_on=ends, acts=can)


async def _shown(sql: asyncpg.Connection, actor: Actor, one: Prospect, response: Response) -> ProspectView:
    response.headers["etag"] = etag(one.revision)
    [row] = await fetch(sql, Listed, f"{LISTED} WHERE p.prospect_id = $1", one.prospect_id)
    months = (await Policies.read(sql)).prospects.on(await today(sql)).body.keep_months
    return _view(actor, row, months, await possible(sql, ACTS, actor, one))


@routes.post("/prospects", status_code=201)
async def add_prospect(actor: Adder, uow: Work, _: Once, body: NewProspect, response: Tagged) -> ProspectView:
    """Add a prospect. A number the branch has a prospect of is 409 with its id; numbers are checked as a client's are."""
    phone = normalised(body.phone) if body.phone else None
    given = {NAME: body.name, NUMBER: phone, ID_NUMBER: body.id_number}
    stated = {code: value.strip() for code, value in given.items() if value}
    if not stated:
        raise WrongValue(errors=(FieldError("/name", "a name or a number is needed"),))
    if left := unpassed(doubts(stated, {}, trades_derivatives=False), body.passed):
        names = {NUMBER: "phone", ID_NUMBER: "id_number"}
        raise Doubtful(
            left[0].text, errors=tuple(FieldError(f"/{names[one.code]}", one.text.en) for one in left),
            checks=[one.check for one in left],
        )  # fmt: skip
    branch_id = body.branch_id or actor.branch_id
    if branch_id is None:
        raise WrongValue(errors=(FieldError("/branch_id", "is missing"),))
    if actor.branch_id not in (None, branch_id) and not actor.is_centre:
        raise WrongValue(
            Text("it is another branch", "不是本营业部"), errors=(FieldError("/branch_id", "is not yours"),)
        )
    owner = body.owner or (actor.person if not actor.is_centre else None)
    heard_at = body.heard_at or await effective_now(uow.sql, uow.now)
    one = await prospects.add(
        uow, branch_id, owner, body.source, heard_at, body.interests, sources_of(actor)[:1], stated
    )  # fmt: skip
    return await _shown(uow.sql, actor, one, response)


@routes.get("/prospects")
async def list_prospects(
    actor: Reader,
    sql: Reading,
    page: Page,
    state: AnyState | None = None,
    owner: Identifier | None = None,
    source: Source | None = None,
) -> Listing[ProspectView]:
    """Prospects of the caller's branch; with `state=erased` those of whom only that is known that there was one."""
    scope, arguments = prospects.sight(actor, 6)
    found = await fetch(
        sql,
        Listed,
        f"""{LISTED} WHERE ($1::text IS NULL OR p.state = $1) AND ($2::text IS NULL OR p.owner = $2)
              AND ($3::text IS NULL OR p.source = $3) AND ($4::text IS NULL OR p.prospect_id > $4) AND {scope}
            ORDER BY p.prospect_id LIMIT $5""",
        state,
        owner,
        source,
        page.after[0] if page.after else None,
        page.limit + 1,
        *arguments,
    )
    months = (await Policies.read(sql)).prospects.on(await today(sql)).body.keep_months
    views = [_view(actor, one, months, []) for one in found]
    return Listing[ProspectView].model_validate(page.result(views, lambda one: (one.prospect_id,)))


@routes.get("/prospects/funnel")
async def count_prospects(actor: Reader, sql: Reading, since: BusinessDate, until: BusinessDate) -> list[FunnelStage]:
    """Of who was first heard of between two days, by branch and source: how many were talked to, were interested, booked, opened."""
    scope, arguments = object_scope(actor, 3, centre=True)
    found = await fetch(sql, Stage, FUNNEL.format(scope=scope), start_of(since), end_of(until), *arguments)
    return [FunnelStage(**{name: getattr(one, name) for name in Stage.__struct_fields__}) for one in found]


@routes.get("/prospects/{prospect_id}")
async def read_prospect(actor: Reader, sql: Reading, prospect_id: ProspectId, response: Tagged) -> ProspectView:
    """One prospect, and what the caller can do."""
    return await _shown(sql, actor, await load(sql, ACTS, actor, prospect_id), response)


@routes.get("/prospects/{prospect_id}/history")
async def read_prospect_history(actor: Reader, sql: Reading, prospect_id: ProspectId) -> list[HistoryStep]:
    """Everything that happened to a prospect."""
    return await history(sql, ACTS, actor, await load(sql, ACTS, actor, prospect_id))


@routes.post("/prospects/{prospect_id}/interest")
async def note_interest(
    actor: Mover, uow: Work, prospect_id: ProspectId, body: prospects.Interest, response: Tagged
) -> ProspectView:
    """They are interested, and in what."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.interest, prospect_id, body)).row, response)


@routes.post("/prospects/{prospect_id}/book")
async def book_opening(
    actor: Mover, uow: Work, prospect_id: ProspectId, body: prospects.Booking, response: Tagged
) -> ProspectView:
    """They come on a day to open the account."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.book, prospect_id, body)).row, response)


@routes.post("/prospects/{prospect_id}/drop")
async def drop_prospect(
    actor: Mover, uow: Work, prospect_id: ProspectId, body: prospects.Dropping, response: Tagged
) -> ProspectView:
    """Give them up, with the reason; they may be taken up again until they are erased."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.drop, prospect_id, body)).row, response)


@routes.post("/prospects/{prospect_id}/take-up")
async def take_up_prospect(actor: Mover, uow: Work, prospect_id: ProspectId, response: Tagged) -> ProspectView:
    """Take up again who was given up."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.take_up, prospect_id)).row, response)


@routes.post("/prospects/{prospect_id}/hand")
async def hand_prospect(
    actor: Leader, uow: Work, _: IfMatch, prospect_id: ProspectId, body: prospects.Handing, response: Tagged
) -> ProspectView:
    """Another looks after them from now on."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.hand, prospect_id, body)).row, response)


@routes.post("/prospects/{prospect_id}/convert")
async def convert_prospect(
    actor: Mover, uow: Work, prospect_id: ProspectId, body: prospects.Converting, response: Tagged
) -> ProspectView:
    """They opened an account under another number: name the client. What is known of them is the client's from now on."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.convert, prospect_id, body)).row, response)
