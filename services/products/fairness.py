"""The fairness guard: the cheapest set of products for the services wanted, and where a price raises nothing [T1, S1, S2]."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Literal

import asyncpg

from chassis.actor import Actor
from chassis.errors import Conflict, FieldError, Invalid, Text
from chassis.http import object_scope
from services.products import rules
from services.products.policy import Catalogue, Services
from services.products.rules import Product

Flag = Literal["no_uplift", "over_ceiling"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A set of products with what it costs: the rate, CNY a month beside it, and CNY a month in all at the turnover."""

    products: Sequence[str]
    rate: int
    monthly: Decimal
    total: Decimal


class NoSetGivesAll(Conflict):
    """No products that can be held together give all of these services."""

    title = Text("No set gives all of these services", "没有可同时持有的产品组合能提供全部所需服务")


def choices(
    catalogue: Catalogue, services: Services, shelf: Iterable[str], x: int, turnover: Decimal, wanted: Sequence[str]
) -> list[Choice]:
    """Every set of products on the shelf that gives all services wanted and nothing paid twice, the cheapest first: at X and
    a turnover (CNY of A-shares a month). All of them are the proof that the first is the cheapest. D is no part of it: its
    fee is on assets.

    Raises: Invalid for a service no product gives, NoSetGivesAll.
    """
    given = {
        code: frozenset(services.gives.get(("PRODUCT", code), ()))
        for code in shelf
        if code in catalogue.products and catalogue.products[code].kind in ("rate", "sms", "monthly")
    }
    offered = frozenset().union(*given.values())
    if errors := tuple(
        FieldError(f"/services/{n}", "no product on the shelf gives it")
        for n, one in enumerate(wanted)
        if one not in offered
    ):
        raise Invalid(errors=errors)
    found = []
    for count in range(len(given) + 1):
        for codes in combinations(sorted(given), count):
            held = rules.kept([catalogue.products[code] for code in codes])
            free = rules.included(held)
            if len(held) < len(codes) or free & set(codes):
                continue  # two of one line, or one paid that comes free
            have = {service for code in {*codes, *free} for service in given.get(code, ())}
            if have >= set(wanted):
                found.append(_choice(catalogue, x, turnover, held))
    if not found:
        raise NoSetGivesAll
    return sorted(found, key=lambda one: (one.total, len(one.products), one.products))


def _choice(catalogue: Catalogue, x: int, turnover: Decimal, held: Sequence[Product]) -> Choice:
    prices = catalogue.prices
    rate = rules.rate(x, held, dict.fromkeys(catalogue.products, prices), prices.ceiling)
    monthly = sum((rules.price_of(prices.monthly.get(one.code, ())) for one in held), start=Decimal(0))
    more = turnover * (rate - x) * rules.UNIT / 1000
    return Choice(sorted(one.code for one in held), rate, rules.cents(monthly), rules.cents(monthly + more))


@dataclass(frozen=True, slots=True)
class Flagged:
    """A client whose rate has a flag: `no_uplift`, products paid by the rate raise it by nothing, X was as high already;
    `over_ceiling`, X itself is above the ceiling of the catalogue in force [S1]."""

    client_id: str
    branch_id: str | None
    rate: str
    x: str


async def flagged(
    sql: asyncpg.Connection, flag: Flag, actor: Actor, day: date, after: str, limit: int
) -> list[Flagged]:
    """Those of a day, of a branch only its own, behind a client."""
    condition, arguments = object_scope(actor, 5)
    return [
        Flagged(*found)
        for found in await sql.fetch(
            f"""SELECT client_id, branch_id, s->>'rate', s->>'x'
                FROM fee_rates JOIN clients USING (client_id) CROSS JOIN LATERAL jsonb_array_elements(stretches) AS s
                WHERE client_id > $2 AND s->'flags' ? $4 AND s->>'account_id' IS NULL
                  AND (s->>'since')::date <= $1 AND coalesce((s->>'until')::date > $1, true) AND {condition}
                ORDER BY client_id LIMIT $3""",
            day,
            after,
            limit,
            flag,
            *arguments,
        )
    ]
