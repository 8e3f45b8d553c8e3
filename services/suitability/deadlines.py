"""Time in: what a closed business date does. Expiries, reminders, buys judged, drift, patterns of gaming [Q5]."""

from collections.abc import Sequence
from datetime import date, timedelta

from chassis.clock import end_of
from chassis.uow import UnitOfWork
from contracts.suitability import AssessmentExpired, AssessmentExpiring
from services.suitability import drift, gaming, judging, products
from services.suitability.policy import policy_on
from services.suitability.situations import NOT_REJECTED

DUE_AT_ONCE = 5_000

# An assessment that ends with nothing to follow it, of a client whose account is open.
_ENDING = f"""
    SELECT a.assessment_id, a.client_id, a.scheme, a.level, a.valid_until, c.branch_id
    FROM assessments a LEFT JOIN clients c USING (client_id)
    WHERE a.valid_until = ANY($1::date[]) AND a.valid_from <= $2 AND {NOT_REJECTED}
      AND (c.closed_on IS NULL OR c.closed_on > $2)
      AND NOT EXISTS (SELECT FROM assessments b WHERE b.client_id = a.client_id AND b.valid_from <= $2
                      AND (b.valid_until, b.valid_from, b.number) > (a.valid_until, a.valid_from, a.number)
                      AND NOT EXISTS (SELECT FROM reviews r WHERE r.assessment_id = b.assessment_id
                                      AND r.state = 'rejected'))
    ORDER BY a.client_id"""


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """Close business dates, one after another."""
    for day in days:
        uow.happened_at = min(uow.now, end_of(day))
        await _close_day(day, uow)


async def _close_day(day: date, uow: UnitOfWork) -> None:
    """Everything the end of a business date means here."""
    if not await uow.sql.fetchval("SELECT EXISTS (SELECT FROM clients) OR EXISTS (SELECT FROM due)"):
        return
    first_close = await uow.sql.fetchval("SELECT through IS NULL FROM closed_days")
    while await _judge_due(day, uow, watch=not first_close) >= DUE_AT_ONCE:
        pass
    await _tell_endings(day, uow)
    await products.take_effect(uow, day)
    await gaming.look(uow, day)


async def catch_up(through: date, uow: UnitOfWork) -> bool:
    """What facts about closed days left to do: some clients at a time."""
    return await _judge_due(through, uow, watch=True) > 0


async def _judge_due(through: date, uow: UnitOfWork, *, watch: bool) -> int:
    """Judge buys of some clients that facts came for; on changes of level, look for drift. Returns how much was due."""
    rows = await uow.sql.fetch(
        """DELETE FROM due WHERE id IN (SELECT id FROM due WHERE day <= $1 ORDER BY day LIMIT $2)
           RETURNING client_id, day, levels""",
        through,
        DUE_AT_ONCE,
    )
    if not rows:
        return 0
    since: dict[str, date] = {}
    changed: dict[date, set[str]] = {}
    for row in rows:
        since[row["client_id"]] = min(row["day"], since.get(row["client_id"], row["day"]))
        if row["levels"]:
            changed.setdefault(row["day"], set()).add(row["client_id"])
    await judging.judge(uow, since, through)
    if watch:
        for day, clients in sorted(changed.items()):
            lowered = await drift.lowered(uow, sorted(clients), day - timedelta(days=1))
            await drift.look_at_clients(uow, lowered, "level_lowered", through)
    return len(rows)


async def _tell_endings(day: date, uow: UnitOfWork) -> None:
    """Reminders before the end, and on the last day the expiry, with what it no longer covers [Q5]."""
    days_left = {day + timedelta(days=days): days for days in (0, *policy_on(day).reminder_days)}
    ending = await uow.sql.fetch(_ENDING, list(days_left), day)
    ended = [row for row in ending if row["valid_until"] == day]
    uow.emit_all(
        AssessmentExpiring(**dict(row), days_left=days_left[row["valid_until"]])
        for row in ending
        if row["valid_until"] != day
    )
    uow.emit_all(AssessmentExpired(**dict(row)) for row in ended)
    tomorrow = day + timedelta(days=1)
    await drift.look_at_clients(uow, [row["client_id"] for row in ended], "assessment_expired", tomorrow)
