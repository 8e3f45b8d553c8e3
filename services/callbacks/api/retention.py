"""Retention over HTTP: reasons, what to say to them, drills and the branches that owe one [A20]."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field
from uuid_utils.compat import uuid7

from chassis import staff
from chassis.actor import Actor
from chassis.clock import end_of
from chassis.errors import NotFound
from chassis.http import Listing, Once, Page, Reading, Work, router
from chassis.timeline import today
from contracts.fields import Code, Id, Identifier, text_of
from services.callbacks import evidence, retention
from services.callbacks.api.access import Day, Leader, Reader

routes = router("/v1/callbacks/retention", "callbacks retention")


class Drill(BaseModel):
    """A drill to record: `participants` by staff id with the role each played; `reference` of its record or photos."""

    branch_id: Identifier
    held_on: Day
    scenario: Code = Field(description="the reason that was rehearsed")
    participants: dict[Identifier, Code] = Field(min_length=1, max_length=200)
    reference: Annotated[str, text_of(200, 3)]
    lessons: Annotated[str, text_of(4000, 5)]


class Held(BaseModel):
    """A drill that was held."""

    drill_id: UUID
    branch_id: str
    held_on: Day
    scenario: str
    participants: dict[str, str]
    evidence_id: str
    lessons: str
    recorded_by: str
    recorded_at: datetime
    cancelled_at: datetime | None
    cancelled_by: str | None = Field(description="who cancelled it", examples=["B1-director"])
    cancel_reason: str | None = Field(description="why it was cancelled", examples=["entered for the wrong branch"])


@routes.get("/reasons")
async def read_reasons(
    actor: Leader, sql: Reading, start: Annotated[Day, Query(alias="from")], end: Annotated[Day, Query(alias="to")]
) -> list[dict[str, Any]]:
    """Why clients asked to leave and what came of it, the most frequent reason first."""
    return await retention.reasons(sql, start, end, None if actor.sees_all_branches else actor.branch_id or "-")


@routes.get("/plays")
async def read_plays(actor: Reader, sql: Reading, on: Day) -> list[dict[str, Any]]:
    """What may be said to each reason; those heard most in recent years first."""
    return await retention.plays(sql, on)


@routes.post("/drills", status_code=201)
async def hold_drill(actor: Leader, uow: Work, once: Once, given: Drill) -> Held:
    """Record a drill of a branch."""
    if not actor.sees_all_branches and actor.branch_id != given.branch_id:
        raise NotFound
    drill_id = uuid7()
    evidence_id = await evidence.refer(uow, f"branch:{given.branch_id}", "visit", given.reference)
    day = await today(uow.sql)
    await retention.hold_drill(
        uow,
        drill_id,
        given.branch_id,
        given.held_on,
        day,
        given.scenario,
        given.participants,
        evidence_id,
        given.lessons,
    )
    row = await uow.sql.fetchrow("SELECT * FROM drills WHERE drill_id = $1", drill_id)
    assert row is not None
    return Held.model_validate(dict(row))


@routes.get("/drills")
async def list_drills(actor: Leader, sql: Reading, page: Page) -> Listing[Held]:
    """Drills of the own branch, or all; newest first."""
    branch = None if actor.sees_all_branches else actor.branch_id or "-"
    rows = await retention.drills(sql, branch, page.after, page.limit + 1)
    found = page.result([dict(row) for row in rows], lambda row: (row["held_on"], row["drill_id"]))
    return Listing[Held].model_validate(found)


class Cancellation(BaseModel):
    """Why a record does not stand."""

    reason: Annotated[str, text_of(1000, 2)]


@routes.post("/drills/{drill_id}/cancellation")
async def cancel_drill(actor: Leader, uow: Work, _once: Once, drill_id: Id, body: Cancellation) -> Held:
    """Cancel a drill of the own branch with the reason; the branch owes one again."""
    branch = None if actor.sees_all_branches else actor.branch_id or "-"
    return Held.model_validate(dict(await retention.cancel_drill(uow, drill_id, branch, body.reason)))


@routes.get("/drills/owed")
async def list_owed(actor: Leader, sql: Reading, on: Day) -> list[dict[str, Any]]:
    """Branches that held no drill in their time."""
    return await retention.without_drill(sql, await _branches(sql, actor, on), on)


async def _branches(sql: Any, actor: Actor, on: Day) -> list[str]:
    if not actor.sees_all_branches:
        return [actor.branch_id] if actor.branch_id else []
    roster = await staff.roster(sql)
    at = end_of(on)
    return sorted(
        one
        for one in roster.places
        if (found := roster.branch(one, at)) and not (found.closed_on and found.closed_on <= on)
    )
