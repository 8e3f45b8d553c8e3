"""The dated numbers of the points ledger: what `policy.toml` and published versions may say."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

from chassis.policy import Policies, PolicyInvalid
from contracts.classification import TIERS


@dataclass(frozen=True, slots=True)
class Terms:
    """The rule of one version: `multiplier` by tier in hundredths (110 is 1.1) [P1], a lot's life in months [P6]."""

    multiplier: Mapping[str, int]
    lot_months: int


def parse(body: dict[str, Any]) -> Terms:
    """Read one version.

    Raises: PolicyInvalid when a tier has no multiplier, one has more than two decimals or falls as tiers rise, or a
    lot would live for less than a month.
    """
    given = body.get("multiplier", {})
    if set(given) != set(TIERS):
        raise PolicyInvalid(f"multiplier names {sorted(given)}, the tiers are {list(TIERS)}")
    multiplier: dict[str, int] = {tier: _hundredths(tier, given[tier]) for tier in TIERS}
    for lower, higher in pairwise(TIERS):
        if multiplier[higher] < multiplier[lower]:
            raise PolicyInvalid(f"{higher} earns {given[higher]}, less than {lower} with {given[lower]}")
    months = body.get("lot_months")
    if not isinstance(months, int) or months < 1:
        raise PolicyInvalid(f"lot_months is {months!r}, not a whole number of months")
    return Terms(multiplier, months)


def _hundredths(tier: str, written: object) -> int:
    try:
        value = Decimal(str(written)) * 100
    except InvalidOperation:
        raise PolicyInvalid(f"the multiplier of {tier} is {written!r}, not a number") from None
    if value != int(value) or not 0 <= value <= 10_000:
        raise PolicyInvalid(f"the multiplier of {tier} is {written!r}: 0 to 100 with at most two decimals")
    return int(value)


policies: Policies[Terms] = Policies("points", Path(__file__).with_name("policy.toml"), parse)
