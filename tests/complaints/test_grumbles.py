"""Pre-complaints [A33]: what was only grumbled about is a signal and leads to a care call."""

import asyncio
from typing import Any
from uuid import uuid4

from chassis.actor import Actor, Role
from contracts import complaints, relationships
from tests.complaints.desk import CENTRE, ELSEWHERE, LI, OFFICER, Desk, march
from tests.complaints.test_queue_and_kpi import tier


async def grumble(desk: Desk, day: int, client: str = "c-li", actor: Actor = OFFICER, **more: Any) -> str | None:
    body = {"client_id": client, "mood": "annoyed", "words": "等太久，电话13812345678", "at": march(day).isoformat()}
    answer = await desk.call(actor, "POST", "/pre-complaints", body | more)
    assert answer.status_code == 201, answer.text
    signal: str | None = answer.json()["signal"]
    return signal


async def signals(desk: Desk) -> int:
    return len(await desk.told(complaints.ChurnSignalled))


async def test_two_in_thirty_days_ask_for_care_once(desk: Desk) -> None:
    """Heard on the 20th and only later recorded for the 1st: two in 30 days all the same."""
    assert await grumble(desk, 20) is None
    assert await signals(desk) == 0
    assert await grumble(desk, 1) == "churn"
    assert await grumble(desk, 21) == "churn"
    assert await signals(desk) == 1  # one care call while the signal is fresh
    (newest, *rest) = (await desk.get(CENTRE, "/pre-complaints?client=c-li"))["items"]
    assert (newest["words"], len(rest)) == ("等太久，电话[电话]", 2)
    page = await desk.get(OFFICER, "/pre-complaints?limit=2")
    assert len((await desk.get(OFFICER, f"/pre-complaints?limit=2&cursor={page['next']}"))["items"]) == 1
    assert (await desk.get(ELSEWHERE, "/pre-complaints"))["items"] == []
    assert (await desk.call(LI, "GET", "/pre-complaints")).status_code == 403


async def test_one_of_a_platinum_client_is_enough(desk: Desk) -> None:
    """The tier is the one known for the day it was heard; a caller's word counts only where none is known."""
    await desk.world.publish(tier("c-plat", "PLATINUM"), tier("c-gold", "GOLD"))
    await desk.world.settle()
    assert await grumble(desk, 2, "c-plat") == "churn"
    assert await grumble(desk, 2, "c-gold", tier="DIAMOND") is None
    assert await grumble(desk, 2, "c-unknown", tier="DIAMOND") == "churn"
    assert await signals(desk) == 2
    body = {"client_id": "c", "mood": "calm", "words": "x", "tier": "IRON"}
    assert (await desk.call(OFFICER, "POST", "/pre-complaints", body)).status_code == 422


async def test_two_who_hear_the_same_client_at_once_see_each_other(desk: Desk) -> None:
    second = Actor("B1-marketing", Role.AGENT, branch_id="B1")
    found = await asyncio.gather(grumble(desk, 3), grumble(desk, 3, actor=second))
    assert sorted(map(str, found)) == ["None", "churn"]


async def test_a_clients_complaints_at_a_glance(desk: Desk) -> None:
    """Cases and grumbles for staff of the branch, cases alone for the client; who reads it says why."""
    case = await desk.open()
    await desk.open(at=march(27), words="又一件")
    await desk.act(CENTRE, case, "withdrawal", march(26, 11), reason="撤诉")
    await grumble(desk, 20)
    seen = await desk.get(OFFICER, "/clients/c-li")
    assert (seen["open"], seen["closed"], seen["grumbles"], seen["churn_signals"]) == (1, 1, 1, 0)
    assert [one["state"] for one in seen["cases"]] == ["received", "withdrawn"]
    own = await desk.get(LI, "/clients/c-li")
    assert (len(own["cases"]), own["grumbles"]) == (2, None)
    await desk.get(ELSEWHERE, "/clients/c-li", 404)
    await desk.get(CENTRE, "/clients/nobody", 404)
    await desk.get(Actor("HQ-CS-3", Role.HQ), "/clients/c-li", 400)
    reads = await desk.world.rows("complaints", "SELECT actor FROM audit WHERE action = 'read' ORDER BY actor")
    assert {row["actor"] for row in reads} == {"B1-officer", "B2-officer", "HQ-CS-1"}


async def test_what_is_heard_in_the_service_log_counts_as_well(desk: Desk) -> None:
    """Each once, however often it is told; beside one entered here it makes two in 30 days."""
    heard = relationships.GrumbleHeard(client_id="c-li", contact_id=uuid4(), mood="angry", heard_at=march(5))
    await desk.world.publish(heard)
    await desk.world.publish(heard)
    await desk.world.settle()
    assert await signals(desk) == 0
    assert await grumble(desk, 20) == "churn"
    [entered, told] = (await desk.get(CENTRE, "/pre-complaints?client=c-li"))["items"]
    assert (told["id"], told["heard_by"]) == (str(heard.contact_id), "relationships")
    assert (entered["signal"], await signals(desk)) == ("churn", 1)
