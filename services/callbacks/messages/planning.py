"""The plan of messages: the two to new clients [B12], reminders, e-surveys. What is planned is sent later, or skipped."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from chassis.clock import end_of, months_after, start_of
from chassis.uow import UnitOfWork
from contracts.broker import Profile
from services.callbacks import policy
from services.callbacks.calling import after_quiet
from services.callbacks.messages.templates import templates
from services.callbacks.rules import CALLBACKS


def message_id(kind: str, client_id: str, period: str) -> UUID:
    """The id of the one message of a kind for a client and period."""
    return uuid5(CALLBACKS, f"message/{kind}/{client_id}/{period}")


async def welcome(uow: UnitOfWork, events: Sequence[Profile]) -> None:
    """Plan the two messages to new clients as soon as there is a phone or an e-mail address to send them to.

    A client without contact data gets none and is counted (`without_contact_data` of the statistics).
    """
    reachable = sorted({event.client_id for event in events if event.phone or event.email})
    if not reachable:
        return
    rows = await uow.sql.fetch(
        """SELECT client_id, branch_id, opened_on, language, phone IS NOT NULL AS by_phone FROM clients
           WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL AND closed_on IS NULL""",
        reachable,
    )
    for row in rows:
        terms = policy.MESSAGES.on(row["opened_on"]).body
        opened, channel = row["opened_on"], "sms" if row["by_phone"] else "email"
        first = start_of(opened + timedelta(days=terms.welcome["first_day"]))
        second = start_of(opened + timedelta(days=terms.follow_up["first_day"]))
        limits = (
            end_of(opened + timedelta(days=terms.welcome["limit_days"])),
            end_of(months_after(opened, terms.follow_up["limit_months"])),
        )
        for kind, due, limit in (("welcome", first, limits[0]), ("follow_up", second, limits[1])):
            if limit > uow.now:
                await plan(uow, kind, dict(row), channel, opened.isoformat(), due, limit, {})


async def plan(
    uow: UnitOfWork,
    kind: str,
    client: Mapping[str, Any],
    channel: str,
    period: str,
    due: datetime,
    limit: datetime | None,
    inputs: Mapping[str, Any],
) -> UUID:
    """Plan one message, once a client and period. `client` holds client_id, branch_id, language."""
    key = message_id(kind, client["client_id"], period)
    calling = policy.CALLING.shipped[-1].body
    await uow.sql.execute(
        """INSERT INTO messages (message_id, client_id, branch_id, kind, channel, language, marketing, inputs,
                                 planned_at, due_at, limit_at, state)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'planned') ON CONFLICT DO NOTHING""",
        key,
        client["client_id"],
        client["branch_id"],
        kind,
        channel,
        client["language"],
        templates()[kind, client["language"]].marketing,
        dict(inputs),
        uow.now,
        after_quiet(due, calling),
        limit,
    )
    return key


async def drop(uow: UnitOfWork, clients: Sequence[str], reason: str) -> None:
    """Skip what was planned for these clients and not sent yet."""
    await uow.sql.execute(
        "UPDATE messages SET state = 'skipped', reason = $2 WHERE client_id = ANY($1::text[]) AND state = 'planned'",
        list(clients),
        reason,
    )
