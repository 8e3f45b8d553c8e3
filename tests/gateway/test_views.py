"""The 360 view, the status of all, the documents; services that are away are shown as away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import httpx
import pytest
import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from careline.asgi import client_parts
from chassis.actor import Role
from chassis.http import service_app
from gateway.app import gateway_app
from gateway.settings import GatewaySettings
from tests.gateway.conftest import BASE, event, opened, trade
from tests.world import World

pytestmark = pytest.mark.services()

MANY = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
async def known(world: World, http: httpx.AsyncClient, bearer) -> str:
    """A client of branch B7 with one trade."""
    events = [event("broker.client.opened", opened()), event("broker.trade.settled", trade(), 2)]
    sent = await http.post("/v1/events", json=events, headers=bearer(Role.SYSTEM) | MANY)
    assert sent.status_code == 202, sent.text
    await world.settle()
    return "7c"


async def test_a_clients_page_of_everything(http: httpx.AsyncClient, bearer, known: str) -> None:
    view = (await http.get(f"/v1/clients/{known}", headers=bearer(Role.HQ))).json()
    assert (view["client_id"], view["branch_id"], view["tier"]["code"]) == ("7c", "B7", "NORMAL")
    assert view["points"]["available"] == "100.50"
    assert view["points_entries"]["items"][0]["trade_id"] == "t1"
    assert view["classification_explained"]["tier"]["sentence"]["zh-CN"]
    assert view["unavailable"] == []
    explained = view["links"]["points_entry_explained"].format(entry=view["points_entries"]["items"][0]["entry_id"])
    why = await http.get(explained, headers=bearer(Role.HQ))
    assert why.json()["inputs"]["multiplier"] == "1.0"


async def test_who_sees_which_client(http: httpx.AsyncClient, bearer, known: str) -> None:
    async def status(role: Role, **rest: Any) -> int:
        return (await http.get(f"/v1/clients/{known}", headers=bearer(role, **rest))).status_code

    assert await status(Role.CLIENT, client_id="7c") == 200
    assert await status(Role.CLIENT, client_id="8c") == 404
    assert await status(Role.AGENT, branch_id="B7") == 200
    assert await status(Role.AGENT, branch_id="B8") == 404
    assert await status(Role.COMPLIANCE) == 200
    assert (await http.get("/v1/clients/nobody", headers=bearer(Role.HQ))).status_code == 404


async def test_reads_by_staff_are_recorded_with_their_purpose(world: World, http, bearer, known: str) -> None:
    await http.get(f"/v1/clients/{known}", headers=bearer(Role.HQ) | {"purpose": "annual review"})
    rows = await world.rows(
        "points", "SELECT DISTINCT object, inputs ->> 'purpose' AS why FROM audit WHERE action = 'read'"
    )
    assert [tuple(row.values()) for row in rows] == [("client/7c", "annual review")]


async def test_the_status_of_all_services(world: World, http: httpx.AsyncClient, bearer) -> None:
    status = (await http.get("/v1/status", headers=bearer(Role.OPERATIONS))).json()
    assert status["state"] == "up"
    names = [row["service"] for row in status["services"]]
    assert names == sorted(service.name for service in world.platform.services)
    wanted = {"state", "version", "uptime_seconds", "requests_per_second", "error_share", "p95_ms", "lag_records"}
    wanted |= {"lag_seconds", "dead_letters", "conflicts"}
    assert all(wanted <= set(row) for row in status["services"])


async def _broken(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("this service is broken")


async def test_a_part_whose_service_fails_is_shown_as_unavailable(world: World, http, bearer, known: str) -> None:
    from chassis.http import new_app

    classification = next(s for s in world.platform.services if s.name == "classification")
    broken = new_app("points", "broken", [], {}, world.settings)
    broken.mount("/", _broken)
    apps: dict[str, ASGIApp] = {
        "classification": service_app(classification, world.database("classification"), world.settings),
        "points": broken,
    }
    settings = world.settings.model_copy(update={"service_urls": {"suitability": "http://127.0.0.1:9"}})
    app = gateway_app(settings, world.database("gateway"), apps, client_parts=client_parts())
    # A traceback in colour, with every local, takes longer on a busy machine than the page waits for a part.
    transport = httpx.ASGITransport(app)
    with structlog.testing.capture_logs():
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            view = (await client.get(f"/v1/clients/{known}", headers=bearer(Role.HQ))).json()
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        away = await client.get("/v1/suitability/clients/x", headers=bearer(Role.HQ))
        status = (await client.get("/v1/status", headers=bearer(Role.HQ))).json()
    await app.state.services.close()
    assert view["tier"]["code"] == "NORMAL"
    assert view["unavailable"] == ["points", "points_entries", "suitability"]
    assert view["points"]["available"] is False
    assert (away.status_code, away.json()["type"]) == (503, "/problems/unavailable")
    states = {row["service"]: row["state"] for row in status["services"]}
    assert states == {"classification": "up", "gateway": "up", "points": "down", "suitability": "down"}


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp) -> None:
        super().__init__(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off"))
        self.listens = asyncio.Event()

    def capture_signals(self) -> Any:
        return nullcontext()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@asynccontextmanager
async def _served(app: ASGIApp) -> AsyncIterator[str]:
    """An app over real HTTP."""
    server = _Server(app)
    serving = asyncio.create_task(server.serve())
    await server.listens.wait()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await serving


async def test_services_elsewhere_are_reached_over_http(world: World, http, bearer, known: str) -> None:
    points = next(s for s in world.platform.services if s.name == "points")
    async with _served(service_app(points, world.database("points"), world.settings)) as url:
        settings = world.settings.model_copy(update={"service_urls": {"points": url}})
        app = gateway_app(
            settings, world.database("gateway"), {}, own=GatewaySettings(service_seconds=5), client_parts=client_parts()
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
            headers = bearer(Role.HQ) | {"x-request-id": "r-77", "accept-language": "zh-CN"}
            found = await client.get(f"/v1/points/clients/{known}/entries?limit=1", headers=headers)
            missing = await client.get("/v1/points/clients/nobody", headers=headers)
            posted = await client.post(
                "/v1/points/operations/dead-letters/redrive", json={"all": True}, headers=bearer(Role.OPERATIONS)
            )
            odd = await client.get("/v1/points/clients/%E5%BC%A0%2F..%2Fx", headers=headers)
        await app.state.services.close()
    assert found.json()["items"][0]["points"] == "100.50"
    assert found.headers["x-request-id"] == "r-77"
    assert (missing.status_code, missing.json()["title"]) == (404, "未找到")
    assert posted.json() == {"dry_run": False, "results": []}
    assert odd.status_code == 404


async def test_a_service_that_does_not_answer_in_time_is_504(world: World, bearer) -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async with _served(silent) as url:
        settings = world.settings.model_copy(update={"service_urls": {"points": url}})
        app = gateway_app(
            settings,
            world.database("gateway"),
            {},
            own=GatewaySettings(service_seconds=0.2),
            client_parts=client_parts(),
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
            answer = await client.get("/v1/points/clients/x", headers=bearer(Role.HQ))
        await app.state.services.close()
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/upstream-timeout")


async def test_one_openapi_document_of_all(app: FastAPI, http: httpx.AsyncClient) -> None:
    document = (await http.get("/v1/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert {"/v1/events", "/v1/clients/{client}", "/v1/points/clients/{client_id}", "/v1/status"} <= set(
        document["paths"]
    )
    schemas = document["components"]["schemas"]

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [r for k, v in value.items() for r in ([v] if k == "$ref" else references(v))]
        return [r for v in value for r in references(v)] if isinstance(value, list) else []

    assert {r.removeprefix("#/components/schemas/") for r in references(document)} <= set(schemas)
    assert (await http.get("/v1/asyncapi.json")).json()["asyncapi"] == "3.0.0"
