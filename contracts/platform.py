"""What the platform tells every service of itself: whose time it lives in, and the calendar."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from contracts.base import Event
from contracts.fields import BusinessDate, Id, Identifier, Instant, Positive, Text64, Text200, Text500

TOPIC = "careline.platform"


class TimelineDecided(Event, frozen=True, kw_only=True, gc=False):
    """Which time this home lives in, once and for ever: `real`, or `simulated` by a replay.

    Written to every partition of every broker topic before the first business fact, so that whoever reads a fact
    knows by then.
    """

    type: ClassVar[str] = "platform.timeline.decided"
    topic: ClassVar[str] = TOPIC

    timeline: Literal["real", "simulated"]
    decided_at: Instant

    @property
    def key(self) -> str:
        return "platform"

    @property
    def identity(self) -> str:
        return self.timeline

    @property
    def happened_at(self) -> datetime:
        return self.decided_at


class CalendarDay(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One row of a calendar as published notices state it (see `chassis.calendar.CalendarRow`)."""

    first: BusinessDate
    last: BusinessDate
    kind: Literal["notice", "holiday", "make_up", "exchange_closed", "service"]
    name_zh: Text200 = ""
    name_en: Text200 = ""
    source: Text500 = ""


class CalendarPublished(Event, frozen=True, kw_only=True, gc=False):
    """A new version of the calendar (日历) is in force for every clock that runs. The highest number wins."""

    type: ClassVar[str] = "platform.calendar.published"
    topic: ClassVar[str] = TOPIC

    number: Positive
    rows: tuple[CalendarDay, ...]
    hours: tuple[tuple[Text64, Text64], ...] = ()
    published_at: Instant
    published_by: Text200
    checked_by: Text200

    @property
    def key(self) -> str:
        return "platform"

    @property
    def identity(self) -> str:
        return str(self.number)

    @property
    def happened_at(self) -> datetime:
        return self.published_at


class AccessRevoked(Event, frozen=True, kw_only=True, gc=False):
    """A person's access ended: one session or token of theirs, or (none named) everything issued before `at`."""

    type: ClassVar[str] = "platform.access.revoked"
    topic: ClassVar[str] = TOPIC

    person: Text200
    session: Text200 | None = None
    at: Instant

    @property
    def key(self) -> str:
        return self.person

    @property
    def happened_at(self) -> datetime:
        return self.at


class ErasureRequested(Event, frozen=True, kw_only=True, gc=False):
    """A client is to be erased (删除权): nothing of theirs may be read from now on, and every service answers whether
    its retention is over and no hold stands against it. `round` counts how often it was asked."""

    type: ClassVar[str] = "platform.erasure.requested"
    topic: ClassVar[str] = TOPIC

    erasure_id: Id
    client_id: Identifier
    round: Positive = 1
    requested_at: Instant

    @property
    def identity(self) -> str:
        return f"{self.erasure_id}/{self.round}"

    @property
    def happened_at(self) -> datetime:
        return self.requested_at


class ErasureAnswered(Event, frozen=True, kw_only=True, gc=False):
    """A service's answer to `platform.erasure.requested`: `over`, or kept until a date or for a reason."""

    topic: ClassVar[str] = "careline.erasures"

    erasure_id: Id
    client_id: Identifier
    round: Positive = 1
    over: bool
    reason: Text200 = ""
    kept_until: BusinessDate | None = None
    owners: list[Text200] = msgspec.field(default_factory=list)
    """Whose keys go with the client's: of their cases and the like (`case:ID`)."""
    answered_at: Instant

    @property
    def identity(self) -> str:
        return f"{self.erasure_id}/{self.round}"

    @property
    def happened_at(self) -> datetime:
        return self.answered_at


EVENTS: list[type[Event]] = [TimelineDecided, CalendarPublished, AccessRevoked, ErasureRequested]

TOLD_TO_EVERYBODY: tuple[type[Event], ...] = (TimelineDecided, CalendarPublished)
"""Heard by every service that hears anything."""
