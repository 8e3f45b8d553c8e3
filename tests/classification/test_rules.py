"""Classes and tiers by table [K1, K2, K2a, T3 to T5, T7], and what the policy check refuses."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from chassis.policy import PolicyInvalid
from services.classification import rules
from services.classification.policies import parse_classes, parse_tiers
from services.classification.policy import Policies
from services.classification.rules import Grant, Retained, TierState
from tests.reference import decisions

DAY = date(2024, 6, 3)
CLASSES = Policies().classes.on(DAY).body
TIERS = Policies().tiers.on(DAY).body

K1_VECTORS = [
    ("5000000", "2.99", "A+"), ("5000000", "3", "B+"), ("4999999.99", "0", "A"), ("1000000", "3", "B"),
    ("999999.99", "2.9999", "C"), ("500000", "3", "D"), ("499999.99", "0", "C-"), ("100000", "3", "D-"),
    ("99999.99", "2", "E"), ("10000", "3", "F"), ("9999.99", "99", "G"), ("0", None, "G"), ("-1", "5", "G"),
]  # fmt: skip


@pytest.mark.parametrize(("assets", "turnover", "code"), K1_VECTORS)
def test_class_vectors(assets: str, turnover: str | None, code: str) -> None:
    assert rules.class_of(Decimal(assets), Decimal(turnover) if turnover else None, CLASSES) == code


def printed_table() -> dict[str, Any]:
    """The table as the source document prints it: C and D alike, C- and D- alike, nothing for low turnover between."""
    rows: list[dict[str, Any]] = [
        {"code": "A+", "assets_from": "5000000", "turnover": "low"},
        {"code": "B+", "assets_from": "5000000", "turnover": "high"},
        {"code": "A", "assets_from": "1000000", "assets_to": "5000000", "turnover": "low"},
        {"code": "B", "assets_from": "1000000", "assets_to": "5000000", "turnover": "high"},
        {"code": "C", "assets_from": "500000", "assets_to": "1000000", "turnover": "high"},
        {"code": "D", "assets_from": "500000", "assets_to": "1000000", "turnover": "high"},
        {"code": "C-", "assets_from": "100000", "assets_to": "500000", "turnover": "high"},
        {"code": "D-", "assets_from": "100000", "assets_to": "500000", "turnover": "high"},
        {"code": "E", "assets_from": "10000", "assets_to": "100000", "turnover": "low"},
        {"code": "F", "assets_from": "10000", "assets_to": "100000", "turnover": "high"},
        {"code": "G", "assets_to": "10000"},
    ]
    return {
        "turnover_threshold": "3", "rows": rows, "trader_orders_per_month": "10", "trader_monthly_turnover": "0.5",
    }  # fmt: skip


def test_the_table_as_printed_is_refused_with_a_gap_and_an_overlap() -> None:
    with pytest.raises(PolicyInvalid) as refused:
        parse_classes(printed_table())
    said = refused.value.detail.en
    assert "gap: no class for (750000; 1)" in said
    assert "overlap: (750000; 5) is C, D" in said
    assert "空缺" in refused.value.detail.zh


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"turnover_threshold": "0"}, "above 0"),
        ({"turnover_threshold": "NaN"}, "not a number"),
        ({"rows": []}, "gap"),
        ({"rows": [{"code": "Z"}]}, "/rows/0/code"),
        ({"rows": [{"code": "G", "assets_to": "ten"}]}, "not a number"),
        ({"rows": [{"code": "G", "turnover": "middling"}]}, "/rows/0/turnover"),
    ],
)
def test_broken_class_policies_say_why(broken: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyInvalid, match=said):
        parse_classes(printed_table() | broken)


@pytest.mark.parametrize(
    "broken",
    [
        {"assets": ["1", "2", "3"]},
        {"assets": ["1", "3", "2", "4"]},
        {"grace_days": 0},
        {"notice_days": [90]},
        {"mode": "BY_MOOD"},
    ],
)
def test_broken_tier_policies_are_refused(broken: dict[str, Any]) -> None:
    body = {
        "assets": ["1", "2", "3", "4"],
        "commission": ["1", "2", "3", "4"],
        "grace_days": 90,
        "notice_days": [30, 7],
    }
    parse_tiers(body)
    with pytest.raises(PolicyInvalid):
        parse_tiers(body | broken)


@pytest.mark.parametrize(
    ("day_sum", "days", "mean"),
    [
        ("0", 0, "0.00"),
        ("10", 3, "3.33"),
        ("20", 3, "6.67"),
        ("0.01", 2, "0.01"),
        ("-0.01", 2, "-0.01"),
        ("-10", 3, "-3.33"),
    ],
)
def test_month_mean_is_rounded_half_up(day_sum: str, days: int, mean: str) -> None:
    assert decisions.month_mean(Decimal(day_sum), days) == Decimal(mean)


@pytest.mark.parametrize(
    ("traded", "day_sum", "days", "turnover"),
    [
        ("100", "0", 0, "0.0000"),
        ("100", "-5", 10, "0.0000"),
        ("300", "1000", 10, "3.0000"),
        ("1", "30000", 1, "0.0000"),
        ("1.5", "30000", 1, "0.0001"),
    ],
)
def test_turnover_is_never_annualised_and_rounded_to_four_places(
    traded: str, day_sum: str, days: int, turnover: str
) -> None:
    assert decisions.turnover(Decimal(traded), Decimal(day_sum), days) == Decimal(turnover)


def test_rounding_takes_the_exact_fraction() -> None:
    almost = Fraction(5, 1000) - Fraction(1, 10**30)
    assert decisions.rounded(almost, decisions.CENT) == Decimal("0.00")
    assert decisions.rounded(Fraction(5, 1000), decisions.CENT) == Decimal("0.01")


@pytest.mark.parametrize(
    ("assets", "commission", "tier"),
    [
        ("99999.99", "999.99", 0), ("100000", "0", 1), ("0", "1000", 1), ("500000", "1000", 2), ("0", "9999.99", 2),
        ("1000000", "0", 3), ("5000000", "0", 4), ("0", "50000", 4), ("-1", "0", 0),
    ],
)  # fmt: skip
def test_entitled_tier(assets: str, commission: str, tier: int) -> None:
    assert decisions.entitled_tier(Decimal(assets), Decimal(commission), TIERS) == tier


def walk(standing: TierState, entitled: int, first: date, days: int) -> list[tuple[date, TierState]]:
    """Close day after day at one entitled tier; the days after which the standing changed."""
    steps = []
    for number in range(days):
        after = rules.close(standing, entitled, first + timedelta(days=number), TIERS)
        if after != standing:
            steps.append((first + timedelta(days=number + 1), after))
            standing = after
    return steps


def test_diamond_falling_to_nothing_takes_four_steps_of_ninety_days() -> None:
    """T4, T7: a grace from D+1, 90 days, one step, a new grace at once."""
    steps = walk(TierState(4), 0, DAY, 400)
    start = DAY + timedelta(days=1)
    assert steps == [
        (start, TierState(4, start)),
        *((begins := start + timedelta(days=90 * n), TierState(4 - n, begins if n < 4 else None)) for n in range(1, 5)),
    ]


def test_recovering_in_grace_cancels_it_and_rising_counts_at_once() -> None:
    in_grace = TierState(2, DAY)
    assert rules.close(in_grace, 2, DAY + timedelta(days=89), TIERS) == TierState(2)
    assert rules.close(in_grace, 4, DAY, TIERS) == TierState(4)


@pytest.mark.parametrize(
    ("day", "check"),
    [(-1, 59), (58, 59), (59, 82), (82, 89), (88, 89), (89, None)],
)
def test_a_grace_gives_notice_thirty_and_seven_days_before_its_end(day: int, check: int | None) -> None:
    """T4: the grace of 90 days from S ends with the close of S+89; closes of S+59 and S+82 give notice."""
    start = date(2024, 1, 1)
    wanted = None if check is None else start + timedelta(days=check)
    assert rules.next_check(TierState(2, start), start + timedelta(days=day), TIERS) == wanted


def test_effective_tier_is_the_highest_of_retained_and_grants() -> None:
    """T5."""
    at = [date(2024, month, 1) for month in range(1, 8)]
    retained = [Retained(at[0], 0, "opened"), Retained(at[3], 1, "upgrade"), Retained(at[5], 0, "downgrade")]
    found = rules.effective_stretches(retained, [Grant(at[1], at[4], 2), Grant(at[2], at[6], 1)])
    assert [(s.since, s.tier, s.reason) for s in found] == [
        (at[0], 0, "opened"),
        (at[1], 2, "grant"),
        (at[4], 1, "grant_ended"),
        (at[6], 0, "grant_ended"),
    ]
