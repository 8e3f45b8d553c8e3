"""The histories of core and lifecycle: immutable decisions, and what is told of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from chassis.clock import end_of
from chassis.rows import Row, columns, fetch
from chassis.uow import UnitOfWork
from contracts.classification import CoreChanged, CoreStretch, LifecycleChanged, LifecycleCode, LifecycleStretch
from services.classification.group_history import next_revisions
from services.classification.group_tables import CoreDecision, LifecycleDecision
from services.classification.history import (
    TABLES,
    D,
    by_client,
    keep,
    live,
    rewrite,
    same_at_first,
)
from services.classification.value import CoreFound, LifecycleFound

ONE_DAY = timedelta(days=1)
SAYS: dict[type[Row], str] = {LifecycleDecision: "lifecycle", CoreDecision: "core"}


async def record_lifecycles(uow: UnitOfWork, found: Sequence[LifecycleFound], *, baseline: bool) -> None:
    """Keep and tell lifecycles that a close changed."""
    await keep(uow, LifecycleDecision, [f.decision(uow.now) for f in found])
    revisions = await next_revisions(uow, [f.client_id for f in found])
    for f in found:
        uow.emit(_changed(f, next(revisions[f.client_id]), baseline=baseline))


def _changed(found: LifecycleFound, revision: int, *, baseline: bool) -> LifecycleChanged:
    return LifecycleChanged(
        client_id=found.client_id,
        branch_id=found.branch_id,
        revision=revision,
        changed_from=found.effective_on,
        previous=found.previous,  # type: ignore[arg-type]
        stretches=[LifecycleStretch(since=found.effective_on, lifecycle=found.lifecycle)],  # type: ignore[arg-type]
        baseline=baseline,
    )


async def record_cores(uow: UnitOfWork, found: Sequence[CoreFound]) -> None:
    """Keep and tell core flags that a month close changed."""
    await keep(uow, CoreDecision, [f.decision(uow.now) for f in found])
    revisions = await next_revisions(uow, [f.client_id for f in found])
    uow.emit_all(
        CoreChanged(
            client_id=f.client_id,
            branch_id=f.branch_id,
            revision=next(revisions[f.client_id]),
            changed_from=f.effective_on,
            stretches=[CoreStretch(since=f.effective_on, core=f.core)],
        )
        for f in found
    )


async def record_openings(uow: UnitOfWork, opened: Sequence[tuple[str, int, str, date]], *, late: bool = False) -> None:
    """An account is ESTABLISHED from its opening on [V5]: (client, partition, branch, opening date) of new accounts.

    Told as of the day's end, or as of now when it was heard `late`.
    """
    found = [LifecycleFound("", c, p, b, day, None, "ESTABLISHED", *[None] * 6) for c, p, b, day in opened]
    await keep(uow, LifecycleDecision, [f.decision(uow.now) for f in found])
    revisions = await next_revisions(uow, [f.client_id for f in found])
    for f in found:
        at = uow.now if late else min(uow.now, end_of(f.effective_on))
        uow.emit(_changed(f, next(revisions[f.client_id]), baseline=False), at=at)


async def rewrite_lifecycles(uow: UnitOfWork, found: Sequence[LifecycleFound], since: dict[str, date]) -> None:
    """Rewrite what month closes on or after clients' days decided; `found` holds every change they find now."""
    held = await fetch(
        uow.sql,
        LifecycleDecision,
        f"""SELECT {columns(LifecycleDecision, "d")}
            FROM unnest($1::text[], $2::date[]) AS s(client_id, day) JOIN lifecycle_decisions d USING (client_id)
                JOIN clients c USING (client_id)
            WHERE d.effective_on > s.day AND d.effective_on <> c.opened_on AND {live("lifecycle_decisions")}""",
        list(since),
        list(since.values()),
    )
    told = await _rewrite(uow, LifecycleDecision, held, [f.decision(uow.now) for f in found])
    before = await _said_before(uow, LifecycleDecision, {c: day for c, (day, _) in told.items()})
    revisions, branches = await next_revisions(uow, list(told)), await _branches(uow, told)
    for client_id, (day, stretches) in sorted(told.items()):
        previous: LifecycleCode = before.get(client_id) or "ESTABLISHED"
        uow.emit(
            LifecycleChanged(
                client_id=client_id,
                branch_id=branches[client_id],
                revision=next(revisions[client_id]),
                changed_from=day,
                previous=previous,
                stretches=[LifecycleStretch(since=d, lifecycle=said) for d, said in _from(day, stretches, previous)],
            )
        )


async def rewrite_cores(uow: UnitOfWork, found: Sequence[CoreFound], first: date) -> dict[str, date]:
    """Rewrite what the month closes from `first` on decided of anybody's core flag; `found` is every change they find.

    Returns the clients concerned, each with the month end from which on its flag differs from what was said.
    """
    held = await fetch(
        uow.sql,
        CoreDecision,
        f"""SELECT {columns(CoreDecision, "d")} FROM core_decisions d
            WHERE d.effective_on > $1 AND {live("core_decisions")}""",
        first,
    )
    told = await _rewrite(uow, CoreDecision, held, [f.decision(uow.now) for f in found])
    before = await _said_before(uow, CoreDecision, {c: day for c, (day, _) in told.items()})
    revisions, branches = await next_revisions(uow, list(told)), await _branches(uow, told)
    for client_id, (day, stretches) in sorted(told.items()):
        uow.emit(
            CoreChanged(
                client_id=client_id,
                branch_id=branches[client_id],
                revision=next(revisions[client_id]),
                changed_from=day,
                stretches=[
                    CoreStretch(since=d, core=said) for d, said in _from(day, stretches, bool(before.get(client_id)))
                ],
            )
        )
    return {client_id: day - ONE_DAY for client_id, (day, _) in told.items()}


async def _rewrite(
    uow: UnitOfWork, kind: type[D], held: Sequence[D], found: Sequence[D]
) -> dict[str, tuple[date, list[tuple[date, Any]]]]:
    """Keep what is decided now in the place of what no longer holds.

    Returns for each client of whom something else is decided the first day that differs, and how it is from there on.
    """
    await rewrite(uow, kind, held, found)
    said = SAYS[kind]

    def outcome(decision: D) -> tuple[date, Any]:
        return decision.effective_on, getattr(decision, said)

    old, new = by_client(held), by_client(found)
    told: dict[str, tuple[date, list[tuple[date, Any]]]] = {}
    for client_id in sorted(old.keys() | new.keys()):
        was, now = list(map(outcome, old[client_id])), list(map(outcome, new[client_id]))
        same = same_at_first(was, now, tuple)
        if same < max(len(was), len(now)):
            told[client_id] = (min(day for day, _ in was[same : same + 1] + now[same : same + 1]), now[same:])
    return told


async def _branches(uow: UnitOfWork, clients: Iterable[str]) -> dict[str, str]:
    rows = await uow.sql.fetch(
        "SELECT client_id, branch_id FROM clients WHERE client_id = ANY($1::text[])", list(clients)
    )
    return {client_id: branch_id for client_id, branch_id in rows}  # noqa: C416 - rows are records, not pairs


async def _said_before(uow: UnitOfWork, kind: type[D], days: Mapping[str, date]) -> dict[str, Any]:
    """What was in force just before each client's day."""
    rows = await uow.sql.fetch(
        f"""SELECT DISTINCT ON (d.client_id) d.client_id, d.{SAYS[kind]}
            FROM unnest($1::text[], $2::date[]) AS s(client_id, day) JOIN {TABLES[kind]} d USING (client_id)
            WHERE d.effective_on < s.day AND {live(TABLES[kind])} ORDER BY d.client_id, d.effective_on DESC""",
        list(days),
        list(days.values()),
    )
    return {client_id: said for client_id, said in rows}  # noqa: C416 - rows are records, not pairs


def _from(day: date, stretches: list[tuple[date, Any]], before: Any) -> list[tuple[date, Any]]:
    """The stretches from a day on; where the first begins later, what held before goes on until then."""
    return stretches if stretches and stretches[0][0] == day else [(day, before), *stretches]
