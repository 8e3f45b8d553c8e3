"""The distributed form: a service's HTTP and its work in processes of their own."""

import signal

import httpx

from contracts import broker
from tests.faults.running import Command
from tests.faults.test_replay_survives import as_environment
from tests.world import World


async def test_serve_and_work_share_a_platform_and_stop_when_told(world: World) -> None:
    given = as_environment(world.settings)
    serving = await Command.start("serve", "points", "--port", "0", **given)
    working = await Command.start("work", "classification", "points", "--port", "0", **given)
    try:
        address = await serving.line("ready ")
        probes = await working.line("working classification, points ")
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{address}/readyz")).status_code == 200
            ready = (await http.get(f"{probes}/readyz")).json()
            assert set(ready["checks"]) >= {"points-worker", "classification-worker"}
            assert "careline_worker_up" in (await http.get(f"{probes}/metrics")).text
        for command in (serving, working):
            command.process.send_signal(signal.SIGTERM)
            code, _, err = await command.ended()
            assert (code, "Traceback" in err) == (0, False)
    finally:
        await serving.kill()
        await working.kill()
    assert await world.value("points", "SELECT count(*) FROM consumer_offsets WHERE topic = $1", broker.TRADES)
