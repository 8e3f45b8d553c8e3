"""What callbacks keeps: the facts it needs of a client, the tasks owed, and every step, attempt and proof."""

from datetime import date

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from chassis.histories import History
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
    Column("client_id", Text, primary_key=True),
    Column("branch_id", Text),
    Column("manager_id", Text),
    Column("opener_id", Text),
    Column("referrer_id", Text),
    Column("kind", Text),
    Column("opened_on", Date),
    Column("closed_on", Date),
    Column("account_status", Text, comment="the regulatory status; `dormant` and `suspended` leave the 10 % base [B1]"),
    Column("experience_years", Integer),
    Column("birth_date", Date),
    Column("name", LargeBinary, comment="encrypted"),
    Column("phone", LargeBinary, comment="encrypted"),
    Column("email", LargeBinary, comment="encrypted"),
    Column("address", LargeBinary, comment="encrypted"),
    Column("stamps", JSONB, nullable=False, server_default="{}", comment="(ce_time, ce_id) of each field's word"),
    Column("do_not_call", Boolean, nullable=False, server_default="false"),
    Column("no_marketing", Boolean, nullable=False, server_default="false"),
    Column("objects_to_viewing", Boolean, nullable=False, server_default="false", comment="[A16]"),
    Column("language", Text, nullable=False, server_default="zh-CN"),
    Column("last_valid_contact", Instant, comment="two-way; resets the timer of A7a"),
    Index(None, "opened_on"),
    Index(None, "manager_id", postgresql_where=text("manager_id IS NOT NULL")),
    Index("ix_birthday", text(f"({BIRTHDAY})"), postgresql_where=text("birth_date IS NOT NULL")),
)

callers = Table(
    "callers",
    metadata,
    Column("subject", Text, primary_key=True, comment="the missed call's or the booking's id, as its task's"),
    Column(
        "owner", Text, nullable=False, index=True, comment="whose key: the client's, or that of the call or booking"
    ),
    Column("name", LargeBinary, comment="encrypted"),
    Column("phone", LargeBinary, comment="encrypted"),
)

# One row for each day something that coverage or avoidance asks for changed: as-of answers need what was, not what is.
standings = Table(
    "standings",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("since", Date, primary_key=True),
    Column("branch_id", Text),
    Column("manager_id", Text),
    Column("account_status", Text),
)

TAGS: History[GroupChanged] = History(
    metadata,
    "tag_stretches",
    Column("tag", Text, primary_key=True),
    Column("since", Date, primary_key=True),
    Column("until", Date, comment="exclusive; empty when open"),
    Column("baseline", Boolean, nullable=False, server_default="false", comment="causes no task [K7]"),
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
    Column("since", Date, primary_key=True),
    Column("rank", SmallInteger, nullable=False),
    Column("before", SmallInteger, nullable=False, comment="the rank until then"),
    Index(None, "since"),
    told=_ranks,
)
"""Tiers [T5, T7]."""

assessments = Table(
    "assessments",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("assessment_id", Text, primary_key=True),
    Column("level", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
    Index(None, "valid_until"),
    Index(None, "client_id", "valid_from"),
)

late = Table(
    "late",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    comment="clients whose owed tasks are compared again with what the facts say",
)

# Tasks

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", UUID, primary_key=True, comment="UUIDv5 of rule, client and period"),
    Column("client_id", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("script", Text, nullable=False, comment="the version frozen when the task was made [B9]"),
    Column("priority", SmallInteger, nullable=False),
    Column("branch_id", Text),
    Column("created_on", Date, nullable=False),
    Column("found_on", Date, nullable=False, comment="the closed day (or day of arrival) whose facts owe it"),
    Column("target_on", Date),
    Column("alarm_on", Date),
    Column("due_on", Date, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("policy", Text, nullable=False),
    Column("cause", JSONB, nullable=False, comment="why: the facts it was made from"),
    Column(
        "concerned", ARRAY(Text), nullable=False, server_default="{}", comment="persons it is hidden from [B5, C28]"
    ),
    Column("restricted", Boolean, nullable=False, server_default="false", comment="for compliance only [B6]"),
    Column("subject", Text, comment="what it is about: a case, a call, a booking"),
    Column("state", Text, nullable=False, server_default="planned"),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("owner", Text, comment="theirs alone until `passes_on_at`"),
    Column("passes_on_at", Instant),
    Column("holder", Text),
    Column("held_since", Instant),
    Column("lease_until", Instant),
    Column("not_before", Instant),
    Column("wish", Boolean, nullable=False, server_default="false", comment="not_before is the client's own word"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("channel", Text, nullable=False, server_default="phone"),
    Column("outcome", Text),
    Column("ended_on", Date),
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
    Index("ix_tasks_held", "holder", postgresql_where=text("holder IS NOT NULL")),
    Index("ix_tasks_unplaced", "client_id", postgresql_where=text("branch_id IS NULL")),
    postgresql_with={"fillfactor": "80"},
)

# Every change of a task's state, never altered: the task's history, its audit trail, and what as-of answers read.
steps = Table(
    "steps",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("task_id", UUID, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("on_day", Date, nullable=False, comment="the business date it counts from"),
    Column("at", Instant, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Column("policy", Text),
    Index(None, "task_id", "number"),
)
SEALED = SealedTable("steps", tuple(column.name for column in steps.columns))

# Attempts and proof

evidence = Table(
    "evidence",
    metadata,
    Column("evidence_id", Text, primary_key=True, comment="SHA-256 of the content, or of the reference"),
    Column("client_id", Text, primary_key=True),
    Column("kind", Text, nullable=False, comment="recording, letter, survey, visit, screenshot, approval"),
    Column("reference", Text, comment="of a recording kept by the phone system"),
    Column("media_type", Text),
    Column("size_bytes", BigInteger),
    Column("stored_at", Instant, nullable=False),
    Column("stored_by", Text, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", UUID, primary_key=True),
    Column("call_id", UUID, nullable=False, comment="one call may serve several tasks"),
    Column("task_id", UUID, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("branch_id", Text),
    Column("topic", Text, nullable=False),
    Column("script", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("on_day", Date, nullable=False),
    Column("channel", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reached", Boolean, nullable=False),
    Column("valid", Boolean, nullable=False),
    Column("covers", Boolean, nullable=False),
    Column("answers", JSONB, nullable=False),
    Column("evidence_id", Text),
    Column("failed_recording_approved_by", Text),
    Column("profile", JSONB, comment="fields the client changed, or {} for `no change` [B11]"),
    Column("notes", Text, comment="masked"),
    Index(None, "task_id", "at"),
    Index(None, "client_id", "at"),
    Index(None, "on_day"),
    Index("ix_covering", "client_id", "on_day", postgresql_where=text("covers")),
)

findings = Table(
    "findings",
    metadata,
    Column("finding_id", UUID, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("branch_id", Text),
    Column("task_id", UUID),
    Column("attempt_id", UUID),
    Column("kind", Text, nullable=False),
    Column("question", Text),
    Column("concerned", ARRAY(Text), nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("raised_by", Text, nullable=False),
    Column("notes", Text),
    Index(None, "raised_at"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("attempt_id", UUID, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("branch_id", Text),
    Column("risk", JSONB, nullable=False, comment="why it was sampled"),
    Column("sampled_at", Instant, nullable=False),
    Column("phrases", JSONB, nullable=False, comment="banned phrases found"),
    Column("reviewer", Text),
    Column("reviewed_at", Instant),
    Column("score", SmallInteger),
    Column("accepted", Boolean),
    Column("notes", Text),
    Index("ix_reviews_open", "sampled_at", postgresql_where=text("reviewer IS NULL")),
)

draws = Table(
    "draws",
    metadata,
    Column("draw_id", UUID, primary_key=True),
    Column("year", Integer, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("seed", Text, nullable=False),
    Column("population", Integer, nullable=False),
    Column("population_digest", Text, nullable=False),
    Column("wanted", JSONB, nullable=False, comment="by stratum: clients in it, already covered, drawn"),
    Column("policy", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("made_by", Text, nullable=False),
)

draw_members = Table(
    "draw_members",
    metadata,
    Column("draw_id", UUID, primary_key=True),
    Column("client_id", Text, primary_key=True),
    Column("stratum", Text, nullable=False),
    Column("rank", Integer, nullable=False),
)

# Messages, moments

messages = Table(
    "messages",
    metadata,
    Column("message_id", UUID, primary_key=True, comment="UUIDv5 of kind, client and period"),
    Column("client_id", Text, nullable=False),
    Column("branch_id", Text),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("marketing", Boolean, nullable=False, server_default="false"),
    Column("inputs", JSONB, nullable=False, server_default="{}"),
    Column("planned_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False, comment="not sent before"),
    Column("limit_at", Instant, comment="not sent after"),
    Column("state", Text, nullable=False, comment="planned, sending, sent, delivered, undeliverable, skipped, missed"),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("leased_until", Instant),
    Column("sent_at", Instant),
    Column("template", Text),
    Column("body_sha256", Text, comment="of what was sent: the words themselves can be made again from the template"),
    Column("receipt", Text, comment="the provider's own reference"),
    Column("reason", Text, nullable=False, server_default=""),
    Index(None, "client_id"),
    Index("ix_messages_due", "due_at", postgresql_where=text("state IN ('planned', 'sending')")),
    Index("ix_messages_receipt", "receipt", postgresql_where=text("receipt IS NOT NULL")),
)

moments = Table(
    "moments",
    metadata,
    Column("moment_id", UUID, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("branch_id", Text),
    Column("code", Text, nullable=False),
    Column("on_day", Date, nullable=False),
    Column("mandatory", Boolean, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("cause", JSONB, nullable=False, server_default="{}"),
    Column("done_on", Date),
    Column("done_by", Text),
    Column("reaction", Text),
    Index(None, "client_id"),
    Index("ix_moments_open", "due_on", postgresql_where=text("mandatory AND done_on IS NULL")),
)

alarms = Table(
    "alarms",
    metadata,
    Column("alarm_id", UUID, primary_key=True, comment="UUIDv5 of kind and subject: raised once"),
    Column("client_id", Text, nullable=False),
    Column("branch_id", Text),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("step", Text, nullable=False, server_default="", comment="of the ladder [A21]"),
    Column("told_to", ARRAY(Text), nullable=False, server_default="{}"),
    Index(None, "raised_at"),
)

drills = Table(
    "drills",
    metadata,
    Column("drill_id", UUID, primary_key=True),
    Column("branch_id", Text, nullable=False),
    Column("held_on", Date, nullable=False),
    Column("scenario", Text, nullable=False, comment="the reason to leave that was rehearsed [A20]"),
    Column("participants", JSONB, nullable=False, comment="the role each person played"),
    Column("evidence_id", Text, nullable=False),
    Column("lessons", Text, nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("policy", Text, nullable=False),
    Index(None, "branch_id", "held_on"),
)

# Mailings [B15] and what clients show of their interest [B18]

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("column_code", Text, primary_key=True, comment="a column (栏目) of the mailings policy"),
    Column("channel", Text, nullable=False),
    Column("since", Date, nullable=False),
    Column("recorded_by", Text, nullable=False),
)

# Clicks, subscriptions and their ends: feedback on the service, counted; never a two-way contact.
feedback = Table(
    "feedback",
    metadata,
    Column("feedback_id", UUID, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("branch_id", Text),
    Column("column_code", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="click, subscribed, unsubscribed"),
    Column("at", Instant, nullable=False),
    Column("on_day", Date, nullable=False),
    Column("message_id", UUID),
    Column("recorded_by", Text, nullable=False),
    Index(None, "on_day"),
    Index(None, "client_id", "at"),
)

mailings = Table(
    "mailings",
    metadata,
    Column("mailing_id", UUID, primary_key=True),
    Column("column_code", Text, nullable=False),
    Column("branch_id", Text, comment="of one branch's clients; of everybody's when empty"),
    Column("product_level", Text, comment="the risk level of the product it is about"),
    Column("words", JSONB, nullable=False, comment="title and text by language"),
    Column("send_from", Instant, nullable=False),
    Column("send_until", Instant, nullable=False),
    Column("state", Text, nullable=False, comment="draft, released, withdrawn"),
    Column("ordered_by", Text, nullable=False),
    Column("ordered_at", Instant, nullable=False),
    Column("released_by", Text),
    Column("released_at", Instant),
    Column("planned", Integer, comment="how many messages"),
    Column("left_out", JSONB, comment="how many clients, by reason"),
    Column("policy", Text, nullable=False),
    Index(None, "ordered_at"),
)

publications = Table(
    "publications",
    metadata,
    Column("branch_id", Text, primary_key=True),
    Column("what", Text, primary_key=True, comment="phone, mailbox, address, licence, staff list ... [B17]"),
    Column("value", Text, nullable=False),
    Column("responsible", Text, nullable=False),
    Column("confirmed_on", Date, nullable=False),
)
