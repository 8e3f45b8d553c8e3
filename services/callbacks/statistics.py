"""Numbers per agent, branch, topic and script: never raw counts alone, and the same again for any date [B8, A23]."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO
from typing import Any, Literal

import asyncpg

from chassis.clock import end_of
from services.callbacks.exports import STATE_ON
from services.callbacks.policy import Policies

By = Literal["agent", "branch_id", "topic", "script"]
TENTH = Decimal("0.1")
COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("key", "对象", "Who or what"),
    ("attempts", "拨打次数", "Attempts"),
    ("reached", "接通", "Reached"),
    ("valid", "有效回访", "Valid contacts"),
    ("valid_rate", "有效率 %", "Valid rate %"),
    ("on_time_rate", "及时率 %", "On time %"),
    ("reviewed", "质检数", "Reviewed"),
    ("quality", "质检均分", "Quality score"),
    ("turned_down", "质检不合格", "Turned down"),
    ("figure", "综合得分", "Weighted figure"),
)

# A review made after the date asked for changes nothing in the numbers of that date.
_NUMBERS = """
    SELECT {by} AS key, count(*) AS attempts, count(*) FILTER (WHERE a.reached) AS reached,
           count(*) FILTER (WHERE valid_then) AS valid,
           count(*) FILTER (WHERE valid_then AND a.on_day <= t.due_on) AS on_time,
           count(*) FILTER (WHERE r.reviewed_at < $3) AS reviewed,
           sum(r.score) FILTER (WHERE r.reviewed_at < $3) AS score,
           count(*) FILTER (WHERE r.reviewed_at < $3 AND NOT r.accepted) AS turned_down
    FROM (SELECT *, valid OR EXISTS (SELECT FROM reviews v WHERE v.attempt_id = attempts.attempt_id
                                     AND NOT v.accepted AND v.reviewed_at >= $3) AS valid_then FROM attempts) a
    JOIN tasks t USING (task_id) LEFT JOIN reviews r USING (attempt_id)
    WHERE a.on_day BETWEEN $1 AND $2 AND {scope} GROUP BY 1 ORDER BY 1"""


def rate(part: int, whole: int) -> Decimal | None:
    """Per hundred, one decimal; nothing of nothing."""
    return (Decimal(100 * part) / whole).quantize(TENTH, ROUND_HALF_UP) if whole else None


def weighted(parts: Mapping[str, Decimal | None], weights: Mapping[str, Decimal]) -> Decimal | None:
    """The weighted figure of those parts that are known; the weights of the others are shared out."""
    known = {name: value for name, value in parts.items() if value is not None}
    total = sum(weights[name] for name in known)
    if not total:
        return None
    return (sum(value * weights[name] for name, value in known.items()) / total).quantize(TENTH, ROUND_HALF_UP)


async def numbers(
    sql: asyncpg.Connection,
    by: By,
    first: date,
    last: date,
    as_of: date,
    branch_id: str | None = None,
    *,
    restricted: bool = True,
) -> list[dict[str, Any]]:
    """The numbers of contacts made from `first` to `last`, as known at the end of `as_of`; see `task_counts`."""
    weights = (await Policies.read(sql)).quality.on(as_of).body.weights
    scope = "($4::text IS NULL OR a.branch_id = $4) AND ($5::bool OR NOT t.restricted)"
    until: datetime = end_of(as_of)
    rows = await sql.fetch(
        _NUMBERS.format(by=f"a.{by}", scope=scope), first, min(last, as_of), until, branch_id, restricted
    )
    found = []
    for row in rows:
        valid, on_time = rate(row["valid"], row["attempts"]), rate(row["on_time"], row["valid"])
        quality = None
        if row["reviewed"]:
            quality = (Decimal(row["score"] or 0) / row["reviewed"]).quantize(TENTH, ROUND_HALF_UP)
        found.append(
            {
                "key": row["key"] or "",
                "attempts": row["attempts"],
                "reached": row["reached"],
                "valid": row["valid"],
                "valid_rate": valid,
                "on_time_rate": on_time,
                "reviewed": row["reviewed"],
                "quality": quality,
                "turned_down": row["turned_down"],
                "figure": weighted({"valid": valid, "on_time": on_time, "quality": quality}, weights),
            }
        )
    return found


async def task_counts(
    sql: asyncpg.Connection, as_of: date | None = None, branch_id: str | None = None, *, restricted: bool = True
) -> list[asyncpg.Record]:
    """How many tasks of each rule stand in each state now: what a replay's summary prints.

    Of one branch or of all; without `restricted` nothing that is compliance's alone, not even its number [B6].
    """
    if as_of is None:
        return list(
            await sql.fetch(
                """SELECT rule, state, count(*) FROM tasks t WHERE ($1::text IS NULL OR t.branch_id = $1)
                     AND ($2::bool OR NOT t.restricted) GROUP BY 1, 2 ORDER BY 1, 2""",
                branch_id,
                restricted,
            )
        )
    return list(
        await sql.fetch(
            f"""SELECT t.rule, s.state, count(*) FROM tasks t CROSS JOIN LATERAL (SELECT {STATE_ON}) s
               WHERE t.found_on <= $1 AND ($2::text IS NULL OR t.branch_id = $2) AND ($3::bool OR NOT t.restricted)
               GROUP BY 1, 2 ORDER BY 1, 2""",
            as_of,
            branch_id,
            restricted,
        )
    )


async def bookings(sql: asyncpg.Connection, first: date, last: date, branch_id: str | None) -> list[dict[str, Any]]:
    """Openings booked on each day by branch [B16]: how many, first contacts in time, breached, still open, by nobody named."""
    rows = await sql.fetch(
        """SELECT created_on AS day, coalesce(branch_id, '') AS branch_id, count(*) AS booked,
                  count(*) FILTER (WHERE state = 'completed') AS followed,
                  count(*) FILTER (WHERE state = 'expired') AS breached,
                  count(*) FILTER (WHERE state NOT IN ('completed', 'expired', 'cancelled')) AS open,
                  count(*) FILTER (WHERE owner IS NULL) AS without_owner
           FROM tasks WHERE rule = 'booking' AND created_on BETWEEN $1 AND $2
             AND ($3::text IS NULL OR branch_id = $3) GROUP BY 1, 2 ORDER BY 1, 2""",
        first,
        last,
        branch_id,
    )
    return [dict(row) for row in rows]


async def without_contact_data(sql: asyncpg.Connection) -> int:
    """Open accounts that have tasks but can be sent no message, for want of a phone or an e-mail address."""
    count: int = await sql.fetchval(
        """SELECT count(*) FROM clients c WHERE phone IS NULL AND email IS NULL AND opened_on IS NOT NULL
             AND closed_on IS NULL AND EXISTS (SELECT FROM tasks t WHERE t.client_id = c.client_id)"""
    )
    return count


async def skipped_without_contact_data(sql: asyncpg.Connection) -> int:
    """Messages that could not go out for want of a phone or an e-mail address."""
    count: int = await sql.fetchval(
        "SELECT count(*) FROM requests WHERE state = 'suppressed' AND reason = 'no_address'"
    )
    return count


def workbook(sheets: Mapping[str, Sequence[Mapping[str, Any]]], heading: str) -> bytes:
    """The numbers as an xlsx file: a sheet each, headings in both languages, texts never taken for formulas."""
    file = BytesIO()
    import xlsxwriter  # heavy to load, and needed for a report now and then only

    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"bold": True, "text_wrap": True})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        sheet.write_string(0, 0, heading, bold)
        for place, (_, zh, en) in enumerate(COLUMNS):
            sheet.write_string(1, place, f"{zh}\n{en}", wrapped)
        for line, row in enumerate(rows, 2):
            for place, (column, _, _) in enumerate(COLUMNS):
                value = row[column]
                if isinstance(value, str):
                    sheet.write_string(line, place, value)
                elif value is not None:
                    sheet.write_number(line, place, value)
        sheet.freeze_panes(2, 1)
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, len(COLUMNS) - 1, 14)
    book.close()
    return file.getvalue()


async def cadence_report(sql: asyncpg.Connection, as_of: date, branch_id: str | None = None) -> list[dict[str, Any]]:
    """Of each manager, how many clients of each tier were not contacted as often as the tier asks [A7a].

    It measures managers and makes no task; any valid two-way contact starts the timer anew, an SMS does not.
    """
    from contracts.classification import TIERS

    days = (await Policies.read(sql)).cadence.on(as_of).body
    rows = await sql.fetch(
        """SELECT c.manager_id, tier.name AS tier, count(*) AS clients,
                  count(*) FILTER (WHERE a.last IS NULL
                                   OR a.last < $1::timestamptz - make_interval(days => tier.days)) AS overdue
           FROM clients c
           LEFT JOIN LATERAL (SELECT max(at) AS last FROM attempts
                              WHERE client_id = c.client_id AND valid AND at < $1) a ON true
           LEFT JOIN LATERAL (SELECT rank FROM tier_stretches s WHERE s.client_id = c.client_id AND s.since <= $2
                              ORDER BY since DESC LIMIT 1) t ON true
           JOIN unnest($3::text[], $4::int[]) WITH ORDINALITY AS tier(name, days, place)
             ON tier.place = coalesce(t.rank, 0) + 1
           WHERE c.manager_id IS NOT NULL AND c.opened_on <= $2 AND (c.closed_on IS NULL OR c.closed_on > $2)
             AND ($5::text IS NULL OR c.branch_id = $5)
           GROUP BY 1, 2, tier.place ORDER BY 1, tier.place""",
        end_of(as_of),
        as_of,
        list(TIERS),
        [days[tier] for tier in TIERS],
        branch_id,
    )
    return [dict(row) for row in rows]
