"""Pure decisions on prices. Rates are whole ten-thousandths of a per mille, so that nothing is rounded: 1.5 is 15000 [S1]."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from contracts.classification import TIERS

UNIT = Decimal("0.0001")
LEGAL_CEILING = 30_000
"""3 per mille: what a client pays all in on a trade of A-shares at most, by law [S1]."""
CENT = Decimal("0.01")


def units_of(rate: Decimal) -> int:
    """A rate in per mille as units; it has four decimals at most."""
    return int(rate / UNIT)


def shown(units: int) -> str:
    """A rate as people write it: 1.5, 2.0, 0.8125."""
    whole, _, decimals = f"{units * UNIT:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"


@dataclass(frozen=True, slots=True)
class Piece:
    """A row of a price table: what it says from `begins` on, below `ends` (None: without end), for some tiers."""

    begins: Decimal
    ends: Decimal | None
    tiers: frozenset[str]

    def covers(self, place: Decimal, tier: str) -> bool:
        """Whether it is the row of a place for a tier."""
        return tier in self.tiers and self.begins <= place and (self.ends is None or place < self.ends)


@dataclass(frozen=True, slots=True)
class Uplift(Piece):
    """rate = max(X, min(X + add, cap)): never less than X [S1]."""

    add: int
    cap: int

    def on(self, rate: int) -> int:
        """The rate with it, of one without."""
        return max(rate, min(rate + self.add, self.cap))


@dataclass(frozen=True, slots=True)
class Fee(Piece):
    """CNY a month."""

    price: Decimal


@dataclass(frozen=True, slots=True)
class Band(Piece):
    """Percent a year of what lies in it [S3]."""

    percent: Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the catalogue."""

    code: str
    kind: str
    rank: int
    line: str
    min_tier: str
    classes: frozenset[str]
    floor: str
    agreement: str
    licence: str
    includes: Sequence[str]
    channels: Sequence[str]
    quotes: str
    trading: str
    en: str
    zh: str
    content_en: str
    content_zh: str


@dataclass(frozen=True, slots=True)
class Prices:
    """The price tables of a version, by product."""

    ceiling: int
    rates: Mapping[str, Sequence[Uplift]]
    monthly: Mapping[str, Sequence[Fee]]
    bands: Mapping[str, Sequence[Band]]
    by_margin: bool = True


def uplift_of(prices: Prices, code: str, x: int, tier: str = TIERS[0]) -> Uplift | None:
    """The row of a product at X. It is the same for every tier: the proof has shown it [T1]."""
    place = x * UNIT
    return next((row for row in prices.rates.get(code, ()) if row.covers(place, tier)), None)


def kept(held: Sequence[Product]) -> list[Product]:
    """Of products held those that count, lowest rank first: of a line the highest [S2]; what belongs to none comes last."""
    lines: dict[str, Product] = {}
    for one in held:
        if one.line and (one.line not in lines or lines[one.line].rank < one.rank):
            lines[one.line] = one
    alone = {one.code: one for one in held if not one.line}
    of_lines = sorted(lines.values(), key=lambda one: (one.rank, one.code))
    return of_lines + sorted(alone.values(), key=lambda one: (one.rank, one.code))


def rate(x: int, held: Sequence[Product], prices: Mapping[str, Prices], ceiling: int, tier: str = TIERS[0]) -> int:
    """The all-in rate with X in force and these products held, each by the prices that count for it [S1, S2]."""
    found = x
    for product in kept(held):
        row = uplift_of(prices[product.code], product.code, x, tier)
        if row is not None:
            found = row.on(found)
    return max(x, min(found, ceiling))


def included(held: Sequence[Product]) -> frozenset[str]:
    """What comes free with the products held [S4]."""
    return frozenset(code for one in held for code in one.includes)


def price_of(rows: Sequence[Fee], tier: str = TIERS[0]) -> Decimal:
    """CNY a month of a product; zero where it is not paid by the month."""
    return next((row.price for row in rows if tier in row.tiers), Decimal(0))


def year_fee(value: Decimal, bands: Sequence[Band], by_margin: bool = True, tier: str = TIERS[0]) -> Decimal:
    """The fee of a year on entrusted assets [S3]: each band's percent on what lies in it, or (never shipped) the percent of
    the band the whole lies in, on the whole."""
    own = [band for band in bands if tier in band.tiers]
    if not by_margin:
        return sum((value * one.percent / 100 for one in own if one.covers(value, tier)), start=Decimal(0))
    total = Decimal(0)
    for one in own:
        upper = value if one.ends is None else min(value, one.ends)
        if upper > one.begins:
            total += (upper - one.begins) * one.percent / 100
    return total


PRICE_TEXT_LONGEST = 30


def price_text(prices: Prices, code: str) -> str | None:
    """What a product costs as a message says it in either language: `X+1.0‰ (≤2.0‰)`, `¥30.00`, `1.5/1.2/0.8%`; None where it does
    not fit."""
    rates = dict.fromkeys(
        f"{shown(row.cap)}‰" if row.add >= row.cap else f"X+{shown(row.add)}‰ (≤{shown(row.cap)}‰)"
        for row in prices.rates.get(code, ())
    )
    percents = dict.fromkeys(f"{row.percent.normalize():f}" for row in prices.bands.get(code, ()))
    said = [*rates]
    if prices.monthly.get(code):
        said.append(f"¥{cents(price_of(prices.monthly[code]))}")
    if percents:
        said.append(f"{'/'.join(percents)}%")
    text = "; ".join(said) or "¥0.00"
    return text if len(text) <= PRICE_TEXT_LONGEST else None


def cents(amount: Decimal) -> Decimal:
    """Rounded half up to 0.01 CNY."""
    return amount.quantize(CENT, ROUND_HALF_UP)
