"""Statistics over HTTP: as numbers and as a workbook."""

from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import Response
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.http import Reading, gives, router
from services.callbacks import statistics
from services.callbacks.api.access import Day, Leader

routes = router("/v1/callbacks/statistics", "callbacks statistics")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Row(BaseModel):
    """One agent's, branch's, topic's or script's numbers; rates per hundred; empty where there is nothing to divide."""

    key: str
    attempts: int
    reached: int
    valid: int
    valid_rate: Decimal | None
    on_time_rate: Decimal | None
    reviewed: int
    quality: Decimal | None
    turned_down: int
    figure: Decimal | None


class TaskCount(BaseModel):
    """How many tasks of a rule stand in a state."""

    rule: str
    state: str
    count: int


@routes.get("")
async def read_statistics(
    actor: Leader,
    sql: Reading,
    by: statistics.By,
    start: Annotated[Day, Query(alias="from")],
    end: Annotated[Day, Query(alias="to")],
    as_of: Day | None = None,
) -> list[Row]:
    """Numbers of contacts made in a span of days, as known at a date (the span's end unless given)."""
    branch, officer = _sight(actor)
    rows = await statistics.numbers(sql, by, start, end, as_of or end, branch, restricted=officer)
    return [Row.model_validate(row) for row in rows]


@routes.get("/workbook", response_class=Response, responses=gives(XLSX))
async def read_workbook(
    actor: Leader,
    sql: Reading,
    start: Annotated[Day, Query(alias="from")],
    end: Annotated[Day, Query(alias="to")],
    as_of: Day | None = None,
) -> Response:
    """The same as an xlsx file: a sheet by agent, branch, topic and script."""
    (branch, officer), known = _sight(actor), as_of or end
    sheets: dict[str, list[dict[str, Any]]] = {}
    for by in ("agent", "branch_id", "topic", "script"):
        sheets[by.removesuffix("_id")] = await statistics.numbers(
            sql, by, start, end, known, branch, restricted=officer
        )
    content = statistics.workbook(sheets, f"{start} - {end} / {known}")
    return Response(content, media_type=XLSX, headers={"content-disposition": 'attachment; filename="callbacks.xlsx"'})


@routes.get("/tasks")
async def count_tasks_by_rule(actor: Leader, sql: Reading, as_of: Day | None = None) -> list[TaskCount]:
    """Tasks by rule and state, now or at the close of a day."""
    branch, officer = _sight(actor)
    rows = await statistics.task_counts(sql, as_of, branch, restricted=officer)
    return [TaskCount.model_validate(dict(row)) for row in rows]


@routes.get("/bookings")
async def count_bookings(
    actor: Leader,
    sql: Reading,
    start: Annotated[Day, Query(alias="from")],
    end: Annotated[Day, Query(alias="to")],
) -> list[dict[str, Any]]:
    """Booked openings, counted daily: how many, and how many had their first contact in time."""
    return await statistics.bookings(sql, start, end, _sight(actor)[0])


@routes.get("/without-contact-data")
async def count_without_contact_data(actor: Leader, sql: Reading) -> dict[str, int]:
    """Open accounts that have tasks but can be sent no message, and messages skipped for that."""
    return {
        "clients": await statistics.without_contact_data(sql),
        "messages": await statistics.skipped_without_contact_data(sql),
    }


@routes.get("/cadence")
async def read_cadence(actor: Leader, sql: Reading, as_of: Day) -> list[dict[str, Any]]:
    """Of each manager, clients contacted less often than their tier asks: it measures managers, never makes tasks."""
    return await statistics.cadence_report(sql, as_of, _sight(actor)[0])


def _sight(actor: Actor) -> tuple[str | None, bool]:
    """The branch a caller sees (None: all), and whether they see what is compliance's alone."""
    return None if actor.sees_all_branches else actor.branch_id or "-", actor.role is Role.COMPLIANCE
