"""Clients who were lost (流失): why, within five working days, and what the reasons of a month come to [A19]."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import asyncpg

from chassis.calendar import Calendar
from chassis.calendars import current
from chassis.clock import month_end, months_after
from chassis.policy import Versions
from chassis.rows import Row
from services.relationships.policy import HandOver
from services.relationships.tables import CLIENTS, LIFECYCLES

REASON = "CI-S22"


class Lost(Row, frozen=True):
    """A client who closed their account or was found to be lost, and the reason somebody gave from that day on."""

    client_id: str
    branch_id: str | None
    person: str | None
    since: date
    reason: str | None
    given_on: date | None


@dataclass(frozen=True, slots=True)
class Explained:
    """A lost client, until when the reason is due, and whether it came late or is overdue."""

    one: Lost
    due: date
    late: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """What the lost clients of a branch come to."""

    branch_id: str | None
    lost: int
    explained: int
    late: int
    reasons: Mapping[str, int]


QUERY = f"""
    SELECT * FROM (
        SELECT l.client_id, l.branch_id, o.person, l.since, r.value, r.day FROM (
            SELECT c.client_id, {CLIENTS.on("branch_id")} AS branch_id,
                   least(CASE WHEN c.closed_on <= $1 THEN c.closed_on END, CASE WHEN h.lifecycle = 'LOST' THEN h.since END) AS since
            FROM clients c {CLIENTS.join("$1")}
            LEFT JOIN LATERAL (SELECT h.lifecycle, h.since FROM lifecycles h WHERE h.client_id = c.client_id AND h.since <= $1
                               ORDER BY h.since DESC LIMIT 1) h ON true) l
        LEFT JOIN LATERAL (SELECT o.person FROM owners o WHERE o.client_id = l.client_id
                           AND o.since < (l.since + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
                           ORDER BY o.since DESC LIMIT 1) o ON true
        LEFT JOIN LATERAL (SELECT i.value, i.day FROM information_values i WHERE i.client_id = l.client_id
                           AND i.code = '{REASON}' AND i.state = 'stated' AND i.day BETWEEN l.since AND $1
                           ORDER BY i.day, i.at LIMIT 1) r ON true
        WHERE l.since BETWEEN $2 AND $3) lost
    WHERE ($4::text IS NULL OR person = $4) AND {{scope}} ORDER BY since, client_id LIMIT $5"""
"""$1: as of which day, $2 and $3: lost between, $4: whose client they were, $5: how many."""


async def listed(
    sql: asyncpg.Connection, day: date, since: date, until: date, person: str | None, scope: str,
    arguments: Sequence[str], terms: Versions[HandOver], calendar: Calendar, limit: int,
) -> list[Explained]:  # fmt: skip
    """Clients lost between two days as it looks on a day, the oldest first."""
    rows = await sql.fetch(QUERY.format(scope=scope), day, since, until, person, limit, *arguments)
    return [judge(Lost(*row), terms.on(day).body, calendar, day) for row in rows]


def judge(one: Lost, terms: HandOver, calendar: Calendar, day: date) -> Explained:
    """Whether the reason came in time [A19]: late is what came, or is missing, after the last day."""
    due = calendar.add_days(one.since, terms.reason_days)
    return Explained(one, due, (one.given_on or day) > due)


def figures(found: Sequence[Explained]) -> list[Figures]:
    """By branch: how many, how many with a reason, how many late, and the reasons."""
    branches = sorted({one.one.branch_id for one in found}, key=lambda branch: branch or "")
    return [_figures(branch, [one for one in found if one.one.branch_id == branch]) for branch in branches]


def _figures(branch: str | None, found: Sequence[Explained]) -> Figures:
    reasons = Counter(one.one.reason for one in found if one.one.reason)
    return Figures(branch, len(found), reasons.total(), sum(one.late for one in found), dict(sorted(reasons.items())))


MOST_A_YEAR = 100_000
STAGES = f"""
    SELECT branch_id, stage, count(*) FILTER (WHERE present), count(*) FILTER (WHERE present AND NOT earlier),
           count(*) FILTER (WHERE earlier AND NOT present)
    FROM (SELECT s.client_id, s.branch_id, x.stage, s.present IS NOT DISTINCT FROM x.stage AS present,
                 s.earlier IS NOT DISTINCT FROM x.stage AS earlier
          FROM (SELECT c.client_id, {CLIENTS.on("branch_id")} AS branch_id,
                       coalesce({LIFECYCLES.on("lifecycle", "c.client_id", "$1::date")}, 'PROSPECT') AS present,
                       CASE WHEN c.opened_on IS NULL OR c.opened_on <= $2
                            THEN coalesce({LIFECYCLES.on("lifecycle", "c.client_id", "$2::date")}, 'PROSPECT') END AS earlier
                FROM clients c {CLIENTS.join("$1::date")} WHERE c.opened_on IS NULL OR c.opened_on <= $1) s
          CROSS JOIN LATERAL (SELECT DISTINCT t.stage FROM unnest(ARRAY[s.present, s.earlier]) AS t(stage)
                              WHERE t.stage IS NOT NULL) x) found
    WHERE {{scope}} GROUP BY branch_id, stage ORDER BY branch_id, stage"""
"""$1: a month's end, $2: the one before."""


async def stages(
    sql: asyncpg.Connection, month: date, scope: str, arguments: Sequence[str]
) -> list[tuple[str | None, str, int, int, int]]:
    """By branch and stage of life at a month's end: clients in it, those who came into it in the month, those who left it [A18]."""
    before = month_end(month).replace(day=1) - timedelta(days=1)
    rows = await sql.fetch(STAGES.format(scope=scope), month, before, *arguments)
    return [(branch, stage, clients, came, left) for branch, stage, clients, came, left in rows]


async def of_year(
    sql: asyncpg.Connection, until: date, scope: str, arguments: Sequence[Any], terms: Versions[HandOver]
) -> list[tuple[date, Figures]]:
    """Lost clients of the twelve months up to a day, by month (its first day) and branch."""
    since = months_after(until.replace(day=1), -11)
    calendar = await current(sql)
    found = await listed(sql, until, since, until, None, scope, arguments, terms, calendar, MOST_A_YEAR)
    months = sorted({one.one.since.replace(day=1) for one in found})
    return [
        (month, each)
        for month in months
        for each in figures([one for one in found if one.one.since.replace(day=1) == month])
    ]
