"""How often clients are in contact with us, against their tier's interval [A7a, RE4], and what a month's end finds [A7]."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import asyncpg
from sqlalchemy import Index

from chassis.clock import end_of, month_end
from chassis.policy import Version
from chassis.rows import Column, Row, columns, fetch, table
from chassis.uow import UnitOfWork
from services.relationships.policy import Cadence
from services.relationships.tables import CORES, TIERS, metadata


class Rhythm(Row, frozen=True):
    """A client's contacts against their interval: how many days since the last valid one (or since they were opened), the ideal
    interval, the longest, and the days over the ideal one in hundredths of it."""

    client_id: str
    role: str
    tier: str
    core: bool
    last_at: datetime | None
    days: int
    ideal: int
    longest: int
    overdue: Decimal


class CadenceMonth(Row, frozen=True):
    """Of somebody's clients of a tier at a month's end: how many there were, and how many had a contact in time."""

    month_end: Annotated[date, Column(primary_key=True)]
    person: Annotated[str, Column(primary_key=True)]
    branch_id: Annotated[str, Column(primary_key=True)]
    tier: Annotated[str, Column(primary_key=True)]
    clients: int
    met: int
    policy: str


cadence_months = table("cadence_months", metadata, CadenceMonth, Index(None, "branch_id", "month_end"))

LAST = """(SELECT max(k.at) FROM contacts k WHERE k.client_id = o.client_id AND k.valid AND k.two_way AND k.at < $2)"""
"""The last valid two-way contact of anybody's before an instant: one-way SMS are none [RE4]."""
_OF_SOME = f"""
    SELECT r.person, r.client_id, r.role, r.tier, r.core, r.last_at, r.days, t.ideal, t.ideal * $5::int / 100 AS longest,
           round((r.days - t.ideal)::numeric / t.ideal, 2) AS overdue
    FROM (SELECT o.person, o.client_id, o.role, coalesce({TIERS.on("tier", "o.client_id", "$1")}, 'NORMAL') AS tier,
                 coalesce({CORES.on("core", "o.client_id", "$1")}, false) AS core, l.last_at,
                 $1::date - coalesce((l.last_at AT TIME ZONE 'Asia/Shanghai')::date, c.opened_on) AS days
          FROM owners o JOIN clients c USING (client_id), LATERAL (SELECT {LAST} AS last_at) l
          WHERE o.person = ANY($6::text[]) AND o.since < $2 AND (o.until IS NULL OR o.until >= $2)
            AND (c.closed_on IS NULL OR c.closed_on > $1)) r
    JOIN unnest($3::text[], $4::int[]) AS t(tier, ideal) USING (tier)"""
"""$1: the day, $2: its end, $3 and $4: tiers and their ideal days, $5: the longest interval in percent, $6: whose."""
RHYTHM = f"SELECT {columns(Rhythm)} FROM ({_OF_SOME}) r ORDER BY overdue DESC, client_id"
BEHIND = f"""
    SELECT person, count(*)::int, (count(*) FILTER (WHERE overdue > 0))::int, (count(*) FILTER (WHERE days > longest))::int,
           (count(*) FILTER (WHERE days > longest AND core))::int
    FROM ({_OF_SOME}) r GROUP BY person ORDER BY person"""


class Behind(Row, frozen=True):
    """Of somebody's clients: how many there are, are over their own interval, beyond the longest, and core ones beyond it."""

    person: str
    clients: int
    overdue: int
    too_long: int
    core_too_long: int


async def rhythm(sql: asyncpg.Connection, person: str, day: date, terms: Cadence) -> list[Rhythm]:
    """Somebody's clients, the longest overdue by their own interval first."""
    return await fetch(sql, Rhythm, RHYTHM, *_asked(day, terms, [person]))


async def behind(sql: asyncpg.Connection, persons: Sequence[str], day: date, terms: Cadence) -> dict[str, Behind]:
    """The same of some people, counted; who has no clients is not there."""
    return {one.person: one for one in await fetch(sql, Behind, BEHIND, *_asked(day, terms, persons))}


def _asked(day: date, terms: Cadence, persons: Sequence[str]) -> tuple[object, ...]:
    tiers, ideal = zip(*sorted(terms.ideal_days.items()), strict=True)
    return day, end_of(day), list(tiers), list(ideal), terms.longest_percent, list(persons)


async def measure_month(uow: UnitOfWork, day: date, policy: Version[Cadence]) -> None:
    """Keep what a month's end finds of every owner's clients, by tier: what was recorded by then."""
    terms = policy.body
    tiers, ideal = zip(*sorted(terms.ideal_days.items()), strict=True)
    await uow.sql.execute(
        f"""INSERT INTO cadence_months ({columns(CadenceMonth)})
            SELECT $1, r.person, r.branch_id, r.tier, count(*), count(*) FILTER (WHERE r.days <= t.ideal * $5::int / 100), $6
            FROM (SELECT o.person, coalesce(c.branch_id, '') AS branch_id,
                         coalesce({TIERS.on("tier", "o.client_id", "$1")}, 'NORMAL') AS tier,
                         $1::date - coalesce((l.last_at AT TIME ZONE 'Asia/Shanghai')::date, c.opened_on) AS days
                  FROM owners o JOIN clients c USING (client_id), LATERAL (SELECT {LAST} AS last_at) l
                  WHERE o.role = 'primary' AND o.since < $2 AND (o.until IS NULL OR o.until >= $2)
                    AND (c.closed_on IS NULL OR c.closed_on > $1)) r
            JOIN unnest($3::text[], $4::int[]) AS t(tier, ideal) USING (tier)
            GROUP BY r.person, r.branch_id, r.tier
            ON CONFLICT (month_end, person, branch_id, tier) DO UPDATE
            SET clients = excluded.clients, met = excluded.met, policy = excluded.policy""",
        day,
        end_of(day),
        list(tiers),
        list(ideal),
        terms.longest_percent,
        policy.name,
    )


class Shortfall(Row, frozen=True):
    """Somebody whose clients of a tier were in contact too rarely two months running: who leads them looks at it [A7]."""

    person: str
    branch_id: str
    tier: str
    clients: int
    met: int
    met_before: int
    clients_before: int


async def shortfalls(
    sql: asyncpg.Connection, month: date, terms: Cadence, scope: str, arguments: Sequence[str]
) -> list[Shortfall]:
    """Who was under the minimum in a month and in the one before."""
    return await fetch(
        sql,
        Shortfall,
        f"""SELECT m.person, m.branch_id, m.tier, m.clients, m.met, b.met, b.clients
            FROM cadence_months m JOIN cadence_months b USING (person, branch_id, tier)
            WHERE m.month_end = $1 AND b.month_end = $2 AND m.met * 100 < m.clients * $3 AND b.met * 100 < b.clients * $3
              AND {scope} ORDER BY m.branch_id, m.person, m.tier""",
        month,
        month_end(month.replace(day=1).fromordinal(month.replace(day=1).toordinal() - 1)),
        terms.minimum_percent,
        *arguments,
    )
