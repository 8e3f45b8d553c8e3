"""Monthly, quarterly and yearly packs: who has to sign them off and who was late [C15, C21]."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from chassis import staff
from chassis.actor import Actor
from chassis.errors import Conflict, Forbidden, NotFound, Text
from chassis.http import Listing, Page, Reading, Work, gives, permits, router
from chassis.staff import HQ, SALES_TRADING
from chassis.timeline import effective_now
from contracts.fields import Code
from services.complaints.api.shapes import CENTRE, NotOver
from services.complaints.packs import making
from services.complaints.packs.figures import period_of

routes = router("/v1/complaints/packs", "complaints")
Archivist = Annotated[Actor, permits("complaints.packs:make", *CENTRE)]


class PackExists(Conflict):
    """The pack of a period is made once; nothing overwrites it [C15]."""

    title = Text("The pack was made already", "该期档案已生成")


class NotToSign(Forbidden):
    """Only 销售交易总部, or who stands in for it, signs a pack off [C15]."""

    title = Text("Somebody else has to sign this", "须由销售交易总部签核")


class Pack(BaseModel):
    """A pack: its archive never changes after this. `late`: it was not signed off by its day."""

    pack_id: str
    period: str
    cut_off: datetime
    made_at: datetime
    made_by: str
    manifest_sha256: str
    sign_off_due: date
    to_sign: list[str]
    reminded_at: datetime | None
    signed_off_by: str | None
    signed_off_at: datetime | None
    late: bool


def pack(row: Any) -> Pack:
    """A row as it is shown."""
    return Pack.model_validate(dict(row) | {"late": making.is_late(row)})


@routes.get("")
async def read_packs(_: Archivist, sql: Reading, page: Page) -> Listing[Pack]:
    """Packs, newest first: made when, to be signed off by whom and when, and which are late."""
    rows = await sql.fetch(
        f"""SELECT {making.SHOWN} FROM packs
            WHERE $1::text IS NULL OR (cut_off, pack_id) < ($1::text::timestamptz, $2::text)
            ORDER BY cut_off DESC, pack_id DESC LIMIT $3""",
        *(page.after or (None, None)),
        page.limit + 1,
    )
    found = page.result([pack(row) for row in rows], lambda one: (one.cut_off, one.pack_id))
    return Listing[Pack].model_validate(found)


@routes.post("/{period}", status_code=201)
async def make_pack(_: Archivist, uow: Work, period: Code) -> Pack:
    """Make the pack of a month (`2009-03`), quarter (`2009-Q1`) or year (`2009`) that has none; months and years are
    made by the close of their last day."""
    wanted = period_of(period)
    through = await uow.sql.fetchval("SELECT through FROM closed_days")
    if through is None or through < wanted.last:
        raise NotOver(closed_through=through.isoformat() if through else None)
    row = await making.make(uow, wanted)
    if row is None:
        raise PackExists
    return pack(row)


@routes.get("/{period}/archive", response_class=Response, responses=gives("application/zip"))
async def read_archive(_: Archivist, sql: Reading, request: Request, period: Code) -> StreamingResponse:
    """The archive as a file; `careline verify-pack` checks it."""
    size = await sql.fetchval("SELECT sum(octet_length(content)) FROM pack_parts WHERE pack_id = $1", period)
    if size is None:
        raise NotFound
    content = making.archive(request.app.state.database, period)
    return StreamingResponse(content, media_type="application/zip", headers={"content-length": str(size)})


@routes.post("/{period}/sign-off")
async def sign_off(actor: Archivist, uow: Work, period: Code) -> Pack:
    """Sign a pack off: 销售交易总部 or its stand-in, and never who made it."""
    made_by = await uow.sql.fetchval("SELECT made_by FROM packs WHERE pack_id = $1 FOR UPDATE", period)
    if made_by is None:
        raise NotFound
    if made_by == actor.person:
        raise Forbidden(Text("whoever made a pack cannot sign it off", "编制人不能签核"))
    roster = await staff.roster(uow.sql)
    if not roster.stands_in_for(actor.person, HQ, SALES_TRADING, await effective_now(uow.sql, uow.now)):
        raise NotToSign
    return pack(await making.sign(uow, period))
