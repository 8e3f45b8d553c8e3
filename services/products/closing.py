"""What a closed day does."""

from collections.abc import Sequence
from datetime import date, timedelta

from chassis.uow import UnitOfWork
from services.products import clients, library, offers, subscriptions


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """What begins with each day after: a new version of the catalogue, subscriptions that begin and end [S5]."""
    await offers.forget(uow)
    for day in days:
        following = day + timedelta(days=1)
        await library.take_effect(uow, following)
        concerned = await subscriptions.concerned(uow, following)
        if concerned:
            await subscriptions.close_day(uow, following, await clients.lock(uow, concerned))
            await subscriptions.follow(uow, concerned, following)
