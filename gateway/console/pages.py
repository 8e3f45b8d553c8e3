"""The console's pages: clients, one client, API and events. Data comes from the services' own routes."""

import asyncio
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from chassis.actor import Actor, Role
from chassis.errors import NotFound, Unavailable
from contracts.classification import TIERS
from contracts.fields import Code, Identifier, Text64, text_of
from gateway.api import problem_named
from gateway.client360 import client_view
from gateway.console.areas import SERVING
from gateway.console.clients.head import place_of
from gateway.console.doing import button, errors_of
from gateway.console.export import all_rows, file_of
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Staff
from gateway.console.render import language_of, render
from gateway.console.tables import OF_A_CLIENT
from gateway.console.views import views_of
from gateway.service_client import Part, ServiceClient
from gateway.transport import Headers

routes = APIRouter(include_in_schema=False)
PURPOSES = ("service", "callback", "complaint", "review")
CLASSES = ("A+", "A", "B+", "B", "C", "C-", "D", "D-", "E", "F", "G")
CHART_PAGES = 25
EXPORTED = ("client_id", "branch_id", "class", "provisional", "tier", "tier_since", "opened_on")
SEARCHED = ("name", "phone", "initials", "phone_ending")
BEGUN = {
    Role.AGENT: ("redeem", "adjust"),
    Role.CLIENT_MANAGER: ("redeem", "adjust"),
    Role.BRANCH_MANAGER: ("redeem", "adjust"),
    Role.HQ: ("adjust",),
}
"""What staff of a role begin on a client's page."""


Purpose = Annotated[str, text_of(200)]


@routes.get("/clients")
async def show_clients(
    request: Request,
    visitor: Staff,
    desk: AtDesk,
    client: Text64 = "",
    tier: Annotated[str, text_of(20)] = "",
    class_: Annotated[str, text_of(4), Query(alias="class")] = "",
    branch: Text64 = "",
    cursor: Annotated[str, text_of(2000)] = "",
    purpose: Purpose = PURPOSES[0],
    format: Literal["", "csv", "xlsx"] = "",
) -> Response:
    """Find a client by id, or list clients by tier, class and branch; the list is a file as well."""
    if client.strip():
        return RedirectResponse(f"/clients/{quote(client.strip(), safe='')}?{urlencode({'purpose': purpose})}", 303)
    wanted = {"tier": tier, "class": class_, "branch": branch.strip()}
    filters = {name: value for name, value in wanted.items() if value}
    said = urlencode(filters | {"purpose": purpose})
    if format:
        rows = await all_rows(desk, "/v1/classification/clients", filters, purpose)
        return file_of("clients", format, desk.language, EXPORTED, rows)
    query = urlencode(filters | {"limit": "50"} | ({"cursor": cursor} if cursor else {}))
    listed = await _services(request).get("classification", "/v1/classification/clients", visitor, query=query)
    following = ""
    if listed.found and listed.data["next"]:
        following = urlencode(filters | {"purpose": purpose, "cursor": listed.data["next"]})
    return render(
        request, "clients.html", listed=listed, wanted=wanted, following=following, tiers=TIERS, classes=CLASSES,
        purposes=PURPOSES, purpose=purpose, query=said, **await views_of(desk, "/clients", said),
    )  # fmt: skip


@routes.post("/clients/search")
async def search_clients(request: Request, _: Staff, desk: AtDesk) -> Response:
    """Clients by name, number, or initials with the number's end: never in an address, each search on the record."""
    typed = typed_in(await request.form())
    wanted = {name: typed[name].strip() for name in SEARCHED if typed.get(name, "").strip()}
    found = await desk.send("POST", "/v1/clients/search", wanted, purpose=typed.get("purpose", PURPOSES[0]))
    page = render(
        request, "clients/found.html", found=found, purpose=typed.get("purpose", PURPOSES[0]), wrong=errors_of(found)
    )
    page.status_code = 200 if found.done else found.status
    return page


@routes.get("/clients/{client}")
async def show_client(request: Request, visitor: Staff, client: Identifier, purpose: Purpose = PURPOSES[0]) -> Response:
    """One client: class, tier and points, each with its why."""
    try:
        view = await client_view(_services(request), visitor, client, _said(purpose))
    except (NotFound, Unavailable) as refusal:
        page = render(request, "refused.html", refusal=refusal, what=client)
        page.status_code = refusal.status
        return page
    here = f"/clients/{quote(client, safe='')}?{urlencode({'purpose': purpose})}"
    begun = [button(act, act, OF_A_CLIENT[act], {"client_id": client}, here) for act in BEGUN.get(visitor.role, ())]
    return render(
        request, "client.html", view=view, tiers=TIERS, begun=begun, serves=visitor.role in SERVING,
        **place_of(client, purpose, ""),
    )  # fmt: skip


@routes.get("/clients/{client}/entries")
async def show_entries(
    request: Request,
    visitor: Staff,
    client: Identifier,
    cursor: Annotated[str, text_of(2000)],
    purpose: Purpose,
) -> Response:
    """More of the statement."""
    page = await _entries(request, visitor, client, purpose, limit=50, cursor=cursor)
    return render(
        request,
        "entries.html",
        entries=page.data if page.found else {"items": [], "next": None},
        client=client,
        purpose=purpose,
    )


@routes.get("/clients/{client}/entries/{entry}")
async def explain_entry(
    request: Request, visitor: Staff, client: Identifier, entry: Identifier, purpose: Purpose
) -> Response:
    """Why an entry is what it is."""
    path = f"/v1/points/clients/{quote(client, safe='')}/entries/{quote(entry, safe='')}/explain"
    part = await _services(request).get("points", path, visitor, passed=_said(purpose))
    return render(request, "entry.html", part=part)


@routes.get("/clients/{client}/chart.json")
async def chart(request: Request, visitor: Staff, client: Identifier, purpose: Purpose = PURPOSES[0]) -> Response:
    """Tier stretches and the balance of points over time."""
    services, name = _services(request), quote(client, safe="")
    known, history, balance, entries = await asyncio.gather(
        services.get("classification", f"/v1/classification/clients/{name}", visitor, passed=_said(purpose)),
        services.get("classification", f"/v1/classification/clients/{name}/history", visitor, passed=_said(purpose)),
        services.get("points", f"/v1/points/clients/{name}", visitor, passed=_said(purpose)),
        _all_entries(request, visitor, client, purpose),
    )
    tiers = history.data["tiers"] if history.found else []
    points = balance.data if balance.found else {"available": "0", "debt": "0"}
    return JSONResponse(
        {
            "tiers": [{"from": s["from"], "level": TIERS.index(s["tier"])} for s in tiers],
            "until": known.data["as_of"] if known.found else None,
            "points": balances_over_time(Decimal(points["available"]) - Decimal(points["debt"]), entries),
        }
    )


@routes.get("/docs")
async def show_api(request: Request, _: Staff) -> Response:
    """The REST interface, to read and try."""
    return render(request, "docs.html")


@routes.get("/events")
async def show_events(request: Request, _: Staff) -> Response:
    """The events."""
    return render(request, "events.html")


@routes.get("/problems/{name}")
async def show_problem(request: Request, name: Code) -> Response:
    """What a problem type means; public, as problems link to it."""
    return render(request, "problem.html", kind=problem_named(name), name=name, chinese=language_of(request) == "zh-CN")


def balances_over_time(total: Decimal, newest_first: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The balance at the end of each day with an entry, oldest first, reckoned back from what it is now."""
    found: list[dict[str, str]] = []
    for entry in newest_first:
        if not found or found[-1]["on"] != entry["posted_on"]:
            found.append({"on": entry["posted_on"], "points": str(total)})
        total -= Decimal(entry["points"])
    return found[::-1]


async def _all_entries(request: Request, visitor: Actor, client: str, purpose: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    cursor: str | None = ""
    for _ in range(CHART_PAGES):
        page = await _entries(request, visitor, client, purpose, limit=200, cursor=cursor or "")
        if not page.found:
            break
        entries += page.data["items"]
        cursor = page.data["next"]
        if cursor is None:
            break
    return entries


async def _entries(request: Request, visitor: Actor, client: str, purpose: str, *, limit: int, cursor: str) -> Part:
    path = f"/v1/points/clients/{quote(client, safe='')}/entries"
    query = urlencode({"limit": limit} | ({"cursor": cursor} if cursor else {}))
    return await _services(request).get("points", path, visitor, query=query, passed=_said(purpose))


def _services(request: Request) -> ServiceClient:
    services: ServiceClient = request.app.state.services
    return services


def _said(purpose: str) -> Headers:
    """Why the console reads a client's record: what the visitor chose."""
    return [(b"purpose", f"console: {purpose}".encode("ascii", "replace"))]
