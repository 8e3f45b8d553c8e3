"""The decision, the product classes and the schemes: rules by table [Q3, Q4, Q6, K6, S6]."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import at, end_of, start_of
from services.suitability.access import counts_from, was_so
from services.suitability.levels import CROSSWALK, SCHEMES, UnknownLevel, held_in, recognise
from services.suitability.policy import Policies
from services.suitability.reasons import OUTCOMES, REASONS
from services.suitability.rules import (
    DecisionOutcome,
    Holder,
    Initiator,
    Reason,
    Side,
    Target,
    decide,
    mismatch,
    needed_rank,
    suspicious_rise,
)

POLICY = Policies().on(date(2022, 1, 1))
STOCK = Target(known=True, on_shelf=True, needed=2)


def level(held: int | None, **more: object) -> Holder:
    return Holder(held=held, assessed_before=held is not None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("holder", "target", "initiator", "confirmed", "outcome", "reasons"),
    [
        (level(2), STOCK, "client", False, "PASS", "suitable"),
        (level(1), STOCK, "client", False, "BLOCK", "above_level lowest_level"),
        (level(1), STOCK, "client", True, "BLOCK", "above_level lowest_level"),
        (level(2), Target(True, True, 3), "client", False, "CONFIRM", "above_level"),
        (level(2), Target(True, True, 3), "client", True, "PASS", "above_level confirmed"),
        (level(2), Target(True, True, 3), "staff", True, "BLOCK", "above_level not_recommended"),
        (level(2), Target(True, True, 3), "campaign", False, "BLOCK", "above_level not_recommended"),
        (level(None), STOCK, "client", False, "BLOCK", "no_assessment"),
        (Holder(None, assessed_before=True), STOCK, "client", True, "BLOCK", "expired"),
        (level(4), Target(True, True, None), "client", False, "BLOCK", "unknown_class"),
        (level(4), Target(True, False, 1), "client", False, "BLOCK", "off_shelf"),
        (level(4), Target(False, False, None), "client", False, "BLOCK", "unknown_product"),
        (level(4), Target(True, True, 4, permitted=False), "client", False, "BLOCK", "permission_missing"),
        (level(4, closed=True), STOCK, "client", False, "BLOCK", "account_closed"),
        (level(4, reassessment_overdue=True), STOCK, "client", False, "BLOCK", "reassessment_overdue"),
        (level(3, rank_before_rise=2), Target(True, True, 3), "client", False, "BLOCK", "rise_under_review"),
        (level(3, rank_before_rise=2), STOCK, "client", False, "PASS", "suitable"),
        (level(3, rank_before_rise=2, rise_approved=True), Target(True, True, 3), "client", False, "PASS", "suitable"),
        (Holder(None, False, professional=True), Target(True, True, 4), "staff", False, "PASS", "professional"),
        (Holder(None, False, professional=True), Target(True, False, 4), "client", False, "BLOCK", "off_shelf"),
        (
            Holder(None, True, closed=True),
            Target(True, False, None),
            "client",
            False,
            "BLOCK",
            "account_closed off_shelf unknown_class expired",
        ),
    ],
)
def test_q4_decisions(
    holder: Holder, target: Target, initiator: Initiator, confirmed: bool, outcome: str, reasons: str
) -> None:
    verdict = decide(holder, target, "buy", initiator, confirmed)
    assert (verdict.outcome, " ".join(verdict.reasons)) == (outcome, reasons)


holders = st.builds(
    Holder,
    held=st.none() | st.integers(1, 4),
    assessed_before=st.booleans(),
    closed=st.booleans(),
    professional=st.booleans(),
    reassessment_overdue=st.booleans(),
    rank_before_rise=st.none() | st.integers(1, 4),
    rise_approved=st.booleans(),
)
targets = st.builds(
    Target, known=st.booleans(), on_shelf=st.booleans(), needed=st.none() | st.integers(1, 4), permitted=st.booleans()
)
initiators = st.sampled_from(["client", "staff", "campaign"])


@given(holders, targets, st.sampled_from(["buy", "sell"]), initiators, st.booleans())
def test_every_situation_has_an_answer_with_reasons_and_texts(
    holder: Holder, target: Target, side: Side, initiator: Initiator, confirmed: bool
) -> None:
    verdict = decide(holder, target, side, initiator, confirmed)
    assert verdict.reasons
    assert all(REASONS[reason].zh and REASONS[reason].en for reason in verdict.reasons)
    assert OUTCOMES[verdict.outcome].zh
    if side == "sell":
        assert verdict.outcome is DecisionOutcome.PASS
    elif target.needed is None or not target.on_shelf:
        assert verdict.outcome is DecisionOutcome.BLOCK
    elif holder.held is not None and target.needed > holder.held and not holder.professional:
        assert verdict.outcome is not DecisionOutcome.PASS or (confirmed and initiator == "client" and holder.held > 1)


@given(holders, targets, initiators, st.booleans())
def test_a_higher_level_never_gets_a_harder_answer(
    holder: Holder, target: Target, initiator: Initiator, confirmed: bool
) -> None:
    order = [DecisionOutcome.BLOCK, DecisionOutcome.CONFIRM, DecisionOutcome.PASS]
    results = []
    for held in (1, 2, 3, 4):
        raised = Holder(held, True, holder.closed, holder.professional, holder.reassessment_overdue)
        results.append(order.index(decide(raised, target, "buy", initiator, confirmed).outcome))
    assert results == sorted(results)


# 4.6: 极低 low-risk funds, bonds; 低 + stocks, medium-risk funds; 中 + high-risk funds; 高 + the rest. [S6] services.
@pytest.mark.parametrize(
    ("kinds", "rank"),
    [
        ("bond fund:money_market fund:short_bond fund:principal_protected service:E", 1),
        ("stock fund:bond fund:bond_leaning fund:bond_standard fund:bond_ordinary service:A", 2),
        ("fund:equity fund:balanced fund:flexible fund:index_standard fund:index_enhanced fund:equity_leaning", 3),
        ("fund:equity_standard fund:equity_ordinary service:B service:D", 3),
        ("warrant chinext margin index_future derivative option service:C", 4),
    ],
)
def test_classes_of_kinds(kinds: str, rank: int) -> None:
    assert {needed_rank(kind, None, None, POLICY) for kind in kinds.split()} == {rank}


@pytest.mark.parametrize("kind", ["unknown", "fund:structured", "fund:other", "crypto", ""])
def test_an_unknown_kind_has_no_class_q3(kind: str) -> None:
    assert needed_rank(kind, None, None, POLICY) is None
    assert needed_rank(kind, None, "R1", POLICY) is None
    assert needed_rank(kind, 3, None, POLICY) == 3


@pytest.mark.parametrize(
    ("ours", "issuer", "rank"),
    [
        (None, "R1", 2),
        (None, "R3", 3),
        (None, "R5", 4),
        (4, "R1", 4),
        (1, "R2", 2),
        (None, "高", 3),
        (None, "??", None),
    ],
)
def test_the_higher_of_ours_and_the_issuers_q6(ours: int | None, issuer: str, rank: int | None) -> None:
    assert needed_rank("stock", ours, issuer, POLICY) == rank


def test_the_crosswalk_never_leads_upward_q6() -> None:
    for (source, wanted), ranks in CROSSWALK.items():
        for level_ in SCHEMES[source].levels:
            assert held_in(source, level_.rank, source) == level_.rank
            crossed = ranks[level_.rank]
            covered_before = {
                name for name, kind in POLICY.kinds.items() if SCHEMES[source].rank(kind.needs[source]) <= level_.rank
            }
            covered_after = {
                name for name, kind in POLICY.kinds.items() if SCHEMES[wanted].rank(kind.needs[wanted]) <= crossed
            }
            assert covered_after <= covered_before, (source, level_.code)


def test_imported_words_for_levels_k6() -> None:
    words = {"极低": 1, "低": 2, "中": 3, "一般": 3, "高": 4, "MEDIUM": 3}
    assert {word: recognise("SEED-2010-12Q", word)[1] for word in words} == words
    assert recognise("C5R5", "C5")[1] == 5
    for scheme, word in [("SEED-2010-12Q", "极高"), ("SEED-2010-12Q", "C3"), ("C5R5", "高"), ("OTHER", "高")]:
        with pytest.raises(UnknownLevel):
            recognise(scheme, word)
    shown = {lvl.code: lvl.display.zh for lvl in SCHEMES["SEED-2010-12Q"].levels}
    assert shown == {"VERY_LOW": "保守型", "LOW": "保守型", "MEDIUM": "稳健型", "HIGH": "进取型"}


def test_mismatch_order_unknown_class_goes_before_the_others() -> None:
    assert mismatch(None, False, None, False) == "unknown_class"
    assert mismatch(None, False, 2, False) == "no_assessment"
    assert mismatch(None, True, 2, False) == "expired"
    assert mismatch(1, True, 2, False) == "above_level"
    assert mismatch(2, True, 2, False) is None
    assert mismatch(None, False, 4, True) is None
    for professional in (False, True):  # what holds for everybody
        assert mismatch(None, False, None, professional, on_shelf=False, permitted=False) == "unknown_class"
        assert mismatch(1, True, 2, professional, on_shelf=False, permitted=False) == "off_shelf"
        assert mismatch(1, True, 2, professional, permitted=False) == "permission_missing"


@pytest.mark.parametrize(
    ("changes", "so"),
    [
        ([], ""),
        ([(1, True)], "12345"),
        ([(1, True), (3, False)], "123"),
        ([(1, True), (3, False), (3, True)], "12345"),
        ([(1, True), (2, False), (4, True), (4, False)], "124"),
        ([(2, False)], ""),
    ],
)
def test_what_was_so_at_any_time_of_a_day(changes: list[tuple[int, bool]], so: str) -> None:
    """What ends at noon covers its last day, and not what was made at three o'clock of it."""
    days = {number: date(2026, 6, number) for number in range(1, 6)}
    known = [(at(days[number], 12), so) for number, so in changes]
    found = [str(number) for number, day in days.items() if was_so(known, start_of(day), end_of(day))]
    assert "".join(found) == so
    last = dict(changes)
    for number, day in days.items():
        held = last.get(max((one for one in last if one <= number), default=0), False)
        assert was_so(known, at(day, 15), at(day, 15)) == held


def test_from_what_time_of_its_day_something_counts() -> None:
    day = date(2026, 6, 3)
    ahead, meanwhile, late = at(date(2026, 6, 2), 12), at(day, 12), at(date(2026, 6, 9), 12)
    said = [counts_from(day, one) for one in (None, ahead, meanwhile, late)]
    assert said == [start_of(day), start_of(day), meanwhile, end_of(day)]
    dawn = [(counts_from(day, ahead), False)]
    assert not was_so([(at(date(2026, 6, 1), 9), True), *dawn], start_of(day), end_of(day))
    assert counts_from(date.min, late) < start_of(date(1970, 1, 1))


def test_suspicious_rises_q5() -> None:
    assert suspicious_rise(1, 3, POLICY)
    assert not suspicious_rise(2, 3, POLICY)
    assert not suspicious_rise(None, 4, POLICY)


def test_cooling_grows_with_the_distance() -> None:
    assert [POLICY.cooling_minutes_for(above) for above in (1, 2, 3, 4)] == [0, 1440, 1440, 1440]
    assert [POLICY.cooling_minutes_for(1, care) for care in (False, True)] == [0, 1440]
    assert Reason("above_level") is Reason.ABOVE_LEVEL
