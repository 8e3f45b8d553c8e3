"""What callbacks keeps: the facts it needs of a client, the tasks owed, and every step, attempt and proof."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as SqlUUID

from chassis.histories import History
from chassis.rows import Column, Row, table
from chassis.sealed import SealedTable
from chassis.tables import Instant, new_metadata
from contracts.classification import TIERS, GroupChanged, TierChanged
from services.callbacks.rules import CALLABLE, IN_HAND, OPEN

metadata = new_metadata()


def _listed(states: tuple[str, ...]) -> str:
    return ", ".join(f"'{state}'" for state in states)


# Facts of clients

BIRTHDAY = "extract(month FROM birth_date) * 100 + extract(day FROM birth_date)"
"""Month and day as one number; the index of clients is one of this expression."""

clients = Table(
    "clients",
    metadata,
    SqlColumn("client_id", Text, primary_key=True),
    SqlColumn("branch_id", Text),
    SqlColumn("manager_id", Text),
    SqlColumn("opener_id", Text),
    SqlColumn("referrer_id", Text),
    SqlColumn("kind", Text),
    SqlColumn("opened_on", Date),
    SqlColumn("closed_on", Date),
    SqlColumn(
        "account_status", Text, comment="the regulatory status; `dormant` and `suspended` leave the 10 % base [B1]"
    ),
    SqlColumn("experience_years", Integer),
    SqlColumn("birth_date", Date),
    SqlColumn("name", LargeBinary, comment="encrypted"),
    SqlColumn("phone", LargeBinary, comment="encrypted"),
    SqlColumn("email", LargeBinary, comment="encrypted"),
    SqlColumn("address", LargeBinary, comment="encrypted"),
    SqlColumn("stamps", JSONB, nullable=False, server_default="{}", comment="(ce_time, ce_id) of each field's word"),
    SqlColumn("objects_to_viewing", Boolean, nullable=False, server_default="false", comment="[A16]"),
    SqlColumn("last_valid_contact", Instant, comment="two-way; resets the timer of A7a"),
    Index(None, "opened_on"),
    Index(None, "manager_id", postgresql_where=text("manager_id IS NOT NULL")),
    Index("ix_birthday", text(f"({BIRTHDAY})"), postgresql_where=text("birth_date IS NOT NULL")),
)

objections = Table(
    "objections",
    metadata,
    SqlColumn("objection_id", SqlUUID, primary_key=True),
    SqlColumn("client_id", Text, nullable=False),
    SqlColumn("scope", Text, nullable=False, comment="all calls; care: all but those of compliance and complaints"),
    SqlColumn("reason", Text, nullable=False, comment="masked"),
    SqlColumn("until", Date, comment="the last day; empty: until it is ended"),
    SqlColumn("since", Instant, nullable=False),
    SqlColumn("recorded_by", Text, nullable=False),
    SqlColumn("ended_at", Instant),
    SqlColumn("ended_by", Text),
    SqlColumn("end_reason", Text, comment="masked"),
    CheckConstraint("scope IN ('all', 'care')", name="scope"),
    Index(None, "client_id", postgresql_where=text("ended_at IS NULL")),
    comment="who is not to be called [B20]",
)

callers = Table(
    "callers",
    metadata,
    SqlColumn("subject", Text, primary_key=True, comment="the missed call's or the booking's id, as its task's"),
    SqlColumn(
        "owner", Text, nullable=False, index=True, comment="whose key: the client's, or that of the call or booking"
    ),
    SqlColumn("name", LargeBinary, comment="encrypted"),
    SqlColumn("phone", LargeBinary, comment="encrypted"),
    SqlColumn(
        "task_id", SqlUUID, comment="the task that returns this call, its own or that of an earlier call of the number"
    ),
    SqlColumn(
        "number",
        LargeBinary,
        comment="a keyed token of the number, forgotten with the next call that is heard once the task is over",
    ),
    Index(None, "number", postgresql_where=text("number IS NOT NULL")),
)

# One row for each day something that coverage or avoidance asks for changed: as-of answers need what was, not what is.
standings = Table(
    "standings",
    metadata,
    SqlColumn("client_id", Text, primary_key=True),
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("branch_id", Text),
    SqlColumn("manager_id", Text),
    SqlColumn("account_status", Text),
)

TAGS: History[GroupChanged] = History(
    metadata,
    "tag_stretches",
    SqlColumn("tag", Text, primary_key=True),
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("until", Date, comment="exclusive; empty when open"),
    SqlColumn("baseline", Boolean, nullable=False, server_default="false", comment="causes no task [K7]"),
    Index(None, "since"),
    Index("ix_core", "client_id", postgresql_where=text("tag = 'CORE'")),
    told=lambda change: [(one.tag, one.since, one.until, one.baseline) for one in change.tags],
)
"""Groups [K7]."""


def _ranks(change: TierChanged) -> list[tuple[date, int, int]]:
    ranks = [TIERS.index(change.previous), *(TIERS.index(one.tier) for one in change.stretches)]
    return [(one.since, rank, before) for one, rank, before in zip(change.stretches, ranks[1:], ranks, strict=False)]


RANKS: History[TierChanged] = History(
    metadata,
    "tier_stretches",
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("rank", SmallInteger, nullable=False),
    SqlColumn("before", SmallInteger, nullable=False, comment="the rank until then"),
    Index(None, "since"),
    told=_ranks,
)
"""Tiers [T5, T7]."""

assessments = Table(
    "assessments",
    metadata,
    SqlColumn("client_id", Text, primary_key=True),
    SqlColumn("assessment_id", Text, primary_key=True),
    SqlColumn("level", Text, nullable=False),
    SqlColumn("valid_from", Date, nullable=False),
    SqlColumn("valid_until", Date, nullable=False),
    Index(None, "valid_until"),
    Index(None, "client_id", "valid_from"),
)

late = Table(
    "late",
    metadata,
    SqlColumn("client_id", Text, primary_key=True),
    SqlColumn("number", BigInteger, Identity(always=True), primary_key=True),
    comment="clients whose owed tasks are compared again with what the facts say",
)

# Tasks


class Task(Row, frozen=True):
    """A callback that is owed."""

    task_id: Annotated[UUID, Column(SqlUUID, primary_key=True, comment="UUIDv5 of rule, client and period")]
    client_id: str
    rule: str
    period: str
    topic: str
    queue: str
    script: Annotated[str, Column(comment="the version frozen when the task was made [B9]")]
    priority: Annotated[int, Column(SmallInteger)]
    branch_id: str | None
    created_on: date
    found_on: Annotated[date, Column(comment="the closed day (or day of arrival) whose facts owe it")]
    target_on: date | None
    alarm_on: date | None
    due_on: date
    due_at: datetime
    policy: str
    cause: Annotated[dict[str, Any], Column(JSONB, comment="why: the facts it was made from")]
    concerned: Annotated[
        list[str], Column(ARRAY(Text), server_default="{}", comment="persons it is hidden from [B5, C28]")
    ]
    restricted: Annotated[bool, Column(server_default="false", comment="for compliance only [B6]")]
    subject: Annotated[str | None, Column(comment="what it is about: a case, a call, a booking")]
    state: Annotated[str, Column(server_default="planned")]
    revision: Annotated[int, Column(server_default="1")]
    owner: Annotated[str | None, Column(comment="theirs alone until `passes_on_at`")]
    passes_on_at: datetime | None
    holder: str | None
    held_since: datetime | None
    lease_until: datetime | None
    not_before: datetime | None
    wish: Annotated[bool, Column(server_default="false", comment="not_before is the client's own word")]
    attempts: Annotated[int, Column(SmallInteger, server_default="0")]
    channel: Annotated[str, Column(server_default="phone")]
    outcome: str | None
    ended_on: date | None
    expired_at: Annotated[datetime | None, Column(comment="the breach, told once; the task may go on late [C11]")]
    late_until: Annotated[datetime | None, Column(comment="until then it is worked on, late")]


tasks = table(
    "tasks",
    metadata,
    Task,
    CheckConstraint(f"(holder IS NOT NULL) = (state IN ({_listed(IN_HAND)}))", name="held"),
    Index(None, "client_id", "rule"),
    Index("ix_tasks_due", "due_on", postgresql_where=text(f"state IN ({_listed(OPEN)})")),
    Index(
        "ix_tasks_callable",
        "queue",
        "branch_id",
        "priority",
        "due_on",
        "task_id",
        postgresql_where=text(f"state IN ({_listed(CALLABLE)})"),
    ),
    Index("ix_tasks_late", "queue", postgresql_where=text("late_until IS NOT NULL")),
    Index("ix_tasks_held", "holder", postgresql_where=text("holder IS NOT NULL")),
    Index("ix_tasks_unplaced", "client_id", postgresql_where=text("branch_id IS NULL")),
    postgresql_with={"fillfactor": "80"},
)

# What happened to tasks before there was a table of acts: sealed, never altered, and nothing is added. The history of
# every task is in `act_steps`, its audit trail in `audit`.
steps = Table(
    "steps",
    metadata,
    SqlColumn("partition", Integer, primary_key=True),
    SqlColumn("number", BigInteger, primary_key=True),
    SqlColumn("task_id", SqlUUID, nullable=False),
    SqlColumn("client_id", Text, nullable=False),
    SqlColumn("on_day", Date, nullable=False, comment="the business date it counts from"),
    SqlColumn("at", Instant, nullable=False),
    SqlColumn("from_state", Text),
    SqlColumn("to_state", Text, nullable=False),
    SqlColumn("actor", Text, nullable=False),
    SqlColumn("reason", Text, nullable=False),
    SqlColumn("detail", JSONB, nullable=False),
    SqlColumn("policy", Text),
    Index(None, "task_id", "number"),
)
SEALED = SealedTable("steps", tuple(column.name for column in steps.columns))

# Attempts and proof

evidence = Table(
    "evidence",
    metadata,
    SqlColumn("evidence_id", Text, primary_key=True, comment="SHA-256 of the content, or of the reference"),
    SqlColumn("client_id", Text, primary_key=True),
    SqlColumn("kind", Text, nullable=False, comment="recording, letter, survey, visit, screenshot, approval"),
    SqlColumn("reference", Text, comment="of a recording kept by the phone system"),
    SqlColumn("media_type", Text),
    SqlColumn("size_bytes", BigInteger),
    SqlColumn("stored_at", Instant, nullable=False),
    SqlColumn("stored_by", Text, nullable=False),
    SqlColumn("recorded_at", Instant, comment="when the call was recorded, as the phone system says"),
)

attempts = Table(
    "attempts",
    metadata,
    SqlColumn("attempt_id", SqlUUID, primary_key=True),
    SqlColumn("call_id", SqlUUID, nullable=False, comment="one call may serve several tasks"),
    SqlColumn("task_id", SqlUUID, nullable=False),
    SqlColumn("client_id", Text, nullable=False),
    SqlColumn("branch_id", Text),
    SqlColumn("topic", Text, nullable=False),
    SqlColumn("script", Text, nullable=False),
    SqlColumn("agent", Text, nullable=False),
    SqlColumn("at", Instant, nullable=False),
    SqlColumn("on_day", Date, nullable=False),
    SqlColumn("channel", Text, nullable=False),
    SqlColumn("outcome", Text, nullable=False),
    SqlColumn("reached", Boolean, nullable=False),
    SqlColumn("valid", Boolean, nullable=False),
    SqlColumn("covers", Boolean, nullable=False),
    SqlColumn("answers", JSONB, nullable=False),
    SqlColumn("evidence_id", Text),
    SqlColumn("failed_recording_approved_by", Text),
    SqlColumn("profile", JSONB, comment="fields the client changed, or {} for `no change` [B11]"),
    SqlColumn("notes", Text, comment="masked"),
    Index(None, "task_id", "at"),
    Index(None, "client_id", "at"),
    Index(None, "on_day"),
    Index("ix_covering", "client_id", "on_day", postgresql_where=text("covers")),
)


class RecordedContactRow(Row, frozen=True):
    """A contact that somebody else recorded."""

    contact_id: Annotated[str, Column(primary_key=True)]
    client_id: str | None
    staff_id: str
    channel: str
    direction: str
    at: datetime
    on_day: date
    valid: bool
    topics: Annotated[list[str], Column(ARRAY(Text))]
    evidence: str | None
    wait_s: Annotated[int | None, Column(comment="how long the caller waited until the call was answered")]
    covers: Annotated[bool, Column(comment="counts for coverage, where no contact of our own does")]
    recorded_at: datetime
    recorded_by: Annotated[str, Column(comment="the broker's system, or who entered it")]


recorded_contacts = table(
    "recorded_contacts",
    metadata,
    RecordedContactRow,
    Index(None, "client_id", "at"),
    Index(None, "on_day"),
    Index("ix_recorded_covering", "client_id", "on_day", postgresql_where=text("covers")),
)

findings = Table(
    "findings",
    metadata,
    SqlColumn("finding_id", SqlUUID, primary_key=True),
    SqlColumn("client_id", Text, nullable=False),
    SqlColumn("branch_id", Text),
    SqlColumn("task_id", SqlUUID),
    SqlColumn("attempt_id", SqlUUID),
    SqlColumn("kind", Text, nullable=False),
    SqlColumn("question", Text),
    SqlColumn("concerned", ARRAY(Text), nullable=False),
    SqlColumn("raised_at", Instant, nullable=False),
    SqlColumn("raised_by", Text, nullable=False),
    SqlColumn("notes", Text),
    Index(None, "raised_at"),
)

reviews = Table(
    "reviews",
    metadata,
    SqlColumn("attempt_id", SqlUUID, primary_key=True),
    SqlColumn("agent", Text, nullable=False),
    SqlColumn("topic", Text, nullable=False),
    SqlColumn("branch_id", Text),
    SqlColumn("risk", JSONB, nullable=False, comment="why it was sampled"),
    SqlColumn("sampled_at", Instant, nullable=False),
    SqlColumn("phrases", JSONB, nullable=False, comment="banned phrases found"),
    SqlColumn("reviewer", Text),
    SqlColumn("reviewed_at", Instant),
    SqlColumn("score", SmallInteger),
    SqlColumn("accepted", Boolean),
    SqlColumn("notes", Text),
    Index("ix_reviews_open", "sampled_at", postgresql_where=text("reviewer IS NULL")),
)

draws = Table(
    "draws",
    metadata,
    SqlColumn("draw_id", SqlUUID, primary_key=True),
    SqlColumn("year", Integer, nullable=False),
    SqlColumn("as_of", Date, nullable=False),
    SqlColumn("seed", Text, nullable=False),
    SqlColumn("population", Integer, nullable=False),
    SqlColumn("population_digest", Text, nullable=False),
    SqlColumn("wanted", JSONB, nullable=False, comment="by stratum: clients in it, already covered, drawn"),
    SqlColumn("policy", Text, nullable=False),
    SqlColumn("made_at", Instant, nullable=False),
    SqlColumn("made_by", Text, nullable=False),
)

draw_members = Table(
    "draw_members",
    metadata,
    SqlColumn("draw_id", SqlUUID, primary_key=True),
    SqlColumn("client_id", Text, primary_key=True),
    SqlColumn("stratum", Text, nullable=False),
    SqlColumn("rank", Integer, nullable=False),
)

# Messages: what is asked for, and what is handed over of those sent here until 1.1


class RequestRow(Row, frozen=True):
    """A message callbacks asked messaging for, and the latest word on what became of it."""

    request_id: Annotated[UUID, Column(SqlUUID, primary_key=True, comment="UUIDv5 of kind, client and period")]
    client_id: Annotated[str, Column(index=True)]
    kind: str
    cause: str
    fields: Annotated[dict[str, str], Column(JSONB)]
    asked_at: datetime
    not_before: datetime | None
    not_after: datetime | None
    state: Annotated[str, Column(comment="asked, then as messaging says")]
    reason: str
    channel: str | None
    changed_at: datetime


NOT_ARRIVED = "state IN ('expired', 'undelivered', 'unknown') AND reason <> 'no_receipt'"
"""SQL: a request that somebody should look at."""
requests = table(
    "requests",
    metadata,
    RequestRow,
    Index("ix_requests_not_arrived", "changed_at", postgresql_where=text(NOT_ARRIVED)),
)

handed_over = Table(
    "handed_over",
    metadata,
    SqlColumn("part", Text, primary_key=True, comment="message, opt_out, ...; end when all of it is told"),
    SqlColumn("after", Text, comment="where the next turn goes on; empty: all of the part is told"),
    SqlColumn("count", Integer, nullable=False),
)

moments = Table(
    "moments",
    metadata,
    SqlColumn("moment_id", SqlUUID, primary_key=True),
    SqlColumn("client_id", Text, nullable=False),
    SqlColumn("branch_id", Text),
    SqlColumn("code", Text, nullable=False),
    SqlColumn("on_day", Date, nullable=False),
    SqlColumn("mandatory", Boolean, nullable=False),
    SqlColumn("due_on", Date, nullable=False),
    SqlColumn("due_at", Instant, nullable=False),
    SqlColumn("cause", JSONB, nullable=False, server_default="{}"),
    SqlColumn("done_on", Date),
    SqlColumn("done_by", Text),
    SqlColumn("reaction", Text),
    Index(None, "client_id"),
    Index("ix_moments_open", "due_on", postgresql_where=text("mandatory AND done_on IS NULL")),
)

alarms = Table(
    "alarms",
    metadata,
    SqlColumn("alarm_id", SqlUUID, primary_key=True, comment="UUIDv5 of kind and subject: raised once"),
    SqlColumn("client_id", Text, nullable=False),
    SqlColumn("branch_id", Text),
    SqlColumn("kind", Text, nullable=False),
    SqlColumn("subject", Text, nullable=False),
    SqlColumn("due_at", Instant, nullable=False),
    SqlColumn("raised_at", Instant, nullable=False),
    SqlColumn("step", Text, nullable=False, server_default="", comment="of the ladder [A21]"),
    SqlColumn("told_to", ARRAY(Text), nullable=False, server_default="{}"),
    Index(None, "raised_at"),
)

drills = Table(
    "drills",
    metadata,
    SqlColumn("drill_id", SqlUUID, primary_key=True),
    SqlColumn("branch_id", Text, nullable=False),
    SqlColumn("held_on", Date, nullable=False),
    SqlColumn("scenario", Text, nullable=False, comment="the reason to leave that was rehearsed [A20]"),
    SqlColumn("participants", JSONB, nullable=False, comment="the role each person played"),
    SqlColumn("evidence_id", Text, nullable=False),
    SqlColumn("lessons", Text, nullable=False),
    SqlColumn("recorded_by", Text, nullable=False),
    SqlColumn("recorded_at", Instant, nullable=False),
    SqlColumn("policy", Text, nullable=False),
    SqlColumn("cancelled_at", Instant),
    SqlColumn("cancelled_by", Text),
    SqlColumn("cancel_reason", Text),
    Index(None, "branch_id", "held_on"),
)

publications = Table(
    "publications",
    metadata,
    SqlColumn("branch_id", Text, primary_key=True),
    SqlColumn("what", Text, primary_key=True, comment="phone, mailbox, address, licence, staff list ... [B17]"),
    SqlColumn("value", Text, nullable=False),
    SqlColumn("responsible", Text, nullable=False),
    SqlColumn("confirmed_on", Date, nullable=False),
)
