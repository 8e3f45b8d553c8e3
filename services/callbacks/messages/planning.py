"""The plan of messages: the two to new clients [B12], reminders, e-surveys. What is planned is sent later, or skipped."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from chassis.clock import business_date, end_of, months_after, start_of
from chassis.deadlines import Deadline, arm
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.broker import Profile
from contracts.suitability import AssessmentCompleted, AssessmentExpiring
from services.callbacks.alarms import NO_MANAGER
from services.callbacks.calling import after_quiet
from services.callbacks.messages.templates import templates
from services.callbacks.policy import Calling, Policies
from services.callbacks.rules import CALLBACKS

REMINDER = "suitability_reminder"
REMINDERS = (30, 7, 1)
"""Days before the end of an assessment that suitability tells of [Q5]."""


def message_id(kind: str, client_id: str, period: str) -> UUID:
    """The id of the one message of a kind for a client and period."""
    return uuid5(CALLBACKS, f"message/{kind}/{client_id}/{period}")


async def welcome(uow: UnitOfWork, events: Sequence[Profile]) -> None:
    """Plan the two messages to new clients as soon as there is a phone or an e-mail address to send them to.

    A client without contact data gets none and is counted (`without_contact_data` of the statistics).
    """
    reachable = sorted({event.client_id for event in events if event.sealed.keys() & {"phone", "email"}})
    if not reachable:
        return
    rows = await uow.sql.fetch(
        """SELECT client_id, branch_id, opened_on, language, phone IS NOT NULL AS by_phone FROM clients
           WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL AND closed_on IS NULL""",
        reachable,
    )
    policies = await uow.policies(Policies)
    for row in rows:
        terms = policies.messages.on(row["opened_on"]).body
        opened, channel = row["opened_on"], "sms" if row["by_phone"] else "email"
        first = start_of(opened + timedelta(days=terms.welcome.first_day))
        second = start_of(opened + timedelta(days=terms.follow_up.first_day))
        limits = (
            end_of(opened + timedelta(days=terms.welcome.limit_days)),
            end_of(months_after(opened, terms.follow_up.limit_months)),
        )
        if limits[0] > uow.now:
            asked = start_of(opened + timedelta(days=terms.welcome.alarm_day))
            key = message_id("welcome", row["client_id"], opened.isoformat())
            await arm(uow, [Deadline(NO_MANAGER, f"message/{key}", row["client_id"], asked)])
        for kind, due, limit in (("welcome", first, limits[0]), ("follow_up", second, limits[1])):
            if limit > uow.now:
                await plan(uow, kind, dict(row), channel, opened.isoformat(), due, limit, {})


async def remind(uow: UnitOfWork, events: Sequence[AssessmentExpiring]) -> None:
    """Plan a reminder for each word that an assessment ends soon; each may go out until the next one is due [B21].

    It serves the client, so the marketing opt-out does not stop it (the template says which kinds are marketing). A
    client without contact data has it skipped and counted when it is due. Only a real home plans any.
    """
    if await uow.cached(timeline) is not Timeline.REAL:
        return
    rows = await uow.sql.fetch(
        """SELECT client_id, branch_id, language, phone IS NULL AND email IS NOT NULL AS by_email FROM clients
           WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL AND closed_on IS NULL""",
        sorted({event.client_id for event in events}),
    )
    clients = {row["client_id"]: row for row in rows}
    for event in events:
        row = clients.get(event.client_id)
        following = max((days for days in REMINDERS if days < event.days_left), default=0)
        limit = end_of(event.valid_until - timedelta(days=following))
        if row is None or limit <= uow.now:
            continue
        due = start_of(event.valid_until - timedelta(days=event.days_left))
        period = f"{event.assessment_id}/{event.days_left}"
        inputs = {"assessment": event.assessment_id, "valid_until": event.valid_until.isoformat()}
        await plan(uow, REMINDER, dict(row), "email" if row["by_email"] else "sms", period, due, limit, inputs)


async def drop_reminders(uow: UnitOfWork, completed: Sequence[AssessmentCompleted]) -> None:
    """Nobody is reminded of what they have done: a longer assessment ends the reminders of those before it."""
    await uow.sql.execute(
        """UPDATE messages m SET state = 'skipped', reason = 'assessed_again'
           FROM unnest($1::text[], $2::date[]) AS n(client_id, valid_until)
           WHERE m.client_id = n.client_id AND m.kind = $3 AND m.state = 'planned'
             AND (m.inputs->>'valid_until')::date < n.valid_until""",
        [event.client_id for event in completed],
        [event.valid_until for event in completed],
        REMINDER,
    )


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
    calling = await calling_at(uow, due)
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


async def plan_many(
    uow: UnitOfWork,
    kind: str,
    rows: Sequence[tuple[Mapping[str, Any], str, Mapping[str, Any]]],
    period: str,
    due: datetime,
    limit: datetime,
) -> int:
    """Plan one message for each of (client, channel, inputs); once a client and period. How many are new."""
    words = templates()
    new = await uow.sql.fetch(
        """INSERT INTO messages (message_id, client_id, branch_id, kind, channel, language, marketing, inputs,
                                 planned_at, due_at, limit_at, state)
           SELECT message_id, client_id, branch_id, $1, channel, language, marketing, inputs, $9, $10, $11, 'planned'
           FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::jsonb[])
                AS n(message_id, client_id, branch_id, channel, language, marketing, inputs)
           ON CONFLICT DO NOTHING RETURNING 1""",
        kind,
        [message_id(kind, client["client_id"], period) for client, _, _ in rows],
        [client["client_id"] for client, _, _ in rows],
        [client["branch_id"] for client, _, _ in rows],
        [channel for _, channel, _ in rows],
        [client["language"] for client, _, _ in rows],
        [words[kind, client["language"]].marketing for client, _, _ in rows],
        [dict(inputs) for _, _, inputs in rows],
        uow.now,
        after_quiet(due, await calling_at(uow, due)),
        limit,
    )
    return len(new)


async def calling_at(uow: UnitOfWork, at: datetime) -> Calling:
    """The terms of calling in force at an instant, quiet hours among them [B20]."""
    return (await uow.policies(Policies)).calling.on(business_date(at)).body


async def drop(uow: UnitOfWork, clients: Sequence[str], reason: str) -> None:
    """Skip what was planned for these clients and not sent yet."""
    await uow.sql.execute(
        "UPDATE messages SET state = 'skipped', reason = $2 WHERE client_id = ANY($1::text[]) AND state = 'planned'",
        list(clients),
        reason,
    )
