"""Replies (上行): an opt-out stops the number from the reply's own time on, with one confirmation and the evidence [MS7]."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid5

import msgspec

from chassis import rows
from chassis.personal.keys import Value
from chassis.uow import UnitOfWork
from contracts.messaging import ReplyReceived, message_id
from services.messaging import messages, preferences
from services.messaging.messages import Wanted
from services.messaging.numbers import Tokens
from services.messaging.tables import ConsentRow, InboundRow
from services.messaging.texts import command_of

STOP, CONFIRMATION, STOPPED = "STOP", "opt_out_confirmed", "MARKETING"
WORDS = "words"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply as a provider hands it in."""

    inbound_id: str
    number: str
    text: str
    at: datetime


async def take(uow: UnitOfWork, given: Sequence[Reply]) -> int:
    """Keep replies, each once; tell of them; stop what they stop. How many are new."""
    tokens = Tokens(uow.database.settings)
    numbers = {one.inbound_id: tokens.of("sms", one.number) for one in given}
    owners = await _clients(uow, sorted(set(numbers.values())))
    first: dict[str, Reply] = {}
    for one in given:
        first.setdefault(one.inbound_id, one)
    made = []
    for one in first.values():
        number = numbers[one.inbound_id]
        client_id = owners[number][0] if len(owners[number]) == 1 else None
        owner = client_id or f"number:{number}"
        at = min(one.at, uow.now)
        made.append(InboundRow(one.inbound_id, client_id, number, owner, command_of(one.text), None, at, uow.now))
    sealed = await uow.database.keyring.seal([Value(row.owner, WORDS, first[row.inbound_id].text) for row in made])
    made = [
        msgspec.structs.replace(row, words=text.encode() if text else None)
        for row, text in zip(made, sealed, strict=True)
    ]
    fresh = await _keep(uow, made)
    uow.emit_all(
        [
            ReplyReceived(
                inbound_id=row.inbound_id, client_id=row.client_id, number=None if row.client_id else row.number,
                command=row.command, at=row.at,
            )
            for row in fresh
        ],
        at=uow.now,
    )  # fmt: skip
    for row in fresh:
        if row.command == STOP:
            await _stop(uow, row, owners[row.number])
    return len(fresh)


async def _clients(uow: UnitOfWork, numbers: Sequence[str]) -> defaultdict[str, list[str]]:
    """Whose each number is."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for number, client_id in await uow.sql.fetch(
        "SELECT phone_token, client_id FROM clients WHERE phone_token = ANY($1::text[]) ORDER BY client_id", numbers
    ):
        found[number].append(client_id)
    return found


async def _keep(uow: UnitOfWork, made: Sequence[InboundRow]) -> list[InboundRow]:
    kept = await uow.sql.fetch(
        f"""INSERT INTO inbound ({rows.columns(InboundRow)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[],
                                 $7::timestamptz[], $8::timestamptz[])
            ON CONFLICT DO NOTHING RETURNING inbound_id""",
        *(rows.lists(made) if made else [[] for _ in range(8)]),
    )
    new = {key for (key,) in kept}
    return [row for row in made if row.inbound_id in new]


async def _stop(uow: UnitOfWork, row: InboundRow, clients: Sequence[str]) -> None:
    stopped_before = await uow.sql.fetchval(
        "SELECT EXISTS (SELECT FROM consents WHERE number = $1 AND message_class = $2 AND NOT allowed)",
        row.number,
        STOPPED,
    )
    await preferences.keep(
        uow,
        [
            ConsentRow(
                uuid5(message_id(CONFIRMATION, "inbound", row.inbound_id), STOPPED), None, row.number, STOPPED, "sms",
                False, row.at, uow.now, uow.actor.person, preferences.REPLY, "", f"inbound/{row.inbound_id}",
            )
        ],
    )  # fmt: skip
    uow.audit("opted_out", f"inbound/{row.inbound_id}", key=row.owner, since=row.at, clients=len(clients))
    for client_id in clients:
        await preferences.tell(uow, client_id, row.at)
    if clients and not stopped_before:
        one = Wanted(
            client_id=clients[0], kind=CONFIRMATION, cause=f"inbound/{row.inbound_id}"[:64], fields={},
            asked_by="messaging", asked_at=uow.now, required=True,
        )  # fmt: skip
        await messages.ask(uow, [one], uow.now)


async def of_client(uow: UnitOfWork, client_id: str, limit: int) -> list[InboundRow]:
    """A client's replies, newest first: those of a number of theirs alone."""
    return await rows.fetch(
        uow.sql,
        InboundRow,
        f"""SELECT {rows.columns(InboundRow)} FROM inbound WHERE client_id = $1
            ORDER BY at DESC, inbound_id LIMIT $2""",
        client_id,
        limit,
    )
