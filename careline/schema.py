"""Schemas and topics of the whole platform, brought to where this version of Careline wants them."""

from collections.abc import Sequence

from careline.refusals import WrongArgument
from chassis.bus.log import SHARED_SCHEMA, Log
from chassis.database import connect, connect_to_schema, owner_of, owner_url_of
from chassis.migrate import migrate
from chassis.service import Service
from chassis.settings import Settings
from contracts import broker

INGEST = "gateway"


async def make_schemas(settings: Settings, services: Sequence[Service], *, topics: bool = True) -> None:
    """Migrate the services' databases and, with `topics`, make Kafka's. Safe to run by several processes at once.

    Raises: WrongArgument for settings that do not fit what exists, and whatever an absent database or broker raises.
    """
    try:
        await _make(settings, services, topics)
    except ValueError as error:
        raise WrongArgument(str(error)) from error


async def _make(settings: Settings, services: Sequence[Service], topics: bool) -> None:
    await migrate(settings, services)
    await _same_bus(settings, [service.name for service in services])
    if any(service.name == INGEST for service in services):
        await _make_broker_topics(settings)
    if settings.on_kafka and topics:
        from chassis.bus.home import claim_prefix
        from chassis.bus.kafka_topics import KafkaAddress, create_topics

        said = {kind.topic for service in services for kind in service.publishes if kind.topic}
        heard = {topic for service in services for topic in service.topics}
        address = KafkaAddress.parse(settings.bus_url or "")
        await claim_prefix(settings, [service.name for service in services])
        await create_topics(address, sorted(said | heard | set(broker.TOPICS)), settings.partitions)


async def _same_bus(settings: Settings, services: Sequence[str]) -> None:
    """A home stays on the bus it began on: positions count the records of that one, and facts of another would be lost.

    Raises: ValueError.
    """
    for service in services:
        sql = await connect_to_schema(settings, service)
        try:
            on_kafka = await sql.fetchval("SELECT EXISTS (SELECT FROM home_id)")
            begun = await sql.fetchval("SELECT EXISTS (SELECT FROM consumer_offsets WHERE next > 0)")
        finally:
            await sql.close()
        if on_kafka and not settings.on_kafka:
            raise ValueError(f"the events of {service} travel over Kafka: set CARELINE_BUS_URL to where they do")
        if begun and not on_kafka and settings.on_kafka:
            raise ValueError(f"the events of {service} lie in PostgreSQL: unset CARELINE_BUS_URL, or begin a new home")


async def _make_broker_topics(settings: Settings) -> None:
    """A day is closed on every broker topic, also on those nothing has been said on yet."""
    schema = INGEST if settings.on_kafka else SHARED_SCHEMA
    url = owner_url_of(settings, INGEST)
    if url is None:
        return
    admin = await connect(url)
    try:
        await admin.execute(f"SET ROLE {owner_of(schema)}")
        await Log(schema).create_topics(admin, broker.TOPICS, settings.partitions)
    finally:
        await admin.close()
