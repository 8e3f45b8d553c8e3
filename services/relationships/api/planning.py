"""Sessions, the plan of the day, staffing and the stages of life over HTTP [A18, A19, A26, A29, A32]."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import NotFound, Text
from chassis.http import Once, Reading, Work, object_scope, permits, router
from chassis.http.approvals import ApprovalView, view
from chassis.http.language import Language, preferred
from chassis.personal import mask_text
from chassis.timeline import today
from contracts.fields import BusinessDate, Identifier, Instant, Text64, number_of, text_of
from services.relationships import day_plans, lost, sessions, staffing
from services.relationships.api.shapes import DESK, STAFF, Body, see_person
from services.relationships.changes import quarter_of
from services.relationships.policy import Policies
from services.relationships.spot_checks import quarter_end_of

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.sessions:read", *STAFF)]
Holder = Annotated[Actor, permits("relationships.sessions:hold", *DESK)]
PlanReader = Annotated[Actor, permits("relationships.day_plans:read", *STAFF)]
PlanAsker = Annotated[Actor, permits("relationships.day_plans:ask", Role.BRANCH_MANAGER, Role.HQ)]
Leader = Annotated[
    Actor, permits("relationships.staffing:read", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)
]
Words = Annotated[str, text_of(2000, 1), AfterValidator(mask_text)]
Clock = Annotated[str, text_of(5, 5), Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["08:30"])]
Begins = Annotated[Clock, Field(description="when it begins")]
Ends = Annotated[Clock, Field(description="when it ends")]


class NewSession(Body):
    """Something one held or took part in; `clients`: who of them came."""

    kind: sessions.Kind
    title: Text64
    at: Instant
    minutes: Annotated[int, number_of(1, 1440)]
    attended: Annotated[int, number_of(0, 10_000), Field(description="how many came")] = 0
    clients: Annotated[list[Identifier], Field(max_length=500, default_factory=list)]
    words: Words | None = None


class SessionView(BaseModel):
    """Something somebody held or took part in."""

    session_id: UUID
    person: str
    kind: sessions.Kind
    title: str
    at: datetime
    minutes: int
    attended: Annotated[int, Field(description="how many came", examples=[12])]
    words: str | None


class Sessions(BaseModel):
    """What somebody held or took part in on some days; `lectures`: how many of this quarter's lectures are given (理财大讲堂)."""

    person: str
    sessions: list[SessionView]
    lectures: int
    lectures_owed: int


class PlanLineView(BaseModel):
    """A line of the plan of the day."""

    begins: Begins
    ends: Ends
    zh: str
    en: str


class DayPlanView(BaseModel):
    """The plan of the day that holds in a branch: headquarters', or the branch's own with who approved it."""

    branch_id: str
    on: date
    own: Annotated[bool, Field(description="whether it is the branch's own")]
    approved_by: str | None
    lines: list[PlanLineView]


class PlanLineGiven(Body):
    """A line of the plan of the day."""

    begins: Begins
    ends: Ends
    zh: Annotated[str, text_of(200, 1)]
    en: Annotated[str, text_of(200, 1)]


class NewDayPlan(Body):
    """A plan of the branch's own from a day on, and why; without lines headquarters' holds again."""

    effective_on: BusinessDate
    lines: Annotated[list[PlanLineGiven], Field(max_length=40)]
    reason: Annotated[str, text_of(400, 2), AfterValidator(mask_text)]


class PostView(BaseModel):
    """A post of a branch: its clients, how many holders they ask for, how many there are and are missing; `over`: managers who have
    more clients than they have room for."""

    branch_id: str
    seat: str
    name: str
    clients: int
    needed: Annotated[int, Field(description="how many the clients ask for", examples=[4])]
    present: Annotated[int, Field(description="how many there are", examples=[3])]
    missing: Annotated[int, Field(description="how many are missing", examples=[1])]
    over: Annotated[list[str], Field(description="who has more clients than they have room for", examples=[["s-17"]])]


class StageMonth(BaseModel):
    """A stage of life in a branch in a month: how many clients are in it at its end, came into it, left it."""

    branch_id: str | None
    stage: str
    clients: int
    came: int
    left: Annotated[int, Field(description="how many left it", examples=[2])]


class LostMonth(BaseModel):
    """The clients lost in a month in a branch: how many were explained, how many late, and the reasons with their numbers."""

    month: date
    branch_id: str | None
    clients: int
    explained: int
    overdue: int
    reasons: dict[str, int]


@routes.post("/sessions", status_code=201)
async def hold_session(actor: Holder, uow: Work, _: Once, body: NewSession) -> SessionView:
    """Enter an event, a lecture, help at a client's, a meeting of one's own; clients who came are contacts of the service log."""
    one = await sessions.hold(uow, sessions.Held(**body.model_dump()), actor.branch_id)
    return SessionView(**{name: getattr(one, name) for name in SessionView.model_fields})


@routes.get("/managers/{person}/sessions")
async def list_sessions(
    actor: Reader, sql: Reading, person: Identifier, since: BusinessDate, until: BusinessDate
) -> Sessions:
    """What somebody held or took part in, and what they owe of the quarter's lectures."""
    await see_person(sql, actor, person)
    found = await sessions.listed(sql, person, since, until)
    day = await today(sql)
    terms = (await Policies.read(sql)).activity.on(day).body
    quarter = await sessions.listed(sql, person, quarter_of(day), quarter_end_of(day))
    given = sum(one.kind == "lecture" for one in quarter)
    return Sessions(
        person=person, lectures=given, lectures_owed=max(terms.lectures_a_quarter - given, 0),
        sessions=[SessionView(**{name: getattr(one, name) for name in SessionView.model_fields}) for one in found],
    )  # fmt: skip


def _require_branch(actor: Actor, branch_id: str) -> None:
    if not actor.sees_all_branches and actor.branch_id != branch_id:
        raise NotFound


@routes.get("/branches/{branch_id}/day-plan")
async def read_day_plan(
    actor: PlanReader, sql: Reading, branch_id: Identifier, on: BusinessDate | None = None
) -> DayPlanView:
    """The plan of the day that holds in a branch."""
    _require_branch(actor, branch_id)
    day = on or await today(sql)
    own = await day_plans.in_force(sql, branch_id, day)
    lines = day_plans.lines_of(own, (await Policies.read(sql)).day_plan.on(day).body)
    return DayPlanView(
        branch_id=branch_id, on=day, own=own is not None, approved_by=own.approved_by if own else None,
        lines=[PlanLineView(begins=one.begins, ends=one.ends, zh=one.zh, en=one.en) for one in lines],
    )  # fmt: skip


@routes.post("/branches/{branch_id}/day-plan", status_code=202)
async def ask_for_day_plan(
    actor: PlanAsker, uow: Work, _: Once, branch_id: Identifier, body: NewDayPlan, accept_language: Language = ""
) -> ApprovalView:
    """Ask headquarters for a plan of the branch's own: it holds from its day on once somebody there approves."""
    _require_branch(actor, branch_id)
    asked = await day_plans.ask(
        uow, branch_id, body.effective_on, [one.model_dump() for one in body.lines], body.reason
    )
    return view("relationships", day_plans.PLANNED, asked, accept_language)


@routes.get("/staffing")
async def read_staffing(
    actor: Leader, sql: Reading, as_of: BusinessDate | None = None, accept_language: Language = ""
) -> list[PostView]:
    """By branch and post: what its clients ask for, who is there, who is missing (配置标准)."""
    day = as_of or await today(sql)
    policies = await Policies.read(sql)
    branch = None if actor.sees_all_branches else actor.branch_id or ""
    found = await staffing.gaps(sql, day, policies.staffing.on(day).body, policies.allocation.on(day).body, branch)
    return [
        PostView(
            branch_id=one.branch_id, seat=one.post.seat,
            name=Text(one.post.en, one.post.zh).in_language(preferred(accept_language)), clients=one.clients,
            needed=one.needed, present=one.present, missing=one.missing, over=list(one.over),
        )
        for one in found
    ]  # fmt: skip


@routes.get("/stages")
async def count_stages(actor: Leader, sql: Reading, month_end: BusinessDate) -> list[StageMonth]:
    """The stages of life of a month by branch: how many clients are in each, came and left."""
    scope, arguments = object_scope(actor, 3)
    return [
        StageMonth(branch_id=branch, stage=stage, clients=clients, came=came, left=left)
        for branch, stage, clients, came, left in await lost.stages(sql, month_end, scope, arguments)
    ]


@routes.get("/lost/months")
async def count_lost_by_month(actor: Leader, sql: Reading, until: BusinessDate) -> list[LostMonth]:
    """The twelve months up to a day: clients lost by month and branch, explained, late, and why (流失分析)."""
    scope, arguments = object_scope(actor, 6)
    found = await lost.of_year(sql, until, scope, arguments, (await Policies.read(sql)).hand_over)
    return [
        LostMonth(
            month=month, branch_id=one.branch_id, clients=one.lost, explained=one.explained, overdue=one.late,
            reasons=dict(one.reasons),
        )
        for month, one in found
    ]  # fmt: skip
