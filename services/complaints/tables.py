"""What complaints keeps: cases with everything said and done about them, alarms, packs and the branches' duties."""

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
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from chassis.clients import Clients, Fact, sealed
from chassis.histories import History
from chassis.tables import Instant, new_metadata
from contracts.classification import CoreChanged, TierChanged
from services.complaints.rules import STATES

metadata = new_metadata()

CLIENTS = Clients(
    metadata,
    Fact("branch_id", dated=True),
    Fact("manager_id"),
    Fact("name", LargeBinary, of=sealed("name"), comment="encrypted"),
    Fact("phone", LargeBinary, of=sealed("phone"), comment="encrypted"),
)

TIERS: History[TierChanged] = History(
    metadata,
    "tiers",
    Column("since", Date, primary_key=True),
    Column("until", Date, comment="exclusive; empty: until the next one"),
    Column("tier", Text, nullable=False),
    told=lambda change: [(one.since, one.until, one.tier) for one in change.stretches],
)
"""For the priority queue and grumbles [C18, C20]."""

CORES: History[CoreChanged] = History(
    metadata,
    "cores",
    Column("since", Date, primary_key=True),
    Column("core", Boolean, nullable=False),
    told=lambda change: [(one.since, one.core) for one in change.stretches],
)
"""For the KPI of core clients [A33]."""

cases = Table(
    "cases",
    metadata,
    Column("case_id", UUID(as_uuid=True), primary_key=True),
    Column("system", Text, nullable=False),
    Column("external_ref", Text, comment="the other system's own number; empty for cases opened here"),
    Column("client_id", Text),
    Column("key", Text, nullable=False, comment="client id, or case:ID [C29]"),
    Column("branch_id", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="complaint, suggestion, enquiry, conduct"),
    Column("source", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("flow", Text, nullable=False, comment="fixed at intake [C3]"),
    Column("severity", Text, nullable=False),
    Column("category", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False, comment="somebody at every instant [C8]"),
    Column("offered_to", Text, comment="a hand-over that waits for acceptance"),
    Column("generation", Integer, nullable=False, server_default="1"),
    Column("level", Integer, nullable=False, server_default="0", comment="0 branch, 1 centre, 2 compliance [C11]"),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("received_at", Instant, nullable=False),
    Column("received_on", Date, nullable=False),
    Column("dispatch_due", Instant, comment="24:00 of the day of receipt; empty: no order is owed [C4]"),
    Column("dispatched_at", Instant),
    Column("dispatch_met", Boolean),
    Column("dispatch_wanted_at", Instant, comment="an order read before the branch's seats are known"),
    Column("due_on", Date, comment="the day the result clock ends"),
    Column("words", Text, nullable=False, server_default="", comment="masked at intake [C29]"),
    Column("original", LargeBinary, comment="encrypted"),
    Column("product", Text),
    Column("employee", Text),
    Column("script", Text),
    Column("claim", Numeric),
    Column("allegations", ARRAY(Text), nullable=False, server_default="{}"),
    Column("complainants", Integer, nullable=False, server_default="1"),
    Column("regulator_ref", Text),
    Column("reply_due_on", Date),
    Column("concerned", ARRAY(Text), nullable=False, server_default="{}", comment="persons named in it [C28]"),
    Column("restricted", Boolean, nullable=False, server_default="false"),
    Column("imported", Boolean, nullable=False, server_default="false"),
    Column("attributes", JSONB, nullable=False, server_default="{}", comment="an import's own columns, as given"),
    Column("contact_channel", Text, comment="how the complainant wants to hear of it [C25]"),
    Column("contact_name", LargeBinary, comment="encrypted"),
    Column("contact_phone", LargeBinary, comment="encrypted"),
    Column("priority", Boolean, nullable=False, server_default="false", comment="the VIP line [C18]"),
    Column("outcome", Text),
    Column("upheld", Boolean),
    Column("closed_at", Instant),
    Column("opened_by", Text, nullable=False),
    Column("to_tell_since", Instant, comment="since when the complainant is to be told of the present state [C25]"),
    Column("fingerprint", LargeBinary, comment="of the fact it was opened by: the same one again is a repeat"),
    Column("erased_at", Instant, comment="what was said and who said it is gone; that there was a case stays [C21]"),
    CheckConstraint(f"state IN ({', '.join(repr(s) for s in STATES)})", name="state"),
    Index(
        "uq_cases_external", "system", "external_ref", unique=True, postgresql_where=text("external_ref IS NOT NULL")
    ),
    Index(None, "received_on"),
    Index("ix_cases_newest", "received_at", "case_id"),
    Index("ix_cases_newest_of_branch", "branch_id", "received_at", "case_id"),
    Index("ix_cases_client", "client_id", postgresql_where=text("client_id IS NOT NULL")),
    Index("ix_cases_key_state", "key", postgresql_where=text("state = 'satisfaction_call'")),
    Index("ix_cases_waiting", "branch_id", postgresql_where=text("dispatch_wanted_at IS NOT NULL")),
    Index("ix_cases_owner", "owner", postgresql_where=text("closed_at IS NULL")),
    Index("ix_cases_queue", "branch_id", "received_at", postgresql_where=text("state IN ('received', 'reopened')")),
    Index("ix_cases_to_tell", "owner", "to_tell_since", postgresql_where=text("to_tell_since IS NOT NULL")),
    Index("ix_cases_regulator_ref", "regulator_ref", postgresql_where=text("regulator_ref IS NOT NULL")),
)

words = Table(
    "case_words",
    metadata,
    Column("case_id", UUID(as_uuid=True), primary_key=True),
    Column("received_at", Instant, nullable=False, comment="as the case's: results are cut newest first"),
    Column("grams", ARRAY(Integer), nullable=False),
    Index("ix_case_words_grams", "grams", postgresql_using="gin"),
    comment="pairs of Chinese characters and whole Latin words of the masked text: two-character words are found whole",
)

moves = Table(
    "case_moves",
    metadata,
    Column("case_id", UUID(as_uuid=True), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("what", Text, nullable=False),
    Column("state", Text, nullable=False, comment="the state from here on"),
    Column("at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default="{}"),
)

tickets = Table(
    "tickets",
    metadata,
    Column("case_id", UUID(as_uuid=True), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("branch_id", Text, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("issued_by", Text, nullable=False),
    Column("addressees", JSONB, nullable=False, comment="for each seat who received it, and for whom [C5]"),
    Column("phone_due", Instant, comment="the general manager is told by phone the same day [C4]"),
    Column("phoned_at", Instant),
    Column("phoned_by", Text),
    Column("phoned_to", Text),
    Column("phone_recording", Text),
    Column("solutions", JSONB, nullable=False, server_default="[]", comment="what centre and branch agreed [C10]"),
    Column("facts", Text),
    Column("responsible", Text),
    Column("action", Text),
    Column("reaction", Text),
    Column("fed_back_at", Instant),
    Column("fed_back_by", Text),
    comment="投诉督办单",
)

notices = Table(
    "notices",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("case_id", UUID(as_uuid=True), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("clock", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("to", Text, nullable=False),
    Column("seat", Text, nullable=False),
    Column("path", ARRAY(Text), nullable=False, server_default="{}", comment="who was passed over, the one found last"),
    Column("for_conflict", Boolean, nullable=False, server_default="false"),
    Column("at", Instant, nullable=False),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Text),
    Index("uq_notices_once", "case_id", "generation", "clock", "step", "to", "seat", unique=True),
    Index("ix_notices_open", "to", postgresql_where=text("acknowledged_at IS NULL")),
)

demands = Table(
    "demands",
    metadata,
    Column("demand_id", UUID(as_uuid=True), primary_key=True),
    Column("case_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("what", Text, nullable=False),
    Column("amount", Numeric),
    Column("made_at", Instant, nullable=False),
    Column("withdrawn_at", Instant, comment="the record stays [C13]"),
    Column("withdrawn_by", Text),
    Column("reason", Text),
)

suggestions = Table(
    "suggestions",
    metadata,
    Column("suggestion_id", UUID(as_uuid=True), primary_key=True),
    Column("case_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("words", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("adopted_at", Instant),
    Column("adopted_by", Text),
    comment="意见及建议 [C12]",
)

links = Table(
    "links",
    metadata,
    Column("case_id", UUID(as_uuid=True), primary_key=True),
    Column("other_id", UUID(as_uuid=True), primary_key=True),
    Column("relation", Text, primary_key=True, comment="same_matter, member_of, refused_before"),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("ended_at", Instant),
    Index(None, "other_id"),
)

redress = Table(
    "redress",
    metadata,
    Column("redress_id", UUID(as_uuid=True), primary_key=True),
    Column("case_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("amount", Numeric, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("state", Text, nullable=False, server_default="proposed"),
    Column("checked_by", Text),
    Column("checked_at", Instant),
    CheckConstraint("amount > 0", name="positive"),
    CheckConstraint("checked_by IS DISTINCT FROM made_by", name="two_persons"),
)

accountability = Table(
    "accountability",
    metadata,
    Column("accountability_id", UUID(as_uuid=True), primary_key=True),
    Column("case_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("cause", Text, nullable=False, comment="upheld, refused_before, late_before"),
    Column("against", ARRAY(Text), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("summary", Text),
    Column("root_cause", Text),
    Column("plan", Text, comment="corrective action"),
    Column("plan_owner", Text),
    Column("due_on", Date),
    Column("circular", Text, comment="通报"),
    Column("measure", Text, comment="criticism or penalty by severity [C14]"),
    Column("done_at", Instant),
    Column("done_by", Text),
    Column("overdue_at", Instant, comment="the plan was not carried out by its date"),
    Column("carried_out_at", Instant),
    Column("carried_out_by", Text),
    Index("uq_accountability_once", "case_id", "cause", unique=True),
    comment="责任追究 [C14]",
)

deviations = Table(
    "deviations",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("case_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("what", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", Instant),
    CheckConstraint("approved_by IS DISTINCT FROM asked_by", name="two_persons"),
    comment="特殊情况特殊处理 [C19]",
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("case_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("recording", Text),
    comment="every contact with the complainant [C25]",
)

attachments = Table(
    "attachments",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("type", Text, nullable=False, comment="what the bytes are, whatever was claimed"),
    Column("size", Integer, nullable=False),
    Column("stored_at", Instant, nullable=False),
)

attachment_parts = Table(
    "attachment_parts",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    comment="the bytes of attachments, a part at a time",
)

case_attachments = Table(
    "case_attachments",
    metadata,
    Column("case_id", UUID(as_uuid=True), primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False, comment="recording, letter, photo, other"),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
)

grumbles = Table(
    "pre_complaints",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("client_id", Text, nullable=False, index=True),
    Column("branch_id", Text),
    Column("heard_at", Instant, nullable=False),
    Column("heard_by", Text, nullable=False),
    Column("mood", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("signal", Text, comment="churn when it made one [A33]"),
    Column("tier", Text, comment="as it was known when the grumble was heard"),
    comment="抱怨 [A33]",
)

alarms = Table(
    "alarms",
    metadata,
    Column("alarm_id", UUID(as_uuid=True), primary_key=True),
    Column("dimension", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("last_on", Date, nullable=False, comment="the last day with a case; quiet for seven days: over"),
    Column("cases", Integer, nullable=False),
    Column(
        "group_case_id", UUID(as_uuid=True), comment="its members are linked to it and stay cases of their own [C17]"
    ),
    Column("recurs_after", UUID(as_uuid=True), comment="the alarm before it about the same, whose action did not hold"),
    Column("root_cause", Text),
    Column("action", Text),
    Column("owner", Text),
    Column("due_on", Date),
    Column("reviewed_by", Text),
    Column("reviewed_at", Instant),
    Column("overdue_at", Instant, comment="the corrective action was not done by its date"),
    Column("done_at", Instant),
    Column("done_by", Text),
    Index("uq_alarms_opened", "dimension", "value", "opened_on", unique=True),
    Index(None, "last_on"),
)

radar_due = Table(
    "radar_due",
    metadata,
    Column("day", Date, primary_key=True),
    comment="closed days whose clusters late cases may have changed",
)

nil_reports = Table(
    "nil_reports",
    metadata,
    Column("branch_id", Text, primary_key=True),
    Column("month", Date, primary_key=True),
    Column("filed_by", Text, nullable=False),
    Column("filed_at", Instant, nullable=False),
)

reception_days = Table(
    "reception_days",
    metadata,
    Column("branch_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("leader", Text, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("published_by", Text, nullable=False),
    comment="领导接待日 [C16]",
)

visits = Table(
    "reception_visits",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("branch_id", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("visitor", LargeBinary, comment="encrypted"),
    Column("matter", Text, nullable=False),
    Column("outcome", Text),
    Column("case_id", UUID(as_uuid=True)),
    Column("recorded_by", Text, nullable=False),
    Index(None, "branch_id", "day"),
)

packs = Table(
    "packs",
    metadata,
    Column("pack_id", Text, primary_key=True),
    Column("period", Text, nullable=False),
    Column("cut_off", Instant, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("manifest_sha256", Text, nullable=False),
    Column("sign_off_due", Date, nullable=False, comment="the 3rd working day [C15]"),
    Column("to_sign", ARRAY(Text), nullable=False, server_default="{}", comment="who was asked to sign it off"),
    Column("reminded_at", Instant),
    Column("missed_at", Instant, comment="not signed off by its day [C15]"),
    Column("signed_off_by", Text),
    Column("signed_off_at", Instant),
)

pack_parts = Table(
    "pack_parts",
    metadata,
    Column("pack_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    comment="the bytes of archives, a part at a time",
)

holds = Table(
    "holds",
    metadata,
    Column("hold_id", UUID(as_uuid=True), primary_key=True),
    Column("case_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", Instant, nullable=False),
    Column("release_asked_by", Text),
    Column("release_asked_at", Instant),
    Column("release_reason", Text),
    Column("released_by", Text),
    Column("released_at", Instant),
    CheckConstraint("released_by IS DISTINCT FROM release_asked_by OR released_by IS NULL", name="two_persons"),
    comment="a legal hold wins over retention: one person places it, two lift it [C21]",
)

erasures = Table(
    "erasures",
    metadata,
    Column("erasure_id", UUID(as_uuid=True), primary_key=True),
    Column("case_id", UUID(as_uuid=True), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="asked", comment="asked, erased, refused"),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", Instant),
    CheckConstraint("decided_by IS DISTINCT FROM asked_by", name="two_persons"),
    Index("uq_erasures_open", "case_id", unique=True, postgresql_where=text("state = 'asked'")),
    comment="what was asked to be erased once its retention is over, and decided by another [C21]",
)
