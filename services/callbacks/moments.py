"""Moments of truth (MOT) and standard actions: mandatory ones have a clock, optional ones are only shown [A18, A21]."""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID, uuid5

import asyncpg

from chassis import calendars
from chassis.clock import end_of
from chassis.deadlines import Deadline, arm, cancel
from chassis.errors import Conflict, NotFound, Text
from chassis.personal import mask_text
from chassis.uow import UnitOfWork
from contracts.classification import LifecycleChanged
from services.callbacks import alarms, policy
from services.callbacks.rules import CALLBACKS


class AlreadyDone(Conflict):
    """The action was done before; its reaction stands."""

    title = Text("This action was done before", "该动作已完成")


async def enter_stages(uow: UnitOfWork, changes: Sequence[LifecycleChanged]) -> None:
    """An action for each entry into a stage after the baseline; told again, it is the same action."""
    await policy.MOMENTS.refresh(uow.sql)
    catalogue = cache(lambda day: policy.MOMENTS.on(day).body)
    calendar = await calendars.current(uow.sql)
    due = cache(lambda day, days: calendar.add_days(day, days))
    rows: dict[UUID, tuple[Any, ...]] = {}
    for change in changes:
        if change.baseline:
            continue
        before = change.previous
        for stretch in change.stretches:
            moment = catalogue(stretch.since).get(stretch.lifecycle)
            if moment and stretch.lifecycle != before:
                key = uuid5(CALLBACKS, f"moment/{stretch.lifecycle}/{change.client_id}/{stretch.since}")
                last = due(stretch.since, moment.working_days)
                rows[key] = (
                    key,
                    change.client_id,
                    change.branch_id,
                    moment.code,
                    stretch.since,
                    moment.mandatory,
                    last,
                )
            before = stretch.lifecycle
    if not rows:
        return
    new = await uow.sql.fetch(
        """INSERT INTO moments (moment_id, client_id, branch_id, code, on_day, mandatory, due_on)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::date[], $6::bool[], $7::date[])
           ON CONFLICT DO NOTHING RETURNING moment_id, client_id, mandatory, due_on""",
        *(list(column) for column in zip(*rows.values(), strict=True)),
    )
    await arm(
        uow,
        [
            Deadline(alarms.MOMENT, f"moment/{row['moment_id']}", row["client_id"], end_of(row["due_on"]))
            for row in new
            if row["mandatory"]
        ],
    )


async def react(uow: UnitOfWork, moment_id: UUID, reaction: str, on_day: date) -> asyncpg.Record:
    """Record that an action was done and how the client reacted (反应), once.

    Raises: NotFound, AlreadyDone.
    """
    row = await uow.sql.fetchrow(
        """UPDATE moments SET done_on = $2, done_by = $3, reaction = $4
           WHERE moment_id = $1 AND done_on IS NULL RETURNING *""",
        moment_id,
        on_day,
        uow.actor.subject,
        mask_text(reaction),
    )
    if row is None:
        if await uow.sql.fetchval("SELECT EXISTS (SELECT FROM moments WHERE moment_id = $1)", moment_id):
            raise AlreadyDone
        raise NotFound
    await cancel(uow, [(alarms.MOMENT, f"moment/{moment_id}")])
    uow.audit("moment_done", f"moment/{moment_id}", key=row["client_id"], code=row["code"])
    return row
