"""Sending what is planned: claimed by a lease, handed over outside any transaction, traced whatever comes of it [B13].

Each message fails alone, and bookkeeping that fails sends nothing again: a message whose sender died, or whose answer
could not be noted, is undeliverable (`sender_died`) once its lease is over. Nothing goes out of a replayed home.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from chassis.clock import business_date
from chassis.database import Database, connect
from chassis.errors import Conflict, NotFound, Text
from chassis.outages import is_outage
from chassis.personal.reading import open_columns
from chassis.staff import roster
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.classification import TIERS
from services.callbacks.calling import after_quiet
from services.callbacks.messages.adapters import MessageSettings, ports
from services.callbacks.messages.port import Handed, Port, Result
from services.callbacks.messages.templates import Words, templates
from services.callbacks.policy import Policies

log = structlog.get_logger()
LEASE = timedelta(minutes=5)
AT_ONCE = 50
NOBODY = {"zh-CN": "客户", "en": "client"}
SENDER = "careline sends messages"
STATES = ("delivered", "undeliverable")


class NothingGoesOut(Conflict):
    """This home replays the past: no message leaves it."""

    title = Text("A replayed home sends no messages", "回放环境不发送消息")


@dataclass(frozen=True, slots=True)
class Ready:
    """A message about to be handed over."""

    message_id: UUID
    client_id: str
    channel: str
    address: str
    words: Words


async def send_due(database: Database, by: Mapping[str, Port], at: datetime | None = None) -> dict[str, int]:
    """Send what is due. Returns how many were sent, are tried again, were refused, skipped or missed.

    `by` are the adapters by channel; `at` is the moment it counts as done, the database's clock unless given.
    Raises: NothingGoesOut.
    """
    counts = {"sent": 0, "later": 0, "refused": 0, "skipped": 0, "missed": 0}
    async with database.unit_of_work() as uow:
        if await timeline(uow.sql) is Timeline.SIMULATED:
            raise NothingGoesOut
        ready = await _claim(uow, at or uow.now, counts)
    for message in ready:
        try:
            handed = await by[message.channel].send(str(message.message_id), message.address, message.words)
            async with database.unit_of_work() as uow:
                counts[await _note(uow, message, handed, at or uow.now)] += 1
        except Exception as error:
            if is_outage(error):
                raise  # what is in hand stays so, and is not sent again
            log.exception("a message could not be handed over, or not noted", message=str(message.message_id))
    return counts


async def send_by_itself(database: Database, at: datetime | None = None) -> bool:
    """One turn of the worker's loop: send what is due in a real home; True when something was done.

    Of several processes one sends at a time, so that a slow provider cannot outlast the lease of what waits behind it.
    A home that is simulated, or that nobody has named yet, sends nothing. An outage is the loop's to wait out.
    """
    async with database.reading() as sql:
        due = await sql.fetchval(
            """SELECT EXISTS (SELECT FROM timeline WHERE timeline = $1) AND EXISTS (
                   SELECT FROM messages, (SELECT coalesce($2, clock_timestamp()) AS now) c
                   WHERE state IN ('planned', 'sending') AND due_at <= now
                     AND (leased_until IS NULL OR leased_until < now))""",
            Timeline.REAL.value,
            at,
        )
    if not due:
        return False
    alone = await connect(database.url)
    try:
        if not await alone.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", SENDER):
            return False
        counts = await send_due(database, ports(MessageSettings(), database.settings.home), at)
    finally:
        await alone.close()
    return any(counts.values())


async def _claim(uow: UnitOfWork, now: datetime, counts: dict[str, int]) -> list[Ready]:
    rows = await uow.sql.fetch(
        """SELECT m.*, c.opened_on, c.closed_on, c.manager_id, c.no_marketing, c.name, c.phone, c.email,
                  c.branch_id AS branch_now
           FROM messages m LEFT JOIN clients c USING (client_id)
           WHERE m.state IN ('planned', 'sending') AND m.due_at <= $1 AND (m.leased_until IS NULL OR m.leased_until < $1)
           ORDER BY m.due_at, m.message_id LIMIT $2 FOR UPDATE OF m SKIP LOCKED""",
        now,
        AT_ONCE,
    )
    policies, found = await uow.policies(Policies), []
    await uow.database.keyring.keys({row["client_id"] for row in rows})  # one question for all of them
    for row in rows:
        if row["state"] == "sending":  # nobody knows whether it went
            counts["refused"] += 1
            await _set(uow, row["message_id"], state="undeliverable", reason="sender_died", leased_until=None)
            continue
        state, reason, later = _judge(policies, row, now)
        if state in ("missed", "skipped"):
            counts[state] += 1
            await _set(uow, row["message_id"], state=state, reason=reason)
        elif later is not None:
            await _set(uow, row["message_id"], due_at=later, reason=reason)
        else:
            address, words = await _words(uow, row, now)
            if address is None:  # the client is erased, or about to be
                counts["skipped"] += 1
                await _set(uow, row["message_id"], state="skipped", reason="no_contact_data")
                continue
            await _set(uow, row["message_id"], state="sending", leased_until=now + LEASE, tries=row["tries"] + 1)
            found.append(Ready(row["message_id"], row["client_id"], row["channel"], address, words))
    return found


def _judge(policies: Policies, row: asyncpg.Record, now: datetime) -> tuple[str, str, datetime | None]:
    """What to do with a message that is due: send it, skip it, or wait, and why."""
    terms, calling = policies.messages.on(business_date(now)).body, policies.calling.on(business_date(now)).body
    if row["closed_on"] is not None:
        return "skipped", "account_closed", None
    if row["limit_at"] is not None and now >= row["limit_at"]:
        return "missed", "limit_passed", None
    if row["marketing"] and row["no_marketing"]:
        return "skipped", "opted_out", None
    if row[_ADDRESS[row["channel"]]] is None:
        return "skipped", "no_contact_data", None
    if (quiet_until := after_quiet(now, calling)) > now:
        return "planned", "quiet_hours", quiet_until
    if row["kind"] == "welcome" and row["manager_id"] is None:
        late = (business_date(now) - row["opened_on"]).days >= terms.welcome.alarm_day
        return "planned", "no_manager_alarm" if late else "no_manager", now + timedelta(days=1)
    return "sending", "", None


_ADDRESS = {"sms": "phone", "email": "email"}


async def _words(uow: UnitOfWork, row: asyncpg.Record, now: datetime) -> tuple[str | None, Words]:
    client, field = row["client_id"], _ADDRESS[row["channel"]]
    known = await open_columns(uow.database, client, {"name": row["name"], field: row[field]})
    terms = (await uow.policies(Policies)).messages.on(business_date(now)).body
    people = await roster(uow.sql)
    manager = people.person(row["manager_id"], now) if row["manager_id"] else None
    branch = people.branch(row["branch_now"], now) if row["branch_now"] else None
    branch_name = (branch.name if branch else "") or row["branch_now"] or ""
    manager_name = (manager.name if manager else "") or row["manager_id"] or ""
    rank = await uow.sql.fetchval(
        "SELECT rank FROM tier_stretches WHERE client_id = $1 AND since <= $2 ORDER BY since DESC LIMIT 1",
        client,
        business_date(now),
    )
    title = {"zh-CN": "客户经理", "en": "your manager "}[row["language"]]
    fields = {
        "name": known["name"] or NOBODY[row["language"]],
        "branch": branch_name,
        "manager": manager_name,
        # Managers are reached through their branch's phone; where none is published, through the hotline.
        "manager_phone": (branch.phone if branch else "") or terms.hotline,
        "contact": title + manager_name if manager_name else branch_name,
        "hotline": terms.hotline,
        "package": terms.packages[TIERS[rank or 0]][row["language"]],
        **{name: str(value) for name, value in row["inputs"].items()},
    }
    words = templates()[row["kind"], row["language"]].fill(fields)
    return known[field], words


async def _note(uow: UnitOfWork, message: Ready, handed: Handed, now: datetime) -> str:
    terms = (await uow.policies(Policies)).messages.on(business_date(now)).body
    if handed.result is Result.SENT:
        await _set(
            uow,
            message.message_id,
            state="sent",
            sent_at=now,
            receipt=handed.receipt,
            template=message.words.template,
            body_sha256=message.words.digest,
            leased_until=None,
            reason="",
        )
    else:
        tries = await uow.sql.fetchval("SELECT tries FROM messages WHERE message_id = $1", message.message_id)
        if handed.result is Result.REFUSED or tries >= terms.attempts:
            await _set(uow, message.message_id, state="undeliverable", reason=handed.reason, leased_until=None)
        else:
            wait = timedelta(minutes=terms.retry_minutes * 2 ** (tries - 1))
            await _set(
                uow,
                message.message_id,
                state="planned",
                due_at=now + wait,
                reason=handed.reason,
                leased_until=None,
            )
    uow.audit(
        "message_handed_over",
        f"message/{message.message_id}",
        key=message.client_id,
        result=handed.result,
        receipt=handed.receipt,
        reason=handed.reason,
        template=message.words.template,
    )
    return str(handed.result)


async def _set(uow: UnitOfWork, message_id: UUID, **columns: Any) -> None:
    sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(columns, 2))
    await uow.sql.execute(f"UPDATE messages SET {sets} WHERE message_id = $1", message_id, *columns.values())


async def receive_receipt(uow: UnitOfWork, receipt: str, state: str, reason: str) -> asyncpg.Record:
    """A provider's word on what became of a message: delivered or not. Twice is a repeat; after `delivered` nothing counts.

    Raises: NotFound for a receipt nobody gave.
    """
    row = await uow.sql.fetchrow("SELECT * FROM messages WHERE receipt = $1 FOR UPDATE", receipt)
    if row is None:
        raise NotFound
    if row["state"] == "sent":
        await _set(uow, row["message_id"], state=state, reason=reason)
        uow.audit("message_receipt", f"message/{row['message_id']}", key=row["client_id"], state=state)
    return row
