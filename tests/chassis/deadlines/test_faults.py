"""Schedulers that die, hang or lose the database in the middle of a batch."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.deadlines import Deadline, Due
from chassis.deadlines.firing import TooManyFailures
from chassis.deadlines.scheduler import Scheduler
from chassis.uow import UnitOfWork
from tests.chassis.deadlines.service import TIMED
from tests.chassis.deadlines.test_real_time import HOUR, armed, drained, fired, now_of
from tests.world import World

MANY = 40


async def arm_many(world: World) -> None:
    now = await now_of(world)
    await armed(
        world, *(Deadline("ring", f"o{n:02}", f"c-{n}", now - HOUR + timedelta(seconds=n)) for n in range(MANY))
    )


@pytest.mark.every_postgres
async def test_what_a_killed_process_had_claimed_returns_and_fires_once(real: World) -> None:
    await arm_many(real)
    url = real.database("timed").url
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chassis.deadlines.dying", url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"in the middle\n"
    async with real.database("timed").unit_of_work() as uow:
        firing = real.platform.workers["timed"].scheduler.firing
        assert await firing.due_by(uow, uow.now, uow.now, 1000) == 0, "claimed elsewhere: waited for, not fired twice"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with asyncio.timeout(20):
        while await real.value("timed", "SELECT EXISTS (SELECT FROM deadlines)"):
            await drained(real)
    assert sorted(object_ for object_, _ in await fired(real)) == [f"o{n:02}" for n in range(MANY)]
    assert await real.value("gateway", "SELECT count(*) FROM bus.log WHERE type = 'broker.permission.granted'") == MANY


async def test_a_lost_connection_in_the_middle_leaves_nothing_half_done(real: World) -> None:
    await arm_many(real)

    async def cut_off(due: Sequence[Due], uow: UnitOfWork) -> None:
        await TIMED.deadlines["ring"](due, uow)
        await uow.sql.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Exception, match=r"terminat|closed|lost"):
        await Scheduler(replace(TIMED, deadlines={"ring": cut_off}), real.database("timed")).step()
    assert await fired(real) == []
    await drained(real)
    assert len(await fired(real)) == MANY


async def test_a_handler_that_can_do_nothing_stops_the_batch_instead_of_putting_all_aside(real: World) -> None:
    await arm_many(real)

    async def broken(due: Sequence[Due], uow: UnitOfWork) -> None:
        raise ValueError("nothing works")

    with pytest.raises(TooManyFailures):
        await Scheduler(replace(TIMED, deadlines={"ring": broken}), real.database("timed"), failures_limit=10).step()
    assert await real.value("timed", "SELECT count(*) FROM deadlines WHERE failed_at IS NULL") == MANY
