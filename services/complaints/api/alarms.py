"""Alarms of the radar: their group cases, root cause, corrective action, and whether they came back [C17]."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from chassis.actor import Actor
from chassis.acts import perform
from chassis.deadlines import cancel
from chassis.errors import AlreadyDecided, Conflict, NotFound, Text
from chassis.http import Listing, Page, Reading, Work, permits, router
from chassis.http.persons import PersonId
from contracts.fields import BusinessDate, Id
from services.complaints import cases, groups, people
from services.complaints.acts import ACTS
from services.complaints.api.shapes import CENTRE, Case, shown
from services.complaints.forms import Body, CarriedOut, Day, Words
from services.complaints.relations import MEMBER
from services.complaints.tables import CaseRow

routes = router("/v1/complaints/alarms", "complaints")
Analyst = Annotated[Actor, permits("complaints.packs:make", *CENTRE)]


class NotReviewed(Conflict):
    """No corrective action has been agreed yet: there is nothing to carry out [C17]."""

    title = Text("The alarm was not reviewed yet", "预警尚未审核分析")


class Alarm(BaseModel):
    """A cluster of complaints, with what was done about it [C17].

    `recurs_after` is the alarm before it about the same; `overdue`: the action was not carried out by its date.
    """

    alarm_id: UUID
    dimension: str
    value: str
    opened_on: date
    last_on: date
    cases: int
    group_case_id: UUID | None
    recurs_after: UUID | None
    root_cause: str | None
    action: str | None
    owner: str | None
    due_on: date | None
    reviewed_by: str | None
    overdue: bool
    done: bool


def alarm(row: Any) -> Alarm:
    """A row as it is shown."""
    known = dict(row)
    return Alarm.model_validate(
        known | {"overdue": known["overdue_at"] is not None, "done": known["done_at"] is not None}
    )


class Review(Body):
    """Why it happened, and the corrective action with owner and date."""

    root_cause: Words
    action: Words
    owner: PersonId
    due_on: Day


@routes.get("")
async def read_alarms(
    _: Analyst, sql: Reading, page: Page, since: Annotated[BusinessDate | None, Query()] = None
) -> Listing[Alarm]:
    """Alarms, newest first."""
    rows = await sql.fetch(
        """SELECT * FROM alarms WHERE ($1::date IS NULL OR last_on >= $1)
             AND ($2::text IS NULL OR (opened_on, alarm_id) < ($2::text::date, $3::text::uuid))
           ORDER BY opened_on DESC, alarm_id DESC LIMIT $4""",
        since,
        *(page.after or (None, None)),
        page.limit + 1,
    )
    found = page.result([alarm(row) for row in rows], lambda one: (one.opened_on, one.alarm_id))
    return Listing[Alarm].model_validate(found)


@routes.get("/{alarm_id}/members")
async def read_members(actor: Analyst, sql: Reading, page: Page, alarm_id: Id) -> Listing[Case]:
    """The cases of a cluster, each a case of its own, in order of their ids."""
    group = await sql.fetchval("SELECT group_case_id FROM alarms WHERE alarm_id = $1", alarm_id)
    if group is None:
        raise NotFound
    condition, arguments = cases.sight(actor, 5)
    rows = await sql.fetch(
        f"""SELECT c.* FROM links l JOIN cases c USING (case_id)
            WHERE l.other_id = $1 AND l.relation = $2 AND l.ended_at IS NULL AND ($3::uuid IS NULL OR c.case_id > $3)
              AND {condition} ORDER BY c.case_id LIMIT $4""",
        group,
        MEMBER,
        UUID(page.after[0]) if page.after else None,
        page.limit + 1,
        *arguments,
    )
    found = page.result([shown(actor, CaseRow(**row)) for row in rows], lambda one: (str(one.case_id),))
    return Listing[Case].model_validate(found)


@routes.post("/{alarm_id}/review")
async def review_alarm(_: Analyst, uow: Work, alarm_id: Id, body: Review) -> Alarm:
    """Review a cluster (上报与审核分析): root cause and corrective action; its date is watched, and whether it recurs."""
    at, group = cases.moment(uow, None), await _group(uow, alarm_id)
    if body.owner in group.concerned:
        raise cases.refused_owner("/owner")
    row = await uow.sql.fetchrow(
        """UPDATE alarms SET root_cause = $2, action = $3, owner = $4, due_on = $5, reviewed_by = $6, reviewed_at = $7,
                  overdue_at = NULL WHERE alarm_id = $1 AND done_at IS NULL RETURNING *""",
        alarm_id,
        body.root_cause,
        body.action,
        body.owner,
        body.due_on,
        uow.actor.person,
        at,
    )
    if row is None:
        raise AlreadyDecided
    await people.require_plan(uow, "/owner", body.owner, body.due_on)
    await groups.watch_action(uow, alarm_id, body.due_on)
    detail = {
        "root_cause": body.root_cause,
        "corrective_action": body.action,
        "owner": body.owner,
        "due_on": body.due_on,
    }
    await cases.change(uow, group, "cluster reviewed", at, detail=detail)
    return alarm(row)


@routes.post("/{alarm_id}/completion")
async def complete_action(_: Analyst, uow: Work, alarm_id: Id, body: CarriedOut) -> Alarm:
    """The corrective action was carried out: the group case ends; its members go on as they are."""
    at, group = cases.moment(uow, body.at), await _group(uow, alarm_id)
    row = await uow.sql.fetchrow("SELECT * FROM alarms WHERE alarm_id = $1 FOR UPDATE", alarm_id)
    assert row is not None
    if row["reviewed_at"] is None:
        raise NotReviewed
    if row["done_at"] is not None:
        raise AlreadyDecided
    row = await uow.sql.fetchrow(
        "UPDATE alarms SET done_at = $2, done_by = $3 WHERE alarm_id = $1 RETURNING *", alarm_id, at, uow.actor.person
    )
    await cancel(uow, [(groups.ACTION, f"alarm/{alarm_id}")])
    await perform(uow, ACTS.carry_out, group.case_id, body)
    return alarm(row)


async def _group(uow: Work, alarm_id: Id) -> CaseRow:
    group = await uow.sql.fetchval("SELECT group_case_id FROM alarms WHERE alarm_id = $1", alarm_id)
    if group is None:
        raise NotFound
    return await cases.locked(uow, group)
