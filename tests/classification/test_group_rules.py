"""The seven groups, value, core and lifecycle by table [K7, V1, V2, V5], and what their policies refuse."""

import tomllib
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from chassis.policy import PolicyInvalid
from services.classification import group_policies as policies
from services.classification.group_history import stretches_of
from services.classification.group_rules import primary_of, tags_of
from services.classification.groups import window_start
from services.classification.policies import POLICY_FILE
from services.classification.policy import Policies
from tests.reference.decisions import (
    GroupFigures,
    LifecycleFigures,
    core_by_rank,
    lifecycle_at,
    moves_abnormally,
    tags_at,
    trades_abnormally,
    value_of,
)

DAY = date(2024, 6, 28)
GROUPS = Policies().groups.on(DAY).body
VALUE = Policies().value.on(DAY).body
LIFECYCLE = Policies().lifecycle.on(DAY).body


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


def money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


OLD: dict[str, Any] = {"opened_on": ago(1000), "traded_on": ago(10)}


@pytest.mark.parametrize(
    ("figures", "tags"),
    [
        ({"opened_on": ago(0)}, ["NEW"]),
        ({"opened_on": ago(90)}, ["NEW"]),
        ({"opened_on": ago(91)}, ["NEVER_TRADED"]),
        ({"opened_on": ago(91), "traded_on": DAY}, []),
        ({**OLD, "traded_on": ago(179)}, []),
        ({**OLD, "traded_on": ago(180)}, ["DORMANT"]),
        ({**OLD, "occurred_on": DAY}, ["ABNORMAL"]),
        ({**OLD, "occurred_on": ago(29)}, ["ABNORMAL"]),
        ({**OLD, "occurred_on": ago(30)}, []),
        ({**OLD, "total": money("5000"), "before": money("10000")}, ["AT_RISK"]),
        ({**OLD, "total": money("5000.01"), "before": money("10000")}, []),
        ({**OLD, "total": money("1"), "before": money("9999.99")}, []),
        ({**OLD, "total": None, "before": money("10000")}, []),
        ({**OLD, "total": money("-1"), "before": money("10000")}, ["AT_RISK"]),
        ({**OLD, "leaving_since": DAY}, ["AT_RISK"]),
        ({**OLD, "leaving_since": DAY + timedelta(days=1)}, []),
        ({**OLD, "core": True}, ["CORE"]),
        ({"opened_on": ago(95), "core": True}, ["NEVER_TRADED", "CORE"]),
        ({**OLD, "traded_on": ago(200), "core": True, "occurred_on": ago(3)}, ["ABNORMAL", "CORE", "DORMANT"]),
        ({**OLD, "closed_on": DAY}, None),
        ({**OLD, "closed_on": DAY + timedelta(days=1)}, []),
    ],
)
def test_tags_k7(figures: dict[str, Any], tags: list[str] | None) -> None:
    assert tags_at(GroupFigures(**figures), DAY, GROUPS) == tags


def test_the_primary_group_is_total_and_the_first_match_k7() -> None:
    for bits in range(64):
        tags = tags_of(bits)
        assert primary_of(bits) == (tags[0] if tags else "REGULAR")
        assert sum(policies.BIT[tag] for tag in tags) == bits
    assert primary_of(None) is None


def test_a_busy_day_is_one_of_three_times_the_mean_of_at_least_five_k7() -> None:
    five = {ago(n * 10): Decimal("100.01") for n in range(1, 6)}
    assert trades_abnormally(five | {DAY: Decimal("300.03")}, ago(31), DAY, GROUPS)
    assert not trades_abnormally(five | {DAY: Decimal("300.02")}, ago(31), DAY, GROUPS)
    assert not trades_abnormally(five | {DAY: Decimal("300.03")}, ago(30), DAY, GROUPS)  # age 30 is not beyond 30
    four = dict(list(five.items())[:4])
    assert not trades_abnormally(four | {DAY: Decimal("900")}, ago(500), DAY, GROUPS)
    assert trades_abnormally(four | {ago(60): Decimal("1"), DAY: Decimal("900")}, ago(500), DAY, GROUPS)
    assert not trades_abnormally(four | {ago(61): Decimal("1"), DAY: Decimal("900")}, ago(500), DAY, GROUPS)


@pytest.mark.parametrize(
    ("net", "assets", "age", "abnormal"),
    [
        ("300", "1000", 31, True),
        ("-300", "1000", 31, True),
        ("299.99", "1000", 31, False),
        ("300", "1000", 30, False),
        ("0", "0", 31, False),
        ("1", "0", 31, True),
        ("1", None, 31, False),
    ],
)
def test_moved_funds_k7(net: str, assets: str | None, age: int, abnormal: bool) -> None:
    assert moves_abnormally(Decimal(net), money(assets), ago(age), DAY, GROUPS) is abnormal


def test_five_trading_days_reach_over_a_weekend_and_a_holiday_k7() -> None:
    assert window_start(date(2024, 6, 28), 5) == date(2024, 6, 24)  # Friday to Monday
    assert window_start(date(2024, 6, 30), 5) == date(2024, 6, 24)  # a Sunday belongs to the week before
    assert window_start(date(2024, 6, 12), 5) == date(2024, 6, 5)  # Dragon Boat: Monday the 10th is off
    assert window_start(date(2031, 1, 8), 5) == date(2031, 1, 2)  # beyond the calendar: Monday to Friday


@pytest.mark.parametrize(
    ("commission", "purchases", "assets", "value", "kind"),
    [
        ("50000", "0", "0", "40.00", "COMMISSION"),
        ("0", "1000000", "5000000", "60.00", "PRODUCT"),
        ("100000", "0", "2500000", "55.00", "COMMISSION"),
        ("0", "0", "0", "0.00", "ASSETS"),
        ("0", "0", "833.33", "0.00", "ASSETS"),  # 0.00499998
        ("6.24", "0", "0", "0.00", "ASSETS"),  # 0.004992
        ("6.25", "0", "0", "0.01", "COMMISSION"),  # exactly half of the last place
        ("0", "-5", "-7", "0.00", "ASSETS"),
        ("37500", "1000000", "0", "60.00", "COMMISSION"),
    ],
)
def test_value_and_type_v1(commission: str, purchases: str, assets: str, value: str, kind: str) -> None:
    found = value_of(Decimal(commission), Decimal(purchases), Decimal(assets), VALUE)
    assert (str(found[0]), found[1], found[2]) == (value, kind, value == "0.00")


def test_the_first_fifth_is_core_rounded_up_by_value_assets_and_id_v2() -> None:
    zero = Decimal(0)
    values = {f"c-{n}": (Decimal(n), zero) for n in range(7)}  # c-0 has no value: six are ranked
    assert core_by_rank(values, VALUE) == {"c-6", "c-5"}
    tied = {"c-b": (Decimal(1), zero), "c-a": (Decimal(1), zero), "c-c": (Decimal(1), Decimal(5))}
    assert core_by_rank(tied, VALUE) == {"c-c"}
    assert core_by_rank({"c-b": tied["c-b"], "c-a": tied["c-a"]}, VALUE) == {"c-a"}
    assert core_by_rank({"c-0": (zero, zero)}, VALUE) == set()


@pytest.mark.parametrize(
    ("figures", "stage"),
    [
        ({"closed_on": DAY}, "LOST"),
        ({"closed_on": DAY + timedelta(days=1)}, "MATURE"),
        ({"total": money("99.99"), "traded_on": ago(180)}, "LOST"),
        ({"total": money("99.99"), "traded_on": ago(179)}, "MATURE"),
        ({"total": money("100"), "traded_on": ago(900)}, "MATURE"),
        ({"total": None, "traded_on": None}, "MATURE"),
        ({"total": money("0"), "opened_on": ago(179)}, "MATURE"),
        ({"total": money("0"), "opened_on": ago(180)}, "LOST"),
        ({"opened_on": ago(90)}, "ESTABLISHED"),
        ({"opened_on": ago(91)}, "MATURE"),
        ({"assets_now": money("70"), "assets_before": money("100")}, "DECLINING"),
        ({"assets_now": money("70.01"), "assets_before": money("100")}, "MATURE"),
        ({"assets_now": money("110"), "assets_before": money("100")}, "GROWING"),
        ({"assets_now": money("109.99"), "assets_before": money("100")}, "MATURE"),
        ({"assets_now": money("110"), "assets_before": money("0")}, "MATURE"),
        ({"commission_now": money("0"), "commission_before": money("1")}, "DECLINING"),
        ({"commission_now": money("1"), "commission_before": money("0")}, "MATURE"),
        (
            {
                "assets_now": money("200"),
                "assets_before": money("100"),
                "commission_now": money("7"),
                "commission_before": money("10"),
            },
            "DECLINING",
        ),
    ],
)
def test_lifecycle_v5(figures: dict[str, Any], stage: str) -> None:
    assert lifecycle_at(LifecycleFigures(**{"opened_on": ago(1000), **figures}), DAY, LIFECYCLE) == stage


def test_stretches_of_a_tag_end_and_begin_again() -> None:
    new, dormant = policies.BIT["NEW"], policies.BIT["DORMANT"]
    days = [DAY + timedelta(days=n) for n in range(5)]
    history = list(zip(days, [new, new | dormant, dormant, 0, None], strict=True))
    assert stretches_of(history) == [("NEW", days[0], days[2]), ("DORMANT", days[1], days[3])]
    assert stretches_of([(days[0], dormant)]) == [("DORMANT", days[0], None)]


BODIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "groups": (policies.parse_groups, {}),
    "value": (policies.parse_value, {}),
    "lifecycle": (policies.parse_lifecycle, {}),
}
WRONG = [
    ("groups", {"new_days": 0}),
    ("groups", {"at_risk_share": "1"}),
    ("groups", {"abnormal_multiple": "NaN"}),
    ("value", {"assets_weight": "0.4"}),
    ("value", {"assets_reference": "0"}),
    ("value", {"core_classes": ["H"]}),
    ("value", {"core_share": "1.01"}),
    ("lifecycle", {"declining_share": "1"}),
    ("lifecycle", {"lost_idle_days": "180"}),
]


@pytest.mark.parametrize(("name", "change"), WRONG)
def test_a_policy_that_cannot_be_meant_is_refused(name: str, change: dict[str, Any]) -> None:
    body = tomllib.loads(POLICY_FILE.read_text("utf-8"), parse_float=str)[name][0]
    del body["effective_on"]
    parse = BODIES[name][0]
    parse(body)
    with pytest.raises(PolicyInvalid):
        parse(body | change)


def test_the_case_of_every_kind_of_change_is_reached() -> None:
    """DECLINING comes before GROWING whatever grows beside it: V5 is a first match."""
    for assets, commission in product(("60", "100", "120"), repeat=2):
        figures = LifecycleFigures(
            opened_on=ago(500),
            assets_now=Decimal(assets),
            assets_before=Decimal(100),
            commission_now=Decimal(commission),
            commission_before=Decimal(100),
        )
        expected = (
            "DECLINING" if "60" in (assets, commission) else "GROWING" if "120" in (assets, commission) else "MATURE"
        )
        assert lifecycle_at(figures, DAY, LIFECYCLE) == expected
