"""Late facts of a quarter of the clients over eight closed months, against a thousand such clients alone."""

import time
from dataclasses import dataclass
from datetime import date, timedelta

from bench.ground import Ground
from bench.month_end import STANDINGS, VALUATIONS, close
from bench.retiering import DAY, FILL, TRADE_DAYS, tidy
from chassis.clock import month_end, months_after
from chassis.database import Database
from services.classification import closing
from services.classification.tables import LATE

MONTHS = 8
LATE_SINCE = months_after(DAY.replace(day=1), 1 - MONTHS) + timedelta(days=4)
HEARD = """
    INSERT INTO valuations (client_id, as_of, total, time, event)
    SELECT client_id, $2, 400000, '2020-01-01Z', 'late' FROM unnest($1::text[]) c(client_id)
    ON CONFLICT (client_id, as_of) DO UPDATE SET total = excluded.total"""


@dataclass(frozen=True, slots=True)
class Late:
    """Milliseconds a client: so many alone, and a quarter of all."""

    clients: int
    alone: int
    alone_ms: float
    together_ms: float

    @property
    def ratio(self) -> float:
        """A client among many, against one among few."""
        return self.together_ms / self.alone_ms


async def measure(ground: Ground, clients: int, alone: int) -> Late:
    """On a database of this run, with eight months closed."""
    url = await ground.make("late", "template")
    database = Database(ground.settings(url, f"{ground.run}-late"), "classification")
    try:
        async with database.unit_of_work() as uow:
            for statement in (FILL, TRADE_DAYS, VALUATIONS, *STANDINGS):
                arguments = (DAY,) if "$2" in statement else ()
                await uow.sql.execute(statement, clients, *arguments, timeout=None)
        for back in range(MONTHS, -1, -1):
            await close(database, month_end(months_after(DAY.replace(day=1), -back)))
        await tidy(url)
        few = await _caught_up(database, range(1, alone + 1))
        await tidy(url)
        many = await _caught_up(database, range(alone + 1, alone + 1 + clients // 4))
        return Late(clients, alone, few * 1000, many * 1000)
    finally:
        await database.close()
        await ground.drop("late")


async def _caught_up(database: Database, numbers: range) -> float:
    """Seconds a client."""
    names, day = [f"C{number:08d}" for number in numbers], LATE_SINCE
    async with database.unit_of_work() as uow:
        await uow.sql.execute(HEARD, names, day, timeout=None)
        await LATE.mark(uow, [(name, day) for name in names])
    began, more = time.perf_counter(), True
    while more:
        async with database.unit_of_work() as uow:
            through: date = await uow.sql.fetchval("SELECT through FROM closed_days FOR UPDATE")
            more = await closing.catch_up(through, uow)
    return (time.perf_counter() - began) / len(names)
