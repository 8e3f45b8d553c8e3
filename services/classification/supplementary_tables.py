"""What the supplementary classifications keep: every entry ever made, and the risk level heard of suitability."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import BigInteger, Identity, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.rows import Column, Row, table
from services.classification.tables import metadata as metadata


class Entry(Row, frozen=True):
    """An entry of one classification by staff."""

    entry_id: Annotated[int, Column(BigInteger, primary_key=True, server_default=Identity())]
    client_id: str
    kind: Annotated[str, Column(comment="HABIT, VALUE, STYLE, PREFERENCE, BEHAVIOUR [K3, V3]")]
    codes: Annotated[list[str], Column(ARRAY(Text), comment="namespaced; of preferences the first is primary")]
    scores: Annotated[dict[str, int] | None, Column(JSONB, comment="five factors of VALUE, 0 to 2 each [K5]")]
    suggested: Annotated[str | None, Column(comment="what the rule suggested when this was entered")]
    note: Annotated[str, Column(server_default="")]
    assets: Annotated[Decimal, Column(comment="at the time of filling: mean of the last closed month")]
    commission: Annotated[Decimal, Column(comment="at the time of filling: net, of the calendar year")]
    made_by: str
    made_at: datetime


class RiskLevel(Row, frozen=True):
    """The level of a client's latest assessment."""

    client_id: Annotated[str, Column(primary_key=True)]
    level: str
    valid_from: date
    valid_until: date


supplementary_entries = table("supplementary_entries", metadata, Entry, Index(None, "client_id", "kind", "entry_id"))
risk_levels = table("risk_levels", metadata, RiskLevel)
