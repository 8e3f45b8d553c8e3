"""What every lane is told, and what it tells."""

import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field

import asyncpg
import msgspec
import structlog
import uvloop

from bench.processes import cpu_seconds, parent_of
from chassis.gc_tuning import collect_rarely


@dataclass(frozen=True, slots=True)
class Task:
    """Read `events` trades from the topics under `prefix` into a database made for this lane alone."""

    servers: str
    prefix: str
    database_url: str
    events: int
    group: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """The Kafka name of the trades' topic."""
        return f"{self.prefix}.broker.trades"


@dataclass(slots=True)
class LaneResult:
    """What a lane did: wall and CPU seconds from before its first batch until after its last commit, and its sums."""

    events: int = 0
    seconds: float = 0.0
    client_cpu: float = 0.0
    database_cpu: float = 0.0
    entries: int = 0
    ledger_points: int = 0
    balance_points: int = 0
    told: int = 0


class Watch:
    """Measures from `start` to `stop`."""

    def __init__(self, server_pid: int) -> None:
        self.server_pid = server_pid
        self._wall = self._cpu = self._server = 0.0

    @classmethod
    async def on(cls, url: str) -> "Watch":
        """A watch on this process and on the server behind a URL."""
        connection = await asyncpg.connect(url)
        try:
            return cls(parent_of(await connection.fetchval("SELECT pg_backend_pid()")))
        finally:
            await connection.close()

    def start(self) -> None:
        """Begin (again: what was measured before is forgotten)."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self._server = cpu_seconds(self.server_pid)

    def stop(self, outcome: LaneResult) -> None:
        """Write what went by since `start`."""
        outcome.seconds = time.perf_counter() - self._wall
        outcome.client_cpu = time.process_time() - self._cpu
        outcome.database_cpu = cpu_seconds(self.server_pid) - self._server


async def sums(url: str, outcome: LaneResult, schema: str, outbox: str) -> None:
    """Count what a lane left behind: entries, their points, the balances' points, rows of the outbox."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(
            f"""SELECT (SELECT count(*) FROM {schema}.entries), (SELECT coalesce(sum(points), 0) FROM {schema}.entries),
                       (SELECT coalesce(sum(available), 0) FROM {schema}.balances), (SELECT count(*) FROM {outbox})"""
        )
        outcome.entries, outcome.ledger_points, outcome.balance_points, outcome.told = map(int, row or ())
    finally:
        await connection.close()


def main(lane: Callable[[Task], Awaitable[LaneResult]]) -> None:
    """Run a lane: its task comes as JSON in the first argument, its outcome goes to stdout as JSON.

    Peers and limit get our setting of the garbage collector too: it is no part of what is compared.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

    async def go() -> LaneResult:
        return await lane(msgspec.json.decode(sys.argv[1], type=Task))

    collect_rarely()
    print(json.dumps(asdict(uvloop.run(go()))), flush=True)
