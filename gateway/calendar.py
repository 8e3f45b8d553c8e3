"""The calendar over REST: one person drafts a version, another publishes it to every service [C6, B21]."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from fastapi import Query
from pydantic import BaseModel, Field

from chassis import approvals
from chassis.actor import Actor, Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.calendar import Calendar, ChangedDay, Day, difference
from chassis.calendars import current, days_left, hours_from, row_of
from chassis.errors import Invalid, NotFound, Text
from chassis.http import Reading, Work, permits, router
from chassis.uow import UnitOfWork
from contracts.fields import BusinessDate, Number, form_of, text_of
from contracts.platform import CalendarPublished

routes = router("/v1/calendar", "calendar")
STAFF = tuple(role for role in Role if role is not Role.CLIENT)
KEEPERS = (Role.HQ, Role.OPERATIONS, Role.COMPLIANCE)
LONGEST_LIST = 400
Reader = Annotated[Actor, permits("calendar:read", *STAFF)]
Keeper = Annotated[Actor, permits("calendar:maintain", *KEEPERS)]

ClockTime = Annotated[str, form_of("([01][0-9]|2[0-3]):[0-5][0-9]", 5, "a time of day, HH:MM", "09:30")]


class CalendarShorter(Invalid):
    """A version may add days and change them, but not end earlier or begin later: running clocks stand on them."""

    title = Text("The calendar covers less than the present one", "日历覆盖范围小于现行版本")


class CalendarRowBody(BaseModel, extra="forbid"):
    """What a published notice says about the days `first` to `last`."""

    first: BusinessDate
    last: BusinessDate
    kind: Literal["notice", "holiday", "make_up", "exchange_closed", "service"]
    name_zh: Annotated[str, text_of(200)] = ""
    name_en: Annotated[str, text_of(200)] = ""
    source: Annotated[str, text_of(500)] = ""


class DraftBody(BaseModel, extra="forbid"):
    """A whole calendar: with `extends`, only the rows that come on top of the version in force."""

    rows: list[CalendarRowBody] = Field(min_length=1, max_length=5000)
    hours: list[tuple[ClockTime, ClockTime]] = Field(
        default=[], max_length=8, description="HH:MM pairs; empty: the usual ones"
    )
    extends: bool = False
    reason: Annotated[str, text_of(500, 1)]


class DayBody(BaseModel):
    """One day."""

    day: date
    working: bool
    trading: bool
    reception: bool
    name_zh: str
    name_en: str


class ChangeBody(BaseModel):
    """A day that becomes another."""

    day: date
    before: DayBody | None
    after: DayBody | None


class CalendarBody(BaseModel):
    """The version in force; `warning` from 60 days before it ends on."""

    version: str
    first: date
    last: date
    days_left: int
    warning: bool
    hours: list[tuple[str, str]]


class DraftView(BaseModel):
    """A draft with what it changes against the version in force when it was made (at most 400 days shown)."""

    id: int
    state: Literal["draft", "published", "rejected"]
    reason: str
    made_by: str
    made_at: datetime
    checked_by: str | None
    checked_at: datetime | None
    number: int | None
    changed_days: int
    changes: list[ChangeBody]


class DecisionBody(BaseModel, extra="forbid"):
    """Publish a draft, or reject it."""

    decision: Literal["published", "rejected"]


@routes.get("")
async def read_calendar(_: Reader, sql: Reading) -> CalendarBody:
    """The version in force, and how long it lasts."""
    calendar = await current(sql)
    left = days_left(calendar)
    return CalendarBody(
        version=calendar.version, first=calendar.first, last=calendar.last, days_left=left, warning=left <= 60,
        hours=_hours(calendar),
    )  # fmt: skip


@routes.get("/days")
async def read_days(
    _: Reader, sql: Reading, first: Annotated[BusinessDate, Query()], last: Annotated[BusinessDate, Query()]
) -> list[DayBody]:
    """The days from `first` to `last`, at most 400 of them."""
    calendar = await current(sql)
    calendar.day(first), calendar.day(last)
    return [_day(day) for day in calendar.days if first <= day.day <= last][:LONGEST_LIST]


@routes.get("/rows")
async def read_rows(_: Reader, sql: Reading) -> list[CalendarRowBody]:
    """The rows of the version in force, as notices state them: what a new draft starts from."""
    return [CalendarRowBody.model_validate(row.as_mapping()) for row in (await current(sql)).rows]


@routes.post("/drafts", status_code=201)
async def draft(actor: Keeper, uow: Work, body: DraftBody) -> DraftView:
    """Draft a version. A hole, two answers for one day, or fewer days than before is refused, naming the day."""
    before = await current(uow.sql)
    rows = [row.model_dump(mode="json") for row in body.rows]
    if body.extends:
        rows = [*(row.as_mapping() for row in before.rows), *rows]
    after = _made(before, "draft", rows, body.hours)
    number = await uow.sql.fetchval(
        """INSERT INTO calendar_drafts (rows, hours, changes, reason, state, made_by, made_at)
           VALUES ($1, $2, $3, $4, 'draft', $5, $6) RETURNING id""",
        rows,
        [list(session) for session in body.hours],
        [_change(one).model_dump(mode="json") for one in difference(before, after)],
        body.reason,
        actor.person,
        uow.now,
    )
    changed = len(difference(before, after))
    await approvals.ask(
        uow, CALENDAR, f"calendar_draft/{number}", why=body.reason, before={"version": before.version},
        after={"rows": len(rows), "changed_days": changed},
    )  # fmt: skip
    return await _view(uow.sql, number)


@routes.get("/drafts/{number}")
async def read_draft(_: Reader, sql: Reading, number: Number) -> DraftView:
    """One draft with the days it changes."""
    return await _view(sql, number)


@routes.post("/drafts/{number}/decision")
async def decide(_: Keeper, uow: Work, number: Number, body: DecisionBody) -> DraftView:
    """Publish a draft to every service, or reject it; not by whoever made it."""
    await approvals.decide(uow, CALENDAR, f"calendar_draft/{number}", agree=body.decision == "published")
    return await _view(uow.sql, number)


async def _decided(uow: UnitOfWork, approval: Approval) -> None:
    number = int(approval.object.removeprefix("calendar_draft/"))
    row = await uow.sql.fetchrow("SELECT * FROM calendar_drafts WHERE id = $1 FOR UPDATE", number)
    assert row is not None
    published = approval.state == approvals.APPROVED
    version = await _publish(uow, row) if published else None
    await uow.sql.execute(
        "UPDATE calendar_drafts SET state = $2, checked_by = $3, checked_at = $4, number = $5 WHERE id = $1",
        number, "published" if published else "rejected", approval.decided_by, approval.decided_at, version,
    )  # fmt: skip


CALENDAR = ApprovalKind(
    "calendar", Text("New version of the calendar", "日历新版本"), decides=by(*KEEPERS), apply=_decided, ended=_decided
)


async def _publish(uow: UnitOfWork, row: asyncpg.Record) -> int:
    await uow.sql.execute("LOCK TABLE calendars IN SHARE ROW EXCLUSIVE MODE")  # one version after the other
    # Another version may have been published since the draft was made: it must not lose days either.
    calendar = _made(await current(uow.sql), "new", row["rows"], row["hours"])
    number: int = await uow.sql.fetchval("SELECT coalesce(max(number), 0) + 1 FROM calendars")
    event = CalendarPublished(
        number=number,
        rows=tuple(row_of(one) for one in calendar.rows),
        hours=tuple((start, end) for start, end in row["hours"]),
        published_at=uow.now,
        published_by=row["made_by"],
        checked_by=uow.actor.person,
    )
    await uow.sql.execute(
        """INSERT INTO calendars (number, rows, hours, published_at, published_by, checked_by)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        number, msgspec.to_builtins(event.rows), row["hours"], uow.now, row["made_by"], uow.actor.person,
    )  # fmt: skip
    uow.emit(event)
    return number


def _made(before: Calendar, version: str, rows: list[Any], hours: Any) -> Calendar:
    try:
        after = Calendar.from_rows(version, rows, hours_from(hours))
    except ValueError as error:
        raise Invalid(Text(f"working hours: {error}", f"工作时间：{error}")) from None
    if after.last < before.last or after.first > before.first:
        raise CalendarShorter(
            Text(
                f"it covers {after.first} to {after.last}, the one in force {before.first} to {before.last}",
                f"该版本覆盖 {after.first} 至 {after.last}，现行版本覆盖 {before.first} 至 {before.last}",
            )
        )
    return after


async def _view(sql: asyncpg.Connection, number: Number) -> DraftView:
    row = await sql.fetchrow("SELECT * FROM calendar_drafts WHERE id = $1", number)
    if row is None:
        raise NotFound
    changes = row["changes"]
    return DraftView.model_validate(dict(row) | {"changed_days": len(changes), "changes": changes[:LONGEST_LIST]})


def _hours(calendar: Calendar) -> list[tuple[str, str]]:
    return [(f"{start:%H:%M}", f"{end:%H:%M}") for start, end in calendar.hours.sessions]


def _day(day: Day) -> DayBody:
    return DayBody(
        day=day.day, working=day.working, trading=day.trading, reception=day.reception, name_zh=day.name.zh,
        name_en=day.name.en,
    )  # fmt: skip


def _change(change: ChangedDay) -> ChangeBody:
    return ChangeBody(
        day=change.day,
        before=_day(change.before) if change.before else None,
        after=_day(change.after) if change.after else None,
    )
