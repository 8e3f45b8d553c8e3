"""What the points ledger keeps. Points are integers in hundredths [P1] everywhere."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from chassis import rows
from chassis.clients import Clients, Fact, sealed_text
from chassis.histories import History
from chassis.late import LateFacts
from chassis.rows import Row
from chassis.sealed import SealedTable
from chassis.tables import Instant, new_metadata
from contracts.classification import LifecycleChanged

metadata = new_metadata()


def _whose(account: str) -> str:
    """SQL: an account is the firm's, or of the entry's own client. SQLAlchemy takes a bare `:name` for a parameter."""
    own = ", ".join(f"'cust:' || client_id || '\\:{name}'" for name in ("available", "held", "debt"))
    return f"(starts_with({account}, 'sys:') OR {account} IN ({own}))"


# One row is transfer, lot and audit record at once, and never changes. A gain's first row makes its lot; `lots` says what
# became of it, where it is not simply all there. A row of zero points remembers a trade that earned nothing.
entries = Table(
    "entries",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True, comment="gapless in its partition, in the order of recording"),
    Column("entry_id", postgresql.UUID, nullable=False, comment="UUIDv5 of client, trade and step"),
    Column("client_id", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="contracts.points.EntryKind"),
    Column("trade_id", Text),
    Column("step", SmallInteger, nullable=False, comment="0 is the trade's first entry"),
    Column("debit_account", Text, nullable=False, comment="where the points come from [P8]"),
    Column("credit_account", Text, nullable=False, comment="where they go [P8]"),
    Column("points", BigInteger, nullable=False),
    Column("expires_on", Date, comment="of the lot these points are in, where they were gained [P6]"),
    # As text: exactly as it was given, and a sixth of the cost of COPYing a numeric. Nothing sums it.
    Column("commission", Text, comment="what the target was computed from: what remained, once cancelled"),
    Column("tier", Text, comment="of the trade date, as known when recorded"),
    Column("multiplier", SmallInteger, comment="hundredths: 110 is 1.1"),
    Column("trade_date", Date),
    Column("policy", Text),
    Column("posted_on", Date, nullable=False, comment="business date of the cause, never before the trade date"),
    Column("recorded_at", Instant, nullable=False, server_default=text("transaction_timestamp()")),
    Column("cause", Text, nullable=False, comment="id of the event that caused it"),
    Column("original", postgresql.UUID, comment="the entry this one reverses or corrects"),
    Column("item", Text, comment="what caused it, where that is no trade: a hold, a bonus, the end of lots"),
    Column("value_on", Date, comment="the day it counts from; none: the trade date, of an old reversal posted_on"),
    CheckConstraint("points >= 0", name="points"),
    CheckConstraint("debit_account <> credit_account", name="accounts"),
    CheckConstraint("(trade_id IS NULL) <> (item IS NULL)", name="item"),
    CheckConstraint(f"{_whose('debit_account')} AND {_whose('credit_account')}", name="whose"),
    Index("uq_entries_natural", "client_id", "trade_id", "step", unique=True),
    Index("uq_entries_item", "client_id", "item", "step", unique=True, postgresql_where=text("item IS NOT NULL")),
    # Trades come in the order of their dates: the pages of one month's lots lie together, and writing costs nothing.
    Index("ix_entries_expires_on", "expires_on", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
)

SEALED = SealedTable("entries", tuple(column.name for column in entries.columns))

# The row is also the client's lock: whoever posts for a client, or changes what posting depends on, has written it
# first. A batch of awards takes the short way only while `debt`, `parked`, `ranked` and `used_on` are what it counted on.
balances = Table(
    "balances",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("available", BigInteger, nullable=False, server_default="0"),
    Column("held", BigInteger, nullable=False, server_default="0", comment="kept for applications and redemptions"),
    Column("debt", BigInteger, nullable=False, server_default="0", comment="[P7]"),
    Column("whole", BigInteger, nullable=False, server_default="0", comment="in lots that are all there: without a row of `lots`"),
    Column("parked", Integer, nullable=False, server_default="0", comment="cancellations that wait for their trade"),
    Column("ranked", BigInteger, nullable=False, server_default="0", comment="revision of `tiers`; 0: always NORMAL"),
    Column(
        "used_on", Date, nullable=False, server_default="-infinity",
        comment="value date of the last item that touched lots other than its own, or debt: what counts from it or "
        "earlier is folded again",
    ),
    CheckConstraint("available >= 0 AND held >= 0 AND debt >= 0", name="points"),
    CheckConstraint("whole >= 0", name="whole"),
    postgresql_with={"fillfactor": "70"},
)  # fmt: skip


class LotRow(Row, frozen=True):
    """A lot of which something was used, held, corrected or has expired; all others are all there, as their entry says."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    lot: Annotated[str, rows.Column(primary_key=True, comment="the entry that made it; an extension names its hold")]
    value_on: date
    expires_on: Annotated[date, rows.Column(comment="at the close of this day [P6]")]
    free: Annotated[int, rows.Column(BigInteger)]
    held: Annotated[int, rows.Column(BigInteger)]
    expired: Annotated[int, rows.Column(BigInteger)]
    extended: bool


lots = rows.table(
    "lots",
    metadata,
    LotRow,
    CheckConstraint("free >= 0 AND held >= 0 AND expired >= 0", name="points"),
    Index("ix_lots_expires_on", "expires_on", postgresql_where=text("free > 0")),
    Index("ix_lots_left", "client_id", postgresql_where=text("free + held > 0")),
)


Outcome = Literal["spent", "refused", "withdrawn"]


class HoldRow(Row, frozen=True):
    """Points kept for something a client asked for, and how that ended [P4, P5]."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    hold: Annotated[str, rows.Column(primary_key=True, comment="redemption/ID, upgrade/ID")]
    reward: str
    points: Annotated[int, rows.Column(BigInteger)]
    held_at: datetime
    outcome: Annotated[Outcome | None, rows.Column(Text, comment="spent, refused, withdrawn; none: still held")]
    ended_at: datetime | None


holds = rows.table(
    "holds",
    metadata,
    HoldRow,
    CheckConstraint("points > 0 AND (outcome IS NULL) = (ended_at IS NULL)", name="points"),
    CheckConstraint("outcome IN ('spent', 'refused', 'withdrawn')", name="outcome"),
    Index("ix_holds_open", "client_id", postgresql_where=text("outcome IS NULL")),
)


class BonusRow(Row, frozen=True):
    """A bonus [P3], as it should be by what is known now."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    item: Annotated[str, rows.Column(primary_key=True, comment="loyalty/N, referral/CLIENT, suggestion/ID")]
    value_on: date
    points: Annotated[int, rows.Column(BigInteger, comment="hundredths; none once a late fact takes it away")]
    expires_on: date
    policy: str
    back_on: Annotated[date | None, rows.Column(comment="the day from which it is clawed back")]


bonuses = rows.table(
    "bonuses",
    metadata,
    BonusRow,
    CheckConstraint("points >= 0", name="points"),
    # A suggestion is rewarded once, whoever made it; and finding one asks for its name alone.
    Index("uq_bonuses_suggestion", "item", unique=True, postgresql_where=text("item LIKE 'suggestion/%'")),
    Index("ix_bonuses_referral", "item", postgresql_where=text("item LIKE 'referral/%'")),
)


class AdjustmentRow(Row, frozen=True):
    """A manual adjustment (手工调整) that two persons agreed to."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    item: Annotated[str, rows.Column(primary_key=True, comment="adjustment/ID")]
    branch_id: str | None
    reason: str
    asked: Annotated[int, rows.Column(BigInteger, comment="hundredths, below zero: to be taken out")]
    taken: Annotated[int, rows.Column(BigInteger, comment="what was posted: a negative one stops at available")]
    at: datetime
    expires_on: Annotated[date | None, rows.Column(comment="of the lot that a positive one makes")]
    attachment: Annotated[str, rows.Column(comment="the document it rests on")]
    made_by: str
    checked_by: str


adjustments = rows.table("adjustments", metadata, AdjustmentRow, CheckConstraint("taken <> 0", name="points"))


class ProofRow(Row, frozen=True):
    """A file that an adjustment rests on."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    sha256: Annotated[str, rows.Column(primary_key=True)]
    type: Annotated[str, rows.Column(comment="what the bytes are, whatever was claimed")]
    size: int
    content: Annotated[str, rows.Column(comment="encrypted under the client's key")]
    stored_at: datetime
    stored_by: str


proofs = rows.table("proofs", metadata, ProofRow)


class FeedbackRow(Row, frozen=True):
    """What a client said of the points service."""

    feedback_id: Annotated[UUID, rows.Column(postgresql.UUID, primary_key=True)]
    client_id: str
    branch_id: str | None
    score: Annotated[int, rows.Column(comment="1, bad, to 5, good")]
    words: str
    at: datetime


feedback = rows.table(
    "feedback", metadata, FeedbackRow, CheckConstraint("score BETWEEN 1 AND 5", name="score"), Index(None, "client_id")
)


class CancellationRow(Row, frozen=True):
    """One word on what a cancelled trade still earns; the lowest said by an instant counts."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    trade_id: Annotated[str, rows.Column(primary_key=True)]
    at: Annotated[datetime, rows.Column(primary_key=True)]
    remaining: Annotated[Decimal, rows.Column(comment="remaining commission [P1]")]
    cause: str


class AmendmentRow(Row, frozen=True):
    """The content of a trade that an operator accepted in place of the first."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    trade_id: Annotated[str, rows.Column(primary_key=True)]
    commission: Annotated[Decimal, rows.Column(comment="content of the trade as accepted by an operator")]
    trade_date: date
    accepted_at: datetime


cancellations = rows.table("cancellations", metadata, CancellationRow)
amendments = rows.table("amendments", metadata, AmendmentRow)

tier_changes = Table(
    "tier_changes",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("change", JSONB, nullable=False, comment="classification.tier.changed as it came"),
    Column("told_at", Instant, nullable=False),
)

tiers = Table(
    "tiers",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("since", Date, primary_key=True),
    Column("until", Date, comment="exclusive; empty: until further notice"),
    Column("tier", Text, nullable=False, comment="above NORMAL: what is not here is NORMAL"),
    Column("revision", BigInteger, nullable=False),
)

frozen_months = Table(
    "frozen_months",
    metadata,
    Column("last_day", Date, primary_key=True, comment="nothing is posted on it or earlier any more"),
    Column("frozen_at", Instant, nullable=False),
)

liability_closes = Table(
    "liability_closes",
    metadata,
    Column("month", Date, primary_key=True, comment="its first day"),
    Column("found", JSONB, nullable=False, comment="services.points.liability.Close"),
    Column("closed_at", Instant, nullable=False),
    Column("closed_by", Text, nullable=False),
)

LATE = LateFacts(metadata)
HOUSEHOLD = ("phone", "id_number", "address")
"""Who has one of these in common is of one household: no referral between them is rewarded [P3]."""
CLIENTS = Clients(
    metadata,
    Fact("branch_id"),
    Fact("opened_on", Date),
    Fact("referrer_client_id"),
    *(Fact(name, of=sealed_text(name), dated=True, comment="encrypted") for name in HOUSEHOLD),
    columns=[
        Column("closed_on", Date),
        Index(None, "opened_on"),
        Index(None, "referrer_client_id", postgresql_where=text("referrer_client_id IS NOT NULL")),
    ],
    follow={
        "redemptions": "t.state IN ('requested', 'cancelling')",
        "applications": "t.state = 'applied'",
        "approvals": "t.state = 'waiting'",
    },
)
LIFECYCLES: History[LifecycleChanged] = History(
    metadata, "lifecycles", Column("since", Date, primary_key=True), Column("lifecycle", Text, nullable=False),
    told=lambda change: [(stretch.since, stretch.lifecycle) for stretch in change.stretches],
)  # fmt: skip
