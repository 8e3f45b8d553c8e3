"""HTTP in: a client's monthly statement. Amounts are CNY with two decimals; credits are negative."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from chassis.http import Reading, router
from chassis.timeline import today
from contracts.fields import Identifier, Month
from services.products import charges, clients, rules
from services.products.api.shapes import Reader
from services.products.charge_rules import month_of_day
from services.products.tables import ChargeLine

routes = router("/v1/products", "products")


class ChargeView(BaseModel):
    """A line: for which product and days, and for a credit which line it takes back."""

    charge_id: UUID
    kind: str
    code: str
    amount: str
    begins: date = Field(description="the first day it is for", examples=["2024-03-04"])
    until: date | None
    posted_on: date
    original: str | None = Field(description="the line a credit takes back")


class Statement(BaseModel):
    """The lines of a month and their sum."""

    client_id: str
    month: str
    total: str
    items: list[ChargeView]


def _view(one: ChargeLine) -> ChargeView:
    return ChargeView(
        charge_id=one.charge_id, kind=one.kind, code=one.code, amount=_shown(one.fen), begins=one.begins, until=one.ends,
        posted_on=one.posted_on, original=str(one.original) if one.original else None,
    )  # fmt: skip


def _shown(amount: int) -> str:
    return str(rules.cents(Decimal(amount) / 100))


@routes.get("/clients/{client_id}/charges")
async def read_statement(
    actor: Reader,
    sql: Reading,
    client_id: Identifier,
    month: Annotated[Month | None, Query(description="this month; the one that runs")] = None,
) -> Statement:
    """What is charged for a month: subscriptions, credits, the fee on entrusted assets. Billing collects, not this service."""
    await clients.seen(actor, sql, client_id)
    wanted = month or month_of_day(await today(sql))
    lines = await charges.statement(sql, client_id, wanted)
    return Statement(
        client_id=client_id,
        month=wanted,
        total=_shown(sum(one.fen for one in lines)),
        items=[_view(one) for one in lines],
    )
