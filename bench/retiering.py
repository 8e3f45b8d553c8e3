"""A month end for a million clients: classification's tiers against one statement written by hand."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import TypeVar

import asyncpg

from bench.ground import Ground
from chassis.clock import year_before
from chassis.database import Database
from chassis.uow import UnitOfWork
from services.classification import history, tiers
from services.classification.policy import Policies

DAY = date(2026, 3, 31)
T = TypeVar("T")

# A million clients, half of them with trades in the window, each at the tier its figures of the month before earned;
# every fiftieth has other figures now: about two in a hundred move, as in a lively month.
FILL = """
    INSERT INTO clients (client_id, partition, branch_id, opened_on)
    SELECT 'C' || to_char(n, 'FM00000000'), n % 4, 'B' || n % 50, '2020-01-01'
    FROM generate_series(1, $1) n"""
MONTHS = """
    INSERT INTO months (month_end, client_id, day_sum, known_days, traded, orders, day_sum_to, known_days_to,
                        traded_to, orders_to, mean)
    SELECT $2::date, 'C' || to_char(n, 'FM00000000'), 0, 22, 0, 0, 0, 22, 0, 0,
           ((n::bigint * 7919) % 1200000) * CASE WHEN n % 50 = 0 THEN 3 ELSE 1 END
    FROM generate_series(1, $1) n"""
TRADE_DAYS = """
    INSERT INTO trade_days (client_id, day, commission, amount, trades)
    SELECT 'C' || to_char(n, 'FM00000000'), $2::date - (n % 300) - k * 20, (n % 900) / 10.0, 1000, 1
    FROM generate_series(1, $1, 2) n, generate_series(0, 1) k"""
STANDINGS = """
    INSERT INTO standings (client_id, retained)
    SELECT 'C' || to_char(n, 'FM00000000'), greatest(
        CASE WHEN a >= 5000000 THEN 4 WHEN a >= 1000000 THEN 3 WHEN a >= 500000 THEN 2 WHEN a >= 100000 THEN 1 ELSE 0 END, 0)
    FROM generate_series(1, $1) n, LATERAL (SELECT (n::bigint * 7919) % 1200000 AS a) f"""
# What somebody writes who needs only the new tiers: no policy, no grace, no history, no events.
BY_HAND = """
    UPDATE standings s SET retained = n.tier
    FROM (SELECT c.client_id,
                 greatest(CASE WHEN coalesce(m.mean, 0) >= 5000000 THEN 4 WHEN m.mean >= 1000000 THEN 3
                               WHEN m.mean >= 500000 THEN 2 WHEN m.mean >= 100000 THEN 1 ELSE 0 END,
                          CASE WHEN coalesce(p.paid, 0) >= 50000 THEN 4 WHEN p.paid >= 10000 THEN 3
                               WHEN p.paid >= 5000 THEN 2 WHEN p.paid >= 1000 THEN 1 ELSE 0 END) AS tier
          FROM clients c
          LEFT JOIN months m ON m.month_end = $1 AND m.client_id = c.client_id
          LEFT JOIN (SELECT client_id, sum(commission) AS paid FROM trade_days
                     WHERE day > $2 AND day <= $1 GROUP BY client_id) p ON p.client_id = c.client_id
          WHERE c.opened_on <= $1 AND c.closed_on IS NULL) n
    WHERE n.client_id = s.client_id AND n.tier <> s.retained"""


@dataclass(frozen=True, slots=True)
class Retiering:
    """Seconds for all clients: evaluated, evaluated and recorded with history and events, and by hand."""

    clients: int
    moved: int
    evaluated: float
    recorded: float
    by_hand: float

    @property
    def ratio(self) -> float:
        """The evaluation of everybody, against the statement by hand."""
        return self.evaluated / self.by_hand

    @property
    def ratio_recorded(self) -> float:
        """The same with what must be kept and told of every move."""
        return self.recorded / self.by_hand


async def measure(ground: Ground, clients: int, rounds: int) -> Retiering:
    """Interleaved, each in a transaction that is rolled back."""
    url = await ground.make("tiers", "template")
    database = Database(ground.settings(url, f"{ground.run}-tiers"), "classification")
    moved = 0
    evaluated: list[float] = []
    recorded: list[float] = []
    by_hand: list[float] = []
    try:
        async with database.unit_of_work() as uow:
            for statement, arguments in ((FILL, ()), (MONTHS, (DAY,)), (TRADE_DAYS, (DAY,)), (STANDINGS, ())):
                await uow.sql.execute(statement, clients, *arguments, timeout=None)
        await tidy(url)
        for _ in range(rounds):
            by_hand.append(await rolled_back(database, _by_hand))
            seconds, moved = await rolled_back(database, _ours)
            evaluated.append(seconds[0])
            recorded.append(seconds[1])
    finally:
        await database.close()
        await ground.drop("tiers")
    return Retiering(clients, moved, median(evaluated), median(recorded), median(by_hand))


async def tidy(url: str) -> None:
    """Statistics and clean pages, so that the first trial is no worse off than the second."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM ANALYZE", timeout=None)
        await connection.execute("CHECKPOINT", timeout=None)
    finally:
        await connection.close()


async def _by_hand(uow: UnitOfWork) -> float:
    began = time.perf_counter()
    await uow.sql.execute(BY_HAND, DAY, year_before(DAY), timeout=None)
    return time.perf_counter() - began


async def _ours(uow: UnitOfWork) -> tuple[tuple[float, float], int]:
    """Seconds until everybody was evaluated, and until it was recorded as well; how many were found changed."""
    began = time.perf_counter()
    found = await tiers.evaluate(uow.sql, (await uow.policies(Policies)).tiers, [DAY])
    evaluated = time.perf_counter() - began
    await history.record_tiers(uow, found)
    await uow.finish()
    return (evaluated, time.perf_counter() - began), len(found)


async def rolled_back(database: Database, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
    """Do something in a transaction that leaves nothing behind."""
    try:
        async with database.unit_of_work() as uow:
            raise _RolledBackError(await work(uow))
    except _RolledBackError as done:
        result: T = done.args[0]
        return result


class _RolledBackError(Exception):
    """Ends a trial, with what it found."""
