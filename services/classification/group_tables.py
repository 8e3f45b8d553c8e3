"""What groups, value, core and lifecycle keep: more facts, what was decided, what a reader wants at once."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, Numeric, SmallInteger, Table, Text, text

from chassis.sealed import SealedTable
from chassis.tables import Instant
from services.classification.tables import metadata as metadata

transfers = Table(
    "transfers",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("transfer_id", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("net", Numeric, nullable=False, comment="money in above 0, out below"),
    Index(None, "day"),
    Index(None, "client_id", "day"),
)

purchases = Table(
    "purchases",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("purchase_id", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("product_code", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    Index(None, "day"),
)

occurrences = Table(
    "occurrences",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("kind", Text, nullable=False, comment="trades, funds or both"),
    Index(None, "day"),
    comment="days that make a client ABNORMAL [K7], as known now",
)

group_standings = Table(
    "group_standings",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("tags", SmallInteger, comment="bits in the order of TAGS; empty before the first close and once closed"),
    Column("revision", Integer, nullable=False, server_default="0", comment="of all that is told of groups"),
    postgresql_with={"fillfactor": 70},
)

group_decisions = Table(
    "group_decisions",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("tags", SmallInteger),
    Column("leaving_since", Date),
    Column("traded_on", Date),
    Column("occurred_on", Date),
    Column("total", Numeric),
    Column("before", Numeric),
    Column("policy", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index(None, "client_id", "effective_on"),
)

tag_stretches = Table(
    "tag_stretches",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("since", Date, primary_key=True),
    Column("until", Date, comment="exclusive; empty while it lasts"),
    Index(None, "tag", "client_id", postgresql_where=text("until IS NULL")),
    comment="the tags over time, as known now",
)

month_values = Table(
    "month_values",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("month_end", Date, primary_key=True, index=True),
    Column("branch_id", Text, nullable=False),
    Column("value", Numeric, comment="V; empty for a closed account [V1]"),
    Column("value_type", Text),
    Column("commission", Numeric, nullable=False, comment="12 months"),
    Column("purchases", Numeric, nullable=False, comment="12 months"),
    Column("assets", Numeric, nullable=False, comment="mean of the month"),
    Column("lifecycle", Text, nullable=False),
    comment="what month closes found, as known now; a row stands until the next one",
)

month_cores = Table(
    "month_cores",
    metadata,
    Column("month_end", Date, primary_key=True),
    Column("client_id", Text, primary_key=True),
    Column("branch_id", Text, nullable=False),
    Column("reasons", Text, nullable=False, comment="rank, class, tier, joined by commas [V2]"),
    Column("rank", Integer, comment="in the branch, of those with V > 0"),
    Column("ranked", Integer, comment="how many those are"),
    comment="who is core by each month close, as known now",
)

core_decisions = Table(
    "core_decisions",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("core", Boolean, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("rank", Integer),
    Column("ranked", Integer),
    Column("value", Numeric),
    Column("policy", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index(None, "client_id", "effective_on"),
)

lifecycle_decisions = Table(
    "lifecycle_decisions",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("lifecycle", Text, nullable=False),
    Column("previous", Text),
    Column("total", Numeric),
    Column("traded_on", Date),
    Column("assets_now", Numeric, comment="three month means, summed"),
    Column("assets_before", Numeric),
    Column("commission_now", Numeric),
    Column("commission_before", Numeric),
    Column("policy", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index(None, "client_id", "effective_on"),
)

lifecycle_notes = Table(
    "lifecycle_notes",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("entered_on", Date, primary_key=True),
    Column("kind", Text, primary_key=True, comment="reason (of LOST) or reaction"),
    Column("at", Instant, primary_key=True),
    Column("lifecycle", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("by", Text, nullable=False),
    comment="what staff wrote about an entry into a lifecycle stage [V5]",
)


def _sealed(table: Table) -> SealedTable:
    return SealedTable(table.name, tuple(column.name for column in table.columns))


SEALED = (_sealed(group_decisions), _sealed(core_decisions), _sealed(lifecycle_decisions))
