"""Operations: services at a glance; dead letters by error, tried and given again; conflicts side by side; deadlines."""

import re
from typing import Annotated, Any, NamedTuple

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from contracts.fields import Code, Number
from gateway.console.doing import button, errors_of
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Desk, Staff, rows_of, visitors
from gateway.console.render import render
from gateway.console.tables import of_service
from gateway.overview import overview

routes = APIRouter(include_in_schema=False)
Operator = Annotated[Actor, visitors("console.operations:act", Role.OPERATIONS)]
SHOWN = 200
HERE = "/operations"


class Group(NamedTuple):
    """Dead letters of one service, type and error."""

    service: str
    type: str
    reason: str
    error: str
    letters: list[dict[str, Any]]


@routes.get("/operations")
async def show_operations(request: Request, visitor: Staff, desk: AtDesk) -> Response:
    """Every service at a glance; for operators what waits for them in each."""
    seen = await overview(desk.services)
    operates = visitor.role is Role.OPERATIONS
    found = await _waiting(desk) if operates else {"groups": [], "conflicts": [], "deadlines": [], "failed": []}
    return render(request, "operations/services.html", seen=seen, operates=operates, **found)


@routes.get("/part/services")
async def refresh_services(request: Request, _: Staff, desk: AtDesk) -> Response:
    """The table of services alone, asked for every few seconds."""
    return render(request, "operations/services_table.html", seen=await overview(desk.services))


@routes.get("/operations/{service}/dead-letters/{letter}")
async def show_letter(request: Request, _: Operator, desk: AtDesk, service: Code, letter: Number) -> Response:
    """One dead letter with its value."""
    part = await desk.get(f"/v1/{known_service(desk, service)}/operations/dead-letters/{letter}")
    page = render(request, "operations/letter.html", part=part, service=service)
    page.status_code = part.status
    return page


@routes.post("/operations/{service}/redrive")
async def redrive(request: Request, _: Operator, desk: AtDesk, service: Code) -> Response:
    """Try dead letters or give them to their handler again; of each what became of it."""
    typed = typed_in(await request.form())
    chosen = [int(one) for one in typed.get("ids", "").split() if one.isdecimal()]
    order = ({"all": True} if "all" in typed else {"ids": chosen}) | {"dry_run": "dry_run" in typed}
    done = await desk.send("POST", f"/v1/{known_service(desk, service)}/operations/dead-letters/redrive", order)
    results = done.data["results"] if done.done else []
    page = render(
        request, "operations/redriven.html", service=service, part=done, results=results, dry=order["dry_run"],
        passing=[one["id"] for one in results if one["outcome"] == "would_pass"],
    )  # fmt: skip
    page.status_code = done.status
    return page


@routes.post("/operations/{service}/skip")
async def skip(request: Request, _: Operator, desk: AtDesk, service: Code) -> Response:
    """Leave dead letters undone, with why."""
    typed = typed_in(await request.form())
    order = {
        "ids": [int(one) for one in typed.get("ids", "").split() if one.isdecimal()],
        "reason": typed.get("reason", ""),
    }
    done = await desk.send("POST", f"/v1/{known_service(desk, service)}/operations/dead-letters/skip", order)
    if done.done:
        return Response(headers={"hx-redirect": HERE, "cache-control": "no-store"})
    said = "; ".join(error["detail"] for error in errors_of(done))
    page = render(request, "refusal.html", problem={**(done.problem or {}), **({"detail": said} if said else {})})
    page.status_code = done.status
    return page


def known_service(desk: Desk, service: str) -> str:
    """A service that is there. Raises: NotFound."""
    if service not in desk.services.transports:
        raise NotFound
    return service


async def _waiting(desk: Desk) -> dict[str, Any]:
    """What waits for operators: dead letters grouped, conflicts, deadlines put aside."""
    names = sorted(desk.services.transports)
    kinds = (
        f"dead-letters?limit={SHOWN}",
        f"conflicts?limit={SHOWN}",
        "deadlines/counts",
        "deadlines?which=failed&limit=50",
    )
    parts = await desk.all(*(f"/v1/{name}/operations/{kind}" for name in names for kind in kinds))
    groups: dict[tuple[str, str, str, str], Group] = {}
    conflicts, counts, failed = [], [], []
    for place, name in enumerate(names):
        letters, conflicting, counted, aside = parts[4 * place : 4 * place + 4]
        for row in rows_of(letters):
            error = cause_of(row["error"])
            key = (name, row["type"] or "", row["reason"], error)
            groups.setdefault(key, Group(*key, [])).letters.append(row)
        for row in rows_of(conflicting):
            row["service"] = name
            row["differs"] = differing(row["known"], row["offered"])
            row["buttons"] = [
                button(act, title, of_service(name, act), {"conflict": str(row["id"])}, HERE)
                for act, title in (("accept_offered", "accept_offered"), ("keep_known", "keep_known"))
            ]
            conflicts.append(row)
        if counted.found:
            counts.append({"service": name} | counted.data)
        for row in rows_of(aside):
            row["service"] = name
            row["buttons"] = [
                button("fire", "fire", of_service(name, "fire"), {"f.generation": str(row["generation"])}, HERE)
            ]
            failed.append(row)
    return {
        "groups": list(groups.values()),
        "conflicts": conflicts,
        "deadlines": counts,
        "failed": failed,
        "key": str(uuid7()),
    }


def cause_of(error: str) -> str:
    """What errors of one cause have in common: the line without what differs from record to record."""
    return re.sub(r"\b[0-9a-f-]{8,}\b|\d+", "…", error.partition("\n")[0])[:160]


def differing(known: Any, offered: Any) -> list[tuple[str, str, str]]:
    """Each member that is not the same, as known and as offered."""
    if not isinstance(known, dict) or not isinstance(offered, dict):
        return [("", _line(known), _line(offered))]
    names = [*known, *(name for name in offered if name not in known)]
    return [(n, _line(known.get(n)), _line(offered.get(n))) for n in names if known.get(n) != offered.get(n)]


def _line(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
