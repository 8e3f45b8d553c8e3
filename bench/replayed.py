"""The embedded form: a whole replay of real data in a home of its own, and its sums."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.children import ChildFailed, child, environment
from bench.made_up import make_folder
from chassis.servers.postgres import PrivatePostgres

PATIENCE_SECONDS = 420
_PUBLISHED = re.compile(r"^([\d,]+) facts published")


@dataclass(frozen=True, slots=True)
class Replayed:
    """All facts published and caught up: how many, in which time (the whole command's), on which data."""

    data: str
    facts: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Facts a second."""
        return self.facts / self.seconds


async def measure(folder: Path, home: Path) -> Replayed:
    """`careline replay FOLDER` in an empty home; a made-up set where there is no such folder.

    Raises: ChildFailed when it fails, or leaves a ledger that does not agree with its balances.
    """
    if not folder.is_dir():  # noqa: ASYNC240 - nothing else runs here meanwhile
        folder = make_folder(home / "made-up")
    env = environment(CARELINE_HOME=str(home / "careline"))
    began, published = time.perf_counter(), 0
    async with child("careline", "replay", str(folder), env=env) as process:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            if found := _PUBLISHED.match(line.decode()):
                published = int(found[1].replace(",", ""))
        if await process.wait():
            raise ChildFailed(f"the replay ended with {process.returncode}")
    seconds = time.perf_counter() - began
    await _check(home / "careline")
    return Replayed(str(folder), published, seconds)


async def _check(home: Path) -> None:
    server = PrivatePostgres(home)
    connection = await asyncpg.connect(server.start())
    try:
        row = await connection.fetchrow(
            """SELECT (SELECT sum(CASE WHEN starts_with(credit_account, 'cust:') THEN points ELSE -points END)
                       FROM points.entries),
                      (SELECT sum(available - debt) FROM points.balances),
                      (SELECT count(*) FROM bus.log WHERE type = 'broker.trade.settled'),
                      (SELECT count(DISTINCT (client_id, trade_id)) FROM points.entries)"""
        )
    finally:
        await connection.close()
        server.stop(even_if_used=True)
    ledger, balances, trades, awarded = row or (None,) * 4
    if ledger is None or ledger != balances or trades != awarded:
        raise ChildFailed(f"ledger {ledger}, balances {balances}; trades {trades}, awarded {awarded}")
