"""The points ledger: `python -m bench.points_ledger [accrual|close|balance]...` on a private PostgreSQL, a JSON line each.

- accrual: the same trades read from the log to commit, with expiry and bonuses and without what they added to the path
  (their part of the handler, their indexes), batch by batch in turns in one process (target: within 3 %). What counts is CPU
  time of client and database together, to the nanosecond: the median of the pairs, and where it lies in 95 of 100 cases
  (drawn again from the pairs): the cores may be wanted by others.
- close: the close of a day on which 100,000 lots of as many clients expire, from the word of the close to everything
  settled (target: 5 s).
- balance: each of 1,000 clients' points, asked for by themselves over HTTP from `careline serve points` at 1,000 requests a
  second (target: p99 of 5 ms). The load generator says what it took of the cores itself.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.children import child, environment, said_by
from bench.keys import KEYS
from bench.lanes.lane import LaneResult, Watch
from bench.processes import cpu_exactly, cpu_seconds, machine
from bench.trades import Trade, make
from careline.schema import make_schemas
from chassis.actor import Actor, Role
from chassis.bus.record import Outgoing, partition_of
from chassis.clock import at, month_end, months_after
from chassis.consumer import read_from_log
from chassis.database import Database
from chassis.gc_tuning import collect_rarely
from chassis.http import mint
from chassis.http.identity import HEADER
from chassis.notifications import Notifications
from chassis.servers.ports import free_port
from chassis.servers.postgres import PrivatePostgres
from chassis.service import Service
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from chassis.worker import Worker
from contracts.base import encode
from contracts.broker import TOPICS, BrokerDayClosed, TradeSettled
from contracts.classification import DayCompleted
from gateway.app import service as gateway
from services.classification.app import service as classification
from services.points import ledger, tiers
from services.points.app import service
from services.points.trades import SettledTrade

TEMPLATE = "template_of_bench"
INDEXES = ("uq_entries_item", "ix_entries_expires_on")
"""What expiry and bonuses added to a table that accruals write."""
WARMING_UP = 4
GAINED_ON = date(2022, 5, 2)
ENDS_ON = month_end(months_after(GAINED_ON, 24))
PUBLISHED_AT_ONCE = 10_000
SOURCE = "bench"


async def award_only(settled: Sequence[SettledTrade], uow: UnitOfWork) -> None:
    """The handler of trades without what expiry and bonuses need of it."""
    causes = uow.records(TradeSettled)
    uow.happened_at = max(record.time for record in causes)
    ranks = await tiers.of(uow, {trade.client_id for trade in settled})
    if not await ledger.award_at_once(uow, settled, causes, ranks):
        raise ValueError("a trade that takes the long way: these are all new trades of plain clients")


WITHOUT = replace(service, listens={**service.listens, TradeSettled: award_only})


class Place:
    """Databases on one server, and the platform's settings for them."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.home = home

    def settings(self, database: str) -> Settings:
        """Of a database of this server."""
        url = urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))
        return Settings(home=self.home, database_url=url, **KEYS)  # type: ignore[arg-type]

    async def make(self, database: str, template: str = "template1") -> Settings:
        """A fresh database."""
        admin = await asyncpg.connect(self.url)
        try:
            await admin.execute(f"CREATE DATABASE {database} TEMPLATE {template}")
            await admin.execute("CHECKPOINT")
        finally:
            await admin.close()
        return self.settings(database)

    async def drop(self, database: str) -> None:
        """Remove it."""
        admin = await asyncpg.connect(self.url)
        try:
            await admin.execute(f"DROP DATABASE {database} WITH (FORCE)")
        finally:
            await admin.close()

    async def with_schemas(self, database: str) -> Settings:
        """A fresh database with the schemas of gateway, classification (which only has its topic) and points."""
        settings = await self.make(database)
        await make_schemas(settings, [gateway, classification, service])
        return settings


async def publish(settings: Settings, messages: Sequence[Outgoing]) -> None:
    """Write facts to the log as the gateway does."""
    database = Database(settings, "gateway")
    try:
        for first in range(0, len(messages), PUBLISHED_AT_ONCE):
            async with database.unit_of_work() as uow:
                uow.publish(messages[first : first + PUBLISHED_AT_ONCE])
    finally:
        await database.close()


def as_message(trade: Trade, partitions: int) -> Outgoing:
    """A trade of the benchmark as the log carries it."""
    place = partition_of(trade.client_id, partitions)
    topic = TradeSettled.topic
    return Outgoing(topic, place, trade.client_id, TradeSettled.type, trade.event_id, SOURCE, trade.time, trade.value)


class Side:
    """A points ledger that reads the trades a batch at a time, and what each batch took of client and database."""

    def __init__(self, running: Service, settings: Settings) -> None:
        self.running = running
        self.settings = settings
        self.database = Database(settings, "points")
        self.worker = Worker(running, self.database, settings, Notifications(), sole=True)
        self.costs: list[float] = []
        self.reads: list[int] = []
        self.backends: list[int] = []

    async def begin(self) -> None:
        """Make its positions; the side without has no indexes that expiry and bonuses need."""
        if self.running is WITHOUT:
            admin = await asyncpg.connect(self.settings.database_url)
            await admin.execute(f"DROP INDEX {', '.join(f'points.{name}' for name in INDEXES)}")
            await admin.close()
        await self.worker.consumer.prepare()

    async def read(self) -> int:
        """One batch; what it took of this process and of the server's for this database is noted."""
        if not self.backends:
            async with self.database.reading() as sql:
                rows = await sql.fetch(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
                )
            self.backends = [row["pid"] for row in rows]
        before = time.process_time() + cpu_exactly(self.backends)
        read = await read_from_log(self.worker.consumer, self.worker.partitions_at_once, self.settings.batch_records)
        if read:
            self.costs.append(time.process_time() + cpu_exactly(self.backends) - before)
            self.reads.append(read)
        return read

    async def sums(self) -> tuple[int, ...]:
        """Entries, their points, the balances' points, and what was told."""
        async with self.database.reading() as sql:
            row = await sql.fetchrow(
                """SELECT (SELECT count(*) FROM entries), (SELECT sum(points) FROM entries), (SELECT sum(available) FROM balances),
                          (SELECT count(*) FROM bus.log WHERE type = 'points.entry.posted')"""
            )
        return tuple(map(int, row or ()))


async def accrual(there: Place, trades: int, batch: int) -> dict[str, object]:
    """Both sides read the same batches, each in turn right after the other, who begins changes with every batch."""
    settings = await there.with_schemas(TEMPLATE)
    made = list(make(trades))
    await publish(settings, [as_message(trade, settings.partitions) for trade in made])
    points = sum(trade.points for trade in made)
    sides = [
        Side(running, (await there.make(name, TEMPLATE)).model_copy(update={"batch_records": batch}))
        for name, running in (("with_it", service), ("without_it", WITHOUT))
    ]
    for side in sides:
        await side.begin()
    order = sides
    while sum([await side.read() for side in order]):
        order = order[::-1]
    for side in sides:
        if (found := await side.sums()) != (trades, points, points, trades):
            raise ValueError(f"{side.running.name}: {found}, not {trades} entries and {points} points")
        await side.database.close()
    if sides[0].reads != sides[1].reads:
        raise ValueError("the sides read other batches")
    for name in (TEMPLATE, "with_it", "without_it"):
        await there.drop(name)
    pairs = list(zip(*(side.costs[WARMING_UP:] for side in sides), strict=True))
    ratios = sorted(one / other for one, other in pairs)
    rng = random.Random(1)  # noqa: S311 - the same draws every time
    drawn = sorted(median(rng.choices(ratios, k=len(ratios))) for _ in range(2000))
    read = sum(sides[0].reads[WARMING_UP:])
    return {
        "what": "accrual", "trades": read, "pairs": len(pairs),
        "cpu_us": round(sum(one for one, _ in pairs) / read * 1e6, 2),
        "cpu_us_without": round(sum(other for _, other in pairs) / read * 1e6, 2),
        "ratio_of_sums": round(sum(one for one, _ in pairs) / sum(other for _, other in pairs), 3),
        "median_of_pairs": round(median(ratios), 3), "from": round(drawn[50], 3), "to": round(drawn[-51], 3),
    }  # fmt: skip


def closed(day: date, partitions: int) -> list[Outgoing]:
    """The broker's word that a day is closed, then classification's."""
    when = at(day + timedelta(days=1), 1)
    return [
        Outgoing(topic, place, event.key, event.type, f"{event.type}/{day}", SOURCE, when, encode(event))
        for event, topics in (
            (BrokerDayClosed(business_date=day), TOPICS),
            (DayCompleted(business_date=day), (DayCompleted.topic,)),
        )
        for topic in topics
        for place in range(partitions)
    ]


async def close(there: Place, lots: int) -> dict[str, object]:
    """Each client gains one lot; the day before its end is closed, then the day of it is measured."""
    settings = await there.with_schemas("closing")
    gained = [_gain(number, settings.partitions) for number in range(lots)]
    await publish(settings, gained)
    database = Database(settings, "points")
    try:
        worker = Worker(service, database, settings, Notifications(), sole=True)
        await worker.consumer.prepare()
        await _settle(worker, settings)
        await publish(settings, closed(ENDS_ON - timedelta(days=1), settings.partitions))
        await _settle(worker, settings)
        await publish(settings, closed(ENDS_ON, settings.partitions))
        result, watch = LaneResult(), await Watch.on(settings.database_url or "")
        watch.start()
        await _settle(worker, settings)
        watch.stop(result)
        async with database.reading() as sql:
            expired = await sql.fetchval("SELECT count(*) FROM entries WHERE kind = 'expired'")
            left = await sql.fetchval("SELECT sum(available) FROM balances")
    finally:
        await database.close()
    if (expired, left) != (lots, 0):
        raise ValueError(f"{expired} of {lots} expired, {left} left")
    await there.drop("closing")
    return {
        "what": "close", "lots": lots, "seconds": round(result.seconds, 2),
        "client_cpu": round(result.client_cpu, 2), "database_cpu": round(result.database_cpu, 2),
    }  # fmt: skip


def _gain(number: int, partitions: int) -> Outgoing:
    client = f"E{number:07d}"
    value = json.dumps(
        {
            "trade_id": "t-1", "client_id": client, "account_id": client, "branch_id": "B1",
            "trade_date": GAINED_ON.isoformat(), "settled_at": at(GAINED_ON, 15).isoformat(),
            "instrument": {"symbol": "SH600000", "kind": "stock"}, "side": "buy", "quantity": "100", "amount": "10000",
            "commission": "12.34", "currency": "CNY",
        }
    ).encode()  # fmt: skip
    place = partition_of(client, partitions)
    return Outgoing(
        TradeSettled.topic, place, client, TradeSettled.type, f"trade/{client}", SOURCE, at(GAINED_ON, 15), value
    )


async def _settle(worker: Worker, settings: Settings) -> None:
    """As the worker's loops do, until nothing is left to do."""
    working = True
    while working:
        working = False
        while await read_from_log(worker.consumer, worker.partitions_at_once, settings.batch_records):
            working = True
        while await worker.closer.step():
            working = True


async def balance(there: Place, rate: int, seconds: float, clients: int) -> dict[str, object]:
    """Each client has ten lots; one is asked for after the other, at an even pace."""
    settings = await there.with_schemas("balances")
    gained = [
        as_message(replace(trade, client_id=client, value=trade.value.replace(trade.client_id.encode(), client.encode())), settings.partitions)
        for number, trade in enumerate(make(clients * 10))
        for client in [f"P{number % clients:06d}"]
    ]  # fmt: skip
    await publish(settings, gained)
    database = Database(settings, "points")
    try:
        worker = Worker(service, database, settings, Notifications(), sole=True)
        await worker.consumer.prepare()
        await _settle(worker, settings)
        await publish(settings, closed(date(2026, 4, 30), settings.partitions))
        await _settle(worker, settings)
        async with database.reading() as sql:
            await sql.execute("VACUUM ANALYZE")
    finally:
        await database.close()
    env = environment(
        CARELINE_DATABASE_URL=settings.database_url or "", CARELINE_HOME=str(there.home),
        **{f"CARELINE_{name.upper()}": value for name, value in KEYS.items()},
    )  # fmt: skip
    port = free_port()
    tokens = there.home / "tokens"
    own = (Actor(f"P{number:06d}", Role.CLIENT, client_id=f"P{number:06d}") for number in range(clients))
    tokens.write_text("\n".join(mint(actor, settings) for actor in own))
    watch = await Watch.on(settings.database_url or "")
    async with child("careline", "serve", "points", "--port", str(port), env=env, until="ready") as serving:
        result, before = LaneResult(), cpu_seconds(serving.pid)
        watch.start()
        said = json.loads(
            await said_by(
                "bench.lanes.paced", "127.0.0.1", str(port), "/v1/points/clients/P{:06d}", str(clients), str(rate), str(seconds),
                f"{HEADER}:@{tokens}", env=env, seconds=seconds + 60,
            )
        )  # fmt: skip
        watch.stop(result)
        asked, used = int(rate * (seconds + 1)), cpu_seconds(serving.pid) - before
    await there.drop("balances")
    return {
        "what": "balance", "rate": rate, **said, "service_cpu_us": round(used / asked * 1e6),
        "database_cpu_us": round(result.database_cpu / asked * 1e6),
    }  # fmt: skip


async def measure(url: str, home: Path, wanted: argparse.Namespace) -> None:
    """What was asked for, one after the other."""
    there = Place(url, home)
    works: dict[str, Callable[[], Awaitable[dict[str, object]]]] = {
        "accrual": lambda: accrual(there, wanted.trades, wanted.batch),
        "close": lambda: close(there, wanted.lots),
        "balance": lambda: balance(there, wanted.rate, wanted.seconds, wanted.clients),
    }
    for name in wanted.sections or works:
        print(json.dumps(await works[name]()), flush=True)


def main() -> None:
    """Run it and print the machine and a JSON line for each section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", help="accrual, close, balance; all of them where none is named")
    parser.add_argument("--trades", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=4_000)
    parser.add_argument("--lots", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=1_000)
    wanted = parser.parse_args()
    collect_rarely()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="careline-points-") as name:
        server = PrivatePostgres(Path(name))
        try:
            import uvloop

            uvloop.run(measure(server.start(), Path(name), wanted))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
