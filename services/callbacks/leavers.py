"""Leavers (离职): the centre asks their clients how they were served, whoever serves them now [A9, B21]."""

from collections.abc import Sequence

from chassis import staff
from chassis.clock import start_of
from chassis.uow import UnitOfWork
from contracts.broker import StaffChanged
from services.callbacks import tasks
from services.callbacks.obligations import Obligation


async def keep_staff(events: Sequence[StaffChanged], uow: UnitOfWork) -> None:
    """Keep what was said of people; of each who leaves, the clients get a conduct call, hidden from the leaver.

    One call a client and leaver: told again, or with another date, it is the same task.
    """
    await staff.keep_staff(events, uow)
    leaving = {event.staff_id: event.left_on for event in events if event.left_on is not None}
    if not leaving:
        return
    uow.happened_at = max(record.time for record in uow.records(StaffChanged))
    rows = await uow.sql.fetch(
        """SELECT DISTINCT c.client_id, c.branch_id, n.staff_id, n.left_on
           FROM unnest($1::text[], $2::date[]) AS n(staff_id, left_on)
           JOIN clients c ON c.manager_id = n.staff_id OR EXISTS (
               SELECT FROM standings s WHERE s.client_id = c.client_id AND s.manager_id = n.staff_id
                 AND s.since > n.left_on - 31)
           WHERE c.opened_on IS NOT NULL AND (c.closed_on IS NULL OR c.closed_on > n.left_on)
           ORDER BY c.client_id, n.staff_id""",
        list(leaving),
        list(leaving.values()),
    )
    owed = [
        Obligation(
            client_id=row["client_id"],
            rule="manager_left",
            period=row["staff_id"],
            created_on=row["left_on"],
            found_on=row["left_on"],
            branch_id=row["branch_id"],
            cause={"manager": row["staff_id"], "left_on": row["left_on"]},
            concerned=(row["staff_id"],),
            begun_at=start_of(row["left_on"]),
        )
        for row in rows
    ]
    await tasks.make(uow, owed)
