"""Clients who change hands: a leaver's, with both clocks and the pack; and those who wish for another manager [A8, A9]."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from chassis.calendar import shipped
from chassis.clock import at, end_of, utc_now
from contracts import broker, callbacks, complaints, products
from services.relationships import changes
from services.relationships.changes import ACTS, quarter_of
from services.relationships.hand_overs import Change, judge
from services.relationships.policy import Policies
from tests.relationships.conftest import DESK, DIRECTOR, ELSEWHERE, HQ, MANAGER, SECOND, Office, client, opened
from tests.walks.acts import Walk
from tests.world import World

TERMS = Policies.hand_over.shipped[0].body
DAY = timedelta(days=1)
FRIDAY = date(2024, 3, 8)


def staff(staff_id: str, seat: str = "client_manager", left: date | None = None) -> broker.StaffChanged:
    return broker.StaffChanged(
        staff_id=staff_id, branch_id="B1", seats=(broker.Seat(unit="B1", seat=seat),), left_on=left
    )


def test_a_leavers_client_is_offered_within_a_working_day_and_spoken_to_within_five() -> None:
    since, calendar = at(FRIDAY, 0), shipped()
    given: dict[str, Any] = {
        "client_id": "c", "branch_id": "B1", "core": False, "previous": "old", "person": "new", "role": "pool_lead",
        "reason": "manager_left", "since": since, "contact_at": None,
    }  # fmt: skip
    monday, wednesday, friday = FRIDAY + 3 * DAY, FRIDAY + 5 * DAY, FRIDAY + 7 * DAY
    offer = judge(Change(**given), TERMS, calendar, since)
    assert (offer.state, offer.due, offer.late) == ("to_offer", end_of(monday), False)
    assert judge(Change(**given), TERMS, calendar, end_of(monday)).late
    given["role"] = "primary"
    assert judge(Change(**given), TERMS, calendar, since).due == end_of(friday)
    assert judge(Change(**given | {"core": True}), TERMS, calendar, since).due == end_of(monday)
    met = judge(Change(**given | {"contact_at": at(wednesday, 9)}), TERMS, calendar, end_of(friday))
    assert (met.state, met.late) == ("contacted", False)


async def test_a_leaver_is_handed_over_with_everything_that_is_known(branch: World, office: Office) -> None:
    now = utc_now()
    left = (now + timedelta(hours=8)).date()  # today in Shanghai
    begun = left - 40 * DAY
    await branch.publish(staff("leaver"), staff("next"), staff("dora", "marketing_director"), at=at(begun, 1))
    await branch.publish(opened("h-1", on=begun, manager_id="leaver"), opened("h-2", on=begun, manager_id="leaver"))
    case = complaints.CaseOpened(
        client_id="h-1", case_id="k-h1", kind="complaint", source="client", channel="hotline", flow="centre",
        severity="ordinary", owner="o", received_at=at(begun + DAY, 9),
    )  # fmt: skip
    task = {"client_id": "h-1", "rule": "core"}
    await branch.publish(
        callbacks.TaskCancelled(task_id=UUID(int=71), reason="closed", **task),  # its end before its beginning
        *(
            callbacks.TaskCreated(
                task_id=UUID(int=n), task_topic="care", queue="branch", created_on=begun, due_on=left, **task
            )
            for n in (71, 72)
        ),
        case,
        complaints.CaseReopened(client_id="h-1", case_id="k-h1", generation=2, level=2, owner="o", reopened_at=now),
        complaints.CaseClosed(client_id="h-1", case_id="k-h1", generation=1, outcome="satisfied", closed_at=now),
        products.SubscriptionChanged(
            client_id="h-1", revision=1, changed_from=begun,
            stretches=[products.SubscriptionStretch(since=begun, code="A", state="active")],
        ),
        broker.ContactRecorded(
            contact_id="h-1", client_id="h-1", staff_id="leaver", channel="phone", direction="out", at=at(begun, 9)
        ),
    )  # fmt: skip
    await branch.publish(staff("leaver", left=left), at=at(left - DAY, 9))
    await branch.settle()
    found = {one["client_id"]: one for one in await office.get(DIRECTOR, "/hand-overs")}
    assert (found["h-1"]["state"], found["h-1"]["previous"], found["h-1"]["person"]) == ("to_offer", "leaver", "dora")
    pack = await office.get(DIRECTOR, "/clients/h-1/hand-over")
    assert [(one["kind"], one["item_id"]) for one in pack["open_items"]] == [
        ("case", "k-h1"),
        ("task", str(UUID(int=72))),
    ]
    assert [one["person"] for one in pack["owners"]] == ["leaver", "dora"]
    assert (pack["subscriptions"][0]["code"], len(pack["contacts"]), pack["information"]["set"]) == ("A", 2, "N")
    before = await office.get(DIRECTOR, f"/clients/h-1/hand-over?as_of={begun}")
    assert (len(before["contacts"]), [one["person"] for one in before["owners"]]) == (1, ["leaver"])
    asked = await office.post(DIRECTOR, "/clients/h-1/manager", {"person": "next", "reason": "the leaver's"}, 202)
    await office.post(SECOND, f"/approvals/{asked['approval_id']}/approve", {}, 200)
    found = {one["client_id"]: one for one in await office.get(DIRECTOR, "/hand-overs")}
    assert (found["h-1"]["state"], found["h-1"]["person"], found["h-1"]["late"]) == ("to_contact", "next", False)
    assert found["h-2"]["state"] == "to_offer"
    await branch.publish(
        broker.ContactRecorded(
            contact_id="h-2",
            client_id="h-1",
            staff_id="next",
            channel="phone",
            direction="out",
            at=utc_now(),
            valid=True,
        )
    )
    await branch.settle()
    found = {one["client_id"]: one for one in await office.get(DIRECTOR, "/hand-overs?person=next")}
    assert found["h-1"]["state"] == "contacted"
    assert (await office.call(ELSEWHERE, "GET", "/clients/h-1/hand-over")).status_code == 404


async def test_a_client_may_have_another_manager_once_a_quarter_and_beside_a_complaint_at_once(
    branch: World, office: Office
) -> None:
    begun = utc_now().date() - 300 * DAY
    await branch.publish(staff("max"), staff("anna"), at=at(begun, 1))
    await branch.publish(*(opened(name, on=begun, manager_id="max") for name in ("w-1", "w-2")))
    await branch.settle()
    wish = {"reason": "he never calls back, 13812345678", "wished": "anna"}
    await office.post(client("w-1"), "/clients/w-1/manager/changes", wish | {"wished": "nobody"}, 422)
    asked = await office.post(client("w-1"), "/clients/w-1/manager/changes", wish)
    assert (asked["through"], asked["beside_case"], asked["late"]) == ("client", False, False)
    assert "13812345678" not in asked["reason"]
    await office.post(DESK, "/clients/w-1/manager/changes", wish, 409)
    path = f"/manager-changes/{asked['request_id']}"
    assert (await office.call(MANAGER, "GET", path)).status_code == 403  # it speaks of him
    assert (await office.call(ELSEWHERE, "GET", path)).status_code == 403
    await office.post(DIRECTOR, f"{path}/grant", {"person": "max"}, 422)
    granted = await office.post(DIRECTOR, f"{path}/grant", {"person": "anna"}, 200)
    assert (granted["state"], granted["person"]) == ("granted", "anna")
    team = await office.get(DIRECTOR, "/clients/w-1/team")
    assert (team["owner"]["person"], team["owner"]["reason"]) == ("anna", "client_wish")
    # Asked the quarter before and granted in this one: it counts in this one.
    async with branch.database("relationships").unit_of_work() as uow:
        await uow.sql.execute(
            "UPDATE manager_changes SET asked_at = asked_at - interval '100 days' WHERE client_id = 'w-1'"
        )
    await office.post(DESK, "/clients/w-1/manager/changes", {"reason": "again"}, 409)
    case: dict[str, Any] = {
        "client_id": "w-1", "source": "client", "channel": "hotline", "flow": "centre", "severity": "ordinary",
        "owner": "o", "received_at": utc_now() - timedelta(hours=1),
    }  # fmt: skip
    await branch.publish(complaints.CaseOpened(case_id="k-s1", kind="suggestion", **case))
    await branch.settle()
    await office.post(DESK, "/clients/w-1/manager/changes", {"reason": "again"}, 409)  # a suggestion is no complaint
    await branch.publish(complaints.CaseOpened(case_id="k-w1", kind="complaint", **case))
    await branch.settle()
    again = await office.post(DESK, "/clients/w-1/manager/changes", {"reason": "she was rude"})
    assert (again["beside_case"], again["through"]) == (True, "counter")
    waiting = (await office.get(DIRECTOR, "/manager-changes"))["items"]
    assert again["request_id"] in {one["request_id"] for one in waiting}
    back = await office.post(client("w-1"), f"/manager-changes/{again['request_id']}/withdraw", None, 200)
    assert back["state"] == "withdrawn"
    assert (quarter_of(date(2024, 5, 31)), quarter_of(date(2024, 12, 1))) == (date(2024, 4, 1), date(2024, 10, 1))


async def test_every_act_of_changes_in_every_state_by_everybody(branch: World) -> None:
    await branch.publish(staff("max"), staff("anna"), at=at(date(2024, 1, 2), 1))
    await branch.publish(opened("w-9", manager_id="max"))
    await branch.settle()
    people = {
        "client": client("w-9"), "desk": DESK, "manager": MANAGER, "director": DIRECTOR, "elsewhere": ELSEWHERE, "hq": HQ,
    }  # fmt: skip

    async def make(uow, _: str):
        return (await changes.ask(uow, "w-9", "B1", "would rather not say", None)).request_id

    bodies = {
        "grant": lambda _: changes.Granting(person="anna"),
        "refuse": lambda _: changes.Reasoned(reason="nobody else has room"),
    }
    await Walk(branch, "relationships", ACTS, people, make, ("wish",), bodies).run()
