"""What a new calendar moved: limits of tasks, surveys, enquiries and moments that were open [B21]."""

from typing import Annotated

from fastapi import Query

from chassis.http import Listing, Page, Reading, router
from chassis.http.replanned import Replanned, replanned
from contracts.fields import Code, text_of
from services.callbacks.acts import sight
from services.callbacks.api.access import Leader

routes = router("/v1/callbacks/replanned", "callbacks")


@routes.get("")
async def read_replanned(
    actor: Leader,
    sql: Reading,
    page: Page,
    calendar: Annotated[Code | None, Query(description="the version that moved it")] = None,
    object: Annotated[Annotated[str, text_of(100)] | None, Query(description="of one object: `task/ID`")] = None,
) -> Listing[Replanned]:
    """Every due that a new version of the calendar moved, newest first: holidays (放假) and make-up days (调休) move what is
    open and nothing that is over. Of tasks and moments those the caller may see."""
    condition, arguments = sight(actor, 5)
    task = f"SELECT FROM tasks t WHERE t.task_id::text = split_part(r.object, '/', 2) AND {condition}"
    moment = "SELECT FROM moments m WHERE m.moment_id::text = split_part(r.object, '/', 2) AND ($5 OR m.branch_id = $6)"
    hidden = f"""NOT (CASE WHEN r.object LIKE 'task/%' THEN EXISTS ({task})
                           WHEN r.object LIKE 'moment/%' THEN EXISTS ({moment}) ELSE $5 END)"""
    return await replanned(sql, page, calendar, object, hidden, arguments)
