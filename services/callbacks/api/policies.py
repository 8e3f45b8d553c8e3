"""Dated policy and scripts over HTTP: proposed by one person, published by another."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from chassis import policy as versions
from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Once, Reading, Work, permits, router
from services.callbacks.api.access import Day
from services.callbacks.policy import ALL
from services.callbacks.scripts import SCRIPTS

routes = router("/v1/callbacks/policies", "callbacks policies")
POLICIES: dict[str, versions.Policies[Any]] = {
    **{one.name: one for one in ALL},
    **{f"script-{code}": one for code, one in SCRIPTS.items()},
}
"""What may be published: the tables of the policy file, and every script as `script-CODE`."""


class Draft(BaseModel):
    """A version to propose."""

    effective_on: Day
    body: dict[str, Any]
    reason: str = Field(min_length=5, max_length=1000)


class Proposed(BaseModel):
    """A version's number and where it stands."""

    name: str
    version: int
    state: str = "draft"


def _named(name: str) -> versions.Policies[Any]:
    if name not in POLICIES:
        raise NotFound
    return POLICIES[name]


@routes.get("")
async def list_versions(
    actor: Annotated[Actor, permits("policy:read", *(role for role in Role if role is not Role.CLIENT))], sql: Reading
) -> list[dict[str, Any]]:
    """Every version kept in the database, newest first; those shipped come with the platform."""
    return [dict(row) for row in await versions.versions(sql, sorted(one.name for one in POLICIES.values()))]


@routes.post("/{name}", status_code=201)
async def propose_version(
    actor: Annotated[Actor, permits("policy:propose", Role.HQ)], uow: Work, once: Once, name: str, draft: Draft
) -> Proposed:
    """Propose a version; a body that does not hold together is refused with what is wrong."""
    version = await versions.propose(uow, _named(name), "", draft.effective_on, draft.body, draft.reason)
    return Proposed(name=name, version=version)


@routes.post("/{name}/{version}/publication")
async def publish_version(
    actor: Annotated[Actor, permits("policy:decide", Role.HQ, Role.COMPLIANCE)], uow: Work, name: str, version: int
) -> Proposed:
    """Publish another person's draft; tasks made before keep the version they carry."""
    await versions.decide(uow, _named(name), "", version, publish=True)
    return Proposed(name=name, version=version, state="published")
