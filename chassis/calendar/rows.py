"""The rows a calendar is made of: what each published notice says about a day or a stretch of days."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from chassis.calendar.errors import CalendarInvalid
from chassis.errors import Text


class RowKind(StrEnum):
    """What a row says about its days."""

    NOTICE = "notice"
    """The yearly notice: these days are known, Monday to Friday working unless another row says otherwise."""
    HOLIDAY = "holiday"
    MAKE_UP = "make_up"
    """A Saturday or Sunday worked in exchange for a holiday (调休)."""
    EXCHANGE_CLOSED = "exchange_closed"
    """The exchange is closed on a day others work (休市)."""
    SERVICE = "service"
    """A day off on which staff receive clients: reception time, not working time for any clock [C26]."""


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """One statement about the days `first` to `last`, both included, with the notice that made it."""

    first: date
    last: date
    kind: RowKind
    name: Text
    source: str

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise CalendarInvalid(
                Text(f"A row from {self.first} ends on {self.last}", f"{self.first} 起的一行止于 {self.last}"),
                self.first,
            )

    def as_mapping(self) -> dict[str, str]:
        """The row as JSON, TOML or CSV hold it."""
        return {
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "kind": self.kind.value,
            "name_zh": self.name.zh,
            "name_en": self.name.en,
            "source": self.source,
        }


def row_from(mapping: Mapping[str, object]) -> CalendarRow:
    """A row from its keys `first`, `last` (default: first), `kind`, `name_zh`, `name_en`, `source`."""
    first = _date(mapping.get("first"))
    last = _date(mapping["last"]) if mapping.get("last") else first
    kind = str(mapping.get("kind"))
    if kind not in list(RowKind):
        raise CalendarInvalid(
            Text(f"Unknown kind of day '{kind}' on {first}", f"{first} 的日期类型未知：{kind}"), first
        )
    name = Text(en=str(mapping.get("name_en") or ""), zh=str(mapping.get("name_zh") or ""))
    return CalendarRow(first, last, RowKind(kind), name, str(mapping.get("source") or ""))


def rows_from(mappings: Iterable[Mapping[str, object] | CalendarRow]) -> tuple[CalendarRow, ...]:
    """Rows in order of their days, whatever order they came in."""
    rows = (row if isinstance(row, CalendarRow) else row_from(row) for row in mappings)
    return tuple(sorted(rows, key=lambda row: (row.first, row.kind != RowKind.NOTICE, row.kind, row.last)))


def rows_in_csv(path: Path) -> tuple[CalendarRow, ...]:
    """The rows of a file with one header line."""
    with path.open(encoding="utf-8", newline="") as lines:
        return rows_from(csv.DictReader(lines))


def _date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise CalendarInvalid(Text(f"'{value}' is not a date", f"“{value}”不是日期")) from None
