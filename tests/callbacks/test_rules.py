"""Rules by table: states, due dates, retries, windows, avoidance, notices, scripts, the draw, the arithmetic."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.calendar import shipped
from chassis.clock import at, business_date
from chassis.policy import PolicyInvalid
from services.callbacks import calling, coverage, policy, rules, sampling, scripts
from services.callbacks.rules import Ties
from services.callbacks.sampling import Stratum

TERMS = policy.Policies.calling.shipped[0].body
TRIGGERS = policy.Policies.triggers.shipped[0].body
CALENDAR = shipped()


@pytest.mark.parametrize(
    ("rule", "created", "due"),
    [
        ("new", date(2022, 1, 31), date(2022, 2, 28)),  # clamped [B21]
        ("new", date(2020, 1, 31), date(2020, 2, 29)),
        ("dormant", date(2022, 2, 28), date(2022, 3, 28)),
        ("core", date(2022, 10, 1), date(2022, 12, 31)),
        ("core", date(2022, 12, 31), date(2022, 12, 31)),
        ("abnormal", date(2022, 9, 17), date(2022, 9, 20)),  # a Saturday; the weekend is no trading day
        ("abnormal", date(2022, 10, 7), date(2022, 10, 11)),  # 8 and 9 October are worked, not traded
        ("tier_greeting", date(2022, 10, 1), date(2022, 10, 12)),  # the make-up weekend counts [B21]
        ("satisfaction", date(2022, 10, 8), date(2022, 10, 9)),
        ("satisfaction", date(2022, 9, 30), date(2022, 10, 8)),  # the holiday lies between
        ("permission", date(2022, 9, 29), date(2022, 10, 10)),
    ],
)
def test_due_dates(rule: str, created: date, due: date) -> None:
    assert rules.due_on(TRIGGERS[rule], created, CALENDAR) == due


@pytest.mark.parametrize(
    ("begun", "due"),
    [
        (at(date(2022, 7, 4), 11, 50), at(date(2022, 7, 4), 13, 20)),  # over lunch [C24]
        (at(date(2022, 7, 8), 17, 20), at(date(2022, 7, 11), 9, 20)),  # over the weekend
        (at(date(2022, 9, 30), 22), at(date(2022, 10, 8), 9, 30)),  # over the holiday, on a make-up Saturday
    ],
)
def test_thirty_working_minutes(begun: datetime, due: datetime) -> None:
    trigger = TRIGGERS["missed_call"]
    assert rules.due_at(trigger, begun, rules.due_on(trigger, business_date(begun), CALENDAR), CALENDAR) == due


@pytest.mark.parametrize(
    ("when", "may"),
    [
        (at(date(2022, 7, 4), 9, 0), True),
        (at(date(2022, 7, 4), 8, 59), False),
        (at(date(2022, 7, 4), 9, 30), False),  # the first ten minutes of trading [B20]
        (at(date(2022, 7, 4), 9, 40), True),
        (at(date(2022, 7, 4), 12, 0), False),
        (at(date(2022, 7, 4), 13, 30), True),
        (at(date(2022, 7, 4), 14, 50), False),  # the last ten
        (at(date(2022, 7, 4), 15, 0), True),
        (at(date(2022, 7, 4), 19, 59), True),
        (at(date(2022, 7, 4), 20, 0), False),
        (at(date(2022, 7, 3), 10, 0), False),  # a Sunday
        (at(date(2022, 10, 9), 9, 35), True),  # a make-up Sunday is worked and not traded
        (at(date(2022, 10, 3), 10, 0), False),  # a holiday on a Monday
    ],
)
def test_calling_windows(when: datetime, may: bool) -> None:
    assert calling.may_call(when, TERMS, CALENDAR) is may
    following = calling.next_opening(when, TERMS, CALENDAR)
    assert (following == when) is may
    assert calling.may_call(following, TERMS, CALENDAR)


@given(
    st.dates(date(2022, 1, 1), date(2022, 11, 1)),
    st.integers(0, 23),
    st.lists(st.integers(0, 600), min_size=3, max_size=3),
)
def test_four_attempts_reach_three_days_two_parts_and_keep_the_gap(day: date, hour: int, delays: list[int]) -> None:
    first = calling.next_opening(at(day, hour, 17), TERMS, CALENDAR)
    tried = [first]
    for delay in delays:
        retry = calling.next_attempt(tried, TERMS, CALENDAR)
        assert retry.at is not None
        # An agent calls somewhat later the same day, inside a window, or at the time itself.
        later = calling.next_opening(retry.at + timedelta(minutes=delay), TERMS, CALENDAR)
        same = business_date(later) == business_date(retry.at)
        part = TERMS.day_part(calling.wall_clock(later)) == TERMS.day_part(calling.wall_clock(retry.at))
        tried.append(later if same and part else retry.at)
    assert calling.next_attempt(tried, TERMS, CALENDAR).at is None
    assert len({business_date(when) for when in tried}) >= 3
    assert len({TERMS.day_part(calling.wall_clock(when)) for when in tried}) >= 2
    assert all(b - a >= timedelta(hours=2) for a, b in pairwise(tried))


@pytest.mark.parametrize(
    ("tried", "goes_on"),
    [
        ([(4, 10), (4, 11), (4, 11), (4, 11)], True),  # within the gap: one that counts
        ([(4, 10), (4, 14), (4, 16), (4, 18)], True),  # one day
        ([(4, 14), (5, 14), (6, 15), (7, 16)], True),  # one part of the day
        ([(4, 9), (4, 11), (5, 14), (6, 15)], False),
    ],
)
def test_trying_ends_by_attempts_days_and_parts_that_count(tried: list[tuple[int, int]], *, goes_on: bool) -> None:
    """[B20]"""
    retry = calling.next_attempt([at(date(2022, 7, day), hour) for day, hour in tried], TERMS, CALENDAR)
    assert (retry.at is not None) is goes_on


def test_the_cap() -> None:
    now = at(date(2022, 7, 8), 10)
    contacts = [now - timedelta(days=days) for days in (6, 4, 1)]
    assert calling.capped_until(contacts, now, TERMS) == contacts[0] + timedelta(days=7)
    assert calling.capped_until(contacts[1:], now, TERMS) is None


def test_avoidance_is_for_compliance_and_complaint_calls_and_every_exclusion_is_explained() -> None:
    ties = Ties("otto", "rita", "mia", frozenset({"noah"}), frozenset({"carl"}))
    why = {
        name: [r.en for r in rules.exclusions(name, ties, avoidance=True)] for name in ("otto", "rita", "mia", "noah")
    }
    assert all(len(reasons) == 1 for reasons in why.values())
    assert rules.exclusions("anna", ties, avoidance=True) == []
    # Care calls are the manager's own to make; a person concerned is out of any.
    assert rules.exclusions("mia", ties, avoidance=False) == []
    assert len(rules.exclusions("carl", ties, avoidance=False)) == 1
    assert {rule for rule, trigger in TRIGGERS.items() if not trigger.avoidance} >= {"core", "tier_greeting"}
    assert all(TRIGGERS[rule].avoidance for rule in ("new", "abnormal", "satisfaction", "permission", "manager_left"))


@pytest.mark.parametrize(
    ("permission", "level", "born", "years", "reasons"),
    [
        ("ChiNext", "MEDIUM", date(1990, 1, 1), 10, ["level_below_product"]),
        ("ChiNext", "HIGH", date(1990, 1, 1), 10, []),
        ("ChiNext", "HIGH", date(1952, 7, 4), 10, ["age"]),
        ("ChiNext", "HIGH", date(1952, 7, 5), 10, []),  # seventy tomorrow
        ("ChiNext", "VERY_HIGH", None, 1, ["experience"]),
        ("options", None, None, None, ["level_below_product"]),
        ("cash_account", None, date(1930, 1, 1), 0, []),  # not a high-risk permission
    ],
)
def test_notices_are_selective(
    permission: str, level: str | None, born: date | None, years: int | None, reasons: list[str]
) -> None:
    from services.callbacks.notices import LEVELS

    terms = policy.Policies.notices.shipped[0].body
    found = rules.notice_reasons(
        permission, terms, on=date(2022, 7, 4), level=level, levels=LEVELS, birth_date=born, experience_years=years
    )
    assert found == reasons


def test_ids_are_the_same_in_every_run() -> None:
    assert str(rules.task_id("new", "c-1", "2022-07-04")) == str(rules.task_id("new", "c-1", "2022-07-04"))
    assert rules.task_id("new", "c-1", "2022-07-04") != rules.task_id("new", "c-2", "2022-07-04")
    assert rules.task_id("new", "c-1", "2022-07-04").version == 5


def test_a_trigger_table_that_does_not_hold_together_is_refused() -> None:
    row = {"rule": "x", "event": "e", "topic": "t", "queue": "branch", "script": "new", "priority": 1}
    for wrong in (
        [{**row, "deadline": [1, "fortnights"]}],
        [{**row, "deadline": [-1, "days"]}],
        [{**row, "deadline": [1, "days"], "queue": "nobody"}],
        [{**row, "deadline": [1, "days"]}, {**row, "deadline": [2, "days"]}],
        [{**row, "deadline": [1, "days"], "colour": "red"}],
        [],
    ):
        with pytest.raises(PolicyInvalid):
            policy.parse_triggers({"rows": wrong})
    with pytest.raises(PolicyInvalid):
        policy.parse_outcomes({"rows": [{"code": "x", "zh": "x", "en": "x", "covers": True, "final": True}]})


def test_scripts_ask_say_and_never_tip_off() -> None:
    new = policy.Policies().script("new/shipped-1")
    with pytest.raises(scripts.AnswersMissing) as refused:
        scripts.check_answers(new, {"identity": "no", "market": "perhaps", "shoe_size": "43"}, complete=True)
    pointers = {error.pointer for error in refused.value.errors}
    assert pointers >= {
        "body#/answers/identity",
        "body#/answers/market",
        "body#/answers/shoe_size",
        "body#/answers/risk",
    }
    assert [q.finding for q in scripts.findings_in(new, {"operated": "yes", "risk": "no"})] == [
        "risk_not_disclosed", "staff_operated_account",
    ]  # fmt: skip
    for given_policies in policy.Policies.scripts.tables.values():
        for version in given_policies.shipped:
            assert version.body.zh
            assert version.body.en
    with pytest.raises(PolicyInvalid, match="must never say"):
        scripts.parse({"code": "x", "zh": "反洗钱回访", "en": "x", "never_say": ["反洗钱"], "questions": []})
    assert len(scripts.BANNED) == 18
    assert scripts.banned_in("我跟您说过了,您有完没完") == ["有完没完"]


@given(
    st.dictionaries(
        st.sampled_from(["B1/core", "B1/other", "B2/other"]),
        st.tuples(st.integers(0, 50), st.integers(0, 10)),
        min_size=1,
    ),
    st.text(min_size=1, max_size=20),
)
def test_the_draw_repeats_fills_the_share_and_takes_nobody_twice(sizes: dict[str, tuple[int, int]], seed: str) -> None:
    strata = {
        name: Stratum(left + covered, covered, [f"{name}-{n}" for n in range(left)])
        for name, (left, covered) in sizes.items()
    }
    share, reserve = Decimal("0.10"), Decimal("1.5")
    chosen = sampling.drawn(seed, strata, share, reserve)
    backwards = {name: Stratum(s.counted, s.covered, s.candidates[::-1]) for name, s in reversed(strata.items())}
    assert sampling.drawn(seed, backwards, share, reserve) == chosen
    assert sampling.digest(backwards) == sampling.digest(strata)
    for name, clients in chosen.items():
        assert len(set(clients)) == len(clients)
        assert set(clients) <= set(strata[name].candidates)
        needed = coverage.needed(strata[name].counted, share)
        assert strata[name].covered + len(clients) >= min(needed, strata[name].counted)


def test_coverage_arithmetic() -> None:
    assert [coverage.needed(n, Decimal("0.10")) for n in (0, 1, 9, 10, 11, 30)] == [0, 1, 1, 1, 2, 3]
    half = coverage.forecast(50, 100, date(2022, 6, 30), CALENDAR)
    assert half.on_course is (half.expected >= 100)
    assert half.needed_per_working_day * half.working_days_left >= 50 - half.working_days_left
    last = coverage.forecast(99, 100, date(2022, 12, 31), CALENDAR)
    assert (last.expected, last.on_course, last.working_days_left) == (99, False, 0)
