"""What is proven of a price table before it can be published, each refusal with a counter-example.

Total and disjoint: one row for every place and tier. The same for every tier [T1]. Never less with more held [S2], and so
never less than X; never above the ceiling, which is never above the law's [S1]. No cliff at the edge of a band [S3].

All rates are linear between the places of `places_of_rates`, which are whole units: what holds at each of them, and just
below each edge, holds everywhere. A property test compares this with every X there is.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations, pairwise

from contracts.classification import TIERS
from services.products import rules
from services.products.rules import CENT, LEGAL_CEILING, UNIT, Piece, Prices, Product, Uplift

Fault = tuple[str, str]
"""Where in the body, and a counter-example in words."""


def faults(products: Mapping[str, Product], prices: Prices) -> Iterator[Fault]:
    """What keeps a catalogue from being published."""
    if prices.ceiling > LEGAL_CEILING:
        yield "ceiling", f"{rules.shown(prices.ceiling)} is above the law's {rules.shown(LEGAL_CEILING)}"
        return
    found = [*_rows(products, prices)]
    yield from found
    if not found:
        yield from _same_for_tiers(prices)
        yield from _sets(products, prices)
        yield from _cliffs(prices)


def _rows(products: Mapping[str, Product], prices: Prices) -> Iterator[Fault]:
    """Every product has exactly the rows its kind asks for, and these one row for each place and tier."""
    tables = {"rate": ("rates", prices.rates), "sms": ("monthly", prices.monthly), "monthly": ("monthly", prices.monthly),
              "assets": ("bands", prices.bands)}  # fmt: skip
    for code, product in products.items():
        for name, table in dict(tables.values()).items():
            wanted = tables.get(product.kind, ("", {}))[0]
            if code in table and name != wanted:
                yield name, f"{code} is {product.kind}: no row here"
        if product.kind in tables:
            name, table = tables[product.kind]
            places = {
                "rates": edges(table.get(code, ()), UNIT, prices.ceiling * UNIT),
                "monthly": [Decimal(0)],
                "bands": edges(table.get(code, ()), CENT, None),
            }[name]
            for tier in TIERS:
                for place in places:
                    count = sum(row.covers(place, tier) for row in table.get(code, ()))
                    if count != 1:
                        yield name, f"{'no row' if not count else f'{count} rows'} for {code} at {place} for {tier}"
                        break
    for name, table in dict(tables.values()).items():
        yield from ((name, f"{code} is not in the catalogue") for code in table if code not in products)


def edges(rows: Sequence[Piece], step: Decimal, last: Decimal | None) -> list[Decimal]:
    """The places at which rows begin and end, those just below, zero and the last."""
    found = {Decimal(0), *([last] if last is not None else [])}
    for row in rows:
        for place in (row.begins, row.ends):
            if place is not None:
                found |= {place, place - step}
    return sorted(place for place in found if place >= 0 and (last is None or place <= last))


def places_of_rates(rates: Mapping[str, Sequence[Uplift]], ceiling: int) -> list[int]:
    """Every X at which a rate with some products can turn: edges, and where X with some uplifts reaches a cap."""
    rows = [row for table in rates.values() for row in table]
    sums = {0}
    for row in rows:
        sums |= {before + row.add for before in sums if before + row.add <= ceiling}
    turns = {cap - add for cap in {ceiling, *(row.cap for row in rows)} for add in sums}
    at_edges = {int(place / UNIT) for place in edges(rows, UNIT, ceiling * UNIT)}
    return sorted(x for x in turns | at_edges if 0 <= x <= ceiling)


def _same_for_tiers(prices: Prices) -> Iterator[Fault]:
    for name, table in (("rates", prices.rates), ("monthly", prices.monthly), ("bands", prices.bands)):
        for code, rows in table.items():
            for place in sorted({Decimal(0), *(row.begins for row in rows)}):
                said = {tier: _said(next(row for row in rows if row.covers(place, tier))) for tier in TIERS}
                other = next((tier for tier in TIERS if said[tier] != said[TIERS[0]]), None)
                if other:
                    first = TIERS[0]
                    yield name, f"{code} at {place}: {first} pays by {said[first]}, {other} by {said[other]} [T1]"
                    break


def _said(row: Piece) -> str:
    """What a row says, its place and tiers apart."""
    left = {"begins", "ends", "tiers"}
    names = [name for kind in type(row).__mro__ for name in getattr(kind, "__slots__", ()) if name not in left]
    return ", ".join(f"{name} {getattr(row, name)}" for name in sorted(names))


def sets_of(products: Mapping[str, Product]) -> list[tuple[Product, ...]]:
    """Every set that can be held: of each line none or one, and any of what belongs to none."""
    priced = [one for one in products.values() if one.kind == "rate"]
    found: list[tuple[Product, ...]] = [()]
    for line in sorted({one.line for one in priced if one.line}):
        found = [(*held, *more) for held in found for more in [(), *((one,) for one in priced if one.line == line)]]
    alone = [one for one in priced if not one.line]
    return [(*held, *more) for held in found for n in range(len(alone) + 1) for more in combinations(alone, n)]


def _sets(products: Mapping[str, Product], prices: Prices) -> Iterator[Fault]:
    """With more held the rate is never lower, with a higher one of a line neither; and never above the ceiling [S1, S2]."""
    every, of_product = sets_of(products), dict.fromkeys(products, prices)
    for x in places_of_rates(prices.rates, prices.ceiling):
        said = {
            frozenset(one.code for one in held): rules.rate(x, held, of_product, LEGAL_CEILING * 2) for held in every
        }
        for held in every:
            codes = frozenset(one.code for one in held)
            if said[codes] > prices.ceiling:
                yield (
                    "rates",
                    f"X = {rules.shown(x)} with {_names(codes)}: {rules.shown(said[codes])}, above the ceiling",
                )
                return
            for lower in _below(held, products):
                if said[lower] > said[codes]:
                    yield (
                        "rates",
                        f"X = {rules.shown(x)}: {rules.shown(said[lower])} with {_names(lower)}, but only "
                        f"{rules.shown(said[codes])} with {_names(codes)} [S2]",
                    )
                    return


def _below(held: Sequence[Product], products: Mapping[str, Product]) -> Iterator[frozenset[str]]:
    """Sets with one product less, or with a lower one of its line in its place."""
    codes = frozenset(one.code for one in held)
    for one in held:
        yield codes - {one.code}
        for other in products.values():
            if other.kind == "rate" and one.line and other.line == one.line and other.rank < one.rank:
                yield codes - {one.code} | {other.code}


def _cliffs(prices: Prices) -> Iterator[Fault]:
    """A fen more of assets costs at most the highest percent of a fen more, never less; larger bands cost no more [S3]."""
    for code, rows in prices.bands.items():
        ordered = sorted((row for row in rows if TIERS[0] in row.tiers), key=lambda row: row.begins)
        highest = max(row.percent for row in ordered)
        for lower, upper in pairwise(ordered):
            below, at = (rules.year_fee(value, rows, prices.by_margin) for value in (upper.begins - CENT, upper.begins))
            if not 0 <= at - below <= CENT * highest / 100:
                yield (
                    "bands",
                    f"{code}: {rules.cents(below)} a year for {upper.begins - CENT}, {rules.cents(at)} for {upper.begins} [S3]",
                )
            if upper.percent > lower.percent:
                yield "bands", f"{code}: {upper.percent}% from {upper.begins} on is more than {lower.percent}% below it"


def _names(codes: frozenset[str]) -> str:
    return " and ".join(sorted(codes)) or "nothing"
