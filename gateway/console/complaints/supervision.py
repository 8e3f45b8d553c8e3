"""Supervision of complaints: escalations, accountability, the radar with its reviews, duties and reception days of branches,
monthly packs with their sign-off, channels."""

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Actor, Role
from contracts.fields import text_of
from gateway.console.boards import RowAct, Section, board
from gateway.console.frame import AtDesk, visitors

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
    here = f"/complaints/supervision?{urlencode({'branch': branch})}" if branch else "/complaints/supervision"
    return await board(request, desk, "Supervision of complaints", sections, here=here, purpose="complaint")
