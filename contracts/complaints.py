"""What complaints (投诉) tell of their cases. Callbacks hears the feedback a branch gave; everybody else may listen."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from contracts import messaging, platform
from contracts.base import DayClosed, Event
from contracts.fields import BusinessDate, Code, Count, Currency, Id, Identifier, Instant, Quantity, Text64, Text200

TOPIC = "careline.complaints"
Severity = Literal["ordinary", "major"]


class CaseEvent(Event, frozen=True, kw_only=True, gc=False):
    """A word about one case. `client_id` is absent where the complainant is no known client [C29].

    What is `restricted` (a conduct case) is for compliance only: whoever hears it keeps it from everybody else, and no
    task, notice or figure follows from it [C28].
    """

    topic: ClassVar[str] = TOPIC

    case_id: Identifier
    client_id: Identifier | None = None
    branch_id: Identifier | None = None
    generation: Count = 1
    restricted: bool = False

    @property
    def key(self) -> str:
        return self.client_id or f"case:{self.case_id}"


class CaseOpened(CaseEvent, frozen=True, kw_only=True, gc=False):
    """A case was opened and has an owner from this instant on [C1, C3, C8]. `restricted`: hidden from who it concerns."""

    type: ClassVar[str] = "complaints.case.opened"

    kind: Code
    source: Code
    channel: Code
    flow: Code
    severity: Severity
    owner: Code
    received_at: Instant

    @property
    def identity(self) -> str:
        return self.case_id

    @property
    def happened_at(self) -> datetime:
        return self.received_at


class CaseAccepted(CaseEvent, frozen=True, kw_only=True, gc=False):
    """The owner took the case in hand [C23]."""

    type: ClassVar[str] = "complaints.case.accepted"

    owner: Code
    accepted_at: Instant

    @property
    def happened_at(self) -> datetime:
        return self.accepted_at


class CaseDispatched(CaseEvent, frozen=True, kw_only=True, gc=False):
    """The supervision ticket (投诉督办单) went to the branch's complaint group; `met`: on the day of receipt [C4]."""

    type: ClassVar[str] = "complaints.case.dispatched"

    dispatched_at: Instant
    met: bool

    @property
    def identity(self) -> str:
        return f"{self.case_id}/{self.generation}"

    @property
    def happened_at(self) -> datetime:
        return self.dispatched_at


class CaseFeedback(CaseEvent, frozen=True, kw_only=True, gc=False):
    """The branch fed back what it found and did (反馈): the centre now asks the client how satisfied they are [C11].

    `generation` counts reopenings: each feedback of a case is asked about once.
    """

    type: ClassVar[str] = "complaints.case.feedback"

    kind: Literal["ordinary", "major"] = "ordinary"
    fed_back_at: Instant
    concerned: list[Text200] = msgspec.field(default_factory=list)
    promised_on: BusinessDate | None = None

    @property
    def identity(self) -> str:
        return f"{self.case_id}/{self.generation}"

    @property
    def happened_at(self) -> datetime:
        return self.fed_back_at


def _round(number: int) -> str:
    return f"/{number}" if number > 1 else ""


class CaseBreached(CaseEvent, frozen=True, kw_only=True, gc=False):
    """A clock of the case ran out: `dispatch`, `phone_notice`, `result`, `report` [C4, C6, C7].

    Each promise starts a `round` of the result clock, with a breach and a ladder of its own.
    """

    type: ClassVar[str] = "complaints.case.breached"

    clock: Code
    due: Instant
    round: Count = 1

    @property
    def identity(self) -> str:
        return f"{self.case_id}/{self.generation}/{self.clock}/{self.due.isoformat()}{_round(self.round)}"

    @property
    def happened_at(self) -> datetime:
        return self.due


class CaseEscalated(CaseEvent, frozen=True, kw_only=True, gc=False):
    """A step of the ladder was reached: these people were told and have to acknowledge it [C22]."""

    type: ClassVar[str] = "complaints.case.escalated"

    clock: Code
    step: Code
    told: list[Text200]
    escalated_at: Instant
    round: Count = 1

    @property
    def identity(self) -> str:
        return f"{self.case_id}/{self.generation}/{self.clock}/{self.step}{_round(self.round)}"

    @property
    def happened_at(self) -> datetime:
        return self.escalated_at


class EscalationAcknowledged(CaseEvent, frozen=True, kw_only=True, gc=False):
    """Somebody who was told has answered: the next step waits for its own time [C22]."""

    type: ClassVar[str] = "complaints.case.acknowledged"

    clock: Code
    step: Code
    by: Code
    acknowledged_at: Instant
    round: Count = 1

    @property
    def happened_at(self) -> datetime:
        return self.acknowledged_at


class MajorReported(CaseEvent, frozen=True, kw_only=True, gc=False):
    """A major case (重大投诉) was reported to 运营中心, 风险控制总部 and 合规部 at once [C7]."""

    type: ClassVar[str] = "complaints.case.major_reported"

    told: list[Text200]
    reported_at: Instant

    @property
    def identity(self) -> str:
        return f"{self.case_id}/{self.generation}"

    @property
    def happened_at(self) -> datetime:
        return self.reported_at


class SatisfactionRecorded(CaseEvent, frozen=True, kw_only=True, gc=False):
    """What the complainant answered to the satisfaction call (满意度回访), each as 1 to 5 [C11]."""

    type: ClassVar[str] = "complaints.case.satisfaction_recorded"

    outcome: Code
    scores: dict[Code, Count] = msgspec.field(default_factory=dict)
    accepted: bool | None = None
    recorded_at: Instant

    @property
    def identity(self) -> str:
        return f"{self.case_id}/{self.generation}"

    @property
    def happened_at(self) -> datetime:
        return self.recorded_at


class CaseClosed(CaseEvent, frozen=True, kw_only=True, gc=False):
    """The case ended: satisfied, unanswered, withdrawn or rejected [C23]. `upheld` counts in the complaint share [C20]."""

    type: ClassVar[str] = "complaints.case.closed"

    outcome: Code
    upheld: bool | None = None
    closed_at: Instant

    @property
    def happened_at(self) -> datetime:
        return self.closed_at


class CaseReopened(CaseEvent, frozen=True, kw_only=True, gc=False):
    """The case was opened again, one level higher, with a new generation of clocks [C11, C23]."""

    type: ClassVar[str] = "complaints.case.reopened"

    level: Count
    owner: Code
    reopened_at: Instant

    @property
    def identity(self) -> str:
        return f"{self.case_id}/{self.generation}"

    @property
    def happened_at(self) -> datetime:
        return self.reopened_at


class SuggestionAdopted(CaseEvent, frozen=True, kw_only=True, gc=False):
    """A suggestion (合理化建议) of a client was adopted: points may reward it [C12]."""

    type: ClassVar[str] = "complaints.suggestion.adopted"

    suggestion_id: Id
    adopted_at: Instant

    @property
    def identity(self) -> str:
        return str(self.suggestion_id)

    @property
    def happened_at(self) -> datetime:
        return self.adopted_at


class RedressApproved(CaseEvent, frozen=True, kw_only=True, gc=False):
    """Redress (补偿) was proposed by one person and approved by another [C10]."""

    type: ClassVar[str] = "complaints.redress.approved"

    redress_id: Id
    amount: Quantity
    currency: Currency
    approved_at: Instant

    @property
    def identity(self) -> str:
        return str(self.redress_id)

    @property
    def happened_at(self) -> datetime:
        return self.approved_at


class ChurnSignalled(Event, frozen=True, kw_only=True, gc=False):
    """A client may leave: two grumbles (抱怨) in 30 days, one from platinum on, a complaint that ends badly [A33].

    `reason`: `repeated`, `tier` or `complaint`; `signal_id` is the pre-complaint that made it one. Care is owed.
    """

    type: ClassVar[str] = "complaints.churn.signalled"
    topic: ClassVar[str] = TOPIC

    signal_id: Id
    client_id: Identifier
    branch_id: Identifier | None = None
    reason: Literal["repeated", "tier", "complaint"]
    mood: Code
    signalled_at: Instant

    @property
    def identity(self) -> str:
        return str(self.signal_id)

    @property
    def happened_at(self) -> datetime:
        return self.signalled_at


class ClusterAlarmed(Event, frozen=True, kw_only=True, gc=False):
    """Complaints cluster (矛盾排查): at least as many as the policy says about one branch, product, employee or script.

    One alarm a cluster, until it was quiet for seven days [C17]. `group_case_id` is the case its members are linked to,
    `recurs_after` the alarm before it about the same.
    """

    type: ClassVar[str] = "complaints.cluster.alarmed"
    topic: ClassVar[str] = TOPIC

    alarm_id: Id
    dimension: Code
    value: Text200
    alarmed_on: BusinessDate
    cases: Count
    group_case_id: Identifier | None = None
    recurs_after: Id | None = None

    @property
    def key(self) -> str:
        return f"cluster:{self.dimension}:{self.value}"

    @property
    def identity(self) -> str:
        return str(self.alarm_id)

    @property
    def happened_at(self) -> date:
        return self.alarmed_on


class PackEvent(Event, frozen=True, kw_only=True, gc=False):
    """A word about the pack of a month, quarter or year [C15, C21]. `to_sign` has to sign it off by `sign_off_due`."""

    topic: ClassVar[str] = TOPIC

    period: Code
    sign_off_due: BusinessDate
    to_sign: list[Text200]

    @property
    def key(self) -> str:
        return f"pack:{self.period}"

    @property
    def identity(self) -> str:
        return self.period


class PackMade(PackEvent, frozen=True, kw_only=True, gc=False):
    """The pack of a period was made from its frozen cut-off [C15]."""

    type: ClassVar[str] = "complaints.pack.made"

    cut_off: Instant
    manifest_sha256: Text64

    @property
    def happened_at(self) -> datetime:
        return self.cut_off


class PackSignOffReminded(PackEvent, frozen=True, kw_only=True, gc=False):
    """The last day to sign a pack off has come, and nobody has [C15]."""

    type: ClassVar[str] = "complaints.pack.sign_off_reminded"

    @property
    def happened_at(self) -> date:
        return self.sign_off_due


class PackSignOffMissed(PackEvent, frozen=True, kw_only=True, gc=False):
    """A pack was not signed off by its day: a breach [C15]."""

    type: ClassVar[str] = "complaints.pack.sign_off_missed"

    @property
    def happened_at(self) -> date:
        return self.sign_off_due


class CaseCorrected(CaseEvent, frozen=True, kw_only=True, gc=False):
    """A wrong branch, category or client of the case was corrected: told under the old key and then the new one, once where
    they are the same. `fed_back_at`: the branch's feedback, when the complainant is being asked about it [C11]."""

    type: ClassVar[str] = "complaints.case.corrected"

    revision: Count
    under: Literal["old", "new"]
    previous_client_id: Identifier | None = None
    previous_branch_id: Identifier | None = None
    category: Code | None = None
    corrected_at: Instant
    fed_back_at: Instant | None = None
    concerned: list[Text200] = msgspec.field(default_factory=list)

    @property
    def identity(self) -> str:
        return f"{self.case_id}/{self.revision}/{self.under}"

    @property
    def happened_at(self) -> datetime:
        return self.corrected_at


class HoldPlaced(Event, frozen=True, kw_only=True, gc=False):
    """A hold (冻结) was placed on the client because of a complaint."""

    type: ClassVar[str] = "complaints.hold.placed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    hold_id: Identifier
    scope: Code
    at: Instant

    @property
    def identity(self) -> str:
        return self.hold_id

    @property
    def happened_at(self) -> datetime:
        return self.at


class HoldLifted(HoldPlaced, frozen=True, kw_only=True, gc=False):
    """The hold was lifted."""

    type: ClassVar[str] = "complaints.hold.lifted"


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """Complaints has closed the business date: everything due by its end has fired, its clusters are known."""

    type: ClassVar[str] = "complaints.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


class CaseErased(CaseEvent, frozen=True, kw_only=True, gc=False):
    """A case was erased [C21]: that there was one stays, what was said and who said it is gone with its key."""

    type: ClassVar[str] = "complaints.case.erased"
    topic: ClassVar[str] = "careline.erasures"

    erased_at: Instant

    @property
    def identity(self) -> str:
        return self.case_id

    @property
    def happened_at(self) -> datetime:
        return self.erased_at


class ErasureAnswered(platform.ErasureAnswered, frozen=True, kw_only=True, gc=False):
    """Whether anything here still keeps a client from being erased."""

    type: ClassVar[str] = "complaints.erasure.answered"


class MessageRequested(messaging.MessageRequested, frozen=True, kw_only=True, gc=False):
    """Complaints asks for a message to a complainant who chose to hear of the case so: at each change of its state [C25]."""

    type: ClassVar[str] = "complaints.message.requested"
    topic: ClassVar[str] = TOPIC


EVENTS: list[type[Event]] = [
    MessageRequested,
    CaseErased,
    ErasureAnswered,
    CaseOpened,
    CaseAccepted,
    CaseDispatched,
    CaseFeedback,
    CaseBreached,
    CaseEscalated,
    EscalationAcknowledged,
    MajorReported,
    SatisfactionRecorded,
    CaseClosed,
    CaseReopened,
    SuggestionAdopted,
    RedressApproved,
    ChurnSignalled,
    ClusterAlarmed,
    PackMade,
    PackSignOffReminded,
    PackSignOffMissed,
    CaseCorrected,
    HoldPlaced,
    HoldLifted,
    DayCompleted,
]
