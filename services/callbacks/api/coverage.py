"""Coverage over HTTP: numbers at any date, one client's line, the draw and its proof."""

from base64 import b64encode
from hashlib import sha256
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import Query
from fastapi.responses import Response
from pydantic import BaseModel

from chassis import calendars
from chassis.errors import NotFound
from chassis.http import Once, Reading, Work, gives, router
from contracts.fields import Id, Identifier, text_of
from services.callbacks import coverage, proof
from services.callbacks.api.access import Chief, Day, Leader, Reader, require_client

routes = router("/v1/callbacks/coverage", "callbacks coverage")


class Numbers(BaseModel):
    """Who counts, who is covered, who does not count and why; and whether the pace suffices."""

    branch_id: str
    counted: int
    covered: int
    covered_elsewhere: int
    needed: int
    percent: str
    reached: bool
    left_out: dict[str, int]
    expected_at_year_end: int
    needed_per_working_day: str
    working_days_left: int
    on_course: bool


class NewClients(BaseModel):
    """New clients of a branch: trained within the month, breached, still open [B3]."""

    branch_id: str
    opened: int
    trained: int
    breached: int
    open: int


class DrawOrder(BaseModel):
    """Draw as of a date; a seed of one's own (from a public lottery, say) or one made here."""

    as_of: Day
    seed: Annotated[str, text_of(200, 8)] | None = None


@routes.get("")
async def read_coverage(actor: Reader, sql: Reading, as_of: Day) -> list[Numbers]:
    """The 10 % rule at a date: the firm first, then every branch the caller may see."""
    calendar = await calendars.current(sql)
    found = []
    for one in await coverage.by_branch(sql, as_of):
        if not actor.sees_all_branches and one.branch_id not in ("", actor.branch_id):
            continue
        pace = coverage.forecast(one.covered - one.elsewhere, max(0, one.needed - one.elsewhere), as_of, calendar)
        found.append(
            Numbers(
                branch_id=one.branch_id,
                counted=one.counted,
                covered=one.covered,
                covered_elsewhere=one.elsewhere,
                needed=one.needed,
                percent=str(one.percent),
                reached=one.reached,
                left_out=dict(one.left_out),
                expected_at_year_end=pace.expected + one.elsewhere,
                needed_per_working_day=str(pace.needed_per_working_day),
                working_days_left=pace.working_days_left,
                on_course=pace.on_course,
            )
        )
    return found


@routes.get("/new-clients")
async def read_new_clients(actor: Reader, sql: Reading, opened_from: Day, opened_to: Day) -> list[NewClients]:
    """The one-month rule for clients opened in a span of days, by branch."""
    rows = await coverage.new_clients(sql, opened_from, opened_to)
    return [
        NewClients.model_validate(dict(row))
        for row in rows
        if actor.sees_all_branches or row["branch_id"] == actor.branch_id
    ]


@routes.get("/clients/{client_id}")
async def read_client(
    actor: Leader, sql: Reading, client_id: Identifier, as_of: Annotated[Day, Query()]
) -> dict[str, Any]:
    """Whether one client counts, and why; covered when, with which evidence."""
    await require_client(sql, actor, client_id)
    return await coverage.client_line(sql, client_id, as_of)


@routes.get("/ledger", response_class=Response, responses=gives("text/csv"))
async def read_ledger(
    actor: Leader,
    sql: Reading,
    as_of: Day,
    branch_id: Identifier,
    rule: Literal["coverage", "new-clients"] = "coverage",
) -> Response:
    """One branch's ledger as CSV with its SHA-256: the same bytes as the branch's file of the written proof."""
    if not actor.sees_all_branches and actor.branch_id != branch_id:
        raise NotFound
    content = await proof.branch_ledger(sql, as_of, branch_id, rule)
    name = f"{rule}-{as_of}-{quote(branch_id, safe='')}.csv"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "repr-digest": f"sha-256=:{b64encode(sha256(content).digest()).decode()}:",
    }
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@routes.post("/draws", status_code=201)
async def make_draw(actor: Chief, uow: Work, once: Once, order: DrawOrder) -> dict[str, Any]:
    """Draw what is missing of the year's share, by stratum, with a recorded seed."""
    return await coverage.make_draw(uow, order.as_of, order.seed)


@routes.get("/draws/{draw_id}/repeat")
async def repeat_draw(actor: Chief, sql: Reading, draw_id: Id) -> dict[str, Any]:
    """Draw again from the recorded seed and tell whether the same clients come out."""
    return await coverage.repeat_draw(sql, draw_id)
