"""When one may call, and when again [B20]: windows, the edges of trading, caps, the client's own wish."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from chassis.calendar import Calendar
from chassis.clock import SHANGHAI, business_date, start_of
from chassis.errors import Text
from services.callbacks.policy import Calling

ONE_DAY = timedelta(days=1)
LONGEST_SEARCH_DAYS = 60


def wall_clock(instant: datetime) -> time:
    """The time of day in Shanghai."""
    return instant.astimezone(SHANGHAI).time()


def minutes(at: time) -> timedelta:
    """A wall-clock time as time since midnight; the end of the day is 24 hours."""
    if at == time.max:
        return ONE_DAY
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)


def open_spans(day: date, calling: Calling, calendar: Calendar) -> list[tuple[datetime, datetime]]:
    """The times of a day when one may call: windows of working days, less the first and last minutes of trading."""
    if not calendar.is_working_day(day):
        return []
    midnight = start_of(day)
    spans = [(midnight + minutes(start), midnight + minutes(end)) for start, end in calling.windows]
    if not calendar.is_trading_day(day):
        return spans
    edge = timedelta(minutes=calling.trading_edge_minutes)
    opening = midnight + minutes(calling.trading_sessions[0][0])
    closing = midnight + minutes(calling.trading_sessions[-1][1])
    for start, end in ((opening, opening + edge), (closing - edge, closing)):
        spans = [part for span in spans for part in _without(span, start, end)]
    return spans


def _without(span: tuple[datetime, datetime], start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    before, after = (span[0], min(span[1], start)), (max(span[0], end), span[1])
    return [part for part in (before, after) if part[0] < part[1]]


def may_call(at: datetime, calling: Calling, calendar: Calendar) -> bool:
    """Whether one may call at an instant without the client having asked for it."""
    return any(start <= at < end for start, end in open_spans(business_date(at), calling, calendar))


def next_opening(at: datetime, calling: Calling, calendar: Calendar) -> datetime:
    """The instant itself when one may call then, else the next one at which one may."""
    day = business_date(at)
    for ahead in range(LONGEST_SEARCH_DAYS):
        for start, end in open_spans(day + ahead * ONE_DAY, calling, calendar):
            if at < end:
                return max(at, start)
    raise ValueError(f"no calling window within {LONGEST_SEARCH_DAYS} days of {at.isoformat()}")


@dataclass(frozen=True, slots=True)
class Retry:
    """What follows an attempt nobody answered: the next time, or the end of trying, with the reason in words."""

    at: datetime | None
    why: Text


def counted(tried: Sequence[datetime], calling: Calling) -> list[datetime]:
    """The attempts that count [B20], of these in order: each at least the gap after the last one that counts."""
    found: list[datetime] = []
    for at in tried:
        if not found or at - found[-1] >= timedelta(hours=calling.gap_hours):
            found.append(at)
    return found


def next_attempt(tried: Sequence[datetime], calling: Calling, calendar: Calendar) -> Retry:
    """When to try again after these attempts, in order [B20].

    Trying ends only when attempts, days and parts of the day asked for are all reached by attempts that count. Until
    then: at least the gap later, inside a window, and a day or part already used is passed over when there are no
    attempts to spare.
    """
    known = counted(tried, calling)
    days = {business_date(at) for at in known}
    parts = {calling.day_part(wall_clock(at)) for at in known}
    missing_days, missing_parts = calling.on_days - len(days), calling.in_day_parts - len(parts)
    left = max(calling.attempts - len(known), missing_days, missing_parts)
    if left <= 0:
        return Retry(None, Text(f"{len(known)} attempts were made", f"已尝试 {len(known)} 次"))
    new_day, new_part = missing_days >= left, missing_parts >= left
    at = next_opening(tried[-1] + timedelta(hours=calling.gap_hours), calling, calendar)
    for _ in range(LONGEST_SEARCH_DAYS * 8):
        if new_day and business_date(at) in days:
            at = next_opening(start_of(business_date(at) + ONE_DAY), calling, calendar)
        elif new_part and calling.day_part(wall_clock(at)) in parts:
            at = next_opening(_end_of_part(at, calling), calling, calendar)
        else:
            break
    number = len(known) + 1
    why = [f"attempt {number} of {calling.attempts}, {calling.gap_hours} h after the last at the earliest"]
    zh = [f"第 {number}/{calling.attempts} 次，距上次至少 {calling.gap_hours} 小时"]
    if new_day:
        why.append(f"on another day: {calling.on_days} days are asked for")
        zh.append(f"须换日：要求 {calling.on_days} 天")
    if new_part:
        why.append(f"in another part of the day: {calling.in_day_parts} are asked for")
        zh.append(f"须换时段：要求 {calling.in_day_parts} 个时段")
    return Retry(at, Text("; ".join(why), "；".join(zh)))


def _end_of_part(at: datetime, calling: Calling) -> datetime:
    _, end = calling.day_parts[calling.day_part(wall_clock(at))]
    return start_of(business_date(at)) + minutes(end)


def capped_until(contacts: Sequence[datetime], now: datetime, calling: Calling) -> datetime | None:
    """Until when a client is to be left alone: so many contacts in so many days are the most. None: call."""
    span = timedelta(days=calling.cap_days)
    recent = sorted(at for at in contacts if now - span < at <= now)
    if len(recent) < calling.cap_count:
        return None
    return recent[len(recent) - calling.cap_count] + span
