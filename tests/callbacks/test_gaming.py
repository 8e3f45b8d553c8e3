"""Looking better than one is: each way tried as the person who would, and seen refused or shown [B8, B19, B20]."""

from datetime import date, datetime, timedelta
from typing import Any

from chassis.actor import CALL_CENTRE, Actor, Role
from chassis.clock import at
from contracts import broker
from contracts.complaints import CaseFeedback
from gateway.client_search import find_callers, note_clients
from services.callbacks.exports import callbacks
from tests.callbacks.desk import AWAKE, FIRST, IDENTITY, LEADER, Desk, agent, ten
from tests.callbacks.test_claims import several

MONDAY = date(2022, 7, 4)
TUESDAY = MONDAY + timedelta(days=1)
ANNA, BEN = agent("anna"), agent("ben")


async def taken(desk: Desk) -> dict[str, Any]:
    """A dormant client's task on Monday, in anna's hands."""
    await several(desk, 1)
    [task] = (await desk.next(ANNA))["tasks"]
    return dict(task)


async def claim(desk: Desk, task: dict[str, Any], status: int = 200) -> Any:
    return await desk.ask(ANNA, "POST", f"/tasks/{task['task_id']}/claim", status=status)


async def test_a_task_is_not_exhausted_in_a_minute(desk: Desk) -> None:
    task = await taken(desk)
    done = await desk.call(ANNA, task, "no_answer", at(MONDAY, 19, 58), evidence=False)
    assert (done["tasks"][0]["state"], done["tasks"][0]["not_before"]) == ("planned", "2022-07-05T01:00:00Z")
    early = await claim(desk, task, 409)
    assert (early["type"], early["not_before"]) == ("/problems/too-early", "2022-07-05T01:00:00Z")
    shown = await desk.ask(ANNA, "GET", f"/tasks/{task['task_id']}", status=200)
    assert "not before" in next(one for one in shown["acts"] if one["act"] == "claim")["why_not"]["en"]
    # That the client asked for it is on record, or it does not count.
    path = f"/tasks/{task['task_id']}/bring-forward"
    assert (await desk.ask(ANNA, "POST", path, {"asked_in": "f" * 64}, 422))["type"] == "/problems/evidence-missing"
    asked = await desk.recording(BEN, task["client_id"], "the client rang")
    await desk.ask(ANNA, "POST", path, {"asked_in": asked}, 200)
    await claim(desk, task)
    unsaid = await desk.call(ANNA, task, "no_answer", at(MONDAY, 21), None, 422, evidence=False, client_asked=True)
    assert unsaid["errors"][0]["pointer"] == "/asked_in"
    again = await desk.call(ANNA, task, "no_answer", at(MONDAY, 20), evidence=False, client_asked=True, asked_in=asked)
    # Two minutes after the first it counts for nothing: the second of four is still to come.
    assert again["tasks"][0]["state"] == "planned"
    explained = await desk.ask(LEADER, "GET", f"/tasks/{task['task_id']}/explain", status=200)
    assert "attempt 2 of 4" in explained["history"][-1]["detail"]["why"]


async def test_a_call_is_neither_dated_before_its_claim_nor_entered_days_later(desk: Desk) -> None:
    await several(desk, 1)
    [task] = await desk.tasks()
    await desk.close(TUESDAY)
    await claim(desk, task)
    back_dated = await desk.call(ANNA, task, "completed", ten(MONDAY), AWAKE, 422)
    assert back_dated["errors"][0]["detail"] == "is before the last step, 2022-07-05T16:00:00+00:00"
    await desk.close(*(TUESDAY + timedelta(days=n) for n in (1, 2)))
    late = await desk.call(ANNA, task, "completed", ten(TUESDAY), AWAKE, 422)
    assert late["errors"][0]["detail"] == "lies too far back: 1 working days at most"
    await desk.call(ANNA, task, "completed", ten(TUESDAY + timedelta(days=1)), AWAKE)
    explained = await desk.ask(LEADER, "GET", f"/tasks/{task['task_id']}/explain", status=200)
    assert [step["late"] for step in explained["history"]] == [False, False, True]


async def test_one_recording_proves_one_call_made_when_it_was_recorded(desk: Desk) -> None:
    task = await taken(desk)
    client = task["client_id"]
    first = await desk.recording(ANNA, client, "R-1", recorded_at=ten(MONDAY).isoformat())
    wish = {"wish_at": at(TUESDAY, 11).isoformat()}
    other = await desk.call(ANNA, task, "not_convenient", at(MONDAY, 11), None, 422, evidence_id=first, **wish)
    assert other["errors"][0]["detail"] == "the recording is of 2022-07-04T02:00:00+00:00"
    await desk.call(ANNA, task, "not_convenient", ten(MONDAY), evidence_id=first, **wish)
    await desk.close(TUESDAY)
    await claim(desk, task)
    second = await desk.call(ANNA, task, "completed", at(TUESDAY, 11), AWAKE, 422, evidence_id=first)
    assert "proves the call of 2022-07-04 02:00 UTC" in second["detail"]
    await desk.call(ANNA, task, "completed", at(TUESDAY, 11), AWAKE)


async def test_a_wish_does_not_put_a_call_off_beyond_its_limit(desk: Desk) -> None:
    task = await taken(desk)
    far = at(MONDAY + timedelta(days=90), 10).isoformat()
    refused = await desk.call(ANNA, task, "not_convenient", ten(MONDAY), None, 422, wish_at=far)
    assert refused["errors"][0]["pointer"] == "/results/0/wish_at"


async def test_a_wrong_number_waits_for_the_right_one_and_goes_on_with_it(desk: Desk) -> None:
    task = await taken(desk)
    await desk.call(ANNA, task, "wrong_number", ten(MONDAY), evidence=False)
    [search] = await desk.tasks("rule = 'contact_data'")
    await claim(desk, task, 409)
    assert (await desk.tasks("rule = 'dormant'"))[0]["state"] == "waiting"
    await desk.ask(ANNA, "POST", f"/tasks/{search['task_id']}/claim", status=200)
    found = {**IDENTITY, "method": "branch"}
    script = await desk.ask(ANNA, "GET", f"/tasks/{search['task_id']}/script", status=200)
    answers = {
        q["code"]: found.get(q["code"]) or (q["choices"] or ["yes"])[0] for q in script["questions"] if q["mandatory"]
    }
    await desk.call(ANNA, search, "completed", at(MONDAY, 11), answers, profile={"phone": "13900000000"})
    [again] = await desk.tasks("rule = 'dormant'")
    assert (again["state"], again["not_before"]) == ("planned", None)
    # A second wrong number is a second search; found by nobody, the survey takes the place of calls.
    await claim(desk, task)
    await desk.call(ANNA, task, "wrong_number", at(MONDAY, 14), evidence=False)
    second = (await desk.tasks("rule = 'contact_data' AND state = 'planned'"))[0]
    await desk.ask(ANNA, "POST", f"/tasks/{second['task_id']}/claim", status=200)
    await desk.call(ANNA, second, "completed", at(MONDAY, 15), answers)
    [over] = await desk.tasks("rule = 'dormant'")
    assert (over["state"], over["channel"]) == ("exhausted", "e_survey")


async def test_the_brokers_own_word_of_a_new_number_takes_the_task_up_as_well(desk: Desk) -> None:
    task = await taken(desk)
    await desk.call(ANNA, task, "wrong_number", ten(MONDAY), evidence=False)
    await desk.world.publish(broker.ClientUpdated(client_id=task["client_id"], phone="13800000001"), at=at(MONDAY, 11))
    await desk.world.settle()
    assert (await desk.tasks("rule = 'dormant'"))[0]["state"] == "planned"


async def test_a_satisfaction_call_nobody_made_in_time_goes_on_late_and_its_breach_is_told_once(desk: Desk) -> None:
    """[C11]"""
    carl = Actor("carl", Role.AGENT, branch_id="HQ", seats=frozenset({("HQ", CALL_CENTRE)}), purpose="test")
    await desk.close(FIRST)
    for client in ("c-1", "c-2"):
        await desk.open(client, date(2021, 5, 2), phone="13800000000")
    await desk.close_through(FIRST + timedelta(days=1), MONDAY - timedelta(days=1))
    for number in (1, 2):
        told = CaseFeedback(case_id=f"k-{number}", client_id=f"c-{number}", branch_id="B1", fed_back_at=ten(MONDAY))
        await desk.world.publish(told)
    await desk.close(MONDAY, TUESDAY)
    assert {(task["state"], task["expired_at"], task["late_until"]) for task in await desk.tasks()} == {
        ("expired", at(TUESDAY + timedelta(days=1), 0), at(date(2022, 7, 20), 0))
    }
    assert await desk.world.value("callbacks", "SELECT count(*) FROM requests WHERE kind = 'e_survey'") == 2

    async def exported() -> set[str]:
        async with desk.world.sql("callbacks") as sql:
            return {row[-1] async for row in callbacks(sql, None)}

    # It is offered late, tried on different days, and stays the breach it was.
    await desk.close(date(2022, 7, 6))
    [given] = (await desk.next(carl))["tasks"]
    [other] = [task for task in await desk.tasks() if str(task["task_id"]) != given["task_id"]]
    done = await desk.call(carl, given, "no_answer", ten(date(2022, 7, 6)), evidence=False)
    assert (done["tasks"][0]["state"], done["tasks"][0]["late_until"] is not None) == ("planned", True)
    assert await exported() == {"expired"}
    assert len(await desk.told("callbacks.task.expired")) == 2
    counts = await desk.ask(carl, "GET", "/tasks/counts?queue=centre", status=200)
    assert counts == [{"state": "expired", "count": 1, "late": 1}, {"state": "planned", "count": 1, "late": 1}]
    # The client's own answer is taken until the survey's time is over.
    answers = {**IDENTITY, "time": "4", "feedback": "4", "result": "4", "accepted": "yes"}
    client, neighbour = (Actor(task["client_id"], Role.CLIENT, client_id=task["client_id"]) for task in (given, other))
    await desk.ask(client, "POST", f"/tasks/{given['task_id']}/survey", {"answers": answers}, 201)
    await desk.close_through(date(2022, 7, 7), date(2022, 7, 19))
    over = await desk.ask(neighbour, "POST", f"/tasks/{other['task_id']}/survey", {"answers": answers}, 409)
    assert over["type"] == "/problems/not-for-this-kind"
    assert {(task["client_id"], task["state"], task["late_until"]) for task in await desk.tasks()} == {
        (given["client_id"], "completed", None), (other["client_id"], "expired", None),
    }  # fmt: skip
    assert len(await desk.told("callbacks.task.expired")) == 2
    await desk.ask(carl, "POST", f"/tasks/{other['task_id']}/claim", status=409)


async def test_what_rests_is_named_with_its_reason_when_there_is_nothing_to_do(desk: Desk) -> None:
    task = await taken(desk)
    await desk.call(ANNA, task, "no_answer", at(MONDAY, 19, 30), evidence=False)
    nothing = await desk.next(BEN)
    assert nothing["tasks"] == []
    [one] = nothing["passed_over"]
    assert (one["task_id"], one["reasons"][0]["en"]) == (task["task_id"], "not before 2022-07-05 01:00 UTC")


async def test_calls_of_one_number_are_one_task_due_by_the_first(desk: Desk) -> None:
    """C24: whoever rings again and again is called back once, within 30 working minutes of the first call; the client is
    found by number where one has it."""
    await desk.close(FIRST)
    first, second, third = (
        broker.CallMissed(call_id=f"m-{n}", at=at(MONDAY, 10, 5 * n), phone=number)
        for n, number in enumerate(("13800000001", "138-0000-0001", "+86 13800000001"))
    )
    other = broker.CallMissed(call_id="o-1", at=at(MONDAY, 10), phone="13800000002")
    # Whatever their order: the first of them is heard last.
    for event in (third, second, other, third, first):
        await desk.world.publish(event)
        await desk.world.settle()
    tasks = {task["subject"]: task for task in await desk.tasks("rule = 'missed_call'")}
    assert {name: task["due_at"] for name, task in tasks.items()} == {
        "m-2": at(MONDAY, 10, 30),
        "o-1": at(MONDAY, 10, 30),
    }
    assert [one["call"] for one in tasks["m-2"]["cause"]["calls"]] == ["m-1", "m-0"]
    assert datetime.fromisoformat(tasks["m-2"]["cause"]["at"]) == at(MONDAY, 10), "a new calendar counts from the first"
    armed = await desk.world.rows("callbacks", "SELECT due FROM deadlines WHERE kind = 'limit'")
    assert [row["due"] for row in armed] == [at(MONDAY, 10, 30)] * 2
    stored = await desk.world.rows("callbacks", "SELECT number, phone FROM callers WHERE number IS NOT NULL")
    assert len({row["number"] for row in stored}) == 2
    assert not any(b"13800" in row["number"] + row["phone"] for row in stored)
    # Once it is over, the next call asks for a task of its own, and the number is forgotten.
    await desk.close(MONDAY)
    await desk.world.publish(broker.CallMissed(call_id="m-3", at=at(TUESDAY, 10), phone="13800000001"))
    await desk.world.settle()
    assert {task["subject"] for task in await desk.tasks("rule = 'missed_call'")} == {"m-2", "o-1", "m-3"}
    assert await desk.world.value("callbacks", "SELECT count(*) FROM callers WHERE number IS NOT NULL") == 1
    # A former client who calls is called back as anybody else, whatever is heard again of the closing.
    over = broker.ClientClosed(client_id="f-1", closed_on=FIRST)
    for event in (over, broker.CallMissed(call_id="f-1", client_id="f-1", at=at(TUESDAY, 10)), over):
        await desk.world.publish(event)
        await desk.world.settle()
    assert [task["state"] for task in await desk.tasks("client_id = 'f-1'")] == ["planned"]
    # At the door a call finds its client, if one alone has the number.
    opened = [
        broker.ClientOpened(client_id=client, branch_id="B1", opened_on=FIRST, phone=phone)
        for client, phone in (("c-1", "13900000001"), ("c-2", "13900000002"), ("c-3", "13900000002"))
    ]
    async with desk.world.database("gateway").unit_of_work() as uow:
        await uow.database.keyring.seal_events(opened)
        await note_clients(uow, [(event, at(FIRST, 9), f"e-{event.client_id}") for event in opened])
    asked = [
        broker.CallMissed(call_id=f"d-{n}", at=at(TUESDAY, 11), phone=phone)
        for n, phone in enumerate(("139 0000 0001", "13900000002", "13700000000"))
    ]
    async with desk.world.database("gateway").unit_of_work() as uow:
        found = await find_callers(uow, [*asked, *opened])
    assert [one.client_id for one in found[:3]] == ["c-1", None, None]  # type: ignore[attr-defined]


async def test_who_is_not_to_be_called_is_listed_with_scope_reason_and_end(desk: Desk) -> None:
    """B20: nobody calls, the task says what is owed instead, and what the client asked for, or has to be called about, is called about."""
    await several(desk, 1)
    [task] = await desk.tasks()
    client = task["client_id"]
    path = f"/clients/{client}/objections"
    await desk.ask(ANNA, "POST", path, {"scope": "care", "reason": "不想被打扰", "until": "2022-07-01"}, 422)
    await desk.ask(agent("eve", "B2"), "POST", path, {"scope": "care", "reason": "不想被打扰"}, 404)
    placed = await desk.ask(
        ANNA, "POST", path, {"scope": "care", "reason": "电话13911112222不要再打", "until": "2022-07-05"}, 201
    )
    refused = await claim(desk, task, 409)
    assert (refused["type"], refused["owed"]) == ("/problems/not-to-be-called", "e_survey")
    shown = await desk.ask(ANNA, "GET", f"/tasks/{task['task_id']}", status=200)
    assert "owed is e_survey" in next(one for one in shown["acts"] if one["act"] == "claim")["why_not"]["en"]
    nothing = await desk.next(BEN)
    assert [one["reasons"][0]["zh-CN"] for one in nothing["passed_over"]] == ["客户要求勿扰，须改用电子问卷"]
    [listed] = await desk.items(LEADER, "/objections")
    assert (listed["objection_id"], listed["scope"], listed["until"], listed["in_force"], listed["recorded_by"]) == (
        placed["objection_id"], "care", "2022-07-05", True, "anna",
    )  # fmt: skip
    assert "13911112222" not in listed["reason"]
    # A complaint is asked about all the same (`all` would hold that back too), and who called us is called back.
    await desk.world.publish(
        CaseFeedback(case_id="k-1", client_id=client, branch_id="B1", fed_back_at=ten(MONDAY)),
        broker.CallMissed(call_id="k-1", client_id=client, at=ten(TUESDAY)),
    )
    await desk.world.settle()
    carl = Actor("carl", Role.AGENT, branch_id="HQ", seats=frozenset({("HQ", CALL_CENTRE)}), purpose="test")
    asked = await desk.tasks("rule IN ('satisfaction', 'missed_call')")
    assert len(asked) == 2
    for one in asked:
        await desk.ask(carl, "POST", f"/tasks/{one['task_id']}/claim", status=200)
    # Its last day over, it holds no more; ended, neither, and it stays known.
    await desk.close(TUESDAY)
    await claim(desk, task)
    assert await desk.items(LEADER, "/objections") == []
    forever = await desk.ask(ANNA, "POST", path, {"scope": "all", "reason": "不想被打扰"}, 201)
    ending = f"{path}/{forever['objection_id']}/end"
    await desk.ask(ANNA, "POST", ending, {"reason": "客户改变主意"}, 403)
    await desk.ask(ANNA, "PATCH", f"/clients/{client}/preferences", {"do_not_call": False}, 403)
    await desk.ask(LEADER, "POST", ending, {"reason": "客户改变主意"}, 200)
    await desk.ask(LEADER, "POST", ending, {"reason": "客户改变主意"}, 404)
    assert [one["in_force"] for one in await desk.items(LEADER, "/objections?ended=true")] == [False, False]
