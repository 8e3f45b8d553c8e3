"""Cadence by tier, months below the minimum, and the contacts a client allows [A7, A7a, RE4]."""

from datetime import date, timedelta
from uuid import UUID

from chassis.clock import at
from contracts import broker, classification, messaging
from contracts.relationships import ContactDecided
from services.relationships.cadence import measure_month
from services.relationships.policy import Policies
from services.relationships.rules import LONGEST_DAYS
from tests.relationships.conftest import COMPLIANCE, DIRECTOR, ELSEWHERE, MANAGER, Office, opened, told
from tests.world import World

DAY = timedelta(days=1)
FIRST = date(2024, 3, 4)
TERMS = Policies.cadence.shipped[0]


def tier(client_id: str, code: str) -> classification.TierChanged:
    stretch = classification.TierStretch(since=FIRST, tier=code)
    return classification.TierChanged(
        client_id=client_id,
        branch_id="B1",
        revision=1,
        changed_from=FIRST,
        previous="NORMAL",
        reason="upgrade",
        stretches=[stretch],
    )


def talked(client_id: str, number: str, day: date, **more) -> broker.ContactRecorded:
    given = {"channel": "phone", "direction": "out", "valid": True, **more}
    return broker.ContactRecorded(contact_id=number, client_id=client_id, staff_id="max", at=at(day, 9), **given)


def test_the_longest_interval_is_one_and_a_half_times_the_ideal_one() -> None:
    assert {
        code: days * TERMS.body.longest_percent // 100 for code, days in TERMS.body.ideal_days.items()
    } == LONGEST_DAYS


async def test_my_clients_by_how_far_they_are_over_their_own_interval(branch: World, office: Office) -> None:
    clients = [("q-1", "DIAMOND"), ("q-2", "GOLD"), ("q-3", "NORMAL"), ("q-4", "PLATINUM")]
    await branch.publish(broker.StaffChanged(staff_id="max", branch_id="B1"))
    await branch.publish(*(opened(client_id, manager_id="max", on=FIRST) for client_id, _ in clients))
    await branch.publish(*(tier(*one) for one in clients))
    await branch.publish(
        talked("q-1", "q-a", FIRST + 10 * DAY),
        talked("q-2", "q-b", FIRST + 2 * DAY),
        talked("q-2", "q-c", FIRST + 39 * DAY, valid=False),  # nobody was verified
        talked("q-2", "q-d", FIRST + 39 * DAY, channel="sms", valid=False),
        talked("q-4", "q-e", FIRST + 30 * DAY, direction="in"),
    )
    await branch.settle()
    day = FIRST + 40 * DAY
    found = await office.get(MANAGER, f"/managers/max/cadence?as_of={day}")
    mine = [one for one in found if one["client_id"].startswith("q-")]
    assert [(one["client_id"], one["days"], one["ideal"], one["longest"], one["behind"]) for one in mine] == [
        ("q-1", 30, 7, 10, "3.29"),
        ("q-2", 38, 30, 45, "0.27"),
        ("q-4", 10, 14, 21, "-0.29"),
        ("q-3", 40, 365, 547, "-0.89"),
    ]
    assert [one["too_long"] for one in mine] == [True, False, False, False]
    assert (await office.call(ELSEWHERE, "GET", "/managers/max/cadence")).status_code == 404
    sheet = await office.get(MANAGER, f"/clients/q-2/information?as_of={day}")
    line = next(one for one in sheet["indicators"] if one["code"] == "CI-S03")
    assert (line["counts"], line["value"]) == (True, str(FIRST + 2 * DAY))
    sheet = await office.get(MANAGER, f"/clients/q-1/information?as_of={day}")
    assert not next(one for one in sheet["indicators"] if one["code"] == "CI-S03")["counts"]


async def test_two_months_below_the_minimum_are_a_proposal(branch: World, office: Office) -> None:
    await branch.publish(broker.StaffChanged(staff_id="slow", branch_id="B1"))
    await branch.publish(*(opened(f"s-{n}", manager_id="slow", on=FIRST) for n in range(5)))
    await branch.publish(*(tier(f"s-{n}", "GOLD") for n in range(5)))
    await branch.publish(*(talked(f"s-{n}", f"s-{n}", date(2024, 5, 20)) for n in range(2)))
    await branch.settle()
    for day in (date(2024, 4, 30), date(2024, 5, 31), date(2024, 5, 31)):
        async with branch.database("relationships").unit_of_work() as uow:
            await measure_month(uow, day, TERMS)
    found = await office.get(DIRECTOR, "/cadence/shortfalls?month_end=2024-05-31")
    assert [one for one in found if one["person"] == "slow"] == [
        {
            "person": "slow", "branch_id": "B1", "tier": "GOLD", "clients": 5, "met": 2, "clients_before": 5,
            "met_before": 0,
        }
    ]  # fmt: skip
    assert await office.get(DIRECTOR, "/cadence/shortfalls?month_end=2024-04-30") == []
    assert (await office.call(MANAGER, "GET", "/cadence/shortfalls?month_end=2024-04-30")).status_code == 403
    [slow] = [one for one in await office.get(DIRECTOR, "/branches/B1/board") if one["person"] == "slow"]
    whole = await office.get(DIRECTOR, "/managers/slow/cadence")
    assert (slow["clients"], slow["overdue"]) == (5, sum(one["days"] > one["ideal"] for one in whole))
    assert (slow["too_long"], slow["core_too_long"]) == (sum(one["too_long"] for one in whole), 0)
    assert (slow["planned"], slow["done"], slow["to_do"]) == (None, 0, 0)
    assert await office.get(COMPLIANCE, "/branches/B1/board") == await office.get(DIRECTOR, "/branches/B1/board")
    assert (await office.call(MANAGER, "GET", "/branches/B1/board")).status_code == 403
    assert (await office.call(DIRECTOR, "GET", "/branches/B2/board")).status_code == 404


def request(client_id: str, number: int, day: date, days: int = 3) -> messaging.ContactRequested:
    return messaging.ContactRequested(
        request_id=UUID(int=number), client_id=client_id, not_after=at(day + days * DAY, 18), asked_at=at(day, 9)
    )


async def test_who_decides_alone_allows_two_contacts_a_month_and_unused_ones_come_back(
    branch: World, office: Office
) -> None:
    style = classification.SupplementaryChanged(
        client_id="b-1", branch_id="B1", revision=1, kind="STYLE", codes=["STYLE:F"]
    )
    await branch.publish(opened("b-1", on=FIRST), opened("b-2", on=FIRST))
    await branch.publish(style, at=at(FIRST, 9))
    await branch.settle()
    may = date(2024, 5, 1)
    asked = [request("b-1", n, may + n * DAY) for n in (1, 2, 3)]  # the third while both may still be made
    await branch.publish(*asked, *asked)
    await branch.publish(*(request("b-2", n, may) for n in (11, 12, 13)))
    await branch.settle()
    decided = await told(branch, ContactDecided, "b-1")
    assert [(one.request_id.int, one.granted) for one in decided] == [(1, True), (2, True), (3, False)]
    assert [one.granted for one in await told(branch, ContactDecided, "b-2")] == [True] * 3
    # The first was made, the second was not and has come back; the month after begins anew.
    sent = messaging.MessageChanged(
        message_id=UUID(int=99), client_id="b-1", kind="care", message_class="CARE", channel="sms", state="handed",
        at=at(may + 2 * DAY, 9),
    )  # fmt: skip
    await branch.publish(sent)
    await branch.settle()
    later = [request("b-1", 4, may + 9 * DAY), request("b-1", 5, may + 9 * DAY), request("b-1", 6, date(2024, 6, 1))]
    await branch.publish(*later)
    await branch.settle()
    decided = await told(branch, ContactDecided, "b-1")
    assert [(one.request_id.int, one.granted) for one in decided[3:]] == [(4, True), (5, False), (6, True)]
    assert decided[4].reason == "2 of 2 contacts of the month are taken"
    assert (await office.get(MANAGER, "/clients/b-1/contact-budget"))["most"] == 2
    assert (await office.get(MANAGER, "/clients/b-2/contact-budget"))["most"] is None
