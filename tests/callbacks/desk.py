"""The callbacks desk in a test: facts short to say, days short to close, agents short to call."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import httpx
from fastapi import FastAPI

from chassis.actor import CALL_CENTRE, Actor, Role
from chassis.clock import at
from chassis.http import mint, service_app
from chassis.http.identity import HEADER
from contracts import broker, classification, suitability
from contracts.classification import GroupChanged, TagStretch
from tests.world import World

FIRST = date(2022, 7, 1)
IDENTITY = {"identity": "yes"}
TRAINED = {
    **IDENTITY, "own_will": "yes", "market": "yes", "company": "yes", "risk": "yes", "operated": "no", "promised": "no",
}  # fmt: skip
AWAKE = {**IDENTITY, "reason": "market", "operated": "no", "interest": "yes"}
CONDUCT = {**IDENTITY, "changes": "yes", "operated": "no", "discretion": "no", "risk": "yes", "promised": "no"}


def agent(name: str, branch: str | None = "B1", role: Role = Role.AGENT) -> Actor:
    """A member of staff who calls clients; without a branch, of the call centre."""
    seats = frozenset() if branch else frozenset({("HQ", CALL_CENTRE)})
    return Actor(name, role, branch_id=branch, purpose="test", seats=seats)


COMPLIANCE = Actor("compliance-1", Role.COMPLIANCE, purpose="test")
LEADER = Actor("B1-director", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")


@dataclass
class Desk:
    """A world of callbacks, with the words the tests use."""

    world: World
    revisions: dict[str, int] = field(default_factory=dict)
    keys: int = 0

    async def close(self, *days: date) -> None:
        """Close days, with what classification and suitability say when they are done."""
        for day in days:
            await self.world.publish(
                classification.DayCompleted(business_date=day), suitability.DayCompleted(business_date=day)
            )
            await self.world.close(day)

    async def close_through(self, first: date, last: date) -> None:
        """Close every day from one to another."""
        await self.close(*(first + timedelta(days=n) for n in range((last - first).days + 1)))

    async def open(self, client: str, on: date, branch: str = "B1", **profile: Any) -> None:
        """Open an account."""
        await self.world.publish(broker.ClientOpened(client_id=client, branch_id=branch, opened_on=on, **profile))
        await self.world.settle()

    async def group(self, client: str, tag: str, since: date, until: date | None = None, **others: Any) -> None:
        """A client is in a group from a day on."""
        self.revisions[client] = self.revisions.get(client, 0) + 1
        stretch = TagStretch(tag=tag, since=since, until=until)  # type: ignore[arg-type]
        told = GroupChanged(
            client_id=client,
            branch_id="B1",
            revision=self.revisions[client],
            changed_from=since,
            tags=[stretch],
            **others,
        )
        await self.world.publish(told)
        await self.world.settle()

    async def tasks(self, where: str = "true") -> list[dict[str, Any]]:
        """Tasks as they stand, by client, rule and creation."""
        return await self.world.rows(
            "callbacks", f"SELECT * FROM tasks WHERE {where} ORDER BY client_id, rule, created_on"
        )

    async def told(self, kind: str) -> list[dict[str, Any]]:
        """Events of a type that callbacks has told, in order."""
        schema = self.world.database("callbacks").log.schema
        rows = await self.world.rows(
            "callbacks", f'SELECT value FROM {schema}.log WHERE type = $1 ORDER BY partition, "offset"', kind
        )
        return [json.loads(row["value"]) for row in rows]

    @cached_property
    def app(self) -> FastAPI:
        """The service's app, made once: fifty agents speak to one."""
        worker = self.world.platform.workers["callbacks"]
        return service_app(worker.service, worker.database, self.world.settings, worker)

    def http(self, actor: Actor, **headers: str) -> httpx.AsyncClient:
        """Callbacks over HTTP, as somebody."""
        given = {HEADER: mint(actor, self.world.settings), "purpose": "test"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://callbacks", headers=given)

    async def ask(self, actor: Actor, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        """One request with a key of its own; the answer's JSON."""
        self.keys += 1
        async with self.http(actor, idempotency_key=f"key-{self.keys}") as http:
            answer = await http.request(method, f"/v1/callbacks{path}", json=body)
        if status is not None:
            assert answer.status_code == status, answer.text
        return answer.json()

    async def items(self, actor: Actor, path: str) -> list[Any]:
        """Every item of a list, two a page."""
        found, more, mark = list[Any](), "", "&" if "?" in path else "?"
        while more is not None:
            page = await self.ask(actor, "GET", f"{path}{mark}limit=2{more and f'&cursor={more}'}", status=200)
            found, more = found + page["items"], page["next"]
        return found

    async def next(self, actor: Actor) -> dict[str, Any]:
        """The next task of an agent."""
        found: dict[str, Any] = await self.ask(actor, "POST", "/next", status=200)
        return found

    async def recording(self, actor: Actor, client: str, name: str = "", **others: Any) -> str:
        """A recording kept by the phone system."""
        path = f"/clients/{client}/evidence/references"
        kept = await self.ask(
            actor, "POST", path, {"reference": f"{name or f'REC-{self.keys}'}/{client}", **others}, 201
        )
        return str(kept["evidence_id"])

    async def call(
        self,
        actor: Actor,
        task: dict[str, Any],
        outcome: str,
        when: datetime,
        answers: dict[str, str] | None = None,
        status: int = 201,
        evidence: bool = True,
        wish_at: str | None = None,
        **others: Any,
    ) -> Any:
        """Enter a call for one task."""
        client = task["client_id"]
        result = {"task_id": str(task["task_id"]), "outcome": outcome, "answers": answers or {}, "wish_at": wish_at}
        body = {
            "client_id": client,
            "at": when.isoformat(),
            "results": [result],
            "evidence_id": await self.recording(actor, client) if evidence and "evidence_id" not in others else None,
            "profile": {},
            **others,
        }
        return await self.ask(actor, "POST", "/calls", body, status)


def ten(day: date) -> datetime:
    """Ten in the morning."""
    return at(day, 10)
