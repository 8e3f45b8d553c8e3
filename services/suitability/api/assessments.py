"""Levels and professional status over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any

import asyncpg
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.http import Reading, Work, permits, router
from chassis.timeline import today
from contracts.fields import Code, Identifier, Instant, number_of
from services.suitability import assessments, explain, history, professionals
from services.suitability.api.shapes import (
    CONTROL,
    DESK,
    EVERYBODY,
    Body,
    Day,
    Reference,
    Words,
    require_client,
    see_client,
)
from services.suitability.levels import held_in
from services.suitability.policy import Policies, ProfessionalClass, ProofItem

routes = router("/v1/suitability", "suitability")
Reader = Annotated[Actor, permits("suitability.assessments:read", *EVERYBODY)]
Asker = Annotated[Actor, permits("suitability.professionals:request", Role.CLIENT, *DESK)]
Checker = Annotated[Actor, permits("suitability.professionals:check", *CONTROL)]
Ender = Annotated[Actor, permits("suitability.professionals:end", Role.CLIENT, *DESK, *CONTROL[1:])]


class Assessment(BaseModel):
    """A level with its first and last day."""

    assessment_id: str
    scheme: str
    level: str
    valid_from: date
    valid_until: date
    source: str
    submission_id: str | None
    rejected: bool


class LevelInForce(BaseModel):
    """A level from a day through another, both included; `level_in_firm` is what it counts as in the firm's scheme."""

    since: date
    until: date
    scheme: str
    level: str
    level_in_firm: str
    assessment_id: str
    source: str
    assessed_at: datetime
    recorded_at: datetime


class Levels(BaseModel):
    """The levels in force over time, as known at an instant (null: now)."""

    client_id: str
    branch_id: str | None
    as_of: date
    known_at: datetime | None
    scheme: str
    in_force: LevelInForce | None
    levels: list[LevelInForce]


class Proof(Body):
    """One item that the article asks for: how high (CNY, years, points of the test; 1: it is there), and its evidence."""

    item: ProofItem
    value: Annotated[int, number_of(1, 10**13)] = 1
    evidence: Reference


class ProfessionalRequest(Body):
    """The class asked for, with what its article asks for [Art. 8, Art. 11]."""

    professional_class: ProfessionalClass
    items: Annotated[list[Proof], Field(max_length=20)]
    proof: Annotated[Reference | None, Field(description="what holds all of it together")] = None


class Status(BaseModel):
    """What a client is from a day on; without a category an ordinary investor."""

    since: date
    category: ProfessionalClass | None
    until: date | None
    request_id: str | None
    recorded_at: datetime


class ProfessionalView(BaseModel):
    """The client's status as professional investor on a day, what proved it, and what it was and will be over time."""

    client_id: str
    as_of: date
    category: ProfessionalClass | None
    since: date | None
    until: date | None
    request_id: str | None
    proof: str | None
    items: list[dict[str, Any]]
    waiting: str | None = Field(description="a request that waits for a second person")
    history: list[Status]


class Approval(Body):
    """Whether the proof holds."""

    approve: bool


class Ending(Body):
    """Why the client is an ordinary investor again."""

    reason: Words


@routes.get("/clients/{client_id}")
async def read_level(actor: Reader, sql: Reading, client_id: Identifier, as_of: Day | None = None) -> dict[str, Any]:
    """The level in force today, or on a day, and every assessment of the client."""
    branch = await see_client(sql, actor, client_id)
    found = await explain.level(sql, client_id, as_of or await today(sql))
    made = [Assessment.model_validate(row) for row in await assessments.history(sql, client_id)]
    names = ("client_id", "as_of", "scheme", "level", "policy")
    status = await _status(sql, client_id, found["as_of"])
    return {
        **{name: found[name] for name in names},
        "branch_id": branch,
        "professional": {"category": status.category, "since": status.since, "until": status.until},
        "assessments": made,
    }


@routes.get("/clients/{client_id}/levels")
async def read_levels(
    actor: Reader, sql: Reading, client_id: Identifier, as_of: Day | None = None, known_at: Instant | None = None
) -> Levels:
    """The levels in force up to a day (today), each with the days it held, as known at an instant [Q5]."""
    branch, day = await see_client(sql, actor, client_id), as_of or await today(sql)
    policy = (await Policies.read(sql)).on(day)
    levels = [
        LevelInForce(
            since=one.since,
            until=one.until,
            scheme=one.made.scheme,
            level=one.made.level,
            level_in_firm=policy.own_scheme.level(held_in(one.made.scheme, one.made.rank, policy.scheme)).code,
            assessment_id=one.made.assessment_id,
            source=one.made.source,
            assessed_at=one.made.assessed_at,
            recorded_at=one.made.recorded_at,
        )
        for one in history.stretches((await history.read(sql, [client_id], known_at))[client_id])
        if one.since <= day
    ]
    return Levels(
        client_id=client_id,
        branch_id=branch,
        as_of=day,
        known_at=known_at,
        scheme=policy.scheme,
        in_force=next((one for one in levels if one.until >= day), None),
        levels=levels,
    )


@routes.get("/clients/{client_id}/explain")
async def explain_level(actor: Reader, sql: Reading, client_id: Identifier, as_of: Day | None = None) -> dict[str, Any]:
    """Why the client has this level: inputs, rule version, and the sentence a client can read."""
    await see_client(sql, actor, client_id)
    found = await explain.level(sql, client_id, as_of or await today(sql))
    if actor.role is Role.CLIENT:
        found["inputs"].pop("points", None)  # which answer does what
    return found


@routes.get("/clients/{client_id}/products/{code}/explain")
async def explain_match(
    actor: Reader, sql: Reading, client_id: Identifier, code: Code, as_of: Day | None = None
) -> dict[str, Any]:
    """Whether the client might buy the product today, or might have on a day, and why; nothing is kept of it."""
    await see_client(sql, actor, client_id)
    return await explain.match(sql, client_id, code, as_of or await today(sql))


@routes.post("/clients/{client_id}/professional", status_code=201)
async def request_professional(
    actor: Asker, uow: Work, client_id: Identifier, body: ProfessionalRequest
) -> dict[str, str]:
    """Ask for a client to be treated as professional investor; a second person checks the proof [Q6]."""
    await see_client(uow.sql, actor, client_id)
    items = [item.model_dump() for item in body.items]
    asked = await professionals.request(uow, client_id, body.professional_class, items, body.proof)
    return {"request_id": asked.body["request_id"], "state": "requested", "approval_id": str(asked.approval_id)}


@routes.get("/clients/{client_id}/professional")
async def read_professional(
    actor: Reader, sql: Reading, client_id: Identifier, as_of: Day | None = None, known_at: Instant | None = None
) -> ProfessionalView:
    """The client's status as professional investor today or on a day, as known at an instant [Q6]."""
    await see_client(sql, actor, client_id)
    return await _status(sql, client_id, as_of or await today(sql), known_at)


async def _status(
    sql: asyncpg.Connection, client_id: str, day: date, known_at: datetime | None = None
) -> ProfessionalView:
    history = await professionals.history(sql, client_id, known_at)
    now = next((one for one in reversed(history) if one.since <= day), None)
    held = now if now and now.category and now.until and now.until >= day else None
    asked = await professionals.find(sql, held.request_id) if held and held.request_id else None
    return ProfessionalView(
        client_id=client_id,
        as_of=day,
        category=held.category if held else None,
        since=held.since if held else None,
        until=held.until if held else None,
        request_id=held.request_id if held else None,
        proof=asked.proof if asked else None,
        items=asked.items if asked else [],
        waiting=await sql.fetchval(
            "SELECT request_id FROM professionals WHERE client_id = $1 AND state = 'requested'", client_id
        ),
        history=[Status(**{name: getattr(one, name) for name in Status.model_fields}) for one in history],
    )


@routes.post("/professionals/{request_id}/decision")
async def check_professional(actor: Checker, uow: Work, request_id: Identifier, body: Approval) -> dict[str, Any]:
    """Approve or reject the proof."""
    row = await professionals.find(uow.sql, request_id)
    await require_client(uow.sql, actor, row.client_id)
    return await professionals.decide(uow, request_id, body.approve)


@routes.post("/professionals/{request_id}/end")
async def end_professional(actor: Ender, uow: Work, request_id: Identifier, body: Ending) -> dict[str, str]:
    """Convert back to an ordinary investor [Art. 11]."""
    row = await professionals.find(uow.sql, request_id)
    await require_client(uow.sql, actor, row.client_id)
    await professionals.end(uow, request_id, body.reason)
    return {"request_id": request_id, "state": "ended"}
