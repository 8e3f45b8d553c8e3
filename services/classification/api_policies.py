"""HTTP in: dated policy, proposed by one person and published by another, after a shadow run if wanted."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from chassis import policy
from chassis.actor import Actor, Role
from chassis.errors import Forbidden
from chassis.http import Listing, Once, Reading, Work, permits, router
from services.classification import shadow
from services.classification.months import CLASSES
from services.classification.tiers import TIERS

routes = router("/v1/classification/policies", "classification")
Name = Literal["classes", "tiers"]
POLICIES: dict[str, policy.Policies[Any]] = {"classes": CLASSES, "tiers": TIERS}
Publisher = Annotated[Actor, permits("policy:decide", Role.HQ, Role.COMPLIANCE)]


class Draft(BaseModel):
    """A version to propose; `branch` makes it that branch's override of the class table [a.3]."""

    effective_on: date
    body: dict[str, Any]
    reason: str = Field(min_length=5, max_length=1000)
    branch: str | None = Field(None, pattern=r"^[A-Za-z0-9-]{1,64}$")


class Trial(BaseModel):
    """A body to try on today's clients."""

    body: dict[str, Any]
    branch: str | None = None


class VersionView(BaseModel):
    """A version and where it stands."""

    name: str
    branch: str | None
    version: int
    effective_on: date
    body: dict[str, Any]
    reason: str
    state: str
    made_by: str
    made_at: datetime
    checked_by: str | None
    checked_at: datetime | None


class Move(BaseModel):
    """How many clients would move from one code to another."""

    before: str = Field(alias="from")
    after: str = Field(alias="to")
    clients: int


class ShadowView(BaseModel):
    """What a draft would change."""

    evaluated: int
    moves: list[Move]
    sample: list[dict[str, str]]


class Proposed(BaseModel):
    """The number of the new draft."""

    name: str
    branch: str | None
    version: int
    state: str = "draft"


@routes.get("")
async def list_versions(
    actor: Annotated[Actor, permits("policy:read", *(role for role in Role if role is not Role.CLIENT))], sql: Reading
) -> Listing[VersionView]:
    """Every version kept in the database, newest first; those shipped stand in the service's policy file."""
    rows = await policy.versions(sql, sorted(POLICIES))
    return Listing[VersionView](
        items=[VersionView.model_validate({**dict(row), "branch": row["scope"] or None}) for row in rows]
    )


@routes.post("/{name}", status_code=201)
async def propose_version(
    actor: Annotated[Actor, permits("policy:propose", Role.BRANCH_MANAGER, Role.HQ)],
    uow: Work,
    once: Once,
    name: Name,
    draft: Draft,
) -> Proposed:
    """Propose a version. A branch manager may propose an override of the class table for the own branch only."""
    if actor.role is Role.BRANCH_MANAGER and (name != "classes" or draft.branch != actor.branch_id):
        raise Forbidden("a branch manager proposes overrides of the class table for the own branch")
    version = await policy.propose(
        uow, POLICIES[name], draft.branch or "", draft.effective_on, draft.body, draft.reason
    )
    return Proposed(name=name, branch=draft.branch, version=version)


@routes.post("/{name}/{version}/publication")
async def publish_version(actor: Publisher, uow: Work, name: Name, version: int, branch: str = "") -> Proposed:
    """Publish another person's draft; it counts from its day on."""
    await policy.decide(uow, POLICIES[name], branch, version, publish=True)
    return Proposed(name=name, branch=branch or None, version=version, state="published")


@routes.post("/{name}/{version}/rejection")
async def reject_version(actor: Publisher, uow: Work, name: Name, version: int, branch: str = "") -> Proposed:
    """Reject another person's draft."""
    await policy.decide(uow, POLICIES[name], branch, version, publish=False)
    return Proposed(name=name, branch=branch or None, version=version, state="rejected")


@routes.post("/{name}/shadow")
async def try_version(
    actor: Annotated[Actor, permits("policy:try", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)],
    sql: Reading,
    name: Name,
    trial: Trial,
) -> ShadowView:
    """Run a body over today's clients: who would move. Nothing is kept."""
    branch = actor.branch_id if actor.role is Role.BRANCH_MANAGER else trial.branch
    found = await shadow.run(sql, name, trial.body, branch)
    moves = [
        Move.model_validate({"from": before, "to": after, "clients": count})
        for (before, after), count in sorted(found.moves.items(), key=lambda move: -move[1])
    ]
    return ShadowView(evaluated=found.evaluated, moves=moves, sample=found.sample)
