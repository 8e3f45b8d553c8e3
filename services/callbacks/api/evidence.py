"""Evidence over HTTP: upload, reference, supervisor's approval, download."""

from typing import Annotated, Literal

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from chassis.http import Once, Uploaded, Work, gives, router, takes
from contracts.fields import Identifier, Instant, text_of
from services.callbacks import evidence
from services.callbacks.api.access import Leader, Reader, Server, require_client, require_view

routes = router("/v1/callbacks/clients/{client_id}/evidence", "callbacks evidence")
Kind = Literal["recording", "letter", "survey", "visit", "screenshot", "e_mail"]


class Kept(BaseModel):
    """The evidence's id: the SHA-256 of the content, or of the reference."""

    evidence_id: str


class Reference(BaseModel):
    """A recording that the phone system keeps."""

    reference: Annotated[str, text_of(200, 3)]
    kind: Kind = "recording"
    recorded_at: Instant | None = Field(None, description="when it was recorded: the time of the call it proves")


class Approval(BaseModel):
    """A supervisor's word that a recording failed and the call still counts."""

    reason: Annotated[str, text_of(400, 5)]


@routes.put("", status_code=201, openapi_extra=takes(evidence.LARGEST_BYTES))
async def upload(
    actor: Server,
    given: Uploaded,
    uow: Work,
    request: Request,
    client_id: Identifier,
    kind: Kind = "recording",
    recorded_at: Instant | None = None,
) -> Kept:
    """Upload content, 50 MB at most; the same content again is the same evidence."""
    await require_client(uow.sql, actor, client_id)
    content = b"".join(given.parts())
    media_type = request.headers.get("content-type", "application/octet-stream")[:100]
    store = evidence.store_of(uow.database.settings)
    return Kept(evidence_id=await evidence.keep(uow, store, client_id, kind, content, media_type, recorded_at))


@routes.post("/references", status_code=201)
async def refer(actor: Server, uow: Work, client_id: Identifier, given: Reference) -> Kept:
    """Name a recording kept by the phone system."""
    await require_client(uow.sql, actor, client_id)
    return Kept(evidence_id=await evidence.refer(uow, client_id, given.kind, given.reference, given.recorded_at))


@routes.post("/approvals", status_code=201)
async def approve_failed_recording(
    actor: Leader, uow: Work, once: Once, client_id: Identifier, given: Approval
) -> Kept:
    """A supervisor approves that a call counts although its recording failed [B8]."""
    await require_client(uow.sql, actor, client_id)
    reference = f"approval/{once.key}/{given.reason}"
    return Kept(evidence_id=await evidence.refer(uow, client_id, "approval", reference))


@routes.get("/{evidence_id}", response_class=Response, responses=gives("*/*"))
async def download(actor: Reader, uow: Work, client_id: Identifier, evidence_id: Identifier) -> Response:
    """The content, checked against its hash before it is given out."""
    await require_view(uow.sql, actor, client_id)
    store = evidence.store_of(uow.database.settings)
    content, media_type = await evidence.content_of(uow.sql, store, evidence_id, client_id)
    return Response(
        content, media_type=media_type, headers={"content-disposition": f'attachment; filename="{evidence_id}"'}
    )
