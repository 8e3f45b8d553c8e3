"""Retention: one contact a request that never holds up the exit, reasons counted, what to say to them, drills [A20]."""

from datetime import date, timedelta
from typing import Any

import pytest

from chassis.actor import Actor, Role
from chassis.policy import PolicyInvalid
from contracts import broker
from services.callbacks import policy
from tests.callbacks.desk import FIRST, LEADER, Desk, agent, ten

MONDAY = date(2022, 7, 4)
CHIEF = Actor("hq-1", Role.HQ, purpose="test")
ROLES = {
    "ann": "counter",
    "bob": "compliance",
    "mia": "client_manager",
    "max": "marketing_director",
    "gina": "general_manager",
}


def drill(**others: Any) -> dict[str, Any]:
    return {
        "branch_id": "B1",
        "held_on": MONDAY.isoformat(),
        "scenario": "fees",
        "participants": ROLES,
        "reference": "photos/2022-07-04",
        "lessons": "说明费用时先听完客户的话",
        **others,
    }


@pytest.mark.parametrize("words", ["您必须先联系经理", "暂缓一下"])
def test_a_play_that_hinders_an_exit_is_refused(words: str) -> None:
    shipped = {
        "drill_every_days": 92,
        "drill_roles": ["counter"],
        "reasons_of_years": 3,
        "never_say": ["必须先", "暂缓"],
    }
    with pytest.raises(PolicyInvalid, match="must never say"):
        policy.parse_retention({**shipped, "plays": {"fees": {"zh-CN": words, "en": "x"}}})
    with pytest.raises(PolicyInvalid, match="zh-CN and en"):
        policy.parse_retention({**shipped, "plays": {"fees": {"zh-CN": "x"}}})


async def test_reasons_are_counted_and_decide_the_order_of_what_may_be_said(desk: Desk) -> None:
    await desk.close(FIRST)
    reasons = {"c-1": ("fees", "stays"), "c-2": ("fees", "leaves"), "c-3": ("needs_money", "leaves")}
    for client in (*reasons, "c-4"):
        await desk.open(client, date(2021, 5, 2))
        asked = broker.ClosingRequested(client_id=client, requested_on=MONDAY)
        await desk.world.publish(asked, asked)  # told twice: one contact a request
    # The exit itself is never held up: an account may close before anybody called.
    await desk.world.publish(broker.ClientClosed(client_id="c-4", closed_on=MONDAY + timedelta(days=1)))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    anna, tasks = agent("anna"), await desk.tasks("rule = 'retention'")
    assert [(task["client_id"], task["state"]) for task in tasks] == [
        ("c-1", "planned"), ("c-2", "planned"), ("c-3", "planned"), ("c-4", "cancelled"),
    ]  # fmt: skip
    script = await desk.ask(anna, "GET", f"/tasks/{tasks[0]['task_id']}/script", status=200)
    assert {play["reason"] for play in script["plays"]} == set(policy.Policies.retention.shipped[-1].body.plays)
    questions = {question["code"]: question["choices"] for question in script["questions"]}
    assert set(questions["reason"]) == {play["reason"] for play in script["plays"]}, "every reason has its words"
    for task in tasks[:3]:
        reason, outcome = reasons[task["client_id"]]
        await desk.ask(anna, "POST", f"/tasks/{task['task_id']}/claim", status=200)
        answers = {"reason": reason, "outcome": outcome, "hindered": "no"}
        await desk.call(anna, task, "completed", ten(MONDAY), answers, 201)
    counted = await desk.ask(LEADER, "GET", f"/retention/reasons?from={MONDAY}&to={MONDAY}", status=200)
    assert [(one["reason"], one["clients"], one["stays"], one["leaves"], one["stays_rate"]) for one in counted] == [
        ("fees", 2, 1, 1, "50.0"),
        ("needs_money", 1, 0, 1, "0.0"),
    ]
    plays = await desk.ask(anna, "GET", f"/retention/plays?on={MONDAY}", status=200)
    assert [(play["reason"], play["heard"], play["stayed"]) for play in plays[:2]] == [
        ("fees", 2, 1),
        ("needs_money", 1, 0),
    ]
    later = await desk.ask(anna, "GET", f"/retention/plays?on={date(2026, 7, 4)}", status=200)
    assert {play["heard"] for play in later} == {0}, "reasons of recent years only"


async def test_drills_are_recorded_with_proof_and_branches_without_one_are_named(desk: Desk) -> None:
    await desk.close(FIRST)
    for branch in ("B1", "B2"):
        await desk.world.publish(broker.BranchChanged(branch_id=branch, name=branch), at=ten(FIRST))
    gone = broker.BranchChanged(branch_id="B3", name="B3", closed_on=FIRST + timedelta(days=1))
    await desk.world.publish(gone, at=ten(FIRST))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    owed = f"/retention/drills/owed?on={MONDAY}"
    assert [one["branch_id"] for one in await desk.ask(CHIEF, "GET", owed, status=200)] == ["B1", "B2"]
    missing = await desk.ask(LEADER, "POST", "/retention/drills", drill(participants={"ann": "counter"}), 422)
    assert "general_manager" in str(missing["errors"])
    await desk.ask(LEADER, "POST", "/retention/drills", drill(held_on="2022-07-06"), 422)
    await desk.ask(LEADER, "POST", "/retention/drills", drill(scenario="gossip"), 422)
    await desk.ask(LEADER, "POST", "/retention/drills", drill(held_on="2022-01-04"), 422)
    await desk.ask(LEADER, "POST", "/retention/drills", drill(branch_id="B2"), 404)
    await desk.ask(agent("anna"), "POST", "/retention/drills", drill(), 403)
    held = await desk.ask(LEADER, "POST", "/retention/drills", drill(), 201)
    assert (held["recorded_by"], len(held["evidence_id"])) == ("B1-director", 64)
    assert [one["drill_id"] for one in await desk.items(LEADER, "/retention/drills")] == [held["drill_id"]]
    assert [one["branch_id"] for one in await desk.ask(CHIEF, "GET", owed, status=200)] == ["B2"]
    assert await desk.ask(LEADER, "GET", owed, status=200) == []
    again = f"/retention/drills/owed?on={MONDAY + timedelta(days=93)}"
    assert [one["last_held_on"] for one in await desk.ask(LEADER, "GET", again, status=200)] == ["2022-07-04"]
    [audited] = await desk.world.rows("callbacks", "SELECT object FROM audit WHERE action = 'drill_held'")
    assert audited["object"] == "branch/B1"
    # One that does not stand is cancelled with a reason, and the branch owes one again.
    path = f"/retention/drills/{held['drill_id']}/cancellation"
    await desk.ask(agent("anna"), "POST", path, {"reason": "录错营业部"}, 403)
    elsewhere = Actor("B2-director", Role.BRANCH_MANAGER, branch_id="B2", purpose="test")
    await desk.ask(elsewhere, "POST", path, {"reason": "录错营业部"}, 404)
    gone = await desk.ask(LEADER, "POST", path, {"reason": "录错营业部"}, 200)
    assert (gone["cancelled_by"], gone["cancel_reason"]) == ("B1-director", "录错营业部")
    await desk.ask(LEADER, "POST", path, {"reason": "录错营业部"}, 404)
    assert [one["branch_id"] for one in await desk.ask(LEADER, "GET", owed, status=200)] == ["B1"]
    assert await desk.world.value("callbacks", "SELECT count(*) FROM audit WHERE action = 'drill_cancelled'") == 1
    # Where staff is known, who took part is somebody who worked here that day.
    gone_by_then = broker.StaffChanged(staff_id="dora", branch_id="B1", left_on=FIRST)
    await desk.world.publish(broker.StaffChanged(staff_id="ann", branch_id="B1"), gone_by_then, at=ten(FIRST))
    await desk.world.settle()
    named = {"nobody": "counter", "dora": "compliance", "ann": "client_manager"}
    strangers = await desk.ask(LEADER, "POST", "/retention/drills", drill(participants=ROLES | named), 422)
    pointers = {error["pointer"] for error in strangers["errors"]}
    assert {"/participants/nobody", "/participants/dora"} <= pointers
    assert "/participants/ann" not in pointers
