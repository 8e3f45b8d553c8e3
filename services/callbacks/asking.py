"""Messages that callbacks asks for, each once, and what it hears became of them [B12, B20, B21].

Messaging sends them: it finds the words, the way and the hour. What is asked for is kept, so that a client is asked for once
and those who lead see what did not arrive.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import asyncpg
import msgspec

from chassis import rows
from chassis.clients import Words
from chassis.clock import end_of, months_after, start_of
from chassis.deadlines import Deadline, arm
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.callbacks import MessageRequested
from contracts.messaging import MessageChanged
from contracts.suitability import AssessmentCompleted, AssessmentExpiring
from services.callbacks.alarms import NO_MANAGER
from services.callbacks.policy import Policies
from services.callbacks.rules import CALLBACKS
from services.callbacks.tables import NOT_ARRIVED, RequestRow

REMINDER = "suitability_reminder"
REMINDERS = (30, 7, 1)
"""Days before the end of an assessment that suitability tells of [Q5]."""
ASKED = "asked"
WAITING = (ASKED, "planned", "queued")
"""States of what has not gone yet."""
DONE = "assessed_again"
LONGEST_CAUSE = 64
_ROW = rows.columns(RequestRow)


def request_id(kind: str, client_id: str, period: str) -> UUID:
    """The id of the one message of a kind for a client and period."""
    return uuid5(CALLBACKS, f"message/{kind}/{client_id}/{period}")


async def welcome(uow: UnitOfWork, events: Sequence[Words]) -> None:
    """Ask for the two messages to new clients as soon as there is a phone or an e-mail address to send them to.

    The first names the manager and waits for one, up to its limit. A client without contact data gets none and is counted
    (`without_contact_data` of the statistics).
    """
    reachable = sorted({event.client_id for event in events if event.sealed.keys() & {"phone", "email"}})
    if not reachable:
        return
    opened_on = await uow.sql.fetch(
        """SELECT client_id, opened_on FROM clients
           WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL AND closed_on IS NULL""",
        reachable,
    )
    policies, wanted, alarms = await uow.policies(Policies), list[RequestRow](), list[Deadline]()
    for client_id, opened in opened_on:
        terms = policies.messages.on(opened).body
        first, second = terms.welcome, terms.follow_up
        for kind, days, limit in (
            ("welcome", first.first_day, end_of(opened + timedelta(days=first.limit_days))),
            ("follow_up", second.first_day, end_of(months_after(opened, second.limit_months))),
        ):
            if limit <= uow.now:
                continue
            due = start_of(opened + timedelta(days=days))
            wanted.append(wanted_of(uow, kind, client_id, opened.isoformat(), {}, due, limit))
            if kind == "welcome":
                alarm = start_of(opened + timedelta(days=first.alarm_day))
                alarms.append(Deadline(NO_MANAGER, f"message/{wanted[-1].request_id}", client_id, alarm))
    new = await ask(uow, wanted)
    await arm(uow, [one for one in alarms if UUID(one.object.removeprefix("message/")) in new])


async def remind(uow: UnitOfWork, events: Sequence[AssessmentExpiring]) -> None:
    """Ask for a reminder for each word that an assessment ends soon; each may go out until the next one is due [B21].

    Only a real home asks for any.
    """
    if await uow.cached(timeline) is not Timeline.REAL:
        return
    known = await uow.sql.fetch(
        """SELECT client_id FROM clients
           WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL AND closed_on IS NULL""",
        sorted({event.client_id for event in events}),
    )
    clients, wanted = {client_id for (client_id,) in known}, []
    for event in events:
        following = max((days for days in REMINDERS if days < event.days_left), default=0)
        limit = end_of(event.valid_until - timedelta(days=following))
        if event.client_id not in clients or limit <= uow.now:
            continue
        due = start_of(event.valid_until - timedelta(days=event.days_left))
        period, fields = f"{event.assessment_id}/{event.days_left}", {"valid_until": event.valid_until.isoformat()}
        wanted.append(wanted_of(uow, REMINDER, event.client_id, period, fields, due, limit))
    await ask(uow, wanted)


async def drop_reminders(uow: UnitOfWork, completed: Sequence[AssessmentCompleted]) -> None:
    """Nobody is reminded of what they have done: a longer assessment takes back the reminders of those before it."""
    await _take_back(
        uow,
        await rows.fetch(
            uow.sql,
            RequestRow,
            f"""SELECT {rows.columns(RequestRow, "r")} FROM requests r
                WHERE r.client_id = ANY($1::text[]) AND r.kind = $3 AND r.state = ANY($4::text[]) AND r.reason <> $5 AND EXISTS (
                    SELECT FROM unnest($1::text[], $2::date[]) AS n(client_id, valid_until)
                    WHERE n.client_id = r.client_id AND (r.fields->>'valid_until')::date < n.valid_until)
                ORDER BY r.request_id FOR UPDATE OF r""",
            [event.client_id for event in completed],
            [event.valid_until for event in completed],
            REMINDER,
            list(WAITING),
            DONE,
        ),
        DONE,
    )


def wanted_of(
    uow: UnitOfWork, kind: str, client_id: str, period: str, fields: Mapping[str, str], due: datetime, limit: datetime
) -> RequestRow:
    """A message to ask for, about a period."""
    key = request_id(kind, client_id, period)
    cause = period if len(period) <= LONGEST_CAUSE else str(key)
    return RequestRow(key, client_id, kind, cause, dict(fields), uow.now, due, limit, ASKED, "", None, uow.now)


async def ask(uow: UnitOfWork, wanted: Sequence[RequestRow]) -> set[UUID]:
    """Ask for messages that were not asked for before; their ids."""
    if not wanted:
        return set()
    found = await uow.sql.fetch(
        f"""INSERT INTO requests ({_ROW})
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[],
                $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::timestamptz[])
            ON CONFLICT DO NOTHING RETURNING request_id""",
        *rows.lists(wanted),
    )
    new = {key for (key,) in found}
    uow.emit_all([_request(one) for one in {one.request_id: one for one in wanted}.values() if one.request_id in new])
    return new


def _request(one: RequestRow, *, withdrawn: bool = False) -> MessageRequested:
    return MessageRequested(
        request_id=one.request_id, client_id=one.client_id, kind=one.kind, cause=one.cause, fields=one.fields,
        not_before=one.not_before, not_after=one.not_after, required=True, withdrawn=withdrawn, asked_at=one.asked_at,
    )  # fmt: skip


async def _take_back(uow: UnitOfWork, asked: Sequence[RequestRow], reason: str) -> None:
    """Take back messages that have not gone, each once; what became of it messaging says."""
    await uow.sql.execute(
        "UPDATE requests SET reason = $2 WHERE request_id = ANY($1::uuid[])", [one.request_id for one in asked], reason
    )
    uow.emit_all([msgspec.structs.replace(_request(one, withdrawn=True), asked_at=uow.now) for one in asked])


async def follow(events: Sequence[MessageChanged], uow: UnitOfWork) -> None:
    """What became of messages that were asked for here: of each the latest word."""
    latest: dict[UUID, MessageChanged] = {}
    for event in sorted(events, key=lambda one: one.at):
        if event.request_id is not None:
            latest[event.request_id] = event
    told = [latest[key] for key in sorted(latest)]
    await uow.sql.execute(
        """UPDATE requests r SET state = n.state, reason = n.reason, channel = n.channel, changed_at = n.at
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                AS n(request_id, state, reason, channel, at)
           WHERE r.request_id = n.request_id AND (r.changed_at <= n.at OR r.state = 'asked')""",
        [one.request_id for one in told],
        [one.state for one in told],
        [one.reason or "" for one in told],
        [one.channel for one in told],
        [one.at for one in told],
    )


async def of_client(sql: asyncpg.Connection, client_id: str, limit: int) -> list[RequestRow]:
    """What was asked for a client, the latest first."""
    return await rows.fetch(
        sql,
        RequestRow,
        f"SELECT {_ROW} FROM requests WHERE client_id = $1 ORDER BY asked_at DESC, request_id LIMIT $2",
        client_id,
        limit,
    )


async def not_arrived(sql: asyncpg.Connection, branch_id: str | None, limit: int) -> list[RequestRow]:
    """Messages that did not arrive or went too late, of one branch's clients or of all, the latest first.

    Mails have no receipts: that none came says nothing.
    """
    return await rows.fetch(
        sql,
        RequestRow,
        f"""SELECT {rows.columns(RequestRow, "r")} FROM requests r JOIN clients c USING (client_id)
            WHERE {NOT_ARRIVED} AND ($1::text IS NULL OR c.branch_id = $1)
            ORDER BY r.changed_at DESC, r.request_id LIMIT $2""",
        branch_id,
        limit,
    )
