"""Who is to be told of what: at each change of state the complainant is contacted, by the channel they chose [C25].

A prompt stands from the first change nobody told them of until a contact after the last one is logged. Imports have
been told elsewhere, group cases and compliance's own have no complainant.
"""

from datetime import datetime
from uuid import UUID

from chassis.uow import UnitOfWork

OWED = "NOT (c.imported OR c.restricted OR c.kind IN ('cluster', 'conduct'))"
SINCE = f"CASE WHEN {OWED} THEN coalesce(c.to_tell_since, {{at}}) END"
"""SQL for the column of a case `c` whose state changes at an instant."""


async def owe(uow: UnitOfWork, case_id: UUID, at: datetime) -> None:
    """The state of a case changed: its complainant is to be told."""
    await uow.sql.execute(
        f"UPDATE cases c SET to_tell_since = {SINCE.format(at='$2::timestamptz')} WHERE case_id = $1", case_id, at
    )


async def note_contact(uow: UnitOfWork, case_id: UUID, at: datetime) -> None:
    """They were contacted: only what changed after that is still to be told."""
    await uow.sql.execute(
        f"""UPDATE cases c SET to_tell_since = CASE WHEN {OWED} THEN (
                SELECT min(m.at) FROM (SELECT at, state, lag(state) OVER (ORDER BY number) AS before
                                       FROM case_moves WHERE case_id = $1) m
                WHERE m.state <> m.before AND m.at > $2) END
            WHERE case_id = $1""",
        case_id,
        at,
    )
