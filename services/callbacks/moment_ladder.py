"""The ladder of a mandatory moment that nobody has seen to: who is told when, step by step [A21]."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import asyncpg
from msgspec.structs import replace

from chassis.calendar import Calendar, CalendarEnds
from chassis.clock import business_date, end_of
from chassis.deadlines import Deadline, Due
from services.callbacks.policy import LadderStep, Policies

MOMENT = "moment_overdue"
"""The kind of these deadlines."""


def step_at(step: LadderStep, due: datetime, urgent: bool, calendar: Calendar) -> datetime:
    """When a step of the ladder is told, if the moment is still open then."""
    if urgent:
        return due + timedelta(minutes=step.urgent_minutes)
    return end_of(working_days_after(business_date(due - timedelta(microseconds=1)), step.working_days, calendar))


def working_days_after(day: date, count: int, calendar: Calendar) -> date:
    """So many working days later; past the end of the calendar, before next year's holidays are known, by weeks of five."""
    try:
        return calendar.add_days(day, count)
    except CalendarEnds:
        return day + timedelta(days=-(-count * 7 // 5))


StepAt = Callable[[date, str, datetime, int], tuple[datetime, str]]


def steps_at(policies: Policies, calendar: Calendar) -> StepAt:
    """When the ladder's step at a place comes, and its name, for a moment's day, code and due: a batch is full of the
    same."""

    @cache
    def found(day: date, code: str, due: datetime, place: int) -> tuple[datetime, str]:
        step = policies.moment_ladder.on(day).body[place]
        moment = policies.moments.on(day).body.get(code)
        return step_at(step, due, moment is not None and moment.minutes > 0, calendar), step.name

    return found


def armed(row: Mapping[str, Any] | asyncpg.Record, place: int, at: StepAt) -> Deadline:
    """The deadline of a step of the ladder of a moment."""
    due, step = at(row["on_day"], row["code"], row["due_at"], place)
    return Deadline(MOMENT, row["object"], row["client_id"], due, step=step)


def climb(policies: Policies, row: asyncpg.Record, one: Due, at: StepAt) -> tuple[list[Due], Deadline | None]:
    """The step of the ladder that is due with those after it that are due by now as well, and the one that waits next,
    for as long as nobody does anything [A21]."""
    names = [step.name for step in policies.moment_ladder.on(row["on_day"]).body]
    steps = [one]
    for place in range(names.index(one.step) + 1 if one.step in names else 1, len(names)):
        following = armed(row, place, at)
        if following.due > one.by:
            return steps, following
        steps.append(replace(one, step=following.step, due=following.due, at=max(one.at, following.due)))
    return steps, None
