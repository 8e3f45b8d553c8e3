"""What the gateway keeps: the home's timeline, people, their sessions and sign-in links, keys."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
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

from chassis.tables import Instant, new_metadata

metadata = new_metadata()

home = Table(
    "home",
    metadata,
    Column("one", SmallInteger, primary_key=True, server_default="1"),
    Column("timeline", Text, comment="real or simulated; empty until the first business fact"),
    Column("data_set", Text, comment="what a simulated home replays"),
    Column("fingerprint", Text, comment="of the data set's files and the replay's options"),
    Column("published_through", Date, comment="the last day whose close was published"),
    Column("position", JSONB, comment="how far the replay has published"),
    Column("decided_at", Instant),
)

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False, comment="argon2id"),
    Column("role", Text, nullable=False),
    Column("branch_id", Text),
    Column("client_id", Text),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("made_at", Instant, nullable=False),
    Column("new_password", Text, comment="argon2id; waits for a second person"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False, comment="session of a browser, or bearer token, listed from its first use on"),
    Column("subject", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("branch_id", Text),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("ended_by", Text),
    Index("ix_sessions_expires_at", "expires_at"),
    Index("ix_sessions_person", "person"),
)

revocations = Table(
    "revocations",
    metadata,
    Column("name", Text, primary_key=True, comment="a person or a sign-in name"),
    Column("at", Instant, nullable=False, comment="what was issued before is worth nothing"),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("branch_id", Text),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("branch_id", Text),
    Column("made_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("person", Text, comment="whose it is; empty for a system's"),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
)

calendar_drafts = Table(
    "calendar_drafts",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("rows", JSONB, nullable=False),
    Column("hours", JSONB, nullable=False),
    Column("changes", JSONB, nullable=False, comment="the days that differ from the version then in force"),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, comment="draft, published, rejected"),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("checked_by", Text),
    Column("checked_at", Instant),
    Column("number", Integer, comment="of the published version"),
)

saved_views = Table(
    "saved_views",
    metadata,
    Column("view_id", UUID(as_uuid=True), primary_key=True),
    Column("page", Text, nullable=False, comment="the list: /callbacks, ..."),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False, comment="the filters as they stand in the address"),
    Column("person", Text, nullable=False),
    Column("team", Text, comment="the branch whose people share it, or HQ; empty: it is one's own"),
    Column("made_at", Instant, nullable=False),
    Index("ix_saved_views_page", "page"),
)

snoozes = Table(
    "snoozes",
    metadata,
    Column("person", Text, primary_key=True),
    Column("item", Text, primary_key=True, comment="where it is: /callbacks/ID, ..."),
    Column("until", Instant, nullable=False),
    Column("due", Instant, nullable=False),
    CheckConstraint("until <= due", name="not_past_due"),
)

presence = Table(
    "presence",
    metadata,
    Column("object", Text, primary_key=True, comment="the page somebody has open"),
    Column("person", Text, primary_key=True),
    Column("seen_at", Instant, nullable=False),
)

client_keys = Table(
    "client_keys",
    metadata,
    Column("owner", Text, primary_key=True, comment="a client, or case:ID, booking:ID, call:ID, enquiry:ID, visit:ID"),
    Column("generation", Integer, nullable=False),
    Column("wrapped", LargeBinary, comment="by the master key; empty once destroyed"),
    Column("branch_id", Text, comment="of a client: who may find them by name or number"),
    Column("branch_stamp", Instant),
    Column("branch_event", Text),
    Column("made_at", Instant, nullable=False),
    Column("blocked_at", Instant, comment="kept only: nothing may be read"),
    Column("destroyed_at", Instant),
    CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed"),
    comment="personal values lie under these; a destroyed one keeps its row, so that none is made again",
)

client_tokens = Table(
    "client_tokens",
    metadata,
    Column("owner", Text, ForeignKey("client_keys.owner"), primary_key=True),
    Column("kind", Text, primary_key=True, comment="phone, name, initials"),
    Column("generation", Integer, nullable=False),
    Column("stamp", Instant, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("tokens", ARRAY(LargeBinary), nullable=False),
    Index("ix_client_tokens_tokens", "tokens", postgresql_using="gin"),
    comment="keyed hashes that find a client by number or name; gone with the key",
)

erasures = Table(
    "erasures",
    metadata,
    Column("erasure_id", UUID(as_uuid=True), primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, comment="waiting for the services, done"),
    Column("asked_by", Text, nullable=False),
    Column("round", Integer, nullable=False, server_default="1", comment="how often the services were asked"),
    Column("round_at", Instant, nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("done_at", Instant),
    Index("uq_erasures_open", "client_id", unique=True, postgresql_where=text("state = 'waiting'")),
)

erasure_answers = Table(
    "erasure_answers",
    metadata,
    Column("erasure_id", UUID(as_uuid=True), ForeignKey("erasures.erasure_id"), primary_key=True),
    Column("service", Text, primary_key=True),
    Column("round", Integer, nullable=False),
    Column("over", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("kept_until", Date),
    Column("owners", ARRAY(Text), nullable=False, server_default="{}"),
    Column("answered_at", Instant, nullable=False),
)
