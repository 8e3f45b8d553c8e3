"""Why a clock is due when it is: every step of the sum, in zh-CN and en, also as known on an earlier date."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.calendar import Calendar
from chassis.clocks.entries import Entry, Extension, Pause, Promise, Resume, Start, Stop, kind_of
from chassis.clocks.limits import ZERO, Limit
from chassis.clocks.reading import Move
from chassis.clocks.replay import read
from chassis.clocks.sums import rounding, sum_of_limit, sum_of_time
from chassis.clocks.words import moment, span
from chassis.errors import Text


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an explanation.

    `kind` is the entry's kind, `sum` for a step of the sum under it, `missed` for a due that had passed by then.
    `at` and `recorded` are the entry's times; `due` and `remaining` are what held after it.
    """

    kind: str
    at: datetime
    recorded: datetime
    due: datetime | None
    remaining: timedelta | None
    sentence: Text


def explain(
    entries: Iterable[Entry], limit: Limit, calendar: Calendar, known_at: datetime | None = None
) -> tuple[Line, ...]:
    """The lines from start to present state; raises what `read` raises."""
    lines: list[Line] = []
    held: timedelta | None = None
    for move in read(entries, limit, calendar, known_at).moves:
        entry = move.entry
        told = [("missed", text) for text in _missed(move)]
        told.append((kind_of(entry), _late(entry, _said(move))))
        told += [("sum", text) for text in _sum(move, held, calendar)]
        lines += [Line(kind, entry.effective, entry.recorded, move.due, move.remaining, text) for kind, text in told]
        held = move.remaining
    return tuple(lines)


def _missed(move: Move) -> Iterator[Text]:
    if move.missed is not None:
        shown = moment(move.missed, True)
        yield Text(f"The due {shown} had passed: a breach", f"期限 {shown} 已过：超时")


def _said(move: Move) -> Text:
    at = moment(move.entry.effective)
    match move.entry:
        case Start():
            return _because(move, Text(f"The clock starts at {at}", f"{at} 开始计时"))
        case Pause() if move.remaining is None:
            return _because(
                move, Text(f"Pause at {at}, after the due: it changes nothing", f"{at} 暂停，期限已过，不影响期限")
            )
        case Pause(expected_end=end):
            left = span(move.remaining or ZERO)
            expected = (
                Text("", "") if end is None else Text(f", expected until {moment(end)}", f"，预计至 {moment(end)}")
            )
            return _because(
                move, Text(f"Pause at {at}{expected.en}; {left.en} remain", f"{at} 暂停{expected.zh}，剩余 {left.zh}")
            )
        case Resume():
            return _because(move, Text(f"The pause ends at {at}", f"{at} 恢复计时"))
        case Promise(due=promised):
            shown = moment(promised, True)
            return _because(move, Text(f"At {at} a result was promised for {shown}", f"{at} 承诺于 {shown} 前给出结果"))
        case Extension():
            if move.due is None:
                return _because(move, Text(f"Extended at {at}, during the pause", f"{at} 在暂停期间延期"))
            shown = moment(move.due, True)
            return _because(move, Text(f"Extended at {at}, now due {shown}", f"{at} 延期，期限改为 {shown}"))
        case Stop():
            return _because(move, Text(f"The clock stops at {at}", f"{at} 停止计时"))


def _because(move: Move, text: Text) -> Text:
    reason = move.entry.reason
    return Text(f"{text.en} ({reason})", f"{text.zh}（{reason}）") if reason else text


def _late(entry: Entry, text: Text) -> Text:
    """Say when an entry became known, if that was minutes after it took effect or more."""
    if entry.recorded - entry.effective < timedelta(minutes=1):
        return text
    known = moment(entry.recorded)
    return Text(f"{text.en}; recorded {known}", f"{text.zh}；{known} 补记")


def _sum(move: Move, held: timedelta | None, calendar: Calendar) -> Iterator[Text]:
    at = move.entry.effective
    match move.entry:
        case Start() if move.due is not None:
            yield from sum_of_limit(move.limit, at, move.due, calendar)
        case Resume() if move.due is not None and held is not None:
            yield from sum_of_time(move.limit.measure, at, held, calendar)
            yield from rounding(move.limit, move.limit.measure.add(at, held, calendar), move.due)
