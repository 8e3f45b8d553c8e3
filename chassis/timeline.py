"""Whose time this home lives in, as each service knows it: real, simulated, or not said yet.

The gateway (on the first ingested fact) and the replay decide it once, and tell it with `announce` in the same
transaction, before any fact. Until a service has heard it, nothing fires by the wall clock.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum

import asyncpg

from chassis.bus.record import Outgoing
from chassis.clock import end_of
from chassis.uow import UnitOfWork
from contracts import broker
from contracts.base import encode
from contracts.platform import TimelineDecided


class Timeline(StrEnum):
    """Real: the database's clock. Simulated: the time of the facts."""

    REAL = "real"
    SIMULATED = "simulated"


async def timeline(sql: asyncpg.Connection) -> Timeline | None:
    """The home's timeline as this service has heard it; None before."""
    found = await sql.fetchval("SELECT timeline FROM timeline")
    return None if found is None else Timeline(found)


TODAY = """
    SELECT CASE WHEN (SELECT timeline FROM timeline) = 'real'
                THEN greatest(($1::timestamptz AT TIME ZONE 'Asia/Shanghai')::date, d.through + 1)
                ELSE coalesce(d.through + 1, ($1::timestamptz AT TIME ZONE 'Asia/Shanghai')::date) END AS day,
           CASE WHEN (SELECT timeline FROM timeline) = 'real' THEN $1::timestamptz
                ELSE least($1::timestamptz, (d.through + 1)::timestamp AT TIME ZONE 'Asia/Shanghai') END AS instant
    FROM (SELECT max(through) AS through FROM closed_days) d"""
"""Today and the instant of `effective_now` as a query; $1 is the database's clock (`uow.now`)."""


async def today(sql: asyncpg.Connection) -> date:
    """The business date as this home lives it, never a closed one.

    In a real home the date in Shanghai by the database's clock; in a replayed one that of the facts: the day after the
    last one closed.
    """
    day: date = await sql.fetchval(TODAY.replace("$1::timestamptz", "clock_timestamp()"))
    return day


async def effective_now(sql: asyncpg.Connection, recorded: datetime | None = None) -> datetime:
    """The instant staff act at: the database's clock, or in a replayed home the end of the last closed day.

    A home that nobody has named yet and that has closed days is treated as replayed.
    """
    if recorded is None:
        recorded = await sql.fetchval("SELECT clock_timestamp()")
    if await timeline(sql) is Timeline.REAL:
        return recorded
    through = await sql.fetchval("SELECT through FROM closed_days")
    return recorded if through is None else min(recorded, end_of(through))


async def keep_timeline(events: Sequence[TimelineDecided], uow: UnitOfWork) -> None:
    """Keep it; it comes once per partition and never changes."""
    await uow.sql.execute(
        "INSERT INTO timeline (timeline, decided_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        events[0].timeline,
        events[0].decided_at,
    )


def announce(uow: UnitOfWork, decided: Timeline, at: datetime) -> None:
    """Tell everybody, ahead of the facts: in every partition of every broker topic, and on the platform's."""
    event = TimelineDecided(timeline=decided.value, decided_at=at)
    value, event_id = encode(event), f"{event.type}/{event.identity}"
    uow.publish(
        Outgoing(topic, partition, event.key, event.type, event_id, "careline", at, value)
        for topic in broker.TOPICS
        for partition in range(uow.database.partitions)
    )
    uow.emit(event)
