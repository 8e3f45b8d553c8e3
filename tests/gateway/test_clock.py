"""The clock of a real home: each day once, at its time, catching up; none in a simulated home."""

from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.clock import Clock
from tests.world import World


@pytest.fixture
def clock(world: World) -> Clock:
    return Clock(world.settings, world.database("gateway"))


async def _home(world: World, **columns: object) -> None:
    async with world.database("gateway").unit_of_work() as uow:
        for name, value in columns.items():
            await uow.sql.execute(f"UPDATE home SET {name} = $1", value)


async def _closed(world: World) -> list[str]:
    schema = world.database("gateway").log.schema
    rows = await world.rows(
        "gateway", f"SELECT DISTINCT key FROM {schema}.log WHERE type = 'broker.day.closed' ORDER BY key"
    )
    return [row["key"] for row in rows]


async def test_nothing_is_closed_before_the_timeline_is_real(world: World, clock: Clock) -> None:
    old = datetime(2024, 3, 1, tzinfo=UTC)
    await _home(world, decided_at=old)
    assert await clock.step() is None
    await _home(world, timeline="simulated")
    assert await clock.step() is None
    assert await _closed(world) == []


async def test_missed_days_are_caught_up_one_by_one_and_today_waits(world: World, clock: Clock) -> None:
    now = datetime.now(UTC)
    await _home(world, timeline="real", decided_at=now - timedelta(days=3))
    days = []
    while day := await clock.step():
        days.append(day)
    assert len(days) in (2, 3)  # before 00:30 in Shanghai yesterday is not due yet
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    assert await _closed(world) == [day.isoformat() for day in days]
    assert await world.value("gateway", "SELECT published_through FROM home") == days[-1]
    assert 0 < clock.waits_seconds <= 60
    await world.settle()
    assert await world.value("points", "SELECT through FROM closed_days") == days[-1]


async def test_two_clocks_close_a_day_once(world: World, clock: Clock) -> None:
    import asyncio

    await _home(world, timeline="real", decided_at=datetime.now(UTC) - timedelta(days=2))
    other = Clock(world.settings, world.database("gateway"))
    await asyncio.gather(clock.step(), other.step())
    while await clock.step():
        pass
    schema = world.database("gateway").log.schema
    most = await world.value(
        "gateway",
        f"""SELECT max(n) FROM (SELECT count(*) AS n FROM {schema}.log WHERE type = 'broker.day.closed'
            GROUP BY topic, partition, key) t""",
    )
    assert most == 1


async def test_a_close_from_outside_stands(world: World, clock: Clock) -> None:
    await _home(world, timeline="real", decided_at=datetime.now(UTC) - timedelta(days=3))
    await _home(world, published_through=date(2200, 1, 1))
    assert await clock.step() is None
