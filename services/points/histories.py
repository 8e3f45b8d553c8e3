"""All that is known of clients whose points have to be folded again [4.7a], and what was posted for them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import asyncpg

from chassis.clock import business_date, start_of
from chassis.rows import columns, fetch
from contracts.points import EntryKind
from services.points import accounts, trades
from services.points.fold import ClawBack, Fold, Gain, Hold, Item, Settlement, TakenOut, Transfer
from services.points.rules import Rate
from services.points.tables import AdjustmentRow, BonusRow, HoldRow
from services.points.trades import VALUE_ON, Trade


class Movement(NamedTuple):
    """Points between two accounts, counted towards `high`, because of a trade or an item, as of a day."""

    subject: str
    kind: EntryKind
    value_on: date
    low: str
    high: str


def movement(subject: str, kind: EntryKind, value_on: date, debit: str, credit: str) -> tuple[Movement, int]:
    """The movement an entry belongs to, and its direction."""
    kind = "accrued" if kind == "corrected" else kind
    low, high = sorted((debit, credit))
    return Movement(subject, kind, value_on, low, high), 1 if credit == high else -1


@dataclass(slots=True)
class History:
    """A client's trades, holds, bonuses and adjustments, what was posted by movement, and how many entries each item has."""

    client_id: str
    trades: dict[str, Trade] = field(default_factory=dict)
    holds: dict[str, HoldRow] = field(default_factory=dict)
    bonuses: dict[str, BonusRow] = field(default_factory=dict)
    adjustments: dict[str, AdjustmentRow] = field(default_factory=dict)
    posted: Counter[Movement] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    subjects: dict[str, str] = field(default_factory=dict)

    def trade(self, subject: str) -> Trade | None:
        """The trade that a movement is because of, if it is one."""
        return self.trades.get(subject.removeprefix("trade/")) if subject.startswith("trade/") else None

    def items(self, rate_of: Callable[[date], Rate]) -> Iterator[Item]:
        """Facts and acts as the items of the fold.

        A trade counts from the first instant of its date, whatever the hour of the day it was settled or heard.
        """
        for trade in self.trades.values():
            rate, lot = rate_of(trade.trade_date), accounts.entry_id(self.client_id, trade.trade_id, 0)
            self.subjects[lot] = f"trade/{trade.trade_id}"
            yield Gain(
                lot, trade.trade_date, start_of(trade.trade_date), rate.points[trade.commission], rate.expires_on
            )
            for one, before in trade.falls():
                name = f"{lot}/{one.at.isoformat()}"
                self.subjects[name] = f"trade/{trade.trade_id}"
                lost = rate.points[before] - rate.points[one.remaining]
                yield ClawBack(name, max(trade.trade_date, business_date(one.at)), one.at, lost, lot)
        for hold in self.holds.values():
            yield Hold(hold.hold, business_date(hold.held_at), hold.held_at, hold.points)
            if hold.outcome and hold.ended_at:
                name = f"{hold.hold}/ended"
                self.subjects[name] = hold.hold
                yield Settlement(name, business_date(hold.ended_at), hold.ended_at, hold.hold, hold.outcome)

        for bonus in self.bonuses.values():
            lot = accounts.entry_id(self.client_id, bonus.item, 0)
            self.subjects[lot] = self.subjects[f"{lot}/back"] = bonus.item
            yield Gain(lot, bonus.value_on, start_of(bonus.value_on), bonus.points, bonus.expires_on, "bonus")
            if bonus.back_on:
                day = max(bonus.value_on, bonus.back_on)
                yield ClawBack(f"{lot}/back", day, start_of(day), bonus.points, lot)

        for made in self.adjustments.values():
            day = business_date(made.at)
            if made.expires_on:
                lot = accounts.entry_id(self.client_id, made.item, 0)
                self.subjects[lot] = made.item
                yield Gain(lot, day, made.at, made.taken, made.expires_on, "adjusted")
            else:
                yield TakenOut(made.item, day, made.at, -made.taken)

    def ends_on(self, item: str) -> date | None:
        """The end of the lot that a bonus or an adjustment made."""
        gain = self.bonuses.get(item) or self.adjustments.get(item)
        return gain.expires_on if gain else None

    def differences(self, found: Fold) -> list[tuple[Movement, int]]:
        """What the fold has and was not posted, in order."""
        wanted: Counter[Movement] = Counter()
        for transfer in found.transfers:
            name, direction = self._movement(transfer)
            wanted[name] += direction * transfer.points
        wanted.subtract(self.posted)
        order = {name: n for n, name in enumerate(wanted)}
        return sorted(
            ((name, points) for name, points in wanted.items() if points),
            key=lambda pair: (pair[0].value_on, order[pair[0]]),
        )

    def _movement(self, transfer: Transfer) -> tuple[Movement, int]:
        subject = self.subjects.get(transfer.item, transfer.item)
        if transfer.kind == "expired":
            subject = expiry(transfer.value_on)
        return movement(
            subject, transfer.kind, transfer.value_on,
            self._account(transfer.debit, subject), self._account(transfer.credit, subject),
        )  # fmt: skip

    def _account(self, account: str, subject: str) -> str:
        match account:
            case "available" | "held" | "debt":
                return f"cust:{self.client_id}:{account}"
            case "issued":
                if subject in self.adjustments:
                    return accounts.ADJUSTED
                return accounts.issued(subject) if subject in self.bonuses else accounts.ISSUED
            case "redeemed":
                return accounts.redeemed(self.holds[subject].reward)
            case _:
                return f"sys:{account}"


async def bonuses_of(sql: asyncpg.Connection, clients: Sequence[str]) -> dict[tuple[str, str], BonusRow]:
    """The bonuses of clients, by client and item."""
    rows = await fetch(
        sql, BonusRow, f"SELECT {columns(BonusRow)} FROM bonuses WHERE client_id = ANY($1::text[])", list(clients)
    )
    return {(row.client_id, row.item): row for row in rows}


def expiry(day: date) -> str:
    """The item of what expires at the close of a day."""
    return f"expired/{day.isoformat()}"


async def read(
    sql: asyncpg.Connection, clients: Sequence[str], changed: Mapping[str, Mapping[str, Trade]]
) -> dict[str, History]:
    """The histories of clients whose balances are locked; of `changed` trades what is given counts."""
    found = {client: History(client) for client in clients}
    for (client, name), trade in (await trades.of_clients(sql, clients)).items():
        found[client].trades[name] = trade
    for client in clients:
        found[client].trades |= changed.get(client, {})
    for hold in await fetch(
        sql, HoldRow, f"SELECT {columns(HoldRow)} FROM holds WHERE client_id = ANY($1::text[])", list(clients)
    ):
        found[hold.client_id].holds[hold.hold] = hold
    for (client, item), bonus in (await bonuses_of(sql, clients)).items():
        found[client].bonuses[item] = bonus
    for made in await fetch(
        sql, AdjustmentRow, f"SELECT {columns(AdjustmentRow)} FROM adjustments WHERE client_id = ANY($1::text[])",
        list(clients),
    ):  # fmt: skip
        found[made.client_id].adjustments[made.item] = made
    for client, subject, kind, value_on, debit, credit, points, steps in await sql.fetch(
        f"""SELECT client_id, coalesce('trade/' || trade_id, item), kind, {VALUE_ON} AS value_on, debit_account,
                   credit_account, sum(points)::bigint, max(step) + 1
            FROM entries e WHERE client_id = ANY($1::text[]) AND points > 0 GROUP BY 1, 2, 3, 4, 5, 6""",
        list(clients),
    ):
        history = found[client]
        moved, direction = movement(subject, kind, value_on, debit, credit)
        history.posted[moved] += direction * points
        history.steps[subject] = max(history.steps[subject], steps)
    return found
