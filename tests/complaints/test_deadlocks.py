"""An act that meets a deadline of its own object in a deadlock is done once more, and that is counted."""

import asyncpg
import pytest

from chassis.telemetry import DEADLOCKS_RETRIED
from tests.complaints.desk import Desk


@pytest.mark.parametrize("deadlocks", [0, 1, 2])
async def test_work_is_done_once_more_after_a_deadlock(desk: Desk, deadlocks: int) -> None:
    """The database ends the work as it ends the victim of a deadlock; what it wrote and told before is taken back."""
    tries: list[int] = []
    counted = DEADLOCKS_RETRIED.labels("complaints")._value.get()

    async def act() -> None:
        async with desk.world.database("complaints").unit_of_work() as uow:

            async def work() -> None:
                tries.append(len(tries))
                uow.audit("tried", "case/1", key="c-li")
                await uow.sql.execute("INSERT INTO radar_due VALUES ('2009-03-01')")
                if len(tries) <= deadlocks:
                    await uow.sql.execute("DO $$ BEGIN RAISE EXCEPTION 'met' USING ERRCODE = '40P01'; END $$")

            await uow.once_more(work)

    if deadlocks > 1:
        with pytest.raises(asyncpg.DeadlockDetectedError):
            await act()
    else:
        await act()
    assert len(tries) == min(deadlocks + 1, 2)
    assert DEADLOCKS_RETRIED.labels("complaints")._value.get() == counted + min(deadlocks, 1)
    written = await desk.world.value("complaints", "SELECT count(*) FROM radar_due")
    told = await desk.world.value("complaints", "SELECT count(*) FROM audit WHERE action = 'tried'")
    assert (written, told) == ((0, 0) if deadlocks > 1 else (1, 1))
