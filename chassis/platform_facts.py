"""What every service is told of the platform, and what it does about it: the consumer puts these before its handlers."""

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from chassis.calendars import current
from chassis.clocks.store import replan_all
from chassis.replans import Replan, replan
from chassis.service import Handler, Service
from chassis.timeline import keep_timeline
from chassis.uow import UnitOfWork
from contracts.base import Event
from contracts.platform import CalendarPublished, TimelineDecided


async def keep_calendars(
    events: Sequence[CalendarPublished], uow: UnitOfWork, replans: Mapping[str, Replan] | None = None
) -> None:
    """Keep published versions and re-plan what is open: every clock, then what the service's `replans` know of; the
    handler of `platform.calendar.published`."""
    before = await current(uow.sql)
    for event in events:
        await uow.sql.execute(
            """INSERT INTO calendars (number, rows, hours, published_at, published_by, checked_by)
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING""",
            event.number,
            msgspec.to_builtins(event.rows),
            msgspec.to_builtins(event.hours),
            event.published_at,
            event.published_by,
            event.checked_by,
        )
    after = await current(uow.sql)
    if after.version != before.version:
        await replan_all(uow, after)
        await replan(uow, replans or {}, before, after)


def handlers_of(service: Service) -> Mapping[type[Event], Handler]:
    """The handler of everything a service hears."""
    if not service.listens:
        return {}
    keep = partial(keep_calendars, replans=service.replans)
    return {TimelineDecided: keep_timeline, CalendarPublished: keep, **service.listens}
