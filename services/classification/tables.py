"""What classification keeps. Facts first, then what was decided from them, then what a reader wants at once."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, Numeric, SmallInteger, Table, Text, text

from chassis.clients import Clients, Fact
from chassis.late import LateFacts
from chassis.sealed import SealedTable
from chassis.tables import Instant, new_metadata
from contracts.broker import ClientOpened, Profile

metadata = new_metadata()


def _kind(event: Profile) -> str | None:
    return event.kind or ("individual" if isinstance(event, ClientOpened) else None)


CLIENTS = Clients(
    metadata,
    Fact("branch_id", dated=True),
    Fact("manager_id", dated=True),
    Fact("kind", of=_kind, dated=True),
    columns=(
        Column("partition", Integer, nullable=False),
        Column("opened_on", Date, index=True, comment="empty: only heard of so far"),
        Column("closed_on", Date, index=True, comment="the earliest word"),
        Column("closing_requested_on", Date, index=True, comment="the earliest word"),
        Column("revision", Integer, nullable=False, server_default="0", comment="of the tier history"),
        Index(None, "branch_id"),
    ),
    made_with={"partition": lambda uow, client_id: uow.partition_of(client_id)},
)

trades = Table(
    "trades",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("trade_id", Text, primary_key=True),
    Column("trade_date", Date, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("quantity", Numeric, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("commission", Numeric, nullable=False),
    Column("remaining_commission", Numeric, comment="after a cancellation"),
    Column("kind", Text, comment="of the instrument [K4]; empty: heard before it was kept"),
)

cancellations = Table(
    "cancellations",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("trade_id", Text, primary_key=True),
    Column("remaining_commission", Numeric, nullable=False),
    comment="the lowest word on a trade that has not come yet",
)

trade_days = Table(
    "trade_days",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("commission", Numeric, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("trades", Integer, nullable=False, comment="filled orders that were not cancelled in full [T6]"),
    Index(None, "day"),
    comment="trades summed by client and date, cancellations taken off",
)

valuations = Table(
    "valuations",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("as_of", Date, primary_key=True),
    Column("total", Numeric, nullable=False),
    Column("time", Instant, nullable=False),
    Column("event", Text, nullable=False),
    Index(None, "as_of"),
)

LATE = LateFacts(metadata)

months = Table(
    "months",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("month_end", Date, primary_key=True, index=True),
    Column("day_sum", Numeric, nullable=False, comment="known daily totals of the month, summed [K2a]"),
    Column("known_days", SmallInteger, nullable=False),
    Column("last_total", Numeric, comment="carried into the next month"),
    Column("traded", Numeric, nullable=False),
    Column("orders", Integer, nullable=False),
    Column("day_sum_to", Numeric, nullable=False, comment="running total through this month"),
    Column("known_days_to", Integer, nullable=False),
    Column("traded_to", Numeric, nullable=False),
    Column("orders_to", BigInteger, nullable=False),
    Column("mean", Numeric, comment="of the month; empty when the month was not evaluated"),
    Column("turnover", Numeric),
    Column("code", Text, comment="the class in force from the next day on"),
    Column("provisional", Boolean),
    Column("trader", Boolean),
    Column("policy", Text),
    comment="what month closes summed and found, as known now; a row stands until the next one",
)

class_decisions = Table(
    "class_decisions",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("code", Text, nullable=False),
    Column("previous", Text),
    Column("provisional", Boolean, nullable=False),
    Column("mean", Numeric, nullable=False),
    Column("turnover", Numeric, nullable=False),
    Column("policy", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index(None, "client_id", "effective_on"),
)

tier_decisions = Table(
    "tier_decisions",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("retained", SmallInteger, nullable=False),
    Column("grace_from", Date),
    Column("entitled", SmallInteger, nullable=False),
    Column("assets", Numeric, nullable=False),
    Column("commission", Numeric, nullable=False),
    Column("reason", Text, nullable=False, comment="opened, upgrade, downgrade, grace_started, grace_ended"),
    Column("policy", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index(None, "client_id", "effective_on"),
)

superseded = Table(
    "superseded",
    metadata,
    Column("kind", Text, primary_key=True, comment="class_decisions or tier_decisions"),
    Column("partition", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("at", Instant, nullable=False),
    comment="decisions that later facts took back; they stay readable as what was known before",
)

standings = Table(
    "standings",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("retained", SmallInteger, nullable=False),
    Column("grace_from", Date),
    Column("next_check", Date, comment="the close at which the grace gives notice or ends"),
    Index(None, "next_check", postgresql_where=text("next_check IS NOT NULL")),
)

tiers = Table(
    "tiers",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("since", Date, primary_key=True),
    Column("until", Date, comment="exclusive; empty when open"),
    Column("tier", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "tier", "client_id", postgresql_where=text("until IS NULL")),
    comment="the effective tier [T5], as known now",
)

grants = Table(
    "grants",
    metadata,
    Column("grant_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False, index=True),
    Column("tier", SmallInteger, nullable=False),
    Column("since", Date, nullable=False),
    Column("until", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, comment="proposed, approved, rejected, revoked"),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("checked_by", Text),
    Column("checked_at", Instant),
    Column("revoked_at", Instant),
    Column("revoked_from", Date, comment="the day a revocation takes effect"),
    Column("version", Integer, nullable=False, server_default="1"),
)

SEALED = (
    SealedTable(
        "class_decisions",
        (
            "partition",
            "number",
            "client_id",
            "effective_on",
            "code",
            "previous",
            "provisional",
            "mean",
            "turnover",
            "policy",
            "recorded_at",
        ),
    ),
    SealedTable(
        "tier_decisions",
        (
            "partition",
            "number",
            "client_id",
            "revision",
            "effective_on",
            "retained",
            "grace_from",
            "entitled",
            "assets",
            "commission",
            "reason",
            "policy",
            "recorded_at",
        ),
    ),
)
