"""What a pack says: read once, as things stood at the cut-off, so that sheets, pages and archive cannot disagree."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg

from chassis.calendar import Calendar
from chassis.calendars import current
from chassis.clock import business_date, end_of, month_end, start_of
from chassis.clocks import Stop, store
from chassis.errors import FieldError, Invalid
from services.complaints import clocks

# Of what may change later, what had happened by the cut-off ($2) and was known when the pack was made ($3): made once
# more from the same two instants, a pack is the same, whatever became of its cases since.
_STANDING = """
    WITH steps AS MATERIALIZED (
        SELECT c.case_id, s.number, s.act, s.after, s.at, s.detail
        FROM cases c JOIN act_steps s ON s.object = 'case/' || c.case_id
        WHERE c.received_at < $2 AND NOT c.restricted AND c.kind <> 'cluster' AND s.at < $2 AND s.recorded_at <= $3),
    standing AS (
        SELECT case_id, max(number) AS number,
               1 + count(*) FILTER (WHERE act = 'reopen') AS generation,
               count(*) FILTER (WHERE act LIKE '%breached' OR act = 'escalated: due') AS breaches,
               min(at) FILTER (WHERE act = 'dispatch') AS dispatched_at,
               bool_or(act = 'dispatch breached') AS dispatch_missed,
               (array_agg(detail->>'upheld' ORDER BY number DESC) FILTER (WHERE act = 'feedback'))[1] AS upheld,
               (array_agg(CASE act WHEN 'became major' THEN 'major' WHEN 'downgrade' THEN 'ordinary'
                                    ELSE detail->>'severity' END ORDER BY number DESC)
                FILTER (WHERE act IN ('received', 'became major', 'downgrade', 'corrected', 'new_facts', 'demand')
                          AND (act IN ('became major', 'downgrade') OR detail ? 'severity')))[1] AS severity
        FROM steps GROUP BY case_id)
    SELECT c.case_id, c.external_ref, c.branch_id, c.kind, c.source, c.channel,
           coalesce(s.severity, 'ordinary') AS severity, c.category, c.product, c.received_at,
           CASE WHEN c.dispatch_due IS NULL THEN NULL WHEN s.dispatched_at IS NOT NULL THEN s.dispatched_at < c.dispatch_due
                WHEN s.dispatch_missed THEN false END AS dispatch_met,
           c.due_on, last.after AS state, last.at AS since, s.upheld::boolean AS upheld, s.breaches, s.generation
    FROM cases c JOIN standing s USING (case_id)
    JOIN steps last ON last.case_id = s.case_id AND last.number = s.number
    WHERE c.received_at >= $1 OR last.at >= $1 OR last.after NOT IN ('closed', 'withdrawn', 'rejected')
    ORDER BY c.branch_id, c.received_at, c.case_id"""
DONE = ("closed", "withdrawn", "rejected")


@dataclass(frozen=True, slots=True)
class Period:
    """A month (`2009-03`), quarter (`2009-Q1`) or year (`2009`), with its cut-off: 24:00 of its last natural day."""

    name: str
    first: date
    last: date

    @property
    def cut_off(self) -> datetime:
        """The instant up to which things count."""
        return end_of(self.last)

    @property
    def is_year(self) -> bool:
        """Whether it is a whole year."""
        return (self.first.month, self.last.month) == (1, 12)

    @property
    def months(self) -> list[date]:
        """The first day of each of its months."""
        count = self.last.month - self.first.month + 1
        return [self.first.replace(month=self.first.month + n) for n in range(count)]

    def each(self, branches: Sequence[str]) -> set[tuple[str, date]]:
        """Every branch in every month."""
        return {(branch, month) for branch in branches for month in self.months}

    def says(self, branch: str, month: date) -> str:
        """A branch; in a quarter or year with the month."""
        return branch if len(self.months) == 1 else f"{branch} {month:%Y-%m}"

    def sign_off_due(self, calendar: Calendar, working_days: int) -> date:
        """A month's or quarter's pack is signed off by the 3rd working day, a year's report by 30 April [C15, C21]."""
        if self.is_year:
            return date(self.last.year + 1, 4, 30)
        return calendar.add_days(self.last, working_days)


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything a pack is made of."""

    period: Period
    orders: list[dict[str, Any]]
    branches: list[dict[str, Any]]
    nil_reports: list[str]
    missing_nil_reports: list[str]
    missing_reception_days: list[str]
    recordings: list[dict[str, Any]]
    attachments: list[str]


def period_of(name: str) -> Period:
    """The period of a name.

    Raises: Invalid.
    """
    try:
        if len(name) == 4:
            return Period(name, date(int(name), 1, 1), date(int(name), 12, 31))
        if name[4:6] == "-Q":
            last_month = {"1": 3, "2": 6, "3": 9, "4": 12}.get(name[6:], 0)
            last = date(int(name[:4]), last_month, 1)
            return Period(name, last.replace(month=last_month - 2), month_end(last))
        first = date.fromisoformat(f"{name}-01")
    except ValueError:
        raise Invalid(errors=(FieldError("/period", "is none of YYYY-MM, YYYY-Qn and YYYY"),)) from None
    return Period(name, first, month_end(first))


async def read_figures(
    sql: asyncpg.Connection, period: Period, branches: list[str], known_at: datetime | None = None
) -> Figures:
    """The figures of a period; `branches` are all there are, those without a complaint included. `known_at`: only what
    was recorded by then counts, without it everything that is known now."""
    known_at = known_at or await sql.fetchval("SELECT clock_timestamp()")
    rows = [dict(row) for row in await sql.fetch(_STANDING, start_of(period.first), period.cut_off, known_at)]
    await _put_dues(sql, rows, period.cut_off, known_at)
    named = sorted({*branches, *(row["branch_id"] for row in rows)})
    summary = [_summary(branch, [row for row in rows if row["branch_id"] == branch], period) for branch in named]
    nil, owed, held = await _duties(sql, period, branches, known_at)
    ids = [row["case_id"] for row in rows]
    recordings = await sql.fetch(
        """SELECT case_id, phone_recording AS recording, phoned_at AS at FROM tickets
           WHERE case_id = ANY($1::uuid[]) AND phone_recording IS NOT NULL AND phoned_at < $2
           UNION ALL SELECT case_id, recording, at FROM contacts
           WHERE case_id = ANY($1::uuid[]) AND recording IS NOT NULL AND at < $2 ORDER BY 1, 3""",
        ids,
        period.cut_off,
    )
    attachments = await sql.fetch(
        "SELECT DISTINCT sha256 FROM case_attachments WHERE case_id = ANY($1::uuid[]) AND at < $2 ORDER BY sha256",
        ids,
        period.cut_off,
    )
    return Figures(
        period,
        rows,
        summary,
        [period.says(*one) for one in sorted(nil)],
        [period.says(*one) for one in sorted(owed - nil)],
        [period.says(*one) for one in sorted(period.each(branches) - held)],
        [dict(row) for row in recordings],
        [row["sha256"] for row in attachments],
    )


Duties = set[tuple[str, date]]
"""Branches with the first day of a month."""


async def _duties(
    sql: asyncpg.Connection, period: Period, branches: Sequence[str], known_at: datetime
) -> tuple[Duties, Duties, Duties]:
    """Of every month of a period: nil reports that stand, those owed by branches without a complaint, reception days
    published. A nil report of a month with a complaint is void [C15, C16]."""
    received = {
        (row["branch_id"], row["month"])
        for row in await sql.fetch(
            """SELECT DISTINCT branch_id, date_trunc('month', received_on)::date AS month FROM cases
               WHERE received_on BETWEEN $1 AND $2 AND kind = 'complaint' AND NOT restricted
                 AND EXISTS (SELECT FROM act_steps s WHERE s.object = 'case/' || case_id AND s.number = 1
                               AND s.recorded_at <= $3)""",
            period.first,
            period.last,
            known_at,
        )
    }
    filed = await sql.fetch(
        """SELECT branch_id, month FROM nil_reports WHERE month BETWEEN $1 AND $2 AND filed_at <= $3
             AND (cancelled_at IS NULL OR cancelled_at > $3)""",
        period.first,
        period.last,
        known_at,
    )
    held = await sql.fetch(
        """SELECT DISTINCT branch_id, date_trunc('month', day)::date AS month FROM reception_days
           WHERE day BETWEEN $1 AND $2 AND published_at <= $3 AND (cancelled_at IS NULL OR cancelled_at > $3)""",
        period.first,
        period.last,
        known_at,
    )
    nil = {(row["branch_id"], row["month"]) for row in filed} - received
    return nil, period.each(branches) - received, {(row["branch_id"], row["month"]) for row in held}


async def dues_as_known(
    sql: asyncpg.Connection, objects: Collection[str], by: datetime, known_at: datetime
) -> dict[str, date | None]:
    """The day each result clock was due by an instant, as known at another; None while it was paused."""
    calendar, found = await current(sql, known_at), dict[str, date | None]()
    for (object_, clock), kept in (await store.load(sql, objects)).items():
        entries = [
            one for one in kept.entries if one.effective < by and one.recorded <= known_at and not isinstance(one, Stop)
        ]
        if clock == clocks.RESULT and entries:
            due = replace(kept, entries=entries).read(calendar).due
            found[object_] = business_date(due - timedelta.resolution) if due else None
    return found


async def _put_dues(sql: asyncpg.Connection, rows: list[dict[str, Any]], cut_off: datetime, known_at: datetime) -> None:
    objects = {clocks.object_of(row["case_id"], row.pop("generation")): row for row in rows}
    for object_, due_on in (await dues_as_known(sql, objects, cut_off, known_at)).items():
        objects[object_]["due_on"] = due_on


def _summary(branch: str, rows: list[dict[str, Any]], period: Period) -> dict[str, Any]:
    # A suggestion or an enquiry is no complaint: a branch with nothing else still owes a nil report.
    rows = [row for row in rows if row["kind"] == "complaint"]
    fresh = [row for row in rows if row["received_at"] >= start_of(period.first)]
    return {
        "branch_id": branch,
        "received": len(fresh),
        "major": sum(row["severity"] == "major" for row in fresh),
        "done": sum(row["state"] in DONE for row in rows),
        "in_progress": sum(row["state"] not in DONE for row in rows),
        "dispatch_missed": sum(row["dispatch_met"] is False for row in fresh),
        "breaches": sum(row["breaches"] for row in rows),
        "upheld": sum(row["upheld"] is True for row in rows),
    }
