"""What the club is measured by [H2.4]: its three aims, by the quarter, each beside clients who are alike and no members.

Method. Members are those who were members, or in their grace, on the first day, also where they left later: who leaves counts. Each is
paired with one client who was at no time of the quarter in the club: of the same branch and the same tier on the first day, with the mean assets of the month before
nearest to the member's (prospects without an account: of the same branch, without an account too). Members are paired in the order of their
assets, the largest first, and nobody is paired twice; whoever finds no pair is counted as `unmatched` and left out of both sides.
What is compared: prospects who have an account at the end; the mean change of the commission of twelve months, in percent of the sum at the
begin; and how many are stable: the account open, and the mean assets of the last month at least the policy's share of those at the begin.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import asyncpg

from chassis.clock import months_after
from services.products.policy import Policies
from services.products.tables import IN_ORDER, TIERS

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Case:
    """A client over a quarter: commission and assets at its begin and its end, as months had them."""

    client_id: str
    group: tuple[str, str]
    """Branch and tier, or branch and PROSPECT."""
    had_account: bool
    has_account: bool
    assets: Decimal
    assets_after: Decimal
    commission: Decimal
    commission_after: Decimal


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison."""

    clients: int
    converted: Decimal | None
    contribution: Decimal | None
    stable: Decimal | None


@dataclass(frozen=True, slots=True)
class Measures:
    """Members of a quarter beside those they were paired with."""

    first: date
    last: date
    members: Side
    others: Side
    unmatched: int


def paired(members: Iterable[Case], others: Iterable[Case]) -> list[tuple[Case, Case]]:
    """Each member with the client of the group whose assets are nearest; nobody twice."""
    left: defaultdict[tuple[str, str], list[Case]] = defaultdict(list)
    for one in sorted(others, key=lambda one: (one.assets, one.client_id)):
        left[one.group].append(one)
    found = []
    for member in sorted(members, key=lambda one: (-one.assets, one.client_id)):
        alike = left[member.group]
        if not alike:
            continue
        n = bisect_left(alike, member.assets, key=lambda one: one.assets)
        near = [m for m in (n - 1, n) if 0 <= m < len(alike)]
        found.append((member, alike.pop(min(near, key=lambda m: (abs(alike[m].assets - member.assets), m)))))
    return found


def side(cases: Sequence[Case], stable: Decimal) -> Side:
    """One side by the three aims; None where there is nobody to measure."""
    prospects = [one for one in cases if not one.had_account]
    held = [one for one in cases if one.had_account]
    before = sum((one.commission for one in held), start=Decimal(0))
    after = sum((one.commission_after for one in held), start=Decimal(0))
    steady = [one for one in held if one.has_account and one.assets_after >= one.assets * stable]
    return Side(
        len(cases),
        _percent(Decimal(sum(one.has_account for one in prospects)), Decimal(len(prospects))),
        _percent(after - before, before),
        _percent(Decimal(len(steady)), Decimal(len(held))),
    )


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    return (part * 100 / whole).quantize(Decimal("0.1"), ROUND_HALF_UP) if whole else None


async def measure(sql: asyncpg.Connection, last: date) -> Measures:
    """The quarter that ends on a day."""
    first = months_after(last.replace(day=1), -2)
    stable = (await Policies.read(sql)).club.on(last).body.stable
    tier = TIERS.on("tier", "c.client_id", "$1")
    found = await sql.fetch(
        f"""WITH states AS (
                SELECT s.client_id, s.state, s.since,
                       coalesce(lead(s.since) OVER (PARTITION BY s.client_id ORDER BY {IN_ORDER}), 'infinity') AS until
                FROM club_states s JOIN club_memberships m USING (membership_id)),
            inside AS (
                SELECT client_id, bool_or(since <= $1) AS whole FROM states
                WHERE state IN ('member', 'grace') AND since <= $2 AND until > $1 AND since < until GROUP BY client_id),
            looked AS (
                SELECT c.client_id, coalesce(c.branch_id, '') AS branch, {tier} AS tier,
                       coalesce(c.opened_on < $1 AND (c.closed_on IS NULL OR c.closed_on > $1), false) AS had_account,
                       coalesce(c.opened_on <= $2 AND (c.closed_on IS NULL OR c.closed_on > $2), false) AS has_account, i.whole
                FROM clients c LEFT JOIN inside i USING (client_id)
                WHERE coalesce(i.whole, true) AND (c.closed_on IS NULL OR c.closed_on > $1))
            SELECT l.client_id, l.branch, CASE WHEN l.had_account THEN coalesce(l.tier, 'NORMAL') ELSE 'PROSPECT' END,
                   l.had_account, l.has_account, coalesce(b.mean_assets, 0), coalesce(a.mean_assets, 0),
                   coalesce(b.commission, 0), coalesce(a.commission, 0), coalesce(l.whole, false)
            FROM looked l LEFT JOIN months b ON b.client_id = l.client_id AND b.month_end = $1::date - 1
            LEFT JOIN months a ON a.client_id = l.client_id AND a.month_end = $2
            WHERE l.whole OR l.whole IS NULL
              AND (l.branch, CASE WHEN l.had_account THEN coalesce(l.tier, 'NORMAL') ELSE 'PROSPECT' END) IN (
                  SELECT branch, CASE WHEN had_account THEN coalesce(tier, 'NORMAL') ELSE 'PROSPECT' END FROM looked WHERE whole)""",
        first,
        last,
    )
    members: list[Case] = []
    others: list[Case] = []
    for client_id, branch, group, had, has, assets, assets_after, commission, commission_after, inside in found:
        case = Case(client_id, (branch, group), had, has, assets, assets_after, commission, commission_after)
        (members if inside else others).append(case)
    pairs = paired(members, others)
    return Measures(
        first, last, side([one for one, _ in pairs], stable), side([one for _, one in pairs], stable),
        len(members) - len(pairs),
    )  # fmt: skip
