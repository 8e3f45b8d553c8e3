"""The end mark of what callbacks kept of messages and told to messaging, each once.

Until version 1.1 callbacks sent messages itself; what it kept went over by `callbacks.message.handed_over`, and its tables are gone
since. Messaging sends nothing before it has the end mark, so a home that never kept any tells it too.
"""

from uuid import uuid5

from chassis.database import Database
from contracts.callbacks import MessageHandedOver
from services.callbacks.rules import CALLBACKS

END = "end"


async def turn(database: Database) -> bool:
    """One turn of the loop: tell the end mark, once."""
    async with database.reading() as sql:
        if await sql.fetchval("SELECT EXISTS (SELECT FROM handed_over WHERE part = $1)", END):
            return False
    async with database.unit_of_work() as uow:
        await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtext('callbacks hands over'))")
        count = await uow.sql.fetchval("SELECT coalesce(sum(count), 0)::int FROM handed_over")
        fresh = await uow.sql.fetchval(
            "INSERT INTO handed_over (part, after, count) VALUES ($1, NULL, $2) ON CONFLICT DO NOTHING RETURNING true",
            END,
            count,
        )
        if fresh:
            uow.emit(
                MessageHandedOver(what="end", item_id=uuid5(CALLBACKS, "handed_over/end"), count=count, at=uow.now)
            )
    return False
