"""HTTP in: subscriptions. What it would do is shown first, and repeated when it is confirmed."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import asyncpg
import msgspec
from fastapi import Response
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.acts import ActView, HistoryStep, history, load, perform, possible
from chassis.http import Listing, Located, Once, Page, Reading, Work, etag, permits, router
from chassis.timeline import effective_now, today
from contracts.fields import BusinessDate, Code, Id, Identifier, Money, Rate
from services.products import clients, offers, subscriptions
from services.products.api.shapes import Both, Reader
from services.products.subscriptions import ACTS, End, Why
from services.products.tables import SubscriptionRow

routes = router("/v1/products", "products")
Subscriber = Annotated[
    Actor, permits("products:subscribe", Role.CLIENT, Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ)
]


class Wish(BaseModel, extra="forbid"):
    """Which product, and from which day on (today)."""

    code: Code
    starts_on: BusinessDate | None = None


class CreditView(BaseModel):
    """Unused paid days of a product that comes free from now on."""

    code: str
    amount: str


class Obstacle(BaseModel):
    """What stands against it."""

    code: str = Field(description="the refusal a confirmation would get", examples=["not-open-to-tier"])
    why: Both


class PreviewView(BaseModel):
    """What it would do: `amount` in CNY a calendar month and `rate` in per mille are repeated when it is confirmed."""

    preview_id: UUID
    client_id: str
    code: str
    starts_on: date
    amount: str
    rate_before: str | None
    rate: str | None
    no_uplift: bool
    ends: list[str] = Field(description="products that end with it", examples=[["A"]])
    included: list[str]
    credits: list[CreditView]
    obstacles: list[Obstacle]
    version: str


class Confirmation(BaseModel, extra="forbid"):
    """A preview confirmed: what it showed is repeated; suitability's decision, and the reference of the e-signature."""

    preview_id: Id
    amount: Money
    rate: Rate | None = None
    decision_id: Identifier | None = None
    signature: Code


class SubscriptionView(BaseModel):
    """A subscription, with what the caller can do to it."""

    subscription_id: UUID
    client_id: str
    code: str
    paid_by: str
    state: str
    signed_on: date
    since: date
    until: date | None
    ended_by: str | None
    agreement: str | None
    signature: str | None
    decision_id: str | None
    made_at: datetime
    revision: int
    acts: list[ActView]


class SubscriptionPage(SubscriptionView):
    """One, with how it came about."""

    history: list[HistoryStep]


async def _view(sql: asyncpg.Connection, actor: Actor, row: SubscriptionRow, response: Response) -> SubscriptionView:
    response.headers["etag"] = etag(row.revision)
    return SubscriptionView.model_validate(
        msgspec.structs.asdict(row) | {"acts": await possible(sql, ACTS, actor, row)}
    )


@routes.post("/clients/{client_id}/subscriptions/preview", status_code=201)
async def preview_subscription(actor: Subscriber, uow: Work, client_id: Identifier, wish: Wish) -> PreviewView:
    """What a product would do from a day on: what ends, what comes free, what it costs, what stands against it."""
    await clients.seen(actor, uow.sql, client_id)
    row, against = await offers.preview(uow, client_id, wish.code, wish.starts_on)
    return PreviewView.model_validate(
        row.plan
        | {"preview_id": row.preview_id, "client_id": client_id, "code": row.code, "starts_on": row.starts_on}
        | {
            "obstacles": [
                Obstacle(code=one.name(), why=Both.of(one.detail if one.detail.en else one.title)) for one in against
            ]
        }
    )


@routes.post("/clients/{client_id}/subscriptions", status_code=201)
async def subscribe(
    actor: Subscriber, uow: Work, _once: Once, client_id: Identifier, wanted: Confirmation, response: Located
) -> SubscriptionView:
    """Confirm a preview [S2, S4, S6]: refused when anything it showed is another by now."""
    await clients.seen(actor, uow.sql, client_id)
    row = await offers.confirm(
        uow, client_id, wanted.preview_id, wanted.amount, wanted.rate, wanted.decision_id, wanted.signature
    )
    response.headers["location"] = f"/v1/products/subscriptions/{row.subscription_id}"
    return await _view(uow.sql, actor, row, response)


@routes.get("/clients/{client_id}/subscriptions")
async def list_subscriptions(
    actor: Reader, sql: Reading, client_id: Identifier, page: Page, response: Response
) -> Listing[SubscriptionView]:
    """The client's subscriptions, ended ones too, oldest first."""
    await clients.seen(actor, sql, client_id)
    after = tuple(page.after) if page.after else ("1900-01-01", "00000000-0000-0000-0000-000000000000")
    found = await subscriptions.listed(sql, client_id, date.fromisoformat(after[0]), UUID(after[1]), page.limit + 1)
    result = page.result(found, lambda row: (row.since.isoformat(), str(row.subscription_id)))
    return Listing[SubscriptionView](
        items=[await _view(sql, actor, row, response) for row in result["items"]], next=result["next"]
    )


@routes.get("/subscriptions/{subscription_id}")
async def read_subscription(actor: Reader, sql: Reading, subscription_id: Id, response: Response) -> SubscriptionPage:
    """One subscription, and how it came about."""
    row = await load(sql, ACTS, actor, subscription_id)
    shown = await _view(sql, actor, row, response)
    return SubscriptionPage(**shown.model_dump(), history=await history(sql, ACTS, actor, row))


@routes.post("/subscriptions/{subscription_id}/end")
async def end_subscription(
    actor: Subscriber, uow: Work, subscription_id: Id, body: End, response: Response
) -> SubscriptionView:
    """End it (退订): with the month that runs, or on a day; what is paid by the rate, tomorrow."""
    return await _move(actor, uow, "end", subscription_id, body, response)


@routes.post("/subscriptions/{subscription_id}/keep")
async def keep_subscription(
    actor: Subscriber, uow: Work, subscription_id: Id, body: Why, response: Response
) -> SubscriptionView:
    """Keep it after all, before it has ended."""
    return await _move(actor, uow, "keep", subscription_id, body, response)


@routes.post("/subscriptions/{subscription_id}/withdraw")
async def withdraw_subscription(
    actor: Subscriber, uow: Work, subscription_id: Id, body: Why, response: Response
) -> SubscriptionView:
    """Withdraw it within five working days of signing: the rate of its days returns to what it was."""
    return await _move(actor, uow, "withdraw", subscription_id, body, response)


async def _move(
    actor: Actor, uow: Work, act: str, subscription_id: UUID, body: End | Why, response: Response
) -> SubscriptionView:
    known = await load(uow.sql, ACTS, actor, subscription_id)
    await clients.lock(uow, [known.client_id])
    uow.happened_at = await effective_now(uow.sql, uow.now)
    await perform(uow, getattr(ACTS, act), subscription_id, body)
    await subscriptions.follow(uow, [known.client_id], await today(uow.sql))
    return await _view(uow.sql, actor, await load(uow.sql, ACTS, actor, subscription_id), response)
