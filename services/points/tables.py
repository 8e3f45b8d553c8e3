"""What the points ledger keeps. Points are integers in hundredths [P1] everywhere."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

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
from sqlalchemy.dialects.postgresql import JSONB, UUID

from chassis import rows
from chassis.clients import Clients, Fact
from chassis.rows import Row
from chassis.sealed import SealedTable
from chassis.tables import Instant, new_metadata

metadata = new_metadata()

# One row is transfer, lot and audit record at once, and never changes. A lot is a row that credits `:available`; what
# remains of it lives in lot_remainders. A row of zero points remembers a trade that earned nothing.
entries = Table(
    "entries",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True, comment="gapless in its partition, in the order of recording"),
    Column("entry_id", UUID, nullable=False, comment="UUIDv5 of client, trade and step"),
    Column("client_id", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="contracts.points.EntryKind"),
    Column("trade_id", Text),
    Column("step", SmallInteger, nullable=False, comment="0 is the trade's first entry"),
    Column("debit_account", Text, nullable=False, comment="where the points come from [P8]"),
    Column("credit_account", Text, nullable=False, comment="where they go [P8]"),
    Column("points", BigInteger, nullable=False),
    Column("expires_on", Date, comment="of the lot this row is [P6]"),
    # As text: exactly as it was given, and a sixth of the cost of COPYing a numeric. Nothing sums it.
    Column("commission", Text, comment="what the target was computed from: what remained, once cancelled"),
    Column("tier", Text, comment="of the trade date, as known when recorded"),
    Column("multiplier", SmallInteger, comment="hundredths: 110 is 1.1"),
    Column("trade_date", Date),
    Column("policy", Text),
    Column("posted_on", Date, nullable=False, comment="business date of the cause, never before the trade date"),
    Column("recorded_at", Instant, nullable=False, server_default=text("transaction_timestamp()")),
    Column("cause", Text, nullable=False, comment="id of the event that caused it"),
    Column("original", UUID, comment="the entry this one reverses or corrects"),
    CheckConstraint("points >= 0", name="points"),
    Index("uq_entries_natural", "client_id", "trade_id", "step", unique=True),
)

SEALED = SealedTable("entries", tuple(column.name for column in entries.columns))

# The row is also the client's lock: whoever posts for a client, or changes what posting depends on, has written it
# first. A batch of awards takes the short way only while `debt`, `parked` and `ranked` are what it counted on.
balances = Table(
    "balances",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("available", BigInteger, nullable=False, server_default="0"),
    Column("debt", BigInteger, nullable=False, server_default="0", comment="[P7]"),
    Column("parked", Integer, nullable=False, server_default="0", comment="cancellations that wait for their trade"),
    Column("ranked", BigInteger, nullable=False, server_default="0", comment="revision of `tiers`; 0: always NORMAL"),
    CheckConstraint("available >= 0 AND debt >= 0 AND (available = 0 OR debt = 0)", name="points"),
    postgresql_with={"fillfactor": "70"},
)

lot_remainders = Table(
    "lot_remainders",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("entry_id", UUID, primary_key=True),
    Column("remaining", BigInteger, nullable=False, comment="only where it differs from the entry's points"),
    CheckConstraint("remaining >= 0", name="remaining"),
)


class CancellationRow(Row, frozen=True):
    """The lowest word on what a cancelled trade still earns."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    trade_id: Annotated[str, rows.Column(primary_key=True)]
    remaining: Annotated[Decimal, rows.Column(comment="the lowest remaining commission told [P1]")]
    cancelled_on: Annotated[date, rows.Column(comment="business date of the event")]
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

CLIENTS = Clients(metadata, Fact("branch_id"))
