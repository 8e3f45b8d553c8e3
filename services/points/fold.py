"""The points of one client as a fold of facts and accepted acts [P1 to P8, 4.7a]. Points are integers in hundredths.

Items are taken by value date and instant; lots end at the close of their day. Every step is a transfer between two
accounts, so what a client has, holds and owes is what the transfers say. What an accepted act lacks, because a fact
heard later left too little, becomes debt: the act stands. `used_on` of a fold is the last day whose items touched other
lots than their own, or debt: facts that count from a later day can be posted without folding again.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from typing import Literal, NamedTuple

Account = Literal["available", "held", "debt", "issued", "reversed", "expired", "redeemed", "adjusted"]
"""Of the client (the first three) or of the firm [P8]."""
Kind = Literal["accrued", "bonus", "corrected", "reversed", "held", "released", "spent", "expired", "adjusted"]
Place = tuple[date, date, str]
"""In the spending order: earliest expiry, then earliest value date, then id [P6]."""


class Gain(NamedTuple):
    """Points that make a lot: an accrual, a bonus, a positive adjustment. They expire at the close of `expires_on`."""

    id: str
    value_on: date
    at: datetime
    points: int
    expires_on: date
    kind: Literal["accrued", "bonus", "adjusted"] = "accrued"


class ClawBack(NamedTuple):
    """So many points of a gain are taken back."""

    id: str
    value_on: date
    at: datetime
    points: int
    of: str


class Hold(NamedTuple):
    """An accepted application or redemption keeps points."""

    id: str
    value_on: date
    at: datetime
    points: int


class Settlement(NamedTuple):
    """A hold ends: its points are spent, or given back because it was refused, ran out or was withdrawn."""

    id: str
    value_on: date
    at: datetime
    hold: str
    outcome: Literal["spent", "refused", "withdrawn"]


class TakenOut(NamedTuple):
    """A negative adjustment that was accepted."""

    id: str
    value_on: date
    at: datetime
    points: int


Item = Gain | ClawBack | Hold | Settlement | TakenOut


class Transfer(NamedTuple):
    """Points of a lot (none where they only move debt) that went from one account to another, because of an item."""

    kind: Kind
    value_on: date
    item: str
    lot: str | None
    debit: Account
    credit: Account
    points: int


@dataclass(slots=True)
class Lot:
    """Points that expire together: `free` to spend, `held` by hold, `expired` so far."""

    id: str
    value_on: date
    expires_on: date
    free: int = 0
    held: dict[str, int] = field(default_factory=dict)
    expired: int = 0
    extended: bool = False

    @property
    def place(self) -> Place:
        return self.expires_on, self.value_on, self.id

    @property
    def remaining(self) -> int:
        """What is left of it, held points too."""
        return self.free + sum(self.held.values())


class Fold:
    """What a client has after items: lots by id, debt, and the transfers that led there."""

    def __init__(self, extension_days: int) -> None:
        self.extension = timedelta(days=extension_days)
        self.lots: dict[str, Lot] = {}
        self.available = self.held = self.debt = 0
        self.used_on = date.min
        self.transfers: list[Transfer] = []
        self._order: list[tuple[Place, Lot]] = []
        self._ends: list[tuple[date, Place]] = []
        self._parts: dict[str, list[Lot]] = {}

    def apply(self, item: Item) -> None:
        """The next item; lots that ended before its day have expired."""
        match item:
            case Gain():
                lot = self._open(Lot(item.id, item.value_on, item.expires_on), item.value_on)
                repaid = min(item.points, self.debt)
                self._use(item, repaid)
                self._move(item.kind, item, None, "issued", "debt", repaid)
                self._move(item.kind, item, lot, "issued", "available", item.points - repaid)
            case ClawBack():
                self._claw_back(item)
            case Hold():
                self._hold(item)
            case Settlement(outcome="spent"):  # which lots it takes was settled by its hold
                for lot in self._parts.pop(item.hold, []):
                    self._move("spent", item, lot, "held", "redeemed", lot.held.pop(item.hold))
            case Settlement():
                self._release(item)
            case TakenOut():
                self._take("adjusted", item, "adjusted", item.points)

    def expire(self, before: date) -> None:
        """What is free of lots that ended before a day expires, by their value date; held points do not [P6]."""
        while self._ends and self._ends[0][0] < before:
            _, place = heappop(self._ends)
            lot = self.lots[place[-1]]
            self._expire(lot, lot.id, lot.expires_on, "available", lot.free)

    def _claw_back(self, item: ClawBack) -> None:
        """From its own lot, from what of that has expired, from other lots, from nothing [P7]."""
        own = self.lots[item.of]
        from_own = min(own.free, item.points)
        self._move("reversed", item, own, "available", "reversed", from_own)
        unused = min(own.expired, item.points - from_own)
        if unused:
            own.expired -= unused
            self._record("expired", own.expires_on, own.id, own.id, "expired", "available", unused)
            self._record("reversed", item.value_on, item.id, own.id, "available", "reversed", unused)
        self._take("reversed", item, "reversed", item.points - from_own - unused)

    def _use(self, item: Item, points: int = 1) -> None:
        """Some lot other than the item's own, or debt, is what it is because of this item: what counts from its day or an
        earlier one, and is heard later, may change that."""
        if points:
            self.used_on = max(self.used_on, item.value_on)

    def _hold(self, item: Hold) -> None:
        self._use(item)
        parts = self._parts[item.id] = []
        lacking = item.points
        for lot in self._usable(item.value_on):
            part = min(lot.free, lacking)
            if not part:
                break
            self._keep(item, lot, "available", part)
            parts.append(lot)
            lacking -= part
        if lacking:  # an overdrawn part ends on the day of its hold
            lot = self._open(Lot(f"{item.id}/overdrawn", item.value_on, item.value_on), item.value_on)
            self._keep(item, lot, "debt", lacking)
            parts.append(lot)

    def _keep(self, item: Hold, lot: Lot, debit: Account, points: int) -> None:
        self._move("held", item, lot, debit, "held", points)
        lot.held[item.id] = points

    def _release(self, item: Settlement) -> None:
        """Debt is repaid first; of lots past their end the rest gets one extension, or expires if it had one or the
        client withdrew."""
        self._use(item)
        for lot in sorted(self._parts.pop(item.hold, []), key=lambda part: part.place):
            part = lot.held.pop(item.hold)
            repaid = min(part, self.debt)
            self._move("released", item, None, "held", "debt", repaid)
            part -= repaid
            if lot.expires_on >= item.value_on:
                self._move("released", item, lot, "held", "available", part)
            elif item.outcome == "withdrawn" or lot.extended:
                self._expire(lot, item.id, item.value_on, "held", part)
            elif part:
                name = f"{lot.id}/extended/{item.id}"
                longer = Lot(name, lot.value_on, item.value_on + self.extension, extended=True)
                self._move("released", item, self._open(longer, item.value_on), "held", "available", part)

    def _take(self, kind: Kind, item: Item, sink: Account, points: int) -> None:
        """Points out of lots in spending order; what they lack becomes debt."""
        self._use(item, points)
        for lot in self._usable(item.value_on):
            part = min(lot.free, points)
            if not part:
                break
            self._move(kind, item, lot, "available", sink, part)
            points -= part
        self._move(kind, item, None, "debt", sink, points)

    def _usable(self, day: date) -> Iterator[Lot]:
        """Lots that can be used on a day, in spending order; those used up fall out of the order."""
        start = bisect_left(self._order, (day, date.min, ""), key=lambda entry: entry[0])
        self._order[start:] = [entry for entry in self._order[start:] if entry[1].remaining]
        return (lot for _, lot in self._order[start:] if lot.free)

    def _open(self, lot: Lot, day: date) -> Lot:
        self.lots[lot.id] = lot
        insort(self._order, (lot.place, lot), key=lambda entry: entry[0])
        heappush(self._ends, (max(lot.expires_on, day), lot.place))
        return lot

    def _expire(self, lot: Lot, item: str, day: date, account: Account, points: int) -> None:
        lot.expired += points
        if account == "available":
            lot.free -= points
        self._record("expired", day, item, lot.id, account, "expired", points)

    def _move(self, kind: Kind, item: Item, lot: Lot | None, debit: Account, credit: Account, points: int) -> None:
        if lot is not None:
            lot.free += points * ((credit == "available") - (debit == "available"))
        self._record(kind, item.value_on, item.id, lot.id if lot else None, debit, credit, points)

    def _record(
        self, kind: Kind, day: date, item: str, lot: str | None, debit: Account, credit: Account, points: int
    ) -> None:
        if not points:
            return
        self.available += points * ((credit == "available") - (debit == "available"))
        self.held += points * ((credit == "held") - (debit == "held"))
        self.debt += points * ((debit == "debt") - (credit == "debt"))
        self.transfers.append(Transfer(kind, day, item, lot, debit, credit, points))


def fold(items: Iterable[Item], through: date, extension_days: int = 30) -> Fold:
    """All items, whenever they come, and the expiries up to the closed day `through`.

    An item uses lots by its own date, whether the days before it are closed or not.
    """
    given = list(items)
    gains = {item.id: item for item in given if isinstance(item, Gain)}
    state, after = Fold(extension_days), through + timedelta(days=1)
    for item in sorted(given, key=lambda one: _when(one, gains)):
        state.expire(min(item.value_on, after))
        state.apply(item)
    state.expire(after)
    return state


def _when(item: Item, gains: dict[str, Gain]) -> tuple[date, datetime, str, str]:
    """The place of an item in the fold; a claw-back follows its gain."""
    if not isinstance(item, ClawBack):
        return item.value_on, item.at, item.id, ""
    gain = gains[item.of]
    place = max(item.value_on, gain.value_on), max(item.at, gain.at)
    if place == (gain.value_on, gain.at):
        return *place, gain.id, item.id
    return *place, item.id, ""
