"""Activity over HTTP: plans, what was done, the log of a day [A13]."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel

from chassis.actor import Actor
from chassis.errors import FieldError
from chassis.http import Reading, Work, permits, router
from chassis.personal import mask_text
from chassis.rows import columns, fetch
from chassis.timeline import today
from contracts.fields import BusinessDate, Identifier, number_of, text_of
from services.relationships import activity
from services.relationships.activity import DayNote, Done, Period, Plan
from services.relationships.api.service_log import ContactView, shown
from services.relationships.api.shapes import DESK, STAFF, Body, see_person
from services.relationships.errors import WrongValue
from services.relationships.policy import Activity, Policies

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.activity:read", *STAFF)]
Planner = Annotated[Actor, permits("relationships.activity:plan", *DESK)]
Number = Annotated[int, number_of(0, 10_000)]
Words = Annotated[str, text_of(4000, 1), AfterValidator(mask_text)]


class Amounts(BaseModel):
    """How many visits, calls, talks at the branch and new clients, and what they count."""

    visits: int
    calls: int
    on_site: int
    new_clients: int
    points: int


class DoneAmounts(Amounts):
    """What was done. `unready` visits, without appointment or preparation, count nothing; `self_reported`: entered by hand alone."""

    unready: int
    self_reported: int


class PlanView(Amounts):
    """What is planned from a day on."""

    begins: date
    words: str | None
    entered_by: str


class ActivityView(BaseModel):
    """A day, a week or a month of somebody: plan, done, gap, and the plan for the next one (周工作总结)."""

    person: str
    period: Period
    begins: date
    ends: date
    plan: PlanView | None
    done: DoneAmounts
    gap: Amounts | None
    following: PlanView | None


class DayLog(BaseModel):
    """The log of a day (工作日志), made from evidence: what is entered by hand only fills the gaps."""

    person: str
    day: date
    done: DoneAmounts
    contacts: list[ContactView]
    new_clients: list[str]
    plan: PlanView | None
    following: PlanView | None
    words: str | None


class NewPlan(Body):
    """What somebody plans for the period that begins on a day."""

    visits: Number = 0
    calls: Number = 0
    on_site: Number = 0
    new_clients: Number = 0
    words: Words | None = None


class Learnt(Body):
    """What somebody learnt on a day."""

    words: Words


@routes.get("/managers/{person}/activity")
async def read_activity(
    actor: Reader, sql: Reading, person: Identifier, period: Period = "week", on: BusinessDate | None = None
) -> ActivityView:
    """Plan, done and gap of the period a day lies in; of this one without."""
    await see_person(sql, actor, person)
    first, last = activity.bounds(period, on or await today(sql))
    policies = await Policies.read(sql)
    terms, minutes = policies.activity.on(first).body, policies.service_log.on(first).body.same_minutes
    following = last + timedelta(days=1)
    plans = await activity.plans_of(sql, [person], period, [first, following])
    done = (await activity.done(sql, [person], first, last, terms, minutes))[person]
    planned = plans.get((person, first))
    gap = activity.wanted(planned).less(done) if planned else None
    return ActivityView(
        person=person, period=period, begins=first, ends=last, plan=_plan(planned, terms),
        done=DoneAmounts(**asdict(done), points=activity.points(done, terms)),
        gap=_amounts(gap, terms) if gap else None, following=_plan(plans.get((person, following)), terms),
    )  # fmt: skip


@routes.put("/managers/{person}/plans/{period}/{begins}")
async def plan_activity(
    actor: Planner, uow: Work, person: Identifier, period: Period, begins: BusinessDate, body: NewPlan
) -> PlanView:
    """Plan a day, a week or a month that is not over: one's own, or who leads the branch somebody's."""
    await see_person(uow.sql, actor, person)
    first, last = activity.bounds(period, begins)
    wrong = "is no first day" if begins != first else "is over" if last < await today(uow.sql) else ""
    if wrong:
        raise WrongValue(errors=(FieldError("/begins", wrong),))
    one = Plan(
        person,
        period,
        begins,
        body.visits,
        body.calls,
        body.on_site,
        body.new_clients,
        body.words,
        actor.person,
        uow.now,
    )
    await activity.plan(uow, one)
    shown_plan = _plan(one, (await uow.policies(Policies)).activity.on(begins).body)
    assert shown_plan is not None
    return shown_plan


@routes.get("/managers/{person}/days/{day}")
async def read_day(actor: Reader, sql: Reading, person: Identifier, day: BusinessDate) -> DayLog:
    """The log of somebody's day: contacts as every service saw them, visits, new clients, what was planned and what comes next."""
    await see_person(sql, actor, person)
    policies = await Policies.read(sql)
    terms, minutes = policies.activity.on(day).body, policies.service_log.on(day).body.same_minutes
    found = await activity.contacts_of(sql, [person], day, day, minutes)
    new = [client_id for _, client_id in await activity.new_clients_of(sql, [person], day, day)]
    done = activity.tally(found, await activity.visits_of(sql, [person], day, day), new, terms)
    tomorrow = day + timedelta(days=1)
    plans = await activity.plans_of(sql, [person], "day", [day, tomorrow])
    notes = await fetch(
        sql, DayNote, f"SELECT {columns(DayNote)} FROM day_notes WHERE person = $1 AND day = $2", person, day
    )
    return DayLog(
        person=person, day=day, done=DoneAmounts(**asdict(done), points=activity.points(done, terms)),
        contacts=[shown(actor, one) for one, _ in found], new_clients=new, plan=_plan(plans.get((person, day)), terms),
        following=_plan(plans.get((person, tomorrow)), terms), words=notes[0].words if notes else None,
    )  # fmt: skip


@routes.put("/managers/{person}/days/{day}")
async def note_day(actor: Planner, uow: Work, person: Identifier, day: BusinessDate, body: Learnt) -> DayLog:
    """Write down what one learnt on a day; everybody their own."""
    if actor.person != person:
        raise WrongValue(errors=(FieldError("/person", "everybody writes their own"),))
    if day > await today(uow.sql):
        raise WrongValue(errors=(FieldError("/day", "lies in the future"),))
    await activity.note(uow, person, day, body.words)
    return await read_day(actor, uow.sql, person, day)


def _amounts(one: Done, terms: Activity) -> Amounts:
    return Amounts(
        visits=one.visits, calls=one.calls, on_site=one.on_site, new_clients=one.new_clients,
        points=activity.points(one, terms),
    )  # fmt: skip


def _plan(one: Plan | None, terms: Activity) -> PlanView | None:
    if one is None:
        return None
    amounts = _amounts(activity.wanted(one), terms).model_dump()
    return PlanView(**amounts, begins=one.begins, words=one.words, entered_by=one.entered_by)
