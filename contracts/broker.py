"""External facts: what the broker's trading, account and staff systems tell Careline."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID, uuid5

import msgspec

from contracts.base import Amount, DayClosed, Event, Quantity

TRADES = "careline.broker.trades"
ACCOUNTS = "careline.broker.accounts"
STAFF = "careline.broker.staff"
SERVICE = "careline.broker.service"
TOPICS = (TRADES, ACCOUNTS, STAFF, SERVICE)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_CASES = UUID("5b1cf4a3-9d0c-5e0e-8f57-0c9a1b6f4d21")
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)


def within_reach(*days: date | datetime) -> None:
    """Refuse dates no broker's record can carry: before 1990 (the exchanges opened) or from 2100 on."""
    for day in days:
        when = day.date() if isinstance(day, datetime) else day
        if not FIRST_DAY <= when < LAST_DAY:
            raise ValueError(f"{when.isoformat()} lies outside {FIRST_DAY.isoformat()} to {LAST_DAY.isoformat()}")


def aware(*instants: datetime) -> None:
    """Refuse times without an offset: nobody can say when they were."""
    for instant in instants:
        if instant.tzinfo is None:
            raise ValueError(f"{instant.isoformat()} has no UTC offset")
    within_reach(*instants)


class Instrument(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What was traded: a symbol, its kind (`stock`, `bond`, `fund:equity`, ..., `unknown`) and the issuer's risk class."""

    symbol: Name
    kind: Name
    risk_class: Name | None = None


class TradeSettled(Event, frozen=True, kw_only=True, gc=False):
    """A trade (成交) was settled. Identity: (client_id, trade_id); other content under it is a conflict.

    `commission` (佣金) is net of exchange fees and tax: the base of points [P1].
    """

    type: ClassVar[str] = "broker.trade.settled"
    topic: ClassVar[str] = TRADES

    trade_id: Name
    client_id: Name
    account_id: Name
    branch_id: Name
    trade_date: date
    settled_at: datetime
    instrument: Instrument
    side: Literal["buy", "sell"]
    quantity: Quantity
    price: Quantity | None = None
    amount: Quantity
    commission: Quantity
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    channel: Annotated[str, msgspec.Meta(max_length=64)] = ""

    def __post_init__(self) -> None:
        if self.settled_at.tzinfo is None:
            aware(self.settled_at)
        if not FIRST_DAY <= self.trade_date < LAST_DAY:
            within_reach(self.trade_date)

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.trade_id}"

    @property
    def happened_at(self) -> datetime:
        return self.settled_at


class TradeCancelled(Event, frozen=True, kw_only=True, gc=False):
    """A trade was cancelled (撤销) in full or in part: `remaining_commission` is what stays of its commission.

    The lowest remaining commission wins; it counts from the trade date, the amount pro rata [P1].
    """

    type: ClassVar[str] = "broker.trade.cancelled"
    topic: ClassVar[str] = TRADES

    trade_id: Name
    client_id: Name
    cancelled_at: datetime
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""
    remaining_commission: Quantity = msgspec.field(default_factory=lambda: Quantity(0))

    def __post_init__(self) -> None:
        aware(self.cancelled_at)

    @property
    def happened_at(self) -> datetime:
        return self.cancelled_at


class Profile(Event, frozen=True, kw_only=True, gc=False):
    """What the account system knows of a client: only what a rule needs."""

    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    branch_id: Name | None = None
    manager_id: Name | None = None
    opener_id: Name | None = None
    referrer_id: Name | None = None
    referrer_client_id: Name | None = None
    kind: Literal["individual", "institution"] | None = None
    account_status: Name | None = None
    experience_years: Annotated[int, msgspec.Meta(ge=0, le=150)] | None = None
    birth_date: date | None = None
    name: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    phone: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    email: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    id_number: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    address: Annotated[str, msgspec.Meta(max_length=400)] | None = None
    professional: Literal["A", "B", "C"] | None = None


class ClientOpened(Profile, frozen=True, kw_only=True, gc=False):
    """An account was opened (开户) on `opened_on`. Identity: client_id."""

    type: ClassVar[str] = "broker.client.opened"

    branch_id: Name
    opened_on: date

    def __post_init__(self) -> None:
        within_reach(self.opened_on)

    @property
    def identity(self) -> str:
        return self.client_id

    @property
    def happened_at(self) -> date:
        return self.opened_on


class ClientUpdated(Profile, frozen=True, kw_only=True, gc=False):
    """The profile changed; fields not given stay as they were. Of several, the highest (ce_time, ce_id) is in force."""

    type: ClassVar[str] = "broker.client.updated"


class ClosingRequested(Event, frozen=True, kw_only=True, gc=False):
    """The client asked to close (销户) or transfer (转户) the account."""

    type: ClassVar[str] = "broker.client.closing_requested"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    requested_on: date

    def __post_init__(self) -> None:
        within_reach(self.requested_on)

    @property
    def happened_at(self) -> date:
        return self.requested_on


class ClientClosed(Event, frozen=True, kw_only=True, gc=False):
    """The account was closed (销户) on `closed_on`, its first day without an account."""

    type: ClassVar[str] = "broker.client.closed"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    closed_on: date

    def __post_init__(self) -> None:
        within_reach(self.closed_on)

    @property
    def happened_at(self) -> date:
        return self.closed_on


class AssetsValued(Event, frozen=True, kw_only=True, gc=False):
    """A client's assets (资产) at the end of `as_of`. A later word on the same date replaces it [K2a]."""

    type: ClassVar[str] = "broker.assets.valued"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    as_of: date
    total_assets: Amount
    cash: Amount | None = None
    market_value: Amount | None = None

    def __post_init__(self) -> None:
        within_reach(self.as_of)

    @property
    def happened_at(self) -> date:
        return self.as_of


class AssessmentRecorded(Event, frozen=True, kw_only=True, gc=False):
    """An assessment of risk tolerance (风险承受能力评估) was made elsewhere."""

    type: ClassVar[str] = "broker.assessment.recorded"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    scheme: Name
    level: Name
    assessed_on: date

    def __post_init__(self) -> None:
        within_reach(self.assessed_on)

    @property
    def happened_at(self) -> date:
        return self.assessed_on


class FundsMoved(Event, frozen=True, kw_only=True, gc=False):
    """Money moved in or out (银证转账). Identity: (client_id, transfer_id)."""

    type: ClassVar[str] = "broker.funds.moved"
    topic: ClassVar[str] = ACCOUNTS

    transfer_id: Name
    client_id: Name
    moved_at: datetime
    direction: Literal["in", "out"]
    amount: Quantity

    def __post_init__(self) -> None:
        aware(self.moved_at)

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.transfer_id}"

    @property
    def happened_at(self) -> datetime:
        return self.moved_at


class PermissionRequested(Event, frozen=True, kw_only=True, gc=False):
    """The client asked for a trading permission (ChiNext 创业板, margin 融资融券, ...)."""

    type: ClassVar[str] = "broker.permission.requested"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    permission: Name
    at: datetime

    def __post_init__(self) -> None:
        aware(self.at)

    @property
    def happened_at(self) -> datetime:
        return self.at


class PermissionGranted(PermissionRequested, frozen=True, kw_only=True, gc=False):
    """The permission was granted."""

    type: ClassVar[str] = "broker.permission.granted"


class ProductPurchased(Event, frozen=True, kw_only=True, gc=False):
    """The client bought (or, negative, gave back) a financial product for `amount`."""

    type: ClassVar[str] = "broker.product.purchased"
    topic: ClassVar[str] = TRADES

    client_id: Name
    purchase_id: Name
    product_code: Name
    amount: Amount
    at: datetime

    def __post_init__(self) -> None:
        aware(self.at)

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.purchase_id}"

    @property
    def happened_at(self) -> datetime:
        return self.at


class SurveillanceAlerted(Event, frozen=True, kw_only=True, gc=False):
    """Surveillance (监控预警) saw something: `laundering` suspicions go to compliance only, nobody may tip off [B6]."""

    type: ClassVar[str] = "broker.surveillance.alerted"
    topic: ClassVar[str] = SERVICE

    client_id: Name
    alert_id: Name
    kind: Literal["trading", "funds", "laundering"]
    at: datetime

    def __post_init__(self) -> None:
        aware(self.at)

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.alert_id}"

    @property
    def happened_at(self) -> datetime:
        return self.at


class CallMissed(Event, frozen=True, kw_only=True, gc=False):
    """Nobody answered a call to the hotline or a complaint phone [C24]; `client_id` when the number is known."""

    type: ClassVar[str] = "broker.call.missed"
    topic: ClassVar[str] = SERVICE

    call_id: Name
    client_id: Name | None = None
    branch_id: Name | None = None
    phone: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    line: Name = "hotline"
    at: datetime

    def __post_init__(self) -> None:
        aware(self.at)

    @property
    def key(self) -> str:
        return self.client_id or f"call:{self.call_id}"

    @property
    def identity(self) -> str:
        return self.call_id

    @property
    def happened_at(self) -> datetime:
        return self.at


class OpeningBooked(Event, frozen=True, kw_only=True, gc=False):
    """Somebody booked an account opening (预约开户): a named owner follows promptly [B16]."""

    type: ClassVar[str] = "broker.opening.booked"
    topic: ClassVar[str] = SERVICE

    booking_id: Name
    branch_id: Name
    owner: Name | None = None
    name: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    phone: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    at: datetime

    def __post_init__(self) -> None:
        aware(self.at)

    @property
    def key(self) -> str:
        return f"booking:{self.booking_id}"

    @property
    def identity(self) -> str:
        return self.booking_id

    @property
    def happened_at(self) -> datetime:
        return self.at


class EnquiryReceived(Event, frozen=True, kw_only=True, gc=False):
    """An enquiry came by e-mail: replied to the same day in principle, within 2 working days at most [B14]."""

    type: ClassVar[str] = "broker.enquiry.received"
    topic: ClassVar[str] = SERVICE

    enquiry_id: Name
    client_id: Name | None = None
    branch_id: Name | None = None
    subject: Annotated[str, msgspec.Meta(max_length=500)] = ""
    at: datetime

    def __post_init__(self) -> None:
        aware(self.at)

    @property
    def key(self) -> str:
        return self.client_id or f"enquiry:{self.enquiry_id}"

    @property
    def identity(self) -> str:
        return self.enquiry_id

    @property
    def happened_at(self) -> datetime:
        return self.at


class ComplaintReceived(Event, frozen=True, kw_only=True, gc=False):
    """A complaint (投诉) came in through another system: a branch's own register, a regulator's transfer, an import [C1].

    `system` and `external_ref` name it. Such an import (`imported`) asks for no phone notice, and its severity is as
    given. `dispatched_at` is when its order went to the branch, where that is known [C4].
    """

    type: ClassVar[str] = "broker.complaint.received"
    topic: ClassVar[str] = SERVICE

    system: Name = "broker"
    external_ref: Name
    client_id: Name | None = None
    branch_id: Name | None = None
    received_at: datetime
    dispatched_at: datetime | None = None
    kind: Literal["complaint", "suggestion", "enquiry"] = "complaint"
    source: Literal["client", "regulator", "exchange", "petition_office"] = "client"
    channel: Literal[
        "hotline",
        "centre_mailbox",
        "branch_phone",
        "branch_mailbox",
        "on_site",
        "web_form",
        "post",
        "fax",
        "app",
        "regulator_transfer",
        "not_recorded",
    ]
    flow: Literal["centre", "branch", "on_site"] = "centre"
    severity: Literal["ordinary", "major"] | None = None
    owner: Name | None = None
    category: Annotated[str, msgspec.Meta(max_length=200)] = ""
    words: Annotated[str, msgspec.Meta(max_length=20_000)] = ""
    product: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    employee: Name | None = None
    script: Name | None = None
    claim: Quantity | None = None
    regulator_ref: Name | None = None
    reply_due_on: date | None = None
    imported: bool = True
    attributes: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        aware(self.received_at, *([self.dispatched_at] if self.dispatched_at else []))
        if self.reply_due_on is not None:
            within_reach(self.reply_due_on)

    @property
    def case_id(self) -> UUID:
        """The case it becomes: derived, so that the same complaint is the same case wherever it is heard."""
        return uuid5(_CASES, f"{self.system}\n{self.external_ref}")

    @property
    def key(self) -> str:
        return self.client_id or f"case:{self.case_id}"

    @property
    def identity(self) -> str:
        return f"{self.system}/{self.external_ref}"

    @property
    def happened_at(self) -> datetime:
        return self.received_at


class Seat(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A seat (席位) somebody holds: in a branch, or in `HQ`; from and up to instants, open where not given.

    In a branch `complaint_officer` 投诉专员, `marketing_director` 营销总监, `operations_director` 营运总监 and
    `general_manager` 总经理 are the complaint group [C5]; in HQ `call_centre` and one seat a department.
    """

    unit: Name
    seat: Name
    since: datetime | None = None
    until: datetime | None = None


class Absence(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Away (缺勤) from `since` until the instant before `until`; without it until further notice."""

    since: datetime
    until: datetime | None = None
    reason: Annotated[str, msgspec.Meta(max_length=64)] = ""

    def __post_init__(self) -> None:
        aware(self.since, *([self.until] if self.until else []))
        if self.until is not None and self.until <= self.since:
            raise ValueError("an absence ends before it begins")


class StaffChanged(Event, frozen=True, kw_only=True, gc=False):
    """A person of the staff (员工) as they are from the event's time on: the whole person, not the difference.

    The highest (ce_time, ce_id) at an instant is in force [C28]. `deputies` (代理人) stand in, in this order, when the
    person is away, has left or may not act; `left_on` is the first day without them. `user` is their sign-in name.
    """

    type: ClassVar[str] = "broker.staff.changed"
    topic: ClassVar[str] = STAFF

    staff_id: Name
    branch_id: Name | None = None
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    user: Name | None = None
    seats: tuple[Seat, ...] = ()
    deputies: tuple[Name, ...] = ()
    absences: tuple[Absence, ...] = ()
    skills: tuple[Name, ...] = ()
    languages: tuple[Name, ...] = ()
    left_on: date | None = None

    def __post_init__(self) -> None:
        for seat in self.seats:
            aware(*(when for when in (seat.since, seat.until) if when))
        if self.left_on is not None:
            within_reach(self.left_on)
        if self.staff_id in self.deputies:
            raise ValueError(f"{self.staff_id} cannot be their own deputy")

    @property
    def key(self) -> str:
        return f"staff:{self.staff_id}"


class BranchChanged(Event, frozen=True, kw_only=True, gc=False):
    """A branch (营业部) as it is from the event's time on: the complaint phone and mailbox it publishes, and where.

    `seat_deputies` name who receives for a seat nobody holds [C5]. The highest (ce_time, ce_id) is in force.
    """

    type: ClassVar[str] = "broker.branch.changed"
    topic: ClassVar[str] = STAFF

    branch_id: Name
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    phone: Annotated[str, msgspec.Meta(max_length=40)] = ""
    mailbox: Annotated[str, msgspec.Meta(max_length=200)] = ""
    published_at_places: tuple[Annotated[str, msgspec.Meta(max_length=200)], ...] = ()
    published_on: date | None = None
    seat_deputies: dict[Name, Name] = msgspec.field(default_factory=dict)
    closed_on: date | None = None

    def __post_init__(self) -> None:
        within_reach(*(day for day in (self.published_on, self.closed_on) if day))

    @property
    def key(self) -> str:
        return f"branch:{self.branch_id}"


class CommissionAgreed(Event, frozen=True, kw_only=True, gc=False):
    """The client's commission (佣金) is `rate` per mille, all-in on A-shares, from `effective_on` on; the highest
    (ce_time, ce_id) of a date wins; `withdrawn` takes the agreement back [S1]."""

    type: ClassVar[str] = "broker.commission.agreed"
    topic: ClassVar[str] = ACCOUNTS

    agreement_id: Name
    client_id: Name
    account_id: Name | None = None
    rate: Quantity
    effective_on: date
    withdrawn: bool = False

    def __post_init__(self) -> None:
        within_reach(self.effective_on)
        if self.rate != round(self.rate, 4):
            raise ValueError("a rate has at most four decimals")

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.agreement_id}"

    @property
    def happened_at(self) -> date:
        return self.effective_on


class AgreementSigned(Event, frozen=True, kw_only=True, gc=False):
    """The client signed an agreement (协议): an adviser's, an entrustment's; `ref` is the signed document's."""

    type: ClassVar[str] = "broker.agreement.signed"
    topic: ClassVar[str] = ACCOUNTS

    agreement_id: Name
    client_id: Name
    kind: Name
    ref: Name
    on: date

    def __post_init__(self) -> None:
        within_reach(self.on)

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.agreement_id}"

    @property
    def happened_at(self) -> date:
        return self.on


class AgreementEnded(AgreementSigned, frozen=True, kw_only=True, gc=False):
    """The agreement ended."""

    type: ClassVar[str] = "broker.agreement.ended"


class EntrustedValued(Event, frozen=True, kw_only=True, gc=False):
    """Assets entrusted (受托资产) under an agreement at the end of `as_of`: the base of product D's fee [S3]."""

    type: ClassVar[str] = "broker.entrusted.valued"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    agreement_id: Name
    as_of: date
    value: Quantity

    def __post_init__(self) -> None:
        within_reach(self.as_of)

    @property
    def happened_at(self) -> date:
        return self.as_of


class PaymentRecorded(Event, frozen=True, kw_only=True, gc=False):
    """The broker's billing says what became of a charge."""

    type: ClassVar[str] = "broker.payment.recorded"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    charge_id: UUID
    state: Literal["paid", "failed", "refunded"]
    at: datetime

    def __post_init__(self) -> None:
        aware(self.at)

    @property
    def happened_at(self) -> datetime:
        return self.at


class HoldingValued(Event, frozen=True, kw_only=True, gc=False):
    """What a client held of a symbol (持仓) at the end of `as_of`."""

    type: ClassVar[str] = "broker.holding.valued"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    as_of: date
    symbol: Name
    quantity: Quantity
    value: Quantity

    def __post_init__(self) -> None:
        within_reach(self.as_of)

    @property
    def happened_at(self) -> date:
        return self.as_of


class InstrumentNoticed(Event, frozen=True, kw_only=True, gc=False):
    """Something about an instrument (公告): a warrant's expiry, a rights issue, a listing. Keyed by the symbol."""

    type: ClassVar[str] = "broker.instrument.noticed"
    topic: ClassVar[str] = SERVICE

    notice_id: Name
    symbol: Name
    kind: Literal["warrant_expiry", "rights_issue", "listing", "new_issue", "suspension", "rating", "risk"]
    on: date

    def __post_init__(self) -> None:
        within_reach(self.on)

    @property
    def key(self) -> str:
        return f"symbol:{self.symbol}"

    @property
    def identity(self) -> str:
        return self.notice_id

    @property
    def happened_at(self) -> date:
        return self.on


class AllotmentMade(Event, frozen=True, kw_only=True, gc=False):
    """The client was allotted shares of a new issue (中签): to be paid by `pay_by`."""

    type: ClassVar[str] = "broker.allotment.made"
    topic: ClassVar[str] = TRADES

    client_id: Name
    allotment_id: Name
    symbol: Name
    quantity: Quantity
    pay_by: date

    def __post_init__(self) -> None:
        within_reach(self.pay_by)

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.allotment_id}"


class QuotaReported(Event, frozen=True, kw_only=True, gc=False):
    """The client's quota for new issues (申购额度) of a market at the end of `as_of`."""

    type: ClassVar[str] = "broker.quota.reported"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Name
    market: Name
    as_of: date
    quota: Quantity

    def __post_init__(self) -> None:
        within_reach(self.as_of)

    @property
    def happened_at(self) -> date:
        return self.as_of


class ContactRecorded(Event, frozen=True, kw_only=True, gc=False):
    """A contact that another system saw: a call answered (`wait_s`: how long the caller waited), a visit, a letter.

    `valid`: identity was verified and they talked [B3]; `topics` are the callback topics it answered; `evidence` names
    the recording or paper.
    """

    type: ClassVar[str] = "broker.contact.recorded"
    topic: ClassVar[str] = SERVICE

    contact_id: Name
    client_id: Name | None = None
    staff_id: Name
    channel: Name
    direction: Literal["in", "out"]
    at: datetime
    valid: bool = False
    topics: list[Name] = msgspec.field(default_factory=list)
    evidence: Name | None = None
    wait_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] | None = None

    def __post_init__(self) -> None:
        aware(self.at)

    @property
    def key(self) -> str:
        return self.client_id or f"contact:{self.contact_id}"

    @property
    def identity(self) -> str:
        return self.contact_id

    @property
    def happened_at(self) -> datetime:
        return self.at


class BrokerDayClosed(DayClosed, frozen=True, kw_only=True, gc=False):
    """The business date is closed: the only source of "time has passed" for rules."""

    type: ClassVar[str] = "broker.day.closed"

    def __post_init__(self) -> None:
        within_reach(self.business_date)

    @property
    def key(self) -> str:
        return self.business_date.isoformat()

    @property
    def happened_at(self) -> date:
        return self.business_date


EVENTS: list[type[Event]] = [
    TradeSettled,
    TradeCancelled,
    ProductPurchased,
    ClientOpened,
    ClientUpdated,
    ClosingRequested,
    ClientClosed,
    AssetsValued,
    AssessmentRecorded,
    FundsMoved,
    PermissionRequested,
    PermissionGranted,
    SurveillanceAlerted,
    CallMissed,
    OpeningBooked,
    EnquiryReceived,
    ComplaintReceived,
    CommissionAgreed,
    AgreementSigned,
    AgreementEnded,
    EntrustedValued,
    PaymentRecorded,
    HoldingValued,
    InstrumentNoticed,
    AllotmentMade,
    QuotaReported,
    ContactRecorded,
    BrokerDayClosed,
]
