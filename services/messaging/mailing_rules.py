"""Who gets a mailing of a column, and by which channels: pure [B15]."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from contracts.classification import TIERS
from contracts.suitability import HELD
from services.messaging.policy import MailingColumn

LEVELS = ("VERY_LOW", "LOW", "MEDIUM", "MEDIUM_HIGH", "HIGH", "VERY_HIGH")
"""Risk levels in rising order; one of the other scheme counts as what it is worth among these [Q6], any other as below all."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What decides whether a client gets a mailing. `rank` counts tiers from 0; `level` is the risk level in force;
    `subscribed` the channel they want the column by; `entitled`: they have the column's product; `holds`: an instrument the
    mailing is about."""

    rank: int
    tags: Collection[str]
    level: str | None
    subscribed: str | None
    entitled: bool = False
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom an item of investors' education is for: groups x risk levels x tiers; an empty one leaves nobody out [MS18]."""

    groups: Collection[str] = ()
    levels: Collection[str] = ()
    tiers: Collection[str] = ()


EVERYBODY = Audience()


def reasons_against(
    column: MailingColumn,
    reader: Reader,
    product_level: str | None,
    audience: Audience = EVERYBODY,
    *,
    holders_only: bool = False,
) -> list[str]:
    """Why a client does not get a mailing of a column; empty when they do. Consents and addresses are judged later."""
    found, level = [], HELD.get(reader.level or "", reader.level)
    if column.on_request and reader.subscribed is None:
        found.append("not_subscribed")
    if reader.rank < TIERS.index(column.tier_from):
        found.append("class_below")
    if column.groups and not set(column.groups) & set(reader.tags):
        found.append("other_group")
    if set(column.not_groups) & set(reader.tags):
        found.append("group_left_out")
    if product_level is not None:
        held = LEVELS.index(level) if level in LEVELS else -1
        if held < LEVELS.index(product_level):
            found.append("risk_level_below_product")
    if column.entitlement and not reader.entitled:
        found.append("not_entitled")
    if holders_only and not reader.holds:
        found.append("not_held")
    if audience.groups and not set(audience.groups) & set(reader.tags):
        found.append("other_group")
    if audience.levels and not {level, reader.level} & set(audience.levels):
        found.append("other_level")
    if audience.tiers and TIERS[reader.rank] not in audience.tiers:
        found.append("other_tier")
    return found


def channels_for(column: MailingColumn, reader: Reader) -> Sequence[str]:
    """By which channels a client gets a column: as subscribed, else any of the column's, the best first."""
    return (reader.subscribed,) if reader.subscribed in column.channels and reader.subscribed else column.channels
