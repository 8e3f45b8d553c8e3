"""The parts of the log, a day each: made ahead, noted when their day is over, dropped when nobody needs them.

All by the database's clock. No step waits long for a lock, and none keeps publishers or readers waiting: parts are made apart and
attached, and detached concurrently; what cannot have its lock now is tried again by the next look.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import structlog

from chassis.database import owner_of

log = structlog.get_logger()
DAYS_AHEAD = 7
KEPT_DAYS = 7
OVER = timedelta(minutes=10)
"""How long after midnight a day is over for certain."""
LOCK_WAIT = "500ms"
LOCK = "hashtext('careline low water')"
"""Held while low-water marks rise, and shared by whoever starts reading at one."""
_LATER = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.ObjectInUseError,
)


class Parts:
    """The parts of the log of one schema, over a connection that may change them."""

    def __init__(self, admin: asyncpg.Connection, schema: str) -> None:
        self.admin = admin
        self.schema = schema

    async def look_after(self, positions: str | None = None) -> list[str]:
        """Make room, note which days are over, drop what nobody needs; the names of the parts dropped.

        `positions` is a query for topic, partition and next of every reader; without it nothing is dropped.
        """
        now: datetime = await self.admin.fetchval("SELECT clock_timestamp()")
        await self.make_room(now.date())
        await self.admin.execute(f"SET lock_timeout = '{LOCK_WAIT}'")
        try:
            over = await self._note_past(now)
            kept_from = now.date() - timedelta(days=KEPT_DAYS)
            old = [day for day in over if day < kept_from] if positions else []
            dropped = [name for day in old if (name := await self._drop(day, positions or ""))]
            await self._drop_detached(kept_from)
        finally:
            await self.admin.execute("RESET lock_timeout")
        return dropped

    async def make_room(self, today: date, days_ahead: int = DAYS_AHEAD) -> None:
        """Make the parts from yesterday to some days ahead that are not there."""
        there = set(await self.attached())
        for day in (today + timedelta(days=n) for n in range(-1, days_ahead + 1)):
            if day not in there:
                await self._make(day)

    async def _make(self, day: date) -> None:
        part, until = self.part(day), day + timedelta(days=1)
        try:
            async with self.admin.transaction():
                await self.admin.execute(
                    f"SET LOCAL lock_timeout = '{LOCK_WAIT}'; SET LOCAL ROLE {owner_of(self.schema)}"
                )
                # Made apart and attached: a part made in place would keep out every reader and writer of the whole log.
                await self.admin.execute(
                    f"""CREATE TABLE IF NOT EXISTS {part}
                        (LIKE {self.schema}.log INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING COMMENTS)"""
                )
                await self.admin.execute(
                    f"ALTER TABLE {self.schema}.log ATTACH PARTITION {part} FOR VALUES FROM ('{day}') TO ('{until}')"
                )
        except _LATER as error:
            log.info("room for the log waits", part=part, error=error)

    async def attached(self) -> list[date]:
        """The days that have a part, the first one first."""
        rows = await self.admin.fetch(
            """SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = $1::regclass AND NOT i.inhdetachpending ORDER BY c.relname""",
            f"{self.schema}.log",
        )
        return [day_of(name) for (name,) in rows]

    async def _note_past(self, now: datetime) -> list[date]:
        """Note the last offsets of days that are over, in order; the days noted. Nothing can be written to them any more."""
        over = [day for day in await self.attached() if now >= start(day + timedelta(days=1)) + OVER]
        noted = set(await self._noted())
        for index, day in enumerate(over):
            if day in noted:
                continue
            try:
                await self._note(day)
            except _LATER as error:  # somebody still writes there
                log.info("a day of the log is not over yet", part=self.part(day), error=error)
                return over[:index]
        return over

    async def _noted(self) -> Sequence[date]:
        rows = await self.admin.fetch(
            """SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
               WHERE t.tgname = 'past_day' AND c.relnamespace = $1::regnamespace""",
            self.schema,
        )
        return [day_of(name) for (name,) in rows]

    async def _note(self, day: date) -> None:
        part = self.part(day)
        async with self.admin.transaction():
            # The trigger's lock waits for whoever still writes; should the clock go back, nobody writes where nobody reads.
            await self.admin.execute(
                f"""CREATE TRIGGER past_day BEFORE INSERT ON {part}
                    FOR EACH ROW EXECUTE FUNCTION {self.schema}.refuse_past_day()"""
            )
            await self.admin.execute(
                f"""INSERT INTO {self.schema}.past_days (day, topic, partition, last)
                    SELECT $1, h.topic, h.partition, l."offset" FROM {self.schema}.heads h,
                    LATERAL (SELECT "offset" FROM {part} l WHERE l.topic = h.topic AND l.partition = h.partition
                             ORDER BY "offset" DESC LIMIT 1) l""",
                day,
            )

    async def _drop(self, day: date, positions: str) -> str | None:
        """Drop a day's part once every reader has passed it; its name, None when it stays."""
        async with self.admin.transaction():
            await self.admin.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
            if await self.admin.fetchval(
                f"""SELECT EXISTS (SELECT FROM {self.schema}.past_days d JOIN ({positions}) p USING (topic, partition)
                                   WHERE d.day = $1 AND p.next <= d.last)""",
                day,
            ):
                return None
            # From here on nobody reads there: a reader that comes back with an older position stops.
            await self.admin.execute(
                f"""WITH gone AS (DELETE FROM {self.schema}.past_days WHERE day = $1 RETURNING topic, partition, last)
                    UPDATE {self.schema}.low_water w SET next = greatest(w.next, g.last + 1), since = $2
                    FROM gone g WHERE w.topic = g.topic AND w.partition = g.partition""",
                day,
                start(day + timedelta(days=1)),
            )
        part = self.part(day)
        try:
            await self.admin.execute(f"ALTER TABLE {self.schema}.log DETACH PARTITION {part} CONCURRENTLY")
            await self.admin.execute(f"DROP TABLE {part}")
        except _LATER as error:  # a backup reads it: the next look goes on
            log.info("a part of the log waits to be dropped", part=part, error=error)
            return None
        log.info("log part dropped", table=part)
        return part

    async def _drop_detached(self, kept_from: date) -> None:
        """Finish what was begun: parts that are old, given up, and not the log's any more or about to be."""
        pending = await self.admin.fetch(
            """SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = $1::regclass AND i.inhdetachpending""",
            f"{self.schema}.log",
        )
        try:
            for (name,) in pending:
                await self.admin.execute(
                    f"ALTER TABLE {self.schema}.log DETACH PARTITION {self.schema}.{name} FINALIZE"
                )
            for (name,) in await self.admin.fetch(
                r"""SELECT relname FROM pg_class c WHERE relnamespace = $1::regnamespace AND relkind = 'r'
                    AND relname ~ '^log_\d{8}$' AND NOT relispartition""",
                self.schema,
            ):
                if day_of(name) < kept_from:
                    await self.admin.execute(f"DROP TABLE {self.schema}.{name}")
        except _LATER as error:
            log.info("parts of the log wait to be dropped", error=error)

    def part(self, day: date) -> str:
        """The name of a day's part."""
        return f"{self.schema}.log_{day:%Y%m%d}"


def day_of(name: str) -> date:
    """The day of a part, by its name."""
    return date(int(name[4:8]), int(name[8:10]), int(name[10:12]))


def start(day: date) -> datetime:
    """When a part's day begins: parts are days of UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
