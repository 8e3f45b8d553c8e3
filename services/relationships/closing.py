"""What a closed day does: at a month's end, everybody's completeness is kept [CI5], how often managers were in contact [A7], and
everybody's scorecard [A23]; each day, prospects with whom nobody talks any more are erased [CI12]."""

from collections.abc import Sequence
from datetime import date

from chassis.clock import is_month_end
from chassis.uow import UnitOfWork
from services.relationships import cadence, information, prospects, scorecards
from services.relationships.policy import Policies


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """Close business dates, one after another."""
    policies = await uow.policies(Policies)
    for day in days:
        await prospects.erase_forgotten(uow, day, policies.prospects.on(day).body.keep_months)
    for day in filter(is_month_end, days):
        await information.score_month(uow, day, policies.information.on(day))
        await cadence.measure_month(uow, day, policies.cadence.on(day))
        await scorecards.measure_month(uow, day, policies)
