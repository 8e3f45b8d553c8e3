"""Shadow run: what everybody's rate and monthly price would be by a draft of the catalogue, and what it breaks. And the fairness
guard's look at everybody before a version is published."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from chassis.errors import FieldError, Text
from chassis.policy import PolicyInvalid
from chassis.shadow import Outcome
from chassis.uow import UnitOfWork
from services.products import rules
from services.products.commission_rules import no_uplift
from services.products.policy import Policies
from services.products.rules import Product

NO_UPLIFT = "no uplift"
Signed = tuple[str, date]
"""A product held, and the day of the version under which it was signed for."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What clients of one X and one set pay, per mille and CNY a month, and what is wrong with it; empty: nothing."""

    rate: str
    monthly: Decimal
    fault: str


async def shadow(uow: UnitOfWork, first: date) -> Outcome:
    """Every client who has a commission or a product, on the day by which the last published price has come: rate in per
    mille, CNY a month, and what the pricing rules forbid [S1, S2]. Clients of one X and one set of products cost the same, so
    each such case is worked out once. Sums: clients by their rate, faults, and CNY a month in all.
    """
    policies = await uow.policies(Policies)
    day = max([first, *policies.starts()])
    costs: dict[tuple[str | None, Sequence[Signed]], Cost] = {}
    states: dict[str, dict[str, str]] = {"rate": {}, "monthly": {}, "fault": {}}
    sums: Counter[str] = Counter()
    monthly = Decimal(0)
    async for client_id, x, own in _everybody(uow, policies, first):
        if (x, own) not in costs:
            costs[x, own] = cost(policies, None if x is None else rules.units_of(Decimal(x)), own, day)
        found = costs[x, own]
        if x is not None:
            states["rate"][client_id] = found.rate
            sums[f"clients at {found.rate}"] += 1
        states["monthly"][client_id] = str(found.monthly)
        if found.fault:
            states["fault"][client_id] = found.fault
            sums["faults"] += 1
        monthly += found.monthly
    return Outcome(states, {name: Decimal(count) for name, count in sums.items()} | {"monthly": monthly})


async def _everybody(
    uow: UnitOfWork, policies: Policies, day: date
) -> AsyncIterator[tuple[str, str | None, Sequence[Signed]]]:
    """Every client who has a commission or a product: X and what is held on a day, each as of the version it was signed under:
    whoever signed under one pays the same."""
    starts = sorted({one.effective_on for one in policies.catalogue.all})
    held: defaultdict[str, list[Signed]] = defaultdict(list)
    for client_id, code, signed_on in await uow.sql.fetch(
        """SELECT client_id, code, signed_on FROM subscriptions WHERE state <> 'ended' AND paid_by = 'fee'
             AND since <= $1 AND coalesce(until > $1, true) ORDER BY client_id, code, signed_on""",
        day,
    ):
        held[client_id].append((code, starts[max(0, bisect_right(starts, signed_on) - 1)]))
    async for client_id, x in uow.sql.cursor(
        """SELECT client_id, x FROM (
               SELECT client_id, (SELECT s->>'x' FROM jsonb_array_elements(stretches) s WHERE s->>'account_id' IS NULL
                   AND (s->>'since')::date <= $1 AND coalesce((s->>'until')::date > $1, true) LIMIT 1) AS x FROM fee_rates
               UNION ALL SELECT DISTINCT client_id, NULL FROM subscriptions s WHERE state <> 'ended'
                   AND NOT EXISTS (SELECT FROM fee_rates f WHERE f.client_id = s.client_id)) c""",
        day,
        prefetch=5_000,
    ):
        yield client_id, x, tuple(held.get(client_id, ()))


async def prove(uow: UnitOfWork, day: date) -> Mapping[str, int]:
    """The fairness guard before a version that begins on a day is published: everybody's rate from that day on and from the one
    on which it counts for holders, by what they hold as they pay for it. Counts who pays no more for products, and whose X is above
    the ceiling; each case of one X and one set is worked out once.

    Raises: PolicyInvalid, with a client, where a rate would be less than X or above the ceiling, or more products cost less.
    """
    policies = await Policies.read(uow.sql)  # with the version itself
    version = policies.catalogue.on(day)
    days = sorted({day, max(day, version.body.holders_from or day)})
    found: Counter[str] = Counter(clients=0, no_uplift=0, over_ceiling=0)
    cases: dict[tuple[str | None, Sequence[Signed]], tuple[str, bool, bool]] = {}
    async for client_id, x, own in _everybody(uow, policies, day):
        if (x, own) not in cases:
            units = None if x is None else rules.units_of(Decimal(x))
            costs = [cost(policies, units, own, one) for one in days]
            fault = next((said for one in days if (said := _cheaper_with_more(policies, units, own, one))), "")
            fault = next((one.fault for one in costs if one.fault not in ("", NO_UPLIFT)), fault)
            over = units is not None and units > version.body.prices.ceiling
            cases[x, own] = fault, any(one.fault == NO_UPLIFT for one in costs), over
        fault, none, over = cases[x, own]
        if fault:
            raise PolicyInvalid(
                Text(f"client {client_id}: {fault}", f"客户{client_id}：{fault}"), errors=(FieldError("/rates", fault),)
            )
        found.update(clients=1, no_uplift=none, over_ceiling=over)
    return found


def _cheaper_with_more(policies: Policies, x: int | None, own: Sequence[Signed], day: date) -> str:
    """Who holds a product at the price of before and would pay less with a higher one of its line, signed for on a day [S2]."""
    if x is None:
        return ""
    now, pays = policies.catalogue.on(day).body, cost(policies, x, own, day)
    held = {code: now.products[code] for code, _ in own if code in now.products}
    for code, product in held.items():
        for other in now.products.values():
            if product.line and other.line == product.line and other.rank > product.rank and other.code not in held:
                more = cost(policies, x, [*(one for one in own if one[0] != code), (other.code, day)], day)
                if rules.units_of(Decimal(more.rate)) < rules.units_of(Decimal(pays.rate)):
                    signed = next(on for one, on in own if one == code)
                    return f"X = {rules.shown(x)}: {pays.rate} with {code} at the price of {signed}, but only {more.rate} with {other.code} on {day} [S2]"
    return ""


def cost(policies: Policies, x: int | None, own: Sequence[Signed], day: date) -> Cost:
    """What a set costs on a day at X, each product by the prices that count for who signed then."""
    now = policies.catalogue.on(day).body
    versions = {code: policies.for_holder(signed_on, day).body for code, signed_on in own}
    products = [version.products[code] for code, version in versions.items() if code in version.products]
    prices = {code: version.prices for code, version in versions.items()}
    monthly = sum(
        (rules.price_of(version.prices.monthly.get(code, ())) for code, version in versions.items()), start=Decimal(0)
    )
    if x is None:
        return Cost("", rules.cents(monthly), "")

    def at(held: Sequence[Product]) -> int:
        return rules.rate(x, held, prices, now.prices.ceiling)

    found = at(products)
    dearer = [one.code for one in products if at([other for other in products if other is not one]) > found]
    fault = (
        f"less than X: {rules.shown(found)} < {rules.shown(x)}" if found < x
        else f"dearer without {dearer[0]}" if dearer
        else f"above the ceiling: {rules.shown(found)}" if found > max(x, now.prices.ceiling)
        else NO_UPLIFT if no_uplift(x, found, products)
        else ""
    )  # fmt: skip
    return Cost(rules.shown(found), rules.cents(monthly), fault)
