"""Posting to the ledger: one immutable row per entry, the balance and what remains of lots beside it.

Locks are taken in one order: balances, then the numbers of entries, then (at the end of the unit of work) the log.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import count
from typing import Any

import asyncpg

from chassis.bus.record import Record
from chassis.uow import UnitOfWork
from contracts.points import EntryKind, PointsPosted
from services.points import balances, histories, lots, periods
from services.points.accounts import EXPIRED, ISSUED, REVERSED, as_amount, available, entry_id, issued, signed
from services.points.balances import Balance
from services.points.fold import Fold, fold
from services.points.histories import History, expiry
from services.points.rules import Rate, posting_date
from services.points.tables import BonusRow, LotRow, entries
from services.points.tiers import Ranks
from services.points.trades import Cause, Part, SettledTrade, Trade

COLUMNS = tuple(column.name for column in entries.columns if column.name != "recorded_at")  # its default says it
ACCRUAL_COLUMNS = COLUMNS[: COLUMNS.index("original")]
"""What an accrual has: the rest is empty."""

POINTS, POSTED_ON = COLUMNS.index("points") - 2, COLUMNS.index("posted_on") - 2
"""Their places in a row that begins with `entry_id`."""

Award = tuple[Rate, int, int]
"""What a trade earns: at which rate, how many points, in which partition they are kept."""
Row = tuple[Any, ...]


class FastPathUnavailable(Exception):
    """The short way is not open for this batch: a trade is known, or a client's state is not the plain one."""


async def award_at_once(
    uow: UnitOfWork, settled: Sequence[SettledTrade], causes: Sequence[Record], ranks: Ranks
) -> bool:
    """The short way for new trades of plain clients: balances in one statement, entries in one COPY.

    False, with nothing written, when a trade is known already, or a client has debt, a parked cancellation, other tiers
    by now, or has used points on the first of the trades' dates or later: the caller then looks at each trade.
    """
    first = min(trade.trade_date for trade in settled)
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
            if not await balances.add_to_plain(uow.sql, sums, ranks.revisions, first):
                raise FastPathUnavailable
            rows: list[Row] = []
            open_from = await periods.open_from(uow.sql)
            numbers = await uow.numbers("entries", counts)
            uow.emit_all(_accruals(settled, causes, awards, numbers, open_from, rows))
            await uow.sql.copy_records_to_table("entries", records=rows, columns=ACCRUAL_COLUMNS)
    except (FastPathUnavailable, asyncpg.UniqueViolationError):
        uow.rollback_to(before)
        return False
    return True


def _accruals(
    settled: Sequence[SettledTrade], causes: Sequence[Record], awards: Sequence[Award], numbers: dict[int, int],
    open_from: date, rows: list[Row],
) -> Iterator[PointsPosted]:  # fmt: skip
    """The rows of these awards, and what is told of each, one trade after the other: what is at hand of a trade is
    read once, which with thousands of them counts more than the work."""
    for trade, cause, (rate, points, partition) in zip(settled, causes, awards, strict=True):
        client, trade_id, day = trade.client_id, trade.trade_id, trade.trade_date
        number, made = numbers[partition], entry_id(client, trade_id, 0)
        numbers[partition] = number + 1
        # Nearly all causes lie on the trade date, and comparing costs a tenth of turning an instant into a date.
        posted_on = day if cause.time < rate.ends else posting_date(day, cause.time)
        if posted_on < open_from:
            posted_on = open_from
        rows.append(
            (
                partition, number, made, client, "accrued", trade_id, 0, ISSUED, available(client), points,
                rate.expires_on, str(trade.commission), rate.tier, rate.multiplier, day, rate.policy, posted_on,
                cause.id,
            )
        )  # fmt: skip
        if points:
            yield PointsPosted(
                entry_id=made, client_id=client, kind="accrued", points=as_amount(points), posted_on=posted_on,
                trade_id=trade_id,
            )  # fmt: skip


EXPIRED_COLUMNS = (
    "partition", "number", "entry_id", "client_id", "kind", "step", "debit_account", "credit_account", "points", "posted_on",
    "cause", "original", "item", "value_on",
)  # fmt: skip
Ended = tuple[str, date, date, int, int]
"""Client, end, day of posting, points, and how many entries that end has by now."""


async def post_expired(uow: UnitOfWork, ended: Sequence[Ended]) -> None:
    """An entry for what expired of each client at each end; balances and lots, which are locked, say so already."""
    partitions = [uow.partition_of(client) for client, *_ in ended]
    open_from = await periods.open_from(uow.sql)
    numbers = await uow.numbers("entries", Counter(partitions))
    told: list[PointsPosted] = []
    # Rows are made while those before them are written.
    rows = _expirations(ended, partitions, numbers, open_from, told)
    await uow.sql.copy_records_to_table("entries", records=rows, columns=EXPIRED_COLUMNS)
    uow.emit_all(told)


def _expirations(
    ended: Sequence[Ended],
    partitions: Sequence[int],
    numbers: dict[int, int],
    open_from: date,
    told: list[PointsPosted],
) -> Iterator[Row]:
    """The rows of these ends, and what is told of each, one after the other; there are few days and many clients."""
    items = {day: (expiry(day), f"broker.day.closed/{day}") for day in {one[1] for one in ended}}
    for (client, day, posted_on, points, step), partition in zip(ended, partitions, strict=True):
        number, (item, cause) = numbers[partition], items[day]
        numbers[partition] = number + 1
        made = entry_id(client, item, step)
        original = entry_id(client, item, 0) if step else None
        if posted_on < open_from:
            posted_on = open_from
        told.append(
            PointsPosted(
                entry_id=made, client_id=client, kind="expired", points=as_amount(-points), posted_on=posted_on,
                value_on=day, original=original,
            )
        )  # fmt: skip
        yield (
            partition, number, made, client, "expired", step, available(client), EXPIRED, points, posted_on,
            cause, original, item, day,
        )  # fmt: skip


async def _places(uow: UnitOfWork, clients: Sequence[str]) -> list[tuple[int, int]]:
    """Partition and number for an entry of each of these clients. Their balances are locked by now."""
    partitions = [uow.partition_of(client) for client in clients]
    first = await uow.numbers("entries", Counter(partitions))
    following = {partition: count(number) for partition, number in first.items()}
    return [(partition, next(following[partition])) for partition in partitions]


class Entries:
    """Entries being made for clients whose balances are locked, and what is told of them."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow
        self.rows: list[Row] = []

    def add_for_item(
        self, client: str, kind: EntryKind, item: str, step: int, debit: str, credit: str, points: int,
        value_on: date, posted_on: date, cause: str, expires_on: date | None = None, policy: str | None = None,
    ) -> None:  # fmt: skip
        """An entry of what is no trade."""
        self.add(
            (
                entry_id(client, item, step), client, kind, None, step, debit, credit, points, expires_on, None, None,
                None, None, policy, posted_on, cause, entry_id(client, item, 0) if step else None, item, value_on,
            )
        )  # fmt: skip

    def add(self, row: Row) -> None:
        """An entry, its columns from `entry_id` on."""
        self.rows.append(row)

    async def write(self) -> None:
        """Write the entries and tell them; none is posted in a month that is closed for good."""
        if not self.rows:
            return
        open_from = await periods.open_from(self.uow.sql)
        rows = [
            row if row[POSTED_ON] >= open_from else (*row[:POSTED_ON], open_from, *row[POSTED_ON + 1 :])
            for row in self.rows
        ]
        places = await _places(self.uow, [row[1] for row in rows])
        numbered = [(*place, *row) for place, row in zip(places, rows, strict=True)]
        await self.uow.sql.copy_records_to_table("entries", records=numbered, columns=COLUMNS)
        self.uow.emit_all(_told(row) for row in rows if row[POINTS])


def _told(row: Row) -> PointsPosted:
    made, client, kind, trade_id, _, debit, credit, points, expires_on, *_, posted_on, _, original, _, value_on = row
    return PointsPosted(
        entry_id=made, client_id=client, kind=kind, points=as_amount(signed(debit, credit, points)),
        posted_on=posted_on, trade_id=trade_id, value_on=value_on, expires_on=expires_on, original=original,
    )  # fmt: skip


class Posting:
    """What each trade of clients whose balances are locked should have, less what it has.

    A change that touches nothing but its own trade's lot is posted as it is. Clients of whom something else depends on it
    (points used, held, expired or owed since) are folded again from all their facts and acts [4.7a].
    """

    def __init__(self, uow: UnitOfWork, locked: dict[str, Balance], ranks: Ranks) -> None:
        self.uow = uow
        self.balances = locked
        self.ranks = ranks
        self.entries = Entries(uow)
        self.lots: list[LotRow] = []
        self.trades: defaultdict[str, dict[str, Trade]] = defaultdict(dict)
        self.causes: dict[str, Cause] = {}

    def bring(self, trade: Trade, cause: Cause) -> None:
        """Bring a trade to its target [P1] because of an event. A new one leaves an entry, if of zero points: a repeat
        must be known."""
        trade.cause = max(trade.cause or cause, cause, key=lambda one: one.day)
        self.trades[trade.client_id][trade.trade_id] = trade
        self.again(trade.client_id, cause)

    def again(self, client_id: str, cause: Cause) -> None:
        """Something about a client has changed because of an event."""
        self.causes[client_id] = max(self.causes.get(client_id, cause), cause, key=lambda one: one.day)

    async def write(self, folded: Collection[str] = ()) -> None:
        """Write entries, lots and balances, and tell what was posted; `folded` clients are folded in any case."""
        sql = self.uow.sql
        through = await sql.fetchval("SELECT through FROM closed_days") or date.min
        others = [*folded]
        for client, changed in self.trades.items():
            if client not in folded and not self._post_plain(client, changed.values(), through):
                others.append(client)
        if others:
            await self._fold(others, through)
        if self.causes:
            await balances.save(sql, {client: self.balances[client] for client in sorted(self.causes)})
        await lots.save(sql, self.lots)
        await self.entries.write()
        if others:
            await lots.forget_whole(sql, others)

    def _post_plain(self, client: str, changed: Collection[Trade], through: date) -> bool:
        """Post what concerns these trades' own lots alone. False, with nothing posted, where more hangs on it."""
        balance, posts = self.balances[client], []
        for trade in changed:
            rate = self.ranks.rate(client, trade.trade_date)
            wanted = trade.targets(rate)
            missing = {part: wanted[part] - trade.posted.get(part, 0) for part in {**wanted, **trade.posted}}
            differing = {part: points for part, points in missing.items() if points}
            if trade.steps and not differing:
                continue
            lot = trade.ends_on if trade.steps else rate.expires_on
            if (
                balance.debt
                or min((day for _, day in differing), default=date.max) <= balance.used_on
                or (differing and (lot != rate.expires_on or lot <= through))
                or trade.expired
                or trade.free + sum(differing.values()) < 0
            ):
                return False
            posts.append((trade, rate, differing))
        for trade, rate, differing in posts:
            balance.whole -= trade.free if trade.whole else 0
            self._post_own(trade, rate, differing)
            balance.whole += trade.free if trade.whole else 0
            balance.available += sum(differing.values())
        return True

    def is_plain(self, bonus: BonusRow, through: date) -> bool:
        """Whether a new bonus touches its own lot alone."""
        balance = self.balances[bonus.client_id]
        return (
            not balance.debt
            and bonus.back_on is None
            and balance.used_on < bonus.value_on
            and through < bonus.expires_on
        )

    def post_bonus(self, bonus: BonusRow) -> None:
        """Post a plain one."""
        client, cause = bonus.client_id, self.causes[bonus.client_id]
        self.balances[client].available += bonus.points
        self.balances[client].whole += bonus.points
        self.entries.add_for_item(
            client, "bonus", bonus.item, 0, issued(bonus.item), available(client), bonus.points, bonus.value_on,
            max(bonus.value_on, cause.day), cause.id, bonus.expires_on, bonus.policy,
        )  # fmt: skip

    def _post_own(self, trade: Trade, rate: Rate, differing: Mapping[Part, int]) -> None:
        fresh = not trade.steps
        own = available(trade.client_id)
        parts = sorted(differing, key=lambda part: (part[0] != "gained", part[1]))
        for part in parts or [("gained", trade.trade_date)]:
            points = differing.get(part, 0)
            other = ISSUED if part[0] == "gained" else REVERSED
            debit, credit = (other, own) if points >= 0 else (own, other)
            self.add_for_trade(trade, rate, part, debit, credit, abs(points))
        trade.ends_on, trade.free = rate.expires_on, trade.free + sum(differing.values())
        trade.whole = fresh and len(parts) <= 1
        if not trade.whole:
            self.lots.append(
                LotRow(
                    trade.client_id, entry_id(trade.client_id, trade.trade_id, 0), trade.trade_date, rate.expires_on,
                    trade.free, trade.held, trade.expired, False,
                )
            )  # fmt: skip

    def add_for_trade(self, trade: Trade, rate: Rate, part: Part, debit: str, credit: str, points: int) -> None:
        """An entry of a trade."""
        sort, value_on = part
        kind: EntryKind = "reversed" if sort == "reversed" else "corrected" if trade.original else "accrued"
        cause = trade.cause or self.causes[trade.client_id]
        made = entry_id(trade.client_id, trade.trade_id, trade.steps)
        original = None if kind == "accrued" else trade.original or entry_id(trade.client_id, trade.trade_id, 0)
        base = trade.commission if sort == "gained" else trade.base
        expires_on = rate.expires_on if credit == available(trade.client_id) else None
        trade.steps += 1
        self.entries.add(
            (
                made, trade.client_id, kind, trade.trade_id, trade.steps - 1, debit, credit, points, expires_on,
                str(base), rate.tier, rate.multiplier, trade.trade_date, rate.policy, max(value_on, cause.day), cause.id,
                original, None, None if part == ("gained", trade.trade_date) else value_on,
            )
        )  # fmt: skip

    async def _fold(self, clients: Sequence[str], through: date) -> None:
        """Fold these clients from all that is known of them, and post what differs from what was posted [4.7a]."""
        # Lots that only an earlier fold knew (overdrawn, extended) are gone.
        await self.uow.sql.execute("DELETE FROM lots WHERE client_id = ANY($1::text[])", list(clients))
        for client, history in (await histories.read(self.uow.sql, clients, self.trades)).items():
            found = fold(history.items(partial(self.ranks.rate, client)), through)
            balance = self.balances[client]
            balance.available, balance.held, balance.debt = found.available, found.held, found.debt
            balance.used_on = found.used_on
            self._post_folded(client, history, found)
            self.lots += [
                LotRow(
                    client, lot.id, lot.value_on, lot.expires_on, lot.free, sum(lot.held.values()), lot.expired,
                    lot.extended,
                )
                for lot in found.lots.values()
            ]  # fmt: skip

    def _post_folded(self, client: str, history: History, found: Fold) -> None:
        cause = self.causes[client]
        for movement, points in history.differences(found):
            debit, credit = (movement.low, movement.high) if points > 0 else (movement.high, movement.low)
            if trade := history.trade(movement.subject):
                rate = self.ranks.rate(client, trade.trade_date)
                part: Part = ("reversed" if movement.kind == "reversed" else "gained", movement.value_on)
                self.add_for_trade(trade, rate, part, debit, credit, abs(points))
            else:
                step = history.steps[movement.subject]
                history.steps[movement.subject] += 1
                day = max(movement.value_on, cause.day)
                bonus = history.bonuses.get(movement.subject)
                ends_on = history.ends_on(movement.subject) if credit == available(client) else None
                self.entries.add_for_item(
                    client, movement.kind, movement.subject, step, debit, credit, abs(points), movement.value_on, day,
                    cause.id, ends_on, bonus.policy if bonus else None,
                )  # fmt: skip
        for trade in self.trades[client].values():
            if not trade.steps:
                rate = self.ranks.rate(client, trade.trade_date)
                self.add_for_trade(trade, rate, ("gained", trade.trade_date), ISSUED, available(client), 0)
