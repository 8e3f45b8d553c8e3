"""Work due: clients whose buys are to be judged again, each from a day on. Written by handlers, done by closes."""

from collections.abc import Iterable
from datetime import date

from chassis.uow import UnitOfWork


async def note(uow: UnitOfWork, due: Iterable[tuple[str, date]], *, levels: bool) -> None:
    """Note (client, day); `levels`: their levels changed, not only a trade came.

    Rows are added, never updated: a close that is reading takes what it sees, and what comes later stays for the next.
    """
    pairs = sorted(set(due))
    await uow.sql.copy_records_to_table(
        "due", records=[(client, day, levels) for client, day in pairs], columns=("client_id", "day", "levels")
    )
