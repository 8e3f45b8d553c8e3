"""The dated numbers of the points ledger: what `policy.toml` and published versions may say."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import msgspec

from chassis.errors import FieldError
from chassis.policy import Number, PolicyBody, PolicyBook, PolicyInvalid, PolicyTable, typed
from contracts.classification import TIERS, TierCode


@dataclass(frozen=True, slots=True)
class Terms:
    """The rule of one version: `multiplier` by tier in hundredths (110 is 1.1) [P1], a lot's life in months [P6]."""

    multiplier: Mapping[str, int]
    lot_months: int


class TermsBody(PolicyBody, frozen=True):
    """A version as it is written: multipliers as people write them (1.1)."""

    multiplier: dict[TierCode, Number]
    lot_months: Annotated[int, msgspec.Meta(ge=1, le=1200)]


def parse(body: dict[str, Any]) -> Terms:
    """Read one version.

    Raises: PolicyInvalid when a tier has no multiplier, one has more than two decimals or falls as tiers rise, or a
    lot would live for less than a month.
    """
    given = typed(TermsBody, body)
    if missing := sorted(set(TIERS) - set(given.multiplier)):
        raise PolicyInvalid(
            f"no multiplier for {', '.join(missing)}", errors=(FieldError("/body/multiplier", "missing"),)
        )
    multiplier: dict[str, int] = {tier: _hundredths(tier, given.multiplier[tier]) for tier in TIERS}
    for lower, higher in pairwise(TIERS):
        if multiplier[higher] < multiplier[lower]:
            raise PolicyInvalid(
                f"{higher} earns {given.multiplier[higher]}, less than {lower} with {given.multiplier[lower]}",
                errors=(FieldError(f"/body/multiplier/{higher}", "less than a lower tier's"),),
            )
    return Terms(multiplier, given.lot_months)


def _hundredths(tier: str, written: Decimal) -> int:
    value = written * 100
    if value != int(value) or not 0 <= value <= 10_000:
        raise PolicyInvalid(
            f"the multiplier of {tier} is {written}: 0 to 100 with at most two decimals",
            errors=(FieldError(f"/body/multiplier/{tier}", "0 to 100 with at most two decimals"),),
        )
    return int(value)


class Policies(PolicyBook):
    """The tables of points."""

    points = PolicyTable(Path(__file__).with_name("policy.toml"), parse)
