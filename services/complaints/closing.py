"""The day's close: its clusters, and the packs of the periods that end with it. Everything that was due by its end has fired before."""

from collections.abc import Sequence
from datetime import date

from chassis.uow import UnitOfWork
from services.complaints import radar
from services.complaints.packs import making


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """Close business dates, one after another."""
    for day in days:
        await _close_day(day, uow)


async def _close_day(day: date, uow: UnitOfWork) -> None:
    """Close a business date."""
    await radar.look(uow, day)
    await making.make_due(uow, day)


async def catch_up(through: date, uow: UnitOfWork) -> bool:
    """Judge the days again that late cases fell on; True: there may be more."""
    day: date | None = await uow.sql.fetchval(
        "DELETE FROM radar_due WHERE day = (SELECT min(day) FROM radar_due WHERE day <= $1) RETURNING day", through
    )
    if day is not None:
        await radar.look(uow, day)
    return day is not None
