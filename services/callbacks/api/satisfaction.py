"""What clients said in contacts, counted: satisfaction, changed needs."""

from typing import Annotated, Any

from fastapi import Query

from chassis.http import Reading, router
from services.callbacks import satisfaction
from services.callbacks.api.access import Day, Leader

routes = router("/v1/callbacks", "callbacks statistics")


@routes.get("/statistics/satisfaction")
async def read_satisfaction(
    actor: Leader,
    sql: Reading,
    start: Annotated[Day, Query(alias="from")],
    end: Annotated[Day, Query(alias="to")],
    core_only: bool = False,
) -> list[dict[str, Any]]:
    """Scores of satisfaction given in valid contacts, by branch, topic and question."""
    branch = None if actor.sees_all_branches else actor.branch_id or "-"
    return await satisfaction.numbers(sql, start, end, branch, core_only)


@routes.get("/statistics/needs")
async def read_needs(
    actor: Leader, sql: Reading, start: Annotated[Day, Query(alias="from")], end: Annotated[Day, Query(alias="to")]
) -> list[dict[str, Any]]:
    """Changed needs that came up in care calls, newest first, up to 200."""
    return await satisfaction.needs(sql, start, end, None if actor.sees_all_branches else actor.branch_id or "-")
