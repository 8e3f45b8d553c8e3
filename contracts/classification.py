"""What classification tells: classes, tiers, groups, core, lifecycle, and that it is done with a day."""

from datetime import date
from typing import Annotated, ClassVar, Literal

import msgspec

from contracts import platform
from contracts.base import DayClosed, Event
from contracts.fields import Amount, BusinessDate, Code, Count, Identifier, Number, Text200

TOPIC = "careline.classification"

TierCode = Literal["NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND"]
TIERS: tuple[TierCode, ...] = ("NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND")
ClassCode = Literal["A+", "A", "B+", "B", "C", "C-", "D", "D-", "E", "F", "G"]
TagCode = Literal["AT_RISK", "ABNORMAL", "NEVER_TRADED", "NEW", "CORE", "DORMANT"]
GroupCode = Literal[TagCode, "REGULAR"]
TAGS: tuple[TagCode, ...] = ("AT_RISK", "ABNORMAL", "NEVER_TRADED", "NEW", "CORE", "DORMANT")
"""In the order in which they decide the primary group; REGULAR is the group of a client with none [K7]."""
LifecycleCode = Literal["ESTABLISHED", "GROWING", "MATURE", "DECLINING", "LOST"]
SupplementaryKind = Literal["HABIT", "VALUE", "STYLE", "PREFERENCE", "BEHAVIOUR"]
ValueType = Literal["COMMISSION", "PRODUCT", "ASSETS"]


class ClassChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's class (客户分类) is `code` from `effective_on` on [K1, K2]; `previous` is empty for the first."""

    type: ClassVar[str] = "classification.class.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier
    revision: Count
    effective_on: BusinessDate
    code: ClassCode
    previous: ClassCode | None = None
    provisional: bool = False


class TierStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The effective tier (客户级别) from a day on, until the next stretch or `until` (exclusive)."""

    since: BusinessDate
    tier: TierCode
    until: BusinessDate | None = None


class TierChanged(Event, frozen=True, kw_only=True, gc=False):
    """The history of the effective tier from `changed_from` on is now `stretches` [T5, T7].

    A receiver replaces what it holds from `changed_from` on and ignores revisions it has passed.
    """

    type: ClassVar[str] = "classification.tier.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier
    revision: Count
    changed_from: BusinessDate
    previous: TierCode
    stretches: Annotated[list[TierStretch], msgspec.Meta(min_length=1)]
    reason: Literal["opened", "upgrade", "downgrade", "grant", "revocation", "correction"]


class TierDowngradeWarned(Event, frozen=True, kw_only=True, gc=False):
    """Notice of a grace period (宽限期): at its start, 30 and 7 days before its end [T4]."""

    type: ClassVar[str] = "classification.tier.downgrade_warned"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier
    tier: TierCode
    next_tier: TierCode
    grace_from: BusinessDate
    steps_down_on: BusinessDate
    days_left: Count


class TagStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A client matches a group from `since` on until `until` (exclusive; absent while it lasts) [K7].

    `baseline`: found by the first close this home ever saw, so that no task follows; never set on CORE.
    """

    tag: TagCode
    since: BusinessDate
    until: BusinessDate | None = None
    baseline: bool = False


class GroupChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's groups (客户分组) from `changed_from` on are these [K7].

    `tags` holds every stretch that lasts on `changed_from` or later, with its true start, and those that ended on that
    very day. A receiver drops what it holds that begins on `changed_from` or later, takes these over by (tag, since),
    and ignores revisions it has passed. (client, tag, since) names a stretch for good: a task derived from it exists
    once, however often the history is told again, and one whose stretch is gone has lost its reason.
    """

    type: ClassVar[str] = "classification.group.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier
    revision: Count
    changed_from: BusinessDate
    primary: GroupCode | None = None
    """The group in force now: first match, REGULAR without a tag, none once the account is closed."""
    previous: GroupCode | None = None
    """The group in force on the day before `changed_from`."""
    tags: list[TagStretch] = msgspec.field(default_factory=list)
    baseline: bool = False
    """Told by the first close this home ever saw."""
    correction: bool = False
    """A late fact rewrote what had been told."""

    @property
    def entered(self) -> list[TagStretch]:
        """The stretches that begin on `changed_from` or later."""
        return [stretch for stretch in self.tags if stretch.since >= self.changed_from]

    @property
    def left(self) -> list[TagStretch]:
        """The stretches that end on `changed_from` or later."""
        return [stretch for stretch in self.tags if stretch.until and stretch.until >= self.changed_from]


class CoreStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Whether the client is core from a day on, until the next stretch."""

    since: BusinessDate
    core: bool


class CoreChanged(Event, frozen=True, kw_only=True, gc=False):
    """Whether the client is core (核心客户) from `changed_from` on: decided at month closes [V2]."""

    type: ClassVar[str] = "classification.core.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier
    revision: Count
    changed_from: BusinessDate
    stretches: Annotated[list[CoreStretch], msgspec.Meta(min_length=1)]


class LifecycleStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The client's lifecycle from a day on, until the next stretch."""

    since: BusinessDate
    lifecycle: LifecycleCode


class LifecycleChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's lifecycle (生命周期) from `changed_from` on [V5]: ESTABLISHED at opening, then by month closes."""

    type: ClassVar[str] = "classification.lifecycle.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier
    revision: Count
    changed_from: BusinessDate
    previous: LifecycleCode | None = None
    stretches: Annotated[list[LifecycleStretch], msgspec.Meta(min_length=1)]
    baseline: bool = False
    """Told by the first month close this home ever saw: a standing found, not an entry."""


class SupplementaryChanged(Event, frozen=True, kw_only=True, gc=False):
    """Staff entered a supplementary classification (补充分类) [K3]; codes are namespaced (`STYLE:F`).

    `guardrails` are all that follow from the client's codes now: `CONTACTS_PER_MONTH:n`, `NO_DISCRETION`, `ADVISER_ONLY`.
    """

    type: ClassVar[str] = "classification.supplementary.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier
    revision: Count
    kind: SupplementaryKind
    codes: list[Text200]
    guardrails: list[Text200] = msgspec.field(default_factory=list)


class GuardrailAlerted(Event, frozen=True, kw_only=True, gc=False):
    """What was written about a client touches a guardrail: compliance looks at it. The text itself stays where it is."""

    type: ClassVar[str] = "classification.guardrail.alerted"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier
    rule: Literal["NO_DISCRETION"]
    entry_id: Number
    written_by: Text200


class MonthEvaluated(Event, frozen=True, kw_only=True, gc=False):
    """What a month close found for a client [K2, V1 to V5]: the month's mean of assets, turnover, net commission of twelve
    months and of the calendar year, value V, its rank, the investor type. It stands until a later month; a later revision of the
    same month replaces it, empty where nothing is found any more."""

    type: ClassVar[str] = "classification.month.evaluated"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    branch_id: Identifier
    month_end: BusinessDate
    revision: Count
    mean_assets: Amount | None = None
    turnover: Amount | None = None
    commission: Amount | None = None
    year_commission: Amount | None = None
    value: Amount | None = None
    value_type: ValueType | None = None
    rank: Count | None = None
    investor_type: Code | None = None

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.month_end.isoformat()}/{self.revision}"

    @property
    def happened_at(self) -> date:
        return self.month_end


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """Classification has closed the business date: its results of that date are out."""

    type: ClassVar[str] = "classification.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


class ErasureAnswered(platform.ErasureAnswered, frozen=True, kw_only=True, gc=False):
    """Whether anything here still keeps a client from being erased."""

    type: ClassVar[str] = "classification.erasure.answered"


EVENTS: list[type[Event]] = [
    ErasureAnswered,
    ClassChanged,
    TierChanged,
    TierDowngradeWarned,
    GroupChanged,
    CoreChanged,
    LifecycleChanged,
    SupplementaryChanged,
    GuardrailAlerted,
    MonthEvaluated,
    DayCompleted,
]
