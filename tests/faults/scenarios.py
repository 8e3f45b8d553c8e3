"""The faults, each a scenario that a seed plays in its own way. Every one of them ends with nothing lost and nothing doubled."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from chassis import clock, housekeeping
from chassis.bus.parts import Parts
from chassis.bus.record import Outgoing
from chassis.closing import Closer
from chassis.consumer import Batch, LostPartition, OlderWorker, read_from_log
from chassis.database import Database
from chassis.new_types import NewTypes, from_log
from chassis.notifications import Notifications
from chassis.operations import dead_letters, positions
from chassis.outages import driver_error, is_outage
from chassis.uow import UnitOfWork
from chassis.witness import ChainFile
from chassis.worker import Worker
from contracts.broker import ACCOUNTS, FundsMoved, PermissionRequested
from gateway.app import service as gateway_service
from services.callbacks.evidence import Folder
from tests.faults.counting.service import CLOSED, COUNTING, HEARS_MORE, HOOKS
from tests.faults.own_server import disk_is_full
from tests.faults.scene import CutOff, Scene
from tests.world import OPERATOR

Scenario = Callable[[Scene], Awaitable[None]]


async def _cut(uow: UnitOfWork) -> None:
    """Cut this transaction's connection, as a network does that is gone."""
    uow.sql.terminate()


async def cut_before_commit(scene: Scene) -> None:
    """The connection is cut at any place of a batch."""
    for _ in range(3):
        await scene.say(scene.chance.randint(1, 120))
        HOOKS[scene.chance.choice(["first", "between", "last"])] = _cut
        with suppress(Exception):
            await scene.step()
        HOOKS.clear()
    await scene.drain()


async def backend_killed(scene: Scene) -> None:
    """The database ends the session in the middle of a batch."""

    async def kill(uow: UnitOfWork) -> None:
        admin = await scene.admin()
        try:
            await admin.execute("SELECT pg_terminate_backend($1)", uow.sql.get_server_pid())
        finally:
            await admin.close()

    await scene.say(150)
    for _ in range(2):
        HOOKS[scene.chance.choice(["first", "between", "last"])] = kill
        with suppress(Exception):
            await scene.step()
        HOOKS.clear()
    await scene.drain()


async def commit_not_acknowledged(scene: Scene) -> None:
    """The commit is done, and its acknowledgement lost: the consumer takes it for an outage and tries again."""
    real, chance = Database.unit_of_work, scene.chance

    class Deaf(Database):
        def unit_of_work(self, *arguments, **named):  # type: ignore[no-untyped-def, override]
            from contextlib import asynccontextmanager

            @asynccontextmanager
            async def block():  # type: ignore[no-untyped-def]
                async with real(self, *arguments, **named) as uow:
                    yield uow
                if chance.random() < 0.3:
                    raise CutOff("the acknowledgement is lost")

            return block()

    await scene.say(200)
    deaf = Deaf(scene.settings, "counting")
    consumer = scene.consumer()
    consumer.database = deaf
    for _ in range(8):
        with suppress(Exception):
            await scene.step(consumer, limit=40)
    await deaf.close()
    await scene.drain()


async def two_owners(scene: Scene) -> None:
    """Two workers apply the same records at the same moment, as after a rebalance."""
    await scene.say(120)
    first, second = scene.consumer(), scene.consumer()
    async with scene.counting.reading() as sql:
        ends = await scene.counting.log.ends(sql, COUNTING.topics)
        places = {place: at for place, at in (await first.positions()).items() if ends.get(place, at) > at}
        moves = {place: (at, ends[place]) for place, at in places.items()}
        records = await scene.counting.log.read_types(sql, moves, first.types)
    outcomes = await asyncio.gather(
        *(one.apply(Batch(records, one.read(records), moves)) for one in (first, second)), return_exceptions=True
    )
    failed = [
        one for one in outcomes if isinstance(one, BaseException)
    ]  # one waits for the other, and on a busy machine too long
    assert all(isinstance(one, LostPartition) or is_outage(driver_error(one)) for one in failed), failed
    await scene.drain()


async def late_duplicates(scene: Scene) -> None:
    """Facts come again at new offsets, under new ids, in any order, also in the same batch."""
    await scene.say(100)
    await scene.say_again(60)
    if scene.chance.random() < 0.5:
        await scene.step()
    await scene.say_again(100)
    await scene.drain()


async def foreign_limits(scene: Scene) -> None:
    """Somebody else's settings or changes break every statement: locks, read-only, a changed schema, a missing part."""
    admin = await scene.admin()
    try:
        await scene.say(60)
        kind = scene.chance.choice(["lock", "read-only", "schema", "part", "idle", "statement"])
        if kind == "lock":
            async with admin.transaction():
                await admin.execute("LOCK TABLE counting.entries IN ACCESS EXCLUSIVE MODE")
                await _fails(scene, "SET LOCAL lock_timeout = '20ms'")
        elif kind == "read-only":
            await _fails(scene, "SET LOCAL transaction_read_only = on")
        elif kind == "schema":
            await admin.execute("ALTER TABLE counting.balances RENAME TO elsewhere")
            await _fails(scene)
            await admin.execute("ALTER TABLE counting.elsewhere RENAME TO balances")
        elif kind == "part":
            part = f"bus.log_{await admin.fetchval('SELECT clock_timestamp()::date'):%Y%m%d}"
            bounds = await admin.fetchval(
                "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = $1::regclass", part
            )
            await admin.execute(f"ALTER TABLE bus.log DETACH PARTITION {part}; ALTER TABLE {part} RENAME TO kept_aside")
            # What is read is gone too: only publishing is tried.
            with pytest.raises(asyncpg.PostgresError) as nowhere:
                await scene.publish(scene.messages[:1])
            assert is_outage(nowhere.value)
            await admin.execute(f"ALTER TABLE bus.kept_aside RENAME TO {part[4:]}")
            await admin.execute(f"ALTER TABLE bus.log ATTACH PARTITION {part} {bounds}")
        elif kind == "idle":
            await _fails(scene, "SET LOCAL idle_in_transaction_session_timeout = '20ms'", sleeps=True)
        else:
            await _fails(scene, "SET LOCAL statement_timeout = '1ms'", "SELECT pg_sleep(0.05)")
    finally:
        await admin.close()
    await scene.drain()


async def _fails(scene: Scene, *statements: str, sleeps: bool = False) -> None:
    async def broken(uow: UnitOfWork) -> None:
        for statement in statements:
            await uow.sql.execute(statement)
        if sleeps:
            with suppress(Exception):
                while not uow.sql.is_closed():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)  # the server ends the session: nothing here can be woken

    HOOKS["first"] = broken
    failed = False
    try:
        await scene.step()
    except Exception:
        failed = True
    HOOKS.clear()
    assert failed, "it should have stood still"


async def any_bytes(scene: Scene) -> None:
    """Records of any bytes among healthy ones: each ends as an effect or as a dead letter."""
    await scene.say(40)
    for _ in range(scene.chance.randint(1, 12)):
        client = scene.chance.choice(scene.messages).key
        place = scene.chance.choice(scene.messages).partition
        value = scene.chance.choice(
            [
                b"",
                b"\xff\xfe",
                b"null",
                b"[" * 5000,
                b'{"transfer_id":"\\u0000"}',
                scene.chance.randbytes(50),
                b'{"a":1}',
            ]
        )
        await scene.publish(
            [
                Outgoing(
                    ACCOUNTS, place, client, FundsMoved.type, "odd", "faults", datetime(2026, 1, 1, tzinfo=UTC), value
                )
            ]
        )
        scene.bad += 1
        await scene.say(3)
    await scene.drain()


async def redriven_and_skipped(scene: Scene) -> None:
    """A handler that refuses for a while; its letters are redriven, odd ones skipped."""

    async def refuse(uow: UnitOfWork) -> None:
        raise ValueError("not now")

    await scene.say(25)
    HOOKS["between"] = refuse
    while await scene.step(limit=7):
        pass
    HOOKS.clear()
    results = await dead_letters.redrive(COUNTING, scene.counting, OPERATOR)
    assert {one.outcome for one in results} == {"done"}, results
    scene.bad = len(results)
    await scene.drain()


async def stopped_publisher(scene: Scene) -> None:
    """A publisher stops between its records and its commit; others wait no longer than the limit."""
    async with scene.counting.reading() as sql:
        await sql.fetchval("SELECT 1")
    stopped = Database(scene.settings, "gateway")
    entered = stopped.unit_of_work()
    uow = await entered.__aenter__()
    lost = scene.messages_of(5)
    uow.publish(lost)
    await uow.finish()
    await uow.sql.execute("SET LOCAL idle_in_transaction_session_timeout = '100ms'")  # instead of the limit of seconds
    await scene.say(40)
    with suppress(Exception):
        await entered.__aexit__(None, None, None)
    await stopped.close()
    await scene.publish(lost)
    await scene.drain()


async def backup_meanwhile(scene: Scene) -> None:
    """A backup reads every table all the time: publishing, room and retention go on."""
    admin = await scene.admin()
    try:
        async with admin.transaction(isolation="repeatable_read", readonly=True):
            for (table,) in await admin.fetch(
                "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind IN ('r', 'p')"
            ):
                if table.startswith(("bus.", "counting.", "gateway.")):
                    await admin.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
            await scene.say(30)
            other = await scene.admin()
            try:
                day = await other.fetchval("SELECT clock_timestamp()::date") + timedelta(
                    days=scene.chance.randint(20, 400)
                )
                await Parts(other, "bus").make_room(day, 1)
                await housekeeping.once(scene.settings, (gateway_service, COUNTING))
            finally:
                await other.close()
            await scene.say(30)
            await scene.step()
    finally:
        await admin.close()
    await scene.drain()


async def retention(scene: Scene) -> None:
    """Days pass, readers are far behind, parts are dropped: never what somebody has not read."""
    await scene.say(60)
    admin = await scene.admin()
    try:
        await scene.step(limit=scene.chance.choice([1, 20]))
        today = await admin.fetchval("SELECT clock_timestamp()::date")
        day = today - timedelta(days=scene.chance.randint(9, 30))
        await admin.execute(f"DROP TABLE IF EXISTS bus.log_{day:%Y%m%d}") if day not in await Parts(
            admin, "bus"
        ).attached() else None
        await Parts(admin, "bus").make_room(day + timedelta(days=1), -1)
        with suppress(asyncpg.ObjectNotInPrerequisiteStateError):  # that day was over before
            await admin.execute("UPDATE bus.log SET written_at = $1 WHERE key LIKE $2", _noon(day), f"{scene.name}-%")
        scene.log_is_whole = False
        await housekeeping.once(scene.settings, (gateway_service,))  # a process that knows nothing of the reader
        await scene.say(20)
        await housekeeping.once(scene.settings, (gateway_service,))
    finally:
        await admin.close()
    await scene.drain()


def _noon(day: object) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


async def below_low_water(scene: Scene) -> None:
    """A reader whose records are gone stops, and goes on where an operator says; nothing is jumped in silence."""
    from chassis.bus.log import BelowLowWater

    await scene.say(30)
    await scene.drain()
    place = (ACCOUNTS, scene.messages[0].partition)
    admin = await scene.admin()
    try:
        at = await admin.fetchval(
            "UPDATE bus.low_water w SET next = h.next FROM bus.heads h WHERE w.topic = $1 AND w.partition = $2 "
            "AND h.topic = w.topic AND h.partition = w.partition RETURNING h.next",
            *place,
        )
        await admin.execute(
            "UPDATE counting.consumer_offsets SET next = $3 WHERE topic = $1 AND partition = $2", *place, at - 1
        )
        with pytest.raises(BelowLowWater, match=f"--to {at}"):
            await scene.step(limit=5000)
        await positions.skip(scene.counting, OPERATOR, place, at, "tried")
        await scene.say(20)
    finally:
        await admin.execute("UPDATE bus.low_water SET next = 0, since = NULL")
        await admin.close()
    await scene.drain()


async def stopped_while_working(scene: Scene) -> None:
    """A worker is told to stop, or is cancelled, at any moment of its work."""
    await scene.say(150)
    worker = Worker(
        COUNTING, scene.counting, scene.settings.model_copy(update={"batch_records": 10}), Notifications(), sole=True
    )
    reached, wanted = asyncio.Event(), scene.chance.randint(1, 6)
    count = 0

    async def note(uow: UnitOfWork) -> None:
        nonlocal count
        count += 1
        if count >= wanted:
            reached.set()
            await asyncio.sleep(0)

    HOOKS[scene.chance.choice(["first", "between", "last"])] = note
    working = asyncio.create_task(worker.run())
    async with asyncio.timeout(60):
        await reached.wait()
        if scene.chance.random() < 0.5:
            worker.stop()
            await working
        else:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    HOOKS.clear()
    await scene.drain()


async def three_workers(scene: Scene) -> None:
    """Three workers at once, each taking as many partitions and records as it likes at every step; some stop early."""
    await scene.say(200)

    async def work(partitions: int) -> None:
        consumer = scene.consumer()
        for _ in range(scene.chance.randint(2, 12)):
            with suppress(LostPartition):
                await read_from_log(consumer, partitions, scene.chance.choice([3, 20, 100]))
            if scene.chance.random() < 0.3:
                await scene.say(5)

    await asyncio.gather(*(work(partitions) for partitions in (1, 2, 3)))
    await scene.drain()


async def pool_exhausted(scene: Scene) -> None:
    """Every connection of the service is taken: a batch waits its turn, as in an outage, and is applied afterwards."""
    await scene.say(80)
    async with AsyncExitStack() as held:
        with suppress(Exception):
            while True:
                await held.enter_async_context(scene.counting.reading())
        with pytest.raises(Exception) as full:  # noqa: PT011
            await scene.step()
        assert is_outage(full.value), full.value
        await scene.say(scene.chance.randint(1, 20))
    await scene.drain()


async def rolling_upgrade(scene: Scene) -> None:
    """A version that hears a type more begins beside the one at work: what is kept of that type is read first, the older one
    moves nothing any more, and comes no further when it is started again."""
    settings = scene.settings.model_copy(update={"batch_records": scene.chance.choice([10, 60])})
    old = Worker(COUNTING, scene.counting, settings, Notifications(), sole=True)
    new = Worker(HEARS_MORE, scene.counting, settings, Notifications(), sole=True)

    async def say() -> None:
        mixed = scene.messages_of(scene.chance.randint(20, 80)) + scene.requests_of(scene.chance.randint(5, 30))
        scene.chance.shuffle(mixed)
        await scene.publish(mixed)

    reached, wanted, count = asyncio.Event(), scene.chance.randint(1, 5), 0

    async def note(uow: UnitOfWork) -> None:
        nonlocal count
        count += 1
        if count >= wanted:
            reached.set()

    await say()
    HOOKS["last"] = note
    async with asyncio.timeout(100), asyncio.TaskGroup() as both:
        both.create_task(old.run())
        await say()
        while not reached.is_set():
            await scene.say(1)
            old.wake.set()
            await asyncio.sleep(0.01)
        both.create_task(new.run())
        while new.consumer.hearing is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # its loops wake nobody outside
        await say()
        while "older than its database" not in old.states["fit"].error:
            await scene.say(1)
            old.wake.set()
            await asyncio.sleep(0.01)
        old.stop()
        new.stop()
    HOOKS.clear()
    with pytest.raises(OlderWorker, match="hears broker"):
        await scene.consumer().prepare()
    scene.service, scene.hearing = HEARS_MORE, new.consumer.hearing
    try:
        left = NewTypes(new.consumer)  # it may have been stopped in the midst of it
        while await left.step(from_log(scene.counting), 20):
            pass
        await scene.drain()
    finally:  # as the migration of a version that stops hearing it
        async with scene.counting.unit_of_work() as uow:
            await uow.sql.execute("DELETE FROM heard_types WHERE type = $1", PermissionRequested.type)


def _waits(error: BaseException) -> None:
    assert is_outage(driver_error(error)), error


def _has_no_room(error: OSError) -> None:
    assert disk_is_full(error), error


async def clock_skew(scene: Scene) -> None:
    """A worker's machine is days or minutes ahead or behind, from the beginning or from some batch on: it holds all work, drops
    nothing, and goes on when its clock is right again. Some seconds change nothing."""
    far = scene.chance.choice([864_000, -864_000, 90, -90, 20, -20])
    holds = abs(far) >= 60
    real, ahead, later = clock.utc_now, [0.0], scene.chance.choice([0, 0, 1, 3])
    await scene.say(120)
    wake = Notifications()
    worker = Worker(COUNTING, scene.counting, scene.settings.model_copy(update={"batch_records": 20}), wake, sole=True)

    async def wrong(uow: UnitOfWork) -> None:
        nonlocal later
        later -= 1
        if later == 0:
            ahead[0] = far
            worker.doubted.set()

    def skewed() -> datetime:
        return real() + timedelta(seconds=ahead[0])

    async def until(reached: Callable[[], Awaitable[bool]]) -> None:
        while not await reached():
            wake.set()
            await asyncio.sleep(0.01)  # the worker tells nobody

    async def held() -> bool:
        return "clock" in (worker.states["fit"].error if "fit" in worker.states else "")

    with pytest.MonkeyPatch.context() as machine:
        for module in list(sys.modules.values()):
            if getattr(module, "utc_now", None) is real:
                machine.setattr(module, "utc_now", skewed)
        if later:
            HOOKS["last"] = wrong
        else:
            ahead[0] = far
        async with asyncio.timeout(60):
            working = asyncio.create_task(worker.run())
            if holds:
                await until(held)
                positions = await worker.consumer.positions()
                await scene.say(20)
                assert await housekeeping.once(scene.settings, (gateway_service, COUNTING)) == []
                wake.set()
                await asyncio.sleep(0)
                moved = sum((await worker.consumer.positions()).values()) - sum(positions.values())
                assert moved <= 20 * scene.settings.partitions, "only what was in hand when the clock went wrong"
                ahead[0] = 0.0
            await until(scene.caught_up)
            worker.stop()
            await working
    HOOKS.clear()
    await scene.drain()


async def unaligned_workers(scene: Scene) -> None:
    """Three workers, each with partitions of its own of either topic, as Kafka may give them: one client is worked on by two at
    once, and some partition has two owners for a while."""
    mixed = scene.messages_of(120) + scene.purchases_of(120)
    scene.chance.shuffle(mixed)
    await scene.publish(mixed)
    places = sorted(await scene.consumer().positions())
    scene.chance.shuffle(places)
    owned = [places[n::3] + scene.chance.sample(places, scene.chance.randint(0, 2)) for n in range(3)]

    async def work(own: list[tuple[str, int]], limit: int) -> None:
        consumer = scene.consumer()
        for _ in range(6):
            async with scene.counting.reading() as sql:
                ends = await scene.counting.log.ends(sql, COUNTING.topics)
                now = await consumer.positions()
                moves = {
                    place: (now[place], min(ends[place], now[place] + limit))
                    for place in own
                    if ends.get(place, 0) > now[place]
                }
                records = await scene.counting.log.read_types(sql, moves, consumer.types)
            try:
                await consumer.apply(Batch(records, consumer.read(records), moves))
            except LostPartition:
                continue
            except Exception as error:  # two that wait for each other: one is told to try again
                _waits(error)

    await asyncio.gather(*(work(own, scene.chance.choice([2, 7, 50])) for own in owned))
    await scene.drain()


async def _signalled(scene: Scene, number: signal.Signals) -> str:
    """A worker in a process of its own that gets a signal in the middle of a batch; what became of it."""
    assert scene.forks is not None
    await scene.say(150)
    place = scene.chance.choice(["first", "between", "last"])
    return await scene.forks.do("work", place, scene.chance.randint(1, 6), int(number), scene.chance.choice([10, 20]))


async def suspended(scene: Scene) -> None:
    """A process is stopped inside a transaction for longer than its limit, as a closed laptop is; another does its work. When it
    goes on, its session is gone, it applies nothing twice, and works on."""
    assert scene.forks is not None
    assert await _signalled(scene, signal.SIGSTOP) == "stopped"
    if scene.chance.random() < 0.7:
        await scene.drain()
    await scene.say(20)
    assert await scene.forks.do("go") == "going"
    async with asyncio.timeout(60):
        while not await scene.caught_up():  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # another process works
    assert await scene.forks.do("end") == "0"
    await scene.drain()


async def terminated_under_load(scene: Scene) -> None:
    """A process is told to terminate (or killed) in the middle of a batch while there is more to do: it ends by itself, with what
    it had in hand done or left alone."""
    number = scene.chance.choice([signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
    talking = asyncio.create_task(scene.say(60))
    ended = await _signalled(scene, number)
    assert ended == ("0" if number is not signal.SIGKILL else str(-signal.SIGKILL)), ended
    await talking
    await scene.drain()


async def offset_out_of_range(scene: Scene) -> None:
    """Kafka has dropped what a service has not read: it stops and says so; what lies in the publisher's log is shipped again, and
    the service is moved to what Kafka has."""
    from aiokafka import TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

    from chassis.bus.kafka_clients import running
    from chassis.bus.log import BelowLowWater

    await scene.say(60)
    for relay in scene.relays:
        while await relay.step():
            pass
    address, consumer = scene.sources[0].address, scene.consumer()
    ends = await scene.kafka_ends()
    gone = {
        place: (at, scene.chance.randint(at + 1, ends[place]))
        for place, at in sorted((await consumer.positions()).items())
        if place[0] == ACCOUNTS and ends[place] > at
    }
    async with running(AIOKafkaAdminClient(bootstrap_servers=address.servers)) as admin:
        await admin.delete_records(
            {TopicPartition(address.topic(topic), p): RecordsToDelete(to) for (topic, p), (_, to) in gone.items()}
        )

    async def for_ever() -> None:
        while True:
            await scene.step()

    with pytest.raises(BelowLowWater, match="positions ship-again"):
        await asyncio.wait_for(for_ever(), 60)
    await scene.sources[0].stop()
    for (topic, p), (_, kept) in gone.items():
        async with scene.gateway.reading() as sql:
            first = await sql.fetchval(
                f"""SELECT min("offset") FROM {scene.gateway.log.schema}.log
                    WHERE topic = $1 AND partition = $2 AND key LIKE $3""",
                topic,
                p,
                f"{scene.name}-%",
            )
        await positions.ship_again(scene.gateway, OPERATOR, (topic, p), first, "tried")
        await positions.skip(scene.counting, OPERATOR, (topic, p), kept, "tried")
    await scene.drain()


async def restarted_in_close(scene: Scene) -> None:
    """The database is killed, or told to restart, in the middle of a close: the day is closed and told once, when it is there again."""
    own = scene.own
    assert own is not None
    scene.closer = Closer(COUNTING, scene.counting)
    async with scene.counting.reading() as sql:
        through = await sql.fetchval("SELECT through FROM closed_days")
        before = await sql.fetchrow("SELECT entries, total FROM closings ORDER BY day DESC LIMIT 1") or (0, 0)
    first = through + timedelta(days=1) if through else date(2001, 1, 1)
    days, expected = [first + timedelta(days=n) for n in range(2)], []
    for day in days:
        await scene.say(scene.chance.randint(1, 60))
        await scene.drain()
        expected.append((day, before[0] + len(scene.facts), before[1] + sum(scene.facts.values())))
        await scene.say_closed(day)
        while await scene.step():
            pass
        number = scene.chance.choice([signal.SIGINT, signal.SIGQUIT])

        async def restarts(uow: UnitOfWork, number: signal.Signals = number) -> None:
            await asyncio.to_thread(own.kill, number)

        HOOKS["close"] = restarts
        with pytest.raises(Exception) as away:  # noqa: PT011
            await scene.closer.step()
        HOOKS.clear()
        assert is_outage(driver_error(away.value)), away.value
        await asyncio.to_thread(own.start)
        await scene.drain()
    async with scene.counting.reading() as sql:
        found = await sql.fetch("SELECT day, entries, total FROM closings WHERE day >= $1 ORDER BY day", first)
        told = await sql.fetchval(
            "SELECT count(DISTINCT value) = count(*) AND count(*) = (SELECT count(*) FROM closings) FROM bus.log WHERE key = $1",
            CLOSED,
        )
    assert [tuple(row) for row in found] == expected
    assert told, "each closed day is told once"


async def disk_full_log(scene: Scene) -> None:
    """No room is left for the log and the tables: publishers and workers hear so and wait; nothing is half there."""
    own, full = scene.own, 0
    assert own is not None
    await scene.say(20)
    await asyncio.to_thread(own.fill, scene.chance.randint(0, 64))
    left: list[Outgoing] = []
    try:
        for _ in range(60):
            some = scene.messages_of(60)
            try:
                async with scene.gateway.unit_of_work() as uow:
                    uow.publish(some)
            except Exception as error:
                _waits(error)
                left, full = left + some, full + 1
            if full:
                break
            if scene.chance.random() < 0.3:
                try:
                    await scene.step()
                except Exception as error:
                    _waits(error)
                    full += 1
    finally:
        await asyncio.to_thread(own.free)
    assert full, "the disk was never full"
    await scene.publish(left)
    await scene.drain()


async def disk_full_wal(scene: Scene) -> None:
    """No room is left for the write-ahead log: the database ends itself; started again with room, it has what was committed."""
    own = scene.own
    assert own is not None
    await scene.say(40)
    await asyncio.to_thread(own.fill, 0)
    left: list[Outgoing] = []
    try:
        for _ in range(20):
            some = scene.messages_of(scene.chance.randint(1, 5))
            try:
                admin = await scene.admin()
                await admin.execute("SELECT pg_switch_wal()")
                await admin.close()
                async with scene.gateway.unit_of_work() as uow:
                    uow.publish(some)
            except Exception as error:
                _waits(error)
                left = some
                break
        assert left, "the disk was never full"
    finally:
        await asyncio.to_thread(own.free)
        await asyncio.to_thread(own.kill, signal.SIGQUIT)
        await asyncio.to_thread(own.start)
    # The last one may have been committed without an answer: told again under the same ids, as any sender does.
    await scene.publish(left)
    await scene.drain()


async def disk_full_evidence(scene: Scene) -> None:
    """No room is left for evidence and for the witness: what was not stored is not there, in no part and with no leavings; what was
    said to be there is, and goes on when there is room."""
    own = scene.own
    assert own is not None
    evidence, witness = own.disk / f"evidence-{scene.name}", own.disk / f"witness-{scene.name}" / "heads.log"
    stored, lines, refused = list[bytes](), list[str](), 0
    store, file = Folder(evidence), ChainFile(witness)

    async def one() -> None:
        nonlocal refused
        content = scene.chance.randbytes(scene.chance.randint(1, 20_000))
        body = [f"{len(lines)} {'x' * scene.chance.randint(0, 9000)}" for _ in range(scene.chance.randint(1, 3))]
        try:
            await store.put(content[:8].hex(), content)
            stored.append(content)
        except OSError as error:
            _has_no_room(error)
            assert await store.get(content[:8].hex()) is None
            refused += 1
        try:
            with file.held(wait=True):
                file.new_lines()
                file.append(body)
            lines.extend(body)
        except OSError as error:
            _has_no_room(error)
            refused += 1

    await one()
    await asyncio.to_thread(own.fill, scene.chance.randint(16, 120))
    try:
        for _ in range(30):
            await one()
    finally:
        await asyncio.to_thread(own.free)
    assert refused, "the disk was never full"
    assert not [path for path in evidence.rglob(".*") if path.is_file()], "nothing half stored keeps the disk full"
    for _ in range(2):
        await one()
    assert [await store.get(content[:8].hex()) for content in stored] == stored
    assert ChainFile(witness).new_lines() == lines


async def relay_dies(scene: Scene) -> None:
    """The relay sends, and dies before its cursor moves: Kafka has the records twice, the service once."""
    await scene.say(80)
    relay = scene.relays[0]
    real = relay._ship

    async def dies(records):  # type: ignore[no-untyped-def]
        await real(records)
        raise CutOff("killed between send and cursor")

    relay._ship = dies  # type: ignore[method-assign]
    for _ in range(scene.chance.randint(1, 3)):
        with suppress(CutOff):
            await relay.step()
    relay._ship = real  # type: ignore[method-assign]
    await scene.drain()


async def any_bytes_on_kafka(scene: Scene) -> None:
    """Any bytes as key, headers and value, sent by somebody else's producer."""
    from aiokafka import AIOKafkaProducer

    address, chance = scene.sources[0].address, scene.chance
    await scene.say(20)
    producer = AIOKafkaProducer(bootstrap_servers=address.servers)
    await producer.start()
    try:
        for _ in range(chance.randint(5, 25)):
            good = chance.choice(scene.messages)
            headers = {
                "ce_specversion": b"1.0", "ce_id": b"x", "ce_source": b"s", "ce_type": FundsMoved.type.encode(),
                "ce_time": b"2026-01-01T00:00:00+00:00", "ce_subject": b"c", "content-type": b"application/json",
            }  # fmt: skip
            key, value = good.key.encode(), good.value
            broken = chance.choice(["time", "id", "type", "key", "value", "none"])
            junk = chance.choice([b"", b"\0", b"\xff\xfe", chance.randbytes(20), b"x" * 2000])
            if broken == "time":
                headers["ce_time"] = chance.choice(
                    [
                        b"0001-01-01T00:00:00+14:00",
                        b"9999-12-31T23:59:59-14:00",
                        b"2026-01-01T00:00:00",
                        b"yesterday",
                        b"\0",
                    ]
                )
            elif broken == "id":
                headers["ce_id"] = b""
            elif broken == "type":
                headers["ce_type"] = b""
            elif broken == "key":
                key, value = b"\0" + junk, b'{"transfer_id": 1}'
            elif broken == "value":
                value = junk
            else:
                headers, value = {}, junk
            await producer.send_and_wait(
                address.topic(ACCOUNTS), value, key=key, partition=good.partition, headers=list(headers.items()),
                timestamp_ms=chance.choice([None, 0, 1]),
            )  # fmt: skip
            scene.bad += 1
    finally:
        await producer.stop()
    await scene.say(20)
    await scene.drain()


LOG: dict[str, Scenario] = {
    one.__name__: one
    for one in (
        cut_before_commit, backend_killed, commit_not_acknowledged, two_owners, late_duplicates, foreign_limits, any_bytes,
        redriven_and_skipped, stopped_publisher, backup_meanwhile, retention, below_low_water, stopped_while_working,
        rolling_upgrade, three_workers, unaligned_workers, pool_exhausted, clock_skew, suspended, terminated_under_load,
    )
}  # fmt: skip
FORKED = {one.__name__ for one in (suspended, terminated_under_load)}
"""Those with a worker in another process."""
OWN: dict[str, Scenario] = {
    one.__name__: one for one in (restarted_in_close, disk_full_log, disk_full_wal, disk_full_evidence)
}
"""Those that take a database down, or fill its disk: on a server of their own."""
KAFKA: dict[str, Scenario] = {one.__name__: one for one in (relay_dies, any_bytes_on_kafka, offset_out_of_range)}
SCENARIOS = LOG | OWN | KAFKA
