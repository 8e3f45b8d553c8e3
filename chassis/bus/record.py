"""A record as both buses carry it, and where a key lies."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from chassis.memo import Memo


class Record(NamedTuple):
    """An event in its envelope, at its place. `value` is the data as JSON; `time` and `id` are CloudEvents' own."""

    topic: str
    partition: int
    offset: int
    key: str
    type: str
    id: str
    source: str
    time: datetime
    traceparent: str | None
    value: bytes


class ForeignRecord(Record):
    """A record whose envelope is not as we write it, with the bytes it came with: no bytes get lost in a dead letter."""

    raw_key: bytes | None
    raw_headers: list[list[str | None]]
    """Names with their values in base64."""


class Unreadable(ValueError):
    """A record's envelope is missing something, or holds what cannot be kept."""


LONGEST_WORDS = 1000
FIRST_YEAR, LAST_YEAR = 1900, 2200


def flaw_of_time(time: datetime) -> str:
    """Why an instant cannot be one of ours; empty when it can."""
    if time.tzinfo is None:
        return "a time without an offset"
    return "" if FIRST_YEAR <= time.year <= LAST_YEAR else f"a time in the year {time.year}"


def flaw_of(record: Record) -> str:
    """Why an envelope cannot be kept; empty when it can."""
    for name in ("key", "type", "id", "source"):
        words: str = getattr(record, name)
        if storable(words) != words or len(words) > LONGEST_WORDS:
            return f"a {name} with characters no database keeps, or longer than {LONGEST_WORDS}"
    if not record.id:
        return "no id"
    return flaw_of_time(record.time)


def storable(words: str) -> str:
    """The words, with what no database keeps (NUL, halves of characters) replaced."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


@dataclass(slots=True)  # not frozen: that makes each one five times as slow to make
class Outgoing:
    """An event about to be written: as a `Record`, without an offset yet."""

    topic: str
    partition: int
    key: str
    type: str
    id: str
    source: str
    time: datetime
    value: bytes
    traceparent: str | None = None


Content = tuple[str, str, str, str, datetime, str | None, bytes]
"""What is written of a record at its place: key, type, id, source, time, traceparent, value."""


MEMO_KEYS = 200_000


@cache
def places(partitions: int) -> Memo[str, int]:
    """The partitions of keys, among so many."""
    return Memo(lambda key: (murmur2(key.encode()) & 0x7FFFFFFF) % partitions, MEMO_KEYS)


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key: murmur2, as Kafka's own default partitioner."""
    return places(partitions)[key]
