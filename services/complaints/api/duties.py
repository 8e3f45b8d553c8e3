"""What branches owe each month: nil reports [C15] and leader reception days with their visits [C16]."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field
from uuid_utils import uuid7

from chassis import staff
from chassis.actor import Actor, Role
from chassis.clock import start_of
from chassis.errors import Conflict, FieldError, Invalid, NotFound, Text
from chassis.http import Purpose, Reading, Work, permits, require_sight, router
from chassis.http.persons import PersonId
from chassis.personal import mask_text
from chassis.personal.keys import Value
from chassis.personal.reading import reveal
from chassis.timeline import today
from contracts.fields import BusinessDate, Code, Id, Identifier, Label
from services.complaints import cases
from services.complaints.api.findings import Made
from services.complaints.api.shapes import READERS, NotOver
from services.complaints.forms import Body, Day, Entered, Words
from services.complaints.packs.figures import Period, period_of, read_figures
from services.complaints.packs.making import branches

routes = router("/v1/complaints", "complaints")
Reader = Annotated[Actor, permits("complaints.duties:read", *READERS)]
Manager = Annotated[Actor, permits("complaints.duties:file", Role.BRANCH_MANAGER)]


class NotNil(Conflict):
    """The branch has complaints in that month: there is nothing nil to report."""

    title = Text("The branch has complaints in that month", "该月有投诉，不能零报告")


@routes.put("/branches/{branch_id}/nil-reports/{month}", status_code=201)
async def file_nil_report(actor: Manager, uow: Work, branch_id: Identifier, month: Code) -> Made:
    """Report a month without complaints (零报告); once more is a repeat [C15]."""
    period = _month(month)
    _own_branch(actor, branch_id)
    if await today(uow.sql) <= period.last:
        raise NotOver
    if await uow.sql.fetchval(
        """SELECT EXISTS (SELECT FROM cases WHERE branch_id = $1 AND received_on BETWEEN $2 AND $3
                          AND kind = 'complaint')""",
        branch_id,
        period.first,
        period.last,
    ):
        raise NotNil
    await uow.sql.execute(
        """INSERT INTO nil_reports AS n (branch_id, month, filed_by, filed_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (branch_id, month) DO UPDATE SET filed_by = $3, filed_at = $4, cancelled_at = NULL,
               cancelled_by = NULL, cancel_reason = NULL WHERE n.cancelled_at IS NOT NULL""",
        branch_id,
        period.first,
        actor.person,
        uow.now,
    )
    uow.audit("file nil report", f"branch/{branch_id}", month=month)
    return Made(id=f"{branch_id}/{month}")


class NilReport(BaseModel):
    """A nil report as it stands. `void`: a complaint of its month has appeared since, the first of them `void_since`."""

    month: date
    filed_by: str = Field(description="who filed it", examples=["B1-director"])
    filed_at: datetime = Field(description="when it was filed", examples=["2009-04-01T01:00:00Z"])
    void: bool = Field(description="a complaint of its month has appeared", examples=[False])
    void_since: datetime | None = Field(description="when the first of them was recorded", examples=[None])
    cancelled_at: datetime | None
    cancelled_by: str | None = Field(description="who cancelled it", examples=["B1-director"])
    cancel_reason: str | None = Field(description="why it was cancelled", examples=["entered for the wrong month"])


@routes.get("/branches/{branch_id}/nil-reports")
async def read_nil_reports(actor: Reader, sql: Reading, branch_id: Identifier) -> list[NilReport]:
    """The last 24 nil reports of a branch, newest first: one is void when a complaint of its month appears."""
    require_sight(actor, "", branch_id, centre=True)
    rows = await sql.fetch(
        """SELECT n.*, v.since IS NOT NULL AS void, v.since AS void_since FROM nil_reports n
           CROSS JOIN LATERAL (SELECT min(s.recorded_at) AS since FROM cases c
               JOIN act_steps s ON s.object = 'case/' || c.case_id AND s.number = 1
               WHERE c.branch_id = n.branch_id AND c.kind = 'complaint' AND NOT c.restricted
                 AND c.received_on >= n.month AND c.received_on < n.month + interval '1 month') v
           WHERE n.branch_id = $1 ORDER BY n.month DESC LIMIT 24""",
        branch_id,
    )
    return [NilReport.model_validate(dict(row)) for row in rows]


class Cancellation(Body):
    """Why a record does not stand."""

    reason: Words


@routes.post("/branches/{branch_id}/nil-reports/{month}/cancellation")
async def cancel_nil_report(actor: Manager, uow: Work, branch_id: Identifier, month: Code, body: Cancellation) -> Made:
    """Cancel a nil report; that it was filed and why it does not stand stay known, and another may be filed."""
    _own_branch(actor, branch_id)
    await _cancel(uow, "nil_reports", "month", branch_id, _month(month).first, body.reason)
    return Made(id=f"{branch_id}/{month}")


async def _cancel(uow: Work, table: str, column: str, branch_id: str, day: date, reason: str) -> None:
    done = await uow.sql.fetchval(
        f"""UPDATE {table} SET cancelled_at = $3, cancelled_by = $4, cancel_reason = $5
            WHERE branch_id = $1 AND {column} = $2 AND cancelled_at IS NULL RETURNING true""",
        branch_id,
        day,
        uow.now,
        uow.actor.person,
        reason,
    )
    if not done:
        raise NotFound
    what = {"nil_reports": "cancel nil report", "reception_days": "cancel reception day"}[table]
    uow.audit(what, f"branch/{branch_id}", day=day.isoformat(), reason=reason)


def _month(name: str) -> Period:
    period = period_of(name)
    if period.first.month != period.last.month:
        raise Invalid(errors=(FieldError("/month", "is not YYYY-MM"),))
    return period


def _own_branch(actor: Actor, branch_id: str) -> None:
    if actor.branch_id != branch_id:
        raise NotFound


class ReceptionDay(Body):
    """A published leader reception day (领导接待日) [C16]."""

    day: Day
    leader: PersonId


class Visit(Body):
    """Somebody who came; what became of it is tracked [C16]."""

    visitor: Label
    matter: Words
    outcome: Words | None = None
    case_id: Id | None = None


@routes.put("/branches/{branch_id}/reception-days", status_code=201)
async def publish_reception_day(actor: Manager, uow: Work, branch_id: Identifier, body: ReceptionDay) -> Made:
    """Publish a reception day to come, held by somebody who works at the branch on that day."""
    _own_branch(actor, branch_id)
    if body.day < await today(uow.sql):
        raise Invalid(errors=(FieldError("/day", "does not lie ahead: a day is published before it is held"),))
    await _require_leader(uow, branch_id, body)
    await uow.sql.execute(
        """INSERT INTO reception_days (branch_id, day, leader, published_at, published_by) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (branch_id, day) DO UPDATE SET leader = excluded.leader, cancelled_at = NULL, cancelled_by = NULL,
               cancel_reason = NULL""",
        branch_id,
        body.day,
        body.leader,
        uow.now,
        actor.person,
    )
    uow.audit("publish reception day", f"branch/{branch_id}", day=body.day.isoformat())
    return Made(id=f"{branch_id}/{body.day}")


async def _require_leader(uow: Work, branch_id: str, body: ReceptionDay) -> None:
    people = await staff.roster(uow.sql)
    if not people.people:
        return
    person = people.person(body.leader, uow.now)
    if person is None or person.branch_id != branch_id or people.has_left(body.leader, start_of(body.day)):
        raise Invalid(errors=(FieldError("/leader", "does not work at this branch on that day"),))


@routes.post("/branches/{branch_id}/reception-days/{day}/cancellation")
async def cancel_reception_day(
    actor: Manager, uow: Work, branch_id: Identifier, day: BusinessDate, body: Cancellation
) -> Made:
    """Cancel a reception day with the reason; a month without another owes one."""
    _own_branch(actor, branch_id)
    await _cancel(uow, "reception_days", "day", branch_id, day, body.reason)
    return Made(id=f"{branch_id}/{day}")


@routes.post("/branches/{branch_id}/reception-days/{day}/visits", status_code=201)
async def register_visit(actor: Manager, uow: Work, branch_id: Identifier, day: BusinessDate, body: Visit) -> Made:
    """Register a visit to a reception day."""
    _own_branch(actor, branch_id)
    known = await uow.sql.fetchval(
        "SELECT true FROM reception_days WHERE branch_id = $1 AND day = $2 AND cancelled_at IS NULL", branch_id, day
    )
    if not known:
        raise NotFound
    if day > await today(uow.sql):
        raise Invalid(errors=(FieldError("/day", "lies ahead: a visit is registered on its day or after it"),))
    await _require_case(uow, body.case_id)
    made = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        """INSERT INTO reception_visits (id, branch_id, day, visitor, matter, outcome, case_id, recorded_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        made,
        branch_id,
        day,
        await uow.database.keyring.seal_one(f"visit:{made}", "visitor", body.visitor),
        mask_text(body.matter),
        mask_text(body.outcome) if body.outcome else None,
        body.case_id,
        actor.person,
    )
    uow.audit("register visit", f"branch/{branch_id}", visit=str(made))
    return Made(id=str(made))


async def _require_case(uow: Work, case_id: UUID | None) -> None:
    """The case a visit led to is one its branch can see."""
    if case_id is None:
        return
    try:
        await cases.seen(uow.sql, uow.actor, case_id)
    except NotFound:
        raise Invalid(errors=(FieldError("/case_id", "is no case"),)) from None


class Visitor(BaseModel):
    """Who came: in full for the branch's manager who follows it up, else masked. Null: erased."""

    visit_id: UUID
    in_full: bool
    visitor: str | None


@routes.get("/branches/{branch_id}/visits/{visit_id}/contact")
async def read_visitor(actor: Reader, uow: Work, purpose: Purpose, branch_id: Identifier, visit_id: Id) -> Visitor:
    """The visitor of a reception day. A read carries a purpose and is recorded."""
    require_sight(actor, "", branch_id)
    visit = await uow.sql.fetchrow(
        "SELECT visitor, recorded_by FROM reception_visits WHERE id = $1 AND branch_id = $2", visit_id, branch_id
    )
    if visit is None:
        raise NotFound
    in_full = actor.person == visit["recorded_by"] or (
        actor.role is Role.BRANCH_MANAGER and actor.branch_id == branch_id
    )
    fields = {"visitor": Value(f"visit:{visit_id}", "visitor", visit["visitor"])}
    known = await reveal(uow, f"visit/{visit_id}", fields, purpose, in_full=in_full, key=f"branch/{branch_id}")
    return Visitor(visit_id=visit_id, in_full=in_full, **known)


class VisitOutcome(Entered):
    """What became of a visit."""

    outcome: Words
    case_id: Id | None = None


@routes.post("/branches/{branch_id}/visits/{visit_id}/outcome")
async def note_outcome(actor: Manager, uow: Work, branch_id: Identifier, visit_id: Id, body: VisitOutcome) -> Made:
    """Note what became of a visit; a later word replaces an earlier one, and both stay in the audit."""
    _own_branch(actor, branch_id)
    await _require_case(uow, body.case_id)
    done = await uow.sql.fetchval(
        """UPDATE reception_visits SET outcome = $3, case_id = coalesce($4, case_id)
           WHERE id = $1 AND branch_id = $2 RETURNING true""",
        visit_id,
        branch_id,
        mask_text(body.outcome),
        body.case_id,
    )
    if not done:
        raise NotFound
    uow.audit("note outcome of visit", f"branch/{branch_id}", visit=str(visit_id), outcome=mask_text(body.outcome))
    return Made(id=str(visit_id))


class VisitShown(BaseModel):
    """A visit; who came is not shown."""

    id: UUID
    matter: str
    outcome: str | None
    case_id: Id | None


class ReceptionDayShown(BaseModel):
    """A published reception day with its visits; one that was cancelled says when and why."""

    day: date
    leader: str
    published_at: datetime
    cancelled_at: datetime | None
    cancel_reason: str | None = Field(description="why it was cancelled", examples=["the leader is ill"])
    visits: list[VisitShown]


@routes.get("/branches/{branch_id}/reception-days")
async def read_reception_days(actor: Reader, sql: Reading, branch_id: Identifier) -> list[ReceptionDayShown]:
    """The last 24 reception days of a branch, newest first, with every visit and what became of it."""
    require_sight(actor, "", branch_id, centre=True)
    days = await sql.fetch(
        """SELECT day, leader, published_at, cancelled_at, cancel_reason FROM reception_days
           WHERE branch_id = $1 ORDER BY day DESC LIMIT 24""",
        branch_id,
    )
    visits = await sql.fetch(
        """SELECT id, day, matter, outcome, case_id FROM reception_visits
           WHERE branch_id = $1 AND day = ANY($2::date[]) ORDER BY id""",
        branch_id,
        [row["day"] for row in days],
    )
    return [
        ReceptionDayShown.model_validate(
            dict(row) | {"visits": [dict(visit) for visit in visits if visit["day"] == row["day"]]}
        )
        for row in days
    ]


class Missing(BaseModel):
    """What a branch still owes for a month."""

    branch_id: str
    nil_report: bool
    reception_day: bool


@routes.get("/duties/{month}")
async def read_duties(actor: Reader, sql: Reading, month: Code) -> list[Missing]:
    """Which branches owe a nil report, and which published no reception day in a month [C15, C16]."""
    figures = await read_figures(sql, _month(month), await branches(sql))
    owing = sorted({*figures.missing_nil_reports, *figures.missing_reception_days})
    return [
        Missing(
            branch_id=branch,
            nil_report=branch in figures.missing_nil_reports,
            reception_day=branch in figures.missing_reception_days,
        )
        for branch in owing
        if actor.sees_all_branches or actor.branch_id == branch
    ]
