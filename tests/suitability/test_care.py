"""Care for elderly and vulnerable clients, and what a high-risk purchase asks for [Q4, Art. 20]."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.actor import Actor, Role
from chassis.key_history import published_seal_keys
from contracts import broker
from services.suitability.evidence import canonical, sign, verify
from services.suitability.policy import Policies
from services.suitability.rules import DecisionOutcome, Holder, Reason, Target, decide
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    HIGH,
    HQ,
    LOW,
    MANAGER,
    MEDIUM,
    SYSTEM,
    VERY_LOW,
    Desk,
    assessed,
    bought,
    client,
    in_scheme,
    opened,
    sheet,
    today,
)
from tests.world import World

ME = client("c-1")
ANSWERS = [
    {"question": "loss", "answer": "yes"},
    {"question": "reserve", "answer": "yes"},
    {"question": "urged", "answer": "no"},
]
GIVEN = {"warning_version": "W1", "signature": "s-1", "answers": ANSWERS}
CARE = GIVEN | {"warning_version": "W1-care"}
ELDERLY, VULNERABLE = Reason.CARE_ELDERLY, Reason.CARE_VULNERABLE


async def begun(world: World, desk: Desk, level: str = "HIGH", age: int | None = None, *facts: Any) -> date:
    """A client with a level since sixty days; the policy asks nobody to wait longer than they can here."""
    day = await today(world) - DAY * 50
    born = {} if age is None else {"birth_date": date(day.year - age, 1, 1)}
    await world.publish(opened("c-1", **born), assessed("c-1", level, day - DAY * 60), *facts)
    await world.close(day - DAY * 3)
    body = (await desk.get(HQ, "/policies/suitability/in-force"))["body"]
    body |= {"elderly_cooling_minutes": 0, "first_high_risk_cooling_minutes": 0, "cooling_minutes": [0]}
    draft = await desk.post(
        HQ, "/policies/suitability", {"effective_on": str(day - DAY), "body": body, "reason": "no waiting"}
    )
    await desk.post(COMPLIANCE, f"/policies/suitability/{draft['version']}/publication", None, 200)
    await world.close(day - DAY)
    await desk.keep("FUND", kind="fund:equity")
    await desk.keep("WARRANT", kind="warrant")
    return day


async def said(desk: Desk, product: str = "WARRANT", **more: Any) -> tuple[str, list[str]]:
    actor = ME if more.get("initiator", "client") == "client" else DESK
    found = await desk.decide(actor, "c-1", product, **more)
    return found["outcome"], [reason["code"] for reason in found["reasons"]]


@pytest.mark.parametrize(
    ("care", "high_risk", "initiator", "confirmed", "outcome", "reasons"),
    [
        ({}, True, "client", False, "PASS", "suitable"),
        ({"elderly": True}, False, "campaign", False, "PASS", "suitable"),
        ({"elderly": True}, True, "client", False, "CONFIRM", "care_elderly"),
        ({"vulnerable": True}, True, "staff", False, "CONFIRM", "care_vulnerable"),
        ({"elderly": True, "vulnerable": True}, True, "client", False, "CONFIRM", "care_elderly care_vulnerable"),
        ({"vulnerable": True}, True, "campaign", True, "BLOCK", "care_vulnerable no_campaign"),
        ({"elderly": True}, True, "client", True, "PASS", "suitable care_elderly confirmed"),
        ({"elderly": True, "professional": True}, True, "client", False, "PASS", "professional"),
    ],
)
def test_care_acts_on_what_the_level_covers(
    care: dict[str, bool], high_risk: bool, initiator: Any, confirmed: bool, outcome: str, reasons: str
) -> None:
    verdict = decide(Holder(4, True, **care), Target(True, True, 4, high_risk=high_risk), "buy", initiator, confirmed)
    assert (verdict.outcome, " ".join(verdict.reasons)) == (DecisionOutcome(outcome), reasons)


@pytest.mark.parametrize(
    ("above", "care", "first", "minutes"),
    [
        (1, False, False, 0),
        (2, False, False, 1440),
        (0, True, False, 1440),
        (1, False, True, 1440),
        (0, False, False, 0),
    ],
)
def test_q4_cooling_by_distance_care_and_the_first_high_risk(above: int, care: bool, first: bool, minutes: int) -> None:
    assert Policies().on(date(2026, 1, 1)).cooling_minutes_for(above, care, first) == minutes


@pytest.mark.parametrize(("age", "state"), [(64, "accepted"), (65, "in_review"), (None, "accepted")])
async def test_every_sheet_of_an_elderly_client_is_looked_at(
    world: World, desk: Desk, age: int | None, state: str
) -> None:
    await begun(world, desk, "LOW", age)
    found = await desk.submit("c-1", LOW)
    assert (found["state"], found["review_reasons"]) == (state, ["care_elderly"] if state == "in_review" else [])


async def test_care_for_a_client_of_unknown_age_is_the_policys_to_say(world: World, desk: Desk) -> None:
    """An institution has no age; whose age is told since is treated by it."""
    await begun(world, desk, "HIGH", None)
    assert await said(desk) == ("PASS", ["suitable"])
    day = await in_scheme(world, desk, care_when_age_unknown=True)
    await world.publish(opened("c-2", kind="institution"), assessed("c-2", "HIGH", day - DAY))
    await world.settle()
    assert await said(desk) == ("CONFIRM", ["care_age_unknown"])
    assert await said(desk, initiator="campaign") == ("BLOCK", ["care_age_unknown", "no_campaign"])
    assert (await desk.decide(client("c-2"), "c-2", "WARRANT"))["outcome"] == "PASS"
    assert (await desk.submit("c-1", HIGH))["review_reasons"] == ["care_age_unknown"]
    assert (await desk.submit("c-2", HIGH))["review_reasons"] == []
    await world.publish(
        bought("c-1", "t-1", day, "WARRANT", "warrant"), bought("c-2", "t-2", day, "WARRANT", "warrant")
    )
    await world.close(day)
    found = await desk.listed(COMPLIANCE, "/findings")
    assert [one["client_id"] for one in found if one["pattern"] == "high_risk_without_care"] == ["c-1"]
    await world.publish(broker.ClientUpdated(client_id="c-1", birth_date=date(1990, 1, 1)))
    await world.settle()
    assert await said(desk) == ("PASS", ["suitable"])


async def test_a_level_that_falls_counts_at_once_whoever_the_client_is(world: World, desk: Desk) -> None:
    await begun(world, desk, "HIGH", 80)
    assert (await desk.submit("c-1", VERY_LOW))["state"] == "accepted"
    assert (await said(desk, "FUND"))[0] == "BLOCK"


async def test_from_seventy_on_somebody_speaks_to_the_client_a_second_time(world: World, desk: Desk) -> None:
    await begun(world, desk, "LOW", 70)
    found = await desk.submit("c-1", MEDIUM)
    assert found["review_reasons"] == ["care_elderly", "second_contact"]
    [review] = (await desk.get(COMPLIANCE, "/reviews"))["items"]
    path = f"/reviews/{review['review_id']}/decision"
    await desk.post(COMPLIANCE, path, {"approve": True, "note": "looked"}, 422)
    await desk.post(COMPLIANCE, path, {"approve": True, "note": "looked", "second_contact": "call-7"}, 200)
    assert (await said(desk, "FUND"))[0] == "PASS"


async def test_a_high_risk_purchase_of_an_elderly_client_waits_for_staff(world: World, desk: Desk) -> None:
    await begun(world, desk, "HIGH", 66)
    assert await said(desk, "FUND") == ("PASS", ["suitable"])
    assert await said(desk, initiator="campaign") == ("BLOCK", ["care_elderly", "no_campaign"])
    asked = await desk.decide(ME, "c-1", "WARRANT")
    assert (asked["outcome"], asked["needs"]) == ("CONFIRM", ["confirmation", "signature", "answers", "staff_review"])
    waiting = await desk.post(ME, f"/decisions/{asked['decision_id']}/confirmation", CARE, 202)
    assert await said(desk) == ("CONFIRM", ["care_elderly"])
    await desk.approve(MANAGER, waiting)
    assert await said(desk) == ("PASS", ["suitable", "care_elderly", "confirmed"])
    why = await desk.get(ME, "/clients/c-1/products/WARRANT/explain")
    assert "care_elderly" in [reason["code"] for reason in why["reasons"]]
    [kept] = await world.rows("suitability", "SELECT actor, checked_by, language, answers FROM confirmations")
    assert (kept["actor"], kept["checked_by"], kept["language"]) == ("c-1", "manager-1", "zh-CN")
    assert kept["answers"] == {"loss": "yes", "reserve": "yes", "urged": "no"}


async def test_a_stated_vulnerability_voids_what_was_confirmed_without_care(world: World, desk: Desk) -> None:
    await begun(world, desk, "MEDIUM")
    asked = await desk.decide(ME, "c-1", "WARRANT")
    await desk.post(ME, f"/decisions/{asked['decision_id']}/confirmation", GIVEN | {"language": "en"})
    assert (await said(desk))[0] == "PASS"
    await desk.post(DESK, "/clients/c-1/vulnerability", {"cause": "bereavement"})
    assert await said(desk) == ("CONFIRM", ["above_level", "care_vulnerable"])
    again = await desk.decide(ME, "c-1", "WARRANT")
    assert again["needs"][-2:] == ["staff_review", "second_contact"]
    waiting = await desk.post(ME, f"/decisions/{again['decision_id']}/confirmation", GIVEN, 202)
    await desk.approve(MANAGER, waiting, 422)  # nobody has spoken to the client
    path = f"/approvals/{waiting['approval_id']}/approve"
    await desk.post(MANAGER, path, {"because": "call-8"}, 200)
    assert (await said(desk))[0] == "PASS"
    kept = await world.rows("suitability", "SELECT language, second_contact FROM confirmations ORDER BY confirmed_at")
    assert [(row["language"], row["second_contact"]) for row in kept] == [("en", None), ("zh-CN", "call-8")]


async def test_who_started_the_purchase_does_not_check_it(world: World, desk: Desk) -> None:
    await begun(world, desk, "HIGH", 66)
    asked = await desk.decide(MANAGER, "c-1", "WARRANT", initiator="staff")
    waiting = await desk.post(ME, f"/decisions/{asked['decision_id']}/confirmation", CARE, 202)
    await desk.approve(MANAGER, waiting, 404)
    await desk.approve(COMPLIANCE, waiting)


async def test_what_a_client_states_of_health_and_life_is_in_clear_nowhere(world: World, desk: Desk) -> None:
    """Under the client's key in columns, in no event and no record; why is read by whoever acts on it, with a purpose."""
    day = await begun(world, desk)
    await desk.post(ME, "/clients/c-1/vulnerability", {"cause": "low_literacy"})
    await desk.post(ME, "/clients/c-1/life-changes", {"change": "occupation"})
    async with world.database("suitability").unit_of_work() as uow:  # as it was kept before
        await uow.sql.execute(
            """INSERT INTO vulnerabilities (client_id, since, vulnerable, cause, stated_by, recorded_at)
               SELECT client_id, since - 1, true, 'bereavement', 'desk-1', recorded_at FROM vulnerabilities"""
        )
        for change in ("occupation", "family"):  # one of them was stated again since, and lies sealed beside it
            await uow.sql.execute(
                """INSERT INTO life_changes (client_id, stated_on, change, branch_id, due_on, stated_by, at)
                   SELECT client_id, stated_on, $1, branch_id, due_on, stated_by, at FROM life_changes LIMIT 1""",
                change,
            )
        await uow.sql.execute(
            """INSERT INTO approvals (approval_id, kind, object, client_id, body, why, concerned, state, asked_by, asked_at, expires_at)
               SELECT gen_random_uuid(), 'vulnerability-end', 'vulnerability/c-1', client_id, '{"branch_id": "B1"}',
                      'bereavement is over', '{}', 'refused', 'desk-1', at, at FROM life_changes LIMIT 1"""
        )
        await uow.sql.execute(
            "UPDATE approvals SET because = 'bereavement is not over' WHERE kind = 'vulnerability-end'"
        )
    await world.close(day)
    [kept] = await world.rows(
        "suitability", "SELECT why, body->>'reason' AS reason, because FROM approvals WHERE kind = 'vulnerability-end'"
    )
    assert (kept["why"], kept["reason"][:7], kept["because"][:7]) == ("", "sealed:", "sealed:")
    reason, answer = "reads well by now", "the eyes are no better"
    asked = await desk.post(MANAGER, "/clients/c-1/vulnerability/end", {"reason": reason}, 202)
    refused = await desk.post(COMPLIANCE, f"/approvals/{asked['approval_id']}/refuse", {"because": answer}, 200)
    assert (refused["state"], refused["because"]) == ("refused", None)
    for actor, told in ((MANAGER, answer), (HQ, answer), (SYSTEM, None)):
        stated = await desk.get(replace(actor, purpose="check"), "/clients/c-1/vulnerability")
        assert stated[-1]["end_decided_because"] == told
    asked = await desk.post(MANAGER, "/clients/c-1/vulnerability/end", {"reason": reason}, 202)
    changes = await world.rows("suitability", "SELECT change LIKE 'sealed:%' AS sealed FROM life_changes")
    assert changes == [{"sealed": True}] * 2
    words = ("low_literacy", "bereavement", "occupation", reason, answer)
    tables = await world.rows(
        "suitability",
        """SELECT relname AS name FROM pg_class WHERE relnamespace = 'suitability'::regnamespace AND relkind = 'r'
           AND relname NOT IN ('templates', 'policy_versions')""",
    )
    for table in tables:
        kept = await world.rows("suitability", f"SELECT t::text AS row FROM {table['name']} t")
        assert [row["row"] for row in kept if any(word in row["row"] for word in words)] == [], table["name"]
    told = await world.rows("gateway", "SELECT convert_from(value, 'UTF8') AS value FROM bus.log")
    assert [row["value"] for row in told if any(word in row["value"] for word in words)] == []
    assert (
        await world.value("gateway", "SELECT count(*) FROM bus.log WHERE type = 'suitability.reassessment.requested'")
        == 1
    )

    seen = [["bereavement", "low_literacy"], [None, None]]
    operations = Actor("ops-1", Role.OPERATIONS, purpose="check")
    for actor, sees in ((ME, 0), (DESK, 0), (MANAGER, 0), (COMPLIANCE, 0), (HQ, 1), (operations, 1), (SYSTEM, 1)):
        stated = await desk.get(replace(actor, purpose=actor.purpose or "check"), "/clients/c-1/vulnerability")
        assert [one["cause"] for one in stated] == seen[sees], actor
        assert [one["vulnerable"] for one in stated] == [True, True]
        assert stated[-1]["end_asked_because"] == (None if sees and actor is not HQ else reason)
        life = await desk.get(replace(actor, purpose=actor.purpose or "check"), "/clients/c-1/life-changes")
        assert {one["change"] for one in life} == ({None} if sees else {"family", "occupation"}), actor
        assert {one["due_on"] for one in life} == {str(day + timedelta(days=30))}
    nothing_said = await desk.call(replace(MANAGER, purpose=""), "GET", "/clients/c-1/vulnerability")
    assert nothing_said.status_code == 400
    nothing_said = await desk.call(replace(MANAGER, purpose=""), "GET", "/clients/c-1/life-changes")
    assert nothing_said.status_code == 400
    reads = await world.rows("suitability", "SELECT actor FROM audit WHERE action = 'reveal' AND object = 'client/c-1'")
    assert len(reads) == 17
    await desk.approve(COMPLIANCE, asked)
    stated = await desk.get(COMPLIANCE, "/clients/c-1/vulnerability")
    assert [(one["vulnerable"], one["cause"]) for one in stated][-1] == (False, None)


async def test_a_vulnerability_ends_by_two_persons(world: World, desk: Desk) -> None:
    await begun(world, desk)
    await desk.post(ME, "/clients/c-1/vulnerability/end", {"reason": "well again"}, 409)
    await desk.post(ME, "/clients/c-1/vulnerability", {"cause": "illness"})
    asked = await desk.post(MANAGER, "/clients/c-1/vulnerability/end", {"reason": "well again"}, 202)
    await desk.approve(MANAGER, asked, 403)
    assert (await said(desk))[0] == "CONFIRM"
    await desk.approve(COMPLIANCE, asked)
    assert (await said(desk))[0] == "PASS"
    stated = await desk.get(COMPLIANCE, "/clients/c-1/vulnerability")
    assert [one["cause"] for one in stated] == ["illness", None]


@pytest.mark.parametrize(
    "answers",
    [
        [],
        ANSWERS[:2],
        [*ANSWERS[:2], {"question": "urged", "answer": "yes"}],
        [*ANSWERS, {"question": "x", "answer": "no"}],
    ],
)
async def test_q4_high_risk_asks_questions_and_takes_one_answer(
    world: World, desk: Desk, answers: list[dict[str, str]]
) -> None:
    await begun(world, desk, "MEDIUM")
    asked = await desk.decide(ME, "c-1", "WARRANT")
    assert [question["code"] for question in asked["warning"]["questions"]] == ["loss", "reserve", "urged"]
    path = f"/decisions/{asked['decision_id']}/confirmation"
    refused = await desk.post(ME, path, GIVEN | {"answers": answers}, 422)
    assert refused["type"].endswith("answers-invalid")
    await desk.post(ME, path, GIVEN)


@pytest.mark.parametrize(("held_before", "hours"), [(False, 24), (True, 0)])
async def test_q4_the_first_high_risk_is_thought_over(world: World, desk: Desk, held_before: bool, hours: int) -> None:
    day = await today(world) - DAY * 50
    facts = [bought("c-1", "t-1", day - DAY, "W0", "warrant")] if held_before else []
    await world.publish(opened("c-1"), assessed("c-1", "MEDIUM", day - DAY * 60), *facts)
    await world.close(day)
    await desk.keep("WARRANT", kind="warrant")
    asked = await desk.decide(ME, "c-1", "WARRANT")
    waits = datetime.fromisoformat(asked["not_before"]) - datetime.fromisoformat(asked["decided_at"])
    assert waits == timedelta(hours=hours)


async def test_a_sheet_entered_by_staff_for_a_vulnerable_client_waits_too(world: World, desk: Desk) -> None:
    await begun(world, desk, "LOW")
    await desk.post(DESK, "/clients/c-1/vulnerability", {"cause": "low_literacy"})
    body = sheet(LOW, channel="counter", recording="r-1")
    found = await desk.post(DESK, "/clients/c-1/submissions", body)
    assert found["review_reasons"] == ["care_vulnerable", "second_contact"]


async def test_the_bundle_holds_the_care_taken_and_verifies_by_the_published_keys(
    world: World, desk: Desk, tmp_path: Path
) -> None:
    await begun(world, desk, "HIGH", 72)
    asked = await desk.decide(ME, "c-1", "WARRANT")
    waiting = await desk.post(ME, f"/decisions/{asked['decision_id']}/confirmation", CARE, 202)
    await desk.post(MANAGER, f"/approvals/{waiting['approval_id']}/approve", {"because": "call-9"}, 200)
    await world.seal()
    file = await desk.call(COMPLIANCE, "GET", f"/decisions/{asked['decision_id']}/evidence")
    (tmp_path / "keys.log").write_bytes((await desk.call(ME, "GET", "/evidence/keys")).content)
    trusted = published_seal_keys(world.settings, tmp_path / "keys.log")
    checked = verify(file.content, *trusted.values())
    assert (checked.problems, checked.signer_known) == ((), True)
    entries = [(one["kind"], one["content"]) for one in file.json()["entries"]]
    for change, problem in (
        ({"checked_by": None}, "staff_review was needed"),
        ({"second_contact": None}, "second_contact was needed"),
        ({"answers": {"loss": "yes"}}, "other answers"),
    ):
        altered = [(kind, content | change if kind == "confirmation" else content) for kind, content in entries]
        other = verify(canonical(sign(altered, date(2046, 1, 1), Ed25519PrivateKey.generate())), *trusted.values())
        assert not other.signer_known
        other = verify(canonical(sign(altered, date(2046, 1, 1), Ed25519PrivateKey.generate())))
        assert problem in " ".join(other.problems)


async def test_a_high_risk_buy_that_nobody_looked_at_is_found(world: World, desk: Desk) -> None:
    day = await begun(world, desk, "HIGH", 66, opened("c-2"), assessed("c-2", "HIGH", date(2026, 1, 5)))
    asked = await desk.decide(ME, "c-1", "WARRANT")
    await desk.approve(MANAGER, await desk.post(ME, f"/decisions/{asked['decision_id']}/confirmation", CARE, 202))
    await world.publish(
        bought("c-1", "t-1", day, "WARRANT", "warrant"), bought("c-1", "t-2", day, "F", "fund:equity"),
        bought("c-2", "t-3", day, "W2", "warrant"),
    )  # fmt: skip
    await world.close(day)
    assert await desk.listed(COMPLIANCE, "/findings") == []
    await world.publish(bought("c-1", "t-4", day + DAY, "W2", "warrant"))
    await world.close(day + DAY)
    [found] = await desk.listed(COMPLIANCE, "/findings")
    assert (found["pattern"], found["detail"]) == ("high_risk_without_care", {"trade_id": "t-4", "symbol": "W2"})
