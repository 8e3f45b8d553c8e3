"""The radar's alarms lead to group cases: members linked, an action with a date, an end, and a return [C17]."""

from datetime import date
from uuid import UUID

import pytest

from chassis.actor import Actor, Role
from contracts import complaints
from services.complaints.groups import group_of_alarm
from tests.complaints.desk import CENTRE, COMPLIANCE, FEEDBACK, OFFICER, Desk, march
from tests.complaints.test_imports import received

REVIEW = {"root_cause": "宣传材料有误", "action": "收回重印", "owner": "HQ-sales", "due_on": "2009-03-20"}


async def alarms(desk: Desk) -> list[dict[str, object]]:
    found: list[dict[str, object]] = await desk.items(COMPLIANCE, "/alarms")
    return [one for one in found if one["dimension"] == "product"][::-1]


@pytest.mark.both_buses
async def test_an_alarm_leads_to_a_group_case_with_its_members(desk: Desk) -> None:
    """Go-beyond 6: three in seven days; the fourth joins; after a quiet week three more are another, which recurs."""
    await desk.close(1)
    days = [2, 4, 6, 12, 20, 21, 22]
    await desk.world.publish(*(received(n, day, branch_id=None, product="fund") for n, day in enumerate(days)))
    await desk.world.settle()
    await desk.close(12)
    (first,) = await alarms(desk)
    assert (first["cases"], first["recurs_after"], first["group_case_id"]) == (
        4,
        None,
        str(group_of_alarm(UUID(str(first["alarm_id"])))),
    )
    group = await desk.get(COMPLIANCE, f"/cases/{first['group_case_id']}")
    assert (group["kind"], group["owner"], group["due_on"], group["received_on"]) == (
        "cluster",
        "HQ-operations",
        None,
        "2009-03-06",
    )
    members = (await desk.get(COMPLIANCE, f"/alarms/{first['alarm_id']}/members?limit=3"))["items"]
    assert [one["state"] for one in members] == ["dispatched"] * 3  # each stays a case of its own
    member = await desk.get(COMPLIANCE, f"/cases/{members[0]['case_id']}/details")
    assert first["group_case_id"] in [link["other_id"] for link in member["links"]]
    # Who is on call was told, and answers.
    told = {one["step"] for one in await desk.items(COMPLIANCE.__class__("HQ-risk", CENTRE.role), "/escalations")}
    assert told == {"cluster"}
    await desk.act(
        CENTRE.__class__("HQ-risk", CENTRE.role), group, "escalations/alarm/cluster/acknowledgement", march(7)
    )

    # The action has an owner and a date; nobody carries it out in time.
    early = await desk.call(CENTRE, "POST", f"/alarms/{first['alarm_id']}/completion", {"evidence": "x"})
    assert early.status_code == 409
    reviewed = await desk.call(COMPLIANCE, "POST", f"/alarms/{first['alarm_id']}/review", REVIEW)
    assert (reviewed.status_code, reviewed.json()["root_cause"]) == (200, "宣传材料有误")
    await desk.close(22)
    breaches = [one for one in await desk.told(complaints.CaseBreached, group) if "corrective_action" in one]
    assert len(breaches) == 1
    first, second = await alarms(desk)
    assert (first["overdue"], first["cases"], second["cases"]) == (True, 4, 3)
    # It came back: the new group case names the old one.
    assert second["recurs_after"] == first["alarm_id"]
    links = (await desk.get(COMPLIANCE, f"/cases/{second['group_case_id']}/details"))["links"]
    assert (first["group_case_id"], "recurs_after") in [(link["other_id"], link["relation"]) for link in links]

    path = f"/alarms/{first['alarm_id']}/completion"
    done = await desk.call(CENTRE, "POST", path, {"evidence": "已收回", "at": march(23).isoformat()})
    assert (done.status_code, done.json()["done"]) == (200, True)
    assert (await desk.call(CENTRE, "POST", path, {"evidence": "已收回"})).status_code == 409
    assert (await desk.call(COMPLIANCE, "POST", f"/alarms/{first['alarm_id']}/review", REVIEW)).status_code == 409
    row = await desk.case(group)
    assert (row["state"], row["outcome"]) == ("closed", "corrected")
    assert (await desk.call(OFFICER, "GET", path.removesuffix("/completion") + "/members")).status_code == 403


async def test_a_late_case_joins_the_alarm_around_it(desk: Desk) -> None:
    """One alarm a cluster: a late case before its day makes no second one."""
    await desk.close(1)
    await desk.world.publish(*(received(n, day, branch_id=None, product="fund") for n, day in enumerate((2, 3, 5))))
    await desk.world.settle()
    await desk.close(10)
    await desk.world.publish(received(9, 4, branch_id=None, product="fund"))
    await desk.world.settle()
    (alarm,) = await alarms(desk)
    assert (alarm["opened_on"], alarm["last_on"], alarm["cases"]) == ("2009-03-05", "2009-03-05", 4)
    await desk.close(11)
    assert len(await desk.told(complaints.ClusterAlarmed)) == 2  # the product's and headquarters' as the branch
    opened = await desk.world.rows("complaints", "SELECT received_on FROM cases WHERE kind = 'cluster'")
    assert {row["received_on"] for row in opened} == {date(2009, 3, 5)}


async def test_a_group_case_has_no_complainant_to_answer(desk: Desk) -> None:
    await desk.close(1)
    for number in range(3):
        await desk.open(client_id=f"c-{number}", employee="m-1", at=march(2 + number))
    await desk.close(4)
    rows = await desk.world.rows("complaints", "SELECT * FROM cases WHERE kind = 'cluster' AND employee = 'm-1'")
    assert [list(row["concerned"]) for row in rows] == [["m-1"]]
    group = {"case_id": str(rows[0]["case_id"])}
    owner = Actor(rows[0]["owner"], Role.HQ, purpose="complaints")
    await desk.act(CENTRE, group, "acceptance", march(5), 403)
    await desk.act(owner, group, "acceptance", march(5))
    await desk.act(owner, group, "ticket", march(5), 409)
    await desk.act(owner, group, "rejection", march(5), 409, reason="x", further="y")
    await desk.act(owner, group, "investigation", march(5))
    await desk.act(OFFICER, group, "feedback", march(5), 404, **FEEDBACK)  # headquarters' case, not the branch's
    (found,) = [one for one in await desk.items(COMPLIANCE, "/alarms") if one["dimension"] == "employee"]
    path = f"/alarms/{found['alarm_id']}/review"
    answer = await desk.call(COMPLIANCE, "POST", path, REVIEW | {"owner": "m-1"})
    assert answer.status_code == 422  # whom it is about cannot put it right
