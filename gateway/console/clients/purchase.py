"""May this client buy this product: the question, the answer with its reasons, the warning and its confirmation."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Actor, Role
from contracts.fields import Code, Identifier
from gateway.console.areas import SERVING
from gateway.console.clients.tabs import DESK
from gateway.console.doing import Button, button, errors_of, gone_on
from gateway.console.export import all_rows
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Desk, rows_of, visitors
from gateway.console.render import render
from gateway.console.tables import OF_A_CLIENT
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
Asker = Annotated[Actor, visitors("console.purchases:ask", Role.CLIENT, *SERVING)]
Own = Annotated[Actor, visitors("console.purchases:open", Role.CLIENT)]
COUNTER = ("counter", "phone")
OWN = ("mobile", "web", "terminal")
BASE = "/v1/suitability"


@routes.get("/clients/{client}/purchase")
async def show_question(request: Request, _: Asker, desk: AtDesk, client: Identifier) -> Response:
    """Which product, who begins, through which channel; and the client's last answers."""
    return await _question(request, desk, client, {})


@routes.post("/clients/{client}/purchase")
async def ask(request: Request, visitor: Asker, desk: AtDesk, client: Identifier) -> Response:
    """Ask, and on to the answer; the form again with what is wrong."""
    typed = typed_in(await request.form())
    names = ("product", "side", "channel") + (() if visitor.role is Role.CLIENT else ("initiator",))
    body = {"client": client} | {name: typed[name] for name in names if typed.get(name)}
    made = await desk.send("POST", f"{BASE}/decisions", body)
    if made.done:
        place = f"/clients/{quote(client, safe='')}/purchase/{quote(made.data['decision_id'], safe='')}"
        return Response(headers={"hx-redirect": place, "cache-control": "no-store"})
    return await _question(request, desk, client, typed, made)


@routes.get("/clients/{client}/purchase/{decision}")
async def show_answer(request: Request, _: Asker, desk: AtDesk, client: Identifier, decision: Identifier) -> Response:
    """The answer with its reasons; where a warning is to be confirmed, the warning."""
    return await _answer(request, desk, client, decision, {})


@routes.post("/clients/{client}/purchase/{decision}")
async def confirm(request: Request, _: Asker, desk: AtDesk, client: Identifier, decision: Identifier) -> Response:
    """Confirm the warning that was shown; what staff enter another person checks."""
    typed = typed_in(await request.form())
    body: dict[str, Any] = {
        "warning_version": typed.get("warning_version", ""),
        "language": desk.language,
        "answers": [
            {"question": name.removeprefix("a."), "answer": value}
            for name, value in typed.items()
            if name.startswith("a.") and value
        ],
    }
    body |= {name: typed[name].strip() for name in ("signature", "recording", "link") if typed.get(name, "").strip()}
    done = await desk.send("POST", f"{BASE}/decisions/{quote(decision, safe='')}/confirmation", body)
    if done.done:
        return gone_on(request.url.path, done)
    return await _answer(request, desk, client, decision, typed, done)


@routes.get("/me/confirmations/{link}")
async def open_link(request: Request, _: Own, desk: AtDesk, link: Code) -> Response:
    """The warning that a link of a message leads to, in the client's own zone: what they sign in for as themselves."""
    made = await desk.get(f"{BASE}/confirmation-links/{quote(link, safe='')}")
    if not made.found:
        page = render(request, "problem_here.html", part=made, back="/me")
        page.status_code = made.status
        return page
    client, decision = made.data["client"], quote(made.data["decision_id"], safe="")
    return render(
        request, "clients/answer.html", client=client, decision=made.data, typed={"link": link}, own=True, problem={}, wrong=[],
        acts=[], action=f"/clients/{quote(client, safe='')}/purchase/{decision}",
    )  # fmt: skip


async def _question(
    request: Request, desk: Desk, client: str, typed: Mapping[str, str], refused: Part | None = None
) -> Response:
    name = quote(client, safe="")
    level, made = await desk.all(f"{BASE}/clients/{name}", f"{BASE}/clients/{name}/decisions", purpose="service")
    if not level.found and level.status == 404:
        page = render(request, "problem_here.html", part=level, back="/")
        page.status_code = 404
        return page
    products = await all_rows(desk, f"{BASE}/products", {}, "service")
    shelf = [row for row in products if row["state"] == "on_shelf"]
    page = render(
        request, "clients/question.html" if refused is not None else "clients/purchase.html", client=client, products=shelf,
        level=level.data if level.found else {}, made=rows_of(made)[:10], typed=typed, own=desk.visitor.role is Role.CLIENT,
        channels=OWN if desk.visitor.role is Role.CLIENT else COUNTER,
        problem=refused.problem or {} if refused is not None else {}, wrong=errors_of(refused) if refused is not None else [],
    )  # fmt: skip
    page.status_code = refused.status if refused is not None else 200
    return page


async def _answer(
    request: Request, desk: Desk, client: str, decision: str, typed: Mapping[str, str], refused: Part | None = None
) -> Response:
    made = await desk.get(f"{BASE}/decisions/{quote(decision, safe='')}")
    if not made.found or made.data["client"] != client:
        page = render(request, "problem_here.html", part=made, back="/")
        page.status_code = made.status if not made.found else 404
        return page
    page = render(
        request, "clients/warning.html" if refused is not None else "clients/answer.html", client=client, decision=made.data,
        typed=typed, own=desk.visitor.role is Role.CLIENT, problem=refused.problem or {} if refused is not None else {},
        wrong=errors_of(refused) if refused is not None else [], action=request.url.path, acts=_sending(desk, made.data),
    )  # fmt: skip
    page.status_code = refused.status if refused is not None else 200
    return page


def _sending(desk: Desk, decision: Mapping[str, Any]) -> list[Button]:
    """What staff can have sent to the client: a link to confirm by."""
    if decision["outcome"] != "CONFIRM" or desk.visitor.role not in DESK:
        return []
    place = {"decision_id": decision["decision_id"]}
    here = f"/clients/{quote(decision['client'], safe='')}/purchase/{quote(decision['decision_id'], safe='')}"
    return [button("send_link", "send_link", OF_A_CLIENT["send_link"], place, here)]
