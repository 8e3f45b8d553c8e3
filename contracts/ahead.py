"""Facts have happened: which of their dates and instants lie more than a day ahead. One judgement for both ways in."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, get_args, get_type_hints
from zoneinfo import ZoneInfo

from contracts.base import Event

AHEAD = timedelta(days=1)
"""Clocks differ and settlement reports run ahead by hours, not by days."""
_SHANGHAI = ZoneInfo("Asia/Shanghai")


class TooFarAhead(ValueError):
    """The fact says that it happened more than a day from now: it can be redriven when its day has come."""


def far_ahead(kind: type[Event], event: Event, now: datetime) -> Iterator[tuple[str, date | datetime]]:
    """Name and value of each field that lies more than a day ahead, by the business date in Shanghai, save for those in
    which facts of this kind tell of days to come."""
    latest, latest_day = _latest(now)
    for name in _dated(kind, type(event)):
        when = getattr(event, name)
        if when is not None and when > (latest if isinstance(when, datetime) else latest_day):
            yield name, when


def any_far_ahead(kind: type[Event], events: Sequence[Event], now: datetime) -> bool:
    """Whether `far_ahead` finds anything in any of them, all of one class; asked of every batch."""
    latest, latest_day = _latest(now)
    for name, is_instant in _dated(kind, type(events[0])).items():
        limit: Any = latest if is_instant else latest_day
        for when in map(attrgetter(name), events):
            if when is not None and when > limit:
                return True
    return False


def _latest(now: datetime) -> tuple[datetime, date]:
    latest = now + AHEAD
    return latest, latest.astimezone(_SHANGHAI).date()


@cache
def _dated(kind: type[Event], read_as: type[Event]) -> dict[str, bool]:
    """The fields that say when something happened; whether each holds an instant."""
    found = {name: list(_leaves(hint)) for name, hint in get_type_hints(read_as).items()}
    return {
        name: datetime in found[name]
        for name in read_as.__struct_fields__
        if name not in kind.tells_ahead and any(leaf in (date, datetime) for leaf in found[name])
    }


def _leaves(hint: Any) -> Iterator[Any]:
    inner = get_args(hint)
    if not inner:
        yield hint
    for one in inner:
        yield from _leaves(one)
