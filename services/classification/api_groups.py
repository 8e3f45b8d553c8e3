"""HTTP in: a client's groups, value, core and lifecycle, and why; what staff write about lifecycle stages."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import Query
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.errors import Conflict, Invalid, Text
from chassis.http import Listing, Once, Page, Reading, Work, object_scope, permits, router
from chassis.rows import columns, fetch
from contracts.classification import GroupCode, LifecycleCode, TagCode, ValueType
from contracts.fields import BusinessDate, Identifier, form_of, text_of
from services.classification import group_explain, views
from services.classification.api import AsOf, KnownAt, Lister, Reader, seen
from services.classification.group_policies import BIT
from services.classification.group_rules import primary_of, tags_of
from services.classification.group_tables import LifecycleDecision, LifecycleNote
from services.classification.group_views import GroupsInForce, groups_on
from services.classification.policy import Policies
from services.classification.views import ONE_DAY, Client

routes = router("/v1/classification", "classification")
Writer = Annotated[Actor, permits("lifecycle:note", Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.OPERATIONS)]
LOST_REASONS = ("COMPETITOR", "FEES", "SERVICE", "MARKET", "PERSONAL", "UNREACHABLE", "OTHER")


class NotInStage(Conflict):
    """The client has not entered that lifecycle stage on that day: read the client's groups for the stages it entered."""

    title = Text("The client did not enter that stage then", "客户当日未进入该生命周期阶段")


class UnknownReason(Invalid):
    """The reason why a client was lost is a code of the list."""

    title = Text("Unknown reason", "未知流失原因")


class TagView(BaseModel):
    """A stretch of a tag; `to` is exclusive, absent while it lasts."""

    tag: TagCode
    since: date = Field(alias="from")
    until: date | None = Field(alias="to")


class GroupsView(BaseModel):
    """Groups, value, core and lifecycle on a day."""

    client_id: str
    branch_id: str
    as_of: date | None
    primary: GroupCode | None
    tags: list[TagCode]
    since: date | None
    lifecycle: LifecycleCode
    lifecycle_since: date | None
    value: str | None
    value_type: ValueType | None
    core: bool
    stretches: list[TagView]


class ListedGroup(BaseModel):
    """A client in a list of a group."""

    client_id: str
    branch_id: str
    primary: GroupCode
    tags: list[TagCode]


class Note(BaseModel):
    """What staff write about an entry into a stage: why a client was lost, or what was done about it."""

    kind: Literal["reason", "reaction"]
    entered_on: BusinessDate
    code: Annotated[str, form_of("[A-Z_]{2,40}", 40, "the code of a reason", "PRICE")]
    note: Annotated[str, text_of(1000)] = ""


class NoteView(Note):
    """A note with its author."""

    lifecycle: LifecycleCode
    at: datetime
    by: str


class StageCount(BaseModel):
    """How many clients of a branch entered a stage, and for how many a reason was written."""

    branch_id: str
    lifecycle: LifecycleCode
    entered: int
    with_reason: int
    reasons: dict[str, int]


@routes.get("/clients/{client_id}/groups")
async def read_groups(
    actor: Reader, sql: Reading, client_id: Identifier, as_of: AsOf = None, known_at: KnownAt = None
) -> GroupsView:
    """Primary group, tags with their stretches, value, core and lifecycle on a day [K7, V1, V2, V5]."""
    who = await seen(actor, sql, client_id, known_at)
    day, held = await _held(sql, who, as_of, known_at)
    opened, value = held.primary_opened, held.value.value if held.value else None
    return GroupsView.model_validate(
        {
            "client_id": client_id,
            "branch_id": who.branch_id,
            "as_of": day,
            "primary": primary_of(opened.tags) if opened else None,
            "tags": tags_of(held.tags or 0),
            "since": opened.effective_on if opened else None,
            "lifecycle": held.lifecycle.lifecycle if held.lifecycle else "ESTABLISHED",
            "lifecycle_since": held.lifecycle.effective_on if held.lifecycle else None,
            "value": None if value is None else f"{value:.2f}",
            "value_type": held.value.value_type if held.value else None,
            "core": bool(held.core and held.core.core),
            "stretches": [{"tag": s.tag, "from": s.since, "to": s.until} for s in held.stretches],
        }
    )


@routes.get("/clients/{client_id}/groups/explain")
async def explain_groups(
    actor: Reader, sql: Reading, client_id: Identifier, as_of: AsOf = None, known_at: KnownAt = None
) -> dict[str, Any]:
    """Why groups, value, core and lifecycle are what they are: inputs, rules, policies, sentences in zh-CN and en."""
    who = await seen(actor, sql, client_id, known_at)
    day, held = await _held(sql, who, as_of, known_at)
    return {
        "client_id": client_id,
        "as_of": day,
        "group": group_explain.of_groups(held, who.opened_on, (await Policies.read(sql)).groups),
        "value": group_explain.of_value(held),
        "lifecycle": group_explain.of_lifecycle(held),
    }


async def _held(
    sql: asyncpg.Connection, who: Client, as_of: date | None, known_at: datetime | None
) -> tuple[date | None, GroupsInForce]:
    day = as_of or await views.closed_through(sql)
    return day, await groups_on(sql, who.client_id, day + ONE_DAY if day else who.opened_on, known_at)


@routes.get("/groups/{tag}/clients")
async def list_group(
    actor: Lister, sql: Reading, page: Page, tag: TagCode, primary_only: bool = False
) -> Listing[ListedGroup]:
    """Clients that match a group now, by id; staff of a branch see their own."""
    scope, arguments = object_scope(actor, 5)
    rows = await sql.fetch(
        f"""SELECT client_id, branch_id, tags FROM group_standings JOIN clients USING (client_id)
            WHERE tags & $1 <> 0 AND (NOT $2 OR tags & ($1 - 1) = 0) AND ($3::text IS NULL OR client_id > $3) AND {scope}
            ORDER BY client_id LIMIT $4""",
        BIT[tag],
        primary_only,
        page.after[0] if page.after else None,
        page.limit + 1,
        *arguments,
    )
    listed = [
        {"client_id": c, "branch_id": b, "primary": primary_of(tags), "tags": tags_of(tags)} for c, b, tags in rows
    ]
    return Listing[ListedGroup].model_validate(page.result(listed, lambda row: (row["client_id"],)))


@routes.post("/clients/{client_id}/lifecycle/notes", status_code=201)
async def write_note(actor: Writer, uow: Work, once: Once, client_id: Identifier, note: Note) -> NoteView:
    """Write why a client was lost, or what was done about a stage it entered [V5]."""
    await seen(actor, uow.sql, client_id)
    if note.kind == "reason" and note.code not in LOST_REASONS:
        raise UnknownReason(Text(f"one of {', '.join(LOST_REASONS)}", f"可选：{'、'.join(LOST_REASONS)}"))
    decided = await views.decisions(uow.sql, LifecycleDecision, client_id, None)
    entry = next((d for d in decided if d.effective_on == note.entered_on), None)
    if entry is None or (note.kind == "reason" and entry.lifecycle != "LOST"):
        raise NotInStage
    await uow.sql.execute(
        "INSERT INTO lifecycle_notes VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        client_id,
        note.entered_on,
        note.kind,
        uow.now,
        entry.lifecycle,
        note.code,
        note.note,
        actor.person,
    )
    uow.audit("lifecycle_note", f"client/{client_id}", key=client_id, **note.model_dump(mode="json", exclude={"note"}))
    return NoteView(**note.model_dump(), lifecycle=entry.lifecycle, at=uow.now, by=actor.person)


@routes.get("/clients/{client_id}/lifecycle/notes")
async def list_notes(actor: Reader, sql: Reading, client_id: Identifier) -> Listing[NoteView]:
    """What staff wrote about a client's stages, newest first."""
    await seen(actor, sql, client_id)
    notes = await fetch(
        sql,
        LifecycleNote,
        f"SELECT {columns(LifecycleNote)} FROM lifecycle_notes WHERE client_id = $1 ORDER BY at DESC",
        client_id,
    )
    return Listing[NoteView](items=[NoteView.model_validate(note, from_attributes=True) for note in notes])


@routes.get("/lifecycle/statistics")
async def count_stages(
    actor: Lister,
    sql: Reading,
    first: Annotated[BusinessDate, Query(alias="from")],
    last: Annotated[BusinessDate, Query(alias="to")],
) -> list[StageCount]:
    """How many clients entered each stage from a day to another, by branch, and the reasons written for lost ones."""
    scope, arguments = object_scope(actor, 3)
    rows = await sql.fetch(
        f"""WITH entered AS (
                SELECT c.client_id, c.branch_id, d.lifecycle, d.effective_on FROM lifecycle_decisions d
                JOIN clients c USING (client_id)
                WHERE d.effective_on BETWEEN $1 AND $2 AND {scope.replace("client_id", "c.client_id")}
                  AND NOT EXISTS (SELECT FROM superseded x WHERE x.kind = 'lifecycle_decisions'
                                  AND x.partition = d.partition AND x.number = d.number)),
            noted AS (
                SELECT DISTINCT ON (e.client_id, e.effective_on) e.*, n.code FROM entered e
                LEFT JOIN lifecycle_notes n ON n.client_id = e.client_id AND n.entered_on = e.effective_on
                    AND n.kind = 'reason'
                ORDER BY e.client_id, e.effective_on, n.at DESC)
            SELECT branch_id, lifecycle, code, count(*) AS clients FROM noted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        first,
        last,
        *arguments,
    )
    counts: dict[tuple[str, str], StageCount] = {}
    for branch_id, lifecycle, code, clients in rows:
        count = counts.setdefault(
            (branch_id, lifecycle),
            StageCount(branch_id=branch_id, lifecycle=lifecycle, entered=0, with_reason=0, reasons={}),
        )
        count.entered += clients
        if code:
            count.with_reason += clients
            count.reasons[code] = clients
    return list(counts.values())
