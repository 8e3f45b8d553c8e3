"""HTTP in: supplementary classifications entered by staff, their history, suggestions, and the register of annex 4."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Response
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.http import Listing, Once, Reading, Work, gives, object_scope, permits, registers, router
from chassis.timeline import today
from contracts.annex4 import COLUMNS
from contracts.classification import SupplementaryKind
from contracts.fields import Code, Identifier, number_of, text_of
from services.classification import register, supplementary, supplementary_tables
from services.classification.api import seen
from services.classification.explain import bilingual
from services.classification.policy import Policies
from services.classification.supplementary_rules import CODES, guardrails_of

routes = router("/v1/classification", "classification")
STAFF = (Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ)
StaffReader = Annotated[
    Actor, permits("supplementary:read", Role.AGENT, *STAFF, Role.COMPLIANCE, Role.OPERATIONS, Role.SYSTEM)
]
Score = Annotated[int, number_of(0, 2, "0, 1 or 2")]


class Factors(BaseModel):
    """The five factors of future value, 0 to 2 each [K5]."""

    wealth: Score
    income: Score
    profession: Score
    background: Score
    resources: Score


class Entry(BaseModel):
    """Codes to enter, with or without their namespace (`HABIT:D` or `D`); of preferences the first is primary."""

    codes: list[Code] = Field(min_length=1, max_length=6)
    scores: Factors | None = None
    note: Annotated[str, text_of(1000)] = ""


class EntryView(BaseModel):
    """An entry: by whom, when, and what the rule would have suggested."""

    entry_id: int
    kind: SupplementaryKind
    codes: list[str]
    names: list[dict[str, str]]
    scores: dict[str, int] | None
    suggested: str | None
    note: str
    made_by: str
    made_at: datetime


class Suggestion(BaseModel):
    """A code that a rule suggests; it counts only once somebody enters it."""

    kind: SupplementaryKind
    code: str
    suggestion: Literal[True] = True
    rule: str


class SupplementaryView(BaseModel):
    """The entries in force, what the rules suggest beside them, and the guardrails that follow."""

    client_id: str
    entries: list[EntryView]
    suggestions: list[Suggestion]
    guardrails: list[str]


@routes.get("/clients/{client_id}/supplementary")
async def read_supplementary(actor: StaffReader, sql: Reading, client_id: Identifier) -> SupplementaryView:
    """A client's supplementary classifications [K3], suggestions marked as such [K4, K5], guardrails."""
    await seen(actor, sql, client_id)
    day = await today(sql)
    entries = await supplementary.in_force(sql, client_id)
    found = await supplementary.suggestions(sql, client_id, day)
    codes = [code for entry in entries for code in entry.codes]
    return SupplementaryView(
        client_id=client_id,
        entries=[_view(entry) for entry in entries],
        suggestions=[
            Suggestion(kind=kind, code=code, rule={"HABIT": "K4", "VALUE": "K5"}[kind]) for kind, code in found.items()
        ],
        guardrails=guardrails_of(codes, (await Policies.read(sql)).supplementary.on(day).body),
    )


@routes.post("/clients/{client_id}/supplementary/{kind}", status_code=201)
async def enter_supplementary(
    actor: Annotated[Actor, permits("supplementary:write", *STAFF)],
    uow: Work,
    once: Once,
    client_id: Identifier,
    kind: SupplementaryKind,
    entry: Entry,
) -> EntryView:
    """Enter codes; what was entered before stays as history."""
    who = await seen(actor, uow.sql, client_id)
    scores = entry.scores.model_dump() if entry.scores else None
    return _view(await supplementary.enter(uow, who, kind, entry.codes, scores, entry.note))


@routes.get("/clients/{client_id}/supplementary/history")
async def read_supplementary_history(
    actor: StaffReader, sql: Reading, client_id: Identifier, kind: SupplementaryKind | None = None
) -> Listing[EntryView]:
    """Every entry, newest first."""
    await seen(actor, sql, client_id)
    return Listing[EntryView](items=[_view(entry) for entry in await supplementary.history(sql, client_id, kind)])


@routes.get("/supplementary/register", response_class=Response, responses=gives(registers.XLSX, registers.CSV))
async def export_register(
    actor: Annotated[Actor, permits("supplementary:register", *STAFF, Role.COMPLIANCE, Role.OPERATIONS)],
    sql: Reading,
    format: registers.Format = "xlsx",
) -> Response:
    """The register of annex 4 (客户分类登记表) of the caller's branch, or of all."""
    table = await register.rows(sql, object_scope(actor, 1))
    day = await today(sql)
    return registers.register("client-register", register.TITLE, day, COLUMNS, table, format)


def _view(entry: supplementary_tables.Entry) -> EntryView:
    kind: SupplementaryKind = entry.kind  # type: ignore[assignment]
    return EntryView(
        entry_id=entry.entry_id,
        kind=kind,
        codes=entry.codes,
        names=[bilingual(CODES[kind][code.removeprefix(f"{kind}:")]) for code in entry.codes],
        scores=entry.scores,
        suggested=entry.suggested,
        note=entry.note,
        made_by=entry.made_by,
        made_at=entry.made_at,
    )
