"""Files of a case: recordings, letters, photos, in and out part by part."""

from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from chassis.actor import Actor
from chassis.database import Database
from chassis.errors import NotFound
from chassis.http import Reading, Uploaded, Work, gives, permits, router, takes
from contracts.fields import Code, Id, Label
from services.complaints import attachments, cases
from services.complaints.api.findings import Made
from services.complaints.api.shapes import READERS, STAFF

routes = router("/v1/complaints/cases/{case_id}/attachments", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Reader = Annotated[Actor, permits("complaints.duties:read", *READERS)]


async def _case_seen(actor: Handler, request: Request, case_id: Id) -> None:
    database: Database = request.app.state.database
    async with database.reading() as sql:
        await cases.seen(sql, actor, case_id)


Seen = Annotated[None, Depends(_case_seen)]


@routes.post("", status_code=201, openapi_extra=takes(attachments.LARGEST_BYTES))
async def attach(
    _: Handler,
    _seen: Seen,
    upload: Uploaded,
    uow: Work,
    case_id: Id,
    request: Request,
    name: Label,
    role: Annotated[Literal["recording", "letter", "photo", "other"], Query()] = "other",
) -> Made:
    """Attach a file of up to 100 MB: PDF, PNG, JPEG, WAV, MP3 or Ogg, by what its bytes say. Once more is a repeat."""
    kind = attachments.check(upload, request.headers.get("content-type", ""))
    at, case = cases.moment(uow, None), await cases.locked(uow, case_id)
    if await attachments.keep(uow, case_id, upload, kind, name, role):
        await cases.change(uow, case, "attached", at, detail={"sha256": upload.sha256, "role": role})
    return Made(id=upload.sha256)


@routes.get("/{sha256}", response_class=Response, responses=gives("*/*"))
async def read_attachment(
    actor: Reader, sql: Reading, request: Request, case_id: Id, sha256: Code
) -> StreamingResponse:
    """An attached file."""
    await cases.seen(sql, actor, case_id)
    row = await sql.fetchrow(
        """SELECT a.type, a.size FROM case_attachments c JOIN attachments a USING (sha256)
           WHERE c.case_id = $1 AND c.sha256 = $2""",
        case_id,
        sha256,
    )
    if row is None:
        raise NotFound
    headers = {
        "content-disposition": "attachment",
        "x-content-type-options": "nosniff",
        "content-length": str(row["size"]),
        "etag": f'"{sha256}"',
    }
    database: Database = request.app.state.database
    return StreamingResponse(attachments.streamed(database, sha256), media_type=row["type"], headers=headers)
