"""Messages that a member has to confirm (WeCom): what became of them is asked about; after a day they are taken back [MS15]."""

from datetime import datetime, timedelta

from chassis.clock import business_date
from chassis.database import Database
from chassis.personal.keys import Value
from services.messaging.policy import Policies
from services.messaging.ports.adapters import wecom
from services.messaging.ports.port import Answer, Result
from services.messaging.ports.wecom import WeCom
from services.messaging.sending import AWAITING, note
from services.messaging.settings import MessageSettings

AT_ONCE = 100
NOT_CONFIRMED = "member_did_not_confirm"


async def look_by_itself(database: Database) -> bool:
    """One turn of the loop, where there is a WeCom."""
    port = wecom(MessageSettings())
    if port is not None:
        await look(database, port)
    return False  # members take minutes, not milliseconds


async def look(database: Database, port: WeCom, at: datetime | None = None) -> int:
    """Ask what members did with what waits for them; how many messages came to their end."""
    async with database.reading() as sql:
        waiting = await sql.fetch(
            """SELECT m.message_id::text, m.client_id, m.provider_ref, m.address, m.handed_at, m.member
               FROM messages m
               WHERE m.state = 'handed' AND m.way = 'wecom' AND m.reason = $1 AND m.batch_id IS NULL
               ORDER BY m.handed_at LIMIT $2""",
            AWAITING,
            AT_ONCE,
        )
        now = at or await sql.fetchval("SELECT clock_timestamp()")
        hours = (await Policies.read(sql)).sending.on(business_date(now)).body.member_hours
    opened = await database.keyring.open([Value(client, "address", address) for _, client, _, address, _, _ in waiting])
    answers: dict[str, Answer] = {}
    for (key, _, ref, _, handed_at, member), address in zip(waiting, opened, strict=True):
        answer = await port.became(ref, member or "", address or "")
        if answer is None and handed_at + timedelta(hours=hours) <= now and await port.take_back(ref):
            answer = Answer(Result.REFUSED, ref, NOT_CONFIRMED)
        if answer is not None:
            answers[key] = answer
    if answers:
        async with database.unit_of_work() as uow:
            await note(uow, answers, None, now)
    return len(answers)
