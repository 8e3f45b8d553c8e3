"""Shadow run: what everybody's rate and monthly price would be by a draft of the catalogue, and what it breaks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from chassis.shadow import Outcome
from chassis.uow import UnitOfWork
from services.products import rules
from services.products.commission_rules import no_uplift
from services.products.policy import Policies
from services.products.rules import Product

Signed = tuple[str, date]
"""A product held, and when its price was agreed."""


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
    held: defaultdict[str, list[Signed]] = defaultdict(list)
    for client_id, code, signed_on in await uow.sql.fetch(
        """SELECT client_id, code, signed_on FROM subscriptions WHERE state <> 'ended' AND paid_by = 'fee'
             AND since <= $1 AND coalesce(until > $1, true) ORDER BY client_id, code, signed_on""",
        first,
    ):
        held[client_id].append((code, signed_on))
    costs: dict[tuple[str | None, Sequence[Signed]], Cost] = {}
    states: dict[str, dict[str, str]] = {"rate": {}, "monthly": {}, "fault": {}}
    sums: Counter[str] = Counter()
    monthly = Decimal(0)
    async for client_id, x in uow.sql.cursor(
        """SELECT client_id, x FROM (
               SELECT client_id, (SELECT s->>'x' FROM jsonb_array_elements(stretches) s WHERE s->>'account_id' IS NULL
                   AND (s->>'since')::date <= $1 AND coalesce((s->>'until')::date > $1, true) LIMIT 1) AS x FROM fee_rates
               UNION ALL SELECT DISTINCT client_id, NULL FROM subscriptions s WHERE state <> 'ended'
                   AND NOT EXISTS (SELECT FROM fee_rates f WHERE f.client_id = s.client_id)) c""",
        first,
        prefetch=5_000,
    ):
        own = tuple(held.get(client_id, ()))
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
        else "no uplift" if no_uplift(x, found, products)
        else ""
    )  # fmt: skip
    return Cost(rules.shown(found), rules.cents(monthly), fault)
