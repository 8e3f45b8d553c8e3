"""Vectors from the rules, and one small folder worked out by hand, against the reference itself."""

import csv
import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from .classes import class_of, daily_totals, evaluate_month, known_months
from .days import month_of, twelve_months_before
from .exact import exactly
from .exports import client_rows, point_rows, replay, tier_rows
from .facts import commission_of
from .points import points_for
from .tiers import Standing, close, entitled_by

K1 = [
    ("5000000", "2.99", "A+"),
    ("5000000", "3", "B+"),
    ("4999999.99", "0", "A"),
    ("1000000", "3", "B"),
    ("999999.99", "2.9999", "C"),
    ("500000", "3", "D"),
    ("499999.99", "0", "C-"),
    ("100000", "3", "D-"),
    ("99999.99", "2", "E"),
    ("10000", "3", "F"),
    ("9999.99", "99", "G"),
    ("0", None, "G"),
    ("-1", "5", "G"),
]


@pytest.mark.parametrize(("assets", "turnover", "letter"), K1)
def test_class_vectors_k1(assets: str, turnover: str | None, letter: str) -> None:
    assert class_of(Decimal(assets), None if turnover is None else Decimal(turnover)) == letter


def test_points_vectors_p1() -> None:
    tiers = ("NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND")
    assert [points_for(1234, tier) for tier in tiers] == [1234, 1357, 1481, 1604, 1604]


def test_commission_is_one_per_mille_half_up_and_dust_rounds_to_nothing() -> None:
    with exactly():
        assert commission_of(Decimal("12335")) == 1234  # 12.335
        assert commission_of(Decimal("12334.999999999999999999")) == 1233
        assert commission_of(Decimal("3.1974423109204505e-15")) == 0


def test_tier_bounds_are_inclusive_t3() -> None:
    assert entitled_by(Decimal("99999.99"), 0) == 0
    assert entitled_by(Decimal("100000"), 0) == 1
    assert entitled_by(Decimal("5000000"), 0) == 4
    assert entitled_by(Decimal("0"), 99999) == 0
    assert entitled_by(Decimal("0"), 100000) == 1
    assert entitled_by(Decimal("500000"), 5000000) == 4


def test_twelve_months_before_a_leap_day_t7() -> None:
    assert twelve_months_before(date(2024, 2, 29)) == date(2023, 2, 28)
    assert twelve_months_before(date(2024, 2, 28)) == date(2023, 2, 28)
    assert twelve_months_before(date(2021, 2, 28)) == date(2020, 2, 28)


def test_diamond_falling_to_nothing_takes_four_steps_of_ninety_days_t4() -> None:
    standing, steps = Standing(retained=4), {}
    for n in range(500):
        day = date.fromordinal(date(2021, 1, 31).toordinal() + n)
        after = close(standing, 0, day)
        if after.retained != standing.retained:
            steps[after.retained] = (day - date(2021, 1, 31)).days
        standing = after
    # Grace from 1 February (S); stepping down at the close of S+89, that is 90 days after 31 January.
    assert steps == {3: 90, 2: 180, 1: 270, 0: 360}
    assert standing == Standing(0, None)


def test_recovery_in_grace_cancels_it_t4() -> None:
    standing = close(Standing(retained=2), 1, date(2021, 1, 31))
    assert standing == Standing(2, date(2021, 2, 1))
    assert close(standing, 2, date(2021, 5, 1)) == Standing(2, None)
    assert close(standing, 3, date(2021, 2, 1)) == Standing(3, None)
    assert close(standing, 1, date(2021, 5, 1)) == Standing(1, None)  # the close of S+89


def test_missing_days_carry_the_last_valuation_and_days_before_the_first_are_unknown_k2a() -> None:
    with exactly():
        valuations = {date(2021, 1, 30): Decimal("10"), date(2021, 3, 31): Decimal("0.03")}
        months = known_months(daily_totals(valuations, date(2021, 4, 30)))
        assert {month: known.days for month, known in months.items()} == {
            month_of(date(2021, 1, 1)): 2,
            month_of(date(2021, 2, 1)): 28,
            month_of(date(2021, 3, 1)): 31,
            month_of(date(2021, 4, 1)): 30,
        }
        march = month_of(date(2021, 3, 1))
        # (30 x 10 + 0.03) / 31 = 9.678...; 12-month mean (2 + 28 + 30) x 10 + 0.03 over 61 days.
        found = evaluate_month(march, months, {march - 8: Decimal("5"), march - 12: Decimal("1000")})
        assert (found.asset_mean, found.turnover, found.provisional) == (
            Decimal("9.68"),
            Decimal("0.5083"),
            True,
        )


def test_a_client_never_valued_has_mean_nothing_and_is_provisional_k2a() -> None:
    with exactly():
        found = evaluate_month(month_of(date(2021, 3, 1)), {}, {month_of(date(2021, 3, 1)): Decimal(5)})
    assert (found.letter, found.asset_mean, found.turnover, found.provisional) == ("G", Decimal(0), Decimal(0), True)


def write(folder: Path, name: str, header: str, rows: list[str]) -> None:
    with gzip.open(folder / f"{name}.csv.gz", "wt", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(line.split(",") for line in [header, *rows])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three clients: A1 trades and is valued, B2 has only the placeholder date, C3 opens late."""
    write(
        tmp_path,
        "bank_customers",
        "customer_id,customer_type,risk_level,last_questionnaire_on,recorded_on",
        [
            "A1,Mass,Income,2020-01-01,2020-08-03",
            "B2,Legal Entity,Income,2000-01-01,2000-01-01",
            "C3,Mass,Income,2020-01-01,2020-10-20",
        ],
    )
    write(
        tmp_path,
        "bank_trades",
        "trade_id,customer_id,traded_on,symbol,side,amount,units",
        [
            "t1,A1,2020-07-10,X,buy,999994.9,1",  # commission 999.99: not yet silver
            "t2,A1,2020-07-13,X,buy,10,1",  # commission 0.01: silver from 14 July, not for this trade
            "t3,A1,2020-07-14,X,sell,12340,1",  # 12.34 x 1.1
            "t4,A1,2020-07-15,X,sell,4.9,1",  # commission rounds to nothing
        ],
    )
    write(
        tmp_path,
        "bank_month_end_assets",
        "customer_id,as_of,total_assets",
        ["A1,2020-07-31,600000.00", "C3,2020-10-31,50.00"],
    )
    return tmp_path


def test_a_folder_worked_out_by_hand(folder: Path) -> None:
    outcomes = replay(folder, until=date(2020, 12, 31))
    assert tier_rows(outcomes, date(2020, 12, 31)) == [
        ("A1", "NORMAL", "2020-07-10", "2020-07-14", "opened"),
        ("A1", "SILVER", "2020-07-14", "2020-08-01", "upgrade"),
        # The mean of July is that of its one known day; October's valuation is the 0 of the missing row.
        ("A1", "GOLD", "2020-08-01", "", "upgrade"),
        ("B2", "NORMAL", "2020-07-01", "", "opened"),
        ("C3", "NORMAL", "2020-10-20", "", "opened"),
    ]
    assert point_rows(outcomes, date(2020, 12, 31)) == [
        ("A1", "t1", "999.99"),
        ("A1", "t2", "0.01"),
        ("A1", "t3", "13.57"),
    ]
    # Known: 31 July to 30 October 600000 (92 days), 31 October on 0; 12-month mean over 154 days = 358441.56;
    # turnover 1012349.8 / 358441.5584... = 2.8243.
    assert client_rows(outcomes, date(2020, 12, 31)) == [
        ("A1", "BA", "2020-07-10", "G", "true", "0.00", "2.8243", "GOLD", "1013.57", "0.00"),
        ("B2", "BB", "2020-07-01", "G", "true", "0.00", "0.0000", "NORMAL", "0.00", "0.00"),
        ("C3", "BC", "2020-10-20", "G", "true", "50.00", "0.0000", "NORMAL", "0.00", "0.00"),
    ]


def test_grace_after_a_lower_month_and_the_step_down_t7(folder: Path) -> None:
    # October's mean 580645.16 keeps gold; November's 0 begins a grace on 1 December, so that the step to
    # silver (by commission) takes effect 90 days later.
    outcomes = replay(folder, until=date(2021, 3, 31))
    assert tier_rows(outcomes, date(2021, 3, 31))[2:4] == [
        ("A1", "GOLD", "2020-08-01", "2021-03-01", "upgrade"),
        ("A1", "SILVER", "2021-03-01", "", "downgrade"),
    ]


@pytest.mark.parametrize("day", ["2020-07-09", "2020-07-13", "2020-07-31", "2020-10-31", "2020-11-30"])
def test_as_of_equals_a_replay_until_that_day(folder: Path, day: str) -> None:
    as_of = date.fromisoformat(day)
    full, short = replay(folder, until=date(2021, 3, 31)), replay(folder, until=as_of)
    for rows in (client_rows, tier_rows, point_rows):
        assert rows(full, as_of) == rows(short, as_of)


def test_no_class_before_the_first_month_end(folder: Path) -> None:
    assert client_rows(replay(folder), date(2020, 7, 30))[0][3:7] == ("", "", "", "")


def test_only_the_first_customers_in_order_of_their_ids(folder: Path) -> None:
    assert [outcome.client.client_id for outcome in replay(folder, customers=2)] == ["A1", "B2"]
