"""The client information set: values as dated facts, what is in force on a day, the scores [CI1 to CI9]."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import asyncpg

from chassis.clock import months_after
from chassis.policy import Version
from chassis.rows import columns, fetch, lists
from chassis.uow import UnitOfWork
from services.relationships.held_away import Estimate, estimates
from services.relationships.policy import Information, Policies
from services.relationships.rules import (
    INCLUDES,
    LONGEST_DAYS,
    Indicator,
    Known,
    Scores,
    SetCode,
    gaps,
    required,
    scores,
)
from services.relationships.system import BASE, FILLED, KEPT_BY, SET, SHOWN
from services.relationships.tables import Completeness, Value

WITHDRAWN = "withdrawn"
HELD_AWAY = "CI-A26"
CLIENTS_AT_ONCE = 20_000
IN_FORCE = f"""
    SELECT DISTINCT ON (client_id, code) {columns(Value)} FROM information_values
    WHERE client_id = ANY($1::text[]) AND day <= $2
    ORDER BY client_id, code, day DESC, own DESC, at DESC, fact_id DESC"""
"""Of each client's values of a code the one in force on a day [CI2]. The clients are always named: with "all of them, or these" in one
statement a plan made for any list reads the whole table, and compares each row with each of the list."""
COUNTED = """
    SELECT DISTINCT ON (client_id, code) client_id, code, day, state, until FROM information_values
    WHERE client_id = ANY($1::text[]) AND code = ANY($3::text[]) AND day <= $2
    ORDER BY client_id, code, day DESC, own DESC, at DESC, fact_id DESC"""
"""The same of what scores rest on: no more of a row than they need."""


async def keep(uow: UnitOfWork, values: Sequence[Value]) -> None:
    """Keep values; one known already is left as it is."""
    if not values:
        return
    await uow.sql.execute(
        f"""INSERT INTO information_values ({columns(Value)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::bool[], $5::timestamptz[], $6::text[], $7::text[],
                                 $8::text[], $9::text[], $10::text[], $11::bytea[], $12::text[], $13::date[], $14::text[],
                                 $15::timestamptz[])
            ON CONFLICT DO NOTHING""",
        *lists(values),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """An indicator of a client on a day: what is known, what is shown of it, and whether it counts."""

    indicator: Indicator
    known: Known | None
    value: Value | None
    shown: str | None
    kept_by: str | None
    share: Decimal
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything known of a client on a day, in the order of the set."""

    client_id: str
    branch_id: str | None
    day: date
    of: SetCode
    tier: str
    core: bool
    policy: Version[Information]
    lines: Sequence[Line]

    @property
    def counted(self) -> Mapping[str, Decimal]:
        """Which share of each indicator's weight counts."""
        return {line.indicator.code: line.share for line in self.lines}

    @property
    def scores(self) -> Scores:
        """Both scores [CI5]."""
        return scores(self.policy.body.indicators.values(), self.of, self.counted)

    @property
    def target(self) -> int:
        """What the entered score should be [CI5]: prospects and lost clients are asked for as others are."""
        targets = self.policy.body.targets
        return targets["C"] if self.core else targets["G"] if self.of in ("G", "C") else targets["N"]

    def gaps(self, sources: str) -> list[Indicator]:
        """What is missing and can be entered by somebody, the heaviest first [CI7]."""
        return gaps(self.policy.body.indicators.values(), self.of, self.counted, sources)


async def sheets(
    sql: asyncpg.Connection, clients: Sequence[str], day: date, policy: Version[Information]
) -> dict[str, Sheet]:
    """What is known of clients on a day, by client."""
    filled, shown = ", ".join(FILLED.values()), ", ".join(SHOWN.get(code, "NULL::text") for code in FILLED)
    rows = await sql.fetch(
        f"""SELECT b.client_id, b.branch_id, b.tier, b.core, {SET} AS of,
                   ARRAY[{filled}] AS filled, ARRAY[{shown}] AS shown
            FROM ({BASE}) b""",
        list(clients),
        day,
    )
    said: defaultdict[str, dict[str, Value]] = defaultdict(dict)
    for value in await fetch(sql, Value, IN_FORCE, list(clients), day):
        if value.state != WITHDRAWN:
            said[value.client_id][value.code] = value
    elsewhere = await _held_away(sql, [row["client_id"] for row in rows if row["filled"][_PLACES[HELD_AWAY]]], day)
    return {
        row["client_id"]: Sheet(
            row["client_id"], row["branch_id"], day, row["of"], row["tier"], row["core"], policy,
            [
                _line(one, row, said[row["client_id"]], day, policy.body, elsewhere.get(row["client_id"]))
                for one in policy.body.indicators.values()
            ],
        )
        for row in rows
    }  # fmt: skip


_PLACES = {code: n for n, code in enumerate(FILLED)}


async def _held_away(sql: asyncpg.Connection, clients: Sequence[str], day: date) -> Mapping[str, Estimate]:
    if not clients:
        return {}
    return await estimates(sql, clients, day, (await Policies.read(sql)).held_away.on(day).body)


def _line(
    one: Indicator,
    row: asyncpg.Record,
    said: Mapping[str, Value],
    day: date,
    policy: Information,
    elsewhere: Estimate | None,
) -> Line:
    if one.code == HELD_AWAY and elsewhere is not None:
        known = Known(one.code, "stated", "E", elsewhere.as_of, elsewhere.valid_until)
        return Line(one, known, None, format(elsewhere.value, "f"), None, known.share(day), elsewhere)
    if one.code in _PLACES:
        place = _PLACES[one.code]
        there = bool(row["filled"][place])
        kept_by = KEPT_BY.get(one.code)
        return Line(one, None, None, row["shown"][place], kept_by, Decimal(int(there)))
    value = said.get(one.code)
    if value is None:
        return Line(one, None, None, None, None, Decimal(0))
    known = Known(one.code, value.state, value.source, value.day, _until(one, value, row["tier"], policy))  # type: ignore[arg-type]
    return Line(one, known, value, value.value, None, known.share(day))


def _until(one: Indicator, value: Value, tier: str, policy: Information) -> date | None:
    if value.state == "stated":
        return one.valid_until(value.day, value.until, tier)
    return months_after(value.day, policy.unknown_months)


def _sum(policy: Information, *, entered: bool) -> str:
    """SQL: the weight of what fills itself, in the set of a row `b`."""
    terms = [
        f"CASE WHEN {condition} AND b.of IN ({_sets(one.set)}) THEN {one.weight} ELSE 0 END"
        for code, condition in FILLED.items()
        if (one := policy.indicators.get(code)) is not None and (one.entered or not entered)
    ]
    return " + ".join(["0", *terms])


def _sets(of: str) -> str:
    return ", ".join(f"'{name}'" for name, includes in INCLUDES.items() if of in includes)


def _scored(policy: Information) -> str:
    """SQL: the scores of clients; $1 clients, $2 the day, $3 to $8 the indicators that have values."""
    needs = {of: required(policy.indicators.values(), of) for of in INCLUDES}
    whole = " ".join(f"WHEN '{of}' THEN {sum(one.weight for one in ones)}" for of, ones in needs.items())
    entered = " ".join(
        f"WHEN '{of}' THEN {sum(one.weight for one in ones if one.entered)}" for of, ones in needs.items()
    )
    includes = " ".join(f"WHEN '{of}' THEN '{letters}'" for of, letters in INCLUDES.items())
    longest = " ".join(f"WHEN '{tier}' THEN {days}" for tier, days in LONGEST_DAYS.items())
    until = f"""CASE WHEN v.state <> 'stated' THEN (v.day + interval '{policy.unknown_months} months')::date
        WHEN i.valid = 'own' THEN v.until WHEN i.valid = 'tier' THEN v.day + CASE s.tier {longest} END
        WHEN i.months > 0 THEN (v.day + make_interval(months => i.months))::date
        WHEN i.days > 0 THEN v.day + i.days END"""
    return f"""
        WITH s AS MATERIALIZED (SELECT b.*, {SET} AS of FROM ({BASE}) b),
        v AS ({COUNTED}),
        i AS (SELECT * FROM unnest($3::text[], $4::int[], $5::text[], $6::bool[], $7::text[], $8::int[], $9::int[])
              AS i(code, weight, set, entered, valid, months, days)),
        said AS (SELECT s.client_id, sum(i.weight * CASE v.state WHEN 'stated' THEN 1.0 ELSE 0.5 END) AS whole,
                        sum(i.weight * CASE v.state WHEN 'stated' THEN 1.0 ELSE 0.5 END) FILTER (WHERE i.entered) AS entered
                 FROM v JOIN i USING (code) JOIN s ON s.client_id = v.client_id
                 WHERE v.state <> '{WITHDRAWN}' AND coalesce({until} >= $2, true)
                   AND position(i.set IN CASE s.of {includes} END) > 0
                 GROUP BY s.client_id)
        SELECT b.client_id, b.branch_id, b.of, b.tier, b.core,
               round(100.0 * ({_sum(policy, entered=False)} + coalesce(said.whole, 0)) / CASE b.of {whole} END, 1) AS whole,
               round(100.0 * ({_sum(policy, entered=True)} + coalesce(said.entered, 0)) / CASE b.of {entered} END, 1)
                   AS entered
        FROM s b LEFT JOIN said USING (client_id)"""


def _with_values(policy: Information) -> list[list[Any]]:
    ones = [one for one in policy.indicators.values() if one.code not in FILLED]
    ages = [one.valid if one.entered or one.valid == "own" else "ever" for one in ones]
    return [
        [one.code for one in ones],
        [one.weight for one in ones],
        [one.set for one in ones],
        [one.entered for one in ones],
        ages,
        [int(age[:-1]) if age[-1] == "m" else 0 for age in ages],
        [int(age[:-1]) if age[-1] == "d" else 0 for age in ages],
    ]


async def score_all(
    sql: asyncpg.Connection, clients: Sequence[str], day: date, policy: Version[Information]
) -> list[asyncpg.Record]:
    """client_id, branch_id, of, whole and entered of clients on a day; as `Sheet.scores` for one."""
    return await sql.fetch(_scored(policy.body), clients, day, *_with_values(policy.body))


async def score_month(uow: UnitOfWork, day: date, policy: Version[Information]) -> None:
    """Keep everybody's scores at a month's end: what was known by then."""
    after = ""
    while clients := [
        row["client_id"]
        for row in await uow.sql.fetch(
            "SELECT client_id FROM clients WHERE client_id > $1 ORDER BY client_id LIMIT $2", after, CLIENTS_AT_ONCE
        )
    ]:
        after = clients[-1]
        await uow.sql.execute(
            f"""INSERT INTO completeness ({columns(Completeness)})
                SELECT client_id, $2, branch_id, of, whole, entered, $10 FROM ({_scored(policy.body)}) scored
                ON CONFLICT (client_id, month_end) DO NOTHING""",
            clients,
            day,
            *_with_values(policy.body),
            policy.name,
        )


def system_value(
    client_id: str, code: str, day: date, at: datetime, fact_id: str, service: str, recorded_at: datetime, *,
    value: str | None = None, sealed: bytes | None = None, until: date | None = None, source: str = "S",
) -> Value:  # fmt: skip
    """A value as an event tells it; without any it is taken back."""
    state = "stated" if value is not None or sealed is not None else WITHDRAWN
    return Value(
        client_id=client_id, code=code, day=day, own=False, at=at, fact_id=fact_id, state=state, source=source,
        person=service, value=value, sealed=sealed, evidence=None, until=until, passed=None, recorded_at=recorded_at,
    )  # fmt: skip
