"""What a new calendar moved: clocks, waits, surveys and packs that were open [C29]."""

from typing import Annotated

from fastapi import Query

from chassis.actor import Actor
from chassis.http import Listing, Page, Reading, permits, router
from chassis.http.replanned import Replanned, replanned
from contracts.fields import Code, text_of
from services.complaints import cases
from services.complaints.api.shapes import READERS

routes = router("/v1/complaints/replanned", "complaints")
Reader = Annotated[Actor, permits("complaints.duties:read", *READERS)]


@routes.get("")
async def read_replanned(
    actor: Reader,
    sql: Reading,
    page: Page,
    calendar: Annotated[Code | None, Query(description="the version that moved it")] = None,
    object: Annotated[
        Annotated[str, text_of(100)] | None, Query(description="of one object: `case/ID`, `pack/2022-07`")
    ] = None,
) -> Listing[Replanned]:
    """Every due that a new version of the calendar moved, newest first: holidays (放假) and make-up days (调休) move what is
    open and nothing that is over. Of cases those the caller may see."""
    condition, arguments = cases.sight(actor, 5)
    seen = f"SELECT FROM cases WHERE 'case/' || case_id = 'case/' || split_part(r.object, '/', 2) AND {condition}"
    hidden = f"r.object LIKE 'case/%' AND NOT EXISTS ({seen})"
    return await replanned(sql, page, calendar, object, hidden, arguments)
