"""The shape of every event, and how it is read from and written to bytes.

An event is a fact in the past tense, owned by its publisher. Its class carries the type name, the topic and the
version; its fields are the data. The envelope (CloudEvents id, source, time, subject) is the bus's business and
lives in `contracts.envelope`.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import ClassVar

import msgspec

from contracts.fields import Amount, BusinessDate, Quantity, decode_custom, encode_custom, reader, schema_custom

__all__ = [
    "Amount",
    "DayClosed",
    "Event",
    "Quantity",
    "Registry",
    "decode_custom",
    "encode",
    "encode_custom",
    "schema_custom",
]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A fact. Subclasses name `type`, `topic` and, from the second one on, `version`: the next one when a member goes or means
    another thing, or a closed list of values grows; an optional member may be added to any."""

    type: ClassVar[str] = ""
    topic: ClassVar[str] = ""
    version: ClassVar[int] = 1
    to_everyone: ClassVar[bool] = False
    """Written to every partition of its topic, not only to its key's."""
    personal: ClassVar[bool] = False
    """Has members that name or reach a person (see `contracts.personal`)."""
    tells_ahead: ClassVar[tuple[str, ...]] = ()
    """The dates in which it tells of days to come; every other one has happened (see `contracts.ahead`)."""

    @property
    def key(self) -> str:
        """What decides the partition: the client's id, or `case:ID` where there is no client."""
        return self.client_id  # type: ignore[attr-defined, no-any-return]

    @property
    def identity(self) -> str | None:
        """The fact's own identity inside its type, where it has one (a trade: client and trade id)."""
        return None

    @property
    def happened_at(self) -> datetime | date | None:
        """The business time of the fact, where it carries one: an instant, or a business date."""
        return None


class DayClosed(Event, frozen=True, kw_only=True, gc=False):
    """A watermark: its publisher has said everything it knew about `business_date`. Written to every partition."""

    to_everyone: ClassVar[bool] = True

    business_date: BusinessDate


_encoder = msgspec.json.Encoder(enc_hook=encode_custom)


encode: Callable[[Event], bytes] = _encoder.encode
"""The event's data as JSON bytes."""


class Registry:
    """Reads records back into events: one prepared decoder a type.

    `views` are read in place of an event's own class: structs of just those of its fields that are needed.
    """

    def __init__(self, kinds: "list[type[Event]]", views: "Mapping[type[Event], type[Event]] | None" = None) -> None:
        self.kinds = {kind.type: kind for kind in kinds}
        seen_as = views or {}
        self.readers = {kind.type: reader(seen_as.get(kind, kind)) for kind in kinds}

    def knows(self, type_name: str) -> bool:
        """Whether the type is heard here; records of other types are skipped and counted."""
        return type_name in self.readers

    def decode(self, type_name: str, data: bytes) -> Event:
        """The event in `data`.

        Raises: msgspec.ValidationError or msgspec.DecodeError when the bytes are not such an event.
        """
        return self.readers[type_name](data)
