"""Supervision of complaints: escalations, accountability, the radar with its reviews, duties and reception days of branches,
monthly packs with their sign-off, channels."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Actor, Role
from contracts.fields import Id, text_of
from gateway.console.boards import RowAct, Section, board
from gateway.console.frame import AtDesk, rows_of, visitors
from gateway.console.render import render

routes = APIRouter(include_in_schema=False)
Leader = Annotated[Actor, visitors("console.complaints:lead", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]
CENTRE = (Role.HQ, Role.COMPLIANCE)
OF_CASE = {"case_id": "case_id", "accountability_id": "accountability_id"}
ALARM = {"alarm_id": "alarm_id"}


@routes.get("/complaints/supervision")
async def show_supervision(
    request: Request, visitor: Leader, desk: AtDesk, branch: Annotated[str, text_of(64)] = ""
) -> Response:
    """What leaders of complaints look at and do; `branch`: whose reception days are shown."""
    today = await desk.today()
    month = f"{today:%Y-%m}"
    place = branch.strip() or (visitor.branch_id or "")
    sections = [
        Section(
            "Escalations", "/v1/complaints/escalations?limit=100", ("at", "case_id", "clock", "step", "to", "seat"),
            (RowAct("acknowledge", {name: name for name in ("case_id", "clock", "step")}),),
        ),
        Section(
            "Accountability", "/v1/complaints/accountability?limit=100",
            ("opened_at", "case_id", "branch_id", "against", "cause", "plan_owner", "due_on", "overdue"),
            (
                RowAct("account", OF_CASE, lambda row: not row["concluded"]),
                RowAct("carry_out", OF_CASE, lambda row: row["concluded"] and not row["carried_out"]),
            ),
        ),
        Section(
            "Radar", "/v1/complaints/alarms?limit=100",
            ("opened_on", "last_on", "dimension", "value", "cases", "group_case_id", "root_cause", "owner", "due_on", "overdue"),
            (
                RowAct("review_alarm", ALARM, lambda row: not row["reviewed_by"]),
                RowAct("complete_action", ALARM, lambda row: row["reviewed_by"] and not row["done"]),
            ),
        ),
        Section(
            "Monthly packs", "/v1/complaints/packs?limit=24",
            ("period", "cut_off", "made_at", "made_by", "sign_off_due", "to_sign", "signed_off_by", "signed_off_at", "late"),
            (RowAct("sign_off", {"period": "period"}, lambda row: not row["signed_off_at"]),),
            {"make_pack": {"period": month}}, CENTRE, "/v1/complaints/packs/{period}/archive",
        ),
        Section(
            "Duties of branches this month", f"/v1/complaints/duties/{month}", ("branch_id", "nil_report", "reception_day"),
            begins={"nil_report": {"branch_id": place, "month": month}} if place else {}, begun_by=(Role.BRANCH_MANAGER,),
        ),
        Section("Channels of branches", "/v1/complaints/channels", ("branch_id", "phone", "mailbox", "published_at", "missing")),
    ]  # fmt: skip
    if place:
        sections.insert(4, Section(
            "Reception days", f"/v1/complaints/branches/{quote(place, safe='')}/reception-days", ("day", "leader", "published_at", "visits"),
            (RowAct("register_visit", {"day": "day"}, place={"branch_id": place}),),
            {"publish_reception_day": {"branch_id": place}}, (Role.BRANCH_MANAGER,),
        ))  # fmt: skip
    radar = await desk.get("/v1/complaints/alarms", {"limit": 100}, purpose="complaint")
    here = f"/complaints/supervision?{urlencode({'branch': branch})}" if branch else "/complaints/supervision"
    return await board(
        request,
        desk,
        "Supervision of complaints",
        sections,
        here=here,
        purpose="complaint",
        radar=map_of(rows_of(radar)),
    )


def map_of(alarms: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, int, str]]]]:
    """The radar as a map: of each dimension what is many, the most first, with where its cases are."""
    found: dict[str, list[tuple[str, int, str]]] = {}
    for row in alarms:
        found.setdefault(row["dimension"], []).append(
            (row["value"], row["cases"], f"/complaints/clusters/{row['alarm_id']}")
        )
    return [(name, sorted(rows, key=lambda one: (-one[1], one[0]))) for name, rows in sorted(found.items())]


@routes.get("/complaints/clusters/{alarm_id}")
async def show_cluster(
    request: Request, _: Leader, desk: AtDesk, alarm_id: Id, cursor: Annotated[str, text_of(2000)] = ""
) -> Response:
    """The cases of a cluster, each a case of its own."""
    members = await desk.get(f"/v1/complaints/alarms/{alarm_id}/members", {"limit": 100, "cursor": cursor}, purpose="complaint")  # fmt: skip
    if not members.found:
        page = render(request, "problem_here.html", part=members, back="/complaints/supervision")
        page.status_code = members.status
        return page
    return render(
        request, "complaints/cluster.html", rows=rows_of(members),
        following=urlencode({"cursor": members.data["next"]}) if members.data["next"] else "",
    )  # fmt: skip
