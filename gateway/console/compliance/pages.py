"""Compliance and supervision on one page: findings, reviews, accountability, escalations, as far as the visitor may see them."""

from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Role
from gateway.console.doing import Button, button
from gateway.console.frame import AtDesk, rows_of, visitors
from gateway.console.render import render
from gateway.console.tables import REVIEWS

routes = APIRouter(include_in_schema=False)
WATCHING = (Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
Watcher = visitors("console.compliance:read", *WATCHING)
HERE = "/compliance"


class Section(NamedTuple):
    """A list of something to look at: where it is read, what of it is shown, the act on each and what that names."""

    title: str
    path: str
    columns: tuple[str, ...]
    act: str = ""
    names: str = ""


SECTIONS = (
    Section("Findings of callbacks", "/v1/callbacks/findings", ("raised_at", "client_id", "kind", "concerned", "raised_by", "notes")),
    Section("Findings of suitability", "/v1/suitability/findings?limit=200", ("found_on", "pattern", "subject", "client_id", "state", "note")),
    Section("Calls to review", "/v1/callbacks/reviews", ("at", "client_id", "agent", "topic", "outcome", "risk", "phrases"), "review_call", "attempt_id"),
    Section("Assessments to review", "/v1/suitability/reviews?limit=100", ("opened_at", "client_id", "reasons", "state"), "judge", "review_id"),
    Section("Accountability", "/v1/complaints/accountability?limit=100", ("due_on", "case_id", "against", "cause", "plan_owner", "overdue")),
    Section("Escalations", "/v1/complaints/escalations?limit=100", ("at", "case_id", "clock", "step", "to")),
)  # fmt: skip


@routes.get("/compliance", dependencies=[Watcher])
async def show_compliance(request: Request, desk: AtDesk) -> Response:
    """Every list the visitor may see; one that is not theirs is left out, one that did not come says so."""
    parts = await desk.all(*(section.path for section in SECTIONS), purpose="review")
    shown: list[tuple[Section, list[tuple[Any, Button | None]]]] = []
    missing = []
    for section, part in zip(SECTIONS, parts, strict=True):
        if part.found:
            shown.append((section, [(row, _button(section, row)) for row in rows_of(part)]))
        elif part.status >= 500:
            missing.append(section.title)
    return render(request, "compliance/watch.html", shown=shown, missing=missing, links=links_of)


def _button(section: Section, row: Any) -> Button | None:
    if not section.act or row.get("state") in ("confirmed", "rejected", "superseded"):
        return None
    return button(section.act, section.act, REVIEWS[section.act], {section.names: str(row[section.names])}, HERE)


def links_of(name: str, value: Any) -> str:
    """Where a value leads."""
    if name == "case_id" and value:
        return f"/complaints/{value}"
    if name == "client_id" and value:
        return f"/clients/{quote(str(value), safe='')}?purpose=review"
    return ""
