"""Limits and ladders over REST: dated versions, proposed by one person with the reason, published by another."""

import tomllib
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from chassis import policy
from chassis.actor import Actor, Role
from chassis.clock import business_date
from chassis.http import Listing, Once, Reading, Work, permits, router
from services.complaints.policy import FILE, LADDERS, LIMITS

routes = router("/v1/complaints/policies", "complaints policies")
POLICIES: dict[str, policy.Policies[Any]] = {one.name: one for one in (LIMITS, LADDERS)}
Named = Literal["limits", "ladders"]
Reader = Annotated[Actor, permits("policy:read", *(role for role in Role if role is not Role.CLIENT))]
Proposer = Annotated[Actor, permits("policy:propose", Role.HQ)]
Decider = Annotated[Actor, permits("policy:decide", Role.HQ, Role.COMPLIANCE)]


class Draft(BaseModel):
    """A version to propose: the whole table, as `GET .../limits/in-force` shows it."""

    effective_on: date
    body: dict[str, Any]
    reason: str = Field(min_length=5, max_length=1000)


class Version(BaseModel):
    """A version: from which day, what it says, why it was made, by whom and who checked it. Shipped ones have nobody."""

    name: str
    version: str
    effective_on: date
    state: str
    body: dict[str, Any]
    reason: str | None = None
    made_by: str | None = None
    made_at: datetime | None = None
    checked_by: str | None = None
    checked_at: datetime | None = None


class Proposed(BaseModel):
    """A draft's number and where it stands."""

    name: str
    version: int
    state: str


async def _all(sql: Any, name: str) -> list[Version]:
    """Every version of a policy, those shipped first."""
    entries = tomllib.loads(FILE.read_text("utf-8"), parse_float=str)[name]
    shipped = [
        Version(
            name=name, version=f"{name}/shipped-{number}", effective_on=entry.pop("effective_on"), state="published",
            body=entry,
        )
        for number, entry in enumerate(entries, 1)
    ]  # fmt: skip
    kept = await policy.versions(sql, [name])
    return shipped + [
        Version.model_validate({**dict(row), "version": f"{name}/{row['version']}"}) for row in reversed(kept)
    ]


@routes.get("/{name}")
async def list_versions(actor: Reader, sql: Reading, name: Named) -> Listing[Version]:
    """Every version, drafts and rejected ones too, in the order they were made."""
    return Listing[Version](items=await _all(sql, name))


@routes.get("/{name}/in-force")
async def read_in_force(
    actor: Reader,
    sql: Reading,
    name: Named,
    on: Annotated[date | None, Query(description="a day; today without")] = None,
) -> Version:
    """The version in force on a day. A clock keeps the limit and the steps of the day it was started on."""
    policies = POLICIES[name]
    await policies.refresh(sql)
    found = policies.on(on or business_date(await sql.fetchval("SELECT clock_timestamp()")))
    return next(one for one in await _all(sql, name) if one.version == found.name)


@routes.post("/{name}", status_code=201)
async def propose_version(_: Proposer, uow: Work, _once: Once, name: Named, draft: Draft) -> Proposed:
    """Propose a version from tomorrow at the earliest; one that does not hold together is refused with what is wrong."""
    number = await policy.propose(uow, POLICIES[name], "", draft.effective_on, draft.body, draft.reason)
    return Proposed(name=name, version=number, state="draft")


@routes.post("/{name}/{version}/publication")
async def publish_version(_: Decider, uow: Work, name: Named, version: int) -> Proposed:
    """Publish another person's draft: it counts for what begins on its day or later."""
    await policy.decide(uow, POLICIES[name], "", version, publish=True)
    return Proposed(name=name, version=version, state="published")


@routes.post("/{name}/{version}/rejection")
async def reject_version(_: Decider, uow: Work, name: Named, version: int) -> Proposed:
    """Reject another person's draft."""
    await policy.decide(uow, POLICIES[name], "", version, publish=False)
    return Proposed(name=name, version=version, state="rejected")
