"""Where Kafka is, which topics there are, and what of them is left to read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from chassis.bus.kafka_clients import running
from chassis.bus.log import LowWater, Place
from chassis.clock import utc_now

PLATFORM_PREFIX = "careline"
FIRST_RECORD_WAIT_MS = 2000


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Where Kafka is and under which prefix this platform's topics lie."""

    servers: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> "KafkaAddress":
        """From `kafka://host:port[,host:port]/prefix`.

        Raises: ValueError when the URL is not of that form.
        """
        parts = urlsplit(url)
        if parts.scheme != "kafka" or not parts.netloc:
            raise ValueError(f"CARELINE_BUS_URL must be kafka://host:port/prefix, not {url!r}")
        return cls(parts.netloc, parts.path.strip("/") or PLATFORM_PREFIX)

    def topic(self, name: str) -> str:
        """The Kafka name of one of our topics."""
        return self.prefix + name.removeprefix(PLATFORM_PREFIX)

    def name(self, topic: str) -> str:
        """Our name of a Kafka topic."""
        return PLATFORM_PREFIX + topic.removeprefix(self.prefix)


CONFIG = {"message.timestamp.type": "LogAppendTime"}
"""Kafka's retention counts from when a record came in: a sender whose clock is wrong, or who sends old facts, would have
them deleted before they are read."""


async def create_topics(address: KafkaAddress, names: Iterable[str], partitions: int, replicas: int = -1) -> None:
    """Make the topics that do not exist.

    Raises: ValueError when a topic exists with another number of partitions; KafkaError when Kafka is not there.
    """
    wanted = [address.topic(name) for name in names]
    async with running(AIOKafkaAdminClient(bootstrap_servers=address.servers)) as admin:
        made = await admin.create_topics([NewTopic(name, partitions, replicas, {}, CONFIG) for name in wanted])
        for _, code, *rest in made.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise for_code(code)(*rest)
        for topic in await admin.describe_topics(wanted):
            if topic["error_code"] == 0 and len(topic["partitions"]) != partitions:
                found = len(topic["partitions"])
                raise ValueError(
                    f"topic {topic['topic']} has {found} partitions, CARELINE_PARTITIONS says {partitions}"
                )


async def kept_from(address: KafkaAddress, places: Sequence[Place]) -> dict[Place, LowWater]:
    """From where on Kafka still has the records of some topics and partitions, and since when it got them."""
    async with running(AIOKafkaConsumer(bootstrap_servers=address.servers, enable_auto_commit=False)) as kafka:
        begins = await kafka.beginning_offsets([TopicPartition(address.topic(t), p) for t, p in places])
        since = await sent_at(kafka, {place: offset for place, offset in begins.items() if offset})
    return {
        (address.name(place.topic), place.partition): LowWater(offset, since.get(place, utc_now()) if offset else None)
        for place, offset in begins.items()
    }


async def sent_at(kafka: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, datetime]:
    """When Kafka got the first record from each position on; without those that have none."""
    found: dict[TopicPartition, datetime] = {}
    if not positions:
        return found
    kafka.assign(list(positions))
    for place, offset in positions.items():
        kafka.seek(place, offset)
    while len(found) < len(positions):
        fetched = await kafka.getmany(timeout_ms=FIRST_RECORD_WAIT_MS)
        if not fetched:
            break
        for place, records in fetched.items():
            if records and place not in found:
                found[place] = datetime.fromtimestamp(records[0].timestamp / 1000, UTC)
        kafka.pause(*found)
    return found
