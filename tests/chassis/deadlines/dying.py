"""A scheduler process that stops in the middle of a batch, to be killed there: `python -m ... URL`."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace

from chassis.database import Database
from chassis.deadlines import Due
from chassis.deadlines.scheduler import Scheduler
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from tests.chassis.deadlines.service import TIMED, ring


async def ring_and_hang(due: Sequence[Due], uow: UnitOfWork) -> None:
    await ring(due, uow)
    print("in the middle", flush=True)
    await asyncio.Event().wait()


async def main(url: str) -> None:
    service = replace(TIMED, deadlines={"ring": ring_and_hang})
    await Scheduler(service, Database(Settings(database_url=url), "timed")).step()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
