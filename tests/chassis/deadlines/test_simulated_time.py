"""Deadlines of a simulated home: now is the time of the facts, and a close leaves none behind."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.bus.record import Record
from chassis.clock import at, end_of
from chassis.consumer import Heard, rounds
from chassis.deadlines import Deadline, arm
from contracts.base import Amount, Quantity
from contracts.broker import FundsMoved, PermissionRequested
from tests.world import World

DAY = date(2021, 3, 1)
HOUR = timedelta(hours=1)


def moved(client: str, transfer: str, when: datetime, direction: str = "in") -> FundsMoved:
    return FundsMoved(
        client_id=client,
        transfer_id=transfer,
        moved_at=when,
        direction=direction,
        amount=Quantity(Amount("1")),  # type: ignore[arg-type]
    )


async def story(world: World) -> list[tuple[str, str, datetime | None]]:
    rows = await world.rows("timed", "SELECT * FROM fired ORDER BY n")
    return [(row["kind"], row["object"], row["at"]) for row in rows]


@pytest.mark.both_buses
async def test_a_fact_first_fires_what_its_key_was_due_before_it(simulated: World) -> None:
    nine, ten, noon = at(DAY, 9), at(DAY, 10), at(DAY, 12)
    await simulated.publish(moved("c-1", "first", nine), moved("c-2", "other", nine))
    await simulated.publish(moved("c-1", "second", noon))
    await simulated.settle()
    of_client = [line for line in await story(simulated) if line[1] != "other"]
    assert of_client == [
        ("fact", "first", nine),
        ("ring", "client/c-1", ten),  # though both facts may come in one batch; c-2 has heard nothing since
        ("fact", "second", noon),
    ]
    await simulated.close(DAY)
    after = (await story(simulated))[4:]
    assert sorted(after[:2]) == [("ring", "client/c-1", at(DAY, 13)), ("ring", "client/c-2", ten)]
    assert after[2][:2] == ("close", DAY.isoformat()), "the close finds everything done"
    assert await simulated.value("timed", "SELECT count(*) FROM deadlines") == 0


async def test_what_is_due_at_the_very_instant_of_a_fact_waits_for_it(simulated: World) -> None:
    await simulated.publish(moved("c-1", "first", at(DAY, 9)))
    await simulated.publish(moved("c-1", "second", at(DAY, 10), "out"))  # cancels at the due itself
    await simulated.close(DAY)
    assert "ring" not in {kind for kind, *_ in await story(simulated)}


async def test_24_00_belongs_to_the_day_and_events_carry_the_instant(simulated: World) -> None:
    await simulated.publish(moved("c-1", "late", end_of(DAY) - HOUR))
    await simulated.close(DAY)
    assert ("ring", "client/c-1", end_of(DAY)) in await story(simulated)
    told = await simulated.rows("gateway", "SELECT time FROM bus.log WHERE type = 'broker.permission.granted'")
    assert [row["time"] for row in told] == [end_of(DAY)]
    kept = await simulated.rows("timed", "SELECT due, at FROM fired_deadlines")
    assert [(row["due"], row["at"]) for row in kept] == [(end_of(DAY), end_of(DAY))]


async def test_a_chain_of_steps_runs_to_the_end_of_the_day_and_on_the_next(simulated: World) -> None:
    async with simulated.database("timed").unit_of_work() as uow:
        await arm(uow, [Deadline("chain", "o", "c-1", end_of(DAY) - 2 * HOUR, payload={"left": 4})])
    await simulated.close(DAY - timedelta(days=1))
    await simulated.close(DAY)
    assert [(k, a) for k, _, a in await story(simulated) if k == "chain"] == [
        ("chain", end_of(DAY) + n * HOUR) for n in (-2, -1, 0)
    ]
    await simulated.close(DAY + timedelta(days=1))
    assert len([k for k, *_ in await story(simulated) if k == "chain"]) == 5


async def test_late_facts_leave_no_deadline_behind_that_a_closed_day_should_have_fired(simulated: World) -> None:
    await simulated.close(DAY)
    await simulated.publish(moved("c-1", "late", at(DAY, 9)))
    await simulated.settle()
    assert ("ring", "client/c-1", at(DAY, 10)) in await story(simulated)


async def test_before_anyone_said_whose_time_it_is_facts_fire_but_never_ahead_of_the_clock(timed: World) -> None:
    now: datetime = await timed.value("timed", "SELECT clock_timestamp()")
    async with timed.database("timed").unit_of_work() as uow:
        await arm(
            uow,
            [Deadline("ring", "past", "c-1", now - HOUR), Deadline("ring", "future", "c-1", now + HOUR, "x")],
        )
    await timed.publish(PermissionRequested(client_id="c-1", permission="margin", at=now + timedelta(hours=5)))
    await timed.settle()
    assert [object_ for _, object_, _ in await story(timed)] == ["past", "margin"]


async def test_a_failing_deadline_neither_blames_the_fact_nor_stops_the_day(simulated: World) -> None:
    async with simulated.database("timed").unit_of_work() as uow:
        await arm(
            uow,
            [
                Deadline("fail", "bad", "c-1", at(DAY, 8), payload={"bad": True}),
                Deadline("fail", "good", "c-1", at(DAY, 8)),
            ],
        )
    await simulated.publish(PermissionRequested(client_id="c-1", permission="margin", at=at(DAY, 9)))
    await simulated.close(DAY)
    assert [(k, o) for k, o, _ in await story(simulated)] == [
        ("fail", "good"), ("fact", "margin"), ("close", DAY.isoformat()),
    ]  # fmt: skip
    assert await simulated.value("timed", "SELECT count(*) FROM dead_letters") == 0
    assert await simulated.value("timed", "SELECT error FROM deadlines WHERE object = 'bad'") == "ValueError: a bad one"


INSTANTS = st.integers(0, 6).map(lambda n: datetime(2021, 3, 1, n, tzinfo=UTC))


@given(facts=st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), INSTANTS), max_size=30))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_rounds_keep_every_fact_once_and_each_key_in_time(facts: list[tuple[str, bool, datetime]]) -> None:
    heard = {FundsMoved: Heard(), PermissionRequested: Heard()}
    for n, (key, is_move, when) in enumerate(facts):
        kind = FundsMoved if is_move else PermissionRequested
        record = Record("t", 0, n, key, kind.type, str(n), "s", when, None, b"")
        event = moved(key, str(n), when) if is_move else PermissionRequested(client_id=key, permission=str(n), at=when)
        heard[kind].events.append(event)
        heard[kind].records.append(record)
        heard[kind].passed_before.append(None)
    seen: dict[str, list[datetime]] = {}
    count = 0
    for times, parts in rounds({kind: one for kind, one in heard.items() if one.events}):
        for key, when in times.items():
            assert not seen.get(key) or seen[key][-1] < when
            seen.setdefault(key, []).append(when)
        for one in parts.values():
            count += len(one.events)
            assert all(times[record.key] == record.time for record in one.records)
            offsets = [record.offset for record in one.records]
            assert offsets == sorted(offsets)
    assert count == len(facts)
