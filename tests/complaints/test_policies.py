"""Limits and ladders are dated policy: proposed by one person with the reason, published by another [C6, C7, C22]."""

from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import business_date
from chassis.policy import PolicyInvalid
from services.complaints.policy import Policies
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, LI, SECOND, Desk, march


async def tomorrow(desk: Desk) -> Any:
    return business_date(await desk.world.value("complaints", "SELECT now()")) + timedelta(days=1)


async def in_force(desk: Desk, name: str, on: Any = "2009-03-26") -> Any:
    return await desk.get(CENTRE, f"/policies/{name}/in-force?on={on}")


async def propose(desk: Desk, name: str, body: dict[str, Any], status: int = 201, **more: Any) -> Any:
    draft = {"effective_on": str(await tomorrow(desk)), "body": body, "reason": "监管要求更短的时限"} | more
    answer = await desk.call(CENTRE, "POST", f"/policies/{name}", draft)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_limit_is_published_by_two_persons_and_counts_from_its_day_on(desk: Desk) -> None:
    body = (await in_force(desk, "limits"))["body"]
    made = await propose(desk, "limits", body | {"major": {"working_days": 1}, "major_claim": "100000"})
    path = f"/policies/limits/{made['version']}/publication"
    own = await desk.call(CENTRE, "POST", path)
    assert (own.status_code, own.json()["type"]) == (403, "/problems/second-person-needed")
    assert (await desk.call(DIRECTOR, "POST", path)).status_code == 403
    assert (await desk.call(COMPLIANCE, "POST", path)).json()["state"] == "published"
    assert (await desk.call(SECOND, "POST", path)).status_code == 409

    day = await tomorrow(desk)
    assert (await in_force(desk, "limits", day - timedelta(days=1)))["version"] == "limits/shipped-1"
    found = await in_force(desk, "limits", day)
    assert (found["version"], found["body"]["major"]) == ("limits/1", {"working_days": 1})
    assert (found["reason"], found["made_by"], found["checked_by"]) == (
        "监管要求更短的时限",
        "HQ-CS-1",
        "HQ-compliance",
    )
    # What began before is judged by what was in force then.
    assert (await desk.open(claim="100000", at=march(26)))["severity"] == "ordinary"
    listed = (await desk.get(CENTRE, "/policies/limits"))["items"]
    assert [one["version"] for one in listed] == ["limits/shipped-1", "limits/1"]
    done = await desk.world.rows(
        "complaints", "SELECT action FROM audit WHERE object LIKE 'policy/limits%' ORDER BY number"
    )
    assert [row["action"] for row in done] == ["policy.asked", "policy.approved"]
    await desk.get(LI, "/policies/limits", 403)


async def test_a_rejected_version_never_counts_and_none_takes_effect_today(desk: Desk) -> None:
    body = (await in_force(desk, "ladders"))["body"]
    made = await propose(desk, "ladders", body)
    assert (await desk.call(SECOND, "POST", f"/policies/ladders/{made['version']}/rejection")).status_code == 200
    assert (await in_force(desk, "ladders", await tomorrow(desk)))["version"] == "ladders/shipped-1"
    today = str(await tomorrow(desk) - timedelta(days=1))
    assert (await propose(desk, "ladders", body, 422, effective_on=today))["errors"][0]["pointer"] == "/effective_on"


async def test_the_published_ladder_is_climbed_from_its_day_on(desk: Desk) -> None:
    """C22: fewer steps, told to others; a case of the day before keeps the steps it was started with."""
    body = (await in_force(desk, "ladders"))["body"]
    steps = [
        {"name": "due", "share": 100, "to": ["branch/general_manager"]},
        {"name": "centre", "working_minutes": 30, "to": ["hq/operations_centre"]},
    ]
    before = await desk.open(at=march(25), client_id="c-2")
    made = await propose(desk, "ladders", body | {"ordinary": steps})
    assert (await desk.call(SECOND, "POST", f"/policies/ladders/{made['version']}/publication")).status_code == 200
    async with desk.world.database("complaints").unit_of_work() as uow:  # as if it had been published in time
        await uow.sql.execute("UPDATE policy_versions SET effective_on = '2009-03-26', checked_at = now()")
    case = await desk.open()
    await desk.close(31)
    of = {
        one["case_id"]: [what for what in await desk.what(one) if what.startswith("escalated")]
        for one in (before, case)
    }
    assert of[case["case_id"]] == ["escalated: due", "escalated: centre"]
    assert len(of[before["case_id"]]) == 5
    told = await desk.world.rows(
        "complaints", 'SELECT "to", at FROM notices WHERE case_id::text = $1 ORDER BY at', case["case_id"]
    )
    assert [(row["to"], row["at"]) for row in told] == [
        ("B1-director", march(26, 17, 30)),
        ("HQ-operations", march(27, 9, 30)),
    ]


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("limits", {"retention_years": 2}, "3 years"),
        ("limits", {"retention_years": "20"}, "retention_years"),
        ("limits", {"same_matter_cases": 0}, "same_matter_cases"),
        ("limits", {"ordinary": None}, "ordinary|limits"),
        ("limits", {"ordinary": {"fortnights": 1}}, "limit"),
        ("limits", {"major_claim": "much"}, "major_claim"),
        ("limits", {"major_claim": "NaN"}, "major_claim"),
        ("limits", {"novelty": 1}, "novelty"),
        ("ladders", {"major": []}, "no ladder"),
        ("ladders", {"novel": [{"name": "due", "share": 100, "to": ["case/owner"]}]}, "novel"),
        ("ladders", {"major": [{"name": "warning", "share": 75, "to": ["case/owner"]}]}, "due"),
        ("ladders", {"major": [{"name": "due", "share": 100, "to": ["branch/porter"]}]}, "porter"),
        ("ladders", {"major": [{"name": "due", "share": 100, "to": []}]}, "nobody"),
        ("ladders", {"major": [{"name": "due", "share": 100}]}, "to"),
        ("ladders", {"major": "x"}, "/major"),
        (
            "ladders",
            {"major": [
                {"name": "late", "working_days": 2, "to": ["hq/compliance"]},
                {"name": "due", "share": 100, "to": ["case/owner"]},
            ]},
            "before",
        ),
        (
            "ladders",
            {"major": [{"name": "due", "share": 100, "to": ["case/owner"]}] * 2},
            "twice",
        ),
    ],
)  # fmt: skip
async def test_what_does_not_hold_together_is_refused_with_the_reason(
    desk: Desk, name: str, change: dict[str, Any], says: str
) -> None:
    body = (await in_force(desk, name))["body"] | change
    refused = await propose(desk, name, {key: value for key, value in body.items() if value is not None}, 422)
    assert any(word in (refused.get("detail", "") + refused["title"]) for word in says.split("|")), refused
    assert await desk.world.value("complaints", "SELECT count(*) FROM policy_versions") == 0


def test_what_is_shipped_holds_together() -> None:
    assert Policies.limits.shipped
    assert Policies.ladders.shipped
    with pytest.raises(PolicyInvalid):
        Policies.ladders.parse({})
