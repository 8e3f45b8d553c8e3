"""Sets, scores, validity and checks at entry, by table [CI1 to CI9]."""

from datetime import date
from decimal import Decimal

import pytest

from chassis.policy import PolicyInvalid
from services.relationships.policy import Policies, parse
from services.relationships.rules import HALF, Known, birth_date_of, doubts, id_checksum_holds, required, scores

SHIPPED = Policies.information.shipped[0]
INDICATORS = SHIPPED.body.indicators
GOOD_ID = "11010519491231002X"


@pytest.mark.parametrize(
    ("of", "items", "weight", "entered_items", "entered_weight"),
    [("P", 5, 13, 2, 6), ("N", 66, 121, 13, 25), ("G", 86, 148, 29, 48), ("C", 99, 166, 37, 59), ("L", 67, 124, 14, 28)],
)  # fmt: skip
def test_what_each_set_asks_for(of, items, weight, entered_items, entered_weight) -> None:
    asked = required(INDICATORS.values(), of)
    people = [one for one in asked if one.entered]
    assert (len(asked), sum(one.weight for one in asked)) == (items, weight)
    assert (len(people), sum(one.weight for one in people)) == (entered_items, entered_weight)
    assert len(INDICATORS) == 100


def test_scores_of_a_core_client_whose_systems_alone_filled_everything() -> None:
    """The vector of CI6."""
    filled = {one.code: Decimal(1) for one in INDICATORS.values() if not one.entered}
    found = scores(INDICATORS.values(), "C", filled | dict.fromkeys(("CI-P08", "CI-P34", "CI-P12"), Decimal(1)))
    assert (str(found.whole), str(found.entered)) == ("69.3", "13.6")


def test_unknown_counts_half_and_nothing_more_than_once() -> None:
    found = scores(INDICATORS.values(), "P", {"CI-P08": HALF, "CI-S22": Decimal(1)})
    assert (str(found.whole), str(found.entered)) == ("11.5", "25.0")
    assert str(scores([], "P", {}).whole) == "0.0"


@pytest.mark.parametrize(
    ("code", "own", "tier", "until"),
    [
        ("CI-P17", None, "NORMAL", date(2026, 2, 28)), ("CI-P18", None, "NORMAL", None),
        ("CI-P34", date(2024, 5, 1), "NORMAL", date(2024, 5, 1)), ("CI-A11", None, "NORMAL", None),
        ("CI-S04", None, "DIAMOND", date(2024, 3, 10)), ("CI-S04", None, "GOLD", date(2024, 4, 14)),
    ],
)  # fmt: skip
def test_how_long_a_value_counts(code, own, tier, until) -> None:
    assert INDICATORS[code].valid_until(date(2024, 2, 29), own, tier) == until


def test_a_value_counts_to_the_end_of_its_last_day() -> None:
    known = Known("CI-P17", "stated", "M", date(2024, 2, 29), date(2026, 2, 28))
    assert (known.share(date(2026, 2, 28)), known.share(date(2026, 3, 1))) == (Decimal(1), Decimal(0))
    assert Known("CI-P17", "refused", "M", date(2024, 2, 29), None).share(date(2024, 3, 1)) == HALF


@pytest.mark.parametrize(
    ("number", "holds"),
    [(GOOD_ID, True), (GOOD_ID.lower(), True), ("110105194912310021", False), ("110105194913310021", False),
     ("110105491231002", True), ("110105491331002", False), ("E12345678", False), ("", False)],
)  # fmt: skip
def test_identity_numbers(number, holds) -> None:
    assert id_checksum_holds(number) is holds


def test_birth_dates_in_identity_numbers() -> None:
    assert birth_date_of(GOOD_ID) == birth_date_of("110105491231002") == date(1949, 12, 31)


@pytest.mark.parametrize(
    ("given", "known", "derivatives", "checks"),
    [
        ({"CI-P08": "13812345678"}, {}, False, []),
        ({"CI-P08": "12812345678"}, {}, False, ["mobile"]),
        ({"CI-P10": "a@b"}, {}, False, ["email"]),
        ({"CI-P10": "a@b.example"}, {}, False, []),
        ({"CI-P11": "010-6512 3456"}, {}, False, []),
        ({"CI-P11": "abc"}, {}, False, ["phone"]),
        ({"CI-P05": GOOD_ID}, {"CI-P04": "1949-12-31"}, False, []),
        ({"CI-P05": GOOD_ID}, {"CI-P04": "1950-12-31"}, False, ["birth_date"]),
        ({"CI-P05": "1"}, {"CI-P04": "1950-12-31"}, False, ["id_number"]),
        ({"CI-P23": "0"}, {}, True, ["experience"]),
        ({"CI-P23": "0"}, {}, False, []),
        ({"CI-P17": "teacher"}, {"CI-P05": GOOD_ID, "CI-P04": "1950-12-31"}, False, []),
    ],
)
def test_doubts(given, known, derivatives, checks) -> None:
    assert [one.check for one in doubts(given, known, trades_derivatives=derivatives)] == checks


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda body: body["indicators"].append(dict(body["indicators"][0])), "/body/indicators/0/code"),
        (lambda body: body["indicators"][3].update(valid="soon"), "/body/indicators/3/valid"),
        (lambda body: body["indicators"][3].update(source="SS"), "/body/indicators/3/source"),
        (lambda body: body["indicators"][2].update(field="sex"), "/body/indicators/2/field"),
        (lambda body: body.update(target_other=80), "/body/target_core"),
    ],
)
def test_a_set_that_does_not_hold_together_is_refused(change, pointer) -> None:
    body = {**SHIPPED.written, "indicators": [dict(one) for one in SHIPPED.written["indicators"]]}
    change(body)
    with pytest.raises(PolicyInvalid) as refused:
        parse(body)
    assert refused.value.errors[0].pointer == pointer
