"""Scorecards (KPI): each figure with the list behind it, kept at every month's end, weighted by a dated version [A22, A23, A34].

A card is a query over what lies behind it: one row an item (a client, an entry of the log), with what counts of it (`part`) and of
how much (`whole`). A figure is the sum of the one over the sum of the other, so that the list always comes to the figure.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

import asyncpg
from sqlalchemy import Index

from chassis import staff
from chassis.clock import end_of
from chassis.policy import Version
from chassis.rows import Column, Row, columns, fetch, table
from chassis.uow import UnitOfWork
from services.relationships.policy import Cards, Policies
from services.relationships.rules import LONGEST_DAYS
from services.relationships.spot_checks import OF_NOBODY
from services.relationships.tables import CORES, LIFECYCLES, TIERS, metadata

HUNDRED, TENTH = Decimal(100), Decimal("0.1")
MONTHS_OF_TREND = 6
KEY_FIELDS = ("CI-P08", "CI-P12", "CI-P17", "CI-P32")
"""Mobile, address, occupation, channel and hours: what a manager needs in hand, and how old it is [A34]."""


class CardMonth(Row, frozen=True):
    """A card of somebody at a month's end, as it was known when the month closed: never changed afterwards."""

    month_end: Annotated[date, Column(primary_key=True)]
    person: Annotated[str, Column(primary_key=True)]
    card: Annotated[str, Column(primary_key=True)]
    branch_id: Annotated[str | None, Column(comment="of the person")]
    items: int
    part: Decimal
    whole: Decimal
    policy: Annotated[str, Column(comment="the version of the scorecard")]


card_months = table("card_months", metadata, CardMonth, Index(None, "branch_id", "month_end"))

DAY_END = "($1::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'"
MINE = f"""
    SELECT o.person, o.client_id, coalesce({TIERS.on("tier", "o.client_id", "$1::date")}, 'NORMAL') AS tier,
           coalesce({CORES.on("core", "o.client_id", "$1::date")}, false) AS core,
           {LIFECYCLES.on("lifecycle", "o.client_id", "$1::date")} AS lifecycle
    FROM owners o JOIN clients c USING (client_id)
    WHERE o.role = 'primary' AND o.since < {DAY_END} AND (o.until IS NULL OR o.until >= {DAY_END})
      AND (c.closed_on IS NULL OR c.closed_on > $1) AND ($2::text IS NULL OR o.person = $2)"""
"""Whose clients they are at the end of the day $1, of everybody or of $2."""
HEARD = f"(k.source <> 'staff' OR k.entered_at < {DAY_END})"
"""Contacts as they were known by then: what people enter counts from when they did."""
TALK = f"k.client_id = m.client_id AND k.valid AND k.two_way AND k.at < {DAY_END} AND {HEARD}"
LONGEST = f"CASE m.tier {' '.join(f'WHEN {tier!r} THEN {days}' for tier, days in LONGEST_DAYS.items())} END"
MONTH = "date_trunc('month', $1::date)::date"
OWN = f"""
    FROM contacts k WHERE k.person IS NOT NULL AND ($2::text IS NULL OR k.person = $2) AND k.day BETWEEN {MONTH} AND $1
      AND {HEARD} AND k.source <> ALL('{{{",".join(OF_NOBODY)}}}'::text[])"""
VALUE = """(SELECT v.total_assets FROM valuations v WHERE v.client_id = m.client_id AND v.as_of <= {}
    ORDER BY v.as_of DESC LIMIT 1)"""
COMMISSION = """(SELECT y.commission FROM months y WHERE y.client_id = m.client_id AND y.month_end <= {}
    ORDER BY y.month_end DESC LIMIT 1)"""
YEAR_AGO = "($1::date - interval '12 months')::date"
IN_FORCE = """(SELECT {} FROM information_values i WHERE i.client_id = m.client_id AND i.code = {} AND i.day <= $1
    ORDER BY i.day DESC, i.own DESC, i.at DESC, i.fact_id DESC LIMIT 1)"""

BEHIND: Mapping[str, str] = {
    "coverage": f"""SELECT m.person, m.client_id AS item, m.client_id, EXISTS (SELECT FROM contacts k WHERE {TALK}
            AND k.at >= ($1::date - $3::int)::timestamp AT TIME ZONE 'Asia/Shanghai')::int::numeric AS part, 1::numeric AS whole
        FROM ({MINE}) m WHERE m.lifecycle IS DISTINCT FROM 'LOST'""",
    "cadence": f"""SELECT m.person, m.client_id, m.client_id, EXISTS (SELECT FROM contacts k WHERE {TALK}
            AND k.day >= $1::date - {LONGEST})::int::numeric, 1::numeric FROM ({MINE}) m""",
    "satisfaction": f"""SELECT m.person, s.case_id, m.client_id, s.satisfied::int::numeric, 1::numeric
        FROM ({MINE}) m JOIN satisfactions s USING (client_id)
        WHERE m.core AND s.at < {DAY_END} AND s.at >= {YEAR_AGO}::timestamp AT TIME ZONE 'Asia/Shanghai'""",
    "completeness": f"""SELECT m.person, m.client_id, m.client_id, (s.entered >= $4::int)::int::numeric, 1::numeric
        FROM ({MINE}) m JOIN completeness s ON s.client_id = m.client_id
             AND s.month_end = (SELECT max(month_end) FROM completeness WHERE month_end <= $1) WHERE m.core""",
    "complaints": f"""SELECT m.person, m.client_id, m.client_id, EXISTS (SELECT FROM closed_cases s
            WHERE s.client_id = m.client_id AND s.upheld AND s.closed_at < {DAY_END}
              AND s.closed_at >= {YEAR_AGO}::timestamp AT TIME ZONE 'Asia/Shanghai'
              AND NOT EXISTS (SELECT FROM closed_cases n WHERE n.case_id = s.case_id AND n.generation > s.generation
                              AND n.closed_at < {DAY_END}))::int::numeric, 1::numeric FROM ({MINE}) m""",
    "log_in_time": f"""SELECT k.person, k.contact_id::text, k.client_id, (NOT 'late' = ANY(k.flags))::int::numeric, 1::numeric
        {OWN} AND k.source = 'staff'""",
    "profile_opened": f"""SELECT k.person, k.contact_id::text, k.client_id, EXISTS (SELECT FROM audit a
            WHERE a.object = 'client/' || k.client_id AND a.action = 'read'
              AND coalesce(a.inputs->>'person', regexp_replace(a.actor, '^user:', '')) = k.person
              AND a.at BETWEEN k.at - interval '24 hours' AND k.at)::int::numeric, 1::numeric {OWN} AND k.direction = 'out'""",
    "key_fields": f"""SELECT m.person, m.client_id || '/' || f.code, m.client_id,
            coalesce({IN_FORCE.format("i.state = 'stated' AND i.day > " + YEAR_AGO, "f.code")}, false)::int::numeric, 1::numeric
        FROM ({MINE}) m CROSS JOIN unnest('{{{",".join(KEY_FIELDS)}}}'::text[]) AS f(code)""",
    "suggestions": f"""SELECT m.person, m.client_id, m.client_id, EXISTS (SELECT FROM contacts k WHERE {TALK}
            AND k.day >= {MONTH})::int::numeric, 1::numeric
        FROM ({MINE}) m WHERE NOT EXISTS (SELECT FROM contacts k WHERE {TALK}
            AND k.day BETWEEN {MONTH} - {LONGEST} AND {MONTH} - 1)
          AND EXISTS (SELECT FROM clients c WHERE c.client_id = m.client_id AND c.opened_on < {MONTH} - {LONGEST})""",
    "product_assets": f"""SELECT m.person, m.client_id, m.client_id,
            coalesce({IN_FORCE.format("CASE WHEN i.value ~ '^[0-9]{1,15}([.][0-9]{1,8})?$' THEN i.value::numeric END", "'CI-A15'")}, 0),
            coalesce({VALUE.format("$1")}, 0) FROM ({MINE}) m""",
    "assets": f"""SELECT m.person, m.client_id, m.client_id, coalesce({VALUE.format("$1")}, 0), {VALUE.format(YEAR_AGO)}
        FROM ({MINE}) m WHERE {VALUE.format(YEAR_AGO)} > 0""",
    "commission": f"""SELECT m.person, m.client_id, m.client_id, coalesce({COMMISSION.format("$1")}, 0), {COMMISSION.format(YEAR_AGO)}
        FROM ({MINE}) m WHERE {COMMISSION.format(YEAR_AGO)} > 0""",
}
"""What lies behind each card: person, item, client, part, whole. $1 the day, $2 whose, and for those that say so $3 the days of
coverage, $4 the target of what people enter."""


@dataclass(frozen=True, slots=True)
class Found:
    """A card of somebody: how many items, what counts of how much."""

    person: str
    items: int
    part: Decimal
    whole: Decimal

    @property
    def percent(self) -> Decimal | None:
        """The figure, one decimal; none where nothing lies behind it."""
        return (HUNDRED * self.part / self.whole).quantize(TENTH, ROUND_HALF_UP) if self.whole else None


@dataclass(frozen=True, slots=True)
class Item:
    """What lies behind a figure."""

    person: str
    item: str
    client_id: str
    part: Decimal
    whole: Decimal


def _query(card: str, select: str, after: str = "") -> str:
    return f"""SELECT {select} FROM (SELECT * FROM ({BEHIND[card]}) AS b(person, item, client_id, part, whole)
               WHERE $3::int IS NOT NULL AND $4::int IS NOT NULL) b {after}"""


async def measure(sql: asyncpg.Connection, card: str, day: date, person: str | None, policies: Policies) -> list[Found]:
    """A card as of the end of a day: somebody's, or everybody's."""
    terms = policies.scorecard.on(day).body
    rows = await sql.fetch(
        _query(card, "person, count(*), coalesce(sum(part), 0), coalesce(sum(whole), 0)", "GROUP BY person"),
        day,
        person,
        terms.coverage_days,
        policies.information.on(day).body.targets["C"],
    )
    return [Found(*row) for row in map(tuple, rows)]


async def behind(
    sql: asyncpg.Connection, card: str, day: date, person: str, policies: Policies, after: str, limit: int
) -> list[Item]:
    """The list behind a figure of somebody's, by item."""
    rows = await sql.fetch(
        _query(
            card,
            "person, item, client_id, part, whole",
            'WHERE item COLLATE "C" > $5 ORDER BY item COLLATE "C" LIMIT $6',
        ),
        day,
        person,
        policies.scorecard.on(day).body.coverage_days,
        policies.information.on(day).body.targets["C"],
        after,
        limit,
    )
    return [Item(*row) for row in map(tuple, rows)]


async def measure_month(uow: UnitOfWork, day: date, policies: Policies) -> None:
    """Keep everybody's cards at a month's end, as they are known now; a month kept once stays as it is."""
    version = policies.scorecard.on(day)
    roster, at = await staff.roster(uow.sql), end_of(day) - timedelta(microseconds=1)
    for card in version.body.codes:
        found = await measure(uow.sql, card, day, None, policies)
        branches = [known.branch_id if (known := roster.person(one.person, at)) else None for one in found]
        await uow.sql.execute(
            f"""INSERT INTO card_months ({columns(CardMonth)})
                SELECT $1, n.person, $2, n.branch_id, n.items, n.part, n.whole, $3
                FROM unnest($4::text[], $5::text[], $6::int[], $7::numeric[], $8::numeric[])
                     AS n(person, branch_id, items, part, whole) ON CONFLICT DO NOTHING""",
            day,
            card,
            version.name,
            [one.person for one in found],
            branches,
            [one.items for one in found],
            [one.part for one in found],
            [one.whole for one in found],
        )


async def kept(
    sql: asyncpg.Connection,
    since: date,
    until: date,
    person: str | None,
    scope: str = "true",
    arguments: Sequence[Any] = (),
) -> list[CardMonth]:
    """Cards as they were kept at the months' ends between two days; a scope's arguments begin at $4."""
    return await fetch(
        sql,
        CardMonth,
        f"""SELECT {columns(CardMonth)} FROM card_months WHERE month_end BETWEEN $1 AND $2
              AND ($3::text IS NULL OR person = $3) AND {scope} ORDER BY month_end, person, card""",
        since,
        until,
        person,
        *arguments,
    )


def achieved(found: Decimal | None, target: Decimal, better: str) -> Decimal | None:
    """How much of a target is reached, in per cent, at most 100: of one that is to be low, what is over it takes away as much."""
    if found is None:
        return None
    if better == "lower":
        reached = (
            HUNDRED
            if found <= target
            else max(HUNDRED - HUNDRED * (found - target) / max(target, Decimal(1)), Decimal(0))
        )
    else:
        reached = min(HUNDRED * found / target, HUNDRED)
    return reached.quantize(TENTH, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Scored:
    """Somebody's scorecard: process and result, whether the process is good enough for the result to count, the total, the place.

    `items`: the clients it rests on; on fewer than the version asks for nobody is ranked."""

    person: str
    branch_id: str | None
    items: int
    process: Decimal | None
    result: Decimal | None
    counts: bool
    total: Decimal | None
    rank: int | None


def score(
    reached: Mapping[str, Decimal | None], terms: Cards
) -> tuple[Decimal | None, Decimal | None, bool, Decimal | None]:
    """Process, result, whether the result counts, and the total: process first, then incremental commission [A23]."""
    process = _weighed(reached, terms, "process")
    result = _weighed(reached, terms, "result")
    counts = process is not None and process >= terms.gate
    weights = {kind: sum(one.weight for one in terms.cards if one.kind == kind and reached.get(one.code) is not None)
               for kind in ("process", "result")}  # fmt: skip
    if process is None:
        return None, result, False, None
    earned = process * weights["process"] + (
        result * weights["result"] if counts and result is not None else Decimal(0)
    )
    return process, result, counts, (earned / sum(weights.values())).quantize(TENTH, ROUND_HALF_UP)


def _weighed(reached: Mapping[str, Decimal | None], terms: Cards, kind: str) -> Decimal | None:
    own = [
        (one.weight, value) for one in terms.cards if one.kind == kind and (value := reached.get(one.code)) is not None
    ]
    weight = sum(weight for weight, _ in own)
    return (sum((w * v for w, v in own), Decimal(0)) / weight).quantize(TENTH, ROUND_HALF_UP) if weight else None


def ranked(found: Sequence[CardMonth], version: Version[Cards]) -> list[Scored]:
    """Scorecards of a month, the best first; whoever has too few clients has no place [A23]."""
    terms = version.body
    of: defaultdict[str, dict[str, CardMonth]] = defaultdict(dict)
    for one in found:
        of[one.person][one.card] = one
    scored = [_scored(person, own, terms) for person, own in of.items()]
    placed = sorted((one for one in scored if one.items >= terms.least_items and one.total is not None), key=_order)
    places = {one.person: _place(one, placed) for one in placed}
    return sorted(
        (Scored(o.person, o.branch_id, o.items, o.process, o.result, o.counts, o.total, places.get(o.person)) for o in scored),
        key=lambda one: (one.rank is None, one.rank or 0, one.person),
    )  # fmt: skip


def _order(one: Scored) -> tuple[Decimal, str]:
    return (-(one.total or Decimal(0)), one.person)


def _place(one: Scored, placed: Sequence[Scored]) -> int:
    """Equals share a place."""
    return 1 + sum((other.total or 0) > (one.total or 0) for other in placed)


def _scored(person: str, own: Mapping[str, CardMonth], terms: Cards) -> Scored:
    reached = {
        card.code: achieved(Found(person, at.items, at.part, at.whole).percent, Decimal(card.target), card.better)
        for card in terms.cards
        if (at := own.get(card.code)) is not None
    }
    items = own[terms.counted_by].items if terms.counted_by in own else 0
    branch = next(iter(own.values())).branch_id
    return Scored(person, branch, items, *score(reached, terms), None)
