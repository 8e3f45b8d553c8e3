"""Callers that name nobody: what they may ask, how often, and that they slow nobody else."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from careline.asgi import apps_of
from careline.services import SERVICES
from chassis.actor import Role
from chassis.settings import Settings
from gateway import documents, limits
from gateway.app import gateway_app
from gateway.limits import network_of
from gateway.settings import GatewaySettings
from tests.gateway.conftest import BASE
from tests.gateway.test_auth_middleware import PUBLIC
from tests.world import World

CALLERS, EACH, BURST = 24, 5, 40

pytestmark = pytest.mark.services()

OPEN = sorted(PUBLIC - {"/sign-in/openid/back", "/sign-out", "/language/{language}", "/problems/{name}", "/static"})


@pytest.fixture
def app(world: World) -> FastAPI:
    return gateway_app(world.settings, world.database("gateway"), {}, own=GatewaySettings(rate_anonymous=BURST / 4))


@pytest.fixture(autouse=True)
def standing_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets do not fill again during a test, and nobody waits for a refusal."""
    monkeypatch.setattr(limits, "monotonic", lambda: 1.0)
    monkeypatch.setattr(limits, "REFUSAL_SECONDS", 0)


def caller(app: FastAPI, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url=BASE)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer nonsense"}, {"x-api-key": "ck_x"}, {"cookie": "careline_session=x"}]
)
async def test_strangers_of_an_address_have_so_many_requests_and_others_all_of_theirs(
    app: FastAPI, bearer: Any, headers: dict[str, str]
) -> None:
    async with caller(app, "10.0.0.1") as strange, caller(app, "10.0.0.2") as elsewhere:

        async def hammer(number: int) -> list[int]:
            paths = [OPEN[(number + n) % len(OPEN)] for n in range(EACH)]
            return [(await strange.get(path, headers=headers)).status_code for path in paths]

        *hammered, known = await asyncio.gather(
            *(hammer(number) for number in range(CALLERS)),
            asyncio.gather(*(strange.get("/v1/status", headers=bearer(Role.OPERATIONS)) for _ in range(3))),
        )
        statuses = [status for one in hammered for status in one]
        assert len(statuses) - statuses.count(429) == BURST
        assert [answer.status_code for answer in known] == [200] * 3
        assert (await elsewhere.get("/livez")).status_code == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_a_caller_has_one_address_of_ipv4_and_a_network_of_ipv6(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_documents_are_made_once_and_sent_to_who_has_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = gateway_app(world.settings, world.database("gateway"), apps_of(world.platform))
    made = []
    merged = documents.merged
    monkeypatch.setattr(documents, "merged", lambda parts: made.append(1) or merged(parts))
    async with caller(app, "10.0.0.1") as http:
        for path in ("/v1/openapi.json", "/v1/asyncapi.json", "/openapi.json"):
            first, *others = await asyncio.gather(*(http.get(path) for _ in range(5)))
            assert {other.content for other in others} == {first.content}
            assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
            again = await http.get(path, headers={"if-none-match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
    assert made == [1]


async def test_metrics_of_every_app_are_for_operators_and_for_who_has_the_token(world: World, bearer: Any) -> None:
    settings = world.settings.model_copy(
        update={"metrics_token": Settings(metrics_token="a token of sixteen").metrics_token}
    )
    apps = apps_of(world.platform)
    gateway = gateway_app(settings, world.database("gateway"), apps)
    for app in apps.values():
        app.state.settings = settings
    from chassis.actor import Actor
    from chassis.http import mint

    for name, app in {"gateway": gateway, **apps}.items():
        async with caller(app, "10.0.0.1") as http:

            async def asked(headers: dict[str, str], http: httpx.AsyncClient = http) -> int:
                return (await http.get("/metrics", headers=headers)).status_code

            async def is_told_why(headers: dict[str, str], http: httpx.AsyncClient = http) -> bool:
                return "checks" in (await http.get("/readyz", headers=headers)).json()

            assert await asked({}) == 401, name
            assert await asked({"authorization": "Bearer a token of seventeen"}) == 401
            assert await asked({"authorization": "Bearer a token of sixteen"}) == 200
            assert (await http.get("/readyz")).json().keys() == {"status"}, name
            assert not await is_told_why({"authorization": "Bearer a token of seventeen"}), name
            assert await is_told_why({"authorization": "Bearer a token of sixteen"}), name
            for role in set(Role):
                rest = {"client_id": "7c"} if role is Role.CLIENT else {"branch_id": "B7"}
                if name == "gateway":
                    given = bearer(role, **rest)
                else:
                    given = {"careline-identity": mint(Actor("x", role, **rest), settings)}
                assert await asked(given) == (200 if role is Role.OPERATIONS else 403), (name, role)
                assert await is_told_why(given) is (role is Role.OPERATIONS), (name, role)
            assert (
                await http.get("/v1/status", headers={"authorization": "Bearer a token of sixteen"})
            ).status_code in (401, 404)
            app.state.settings = settings.model_copy(update={"metrics_port": 9100})
            assert await asked({"authorization": "Bearer a token of sixteen"}) == 404


async def test_a_service_without_an_address_is_named_with_the_setting(world: World, bearer: Any) -> None:
    names = [service.name for service in SERVICES]
    app = gateway_app(world.settings, world.database("gateway"), {}, services=names)
    operator = bearer(Role.OPERATIONS)
    async with caller(app, "10.0.0.1") as http:
        for name in set(names) - {"gateway"}:
            answer = await http.get(f"/v1/{name}/operations/lag", headers=operator)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable"), name
            assert f"{name} is: set CARELINE_SERVICE_URLS" in answer.json()["detail"]
        overview = (await http.get("/v1/status", headers=operator)).json()
        assert overview["state"] == "down"
        assert {row["service"]: row["state"] for row in overview["services"]} == {
            name: "up" if name == "gateway" else "down" for name in names
        }
        assert (await http.get("/v1/openapi.json")).status_code == 200
        assert (await http.get("/v1/nothing/x", headers=operator)).status_code == 404
