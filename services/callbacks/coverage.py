"""Coverage: the ledger that proves the one-month and the 10 % rules, at any date, client by client [B3, B4].

Who counts is decided at 31 December of the year before: account open then, not dormant or suspended then, in the branch
of then. Accounts opened in the year count in neither number. Covered is who was validly contacted in the year by the
date asked for, with evidence, and not turned down by quality review since; where no contact of our own covers, one that
another system recorded does, and is shown apart.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from chassis.calendar import Calendar
from chassis.errors import FieldError, Invalid, NotFound
from chassis.uow import UnitOfWork
from services.callbacks import sampling, tasks
from services.callbacks.obligations import Obligation
from services.callbacks.policy import Coverage, Policies
from services.callbacks.sampling import Stratum

# $1 the first day of the year, $2 the date asked for, $3 the statuses left out. One pass over standings, attempts and recorded contacts.
LEDGER = """
    SELECT c.client_id, coalesce(s.branch_id, c.branch_id, '') AS branch_id,
           CASE WHEN c.opened_on >= $1 THEN 'opened_this_year'
                WHEN c.closed_on < $1 THEN 'closed_before'
                WHEN s.account_status = ANY($3::text[]) THEN 'dormant_or_suspended'
                ELSE 'counts' END AS standing,
           a.covered_on, a.attempt_id, a.evidence_id
    FROM clients c
    LEFT JOIN (SELECT client_id,
                      (array_agg(branch_id ORDER BY since DESC) FILTER (WHERE branch_id IS NOT NULL))[1] AS branch_id,
                      (array_agg(account_status ORDER BY since DESC)
                          FILTER (WHERE account_status IS NOT NULL))[1] AS account_status
               FROM standings WHERE since < $1 GROUP BY client_id) s USING (client_id)
    LEFT JOIN (SELECT DISTINCT ON (client_id) client_id, on_day AS covered_on, attempt_id, evidence_id
               FROM (SELECT client_id, on_day, attempt_id::text, evidence_id, false AS elsewhere FROM attempts
                     WHERE covers AND on_day >= $1 AND on_day <= $2
                     UNION ALL
                     SELECT client_id, on_day, 'contact/' || contact_id, evidence, true FROM recorded_contacts
                     WHERE covers AND on_day >= $1 AND on_day <= $2) x
               ORDER BY client_id, elsewhere, on_day, attempt_id) a USING (client_id)
    WHERE c.opened_on IS NOT NULL AND c.opened_on <= $2"""
COLUMNS = ("client_id", "branch_id", "standing", "covered_on", "attempt_id", "evidence_id")
HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class BranchCoverage:
    """One branch's numbers, or the firm's (branch_id empty)."""

    branch_id: str
    counted: int
    covered: int
    elsewhere: int
    left_out: Mapping[str, int]
    needed: int

    @property
    def percent(self) -> Decimal:
        """Covered per hundred counted, two decimals; 100 where nobody counts."""
        if not self.counted:
            return Decimal(100)
        return (Decimal(100 * self.covered) / self.counted).quantize(HUNDREDTH, ROUND_HALF_UP)

    @property
    def reached(self) -> bool:
        """Whether the share is reached."""
        return self.covered >= self.needed


@dataclass(frozen=True, slots=True)
class Forecast:
    """The pace so far carried on to the year's end, and what is needed per working day from now on."""

    expected: int
    needed_per_working_day: Decimal
    working_days_left: int
    on_course: bool


def needed(counted: int, share: Decimal) -> int:
    """How many of those who count must be covered: the share, rounded up."""
    return int((share * counted).to_integral_value(ROUND_CEILING))


def forecast(covered: int, target: int, as_of: date, calendar: Calendar) -> Forecast:
    """Whether the pace suffices, by working days of the year."""
    first, last = date(as_of.year, 1, 1), date(as_of.year, 12, 31)
    passed = calendar.is_working_day(first) + calendar.count_days(first, as_of)
    left = calendar.count_days(as_of, last)
    expected = covered * (passed + left) // passed if passed else 0
    missing = max(0, target - covered)
    per_day = (Decimal(missing) / left).quantize(HUNDREDTH, ROUND_HALF_UP) if left else Decimal(missing)
    return Forecast(expected, per_day, left, expected >= target)


async def terms_of(sql: asyncpg.Connection, as_of: date) -> tuple[Coverage, str]:
    """The rule in force on a day, and the version's name."""
    version = (await Policies.read(sql)).coverage.on(as_of)
    return version.body, version.name


async def ledger_arguments(sql: asyncpg.Connection, as_of: date) -> tuple[Any, ...]:
    """What `LEDGER` asks for."""
    return date(as_of.year, 1, 1), as_of, list((await terms_of(sql, as_of))[0].dormant_statuses)


async def by_branch(sql: asyncpg.Connection, as_of: date) -> list[BranchCoverage]:
    """Every branch's coverage of the year of a date, the firm's first."""
    share = (await terms_of(sql, as_of))[0].share
    rows = await sql.fetch(
        f"""SELECT CASE WHEN grouping(branch_id) = 1 THEN '' ELSE branch_id END AS branch,
                   count(*) FILTER (WHERE standing = 'counts') AS counted,
                   count(*) FILTER (WHERE standing = 'counts' AND covered_on IS NOT NULL) AS covered,
                   count(*) FILTER (WHERE standing = 'counts' AND starts_with(attempt_id, 'contact/')) AS elsewhere,
                   count(*) FILTER (WHERE standing = 'opened_this_year') AS opened_this_year,
                   count(*) FILTER (WHERE standing = 'closed_before') AS closed_before,
                   count(*) FILTER (WHERE standing = 'dormant_or_suspended') AS dormant_or_suspended
            FROM ({LEDGER}) l GROUP BY GROUPING SETS ((), (branch_id)) ORDER BY grouping(branch_id) DESC, branch_id""",
        *await ledger_arguments(sql, as_of),
    )
    return [
        BranchCoverage(
            row["branch"],
            row["counted"],
            row["covered"],
            row["elsewhere"],
            {name: row[name] for name in ("opened_this_year", "closed_before", "dormant_or_suspended")},
            needed(row["counted"], share),
        )
        for row in rows
    ]


async def new_clients(sql: asyncpg.Connection, first: date, last: date) -> list[asyncpg.Record]:
    """Of each branch the clients opened in a span of days: trained in the month, late, still open, breached [B3]."""
    return list(
        await sql.fetch(
            """SELECT coalesce(branch_id, '') AS branch_id, count(*) AS opened,
                      count(*) FILTER (WHERE state = 'completed' AND ended_on <= due_on AND outcome IN
                          (SELECT DISTINCT outcome FROM attempts a WHERE a.task_id = t.task_id AND a.covers)) AS trained,
                      count(*) FILTER (WHERE state = 'expired') AS breached,
                      count(*) FILTER (WHERE state NOT IN ('completed', 'expired', 'cancelled')) AS open
               FROM tasks t WHERE rule = 'new' AND created_on BETWEEN $1 AND $2 GROUP BY 1 ORDER BY 1""",
            first,
            last,
        )
    )


async def client_line(sql: asyncpg.Connection, client_id: str, as_of: date) -> dict[str, Any]:
    """One client's line of the ledger: whether they count, and why.

    Raises: NotFound.
    """
    row = await sql.fetchrow(
        f"SELECT * FROM ({LEDGER}) l WHERE client_id = $4", *await ledger_arguments(sql, as_of), client_id
    )
    if row is None:
        raise NotFound
    return dict(row)


async def strata(sql: asyncpg.Connection, as_of: date) -> dict[str, Stratum]:
    """Each branch's core clients and its others: who counts, who is covered, who may be drawn."""
    rows = await sql.fetch(
        f"""SELECT l.branch_id || CASE WHEN core.client_id IS NULL THEN '/other' ELSE '/core' END AS stratum,
                   count(*) AS counted, count(covered_on) AS covered,
                   array_agg(l.client_id ORDER BY l.client_id COLLATE "C") FILTER (
                       WHERE covered_on IS NULL AND (k.closed_on IS NULL OR k.closed_on > $2)
                         AND NOT EXISTS (SELECT FROM objections o WHERE o.client_id = k.client_id AND o.scope = 'all'
                                           AND o.ended_at IS NULL AND (o.until IS NULL OR o.until >= $2))) AS left
            FROM ({LEDGER}) l JOIN clients k USING (client_id)
            LEFT JOIN (SELECT DISTINCT client_id FROM tag_stretches WHERE tag = 'CORE' AND since <= $2
                         AND (until IS NULL OR until > $2)) core USING (client_id)
            WHERE standing = 'counts' GROUP BY 1""",
        *await ledger_arguments(sql, as_of),
    )
    return {row["stratum"]: Stratum(row["counted"], row["covered"], row["left"] or []) for row in rows}


async def make_draw(uow: UnitOfWork, as_of: date, seed: str | None) -> dict[str, Any]:
    """Draw what is missing of the year's share, keep how, and make the callbacks of those drawn.

    Raises: Invalid when nobody is missing.
    """
    terms, name = await terms_of(uow.sql, as_of)
    found = await strata(uow.sql, as_of)
    used = seed or secrets.token_hex(16)
    chosen = sampling.drawn(used, found, terms.share, terms.reserve)
    population = sum(len(stratum.candidates) for stratum in found.values())
    if not any(chosen.values()):
        raise Invalid(errors=(FieldError("body#/as_of", "the share is reached everywhere: nobody to draw"),))
    draw_id = uuid7()
    wanted = {
        stratum: {
            "counted": found[stratum].counted,
            "covered": found[stratum].covered,
            "candidates": len(found[stratum].candidates),
            "drawn": len(clients),
        }
        for stratum, clients in chosen.items()
    }
    made_by = uow.actor.person
    digest = sampling.digest(found)
    await uow.sql.execute(
        "INSERT INTO draws VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        draw_id, as_of.year, as_of, used, population, digest, wanted, name, uow.now, made_by,
    )  # fmt: skip
    members = [
        (draw_id, client, stratum, rank)
        for stratum, clients in chosen.items()
        for rank, client in enumerate(clients, 1)
    ]
    await uow.sql.copy_records_to_table("draw_members", records=members)
    await tasks.make(
        uow,
        [
            Obligation(
                client_id=client,
                rule="sample",
                period=str(as_of.year),
                created_on=as_of,
                found_on=as_of,
                branch_id=stratum.rpartition("/")[0],
                cause={"draw": draw_id, "stratum": stratum, "rank": rank, "seed": used},
            )
            for _, client, stratum, rank in members
        ],
    )
    uow.audit("draw_made", f"draw/{draw_id}", policy=name, seed=used, population=population, digest=digest)
    return {"draw_id": draw_id, "seed": used, "population": population, "population_digest": digest, "strata": wanted}


async def repeat_draw(sql: asyncpg.Connection, draw_id: UUID) -> dict[str, Any]:
    """Draw again from the same seed and today's knowledge of that date: the same members, or what differs.

    Raises: NotFound.
    """
    row = await sql.fetchrow("SELECT * FROM draws WHERE draw_id = $1", draw_id)
    if row is None:
        raise NotFound
    kept = await sql.fetch("SELECT client_id, stratum, rank FROM draw_members WHERE draw_id = $1", draw_id)
    before = {(r["stratum"], r["client_id"]) for r in kept}
    # Those drawn were candidates then, covered since or not: only contacts made by the date of the draw count.
    found = await strata(sql, row["as_of"])
    terms, _ = await terms_of(sql, row["as_of"])
    again = sampling.drawn(row["seed"], found, terms.share, terms.reserve)
    now = {(stratum, client) for stratum, clients in again.items() for client in clients}
    return {
        "draw_id": draw_id,
        "seed": row["seed"],
        "same_population": sampling.digest(found) == row["population_digest"],
        "same_members": now == before,
        "members": len(before),
        "only_then": sorted(client for _, client in before - now),
        "only_now": sorted(client for _, client in now - before),
    }
