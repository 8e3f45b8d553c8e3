"""What the supplementary classifications keep: every entry ever made, and the risk level heard of suitability."""

from sqlalchemy import BigInteger, Column, Date, Identity, Index, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.tables import Instant
from services.classification.tables import metadata as metadata

supplementary_entries = Table(
    "supplementary_entries",
    metadata,
    Column("entry_id", BigInteger, Identity(), primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="HABIT, VALUE, STYLE, PREFERENCE, BEHAVIOUR [K3, V3]"),
    Column("codes", ARRAY(Text), nullable=False, comment="namespaced; of preferences the first is primary"),
    Column("scores", JSONB, comment="five factors of VALUE, 0 to 2 each [K5]"),
    Column("suggested", Text, comment="what the rule suggested when this was entered"),
    Column("note", Text, nullable=False, server_default=""),
    Column("assets", Numeric, nullable=False, comment="at the time of filling: mean of the last closed month"),
    Column("commission", Numeric, nullable=False, comment="at the time of filling: net, of the calendar year"),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Index(None, "client_id", "kind", "entry_id"),
)

risk_levels = Table(
    "risk_levels",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("level", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date, nullable=False),
)
