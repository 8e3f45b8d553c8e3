"""What the ledger knows of single trades: their content, cancellations, and what was posted for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, NamedTuple

import asyncpg

from chassis.rows import columns, fetch, lists
from contracts.base import Event
from contracts.broker import TradeSettled
from contracts.fields import BusinessDate, Identifier, Quantity
from services.points.lots import Lot
from services.points.tables import AmendmentRow, CancellationRow

Key = tuple[str, str]
"""Client id and trade id: the identity of a trade."""


class SettledTrade(Event, frozen=True, kw_only=True, gc=False):
    """What points need of a `broker.trade.settled`; whether the rest of it holds is for those who need that."""

    type: ClassVar[str] = TradeSettled.type
    topic: ClassVar[str] = TradeSettled.topic

    trade_id: Identifier
    client_id: Identifier
    trade_date: BusinessDate
    commission: Quantity

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.trade_id}"


class Cancellation(NamedTuple):
    """The lowest remaining commission told of a trade [P1], and by which event."""

    remaining: Decimal
    cancelled_on: date
    cause: str


@dataclass(slots=True)
class Trade:
    """A trade of the ledger. `posted` is what the client has for it, in hundredths; `steps` how many entries."""

    client_id: str
    trade_id: str
    commission: Decimal
    trade_date: date
    contents: set[tuple[Decimal, date]]
    cancellation: Cancellation | None = None
    posted: int = 0
    steps: int = 0
    original: str | None = None
    lots: list[Lot] = field(default_factory=list)

    @property
    def base(self) -> Decimal:
        """The commission that counts: the trade's own, or what a cancellation left of it [P1]."""
        return min(self.commission, self.cancellation.remaining) if self.cancellation else self.commission


async def known(sql: asyncpg.Connection, keys: Iterable[Key]) -> dict[Key, Trade]:
    """Those of the trades that the ledger has entries for."""
    wanted = sorted(set(keys))
    clients, ids = [client for client, _ in wanted], [trade for _, trade in wanted]
    trades: dict[Key, Trade] = {}
    for row in await sql.fetch(
        """SELECT e.client_id, e.trade_id, e.step, e.entry_id::text, e.points, e.commission, e.trade_date,
                  starts_with(e.credit_account, 'cust:') AS gained, e.expires_on IS NOT NULL AS lot,
                  coalesce(r.remaining, e.points) AS remaining
           FROM unnest($1::text[], $2::text[]) AS k(client_id, trade_id)
           JOIN entries e USING (client_id, trade_id) LEFT JOIN lot_remainders r USING (client_id, entry_id)
           ORDER BY e.client_id, e.trade_id, e.step""",
        clients,
        ids,
    ):
        key = (row["client_id"], row["trade_id"])
        trade = trades.get(key)
        if trade is None:
            content = (Decimal(row["commission"]), row["trade_date"])
            trade = trades[key] = Trade(*key, *content, {content}, original=row["entry_id"])
        trade.posted += row["points"] if row["gained"] else -row["points"]
        trade.steps = row["step"] + 1
        if row["lot"]:
            trade.lots.append(Lot(row["entry_id"], row["remaining"]))
    for accepted in await fetch(
        sql,
        AmendmentRow,
        f"""SELECT {columns(AmendmentRow)} FROM amendments
            JOIN unnest($1::text[], $2::text[]) AS k(client_id, trade_id) USING (client_id, trade_id)""",
        clients,
        ids,
    ):
        trade = trades[accepted.client_id, accepted.trade_id]
        trade.commission, trade.trade_date = accepted.commission, accepted.trade_date
        trade.contents.add((accepted.commission, accepted.trade_date))
    for key, cancellation in (await cancelled(sql, list(trades))).items():
        trades[key].cancellation = cancellation
    return trades


async def from_dates(sql: asyncpg.Connection, since: Mapping[str, date]) -> dict[Key, Trade]:
    """Every trade of these clients dated on or after their date."""
    keys = await sql.fetch(
        """WITH since AS (SELECT * FROM unnest($1::text[], $2::date[]) AS s(client_id, day))
           SELECT client_id, trade_id FROM entries JOIN since USING (client_id) WHERE step = 0 AND trade_date >= day
           UNION SELECT client_id, trade_id FROM amendments JOIN since USING (client_id) WHERE trade_date >= day""",
        list(since),
        list(since.values()),
    )
    trades = await known(sql, [(client, trade_id) for client, trade_id in keys])
    return {key: trade for key, trade in trades.items() if trade.trade_date >= since[trade.client_id]}


async def cancelled(sql: asyncpg.Connection, keys: Sequence[Key]) -> dict[Key, Cancellation]:
    """What is known of cancellations of these trades, also of trades that have not come yet."""
    rows = await fetch(
        sql,
        CancellationRow,
        f"""SELECT {columns(CancellationRow)} FROM cancellations
            JOIN unnest($1::text[], $2::text[]) AS k(client_id, trade_id) USING (client_id, trade_id)""",
        [client for client, _ in keys],
        [trade for _, trade in keys],
    )
    return {(row.client_id, row.trade_id): Cancellation(row.remaining, row.cancelled_on, row.cause) for row in rows}


async def cancel(sql: asyncpg.Connection, cancellations: Mapping[Key, Cancellation]) -> None:
    """Remember cancellations, each lower than what was known."""
    if not cancellations:
        return
    await sql.execute(
        """INSERT INTO cancellations
           SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[], $4::date[], $5::text[])
           ON CONFLICT (client_id, trade_id) DO UPDATE
           SET remaining = excluded.remaining, cancelled_on = excluded.cancelled_on, cause = excluded.cause""",
        *lists(
            [
                CancellationRow(*key, told.remaining, told.cancelled_on, told.cause)
                for key, told in cancellations.items()
            ]
        ),
    )


async def amend(sql: asyncpg.Connection, trade: Trade, accepted_at: datetime) -> None:
    """Remember the content of a trade that an operator accepted in place of the first."""
    await sql.execute(
        """INSERT INTO amendments VALUES ($1, $2, $3, $4, $5) ON CONFLICT (client_id, trade_id) DO UPDATE
           SET commission = excluded.commission, trade_date = excluded.trade_date, accepted_at = excluded.accepted_at""",
        trade.client_id,
        trade.trade_id,
        trade.commission,
        trade.trade_date,
        accepted_at,
    )
