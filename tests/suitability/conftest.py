"""A world with suitability in it, and people who call it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.actor import Actor, Role
from chassis.clock import at
from chassis.service import Service
from contracts import broker
from contracts.base import Quantity
from tests.conftest import services_of
from tests.world import World

OPENED = date(2022, 1, 3)
HQ, SECOND_HQ = Actor("hq-1", Role.HQ), Actor("hq-2", Role.HQ)
COMPLIANCE = Actor("compliance-1", Role.COMPLIANCE, purpose="check")
SECOND_COMPLIANCE = Actor("compliance-2", Role.COMPLIANCE, purpose="check")
DESK = Actor("desk-1", Role.AGENT, branch_id="B1", purpose="service")
MANAGER = Actor("manager-1", Role.BRANCH_MANAGER, branch_id="B1", purpose="service")
ELSEWHERE = Actor("desk-9", Role.AGENT, branch_id="B9", purpose="service")
SYSTEM = Actor("trading", Role.SYSTEM)


@pytest.fixture
def services(request: pytest.FixtureRequest) -> Sequence[Service]:
    """Suitability behind the gateway, unless a test names more."""
    return services_of(request, ("suitability",))


def client(client_id: str) -> Actor:
    return Actor(f"app/{client_id}", Role.CLIENT, client_id=client_id)


def opened(client_id: str, branch: str = "B1", **more: Any) -> broker.ClientOpened:
    return broker.ClientOpened(client_id=client_id, branch_id=branch, opened_on=OPENED, **more)


def bought(
    client_id: str,
    trade_id: str,
    day: date,
    symbol: str = "S1",
    kind: str = "stock",
    side: str = "buy",
    settled_at: datetime | None = None,
    risk_class: str | None = None,
    quantity: str = "10",
) -> broker.TradeSettled:
    return broker.TradeSettled(
        trade_id=trade_id,
        client_id=client_id,
        account_id=client_id,
        branch_id="B1",
        trade_date=day,
        settled_at=settled_at or at(day, 15),
        instrument=broker.Instrument(symbol=symbol, kind=kind, risk_class=risk_class),
        side=side,  # type: ignore[arg-type]
        quantity=Quantity(quantity),
        amount=Quantity("1000"),
        commission=Quantity("1"),
        currency="CNY",
    )


def assessed(client_id: str, level: str, day: date, scheme: str = "SEED-2010-12Q") -> broker.AssessmentRecorded:
    return broker.AssessmentRecorded(client_id=client_id, scheme=scheme, level=level, assessed_on=day)


def sheet(letters: str, **more: Any) -> dict[str, Any]:
    """A submission of the seed's questionnaire."""
    answers = [{"question": str(number), "options": [letter]} for number, letter in enumerate(letters, 1)]
    body = {"template": "SEED-2010-12Q", "version": 1, "answers": answers, "channel": "mobile", "signature": "sig-1"}
    return body | more


class Desk:
    """Calls the service as somebody; each POST that needs one carries a fresh Idempotency-Key."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keys = 0

    async def call(self, actor: Actor, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        self.keys += 1
        given = {"idempotency-key": f"k-{self.keys}", **headers}
        async with self.world.client("suitability", actor) as http:
            return await http.request(method, f"/v1/suitability{path}", json=body, headers=given)

    async def get(self, actor: Actor, path: str) -> Any:
        response = await self.call(actor, "GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    async def listed(self, actor: Actor, path: str) -> Any:
        """Everything on a list, however many pages it has: two on each."""
        found, cursor = [], ""
        while cursor is not None:
            page = await self.get(actor, f"{path}?limit=2{cursor}")
            found += page["items"]
            cursor = f"&cursor={page['next']}" if page["next"] else None
        return found

    async def post(self, actor: Actor, path: str, body: Any = None, status: int = 201) -> Any:
        response = await self.call(actor, "POST", path, body)
        assert response.status_code == status, response.text
        return response.json()

    async def approve(self, actor: Actor, asked: Any, status: int = 200) -> Any:
        return await self.post(actor, f"/approvals/{asked['approval_id']}/approve", {}, status)

    async def keep(self, code: str, **body: Any) -> Any:
        """A product entered or changed by one person and approved by another."""
        asked = await self.call(HQ, "PUT", f"/products/{code}", body)
        assert asked.status_code == 202, asked.text
        return await self.approve(COMPLIANCE, asked.json())

    async def submit(self, client_id: str, letters: str, status: int = 201, **more: Any) -> Any:
        return await self.post(client(client_id), f"/clients/{client_id}/submissions", sheet(letters, **more), status)

    async def decide(self, actor: Actor, client_id: str, product: str, **more: Any) -> Any:
        body = {"client": client_id, "product": product, "side": "buy", "initiator": "client", "channel": "mobile"}
        return await self.post(actor, "/decisions", body | more)


PROVEN = [
    {"item": "financial_assets", "value": 6_000_000, "evidence": "bank-1"},
    {"item": "experience_years", "value": 3, "evidence": "record-1"},
]


async def professional(desk: Desk, client_id: str) -> str:
    """Make a client a professional investor of class B by two persons. Returns the request's id."""
    body = {"professional_class": "B", "items": PROVEN}
    asked = await desk.post(DESK, f"/clients/{client_id}/professional", body)
    await desk.approve(COMPLIANCE, asked)
    request_id: str = asked["request_id"]
    return request_id


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


async def in_scheme(world: World, desk: Desk, **changed: Any) -> date:
    """Publish the policy in force with other members, and close the days until it counts. Returns the first of them."""
    day: date = await world.value("suitability", "SELECT through + 2 FROM closed_days")
    body = (await desk.get(HQ, "/policies/suitability/in-force"))["body"] | changed
    draft = await desk.post(HQ, "/policies/suitability", {"effective_on": str(day), "body": body, "reason": "scheme"})
    await desk.post(COMPLIANCE, f"/policies/suitability/{draft['version']}/publication", None, 200)
    await world.close(day - DAY)
    return day


async def today(world: World) -> date:
    """The service's business date by the database's clock."""
    day: date = await world.value("suitability", "SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")
    return day


LOW, MEDIUM, HIGH, VERY_LOW = "BBBBBBBBBBBB", "EDEDCCAAAAAA", "CCCCCCCCCCCC", "AAAAAAAAAAAA"
DAY = timedelta(days=1)
