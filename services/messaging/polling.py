"""Providers that bring nothing are asked: for receipts of what they took, and for what came in [MS2, MS7].

A message is asked about a minute after it was handed over, then after as long again as it has waited, until its receipt is given
up. What a gateway lists as come in is taken with the place where it goes on, in one transaction: nothing twice, nothing left out.
"""

from collections.abc import Mapping
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError

from chassis.database import Database
from chassis.personal.keys import Value
from services.messaging import alerts, receipts, replies
from services.messaging.incoming import Inbound, receipts_of, replies_of
from services.messaging.ports import sms_inbound
from services.messaging.ports.adapters import ports
from services.messaging.ports.port import Answer, Handed, Polled, Result
from services.messaging.sending import FIRST_LOOK
from services.messaging.settings import MessageSettings

log = structlog.get_logger()
AT_ONCE = 100
EVERY_SECONDS = 30.0
INBOUND = "sms_inbound"
_STATES = {Result.DELIVERED: "delivered", Result.REFUSED: "undelivered"}


async def ask_by_itself(database: Database) -> bool:
    """One turn of the loop: each way whose provider can be asked. True when there may be more."""
    more = False
    for way, port in ports(MessageSettings(), database.settings.home).items():
        if isinstance(port, Polled) and port.polls:
            more |= await ask(database, way, port) == AT_ONCE
    return more


async def ask(database: Database, way: str, port: Polled) -> int:
    """Ask what became of messages of a way that wait for a receipt; how many were asked about."""
    async with database.unit_of_work() as uow:
        now = uow.now
        waiting = await uow.sql.fetch(
            """UPDATE messages SET due_at = $3::timestamptz + greatest($3 - handed_at, $4) WHERE message_id IN (
                   SELECT message_id FROM messages WHERE state = 'handed' AND way = $1 AND batch_id IS NULL
                     AND merged_into IS NULL AND due_at <= $3 ORDER BY due_at, message_id LIMIT $2 FOR UPDATE SKIP LOCKED)
               RETURNING message_id::text, coalesce(client_id, 'staff:' || staff_id), address, handed_at""",
            way,
            AT_ONCE,
            now,
            FIRST_LOOK,
        )
    if not waiting:
        return 0
    opened = await database.keyring.open([Value(owner, "address", address) for _, owner, address, _ in waiting])
    answers = await port.ask(
        [Handed(key, address or "", at) for (key, _, _, at), address in zip(waiting, opened, strict=True)]
    )
    found = [_receipt(key, answer, now) for key, answer in answers.items() if answer.result in _STATES]
    if found:
        async with database.unit_of_work() as uow:
            await receipts.take(uow, found)
    return len(waiting)


def _receipt(key: str, answer: Answer, now: datetime) -> receipts.Receipt:
    return receipts.Receipt(
        message_id=UUID(key), state=_STATES[answer.result], reason=answer.reason, bounced=answer.of_address, at=now
    )


class Incoming:
    """The loop: what came in is asked for every half minute, and at once where there was more."""

    def __init__(self) -> None:
        self._next = 0.0

    async def turn(self, database: Database) -> bool:
        """One turn, where a gateway is to be asked."""
        settings = MessageSettings()
        if not settings.sms_inbound or monotonic() < self._next:
            return False
        self._next = monotonic() + EVERY_SECONDS
        more = await take(database, settings)
        if more:
            self._next = 0.0
        return more


async def take(database: Database, settings: MessageSettings) -> bool:
    """Take what came in after the last time; True when there was anything. What is not understood at
    all is left, and logged; of a list what is, is taken."""
    async with database.reading() as sql:
        after = await sql.fetchval("SELECT position FROM poll_positions WHERE name = $1", INBOUND) or ""
    token = settings.sms_token.get_secret_value()
    try:
        said = await sms_inbound.fetch(settings.sms_inbound, token, after, settings.seconds)
        given, wrong = _understood(said)
        following = str(said.get("next") or after)[:200]
        if not following.isprintable():
            raise sms_inbound.NotUnderstood("its cursor is no line of text")
    except sms_inbound.NotUnderstood as error:
        log.warning("what came in was not understood", error=error)
        return False
    if wrong:
        log.warning("some of what came in was not understood", items=wrong)
    if not given.receipts and not given.replies and following == after:
        return False
    async with database.unit_of_work() as uow:
        moved = await uow.sql.fetchval(
            """INSERT INTO poll_positions AS p (name, position) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE
               SET position = excluded.position WHERE p.position = $3 RETURNING true""",
            INBOUND,
            following,
            after,
        )
        if moved:  # else another worker was here first
            if wrong:
                words = f"{wrong} receipts or replies of a gateway could not be read, and are left out"
                await alerts.note(uow, "inbound_not_understood", following[:64], words)
            await receipts.take(uow, receipts_of(given))
            await replies.take(uow, replies_of(given))
    return bool(given.receipts or given.replies) and following != after


def _understood(said: Mapping[str, Any]) -> tuple[Inbound, int]:
    """What came in, and how much of it is not as agreed: one wrong item keeps no other back.

    Raises: NotUnderstood.
    """
    good: dict[str, list[Any]] = {"receipts": [], "replies": []}
    wrong = 0
    for name, found in good.items():
        items = said.get(name) or []
        if not isinstance(items, list):
            raise sms_inbound.NotUnderstood(f"its {name} are no list")
        for item in items:
            try:
                found += getattr(Inbound.model_validate({name: [item]}), name)
            except ValidationError:
                wrong += 1
    return Inbound.model_construct(None, **good), wrong
