"""The messages port: what an adapter takes and gives."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from services.callbacks.messages.templates import Words


class Result(StrEnum):
    """What became of handing a message over."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Handed:
    """The adapter's answer: the provider's receipt when sent, else why not."""

    result: Result
    receipt: str | None = None
    reason: str = ""


class Port(Protocol):
    """Hands one message to the outside world. `message_id` is the same in every retry: a provider can tell repeats."""

    channel: str

    async def send(self, message_id: str, address: str, words: Words) -> Handed:
        """Hand it over; whatever goes wrong outside comes back as LATER or REFUSED, never as an exception."""
        ...
