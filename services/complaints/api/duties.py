"""What branches owe and headquarters watches: channels, grumbles, nil reports, reception days, alarms, packs, files."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel
from uuid_utils import uuid7

from chassis import staff
from chassis.actor import Actor, Role
from chassis.calendars import current
from chassis.errors import Conflict, Forbidden, NotFound, Text
from chassis.http import Reading, Work, permits, router
from chassis.personal import mask_text
from chassis.secrets import signing_key
from chassis.staff import HQ
from services.complaints import cases
from services.complaints.api.findings import Made
from services.complaints.api.shapes import CENTRE, READERS, STAFF, Act, Body, Day, Label, Name, PathName, Words
from services.complaints.packs.bundle import bundle
from services.complaints.packs.figures import period_of, read_figures
from services.complaints.words import cipher

routes = router("/v1/complaints", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]
Reader = Annotated[Actor, permits("complaints.duties:read", *READERS)]
Anybody = Annotated[Actor, permits("complaints.channels:read", Role.CLIENT, *READERS)]
Manager = Annotated[Actor, permits("complaints.duties:file", Role.BRANCH_MANAGER)]
Archivist = Annotated[Actor, permits("complaints.packs:make", *CENTRE)]


class PackExists(Conflict):
    """The pack of a period is made once; nothing overwrites it [C15]."""

    title = Text("The pack was made already", "该期档案已生成")


class NotOver(Conflict):
    """The period is not over, or its last day is not closed: its figures are not final."""

    title = Text("The period is not closed", "该期间尚未关闭")


class NotNil(Conflict):
    """The branch has complaints in that month: there is nothing nil to report."""

    title = Text("The branch has complaints in that month", "该月有投诉，不能零报告")


class PublishedChannel(BaseModel):
    """How to complain at a branch, where that is published, and what is missing [C2]."""

    branch_id: str
    phone: str
    mailbox: str
    published_at: list[str]
    missing: list[str]


MEDIA = ("website", "branch_premises", "customer_agreements", "promotional_material")


@routes.get("/channels")
async def read_channels(_: Anybody, sql: Reading) -> list[PublishedChannel]:
    """The complaint phone and mailbox of every branch, and in which of the four media they are published [C2]."""
    now = await sql.fetchval("SELECT clock_timestamp()")
    found = await staff.roster(sql)
    shown = []
    for branch_id in sorted(found.places):
        place = found.branch(branch_id, now)
        if place is None or place.closed_on is not None:
            continue
        missing = [name for name in ("phone", "mailbox") if not getattr(place, name)]
        missing += [medium for medium in MEDIA if medium not in place.published_at_places]
        shown.append(
            PublishedChannel(
                branch_id=branch_id,
                phone=place.phone,
                mailbox=place.mailbox,
                published_at=list(place.published_at_places),
                missing=missing,
            )
        )
    return shown


class Grumble(Act):
    """A grumble (抱怨) heard in any contact [A33]."""

    client_id: Name
    mood: Literal["calm", "annoyed", "angry"]
    words: Words
    tier: Name | None = None


class Heard(BaseModel):
    """What was kept; `signal` when it means the client may leave."""

    id: UUID
    signal: Literal["churn"] | None


@routes.post("/pre-complaints", status_code=201)
async def hear_grumble(actor: Handler, uow: Work, body: Grumble) -> Heard:
    """Log a grumble: two in 30 days, or one of a platinum client or above, are a signal; none is counted as nothing."""
    at = cases.moment(uow, body.at)
    limits = await cases.limits_of(uow, at)
    before: int = await uow.sql.fetchval(
        """SELECT count(*) FROM pre_complaints WHERE client_id = $1 AND heard_at <= $2
             AND heard_at > $2::timestamptz - make_interval(days => $3)""",
        body.client_id,
        at,
        limits.grumble_days,
    )
    signal: Literal["churn"] | None = None
    if before + 1 >= limits.grumbles or body.tier in {"PLATINUM", "DIAMOND"}:
        signal = "churn"
    made = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        """INSERT INTO pre_complaints (id, client_id, branch_id, heard_at, heard_by, mood, words, signal)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        made,
        body.client_id,
        actor.branch_id,
        at,
        actor.subject,
        body.mood,
        mask_text(body.words),
        signal,
    )
    uow.audit("hear grumble", f"pre-complaint/{made}", key=body.client_id, mood=body.mood, signal=signal)
    return Heard(id=made, signal=signal)


@routes.put("/branches/{branch_id}/nil-reports/{month}", status_code=201)
async def file_nil_report(actor: Manager, uow: Work, branch_id: PathName, month: str) -> Made:
    """Report a month without complaints (零报告); once more is a repeat [C15]."""
    period = period_of(month)
    _own_branch(actor, branch_id)
    if await uow.sql.fetchval(
        "SELECT EXISTS (SELECT FROM cases WHERE branch_id = $1 AND received_on BETWEEN $2 AND $3)",
        branch_id,
        period.first,
        period.last,
    ):
        raise NotNil
    await uow.sql.execute(
        """INSERT INTO nil_reports (branch_id, month, filed_by, filed_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING""",
        branch_id,
        period.first,
        actor.subject,
        uow.now,
    )
    uow.audit("file nil report", f"branch/{branch_id}", month=month)
    return Made(id=f"{branch_id}/{month}")


def _own_branch(actor: Actor, branch_id: str) -> None:
    if actor.branch_id != branch_id:
        raise NotFound


class ReceptionDay(Body):
    """A published leader reception day (领导接待日) [C16]."""

    day: Day
    leader: Name


class Visit(Body):
    """Somebody who came; what became of it is tracked [C16]."""

    visitor: Label
    matter: Words
    outcome: Words | None = None
    case_id: UUID | None = None


@routes.put("/branches/{branch_id}/reception-days", status_code=201)
async def publish_reception_day(actor: Manager, uow: Work, branch_id: PathName, body: ReceptionDay) -> Made:
    """Publish the month's reception day."""
    _own_branch(actor, branch_id)
    await uow.sql.execute(
        """INSERT INTO reception_days (branch_id, day, leader, published_at, published_by) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (branch_id, day) DO UPDATE SET leader = excluded.leader""",
        branch_id,
        body.day,
        body.leader,
        uow.now,
        actor.subject,
    )
    uow.audit("publish reception day", f"branch/{branch_id}", day=body.day.isoformat())
    return Made(id=f"{branch_id}/{body.day}")


@routes.post("/branches/{branch_id}/reception-days/{day}/visits", status_code=201)
async def register_visit(actor: Manager, uow: Work, branch_id: PathName, day: date, body: Visit) -> Made:
    """Register a visit to a reception day."""
    _own_branch(actor, branch_id)
    known = await uow.sql.fetchval("SELECT true FROM reception_days WHERE branch_id = $1 AND day = $2", branch_id, day)
    if not known:
        raise NotFound
    made = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        """INSERT INTO reception_visits (id, branch_id, day, visitor, matter, outcome, case_id, recorded_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        made,
        branch_id,
        day,
        cipher(uow.database.settings).encrypt("visitor", str(made), body.visitor),
        mask_text(body.matter),
        mask_text(body.outcome) if body.outcome else None,
        body.case_id,
        actor.subject,
    )
    uow.audit("register visit", f"branch/{branch_id}", visit=str(made))
    return Made(id=str(made))


class Missing(BaseModel):
    """What a branch still owes for a month."""

    branch_id: str
    nil_report: bool
    reception_day: bool


@routes.get("/duties/{month}")
async def read_duties(actor: Reader, sql: Reading, month: str) -> list[Missing]:
    """Which branches owe a nil report, and which published no reception day in a month [C15, C16]."""
    figures = await read_figures(sql, period_of(month), await _branches(sql))
    owing = sorted({*figures.missing_nil_reports, *figures.missing_reception_days})
    return [
        Missing(
            branch_id=branch,
            nil_report=branch in figures.missing_nil_reports,
            reception_day=branch in figures.missing_reception_days,
        )
        for branch in owing
        if actor.sees_all_branches or actor.branch_id == branch
    ]


async def _branches(sql: Any) -> list[str]:
    return sorted(set((await staff.roster(sql)).places) - {HQ})


class Pack(BaseModel):
    """A pack: its archive never changes after this."""

    pack_id: str
    period: str
    cut_off: datetime
    manifest_sha256: str
    sign_off_due: date
    signed_off_by: str | None


_PACK = "pack_id, period, cut_off, manifest_sha256, sign_off_due, signed_off_by"


@routes.post("/packs/{period}", status_code=201)
async def make_pack(_: Archivist, uow: Work, period: str) -> Pack:
    """Make a month's or year's pack from its frozen cut-off; a period has one pack."""
    wanted = period_of(period)
    through = await uow.sql.fetchval("SELECT through FROM closed_days")
    if through is None or through < wanted.last:
        raise NotOver(closed_through=through.isoformat() if through else None)
    limits = await cases.limits_of(uow, wanted.cut_off)
    due = wanted.sign_off_due(await current(uow.sql), limits.sign_off_working_days)
    figures = await read_figures(uow.sql, wanted, await _branches(uow.sql))
    content, digest = bundle(figures, signing_key(uow.database.settings, "seal"))
    row = await uow.sql.fetchrow(
        f"""INSERT INTO packs (pack_id, period, cut_off, made_at, made_by, manifest_sha256, bundle, sign_off_due)
            VALUES ($1, $1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING {_PACK}""",
        wanted.name,
        wanted.cut_off,
        uow.now,
        uow.actor.subject,
        digest,
        content,
        due,
    )
    if row is None:
        raise PackExists
    uow.audit("make pack", f"pack/{wanted.name}", manifest_sha256=digest)
    return Pack.model_validate(dict(row))


@routes.get("/packs/{period}/archive")
async def read_archive(_: Archivist, sql: Reading, period: str) -> Response:
    """The archive as a file; `careline verify-pack` checks it."""
    content = await sql.fetchval("SELECT bundle FROM packs WHERE pack_id = $1", period)
    if content is None:
        raise NotFound
    return Response(content, media_type="application/zip")


@routes.post("/packs/{period}/sign-off")
async def sign_off(actor: Archivist, uow: Work, period: str) -> Pack:
    """Sign a pack off; somebody else than who made it."""
    made_by = await uow.sql.fetchval("SELECT made_by FROM packs WHERE pack_id = $1 FOR UPDATE", period)
    if made_by is None:
        raise NotFound
    if made_by == actor.subject:
        raise Forbidden(Text("whoever made a pack cannot sign it off", "编制人不能签核"))
    row = await uow.sql.fetchrow(
        f"""UPDATE packs SET signed_off_by = coalesce(signed_off_by, $2), signed_off_at = coalesce(signed_off_at, $3)
            WHERE pack_id = $1 RETURNING {_PACK}""",
        period,
        actor.subject,
        uow.now,
    )
    uow.audit("sign off pack", f"pack/{period}")
    assert row is not None
    return Pack.model_validate(dict(row))
