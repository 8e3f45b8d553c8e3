"""People and keys: who may sign in, which keys open, which sessions are open; what opens a door waits for a second person."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.actor import Role
from gateway.console.boards import RowAct, Section, board
from gateway.console.frame import AtDesk, visitors

routes = APIRouter(include_in_schema=False)
DECIDING = (Role.HQ, Role.OPERATIONS)
Keeper = visitors("console.access:read", *DECIDING)
NAME = {"name": "name"}
SECTIONS = (
    Section(
        "Users", "/v1/users", ("name", "role", "branch_id", "disabled", "made_at"),
        (
            RowAct("disable_user", NAME, lambda row: not row["disabled"]),
            RowAct("enable_user", NAME, lambda row: bool(row["disabled"])),
            RowAct("set_password", NAME),
            RowAct("remove_user", NAME),
        ),
        {"add_user": {}}, DECIDING,
    ),
    Section(
        "Keys of systems and people", "/v1/keys", ("name", "role", "branch_id", "person", "made_at", "disabled", "revoked_at"),
        (
            RowAct("disable_key", NAME, lambda row: not row["disabled"] and not row["revoked_at"]),
            RowAct("enable_key", NAME, lambda row: bool(row["disabled"]) and not row["revoked_at"]),
            RowAct("remove_key", NAME, lambda row: not row["revoked_at"]),
        ),
    ),
    Section(
        "Sessions", "/v1/sessions", ("subject", "person", "role", "branch_id", "kind", "issued_at", "expires_at", "active"),
        (RowAct("end_session", {"session_id": "id"}, lambda row: row["active"]),),
        {"revoke_sessions": {}}, DECIDING,
    ),
)  # fmt: skip


@routes.get("/operations/access", dependencies=[Keeper])
async def show_access(request: Request, desk: AtDesk) -> Response:
    """Users, keys and sessions with what can be done about each."""
    return await board(request, desk, "People and keys", SECTIONS, here="/operations/access")
