"""Looking better than one is: each way tried as the person who would, and seen refused or shown [B8, B19, B20]."""

from datetime import date, timedelta
from typing import Any

from chassis.clock import at
from contracts import broker
from tests.callbacks.desk import AWAKE, IDENTITY, LEADER, Desk, agent, ten
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
