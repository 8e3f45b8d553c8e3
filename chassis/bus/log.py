"""The durable log in PostgreSQL: the bus of the default, the outbox everywhere.

Offsets come from head rows locked in order at the end of the publishing transaction, so they are gapless and in
commit order: a reader that asks for "from offset n" can miss nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import asyncpg

from chassis.bus.record import Content, Record

CHANNEL = "careline_log"
COLUMNS = ("topic", "partition", "offset", "key", "type", "id", "source", "time", "traceparent", "value")
SHARED_SCHEMA = "bus"


class Log:
    """The log in one schema: `bus` when it is the bus of all services, the service's own when a relay ships it."""

    def __init__(self, schema: str) -> None:
        self.schema = schema

    async def create_topics(self, driver: asyncpg.Connection, topics: Iterable[str], partitions: int) -> None:
        """Make the rows of topics; a topic that exists keeps its own."""
        for table in ("heads", "relay_cursors"):
            await driver.execute(
                f"""INSERT INTO {self.schema}.{table} (topic, partition)
                    SELECT t, p FROM unnest($1::text[]) t, generate_series(0, $2::int - 1) p ON CONFLICT DO NOTHING""",
                sorted(topics),
                partitions,
            )

    async def append(self, driver: asyncpg.Connection, places: Mapping[tuple[str, int], Sequence[Content]]) -> None:
        """Write records, given by topic and partition, at the heads of those. Call last in a transaction: it locks
        the heads."""
        ordered = sorted(places)
        topics, partitions = [t for t, _ in ordered], [p for _, p in ordered]
        if len(ordered) > 1:  # taken in one order by everybody, or two publishers could wait for each other
            await driver.execute(
                f"""SELECT FROM {self.schema}.heads
                    WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::int[]))
                    ORDER BY topic, partition FOR UPDATE""",
                topics,
                partitions,
            )
        heads = await driver.fetch(
            f"""UPDATE {self.schema}.heads h SET next = h.next + n.count
                FROM unnest($1::text[], $2::int[], $3::bigint[]) AS n(topic, partition, count)
                WHERE h.topic = n.topic AND h.partition = n.partition
                RETURNING h.topic, h.partition, h.next - n.count""",
            topics,
            partitions,
            [len(places[place]) for place in ordered],
        )
        if len(heads) != len(ordered):
            missing = sorted(set(ordered) - {(t, p) for t, p, _ in heads})
            raise LookupError(f"no such topic or partition in {self.schema}.heads: {missing}")
        rows = [
            (topic, partition, offset, *content)
            for topic, partition, first in heads
            for offset, content in enumerate(places[topic, partition], first)
        ]
        await driver.copy_records_to_table("log", schema_name=self.schema, records=rows, columns=COLUMNS)
        await driver.execute(f"SELECT pg_notify('{CHANNEL}', $1)", " ".join(dict.fromkeys(topics)))

    async def read(
        self, driver: asyncpg.Connection, positions: Mapping[tuple[str, int], int], limit: int
    ) -> list[Record]:
        """Up to `limit` records in all, in order in each partition, from the given offsets on."""
        rows = await driver.fetch(
            f"""SELECT l.topic, l.partition, l."offset", l.key, l.type, l.id, l.source, l.time, l.traceparent, l.value
                FROM unnest($1::text[], $2::int[], $3::bigint[]) AS p(topic, partition, next),
                LATERAL (SELECT * FROM {self.schema}.log l
                         WHERE l.topic = p.topic AND l.partition = p.partition AND l."offset" >= p.next
                         ORDER BY l."offset" LIMIT $4) l
                LIMIT $5""",
            [topic for topic, _ in positions],
            [partition for _, partition in positions],
            list(positions.values()),
            max(1, limit // max(1, len(positions))),
            limit,
        )
        return [Record(*row) for row in rows]

    async def ends(self, driver: asyncpg.Connection, topics: Sequence[str]) -> dict[tuple[str, int], int]:
        """The next offset of every partition of some topics."""
        rows = await driver.fetch(
            f"SELECT topic, partition, next FROM {self.schema}.heads WHERE topic = ANY($1::text[])", list(topics)
        )
        return {(topic, partition): following for topic, partition, following in rows}

    async def make_room(self, driver: asyncpg.Connection, today: date, days_ahead: int = 7) -> None:
        """Make the table partitions of the coming days."""
        for day in (today + timedelta(days=n) for n in range(days_ahead + 1)):
            await driver.execute(
                f"""CREATE TABLE IF NOT EXISTS {self.schema}.log_{day:%Y%m%d} PARTITION OF {self.schema}.log
                    FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"""
            )
