"""The platform in one process: databases, workers and HTTP of the services it is given, as one supervised whole."""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from careline.schema import make_schemas
from careline.services import SERVICES
from careline.worker_lock import hold_worker_lock
from chassis import housekeeping
from chassis.database import Database
from chassis.notifications import Notifications
from chassis.operations import gauges
from chassis.personal.keys import Keyring
from chassis.personal.remote import RemoteKeys
from chassis.service import Service
from chassis.settings import Settings
from chassis.worker import Worker
from gateway.client_keys import ClientKeys
from gateway.clock import Clock

DRAIN_SECONDS = 10.0


class Platform:
    """`async with Platform(settings) as platform:` migrates, connects and works until the block ends.

    `working` names the services whose events, closes and relay this process does: all of them unless told otherwise.
    A loop that fails is shown in its worker's health and tried again; a loop that ends is an error of ours and ends
    the block.
    """

    def __init__(
        self,
        settings: Settings,
        services: Sequence[Service] = SERVICES,
        *,
        working: Collection[str] | None = None,
        sole: bool = True,
    ) -> None:
        self.settings = settings
        self.services = tuple(services)
        self.working = {service.name for service in services} if working is None else set(working)
        self.sole = sole
        self.wake = Notifications()
        self.databases: dict[str, Database] = {}
        self.workers: dict[str, Worker] = {}
        self.keys: ClientKeys | None = None
        self.remote: list[RemoteKeys] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await make_schemas(self.settings, self.services)
        self.connect()
        await self._group.__aenter__()
        # One listener a database, whatever the logins.
        for url in {database.url.rpartition("@")[2]: database.url for database in self.databases.values()}.values():
            self._tasks.add(self._group.create_task(self.wake.listen(url)))
        for service in self.services:
            if service.name in self.working:
                self.start_work(service.name)
        self.supervise(gauges.run(self.services, self.databases, self.settings))
        if self.working:
            self.supervise(housekeeping.run(self.settings, self.services))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self._drain()
        for task in self._tasks:
            task.cancel()
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:  # one error is told as it is, so that callers can name what they refuse
                raise group.exceptions[0] from None
            raise
        finally:
            await self.disconnect()

    async def _drain(self) -> None:
        """Let every loop end its batch; what takes too long is broken off, and leaves nothing behind."""
        for worker in self.workers.values():
            worker.stop()
        working = [task for task in self._tasks if task.get_name() in self.workers]
        if working:
            await asyncio.wait(working, timeout=DRAIN_SECONDS)

    def connect(self) -> None:
        """Make the databases' pools and the workers, without running anything (tests turn the loops themselves)."""
        for service in self.services:
            database = self.databases[service.name] = Database(self.settings, service.name)
            self.workers[service.name] = Worker(service, database, self.settings, self.wake, sole=self.sole)
        if "gateway" in self.databases:
            self.keys = ClientKeys(self.settings)
        kept = Keyring(self.keys) if self.keys else None
        for name, database in self.databases.items():
            if kept is None:
                self.remote.append(RemoteKeys(self.settings, name))
            database.keyring = kept or Keyring(self.remote[-1])

    async def disconnect(self) -> None:
        """Give all connections back."""
        for database in self.databases.values():
            await database.close()
        if self.keys:
            await self.keys.database.close()
        for source in self.remote:
            await source.close()

    def supervise(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the loops until the block ends; its error ends the block."""
        self._tasks.add(self._group.create_task(work))

    def start_work(self, name: str) -> None:
        """Run one service's loops from now on; once more is a repeat."""
        if name in {task.get_name() for task in self._tasks}:
            return
        self._tasks.add(self._group.create_task(self.workers[name].run(), name=name))
        self._tasks.add(self._group.create_task(hold_worker_lock(self.databases[name].url, name)))
        if name == "gateway":
            # Woken by nothing: what the first fact decides is not due before the next midnight.
            self.supervise(Clock(self.settings, self.databases[name]).run(Notifications()))
