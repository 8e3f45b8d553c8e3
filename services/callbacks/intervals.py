"""Groups, tiers and assessments as their publishers tell them: histories that can be rewritten, kept as they stand now."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from chassis.uow import UnitOfWork
from contracts.classification import GroupChanged, TierChanged
from contracts.suitability import AssessmentCompleted
from services.callbacks.tables import RANKS, TAGS

ONE_DAY = timedelta(days=1)


async def mark_late(uow: UnitOfWork, clients: Iterable[str]) -> None:
    """Put clients on the list of those whose tasks are compared again."""
    wanted = sorted(set(clients))
    if wanted:
        await uow.sql.execute("INSERT INTO late (client_id) SELECT unnest($1::text[])", wanted)


async def keep_groups(changes: Sequence[GroupChanged], uow: UnitOfWork) -> None:
    """Take over groups [K7]."""
    fresh = await TAGS.keep(uow, changes)
    await mark_late(uow, _changed_late(changes, fresh, uow.passed(GroupChanged)))


async def keep_tiers(changes: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Take over tiers [T5, T7]; each knows the rank before it."""
    fresh = await RANKS.keep(uow, changes)
    await mark_late(uow, _changed_late(changes, fresh, uow.passed(TierChanged)))


def _changed_late(
    changes: Sequence[GroupChanged | TierChanged], fresh: Sequence[bool], passed: Sequence[date | None]
) -> Iterable[str]:
    """The clients whose history is another on a day that may be closed."""
    for change, new, day in zip(changes, fresh, passed, strict=True):
        if new and day is not None and change.changed_from - ONE_DAY <= day:
            yield change.client_id


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
