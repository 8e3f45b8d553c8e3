"""The sum behind a due, line by line: which days were counted or left out, which hours of which day were used."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from chassis.calendar import Calendar
from chassis.clock import business_date, end_of, start_of
from chassis.clocks.limits import (
    ONE_DAY,
    ZERO,
    Limit,
    Measure,
    NaturalDays,
    NaturalTime,
    Until,
    WorkingDays,
    WorkingTime,
)
from chassis.clocks.words import moment, span, weekday
from chassis.errors import Text


def sum_of_limit(limit: Limit, start: datetime, due: datetime, calendar: Calendar) -> Iterator[Text]:
    """From the start of a clock to its first due."""
    match limit:
        case WorkingDays():
            yield from _counted(business_date(limit.day_zero(start, calendar)), due, calendar)
        case NaturalDays(days=days):
            zero, last = business_date(start), business_date(start) + days * ONE_DAY
            yield Text(
                f"Day 0 is {zero}; {days} natural days later is {last}, to 24:00",
                f"{zero} 为第0日；{days} 个自然日后为 {last}，至 24:00",
            )
        case NaturalTime(amount=amount) | WorkingTime(amount=amount):
            yield from sum_of_time(limit.measure, start, amount, calendar)
        case Until(at=at):
            yield Text(f"The time given is {moment(at, True)}", f"指定时间为 {moment(at, True)}")


def sum_of_time(measure: Measure, start: datetime, amount: timedelta, calendar: Calendar) -> Iterator[Text]:
    """From an instant to so much time later: one line per working day used, days off named."""
    end = measure.add(start, amount, calendar)
    if measure is Measure.NATURAL:
        yield Text(
            f"{moment(start)} + {span(amount).en} = {moment(end)}",
            f"{moment(start)} 加 {span(amount).zh} 为 {moment(end)}",
        )
        return
    used = ZERO
    for day, last in _stretches(business_date(start), business_date(end - timedelta.resolution), calendar):
        begin, finish = max(start, start_of(day)), min(end, end_of(last))
        worked = calendar.working_time_between(begin, finish)
        used += worked
        if not calendar.is_working_day(day):
            yield _left_out(day, last, calendar)
        elif worked:
            named, so_far, needed = _named(day, calendar), span(used), span(amount)
            yield Text(
                f"{named.en}: {span(worked).en} of working time, together {so_far.en} of {needed.en}",
                f"{named.zh}：工作时间 {span(worked).zh}，累计 {so_far.zh}，共需 {needed.zh}",
            )
    yield Text(f"This ends at {moment(end)}", f"至 {moment(end)} 届满")


def rounding(limit: Limit, raw: datetime, due: datetime) -> Iterator[Text]:
    """The line that says how a limit in days was rounded up, if it was [C27]."""
    if raw != due:
        what = ("the working day", "该工作日") if limit.measure is Measure.WORKING else ("the day", "当日")
        yield Text(
            f"Rounded up to the end of {what[0]}: {moment(due, True)}", f"顺延至{what[1]}结束：{moment(due, True)}"
        )


def _counted(zero: date, due: datetime, calendar: Calendar) -> Iterator[Text]:
    yield Text(f"Day 0 is {weekday(zero).en}", f"{weekday(zero).zh}为第0日，不计入")
    number = 0
    for day, last in _stretches(zero + ONE_DAY, business_date(due), calendar):
        if not calendar.is_working_day(day):
            yield _left_out(day, last, calendar)
            continue
        number += 1
        named = _named(day, calendar)
        yield Text(f"Working day {number}: {named.en}", f"第{number}个工作日：{named.zh}")
    yield Text(f"The limit ends at {moment(due)}", f"时限至 {moment(due)} 届满")


def _named(day: date, calendar: Calendar) -> Text:
    """A working day, with its name when it is a make-up workday."""
    shown, name = weekday(day), calendar.day(day).name
    return Text(f"{shown.en}, {name.en}", f"{shown.zh}，{name.zh}") if name.en or name.zh else shown


def _left_out(day: date, last: date, calendar: Calendar) -> Text:
    name, to = calendar.day(day).name, last != day
    return Text(
        f"{day}{f' to {last}' if to else ''}: {name.en}, not counted",
        f"{day}{f' 至 {last}' if to else ''}：{name.zh}，不计入",
    )


def _stretches(first: date, last: date, calendar: Calendar) -> Iterator[tuple[date, date]]:
    """Working days one by one; neighbouring days off of one name together."""
    day = first
    while day <= last:
        end = day
        if not calendar.is_working_day(day):
            while end < last and _same_day_off(day, end + ONE_DAY, calendar):
                end += ONE_DAY
        yield day, end
        day = end + ONE_DAY


def _same_day_off(day: date, other: date, calendar: Calendar) -> bool:
    return not calendar.is_working_day(other) and calendar.day(other).name == calendar.day(day).name
