"""On Kafka before any service has begun to read: everything that tells how far it is says so, and fails nowhere."""

import httpx
import pytest

from careline.asgi import apps_of
from chassis.actor import Role
from gateway.app import gateway_app
from gateway.tokens import issue_token
from tests.cli.conftest import Careline
from tests.world import World


@pytest.mark.only_kafka
async def test_status_lag_and_doctor_before_the_first_position(world: World, on_world: Careline) -> None:
    for service in world.platform.services:
        async with world.database(service.name).unit_of_work() as uow:
            await uow.sql.execute("DELETE FROM consumer_offsets")
    app = gateway_app(world.settings, world.database("gateway"), apps_of(world.platform))
    headers = {"authorization": f"Bearer {issue_token(world.settings, Role.OPERATIONS)}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", headers=headers) as http:
        answer = await http.get("/v1/status")
        assert (answer.status_code, answer.json()["state"]) == (200, "up")
        for service in world.platform.services:
            lag = await http.get(f"/v1/{service.name}/operations/lag")
            assert (lag.status_code, lag.json()["records"]) == (200, 0)
    for words in (["lag"], ["status"], ["positions", "show"]):
        said = await on_world(*words)
        assert (said.code, said.err) == (0, ""), (words, said)
    said = await on_world("doctor")
    assert said.err == ""
    assert all(f"ok     {service.name}: 0 records behind" in said.out for service in world.platform.services), said.out
