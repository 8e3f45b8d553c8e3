"""Time in: what a closed business date does. Expiries, reminders, buys judged, drift, patterns of gaming [Q5]."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

import asyncpg

from chassis.clock import end_of
from chassis.uow import UnitOfWork
from contracts.base import Event
from contracts.suitability import AssessmentExpired, AssessmentExpiring, MatchDrifted, ProfessionalExpired
from services.suitability import care, drift, gaming, judging, products, professionals, sale_holds, stated
from services.suitability.history import counts
from services.suitability.policy import Policies
from services.suitability.reports import daily
from services.suitability.tables import CLIENTS

DUE_AT_ONCE = 5_000
ONE_DAY = timedelta(days=1)

# An assessment that ends with nothing to follow it, of a client whose account is open, in the branch of that day.
_ENDING = f"""
    SELECT d.day, d.days_left, a.assessment_id, a.client_id, a.scheme, a.level, a.valid_until, {CLIENTS.on("branch_id")}
    FROM unnest($1::date[], $2::int[]) AS d(day, days_left)
    JOIN assessments a ON a.valid_until = d.day + d.days_left AND a.valid_from <= d.day
    LEFT JOIN clients c ON c.client_id = a.client_id {CLIENTS.join("d.day")}
    WHERE {counts("a")} AND (c.closed_on IS NULL OR c.closed_on > d.day)
      AND NOT EXISTS (SELECT FROM assessments b WHERE b.client_id = a.client_id AND b.valid_from <= d.day
                      AND (b.assessed_at, b.number) > (a.assessed_at, a.number)
                      AND {counts("b")})
    ORDER BY d.day, d.days_left = 0, a.client_id"""
_ENDING_FIELDS = ("assessment_id", "client_id", "scheme", "level", "valid_until", "branch_id")

Told = defaultdict[date, list[Event]]
"""What is to be told of each of the days being closed, in order."""


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """Everything the end of some business dates in a row means here: each step once for all of them."""
    if not await uow.sql.fetchval("SELECT EXISTS (SELECT FROM clients) OR EXISTS (SELECT FROM due)"):
        return
    first_close = await uow.sql.fetchval("SELECT through IS NULL FROM closed_days")
    told: Told = defaultdict(list)
    touched = set(days)
    while await _judge_due(days, uow, told, touched, watch=not first_close) >= DUE_AT_ONCE:
        pass
    await _endings(days, uow, told)
    await stated.seal_earlier(uow)
    await sale_holds.lift_late(uow, days[-1])
    for day, placed in (await sale_holds.place(uow, days)).items():
        told[day] += placed
    for drifted in await products.take_effect(uow, days):
        told[drifted.found_on - ONE_DAY].append(drifted)
    for found in await gaming.look(uow, days):
        told[found.found_on].append(found)
    for register in await daily.make(uow, days if first_close else touched):
        told[max(register.register_date, days[0])].append(register)
    for day in days:
        uow.emit_all(told[day], at=min(uow.now, end_of(day)))


async def catch_up(through: date, uow: UnitOfWork) -> bool:
    """What facts about closed days left to do: some clients at a time."""
    told: Told = defaultdict(list)
    late: set[date] = set()
    due = await _judge_due([through], uow, told, late, watch=True)
    uow.emit_all([*told[through], *await daily.make(uow, late)])
    return due > 0


async def _judge_due(days: Sequence[date], uow: UnitOfWork, told: Told, touched: set[date], *, watch: bool) -> int:
    """Judge buys of some clients that facts came for; on changes of level, look for drift. Returns how much was due; the days
    it was due for, whose registers may be others, are added to `touched`.

    What concerns days before these is told of the first of them.
    """
    rows = await uow.sql.fetch(
        """DELETE FROM due WHERE id IN (SELECT id FROM due WHERE day <= $1 ORDER BY day LIMIT $2)
           RETURNING client_id, product, day, cause""",
        days[-1],
        DUE_AT_ONCE,
    )
    if not rows:
        return 0
    since: dict[str, date] = {}
    for client, product, day, cause in rows:
        if product is None and cause not in ("permission", "permission_ended"):
            touched.add(day)
        if client is not None and product is None:
            since[client] = min(day, since.get(client, day))
    told_of = [(product, day) for client, product, day, cause in rows if product and client is None and cause is None]
    for client, day in await judging.buyers(uow, told_of, days[-1]):
        since[client] = min(day, since.get(client, day))
    for found in await judging.judge(uow, since, days[-1]):
        told[max(found.trade_date, days[0])].append(found)
    for suspected in await gaming.rises_before_purchases(uow, since, days[-1]):
        told[max(suspected.found_on, days[0])].append(suspected)
    for suspected in await care.buys_without_care(uow, since, days[-1]):
        told[max(suspected.found_on, days[0])].append(suspected)
    if watch:
        for drifted in await _drift_of(rows, days, uow):
            told[drifted.found_on].append(drifted)
    return len(rows)


async def _drift_of(rows: Sequence[asyncpg.Record], days: Sequence[date], uow: UnitOfWork) -> list[MatchDrifted]:
    """What no longer matches by the causes noted, of each as of its day, or the first of these if that is over."""
    changed = sorted({(client, day) for client, _, day, cause in rows if cause == "level_lowered"})
    lowered = {(client, max(day, days[0])) for client, day in await drift.lowered(uow, changed)}
    lowered |= {(client, max(day, days[0])) for client, _, day, cause in rows if cause == "level_ended"}
    found = await drift.look_at_clients(uow, [(client, day, day) for client, day in sorted(lowered)], "level_lowered")
    unpermitted = sorted({(client, max(day, days[0])) for client, _, day, cause in rows if cause == "permission_ended"})
    found += await drift.look_at_clients(uow, [(client, day, day) for client, day in unpermitted], "permission_ended")
    of_products: tuple[drift.Cause, ...] = ("class_raised", "off_shelf")
    for wanted in of_products:
        changed = sorted({(code, max(day, days[0])) for _, code, day, cause in rows if cause == wanted})
        found += await drift.look_at_products(uow, [(code, day, day) for code, day in changed], wanted)
    again = sorted(
        {(client, code, max(day, days[0])) for client, code, day, cause in rows if cause == "trade_cancelled"}
    )
    held = sorted({(client, day, day) for client, _, day in again})
    return [
        *found,
        *await drift.look_at_clients(uow, held, "trade_cancelled", {(client, code) for client, code, _ in again}),
    ]


async def _endings(days: Sequence[date], uow: UnitOfWork, told: Told) -> None:
    """Reminders before the end, and on the last day the expiry, with what it no longer covers [Q5]."""
    policies = await uow.policies(Policies)
    looked = [(day, left) for day in days for left in (0, *policies.on(day).reminder_days)]
    ended = []
    for day, days_left, *ending in await uow.sql.fetch(_ENDING, *zip(*looked, strict=True)):
        fields = dict(zip(_ENDING_FIELDS, ending, strict=True))
        if days_left:
            told[day].append(AssessmentExpiring(**fields, days_left=days_left))
        else:
            told[day].append(AssessmentExpired(**fields))
            ended.append((fields["client_id"], day + ONE_DAY, day))
    for drifted in await drift.look_at_clients(uow, ended, "assessment_expired"):
        told[drifted.found_on - ONE_DAY].append(drifted)
    ordinary = []
    for day, event in await professionals.endings(uow, looked):
        told[day].append(event)
        if isinstance(event, ProfessionalExpired):
            ordinary.append((event.client_id, day + ONE_DAY, day))
    for drifted in await drift.look_at_clients(uow, ordinary, "professional_ended"):
        told[drifted.found_on - ONE_DAY].append(drifted)
