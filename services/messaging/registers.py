"""The daily register of suitability, told by message to the directors whose seats it names [4.3]."""

from collections.abc import Sequence
from datetime import timedelta

from chassis import staff
from chassis.clock import end_of
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.suitability import RegisterMade
from services.messaging import messages
from services.messaging.messages import Wanted

KIND = "register_made"
GOOD_FOR = timedelta(days=7)
"""From the day of the register on: whoever hears of it later finds it in their list alone."""


async def tell(made: Sequence[RegisterMade], uow: UnitOfWork) -> None:
    """A message to whoever acts for each seat, once for each revision; nobody is written to of days long gone."""
    if await uow.cached(timeline) is not Timeline.REAL:
        return
    people = await staff.roster(uow.sql)
    wanted = []
    for one in made:
        limit, unit = end_of(one.register_date + GOOD_FOR), one.branch_id or staff.HQ
        if limit <= uow.now:
            continue
        holders = [people.holder(unit, seat, uow.now) for seat in one.seats]
        wanted += [
            Wanted(
                staff_id=person, kind=KIND, cause=f"{unit}/{one.register_date.isoformat()}/{one.revision}",
                fields={"day": one.register_date.isoformat(), "unit": unit, "assessed": str(one.assessed)},
                asked_by="suitability", asked_at=uow.now, not_after=limit, required=True,
            )
            for person in sorted({holder.staff_id for holder in holders if holder is not None})
        ]  # fmt: skip
    await messages.ask(uow, wanted, uow.now)
