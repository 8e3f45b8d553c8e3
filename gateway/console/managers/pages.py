"""Client managers: whom they look after and what is due to each; and for directors the owners of a branch's clients and the
allocation: a run on trial, compared with what is, put in force by a second person, taken back as a whole."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Actor, Role
from contracts.fields import Id, text_of
from gateway.console.doing import Button, button
from gateway.console.frame import AtDesk, rows_of, visitors
from gateway.console.render import render
from gateway.console.tables import OF_A_MANAGER

routes = APIRouter(include_in_schema=False)
MANAGING = (Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
LEADS = (Role.BRANCH_MANAGER, Role.HQ)
Visitor = Annotated[Actor, visitors("console.managers:read", *MANAGING)]
BASE = "/v1/relationships"
OPEN = ("planned", "assigned", "attempting", "reached", "rescheduled", "waiting")
WEEK = timedelta(days=7)
Row = Mapping[str, Any]
SHOWN: Mapping[str, Callable[[Row], bool]] = defaultdict(
    lambda: lambda _: True,
    due=lambda row: bool(row["due"]),
    overdue=lambda row: bool(row["rhythm"]) and float(row["rhythm"]["behind"]) > 0,
)
"""Which clients a list shows: all, those something is due to, those overdue by their interval."""


@routes.get("/managers")
async def show_managers(
    request: Request, visitor: Visitor, desk: AtDesk, person: Annotated[str, text_of(64)] = "", due: Annotated[str, text_of(8)] = "",
    by: Annotated[str, text_of(8)] = "",
) -> Response:  # fmt: skip
    """A manager's clients, the longest overdue by their own interval first (`by=due`: by what is due); `person`: whose. Leaders see
    their branch's owners and allocations too."""
    leads = visitor.role is not Role.CLIENT_MANAGER
    whose = person.strip() or ("" if leads else visitor.person)
    today = await desk.today()
    month_end = today.replace(day=1) - timedelta(days=1)
    name = quote(whose, safe="")
    paths = [f"{BASE}/owners", f"{BASE}/allocations?limit=20", f"{BASE}/information/completeness?month_end={month_end}"]
    if whose:
        soon = urlencode({"due_by": today + WEEK, "limit": 200})
        paths += [
            f"{BASE}/managers/{name}/clients", f"{BASE}/managers/{name}", f"/v1/callbacks/tasks?{soon}",
            f"/v1/complaints/cases?{urlencode({'limit': 200})}", f"{BASE}/managers/{name}/cadence",
        ]  # fmt: skip
    owners, runs, completeness, *own = await desk.all(*paths, purpose="service")
    clients = (
        with_rhythm(with_due(rows_of(own[0]), rows_of(own[2]), rows_of(own[3])), rows_of(own[4]), by) if own else []
    )
    shown = [row for row in clients if SHOWN[due](row)]
    here = "/managers" + (f"?{urlencode({'person': whose})}" if person else "")
    place = {"person": whose}
    acts = ["add_skill"] if whose and (leads or whose == visitor.person) else []
    acts += ["set_capacity"] if whose and visitor.role in LEADS else []
    return render(
        request, "managers/managers.html", whose=whose, clients=shown, all_clients=len(clients), due=due, by=by,
        missing=bool(own) and own[0].status >= 500, unknown=bool(own) and own[0].status == 404,
        profile=own[1] if own else None, owners=rows_of(owners) if leads else [], runs=rows_of(runs) if leads else [],
        completeness=rows_of(completeness), leads=leads, today=today,
        acts=[button(act, act, OF_A_MANAGER[act], place, here) for act in acts],
        asks=[button("ask_allocation", "ask_allocation", OF_A_MANAGER["ask_allocation"], {}, here)] if visitor.role in LEADS else [],
    )  # fmt: skip


def with_due(clients: Iterable[Row], tasks: Iterable[Row], cases: Iterable[Row]) -> list[dict[str, Any]]:
    """Each client with the earliest thing due to them and how many there are, by due; who is owed nothing comes after."""
    owed: dict[str, list[tuple[str, str, str]]] = {}
    for row in tasks:
        if row["state"] in OPEN:
            owed.setdefault(row["client_id"], []).append((row["due_on"], row["topic"], f"/callbacks/{row['task_id']}"))
    for row in cases:
        if row["client_id"] and row["due_on"] and row["closed_at"] is None and row["outcome"] is None:
            owed.setdefault(row["client_id"], []).append((row["due_on"], "complaint", f"/complaints/{row['case_id']}"))
    found = [dict(row) | {"due": sorted(owed.get(row["client_id"], ()))} for row in clients]
    return sorted(found, key=lambda row: (not row["due"], row["due"][0][0] if row["due"] else ""))


def with_rhythm(clients: Iterable[Row], rhythm: Iterable[Row], by: str) -> list[dict[str, Any]]:
    """Each client with their last contact and how far they are over their own interval; by that, or in the order given [RE4]."""
    known = {row["client_id"]: row for row in rhythm}
    found = [dict(row) | {"rhythm": known.get(row["client_id"])} for row in clients]
    if by == "due":
        return found
    return sorted(found, key=lambda row: -float(row["rhythm"]["behind"]) if row["rhythm"] else 99.0)


@routes.get("/managers/allocations/{run_id}")
async def show_run(
    request: Request, visitor: Visitor, desk: AtDesk, run_id: Id, person: Annotated[str, text_of(64)] = "",
    cursor: Annotated[str, text_of(2000)] = "",
) -> Response:  # fmt: skip
    """A run against what is: how many move, by manager before and after, and line by line why."""
    place = f"{BASE}/allocations/{run_id}"
    query = urlencode({"limit": 100} | ({"person": person} if person else {}) | ({"cursor": cursor} if cursor else {}))
    run, lines = await desk.all(place, f"{place}/lines?{query}", purpose="review")
    if not run.found:
        page = render(request, "problem_here.html", part=run, back="/managers")
        page.status_code = run.status
        return page
    following = lines.data["next"] if lines.found else None
    here = f"/managers/allocations/{run_id}"
    return render(
        request, "managers/run.html", run=run.data, lines=rows_of(lines), person=person,
        acts=_decisions(visitor, run.data, here),
        following=urlencode({"person": person, "cursor": following}) if following else "",
    )  # fmt: skip


def _decisions(visitor: Actor, run: Row, here: str) -> list[Button]:
    acts = {"solved": ("approve_run", "refuse_run"), "applied": ("roll_back",)}.get(run["state"], ())
    return [
        button(act, act, OF_A_MANAGER[act], {"run_id": str(run["run_id"])}, here)
        for act in acts
        if visitor.role in LEADS
    ]
