"""A known complaint comes again with other content: an operator accepts it or leaves what is known."""

from datetime import date
from typing import Any

from chassis.clock import end_of
from chassis.personal.reading import open_columns
from contracts import complaints
from tests.complaints.desk import CENTRE, OFFICER, Desk, march
from tests.complaints.test_bad_input import LETTER, TOLD
from tests.complaints.test_imports import received
from tests.world import OPERATOR


async def decide(desk: Desk, decision: str = "accepted", status: int = 200) -> Any:
    """Decide the newest open conflict, over HTTP."""
    async with desk.world.client("complaints", OPERATOR) as http:
        found = (await http.get("/v1/complaints/operations/conflicts")).json()["items"]
        body = {"decision": decision, "reason": "checked with the source"}
        answer = await http.post(f"/v1/complaints/operations/conflicts/{found[-1]['id']}/decision", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_an_imports_other_content_is_put_in_place_of_the_first(desk: Desk) -> None:
    await desk.world.publish(received(1, client_id="c-1", product="fund", words="净值下跌"))
    other = received(
        1, client_id="c-1", branch_id="B2", product="bond", words=TOLD, received_at=march(27, 9),
        dispatched_at=march(28, 10), severity="major",
    )  # fmt: skip
    await desk.world.publish(other)
    await desk.world.settle()
    before = (await desk.world.rows("complaints", "SELECT * FROM cases"))[0]
    assert (before["branch_id"], before["dispatch_met"]) == ("B1", True)
    await decide(desk)
    (row,) = await desk.world.rows("complaints", "SELECT * FROM cases")
    assert (row["branch_id"], row["product"], row["severity"], row["received_on"], row["dispatch_met"]) == (
        "B2", "bond", "major", date(2009, 3, 27), False,
    )  # fmt: skip
    assert (row["dispatched_at"], row["due_on"], row["state"]) == (march(28, 10), date(2009, 4, 1), "dispatched")
    assert "13812345678" not in row["words"]
    original = await open_columns(
        desk.world.database("complaints"), f"case:{row['case_id']!s}", {"words": row["original"]}
    )
    assert original == {"words": TOLD}
    (found,) = (await desk.get(CENTRE, "/cases?q=净值"))["items"]
    assert found["case_id"] == str(row["case_id"])
    assert (await desk.get(CENTRE, "/cases?q=bond"))["items"] != []
    what = await desk.world.rows("complaints", "SELECT detail FROM act_steps WHERE act = 'corrected'")
    assert {"branch_id", "product", "words"} <= set(what[0]["detail"]["fields"])
    # What was accepted is what is known now; the first content would be the other one.
    await desk.world.publish(other)
    await desk.world.settle()
    assert await desk.world.value("complaints", "SELECT count(*) FROM conflicts WHERE decision IS NULL") == 0


async def test_an_order_told_later_is_sent_at_its_own_time(desk: Desk) -> None:
    await desk.world.publish(received(1, dispatched_at=None), received(1))
    await desk.world.settle()
    assert (await desk.world.rows("complaints", "SELECT state FROM cases"))[0]["state"] == "accepted"
    await decide(desk)
    await desk.close(27)
    (row,) = await desk.world.rows("complaints", "SELECT state, dispatch_met, dispatched_at FROM cases")
    assert (row["state"], row["dispatch_met"], row["dispatched_at"]) == ("dispatched", True, march(26, 10))
    assert await desk.told(complaints.CaseBreached) == []


async def test_a_regulators_new_date_moves_the_clock(desk: Desk) -> None:
    """C7: the date given."""
    case = await desk.open(at=march(26), **LETTER)
    await desk.open(at=march(26), status=200, **(LETTER | {"reply_due_on": "2009-04-10", "claim": "900000"}))
    await decide(desk)
    row = await desk.case(case)
    assert (row["reply_due_on"], row["due_on"], row["claim"]) == (date(2009, 4, 10), date(2009, 4, 10), 900000)
    (clock,) = await desk.world.rows("complaints", "SELECT due FROM clocks WHERE clock = 'result'")
    assert clock["due"] == end_of(date(2009, 4, 10))
    assert await desk.world.value("complaints", "SELECT due FROM deadlines WHERE kind = 'result'") > march(31)


async def test_other_content_may_make_a_case_major(desk: Desk) -> None:
    case = await desk.open(external_ref="7", at=march(26))
    await desk.open(external_ref="7", at=march(26), status=200, allegations=["私售"])
    await decide(desk)
    assert (await desk.case(case))["severity"] == "major"
    assert len(await desk.told(complaints.MajorReported, case)) == 1


async def test_a_client_learned_later_takes_the_case_over(desk: Desk) -> None:
    case = await desk.open(external_ref="7", at=march(26), client_id=None)
    await desk.open(external_ref="7", at=march(26), status=200, client_id="c-li")
    await decide(desk)
    row = await desk.case(case)
    assert (row["client_id"], row["key"]) == ("c-li", "c-li")
    assert await desk.world.rows("complaints", "SELECT FROM deadlines WHERE key LIKE 'case:%'") == []
    assert await desk.world.rows("complaints", "SELECT FROM clocks WHERE key LIKE 'case:%'") == []


async def test_what_is_fixed_at_intake_is_refused_and_what_is_rejected_changes_nothing(desk: Desk) -> None:
    case = await desk.open(external_ref="7", at=march(26))
    await desk.open(external_ref="7", at=march(26), status=200, kind="enquiry")
    refused = await decide(desk, status=409)
    assert (refused["type"], refused["differs"]) == ("/problems/uncorrectable", ["kind"])
    await decide(desk, "rejected")
    await desk.open(OFFICER, external_ref="7", at=march(26), status=200, branch_id=None)
    assert (await decide(desk, status=409))["differs"] == ["flow"]
    await decide(desk, "rejected")
    row = await desk.case(case)
    assert (row["kind"], row["revision"]) == ("complaint", 1)
