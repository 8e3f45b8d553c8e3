"""Groups, tiers and assessments as their publishers tell them: histories that can be rewritten, kept as they stand now."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from chassis.uow import UnitOfWork
from contracts.classification import TIERS, GroupChanged, TierChanged
from contracts.suitability import AssessmentCompleted

ONE_DAY = timedelta(days=1)


async def mark_late(uow: UnitOfWork, clients: Iterable[str]) -> None:
    """Put clients on the list of those whose tasks are compared again."""
    wanted = sorted(set(clients))
    if wanted:
        await uow.sql.execute("INSERT INTO late (client_id) SELECT unnest($1::text[])", wanted)


async def _fresh_revisions(
    uow: UnitOfWork, what: str, changes: Sequence[GroupChanged] | Sequence[TierChanged]
) -> dict[str, int]:
    """The newest revision held of each client before this batch; the batch's newest are noted."""
    newest: dict[str, int] = {}
    for change in changes:
        newest[change.client_id] = max(change.revision, newest.get(change.client_id, 0))
    clients = sorted(newest)
    held = {
        row["client_id"]: row["revision"]
        for row in await uow.sql.fetch(
            """SELECT client_id, revision FROM revisions WHERE what = $1 AND client_id = ANY($2::text[])
               ORDER BY client_id FOR UPDATE""",
            what,
            clients,
        )
    }
    await uow.sql.execute(
        """INSERT INTO revisions AS r (client_id, what, revision)
           SELECT client_id, $1, revision FROM unnest($2::text[], $3::bigint[]) AS n(client_id, revision)
           ON CONFLICT (client_id, what) DO UPDATE SET revision = greatest(r.revision, excluded.revision)""",
        what,
        clients,
        [newest[c] for c in clients],
    )
    return held


async def _drop(uow: UnitOfWork, table: str, since: Mapping[str, date]) -> None:
    """Drop what begins on a client's day or later."""
    if since:
        await uow.sql.execute(
            f"""DELETE FROM {table} s USING unnest($1::text[], $2::date[]) AS n(client_id, day)
                WHERE s.client_id = n.client_id AND s.since >= n.day""",
            list(since),
            list(since.values()),
        )


async def keep_groups(changes: Sequence[GroupChanged], uow: UnitOfWork) -> None:
    """Take over group stretches: drop what begins on `changed_from` or later, take over those told [K7]."""
    held = await _fresh_revisions(uow, "groups", changes)
    since: dict[str, date] = {}
    told: dict[tuple[str, str, date], tuple[date | None, bool]] = {}
    late = []
    ordered = sorted(zip(changes, uow.passed(GroupChanged), strict=True), key=lambda pair: pair[0].revision)
    for change, passed in ordered:
        client = change.client_id
        if change.revision <= held.get(client, -1):
            continue
        if client in since:
            for key in [k for k in told if k[0] == client and k[2] >= change.changed_from]:
                del told[key]
        since[client] = min(change.changed_from, since.get(client, change.changed_from))
        for stretch in change.tags:
            told[client, stretch.tag, stretch.since] = (stretch.until, stretch.baseline)
        if passed is not None and change.changed_from - ONE_DAY <= passed:
            late.append(client)
    await _drop(uow, "tag_stretches", {client: day for client, day in since.items() if client in held})
    await uow.sql.execute(
        """INSERT INTO tag_stretches (client_id, tag, since, until, baseline)
           SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::date[], $5::bool[])
           ON CONFLICT (client_id, tag, since) DO UPDATE SET until = excluded.until, baseline = excluded.baseline""",
        [client for client, _, _ in told],
        [tag for _, tag, _ in told],
        [day for _, _, day in told],
        [until for until, _ in told.values()],
        [baseline for _, baseline in told.values()],
    )
    await mark_late(uow, late)


async def keep_tiers(changes: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Take over tiers from `changed_from` on [T5, T7]; each stretch knows the rank before it."""
    held = await _fresh_revisions(uow, "tier", changes)
    since: dict[str, date] = {}
    told: dict[tuple[str, date], tuple[int, int]] = {}
    late = []
    ordered = sorted(zip(changes, uow.passed(TierChanged), strict=True), key=lambda pair: pair[0].revision)
    for change, passed in ordered:
        client = change.client_id
        if change.revision <= held.get(client, -1):
            continue
        for key in [k for k in told if k[0] == client and k[1] >= change.changed_from]:
            del told[key]
        since[client] = min(change.changed_from, since.get(client, change.changed_from))
        before = TIERS.index(change.previous)
        for stretch in change.stretches:
            rank = TIERS.index(stretch.tier)
            told[client, stretch.since] = (rank, before)
            before = rank
        if passed is not None and change.changed_from - ONE_DAY <= passed:
            late.append(client)
    await _drop(uow, "tier_stretches", {client: day for client, day in since.items() if client in held})
    await uow.sql.execute(
        """INSERT INTO tier_stretches (client_id, since, rank, before)
           SELECT * FROM unnest($1::text[], $2::date[], $3::smallint[], $4::smallint[])
           ON CONFLICT (client_id, since) DO UPDATE SET rank = excluded.rank, before = excluded.before""",
        [client for client, _ in told],
        [day for _, day in told],
        [rank for rank, _ in told.values()],
        [before for _, before in told.values()],
    )
    await mark_late(uow, late)


async def keep_assessments(completed: Sequence[AssessmentCompleted], uow: UnitOfWork) -> None:
    """Keep assessments; one that counts for a closed day changes which reminders are owed."""
    first = {event.assessment_id: event for event in completed}
    events = [first[key] for key in sorted(first)]
    await uow.sql.execute(
        """INSERT INTO assessments (client_id, assessment_id, level, valid_from, valid_until)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::date[]) ON CONFLICT DO NOTHING""",
        [e.client_id for e in events],
        [e.assessment_id for e in events],
        [e.level for e in events],
        [e.valid_from for e in events],
        [e.valid_until for e in events],
    )
    passed = zip(completed, uow.passed(AssessmentCompleted), strict=True)
    await mark_late(uow, [e.client_id for e, day in passed if day is not None and e.valid_from <= day])
