"""HTTP in: what clients ask for with their points, and what becomes of it. Points are decimal strings."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
import msgspec
from fastapi import Response
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.acts import ActView, load, perform, possible
from chassis.acts.performing import Performed
from chassis.http import Listing, Once, Reading, Work, etag, permits, router
from chassis.timeline import today
from contracts.fields import Code, Id, Identifier, Positive
from services.points import applications, redemptions
from services.points.accounts import as_amount
from services.points.api import seen
from services.points.applications import ApplicationRow, Refusal
from services.points.policy import Policies
from services.points.redemptions import RedemptionRow

routes = router("/v1/points", "points")
Reader = Annotated[Actor, permits("points:read", *Role)]
Asker = Annotated[Actor, permits("points:redeem", Role.CLIENT, Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)]
Decider = Annotated[Actor, permits("points:decide", Role.BRANCH_MANAGER, Role.HQ)]


class RewardView(BaseModel):
    """A reward of the white list [P9]; `points` for one of it."""

    code: str
    kind: str
    points: str
    en: str
    zh: str = Field(serialization_alias="zh-CN")


class Wanted(BaseModel, extra="forbid"):
    """Which reward, and how many of it."""

    reward: Code
    quantity: Positive = 1


class RedemptionView(BaseModel):
    """A redemption, with what the caller can do to it."""

    redemption_id: UUID
    client_id: str
    reward: str
    quantity: int
    points: str
    state: str
    requested_at: datetime
    reason: str | None
    revision: int
    acts: list[ActView]


class ApplicationView(BaseModel):
    """An application for a tier, with what the caller can do to it."""

    application_id: UUID
    client_id: str
    tier: str
    points: str
    mode: str
    state: str
    applied_at: datetime
    revision: int
    acts: list[ActView]


async def _redemption(sql: asyncpg.Connection, actor: Actor, row: RedemptionRow, response: Response) -> RedemptionView:
    response.headers["etag"] = etag(row.revision)
    can = await possible(sql, redemptions.ACTS, actor, row)
    return RedemptionView.model_validate(
        msgspec.structs.asdict(row) | {"points": str(as_amount(row.points)), "acts": can}
    )


async def _application(
    sql: asyncpg.Connection, actor: Actor, done: Performed[ApplicationRow], response: Response
) -> ApplicationView:
    row = done.row
    response.headers["etag"] = etag(row.revision)
    if done.approval is not None:
        response.status_code = 202
        response.headers["location"] = f"/v1/points/approvals/{done.approval.approval_id}"
    can = await possible(sql, applications.ACTS, actor, row)
    return ApplicationView.model_validate(
        msgspec.structs.asdict(row) | {"points": str(as_amount(row.points)), "acts": can}
    )


@routes.get("/rewards")
async def list_rewards(_: Reader, sql: Reading) -> Listing[RewardView]:
    """What points can be exchanged for today."""
    terms = (await Policies.read(sql)).rewards.on(await today(sql)).body
    return Listing[RewardView](
        items=[
            RewardView(
                code=one.code, kind=one.kind, points=str(as_amount(one.points)), en=one.title.en, zh=one.title.zh
            )
            for one in terms.offered.values()
        ]
    )


@routes.post("/clients/{client_id}/redemptions", status_code=201)
async def redeem(
    actor: Asker, uow: Work, _once: Once, client_id: Identifier, wanted: Wanted, response: Response
) -> RedemptionView:
    """Exchange points for a reward: they are held until it is delivered or refused [P5]."""
    row = await seen(actor, uow.sql, client_id)
    made = await redemptions.request(uow, client_id, row["branch_id"], wanted.reward, wanted.quantity)
    return await _redemption(uow.sql, actor, made, response)


@routes.get("/redemptions/{redemption_id}")
async def read_redemption(actor: Reader, sql: Reading, redemption_id: Id, response: Response) -> RedemptionView:
    """One redemption."""
    return await _redemption(sql, actor, await load(sql, redemptions.ACTS, actor, redemption_id), response)


@routes.post("/redemptions/{redemption_id}/cancel")
async def cancel_redemption(actor: Asker, uow: Work, redemption_id: Id, response: Response) -> RedemptionView:
    """Take it back: the points return when products has confirmed."""
    done = await perform(uow, redemptions.ACTS.cancel, redemption_id)
    return await _redemption(uow.sql, actor, done.row, response)


@routes.post("/clients/{client_id}/applications", status_code=201)
async def apply_for_upgrade(
    actor: Asker, uow: Work, _once: Once, client_id: Identifier, response: Response
) -> ApplicationView:
    """Apply for the next tier: its price is held until somebody decides [P4]."""
    row = await seen(actor, uow.sql, client_id)
    made = await applications.apply_for_next(uow, client_id, row["branch_id"])
    return await _application(uow.sql, actor, Performed(made), response)


@routes.get("/applications/{application_id}")
async def read_application(actor: Reader, sql: Reading, application_id: Id, response: Response) -> ApplicationView:
    """One application."""
    found = await load(sql, applications.ACTS, actor, application_id)
    return await _application(sql, actor, Performed(found), response)


@routes.post("/applications/{application_id}/approve")
async def approve_application(actor: Decider, uow: Work, application_id: Id, response: Response) -> ApplicationView:
    """Approve it: the points are spent, the tier is granted; 202 while a second person has to agree."""
    return await _application(uow.sql, actor, await perform(uow, applications.ACTS.approve, application_id), response)


@routes.post("/applications/{application_id}/refuse")
async def refuse_application(
    actor: Decider, uow: Work, application_id: Id, body: Refusal, response: Response
) -> ApplicationView:
    """Refuse it: the points return."""
    done = await perform(uow, applications.ACTS.refuse, application_id, body)
    return await _application(uow.sql, actor, done, response)


@routes.post("/applications/{application_id}/withdraw")
async def withdraw_application(actor: Asker, uow: Work, application_id: Id, response: Response) -> ApplicationView:
    """Withdraw it: the points return, those past their end expire."""
    return await _application(uow.sql, actor, await perform(uow, applications.ACTS.withdraw, application_id), response)
