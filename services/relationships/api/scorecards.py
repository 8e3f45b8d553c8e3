"""Scorecards over HTTP: cards with target, found, trend and the list behind each, and whom a month's come to [A22, A23, A34]."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.clock import months_after
from chassis.errors import NotFound, Text
from chassis.http import Listing, Page, Reading, object_scope, permits, router
from chassis.http.language import Language, preferred
from chassis.timeline import today
from contracts.fields import BusinessDate, Code, Identifier
from services.relationships import scorecards
from services.relationships.api.shapes import STAFF, see_person
from services.relationships.policy import Policies
from services.relationships.scorecards import MONTHS_OF_TREND, CardMonth, Found

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.scorecards:read", *STAFF)]
Leader = Annotated[
    Actor, permits("relationships.scorecards:rank", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)
]
Figure = Annotated[
    Decimal | None, Field(description="the figure, in per cent; none where nothing lies behind it", examples=["83.3"])
]
Score = Annotated[Decimal | None, Field(description="of a hundred", examples=["91.5"])]


class TrendPoint(BaseModel):
    """The figure at a month's end, as it was kept then."""

    month_end: date
    found: Figure


class CardView(BaseModel):
    """A card (KPI): its target, what is found, on how many items, the months before, and how much of the target is reached."""

    card: str
    name: str
    kind: Literal["process", "result"]
    weight: int
    target: Annotated[int, Field(description="what it should be, in per cent", examples=[90])]
    better: Literal["higher", "lower"]
    found: Figure
    items: Annotated[int, Field(description="how many items lie behind it", examples=[42])]
    reached: Annotated[
        Decimal | None, Field(description="how much of the target is reached, in per cent", examples=["100.0"])
    ]
    trend: list[TrendPoint]


class ScorecardView(BaseModel):
    """Somebody's cards as of a day; of a month's end as they were kept (`kept`). The result counts only where the process is good
    enough (`counts`)."""

    person: str
    as_of: date
    kept: bool
    policy: str
    cards: list[CardView]
    process: Score
    result: Annotated[Decimal | None, Field(description="what the results come to, of a hundred", examples=["75.0"])]
    counts: Annotated[bool, Field(description="whether the result counts")]
    total: Annotated[Decimal | None, Field(description="process and result together, of a hundred", examples=["88.0"])]


class CardItem(BaseModel):
    """What lies behind a figure: an item, the client it is about, what counts of it and of how much."""

    item: Annotated[str, Field(description="the client, or the entry of the log", examples=["c-1001"])]
    client_id: str
    part: Decimal
    whole: Annotated[Decimal, Field(description="of how much", examples=["1"])]


class RankedView(BaseModel):
    """Somebody's scorecard of a month. Without `rank`: it rests on too few clients to say who is better."""

    person: str
    branch_id: str | None
    clients: int
    process: Score
    result: Annotated[Decimal | None, Field(description="what the results come to, of a hundred", examples=["75.0"])]
    counts: Annotated[bool, Field(description="whether the result counts")]
    total: Annotated[Decimal | None, Field(description="process and result together, of a hundred", examples=["88.0"])]
    rank: int | None


@routes.get("/scorecards")
async def list_scorecards(actor: Leader, sql: Reading, month_end: BusinessDate) -> list[RankedView]:
    """Everybody's scorecard of a month, the best first."""
    scope, arguments = object_scope(actor, 4)
    version = (await Policies.read(sql)).scorecard.on(month_end)
    found = await scorecards.kept(sql, month_end, month_end, None, scope, arguments)
    return [
        RankedView(
            person=one.person, branch_id=one.branch_id, clients=one.items, process=one.process, result=one.result,
            counts=one.counts, total=one.total, rank=one.rank,
        )
        for one in scorecards.ranked(found, version)
    ]  # fmt: skip


@routes.get("/managers/{person}/scorecard")
async def read_scorecard(
    actor: Reader, sql: Reading, person: Identifier, as_of: BusinessDate | None = None, accept_language: Language = ""
) -> ScorecardView:
    """Somebody's cards as of the end of a day, with the six months before."""
    await see_person(sql, actor, person)
    day: date = as_of or await today(sql)
    policies = await Policies.read(sql)
    version = policies.scorecard.on(day)
    months = await scorecards.kept(sql, months_after(day, -MONTHS_OF_TREND - 1), day, person)
    now = {one.card: one for one in months if one.month_end == day}
    cards: list[CardView] = []
    for card in version.body.cards:
        found = _kept(now, card.code, person) if now else await _measured(sql, card.code, day, person, policies)
        cards.append(
            CardView(
                card=card.code, name=Text(card.en, card.zh).in_language(preferred(accept_language)), kind=card.kind,
                weight=card.weight, target=card.target, better=card.better, found=found.percent, items=found.items,
                reached=scorecards.achieved(found.percent, Decimal(card.target), card.better),
                trend=[
                    TrendPoint(month_end=one.month_end, found=_of(one).percent)
                    for one in months
                    if one.card == card.code and one.month_end < day
                ],
            )
        )  # fmt: skip
    process, result, counts, total = scorecards.score({one.card: one.reached for one in cards}, version.body)
    return ScorecardView(
        person=person, as_of=day, kept=bool(now), policy=version.name, cards=cards, process=process, result=result,
        counts=counts, total=total,
    )  # fmt: skip


async def _measured(sql: Reading, card: str, day: date, person: str, policies: Policies) -> Found:
    found = await scorecards.measure(sql, card, day, person, policies)
    return found[0] if found else Found(person, 0, Decimal(0), Decimal(0))


def _kept(months: Mapping[str, CardMonth], card: str, person: str) -> Found:
    return _of(months[card]) if card in months else Found(person, 0, Decimal(0), Decimal(0))


def _of(one: CardMonth) -> Found:
    return Found(one.person, one.items, one.part, one.whole)


@routes.get("/managers/{person}/scorecard/{card}")
async def list_behind_card(
    actor: Reader, sql: Reading, person: Identifier, card: Code, page: Page, as_of: BusinessDate | None = None
) -> Listing[CardItem]:
    """The list behind a figure of somebody's, as of the end of a day: what counts of each, and of how much."""
    await see_person(sql, actor, person)
    if card not in scorecards.BEHIND:
        raise NotFound
    after = str(page.after[0]) if page.after else ""
    day = as_of or await today(sql)
    found = await scorecards.behind(sql, card, day, person, await Policies.read(sql), after, page.limit + 1)
    views = [CardItem(item=one.item, client_id=one.client_id, part=one.part, whole=one.whole) for one in found]
    return Listing[CardItem].model_validate(page.result(views, lambda one: (one.item,)))
