"""HTTP in: the catalogue, what products would cost, and a client's rate over time."""

from datetime import date
from typing import Annotated

import msgspec
from fastapi import Query
from pydantic import BaseModel, Field

from chassis.actor import Role
from chassis.http import Listing, Reading, Work, router
from chassis.timeline import today
from contracts.classification import TIERS
from contracts.fields import BusinessDate, Code, Identifier, Instant, Rate
from services.products import clients, library, rates, simulation
from services.products.api.shapes import Both, Reader
from services.products.policy import Policies
from services.products.rules import CENT
from services.products.tables import RATES

routes = router("/v1/products", "products")


class PriceView(BaseModel):
    """What a product costs: a rule for the rate, CNY a month, or percent of entrusted assets a year by margin."""

    add: str | None = Field(None, description="added to X, per mille")
    cap: str | None = Field(None, description="at most, per mille; never less than X")
    monthly: str | None = Field(None, description="CNY a calendar month")
    bands: list[str] = Field(description="percent a year of what lies in each band")


class CatalogueItem(BaseModel):
    """A product of the catalogue, as it is on a day."""

    code: str
    kind: str
    rank: int
    line: str
    name: Both
    content: Both
    channels: list[str]
    quotes: str
    trading: str = Field(description="which trading system comes with it", examples=["vip"])
    includes: list[str]
    min_tier: str
    classes: list[str] = Field(description="classes of clients it is open to; none: all", examples=[["A+", "B+"]])
    floor: str | None
    agreement: str | None
    licence: str | None
    state: str
    price: PriceView
    version: str


class Simulation(BaseModel, extra="forbid"):
    """A commission rate in per mille, all in, and products held together."""

    x: Rate
    products: Annotated[list[Code], Field(max_length=50, description="codes of the catalogue")]


class SimulatedFee(BaseModel):
    """The all-in rate by S1 and S2. `no_uplift`: a product paid by the rate raises it by nothing."""

    rate: str
    no_uplift: bool
    monthly: str = Field(description="CNY a calendar month beside the rate")
    included: list[str] = Field(description="what comes free with it")
    replaced: list[str] = Field(description="what a higher product of its line replaces")
    version: str
    why: Both


class RateView(BaseModel):
    """A stretch of the client's rate: f(X in force, products in force)."""

    since: date
    until: date | None
    rate: str
    x: str
    flags: list[str]
    account_id: str | None


class FeeRate(BaseModel):
    """The client's all-in rate on A-shares in per mille; the points' base is net of fees and tax and another number."""

    client_id: str
    as_of: date
    rate: str
    x: str
    no_uplift: bool
    stretches: list[RateView]
    why: Both


@routes.get("/catalogue")
async def list_catalogue(
    actor: Reader, sql: Reading, on: Annotated[BusinessDate | None, Query(description="as of this day")] = None
) -> Listing[CatalogueItem]:
    """The products of a day with what they cost and who may have them; clients see those that stand on the shelf."""
    day = on or await today(sql)
    version = (await Policies.read(sql)).catalogue.on(day)
    states = await library.shelved(sql, day)
    return Listing[CatalogueItem](
        items=[
            _item(version.name, version.body.prices, one, states.get(one.code, "draft"))
            for one in version.body.products.values()
            if actor.role is not Role.CLIENT or states.get(one.code) == "on_shelf"
        ]
    )


def _item(version: str, prices: simulation.Prices, one: simulation.Product, state: str) -> CatalogueItem:
    uplift = next(iter(prices.rates.get(one.code, ())), None)
    fee = next(iter(prices.monthly.get(one.code, ())), None)
    return CatalogueItem(
        code=one.code, kind=one.kind, rank=one.rank, line=one.line, name=Both(en=one.en, zh=one.zh),
        content=Both(en=one.content_en, zh=one.content_zh), channels=list(one.channels), quotes=one.quotes,
        trading=one.trading, includes=list(one.includes), min_tier=one.min_tier, classes=sorted(one.classes), floor=one.floor or None,
        agreement=one.agreement or None, licence=one.licence or None, state=state, version=version,
        price=PriceView(
            add=simulation.shown(uplift.add) if uplift else None, cap=simulation.shown(uplift.cap) if uplift else None,
            monthly=str(fee.price.quantize(CENT)) if fee else None,
            bands=[
                f"{band.begins} - {'' if band.ends is None else band.ends}: {band.percent}"
                for band in prices.bands.get(one.code, ()) if TIERS[0] in band.tiers
            ],
        ),
    )  # fmt: skip


@routes.post("/fees/simulate")
async def simulate_fee(_: Reader, uow: Work, wanted: Simulation) -> SimulatedFee:
    """What products held together would cost by today's catalogue [S1, S2, S4]."""
    version = (await uow.policies(Policies)).catalogue.on(await today(uow.sql))
    found = simulation.simulate(version.body, wanted.x, wanted.products)
    return SimulatedFee(
        rate=found.rate, no_uplift=found.no_uplift, monthly=str(found.monthly), included=list(found.included),
        replaced=list(found.replaced), version=version.name, why=Both.of(found.why),
    )  # fmt: skip


@routes.get("/clients/{client_id}/fee-rate")
async def read_fee_rate(
    actor: Reader,
    sql: Reading,
    client_id: Identifier,
    as_of: Annotated[BusinessDate | None, Query(description="the rate of this day")] = None,
    known_at: Annotated[Instant | None, Query(description="as it was known then")] = None,
) -> FeeRate:
    """The client's rate on a day and over time, as known now or at an instant; 409 while the commission is not known."""
    await clients.seen(actor, sql, client_id)
    day = as_of or await today(sql)
    stretches = await RATES.of(sql, client_id, known_at)
    found = next((one for one in rates.on(stretches, day) if one.account_id is None), None)
    if found is None:
        raise rates.UnknownCommission
    return FeeRate(
        client_id=client_id, as_of=day, rate=str(found.rate), x=str(found.x), no_uplift="no_uplift" in found.flags,
        stretches=[
            RateView.model_validate(msgspec.structs.asdict(one) | {"rate": str(one.rate), "x": str(one.x)})
            for one in stretches
        ],
        why=Both.of(simulation.rate_text(str(found.x), str(found.rate), "no_uplift" in found.flags)),
    )  # fmt: skip
