"""The durable log in PostgreSQL: the bus of the default, the outbox everywhere.

Offsets come from head rows locked in order at the end of the publishing transaction, so they are gapless and in
commit order: a reader that asks for "from offset n" can miss nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, count, repeat
from operator import add
from typing import NamedTuple, NoReturn

import asyncpg

from chassis.bus.record import Content, Record

CHANNEL = "careline_log"
COLUMNS = ("topic", "partition", "offset", "key", "type", "id", "source", "time", "traceparent", "value")
SHARED_SCHEMA = "bus"
FEW = 50
"""Up to so many records one statement is quicker than COPY and the statements it needs around it."""


HEAD_IDLE_SECONDS = 5
HURRY = f"set_config('idle_in_transaction_session_timeout', '{HEAD_IDLE_SECONDS}s', true)"
"""Whoever holds heads keeps others waiting: a transaction that does nothing from here on is ended soon."""


Place = tuple[str, int]


class LowWater(NamedTuple):
    """The first offset still kept, and from when on records are; no instant: nothing was ever dropped."""

    next: int
    since: datetime | None


class BelowLowWater(Exception):
    """A reader's next record may be gone: it was away for longer than the log is kept, or its position was set back."""


class Log:
    """The log in one schema: `bus` when it is the bus of all services, the service's own when a relay ships it."""

    def __init__(self, schema: str) -> None:
        self.schema = schema

    async def create_topics(self, driver: asyncpg.Connection, topics: Iterable[str], partitions: int) -> None:
        """Make the rows of topics; a topic that exists keeps its own."""
        for table in ("heads", "relay_cursors", "low_water"):
            await driver.execute(
                f"""INSERT INTO {self.schema}.{table} (topic, partition)
                    SELECT t, p FROM unnest($1::text[]) t, generate_series(0, $2::int - 1) p ON CONFLICT DO NOTHING""",
                sorted(topics),
                partitions,
            )

    async def append(self, driver: asyncpg.Connection, places: Mapping[tuple[str, int], Sequence[Content]]) -> None:
        """Write records, given by topic and partition, at the heads of those. Call last in a transaction: it locks
        the heads."""
        topics = " ".join(dict.fromkeys(topic for topic, _ in sorted(places)))
        if sum(map(len, places.values())) <= FEW:
            await self._append_few(driver, places, topics)
            return
        heads = await driver.fetch(
            f"""WITH n AS (SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) AS n(topic, partition, count)),
                {self._taken} SELECT topic, partition, first, {HURRY} FROM taken""",
            [topic for topic, _ in places],
            [partition for _, partition in places],
            [len(contents) for contents in places.values()],
        )
        if len(heads) != len(places):
            self._refuse(set(places) - {(t, p) for t, p, *_ in heads})
        rows = chain.from_iterable(
            map(add, zip(repeat(topic), repeat(partition), count(first)), places[topic, partition])
            for topic, partition, first, _ in heads
        )
        await driver.copy_records_to_table("log", schema_name=self.schema, records=rows, columns=COLUMNS)
        await driver.execute(f"SELECT pg_notify('{CHANNEL}', $1)", topics)

    async def _append_few(
        self, driver: asyncpg.Connection, places: Mapping[tuple[str, int], Sequence[Content]], topics: str
    ) -> None:
        """All in one round trip: others wait for these heads."""
        rows = [(*place, nth, *content) for place, contents in places.items() for nth, content in enumerate(contents)]
        written = await driver.fetchval(
            f"""WITH given AS (
                    SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                                         $8::timestamptz[], $9::text[], $10::bytea[])
                        AS g(topic, partition, nth, key, type, id, source, time, traceparent, value)),
                n AS (SELECT topic, partition, count(*) AS count FROM given GROUP BY topic, partition),
                {self._taken},
                written AS (
                    INSERT INTO {self.schema}.log
                        (topic, partition, "offset", key, type, id, source, time, traceparent, value)
                    SELECT g.topic, g.partition, t.first + g.nth, key, type, id, source, time, traceparent, value
                    FROM given g JOIN taken t USING (topic, partition) RETURNING 1)
                SELECT count(*), pg_notify('{CHANNEL}', $11), {HURRY} FROM written""",
            *map(list, zip(*rows, strict=True)),
            topics,
        )
        if written != len(rows):
            self._refuse(set(places))

    @property
    def _taken(self) -> str:
        """Moves the heads of `n` (topic, partition, count): they are locked in one order by everybody, or two publishers
        could wait for each other."""
        return f"""
            locked AS MATERIALIZED (
                SELECT h.topic, h.partition FROM {self.schema}.heads h JOIN n USING (topic, partition)
                ORDER BY h.topic, h.partition FOR UPDATE OF h),
            taken AS (
                UPDATE {self.schema}.heads h SET next = h.next + n.count FROM n JOIN locked USING (topic, partition)
                WHERE h.topic = n.topic AND h.partition = n.partition
                RETURNING h.topic, h.partition, h.next - n.count AS first)"""

    def _refuse(self, missing: set[tuple[str, int]]) -> NoReturn:
        raise LookupError(f"no such topic or partition in {self.schema}.heads, one of {sorted(missing)}")

    def first_day(self, of: str) -> str:
        """SQL: the first day on which the records of a place from an offset on can lie; `of` names topic, partition, next."""
        return f"""coalesce(
            (SELECT min(d.day) FROM {self.schema}.past_days d
             WHERE d.topic = {of}.topic AND d.partition = {of}.partition AND d.last >= {of}.next),
            (SELECT max(d.day) + 1 FROM {self.schema}.past_days d), '2000-01-01')::timestamptz"""

    async def read(
        self,
        driver: asyncpg.Connection,
        positions: Mapping[tuple[str, int], int],
        limit: int,
        since: datetime | None = None,
    ) -> list[Record]:
        """Up to `limit` records in all, in order in each partition, from the given offsets on. `since`: none of them was
        written before, so that older parts are left alone."""
        rows = await driver.fetch(
            f"""SELECT l.topic, l.partition, l."offset", l.key, l.type, l.id, l.source, l.time, l.traceparent, l.value
                FROM unnest($1::text[], $2::int[], $3::bigint[]) AS p(topic, partition, next),
                LATERAL (SELECT * FROM {self.schema}.log l
                         WHERE l.topic = p.topic AND l.partition = p.partition AND l."offset" >= p.next
                           AND l.written_at >= coalesce($6::timestamptz, '-infinity')
                         ORDER BY l."offset" LIMIT $4) l
                LIMIT $5""",
            [topic for topic, _ in positions],
            [partition for _, partition in positions],
            list(positions.values()),
            max(1, limit // max(1, len(positions))),
            limit,
            since,
        )
        return [Record(*row) for row in rows]

    async def read_types(
        self,
        driver: asyncpg.Connection,
        stretches: Mapping[tuple[str, int], tuple[int, int]],
        types: Sequence[str],
        since: datetime | None = None,
    ) -> list[Record]:
        """The records of some types in stretches of offsets (from, up to and without), in order in each partition; `since` as
        in `read`."""
        rows = await driver.fetch(
            f"""SELECT l.topic, l.partition, l."offset", l.key, l.type, l.id, l.source, l.time, l.traceparent, l.value
                FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS p(topic, partition, first, following),
                LATERAL (SELECT * FROM {self.schema}.log l
                         WHERE l.topic = p.topic AND l.partition = p.partition
                           AND l."offset" >= p.first AND l."offset" < p.following
                           AND l.written_at >= coalesce($6::timestamptz, '-infinity')
                         ORDER BY l."offset") l
                WHERE l.type = ANY($5::text[])""",
            [topic for topic, _ in stretches],
            [partition for _, partition in stretches],
            [first for first, _ in stretches.values()],
            [following for _, following in stretches.values()],
            types,
            since,
        )
        return [Record(*row) for row in rows]

    async def low_water(self, driver: asyncpg.Connection, topics: Sequence[str]) -> dict[Place, LowWater]:
        """From where on the records of some topics are kept."""
        rows = await driver.fetch(
            f"SELECT topic, partition, next, since FROM {self.schema}.low_water WHERE topic = ANY($1::text[])",
            list(topics),
        )
        return {(topic, partition): LowWater(following, since) for topic, partition, following, since in rows}

    async def ends(self, driver: asyncpg.Connection, topics: Sequence[str]) -> dict[tuple[str, int], int]:
        """The next offset of every partition of some topics."""
        rows = await driver.fetch(
            f"SELECT topic, partition, next FROM {self.schema}.heads WHERE topic = ANY($1::text[])", list(topics)
        )
        return {(topic, partition): following for topic, partition, following in rows}
