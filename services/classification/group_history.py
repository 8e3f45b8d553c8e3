"""The history of groups: immutable decisions, the stretches of each tag made from them, and what is told of both.

A late fact rewrites: decisions that no longer hold are superseded from the first difference on, the stretches are
made anew, and one event tells everything from there on.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple

from chassis.clock import end_of
from chassis.rows import columns, fetch
from chassis.uow import UnitOfWork
from contracts.classification import TAGS, GroupChanged, TagCode, TagStretch
from services.classification.group_policies import BIT
from services.classification.group_rules import primary_of, tags_of
from services.classification.group_tables import GroupDecision
from services.classification.groups import Found
from services.classification.history import by_client, keep, live, rewrite, same_at_first

ONE_DAY = timedelta(days=1)


class TagInterval(NamedTuple):
    """A tag from a day on until another (exclusive), None while it lasts."""

    tag: TagCode
    since: date
    until: date | None


async def record_groups(uow: UnitOfWork, found: Sequence[Found], first_closed: date) -> None:
    """Keep and tell what ordinary closes changed, in order of their days; the standings have moved already."""
    if not found:
        return
    await keep(uow, GroupDecision, [f.decision(uow.now) for f in found])
    told = await _move_stretches(uow, found, first_closed)
    revisions = await next_revisions(uow, [f.client_id for f in found])
    for day, some in groupby(zip(found, told, strict=True), lambda pair: pair[0].day):
        uow.emit_all(
            (
                GroupChanged(
                    client_id=f.client_id,
                    branch_id=f.branch_id,
                    revision=next(revisions[f.client_id]),
                    changed_from=f.effective_on,
                    primary=primary_of(f.tags),
                    previous=primary_of(f.before),
                    tags=stretches,
                    baseline=day == first_closed,
                )
                for f, stretches in some
            ),
            at=min(uow.now, end_of(day)),
        )


def is_baseline(tag: TagCode, since: date, first_closed: date) -> bool:
    """Whether a stretch was found by the first close of the home; core flags never are a baseline [K7]."""
    return tag != "CORE" and since == first_closed + ONE_DAY


async def _move_stretches(uow: UnitOfWork, found: Sequence[Found], first_closed: date) -> list[list[TagStretch]]:
    """End and begin stretches; returns for each what there is to tell: the tags held until then, and from then on."""
    open_since: defaultdict[str, dict[str, date]] = defaultdict(dict)
    for client_id, tag, since in await uow.sql.fetch(
        "SELECT client_id, tag, since FROM tag_stretches WHERE client_id = ANY($1::text[]) AND until IS NULL",
        list({f.client_id for f in found if f.before}),
    ):
        open_since[client_id][tag] = since
    ended: list[tuple[str, str, date, date]] = []
    begun: dict[tuple[str, str, date], date | None] = {}
    told: list[list[TagStretch]] = []
    for f in found:
        held, now, day, since = f.before or 0, f.tags or 0, f.effective_on, open_since[f.client_id]
        for tag in tags_of(now & ~held):
            since[tag] = day
            begun[f.client_id, tag, day] = None
        told.append(
            [
                TagStretch(
                    tag=tag,
                    since=since[tag],
                    until=None if now & BIT[tag] else day,
                    baseline=is_baseline(tag, since[tag], first_closed),
                )
                for tag in tags_of(held | now)
            ]
        )
        for tag in tags_of(held & ~now):
            stretch = (f.client_id, tag, since.pop(tag))
            if stretch in begun:
                begun[stretch] = day
            else:
                ended.append((*stretch, day))
    if ended:
        await uow.sql.execute(
            """UPDATE tag_stretches s SET until = n.until
               FROM unnest($1::text[], $2::text[], $3::date[], $4::date[]) AS n(client_id, tag, since, until)
               WHERE s.client_id = n.client_id AND s.tag = n.tag AND s.since = n.since""",
            *(list(column) for column in zip(*ended, strict=True)),
        )
    await uow.sql.copy_records_to_table(
        "tag_stretches", records=[(*stretch, until) for stretch, until in begun.items()]
    )
    return told


async def next_revisions(uow: UnitOfWork, clients: Iterable[str]) -> dict[str, Iterator[int]]:
    """The next revisions of what is told of clients' groups, core and lifecycle: as many as each is named."""
    counts = Counter(clients)
    rows = await uow.sql.fetch(
        """UPDATE group_standings s SET revision = s.revision + n.count
           FROM unnest($1::text[], $2::int[]) AS n(client_id, count) WHERE s.client_id = n.client_id
           RETURNING s.client_id, s.revision""",
        sorted(counts),
        [counts[client_id] for client_id in sorted(counts)],
    )
    return {client_id: iter(range(last - counts[client_id] + 1, last + 1)) for client_id, last in rows}


async def rewrite_groups(uow: UnitOfWork, found: Sequence[Found], since: dict[str, date], first_closed: date) -> None:
    """Rewrite the history of clients from their days on by what was found day by day, and tell what changed.

    `found` holds every day that can differ from the one before it, in order, for each client.
    """
    held = by_client(
        await fetch(
            uow.sql,
            GroupDecision,
            f"""SELECT {columns(GroupDecision, "d")} FROM group_decisions d
                WHERE d.client_id = ANY($1::text[]) AND {live("group_decisions")}""",
            list(since),
        )
    )
    found_of: defaultdict[str, list[Found]] = defaultdict(list)
    for one in found:
        found_of[one.client_id].append(one)
    replaced: list[GroupDecision] = []
    decided: list[GroupDecision] = []
    rewritten: dict[str, tuple[date, list[tuple[date, int | None]]]] = {}
    for client_id, day in since.items():
        before = [d for d in held[client_id] if d.effective_on <= day]
        old = [d for d in held[client_id] if d.effective_on > day]
        new = [f.decision(uow.now) for f in _changes(found_of[client_id], before[-1].tags if before else None)]
        replaced += old
        decided += new
        same = same_at_first(old, new, _outcome)
        if same < max(len(old), len(new)):
            changed_from = min(d.effective_on for d in old[same : same + 1] + new[same : same + 1])
            rewritten[client_id] = (changed_from, [_outcome(d) for d in (*before, *new)])
    await rewrite(uow, GroupDecision, replaced, decided)
    if rewritten:
        await _replace(uow, rewritten, first_closed)


def _outcome(decision: GroupDecision) -> tuple[date, int | None]:
    return decision.effective_on, decision.tags


def _changes(found: Sequence[Found], before: int | None) -> list[Found]:
    """Those of the days at which the tags differ from the day before."""
    changes = []
    for one in found:
        if one.tags != before:
            changes.append(one)
            before = one.tags
    return changes


def stretches_of(history: Sequence[tuple[date, int | None]]) -> list[TagInterval]:
    """The stretches of each tag in a history of (effective day, tags), sorted by tag and day."""
    stretches = []
    for tag in TAGS:
        since = None
        for day, tags in history:
            holds = bool((tags or 0) & BIT[tag])
            if holds and since is None:
                since = day
            elif since is not None and not holds:
                stretches.append(TagInterval(tag, since, day))
                since = None
        if since is not None:
            stretches.append(TagInterval(tag, since, None))
    return stretches


async def _replace(
    uow: UnitOfWork, rewritten: dict[str, tuple[date, list[tuple[date, int | None]]]], first_closed: date
) -> None:
    """Put rewritten histories into the stretches and standings, and tell each from its changed day on."""
    ids = sorted(rewritten)
    await uow.sql.execute("DELETE FROM tag_stretches WHERE client_id = ANY($1::text[])", ids)
    stretches = {client_id: stretches_of(rewritten[client_id][1]) for client_id in ids}
    await uow.sql.copy_records_to_table(
        "tag_stretches", records=[(client_id, *stretch) for client_id in ids for stretch in stretches[client_id]]
    )
    last = {client_id: history[-1][1] if history else None for client_id, (_, history) in rewritten.items()}
    rows = await uow.sql.fetch(
        """UPDATE group_standings s SET tags = n.tags, revision = s.revision + 1
           FROM unnest($1::text[], $2::smallint[]) AS n(client_id, tags), clients c
           WHERE s.client_id = n.client_id AND c.client_id = n.client_id
           RETURNING s.client_id, s.revision, c.branch_id""",
        ids,
        [last[client_id] for client_id in ids],
    )
    for client_id, revision, branch_id in rows:
        changed_from, history = rewritten[client_id]
        earlier = [tags for day, tags in history if day < changed_from]
        uow.emit(
            GroupChanged(
                client_id=client_id,
                branch_id=branch_id,
                revision=revision,
                changed_from=changed_from,
                primary=primary_of(last[client_id]),
                previous=primary_of(earlier[-1]) if earlier else None,
                tags=[
                    TagStretch(tag=tag, since=start, until=until, baseline=is_baseline(tag, start, first_closed))
                    for tag, start, until in stretches[client_id]
                    if until is None or until >= changed_from
                ],
                correction=True,
            )
        )
