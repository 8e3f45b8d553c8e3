"""Conduct cases: compliance and risk control alone see, acknowledge and conclude them, and nothing follows elsewhere [C28]."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from chassis.actor import Actor, Role
from chassis.staff import COMPLIANCE as COMPLIANCE_SEAT
from chassis.staff import CONDUCT_RESERVE, HQ, RISK_CONTROL
from contracts import callbacks, complaints, relationships
from contracts.broker import Seat, StaffChanged
from services.complaints.policy import Policies, PolicyInvalid
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, Desk, march

RISK = Actor("HQ-risk", Role.HQ, seats=frozenset({(HQ, RISK_CONTROL)}), purpose="complaints")
RESERVE = Actor("chair", Role.HQ, seats=frozenset({(HQ, CONDUCT_RESERVE)}), purpose="complaints")
JUDGES = {COMPLIANCE_SEAT: COMPLIANCE, RISK_CONTROL: RISK, CONDUCT_RESERVE: RESERVE}


async def found(desk: Desk, *concerned: str) -> Any:
    """A finding of conduct, and the case it opened."""
    chair = StaffChanged(staff_id="chair", branch_id=HQ, seats=(Seat(unit=HQ, seat=CONDUCT_RESERVE),))
    await desk.world.publish(chair, at=datetime(2009, 1, 1, tzinfo=UTC))
    finding = callbacks.FindingRaised(
        finding_id=uuid4(), client_id="c-li", branch_id="B1", kind="代客操作", concerned=list(concerned),
        raised_at=march(24),
    )  # fmt: skip
    await desk.world.publish(finding)
    await desk.world.settle()
    (case,) = await desk.world.rows("complaints", "SELECT case_id::text, owner, state FROM cases")
    return case


async def test_its_ladder_stays_with_compliance_and_risk_control(desk: Desk) -> None:
    """C28: warned, breached and reported inside; every event of it says that it is restricted."""
    case = await found(desk, "B1-director")
    await desk.close(31)
    told = await desk.world.rows("complaints", 'SELECT clock, step, "to", seat FROM notices ORDER BY id')
    assert {row["to"] for row in told} == {"HQ-compliance", "HQ-risk"}
    assert [row["step"] for row in told if row["clock"] == "result"] == ["warning", "due", "risk", "risk"]
    schema = desk.world.database("complaints").log.schema
    async with desk.world.database("complaints").reading() as sql:
        events = await sql.fetch(
            f"SELECT type, convert_from(value, 'UTF8')::jsonb AS body FROM {schema}.log WHERE type LIKE 'complaints.case.%'"
        )
    assert {complaints.CaseOpened.type, complaints.CaseBreached.type, complaints.CaseEscalated.type} <= {
        row["type"] for row in events
    }
    assert {row["body"]["restricted"] for row in events} == {True}
    # Both answer what they were told, nobody else reads of it, and the report clock is theirs.
    for judge in (COMPLIANCE, RISK):
        assert (await desk.items(judge, "/escalations"))[0]["step"] == "major"
        await desk.act(judge, case, "escalations/report/major/acknowledgement", march(31))
    clock = await desk.world.value("complaints", "SELECT state FROM clocks WHERE clock = 'report'")
    assert clock == "stopped"
    for stranger in (CENTRE, DIRECTOR):
        assert await desk.items(stranger, "/escalations") == []
        assert (await desk.get(stranger, "/cases"))["items"] == []
        await desk.get(stranger, f"/cases/{case['case_id']}", 404)


@pytest.mark.parametrize(
    ("concerned", "owner"),
    [
        (("HQ-compliance",), RISK_CONTROL),
        (("HQ-compliance", "HQ-risk"), CONDUCT_RESERVE),
        (("HQ-risk",), COMPLIANCE_SEAT),
    ],
)
async def test_whoever_is_concerned_is_passed_over_and_knows_nothing(
    desk: Desk, concerned: tuple[str, ...], owner: str
) -> None:
    """C28: compliance, else risk control, else the reserve: it accepts and concludes."""
    case, judge = await found(desk, *concerned), JUDGES[owner]
    assert case["owner"] == judge.person
    await desk.close(31)
    told = await desk.world.rows("complaints", 'SELECT DISTINCT "to" FROM notices')
    assert not {row["to"] for row in told} & {*concerned, "HQ-operations", "B1-director"}
    for one in JUDGES.values():
        if one.person in concerned:
            assert (await desk.get(one, "/cases"))["items"] == []
            assert await desk.items(one, "/escalations") == []
            await desk.get(one, f"/cases/{case['case_id']}", 404)
    await desk.act(judge, case, "acceptance", march(31, 11))
    await desk.act(judge, case, "conclusion", march(31, 12), upheld=True, measure="警告", circular="通报")
    assert (await desk.get(judge, f"/cases/{case['case_id']}"))["outcome"] == "concluded"


def test_a_ladder_for_conduct_tells_nobody_else() -> None:
    """C28: such a policy is refused."""
    shipped = Policies.ladders.shipped[-1].body
    rows = {
        name: [{**row, "to": [f"{to.place}/{to.seat}" for to in shipped.told[name][row["name"]]]} for row in steps]
        for name, steps in shipped.rows.items()
    }
    Policies.ladders.parse(rows)
    rows["conduct"][1]["to"] = ["branch/general_manager"]
    with pytest.raises(PolicyInvalid, match="compliance and risk control"):
        Policies.ladders.parse(rows)


async def test_a_finding_in_the_service_log_opens_a_case_hidden_from_who_wrote_it(desk: Desk) -> None:
    finding = relationships.FindingRaised(
        finding_id=uuid4(), client_id="c-li", staff_id="HQ-compliance", kind="order_wording", subject="contact/1",
        raised_at=march(24),
    )  # fmt: skip
    await desk.world.publish(finding)
    await desk.world.publish(finding)
    await desk.world.settle()
    [case] = await desk.world.rows("complaints", "SELECT owner, kind, restricted, category FROM cases")
    assert case == {
        "owner": "HQ-risk", "kind": "conduct", "restricted": True, "category": "order_wording",
    }  # fmt: skip
