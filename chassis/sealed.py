"""Tables of immutable rows, and those that every service has."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table of immutable rows: numbered without gaps per partition, hashed into the signed chain column by column."""

    name: str
    columns: tuple[str, ...]


AUDIT = SealedTable("audit", ("partition", "number", "at", "actor", "role", "action", "object", "inputs", "policy"))
CLOCK_ENTRIES = SealedTable(
    "clock_entries",
    ("partition", "number", "object", "clock", "kind", "effective", "recorded", "actor", "detail"),
)
