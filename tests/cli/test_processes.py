"""The distributed form: a service's HTTP and its work in processes of their own."""

import signal

import httpx

from chassis.servers.ports import free_port
from contracts import broker
from tests.faults.running import Command
from tests.faults.test_replay_survives import as_environment
from tests.world import World


async def test_serve_and_work_share_a_platform_and_stop_when_told(world: World) -> None:
    given, port = as_environment(world.settings), free_port()
    serving = await Command.start("serve", "points", "--port", "0", CARELINE_METRICS_PORT=str(port), **given)
    given["CARELINE_METRICS_TOKEN"] = token = "a token of sixteen"
    working = await Command.start("work", "classification", "points", "--port", "0", **given)
    try:
        address = await serving.line("ready ")
        probes = await working.line("working classification, points ")
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{address}/readyz")).status_code == 200
            told, why = await http.get(f"{probes}/readyz"), {"authorization": f"Bearer {token}"}
            assert (told.status_code, told.json()) == (200, {"status": "pass"})
            ready = (await http.get(f"{probes}/readyz", headers=why)).json()
            assert set(ready["checks"]) >= {"points-worker", "classification-worker"}
            assert (await http.get(f"{probes}/metrics")).status_code == 401
            scraped = await http.get(f"{probes}/metrics", headers=why)
            assert "careline_worker_up" in scraped.text
            assert (await http.get(f"{address}/metrics")).status_code == 404
            assert "careline_serving" in (await http.get(f"http://127.0.0.1:{port}/metrics")).text
            taken = await Command.start("serve", "points", "--port", "0", CARELINE_METRICS_PORT=str(port), **given)
            code, _, err = await taken.ended()
            assert (code, "CARELINE_METRICS_PORT" in err, "Traceback" in err) == (1, True, False)
        for command in (serving, working):
            command.process.send_signal(signal.SIGTERM)
            code, _, err = await command.ended()
            assert (code, "Traceback" in err) == (0, False)
    finally:
        await serving.kill()
        await working.kill()
    assert await world.value("points", "SELECT count(*) FROM consumer_offsets WHERE topic = $1", broker.TRADES)
