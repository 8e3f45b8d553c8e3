"""What becomes of subscriptions when one begins or ends: pure [S2, S4, S5]."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from chassis.clock import months_after
from contracts.products import SubscriptionStretch
from contracts.suitability import HELD, LEVELS
from services.products import rules
from services.products.commission_rules import Holding
from services.products.policy import Catalogue
from services.products.rules import Product


class Held(Protocol):
    """A subscription, as far as these rules ask."""

    @property
    def subscription_id(self) -> UUID: ...
    @property
    def code(self) -> str: ...
    @property
    def paid_by(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def signed_on(self) -> date: ...
    @property
    def since(self) -> date: ...
    @property
    def until(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class Credit:
    """Unused paid days of a product that is free from now on [S4]."""

    code: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """What beginning a product does: what ends, what comes free, what is credited."""

    ends: Mapping[UUID, str]
    included: Sequence[str]
    credits: Sequence[Credit]
    already: bool


def reaches(level: str | None, floor: str) -> bool:
    """Whether a level known today, of either scheme, reaches a product's floor; without a floor any does, known or not
    [S6, Q6]."""
    if not floor:
        return True
    known = HELD.get(level or "", level)
    return known in LEVELS and LEVELS.index(known) >= LEVELS.index(floor)


def month_of(since: date, day: date) -> tuple[date, date]:
    """The billing month that runs on a day, its end exclusive: 31 January, 28 February, 31 March."""
    count = (day.year - since.year) * 12 + day.month - since.month
    if months_after(since, count) > day:
        count -= 1
    return months_after(since, count), months_after(since, count + 1)


def unused(price: Decimal, since: date, day: date) -> Decimal:
    """What of the running month's full price the days from one on are worth."""
    begins, ends = month_of(since, day)
    return rules.cents(price * (ends - day).days / (ends - begins).days)


def live(held: Iterable[Held], day: date) -> list[Held]:
    """What is held on a day."""
    return [one for one in held if one.since <= day and (one.until is None or day < one.until)]


def plan(catalogue: Catalogue, held: Sequence[Held], code: str, day: date, prices: Mapping[str, Decimal]) -> Plan:
    """What beginning a product on a day does to what is held; `prices` by product, as the client pays them."""
    product, now = catalogue.products[code], live(held, day)
    ends: dict[UUID, str] = {}
    credits, included = [], []
    codes = {one.code for one in now}
    for one in now:
        other = catalogue.products.get(one.code)
        if other is not None and product.line and other.line == product.line and one.code != code:
            ends[one.subscription_id] = "replaced"
    for free in product.includes:
        paid = next((one for one in now if one.code == free), None)
        if paid is None or paid.paid_by != "bundle":
            included.append(free)
        if paid is not None and paid.paid_by != "bundle":
            ends[paid.subscription_id] = "bundle"
            # Points are not exchanged for money [P9]; a month is charged at the close of its first day.
            if paid.paid_by == "fee" and month_of(paid.since, day)[0] < day:
                credits.append(Credit(free, unused(prices[free], paid.since, day)))
    return Plan(ends, included, credits, code in codes)


def left_free(catalogue: Catalogue, held: Sequence[Held], day: date) -> list[UUID]:
    """What came free and does not any more: the last of A to E that included it is over by a day [S4]."""
    now = live(held, day)
    free = {code for one in now if one.paid_by != "bundle" for code in _includes(catalogue.products.get(one.code))}
    return [one.subscription_id for one in now if one.paid_by == "bundle" and one.code not in free]


def _includes(product: Product | None) -> Sequence[str]:
    return product.includes if product else ()


def holdings(held: Iterable[Held]) -> list[Holding]:
    """What counts for the rate, by the days it is held."""
    return [Holding(one.code, one.since, one.until, one.signed_on) for one in held if _lasts(one)]


def stretches(held: Iterable[Held]) -> list[SubscriptionStretch]:
    """What is told of subscriptions: a stretch each, of those that last at all."""
    return [
        SubscriptionStretch(
            since=one.since, until=one.until, code=one.code,
            state="pending" if one.state == "pending" else "included" if one.paid_by == "bundle" else "active",
            paid_by=one.paid_by,  # type: ignore[arg-type]
        )
        for one in sorted(held, key=lambda one: (one.since, one.code, one.paid_by))
        if _lasts(one)
    ]  # fmt: skip


def _lasts(one: Held) -> bool:
    return one.until is None or one.since < one.until
