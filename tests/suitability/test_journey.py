"""The journey: open, answer, be assessed, be refused, be warned and confirm, trade, expire, be blocked, re-assess."""

from datetime import timedelta

import pytest

from chassis.clock import at
from services.suitability.evidence import verify
from tests.suitability.conftest import COMPLIANCE, DAY, LOW, Desk, bought, client, opened, today
from tests.world import World

ME = client("c-1")


@pytest.mark.both_buses
async def test_a_clients_journey(world: World, desk: Desk) -> None:
    # Lived two years ago, so that the assessment's last day can be closed.
    day = await today(world) - timedelta(days=800)
    await world.publish(opened("c-1"), bought("c-2", "t-0", day - DAY * 3, "FUND", "fund:equity"))
    await world.close(day - DAY)
    refused = await desk.decide(ME, "c-1", "FUND")
    assert (refused["outcome"], refused["reasons"][0]["code"]) == ("BLOCK", "no_assessment")

    made = await desk.submit("c-1", LOW)
    assert (made["total"], made["level"], made["state"]) == (30, "LOW", "accepted")
    assert made["valid_until"] > made["valid_from"]

    staff = await desk.decide(COMPLIANCE, "c-1", "FUND", initiator="staff")
    assert [reason["code"] for reason in staff["reasons"]] == ["above_level", "not_recommended"]
    asked = await desk.decide(ME, "c-1", "FUND")
    assert asked["outcome"] == "CONFIRM"
    assert (asked["level_held"], asked["level_needed"]) == ("LOW", "MEDIUM")
    assert "明显超出您的风险承受能力" in asked["warning"]["zh"]
    assert asked["needs"] == ["confirmation", "signature"]

    path = f"/decisions/{asked['decision_id']}/confirmation"
    missing = await desk.post(ME, path, {"warning_version": "W1"}, 422)
    assert missing["errors"][0]["pointer"] == "/signature"
    confirmed = await desk.post(ME, path, {"warning_version": "W1", "signature": "sig-2"})
    assert confirmed["product"] == "FUND"
    await desk.post(ME, path, {"warning_version": "W1", "signature": "sig-2"}, 409)
    passed = await desk.decide(ME, "c-1", "FUND")
    assert (passed["outcome"], [r["code"] for r in passed["reasons"]]) == ("PASS", ["above_level", "confirmed"])

    settled = at(day, 10)
    await world.publish(bought("c-1", "t-1", day, "FUND", "fund:equity", settled_at=settled))
    await world.publish(bought("c-1", "t-2", day, "OTHER", "fund:equity", settled_at=settled))
    await world.close(day)
    found = await desk.get(COMPLIANCE, "/mismatches")
    assert {item["trade_id"]: item["confirmation"] for item in found["items"] if item["client_id"] == "c-1"} == {
        "t-1": asked["decision_id"],
        "t-2": None,
    }

    async with world.client("suitability", COMPLIANCE) as http:
        file = (await http.get(f"/v1/suitability/decisions/{asked['decision_id']}/evidence")).content
    checked = verify(file)
    assert (checked.outcome, checked.problems) == ("CONFIRM", ())

    ended = await world.value("suitability", "SELECT max(valid_until) FROM assessments WHERE client_id = 'c-1'")
    await world.close(ended)
    blocked = await desk.decide(ME, "c-1", "FUND")
    assert [reason["code"] for reason in blocked["reasons"]] == ["expired"]
    drifts = await desk.get(COMPLIANCE, "/drifts")
    assert {(item["product"], item["cause"]) for item in drifts["items"]} == {
        ("FUND", "assessment_expired"),
        ("OTHER", "assessment_expired"),
    }

    again = await desk.submit("c-1", LOW)
    assert again["state"] == "accepted"
    assert (await desk.decide(ME, "c-1", "OTHER"))["outcome"] == "CONFIRM"
    await world.seal()
    assert await world.findings() == []
