"""Cadence over HTTP: whom to contact next, months below the minimum, contacts a client still allows [A7, A7a, RE4]."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Reading, object_scope, permits, router
from chassis.timeline import effective_now, today
from contracts.fields import BusinessDate, Code, Identifier
from services.relationships import activity, budget, cadence, managers
from services.relationships.api.shapes import STAFF, see_client, see_person
from services.relationships.policy import Policies
from services.relationships.spot_checks import people_of

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.cadence:read", *STAFF)]
Leader = Annotated[
    Actor, permits("relationships.cadence:figures", Role.BRANCH_MANAGER, Role.HQ, Role.OPERATIONS, Role.COMPLIANCE)
]


class RhythmView(BaseModel):
    """A client against their interval: `behind` is how far they are over it, in intervals (1.00: twice as long as ideal)."""

    client_id: str
    tier: Code
    core: bool
    last_at: datetime | None
    days: int
    ideal: int
    longest: int
    behind: Decimal
    too_long: bool


class ShortfallView(BaseModel):
    """Whose clients of a tier were in contact too rarely two months running: a proposal to give some of them to others [A7]."""

    person: str
    branch_id: str
    tier: Code
    clients: int
    met: int
    clients_before: int
    met_before: int


class MemberView(BaseModel):
    """Somebody of a branch this week: clients against room, those over their own interval and beyond the longest, and points of
    activity planned, done and still to do; no plan: none."""

    person: str
    clients: int
    room: int = Field(description="for how many clients there is room", examples=[120])
    overdue: int
    too_long: int
    core_too_long: int = Field(description="core clients beyond the longest interval", examples=[1])
    planned: int | None = Field(description="points planned for the week", examples=[15])
    done: int = Field(description="points", examples=[9])
    to_do: int = Field(description="points of the plan that are not done", examples=[6])


class ContactBudget(BaseModel):
    """How many contacts of this month are taken, and how many the client allows; none: no limit."""

    client_id: str
    used: int
    most: int | None


@routes.get("/managers/{person}/cadence")
async def list_rhythm(
    actor: Reader, sql: Reading, person: Identifier, as_of: BusinessDate | None = None
) -> list[RhythmView]:
    """My clients: the longest overdue by their tier's own interval first. Any valid two-way contact counts, of whoever's."""
    await see_person(sql, actor, person)
    day: date = as_of or await today(sql)
    found = await cadence.rhythm(sql, person, day, (await Policies.read(sql)).cadence.on(day).body)
    return [
        RhythmView(
            client_id=one.client_id, tier=one.tier, core=one.core, last_at=one.last_at, days=one.days, ideal=one.ideal,
            longest=one.longest, behind=one.overdue, too_long=one.days > one.longest,
        )
        for one in found
    ]  # fmt: skip


@routes.get("/cadence/shortfalls")
async def list_shortfalls(actor: Leader, sql: Reading, month_end: BusinessDate) -> list[ShortfallView]:
    """Who was below the minimum in the month that ended on a day, and in the one before, by tier."""
    scope, arguments = object_scope(actor, 4)
    terms = (await Policies.read(sql)).cadence.on(month_end).body
    found = await cadence.shortfalls(sql, month_end, terms, scope, arguments)
    return [
        ShortfallView(**{name: getattr(one, name) for name in cadence.Shortfall.__struct_fields__}) for one in found
    ]


@routes.get("/branches/{branch_id}/board")
async def show_board(actor: Leader, sql: Reading, branch_id: Identifier) -> list[MemberView]:
    """Everybody who works in a branch now: their clients by overdue and interval, and what the week counts against its plan."""
    if actor.branch_id not in (None, branch_id) and not actor.sees_all_branches:
        raise NotFound
    people, day = await people_of(sql, branch_id, await effective_now(sql)), await today(sql)
    policies = await Policies.read(sql)
    behind = await cadence.behind(sql, people, day, policies.cadence.on(day).body)
    room = await managers.capacities_of(sql, people, policies.allocation.on(day).body)
    first, last = activity.bounds("week", day)
    terms, minutes = policies.activity.on(first).body, policies.service_log.on(first).body.same_minutes
    done = await activity.done(sql, people, first, last, terms, minutes)
    plans = await activity.plans_of(sql, people, "week", [first])
    board = []
    for person in people:
        clients, plan = behind.get(person, cadence.Behind(person, 0, 0, 0, 0)), plans.get((person, first))
        planned = activity.wanted(plan) if plan else None
        board.append(
            MemberView(
                person=person, clients=clients.clients, room=room[person], overdue=clients.overdue,
                too_long=clients.too_long, core_too_long=clients.core_too_long,
                planned=activity.points(planned, terms) if planned else None, done=activity.points(done[person], terms),
                to_do=activity.points(planned.less(done[person]), terms) if planned else 0,
            )
        )  # fmt: skip
    return board


@routes.get("/clients/{client_id}/contact-budget")
async def read_contact_budget(actor: Reader, sql: Reading, client_id: Identifier) -> ContactBudget:
    """Contacts that all services together may still have with a client this month, beside those required."""
    await see_client(sql, actor, client_id)
    now = await effective_now(sql)
    return ContactBudget(
        client_id=client_id,
        used=await budget.used_of(sql, client_id, now),
        most=await budget.most_of(sql, client_id, now),
    )
