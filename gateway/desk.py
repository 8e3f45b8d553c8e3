"""What people arrange for themselves: views of lists, their own and their team's; reminders put off, never past due; and who has a
page open [WB11, WB12]."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Text
from chassis.http import Reading, Work, permits, router
from chassis.staff import HQ
from contracts.fields import Id, Instant, form_of, text_of
from gateway.timeline import effective_now

routes = router("/v1/desk", "desk")
STAFF = tuple(role for role in Role if role not in (Role.CLIENT, Role.SYSTEM))
Person = Annotated[Actor, permits("desk:own", *STAFF)]
Page = Annotated[
    Literal["/callbacks", "/complaints", "/clients", "/managers", "/compliance/findings"],
    Field(description="the list", examples=["/callbacks"]),
]
Item = Annotated[str, form_of(r"/[a-z-]+(?:/[A-Za-z0-9._~%-]{1,80}){1,3}", 200, "where it is", "/callbacks/01890a5d-ac96-774b-bcce-b302099a8057")]  # fmt: skip
MOST_VIEWS = 100
OPEN_SECONDS = 90
"""So long after it was last asked for, a page counts as open."""


class TooManyViews(Conflict):
    """Somebody has as many views of a list as anybody can."""

    title = Text("Too many views", "视图过多")


class NewView(BaseModel, extra="forbid"):
    """A list with its filters, under a name; `team`: for everybody of the branch, or of headquarters."""

    page: Page
    name: Annotated[str, text_of(60, 1)]
    query: Annotated[str, text_of(2000)] = Field(
        description="the filters as the address has them", examples=["state=planned"]
    )
    team: bool = Field(False, description="for everybody of the branch, or of headquarters")


class View(BaseModel):
    """A saved view: whose, and for which team."""

    view_id: UUID
    page: str = Field(description="the list", examples=["/callbacks"])
    name: str
    query: str = Field(description="the filters as the address has them", examples=["state=planned"])
    person: str
    team: str | None = Field(description="the branch that shares it, or HQ", examples=["B1"])
    made_at: datetime


class Snooze(BaseModel, extra="forbid"):
    """A reminder put off until an instant, and when it is due."""

    item: Item
    until: Instant
    due: Instant


class SnoozeView(BaseModel):
    """A reminder that is put off."""

    item: str = Field(description="where it is", examples=["/callbacks/01890a5d-ac96-774b-bcce-b302099a8057"])
    until: datetime
    due: datetime


def team_of(actor: Actor) -> str:
    """Whose views somebody shares: their branch's, or headquarters'."""
    return actor.branch_id or HQ


@routes.get("/views")
async def list_views(actor: Person, sql: Reading, page: Page) -> list[View]:
    """One's own views of a list, and those of one's team."""
    rows = await sql.fetch(
        """SELECT * FROM saved_views WHERE page = $1 AND (team = $3 OR team IS NULL AND person = $2)
           ORDER BY team IS NOT NULL, name, view_id LIMIT 200""",
        page,
        actor.person,
        team_of(actor),
    )
    return [View.model_validate(dict(row)) for row in rows]


@routes.post("/views", status_code=201)
async def save_view(actor: Person, uow: Work, body: NewView) -> View:
    """Save a list with its filters: for oneself, or for the team."""
    if await uow.sql.fetchval("SELECT count(*) FROM saved_views WHERE person = $1", actor.person) >= MOST_VIEWS:
        raise TooManyViews
    row = await uow.sql.fetchrow(
        "INSERT INTO saved_views VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *",
        UUID(bytes=uuid7().bytes),
        body.page,
        body.name.strip(),
        body.query.lstrip("?"),
        actor.person,
        team_of(actor) if body.team else None,
        uow.now,
    )
    assert row is not None
    return View.model_validate(dict(row))


@routes.delete("/views/{view_id}", status_code=204)
async def remove_view(actor: Person, uow: Work, view_id: Id) -> None:
    """Remove a view of one's own; a team's also who leads it."""
    row = await uow.sql.fetchrow(
        "SELECT person, team FROM saved_views WHERE view_id = $1 AND (person = $2 OR team = $3) FOR UPDATE",
        view_id,
        actor.person,
        team_of(actor),
    )
    if row is None:
        raise NotFound
    if row["person"] != actor.person and actor.role not in (Role.BRANCH_MANAGER, Role.HQ):
        raise Forbidden
    await uow.sql.execute("DELETE FROM saved_views WHERE view_id = $1", view_id)


@routes.get("/snoozes")
async def list_snoozes(actor: Person, sql: Reading) -> list[SnoozeView]:
    """One's reminders that are put off now."""
    rows = await sql.fetch(
        "SELECT item, until, due FROM snoozes WHERE person = $1 AND until > $2 ORDER BY until, item",
        actor.person,
        await effective_now(sql),
    )
    return [SnoozeView.model_validate(dict(row)) for row in rows]


@routes.put("/snoozes")
async def put_off(actor: Person, uow: Work, body: Snooze) -> SnoozeView:
    """Put a reminder off: never past what it reminds of, and not into the past."""
    now = await effective_now(uow.sql)
    wrong = "is past due" if body.until > body.due else "is over" if body.until <= now else ""
    if wrong:
        raise Invalid(errors=(FieldError("/until", wrong),))
    await uow.sql.execute("DELETE FROM snoozes WHERE person = $1 AND until <= $2", actor.person, now)
    await uow.sql.execute(
        """INSERT INTO snoozes VALUES ($1, $2, $3, $4)
           ON CONFLICT (person, item) DO UPDATE SET until = excluded.until, due = excluded.due""",
        actor.person,
        body.item,
        body.until,
        body.due,
    )
    return SnoozeView(item=body.item, until=body.until, due=body.due)


async def others_at(database: Database, place: str, person: str) -> list[str]:
    """Note that somebody has a page open, and who else has. It is a courtesy and no fact: it leaves no row of the audit."""
    async with database.unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO presence VALUES ($1, $2, $3)
               ON CONFLICT (object, person) DO UPDATE SET seen_at = excluded.seen_at""",
            place,
            person,
            uow.now,
        )
        await uow.sql.execute("DELETE FROM presence WHERE seen_at < $1", uow.now - timedelta(days=1))
        rows = await uow.sql.fetch(
            "SELECT person FROM presence WHERE object = $1 AND person <> $2 AND seen_at > $3 ORDER BY person LIMIT 20",
            place,
            person,
            uow.now - timedelta(seconds=OPEN_SECONDS),
        )
    return [row["person"] for row in rows]
