"""What the scenarios stand on: the gateway's log, the counting service, and a chance that a seed decides."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import asyncpg

from careline.lag import Heads, lag_of
from chassis.breaker import Breaker
from chassis.bus.kafka import KafkaSource, Relay
from chassis.bus.kafka_topics import KafkaAddress
from chassis.bus.record import Outgoing, partition_of
from chassis.closing import Closer
from chassis.consumer import Consumer, LostPartition, read_from_log
from chassis.database import Database, connect
from chassis.personal.keys import Keyring
from chassis.service import Service
from chassis.settings import Settings
from contracts.base import Quantity, encode
from contracts.broker import (
    ACCOUNTS,
    TOPICS,
    TRADES,
    BrokerDayClosed,
    FundsMoved,
    PermissionRequested,
    ProductPurchased,
)
from contracts.fields import Amount
from gateway.client_keys import ClientKeys
from tests.faults.counting.service import COUNTING, HOOKS
from tests.faults.forks import Forks
from tests.faults.own_server import OwnServer

CLIENTS = 7
BEGIN = datetime(2026, 3, 2, 1, tzinfo=UTC)
PATIENCE = 400
"""How many tries in a row may fail before a scenario says that nothing moves."""


class CutOff(ConnectionResetError):
    """What a scenario does to a connection."""


@dataclass
class Scene:
    """One seed of one scenario. `bad`: records published that no handler can take, on purpose."""

    settings: Settings
    gateway: Database
    counting: Database
    chance: random.Random
    name: str
    facts: dict[str, Decimal] = field(default_factory=dict)
    messages: list[Outgoing] = field(default_factory=list)
    bad: int = 0
    log_is_whole: bool = True
    letters_before: int = 0
    sources: list[KafkaSource] = field(default_factory=list)
    relays: list[Relay] = field(default_factory=list)
    service: Service = COUNTING
    hearing: int | None = None
    own: OwnServer | None = None
    forks: Forks | None = None
    closer: Closer | None = None
    _usual: Consumer | None = None

    def consumer(self) -> Consumer:
        """A consumer as of another process."""
        consumer = Consumer(self.service, self.counting, self.settings.bad_records_limit)
        consumer.hearing = self.hearing
        consumer.breaker = Breaker(100_000)  # what stops a consumer is another test's matter
        return consumer

    def messages_of(self, count: int) -> list[Outgoing]:
        """New facts."""
        made = []
        for _ in range(count):
            number, client = len(self.facts), f"{self.name}-c{self.chance.randrange(CLIENTS)}"
            amount = Decimal(self.chance.randint(1, 99_999)) / 100
            move = FundsMoved(
                transfer_id=f"{self.name}-{number}", client_id=client, moved_at=BEGIN + timedelta(seconds=number),
                direction="in", amount=Quantity(str(amount)),
            )  # fmt: skip
            self.facts[move.transfer_id] = amount
            place = partition_of(client, self.settings.partitions)
            made.append(
                Outgoing(ACCOUNTS, place, client, move.type, move.transfer_id, "faults", move.moved_at, encode(move))
            )
        self.messages += made
        return made

    def requests_of(self, count: int) -> list[Outgoing]:
        """New facts of a type that only the next version hears."""
        made = []
        for _ in range(count):
            number, client = len(self.facts), f"{self.name}-c{self.chance.randrange(CLIENTS)}"
            at = BEGIN + timedelta(seconds=number)
            asked = PermissionRequested(client_id=client, permission=f"{self.name}-{number}", at=at)
            self.facts[asked.permission] = Decimal(0)
            place = partition_of(client, self.settings.partitions)
            made.append(Outgoing(ACCOUNTS, place, client, asked.type, asked.permission, "faults", at, encode(asked)))
        return made

    def purchases_of(self, count: int) -> list[Outgoing]:
        """New facts on the other topic, of the same clients."""
        made = []
        for _ in range(count):
            number, client = len(self.facts), f"{self.name}-c{self.chance.randrange(CLIENTS)}"
            amount, at = Decimal(self.chance.randint(1, 99_999)) / 100, BEGIN + timedelta(seconds=number)
            bought = ProductPurchased(
                client_id=client,
                purchase_id=f"{self.name}-{number}",
                product_code="P",
                amount=Amount(str(amount)),
                at=at,
            )
            self.facts[bought.purchase_id] = amount
            place = partition_of(client, self.settings.partitions)
            made.append(Outgoing(TRADES, place, client, bought.type, bought.purchase_id, "faults", at, encode(bought)))
        return made

    async def say_closed(self, day: date) -> None:
        """Close a day on every topic and partition."""
        event, at = BrokerDayClosed(business_date=day), BEGIN
        await self.publish(
            [
                Outgoing(topic, p, event.key, event.type, f"{day}/{topic}/{p}", "faults", at, encode(event))
                for topic in TOPICS
                for p in range(self.settings.partitions)
            ]
        )

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Put messages on the gateway's log, in transactions of some size."""
        left = list(messages)
        while left:
            some, left = left[: (n := self.chance.randint(1, 60))], left[n:]
            async with self.gateway.unit_of_work() as uow:
                uow.publish(some)

    async def say(self, count: int) -> None:
        """Publish new facts."""
        await self.publish(self.messages_of(count))

    async def say_again(self, count: int) -> None:
        """Publish facts of before once more, in any order, under new ids at new offsets."""
        again = [replace(self.chance.choice(self.messages), id=f"again-{self.chance.random()}") for _ in range(count)]
        await self.publish(again)

    async def step(self, consumer: Consumer | None = None, limit: int | None = None) -> int:
        """One batch of the log, or of Kafka."""
        if self.settings.on_kafka:
            for relay in self.relays:
                while await relay.step():
                    pass
            return sum([await source.step() for source in self.sources])
        if self._usual is None or (self._usual.service, self._usual.hearing) != (self.service, self.hearing):
            self._usual = self.consumer()
        return await read_from_log(consumer or self._usual, 4, limit or self.chance.choice([3, 20, 5000]))

    async def drain(self) -> None:
        """Until everything published is applied, whatever fails meanwhile."""
        failed = 0
        async with Heads(self.settings, {"gateway": self.gateway}) as heads:
            while failed < PATIENCE:
                try:
                    worked = bool(await self.step()) | (self.closer is not None and await self.closer.step())
                    lag = await lag_of(self.service, self.counting, await heads.of(self.service.topics))
                except LostPartition:
                    continue
                except Exception as error:
                    failed, last = failed + 1, error
                    continue
                if not worked and lag.caught_up:
                    return
        raise AssertionError(f"nothing moves: {last!r}")

    async def caught_up(self) -> bool:
        """Whether everything published is applied."""
        async with Heads(self.settings, {"gateway": self.gateway}) as heads:
            return (await lag_of(self.service, self.counting, await heads.of(self.service.topics))).caught_up

    async def kafka_ends(self) -> dict[tuple[str, int], int]:
        """The heads of what Kafka has."""
        async with Heads(self.settings, {"gateway": self.gateway}) as heads:
            return await heads.of(self.service.topics)

    async def outcome(self) -> tuple[int, int]:
        """Facts without their effect, and effects without a fact of their own."""
        like = f"{self.name}-%"
        async with self.counting.reading() as sql:
            kept = dict(await sql.fetch("SELECT transfer_id, amount FROM entries WHERE client_id LIKE $1", like))
            total = await sql.fetchval("SELECT coalesce(sum(total), 0) FROM balances WHERE client_id LIKE $1", like)
            told = await sql.fetchval(
                f"""SELECT count(*) FROM {self.counting.log.schema}.log
                    WHERE type = 'broker.permission.granted' AND key LIKE $1""",
                like,
            )
            letters = await sql.fetchval("SELECT count(*) FROM dead_letters") - self.letters_before
            gaps = await sql.fetchval(
                f"""SELECT count(*) FROM (SELECT "offset" - lag("offset") OVER (PARTITION BY topic, partition
                    ORDER BY "offset") AS step FROM {self.counting.log.schema}.log) s WHERE step <> 1"""
            )
        if not self.log_is_whole:
            told, gaps = len(self.facts), 0
        lost = len(self.facts.keys() - kept.keys()) + max(0, len(self.facts) - told) + gaps
        doubled = max(0, told - len(self.facts)) + int(total != sum(self.facts.values())) + int(letters != self.bad)
        return lost, doubled

    async def admin(self) -> asyncpg.Connection:
        """A connection as the login."""
        return await connect(self.gateway.url)

    async def stop(self) -> None:
        """Leave Kafka; take every hook away."""
        HOOKS.clear()
        for one in (*self.sources, *self.relays):
            await one.stop()


@asynccontextmanager
async def scene(
    settings: Settings, name: str, seed: int, own: OwnServer | None = None, forks: Forks | None = None
) -> AsyncIterator[Scene]:
    """A seed's scene; what it publishes carries its name."""
    gateway, counting = Database(settings, "gateway"), Database(settings, "counting")
    chance, keys = random.Random(f"{name}/{seed}"), ClientKeys(settings)
    gateway.keyring = counting.keyring = Keyring(keys)
    made = Scene(settings, gateway, counting, chance, f"{name.replace('_', '')}{seed}")
    made.own, made.forks = own, forks
    try:
        consumer = made.consumer()
        await consumer.prepare()
        made.hearing = consumer.hearing
        if settings.on_kafka:
            address = KafkaAddress.parse(settings.bus_url or "")
            made.sources = [KafkaSource(consumer, address, 5000, 0.02)]
            made.relays = [Relay(database, address, 5000) for database in (gateway, counting)]
        async with counting.reading() as sql:
            made.letters_before = await sql.fetchval("SELECT count(*) FROM dead_letters")
        yield made
    finally:
        await made.stop()
        await gateway.close()
        await counting.close()
        await keys.database.close()
