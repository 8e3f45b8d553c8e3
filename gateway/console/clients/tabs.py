"""The tabs of one client, each what a service knows with its acts: class and tier, points, products, information, team,
messages. A page asks at once for all it shows; a part that did not come says so."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Request, UploadFile
from starlette.responses import Response

from chassis.actor import Actor, Role
from contracts.fields import BusinessDate, Identifier, text_of
from gateway.console.areas import SERVING
from gateway.console.clients.head import Purpose, Serving, address, no_client, place_of
from gateway.console.doing import Button, button, buttons, errors_of, gone_on
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Desk, rows_of, visitors
from gateway.console.render import render
from gateway.console.tables import OF_A_CLIENT, OF_A_MESSAGE, SUBSCRIPTIONS, Do
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
Seller = Annotated[Actor, visitors("console.products:subscribe", *SERVING)]
DESK = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)
LEADS = (Role.BRANCH_MANAGER, Role.HQ)
FOR: Mapping[str, tuple[Role, ...]] = {
    "propose_tier": (Role.CLIENT_MANAGER, *LEADS),
    "note_stage": (Role.CLIENT_MANAGER, *LEADS),
    "redeem": DESK,
    "adjust": (*DESK, Role.HQ),
    "apply_for_tier": DESK,
    "life_change": DESK,
    "vulnerable": DESK,
    "vulnerable_no_more": DESK,
    "override": LEADS,
    "name_manager": LEADS,
    "change_team": (Role.CLIENT_MANAGER, *LEADS),
    "enter_information": DESK,
    "enter_contact": (*DESK, Role.HQ),
    "plan_visit": DESK,
    "ask_for_manager": (Role.CLIENT, Role.AGENT, Role.BRANCH_MANAGER),
}
"""For whom a page offers what is begun there; the service has the last word."""


def begun(visitor: Actor, client: str, back: str, *acts: str) -> list[Button]:
    """The buttons of what the visitor may begin for a client."""
    return [button(act, act, OF_A_CLIENT[act], {"client_id": client}, back) for act in acts if visitor.role in FOR[act]]


def first_refusal(parts: Sequence[Part]) -> Part | None:
    """What to say instead of a page all of whose parts are refused."""
    return parts[0] if all(part.status in (400, 403, 404) for part in parts) else None


@routes.get("/clients/{client}/standing")
async def show_standing(
    request: Request, visitor: Serving, desk: AtDesk, client: Identifier, purpose: Purpose = "service",
    as_of: BusinessDate | None = None, days: Annotated[str, text_of(6)] = "",
) -> Response:  # fmt: skip
    """Class and tier with why, as of any day since the account was opened; the histories, grants and groups."""
    base = f"/v1/classification/clients/{quote(client, safe='')}"
    known = await desk.get(base, purpose=purpose)
    if not known.found:
        return no_client(request, known)
    opened = date.fromisoformat(known.data["opened_on"])
    last = date.fromisoformat(known.data["as_of"]) if known.data["as_of"] else opened
    span = max((last - opened).days, 0)
    wished = opened + timedelta(days=int(days)) if days.isascii() and days.isdigit() else as_of or last
    day = min(max(wished, opened), last)
    then, why, history, grants, groups, grouped = await desk.all(
        f"{base}?as_of={day}", f"{base}/explain?as_of={day}", f"{base}/history", f"{base}/grants",
        f"{base}/groups", f"{base}/groups/explain", purpose=purpose,
    )  # fmt: skip
    here = address(client, "standing", purpose=purpose)
    return render(
        request, "clients/standing_then.html" if request.headers.get("hx-request") else "clients/standing.html",
        known=known.data, then=then, why=why.data if why.found else {}, day_shown=day, whole_span=span, at=(day - opened).days,
        history=history.data if history.found else {"tiers": [], "classes": []}, grants=rows_of(grants),
        groups=groups, grouped=grouped.data if grouped.found else {},
        acts=begun(visitor, client, here, "propose_tier", "note_stage"), **place_of(client, purpose, "standing"),
    )  # fmt: skip


@routes.get("/clients/{client}/points")
async def show_points(
    request: Request, visitor: Serving, desk: AtDesk, client: Identifier, purpose: Purpose = "service"
) -> Response:
    """The account: what is there, when it ends, what is held and for what, the entries with why."""
    base = f"/v1/points/clients/{quote(client, safe='')}"
    known, account, lots, holds, entries, rewards = await desk.all(
        f"/v1/classification/clients/{quote(client, safe='')}", base, f"{base}/lots?limit=200", f"{base}/holds?limit=200", f"{base}/entries?limit=50", "/v1/points/rewards",
        purpose=purpose,
    )  # fmt: skip
    if refused := first_refusal((known, account)):  # an account begins with the first points
        return no_client(request, refused)
    here = address(client, "points", purpose=purpose)
    return render(
        request, "clients/points.html", account=account, lots=rows_of(lots), holds=rows_of(holds),
        entries=entries.data if entries.found else {"items": [], "next": None}, rewards=rows_of(rewards),
        acts=begun(visitor, client, here, "redeem", "apply_for_tier", "adjust"), may_adjust=visitor.role in FOR["adjust"],
        **place_of(client, purpose, "points"),
    )  # fmt: skip


@routes.post("/clients/{client}/proofs")
async def attach_proof(
    request: Request, visitor: Serving, desk: AtDesk, client: Identifier, file: UploadFile, purpose: Purpose = "service"
) -> Response:
    """Keep a file that an adjustment rests on, and go on with the adjustment that names it."""
    kept = await desk.upload(
        f"/v1/points/clients/{quote(client, safe='')}/proofs", "", file.content_type or "application/octet-stream",
        await file.read(),
    )  # fmt: skip
    if not kept.done:
        page = render(request, "refusal.html", problem=kept.problem or {})
        page.status_code = kept.status
        return page
    [adjust] = begun(visitor, client, address(client, "points", purpose=purpose), "adjust")
    return render(request, "clients/proof.html", form=f"{adjust.url}&f.attachment={kept.data['sha256']}")


@routes.get("/clients/{client}/products")
async def show_products(
    request: Request, visitor: Serving, desk: AtDesk, client: Identifier, purpose: Purpose = "service",
    as_of: BusinessDate | None = None,
) -> Response:  # fmt: skip
    """What the client is entitled to with why, and why not to the rest; subscriptions, the rate, the charges."""
    return await _products(request, visitor, desk, client, purpose, as_of)


async def _products(
    request: Request, visitor: Actor, desk: Desk, client: str, purpose: str, as_of: date | None = None,
    wish: Mapping[str, str] | None = None, preview: Part | None = None, refused: Part | None = None,
) -> Response:  # fmt: skip
    base = f"/v1/products/clients/{quote(client, safe='')}"
    when = f"?as_of={as_of}" if as_of else ""
    month = f"{await desk.today():%Y-%m}"
    held, subscribed, rate, line, charges, catalogue = await desk.all(
        f"{base}/entitlements{when}", f"{base}/subscriptions?limit=200", f"{base}/fee-rate{when}", f"{base}/contact",
        f"{base}/charges?month={month}", "/v1/products/catalogue?limit=200", purpose=purpose,
    )  # fmt: skip
    if said := first_refusal((held, subscribed)):
        return no_client(request, said)
    here = address(client, "products", purpose=purpose)
    rows = rows_of(subscribed)
    for row in rows:
        row["can"], _ = buttons(
            desk, row["acts"], SUBSCRIPTIONS, {"subscription_id": row["subscription_id"]}, here, f'"{row["revision"]}"'
        )
    page = render(
        request, "clients/products.html", held=held, rows=rows, rate=rate, line=line, charges=charges, as_of=as_of,
        shelf=[row for row in rows_of(catalogue) if row["kind"] != "service"], wish=wish or {},
        preview=preview.data if preview is not None and preview.done else None,
        problem=(refused.problem or {}) if refused is not None else {}, wrong=errors_of(refused) if refused else [],
        acts=begun(visitor, client, here, "override"), sells=visitor.role in (*DESK, Role.HQ),
        **place_of(client, purpose, "products"),
    )  # fmt: skip
    page.status_code = refused.status if refused is not None and refused.status < 500 else 200
    return page


@routes.post("/clients/{client}/products/preview")
async def preview_subscription(
    request: Request, visitor: Seller, desk: AtDesk, client: Identifier, purpose: Purpose = "service"
) -> Response:
    """What a product would do, before anything is signed."""
    typed = typed_in(await request.form())
    body = {name: typed[name].strip() for name in ("code", "starts_on") if typed.get(name, "").strip()}
    path = f"/v1/products/clients/{quote(client, safe='')}/subscriptions/preview"
    made = await desk.send("POST", path, body)
    return await _products(request, visitor, desk, client, purpose, None, typed, made, None if made.done else made)


@routes.post("/clients/{client}/products/subscribe")
async def subscribe(
    request: Request, visitor: Seller, desk: AtDesk, client: Identifier, purpose: Purpose = "service"
) -> Response:
    """Confirm what was shown; it is refused when anything of it is another by now."""
    typed = typed_in(await request.form())
    names = ("preview_id", "amount", "rate", "decision_id", "signature")
    body = {name: typed[name].strip() for name in names if typed.get(name, "").strip()}
    path = f"/v1/products/clients/{quote(client, safe='')}/subscriptions"
    done = await desk.send("POST", path, body, key=typed.get("_key", ""))
    if done.done:
        return gone_on(address(client, "products", purpose=purpose), done)
    return await _products(request, visitor, desk, client, purpose, None, typed, None, done)


@routes.get("/clients/{client}/information")
async def show_information(
    request: Request, visitor: Serving, desk: AtDesk, client: Identifier, purpose: Purpose = "service"
) -> Response:
    """How complete what is known is, what is missing by weight, and every indicator with who said it."""
    base = f"/v1/relationships/clients/{quote(client, safe='')}/information"
    known = await desk.get(base, purpose=purpose)
    if not known.found:
        return no_client(request, known)
    here = address(client, "information", purpose=purpose)

    def entry(code: str) -> Button:
        place = {"client_id": client, "f.code": code}
        return button("enter_information", "enter_information", OF_A_CLIENT["enter_information"], place, here)

    enters = visitor.role in FOR["enter_information"] or visitor.is_centre
    return render(
        request, "clients/information.html", known=known.data, entry=entry if enters else None,
        **place_of(client, purpose, "information"),
    )  # fmt: skip


@routes.get("/clients/{client}/team")
async def show_team(
    request: Request, visitor: Serving, desk: AtDesk, client: Identifier, purpose: Purpose = "service"
) -> Response:
    """Who looks after the client, who did, and the contacts there were."""
    name = quote(client, safe="")
    team, past, contacts, visits = await desk.all(
        f"/v1/relationships/clients/{name}/team", f"/v1/relationships/clients/{name}/assignments",
        f"/v1/relationships/clients/{name}/contacts?limit=50", f"/v1/relationships/clients/{name}/visits?limit=50",
        purpose=purpose,
    )  # fmt: skip
    if refused := first_refusal((team, past, contacts)):
        return no_client(request, refused)
    here = address(client, "team", purpose=purpose)
    return render(
        request, "clients/team.html", team=team, past=rows_of(past), contacts=rows_of(contacts), visits=rows_of(visits),
        acts=begun(visitor, client, here, "name_manager", "change_team", "enter_contact", "plan_visit", "ask_for_manager"), **place_of(client, purpose, "team"),
    )  # fmt: skip


@routes.get("/clients/{client}/messages")
async def show_messages(
    request: Request, visitor: Serving, desk: AtDesk, client: Identifier, purpose: Purpose = "service",
    cursor: Annotated[str, text_of(2000)] = "",
) -> Response:  # fmt: skip
    """What was sent to the client and why not the rest; what they answered; what they wish and agreed to."""
    return await _messages(request, visitor, desk, client, purpose, cursor)


async def _messages(
    request: Request, visitor: Actor, desk: Desk, client: str, purpose: str, cursor: str = "",
    typed: Mapping[str, str] | None = None, refused: Part | None = None,
) -> Response:  # fmt: skip
    base = f"/v1/messaging/clients/{quote(client, safe='')}"
    listed = await desk.get(f"{base}/messages", {"limit": 50, "cursor": cursor}, purpose=purpose)
    wishes, replies = await desk.all(f"{base}/preferences", f"{base}/replies", purpose=purpose)
    if said := first_refusal((listed, wishes)):
        return no_client(request, said)
    here = address(client, "messages", purpose=purpose)
    rows = rows_of(listed)
    for row in rows:
        row["cancel"] = _cancel(row, here) if row["state"] in WAITING and visitor.role in LEADS else None
    page = render(
        request, "clients/messages.html", listed=listed, rows=rows, wishes=wishes, replies=rows_of(replies), classes=STOPPABLE, channels=CHANNELS, typed=typed or {}, sets=visitor.role in SERVING,
        problem=(refused.problem or {}) if refused is not None else {}, wrong=errors_of(refused) if refused else [],
        following=address(client, "messages", purpose=purpose, cursor=listed.data["next"] or "") if listed.found and listed.data["next"] else "",
        **place_of(client, purpose, "messages"),
    )  # fmt: skip
    page.status_code = refused.status if refused is not None and refused.status < 500 else 200
    return page


WAITING = ("planned", "queued")
STOPPABLE = ("CARE", "SUBSCRIBED", "MARKETING")
CHANNELS = ("sms", "email", "wecom", "app")


def _cancel(row: Mapping[str, Any], here: str) -> Button:
    do: Do = OF_A_MESSAGE["cancel_message"]
    return button("cancel_message", "cancel_message", do, {"message_id": row["message_id"]}, here)


@routes.post("/clients/{client}/messages/wishes")
async def set_wishes(
    request: Request, visitor: Seller, desk: AtDesk, client: Identifier, purpose: Purpose = "service"
) -> Response:
    """What the client wishes: language, ways not wanted, and a consent given or taken back."""
    form = await request.form()
    typed = typed_in(form)
    body: dict[str, Any] = {
        "refused": [str(one) for one in form.getlist("refused")],
        "evidence": typed.get("evidence", ""),
    }
    if typed.get("language"):
        body["language"] = typed["language"]
    if typed.get("message_class") and typed.get("allowed"):
        body["consents"] = [{
            "message_class": typed["message_class"], "channel": typed.get("channel") or None,
            "allowed": typed["allowed"] == "true", "wording": typed.get("wording", ""),
        }]  # fmt: skip
    done = await desk.send("PUT", f"/v1/messaging/clients/{quote(client, safe='')}/preferences", body)
    if done.done:
        return gone_on(address(client, "messages", purpose=purpose), done)
    return await _messages(request, visitor, desk, client, purpose, "", typed, done)
