"""Activity of managers (活动量管理): what is planned, what evidence shows was done, and the gap [A13, A31]."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

import asyncpg
from sqlalchemy import CheckConstraint

from chassis.clock import end_of, month_end, start_of
from chassis.rows import Column, Row, columns, fetch, table
from chassis.uow import UnitOfWork
from services.relationships.contacts import COLUMNS, Contact, evidence
from services.relationships.policy import Activity
from services.relationships.tables import metadata
from services.relationships.visits import VisitRow, counts

Period = Literal["day", "week", "month"]


class Plan(Row, frozen=True):
    """What somebody plans to do in a day, a week, a month; entered again, the last word is in force."""

    person: Annotated[str, Column(primary_key=True)]
    period: Annotated[str, Column(primary_key=True)]
    begins: Annotated[date, Column(primary_key=True)]
    visits: int
    calls: int
    on_site: int
    new_clients: int
    words: str | None
    entered_by: str
    recorded_at: datetime


activity_plans = table(
    "activity_plans", metadata, Plan, CheckConstraint("period IN ('day', 'week', 'month')", name="period")
)


class DayNote(Row, frozen=True):
    """What somebody learnt on a day (心得): beside what evidence shows."""

    person: Annotated[str, Column(primary_key=True)]
    day: Annotated[date, Column(primary_key=True)]
    words: str
    recorded_at: datetime


day_notes = table("day_notes", metadata, DayNote)


@dataclass(frozen=True, slots=True)
class Done:
    """How much was done, or is planned. `unready` visits had no appointment or preparation: they count nothing."""

    visits: int = 0
    calls: int = 0
    on_site: int = 0
    new_clients: int = 0
    unready: int = 0
    self_reported: int = 0

    def less(self, other: "Done") -> "Done":
        """What is missing from this; never less than nothing."""
        return Done(
            max(self.visits - other.visits, 0), max(self.calls - other.calls, 0), max(self.on_site - other.on_site, 0),
            max(self.new_clients - other.new_clients, 0),
        )  # fmt: skip


def wanted(plan: Plan) -> Done:
    """What a plan wants done."""
    return Done(plan.visits, plan.calls, plan.on_site, plan.new_clients)


def points(done: Done, terms: Activity) -> int:
    """What activity counts: a visit 4, a call 1, a talk at the branch 1, a new client 2 [A13]."""
    return (
        done.visits * terms.visit + done.calls * terms.call + done.on_site * terms.on_site
        + done.new_clients * terms.new_client
    )  # fmt: skip


def bounds(period: Period, day: date) -> tuple[date, date]:
    """First and last day of the period a day lies in; weeks begin on Monday."""
    match period:
        case "day":
            return day, day
        case "week":
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=6)
        case "month":
            return day.replace(day=1), month_end(day)


async def contacts_of(
    sql: asyncpg.Connection, persons: Sequence[str], first: date, last: date, minutes: int
) -> list[tuple[Contact, bool]]:
    """Some people's contacts of some days as they happened, each whether it counts by itself: an entry beside evidence does not."""
    rows = await sql.fetch(
        f"""SELECT {COLUMNS}, {evidence("$4::int")} IS NULL FROM contacts c
            WHERE c.person = ANY($1::text[]) AND c.day BETWEEN $2 AND $3 ORDER BY c.at, c.contact_id""",
        list(persons),
        first,
        last,
        minutes,
    )
    return [(Contact(*row[:-1]), row[-1]) for row in map(tuple, rows)]


async def visits_of(sql: asyncpg.Connection, persons: Sequence[str], first: date, last: date) -> list[VisitRow]:
    """The visits some people made on some days."""
    return await fetch(
        sql,
        VisitRow,
        f"""SELECT {columns(VisitRow)} FROM visits
            WHERE person = ANY($1::text[]) AND state = 'recorded' AND made_at >= $2 AND made_at < $3 ORDER BY made_at""",
        list(persons),
        start_of(first),
        end_of(last),
    )


async def new_clients_of(
    sql: asyncpg.Connection, persons: Sequence[str], first: date, last: date
) -> list[tuple[str, str]]:
    """Clients opened on some days, each with their first manager before, where some people are that."""
    rows = await sql.fetch(
        """SELECT o.person, c.client_id FROM owners o JOIN clients c USING (client_id)
           WHERE o.person = ANY($1::text[]) AND o.role = 'primary' AND c.opened_on BETWEEN $2 AND $3
             AND o.since = c.opened_on::timestamp AT TIME ZONE 'Asia/Shanghai' ORDER BY c.client_id""",
        list(persons),
        first,
        last,
    )
    return [(person, client_id) for person, client_id in map(tuple, rows)]


def tally(
    found: Sequence[tuple[Contact, bool]], visited: Sequence[VisitRow], new: Sequence[str], terms: Activity
) -> Done:
    """What these contacts, visits and new clients come to: only valid contacts count."""
    counted = [one for one, alone in found if alone and one.valid and one.two_way]
    ready = sum(counts(one, terms) for one in visited)
    return Done(
        visits=ready,
        calls=sum(one.channel == "phone" for one in counted),
        on_site=sum(one.channel == "on_site" for one in counted),
        new_clients=len(new),
        unready=len(visited) - ready,
        self_reported=sum(one.source == "staff" for one in counted),
    )


async def done(
    sql: asyncpg.Connection, persons: Sequence[str], first: date, last: date, terms: Activity, minutes: int
) -> dict[str, Done]:
    """What each of some people did on some days, as evidence shows it; their own word fills the gaps."""
    found = await contacts_of(sql, persons, first, last, minutes)
    visited = await visits_of(sql, persons, first, last)
    new = await new_clients_of(sql, persons, first, last)
    return {
        person: tally(
            [one for one in found if one[0].person == person], [one for one in visited if one.person == person],
            [client_id for by, client_id in new if by == person], terms,
        )
        for person in persons
    }  # fmt: skip


async def plans_of(
    sql: asyncpg.Connection, persons: Sequence[str], period: Period, begins: Sequence[date]
) -> Mapping[tuple[str, date], Plan]:
    """Plans by whose they are and the first day of their period."""
    found = await fetch(
        sql,
        Plan,
        f"""SELECT {columns(Plan)} FROM activity_plans
            WHERE person = ANY($1::text[]) AND period = $2 AND begins = ANY($3::date[])""",
        list(persons),
        period,
        list(begins),
    )
    return {(one.person, one.begins): one for one in found}


async def plan(uow: UnitOfWork, one: Plan) -> None:
    """Keep a plan, in place of the one before."""
    values = [getattr(one, name) for name in Plan.__struct_fields__]
    await uow.sql.execute(
        f"""INSERT INTO activity_plans ({columns(Plan)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (person, period, begins) DO UPDATE SET visits = excluded.visits, calls = excluded.calls,
                on_site = excluded.on_site, new_clients = excluded.new_clients, words = excluded.words,
                entered_by = excluded.entered_by, recorded_at = excluded.recorded_at""",
        *values,
    )
    uow.audit(
        "plan activity", f"staff/{one.person}", period=one.period, begins=one.begins, visits=one.visits, calls=one.calls,
        on_site=one.on_site, new_clients=one.new_clients,
    )  # fmt: skip


async def note(uow: UnitOfWork, person: str, day: date, words: str) -> None:
    """Keep what somebody learnt on a day, in place of what they wrote before."""
    await uow.sql.execute(
        """INSERT INTO day_notes (person, day, words, recorded_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (person, day) DO UPDATE SET words = excluded.words, recorded_at = excluded.recorded_at""",
        person,
        day,
        words,
        uow.now,
    )
    uow.audit("note day", f"staff/{person}", day=day)
