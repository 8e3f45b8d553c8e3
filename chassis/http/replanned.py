"""What a new calendar moved, as an officer reads it: each due before and after, under which version."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
from pydantic import BaseModel, Field

from chassis.clock import SHANGHAI
from chassis.http.paging import Listing, PageRequest


class Replanned(BaseModel):
    """One due that a new version of the calendar moved. Null: there is none while its clock is paused."""

    number: int
    object: str
    clock: str
    at: datetime
    calendar_before: str = Field(description="the version of the calendar it went by", examples=["published-2"])
    calendar_after: str = Field(description="the version that moved it", examples=["published-3"])
    due_before: datetime | None
    due_after: datetime | None = Field(description="the due from then on", examples=["2022-07-06T09:30:00Z"])
    why: dict[str, str]


async def replanned(
    sql: asyncpg.Connection, page: PageRequest, calendar: str | None, object: str | None, hidden: str,
    arguments: Sequence[Any],
) -> Listing[Replanned]:  # fmt: skip
    """What moved, the newest first: by one version, or of one object (`case/7` with all its clocks), as asked. `hidden` is
    a condition on rows `r`, with its arguments from $5 on, of what the caller must not see."""
    rows = await sql.fetch(
        f"""SELECT r.id AS number, r.object, r.clock, r.at, r.calendar_before, r.calendar_after, r.due_before, r.due_after
            FROM clock_replans r
            WHERE ($1::text IS NULL OR r.calendar_after = $1)
              AND ($2::text IS NULL OR r.object = $2 OR r.object LIKE replace(replace($2, '%', ''), '_', '\\_') || '/%')
              AND ($3::bigint IS NULL OR r.id < $3) AND NOT ({hidden}) ORDER BY r.id DESC LIMIT $4""",
        calendar,
        object,
        int(page.after[0]) if page.after else None,
        page.limit + 1,
        *arguments,
    )
    found = page.result([Replanned(**row, why=_why(row)) for row in rows], lambda one: (one.number,))
    return Listing[Replanned].model_validate(found)


def _why(row: asyncpg.Record) -> dict[str, str]:
    before, after = (
        one and one.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") for one in (row["due_before"], row["due_after"])
    )
    version = row["calendar_after"]
    return {
        "en": f"The calendar {version} moves it from {before or 'paused'} to {after or 'paused'}",
        "zh": f"按日历 {version}，时限由 {before or '暂停'} 调整为 {after or '暂停'}",
    }
