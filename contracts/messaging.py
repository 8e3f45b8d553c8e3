"""What messaging (消息) tells: what became of each message, replies heard, consent, addresses that failed."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID, uuid5

import msgspec

from contracts import platform, relationships
from contracts.base import DayClosed, Event
from contracts.fields import BusinessDate, Code, Count, Id, Identifier, Instant, Text500

TOPIC = "careline.messaging"
_MESSAGES = UUID("6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c11")

MessageClass = Literal["VERIFY", "NOTICE", "CARE", "SUBSCRIBED", "MARKETING"]
"""Content classes (内容类别) [MS3]: 验证码, 通知, 关怀, 定制, 营销."""
Channel = Literal["sms", "email", "wecom", "app"]
MessageState = Literal[
    "planned", "queued", "handed", "delivered", "undelivered", "unknown", "suppressed", "expired", "cancelled"
]


def message_id(kind: str, recipient: str, cause: str) -> UUID:
    """The id of the one message of a kind to a client (or `staff:ID`) about one thing: a period, a task, a case [MS1]."""
    return uuid5(_MESSAGES, f"message/{kind}/{recipient}/{cause}")


class MessageRequested(Event, frozen=True, kw_only=True, gc=False):
    """A service asks for a message [MS1]; each publisher has a subclass with its own topic.

    `kind` names the template family, `cause` what it is about (a period, a task, a case): the same kind, recipient and
    cause is the same message. It goes by one of `channels` where any is named, the best first. Personal fields travel as references. Not sent before `not_before` or after `not_after`;
    Where both are named it is the client's. `required` ones count towards no cap of contacts; `shock`: a market shock's, which quiet hours do not hold [A21].
    `withdrawn`: the message is not wanted any more; it does not go if it is in nobody's hand yet.
    """

    request_id: Id
    client_id: Identifier | None = None
    staff_id: Identifier | None = None
    kind: Code
    cause: Code
    fields: dict[Code, Text500] = msgspec.field(default_factory=dict)
    channels: list[Channel] = msgspec.field(default_factory=list)
    not_before: Instant | None = None
    not_after: Instant | None = None
    required: bool = False
    shock: bool = False
    withdrawn: bool = False
    asked_at: Instant

    def __post_init__(self) -> None:
        if self.client_id is None and self.staff_id is None:
            raise ValueError("a message is for a client or a member of staff")

    @property
    def key(self) -> str:
        return self.client_id or f"staff:{self.staff_id}"

    @property
    def identity(self) -> str:
        return f"{self.request_id}/withdrawn" if self.withdrawn else str(self.request_id)

    @property
    def happened_at(self) -> datetime:
        return self.asked_at


class MessageChanged(Event, frozen=True, kw_only=True, gc=False):
    """A message reached a state [MS2]; `request_id` where a service asked for it, `reason` why it went no further."""

    type: ClassVar[str] = "messaging.message.changed"
    topic: ClassVar[str] = TOPIC

    message_id: Id
    client_id: Identifier | None = None
    staff_id: Identifier | None = None
    request_id: Id | None = None
    kind: Code
    message_class: MessageClass
    channel: Channel | None = None
    state: MessageState
    reason: Code | None = None
    at: Instant

    @property
    def key(self) -> str:
        return self.client_id or f"staff:{self.staff_id}"

    @property
    def identity(self) -> str:
        return f"{self.message_id}/{self.state}/{self.at.isoformat()}"

    @property
    def happened_at(self) -> datetime:
        return self.at


class ReplyReceived(Event, frozen=True, kw_only=True, gc=False):
    """A reply (上行) came in: a command of ours (`STOP`, `SMS1` to `SMS3`, ...) or `OTHER` [MS7]. The words stay in messaging.

    Keyed by the client, or `number:INDEX` (the number's keyed token) where the number is nobody's or several clients'.
    """

    type: ClassVar[str] = "messaging.reply.received"
    topic: ClassVar[str] = TOPIC

    inbound_id: Identifier
    client_id: Identifier | None = None
    number: Code | None = None
    command: Code
    at: Instant

    @property
    def key(self) -> str:
        return self.client_id or f"number:{self.number}"

    @property
    def identity(self) -> str:
        return self.inbound_id

    @property
    def happened_at(self) -> datetime:
        return self.at


class ConsentStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Whether messages of a class may go by a channel from an instant on, until the next stretch."""

    since: Instant
    message_class: MessageClass
    channel: Channel | None = None
    allowed: bool


class ConsentChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's consents and opt-outs (同意与退订) from `changed_from` on are now `stretches` [MS7, MS8]."""

    type: ClassVar[str] = "messaging.consent.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    revision: Count
    changed_from: BusinessDate
    stretches: list[ConsentStretch]

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.revision}"


class AddressFailed(Event, frozen=True, kw_only=True, gc=False):
    """An address does not work (空号, 停机, 黑名单, bounce): contact data have to be asked for [MS13, B20]."""

    type: ClassVar[str] = "messaging.address.failed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    channel: Channel
    message_id: Id
    reason: Code
    at: Instant

    @property
    def identity(self) -> str:
        return f"{self.message_id}/{self.channel}"

    @property
    def happened_at(self) -> datetime:
        return self.at


class ContactRequested(relationships.ContactRequested, frozen=True, kw_only=True, gc=False):
    """One of the contacts that a client allows in a month is asked for [RE4]. Messages that need not be are; until it is decided messaging counts for itself."""

    type: ClassVar[str] = "messaging.contact.requested"
    topic: ClassVar[str] = TOPIC


class EntitlementsRequested(Event, frozen=True, kw_only=True, gc=False):
    """Messaging asks to be told once more who has which product: what was told before it was there is in no log [MS17]."""

    type: ClassVar[str] = "messaging.entitlements.requested"
    topic: ClassVar[str] = TOPIC

    request_id: Id
    asked_at: Instant

    @property
    def key(self) -> str:
        return str(self.request_id)

    @property
    def identity(self) -> str:
        return str(self.request_id)

    @property
    def happened_at(self) -> datetime:
        return self.asked_at


class FindingRaised(Event, frozen=True, kw_only=True, gc=False):
    """Something about messages is for compliance: an unregistered sender [MS14], two paid days without content [MS17]."""

    type: ClassVar[str] = "messaging.finding.raised"
    topic: ClassVar[str] = TOPIC

    finding_id: Id
    client_id: Identifier | None = None
    staff_id: Identifier | None = None
    kind: Code
    subject: Code
    raised_at: Instant

    @property
    def key(self) -> str:
        return self.client_id or (f"staff:{self.staff_id}" if self.staff_id else f"subject:{self.subject}")

    @property
    def identity(self) -> str:
        return str(self.finding_id)

    @property
    def happened_at(self) -> datetime:
        return self.raised_at


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """Messaging has closed the business date: what facts of that date ask for is planned."""

    type: ClassVar[str] = "messaging.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


class ErasureAnswered(platform.ErasureAnswered, frozen=True, kw_only=True, gc=False):
    """Whether anything here still keeps a client from being erased."""

    type: ClassVar[str] = "messaging.erasure.answered"


EVENTS: list[type[Event]] = [
    ErasureAnswered,
    MessageChanged,
    ReplyReceived,
    ConsentChanged,
    AddressFailed,
    ContactRequested,
    EntitlementsRequested,
    FindingRaised,
    DayCompleted,
]
