"""What relationships keeps: clients, what is known of each, and the histories other services tell."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import Boolean, CheckConstraint, Date, Index, Text, text
from sqlalchemy import Column as SqlColumn

from chassis.clients import Clients, Fact
from chassis.histories import History
from chassis.rows import Column, Row, table
from chassis.tables import new_metadata
from contracts.classification import CoreChanged, LifecycleChanged, TierChanged

metadata = new_metadata()

CLIENTS = Clients(
    metadata,
    Fact("branch_id", dated=True),
    Fact("opened_on", Date),
    Fact("kind"),
    Fact("account_status"),
    Fact("opener_id"),
    Fact("referrer_id"),
    Fact("birth_date", Date),
    columns=[SqlColumn("closed_on", Date, comment="the first day without an account")],
)

TIERS: History[TierChanged] = History(
    metadata,
    "tiers",
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("until", Date, comment="exclusive; empty: until the next one"),
    SqlColumn("tier", Text, nullable=False),
    told=lambda change: [(one.since, one.until, one.tier) for one in change.stretches],
)
CORES: History[CoreChanged] = History(
    metadata,
    "cores",
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("core", Boolean, nullable=False),
    told=lambda change: [(one.since, one.core) for one in change.stretches],
)
LIFECYCLES: History[LifecycleChanged] = History(
    metadata,
    "lifecycles",
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("lifecycle", Text, nullable=False),
    told=lambda change: [(one.since, one.lifecycle) for one in change.stretches],
)


class Value(Row, frozen=True):
    """What somebody said of a client under an indicator [CI2]. Of a client's values of a code the highest
    (day, own, at, fact_id) is in force; the others stay."""

    client_id: Annotated[str, Column(primary_key=True)]
    code: Annotated[str, Column(primary_key=True)]
    day: Annotated[date, Column(primary_key=True, comment="the business date from which it counts")]
    own: Annotated[bool, Column(primary_key=True, comment="the client's own word, which beats the staff's of the day")]
    at: Annotated[datetime, Column(primary_key=True, comment="when it was said")]
    fact_id: Annotated[str, Column(primary_key=True, comment="of the event, or of the entry")]
    state: Annotated[str, Column(comment="stated, unknown, refused [CI3]; withdrawn: the system takes it back")]
    source: Annotated[str, Column(comment="S, E, C, T, H, M [CI1]")]
    person: Annotated[str, Column(comment="who entered it; of the system's the service")]
    value: Annotated[str | None, Column(comment="of indicators that are not personal")]
    sealed: Annotated[bytes | None, Column(comment="encrypted: of personal ones")]
    evidence: str | None
    until: Annotated[date | None, Column(comment="the last day it counts by its own date, where it has one")]
    passed: Annotated[str | None, Column(comment="why a doubt was passed [CI9]")]
    recorded_at: datetime


information_values = table(
    "information_values",
    metadata,
    Value,
    CheckConstraint("state IN ('stated', 'unknown', 'refused', 'withdrawn')", name="state"),
    CheckConstraint("value IS NULL OR sealed IS NULL", name="clear_or_sealed"),
    Index(
        "ix_information_values_in_force",
        "client_id",
        "code",
        text("day DESC"),
        text("own DESC"),
        text("at DESC"),
        text("fact_id DESC"),
    ),
)


class Valuation(Row, frozen=True):
    """A client's assets at the end of a day; the word with the highest (at, fact_id) is in force."""

    client_id: Annotated[str, Column(primary_key=True)]
    as_of: Annotated[date, Column(primary_key=True)]
    total_assets: Decimal
    cash: Decimal | None
    market_value: Decimal | None
    at: datetime
    fact_id: str


valuations = table("valuations", metadata, Valuation)


class Month(Row, frozen=True):
    """What classification found for a client at a month's end."""

    client_id: Annotated[str, Column(primary_key=True)]
    month_end: Annotated[date, Column(primary_key=True)]
    revision: int
    mean_assets: Decimal | None
    turnover: Decimal | None
    commission: Decimal | None
    worth: Annotated[Decimal | None, Column(comment="the value V [V1]")]
    value_type: str | None
    rank: int | None
    investor_type: str | None


months = table("months", metadata, Month)


class Permission(Row, frozen=True):
    """A trading permission granted."""

    client_id: Annotated[str, Column(primary_key=True)]
    permission: Annotated[str, Column(primary_key=True)]
    granted_at: datetime


permissions = table("permissions", metadata, Permission)


class Completeness(Row, frozen=True):
    """A client's two scores at a month's end [CI5]."""

    client_id: Annotated[str, Column(primary_key=True)]
    month_end: Annotated[date, Column(primary_key=True)]
    branch_id: str | None
    of: Annotated[str, Column(comment="the set asked for")]
    whole: Decimal
    entered: Decimal
    policy: str


completeness = table("completeness", metadata, Completeness, Index(None, "month_end", "branch_id"))
