"""Tags kept as bits, and the primary group among them [K7]."""

from contracts.classification import TAGS, GroupCode, TagCode
from services.classification.group_policies import BIT


def tags_of(bits: int) -> list[TagCode]:
    """The tags in a stored number."""
    return [tag for tag in TAGS if bits & BIT[tag]]


def primary_of(bits: int | None) -> GroupCode | None:
    """The one primary group: the first match, REGULAR without any, none for a closed account [K7]."""
    if bits is None:
        return None
    return next(iter(tags_of(bits)), "REGULAR")
