"""What groups, value, core and lifecycle keep: more facts, what was decided, what a reader wants at once."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import Index, SmallInteger, text

from chassis.rows import Column, Row, table
from services.classification.tables import RECORDED, Decision, sealed
from services.classification.tables import metadata as metadata


class Transfer(Row, frozen=True):
    """A transfer of funds."""

    client_id: Annotated[str, Column(primary_key=True)]
    transfer_id: Annotated[str, Column(primary_key=True)]
    day: date
    net: Annotated[Decimal, Column(comment="money in above 0, out below")]


class Purchase(Row, frozen=True):
    """A purchase of a product."""

    client_id: Annotated[str, Column(primary_key=True)]
    purchase_id: Annotated[str, Column(primary_key=True)]
    day: date
    product_code: str
    amount: Decimal


class Occurrence(Row, frozen=True):
    """A day that makes a client ABNORMAL."""

    client_id: Annotated[str, Column(primary_key=True)]
    day: Annotated[date, Column(primary_key=True)]
    kind: Annotated[str, Column(comment="trades, funds or both")]


class GroupStanding(Row, frozen=True):
    """The tags of a client after the last close."""

    client_id: Annotated[str, Column(primary_key=True)]
    tags: Annotated[
        int | None,
        Column(SmallInteger, comment="bits in the order of TAGS; empty before the first close and once closed"),
    ]
    revision: Annotated[int, Column(server_default="0", comment="of all that is told of groups")]


class GroupDecision(Decision, frozen=True):
    """A change of the tags, with the figures behind it [K7]."""

    tags: Annotated[int | None, Column(SmallInteger)]
    leaving_since: date | None
    traded_on: date | None
    occurred_on: date | None
    total: Decimal | None
    before: Decimal | None
    policy: str
    recorded_at: datetime


class TagStretchRow(Row, frozen=True):
    """A stretch of a tag."""

    client_id: Annotated[str, Column(primary_key=True)]
    tag: Annotated[str, Column(primary_key=True)]
    since: Annotated[date, Column(primary_key=True)]
    until: Annotated[date | None, Column(comment="exclusive; empty while it lasts")]


class MonthValue(Row, frozen=True):
    """V, its parts and the lifecycle, as a month close found them [V1, V5]."""

    client_id: Annotated[str, Column(primary_key=True)]
    month_end: Annotated[date, Column(primary_key=True, index=True)]
    branch_id: str
    value: Annotated[Decimal | None, Column(comment="V; empty for a closed account [V1]")]
    value_type: str | None
    commission: Annotated[Decimal, Column(comment="12 months")]
    purchases: Annotated[Decimal, Column(comment="12 months")]
    assets: Annotated[Decimal, Column(comment="mean of the month")]
    lifecycle: str
    recorded_at: Annotated[datetime, RECORDED]


class MonthCore(Row, frozen=True):
    """A client who is core by a month close [V2]."""

    month_end: Annotated[date, Column(primary_key=True)]
    client_id: Annotated[str, Column(primary_key=True)]
    branch_id: str
    reasons: Annotated[str, Column(comment="rank, class, tier, joined by commas [V2]")]
    rank: Annotated[int | None, Column(comment="in the branch, of those with V > 0")]
    ranked: Annotated[int | None, Column(comment="how many those are")]
    recorded_at: Annotated[datetime, RECORDED]


class CoreDecision(Decision, frozen=True):
    """A change of the core flag."""

    core: bool
    reasons: str
    rank: int | None
    ranked: int | None
    value: Decimal | None
    policy: str
    recorded_at: datetime


class LifecycleDecision(Decision, frozen=True):
    """An entry into a lifecycle stage, with the figures behind it [V5]."""

    lifecycle: str
    previous: str | None
    total: Decimal | None
    traded_on: date | None
    assets_now: Annotated[Decimal | None, Column(comment="three month means, summed")]
    assets_before: Decimal | None
    commission_now: Decimal | None
    commission_before: Decimal | None
    policy: str
    recorded_at: datetime


class LifecycleNote(Row, frozen=True):
    """What staff wrote about an entry into a lifecycle stage [V5]."""

    client_id: Annotated[str, Column(primary_key=True)]
    entered_on: Annotated[date, Column(primary_key=True)]
    kind: Annotated[str, Column(primary_key=True, comment="reason (of LOST) or reaction")]
    at: Annotated[datetime, Column(primary_key=True)]
    lifecycle: str
    code: str
    note: Annotated[str, Column(server_default="")]
    by: str


transfers = table("transfers", metadata, Transfer, Index(None, "day"), Index(None, "client_id", "day"))
purchases = table("purchases", metadata, Purchase, Index(None, "day"))
occurrences = table(
    "occurrences",
    metadata,
    Occurrence,
    Index(None, "day"),
    comment="days that make a client ABNORMAL [K7], as known now",
)
group_standings = table("group_standings", metadata, GroupStanding)
group_standings.dialect_options["postgresql"]["with"] = {"fillfactor": 70}
group_decisions = table("group_decisions", metadata, GroupDecision, Index(None, "client_id", "effective_on"))
tag_stretches = table(
    "tag_stretches",
    metadata,
    TagStretchRow,
    Index(None, "tag", "client_id", postgresql_where=text("until IS NULL")),
    comment="the tags over time, as known now",
)
month_values = table(
    "month_values",
    metadata,
    MonthValue,
    comment="what month closes found, as known now; a row stands until the next one",
)
month_cores = table("month_cores", metadata, MonthCore, comment="who is core by each month close, as known now")
core_decisions = table("core_decisions", metadata, CoreDecision, Index(None, "client_id", "effective_on"))
lifecycle_decisions = table(
    "lifecycle_decisions", metadata, LifecycleDecision, Index(None, "client_id", "effective_on")
)
lifecycle_notes = table(
    "lifecycle_notes", metadata, LifecycleNote, comment="what staff wrote about an entry into a lifecycle stage [V5]"
)

SEALED = (sealed(group_decisions), sealed(core_decisions), sealed(lifecycle_decisions))
