"""Settled buys against level, shelf and permission on their trade date: set-based reads, one pure rule [Q3, Q4]."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import asyncpg

from chassis.uow import UnitOfWork
from contracts.suitability import MismatchFound
from services.suitability import access
from services.suitability.access import Access
from services.suitability.policy import Policies, Policy
from services.suitability.rules import mismatch
from services.suitability.situations import (
    BOUGHT,
    BOUGHT_WIDTH,
    BUYS,
    CONFIRMED_AS,
    Bought,
    Confirmed,
    confirmation_in,
    confirmed_so_high,
    ever_assessed,
    held_rank,
    in_force,
    needed_of_buy,
    professional,
)

# A confirmation explains a buy when it was given before the trade settled and held on the trade date.
_BUYS = f"""
    SELECT {BOUGHT}, f.scheme, f.rank, {ever_assessed("t.client_id", "t.trade_date")},
           {professional("t.client_id", "t.trade_date")}, {CONFIRMED_AS}
    FROM unnest($1::text[], $2::date[]) AS d(client_id, since)
    JOIN {BUYS} t ON t.client_id = d.client_id AND t.trade_date BETWEEN d.since AND $3 AND t.trade_date >= $4
    LEFT JOIN LATERAL ({in_force("t.client_id", "t.trade_date")}) f ON true
    LEFT JOIN LATERAL (
        SELECT decision_id, needed, held, checked_by, second_contact FROM confirmations k
        WHERE k.client_id = t.client_id AND k.product = t.symbol AND k.confirmed_at <= t.settled_at
          AND k.valid_until >= t.trade_date ORDER BY k.confirmed_at DESC, k.number DESC LIMIT 1) k ON true"""

_KEEP = """
    INSERT INTO mismatches AS m
        (client_id, trade_id, branch_id, trade_date, symbol, needed, held, reason, confirmation, policy, found_at)
    SELECT n.*, $11 FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::text[], $6::text[], $7::text[],
                                $8::text[], $9::text[], $10::text[]) n
    ON CONFLICT (client_id, trade_id) DO UPDATE
    SET branch_id = excluded.branch_id, needed = excluded.needed, held = excluded.held, reason = excluded.reason,
        confirmation = excluded.confirmation, policy = excluded.policy, found_at = excluded.found_at
    WHERE (m.branch_id, m.needed, m.held, m.reason, m.confirmation)
          IS DISTINCT FROM (excluded.branch_id, excluded.needed, excluded.held, excluded.reason, excluded.confirmation)
    RETURNING client_id, branch_id, trade_id, trade_date, symbol, reason, confirmation"""


class _Buy(NamedTuple):
    """A row of `_BUYS`."""

    bought: Bought
    held_scheme: str | None
    held_rank: int | None
    assessed_before: bool
    professional: bool
    confirmed: Confirmed | None

    @classmethod
    def of(cls, columns: asyncpg.Record) -> "_Buy":
        """From the columns as they were read."""
        wide = BOUGHT_WIDTH
        return cls._make((Bought(*columns[:wide]), *columns[wide : wide + 4], confirmation_in(columns[wide + 4 :])))


async def buyers(uow: UnitOfWork, products: Sequence[tuple[str, date]], through: date) -> Sequence[tuple[str, date]]:
    """Who bought products from a day on through another, and since when."""
    if not products:
        return []
    rows = await uow.sql.fetch(
        f"""SELECT t.client_id, min(t.trade_date) FROM unnest($1::text[], $2::date[]) AS n(product, day)
            JOIN {BUYS} t ON t.symbol = n.product AND t.trade_date BETWEEN n.day AND $3 GROUP BY 1""",
        *zip(*products, strict=True),
        through,
    )
    return [(client, day) for client, day in rows]


async def judge(uow: UnitOfWork, since: Mapping[str, date], through: date) -> list[MismatchFound]:
    """Judge these clients' buys, each from a day on through `through`; what was found before is put right.

    Returns the mismatches that are new or changed, to be told.
    """
    if not since:
        return []
    clients, days = list(since), list(since.values())
    buys = [_Buy.of(columns) for columns in await uow.sql.fetch(_BUYS, clients, days, through, min(days))]
    policies = await uow.policies(Policies)
    had = await access.read(uow.sql, [buy.bought for buy in buys], policies)
    rows = sorted(found for buy in buys if (found := _judged(buy, policies.on(buy.bought.trade_date), had)))
    await uow.sql.execute(
        """DELETE FROM mismatches m USING unnest($1::text[], $2::date[]) AS d(client_id, since)
           WHERE m.client_id = d.client_id AND m.trade_date BETWEEN d.since AND $3
             AND NOT EXISTS (SELECT FROM unnest($4::text[], $5::text[]) AS k(client_id, trade_id)
                             WHERE k.client_id = m.client_id AND k.trade_id = m.trade_id)""",
        clients,
        days,
        through,
        [row[0] for row in rows],
        [row[1] for row in rows],
    )
    if not rows:
        return []
    columns: Sequence[Any] = [list(column) for column in zip(*rows, strict=True)]
    return [MismatchFound(**dict(row)) for row in await uow.sql.fetch(_KEEP, *columns, uow.now)]


def _judged(buy: _Buy, policy: Policy, had: Access) -> tuple[Any, ...] | None:
    row = buy.bought
    needed, held = needed_of_buy(row, policy), held_rank(buy.held_scheme, buy.held_rank, policy)
    reason = mismatch(
        held,
        buy.assessed_before,
        needed,
        buy.professional,
        on_shelf=had.on_shelf(row),
        permitted=had.permitted(row, policy),
    )
    if reason is None:
        return None
    explained = reason == "above_level" and confirmed_so_high(buy.confirmed, held, needed, policy)
    return (
        row.client_id,
        row.trade_id,
        row.branch_id,
        row.trade_date,
        row.symbol,
        _code(needed, policy),
        _code(held, policy),
        reason,
        buy.confirmed.decision_id if explained and buy.confirmed else None,
        policy.version,
    )


def _code(rank: int | None, policy: Policy) -> str | None:
    return None if rank is None else policy.own_scheme.level(rank).code
