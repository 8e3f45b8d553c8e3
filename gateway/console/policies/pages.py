"""Policy tables: what is in force, a draft as a form, its shadow run as a picture, the difference, the second person."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from contracts.fields import Code, Count, text_of
from gateway.console.areas import PEOPLE
from gateway.console.doing import button, errors_of, gone_on
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, rows_of, visitors
from gateway.console.policies.editing import leaves, with_typed
from gateway.console.render import render
from gateway.console.tables import of_service
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, visitors("console.policies:read", *PEOPLE)]
Trier = Annotated[Actor, visitors("console.policies:try", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]
KEPT = Path(__file__).parent / "tables.json"
TABLES: dict[str, list[str]] = msgspec.json.decode(KEPT.read_bytes())
"""The names of every service's policy tables, made from the code."""
PROPOSE = (Role.BRANCH_MANAGER, Role.HQ)
DECIDE = {"draft": ("publish", "reject_version"), "published": ("withdraw_version",)}
Branch = Annotated[str, text_of(64)]


@routes.get("/policies")
async def show_tables(request: Request, _: Reader, desk: AtDesk) -> Response:
    """Every table of every service, and the drafts that wait for a second person."""
    names = [name for name in TABLES if name in desk.services.transports]
    parts = await desk.all(*(f"/v1/{name}/policies" for name in names))
    drafts = [
        row | {"service": name}
        for name, part in zip(names, parts, strict=True)
        for row in rows_of(part)
        if row["state"] == "draft"
    ]
    missing = [name for name, part in zip(names, parts, strict=True) if not part.found]
    return render(
        request, "policies/tables.html", tables={name: TABLES[name] for name in names}, drafts=drafts, missing=missing
    )


@routes.get("/policies/{service}/{table}")
async def show_table(
    request: Request, visitor: Reader, desk: AtDesk, service: Code, table: Code, branch: Branch = ""
) -> Response:
    """A table as it is in force, its versions, and the form of a draft."""
    place = _place(service, table)
    in_force, versions = await desk.all(
        f"{place}/in-force?{urlencode({'branch': branch})}" if branch else f"{place}/in-force", place
    )
    if not in_force.found:
        return _not_there(request, in_force)
    return render(
        request, "policies/table.html", service=service, table=table, branch=branch, in_force=in_force.data,
        versions=rows_of(versions)[::-1], may_propose=visitor.role in PROPOSE, body=in_force.data["body"],
        leaves=list(leaves(in_force.data["body"])), typed={}, key=str(uuid7()), problem={}, tried=None, wrong=[],
    )  # fmt: skip


@routes.post("/policies/{service}/{table}")
async def try_or_propose(request: Request, _: Trier, desk: AtDesk, service: Code, table: Code) -> Response:
    """Try the draft in shadow, or propose it; the form again with what became of it."""
    place, typed = _place(service, table), typed_in(await request.form())
    branch = typed.get("branch", "").strip()
    in_force = await desk.get(f"{place}/in-force", {"branch": branch})
    if not in_force.found:
        return _not_there(request, in_force)
    body = _typed_body(in_force.data["body"], typed)
    scope = {"branch": branch} if branch else {}
    tried: Part | None = None
    if typed.get("_what") == "try":
        tried = done = await desk.send("POST", f"{place}/shadow", {"body": body} | scope)
    else:
        draft = {"body": body, "effective_on": typed.get("effective_on", ""), "reason": typed.get("reason", "")} | scope
        done = await desk.send("POST", place, draft, key=typed.get("_key", ""))
        if done.done:
            version = urlencode({"branch": branch}) if branch else ""
            return gone_on(
                f"/policies/{service}/{table}/{done.data['version']}" + (f"?{version}" if version else ""), done
            )
    page = render(
        request, "policies/draft.html", service=service, table=table, branch=branch, in_force=in_force.data, body=body,
        leaves=list(leaves(body)), may_propose=desk.visitor.role in PROPOSE, typed=typed, key=typed.get("_key") or str(uuid7()),
        problem=done.problem or {} if not done.done else {}, tried=tried.data if tried is not None and tried.done else None,
        wrong=errors_of(done) if not done.done else [],
    )  # fmt: skip
    page.status_code = 200 if done.done else done.status
    return page


@routes.get("/policies/{service}/{table}/{version}")
async def show_version(
    request: Request, _: Reader, desk: AtDesk, service: Code, table: Code, version: Count, branch: Branch = ""
) -> Response:
    """One version: what it changes, and what a second person can do with it."""
    place, scope = _place(service, table), {"branch": branch} if branch else {}
    query = f"?{urlencode(scope)}" if scope else ""
    versions, difference = await desk.all(place, f"{place}/{version}/difference{query}")
    found = next(
        (row for row in rows_of(versions) if row["number"] == version and (row["branch"] or "") == branch), None
    )
    if found is None:
        return _not_there(
            request,
            versions if not versions.found else Part(404, problem={"title": NotFound.title.in_language(desk.language)}),
        )
    names = {"name": table, "version": str(version)} | scope
    here = f"/policies/{service}/{table}/{version}{query}"
    offered = [button(act, act, of_service(service, act), names, here) for act in DECIDE.get(found["state"], ())]
    decides = desk.visitor.role in (Role.HQ, Role.COMPLIANCE)
    return render(
        request, "policies/version.html", service=service, table=table, found=found, buttons=offered if decides else [],
        changes=difference.data["changes"] if difference.found else [], against=difference.data["against"] if difference.found else "",
    )  # fmt: skip


def _typed_body(body: Mapping[str, Any], typed: Mapping[str, str]) -> Any:
    """The body as typed field by field, or as a whole where somebody wrote it so."""
    whole = typed.get("whole", "").strip()
    if not whole:
        return with_typed(body, typed)
    try:
        return json.loads(whole)
    except ValueError:
        return whole  # the service says what it should be


def _place(service: str, table: str) -> str:
    if table not in TABLES.get(service, ()):
        raise NotFound
    return f"/v1/{service}/policies/{quote(table, safe='')}"


def _not_there(request: Request, part: Part) -> Response:
    page = render(request, "problem_here.html", part=part, back="/policies")
    page.status_code = part.status
    return page
