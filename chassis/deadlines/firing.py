"""Firing: claim what is due, hand it to its kind's handler, put aside what no handler can take.

Claimed rows are locked and gone in the transaction of their effects, so a process that dies gives everything back and
two schedulers never fire the same one. Of one object only the earliest deadline is claimed, and none while it is
locked elsewhere: order per object holds whoever fires, and a step may cancel the next.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
import structlog

from chassis.deadlines.due import DeadlineHandler, Due
from chassis.outages import blames_record
from chassis.telemetry import DEADLINE_LATENESS, DEADLINES_FAILED
from chassis.uow import UnitOfWork

MOMENT = timedelta(microseconds=1)
log = structlog.get_logger()

_EARLIEST = """d.failed_at IS NULL AND d.generation = (
    SELECT e.generation FROM deadlines e WHERE e.object = d.object AND e.failed_at IS NULL
    ORDER BY e.due, e.generation LIMIT 1)"""


class NoHandler(ValueError):
    """A deadline of a kind this version of the service knows nothing of."""


class TooManyFailures(Exception):
    """So many deadlines of one batch failed that something is wrong with the handler, not with them."""


class Firing:
    """Fires the deadlines of one service, inside units of work given to it."""

    def __init__(self, service: str, handlers: Mapping[str, DeadlineHandler], failures_limit: int = 100) -> None:
        self.service = service
        self.handlers = handlers
        self.failures_limit = failures_limit

    async def due_by(
        self, uow: UnitOfWork, by: datetime, at: datetime | None, limit: int, after: datetime | None = None
    ) -> int:
        """Look at up to `limit` deadlines due by an instant that nobody else is firing, and fire the earliest of each
        object. How many it was; 0 also when all of them wait for others of their object.

        `at`: when they count as fired; None: when each was due. `after`: nothing due by then is left to look at.
        """
        # Candidates first: were the order per object part of their search, the planner, which cannot know how few it
        # leaves out, would look at every deadline that is due for each batch.
        rows = await uow.sql.fetch(
            f"""WITH candidates AS MATERIALIZED (
                    SELECT * FROM deadlines
                    WHERE failed_at IS NULL AND due <= $1 AND due > coalesce($3::timestamptz, '-infinity')
                    ORDER BY due, generation LIMIT $2 FOR UPDATE SKIP LOCKED)
                SELECT d.* FROM candidates d WHERE {_EARLIEST} ORDER BY d.due, d.generation""",
            by,
            limit,
            after,
        )
        await self._fire(uow, [_due(row, at, by) for row in rows])
        return len(rows)

    async def next_due(self, uow: UnitOfWork, keys: Collection[str]) -> dict[str, datetime]:
        """When the next deadline of each of these keys is due, of those that have one."""
        found: dict[str, datetime] = {}
        for key, due in await uow.sql.fetch(
            """SELECT f.key, d.due FROM unnest($1::text[]) AS f(key)
               JOIN LATERAL (SELECT due, failed_at FROM deadlines d WHERE d.key = f.key OFFSET 0) d ON d.failed_at IS NULL""",
            list(keys),
        ):
            found[key] = min(due, found.get(key, due))
        return found

    async def before_facts(self, uow: UnitOfWork, times: Mapping[str, datetime], latest: datetime | None) -> None:
        """Fire what is due before the facts of some keys, each counting from when it was due; waits for others firing.

        `times` is the time of each key's fact, `latest` an instant nothing later than which may fire.
        """
        keys, before = list(times), list(times.values())
        while True:
            rows = await uow.sql.fetch(
                f"""WITH candidates AS MATERIALIZED (
                        SELECT d.generation, d.object, d.failed_at
                        FROM unnest($1::text[], $2::timestamptz[]) AS f(key, at)
                        JOIN LATERAL (SELECT * FROM deadlines d WHERE d.key = f.key AND d.due < f.at
                                      AND ($3::timestamptz IS NULL OR d.due <= $3) OFFSET 0) d ON true)
                    SELECT d.* FROM deadlines d
                    WHERE d.generation = ANY (SELECT d.generation FROM candidates d WHERE {_EARLIEST})
                    ORDER BY d.object, d.kind, d.step FOR UPDATE""",
                keys,
                before,
                latest,
            )
            if not rows:
                return
            due = [_due(row, None, min(times[row["key"]] - MOMENT, latest or times[row["key"]])) for row in rows]
            await self._fire(uow, sorted(due, key=lambda one: (one.due, one.generation)))

    async def one(self, uow: UnitOfWork, generation: int, at: datetime | None) -> Due | None:
        """Fire one deadline, whatever is due; None when it is not armed any more. Its handler's error is raised."""
        row = await uow.sql.fetchrow("SELECT * FROM deadlines WHERE generation = $1 FOR UPDATE", generation)
        if row is None:
            return None
        due = _due(row, at, at or row["due"])
        await self._hand_over(uow, [due])
        return due

    async def _fire(self, uow: UnitOfWork, due: Sequence[Due]) -> None:
        happened_at = uow.happened_at
        failed = await self._in_parts(uow, due) if due else []
        uow.happened_at = happened_at
        if len(failed) > self.failures_limit:
            raise TooManyFailures(f"{len(failed)} deadlines; the last: {failed[-1]!r}")

    async def _in_parts(self, uow: UnitOfWork, due: Sequence[Due]) -> list[Exception]:
        """All of them; a batch that fails leaves nothing, and is halved until the bad one stands alone."""
        mark = uow.mark()
        try:
            async with uow.sql.transaction():  # inside the unit of work: a savepoint
                await self._hand_over(uow, due)
        except Exception as error:
            if not blames_record(error):
                raise
            uow.rollback_to(mark)
            if len(due) > 1:
                middle = len(due) // 2
                return [*await self._in_parts(uow, due[:middle]), *await self._in_parts(uow, due[middle:])]
            await self._put_aside(uow, due[0], error)
            return [error]
        metrics = {kind: DEADLINE_LATENESS.labels(self.service, kind) for kind in {one.kind for one in due}}
        for one in due:
            metrics[one.kind].observe(one.late.total_seconds())
        return []

    async def _hand_over(self, uow: UnitOfWork, due: Sequence[Due]) -> None:
        await uow.sql.execute(
            """WITH gone AS (DELETE FROM deadlines WHERE generation = ANY($1::bigint[]) RETURNING *)
               INSERT INTO fired_deadlines (generation, object, kind, step, due, at, fired_at)
               SELECT generation, object, kind, step, due, coalesce($2, due), $3 FROM gone""",
            [one.generation for one in due],
            None if due[0].at == due[0].due and due[-1].at == due[-1].due else due[0].at,
            uow.now,
        )
        kinds: dict[str, list[Due]] = {}
        for one in due:
            kinds.setdefault(one.kind, []).append(one)
        for kind, batch in kinds.items():
            handler = self.handlers.get(kind)
            if handler is None:
                raise NoHandler(kind)
            uow.happened_at = max(one.at for one in batch)
            await handler(batch, uow)

    async def _put_aside(self, uow: UnitOfWork, due: Due, error: Exception) -> None:
        log.error("deadline put aside", service=self.service, kind=due.kind, object=due.object, error=error)
        await uow.sql.execute(
            "UPDATE deadlines SET failed_at = $2, error = $3 WHERE generation = $1",
            due.generation,
            uow.now,
            f"{type(error).__name__}: {error}"[:2000],
        )
        DEADLINES_FAILED.labels(self.service, due.kind).inc()


def _due(row: asyncpg.Record, at: datetime | None, by: datetime) -> Due:
    due, payload = row["due"], row["payload"]
    return Due(row["kind"], row["object"], row["key"], row["step"], due, at or due, row["generation"], by, payload)
