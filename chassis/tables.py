"""The tables every service has in its own schema, and those of the log."""

from sqlalchemy import (
    BigInteger,
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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

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
    Column("first_passed", Date, comment="the first watermark seen here"),
    Column("passed", Date, comment="the last watermark seen here"),
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
    Column("event_time", Instant),
    Column("value", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Column("redriven_at", Instant),
    Column("redriven_by", Text),
    Index(None, "id", postgresql_where=text("redriven_at IS NULL")),
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
)

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

records = Table(
    "log",
    log,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("written_at", Instant, primary_key=True, server_default=text("now()"), comment="how old lag is; its part"),
    Column("key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("time", Instant, nullable=False),
    Column("traceparent", Text),
    Column("value", LargeBinary, nullable=False),
    postgresql_partition_by="RANGE (written_at)",
)
