"""Facts twice, late, out of order and corrected: the same tasks; each event's own task with its clock [B14, B16, C24]."""

import random
from datetime import date, timedelta
from uuid import UUID

import pytest

from chassis.clock import at
from contracts import broker
from contracts.classification import LifecycleChanged, LifecycleStretch, TierChanged, TierStretch
from contracts.complaints import CaseCorrected, CaseFeedback, ChurnSignalled
from contracts.suitability import AssessmentCompleted, DecisionConfirmed
from services.callbacks.exports import callbacks
from tests.callbacks.desk import COMPLIANCE, FIRST, LEADER, Desk, agent, ten

MONDAY = date(2022, 7, 4)


async def exported(desk: Desk, as_of: date | None = None) -> list[tuple[str, ...]]:
    async with desk.world.sql("callbacks") as sql:
        return [(row[1], row[2], *row[6:]) async for row in callbacks(sql, as_of)]


def assessment(name: str, since: date, until: date) -> AssessmentCompleted:
    return AssessmentCompleted(
        client_id="c-1",
        assessment_id=name,
        scheme="S",
        level="LOW",
        valid_from=since,
        valid_until=until,
        source="imported",
    )


def tier(revision: int, since: date, before: str, *steps: tuple[date, str]) -> TierChanged:
    return TierChanged(
        client_id="c-1",
        branch_id="B1",
        revision=revision,
        changed_from=since,
        previous=before,  # type: ignore[arg-type]
        stretches=[TierStretch(since=day, tier=code) for day, code in steps],  # type: ignore[arg-type]
        reason="upgrade",
    )


async def test_each_rule_of_the_table_makes_its_task_once(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2), experience_years=1)
    facts = [
        CaseFeedback(case_id="k-1", client_id="c-1", branch_id="B1", fed_back_at=ten(MONDAY)),
        CaseFeedback(case_id="k-2", fed_back_at=ten(MONDAY)),
        broker.PermissionRequested(client_id="c-1", permission="ChiNext", at=ten(MONDAY)),
        broker.SurveillanceAlerted(client_id="c-1", alert_id="a-1", kind="funds", at=ten(MONDAY)),
        DecisionConfirmed(
            client_id="c-1", decision_id="d-1", product="W", confirmed_at=ten(MONDAY), valid_until=MONDAY
        ),
        broker.CallMissed(call_id="m-1", at=at(MONDAY, 17, 10), phone="13800000000"),
        broker.OpeningBooked(booking_id="b-1", branch_id="B1", owner="mia", name="王小明", at=at(MONDAY, 16)),
        broker.EnquiryReceived(enquiry_id="e-1", client_id="c-1", at=at(MONDAY, 18)),
        broker.ClosingRequested(client_id="c-1", requested_on=MONDAY),
        ChurnSignalled(
            signal_id=UUID(int=1), client_id="c-1", reason="repeated", mood="angry", signalled_at=ten(MONDAY)
        ),
        tier(1, MONDAY, "NORMAL", (MONDAY, "GOLD")),
        assessment("s-1", date(2020, 8, 1), date(2022, 8, 3)),
    ]
    messages = await desk.world.publish(*facts)
    await desk.world.redeliver(messages)
    await desk.world.redeliver(messages, id="told-again")
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    assert sorted(await exported(desk)) == [
        ("booking:b-1", "booking", "2022-07-04", "2022-07-05", "planned"),
        ("c-1", "enquiry", "2022-07-05", "2022-07-07", "planned"),
        ("c-1", "grumble", "2022-07-04", "2022-07-06", "planned"),
        ("c-1", "permission", "2022-07-04", "2022-07-06", "planned"),
        ("c-1", "retention", "2022-07-04", "2022-07-06", "planned"),
        ("c-1", "risky_purchase", "2022-07-04", "2022-07-06", "planned"),
        ("c-1", "satisfaction", "2022-07-04", "2022-07-05", "planned"),
        ("c-1", "suitability_expiring", "2022-07-04", "2022-08-03", "planned"),
        ("c-1", "surveillance", "2022-07-04", "2022-07-06", "planned"),
        ("c-1", "tier_greeting", "2022-07-04", "2022-07-11", "planned"),
        ("call:m-1", "missed_call", "2022-07-04", "2022-07-05", "planned"),
        ("case:k-2", "satisfaction", "2022-07-04", "2022-07-05", "planned"),
    ]
    rows = {row["rule"]: row for row in await desk.tasks()}
    assert rows["missed_call"]["due_at"] == at(MONDAY + timedelta(days=1), 9, 10)  # 30 working minutes from 17:10
    assert rows["booking"]["due_at"] == at(MONDAY + timedelta(days=1), 9, 30)  # 2 working hours from 16:00
    assert rows["booking"]["owner"] == "mia"
    assert rows["permission"]["cause"]["reasons"] == ["level_below_product", "experience"]
    assert rows["retention"]["cause"]["blocks_the_exit"] is False
    # The caller's name is kept encrypted [B16].
    kept = await desk.world.value("callbacks", "SELECT name FROM clients WHERE client_id = 'booking:b-1'")
    assert "王小明".encode() not in kept
    # Limits of minutes run out in time, fired by the close of the day they end on.
    await desk.close(MONDAY + timedelta(days=1))
    expired = [row[1] for row in await exported(desk) if row[-1] == "expired"]
    assert sorted(expired) == ["booking", "missed_call", "satisfaction", "satisfaction"]


async def test_group_tasks_follow_stretches_one_each_and_none_for_the_baseline(desk: Desk) -> None:
    await desk.open("c-1", date(2020, 5, 2))
    await desk.open("c-2", date(2020, 5, 2))
    for client in ("c-1", "c-2"):
        desk.revisions[client] = desk.revisions.get(client, 0)
    from contracts.classification import GroupChanged, TagStretch

    baseline = TagStretch(tag="DORMANT", since=FIRST + timedelta(days=1), baseline=True)
    await desk.world.publish(
        GroupChanged(
            client_id="c-1",
            branch_id="B1",
            revision=1,
            changed_from=FIRST + timedelta(days=1),
            tags=[baseline],
            baseline=True,
        )
    )
    await desk.close(FIRST)
    desk.revisions["c-1"] = 1
    await desk.group("c-2", "NEVER_TRADED", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    assert await exported(desk) == [("c-2", "never_traded", "2022-07-04", "2022-08-04", "planned")]
    # Core: once a quarter, from the first day in it on which the client is core [B21].
    await desk.group("c-1", "CORE", date(2022, 8, 1))
    await desk.close_through(MONDAY + timedelta(days=1), date(2022, 10, 1))
    core = [row[2:] for row in sorted(await exported(desk)) if row[1] == "core"]
    assert core == [("2022-08-01", "2022-09-30", "expired"), ("2022-10-01", "2022-12-31", "planned")]


async def test_an_assessment_followed_by_another_gets_no_reminder(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.world.publish(
        assessment("s-1", date(2020, 8, 1), date(2022, 8, 3)), assessment("s-2", MONDAY, date(2024, 7, 3))
    )
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    assert await exported(desk) == []  # the newer one is dated that very day: it is the latest then


async def test_an_assessment_is_reminded_of_whether_or_not_its_client_is_open_yet(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.world.publish(assessment("s-1", date(2020, 8, 1), date(2022, 8, 3)))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    assert await exported(desk) == [("c-1", "suitability_expiring", "2022-07-04", "2022-08-03", "planned")]
    # Its task gets the branch when the account opens.
    await desk.open("c-1", MONDAY + timedelta(days=1))
    assert [row["branch_id"] for row in await desk.tasks("rule = 'suitability_expiring'")] == ["B1"]


@pytest.mark.parametrize("order", range(4))
async def test_late_and_corrected_facts_leave_the_same_tasks_in_any_order(desk: Desk, order: int) -> None:
    # The last word of classification: dormant from 6 July, no tier above NORMAL; two facts of it had told otherwise.
    from contracts.classification import GroupChanged, TagStretch

    def groups(revision: int, since: date, **others: bool) -> GroupChanged:
        return GroupChanged(
            client_id="c-1",
            branch_id="B1",
            revision=revision,
            changed_from=min(since, MONDAY),
            tags=[TagStretch(tag="DORMANT", since=since)],
            **others,  # type: ignore[arg-type]
        )

    told = [
        groups(1, MONDAY),
        groups(2, MONDAY + timedelta(days=2), correction=True),
        tier(1, MONDAY, "NORMAL", (MONDAY, "GOLD")),
        tier(2, MONDAY, "NORMAL", (MONDAY, "NORMAL")),
        broker.ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2022, 7, 2)),
        assessment("s-1", date(2020, 8, 1), date(2022, 8, 5)),
    ]
    random.Random(order).shuffle(told)
    await desk.close(FIRST)
    days = [FIRST + timedelta(days=n) for n in range(1, 8)]
    for fact, day in zip(told, days, strict=False):
        await desk.world.publish(fact)
        await desk.close(day)
    await desk.close(*days[len(told) :])
    await desk.world.settle()
    kept = [row for row in sorted(await exported(desk)) if row[-1] != "cancelled"]
    assert kept == [
        ("c-1", "dormant", "2022-07-06", "2022-08-06", "planned"),
        ("c-1", "new", "2022-07-02", "2022-08-02", "planned"),
        ("c-1", "suitability_expiring", "2022-07-06", "2022-08-05", "planned"),
    ]
    # What was taken back is there, cancelled, with the reason.
    assert {row["outcome"] for row in await desk.tasks("state = 'cancelled'")} <= {"facts_corrected"}


async def test_a_closed_account_is_owed_nothing_more(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    await desk.world.publish(broker.ClientClosed(client_id="c-1", closed_on=MONDAY + timedelta(days=1)))
    await desk.group("c-1", "ABNORMAL", MONDAY + timedelta(days=2))
    await desk.close_through(MONDAY + timedelta(days=1), MONDAY + timedelta(days=3))
    assert await exported(desk) == [("c-1", "new", "2022-07-04", "2022-08-04", "cancelled")]
    assert [row[-1] for row in await exported(desk, MONDAY)] == ["planned"]


async def test_lifecycle_entries_ask_for_their_standard_action_once(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2))
    change = LifecycleChanged(
        client_id="c-1",
        branch_id="B1",
        revision=1,
        changed_from=date(2022, 8, 1),
        previous="MATURE",
        stretches=[LifecycleStretch(since=date(2022, 8, 1), lifecycle="DECLINING")],
    )
    messages = await desk.world.publish(change)
    await desk.world.redeliver(messages)
    await desk.world.settle()
    [moment] = await desk.items(LEADER, "/clients/c-1/moments")
    assert (moment["code"], moment["mandatory"], moment["due_on"]) == ("DECLINING", True, "2022-08-08")
    done = await desk.ask(agent("anna"), "POST", f"/moments/{moment['moment_id']}/reaction", {"reaction": "fees"}, 200)
    assert done["reaction"] == "fees"
    again = f"/moments/{moment['moment_id']}/reaction"
    assert (await desk.ask(agent("anna"), "POST", again, {"reaction": "x2"}, 409))["type"] == "/problems/already-done"
    assert await desk.tasks() == []


async def test_a_client_who_objects_is_seen_when_a_service_is_due_and_by_compliance(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    await desk.ask(LEADER, "PATCH", "/clients/c-1/preferences", {"objects_to_viewing": True}, 200)
    anna = agent("anna")
    views = ("tasks", "messages", "moments", f"evidence/{'0' * 64}")
    for view in views:
        await desk.ask(anna, "GET", f"/clients/c-1/{view}", status=403)
    await desk.next(anna)
    assert len((await desk.ask(anna, "GET", "/clients/c-1/tasks", status=200))["items"]) == 1
    await desk.ask(COMPLIANCE, "GET", "/clients/c-1/tasks", status=200)
    await desk.ask(agent("eve", "B2"), "PATCH", "/clients/c-1/preferences", {"do_not_call": True}, 404)


async def test_c11_a_case_of_another_client_is_asked_about_there_within_the_same_limit(desk: Desk) -> None:
    """What was not their complaint is withdrawn; of a corrected branch the task follows."""
    await desk.close(FIRST)
    for client in ("c-1", "c-2"):
        await desk.open(client, date(2021, 5, 2))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY - timedelta(days=1))
    await desk.world.publish(CaseFeedback(case_id="k-1", client_id="c-1", branch_id="B1", fed_back_at=ten(MONDAY)))
    await desk.world.settle()
    [first] = await desk.tasks()
    word = {"case_id": "k-1", "revision": 7, "corrected_at": at(MONDAY, 15), "fed_back_at": ten(MONDAY)}
    await desk.world.publish(
        CaseCorrected(client_id="c-1", branch_id="B1", under="old", **word),
        CaseCorrected(client_id="c-2", branch_id="B1", under="new", **word),
    )
    await desk.world.settle()
    tasks = {task["client_id"]: task for task in await desk.tasks()}
    assert {client: task["state"] for client, task in tasks.items()} == {"c-1": "cancelled", "c-2": "planned"}
    assert (tasks["c-2"]["due_at"], tasks["c-2"]["subject"]) == (first["due_at"], "k-1")
    again = word | {"revision": 8, "corrected_at": at(MONDAY, 16)}
    await desk.world.publish(CaseCorrected(client_id="c-2", branch_id="B2", under="new", **again))
    await desk.world.settle()
    assert {task["client_id"]: task["branch_id"] for task in await desk.tasks()} == {"c-1": "B1", "c-2": "B2"}
