"""Spot checks over HTTP: draw, score, answer, close, and the report of a quarter [A14]."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import asyncpg
from pydantic import BaseModel, Field

from chassis import staff
from chassis.actor import Actor, Role
from chassis.acts import ActView, HistoryStep, history, load, perform, possible
from chassis.calendars import current
from chassis.clock import end_of
from chassis.errors import FieldError
from chassis.http import Listing, Once, Page, Reading, Tagged, Work, etag, object_scope, permits, router
from chassis.rows import columns, fetch
from chassis.timeline import effective_now, today
from contracts.fields import BusinessDate, Id, Identifier
from services.relationships import spot_checks
from services.relationships.api.service_log import ContactView, shown
from services.relationships.api.shapes import STAFF, Body
from services.relationships.contacts import Contact
from services.relationships.errors import WrongValue
from services.relationships.policy import Policies
from services.relationships.spot_checks import ACTS, ReportRow, SpotCheckRow, quarter_end_of

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.spot_checks:read", *STAFF)]
Leader = Annotated[Actor, permits("relationships.spot_checks:lead", Role.BRANCH_MANAGER, Role.HQ)]
Seer = Annotated[
    Actor, permits("relationships.spot_checks:reports", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)
]
Checked = Annotated[Actor, permits("relationships.spot_checks:answer", Role.AGENT, Role.CLIENT_MANAGER)]
MeanScore = Annotated[Decimal, Field(description="the mean of the scores, 0 to 100", examples=["82.5"])]


class NewDraw(Body):
    """Of which quarter to draw (this one without), and of which branch: headquarters names it, a branch's manager draws their own."""

    quarter_end: BusinessDate | None = None
    branch_id: Identifier | None = None


class DrawCount(BaseModel):
    """Somebody's entries of the quarter so far: how many are to be checked, were drawn before, were drawn now."""

    person: str
    entries: int
    needed: Annotated[int, Field(description="how many are to be checked", examples=[10])]
    before: Annotated[int, Field(description="how many were drawn before", examples=[4])]
    drawn: int


class DrawView(BaseModel):
    """A draw: whoever has its seed and the entries up to that day draws the same."""

    draw_id: UUID
    branch_id: str
    quarter_end: date
    seed: int
    through: Annotated[date, Field(description="up to which day entries were looked at", examples=["2024-03-29"])]
    policy: str
    drawn_at: datetime
    counts: list[DrawCount]


class SpotCheckView(BaseModel):
    """An entry that was drawn: what the check found, what was said to it, and what the caller can do."""

    check_id: UUID
    draw_id: UUID
    quarter_end: date
    branch_id: str
    person: str
    contact_id: UUID
    client_id: str
    state: str
    drawn_at: datetime
    score: int | None
    as_logged: bool | None
    findings: str | None
    scored_by: str | None
    answer_until: datetime | None
    answer: str | None
    closing: str | None
    revision: int
    contact: ContactView | None = None
    acts: list[ActView] = []


class PersonChecked(BaseModel):
    """What the checks of somebody's entries of a quarter come to; `not_true`: contacts that were not as logged."""

    person: str
    entries: int
    needed: Annotated[int, Field(description="how many are to be checked", examples=[10])]
    drawn: int
    scored: int
    answered: int
    closed: int
    mean_score: MeanScore | None
    not_true: int


class QuarterReport(BaseModel):
    """A branch's report of a quarter: due on its last working day. What is not reported yet shows the figures as they are."""

    branch_id: str
    quarter_end: date
    due_on: date
    made_by: str | None
    made_at: datetime | None
    late: bool
    persons: list[PersonChecked]


class NewReport(Body):
    """Which quarter is reported."""

    quarter_end: BusinessDate
    branch_id: Identifier | None = None


def _branch(actor: Actor, given: str | None) -> str:
    branch = given if actor.role is Role.HQ else actor.branch_id
    if branch is None or (given is not None and given != branch):
        raise WrongValue(errors=(FieldError("/branch_id", "names the branch"),))
    return branch


@routes.post("/spot-checks/draws", status_code=201)
async def draw_spot_checks(actor: Leader, uow: Work, _: Once, body: NewDraw) -> DrawView:
    """Draw entries of the branch's people by chance, until everybody has as many as must be checked: 5 %, ten at least."""
    branch, end = _branch(actor, body.branch_id), body.quarter_end or quarter_end_of(await today(uow.sql))
    one = await spot_checks.draw(uow, branch, end)
    return DrawView(
        draw_id=one.draw_id, branch_id=one.branch_id, quarter_end=one.quarter_end, seed=one.seed, through=one.through,
        policy=one.policy, drawn_at=one.drawn_at,
        counts=[DrawCount(person=person, **numbers) for person, numbers in sorted(one.counts.items())],
    )  # fmt: skip


@routes.get("/spot-checks")
async def list_spot_checks(
    actor: Reader, sql: Reading, page: Page, quarter_end: BusinessDate | None = None, person: Identifier | None = None
) -> Listing[SpotCheckView]:
    """What was drawn in a quarter (this one without): of the branch's people, or scored ones of one's own."""
    scope, arguments = spot_checks.sight(actor, 5)
    found = await fetch(
        sql,
        SpotCheckRow,
        f"""SELECT {columns(SpotCheckRow)} FROM spot_checks WHERE quarter_end = $1 AND ($2::text IS NULL OR person = $2)
              AND ($3::uuid IS NULL OR check_id > $3) AND {scope} ORDER BY check_id LIMIT $4""",
        quarter_end or quarter_end_of(await today(sql)),
        person,
        page.after[0] if page.after else None,
        page.limit + 1,
        *arguments,
    )
    views = [_view(one, None, []) for one in found]
    return Listing[SpotCheckView].model_validate(page.result(views, lambda one: (str(one.check_id),)))


@routes.get("/spot-checks/reports")
async def list_spot_check_reports(actor: Seer, sql: Reading, quarter_end: BusinessDate) -> list[QuarterReport]:
    """A quarter of every branch, reported or not; of one's own for who leads it."""
    if quarter_end != quarter_end_of(quarter_end):
        raise WrongValue(errors=(FieldError("/quarter_end", "is no end of a quarter"),))
    scope, arguments = object_scope(actor, 2)
    made = await fetch(
        sql,
        ReportRow,
        f"SELECT {columns(ReportRow)} FROM spot_reports WHERE quarter_end = $1 AND {scope}",
        quarter_end,
        *arguments,
    )
    known, now = {one.branch_id: one for one in made}, await effective_now(sql)
    due = spot_checks.last_working_day(quarter_end, await current(sql))
    terms = (await Policies.read(sql)).spot_checks.on(quarter_end).body
    found = []
    for branch_id in sorted({*(await _branches(sql, actor)), *known}):
        one = known.get(branch_id)
        persons = (
            one.figures
            if one
            else [spot_checks.told(each) for each in await spot_checks.figures(sql, branch_id, quarter_end, now, terms)]
        )
        if one or persons:
            found.append(_report(branch_id, quarter_end, due, one, persons, now))
    return found


async def _branches(sql: asyncpg.Connection, actor: Actor) -> set[str]:
    if not actor.sees_all_branches:
        return {actor.branch_id} if actor.branch_id else set()
    roster, now = await staff.roster(sql), await effective_now(sql)
    people = (roster.person(one, now) for one in roster.people)
    return {one.branch_id for one in people if one is not None and one.branch_id is not None}


def _report(
    branch_id: str, quarter_end: date, due: date, one: ReportRow | None, persons: list[dict[str, object]], now: datetime
) -> QuarterReport:
    made_at = one.made_at if one else None
    return QuarterReport(
        branch_id=branch_id, quarter_end=quarter_end, due_on=one.due_on if one else due,
        made_by=one.made_by if one else None, made_at=made_at, late=(made_at or now) >= end_of(one.due_on if one else due),
        persons=[PersonChecked.model_validate(each) for each in persons],
    )  # fmt: skip


@routes.post("/spot-checks/reports", status_code=201)
async def report_spot_checks(actor: Leader, uow: Work, _: Once, body: NewReport) -> QuarterReport:
    """Report a branch's quarter to headquarters, when everything that must be checked was scored."""
    branch = _branch(actor, body.branch_id)
    if body.quarter_end != quarter_end_of(body.quarter_end):
        raise WrongValue(errors=(FieldError("/quarter_end", "is no end of a quarter"),))
    one = await spot_checks.report(uow, branch, body.quarter_end)
    return _report(branch, one.quarter_end, one.due_on, one, one.figures, one.made_at)


@routes.get("/spot-checks/{check_id}")
async def read_spot_check(actor: Reader, sql: Reading, check_id: Id, response: Tagged) -> SpotCheckView:
    """One check, with the entry it is of."""
    return await _shown(sql, actor, await load(sql, ACTS, actor, check_id), response)


@routes.get("/spot-checks/{check_id}/history")
async def read_spot_check_history(actor: Reader, sql: Reading, check_id: Id) -> list[HistoryStep]:
    """Everything that happened to a check."""
    return await history(sql, ACTS, actor, await load(sql, ACTS, actor, check_id))


@routes.post("/spot-checks/{check_id}/score")
async def score_spot_check(
    actor: Leader, uow: Work, check_id: Id, body: spot_checks.Scoring, response: Tagged
) -> SpotCheckView:
    """Say what the check found."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.score, check_id, body)).row, response)


@routes.post("/spot-checks/{check_id}/answer")
async def answer_spot_check(
    actor: Checked, uow: Work, check_id: Id, body: spot_checks.Answering, response: Tagged
) -> SpotCheckView:
    """Who was checked says what they have to say."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.answer, check_id, body)).row, response)


@routes.post("/spot-checks/{check_id}/close")
async def close_spot_check(
    actor: Leader, uow: Work, check_id: Id, body: spot_checks.Closing, response: Tagged
) -> SpotCheckView:
    """Decide after the answer, or when the time for it is over. A contact that was not as logged goes to compliance."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.close, check_id, body)).row, response)


async def _shown(sql: asyncpg.Connection, actor: Actor, one: SpotCheckRow, response: Tagged) -> SpotCheckView:
    response.headers["etag"] = etag(one.revision)
    entry = await fetch(sql, Contact, f"SELECT {columns(Contact)} FROM contacts WHERE contact_id = $1", one.contact_id)
    return _view(one, shown(actor, entry[0]) if entry else None, await possible(sql, ACTS, actor, one))


def _view(one: SpotCheckRow, contact: ContactView | None, acts: list[ActView]) -> SpotCheckView:
    told = {name: getattr(one, name) for name in SpotCheckRow.__struct_fields__}
    return SpotCheckView(**told, contact=contact, acts=acts)
