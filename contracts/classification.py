"""What classification tells: classes, tiers, and that it is done with a day."""

from datetime import date
from typing import Annotated, ClassVar, Literal

import msgspec

from contracts.base import DayClosed, Event
from contracts.broker import Name

TOPIC = "careline.classification"

TierCode = Literal["NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND"]
TIERS: tuple[TierCode, ...] = ("NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND")
ClassCode = Literal["A+", "A", "B+", "B", "C", "C-", "D", "D-", "E", "F", "G"]


class ClassChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's class (客户分类) is `code` from `effective_on` on [K1, K2]; `previous` is empty for the first."""

    type: ClassVar[str] = "classification.class.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Name
    branch_id: Name
    revision: int
    effective_on: date
    code: ClassCode
    previous: ClassCode | None = None
    provisional: bool = False


class TierStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The effective tier (客户级别) from a day on, until the next stretch or `until` (exclusive)."""

    since: date
    tier: TierCode
    until: date | None = None


class TierChanged(Event, frozen=True, kw_only=True, gc=False):
    """The history of the effective tier from `changed_from` on is now `stretches` [T5, T7].

    A receiver replaces what it holds from `changed_from` on and ignores revisions it has passed.
    """

    type: ClassVar[str] = "classification.tier.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Name
    branch_id: Name
    revision: int
    changed_from: date
    previous: TierCode
    stretches: Annotated[list[TierStretch], msgspec.Meta(min_length=1)]
    reason: Literal["opened", "upgrade", "downgrade", "grant", "revocation", "correction"]


class TierDowngradeWarned(Event, frozen=True, kw_only=True, gc=False):
    """Notice of a grace period (宽限期): at its start, 30 and 7 days before its end [T4]."""

    type: ClassVar[str] = "classification.tier.downgrade_warned"
    topic: ClassVar[str] = TOPIC

    client_id: Name
    branch_id: Name
    tier: TierCode
    next_tier: TierCode
    grace_from: date
    steps_down_on: date
    days_left: int


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """Classification has closed the business date: its results of that date are out."""

    type: ClassVar[str] = "classification.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


EVENTS: list[type[Event]] = [ClassChanged, TierChanged, TierDowngradeWarned, DayCompleted]
