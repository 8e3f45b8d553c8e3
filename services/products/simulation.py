"""What products held together would cost: the rate, what comes by the month, what is free, what is replaced, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chassis.errors import FieldError, Invalid, Text
from services.products import rules
from services.products.commission_rules import no_uplift
from services.products.policy import Catalogue
from services.products.rules import Prices, Product, shown

__all__ = ["Prices", "Product", "Simulated", "rate_text", "shown", "simulate"]


@dataclass(frozen=True, slots=True)
class Simulated:
    """The outcome."""

    rate: str
    no_uplift: bool
    monthly: Decimal
    included: Sequence[str]
    replaced: Sequence[str]
    why: Text


def simulate(catalogue: Catalogue, x: Decimal, codes: Sequence[str]) -> Simulated:
    """What X and products give by a catalogue.

    Raises: Invalid for an X above the ceiling, or a product that is not in the catalogue.
    """
    units, prices = rules.units_of(x), catalogue.prices
    if units > prices.ceiling:
        detail = f"above {shown(prices.ceiling)} per mille, the ceiling"
        raise Invalid(errors=(FieldError("/x", detail),))
    if unknown := [n for n, code in enumerate(codes) if code not in catalogue.products]:
        raise Invalid(errors=tuple(FieldError(f"/products/{n}", "not in the catalogue") for n in unknown))
    asked = [catalogue.products[code] for code in sorted(set(codes))]
    held = rules.kept(asked)
    free = rules.included(held)
    rate = rules.rate(units, held, dict.fromkeys(catalogue.products, prices), prices.ceiling)
    none = no_uplift(units, rate, held)
    monthly = sum(
        (rules.price_of(prices.monthly.get(one.code, ())) for one in held if one.code not in free), start=Decimal(0)
    )
    replaced = sorted({one.code for one in asked} - {one.code for one in held})
    return Simulated(
        shown(rate),
        none,
        rules.cents(monthly),
        sorted(free),
        replaced,
        _why(catalogue, units, rate, held, replaced, none),
    )


def _why(catalogue: Catalogue, x: int, rate: int, held: Sequence[Product], replaced: Sequence[str], none: bool) -> Text:
    en, zh = [], []
    for one in held:
        row = rules.uplift_of(catalogue.prices, one.code, x)
        if row is not None:
            en.append(f"{one.code}: {shown(row.add)} more, at most {shown(row.cap)}, never less than before")
            zh.append(f"{one.code}：加收{shown(row.add)}‰，不超过{shown(row.cap)}‰，且不低于原费率")
    if replaced:
        en.append(f"{', '.join(replaced)} replaced by a higher product of its line")
        zh.append(f"{'、'.join(replaced)}由同系列更高级产品替代")
    said = rate_text(shown(x), shown(rate), none)
    return Text("; ".join([said.en, *en]), "；".join([said.zh, *zh]))


def rate_text(x: str, rate: str, none: bool) -> Text:
    """The sentence a client reads: all in, which the base of points is not."""
    en = f"{rate} per mille all in, with {x} agreed"
    zh = f"综合费率{rate}‰（现佣金{x}‰）"
    return Text(f"{en}; the products raise it by nothing", f"{zh}；产品未提高费率") if none else Text(en, zh)
