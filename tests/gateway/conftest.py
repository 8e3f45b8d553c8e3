"""The whole platform behind its gateway, in process; loops are turned by hand (`world.settle`)."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from careline.asgi import apps_of, client_parts
from chassis.actor import Role
from chassis.service import Service
from gateway.app import gateway_app
from gateway.settings import GatewaySettings
from gateway.tokens import issue_token
from tests.conftest import services_of
from tests.world import World

BASE = "http://careline.test"


@pytest.fixture
def own() -> GatewaySettings:
    """The gateway's own settings."""
    return GatewaySettings()


@pytest.fixture
def app(world: World, own: GatewaySettings) -> FastAPI:
    """The gateway with all services in this process."""
    return gateway_app(
        world.settings, world.database("gateway"), apps_of(world.platform), own=own, client_parts=client_parts()
    )


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A caller without identity."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


@pytest.fixture
def bearer(world: World) -> Callable[..., dict[str, str]]:
    """`bearer(Role.AGENT, branch_id="B1")`: the header of such a caller."""

    def header(role: Role, **rest: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {issue_token(world.settings, role, **rest)}"}

    return header


def event(type_name: str, data: dict[str, Any], number: int = 1, **more: Any) -> dict[str, Any]:
    """A CloudEvent in structured mode."""
    return {"specversion": "1.0", "id": f"e{number}", "source": "test", "type": type_name, "data": data} | more


def opened(client_id: str = "7c", **more: Any) -> dict[str, Any]:
    """The data of an account opened."""
    return {"client_id": client_id, "branch_id": "B7", "opened_on": "2024-03-01", "kind": "individual"} | more


def trade(client_id: str = "7c", trade_id: str = "t1", **more: Any) -> dict[str, Any]:
    """The data of a trade."""
    return {
        "trade_id": trade_id,
        "client_id": client_id,
        "account_id": client_id,
        "branch_id": "B7",
        "trade_date": "2024-03-04",
        "settled_at": "2024-03-04T15:00:00+08:00",
        "instrument": {"symbol": "600519", "kind": "stock"},
        "side": "buy",
        "quantity": "100",
        "amount": "100000",
        "commission": "100.50",
        "currency": "CNY",
    } | more


@pytest.fixture
def services(request: pytest.FixtureRequest) -> Sequence[Service]:
    """Two services behind the gateway, unless a test names others."""
    return services_of(request, ("classification", "points"))
