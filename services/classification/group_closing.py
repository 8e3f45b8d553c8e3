"""What a close does about groups, value, core and lifecycle, and what late facts left to do about them."""

from collections.abc import Sequence
from datetime import date, timedelta

from chassis.clock import is_month_end, month_end
from chassis.uow import UnitOfWork
from services.classification import evaluations, group_history, groups, value, value_history
from services.classification.history import live, supersede
from services.classification.policy import Policies
from services.classification.value import LifecycleFound

ONE_DAY = timedelta(days=1)


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """At a month end V, core and lifecycle, then the groups [K7]; classes and tiers of the days are decided already."""
    policies = await uow.policies(Policies)
    known: date | None = await uow.sql.fetchval("SELECT first FROM closed_days")
    first_closed = known or days[0]
    core_changed: list[str] = []
    if is_month_end(days[-1]):
        [last] = days
        lifecycles = await value.close_month(uow.sql, policies, last, None)
        await value.rank_branches(uow.sql, policies, last, None)
        cores = await value.core_changes(uow.sql, policies, [last])
        await value_history.record_lifecycles(uow, lifecycles, baseline=last == month_end(first_closed))
        await value_history.record_cores(uow, cores)
        core_changed = [found.client_id for found in cores]
        await evaluations.tell(uow, [last], None)
    found = await groups.evaluate(uow.sql, policies.groups, days, begins=known is None, core_changed=core_changed)
    await value_history.record_openings(
        uow, [(f.client_id, f.partition, f.branch_id, f.day) for f in found if f.opened_on == f.day]
    )
    await group_history.record_groups(uow, found, first_closed)


async def again(uow: UnitOfWork, since: dict[str, date], first_closed: date, through: date) -> None:
    """Evaluate clients anew from their days on, after their classes and tiers were.

    One client's V moves the ranks of its branch: those whose core flag changes with it are rewritten as well.
    """
    versions = (await uow.policies(Policies)).groups
    await _open_late(uow, sorted(since), first_closed)
    from_close = {client_id: max(day, first_closed) for client_id, day in since.items()}
    core_since = await _months_again(uow, from_close, through)
    ids = sorted(since)
    await groups.find_occurrences(uow.sql, versions, min(since.values()), through, ids)
    concerned = {c: min(from_close.get(c, day), day) for c, day in core_since.items()} | {
        c: min(day, core_since.get(c, day)) for c, day in from_close.items()
    }
    days = await groups.days_to_evaluate(uow.sql, versions, concerned, through)
    found = await groups.evaluate_named(uow.sql, versions, days)
    await group_history.rewrite_groups(uow, found, concerned, first_closed)


async def _months_again(uow: UnitOfWork, since: dict[str, date], through: date) -> dict[str, date]:
    """The month closes from clients' days on; returns whose core flag differs, and from which month end on."""
    first = month_end(min(since.values()))
    lasts = []
    while first <= through:
        lasts.append(first)
        first = month_end(first + ONE_DAY)
    if not lasts:
        return {}
    policies = await uow.policies(Policies)
    branches = await value.branches_of(uow.sql, sorted(since))
    await evaluations.take_back(uow.sql, "month_values", since)
    lifecycles: list[LifecycleFound] = []
    for last in lasts:
        concerned = sorted(c for c, day in since.items() if day <= last)
        lifecycles += await value.close_month(uow.sql, policies, last, concerned)
        await value.rank_branches(uow.sql, policies, last, branches)
    await evaluations.stay_known(uow.sql, "month_values", since)
    await value_history.rewrite_lifecycles(uow, lifecycles, since)
    await evaluations.tell(uow, lasts, sorted(since))
    return await value_history.rewrite_cores(uow, await value.core_changes(uow.sql, policies, lasts), lasts[0])


async def _open_late(uow: UnitOfWork, clients: list[str], first_closed: date) -> None:
    """Accounts opened on or after the first close are ESTABLISHED from then on, also when that is heard late."""
    moved = await uow.sql.fetch(
        f"""SELECT d.partition, d.number FROM lifecycle_decisions d JOIN clients c USING (client_id)
            WHERE d.client_id = ANY($1::text[]) AND d.previous IS NULL AND d.effective_on <> c.opened_on
              AND {live("lifecycle_decisions")}""",
        clients,
    )
    await supersede(uow, "lifecycle_decisions", [tuple(row) for row in moved])
    opened = await uow.sql.fetch(
        """SELECT client_id, partition, branch_id, opened_on FROM clients c
           WHERE client_id = ANY($1::text[]) AND opened_on >= $2
             AND opened_on <= (SELECT through FROM closed_days)
             AND NOT EXISTS (SELECT FROM lifecycle_decisions d
                             WHERE d.client_id = c.client_id AND d.effective_on = c.opened_on)""",
        clients,
        first_closed,
    )
    await value_history.record_openings(uow, [tuple(row) for row in opened], late=True)
