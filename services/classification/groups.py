"""The seven groups [K7]: one statement evaluates days for whoever can have changed on them.

It is made from the policy; a test holds it to the same rule written for one client on one day.
What is unclear in the rule, and how it is read here:
- An occurrence is a day on which the client trades or moves funds; a transfer still inside its window is not a new one.
- A traded day is one with a traded amount left after cancellations.
- Net transfer: that of the five trading days up to the day, days off between them included, against the daily total of
  the day before them. Outside the calendar every Monday to Friday counts as a trading day.
- A request to close or transfer keeps a client AT_RISK until the account is closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import asyncpg

from chassis.calendar import DayKind, shipped
from chassis.policy import Version, Versions
from services.classification.group_policies import GroupPolicy
from services.classification.group_tables import GroupDecision
from services.classification.statements import among, by_key, by_version, last_month_closed, named, whole_tables

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Found:
    """What the close of a day found of a client whose tags (as bits, None once closed) it changed, or was asked for."""

    policy: str
    day: date
    client_id: str
    partition: int
    branch_id: str
    opened_on: date
    before: int | None
    tags: int | None
    leaving_since: date | None
    traded_on: date | None
    occurred_on: date | None
    total: Decimal | None
    total_before: Decimal | None

    @property
    def effective_on(self) -> date:
        """The first day the tags are in force."""
        return self.day + ONE_DAY

    def decision(self, now: datetime) -> GroupDecision:
        """The row to keep of it, not numbered yet."""
        return GroupDecision(
            self.partition, 0, self.client_id, self.effective_on, self.tags, self.leaving_since, self.traded_on,
            self.occurred_on, self.total, self.total_before, self.policy, now,
        )  # fmt: skip


def concerned_sql(policy: GroupPolicy) -> str:
    """Whose tags can differ after a close from $1 to $2 from those after the one before, as (client_id, day); $3 adds
    whose core flag the last of them changed.

    A valuation matters, on its day and when it has become the one before, to those who had enough to fall from: by the
    one before, or until then.
    """
    p = policy

    def days(table: str, column: str, later: int = 0) -> str:
        return f"""SELECT client_id, {column} + {later} AS day FROM {table}
                   WHERE {column} BETWEEN $1::date - {later} AND $2::date - {later}"""

    enough = " OR ".join(
        f"""{p.at_risk_from} <= (SELECT total FROM valuations b WHERE b.client_id = k.client_id
                                 AND b.as_of <= k.day - {ago} ORDER BY b.as_of DESC LIMIT 1)"""
        for ago in (p.at_risk_days, p.at_risk_days + 1)
    )
    return f"""
        {days("trade_days", "day")} UNION {days("trade_days", "day", p.dormant_days)}
        UNION {days("clients", "opened_on")} UNION {days("clients", "opened_on", p.new_days + 1)}
        UNION {days("clients", "closed_on")} UNION {days("clients", "closing_requested_on")}
        UNION {days("occurrences", "day")} UNION {days("occurrences", "day", p.abnormal_in_force_days)}
        UNION SELECT client_id, day FROM (
            {days("valuations", "as_of")} UNION {days("valuations", "as_of", p.at_risk_days)}) k WHERE {enough}
        UNION SELECT unnest($3::text[]), $2"""


EVERYBODY = "SELECT client_id, $1::date AS day FROM clients"


def figures_sql(policy: GroupPolicy, *, one_pass: bool) -> str:
    """The statement's inner part: `tags` and the figures behind them for each (client, day) of `concerned`.

    `one_pass`, for everybody on the day $1, reads each table once; for a few clients the indexes are asked instead.
    """
    in_force, at_risk = policy.abnormal_in_force_days, policy.at_risk_days
    sources = f"""
            LEFT JOIN (SELECT client_id, max(day) AS day FROM trade_days WHERE day <= $1 AND amount > 0
                       GROUP BY client_id) t ON t.client_id = k.client_id
            LEFT JOIN (SELECT client_id, max(day) AS day FROM occurrences WHERE day <= $1 AND day > $1::date - {in_force}
                       GROUP BY client_id) o ON o.client_id = k.client_id
            LEFT JOIN (SELECT DISTINCT ON (client_id) client_id, total FROM valuations WHERE as_of <= $1
                       ORDER BY client_id, as_of DESC) v ON v.client_id = k.client_id
            LEFT JOIN (SELECT DISTINCT ON (client_id) client_id, total FROM valuations
                       WHERE as_of <= $1::date - {at_risk} ORDER BY client_id, as_of DESC) b ON b.client_id = k.client_id"""
    last_core = f"m.month_end = {last_month_closed()}"
    clients, core = (
        "JOIN clients c USING (client_id)",
        f"LEFT JOIN month_cores m ON {last_core} AND m.client_id = k.client_id",
    )
    if not one_pass:
        clients, core = by_key("clients", "c"), f"LEFT {by_key('month_cores', 'm', last_core)}"
        sources = f"""
            LEFT JOIN LATERAL (SELECT day FROM trade_days t WHERE t.client_id = k.client_id AND t.day <= k.day
                               AND amount > 0 ORDER BY t.day DESC LIMIT 1) t ON true
            LEFT JOIN LATERAL (SELECT day FROM occurrences o WHERE o.client_id = k.client_id AND o.day <= k.day
                               AND o.day > k.day - {in_force} ORDER BY o.day DESC LIMIT 1) o ON true
            LEFT JOIN LATERAL (SELECT total FROM valuations v WHERE v.client_id = k.client_id AND v.as_of <= k.day
                               ORDER BY v.as_of DESC LIMIT 1) v ON true
            LEFT JOIN LATERAL (SELECT total FROM valuations b WHERE b.client_id = k.client_id
                               AND b.as_of <= k.day - {at_risk} ORDER BY b.as_of DESC LIMIT 1) b ON true"""
    return f"""
        SELECT *, {policy.sql("day")} AS tags FROM (
            SELECT k.day, k.client_id, c.partition, c.branch_id, c.opened_on, c.closed_on,
                   CASE WHEN c.closing_requested_on <= k.day THEN c.closing_requested_on END AS leaving_since,
                   t.day AS traded_on, o.day AS occurred_on, v.total, b.total AS before, m.client_id IS NOT NULL AS core
            FROM concerned k {clients} {sources}
            {core}
            WHERE c.opened_on <= k.day) AS figures"""


COLUMNS = "partition, branch_id, opened_on, {held}, tags, leaving_since, traded_on, occurred_on, total, before"


def evaluation_sql(policy: GroupPolicy, concerned: str) -> str:
    """The statement of closes: moves the standings and tells on which day whose tags changed, from what to what."""
    everybody = concerned == EVERYBODY
    standings = "JOIN group_standings s USING (client_id)" if everybody else by_key("group_standings", "s")
    held = "s.tags" if everybody else "lag(k.tags, 1, s.tags) OVER (PARTITION BY k.client_id ORDER BY k.day)"
    return f"""
        WITH concerned AS ({concerned}),
        figures AS ({figures_sql(policy, one_pass=everybody)}),
        compared AS (SELECT k.*, {held} AS held FROM figures k {standings}),
        changed AS (SELECT * FROM compared WHERE tags IS DISTINCT FROM held),
        kept AS (UPDATE group_standings s SET tags = n.tags
                 FROM (SELECT DISTINCT ON (client_id) client_id, tags FROM changed ORDER BY client_id, day DESC) n
                 WHERE s.client_id = n.client_id)
        SELECT day, client_id, {COLUMNS.format(held="held")} FROM changed ORDER BY day, client_id"""


async def evaluate(
    sql: asyncpg.Connection, groups: Versions[GroupPolicy], days: Sequence[date], *, begins: bool = False,
    core_changed: Sequence[str] = (),
) -> list[Found]:  # fmt: skip
    """Evaluate the closes of consecutive days for all whose tags they can change, and move their standings.

    `begins`: the first close a home ever sees; `core_changed` names the clients whose core flag the last of these
    closes (of a month's end) changed. Ordered by day and client.
    """
    in_force = timedelta(days=groups.on(days[0]).body.abnormal_in_force_days)
    await find_occurrences(sql, groups, days[0] - in_force if begins else days[0], days[-1], None)
    found: list[Found] = []
    for first, last, version in versions_between(groups, days[0], days[-1]):
        if begins or version != groups.on(first - ONE_DAY):
            async with whole_tables(sql, True):
                rows = await sql.fetch(evaluation_sql(version.body, EVERYBODY), first)
            found += [Found(version.name, *row) for row in rows]
            first += ONE_DAY
        if first <= last:
            rows = await sql.fetch(
                evaluation_sql(version.body, concerned_sql(version.body)),
                first,
                last,
                list(core_changed) if last == days[-1] else [],
            )
            found += [Found(version.name, *row) for row in rows]
    return found


async def evaluate_named(
    sql: asyncpg.Connection, groups: Versions[GroupPolicy], days: Sequence[tuple[str, date]]
) -> list[Found]:
    """What the same statement finds of named clients on named days, by client and day; their standings stay."""
    found = []
    for version, clients, on in by_version(groups, days):
        rows = await sql.fetch(
            f"""WITH concerned AS (SELECT * FROM unnest($1::text[], $2::date[]) AS k(client_id, day)),
                     figures AS ({figures_sql(version.body, one_pass=False)})
                SELECT day, client_id, {COLUMNS.format(held="NULL")} FROM figures""",
            clients,
            on,
        )
        found += [Found(version.name, *row) for row in rows]
    return sorted(found, key=lambda f: (f.client_id, f.day))


async def find_occurrences(
    sql: asyncpg.Connection, groups: Versions[GroupPolicy], first: date, last: date, clients: list[str] | None
) -> None:
    """Find the days from `first` to `last` that make clients ABNORMAL, of all clients or anew of some [K7]."""
    if clients is not None:
        await sql.execute(
            "DELETE FROM occurrences WHERE day BETWEEN $1 AND $2 AND client_id = ANY($3::text[])", first, last, clients
        )
    for start, end, version in versions_between(groups, first, last):
        await _find_busy_days(sql, start, end, clients, version.body)
        await _find_moved_funds(sql, start, end, clients, version.body)


async def _find_busy_days(
    sql: asyncpg.Connection, first: date, last: date, clients: list[str] | None, policy: GroupPolicy
) -> None:
    p = policy
    await sql.execute(
        f"""INSERT INTO occurrences (client_id, day, kind)
            SELECT t.client_id, t.day, 'trades' FROM trade_days t JOIN clients c ON c.client_id = t.client_id,
                LATERAL (SELECT count(*) AS days, sum(amount) AS amount FROM trade_days b
                         WHERE b.client_id = t.client_id AND b.amount > 0
                           AND b.day >= t.day - {p.abnormal_days_before} AND b.day < t.day) b
            WHERE t.day BETWEEN $1 AND $2 AND t.amount > 0 AND t.day - c.opened_on > {p.abnormal_after_days}
              AND b.days >= {p.abnormal_traded_days} AND t.amount * b.days >= {p.abnormal_multiple} * b.amount
              AND {among(clients, 3, "t.client_id")}""",
        first,
        last,
        *named(clients),
    )


async def _find_moved_funds(
    sql: asyncpg.Connection, first: date, last: date, clients: list[str] | None, policy: GroupPolicy
) -> None:
    moved = await sql.fetch(
        f"SELECT DISTINCT client_id, day FROM transfers WHERE day BETWEEN $1 AND $2 AND {among(clients, 3)}",
        first,
        last,
        *named(clients),
    )
    if moved:
        p = policy
        await sql.execute(
            f"""INSERT INTO occurrences (client_id, day, kind)
                SELECT c.client_id, d.day, 'funds'
                FROM unnest($1::text[], $2::date[], $3::date[]) AS d(client_id, day, first)
                    JOIN clients c ON c.client_id = d.client_id,
                    LATERAL (SELECT sum(net) AS net FROM transfers s
                             WHERE s.client_id = d.client_id AND s.day BETWEEN d.first AND d.day) n,
                    LATERAL (SELECT total FROM valuations v WHERE v.client_id = d.client_id AND v.as_of < d.first
                             ORDER BY as_of DESC LIMIT 1) v
                WHERE d.day - c.opened_on > {p.abnormal_after_days}
                  AND n.net <> 0 AND abs(n.net) >= {p.abnormal_transfer_share} * v.total
                ON CONFLICT (client_id, day) DO UPDATE SET kind = 'both'""",
            [client for client, _ in moved],
            [day for _, day in moved],
            [window_start(day, p.abnormal_transfer_days) for _, day in moved],
        )


def window_start(day: date, trading_days: int) -> date:
    """The first of so many trading days (交易日) that end with `day`, or with the last one before it."""
    calendar = shipped()
    if calendar.first + timedelta(days=60) <= day < calendar.last:
        return calendar.add_days(day + ONE_DAY, -trading_days, DayKind.TRADING)
    start, left = day + ONE_DAY, trading_days
    while left:
        start -= ONE_DAY
        left -= start.weekday() < 5
    return start


async def days_to_evaluate(
    sql: asyncpg.Connection, groups: Versions[GroupPolicy], since: dict[str, date], through: date
) -> list[tuple[str, date]]:
    """For named clients their own day and every closed day after it on which their tags can change."""
    rows: set[tuple[str, date]] = set()
    for first, last, version in versions_between(groups, min(since.values()), through):
        policy = version.body
        found = await sql.fetch(
            f"""WITH named AS (SELECT * FROM unnest($1::text[], $2::date[]) AS n(client_id, since)),
                     days AS (
                SELECT client_id, greatest(since, $3) AS day FROM named
                UNION SELECT client_id, d.day + n FROM trade_days d, unnest(ARRAY[0, {policy.dormant_days}]) n
                    WHERE client_id = ANY($1::text[])
                UNION SELECT client_id, d.day + n FROM occurrences d, unnest(ARRAY[0, {policy.abnormal_in_force_days}]) n
                    WHERE client_id = ANY($1::text[])
                UNION SELECT client_id, as_of + n FROM valuations, unnest(ARRAY[0, {policy.at_risk_days}]) n
                    WHERE client_id = ANY($1::text[])
                UNION SELECT client_id, day FROM clients,
                    unnest(ARRAY[opened_on, opened_on + {policy.new_days + 1}, closed_on, closing_requested_on]) AS day
                    WHERE client_id = ANY($1::text[])
                UNION SELECT client_id, (month + interval '1 month')::date - 1
                    FROM named, generate_series(date_trunc('month', $3::date), $4, interval '1 month') AS month)
                SELECT client_id, day FROM days JOIN named USING (client_id)
                WHERE day BETWEEN greatest(since, $3) AND $4""",
            list(since),
            list(since.values()),
            first,
            last,
        )
        rows |= {tuple(row) for row in found}
    return sorted(rows)


def versions_between(
    groups: Versions[GroupPolicy], first: date, last: date
) -> list[tuple[date, date, Version[GroupPolicy]]]:
    """The policies in force from `first` to `last`, each with its first and last day; everybody is due on the first."""
    starts = sorted({first, *(day for day in groups.starts() if first < day <= last)})
    ends = [start - ONE_DAY for start in starts[1:]] + [last]
    return [(start, end, groups.on(start)) for start, end in zip(starts, ends, strict=True)]
