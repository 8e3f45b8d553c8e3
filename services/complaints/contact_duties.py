"""Who is to be told of what: at each change of state the complainant is contacted, by the channel they chose [C25].

A prompt stands from the first change nobody told them of until a contact after the last one is logged. Imports have
been told elsewhere, group cases and compliance's own have no complainant.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chassis.acts import Doing
from chassis.uow import UnitOfWork
from services.complaints.tables import CaseRow

OWED = "NOT (c.imported OR c.restricted OR c.kind IN ('cluster', 'conduct'))"


async def owe(uow: UnitOfWork, moved: Sequence[Doing[CaseRow]]) -> None:
    """The states of cases changed: their complainants are to be told."""
    await uow.sql.execute(
        f"""UPDATE cases c SET to_tell_since = m.at FROM unnest($1::uuid[], $2::timestamptz[]) AS m(case_id, at)
            WHERE c.case_id = m.case_id AND {OWED} AND c.to_tell_since IS NULL""",
        [one.id for one in moved],
        [one.at for one in moved],
    )


async def note_contact(uow: UnitOfWork, case_id: UUID, at: datetime) -> None:
    """They were contacted: only what changed after that is still to be told."""
    await uow.sql.execute(
        f"""UPDATE cases c SET to_tell_since = CASE WHEN {OWED} THEN (
                SELECT min(s.at) FROM act_steps s
                WHERE s.object = 'case/' || c.case_id AND s.before <> s.after AND s.at > $2) END
            WHERE case_id = $1""",
        case_id,
        at,
    )
