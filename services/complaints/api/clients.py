"""One client's complaints at a glance: the part of client 360 that complaints knows."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Reading, permits, require_sight, router
from chassis.timeline import today
from contracts.fields import Identifier
from services.complaints.api.shapes import READERS, Case, shown
from services.complaints.followed_histories import tier_on
from services.complaints.rules import OVER
from services.complaints.tables import CaseRow

routes = router("/v1/complaints/clients", "complaints")
Reader = Annotated[Actor, permits("complaints.cases:read", Role.CLIENT, *READERS)]
SHOWN = 20


class ClientComplaints(BaseModel):
    """Counts of everything, the newest cases, and for staff what was grumbled about."""

    client_id: str
    open: int
    closed: int
    upheld: int
    last_received_on: date | None
    cases: list[Case]
    tier: str | None
    grumbles: int | None
    churn_signals: int | None


@routes.get("/{client_id}")
async def read_client(actor: Reader, sql: Reading, client_id: Identifier) -> ClientComplaints:
    """A client's cases, newest first (20 at most), how many are open, and the grumbles (抱怨) heard of them."""
    known = await sql.fetchrow("SELECT branch_id FROM clients WHERE client_id = $1", client_id)
    counts = await sql.fetchrow(
        """SELECT count(*) FILTER (WHERE state <> ALL($2::text[])) AS open, count(*) AS all,
                  count(*) FILTER (WHERE upheld) AS upheld, max(received_on) AS last_received_on,
                  min(branch_id) AS branch_id
           FROM cases WHERE client_id = $1 AND NOT restricted""",
        client_id,
        list(OVER),
    )
    assert counts is not None
    if known is None and not counts["all"]:
        raise NotFound
    require_sight(actor, client_id, known["branch_id"] if known else counts["branch_id"], centre=True)
    rows = await sql.fetch(
        """SELECT * FROM cases WHERE client_id = $1 AND NOT restricted
           ORDER BY received_at DESC, case_id DESC LIMIT $2""",
        client_id,
        SHOWN,
    )
    grumbles = await sql.fetchrow(
        "SELECT count(*) AS heard, count(signal) AS signals FROM pre_complaints WHERE client_id = $1", client_id
    )
    assert grumbles is not None
    staff = actor.role is not Role.CLIENT
    day = await today(sql)
    return ClientComplaints(
        client_id=client_id,
        open=counts["open"],
        closed=counts["all"] - counts["open"],
        upheld=counts["upheld"],
        last_received_on=counts["last_received_on"],
        cases=[shown(actor, CaseRow(**row)) for row in rows],
        tier=await tier_on(sql, client_id, day),
        grumbles=grumbles["heard"] if staff else None,
        churn_signals=grumbles["signals"] if staff else None,
    )
