"""Deadlines as operators see them: due, late, the next hour; run one by hand, or see in a dry run what it would do."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import asyncpg

from chassis.actor import Actor
from chassis.bus.record import Content
from chassis.database import Database
from chassis.deadlines.firing import Firing
from chassis.errors import Conflict, NotFound, Text
from chassis.outages import is_outage
from chassis.service import Service
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork

Which = Literal["all", "due", "soon", "failed"]
SOON = timedelta(hours=1)
_CONDITIONS = {
    "all": "true",
    "due": "failed_at IS NULL AND due <= clock_timestamp()",
    "soon": "failed_at IS NULL AND due > clock_timestamp() AND due <= clock_timestamp() + $3",
    "failed": "failed_at IS NOT NULL",
}
_COLUMNS = "generation, kind, object, step, key, due, payload, armed_at, failed_at, error"


class NotDueYet(Conflict):
    """A deadline never fires before it is due; a dry run shows what it will do."""

    title = Text("Not due yet", "尚未到期")


@dataclass(frozen=True, slots=True)
class Told:
    """A message the handler sent."""

    type: str
    key: str
    time: datetime
    data: bytes


@dataclass(frozen=True, slots=True)
class Fired:
    """What one deadline did, or in a dry run would do."""

    generation: int
    kind: str
    object: str
    step: str
    due: datetime
    outcome: Literal["fired", "would_fire", "failed"]
    told: list[Told] = field(default_factory=list)
    error: str = ""


async def counted(sql: asyncpg.Connection) -> dict[str, Any]:
    """How many are armed, due now, due in the next hour, put aside; how late the oldest is, in seconds."""
    row = await sql.fetchrow(
        """SELECT count(*) AS armed, count(*) FILTER (WHERE failed_at IS NULL AND due <= now.at) AS due,
                  count(*) FILTER (WHERE failed_at IS NULL AND due > now.at AND due <= now.at + $1) AS next_hour,
                  count(failed_at) AS failed,
                  coalesce(greatest(0, extract(epoch FROM max(now.at) - min(due) FILTER (WHERE failed_at IS NULL))), 0)
                      ::float8 AS oldest_late_seconds
           FROM deadlines, (SELECT clock_timestamp() AS at) AS now""",
        SOON,
    )
    assert row is not None
    known = await timeline(sql)
    missed = await sql.fetchval(
        """SELECT count(*) FROM fired_deadlines
           WHERE fired_at > clock_timestamp() - $1::interval AND at - due > interval '1 minute'""",
        timedelta(days=1),
    )
    found = dict(row) | {"timeline": known.value if known else None, "late_last_day": missed}
    if known is not Timeline.REAL:  # there the clock on the wall says nothing about what is late
        found |= {"due": 0, "next_hour": 0, "oldest_late_seconds": 0.0}
    return found


async def listed(
    database: Database, which: Which = "all", *, after: tuple[datetime, int] | None = None, limit: int = 201
) -> list[dict[str, Any]]:
    """Armed deadlines by due."""
    condition = _CONDITIONS[which].replace("$3", "$4")
    arguments = [SOON] if "$4" in condition else []
    async with database.reading() as sql:
        rows = await sql.fetch(
            f"""SELECT {_COLUMNS} FROM deadlines
                WHERE {condition} AND ($1::timestamptz IS NULL OR (due, generation) > ($1, $2))
                ORDER BY due, generation LIMIT $3""",
            after[0] if after else None,
            after[1] if after else 0,
            limit,
            *arguments,
        )
    return [dict(row) for row in rows]


async def step(
    service: Service, database: Database, actor: Actor, generation: int | None = None, *, dry_run: bool = False
) -> Fired | None:
    """Fire one deadline: the named one, else the next by due. One put aside may be fired again. None: there is none.

    A dry run does everything and keeps nothing, also before it is due; else never early. In a simulated home a
    deadline whose day the facts have not reached is not due.

    Raises: NotFound, NotDueYet; an outage.
    """
    row: asyncpg.Record | None = None
    told: list[Content] = []
    try:
        async with database.unit_of_work(actor) as uow:
            row = await _chosen(uow, generation)
            if row is None:
                return None
            known = await timeline(uow.sql)
            if not dry_run and row["due"] > await _reached(uow, known):
                raise NotDueYet(Text(f"due at {row['due'].isoformat()}", f"到期时间 {row['due'].isoformat()}"))
            mark = uow.mark()
            await Firing(service.name, service.deadlines).one(
                uow, row["generation"], uow.now if known is Timeline.REAL and row["due"] <= uow.now else None
            )
            told = uow.told_since(mark)
            uow.audit("fire_deadline", f"deadline/{row['object']}", key=row["key"], kind=row["kind"], step=row["step"])
            if dry_run:
                raise _DryRunError
    except _DryRunError:
        assert row is not None
        return _fired(row, "would_fire", told)
    except (NotFound, NotDueYet):
        raise
    except Exception as error:  # what a handler may raise is anything
        if is_outage(error) or row is None:
            raise
        return _fired(row, "failed", [], f"{type(error).__name__}: {error}"[:2000])
    return _fired(row, "fired", told)


async def _chosen(uow: UnitOfWork, generation: int | None) -> asyncpg.Record | None:
    if generation is None:
        row = await uow.sql.fetchrow(
            f"""SELECT {_COLUMNS} FROM deadlines WHERE failed_at IS NULL ORDER BY due, generation LIMIT 1 FOR UPDATE"""
        )
        return row
    row = await uow.sql.fetchrow(f"SELECT {_COLUMNS} FROM deadlines WHERE generation = $1 FOR UPDATE", generation)
    if row is None:
        raise NotFound(Text(f"no deadline {generation} is armed", f"没有编号为 {generation} 的待触发期限"))
    return row


async def _reached(uow: UnitOfWork, known: Timeline | None) -> datetime:
    """How far time has come: the database's clock, or the end of the last closed day."""
    from chassis.clock import end_of

    if known is Timeline.REAL:
        return uow.now
    through = await uow.sql.fetchval("SELECT through FROM closed_days")
    return min(end_of(through), uow.now) if through else datetime.min.replace(tzinfo=uow.now.tzinfo)


def _fired(
    row: asyncpg.Record, outcome: Literal["fired", "would_fire", "failed"], told: list[Content], error: str = ""
) -> Fired:
    messages = [Told(kind, key, when, value) for key, kind, _, _, when, _, value in told]
    return Fired(row["generation"], row["kind"], row["object"], row["step"], row["due"], outcome, messages, error)


class _DryRunError(Exception):
    """Rolls a dry run back."""
