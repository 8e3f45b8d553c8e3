"""What a closed day does here, and what late facts left to do. Both run under the closer's lock."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from chassis.clock import end_of, is_month_end, month_end
from chassis.uow import UnitOfWork
from services.classification import evaluations, group_closing, history, months, tiers
from services.classification.policy import Policies
from services.classification.tables import LATE

ONE_DAY = timedelta(days=1)


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """Close business dates: at a month end the classes [K2], then the tiers [T7], then value and groups [V1, K7].

    All take effect the day after. A month's end comes by itself, after the days before it.
    """
    if not await uow.sql.fetchval("SELECT EXISTS (SELECT FROM clients)"):
        return
    ordinary = [day for day in days if not is_month_end(day)]
    for together in filter(None, (ordinary, days[len(ordinary) :])):
        await _close(together, uow)


async def _close(days: Sequence[date], uow: UnitOfWork) -> None:
    policies = await uow.policies(Policies)
    uow.happened_at = min(uow.now, end_of(days[-1]))
    if is_month_end(days[-1]):
        await history.record_classes(uow, await months.close_month(uow.sql, days[-1], policies.classes, None))
    begins = await uow.sql.fetchval("SELECT first IS NULL FROM closed_days")
    found = await tiers.evaluate(uow.sql, policies.tiers, days, history_begins=begins)
    for some in _each_client_once(found):
        await history.record_tiers(uow, some)
    await group_closing.close_days(days, uow)


def _each_client_once(found: Sequence[tiers.Evaluation]) -> Iterator[list[tiers.Evaluation]]:
    """In order of their days, as many together as are of different clients."""
    some: dict[str, tiers.Evaluation] = {}
    for one in found:
        if one.client_id in some:
            yield list(some.values())
            some = {}
        some[one.client_id] = one
    if some:
        yield list(some.values())


async def evaluate_again(since: Mapping[str, date], through: date, uow: UnitOfWork) -> None:
    """Evaluate clients again from the first day a late fact counts for, day by day as their closes would have."""
    first_closed: date = await uow.sql.fetchval("SELECT first FROM closed_days")
    await _months_again(uow, dict(since), first_closed, through)
    await _tiers_again(uow, {c: max(day, first_closed) for c, day in since.items()}, through)
    await group_closing.again(uow, dict(since), first_closed, through)


catch_up = LATE.handed_to(evaluate_again)


async def _months_again(uow: UnitOfWork, since: dict[str, date], first_closed: date, through: date) -> None:
    clients = sorted(since)
    await evaluations.take_back(uow.sql, "months", since)
    classes, changes = (await uow.policies(Policies)).classes, []
    last = month_end(first_closed)
    while last <= through:
        concerned = [c for c in clients if since[c] <= last]
        if concerned:
            changes += await months.close_month(uow.sql, last, classes, concerned)
        last = month_end(last + ONE_DAY)
    await evaluations.stay_known(uow.sql, "months", since)
    await history.record_classes(uow, changes, since)


async def _tiers_again(uow: UnitOfWork, since: dict[str, date], through: date) -> None:
    versions = (await uow.policies(Policies)).tiers
    await tiers.stand_at(uow.sql, versions, since)
    days = await tiers.days_to_evaluate(uow.sql, versions, since, through)
    await history.record_tiers(uow, await tiers.evaluate_named(uow.sql, versions, days, through), since)
