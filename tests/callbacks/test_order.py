"""One order of locks: consumer, closer and agents at work on the same clients never wait for each other in a circle."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from chassis.actor import Role
from chassis.consumer import LostPartition, read_from_log
from contracts import broker, classification, suitability
from contracts.base import Event
from contracts.classification import GroupChanged, TagStretch
from services.callbacks.intervals import mark_late
from tests.callbacks.desk import FIRST, Desk, agent, ten

DAYS = 24
CLIENTS = [f"c-{number}" for number in range(40)]


async def facts_of(desk: Desk, number: int) -> None:
    """A day's facts: late ones, openings told again, accounts that close, people who leave with clients everywhere."""
    day = FIRST + timedelta(days=number)
    told: list[Event] = []
    for place, client in enumerate(CLIENTS):
        desk.revisions[client] = desk.revisions.get(client, 0) + 1
        since = day - timedelta(days=(place * 7 + number) % 5)
        told.append(
            GroupChanged(
                client_id=client,
                branch_id="B1",
                revision=desk.revisions[client],
                changed_from=since,
                tags=[TagStretch(tag="DORMANT" if place % 2 else "ABNORMAL", since=since)],
            )
        )
        told.append(broker.ClientUpdated(client_id=client, manager_id=f"m-{number % 3}"))
        told.append(broker.SurveillanceAlerted(client_id=client, alert_id=f"a-{number}", kind="funds", at=ten(day)))
        if place % 11 == number % 11:
            told.append(broker.ClientClosed(client_id=client, closed_on=day))
    told.append(broker.StaffChanged(staff_id=f"m-{number % 3}", branch_id="B1", left_on=day))
    await desk.world.publish(*told)
    await desk.world.publish(
        classification.DayCompleted(business_date=day),
        suitability.DayCompleted(business_date=day),
        broker.BrokerDayClosed(business_date=day),
    )


async def test_consumer_closer_and_agents_at_work_on_the_same_clients(desk: Desk) -> None:
    await desk.close(FIRST)
    for client in CLIENTS:
        await desk.open(client, FIRST + timedelta(days=1))
    for number in range(1, DAYS):
        await facts_of(desk, number)
    worker, database = desk.world.platform.workers["callbacks"], desk.world.database("callbacks")
    reading = asyncio.Event()

    async def consume() -> None:
        idle = 0
        while idle < 3:  # small batches: transactions that overlap as much as they can
            with suppress(LostPartition):  # another was faster: nothing was kept, nothing is lost
                idle = 0 if await read_from_log(worker.consumer, 2, 40) else idle + 1
            await asyncio.sleep(0)

    async def repeatedly(turn: Callable[[], Awaitable[object]]) -> None:
        while not reading.is_set():
            await turn()
            await asyncio.sleep(0)

    async def work() -> None:
        anna = agent("anna", None, Role.AGENT)
        taken = await desk.next(anna)
        for task in taken["tasks"]:
            path = f"/tasks/{task['task_id']}"
            await desk.ask(anna, "POST", f"{path}/claim")
            await desk.ask(anna, "POST", f"{path}/release", {"reason": "not now"})

    others = [
        asyncio.create_task(repeatedly(worker.closer.step)),
        asyncio.create_task(repeatedly(work)),
    ]
    try:
        await asyncio.gather(*(consume() for _ in range(3)))
    finally:
        reading.set()
        results = await asyncio.gather(*others, return_exceptions=True)
    assert not [one for one in results if isinstance(one, BaseException)], results
    await desk.world.settle()
    async with database.reading() as sql:
        assert await sql.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
        # The steps of a task are in the order in which they happened, and nothing is missing between them.
        broken = await sql.fetchval(
            """SELECT count(*) FROM (SELECT before, coalesce(lag(after) OVER (PARTITION BY object ORDER BY number), 'planned')
               AS last FROM act_steps) s WHERE before <> last"""
        )
        assert broken == 0


async def test_a_mark_made_while_an_earlier_one_is_taken_away_stays(desk: Desk) -> None:
    await desk.close(FIRST)
    database = desk.world.database("callbacks")
    async with database.unit_of_work() as uow:
        await mark_late(uow, ["c-1"])
    async with database.unit_of_work() as taker:
        await taker.sql.execute("DELETE FROM late")
        async with asyncio.timeout(20), database.unit_of_work() as uow:  # waits for nobody
            await mark_late(uow, ["c-1"])
    assert await desk.world.value("callbacks", "SELECT count(*) FROM late") == 1


async def test_a_closed_accounts_task_that_somebody_has_locked_is_cancelled_by_the_closer(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", FIRST + timedelta(days=1))
    await desk.close_through(FIRST + timedelta(days=1), FIRST + timedelta(days=2))
    async with desk.world.database("callbacks").unit_of_work() as holder:
        await holder.sql.execute("SELECT FROM tasks FOR UPDATE")
        await desk.world.publish(broker.ClientClosed(client_id="c-1", closed_on=FIRST + timedelta(days=2)))
        worker = desk.world.platform.workers["callbacks"]
        async with asyncio.timeout(20):  # waits for nobody
            while await read_from_log(worker.consumer, 8, 40):
                pass
        assert await desk.world.value("callbacks", "SELECT state FROM tasks") == "planned"
    await desk.world.settle()
    [task] = await desk.tasks()
    assert (task["state"], task["outcome"], task["ended_on"]) == (
        "cancelled", "account_closed", FIRST + timedelta(days=2),
    )  # fmt: skip


async def test_numbering_comes_last_so_that_two_in_opposite_order_both_end(desk: Desk) -> None:
    await desk.close(FIRST)
    database = desk.world.database("callbacks")
    for client in ("c-1", "c-2"):
        await desk.open(client, FIRST + timedelta(days=1))
    rows = await desk.tasks("rule = 'new'")
    both = asyncio.Barrier(2)

    async def move(order: list[int]) -> None:
        """Tell a step, then wait for a task the other one has: what a circle is made of."""
        async with database.unit_of_work() as uow:
            mine, its = (rows[number] for number in order)
            await uow.sql.execute("SELECT FROM tasks WHERE task_id = $1 FOR UPDATE", mine["task_id"])
            uow.audit("test", f"task/{mine['task_id']}", key="c-1")
            await both.wait()
            if order[0]:
                await uow.sql.execute("SELECT FROM tasks WHERE task_id = $1 FOR UPDATE", its["task_id"])

    async with asyncio.timeout(20):
        await asyncio.gather(move([0, 1]), move([1, 0]))
    assert await desk.world.value("callbacks", "SELECT count(*) FROM audit WHERE action = 'test'") == 2
