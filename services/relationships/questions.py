"""Questions of clients and visitors (在线咨询): online, or left open at a desk; each with an owner and a clock, and a contact once it is
answered [A35, C8]."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from pydantic import AfterValidator, BaseModel
from sqlalchemy import CheckConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from uuid_utils import uuid7

from chassis import staff
from chassis.actor import Actor, Role
from chassis.acts import IF_MATCH, Act, Aggregate, Doing, Step, Who, acts, begin
from chassis.calendars import current
from chassis.clock import business_date
from chassis.errors import FieldError
from chassis.errors import Text as Words
from chassis.http import object_scope
from chassis.personal import mask_text
from chassis.rows import Column, Row, columns, table
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.fields import Identifier, Text2000
from services.relationships import contacts, logged
from services.relationships.errors import ForTradingClients, WrongValue
from services.relationships.leads import Pools
from services.relationships.policy import Policies
from services.relationships.tables import LIFECYCLES, metadata

CLIENT, STAFF = "client", "staff"
SOURCE = "questions"
DESK = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)
Zone = Literal["business", "investment"]
Through = Literal["online", "on_site", "phone"]
Said = Annotated[Text2000, AfterValidator(mask_text)]


class QuestionRow(Row, frozen=True):
    """A question, until it is answered."""

    question_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    client_id: Annotated[str | None, Column(comment="none: a visitor's")]
    visitor: Annotated[str | None, Column(comment="how the site or the desk names a visitor")]
    branch_id: str | None
    zone: Annotated[Zone, Column(Text, comment="business: anybody's; investment: of clients who trade")]
    through: Annotated[Through, Column(Text)]
    words: Annotated[str, Column(comment="masked")]
    own: Annotated[bool, Column(comment="asked by the client, signed in")]
    first_asked: Annotated[str | None, Column(comment="who was asked first, where somebody was [C8]")]
    asked_at: datetime
    due: Annotated[datetime, Column(comment="until when it is to be answered")]
    handed_to: Annotated[str | None, Column(comment="who answers it in place of who looks after the client")]
    lead: Annotated[str, Column(comment="who leads the branch's pool: whose it is where no client has an owner")]
    state: str
    answer: Annotated[str | None, Column(comment="masked")]
    answered_by: str | None
    answered_at: datetime | None
    revision: Annotated[int, Column(server_default="0")]


questions = table(
    "questions",
    metadata,
    QuestionRow,
    CheckConstraint("state IN ('open', 'answered', 'withdrawn')", name="state"),
    CheckConstraint("client_id IS NOT NULL OR visitor IS NOT NULL", name="whose"),
    Index(None, "client_id", "asked_at"),
    Index("ix_questions_open", "branch_id", "due", postgresql_where=text("state = 'open'")),
)

OWNER = """coalesce(q.handed_to, q.first_asked,
    (SELECT o.person FROM owners o WHERE o.client_id = q.client_id AND o.since <= $1 AND (o.until IS NULL OR o.until > $1)),
    q.lead)"""
"""SQL: whose a question `q` is at the instant $1: who it was handed to, who was asked first, who looks after the client, the pool's lead."""


class Answer(BaseModel, extra="forbid"):
    """The answer, as the client reads it."""

    words: Said


class HandingOn(BaseModel, extra="forbid"):
    """Who answers it instead."""

    person: Identifier


def sight(actor: Actor, next_argument: int) -> tuple[str, Sequence[Any]]:
    """The client their own; staff their branch's."""
    return object_scope(actor, next_argument, centre=True)


COLLEAGUE = Who[QuestionRow](
    "colleague",
    Words("staff of the branch, the centre, headquarters", "营业部人员、客服中心或总部"),
    lambda actor, one: (
        actor.role is Role.HQ or actor.is_centre or (actor.role in DESK and actor.branch_id == one.branch_id)
    ),
)
ASKER = Who[QuestionRow](
    "asker",
    Words("the client", "客户本人"),
    lambda actor, one: one.client_id is not None and actor.client_id == one.client_id,
)
QUESTION = Aggregate[QuestionRow](
    name="question",
    table="questions",
    id="question_id",
    row=lambda record: msgspec.convert(dict(record), QuestionRow),
    states=("open", "answered", "withdrawn"),
    begins=("open",),
    final=("answered", "withdrawn"),
    sight=sight,
    audiences=lambda actor, _: frozenset({CLIENT} if actor.role is Role.CLIENT else {CLIENT, STAFF}),
    parse=UUID,
)


async def _hand(uow: UnitOfWork, doings: Sequence[Doing[QuestionRow]]) -> None:
    roster = await staff.roster(uow.sql)
    for one in doings:
        person = roster.person(one.body.person, one.at)
        if person is None or roster.has_left(one.body.person, one.at):
            raise WrongValue(errors=(FieldError("/person", "does not work here"),))
        one.columns["handed_to"] = one.body.person
        one.detail["person"] = one.body.person


async def _answer(uow: UnitOfWork, doings: Sequence[Doing[QuestionRow]]) -> None:
    terms = (await uow.policies(Policies)).service_log
    for one in doings:
        one.columns |= {"answer": one.body.words, "answered_by": uow.actor.person, "answered_at": one.at}
        if one.row.client_id is None:
            continue
        channel = "counter" if one.row.through == "on_site" else one.row.through
        entry = logged.Entry(
            channel, "in", one.at, two_way=True, valid=one.row.own, outcome="answered", mood=None, grumble=False,
            topics=[f"{one.row.zone}_question"], words=one.body.words, ref=str(one.id), source=SOURCE,
        )  # fmt: skip
        style = await logged.style_of(uow.sql, one.row.client_id, one.at)
        made = logged.made(
            one.row.client_id, entry, contacts.named(SOURCE, str(one.id)), uow.actor.person, uow.actor.person, one.at,
            terms.on(business_date(one.at)).body, style,
        )  # fmt: skip
        await logged.keep(uow, [made])


ACTS = acts(
    QUESTION,
    Act("answer", Words("Answer it", "答复"), on=("open",), to="answered", who=(COLLEAGUE,), takes=Answer, needs=("words",),
        tells=(CLIENT, STAFF), prepare=_answer),
    Act("hand_on", Words("Hand it to somebody else", "转交"), on=("open",), who=(COLLEAGUE,), takes=HandingOn,
        needs=("person", IF_MATCH), tells=(STAFF,), prepare=_hand),
    Act("withdraw", Words("Withdraw", "撤回"), on=("open",), to="withdrawn", who=(ASKER,), tells=(CLIENT, STAFF)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is asked."""

    client_id: str | None
    visitor: str | None
    branch_id: str | None
    zone: Zone
    through: Through
    words: str
    first_asked: str | None = None


async def ask(uow: UnitOfWork, asked: Asked) -> QuestionRow:
    """Keep a question and begin its clock.

    Raises: ForTradingClients for an investment question of who does not trade.
    """
    at = await effective_now(uow.sql, uow.now)
    policies = await uow.policies(Policies)
    terms = policies.questions.on(business_date(at)).body
    if asked.zone == "investment" and not await _trades(uow.sql, asked.client_id, at, terms.trading_stages):
        raise ForTradingClients
    minutes = terms.investment_minutes if asked.zone == "investment" else terms.business_minutes
    due = (await uow.cached(current)).add_working_time(at, timedelta(minutes=minutes))
    lead = Pools(await staff.roster(uow.sql), policies.owners).lead_at(asked.branch_id, at)
    one = QuestionRow(
        UUID(bytes=uuid7().bytes), asked.client_id, asked.visitor, asked.branch_id, asked.zone, asked.through, asked.words,
        uow.actor.role is Role.CLIENT, asked.first_asked, at, due, None, lead, QUESTION.begins[0], None, None, None, 0,
    )  # fmt: skip
    await uow.sql.execute(
        f"""INSERT INTO questions ({columns(QuestionRow)})
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)""",
        *msgspec.structs.astuple(one),
    )
    await begin(uow, [Step(QUESTION.named(one.question_id), "ask", "", one.state, at, (CLIENT, STAFF))])
    uow.audit("ask a question", QUESTION.named(one.question_id), key=one.client_id, zone=one.zone, through=one.through)
    return one


async def _trades(sql: asyncpg.Connection, client_id: str | None, at: datetime, stages: Sequence[str]) -> bool:
    if client_id is None:
        return False
    stage = await sql.fetchval(
        f"SELECT {LIFECYCLES.on('lifecycle', '$1::text', '$2::date')}", client_id, business_date(at)
    )
    return stage in stages


@dataclass(frozen=True, slots=True)
class Listed:
    """A question and whose it is now."""

    one: QuestionRow
    owner: str


async def listed(
    sql: asyncpg.Connection, now: datetime, condition: str, arguments: Sequence[Any], after: Any, limit: int
) -> list[Listed]:
    """Questions under a condition on `q` whose arguments begin at $4, as they were asked."""
    rows = await sql.fetch(
        f"""SELECT {columns(QuestionRow, "q")}, {OWNER} FROM questions q
            WHERE ($2::uuid IS NULL OR q.question_id > $2) AND {condition} ORDER BY q.question_id LIMIT $3""",
        now,
        after,
        limit,
        *arguments,
    )
    return [Listed(QuestionRow(*row[:-1]), row[-1]) for row in map(tuple, rows)]
