"""Clocks as a service keeps them: started, paused, promised, stepped through, explained, never half-written."""

from datetime import date, datetime, timedelta

import pytest

from chassis.clock import at
from chassis.clocks import Pause, Promise, Resume, State, Stop
from chassis.clocks.errors import (
    ClockNotStarted,
    OverlappingPauses,
    PauseEndsBeforeItBegins,
    PromiseInThePast,
    StartedTwice,
)
from chassis.clocks.store import Clock, New, acknowledge, append, explained, readings, start
from chassis.errors import Refusal
from contracts.base import Quantity
from contracts.broker import FundsMoved
from tests.chassis.audit.conftest import superuser
from tests.chassis.clocks_kept.service import LADDER, LIMIT
from tests.world import World

MONDAY = date(2021, 3, 1)
NINE = at(MONDAY, 9)
DUE = at(date(2021, 3, 4), 17, 30)  # day 0 is Monday, three working days after it
CASE = ("case/7", "result")


async def opened(world: World, number: str = "7", when: datetime = NINE) -> None:
    await world.publish(
        FundsMoved(client_id="c-1", transfer_id=number, moved_at=when, direction="in", amount=Quantity("1"))
    )
    await world.settle()


async def armed(world: World) -> list[tuple[str, datetime]]:
    return [(row["step"], row["due"]) for row in await world.rows("timed", "SELECT step, due FROM deadlines")]


async def append_to(world: World, *entries: New) -> None:
    async with world.database("timed").unit_of_work() as uow:
        await append(uow, entries)


@pytest.mark.both_buses
async def test_one_step_is_pending_at_a_time_up_the_whole_ladder(cases: World) -> None:
    await opened(cases)
    ((step, _),) = await armed(cases)
    assert step == "warn"
    for day in range(1, 7):
        await cases.close(date(2021, 3, day))
    steps = await cases.rows("timed", "SELECT step, fired_at FROM clock_steps ORDER BY number")
    assert [row["step"] for row in steps] == ["warn", "due", "boss"]
    assert steps[1]["fired_at"] == DUE
    # Nobody acknowledged the due: one working hour later, on Friday at 10:00, the next fires before its own offset.
    assert steps[2]["fired_at"] == at(date(2021, 3, 5), 10)
    assert await armed(cases) == []
    assert [row["step"] for row in await cases.rows("timed", "SELECT step FROM fired ORDER BY n")] == [
        "warn",
        "due",
        "boss",
    ]


async def test_an_acknowledged_step_leaves_the_next_at_its_own_offset(cases: World) -> None:
    await opened(cases)
    for day in range(1, 5):
        await cases.close(date(2021, 3, day))
    async with cases.database("timed").unit_of_work() as uow:
        assert await acknowledge(uow, [(*CASE, "due")], DUE + timedelta(minutes=1)) == 1
    assert await armed(cases) == [("boss", at(date(2021, 3, 5), 14))]  # four working hours, lunch left out
    async with cases.database("timed").unit_of_work() as uow:
        assert await acknowledge(uow, [(*CASE, "due")], DUE) == 0, "the first acknowledgement stands"


async def test_a_pause_disarms_a_resume_moves_and_a_stop_ends(cases: World) -> None:
    await opened(cases)
    await append_to(cases, New(*CASE, Pause, at(MONDAY, 10), {"reason": "waits for the client"}))
    assert await armed(cases) == []
    await append_to(cases, New(*CASE, Resume, at(MONDAY + timedelta(days=1), 10)))
    async with cases.sql("timed") as sql:
        found = (await readings(sql, ["case/7"]))[CASE]
    assert (found.state, found.due) == (State.RUNNING, DUE + timedelta(days=1))
    assert len(await armed(cases)) == 1
    await append_to(cases, New(*CASE, Stop, at(MONDAY + timedelta(days=2), 9)))
    assert await armed(cases) == []
    assert await cases.value("timed", "SELECT state FROM clocks") == "stopped"


async def test_a_late_reply_that_puts_the_due_in_the_past_fires_at_once(cases: World) -> None:
    await opened(cases)
    await append_to(cases, New(*CASE, Pause, at(MONDAY, 10)))
    for day in range(1, 12):
        await cases.close(date(2021, 3, day))
    await append_to(cases, New(*CASE, Resume, at(MONDAY, 11)))
    await cases.settle()
    assert [row["at"] for row in await cases.rows("timed", "SELECT at FROM fired WHERE step = 'due'")] == [
        DUE + timedelta(days=1)  # an hour's pause of a limit in days rounds up to the end of that working day [C27]
    ]


async def test_the_explanation_is_as_known_on_an_earlier_date(cases: World) -> None:
    await opened(cases)
    before: datetime = await cases.value("timed", "SELECT clock_timestamp()")
    await append_to(cases, New(*CASE, Promise, at(MONDAY, 10), {"due": at(date(2021, 3, 9), 12).isoformat()}))
    async with cases.sql("timed") as sql:
        now, then = await explained(sql, *CASE), await explained(sql, *CASE, as_of=before)
        assert {line.kind for line in then} == {"start", "sum"}
        assert now[-1].due == at(date(2021, 3, 9), 12)
        assert then[-1].due == DUE
        with pytest.raises(ClockNotStarted):
            await explained(sql, "case/8", "result")


@pytest.mark.parametrize(
    ("entries", "refusal"),
    [
        ([New(*CASE, Pause, at(MONDAY, 10)), New(*CASE, Pause, at(MONDAY, 11))], OverlappingPauses),
        ([New(*CASE, Pause, at(MONDAY, 11)), New(*CASE, Resume, at(MONDAY, 10))], Refusal),
        ([New(*CASE, Pause, at(MONDAY, 11), {"expected_end": NINE.isoformat()})], PauseEndsBeforeItBegins),
        ([New(*CASE, Promise, at(MONDAY, 11), {"due": NINE.isoformat()})], PromiseInThePast),
        ([New("case/8", "result", Pause, at(MONDAY, 10))], ClockNotStarted),
    ],
)
async def test_entries_that_cannot_be_true_are_refused_and_nothing_is_written(
    cases: World, entries: list[New], refusal: type[Refusal]
) -> None:
    await opened(cases)
    before = await armed(cases)
    with pytest.raises(refusal):
        await append_to(cases, *entries)
    assert await cases.value("timed", "SELECT count(*) FROM clock_entries") == 1
    assert await armed(cases) == before


async def test_a_clock_starts_once(cases: World) -> None:
    await opened(cases)
    with pytest.raises(StartedTwice):
        async with cases.database("timed").unit_of_work() as uow:
            await start(uow, [Clock(*CASE, "c-1", LIMIT, NINE, LADDER), Clock("case/9", "result", "c-1", LIMIT, NINE)])
    assert await cases.value("timed", "SELECT count(*) FROM clocks") == 1


async def test_the_ledger_is_sealed_and_any_altered_row_is_found(cases: World) -> None:
    await opened(cases)
    await append_to(cases, New(*CASE, Pause, at(MONDAY, 10)))
    await cases.seal()
    assert await cases.findings() == []
    async with superuser(cases, "timed") as sql:
        await sql.execute("UPDATE clock_entries SET effective = effective + interval '1 s'")
    found = await cases.findings()
    assert {(finding.table, "altered" in finding.detail) for finding in found} == {("clock_entries", True)}


async def test_many_clocks_start_in_one_go(cases: World) -> None:
    async with cases.database("timed").unit_of_work() as uow:
        await start(uow, [Clock(f"case/{n}", "result", f"c-{n}", LIMIT, NINE, LADDER) for n in range(500)])
    async with cases.sql("timed") as sql:
        found = await readings(sql, [f"case/{n}" for n in range(500)])
    assert {reading.due for reading in found.values()} == {DUE}
    assert len(await armed(cases)) == 500
