"""Events in: clients and their addresses, accounts that close, messages other services ask for."""

from collections.abc import Sequence
from datetime import date

from chassis.clients import Words
from chassis.erasure import Judgement
from chassis.personal.keys import Value
from chassis.uow import UnitOfWork
from contracts.broker import ClientClosed, ClientOpened, ClientUpdated
from contracts.messaging import MessageRequested, message_id
from contracts.relationships import ProfileChanged
from services.messaging import messages
from services.messaging.messages import Wanted
from services.messaging.numbers import Tokens, mailbox, mobile
from services.messaging.tables import CLIENTS

ADDRESSES = (("sms", "phone"), ("email", "email"))


async def open_clients(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """New clients and how to reach them."""
    await _keep(uow, ClientOpened, events)


async def update_clients(events: Sequence[ClientUpdated], uow: UnitOfWork) -> None:
    """Changed profiles: a new address is a new start for what went to the old one in vain."""
    await _keep(uow, ClientUpdated, events)


async def change_addresses(events: Sequence[ProfileChanged], uow: UnitOfWork) -> None:
    """Contact data that was entered: the highest (ce_time, ce_id) is in force, whoever said it [CI2]."""
    await _keep(uow, ProfileChanged, events)


async def _keep(uow: UnitOfWork, kind: type[Words], events: Sequence[Words]) -> None:
    await CLIENTS.keep(uow, kind, events)
    await place(uow, sorted({event.client_id for event in events if event.sealed.keys() & {"phone", "email"}}))
    # Who was not known yet may be written to now.
    waiting = await uow.sql.fetch(
        """UPDATE messages SET due_at = least(due_at, $2) WHERE client_id = ANY($1::text[]) AND state = 'planned'
             AND reason IN ('client_unknown', 'no_manager') RETURNING true""",
        sorted({event.client_id for event in events}),
        uow.now,
    )
    if waiting:
        uow.notify(messages.LOOPS)


async def place(uow: UnitOfWork, clients: Sequence[str]) -> None:
    """Make the tokens of clients' addresses, as they stand now."""
    if not clients:
        return
    rows = await uow.sql.fetch(
        "SELECT client_id, phone, email FROM clients WHERE client_id = ANY($1::text[]) ORDER BY client_id", clients
    )
    places = [(client_id, dict(zip(("phone", "email"), stored, strict=True))) for client_id, *stored in rows]
    opened = iter(
        await uow.database.keyring.open(
            [Value(client_id, name, stored[name]) for client_id, stored in places for _, name in ADDRESSES]
        )
    )
    tokens = Tokens(uow.database.settings)
    made = [
        (
            client_id,
            *(
                tokens.of(channel, address) if address and _reaches(channel, address) else None
                for channel, address in found
            ),
        )
        for client_id, found in (
            (client_id, [(channel, next(opened)) for channel, _ in ADDRESSES]) for client_id, _ in places
        )
    ]
    await uow.sql.execute(
        """UPDATE clients c SET phone_token = n.phone, email_token = n.email
           FROM unnest($1::text[], $2::text[], $3::text[]) AS n(client_id, phone, email)
           WHERE c.client_id = n.client_id""",
        *(list(column) for column in zip(*made, strict=True)),
    )


def _reaches(channel: str, address: str) -> bool:
    """Whether anything can go there at all."""
    return (mobile(address) if channel == "sms" else mailbox(address)) is not None


async def close_clients(events: Sequence[ClientClosed], uow: UnitOfWork) -> None:
    """A closed account gets no more messages; the earliest word on its date counts."""
    first: dict[str, date] = {}
    for event in events:
        first[event.client_id] = min(event.closed_on, first.get(event.client_id, event.closed_on))
    await CLIENTS.make(uow, sorted(first))
    await uow.sql.execute(
        """UPDATE clients c SET closed_on = least(c.closed_on, n.closed_on)
           FROM unnest($1::text[], $2::date[]) AS n(client_id, closed_on) WHERE c.client_id = n.client_id""",
        list(first),
        list(first.values()),
    )
    await messages.cancel(uow, sorted(first), "account_closed", uow.now)


async def take_requests(events: Sequence[MessageRequested], uow: UnitOfWork) -> None:
    """Messages that other services ask for, or do not want any more."""
    await messages.ask(
        uow,
        [
            Wanted(
                client_id=event.client_id, staff_id=None if event.client_id else event.staff_id, kind=event.kind, cause=event.cause,
                fields=event.fields, asked_by=type(event).topic.removeprefix("careline."), asked_at=event.asked_at,
                not_before=event.not_before, not_after=event.not_after, request_id=event.request_id,
                required=event.required, shock=event.shock, channels=tuple(event.channels), by_event=True,
            )
            for event in events
            if not event.withdrawn
        ],
        uow.now,
    )  # fmt: skip
    # One that was handed over has the id it was asked for under.
    await messages.withdraw(
        uow,
        [
            key
            for event in events
            if event.withdrawn
            for key in (event.request_id, message_id(event.kind, event.key, event.cause))
        ],
    )


async def judge_erasure(uow: UnitOfWork, clients: Sequence[str]) -> dict[str, Judgement]:
    """An open account keeps a client. Of one that nothing keeps, what points to their addresses goes at once."""
    rows = await uow.sql.fetch(
        """SELECT client_id FROM clients
           WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL AND closed_on IS NULL""",
        list(clients),
    )
    kept = {client_id for (client_id,) in rows}
    gone = sorted(set(clients) - kept)
    await uow.sql.execute(
        "UPDATE clients SET phone_token = NULL, email_token = NULL WHERE client_id = ANY($1::text[])", gone
    )
    await uow.sql.execute("DELETE FROM wecom_contacts WHERE client_id = ANY($1::text[])", gone)
    await uow.sql.execute("UPDATE messages SET address_token = NULL WHERE client_id = ANY($1::text[])", gone)
    return {client_id: Judgement("account open") for client_id in kept}
