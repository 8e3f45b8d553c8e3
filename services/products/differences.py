"""What trades of days gone by cost more or less by rates told later: lines of the statement, by the month [S1].

The trading system applies a rate from the trading day after it was told. Where it begins before, what was traded meanwhile is
charged or credited here: an agreement heard late, a product of today, a withdrawal that returns the uplift.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import asyncpg
import msgspec

from chassis import rows
from chassis.clock import month_end
from chassis.uow import UnitOfWork
from contracts.broker import TradeCancelled, TradeSettled
from contracts.fields import convert
from contracts.products import RateStretch
from services.products.charge_rules import Applied, Turnover, difference, fen, month_of_day
from services.products.rates import AGAIN
from services.products.subscriptions import new_id
from services.products.tables import ChargeLine, DifferenceRow, TradeRow

AT_ONCE = 5_000
DAY = timedelta(days=1)


def of_a_shares(trade: TradeSettled) -> bool:
    """Whether the rate counts for a trade: shares traded in CNY; B-shares are traded in other currencies."""
    return trade.instrument.kind.partition(":")[0] == "stock" and trade.currency == "CNY"


async def keep_trades(settled: Sequence[TradeSettled], uow: UnitOfWork) -> None:
    """Keep trades of A-shares of clients whose commission is known: a rate is applied from the day after it is told at the
    earliest, so that nothing ever differs of what was traded before the first was."""
    found = {
        (one.client_id, one.trade_id): TradeRow(
            one.client_id, one.trade_id, one.account_id, one.trade_date, Decimal(one.amount), Decimal(one.commission)
        )
        for one in reversed(settled)
        if of_a_shares(one)
    }
    if found:
        await uow.sql.execute(
            f"""WITH kept AS (
                    INSERT INTO trades ({rows.columns(TradeRow)})
                    SELECT n.* FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::numeric[], $6::numeric[])
                        AS n({rows.columns(TradeRow)})
                    WHERE EXISTS (SELECT FROM commissions c WHERE c.client_id = n.client_id)
                    ON CONFLICT DO NOTHING RETURNING client_id, trade_date)
                INSERT INTO differences_due (client_id, day) SELECT DISTINCT client_id, trade_date FROM kept ORDER BY 1, 2
                {AGAIN}""",
            *rows.lists([one for _, one in sorted(found.items())]),
        )


async def keep_cancellations(cancelled: Sequence[TradeCancelled], uow: UnitOfWork) -> None:
    """Keep the lowest commission that remains of each trade."""
    lowest: dict[tuple[str, str], Decimal] = {}
    for one in cancelled:
        key, left = (one.client_id, one.trade_id), Decimal(one.remaining_commission)
        lowest[key] = min(left, lowest.get(key, left))
    found = [(*key, left) for key, left in sorted(lowest.items())]
    await uow.sql.execute(
        f"""WITH kept AS (
               INSERT INTO trade_cancellations AS t (client_id, trade_id, remaining)
               SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[])
               ON CONFLICT (client_id, trade_id) DO UPDATE SET remaining = least(t.remaining, excluded.remaining)
               RETURNING client_id, trade_id)
           INSERT INTO differences_due (client_id, day)
           SELECT DISTINCT client_id, trade_date FROM kept JOIN trades USING (client_id, trade_id) ORDER BY 1, 2 {AGAIN}""",
        *map(list, zip(*found, strict=True)),
    )


async def reckon(uow: UnitOfWork, day: date) -> list[ChargeLine]:
    """For each month of a day that changed by now, until a day: what its trades cost more or less, less what was posted."""
    due = await rows.fetch(
        uow.sql,
        DifferenceRow,
        f"DELETE FROM differences_due WHERE day <= $1 RETURNING {rows.columns(DifferenceRow)}",
        day,
    )
    since: dict[str, date] = {}
    for one in due:
        since[one.client_id] = min(one.day.replace(day=1), since.get(one.client_id, date.max))
    ordered = sorted(since)
    lines = []
    for start in range(0, len(ordered), AT_ONCE):
        lines += await _lines(uow, {name: since[name] for name in ordered[start : start + AT_ONCE]}, day)
    return lines


async def _lines(uow: UnitOfWork, since: Mapping[str, date], day: date) -> list[ChargeLine]:
    told = await _told(uow.sql, since, day)
    traded = await _traded(uow.sql, {name: since[name] for name in told}, day)
    posted = await _posted(uow.sql, since)
    lines = []
    for client_id, month in sorted(traded.keys() | posted.keys()):
        before, count = posted.get((client_id, month), (0, 0))
        amount = fen(difference(traded.get((client_id, month), ()), told.get(client_id, ()))) - before
        if amount:
            begins = date.fromisoformat(f"{month}-01")
            lines.append(
                ChargeLine(
                    new_id("charge", "rate_difference", client_id, month, count), client_id, None, "", month, "rate_difference",
                    amount, None, begins, min(day, month_end(begins)) + DAY, day, uow.now,
                )
            )  # fmt: skip
    return lines


async def _told(sql: asyncpg.Connection, since: Mapping[str, date], day: date) -> dict[str, list[Applied]]:
    """What was told of the rates of those clients of whom something began, in these days, before it was applied."""
    found: defaultdict[str, list[Applied]] = defaultdict(list)
    for client_id, changed_from, apply_from, stretches in await sql.fetch(
        # A process of an older version tells rates without saying when they are applied: the day after.
        """WITH told AS (
               SELECT c.client_id, c.revision, c.changed_from, n.since, c.stretches::text AS stretches,
                      coalesce(a.apply_from, greatest(c.changed_from, (c.recorded_at AT TIME ZONE 'Asia/Shanghai')::date + 1))
                          AS apply_from
               FROM unnest($1::text[], $2::date[]) AS n(client_id, since) JOIN fee_rates_changes c USING (client_id)
               LEFT JOIN rate_applications a USING (client_id, revision))
           SELECT client_id, changed_from, apply_from, stretches FROM told WHERE client_id IN (
               SELECT client_id FROM told WHERE changed_from < apply_from AND changed_from <= $3 AND apply_from > since)
           ORDER BY client_id, revision""",
        list(since),
        list(since.values()),
        day,
    ):
        read = convert(msgspec.json.decode(stretches), list[RateStretch])
        found[client_id].append(Applied(changed_from, apply_from, read))
    return found


async def _traded(
    sql: asyncpg.Connection, since: Mapping[str, date], day: date
) -> dict[tuple[str, str], list[Turnover]]:
    """By client and month what was traded on each account and day; of a cancelled trade what remains, pro rata."""
    found: defaultdict[tuple[str, str], list[Turnover]] = defaultdict(list)
    for client_id, account_id, trade_date, amount in await sql.fetch(
        """SELECT client_id, account_id, trade_date,
                  sum(CASE WHEN c.remaining IS NULL THEN amount WHEN t.commission = 0 THEN 0
                           ELSE amount * least(c.remaining, t.commission) / t.commission END)
           FROM unnest($1::text[], $2::date[]) AS n(client_id, since) JOIN trades t USING (client_id)
           LEFT JOIN trade_cancellations c USING (client_id, trade_id)
           WHERE trade_date BETWEEN n.since AND $3 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        list(since),
        list(since.values()),
        day,
    ):
        found[client_id, month_of_day(trade_date)].append(Turnover(account_id, trade_date, amount))
    return found


async def _posted(sql: asyncpg.Connection, since: Mapping[str, date]) -> dict[tuple[str, str], tuple[int, int]]:
    """By client and month the fen posted, and in how many lines."""
    return {
        (client_id, month): (amount, lines)
        for client_id, month, amount, lines in await sql.fetch(
            """SELECT client_id, month, sum(fen)::bigint, count(*)::int
               FROM unnest($1::text[], $2::text[]) AS n(client_id, first) JOIN charges USING (client_id)
               WHERE kind = 'rate_difference' AND month >= n.first GROUP BY 1, 2""",
            list(since),
            [month_of_day(first) for first in since.values()],
        )
    }
