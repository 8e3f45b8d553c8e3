"""What the platform tells every service of itself: whose time it lives in, and the calendar."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from contracts.base import Event
from contracts.fields import BusinessDate, Instant, Positive, Text64, Text200, Text500

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


EVENTS: list[type[Event]] = [TimelineDecided, CalendarPublished, AccessRevoked]

TOLD_TO_EVERYBODY: tuple[type[Event], ...] = (TimelineDecided, CalendarPublished)
"""Heard by every service that hears anything."""
