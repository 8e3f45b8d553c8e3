"""What callbacks (回访) tell: tasks and what became of them, findings of conduct, and that a day is done."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

import msgspec

from contracts import platform
from contracts.base import DayClosed, Event
from contracts.broker import Name

TOPIC = "careline.callbacks"

Queue = Literal["branch", "centre", "compliance", "manager"]


class TaskEvent(Event, frozen=True, kw_only=True, gc=False):
    """A word about one task. `client_id` is a client's id, or `case:ID` and the like where there is no client."""

    topic: ClassVar[str] = TOPIC

    task_id: UUID
    client_id: Name
    rule: Name


class TaskCreated(TaskEvent, frozen=True, kw_only=True, gc=False):
    """A client is owed a callback by the end of `due_on` [B21]."""

    type: ClassVar[str] = "callbacks.task.created"

    task_topic: Name
    queue: Queue
    branch_id: Name | None = None
    created_on: date
    due_on: date

    @property
    def identity(self) -> str:
        return str(self.task_id)

    @property
    def happened_at(self) -> date:
        return self.created_on


class TaskAssigned(TaskEvent, frozen=True, kw_only=True, gc=False):
    """A member of staff took the task, or was given it; `deputy_for` when somebody absent would have had it."""

    type: ClassVar[str] = "callbacks.task.assigned"

    agent: Name
    assigned_at: datetime
    deputy_for: Name | None = None


class TaskAttempted(TaskEvent, frozen=True, kw_only=True, gc=False):
    """The client was called, written to or visited; `valid_contact` when identity was verified and they talked [B3]."""

    type: ClassVar[str] = "callbacks.task.attempted"

    attempt_id: UUID
    agent: Name
    channel: Name
    outcome: Name
    valid_contact: bool = False
    attempted_at: datetime

    @property
    def identity(self) -> str:
        return str(self.attempt_id)


class TaskCompleted(TaskEvent, frozen=True, kw_only=True, gc=False):
    """The task is done with evidence [B8]; `subject` names what it was about (a complaint case, say).

    `scores` are the answers given as 1 to 5 (time, feedback, result, of a satisfaction call [C11]); `opinions` what the
    client suggested (意见及建议), personal data masked [C12].
    """

    type: ClassVar[str] = "callbacks.task.completed"

    outcome: Name
    subject: Name | None = None
    scores: dict[str, int] = msgspec.field(default_factory=dict)
    accepted: bool | None = None
    opinions: str | None = None
    completed_at: datetime

    @property
    def identity(self) -> str:
        return str(self.task_id)


class TaskExhausted(TaskEvent, frozen=True, kw_only=True, gc=False):
    """Every attempt the policy allows was made: `channel` follows (an e-survey, then a letter) [B20].

    `subject` names what the task was about (a complaint case, say).
    """

    type: ClassVar[str] = "callbacks.task.exhausted"

    subject: Name | None = None
    channel: Name
    exhausted_at: datetime


class TaskExpired(TaskEvent, frozen=True, kw_only=True, gc=False):
    """The due date passed without completion: a breach [B19]. `subject` as in `callbacks.task.completed`."""

    type: ClassVar[str] = "callbacks.task.expired"

    subject: Name | None = None
    due_on: date

    @property
    def identity(self) -> str:
        return str(self.task_id)

    @property
    def happened_at(self) -> date:
        return self.due_on


class TaskCancelled(TaskEvent, frozen=True, kw_only=True, gc=False):
    """The task is not owed any more: the account closed, topics merged, or the facts behind it were corrected."""

    type: ClassVar[str] = "callbacks.task.cancelled"

    reason: Name


class FindingRaised(Event, frozen=True, kw_only=True, gc=False):
    """An answer shows possible misconduct (执业行为): compliance opens a restricted case the same day [B5, C28].

    `concerned` are the members of staff it must stay hidden from.
    """

    type: ClassVar[str] = "callbacks.finding.raised"
    topic: ClassVar[str] = TOPIC

    finding_id: UUID
    client_id: Name
    task_id: UUID | None = None
    branch_id: Name | None = None
    kind: Name
    concerned: list[str]
    raised_at: datetime

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

    alarm_id: UUID
    client_id: Name
    branch_id: Name | None = None
    kind: Name
    subject: Name
    step: Name | None = None
    """The step of the ladder of a mandatory moment."""
    told_to: list[Name] = msgspec.field(default_factory=list)
    """Whom that step is for, as the roster stood then."""
    due_at: datetime
    raised_at: datetime

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


class ErasureAnswered(platform.ErasureAnswered, frozen=True, kw_only=True, gc=False):
    """Whether anything here still keeps a client from being erased."""

    type: ClassVar[str] = "callbacks.erasure.answered"


EVENTS: list[type[Event]] = [
    ErasureAnswered,
    TaskCreated,
    TaskAssigned,
    TaskAttempted,
    TaskCompleted,
    TaskExhausted,
    TaskExpired,
    TaskCancelled,
    FindingRaised,
    AlarmRaised,
    DayCompleted,
]
