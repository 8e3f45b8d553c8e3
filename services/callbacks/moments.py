"""Moments of truth (MOT, 关键时刻) and standard actions: mandatory ones have a clock and a ladder, optional ones are only
shown [A18, A21].

What the platform hears of by itself makes its moment: stages, tiers, large flows, assessments that end, complaints that
are closed, birthdays. What only people or other systems know (a margin warning, a shock of the market) is reported.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils.compat import uuid5

from chassis import calendars
from chassis.calendar import Calendar
from chassis.clock import business_date, end_of, start_of
from chassis.deadlines import Deadline, arm, cancel
from chassis.errors import Conflict, FieldError, Invalid, NotFound, Text
from chassis.http.objects import object_scope
from chassis.personal import mask_text
from chassis.replans import Moved
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.broker import FundsMoved
from contracts.classification import TIERS, LifecycleChanged, TierChanged
from contracts.complaints import CaseClosed
from contracts.suitability import AssessmentExpiring
from services.callbacks import moment_ladder
from services.callbacks.policy import Moment, Policies
from services.callbacks.rules import CALLBACKS
from services.callbacks.tables import BIRTHDAY

SHOULD_BE_DONE_FROM = TIERS.index("PLATINUM")
"""Every optional moment of clients from this tier on should be done [A21]: shown, never counted against anybody."""


class AlreadyDone(Conflict):
    """The action was done before; its reaction stands."""

    title = Text("This action was done before", "该动作已完成")


class Seen(msgspec.Struct, frozen=True, gc=False):
    """Something that happened in a client's life. `period` makes it one of its kind; the clock starts `at`."""

    client_id: str
    code: str
    period: str
    at: datetime
    cause: dict[str, Any] = msgspec.field(default_factory=dict)
    branch_id: str | None = None


def due_of(moment: Moment, at: datetime, calendar: Calendar) -> datetime:
    """When a moment's time is over: working days end with their day, urgent ones run round the clock (7×24)."""
    if moment.minutes:
        return at + timedelta(minutes=moment.minutes)
    return end_of(moment_ladder.working_days_after(business_date(at), moment.working_days, calendar))


async def keep(uow: UnitOfWork, seen: Iterable[Seen]) -> int:
    """Keep what was seen, once each, and start the clocks of what is mandatory. How many are new."""
    found = list(seen)
    if not found:
        return 0
    policies = await uow.policies(Policies)
    calendar = await uow.cached(calendars.current)
    times = cache(lambda code, at: _times(policies, code, at, calendar))  # a batch is full of the same
    rows: dict[UUID, tuple[Any, ...]] = {}
    for one in found:
        if known := times(one.code, one.at):
            key = uuid5(CALLBACKS, f"moment/{one.code}/{one.client_id}/{one.period}")
            rows[key] = (key, one.client_id, one.branch_id, one.code, *known, one.cause)
    if not rows:
        return 0
    new = await uow.sql.fetch(
        """INSERT INTO moments (moment_id, client_id, branch_id, code, on_day, mandatory, due_on, due_at, cause)
           SELECT n.moment_id, n.client_id, coalesce(c.branch_id, n.branch_id), n.code, n.on_day, n.mandatory, n.due_on,
                  n.due_at, n.cause
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::date[], $6::bool[], $7::date[],
                       $8::timestamptz[], $9::jsonb[])
                AS n(moment_id, client_id, branch_id, code, on_day, mandatory, due_on, due_at, cause)
           LEFT JOIN clients c USING (client_id) WHERE c.closed_on IS NULL OR c.closed_on > n.on_day
           ORDER BY n.moment_id ON CONFLICT DO NOTHING
           RETURNING 'moment/' || moment_id AS object, client_id, code, on_day, mandatory, due_at""",
        *(list(column) for column in zip(*rows.values(), strict=True)),
    )
    at = moment_ladder.steps_at(policies, calendar)
    await arm(uow, [moment_ladder.armed(row, 0, at) for row in new if row["mandatory"]])
    return len(new)


async def replan(uow: UnitOfWork, calendar: Calendar) -> Sequence[Moved]:
    """The times of open moments, by the calendar in force from now on. Where the ladder is being climbed the time is over
    and stays; the step that waits next moves [A21]."""
    policies, now = await uow.policies(Policies), await effective_now(uow.sql, uow.now)
    rows = await uow.sql.fetch(
        """SELECT 'moment/' || m.moment_id AS object, m.moment_id, m.client_id, m.code, m.on_day, m.due_at, d.step, d.due
           FROM moments m LEFT JOIN deadlines d ON d.object = 'moment/' || m.moment_id AND d.kind = $1
           WHERE m.done_on IS NULL AND (d.step IS NOT NULL OR m.due_at > $2) ORDER BY m.moment_id FOR UPDATE OF m""",
        moment_ladder.MOMENT,
        now,
    )
    at, anew = (
        moment_ladder.steps_at(policies, calendar),
        cache(lambda moment, day: due_of(moment, start_of(day), calendar)),
    )
    moved, dues, steps = list[Moved](), list[tuple[UUID, datetime]](), list[Deadline]()
    for row in rows:
        moment = policies.moments.on(row["on_day"]).body.get(row["code"])
        if moment is None or moment.minutes:
            continue
        names, due = [step.name for step in policies.moment_ladder.on(row["on_day"]).body], row["due_at"]
        if row["step"] in (None, names[0]) and (due := anew(moment, row["on_day"])) != row["due_at"]:
            dues.append((row["moment_id"], due))
            moved.append(Moved(row["object"], row["due_at"], due))
        if row["step"] in names:
            step = moment_ladder.armed(dict(row) | {"due_at": due}, names.index(row["step"]), at)
            steps.append(step)
            if row["step"] != names[0] and step.due != row["due"]:
                moved.append(Moved(row["object"], row["due"], step.due))
    await uow.sql.execute(
        """UPDATE moments m SET due_at = n.due_at, due_on = n.due_on
           FROM unnest($1::uuid[], $2::timestamptz[], $3::date[]) AS n(moment_id, due_at, due_on)
           WHERE m.moment_id = n.moment_id""",
        [one for one, _ in dues],
        [due for _, due in dues],
        [business_date(due - timedelta(microseconds=1)) for _, due in dues],
    )
    await arm(uow, steps)
    return moved


def _times(policies: Policies, code: str, at: datetime, calendar: Calendar) -> tuple[date, bool, date, datetime] | None:
    """The day, whether it is mandatory, its last day and when that ends; None for a code that the catalogue lacks."""
    day = business_date(at)
    moment = policies.moments.on(day).body.get(code)
    if moment is None:
        return None
    last = due_of(moment, at, calendar)
    return day, moment.mandatory, business_date(last - timedelta(microseconds=1)), last


async def enter_stages(uow: UnitOfWork, changes: Sequence[LifecycleChanged]) -> None:
    """An action for each entry into a stage after the baseline; told again, it is the same action [A18]."""
    seen = []
    for change in changes:
        if change.baseline:
            continue
        before = change.previous
        for stretch in change.stretches:
            if stretch.lifecycle != before:
                seen.append(
                    Seen(
                        change.client_id,
                        stretch.lifecycle,
                        stretch.since.isoformat(),
                        start_of(stretch.since),
                        {"stage": stretch.lifecycle, "before": before},
                        change.branch_id,
                    )
                )
            before = stretch.lifecycle
    await keep(uow, seen)


async def change_tiers(uow: UnitOfWork, changes: Sequence[TierChanged]) -> None:
    """A tier that changes, up or down."""
    seen = []
    for change in changes:
        before = change.previous
        for stretch in change.stretches:
            if stretch.tier != before and change.reason != "opened":
                cause = {"tier": stretch.tier, "before": before}
                period, at = stretch.since.isoformat(), start_of(stretch.since)
                seen.append(Seen(change.client_id, "tier_changed", period, at, cause, change.branch_id))
            before = stretch.tier
    await keep(uow, seen)


async def follow_flows(events: Sequence[FundsMoved], uow: UnitOfWork) -> None:
    """Money in or out that is large for any client."""
    policies = await uow.policies(Policies)
    codes = {"in": "large_inflow", "out": "large_outflow"}
    large = [e for e in events if e.amount >= policies.flows.on(business_date(e.moved_at)).body.large]
    await keep(
        uow,
        [Seen(e.client_id, codes[e.direction], e.transfer_id, e.moved_at, {"transfer": e.transfer_id}) for e in large],
    )


async def near_the_end(uow: UnitOfWork, events: Sequence[AssessmentExpiring]) -> None:
    """An assessment of risk whose two years end soon: the first word of it."""
    seen = []
    for e in events:
        cause = {"assessment": e.assessment_id, "valid_until": e.valid_until}
        at = start_of(e.valid_until - timedelta(days=e.days_left))
        seen.append(Seen(e.client_id, "assessment_ends", e.assessment_id, at, cause, e.branch_id))
    await keep(uow, seen)


async def after_complaints(events: Sequence[CaseClosed], uow: UnitOfWork) -> None:
    """A complaint that was closed; never one that names people it must stay hidden from [B5]."""
    open_ones = {
        row["subject"]
        for row in await uow.sql.fetch(
            """SELECT subject FROM tasks WHERE rule = 'satisfaction' AND subject = ANY($1::text[])
               GROUP BY subject HAVING bool_and(concerned = '{}')""",
            [e.case_id for e in events],
        )
    }
    await keep(
        uow,
        [
            Seen(
                e.client_id,
                "complaint_closed",
                f"{e.case_id}/{e.generation}",
                e.closed_at,
                {"case": e.case_id},
                e.branch_id,
            )
            for e in events
            if e.client_id is not None and not e.restricted and e.case_id in open_ones
        ],
    )


async def birthdays(uow: UnitOfWork, day: date) -> None:
    """Birthdays of the day after a close; of 29 February on the 28th where the year has none."""
    last = 29 if (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).day == 1 else day.day
    rows = await uow.sql.fetch(
        f"""SELECT client_id FROM clients WHERE birth_date IS NOT NULL AND opened_on <= $1
              AND {BIRTHDAY} BETWEEN $2 AND $3 ORDER BY client_id""",
        day,
        day.month * 100 + day.day,
        day.month * 100 + last,
    )
    await keep(uow, [Seen(row["client_id"], "birthday", str(day.year), start_of(day)) for row in rows])


async def report(uow: UnitOfWork, code: str, clients: Sequence[str], at: datetime, reference: str) -> int:
    """What people or other systems know of clients; the same reference again is the same moment. How many are new.

    Raises: Invalid for a code that the catalogue does not let be reported.
    """
    policies = await uow.policies(Policies)
    catalogue = policies.moments.on(business_date(at)).body
    if code not in catalogue or catalogue[code].seen != "reported":
        known = sorted(one.code for one in catalogue.values() if one.seen == "reported")
        raise Invalid(errors=(FieldError("body#/code", f"one of {', '.join(known)}"),))
    cause = {"reference": mask_text(reference), "by": uow.actor.person}
    new = await keep(uow, [Seen(client, code, reference, at, cause) for client in sorted(set(clients))])
    uow.audit("moments_reported", f"moment/{code}", reference=mask_text(reference), clients=len(clients), new=new)
    return new


async def react(uow: UnitOfWork, moment_id: UUID, reaction: str, on_day: date) -> asyncpg.Record:
    """Record that an action was done and how the client reacted (反应), once.

    Raises: NotFound, AlreadyDone.
    """
    await cancel(uow, [(moment_ladder.MOMENT, f"moment/{moment_id}")])
    scope, arguments = object_scope(uow.actor, 5)
    row = await uow.sql.fetchrow(
        f"""UPDATE moments SET done_on = $2, done_by = $3, reaction = $4
            WHERE moment_id = $1 AND done_on IS NULL AND {scope} RETURNING *""",
        moment_id,
        on_day,
        uow.actor.person,
        mask_text(reaction),
        *arguments,
    )
    if row is None:
        scope, arguments = object_scope(uow.actor, 2)
        seen = f"SELECT EXISTS (SELECT FROM moments WHERE moment_id = $1 AND {scope})"
        raise AlreadyDone if await uow.sql.fetchval(seen, moment_id, *arguments) else NotFound
    uow.audit("moment_done", f"moment/{moment_id}", key=row["client_id"], code=row["code"])
    return row


# $1 the moment's tier decides nothing but a hint: optional ones of platinum and above should be done [A21].
SHOWN = f"""
    SELECT m.*, NOT m.mandatory AND coalesce((SELECT rank FROM tier_stretches t WHERE t.client_id = m.client_id
        AND t.since <= m.on_day ORDER BY t.since DESC LIMIT 1), 0) >= {SHOULD_BE_DONE_FROM} AS should_be_done
    FROM moments m"""


async def numbers(sql: asyncpg.Connection, first: date, last: date, branch_id: str | None) -> list[dict[str, Any]]:
    """Of each code in a span of days: how many there were and how many were done; in time only of mandatory ones, as
    optional ones have no target [A21]."""
    rows = await sql.fetch(
        """SELECT code, mandatory, count(*) AS seen, count(done_on) AS done,
                  CASE WHEN mandatory THEN count(*) FILTER (WHERE done_on <= due_on) END AS in_time
           FROM moments WHERE on_day BETWEEN $1 AND $2 AND ($3::text IS NULL OR branch_id = $3)
           GROUP BY 1, 2 ORDER BY 1, 2""",
        first,
        last,
        branch_id,
    )
    return [dict(row) for row in rows]
