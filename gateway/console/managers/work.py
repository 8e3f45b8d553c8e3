"""A manager's own work: what the week counts against its plan, the log of a day, visits from appointment to record, clients who
changed hands with everything who takes them over has to know, wishes for another manager."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Role
from contracts.fields import BusinessDate, Id, Identifier, text_of
from gateway.console.clients.head import Purpose, Serving, address, no_client, place_of
from gateway.console.clients.tabs import begun
from gateway.console.doing import Button, button, buttons
from gateway.console.frame import AtDesk, Desk, rows_of
from gateway.console.managers.pages import BASE, LEADS, Visitor
from gateway.console.render import render
from gateway.console.tables import MANAGER_CHANGES, OF_A_MANAGER, VISITS
from gateway.service_client import Part

routes = APIRouter(include_in_schema=False)
AMOUNTS = ("visits", "calls", "on_site", "new_clients")
Whose = Annotated[str, text_of(64)]


@routes.get("/managers/work")
async def show_work(
    request: Request, visitor: Visitor, desk: AtDesk, person: Whose = "", day: BusinessDate | None = None
) -> Response:
    """Plan, done and gap of a day's week and month, that day's log with what was learnt, and the visits that are not over."""
    whose = person.strip() or visitor.person
    name, today = quote(whose, safe=""), await desk.today()
    on = day or today
    week, month, log, visits = await desk.all(
        f"{BASE}/managers/{name}/activity?period=week&on={on}", f"{BASE}/managers/{name}/activity?period=month&on={on}",
        f"{BASE}/managers/{name}/days/{on}", f"{BASE}/managers/{name}/visits?limit=50", purpose="service",
    )  # fmt: skip
    if not week.found:
        return no_client(request, week)
    here = f"/managers/work?{urlencode({'person': whose, 'day': on})}"
    return render(
        request, "managers/work.html", whose=whose, on=on, today=today, week=week.data, month=month.data if month.found else None,
        log=log.data if log.found else None, visits=rows_of(visits), amounts=AMOUNTS, leads=visitor.role in LEADS,
        before=on - timedelta(days=1), after=on + timedelta(days=1),
        acts=_plans(desk, whose, week.data, log, here) + _note(desk, whose, on, log, here),
    )  # fmt: skip


def _plans(desk: Desk, whose: str, week: Mapping[str, Any], log: Part, here: str) -> list[Button]:
    """Planning this week and the next, this day and the one after, with what is planned already."""
    if desk.visitor.person != whose and desk.visitor.role is not Role.BRANCH_MANAGER:
        return []
    next_week = date.fromisoformat(week["ends"]) + timedelta(days=1)
    wanted = [("plan_week", "week", week["begins"], week["plan"]), ("plan_next_week", "week", str(next_week), week["following"])]  # fmt: skip
    if log.found:
        tomorrow = date.fromisoformat(log.data["day"]) + timedelta(days=1)
        wanted += [("plan_day", "day", log.data["day"], log.data["plan"]), ("plan_next_day", "day", str(tomorrow), log.data["following"])]  # fmt: skip
    return [
        button(
            "plan_activity", title, OF_A_MANAGER["plan_activity"],
            {"person": whose, "period": period, "begins": begins}
            | {f"f.{one}": str(plan[one]) for one in (*AMOUNTS, "words") if plan and plan[one] is not None},
            here,
        )
        for title, period, begins, plan in wanted
    ]  # fmt: skip


def _note(desk: Desk, whose: str, on: date, log: Part, here: str) -> list[Button]:
    """Everybody writes down what they learnt themselves."""
    if desk.visitor.person != whose or not log.found:
        return []
    place = {"person": whose, "day": str(on), "f.words": log.data["words"] or ""}
    return [button("note_day", "note_day", OF_A_MANAGER["note_day"], place, here)]


@routes.get("/managers/visits/{visit_id}")
async def show_visit(request: Request, _: Visitor, desk: AtDesk, visit_id: Id) -> Response:
    """A visit: what is agreed, prepared and recorded, what can be done now, and how it came about."""
    place = f"{BASE}/visits/{visit_id}"
    visit, steps, terms = await desk.all(
        place, f"{place}/history", f"{BASE}/policies/activity/in-force", purpose="service"
    )
    if not visit.found:
        page = render(request, "problem_here.html", part=visit, back="/managers/work")
        page.status_code = visit.status
        return page
    here = f"/managers/visits/{visit_id}"
    can, cannot = buttons(desk, visit.data["acts"], VISITS, {"visit_id": str(visit_id)}, here, visit.etag)
    return render(
        request, "managers/visit.html", visit=visit.data, steps=rows_of(steps), cannot=cannot,
        can=[one for one in can if one.act != "prepare"], prepare=next((one for one in can if one.act == "prepare"), None),
        to_prepare=terms.data["body"]["preparation"] if terms.found else [],
    )  # fmt: skip


@routes.get("/managers/hand-overs")
async def show_hand_overs(
    request: Request, visitor: Visitor, desk: AtDesk, person: Whose = "", since: BusinessDate | None = None
) -> Response:
    """Clients who changed hands, by their two clocks; and, for who decides, wishes for another manager."""
    today = await desk.today()
    first = since or today - timedelta(days=30)
    query = urlencode({"since": first} | ({"person": person.strip()} if person.strip() else {}))
    handed, changes = await desk.all(
        f"{BASE}/hand-overs?{query}", f"{BASE}/manager-changes?limit=100", purpose="service"
    )
    here = f"/managers/hand-overs?{query}"
    rows = rows_of(handed)
    for row in rows:
        act = {"to_offer": "name_manager", "to_contact": "enter_contact"}.get(row["state"])
        row["acts"] = begun(visitor, row["client_id"], here, act) if act else []
    wishes = rows_of(changes)
    for row in wishes:
        row["can"], row["cannot"] = buttons(
            desk, row["acts"], MANAGER_CHANGES, {"request_id": row["request_id"]}, here, f'"{row["revision"]}"'
        )
    return render(
        request, "managers/hand_overs.html", rows=rows, wishes=wishes, may_see_wishes=changes.found, person=person,
        since=first, missing=handed.status >= 500, leads=visitor.role is not Role.CLIENT_MANAGER,
    )  # fmt: skip


@routes.get("/clients/{client}/hand-over")
async def show_pack(
    request: Request, _: Serving, desk: AtDesk, client: Identifier, purpose: Purpose = "service",
    as_of: BusinessDate | None = None,
) -> Response:  # fmt: skip
    """What who takes a client over has to know, on one page that prints, as of a day."""
    when = f"?as_of={as_of}" if as_of else ""
    pack = await desk.get(f"{BASE}/clients/{quote(client, safe='')}/hand-over{when}", purpose=purpose)
    if not pack.found:
        return no_client(request, pack)
    return render(
        request, "managers/pack.html", pack=pack.data, as_of=as_of, back=address(client, "team", purpose=purpose),
        **place_of(client, purpose, "team"),
    )  # fmt: skip


@routes.get("/managers/team")
async def show_team(request: Request, visitor: Visitor, desk: AtDesk, branch: Whose = "") -> Response:
    """The board of who leads: of each manager the clients, how many are overdue, the week's score; and months below the minimum."""
    today = await desk.today()
    place = branch.strip() or visitor.branch_id or ""
    month_end = today.replace(day=1) - timedelta(days=1)
    board, short, lost, flagged = await desk.all(
        f"{BASE}/branches/{quote(place or '-', safe='')}/board", f"{BASE}/cadence/shortfalls?month_end={month_end}",
        f"{BASE}/lost/figures?{urlencode({'since': today.replace(day=1), 'until': today})}",
        f"{BASE}/contacts/flagged?{urlencode({'since': today - timedelta(days=30), 'until': today})}", purpose="review",
    )  # fmt: skip
    return render(
        request, "managers/team.html", branch=place,
        team=[one for one in rows_of(board) if one["clients"] or one["planned"] or one["done"]],
        short=rows_of(short), month_end=month_end, lost=lost.data if lost.found else None, flagged=rows_of(flagged),
        centre=visitor.branch_id is None, missing=not board.found and board.status != 404,
    )  # fmt: skip
