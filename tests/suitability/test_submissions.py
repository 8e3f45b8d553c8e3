"""Submissions: bad input, limits, reviews, drafts, races, midnight and leap days [Q5]."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.actor import Actor, Role
from services.suitability.assessments import last_day
from services.suitability.policy import Policies
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    ELSEWHERE,
    HIGH,
    HQ,
    LOW,
    MANAGER,
    MEDIUM,
    SECOND_HQ,
    VERY_LOW,
    Desk,
    assessed,
    client,
    in_scheme,
    opened,
    sheet,
    today,
)
from tests.world import World


@pytest.mark.parametrize(
    ("assessed_on", "last"),
    [
        ("2021-03-01", "2022-03-01"),
        ("2020-02-29", "2021-02-28"),
        ("2019-02-28", "2020-02-28"),
        ("2021-12-31", "2022-12-31"),
    ],
)
def test_q5_valid_through_the_same_date_twelve_months_later(assessed_on: str, last: str) -> None:
    day = date.fromisoformat(assessed_on)
    assert last_day(day, Policies().on(day)) == date.fromisoformat(last)


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)))
def test_q5_an_assessment_lasts_a_year_and_never_more(day: date) -> None:
    assert 364 <= (last_day(day, Policies().on(day)) - day).days <= 366


async def test_bad_answers_get_pointers_and_leave_nothing(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    body = sheet(LOW)
    body["answers"][3]["options"] = ["A", "B"]
    body["answers"][4]["options"] = ["Z"]
    body["answers"].append({"question": "1", "options": ["A"]})
    del body["answers"][11]
    refused = await desk.post(client("c-1"), "/clients/c-1/submissions", body, 422)
    assert refused["type"].endswith("answers-invalid")
    assert [error["pointer"] for error in refused["errors"]] == [
        "/answers/3/options",
        "/answers/4/options/0",
        "/answers/11/question",
        "/answers",
    ]
    assert await world.value("suitability", "SELECT count(*) FROM submissions") == 0
    assert await world.value("suitability", "SELECT count(*) FROM idempotency_keys") == 0


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"version": 2}, 404, "unknown-template"),
        ({"template": "NONE"}, 404, "unknown-template"),
        ({"signature": None}, 422, "evidence-missing"),
        ({"channel": "counter"}, 422, "evidence-missing"),
        ({"channel": "pigeon", "recording": "r"}, 422, "unknown-channel"),
        ({"template": "C5R5-ORG"}, 409, "not-for-this-client"),
        ({"answers": "A"}, 422, "invalid"),
    ],
)
async def test_refusals(world: World, desk: Desk, change: dict[str, object], status: int, kind: str) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    refused = await desk.post(client("c-1"), "/clients/c-1/submissions", sheet(LOW) | change, status)
    assert refused["type"].endswith(kind)
    assert await world.value("suitability", "SELECT count(*) FROM submissions") == 0


async def test_scores_sent_by_the_caller_are_ignored_and_reported(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    body = sheet(VERY_LOW, level="HIGH", total=60)
    body["answers"][0]["score"] = 5
    made = await desk.post(client("c-1"), "/clients/c-1/submissions", body)
    assert (made["level"], made["total"]) == ("VERY_LOW", 14)
    assert made["ignored"] == ["/level", "/total", "/answers/0/score"]


async def test_others_records_look_as_if_they_did_not_exist(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"), opened("c-2"))
    await world.settle()
    for actor in (client("c-2"), ELSEWHERE):
        await desk.post(actor, "/clients/c-1/submissions", sheet(LOW), 404)
    made = await desk.submit("c-1", VERY_LOW)
    decision = await desk.decide(client("c-1"), "c-1", "X")
    for path in (f"/decisions/{decision['decision_id']}", "/clients/c-1", "/clients/c-1/submissions"):
        for actor in (client("c-2"), ELSEWHERE):
            assert (await desk.call(actor, "GET", path)).status_code == 404
    stolen = {"warning_version": "W1", "signature": "s"}
    await desk.post(client("c-2"), f"/decisions/{decision['decision_id']}/confirmation", stolen, 404)
    forbidden = {"client": "c-1", "product": "X", "channel": "mobile", "initiator": "staff"}
    await desk.post(client("c-1"), "/decisions", forbidden, 403)
    assert (await desk.get(DESK, "/clients/c-1"))["level"] == made["level"]


async def test_q5_two_submissions_a_day_and_eight_a_year(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"), opened("c-2"))
    await world.close(await today(world) - 10 * DAY)  # the days that follow lie behind us: none ahead can be closed
    await desk.submit("c-1", LOW)
    await desk.submit("c-1", LOW)
    third = await desk.submit("c-1", LOW, 409)
    assert third["type"].endswith("attempt-limit-reached")
    for _ in range(3):
        await world.close(await world.value("suitability", "SELECT through + 1 FROM closed_days"))
        await desk.submit("c-1", LOW)
        await desk.submit("c-1", LOW)
    await world.close(await world.value("suitability", "SELECT through + 1 FROM closed_days"))
    ninth = await desk.submit("c-1", LOW, 409)
    assert ninth["limit"] == 8
    assert (await desk.submit("c-2", LOW))["state"] == "accepted"


async def test_submissions_at_the_same_moment_keep_the_limit(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    answers = await asyncio.gather(
        *(desk.call(client("c-1"), "POST", "/clients/c-1/submissions", sheet(LOW)) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
    assert await world.value("suitability", "SELECT count(*) FROM submissions") == 2
    assert await world.value("suitability", "SELECT count(*) FROM assessments") == 2


async def test_a_retry_with_the_same_key_is_one_submission(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    path, body, key = "/clients/c-1/submissions", sheet(LOW), {"idempotency-key": "once"}
    first = await desk.call(client("c-1"), "POST", path, body, **key)
    again = await desk.call(client("c-1"), "POST", path, body, **key)
    assert first.json() == again.json()
    other = await desk.call(client("c-1"), "POST", path, sheet(HIGH), **key)
    assert other.status_code == 422
    assert await world.value("suitability", "SELECT count(*) FROM submissions") == 1


async def test_q5_a_suspicious_rise_waits_for_a_second_person(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    await desk.submit("c-1", VERY_LOW)
    raised = await desk.submit("c-1", MEDIUM)
    assert (raised["state"], raised["review_reasons"]) == ("in_review", ["suspicious_rise"])
    assert (await desk.get(client("c-1"), "/clients/c-1"))["level"] == "VERY_LOW"
    review = (await desk.get(MANAGER, "/reviews"))["items"][0]
    assert (await desk.get(ELSEWHERE, "/reviews"))["items"] == []
    path = f"/reviews/{review['review_id']}/decision"
    await desk.post(DESK, path, {"approve": True, "note": "called the client"}, 403)
    await desk.post(MANAGER, path, {"approve": True, "note": "called the client"}, 200)
    await desk.post(MANAGER, path, {"approve": True, "note": "again"}, 409)
    assert (await desk.get(client("c-1"), "/clients/c-1"))["level"] == "MEDIUM"


async def test_q5_a_rise_just_before_a_purchase_is_looked_at(world: World, desk: Desk) -> None:
    day = await today(world)
    await world.publish(opened("c-1"), assessed("c-1", "LOW", day - DAY * 60))
    await world.settle()
    await desk.keep("FUND", kind="fund:equity")
    await desk.submit("c-1", MEDIUM)
    asked = await desk.decide(client("c-1"), "c-1", "FUND")
    assert [reason["code"] for reason in asked["reasons"]] == ["rise_under_review"]
    review = (await desk.get(COMPLIANCE, "/reviews"))["items"][0]
    assert review["reasons"] == ["rise_before_purchase"]
    path = f"/reviews/{review['review_id']}/decision"
    await desk.post(COMPLIANCE, path, {"approve": False, "note": "coached"}, 200)
    assert (await desk.get(client("c-1"), "/clients/c-1"))["level"] == "LOW"


async def test_contradictions_are_corrected_or_reviewed(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1", experience_years=0))
    await world.close(await today(world) - DAY * 20)
    await in_scheme(world, desk, scheme="C5R5")
    template = await desk.get(client("c-1"), "/templates/C5R5/1")
    assert template.keys() & {"bands", "contradictions"} == set()  # nothing tells a client which answer does what
    assert {key for question in template["questions"] for one in question["options"] for key in one} == {"code", "text"}
    assert (await desk.call(client("c-1"), "GET", "/templates/C5R5/1/proof")).status_code == 403
    best = {question["code"]: question["options"][-1]["code"] for question in template["questions"]}

    def body(**changed: str) -> dict[str, object]:
        answers = [{"question": code, "options": [option]} for code, option in (best | changed).items()]
        return {"template": "C5R5", "version": 1, "answers": answers, "channel": "web", "signature": "s"}

    refused = await desk.post(client("c-1"), "/clients/c-1/submissions", body(tolerance="A"), 422)
    assert refused["type"].endswith("answers-contradict")
    made = await desk.post(client("c-1"), "/clients/c-1/submissions", body())
    assert made["review_reasons"] == ["contradiction:years-unproven"]


async def test_drafts_are_saved_resumed_and_free(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    me, path = client("c-1"), "/clients/c-1/draft"
    body = {"template": "SEED-2010-12Q", "version": 1, "answers": [{"question": "1", "options": ["A"]}]}
    saved = await desk.call(me, "PUT", path, body)
    assert (saved.status_code, saved.headers["etag"]) == (200, '"1"')
    stale = await desk.call(me, "PUT", path, body)
    assert stale.status_code == 409
    body["answers"] = [*body["answers"], {"question": "2", "options": ["B"]}]  # type: ignore[misc]
    again = await desk.call(me, "PUT", path, body, **{"if-match": '"1"'})
    assert again.headers["etag"] == '"2"'
    read = await desk.get(me, path + "?template=SEED-2010-12Q")
    assert [answer["question"] for answer in read["answers"]] == ["1", "2"]
    await desk.submit("c-1", LOW)
    assert (await desk.call(me, "GET", path + "?template=SEED-2010-12Q")).status_code == 404


async def test_templates_need_a_second_person_and_a_proof(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    template = await desk.get(HQ, "/templates/SEED-2010-12Q/1")
    body = {k: v for k, v in template.items() if k not in {"version", "state", "effective_on"}}
    draft = await desk.post(HQ, "/templates", body)
    assert (draft["version"], draft["state"]) == (2, "draft")
    day = await today(world)
    await desk.post(HQ, "/templates/SEED-2010-12Q/2/publish", {"effective_on": str(day)}, 409)
    await desk.post(HQ, "/templates/SEED-2010-12Q/2/review", None, 403)
    await desk.post(SECOND_HQ, "/templates/SEED-2010-12Q/2/review", None, 200)
    await desk.post(HQ, "/templates/SEED-2010-12Q/2/publish", {"effective_on": str(day - DAY)}, 409)
    made = await desk.post(HQ, "/templates/SEED-2010-12Q/2/publish", {"effective_on": str(day)}, 200)
    assert made["proof"]["by_level"] == {"VERY_LOW": 1015, "LOW": 27186965, "MEDIUM": 48584380, "HIGH": 4579640}
    old = await desk.submit("c-1", LOW, 409)
    assert (old["type"].split("/")[-1], old["version"]) == ("template-not-in-force", 2)
    assert (await desk.submit("c-1", LOW, version=2))["level"] == "LOW"

    body["bands"][1]["lowest"] = 20
    await desk.post(HQ, "/templates", body)
    await desk.post(SECOND_HQ, "/templates/SEED-2010-12Q/3/review", None, 200)
    gap = await desk.post(HQ, "/templates/SEED-2010-12Q/3/publish", {"effective_on": str(day + DAY)}, 422)
    assert gap["errors"][0]["detail"] == "gap: a total of 19 is reachable and lies in no band"
    unpublished = await desk.submit("c-1", LOW, 409, version=3)
    assert unpublished["type"].endswith("template-not-in-force")
    broken = await desk.post(HQ, "/templates", {"code": "X", "questions": [{"code": 3}]}, 422)
    assert broken["errors"]
    await desk.post(Actor("d", Role.AGENT, branch_id="B1"), "/templates", body, 403)


async def test_one_template_is_answered_by_a_kind_of_client_in_a_scheme(world: World, desk: Desk) -> None:
    """Whoever publishes another code ends the older one from its first day, for the kinds it is for: nobody chooses."""
    day, me, firm = await today(world) - DAY * 40, client("c-1"), client("c-2")
    await world.publish(opened("c-1"), opened("c-2", kind="institution"))
    await world.close(day - DAY)
    one = await desk.get(HQ, "/templates/SEED-2010-12Q/1")
    body = {name: value for name, value in one.items() if name not in {"version", "state", "effective_on"}}
    for code, kinds in (("A-OTHER", ["individual"]), ("B-OTHER", ["individual", "institution"])):
        await desk.post(HQ, "/templates", body | {"code": code, "kinds": kinds})
        await desk.post(SECOND_HQ, f"/templates/{code}/1/review", None, 200)
    await desk.post(HQ, "/templates/A-OTHER/1/publish", {"effective_on": str(day + DAY)}, 200)
    clash = await desk.post(HQ, "/templates/B-OTHER/1/publish", {"effective_on": str(day + DAY)}, 409)
    assert clash["detail"] == "A-OTHER takes effect for the same clients on that day"
    assert (await desk.get(me, "/clients/c-1/questionnaire"))["template"] == "SEED-2010-12Q"  # until its day

    await world.close(day)
    assert (await desk.get(me, "/clients/c-1/questionnaire"))["template"] == "A-OTHER"
    assert (await desk.get(firm, "/clients/c-2/questionnaire"))["template"] == "SEED-2010-12Q"
    for method, path, status in (("PUT", "draft", 200), ("POST", "level-shown", 200), ("POST", "submissions", 201)):
        old = await desk.call(me, method, f"/clients/c-1/{path}", sheet_of(path, LOW))
        assert (old.status_code, old.json()["type"].split("/")[-1]) == (409, "template-not-in-force"), path
        assert (old.json()["template"], old.json()["version"]) == ("A-OTHER", 1)
        new = await desk.call(me, method, f"/clients/c-1/{path}", sheet_of(path, LOW) | {"template": "A-OTHER"})
        assert new.status_code == status, new.text
    assert (await desk.submit("c-2", LOW))["level"] == "LOW"

    # A newer version of the first code takes the place back; one published for a later day waits for it.
    await desk.post(HQ, "/templates", body)
    await desk.post(SECOND_HQ, "/templates/SEED-2010-12Q/2/review", None, 200)
    await desk.post(HQ, "/templates/SEED-2010-12Q/2/publish", {"effective_on": str(day + DAY * 2)}, 200)
    await desk.post(HQ, "/templates/B-OTHER/1/publish", {"effective_on": str(day + DAY * 3)}, 200)
    asked = []
    for number in (1, 2, 3):
        asked.append((await desk.get(me, "/clients/c-1/questionnaire"))["template"])
        await world.close(day + DAY * number)
    assert asked == ["A-OTHER", "SEED-2010-12Q", "B-OTHER"]


def sheet_of(path: str, letters: str) -> dict[str, Any]:
    """What each of the routes that take answers takes."""
    whole = sheet(letters)
    return whole if path == "submissions" else {name: whole[name] for name in ("template", "version", "answers")}


async def test_the_mifid_form_is_imported_and_refused(world: World, desk: Desk) -> None:
    import json
    from pathlib import Path

    form = json.loads((Path(__file__).parent / "mifid_form.json").read_text())
    made = await desk.post(HQ, "/templates/import", {"code": "MIFID-25Q", "scheme": "C5R5", "form": form})
    assert made == {"code": "MIFID-25Q", "version": 1, "state": "draft", "effective_on": None, "proof": None}
    await desk.post(SECOND_HQ, "/templates/MIFID-25Q/1/review", None, 200)
    refused = await desk.post(HQ, "/templates/MIFID-25Q/1/publish", {"effective_on": "2099-01-01"}, 422)
    details = [error["detail"] for error in refused["errors"]]
    assert "option a has no score" in details
    assert "there are no level bands" in details


async def test_a_questionnaire_is_resumed_at_the_counter_and_says_why_and_what_the_level_means(
    world: World, desk: Desk
) -> None:
    day = await today(world) - DAY * 400
    await world.publish(opened("c-1"))
    await world.close(day - DAY)
    me, path = client("c-1"), "/clients/c-1/questionnaire"
    asked = await desk.get(me, path)
    assert (asked["why"], asked["template"], asked["answers"]) == ("first", "SEED-2010-12Q", [])
    assert "score" not in str(asked["questions"])
    body = {"template": "SEED-2010-12Q", "version": 1, "answers": sheet(LOW)["answers"][:5]}
    await desk.call(me, "PUT", "/clients/c-1/draft", body)
    there = await desk.get(DESK, path)
    assert [answer["question"] for answer in there["answers"]] == ["1", "2", "3", "4", "5"]
    body["answers"] = sheet(LOW)["answers"]
    shown = await desk.post(me, "/clients/c-1/level-shown", body, 200)
    assert (shown["level"], [kind["en"] for kind in shown["covers"][:2]]) == ("LOW", ["bond", "money market fund"])
    assert "warrant" in [kind["en"] for kind in shown["above"]]
    assert (await desk.get(me, path))["why"] == "first"  # what is shown does not count
    made = await desk.submit("c-1", LOW)
    assert (made["state"], made["level"]) == ("accepted", "LOW")
    assert (await desk.get(me, path))["why"] == "renewal"
    await desk.post(me, "/clients/c-1/life-changes", {"change": "income"})
    assert (await desk.get(me, path))[
        "why"
    ] == "life_change"  # what was answered before it, if on the same day, is no answer
    await desk.submit("c-1", LOW)
    assert (await desk.get(me, path))["why"] == "renewal"
    await world.close(day + DAY * 370)
    assert (await desk.get(me, path))["why"] == "expired"
    await desk.post(me, "/clients/c-1/life-changes", {"change": "income"})
    assert (await desk.get(me, path))["why"] == "life_change"


async def test_who_answers_higher_than_was_shown_is_looked_at(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    me = client("c-1")
    for letters in (LOW, MEDIUM):
        body = {"template": "SEED-2010-12Q", "version": 1, "answers": sheet(letters)["answers"]}
        await desk.post(me, "/clients/c-1/level-shown", body, 200)
    assert (await desk.submit("c-1", MEDIUM))["review_reasons"] == ["changed_after_shown"]
    for days, reasons in ((29, ["changed_after_shown"]), (31, [])):  # of what was shown longer ago nobody asks
        await world.publish(opened(f"c-{days}"))
        await world.settle()
        body = {"template": "SEED-2010-12Q", "version": 1, "answers": sheet(LOW)["answers"]}
        shown = await desk.post(client(f"c-{days}"), f"/clients/c-{days}/level-shown", body, 200)
        assert "total" not in shown
        async with world.database("suitability").unit_of_work() as uow:
            await uow.sql.execute(
                "UPDATE drafts SET shown = jsonb_build_object('2', $1::text)", str(uow.now - timedelta(days=days))
            )
        assert (await desk.submit(f"c-{days}", MEDIUM))["review_reasons"] == reasons


async def test_the_server_measures_from_when_the_questions_were_put(world: World, desk: Desk) -> None:
    """With a draft or without one, whatever the channel says; what shows which answer does what is not for clients."""
    await world.publish(*(opened(f"c-{n}") for n in range(4)))
    await world.settle()
    begun = ((0, None), (1, 600), (2, 600), (3, 600))
    for n, seconds in begun:
        me, path = client(f"c-{n}"), f"/clients/c-{n}"
        if seconds is not None:
            await desk.get(DESK if n == 1 else me, f"{path}/questionnaire")
            await desk.get(COMPLIANCE, f"{path}/questionnaire")  # who looks on puts no questions
            async with world.database("suitability").unit_of_work() as uow:
                await uow.sql.execute(
                    "UPDATE openings SET opened_at = opened_at - interval '10 minutes' WHERE client_id = $1", f"c-{n}"
                )
            await desk.submit(
                f"c-{n}", LOW[:-1], 422
            )  # a sheet refused, and the questions read again, begin nothing anew
            await desk.get(me, f"{path}/questionnaire")
        body = {"template": "SEED-2010-12Q", "version": 1, "answers": sheet(LOW)["answers"]}
        if n == 2:
            assert (await desk.call(me, "PUT", f"{path}/draft", body)).status_code == 200
            await desk.get(me, f"{path}/questionnaire")  # goes on with it: since it was begun
        if n == 3:
            await desk.post(me, f"{path}/level-shown", body, 200)
        await desk.submit(f"c-{n}", LOW)
    rows = await world.rows("suitability", "SELECT client_id, measured_seconds AS took FROM submissions ORDER BY 1")
    assert [row["took"] and 600 <= row["took"] < 660 for row in rows] == [None, True, True, True]
    assert await world.value("suitability", "SELECT count(*) FROM openings") == 0
    for who, sees in ((client("c-0"), False), (COMPLIANCE, True)):
        [one] = (await desk.get(who, "/clients/c-0/submissions"))["items"]
        assert ("points" in one) == sees
        assert ("points" in (await desk.get(who, "/clients/c-0/explain"))["inputs"]) == sees
        assert any(template["proof"] for template in await desk.get(who, "/templates")) == sees


@pytest.mark.parametrize(("approve", "level"), [(True, "VERY_LOW"), (False, "HIGH")])
async def test_until_somebody_has_looked_the_lower_level_holds(
    world: World, desk: Desk, approve: bool, level: str
) -> None:
    day = await today(world) - DAY * 40
    await world.publish(opened("c-1"), assessed("c-1", "HIGH", day - DAY * 90))
    await world.close(day - DAY)
    made = await desk.submit("c-1", "ADAAAAAAAAAA")  # never invested, and everything in it
    assert (made["state"], made["review_reasons"]) == ("accepted", ["contradiction:no-experience-all-in"])
    assert (await desk.get(client("c-1"), "/clients/c-1"))["level"] == "VERY_LOW"
    [review] = (await desk.get(COMPLIANCE, "/reviews"))["items"]
    assert review["assessment_id"] == made["assessment_id"]
    path = f"/reviews/{review['review_id']}/decision"
    await desk.post(COMPLIANCE, path, {"approve": approve, "note": "looked"}, 200)
    assert (await desk.get(client("c-1"), "/clients/c-1"))["level"] == level
    assert await world.value("suitability", "SELECT count(*) FROM assessments") == 2
