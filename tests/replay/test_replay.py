"""A replay to its end, on both buses: once, again, further, and what it refuses."""

from datetime import date
from pathlib import Path
from typing import cast

import pytest

from careline.platform import Platform
from careline.replay.progress import Progress
from careline.replay.run import replayed
from careline.replay.source import read
from careline.replay.timeline import AnotherDataSet, RealHome
from tests.replay.outcome import BANK, LAST, Quiet, assert_outcome, heads
from tests.world import World

QUIET = cast(Progress, Quiet())


async def run(world: World, until: date = LAST, customers: int | None = None, folder: Path = BANK) -> None:
    async with replayed(world.settings, lambda: read(folder, customers, "CNY"), until, QUIET):
        pass


@pytest.mark.both_buses
async def test_it_ends_as_the_reference_says_and_once_more_changes_nothing(world: World) -> None:
    until = (
        LAST if world.bus == "log" else date(2020, 7, 31)
    )  # a month and its close are enough to tell the buses apart
    await run(world, until)
    await assert_outcome(world.platform, until)
    before = await heads(world.platform)
    await run(world, until)
    assert await heads(world.platform) == before
    await assert_outcome(world.platform, until)


@pytest.mark.every_postgres
async def test_in_two_parts_it_ends_the_same(world: World) -> None:
    await run(world, date(2020, 7, 15))
    await assert_outcome(world.platform, date(2020, 7, 15))
    await run(world, date(2020, 7, 10))  # behind what was said: a repeat
    await run(world, date(2020, 7, 31))
    await assert_outcome(world.platform, date(2020, 7, 31))


async def test_a_running_platform_does_the_work(world: World) -> None:
    async with Platform(world.settings) as running:
        await run(world, date(2020, 7, 31))
        assert running.workers["points"].states["consume"].turned
    await assert_outcome(world.platform, date(2020, 7, 31))


async def test_other_data_are_refused_and_said_what_to_do(world: World) -> None:
    await run(world, date(2020, 7, 3), customers=10)
    before = await heads(world.platform)
    with pytest.raises(AnotherDataSet, match=r"replays .*10 customers.*CARELINE_HOME"):
        await run(world, date(2020, 7, 3), customers=11)
    with pytest.raises(AnotherDataSet, match="CARELINE_HOME"):
        await run(world, date(2020, 7, 3))
    assert await heads(world.platform) == before


async def test_a_real_home_is_not_replayed_into(world: World) -> None:
    async with world.database("gateway").unit_of_work() as uow:
        await uow.sql.execute("UPDATE home SET timeline = 'real', decided_at = $1", uow.now)
    with pytest.raises(RealHome, match="CARELINE_HOME"):
        await run(world, date(2020, 7, 3))
    assert not any(following for *_, following in await heads(world.platform))
