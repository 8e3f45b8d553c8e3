"""Facts as the broker and other services say them, short to write, and what is asked of products."""

from datetime import date, datetime
from typing import Any

import httpx

from chassis.actor import Actor, Role
from contracts.base import Event
from contracts.broker import BrokerDayClosed, ClientOpened, CommissionAgreed
from contracts.classification import DayCompleted as ClassificationDayCompleted
from contracts.fields import Rate
from contracts.suitability import DayCompleted as SuitabilityDayCompleted
from tests.world import World

DAY = date(2024, 1, 31)
OWN = Actor("c-1", Role.CLIENT, client_id="c-1")
AGENT = Actor("ann", Role.AGENT, branch_id="B1", purpose="test")
DESK = Actor("hanna", Role.HQ, purpose="test")
CHECKER = Actor("colin", Role.COMPLIANCE, purpose="test")
OPENED = date(2023, 1, 3)


def opened(client: str = "c-1", branch: str = "B1") -> ClientOpened:
    """An account opened a year before."""
    return ClientOpened(client_id=client, branch_id=branch, opened_on=OPENED)


def agreed(
    rate: str, on: date = OPENED, agreement: str = "x-1", client: str = "c-1", **others: Any
) -> CommissionAgreed:
    """A commission agreed from a day on."""
    return CommissionAgreed(agreement_id=agreement, client_id=client, rate=Rate(rate), effective_on=on, **others)


async def close(world: World, day: date) -> None:
    """Close a day: the broker's word, then classification's and suitability's."""
    await world.publish(
        BrokerDayClosed(business_date=day),
        ClassificationDayCompleted(business_date=day),
        SuitabilityDayCompleted(business_date=day),
    )
    await world.settle()


async def hear(world: World, *events: Event, at: datetime | None = None) -> None:
    """Say facts and let them be heard."""
    await world.publish(*events, at=at)
    await world.settle()


async def get(world: World, path: str, actor: Actor = OWN, **query: Any) -> httpx.Response:
    async with world.client("products", actor) as http:
        return await http.get(f"/v1/products{path}", params=query)


async def post(world: World, path: str, body: Any = None, actor: Actor = OWN, key: str = "") -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    async with world.client("products", actor, **headers) as http:
        return await http.post(f"/v1/products{path}", json={} if body is None else body)


async def told(world: World, kind: str, key: str | None = None) -> list[dict[str, Any]]:
    """What products told under a type, in order."""
    return [
        row["told"]
        for row in await world.rows(
            "products",
            """SELECT convert_from(value, 'UTF8')::jsonb AS told FROM bus.log
               WHERE type = $1 AND ($2::text IS NULL OR key = $2) ORDER BY partition, "offset" """,
            kind,
            key,
        )
    ]
