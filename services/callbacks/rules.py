"""Pure decisions: states [B19], due dates [B21], who must not call [B10], who gets a notice [B7]."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid5

from chassis.calendar import Calendar, DayKind
from chassis.clock import end_of, month_end, months_after
from chassis.errors import Text
from services.callbacks.policy import Notices, Trigger

CALLBACKS = UUID("6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c11")
"""The namespace of every id that is derived from what caused it."""

STATES = (
    "planned", "assigned", "attempting", "reached", "rescheduled", "waiting", "exhausted", "completed", "expired",
    "cancelled",
)  # fmt: skip
"""The states of a task [B19]; `waiting` is for a number that reaches the client. The acts that lead from one to another
are in `acts`."""
FINAL = ("completed", "cancelled", "expired")
OPEN = tuple(state for state in STATES if state not in FINAL)
CALLABLE = ("planned", "rescheduled")
IN_HAND = ("assigned", "attempting", "reached")
LONGEST_TRIES_DAYS = 30
"""Calls, the e-survey and the letter of a satisfaction task that was begun in time end by then [C11, B20]."""


def task_id(rule: str, client_id: str, period: str) -> UUID:
    """The id of the one task a rule asks of a client in a period: the same in every run."""
    return uuid5(CALLBACKS, f"task/{rule}/{client_id}/{period}")


def quarter_of(day: date) -> tuple[date, date]:
    """The first and the last day of the calendar quarter of a day."""
    first = date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return first, month_end(months_after(first, 2))


def due_on(trigger: Trigger, created_on: date, calendar: Calendar, valid_until: date | None = None) -> date:
    """The last day of a task's limit [B21]; the creation date is day 0. Minutes are a matter of `due_at`."""
    match trigger.unit:
        case "months":
            return months_after(created_on, trigger.count)
        case "quarter_end":
            return quarter_of(created_on)[1]
        case "valid_until":
            assert valid_until is not None
            return valid_until
        case "working_minutes":
            return calendar.working_day_from(created_on)
        case "trading_days":
            # A trading day here is a working day from Monday to Friday [B21]: what the exchange's calendar says too.
            return calendar.add_days(created_on, trigger.count, DayKind.TRADING)
        case "working_days":
            return calendar.add_days(created_on, trigger.count)
        case _:
            return created_on + timedelta(days=trigger.count)


def due_at(trigger: Trigger, begun_at: datetime, due: date, calendar: Calendar) -> datetime:
    """The instant a task's limit ends: minutes run in working time, anything else ends with its last day."""
    if trigger.unit == "working_minutes":
        return calendar.add_working_time(begun_at, timedelta(minutes=trigger.count))
    return end_of(due)


@dataclass(frozen=True, slots=True)
class Ties:
    """Who has had to do with a client: those who must not call or review where avoidance applies [B10]."""

    opener: str | None = None
    referrer: str | None = None
    manager: str | None = None
    former_managers: frozenset[str] = frozenset()
    concerned: frozenset[str] = frozenset()


def exclusions(agent: str, ties: Ties, *, avoidance: bool) -> list[Text]:
    """Why somebody may not call or review a task: empty when they may. Care calls are theirs to make [B10].

    Persons a complaint or finding is about are out whatever the topic (C28).
    """
    found = []
    if agent in ties.concerned:
        found.append(Text(f"{agent} is a person concerned", f"{agent} 为涉及人员"))
    if not avoidance:
        return found
    if agent == ties.opener:
        found.append(Text(f"{agent} opened the account", f"{agent} 为开户经办人"))
    if agent == ties.referrer:
        found.append(Text(f"{agent} referred the client", f"{agent} 为客户介绍人"))
    if agent == ties.manager:
        found.append(Text(f"{agent} is the client's manager", f"{agent} 为客户现任客户经理"))
    elif agent in ties.former_managers:
        found.append(Text(f"{agent} was the client's manager", f"{agent} 曾任客户经理"))
    return found


def notice_reasons(
    permission: str,
    policy: Notices,
    *,
    on: date,
    level: str | None,
    levels: Collection[str],
    birth_date: date | None,
    experience_years: int | None,
) -> list[str]:
    """Why a request for a high-risk permission gets a notice [B7]: empty when it does not.

    `levels` are risk levels in rising order; a client without a level counts as below any.
    """
    needed = policy.permissions.get(permission)
    if needed is None:
        return []
    order = list(levels)
    held = order.index(level) if level in order else -1
    reasons = ["level_below_product"] if held < order.index(needed) else []
    if birth_date is not None and months_after(birth_date, 12 * policy.age_from) <= on:
        reasons.append("age")
    if experience_years is not None and experience_years < policy.experience_years_below:
        reasons.append("experience")
    return reasons
