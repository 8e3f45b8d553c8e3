"""Prices by rule, and what is proven of them before they count: pure."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import PolicyInvalid, Version
from contracts.classification import TIERS
from services.products import proof, rules
from services.products.policy import Policies, parse
from services.products.rules import Prices, Product
from services.products.simulation import simulate

TABLE = Policies.tables["catalogue"]
CATALOGUE = parse(deepcopy(dict(TABLE.shipped[0].written)))
PRODUCTS, PRICES = CATALOGUE.products, CATALOGUE.prices
XS = st.integers(0, rules.LEGAL_CEILING)
FREE_OF_CHARGE = {"FREE"}


def body(**changes: Any) -> dict[str, Any]:
    return deepcopy(dict(TABLE.shipped[0].written)) | changes


def refused(**changes: Any) -> str:
    with pytest.raises(PolicyInvalid) as found:
        parse(body(**changes))
    assert all(error.pointer.startswith("/body/") for error in found.value.errors)
    return found.value.detail.en


def rate(x: int, codes: Any, prices: Prices = PRICES, tier: str = "NORMAL") -> int:
    return rules.rate(x, [PRODUCTS[code] for code in codes], dict.fromkeys(PRODUCTS, prices), rules.LEGAL_CEILING, tier)


@pytest.mark.parametrize(
    ("products", "x", "said", "none"),
    [
        (["A"], "0.5", "1.5", False),
        (["A"], "1.0", "2.0", False),
        (["A"], "1.5", "2.0", False),
        (["A"], "2.5", "2.5", True),
        (["B"], "1.0", "2.5", False),
        (["B"], "2.0", "2.5", False),
        (["C"], "0", "3.0", False),
        (["C"], "0.8125", "3.0", False),
        (["C"], "3", "3.0", True),
        (["E"], "0.5", "1.0", False),
        (["A", "E"], "0.5", "2.0", False),
        (["C", "E"], "0.5", "3.0", False),
        (["A", "B"], "1.0", "2.5", False),
        (["SMS1"], "0.5", "0.5", False),
        ([], "2.5", "2.5", False),
    ],
)
def test_the_vectors_of_s1_and_s2(products: list[str], x: str, said: str, none: bool) -> None:
    found = simulate(CATALOGUE, Decimal(x), products)
    assert (found.rate, found.no_uplift) == (said, none)
    assert said in found.why.en
    assert said in found.why.zh


def test_what_is_shipped_has_the_ten_products_in_both_languages() -> None:
    assert set(PRODUCTS) == {"FREE", "SMS1", "SMS2", "SMS3", "A", "B", "C", "D", "E", "QUERY"}
    for one in PRODUCTS.values():
        assert one.zh
        assert one.content_zh
        assert not one.content_en.isascii() or one.content_en


# The five principles of document 000, each sentence by its words.


def test_customers_are_tiered_by_assets_or_contribution() -> None:
    """客户按资产或贡献度分级: who may buy is said by the tier classification gives, in its words."""
    assert {one.min_tier for one in PRODUCTS.values()} <= set(TIERS)


def test_all_tiers_enjoy_basic_services_equally() -> None:
    """所有级别的客户都平等地享受基础服务: what is free asks for no tier, level, class or agreement."""
    free = [one for one in PRODUCTS.values() if one.kind == "free"]
    assert free
    for one in free:
        assert (one.min_tier, one.floor, one.agreement, one.classes) == ("NORMAL", "", "", frozenset())


@given(XS, st.sets(st.sampled_from(sorted(PRODUCTS))))
def test_a_product_costs_every_tier_the_same_t1(x: int, codes: set[str]) -> None:
    """所有级别的客户都应该以同样的价格购买增值产品."""
    assert len({rate(x, codes, tier=tier) for tier in TIERS}) == 1
    for tables in (PRICES.rates, PRICES.monthly, PRICES.bands):
        for rows in tables.values():
            assert all(row.tiers == frozenset(TIERS) for row in rows)


def test_value_added_products_are_open_to_all_or_say_to_whom_as_data() -> None:
    """开发系列化的增值服务产品供所有客户选择、申请; A to E for now from GOLD on (暂时只向金卡、白金卡客户开放)."""
    assert {one.code: one.min_tier for one in PRODUCTS.values() if one.min_tier != "NORMAL"} == dict.fromkeys(
        "ABCDE", "GOLD"
    )
    opened_up = body()
    for one in opened_up["products"]:
        one.pop("min_tier", None)
    assert {one.min_tier for one in parse(opened_up).products.values()} == {"NORMAL"}


def test_basic_and_extended_services_cost_nothing_value_added_raise_the_rate_or_have_a_fee() -> None:
    """基础服务、延伸服务(关怀服务)不再额外收费,增值服务或提高佣金或收费."""
    for one in PRODUCTS.values():
        priced = [name for name, table in (("rate", PRICES.rates), ("month", PRICES.monthly), ("assets", PRICES.bands)) if one.code in table]  # fmt: skip
        assert len(priced) == (one.code not in FREE_OF_CHARGE), one.code


@given(XS, st.sets(st.sampled_from(sorted(PRODUCTS))), st.sampled_from(sorted(PRODUCTS)))
def test_the_more_is_held_the_more_it_costs_s2(x: int, codes: set[str], more: str) -> None:
    """申请的增值服务越多,客户花费的成本就越大(佣金费率就越高)."""
    assert x <= rate(x, codes) <= rate(x, {*codes, more}) <= rules.LEGAL_CEILING


def test_the_price_of_more_assets_falls_by_margin_without_a_cliff_s3() -> None:
    """费率按规模大小递减."""
    bands = PRICES.bands["D"]
    said = {
        10_000: "150.00",
        1_000_000: "15000.00",
        1_000_001: "15000.01",
        5_000_000: "63000.00",
        9_000_000: "95000.00",
    }
    assert {value: str(rules.cents(rules.year_fee(Decimal(value), bands))) for value in said} == said
    for edge in (Decimal(1_000_000), Decimal(5_000_000)):
        below, at = (rules.year_fee(value, bands) for value in (edge - Decimal("0.01"), edge))
        assert Decimal(0) <= at - below < Decimal("0.01")


# What cannot be published, each with a counter-example.


def test_a_gap_is_refused() -> None:
    rates = [row for row in body()["rates"] if row["product"] != "A"]
    assert "no row for A" in refused(rates=[*rates, {"product": "A", "from": "0.5", "add": "1.0", "cap": "2.0"}])
    assert "no row for E at 0 for NORMAL" in refused(rates=[row for row in body()["rates"] if row["product"] != "E"])


def test_an_overlap_is_refused() -> None:
    rates = [*body()["rates"], {"product": "A", "from": "1", "below": "1.5", "add": "1.0", "cap": "2.0"}]
    assert refused(rates=rates) == "rates: 2 rows for A at 1 for NORMAL"


def test_a_price_by_tier_is_refused_t1() -> None:
    rates = [row for row in body()["rates"] if row["product"] != "A"] + [
        {"product": "A", "add": "1.0", "cap": "2.0", "tiers": ["NORMAL", "SILVER", "GOLD"]},
        {"product": "A", "add": "0.5", "cap": "2.0", "tiers": ["PLATINUM", "DIAMOND"]},
    ]
    assert refused(rates=rates) == (
        "rates: A at 0: NORMAL pays by add 10000, cap 20000, PLATINUM by add 5000, cap 20000 [T1]"
    )
    monthly = [row for row in body()["monthly"] if row["product"] != "SMS1"] + [
        {"product": "SMS1", "price": "30", "tiers": ["NORMAL"]},
        {"product": "SMS1", "price": "20", "tiers": ["SILVER", "GOLD", "PLATINUM", "DIAMOND"]},
    ]
    assert "[T1]" in refused(monthly=monthly)


def test_a_higher_product_that_costs_less_is_refused_s2() -> None:
    rates = [row if row["product"] != "B" else row | {"cap": "1.8"} for row in body()["rates"]]
    assert refused(rates=rates) == "rates: X = 1.0: 2.0 with A, but only 1.8 with B [S2]"


def test_a_rate_above_the_law_is_refused_s1() -> None:
    assert "above the ceiling" in refused(
        rates=[row if row["product"] != "C" else row | {"add": "3.5", "cap": "3.5"} for row in body()["rates"]]
    )
    assert refused(ceiling="3.5") == "ceiling: 3.5 is above the law's 3.0"
    assert "no rate" in refused(rates=[row | {"add": "1.00001"} for row in body()["rates"]])


def test_a_cliff_is_refused_s3() -> None:
    assert refused(by="whole") == "bands: D: 15000.00 a year for 999999.99, 12000.00 for 1000000 [S3]"


def test_bands_with_a_hole_are_refused_s3() -> None:
    bands = [row if row["from"] != "1000000" else row | {"from": "2000000"} for row in body()["bands"]]
    assert "no row for D at 1000000" in refused(bands=bands)


def test_a_product_priced_in_the_wrong_table_or_unknown_is_refused() -> None:
    assert refused(monthly=[*body()["monthly"], {"product": "A", "price": "10"}]) == "monthly: A is rate: no row here"
    assert "is not in the catalogue" in refused(monthly=[*body()["monthly"], {"product": "Z", "price": "10"}])
    assert "twice" in refused(products=[*body()["products"], body()["products"][0]])


def tables() -> Iterator[Any]:
    row = st.tuples(st.integers(0, 8), st.integers(0, 8))
    yield st.tuples(row, row, row, row)


@given(*tables())
def test_the_proof_finds_what_every_x_shows(said: tuple[tuple[int, int], ...]) -> None:
    """The places looked at are enough: trying every X finds a fault exactly when the proof does."""
    step = rules.LEGAL_CEILING // 8
    rates = {
        code: (rules.Uplift(Decimal(0), None, frozenset(TIERS), add * step, cap * step),)
        for code, (add, cap) in zip("ABCE", said, strict=True)
    }
    prices = Prices(rules.LEGAL_CEILING, rates, PRICES.monthly, PRICES.bands)
    assert bool(list(proof.faults(PRODUCTS, prices))) is any_fault(PRODUCTS, prices, step // 4)


def any_fault(products: dict[str, Product] | Any, prices: Prices, step: int) -> bool:
    """Every X of a fine grid with every set beside every set that holds less."""
    chains = ["", "A", "B", "C"]
    for x in range(0, rules.LEGAL_CEILING + 1, step):
        rows = [[rate(x, [*filter(None, [chain]), *extra], prices) for chain in chains] for extra in ([], ["E"])]
        falls = any(high < low for row in rows for low, high in pairwise(row))
        if falls or any(more < less for less, more in zip(*rows, strict=True)):
            return True
    return False


def test_old_clients_keep_their_price_until_a_dated_change_says_otherwise() -> None:
    dearer = body(rates=[row if row["product"] != "A" else row | {"add": "1.2"} for row in body()["rates"]])
    later = Version("catalogue/1", "", date(2024, 3, 1), parse(dearer), dearer)
    moved = Version(
        "catalogue/2", "", date(2024, 6, 1), parse(deepcopy(dearer) | {"holders_from": date(2024, 7, 1)}), dearer
    )
    book = Policies({"catalogue": [later, moved]})
    old, new = date(2024, 1, 5), date(2024, 3, 5)
    first = book.catalogue.all[0].name
    assert book.for_holder(old, date(2024, 2, 1)).name == first
    assert book.for_holder(old, date(2024, 6, 30)).name == first
    assert book.for_holder(old, date(2024, 7, 1)).name == "catalogue/2"
    assert book.for_holder(new, date(2024, 6, 30)).name == "catalogue/1"
    assert date(2024, 7, 1) in book.starts()
