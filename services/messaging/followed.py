"""What decides who gets which mailing, as its publishers tell it: tiers, groups, risk levels."""

from collections.abc import Sequence

from chassis import rows
from chassis.uow import UnitOfWork
from contracts.classification import GroupChanged, TierChanged
from contracts.suitability import AssessmentCompleted
from services.messaging.tables import GROUPS, TIERS, LevelRow


async def keep_tiers(changes: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Take over tiers [T5, T7]."""
    await TIERS.keep(uow, changes)


async def keep_groups(changes: Sequence[GroupChanged], uow: UnitOfWork) -> None:
    """Take over groups [K7]."""
    await GROUPS.keep(uow, changes)


async def keep_levels(completed: Sequence[AssessmentCompleted], uow: UnitOfWork) -> None:
    """Keep risk levels with the days they are in force."""
    first = {(one.client_id, one.assessment_id): one for one in completed}
    made = [
        LevelRow(one.client_id, one.assessment_id, one.level, one.valid_from, one.valid_until)
        for _, one in sorted(first.items())
    ]
    await uow.sql.execute(
        f"""INSERT INTO levels ({rows.columns(LevelRow)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::date[]) ON CONFLICT DO NOTHING""",
        *rows.lists(made),
    )
