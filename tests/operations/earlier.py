"""An earlier release at work: `python tests/operations/earlier.py` with that release, unpacked, first on the path.

A line each on stdin, an answer in JSON on stdout: `make` its schemas, `work` (its workers of classification and points, and a publisher
that says trades one after the other), `look` (what its routes answer), `end` (what was published, and how its loops stand). It knows
nothing of the version whose tests start it.
"""

import asyncio
import json
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Any

import httpx

from careline.schema import make_schemas
from chassis.actor import Actor, Role
from chassis.bus.record import Outgoing, partition_of
from chassis.database import Database
from chassis.http import mint, service_app
from chassis.http.identity import HEADER
from chassis.notifications import Notifications
from chassis.personal.keys import Keyring
from chassis.settings import Settings
from chassis.worker import Worker
from contracts.base import Quantity, encode
from contracts.broker import ClientOpened, Instrument, TradeSettled
from gateway.app import service as gateway
from gateway.client_keys import ClientKeys
from services.classification.app import service as classification
from services.points.app import service as points

CLIENTS = 5
DAY = date(2024, 3, 1)
ROUTES = {
    "points": ("/v1/points/clients/{}", "/v1/points/clients/{}/entries", "/v1/points/clients/{}/lots"),
    "classification": ("/v1/classification/clients/{}", "/v1/classification/clients/{}/explain"),
}


class Earlier:
    """The release, on one database."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.keys = ClientKeys(self.settings)
        self.databases = {one.name: Database(self.settings, one.name) for one in (gateway, classification, points)}
        for one in self.databases.values():
            one.keyring = Keyring(self.keys)
        self.wake = Notifications()
        self.workers = [
            Worker(one, self.databases[one.name], self.settings, self.wake, sole=False)
            for one in (classification, points)
        ]
        self.tasks: list[asyncio.Task[None]] = []
        self.ids: list[str] = []
        self.failed: list[str] = []
        self.longest = 0.0

    async def make(self) -> None:
        """Its schemas, and its clients."""
        await make_schemas(self.settings, (gateway, classification, points))
        opened = [
            ClientOpened(client_id=f"c-{n}", branch_id="B1", opened_on=date(2020, 1, 2), kind="individual")
            for n in range(CLIENTS)
        ]
        async with self.databases["gateway"].unit_of_work() as uow:
            uow.publish([self._message(one, one.client_id, one.client_id) for one in opened])

    def _message(self, event: Any, key: str, id: str) -> Outgoing:
        place = partition_of(key, self.settings.partitions)
        return Outgoing(
            event.topic, place, key, event.type, id, "earlier", datetime(2024, 3, 1, 8, tzinfo=UTC), encode(event)
        )

    async def work(self) -> None:
        """Consume, close and seal; say trades until told to end."""
        self.tasks = [asyncio.create_task(one.run()) for one in self.workers]
        self.tasks += [asyncio.create_task(self._publish()), asyncio.create_task(self._wake())]
        while not await self._applied(20):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def _applied(self, trades: int) -> bool:
        async with self.databases["points"].reading() as sql:
            entries = await sql.fetchval("SELECT count(*) FROM entries")
        async with self.databases["classification"].reading() as sql:
            clients = await sql.fetchval("SELECT count(*) FROM clients")
        return entries >= trades and clients == CLIENTS

    async def _wake(self) -> None:
        while True:
            self.wake.set()
            for one in self.workers:
                one.doubted.set()
            await asyncio.sleep(0.1)

    async def _publish(self) -> None:
        while True:
            number = len(self.ids)
            trade = TradeSettled(
                trade_id=f"t-{number}", client_id=f"c-{number % CLIENTS}", account_id="a", branch_id="B1", trade_date=DAY,
                settled_at=datetime(2024, 3, 1, 2, tzinfo=UTC) + timedelta(seconds=number), side="buy", currency="CNY",
                instrument=Instrument(symbol="SH600000", kind="stock"), quantity=Quantity("100"),
                amount=Quantity("10000"), commission=Quantity("10"),
            )  # fmt: skip
            began = monotonic()
            try:
                async with self.databases["gateway"].unit_of_work() as uow:
                    uow.publish([self._message(trade, trade.client_id, trade.trade_id)])
            except Exception as error:
                self.failed.append(repr(error))
                continue
            self.longest = max(self.longest, monotonic() - began)
            self.ids.append(trade.trade_id)
            await asyncio.sleep(0.02)

    async def look(self) -> dict[str, int]:
        """The status of each of its routes of clients."""
        found = {}
        caller = mint(Actor("hq", Role.HQ, purpose="look"), self.settings)
        for worker in self.workers:
            app = service_app(worker.service, worker.database, self.settings, worker)
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://x", headers={HEADER: caller}) as http:
                for route in ROUTES[worker.service.name]:
                    found[route] = (await http.get(route.format("c-1"))).status_code
        return found

    async def states(self) -> dict[str, dict[str, str]]:
        """What each loop of each worker complains of."""
        return {one.service.name: {name: state.error for name, state in one.states.items()} for one in self.workers}

    async def end(self) -> dict[str, Any]:
        """Stop; what was published, what failed, how long the slowest took."""
        for one in self.workers:
            one.stop()
        for task in self.tasks[2:]:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self.tasks)
        for database in (*self.databases.values(), self.keys.database):
            await database.close()
        return {"published": len(self.ids), "failed": self.failed, "longest": self.longest}


async def main() -> None:
    """Do what stdin says."""
    earlier, answers = Earlier(), sys.stdout
    sys.stdout = sys.stderr
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().strip():
        found = await getattr(earlier, line)()
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
