"""The clock ledger: append-only entries, and due, warnings, ladders and reasons as pure functions of them."""

from chassis.clocks.entries import Entry, Extension, Pause, Promise, Resume, Start, Stop, detail_of, entry_from, kind_of
from chassis.clocks.explain import Line, explain
from chassis.clocks.ladder import Fired, Ladder, LadderStep, next_step, planned
from chassis.clocks.limits import (
    Amount,
    Limit,
    Measure,
    NaturalDays,
    NaturalTime,
    Until,
    WorkingDays,
    WorkingTime,
    limit_from,
)
from chassis.clocks.reading import ClockReading, State
from chassis.clocks.replan import Replanned, replan
from chassis.clocks.replay import due, read
from chassis.clocks.shares import warnings

__all__ = [
    "Amount",
    "ClockReading",
    "Entry",
    "Extension",
    "Fired",
    "Ladder",
    "LadderStep",
    "Limit",
    "Line",
    "Measure",
    "NaturalDays",
    "NaturalTime",
    "Pause",
    "Promise",
    "Replanned",
    "Resume",
    "Start",
    "State",
    "Stop",
    "Until",
    "WorkingDays",
    "WorkingTime",
    "detail_of",
    "due",
    "entry_from",
    "explain",
    "kind_of",
    "limit_from",
    "next_step",
    "planned",
    "read",
    "replan",
    "warnings",
]
