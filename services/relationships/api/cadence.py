"""Cadence over HTTP: whom to contact next, months below the minimum, contacts a client still allows [A7, A7a, RE4]."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.http import Reading, object_scope, permits, router
from chassis.timeline import effective_now, today
from contracts.fields import BusinessDate, Code, Identifier
from services.relationships import budget, cadence
from services.relationships.api.shapes import STAFF, see_client, see_person
from services.relationships.policy import Policies

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.cadence:read", *STAFF)]
Leader = Annotated[Actor, permits("relationships.cadence:figures", Role.BRANCH_MANAGER, Role.HQ, Role.OPERATIONS)]


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
