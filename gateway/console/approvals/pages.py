"""One inbox over all services: what waits for the visitor's decision, and what they asked for, with before and after."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from contracts.fields import text_of
from gateway.console.areas import PEOPLE
from gateway.console.doing import button
from gateway.console.frame import AtDesk, Desk, visitors
from gateway.console.render import render
from gateway.console.tables import of_service
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
Person = Annotated[Any, visitors("console.approvals:read", *PEOPLE)]
Show = Literal["to_decide", "asked"]
ACTS = {
    "to_decide": (("approve", "Approve", "同意"), ("refuse", "Refuse", "不同意")),
    "asked": (("withdraw", "Withdraw", "撤回"),),
}


@routes.get("/approvals")
async def show_approvals(
    request: Request, _: Person, desk: AtDesk, show: Annotated[Show, Query()] = "to_decide",
    cursor: Annotated[str, text_of(2000)] = "",
) -> Response:  # fmt: skip
    """What waits for the visitor, or what they asked for and nobody decided yet."""
    if show == "to_decide":
        waiting = await desk.get("/v1/approvals", {"cursor": cursor, "limit": 50})
        rows = waiting.data["items"] if waiting.found else []
        missing = waiting.data["unavailable"] if waiting.found else ["*"]
        following = waiting.data["next"] if waiting.found else None
    else:
        rows, missing, following = *_joined(await _asked_for(desk)), None
    here = f"/approvals?{urlencode({'show': show})}"
    for row in rows:
        row["buttons"] = [
            button(act, chinese if desk.language == "zh-CN" else english, of_service(row["service"], act),
                   {"approval_id": row["approval_id"]}, here)
            for act, english, chinese in ACTS[show]
        ]  # fmt: skip
        row["changes"] = changes(row["before"], row["after"])
    return render(
        request, "approvals/inbox.html", rows=rows, show=show, missing=missing,
        following=urlencode({"cursor": following}) if following else "",
    )  # fmt: skip


async def _asked_for(desk: Desk) -> dict[str, Part]:
    names = sorted(desk.services.transports)
    parts = await desk.all(*(f"/v1/{name}/approvals?show=asked&state=waiting&limit=50" for name in names))
    return dict(zip(names, parts, strict=True))


def _joined(parts: dict[str, Part]) -> tuple[list[dict[str, Any]], list[str]]:
    rows = [row for part in parts.values() if part.found for row in part.data["items"]]
    missing = sorted(name for name, part in parts.items() if not part.found and part.status != 404)
    return sorted(rows, key=lambda row: str(row["approval_id"])), missing


def changes(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """Each place that differs: its name, what it was, what it becomes."""
    if isinstance(before, dict | None) and isinstance(after, dict | None) and (before or after):
        was, becomes = before or {}, after or {}
        names = [*was, *(name for name in becomes if name not in was)]
        return [(n, was.get(n), becomes.get(n)) for n in names if was.get(n) != becomes.get(n)]
    return [("", before, after)] if before != after else []
