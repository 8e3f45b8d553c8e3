"""Receipts and replies as providers say them, brought or asked for."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from contracts.fields import Id, Identifier, Instant, Label, Phone, text_of
from services.messaging.receipts import Receipt
from services.messaging.replies import Reply

MOST = 1000


class ReceiptGiven(BaseModel, extra="forbid"):
    """A provider's word on a message, by our id or its own reference; `bounced`: the address does not work."""

    message_id: Id | None = None
    receipt: Label | None = None
    state: Literal["delivered", "undelivered"]
    reason: Annotated[str, text_of(300)] = ""
    bounced: bool = False
    at: Instant


class ReplyGiven(BaseModel, extra="forbid"):
    """A reply; `inbound_id` is the provider's own."""

    inbound_id: Identifier
    number: Phone
    text: Annotated[str, text_of(1000)]
    at: Instant


class Inbound(BaseModel, extra="forbid"):
    """What a provider brings."""

    receipts: list[ReceiptGiven] = Field(default_factory=list, max_length=MOST)
    replies: list[ReplyGiven] = Field(default_factory=list, max_length=MOST)


def receipts_of(given: Inbound) -> list[Receipt]:
    """The receipts among what came in."""
    return [
        Receipt(
            message_id=one.message_id, receipt=one.receipt, state=one.state, reason=one.reason, bounced=one.bounced,
            at=one.at,
        )
        for one in given.receipts
        if one.message_id is not None or one.receipt is not None
    ]  # fmt: skip


def replies_of(given: Inbound) -> list[Reply]:
    """The replies among what came in."""
    return [Reply(inbound_id=one.inbound_id, number=one.number, text=one.text, at=one.at) for one in given.replies]
