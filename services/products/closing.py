"""What a closed day does."""

from collections.abc import Sequence
from datetime import date, timedelta

from chassis.uow import UnitOfWork
from services.products import (
    charges,
    clients,
    club,
    club_events,
    entitlements,
    library,
    offers,
    price_notices,
    rates,
    subscriptions,
)


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """What a day is charged, and what begins with each day after: a new version of the catalogue, subscriptions that begin and end [S5], the club [H1]."""
    await offers.forget(uow)
    for day in days:
        following = day + timedelta(days=1)
        await charges.close_day(uow, day)
        await library.take_effect(uow, following)
        await rates.take_effect(uow, following)
        await price_notices.ask(uow, day)
        await entitlements.take_effect(uow, following)
        concerned = await subscriptions.concerned(uow, following)
        if concerned:
            await subscriptions.close_day(uow, following, await clients.lock(uow, concerned))
            await subscriptions.follow(uow, concerned, following)
        await club.close_day(uow, day, following)
        await club_events.close_day(uow, following)
