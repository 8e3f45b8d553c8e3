"""The loops of one service: events in, days closed, deadlines fired, outbox out.

One supervised unit, whose health means progress.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from chassis.audit import Sealer
from chassis.breaker import TooManyBadRecords
from chassis.clock import clock_ahead
from chassis.closing import Closer
from chassis.consumer import Consumer, LostPartition, read_from_log
from chassis.database import Database
from chassis.deadlines.scheduler import Scheduler
from chassis.migrate import newer_schema
from chassis.new_types import NewTypes, from_log
from chassis.notifications import Notifications
from chassis.outages import is_outage
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry import UNIT_STATE
from contracts.broker import TOPICS

if TYPE_CHECKING:
    from chassis.bus.kafka import KafkaSource

log = structlog.get_logger()
LONGEST_WAIT_SECONDS = 5.0
LAG_EVERY_SECONDS = 15.0
SILENT_MEASURES = 3
SEAL_EVERY_SECONDS = 5.0
OWN_LOOPS_EVERY_SECONDS = 5.0
FEW_RECORDS = 200
GATHER_SECONDS = 0.005
CLOCK_REFUSES_SECONDS = 60.0


@dataclass(slots=True)
class LoopState:
    """How a loop does: its last error, since when it fails, when it last went round."""

    name: str
    error: str = ""
    failing_since: datetime | None = None
    stopped: bool = False
    turned: float = 0.0


class Worker:
    """Runs one service's loops until cancelled."""

    def __init__(
        self, service: Service, database: Database, settings: Settings, wake: Notifications, *, sole: bool
    ) -> None:
        self.service = service
        self.database = database
        self.settings = settings
        self.wake = wake
        self.applied = Notifications()  # what this worker's own consumer has done: all that can make a day closable
        self.armed = Notifications()
        self.consumer = Consumer(service, database, settings.bad_records_limit)
        self.closer = Closer(service, database, settings.bad_records_limit)
        self.scheduler = Scheduler(service, database, settings.bad_records_limit)
        self.sealer = Sealer(service, database, settings)
        self.partitions_at_once = settings.partitions if sole else 1
        self.states: dict[str, LoopState] = {}
        self.source: KafkaSource | None = None
        self.measured: dict[tuple[str, int], int] = {}
        self.stopping = False
        self.fit = asyncio.Event()
        self.doubted = Notifications()  # somebody else moved a position: perhaps a newer version works here now
        self._wakes: list[Notifications] = []
        self.silent_for = 0  # measures in a row with something to read and no position moved

    @property
    def healthy(self) -> bool:
        """No loop has stopped or is failing."""
        return not any(state.stopped or state.error for state in self.states.values())

    def stop(self) -> None:
        """Let every loop end after what it has in hand: `run` returns then."""
        self.stopping = True
        self.fit.set()
        for wake in self._wakes:
            wake.set()

    async def _check_fit(self) -> bool:
        """Hold all work while this machine's clock is far from the database's (one of the two is wrong), and while the
        database is of a newer version, which may hear what this one does not know.

        Raises: Unfit.
        """
        async with self.database.reading() as sql:
            ahead = await clock_ahead(sql)
            newer = await newer_schema(sql, self.service)
            if not newer and (more := await self.consumer.not_heard(sql)):
                newer = f"the service hears {', '.join(more)}"
        if abs(ahead) < CLOCK_REFUSES_SECONDS and not newer:
            self.fit.set()
            return False
        self.fit.clear()
        if newer:
            raise Unfit(f"{newer}: this worker is older than its database and leaves the work to newer ones")
        raise Unfit(
            f"this machine's clock is {ahead:+.0f} s against the database's: set it right, work goes on by itself"
        )

    async def run(self) -> None:
        """All loops, until told to stop."""
        await self._until_done("fit", self._check_fit)
        await self._until_done("prepare", self.consumer.prepare)
        await self._until_done("new types", self._hear_new_types)
        if self.stopping:
            return
        self.armed = self.wake.of({f"deadlines:{self.service.name}"})
        async with asyncio.TaskGroup() as loops:
            if self.service.topics:
                loops.create_task(self._consume())
            if self.service.watermark_topics:
                loops.create_task(self._loop("close", self.closer.step, wake=self.applied))
            if self.service.deadlines:
                # Woken by what is armed, and by the consumer: a handler of facts may arm, or hear whose time it is.
                idle = lambda: self.scheduler.waits_seconds  # noqa: E731
                loops.create_task(self._loop("deadlines", self.scheduler.step, wake=self.armed, idle_seconds=idle))
            loops.create_task(self.seal())
            loops.create_task(
                self._loop("measure", self._measure, wake=Notifications(), idle_seconds=LAG_EVERY_SECONDS)
            )
            loops.create_task(self._loop("fit", self._check_fit, wake=self.doubted, idle_seconds=LAG_EVERY_SECONDS))
            for name, step in self.service.loops.items():
                # Woken by `uow.notify("loops:SERVICE")`, and by nothing of the outside world, which does not wake us.
                turn, woken = partial(step, self.database), self.wake.of({f"loops:{self.service.name}"})
                loops.create_task(self._loop(name, turn, wake=woken, idle_seconds=OWN_LOOPS_EVERY_SECONDS))
            if self.settings.on_kafka:
                loops.create_task(self._relay())

    async def seal(self) -> None:
        """The sealing alone, for ever. Woken by nothing: it is not urgent, and looking costs a transaction."""
        await self._loop("seal", self.sealer.step, wake=Notifications(), idle_seconds=SEAL_EVERY_SECONDS)

    async def _measure(self) -> bool:
        """Set the lag gauges; see whether a Kafka client has fallen silent."""
        from chassis.operations.lag import lag

        found = await lag(self.service, self.database, self.settings)
        positions = await self.consumer.positions()
        self.silent_for = self.silent_for + 1 if found.records and positions == self.measured else 0
        self.measured = positions
        if self.source and self.silent_for >= SILENT_MEASURES:
            self.source.stuck, self.silent_for = True, 0
        return False

    async def _consume(self) -> None:
        if not self.settings.on_kafka:
            limit = self.settings.batch_records
            heard = self.wake.of(self.service.topics)
            await self._loop(
                "consume", lambda: read_from_log(self.consumer, self.partitions_at_once, limit), wake=heard
            )
            return
        from chassis.bus.kafka import KafkaSource
        from chassis.bus.kafka_topics import KafkaAddress

        address = KafkaAddress.parse(self.settings.bus_url or "")
        source = KafkaSource(self.consumer, address, self.settings.batch_records, self.settings.batch_seconds)
        self.source = source
        try:
            await self._loop("consume", source.step, waits_itself=True, reset=source.stop)
        finally:
            await source.stop()

    async def _hear_new_types(self) -> None:
        """What this version hears and older ones did not, before anything else."""
        await self._check_fit()
        new = NewTypes(self.consumer)
        async with AsyncExitStack() as stack:
            read = from_log(self.database)
            if self.settings.on_kafka:
                from chassis.bus.kafka import StretchReader
                from chassis.bus.kafka_topics import KafkaAddress

                kafka = StretchReader(KafkaAddress.parse(self.settings.bus_url or ""))
                stack.push_async_callback(kafka.stop)
                read = kafka.read
            while not self.stopping and await new.step(read, self.settings.batch_records):
                pass

    async def _relay(self) -> None:
        from chassis.bus.kafka import Relay
        from chassis.bus.kafka_topics import KafkaAddress

        relay = Relay(self.database, KafkaAddress.parse(self.settings.bus_url or ""), self.settings.batch_records)
        try:
            said = self.wake.of({kind.topic for kind in self.service.publishes} | set(TOPICS))
            await self._loop("relay", relay.step, wake=said, reset=relay.stop)
        finally:
            await relay.stop()

    async def _until_done(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        async def step() -> bool:
            await work()
            raise _DoneError

        try:
            await self._loop(name, step)
        except _DoneError:
            del self.states[name]

    async def _loop(
        self,
        name: str,
        step: Callable[[], Awaitable[int | bool]],
        *,
        wake: Notifications | None = None,
        idle_seconds: float | Callable[[], float] = 1.0,
        waits_itself: bool = False,
        reset: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Turn until told to stop: at once while there is work, else when woken. Errors are shown and waited out."""
        state = self.states.setdefault(name, LoopState(name))
        wake = wake or self.wake
        self._wakes.append(wake)
        wait = 0.1
        while not self.stopping:
            if name != "fit":
                await self.fit.wait()
                if self.stopping:
                    return
            seen = wake.count
            try:
                worked = await step()
            except (asyncio.CancelledError, _DoneError):
                raise
            except LostPartition:
                self.doubted.set()
                worked = True
            except TooManyBadRecords as error:
                state.error, state.stopped = str(error), True
                UNIT_STATE.labels(self.service.name).set(0)
                log.error("consumer stopped: too many bad records", service=self.service.name, error=error)
                while not self.stopping:  # until somebody has mended the cause and starts the worker again
                    await wake.wait(wake.count, LAG_EVERY_SECONDS)
                return
            except Exception as error:  # shown in health, and tried again: a loop that dies silently helps nobody
                await self._failed(state, error, wait, reset)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
                continue
            state.error, state.failing_since, wait, state.turned = "", None, 0.1, monotonic()
            UNIT_STATE.labels(self.service.name).set(float(self.healthy))
            if worked:
                if name == "consume":
                    self.applied.set()
                    self.armed.set()
                    # A few at a time cost as much as many: what is being written right now comes along.
                    await asyncio.sleep(GATHER_SECONDS if worked < FEW_RECORDS else 0)
                else:
                    await asyncio.sleep(0)
            elif not waits_itself:
                await wake.wait(seen, idle_seconds() if callable(idle_seconds) else idle_seconds)

    async def _failed(
        self, state: LoopState, error: Exception, wait: float, reset: Callable[[], Awaitable[None]] | None
    ) -> None:
        from chassis.clock import utc_now

        state.error, state.failing_since = repr(error), state.failing_since or utc_now()
        UNIT_STATE.labels(self.service.name).set(0)
        say = log.warning if is_outage(error) or isinstance(error, Unfit) else log.exception
        say("loop failed, trying again", service=self.service.name, loop=state.name, error=error, wait_s=wait)
        if reset:
            try:
                await reset()
            except Exception as second:  # the thing being reset is what is broken
                log.info("reset failed", service=self.service.name, loop=state.name, error=second)
        await asyncio.sleep(wait)


class Unfit(Exception):
    """This process must not work: its clock is wrong, or it is older than its database."""


class _DoneError(Exception):
    """Ends a loop that has done its one piece of work."""
