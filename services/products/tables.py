"""What products keeps. Rates are whole ten-thousandths of a per mille [S1]."""

from datetime import date, datetime
from typing import Annotated

from sqlalchemy import CheckConstraint, Column, Date, Index

from chassis import rows
from chassis.clients import Clients, Fact
from chassis.late import LateFacts
from chassis.rows import Row
from chassis.tables import new_metadata
from contracts.products import RateStretch
from services.products.told import Telling

metadata = new_metadata()

CLIENTS = Clients(
    metadata, Fact("branch_id"), Fact("opened_on", Date), columns=[Column("closed_on", Date), Index(None, "branch_id")]
)
LATE = LateFacts(metadata)


class ProductRow(Row, frozen=True):
    """A product of the library; what it is stands in the catalogue (policy), where it stands here."""

    product: Annotated[str, rows.Column(primary_key=True)]
    state: str
    since: Annotated[date, rows.Column(comment="of this state")]
    revision: Annotated[int, rows.Column(server_default="0", comment="of its acts")]
    told: Annotated[int, rows.Column(server_default="0", comment="revision of products.product.changed")]
    told_floor: str | None
    told_rank: int | None


products = rows.table("products", metadata, ProductRow)


class ShelfRow(Row, frozen=True):
    """Where a product stands from a day on; of one day the highest revision counts."""

    product: Annotated[str, rows.Column(primary_key=True)]
    since: Annotated[date, rows.Column(primary_key=True)]
    revision: Annotated[int, rows.Column(primary_key=True)]
    state: str
    recorded_at: datetime


shelf = rows.table("product_states", metadata, ShelfRow)


class CommissionRow(Row, frozen=True):
    """A word on an agreement on commission; of one agreement the highest (said_at, event_id) counts, of one day the
    highest of the agreements that are not withdrawn [S1]."""

    client_id: Annotated[str, rows.Column(primary_key=True)]
    agreement_id: Annotated[str, rows.Column(primary_key=True)]
    said_at: Annotated[datetime, rows.Column(primary_key=True, comment="ce_time")]
    event_id: Annotated[str, rows.Column(primary_key=True, comment="ce_id")]
    account_id: Annotated[str | None, rows.Column(comment="for this account alone")]
    rate: Annotated[int, rows.Column(comment="all in, ten-thousandths of a per mille")]
    effective_on: date
    withdrawn: bool
    recorded_at: datetime


commissions = rows.table(
    "commissions", metadata, CommissionRow, CheckConstraint("rate BETWEEN 0 AND 30000", name="ceiling")
)

RATES: Telling[RateStretch] = Telling(metadata, "fee_rates", RateStretch)
