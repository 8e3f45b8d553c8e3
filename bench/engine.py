"""The engine room beside the hot path: reads of a client with a long history, verifying again, publishing while a backup runs.

All of it on one database with the gateway and points on the log in PostgreSQL, filled by the points service's own consumer.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import httpx

from bench.ground import Ground
from bench.trades import FIRST_TRADE_DATE, SOURCE, TRADE_DATES, TYPE
from careline.schema import make_schemas
from chassis.actor import Actor, Role
from chassis.audit import Sealer
from chassis.bus.record import Outgoing, Record, partition_of
from chassis.clock import at
from chassis.consumer import Batch, Consumer
from chassis.database import Database
from chassis.http import mint, service_app
from chassis.http.identity import HEADER
from chassis.servers import account
from chassis.servers.postgres import wheel_binaries
from chassis.service import Service
from chassis.settings import Settings
from chassis.verify import verify
from contracts.base import Quantity, encode
from contracts.broker import TRADES, Instrument, TradeSettled

RICH = "C-RICH"
READS = ("", "/entries", "/lots", "/holds")
"""What the 360 view, the statement's first page and the next ends ask of points."""
BATCH = 5_000
ROUNDS = 100


class NotAsItShould(Exception):
    """Something was found wrong, lost or refused: what was measured means nothing."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Entries of the one client; milliseconds of the slowest of its reads; seconds of verifying first and again; the longest publish while
    `pg_dump` ran, how long that took, and how many were published meanwhile."""

    entries: int
    statement_p99_ms: float
    verify_s: float
    verify_again_s: float
    publish_wait_dump_s: float
    dump_s: float
    published: int


async def measure(ground: Ground, entries: int) -> Engine:
    """One after the other, on a database of this run."""
    from bench.services import service_named
    from gateway.app import service as gateway

    points, url = service_named("points"), await ground.make("engine")
    with tempfile.TemporaryDirectory(prefix="careline-engine-") as home:
        settings = Settings(home=Path(home), database_url=url)
        await make_schemas(settings, (gateway, points))
        databases = {name: Database(settings, name) for name in ("gateway", "points")}
        try:
            await _fill(Consumer(points, databases["points"], settings.bad_records_limit), settings.partitions, entries)
            reads = await _reads(points, databases["points"], settings)
            first, again = await _verified(points, databases["points"], settings)
            longest, seconds, published = await _dumped(databases["gateway"], settings.partitions, url)
            return Engine(entries, max(map(_p99, reads)), first, again, longest, seconds, published)
        finally:
            for database in databases.values():
                await database.close()
            await ground.drop("engine")


def _records(entries: int, partitions: int) -> Iterator[Record]:
    """So many trades of the one client, over some weeks."""
    place = partition_of(RICH, partitions)
    for number in range(entries):
        day = FIRST_TRADE_DATE + timedelta(days=number * TRADE_DATES // entries)
        trade = TradeSettled(
            trade_id=f"T{number:09d}", client_id=RICH, account_id=RICH, branch_id="B1", trade_date=day,
            settled_at=at(day, 15), instrument=Instrument(symbol="SH600000", kind="stock"), side="buy",
            quantity=Quantity(100), amount=Quantity(1000), commission=Quantity(5), currency="CNY",
        )  # fmt: skip
        yield Record(TRADES, place, number, RICH, TYPE, trade.trade_id, SOURCE, trade.settled_at, None, encode(trade))


async def _fill(consumer: Consumer, partitions: int, entries: int) -> None:
    await consumer.prepare()
    place, records = (TRADES, partition_of(RICH, partitions)), list(_records(entries, partitions))
    for first in range(0, entries, BATCH):
        some = records[first : first + BATCH]
        await consumer.apply(Batch(some, consumer.read(some), {place: (first, first + len(some))}))
    async with consumer.database.reading() as sql:
        await sql.execute("ANALYZE entries")
        found = await sql.fetchval("SELECT count(*) FROM entries WHERE client_id = $1", RICH)
    if found != entries:
        raise NotAsItShould(f"{found} entries of {entries} trades")


async def _reads(service: Service, database: Database, settings: Settings) -> list[list[float]]:
    """Milliseconds of each of them, a list a route."""
    app = service_app(service, database, settings)
    own, took = Actor(RICH, Role.CLIENT, client_id=RICH), [list[float]() for _ in READS]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench") as http:
        for turn in range(ROUNDS + 3):
            headers = {HEADER: mint(own, settings)}  # it holds for a minute
            for rest, spent in zip(READS, took, strict=True):
                began = perf_counter()
                (await http.get(f"/v1/points/clients/{RICH}{rest}", headers=headers)).raise_for_status()
                if turn >= 3:  # routes and plans are made by the first
                    spent.append((perf_counter() - began) * 1000)
    return took


async def _verified(service: Service, database: Database, settings: Settings) -> tuple[float, float]:
    sealer, took = Sealer(service, database, settings), list[float]()
    while await sealer.step():
        pass
    for _ in range(2):
        began = perf_counter()
        if wrong := await verify(settings, [service], {service.name: database}):
            raise NotAsItShould(f"{wrong[0]}")
        took.append(perf_counter() - began)
    return took[0], took[1]


async def _dumped(database: Database, partitions: int, url: str) -> tuple[float, float, int]:
    parts = urlsplit(url)
    where = (
        ["-h", dict(p.split("=") for p in parts.query.split("&"))["host"]]
        if parts.query
        else ["-h", parts.hostname or ""]
    )
    words = [*where, "-p", str(parts.port or 5432), "-U", parts.username or "postgres", "-d", parts.path.lstrip("/")]
    began, longest, published = perf_counter(), 0.0, 0
    dump = await asyncio.create_subprocess_exec(
        *account.command_prefix(), str(wheel_binaries() / "pg_dump"), *words, "-f", "/dev/null",
        env=account.environment() | ({"PGPASSWORD": parts.password} if parts.password else {}),
    )  # fmt: skip
    ended = asyncio.create_task(dump.wait())
    while not ended.done():
        start, place = perf_counter(), partition_of(f"c{published}", partitions)
        async with database.unit_of_work() as uow:
            uow.publish([Outgoing(TRADES, place, f"c{published}", TYPE, f"d{published}", SOURCE, uow.now, b"{}")])
        longest, published = max(longest, perf_counter() - start), published + 1
        await asyncio.sleep(0)
    if await ended:
        raise NotAsItShould(f"pg_dump ended with {await ended}")
    return longest, perf_counter() - began, published


def _p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]
