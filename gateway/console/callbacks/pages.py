"""Callbacks: lists with filters, one task, the call in hand from Next to its outcome, the supervisor's wall."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from contracts.fields import Id, text_of
from gateway.console.areas import SERVING
from gateway.console.callbacks.report import KEY, call_of, lines_of, recorded
from gateway.console.doing import Button, buttons, errors_of, gone_on
from gateway.console.doing import button as button_of
from gateway.console.export import all_rows, file_of
from gateway.console.forms import typed_in
from gateway.console.frame import AtDesk, Desk, rows_of, visitors
from gateway.console.render import render
from gateway.console.tables import TASKS
from gateway.console.views import views_of

routes = APIRouter(include_in_schema=False)
Caller = Annotated[Actor, visitors("console.callbacks:read", *SERVING)]
Leader = Annotated[Actor, visitors("console.callbacks:lead", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]
BASE = "/v1/callbacks"
IN_HAND = ("assigned", "attempting", "reached")
FREE = ("planned", "rescheduled")
STATES = ("planned", "assigned", "attempting", "reached", "rescheduled", "waiting", "exhausted", "completed", "expired", "cancelled")  # fmt: skip
QUEUES = ("branch", "centre", "manager", "compliance")
TOPICS = (
    "abnormal", "booking", "care", "conduct", "contact_data", "enquiry", "greeting", "missed_call", "new_client",
    "restricted", "retention", "risk_notice", "sample", "satisfaction", "suitability", "wake_up",
)  # fmt: skip
PURPOSE = "callback"
EXPORTED = (
    "due_on",
    "client_id",
    "topic",
    "queue",
    "branch_id",
    "state",
    "attempts",
    "holder",
    "owner",
    "created_on",
    "outcome",
)
Filter = Annotated[str, text_of(64)]


@routes.get("/callbacks")
async def show_tasks(
    request: Request, visitor: Caller, desk: AtDesk, state: Filter = "", queue: Filter = "", topic: Filter = "",
    branch: Filter = "", holder: Filter = "", client: Filter = "", due_by: Filter = "", cursor: Annotated[str, text_of(2000)] = "",
    format: Literal["", "csv", "xlsx"] = "",
) -> Response:  # fmt: skip
    """Tasks the visitor may see by due date, with how many there are in each state; `holder=me` are the visitor's."""
    wanted = {
        "state": state, "queue": queue, "topic": topic, "branch_id": branch.strip(), "client_id": client.strip(),
        "holder": visitor.person if holder == "me" else holder.strip(), "due_by": due_by,
    }  # fmt: skip
    typed = {
        "state": state, "queue": queue, "topic": topic, "branch": branch, "holder": holder, "client": client, "due_by": due_by,
    }  # fmt: skip
    if format:
        rows = await all_rows(desk, f"{BASE}/tasks", wanted, PURPOSE)
        return file_of("callbacks", format, desk.language, EXPORTED, rows)
    listed = await desk.get(f"{BASE}/tasks", wanted | {"cursor": cursor, "limit": 50}, purpose=PURPOSE)
    counted = await desk.get(f"{BASE}/tasks/counts", wanted, purpose=PURPOSE)
    query = urlencode({name: value for name, value in typed.items() if value})
    here = f"/callbacks?{query}"
    rows = rows_of(listed)
    for row in rows:
        row["claim"] = _claim(row, here) if row["holder"] is None and row["state"] in FREE else None
    return render(
        request, "callbacks/list.html", listed=listed, rows=rows, wanted=typed, states=STATES, queues=QUEUES, topics=TOPICS,
        counts=rows_of(counted), following=_following(typed, listed.data), leads=_leads(visitor),
        query=query, **await views_of(desk, "/callbacks", query),
    )  # fmt: skip


def _claim(row: Mapping[str, Any], back: str) -> Button:
    return button_of("claim", "", TASKS["claim"], {"task_id": row["task_id"]}, back)


def _following(typed: Mapping[str, str], listed: Any) -> str:
    if not listed or not listed.get("next"):
        return ""
    return urlencode({name: value for name, value in typed.items() if value} | {"cursor": listed["next"]})


def _leads(visitor: Actor) -> bool:
    return visitor.role in (Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)


@routes.get("/callbacks/wall")
async def show_wall(request: Request, _: Leader, desk: AtDesk) -> Response:
    """Queues, who holds what, what waits and what is overdue."""
    today = await desk.today()
    counted, coverage, figures, overdue, *held = await desk.all(
        f"{BASE}/statistics/tasks", f"{BASE}/coverage?as_of={today}",
        f"{BASE}/statistics?{urlencode({'by': 'agent', 'from': today.replace(day=1), 'to': today})}",
        f"{BASE}/tasks?{urlencode({'due_by': today - timedelta(days=1), 'limit': 200})}",
        *(f"{BASE}/tasks?state={state}&limit=200" for state in IN_HAND),
        purpose=PURPOSE,
    )  # fmt: skip
    late = [row for row in rows_of(overdue) if row["state"] in (*FREE, *IN_HAND, "waiting")]
    rows = [row for part in held for row in rows_of(part)]
    holders: dict[str, list[Any]] = {}
    for row in rows:
        holders.setdefault(row["holder"] or "", []).append(row)
    return render(
        request, "callbacks/wall.html", counts=rows_of(counted), late=late,
        holders=sorted(holders.items()), missing=not counted.found, coverage=rows_of(coverage),
        figures=rows_of(figures), since=today.replace(day=1), today=today,
    )  # fmt: skip


@routes.get("/callbacks/next")
async def show_next(request: Request, visitor: Caller, desk: AtDesk) -> Response:
    """The call in hand; without one, the button that takes the next task."""
    held = await desk.get(f"{BASE}/tasks", {"holder": visitor.person, "limit": 50}, purpose=PURPOSE)
    tasks = [task for task in rows_of(held) if task["state"] in IN_HAND]
    if not tasks:
        return render(request, "callbacks/nothing.html", key=str(uuid7()), missing=not held.found)
    mine = [task["task_id"] for task in tasks if task["client_id"] == tasks[0]["client_id"]]
    return await _call_page(request, desk, mine, waiting=len(tasks) - len(mine))


@routes.post("/callbacks/next")
async def take_next(request: Request, _: Caller, desk: AtDesk) -> Response:
    """Take the next task, and on to its call; when there is none, why."""
    typed = typed_in(await request.form())
    taken = await desk.send("POST", f"{BASE}/next", key=typed.get(KEY) or str(uuid7()))
    if taken.found and taken.data["tasks"]:
        return Response(headers={"hx-redirect": "/callbacks/next", "cache-control": "no-store"})
    page = render(request, "callbacks/none_left.html", taken=taken)
    page.status_code = 200 if taken.found else taken.status
    return page


@routes.get("/callbacks/{task_id}")
async def show_task(request: Request, _: Caller, desk: AtDesk, task_id: Id) -> Response:
    """One task: why it is owed, its script and history; with its call when the visitor has it in hand."""
    return await _call_page(request, desk, [str(task_id)])


@routes.get("/callbacks/{task_id}/contact")
async def reveal_contact(
    request: Request, _: Caller, desk: AtDesk, task_id: Id, purpose: Annotated[str, text_of(40)] = PURPOSE
) -> Response:
    """Name and number, for the purpose the visitor states: the read is recorded."""
    part = await desk.get(f"{BASE}/tasks/{task_id}/contact", purpose=purpose)
    return render(request, "callbacks/contact.html", part=part)


@routes.post("/callbacks/calls")
async def enter_call(request: Request, _: Caller, desk: AtDesk) -> Response:
    """Enter the call with a result for each task it served; the form again with what is wrong."""
    async with request.form() as form:
        typed, file = typed_in(form), form.get("file")
        sent = await recorded(desk, typed, file if isinstance(file, UploadFile) else None)
    ids = typed.get("_tasks", "").split()
    if sent.done:
        evidence = sent.data["evidence_id"] if sent.data else None
        sent = await desk.send("POST", f"{BASE}/calls", call_of(typed, ids, evidence), key=typed.get(KEY, ""))
    if sent.done:
        return gone_on("/callbacks/next", sent)
    page = await _call_page(request, desk, ids, typed=typed, problem=sent.problem or {}, errors=errors_of(sent))
    page.status_code = sent.status
    return page


async def _call_page(
    request: Request, desk: Desk, ids: Sequence[str], *, typed: Mapping[str, str] | None = None, waiting: int = 0,
    problem: Mapping[str, Any] | None = None, errors: Sequence[Mapping[str, str]] = (),
) -> Response:  # fmt: skip
    me = desk.visitor.person
    parts = await desk.all(
        *(f"{BASE}/tasks/{quote(one, safe='')}{rest}" for one in ids for rest in ("", "/script", "/explain")),
        f"{BASE}/policies/outcomes/in-force",
        purpose=PURPOSE,
    )
    outcomes = parts.pop()
    if not parts or not parts[0].found:
        page = render(request, "problem_here.html", part=parts[0] if parts else None, back="/callbacks")
        page.status_code = parts[0].status if parts else 404
        return page
    calls = []
    for number, one in enumerate(ids):
        task, script, why = parts[3 * number : 3 * number + 3]
        if task.found:
            can, cannot = buttons(desk, task.data["acts"], TASKS, {"task_id": one}, f"/callbacks/{one}", task.etag)
            calls.append({
                "task": task.data, "script": script.data, "why": why.data, "can": can, "cannot": cannot, "number": number,
            })  # fmt: skip
    client = calls[0]["task"]["client_id"]
    others = await desk.get(f"{BASE}/clients/{quote(client, safe='')}/tasks", {"limit": 20}, purpose=f"task/{ids[0]}")
    mine = all(one["task"]["holder"] == me and one["task"]["state"] in IN_HAND for one in calls)
    now = await desk.now()
    return render(
        request, "callbacks/report.html" if typed is not None else "callbacks/call.html", calls=calls, client=client,
        others=[row for row in rows_of(others) if row["task_id"] not in ids],
        outcomes=_outcomes(outcomes.data, calls) if outcomes.found else [], mine=mine, waiting=waiting, ids=ids,
        typed=typed or {"at": f"{now:%Y-%m-%dT%H:%M}", "channel": "phone"},
        key=(typed or {}).get(KEY) or str(uuid7()), problem=problem or {}, wrong=lines_of(errors),
    )  # fmt: skip


def _outcomes(policy: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What a call can come to: of a review inside the firm only that it is done."""
    inside = any(one["task"]["topic"] == "restricted" for one in calls)
    return [row for row in policy["body"]["rows"] if not row.get("written") and (row.get("covers") or not inside)]
