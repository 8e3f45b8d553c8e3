"""What a client seems to hold elsewhere (系统外价值): an estimate from the quota for new issues, with its date [A27].

The exchanges grant a quota for each market from what a client holds in all; what it implies above what they hold here lies
elsewhere. An estimate: it says its method, from which figures, of when, and until when it counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import asyncpg

from chassis.rows import Column, Row, columns, lists, table
from chassis.uow import UnitOfWork
from contracts.broker import QuotaReported
from services.relationships.policy import HeldAway
from services.relationships.rules import QUOTA_DAYS
from services.relationships.tables import metadata

NOTHING, CENT = Decimal(0), Decimal("0.01")


class Quota(Row, frozen=True):
    """A client's quota for new issues of a market at the end of a day; the word with the highest (at, fact_id) is in force."""

    client_id: Annotated[str, Column(primary_key=True)]
    market: Annotated[str, Column(primary_key=True)]
    as_of: Annotated[date, Column(primary_key=True)]
    quota: Decimal
    at: datetime
    fact_id: str


quotas = table("quotas", metadata, Quota)


async def keep_quotas(events: Sequence[QuotaReported], uow: UnitOfWork) -> None:
    """Quotas by market and day."""
    best: dict[tuple[str, str, date], Quota] = {}
    for event, record in zip(events, uow.records(QuotaReported), strict=True):
        one = Quota(event.client_id, event.market, event.as_of, event.quota, record.time, record.id)
        known = best.get((one.client_id, one.market, one.as_of))
        if known is None or (known.at, known.fact_id) < (one.at, one.fact_id):
            best[one.client_id, one.market, one.as_of] = one
    await uow.sql.execute(
        f"""INSERT INTO quotas AS q ({columns(Quota)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::numeric[], $5::timestamptz[], $6::text[])
            ON CONFLICT (client_id, market, as_of) DO UPDATE SET quota = excluded.quota, at = excluded.at,
                fact_id = excluded.fact_id
            WHERE (q.at, q.fact_id) < (excluded.at, excluded.fact_id)""",
        *lists([best[place] for place in sorted(best)]),
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a client seems to hold elsewhere. `as_of`: the day of the latest quota; `here`: the mean of what is held here in the
    days the quota looks at; `quotas`: of each market the latest."""

    client_id: str
    value: Decimal
    implied: Decimal
    here: Decimal
    as_of: date
    valid_until: date
    quotas: Mapping[str, Decimal]


def estimate(
    client_id: str, latest: Mapping[str, tuple[date, Decimal]], here: Decimal, terms: HeldAway
) -> Estimate | None:
    """What the quota of each market implies, less what is held here, never under nought; None without a quota [A27]."""
    if not latest:
        return None
    each = {market: quota * terms.per_share.get(market, terms.other) for market, (_, quota) in latest.items()}
    implied = sum(each.values(), NOTHING).quantize(CENT)
    as_of = max(day for day, _ in latest.values())
    return Estimate(
        client_id, max(implied - here, NOTHING).quantize(CENT), implied, here, as_of,
        as_of + timedelta(days=QUOTA_DAYS - 1), {market: quota for market, (_, quota) in sorted(latest.items())},
    )  # fmt: skip


QUERY = """
    SELECT q.client_id, array_agg(q.market ORDER BY q.market), array_agg(q.as_of ORDER BY q.market),
           array_agg(q.quota ORDER BY q.market),
           coalesce((SELECT round(avg(v.market_value), 2) FROM valuations v WHERE v.client_id = q.client_id
                     AND v.as_of <= max(q.as_of) AND v.as_of > max(q.as_of) - $3::int), 0)
    FROM (SELECT DISTINCT ON (client_id, market) client_id, market, as_of, quota FROM quotas
          WHERE client_id = ANY($1::text[]) AND as_of <= $2 AND as_of > $2::date - $4::int
          ORDER BY client_id, market, as_of DESC) q
    GROUP BY q.client_id"""
"""$1: clients, $2: the day, $3: days of what is held here, $4: for how many days a quota counts."""


async def estimates(sql: asyncpg.Connection, clients: Sequence[str], day: date, terms: HeldAway) -> dict[str, Estimate]:
    """The estimates of clients on a day, of those there are any of."""
    found = {}
    for client_id, markets, days, given, here in await sql.fetch(
        QUERY, list(clients), day, terms.window_days, QUOTA_DAYS
    ):
        latest = dict(zip(markets, zip(days, given, strict=True), strict=True))
        if (one := estimate(client_id, latest, here, terms)) is not None:
            found[client_id] = one
    return found
