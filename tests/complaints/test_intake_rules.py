"""At the door: out of hours [C8], to the department it belongs to [C9], on the same day [C3]; and a bad end [A33]."""

from datetime import timedelta
from uuid import uuid4

from chassis.clock import utc_now
from contracts import callbacks, complaints
from tests.complaints.desk import CENTRE, COMPLIANCE, FEEDBACK, LI, OFFICER, Desk, march


async def test_who_complains_out_of_hours_is_called_on_the_next_working_day(desk: Desk) -> None:
    """C8: at 20:00 on Friday the call is due on Monday; a suggestion at 10:00 asks for none."""
    case = await desk.open(at=march(27, 20))
    await desk.open(at=march(27, 10), kind="suggestion")
    (prompt,) = await desk.items(CENTRE, "/prompts")
    assert (prompt["case_id"], prompt["state"], prompt["due"]) == (case["case_id"], "received", "2009-03-30T09:30:00Z")
    await desk.act(CENTRE, case, "contacts", march(30, 9), 201, channel="hotline", about="已回电")
    assert await desk.items(CENTRE, "/prompts") == []


async def test_a_case_nobody_was_asked_first_belongs_to_the_department_of_its_category(desk: Desk) -> None:
    """C9 (对口承办): never to whom it names; a category nobody knows goes to the operations centre."""
    owners = []
    for category, employee in (("product", None), ("product", "HQ-sales"), ("stars", None), ("conduct", None)):
        case = await desk.open(LI, channel="app", branch_id=None, category=category, employee=employee)
        owners.append((await desk.case(case))["owner"])
    assert owners[0] == "HQ-sales"
    assert owners[1] not in {"HQ-sales", "LI"}
    assert owners[2:] == ["HQ-operations", "HQ-compliance"]
    asked = await desk.open(CENTRE, category="product")
    assert asked["owner"] == "HQ-CS-1"  # first asked, first responsible


async def test_a_transfer_names_the_regulator_it_comes_from(desk: Desk) -> None:
    """C1: exactly one source and one channel, and they fit."""
    body = {"channel": "regulator_transfer", "words": "转办", "client_id": "c-li"}
    refused = await desk.call(CENTRE, "POST", "/cases", body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/source")
    taken = await desk.call(CENTRE, "POST", "/cases", body | {"source": "petition_office", "regulator_ref": "信访-1"})
    assert (taken.status_code, taken.json()["severity"]) == (201, "major")


async def test_a_branch_registers_on_the_day_it_was_told(real: Desk) -> None:
    """C3 (c): registered two days later is a breach of its own; the same day is none."""
    late = await real.open(OFFICER, at=utc_now() - timedelta(days=2), channel="branch_phone", branch_id=None)
    (told,) = [one for one in await real.told(complaints.CaseBreached, late) if "/registration/" in one]
    assert told
    assert "registration breached" in await real.what(late)
    same = await real.call(OFFICER, "POST", "/cases", {"channel": "on_site", "words": "刚到"})
    assert same.status_code == 201
    assert "registration breached" not in await real.what(same.json())


async def test_a_complaint_that_ends_badly_is_a_signal(desk: Desk) -> None:
    """A33: opened again after a bad answer, and no good one since."""
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(OFFICER, case, "feedback", march(26, 16), **FEEDBACK)
    await desk.answer(case, march(27), {"time": 1}, False)
    await desk.act(COMPLIANCE, case, "ticket", march(27, 11), 201)
    await desk.act(OFFICER, case, "feedback", march(27, 12), **FEEDBACK)
    assert await desk.told(complaints.ChurnSignalled) == []
    refused = callbacks.TaskCompleted(
        task_id=uuid4(), client_id="c-li", rule="satisfaction", outcome="refused", subject=case["case_id"],
        completed_at=march(30),
    )  # fmt: skip
    await desk.world.publish(refused)
    await desk.world.settle()
    assert (await desk.case(case))["outcome"] == "not_rated"
    assert len(await desk.told(complaints.ChurnSignalled)) == 1
