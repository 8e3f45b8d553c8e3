"""What the points ledger tells."""

from datetime import date
from typing import ClassVar, Literal

from contracts.base import Amount, DayClosed, Event
from contracts.broker import Name

TOPIC = "careline.points"

EntryKind = Literal["accrued", "reversed", "corrected", "bonus", "held", "spent", "released", "expired", "adjusted"]


class PointsPosted(Event, frozen=True, kw_only=True, gc=False):
    """An entry was posted to the ledger; `points` is signed as the client sees it, with two decimals [P1, P8]."""

    type: ClassVar[str] = "points.entry.posted"
    topic: ClassVar[str] = TOPIC

    entry_id: Name
    client_id: Name
    kind: EntryKind
    points: Amount
    posted_on: date
    trade_id: Name | None = None

    @property
    def identity(self) -> str:
        return self.entry_id


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """The points ledger has closed the business date."""

    type: ClassVar[str] = "points.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


EVENTS: list[type[Event]] = [PointsPosted, DayCompleted]
