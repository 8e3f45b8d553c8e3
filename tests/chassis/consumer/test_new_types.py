"""A version that hears more: what is kept of the new types is read first, once, in order; older workers move nothing more."""

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chassis.bus.kafka import StretchReader
from chassis.bus.kafka_topics import KafkaAddress
from chassis.consumer import Batch, Consumer, LostPartition, OlderWorker, read_from_log
from chassis.new_types import NewTypes, ReadStretch, from_log
from chassis.operations.positions import shown
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from contracts.broker import ACCOUNTS, BrokerDayClosed, PermissionRequested
from tests.conftest import Cluster
from tests.faults.counting.service import COUNTING, HEARS_MORE
from tests.faults.scene import Scene, scene
from tests.faults.suite import prepared

TYPE = PermissionRequested.type
LIMIT = 7


@pytest.fixture
async def at(settings: Settings, postgres: Cluster) -> AsyncIterator[Scene]:
    """The gateway and the counting service on a fresh database; the older version at work."""
    name = f"n_{uuid.uuid4().hex[:12]}"
    made = await prepared(settings.model_copy(update={"database_url": await postgres.make(name)}))
    async with scene(made, "newtypes", 1) as here:
        yield here
    await postgres.drop(name)


async def apply_all(at: Scene, consumer: Consumer) -> None:
    """Everything published, by a version; on Kafka it is taken as read."""
    for relay in at.relays:
        while await relay.step():
            pass
    if not at.settings.on_kafka:
        while await read_from_log(consumer, 4, 20):
            pass
        return
    async with at.gateway.reading() as sql:
        ends = await at.gateway.log.ends(sql, [ACCOUNTS])
    async with at.counting.unit_of_work() as uow:
        for (topic, partition), end in ends.items():
            await uow.sql.execute(
                "UPDATE consumer_offsets SET next = $3 WHERE topic = $1 AND partition = $2", topic, partition, end
            )


async def bury_one(at: Scene) -> None:
    message = at.requests_of(1)[0]
    del at.facts[message.id]
    await at.publish([replace(message, value=b"\xff")])


@pytest.mark.both_buses
async def test_a_new_type_is_read_from_the_first_record_kept_before_anything_else(at: Scene) -> None:
    heard: list[str] = []

    async def note(requests: Sequence[PermissionRequested], uow: UnitOfWork) -> None:
        heard.extend(request.permission for request in requests)

    older = at.consumer()
    said = [message for _ in range(6) for message in (*at.requests_of(5), *at.messages_of(9))]
    await at.publish(said)
    await bury_one(at)
    await apply_all(at, older)
    service = replace(HEARS_MORE, listens=dict(COUNTING.listens) | {PermissionRequested: note})
    newer = Consumer(service, at.counting, 1000)
    await newer.prepare()
    place = (ACCOUNTS, 0)
    position = (await older.positions())[place]
    with pytest.raises(LostPartition):  # the older version moves nothing any more
        await older.apply(Batch([], [], {place: (position, position + 1)}))
    with pytest.raises(OlderWorker, match=r"broker\.permission\.requested"):
        await older.prepare()
    new = NewTypes(newer)
    address = KafkaAddress.parse(at.settings.bus_url) if at.settings.bus_url else None
    kafka = StretchReader(address) if address else None
    read: ReadStretch = kafka.read if kafka else from_log(at.counting)
    try:
        while await new.step(read, LIMIT):
            pass
    finally:
        if kafka:
            await kafka.stop()
    asked = [message for message in said if message.type == TYPE]
    for partition in range(4):  # each once, in the order of its partition
        ids = [message.id for message in asked if message.partition == partition]
        assert [one for one in heard if one in set(ids)] == ids
    assert len(heard) == len(asked)
    async with at.counting.reading() as sql:
        assert await sql.fetchval("SELECT count(*) FROM dead_letters WHERE type = $1", TYPE) == 1
        assert await sql.fetchval("SELECT count(*) FROM heard_types WHERE next IS NOT NULL OR since IS NOT NULL") == 0
    # A second worker of the newer version finds nothing to do, and both go on.
    second = Consumer(service, at.counting, 1000)
    await second.prepare()
    assert second.hearing == newer.hearing
    if not at.settings.on_kafka:
        more = at.requests_of(3)
        await at.publish(more)
        await apply_all(at, second)
        assert sorted(heard[-3:]) == sorted(message.id for message in more)


async def test_a_type_heard_after_its_first_records_went_says_from_when(at: Scene) -> None:
    await at.publish(at.messages_of(40))
    await apply_all(at, at.consumer())
    since = datetime(2026, 3, 1, tzinfo=UTC)
    admin = await at.admin()
    await admin.execute(
        """UPDATE bus.low_water w SET next = 1, since = $1 FROM bus.heads h
           WHERE w.topic = $2 AND h.topic = w.topic AND h.partition = w.partition AND h.next > 1""",
        since,
        ACCOUNTS,
    )
    await admin.close()
    newer = Consumer(HEARS_MORE, at.counting, 1000)
    await newer.prepare()
    async with at.counting.reading() as sql:
        rows = await sql.fetch("SELECT DISTINCT next, since FROM heard_types WHERE next IS NOT NULL")
        ends = await at.gateway.log.ends(sql, [ACCOUNTS])
    assert [tuple(row) for row in rows] == [(1, since)]
    assert {one.types for one in await shown(HEARS_MORE, at.counting, ends) if one.types} == {
        (f"{TYPE} reads on at 1",)
    }
    new = NewTypes(newer)
    while await new.step(from_log(at.counting), LIMIT):
        pass
    assert {one.types for one in await shown(HEARS_MORE, at.counting, ends) if one.types} == {
        (f"{TYPE} known since 2026-03-01T00:00:00+00:00",)
    }


async def test_what_a_version_read_before_types_were_kept_it_has_heard(at: Scene) -> None:
    await at.publish(at.messages_of(20))
    await apply_all(at, at.consumer())
    async with at.counting.unit_of_work() as uow:  # as its migration leaves it
        await uow.sql.execute("DELETE FROM heard_types")
        await uow.sql.execute("UPDATE consumer_offsets SET hearing = 0")
    consumer = at.consumer()
    await consumer.prepare()
    async with at.counting.reading() as sql:
        rows = await sql.fetch("SELECT type, count(*), count(next) AS behind FROM heard_types GROUP BY type")
    assert {tuple(row) for row in rows} == {(name, 4, 0) for name in consumer.types if name != BrokerDayClosed.type}
    assert consumer.hearing == 1


async def test_a_consumer_that_registered_nothing_moves_nothing(at: Scene) -> None:
    """Its moves would be taken for another worker's, and tried for ever."""
    await at.publish(at.messages_of(1))
    bare = Consumer(COUNTING, at.counting, 1000)
    with pytest.raises(RuntimeError, match="prepare"):
        await read_from_log(bare, 4, 10)
