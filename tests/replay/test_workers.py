"""Three workers of the services that close days, in processes of their own, leave what one leaves, on both buses."""

from datetime import date

import pytest

from tests.faults.running import BANK, Command
from tests.faults.test_replay_survives import as_environment
from tests.replay.outcome import assert_outcome
from tests.world import World

UNTIL = date(2020, 7, 31)
SERVICES = ("gateway", "classification", "points")
"""The replay does the work of the others itself."""


@pytest.mark.both_buses
async def test_three_workers_a_service_end_as_the_reference_says(world: World) -> None:
    given = as_environment(world.settings) | {"CARELINE_LOG_LEVEL": "ERROR"}  # nobody reads what workers say
    workers = [await Command.start("work", *SERVICES, **given) for _ in range(3)]
    try:
        for worker in workers:
            await worker.line("working")
        code, out, err = await (await Command.start("replay", str(BANK), "--until", str(UNTIL), **given)).ended()
        assert (code, err) == (0, "")
        assert "totals" in out
    finally:
        for worker in workers:
            await worker.kill()
    await assert_outcome(world.platform, UNTIL)
