"""Whoever leaves while owning cases: no case is without an owner at any instant [C8, C28]."""

from datetime import date
from uuid import uuid4

from chassis.actor import Actor, Role
from chassis.staff import CALL_CENTRE, COMPLIANCE, HQ, OPERATIONS_CENTRE
from contracts.broker import Seat, StaffChanged
from contracts.callbacks import FindingRaised
from tests.complaints.desk import CENTRE, LI, OFFICER, SECOND, Desk, march


def leaving(staff_id: str, on: date | None, *deputies: str, unit: str = HQ, seat: str = CALL_CENTRE) -> StaffChanged:
    return StaffChanged(
        staff_id=staff_id, branch_id=unit, seats=(Seat(unit=unit, seat=seat),), deputies=deputies, left_on=on
    )


async def owner(desk: Desk, case: dict[str, str]) -> str:
    found: str = (await desk.case(case))["owner"]
    return found


async def test_on_the_first_day_without_them_the_first_deputy_who_is_there_owns_their_cases(desk: Desk) -> None:
    mine, others, over = await desk.open(), await desk.open(SECOND, client_id="c-2"), await desk.open(client_id="c-3")
    await desk.act(CENTRE, over, "withdrawal", march(26, 11), reason="已解决")
    gone = leaving("HQ-CS-2", date(2009, 3, 20), "HQ-CS-3")
    await desk.world.publish(gone, at=march(26, 12))
    await desk.world.publish(leaving("HQ-CS-1", date(2009, 3, 28), "HQ-CS-2", "HQ-CS-4"), at=march(26, 13))
    await desk.world.settle()
    assert (await owner(desk, mine), await owner(desk, others)) == ("HQ-CS-1", "HQ-CS-3")
    await desk.close(26)
    assert await owner(desk, mine) == "HQ-CS-1"
    await desk.close(27)
    assert (await owner(desk, mine), await owner(desk, over)) == ("HQ-CS-4", "HQ-CS-1")
    (step,) = await desk.world.rows(
        "complaints", "SELECT at, detail FROM act_steps WHERE act = 'owner_left' AND detail->>'left' = 'HQ-CS-1'"
    )
    assert (step["at"], step["detail"]["owner"]) == (march(28, 0), "HQ-CS-4")
    told = await desk.items(Actor("HQ-CS-4", Role.HQ, purpose="complaints"), "/escalations")
    assert [(one["case_id"], one["step"]) for one in told if one["clock"] == "owner"] == [
        (mine["case_id"], "owner left")
    ]
    fourth = Actor("HQ-CS-4", Role.HQ, purpose="complaints")
    await desk.act(fourth, mine, "escalations/owner/owner left/acknowledgement", march(28, 9))
    await desk.act(fourth, mine, "acceptance", march(28, 9, 30))


async def test_who_stays_after_all_keeps_their_cases(desk: Desk) -> None:
    case = await desk.open()
    await desk.world.publish(leaving("HQ-CS-1", date(2009, 3, 28), "HQ-CS-2"), at=march(26, 12))
    await desk.world.settle()
    await desk.world.publish(leaving("HQ-CS-1", None, "HQ-CS-2"), at=march(27, 12))
    await desk.world.settle()
    await desk.close(29)
    assert await owner(desk, case) == "HQ-CS-1"


async def test_without_a_deputy_the_branchs_officer_and_past_a_conflict_headquarters(desk: Desk) -> None:
    """The leaver at the branch was asked first [C8]; the case about the officer passes to the operations centre."""
    teller = Actor("B1-teller", Role.AGENT, branch_id="B1", purpose="complaints")
    plain = await desk.open(teller, channel="on_site", branch_id=None)
    about = await desk.open(teller, channel="on_site", branch_id=None, client_id="c-2", employee="B1-officer")
    await desk.world.publish(leaving("B1-teller", date(2009, 3, 26), unit="B1", seat="counter"), at=march(26, 12))
    await desk.world.settle()
    assert await owner(desk, plain) == "B1-officer"
    assert await owner(desk, about) != "B1-officer"
    await desk.act(OFFICER, plain, "acceptance", march(26, 13))


async def test_what_was_offered_to_a_leaver_stays_with_its_owner(desk: Desk) -> None:
    case = await desk.open()
    await desk.act(CENTRE, case, "hand-over", march(26, 11), to="HQ-CS-2")
    await desk.world.publish(leaving("HQ-CS-2", date(2009, 3, 26)), at=march(26, 12))
    await desk.world.settle()
    row = await desk.case(case)
    assert (row["owner"], row["offered_to"]) == ("HQ-CS-1", None)
    await desk.act(CENTRE, case, "acceptance", march(26, 13))


async def test_when_everybody_left_the_seat_owns_it_and_a_new_holder_can_take_it_over(bare: Desk) -> None:
    case = await bare.open()
    await bare.world.publish(leaving("HQ-CS-1", date(2009, 3, 26)), at=march(26, 12))
    await bare.world.settle()
    assert await owner(bare, case) == "seat:HQ/operations_centre"
    await bare.act(SECOND, case, "acceptance", march(26, 12, 30), 403)
    await bare.world.publish(leaving("HQ-CS-2", None, seat=OPERATIONS_CENTRE), at=march(26, 12, 45))
    await bare.world.settle()
    await bare.act(SECOND, case, "acceptance", march(26, 13))
    assert await owner(bare, case) == "HQ-CS-2"
    await bare.get(LI, f"/cases/{case['case_id']}")


async def test_a_leavers_sign_in_name_is_theirs_too(desk: Desk) -> None:
    clerk = Actor("user:wang", Role.AGENT, branch_id="B1", purpose="complaints")
    case = await desk.open(clerk, channel="on_site", branch_id=None)
    assert await owner(desk, case) == "wang"
    person = StaffChanged(
        staff_id="s-wang",
        user="wang",
        branch_id="B1",
        left_on=date(2009, 3, 26),
        seats=(Seat(unit="B1", seat="counter"),),
    )
    await desk.world.publish(person, at=march(26, 12))
    await desk.world.settle()
    assert await owner(desk, case) == "B1-officer"


async def test_a_restricted_case_stays_within_compliance(desk: Desk) -> None:
    """C28: the deputy of somebody in compliance may sit elsewhere."""
    finding = FindingRaised(
        finding_id=uuid4(), client_id="c-li", branch_id="B1", kind="代客操作", concerned=["B1-director"],
        raised_at=march(26),
    )  # fmt: skip
    await desk.world.publish(finding, leaving("HQ-law", None, unit=HQ, seat=COMPLIANCE), at=march(26))
    await desk.world.settle()
    left = leaving("HQ-compliance", date(2009, 3, 26), "HQ-CS-3", unit=HQ, seat=COMPLIANCE)
    await desk.world.publish(left, at=march(26, 12))
    await desk.world.settle()
    assert await desk.world.value("complaints", "SELECT owner FROM cases WHERE restricted") == "HQ-law"
