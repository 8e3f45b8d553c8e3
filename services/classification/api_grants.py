"""HTTP in: tiers granted by hand, with maker and checker [T5]."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.http import IfMatch, Listing, Once, Reading, Tagged, Work, etag, permits, require_sight, router
from contracts.classification import TIERS
from contracts.fields import BusinessDate, Identifier, text_of
from services.classification import grants, views
from services.classification.api import Reader, seen
from services.classification.tables import Grant

routes = router("/v1/classification", "classification")
MAKERS = (Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ)
CHECKERS = (Role.BRANCH_MANAGER, Role.HQ)


class Proposal(BaseModel):
    """A tier to grant, from a day until another (exclusive)."""

    tier: Literal["SILVER", "GOLD", "PLATINUM", "DIAMOND"]
    since: BusinessDate
    until: BusinessDate
    reason: Annotated[str, text_of(500, 5)]


class Revocation(BaseModel):
    """Why a grant ends early."""

    reason: Annotated[str, text_of(500, 5)]


class GrantView(BaseModel):
    """A grant and where it stands."""

    grant_id: str
    client_id: str
    tier: str
    since: date
    until: date
    reason: str
    state: str
    made_by: str
    made_at: datetime
    checked_by: str | None
    checked_at: datetime | None
    revoked_from: date | None
    version: int


@routes.post("/clients/{client_id}/grants", status_code=201)
async def propose_grant(
    actor: Annotated[Actor, permits("grants:propose", *MAKERS)],
    uow: Work,
    once: Once,
    response: Tagged,
    client_id: Identifier,
    proposal: Proposal,
) -> GrantView:
    """Propose a tier for a client; it counts once a second person approves."""
    client = await seen(actor, uow.sql, client_id)
    grant = await grants.propose(
        uow, client_id, client.branch_id, TIERS.index(proposal.tier), proposal.since, proposal.until, proposal.reason
    )
    return _shown(grant, response)


@routes.get("/clients/{client_id}/grants")
async def list_grants(actor: Reader, sql: Reading, client_id: Identifier) -> Listing[GrantView]:
    """A client's grants, newest first."""
    await seen(actor, sql, client_id)
    return Listing[GrantView](items=[_view(grant) for grant in await grants.of_client(sql, client_id)])


@routes.post("/grants/{grant_id}/approval")
async def approve_grant(
    actor: Annotated[Actor, permits("grants:decide", *CHECKERS)],
    uow: Work,
    match: IfMatch,
    response: Tagged,
    grant_id: Identifier,
) -> GrantView:
    """Approve another person's proposal."""
    grant = await _sighted(actor, uow, match, grant_id)
    return _shown(await grants.decide(uow, grant, approved=True), response)


@routes.post("/grants/{grant_id}/rejection")
async def reject_grant(
    actor: Annotated[Actor, permits("grants:decide", *CHECKERS)],
    uow: Work,
    match: IfMatch,
    response: Tagged,
    grant_id: Identifier,
) -> GrantView:
    """Reject another person's proposal."""
    grant = await _sighted(actor, uow, match, grant_id)
    return _shown(await grants.decide(uow, grant, approved=False), response)


@routes.post("/grants/{grant_id}/revocation")
async def revoke_grant(
    actor: Annotated[Actor, permits("grants:revoke", *CHECKERS)],
    uow: Work,
    match: IfMatch,
    response: Tagged,
    grant_id: Identifier,
    revocation: Revocation,
) -> GrantView:
    """End an approved grant with the coming day."""
    grant = await _sighted(actor, uow, match, grant_id)
    return _shown(await grants.revoke(uow, grant, revocation.reason), response)


async def _sighted(actor: Actor, uow: Work, match: IfMatch, grant_id: str) -> Grant:
    grant = await grants.locked(uow, grant_id)
    who = await views.client(uow.sql, grant.client_id)
    require_sight(actor, grant.client_id, who.branch_id if who else None)
    match.check(grant.version)
    return grant


def _shown(grant: Grant, response: Tagged) -> GrantView:
    response.headers["etag"] = etag(grant.version)
    return _view(grant)


def _view(grant: Grant) -> GrantView:
    shown = {name: getattr(grant, name) for name in GrantView.model_fields}
    return GrantView.model_validate(shown | {"tier": TIERS[grant.tier]})
