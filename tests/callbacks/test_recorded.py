"""Contacts that others recorded: they prove coverage apart from our own, and how long callers waited [B3, B4]."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from chassis.actor import Actor, Role
from contracts.broker import ContactRecorded
from tests.callbacks.desk import Desk, agent

DAY = date(2022, 7, 4)
LEADER = agent("mia", role=Role.BRANCH_MANAGER)
HQ = Actor("hanna", Role.HQ, purpose="test")
AT = datetime(2022, 3, 1, 3, tzinfo=UTC)


def contact(contact_id: str, client: str | None = "c-1", **others: Any) -> ContactRecorded:
    given = {
        "staff_id": "anna", "channel": "phone", "direction": "out", "at": AT, "valid": True, "topics": ["care"],
        "evidence": f"rec-{contact_id}",
    }  # fmt: skip
    return ContactRecorded(contact_id=contact_id, client_id=client, **given | others)


async def ten_clients(desk: Desk) -> None:
    for n in range(10):
        await desk.open(f"c-{n}", date(2021, 1, 4))
    await desk.close(DAY)


async def firm(desk: Desk) -> dict[str, Any]:
    found: list[dict[str, Any]] = await desk.ask(HQ, "GET", f"/coverage?as_of={DAY}", status=200)
    return found[0]


async def test_what_another_system_recorded_covers_and_is_shown_apart_b4(desk: Desk) -> None:
    await ten_clients(desk)
    before = await firm(desk)
    assert (before["counted"], before["covered"], before["needed"], before["reached"]) == (10, 0, 1, False)
    told = contact("k-1")
    await desk.world.publish(
        told, told, contact("k-2", "c-2", valid=False), contact("k-3", "c-3", evidence=None), contact("k-4", "c-4", topics=[]),
        contact("k-5", "c-5", direction="in", wait_s=12), contact("k-6", "c-6", topics=["satisfaction"]),
    )  # fmt: skip
    await desk.world.settle()
    after = await firm(desk)
    assert (after["covered"], after["covered_elsewhere"], after["reached"]) == (1, 1, True)
    assert after["expected_at_year_end"] == 1, "the pace is of our own contacts"
    line = await desk.ask(HQ, "GET", f"/coverage/clients/c-1?as_of={DAY}", status=200)
    assert (line["attempt_id"], line["covered_on"], line["evidence_id"]) == ("contact/k-1", "2022-03-01", "rec-k-1")
    early = await desk.ask(HQ, "GET", "/coverage?as_of=2022-02-28", status=200)
    assert early[0]["covered"] == 0


async def test_the_same_contact_told_otherwise_waits_for_an_operator(desk: Desk) -> None:
    await ten_clients(desk)
    await desk.world.publish(contact("k-1", valid=False), contact("k-1"))
    await desk.world.settle()
    assert (await firm(desk))["covered"] == 0
    [row] = await desk.world.rows("callbacks", "SELECT identity, known, offered FROM conflicts")
    assert (row["identity"], row["known"]["valid"], row["offered"]["valid"]) == ("k-1", False, True)


async def test_a_supervisor_enters_what_is_young_alone_and_older_with_a_second_person(desk: Desk) -> None:
    await ten_clients(desk)
    given = {
        "contact_id": "p-1", "staff_id": "anna", "channel": "visit", "topics": ["care"], "evidence": "sheet-7",
        "at": datetime(2022, 7, 4, 3, tzinfo=UTC).isoformat(),
    }  # fmt: skip
    kept = await desk.ask(LEADER, "POST", "/clients/c-1/contacts", given, 201)
    assert kept == {"contact_id": "p-1", "state": "kept", "approval_id": None}
    await desk.ask(LEADER, "POST", "/clients/c-1/contacts", given | {"channel": "phone"}, 409)
    older = given | {"contact_id": "p-2", "at": AT.isoformat()}
    asked = await desk.ask(LEADER, "POST", "/clients/c-2/contacts", older, 202)
    assert (await firm(desk))["covered_elsewhere"] == 1
    path = f"/approvals/{asked['approval_id']}/approve"
    await desk.ask(LEADER, "POST", path, {}, 403)
    await desk.ask(HQ, "POST", path, {"because": "seen the sheet"}, 200)
    assert (await firm(desk))["covered_elsewhere"] == 2
    shown = await desk.items(LEADER, "/clients/c-2/contacts")
    assert [(one["contact_id"], one["recorded_by"], one["covers"]) for one in shown] == [("p-2", "mia", True)]
    for at in (AT.replace(year=2008), datetime.now(UTC) + timedelta(days=2)):
        await desk.ask(
            LEADER, "POST", "/clients/c-1/contacts", given | {"contact_id": "p-3", "at": at.isoformat()}, 422
        )
    await desk.ask(agent("bo", "B2", role=Role.BRANCH_MANAGER), "POST", "/clients/c-1/contacts", given, 404)
    await desk.ask(agent("anna"), "POST", "/clients/c-1/contacts", given, 403)


async def test_answered_calls_are_counted_with_the_time_callers_waited(desk: Desk) -> None:
    calls = [contact(f"in-{n}", None, direction="in", wait_s=wait, topics=[]) for n, wait in enumerate((4, 10, 31))]
    await desk.world.publish(*calls, contact("out"))
    await desk.world.settle()
    found = await desk.ask(LEADER, "GET", "/statistics/answered-calls?from=2022-01-01&to=2022-12-31", status=200)
    assert found == [{"on_day": "2022-03-01", "answered": 3, "average_wait_s": "15.0", "longest_wait_s": 31}]
