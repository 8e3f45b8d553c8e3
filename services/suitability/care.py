"""The watch on care: settled high-risk buys of elderly or vulnerable clients that nobody had looked at before [Art. 20]."""

from collections.abc import Mapping
from datetime import date, timedelta

from chassis.uow import UnitOfWork
from contracts.suitability import GamingSuspected
from services.suitability import gaming
from services.suitability.gaming import GamingFinding
from services.suitability.policy import Policies
from services.suitability.situations import BOUGHT, BUYS, Bought, age_of, needed_of_buy, professional, vulnerable

# Buys of ordinary investors who may be owed care, without a confirmation that another person had checked by then.
_UNLOOKED = f"""
    SELECT {BOUGHT}, c.birth_year, c.kind, {vulnerable("t.client_id", "t.trade_date")}
    FROM unnest($1::text[], $2::date[]) AS d(client_id, since)
    JOIN clients c ON c.client_id = d.client_id
         AND (c.birth_year <= $4 OR $5 AND c.birth_year IS NULL OR EXISTS (SELECT FROM vulnerabilities v WHERE v.client_id = c.client_id))
    JOIN {BUYS} t ON t.client_id = d.client_id AND t.trade_date BETWEEN d.since AND $3
    WHERE NOT {professional("t.client_id", "t.trade_date")}
      AND NOT EXISTS (SELECT FROM confirmations k WHERE k.client_id = t.client_id AND k.product = t.symbol
                      AND k.confirmed_at <= t.settled_at AND k.valid_until >= t.trade_date AND k.checked_by IS NOT NULL)
    ORDER BY t.trade_date, t.client_id, t.trade_id"""


async def buys_without_care(uow: UnitOfWork, since: Mapping[str, date], through: date) -> list[GamingSuspected]:
    """High-risk buys that care was owed for and not given, of clients each from a day on. Returns the findings that are new,
    by the day of the purchase."""
    policies = await uow.policies(Policies)
    youngest = through.year - min(version.body.elderly_age for version in policies.suitability.all)
    unknown = any(version.body.care_when_age_unknown for version in policies.suitability.all)
    new: list[GamingSuspected] = []
    found_buys = await uow.sql.fetch(_UNLOOKED, list(since), list(since.values()), through, youngest, unknown)
    for *columns, birth_year, client_kind, stated in found_buys:
        row = Bought(*columns)
        day = row.trade_date
        policy = policies.on(day)
        needed = needed_of_buy(row, policy)
        age = age_of(birth_year, day)
        owed = stated or policy.is_elderly(age) or policy.age_is_missing(age, client_kind)
        if needed is None or needed < policy.high_risk_rank or not owed:
            continue
        detail = {"trade_id": row.trade_id, "symbol": row.symbol}
        found = GamingFinding("high_risk_without_care", f"client/{row.client_id}", row.client_id, row.branch_id, detail)
        new += await gaming.keep(uow, [found], day, day - timedelta(days=policy.gaming.window_days - 1))
    return new
