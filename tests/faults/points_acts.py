"""Acts of the points ledger in a process of their own that is killed by signal 9 at one of its statements:
`python -m tests.faults.points_acts`, a line `ACT STATEMENT` each on stdin, and for each the process's exit code on stdout.

What was imported stays: each act is done by a fork. The statement after which it dies is counted over all of the act; 0: it lives.
"""

import asyncio
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import httpx

from chassis.actor import Actor, Role
from chassis.consumer import read_from_log
from chassis.database import Database
from chassis.http import mint, service_app
from chassis.http.identity import HEADER
from chassis.notifications import Notifications
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from chassis.worker import Worker
from services.points import liability
from services.points.app import service

OWN = Actor("c-1", Role.CLIENT, client_id="c-1")
MONTH = date(2022, 7, 1)
STUCK_SECONDS = 45
"""One that stands still says where, and ends."""


class Mortal(Database):
    """Its process is gone after so many statements of its transactions."""

    def __init__(self, settings: Settings, statement: int) -> None:
        super().__init__(settings, "points")
        self.left = statement

    @asynccontextmanager
    async def unit_of_work(self, *arguments: Any, **named: Any) -> AsyncIterator[UnitOfWork]:
        """As ever, but for its end."""

        def count(_: object) -> None:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)

        async with super().unit_of_work(*arguments, **named) as uow:
            uow.sql.add_query_logger(count)
            yield uow


async def redeem(database: Database, settings: Settings) -> None:
    """A client exchanges points for a month of SMS1."""
    app = service_app(service, database, settings)
    headers = {HEADER: mint(OWN, settings), "idempotency-key": "k-1"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://points") as http:
        answer = await http.post("/v1/points/clients/c-1/redemptions", json={"reward": "SMS1"}, headers=headers)
    answer.raise_for_status()


async def work(database: Database, settings: Settings) -> None:
    """What a worker does: it hears what was delivered, that a day is closed, and closes it."""
    worker = Worker(service, database, settings, Notifications(), sole=True)
    await worker.consumer.prepare()
    while await read_from_log(worker.consumer, worker.partitions_at_once, 5000) or await worker.closer.step():
        pass


async def close_month(database: Database, _: Settings) -> None:
    """The month is closed for good."""
    async with database.unit_of_work() as uow:
        await liability.close(uow, MONTH)


ACTS: dict[str, Callable[[Database, Settings], Awaitable[None]]] = {
    "redeem": redeem,
    "deliver": work,
    "lots": work,
    "month": close_month,
}


async def do(act: str, statement: int) -> None:
    """Do it, or die of it."""
    settings = Settings()
    await ACTS[act](Mortal(settings, statement), settings)


def main() -> None:
    """Fork for each line."""
    for line in sys.stdin:
        act, statement = line.split()
        child = os.fork()
        if not child:
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what it logs is no exit code
            faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
            try:
                asyncio.run(do(act, int(statement)))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
