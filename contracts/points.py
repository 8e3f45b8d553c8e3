"""What the points ledger tells."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec

from contracts.base import Amount, DayClosed, Event, Quantity
from contracts.broker import Name
from contracts.classification import TierCode

TOPIC = "careline.points"

EntryKind = Literal["accrued", "reversed", "corrected", "bonus", "held", "spent", "released", "expired", "adjusted"]


class PointsPosted(Event, frozen=True, kw_only=True, gc=False):
    """An entry was posted to the ledger; `points` is signed as the client sees it, with two decimals [P1, P8].

    `posted_on` is the business date of its cause, `value_on` the day it counts from (posted_on where not said);
    `expires_on` the end of the lot it made; `original` the entry that it corrects or takes back.
    """

    type: ClassVar[str] = "points.entry.posted"
    topic: ClassVar[str] = TOPIC

    entry_id: Name
    client_id: Name
    kind: EntryKind
    points: Amount
    posted_on: date
    trade_id: Name | None = None
    value_on: date | None = None
    expires_on: date | None = None
    original: Name | None = None

    @property
    def identity(self) -> str:
        return self.entry_id


class UpgradeApproved(Event, frozen=True, kw_only=True, gc=False):
    """An application for the next tier (申请升级) was approved: classification grants it for these days [P4, T5]."""

    type: ClassVar[str] = "points.upgrade.approved"
    topic: ClassVar[str] = TOPIC

    application_id: UUID
    client_id: Name
    tier: TierCode
    since: date
    until: date
    mode: Literal["SPEND", "QUALIFY"]

    @property
    def identity(self) -> str:
        return str(self.application_id)


class RedemptionEvent(Event, frozen=True, kw_only=True, gc=False):
    """A word about one redemption (兑换) of points for a reward of the white list [P5, P9]."""

    topic: ClassVar[str] = TOPIC

    redemption_id: UUID
    client_id: Name
    reward: Name
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    points: Quantity
    at: datetime

    @property
    def identity(self) -> str:
        return str(self.redemption_id)

    @property
    def happened_at(self) -> datetime:
        return self.at


class RedemptionRequested(RedemptionEvent, frozen=True, kw_only=True, gc=False):
    """Points are held for a reward: products delivers it or refuses. Asked again until answered, with the same id."""

    type: ClassVar[str] = "points.redemption.requested"


class RedemptionSettled(RedemptionEvent, frozen=True, kw_only=True, gc=False):
    """The held points are spent: the reward was delivered."""

    type: ClassVar[str] = "points.redemption.settled"


class RedemptionCancelled(RedemptionEvent, frozen=True, kw_only=True, gc=False):
    """The client takes the redemption back: products ends what it delivered, or says that it cannot."""

    type: ClassVar[str] = "points.redemption.cancelled"


class LotsExpiring(Event, frozen=True, kw_only=True, gc=False):
    """So many points expire at the end of `month`: told 60, 30 and 7 days ahead, once a client and month."""

    type: ClassVar[str] = "points.lots.expiring"
    topic: ClassVar[str] = TOPIC

    client_id: Name
    month: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}$")]
    points: Quantity
    days_left: int

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.month}/{self.days_left}"


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """The points ledger has closed the business date."""

    type: ClassVar[str] = "points.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


EVENTS: list[type[Event]] = [
    PointsPosted,
    UpgradeApproved,
    RedemptionRequested,
    RedemptionSettled,
    RedemptionCancelled,
    LotsExpiring,
    DayCompleted,
]
