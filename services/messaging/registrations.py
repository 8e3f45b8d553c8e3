"""Numbers, mail addresses and WeCom ids of staff, registered (报备) [MS14]: who writes to clients is known beforehand.

A test send goes to a registered address of staff and nowhere else. A contact by a channel for which the person has nothing
registered is a finding for compliance.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

import asyncpg
from uuid_utils import uuid7

from chassis import rows
from chassis.clock import business_date
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Text
from chassis.staff import roster
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.broker import ContactRecorded
from contracts.messaging import FindingRaised
from services.messaging import alerts
from services.messaging.numbers import Tokens, mailbox, mobile
from services.messaging.policy import Policies
from services.messaging.tables import RegistrationRow

FIELDS = {"sms": "phone", "email": "email", "wecom": "wecom"}
"""Under which name an address of a channel is encrypted."""
CHANNELS = {"sms": "sms", "email": "email", "e_mail": "email", "wecom": "wecom"}
"""Channels of recorded contacts that are written messages, as they are called here."""
_FINDINGS = UUID("6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c12")
_ROW = rows.columns(RegistrationRow)


class Registered(Conflict):
    """This address is registered already: one address is one person's."""

    title = Text("The address is registered already", "该地址已报备")


class OwnRegistration(Forbidden):
    """Somebody else registers what is yours."""

    title = Text("Another person registers it", "须由他人报备")


async def register(uow: UnitOfWork, staff_id: str, channel: str, address: str) -> RegistrationRow:
    """Register an address of a member of staff.

    Raises: Invalid: nobody of that id, no such address. Registered, OwnRegistration.
    """
    if uow.actor.person == staff_id:
        raise OwnRegistration
    errors = []
    if (await roster(uow.sql)).person(staff_id, uow.now) is None:
        errors.append(FieldError("body#/staff_id", "is nobody of the staff"))
    if (channel == "sms" and mobile(address) is None) or (channel == "email" and mailbox(address) is None):
        errors.append(FieldError("body#/address", "nothing can be sent there"))
    if errors:
        raise Invalid(errors=tuple(errors))
    now = await effective_now(uow.sql, uow.now)
    sealed = await uow.database.keyring.seal_one(f"staff:{staff_id}", FIELDS[channel], address)
    row = RegistrationRow(
        UUID(bytes=uuid7().bytes), staff_id, channel, Tokens(uow.database.settings).of(channel, address), sealed,
        uow.actor.person, now, None, None,
    )  # fmt: skip
    try:
        await uow.sql.execute(
            f"INSERT INTO registrations ({_ROW}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", *_values(row)
        )
    except asyncpg.UniqueViolationError:
        raise Registered from None
    uow.audit("address_registered", f"registration/{row.registration_id}", staff=staff_id, channel=channel)
    return row


def _values(row: RegistrationRow) -> list[object]:
    return [getattr(row, name) for name in RegistrationRow.__struct_fields__]


async def end(uow: UnitOfWork, registration_id: UUID) -> RegistrationRow:
    """End a registration; ended before, nothing happens. Raises: NotFound."""
    found = await rows.fetch(
        uow.sql,
        RegistrationRow,
        f"""UPDATE registrations SET ended_at = coalesce(ended_at, $2), ended_by = coalesce(ended_by, $3)
            WHERE registration_id = $1 RETURNING {_ROW}""",
        registration_id,
        await effective_now(uow.sql, uow.now),
        uow.actor.person,
    )
    if not found:
        raise NotFound
    uow.audit("registration_ended", f"registration/{registration_id}", staff=found[0].staff_id)
    return found[0]


async def of_staff(sql: asyncpg.Connection, people: Sequence[str]) -> list[RegistrationRow]:
    """The registrations in force of these people, the latest of each channel last."""
    return await rows.fetch(
        sql,
        RegistrationRow,
        f"""SELECT {_ROW} FROM registrations WHERE staff_id = ANY($1::text[]) AND ended_at IS NULL
            ORDER BY staff_id, channel, registered_at, registration_id""",
        list(people),
    )


async def listed(sql: asyncpg.Connection, limit: int) -> list[RegistrationRow]:
    """Registrations in force, the latest first."""
    return await rows.fetch(
        sql,
        RegistrationRow,
        f"SELECT {_ROW} FROM registrations WHERE ended_at IS NULL ORDER BY registered_at DESC, registration_id LIMIT $1",
        limit,
    )


async def follow_contacts(events: Sequence[ContactRecorded], uow: UnitOfWork) -> None:
    """A message that somebody wrote to a client from nothing registered is a finding, once a contact [MS14]."""
    policies = await uow.policies(Policies)
    written = [
        (CHANNELS[e.channel], e)
        for e in events
        if e.direction == "out"
        and CHANNELS.get(e.channel) in policies.sending.on(business_date(e.at)).body.registered_channels
    ]
    if not written:
        return
    held = await rows.fetch(
        uow.sql,
        RegistrationRow,
        f"SELECT {_ROW} FROM registrations WHERE staff_id = ANY($1::text[])",
        sorted({e.staff_id for _, e in written}),
    )
    for channel, e in written:
        if not any(_covers(one, e.staff_id, channel, e.at) for one in held):
            uow.emit(
                FindingRaised(
                    finding_id=uuid5(_FINDINGS, f"unregistered/{e.contact_id}"), client_id=e.client_id,
                    staff_id=e.staff_id, kind="unregistered_sender", subject=f"contact/{e.contact_id}"[:64],
                    raised_at=e.at,
                ),
                at=e.at,
            )  # fmt: skip
            words = f"{e.staff_id} wrote to a client by {channel}, where nothing of theirs is registered"
            await alerts.note(uow, "unregistered_sender", f"contact/{e.contact_id}"[:64], words)


def _covers(one: RegistrationRow, staff_id: str, channel: str, at: datetime) -> bool:
    return (
        (one.staff_id, one.channel) == (staff_id, channel)
        and one.registered_at <= at
        and (one.ended_at is None or at < one.ended_at)
    )
