"""External facts: what the broker's trading, account and staff systems tell Careline."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID, uuid5

import msgspec

from contracts.base import DayClosed, Event
from contracts.fields import (
    Amount,
    BirthDate,
    BusinessDate,
    Code,
    Currency,
    Email,
    Id,
    Identifier,
    IdNumber,
    Instant,
    Phone,
    Quantity,
    Rate,
    Seconds,
    Text64,
    Text200,
    Text400,
    Text500,
    Text2000,
    Text20000,
    Years,
)
from contracts.personal import FreeText, Personal, PersonalEvent

TRADES = "careline.broker.trades"
ACCOUNTS = "careline.broker.accounts"
STAFF = "careline.broker.staff"
SERVICE = "careline.broker.service"
TOPICS = (TRADES, ACCOUNTS, STAFF, SERVICE)

_CASES = UUID("5b1cf4a3-9d0c-5e0e-8f57-0c9a1b6f4d21")


class Instrument(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What was traded: a symbol, its kind (`stock`, `bond`, `fund:equity`, ..., `unknown`) and the issuer's risk class."""

    symbol: Code
    kind: Code
    risk_class: Code | None = None


class TradeSettled(Event, frozen=True, kw_only=True, gc=False):
    """A trade (成交) was settled. Identity: (client_id, trade_id); other content under it is a conflict.

    `commission` (佣金) is net of exchange fees and tax: the base of points [P1].
    """

    type: ClassVar[str] = "broker.trade.settled"
    topic: ClassVar[str] = TRADES

    trade_id: Identifier
    client_id: Identifier
    account_id: Identifier
    branch_id: Identifier
    trade_date: BusinessDate
    settled_at: Instant
    instrument: Instrument
    side: Literal["buy", "sell"]
    quantity: Quantity
    price: Quantity | None = None
    amount: Quantity
    commission: Quantity
    currency: Currency
    channel: Text64 = ""

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

    trade_id: Identifier
    client_id: Identifier
    cancelled_at: Instant
    reason: FreeText[Text500] = ""
    remaining_commission: Quantity = msgspec.field(default_factory=lambda: Quantity(0))

    @property
    def happened_at(self) -> datetime:
        return self.cancelled_at


class Profile(PersonalEvent, frozen=True, kw_only=True, gc=False):
    """What the account system knows of a client: only what a rule needs."""

    topic: ClassVar[str] = ACCOUNTS

    client_id: Identifier
    branch_id: Identifier | None = None
    manager_id: Identifier | None = None
    opener_id: Identifier | None = None
    referrer_id: Identifier | None = None
    referrer_client_id: Identifier | None = None
    kind: Literal["individual", "institution"] | None = None
    account_status: Code | None = None
    experience_years: Years | None = None
    birth_date: BirthDate | None = None
    name: Personal[Text200] | None = None
    phone: Personal[Phone] | None = None
    email: Personal[Email] | None = None
    id_number: Personal[IdNumber] | None = None
    address: Personal[Text400] | None = None
    professional: Literal["A", "B", "C"] | None = None


class ClientOpened(Profile, frozen=True, kw_only=True, gc=False):
    """An account was opened (开户) on `opened_on`. Identity: client_id."""

    type: ClassVar[str] = "broker.client.opened"

    branch_id: Identifier
    opened_on: BusinessDate

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

    client_id: Identifier
    requested_on: BusinessDate

    @property
    def happened_at(self) -> date:
        return self.requested_on


class ClientClosed(Event, frozen=True, kw_only=True, gc=False):
    """The account was closed (销户) on `closed_on`, its first day without an account."""

    type: ClassVar[str] = "broker.client.closed"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Identifier
    closed_on: BusinessDate

    @property
    def happened_at(self) -> date:
        return self.closed_on


class AssetsValued(Event, frozen=True, kw_only=True, gc=False):
    """A client's assets (资产) at the end of `as_of`. A later word on the same date replaces it [K2a]."""

    type: ClassVar[str] = "broker.assets.valued"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Identifier
    as_of: BusinessDate
    total_assets: Amount
    cash: Amount | None = None
    market_value: Amount | None = None

    @property
    def happened_at(self) -> date:
        return self.as_of


class AssessmentRecorded(Event, frozen=True, kw_only=True, gc=False):
    """An assessment of risk tolerance (风险承受能力评估) was made elsewhere."""

    type: ClassVar[str] = "broker.assessment.recorded"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Identifier
    scheme: Code
    level: Code
    assessed_on: BusinessDate

    @property
    def happened_at(self) -> date:
        return self.assessed_on


class FundsMoved(Event, frozen=True, kw_only=True, gc=False):
    """Money moved in or out (银证转账). Identity: (client_id, transfer_id)."""

    type: ClassVar[str] = "broker.funds.moved"
    topic: ClassVar[str] = ACCOUNTS

    transfer_id: Identifier
    client_id: Identifier
    moved_at: Instant
    direction: Literal["in", "out"]
    amount: Quantity

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

    client_id: Identifier
    permission: Code
    at: Instant

    @property
    def happened_at(self) -> datetime:
        return self.at


class PermissionGranted(PermissionRequested, frozen=True, kw_only=True, gc=False):
    """The permission was granted."""

    type: ClassVar[str] = "broker.permission.granted"


class PermissionEnded(PermissionRequested, frozen=True, kw_only=True, gc=False):
    """The permission ended: taken back by the broker, or given up."""

    type: ClassVar[str] = "broker.permission.ended"


class ProductPurchased(Event, frozen=True, kw_only=True, gc=False):
    """The client bought (or, negative, gave back) a financial product for `amount`."""

    type: ClassVar[str] = "broker.product.purchased"
    topic: ClassVar[str] = TRADES

    client_id: Identifier
    purchase_id: Identifier
    product_code: Code
    amount: Amount
    at: Instant

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

    client_id: Identifier
    alert_id: Identifier
    kind: Literal["trading", "funds", "laundering"]
    at: Instant

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.alert_id}"

    @property
    def happened_at(self) -> datetime:
        return self.at


class CallMissed(PersonalEvent, frozen=True, kw_only=True, gc=False):
    """Nobody answered a call to the hotline or a complaint phone [C24]; `client_id` when the number is known."""

    type: ClassVar[str] = "broker.call.missed"
    topic: ClassVar[str] = SERVICE

    call_id: Identifier
    client_id: Identifier | None = None
    branch_id: Identifier | None = None
    phone: Personal[Phone] | None = None
    line: Code = "hotline"
    at: Instant

    @property
    def key(self) -> str:
        return self.client_id or f"call:{self.call_id}"

    @property
    def identity(self) -> str:
        return self.call_id

    @property
    def happened_at(self) -> datetime:
        return self.at


class OpeningBooked(PersonalEvent, frozen=True, kw_only=True, gc=False):
    """Somebody booked an account opening (预约开户): a named owner follows promptly [B16]."""

    type: ClassVar[str] = "broker.opening.booked"
    topic: ClassVar[str] = SERVICE

    booking_id: Identifier
    branch_id: Identifier
    owner: Code | None = None
    name: Personal[Text200] | None = None
    phone: Personal[Phone] | None = None
    at: Instant

    @property
    def key(self) -> str:
        return f"booking:{self.booking_id}"

    @property
    def identity(self) -> str:
        return self.booking_id

    @property
    def happened_at(self) -> datetime:
        return self.at


class EnquiryReceived(PersonalEvent, frozen=True, kw_only=True, gc=False):
    """An enquiry came by e-mail: replied to the same day in principle, within 2 working days at most [B14]."""

    type: ClassVar[str] = "broker.enquiry.received"
    topic: ClassVar[str] = SERVICE

    enquiry_id: Identifier
    client_id: Identifier | None = None
    branch_id: Identifier | None = None
    subject: Personal[Text500] = ""
    at: Instant

    @property
    def key(self) -> str:
        return self.client_id or f"enquiry:{self.enquiry_id}"

    @property
    def identity(self) -> str:
        return self.enquiry_id

    @property
    def happened_at(self) -> datetime:
        return self.at


class ComplaintReceived(PersonalEvent, frozen=True, kw_only=True, gc=False):
    """A complaint (投诉) came in through another system: a branch's own register, a regulator's transfer, an import [C1].

    `system` and `external_ref` name it. Such an import (`imported`) asks for no phone notice, and its severity is as
    given. `dispatched_at` is when its order went to the branch, where that is known [C4].
    """

    type: ClassVar[str] = "broker.complaint.received"
    topic: ClassVar[str] = SERVICE
    tells_ahead: ClassVar[tuple[str, ...]] = ("reply_due_on",)

    system: Code = "broker"
    external_ref: Code
    client_id: Identifier | None = None
    branch_id: Identifier | None = None
    received_at: Instant
    dispatched_at: Instant | None = None
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
    owner: Code | None = None
    category: FreeText[Text200] = ""
    words: Personal[Text20000] = ""
    product: FreeText[Text200] | None = None
    employee: Code | None = None
    script: Code | None = None
    claim: Quantity | None = None
    regulator_ref: Code | None = None
    reply_due_on: BusinessDate | None = None
    imported: bool = True
    attributes: dict[Code, FreeText[Text2000]] = msgspec.field(default_factory=dict)

    @property
    def case_id(self) -> UUID:
        """The case it becomes: derived, so that the same complaint is the same case wherever it is heard."""
        return uuid5(_CASES, f"{self.system}\n{self.external_ref}")

    @property
    def key(self) -> str:
        return self.client_id or f"case:{self.case_id}"

    @property
    def key_owner(self) -> str:
        """The words go with the case: its erasure alone is enough."""
        return f"case:{self.case_id}"

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

    unit: Code
    seat: Code
    since: Instant | None = None
    until: Instant | None = None


class Absence(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Away (缺勤) from `since` until the instant before `until`; without it until further notice."""

    since: Instant
    until: Instant | None = None
    reason: Text64 = ""

    def __post_init__(self) -> None:
        if self.until is not None and self.until <= self.since:
            raise ValueError("an absence ends before it begins")


class StaffChanged(Event, frozen=True, kw_only=True, gc=False):
    """A person of the staff (员工) as they are from the event's time on: the whole person, not the difference.

    The highest (ce_time, ce_id) at an instant is in force [C28]. `deputies` (代理人) stand in, in this order, when the
    person is away, has left or may not act; `left_on` is the first day without them. `user` is their sign-in name.
    """

    type: ClassVar[str] = "broker.staff.changed"
    topic: ClassVar[str] = STAFF
    tells_ahead: ClassVar[tuple[str, ...]] = ("left_on",)

    staff_id: Identifier
    branch_id: Identifier | None = None
    name: Text200 = ""
    user: Code | None = None
    seats: tuple[Seat, ...] = ()
    deputies: tuple[Code, ...] = ()
    absences: tuple[Absence, ...] = ()
    skills: tuple[Code, ...] = ()
    languages: tuple[Code, ...] = ()
    left_on: BusinessDate | None = None

    def __post_init__(self) -> None:
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
    tells_ahead: ClassVar[tuple[str, ...]] = ("closed_on", "published_on")

    branch_id: Identifier
    name: Text200 = ""
    phone: Text64 = ""
    mailbox: Text200 = ""
    published_at_places: tuple[Text200, ...] = ()
    published_on: BusinessDate | None = None
    seat_deputies: dict[Code, Code] = msgspec.field(default_factory=dict)
    closed_on: BusinessDate | None = None

    @property
    def key(self) -> str:
        return f"branch:{self.branch_id}"


class CommissionAgreed(Event, frozen=True, kw_only=True, gc=False):
    """The client's commission (佣金) is `rate` per mille, all-in on A-shares, from `effective_on` on; the highest
    (ce_time, ce_id) of a date wins; `withdrawn` takes the agreement back [S1]."""

    type: ClassVar[str] = "broker.commission.agreed"
    topic: ClassVar[str] = ACCOUNTS
    tells_ahead: ClassVar[tuple[str, ...]] = ("effective_on",)

    agreement_id: Identifier
    client_id: Identifier
    account_id: Identifier | None = None
    rate: Rate
    effective_on: BusinessDate
    withdrawn: bool = False

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

    agreement_id: Identifier
    client_id: Identifier
    kind: Code
    ref: Code
    on: BusinessDate

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.agreement_id}"

    @property
    def happened_at(self) -> date:
        return self.on


class AgreementEnded(AgreementSigned, frozen=True, kw_only=True, gc=False):
    """The agreement ended."""

    type: ClassVar[str] = "broker.agreement.ended"
    tells_ahead: ClassVar[tuple[str, ...]] = ("on",)


class EntrustedValued(Event, frozen=True, kw_only=True, gc=False):
    """Assets entrusted (受托资产) under an agreement at the end of `as_of`: the base of product D's fee [S3]."""

    type: ClassVar[str] = "broker.entrusted.valued"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Identifier
    agreement_id: Identifier
    as_of: BusinessDate
    value: Quantity

    @property
    def happened_at(self) -> date:
        return self.as_of


class PaymentRecorded(Event, frozen=True, kw_only=True, gc=False):
    """The broker's billing says what became of a charge."""

    type: ClassVar[str] = "broker.payment.recorded"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Identifier
    charge_id: Id
    state: Literal["paid", "failed", "refunded"]
    at: Instant

    @property
    def happened_at(self) -> datetime:
        return self.at


class HoldingValued(Event, frozen=True, kw_only=True, gc=False):
    """What a client held of a symbol (持仓) at the end of `as_of`."""

    type: ClassVar[str] = "broker.holding.valued"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Identifier
    as_of: BusinessDate
    symbol: Code
    quantity: Quantity
    value: Quantity

    @property
    def happened_at(self) -> date:
        return self.as_of


class InstrumentNoticed(Event, frozen=True, kw_only=True, gc=False):
    """Something about an instrument (公告): a warrant's expiry, a rights issue, a listing. Keyed by the symbol."""

    type: ClassVar[str] = "broker.instrument.noticed"
    topic: ClassVar[str] = SERVICE
    tells_ahead: ClassVar[tuple[str, ...]] = ("on",)

    notice_id: Identifier
    symbol: Code
    kind: Literal["warrant_expiry", "rights_issue", "listing", "new_issue", "suspension", "rating", "risk"]
    on: BusinessDate

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
    tells_ahead: ClassVar[tuple[str, ...]] = ("pay_by",)

    client_id: Identifier
    allotment_id: Identifier
    symbol: Code
    quantity: Quantity
    pay_by: BusinessDate

    @property
    def identity(self) -> str:
        return f"{self.client_id}/{self.allotment_id}"


class QuotaReported(Event, frozen=True, kw_only=True, gc=False):
    """The client's quota for new issues (申购额度) of a market at the end of `as_of`."""

    type: ClassVar[str] = "broker.quota.reported"
    topic: ClassVar[str] = ACCOUNTS

    client_id: Identifier
    market: Code
    as_of: BusinessDate
    quota: Quantity

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

    contact_id: Identifier
    client_id: Identifier | None = None
    staff_id: Identifier
    channel: Code
    direction: Literal["in", "out"]
    at: Instant
    valid: bool = False
    topics: list[Code] = msgspec.field(default_factory=list)
    evidence: Code | None = None
    wait_s: Seconds | None = None

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
    PermissionEnded,
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
