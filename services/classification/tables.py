"""What classification keeps. Facts first, then what was decided from them, then what a reader wants at once."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import BigInteger, Date, Index, Integer, SmallInteger, Table, text
from sqlalchemy import Column as SqlColumn
from sqlalchemy.dialects.postgresql import JSONB

from chassis.clients import Clients, Fact
from chassis.late import LateFacts
from chassis.rows import Big, Column, Row, table
from chassis.sealed import SealedTable
from chassis.tables import Instant, new_metadata
from contracts.broker import ClientOpened, Profile

metadata = new_metadata()


def _kind(event: Profile) -> str | None:
    return event.kind or ("individual" if isinstance(event, ClientOpened) else None)


CLIENTS = Clients(
    metadata,
    Fact("branch_id", dated=True),
    Fact("manager_id", dated=True),
    Fact("kind", of=_kind, dated=True),
    follow={"approvals": "t.state = 'waiting'"},
    columns=(
        SqlColumn("partition", Integer, nullable=False),
        SqlColumn("opened_on", Date, index=True, comment="empty: only heard of so far"),
        SqlColumn("closed_on", Date, index=True, comment="the earliest word"),
        SqlColumn("closing_requested_on", Date, index=True, comment="the earliest word"),
        SqlColumn("revision", Integer, nullable=False, server_default="0", comment="of the tier history"),
        SqlColumn(
            "heard_at",
            Instant,
            comment="when the opening was heard; empty: only heard of so far, or before this was kept",
        ),
        Index(None, "branch_id"),
    ),
    made_with={"partition": lambda uow, client_id: uow.partition_of(client_id)},
)


class Trade(Row, frozen=True):
    """A settled trade."""

    client_id: Annotated[str, Column(primary_key=True)]
    trade_id: Annotated[str, Column(primary_key=True)]
    trade_date: date
    symbol: str
    side: str
    quantity: Decimal
    amount: Decimal
    commission: Decimal
    remaining_commission: Annotated[Decimal | None, Column(comment="after a cancellation")]
    kind: Annotated[str | None, Column(comment="of the instrument [K4]; empty: heard before it was kept")]


class Cancellation(Row, frozen=True):
    """The lowest word on a trade."""

    client_id: Annotated[str, Column(primary_key=True)]
    trade_id: Annotated[str, Column(primary_key=True)]
    remaining_commission: Decimal


class TradeDay(Row, frozen=True):
    """A client's trades of a date, summed."""

    client_id: Annotated[str, Column(primary_key=True)]
    day: Annotated[date, Column(primary_key=True)]
    commission: Decimal
    amount: Decimal
    trades: Annotated[int, Column(comment="filled orders that were not cancelled in full [T6]")]


class Valuation(Row, frozen=True):
    """The last word on a client's total assets of a date."""

    client_id: Annotated[str, Column(primary_key=True)]
    as_of: Annotated[date, Column(primary_key=True)]
    total: Decimal
    time: datetime
    event: str


trades = table("trades", metadata, Trade)
cancellations = table(
    "cancellations", metadata, Cancellation, comment="the lowest word on a trade that has not come yet"
)
trade_days = table(
    "trade_days",
    metadata,
    TradeDay,
    Index(None, "day"),
    comment="trades summed by client and date, cancellations taken off",
)
valuations = table("valuations", metadata, Valuation, Index(None, "as_of"))

LATE = LateFacts(metadata)

RECORDED = Column(server_default=text("now()"), comment="when this was found")


class Month(Row, frozen=True):
    """What a month close summed and found of a client [K2, K2a, T6]."""

    client_id: Annotated[str, Column(primary_key=True)]
    month_end: Annotated[date, Column(primary_key=True, index=True)]
    day_sum: Annotated[Decimal, Column(comment="known daily totals of the month, summed [K2a]")]
    known_days: Annotated[int, Column(SmallInteger)]
    last_total: Annotated[Decimal | None, Column(comment="carried into the next month")]
    traded: Decimal
    orders: int
    day_sum_to: Annotated[Decimal, Column(comment="running total through this month")]
    known_days_to: int
    traded_to: Decimal
    orders_to: Big
    mean: Annotated[Decimal | None, Column(comment="of the month; empty when the month was not evaluated")]
    turnover: Decimal | None
    code: Annotated[str | None, Column(comment="the class in force from the next day on")]
    provisional: bool | None
    trader: bool | None
    policy: str | None
    recorded_at: Annotated[datetime, RECORDED]


months = table(
    "months",
    metadata,
    Month,
    comment="what month closes summed and found, as known now; a row stands until the next one",
)


class EarlierEvaluation(Row, frozen=True):
    """A month's evaluation that a later fact took the place of."""

    client_id: Annotated[str, Column(primary_key=True)]
    kind: Annotated[str, Column(primary_key=True, comment="months, month_values or month_cores")]
    month_end: Annotated[date, Column(primary_key=True)]
    recorded_at: datetime
    superseded_at: Annotated[datetime, Column(primary_key=True)]
    body: Annotated[dict[str, Any], Column(JSONB, comment="the row as it was")]


earlier_evaluations = table(
    "earlier_evaluations",
    metadata,
    EarlierEvaluation,
    Index(None, "superseded_at"),
    comment="month evaluations that later facts took the place of",
)


class Decision(Row, frozen=True):
    """What all decisions have in common: their place, whom they are about and from which day on, when they were made."""

    partition: Annotated[int, Column(primary_key=True)]
    number: Annotated[int, Column(BigInteger, primary_key=True)]
    client_id: str
    effective_on: date


class ClassDecision(Decision, frozen=True):
    """A change of class."""

    code: str
    previous: str | None
    provisional: bool
    mean: Decimal
    turnover: Decimal
    policy: str
    recorded_at: datetime


class TierDecision(Row, frozen=True):
    """A change of the retained tier or of the grace."""

    partition: Annotated[int, Column(primary_key=True)]
    number: Annotated[int, Column(BigInteger, primary_key=True)]
    client_id: str
    revision: int
    effective_on: date
    retained: Annotated[int, Column(SmallInteger)]
    grace_from: date | None
    entitled: Annotated[int, Column(SmallInteger)]
    assets: Decimal
    commission: Decimal
    reason: Annotated[str, Column(comment="opened, upgrade, downgrade, grace_started, grace_ended")]
    policy: str
    recorded_at: datetime


class_decisions = table("class_decisions", metadata, ClassDecision, Index(None, "client_id", "effective_on"))
tier_decisions = table("tier_decisions", metadata, TierDecision, Index(None, "client_id", "effective_on"))


class Superseded(Row, frozen=True):
    """A decision that later facts took back."""

    kind: Annotated[str, Column(primary_key=True, comment="class_decisions or tier_decisions")]
    partition: Annotated[int, Column(primary_key=True)]
    number: Annotated[int, Column(BigInteger, primary_key=True)]
    at: datetime


class Standing(Row, frozen=True):
    """Where a client stands after the last close."""

    client_id: Annotated[str, Column(primary_key=True)]
    retained: Annotated[int, Column(SmallInteger)]
    grace_from: date | None
    next_check: Annotated[date | None, Column(comment="the close at which the grace gives notice or ends")]


class TierStretch(Row, frozen=True):
    """A stretch of the effective tier."""

    client_id: Annotated[str, Column(primary_key=True)]
    since: Annotated[date, Column(primary_key=True)]
    until: Annotated[date | None, Column(comment="exclusive; empty when open")]
    tier: Annotated[int, Column(SmallInteger)]
    reason: str


superseded = table(
    "superseded",
    metadata,
    Superseded,
    comment="decisions that later facts took back; they stay readable as what was known before",
)
standings = table(
    "standings", metadata, Standing, Index(None, "next_check", postgresql_where=text("next_check IS NOT NULL"))
)
tiers = table(
    "tiers",
    metadata,
    TierStretch,
    Index(None, "tier", "client_id", postgresql_where=text("until IS NULL")),
    comment="the effective tier [T5], as known now",
)


class Grant(Row, frozen=True):
    """A tier granted by hand, with its state."""

    grant_id: Annotated[str, Column(primary_key=True)]
    client_id: Annotated[str, Column(index=True)]
    tier: Annotated[int, Column(SmallInteger)]
    since: date
    until: date
    reason: str
    state: Annotated[str, Column(comment="proposed, approved, rejected, revoked")]
    made_by: str
    made_at: datetime
    checked_by: str | None
    checked_at: datetime | None
    revoked_at: datetime | None
    revoked_from: Annotated[date | None, Column(comment="the day a revocation takes effect")]
    version: Annotated[int, Column(server_default="1")]


grants = table("grants", metadata, Grant)


def sealed(decisions: Table) -> SealedTable:
    """A table of decisions, sealed with all its columns."""
    return SealedTable(decisions.name, tuple(column.name for column in decisions.columns))


SEALED = (sealed(class_decisions), sealed(tier_decisions))
