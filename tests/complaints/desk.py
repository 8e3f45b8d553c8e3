"""People who call the service, and the time of March 2009 in which they do."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from chassis.actor import Actor, Role
from chassis.clock import at as clock_at
from contracts import callbacks
from contracts.base import Event
from contracts.broker import BrokerDayClosed
from tests.world import World

CENTRE = Actor("HQ-CS-1", Role.HQ, purpose="complaints")
SECOND = Actor("HQ-CS-2", Role.HQ, purpose="complaints")
COMPLIANCE = Actor("HQ-compliance", Role.COMPLIANCE, purpose="complaints")
OFFICER = Actor("B1-officer", Role.AGENT, branch_id="B1", purpose="complaints")
DIRECTOR = Actor("B1-director", Role.BRANCH_MANAGER, branch_id="B1", purpose="complaints")
ELSEWHERE = Actor("B2-officer", Role.AGENT, branch_id="B2", purpose="complaints")
LI = Actor("app/c-li", Role.CLIENT, client_id="c-li")
FEEDBACK = {
    "facts": "基金申购为废单，客户经理未跟踪",
    "responsible": "客户经理 m-1",
    "action": "通报批评并上门道歉",
    "reaction": "客户接受道歉",
    "upheld": True,
}


def march(day: int, hour: int = 10, minute: int = 0) -> datetime:
    """An instant of March 2009 in Shanghai."""
    return clock_at(date(2009, 3, day), hour, minute)


class Desk:
    """Calls the service as somebody; changes carry the ETag last seen."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def call(self, actor: Actor, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        async with self.world.client("complaints", actor) as http:
            given = {"idempotency-key": str(uuid4()), **headers}
            return await http.request(method, f"/v1/complaints{path}", json=body, headers=given)

    async def get(self, actor: Actor, path: str, status: int = 200) -> Any:
        answer = await self.call(actor, "GET", path)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def items(self, actor: Actor, path: str) -> list[Any]:
        """Every item of a list, two a page."""
        found, more, mark = list[Any](), "", "&" if "?" in path else "?"
        while more is not None:
            page = await self.get(actor, f"{path}{mark}limit=2{more and f'&cursor={more}'}")
            found, more = found + page["items"], page["next"]
        return found

    async def open(self, actor: Actor = CENTRE, at: datetime | None = None, status: int = 201, **more: Any) -> Any:
        """A new case; by default an ordinary complaint of Ms Li on 26 March, 10:00."""
        body = {
            "client_id": "c-li", "branch_id": "B1", "channel": "hotline", "words": "客户经理业务不熟练，申购没有成功",
            "category": "service", "received_at": (at or march(26)).isoformat(),
        } | more  # fmt: skip
        answer = await self.call(actor, "POST", "/cases", {k: v for k, v in body.items() if v is not None})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def act(
        self, actor: Actor, case: Any, what: str, at: datetime | None = None, status: int = 200, **body: Any
    ) -> Any:
        """One act on a case as it stands now; done, it leaves a row of what was done, and of the case never two."""
        now = await self.world.value(
            "complaints", "SELECT revision FROM cases WHERE case_id = $1", UUID(case["case_id"])
        )
        body = {"at": at.isoformat()} | body if at else body
        headers = {"if-match": f'"{now}"'}
        before = await self._audited(case)
        answer = await self.call(actor, "POST", f"/cases/{case['case_id']}/{what}", body, **headers)
        assert answer.status_code == status, f"{what}: {answer.text}"
        if status < 400:
            after = await self._audited(case)
            assert after[0] > before[0], f"{what} left no audit row"
            assert after[1] <= before[1] + 1, f"{what} left {after[1] - before[1]} audit rows of the case"
        return answer.json()

    async def agree(self, actor: Actor, case: Any, kind: str, status: int = 200) -> Any:
        """Agree, as a second person, to what waits about a case; that leaves one row, beside those of what it ends."""
        place = f"case/{case['case_id']}"
        waiting = await self.world.value(
            "complaints",
            """SELECT approval_id FROM approvals WHERE kind = $2 AND state = 'waiting'
                 AND (object = $1 OR object LIKE $1 || '/%')""",
            place,
            kind,
        )
        query = "SELECT count(*) FROM audit WHERE action <> 'read' AND action NOT LIKE '%.withdrawn'"
        before = await self.world.value("complaints", query)
        answer = await self.call(actor, "POST", f"/approvals/{waiting}/approve", {})
        assert answer.status_code == status, answer.text
        assert await self.world.value("complaints", query) == before + (status < 400)
        return answer.json()

    async def _audited(self, case: Any) -> tuple[int, int]:
        """How many audit rows there are, and how many of one case."""
        query = "SELECT count(*) AS of_all, count(*) FILTER (WHERE object = $1) AS of_case FROM audit"
        [row] = await self.world.rows("complaints", query, f"case/{case['case_id']}")
        return row["of_all"], row["of_case"]

    async def ordered(self, case: Any, day: int = 26) -> None:
        """Accepted, ordered from the branch, its general manager phoned."""
        await self.act(CENTRE, case, "acceptance", march(day, 10, 5))
        await self.act(CENTRE, case, "ticket", march(day, 10, 30), 201)
        await self.act(CENTRE, case, "ticket/phone-notice", march(day, 11), to="B1-director", recording="rec/1")

    async def case(self, case: Any) -> Any:
        """The row as it stands."""
        (row,) = await self.world.rows("complaints", "SELECT * FROM cases WHERE case_id = $1", UUID(case["case_id"]))
        return row

    async def what(self, case: Any) -> list[str]:
        """What happened to a case, in order."""
        rows = await self.world.rows(
            "complaints",
            "SELECT act AS what FROM act_steps WHERE object = $1 ORDER BY number",
            f"case/{case['case_id']}",
        )
        return [row["what"] for row in rows]

    async def told(self, kind: type[Event], case: Any = None) -> list[str]:
        """Ids of what the service told, of one kind."""
        async with self.world.database("complaints").reading() as sql:
            schema = self.world.database("complaints").log.schema
            rows = await sql.fetch(f"SELECT id FROM {schema}.log WHERE type = $1 ORDER BY written_at", kind.type)
        return [row["id"] for row in rows if case is None or case["case_id"] in row["id"]]

    async def close(self, day: int) -> None:
        """Close a day of March 2009, and all before it not closed yet."""
        closed = date(2009, 3, day)
        await self.world.publish(BrokerDayClosed(business_date=closed), callbacks.DayCompleted(business_date=closed))
        await self.world.settle()

    async def answer(self, case: Any, at: datetime, scores: dict[str, int], accepted: bool) -> None:
        """The satisfaction call's result, as callbacks tells it."""
        await self.world.publish(
            callbacks.TaskCompleted(
                task_id=uuid4(), client_id="c-li", rule="satisfaction", outcome="completed",
                subject=case["case_id"], scores=scores, accepted=accepted, completed_at=at,
            )
        )  # fmt: skip
        await self.world.settle()
