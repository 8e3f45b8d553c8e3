"""A client's wish for another manager (更换客户经理): decided within three working days, one a quarter, at once beside a complaint [A8]."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from pydantic import AfterValidator, BaseModel
from sqlalchemy import Boolean, CheckConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.acts import Act, Aggregate, Doing, Step, Who, acts, begin
from chassis.calendars import current
from chassis.clock import business_date, end_of, start_of
from chassis.errors import Conflict, FieldError
from chassis.errors import Text as Words
from chassis.http import object_scope
from chassis.personal import mask_text
from chassis.rows import Column, Row, columns, table
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.fields import Identifier, text_of
from services.relationships import acting, assignments, open_items
from services.relationships.errors import WrongValue
from services.relationships.ownership import PRIMARY
from services.relationships.policy import Policies
from services.relationships.tables import metadata

CLIENT, STAFF = "client", "staff"
Said = Annotated[str, text_of(500, 2), AfterValidator(mask_text)]


class TooOften(Conflict):
    """The client had another manager this quarter already: a complaint is decided at once, all other wishes wait."""

    title = Words("One change of manager a quarter", "每季度可免费更换一次客户经理")


class AlreadyWished(Conflict):
    """A wish of this client's waits for a decision."""

    title = Words("A wish waits already", "已有待处理的更换申请")


class ChangeRow(Row, frozen=True):
    """A wish for another manager."""

    request_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    client_id: str
    branch_id: str | None
    wished: Annotated[str | None, Column(comment="whom the client would like")]
    reason: str
    through: Annotated[str, Column(comment="client, counter")]
    beside_case: Annotated[
        bool, Column(Boolean, comment="a case of theirs was open: decided at once, counted in no quarter")
    ]
    asked_by: str
    asked_at: datetime
    due: Annotated[datetime, Column(comment="until when it is to be decided")]
    state: str
    concerned: Annotated[list[str], Column(ARRAY(Text), comment="the owner they want to leave")]
    person: Annotated[str | None, Column(comment="whom they got")]
    revision: Annotated[int, Column(server_default="0")]


manager_changes = table(
    "manager_changes",
    metadata,
    ChangeRow,
    CheckConstraint("state IN ('waiting', 'granted', 'refused', 'withdrawn')", name="state"),
    Index("uq_manager_changes_waiting", "client_id", unique=True, postgresql_where=text("state = 'waiting'")),
    Index(None, "client_id", "asked_at"),
    Index(None, "branch_id", "due"),
)


class Granting(BaseModel, extra="forbid"):
    """Whom the client gets."""

    person: Identifier


class Reasoned(BaseModel, extra="forbid"):
    """Why."""

    reason: Said


def sight(actor: Actor, next_argument: int) -> tuple[str, Sequence[Any]]:
    """The client, who leads the branch and its counter; never managers, of whom it may speak."""
    return ("false", []) if actor.role is Role.CLIENT_MANAGER else object_scope(actor, next_argument)


DECIDER = Who[ChangeRow](
    "decider",
    Words("the branch's manager or headquarters, not who asked", "营业部负责人或总部(非申请录入人)"),
    lambda actor, one: (
        actor.person != one.asked_by
        and (actor.role is Role.HQ or (actor.role is Role.BRANCH_MANAGER and actor.branch_id == one.branch_id))
    ),
)
ASKER = Who[ChangeRow](
    "asker",
    Words("the client, or the counter for them", "客户本人或柜台"),
    lambda actor, one: (
        actor.client_id == one.client_id or (actor.role is Role.AGENT and actor.branch_id == one.branch_id)
    ),
)
CHANGE = Aggregate[ChangeRow](
    name="manager-change",
    table="manager_changes",
    id="request_id",
    row=lambda record: msgspec.convert(dict(record), ChangeRow),
    states=("waiting", "granted", "refused", "withdrawn"),
    begins=("waiting",),
    final=("granted", "refused", "withdrawn"),
    sight=sight,
    audiences=lambda actor, _: frozenset({CLIENT} if actor.role is Role.CLIENT else {CLIENT, STAFF}),
    concerned="concerned",
    parse=UUID,
)


async def _grant(uow: UnitOfWork, doings: Sequence[Doing[ChangeRow]]) -> None:
    for one in doings:
        person = one.body.person
        await acting.require_here(uow, person, one.at)
        if person in one.row.concerned:
            raise WrongValue(errors=(FieldError("/person", "is who they want to leave"),))
        one.columns["person"] = person
        await acting.keep(uow, one.row.client_id, PRIMARY, person, True, "client_wish", one.at)


async def _explain(_: UnitOfWork, doings: Sequence[Doing[ChangeRow]]) -> None:
    for one in doings:
        one.detail["reason"] = one.body.reason


ACTS = acts(
    CHANGE,
    Act("grant", Words("Give another manager", "同意更换"), on=("waiting",), to="granted", who=(DECIDER,), takes=Granting,
        needs=("person",), tells=(CLIENT, STAFF), prepare=_grant),
    Act("refuse", Words("Refuse", "不同意"), on=("waiting",), to="refused", who=(DECIDER,), takes=Reasoned,
        needs=("reason",), tells=(CLIENT, STAFF), prepare=_explain),
    Act("withdraw", Words("Withdraw", "撤回"), on=("waiting",), to="withdrawn", who=(ASKER,), tells=(CLIENT, STAFF)),
)  # fmt: skip


def quarter_of(day: date) -> date:
    """The first day of a day's quarter."""
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


async def ask(uow: UnitOfWork, client_id: str, branch_id: str | None, reason: str, wished: str | None) -> ChangeRow:
    """Keep a client's wish for another manager.

    Raises: TooOften, AlreadyWished; WrongValue for somebody who does not work here.
    """
    at = await effective_now(uow.sql, uow.now)
    day = business_date(at)
    terms = (await uow.policies(Policies)).hand_over.on(day).body
    if wished is not None:
        await acting.require_here(uow, wished, at, "/wished")
    await uow.sql.fetch("SELECT FROM clients WHERE client_id = $1 FOR UPDATE", client_id)
    beside_case = await open_items.has_complaint(uow.sql, client_id)
    await _require_possible(uow, client_id, day, beside_case, terms.changes_a_quarter)
    calendar = await uow.cached(current)
    due_on = calendar.working_day_from(day) if beside_case else calendar.add_days(day, terms.change_days)
    present = await assignments.in_force(uow.sql, client_id, at)
    one = ChangeRow(
        UUID(bytes=uuid7().bytes), client_id, branch_id, wished, reason,
        "client" if uow.actor.role is Role.CLIENT else "counter", beside_case, uow.actor.person, at, end_of(due_on),
        CHANGE.begins[0], [stretch.person for stretch in present if stretch.role == PRIMARY], None, 0,
    )  # fmt: skip
    await uow.sql.execute(
        f"""INSERT INTO manager_changes ({columns(ChangeRow)})
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)""",
        *msgspec.structs.astuple(one),
    )
    await begin(uow, [Step(CHANGE.named(one.request_id), "ask", "", one.state, at, (CLIENT, STAFF))])
    uow.audit(
        "ask for another manager", CHANGE.named(one.request_id), key=client_id, wished=wished, beside_case=beside_case
    )
    return one


async def _require_possible(uow: UnitOfWork, client_id: str, day: date, beside_case: bool, most: int) -> None:
    waiting, taken = await _wishes(uow.sql, client_id, start_of(quarter_of(day)))
    if waiting:
        raise AlreadyWished
    if not beside_case and taken >= most:
        raise TooOften


async def _wishes(sql: asyncpg.Connection, client_id: str, since: datetime) -> tuple[int, int]:
    """How many wishes wait, and how many were granted in this quarter apart from complaints, whenever they were asked."""
    row = await sql.fetchrow(
        """SELECT count(*) FILTER (WHERE state = 'waiting'),
                  count(*) FILTER (WHERE state = 'granted' AND NOT beside_case AND EXISTS (
                      SELECT FROM act_steps s WHERE s.object = $3::text || request_id::text AND s.act = 'grant' AND s.at >= $2))
           FROM manager_changes WHERE client_id = $1""",
        client_id,
        since,
        CHANGE.named(""),
    )
    assert row is not None
    waiting, taken = row
    return waiting, taken
