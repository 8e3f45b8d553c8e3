"""Decisions by table: [P1], [P6], [P7], [T5]."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import PolicyInvalid
from contracts.classification import TierChanged
from services.points import rules
from services.points.policy import Policies, parse
from services.points.rules import TierInterval
from tests.points.facts import tier


@pytest.mark.parametrize(
    ("commission", "multiplier", "points"),
    [
        ("12.34", 100, 1234),
        ("12.34", 110, 1357),  # 13.574
        ("12.34", 120, 1481),  # 14.808
        ("12.34", 130, 1604),  # 16.042
        ("0.05", 110, 6),  # 0.055: half goes up
        ("0.004", 100, 0),
        ("0.005", 100, 1),
        ("0.0049999999999999999999999999999999999999", 100, 0),
        ("3.1974423109204505e-15", 130, 0),
        ("999999999999999.005", 100, 99999999999999901),
    ],
)
def test_points_for_commission_p1(commission: str, multiplier: int, points: int) -> None:
    assert rules.points_for_commission(Decimal(commission), multiplier) == points


@given(st.decimals(0, 10**15, places=40), st.sampled_from([100, 110, 120, 130]))
def test_points_for_commission_is_exact_p1(commission: Decimal, multiplier: int) -> None:
    numerator, denominator = commission.as_integer_ratio()
    assert rules.points_for_commission(commission, multiplier) == (
        (2 * numerator * multiplier + denominator) // (2 * denominator)
    )


@pytest.mark.parametrize(
    ("trade_date", "expires_on"),
    [
        (date(2022, 7, 1), date(2024, 7, 31)),
        (date(2022, 2, 28), date(2024, 2, 29)),
        (date(2024, 2, 29), date(2026, 2, 28)),
    ],
)
def test_a_lot_expires_24_months_on_at_the_end_of_the_month_p6(trade_date: date, expires_on: date) -> None:
    assert rules.rate_on(Policies().points, trade_date, "NORMAL").expires_on == expires_on


@pytest.mark.parametrize(
    ("trade_date", "cause", "posted_on"),
    [
        (date(2022, 7, 1), datetime(2022, 7, 1, 7, tzinfo=UTC), date(2022, 7, 1)),
        (date(2022, 7, 1), datetime(2022, 7, 1, 16, tzinfo=UTC), date(2022, 7, 2)),  # midnight in Shanghai
        (date(2022, 7, 5), datetime(2022, 7, 1, 7, tzinfo=UTC), date(2022, 7, 5)),  # never before the trade
    ],
)
def test_the_posting_date_is_the_causes_in_shanghai(trade_date: date, cause: datetime, posted_on: date) -> None:
    assert rules.posting_date(trade_date, cause) == posted_on


D = [date(2022, 7, n) for n in range(1, 31)]


@pytest.mark.parametrize(
    ("changes", "stretches"),
    [
        ([], []),
        ([tier(1, D[0], (D[0], "NORMAL"))], []),
        ([tier(1, D[0], (D[0], "GOLD"))], [TierInterval(D[0], None, "GOLD")]),
        (
            [tier(1, D[0], (D[0], "GOLD")), tier(2, D[9], (D[9], "NORMAL"))],
            [TierInterval(D[0], D[9], "GOLD")],
        ),
        (
            [tier(2, D[9], (D[9], "SILVER"), (D[12], "NORMAL")), tier(1, D[0], (D[0], "GOLD"))],  # the first came late
            [TierInterval(D[0], D[9], "GOLD"), TierInterval(D[9], D[12], "SILVER")],
        ),
        (
            [tier(1, D[9], (D[9], "GOLD")), tier(2, D[0], (D[0], "SILVER"))],  # rewritten from before it began
            [TierInterval(D[0], None, "SILVER")],
        ),
    ],
)
def test_the_timeline_follows_revisions_not_arrival_t5(
    changes: list[TierChanged], stretches: list[TierInterval]
) -> None:
    assert rules.timeline(changes) == stretches


def test_the_tier_before_any_stretch_is_normal_t7() -> None:
    stretches = [TierInterval(D[3], D[5], "GOLD"), TierInterval(D[5], None, "DIAMOND")]
    assert [rules.tier_on(stretches, day) for day in D[2:7]] == ["NORMAL", "GOLD", "GOLD", "DIAMOND", "DIAMOND"]


TIERS = {"NORMAL": "1.0", "SILVER": "1.1", "GOLD": "1.2", "PLATINUM": "1.3", "DIAMOND": "1.3"}


@pytest.mark.parametrize(
    "body",
    [
        {"multiplier": {}, "lot_months": 24},
        {"multiplier": TIERS | {"GOLD": "1.05"}, "lot_months": 24},  # less than silver
        {"multiplier": TIERS | {"DIAMOND": "1.333"}, "lot_months": 24},
        {"multiplier": TIERS | {"DIAMOND": "many"}, "lot_months": 24},
        {"multiplier": TIERS, "lot_months": 0},
        {"multiplier": TIERS},
    ],
)
def test_a_policy_that_does_not_hold_together_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(PolicyInvalid):
        parse(body)
