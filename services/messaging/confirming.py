"""Messages that a member has to confirm (WeCom): what became of them is asked about; after a day they are taken back [MS15]."""

from datetime import datetime, timedelta

from chassis.clock import business_date
from chassis.database import Database
from chassis.personal.keys import Value
from services.messaging.policy import Policies
from services.messaging.ports.adapters import wecom
from services.messaging.ports.port import Answer, Result
from services.messaging.ports.wecom import WeCom
from services.messaging.sending import NOT_CONFIRMED, note
from services.messaging.settings import MessageSettings

AT_ONCE = 100
AGAIN = timedelta(minutes=10)
"""Members take minutes, not milliseconds: one message is asked about so often."""


async def look_by_itself(database: Database) -> bool:
    """One turn of the loop, where there is a WeCom."""
    port = wecom(MessageSettings())
    return port is not None and await look(database, port) == AT_ONCE


async def look(database: Database, port: WeCom, at: datetime | None = None) -> int:
    """Ask what members did with what waits for them, each message in its turn; how many were asked about."""
    async with database.unit_of_work() as uow:
        now = at or uow.now
        waiting = await uow.sql.fetch(
            """UPDATE messages SET due_at = $3 WHERE message_id IN (
                   SELECT message_id FROM messages WHERE state = 'handed' AND way = 'wecom' AND reason = 'awaiting_member'
                     AND batch_id IS NULL AND due_at <= $1
                   ORDER BY due_at, message_id LIMIT $2 FOR UPDATE SKIP LOCKED)
               RETURNING message_id::text, client_id, provider_ref, address, handed_at, member, withdrawn""",
            now,
            AT_ONCE,
            now + AGAIN,
        )
        hours = (await uow.policies(Policies)).sending.on(business_date(now)).body.member_hours
    opened = await database.keyring.open([Value(client, "address", address) for _, client, _, address, *_ in waiting])
    answers: dict[str, Answer] = {}
    for (key, _, ref, _, handed_at, member, withdrawn), address in zip(waiting, opened, strict=True):
        answer = await port.became(ref, member or "", address or "")
        ends = withdrawn or handed_at + timedelta(hours=hours) <= now
        if answer is None and ends and await port.take_back(ref):
            answer = Answer(Result.REFUSED, ref, NOT_CONFIRMED)
        if answer is not None:
            answers[key] = answer
    if answers:
        async with database.unit_of_work() as uow:
            await note(uow, answers, None, now)
    return len(waiting)
