"""Registers and reports over HTTP: files that open in Excel, and a page to print."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.http import Listing, Page, Reading, Work, object_scope, permits, router
from chassis.timeline import today
from contracts.fields import number_of
from services.suitability.api.shapes import HEADQUARTERS, STAFF, Day
from services.suitability.reports import daily, registers, selfcheck
from services.suitability.reports.sheets import XLSX

routes = router("/v1/suitability", "suitability")
Reader = Annotated[Actor, permits("suitability.registers:read", *STAFF)]
Auditor = Annotated[Actor, permits("suitability.reports:read", *HEADQUARTERS, Role.OPERATIONS)]
Year = Annotated[int, number_of(1990, 2099, "a year"), Query()]
HalfNumber = Annotated[int, number_of(1, 2, "the half of the year"), Query()]
XLSX_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}}
}


class LevelCount(BaseModel):
    """How many clients were assessed at a level, in the firm's scheme."""

    level: str
    clients: int


class Register(BaseModel):
    """The register of a day and branch in the caller's list; `read_at` is empty until they have read it as it is now."""

    register_date: date
    branch_id: str | None
    assessed: int
    by_level: list[LevelCount]
    made_at: datetime
    read_at: datetime | None


class ReadMark(BaseModel):
    """How many registers of a day the caller has now read."""

    register_date: date
    registers: int


def _file(content: bytes, name: str) -> Response:
    return Response(content, media_type=XLSX, headers={"content-disposition": f'attachment; filename="{name}"'})


@routes.get("/registers/risk-levels.xlsx", response_class=Response, responses=XLSX_ANSWER)
async def daily_register(actor: Reader, sql: Reading, on: Day) -> Response:
    """风险承受能力客户分类表: everybody assessed on a day."""
    content = await registers.daily_register(sql, on, object_scope(actor, 2))
    return _file(content, f"risk-levels-{on.isoformat()}.xlsx")


@routes.get("/registers/annex-4.xlsx", response_class=Response, responses=XLSX_ANSWER)
async def annex_4(actor: Reader, sql: Reading, on: Day) -> Response:
    """客户分类汇总表 (annex 4) as of a day."""
    content = await registers.annex_4(sql, on, object_scope(actor, 2))
    return _file(content, f"annex-4-{on.isoformat()}.xlsx")


@routes.get("/registers")
async def list_registers(actor: Reader, sql: Reading, page: Page, unread: bool = False) -> Listing[Register]:
    """The daily registers in the list of the directors of operations and service of a branch, of its manager, and of
    headquarters, newest first."""
    day, branch = page.after or (date.max.isoformat(), "")
    after = (date.fromisoformat(str(day)), str(branch))
    rows = await daily.listed(sql, actor, await today(sql), unread, after, page.limit + 1)
    found = page.result(rows, lambda row: (row["register_date"], row["branch_id"] or ""))
    return Listing[Register].model_validate(found)


@routes.post("/registers/{on}/read")
async def read_registers(actor: Reader, uow: Work, on: Day) -> ReadMark:
    """The caller has read the registers of a day in their list."""
    return ReadMark(register_date=on, registers=await daily.read(uow, on, await today(uow.sql)))


@routes.get("/reports/self-check.xlsx", response_class=Response, responses=XLSX_ANSWER)
async def self_check_file(_: Auditor, sql: Reading, year: Year, half: HalfNumber) -> Response:
    """The half-yearly self-check as a spreadsheet."""
    period = selfcheck.Half(year, half)
    return _file(selfcheck.xlsx(period, await selfcheck.figures(sql, period)), f"self-check-{year}-H{half}.xlsx")


@routes.get("/reports/self-check", response_class=HTMLResponse)
async def self_check_page(_: Auditor, sql: Reading, year: Year, half: HalfNumber) -> HTMLResponse:
    """The half-yearly self-check as a page to print."""
    period = selfcheck.Half(year, half)
    return HTMLResponse(selfcheck.page(period, await selfcheck.figures(sql, period)))
