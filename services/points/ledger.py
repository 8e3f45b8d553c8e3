"""Posting to the ledger: one immutable row per entry, the balance and what remains of lots beside it.

Locks are taken in one order: balances, then the numbers of entries, then (at the end of the unit of work) the log.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any, Literal, cast

import asyncpg
from uuid_utils import UUID, uuid5

from chassis.bus.record import Record
from chassis.uow import UnitOfWork
from contracts.base import Amount
from contracts.points import PointsPosted
from services.points import balances, lots
from services.points.balances import Balance
from services.points.lots import Lot
from services.points.rules import Rate, posting_date
from services.points.tables import entries
from services.points.tiers import Ranks
from services.points.trades import SettledTrade, Trade

HUNDREDTH = Decimal("0.01")
NAMESPACE = UUID("5d3c2f0e-5a43-5d5b-9a53-8d2f4a1c7b60")
ISSUED = "sys:issued:commission"
REVERSED = "sys:reversed"
COLUMNS = tuple(column.name for column in entries.columns if column.name != "recorded_at")  # its default says it

Award = tuple[Rate, int, int]
"""What a trade earns: at which rate, how many points, in which partition they are kept."""
Row = tuple[Any, ...]


def entry_id(client_id: str, trade_id: str, step: int) -> str:
    """The id of a trade's entry: the same in every run."""
    return str(uuid5(NAMESPACE, f"{client_id}\n{trade_id}\n{step}"))


def available(client_id: str) -> str:
    """The account of points a client can spend [P8]."""
    return f"cust:{client_id}:available"


def debt(client_id: str) -> str:
    """The account of points a client owes [P7, P8]."""
    return f"cust:{client_id}:debt"


def as_amount(points: int) -> Amount:
    """Hundredths as the amount an event carries, with two decimals."""
    # A plain Decimal is written by the encoder itself, an Amount by a call into Python.
    return cast(Amount, points * HUNDREDTH)


class FastPathUnavailable(Exception):
    """The short way is not open for this batch: a trade is known, or a client's state is not the plain one."""


async def award_at_once(
    uow: UnitOfWork, settled: Sequence[SettledTrade], causes: Sequence[Record], ranks: Ranks
) -> bool:
    """The short way for new trades of plain clients: balances in one statement, entries in one COPY.

    False, with nothing written, when a trade is known already, or a client has debt, a parked cancellation, or other
    tiers by now: the caller then looks at each trade.
    """
    awards: list[Award] = []
    sums: dict[str, int] = {}
    counts: dict[int, int] = {}
    for trade in settled:
        client = trade.client_id
        rate = ranks.rate(client, trade.trade_date)
        points, partition = rate.points[trade.commission], uow.partition_of(client)
        sums[client] = sums.get(client, 0) + points
        counts[partition] = counts.get(partition, 0) + 1
        awards.append((rate, points, partition))
    before = uow.mark()
    try:
        async with uow.sql.transaction():
            if not await balances.add_where_nothing_stands_against(uow.sql, sums, ranks.revisions):
                raise FastPathUnavailable
            rows: list[Row] = []
            uow.emit_all(_accruals(settled, causes, awards, await uow.numbers("entries", counts), rows))
            await uow.sql.copy_records_to_table("entries", records=rows, columns=COLUMNS)
    except (FastPathUnavailable, asyncpg.UniqueViolationError):
        uow.rollback_to(before)
        return False
    return True


def _accruals(
    settled: Sequence[SettledTrade], causes: Sequence[Record], awards: Sequence[Award], numbers: dict[int, int],
    rows: list[Row],
) -> Iterator[PointsPosted]:  # fmt: skip
    """The rows of these awards, and what is told of each, one trade after the other: what is at hand of a trade is
    read once, which with thousands of them counts more than the work."""
    for trade, cause, (rate, points, partition) in zip(settled, causes, awards, strict=True):
        client, trade_id, day = trade.client_id, trade.trade_id, trade.trade_date
        number, made = numbers[partition], entry_id(client, trade_id, 0)
        numbers[partition] = number + 1
        # Nearly all causes lie on the trade date, and comparing costs a tenth of turning an instant into a date.
        posted_on = day if cause.time < rate.ends else posting_date(day, cause.time)
        rows.append(
            (
                partition, number, made, client, "accrued", trade_id, 0, ISSUED, available(client), points,
                rate.expires_on, str(trade.commission), rate.tier, rate.multiplier, day, rate.policy, posted_on,
                cause.id, None,
            )
        )  # fmt: skip
        if points:
            yield PointsPosted(
                entry_id=made, client_id=client, kind="accrued", points=as_amount(points), posted_on=posted_on,
                trade_id=trade_id,
            )  # fmt: skip


async def _places(uow: UnitOfWork, clients: Sequence[str]) -> list[tuple[int, int]]:
    """Partition and number for an entry of each of these clients. Their balances are locked by now."""
    partitions = [uow.partition_of(client) for client in clients]
    first = await uow.numbers("entries", Counter(partitions))
    following = {partition: count(number) for partition, number in first.items()}
    return [(partition, next(following[partition])) for partition in partitions]


class Posting:
    """Entries being made for clients whose balances are locked: what each trade should have, less what it has."""

    def __init__(self, uow: UnitOfWork, locked: dict[str, Balance], ranks: Ranks) -> None:
        self.uow = uow
        self.balances = locked
        self.ranks = ranks
        self.rows: list[tuple[Any, ...]] = []
        self.events: list[PointsPosted] = []
        self.changed: set[str] = set()
        self.remaining: dict[tuple[str, str], int] = {}
        self.short: Counter[str] = Counter()

    def settle(
        self,
        trade: Trade,
        base: Decimal,
        kind: Literal["accrued", "reversed", "corrected"],
        posted_on: date,
        cause: str,
    ) -> None:
        """Post what the trade's target on `base` differs from what was posted for it [P1]. An accrual always leaves
        an entry, if of zero points: a repeat must be known."""
        rate = self.ranks.rate(trade.client_id, trade.trade_date)
        target = rate.points[base]
        difference = target - trade.posted
        if not difference and kind != "accrued":
            return
        inputs = (str(base), rate.tier, rate.multiplier, trade.trade_date, rate.policy, posted_on)
        balance, client = self.balances[trade.client_id], trade.client_id
        self.changed.add(client)
        if difference >= 0:
            repaid, gained = balance.credit(difference)
            if repaid:
                self._add(trade, kind, ISSUED, debt(client), repaid, None, inputs, cause)
            if gained or not repaid:
                self._add(trade, kind, ISSUED, available(client), gained, rate.expires_on, inputs, cause)
        else:
            sink = REVERSED if kind == "reversed" else ISSUED
            taken, owed = balance.debit(-difference)
            if taken:
                self._add(trade, kind, available(client), sink, taken, None, inputs, cause)
                self.short[client] += lots.take(trade.lots, taken)
                self.remaining |= {(client, lot.entry_id): lot.remaining for lot in trade.lots}
            if owed:
                self._add(trade, kind, debt(client), sink, owed, None, inputs, cause)

    def _add(
        self,
        trade: Trade,
        kind: Literal["accrued", "reversed", "corrected"],
        debit: str,
        credit: str,
        points: int,
        expires_on: date | None,
        inputs: tuple[Any, ...],
        cause: str,
    ) -> None:
        made = entry_id(trade.client_id, trade.trade_id, trade.steps)
        gained = points if credit.startswith("cust:") else -points
        *told, posted_on = inputs
        original = None if kind == "accrued" else trade.original
        head = (made, trade.client_id, kind, trade.trade_id, trade.steps, debit, credit, points, expires_on)
        self.rows.append((*head, *told, posted_on, cause, original))
        if expires_on:
            trade.lots.append(Lot(made, points))
        trade.posted += gained
        trade.steps += 1
        trade.original = trade.original or made
        if points:
            self.events.append(
                PointsPosted(
                    entry_id=made,
                    client_id=trade.client_id,
                    kind=kind,
                    points=as_amount(gained),
                    posted_on=posted_on,
                    trade_id=trade.trade_id,
                )
            )

    async def write(self) -> None:
        """Write balances, entries and remainders of lots; tell what was posted."""
        sql = self.uow.sql
        if self.changed:
            await balances.save(sql, {client: self.balances[client] for client in sorted(self.changed)})
        if self.rows:
            places = await _places(self.uow, [row[1] for row in self.rows])
            rows = [(*place, *row) for place, row in zip(places, self.rows, strict=True)]
            await sql.copy_records_to_table("entries", records=rows, columns=COLUMNS)
        if self.remaining:
            await lots.save(sql, self.remaining)
        if short := {client: points for client, points in self.short.items() if points}:
            await lots.take_oldest(sql, short)
        self.uow.emit_all(self.events)
