"""What products (产品) tell: the catalogue, subscriptions, fee rates, charges, entitlements, the club."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from contracts import messaging, platform
from contracts.base import DayClosed, Event
from contracts.fields import Amount, BusinessDate, Code, Count, Id, Identifier, Instant, Month, Quantity

TOPIC = "careline.products"

ShelfState = Literal["draft", "reviewed", "on_shelf", "suspended", "off_shelf"]
SubscriptionState = Literal["pending", "active", "included", "blocked", "ending", "ended"]
ClubState = Literal["invited", "member", "grace", "lapsed"]


class ProductStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A product from a day on: its shelf state, the suitability level it asks for at least, its rank."""

    since: BusinessDate
    shelf: ShelfState
    floor: Code | None = None
    rank: Count | None = None


class ProductChanged(Event, frozen=True, kw_only=True, gc=False):
    """A product (产品) of the library from `changed_from` on is now `stretches` [S6, S7]. Keyed by the product."""

    type: ClassVar[str] = "products.product.changed"
    topic: ClassVar[str] = TOPIC

    product: Code
    revision: Count
    changed_from: BusinessDate
    stretches: list[ProductStretch]

    @property
    def key(self) -> str:
        return f"product:{self.product}"

    @property
    def identity(self) -> str:
        return f"{self.product}/{self.revision}"


class SubscriptionStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A subscription from a day on, until the next stretch or `until` (exclusive)."""

    since: BusinessDate
    until: BusinessDate | None = None
    code: Code
    state: SubscriptionState
    paid_by: Literal["fee", "points", "bundle", "none"] = "fee"


class SubscriptionChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's subscriptions (订阅) from `changed_from` on are now `stretches` [S4, S5]."""

    type: ClassVar[str] = "products.subscription.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    revision: Count
    changed_from: BusinessDate
    stretches: list[SubscriptionStretch]

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.revision}"


class RateStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The all-in rate in per mille from a day on; `x` is the commission agreed; flags such as `no_uplift`. One that names an
    account is that account's, one that names none all others'."""

    since: BusinessDate
    until: BusinessDate | None = None
    rate: Quantity
    x: Quantity
    flags: list[Code] = msgspec.field(default_factory=list)
    account_id: Identifier | None = None


class FeeRateChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's fee rate (费率) from `changed_from` on is now `stretches`; the trading system applies it from
    `apply_from` on, what lies before is settled by charges [S1]."""

    type: ClassVar[str] = "products.fee_rate.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    revision: Count
    changed_from: BusinessDate
    stretches: list[RateStretch]
    apply_from: BusinessDate

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.revision}"


class ChargePosted(Event, frozen=True, kw_only=True, gc=False):
    """A line of the client's monthly statement for the broker's billing; credits are negative and name their original."""

    type: ClassVar[str] = "products.charge.posted"
    topic: ClassVar[str] = TOPIC

    charge_id: Id
    client_id: Identifier
    month: Month
    kind: Literal["subscription", "day_credit", "asset_fee", "rate_difference"]
    amount: Amount
    original: Id | None = None

    @property
    def identity(self) -> str:
        return str(self.charge_id)


class EntitlementStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A service the client may have from a day on, by which source and version, until a day (exclusive)."""

    since: BusinessDate
    until: BusinessDate | None = None
    code: Code
    source: Code
    version: Code


class EntitlementChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's entitlements (权益) from `changed_from` on are now `stretches`."""

    type: ClassVar[str] = "products.entitlement.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    revision: Count
    changed_from: BusinessDate
    stretches: list[EntitlementStretch]

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.revision}"


class ClubStretch(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The client's state in the club from a day on, until the next stretch or `until` (exclusive)."""

    since: BusinessDate
    until: BusinessDate | None = None
    state: ClubState


class ClubChanged(Event, frozen=True, kw_only=True, gc=False):
    """The client's membership of the club (高端客户俱乐部) from `changed_from` on [H1, H2]."""

    type: ClassVar[str] = "products.club.changed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    revision: Count
    changed_from: BusinessDate
    stretches: list[ClubStretch]

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.revision}"


class AttendanceRecorded(Event, frozen=True, kw_only=True, gc=False):
    """A member registered for an event of the club came, or did not [H2.3]; a later revision corrects it."""

    type: ClassVar[str] = "products.attendance.recorded"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    registration_id: Id
    event_id: Id
    kind: Code
    held_on: BusinessDate
    state: Literal["attended", "missed"]
    revision: Count

    @property
    def identity(self) -> str:
        return f"{self.registration_id}/{self.revision}"


class RedemptionConfirmed(Event, frozen=True, kw_only=True, gc=False):
    """What was redeemed with points is delivered [P5]: points spends what it holds."""

    type: ClassVar[str] = "products.redemption.confirmed"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    redemption_id: Id
    subscription_id: Id | None = None
    at: Instant

    @property
    def identity(self) -> str:
        return str(self.redemption_id)

    @property
    def happened_at(self) -> datetime:
        return self.at


class RedemptionRefused(Event, frozen=True, kw_only=True, gc=False):
    """What was redeemed with points cannot be delivered [P5], or its cancellation is confirmed: points releases."""

    type: ClassVar[str] = "products.redemption.refused"
    topic: ClassVar[str] = TOPIC

    client_id: Identifier
    redemption_id: Id
    reason: Code
    at: Instant

    @property
    def identity(self) -> str:
        return str(self.redemption_id)

    @property
    def happened_at(self) -> datetime:
        return self.at


class MessageRequested(messaging.MessageRequested, frozen=True, kw_only=True, gc=False):
    """Products asks for a message: that the price of what a client holds will be another from a day on [S1]."""

    type: ClassVar[str] = "products.message.requested"
    topic: ClassVar[str] = TOPIC


class DayCompleted(DayClosed, frozen=True, kw_only=True, gc=False):
    """Products has closed the business date: entitlements, charges and the club of that date are out."""

    type: ClassVar[str] = "products.day.completed"
    topic: ClassVar[str] = TOPIC

    @property
    def key(self) -> str:
        return self.business_date.isoformat()


class ErasureAnswered(platform.ErasureAnswered, frozen=True, kw_only=True, gc=False):
    """Whether anything here still keeps a client from being erased."""

    type: ClassVar[str] = "products.erasure.answered"


EVENTS: list[type[Event]] = [
    ErasureAnswered,
    ProductChanged,
    SubscriptionChanged,
    FeeRateChanged,
    ChargePosted,
    EntitlementChanged,
    ClubChanged,
    AttendanceRecorded,
    RedemptionConfirmed,
    RedemptionRefused,
    MessageRequested,
    DayCompleted,
]
