"""The dated numbers of the points ledger: what `policy.toml` and published versions may say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from chassis.errors import FieldError, Text
from chassis.policy import Number, PolicyBody, PolicyBook, PolicyInvalid, PolicyTable, typed
from contracts.classification import TIERS, TierCode
from contracts.fields import Code

FILE = Path(__file__).with_name("policy.toml")


@dataclass(frozen=True, slots=True)
class Terms:
    """The rule of one version: `multiplier` by tier in hundredths (110 is 1.1) [P1], a lot's life in months [P6], how many
    days ahead clients are told of what expires."""

    multiplier: Mapping[str, int]
    lot_months: int
    notice_days: Sequence[int]


class TermsBody(PolicyBody, frozen=True):
    """A version as it is written: multipliers as people write them (1.1)."""

    multiplier: dict[TierCode, Number]
    lot_months: Annotated[int, msgspec.Meta(ge=1, le=1200)]
    notice_days: list[Annotated[int, msgspec.Meta(ge=1, le=365)]] = msgspec.field(default_factory=lambda: [60, 30, 7])


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
    return Terms(multiplier, given.lot_months, given.notice_days)


def _hundredths(tier: str, written: Decimal) -> int:
    value = written * 100
    if value != int(value) or not 0 <= value <= 10_000:
        raise PolicyInvalid(
            f"the multiplier of {tier} is {written}: 0 to 100 with at most two decimals",
            errors=(FieldError(f"/body/multiplier/{tier}", "0 to 100 with at most two decimals"),),
        )
    return int(value)


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward of the white list: how many points (hundredths) one of it costs, and who delivers it."""

    code: str
    kind: str
    points: int
    fulfiller: str
    title: Text


@dataclass(frozen=True, slots=True)
class Rewards:
    """What points can be exchanged for [P5, P9]: `offered` by code, the share of a year's commission that can be redeemed
    in a year, after how long an unanswered request is told again, and how long at most between two such words."""

    offered: Mapping[str, Reward]
    share_percent: int
    answer_minutes: int
    again_minutes: int

    def again_after(self, waited: timedelta) -> timedelta:
        """When to tell a request again that has waited so long: after as long once more, within these bounds."""
        return max(timedelta(minutes=self.answer_minutes), min(waited, timedelta(minutes=self.again_minutes)))


class RewardBody(PolicyBody, frozen=True):
    """A reward as it is written; one without a fulfiller is listed, not offered, and says why."""

    code: Code
    kind: Code
    price: Number
    en: str
    zh: str
    fulfiller: Literal["products", ""] = ""
    not_offered: str = ""


class RewardsBody(PolicyBody, frozen=True):
    """The white list as it is written."""

    items: list[RewardBody]
    share_percent: Annotated[int, msgspec.Meta(ge=1, le=100)]
    answer_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)]
    again_minutes: Annotated[int, msgspec.Meta(ge=1, le=10080)] = 1440


SERVICES_ONLY = ("sms", "data", "seminar", "query")
"""The securities services that points may be exchanged for: never cash, gifts or rebates [P9]."""


def parse_rewards(body: dict[str, Any]) -> Rewards:
    """Read one version.

    Raises: PolicyInvalid when a reward is no securities service, costs nothing, is listed twice, or neither has who
    delivers it nor says why it is not offered.
    """
    given = typed(RewardsBody, body)
    offered: dict[str, Reward] = {}
    for n, item in enumerate(given.items):
        if item.kind not in SERVICES_ONLY:
            raise PolicyInvalid(
                f"{item.code} is a {item.kind}: only {', '.join(SERVICES_ONLY)}, never cash, gifts or rebates [P9]",
                errors=(FieldError(f"/body/items/{n}/kind", f"one of {', '.join(SERVICES_ONLY)}"),),
            )
        if item.price <= 0:
            raise PolicyInvalid(f"{item.code} costs nothing", errors=(FieldError(f"/body/items/{n}/price", "above 0"),))
        if any(item.code == one.code for one in given.items[:n]):
            raise PolicyInvalid(f"{item.code} twice", errors=(FieldError(f"/body/items/{n}/code", "twice"),))
        if bool(item.fulfiller) == bool(item.not_offered):
            raise PolicyInvalid(
                f"{item.code} has either who delivers it or why it is not offered",
                errors=(FieldError(f"/body/items/{n}/not_offered", "this or a fulfiller, one of the two"),),
            )
        if item.fulfiller:
            whole = int(item.price.to_integral_value(ROUND_CEILING))  # 1 point is 1 CNY, up [P5]
            offered[item.code] = Reward(item.code, item.kind, whole * 100, item.fulfiller, Text(item.en, item.zh))
    return Rewards(offered, given.share_percent, given.answer_minutes, given.again_minutes)


@dataclass(frozen=True, slots=True)
class Upgrades:
    """Applications for the next tier [P4]: `price` by the tier applied for (hundredths; a tier that is missing cannot be
    applied for), how long it is granted, when an application is void, whether two persons approve, and the mode: SPEND, or
    QUALIFY (earned in 12 months, nothing spent)."""

    price: Mapping[TierCode, int]
    months: int
    void_days: int
    two_persons: bool
    mode: Literal["SPEND", "QUALIFY"]


class UpgradesBody(PolicyBody, frozen=True):
    """A version as it is written, prices in whole points."""

    price: dict[TierCode, Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]]
    months: Annotated[int, msgspec.Meta(ge=1, le=120)]
    void_days: Annotated[int, msgspec.Meta(ge=1, le=365)]
    two_persons: bool
    mode: Literal["SPEND", "QUALIFY"]


def parse_upgrades(body: dict[str, Any]) -> Upgrades:
    """Read one version.

    Raises: PolicyInvalid when NORMAL has a price, or a higher tier is cheaper than a lower one.
    """
    given = typed(UpgradesBody, body)
    if "NORMAL" in given.price:
        raise PolicyInvalid("nobody applies for NORMAL", errors=(FieldError("/body/price/NORMAL", "not a tier above"),))
    priced = [tier for tier in TIERS if tier in given.price]
    for lower, higher in pairwise(priced):
        if given.price[higher] < given.price[lower]:
            raise PolicyInvalid(
                f"{higher} costs less than {lower}",
                errors=(FieldError(f"/body/price/{higher}", "less than a lower tier"),),
            )
    return Upgrades(
        {tier: price * 100 for tier, price in given.price.items()}, given.months, given.void_days, given.two_persons,
        given.mode,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bonuses:
    """Bonuses in hundredths [P3]: for a year of account, an adopted suggestion, a referred client (0: none); a referral is
    clawed back when the account is closed in fewer days than `referral_days`."""

    loyalty: int
    suggestion: int
    referral: int
    referral_days: int


class BonusesBody(PolicyBody, frozen=True):
    """A version as it is written, in whole points."""

    loyalty: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    suggestion: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    referral: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    referral_days: Annotated[int, msgspec.Meta(ge=0, le=3650)]
    opinion: str = ""


def parse_bonuses(body: dict[str, Any]) -> Bonuses:
    """Read one version.

    Raises: PolicyInvalid when referrals are rewarded and no opinion of compliance is named.
    """
    given = typed(BonusesBody, body)
    if given.referral and not given.opinion.strip():
        raise PolicyInvalid(
            "soliciting may not be rewarded unless compliance's opinion is named [P3]",
            errors=(FieldError("/body/opinion", "missing"),),
        )
    return Bonuses(given.loyalty * 100, given.suggestion * 100, given.referral * 100, given.referral_days)


@dataclass(frozen=True, slots=True)
class Liability:
    """How the monthly close values points: CNY a point, and how many months of ended lots expected breakage looks at."""

    point_value: Decimal
    history_months: int


class LiabilityBody(PolicyBody, frozen=True):
    """A version as it is written."""

    point_value: Number
    history_months: Annotated[int, msgspec.Meta(ge=1, le=120)]


def parse_liability(body: dict[str, Any]) -> Liability:
    """Read one version.

    Raises: PolicyInvalid when a point is worth nothing.
    """
    given = typed(LiabilityBody, body)
    if given.point_value <= 0:
        raise PolicyInvalid("a point is worth nothing", errors=(FieldError("/body/point_value", "above 0"),))
    return Liability(given.point_value, given.history_months)


@dataclass(frozen=True, slots=True)
class Adjustments:
    """Manual adjustments: the reasons there are, and how much (hundredths) a role may ask for or agree to at once."""

    reasons: frozenset[str]
    limits: Mapping[str, int]


class AdjustmentsBody(PolicyBody, frozen=True):
    """A version as it is written, limits in whole points."""

    reasons: Annotated[list[Code], msgspec.Meta(min_length=1)]
    limits: dict[Literal["agent", "client_manager", "branch_manager", "hq"], Annotated[int, msgspec.Meta(ge=0)]]


def parse_adjustments(body: dict[str, Any]) -> Adjustments:
    """Read one version."""
    given = typed(AdjustmentsBody, body)
    return Adjustments(frozenset(given.reasons), {role: limit * 100 for role, limit in given.limits.items()})


class Policies(PolicyBook):
    """The tables of points."""

    points = PolicyTable(FILE, parse)
    rewards = PolicyTable(FILE, parse_rewards)
    upgrades = PolicyTable(FILE, parse_upgrades)
    bonuses = PolicyTable(FILE, parse_bonuses)
    liability = PolicyTable(FILE, parse_liability)
    adjustments = PolicyTable(FILE, parse_adjustments)
