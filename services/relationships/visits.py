"""Visits at the client's (上门拜访): an appointment, a preparation, the visit, its record and self-assessment [A13, A31]."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.acts import Act, Aggregate, Doing, Step, Who, acts, begin
from chassis.clock import business_date
from chassis.errors import FieldError
from chassis.errors import Text as Words
from chassis.http import object_scope
from chassis.personal import mask_text
from chassis.rows import Column, Row, columns, table
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.fields import BusinessDate, Code, Instant, Text64, Text500
from services.relationships import contacts, logged
from services.relationships.errors import WrongValue
from services.relationships.policy import Activity, Policies
from services.relationships.tables import metadata

STAFF = "staff"
Grade = Literal["excellent", "good", "pass", "poor"]
Said = Annotated[Text500, AfterValidator(mask_text)]


class VisitRow(Row, frozen=True):
    """A visit, from the wish to see a client to its record."""

    visit_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    client_id: str
    branch_id: str | None
    person: Annotated[str, Column(comment="who visits")]
    purpose: str
    state: str
    begun_at: datetime
    asked_by: Annotated[Literal["sms", "phone"] | None, Column(Text, comment="how the appointment was asked for")]
    planned_for: Annotated[datetime | None, Column(comment="the time the client agreed to")]
    refused: Annotated[str | None, Column(comment="why the client would not")]
    prepared: Annotated[list[str], Column(ARRAY(Text), comment="points of the preparation", server_default="{}")]
    made_at: datetime | None
    emergency: Annotated[str | None, Column(comment="why there was no time for an appointment or a preparation")]
    record: Annotated[dict[str, Any] | None, Column(JSONB, comment="place, content, improvement, assessment")]
    revision: Annotated[int, Column(server_default="0")]


visits = table(
    "visits",
    metadata,
    VisitRow,
    CheckConstraint(
        "state IN ('planned', 'refused', 'appointed', 'prepared', 'recorded', 'cancelled')", name="state"
    ),
    Index(None, "client_id", "visit_id"),
    Index(None, "person", "made_at"),
)  # fmt: skip


def counts(one: VisitRow, terms: Activity) -> bool:
    """Whether a recorded visit counts: with an appointment and every point prepared, or an emergency with its reason [A31]."""
    ready = one.planned_for is not None and {point.code for point in terms.preparation} <= set(one.prepared)
    return one.state == "recorded" and (ready or bool(one.emergency))


class Appointment(BaseModel, extra="forbid"):
    """What the client agreed to."""

    asked_by: Literal["sms", "phone"]
    planned_for: Instant


class Refusal(BaseModel, extra="forbid"):
    """Why the client would not be visited, and when to ask again."""

    reason: Literal["no_time", "no_need", "dissatisfied", "by_phone", "other"]
    words: Said | None = None
    again_on: BusinessDate | None = None


class Preparation(BaseModel, extra="forbid"):
    """The points of the preparation that are done."""

    points: Annotated[list[Code], Field(min_length=1, max_length=20)]


class Assessment(BaseModel, extra="forbid"):
    """What somebody makes of their own visit (登门拜访客户自我评估表): 准备工作, 商务礼仪, 人际沟通, 专业知识, 技巧运用."""

    preparation: Grade
    etiquette: Grade
    communication: Grade
    knowledge: Grade
    technique: Grade


class VisitRecord(BaseModel, extra="forbid"):
    """The record of a visit (客户拜访记录表) and the self-assessment; `emergency`: why it could not be appointed or prepared."""

    made_at: Instant
    place: Text64
    content: Said
    improvement: Said | None = None
    good: Said | None = None
    following: Said | None = None
    assessment: Assessment
    emergency: Said | None = None
    mood: Literal["calm", "annoyed", "angry"] | None = None
    grumble: bool = False


class Cancelling(BaseModel, extra="forbid"):
    """Why it does not take place."""

    reason: Said


def sight(actor: Actor, next_argument: int) -> tuple[str, Sequence[Any]]:
    """Staff see their branch's; clients none: what is written there is not theirs to read."""
    return ("false", []) if actor.role is Role.CLIENT else object_scope(actor, next_argument)


VISITOR = Who[VisitRow]("visitor", Words("who visits", "拜访人"), lambda actor, one: actor.person == one.person)
LEADER = Who[VisitRow](
    "leader",
    Words("who leads the branch", "营业部负责人"),
    lambda actor, one: actor.role is Role.BRANCH_MANAGER and actor.branch_id == one.branch_id,
)
VISIT = Aggregate[VisitRow](
    name="visit",
    table="visits",
    id="visit_id",
    row=lambda record: msgspec.convert(dict(record), VisitRow),
    states=("planned", "refused", "appointed", "prepared", "recorded", "cancelled"),
    begins=("planned",),
    final=("recorded", "cancelled"),
    sight=sight,
    audiences=lambda actor, _: frozenset() if actor.role is Role.CLIENT else frozenset({STAFF}),
    parse=UUID,
)


async def _appoint(_: UnitOfWork, doings: Sequence[Doing[VisitRow]]) -> None:
    for one in doings:
        if one.body.planned_for < one.at:
            raise WrongValue(errors=(FieldError("/planned_for", "lies in the past"),))
        one.columns |= {"asked_by": one.body.asked_by, "planned_for": one.body.planned_for, "refused": None}


async def _refuse(_: UnitOfWork, doings: Sequence[Doing[VisitRow]]) -> None:
    for one in doings:
        one.columns["refused"] = one.body.reason
        one.detail |= one.body.model_dump(mode="json", exclude_none=True)


async def _prepare(uow: UnitOfWork, doings: Sequence[Doing[VisitRow]]) -> None:
    for one in doings:
        terms = (await uow.policies(Policies)).activity.on(business_date(one.at)).body
        known = [point.code for point in terms.preparation]
        if left := [code for code in known if code not in one.body.points]:
            raise WrongValue(errors=(FieldError("/points", f"not prepared: {', '.join(left)}"),))
        one.columns["prepared"] = [code for code in known if code in one.body.points]


async def _record(uow: UnitOfWork, doings: Sequence[Doing[VisitRow]]) -> None:
    for one in doings:
        body: VisitRecord = one.body
        one.columns |= {
            "made_at": body.made_at,
            "emergency": body.emergency,
            "record": body.model_dump(mode="json", exclude={"made_at", "emergency"}, exclude_none=True),
        }
        await logged.enter(
            uow,
            one.row.client_id,
            logged.Entry(
                "visit", "out", body.made_at, two_way=True, valid=True, outcome="visited", mood=body.mood,
                grumble=body.grumble, topics=[one.row.purpose], words=body.content, ref=str(one.id),
                source=contacts.VISITS,
            ),
        )  # fmt: skip


OPEN = ("planned", "refused", "appointed", "prepared")
ACTS = acts(
    VISIT,
    Act("appoint", Words("Make the appointment", "约访"), on=("planned", "refused"), to="appointed", who=(VISITOR,),
        takes=Appointment, needs=("asked_by", "planned_for"), tells=(STAFF,), prepare=_appoint),
    Act("refuse", Words("The client would rather not", "约访被拒绝"), on=("planned", "appointed"), to="refused",
        who=(VISITOR,), takes=Refusal, needs=("reason",), tells=(STAFF,), prepare=_refuse),
    Act("prepare", Words("Prepared", "准备完成"), on=("appointed",), to="prepared", who=(VISITOR,), takes=Preparation,
        needs=("points",), tells=(STAFF,), prepare=_prepare),
    Act("record", Words("Record the visit", "登记拜访"), on=OPEN, to="recorded", who=(VISITOR,), takes=VisitRecord,
        needs=("made_at", "place", "content", "assessment"), tells=(STAFF,), prepare=_record),
    Act("cancel", Words("Cancel", "取消"), on=OPEN, to="cancelled", who=(VISITOR, LEADER), takes=Cancelling,
        needs=("reason",), tells=(STAFF,)),
)  # fmt: skip


async def plan(uow: UnitOfWork, client_id: str, branch_id: str | None, purpose: str) -> VisitRow:
    """Begin a visit of the caller's."""
    at = await effective_now(uow.sql, uow.now)
    one = VisitRow(
        UUID(bytes=uuid7().bytes), client_id, branch_id, uow.actor.person, purpose, VISIT.begins[0], at, None, None, None,
        [], None, None, None, 0,
    )  # fmt: skip
    await uow.sql.execute(
        f"""INSERT INTO visits ({columns(VisitRow)})
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)""",
        *msgspec.structs.astuple(one),
    )
    await begin(uow, [Step(VISIT.named(one.visit_id), "plan", "", one.state, at, (STAFF,))])
    uow.audit("plan visit", VISIT.named(one.visit_id), key=client_id, purpose=purpose)
    return one
