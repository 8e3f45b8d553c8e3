"""Advice over HTTP: giving and following it up, the day's (annex 8) and the week's sums (annex 10) [A15]."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
from pydantic import AfterValidator, BaseModel, Field

from chassis.actor import Actor, Role
from chassis.acts import ActView, load, perform, possible
from chassis.calendar import Calendar
from chassis.calendars import current
from chassis.http import Listing, Once, Page, Reading, Tagged, Work, etag, permits, router
from chassis.personal import mask_text
from chassis.timeline import today
from contracts.fields import BusinessDate, Code, Id, Identifier, Instant, text_of
from services.relationships import advice
from services.relationships.activity import bounds
from services.relationships.advice import ACTS, FOLLOWING, NUMBERS, About, AdviceRow, Direction, FollowUpRow, Given
from services.relationships.api.shapes import STAFF, Body, see_client, see_person
from services.relationships.policy import Policies

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.advice:read", *STAFF)]
Giver = Annotated[Actor, permits("relationships.advice:give", Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)]
Words = Annotated[str, text_of(2000, 1), AfterValidator(mask_text)]
DAYS_OF_A_WEEK = 7


class NewAdvice(Body):
    """What is said to a client: the facts and what we make of them apart, and where the facts are from. `contact_id`: the contact it
    was given in; without, one is entered with it."""

    about: Annotated[About, Field(description="market, sector, stock, other (大盘, 行业, 个股, 其他)")]
    symbol: Annotated[Code | None, Field(description="the stock, or the sector")] = None
    direction: Annotated[Direction, Field(description="buy, hold, sell, or none of them", examples=["hold"])] = "none"
    need: Code | None = None
    question: Annotated[
        Words | None, Field(description="what the client asked", examples=["keep it over the holidays?"])
    ] = None
    fact: Words
    opinion: Words
    sources: Annotated[
        list[Annotated[str, text_of(400, 2)]],
        Field(min_length=1, max_length=20, description="where the facts are from", examples=[["report 2024-031"]]),
    ]
    channel: Literal["phone", "on_site", "wecom", "online", "email", "counter"] = "phone"
    valid: bool = True
    at: Instant | None = None
    contact_id: Id | None = None


class FollowUpView(BaseModel):
    """A look at what became of it; `late`: after the day it was due."""

    number: Annotated[int, Field(description="the first, the second, the third", examples=[1])]
    person: str
    at: datetime
    due_on: date
    late: bool
    allocation: str
    gain: Annotated[Decimal, Field(description="the gain since the advice, in per cent", examples=["3.5"])]
    words: str
    reaction: str | None


class AdviceView(BaseModel):
    """A piece of advice with its follow-ups (客户投资建议跟踪表), when the next is due, and what the caller can do."""

    advice_id: UUID
    client_id: str
    branch_id: str | None
    person: str
    at: datetime
    about: Annotated[About, Field(description="market, sector, stock, other (大盘, 行业, 个股, 其他)")]
    symbol: str | None
    direction: Annotated[Direction, Field(description="buy, hold, sell, or none of them", examples=["hold"])]
    need: str | None
    question: Annotated[str | None, Field(description="what the client asked")]
    fact: str
    opinion: str
    sources: Annotated[list[str], Field(description="where the facts are from")]
    kept_until: date
    contradicts: Annotated[
        list[str],
        Field(description="advice that says the opposite", examples=[["01890a5d-ac96-774b-bcce-b302099a8057"]]),
    ]
    contact_id: UUID
    ended: str | None
    state: str
    due_on: date | None
    follow_ups: list[FollowUpView]
    revision: int
    acts: list[ActView]


class Opinion(BaseModel):
    """What was said to a client."""

    advice_id: UUID
    client_id: str
    symbol: str | None
    direction: Annotated[Direction, Field(description="buy, hold, sell, or none of them", examples=["hold"])]
    opinion: str


class AdviceOfDay(BaseModel):
    """The advice somebody gave on a day, by what it was about (每日投资建议汇总表), beside what they wrote down that day."""

    person: str
    day: date
    market: list[Opinion]
    sector: list[Opinion]
    stock: list[Opinion]
    other: list[Opinion]
    words: str | None


class AboutCounts(BaseModel):
    """How many, by what they were about."""

    market: int
    sector: int
    stock: int
    other: int
    total: Annotated[int, Field(description="all of them", examples=[7])]


class DayCounts(AboutCounts):
    """How many on a day."""

    day: date


class AdviceOfWeek(BaseModel):
    """A week of somebody's advice (每周投资咨询服务总结表): new advice and follow-ups by day and subject, with totals."""

    person: str
    begins: Annotated[date, Field(description="the Monday")]
    advice: list[DayCounts]
    advice_total: AboutCounts
    follow_ups: Annotated[list[DayCounts], Field(description="follow-ups made, by day")]
    follow_ups_total: AboutCounts


class FollowUpDue(BaseModel):
    """Advice whose next follow-up is due."""

    advice_id: UUID
    client_id: str
    symbol: str | None
    number: Annotated[int, Field(description="the first, the second, the third", examples=[1])]
    due_on: date
    late: bool


@routes.post("/clients/{client_id}/advice", status_code=201)
async def give_advice(
    actor: Giver, uow: Work, _: Once, client_id: Identifier, body: NewAdvice, response: Tagged
) -> AdviceView:
    """Enter advice to a client. Opposite advice of one's own on the same to another client within a day goes to compliance."""
    branch_id = await see_client(uow.sql, actor, client_id)
    one = await advice.give(uow, client_id, branch_id, Given(**body.model_dump()))
    return await _shown(uow.sql, actor, one, response)


@routes.get("/clients/{client_id}/advice")
async def list_advice(actor: Reader, sql: Reading, client_id: Identifier, page: Page) -> Listing[AdviceView]:
    """A client's advice, as it was given."""
    await see_client(sql, actor, client_id)
    scope, arguments = advice.sight(actor, 4)
    after = page.after[0] if page.after else None
    found = await advice.of_client(sql, client_id, after, page.limit + 1, scope, arguments)
    views = await _views(sql, found)
    return Listing[AdviceView].model_validate(page.result(views, lambda one: (str(one.advice_id),)))


@routes.get("/advice/{advice_id}")
async def read_advice(actor: Reader, sql: Reading, advice_id: Id, response: Tagged) -> AdviceView:
    """One piece of advice."""
    return await _shown(sql, actor, await load(sql, ACTS, actor, advice_id), response)


@routes.post("/advice/{advice_id}/follow-ups")
async def follow_advice_up(
    actor: Giver, uow: Work, _: Once, advice_id: Id, body: advice.FollowUp, response: Tagged
) -> AdviceView:
    """Write down what became of it: the first, the second or the third look."""
    state = (await load(uow.sql, ACTS, actor, advice_id)).state
    done = await perform(uow, FOLLOWING.get(state, ACTS.follow_third), advice_id, body)
    return await _shown(uow.sql, actor, done.row, response)


@routes.post("/advice/{advice_id}/end")
async def end_advice(actor: Giver, uow: Work, advice_id: Id, body: advice.Ending, response: Tagged) -> AdviceView:
    """The client is out of the position: it is followed no more."""
    return await _shown(uow.sql, actor, (await perform(uow, ACTS.end, advice_id, body)).row, response)


@routes.get("/managers/{person}/advice/days/{day}")
async def read_advice_of_day(actor: Reader, sql: Reading, person: Identifier, day: BusinessDate) -> AdviceOfDay:
    """What somebody advised on a day."""
    await see_person(sql, actor, person)
    found = await advice.of_person(sql, person, day, day)
    of: dict[str, list[Opinion]] = {"market": [], "sector": [], "stock": [], "other": []}
    for one in found:
        of[one.about].append(Opinion(**{name: getattr(one, name) for name in Opinion.model_fields}))
    words = await sql.fetchval("SELECT words FROM day_notes WHERE person = $1 AND day = $2", person, day)
    return AdviceOfDay(person=person, day=day, **of, words=words)


@routes.get("/managers/{person}/advice/weeks/{day}")
async def read_advice_of_week(actor: Reader, sql: Reading, person: Identifier, day: BusinessDate) -> AdviceOfWeek:
    """The week a day lies in."""
    await see_person(sql, actor, person)
    first, last = bounds("week", day)
    days = [first + timedelta(days=n) for n in range(DAYS_OF_A_WEEK)]
    given = [(one.day, one.about) for one in await advice.of_person(sql, person, first, last)]
    followed = await advice.followed_by(sql, person, first, last)
    new, again = advice.sums(given, days), advice.sums(followed, days)
    return AdviceOfWeek(
        person=person, begins=first, advice=[_day(*each) for each in new], advice_total=_total(new),
        follow_ups=[_day(*each) for each in again], follow_ups_total=_total(again),
    )  # fmt: skip


@routes.get("/managers/{person}/advice/due")
async def list_follow_ups_due(
    actor: Reader, sql: Reading, person: Identifier, until: BusinessDate | None = None
) -> list[FollowUpDue]:
    """Somebody's advice whose next follow-up is due by a day (today without), the oldest first."""
    await see_person(sql, actor, person)
    day = await today(sql)
    calendar, policies = await current(sql), await Policies.read(sql)
    found = [
        (one, due)
        for one in await advice.of_person(sql, person, date(1990, 1, 1), day)
        if (due := _due(one, calendar, policies)) is not None and due <= (until or day)
    ]
    return [
        FollowUpDue(
            advice_id=one.advice_id, client_id=one.client_id, symbol=one.symbol, number=NUMBERS[one.state], due_on=due,
            late=due < day,
        )
        for one, due in sorted(found, key=lambda each: (each[1], str(each[0].advice_id)))
    ]  # fmt: skip


def _due(one: AdviceRow, calendar: Calendar, policies: Policies) -> date | None:
    """When the next follow-up is due; None when none is."""
    if (number := NUMBERS.get(one.state)) is None:
        return None
    days = policies.advice.on(one.day).body.follow_up_days[number - 1]
    return advice.trading_days_after(one.day, days, calendar)


def _day(day: date, counts: Mapping[str, int]) -> DayCounts:
    return DayCounts(day=day, **counts, total=sum(counts.values()))


def _total(rows: list[tuple[date, Mapping[str, int]]]) -> AboutCounts:
    counts = {name: sum(each[name] for _, each in rows) for name in ("market", "sector", "stock", "other")}
    return AboutCounts(**counts, total=sum(counts.values()))


async def _shown(sql: asyncpg.Connection, actor: Actor, one: AdviceRow, response: Tagged) -> AdviceView:
    response.headers["etag"] = etag(one.revision)
    [view] = await _views(sql, [one])
    return view.model_copy(update={"acts": await possible(sql, ACTS, actor, one)})


async def _views(sql: asyncpg.Connection, found: list[AdviceRow]) -> list[AdviceView]:
    of: dict[UUID, list[FollowUpRow]] = {one.advice_id: [] for one in found}
    for each in await advice.follow_ups_of(sql, list(of)):
        of[each.advice_id].append(each)
    calendar, policies = await current(sql), await Policies.read(sql)
    return [
        AdviceView(
            **{name: getattr(one, name) for name in AdviceRow.__struct_fields__ if name != "day"},
            due_on=_due(one, calendar, policies), follow_ups=[_follow_up(each) for each in of[one.advice_id]], acts=[],
        )
        for one in found
    ]  # fmt: skip


def _follow_up(each: FollowUpRow) -> FollowUpView:
    told = {name: getattr(each, name) for name in FollowUpRow.__struct_fields__ if name not in ("advice_id", "day")}
    return FollowUpView(**told, late=each.day > each.due_on)
