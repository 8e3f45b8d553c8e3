"""What products keeps. Rates are whole ten-thousandths of a per mille [S1]."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Date, Index, Integer, Table, Text, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis import rows
from chassis.clients import Clients, Fact
from chassis.histories import History
from chassis.late import LateFacts
from chassis.rows import Row
from chassis.sealed import SealedTable
from chassis.tables import Instant, new_metadata
from contracts.classification import CoreChanged, TierChanged
from contracts.products import ClubStretch, EntitlementStretch, RateStretch, SubscriptionStretch
from contracts.suitability import ProfessionalChanged
from services.products.told import Telling

metadata = new_metadata()
PaidBy = Literal["fee", "points", "bundle"]

CLIENTS = Clients(
    metadata,
    Fact("branch_id"),
    Fact("opened_on", Date),
    columns=[Column("closed_on", Date), Index(None, "branch_id")],
    follow={
        "subscriptions": "t.state <> 'ended'",
        "club_memberships": "t.state <> 'lapsed'",
        "club_registrations": "t.state IN ('registered', 'waiting')",
        "approvals": "t.state = 'waiting'",
    },
)
LATE = LateFacts(metadata)


class ProductRow(Row, frozen=True):
    """A product of the library; what it is stands in the catalogue (policy), where it stands here."""

    product: Annotated[str, rows.Column(primary_key=True)]
    state: str
    since: Annotated[date, rows.Column(comment="of this state")]
    revision: Annotated[int, rows.Column(server_default="0", comment="of its acts")]
    told: Annotated[int, rows.Column(server_default="0", comment="revision of products.product.changed")]
    told_floor: str | None
    told_rank: int | None


products = rows.table("products", metadata, ProductRow)


class ShelfRow(Row, frozen=True):
    """Where a product stands from a day on; of one day the last counts."""

    product: Annotated[str, rows.Column(primary_key=True)]
    since: Annotated[date, rows.Column(primary_key=True)]
    revision: Annotated[int, rows.Column(primary_key=True)]
    state: str
    recorded_at: datetime


shelf = rows.table("product_states", metadata, ShelfRow)


class CommissionRow(Row, frozen=True):
    """A word on an agreement on commission; of one agreement the highest (said_at, event_id) counts, of one day the
    highest of the agreements that are not withdrawn [S1]."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    agreement_id: Annotated[str, rows.Column(primary_key=True)]
    said_at: Annotated[datetime, rows.Column(primary_key=True, comment="ce_time")]
    event_id: Annotated[str, rows.Column(primary_key=True, comment="ce_id")]
    account_id: Annotated[str | None, rows.Column(comment="for this account alone")]
    rate: Annotated[int, rows.Column(comment="all in, ten-thousandths of a per mille")]
    effective_on: date
    withdrawn: bool
    recorded_at: datetime


commissions = rows.table(
    "commissions", metadata, CommissionRow, CheckConstraint("rate BETWEEN 0 AND 30000", name="ceiling")
)

RATES: Telling[RateStretch] = Telling(metadata, "fee_rates", RateStretch)


class ApplicationRow(Row, frozen=True):
    """From when on the trading system applies a revision of the rates, which may be later than what it says begins."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    revision: Annotated[int, rows.Column(BigInteger, primary_key=True)]
    changed_from: date
    apply_from: date


rate_applications = rows.table("rate_applications", metadata, ApplicationRow)


class TradeRow(Row, frozen=True):
    """A trade of A-shares of a client whose commission was known: what differences of the rate are reckoned on."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    trade_id: Annotated[str, rows.Column(primary_key=True)]
    account_id: str
    trade_date: date
    amount: Decimal
    commission: Decimal


trades = rows.table("trades", metadata, TradeRow, Index(None, "client_id", "trade_date"))


class CancellationRow(Row, frozen=True):
    """The lowest commission that remains of a trade; it may be heard before the trade."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    trade_id: Annotated[str, rows.Column(primary_key=True)]
    remaining: Decimal


cancellations = rows.table("trade_cancellations", metadata, CancellationRow)


class DifferenceRow(Row, frozen=True):
    """A day whose rate or trades changed: its difference is reckoned at the next close."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    day: Annotated[date, rows.Column(primary_key=True)]


class PriceNoticeRow(Row, frozen=True):
    """A version of the catalogue whose prices are told ahead to who signed before, and the day on which that began."""

    version: Annotated[str, rows.Column(primary_key=True)]
    told_on: date


price_notices = rows.table("price_notices", metadata, PriceNoticeRow)


class PriceToldRow(Row, frozen=True):
    """A subscription that was looked at for the prices a version will have for holders, and told of them where they differ."""

    version: Annotated[str, rows.Column(primary_key=True)]
    subscription_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]


prices_told = rows.table("prices_told", metadata, PriceToldRow)

differences_due = rows.table("differences_due", metadata, DifferenceRow, Index(None, "day"))

TIERS: History[TierChanged] = History(
    metadata, "tiers", Column("since", Date, primary_key=True), Column("until", Date), Column("tier", Text, nullable=False),
    told=lambda change: [(stretch.since, stretch.until, stretch.tier) for stretch in change.stretches],
)  # fmt: skip


class DecisionRow(Row, frozen=True):
    """A suitability decision (适当性匹配) as suitability told it: outcome, and for how long a confirmed one holds."""

    decision_id: Annotated[str, rows.Column(primary_key=True)]
    client_id: str
    product: str
    outcome: Annotated[str | None, rows.Column(comment="none: its confirmation was heard first")]
    decided_at: datetime | None
    confirmed_at: datetime | None
    valid_until: date | None


decisions = rows.table("decisions", metadata, DecisionRow)


class LevelRow(Row, frozen=True):
    """An assessment: the level a client has from a day to another; the one valid from the latest day counts."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    assessment_id: Annotated[str, rows.Column(primary_key=True)]
    level: str
    valid_from: date
    valid_until: Annotated[date, rows.Column(comment="the last day")]


levels = rows.table("levels", metadata, LevelRow)


class AgreementRow(Row, frozen=True):
    """An agreement (协议) with a client; its end may be heard before its beginning."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    agreement_id: Annotated[str, rows.Column(primary_key=True)]
    kind: str
    ref: str
    signed_on: date | None
    ended_on: date | None


agreements = rows.table("agreements", metadata, AgreementRow)


class SubscriptionRow(Row, frozen=True):
    """A subscription (订阅): one product, paid in one way, from a day until another (exclusive)."""

    subscription_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    client_id: str
    branch_id: str | None
    code: str
    paid_by: Annotated[PaidBy, rows.Column(Text)]
    state: str
    signed_on: Annotated[date, rows.Column(comment="the day of the client's consent: whose prices count")]
    since: date
    until: Annotated[date | None, rows.Column(comment="exclusive; none: until further notice")]
    ended_by: Annotated[str | None, rows.Column(comment="what ends it: client, replaced, bundle, tier, account, ...")]
    agreement: Annotated[str | None, rows.Column(comment="reference of the signed agreement")]
    signature: Annotated[str | None, rows.Column(comment="reference of the e-signature or recording")]
    decision_id: str | None
    made_by: str
    made_at: datetime
    revision: Annotated[int, rows.Column(server_default="0")]


subscriptions = rows.table(
    "subscriptions",
    metadata,
    SubscriptionRow,
    CheckConstraint("until IS NULL OR until >= since", name="days"),
    Index(None, "client_id", "code"),
    # One live subscription of a product that began, whoever asks twice.
    Index("uq_subscriptions_live", "client_id", "code", unique=True,
          postgresql_where=text("state IN ('active', 'included', 'ending')")),
    Index("ix_subscriptions_until", "until", postgresql_where=text("state <> 'ended'")),
)  # fmt: skip


class PreviewRow(Row, frozen=True):
    """What was shown before a confirmation: `plan` is what the confirmation has to find again."""

    preview_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    client_id: str
    code: str
    starts_on: date
    plan: Annotated[dict[str, Any], rows.Column(JSONB)]
    made_at: datetime
    made_by: str
    confirmed: Annotated[UUID | None, rows.Column(postgresql.UUID, comment="the subscription made of it")]


previews = rows.table("previews", metadata, PreviewRow, Index(None, "made_at"))


class RedemptionRow(Row, frozen=True):
    """What points asked for, and what was answered: the same question is answered the same again."""

    redemption_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    client_id: str
    code: str
    months: int
    reason: Annotated[str | None, rows.Column(comment="why it was refused; none: it is delivered")]
    subscription_id: Annotated[UUID | None, rows.Column(postgresql.UUID)]
    answered_at: datetime


redemptions = rows.table("redemptions", metadata, RedemptionRow)

HISTORY: Telling[SubscriptionStretch] = Telling(metadata, "subscription_histories", SubscriptionStretch)

CORES: History[CoreChanged] = History(
    metadata, "cores", Column("since", Date, primary_key=True), Column("core", Boolean, nullable=False),
    told=lambda change: [(stretch.since, stretch.core) for stretch in change.stretches],
)  # fmt: skip


class HabitRow(Row, frozen=True):
    """The habit (操作习惯) staff entered; none: taken back."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    revision: Annotated[int, rows.Column(primary_key=True)]
    since: date
    code: str | None


habits = rows.table("habits", metadata, HabitRow)


class HoldRow(Row, frozen=True):
    """A hold (冻结) of suitability or complaints; its end may be heard before its beginning."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    hold: Annotated[str, rows.Column(primary_key=True, comment="complaints/ID, suitability/ID")]
    scope: Annotated[str, rows.Column(comment="a product, or ALL")]
    placed_at: datetime | None
    lifted_at: datetime | None


holds = rows.table("holds", metadata, HoldRow)


class OverrideRow(Row, frozen=True):
    """A service granted by hand by two persons, until a day (exclusive)."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    override_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    code: str
    since: date
    until: date
    reason: str
    asked_by: str
    decided_by: str


overrides = rows.table("overrides", metadata, OverrideRow, CheckConstraint("since < until", name="days"))
ENTITLEMENTS: Telling[EntitlementStretch] = Telling(metadata, "entitlements", EntitlementStretch)


ChargeKind = Literal["subscription", "day_credit", "asset_fee", "rate_difference"]


class ChargeLine(Row, frozen=True):
    """A line of a monthly statement (账单); it never changes."""

    charge_id: UUID
    client_id: str
    subscription_id: UUID | None
    code: str
    month: str
    kind: ChargeKind
    fen: int
    original: UUID | None
    begins: date
    ends: date | None
    posted_on: date
    recorded_at: datetime


charges = Table(
    "charges",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True, comment="gapless in its partition, in the order of recording"),
    Column("charge_id", postgresql.UUID, nullable=False, unique=True, comment="UUIDv5 of what it is for"),
    Column("client_id", Text, nullable=False),
    Column("subscription_id", postgresql.UUID, comment="none: of the rate, whatever raises it"),
    Column("code", Text, nullable=False, comment="empty: of the rate"),
    Column("month", Text, nullable=False, comment="of the statement"),
    Column("kind", Text, nullable=False),
    Column("fen", BigInteger, nullable=False, comment="hundredths of CNY; credits are negative"),
    Column("original", postgresql.UUID, comment="the line a credit takes back"),
    Column("begins", Date, nullable=False, comment="the first day it is for"),
    Column("ends", Date, comment="exclusive"),
    Column("posted_on", Date, nullable=False, comment="the closed day it was posted for"),
    Column("recorded_at", Instant, nullable=False),
    Index(None, "client_id", "month"),
    Index(None, "subscription_id", "kind", "month"),
    Index("ix_charges_original", "original", postgresql_where=text("original IS NOT NULL")),
)
SEALED = SealedTable("charges", tuple(column.name for column in charges.columns))


class EntrustedRow(Row, frozen=True):
    """Assets entrusted (受托资产) at the end of a day, by the highest (ce_time, ce_id)."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    agreement_id: Annotated[str, rows.Column(primary_key=True)]
    as_of: Annotated[date, rows.Column(primary_key=True)]
    value: Decimal
    said_at: datetime
    event_id: str


entrusted = rows.table("entrusted", metadata, EntrustedRow)


class PaymentRow(Row, frozen=True):
    """What billing said of a charge."""

    charge_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    at: Annotated[datetime, rows.Column(primary_key=True)]
    state: Annotated[str, rows.Column(primary_key=True)]
    client_id: str


payments = rows.table("payments", metadata, PaymentRow, Index(None, "client_id"))


class ClassRow(Row, frozen=True):
    """The class (客户分类) from a day on, by the highest revision."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    effective_on: Annotated[date, rows.Column(primary_key=True)]
    revision: int
    code: str


classes = rows.table("classes", metadata, ClassRow)


def class_on(client: str, day: str) -> str:
    """SQL: the class of a client on a day; NULL before the first."""
    return f"""(SELECT k.code FROM classes k WHERE k.client_id = {client} AND k.effective_on <= {day}
                ORDER BY k.effective_on DESC LIMIT 1)"""


class MonthRow(Row, frozen=True):
    """What a month close of classification found, by the highest revision."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    month_end: Annotated[date, rows.Column(primary_key=True)]
    revision: int
    mean_assets: Decimal | None
    commission: Annotated[Decimal | None, rows.Column(comment="of the twelve months until then")]
    worth: Annotated[Decimal | None, rows.Column(comment="V")]


months = rows.table("months", metadata, MonthRow)


class MembershipRow(Row, frozen=True):
    """A membership (会籍) of the club: from its invitation until it has lapsed. A client has one that is open."""

    membership_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    client_id: str
    branch_id: str | None
    state: str
    basis: Annotated[str, rows.Column(comment="eligible, or prospect: invited by two persons")]
    social_role: str | None
    invited_on: date
    since: Annotated[date, rows.Column(comment="of this state")]
    until: Annotated[date | None, rows.Column(comment="exclusive; of an invitation, a grace, a prospect")]
    ended_by: str | None
    made_by: str
    made_at: datetime
    revision: Annotated[int, rows.Column(server_default="0")]


memberships = rows.table(
    "club_memberships",
    metadata,
    MembershipRow,
    Index("uq_club_memberships_open", "client_id", unique=True, postgresql_where=text("state <> 'lapsed'")),
    Index(None, "client_id"),
    Index("ix_club_memberships_until", "until", postgresql_where=text("state <> 'lapsed'")),
)


class MembershipStateRow(Row, frozen=True):
    """A state of a membership from a day on; of one day the last counts."""

    membership_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    revision: Annotated[int, rows.Column(primary_key=True)]
    client_id: str
    state: str
    since: date
    recorded_at: datetime


IN_ORDER = "s.since, s.recorded_at, m.made_at, s.revision"
"""SQL: the order of the states `s` of a client, of one membership `m` after the other: revisions count within each."""
membership_states = rows.table("club_states", metadata, MembershipStateRow, Index(None, "client_id"))
CLUB: Telling[ClubStretch] = Telling(metadata, "club_histories", ClubStretch)


class EventRow(Row, frozen=True):
    """An event (活动) of the club: of one branch, or of the whole firm."""

    event_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    branch_id: Annotated[str | None, rows.Column(comment="none: of the whole firm")]
    kind: str
    title_en: str
    title_zh: str
    place: str
    starts_at: datetime
    ends_at: datetime
    capacity: Annotated[int, rows.Column(comment="seats, guests included")]
    audience: Annotated[list[str], rows.Column(ARRAY(Text), comment="social roles; none: everybody")]
    public: Annotated[bool, rows.Column(comment="open to others too: asks for a filing")]
    filing: Annotated[str | None, rows.Column(comment="reference of the filing")]
    state: str
    made_by: str
    made_at: datetime
    revision: Annotated[int, rows.Column(server_default="0")]


club_events = rows.table(
    "club_events", metadata, EventRow, CheckConstraint("starts_at < ends_at", name="times"), Index(None, "starts_at")
)


class RegistrationRow(Row, frozen=True):
    """A registration (报名) of a member, with guests: for seats, or on the waiting list."""

    registration_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    event_id: Annotated[UUID, rows.Column(postgresql.UUID)]
    client_id: str
    branch_id: str | None
    guests: int
    state: str
    registered_at: datetime
    held_on: Annotated[date, rows.Column(comment="the day of the event")]
    made_by: str
    revision: Annotated[int, rows.Column(server_default="0")]

    @property
    def seats(self) -> int:
        """How many seats it takes."""
        return 1 + self.guests


registrations = rows.table(
    "club_registrations",
    metadata,
    RegistrationRow,
    Index(None, "event_id"),
    Index(None, "client_id"),
    Index(
        "uq_club_registrations_live", "event_id", "client_id", unique=True,
        postgresql_where=text("state IN ('registered', 'waiting', 'attended')"),
    ),
)  # fmt: skip

PROFESSIONALS: History[ProfessionalChanged] = History(
    metadata, "professionals", Column("since", Date, primary_key=True), Column("until", Date), Column("category", Text),
    told=lambda change: [(stretch.since, stretch.until, stretch.category) for stretch in change.stretches],
)  # fmt: skip


class HospitalityRow(Row, frozen=True):
    """A gift or hospitality (礼品、招待) given to a member; it is struck out, never changed."""

    entry_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    client_id: str
    branch_id: str | None
    kind: Annotated[str, rows.Column(comment="gift, hospitality")]
    fen: Annotated[int, rows.Column(BigInteger, comment="hundredths of CNY")]
    given_on: date
    event_id: Annotated[UUID | None, rows.Column(postgresql.UUID)]
    what: str
    state: str
    asked_by: str
    decided_by: str
    recorded_at: datetime
    revision: Annotated[int, rows.Column(server_default="0")]


hospitality = rows.table(
    "hospitality",
    metadata,
    HospitalityRow,
    CheckConstraint("fen > 0", name="amount"),
    Index(None, "client_id", "given_on"),
    Index(None, "given_on"),
)
