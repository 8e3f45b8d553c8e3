"""What callbacks (回访) tell: tasks and what became of them, findings of conduct, and that a day is done."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from contracts import messaging, platform
from contracts.base import DayClosed, Event
from contracts.fields import (
    BusinessDate,
    Code,
    Count,
    Email,
    Id,
    Identifier,
    Instant,
    Label,
    Phone,
    Text200,
    Text400,
    Text20000,
)
from contracts.personal import Personal, PersonalEvent

TOPIC = "careline.callbacks"

Queue = Literal["branch", "centre", "compliance", "manager"]


class TaskEvent(Event, frozen=True, kw_only=True, gc=False):
    """A word about one task. `client_id` is a client's id, or `case:ID` and the like where there is no client."""

    topic: ClassVar[str] = TOPIC

    task_id: Id
    client_id: Identifier
    rule: Code


class TaskCreated(TaskEvent, frozen=True, kw_only=True, gc=False):
    """A client is owed a callback by the end of `due_on` [B21]."""

    type: ClassVar[str] = "callbacks.task.created"

    task_topic: Code
    queue: Queue
    branch_id: Identifier | None = None
    created_on: BusinessDate
    due_on: BusinessDate

    @property
    def identity(self) -> str:
        return str(self.task_id)

    @property
    def happened_at(self) -> date:
        return self.created_on


class TaskAssigned(TaskEvent, frozen=True, kw_only=True, gc=False):
    """A member of staff took the task, or was given it; `deputy_for` when somebody absent would have had it."""

    type: ClassVar[str] = "callbacks.task.assigned"

    agent: Code
    assigned_at: Instant
    deputy_for: Code | None = None


class TaskAttempted(TaskEvent, frozen=True, kw_only=True, gc=False):
    """The client was called, written to or visited; `valid_contact` when identity was verified and they talked [B3]."""

    type: ClassVar[str] = "callbacks.task.attempted"

    attempt_id: Id
    agent: Code
    channel: Code
    outcome: Code
    valid_contact: bool = False
    attempted_at: Instant

    @property
    def identity(self) -> str:
        return str(self.attempt_id)


class ContactDataChanged(PersonalEvent, frozen=True, kw_only=True, gc=False):
    """A client changed contact data (联系方式变更) in a call or a reply, with evidence [B11, B13]: relationships keep it and tell all
    services."""

    type: ClassVar[str] = "callbacks.contact_data.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    change_id: Id
    agent: Code
    evidence: Text200 = ""
    phone: Personal[Phone] | None = None
    email: Personal[Email] | None = None
    address: Personal[Text400] | None = None
    changed_at: Instant

    @property
    def identity(self) -> str:
        return str(self.change_id)

    @property
    def happened_at(self) -> datetime:
        return self.changed_at


class TaskCompleted(TaskEvent, frozen=True, kw_only=True, gc=False):
    """The task is done with evidence [B8]; `subject` names what it was about (a complaint case, say).

    `scores` are the answers given as 1 to 5 (time, feedback, result, of a satisfaction call [C11]); `opinions` what the
    client suggested (意见及建议), personal data masked [C12].
    """

    type: ClassVar[str] = "callbacks.task.completed"

    outcome: Code
    subject: Code | None = None
    scores: dict[Code, Count] = msgspec.field(default_factory=dict)
    accepted: bool | None = None
    opinions: Text20000 | None = None
    completed_at: Instant

    @property
    def identity(self) -> str:
        return str(self.task_id)


class TaskExhausted(TaskEvent, frozen=True, kw_only=True, gc=False):
    """Every attempt the policy allows was made: `channel` follows (an e-survey, then a letter) [B20].

    `subject` names what the task was about (a complaint case, say).
    """

    type: ClassVar[str] = "callbacks.task.exhausted"

    subject: Code | None = None
    channel: Code
    exhausted_at: Instant


class TaskExpired(TaskEvent, frozen=True, kw_only=True, gc=False):
    """The due date passed without completion: a breach [B19]. `subject` as in `callbacks.task.completed`."""

    type: ClassVar[str] = "callbacks.task.expired"

    subject: Code | None = None
    due_on: BusinessDate

    @property
    def identity(self) -> str:
        return str(self.task_id)

    @property
    def happened_at(self) -> date:
        return self.due_on


class TaskCancelled(TaskEvent, frozen=True, kw_only=True, gc=False):
    """The task is not owed any more: the account closed, topics merged, or the facts behind it were corrected."""

    type: ClassVar[str] = "callbacks.task.cancelled"

    reason: Code


class FindingRaised(Event, frozen=True, kw_only=True, gc=False):
    """An answer shows possible misconduct (执业行为): compliance opens a restricted case the same day [B5, C28].

    `concerned` are the members of staff it must stay hidden from.
    """

    type: ClassVar[str] = "callbacks.finding.raised"
    topic: ClassVar[str] = TOPIC

    finding_id: Id
    client_id: Identifier
    task_id: Id | None = None
    branch_id: Identifier | None = None
    kind: Code
    concerned: list[Text200]
    raised_at: Instant

    @property
    def identity(self) -> str:
        return str(self.finding_id)

    @property
    def happened_at(self) -> datetime:
        return self.raised_at


class AlarmRaised(Event, frozen=True, kw_only=True, gc=False):
    """Something was not done in its time: the same-day target of an enquiry [B14], a mandatory moment [A21],
    a new client without a manager on day 10 [B12].

    `subject` is what it is about: `task/ID`, `moment/ID` or `message/ID`.
    """

    type: ClassVar[str] = "callbacks.alarm.raised"
    topic: ClassVar[str] = TOPIC

    alarm_id: Id
    client_id: Identifier
    branch_id: Identifier | None = None
    kind: Code
    subject: Code
    step: Code | None = None
    """The step of the ladder of a mandatory moment."""
    told_to: list[Code] = msgspec.field(default_factory=list)
    """Whom that step is for, as the roster stood then."""
    due_at: Instant
    raised_at: Instant

    @property
    def identity(self) -> str:
        return str(self.alarm_id)

    @property
    def happened_at(self) -> datetime:
        return self.raised_at


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """Callbacks has closed the business date: its tasks of that date are made, those due are expired."""

    type: ClassVar[str] = "callbacks.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


class MessageRequested(messaging.MessageRequested, frozen=True, kw_only=True, gc=False):
    """Callbacks asks for a message: a welcome [B12], a reminder, an e-survey, a line of a column ordered."""

    type: ClassVar[str] = "callbacks.message.requested"
    topic: ClassVar[str] = TOPIC


class MessageHandedOver(PersonalEvent, frozen=True, kw_only=True, gc=False):
    """Something that callbacks kept while it still sent messages itself, told once, for messaging to go on with.

    `what` it is: a message (under its own id, in its state, its fields encrypted), an opt-out of marketing, a language, a
    subscription, a click or the like (`feedback`: `reason` says which); and at the `end` how many items that were: nothing
    is sent before all of them are there.
    """

    type: ClassVar[str] = "callbacks.message.handed_over"
    topic: ClassVar[str] = TOPIC
    tells_ahead: ClassVar[tuple[str, ...]] = ("not_before", "not_after")

    what: Literal["message", "opt_out", "language", "subscription", "feedback", "end"]
    item_id: Id
    client_id: Identifier | None = None
    at: Instant
    kind: Code | None = None
    cause: Code | None = None
    state: messaging.MessageState | None = None
    reason: Code | None = None
    channel: messaging.Channel | None = None
    language: Code | None = None
    not_before: Instant | None = None
    not_after: Instant | None = None
    tries: Count | None = None
    handed_at: Instant | None = None
    ended_at: Instant | None = None
    receipt: Label | None = None
    template: Code | None = None
    body_sha256: Code | None = None
    fields: Personal[Text20000] | None = None
    column: Code | None = None
    message_id: Id | None = None
    recorded_by: Code | None = None
    count: Count | None = None

    @property
    def key(self) -> str:
        return self.client_id or "callbacks"

    @property
    def identity(self) -> str:
        return str(self.item_id)

    @property
    def happened_at(self) -> datetime:
        return self.at


class ErasureAnswered(platform.ErasureAnswered, frozen=True, kw_only=True, gc=False):
    """Whether anything here still keeps a client from being erased."""

    type: ClassVar[str] = "callbacks.erasure.answered"


EVENTS: list[type[Event]] = [
    ErasureAnswered,
    TaskCreated,
    TaskAssigned,
    TaskAttempted,
    ContactDataChanged,
    TaskCompleted,
    TaskExhausted,
    TaskExpired,
    TaskCancelled,
    FindingRaised,
    AlarmRaised,
    MessageRequested,
    MessageHandedOver,
    DayCompleted,
]
