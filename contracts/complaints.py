"""What complaints tell. The complaints service is the publisher; callbacks hears the feedback a branch gave."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from contracts.base import Event
from contracts.broker import Name, aware

TOPIC = "careline.complaints"


class CaseFeedback(Event, frozen=True, kw_only=True, gc=False):
    """The branch fed back what it found and did (反馈): the centre now asks the client how satisfied they are [C11].

    `generation` counts reopenings: each feedback of a case is asked about once.
    """

    type: ClassVar[str] = "complaints.case.feedback"
    topic: ClassVar[str] = TOPIC

    case_id: Name
    client_id: Name | None = None
    branch_id: Name | None = None
    generation: int = 1
    kind: Literal["ordinary", "major"] = "ordinary"
    fed_back_at: datetime
    concerned: list[str] = msgspec.field(default_factory=list)
    promised_on: date | None = None

    def __post_init__(self) -> None:
        aware(self.fed_back_at)

    @property
    def key(self) -> str:
        return self.client_id or f"case:{self.case_id}"

    @property
    def identity(self) -> str:
        return f"{self.case_id}/{self.generation}"

    @property
    def happened_at(self) -> datetime:
        return self.fed_back_at


EVENTS: list[type[Event]] = [CaseFeedback]
