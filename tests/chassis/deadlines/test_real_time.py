"""Deadlines of a real home: the database's clock, once, never early, whatever dies or races."""

import asyncio
from datetime import datetime, timedelta

import pytest

from chassis.deadlines import Deadline, arm, cancel
from chassis.deadlines.scheduler import Scheduler
from chassis.notifications import Notifications
from tests.chassis.deadlines.service import TIMED
from tests.world import World

HOUR = timedelta(hours=1)


async def now_of(world: World) -> datetime:
    found: datetime = await world.value("timed", "SELECT clock_timestamp()")
    return found


async def armed(world: World, *deadlines: Deadline) -> None:
    async with world.database("timed").unit_of_work() as uow:
        await arm(uow, deadlines)


async def drained(world: World) -> Scheduler:
    scheduler = world.platform.workers["timed"].scheduler
    while await scheduler.step():
        pass
    return scheduler


async def fired(world: World) -> list[tuple[str, str]]:
    return [(row["object"], row["step"]) for row in await world.rows("timed", "SELECT * FROM fired ORDER BY n")]


async def test_it_fires_once_and_never_before_it_is_due(real: World) -> None:
    now = await now_of(real)
    await armed(real, Deadline("ring", "a", "c-1", now - HOUR), Deadline("ring", "b", "c-2", now + HOUR))
    scheduler = await drained(real)
    await drained(real)
    assert await fired(real) == [("a", "")]
    assert 0 < scheduler.waits_seconds <= 30
    kept = (await real.rows("timed", "SELECT * FROM fired_deadlines"))[0]
    assert kept["fired_at"] - kept["due"] >= HOUR, "how late it was is kept"
    assert kept["at"] == kept["fired_at"], "in a real home it counts from when it fired"


async def test_nothing_fires_by_the_clock_before_the_home_is_known_to_be_real(timed: World) -> None:
    await armed(timed, Deadline("ring", "a", "c-1", await now_of(timed) - HOUR))
    await drained(timed)
    assert await fired(timed) == []


async def test_nothing_fires_by_the_clock_in_a_simulated_home(simulated: World) -> None:
    await armed(simulated, Deadline("ring", "a", "c-1", await now_of(simulated) - HOUR))
    await drained(simulated)
    assert await fired(simulated) == []


async def test_armed_again_only_the_new_generation_fires(real: World) -> None:
    now = await now_of(real)
    await armed(real, Deadline("ring", "a", "c-1", now - HOUR))
    before = await real.value("timed", "SELECT generation FROM deadlines")
    await armed(real, Deadline("ring", "a", "c-1", now - HOUR))
    assert await real.value("timed", "SELECT generation FROM deadlines") == before, "the same again changes nothing"
    await armed(real, Deadline("ring", "a", "c-1", now + HOUR))
    assert await real.value("timed", "SELECT generation FROM deadlines") > before
    await drained(real)
    assert await fired(real) == []


async def test_a_cancelled_one_never_fires(real: World) -> None:
    now = await now_of(real)
    await armed(
        real, *(Deadline("ring", object_, "c-1", now - HOUR, step) for object_ in "ab" for step in ("first", "second"))
    )
    async with real.database("timed").unit_of_work() as uow:
        assert await cancel(uow, [("ring", "a"), ("ring", "b", "first"), ("ring", "nobody")]) == 3
    await drained(real)
    assert await fired(real) == [("b", "second")]


async def test_a_step_may_cancel_the_next_of_its_object_though_both_are_due(real: World) -> None:
    now = await now_of(real)
    await armed(real, Deadline("stop_next", "a", "c-1", now - 2 * HOUR), Deadline("ring", "a", "c-1", now - HOUR))
    await drained(real)
    assert [row["kind"] for row in await real.rows("timed", "SELECT kind FROM fired")] == ["stop_next"]


async def test_a_step_may_arm_the_next_under_its_own_name(real: World) -> None:
    await armed(real, Deadline("chain", "a", "c-1", await now_of(real) - 5 * HOUR, payload={"left": 3}))
    await drained(real)
    dues = [row["due"] for row in await real.rows("timed", "SELECT due FROM fired ORDER BY n")]
    assert len(dues) == 4
    assert dues == sorted(dues)


async def test_one_bad_deadline_is_put_aside_alone_and_leaves_nothing(real: World) -> None:
    now = await now_of(real)
    await armed(real, *(Deadline("fail", f"o{n}", f"c-{n}", now - HOUR, payload={"bad": n == 7}) for n in range(20)))
    await drained(real)
    assert sorted(object_ for object_, _ in await fired(real)) == sorted(f"o{n}" for n in range(20) if n != 7)
    left = await real.rows("timed", "SELECT object, error, failed_at FROM deadlines")
    assert [(row["object"], row["error"]) for row in left] == [("o7", "ValueError: a bad one")]
    told = await real.value("gateway", "SELECT count(*) FROM bus.log WHERE type = 'broker.permission.granted'")
    assert told == 19, "what the failed handler had told is taken back"


async def test_a_kind_without_handler_is_put_aside_with_a_word(real: World) -> None:
    await armed(real, Deadline("gone", "a", "c-1", await now_of(real) - HOUR))
    await drained(real)
    assert await real.value("timed", "SELECT error FROM deadlines") == "NoHandler: gone"


async def test_two_schedulers_fire_each_deadline_once_and_in_order_per_object(real: World) -> None:
    now = await now_of(real)
    steps = [f"{n:02}" for n in range(8)]
    await armed(
        real,
        *(
            Deadline("ring", f"o{o}", f"c-{o}", now - HOUR + timedelta(minutes=int(step)), step)
            for o in range(150)
            for step in steps
        ),
    )
    settings = real.settings
    schedulers = [Scheduler(TIMED, real.database("timed"), settings.bad_records_limit) for _ in range(3)]

    async def drain(scheduler: Scheduler) -> None:
        while await real.value("timed", "SELECT EXISTS (SELECT FROM deadlines)"):
            await scheduler.step()

    await asyncio.gather(*map(drain, schedulers))
    of: dict[str, list[str]] = {}
    for row in await real.rows("timed", "SELECT object, step FROM fired ORDER BY recorded, n"):
        of.setdefault(row["object"], []).append(row["step"])
    assert of == {f"o{o}": steps for o in range(150)}


@pytest.mark.parametrize("seed", range(5))
async def test_a_cancel_that_races_the_firing_wins_or_loses_but_never_both(real: World, seed: int) -> None:
    now = await now_of(real)
    await armed(real, *(Deadline("ring", f"o{n}", f"c-{n}", now - HOUR) for n in range(60)))

    async def cancel_all() -> int:
        gone = 0
        for n in range(seed, 60, 2):
            async with real.database("timed").unit_of_work() as uow:
                gone += await cancel(uow, [("ring", f"o{n}")])
        return gone

    _, gone = await asyncio.gather(drained(real), cancel_all())
    assert len(await fired(real)) + gone == 60
    assert not await real.value("timed", "SELECT count(*) FROM deadlines")


async def test_a_scheduler_paused_over_its_deadlines_fires_them_late_and_says_so(real: World) -> None:
    now = await now_of(real)
    await armed(real, *(Deadline("ring", f"o{n}", f"c-{n}", now - timedelta(days=1, hours=n)) for n in range(5)))
    await drained(real)
    late = await real.rows(
        "timed", "SELECT object, fired_at - due AS late FROM fired_deadlines ORDER BY fired_at - due"
    )
    assert [row["object"] for row in late] == [f"o{n}" for n in range(5)]
    assert all(row["late"] >= timedelta(days=1) for row in late)
    order = [object_ for object_, _ in await fired(real)]
    assert order == [f"o{n}" for n in reversed(range(5))], "the longest due first"


async def test_arming_wakes_a_scheduler_that_sleeps_for_long(real: World) -> None:
    worker = real.platform.workers["timed"]
    worker.wake = Notifications()
    worker.fit.set()
    listening = asyncio.create_task(worker.wake.listen(real.database("timed").url))
    turning = asyncio.create_task(worker._loop("deadlines", worker.scheduler.step, idle_seconds=30.0))
    try:
        while "deadlines" not in worker.states or not worker.states["deadlines"].turned:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await armed(real, Deadline("ring", "a", "c-1", await now_of(real)))
        async with asyncio.timeout(10):
            while not await fired(real):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        for task in (turning, listening):
            task.cancel()
        await asyncio.gather(turning, listening, return_exceptions=True)


async def test_a_clock_corrected_backwards_fires_nothing_twice(real: World) -> None:
    # The clock is the database's own; what has fired is gone, so that an earlier now finds nothing of it.
    now = await now_of(real)
    await armed(real, Deadline("ring", "a", "c-1", now - timedelta(seconds=1)))
    await drained(real)
    async with real.database("timed").unit_of_work() as uow:
        firing = real.platform.workers["timed"].scheduler.firing
        assert await firing.due_by(uow, now - HOUR, None, 100) == 0
        assert await firing.due_by(uow, now + HOUR, None, 100) == 0
    assert await fired(real) == [("a", "")]
