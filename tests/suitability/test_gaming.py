"""The watch on questionnaires [go-beyond 7]."""

import asyncio
from datetime import timedelta

from chassis.clock import at, utc_now
from contracts import broker
from services.suitability.gaming import riskier
from services.suitability.questionnaires.library import shipped
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    ELSEWHERE,
    HIGH,
    LOW,
    MANAGER,
    MEDIUM,
    SECOND_COMPLIANCE,
    Desk,
    assessed,
    bought,
    client,
    opened,
    sheet,
    today,
)
from tests.world import World


def test_riskier_answers_are_found_question_by_question() -> None:
    before = {str(number): ["A"] for number in range(1, 13)}
    after = before | {"3": ["E"], "9": ["A", "E"], "1": ["A"]}
    assert riskier(shipped("SEED-2010-12Q"), before, after) == ["3", "9"]


async def test_patterns_come_out_once(world: World, desk: Desk) -> None:
    for number in range(6):
        await world.publish(opened(f"c-{number}"))
    day = await today(world) - DAY * 10
    await world.close(day - DAY)
    for number in range(1, 6):
        await desk.submit(f"c-{number}", LOW, device="phone-1", seconds=200)
    await desk.submit("c-0", LOW, seconds=5)
    await desk.submit("c-0", HIGH, seconds=200)
    await world.close(day)
    await desk.submit("c-0", HIGH, seconds=200)
    await world.close(day + DAY)
    findings = await desk.listed(COMPLIANCE, "/findings")
    assert sorted((finding["pattern"], finding["subject"]) for finding in findings) == [
        ("answers_flipped", "client/c-0"),
        ("retakes", "client/c-0"),
        ("shared_device", "device/phone-1"),
    ]
    body = {"pattern": "retakes", "subject": "client/c-0", "found_on": str(day + DAY), "state": "upheld", "note": "x"}
    judged = await desk.post(COMPLIANCE, "/findings/judgement", body, 200)
    assert judged["state"] == "upheld"
    await desk.post(COMPLIANCE, "/findings/judgement", body, 404)
    # Several judge another at the same moment: one of them does, and it stays as they said.
    [on] = [one["found_on"] for one in findings if one["pattern"] == "answers_flipped"]
    told = [("upheld", COMPLIANCE), ("dismissed", SECOND_COMPLIANCE)] * 4
    answers = await asyncio.gather(
        *(
            desk.call(
                actor,
                "POST",
                "/findings/judgement",
                body | {"pattern": "answers_flipped", "found_on": on, "state": state, "note": f"{n}"},
            )
            for n, (state, actor) in enumerate(told)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 7
    [(n, judged)] = [(n, answer.json()) for n, answer in enumerate(answers) if answer.status_code == 200]
    state, actor = told[n]
    [kept] = await world.rows(
        "suitability", "SELECT state, note, decided_by FROM findings WHERE pattern = 'answers_flipped'"
    )
    assert kept == {"state": state, "note": f"{n}", "decided_by": actor.person}
    rows = "SELECT actor FROM audit WHERE action = 'judge finding' AND inputs ->> 'pattern' = 'answers_flipped'"
    assert await world.rows("suitability", rows) == [{"actor": actor.subject}]


async def test_a_rise_just_before_a_purchase_is_found(world: World, desk: Desk) -> None:
    day = await today(world)
    await world.publish(opened("c-1"), assessed("c-1", "LOW", day - DAY * 50))
    await world.settle()
    await desk.submit("c-1", MEDIUM, seconds=3)
    soon = utc_now() + timedelta(minutes=1)
    await world.publish(bought("c-1", "t-1", day, "F", "fund:equity", settled_at=soon))
    await world.close(day)
    findings = await desk.listed(COMPLIANCE, "/findings")
    assert {finding["pattern"] for finding in findings} == {"rise_before_purchase", "answered_too_fast"}


async def test_the_server_measures_and_nobody_reads_of_sheets_they_entered(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 10
    await world.publish(opened("c-1"), opened("c-2"), opened("c-3"))
    await world.close(day - DAY)
    body = sheet(LOW)
    draft = {name: body[name] for name in ("template", "version", "answers")}
    await desk.call(client("c-1"), "PUT", "/clients/c-1/draft", draft)
    await desk.submit("c-1", LOW, seconds=600)  # so the channel says
    await desk.post(DESK, "/clients/c-2/submissions", sheet(LOW, channel="counter", recording="r", seconds=3))
    await desk.submit("c-3", LOW, seconds=3)
    await world.publish(broker.ClientUpdated(client_id="c-3", branch_id="B9"), at=at(day, 10))
    await world.close(day)
    found = {f["subject"]: f["detail"] for f in await desk.listed(COMPLIANCE, "/findings")}
    assert found["client/c-1"]["measured_seconds"] < 24 < found["client/c-1"]["seconds"]
    assert found["client/c-2"] == {"seconds": 3}
    assert [f["subject"] for f in await desk.listed(DESK, "/findings")] == ["client/c-1"]
    assert len(await desk.listed(MANAGER, "/findings")) == 2
    assert [f["subject"] for f in await desk.listed(ELSEWHERE, "/findings")] == [
        "client/c-3"
    ]  # where the client is by now
