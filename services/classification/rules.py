"""Pure decisions: class, tier, grace, effective stretches. Facts, policy and time come in; a decision goes out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from contracts.classification import TIERS
from services.classification.policies import ClassPolicy, TierPolicy

ONE_DAY = timedelta(days=1)


def class_of(assets: Decimal, turned_over: Decimal | None, policy: ClassPolicy) -> str:
    """The basic class [K1]; missing turnover counts as 0."""
    for row in policy.rows:
        if row.covers(assets, turned_over or Decimal(0), policy.turnover_threshold):
            return row.code
    raise LookupError(f"no class for assets {assets}, turnover {turned_over}: the policy check lets no such table pass")


@dataclass(frozen=True, slots=True)
class TierState:
    """The retained tier, as an index of TIERS, and the first day of a running grace (宽限期)."""

    retained: int
    grace_from: date | None = None


def close(standing: TierState, entitled: int, day: date, policy: TierPolicy) -> TierState:
    """The standing from `day` + 1 on, by the close of `day`: up at once, down a step after a grace [T4, T7]."""
    retained, grace_from = standing.retained, standing.grace_from
    if entitled >= retained:
        return TierState(entitled)
    if grace_from is None:
        return TierState(retained, day + ONE_DAY)
    if day < grace_from + timedelta(days=policy.grace_days - 1):
        return standing
    return TierState(retained - 1, day + ONE_DAY if entitled < retained - 1 else None)


def next_check(standing: TierState, day: date, policy: TierPolicy) -> date | None:
    """The next close after `day` at which a running grace gives notice or ends."""
    if standing.grace_from is None:
        return None
    end = standing.grace_from + timedelta(days=policy.grace_days)
    closes = sorted(end - timedelta(days=left + 1) for left in (*policy.notice_days, 0))
    return next((close for close in closes if close > day), None)


@dataclass(frozen=True, slots=True)
class Retained:
    """A retained tier from a day on, and why it changed."""

    since: date
    tier: int
    reason: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A tier granted by hand or for points, valid from a day until another (exclusive) [T5]."""

    since: date
    until: date
    tier: int


@dataclass(frozen=True, slots=True)
class TierInterval:
    """The effective tier from `since` until the next stretch."""

    since: date
    tier: int
    reason: str


def effective_stretches(retained: Sequence[Retained], grants: Iterable[Grant]) -> list[TierInterval]:
    """The effective tier over time: at any instant the highest of the retained one and every valid grant [T5].

    `retained` is sorted and not empty; neighbours of the same effective tier become one stretch. A stretch's reason is
    opened, upgrade, downgrade, grant, or grant_ended: one that ran out or was revoked.
    """
    grants = list(grants)
    first = retained[0].since
    borders = {r.since: r.reason for r in retained}
    for grant in grants:
        for day in (grant.since, grant.until):
            if day > first:
                borders.setdefault(day, "grant_ended")
    stretches: list[TierInterval] = []
    for day in sorted(borders):
        kept = next(r for r in reversed(retained) if r.since <= day)
        tier = max([kept.tier, *(g.tier for g in grants if g.since <= day < g.until)])
        if stretches and stretches[-1].tier == tier:
            continue
        falls = bool(stretches) and tier < stretches[-1].tier
        reason = "grant" if tier > kept.tier else borders[day]
        if reason == "upgrade" and falls:  # to a tier just earned, from a higher one granted until now
            reason = "grant_ended"
        stretches.append(TierInterval(day, tier, reason))
    return stretches


def tier_code(index: int) -> str:
    """NORMAL to DIAMOND."""
    return TIERS[index]
