"""Messaging in a test: clients short to open, messages short to ask for."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from chassis.actor import Actor, Role
from chassis.clock import utc_now
from contracts import broker
from contracts.callbacks import MessageHandedOver
from contracts.platform import TimelineDecided
from services.messaging.messages import Wanted, ask
from services.messaging.tables import MessageRow, message_columns
from tests.world import World

OPENED = date(2022, 1, 3)
SYSTEM = Actor("trading", Role.SYSTEM)
HEAD = Actor("head-1", Role.BRANCH_MANAGER, branch_id="B1", purpose="service")
ELSEWHERE = Actor("head-9", Role.BRANCH_MANAGER, branch_id="B9", purpose="service")
DESK = Actor("desk-1", Role.AGENT, branch_id="B1", purpose="service")
HQ = Actor("hq-1", Role.HQ, purpose="service")
NAME, PHONE, EMAIL = "王小明", "13800138000", "wang@example.com"


def client(client_id: str) -> Actor:
    return Actor(f"app/{client_id}", Role.CLIENT, client_id=client_id)


@dataclass
class Desk:
    """A world of gateway and messaging, with the words the tests use."""

    world: World
    opened: int = 0

    async def real(self) -> None:
        """Decide that this home lives in real time."""
        async with self.world.database("messaging").unit_of_work() as uow:
            await uow.sql.execute(
                "INSERT INTO timeline (timeline, decided_at) VALUES ('real', now()) ON CONFLICT DO NOTHING"
            )

    async def nothing_kept(self) -> None:
        """Callbacks has nothing to hand over."""
        await self.world.publish(MessageHandedOver(what="end", item_id=uuid4(), count=0, at=utc_now()))
        await self.world.settle()

    async def open(self, *, branch: str = "B1", phone: str | None = PHONE, **profile: Any) -> str:
        """A client of their own, with a number of their own unless told otherwise."""
        self.opened += 1
        name, number = f"c-{self.opened}", f"139{self.opened:08d}" if phone is PHONE else phone
        await self.world.publish(
            broker.ClientOpened(client_id=name, branch_id=branch, opened_on=OPENED, phone=number, **profile)
        )
        await self.world.settle()
        return name

    async def call(self, actor: Actor, method: str, path: str, body: Any = None) -> httpx.Response:
        async with self.world.client("messaging", actor) as http:
            key = {"Idempotency-Key": str(uuid4())} if method == "POST" else {}
            return await http.request(method, f"/v1/messaging{path}", json=body, headers=key)

    async def ok(self, actor: Actor, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        response = await self.call(actor, method, path, body)
        assert response.status_code == status, response.text
        return response.json()

    async def notice(self, client_id: str, period: str = "p1", status: int = 201, **more: Any) -> Any:
        body = {"kind": "account_notice", "client_id": client_id, "period": period, "fields": {"text": "资料已更新"}}
        return await self.ok(SYSTEM, "POST", "/messages", body | more, status)

    async def ask(self, client_id: str, kind: str, now: datetime, cause: str = "p1", **more: Any) -> MessageRow:
        """A message as it would be asked for at an instant, past every route."""
        given = {"fields": {}, "asked_by": "test", "asked_at": now} | more
        one = Wanted(client_id=client_id, kind=kind, cause=cause, **given)
        async with self.world.database("messaging").unit_of_work() as uow:
            await ask(uow, [one], now)
        return await self.message(one.message_id)

    async def message(self, key: Any) -> MessageRow:
        async with self.world.sql("messaging") as sql:
            row = await sql.fetchrow(
                f"SELECT {message_columns()} FROM messages WHERE message_id = $1::text::uuid", str(key)
            )
        assert row is not None
        return MessageRow(*row)

    async def told(self, kind: str) -> list[dict[str, Any]]:
        """What messaging has said of a kind, in order."""
        import json

        rows = await self.world.rows(
            "messaging", 'SELECT value FROM bus.log WHERE type = $1 ORDER BY written_at, "offset"', kind
        )
        return [json.loads(row["value"]) for row in rows]


__all__ = [
    "DESK",
    "ELSEWHERE",
    "EMAIL",
    "HEAD",
    "HQ",
    "NAME",
    "PHONE",
    "SYSTEM",
    "Desk",
    "TimelineDecided",
    "client",
    "timedelta",
]
