"""The log is kept a week and until everybody has passed it, by the database's clock; room is made ahead, and no lock is waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from chassis import housekeeping
from chassis.bus.log import BelowLowWater
from chassis.bus.parts import Parts
from chassis.consumer import Consumer, read_from_log
from chassis.database import connect
from contracts import broker
from gateway.app import service as gateway
from tests.chassis.deadlines.service import TIMED
from tests.classification.facts import opened
from tests.world import World

SERVICES = (gateway, TIMED)


@asynccontextmanager
async def admin_of(world: World) -> AsyncIterator[asyncpg.Connection]:
    admin = await connect(world.database("gateway").url)
    try:
        yield admin
    finally:
        await admin.close()


async def aged(world: World, days: int) -> date:
    """Make what the log holds as old as that; the day it then lies in."""
    async with admin_of(world) as admin:
        today: date = await admin.fetchval("SELECT clock_timestamp()::date")
        day = today - timedelta(days=days)
        await Parts(admin, "bus").make_room(day + timedelta(days=1), -1)
        await admin.execute(
            "UPDATE bus.log SET written_at = $1", datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        )
    return day


async def parts(world: World) -> list[date]:
    async with admin_of(world) as admin:
        return await Parts(admin, "bus").attached()


async def test_a_part_goes_when_all_registered_have_passed_it_and_a_week_is_over(real: World) -> None:
    await real.publish(opened())
    day = await aged(real, 8)
    # A process that knows the gateway alone: who else reads is in the database.
    assert await housekeeping.once(real.settings, (gateway,)) == []
    await real.settle()
    assert await housekeeping.once(real.settings, (gateway,)) == [f"bus.log_{day:%Y%m%d}"]
    assert day not in await parts(real)
    lowest = await real.rows("timed", "SELECT * FROM bus.low_water WHERE next > 0")
    assert {row["since"].date() for row in lowest} == {day + timedelta(days=1)}
    await real.publish(opened("c-2"))
    await real.settle()


async def test_what_a_new_type_has_still_to_read_stays(real: World) -> None:
    await real.publish(opened())
    await real.settle()
    day = await aged(real, 9)
    async with real.database("timed").unit_of_work() as uow:
        await uow.sql.execute("UPDATE heard_types SET next = 0 WHERE topic = $1", opened().topic)
    assert await housekeeping.once(real.settings, SERVICES) == []
    assert day in await parts(real)
    async with real.database("timed").unit_of_work() as uow:
        await uow.sql.execute("UPDATE heard_types SET next = NULL")
    assert len(await housekeeping.once(real.settings, SERVICES)) == 1


async def test_a_part_of_the_last_week_stays_whatever_was_read(real: World) -> None:
    await real.publish(opened())
    await real.settle()
    day = await aged(real, 7)
    assert await housekeeping.once(real.settings, SERVICES) == []
    assert day in await parts(real)


async def test_the_clock_of_a_process_drops_nothing(real: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await real.publish(opened())
    await real.settle()
    monkeypatch.setattr("chassis.clock.utc_now", lambda: datetime.now(UTC) + timedelta(days=10))
    before = await parts(real)
    assert await housekeeping.once(real.settings, SERVICES) == []
    assert await parts(real) == before


async def test_a_day_that_is_over_takes_no_more_records(real: World) -> None:
    await real.publish(opened())
    day = await aged(real, 2)
    await housekeeping.once(real.settings, SERVICES)
    async with admin_of(real) as admin:
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="clock"):
            await admin.execute(
                """INSERT INTO bus.log SELECT topic, partition, "offset" + 1000, $1, key, type, id, source, time, NULL, value
                   FROM bus.log LIMIT 1""",
                datetime(day.year, day.month, day.day, 13, tzinfo=UTC),
            )
    await real.settle()


async def test_a_service_added_later_begins_at_the_mark_and_says_since_when(real: World) -> None:
    await real.publish(opened())
    await real.settle()
    day = await aged(real, 9)
    await housekeeping.once(real.settings, SERVICES)
    async with real.database("timed").unit_of_work() as uow:
        for table in ("consumer_offsets", "heard_types"):  # as of a service that was never here
            await uow.sql.execute(f"DELETE FROM {table}")
    consumer = Consumer(TIMED, real.database("timed"), 100)
    await consumer.prepare()
    begun = await real.rows(
        "timed",
        "SELECT o.next, o.since, w.next AS kept FROM consumer_offsets o JOIN bus.low_water w USING (topic, partition)",
    )
    assert all(row["next"] == row["kept"] for row in begun)
    assert {row["since"].date() for row in begun if row["since"]} == {day + timedelta(days=1)}
    await real.settle()


async def test_a_reader_below_the_mark_stops_and_says_what_to_do(real: World) -> None:
    await real.publish(opened())
    await real.settle()
    await aged(real, 9)
    await housekeeping.once(real.settings, SERVICES)
    async with real.database("timed").unit_of_work() as uow:
        await uow.sql.execute("UPDATE consumer_offsets SET next = 0")
    with pytest.raises(BelowLowWater, match="careline positions skip timed"):
        await read_from_log(real.platform.workers["timed"].consumer, 4, 100)


async def test_reads_look_into_no_part_of_days_that_were_passed(real: World) -> None:
    await real.publish(opened())
    await real.settle()
    await aged(real, 3)
    await housekeeping.once(real.settings, SERVICES)
    await real.publish(opened("c-2"))
    async with real.sql("timed") as sql:
        since = await sql.fetchval(
            f"""SELECT min({real.database("timed").log.first_day("o")}) FROM consumer_offsets o
                JOIN bus.heads h USING (topic, partition) WHERE h.next > o.next"""
        )
        today = await sql.fetchval("SELECT clock_timestamp()::date")
        assert since.date() > today - timedelta(days=3)
        plan = await sql.fetch(
            "EXPLAIN SELECT * FROM bus.log WHERE topic = 'x' AND partition = 0 AND written_at >= $1::timestamptz", since
        )
    assert f"log_{today - timedelta(days=3):%Y%m%d}" not in str(plan)
    await real.settle()


async def test_room_is_made_and_parts_go_while_a_backup_reads_everything(real: World) -> None:
    await real.publish(opened())
    await real.settle()
    day = await aged(real, 8)
    async with admin_of(real) as backup:
        held = backup.transaction(isolation="repeatable_read", readonly=True)
        await held.start()
        await backup.execute("LOCK TABLE bus.log IN ACCESS SHARE MODE")  # with all of its parts
        async with admin_of(real) as admin:
            today = await admin.fetchval("SELECT clock_timestamp()::date")
            await Parts(admin, "bus").make_room(today + timedelta(days=30))
        assert today + timedelta(days=37) in await parts(real)
        assert await housekeeping.once(real.settings, SERVICES) == []  # it waits for the backup, and nobody for it
        async with asyncio.timeout(30):
            await real.publish(opened("c-2"))
            await real.settle()
        await held.rollback()
    await housekeeping.once(real.settings, SERVICES)
    async with admin_of(real) as admin:
        assert await admin.fetchval("SELECT to_regclass($1)", f"bus.log_{day:%Y%m%d}") is None


async def test_what_comes_again_under_an_older_time_is_kept_like_anything(real: World) -> None:
    """The log's own time decides, never the fact's."""
    messages = await real.publish(
        broker.PermissionRequested(client_id="c-1", permission="margin", at=datetime(2009, 1, 1, tzinfo=UTC))
    )
    await real.redeliver([replace(messages[0], time=datetime(1999, 1, 1, tzinfo=UTC))])
    assert await housekeeping.once(real.settings, SERVICES) == []
    await real.settle()
    assert await real.value("timed", "SELECT count(*) FROM fired WHERE object = 'margin'") == 2
