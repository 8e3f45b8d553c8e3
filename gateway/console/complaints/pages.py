"""Complaints: the queue and the list, intake with what looks like the same, the page of a case."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, UploadFile
from starlette.responses import Response
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.personal import mask_text
from contracts.fields import Id, text_of
from gateway.console.areas import SERVING
from gateway.console.doing import button, buttons, errors_of, gone_on
from gateway.console.export import all_rows, file_of
from gateway.console.forms import Form, body_of, form_of, typed_in
from gateway.console.frame import AtDesk, rows_of, visitors
from gateway.console.render import render
from gateway.console.rest import operations
from gateway.console.tables import BESIDE_A_CASE, CASES, OF_A_CASE, ON_BOARDS, OPEN_CASE
from gateway.console.views import views_of

routes = APIRouter(include_in_schema=False)
Handler = Annotated[Actor, visitors("console.complaints:read", *SERVING, Role.OPERATIONS)]
Concerned = Annotated[Actor, visitors("console.complaints:case", Role.CLIENT, *SERVING, Role.OPERATIONS)]
Reporter = Annotated[Actor, visitors("console.complaints:open", *SERVING)]
BASE = "/v1/complaints"
PURPOSE = "complaint"
KEY = "_key"
STATES = (
    "received", "accepted", "dispatched", "investigating", "awaiting_customer", "awaiting_third_party", "satisfaction_call",
    "reopened", "closed", "withdrawn", "rejected",
)  # fmt: skip
OVER = ("closed", "withdrawn", "rejected")
CENTRE = (Role.HQ, Role.COMPLIANCE)
CATEGORIES = ("service", "trading", "fees", "product", "conduct", "compliance", "system", "other")
LISTED = ("client_id", "branch_id", "channel", "kind", "category", "words")
"""What intake asks first; the rest is below, for who needs it."""
CONTACT = ("name", "phone", "contact_channel")
REGULATOR = ("source", "regulator_ref", "reply_due_on")
HIDDEN = ("external_ref", "system", "script")
Filter = Annotated[str, text_of(200)]
Format = Literal["", "csv", "xlsx"]
EXPORTED = (
    "received_at", "case_id", "client_id", "branch_id", "channel", "words", "category", "severity", "state", "owner", "due_on", "closed_at",
)  # fmt: skip


@routes.get("/complaints")
async def show_cases(
    request: Request, _: Handler, desk: AtDesk, q: Filter = "", state: Filter = "", severity: Filter = "", owner: Filter = "",
    client: Filter = "", branch: Filter = "", overdue: Filter = "", cursor: Annotated[str, text_of(2000)] = "", format: Format = "",
) -> Response:  # fmt: skip
    """What is to be taken in hand, and cases by what was said, state, owner, branch; `owner=me` are the visitor's."""
    typed = {
        "q": q, "state": state, "severity": severity, "owner": owner, "client": client, "branch": branch, "overdue": overdue,
    }  # fmt: skip
    wanted = {name: value.strip() for name, value in typed.items()}
    wanted["owner"] = desk.visitor.person if owner == "me" else wanted["owner"]
    if format:
        rows = await all_rows(desk, f"{BASE}/cases", wanted, PURPOSE)
        return file_of("complaints", format, desk.language, EXPORTED, rows)
    query = urlencode(
        {name: value for name, value in wanted.items() if value}
        | {"limit": 50}
        | ({"cursor": cursor} if cursor else {})
    )
    listed, queue, prompts = await desk.all(
        f"{BASE}/cases?{query}", f"{BASE}/queue", f"{BASE}/prompts", purpose=PURPOSE
    )
    following = listed.data.get("next") if listed.found else None
    said = urlencode({n: v for n, v in typed.items() if v})
    return render(
        request, "complaints/list.html", listed=listed, queue=rows_of(queue),
        prompts=rows_of(prompts), wanted=typed, states=STATES,
        query=said, **await views_of(desk, "/complaints", said),
        following=urlencode({n: v for n, v in typed.items() if v} | {"cursor": following}) if following else "",
    )  # fmt: skip


@routes.get("/complaints/new")
async def show_intake(request: Request, _: Reporter, desk: AtDesk, client: Filter = "") -> Response:
    """The one form for every channel."""
    typed = {"client_id": client, "received_at": f"{await desk.now():%Y-%m-%dT%H:%M}"} | (
        {"branch_id": desk.visitor.branch_id} if desk.visitor.branch_id else {}
    )
    return _intake(request, form_of(_new_case(), {}, typed, without=HIDDEN), str(uuid7()))


@routes.post("/complaints/new")
async def open_case(request: Request, _: Reporter, desk: AtDesk) -> Response:
    """Report the case, and on to its page; the form again with what is wrong."""
    typed = typed_in(await request.form())
    key = typed.get(KEY) or str(uuid7())
    form = form_of(_new_case(), {}, typed, without=HIDDEN)
    opened = await desk.send("POST", f"{BASE}/cases", body_of(form, {}, typed), key=key)
    if opened.done:
        return gone_on(f"/complaints/{opened.data['case_id']}", opened)
    form.mark(errors_of(opened))
    page = _intake(request, form, key, opened.problem or {})
    page.status_code = opened.status
    return page


@routes.post("/complaints/similar")
async def show_similar(request: Request, _: Reporter, desk: AtDesk) -> Response:
    """While intake is typed: open cases of the client, cases in which the same was said, and how the words will be kept."""
    typed = typed_in(await request.form())
    words, client = typed.get("words", "").strip(), typed.get("client_id", "").strip()
    found: dict[str, Any] = {}
    queries = ([{"client": client}] if client else []) + ([{"q": words[:24]}] if len(words) > 3 else [])
    for query in queries:
        listed = await desk.get(f"{BASE}/cases", query | {"limit": 5}, purpose=PURPOSE)
        found |= {row["case_id"]: row for row in rows_of(listed)}
    return render(
        request, "complaints/similar.html", found=list(found.values()), masked=mask_text(words) if words else ""
    )


@routes.get("/complaints/{case_id}")
async def show_case(request: Request, _: Concerned, desk: AtDesk, case_id: Id) -> Response:
    """A case: its thread, every clock, what can be done now, what hangs on it."""
    place = f"{BASE}/cases/{case_id}"
    case, history, clocks, details = await desk.all(
        place, f"{place}/history", f"{place}/clocks", f"{place}/details", purpose=PURPOSE
    )
    if not case.found:
        page = render(request, "problem_here.html", part=case, back="/complaints")
        page.status_code = case.status
        return page
    here = f"/complaints/{case_id}"
    can, cannot = buttons(desk, case.data["acts"], CASES, {"case_id": str(case_id)}, here, case.etag)
    beside = {act["act"]: act for act in case.data["acts"] if act["can"] and act["act"] in OF_A_CASE}

    def of_item(act: str, **item: str) -> Any:
        if act not in beside:
            return []
        return [
            button(act, beside[act]["title"][desk.language], OF_A_CASE[act], {"case_id": str(case_id)} | item, here)
        ]

    hanging: Mapping[str, Any] = details.data if details.found else {}
    for row in hanging.get("demands", ()):
        row["buttons"] = of_item("drop_demand", demand_id=row["demand_id"]) if not row["withdrawn_at"] else []
    for row in hanging.get("suggestions", ()):
        row["buttons"] = of_item("adopt", suggestion_id=row["suggestion_id"]) if not row["adopted_at"] else []
    for row in hanging.get("links", ()):
        row["other"] = row["other_id"] if row["case_id"] == str(case_id) else row["case_id"]
        row["buttons"] = of_item("unlink", other_id=row["other_id"]) if not row["ended_at"] else []
    named = {"case_id": str(case_id)}
    staff = desk.visitor.role is not Role.CLIENT
    for row in hanging.get("accountability", ()):
        act = "account" if not row["done_at"] else "carry_out" if not row["carried_out_at"] else ""
        whole = named | {"accountability_id": str(row["accountability_id"])}
        row["buttons"] = [button(act, act, ON_BOARDS[act], whole, here)] if act and desk.visitor.role in CENTRE else []
    beside_it = [
        button(act, act, do, named, here)
        for act, do in BESIDE_A_CASE.items()
        if staff and desk.visitor.role in SERVING and not (act == "ask_deviation" and case.data["state"] in OVER)
    ]  # fmt: skip
    return render(
        request, "complaints/case.html", beside_it=beside_it, case=case.data, history=rows_of(history),
        clocks=rows_of(clocks), details=hanging, can=can, cannot=cannot, key=str(uuid7()),
    )  # fmt: skip


@routes.get("/complaints/{case_id}/contact")
async def reveal_contact(
    request: Request, _: Handler, desk: AtDesk, case_id: Id, purpose: Annotated[str, text_of(40)] = PURPOSE
) -> Response:
    """The original words and how to reach the complainant, for the purpose the visitor states: the read is recorded."""
    part = await desk.get(f"{BASE}/cases/{case_id}/contact", purpose=purpose)
    return render(request, "complaints/contact.html", part=part)


@routes.post("/complaints/{case_id}/files")
async def attach_file(
    request: Request, _: Handler, desk: AtDesk, case_id: Id, file: UploadFile, role: Filter = "other"
) -> Response:
    """Attach a file; the service judges by what its bytes say."""
    query = urlencode({"name": (file.filename or "file")[-200:], "role": role})
    kept = await desk.upload(
        f"{BASE}/cases/{case_id}/attachments", query, file.content_type or "application/octet-stream", await file.read()
    )
    if kept.done:
        return gone_on(f"/complaints/{quote(str(case_id))}", kept)
    page = render(request, "refusal.html", problem=kept.problem or {})
    page.status_code = kept.status
    return page


def _new_case() -> Any:
    return operations()[OPEN_CASE["open"].operation].schema


def _intake(request: Request, form: Form, key: str, problem: Mapping[str, Any] | None = None) -> Response:
    of_name = {one.name: one for one in form.fields}
    parts = {"first": LISTED, "contact": CONTACT, "regulator": REGULATOR}
    shown = {part: [of_name.pop(name) for name in names if name in of_name] for part, names in parts.items()}
    return render(
        request, "complaints/intake_form.html" if problem is not None else "complaints/new.html", shown=shown,
        rest=list(of_name.values()), form=form, key=key, problem=problem or {}, categories=CATEGORIES,
    )  # fmt: skip
