"""My day: what is overdue, due and in hand, what waits for a decision, and the one button that takes the next task."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.clock import end_of
from gateway.console.areas import SERVING
from gateway.console.doing import errors_of, gone_on
from gateway.console.forms import typed_in
from gateway.console.frame import Anybody, AtDesk, Desk, rows_of, visitors
from gateway.console.render import render
from gateway.overview import overview

routes = APIRouter(include_in_schema=False)
Serving = Annotated[Actor, visitors("console.reminders:put_off", *SERVING)]
OVER = ("closed", "withdrawn", "rejected")
IN_HAND = ("assigned", "attempting", "reached")
OPEN = ("planned", "assigned", "attempting", "reached", "rescheduled", "waiting")


class Item(NamedTuple):
    """One thing to do: when it is due, what it is, where it is."""

    due: datetime | None
    kind: str
    title: str
    about: str
    href: str

    def when(self, now: datetime, today: date) -> str:
        """Overdue, due today, or later."""
        if self.due is not None and self.due < now:
            return "overdue"
        return "today" if self.due is not None and self.due <= end_of(today) else "later"


@routes.get("/")
async def show_day(request: Request, visitor: Anybody, desk: AtDesk) -> Response:
    """The visitor's day, by clock; clients have a zone of their own."""
    if visitor.role is Role.CLIENT:
        return RedirectResponse("/me", 303)
    now, today = await desk.now(), await desk.today()
    serves = visitor.role in SERVING
    items, counts = await _work(desk, today) if serves else ([], [])
    approvals = await desk.get("/v1/approvals", {"limit": 50}) if visitor.role is not Role.SYSTEM else None
    waiting = rows_of(approvals) if approvals is not None else []
    trouble = [row for row in (await overview(desk.services))["services"] if troubled(row)] if not serves else []
    items.sort(key=lambda one: (one.due is None, one.due or now, one.href))
    snoozed = {row["item"]: row["until"] for row in rows_of(await desk.get("/v1/desk/snoozes"))} if serves else {}
    hidden = {one.href for one in items if one.href in snoozed and one.when(now, today) != "overdue"}
    put_off = [(one, snoozed[one.href]) for one in items if one.href in hidden]
    items = [one for one in items if one.href not in hidden]
    parts = {name: [one for one in items if one.when(now, today) == name] for name in ("overdue", "today", "later")}
    return render(
        request, "myday/day.html", parts=parts, counts=counts, waiting=waiting, serves=serves, trouble=trouble, put_off=put_off, now=now,
        more=approvals is not None and approvals.found and bool(approvals.data["next"]), key=str(uuid7()), today=today,
    )  # fmt: skip


@routes.post("/my-day/put-off")
async def put_off(request: Request, _: Serving, desk: AtDesk) -> Response:
    """Put one of one's reminders off for some hours; never past due."""
    typed = typed_in(await request.form())
    hours = int(typed["hours"]) if typed.get("hours", "").isdecimal() else 1
    until = (await desk.now() + timedelta(hours=min(hours, 200))).isoformat()
    kept = await desk.send("PUT", "/v1/desk/snoozes", {"item": typed.get("item", ""), "until": until, "due": typed.get("due", "")})  # fmt: skip
    if kept.done:
        return gone_on("/", kept)
    said = "; ".join(error["detail"] for error in errors_of(kept))
    page = render(request, "refusal.html", problem={**(kept.problem or {}), **({"detail": said} if said else {})})
    page.status_code = kept.status
    return page


async def _work(desk: Desk, today: date) -> tuple[list[Item], list[tuple[str, str, int]]]:
    """What is the visitor's, and how much there is for everybody."""
    me = desk.visitor.person
    mine = urlencode({"holder": me, "limit": 100})
    tasks, due, cases, prompts, queue = await desk.all(
        f"/v1/callbacks/tasks?{mine}", f"/v1/callbacks/tasks/counts?{urlencode({'due_by': today})}",
        f"/v1/complaints/cases?{urlencode({'owner': me, 'limit': 100})}", "/v1/complaints/prompts", "/v1/complaints/queue",
        purpose="service",
    )  # fmt: skip
    items = [
        Item(_instant(row["due_at"]), "Callback", row["topic"], row["client_id"], f"/callbacks/{row['task_id']}")
        for row in rows_of(tasks)
        if row["state"] in IN_HAND
    ]
    items += [
        Item(
            end_of(date.fromisoformat(row["due_on"])) if row["due_on"] else None, "Complaint", row["state"],
            row["client_id"] or row["category"], f"/complaints/{row['case_id']}",
        )
        for row in rows_of(cases)
        if row["state"] not in OVER
    ]  # fmt: skip
    items += [
        Item(_instant(row["due"]), "To be told", row["state"], row["client_id"] or "", f"/complaints/{row['case_id']}")
        for row in rows_of(prompts)
    ]
    items += await _of_managers(desk)
    open_due = sum(row["count"] for row in rows_of(due) if row["state"] in OPEN)
    return items, [
        ("Callbacks due by today", f"/callbacks?due_by={today}", open_due),
        ("Complaints to be taken in hand", "/complaints", len(rows_of(queue))),
    ]


async def _of_managers(desk: Desk) -> list[Item]:
    """What a manager agreed to or took over, and what waits for who leads them."""
    role, me = desk.visitor.role, quote(desk.visitor.person, safe="")
    if role not in (Role.CLIENT_MANAGER, Role.BRANCH_MANAGER):
        return []
    base = "/v1/relationships"
    visits, handed, wishes = await desk.all(
        f"{base}/managers/{me}/visits?state=open&limit=100", f"{base}/hand-overs", f"{base}/manager-changes?limit=100", purpose="service"
    )  # fmt: skip
    waiting = "to_offer" if role is Role.BRANCH_MANAGER else "to_contact"
    items = [
        Item(_instant(row["planned_for"]) if row["planned_for"] else None, "Visit", f"visit is {row['state']}", row["client_id"], f"/managers/visits/{row['visit_id']}")
        for row in rows_of(visits)
    ]  # fmt: skip
    items += [
        Item(_instant(row["due"]), "Hand-over", f"hand-over {row['state']}", row["client_id"], f"/clients/{quote(row['client_id'], safe='')}/hand-over")
        for row in rows_of(handed)
        if row["state"] == waiting
    ]  # fmt: skip
    return items + [
        Item(_instant(row["due"]), "Wish for another manager", row["state"], row["client_id"], "/managers/hand-overs")
        for row in rows_of(wishes)
    ]


def troubled(row: dict[str, Any]) -> bool:
    """Whether an operator should look at a service."""
    return row["state"] != "up" or any(row.get(name) for name in ("dead_letters", "conflicts", "deadlines_failed"))


def _instant(said: str) -> datetime:
    return datetime.fromisoformat(said)
