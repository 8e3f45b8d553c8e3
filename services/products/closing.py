"""What a closed day does, and what late facts leave to do."""

from collections.abc import Sequence
from datetime import date, timedelta

from chassis.uow import UnitOfWork
from services.products import library


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """What begins with the day after: products and floors of a new version of the catalogue."""
    await library.take_effect(uow, days[-1] + timedelta(days=1))
