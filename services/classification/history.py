"""History that can be rewritten: decisions are immutable rows; what later facts take back is superseded, never erased.

A reader at time T, as known at time U, takes the decisions recorded by U and not superseded by then.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from chassis.clock import end_of
from chassis.rows import Row, columns, fetch
from chassis.uow import UnitOfWork
from contracts.classification import ClassChanged, TierChanged, TierDowngradeWarned, TierStretch
from services.classification.group_tables import CoreDecision, GroupDecision, LifecycleDecision
from services.classification.months import ClassChange
from services.classification.policy import Policies
from services.classification.rules import Grant, Retained, TierInterval, effective_stretches, tier_code
from services.classification.tables import ClassDecision, TierDecision
from services.classification.tiers import Evaluation

ONE_DAY = timedelta(days=1)


class Decided(Protocol):
    """A row of a table of decisions."""

    @property
    def partition(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def client_id(self) -> str: ...
    @property
    def effective_on(self) -> date: ...


D = TypeVar("D", ClassDecision, TierDecision, GroupDecision, CoreDecision, LifecycleDecision)
TABLES: dict[type[Row], str] = {
    ClassDecision: "class_decisions",
    TierDecision: "tier_decisions",
    GroupDecision: "group_decisions",
    CoreDecision: "core_decisions",
    LifecycleDecision: "lifecycle_decisions",
}


async def keep(uow: UnitOfWork, kind: type[D], decisions: Sequence[D]) -> list[D]:
    """Number decisions, keep them, and return them with their numbers."""
    if not decisions:
        return []
    numbered = [msgspec.structs.replace(d, number=n) for n, d in await number(uow, TABLES[kind], decisions)]
    await uow.sql.copy_records_to_table(TABLES[kind], records=map(msgspec.structs.astuple, numbered))
    return numbered


async def rewrite(uow: UnitOfWork, kind: type[D], held: Sequence[D], found: Sequence[D]) -> list[D]:
    """Supersede decisions that are no longer so, figures included, and keep those there were not; returns these."""
    wanted, known = {_content(d) for d in found}, {_content(d) for d in held}
    await supersede(uow, TABLES[kind], [(d.partition, d.number) for d in held if _content(d) not in wanted])
    return await keep(uow, kind, [d for d in found if _content(d) not in known])


def _content(decision: Row) -> tuple[Any, ...]:
    """What a decision says, without its place and when it was made."""
    return tuple(getattr(decision, field) for field in decision.__struct_fields__ if field not in _PLACE)


_PLACE = ("number", "revision", "recorded_at")


async def live_after(uow: UnitOfWork, kind: type[D], since: Mapping[str, date]) -> list[D]:
    """The decisions in force about clients that take effect after their days, in order of those."""
    return await fetch(
        uow.sql,
        kind,
        f"""SELECT {columns(kind, "d")} FROM unnest($1::text[], $2::date[]) AS s(client_id, day)
            JOIN {TABLES[kind]} d USING (client_id)
            WHERE d.effective_on > s.day AND {live(TABLES[kind])} ORDER BY d.client_id, d.effective_on""",
        list(since),
        list(since.values()),
    )


Outcome = Callable[[Any], tuple[Any, ...]]
"""What of a decision others are told: its day and what it decides, not the figures behind it."""


def by_client(decisions: Iterable[D]) -> defaultdict[str, list[D]]:
    """Decisions of each client, in order of their days."""
    apart: defaultdict[str, list[D]] = defaultdict(list)
    for decision in sorted(decisions, key=lambda d: d.effective_on):
        apart[decision.client_id].append(decision)
    return apart


def same_at_first(old: Sequence[Any], new: Sequence[Any], outcome: Outcome) -> int:
    """How many of the first decisions of two histories decide the same."""
    same = 0
    while same < min(len(old), len(new)) and outcome(old[same]) == outcome(new[same]):
        same += 1
    return same


async def record_classes(
    uow: UnitOfWork, changes: Sequence[ClassChange], since: Mapping[str, date] | None = None
) -> None:
    """Keep class changes and tell them. `since`: rewrite the history of these clients from their day on."""
    found = [change.decision(uow.now) for change in changes]
    held = await live_after(uow, ClassDecision, since) if since else []
    told = {_class_outcome(d) for d in held}
    kept = await (rewrite(uow, ClassDecision, held, found) if since else keep(uow, ClassDecision, found))
    branches = {change.client_id: change.branch_id for change in changes}
    uow.emit_all(
        ClassChanged(
            client_id=d.client_id,
            branch_id=branches[d.client_id],
            revision=d.number,
            effective_on=d.effective_on,
            code=d.code,  # type: ignore[arg-type]
            previous=d.previous,  # type: ignore[arg-type]
            provisional=d.provisional,
        )
        for d in kept
        if _class_outcome(d) not in told
    )


def _class_outcome(decision: ClassDecision) -> tuple[Any, ...]:
    return decision.client_id, decision.effective_on, decision.code, decision.previous


async def record_tiers(
    uow: UnitOfWork, evaluations: Sequence[Evaluation], since: Mapping[str, date] | None = None
) -> None:
    """Keep changed standings, tell tier changes and give notices, each at the end of its day, one a client.

    `since`: rewrite from these days on, and tell of it now.
    """
    at = {} if since else {e.client_id: min(uow.now, end_of(e.day)) for e in evaluations}
    decided = [e for e in evaluations if e.reason]
    held = await live_after(uow, TierDecision, since) if since else []
    found = [e.decision(uow.now) for e in decided]
    known, wanted = {_content(d) for d in held}, {_content(d) for d in found}
    concerned = {d.client_id for d in found if _content(d) not in known}
    concerned |= {d.client_id for d in held if _content(d) not in wanted}
    if concerned:
        revisions = await _next_revisions(uow, concerned)
        found = [msgspec.structs.replace(d, revision=revisions.get(d.client_id, 0)) for d in found]
        await rewrite(uow, TierDecision, held, found)
        moved = concerned if since else {e.client_id for e in decided if e.before.retained != e.after.retained}
        await rewrite_effective_tiers(uow, moved, "correction" if since else None, at)
    # Rewriting gives no reminders, and no notice again of what was decided before.
    versions = (await uow.policies(Policies)).tiers
    told = {(d.client_id, d.effective_on, d.retained, d.grace_from) for d in held}
    for e in evaluations:
        if since and (not e.reason or (e.client_id, e.effective_on, e.after.retained, e.after.grace_from) in told):
            continue
        if notice := _notice(e, versions.on(e.day).body.grace_days):
            uow.emit(notice, at=at.get(e.client_id))


def _notice(evaluation: Evaluation, grace_days: int) -> TierDowngradeWarned | None:
    """The notice this close gives, at the start of a grace or on its notice days [T4]."""
    grace_from = evaluation.after.grace_from
    if grace_from is None:
        return None
    ends = grace_from + timedelta(days=grace_days)
    return TierDowngradeWarned(
        client_id=evaluation.client_id,
        branch_id=evaluation.branch_id,
        tier=tier_code(evaluation.after.retained),  # type: ignore[arg-type]
        next_tier=tier_code(evaluation.after.retained - 1),  # type: ignore[arg-type]
        grace_from=grace_from,
        steps_down_on=ends,
        days_left=(ends - evaluation.effective_on).days,
    )


async def rewrite_effective_tiers(
    uow: UnitOfWork, clients: set[str], reason: str | None = None, at: Mapping[str, datetime] = MappingProxyType({})
) -> None:
    """Make the effective tiers of clients anew from their live decisions and grants, and tell what changed [T5].

    `at`: when that happened to a client, if not with everything else.
    """
    ids = sorted(clients)
    if not ids:
        return
    opened = await uow.sql.fetch(
        "SELECT client_id, opened_on, branch_id, revision FROM clients WHERE client_id = ANY($1::text[])", ids
    )
    retained: dict[str, list[Retained]] = {c: [Retained(day, 0, "opened")] for c, day, *_ in opened}
    for client_id, since, tier, why in await uow.sql.fetch(
        f"""SELECT client_id, effective_on, retained, reason FROM tier_decisions d
            WHERE client_id = ANY($1::text[]) AND reason IN ('upgrade', 'downgrade') AND {live("tier_decisions")}
            ORDER BY effective_on""",
        ids,
    ):
        if client_id in retained:
            retained[client_id].append(Retained(since, tier, why))
    grants: defaultdict[str, list[Grant]] = defaultdict(list)
    for client_id, since, until, tier in await uow.sql.fetch(
        """SELECT client_id, since, least(until, coalesce(revoked_from, until)), tier FROM grants
           WHERE client_id = ANY($1::text[]) AND state IN ('approved', 'revoked')""",
        ids,
    ):
        grants[client_id].append(Grant(since, until, tier))
    held: defaultdict[str, list[tuple[date, int]]] = defaultdict(list)
    for client_id, since, tier in await uow.sql.fetch(
        "SELECT client_id, since, tier FROM tiers WHERE client_id = ANY($1::text[]) ORDER BY since", ids
    ):
        held[client_id].append((since, tier))
    rewritten: dict[str, _Rewrite] = {}
    for client_id, _, branch_id, revision in opened:
        stretches = effective_stretches(retained[client_id], grants[client_id])
        if change := _rewrite(held[client_id], stretches):
            rewritten[client_id] = change
            uow.emit(_tier_changed(client_id, branch_id, revision, change, reason), at=at.get(client_id))
    await _replace_stretches(uow, rewritten)


class _Rewrite(NamedTuple):
    """From which day the effective tiers differ, what they were just before, and what they are from there on."""

    since: date
    previous: int
    stretches: list[TierInterval]


def _rewrite(held: list[tuple[date, int]], stretches: list[TierInterval]) -> _Rewrite | None:
    wanted = [(s.since, s.tier) for s in stretches]
    same = 0
    while same < min(len(held), len(wanted)) and held[same] == wanted[same]:
        same += 1
    if same == len(held) == len(wanted):
        return None
    since = min(day for day, _ in (*held[same : same + 1], *wanted[same : same + 1]))
    previous = wanted[same - 1][1] if same else wanted[0][1]
    later = stretches[same:] or [TierInterval(since, previous, stretches[same - 1].reason)]
    if later[0].since > since:
        later = [TierInterval(since, previous, later[0].reason), *later]
    return _Rewrite(since, previous, later)


def _tier_changed(client_id: str, branch_id: str, revision: int, change: _Rewrite, reason: str | None) -> TierChanged:
    days = [s.since for s in change.stretches]
    return TierChanged(
        client_id=client_id,
        branch_id=branch_id,
        revision=revision,
        changed_from=change.since,
        previous=tier_code(change.previous),  # type: ignore[arg-type]
        stretches=[
            TierStretch(since=s.since, tier=tier_code(s.tier), until=until)  # type: ignore[arg-type]
            for s, until in zip(change.stretches, [*days[1:], None], strict=True)
        ],
        reason=reason or _TOLD_AS.get(change.stretches[0].reason, change.stretches[0].reason),  # type: ignore[arg-type]
    )


_TOLD_AS = {"grant_ended": "downgrade"}
"""Reasons that receivers know by another name."""


async def _replace_stretches(uow: UnitOfWork, rewritten: dict[str, _Rewrite]) -> None:
    """Replace the stored stretches from the changed day on; the one before ends where the new ones begin."""
    if not rewritten:
        return
    ids, days = list(rewritten), [change.since for change in rewritten.values()]
    await uow.sql.execute(
        """DELETE FROM tiers t USING unnest($1::text[], $2::date[]) AS n(client_id, day)
           WHERE t.client_id = n.client_id AND t.since >= n.day""",
        ids,
        days,
    )
    last = await uow.sql.fetch(
        """SELECT DISTINCT ON (t.client_id) t.client_id, t.since, t.tier
           FROM tiers t WHERE t.client_id = ANY($1::text[]) ORDER BY t.client_id, t.since DESC""",
        ids,
    )
    before = {client_id: (since, tier) for client_id, since, tier in last}
    ends, rows = [], []
    for client_id, change in rewritten.items():
        stretches = change.stretches
        if client_id in before and before[client_id][1] == stretches[0].tier:
            stretches = stretches[1:]  # the stretch before simply goes on
        following = [s.since for s in stretches]
        untils = [*following[1:], None]
        rows += [(client_id, s.since, until, s.tier, s.reason) for s, until in zip(stretches, untils, strict=False)]
        if client_id in before:
            ends.append((client_id, before[client_id][0], following[0] if following else None))
    await uow.sql.execute(
        """UPDATE tiers t SET until = n.until FROM unnest($1::text[], $2::date[], $3::date[]) AS n(client_id, since, until)
           WHERE t.client_id = n.client_id AND t.since = n.since""",
        *([row[column] for row in ends] for column in range(3)),
    )
    await uow.sql.copy_records_to_table(
        "tiers", records=rows, columns=("client_id", "since", "until", "tier", "reason")
    )


async def _next_revisions(uow: UnitOfWork, clients: set[str]) -> dict[str, int]:
    rows = await uow.sql.fetch(
        "UPDATE clients SET revision = revision + 1 WHERE client_id = ANY($1::text[]) RETURNING client_id, revision",
        sorted(clients),
    )
    return {client_id: revision for client_id, revision in rows}  # noqa: C416 - rows are records, not pairs


async def number(uow: UnitOfWork, table: str, rows: Sequence[Any]) -> list[tuple[int, Any]]:
    """Give rows the next numbers of their partitions."""
    counts: defaultdict[int, int] = defaultdict(int)
    for row in rows:
        counts[row.partition] += 1
    following = await uow.numbers(table, counts) if counts else {}
    numbered = []
    for row in rows:
        numbered.append((following[row.partition], row))
        following[row.partition] += 1
    return numbered


async def supersede(uow: UnitOfWork, kind: str, gone: Sequence[tuple[int, int]]) -> None:
    """Note decisions, by partition and number, as taken back now."""
    if gone:
        await uow.sql.execute(
            "INSERT INTO superseded SELECT $1, n.*, $4 FROM unnest($2::int[], $3::bigint[]) AS n",
            kind,
            [partition for partition, _ in gone],
            [number for _, number in gone],
            uow.now,
        )


def live(kind: str) -> str:
    """The condition that a decision `d` has not been superseded."""
    return f"""NOT EXISTS (SELECT FROM superseded x
               WHERE x.kind = '{kind}' AND x.partition = d.partition AND x.number = d.number)"""
