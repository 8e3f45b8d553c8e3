"""What messaging (消息) tells: what became of each message, replies heard, consent, addresses that failed."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec

from contracts.base import DayClosed, Event
from contracts.broker import Name, aware

TOPIC = "careline.messaging"

MessageClass = Literal["VERIFY", "NOTICE", "CARE", "SUBSCRIBED", "MARKETING"]
"""Content classes (内容类别) [MS3]: 验证码, 通知, 关怀, 定制, 营销."""
Channel = Literal["sms", "email", "wecom", "app"]
MessageState = Literal[
    "planned", "queued", "handed", "delivered", "undelivered", "unknown", "suppressed", "expired", "cancelled"
]


class MessageRequested(Event, frozen=True, kw_only=True, gc=False):
    """A service asks for a message [MS1]; each publisher has a subclass with its own topic.

    `kind` names the template family, `cause` what it is about (a period, a task, a case): the same kind, recipient and
    cause is the same message. Personal fields travel as references. Not sent before `not_before` or after `not_after`;
    `required` ones count towards no cap of contacts; `shock`: a market shock's, which quiet hours do not hold [A21].
    """

    request_id: UUID
    client_id: Name | None = None
    staff_id: Name | None = None
    kind: Name
    cause: Name
    fields: dict[str, Annotated[str, msgspec.Meta(max_length=500)]] = msgspec.field(default_factory=dict)
    not_before: datetime | None = None
    not_after: datetime | None = None
    required: bool = False
    shock: bool = False
    asked_at: datetime

    def __post_init__(self) -> None:
        aware(self.asked_at, *(at for at in (self.not_before, self.not_after) if at is not None))
        if (self.client_id is None) == (self.staff_id is None):
            raise ValueError("a message is for one client or one member of staff")

    @property
    def key(self) -> str:
        return self.client_id or f"staff:{self.staff_id}"

    @property
    def identity(self) -> str:
        return str(self.request_id)

    @property
    def happened_at(self) -> datetime:
        return self.asked_at


class MessageChanged(Event, frozen=True, kw_only=True, gc=False):
    """A message reached a state [MS2]; `request_id` where a service asked for it, `reason` why it went no further."""

    type: ClassVar[str] = "messaging.message.changed"
    topic: ClassVar[str] = TOPIC

    message_id: UUID
    client_id: Name | None = None
    staff_id: Name | None = None
    request_id: UUID | None = None
    kind: Name
    message_class: MessageClass
    channel: Channel | None = None
    state: MessageState
    reason: Name | None = None
    at: datetime

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

    inbound_id: Name
    client_id: Name | None = None
    number: Name | None = None
    command: Name
    at: datetime

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

    since: datetime
    message_class: MessageClass
    channel: Channel | None = None
    allowed: bool


class ConsentChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's consents and opt-outs (同意与退订) from `changed_from` on are now `stretches` [MS7, MS8]."""

    type: ClassVar[str] = "messaging.consent.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Name
    revision: int
    changed_from: date
    stretches: list[ConsentStretch]

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.revision}"


class AddressFailed(Event, frozen=True, kw_only=True, gc=False):
    """An address does not work (空号, 停机, 黑名单, bounce): contact data have to be asked for [MS13, B20]."""

    type: ClassVar[str] = "messaging.address.failed"
    topic: ClassVar[str] = TOPIC

    client_id: Name
    channel: Channel
    message_id: UUID
    reason: Name
    at: datetime

    @property
    def identity(self) -> str:
        return f"{self.message_id}/{self.channel}"

    @property
    def happened_at(self) -> datetime:
        return self.at


class FindingRaised(Event, frozen=True, kw_only=True, gc=False):
    """Something about a message is for compliance: an unregistered sender [MS14], a forbidden word passed [MS16]."""

    type: ClassVar[str] = "messaging.finding.raised"
    topic: ClassVar[str] = TOPIC

    finding_id: UUID
    client_id: Name | None = None
    staff_id: Name | None = None
    kind: Name
    subject: Name
    raised_at: datetime

    @property
    def key(self) -> str:
        return self.client_id or f"staff:{self.staff_id}"

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


EVENTS: list[type[Event]] = [
    MessageChanged,
    ReplyReceived,
    ConsentChanged,
    AddressFailed,
    FindingRaised,
    DayCompleted,
]
