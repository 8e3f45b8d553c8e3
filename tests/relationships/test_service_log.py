"""The service log: every contact once, entered in time, what is for others passed on [A12, A17, A33]."""

from datetime import timedelta
from uuid import UUID

from chassis.clock import at, utc_now
from contracts import broker, callbacks, classification, complaints, messaging
from contracts.relationships import FindingRaised, GrumbleHeard
from tests.relationships.conftest import (
    COMPLIANCE,
    DESK,
    DIRECTOR,
    ELSEWHERE,
    HQ,
    MANAGER,
    OPENED,
    Office,
    client,
    opened,
    told,
)
from tests.world import World

DAY = timedelta(days=1)
NINE = at(OPENED, 9)


def entry(when=None, **more):
    return {"channel": "phone", "direction": "out", "at": (when or utc_now()).isoformat(), **more}


def attempt(client_id: str, number: int, when, **more) -> callbacks.TaskAttempted:
    given = {"rule": "core", "agent": "max", "channel": "phone", "outcome": "completed", "valid_contact": True, **more}
    return callbacks.TaskAttempted(
        task_id=UUID(int=number), client_id=client_id, attempt_id=UUID(int=number), attempted_at=when, **given
    )


def message(client_id: str, number: int, when, state: str) -> messaging.MessageChanged:
    return messaging.MessageChanged(
        message_id=UUID(int=number), client_id=client_id, kind="welcome", message_class="NOTICE", channel="sms",
        state=state, at=when,
    )  # fmt: skip


def case(client_id: str | None, case_id: str, **more) -> complaints.CaseOpened:
    given = {
        "kind": "complaint",
        "source": "client",
        "channel": "hotline",
        "flow": "centre",
        "severity": "ordinary",
        **more,
    }
    return complaints.CaseOpened(client_id=client_id, case_id=case_id, owner="o-1", received_at=NINE + DAY, **given)


async def test_every_contact_of_every_service_appears_once(branch: World, office: Office) -> None:
    events = [
        attempt("l-1", 1, NINE),
        attempt("l-1", 2, NINE + DAY, outcome="no_answer", valid_contact=False),
        attempt("l-1", 3, NINE + DAY, channel="internal"),  # a review of compliance's is no contact
        attempt("l-1", 4, NINE + 2 * DAY, rule="manager_left"),
        broker.ContactRecorded(
            contact_id="r-1", client_id="l-1", staff_id="max", channel="phone", direction="in", at=NINE, valid=True
        ),
        case("l-1", "k-1"),
        case("l-1", "k-2", restricted=True),
        case("l-1", "k-3", source="regulator"),
        message("l-1", 5, NINE + 2 * DAY, "delivered"),
        message("l-1", 5, NINE + DAY, "handed"),
        message("l-1", 6, NINE, "suppressed"),
        messaging.ReplyReceived(inbound_id="in-1", client_id="l-1", command="OTHER", at=NINE + 3 * DAY),
    ]
    await branch.publish(opened("l-1"), *events)
    await branch.publish(*reversed(events))
    await branch.settle()
    found = (await office.get(MANAGER, "/clients/l-1/contacts"))["items"]
    assert sorted((one["source"], one["channel"], one["two_way"], one["valid"]) for one in found) == [
        ("broker", "phone", True, True),
        ("callbacks", "phone", False, False),
        ("callbacks", "phone", True, True),
        ("callbacks", "phone", True, True),
        ("complaints", "hotline", True, False),
        ("messaging", "sms", False, False),
        ("messaging", "sms", False, False),
    ]
    assert [one["at"] for one in found] == sorted((one["at"] for one in found), reverse=True)
    sent = next(one for one in found if one["topics"] == ["welcome"])
    assert (sent["at"], sent["outcome"]) == ((NINE + DAY).isoformat().replace("+00:00", "Z"), "delivered")
    assert {topic for one in found for topic in one["topics"]} == {"core", "welcome", "complaint"}
    assert (await office.call(client("l-1"), "GET", "/clients/l-1/contacts")).status_code == 403
    assert (await office.call(ELSEWHERE, "GET", "/clients/l-1/contacts")).status_code == 404


async def test_an_entry_beside_evidence_is_the_same_contact(branch: World, office: Office) -> None:
    now = utc_now()
    await branch.publish(opened("l-2"), attempt("l-2", 21, now - timedelta(minutes=10)))
    await branch.settle()
    await office.post(MANAGER, "/clients/l-2/contacts", entry(now, words="wants a fund, 13812345678"))
    await office.post(MANAGER, "/clients/l-2/contacts", entry(now - timedelta(hours=2)))
    found = (await office.get(MANAGER, "/clients/l-2/contacts"))["items"]
    assert [(one["source"], one["evidence"]) for one in found] == [
        ("staff", str(found[1]["contact_id"])),
        ("callbacks", None),
        ("staff", None),
    ]
    assert "13812345678" not in found[0]["words"]


async def test_what_cannot_be_is_refused_and_what_is_late_is_marked(branch: World, office: Office) -> None:
    now = utc_now()
    people = [broker.StaffChanged(staff_id=one, branch_id=place) for one, place in (("ben", "B1"), ("beth", "B9"))]
    await branch.publish(*people, at=now - 20 * DAY)
    await branch.publish(opened("l-3", on=(now - 20 * DAY).date()))
    await branch.settle()
    wrong = [
        entry(now + DAY), entry(now - 25 * DAY), entry(now - 400 * DAY), entry(now, channel="pigeon"),
        entry(now, words=""), {"channel": "phone"},
    ]  # fmt: skip
    for body in wrong:
        await office.post(DIRECTOR, "/clients/l-3/contacts", body, 422)
    await office.post(MANAGER, "/clients/l-3/contacts", entry(now, person="dora"), 422)
    await office.post(HQ, "/clients/l-3/contacts", entry(now, person="nobody"), 422)
    await office.post(DIRECTOR, "/clients/l-3/contacts", entry(now, person="beth"), 404)  # they lead others
    led = await office.post(DIRECTOR, "/clients/l-3/contacts", entry(now, person="ben"))
    assert (led["person"], led["entered_by"]) == ("ben", "dora")
    await office.post(ELSEWHERE, "/clients/l-3/contacts", entry(now), 404)
    late = await office.post(DESK, "/clients/l-3/contacts", entry(now - 2 * DAY))
    assert (late["flags"], late["person"], late["entered_by"]) == (["late"], "desk-1", "desk-1")
    assert (await office.post(DESK, "/clients/l-3/contacts", entry(now)))["flags"] == []


async def test_grumbles_and_words_are_passed_on(branch: World, office: Office) -> None:
    style = classification.SupplementaryChanged(
        client_id="l-4", branch_id="B1", revision=1, kind="STYLE", codes=["STYLE:Y"]
    )
    await branch.publish(opened("l-4"), opened("l-5"), style)
    await branch.settle()
    words = "客户说：全 权、委托给我，我说保证收益。不知道怎么办"
    flagged = await office.post(MANAGER, "/clients/l-4/contacts", entry(words=words, mood="angry", grumble=True))
    assert flagged["flags"] == ["banned:不知道"], "what opens a hidden case is not shown to who it is about [B5, C28]"
    secret = await office.post(DESK, "/clients/l-5/contacts", entry(words="保证收益"))
    plain = await office.post(MANAGER, "/clients/l-5/contacts", entry(words="全权委托"))
    assert plain["flags"] == []  # of a client who decides alone it is how they talk
    [grumble] = await told(branch, GrumbleHeard, "l-4")
    assert (grumble.client_id, str(grumble.contact_id), grumble.mood) == ("l-4", flagged["contact_id"], "angry")
    findings = await told(branch, FindingRaised, "l-4") + await told(branch, FindingRaised, "l-5")
    assert sorted((one.client_id, one.kind, one.staff_id) for one in findings) == [
        ("l-4", "forbidden_word", "max"),
        ("l-4", "order_wording", "max"),
        ("l-5", "forbidden_word", "desk-1"),
    ]
    today = utc_now().date()
    path = f"/contacts/flagged?since={today - 2 * DAY}&until={today + DAY}"
    seen = {one["contact_id"]: one["flags"] for one in (await office.get(DIRECTOR, path))["items"]}
    assert seen[flagged["contact_id"]] == ["banned:不知道"]
    assert secret["contact_id"] not in seen
    seen = {one["contact_id"]: one["flags"] for one in (await office.get(COMPLIANCE, path))["items"]}
    assert seen[flagged["contact_id"]] == ["banned:不知道", "forbidden:保证收益", "order:全权委托"]
    assert seen[secret["contact_id"]] == ["forbidden:保证收益"]
    assert (await office.call(MANAGER, "GET", path)).status_code == 403


async def test_a_case_whose_client_was_corrected_is_the_right_clients_whichever_is_heard_first(
    branch: World, office: Office
) -> None:
    def corrected(case_id: str, number: int, before: str | None, after: str) -> complaints.CaseCorrected:
        return complaints.CaseCorrected(
            case_id=case_id, client_id=after, previous_client_id=before, revision=number, under="new",
            corrected_at=NINE + (number + 1) * DAY,
        )  # fmt: skip

    await branch.publish(opened("x-1"), opened("x-2"), opened("x-3"))
    orders = {
        "k-1": [case("x-1", "k-1"), corrected("k-1", 1, "x-1", "x-2"), corrected("k-1", 2, "x-2", "x-3")],
        "k-2": [corrected("k-2", 2, "x-2", "x-3"), corrected("k-2", 1, "x-1", "x-2"), case("x-1", "k-2")],
        "k-3": [corrected("k-3", 1, "x-1", "x-2"), case("x-1", "k-3"), corrected("k-3", 2, "x-2", "x-3")],
    }
    for facts in orders.values():
        for fact in facts:
            await branch.publish(fact)
            await branch.settle()
    # A case of nobody known is a client's once it is known whose it is, with what it is about.
    await branch.publish(opened("x-4"), case(None, "k-4"), corrected("k-4", 1, None, "x-4"))
    await branch.settle()
    rows = await branch.rows("relationships", "SELECT item_id, topic FROM open_items WHERE client_id = 'x-4'")
    assert [(row["item_id"], row["topic"]) for row in rows] == [("k-4", "complaint")]
    for client_id, cases in (("x-1", []), ("x-2", []), ("x-3", sorted(orders))):
        logged = (await office.get(HQ, f"/clients/{client_id}/contacts"))["items"]
        assert len(logged) == len(cases), client_id
        rows = await branch.rows("relationships", "SELECT item_id FROM open_items WHERE client_id = $1", client_id)
        assert sorted(row["item_id"] for row in rows) == cases
