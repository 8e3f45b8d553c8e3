"""Vectors from the rules, and one small folder worked out by hand, against the reference itself."""

import csv
import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from .callbacks import callback_rows, expiry_tasks, quarter_end
from .cases import case_of
from .classes import class_of, daily_totals, evaluate_month, known_months
from .days import month_of, twelve_months_before
from .exact import exactly
from .exports import client_rows, point_rows, replay, tier_rows
from .facts import Client, Trade, commission_of
from .groups import Profile, group_rows, is_abnormal, tags_at
from .points import points_for
from .suitability import Assessment, assessment_rows, mismatch_of, mismatch_rows
from .tiers import Standing, close, entitled_by
from .value import MonthValue, core_by_rank, lifecycle_of, value_of
from .workdays import trading_days_later, working_days_later

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
    replayed = replay(folder, until=date(2020, 12, 31))
    assert tier_rows(replayed, date(2020, 12, 31)) == [
        ("A1", "NORMAL", "2020-07-10", "2020-07-14", "opened"),
        ("A1", "SILVER", "2020-07-14", "2020-08-01", "upgrade"),
        # The mean of July is that of its one known day; October's valuation is the 0 of the missing row.
        ("A1", "GOLD", "2020-08-01", "", "upgrade"),
        ("B2", "NORMAL", "2020-07-01", "", "opened"),
        ("C3", "NORMAL", "2020-10-20", "", "opened"),
    ]
    assert point_rows(replayed, date(2020, 12, 31)) == [
        ("A1", "t1", "999.99"),
        ("A1", "t2", "0.01"),
        ("A1", "t3", "13.57"),
    ]
    # Known: 31 July to 30 October 600000 (92 days), 31 October on 0; 12-month mean over 154 days = 358441.56;
    # turnover 1012349.8 / 358441.5584... = 2.8243.
    assert client_rows(replayed, date(2020, 12, 31)) == [
        ("A1", "BA", "2020-07-10", "G", "true", "0.00", "2.8243", "GOLD", "1013.57", "0.00"),
        ("B2", "BB", "2020-07-01", "G", "true", "0.00", "0.0000", "NORMAL", "0.00", "0.00"),
        ("C3", "BC", "2020-10-20", "G", "true", "50.00", "0.0000", "NORMAL", "0.00", "0.00"),
    ]


def test_grace_after_a_lower_month_and_the_step_down_t7(folder: Path) -> None:
    # October's mean 580645.16 keeps gold; November's 0 begins a grace on 1 December, so that the step to
    # silver (by commission) takes effect 90 days later.
    replayed = replay(folder, until=date(2021, 3, 31))
    assert tier_rows(replayed, date(2021, 3, 31))[2:4] == [
        ("A1", "GOLD", "2020-08-01", "2021-03-01", "upgrade"),
        ("A1", "SILVER", "2021-03-01", "", "downgrade"),
    ]


@pytest.mark.parametrize("day", ["2020-07-09", "2020-07-13", "2020-07-31", "2020-10-31", "2020-11-30"])
def test_as_of_equals_a_replay_until_that_day(folder: Path, day: str) -> None:
    as_of = date.fromisoformat(day)
    full, short = replay(folder, until=date(2021, 3, 31)), replay(folder, until=as_of)
    for rows in (client_rows, tier_rows, point_rows, group_rows, assessment_rows, mismatch_rows, callback_rows):
        assert rows(full, as_of) == rows(short, as_of)


def test_no_class_before_the_first_month_end(folder: Path) -> None:
    assert client_rows(replay(folder), date(2020, 7, 30))[0][3:7] == ("", "", "", "")


def test_only_the_first_customers_in_order_of_their_ids(folder: Path) -> None:
    assert [outcome.client.client_id for outcome in replay(folder, customers=2).outcomes] == ["A1", "B2"]


V1 = [
    ("50000", "0", "0", 4000, "COMMISSION"),
    ("0", "1000000", "5000000", 6000, "PRODUCT"),
    ("100000", "0", "2500000", 5500, "COMMISSION"),
    ("0", "0", "833.34", 1, "ASSETS"),  # 0.00500004
    ("0", "0", "833.33", 0, "ASSETS"),  # 0.00499998
    ("6.24", "0", "0", 0, "ASSETS"),  # 0.004992 is V = 0: the type of nothing
]


@pytest.mark.parametrize(("commission", "purchases", "assets", "value", "value_type"), V1)
def test_value_vectors_v1(commission: str, purchases: str, assets: str, value: int, value_type: str) -> None:
    assert value_of(Decimal(commission), Decimal(purchases), Decimal(assets)) == (value, value_type)


def test_core_is_the_first_fifth_rounded_up_by_value_assets_id_v2() -> None:
    def found(value: int, assets: int) -> MonthValue:
        return MonthValue(date(2021, 1, 31), value, "ASSETS", Decimal(assets), False, "MATURE")

    six = {"F": found(5, 1), "E": found(9, 1), "D": found(9, 2), "B": found(9, 2), "C": found(1, 1), "A": found(2, 1)}
    assert core_by_rank(six) == {"B", "D"}
    assert core_by_rank({**six, "G": found(0, 0)}) == {"B", "D"}  # no value does not count
    assert core_by_rank({"G": found(0, 0)}) == set()


def client_of(opened_on: date, trades: dict[date, int], valuations: dict[date, Decimal]) -> Client:
    """A client with one trade a day; amounts are 1,000 times the commission, given in hundredths."""
    settled = [
        Trade("A1", f"t{day}", day, "X", "buy", Decimal(10) * cents, cents, "stock") for day, cents in trades.items()
    ]
    return Client("A1", "BA", "individual", opened_on, settled, valuations)


def stage(trades: dict[date, int], valuations: dict[date, Decimal], day: date) -> str:
    client = client_of(date(2020, 7, 1), trades, valuations)
    months = known_months(daily_totals(valuations, day))
    return lifecycle_of(client, months, day)


def test_lifecycle_v5() -> None:
    end, january, october = date(2021, 1, 31), date(2021, 1, 10), date(2020, 10, 10)
    assert stage({}, {}, date(2020, 9, 29)) == "ESTABLISHED"  # 90 days
    assert stage({}, {}, date(2020, 9, 30)) == "MATURE"
    assert stage({october: 1000, january: 700}, {}, end) == "DECLINING"
    assert stage({october: 1000, january: 701}, {}, end) == "MATURE"
    assert stage({october: 1000, january: 1100}, {}, end) == "GROWING"
    assert stage({january: 1100}, {}, end) == "MATURE"  # the earlier value is 0
    assert stage({}, {date(2020, 12, 1): Decimal("99.99")}, end) == "LOST"
    assert stage({}, {date(2020, 12, 1): Decimal("100")}, end) == "MATURE"
    assert stage({date(2020, 12, 1): 1}, {date(2020, 12, 1): Decimal("99")}, end) == "MATURE"


def test_lifecycle_by_assets_needs_six_known_months_v5() -> None:
    with exactly():
        falls = {date(2020, 8, 31): Decimal(1000), date(2020, 11, 1): Decimal(700)}
        assert stage({}, falls, date(2021, 1, 31)) == "DECLINING"
        assert (
            stage({}, {date(2020, 9, 1): Decimal(1000), date(2020, 11, 1): Decimal(700)}, date(2021, 1, 31)) == "MATURE"
        )


def profile_of(client: Client, abnormal: list[date]) -> Profile:
    return Profile(client, {trade.trade_date: trade.amount for trade in client.trades}, abnormal, [], set())


def test_groups_by_age_and_last_trade_k7() -> None:
    quiet = profile_of(client_of(date(2020, 7, 1), {}, {}), [])
    assert tags_at(quiet, date(2020, 9, 29)) == ["NEW"]  # 90 days
    assert tags_at(quiet, date(2020, 9, 30)) == ["NEVER_TRADED"]
    once = profile_of(client_of(date(2020, 7, 1), {date(2020, 8, 1): 1}, {}), [])
    assert tags_at(once, date(2021, 1, 27)) == ["REGULAR"]
    assert tags_at(once, date(2021, 1, 28)) == ["DORMANT"]  # 180 days


def test_at_risk_needs_half_of_ten_thousand_ninety_days_earlier_k7() -> None:
    def tags(before: str, now: str) -> list[str]:
        valuations = {date(2020, 11, 2): Decimal(before), date(2020, 11, 3): Decimal(now)}
        return tags_at(
            profile_of(client_of(date(2020, 1, 1), {date(2020, 11, 2): 1}, valuations), []), date(2021, 1, 31)
        )

    assert tags("10000", "5000") == ["AT_RISK"]
    assert tags("10000", "5000.01") == ["REGULAR"]
    assert tags("9999.99", "0") == ["REGULAR"]


def test_abnormal_is_three_times_the_mean_of_five_traded_days_and_holds_thirty_days_k7() -> None:
    days = [date(2020, 8, n) for n in range(3, 8)]
    traded = {day: Decimal(100) for day in days}
    day = date(2020, 8, 10)
    assert is_abnormal({**traded, day: Decimal(300)}, date(2020, 7, 1), day)
    assert not is_abnormal({**traded, day: Decimal("299.99")}, date(2020, 7, 1), day)
    assert not is_abnormal({**traded, day: Decimal(300)}, date(2020, 7, 11), day)  # 30 days old
    late = date(2020, 10, 3)  # 3 August is 61 days before: four traded days remain
    assert not is_abnormal({**traded, late: Decimal(300)}, date(2020, 7, 1), late)
    profile = profile_of(client_of(date(2020, 7, 1), {day: 1}, {}), [day])
    assert "ABNORMAL" in tags_at(profile, date(2020, 9, 8))  # found for 9 September, the 30th day
    assert "ABNORMAL" not in tags_at(profile, date(2020, 9, 9))


def test_working_and_trading_days_b21() -> None:
    # 1 to 8 October 2020 are holidays, Saturday the 10th is a make-up working day but no trading day.
    assert working_days_later(date(2020, 9, 30), 2) == date(2020, 10, 10)
    assert trading_days_later(date(2020, 9, 30), 2) == date(2020, 10, 12)
    assert quarter_end(date(2021, 3, 31)) == date(2021, 3, 31)
    assert quarter_end(date(2021, 10, 1)) == date(2021, 12, 31)


def test_reminder_only_for_the_latest_assessment_and_not_before_the_first_close_b21() -> None:
    first = Assessment("A1", "LOW", date(2020, 1, 10), date(2021, 1, 10))
    second = Assessment("A1", "LOW", date(2020, 12, 11), date(2021, 12, 11))
    third = Assessment("A1", "LOW", date(2021, 11, 12), date(2022, 11, 12))
    tasks = expiry_tasks([first, second, third])
    assert [(task.created_on, task.due_on) for task in tasks] == [
        (date(2021, 11, 11), date(2021, 12, 11)),
        (date(2022, 10, 13), date(2022, 11, 12)),
    ]
    assert expiry_tasks([Assessment("A1", "LOW", date(2019, 7, 30), date(2020, 7, 30))]) == []  # 30 June


def test_mismatch_reasons() -> None:
    def reason(kind: str, *levels: tuple[str, date]) -> tuple[str, str, str] | None:
        trade = Trade("A1", "t", date(2021, 3, 1), "X", "buy", Decimal(1), 0, kind)
        made = [Assessment("A1", level, day, day.replace(year=day.year + 1)) for level, day in levels]
        return mismatch_of(trade, made)

    assert reason("stock") == ("LOW", "", "no_assessment")
    assert reason("fund:other") == ("", "", "unknown_class")
    assert reason("stock", ("VERY_LOW", date(2020, 3, 1))) == ("LOW", "VERY_LOW", "above_level")
    assert reason("bond", ("VERY_LOW", date(2020, 2, 28))) == ("VERY_LOW", "", "expired")
    assert reason("fund:bond", ("VERY_LOW", date(2020, 5, 1)), ("LOW", date(2021, 3, 1))) is None
    assert reason("fund:equity", ("HIGH", date(2021, 3, 2))) == ("MEDIUM", "", "no_assessment")


def test_tasks_of_a_folder_worked_out_by_hand(folder: Path) -> None:
    rows = callback_rows(replay(folder, until=date(2020, 12, 31)), date(2020, 12, 31))
    assert [row[0:2] + row[3:] for row in rows] == [
        ("A1", "core", "2020-08-01", "2020-09-30", "expired"),  # class by July's mean, gold
        ("A1", "core", "2020-10-01", "2020-12-31", "expired"),
        ("A1", "core", "2021-01-01", "2021-03-31", "planned"),
        ("A1", "new", "2020-07-10", "2020-08-10", "expired"),
        ("A1", "suitability_expiring", "2020-12-02", "2021-01-01", "planned"),
        ("A1", "tier_greeting", "2020-07-14", "2020-07-21", "expired"),
        ("A1", "tier_greeting", "2020-08-01", "2020-08-07", "expired"),
        ("B2", "never_traded", "2020-10-01", "2020-11-01", "expired"),
        ("B2", "new", "2020-07-01", "2020-08-01", "expired"),
        # Alone in its branch with V > 0? 50.00 gives V = 0.00: not core.
        ("C3", "new", "2020-10-20", "2020-11-20", "expired"),
        ("C3", "suitability_expiring", "2020-12-02", "2021-01-01", "planned"),
    ]


def test_cases_of_the_published_complaints() -> None:
    def case(received: str, sent: str, via: str) -> tuple[str, ...]:
        row = {"complaint_id": "4269", "received_on": received, "sent_to_company_on": sent}
        made = case_of({**row, "submitted_via": via, "state": ""})
        return made.source, made.channel, made.severity, made.owner, made.branch_id, made.dispatch_met, made.due_on

    # 1 to 3 January 2012 are holidays, 31 December 2011 is a make-up Saturday.
    assert case("2011-12-31", "2011-12-30", "Web")[2:] == ("ordinary", "HQ-CS-9", "HQ", "true", "2011-12-31")
    assert case("2012-01-01", "2012-01-02", "")[1:] == (
        "not_recorded",
        "ordinary",
        "HQ-CS-9",
        "HQ",
        "false",
        "2012-01-04",
    )
    assert case("2011-12-30", "2011-12-30", "Web Referral") == (
        "regulator",
        "regulator_transfer",
        "major",
        "HQ-CS-9",
        "HQ",
        "true",
        "2012-01-14",
    )
