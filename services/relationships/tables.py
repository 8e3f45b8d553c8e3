"""What relationships keeps: clients, what is known of each, and the histories other services tell."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from chassis.clients import Clients, Fact
from chassis.histories import History
from chassis.rows import Column, Row, table
from chassis.sealed import SealedTable
from chassis.tables import Instant, new_metadata
from contracts.classification import CoreChanged, LifecycleChanged, TierChanged
from contracts.products import SubscriptionChanged

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
    columns=[
        SqlColumn("closed_on", Date, comment="the first day without an account"),
        SqlColumn("assignment_revision", Integer, nullable=False, server_default="0", comment="told so far"),
    ],
    follow={
        "visits": "t.state NOT IN ('recorded', 'cancelled')",
        "manager_changes": "t.state = 'waiting'",
        "questions": "t.state = 'open'",
        "advices": "t.state NOT IN ('done', 'ended')",
        "approvals": "t.state = 'waiting'",
    },
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
SUBSCRIPTIONS: History[SubscriptionChanged] = History(
    metadata,
    "subscriptions",
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("code", Text, primary_key=True),
    SqlColumn("until", Date, comment="exclusive; empty: until further notice"),
    SqlColumn("state", Text, nullable=False),
    told=lambda change: [(one.since, one.code, one.until, one.state) for one in change.stretches],
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
    commission: Annotated[Decimal | None, Column(comment="net, of twelve months [T7]")]
    year_commission: Annotated[Decimal | None, Column(comment="net, of the calendar year until then")]
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


class AssignmentFact(Row, frozen=True):
    """Somebody was named for a role of a client, or taken out of it, from an instant on; never changed [RE1]."""

    client_id: Annotated[str, Column(primary_key=True)]
    fact_id: Annotated[str, Column(primary_key=True)]
    role: Annotated[str, Column(comment="primary, secondary, adviser")]
    person: Annotated[str, Column(index=True)]
    since: datetime
    said_at: datetime
    begins: Annotated[bool, Column(comment="false: taken out of the role")]
    reason: Annotated[str, Column(comment="account_system: the broker's word")]
    run: Annotated[str | None, Column(comment="the allocation it comes from")]
    said_by: str
    recorded_at: datetime


assignment_facts = table("assignment_facts", metadata, AssignmentFact)


class Owner(Row, frozen=True):
    """A stretch of an owner: the client manager, or the lead of the pool. A client's stretches are one chain."""

    client_id: Annotated[str, Column(primary_key=True)]
    since: Annotated[datetime, Column(primary_key=True)]
    until: Annotated[datetime | None, Column(comment="exclusive; empty: until further notice")]
    role: Annotated[str, Column(comment="primary, pool_lead")]
    person: str
    reason: str
    run: str | None


owners = table(
    "owners",
    metadata,
    Owner,
    CheckConstraint("until > since", name="order"),
    CheckConstraint("role IN ('primary', 'pool_lead')", name="role"),
    # None begins where another does (the key), none ends where another does, each end is another's beginning: so all of a
    # client's stretches lie on one chain, without overlap or gap, up to the one that lasts. No extension is needed for it.
    UniqueConstraint("client_id", "until", name="uq_owners_one_chain", postgresql_nulls_not_distinct=True),
    ForeignKeyConstraint(
        ["client_id", "until"], ["owners.client_id", "owners.since"], name="fk_owners_no_gap", deferrable=True,
        initially="DEFERRED",
    ),
    Index(None, "person", "client_id"),
)  # fmt: skip


class TeamMember(Row, frozen=True):
    """A stretch of a secondary or an adviser."""

    client_id: Annotated[str, Column(primary_key=True)]
    since: Annotated[datetime, Column(primary_key=True)]
    until: datetime | None
    role: Annotated[str, Column(primary_key=True)]
    person: Annotated[str, Column(primary_key=True)]
    reason: str
    run: str | None


team_members = table("team_members", metadata, TeamMember, Index(None, "person", "client_id"))

assignment_changes = Table(
    "assignment_changes",
    metadata,
    SqlColumn("partition", Integer, primary_key=True),
    SqlColumn("number", BigInteger, primary_key=True),
    SqlColumn("client_id", Text, nullable=False, index=True),
    SqlColumn("revision", Integer, nullable=False),
    SqlColumn("changed_from", Date, nullable=False),
    SqlColumn("stretches", JSONB, nullable=False, comment="as told"),
    SqlColumn("recorded_at", Instant, nullable=False),
    comment="what was told of owners and teams, one row a change",
)
SEALED = SealedTable("assignment_changes", tuple(column.name for column in assignment_changes.columns))


class Skill(Row, frozen=True):
    """Evidence of a manager's skill, dated; it fades with time [A6]. `level`: 1 to 5."""

    evidence_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    staff_id: Annotated[str, Column(index=True)]
    skill: str
    level: int
    kind: Annotated[str, Column(comment="contest, paper, speech, test, self_assessment")]
    evidence: str
    shown_on: date
    entered_by: str
    recorded_at: datetime


manager_skills = table("manager_skills", metadata, Skill)

manager_capacities = Table(
    "manager_capacities",
    metadata,
    SqlColumn("staff_id", Text, primary_key=True),
    SqlColumn("capacity", Integer, nullable=False, comment="clients; of everybody else the policy's"),
    SqlColumn("entered_by", Text, nullable=False),
    SqlColumn("recorded_at", Instant, nullable=False),
)


class Run(Row, frozen=True):
    """A run of the allocation: what went in, what came out, what became of it [A2, RE2]."""

    run_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    branch_id: str
    scope: Annotated[str, Column(comment="all clients of the branch, or its pool")]
    managers: Annotated[list[str], Column(ARRAY(Text), comment="named for it; none: the branch's")]
    state: Annotated[str, Column(comment="asked, solved, applied, refused, rolled_back")]
    day: date
    reason: str
    asked_by: str
    asked_at: datetime
    policy: Annotated[str | None, Column(comment="the version of the terms")]
    inputs: Annotated[dict[str, Any] | None, Column(JSONB, comment="everything the solver was given")]
    fingerprint: Annotated[str | None, Column(comment="of the inputs")]
    solver: Annotated[str | None, Column(comment="its name and version; it draws nothing at random")]
    result: Annotated[dict[str, Any] | None, Column(JSONB, comment="the comparison")]
    solved_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    rolled_back_by: str | None
    rolled_back_at: datetime | None


allocation_runs = table(
    "allocation_runs",
    metadata,
    Run,
    CheckConstraint("scope IN ('all', 'pool')", name="scope"),
    CheckConstraint("state IN ('asked', 'solved', 'applied', 'refused', 'rolled_back')", name="state"),
    Index("ix_allocation_runs_asked", "asked_at", postgresql_where=text("state = 'asked'")),
    Index(None, "branch_id", "run_id"),
)


class RunLine(Row, frozen=True):
    """Whom a run gives a client to, and why."""

    run_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    client_id: Annotated[str, Column(primary_key=True)]
    before: Annotated[str | None, Column(comment="none: the pool")]
    after: Annotated[str | None, Column(comment="none: nobody has room, nothing changes")]
    fit: int
    why: str
    needs: Annotated[list[str], Column(ARRAY(Text))]
    weight: int


allocation_lines = table("allocation_lines", metadata, RunLine, Index(None, "run_id", "after", "client_id"))
