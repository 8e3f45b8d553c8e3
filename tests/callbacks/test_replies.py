"""Written replies: who answered an enquiry, when and with which words [B14]; letters that came back [B20]."""

from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from chassis.actor import Role
from chassis.clock import at, utc_now
from contracts import broker
from tests.callbacks.desk import AWAKE, FIRST, LEADER, Desk, agent, ten

MONDAY = date(2022, 7, 4)
CARL = agent("carl", None, Role.AGENT)  # of the centre, whose queue enquiries are
WORDS = "您好，开户资料已于今日发送至您的邮箱，请查收。"


async def live(desk: Desk, timeline: str) -> None:
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ($1, now())", timeline)


async def asked(desk: Desk, *arrived: tuple[str, datetime]) -> dict[str, dict[str, Any]]:
    """Enquiries that arrived, as tasks by name."""
    facts = [broker.EnquiryReceived(enquiry_id=name, client_id="c-1", at=when) for name, when in arrived]
    await desk.world.publish(*facts)
    await desk.world.settle()
    return {row["subject"]: row for row in await desk.tasks("rule = 'enquiry'")}


async def at_sunday(desk: Desk) -> None:
    """A replayed home that has closed the days up to Sunday."""
    await live(desk, "simulated")
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY - timedelta(days=1))


def written(when: datetime, **others: Any) -> dict[str, Any]:
    return {"at": when.isoformat(), "channel": "e_mail", "text": WORDS, **others}


async def test_an_enquiry_answered_on_its_day_stops_the_clock_of_that_day(desk: Desk) -> None:
    await live(desk, "real")
    await desk.open("c-1", date(2021, 5, 2))
    came = utc_now() - timedelta(minutes=2)
    tasks = await asked(desk, ("e-1", came), ("e-2", came))
    path, when = f"/tasks/{tasks['e-1']['task_id']}/reply", came + timedelta(minutes=1)
    # Branches do not work the centre's queue, and words or their evidence there must be.
    await desk.ask(agent("anna"), "POST", path, written(when), 403)
    await desk.ask(CARL, "POST", path, written(when, text=None), 422)
    await desk.ask(CARL, "POST", path, written(when, text=None, evidence_id="0" * 64), 422)
    await desk.ask(CARL, "POST", path, written(came - timedelta(minutes=1)), 422)
    assert (await desk.tasks("subject = 'e-1'"))[0]["state"] == "planned", "a refusal leaves nothing behind"
    kept = await desk.ask(CARL, "POST", path, written(when), 201)
    assert (kept["task"]["state"], kept["task"]["outcome"], kept["on_the_day"]) == ("completed", "replied", True)
    assert kept["evidence_id"] == sha256(WORDS.encode()).hexdigest()
    async with desk.http(CARL) as http:
        content = await http.get(f"/v1/callbacks/clients/c-1/evidence/{kept['evidence_id']}")
    assert content.content.decode() == WORDS
    [attempt] = await desk.world.rows("callbacks", "SELECT * FROM attempts")
    assert (attempt["agent"], attempt["at"], attempt["channel"], attempt["covers"]) == ("carl", when, "e_mail", False)
    [audited] = await desk.world.rows("callbacks", "SELECT * FROM audit WHERE action = 'reply'")
    assert (audited["actor"], audited["inputs"]["evidence"]) == ("carl", kept["evidence_id"])
    # Only the clock that was answered has stopped.
    armed = await desk.world.rows("callbacks", "SELECT object FROM deadlines WHERE kind = 'enquiry_target'")
    assert [row["object"] for row in armed] == [f"task/{tasks['e-2']['task_id']}"]
    again = await desk.ask(CARL, "POST", path, written(when), 409)
    assert (again["state"], again["following"]) == ("completed", [])


async def test_answered_late_the_day_stays_missed_and_after_the_limit_it_is_a_breach(desk: Desk) -> None:
    await at_sunday(desk)
    tasks = await asked(desk, ("e-1", at(MONDAY - timedelta(days=3), 18)), ("e-2", at(MONDAY - timedelta(days=3), 18)))
    # Friday after hours counts to Monday; the limit is Wednesday.
    assert {row["due_on"] for row in tasks.values()} == {MONDAY + timedelta(days=2)}
    await desk.close(MONDAY, MONDAY + timedelta(days=1))
    assert len(await desk.told("callbacks.alarm.raised")) == 2
    late = await desk.ask(
        CARL, "POST", f"/tasks/{tasks['e-1']['task_id']}/reply", written(ten(MONDAY + timedelta(days=1))), 201
    )
    assert (late["task"]["state"], late["on_the_day"]) == ("completed", False)
    await desk.close(MONDAY + timedelta(days=2))
    refused = await desk.ask(
        CARL, "POST", f"/tasks/{tasks['e-2']['task_id']}/reply", written(ten(MONDAY + timedelta(days=2))), 409
    )
    assert (refused["state"], refused["following"]) == ("expired", [])


async def test_somebody_elses_enquiry_and_tasks_that_are_calls(desk: Desk) -> None:
    await at_sunday(desk)
    tasks = await asked(desk, ("e-1", at(MONDAY - timedelta(days=3), 10)))
    task_id = tasks["e-1"]["task_id"]
    await desk.ask(agent("cora", None), "POST", f"/tasks/{task_id}/claim", status=200)
    taken = await desk.ask(CARL, "POST", f"/tasks/{task_id}/reply", written(at(MONDAY - timedelta(days=3), 16)), 409)
    assert taken["holder"] == "cora"
    await desk.group("c-1", "DORMANT", MONDAY + timedelta(days=1))
    await desk.close(MONDAY)
    [call] = await desk.tasks("rule = 'dormant'")
    anna = agent("anna")
    refused = await desk.ask(anna, "POST", f"/tasks/{call['task_id']}/reply", written(ten(MONDAY)), 409)
    assert refused["type"] == "/problems/not-for-this-kind"
    # What was written is no result of a call.
    await desk.ask(anna, "POST", f"/tasks/{call['task_id']}/claim", status=200)
    await desk.call(anna, call, "letter_answered", ten(MONDAY), AWAKE, 422)


async def test_a_letter_that_came_back_completes_the_task_with_its_scan(desk: Desk) -> None:
    await at_sunday(desk)
    await desk.group("c-1", "DORMANT", MONDAY)
    await desk.close(MONDAY)
    [task] = await desk.tasks()
    async with desk.world.database("callbacks").unit_of_work() as uow:  # as four calls in vain leave it
        await uow.sql.execute("UPDATE tasks SET state = 'exhausted', channel = 'e_survey'")
    anna, path = agent("anna"), f"/tasks/{task['task_id']}/reply"
    came = MONDAY - timedelta(days=1)
    given = {"at": ten(came).isoformat(), "channel": "letter", "answers": AWAKE, "profile": {}}
    scan = await desk.recording(anna, "c-1", "scan-7")
    early = await desk.ask(anna, "POST", path, {**given, "evidence_id": scan}, 409)
    assert early["type"] == "/problems/not-for-this-kind"
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("UPDATE tasks SET channel = 'letter'")
    await desk.ask(anna, "POST", path, {**given, "evidence_id": scan, "profile": None}, 422)
    missing = await desk.ask(anna, "POST", path, {**given, "evidence_id": scan, "answers": {}}, 422)
    assert "/answers/reason" in {error["pointer"] for error in missing["errors"]}
    done = await desk.ask(
        anna, "POST", path, {**given, "evidence_id": scan, "profile": {"phone": "139 0000 0000"}}, 201
    )
    assert (done["task"]["state"], done["task"]["outcome"], done["on_the_day"]) == (
        "completed",
        "letter_answered",
        None,
    )
    [attempt] = await desk.world.rows("callbacks", "SELECT * FROM attempts")
    assert (attempt["agent"], attempt["covers"], attempt["profile"]) == ("anna", True, {"phone": "changed"})
    line = await desk.ask(LEADER, "GET", "/coverage/clients/c-1?as_of=2022-07-31", status=200)
    assert line["evidence_id"] == scan
