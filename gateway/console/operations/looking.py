"""What operators look at: the messages of the log, everything about one id, how far behind each service is and was, deadlines,
settings with the services' own checks. Personal values are marks; compliance may open one message, with a reason."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from chassis.actor import Actor, Role
from chassis.clock import at as clock_at
from contracts.fields import BusinessDate, Code, Number, text_of
from gateway.console.doing import button, errors_of
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Desk, rows_of, visitors
from gateway.console.operations.pages import Operator, known_service
from gateway.console.render import render
from gateway.console.tables import of_service
from gateway.overview import overview, trend_of

routes = APIRouter(include_in_schema=False)
Seer = Annotated[Actor, visitors("console.messages:read", Role.OPERATIONS, Role.COMPLIANCE)]
Unmasker = Annotated[Actor, visitors("console.messages:unmask", Role.COMPLIANCE)]
Filter = Annotated[str, text_of(64)]
SHOWN = 100
BACK = timedelta(days=31)
"""So far back everything about an id is looked for."""


@routes.get("/operations/messages")
async def show_messages(
    request: Request, visitor: Seer, desk: AtDesk, service: Filter = "", type: Filter = "", key: Filter = "", id: Filter = "",
    since: BusinessDate | None = None, until: BusinessDate | None = None, cursor: Annotated[str, text_of(2000)] = "",
) -> Response:  # fmt: skip
    """Messages of one service page by page, or the newest of all; by type, key and id."""
    wanted = {"type": type.strip(), "key": key.strip(), "id": id.strip()}
    span = {
        "since": clock_at(since, 0).isoformat() if since else "",
        "until": clock_at(until + timedelta(days=1), 0).isoformat() if until else "",
    }
    names = [known_service(desk, service)] if service else sorted(desk.services.transports)
    query: dict[str, Any] = wanted | span | {"limit": SHOWN, "cursor": cursor if service else ""}
    parts = await asyncio.gather(*(desk.get(f"/v1/{name}/operations/messages", query) for name in names))
    rows = [row | {"service": name} for name, part in zip(names, parts, strict=True) for row in rows_of(part)]
    rows.sort(key=lambda row: str(row["written_at"]), reverse=True)
    following = parts[0].data["next"] if service and parts[0].found else None
    typed = {"service": service} | wanted | {"since": since or "", "until": until or ""}
    return render(
        request, "operations/messages.html", rows=rows[:SHOWN], wanted=typed, services=sorted(desk.services.transports),
        missing=any(part.status >= 500 for part in parts), unmasks=visitor.role is Role.COMPLIANCE,
        refused=next((part for part in parts if part.status in (400, 403, 422)), None),
        following=urlencode({n: v for n, v in typed.items() if v} | {"cursor": following}) if following else "",
    )  # fmt: skip


@routes.post("/operations/{service}/messages/unmask")
async def unmask(request: Request, _: Unmasker, desk: AtDesk, service: Code) -> Response:
    """What one message says of a person, in clear, for the reason given."""
    typed = typed_in(await request.form())
    topic, partition, offset = (quote(typed.get(name, ""), safe="") for name in ("topic", "partition", "offset"))
    path = f"/v1/{known_service(desk, service)}/operations/messages/{topic}/{partition}/{offset}/unmask"
    opened = await desk.send("POST", path, {"reason": typed.get("reason", "")})
    page = render(request, "operations/unmasked.html", part=opened, wrong=errors_of(opened))
    page.status_code = opened.status if opened.status < 500 else 502
    return page


class Line(NamedTuple):
    """Something about an id: when, in which service, what it is, what was done or said, more of it, by whom."""

    at: datetime
    service: str
    kind: str
    what: str
    more: str
    who: str


@routes.get("/operations/trace")
async def show_trace(
    request: Request, visitor: Seer, desk: AtDesk, about: Annotated[str, text_of(128)] = ""
) -> Response:
    """Everything a request, an event or a client left, over all services: REST, events, writes, what was put aside."""
    about = about.strip()
    lines, missing = await _lines(desk, about, audit=visitor.role is Role.COMPLIANCE) if about else ([], False)
    return render(
        request, "operations/trace.html", about=about, lines=lines[:500], more=len(lines) > 500, missing=missing,
        audits=visitor.role is Role.COMPLIANCE,
    )  # fmt: skip


async def _lines(desk: Desk, about: str, *, audit: bool) -> tuple[list[Line], bool]:
    since = (await desk.now() - BACK).isoformat()
    names = sorted(desk.services.transports)
    asked = [
        (name, kind, f"/v1/{name}/operations/{path}", query)
        for name in names
        for kind, path, query in (
            *(("message", "messages", {by: about, "since": since, "limit": 200}) for by in ("key", "id", "trace")),
            *((("audit", "audit", {by: about, "limit": 200}) for by in ("client", "person")) if audit else ()),
            ("dead letter", "dead-letters", {"state": "all", "limit": 200}),
            ("conflict", "conflicts", {"undecided": "false", "limit": 200}),
        )
    ]
    parts = await asyncio.gather(*(desk.get(path, query, purpose="review") for *_, path, query in asked))
    found: dict[tuple[str, str, str], Line] = {}
    for (name, kind, _, _), part in zip(asked, parts, strict=True):
        for row in rows_of(part):
            if (line := _line(name, kind, row, about)) is not None:
                found[name, kind, _identity(kind, row)] = line
    lines = sorted(found.values(), key=lambda one: (one.at, one.service, one.kind))
    return lines, any(part.status >= 500 for part in parts)


def _identity(kind: str, row: dict[str, Any]) -> str:
    if kind == "message":
        return f"{row['topic']} {row['partition']}/{row['offset']}"
    return f"{row['at']} {row['actor']} {row['action']} {row['object']}" if kind == "audit" else str(row["id"])


def _line(service: str, kind: str, row: dict[str, Any], about: str) -> Line | None:
    if kind == "message":
        return Line(_at(row["written_at"]), service, kind, row["type"], f"{row['key']} · {row['id']}", row["source"])
    if kind == "audit":
        kind = "read" if row["action"] == "read" else "write"
        return Line(
            _at(row["at"]), service, kind, row["action"], row["path"] or row["object"], row["person"] or row["actor"]
        )
    if kind == "dead letter":
        if about not in (row["key"], row["event_id"]):
            return None
        return Line(
            _at(row["at"]),
            service,
            kind,
            row["type"] or "",
            row["error"],
            row["redriven_by"] or row["skipped_by"] or "",
        )
    if about not in (row["client_id"], row["identity"]):
        return None
    return Line(_at(row["at"]), service, kind, row["type"], row["identity"], row["decided_by"] or "")


def _at(said: str) -> datetime:
    return datetime.fromisoformat(said)


@routes.get("/operations/lag")
async def show_lag(request: Request, _: Operator, desk: AtDesk) -> Response:
    """Topics with who reads them, how far each reader is behind in records and seconds, and how that went."""
    names = sorted(desk.services.transports)
    parts = await desk.all(*(f"/v1/{name}/operations/lag" for name in names))
    rows = [
        topic | {"service": name, "closed_through": part.data["closed_through"]}
        for name, part in zip(names, parts, strict=True)
        if part.found
        for topic in part.data["topics"]
    ]
    rows.sort(key=lambda row: (row["topic"], row["service"]))
    unshipped = {name: part.data["unshipped"] for name, part in zip(names, parts, strict=True) if part.found}
    return render(
        request, "operations/lag.html", rows=rows, unshipped=unshipped, missing=[n for n, p in zip(names, parts, strict=True) if not p.found]
    )  # fmt: skip


@routes.get("/operations/lag.json")
async def lag_trend(_: Operator, desk: AtDesk) -> Response:
    """The lag of each service as the gateway saw it: instants, records, seconds."""
    await overview(desk.services)
    return JSONResponse(trend_of(desk.services).told(), headers={"cache-control": "no-store"})


@routes.get("/operations/deadlines")
async def show_deadlines(
    request: Request, _: Operator, desk: AtDesk, service: Filter = "",
    which: Annotated[Literal["all", "due", "soon", "failed"], Query()] = "due", cursor: Annotated[str, text_of(2000)] = "",
) -> Response:  # fmt: skip
    """Deadlines that are due and not done, those of the next hour, those put aside; of one service or all."""
    names = [known_service(desk, service)] if service else sorted(desk.services.transports)
    query = {"which": which, "limit": SHOWN, "cursor": cursor if service else ""}
    parts = await asyncio.gather(*(desk.get(f"/v1/{name}/operations/deadlines", query) for name in names))
    here = f"/operations/deadlines?{urlencode({'service': service, 'which': which})}"
    rows = [row | {"service": name} for name, part in zip(names, parts, strict=True) for row in rows_of(part)]
    rows.sort(key=lambda row: (row["due"], row["service"]))
    for row in rows:
        fires = [
            button("fire", "fire", of_service(row["service"], "fire"), {"f.generation": str(row["generation"])}, here)
        ]
        row["acts"] = fires if which in ("due", "failed") else []
    following = parts[0].data["next"] if service and parts[0].found else None
    return render(
        request, "operations/deadlines.html", rows=rows, service=service, which=which, services=sorted(desk.services.transports),
        missing=any(part.status >= 500 for part in parts),
        following=urlencode({"service": service, "which": which, "cursor": following}) if following else "",
    )  # fmt: skip


@routes.get("/operations/settings")
async def show_settings(request: Request, _: Operator, desk: AtDesk) -> Response:
    """The settings of each service's process without what is secret, and what its own checks say of it."""
    names = sorted(desk.services.transports)
    parts = await desk.all(*(f"/v1/{name}/operations/settings" for name in names))
    found = [part.data for part in parts if part.found]
    alike = {
        name: {one["settings"].get(name, "") for one in found}
        for name in sorted({n for one in found for n in one["settings"]})
    }
    return render(
        request, "operations/settings.html", services=found, alike={n: v.pop() for n, v in alike.items() if len(v) == 1},
        differ={n: [(one["service"], one["settings"].get(n, "")) for one in found] for n, v in alike.items() if len(v) > 1},
        missing=[n for n, p in zip(names, parts, strict=True) if not p.found],
    )  # fmt: skip


@routes.post("/operations/{service}/dead-letters/{letter}/corrected")
async def redrive_corrected(request: Request, _: Operator, desk: AtDesk, service: Code, letter: Number) -> Response:
    """Try a letter with another value, or give it to its handler; the letter keeps what came."""
    typed = typed_in(await request.form())
    dry = typed.get("do") != "redrive"
    order = {"value": typed.get("value", "").replace("\r\n", "\n"), "reason": typed.get("reason", ""), "dry_run": dry}
    path = f"/v1/{known_service(desk, service)}/operations/dead-letters/{letter}/corrected"
    done = await desk.send("POST", path, order)
    page = render(
        request, "operations/corrected.html", service=service, letter=letter, part=done, typed=order, dry=dry,
        result=done.data["results"][0] if done.done else None, wrong=errors_of(done),
    )  # fmt: skip
    page.status_code = done.status if done.status < 500 else 502
    return page
