"""Alerts to staff: what somebody has to look at now, each told once [MS14, MS17].

Kept before it goes; handing over is noted first, so that a worker that dies tells nobody twice. Where no address is set up they
stand in the list alone (`GET /v1/messaging/alerts`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import structlog

from chassis import rows
from chassis.clock import business_date
from chassis.database import Database
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from services.messaging.policy import Policies
from services.messaging.ports import alerts as port
from services.messaging.settings import MessageSettings
from services.messaging.tables import AlertRow

log = structlog.get_logger()
LOOPS = "loops:messaging"
TRIES = 5
AGAIN = timedelta(minutes=1)
WATCHED_EVERY_SECONDS = 60.0
STUCK = "provider_down"
_IDS = UUID("6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c14")
_ROW = rows.columns(AlertRow)
TITLES = {
    "paid_days_without_content": "短信产品连续两日无内容 / Two paid days without content",
    "unregistered_sender": "未报备渠道联系客户 / Contact from an unregistered address",
    "inbound_not_understood": "上行内容无法识别 / Receipts or replies that cannot be read",
    STUCK: "短信/邮件通道异常 / A provider takes nothing",
}


async def note(uow: UnitOfWork, kind: str, subject: str, words: str) -> None:
    """Keep an alert, once a kind and subject."""
    fresh = await uow.sql.fetchval(
        f"""INSERT INTO alerts ({_ROW}) VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $5, '') ON CONFLICT DO NOTHING RETURNING true""",
        uuid5(_IDS, f"{kind}/{subject}"),
        kind,
        subject,
        words,
        uow.now,
    )
    if fresh:
        uow.notify(LOOPS)


async def watch(database: Database, at: datetime | None = None) -> bool:
    """Notice ways whose messages wait for a second try and more, while nothing has gone for a while: once an hour and way."""
    async with database.unit_of_work() as uow:
        if await timeline(uow.sql) is not Timeline.REAL:
            return False
        now = at or uow.now
        minutes = (await uow.policies(Policies)).sending.on(business_date(now)).body.stuck_minutes
        found = await uow.sql.fetch(
            """SELECT way, count(*), min(asked_at) FROM messages m
               WHERE state = 'queued' AND tries > 1 AND way IS NOT NULL AND NOT EXISTS (
                   SELECT FROM messages h WHERE h.way = m.way AND h.state IN ('handed', 'delivered') AND h.handed_at > $1)
               GROUP BY 1 ORDER BY 1""",
            now - timedelta(minutes=minutes),
        )
        for way, count, since in found:
            subject = f"{way}/{now:%Y-%m-%dT%H}"
            await note(uow, STUCK, subject, f"{way}: {count} messages wait for another try, the oldest since {since:%Y-%m-%d %H:%M} UTC")  # fmt: skip
    return False


class Alerts:
    """The loop: ways are watched once a minute; what waits goes where there is an address, of a real home alone."""

    def __init__(self) -> None:
        self._next = 0.0

    async def turn(self, database: Database) -> bool:
        """One turn. True when there may be more."""
        if monotonic() >= self._next:
            self._next = monotonic() + WATCHED_EVERY_SECONDS
            await watch(database)
        urls = MessageSettings().alerts.get_secret_value().split()
        if not urls:
            return False
        async with database.reading() as sql:
            real = await timeline(sql) is Timeline.REAL
        return real and await send(database, urls)


async def send(database: Database, urls: Sequence[str], at: datetime | None = None) -> bool:
    """Send the next alert that waits; whether there was one. What some address did not take is tried there again, five times."""
    async with database.unit_of_work() as uow:
        found = await rows.fetch(
            uow.sql,
            AlertRow,
            f"""UPDATE alerts SET state = 'handed', tries = tries + 1 WHERE alert_id = (
                    SELECT alert_id FROM alerts WHERE state = 'waiting' AND due_at <= $1 ORDER BY due_at, alert_id LIMIT 1
                    FOR UPDATE SKIP LOCKED) RETURNING {_ROW}""",
            at or uow.now,
        )
    if not found:
        return False
    [one] = found
    names, before = {port.name_of(url): url for url in urls}, set(filter(None, one.failed.split(",")))
    # An address that failed and is not there any more was corrected: the alert goes to all that are.
    wanted = [names[name] for name in names if name in before] if before and before <= names.keys() else list(urls)
    try:
        failed = await port.send(wanted, TITLES.get(one.kind, one.kind), f"{one.words}\n{one.subject}")
    except port.AlertsUnavailable as error:
        log.warning("alerts cannot be sent", error=error)
        failed = [port.name_of(url) for url in wanted]
    async with database.unit_of_work() as uow:
        now = at or uow.now
        state = "sent" if not failed else "waiting" if one.tries < TRIES else "failed"
        await uow.sql.execute(
            "UPDATE alerts SET state = $2, failed = $3, due_at = $4 WHERE alert_id = $1",
            one.alert_id,
            state,
            ",".join(sorted(set(failed))),
            now + AGAIN * 2**one.tries,
        )
    return True


async def listed(sql: asyncpg.Connection, limit: int) -> list[dict[str, Any]]:
    """Alerts, the latest first."""
    found = await rows.fetch(sql, AlertRow, f"SELECT {_ROW} FROM alerts ORDER BY at DESC, alert_id LIMIT $1", limit)
    return [
        {
            "kind": one.kind, "subject": one.subject, "words": one.words, "at": one.at, "state": one.state, "tries": one.tries,
            "failed": one.failed,
        }
        for one in found
    ]  # fmt: skip
