"""Two workers at once: on Kafka one may hold a client's trades and another the same client's tiers."""

import asyncio
import random
from datetime import timedelta

from chassis.bus.record import Record
from chassis.clock import at
from chassis.consumer import Batch, Consumer, LostPartition
from chassis.database import Database
from chassis.outages import is_outage
from contracts.base import Event
from contracts.broker import TRADES
from contracts.classification import TOPIC
from services.points import tiers
from services.points.app import service
from services.points.ledger import award_at_once
from tests.points.facts import DAY, cancelled, tier, trade
from tests.points.test_order import expected
from tests.world import World

CLIENTS = 12
ROUNDS = 6


def batch(consumer: Consumer, records: list[Record]) -> Batch:
    """What was read of several places from their positions on."""
    moves: dict[tuple[str, int], tuple[int, int]] = {}
    for record in records:
        first, _ = moves.get((record.topic, record.partition), (record.offset, 0))
        moves[record.topic, record.partition] = (first, record.offset + 1)
    return Batch(records, consumer.read(records), moves)


async def work_off(world: World, topic: str, size: int) -> None:
    """A worker of its own that has one topic, in small batches; what passes by itself is tried again."""
    database = Database(world.settings, "points")
    consumer = Consumer(service, database, 100)
    try:
        await consumer.prepare()
        while True:
            positions = {place: at for place, at in (await consumer.positions()).items() if place[0] == topic}
            async with database.reading() as sql:
                records = await database.log.read(sql, positions, size)
            if not records:
                return
            try:
                await consumer.apply(batch(consumer, records))
            except Exception as error:
                if not is_outage(error) and not isinstance(error, LostPartition):
                    raise
    finally:
        await database.close()


async def test_trades_and_tiers_of_the_same_clients_in_two_workers(ledger: World) -> None:
    chance = random.Random(7)
    facts: list[Event] = []
    for number in range(ROUNDS):
        for client in (f"r-{n}" for n in range(CLIENTS)):
            day = DAY + timedelta(days=chance.randrange(10))
            facts.append(trade(f"t-{number}", "10", client, day))
            facts.append(trade(f"t-{number}", "10", client, day))
            if chance.random() < 0.4:
                facts.append(cancelled(f"t-{chance.randrange(ROUNDS)}", "5", client))
            since = DAY + timedelta(days=chance.randrange(10))
            facts.append(tier(number + 1, since, (since, chance.choice(["NORMAL", "GOLD", "DIAMOND"])), client=client))
    await ledger.publish(*facts)
    await asyncio.gather(
        work_off(ledger, TRADES, 7),
        work_off(ledger, TRADES, 16),
        work_off(ledger, TOPIC, 5),
        work_off(ledger, TOPIC, 9),
    )
    wanted = {}
    for client in (f"r-{n}" for n in range(CLIENTS)):
        mine = [fact for fact in facts if fact.key == client]
        wanted[client] = sum(expected(mine).values())
    rows = await ledger.rows("points", "SELECT client_id, available FROM balances ORDER BY client_id")
    assert {row["client_id"]: row["available"] for row in rows} == wanted


async def test_a_tier_change_waits_for_awards_being_written(ledger: World) -> None:
    database = ledger.database("points")
    await ledger.publish(trade("t-1", "10"), trade("t-2", "10"), tier(1, DAY, (DAY, "GOLD")))
    consumer = ledger.platform.workers["points"].consumer
    positions = await consumer.positions()
    async with database.reading() as sql:
        trades = await database.log.read(sql, {p: n for p, n in positions.items() if p[0] == TRADES}, 100)
        tiers = await database.log.read(sql, {p: n for p, n in positions.items() if p[0] == TOPIC}, 100)
    async with database.unit_of_work() as uow:
        await consumer.handle(batch(consumer, trades), uow)
        change = asyncio.create_task(consumer.apply(batch(consumer, tiers)))
        while not await uow.sql.fetchval(  # noqa: ASYNC110 - the database tells nobody who waits for it
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        ):
            await asyncio.sleep(0)
        assert not change.done()
    await change
    rows = await ledger.rows("points", "SELECT kind, points FROM entries ORDER BY number")
    assert [(row["kind"], row["points"]) for row in rows] == [
        ("accrued", 1000),
        ("accrued", 1000),
        ("corrected", 200),
        ("corrected", 200),
    ]


async def test_awards_that_counted_on_other_tiers_are_looked_at_again(ledger: World) -> None:
    await ledger.publish(trade("t-0", "1"))
    await ledger.settle()
    cause = Record(TRADES, 0, 0, "c-1", "broker.trade.settled", "late", "test", at(DAY, 15), None, b"")
    async with ledger.database("points").unit_of_work() as uow:
        ranks = await tiers.of(uow, ["c-1"])
        await ledger.publish(tier(1, DAY, (DAY, "GOLD")))
        await ledger.settle()  # another worker is first
        late = trade("t-1", "10")
        assert not await award_at_once(uow, [late], [cause], ranks)
        assert await award_at_once(uow, [late], [cause], await tiers.of(uow, ["c-1"]))
