"""What suitability tells: questionnaires, assessments, decisions, and matches that no longer hold."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from contracts import messaging, platform
from contracts.base import DayClosed, Event
from contracts.fields import BusinessDate, Code, Count, Identifier, Instant, Text200

TOPIC = "careline.suitability"

OutcomeCode = Literal["PASS", "CONFIRM", "BLOCK"]

LEVELS = ("VERY_LOW", "LOW", "MEDIUM", "HIGH")
"""The levels of `SEED-2010-12Q`, lowest first."""
HELD = {"C1": "VERY_LOW", "C2": "LOW", "C3": "MEDIUM", "C4": "MEDIUM", "C5": "HIGH"}
"""What a client's level of `C5R5` is worth among them: never upward [Q6]. Whoever compares levels compares these."""


class QuestionnaireSubmitted(Event, frozen=True, kw_only=True, gc=False):
    """A client's answers (调查表) were taken; `in_review` when a person looks at them before they count [Q5]."""

    type: ClassVar[str] = "suitability.questionnaire.submitted"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier | None = None
    submission_id: Identifier
    template: Code
    template_version: Count
    submitted_at: Instant
    in_review: bool = False

    @property
    def identity(self) -> str:
        return self.submission_id

    @property
    def happened_at(self) -> datetime:
        return self.submitted_at


class AssessmentCompleted(Event, frozen=True, kw_only=True, gc=False):
    """The client's level (风险承受能力) is `level` of `scheme` from `valid_from` to the end of `valid_until` [Q5]."""

    type: ClassVar[str] = "suitability.assessment.completed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier | None = None
    assessment_id: Identifier
    scheme: Code
    level: Code
    previous: Code | None = None
    valid_from: BusinessDate
    valid_until: BusinessDate
    source: Literal["questionnaire", "imported"]

    @property
    def identity(self) -> str:
        return self.assessment_id

    @property
    def happened_at(self) -> date:
        return self.valid_from


class AssessmentExpiring(Event, frozen=True, kw_only=True, gc=False):
    """The level in force ends in `days_left` days (30, 7 or 1) with nothing to follow it [Q5]."""

    type: ClassVar[str] = "suitability.assessment.expiring"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier | None = None
    assessment_id: Identifier
    scheme: Code
    level: Code
    valid_until: BusinessDate
    days_left: Count

    @property
    def identity(self) -> str:
        return f"{self.assessment_id}/{self.days_left}"


class AssessmentExpired(Event, frozen=True, kw_only=True, gc=False):
    """The level ended with `valid_until`: the client may buy nothing until assessed again [Q4, Q5]."""

    type: ClassVar[str] = "suitability.assessment.expired"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier | None = None
    assessment_id: Identifier
    scheme: Code
    level: Code
    valid_until: BusinessDate

    @property
    def identity(self) -> str:
        return self.assessment_id

    @property
    def happened_at(self) -> date:
        return self.valid_until


class ReassessmentRequested(Event, frozen=True, kw_only=True, gc=False):
    """The client stated a change of life (or staff did): a new questionnaire is due by `due_on` [Q5]. Which change is told to
    nobody."""

    type: ClassVar[str] = "suitability.reassessment.requested"
    topic: ClassVar[str] = TOPIC
    version: ClassVar[int] = 2

    client_id: Identifier
    branch_id: Identifier | None = None
    due_on: BusinessDate


class DecisionMade(Event, frozen=True, kw_only=True, gc=False):
    """May this client buy this product? [Q4]"""

    type: ClassVar[str] = "suitability.decision.made"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier | None = None
    decision_id: Identifier
    product: Code
    side: Literal["buy", "sell"]
    initiator: Literal["client", "staff", "campaign"]
    outcome: OutcomeCode
    reasons: list[Text200]
    decided_at: Instant

    @property
    def identity(self) -> str:
        return self.decision_id

    @property
    def happened_at(self) -> datetime:
        return self.decided_at


class DecisionConfirmed(Event, frozen=True, kw_only=True, gc=False):
    """The client read the warning and insists; it holds for this product to the end of `valid_until` [Q4]."""

    type: ClassVar[str] = "suitability.decision.confirmed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier | None = None
    decision_id: Identifier
    product: Code
    confirmed_at: Instant
    valid_until: BusinessDate

    @property
    def identity(self) -> str:
        return self.decision_id

    @property
    def happened_at(self) -> datetime:
        return self.confirmed_at


class DriftedProduct(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A holding or an open confirmation that the client's level no longer covers."""

    product: Text200
    needed: Text200 | None
    what: Literal["holding", "confirmation"]


class MatchDrifted(Event, frozen=True, kw_only=True, gc=False):
    """Client and products no longer match (适当性匹配发生变化): the level fell or ended, a product's class rose, or a permission or
    the product's place on the shelf ended."""

    type: ClassVar[str] = "suitability.match.drifted"
    topic: ClassVar[str] = TOPIC
    version: ClassVar[int] = 2

    client_id: Identifier
    branch_id: Identifier | None = None
    cause: Literal[
        "level_lowered", "assessment_expired", "class_raised", "professional_ended", "trade_cancelled",
        "permission_ended", "off_shelf",
    ]  # fmt: skip
    found_on: BusinessDate
    held: Code | None = None
    products: list[DriftedProduct]

    @property
    def happened_at(self) -> date:
        return self.found_on


class MismatchFound(Event, frozen=True, kw_only=True, gc=False):
    """A settled buy that the level in force on its trade date does not cover, or that was not to be had that day: of a product
    off the shelf, or without the trading permission it asks for; `confirmation` allowed it, if any did."""

    type: ClassVar[str] = "suitability.mismatch.found"
    topic: ClassVar[str] = TOPIC
    version: ClassVar[int] = 2

    client_id: Identifier
    branch_id: Identifier | None = None
    trade_id: Identifier
    trade_date: BusinessDate
    symbol: Code
    reason: Literal["above_level", "expired", "no_assessment", "unknown_class", "off_shelf", "permission_missing"]
    confirmation: Code | None = None

    @property
    def happened_at(self) -> date:
        return self.trade_date


class GamingSuspected(Event, frozen=True, kw_only=True, gc=False):
    """Answers look made to reach a level: a matter for compliance."""

    type: ClassVar[str] = "suitability.gaming.suspected"
    topic: ClassVar[str] = TOPIC

    subject: Code
    pattern: Code
    found_on: BusinessDate

    @property
    def key(self) -> str:
        return self.subject

    @property
    def happened_at(self) -> date:
        return self.found_on


class LevelCount(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """How many clients were assessed at a level, in the firm's scheme."""

    level: Code
    clients: Count


class RegisterMade(Event, frozen=True, kw_only=True, gc=False):
    """The register of who was assessed on a day (风险承受能力客户分类表) is there for the holders of `seats` in the branch; made
    anew, with the next revision, when assessments of that day came late [4.3]."""

    type: ClassVar[str] = "suitability.register.made"
    topic: ClassVar[str] = TOPIC

    branch_id: Identifier | None = None
    register_date: BusinessDate
    revision: Count
    seats: list[Code]
    assessed: Count
    by_level: list[LevelCount]

    @property
    def key(self) -> str:
        return f"branch:{self.branch_id}"

    @property
    def identity(self) -> str:
        return f"{self.branch_id}/{self.register_date}/{self.revision}"

    @property
    def happened_at(self) -> date:
        return self.register_date


class ProfessionalStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The client's status as professional investor (专业投资者) from a day on; None: ordinary (普通投资者)."""

    since: BusinessDate
    until: BusinessDate | None = None
    category: Literal["A", "B", "C"] | None = None


class ProfessionalChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's status as professional investor from `changed_from` on is now `stretches`."""

    type: ClassVar[str] = "suitability.professional.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    revision: Count
    changed_from: BusinessDate
    stretches: list[ProfessionalStretch]

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.revision}"


class ProfessionalExpiring(Event, frozen=True, kw_only=True, gc=False):
    """The client's status as professional investor ends in `days_left` days (30, 7 or 1) unless it is proven anew [Q6]."""

    type: ClassVar[str] = "suitability.professional.expiring"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier | None = None
    category: Literal["A", "B", "C"]
    valid_until: BusinessDate
    days_left: Count

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.valid_until}/{self.days_left}"


class ProfessionalExpired(Event, frozen=True, kw_only=True, gc=False):
    """The client's status as professional investor ended with `valid_until`: they are an ordinary investor again [Q6]."""

    type: ClassVar[str] = "suitability.professional.expired"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier | None = None
    category: Literal["A", "B", "C"]
    valid_until: BusinessDate

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.valid_until}"

    @property
    def happened_at(self) -> date:
        return self.valid_until


class HoldPlaced(Event, frozen=True, kw_only=True, gc=False):
    """A hold (冻结) was placed on the client: nothing of its `scope` may be sold to them meanwhile. Suitability places one (`ALL`)
    where answers after a stated change of life are overdue [Q5]."""

    type: ClassVar[str] = "suitability.hold.placed"
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

    type: ClassVar[str] = "suitability.hold.lifted"


class MessageRequested(messaging.MessageRequested, frozen=True, kw_only=True, gc=False):
    """Suitability asks for a message: the link by which a client confirms a purchase in their own zone [Q4]; that their status as
    a professional investor ends soon [Q6]."""

    type: ClassVar[str] = "suitability.message.requested"
    topic: ClassVar[str] = TOPIC


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """Suitability has closed the business date: expiries, reminders and mismatches of that date are out."""

    type: ClassVar[str] = "suitability.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


class ErasureAnswered(platform.ErasureAnswered, frozen=True, kw_only=True, gc=False):
    """Whether anything here still keeps a client from being erased."""

    type: ClassVar[str] = "suitability.erasure.answered"


EVENTS: list[type[Event]] = [
    ErasureAnswered,
    QuestionnaireSubmitted,
    AssessmentCompleted,
    AssessmentExpiring,
    AssessmentExpired,
    ReassessmentRequested,
    DecisionMade,
    DecisionConfirmed,
    MatchDrifted,
    MismatchFound,
    GamingSuspected,
    RegisterMade,
    ProfessionalChanged,
    ProfessionalExpiring,
    ProfessionalExpired,
    HoldPlaced,
    HoldLifted,
    MessageRequested,
    DayCompleted,
]
