"""The watch over HTTP: mismatches, matches that no longer hold, patterns of gaming, holds, erasure."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Listing, Page, Reading, Work, object_scope, permits, router
from chassis.http.approvals import ApprovalView, view
from chassis.http.language import Language
from contracts.fields import BusinessDate, Identifier
from services.suitability import retention
from services.suitability.api.shapes import CONTROL, STAFF, Body, Words, require_client, see_client
from services.suitability.drift import Cause
from services.suitability.errors import WrongState
from services.suitability.rules import Mismatch as Reason

routes = router("/v1/suitability", "suitability")
Reader = Annotated[Actor, permits("suitability.watch:read", *STAFF)]
Handler = Annotated[Actor, permits("suitability.watch:handle", Role.CLIENT_MANAGER, *CONTROL)]
Compliance = Annotated[Actor, permits("suitability.holds", Role.COMPLIANCE)]
Eraser = Annotated[Actor, permits("suitability.records:erase", Role.COMPLIANCE, Role.OPERATIONS)]


class Mismatch(BaseModel):
    """A settled buy that was not covered; `confirmation` is the decision that allowed it, null: unexplained."""

    client_id: str
    trade_id: str
    branch_id: str
    trade_date: date
    symbol: str
    needed: str | None
    held: str | None
    reason: Reason
    confirmation: str | None


class Drift(BaseModel):
    """A holding or confirmation a client's level no longer covers."""

    drift_id: str
    cause: Cause
    client_id: str
    branch_id: str | None
    product: str
    what: Literal["holding", "confirmation"]
    needed: str | None
    held: str | None
    found_on: date
    state: Literal["open", "handled"]
    handled_by: str | None
    note: str | None


class Progress(BaseModel):
    """How far a cause of a day has been worked off."""

    cause: str
    found_on: date
    open: int
    handled: int


class Finding(BaseModel):
    """A pattern of gaming."""

    pattern: str
    subject: str
    found_on: date
    client_id: str | None
    branch_id: str | None
    detail: dict[str, Any]
    state: str
    note: str | None


class Note(Body):
    """What was done."""

    note: Words


class Records(BaseModel):
    """Rows of a client by table: what an erasure removes, what it keeps, and what it is refused for, until when."""

    client_id: str
    keep_until: date | None
    held: bool
    account_open: bool = Field(description="nothing is erased of who has an account", examples=[False])
    removes: dict[str, int]
    keeps: dict[str, int]


class Judgement(Body):
    """What compliance thinks of a finding."""

    pattern: Words
    subject: Words
    found_on: BusinessDate
    state: Literal["dismissed", "upheld"]
    note: Words


class HoldView(BaseModel):
    """A legal hold: why, by whom, and whether it was lifted."""

    hold_id: Annotated[str, Field(description="the hold", examples=["01890a5d-ac96-774b-bcce-b302099a8057"])]
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None


class Hold(Body):
    """Why nothing may be deleted."""

    reason: Words


@routes.get("/mismatches")
async def list_mismatches(
    actor: Reader, sql: Reading, page: Page, reason: Reason | None = None, unexplained: bool = False
) -> Listing[Mismatch]:
    """Settled buys that were not covered on their trade date: by the level in force, or by shelf and permission."""
    condition, arguments = object_scope(actor, 6)
    client, trade = page.after or ("", "")
    rows = await sql.fetch(
        f"""SELECT * FROM mismatches WHERE (client_id, trade_id) > ($1, $2) AND ($3::text IS NULL OR reason = $3)
            AND (NOT $4 OR confirmation IS NULL) AND {condition} ORDER BY client_id, trade_id LIMIT $5""",
        str(client),
        str(trade),
        reason,
        unexplained,
        page.limit + 1,
        *arguments,
    )
    found = page.result([dict(row) for row in rows], lambda row: (row["client_id"], row["trade_id"]))
    return Listing[Mismatch].model_validate(found)


@routes.get("/drifts")
async def list_drifts(
    actor: Reader, sql: Reading, page: Page, state: Literal["open", "handled"] = "open"
) -> Listing[Drift]:
    """Holdings and confirmations that no longer match, to be worked off."""
    condition, arguments = object_scope(actor, 4)
    rows = await sql.fetch(
        f"SELECT * FROM drifts WHERE state = $1 AND drift_id > $2 AND {condition} ORDER BY drift_id LIMIT $3",
        state,
        str((page.after or ("",))[0]),
        page.limit + 1,
        *arguments,
    )
    found = page.result([dict(row) for row in rows], lambda row: (row["drift_id"],))
    return Listing[Drift].model_validate(found)


@routes.get("/drifts/progress")
async def drift_progress(actor: Reader, sql: Reading) -> list[Progress]:
    """How many of each cause and day are open and handled, newest first."""
    condition, arguments = object_scope(actor, 1)
    rows = await sql.fetch(
        f"""SELECT cause, found_on, count(*) FILTER (WHERE state = 'open') AS open,
                   count(*) FILTER (WHERE state = 'handled') AS handled
            FROM drifts WHERE {condition} GROUP BY cause, found_on ORDER BY found_on DESC, cause LIMIT 400""",
        *arguments,
    )
    return [Progress.model_validate(dict(row)) for row in rows]


@routes.post("/drifts/{drift_id}/handled")
async def handle_drift(actor: Handler, uow: Work, drift_id: Identifier, body: Note) -> Drift:
    """Say what was done about one."""
    row = await uow.sql.fetchrow("SELECT * FROM drifts WHERE drift_id = $1 FOR UPDATE", drift_id)
    if row is None:
        raise NotFound
    await require_client(uow.sql, actor, row["client_id"])
    if row["state"] != "open":
        raise WrongState
    done = await uow.sql.fetchrow(
        """UPDATE drifts SET state = 'handled', handled_by = $2, handled_at = $3, note = $4 WHERE drift_id = $1
           RETURNING *""",
        drift_id,
        uow.actor.person,
        uow.now,
        body.note,
    )
    assert done is not None
    uow.audit("handle drift", f"drift/{drift_id}", key=row["client_id"], note=body.note)
    return Drift.model_validate(dict(done))


@routes.get("/findings")
async def list_findings(actor: Reader, sql: Reading, page: Page) -> Listing[Finding]:
    """Patterns of gaming, newest first; a branch does not read what is suspected of itself, nor does anybody read of sheets
    that they entered."""
    condition, arguments = object_scope(actor, 6)
    own = "true" if actor.sees_all_branches else "pattern <> 'branch_pattern'"
    day, pattern, subject = page.after or ("9999-12-31", "", "")
    rows = await sql.fetch(
        f"""SELECT * FROM findings f WHERE {condition} AND {own}
              AND NOT EXISTS (SELECT FROM submissions s WHERE s.client_id = f.client_id AND s.submitted_by = $1
                              AND s.submitted_on <= f.found_on)
              AND (found_on < $2 OR found_on = $2 AND (pattern, subject) > ($3, $4))
            ORDER BY found_on DESC, pattern, subject LIMIT $5""",
        actor.person,
        date.fromisoformat(str(day)),
        str(pattern),
        str(subject),
        page.limit + 1,
        *arguments,
    )
    found = page.result([dict(row) for row in rows], lambda row: (row["found_on"], row["pattern"], row["subject"]))
    return Listing[Finding].model_validate(found)


@routes.post("/findings/judgement")
async def judge_finding(_: Compliance, uow: Work, body: Judgement) -> Finding:
    """Dismiss or uphold a finding."""
    row = await uow.sql.fetchrow(
        """UPDATE findings SET state = $4, note = $5, decided_by = $6, decided_at = $7
           WHERE pattern = $1 AND subject = $2 AND found_on = $3 AND state = 'open' RETURNING *""",
        body.pattern,
        body.subject,
        body.found_on,
        body.state,
        body.note,
        uow.actor.person,
        uow.now,
    )
    if row is None:
        raise NotFound
    uow.audit("judge finding", f"finding/{body.subject}", pattern=body.pattern, state=body.state)
    return Finding.model_validate(dict(row))


@routes.post("/clients/{client_id}/holds", status_code=201)
async def place_hold(actor: Compliance, uow: Work, client_id: Identifier, body: Hold) -> dict[str, str]:
    """Place a legal hold: nothing of the client may be deleted."""
    await see_client(uow.sql, actor, client_id)
    return {"hold_id": await retention.hold(uow, client_id, body.reason)}


@routes.get("/clients/{client_id}/holds")
async def list_legal_holds(actor: Eraser, sql: Reading, client_id: Identifier) -> list[HoldView]:
    """Legal holds of a client, those in force and those lifted, the newest first."""
    await see_client(sql, actor, client_id)
    rows = await sql.fetch("SELECT * FROM holds WHERE client_id = $1 ORDER BY placed_at DESC LIMIT 200", client_id)
    return [HoldView.model_validate(dict(row)) for row in rows]


@routes.delete("/holds/{hold_id}", status_code=202)
async def release_hold(_: Compliance, uow: Work, hold_id: Identifier, accept_language: Language = "") -> ApprovalView:
    """Ask for the end of a legal hold: a second person of compliance lifts it."""
    asked = await retention.ask_release(uow, hold_id)
    return view("suitability", retention.HOLD_RELEASE, asked, accept_language)


@routes.get("/clients/{client_id}/records")
async def list_records(actor: Eraser, sql: Reading, client_id: Identifier) -> Records:
    """What an erasure would remove and keep, how long it has to wait, and whether a hold forbids it."""
    await see_client(sql, actor, client_id)
    return Records(
        client_id=client_id,
        keep_until=await retention.keep_until(sql, client_id),
        held=await retention.is_held(sql, client_id),
        account_open=await retention.is_open(sql, client_id),
        **await retention.inventory(sql, client_id),
    )


@routes.delete("/clients/{client_id}/records")
async def erase_records(actor: Eraser, uow: Work, client_id: Identifier) -> dict[str, Any]:
    """Delete a client's records: refused under legal hold, while the account is open, and until 20 years after the last of them."""
    await see_client(uow.sql, actor, client_id)
    return await retention.erase(uow, client_id)
