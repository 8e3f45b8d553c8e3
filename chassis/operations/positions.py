"""Positions: where each consumer reads on, and the ways on when its next record is gone or must not be applied. Audited."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.actor import Actor
from chassis.bus.log import LowWater
from chassis.consumer import Consumer
from chassis.database import Database
from chassis.errors import Invalid, NotFound, Text
from chassis.service import Service

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a service reads on in one partition of a topic.

    `next`: the offset of its next record; `kept`: the first one the bus still has; `end`: the one after the last;
    `since`: from when on its facts are known here (none: from the first one). `types`: those that differ, with what is to
    be said of them.
    """

    topic: str
    partition: int
    next: int
    kept: int
    end: int
    since: datetime | None
    types: tuple[str, ...] = ()

    @property
    def below(self) -> bool:
        """Whether its next record is gone."""
        return self.next < self.kept


async def shown(service: Service, database: Database, ends: Mapping[Place, int]) -> list[Position]:
    """Every position of a service. `ends` are the heads of the bus."""
    consumer = Consumer(service, database, 1)
    async with database.reading() as sql:
        rows = await sql.fetch("SELECT topic, partition, next, since FROM consumer_offsets ORDER BY topic, partition")
        kept = await consumer.kept_from(sql, sorted({row["topic"] for row in rows}))
        types = await sql.fetch(
            """SELECT t.topic, t.partition, t.type, t.next, t.since FROM heard_types t JOIN consumer_offsets o USING (topic, partition)
               WHERE t.next IS NOT NULL OR t.since IS DISTINCT FROM o.since ORDER BY t.type"""
        )
    differ = defaultdict[Place, list[str]](list)
    for row in types:
        since = row["since"].isoformat(timespec="seconds") if row["since"] else "the first"
        known = f"reads on at {row['next']}" if row["next"] is not None else f"known since {since}"
        differ[row["topic"], row["partition"]].append(f"{row['type']} {known}")
    return [
        Position(topic, partition, following, kept.get((topic, partition), LowWater(0, None)).next,
                 ends.get((topic, partition), following), since, tuple(differ[topic, partition]))
        for topic, partition, following, since in rows
    ]  # fmt: skip


async def skip(database: Database, actor: Actor, place: Place, to: int, reason: str) -> int:
    """Move a position on without applying what lies between; from where it moved.

    Raises: NotFound; Invalid when `to` lies behind it.
    """
    topic, partition = place
    async with database.unit_of_work(actor) as uow:
        row = await uow.sql.fetchrow(
            "SELECT next FROM consumer_offsets WHERE topic = $1 AND partition = $2 FOR UPDATE", topic, partition
        )
        if row is None:
            raise NotFound(Text(f"no position in {topic}/{partition}", f"没有 {topic}/{partition} 的位点"))
        if to <= row["next"]:
            raise Invalid(
                Text(f"the position is {row['next']}: it moves forward only", f"位点为 {row['next']}，只能前移")
            )
        await uow.sql.execute(
            "UPDATE consumer_offsets SET next = $3, since = $4 WHERE topic = $1 AND partition = $2",
            topic, partition, to, uow.now,
        )  # fmt: skip
        uow.audit("skip_position", f"position/{topic}/{partition}", reason=reason, before=row["next"], after=to)
    return int(row["next"])


async def reconcile(
    database: Database,
    actor: Actor,
    ends: Mapping[Place, int],
    kept: Mapping[Place, LowWater],
    *,
    new_bus: bool,
) -> int:
    """Let a restored database and Kafka agree, where Kafka lost what the database had of it or is a new one: the service
    reads from the first record kept there, and ships again what its own log still has. How many places that were.

    `ends` and `kept` are those of the topics it hears or publishes. What it knows already changes nothing.
    """
    async with database.unit_of_work(actor) as uow:
        shipped = await database.log.low_water(uow.sql, sorted({topic for topic, _ in ends}))
        changed = 0
        for table, begins in (("consumer_offsets", kept), (f"{database.log.schema}.relay_cursors", shipped)):
            for topic, partition, following in await uow.sql.fetch(f"SELECT topic, partition, next FROM {table}"):
                place = topic, partition
                first = begins[place].next if place in begins else following
                if first < following and (new_bus or following > ends[place]):
                    where = "WHERE topic = $1 AND partition = $2"
                    await uow.sql.execute(f"UPDATE {table} SET next = $3 {where}", *place, first)
                    uow.audit("reconcile_position", f"position/{topic}/{partition}", before=following, after=first)
                    changed += 1
    return changed


async def ship_again(database: Database, actor: Actor, place: Place, first: int, reason: str) -> int:
    """Ship what lies in the publisher's own log from an offset on to Kafka once more; how many records that is.

    Receivers know effects by natural keys: what they have applied before changes nothing.
    Raises: NotFound; Invalid when the log does not have it any more, or has not shipped it yet.
    """
    topic, partition = place
    schema = database.log.schema
    unknown = NotFound(
        Text(f"{database.service} ships no {topic}/{partition}", f"{database.service} 不投递 {topic}/{partition}")
    )
    if schema != database.service:  # a log that all share is read where it lies
        raise unknown
    async with database.unit_of_work(actor) as uow:
        row = await uow.sql.fetchrow(
            f"""SELECT c.next, w.next AS kept FROM {schema}.relay_cursors c JOIN {schema}.low_water w USING (topic, partition)
                WHERE c.topic = $1 AND c.partition = $2 FOR UPDATE OF c""",
            topic,
            partition,
        )
        if row is None:
            raise unknown
        if not row["kept"] <= first < row["next"]:
            text = f"{first} is not among what is kept and shipped: {row['kept']} to {row['next'] - 1}"
            raise Invalid(Text(text, f"{first} 不在已保留且已投递的范围 {row['kept']} 至 {row['next'] - 1} 内"))
        await uow.sql.execute(
            f"UPDATE {schema}.relay_cursors SET next = $3 WHERE topic = $1 AND partition = $2", topic, partition, first
        )
        uow.audit("ship_again", f"position/{topic}/{partition}", reason=reason, first=first, before=row["next"])
    return int(row["next"]) - first
