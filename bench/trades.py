"""The trades every lane reads: the same for each of them, made from a seed, published once."""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from aiokafka import AIOKafkaProducer

from chassis.bus.record import partition_of
from chassis.clock import at

PARTITIONS = 4
CLIENTS, BUSY_CLIENTS = 100_000, 1_000
FIRST_TRADE_DATE, TRADE_DATES = date(2026, 3, 2), 20
TYPE = "broker.trade.settled"
SOURCE = "bench/broker"


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade as Kafka carries it, and the points it must earn (in hundredths)."""

    client_id: str
    event_id: str
    time: datetime
    value: bytes
    points: int

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """CloudEvents 1.0 in binary mode."""
        return [
            ("ce_specversion", b"1.0"),
            ("ce_id", self.event_id.encode()),
            ("ce_source", SOURCE.encode()),
            ("ce_type", TYPE.encode()),
            ("ce_time", self.time.isoformat().encode()),
            ("ce_subject", self.client_id.encode()),
            ("content-type", b"application/json"),
        ]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a lane must have when it is done: so many entries, so many points in them and in the balances."""

    entries: int
    points: int

    @classmethod
    def of(cls, trades: Sequence[Trade]) -> "Expected":
        """Of these trades."""
        return cls(len(trades), sum(trade.points for trade in trades))


def make(count: int, seed: int = 20_260_302) -> Iterator[Trade]:
    """So many trades: half of them of 1,000 busy clients, the rest of all 100,000."""
    chance = random.Random(seed)  # noqa: S311 - data, not secrets
    for number in range(count):
        client = f"C{chance.randrange(BUSY_CLIENTS if number % 2 else CLIENTS):08d}"
        cents, day, second = chance.randrange(1, 20_000), chance.randrange(TRADE_DATES), chance.randrange(5 * 3600)
        yield trade(client, f"T{number:012d}", cents, day, second)


def trade(client: str, trade_id: str, cents: int, day_number: int = 0, second: int = 0) -> Trade:
    """One trade of 100 units whose commission is `cents`, settled so many seconds after 10:00 of its date."""
    day = FIRST_TRADE_DATE + timedelta(days=day_number)
    settled, commission = at(day, 10) + timedelta(seconds=second), f"{cents // 100}.{cents % 100:02d}"
    data = {
        "trade_id": trade_id,
        "client_id": client,
        "account_id": client,
        "branch_id": f"B{client[-1]}",
        "trade_date": day.isoformat(),
        "settled_at": settled.isoformat(),
        "instrument": {"symbol": "SH600000", "kind": "stock"},
        "side": "buy",
        "quantity": "100",
        "price": f"{cents}.00",
        "amount": f"{cents * 100}.00",
        "commission": commission,
        "currency": "CNY",
        "channel": "mobile",
    }
    value = json.dumps(data, separators=(",", ":")).encode()
    return Trade(client, f"trade/{client}/{trade_id}", settled, value, cents)


async def publish(servers: str, topic: str, trades: Sequence[Trade]) -> None:
    """Write trades to a topic in prepared batches, each client's in its own partition."""
    places: list[list[Trade]] = [[] for _ in range(PARTITIONS)]
    for one in trades:
        places[partition_of(one.client_id, PARTITIONS)].append(one)
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True, linger_ms=0)
    await producer.start()
    try:
        await asyncio.gather(*(_publish(producer, topic, p, place) for p, place in enumerate(places) if place))
    finally:
        await producer.stop()


async def _publish(producer: AIOKafkaProducer, topic: str, partition: int, trades: Sequence[Trade]) -> None:
    batch, last = producer.create_batch(), None
    for one in trades:
        fields = {"key": one.client_id.encode(), "value": one.value, "timestamp": None, "headers": one.headers}
        if batch.append(**fields) is None:
            last = await producer.send_batch(batch, topic, partition=partition)
            batch = producer.create_batch()
            batch.append(**fields)
    last = await producer.send_batch(batch, topic, partition=partition)
    await last
