"""The risk questionnaire at the counter and in the client's own zone: put off and gone on with, the level shown with what it
means, handed in with its signature or recording. And what suitability knows of the client."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from contracts.fields import Identifier
from gateway.console.areas import SERVING
from gateway.console.clients.head import Purpose, Serving, address, no_client, place_of
from gateway.console.clients.purchase import COUNTER, OWN
from gateway.console.clients.tabs import begun, first_refusal
from gateway.console.doing import errors_of, gone_on
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Desk, rows_of, visitors
from gateway.console.render import render
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
Answering = Annotated[Actor, visitors("console.questionnaires:answer", Role.CLIENT, *SERVING)]
BASE = "/v1/suitability/clients"
PUT_AS = "q."


@routes.get("/clients/{client}/suitability")
async def show_suitability(
    request: Request, visitor: Serving, desk: AtDesk, client: Identifier, purpose: Purpose = "service"
) -> Response:
    """The level in force with why, its history, what was handed in, purchases asked for with their evidence."""
    base = f"{BASE}/{quote(client, safe='')}"
    level, levels, why, sheets, decisions, professional, vulnerable, changes = await desk.all(
        base, f"{base}/levels", f"{base}/explain", f"{base}/submissions", f"{base}/decisions", f"{base}/professional",
        f"{base}/vulnerability", f"{base}/life-changes", purpose=purpose,
    )  # fmt: skip
    if refused := first_refusal((level, levels)):
        return no_client(request, refused)
    here = address(client, "suitability", purpose=purpose)
    return render(
        request, "clients/suitability.html", level=level, levels=levels.data["levels"] if levels.found else [],
        why=why.data if why.found else {}, sheets=rows_of(sheets), decisions=rows_of(decisions), professional=professional,
        vulnerable=rows_of(vulnerable), changes=rows_of(changes), acts=begun(visitor, client, here, "life_change", "vulnerable", "vulnerable_no_more"),
        **place_of(client, purpose, "suitability"),
    )  # fmt: skip


@routes.get("/clients/{client}/questionnaire")
async def show_questionnaire(request: Request, _: Answering, desk: AtDesk, client: Identifier) -> Response:
    """The questions with what is answered so far."""
    return await _sheet(request, desk, client, {})


@routes.post("/clients/{client}/questionnaire")
async def go_on(request: Request, visitor: Answering, desk: AtDesk, client: Identifier) -> Response:
    """Save to go on later, show the level the answers lead to, or hand them in."""
    typed = typed_in(await request.form())
    base = f"{BASE}/{quote(client, safe='')}"
    sheet: dict[str, Any] = {
        "template": typed.get("template", ""), "version": _number(typed.get("version", "")), "answers": answers_in(typed),
    }  # fmt: skip
    match typed.get("do"):
        case "save":
            done = await desk.send("PUT", f"{base}/draft", sheet, match=typed.get("_match", ""))
        case "submit":
            proofs = {name: typed[name].strip() for name in ("signature", "recording") if typed.get(name, "").strip()}
            body = sheet | proofs | {"channel": typed.get("channel", "")}
            done = await desk.send("POST", f"{base}/submissions", body, key=typed.get("_key") or str(uuid7()))
        case _:
            shown = await desk.send("POST", f"{base}/level-shown", sheet)
            return await _sheet(
                request, desk, client, typed, shown if shown.done else None, None if shown.done else shown
            )
    if done.done:
        own = visitor.role is Role.CLIENT
        saved = typed.get("do") == "save"
        following = address(client, "questionnaire") if saved else "/me" if own else address(client, "suitability")
        return gone_on(following, done)
    return await _sheet(request, desk, client, typed, None, done)


def answers_in(typed: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each question that was answered, with what was chosen."""
    return [
        {"question": name.removeprefix(PUT_AS), "options": chosen.split("\n")}
        for name, chosen in typed.items()
        if name.startswith(PUT_AS) and chosen
    ]


def _number(said: str) -> int:
    return int(said) if said.isascii() and said.isdecimal() else 0


async def _sheet(
    request: Request, desk: Desk, client: str, typed: Mapping[str, str], shown: Part | None = None, refused: Part | None = None
) -> Response:  # fmt: skip
    put = await desk.get(f"{BASE}/{quote(client, safe='')}/questionnaire", purpose="service")
    own = desk.visitor.role is Role.CLIENT
    if not put.found:
        page = render(request, "problem_here.html", part=put, back="/me" if own else address(client))
        page.status_code = put.status
        return page
    chosen = {one["question"]: one["options"] for one in (answers_in(typed) if typed else put.data["answers"])}
    revision = put.data["draft_revision"]
    page = render(
        request, "clients/sheet.html" if typed else "clients/questionnaire.html", client=client, put=put.data, chosen=chosen,
        typed=typed, shown=shown.data if shown is not None else None, own=own, channels=OWN if own else COUNTER,
        key=typed.get("_key") or str(uuid7()), match=f'"{revision}"' if revision is not None else "",
        problem=(refused.problem or {}) if refused is not None else {}, wrong=errors_of(refused) if refused is not None else [],
    )  # fmt: skip
    page.status_code = refused.status if refused is not None else 200
    return page
