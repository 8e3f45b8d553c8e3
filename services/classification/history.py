"""History that can be rewritten: decisions are immutable rows; what later facts take back is superseded, never erased.

A reader at time T, as known at time U, takes the decisions recorded by U and not superseded by then.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from chassis.clock import end_of
from chassis.uow import UnitOfWork
from contracts.classification import ClassChanged, TierChanged, TierDowngradeWarned, TierStretch
from services.classification.months import ClassChange
from services.classification.policy import Policies
from services.classification.rules import Grant, Retained, TierInterval, effective_stretches, tier_code
from services.classification.tiers import Evaluation

ONE_DAY = timedelta(days=1)


async def record_classes(uow: UnitOfWork, changes: Sequence[ClassChange], since: dict[str, date] | None = None) -> None:
    """Keep class changes and tell them. `since`: rewrite the history of these clients from their day on."""
    if since:
        changes = await _differing_classes(uow, changes, since)
    if not changes:
        return
    numbered = await number(uow, "class_decisions", changes)
    await uow.sql.copy_records_to_table(
        "class_decisions",
        records=[
            (
                c.partition,
                n,
                c.client_id,
                c.effective_on,
                c.code,
                c.previous,
                c.provisional,
                c.mean,
                c.turnover,
                c.policy,
                uow.now,
            )
            for n, c in numbered
        ],
    )
    uow.emit_all(
        ClassChanged(
            client_id=c.client_id,
            branch_id=c.branch_id,
            revision=n,
            effective_on=c.effective_on,
            code=c.code,
            previous=c.previous,
            provisional=c.provisional,
        )
        for n, c in numbered
    )


async def _differing_classes(
    uow: UnitOfWork, changes: Sequence[ClassChange], since: dict[str, date]
) -> list[ClassChange]:
    """Supersede what is no longer so; return what has to be added."""
    held = await uow.sql.fetch(
        f"""SELECT d.partition, d.number, d.client_id, d.effective_on, d.code, d.previous
            FROM unnest($1::text[], $2::date[]) AS s(client_id, day) JOIN class_decisions d USING (client_id)
            WHERE d.effective_on > s.day AND {live("class_decisions")}""",
        list(since),
        list(since.values()),
    )
    wanted = {(c.client_id, c.effective_on, c.code, c.previous) for c in changes}
    known = {(h["client_id"], h["effective_on"], h["code"], h["previous"]) for h in held}
    gone = [(h["partition"], h["number"]) for h in held if tuple(h)[2:] not in wanted]
    await supersede(uow, "class_decisions", gone)
    return [c for c in changes if (c.client_id, c.effective_on, c.code, c.previous) not in known]


async def record_tiers(
    uow: UnitOfWork, evaluations: Sequence[Evaluation], since: dict[str, date] | None = None
) -> None:
    """Keep changed standings, tell tier changes and give notices, each at the end of its day, one a client.

    `since`: rewrite from these days on, and tell of it now.
    """
    at = {} if since else {e.client_id: min(uow.now, end_of(e.day)) for e in evaluations}
    decided = [e for e in evaluations if e.reason]
    concerned = {e.client_id for e in decided}
    if since:
        decided, taken_back = await _differing_tiers(uow, decided, since)
        concerned = {e.client_id for e in decided} | taken_back
    if concerned:
        revisions = await _next_revisions(uow, concerned)
        numbered = await number(uow, "tier_decisions", decided)
        await uow.sql.copy_records_to_table(
            "tier_decisions",
            records=[
                (
                    e.partition, n, e.client_id, revisions[e.client_id], e.effective_on, e.after.retained,
                    e.after.grace_from, e.entitled, e.assets, e.commission, e.reason, e.policy, uow.now,
                )
                for n, e in numbered
            ],
        )  # fmt: skip
        moved = concerned if since else {e.client_id for e in decided if e.before.retained != e.after.retained}
        await rewrite_effective_tiers(uow, moved, "correction" if since else None, at)
    # Rewriting gives no reminders, and no notice again of what was decided before.
    versions = (await uow.policies(Policies)).tiers
    for e in decided if since else evaluations:
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


async def _differing_tiers(
    uow: UnitOfWork, decided: Sequence[Evaluation], since: dict[str, date]
) -> tuple[list[Evaluation], set[str]]:
    """Supersede, from the first difference on, what is no longer so; return what has to be added and who lost a row."""
    held: defaultdict[str, list[Any]] = defaultdict(list)
    for row in await uow.sql.fetch(
        f"""SELECT d.partition, d.number, d.client_id, d.effective_on, d.retained, d.grace_from
            FROM unnest($1::text[], $2::date[]) AS s(client_id, day) JOIN tier_decisions d USING (client_id)
            WHERE d.effective_on > s.day AND {live("tier_decisions")} ORDER BY d.effective_on""",
        list(since),
        list(since.values()),
    ):
        held[row["client_id"]].append(row)
    found: defaultdict[str, list[Evaluation]] = defaultdict(list)
    for evaluation in sorted(decided, key=lambda e: e.effective_on):
        found[evaluation.client_id].append(evaluation)
    added: list[Evaluation] = []
    gone: list[tuple[int, int]] = []
    taken_back: set[str] = set()
    for client_id in sorted(held.keys() | found.keys()):
        old, new = held[client_id], found[client_id]
        same = 0
        while same < min(len(old), len(new)) and _is_same(old[same], new[same]):
            same += 1
        added += new[same:]
        gone += [(row["partition"], row["number"]) for row in old[same:]]
        if old[same:]:
            taken_back.add(client_id)
    await supersede(uow, "tier_decisions", gone)
    return added, taken_back


def _is_same(row: Any, evaluation: Evaluation) -> bool:
    after = evaluation.after
    return (row["effective_on"], row["retained"], row["grace_from"]) == (
        evaluation.effective_on,
        after.retained,
        after.grace_from,
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
        reason=reason or change.stretches[0].reason,  # type: ignore[arg-type]
    )


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
