"""Packs are made by the close of a period's last day, once, and watched until they are signed off [C15, C21].

The sales and trading headquarters (销售交易总部) signs them off: a month's by 17:30 of the 3rd working day, a year's by
30 April. It is reminded on the morning of that day; a pack not signed off by its end is late, and stays known as late.
"""

import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from functools import partial
from typing import IO, Any

import asyncpg

from chassis import staff
from chassis.calendar import Calendar, CalendarEnds
from chassis.calendars import current
from chassis.clock import at as clock_at
from chassis.clock import business_date, end_of, month_end
from chassis.database import Database
from chassis.deadlines import Deadline, Due, arm, cancel
from chassis.replans import Moved
from chassis.secrets import signing_key
from chassis.staff import HQ, SALES_TRADING, Holder
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.complaints import PackMade, PackSignOffMissed, PackSignOffReminded
from services.complaints import kpi
from services.complaints.attachments import parts_of
from services.complaints.packs.bundle import PART_BYTES, write_bundle
from services.complaints.packs.figures import Period, period_of, read_figures
from services.complaints.policy import Policies

SIGN_OFF = "sign_off"
REMINDER, MISSED = "reminder", "missed"
MORNING_HOUR = 9
SHOWN = (
    "pack_id, period, cut_off, made_at, made_by, manifest_sha256, sign_off_due, to_sign, reminded_at, missed_at, "
    "signed_off_by, signed_off_at"
)


async def branches(sql: asyncpg.Connection) -> list[str]:
    """Every branch there is, those without a complaint included."""
    return sorted(set((await staff.roster(sql)).places) - {HQ})


async def archive(database: Database, pack_id: str) -> AsyncIterator[bytes]:
    """An archive's bytes, a part at a time."""
    number = 0
    while True:
        async with database.reading() as sql:
            part: bytes | None = await sql.fetchval(
                "SELECT content FROM pack_parts WHERE pack_id = $1 AND number = $2", pack_id, number
            )
        if part is None:
            return
        yield part
        number += 1


async def make_due(uow: UnitOfWork, day: date) -> None:
    """The packs whose period ends with a day that closes: the month's, and in December the year's."""
    if day != month_end(day) or not await _reports(uow):
        return
    names = [f"{day:%Y-%m}"] + ([f"{day:%Y}"] if day.month == 12 else [])
    for name in names:
        await make(uow, period_of(name))
    quarter = [] if day.month % 3 else [f"{day:%Y}-Q{day.month // 3}"]
    for name in (*names, *quarter):
        await kpi.keep(uow, period_of(name))


async def _reports(uow: UnitOfWork) -> bool:
    """Whether anything here is ours to report: what a simulated home imported was complained about elsewhere."""
    if await timeline(uow.sql) is Timeline.REAL:
        return True
    return bool(
        await uow.sql.fetchval("SELECT EXISTS (SELECT FROM cases) AND NOT EXISTS (SELECT FROM cases WHERE imported)")
    )


async def make(uow: UnitOfWork, period: Period) -> Any:
    """Make a period's pack from its frozen cut-off; None when there is one already, which nothing overwrites."""
    policies = await uow.policies(Policies)
    days = policies.limits.on(period.last).body.sign_off_working_days
    due_on, due = _due(period, await current(uow.sql), days)
    roster = await staff.roster(uow.sql)
    signer = roster.holder(HQ, SALES_TRADING, uow.happened_at)
    figures = await read_figures(uow.sql, period, await branches(uow.sql), uow.now)
    with tempfile.TemporaryFile() as file:
        key = signing_key(uow.database.settings, "seal")
        digest = await write_bundle(figures, key, file, partial(parts_of, uow.sql))
        file.seek(0)
        return await _keep(uow, period, digest, file, due_on, due, signer)


async def _keep(
    uow: UnitOfWork, period: Period, digest: str, file: IO[bytes], due_on: date, due: datetime, signer: Holder | None
) -> Any:
    row = await uow.sql.fetchrow(
        f"""INSERT INTO packs (pack_id, period, cut_off, made_at, made_by, manifest_sha256, sign_off_due, to_sign)
            VALUES ($1, $1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING {SHOWN}""",
        period.name,
        period.cut_off,
        uow.now,
        uow.actor.person,
        digest,
        due_on,
        [signer.staff_id if signer else f"seat:{HQ}/{SALES_TRADING}"],
    )
    if row is None:
        return None
    for number, part in enumerate(iter(partial(file.read, PART_BYTES), b"")):
        await uow.sql.execute(
            "INSERT INTO pack_parts (pack_id, number, content) VALUES ($1, $2, $3)", period.name, number, part
        )
    key = f"pack:{period.name}"
    reminder = clock_at(due_on, MORNING_HOUR)
    await arm(
        uow,
        [
            Deadline(SIGN_OFF, f"pack/{period.name}", key, reminder, step=REMINDER),
            Deadline(SIGN_OFF, f"pack/{period.name}", key, due, step=MISSED),
        ],
    )
    uow.audit("make pack", f"pack/{period.name}", key=key, manifest_sha256=digest)
    uow.emit(
        PackMade(
            period=period.name, cut_off=period.cut_off, manifest_sha256=digest, sign_off_due=due_on,
            to_sign=row["to_sign"],
        )
    )  # fmt: skip
    return row


def _due(period: Period, calendar: Calendar, working_days: int) -> tuple[date, datetime]:
    try:
        day = period.sign_off_due(calendar, working_days)
        return day, end_of(day) if period.is_year else calendar.end_of_working_day(day)
    except CalendarEnds:
        # No pack fails because next year's holidays are not published yet: Monday to Friday until they are.
        day, left = period.last, working_days
        while left:
            day = date.fromordinal(day.toordinal() + 1)
            left -= day.weekday() < 5
        return day, end_of(day)


async def replan(uow: UnitOfWork, calendar: Calendar) -> Sequence[Moved]:
    """The days by which packs are to be signed off, of those that still wait: a new calendar moves them."""
    policies, moved = await uow.policies(Policies), list[Moved]()
    for row in await uow.sql.fetch(
        """SELECT p.pack_id, p.period, p.reminded_at, d.key, d.due FROM packs p
           JOIN deadlines d ON d.object = 'pack/' || p.pack_id AND d.kind = $1 AND d.step = $2
           WHERE p.signed_off_at IS NULL AND p.missed_at IS NULL ORDER BY p.pack_id FOR UPDATE""",
        SIGN_OFF,
        MISSED,
    ):
        period = period_of(row["period"])
        due_on, due = _due(period, calendar, policies.limits.on(period.last).body.sign_off_working_days)
        if due == row["due"]:
            continue
        object_ = f"pack/{row['pack_id']}"
        moved.append(Moved(object_, row["due"], due))
        await uow.sql.execute("UPDATE packs SET sign_off_due = $2 WHERE pack_id = $1", row["pack_id"], due_on)
        armed = [Deadline(SIGN_OFF, object_, row["key"], due, step=MISSED)]
        if row["reminded_at"] is None:
            armed.append(Deadline(SIGN_OFF, object_, row["key"], clock_at(due_on, MORNING_HOUR), step=REMINDER))
        await arm(uow, armed)
    return moved


async def watch(due: Sequence[Due], uow: UnitOfWork) -> None:
    """The morning of a pack's last day, and its end: who has to sign is reminded, then the pack is late."""
    for one in due:
        column = "reminded_at" if one.step == REMINDER else "missed_at"
        row = await uow.sql.fetchrow(
            f"""UPDATE packs SET {column} = $2 WHERE pack_id = $1 AND signed_off_at IS NULL
                RETURNING period, sign_off_due, to_sign""",
            one.object.removeprefix("pack/"),
            one.due,
        )
        if row is None:
            continue
        kind = PackSignOffReminded if one.step == REMINDER else PackSignOffMissed
        uow.emit(kind(period=row["period"], sign_off_due=row["sign_off_due"], to_sign=row["to_sign"]), at=one.at)


async def sign(uow: UnitOfWork, pack_id: str) -> Any:
    """Sign a locked pack off; once more changes nothing."""
    await cancel(uow, [(SIGN_OFF, f"pack/{pack_id}")])
    row = await uow.sql.fetchrow(
        f"""UPDATE packs SET signed_off_by = coalesce(signed_off_by, $2), signed_off_at = coalesce(signed_off_at, $3)
            WHERE pack_id = $1 RETURNING {SHOWN}""",
        pack_id,
        uow.actor.person,
        uow.now,
    )
    uow.audit("sign off pack", f"pack/{pack_id}", key=f"pack:{pack_id}", late=is_late(row))
    return row


def is_late(row: Any) -> bool:
    """Whether a pack was not signed off by its day: known from the watch, or from the day it was signed."""
    signed = row["signed_off_at"]
    return row["missed_at"] is not None or (signed is not None and business_date(signed) > row["sign_off_due"])
