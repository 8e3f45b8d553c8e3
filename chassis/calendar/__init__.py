"""Natural, working and trading days with working hours; versions are values, arithmetic goes both ways."""

from chassis.calendar.calendar import Calendar, DayKind
from chassis.calendar.difference import ChangedDay, difference
from chassis.calendar.errors import CalendarBegins, CalendarEnds, CalendarInvalid, InstantWithoutZone
from chassis.calendar.hours import WorkingHours
from chassis.calendar.rows import CalendarRow, RowKind
from chassis.calendar.shipped import shipped
from chassis.calendar.table import Day

__all__ = [
    "Calendar",
    "CalendarBegins",
    "CalendarEnds",
    "CalendarInvalid",
    "CalendarRow",
    "ChangedDay",
    "Day",
    "DayKind",
    "InstantWithoutZone",
    "RowKind",
    "WorkingHours",
    "difference",
    "shipped",
]
