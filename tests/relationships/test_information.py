"""What is known of a client: events and people fill it, as of any day [CI1 to CI9]."""

import json
from datetime import date, timedelta
from itertools import permutations

from chassis.clock import at
from contracts import broker, classification
from contracts.base import Amount
from contracts.fields import decode_custom
from services.relationships.information import score_all, sheets
from services.relationships.policy import Policies
from tests.relationships.conftest import (
    DESK,
    DIRECTOR,
    ELSEWHERE,
    HQ,
    MANAGER,
    OPENED,
    SYSTEM,
    Office,
    client,
    close,
    opened,
)
from tests.world import World

ID_NUMBER = "11010519491231002X"
DAY = timedelta(days=1)


def amount(text: str) -> Amount:
    found: Amount = decode_custom(Amount, text)
    return found


def line(sheet, code: str):
    return next(one for one in sheet["indicators"] if one["code"] == f"CI-{code}")


async def test_the_score_of_what_is_valid(office: Office) -> None:
    indicators = Policies.information.shipped[0].body.indicators.values()
    valid = [one.code for one in indicators if not one.entered] + ["CI-P08", "CI-P34", "CI-P12"]
    assert await office.post(HQ, "/information/score", {"set": "C", "valid": valid}, 200) == {
        "whole": "69.3",
        "entered": "13.6",
    }
    wrong = await office.post(HQ, "/information/score", {"set": "C", "valid": ["CI-P08", "CI-X99"]}, 422)
    assert [error["pointer"] for error in wrong["errors"]] == ["/valid/1"]


async def test_events_fill_what_systems_know_and_people_fill_the_rest(branch: World, office: Office) -> None:
    await branch.publish(
        opened("f-1", kind="individual", manager_id="max", name="单雄信", phone="13812345678", id_number=ID_NUMBER),
        broker.AssetsValued(client_id="f-1", as_of=OPENED, total_assets=amount("100.00"), cash=amount("1.00")),
        broker.PermissionGranted(client_id="f-1", permission="options", at=at(OPENED, 10)),
    )
    await branch.settle()
    sheet = await office.get(MANAGER, f"/clients/f-1/information?as_of={OPENED}")
    assert (sheet["set"], sheet["whole"], sheet["entered"], sheet["target"]) == ("N", "46.3", "12.0", 60)
    assert line(sheet, "A12")["value"] == "100.00"
    assert (line(sheet, "P01")["state"], line(sheet, "P01")["value"], line(sheet, "P01")["source"]) == (
        "stated",
        None,
        "S",
    )
    assert line(sheet, "A09")["value"] == "options"
    assert line(sheet, "S20")["kept_by"] == "points"
    # A missing valuation is not filled beyond seven days [CI4].
    assert line(await office.get(MANAGER, f"/clients/f-1/information?as_of={OPENED + DAY * 7}"), "A12")["counts"]
    assert not line(await office.get(MANAGER, f"/clients/f-1/information?as_of={OPENED + DAY * 8}"), "A12")["counts"]
    assert [gap["code"] for gap in sheet["gaps"]] == ["CI-C16", "CI-P17", "CI-P32", "CI-S21", "CI-P10"]
    now = await office.enter(MANAGER, "f-1", P17="teacher", C16="none")
    assert line(now, "P17")["value"] == "teacher"
    refused = {"values": [{"code": "CI-P14", "state": "refused"}]}
    now = await office.post(MANAGER, "/clients/f-1/information", refused)
    # 2 and 2 of 25, and half of 1: the number of the opening has aged.
    assert (now["entered"], line(now, "P14")["state"], line(now, "P14")["counts"]) == ("18.0", "refused", True)
    assert (line(now, "P08")["state"], line(now, "P08")["counts"]) == ("stated", False)


async def test_values_are_checked_as_they_are_entered_and_passed_with_a_reason(branch: World, office: Office) -> None:
    born = date(1950, 1, 1)
    await branch.publish(
        opened("f-2", birth_date=born),
        broker.PermissionGranted(client_id="f-2", permission="options", at=at(OPENED, 10)),
    )
    await branch.settle()
    doubtful = await office.enter(client("f-2"), "f-2", 422, P23="0", P10="nowhere")
    assert sorted(doubtful["checks"]) == ["email", "experience"]
    body = {
        "values": [{"code": "CI-P23", "value": "0"}],
        "passed": {"experience": "opened by mistake, call 13812345678"},
    }
    entered = await office.post(MANAGER, "/clients/f-2/information", body, 403)
    assert entered["codes"] == ["CI-P23"]
    await office.post(client("f-2"), "/clients/f-2/information", body)
    passed = line(await office.get(MANAGER, "/clients/f-2/information"), "P23")["passed"]
    assert passed.startswith("experience: opened by mistake")
    assert "13812345678" not in passed
    assert (await office.enter(SYSTEM, "f-2", 422, P05=ID_NUMBER))["checks"] == ["birth_date"]
    assert (await office.enter(SYSTEM, "f-2", 422, P06="01.02.2030"))["errors"][0]["pointer"] == "/values/0/value"
    empty = await office.post(MANAGER, "/clients/f-2/information", {"values": [{"code": "CI-P17"}]}, 422)
    assert empty["errors"][0]["pointer"] == "/values/0/value"
    # Systems' codes are never typed, nor what comes by events alone; and a branch enters its own clients'.
    assert (await office.enter(MANAGER, "f-2", 403, C12="HIGH"))["codes"] == ["CI-C12"]
    assert (await office.enter(SYSTEM, "f-2", 403, A12="100.00"))["codes"] == ["CI-A12"]
    await office.enter(ELSEWHERE, "f-2", 404, P17="teacher")
    await office.enter(client("f-1"), "f-2", 404, P17="teacher")


async def test_what_is_personal_is_sealed_and_read_through_one_door(branch: World, office: Office) -> None:
    await branch.publish(opened("f-3", name="仇·解"))
    await branch.settle()
    await office.enter(client("f-3"), "f-3", P08="13812345678", P12="上海市浦东新区世纪大道1号", P17="律师")
    own = await office.get(client("f-3"), "/clients/f-3/information/personal")
    assert own["values"] == {"CI-P01": "仇·解", "CI-P08": "13812345678", "CI-P12": "上海市浦东新区世纪大道1号"}
    masked = await office.get(HQ, "/clients/f-3/information/personal")
    assert (masked["in_full"], masked["values"]["CI-P08"], masked["values"]["CI-P01"]) == (False, "138****5678", "仇**")
    stored = str(await branch.rows("relationships", "SELECT * FROM information_values WHERE client_id = 'f-3'"))
    assert "13812345678" not in stored
    assert "律师" in stored
    told = await branch.rows(
        "relationships", "SELECT value FROM bus.log WHERE type = 'relationships.profile.changed' AND key = 'f-3'"
    )
    assert set(json.loads(told[0]["value"])["sealed"]) == {"phone", "address"}
    assert len(told) == 1


async def test_the_clients_own_word_beats_the_staffs_of_a_day(branch: World, office: Office) -> None:
    await branch.publish(opened("f-4"))
    await branch.settle()
    await office.enter(client("f-4"), "f-4", P17="painter")
    await office.enter(MANAGER, "f-4", P17="teacher")
    assert line(await office.get(MANAGER, "/clients/f-4/information"), "P17")["value"] == "painter"
    # A mobile number is the client's own only with evidence: the counter saw it ring [B13].
    await office.enter(client("f-4"), "f-4", P08="13811111111")
    await office.enter(DESK, "f-4", P08="13822222222")
    read = await office.get(client("f-4"), "/clients/f-4/information/personal")
    assert read["values"]["CI-P08"] == "13822222222"
    assert line(await office.get(DIRECTOR, "/clients/f-4/information"), "P08")["person"] == "desk-1"


async def test_one_score_is_the_same_from_the_rule_and_for_everybody_at_once(branch: World, office: Office) -> None:
    """Whatever order the facts come in."""
    day = OPENED + DAY * 40
    facts = [
        classification.MonthEvaluated(
            client_id="g-1", branch_id="B1", month_end=date(2024, 3, 31), revision=1, mean_assets=amount("5.00"),
            value=amount("7.00"), investor_type="TRADER",
        ),
        classification.CoreChanged(
            client_id="g-1", branch_id="B1", revision=1, changed_from=date(2024, 4, 1),
            stretches=[classification.CoreStretch(since=date(2024, 4, 1), core=True)],
        ),
        classification.ClassChanged(
            client_id="g-1", branch_id="B1", revision=2, effective_on=date(2024, 4, 1), code="B+", previous="C"
        ),
        classification.SupplementaryChanged(
            client_id="g-1", branch_id="B1", revision=1, kind="STYLE", codes=["STYLE:F"]
        ),
    ]  # fmt: skip
    found = []
    for n, order in enumerate(permutations(facts)):
        ids = [f"g{n}-{one.type}" for one in order]
        own = [
            type(one)(**{**{f: getattr(one, f) for f in one.__struct_fields__}, "client_id": f"g-{n}"}) for one in order
        ]
        for one, event_id in zip(own, ids, strict=True):
            await branch.publish(one, id=event_id, at=at(date(2024, 4, 1), 9))
        await branch.publish(
            opened(f"g-{n}"), broker.ClientUpdated(client_id=f"g-{n}", phone="13812345678"), at=at(OPENED, 9)
        )
    await branch.publish(opened("g-lost", branch="B2"), broker.ClientClosed(client_id="g-lost", closed_on=OPENED + DAY))
    await branch.publish(broker.ClientUpdated(client_id="g-none", branch_id="B2"), at=at(OPENED, 9))
    await branch.settle()
    clients = [f"g-{n}" for n in range(24)] + ["g-lost", "g-none", "f-1", "f-3", "f-4"]
    async with branch.sql("relationships") as sql:
        policy = (await Policies.read(sql)).information.on(day)
        for looked in (OPENED, day, date(2099, 1, 1)):
            one_by_one = await sheets(sql, clients, looked, policy)
            together = {row["client_id"]: row for row in await score_all(sql, clients, looked, policy)}
            for client_id, sheet in one_by_one.items():
                row = together[client_id]
                assert (row["of"], row["whole"], row["entered"]) == (sheet.of, sheet.scores.whole, sheet.scores.entered)
            found = [(one_by_one[f"g-{n}"].of, one_by_one[f"g-{n}"].scores) for n in range(24)]
            assert len(set(found)) == 1
            if looked == day:
                assert found[0][0] == "C"
                assert (one_by_one["g-lost"].of, one_by_one["g-none"].of) == ("L", "P")


async def test_a_months_end_keeps_everybodys_scores(branch: World, office: Office) -> None:
    await branch.publish(opened("m-1", branch="B3"), opened("m-2", branch="B3", on=date(2024, 4, 2)))
    await close(branch, date(2024, 3, 30))
    await close(branch, date(2024, 4, 1))
    rows = await office.get(HQ, "/information/completeness?month_end=2024-03-31")
    assert {row["set"]: (row["clients"], row["reached"]) for row in rows if row["branch_id"] == "B3"} == {
        "N": (1, 0),
        "P": (1, 0),
    }
    assert await office.get(ELSEWHERE, "/information/completeness?month_end=2024-03-31") == []
    exported = await branch.rows("relationships", "SELECT count(*) AS n FROM clients")
    from services.relationships.exports import information_scores

    async with branch.sql("relationships") as sql:
        lines = [one async for one in information_scores(sql, date(2024, 3, 31))]
    assert len(lines) == exported[0]["n"]
    assert lines == sorted(lines)
    [row] = [one for one in lines if one[0] == "m-1"]
    kept = await branch.rows("relationships", "SELECT whole, entered FROM completeness WHERE client_id = 'm-1'")
    assert row[3:5] == (str(kept[0]["whole"]), str(kept[0]["entered"]))
