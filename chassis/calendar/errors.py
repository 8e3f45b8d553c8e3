"""What the calendar refuses, and why."""

from datetime import date, datetime

from chassis.errors import Conflict, Invalid, Text


class CalendarEnds(Conflict):
    """The answer lies beyond the calendar's last day: publish the next year's days first."""

    title = Text("The calendar ends before that", "日历尚未覆盖该日期")

    def __init__(self, asked: str, last: date) -> None:
        super().__init__(
            Text(f"{asked} lies beyond the calendar, which ends on {last}", f"{asked} 超出日历范围，日历止于 {last}"),
            last_day=last.isoformat(),
        )
        self.last = last


class CalendarBegins(Conflict):
    """The answer lies before the calendar's first day."""

    title = Text("The calendar begins after that", "日历起始日晚于该日期")

    def __init__(self, asked: str, first: date) -> None:
        super().__init__(
            Text(
                f"{asked} lies before the calendar, which begins on {first}", f"{asked} 早于日历范围，日历始于 {first}"
            ),
            first_day=first.isoformat(),
        )
        self.first = first


class CalendarInvalid(Invalid):
    """The rows of a calendar leave a day without an answer, give one day two answers, or cannot be read."""

    title = Text("The calendar is not valid", "日历数据无效")

    def __init__(self, detail: Text, day: date | None = None) -> None:
        super().__init__(detail, day=None if day is None else day.isoformat())
        self.day = day


class InstantWithoutZone(Invalid):
    """An instant must carry its offset; 17:30 alone may mean eight hours more or less."""

    title = Text("The time has no zone", "时间缺少时区")

    def __init__(self, instant: datetime) -> None:
        super().__init__(Text(f"{instant.isoformat()} has no offset", f"{instant.isoformat()} 缺少时区偏移"))
