"""Compliance and supervision on one page: findings, reviews, accountability, escalations, as far as the visitor may see them."""

from datetime import timedelta

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Role
from gateway.console.boards import RowAct, Section, board
from gateway.console.frame import AtDesk, visitors

routes = APIRouter(include_in_schema=False)
Watcher = visitors("console.compliance:read", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
ALL = (Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
PAGES = (
    ("/compliance/findings", "Findings of all services", ALL),
    ("/compliance/audit", "Audit", (Role.COMPLIANCE,)),
    ("/compliance/erasures", "Holds and erasures", (Role.HQ, Role.COMPLIANCE)),
    ("/compliance/coverage", "Proof of coverage", ALL),
    ("/compliance/proofs", "Evidence and packs", (Role.HQ, Role.COMPLIANCE)),
    ("/operations/messages", "Messages of the log", (Role.COMPLIANCE,)),
    ("/operations/trace", "Everything about one id", (Role.COMPLIANCE,)),
)
FLAGGED = ("entered_at", "client_id", "person", "channel", "flags", "words")
OVER = ("confirmed", "rejected", "superseded")
SECTIONS = (
    Section("Findings of callbacks", "/v1/callbacks/findings", ("raised_at", "client_id", "kind", "concerned", "raised_by", "notes")),
    Section("Findings of suitability", "/v1/suitability/findings?limit=200", ("found_on", "pattern", "subject", "client_id", "state", "note"),
        (RowAct("judge_finding", {"f.pattern": "pattern", "f.subject": "subject", "f.found_on": "found_on"}, lambda row: row["state"] == "open"),)),
    Section(
        "Calls to review", "/v1/callbacks/reviews", ("at", "client_id", "agent", "topic", "outcome", "risk", "phrases"),
        (RowAct("review_call", {"attempt_id": "attempt_id"}),),
    ),
    Section(
        "Assessments to review", "/v1/suitability/reviews?limit=100", ("opened_at", "client_id", "reasons", "state"),
        (RowAct("judge", {"review_id": "review_id"}, lambda row: row["state"] not in OVER),),
    ),
    Section(
        "Professional investors to decide", "/v1/suitability/approvals?kind=professional&limit=100",
        ("asked_at", "client_id", "asked_by", "why", "expires_at"),
    ),
    Section(
        "Trades above the level", "/v1/suitability/mismatches?limit=100",
        ("trade_date", "client_id", "symbol", "needed", "held", "reason", "confirmation"),
    ),
    Section(
        "What fits no more", "/v1/suitability/drifts?limit=100", ("found_on", "client_id", "product", "cause", "needed", "held", "state"),
        (RowAct("handle_drift", {"drift_id": "drift_id"}, lambda row: row["state"] == "open"),),
    ),
    Section("Accountability", "/v1/complaints/accountability?limit=100", ("due_on", "case_id", "against", "cause", "plan_owner", "overdue")),
    Section("Escalations", "/v1/complaints/escalations?limit=100", ("at", "case_id", "clock", "step", "to")),
    Section("Deadlines missed by callbacks", "/v1/callbacks/alarms?limit=100", ("raised_at", "client_id", "kind", "step", "told_to", "due_at")),
)  # fmt: skip


@routes.get("/compliance", dependencies=[Watcher])
async def show_compliance(request: Request, desk: AtDesk) -> Response:
    """Every list the visitor may see; one that is not theirs is left out, one that did not come says so."""
    today = await desk.today()
    words = Section(
        "Entries with words nobody should say",
        f"/v1/relationships/contacts/flagged?since={today - timedelta(days=31)}&until={today}&limit=100", FLAGGED,
    )  # fmt: skip
    role = desk.visitor.role
    return await board(
        request, desk, "Compliance", (*SECTIONS, words), here="/compliance",
        beside=[(path, title) for path, title, roles in PAGES if role in roles],
    )  # fmt: skip
