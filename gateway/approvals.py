"""What waits for the caller's decision in all services, as one list."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.http import Page, permits, router
from chassis.http.approvals import ApprovalView
from gateway.service_client import Part, ServiceClient

routes = router("/v1/approvals", "approvals")
_PASSED = ("accept-language", "x-request-id", "traceparent")


class Approvals(BaseModel):
    """One page: `next` is the cursor of the following page; `unavailable` names services that did not answer."""

    items: list[ApprovalView]
    next: str | None = None
    unavailable: list[str]


@routes.get("")
async def list_waiting(
    actor: Annotated[Actor, permits("approvals:read", *Role)], request: Request, page: Page
) -> Approvals:
    """Everything that waits for the caller to decide, over all services, in the order it was asked."""
    services: ServiceClient = request.app.state.services
    parts = await waiting(services, actor, page.limit, page.after, request)
    rows: list[dict[str, Any]] = [row for part in parts.values() if part.found for row in part.data["items"]]
    rows.sort(key=lambda row: row["approval_id"])  # their ids are in the order of time
    if any(part.found and part.data["next"] for part in parts.values()):
        rows.append({})  # there are more behind these
    found = page.result(rows, lambda row: (row["approval_id"],))
    # A service without anything that takes two persons has no such address.
    unavailable = sorted(name for name, part in parts.items() if not part.found and part.status != 404)
    return Approvals.model_validate(found | {"unavailable": unavailable})


async def waiting(
    services: ServiceClient, actor: Actor, limit: int, after: tuple[Any, ...] | None, request: Request
) -> dict[str, Part]:
    """The first `limit` of each service behind an approval's id."""
    query = urlencode({"limit": limit} | ({"after": after[0]} if after else {}))
    passed = [(name.encode(), request.headers[name].encode("latin-1")) for name in _PASSED if name in request.headers]
    names = sorted(services.transports)
    parts = await asyncio.gather(
        *(services.get(name, f"/v1/{name}/approvals", actor, query=query, passed=passed) for name in names)
    )
    return dict(zip(names, parts, strict=True))
