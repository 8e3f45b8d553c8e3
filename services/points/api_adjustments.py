"""HTTP in: manual adjustments and points for suggestions, with maker and checker. Points are decimal strings."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.http import Listing, Once, Reading, Uploaded, Work, gives, permits, router, takes
from chassis.http.approvals import ApprovalView, view
from chassis.http.language import Language
from contracts.fields import Amount, BusinessDate, Code, Id, Identifier, Text500
from services.points import adjustments, proofs, suggestions
from services.points.accounts import as_amount
from services.points.api import seen

routes = router("/v1/points", "points")
Maker = Annotated[
    Actor, permits("points:adjust", Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ)
]  # fmt: skip
ProofReader = Annotated[
    Actor,
    permits("points:proofs:read", Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE),
]
Watcher = Annotated[Actor, permits("points:adjustments", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]


class Adjustment(BaseModel, extra="forbid"):
    """Points to give, or to take out where they are below zero; a reason of the policy, why, and the document it rests on: the
    SHA-256 of a file kept with the client, or a number of the firm's archive."""

    points: Amount
    reason: Code
    why: Text500
    attachment: Identifier


class Proof(BaseModel):
    """A file that is kept: an adjustment names it by its SHA-256."""

    sha256: Annotated[str, Field(description="the SHA-256 of the file, in hexadecimal", examples=["9f86d081" * 8])]
    type: str
    size: int


class Suggestion(BaseModel, extra="forbid"):
    """A suggestion that was adopted, and why it deserves points."""

    suggestion_id: Id
    why: Text500


class AdjustedSum(BaseModel):
    """What one person had posted in one branch, by size in points."""

    made_by: str
    branch_id: str | None
    size: str
    count: int
    raised: str
    lowered: str


async def _client_seen(actor: Maker, request: Request, client_id: Identifier) -> None:
    database: Database = request.app.state.database
    async with database.reading() as sql:
        await seen(actor, sql, client_id)


Seen = Annotated[None, Depends(_client_seen)]


@routes.post("/clients/{client_id}/proofs", status_code=201, openapi_extra=takes(proofs.LARGEST_BYTES))
async def keep_proof(_: Maker, _seen: Seen, upload: Uploaded, uow: Work, client_id: Identifier) -> Proof:
    """Keep a file that an adjustment rests on, of up to 5 MB: PDF, PNG or JPEG, by what its bytes say. Once more is a repeat."""
    kind = proofs.check(upload)
    await proofs.keep(uow, client_id, upload, kind)
    return Proof(sha256=upload.sha256, type=kind, size=upload.size)


@routes.get("/clients/{client_id}/proofs/{sha256}", response_class=Response, responses=gives("*/*"))
async def read_proof(
    actor: ProofReader, sql: Reading, request: Request, client_id: Identifier, sha256: Code
) -> Response:
    """A file that an adjustment rests on."""
    await seen(actor, sql, client_id)
    kind, content = await proofs.read(request.app.state.database, sql, client_id, sha256)
    headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff", "etag": f'"{sha256}"'}
    return Response(content, media_type=kind, headers=headers)


@routes.post("/clients/{client_id}/adjustments", status_code=202)
async def ask_for_adjustment(
    actor: Maker, uow: Work, _once: Once, client_id: Identifier, wanted: Adjustment, accept_language: Language = ""
) -> ApprovalView:
    """Ask for an adjustment: it is posted once another person agrees, within the limits of both their roles."""
    row = await seen(actor, uow.sql, client_id)
    points = int(wanted.points * 100)
    asked = await adjustments.ask(
        uow, client_id, row["branch_id"], points, wanted.reason, wanted.why, wanted.attachment
    )
    return view("points", adjustments.ADJUSTMENT, asked, accept_language)


@routes.post("/clients/{client_id}/suggestions", status_code=202)
async def propose_reward(
    actor: Maker, uow: Work, _once: Once, client_id: Identifier, adopted: Suggestion, accept_language: Language = ""
) -> ApprovalView:
    """Propose points for a suggestion: they are posted once another person agrees, once for each suggestion."""
    row = await seen(actor, uow.sql, client_id)
    asked = await suggestions.propose(uow, client_id, row["branch_id"], str(adopted.suggestion_id), adopted.why)
    return view("points", suggestions.SUGGESTION, asked, accept_language)


@routes.get("/adjustments")
async def sum_adjustments(
    actor: Watcher,
    sql: Reading,
    since: Annotated[BusinessDate, Query(description="the first day")],
    until: Annotated[BusinessDate, Query(description="the last day")],
) -> Listing[AdjustedSum]:
    """Statistics of adjustments by maker, branch and size: who adjusts how much."""
    found = await adjustments.sums(sql, actor, since, until)
    return Listing[AdjustedSum](
        items=[
            AdjustedSum(
                made_by=one.made_by, branch_id=one.branch_id, size=one.size, count=one.count,
                raised=str(as_amount(one.raised)), lowered=str(as_amount(one.lowered)),
            )
            for one in found
        ]
    )  # fmt: skip
