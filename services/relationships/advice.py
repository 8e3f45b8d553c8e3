"""Investment advice (投资建议): what was said to whom, fact and opinion apart, with its sources; three follow-ups; sums by day and week [A15]."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import asyncpg
import msgspec
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.acts import Act, Aggregate, Doing, Step, Who, acts, begin
from chassis.calendar import Calendar
from chassis.calendars import current
from chassis.clock import business_date, months_after
from chassis.errors import FieldError
from chassis.errors import Text as Words
from chassis.http import object_scope
from chassis.personal import mask_text
from chassis.rows import Column, Row, columns, fetch, table
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.fields import Amount, Text500, Text2000
from contracts.relationships import FindingRaised
from services.relationships import logged
from services.relationships.errors import WrongValue
from services.relationships.policy import Advice, Policies
from services.relationships.tables import metadata

STAFF = "staff"
CONTRADICTORY = "contradictory_advice"
_FINDINGS = UUID("b1e7c7aa-2f2c-5c51-8a43-5b0b6c3f6d02")
About = Literal["market", "sector", "stock", "other"]
Direction = Literal["buy", "hold", "sell", "none"]
OPPOSITE: Mapping[str, str] = {"buy": "sell", "sell": "buy"}
Said = Annotated[Text2000, AfterValidator(mask_text)]
Short = Annotated[Text500, AfterValidator(mask_text)]


class AdviceRow(Row, frozen=True):
    """A piece of advice to a client."""

    advice_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    client_id: str
    branch_id: str | None
    person: str
    at: datetime
    day: date
    about: Annotated[About, Column(Text, comment="大盘, 行业, 个股, 其他")]
    symbol: Annotated[str | None, Column(comment="the instrument or sector it is about")]
    direction: Annotated[Direction, Column(Text)]
    need: Annotated[str | None, Column(comment="投资需求类别")]
    question: Annotated[str | None, Column(comment="masked")]
    fact: Annotated[str, Column(comment="what is known, masked")]
    opinion: Annotated[str, Column(comment="what we make of it, masked")]
    sources: Annotated[list[str], Column(ARRAY(Text), comment="where the facts are from")]
    kept_until: Annotated[date, Column(comment="the sources are kept until then at least")]
    contradicts: Annotated[list[str], Column(ARRAY(Text), comment="opposite advice on the same at the time, to others")]
    contact_id: Annotated[UUID, Column(PgUUID(as_uuid=True), comment="in which it was given")]
    ended: Annotated[str | None, Column(comment="why it is followed no more")]
    state: str
    revision: Annotated[int, Column(server_default="0")]


advices = table(
    "advices",
    metadata,
    AdviceRow,
    CheckConstraint("state IN ('given', 'once', 'twice', 'done', 'ended')", name="state"),
    Index(None, "client_id", "at"),
    Index(None, "person", "day"),
    Index(None, "symbol", "at"),
)


class FollowUpRow(Row, frozen=True):
    """A look at what became of advice (跟踪服务)."""

    advice_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    number: Annotated[int, Column(primary_key=True)]
    person: Annotated[str, Column()]
    at: datetime
    day: date
    due_on: date
    allocation: Annotated[str, Column(comment="资金配置")]
    gain: Annotated[Decimal, Column(comment="累计涨幅, in per cent")]
    words: Annotated[str, Column(comment="what was done for the client, masked")]
    reaction: Annotated[str | None, Column(comment="of the client, masked")]


advice_follow_ups = table(
    "advice_follow_ups",
    metadata,
    FollowUpRow,
    ForeignKeyConstraint(["advice_id"], ["advices.advice_id"]),
    Index(None, "person", "day"),
)


class FollowUp(BaseModel, extra="forbid"):
    """What became of it: how the client's money lies, the gain since, what was done, what the client says."""

    allocation: Short
    gain: Annotated[Amount, Field(description="the gain since the advice, in per cent", examples=["3.5"])]
    words: Short
    reaction: Short | None = None


class Ending(BaseModel, extra="forbid"):
    """Why it is followed no more: the client is out of the position."""

    reason: Short


def sight(actor: Actor, next_argument: int) -> tuple[str, Sequence[Any]]:
    """Staff see their branch's."""
    return ("false", []) if actor.role is Role.CLIENT else object_scope(actor, next_argument)


FOLLOWER = Who[AdviceRow](
    "follower",
    Words("who gave it, or managers of the branch", "提出建议的人或营业部客户经理"),
    lambda actor, one: (
        actor.person == one.person
        or (actor.role in (Role.CLIENT_MANAGER, Role.BRANCH_MANAGER) and actor.branch_id == one.branch_id)
    ),
)
ADVICE = Aggregate[AdviceRow](
    name="advice",
    table="advices",
    id="advice_id",
    row=lambda record: msgspec.convert(dict(record), AdviceRow),
    states=("given", "once", "twice", "done", "ended"),
    begins=("given",),
    final=("done", "ended"),
    sight=sight,
    audiences=lambda actor, _: frozenset() if actor.role is Role.CLIENT else frozenset({STAFF}),
    parse=UUID,
)
SATURDAY = 5
NUMBERS = {"given": 1, "once": 2, "twice": 3}
"""Which follow-up comes next."""


def trading_days_after(day: date, count: int, calendar: Calendar) -> date:
    """The trading day so many after a day; behind what the calendar knows yet, Monday to Friday."""
    while count:
        day += timedelta(days=1)
        count -= calendar.is_trading_day(day) if day <= calendar.last else day.weekday() < SATURDAY
    return day


async def _follow(uow: UnitOfWork, doings: Sequence[Doing[AdviceRow]]) -> None:
    calendar, policies = await uow.cached(current), await uow.policies(Policies)
    for one in doings:
        number = NUMBERS[one.before.state]
        terms = policies.advice.on(one.row.day).body
        row = FollowUpRow(
            one.row.advice_id, number, uow.actor.person, one.at, business_date(one.at),
            trading_days_after(one.row.day, terms.follow_up_days[number - 1], calendar), one.body.allocation,
            one.body.gain, one.body.words, one.body.reaction,
        )  # fmt: skip
        await uow.sql.execute(
            f"INSERT INTO advice_follow_ups ({columns(FollowUpRow)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            *msgspec.structs.astuple(row),
        )
        one.detail |= {"number": number, "gain": str(one.body.gain)}


async def _end(_: UnitOfWork, doings: Sequence[Doing[AdviceRow]]) -> None:
    for one in doings:
        one.columns["ended"] = one.body.reason


NEEDS = ("allocation", "gain", "words")
ACTS = acts(
    ADVICE,
    Act("follow_first", Words("First follow-up", "跟踪服务一"), on=("given",), to="once", who=(FOLLOWER,), takes=FollowUp,
        needs=NEEDS, tells=(STAFF,), prepare=_follow),
    Act("follow_second", Words("Second follow-up", "跟踪服务二"), on=("once",), to="twice", who=(FOLLOWER,), takes=FollowUp,
        needs=NEEDS, tells=(STAFF,), prepare=_follow),
    Act("follow_third", Words("Third follow-up", "跟踪服务三"), on=("twice",), to="done", who=(FOLLOWER,), takes=FollowUp,
        needs=NEEDS, tells=(STAFF,), prepare=_follow),
    Act("end", Words("The client is out of it", "客户已退出"), on=("given", "once", "twice"), to="ended", who=(FOLLOWER,),
        takes=Ending, needs=("reason",), tells=(STAFF,), prepare=_end),
)  # fmt: skip
FOLLOWING = {"given": ACTS.follow_first, "once": ACTS.follow_second, "twice": ACTS.follow_third}


@dataclass(frozen=True, slots=True)
class Given:
    """Advice as it is entered; `contact_id`: the contact it was given in, where that is known already."""

    about: About
    symbol: str | None
    direction: Direction
    need: str | None
    question: str | None
    fact: str
    opinion: str
    sources: Sequence[str]
    channel: str
    valid: bool
    at: datetime | None
    contact_id: UUID | None


async def give(uow: UnitOfWork, client_id: str, branch_id: str | None, given: Given) -> AdviceRow:
    """Keep advice. What contradicts advice on the same to somebody else at the time is for compliance.

    Raises: WrongValue for advice on a sector or stock that does not name it, and for a contact of somebody else's.
    """
    now = await effective_now(uow.sql, uow.now)
    terms = (await uow.policies(Policies)).advice.on(business_date(now)).body
    if (given.about in ("sector", "stock")) != (given.symbol is not None):
        raise WrongValue(errors=(FieldError("/symbol", "names the sector or the stock, and nothing else"),))
    at, contact_id = await _contact(uow, client_id, given, now)
    others = await _contradicted(uow.sql, client_id, uow.actor.person, given, at, terms)
    one = AdviceRow(
        UUID(bytes=uuid7().bytes), client_id, branch_id, uow.actor.person, at, business_date(at), given.about, given.symbol,
        given.direction, given.need, given.question, given.fact, given.opinion, list(given.sources),
        months_after(business_date(at), terms.keep_months), [str(each.advice_id) for each in others], contact_id, None,
        ADVICE.begins[0], 0,
    )  # fmt: skip
    await uow.sql.execute(
        f"""INSERT INTO advices ({columns(AdviceRow)})
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)""",
        *msgspec.structs.astuple(one),
    )
    await begin(uow, [Step(ADVICE.named(one.advice_id), "give", "", one.state, at, (STAFF,))])
    uow.audit(
        "give advice",
        ADVICE.named(one.advice_id),
        key=client_id,
        about=one.about,
        symbol=one.symbol,
        sources=one.sources,
    )
    if others:
        uow.emit(
            FindingRaised(
                finding_id=uuid5(_FINDINGS, str(one.advice_id)), client_id=client_id, staff_id=one.person,
                kind=CONTRADICTORY, subject=ADVICE.named(one.advice_id), raised_at=now,
            )
        )  # fmt: skip
    return one


async def _contact(uow: UnitOfWork, client_id: str, given: Given, now: datetime) -> tuple[datetime, UUID]:
    """When it was given and in which contact: one that is known, or entered with it."""
    if given.contact_id is None:
        at = given.at or now
        entry = logged.Entry(
            given.channel, "out", at, two_way=True, valid=given.valid, outcome="advice", mood=None, grumble=False,
            topics=["advice"], words=given.opinion,
        )  # fmt: skip
        return at, (await logged.enter(uow, client_id, entry)).contact_id
    found = await uow.sql.fetchval(
        "SELECT at FROM contacts WHERE contact_id = $1 AND client_id = $2 AND person = $3",
        given.contact_id,
        client_id,
        uow.actor.person,
    )
    if found is None:
        raise WrongValue(errors=(FieldError("/contact_id", "is no contact of yours with this client"),))
    return found, given.contact_id


async def _contradicted(
    sql: asyncpg.Connection, client_id: str, person: str, given: Given, at: datetime, terms: Advice
) -> list[AdviceRow]:
    """The same person's opposite advice on the same to other clients, so close in time that both are said at once."""
    if given.symbol is None or given.direction not in OPPOSITE:
        return []
    near = timedelta(hours=terms.same_hours)
    return await fetch(
        sql,
        AdviceRow,
        f"""SELECT {columns(AdviceRow)} FROM advices WHERE symbol = $1 AND at BETWEEN $2 AND $3 AND client_id <> $4
              AND person = $5 AND direction = $6 ORDER BY advice_id""",
        given.symbol,
        at - near,
        at + near,
        client_id,
        person,
        OPPOSITE[given.direction],
    )


async def of_client(
    sql: asyncpg.Connection, client_id: str, after: Any, limit: int, scope: str, arguments: Sequence[Any]
) -> list[AdviceRow]:
    """A client's advice, as it was given."""
    return await fetch(
        sql,
        AdviceRow,
        f"""SELECT {columns(AdviceRow)} FROM advices WHERE client_id = $1 AND ($2::uuid IS NULL OR advice_id > $2) AND {scope}
            ORDER BY advice_id LIMIT $3""",
        client_id,
        after,
        limit,
        *arguments,
    )


async def of_person(sql: asyncpg.Connection, person: str, first: date, last: date) -> list[AdviceRow]:
    """What somebody advised on some days."""
    return await fetch(
        sql,
        AdviceRow,
        f"""SELECT {columns(AdviceRow)} FROM advices WHERE person = $1 AND day BETWEEN $2 AND $3 ORDER BY at, advice_id""",
        person,
        first,
        last,
    )


async def follow_ups_of(sql: asyncpg.Connection, ids: Sequence[UUID]) -> list[FollowUpRow]:
    """The follow-ups of advice, in order."""
    return await fetch(
        sql,
        FollowUpRow,
        f"""SELECT {columns(FollowUpRow)} FROM advice_follow_ups WHERE advice_id = ANY($1::uuid[])
            ORDER BY advice_id, number""",
        list(ids),
    )


async def followed_by(sql: asyncpg.Connection, person: str, first: date, last: date) -> list[tuple[date, About]]:
    """What somebody followed up on some days: the day and what it was about."""
    rows = await sql.fetch(
        """SELECT f.day, a.about FROM advice_follow_ups f JOIN advices a USING (advice_id)
           WHERE f.person = $1 AND f.day BETWEEN $2 AND $3""",
        person,
        first,
        last,
    )
    return [(day, about) for day, about in rows]


def sums(found: Sequence[tuple[date, About]], days: Sequence[date]) -> list[tuple[date, Mapping[str, int]]]:
    """By day, how many of each: the rows of annex 10."""
    counted = Counter(found)
    names: tuple[About, ...] = ("market", "sector", "stock", "other")
    return [(day, {about: counted[day, about] for about in names}) for day in days]
