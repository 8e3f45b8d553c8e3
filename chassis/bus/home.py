"""Whose prefix it is: two homes on one Kafka prefix would split the facts between them without a word.

The first record of the topic PREFIX.home is the id of the home the prefix belongs to; every database of the home keeps the same
id. Whoever finds another one refuses to start.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from chassis.bus.kafka_clients import running
from chassis.bus.kafka_topics import KafkaAddress
from chassis.database import connect_to_schema
from chassis.settings import Settings

READ_SECONDS = 30.0
ORIGIN = "gateway"
"""The service whose database a home begins with."""


async def claim_prefix(settings: Settings, services: Sequence[str]) -> None:
    """Make the prefix this home's, or see that it is.

    Raises: ValueError when it is another home's.
    """
    address = KafkaAddress.parse(settings.bus_url or "")
    ids = {service: await _known(settings, service) for service in services}
    known = {one for one in ids.values() if one}
    marked = await marked_home(address)
    if len(known) > 1:
        raise ValueError(f"these databases belong to different homes: {_words(known)}")
    if marked and (known - {marked} or (ORIGIN in ids and ids[ORIGIN] is None)):
        raise ValueError(
            f"the Kafka prefix {address.prefix!r} belongs to home {marked}, not to "
            f"{_words(known) or 'this one, which is new'}: choose another prefix in CARELINE_BUS_URL"
        )
    home = marked or next(iter(known), None) or uuid4()
    for service, one in ids.items():
        if one is None:
            await _keep(settings, service, home)
    if marked is None:
        await _mark(address, home)
        if (first := await marked_home(address)) != home:
            raise ValueError(f"the Kafka prefix {address.prefix!r} was just taken by home {first}")


def _words(ids: set[UUID]) -> str:
    return ", ".join(sorted(map(str, ids)))


async def _known(settings: Settings, service: str) -> UUID | None:
    admin = await connect_to_schema(settings, service)
    try:
        found: UUID | None = await admin.fetchval(f"SELECT id FROM {service}.home_id")
        return found
    finally:
        await admin.close()


async def _keep(settings: Settings, service: str, home: UUID) -> None:
    admin: asyncpg.Connection = await connect_to_schema(settings, service)
    try:
        await admin.execute(f"INSERT INTO {service}.home_id (id) VALUES ($1) ON CONFLICT DO NOTHING", home)
    finally:
        await admin.close()


async def marked_home(address: KafkaAddress) -> UUID | None:
    """The home a prefix belongs to, by its first mark; none: to nobody yet."""
    async with running(AIOKafkaConsumer(bootstrap_servers=address.servers, enable_auto_commit=False)) as kafka:
        place = TopicPartition(_topic(address), 0)
        if place.topic not in await kafka.topics():
            return None
        kafka.assign([place])
        if not (await kafka.end_offsets([place]))[place]:
            return None
        kafka.seek(place, 0)
        async with asyncio.timeout(READ_SECONDS):
            return UUID(bytes=(await kafka.getone(place)).value)


async def _mark(address: KafkaAddress, home: UUID) -> None:
    async with running(AIOKafkaAdminClient(bootstrap_servers=address.servers)) as admin:
        topic = NewTopic(_topic(address), 1, -1, {}, {"retention.ms": "-1", "cleanup.policy": "delete"})
        for _, code, *rest in (await admin.create_topics([topic])).topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise for_code(code)(*rest)
    async with running(AIOKafkaProducer(bootstrap_servers=address.servers, acks="all")) as producer:
        await producer.send_and_wait(_topic(address), home.bytes, partition=0)


def _topic(address: KafkaAddress) -> str:
    return f"{address.prefix}.home"
