"""HTTP in: the fairness guard. The cheapest set for what is wanted, with every set it was compared with; and who pays for
products that raise their rate by nothing."""

from datetime import date
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.http import Listing, Page, Reading, Work, permits, router
from chassis.timeline import today
from contracts.fields import BusinessDate, Code, Identifier, Money
from services.products import clients, fairness, library, rates
from services.products.api.shapes import Reader
from services.products.fairness import Choice, Flag
from services.products.policy import Policies
from services.products.rules import shown

routes = router("/v1/products", "products")
Watcher = Annotated[Actor, permits("products:fairness", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]


class WantedServices(BaseModel, extra="forbid"):
    """Services wanted, and the turnover in A-shares of a month that the rate counts on."""

    services: Annotated[
        list[Code], Field(min_length=1, max_length=50, description="codes of services", examples=[["LEVEL2"]])
    ]
    turnover: Money


class ChoiceView(BaseModel):
    """A set of products that gives all of it: the rate, CNY a month beside it, and in all at the turnover."""

    products: list[str] = Field(description="products held together", examples=[["A", "SMS1"]])
    rate: str
    monthly: str
    total: str

    @classmethod
    def of(cls, one: Choice) -> "ChoiceView":
        """As answers have it."""
        return cls(products=list(one.products), rate=shown(one.rate), monthly=str(one.monthly), total=str(one.total))


class Cheapest(BaseModel):
    """The cheapest set, and every other set that gives the same, dearer or as dear: the proof."""

    client_id: str
    x: str
    cheapest: ChoiceView = Field(description="the set that costs least")
    others: list[ChoiceView] = Field(description="every other set that gives it")
    version: str


class FlaggedRate(BaseModel):
    """A client whose rate is named by a report."""

    client_id: str
    branch_id: str | None
    rate: str
    x: str


@routes.post("/clients/{client_id}/cheapest")
async def find_cheapest(actor: Reader, uow: Work, client_id: Identifier, wanted: WantedServices) -> Cheapest:
    """The cheapest products for services wanted, at the client's X and a turnover, with every set it was compared with."""
    await clients.seen(actor, uow.sql, client_id)
    policies, day = await uow.policies(Policies), await today(uow.sql)
    x = await rates.x_of(uow.sql, client_id, day)
    version = policies.catalogue.on(day)
    shelf = [code for code, state in (await library.shelved(uow.sql, day)).items() if state == "on_shelf"]
    first, *others = fairness.choices(
        version.body, policies.services.on(day).body, shelf, x, wanted.turnover, wanted.services
    )
    return Cheapest(
        client_id=client_id, x=shown(x), cheapest=ChoiceView.of(first), others=[ChoiceView.of(one) for one in others],
        version=version.name,
    )  # fmt: skip


OfDay = Annotated[BusinessDate | None, Query(description="of this day")]


@routes.get("/reports/no-uplift")
async def list_without_uplift(actor: Watcher, sql: Reading, page: Page, on: OfDay = None) -> Listing[FlaggedRate]:
    """Who holds products paid by the rate that raise it by nothing, by client."""
    return await _flagged("no_uplift", actor, sql, page, on)


@routes.get("/reports/over-ceiling")
async def list_over_ceiling(actor: Watcher, sql: Reading, page: Page, on: OfDay = None) -> Listing[FlaggedRate]:
    """Whose commission agreed is above the catalogue's ceiling, by client: agreed before the ceiling fell. What is above the
    law's is refused when it comes in."""
    return await _flagged("over_ceiling", actor, sql, page, on)


async def _flagged(flag: Flag, actor: Actor, sql: Reading, page: Page, on: date | None) -> Listing[FlaggedRate]:
    day, after = on or await today(sql), page.after[0] if page.after else ""
    found = await fairness.flagged(sql, flag, actor, day, after, page.limit + 1)
    return Listing[FlaggedRate].model_validate(
        page.result(
            [{"client_id": one.client_id, "branch_id": one.branch_id, "rate": one.rate, "x": one.x} for one in found],
            lambda row: (row["client_id"],),
        )
    )
