"""What the points ledger tells."""

from datetime import datetime
from typing import ClassVar, Literal

from contracts import platform
from contracts.base import DayClosed, Event
from contracts.classification import TierCode
from contracts.fields import Amount, BusinessDate, Code, Count, Id, Identifier, Instant, Month, Positive, Quantity

TOPIC = "careline.points"

EntryKind = Literal["accrued", "reversed", "corrected", "bonus", "held", "spent", "released", "expired", "adjusted"]


class PointsPosted(Event, frozen=True, kw_only=True, gc=False):
    """An entry was posted to the ledger; `points` is signed as the client sees it, with two decimals [P1, P8].

    `posted_on` is the business date of its cause, `value_on` the day it counts from (posted_on where not said);
    `expires_on` the end of the lot it made; `original` the entry that it corrects or takes back.
    """

    type: ClassVar[str] = "points.entry.posted"
    topic: ClassVar[str] = TOPIC

    entry_id: Identifier
    client_id: Identifier
    kind: EntryKind
    points: Amount
    posted_on: BusinessDate
    trade_id: Identifier | None = None
    value_on: BusinessDate | None = None
    expires_on: BusinessDate | None = None
    original: Code | None = None

    @property
    def identity(self) -> str:
        return self.entry_id


class UpgradeApproved(Event, frozen=True, kw_only=True, gc=False):
    """An application for the next tier (申请升级) was approved: classification grants it for these days [P4, T5]."""

    type: ClassVar[str] = "points.upgrade.approved"
    topic: ClassVar[str] = TOPIC

    application_id: Id
    client_id: Identifier
    tier: TierCode
    since: BusinessDate
    until: BusinessDate
    mode: Literal["SPEND", "QUALIFY"]

    @property
    def identity(self) -> str:
        return str(self.application_id)


class RedemptionEvent(Event, frozen=True, kw_only=True, gc=False):
    """A word about one redemption (兑换) of points for a reward of the white list [P5, P9]."""

    topic: ClassVar[str] = TOPIC

    redemption_id: Id
    client_id: Identifier
    reward: Code
    quantity: Positive
    points: Quantity
    at: Instant

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

    client_id: Identifier
    month: Month
    points: Quantity
    days_left: Count

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


class ErasureAnswered(platform.ErasureAnswered, frozen=True, kw_only=True, gc=False):
    """Whether anything here still keeps a client from being erased."""

    type: ClassVar[str] = "points.erasure.answered"


EVENTS: list[type[Event]] = [
    ErasureAnswered,
    PointsPosted,
    UpgradeApproved,
    RedemptionRequested,
    RedemptionSettled,
    RedemptionCancelled,
    LotsExpiring,
    DayCompleted,
]
