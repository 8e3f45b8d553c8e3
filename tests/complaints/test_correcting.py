"""A wrong branch, category or client is put right by an act, with the reason; the clocks follow [C1, C4, C11]."""

from datetime import date

from chassis.clock import at as clock_at
from contracts import complaints
from contracts.broker import ClientOpened
from tests.complaints.desk import CENTRE, ELSEWHERE, FEEDBACK, OFFICER, Desk, march


async def test_c4_an_order_to_the_wrong_branch_counts_from_when_it_reached_the_right_one(desk: Desk) -> None:
    """The old branch sees it no more, the new one has the ticket and a day for the phone notice; sent late it is a breach."""
    case = await desk.open()
    await desk.ordered(case)
    due = (await desk.case(case))["due_on"]
    await desk.act(CENTRE, case, "correction", march(27), branch_id="B2", reason="客户说错营业部")
    row = await desk.case(case)
    assert (row["branch_id"], row["dispatch_met"], row["phoned_in"], row["due_on"]) == ("B2", False, None, due)
    (ticket,) = await desk.world.rows("complaints", "SELECT branch_id, addressees, phoned_at FROM tickets")
    assert ticket["branch_id"] == "B2"
    assert ticket["phoned_at"] is None
    assert {one["staff_id"][:2] for one in ticket["addressees"]} == {"B2"}
    phone = await desk.world.value("complaints", "SELECT due FROM deadlines WHERE kind = 'phone'")
    assert phone == clock_at(date(2009, 3, 28), 0)
    (breach,) = await desk.told(complaints.CaseBreached, case)
    assert "/dispatch/" in breach
    (told,) = await desk.told(complaints.CaseCorrected, case)
    assert told.endswith("/new")
    await desk.get(OFFICER, f"/cases/{case['case_id']}", 404)
    assert (await desk.get(ELSEWHERE, f"/cases/{case['case_id']}"))["branch_id"] == "B2"
    step = await desk.world.value("complaints", "SELECT detail FROM act_steps WHERE act = 'correct'")
    assert (step["wrong"], step["right"]) == ({"branch_id": "B1"}, {"branch_id": "B2"})
    assert step["reason"] == "客户说错营业部"


async def test_c11_the_right_client_is_told_under_the_new_key_the_wrong_one_under_the_old(desk: Desk) -> None:
    """Clocks and deadlines go by the new key; who asks the complainant hears when the branch fed back."""
    await desk.world.publish(ClientOpened(client_id="c-wang", branch_id="B1", opened_on=date(2009, 1, 5)))
    await desk.world.settle()
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(OFFICER, case, "investigation", march(26, 13))
    await desk.act(OFFICER, case, "feedback", march(26, 14), **FEEDBACK)
    await desk.act(CENTRE, case, "correction", march(26, 15), client_id="c-wang", category="trading", reason="同名客户")
    told = await desk.told(complaints.CaseCorrected, case)
    assert sorted(one.rsplit("/", 1)[1] for one in told) == ["new", "old"]
    schema = desk.world.database("complaints").log.schema
    async with desk.world.database("complaints").reading() as sql:
        rows = await sql.fetch(
            f"SELECT key, convert_from(value, 'UTF8')::jsonb AS body FROM {schema}.log WHERE type = $1 ORDER BY id",
            complaints.CaseCorrected.type,
        )
    assert {row["key"]: row["body"]["client_id"] for row in rows} == {"c-li": "c-li", "c-wang": "c-wang"}
    assert {row["body"]["fed_back_at"] for row in rows} == {"2009-03-26T06:00:00Z"}
    keys = await desk.world.rows("complaints", "SELECT key FROM clocks UNION SELECT key FROM deadlines")
    assert {row["key"] for row in keys} == {"c-wang"}


async def test_what_is_unknown_or_no_correction_is_refused(desk: Desk) -> None:
    """The branch cannot correct a case away from itself; nobody corrects it to what there is not."""
    case = await desk.open()
    await desk.act(OFFICER, case, "correction", status=403, branch_id="B2", reason="不是我部客户")
    for wrong in ({"branch_id": "B9"}, {"client_id": "c-nobody"}, {"branch_id": "B1"}, {}):
        await desk.act(CENTRE, case, "correction", march(26, 11), 422, reason="更正", **wrong)
