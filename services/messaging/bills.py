"""A provider's bill of a month against what was handed to it [MS19]."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

import asyncpg
import msgspec

from chassis.clock import end_of, month_end, start_of

AT_ONCE = 5_000


class Charged(msgspec.Struct, frozen=True):
    """A line of a bill: our id of the message or the provider's reference, and the parts charged for."""

    ref: str
    parts: int


class Unreadable(ValueError):
    """A bill that is none."""


class Difference(msgspec.Struct, frozen=True):
    """Where the bill and our own record differ: `not_ours`, `not_billed`, `twice`, `other_parts`."""

    what: str
    ref: str
    billed: int
    ours: int


class Compared(msgspec.Struct, frozen=True):
    """A bill compared: how many messages and parts on each side, and every difference by reference."""

    billed: int
    billed_parts: int
    ours: int
    our_parts: int
    differences: list[Difference]


def read(lines: Iterable[str]) -> list[Charged]:
    """The lines of a bill as CSV with a heading: `ref` (or `message_id`, or `receipt`) and `parts`.

    Raises: Unreadable, naming the line.
    """
    found = []
    reader = csv.DictReader(line.removeprefix("\ufeff") for line in lines)
    names = [name for name in ("ref", "message_id", "receipt") if name in (reader.fieldnames or ())]
    if not names or "parts" not in (reader.fieldnames or ()):
        raise Unreadable("line 1: a heading names ref (or message_id, or receipt) and parts")
    for row in reader:
        ref, parts = (row[names[0]] or "").strip(), (row["parts"] or "").strip()
        if not ref or not parts.isdecimal() or not 0 < int(parts) < 1000:
            raise Unreadable(f"line {reader.line_num}: a reference and a number of parts")
        found.append(Charged(ref, int(parts)))
    return found


async def compare(sql: asyncpg.Connection, way: str, month: date, bill: Sequence[Charged]) -> Compared:
    """Compare a bill with what was handed over by a way in a month; what was not taken is nobody's to charge."""
    first, last = start_of(month.replace(day=1)), end_of(month_end(month))
    handed = await sql.fetch(
        """SELECT message_id::text, provider_ref, coalesce(parts, 1) FROM messages
           WHERE way = $1 AND handed_at >= $2 AND handed_at < $3 AND merged_into IS NULL
             AND state IN ('handed', 'delivered', 'undelivered', 'unknown')
             AND (provider_ref IS NOT NULL OR state IN ('unknown', 'delivered'))""",
        way,
        first,
        last,
    )
    ours = {key: (ref, parts) for key, ref, parts in handed}
    by_ref = {ref: key for key, (ref, _) in ours.items() if ref}
    charged, parts = Counter[str](), dict[str, int]()
    differences = []
    for line in bill:
        key = line.ref if line.ref in ours else by_ref.get(line.ref)
        if key is None:
            differences.append(Difference("not_ours", line.ref, line.parts, 0))
            continue
        charged[key] += 1
        parts.setdefault(key, line.parts)
        if charged[key] > 1:
            differences.append(Difference("twice", line.ref, line.parts, 0))
        elif line.parts != ours[key][1]:
            differences.append(Difference("other_parts", line.ref, line.parts, ours[key][1]))
    unbilled = sorted(key for key, (ref, _) in ours.items() if ref and key not in charged)
    differences += [Difference("not_billed", key, 0, ours[key][1]) for key in unbilled]
    return Compared(
        len(bill), sum(one.parts for one in bill), len(ours), sum(parts for _, parts in ours.values()), differences
    )
