"""Levels and professional status over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.http import Reading, Work, permits, require_sight, router
from chassis.timeline import today
from contracts.fields import Code, Identifier, Instant
from services.suitability import assessments, explain, history, professionals
from services.suitability.api.shapes import (
    CONTROL,
    DESK,
    EVERYBODY,
    Body,
    Day,
    Reference,
    Words,
    see_client,
)
from services.suitability.levels import held_in
from services.suitability.policy import Policies

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


class ProfessionalRequest(Body):
    """The class asked for and the reference of its proof."""

    professional_class: Literal["A", "B", "C"]
    proof: Reference


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
    return {**{name: found[name] for name in names}, "branch_id": branch, "assessments": made}


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
    return await explain.level(sql, client_id, as_of or await today(sql))


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
    request_id = await professionals.request(uow, client_id, body.professional_class, body.proof)
    return {"request_id": request_id, "state": "requested"}


@routes.post("/professionals/{request_id}/decision")
async def check_professional(actor: Checker, uow: Work, request_id: Identifier, body: Approval) -> dict[str, Any]:
    """Approve or reject the proof."""
    row = await professionals.find(uow.sql, request_id)
    require_sight(actor, row["client_id"], row["branch_id"])
    return await professionals.check(uow, request_id, body.approve)


@routes.post("/professionals/{request_id}/end")
async def end_professional(actor: Ender, uow: Work, request_id: Identifier, body: Ending) -> dict[str, str]:
    """Convert back to an ordinary investor [Art. 11]."""
    row = await professionals.find(uow.sql, request_id)
    require_sight(actor, row["client_id"], row["branch_id"])
    await professionals.end(uow, request_id, body.reason)
    return {"request_id": request_id, "state": "ended"}
