"""The port: what an adapter takes and gives. Answers are plain values, whatever a provider says."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from chassis.personal import mask_text

LONGEST_REF, LONGEST_REASON, LOOKED_AT = 200, 200, 2_000


class Result(StrEnum):
    """What became of handing a message over."""

    TAKEN = "taken"
    DELIVERED = "delivered"
    LATER = "later"  # not taken: it may be tried again
    REFUSED = "refused"  # never taken
    UNCLEAR = "unclear"  # it may have been taken: never sent again blindly [MS13]


@dataclass(frozen=True, slots=True)
class Answer:
    """The adapter's answer on one message. `of_address`: it was refused because of the address, which does not work."""

    result: Result
    ref: str | None = None
    reason: str = ""
    of_address: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to go. Its id is the same in every retry: a provider can tell repeats."""

    message_id: str
    address: str
    subject: str
    text: str
    sender: str = ""
    """Who of the staff it comes from, where a way needs that."""
    html: str = ""
    """A page that says the same, for a way that can show one."""
    to_staff: bool = False
    signature: str = ""
    template: str = ""
    """The provider's code of the filed template, and the fields it is filled with, for providers that fill it themselves."""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Handed:
    """A message that was handed over, as far as a provider can be asked about it."""

    message_id: str
    address: str = ""
    at: datetime | None = None


class Port(Protocol):
    """Hands messages to one provider."""

    async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
        """Hand letters over; an answer for each id. Each fails alone; what goes wrong outside is an answer."""
        ...

    async def ask(self, handed: Sequence[Handed], /) -> Mapping[str, Answer]:
        """What became of messages, as far as the provider can say: LATER where it never had one, nothing where it
        cannot be asked."""
        ...


@runtime_checkable
class Polled(Protocol):
    """An adapter whose provider can be asked for receipts, where `polls`."""

    polls: bool

    async def ask(self, handed: Sequence[Handed], /) -> Mapping[str, Answer]:
        """As of a port."""
        ...


@runtime_checkable
class Connected(Protocol):
    """An adapter that keeps its connections for the length of a turn."""

    def connected(self) -> AbstractAsyncContextManager[None]:
        """Keep connections for the length of a block."""
        ...


@asynccontextmanager
async def kept_open(port: Port) -> AsyncIterator[None]:
    """An adapter's connections, where it keeps any, for the length of a block."""
    if isinstance(port, Connected):
        async with port.connected():
            yield
    else:
        yield


def plain(text: object, longest: int = LONGEST_REASON) -> str:
    """What a provider said, as far as it can be kept: one line without control characters and without addresses."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return mask_text(one_line(said)[:LOOKED_AT])[:longest]


def one_line(text: str) -> str:
    """A text as one line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def unclear(letters: Sequence[Letter], why: object) -> dict[str, Answer]:
    """No word on any of these letters."""
    return {letter.message_id: Answer(Result.UNCLEAR, reason=plain(why)) for letter in letters}


def later(letters: Sequence[Letter], why: object) -> dict[str, Answer]:
    """None of these letters was taken."""
    return {letter.message_id: Answer(Result.LATER, reason=plain(why)) for letter in letters}
