"""Satisfaction and changed needs, as said in valid contacts and counted [B4]."""

from datetime import date, timedelta

from tests.callbacks.desk import FIRST, IDENTITY, LEADER, Desk, agent, ten

MONDAY = date(2022, 7, 4)


async def test_regular_calls_of_core_clients_ask_for_changed_needs_and_their_satisfaction_is_counted(
    desk: Desk,
) -> None:
    await desk.close(FIRST)
    care = {**IDENTITY, "satisfaction": "5", "needs_changed": "yes", "needs": "养老规划", "operated": "no"}
    for client in ("c-1", "c-2"):
        await desk.open(client, date(2021, 5, 2))
        await desk.group(client, "CORE", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    anna = agent("anna")
    for task, score in zip(await desk.tasks("rule = 'core'"), ("5", "3"), strict=True):
        await desk.ask(anna, "POST", f"/tasks/{task['task_id']}/claim", status=200)
        unasked = {name: word for name, word in care.items() if name != "needs_changed"}
        await desk.call(anna, task, "completed", ten(MONDAY), unasked, 422)
        await desk.call(anna, task, "completed", ten(MONDAY), {**care, "satisfaction": score}, 201)
    span = f"from={MONDAY}&to={MONDAY}"
    for core_only in ("false", "true"):
        [numbers] = await desk.ask(LEADER, "GET", f"/statistics/satisfaction?{span}&core_only={core_only}", status=200)
        assert (numbers["topic"], numbers["answers"], numbers["average"]) == ("care", 2, "4.00")
        assert (numbers["satisfied"], numbers["satisfied_rate"]) == (1, "50.0")
    needs = await desk.ask(LEADER, "GET", f"/statistics/needs?{span}", status=200)
    assert [(one["changed"], one["needs"]) for one in needs] == [("yes", "养老规划")] * 2
