"""100,000 deadlines due within one second: how long until all have fired, and what REST answers take meanwhile.

Everything runs in one process, as embedded: the scheduler and the REST app share an event loop. Each deadline's effect
is a row and an event, in one transaction with its firing; the run ends with both counted.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from time import perf_counter
from typing import Any

import httpx

from bench.ground import Ground
from bench.services import service_named
from careline.schema import make_schemas
from chassis.actor import Actor, Role
from chassis.database import Database, connect, role_of
from chassis.deadlines import Deadline, Due, arm
from chassis.deadlines.scheduler import Scheduler
from chassis.http import mint, service_app
from chassis.http.identity import HEADER
from chassis.service import Service
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from contracts.base import Amount
from contracts.points import PointsPosted

SERVICE = "points"
ROUTE = "/v1/points/operations/dead-letters"
ARMED_AT_ONCE = 10_000


class WrongCounts(Exception):
    """Something fired twice, early or never: the speed means nothing."""


@dataclass(frozen=True, slots=True)
class Drained:
    """How many fired, in how many seconds from the first due on; REST's p99 in milliseconds before and meanwhile."""

    count: int
    seconds: float
    latest_seconds: float
    quiet_p99_ms: float
    busy_p99_ms: float

    @property
    def slower(self) -> float:
        """How many times REST's p99 rose."""
        return self.busy_p99_ms / self.quiet_p99_ms


async def ring(due: Sequence[Due], uow: UnitOfWork) -> None:
    """A row and an event for each."""
    await uow.sql.copy_records_to_table(
        "rung", records=[(one.object, one.generation) for one in due], columns=("object", "generation")
    )
    for one in due:
        uow.emit(
            PointsPosted(
                entry_id=one.object, client_id=one.key, kind="expired", points=Amount("1"), posted_on=one.due.date()
            ),
            at=one.at,
        )


def measured() -> Service:
    """The points service with a handler of deadlines."""
    return replace(service_named(SERVICE), deadlines={"ring": ring})


async def measure(ground: Ground, count: int) -> Drained:
    """On a database of this run."""
    url = await ground.make("deadlines")
    try:
        return await drain(ground.settings(url, f"{ground.run}-deadlines"), count)
    finally:
        await ground.drop("deadlines")


async def drain(settings: Settings, count: int = 100_000) -> Drained:
    """Arm them on the fresh database of `settings`, wait for the second, fire; refuse wrong counts.

    Raises: WrongCounts.
    """
    service = measured()
    await make_schemas(settings, [service], topics=False)
    await _prepare(settings)
    database = Database(settings, SERVICE)
    try:
        app = service_app(service, database, settings)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://bench", event_hooks=_signed(settings)
        ) as http:
            return await _run(database, service, http, count)
    finally:
        await database.close()


def _signed(settings: Settings) -> dict[str, list[Any]]:
    async def sign(request: httpx.Request) -> None:
        request.headers[HEADER] = token()

    signed: list[tuple[float, str]] = []

    def token() -> str:
        if not signed or perf_counter() - signed[-1][0] > 20:
            signed.append((perf_counter(), mint(Actor("bench", Role.OPERATIONS), settings)))
        return signed[-1][1]

    return {"request": [sign]}


async def _prepare(settings: Settings) -> None:
    admin = await connect(settings.database_url or "", SERVICE)
    try:
        await admin.execute("CREATE TABLE rung (object text, generation bigint)")
        await admin.execute("INSERT INTO timeline (timeline, decided_at) VALUES ('real', now())")
        assert role_of(SERVICE) == await admin.fetchval("SELECT current_user")
    finally:
        await admin.close()


async def _run(database: Database, service: Service, http: httpx.AsyncClient, count: int) -> Drained:
    quiet = await _probe(http, asyncio.create_task(asyncio.sleep(3)))
    async with database.reading() as sql:
        start = await sql.fetchval("SELECT clock_timestamp()") + timedelta(seconds=max(5.0, count / 10_000))
    for first in range(0, count, ARMED_AT_ONCE):
        async with database.unit_of_work() as uow:
            await arm(
                uow,
                [
                    Deadline("ring", f"o{n}", f"c{n % 5000}", start + timedelta(seconds=n / count))
                    for n in range(first, min(count, first + ARMED_AT_ONCE))
                ],
            )
    scheduler = Scheduler(service, database)
    async with database.reading() as sql:
        left = await sql.fetchval("SELECT extract(epoch FROM $1 - clock_timestamp())::float8", start)
    await asyncio.sleep(max(0.0, left))
    began = perf_counter()
    firing = asyncio.create_task(_fire(scheduler, database))
    busy = await _probe(http, firing)
    seconds = perf_counter() - began
    async with database.reading() as sql:
        latest = await sql.fetchval("SELECT extract(epoch FROM max(at - due))::float8 FROM fired_deadlines")
        rows = await sql.fetchval("SELECT count(*) FROM rung")
        objects = await sql.fetchval("SELECT count(DISTINCT object) FROM rung")
        early = await sql.fetchval("SELECT count(*) FROM fired_deadlines WHERE at < due")
        told = await sql.fetchval(f"SELECT sum(next) FROM {database.log.schema}.heads WHERE topic = 'careline.points'")
    if (rows, objects, early, told) != (count, count, 0, count):
        raise WrongCounts(f"{rows} rows of {objects} objects, {early} early, {told} events for {count} deadlines")
    return Drained(count, seconds, latest, _p99(quiet), _p99(busy))


async def _fire(scheduler: Scheduler, database: Database) -> None:
    """As the worker's loop does, until nothing is armed."""
    while True:
        if await scheduler.step():
            await asyncio.sleep(0)
            continue
        async with database.reading() as sql:
            if not await sql.fetchval("SELECT EXISTS (SELECT FROM deadlines)"):
                return
        await asyncio.sleep(scheduler.waits_seconds)


async def _probe(http: httpx.AsyncClient, until: "asyncio.Task[None]") -> list[float]:
    """What requests take, one every 5 ms, until something is done."""
    took: list[float] = []

    async def once() -> None:
        began = perf_counter()
        response = await http.get(ROUTE)
        response.raise_for_status()
        took.append((perf_counter() - began) * 1000)

    requests: list[asyncio.Task[None]] = []
    while not until.done():
        requests.append(asyncio.create_task(once()))
        await asyncio.sleep(0.005)
    await asyncio.gather(until, *requests)
    return took


def _p99(took: Sequence[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]
