"""The client's own zone: tier and why, points, risk level, purchases, complaints. It sees what the client may read by REST."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from chassis.actor import Actor, Role
from contracts.fields import text_of
from gateway.console.doing import button, buttons, errors_of
from gateway.console.frame import AtDesk, rows_of, visitors
from gateway.console.render import render
from gateway.console.tables import MANAGER_CHANGES, OF_A_CLIENT

routes = APIRouter(include_in_schema=False)
Own = Annotated[Actor, visitors("console.zone:read", Role.CLIENT)]


@routes.get("/me")
async def show_zone(request: Request, visitor: Own, desk: AtDesk) -> Response:
    """Everything a client may know of themselves, phone first."""
    client = visitor.client_id or ""
    name = quote(client, safe="")
    known, why, points, rewards, level, cases, team, wishes = await desk.all(
        f"/v1/classification/clients/{name}", f"/v1/classification/clients/{name}/explain", f"/v1/points/clients/{name}",
        "/v1/points/rewards", f"/v1/suitability/clients/{name}", f"/v1/complaints/clients/{name}",
        f"/v1/relationships/clients/{name}/team", "/v1/relationships/manager-changes",
    )  # fmt: skip
    rows = rows_of(wishes)
    for row in rows:
        row["can"], _ = buttons(
            desk, row["acts"], MANAGER_CHANGES, {"request_id": row["request_id"]}, "/me", f'"{row["revision"]}"'
        )
    place = {"client_id": client}
    return render(
        request, "clients/zone.html", client=client, known=known, why=why.data if why.found else {}, account=points,
        rewards=rows_of(rewards), level=level, cases=cases.data["cases"] if cases.found else [],
        redeem=button("redeem", "redeem", OF_A_CLIENT["redeem"], place, "/me"),
        apply=button("apply_for_tier", "apply_for_tier", OF_A_CLIENT["apply_for_tier"], place, "/me"),
        complain=button("complain", "complain", OF_A_CLIENT["complain"], place, "/me"), team=team, wishes=rows,
        ask_for_manager=button("ask_for_manager", "ask_for_manager", OF_A_CLIENT["ask_for_manager"], place, "/me"),
    )  # fmt: skip


@routes.get("/me/cheapest")
async def show_cheapest(
    request: Request, visitor: Own, desk: AtDesk,
    service: Annotated[list[Annotated[str, text_of(64)]] | None, Query()] = None,
    turnover: Annotated[str, text_of(32)] = "",
) -> Response:  # fmt: skip
    """Which products give what the client wants for the least, with every set they were compared with: the proof."""
    name = quote(visitor.client_id or "", safe="")
    known = await desk.get(f"/v1/products/clients/{name}/entitlements")
    offered = [
        row for row in (known.data["missing"] if known.found else ())
        if any(way.startswith("PRODUCT:") for way in row["given_by"])
    ]  # fmt: skip
    wanted = service or []
    found = None
    if wanted:
        body = {"services": wanted, "turnover": turnover.strip() or "0"}
        found = await desk.send("POST", f"/v1/products/clients/{name}/cheapest", body)
    page = render(
        request, "clients/cheapest.html", offered=offered, known=known, wanted=wanted, turnover=turnover, found=found,
        wrong=errors_of(found) if found is not None and not found.found else [],
    )  # fmt: skip
    page.status_code = found.status if found is not None else 200
    return page
