"""The points of one client as a fold [P1 to P8, rules 4.7a]: slow, plain, written from the rule's text alone.

Items are folded in the order (value date; gains, claw-backs and acts by instant, then expiry; id). Points are integers
in hundredths. Choices where the texts are silent:

- What an accepted act lacks when a late fact leaves too little becomes debt; the act keeps what it took: a hold then
  also holds an overdrawn part. That part has an end of its own, the hold's day, so that a release which finds the debt
  repaid by then returns it like any lot past its expiry.
- A release repays debt out of the hold's parts in spending order before anything returns to lots.
- A claw-back of the same instant or stamped before its gain follows it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

EXTENSION_DAYS = 30


@dataclass(frozen=True)
class Gain:
    """Points gained: a trade's accrual, a bonus, a positive adjustment. They expire at the close of `expires_on`."""

    id: str
    value_on: date
    at: datetime
    points: int
    expires_on: date
    kind: Literal["accrued", "bonus", "adjusted"] = "accrued"


@dataclass(frozen=True)
class ClawBack:
    """So many points of a gain are taken back."""

    id: str
    value_on: date
    at: datetime
    points: int
    of: str


@dataclass(frozen=True)
class Hold:
    """An accepted application or redemption keeps points."""

    id: str
    value_on: date
    at: datetime
    points: int


@dataclass(frozen=True)
class Release:
    """A hold ends without being spent: refused or void, or withdrawn by the client."""

    id: str
    value_on: date
    at: datetime
    hold: str
    withdrawn: bool = False


@dataclass(frozen=True)
class Spend:
    """A hold is spent."""

    id: str
    value_on: date
    at: datetime
    hold: str


@dataclass(frozen=True)
class AdjustDown:
    """A negative adjustment that was accepted."""

    id: str
    value_on: date
    at: datetime
    points: int


Item = Gain | ClawBack | Hold | Release | Spend | AdjustDown


@dataclass
class Lot:
    """Points that expire together; `held` by hold id is part of `remaining`."""

    id: str
    value_on: date
    expires_on: date
    remaining: int
    held: dict[str, int] = field(default_factory=dict)
    extended: bool = False
    expired: int = 0

    @property
    def free(self) -> int:
        """What no hold keeps."""
        return self.remaining - sum(self.held.values())

    @property
    def place(self) -> tuple[date, date, str]:
        """The place in the spending order."""
        return self.expires_on, self.value_on, self.id


@dataclass
class State:
    """What a client has; `posted` are signed points by (kind, value date, item), as `available - debt` moved."""

    lots: dict[str, Lot] = field(default_factory=dict)
    debt: int = 0
    posted: list[tuple[str, date, str, int]] = field(default_factory=list)

    @property
    def held(self) -> int:
        return sum(sum(lot.held.values()) for lot in self.lots.values())

    @property
    def available(self) -> int:
        return sum(lot.free for lot in self.lots.values())

    @property
    def balance(self) -> int:
        """Available and held less debt: earned less spent, expired, reversed and adjusted out."""
        return self.available + self.held - self.debt


def fold(items: Iterable[Item], as_of: date) -> State:
    """The state at the close of `as_of`: everything dated up to it, in order, and every expiry up to it."""
    due = [item for item in items if item.value_on <= as_of]
    gained_at = {item.id: item.at for item in due if isinstance(item, Gain)}
    due.sort(key=lambda i: (i.value_on, max(i.at, gained_at[i.of]) if isinstance(i, ClawBack) else i.at, i.id))
    state, at = State(), 0
    while True:
        ends = [lot.expires_on for lot in state.lots.values() if lot.free > 0 and lot.expires_on <= as_of]
        days = ends + ([due[at].value_on] if at < len(due) else [])
        if not days:
            return state
        # A lot heard of late ends on its own day, which may lie before the day that is folded: it ends all the same.
        day = min(days)
        while at < len(due) and due[at].value_on <= day:
            _apply(state, due[at])
            at += 1
        _expire(state, day)


def _expire(state: State, day: date) -> None:
    for lot in sorted(state.lots.values(), key=lambda one: one.place):
        if lot.expires_on <= day and lot.free > 0:
            gone = lot.free
            lot.remaining -= gone
            lot.expired += gone
            state.posted.append(("expired", lot.expires_on, lot.id, -gone))


def _apply(state: State, item: Item) -> None:
    match item:
        case Gain():
            _gain(state, item)
        case ClawBack():
            _claw_back(state, item)
        case Hold():
            _hold(state, item)
        case AdjustDown():
            state.debt += item.points - sum(taken for _, taken in _take(state, item.points, item.value_on))
            state.posted.append(("adjusted", item.value_on, item.id, -item.points))
        case Spend():
            spent = 0
            for lot in state.lots.values():
                part = lot.held.pop(item.hold, 0)
                lot.remaining -= part
                spent += part
            state.posted.append(("spent", item.value_on, item.id, -spent))
        case Release():
            _release(state, item)


def _gain(state: State, gain: Gain) -> None:
    repaid = min(gain.points, state.debt)
    state.debt -= repaid
    state.lots[gain.id] = Lot(gain.id, gain.value_on, gain.expires_on, gain.points - repaid)
    state.posted.append((gain.kind, gain.value_on, gain.id, gain.points))


def _usable(state: State, day: date) -> list[Lot]:
    return sorted((lot for lot in state.lots.values() if lot.expires_on >= day and lot.free > 0), key=lambda x: x.place)


def _take(state: State, points: int, day: date) -> list[tuple[Lot, int]]:
    """Points out of lots in spending order: earliest expiry, then earliest value date, then id."""
    parts = []
    for lot in _usable(state, day):
        taken = min(lot.free, points)
        lot.remaining -= taken
        points -= taken
        parts.append((lot, taken))
    return parts


def _claw_back(state: State, item: ClawBack) -> None:
    wanted = item.points
    own = state.lots[item.of]
    from_own = min(own.free, wanted)
    own.remaining -= from_own
    wanted -= from_own
    from_expired = min(own.expired, wanted)
    if from_expired:
        own.expired -= from_expired
        state.posted.append(("expired", own.expires_on, own.id, from_expired))
        wanted -= from_expired
    wanted -= sum(taken for _, taken in _take(state, wanted, item.value_on))
    state.debt += wanted
    state.posted.append(("reversed", item.value_on, item.id, -item.points))


def _hold(state: State, item: Hold) -> None:
    lacking = item.points
    for lot in _usable(state, item.value_on):
        part = min(lot.free, lacking)
        if part:
            lot.held[item.id] = part
            lacking -= part
    if lacking:
        overdrawn = Lot(f"{item.id}/overdrawn", item.value_on, item.value_on, lacking, {item.id: lacking})
        state.lots[overdrawn.id] = overdrawn
        state.debt += lacking


def _release(state: State, item: Release) -> None:
    for lot in sorted(state.lots.values(), key=lambda one: one.place):
        part = lot.held.pop(item.hold, 0)
        repaid = min(part, state.debt)
        state.debt -= repaid
        lot.remaining -= repaid
        part -= repaid
        if not part or lot.expires_on >= item.value_on:
            continue
        lot.remaining -= part
        if item.withdrawn or lot.extended:
            lot.expired += part
            state.posted.append(("expired", item.value_on, lot.id, -part))
        else:
            last = item.value_on + timedelta(days=EXTENSION_DAYS)
            name = f"{lot.id}/extended/{item.id}"
            state.lots[name] = Lot(name, lot.value_on, last, part, extended=True)
