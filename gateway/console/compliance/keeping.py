"""Holds and erasures: what erasing a client would remove and keep, and what keeps them, before anybody decides; legal holds of
clients and cases; where an erasure under way stands. And proofs: coverage with its draws, bundles and packs with how to verify."""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from contracts.fields import BusinessDate, Id, text_of
from gateway.console.doing import Button, button, errors_of
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Desk, rows_of, visitors
from gateway.console.render import render
from gateway.console.tables import HOLDS
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
Keeper = Annotated[Actor, visitors("console.erasures:read", Role.COMPLIANCE, Role.HQ)]
Prover = Annotated[Actor, visitors("console.coverage:read", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]
Verifier = Annotated[Actor, visitors("console.proofs:read", Role.COMPLIANCE, Role.HQ)]
CASES_SHOWN = 20
ACCESS = "gateway"
Client = Annotated[str, text_of(64)]


@routes.get("/compliance/erasures")
async def show_erasures(request: Request, visitor: Keeper, desk: AtDesk, client: Client = "") -> Response:
    """Of one client: each service's word on an erasure, holds, cases with their retention, erasures so far."""
    client = client.strip()
    if not client:
        return render(
            request, "compliance/erasures.html", client="", services=[], erasures=[], holds=[], cases=[], acts=[]
        )
    name = quote(client, safe="")
    names = [one for one in sorted(desk.services.transports) if one != ACCESS]
    asked, holds, listed, *foreseen = await desk.all(
        f"/v1/clients/{name}/erasures", f"/v1/suitability/clients/{name}/holds", f"/v1/complaints/clients/{name}",
        *(f"/v1/{one}/operations/erasures/{name}" for one in names), purpose="review",
    )  # fmt: skip
    here = f"/compliance/erasures?{urlencode({'client': client})}"
    place = {"client_id": client}
    cases = listed.data["cases"][:CASES_SHOWN] if listed.found else []
    kept = (
        await desk.all(*(f"/v1/complaints/cases/{row['case_id']}/retention" for row in cases), purpose="review")
        if cases
        else []
    )
    acts = ["erase_client", *(["hold_client"] if visitor.role is Role.COMPLIANCE else [])]
    rows = rows_of(holds)
    for row in rows:
        row["acts"] = (
            _buttons(here, {"hold_id": row["hold_id"]}, "release_client_hold") if not row["released_at"] else []
        )
    return render(
        request, "compliance/erasures.html", client=client, services=list(zip(names, foreseen, strict=True)),
        erasures=rows_of(asked), holds=rows, cases=[_case(visitor, row, part, here) for row, part in zip(cases, kept, strict=True)],
        acts=_buttons(here, place, *acts),
    )  # fmt: skip


def _buttons(here: str, place: dict[str, str], *acts: str) -> list[Button]:
    return [button(act, act, HOLDS[act], place, here) for act in acts]


def _case(visitor: Actor, row: dict[str, Any], kept: Part, here: str) -> dict[str, Any]:
    """A case with how long it is kept, its holds, and what can be asked for."""
    place = {"case_id": row["case_id"]}
    found = kept.data if kept.found else None
    holds = found["holds"] if found else []
    officer = visitor.role is Role.COMPLIANCE
    for hold in holds:
        waits = bool(hold["release_asked_by"])
        hold["acts"] = (
            _buttons(here, place | {"hold_id": hold["hold_id"]}, "release_case_hold") if officer and not waits else []
        )
    acts = ["hold_case"] if officer else []
    acts += ["erase_case"] if found and found["erasable"] else []
    return {"case": row, "kept": found, "holds": holds, "acts": _buttons(here, place, *acts)}


@routes.get("/compliance/coverage")
async def show_coverage(request: Request, _: Prover, desk: AtDesk, as_of: BusinessDate | None = None) -> Response:
    """The 10 % rule at a day by branch with the ledger behind each figure; new clients in their month; drawing what is missing."""
    return await _coverage(request, desk, as_of)


async def _coverage(
    request: Request, desk: Desk, as_of: Any = None, typed: dict[str, str] | None = None, drawn: Part | None = None
) -> Response:
    day = as_of or await desk.today()
    span = urlencode({"opened_from": day.replace(month=1, day=1), "opened_to": day})
    rows, new = await desk.all(
        f"/v1/callbacks/coverage?as_of={day}", f"/v1/callbacks/coverage/new-clients?{span}", purpose="review"
    )
    page = render(
        request, "compliance/coverage.html", as_of=day, rows=rows_of(rows), new=rows_of(new), missing=not rows.found,
        draws=desk.visitor.role in (Role.HQ, Role.COMPLIANCE), key=str(uuid7()), typed=typed or {},
        drawn=drawn.data if drawn is not None and drawn.done else None,
        problem=(drawn.problem or {}) if drawn is not None and not drawn.done else {},
        wrong=errors_of(drawn) if drawn is not None else [],
    )  # fmt: skip
    page.status_code = drawn.status if drawn is not None and not drawn.done and drawn.status < 500 else 200
    return page


@routes.post("/compliance/coverage")
async def draw(request: Request, _: Prover, desk: AtDesk) -> Response:
    """Draw what is missing of the year's share, with a seed of one's own or one made; the seed and who was drawn are kept."""
    typed = typed_in(await request.form())
    body = {"as_of": typed.get("as_of", "")} | (
        {"seed": typed["seed"].strip()} if typed.get("seed", "").strip() else {}
    )
    made = await desk.send("POST", "/v1/callbacks/coverage/draws", body, key=typed.get("_key") or str(uuid7()))
    return await _coverage(request, desk, None, typed, made)


@routes.get("/compliance/coverage/draws/{draw_id}")
async def repeat_draw(request: Request, _: Prover, desk: AtDesk, draw_id: Id) -> Response:
    """Draw again from the recorded seed: whether the same clients come out."""
    again = await desk.get(f"/v1/callbacks/coverage/draws/{draw_id}/repeat", purpose="review")
    if not again.found:
        page = render(request, "problem_here.html", part=again, back="/compliance/coverage")
        page.status_code = again.status
        return page
    return render(request, "compliance/draw.html", again=again.data)


@routes.get("/compliance/proofs")
async def show_proofs(request: Request, _: Verifier, desk: AtDesk, client: Client = "") -> Response:
    """Signed bundles of a client's decisions, sealed monthly packs, the keys they are checked with."""
    client = client.strip()
    paths = ["/v1/complaints/packs?limit=24"]
    paths += [f"/v1/suitability/clients/{quote(client, safe='')}/decisions?limit=50"] if client else []
    packs, *decisions = await desk.all(*paths, purpose="review")
    return render(
        request, "compliance/proofs.html", client=client, packs=rows_of(packs), packs_there=packs.found,
        decisions=rows_of(decisions[0]) if decisions else [],
    )  # fmt: skip
