"""How long a clock may run: in natural time, in working time, in days of either kind, or to a given time.

Limits are policy, so each reads from a mapping with one amount: `{working_days = 3}`, `{natural_minutes = 30}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from chassis.calendar import Calendar
from chassis.clock import business_date, end_of, start_of
from chassis.clocks.errors import LimitInvalid
from chassis.errors import Text

ONE_DAY = timedelta(days=1)
ZERO = timedelta(0)


class Measure(Enum):
    """What runs: every second, or seconds of working hours."""

    NATURAL = "natural"
    WORKING = "working"

    def between(self, start: datetime, end: datetime, calendar: Calendar) -> timedelta:
        """Time of this measure from `start` to `end`."""
        return calendar.working_time_between(start, end) if self is Measure.WORKING else end - start

    def add(self, instant: datetime, amount: timedelta, calendar: Calendar) -> datetime:
        """The instant so much time of this measure later."""
        return calendar.add_working_time(instant, amount) if self is Measure.WORKING else instant + amount


@dataclass(frozen=True, slots=True)
class NaturalTime:
    """An amount of natural time: 30 minutes from classification [C7]."""

    amount: timedelta
    pausable: bool = True
    measure = Measure.NATURAL
    in_days = False

    def __post_init__(self) -> None:
        _positive(self.amount > ZERO)

    def first_due(self, start: datetime, calendar: Calendar) -> datetime:  # noqa: ARG002 - one shape for all limits
        """Start plus the amount."""
        return start + self.amount

    def rounded(self, instant: datetime, calendar: Calendar) -> datetime:  # noqa: ARG002
        """Limits in time are not rounded."""
        return instant

    def length(self, calendar: Calendar) -> timedelta:  # noqa: ARG002
        """The amount as an extension adds it."""
        return self.amount


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """An amount of working time: first contact within 2 working hours [B16]."""

    amount: timedelta
    pausable: bool = True
    measure = Measure.WORKING
    in_days = False

    def __post_init__(self) -> None:
        _positive(self.amount > ZERO)

    def first_due(self, start: datetime, calendar: Calendar) -> datetime:
        """Start plus the amount of working time."""
        return calendar.add_working_time(start, self.amount)

    def rounded(self, instant: datetime, calendar: Calendar) -> datetime:  # noqa: ARG002
        """Limits in time are not rounded."""
        return instant

    def length(self, calendar: Calendar) -> timedelta:  # noqa: ARG002
        """The amount as an extension adds it."""
        return self.amount


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """Working days; day 0 is not counted and the limit ends at 17:30 of the last [C6]. None: the same working day.

    Day 0 is the working day the start counts to as a receipt; with `from_date` it is the start's own date, working
    or not, as task dates count [B21]. `to_midnight`: the limit ends at 24:00 of the last.
    """

    days: int
    pausable: bool = True
    from_date: bool = False
    to_midnight: bool = False
    measure = Measure.WORKING
    in_days = True

    def __post_init__(self) -> None:
        _positive(self.days >= 0)

    def day_zero(self, start: datetime, calendar: Calendar) -> datetime:
        """Midnight of day 0."""
        return start_of(business_date(start) if self.from_date else calendar.reception_day(start))

    def first_due(self, start: datetime, calendar: Calendar) -> datetime:
        """17:30, or 24:00, of the last counted working day."""
        day = calendar.add_days(business_date(self.day_zero(start, calendar)), self.days)
        if self.to_midnight:
            return end_of(day)
        due = calendar.end_of_working_day(day)
        # Counting from the date alone, a start after 17:30 with no day to count would be due before it began.
        return due if due > start else calendar.end_of_working_day(calendar.add_days(day, 1))

    def rounded(self, instant: datetime, calendar: Calendar) -> datetime:
        """The end of the working day, or of the next one after a time outside working days [C27]."""
        day = calendar.reception_day(instant - timedelta.resolution)
        return end_of(day) if self.to_midnight else calendar.end_of_working_day(day)

    def length(self, calendar: Calendar) -> timedelta:
        """So many whole days of working hours."""
        return self.days * calendar.hours.length


@dataclass(frozen=True, slots=True)
class NaturalDays:
    """Natural days; day 0 is not counted and the limit ends at 24:00 of the last, working or not [C7]."""

    days: int
    pausable: bool = True
    measure = Measure.NATURAL
    in_days = True

    def __post_init__(self) -> None:
        _positive(self.days >= 0)

    def day_zero(self, start: datetime, calendar: Calendar) -> datetime:  # noqa: ARG002
        """Midnight of the start's date."""
        return start_of(business_date(start))

    def first_due(self, start: datetime, calendar: Calendar) -> datetime:  # noqa: ARG002
        """24:00 of the last counted day."""
        return end_of(business_date(start) + self.days * ONE_DAY)

    def rounded(self, instant: datetime, calendar: Calendar) -> datetime:  # noqa: ARG002
        """24:00 of the day."""
        return end_of(business_date(instant - timedelta.resolution))

    def length(self, calendar: Calendar) -> timedelta:  # noqa: ARG002
        """So many times 24 hours."""
        return self.days * ONE_DAY


@dataclass(frozen=True, slots=True)
class Until:
    """A time that was given or promised: it moves only by being given anew, so it is never paused."""

    at: datetime
    pausable = False
    measure = Measure.NATURAL
    in_days = False

    def first_due(self, start: datetime, calendar: Calendar) -> datetime:  # noqa: ARG002
        """The given time."""
        return self.at

    def rounded(self, instant: datetime, calendar: Calendar) -> datetime:  # noqa: ARG002
        """A given time stays as given."""
        return instant

    def length(self, calendar: Calendar) -> timedelta:  # noqa: ARG002
        """A given time has no length of its own."""
        return ZERO


Amount = NaturalTime | WorkingTime | WorkingDays | NaturalDays
Limit = Amount | Until


def limit_from(mapping: Mapping[str, object]) -> Limit:
    """A limit from policy or a stored row.

    Exactly one of `natural_minutes`, `natural_seconds`, `working_minutes`, `working_seconds`, `working_days`,
    `natural_days`, `until` (RFC 3339 or an aware datetime); optional `pausable` and, for working days, `from_date`
    and `to_midnight`. Raises `LimitInvalid`.
    """
    options = {key: bool(mapping[key]) for key in ("pausable", "from_date", "to_midnight") if key in mapping}
    amounts = {key: value for key, value in mapping.items() if key not in options}
    try:
        ((unit, amount),) = amounts.items()
        if unit == "until":
            at = amount if isinstance(amount, datetime) else datetime.fromisoformat(str(amount))
            _positive(at.tzinfo is not None and not options)
            return Until(at)
        number = int(str(amount))
        if unit == "working_days":
            return WorkingDays(number, **options)
        pausable = options.pop("pausable", True)
        _positive(not options)
        if unit == "natural_days":
            return NaturalDays(number, pausable)
        length = timedelta(seconds=number * {"minutes": 60, "seconds": 1}[unit.partition("_")[2]])
        kinds: dict[str, type[NaturalTime | WorkingTime]] = {"natural": NaturalTime, "working": WorkingTime}
        return kinds[unit.partition("_")[0]](length, pausable)
    except (KeyError, ValueError):
        raise LimitInvalid(Text(f"Not a limit: {dict(mapping)}", f"无法识别的时限：{dict(mapping)}")) from None


def mapping_of(limit: Limit) -> dict[str, object]:
    """The limit as policy and stored rows hold it; the inverse of `limit_from`."""
    match limit:
        case Until(at=at):
            return {"until": at.isoformat()}
        case WorkingDays(days=days):
            mapping: dict[str, object] = {"working_days": days}
            mapping |= {name: True for name in ("from_date", "to_midnight") if getattr(limit, name)}
        case NaturalDays(days=days):
            mapping = {"natural_days": days}
        case _:
            unit = "natural_seconds" if isinstance(limit, NaturalTime) else "working_seconds"
            mapping = {unit: int(limit.amount.total_seconds())}
    if not limit.pausable:
        mapping["pausable"] = False
    return mapping


def _positive(holds: bool) -> None:
    if not holds:
        raise LimitInvalid(Text("A limit needs one amount that is not negative", "时限须为一个非负的数量"))
