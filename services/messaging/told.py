"""What other services tell that a client has to be told in turn: points that expire, a tier that ends, subscriptions, the club,
and what no longer suits them.

Only a real home asks for messages of these; each is one message by its kind, client and cause, however often it is told.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from chassis.clock import end_of, month_end
from chassis.timeline import Timeline, timeline, today
from chassis.uow import UnitOfWork
from contracts.classification import TierDowngradeWarned
from contracts.points import LotsExpiring
from contracts.products import ClubChanged, SubscriptionChanged
from contracts.suitability import MatchDrifted
from services.messaging import messages
from services.messaging.messages import Wanted

CODE = 16
"""So much of a code a message shows; of instruments they may be longer."""
RECENT = timedelta(days=7)
"""Of what is told of a longer past, as when a history is written anew, nobody is told."""


async def of_points(events: Sequence[LotsExpiring], uow: UnitOfWork) -> None:
    """So many points expire at the end of a month, 60, 30 and 7 days ahead; not once it is over [4.7a]."""
    day, wanted = await today(uow.sql), list[Wanted]()
    for e in events:
        end = month_end(date.fromisoformat(f"{e.month}-01"))
        if end >= day:
            fields = {"points": str(e.points), "month": e.month}
            cause = f"{e.month}/{e.days_left}"
            wanted.append(_notice(uow, "points_expiring", e.client_id, cause, fields, end))
    await _ask(uow, wanted)


async def of_tiers(events: Sequence[TierDowngradeWarned], uow: UnitOfWork) -> None:
    """A tier ends: at the start of the grace, 30 and 7 days before its end [T4]."""
    day = await today(uow.sql)
    await _ask(
        uow,
        (
            _notice(uow, "tier_grace", e.client_id, f"{e.grace_from}/{e.days_left}", {"on": e.steps_down_on.isoformat()}, e.steps_down_on)
            for e in events
            if e.steps_down_on > day
        ),
    )  # fmt: skip


async def of_subscriptions(events: Sequence[SubscriptionChanged], uow: UnitOfWork) -> None:
    """A subscription ends, or is blocked [S5]."""
    day, wanted = await today(uow.sql), list[Wanted]()
    for e in events:
        for one in e.stretches:
            if one.since < day - RECENT or (one.until is not None and one.until <= day):
                continue
            if one.state == "blocked":
                wanted.append(
                    _notice(uow, "subscription_blocked", e.client_id, f"{one.code}/{one.since}", {"product": one.code})
                )
            elif one.state == "ending" and one.until:
                fields = {"product": one.code, "until": one.until.isoformat()}
                wanted.append(
                    _notice(uow, "subscription_ending", e.client_id, f"{one.code}/{one.until}", fields, one.until)
                )
    await _ask(uow, wanted)  # fmt: skip


async def of_club(events: Sequence[ClubChanged], uow: UnitOfWork) -> None:
    """A membership of the club is in its grace [H2.1]."""
    day = await today(uow.sql)
    await _ask(
        uow,
        (
            _notice(uow, "club_grace", e.client_id, f"{one.since}", {"until": one.until.isoformat()}, one.until)
            for e in events
            for one in e.stretches
            if one.state == "grace" and one.since >= day - RECENT and one.until and one.until > day
        ),
    )


async def of_drift(events: Sequence[MatchDrifted], uow: UnitOfWork) -> None:
    """What a client holds or confirmed no longer suits them, is not permitted any more, or has left the shelf [Art. 21]: one
    message a day and cause, however much it is."""
    day = await today(uow.sql)
    await _ask(
        uow,
        (
            _notice(uow, "match_drifted", e.client_id, f"{e.found_on}/{e.cause}",
                    {"product": e.products[0].product[:CODE], "count": str(len(e.products))})
            for e in events
            if e.products and e.found_on >= day - RECENT
        ),
    )  # fmt: skip


def _notice(
    uow: UnitOfWork, kind: str, client_id: str, cause: str, fields: dict[str, str], until: date | None = None
) -> Wanted:
    return Wanted(
        client_id=client_id, kind=kind, cause=cause, fields=fields, asked_by="messaging", asked_at=uow.now,
        not_after=end_of(until) if until else None, required=True,
    )  # fmt: skip


async def _ask(uow: UnitOfWork, wanted: Iterable[Wanted]) -> None:
    if await uow.cached(timeline) is Timeline.REAL and (asked := list(wanted)):
        await messages.ask(uow, asked, uow.now)
