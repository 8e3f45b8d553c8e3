"""The client's timeline: everything every service knows of them, on one page, as far as the visitor may read it."""

import asyncio
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from contracts.fields import Identifier, text_of
from gateway.console.clients.head import Purpose, Serving, no_client, place_of
from gateway.console.clients.moments import KINDS, SOURCES, Moment, Source, newest_first, rows_in
from gateway.console.frame import AtDesk, Desk
from gateway.console.render import render
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
SHOWN = 60
PAGES = 5
"""Of a list that goes on, so many pages are read for one page of the timeline."""


@routes.get("/clients/{client}/timeline")
async def show_timeline(
    request: Request, _: Serving, desk: AtDesk, client: Identifier, purpose: Purpose = "service",
    kind: Annotated[list[Annotated[str, text_of(20)]] | None, Query()] = None, before: Annotated[str, text_of(40)] = "",
) -> Response:  # fmt: skip
    """What happened, newest first; of the kinds chosen, and before an instant."""
    chosen = [one for one in KINDS if one in (kind or [])] or list(KINDS)
    until = _instant(before)
    sources = [source for source in SOURCES if source.kind in chosen]
    paths = list(dict.fromkeys(source.path for source in sources))
    whole = {source.path for source in sources if not source.paged}
    answers = dict(
        zip(paths, await asyncio.gather(*(_read(desk, path, client, purpose, whole) for path in paths)), strict=True)
    )
    if all(parts[0].status in (403, 404) for parts in answers.values()):
        return no_client(request, next(iter(answers.values()))[0])
    moments: list[Moment] = []
    floors: list[datetime] = []
    for source in sources:
        found = [one for part in answers[source.path] for one in _moments(source, part)]
        moments += found
        last = answers[source.path][-1]
        if source.paged and found and last.found and last.data["next"]:
            floors.append(min(one.at for one in found))
    lines = newest_first(one for one in moments if until is None or one.at < until)
    cut = max(floors, default=None)
    known = [one for one in lines if cut is None or one.at >= cut]  # below it a list that goes on would have gaps
    shown = known[:SHOWN]
    more = {"purpose": purpose, "kind": chosen if kind else [], "before": shown[-1].at.isoformat()} if shown else {}
    return render(
        request, "clients/timeline.html", lines=shown, kinds=KINDS, chosen=chosen, cut=cut if len(known) <= SHOWN else None,
        following=urlencode(more, doseq=True) if len(known) > SHOWN else "",
        missing=any(part.status >= 500 for parts in answers.values() for part in parts), **place_of(client, purpose, "timeline"),
    )  # fmt: skip


def _moments(source: Source, part: Part) -> list[Moment]:
    if not part.found:
        return []
    return [one for row in rows_in(part.data, source.member) for one in source.read(row)]


async def _read(desk: Desk, path: str, client: str, purpose: str, whole: set[str]) -> list[Part]:
    """A list of a service, page by page where it has pages."""
    query: dict[str, Any] = {} if path in whole else {"limit": 200}
    place = path.format(quote(client, safe=""))
    found = [await desk.get(place, query, purpose=purpose)]
    while query and found[-1].found and found[-1].data["next"] and len(found) < PAGES:
        found.append(await desk.get(place, query | {"cursor": found[-1].data["next"]}, purpose=purpose))
    return found


def _instant(said: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
