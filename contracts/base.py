"""The shape of every event, and how it is read from and written to bytes.

An event is a fact in the past tense, owned by its publisher. Its class carries the type name, the topic and the
version; its fields are the data. The envelope (CloudEvents id, source, time, subject) is the bus's business and
lives in `contracts.envelope`.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

import msgspec

LARGEST_AMOUNT = Decimal(10) ** 15
SMALLEST_EXPONENT = -40


class Amount(Decimal):
    """A decimal amount that travels as a string: at most 10^15 in size, at most 40 decimals, never a float."""

    __slots__ = ()


class Quantity(Amount):
    """A decimal amount of zero or more."""

    __slots__ = ()


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A fact. Subclasses name `type`, `topic` and, from the second one on, `version`."""

    type: ClassVar[str] = ""
    topic: ClassVar[str] = ""
    version: ClassVar[int] = 1
    to_everyone: ClassVar[bool] = False
    """Written to every partition of its topic, not only to its key's."""
    personal: ClassVar[bool] = False
    """Has members that name or reach a person (see `contracts.personal`)."""

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

    business_date: date


def decode_custom(kind: type, value: Any) -> Any:
    """Read our own field types; refuses anything but a plain decimal string of sane size."""
    if issubclass(kind, Amount):
        # Nearly every amount is a few digits with at most one point: nothing in it can be out of range.
        if type(value) is str and len(value) <= 16 and value.replace(".", "", 1).isdecimal():
            return kind(value)
        if not isinstance(value, str):
            raise ValueError(f"expected a decimal string, got {type(value).__name__}")
        try:
            amount = kind(value)
        except InvalidOperation:
            raise ValueError(f"{value[:40]!r} is not a decimal number") from None
        exponent = amount.as_tuple().exponent
        if (
            not isinstance(exponent, int)
            or exponent < SMALLEST_EXPONENT
            or not -LARGEST_AMOUNT < amount < LARGEST_AMOUNT
        ):
            raise ValueError(f"{value[:40]!r} is outside the allowed range of +-10^15 with at most 40 decimals")
        if kind is Quantity and amount < 0:
            raise ValueError(f"{value[:40]!r} is negative")
        return amount
    raise NotImplementedError(f"no reader for {kind}")


def encode_custom(value: Any) -> Any:
    """Write our own field types."""
    if isinstance(value, Decimal):
        return str(value)
    raise NotImplementedError(f"no writer for {type(value)}")


def schema_custom(kind: type) -> dict[str, Any]:
    """JSON Schema of our own field types."""
    if issubclass(kind, Amount):
        sign = "" if kind is Quantity else "-?"
        return {"type": "string", "format": "decimal", "pattern": rf"^{sign}\d+(\.\d+)?([eE][-+]?\d+)?$"}
    raise NotImplementedError(f"no schema for {kind}")


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
        self._decoders = {
            kind.type: msgspec.json.Decoder(seen_as.get(kind, kind), dec_hook=decode_custom) for kind in kinds
        }
        self.readers = {name: decoder.decode for name, decoder in self._decoders.items()}

    def knows(self, type_name: str) -> bool:
        """Whether the type is heard here; records of other types are skipped and counted."""
        return type_name in self._decoders

    def decode(self, type_name: str, data: bytes) -> Event:
        """The event in `data`.

        Raises: msgspec.ValidationError or msgspec.DecodeError when the bytes are not such an event.
        """
        return self._decoders[type_name].decode(data)
