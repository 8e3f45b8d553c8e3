"""What a closed day does here, and what late facts left to do. Both run under the closer's lock."""

from collections.abc import Sequence
from datetime import date, timedelta

from chassis.clock import end_of, is_month_end, month_end
from chassis.uow import UnitOfWork
from services.classification import group_closing, history, months, tiers

CLIENTS_AT_ONCE = 5_000
ONE_DAY = timedelta(days=1)


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """Close business dates, one after another."""
    for day in days:
        uow.happened_at = min(uow.now, end_of(day))
        await _close_day(day, uow)


async def _close_day(day: date, uow: UnitOfWork) -> None:
    """Close a business date: at a month end the classes [K2], then the tiers [T7], then value and groups [V1, K7].

    All take effect the day after.
    """
    if not await uow.sql.fetchval("SELECT EXISTS (SELECT FROM clients)"):
        return
    if is_month_end(day):
        policies = await months.policies_on(uow.sql, day)
        async with months.whole_tables(uow.sql, True):
            changes = await months.close_month(uow.sql, day, policies, None)
        await history.record_classes(uow, changes)
    begins = await uow.sql.fetchval("SELECT first IS NULL FROM closed_days")
    await history.record_tiers(uow, await tiers.evaluate(uow.sql, day, None, history_begins=begins))
    await group_closing.close_day(day, uow)


async def catch_up(through: date, uow: UnitOfWork) -> bool:
    """Evaluate clients again from the first day a late fact counts for, day by day as their closes would have."""
    rows = await uow.sql.fetch(
        """WITH first AS (SELECT client_id, min(day) AS day FROM late WHERE day <= $1
                          GROUP BY client_id ORDER BY min(day), client_id LIMIT $2)
           DELETE FROM late l USING first f WHERE l.client_id = f.client_id AND l.day <= $1
           RETURNING l.client_id, f.day""",
        through,
        CLIENTS_AT_ONCE,
    )
    if not rows:
        return False
    first_closed: date = await uow.sql.fetchval("SELECT first FROM closed_days")
    since = {client_id: day for client_id, day in rows}  # noqa: C416 - rows are records, not pairs
    await _months_again(uow, since, first_closed, through)
    await _tiers_again(uow, {c: max(day, first_closed) for c, day in since.items()}, through)
    await group_closing.again(uow, since, first_closed, through)
    return True


async def _months_again(uow: UnitOfWork, since: dict[str, date], first_closed: date, through: date) -> None:
    clients = sorted(since)
    await uow.sql.execute(
        """DELETE FROM months m USING unnest($1::text[], $2::date[]) AS n(client_id, day)
           WHERE m.client_id = n.client_id AND m.month_end >= n.day""",
        clients,
        [since[c] for c in clients],
    )
    changes = []
    last = month_end(first_closed)
    while last <= through:
        concerned = [c for c in clients if since[c] <= last]
        if concerned:
            policies = await months.policies_on(uow.sql, last)
            changes += await months.close_month(uow.sql, last, policies, concerned)
        last = month_end(last + ONE_DAY)
    await history.record_classes(uow, changes, since)


async def _tiers_again(uow: UnitOfWork, since: dict[str, date], through: date) -> None:
    await tiers.stand_at(uow.sql, since)
    planned = await tiers.days_to_evaluate(uow.sql, since, through)
    found: list[tiers.Evaluation] = []
    day = min(since.values())
    while day <= through:
        checks = await tiers.checks_due(uow.sql, sorted(since), through)
        upcoming = [d for d in (*planned, *checks) if d >= day]
        if not upcoming:
            break
        day = min(upcoming)
        concerned = {c for c in (*planned.get(day, ()), *checks.get(day, ())) if since[c] <= day}
        found += await tiers.evaluate(uow.sql, day, sorted(concerned))
        day += ONE_DAY
    await history.record_tiers(uow, found, since)
