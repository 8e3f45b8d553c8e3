"""The tables every service has in its own schema, and those of the log."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> MetaData:
    """Metadata with the project's constraint names."""
    return MetaData(naming_convention=NAMING)


Instant = DateTime(timezone=True)

chassis = new_metadata()

consumer_partitions = Table("consumer_partitions", chassis, Column("partition", Integer, primary_key=True))

consumer_offsets = Table(
    "consumer_offsets",
    chassis,
    Column("partition", Integer, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("next", BigInteger, nullable=False, server_default="0"),
    Column("since", Instant, comment="from when on the facts of this place are known; none: from the first one"),
    Column("first_passed", Date, comment="the first watermark seen here"),
    Column("passed", Date, comment="the last watermark seen here"),
    Column(
        "hearing",
        Integer,
        nullable=False,
        server_default="0",
        comment="raised when a version begins to hear more types: who hears fewer moves nothing any more",
    ),
)

heard_types = Table(
    "heard_types",
    chassis,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("type", Text, primary_key=True),
    Column(
        "next",
        BigInteger,
        comment="where it reads on until it has come up with its place; none: it goes with the place",
    ),
    Column("since", Instant, comment="from when on facts of this type are known; none: from the first one"),
)

client_objections = Table(
    "client_objections",
    chassis,
    Column("client_id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("everybody", Boolean, nullable=False, comment="objects to being looked at by anybody of the staff"),
    Column("persons", ARRAY(Text), nullable=False, comment="by these alone"),
)

closed_days = Table(
    "closed_days",
    chassis,
    Column("one", SmallInteger, primary_key=True, server_default="1"),
    Column("first", Date),
    Column("through", Date),
)

dead_letters = Table(
    "dead_letters",
    chassis,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", Text),
    Column("type", Text),
    Column("event_id", Text),
    Column("event_source", Text),
    Column("event_time", Instant, comment="as its envelope says; none when that cannot be"),
    Column("raw_key", LargeBinary, comment="the key's bytes"),
    Column("raw_headers", JSONB, comment="of an envelope not as we write it: names, and values in base64"),
    Column("value", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Column("redriven_at", Instant),
    Column("redriven_by", Text),
    Column("skipped_at", Instant, comment="when somebody decided that it stays undone"),
    Column("skipped_by", Text),
    Column("skipped_because", Text),
    Index("ix_dead_letters_open", "id", postgresql_where=text("redriven_at IS NULL AND skipped_at IS NULL")),
)

conflicts = Table(
    "conflicts",
    chassis,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("type", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("known", JSONB, nullable=False),
    Column("offered", JSONB, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", Text),
    Column("decision", Text),
)

audit = Table(
    "audit",
    chassis,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("inputs", JSONB, nullable=False),
    Column("policy", Text),
    Index(None, "object"),
    Index(None, "at"),
    Index(
        "ix_audit_client_id", text("(inputs -> 'client_id')"), postgresql_using="gin",
        postgresql_where=text("inputs ? 'client_id'"),
    ),
)  # fmt: skip

sealed_heads = Table(
    "sealed_heads",
    chassis,
    Column("name", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next", BigInteger, nullable=False, server_default="0"),
)

seals = Table(
    "seals",
    chassis,
    Column("name", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("columns", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("sealed_at", Instant, nullable=False),
)

witnessed = Table(
    "witnessed",
    chassis,
    Column("one", SmallInteger, primary_key=True, server_default="1"),
    Column("since", Instant, nullable=False, comment="from here on every seal has its line in the witness"),
    Column("lines", BigInteger, nullable=False, server_default="0", comment="how many lines the witness has at least"),
)

idempotency_keys = Table(
    "idempotency_keys",
    chassis,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("headers", JSONB),
    Column("body", LargeBinary),
    Column("created_at", Instant, nullable=False, index=True),
)

policy_versions = Table(
    "policy_versions",
    chassis,
    Column("name", Text, primary_key=True),
    Column("scope", Text, primary_key=True, server_default="", comment="empty: the firm; else a branch's override"),
    Column("version", Integer, primary_key=True),
    Column("effective_on", Date, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, comment="draft, published, rejected, withdrawn"),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("checked_by", Text),
    Column("checked_at", Instant),
)

approvals = Table(
    "approvals",
    chassis,
    Column("approval_id", UUID, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("client_id", Text),
    Column("branch_id", Text, comment="whose branch may decide; none: headquarters"),
    Column("body", JSONB, nullable=False),
    Column("why", Text, nullable=False),
    Column("before", JSONB),
    Column("after", JSONB),
    Column("concerned", ARRAY(Text), nullable=False, comment="persons who neither see nor decide it"),
    Column("state", Text, nullable=False, comment="waiting, approved, refused, withdrawn, expired"),
    Column("asked_by", Text, nullable=False, comment="a person, as are all names here"),
    Column("asked_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", Instant),
    Column("because", Text),
    Column(
        "restricted", Boolean, nullable=False, server_default="false", comment="compliance alone sees and decides it"
    ),
    Index("ix_approvals_waiting", "approval_id", postgresql_where=text("state = 'waiting'")),
    Index(None, "object"),
    Index(None, "asked_by"),
)

act_steps = Table(
    "act_steps",
    chassis,
    Column("object", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("act", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("at", Instant, nullable=False, comment="when it happened"),
    Column("recorded_at", Instant, nullable=False),
    Column("late", Boolean, nullable=False, comment="entered after it happened"),
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("tells", ARRAY(Text), nullable=False, comment="the audiences that read it"),
    Column("detail", JSONB, nullable=False),
)

deadlines = Table(
    "deadlines",
    chassis,
    Column("object", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("generation", BigInteger, Identity(), nullable=False, unique=True),
    Column("key", Text, nullable=False),
    Column("due", Instant, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("armed_at", Instant, nullable=False),
    Column("failed_at", Instant, comment="when its handler failed: put aside until an operator acts"),
    Column("error", Text),
    Index("ix_deadlines_due", "due", "generation", postgresql_where=text("failed_at IS NULL")),
    # The earliest of an object, without a sort and without statistics, which are missing right after a burst.
    Index("ix_deadlines_object", "object", "due", "generation", postgresql_where=text("failed_at IS NULL")),
    Index(None, "key"),
    comment="armed only: what has fired is moved out, so that this table stays small",
)

fired_deadlines = Table(
    "fired_deadlines",
    chassis,
    Column("generation", BigInteger, primary_key=True),
    Column("object", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("due", Instant, nullable=False),
    Column("at", Instant, nullable=False, comment="when it counts as fired: due in a simulated home"),
    Column("fired_at", Instant, nullable=False),
    Index("ix_fired_deadlines_late", "fired_at", postgresql_where=text("at - due > interval '1 minute'")),
)

timeline = Table(
    "timeline",
    chassis,
    Column("one", SmallInteger, primary_key=True, server_default="1"),
    Column("timeline", Text, nullable=False, comment="real or simulated; no row: nobody has said"),
    Column("decided_at", Instant, nullable=False),
)

calendars = Table(
    "calendars",
    chassis,
    Column("number", Integer, primary_key=True),
    Column("rows", JSONB, nullable=False),
    Column("hours", JSONB, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("published_by", Text, nullable=False),
    Column("checked_by", Text, nullable=False),
)

clocks = Table(
    "clocks",
    chassis,
    Column("object", Text, primary_key=True),
    Column("clock", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("limit", JSONB, nullable=False),
    Column("steps", JSONB, nullable=False),
    Column("acknowledge_seconds", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("due", Instant),
    Column("calendar", Text, nullable=False, comment="the version the due was worked out by"),
    Index(None, "object", postgresql_where=text("state <> 'stopped'")),
)

clock_entries = Table(
    "clock_entries",
    chassis,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("object", Text, nullable=False),
    Column("clock", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("effective", Instant, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", JSONB, nullable=False),
    Index(None, "object", "clock"),
)

clock_steps = Table(
    "clock_steps",
    chassis,
    Column("object", Text, primary_key=True),
    Column("clock", Text, primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("step", Text, nullable=False),
    Column("fired_at", Instant, nullable=False),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Text),
    Column("round", SmallInteger, nullable=False, server_default="1", comment="each promise of the clock starts one"),
)

clock_replans = Table(
    "clock_replans",
    chassis,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("object", Text, nullable=False),
    Column("clock", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("calendar_before", Text, nullable=False),
    Column("calendar_after", Text, nullable=False),
    Column("due_before", Instant),
    Column("due_after", Instant),
    Index(None, "object", "clock"),
)

staff_versions = Table(
    "staff_versions",
    chassis,
    Column("id", Text, primary_key=True),
    Column("since", Instant, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("n", BigInteger, Identity(), nullable=False, comment="never used twice, so that a copy knows it is old"),
    Column("body", JSONB, nullable=False),
)

branch_versions = Table(
    "branch_versions",
    chassis,
    Column("id", Text, primary_key=True),
    Column("since", Instant, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("n", BigInteger, Identity(), nullable=False, comment="never used twice, so that a copy knows it is old"),
    Column("body", JSONB, nullable=False),
)

home_id = Table(
    "home_id",
    chassis,
    Column("one", SmallInteger, primary_key=True, server_default="1"),
    Column("id", Uuid, nullable=False, comment="whose events these are: the same in every database of a home"),
)

log = new_metadata()

heads = Table(
    "heads",
    log,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next", BigInteger, nullable=False, server_default="0"),
)

relay_cursors = Table(
    "relay_cursors",
    log,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next", BigInteger, nullable=False, server_default="0", comment="shipped to Kafka up to here"),
)

low_water = Table(
    "low_water",
    log,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next", BigInteger, nullable=False, server_default="0", comment="records before this offset may be gone"),
    Column("since", Instant, comment="nothing from here on was written before; none: nothing was ever dropped"),
)

past_days = Table(
    "past_days",
    log,
    Column("day", Date, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("last", BigInteger, nullable=False, comment="the last offset written on that day"),
    Index("ix_past_days_last", "topic", "partition", "last"),
    comment="of days that are over: where a reader's next record can lie, without looking into every part",
)

records = Table(
    "log",
    log,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column(
        "written_at",
        Instant,
        primary_key=True,
        server_default=text("statement_timestamp()"),
        comment="how old lag is; its part",
    ),
    Column("key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("time", Instant, nullable=False),
    Column("traceparent", Text),
    Column("value", LargeBinary, nullable=False),
    postgresql_partition_by="RANGE (written_at)",
)
