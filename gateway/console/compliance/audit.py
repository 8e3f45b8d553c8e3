"""The audit: who did and read what, about whom, over all services; and who looked at one client."""

import asyncio
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Actor, Role
from chassis.clock import at as clock_at
from contracts.fields import BusinessDate, Identifier, text_of
from gateway.console.clients.head import Purpose, no_client, place_of
from gateway.console.frame import AtDesk, Desk, rows_of, visitors
from gateway.console.render import render
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
Auditor = Annotated[Actor, visitors("console.audit:read", Role.COMPLIANCE)]
Filter = Annotated[str, text_of(64)]
SHOWN = 100


@routes.get("/compliance/audit")
async def search_audit(
    request: Request, _: Auditor, desk: AtDesk, client: Filter = "", person: Filter = "", action: Filter = "",
    service: Filter = "", since: BusinessDate | None = None, until: BusinessDate | None = None,
) -> Response:  # fmt: skip
    """Audit rows of every service, newest first."""
    asked = {"client": client.strip(), "person": person.strip(), "action": action.strip(), "service": service}
    searched = any(asked.values()) or since is not None
    rows, missing = await _found(desk, asked, since, until) if searched else ([], False)
    return render(
        request, "compliance/audit.html", rows=rows[:SHOWN], more=len(rows) > SHOWN, missing=missing, searched=searched,
        wanted=asked | {"since": since or "", "until": until or ""}, services=sorted(desk.services.transports),
    )  # fmt: skip


@routes.get("/clients/{client}/reads")
async def show_reads(
    request: Request, _: Auditor, desk: AtDesk, client: Identifier, purpose: Purpose = "review"
) -> Response:
    """Who looked at this client and why, and who did what about them."""
    known = await desk.get(f"/v1/classification/clients/{client}", purpose=purpose)
    if not known.found:
        return no_client(request, known)
    rows, missing = await _found(desk, {"client": client}, None, None)
    return render(
        request, "clients/reads.html", rows=rows[:SHOWN], more=len(rows) > SHOWN, missing=missing,
        **place_of(client, purpose, "reads"),
    )  # fmt: skip


async def _found(
    desk: Desk, asked: dict[str, Any], since: date | None, until: date | None
) -> tuple[list[dict[str, Any]], bool]:
    """The newest rows of every service that was asked for, and whether one did not answer."""
    query = {name: asked.get(name, "") for name in ("client", "person", "action")} | {"limit": SHOWN}
    query["since"] = clock_at(since, 0).isoformat() if since else ""
    query["until"] = clock_at(until + timedelta(days=1), 0).isoformat() if until else ""
    names = [name for name in sorted(desk.services.transports) if asked.get("service") in (None, "", name)]
    parts: list[Part] = await asyncio.gather(
        *(desk.get(f"/v1/{name}/operations/audit", query, purpose="review") for name in names)
    )
    rows = [row | {"service": name} for name, part in zip(names, parts, strict=True) for row in rows_of(part)]
    rows.sort(key=lambda row: (row["at"], row["service"]), reverse=True)
    return rows, any(part.status >= 500 for part in parts)
