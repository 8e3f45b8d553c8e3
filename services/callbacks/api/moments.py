"""Moments of truth over HTTP: the catalogue, what is open, what people or other systems report, numbers [A21]."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import FieldError, Invalid, NotFound
from chassis.http import Listing, Once, Page, Reading, Work, object_scope, permits, router
from chassis.timeline import effective_now, today
from contracts.fields import Code, Id, Identifier, Instant, text_of
from services.callbacks import moments
from services.callbacks.api.access import Day, Leader, Reader, Server, require_view
from services.callbacks.people import SERVING
from services.callbacks.policy import Policies

routes = router("/v1/callbacks", "callbacks moments")
Reporter = Annotated[Actor, permits("callbacks:moments", *SERVING, Role.OPERATIONS, Role.SYSTEM)]


class Reaction(BaseModel):
    """How the client reacted to a standard action or a moment of truth."""

    reaction: Annotated[str, text_of(1000, 2)]


class Moment(BaseModel):
    """An action for a client: mandatory with a date, or optional without any consequence.

    `should_be_done`: an optional one of a client from platinum on.
    """

    moment_id: UUID
    client_id: str
    branch_id: str | None
    code: str
    on_day: date
    mandatory: bool
    should_be_done: bool = False
    due_on: date
    due_at: datetime
    cause: dict[str, Any]
    done_on: date | None
    done_by: str | None
    reaction: str | None


class Report(BaseModel):
    """What happened to clients and when; the same reference again is the same moment."""

    code: Code
    client_ids: list[Identifier] = Field(min_length=1, max_length=5000)
    at: Instant
    reference: Annotated[str, text_of(100, 1)]


@routes.get("/clients/{client_id}/moments")
async def list_moments(actor: Reader, sql: Reading, page: Page, client_id: Identifier) -> Listing[Moment]:
    """Standard actions and moments of truth of a client, newest first."""
    await require_view(sql, actor, client_id)
    scope, arguments = object_scope(actor, 5)
    rows = await sql.fetch(
        f"""SELECT * FROM ({moments.SHOWN} WHERE m.client_id = $1) m
            WHERE ($2::text IS NULL OR (on_day, moment_id) < ($2::text::date, $3::text::uuid)) AND {scope}
            ORDER BY on_day DESC, moment_id DESC LIMIT $4""",
        client_id,
        *(page.after or (None, None)),
        page.limit + 1,
        *arguments,
    )
    found = page.result([dict(row) for row in rows], lambda row: (row["on_day"], row["moment_id"]))
    return Listing[Moment].model_validate(found)


@routes.get("/moments")
async def list_open(
    actor: Reader,
    sql: Reading,
    page: Page,
    mandatory: Annotated[bool | None, Query(description="only mandatory, or only optional ones")] = None,
) -> Listing[Moment]:
    """What is open: mandatory ones first, by the end of their time."""
    scope, arguments = object_scope(actor, 6)
    rows = await sql.fetch(
        f"""SELECT * FROM ({moments.SHOWN} WHERE m.done_on IS NULL AND ($1::bool IS NULL OR m.mandatory = $1)) m
            WHERE ($2::bool IS NULL OR (NOT mandatory, due_at, moment_id) > (NOT $2, $3::text::timestamptz, $4::text::uuid))
              AND {scope} ORDER BY NOT mandatory, due_at, moment_id LIMIT $5""",
        mandatory,
        *(page.after or (None, None, None)),
        page.limit + 1,
        *arguments,
    )
    found = page.result([dict(row) for row in rows], lambda row: (row["mandatory"], row["due_at"], row["moment_id"]))
    return Listing[Moment].model_validate(found)


@routes.get("/moments/catalogue")
async def read_catalogue(actor: Reader, sql: Reading, on: Day) -> dict[str, Any]:
    """The moments of a date: which are mandatory and by when, and the ladder of those not done in time."""
    policies = await Policies.read(sql)
    version = policies.moments.on(on)
    return {
        "policy": version.name,
        "moments": [
            {
                "code": one.code,
                "words": {"zh-CN": one.zh, "en": one.en},
                "mandatory": one.mandatory,
                "working_days": one.working_days or None,
                "minutes": one.minutes or None,
                "seen": one.seen,
            }
            for one in version.body.values()
        ],
        "ladder": [
            {"step": step.name, "seat": step.seat, "unit": step.unit, "working_days": step.working_days}
            for step in policies.moment_ladder.on(on).body
        ],
    }


@routes.post("/moments", status_code=201)
async def report(actor: Reporter, uow: Work, once: Once, given: Report) -> dict[str, int]:
    """Report a moment of clients: a margin warning, a shock of the market, a family event. How many are new."""
    if given.at > await effective_now(uow.sql, uow.now):
        raise Invalid(errors=(FieldError("body#/at", "lies ahead"),))
    scope, arguments = object_scope(actor, 2)
    wanted = sorted(set(given.client_ids))
    known = await uow.sql.fetchval(
        f"SELECT count(*) FROM clients WHERE client_id = ANY($1::text[]) AND {scope}", wanted, *arguments
    )
    if known != len(wanted):
        raise NotFound
    return {"new": await moments.report(uow, given.code, wanted, given.at, given.reference)}


@routes.post("/moments/{moment_id}/reaction")
async def react(actor: Server, uow: Work, moment_id: Id, given: Reaction) -> Moment:
    """The action was done; this is how the client reacted."""
    day = await today(uow.sql)
    return Moment.model_validate(dict(await moments.react(uow, moment_id, given.reaction, day)))


@routes.get("/statistics/moments")
async def read_numbers(
    actor: Leader, sql: Reading, start: Annotated[Day, Query(alias="from")], end: Annotated[Day, Query(alias="to")]
) -> list[dict[str, Any]]:
    """Moments by code: seen, done; in time only where they are mandatory."""
    return await moments.numbers(sql, start, end, None if actor.sees_all_branches else actor.branch_id or "-")
