"""What comes in at the desk, online and on paper; and spot checks of the log [A12, A14, A30, A35]."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.actor import PLATFORM, Actor, Role
from chassis.clock import at, business_date, utc_now
from contracts import broker, classification
from contracts.relationships import FindingRaised, GrumbleHeard
from services.relationships import contacts, questions, spot_checks
from services.relationships.policy import Policies
from services.relationships.questions import Asked
from services.relationships.spot_checks import DrawRow, Logged, choose, drawn, needed, quarter_end_of
from tests.relationships.conftest import (
    COMPLIANCE,
    DESK,
    DIRECTOR,
    ELSEWHERE,
    HQ,
    MANAGER,
    SYSTEM,
    Office,
    client,
    opened,
    told,
)
from tests.walks.acts import Walk
from tests.world import World

QUARTER = date(2024, 3, 31)
FIRST = date(2024, 1, 8)
DAY = timedelta(days=1)
TERMS = Policies.spot_checks.shipped[0].body


def people() -> list[broker.StaffChanged]:
    return [broker.StaffChanged(staff_id=one, branch_id="B1") for one in ("max", "anna", "dora", "desk-1")]


@pytest.mark.parametrize(
    ("entries", "count"), [(0, 0), (3, 3), (10, 10), (199, 10), (200, 10), (201, 11), (220, 11), (221, 12), (1000, 50)]
)
def test_five_in_a_hundred_and_ten_at_least_are_checked(entries: int, count: int) -> None:
    assert needed(entries, TERMS) == count


def test_a_seed_draws_the_same_of_the_same_entries_in_any_order() -> None:
    entries = [UUID(int=n) for n in range(500)]
    first = drawn(7, entries, 25)
    assert first == drawn(7, reversed(entries), 25)
    assert len(set(first)) == 25
    assert first != drawn(8, entries, 25)
    assert drawn(7, entries, -1) == []
    assert quarter_end_of(date(2024, 2, 29)) == QUARTER
    logs = [Logged(one, "max", "c", n < 4) for n, one in enumerate(entries[:12])]
    chosen, counts = choose(7, logs, TERMS)
    assert counts == {"max": {"entries": 12, "needed": 10, "before": 4, "drawn": 6}}
    assert not any(one.checked for one in chosen)


async def test_a_quarter_of_spot_checks_from_the_draw_to_the_report(branch: World, office: Office) -> None:
    calls = [
        broker.ContactRecorded(
            contact_id=f"k-{n}", client_id="k-1", staff_id="max" if n < 12 else "anna", channel="phone", direction="out",
            at=at(FIRST + n * DAY, 10), valid=True,
        )
        for n in range(15)
    ]  # fmt: skip
    leaver = [
        broker.ContactRecorded(
            contact_id=f"z-{n}", client_id="k-1", staff_id="zoe", channel="phone", direction="out",
            at=at(FIRST + n * DAY, 15), valid=True,
        )
        for n in range(2)
    ]  # fmt: skip
    await branch.publish(
        *people(), broker.StaffChanged(staff_id="zoe", branch_id="B1"), opened("k-1", on=FIRST), *calls, leaver[0]
    )
    await branch.settle()
    made = await office.post(DIRECTOR, "/spot-checks/draws", {"quarter_end": str(QUARTER)})
    assert made["counts"] == [
        {"person": "anna", "entries": 3, "needed": 3, "before": 0, "drawn": 3},
        {"person": "max", "entries": 12, "needed": 10, "before": 0, "drawn": 10},
        {"person": "zoe", "entries": 1, "needed": 1, "before": 0, "drawn": 1},
    ]
    assert made["through"] == str(QUARTER)
    listed = (await office.get(DIRECTOR, f"/spot-checks?quarter_end={QUARTER}&limit=50"))["items"]
    own = [UUID(one["contact_id"]) for one in listed if one["person"] == "max"]
    every = [contacts.named("broker", f"k-{n}") for n in range(12)]
    assert set(own) == set(drawn(made["seed"], every, 10))  # who has the seed draws it again
    gone = broker.StaffChanged(staff_id="zoe", branch_id="B1", left_on=business_date(utc_now()) - 2 * DAY)
    await branch.publish(leaver[1], gone)
    await branch.settle()
    again = await office.post(DIRECTOR, "/spot-checks/draws", {"quarter_end": str(QUARTER)})
    assert [one["drawn"] for one in again["counts"]] == [0, 0, 1]  # of who was drawn before and left as well
    listed = (await office.get(DIRECTOR, f"/spot-checks?quarter_end={QUARTER}&limit=50"))["items"]
    assert (await office.get(MANAGER, f"/spot-checks?quarter_end={QUARTER}"))[
        "items"
    ] == []  # nobody mends what was drawn
    for path, body in (
        ("/spot-checks/draws", {"quarter_end": "2024-03-30"}), ("/spot-checks/draws", {"branch_id": "B9"}),
        ("/spot-checks/reports", {"quarter_end": "2024-03-30"}),
    ):  # fmt: skip
        await office.post(DIRECTOR, path, body, 422)
    early = await office.post(DIRECTOR, "/spot-checks/reports", {"quarter_end": str(QUARTER)}, 409)
    assert early["persons"] == ["anna", "max", "zoe"]
    for one in listed:
        false = one["contact_id"] == str(own[0])
        body = {"score": 40 if false else 90, "as_logged": not false}
        await office.post(DIRECTOR, f"/spot-checks/{one['check_id']}/score", body, 200)
    one = next(one for one in listed if one["contact_id"] == str(own[0]))
    path = f"/spot-checks/{one['check_id']}"
    shown = await office.get(MANAGER, path)
    assert (shown["contact"]["channel"], [act["act"] for act in shown["acts"] if act["can"]]) == ("phone", ["answer"])
    closing = {"score": 30, "as_logged": False, "closing": "nobody was called"}
    waits = await office.post(DIRECTOR, f"{path}/close", closing, 409)
    assert waits["type"].endswith("answer-awaited")
    await office.post(MANAGER, f"{path}/answer", {"answer": "the client called back"}, 200)
    assert (await office.post(DIRECTOR, f"{path}/close", closing, 200))["state"] == "closed"
    [finding] = await told(branch, FindingRaised, "k-1")
    assert (finding.kind, finding.staff_id, finding.subject) == ("log_not_true", "max", f"contact/{own[0]}")
    steps = await office.get(MANAGER, f"{path}/history")
    assert [step["act"] for step in steps] == ["draw", "score", "answer", "close"]
    [before] = await office.get(HQ, f"/spot-checks/reports?quarter_end={QUARTER}")
    assert (before["made_by"], before["due_on"], before["late"]) == (None, "2024-03-29", True)
    kept = await office.post(DIRECTOR, "/spot-checks/reports", {"quarter_end": str(QUARTER)})
    assert [(one["person"], one["mean_score"], one["not_true"]) for one in kept["persons"]] == [
        ("anna", "90.0", 0), ("max", "84.0", 1), ("zoe", "90.0", 0),
    ]  # fmt: skip
    await office.post(DIRECTOR, "/spot-checks/reports", {"quarter_end": str(QUARTER)}, 409)
    [after] = await office.get(HQ, f"/spot-checks/reports?quarter_end={QUARTER}")
    assert (after["made_by"], after["persons"]) == ("dora", kept["persons"])


async def test_every_act_of_a_spot_check_in_every_state_by_everybody(branch: World) -> None:
    await branch.publish(opened("k-9"))
    await branch.settle()
    walkers = {"checked": MANAGER, "checker": DIRECTOR, "elsewhere": ELSEWHERE, "hq": HQ, "client": client("k-9")}

    async def make(uow: Any, _: str) -> UUID:
        one = contacts.heard(
            uow, "broker", str(uow.now), "k-9", "max", "phone", "out", uow.now, two_way=True, valid=True
        )
        await contacts.keep(uow, [one])
        draw = DrawRow(UUID(int=1), "B1", QUARTER, 1, QUARTER, {}, "p", "dora", uow.now)
        await spot_checks._keep(uow, draw, [Logged(one.contact_id, "max", "k-9", False)])
        return await uow.sql.fetchval("SELECT check_id FROM spot_checks WHERE contact_id = $1", one.contact_id)

    bodies = {
        "score": lambda _: spot_checks.Scoring(score=80, as_logged=True),
        "answer": lambda _: spot_checks.Answering(answer="so it was"),
        "close": lambda _: spot_checks.Closing(score=80, as_logged=True, closing="stands"),
    }
    await Walk(branch, "relationships", spot_checks.ACTS, walkers, make, ("call",), bodies).run()


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        (at(date(2024, 3, 4), 10), at(date(2024, 3, 4), 10, 30)),
        (at(date(2024, 3, 4), 11, 50), at(date(2024, 3, 4), 13, 20)),
        (at(date(2024, 3, 8), 17, 20), at(date(2024, 3, 11), 9, 20)),
        (at(date(2024, 3, 9), 22), at(date(2024, 3, 11), 9, 30)),
    ],
)
async def test_a_question_has_half_an_hour_of_working_time_and_who_is_asked_first_owns_it(
    branch: World, office: Office, asked: datetime, due: datetime
) -> None:
    await branch.publish(*people(), opened("u-1", manager_id="max"))
    await branch.settle()
    async with branch.database("relationships").unit_of_work(DESK) as uow:
        uow.now = asked
        await questions.ask(uow, Asked("u-1", None, "B1", "business", "phone", "when?", "desk-1"))
    found = (await office.get(DIRECTOR, "/clients/u-1/questions"))["items"][-1]
    assert (datetime.fromisoformat(found["due"]), found["late"], found["owner"]) == (due, True, "desk-1")


async def test_questions_of_clients_and_visitors_have_an_owner_and_become_contacts(
    branch: World, office: Office
) -> None:
    stage = classification.LifecycleStretch(since=FIRST, lifecycle="GROWING")
    trades = classification.LifecycleChanged(
        client_id="u-2", branch_id="B1", revision=1, changed_from=FIRST, previous="ESTABLISHED", stretches=[stage]
    )
    await branch.publish(*people(), opened("u-2", manager_id="max"), opened("u-3"), trades)
    await branch.settle()
    own = client("u-2")
    await office.post(client("u-3"), "/clients/u-3/questions", {"zone": "investment", "words": "which shares?"}, 403)
    one = await office.post(own, "/clients/u-2/questions", {"zone": "investment", "words": "mine is 13800138000, ok?"})
    assert (one["owner"], one["state"], one["late"]) == ("max", "open", False)
    assert "13800138000" not in one["words"]
    assert (await office.call(client("u-3"), "GET", f"/questions/{one['question_id']}")).status_code == 404
    assert (await office.call(ELSEWHERE, "GET", f"/questions/{one['question_id']}")).status_code == 404
    path = f"/questions/{one['question_id']}"
    handed = await office.call(MANAGER, "POST", f"{path}/hand-on", {"person": "anna"}, **{"if-match": '"0"'})
    assert (handed.status_code, handed.json()["owner"]) == (200, "anna"), handed.text
    await office.post(MANAGER, f"{path}/hand-on", {"person": "anna"}, 428)
    answered = await office.post(DESK, f"{path}/answer", {"words": "稳赚 is nothing we say"}, 200)
    assert (answered["answered_by"], answered["state"]) == ("desk-1", "answered")
    [contact] = (await office.get(COMPLIANCE, "/clients/u-2/contacts"))["items"]
    assert (contact["source"], contact["channel"], contact["valid"], contact["flags"]) == (
        "questions", "online", True, ["forbidden:稳赚"],
    )  # fmt: skip
    assert [one.kind for one in await told(branch, FindingRaised, "u-2")] == ["forbidden_word"]
    assert (await office.get(own, path))["answer"] == "稳赚 is nothing we say"
    sheet = await office.get(MANAGER, "/clients/u-2/information")
    assert next(one for one in sheet["indicators"] if one["code"] == "CI-S18")["value"] == "1"
    visitor = await office.post(SYSTEM, "/questions", {"visitor": "web-17", "branch_id": "B1", "words": "your hours?"})
    assert (visitor["client_id"], visitor["zone"], visitor["owner"]) == (None, "business", "HQ")
    assert visitor["question_id"] in [one["question_id"] for one in (await office.get(DESK, "/questions"))["items"]]
    other = await office.post(own, "/clients/u-2/questions", {"zone": "business", "words": "never mind"})
    assert (await office.post(own, f"/questions/{other['question_id']}/withdraw", None, 200))["state"] == "withdrawn"


async def test_every_act_of_a_question_in_every_state_by_everybody(branch: World) -> None:
    await branch.publish(*people(), opened("u-9"))
    await branch.settle()
    centre = Actor("cc", Role.AGENT, branch_id="HQ", seats=frozenset({("HQ", "call_centre")}), purpose="service")
    walkers = {"desk": DESK, "centre": centre, "elsewhere": ELSEWHERE, "client": client("u-9"), "other": client("u-2")}

    async def make(uow: Any, sort: str) -> UUID:
        own = sort == "client"
        uow.actor = client("u-9") if own else SYSTEM
        asked = Asked("u-9" if own else None, None if own else "web-1", "B1", "business", "online", "when?")
        made = await questions.ask(uow, asked)
        uow.actor = PLATFORM
        return made.question_id

    bodies = {
        "answer": lambda _: questions.Answer(words="at nine"),
        "hand_on": lambda _: questions.HandingOn(person="max"),
    }
    await Walk(branch, "relationships", questions.ACTS, walkers, make, ("client", "visitor"), bodies).run()


async def test_a_client_who_comes_is_a_contact_and_what_stays_open_a_question(branch: World, office: Office) -> None:
    await branch.publish(*people(), opened("r-1", manager_id="max"))
    await branch.settle()
    came = {
        "own": True, "papers": ["id_card", "fund_card"], "needs": ["fund_business"], "forms": ["fund_application"],
        "account_checked": True, "risk_explained": True, "waited_minutes": 12, "apologised": True,
        "words": "wants a bond fund", "unanswered": "fees of class C", "grumble": True, "mood": "annoyed",
    }  # fmt: skip
    one = await office.post(DESK, "/clients/r-1/receptions", came)
    [contact] = (await office.get(MANAGER, "/clients/r-1/contacts"))["items"]
    assert (contact["contact_id"], contact["channel"], contact["valid"]) == (one["contact_id"], "counter", True)
    assert (contact["person"], contact["topics"]) == ("desk-1", ["fund_business"])
    assert [one.mood for one in await told(branch, GrumbleHeard, "r-1")] == ["annoyed"]
    asked = await office.get(MANAGER, f"/questions/{one['question_id']}")
    assert (asked["owner"], asked["words"], asked["through"]) == ("desk-1", "fees of class C", "on_site")
    day = business_date(utc_now())
    listed = await office.get(DIRECTOR, f"/receptions?since={day - DAY}&until={day + DAY}&client_id=r-1")
    assert [each["reception_id"] for each in listed["items"]] == [one["reception_id"]]
    assert (await office.get(ELSEWHERE, f"/receptions?since={day - DAY}&until={day + DAY}"))["items"] == []
    for wrong, pointer in (
        ({"needs": ["dance"]}, "/needs/0"), ({"apologised": False}, "/apologised"), ({"risk_explained": False}, "/risk_explained"),
    ):  # fmt: skip
        refused = await office.post(DESK, "/clients/r-1/receptions", {**came, **wrong}, 422)
        assert [error["pointer"] for error in refused["errors"]] == [pointer]
    other = await office.post(
        DESK, "/clients/r-1/receptions", {"own": False, "papers": ["id_card"], "needs": ["other"]}
    )
    assert other["question_id"] is None
    contact = (await office.get(MANAGER, "/clients/r-1/contacts"))["items"][0]
    assert not contact["valid"]  # somebody else came


async def test_a_paper_log_of_a_thousand_rows_of_which_three_are_wrong(branch: World, office: Office) -> None:
    await branch.publish(
        *people(), *(opened(f"p-{n}", manager_id="max") for n in range(10)), opened("p-x", branch="B9")
    )
    await branch.settle()
    day = business_date(utc_now()) - 60 * DAY
    rows = [
        {
            "client_id": f"p-{n % 10}", "person": "max", "channel": "phone", "direction": "out", "two_way": "是",
            "at": (at(day, 9) + timedelta(minutes=n)).isoformat(), "topics": "care bonds", "words": f"no {n}",
        }
        for n in range(1000)
    ]  # fmt: skip
    rows[7] |= {"channel": "pigeon"}
    rows[400] |= {"client_id": "p-x"}
    rows[999] |= {"client_id": "p-8", "at": rows[998]["at"]}
    scan = {"scan": "scans/1", "rows": rows}
    count = "SELECT count(*) FROM contacts WHERE client_id LIKE 'p-%'"
    refused = await office.post(DIRECTOR, "/contacts/paper", {**scan, "take": "all"}, 422)
    pointers = [error["pointer"] for error in refused["errors"]]
    assert pointers == ["/rows/7/channel", "/rows/400/client_id", "/rows/999"]
    assert await branch.value("relationships", count) == 0
    taken = await office.post(DIRECTOR, "/contacts/paper", {**scan, "take": "good"})
    assert (taken["new"], taken["known"], [one["row"] for one in taken["refused"]]) == (997, 0, [7, 400, 999])
    assert taken["refused"][1]["errors"][0]["detail"] == "no such client"
    rows[7]["channel"] = "phone"
    taken = await office.post(DIRECTOR, "/contacts/paper", {**scan, "take": "good"})
    assert (taken["new"], taken["known"], [one["row"] for one in taken["refused"]]) == (1, 997, [400, 999])
    rows[999]["at"] = (at(day, 9) + timedelta(minutes=2000)).isoformat()  # mended, and sent with one that is known
    taken = await office.post(DIRECTOR, "/contacts/paper", {**scan, "take": "all", "rows": [rows[999], rows[3]]})
    assert (taken["new"], taken["known"]) == (1, 1)
    assert await branch.value("relationships", count) == 999
    prospect = (await office.post(MANAGER, "/prospects", {"source": "call", "name": "单"}))["prospect_id"]
    one = (await office.get(MANAGER, "/clients/p-3/contacts?limit=1"))["items"][0]
    assert (one["source"], one["entered_by"], one["flags"], one["topics"]) == (
        "staff",
        "dora",
        ["late"],
        ["care", "bonds"],
    )
    for row, name in (
        ({"at": (utc_now() + DAY).isoformat()}, "at"), ({"at": at(date(2024, 3, 1), 9).isoformat()}, "at"),
        ({"person": "nobody"}, "person"), ({"valid": "maybe"}, "valid"), ({"colour": "red"}, "colour"),
        ({"client_id": prospect, "grumble": "是"}, "grumble"),
    ):  # fmt: skip
        body = {"scan": "scans/2", "take": "good", "rows": [{**rows[0], **row}]}
        found = await office.post(DIRECTOR, "/contacts/paper", body)
        assert found["refused"][0]["errors"][0]["pointer"] == f"/rows/0/{name}"
    body = {"scan": "scans/3", "take": "all", "rows": [{**rows[0], "person": "anna"}]}
    await office.post(MANAGER, "/contacts/paper", body, 422)  # others' are entered by who leads them
