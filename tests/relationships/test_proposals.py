"""In mode `careline` the account system's managers are proposals [RE1]."""

from datetime import date, timedelta

from chassis.actor import Actor, Role
from chassis.clock import start_of
from contracts import broker
from tests.relationships.conftest import DIRECTOR, ELSEWHERE, HQ, Office, close, opened
from tests.world import World

FIRST = date(2024, 3, 4)
DAY = timedelta(days=1)
COMPLIANCE = Actor("comp-1", Role.COMPLIANCE, purpose="check")


def staff(staff_id: str, seat: str) -> broker.StaffChanged:
    return broker.StaffChanged(staff_id=staff_id, branch_id="B1", seats=(broker.Seat(unit="B1", seat=seat),))


async def test_the_brokers_word_is_a_proposal_until_somebody_takes_it_up(branch: World, office: Office) -> None:
    people = [staff("max", "client_manager"), staff("anna", "client_manager"), staff("dora", "marketing_director")]
    await branch.publish(*people, at=start_of(FIRST))
    await branch.publish(*(opened(f"p-{n}", on=FIRST, manager_id="max") for n in (1, 2)))
    await branch.settle()
    await close(branch, FIRST)
    assert await office.get(DIRECTOR, "/owners/proposals") == []
    body = (await office.get(HQ, "/policies/owners/in-force"))["body"] | {"mode": "careline"}
    begins = FIRST + 2 * DAY
    draft = await office.post(
        HQ, "/policies/owners", {"effective_on": str(begins), "body": body, "reason": "owners are named here"}
    )
    await office.post(COMPLIANCE, f"/policies/owners/{draft['version']}/publication", None, 200)
    await close(branch, FIRST + DAY)
    await branch.publish(opened("p-3", on=begins, manager_id="anna"))
    await branch.publish(broker.ClientUpdated(client_id="p-1", manager_id="anna"), at=start_of(begins))
    await branch.settle()
    found = await office.get(DIRECTOR, "/owners/proposals")
    assert [(one["client_id"], one["person"], one["owner"]) for one in found] == [
        ("p-1", "anna", "max"),
        ("p-3", "anna", "dora"),
    ]
    assert await office.get(ELSEWHERE, "/owners/proposals") == []
