"""What two persons decide: asked once, decided once, by somebody else, about what it still is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.actor import Actor, Role
from chassis.clock import utc_now
from chassis.http import service_app
from chassis.settings import Settings
from chassis.timeline import Timeline
from gateway.app import gateway_app
from gateway.app import service as gateway
from gateway.tokens import GatewayTokens
from tests.chassis.approvals.service import EAST, ENDED, WEST
from tests.chassis.deadlines.conftest import decided
from tests.conftest import Cluster, new_world
from tests.world import World

MAKER = Actor("user:ming", Role.CLIENT_MANAGER, branch_id="B1", purpose="test", person="E1")
MAKER_AGAIN = Actor("oidc:ming@example", Role.HQ, purpose="test", person="E1")
MANAGER = Actor("user:mei", Role.BRANCH_MANAGER, branch_id="B1", purpose="test", person="E2")
ELSEWHERE = Actor("user:lan", Role.BRANCH_MANAGER, branch_id="B2", purpose="test", person="E3")
HQ = Actor("user:hua", Role.HQ, purpose="test", person="E4")
SEATED = Actor("user:jun", Role.AGENT, purpose="test", person="E5", seats=frozenset({("HQ", "call_centre")}))
AGENT = Actor("user:bo", Role.AGENT, branch_id="B1", purpose="test", person="E6")


@pytest.fixture
async def world(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[World]:
    """The gateway and the two services."""
    ENDED.clear()
    async with new_world(settings, postgres, bus, (gateway, EAST, WEST)) as made:
        yield made


async def post(world: World, actor: Actor, path: str, body: dict[str, Any], service: str = "east") -> httpx.Response:
    async with world.client(service, actor) as http:
        return await http.post(f"/v1/{service}{path}", json=body)


async def get(world: World, actor: Actor, path: str, service: str = "east") -> httpx.Response:
    async with world.client(service, actor) as http:
        return await http.get(f"/v1/{service}{path}")


async def ask(world: World, client_id: str = "c-1", amount: int = 500, service: str = "east", **more: Any) -> str:
    answer = await post(world, MAKER, "/limits", {"client_id": client_id, "amount": amount} | more, service)
    assert answer.status_code == 202, answer.text
    approval: str = answer.json()["approval_id"]
    return approval


async def decide(world: World, actor: Actor, approval: str, how: str = "approve") -> tuple[int, str]:
    answer = await post(world, actor, f"/approvals/{approval}/{how}", {"because": "checked"})
    return answer.status_code, answer.json().get("type") or answer.json()["state"]


async def amount(world: World) -> tuple[int, int]:
    [row] = await world.rows("east", "SELECT amount, changes FROM limits WHERE client_id = 'c-1'")
    return row["amount"], row["changes"]


async def audited(world: World) -> list[str]:
    return [
        row["action"]
        for row in await world.rows("east", "SELECT action FROM audit WHERE action <> 'read' ORDER BY at, action")
    ]


async def test_another_person_approves_and_it_is_done_once(world: World) -> None:
    approval = await ask(world)
    assert await amount(world) == (100, 0)
    assert await decide(world, MANAGER, approval) == (200, "approved")
    assert await decide(world, HQ, approval) == (409, "/problems/already-decided")
    assert await amount(world) == (500, 1)
    shown = (await get(world, MAKER, f"/approvals/{approval}")).json()
    told = {name: shown[name] for name in ("before", "after", "asked_by", "decided_by", "state", "why", "because")}
    assert told == {
        "before": {"amount": 100},
        "after": {"amount": 500},
        "asked_by": "E1",
        "decided_by": "E2",
        "state": "approved",
        "why": "more business",
        "because": "checked",
    }
    assert await audited(world) == ["limit.asked", "limit.approved"]
    assert await world.value("east", "SELECT count(*) FROM deadlines") == 0


async def test_two_who_approve_at_once_have_one_effect(world: World) -> None:
    approval = await ask(world)
    answers = await asyncio.gather(*(decide(world, who, approval) for who in (MANAGER, HQ, SEATED) for _ in range(3)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 8
    assert await amount(world) == (500, 1)
    assert await audited(world) == ["limit.asked", "limit.approved"]


async def test_the_same_person_under_another_name_is_not_a_second_person(world: World) -> None:
    approval = await ask(world)
    for how in ("approve", "refuse"):
        assert await decide(world, MAKER_AGAIN, approval, how) == (403, "/problems/second-person-needed")
    assert await amount(world) == (100, 0)
    assert await decide(world, MAKER_AGAIN, approval, "withdraw") == (200, "withdrawn")


@pytest.mark.parametrize("how", ["approve", "refuse", "withdraw"])
async def test_nobody_else_learns_that_it_is_there(world: World, how: str) -> None:
    approval = await ask(world, concerned=["E4"])
    for actor in (ELSEWHERE, AGENT, HQ):
        assert (await decide(world, actor, approval, how))[0] == 404
        assert (await get(world, actor, f"/approvals/{approval}")).status_code == 404
        assert (await get(world, actor, "/approvals?show=all")).json()["items"] == []
    assert await audited(world) == ["limit.asked"]


async def test_what_headquarters_was_asked_is_no_branchs(world: World) -> None:
    approval = await ask(world, branch_id=None)
    assert (await decide(world, MANAGER, approval))[0] == 404
    assert await decide(world, SEATED, approval) == (200, "approved")


@pytest.mark.parametrize(("who", "how", "ends"), [(MANAGER, "refuse", "refused"), (MAKER, "withdraw", "withdrawn")])
async def test_refused_or_withdrawn_is_final(world: World, who: Actor, how: str, ends: str) -> None:
    approval = await ask(world)
    assert await decide(world, who, approval, how) == (200, ends)
    for again in ("approve", "refuse"):
        assert await decide(world, MANAGER, approval, again) == (409, "/problems/already-decided")
    assert (await amount(world), ENDED) == ((100, 0), [("limit/c-1", ends)])
    assert await audited(world) == ["limit.asked", f"limit.{ends}"]


async def test_what_has_changed_since_is_asked_again(world: World) -> None:
    first, second = await ask(world, amount=500), await ask(world, amount=700)
    assert await decide(world, MANAGER, second) == (200, "approved")
    assert await decide(world, MANAGER, first) == (409, "/problems/changed-since-asked")
    assert await amount(world) == (700, 1)
    assert await decide(world, MANAGER, first, "refuse") == (200, "refused")


async def test_what_nobody_decides_runs_out(world: World) -> None:
    await decided(world, Timeline.REAL)
    approval = await ask(world)
    async with world.database("east").unit_of_work() as uow:
        await uow.sql.execute("UPDATE deadlines SET due = $1", utc_now() - timedelta(days=1))
        await uow.sql.execute("UPDATE approvals SET expires_at = $1", utc_now() - timedelta(days=1))
    # Judged at the read already, then kept by its deadline.
    assert (await get(world, MAKER, f"/approvals/{approval}")).json()["state"] == "expired"
    assert (await get(world, MANAGER, "/approvals")).json()["items"] == []
    assert await decide(world, MANAGER, approval) == (409, "/problems/already-decided")
    assert await audited(world) == ["limit.asked"]
    assert await world.platform.workers["east"].scheduler.step()
    assert await audited(world) == ["limit.asked", "limit.expired"]
    assert (await amount(world), ENDED) == ((100, 0), [("limit/c-1", "expired")])


async def test_one_list_over_all_services_in_pages(world: World) -> None:
    asked = [await ask(world, f"c-{1 + n % 2}", 500 + n, ("east", "west")[n % 3 == 0]) for n in range(7)]
    await ask(world, branch_id="B2")
    apps = {one.name: service_app(one, world.database(one.name), world.settings) for one in (EAST, WEST)}
    app = gateway_app(world.settings, world.database("gateway"), apps)
    session = GatewayTokens(world.settings).bearer.make(MANAGER)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://careline.test") as http:
        http.headers["authorization"] = f"Bearer {session}"
        seen, cursor = [], None
        while True:
            params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
            page = (await http.get("/v1/approvals", params=params)).json()
            assert page["unavailable"] == []
            seen.append([row["approval_id"] for row in page["items"]])
            if (cursor := page["next"]) is None:
                break
        assert seen == [asked[:3], asked[3:6], asked[6:]]
        http.headers["authorization"] = f"Bearer {GatewayTokens(world.settings).bearer.make(MAKER_AGAIN)}"
        mine = (await http.get("/v1/approvals")).json()
        assert mine["items"] == []
