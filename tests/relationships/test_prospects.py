"""Prospects: one funnel from the first word to the opened account; forgotten ones are erased [CI12, B16]. Held-away estimates [A27]."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from chassis.clock import at, utc_now
from contracts import broker, callbacks
from contracts.fields import Quantity, decode_custom
from contracts.relationships import ObjectionChanged
from services.relationships import exports, prospects
from services.relationships.held_away import estimate
from services.relationships.policy import Policies
from services.relationships.prospects import ACTS
from services.relationships.retention import judge_erasure
from tests.relationships.conftest import (
    COMPLIANCE,
    DESK,
    DIRECTOR,
    ELSEWHERE,
    HQ,
    MANAGER,
    OPENED,
    SECOND,
    Office,
    client,
    close,
    opened,
    told,
)
from tests.relationships.test_information import amount, line
from tests.walks.acts import Walk
from tests.world import World

DAY = timedelta(days=1)
FAR = "2099-01-05"
HEARD = at(OPENED, 10).isoformat()


def staff(*names: str) -> list[broker.StaffChanged]:
    return [broker.StaffChanged(staff_id=name, branch_id="B1") for name in names]


def booking(name: str, phone: str, day: date = OPENED) -> broker.OpeningBooked:
    return broker.OpeningBooked(
        booking_id=name, branch_id="B1", owner="mia", name="解晓东", phone=phone, at=at(day, 10)
    )


def called(name: str, day: date) -> callbacks.TaskAttempted:
    number = uuid5(NAMESPACE_OID, name)
    return callbacks.TaskAttempted(
        task_id=number, attempt_id=number, client_id=f"booking:{name}", rule="booking", agent="mia", channel="phone",
        outcome="completed", valid_contact=True, attempted_at=at(day, 11),
    )  # fmt: skip


async def add(office: Office, phone: str, status: int = 201, **more: Any) -> Any:
    body = {"source": "walk_in", "name": "查良镛", "phone": phone, "heard_at": HEARD, **more}
    return await office.post(MANAGER, "/prospects", body, status)


async def test_from_the_first_word_to_the_opened_account(branch: World, office: Office) -> None:
    await branch.publish(*staff("max", "anna"), at=at(date(2024, 1, 2), 1))
    await branch.settle()
    one = await add(office, "13800000101", interests=["funds"])
    pid = one["prospect_id"]
    assert (one["state"], one["owner"], one["branch_id"]) == ("new", "max", "B1")
    # The same store: the set P, what is personal by the same door, in full for who looks after them.
    sheet = await office.get(MANAGER, f"/clients/{pid}/information")
    assert (sheet["set"], sheet["entered"]) == ("P", "50.0")
    full = await office.get(MANAGER, f"/clients/{pid}/information/personal")
    assert (full["in_full"], full["values"]) == (True, {"CI-P01": "查良镛", "CI-P08": "13800000101"})
    assert (await office.get(DIRECTOR, f"/clients/{pid}/information/personal"))["values"]["CI-P08"] == "138****0101"
    stored = str(await branch.rows("relationships", "SELECT * FROM prospects")) + str(
        await branch.rows("relationships", "SELECT * FROM information_values")
    )
    assert "查良镛" not in stored
    assert "13800000101" not in stored
    known = await office.post(DESK, "/prospects", {"source": "call", "phone": "+86 138-0000-0101"}, 409)
    assert known["prospect_id"] == pid
    for path in (f"/prospects/{pid}", f"/clients/{pid}/information"):
        assert (await office.call(ELSEWHERE, "GET", path)).status_code == 404
    await office.enter(DESK, pid, P34="marketing")
    when = (utc_now() - timedelta(minutes=5)).isoformat()
    talked = {"channel": "phone", "direction": "out", "at": when, "topics": ["funds"]}
    await office.post(MANAGER, f"/clients/{pid}/contacts", talked | {"grumble": True}, 422)
    await office.post(MANAGER, f"/clients/{pid}/contacts", talked)
    assert (await office.get(MANAGER, f"/prospects/{pid}"))["state"] == "contacted"
    await office.post(MANAGER, f"/prospects/{pid}/interest", {"interests": ["margin"]}, 200)
    await office.post(MANAGER, f"/prospects/{pid}/book", {"opening_on": "2020-01-01"}, 422)
    booked = await office.post(MANAGER, f"/prospects/{pid}/book", {"opening_on": FAR}, 200)
    assert (booked["state"], booked["interests"], booked["opening_on"]) == ("booked", ["funds", "margin"], FAR)
    # No change of contact data of a prospect is told: nobody but this service knows them.
    rows = await branch.rows("relationships", "SELECT key FROM bus.log WHERE type = 'relationships.profile.changed'")
    assert pid not in {row["key"] for row in rows}
    await branch.publish(opened("p-1", on=OPENED + DAY, name="查良镛", phone="13800000101"))
    await branch.settle()
    done = await office.get(MANAGER, f"/prospects/{pid}")
    assert (done["state"], done["converted_to"], done["erased_on"]) == ("converted", "p-1", None)
    assert not any(act["can"] for act in done["acts"])
    now = await office.get(MANAGER, "/clients/p-1/information")
    assert (now["set"], line(now, "P34")["value"], line(now, "S01")["value"]) == ("N", "marketing", "max")
    personal = await office.get(MANAGER, "/clients/p-1/information/personal")
    assert (personal["in_full"], personal["values"]["CI-P01"]) == (True, "查良镛")
    assert [one["topics"] for one in (await office.get(MANAGER, "/clients/p-1/contacts"))["items"]] == [["funds"]]
    assert (await office.call(MANAGER, "GET", f"/clients/{pid}/information")).status_code == 404
    steps = await office.get(MANAGER, f"/prospects/{pid}/history")
    assert [step["act"] for step in steps] == ["add", "contact", "interest", "book", "convert"]
    [stage] = [
        row
        for row in await office.get(DIRECTOR, f"/prospects/funnel?since={OPENED}&until={OPENED}")
        if row["source"] == "walk_in"
    ]
    assert (stage["prospects"], stage["contacted"], stage["booked"], stage["converted"], stage["days"]) == (
        1,
        1,
        1,
        1,
        0,
    )
    async with branch.sql("relationships") as sql:
        rows = [row async for row in exports.prospects(sql)]
        listed = {row[0] for row in [row async for row in exports.information_scores(sql)]}
    assert [row[7] for row in rows if row[0] == pid] == ["p-1"]
    assert "p-1" in listed


async def test_who_booked_is_a_prospect_whichever_is_heard_first(branch: World, office: Office) -> None:
    facts = {
        "q-1": [booking("q-1", "13800000201"), opened("q-1", on=OPENED + DAY, phone="13800000201"), called("q-1", OPENED)],
        "q-2": [opened("q-2", on=OPENED + DAY, phone="13800000202"), called("q-2", OPENED), booking("q-2", "13800000202")],
        "q-3": [called("q-3", OPENED), booking("q-3", "13800000203"), opened("q-3", on=OPENED + DAY, phone="13800000203")],
    }  # fmt: skip
    for own in facts.values():
        for fact in own:
            await branch.publish(fact)
            await branch.settle()
    for client_id in facts:
        one = await office.get(HQ, f"/prospects/booking:{client_id}")
        assert (one["state"], one["converted_to"], one["owner"]) == ("converted", client_id, "mia")
        contacts = (await office.get(HQ, f"/clients/{client_id}/contacts"))["items"]
        assert [contact["person"] for contact in contacts] == ["mia"], client_id
    # Who had an account before they booked is no prospect of that account; nor is whoever shares nothing.
    await branch.publish(opened("q-old", on=OPENED - DAY, phone="13800000204"), booking("q-4", "13800000204"))
    # Two clients of one phone: the first to open is who the prospect became.
    await branch.publish(booking("q-5", "13800000205"))
    await branch.settle()
    await branch.publish(
        opened("q-6", on=OPENED + 2 * DAY, phone="13800000205"), opened("q-5", on=OPENED + DAY, phone="13800000205")
    )
    await branch.settle()
    assert (await office.get(HQ, "/prospects/booking:q-4"))["state"] == "booked"
    assert (await office.get(HQ, "/prospects/booking:q-5"))["converted_to"] == "q-5"
    # Looking at what an erasure would meet changes nothing.
    await office.get(COMPLIANCE, "/operations/erasures/booking:q-4")
    assert await branch.value("relationships", "SELECT tokens <> '{}' FROM prospects WHERE prospect_id = 'booking:q-4'")


async def test_named_by_staff_given_up_and_handed_on(branch: World, office: Office) -> None:
    await branch.publish(
        opened("n-0", on=OPENED - DAY), opened("n-1", on=OPENED), opened("n-9", branch="B9", on=OPENED)
    )
    await branch.settle()
    one = await add(office, "13800000301")
    pid = one["prospect_id"]
    await office.post(MANAGER, f"/prospects/{pid}/drop", {"reason": "unreachable"}, 200)
    back = await office.post(MANAGER, f"/prospects/{pid}/take-up", None, 200)
    assert (back["state"], back["reason"]) == ("contacted", None)
    match = {"if-match": f'"{back["revision"]}"'}
    handed = await office.call(DIRECTOR, "POST", f"/prospects/{pid}/hand", {"person": "anna"}, **match)
    assert (handed.status_code, handed.json()["owner"]) == (200, "anna"), handed.text
    assert (await office.call(MANAGER, "POST", f"/prospects/{pid}/convert", {"client_id": "n-1"})).status_code == 403
    await office.enter(MANAGER, pid, S21="objects:nosy")
    asked = await office.post(MANAGER, f"/clients/{pid}/questions", {"zone": "business", "words": "which papers?"})
    for wrong in ("n-0", "n-9", "nobody"):  # n-0 had an account before anybody heard of the prospect
        await office.post(DIRECTOR, f"/prospects/{pid}/convert", {"client_id": wrong}, 422)
    done = await office.post(DIRECTOR, f"/prospects/{pid}/convert", {"client_id": "n-1"}, 200)
    assert (done["state"], done["converted_to"]) == ("converted", "n-1")
    assert (await office.get(DIRECTOR, "/clients/n-1/team"))["owner"]["person"] == "anna"
    assert (await office.get(MANAGER, f"/questions/{asked['question_id']}"))["client_id"] == "n-1"
    [objection] = await told(branch, ObjectionChanged, "n-1")  # the prospect's objection is the client's
    assert [(one.person, one.objects) for one in objection.stretches] == [(None, False), ("nosy", True)]
    async with branch.database("relationships").unit_of_work() as uow:
        judged = (await judge_erasure(uow, ["n-1"]))["n-1"]
    assert (judged.reason, list(judged.owners)) == ("account open", [pid])  # the prospect's key goes with the client's


async def test_bad_input_of_prospects(branch: World, office: Office) -> None:
    await office.post(MANAGER, "/prospects", {"source": "call"}, 422)
    assert (await add(office, "12345", 422))["checks"] == ["mobile"]
    passed = await add(office, "12345", passed={"mobile": "a line abroad"})
    assert passed["state"] == "new"
    assert (await add(office, "13800000401", 422, id_number="110105194912310020"))["checks"] == ["id_number"]
    await add(office, "13800000402", 422, heard_at="2098-01-01T10:00:00+08:00")
    await add(office, "13800000402", 422, owner="nobody")
    await add(office, "13800000402", 422, branch_id="B2")
    await office.post(HQ, "/prospects", {"source": "call", "name": "单"}, 403)
    # A name of one character, and one with a dot.
    for name, shown in (("单", "单"), ("阿依古丽·买买提", "阿*******")):
        one = await office.post(MANAGER, "/prospects", {"source": "event", "name": name})
        masked = await office.get(COMPLIANCE, f"/clients/{one['prospect_id']}/information/personal")
        assert masked["values"]["CI-P01"] == shown


async def test_a_prospect_nobody_talks_to_is_erased(branch: World, office: Office) -> None:
    long_ago = date(2023, 1, 10)
    await branch.publish(
        booking("z-1", "13800000501", long_ago),
        booking("z-2", "13800000502", long_ago),
        called("z-2", date(2024, 1, 8)),
    )
    await branch.settle()
    assert (await office.get(HQ, "/prospects/booking:z-1"))["erased_on"] == "2025-01-10"
    before = await office.get(HQ, "/clients/booking:z-1/information/personal")
    assert before["values"]["CI-P01"] == "解**"
    await office.post(DESK, "/clients/booking:z-1/questions", {"zone": "business", "words": "which papers?"})
    await close(branch, date(2025, 1, 9))
    assert (await office.get(HQ, "/prospects/booking:z-1"))["state"] == "booked"
    await close(branch, date(2025, 1, 10))
    gone = await office.get(HQ, "/prospects/booking:z-1")
    assert (gone["state"], gone["erased_on"]) == ("erased", "2025-01-10")
    assert (await office.get(HQ, "/prospects/booking:z-2"))["state"] == "booked"
    assert [one["prospect_id"] for one in (await office.get(HQ, "/prospects?state=erased"))["items"]] == ["booking:z-1"]
    assert (await office.call(HQ, "GET", "/clients/booking:z-1/information/personal")).status_code == 404
    for name in ("information_values", "clients", "contacts", "questions"):
        assert await branch.value("relationships", f"SELECT count(*) FROM {name} WHERE client_id = 'booking:z-1'") == 0
    assert await branch.value("relationships", "SELECT tokens = '{}' FROM prospects WHERE prospect_id = 'booking:z-1'")
    assert await branch.value("relationships", "SELECT count(*) FROM audit WHERE action = 'erase'") == 1
    row = await branch.rows("gateway", "SELECT wrapped, destroyed_at FROM client_keys WHERE owner = 'booking:z-1'")
    assert (row[0]["wrapped"], row[0]["destroyed_at"] is not None) == (None, True)
    # The same number may come again.
    await branch.publish(booking("z-3", "13800000501"))
    await branch.settle()
    assert (await office.get(HQ, "/clients/booking:z-3/information/personal"))["values"]["CI-P08"] == "138****0501"


async def test_every_act_of_prospects_in_every_state_by_everybody(branch: World) -> None:
    await branch.publish(*staff("max", "anna"), at=at(date(2024, 1, 2), 1))
    await branch.publish(opened("w-77"))
    await branch.settle()
    people = {
        "owner": MANAGER, "leader": DIRECTOR, "desk": DESK, "elsewhere": ELSEWHERE, "hq": HQ, "client": client("w-77"),
    }  # fmt: skip

    async def make(uow, _: str):
        uow.actor = SECOND
        return (await prospects.add(uow, "B1", "max", "walk_in", at(OPENED, 10), [], "M", {"CI-P01": "单"})).prospect_id

    bodies = {
        "interest": lambda _: prospects.Interest(interests=["funds"]),
        "book": lambda _: prospects.Booking(opening_on=date.fromisoformat(FAR)),
        "drop": lambda _: prospects.Dropping(reason="no_need"),
        "hand": lambda _: prospects.Handing(person="anna"),
        "convert": lambda _: prospects.Converting(client_id="w-77"),
    }
    await Walk(branch, "relationships", ACTS, people, make, ("walk_in",), bodies).run()


TERMS = Policies.held_away.shipped[0].body


def test_the_estimate_is_what_the_quota_implies_less_what_is_here_and_never_under_nought() -> None:
    latest = {"SH": (OPENED, Decimal(25000)), "SZ": (OPENED - DAY, Decimal(500))}
    one = estimate("c", latest, Decimal("70000.00"), TERMS)
    assert one is not None
    assert (one.value, one.implied, one.as_of, one.valid_until) == (
        Decimal("185000.00"), Decimal("255000.00"), OPENED, OPENED + 30 * DAY,
    )  # fmt: skip
    less = estimate("c", latest, Decimal(300000), TERMS)
    assert less is not None
    assert less.value == 0
    assert estimate("c", {}, Decimal(1), TERMS) is None


async def test_held_away_is_shown_as_an_estimate_with_its_date(branch: World, office: Office) -> None:
    def quota(market: str, day: date, number: str) -> broker.QuotaReported:
        shares: Quantity = decode_custom(Quantity, number)
        return broker.QuotaReported(client_id="h-1", market=market, as_of=day, quota=shares)

    await branch.publish(
        opened("h-1"),
        quota("SH", OPENED, "9000"), quota("SH", OPENED + DAY, "25000"), quota("SZ", OPENED, "500"),
        *(broker.AssetsValued(client_id="h-1", as_of=OPENED + n * DAY, total_assets=amount("1"), market_value=amount(value))
          for n, value in enumerate(("60000.00", "80000.00", "900000.00"))),
    )  # fmt: skip
    await branch.settle()
    day = OPENED + 2 * DAY
    found = await office.get(MANAGER, f"/clients/h-1/held-away?as_of={day}")
    assert found == {
        "client_id": "h-1", "estimate": True, "value": "185000.00", "implied": "255000.00", "here": "70000.00",
        "quotas": {"SH": "25000", "SZ": "500"}, "source": "broker.quota.reported", "as_of": str(OPENED + DAY),
        "valid_until": str(OPENED + 31 * DAY), "policy": "held_away/shipped-1",
    }  # fmt: skip
    one = line(await office.get(MANAGER, f"/clients/h-1/information?as_of={day}"), "A26")
    assert (one["value"], one["estimate"], one["day"], one["source"], one["counts"]) == (
        "185000.00", True, str(OPENED + DAY), "E", True,
    )  # fmt: skip
    later = OPENED + 40 * DAY
    assert (await office.call(MANAGER, "GET", f"/clients/h-1/held-away?as_of={later}")).status_code == 404
    one = line(await office.get(MANAGER, f"/clients/h-1/information?as_of={later}"), "A26")
    assert (one["value"], one["estimate"], one["counts"]) == (None, False, False)
    assert not line(await office.get(MANAGER, f"/clients/h-1/information?as_of={day}"), "A12")["estimate"]
    assert (await office.call(ELSEWHERE, "GET", "/clients/h-1/held-away")).status_code == 404
