"""Lines (SMS1 to SMS3) that are made of facts, and the days that were paid for without one [MS17].

The desk writes lines of its own as mailings of the columns of these products. The rest is made here: a holding that moved, a
warrant about to expire, rights and risks of what is held, new issues and listings, shares allotted. Who gets a line has the
product that day, as products tells. Each line has one id by its kind, client and cause, so that making it again makes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import msgspec

from chassis import calendars, rows
from chassis.calendar import Calendar, DayKind
from chassis.calendar.errors import CalendarBegins, CalendarEnds
from chassis.clock import end_of
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.messaging import FindingRaised
from services.messaging import alerts, messages
from services.messaging.messages import Wanted
from services.messaging.policy import LINES, Lines, Policies
from services.messaging.tables import ContentRow

LINES_BY = "lines"
"""Who asks for them."""
KINDS: Mapping[str, tuple[str, ...]] = {
    "SMS2": ("holding_moved", "warrant_expiry", "rights_issue", "suspension", "rating", "risk"),
    "SMS3": ("allotment", "new_issue", "listing"),
}
"""The templates of the lines each product makes of facts."""
OF_HOLDERS = KINDS["SMS2"][1:]
OF_EVERYBODY = ("new_issue", "listing")
ALARM = "paid_days_without_content"
AT_ONCE = 2_000
SHOWN_MOVES = 4
ONE_DAY = timedelta(days=1)
_FINDINGS = UUID("6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c13")


def entitled(client: str, code: str, day: str) -> str:
    """SQL: whether a client has an SMS product on a day."""
    return f"""EXISTS (SELECT FROM entitlements e WHERE e.client_id = {client} AND e.code = {code} AND e.since <= {day}
               AND (e.until IS NULL OR e.until > {day}))"""


def holders(symbol: str, day: str, days: str) -> str:
    """SQL: who holds a symbol, by the last word on each of at most so many days before."""
    return f"""SELECT DISTINCT ON (h.client_id) h.client_id, h.quantity FROM holdings h
               WHERE h.symbol = {symbol} AND h.as_of <= {day} AND h.as_of >= {day} - {days}::int
               ORDER BY h.client_id, h.as_of DESC"""


async def anything(sql: asyncpg.Connection) -> bool:
    """Whether there is any notice or allotment at all: most homes have none."""
    found: bool = await sql.fetchval("SELECT EXISTS (SELECT FROM notices) OR EXISTS (SELECT FROM allotments)")
    return found


# --- lines -----------------------------------------------------------------------------------------------------------


async def tell_of_moves(uow: UnitOfWork, day: date, clients: Sequence[str] | None = None) -> int:
    """One line to each client whose holdings moved on a day, the largest move first."""
    terms = await _terms(uow, day)
    found = await uow.sql.fetch(
        f"""SELECT h.client_id, h.symbol, h.value / h.quantity / (p.value / p.quantity) - 1 AS moved
            FROM holdings h CROSS JOIN LATERAL (
                SELECT p.value, p.quantity FROM holdings p
                WHERE p.client_id = h.client_id AND p.symbol = h.symbol AND p.as_of < $1 AND p.as_of >= $1 - $3::int
                  AND p.quantity > 0 AND p.value > 0 ORDER BY p.as_of DESC LIMIT 1) p
            WHERE h.as_of = $1 AND h.quantity > 0 AND ($2::text[] IS NULL OR h.client_id = ANY($2))
              AND abs(h.value * p.quantity - p.value * h.quantity) * 100 >= $4 * p.value * h.quantity
              AND {entitled("h.client_id", "'SMS2'", "$1")}
            ORDER BY h.client_id, abs(h.value / h.quantity / (p.value / p.quantity) - 1) DESC, h.symbol""",
        day,
        None if clients is None else list(clients),
        terms.holding_days,
        terms.moved_percent,
    )
    moves: dict[str, list[str]] = {}
    for client_id, symbol, moved in found:
        moves.setdefault(client_id, []).append(f"{symbol} {_percent(moved)}")
    on, until = day.isoformat(), (await uow.cached(calendars.current)).trading_day_after(day)
    wanted = [
        _line(uow, "holding_moved", client_id, on, {"moves": _listed(shown), "on": on}, until)
        for client_id, shown in moves.items()
    ]
    return await _ask(uow, "SMS2", day, wanted)


def _percent(moved: Decimal) -> str:
    return f"{(moved * 100).quantize(Decimal('0.1'), ROUND_HALF_UP):+}%"


def _listed(shown: Sequence[str]) -> str:
    more = len(shown) - SHOWN_MOVES
    return ", ".join(shown[:SHOWN_MOVES]) + (f" (+{more})" if more > 0 else "")


async def tell_of_notices(
    uow: UnitOfWork, day: date, *, notices: Sequence[str] | None = None, clients: Sequence[str] | None = None,
    content_day: date | None = None,
) -> int:  # fmt: skip
    """A line on each notice that still lies ahead on a day: to those who hold it, or of new issues to all with the IPO line."""
    terms, calendar = await _terms(uow, day), await uow.cached(calendars.current)
    ahead = await uow.sql.fetch(
        "SELECT notice_id, symbol, kind, on_day FROM notices WHERE on_day >= $1 AND ($2::text[] IS NULL OR notice_id = ANY($2))",
        day,
        None if notices is None else list(notices),
    )
    count, some = 0, None if clients is None else list(clients)
    for notice_id, symbol, kind, on in ahead:
        if kind == "warrant_expiry" and _trading_days(calendar, day, on) > terms.warrant_days:
            continue
        if kind in OF_HOLDERS:
            code, query = "SMS2", f"SELECT client_id FROM ({holders('$1', '$2', '$4')}) w WHERE quantity > 0"
        else:
            code, query = (
                "SMS3",
                "SELECT DISTINCT client_id FROM entitlements WHERE $1::text <> '' AND $4::int >= 0 AND code = 'SMS3'",
            )
        found = await uow.sql.fetch(
            f"""SELECT c.client_id FROM ({query}) c WHERE ($3::text[] IS NULL OR c.client_id = ANY($3))
                  AND {entitled("c.client_id", f"'{code}'", "$2")}
                  AND NOT EXISTS (SELECT FROM messages m WHERE m.client_id = c.client_id AND m.cause = $5 AND m.kind = $6)
                ORDER BY 1""",
            symbol,
            day,
            some,
            terms.holding_days,
            notice_id,
            kind,
        )
        fields = {"symbol": symbol, "on": on.isoformat()}
        wanted = [_line(uow, kind, client_id, notice_id, fields, on) for (client_id,) in found]
        count += await _ask(uow, code, content_day or day, wanted)
    return count


async def tell_of_allotments(
    uow: UnitOfWork, day: date, clients: Sequence[str] | None = None, content_day: date | None = None
) -> int:
    """A line on each allotment that is still to be paid."""
    found = await uow.sql.fetch(
        f"""SELECT a.client_id, a.allotment_id, a.symbol, a.quantity, a.pay_by FROM allotments a
            WHERE a.pay_by >= $1 AND ($2::text[] IS NULL OR a.client_id = ANY($2)) AND {entitled("a.client_id", "'SMS3'", "$1")}
              AND NOT EXISTS (SELECT FROM messages m WHERE m.client_id = a.client_id AND m.cause = a.allotment_id
                              AND m.kind = 'allotment')
            ORDER BY 1, 2""",
        day,
        None if clients is None else list(clients),
    )
    wanted = [
        _line(
            uow, "allotment", client_id, allotment_id,
            {"symbol": symbol, "quantity": f"{quantity.normalize():f}", "pay_by": pay_by.isoformat()}, pay_by,
        )
        for client_id, allotment_id, symbol, quantity, pay_by in found
    ]  # fmt: skip
    return await _ask(uow, "SMS3", content_day or day, wanted)


def _line(uow: UnitOfWork, kind: str, client_id: str, cause: str, fields: Mapping[str, str], until: date) -> Wanted:
    """A line that is worth sending until the end of a day."""
    return Wanted(
        client_id=client_id, kind=kind, cause=cause, fields=fields, asked_by=LINES_BY, asked_at=uow.now,
        not_after=end_of(until),
    )  # fmt: skip


async def _ask(uow: UnitOfWork, code: str, day: date, wanted: Sequence[Wanted]) -> int:
    """Ask for lines, and count those that are new as the content of a day."""
    count = 0
    for first in range(0, len(wanted), AT_ONCE):
        count += len(await messages.ask(uow, wanted[first : first + AT_ONCE], uow.now))
    if count:
        await uow.sql.execute(
            """INSERT INTO content_days AS d (code, day, payers, lines, generated, alarm) VALUES ($1, $2, 0, 0, $3, false)
               ON CONFLICT (code, day) DO UPDATE SET generated = d.generated + excluded.generated, alarm = false""",
            code,
            day,
            count,
        )
    return count


def _trading_days(calendar: Calendar, day: date, on: date) -> int:
    try:
        return calendar.count_days(day, on, DayKind.TRADING)
    except (CalendarBegins, CalendarEnds):  # beyond the published calendar: five days of a week are
        return (on - day).days * 5 // 7


async def _terms(uow: UnitOfWork, day: date) -> Lines:
    return (await uow.policies(Policies)).lines.on(day).body


async def drop_unentitled(uow: UnitOfWork, day: date, clients: Sequence[str] | None = None) -> None:
    """What waits of a product that the client does not have on a day does not go."""
    pairs = [(kind, code) for code, kinds in KINDS.items() for kind in kinds]
    pairs += [(f"{code.lower()}_line", code) for code in LINES]
    await messages.end_waiting(
        uow,
        f"""kind = ANY($4::text[]) AND ($5::text[] IS NULL OR client_id = ANY($5)) AND (asked_by = '{LINES_BY}' OR kind LIKE 'sms%_line')
            AND NOT {entitled("messages.client_id", "($6::text[])[array_position($4::text[], kind)]", "$7::date")}""",
        "not_entitled",
        [kind for kind, _ in pairs],
        None if clients is None else list(clients),
        [code for _, code in pairs],
        day,
    )


# --- the close of a day ------------------------------------------------------------------------------------------------


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """Make the lines of closed days, and see which days were paid for without any."""
    if not await uow.cached(_anybody):
        return
    for day in days:
        await tell_of_moves(uow, day)
        await tell_of_notices(uow, day + ONE_DAY, content_day=day)
        await tell_of_allotments(uow, day + ONE_DAY, content_day=day)
        await _count_content(uow, day)
    await drop_unentitled(uow, days[-1] + ONE_DAY)
    keep = (await _terms(uow, days[-1])).holding_days * 2
    await uow.sql.execute("DELETE FROM holdings WHERE as_of < $1", days[-1] - timedelta(days=keep))


async def _anybody(sql: asyncpg.Connection) -> bool:
    found: bool = await sql.fetchval("SELECT EXISTS (SELECT FROM entitlements)")
    return found


async def catch_up(through: date, uow: UnitOfWork) -> bool:
    """Make the lines of the last closed day again for clients of whom something was told late."""
    found = await uow.sql.fetch(
        """DELETE FROM lines_late WHERE client_id IN (SELECT client_id FROM lines_late ORDER BY client_id LIMIT $1)
           RETURNING client_id""",
        AT_ONCE,
    )
    if found:
        await tell_of_moves(uow, through, sorted(client_id for (client_id,) in found))
    return bool(found)


async def _count_content(uow: UnitOfWork, day: date) -> None:
    """Of each product how many had it on a trading day, and what they got; the second such day without anything is an alarm."""
    calendar = await uow.cached(calendars.current)
    try:
        if not calendar.is_trading_day(day):
            return
        before = calendar.add_days(day, -1, DayKind.TRADING)
    except (CalendarBegins, CalendarEnds):
        return
    columns = (await uow.policies(Policies)).columns.on(day).body.values()
    alarmed = await uow.sql.fetch(
        """INSERT INTO content_days AS d (code, day, payers, lines, generated, alarm)
           SELECT code, $2, p.payers, l.lines, 0, p.payers > 0 AND l.lines = 0 AND EXISTS (
                      SELECT FROM content_days b WHERE b.code = n.code AND b.day = $3 AND b.payers > 0 AND b.lines + b.generated = 0)
           FROM unnest($1::text[], $4::text[]) AS n(code, column_code),
                LATERAL (SELECT count(DISTINCT client_id)::int AS payers FROM entitlements e
                         WHERE e.code = n.code AND e.since <= $2 AND (e.until IS NULL OR e.until > $2)) p,
                LATERAL (SELECT count(*)::int AS lines FROM mailings m WHERE m.column_code = n.column_code
                         AND m.state = 'released' AND (m.send_from AT TIME ZONE 'Asia/Shanghai')::date = $2) l
           ON CONFLICT (code, day) DO UPDATE SET payers = excluded.payers, lines = excluded.lines,
               alarm = excluded.alarm AND d.generated = 0
           RETURNING code, alarm""",
        [one.entitlement for one in columns if one.entitlement],
        day,
        before,
        [one.code for one in columns if one.entitlement],
    )
    if await timeline(uow.sql) is not Timeline.REAL:
        return  # a replayed home has no desk that could have written
    for code, alarm in alarmed:
        if alarm:
            subject = f"{code}/{day.isoformat()}"
            uow.emit(
                FindingRaised(finding_id=uuid5(_FINDINGS, subject), kind=ALARM, subject=subject, raised_at=end_of(day)),
                at=end_of(day),
            )
            await alerts.note(
                uow, ALARM, subject, f"{code}: nothing was sent on {before.isoformat()} and {day.isoformat()}"
            )


class ContentDay(msgspec.Struct, frozen=True):
    """What those who had a product got on a trading day: lines of the desk, lines made of facts. `missing`: nothing at all."""

    code: str
    day: date
    payers: int
    lines: int
    generated: int
    missing: bool
    alarm: bool


async def content(sql: asyncpg.Connection, first: date, last: date) -> list[ContentDay]:
    """Of each product and day what was sent."""
    found = await rows.fetch(
        sql,
        ContentRow,
        f"SELECT {rows.columns(ContentRow)} FROM content_days WHERE day BETWEEN $1 AND $2 ORDER BY day, code",
        first,
        last,
    )
    return [
        ContentDay(one.code, one.day, one.payers, one.lines, one.generated, not one.lines + one.generated and one.payers > 0, one.alarm)
        for one in found
    ]  # fmt: skip


async def check(sql: asyncpg.Connection) -> dict[str, Any]:
    """Whether people pay for a product whose last two trading days had no content."""
    found = await sql.fetch(
        """SELECT code, day FROM content_days d WHERE alarm
             AND NOT EXISTS (SELECT FROM content_days n WHERE n.code = d.code AND n.day > d.day) ORDER BY code"""
    )
    if not found:
        return {"status": "pass"}
    said = ", ".join(f"{code} up to {day.isoformat()}" for code, day in found)
    return {"status": "warn", "output": f"paid for and without content for two days: {said}", "fix": "the desk orders a line (docs/messaging.md)"}  # fmt: skip
