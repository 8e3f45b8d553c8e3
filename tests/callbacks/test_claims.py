"""Claiming under races, leases, absence and deputies, owners, caps, wishes, one call for several tasks [B2, B19, B20]."""

import asyncio
from datetime import date, timedelta

from chassis.clock import at
from chassis.personal.reading import open_columns
from contracts import broker
from tests.callbacks.desk import AWAKE, FIRST, LEADER, TRAINED, Desk, agent, ten

MONDAY = date(2022, 7, 4)
ANNA, BEN = agent("anna"), agent("ben")


async def several(desk: Desk, count: int) -> None:
    """So many dormant clients of B1."""
    await desk.close(FIRST)
    for number in range(count):
        await desk.world.publish(
            broker.ClientOpened(client_id=f"c-{number:02}", branch_id="B1", opened_on=date(2021, 5, 2))
        )
        await desk.group(f"c-{number:02}", "DORMANT", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)


async def test_fifty_agents_racing_for_one_queue_never_get_the_same_task(desk: Desk) -> None:
    await several(desk, 40)
    agents = [agent(f"agent-{number}") for number in range(50)]
    answers = await asyncio.gather(*(desk.next(one) for one in agents))
    taken = [task["task_id"] for answer in answers for task in answer["tasks"]]
    assert len(taken) == len(set(taken)) == 40
    holders = await desk.world.value("callbacks", "SELECT count(DISTINCT holder) FROM tasks WHERE state = 'assigned'")
    assert holders == 40


async def test_fifty_agents_claiming_one_task_one_gets_it_the_others_are_told_who(desk: Desk) -> None:
    await several(desk, 1)
    [task] = await desk.tasks()
    agents = [agent(f"agent-{number}") for number in range(50)]
    answers = await asyncio.gather(*(desk.ask(one, "POST", f"/tasks/{task['task_id']}/claim") for one in agents))
    [winner] = [answer for answer in answers if "holder" in answer and "type" not in answer]
    losers = [answer for answer in answers if answer.get("type") == "/problems/already-taken"]
    assert len(losers) == 49
    assert {loser["holder"] for loser in losers} == {winner["holder"]}
    assert all(loser["since"] for loser in losers)


async def test_abandoned_work_comes_back_when_its_lease_is_over(desk: Desk) -> None:
    await several(desk, 1)
    [task] = (await desk.next(ANNA))["tasks"]
    assert (await desk.next(BEN))["tasks"] == []
    await desk.close(MONDAY + timedelta(days=1))
    [again] = (await desk.next(BEN))["tasks"]
    assert again["task_id"] == task["task_id"]
    problem = await desk.call(ANNA, task, "no_answer", ten(MONDAY), status=409, evidence=False)
    assert (problem["type"], problem["holder"]) == ("/problems/claim-first", "ben")
    steps = await desk.world.rows("callbacks", "SELECT act FROM act_steps ORDER BY number")
    assert [step["act"] for step in steps] == ["claim", "lapse", "claim"]


async def test_given_back_it_is_there_for_the_next_and_a_lapsed_hand_is_empty(desk: Desk) -> None:
    await several(desk, 1)
    [task] = (await desk.next(ANNA))["tasks"]
    await desk.ask(BEN, "POST", f"/tasks/{task['task_id']}/release", {"reason": "not mine"}, 409)
    back = await desk.ask(ANNA, "POST", f"/tasks/{task['task_id']}/release", {"reason": "shift ends"}, 200)
    assert (back["state"], back["holder"]) == ("planned", None)
    [again] = (await desk.next(BEN))["tasks"]
    assert again["task_id"] == task["task_id"]


async def test_one_call_serves_several_due_tasks_each_with_its_own_result(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY)
    await desk.group("c-1", "ABNORMAL", MONDAY + timedelta(days=1), MONDAY + timedelta(days=31))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    given = await desk.next(ANNA)
    abnormal, new = given["tasks"]
    assert [abnormal["rule"], new["rule"]] == ["abnormal", "new"]
    assert given["why"][-1]["en"] == "the same call serves 1 more due task(s)"
    evidence = await desk.recording(ANNA, "c-1")
    known = {"identity": "yes", "known": "yes", "operated": "no", "risk": "yes"}
    body = {
        "client_id": "c-1",
        "at": ten(MONDAY).isoformat(),
        "evidence_id": evidence,
        "profile": {"phone": "13900000000"},
        "results": [
            {"task_id": abnormal["task_id"], "outcome": "completed", "answers": known},
            {
                "task_id": new["task_id"],
                "outcome": "not_convenient",
                "answers": {},
                "wish_at": at(MONDAY + timedelta(days=2), 18, 37).isoformat(),
            },
        ],
    }
    kept = await desk.ask(ANNA, "POST", "/calls", body, 201)
    assert [task["state"] for task in kept["tasks"]] == ["completed", "rescheduled"]
    # The wish is kept to the minute [B19], also outside the windows of B20.
    [task] = await desk.tasks("rule = 'new'")
    assert (task["wish"], task["not_before"]) == (True, at(MONDAY + timedelta(days=2), 18, 37))
    await desk.close(MONDAY + timedelta(days=1))
    assert (await desk.next(BEN))["tasks"] == []
    await desk.close(MONDAY + timedelta(days=2))
    wished = await desk.next(BEN)
    assert wished["tasks"][0]["task_id"] == new["task_id"]
    assert wished["why"][0]["en"].startswith("the client asked to be called at 2022-07-06 10:37")


async def test_nothing_of_a_call_is_kept_when_one_of_its_results_is_wrong(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY)
    await desk.group("c-1", "ABNORMAL", MONDAY + timedelta(days=1), MONDAY + timedelta(days=31))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    abnormal, new = (await desk.next(ANNA))["tasks"]
    body = {
        "client_id": "c-1",
        "at": ten(MONDAY).isoformat(),
        "evidence_id": await desk.recording(ANNA, "c-1"),
        "profile": {},
        "results": [
            {"task_id": new["task_id"], "outcome": "completed", "answers": TRAINED},
            {"task_id": abnormal["task_id"], "outcome": "completed", "answers": {"identity": "yes"}},
        ],
    }
    await desk.ask(ANNA, "POST", "/calls", body, 422)
    assert {task["state"] for task in await desk.tasks()} == {"assigned"}
    assert await desk.world.value("callbacks", "SELECT count(*) FROM attempts") == 0


async def test_calls_outside_the_window_are_refused_unless_the_client_asked(desk: Desk) -> None:
    await several(desk, 1)
    [task] = (await desk.next(ANNA))["tasks"]
    night = at(MONDAY, 21, 30)
    problem = await desk.call(ANNA, task, "no_answer", night, status=409, evidence=False)
    assert problem["type"] == "/problems/outside-calling-window"
    assert problem["next"] == "2022-07-05T01:00:00Z"
    ahead = at(MONDAY + timedelta(days=3), 10)
    assert (await desk.call(ANNA, task, "no_answer", ahead, status=422, evidence=False))["errors"][0][
        "pointer"
    ] == "/at"
    await desk.call(ANNA, task, "completed", night, AWAKE, client_asked=True)


async def test_absence_deputies_and_owners(desk: Desk) -> None:
    await desk.close(FIRST)
    away = broker.Absence(since=at(MONDAY, 0), until=at(MONDAY + timedelta(days=9), 0))
    for staff in (
        broker.StaffChanged(staff_id="mia", branch_id="B1", deputies=("noah",), absences=(away,)),
        broker.StaffChanged(staff_id="noah", branch_id="B1", deputies=("ida",), absences=(away,)),
        broker.StaffChanged(staff_id="ida", branch_id="B1", deputies=("mia",)),  # a circle of deputies
        broker.StaffChanged(staff_id="anna", branch_id="B1"),
    ):
        await desk.world.publish(staff, at=ten(FIRST))
    await desk.open("c-1", date(2021, 5, 2), manager_id="mia")
    await desk.group("c-1", "CORE", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    [task] = await desk.tasks()
    assert (task["rule"], task["owner"]) == ("core", "mia")
    # The owner is away, so is the first deputy: the deputy's deputy has it, nobody else until it passes on.
    away_answer = await desk.ask(agent("mia"), "POST", "/next", status=403)
    assert away_answer["type"] == "/problems/away"
    assert (await desk.next(ANNA))["tasks"] == []
    routing = await desk.ask(LEADER, "GET", f"/tasks/{task['task_id']}/routing", status=200)
    assert (routing["owner"], routing["deputies"]) == ("mia", ["ida"])
    assert {c["staff_id"]: c["may_call"] for c in routing["candidates"]} == {
        "anna": True, "ida": True, "mia": False, "noah": False,
    }  # fmt: skip
    [given] = (await desk.next(agent("ida")))["tasks"]
    assert given["task_id"] == str(task["task_id"])
    [told] = await desk.told("callbacks.task.assigned")
    assert (told["agent"], told["deputy_for"]) == ("ida", "mia")


async def test_an_owners_task_passes_on_when_it_is_overdue(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2), manager_id="mia")
    await desk.group("c-1", "CORE", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    assert (await desk.next(ANNA))["tasks"] == []
    await desk.close_through(MONDAY + timedelta(days=1), MONDAY + timedelta(days=60))
    assert [task["rule"] for task in (await desk.next(ANNA))["tasks"]] == ["core"]


async def test_nobody_is_given_more_than_they_can_hold_and_capped_clients_are_left_alone(desk: Desk) -> None:
    await several(desk, 21)
    for _ in range(20):
        assert len((await desk.next(ANNA))["tasks"]) == 1
    full = await desk.ask(ANNA, "POST", "/next", status=409)
    assert (full["type"], full["held"], full["most"]) == ("/problems/full-hands", 20, 20)
    [last] = (await desk.next(BEN))["tasks"]
    await desk.call(BEN, last, "not_convenient", ten(MONDAY), wish_at=at(MONDAY, 11).isoformat())
    async with desk.world.database("callbacks").unit_of_work() as uow:
        for hour in (9, 10, 11):
            await uow.sql.execute(
                """INSERT INTO attempts (attempt_id, call_id, task_id, client_id, topic, script, agent, at, on_day,
                       channel, outcome, reached, valid, covers, answers)
                   SELECT gen_random_uuid(), gen_random_uuid(), task_id, client_id, topic, script, 'x', $2, $3, 'phone',
                          'completed', true, true, false, '{}' FROM tasks WHERE client_id = $1""",
                last["client_id"],
                at(MONDAY, hour),
                MONDAY,
            )
        await uow.sql.execute("UPDATE tasks SET wish = false WHERE client_id = $1", last["client_id"])
    nothing = await desk.next(BEN)
    assert nothing["tasks"] == []
    assert "3 contacts in 7 days" in nothing["passed_over"][0]["reasons"][0]["en"]


async def test_do_not_call_wrong_numbers_and_refusals(desk: Desk) -> None:
    await several(desk, 3)
    states = {}
    for task, outcome in zip(await desk.tasks(), ("do_not_call", "wrong_number", "refused"), strict=True):
        await desk.ask(ANNA, "POST", f"/tasks/{task['task_id']}/claim", status=200)
        await desk.call(ANNA, task, outcome, ten(MONDAY), evidence=outcome != "wrong_number")
        [row] = await desk.tasks(f"task_id = '{task['task_id']}'")
        states[outcome] = (row["state"], row["outcome"])
        if outcome == "do_not_call":
            assert await desk.world.value(
                "callbacks", "SELECT scope = 'all' FROM objections WHERE client_id = $1", task["client_id"]
            )
    assert states == {
        "do_not_call": ("completed", "do_not_call"),
        "wrong_number": ("waiting", "wrong_number"),
        "refused": ("completed", "refused"),
    }
    [data] = await desk.tasks("rule = 'contact_data'")
    assert (data["queue"], data["state"]) == ("branch", "planned")
    # Refusing is contact but no coverage [B20].
    assert await desk.world.value("callbacks", "SELECT count(*) FROM attempts WHERE covers") == 0
    assert await desk.world.value("callbacks", "SELECT count(*) FROM attempts WHERE valid") == 2


async def test_contact_data_changed_in_a_call_are_taken_over_with_its_evidence(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY, phone="13800000000")
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    [task] = (await desk.next(ANNA))["tasks"]
    answers = {**TRAINED, "remarks": "请打我爱人电话13911112222"}
    wrong = await desk.call(
        ANNA, task, "completed", at(MONDAY, 16), answers, 422, profile={"phone": "later", "email": "x"}
    )
    assert {error["pointer"] for error in wrong["errors"]} == {"/profile/phone", "/profile/email"}
    unproven = {"profile": {"phone": "13900000000"}}
    await desk.call(ANNA, task, "no_answer", at(MONDAY, 16), {}, 422, evidence=False, **unproven)  # [B13]
    changed = {"phone": "13900000000", "occupation": "退休，电话13911112222"}
    await desk.call(ANNA, task, "completed", at(MONDAY, 16), answers, 201, profile=changed)
    [told] = await desk.told("callbacks.contact_data.changed")
    assert (set(told["sealed"]), told["agent"], "13900000000" in str(told)) == ({"phone"}, ANNA.person, False)

    async def phone() -> str:
        stored = await desk.world.value("callbacks", "SELECT phone FROM clients WHERE client_id = 'c-1'")
        return (await open_columns(desk.world.database("callbacks"), "c-1", {"phone": stored}))["phone"] or ""

    assert await phone() == "13900000000"
    # What is kept with the attempt shows no number, neither of the profile nor in the client's own words.
    [attempt] = await desk.world.rows("callbacks", "SELECT profile, answers FROM attempts")
    assert attempt["profile"] == {"phone": "changed", "occupation": "退休，电话[电话]"}
    assert "13911112222" not in str(attempt)
    [audited] = await desk.world.rows("callbacks", "SELECT inputs FROM audit WHERE action = 'profile_updated'")
    assert (audited["inputs"]["fields"], len(audited["inputs"]["evidence"])) == (["phone"], 64)
    # The broker's older word does not undo it, a newer one does.
    for when, number in ((at(MONDAY, 15), "13800000000"), (at(MONDAY, 17), "13700000000")):
        await desk.world.publish(broker.ClientUpdated(client_id="c-1", phone=number), at=when)
        await desk.world.settle()
        assert await phone() == ("13900000000" if number == "13800000000" else number)
