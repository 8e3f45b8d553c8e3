"""Every branch publishes how to complain; one without phone or mailbox fails a health check [C2]."""

from datetime import date
from typing import Any

import httpx

from careline.asgi import platform_app
from chassis.actor import Role
from contracts.broker import BranchChanged
from gateway.tokens import issue_token
from services.complaints.channels import MEDIA
from tests.complaints.desk import LI, Desk, march


def branch(branch_id: str, **more: Any) -> BranchChanged:
    given: dict[str, Any] = {"phone": "010-66668888", "mailbox": "complaints@b.example", "published_at_places": MEDIA}
    return BranchChanged(branch_id=branch_id, **(given | more))


async def ready(desk: Desk) -> tuple[httpx.Response, httpx.Response]:
    """What the service's own probe says, and that of a process in which everything runs."""
    platform = desk.world.platform
    async with desk.world.client("complaints") as http:
        own = await http.get("/readyz")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(platform_app(platform)), base_url="http://careline.test"
    ) as http:
        token = issue_token(desk.world.settings, Role.OPERATIONS)
        return own, await http.get("/readyz", headers={"authorization": f"Bearer {token}"})


async def test_a_branch_without_phone_or_mailbox_fails_the_check_and_stops_no_request(real: Desk) -> None:
    for answer in await ready(real):  # the roster names branches and no phone
        assert (answer.status_code, answer.json()["status"]) == (200, "warn")
        found = answer.json()["checks"]["complaints-channels"]
        assert (found["status"], "B1, B2" in found["output"]) == ("fail", True)
    await real.world.publish(branch("B1"), branch("B2", published_at_places=MEDIA[:2]), at=march(1))
    await real.world.settle()
    for answer in await ready(real):
        found = answer.json()["checks"]["complaints-channels"]
        assert (answer.json()["status"], found["status"], "B2" in found["output"]) == ("warn", "warn", True)
    shown = {one["branch_id"]: one["missing"] for one in await real.get(LI, "/channels")}
    assert (shown["B1"], shown["B2"]) == ([], ["customer_agreements", "promotional_material"])

    await real.world.publish(branch("B2", mailbox="", closed_on=date(2009, 3, 2)), at=march(2))
    await real.world.settle()
    for answer in await ready(real):  # who is closed needs none
        assert answer.json()["checks"]["complaints-channels"]["status"] == "pass"


async def test_a_simulated_homes_made_up_branches_are_no_fault(desk: Desk) -> None:
    for answer in await ready(desk):
        assert answer.json()["checks"]["complaints-channels"]["status"] == "pass"
