"""A month of work in the demo: what managers enter, the teams they make, a run of the allocation. As people, over REST."""

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Any

import httpx

from careline.asgi import apps_of
from careline.demo.month import LAST, Client, Demo
from careline.demo.names import WORKPLACES
from careline.demo.people import BRANCHES, LEAVER, managers_of
from careline.platform import Platform
from chassis.actor import Actor, Role
from chassis.http import mint
from chassis.http.identity import HEADER
from services.relationships.allocations import solve_next

OCCUPATIONS = ("教师", "医生", "工程师", "个体经营", "退休", "公务员", "设计师")
HOBBIES = ("钓鱼", "书法", "登山", "摄影", "象棋")


class DemoRefused(RuntimeError):
    """A service refused what the demo asked of it."""


class Office:
    """Calls relationships as somebody of the demo."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        app = apps_of(platform)["relationships"]
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://relationships")

    async def post(self, actor: Actor, path: str, body: Any, key: str) -> Any:
        """One change; the same key again is the same change.

        Raises: DemoRefused.
        """
        headers = {HEADER: mint(actor, self.platform.settings), "idempotency-key": f"demo/{key}", "purpose": "demo"}
        answer = await self.http.post(f"/v1/relationships{path}", json=body, headers=headers)
        if answer.is_error:
            raise DemoRefused(f"{path}: {answer.status_code} {answer.text}")
        return answer.json()


def _manager(one: Client, person: str) -> Actor:
    return Actor(person, Role.CLIENT_MANAGER, branch_id=one.branch, purpose="demo", person=person)


def _director(branch: str, name: str) -> Actor:
    return Actor(f"{branch}-{name}", Role.BRANCH_MANAGER, branch_id=branch, purpose="demo", person=f"{branch}-{name}")


async def do_month(platform: Platform, data: Demo, until: date = LAST) -> None:
    """Everything that people do in the month, of clients who were there on a day."""
    office, draw = Office(platform), Random(7)  # noqa: S311 - the same for everybody
    async with office.http:
        await _enter(
            office, draw, [one for one in data.clients if one.manager not in (None, LEAVER) and one.opened_on <= until]
        )
        for branch in BRANCHES:
            await _skills(office, draw, branch)
            await _allocate(office, branch, applied=branch != "B3")


async def _enter(office: Office, draw: Random, clients: Sequence[Client]) -> None:
    """What managers have heard from every fifth client."""
    for one in clients:
        if draw.random() >= 0.2:
            continue
        assert one.manager is not None
        values = {
            "CI-P17": draw.choice(OCCUPATIONS), "CI-P14": draw.choice(WORKPLACES), "CI-P28": draw.choice(HOBBIES),
            "CI-P32": draw.choice(("短信 工作日9-11点", "电话 午后", "微信 随时")), "CI-C16": draw.choice(("无", "年长，请慢些讲")),
            "CI-P19": draw.choice(("10万以下", "10-30万", "30-50万", "50万以上")),
        }  # fmt: skip
        chosen = draw.sample(sorted(values), draw.randrange(2, len(values) + 1))
        body: dict[str, Any] = {"values": [{"code": code, "value": values[code]} for code in chosen]}
        if draw.random() < 0.3:
            body["values"].append({"code": "CI-P18", "state": "refused"})
        await office.post(
            _manager(one, one.manager), f"/clients/{one.client_id}/information", body, f"information/{one.client_id}"
        )


async def _skills(office: Office, draw: Random, branch: str) -> None:
    for person in managers_of(branch):
        if person == LEAVER:
            continue
        for skill in draw.sample(("stock_analysis", "asset_allocation", "patience"), 2):
            body = {
                "skill": skill, "level": draw.randrange(2, 6), "kind": draw.choice(("contest", "test", "paper")),
                "evidence": "内部考核", "shown_on": f"2026-0{draw.randrange(1, 6)}-15",
            }  # fmt: skip
            await office.post(_director(branch, "director"), f"/managers/{person}/skills", body, f"{person}/{skill}")


async def _allocate(office: Office, branch: str, *, applied: bool) -> None:
    """The pool of each branch is given out: in two branches it is done, in one it waits for the second person."""
    asked = await office.post(
        _director(branch, "marketing"), "/allocations", {"branch_id": branch, "scope": "pool", "reason": "六月分配"},
        f"allocation/{branch}",
    )  # fmt: skip
    while await solve_next(office.platform.databases["relationships"]):
        pass
    if applied:
        path = f"/allocations/{asked['run_id']}/approval"
        await office.post(
            _director(branch, "director"), path, {"approve": True, "because": "公平、有据"}, f"approval/{branch}"
        )
