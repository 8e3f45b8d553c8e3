"""Tiers: statements find who is entitled to something else than they have, the rule decides, standings are moved at once.

What a client is entitled to [T3] is a matter of SQL made from the policy; what follows from it, with graces and notices
[T4, T7], is `rules.close`. A test holds the statements to the rules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import asyncpg

from chassis.clock import is_month_end
from chassis.policy import Versions
from services.classification.policies import TierPolicy
from services.classification.rules import TierState, close, next_check
from services.classification.statements import by_key, by_version, last_month_closed, whole_tables
from services.classification.tables import TierDecision

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the close of a day found for a client whose standing changed, or who is due a notice."""

    day: date
    client_id: str
    partition: int
    branch_id: str
    before: TierState
    after: TierState
    entitled: int
    assets: Decimal
    commission: Decimal
    policy: str

    @property
    def effective_on(self) -> date:
        """The first day the new standing is in force."""
        return self.day + ONE_DAY

    @property
    def reason(self) -> str | None:
        """Why the standing changed; None when it did not (a notice is due)."""
        if self.after == self.before:
            return None
        if self.after.retained != self.before.retained:
            return "upgrade" if self.after.retained > self.before.retained else "downgrade"
        return "grace_started" if self.after.grace_from else "grace_ended"

    def decision(self, now: datetime) -> TierDecision:
        """The row to keep of a changed standing, not numbered yet."""
        return TierDecision(
            self.partition, 0, self.client_id, 0, self.effective_on, self.after.retained, self.after.grace_from,
            self.entitled, self.assets, self.commission, self.reason or "", self.policy, now,
        )  # fmt: skip


class Figures(NamedTuple):
    """What a client is entitled to at the close of a day, where it stands before it, and the figures behind that."""

    day: date
    client_id: str
    partition: int
    branch_id: str
    closed_on: date | None
    retained: int
    grace_from: date | None
    next_check: date | None
    assets: Decimal
    commission: Decimal
    entitled: int


# The close at which a trade of `day` has left the 12 months.
LEAVING = """CASE WHEN to_char(day, 'MMDD') = '0229' THEN (day + interval '1 year 1 day')::date
                  ELSE (day + interval '1 year')::date END"""

# Whom a close can concern, as (client_id, day) or, on the one day $1, everybody: at a month end, under a new policy, and
# when history begins. Between $1 and $2: who trades, whose trade of a year ago leaves the window, whose grace gives notice
# or ends, who opens an account. Late facts name their clients and days.
EVERYBODY = "SELECT client_id, $1::date AS day FROM clients"
CONCERNED = f"""SELECT client_id, day FROM trade_days WHERE day BETWEEN $1 AND $2
                UNION SELECT client_id, leaving FROM trade_days, LATERAL (SELECT {LEAVING} AS leaving) l
                      WHERE day BETWEEN $1::date - 366 AND $2::date - 365 AND leaving BETWEEN $1 AND $2
                UNION SELECT client_id, next_check FROM standings WHERE next_check BETWEEN $1 AND $2
                UNION SELECT client_id, opened_on FROM clients WHERE opened_on BETWEEN $1 AND $2"""
NAMED = "SELECT * FROM unnest($1::text[], $2::date[]) AS k(client_id, day)"


def figures_sql(policy: TierPolicy, concerned: str) -> str:
    """The statement that finds what clients are entitled to at closes, where that is not what they have.

    All days of a client come when one of them differs, or when a grace runs. For everybody each table is read once.
    """
    sources = f"""
            {by_key("clients", "c")} {by_key("standings", "s")}
            LEFT {by_key("months", "m", f"m.month_end = {last_month_closed()}")}
            LEFT JOIN LATERAL (SELECT sum(commission) AS commission FROM trade_days d WHERE d.client_id = k.client_id
                               AND d.day > (k.day - interval '1 year')::date AND d.day <= k.day) p ON true"""
    differs = "bool_or(entitled <> retained) OVER (PARTITION BY client_id)"
    if concerned == EVERYBODY:
        differs = "entitled <> retained"
        sources = f"""
            JOIN clients c USING (client_id) JOIN standings s USING (client_id)
            LEFT JOIN months m ON m.month_end = {last_month_closed("$1::date")} AND m.client_id = k.client_id
            LEFT JOIN (SELECT client_id, sum(commission) AS commission FROM trade_days
                       WHERE day > ($1::date - interval '1 year')::date AND day <= $1 GROUP BY client_id) p
                ON p.client_id = k.client_id"""
    return f"""
        WITH concerned AS ({concerned}),
        figures AS (
            SELECT k.day, k.client_id, c.partition, c.branch_id, c.closed_on, s.retained, s.grace_from, s.next_check,
                   coalesce(m.mean, 0.00) AS assets, coalesce(p.commission, 0) AS commission
            FROM concerned k {sources}
            WHERE c.opened_on <= k.day AND (c.closed_on IS NULL OR c.closed_on > k.day)),
        entitled AS (SELECT *, {policy.sql()} AS entitled FROM figures),
        compared AS (SELECT *, {differs} AS differs FROM entitled)
        SELECT day, client_id, partition, branch_id, closed_on, retained, grace_from, next_check, assets, commission, entitled
        FROM compared WHERE differs OR grace_from IS NOT NULL ORDER BY client_id, day"""


async def evaluate(
    sql: asyncpg.Connection, tiers: Versions[TierPolicy], days: Sequence[date], *, history_begins: bool = False
) -> list[Evaluation]:
    """Evaluate the closes of consecutive days, a month's end only as the last, and move the standings they change."""
    found: list[Evaluation] = []

    def concerns_everybody(day: date) -> bool:
        return history_begins or is_month_end(day) or tiers.on(day) != tiers.on(day - ONE_DAY)

    for everybody, together in groupby(days, concerns_everybody):
        some = list(together)
        for run in [[day] for day in some] if everybody else [some]:
            async with whole_tables(sql, everybody):
                rows = await sql.fetch(
                    figures_sql(tiers.on(run[0]).body, EVERYBODY if everybody else CONCERNED),
                    *(run if everybody else (run[0], run[-1])),
                )
            found += await _decide(sql, tiers, [Figures(*row) for row in rows], run[-1])
    return sorted(found, key=lambda e: (e.day, e.client_id))


async def evaluate_named(
    sql: asyncpg.Connection, tiers: Versions[TierPolicy], days: Sequence[tuple[str, date]], through: date
) -> list[Evaluation]:
    """Evaluate named clients at named closes, up to another, and move their standings."""
    rows: list[Figures] = []
    for version, clients, on in by_version(tiers, days):
        rows += [Figures(*row) for row in await sql.fetch(figures_sql(version.body, NAMED), clients, on)]
    return await _decide(sql, tiers, sorted(rows, key=attrgetter("client_id", "day")), through)


async def _decide(
    sql: asyncpg.Connection, tiers: Versions[TierPolicy], rows: Sequence[Figures], last: date
) -> list[Evaluation]:
    """Take clients through their closes until `last` by the rule, and keep where that leaves them."""
    found: list[Evaluation] = []
    for _, own in groupby(rows, attrgetter("client_id")):
        found += _closes_of(tiers, list(own), last)
    final = {evaluation.client_id: evaluation for evaluation in found}.values()
    await _keep_standings(
        sql, [(e.client_id, e.after, next_check(e.after, e.day, tiers.on(e.day).body)) for e in final]
    )
    return found


def _closes_of(tiers: Versions[TierPolicy], rows: Sequence[Figures], last: date) -> Iterator[Evaluation]:
    """One client's closes that change its standing or give it notice. From one row to the next it is entitled to the same."""
    standing, check = TierState(rows[0].retained, rows[0].grace_from), rows[0].next_check
    untils = [row.day for row in rows[1:]] + [min(last + ONE_DAY, rows[0].closed_on or date.max)]
    for row, until in zip(rows, untils, strict=True):
        day: date | None = row.day
        while day and day < until:
            version = tiers.on(day)
            after = close(standing, row.entitled, day, version.body)
            if after != standing or day == check:
                yield Evaluation(
                    day, row.client_id, row.partition, row.branch_id, standing, after, row.entitled, row.assets,
                    row.commission, version.name,
                )  # fmt: skip
                standing, check = after, next_check(after, day, version.body)
            day = check


async def _keep_standings(sql: asyncpg.Connection, standings: Sequence[tuple[str, TierState, date | None]]) -> None:
    await sql.execute(
        """UPDATE standings s SET retained = n.retained, grace_from = n.grace_from, next_check = n.next_check
           FROM unnest($1::text[], $2::smallint[], $3::date[], $4::date[])
               AS n(client_id, retained, grace_from, next_check) WHERE s.client_id = n.client_id""",
        [client for client, _, _ in standings],
        [standing.retained for _, standing, _ in standings],
        [standing.grace_from for _, standing, _ in standings],
        [check for _, _, check in standings],
    )


async def stand_at(sql: asyncpg.Connection, tiers: Versions[TierPolicy], since: dict[str, date]) -> None:
    """Set clients' standings back to what the closes before their day had decided."""
    rows = await sql.fetch(
        """SELECT s.client_id, d.retained, d.grace_from
           FROM unnest($1::text[], $2::date[]) AS s(client_id, day)
           LEFT JOIN LATERAL (
               SELECT retained, grace_from FROM tier_decisions t
               WHERE t.client_id = s.client_id AND t.effective_on <= s.day
                 AND NOT EXISTS (SELECT FROM superseded x WHERE x.kind = 'tier_decisions'
                                 AND x.partition = t.partition AND x.number = t.number)
               ORDER BY t.effective_on DESC LIMIT 1) d ON true""",
        list(since),
        list(since.values()),
    )
    standings = [(c, TierState(retained or 0, grace_from)) for c, retained, grace_from in rows]
    await _keep_standings(
        sql, [(c, s, next_check(s, since[c] - ONE_DAY, tiers.on(since[c]).body)) for c, s in standings]
    )


async def days_to_evaluate(
    sql: asyncpg.Connection, tiers: Versions[TierPolicy], since: dict[str, date], through: date
) -> list[tuple[str, date]]:
    """For named clients every closed day from theirs on at which they may be entitled to something else."""
    rows = await sql.fetch(
        f"""WITH named AS (SELECT * FROM unnest($1::text[], $2::date[]) AS n(client_id, since)),
                 days AS (
               SELECT client_id, since AS day FROM named
               UNION SELECT client_id, opened_on FROM clients WHERE client_id = ANY($1::text[])
               UNION SELECT client_id, day FROM trade_days WHERE client_id = ANY($1::text[])
               UNION SELECT client_id, {LEAVING} FROM trade_days WHERE client_id = ANY($1::text[])
               UNION SELECT client_id, month_end FROM months WHERE client_id = ANY($1::text[])
               UNION SELECT client_id, day FROM named, unnest($4::date[]) AS day)
            SELECT client_id, day FROM days JOIN named USING (client_id) WHERE day BETWEEN since AND $3""",
        list(since),
        list(since.values()),
        through,
        tiers.starts(),
    )
    return [tuple(row) for row in rows]
