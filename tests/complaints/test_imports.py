"""Complaints of other systems: the fixed mapping, orders and seats in any order, repeats, conflicts, the radar."""

import csv
import gzip
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careline.replay.complaints import COLUMNS, read_complaints
from careline.replay.files import UnreadableData
from careline.replay.roster import FROM, roster
from careline.replay.source import messages
from chassis.calendar import shipped
from chassis.clock import at
from chassis.clocks import WorkingDays
from contracts import complaints
from contracts.broker import ComplaintReceived
from services.complaints import exports
from services.complaints.rules import due_day
from tests.complaints.desk import COMPLIANCE, Desk, march
from tests.reference.workdays import on_or_after


def received(number: int = 1, day: int = 26, **more: object) -> ComplaintReceived:
    given: dict[str, object] = {
        "system": "cfpb", "external_ref": str(number), "branch_id": "B1", "received_at": march(day, 9),
        "dispatched_at": march(day, 10), "channel": "web_form", "severity": "ordinary", "owner": "HQ-CS-1",
    }  # fmt: skip
    return ComplaintReceived(**{**given, **more})  # type: ignore[arg-type]


async def states(desk: Desk) -> list[tuple[str, bool | None]]:
    rows = await desk.world.rows(
        "complaints", "SELECT state, dispatch_met FROM cases WHERE imported ORDER BY external_ref"
    )
    return [(row["state"], row["dispatch_met"]) for row in rows]


async def test_an_order_of_the_day_is_met_and_a_later_one_missed_when_its_day_is_over(desk: Desk) -> None:
    await desk.world.publish(received(1), received(2, dispatched_at=march(30, 10)), received(3, dispatched_at=None))
    await desk.world.settle()
    assert await states(desk) == [("dispatched", True), ("accepted", None), ("accepted", None)]
    await desk.close(26)
    assert await states(desk) == [("dispatched", True), ("accepted", False), ("accepted", False)]
    await desk.close(30)
    assert await states(desk) == [("dispatched", True), ("dispatched", False), ("accepted", False)]
    (row,) = await desk.world.rows("complaints", "SELECT dispatched_at FROM cases WHERE external_ref = '2'")
    assert row["dispatched_at"] == march(30, 10)
    assert len(await desk.told(complaints.CaseBreached)) == 2
    assert await desk.world.rows("complaints", "SELECT FROM clocks") == []  # no result clock: no answer is known


@pytest.mark.both_buses
async def test_an_order_read_before_its_seats_is_completed_at_its_own_time(bare: Desk) -> None:
    """C5, C28: the seats come after the day has been closed."""
    await bare.world.publish(received())
    await bare.world.settle()
    await bare.close(27)
    assert await states(bare) == [("accepted", False)]
    await bare.world.publish(*roster(["B1"]), at=FROM)
    await bare.world.settle()
    assert await states(bare) == [("dispatched", True)]
    (row,) = await bare.world.rows("complaints", "SELECT dispatched_at FROM cases")
    assert row["dispatched_at"] == march(26, 10)


async def test_a_branch_with_an_empty_seat_gets_nothing(bare: Desk) -> None:
    people = [one for one in roster(["B1"]) if getattr(one, "staff_id", "") != "B1-director"]
    alone = [one if not hasattr(one, "deputies") else type(one)(**{
        name: getattr(one, name) for name in one.__struct_fields__ if name != "deputies"}) for one in people]  # fmt: skip
    await bare.world.publish(*alone, at=FROM)
    await bare.world.publish(received())
    await bare.world.settle()
    assert await states(bare) == [("accepted", None)]


async def test_the_same_fact_again_changes_nothing_and_another_content_waits_for_an_operator(desk: Desk) -> None:
    sent = await desk.world.publish(received())
    await desk.world.settle()
    await desk.world.redeliver(sent, id="again")
    await desk.world.publish(received(owner="HQ-CS-9"), received(owner="HQ-CS-9"))
    await desk.world.settle()
    assert await desk.world.value("complaints", "SELECT count(*) FROM cases") == 1
    (conflict,) = await desk.world.rows("complaints", "SELECT identity, offered FROM conflicts")
    assert (conflict["identity"], conflict["offered"]["owner"]) == ("cfpb/1", "HQ-CS-9")
    assert len(await desk.told(complaints.CaseOpened)) == 1


async def test_clusters_raise_one_alarm_until_seven_quiet_days_and_never_the_severity_of_an_import(desk: Desk) -> None:
    """C17: three in seven days; the fourth prolongs the alarm; after a quiet week three more raise a new one."""
    days = [2, 4, 6, 12, 20, 21, 22]
    await desk.close(1)
    await desk.world.publish(*(received(n, day, product="fund") for n, day in enumerate(days)))
    await desk.world.settle()
    await desk.close(31)
    alarms = await desk.world.rows(
        "complaints", "SELECT opened_on, last_on, cases FROM alarms WHERE dimension = 'product' ORDER BY opened_on"
    )
    assert [tuple(row.values()) for row in alarms] == [
        (date(2009, 3, 6), date(2009, 3, 12), 4),
        (date(2009, 3, 22), date(2009, 3, 22), 3),
    ]
    assert {row["severity"] for row in await desk.world.rows("complaints", "SELECT severity FROM cases")} == {
        "ordinary"
    }
    (newest, *_) = await desk.items(COMPLIANCE, "/alarms")
    review = {"root_cause": "宣传材料", "action": "重印", "owner": "HQ-sales", "due_on": "2009-04-30"}
    answer = await desk.call(COMPLIANCE, "POST", f"/alarms/{newest['alarm_id']}/review", review)
    assert answer.json()["root_cause"] == "宣传材料"


async def test_a_late_case_has_its_day_judged_again(desk: Desk) -> None:
    await desk.world.publish(received(1, 2), received(2, 3))
    await desk.world.settle()
    await desk.close(10)
    await desk.world.publish(received(3, 4))
    await desk.world.settle()
    assert await desk.world.value("complaints", "SELECT count(*) FROM alarms WHERE dimension = 'branch'") == 1


def write(folder: Path, *rows: dict[str, str]) -> None:
    with gzip.open(folder / "complaints.csv.gz", "wt", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


async def test_rows_become_the_cases_the_mapping_says(desk: Desk, tmp_path: Path) -> None:
    write(
        tmp_path,
        {"complaint_id": "17", "received_on": "2009-03-01", "state": "B1", "submitted_via": "Web Referral",
         "sent_to_company_on": "2009-02-28", "quirk": "sent_before_received", "product": "Credit reporting"},
        {"complaint_id": "9", "received_on": "2009-03-02", "sent_to_company_on": "2009-03-03"},
    )  # fmt: skip
    data = read_complaints(tmp_path)
    assert (data.facts[0].day, data.last_close) == (date(2009, 3, 1), date(2009, 3, 31))
    assert data.branches == {"US-B1", "HQ"}
    await desk.world.publish(*roster(data.branches), at=FROM)
    await desk.world.settle()
    await desk.world.redeliver(list(messages(data.facts, desk.world.settings.partitions)))
    await desk.close(31)
    async with desk.world.sql("complaints") as sql:
        rows = [row[1:] async for row in exports.cases(sql)]
    head = ["external_ref,received_on,source,channel,flow,severity,state,owner,branch_id,dispatch_met,due_on"]
    assert [",".join(exports.CASE_COLUMNS[1:]), *(",".join(row) for row in rows)] == [
        *head,
        "17,2009-03-01,regulator,regulator_transfer,centre,major,dispatched,HQ-CS-7,US-B1,true,2009-03-16",
        "9,2009-03-02,client,not_recorded,centre,ordinary,dispatched,HQ-CS-9,HQ,false,2009-03-02",
    ]
    (case,) = (await desk.get(COMPLIANCE, "/cases?q=reporting"))["items"]
    assert case["attributes"] == {"product": "Credit reporting", "quirk": "sent_before_received"}
    assert UUID(case["case_id"])


def test_an_unknown_channel_names_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"complaint_id": "1", "received_on": "2009-03-01", "submitted_via": "Pigeon"})
    with pytest.raises(UnreadableData, match=r"line 2: submitted_via 'Pigeon'"):
        read_complaints(tmp_path)


@given(st.dates(date(2010, 1, 1), date(2023, 12, 31)), st.integers(0, 23), st.integers(0, 59))
def test_an_ordinary_case_is_due_on_its_working_day_or_the_next(day: date, hour: int, minute: int) -> None:
    """C6: at or after 17:30 it counts to the next day; lunch does not matter."""
    begins = day + timedelta(days=1) if (hour, minute) >= (17, 30) else day
    assert due_day(WorkingDays(0), at(day, hour, minute), shipped()) == on_or_after(begins)
