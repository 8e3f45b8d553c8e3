"""Saved views of lists: kept from a list's filters, one's own or the team's, and taken away again."""

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.fields import Id
from gateway.console.doing import errors_of, gone_on
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Desk, Staff, rows_of
from gateway.console.render import render

routes = APIRouter(include_in_schema=False)


async def views_of(desk: Desk, page: str, query: str) -> dict[str, Any]:
    """What the part `views.html` shows: the list's views, and what saving one would keep."""
    found = await desk.get("/v1/desk/views", {"page": page})
    return {"views": rows_of(found), "view_page": page, "view_query": query, "me": desk.visitor.person}


@routes.post("/views")
async def save(request: Request, _: Staff, desk: AtDesk) -> Response:
    """Save a view and go on to it."""
    typed = typed_in(await request.form())
    body = {name: typed.get(name, "") for name in ("page", "name", "query")} | {"team": typed.get("team") == "true"}
    done = await desk.send("POST", "/v1/desk/views", body)
    if done.done:
        return gone_on(f"{done.data['page']}?{done.data['query']}", done)
    said = "; ".join(error["detail"] for error in errors_of(done))
    page = render(request, "refusal.html", problem={**(done.problem or {}), **({"detail": said} if said else {})})
    page.status_code = done.status
    return page


@routes.post("/views/{view_id}/removal")
async def remove(request: Request, _: Staff, desk: AtDesk, view_id: Id) -> Response:
    """Take a view away."""
    typed = typed_in(await request.form())
    done = await desk.send("DELETE", f"/v1/desk/views/{quote(str(view_id))}")
    if done.done:
        back = typed.get("back", "/")
        return gone_on(back if back.startswith("/") and not back.startswith("//") and "\\" not in back else "/", done)
    page = render(request, "refusal.html", problem=done.problem or {})
    page.status_code = done.status
    return page
