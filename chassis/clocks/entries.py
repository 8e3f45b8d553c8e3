"""The append-only entries of one clock: what happened, since when it holds, and when we learned of it.

`number` is the entry's place in the ledger; it settles which of two entries for the same instant comes first.
`effective` and `recorded` are aware instants.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from chassis.clocks.errors import EntryInvalid
from chassis.clocks.limits import Limit, limit_from, mapping_of
from chassis.errors import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    number: int
    effective: datetime
    recorded: datetime
    reason: str = ""

    def __post_init__(self) -> None:
        for instant in (getattr(self, field.name) for field in fields(self)):
            if isinstance(instant, datetime) and instant.tzinfo is None:
                raise EntryInvalid(Text(f"{instant.isoformat()} has no offset", f"{instant.isoformat()} 缺少时区偏移"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(_Entry):
    """The clock starts (开始)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(_Entry):
    """The clock waits for somebody (暂停), until about `expected_end` when that is known."""

    expected_end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(_Entry):
    """The pause ends (恢复), at the time of the reply itself, however late it was recorded [C27]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise(_Entry):
    """The client was promised a time (承诺): it replaces the limit and ends an open pause [C6]."""

    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension(_Entry):
    """The limit is extended (延期) by an amount in its own unit, or to a given time."""

    by: Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(_Entry):
    """The clock stops (停止): the work is done, or no longer owed."""


Entry = Start | Pause | Resume | Promise | Extension | Stop
_KINDS: dict[str, type[Entry]] = {
    kind.__name__.lower(): kind for kind in (Start, Pause, Resume, Promise, Extension, Stop)
}


def in_order(entries: Iterable[Entry], known_at: datetime | None = None) -> list[Entry]:
    """The entries known at a moment (all, without one), by effective time; a start is first and a stop last."""
    known = (entry for entry in entries if known_at is None or entry.recorded <= known_at)
    return sorted(known, key=lambda entry: (entry.effective, _rank(entry), entry.number))


def _rank(entry: Entry) -> int:
    return 0 if isinstance(entry, Start) else 2 if isinstance(entry, Stop) else 1


def kind_of(entry: Entry) -> str:
    """The entry's kind as stored: `start`, `pause`, `resume`, `promise`, `extension`, `stop`."""
    return type(entry).__name__.lower()


def detail_of(entry: Entry) -> dict[str, Any]:
    """What an entry holds beyond its times, ready for a JSON column."""
    detail: dict[str, Any] = {"reason": entry.reason} if entry.reason else {}
    match entry:
        case Pause(expected_end=datetime() as end):
            detail["expected_end"] = end.isoformat()
        case Promise(due=due):
            detail["due"] = due.isoformat()
        case Extension(by=amount):
            detail["by"] = mapping_of(amount)
    return detail


def entry_from(kind: str, number: int, effective: datetime, recorded: datetime, detail: Mapping[str, Any]) -> Entry:
    """An entry from its stored row; the inverse of `kind_of` and `detail_of`. Raises `EntryInvalid`."""
    values: dict[str, Any] = dict(detail)
    try:
        for name in ("expected_end", "due"):
            if isinstance(values.get(name), str):
                values[name] = datetime.fromisoformat(values[name])
        if "by" in values:
            values["by"] = limit_from(values["by"])
        return _KINDS[kind](number=number, effective=effective, recorded=recorded, **values)
    except (KeyError, TypeError, ValueError):
        raise EntryInvalid(
            Text(f"Not a clock entry: {kind} {detail}", f"无法识别的计时记录：{kind} {detail}")
        ) from None
