"""Hand-overs and changes of manager over HTTP [A8, A9]."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
from fastapi import Response
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.acts import ActView, load, perform, possible, possible_of_each
from chassis.calendars import current
from chassis.clock import end_of
from chassis.http import Listing, Once, Page, Reading, Work, etag, object_scope, permits, router
from chassis.http.language import Language
from chassis.rows import columns, fetch
from chassis.timeline import effective_now, today
from contracts.fields import BusinessDate, Id, Identifier
from services.relationships import assignments, changes, contacts, hand_overs, open_items
from services.relationships.api.information import ClientInformation
from services.relationships.api.information import shown as information_shown
from services.relationships.api.service_log import ContactView
from services.relationships.api.service_log import shown as contact_shown
from services.relationships.api.shapes import STAFF, Body, see_client
from services.relationships.api.team import AssignmentView
from services.relationships.api.team import shown as assignment_shown
from services.relationships.changes import ACTS, ChangeRow
from services.relationships.information import sheets
from services.relationships.policy import Policies
from services.relationships.tables import SUBSCRIPTIONS, Month

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.hand_overs:read", *STAFF)]
Asker = Annotated[Actor, permits("relationships.changes:ask", Role.CLIENT, Role.AGENT, Role.BRANCH_MANAGER)]
Seer = Annotated[
    Actor,
    permits("relationships.changes:read", Role.CLIENT, Role.AGENT, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE),
]
Decider = Annotated[Actor, permits("relationships.changes:decide", Role.BRANCH_MANAGER, Role.HQ)]
MOST, CONTACTS, MONTHS = 2_000, 200, 13


class HandOverView(BaseModel):
    """A client who changed hands: `to_offer` while the pool's lead stands in, then until the first contact."""

    client_id: str
    branch_id: str | None
    core: bool
    previous: str
    person: str
    since: datetime
    reason: str
    state: hand_overs.State
    due: datetime
    late: bool
    contact_at: datetime | None


class OpenItemView(BaseModel):
    """A callback owed, or a case."""

    kind: Literal["task", "case"]
    item_id: str
    topic: str | None
    since: datetime | None
    due_on: date | None


class MonthView(BaseModel):
    """What a month's close found of a client's trading."""

    month_end: date
    mean_assets: str | None
    turnover: str | None
    commission: str | None


class SubscriptionView(BaseModel):
    """A product the client has."""

    code: str
    state: str
    since: date


class HandOverPack(BaseModel):
    """Everything who takes a client over has to know, on one page, as of a day [A9]: what is known with risk level, permissions and margin,
    who looked after them, months of trading, products, the service log, and what is open now."""

    client_id: str
    as_of: date
    information: ClientInformation
    owners: list[AssignmentView]
    months: list[MonthView]
    subscriptions: list[SubscriptionView]
    contacts: list[ContactView]
    open_items: list[OpenItemView]


class ManagerWish(Body):
    """Why the client would like another manager, and whom."""

    reason: changes.Said
    wished: Identifier | None = None


class ManagerChangeView(BaseModel):
    """A wish for another manager, until when it is to be decided, and what the caller can do."""

    request_id: UUID
    client_id: str
    branch_id: str | None
    wished: str | None
    reason: str
    through: Literal["client", "counter"]
    beside_case: bool
    asked_at: datetime
    due: datetime
    late: bool
    state: str
    person: str | None
    revision: int
    acts: list[ActView]


@routes.get("/hand-overs")
async def list_hand_overs(
    actor: Reader, sql: Reading, since: BusinessDate | None = None, person: Identifier | None = None
) -> list[HandOverView]:
    """Clients who changed hands since a day (30 days back without one; 2,000 at most), the oldest first."""
    now = await effective_now(sql)
    begin = end_of(since) - timedelta(days=1) if since else now - timedelta(days=30)
    whose = actor.person if actor.role is Role.CLIENT_MANAGER else person
    scope, arguments = object_scope(actor, 6)
    terms, calendar = (await Policies.read(sql)).hand_over, await current(sql)
    found = await hand_overs.listed(sql, begin, now, whose, scope, arguments, terms, calendar, MOST)
    return [
        HandOverView(
            client_id=one.change.client_id, branch_id=one.change.branch_id, core=one.change.core,
            previous=one.change.previous, person=one.change.person, since=one.change.since, reason=one.change.reason,
            state=one.state, due=one.due, late=one.late, contact_at=one.change.contact_at,
        )
        for one in found
    ]  # fmt: skip


@routes.get("/clients/{client_id}/hand-over")
async def read_hand_over_pack(
    actor: Reader,
    sql: Reading,
    client_id: Identifier,
    as_of: BusinessDate | None = None,
    accept_language: Language = "",
) -> HandOverPack:
    """The pack of a client for who takes them over."""
    await see_client(sql, actor, client_id)
    day = as_of or await today(sql)
    policies = await Policies.read(sql)
    sheet = (await sheets(sql, [client_id], day, policies.information.on(day)))[client_id]
    stretches = (await assignments.stored(sql, [client_id]))[client_id].all
    minutes = policies.service_log.on(day).body.same_minutes
    until = (end_of(day).isoformat(), "00000000-0000-0000-0000-000000000000")
    found = await contacts.listed(sql, client_id, minutes, until, CONTACTS)
    return HandOverPack(
        client_id=client_id,
        as_of=day,
        information=information_shown(sheet, actor, accept_language),
        owners=[assignment_shown(one) for one in stretches if one.since < end_of(day)],
        months=await _months(sql, client_id, day),
        subscriptions=await _subscriptions(sql, client_id, day),
        contacts=[contact_shown(actor, one, beside) for one, beside in found],
        open_items=[
            OpenItemView(kind=one.kind, item_id=one.item_id, topic=one.topic, since=one.since, due_on=one.due_on)
            for one in await open_items.of_client(sql, client_id)
        ],
    )


async def _months(sql: asyncpg.Connection, client_id: str, day: date) -> list[MonthView]:
    rows = await fetch(
        sql,
        Month,
        f"SELECT {columns(Month)} FROM months WHERE client_id = $1 AND month_end <= $2 ORDER BY month_end DESC LIMIT $3",
        client_id,
        day,
        MONTHS,
    )
    return [
        MonthView(
            month_end=one.month_end,
            **{name: None if (value := getattr(one, name)) is None else format(value, "f")
               for name in ("mean_assets", "turnover", "commission")},
        )
        for one in rows
    ]  # fmt: skip


async def _subscriptions(sql: asyncpg.Connection, client_id: str, day: date) -> list[SubscriptionView]:
    rows = await sql.fetch(
        f"""SELECT code, state, since FROM {SUBSCRIPTIONS.name} s
            WHERE client_id = $1 AND since <= $2 AND (until IS NULL OR until > $2) AND state <> 'ended'
              AND NOT EXISTS (SELECT FROM {SUBSCRIPTIONS.name} n WHERE n.client_id = s.client_id AND n.code = s.code
                              AND n.since <= $2 AND n.since > s.since)
            ORDER BY code""",
        client_id,
        day,
    )
    return [SubscriptionView(code=code, state=state, since=since) for code, state, since in rows]


@routes.post("/clients/{client_id}/manager/changes", status_code=201)
async def ask_for_manager(
    actor: Asker, uow: Work, _: Once, client_id: Identifier, body: ManagerWish, response: Response
) -> ManagerChangeView:
    """A client would like another manager: in the app, or at the counter. Decided within three working days, beside a complaint at once."""
    branch_id = await see_client(uow.sql, actor, client_id)
    return await _change(
        uow.sql, actor, await changes.ask(uow, client_id, branch_id, body.reason, body.wished), response
    )


@routes.get("/manager-changes")
async def list_manager_changes(actor: Seer, sql: Reading, page: Page) -> Listing[ManagerChangeView]:
    """Wishes for another manager that wait, as they were asked."""
    scope, arguments = changes.sight(actor, 3)
    found = await fetch(
        sql,
        ChangeRow,
        f"""SELECT {columns(ChangeRow)} FROM manager_changes WHERE state = 'waiting' AND ($1::uuid IS NULL OR request_id > $1)
              AND {scope} ORDER BY request_id LIMIT $2""",
        page.after[0] if page.after else None,
        page.limit + 1,
        *arguments,
    )
    now = await effective_now(sql)
    acts = await possible_of_each(sql, ACTS, actor, found)
    views = [_view(one, now, can) for one, can in zip(found, acts, strict=True)]
    return Listing[ManagerChangeView].model_validate(page.result(views, lambda one: (str(one.request_id),)))


@routes.get("/manager-changes/{request_id}")
async def read_manager_change(actor: Seer, sql: Reading, request_id: Id, response: Response) -> ManagerChangeView:
    """One wish for another manager."""
    return await _change(sql, actor, await load(sql, ACTS, actor, request_id), response)


@routes.post("/manager-changes/{request_id}/grant")
async def grant_manager_change(
    actor: Decider, uow: Work, request_id: Id, body: changes.Granting, response: Response
) -> ManagerChangeView:
    """Give the client another manager, from now on."""
    return await _change(uow.sql, actor, (await perform(uow, ACTS.grant, request_id, body)).row, response)


@routes.post("/manager-changes/{request_id}/refuse")
async def refuse_manager_change(
    actor: Decider, uow: Work, request_id: Id, body: changes.Reasoned, response: Response
) -> ManagerChangeView:
    """Leave it as it is, with a reason the client can read."""
    return await _change(uow.sql, actor, (await perform(uow, ACTS.refuse, request_id, body)).row, response)


@routes.post("/manager-changes/{request_id}/withdraw")
async def withdraw_manager_change(actor: Asker, uow: Work, request_id: Id, response: Response) -> ManagerChangeView:
    """The client would rather keep their manager."""
    return await _change(uow.sql, actor, (await perform(uow, ACTS.withdraw, request_id)).row, response)


async def _change(
    sql: asyncpg.Connection, actor: Actor, one: ChangeRow, response: Response | None = None
) -> ManagerChangeView:
    if response is not None:
        response.headers["etag"] = etag(one.revision)
    return _view(one, await effective_now(sql), await possible(sql, ACTS, actor, one))


def _view(one: ChangeRow, now: datetime, acts: list[ActView]) -> ManagerChangeView:
    told = {name: getattr(one, name) for name in ChangeRow.__struct_fields__ if name not in ("asked_by", "concerned")}
    return ManagerChangeView(**told, late=one.state == "waiting" and now >= one.due, acts=acts)
