"""A Kafka client that reads nothing and says nothing is found out by positions that stand still, and replaced."""

import asyncio
from datetime import date

import pytest

from chassis.bus.kafka import KafkaSource, Relay, Stuck
from chassis.bus.kafka_topics import KafkaAddress
from chassis.worker import SILENT_MEASURES
from tests.suitability.conftest import bought, opened
from tests.world import World


@pytest.mark.only_kafka
async def test_a_client_that_has_fallen_silent_joins_anew(world: World) -> None:
    worker, address = world.platform.workers["points"], KafkaAddress.parse(world.settings.bus_url or "")
    worker.source = source = KafkaSource(worker.consumer, address, 5000, 0.02)
    relay = Relay(world.database("gateway"), address, 5000)
    try:
        async with asyncio.timeout(60):
            while source.kafka is None or not source.kafka.assignment():
                await source.step()
            source.kafka.pause(*source.kafka.assignment())
            await world.publish(opened("c-1"), bought("c-1", "t-1", date(2022, 3, 1)))
            while await relay.step():
                pass
        for _ in range(SILENT_MEASURES + 1):
            assert not source.stuck
            assert await source.step() == 0
            await worker._measure()
        with pytest.raises(Stuck):
            await source.step()
        await source.stop()
        async with asyncio.timeout(60):
            while await world.value("points", "SELECT count(*) FROM entries") == 0:
                await source.step()
        await worker._measure()
        assert (source.stuck, worker.silent_for) == (False, 0)
    finally:
        await source.stop()
        await relay.stop()
