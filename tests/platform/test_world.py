"""The world itself: what the other tests stand on."""

from datetime import date

import pytest

from contracts import broker
from tests.world import World


@pytest.mark.both_buses
@pytest.mark.every_postgres
async def test_facts_said_are_on_the_gateways_log_and_everything_settles(world: World) -> None:
    opened = broker.ClientOpened(client_id="c-1", branch_id="B0", opened_on=date(2020, 7, 1))
    messages = await world.publish(opened)
    await world.redeliver(messages)
    await world.close(date(2020, 7, 1))
    query = (
        f"SELECT sum(next)::int FROM {world.database('gateway').log.schema}.heads WHERE topic LIKE 'careline.broker.%'"
    )
    assert await world.value("gateway", query) == 2 + len(broker.TOPICS) * world.settings.partitions
