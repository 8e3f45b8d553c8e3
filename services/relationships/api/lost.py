"""Lost clients over HTTP: reasons due, and what a month comes to [A19]."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.calendars import current
from chassis.http import Reading, object_scope, permits, router
from chassis.timeline import today
from contracts.fields import BusinessDate
from services.relationships import lost
from services.relationships.api.shapes import STAFF
from services.relationships.policy import Policies

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.lost:read", *STAFF)]
MOST = 10_000


class LostClient(BaseModel):
    """A client who was lost: their last owner, since when, until when a reason is due, and the reason."""

    client_id: str
    branch_id: str | None
    person: str | None
    since: date
    due_on: date
    reason: str | None
    given_on: date | None
    late: bool


class LostFigures(BaseModel):
    """What the lost clients of a branch come to: how many were explained, how many late, and the reasons with their numbers."""

    branch_id: str | None
    clients: int
    explained: int
    overdue: int
    reasons: dict[str, int]


async def _found(actor: Actor, sql: Reading, since: date, until: date, as_of: date | None) -> list[lost.Explained]:
    scope, arguments = object_scope(actor, 6)
    whose = actor.person if actor.role is Role.CLIENT_MANAGER else None
    day = as_of or await today(sql)
    terms, calendar = (await Policies.read(sql)).hand_over, await current(sql)
    return await lost.listed(sql, day, since, until, whose, scope, arguments, terms, calendar, MOST)


@routes.get("/lost")
async def list_lost(
    actor: Reader, sql: Reading, since: BusinessDate, until: BusinessDate, as_of: BusinessDate | None = None
) -> list[LostClient]:
    """Clients lost between two days, with the reason (CI-S22) that their manager enters within five working days; managers read their own."""
    return [
        LostClient(
            client_id=one.one.client_id, branch_id=one.one.branch_id, person=one.one.person, since=one.one.since,
            due_on=one.due, reason=one.one.reason, given_on=one.one.given_on, late=one.late,
        )
        for one in await _found(actor, sql, since, until, as_of)
    ]  # fmt: skip


@routes.get("/lost/figures")
async def count_lost(
    actor: Reader, sql: Reading, since: BusinessDate, until: BusinessDate, as_of: BusinessDate | None = None
) -> list[LostFigures]:
    """Lost clients of a time by branch and reason (流失分析)."""
    return [
        LostFigures(
            branch_id=one.branch_id,
            clients=one.lost,
            explained=one.explained,
            overdue=one.late,
            reasons=dict(one.reasons),
        )
        for one in lost.figures(await _found(actor, sql, since, until, as_of))
    ]
