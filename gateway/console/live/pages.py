"""What is live: a stream that says when something changed, and the figures in the bar. It names nobody and nothing: a page
asks again for what its visitor may see. While no stream can be had, pages ask now and then."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response, StreamingResponse

from chassis.actor import Role
from chassis.live import HEADERS, MEDIA_TYPE, STREAM_SECONDS, Live
from contracts import callbacks, complaints
from contracts.fields import text_of
from gateway.console.areas import SERVING
from gateway.console.frame import AtDesk, Staff, rows_of
from gateway.console.render import render
from gateway.desk import others_at

routes = APIRouter(include_in_schema=False)
AT_MOST_EVERY_SECONDS = 3.0
OBJECT = re.compile(r"/(callbacks|complaints|clients|managers/visits|managers/allocations)/[A-Za-z0-9._~%-]{1,80}")
"""Pages of one thing: of these it is shown who has them open."""
TOPICS = (callbacks.TOPIC, complaints.TOPIC)


@routes.get("/live")
async def follow(
    request: Request, _: Staff, last_event_id: Annotated[Annotated[str, text_of(20)] | None, Header()] = None
) -> Response:
    """Server-sent events: `changed` when tasks or cases moved, also while a browser was away."""
    live: Live = request.app.state.live
    seen = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdecimal() else None
    return StreamingResponse(_events(live, seen), media_type=MEDIA_TYPE, headers=HEADERS)


async def _events(live: Live, seen: int | None) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    end, ended = clock() + STREAM_SECONDS, live.ended
    async with live.followed() as notices:
        seen = notices.count if seen is None else seen
        yield f"retry: 1000\nid: {seen}\nevent: ready\ndata: 1\n\n"
        while (left := end - clock()) > 0 and not ended.is_set():
            await notices.wait(seen, left)
            if notices.count != seen and not ended.is_set():
                seen = notices.count
                yield f"id: {seen}\nevent: changed\ndata: 1\n\n"
                await asyncio.sleep(AT_MOST_EVERY_SECONDS)  # many at once are one


@routes.get("/part/badges")
async def show_badges(
    request: Request, visitor: Staff, desk: AtDesk, at: Annotated[str, text_of(200)] = ""
) -> Response:
    """What is overdue in the visitor's hands, what waits for their decision, what is to be taken in hand; and who else has the page
    open that they are at."""
    others = await others_at(request.app.state.database, at, visitor.person) if OBJECT.fullmatch(at) else []
    serves = visitor.role in SERVING
    today = await desk.today()
    paths = ["/v1/approvals?limit=50"] if visitor.role is not Role.SYSTEM else []
    if serves:
        paths += [f"/v1/callbacks/tasks/counts?due_by={today}", "/v1/complaints/queue?limit=200"]
    found = await desk.all(*paths, purpose="service") if paths else []
    counts = {"approvals": len(rows_of(found[0]))} if paths else {}
    if serves:
        counts["callbacks"] = sum(row["late"] for row in rows_of(found[1]))
        counts["complaints"] = len(rows_of(found[2]))
    return render(request, "live/badges.html", counts=counts, others=others)
