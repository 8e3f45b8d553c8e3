"""What complaints keeps: cases with everything said and done about them, alarms, packs and the branches' duties."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
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
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID

from chassis.clients import Clients, Fact, sealed
from chassis.histories import History
from chassis.rows import Column, Row, table
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
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("until", Date, comment="exclusive; empty: until the next one"),
    SqlColumn("tier", Text, nullable=False),
    told=lambda change: [(one.since, one.until, one.tier) for one in change.stretches],
)
"""For the priority queue and grumbles [C18, C20]."""

CORES: History[CoreChanged] = History(
    metadata,
    "cores",
    SqlColumn("since", Date, primary_key=True),
    SqlColumn("core", Boolean, nullable=False),
    told=lambda change: [(one.since, one.core) for one in change.stretches],
)
"""For the KPI of core clients [A33]."""


class CaseRow(Row, frozen=True, kw_only=True):
    """A case as it stands. `key`: the client id, or `case:ID` [C29]; `concerned`: the persons it is about [C28]."""

    case_id: Annotated[UUID, Column(PgUUID(as_uuid=True), primary_key=True)]
    system: str
    external_ref: Annotated[str | None, Column(comment="the other system's own number; empty for cases opened here")]
    client_id: str | None
    key: Annotated[str, Column(comment="client id, or case:ID [C29]")]
    branch_id: str
    kind: Annotated[str, Column(comment="complaint, suggestion, enquiry, conduct")]
    source: str
    channel: str
    flow: Annotated[str, Column(comment="fixed at intake [C3]")]
    severity: str
    category: Annotated[str, Column(server_default="")]
    state: str
    owner: Annotated[str, Column(comment="somebody at every instant [C8]")]
    offered_to: Annotated[str | None, Column(comment="a hand-over that waits for acceptance")]
    generation: Annotated[int, Column(server_default="1")]
    level: Annotated[int, Column(server_default="0", comment="0 branch, 1 centre, 2 compliance [C11]")]
    revision: Annotated[int, Column(server_default="1")]
    received_at: datetime
    received_on: date
    dispatch_due: Annotated[
        datetime | None, Column(comment="24:00 of the day of receipt; empty: no order is owed [C4]")
    ]
    dispatched_at: datetime | None
    dispatch_met: bool | None
    dispatch_wanted_at: Annotated[datetime | None, Column(comment="an order read before the branch's seats are known")]
    ordered_in: Annotated[int | None, Column(comment="the newest generation whose order went to the branch")]
    phoned_in: Annotated[int | None, Column(comment="the newest generation whose order was told by phone [C4]")]
    third_party_over: Annotated[
        bool, Column(server_default="false", comment="a third party has had its time in this generation [C23]")
    ]
    due_on: Annotated[date | None, Column(comment="the day the result clock ends")]
    words: Annotated[str, Column(server_default="", comment="masked at intake [C29]")]
    original: Annotated[bytes | None, Column(comment="encrypted")]
    product: str | None
    employee: str | None
    script: str | None
    claim: Decimal | None
    allegations: Annotated[list[str], Column(ARRAY(Text), server_default="{}")]
    complainants: Annotated[int, Column(server_default="1")]
    regulator_ref: str | None
    reply_due_on: date | None
    concerned: Annotated[list[str], Column(ARRAY(Text), server_default="{}", comment="persons named in it [C28]")]
    restricted: Annotated[bool, Column(server_default="false")]
    imported: Annotated[bool, Column(server_default="false")]
    attributes: Annotated[
        dict[str, str], Column(JSONB, server_default="{}", comment="an import's own columns, as given")
    ]
    contact_channel: Annotated[str | None, Column(comment="how the complainant wants to hear of it [C25]")]
    contact_name: Annotated[bytes | None, Column(comment="encrypted")]
    contact_phone: Annotated[bytes | None, Column(comment="encrypted")]
    priority: Annotated[bool, Column(server_default="false", comment="the VIP line [C18]")]
    outcome: str | None
    upheld: bool | None
    closed_at: datetime | None
    opened_by: str
    to_tell_since: Annotated[
        datetime | None, Column(comment="since when the complainant is to be told of the present state [C25]")
    ]
    fingerprint: Annotated[bytes | None, Column(comment="of the fact it was opened by: the same one again is a repeat")]
    erased_at: Annotated[
        datetime | None, Column(comment="what was said and who said it is gone; that there was a case stays [C21]")
    ]


cases = table(
    "cases",
    metadata,
    CaseRow,
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
    SqlColumn("case_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("received_at", Instant, nullable=False, comment="as the case's: results are cut newest first"),
    SqlColumn("grams", ARRAY(Integer), nullable=False),
    Index("ix_case_words_grams", "grams", postgresql_using="gin"),
    comment="pairs of Chinese characters and whole Latin words of the masked text: two-character words are found whole",
)

tickets = Table(
    "tickets",
    metadata,
    SqlColumn("case_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("generation", Integer, primary_key=True),
    SqlColumn("branch_id", Text, nullable=False),
    SqlColumn("issued_at", Instant, nullable=False),
    SqlColumn("issued_by", Text, nullable=False),
    SqlColumn("addressees", JSONB, nullable=False, comment="for each seat who received it, and for whom [C5]"),
    SqlColumn("phone_due", Instant, comment="the general manager is told by phone the same day [C4]"),
    SqlColumn("phoned_at", Instant),
    SqlColumn("phoned_by", Text),
    SqlColumn("phoned_to", Text),
    SqlColumn("phone_recording", Text),
    SqlColumn("solutions", JSONB, nullable=False, server_default="[]", comment="what centre and branch agreed [C10]"),
    SqlColumn("facts", Text),
    SqlColumn("responsible", Text),
    SqlColumn("action", Text),
    SqlColumn("reaction", Text),
    SqlColumn("fed_back_at", Instant),
    SqlColumn("fed_back_by", Text),
    comment="投诉督办单",
)

notices = Table(
    "notices",
    metadata,
    SqlColumn("id", BigInteger, Identity(), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False),
    SqlColumn("generation", Integer, nullable=False),
    SqlColumn("clock", Text, nullable=False),
    SqlColumn("step", Text, nullable=False),
    SqlColumn("to", Text, nullable=False),
    SqlColumn("seat", Text, nullable=False),
    SqlColumn(
        "path", ARRAY(Text), nullable=False, server_default="{}", comment="who was passed over, the one found last"
    ),
    SqlColumn("for_conflict", Boolean, nullable=False, server_default="false"),
    SqlColumn("at", Instant, nullable=False),
    SqlColumn("acknowledged_at", Instant),
    SqlColumn("acknowledged_by", Text),
    SqlColumn("round", Integer, nullable=False, server_default="1", comment="each promise of the clock starts one"),
    Index("uq_notices_once", "case_id", "generation", "clock", "step", "round", "to", "seat", unique=True),
    Index("ix_notices_open", "to", postgresql_where=text("acknowledged_at IS NULL")),
)

demands = Table(
    "demands",
    metadata,
    SqlColumn("demand_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False, index=True),
    SqlColumn("what", Text, nullable=False),
    SqlColumn("amount", Numeric),
    SqlColumn("made_at", Instant, nullable=False),
    SqlColumn("withdrawn_at", Instant, comment="the record stays [C13]"),
    SqlColumn("withdrawn_by", Text),
    SqlColumn("reason", Text),
)

suggestions = Table(
    "suggestions",
    metadata,
    SqlColumn("suggestion_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False, index=True),
    SqlColumn("words", Text, nullable=False),
    SqlColumn("recorded_at", Instant, nullable=False),
    SqlColumn("recorded_by", Text, nullable=False),
    SqlColumn("adopted_at", Instant),
    SqlColumn("adopted_by", Text),
    comment="意见及建议 [C12]",
)

links = Table(
    "links",
    metadata,
    SqlColumn("case_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("other_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("relation", Text, primary_key=True, comment="same_matter, member_of, refused_before"),
    SqlColumn("at", Instant, nullable=False),
    SqlColumn("by", Text, nullable=False),
    SqlColumn("ended_at", Instant),
    Index(None, "other_id"),
)

redress = Table(
    "redress",
    metadata,
    SqlColumn("redress_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False, index=True),
    SqlColumn("amount", Numeric, nullable=False),
    SqlColumn("reason", Text, nullable=False),
    SqlColumn("made_by", Text, nullable=False),
    SqlColumn("made_at", Instant, nullable=False),
    SqlColumn("state", Text, nullable=False, server_default="proposed"),
    SqlColumn("checked_by", Text),
    SqlColumn("checked_at", Instant),
    CheckConstraint("amount > 0", name="positive"),
    CheckConstraint("checked_by IS DISTINCT FROM made_by", name="two_persons"),
)

accountability = Table(
    "accountability",
    metadata,
    SqlColumn("accountability_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False, index=True),
    SqlColumn("cause", Text, nullable=False, comment="upheld, refused_before, late_before"),
    SqlColumn("against", ARRAY(Text), nullable=False),
    SqlColumn("opened_at", Instant, nullable=False),
    SqlColumn("summary", Text),
    SqlColumn("root_cause", Text),
    SqlColumn("plan", Text, comment="corrective action"),
    SqlColumn("plan_owner", Text),
    SqlColumn("due_on", Date),
    SqlColumn("circular", Text, comment="通报"),
    SqlColumn("measure", Text, comment="criticism or penalty by severity [C14]"),
    SqlColumn("done_at", Instant),
    SqlColumn("done_by", Text),
    SqlColumn("overdue_at", Instant, comment="the plan was not carried out by its date"),
    SqlColumn("carried_out_at", Instant),
    SqlColumn("carried_out_by", Text),
    Index("uq_accountability_once", "case_id", "cause", unique=True),
    comment="责任追究 [C14]",
)

deviations = Table(
    "deviations",
    metadata,
    SqlColumn("id", BigInteger, Identity(), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False, index=True),
    SqlColumn("what", Text, nullable=False),
    SqlColumn("reason", Text, nullable=False),
    SqlColumn("asked_by", Text, nullable=False),
    SqlColumn("asked_at", Instant, nullable=False),
    SqlColumn("approved_by", Text),
    SqlColumn("approved_at", Instant),
    CheckConstraint("approved_by IS DISTINCT FROM asked_by", name="two_persons"),
    comment="特殊情况特殊处理 [C19]",
)

contacts = Table(
    "contacts",
    metadata,
    SqlColumn("id", BigInteger, Identity(), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False, index=True),
    SqlColumn("at", Instant, nullable=False),
    SqlColumn("by", Text, nullable=False),
    SqlColumn("channel", Text, nullable=False),
    SqlColumn("about", Text, nullable=False),
    SqlColumn("recording", Text),
    comment="every contact with the complainant [C25]",
)

messages_asked = Table(
    "messages_asked",
    metadata,
    SqlColumn("request_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False, index=True),
    SqlColumn("channel", Text, nullable=False),
    SqlColumn("asked_at", Instant, nullable=False, comment="when the state changed"),
    SqlColumn("state", Text, nullable=False, comment="asked, then as messaging says"),
    SqlColumn("reason", Text, nullable=False),
    SqlColumn("changed_at", Instant, nullable=False),
    comment="messages to complainants asked for, and what became of them [C25]",
)

attachments = Table(
    "attachments",
    metadata,
    SqlColumn("sha256", Text, primary_key=True),
    SqlColumn("type", Text, nullable=False, comment="what the bytes are, whatever was claimed"),
    SqlColumn("size", Integer, nullable=False),
    SqlColumn("stored_at", Instant, nullable=False),
)

attachment_parts = Table(
    "attachment_parts",
    metadata,
    SqlColumn("sha256", Text, primary_key=True),
    SqlColumn("number", Integer, primary_key=True),
    SqlColumn("content", LargeBinary, nullable=False),
    comment="the bytes of attachments, a part at a time",
)

case_attachments = Table(
    "case_attachments",
    metadata,
    SqlColumn("case_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("sha256", Text, primary_key=True),
    SqlColumn("name", Text, nullable=False),
    SqlColumn("role", Text, nullable=False, comment="recording, letter, photo, other"),
    SqlColumn("at", Instant, nullable=False),
    SqlColumn("by", Text, nullable=False),
)

grumbles = Table(
    "pre_complaints",
    metadata,
    SqlColumn("id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("client_id", Text, nullable=False, index=True),
    SqlColumn("branch_id", Text),
    SqlColumn("heard_at", Instant, nullable=False),
    SqlColumn("heard_by", Text, nullable=False),
    SqlColumn("mood", Text, nullable=False),
    SqlColumn("words", Text, nullable=False),
    SqlColumn("signal", Text, comment="churn when it made one [A33]"),
    SqlColumn("tier", Text, comment="as it was known when the grumble was heard"),
    comment="抱怨 [A33]",
)

alarms = Table(
    "alarms",
    metadata,
    SqlColumn("alarm_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("dimension", Text, nullable=False),
    SqlColumn("value", Text, nullable=False),
    SqlColumn("opened_on", Date, nullable=False),
    SqlColumn("last_on", Date, nullable=False, comment="the last day with a case; quiet for seven days: over"),
    SqlColumn("cases", Integer, nullable=False),
    SqlColumn(
        "group_case_id", PgUUID(as_uuid=True), comment="its members are linked to it and stay cases of their own [C17]"
    ),
    SqlColumn(
        "recurs_after", PgUUID(as_uuid=True), comment="the alarm before it about the same, whose action did not hold"
    ),
    SqlColumn("root_cause", Text),
    SqlColumn("action", Text),
    SqlColumn("owner", Text),
    SqlColumn("due_on", Date),
    SqlColumn("reviewed_by", Text),
    SqlColumn("reviewed_at", Instant),
    SqlColumn("overdue_at", Instant, comment="the corrective action was not done by its date"),
    SqlColumn("done_at", Instant),
    SqlColumn("done_by", Text),
    Index("uq_alarms_opened", "dimension", "value", "opened_on", unique=True),
    Index(None, "last_on"),
)

radar_due = Table(
    "radar_due",
    metadata,
    SqlColumn("day", Date, primary_key=True),
    comment="closed days whose clusters late cases may have changed",
)

nil_reports = Table(
    "nil_reports",
    metadata,
    SqlColumn("branch_id", Text, primary_key=True),
    SqlColumn("month", Date, primary_key=True),
    SqlColumn("filed_by", Text, nullable=False),
    SqlColumn("filed_at", Instant, nullable=False),
    SqlColumn("cancelled_at", Instant),
    SqlColumn("cancelled_by", Text),
    SqlColumn("cancel_reason", Text),
)

reception_days = Table(
    "reception_days",
    metadata,
    SqlColumn("branch_id", Text, primary_key=True),
    SqlColumn("day", Date, primary_key=True),
    SqlColumn("leader", Text, nullable=False),
    SqlColumn("published_at", Instant, nullable=False),
    SqlColumn("published_by", Text, nullable=False),
    SqlColumn("cancelled_at", Instant),
    SqlColumn("cancelled_by", Text),
    SqlColumn("cancel_reason", Text),
    comment="领导接待日 [C16]",
)

visits = Table(
    "reception_visits",
    metadata,
    SqlColumn("id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("branch_id", Text, nullable=False),
    SqlColumn("day", Date, nullable=False),
    SqlColumn("visitor", LargeBinary, comment="encrypted"),
    SqlColumn("matter", Text, nullable=False),
    SqlColumn("outcome", Text),
    SqlColumn("case_id", PgUUID(as_uuid=True)),
    SqlColumn("recorded_by", Text, nullable=False),
    Index(None, "branch_id", "day"),
)

packs = Table(
    "packs",
    metadata,
    SqlColumn("pack_id", Text, primary_key=True),
    SqlColumn("period", Text, nullable=False),
    SqlColumn("cut_off", Instant, nullable=False),
    SqlColumn("made_at", Instant, nullable=False),
    SqlColumn("made_by", Text, nullable=False),
    SqlColumn("manifest_sha256", Text, nullable=False),
    SqlColumn("sign_off_due", Date, nullable=False, comment="the 3rd working day [C15]"),
    SqlColumn("to_sign", ARRAY(Text), nullable=False, server_default="{}", comment="who was asked to sign it off"),
    SqlColumn("reminded_at", Instant),
    SqlColumn("missed_at", Instant, comment="not signed off by its day [C15]"),
    SqlColumn("signed_off_by", Text),
    SqlColumn("signed_off_at", Instant),
)

kept_figures = Table(
    "kept_figures",
    metadata,
    SqlColumn("period", Text, primary_key=True),
    SqlColumn(
        "made_at", Instant, nullable=False,
        comment="what was recorded by then counts; later words of it count in the period after",
    ),
    SqlColumn("branches", JSONB, nullable=False),
    SqlColumn("people", JSONB, nullable=False),
    comment="the KPIs of a period as its close made them: nothing overwrites them [C20]",
)  # fmt: skip

pack_parts = Table(
    "pack_parts",
    metadata,
    SqlColumn("pack_id", Text, primary_key=True),
    SqlColumn("number", Integer, primary_key=True),
    SqlColumn("content", LargeBinary, nullable=False),
    comment="the bytes of archives, a part at a time",
)

holds = Table(
    "holds",
    metadata,
    SqlColumn("hold_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False, index=True),
    SqlColumn("reason", Text, nullable=False),
    SqlColumn("placed_by", Text, nullable=False),
    SqlColumn("placed_at", Instant, nullable=False),
    SqlColumn("release_asked_by", Text),
    SqlColumn("release_asked_at", Instant),
    SqlColumn("release_reason", Text),
    SqlColumn("released_by", Text),
    SqlColumn("released_at", Instant),
    CheckConstraint("released_by IS DISTINCT FROM release_asked_by OR released_by IS NULL", name="two_persons"),
    comment="a legal hold wins over retention: one person places it, two lift it [C21]",
)

erasures = Table(
    "erasures",
    metadata,
    SqlColumn("erasure_id", PgUUID(as_uuid=True), primary_key=True),
    SqlColumn("case_id", PgUUID(as_uuid=True), nullable=False, index=True),
    SqlColumn("reason", Text, nullable=False),
    SqlColumn("state", Text, nullable=False, server_default="asked", comment="asked, erased, refused"),
    SqlColumn("asked_by", Text, nullable=False),
    SqlColumn("asked_at", Instant, nullable=False),
    SqlColumn("decided_by", Text),
    SqlColumn("decided_at", Instant),
    CheckConstraint("decided_by IS DISTINCT FROM asked_by", name="two_persons"),
    Index("uq_erasures_open", "case_id", unique=True, postgresql_where=text("state = 'asked'")),
    comment="what was asked to be erased once its retention is over, and decided by another [C21]",
)
